/* SPDX-License-Identifier: MIT */
#include "vmm/boot.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "common/log.h"

#define MIB		0x100000ull
#define FLAT_OFFSET	0x80000ull /* where kvm-unit-tests' images expect to run */
#define FLAT_FREE	(2 * MIB)  /* bss and stack behind a flat image */
#define OLD_TEXT_OFFSET 0x80000ull /* of kernels before 3.17, which say image_size 0 */

/* Linux: Documentation/arm64/booting.rst, all little endian. */
struct image_header {
	u32 code[2];
	u64 text_offset, image_size, flags;
	u64 res[3];
	u32 magic, pe_offset;
};
#define IMAGE_MAGIC	 0x644d5241u /* "ARM\x64" */
#define IMAGE_BIG_ENDIAN BIT(0)

/* Linux: drivers/firmware/efi/libstub/zboot-header.S */
struct zboot_header {
	u32 mz;
	u32 zimg;
	u32 payload_offset, payload_size;
	u32 res[2];
	char comp[32];
};
#define ZBOOT_ZIMG 0x676d697au /* "zimg" */

/* ---- files ---- */

static int open_image(const char *what, const char *path, int *fd, u64 *size)
{
	struct stat st = {0};
	int err = 0;

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0 || fstat(*fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode) || !st.st_size)
		err = -EINVAL;
	if (err) {
		error_report("%s \"%s\": %s", what, path,
			     err == -EINVAL ? "not a file, or empty" : strerror(-err));
		return err;
	}
	*size = (u64)st.st_size;
	return 0;
}

/* All of [off, off+len) or an error. */
static int read_at(int fd, void *buf, u64 len, u64 off)
{
	u8 *p = buf;

	while (len) {
		ssize_t n = pread(fd, p, len < (1u << 30) ? len : 1u << 30, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		off += (u64)n;
		len -= (u64)n;
	}
	return 0;
}

static int zboot_check(struct boot_images *img, const struct zboot_header *z)
{
	if (strncmp(z->comp, "gzip", sizeof(z->comp))) {
		error_report(
			"kernel \"%s\": EFI zboot image compressed with \"%.32s\": only gzip is "
			"supported; unpack it first",
			img->cfg->kernel, z->comp);
		return -ENOTSUP;
	}
	if (z->payload_offset > img->kernel_size ||
	    z->payload_size > img->kernel_size - z->payload_offset) {
		error_report("kernel \"%s\": the EFI zboot header points outside the file",
			     img->cfg->kernel);
		return -EINVAL;
	}
	img->format = BOOT_ZBOOT;
	img->payload_off = z->payload_offset;
	img->payload_size = z->payload_size;
	return 0;
}

static int detect(struct boot_images *img)
{
	union {
		u8 bytes[64];
		struct image_header image;
		struct zboot_header zboot;
	} head = {.bytes = {0}};
	u64 len = img->kernel_size < sizeof(head) ? img->kernel_size : sizeof(head);
	int err = read_at(img->kernel_fd, &head, len, 0);

	if (err) {
		error_report("kernel \"%s\": %s", img->cfg->kernel, strerror(-err));
		return err;
	}
	img->payload_size = img->kernel_size;
	if ((head.zboot.mz & 0xffff) == 0x5a4d && head.zboot.zimg == ZBOOT_ZIMG)
		return zboot_check(img, &head.zboot);
	if (head.bytes[0] == 0x1f && head.bytes[1] == 0x8b)
		img->format = BOOT_GZIP;
	else if (head.image.magic == IMAGE_MAGIC)
		img->format = BOOT_IMAGE;
	else if (!memcmp(head.bytes, ELFMAG, SELFMAG))
		img->format = BOOT_ELF;
	else
		img->format = BOOT_FLAT;
	return 0;
}

int boot_open(const struct boot_config *cfg, struct boot_images *img)
{
	int err;

	*img = (struct boot_images){.cfg = cfg, .kernel_fd = -1, .initrd_fd = -1};
	err = open_image("kernel", cfg->kernel, &img->kernel_fd, &img->kernel_size);
	if (!err && cfg->initrd)
		err = open_image("initrd", cfg->initrd, &img->initrd_fd, &img->initrd_size);
	if (!err)
		err = detect(img);
	if (err)
		boot_close(img);
	return err;
}

void boot_close(struct boot_images *img)
{
	if (img->kernel_fd >= 0)
		close(img->kernel_fd);
	if (img->initrd_fd >= 0)
		close(img->initrd_fd);
	img->kernel_fd = img->initrd_fd = -1;
}

/* ---- loading ---- */

struct loader {
	const struct boot_images *img;
	const struct guest_mem *mem;
	u64 ram, ram_end;
};

static int no_room(const struct loader *ld, const char *what, u64 need)
{
	error_report(
		"%s does not fit: needs %llu MiB of guest memory up to its end, machine.memory "
		"gives %llu MiB",
		what, (unsigned long long)((need + MIB - 1) / MIB),
		(unsigned long long)((ld->ram_end - ld->ram) / MIB));
	return -ENOMEM;
}

static int load_file(const struct loader *ld, const char *what, int fd, u64 size, u64 addr)
{
	void *dst = guest_slice(ld->mem, GPA(addr), size);
	int err;

	if (!dst)
		return no_room(ld, what, addr + size - ld->ram);
	err = read_at(fd, dst, size, 0);
	if (err)
		error_report("cannot read the %s: %s", what, strerror(-err));
	return err;
}

/* Where an Image goes; out->kernel_end includes what it needs behind the file. */
static int image_place(const struct loader *ld, const struct image_header *h, u64 file_size,
		       struct boot_layout *out)
{
	u64 offset = h->image_size ? h->text_offset : OLD_TEXT_OFFSET;
	u64 size = h->image_size > file_size ? h->image_size : file_size;

	if (h->magic != IMAGE_MAGIC) {
		error_report("kernel \"%s\": what it unpacks to is not an arm64 Image",
			     ld->img->cfg->kernel);
		return -EINVAL;
	}
	if (h->flags & IMAGE_BIG_ENDIAN) {
		error_report("kernel \"%s\": big-endian kernels are not supported",
			     ld->img->cfg->kernel);
		return -ENOTSUP;
	}
	if (offset > ld->ram_end - ld->ram || size > ld->ram_end - ld->ram - offset)
		return no_room(ld, "kernel", offset + size);
	out->kernel = out->entry = ld->ram + offset;
	out->kernel_end = out->kernel + size;
	return 0;
}

static int load_image(const struct loader *ld, struct boot_layout *out)
{
	struct image_header h;
	int err = read_at(ld->img->kernel_fd, &h, sizeof(h), 0);

	if (err) {
		error_report("kernel \"%s\": %s", ld->img->cfg->kernel, strerror(-err));
		return err;
	}
	err = image_place(ld, &h, ld->img->kernel_size, out);
	if (err)
		return err;
	return load_file(ld, "kernel", ld->img->kernel_fd, ld->img->kernel_size, out->kernel);
}

/* Reads the next piece of the payload when the inflater has used up the last. */
static int refill(const struct boot_images *img, z_stream *z, u8 *in, size_t cap, u64 *done)
{
	u64 left = img->payload_size - *done, n = left < cap ? left : cap;
	int err;

	if (z->avail_in || !left)
		return 0;
	err = read_at(img->kernel_fd, in, n, img->payload_off + *done);
	z->next_in = in;
	z->avail_in = (uInt)n;
	*done += n;
	return err;
}

/* Inflates the payload to the start of RAM; *size is what came out. */
static int inflate_payload(const struct loader *ld, u64 *size)
{
	u64 done = 0, room = ld->ram_end - ld->ram;
	u8 *dst = guest_slice(ld->mem, GPA(ld->ram), room);
	z_stream z = {0};
	u8 in[65536];
	int ret;

	if (!dst || inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return -ENOMEM;
	do {
		u64 left = room - z.total_out;

		if (refill(ld->img, &z, in, sizeof(in), &done)) {
			ret = Z_ERRNO;
			break;
		}
		z.next_out = dst + z.total_out;
		z.avail_out = left < UINT32_MAX ? (uInt)left : UINT32_MAX;
		ret = inflate(&z, Z_NO_FLUSH);
	} while (ret == Z_OK);
	*size = z.total_out;
	inflateEnd(&z);
	if (ret == Z_STREAM_END)
		return 0;
	if (ret == Z_BUF_ERROR && *size == room)
		return no_room(ld, "the unpacked kernel", room + 1);
	error_report("kernel \"%s\": the gzip data is damaged or cut short", ld->img->cfg->kernel);
	return -EINVAL;
}

static int load_gzip(const struct loader *ld, struct boot_layout *out)
{
	struct image_header h = {.magic = 0};
	u64 size, slack;
	u8 *base;
	int err = inflate_payload(ld, &size);

	if (err)
		return err;
	base = guest_slice(ld->mem, GPA(ld->ram), size);
	memcpy(&h, base, size < sizeof(h) ? size : sizeof(h));
	err = image_place(ld, &h, size, out);
	if (err)
		return err;
	slack = out->kernel - ld->ram;
	if (slack) { /* an old kernel with a text offset: make room below it, zeroed as RAM is */
		memmove(base + slack, base, size);
		memset(base, 0, slack < size ? slack : size);
	}
	return 0;
}

static int load_segment(const struct loader *ld, const Elf64_Phdr *ph, struct boot_layout *out)
{
	void *dst = guest_slice(ld->mem, GPA(ph->p_paddr), ph->p_memsz);
	int err;

	if (!dst || ph->p_filesz > ph->p_memsz) {
		error_report("kernel \"%s\": ELF segment at physical %#llx, %#llx bytes, is not "
			     "inside guest memory (%#llx-%#llx)",
			     ld->img->cfg->kernel, (unsigned long long)ph->p_paddr,
			     (unsigned long long)ph->p_memsz, (unsigned long long)ld->ram,
			     (unsigned long long)ld->ram_end - 1);
		return -EINVAL;
	}
	err = read_at(ld->img->kernel_fd, dst, ph->p_filesz, ph->p_offset);
	if (err) {
		error_report("kernel \"%s\": cannot read an ELF segment: %s", ld->img->cfg->kernel,
			     strerror(-err));
		return err;
	}
	/* The bss: RAM is zero at a start, but not when a reset loads the kernel again. */
	memset((u8 *)dst + ph->p_filesz, 0, ph->p_memsz - ph->p_filesz);
	if (ph->p_paddr < out->kernel)
		out->kernel = ph->p_paddr;
	if (ph->p_paddr + ph->p_memsz > out->kernel_end)
		out->kernel_end = ph->p_paddr + ph->p_memsz;
	return 0;
}

static int load_elf(const struct loader *ld, struct boot_layout *out)
{
	const char *name = ld->img->cfg->kernel;
	Elf64_Ehdr eh;
	Elf64_Phdr ph;

	if (read_at(ld->img->kernel_fd, &eh, sizeof(eh), 0) || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_ident[EI_DATA] != ELFDATA2LSB || eh.e_machine != EM_AARCH64 ||
	    eh.e_phentsize != sizeof(ph)) {
		error_report("kernel \"%s\": not a little-endian AArch64 ELF", name);
		return -EINVAL;
	}
	out->kernel = ~0ull;
	out->entry = eh.e_entry;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		int err;

		if (read_at(ld->img->kernel_fd, &ph, sizeof(ph), eh.e_phoff + i * sizeof(ph))) {
			error_report("kernel \"%s\": the ELF program headers are cut short", name);
			return -EINVAL;
		}
		if (ph.p_type != PT_LOAD || !ph.p_memsz)
			continue;
		err = load_segment(ld, &ph, out);
		if (err)
			return err;
		/* The MMU is off: enter at the physical address of the entry point. */
		if (eh.e_entry - ph.p_vaddr < ph.p_memsz)
			out->entry = ph.p_paddr + (eh.e_entry - ph.p_vaddr);
	}
	if (!out->kernel_end || !guest_slice(ld->mem, GPA(out->entry), 4)) {
		error_report("kernel \"%s\": the ELF entry point %#llx is not in guest memory",
			     name, (unsigned long long)out->entry);
		return -EINVAL;
	}
	return 0;
}

static int load_flat(const struct loader *ld, struct boot_layout *out)
{
	out->kernel = out->entry = ld->ram + FLAT_OFFSET;
	out->kernel_end = out->kernel + ld->img->kernel_size + FLAT_FREE;
	return load_file(ld, "kernel", ld->img->kernel_fd, ld->img->kernel_size, out->kernel);
}

/* The tree above the kernel, the initrd above the tree; Linux wants all within 32 GiB. */
static int place_rest(const struct loader *ld, u64 dtb_size, struct boot_layout *out)
{
	const struct boot_images *img = ld->img;

	out->dtb = ALIGN_UP(out->kernel_end, 2 * MIB);
	if (!guest_slice(ld->mem, GPA(out->dtb), dtb_size))
		return no_room(ld, "the device tree", out->dtb + dtb_size - ld->ram);
	out->initrd = out->initrd_end = ALIGN_UP(out->dtb + dtb_size, 0x10000);
	if (img->initrd_fd < 0)
		return 0;
	out->initrd_end += img->initrd_size;
	return load_file(ld, "initrd", img->initrd_fd, img->initrd_size, out->initrd);
}

int boot_load(const struct boot_images *img, const struct guest_mem *mem, gpa_t ram, u64 dtb_size,
	      struct boot_layout *out)
{
	struct loader ld = {.img = img, .mem = mem, .ram = ram.v};
	int err;

	for (unsigned i = 0; i < mem->n; i++)
		if (ram.v - mem->region[i].gpa < mem->region[i].size)
			ld.ram_end = mem->region[i].gpa + mem->region[i].size;
	if (!ld.ram_end)
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	switch (img->format) {
	case BOOT_IMAGE: err = load_image(&ld, out); break;
	case BOOT_GZIP:
	case BOOT_ZBOOT: err = load_gzip(&ld, out); break;
	case BOOT_ELF: err = load_elf(&ld, out); break;
	default: err = load_flat(&ld, out); break;
	}
	return err ? err : place_rest(&ld, dtb_size, out);
}

/* SPDX-License-Identifier: MIT */
/* Every kernel format, well made and broken, into guest memory. */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "vmm/boot.h"

#define RAM	 0x40000000ull
#define RAM_SIZE (32ull << 20)
#define DTB_SIZE 5000

static char dir[] = "/tmp/armature-boot-XXXXXX";
static char kernel[64], initrd[64];
static struct guest_mem mem;
static struct boot_layout out;
static char message[1024];

static void write_file(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

/* Opens and loads what is in `kernel`; the message goes to `message`. */
static int load(bool with_initrd)
{
	struct boot_config cfg = {.kernel = kernel, .initrd = with_initrd ? initrd : NULL};
	struct boot_images img;
	int saved = dup(2), err;
	FILE *tmp = tmpfile();

	dup2(fileno(tmp), 2);
	err = boot_open(&cfg, &img);
	if (!err) {
		err = boot_load(&img, &mem, GPA(RAM), DTB_SIZE, &out);
		boot_close(&img);
	}
	dup2(saved, 2);
	close(saved);
	rewind(tmp);
	message[fread(message, 1, sizeof(message) - 1, tmp)] = 0;
	fclose(tmp);
	return err;
}

static const u8 *ram(u64 addr)
{
	return guest_slice(&mem, GPA(addr), 1);
}

/* An Image of `size` bytes whose last byte is 0x5a; it wants `image_size` in memory. */
static u8 *make_image(size_t size, u64 text_offset, u64 image_size, u64 flags)
{
	u8 *p = calloc(1, size);
	u32 magic = 0x644d5241;

	p[0] = 0x4d; /* "MZ", as kernels with an EFI stub have */
	p[1] = 0x5a;
	memcpy(p + 8, &text_offset, 8);
	memcpy(p + 16, &image_size, 8);
	memcpy(p + 24, &flags, 8);
	memcpy(p + 56, &magic, 4);
	p[size - 1] = 0x5a;
	return p;
}

static size_t gzip(const u8 *data, size_t len, u8 *dst, size_t cap)
{
	z_stream z = {.next_in = (u8 *)data,
		      .avail_in = (uInt)len,
		      .next_out = dst,
		      .avail_out = (uInt)cap};

	assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
			 Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

static int setup(void **state)
{
	return guest_mem_add(&mem, GPA(RAM), RAM_SIZE);
}

static int teardown(void **state)
{
	guest_mem_free(&mem);
	return 0;
}

static void test_image(void **state)
{
	u8 *image = make_image(300000, 0, 5 << 20, 2), *rd = calloc(1, 70000);

	rd[69999] = 7;
	write_file(kernel, image, 300000);
	write_file(initrd, rd, 70000);
	assert_int_equal(load(true), 0);
	assert_string_equal(message, "");
	assert_int_equal(out.entry, RAM);
	assert_int_equal(*ram(RAM + 299999), 0x5a);
	assert_int_equal(out.kernel_end, RAM + (5 << 20));
	assert_int_equal(out.dtb, RAM + (6 << 20)); /* clear of the bss, 2 MiB aligned */
	assert_true(out.initrd >= out.dtb + DTB_SIZE && !(out.initrd & 0xffff));
	assert_int_equal(out.initrd_end, out.initrd + 70000);
	assert_int_equal(*ram(out.initrd_end - 1), 7);
	assert_int_equal(load(false), 0);
	assert_int_equal(out.initrd, out.initrd_end);
	free(image);
	free(rd);
}

static void test_image_variants(void **state)
{
	u8 *image = make_image(4096, 0x10000, 8192, 0);

	write_file(kernel, image, 4096);
	assert_int_equal(load(false), 0);
	assert_int_equal(out.entry, RAM + 0x10000);
	free(image);
	image = make_image(4096, 0, 0, 0); /* before 3.17: no size, always 0x80000 */
	write_file(kernel, image, 4096);
	assert_int_equal(load(false), 0);
	assert_int_equal(out.entry, RAM + 0x80000);
	free(image);
	image = make_image(4096, 0, 8192, 1);
	write_file(kernel, image, 4096);
	assert_int_not_equal(load(false), 0);
	assert_non_null(strstr(message, "big-endian"));
	free(image);
	image = make_image(4096, 0, RAM_SIZE + 1, 0);
	write_file(kernel, image, 4096);
	assert_int_not_equal(load(false), 0);
	assert_non_null(strstr(message, "kernel does not fit: needs 33 MiB"));
	free(image);
	image = make_image(4096, ~0ull - 100, 200, 0); /* wraps */
	write_file(kernel, image, 4096);
	assert_int_not_equal(load(false), 0);
	free(image);
	image = make_image(4096, 0, RAM_SIZE - 4096, 0); /* no room for the tree */
	write_file(kernel, image, 4096);
	assert_int_not_equal(load(false), 0);
	assert_non_null(strstr(message, "device tree does not fit"));
	free(image);
}

static void test_big_initrd(void **state)
{
	u8 *image = make_image(4096, 0, 8192, 0);

	write_file(kernel, image, 4096);
	write_file(initrd, image, 1);
	assert_int_equal(truncate(initrd, RAM_SIZE), 0);
	assert_int_not_equal(load(true), 0);
	assert_non_null(strstr(message, "initrd does not fit"));
	assert_int_equal(truncate(initrd, 0), 0);
	assert_int_not_equal(load(true), 0);
	assert_non_null(strstr(message, "not a file, or empty"));
	unlink(initrd);
	assert_int_not_equal(load(true), 0);
	assert_non_null(strstr(message, "No such file"));
	free(image);
}

static void test_gzip(void **state)
{
	u8 *image = make_image(3 << 20, 0, 4 << 20, 0), *packed = malloc(4 << 20);
	size_t len = gzip(image, 3 << 20, packed, 4 << 20);

	write_file(kernel, packed, len);
	assert_int_equal(load(false), 0);
	assert_int_equal(out.entry, RAM);
	assert_int_equal(*ram(RAM + (3 << 20) - 1), 0x5a);
	assert_int_equal(out.kernel_end, RAM + (4 << 20));
	write_file(kernel, packed, len - 9); /* cut short */
	assert_int_not_equal(load(false), 0);
	assert_non_null(strstr(message, "damaged or cut short"));
	packed[len / 2] ^= 0xff;
	write_file(kernel, packed, len);
	assert_int_not_equal(load(false), 0);
	free(image);
	/* With a text offset the unpacked image moves up. */
	image = make_image(100000, 0x80000, 200000, 0);
	len = gzip(image, 100000, packed, 4 << 20);
	write_file(kernel, packed, len);
	assert_int_equal(load(false), 0);
	assert_int_equal(out.entry, RAM + 0x80000);
	assert_int_equal(*ram(RAM + 0x80000 + 99999), 0x5a);
	assert_int_equal(*ram(RAM), 0);
	free(image);
	/* Not a kernel inside; a bomb. */
	image = calloc(1, RAM_SIZE + 4096);
	len = gzip(image, 1000, packed, 4 << 20);
	write_file(kernel, packed, len);
	assert_int_not_equal(load(false), 0);
	assert_non_null(strstr(message, "not an arm64 Image"));
	len = gzip(image, RAM_SIZE + 4096, packed, 4 << 20);
	write_file(kernel, packed, len);
	assert_int_not_equal(load(false), 0);
	assert_non_null(strstr(message, "unpacked kernel does not fit"));
	free(image);
	free(packed);
}

static void test_zboot(void **state)
{
	u8 *image = make_image(100000, 0, 200000, 0), *file = calloc(1, 200000);
	u32 offset = 4096, size = (u32)gzip(image, 100000, file + 4096, 190000);

	memcpy(file, "MZ\0\0zimg", 8);
	memcpy(file + 8, &offset, 4);
	memcpy(file + 12, &size, 4);
	memcpy(file + 24, "gzip", 5);
	write_file(kernel, file, 4096 + size + 100); /* with a tail, as signatures are */
	assert_int_equal(load(false), 0);
	assert_int_equal(*ram(RAM + 99999), 0x5a);
	memcpy(file + 24, "zstd", 5);
	write_file(kernel, file, 4096 + size);
	assert_int_not_equal(load(false), 0);
	assert_non_null(strstr(message, "compressed with \"zstd\""));
	memcpy(file + 24, "gzip", 5);
	write_file(kernel, file, 4096 + size - 1);
	assert_int_not_equal(load(false), 0);
	assert_non_null(strstr(message, "points outside the file"));
	free(image);
	free(file);
}

static void test_flat(void **state)
{
	u8 image[1000] = {1, 2, 3};

	image[999] = 9;
	write_file(kernel, image, sizeof(image));
	assert_int_equal(load(false), 0);
	assert_int_equal(out.entry, RAM + 0x80000);
	assert_int_equal(*ram(RAM + 0x80000 + 999), 9);
	assert_true(out.dtb >= out.entry + 1000 + (2 << 20)); /* bss and stack */
	write_file(kernel, image, 3);			      /* shorter than any header */
	assert_int_equal(load(false), 0);
	write_file(kernel, image, 0);
	assert_int_not_equal(load(false), 0);
}

struct elf_file {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[2];
	u8 code[64];
};

static struct elf_file make_elf(void)
{
	struct elf_file f = {
		.eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		       .e_type = ET_EXEC,
		       .e_machine = EM_AARCH64,
		       .e_version = EV_CURRENT,
		       .e_entry = 0xffff000000000010,
		       .e_phoff = sizeof(Elf64_Ehdr),
		       .e_phentsize = sizeof(Elf64_Phdr),
		       .e_phnum = 2},
		.ph = {{.p_type = PT_NOTE, .p_memsz = ~0ull},
		       {.p_type = PT_LOAD,
			.p_offset = offsetof(struct elf_file, code),
			.p_vaddr = 0xffff000000000000,
			.p_paddr = RAM + 0x200000,
			.p_filesz = 64,
			.p_memsz = 0x10000}},
		.code = {1, 2, 3},
	};

	return f;
}

static void test_elf(void **state)
{
	struct elf_file f = make_elf();

	write_file(kernel, &f, sizeof(f));
	assert_int_equal(load(false), 0);
	assert_int_equal(out.entry, RAM + 0x200010);
	assert_int_equal(out.kernel_end, RAM + 0x210000);
	assert_int_equal(*ram(RAM + 0x200001), 2);
	/* Again, as a reset does: the bss has what the guest left there. */
	memset(guest_slice(&mem, GPA(RAM + 0x200000), 0x10000), 0xee, 0x10000);
	assert_int_equal(load(false), 0);
	assert_int_equal(*ram(RAM + 0x200001), 2);
	assert_int_equal(*ram(RAM + 0x200040), 0);
	assert_int_equal(*ram(RAM + 0x20ffff), 0);
	f.ph[1].p_paddr = 0x1000;
	write_file(kernel, &f, sizeof(f));
	assert_int_not_equal(load(false), 0);
	assert_non_null(strstr(message, "ELF segment at physical 0x1000"));
	f = make_elf();
	f.ph[1].p_memsz = ~0ull;
	write_file(kernel, &f, sizeof(f));
	assert_int_not_equal(load(false), 0);
	f = make_elf();
	f.ph[1].p_filesz = f.ph[1].p_memsz + 1;
	write_file(kernel, &f, sizeof(f));
	assert_int_not_equal(load(false), 0);
	f = make_elf();
	f.ph[1].p_offset = 0x7fffffffffffff00;
	write_file(kernel, &f, sizeof(f));
	assert_int_not_equal(load(false), 0);
	f = make_elf();
	f.eh.e_entry = 0x10;
	write_file(kernel, &f, sizeof(f));
	assert_int_not_equal(load(false), 0);
	assert_non_null(strstr(message, "entry point"));
	f = make_elf();
	f.eh.e_machine = EM_X86_64;
	write_file(kernel, &f, sizeof(f));
	assert_int_not_equal(load(false), 0);
	assert_non_null(strstr(message, "not a little-endian AArch64 ELF"));
	f = make_elf();
	f.eh.e_phnum = 100;
	write_file(kernel, &f, sizeof(f));
	assert_int_not_equal(load(false), 0);
}

static int group_setup(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	snprintf(kernel, sizeof(kernel), "%s/kernel", dir);
	snprintf(initrd, sizeof(initrd), "%s/initrd", dir);
	return 0;
}

static int group_teardown(void **state)
{
	char cmd[80];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_image, setup, teardown),
		cmocka_unit_test_setup_teardown(test_image_variants, setup, teardown),
		cmocka_unit_test_setup_teardown(test_big_initrd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gzip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_zboot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flat, setup, teardown),
		cmocka_unit_test_setup_teardown(test_elf, setup, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

/* SPDX-License-Identifier: MIT */
#include "common/guest_mem.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int guest_mem_add(struct guest_mem *mem, gpa_t gpa, u64 size)
{
	u64 end;
	u8 *host;

	if (!size || (gpa.v | size) & 0xfff || __builtin_add_overflow(gpa.v, size, &end))
		return -EINVAL;
	if (mem->n == GUEST_MEM_MAX_REGIONS)
		return -ENOSPC;
	for (unsigned i = 0; i < mem->n; i++) {
		const struct guest_region *r = &mem->region[i];

		if (gpa.v < r->gpa + r->size && r->gpa < end)
			return -EEXIST;
	}
	/*
	 * Anonymous rather than memfd: shmem huge pages are off on most hosts, and 2 MiB pages
	 * decide 15-50 % on large working sets.
	 */
	host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		    -1, 0);
	if (host == MAP_FAILED)
		return -errno;
	madvise(host, size, MADV_HUGEPAGE); /* a hint: small pages work too */
	mem->region[mem->n++] =
		(struct guest_region){.gpa = gpa.v, .size = size, .host = host, .fd = -1};
	return 0;
}

void guest_mem_free(struct guest_mem *mem)
{
	for (unsigned i = 0; i < mem->n; i++) {
		munmap(mem->region[i].host, mem->region[i].size);
		if (mem->region[i].fd >= 0)
			close(mem->region[i].fd);
	}
	mem->n = 0;
}

void *guest_slice(const struct guest_mem *mem, gpa_t gpa, u64 len)
{
	for (unsigned i = 0; i < mem->n; i++) {
		const struct guest_region *r = &mem->region[i];
		u64 off = gpa.v - r->gpa;

		if (off < r->size && len <= r->size - off)
			return r->host + off;
	}
	return NULL;
}

int guest_read(const struct guest_mem *mem, gpa_t gpa, void *dst, u64 len)
{
	const void *p = guest_slice(mem, gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(dst, p, len);
	return 0;
}

int guest_write(const struct guest_mem *mem, gpa_t gpa, const void *src, u64 len)
{
	void *p = guest_slice(mem, gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(p, src, len);
	return 0;
}

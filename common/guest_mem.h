/* SPDX-License-Identifier: MIT */
/*
 * Guest RAM: memfd or anonymous mappings, a handful of regions. guest_slice() is the only way from
 * a gpa_t to a host pointer; it checks overflow and bounds. The region table is immutable once
 * vCPUs and devices run, so every thread may read it without a lock.
 */
#ifndef ARMATURE_GUEST_MEM_H
#define ARMATURE_GUEST_MEM_H

#include "common/types.h"

#define GUEST_MEM_MAX_REGIONS 8

struct guest_region {
	u64 gpa;  /* first byte, page aligned */
	u64 size; /* bytes, page aligned */
	u8 *host; /* mapping of the whole region, read/write */
	int fd;	  /* backing memfd, or -1 (anonymous) */
};

struct guest_mem {
	unsigned n;
	struct guest_region region[GUEST_MEM_MAX_REGIONS];
};

/* Maps `size` bytes of zeroed RAM at `gpa`. Returns 0 or a negative errno. */
int guest_mem_add(struct guest_mem *mem, gpa_t gpa, u64 size);
/* Unmaps every region. No thread may use `mem` any more. */
void guest_mem_free(struct guest_mem *mem);
/*
 * Host pointer to guest bytes [gpa, gpa+len), or NULL when any of them is outside RAM or the range
 * wraps or spans two regions. len 0 is valid for an address inside RAM. The guest may change the
 * bytes at any time: copy once, then check the copy.
 */
void *guest_slice(const struct guest_mem *mem, gpa_t gpa, u64 len);
/* Bounds-checked copies; 0 or -EFAULT, nothing copied on failure. */
int guest_read(const struct guest_mem *mem, gpa_t gpa, void *dst, u64 len);
int guest_write(const struct guest_mem *mem, gpa_t gpa, const void *src, u64 len);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Kernel and initrd into guest memory: arm64 Image, the same gzip'd or in an EFI zboot wrapper,
 * ELF, and flat bare-metal images. The files stay open, so that a reset can load them again under
 * the sandbox.
 */
#ifndef ARMATURE_BOOT_H
#define ARMATURE_BOOT_H

#include "common/guest_mem.h"
#include "config/config.h"

#define BOOT_DTB_MAX (2u << 20) /* Linux: Documentation/arm64/booting.rst */

enum boot_format { BOOT_IMAGE, BOOT_GZIP, BOOT_ZBOOT, BOOT_ELF, BOOT_FLAT };

struct boot_images {
	const struct boot_config *cfg; /* for names in messages */
	int kernel_fd, initrd_fd;      /* -1: none */
	u64 kernel_size, initrd_size;  /* bytes of the files */
	enum boot_format format;
	u64 payload_off, payload_size; /* compressed part of the file */
};

struct boot_layout {
	u64 entry;
	u64 kernel, kernel_end; /* guest physical; the end includes bss */
	u64 dtb;
	u64 initrd, initrd_end; /* equal: none */
};

/* Opens the files and finds out what the kernel is. 0, or -errno after a message. */
int boot_open(const struct boot_config *cfg, struct boot_images *img);
void boot_close(struct boot_images *img);
/*
 * Loads both and decides where the device tree of `dtb_size` bytes goes. `ram` is the base of
 * the region that takes them. 0, or -errno after a message.
 */
int boot_load(const struct boot_images *img, const struct guest_mem *mem, gpa_t ram, u64 dtb_size,
	      struct boot_layout *out);

#endif

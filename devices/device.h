/* SPDX-License-Identifier: MIT */
/*
 * What every device offers the machine: an MMIO window, reset, save and load. Register accesses
 * arrive on vCPU threads, several at once; a device locks for itself.
 */
#ifndef ARMATURE_DEVICE_H
#define ARMATURE_DEVICE_H

#include <sys/types.h>

#include "common/types.h"

struct device;

/*
 * A versioned, named, length-checked record: what reset, save/restore and migration rest on.
 * `buf` is untrusted on load: validate as if from the guest.
 */
struct device_ops {
	const char *name; /* record name, e.g. "pl011" */
	u32 version;
	/* offset is below the window's size; size 1, 2, 4 or 8; misaligned or odd sizes: return
	 * -EINVAL. */
	int (*mmio_read)(struct device *dev, u64 offset, unsigned size, u64 *val);
	int (*mmio_write)(struct device *dev, u64 offset, unsigned size, u64 val);
	void (*reset)(struct device *dev);
	/*
	 * Devices with a thread: pause returns when the thread has finished what it was doing and
	 * touches guest memory no more; until resume only reset, save and load are called. NULL:
	 * the device does nothing by itself.
	 */
	void (*pause)(struct device *dev);
	void (*resume)(struct device *dev);
	ssize_t (*save)(struct device *dev, void *buf, size_t cap); /* bytes, or -errno */
	int (*load)(struct device *dev, u32 version, const void *buf, size_t len);
	void (*destroy)(struct device *dev);
};

/* Embed as the first member of a device. */
struct device {
	const struct device_ops *ops;
	char id[32]; /* unique in the machine */
};

#endif

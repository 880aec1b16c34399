/* SPDX-License-Identifier: MIT */
/* virtio-blk (virtio 1.2, 5.2) on a raw file or block device. */
#ifndef ARMATURE_VIRTIO_BLK_H
#define ARMATURE_VIRTIO_BLK_H

#include "common/guest_mem.h"
#include "common/irq.h"
#include "common/sandbox.h"

struct device;

struct virtio_blk_params {
	const char *id; /* unique in the machine; also the thread's name */
	const char *path;
	const char *serial; /* up to 20 bytes, or NULL */
	bool readonly;
	bool direct;	     /* O_DIRECT, around the host's page cache */
	bool writethrough;   /* no volatile cache: each write is on the medium when it completes */
	unsigned num_queues; /* 0: 1; at most 16 */
	unsigned queue_size; /* 0: 256; a power of two up to that */
	enum sandbox_mode sandbox;
};

/* What the device's thread may do. */
extern const struct sandbox_role virtio_blk_role;

struct virtio_blk_stats {
	u64 reads, writes, flushes, discards, errors;
	u64 read_bytes, write_bytes;
};

/* 0, or a negative errno with *err a static sentence that does not repeat id and path. */
int virtio_blk_create(const struct virtio_blk_params *p, const struct guest_mem *mem,
		      const struct irq_line *irq, struct device **out, const char **err);
void virtio_blk_get_stats(struct device *dev, struct virtio_blk_stats *st);
/* Looks at the file's size again and tells the guest. Any thread but the device's. 0 or -errno. */
int virtio_blk_resize(struct device *dev);

#endif

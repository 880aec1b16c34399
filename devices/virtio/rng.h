/* SPDX-License-Identifier: MIT */
/* virtio-rng (virtio 1.2, 5.4): entropy from the host's getrandom(2). */
#ifndef ARMATURE_VIRTIO_RNG_H
#define ARMATURE_VIRTIO_RNG_H

#include "common/guest_mem.h"
#include "common/irq.h"
#include "common/sandbox.h"

struct device;

struct virtio_rng_params {
	const char *id; /* unique in the machine; also the thread's name */
	enum sandbox_mode sandbox;
};

/* What the device's thread may do. */
extern const struct sandbox_role virtio_rng_role;

/* 0, or a negative errno with *err a static sentence. */
int virtio_rng_create(const struct virtio_rng_params *p, const struct guest_mem *mem,
		      const struct irq_line *irq, struct device **out, const char **err);

#endif

/* SPDX-License-Identifier: MIT */
/* The pvpanic device (QEMU: docs/specs/pvpanic.rst), by which a guest tells that it has panicked.
 */
#ifndef ARMATURE_PVPANIC_H
#define ARMATURE_PVPANIC_H

#include "devices/device.h"

#define PVPANIC_MMIO_SIZE 2

struct pvpanic_params {
	void (*panicked)(void *opaque); /* vCPU thread */
	void *opaque;
};

/* 0 or -errno. */
int pvpanic_create(const struct pvpanic_params *params, struct device **out);

#endif

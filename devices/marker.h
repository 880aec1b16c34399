/* SPDX-License-Identifier: MIT */
/* A page the guest writes numbers to, which become time marks in --stats: for measuring boots. */
#ifndef ARMATURE_MARKER_H
#define ARMATURE_MARKER_H

#include "devices/device.h"

#define MARKER_MMIO_SIZE 0x1000

/* `mark` is called on a vCPU thread with what was written to offset 0. 0 or -errno. */
int marker_create(void (*mark)(u32 number), struct device **out);

#endif

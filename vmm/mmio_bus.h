/* SPDX-License-Identifier: MIT */
/*
 * Guest-physical windows to devices. Filled before vCPUs run and immutable from then on, so that
 * lookups need no lock; each vCPU remembers its last hit, which is nearly always the next one.
 */
#ifndef ARMATURE_MMIO_BUS_H
#define ARMATURE_MMIO_BUS_H

#include "devices/device.h"

#define MMIO_BUS_MAX_WINDOWS 64
#define MMIO_BUS_MAX_CPUS    64

struct mmio_window {
	u64 base, size;
	struct device *dev;
};

struct mmio_bus {
	unsigned n;
	struct mmio_window window[MMIO_BUS_MAX_WINDOWS]; /* sorted by base */
	struct {
		_Alignas(64) unsigned hit; /* a line each: no false sharing */
	} last[MMIO_BUS_MAX_CPUS];
};

/* 0; -EINVAL (empty or wrapping), -EEXIST (overlaps another window), -ENOSPC. */
int mmio_bus_add(struct mmio_bus *bus, u64 base, u64 size, struct device *dev);
/*
 * One access by vCPU `cpu`, on its thread. 0, -ENXIO where nothing answers (or the access crosses
 * the end of a window), or what the device said.
 */
int mmio_bus_read(struct mmio_bus *bus, unsigned cpu, gpa_t addr, unsigned size, u64 *val);
int mmio_bus_write(struct mmio_bus *bus, unsigned cpu, gpa_t addr, unsigned size, u64 val);

#endif

/* SPDX-License-Identifier: MIT */
/* Arm PrimeCell real-time clock (DDI 0224): seconds since 1970, an alarm. */
#ifndef ARMATURE_PL031_H
#define ARMATURE_PL031_H

#include "common/event_loop.h"
#include "common/irq.h"
#include "devices/device.h"

#define PL031_MMIO_SIZE 0x1000

struct pl031_params {
	struct event_loop *loop; /* the alarm */
	struct irq_line irq;
};

/* 0 or -errno. Loop thread; so is destroy. */
int pl031_create(const struct pl031_params *params, struct device **out);

#endif

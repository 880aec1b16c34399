/* SPDX-License-Identifier: MIT */
/* Arm PrimeCell UART (DDI 0183): the machine's first serial line. */
#ifndef ARMATURE_PL011_H
#define ARMATURE_PL011_H

#include "common/irq.h"
#include "devices/chardev.h"
#include "devices/device.h"

#define PL011_MMIO_SIZE 0x1000

struct pl011_params {
	struct event_loop *loop; /* sends and receives on its thread */
	struct chardev *chardev; /* stays the caller's; NULL: nobody listens */
	struct irq_line irq;
	/* The guest wrote its first character; any thread. May be NULL. */
	void (*first_output)(void *opaque);
	void *opaque;
};

/* 0 or -errno. Loop thread; so is destroy. */
int pl011_create(const struct pl011_params *params, struct device **out);
/* Sends what the guest has written and is still buffered, as far as the chardev takes it. Loop
 * thread. */
void pl011_flush(struct device *dev);

#endif

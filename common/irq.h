/* SPDX-License-Identifier: MIT */
/* An interrupt line as a device sees it. set() may be called from any thread. */
#ifndef ARMATURE_IRQ_H
#define ARMATURE_IRQ_H

#include "common/types.h"

struct irq_line {
	void (*set)(void *opaque, unsigned n, bool level);
	void *opaque;
	unsigned n; /* SPI number (0 = INTID 32) */
};

static inline void irq_set(const struct irq_line *irq, bool level)
{
	if (irq->set)
		irq->set(irq->opaque, irq->n, level);
}

#endif

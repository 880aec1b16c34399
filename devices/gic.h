/* SPDX-License-Identifier: MIT */
/*
 * The interrupt controller: GICv3 (distributor, redistributors, CPU interface as system registers)
 * or GICv2 (distributor, memory-mapped CPU interface). One security state, no LPIs. 256 SPIs.
 *
 * One lock guards everything: every function may be called from any thread. The cpu_line callback
 * runs under that lock and must not call back.
 */
#ifndef ARMATURE_GIC_H
#define ARMATURE_GIC_H

#include "common/irq.h"
#include "devices/device.h"

#define GIC_N_SPIS	  256
#define GIC_PPI_BASE	  16 /* INTID of PPI 0 */
#define GIC_SPI_BASE	  32
#define GICV3_REDIST_SIZE 0x20000ull /* MMIO window a CPU */

struct gic;

enum gic_line { GIC_LINE_IRQ, GIC_LINE_FIQ };

struct gic_params {
	unsigned version; /* 2 or 3 */
	unsigned n_cpus;  /* 1..64; at most 8 with version 2 */
	/* The level of a CPU's input changed. */
	void (*cpu_line)(void *opaque, unsigned cpu, enum gic_line line, bool level);
	void *opaque;
};

/* 0 or -errno. */
int gic_create(const struct gic_params *params, struct gic **out);
/* Destroying is gic_dist_device(gic)->ops->destroy; the second device goes with it. */

/* MMIO windows. The distributor's device resets, saves and loads the whole controller. */
struct device *gic_dist_device(struct gic *gic);
/* GICv3: redistributors, n_cpus * GICV3_REDIST_SIZE bytes. GICv2: the CPU interface, 8 KiB. */
struct device *gic_cpu_device(struct gic *gic);

/* The line of SPI `n` (INTID 32 + n). */
struct irq_line gic_spi(struct gic *gic, unsigned n);
/* Level of a private interrupt, INTID 16..31. */
void gic_set_ppi(struct gic *gic, unsigned cpu, unsigned intid, bool level);

/* ICC_* system registers (version 3). 0, or -ENOENT: not one of ours. */
int gic_sysreg_read(struct gic *gic, unsigned cpu, u32 id, u64 *val);
int gic_sysreg_write(struct gic *gic, unsigned cpu, u32 id, u64 val);

/*
 * GICv2 registers are banked by CPU: each vCPU's thread says once which one it is. Threads that
 * say nothing are CPU 0.
 */
void gic_bind_thread(unsigned cpu);

#endif

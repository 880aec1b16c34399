/* SPDX-License-Identifier: MIT */
/* Shared by gic*.c. Everything here is guarded by gic->lock. */
#ifndef ARMATURE_GIC_INTERNAL_H
#define ARMATURE_GIC_INTERNAL_H

#include <pthread.h>

#include "devices/gic.h"

#define GIC_MAX_CPUS  64
#define GIC_SPI_WORDS (GIC_N_SPIS / 32)
#define GIC_WORDS     (1 + GIC_SPI_WORDS)
#define GIC_N_IRQS    (32 * GIC_WORDS)
#define GIC_SPURIOUS  1023u
#define GIC_IDLE_PRIO 0xff

/* 32 priorities: the top five bits are implemented, as on real parts and under KVM. */
#define GIC_PRIO_BITS 5
#define GIC_PRIO_MASK 0xf8

#define GICD_CTLR_GRP0 BIT(0)
#define GICD_CTLR_GRP1 BIT(1)

/* State of 32 interrupts, a bit each. */
struct gic_word {
	u32 group; /* 1: group 1 */
	u32 enabled;
	u32 latch; /* pending by an edge or by software */
	u32 level; /* the input line */
	u32 active;
	u32 edge; /* configured as edge-triggered */
	u8 prio[32];
};

struct gic_cpu_state {
	struct gic_word priv;	   /* SGIs and PPIs */
	u32 target[GIC_SPI_WORDS]; /* SPIs routed here */
	u8 sgi_source[16];	   /* v2: CPUs that sent a pending SGI */
	u8 sgi_active_source[16];  /* v2: sender of the active one */
	u8 pmr, bpr[2];		   /* bpr by group */
	u8 enabled[2];		   /* CPU interface, by group */
	u32 active_prio[2];	   /* by group; bit n: priority 8 * n is active */
	u32 ctlr;		   /* ICC_CTLR_EL1 or GICC_CTLR, writable bits */
	u32 waker;
};

/* Plain data: the save record is this struct, cut after n_cpus CPUs. */
struct gic_state {
	u32 version, n_cpus;
	u32 ctlr; /* GICD_CTLR, group enables */
	u32 pad;
	struct gic_word spi[GIC_SPI_WORDS];
	u64 route[GIC_N_SPIS];	/* v3: GICD_IROUTER as written */
	u8 targets[GIC_N_SPIS]; /* v2: GICD_ITARGETSR */
	struct gic_cpu_state cpu[GIC_MAX_CPUS];
};

struct gic {
	struct device dist;
	struct device cpu_dev;
	struct gic_params params;
	pthread_mutex_t lock;
	struct {
		u8 irq, fiq; /* lines as last told to cpu_line */
	} out[GIC_MAX_CPUS];
	struct gic_state s;
};

extern __thread unsigned gic_thread_cpu;

static inline struct gic_word *gic_word(struct gic *g, unsigned cpu, unsigned w)
{
	return w ? &g->s.spi[w - 1] : &g->s.cpu[cpu].priv;
}

static inline u32 gic_word_pending(const struct gic_word *w)
{
	return w->latch | (w->level & ~w->edge);
}

struct gic_candidate {
	unsigned intid; /* GIC_SPURIOUS: none */
	unsigned prio;
	unsigned group;
};

/* Highest-priority pending interrupt of the groups that are enabled, whatever the priority mask. */
struct gic_candidate gic_best(struct gic *g, unsigned cpu);
/* It is signalled: above the priority mask and what runs. */
bool gic_can_signal(struct gic *g, unsigned cpu, const struct gic_candidate *best);
/* Recomputes a CPU's inputs; call after every change that concerns it. */
void gic_update(struct gic *g, unsigned cpu);
void gic_update_all(struct gic *g);
/* After a change to bits of word `w` (0: only `cpu` is concerned). */
void gic_update_word(struct gic *g, unsigned cpu, unsigned w);

/* Acknowledges what is signalled in `group`: its INTID, or GIC_SPURIOUS. */
unsigned gic_ack(struct gic *g, unsigned cpu, unsigned group);
/* Drops the running priority if the highest active one belongs to `group`. */
bool gic_priority_drop(struct gic *g, unsigned cpu, unsigned group);
void gic_deactivate(struct gic *g, unsigned cpu, unsigned intid);
unsigned gic_running_prio(const struct gic *g, unsigned cpu);
/* Pends an SGI; `source` matters in version 2 only. */
void gic_send_sgi(struct gic *g, unsigned target, unsigned sgi, unsigned source);
/* A route or a target byte of this SPI changed. */
void gic_route_update(struct gic *g, unsigned spi);

/*
 * The register arrays that distributors and redistributors share, by the offset of their first
 * word in the distributor (GICD_ISENABLER...); `w` is the word. gic_dist.c
 */
enum {
	REG_IGROUPR = 0x080,
	REG_ISENABLER = 0x100,
	REG_ICENABLER = 0x180,
	REG_ISPENDR = 0x200,
	REG_ICPENDR = 0x280,
	REG_ISACTIVER = 0x300,
	REG_ICACTIVER = 0x380,
	REG_IPRIORITYR = 0x400, /* a byte an interrupt */
	REG_ITARGETSR = 0x800,	/* version 2 */
	REG_ICFGR = 0xc00,	/* two bits an interrupt */
};
u32 gic_array_read(struct gic *g, unsigned cpu, unsigned w, u32 reg);
void gic_array_write(struct gic *g, unsigned cpu, unsigned w, u32 reg, u32 val);
u8 gic_prio_read(struct gic *g, unsigned cpu, unsigned intid);
void gic_prio_write(struct gic *g, unsigned cpu, unsigned intid, u8 prio);
/* `half`: which 16 interrupts of the word. */
u32 gic_config_read(struct gic *g, unsigned cpu, unsigned w, unsigned half);
void gic_config_write(struct gic *g, unsigned cpu, unsigned w, unsigned half, u32 val);

/* A frame of 32-bit registers, some of them arrays of bytes. */
struct gic_frame {
	bool (*is_bytes)(const struct gic *g, u32 reg);
	u8 (*read8)(struct gic *g, unsigned cpu, u32 reg);
	void (*write8)(struct gic *g, unsigned cpu, u32 reg, u8 val);
	u32 (*read32)(struct gic *g, unsigned cpu, u32 reg);
	void (*write32)(struct gic *g, unsigned cpu, u32 reg, u32 val);
};
/* Any aligned access of 1 to 8 bytes; takes the lock. -EINVAL: misaligned. */
int gic_frame_read(struct gic *g, const struct gic_frame *f, unsigned cpu, u32 reg, unsigned size,
		   u64 *val);
int gic_frame_write(struct gic *g, const struct gic_frame *f, unsigned cpu, u32 reg, unsigned size,
		    u64 val);

int gic_dist_read(struct device *dev, u64 offset, unsigned size, u64 *val);
int gic_dist_write(struct device *dev, u64 offset, unsigned size, u64 val);
extern const struct device_ops gicv3_redist_ops; /* gicv3.c */
extern const struct device_ops gicv2_cpuif_ops;	 /* gicv2.c */

static inline struct gic *gic_of_dist(struct device *dev)
{
	return container_of(dev, struct gic, dist);
}

static inline struct gic *gic_of_cpu_dev(struct device *dev)
{
	return container_of(dev, struct gic, cpu_dev);
}

#endif

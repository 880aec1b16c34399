/* SPDX-License-Identifier: MIT */
/* GICv3: redistributors and the CPU interface's system registers (IHI 0069, 12.2 and 12.11). */
#include <errno.h>

#include "devices/gic_internal.h"

/* SYSREG_ID of dbt.h, said again: devices include no dbt header. */
#define ICC(op1, crn, crm, op2) (3u << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))

enum {
	ICC_PMR = ICC(0, 4, 6, 0),
	ICC_IAR0 = ICC(0, 12, 8, 0),
	ICC_EOIR0 = ICC(0, 12, 8, 1),
	ICC_HPPIR0 = ICC(0, 12, 8, 2),
	ICC_BPR0 = ICC(0, 12, 8, 3),
	ICC_AP0R0 = ICC(0, 12, 8, 4),
	ICC_AP1R0 = ICC(0, 12, 9, 0),
	ICC_DIR = ICC(0, 12, 11, 1),
	ICC_RPR = ICC(0, 12, 11, 3),
	ICC_SGI1R = ICC(0, 12, 11, 5),
	ICC_ASGI1R = ICC(0, 12, 11, 6),
	ICC_SGI0R = ICC(0, 12, 11, 7),
	ICC_IAR1 = ICC(0, 12, 12, 0),
	ICC_EOIR1 = ICC(0, 12, 12, 1),
	ICC_HPPIR1 = ICC(0, 12, 12, 2),
	ICC_BPR1 = ICC(0, 12, 12, 3),
	ICC_CTLR = ICC(0, 12, 12, 4),
	ICC_SRE = ICC(0, 12, 12, 5),
	ICC_IGRPEN0 = ICC(0, 12, 12, 6),
	ICC_IGRPEN1 = ICC(0, 12, 12, 7),
};

#define CTLR_CBPR     BIT(0)
#define CTLR_EOIMODE  BIT(1)
#define CTLR_PRI_BITS ((u64)(GIC_PRIO_BITS - 1) << 8)
#define CTLR_A3V      BIT(15)

/* ---- redistributor ---- */

enum {
	GICR_CTLR = 0x0000,
	GICR_IIDR = 0x0004,
	GICR_TYPER = 0x0008,
	GICR_WAKER = 0x0014,
	GICR_PIDR2 = 0xffe8,
	SGI_FRAME = 0x10000,
};

static u64 redist_typer(const struct gic *g, unsigned cpu)
{
	u64 affinity = (u64)(cpu / 16) << 8 | cpu % 16;
	u64 last = cpu == g->s.n_cpus - 1;

	return affinity << 32 | (u64)cpu << 8 | last << 4;
}

static bool redist_is_bytes(const struct gic *g, u32 reg)
{
	return reg - (SGI_FRAME + REG_IPRIORITYR) < 32;
}

static u8 redist_read8(struct gic *g, unsigned cpu, u32 reg)
{
	return gic_prio_read(g, cpu, reg & 31);
}

static void redist_write8(struct gic *g, unsigned cpu, u32 reg, u8 val)
{
	gic_prio_write(g, cpu, reg & 31, val);
}

static u32 redist_read32(struct gic *g, unsigned cpu, u32 reg)
{
	switch (reg) {
	case GICR_IIDR: return 0x43b;
	case GICR_TYPER: return (u32)redist_typer(g, cpu);
	case GICR_TYPER + 4: return (u32)(redist_typer(g, cpu) >> 32);
	case GICR_WAKER: return g->s.cpu[cpu].waker;
	case GICR_PIDR2: return 0x3b;
	case SGI_FRAME + REG_ICFGR: return gic_config_read(g, cpu, 0, 0);
	case SGI_FRAME + REG_ICFGR + 4: return gic_config_read(g, cpu, 0, 1);
	default: break;
	}
	return reg > SGI_FRAME ? gic_array_read(g, cpu, 0, reg - SGI_FRAME) : 0;
}

static void redist_write32(struct gic *g, unsigned cpu, u32 reg, u32 val)
{
	switch (reg) {
	case GICR_WAKER:
		/* ChildrenAsleep follows ProcessorSleep at once: there is nothing to drain. */
		g->s.cpu[cpu].waker = val & 2 ? 6 : 0;
		break;
	case SGI_FRAME + REG_ICFGR: break;
	case SGI_FRAME + REG_ICFGR + 4: gic_config_write(g, cpu, 0, 1, val); break;
	default:
		if (reg > SGI_FRAME)
			gic_array_write(g, cpu, 0, reg - SGI_FRAME, val);
		break;
	}
}

static const struct gic_frame redist_frame = {
	.is_bytes = redist_is_bytes,
	.read8 = redist_read8,
	.write8 = redist_write8,
	.read32 = redist_read32,
	.write32 = redist_write32,
};

static int redist_read(struct device *dev, u64 offset, unsigned size, u64 *val)
{
	struct gic *g = gic_of_cpu_dev(dev);
	u64 cpu = offset / GICV3_REDIST_SIZE;

	if (cpu >= g->s.n_cpus)
		return -EINVAL;
	return gic_frame_read(g, &redist_frame, (unsigned)cpu, offset % GICV3_REDIST_SIZE, size,
			      val);
}

static int redist_write(struct device *dev, u64 offset, unsigned size, u64 val)
{
	struct gic *g = gic_of_cpu_dev(dev);
	u64 cpu = offset / GICV3_REDIST_SIZE;

	if (cpu >= g->s.n_cpus)
		return -EINVAL;
	return gic_frame_write(g, &redist_frame, (unsigned)cpu, offset % GICV3_REDIST_SIZE, size,
			       val);
}

const struct device_ops gicv3_redist_ops = {
	.name = "gicv3-redist",
	.version = 1,
	.mmio_read = redist_read,
	.mmio_write = redist_write,
};

/* ---- CPU interface ---- */

static u64 hppir(struct gic *g, unsigned cpu, unsigned group)
{
	struct gic_candidate best = gic_best(g, cpu);

	return best.intid != GIC_SPURIOUS && best.group == group ? best.intid : GIC_SPURIOUS;
}

static u64 bpr_read(const struct gic_cpu_state *c, unsigned group)
{
	if (!group || !(c->ctlr & CTLR_CBPR))
		return c->bpr[group];
	return c->bpr[0] < 7 ? c->bpr[0] + 1u : 7;
}

static void bpr_write(struct gic_cpu_state *c, unsigned group, u64 val)
{
	unsigned min = 7 - GIC_PRIO_BITS + group;

	val &= 7;
	if (!group || !(c->ctlr & CTLR_CBPR)) /* ICC_BPR1 ignores writes while CBPR is set */
		c->bpr[group] = (u8)(val < min ? min : val);
}

/* Writes of ICC_SGInR: 12.2.19. `any_group`: SGIs configured as group 1 are reached too. */
static void sgi_write(struct gic *g, unsigned cpu, u64 val, bool any_group)
{
	unsigned sgi = (unsigned)BITS(val, 27, 24);

	for (unsigned i = 0; i < g->s.n_cpus; i++) {
		bool hit;

		if (val & BIT(40))
			hit = i != cpu;
		else
			hit = BITS(val, 23, 16) == i / 16 && val >> i % 16 & 1 &&
			      !BITS(val, 39, 32) && !BITS(val, 55, 44);
		if (hit && (any_group || !(g->s.cpu[i].priv.group >> sgi & 1)))
			gic_send_sgi(g, i, sgi, cpu);
	}
}

static void eoir_write(struct gic *g, unsigned cpu, unsigned group, u64 val)
{
	unsigned intid = (unsigned)(val & 0xffffff);

	if (intid >= 1020 || !gic_priority_drop(g, cpu, group))
		return;
	if (!(g->s.cpu[cpu].ctlr & CTLR_EOIMODE))
		gic_deactivate(g, cpu, intid);
}

int gic_sysreg_read(struct gic *g, unsigned cpu, u32 id, u64 *val)
{
	struct gic_cpu_state *c = &g->s.cpu[cpu];
	int err = 0;

	if (g->s.version != 3)
		return -ENOENT;
	pthread_mutex_lock(&g->lock);
	switch (id) {
	case ICC_PMR: *val = c->pmr; break;
	case ICC_IAR0: *val = gic_ack(g, cpu, 0); break;
	case ICC_IAR1: *val = gic_ack(g, cpu, 1); break;
	case ICC_HPPIR0: *val = hppir(g, cpu, 0); break;
	case ICC_HPPIR1: *val = hppir(g, cpu, 1); break;
	case ICC_BPR0: *val = bpr_read(c, 0); break;
	case ICC_BPR1: *val = bpr_read(c, 1); break;
	case ICC_RPR: *val = gic_running_prio(g, cpu); break;
	case ICC_CTLR: *val = c->ctlr | CTLR_PRI_BITS | CTLR_A3V; break;
	case ICC_SRE: *val = 7; break; /* SRE, DFB, DIB: nothing else exists */
	case ICC_IGRPEN0: *val = c->enabled[0]; break;
	case ICC_IGRPEN1: *val = c->enabled[1]; break;
	case ICC_AP0R0: *val = c->active_prio[0]; break;
	case ICC_AP1R0: *val = c->active_prio[1]; break;
	default:
		/* AP0R1-3 and AP1R1-3 exist from six and seven bits of priority on. */
		err = -ENOENT;
		break;
	}
	pthread_mutex_unlock(&g->lock);
	return err;
}

int gic_sysreg_write(struct gic *g, unsigned cpu, u32 id, u64 val)
{
	struct gic_cpu_state *c = &g->s.cpu[cpu];
	int err = 0;

	if (g->s.version != 3)
		return -ENOENT;
	pthread_mutex_lock(&g->lock);
	switch (id) {
	case ICC_PMR: c->pmr = val & GIC_PRIO_MASK; break;
	case ICC_EOIR0: eoir_write(g, cpu, 0, val); break;
	case ICC_EOIR1: eoir_write(g, cpu, 1, val); break;
	case ICC_DIR:
		if (c->ctlr & CTLR_EOIMODE)
			gic_deactivate(g, cpu, (unsigned)(val & 0xffffff));
		break;
	case ICC_BPR0: bpr_write(c, 0, val); break;
	case ICC_BPR1: bpr_write(c, 1, val); break;
	case ICC_CTLR: c->ctlr = val & (CTLR_CBPR | CTLR_EOIMODE); break;
	case ICC_SRE: break;
	case ICC_IGRPEN0: c->enabled[0] = val & 1; break;
	case ICC_IGRPEN1: c->enabled[1] = val & 1; break;
	case ICC_AP0R0: c->active_prio[0] = (u32)val; break;
	case ICC_AP1R0: c->active_prio[1] = (u32)val; break;
	case ICC_SGI1R: sgi_write(g, cpu, val, true); break;
	case ICC_SGI0R:
	case ICC_ASGI1R: sgi_write(g, cpu, val, false); break;
	default: err = -ENOENT; break;
	}
	if (!err)
		gic_update(g, cpu);
	pthread_mutex_unlock(&g->lock);
	return err;
}

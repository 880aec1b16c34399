/* SPDX-License-Identifier: MIT */
/* GICv2's memory-mapped CPU interface (IHI 0048, 4.4), without security extensions but with groups.
 */
#include <errno.h>

#include "devices/gic_internal.h"

enum {
	GICC_CTLR = 0x00,
	GICC_PMR = 0x04,
	GICC_BPR = 0x08,
	GICC_IAR = 0x0c,
	GICC_EOIR = 0x10,
	GICC_RPR = 0x14,
	GICC_HPPIR = 0x18,
	GICC_ABPR = 0x1c,
	GICC_AIAR = 0x20,
	GICC_AEOIR = 0x24,
	GICC_AHPPIR = 0x28,
	GICC_APR0 = 0xd0,
	GICC_NSAPR0 = 0xe0,
	GICC_IIDR = 0xfc,
	GICC_DIR = 0x1000,
};

#define CTLR_GRP0     BIT(0)
#define CTLR_GRP1     BIT(1)
#define CTLR_ACKCTL   BIT(2)
#define CTLR_EOIMODE  BIT(9)
#define CTLR_WRITABLE 0x3ff

#define GROUP1_PENDING 1022u /* what GICC_IAR says to "acknowledge it through GICC_AIAR" */

static u32 with_source(const struct gic_cpu_state *c, unsigned intid, const u8 *source)
{
	return intid < 16 ? intid | (u32)source[intid] << 10 : intid;
}

static u32 iar_read(struct gic *g, unsigned cpu, bool alias)
{
	struct gic_cpu_state *c = &g->s.cpu[cpu];
	struct gic_candidate best = gic_best(g, cpu);
	unsigned group = alias;

	if (!gic_can_signal(g, cpu, &best))
		return GIC_SPURIOUS;
	if (!alias && best.group == 1) {
		if (!(c->ctlr & CTLR_ACKCTL))
			return GROUP1_PENDING;
		group = 1;
	}
	return with_source(c, gic_ack(g, cpu, group), c->sgi_active_source);
}

static u32 hppir_read(struct gic *g, unsigned cpu, bool alias)
{
	struct gic_cpu_state *c = &g->s.cpu[cpu];
	struct gic_candidate best = gic_best(g, cpu);
	u8 source = 0;

	if (best.intid == GIC_SPURIOUS)
		return GIC_SPURIOUS;
	if (alias != best.group && !(best.group && c->ctlr & CTLR_ACKCTL))
		return alias ? GIC_SPURIOUS : GROUP1_PENDING;
	if (best.intid < 16 && c->sgi_source[best.intid])
		source = (u8)__builtin_ctz(c->sgi_source[best.intid]);
	return best.intid | (u32)source << 10;
}

static void eoir_write(struct gic *g, unsigned cpu, u32 val, bool alias)
{
	struct gic_cpu_state *c = &g->s.cpu[cpu];
	unsigned intid = val & 0x3ff;
	unsigned group = alias;

	if (intid >= GIC_N_IRQS)
		return;
	/* GICC_EOIR ends what GICC_IAR acknowledged, group 1 too where AckCtl allowed it. */
	if (!alias && gic_word(g, cpu, intid / 32)->group >> intid % 32 & 1)
		group = 1;
	if (!gic_priority_drop(g, cpu, group))
		return;
	if (!(c->ctlr & CTLR_EOIMODE))
		gic_deactivate(g, cpu, intid);
}

static u32 cpuif_read32(struct gic *g, unsigned cpu, u32 reg)
{
	struct gic_cpu_state *c = &g->s.cpu[cpu];

	switch (reg) {
	case GICC_CTLR: return c->ctlr;
	case GICC_PMR: return c->pmr;
	case GICC_BPR: return c->bpr[0];
	case GICC_ABPR: return c->bpr[1];
	case GICC_IAR: return iar_read(g, cpu, false);
	case GICC_AIAR: return iar_read(g, cpu, true);
	case GICC_RPR: return gic_running_prio(g, cpu);
	case GICC_HPPIR: return hppir_read(g, cpu, false);
	case GICC_AHPPIR: return hppir_read(g, cpu, true);
	case GICC_APR0: return c->active_prio[0];
	case GICC_NSAPR0: return c->active_prio[1];
	case GICC_IIDR: return 0x0002043b;
	default: return 0;
	}
}

static void bpr_write(struct gic_cpu_state *c, unsigned group, u32 val)
{
	unsigned min = 7 - GIC_PRIO_BITS + group;

	val &= 7;
	c->bpr[group] = (u8)(val < min ? min : val);
}

static void cpuif_write32(struct gic *g, unsigned cpu, u32 reg, u32 val)
{
	struct gic_cpu_state *c = &g->s.cpu[cpu];

	switch (reg) {
	case GICC_CTLR:
		c->ctlr = val & CTLR_WRITABLE;
		c->enabled[0] = val & CTLR_GRP0;
		c->enabled[1] = !!(val & CTLR_GRP1);
		break;
	case GICC_PMR: c->pmr = val & GIC_PRIO_MASK; break;
	case GICC_BPR: bpr_write(c, 0, val); break;
	case GICC_ABPR: bpr_write(c, 1, val); break;
	case GICC_EOIR: eoir_write(g, cpu, val, false); break;
	case GICC_AEOIR: eoir_write(g, cpu, val, true); break;
	case GICC_APR0: c->active_prio[0] = val; break;
	case GICC_NSAPR0: c->active_prio[1] = val; break;
	case GICC_DIR:
		if (c->ctlr & CTLR_EOIMODE)
			gic_deactivate(g, cpu, val & 0x3ff);
		break;
	default: return;
	}
	gic_update(g, cpu);
}

static bool no_bytes(const struct gic *g, u32 reg)
{
	return false;
}

static const struct gic_frame cpuif_frame = {
	.is_bytes = no_bytes,
	.read32 = cpuif_read32,
	.write32 = cpuif_write32,
};

static int cpuif_read(struct device *dev, u64 offset, unsigned size, u64 *val)
{
	return gic_frame_read(gic_of_cpu_dev(dev), &cpuif_frame, gic_thread_cpu, (u32)offset, size,
			      val);
}

static int cpuif_write(struct device *dev, u64 offset, unsigned size, u64 val)
{
	return gic_frame_write(gic_of_cpu_dev(dev), &cpuif_frame, gic_thread_cpu, (u32)offset, size,
			       val);
}

const struct device_ops gicv2_cpuif_ops = {
	.name = "gicv2-cpu",
	.version = 1,
	.mmio_read = cpuif_read,
	.mmio_write = cpuif_write,
};

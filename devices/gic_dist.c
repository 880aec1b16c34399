/* SPDX-License-Identifier: MIT */
/*
 * The distributor's registers, of both versions, and the register arrays it shares with the
 * redistributors. Reserved registers read as zero and ignore writes, as the architecture asks.
 */
#include <errno.h>

#include "devices/gic_internal.h"

enum {
	GICD_CTLR = 0x000,
	GICD_TYPER = 0x004,
	GICD_IIDR = 0x008,
	GICD_SGIR = 0xf00,
	GICD_CPENDSGIR = 0xf10,
	GICD_SPENDSGIR = 0xf20,
	GICD_V2_PIDR2 = 0xfe8,
	GICD_IROUTER = 0x6000,
	GICD_PIDR2 = 0xffe8,
};

#define GICD_CTLR_ARE BIT(4)
#define GICD_CTLR_DS  BIT(6)

/* ---- arrays ---- */

static u32 writable_bits(const struct gic *g, unsigned w, u32 reg)
{
	/* GICv2's SGIs cannot be disabled, nor pended but through GICD_SGIR and its arrays. */
	if (g->s.version == 2 && !w && reg >= REG_ISENABLER && reg < REG_ISACTIVER)
		return 0xffff0000;
	return ~0u;
}

u32 gic_array_read(struct gic *g, unsigned cpu, unsigned w, u32 reg)
{
	struct gic_word *word = gic_word(g, cpu, w);

	switch (reg) {
	case REG_IGROUPR: return word->group;
	case REG_ISENABLER:
	case REG_ICENABLER: return word->enabled;
	case REG_ISPENDR:
	case REG_ICPENDR: return gic_word_pending(word);
	case REG_ISACTIVER:
	case REG_ICACTIVER: return word->active;
	default: return 0;
	}
}

void gic_array_write(struct gic *g, unsigned cpu, unsigned w, u32 reg, u32 val)
{
	struct gic_word *word = gic_word(g, cpu, w);

	val &= writable_bits(g, w, reg);
	switch (reg) {
	case REG_IGROUPR: word->group = val; break;
	case REG_ISENABLER: word->enabled |= val; break;
	case REG_ICENABLER: word->enabled &= ~val; break;
	case REG_ISPENDR: word->latch |= val; break;
	case REG_ICPENDR: word->latch &= ~val; break;
	case REG_ISACTIVER: word->active |= val; break;
	case REG_ICACTIVER: word->active &= ~val; break;
	default: return;
	}
	gic_update_word(g, cpu, w);
}

u8 gic_prio_read(struct gic *g, unsigned cpu, unsigned intid)
{
	return intid < GIC_N_IRQS ? gic_word(g, cpu, intid / 32)->prio[intid % 32] : 0;
}

void gic_prio_write(struct gic *g, unsigned cpu, unsigned intid, u8 prio)
{
	if (intid >= GIC_N_IRQS)
		return;
	gic_word(g, cpu, intid / 32)->prio[intid % 32] = prio & GIC_PRIO_MASK;
	gic_update_word(g, cpu, intid / 32);
}

u32 gic_config_read(struct gic *g, unsigned cpu, unsigned w, unsigned half)
{
	u32 edge = gic_word(g, cpu, w)->edge >> 16 * half & 0xffff, val = 0;

	for (; edge; edge &= edge - 1)
		val |= 2u << 2 * __builtin_ctz(edge);
	return val;
}

void gic_config_write(struct gic *g, unsigned cpu, unsigned w, unsigned half, u32 val)
{
	struct gic_word *word = gic_word(g, cpu, w);
	u32 edge = 0;

	if (!w && !half)
		return; /* SGIs are edge-triggered for ever */
	for (unsigned i = 0; i < 16; i++)
		edge |= (val >> (2 * i + 1) & 1) << (16 * half + i);
	word->edge = (word->edge & ~(0xffffu << 16 * half)) | edge;
	gic_update_word(g, cpu, w);
}

/* ---- access by frame ---- */

int gic_frame_read(struct gic *g, const struct gic_frame *f, unsigned cpu, u32 reg, unsigned size,
		   u64 *val)
{
	if (reg & (size - 1))
		return -EINVAL;
	*val = 0;
	pthread_mutex_lock(&g->lock);
	if (f->is_bytes(g, reg)) {
		for (unsigned i = 0; i < size; i++)
			*val |= (u64)f->read8(g, cpu, reg + i) << 8 * i;
	} else if (size == 8) {
		*val = f->read32(g, cpu, reg) | (u64)f->read32(g, cpu, reg + 4) << 32;
	} else {
		*val = f->read32(g, cpu, reg & ~3u) >> 8 * (reg & 3);
		*val &= ~0ull >> (64 - 8 * size);
	}
	pthread_mutex_unlock(&g->lock);
	return 0;
}

int gic_frame_write(struct gic *g, const struct gic_frame *f, unsigned cpu, u32 reg, unsigned size,
		    u64 val)
{
	if (reg & (size - 1))
		return -EINVAL;
	pthread_mutex_lock(&g->lock);
	if (f->is_bytes(g, reg)) {
		for (unsigned i = 0; i < size; i++)
			f->write8(g, cpu, reg + i, (u8)(val >> 8 * i));
	} else if (size >= 4) {
		f->write32(g, cpu, reg, (u32)val);
		if (size == 8)
			f->write32(g, cpu, reg + 4, (u32)(val >> 32));
	} /* a narrower write to a word register is ignored */
	pthread_mutex_unlock(&g->lock);
	return 0;
}

/* ---- byte registers ---- */

static bool in(u32 reg, u32 base, u32 len)
{
	return reg - base < len;
}

static bool dist_is_bytes(const struct gic *g, u32 reg)
{
	if (in(reg, REG_IPRIORITYR, 0x400))
		return true;
	return g->s.version == 2 &&
	       (in(reg, REG_ITARGETSR, 0x400) || in(reg, GICD_CPENDSGIR, 0x20));
}

static u8 dist_read8(struct gic *g, unsigned cpu, u32 reg)
{
	u32 n = reg & 0x3ff;

	if (in(reg, REG_IPRIORITYR, 0x400)) /* private ones are the redistributor's in version 3 */
		return g->s.version == 3 && n < 32 ? 0 : gic_prio_read(g, cpu, n);
	if (!in(reg, REG_ITARGETSR, 0x400))
		return g->s.cpu[cpu].sgi_source[reg & 0xf];
	if (g->s.n_cpus == 1 || n >= GIC_N_IRQS)
		return 0;
	return n < 32 ? (u8)BIT(cpu) : g->s.targets[n - 32];
}

static void sgi_source_write(struct gic *g, unsigned cpu, u32 reg, u8 val)
{
	struct gic_cpu_state *c = &g->s.cpu[cpu];
	unsigned sgi = reg & 0xf;

	if (reg >= GICD_SPENDSGIR)
		c->sgi_source[sgi] |= val & (u8)(BIT(g->s.n_cpus) - 1);
	else
		c->sgi_source[sgi] &= (u8)~val;
	c->priv.latch = (c->priv.latch & ~(1u << sgi)) | (u32) !!c->sgi_source[sgi] << sgi;
	gic_update(g, cpu);
}

static void dist_write8(struct gic *g, unsigned cpu, u32 reg, u8 val)
{
	u32 n = reg & 0x3ff;

	if (in(reg, REG_IPRIORITYR, 0x400)) {
		if (g->s.version == 2 || n >= 32)
			gic_prio_write(g, cpu, n, val);
	} else if (!in(reg, REG_ITARGETSR, 0x400)) {
		sgi_source_write(g, cpu, reg, val);
	} else if (g->s.n_cpus > 1 && n >= 32 && n < GIC_N_IRQS) {
		g->s.targets[n - 32] = val & (u8)(BIT(g->s.n_cpus) - 1);
		gic_route_update(g, n - 32);
	}
}

/* ---- word registers ---- */

static u32 dist_typer(const struct gic *g)
{
	u32 lines = GIC_WORDS - 1;

	if (g->s.version == 2)
		return lines | (g->s.n_cpus - 1) << 5;
	/* No1N, A3V, 16 INTID bits; CPUNumber is for legacy operation only. */
	return lines | 1u << 25 | 1u << 24 | 15u << 19;
}

static u32 dist_read32(struct gic *g, unsigned cpu, u32 reg)
{
	bool v3 = g->s.version == 3;
	u32 base = reg & ~0x7fu, w = reg / 4 & 0x1f;

	if (in(reg, REG_IGROUPR, 0x380))
		return w >= GIC_WORDS || (v3 && !w) ? 0 : gic_array_read(g, cpu, w, base);
	if (in(reg, REG_ICFGR, 0x100)) {
		w = (reg - REG_ICFGR) / 8;
		return w >= GIC_WORDS || (v3 && !w) ? 0 : gic_config_read(g, cpu, w, reg / 4 & 1);
	}
	if (v3 && in(reg, GICD_IROUTER + 8 * 32, 8 * GIC_N_SPIS))
		return (u32)(g->s.route[(reg - GICD_IROUTER) / 8 - 32] >> 8 * (reg & 4));
	switch (reg) {
	case GICD_CTLR: return g->s.ctlr | (v3 ? GICD_CTLR_ARE | GICD_CTLR_DS : 0);
	case GICD_TYPER: return dist_typer(g);
	case GICD_IIDR: return 0x43b;
	case GICD_V2_PIDR2: return v3 ? 0 : 0x2b;
	case GICD_PIDR2: return v3 ? 0x3b : 0;
	default: return 0;
	}
}

/* GICD_SGIR: IHI 0048, 4.3.15. */
static void sgir_write(struct gic *g, unsigned cpu, u32 val)
{
	u32 targets = (u32)BITS(val, 23, 16), sgi = val & 0xf;

	switch (BITS(val, 25, 24)) {
	case 0: break;
	case 1: targets = ~(u32)BIT(cpu); break;
	case 2: targets = (u32)BIT(cpu); break;
	default: return;
	}
	for (unsigned i = 0; i < g->s.n_cpus; i++)
		if (targets >> i & 1)
			gic_send_sgi(g, i, sgi, cpu);
}

static void route_write(struct gic *g, u32 reg, u32 val)
{
	unsigned spi = (reg - GICD_IROUTER) / 8 - 32;
	u64 *route = &g->s.route[spi];

	if (reg & 4)
		*route = (u32)*route | (u64)(val & 0xff) << 32;
	else
		*route = (*route & ~0xffffffffull) | (val & 0xffffff); /* no 1-of-N: IRM is RES0 */
	gic_route_update(g, spi);
}

static void dist_write32(struct gic *g, unsigned cpu, u32 reg, u32 val)
{
	bool v3 = g->s.version == 3;
	u32 base = reg & ~0x7fu, w = reg / 4 & 0x1f;

	if (in(reg, REG_IGROUPR, 0x380)) {
		if (w < GIC_WORDS && (!v3 || w))
			gic_array_write(g, cpu, w, base, val);
	} else if (in(reg, REG_ICFGR, 0x100)) {
		w = (reg - REG_ICFGR) / 8;
		if (w < GIC_WORDS && (!v3 || w))
			gic_config_write(g, cpu, w, reg / 4 & 1, val);
	} else if (v3 && in(reg, GICD_IROUTER + 8 * 32, 8 * GIC_N_SPIS)) {
		route_write(g, reg, val);
	} else if (reg == GICD_CTLR) {
		g->s.ctlr = val & (GICD_CTLR_GRP0 | GICD_CTLR_GRP1);
		gic_update_all(g);
	} else if (!v3 && reg == GICD_SGIR) {
		sgir_write(g, cpu, val);
	}
}

static const struct gic_frame dist_frame = {
	.is_bytes = dist_is_bytes,
	.read8 = dist_read8,
	.write8 = dist_write8,
	.read32 = dist_read32,
	.write32 = dist_write32,
};

int gic_dist_read(struct device *dev, u64 offset, unsigned size, u64 *val)
{
	return gic_frame_read(gic_of_dist(dev), &dist_frame, gic_thread_cpu, (u32)offset, size,
			      val);
}

int gic_dist_write(struct device *dev, u64 offset, unsigned size, u64 val)
{
	return gic_frame_write(gic_of_dist(dev), &dist_frame, gic_thread_cpu, (u32)offset, size,
			       val);
}

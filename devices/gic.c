/* SPDX-License-Identifier: MIT */
/*
 * GIC core: pending state, priorities, routing, acknowledge and end of interrupt, shared by
 * both architecture versions. Section numbers are of IHI 0069 (GICv3) unless they say otherwise.
 */
#include "devices/gic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "devices/gic_internal.h"

__thread unsigned gic_thread_cpu;

void gic_bind_thread(unsigned cpu)
{
	gic_thread_cpu = cpu;
}

/* ---- selection ---- */

static u32 group_mask(const struct gic *g, unsigned cpu, const struct gic_word *w)
{
	const struct gic_cpu_state *c = &g->s.cpu[cpu];
	u32 mask = 0;

	if (g->s.ctlr & GICD_CTLR_GRP0 && c->enabled[0])
		mask |= ~w->group;
	if (g->s.ctlr & GICD_CTLR_GRP1 && c->enabled[1])
		mask |= w->group;
	return mask;
}

struct gic_candidate gic_best(struct gic *g, unsigned cpu)
{
	struct gic_candidate best = {.intid = GIC_SPURIOUS, .prio = GIC_IDLE_PRIO};

	for (unsigned i = 0; i < GIC_WORDS; i++) {
		const struct gic_word *w = gic_word(g, cpu, i);
		u32 set = gic_word_pending(w) & w->enabled & ~w->active;

		if (i)
			set &= g->s.cpu[cpu].target[i - 1];
		if (!set)
			continue;
		for (set &= group_mask(g, cpu, w); set; set &= set - 1) {
			unsigned n = (unsigned)__builtin_ctz(set);

			if (w->prio[n] >= best.prio)
				continue;
			best.intid = 32 * i + n;
			best.prio = w->prio[n];
			best.group = w->group >> n & 1;
		}
	}
	return best;
}

unsigned gic_running_prio(const struct gic *g, unsigned cpu)
{
	const struct gic_cpu_state *c = &g->s.cpu[cpu];
	u32 active = c->active_prio[0] | c->active_prio[1];

	return active ? 8u * (unsigned)__builtin_ctz(active) : GIC_IDLE_PRIO;
}

/* The bits of a priority that take part in preemption (4.8.6; group 1's binary point counts one
 * less). */
static unsigned group_prio_mask(const struct gic_cpu_state *c, unsigned group, bool cbpr)
{
	unsigned bpr = group && !cbpr ? c->bpr[1] - 1u : c->bpr[0];

	return 0xffu << (bpr + 1) & 0xff;
}

static bool common_bpr(const struct gic *g, unsigned cpu)
{
	return g->s.cpu[cpu].ctlr & (g->s.version == 3 ? BIT(0) : BIT(4));
}

bool gic_can_signal(struct gic *g, unsigned cpu, const struct gic_candidate *best)
{
	const struct gic_cpu_state *c = &g->s.cpu[cpu];
	unsigned mask;

	if (best->intid == GIC_SPURIOUS || best->prio >= c->pmr)
		return false;
	mask = group_prio_mask(c, best->group, common_bpr(g, cpu));
	return (best->prio & mask) < gic_running_prio(g, cpu);
}

static void set_line(struct gic *g, unsigned cpu, u8 *now, enum gic_line line, bool level)
{
	if (*now == level)
		return;
	*now = level;
	g->params.cpu_line(g->params.opaque, cpu, line, level);
}

void gic_update(struct gic *g, unsigned cpu)
{
	struct gic_candidate best = gic_best(g, cpu);
	bool signal = gic_can_signal(g, cpu, &best);
	/* GICv2 sends group 0 to IRQ unless GICC_CTLR.FIQEn. */
	bool fiq = signal && !best.group && (g->s.version == 3 || g->s.cpu[cpu].ctlr & BIT(3));

	set_line(g, cpu, &g->out[cpu].fiq, GIC_LINE_FIQ, fiq);
	set_line(g, cpu, &g->out[cpu].irq, GIC_LINE_IRQ, signal && !fiq);
}

void gic_update_all(struct gic *g)
{
	for (unsigned i = 0; i < g->s.n_cpus; i++)
		gic_update(g, i);
}

void gic_update_word(struct gic *g, unsigned cpu, unsigned w)
{
	if (w)
		gic_update_all(g);
	else
		gic_update(g, cpu);
}

/* ---- inputs ---- */

static void word_set_level(struct gic_word *w, unsigned bit, bool level)
{
	u32 mask = 1u << bit;

	if (level && !(w->level & mask) && w->edge & mask)
		w->latch |= mask;
	w->level = level ? w->level | mask : w->level & ~mask;
}

static void spi_set(void *opaque, unsigned n, bool level)
{
	struct gic *g = opaque;
	struct gic_word *w;

	if (n >= GIC_N_SPIS)
		return;
	w = &g->s.spi[n / 32];
	pthread_mutex_lock(&g->lock);
	if ((w->level >> n % 32 & 1) != level) {
		word_set_level(w, n % 32, level);
		for (unsigned i = 0; i < g->s.n_cpus; i++)
			if (g->s.cpu[i].target[n / 32] >> n % 32 & 1)
				gic_update(g, i);
		if (log_on(LOG_IRQ))
			log_print("irq: SPI %u (INTID %u) %s\n", n, n + GIC_SPI_BASE,
				  level ? "high" : "low");
	}
	pthread_mutex_unlock(&g->lock);
}

struct irq_line gic_spi(struct gic *gic, unsigned n)
{
	return (struct irq_line){.set = spi_set, .opaque = gic, .n = n};
}

void gic_set_ppi(struct gic *g, unsigned cpu, unsigned intid, bool level)
{
	struct gic_word *w = &g->s.cpu[cpu].priv;

	pthread_mutex_lock(&g->lock);
	if ((w->level >> intid & 1) != level) {
		word_set_level(w, intid, level);
		gic_update(g, cpu);
		if (log_on(LOG_IRQ))
			log_print("irq: CPU %u PPI INTID %u %s\n", cpu, intid,
				  level ? "high" : "low");
	}
	pthread_mutex_unlock(&g->lock);
}

void gic_send_sgi(struct gic *g, unsigned target, unsigned sgi, unsigned source)
{
	struct gic_cpu_state *c = &g->s.cpu[target];

	if (g->s.version == 2)
		c->sgi_source[sgi] |= (u8)BIT(source);
	c->priv.latch |= 1u << sgi;
	gic_update(g, target);
}

/* ---- acknowledge, priority drop, deactivate (4.1) ---- */

unsigned gic_ack(struct gic *g, unsigned cpu, unsigned group)
{
	struct gic_cpu_state *c = &g->s.cpu[cpu];
	struct gic_candidate best = gic_best(g, cpu);
	unsigned mask, sgi = best.intid;
	struct gic_word *w;
	u32 bit;

	if (best.group != group || !gic_can_signal(g, cpu, &best))
		return GIC_SPURIOUS;
	mask = group_prio_mask(c, group, common_bpr(g, cpu));
	c->active_prio[group] |= 1u << ((best.prio & mask) >> (8 - GIC_PRIO_BITS));
	w = gic_word(g, cpu, best.intid / 32);
	bit = 1u << best.intid % 32;
	w->active |= bit;
	w->latch &= ~bit;
	if (g->s.version == 2 && sgi < 16) {
		unsigned source =
			c->sgi_source[sgi] ? (unsigned)__builtin_ctz(c->sgi_source[sgi]) : 0;

		c->sgi_source[sgi] &= (u8)~BIT(source);
		c->sgi_active_source[sgi] = (u8)source;
		if (c->sgi_source[sgi])
			w->latch |= bit; /* another CPU's request waits */
	}
	gic_update_word(g, cpu, best.intid / 32);
	if (log_on(LOG_IRQ))
		log_print("irq: CPU %u acknowledges INTID %u\n", cpu, best.intid);
	return best.intid;
}

bool gic_priority_drop(struct gic *g, unsigned cpu, unsigned group)
{
	struct gic_cpu_state *c = &g->s.cpu[cpu];
	u32 other = c->active_prio[!group], mine = c->active_prio[group];

	/* An EOI for the group that is not running changes nothing. */
	if (!mine || (other && __builtin_ctz(other) < __builtin_ctz(mine)))
		return false;
	c->active_prio[group] = mine & (mine - 1);
	gic_update(g, cpu);
	return true;
}

void gic_deactivate(struct gic *g, unsigned cpu, unsigned intid)
{
	if (intid >= GIC_N_IRQS)
		return;
	gic_word(g, cpu, intid / 32)->active &= ~(1u << intid % 32);
	gic_update_word(g, cpu, intid / 32);
}

/* ---- routing ---- */

/* Affinity as dbt_vcpu_create() numbers CPUs: Aff0 = index % 16, Aff1 = index / 16. */
static unsigned cpu_of_route(const struct gic *g, u64 route)
{
	unsigned aff0 = (unsigned)BITS(route, 7, 0), aff1 = (unsigned)BITS(route, 15, 8);
	unsigned cpu = 16 * aff1 + aff0;

	if (aff0 > 15 || BITS(route, 23, 16) || BITS(route, 39, 32) || cpu >= g->s.n_cpus)
		return GIC_MAX_CPUS;
	return cpu;
}

/* Target bitmaps from routes or target bytes. */
static void route_apply(struct gic *g, unsigned spi)
{
	unsigned cpu = cpu_of_route(g, g->s.route[spi]);
	u32 bit = 1u << spi % 32;

	for (unsigned i = 0; i < g->s.n_cpus; i++) {
		bool hit = g->s.version == 3 ? i == cpu : g->s.targets[spi] >> i & 1;
		u32 *target = &g->s.cpu[i].target[spi / 32];

		*target = hit ? *target | bit : *target & ~bit;
	}
}

void gic_route_update(struct gic *g, unsigned spi)
{
	route_apply(g, spi);
	gic_update_all(g);
}

/* ---- life ---- */

static void word_reset(struct gic_word *w)
{
	u32 level = w->level; /* the wires keep their state: devices reset themselves */

	*w = (struct gic_word){.level = level};
}

static void gic_reset(struct device *dev)
{
	struct gic *g = gic_of_dist(dev);

	pthread_mutex_lock(&g->lock);
	g->s.ctlr = 0;
	for (unsigned i = 0; i < GIC_SPI_WORDS; i++)
		word_reset(&g->s.spi[i]);
	memset(g->s.route, 0, sizeof(g->s.route));
	memset(g->s.targets, 0, sizeof(g->s.targets));
	for (unsigned i = 0; i < g->s.n_cpus; i++) {
		struct gic_cpu_state *c = &g->s.cpu[i];

		word_reset(&c->priv);
		*c = (struct gic_cpu_state){.priv = c->priv};
		c->priv.edge = 0xffff; /* SGIs */
		if (g->s.version == 2)
			c->priv.enabled = 0xffff; /* and always enabled */
		c->bpr[0] = 7 - GIC_PRIO_BITS;
		c->bpr[1] = 8 - GIC_PRIO_BITS;
		c->waker = 6; /* ProcessorSleep, ChildrenAsleep */
	}
	/* With one CPU GICv2's target registers are RAZ/WI and everything goes to it. */
	if (g->s.version == 2 && g->s.n_cpus == 1)
		memset(g->s.targets, 1, sizeof(g->s.targets));
	for (unsigned i = 0; i < GIC_N_SPIS; i++)
		route_apply(g, i);
	gic_update_all(g);
	pthread_mutex_unlock(&g->lock);
}

static size_t state_size(const struct gic *g)
{
	return offsetof(struct gic_state, cpu) + g->s.n_cpus * sizeof(struct gic_cpu_state);
}

static ssize_t gic_save(struct device *dev, void *buf, size_t cap)
{
	struct gic *g = gic_of_dist(dev);
	size_t len = state_size(g);

	if (cap < len)
		return -ENOSPC;
	pthread_mutex_lock(&g->lock);
	memcpy(buf, &g->s, len);
	pthread_mutex_unlock(&g->lock);
	return (ssize_t)len;
}

/* Brings a foreign record into the range the code above relies on. */
static void cpu_state_sanitise(struct gic_cpu_state *c)
{
	c->pmr &= GIC_PRIO_MASK;
	for (unsigned i = 0; i < 2; i++) {
		unsigned min = 7 - GIC_PRIO_BITS + i;

		c->bpr[i] = c->bpr[i] < min ? (u8)min : c->bpr[i] > 7 ? 7 : c->bpr[i];
		c->enabled[i] = !!c->enabled[i];
	}
	for (unsigned i = 0; i < 32; i++)
		c->priv.prio[i] &= GIC_PRIO_MASK;
	for (unsigned i = 0; i < 16; i++)
		c->sgi_active_source[i] &= 7;
	c->priv.edge |= 0xffff;
}

static int gic_load(struct device *dev, u32 version, const void *buf, size_t len)
{
	struct gic *g = gic_of_dist(dev);
	struct gic_state *s;

	if (version != 1 || len != state_size(g))
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	memcpy(s, buf, len);
	if (s->version != g->s.version || s->n_cpus != g->s.n_cpus) {
		free(s);
		return -EINVAL;
	}
	s->ctlr &= GICD_CTLR_GRP0 | GICD_CTLR_GRP1;
	for (unsigned i = 0; i < GIC_N_SPIS; i++)
		s->spi[i / 32].prio[i % 32] &= GIC_PRIO_MASK;
	for (unsigned i = 0; i < s->n_cpus; i++)
		cpu_state_sanitise(&s->cpu[i]);
	pthread_mutex_lock(&g->lock);
	g->s = *s;
	for (unsigned i = 0; i < GIC_N_SPIS; i++)
		route_apply(g, i); /* targets follow from routes, whatever the record says */
	gic_update_all(g);
	pthread_mutex_unlock(&g->lock);
	free(s);
	return 0;
}

static void gic_destroy(struct device *dev)
{
	struct gic *g = gic_of_dist(dev);

	pthread_mutex_destroy(&g->lock);
	free(g);
}

static const struct device_ops gic_ops = {
	.name = "gic",
	.version = 1,
	.mmio_read = gic_dist_read,
	.mmio_write = gic_dist_write,
	.reset = gic_reset,
	.save = gic_save,
	.load = gic_load,
	.destroy = gic_destroy,
};

int gic_create(const struct gic_params *params, struct gic **out)
{
	struct gic *g;

	if ((params->version != 2 && params->version != 3) || !params->n_cpus ||
	    params->n_cpus > (params->version == 2 ? 8 : GIC_MAX_CPUS))
		return -EINVAL;
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->params = *params;
	g->s.version = params->version;
	g->s.n_cpus = params->n_cpus;
	pthread_mutex_init(&g->lock, NULL);
	g->dist.ops = &gic_ops;
	strcpy(g->dist.id, "gic");
	g->cpu_dev.ops = params->version == 3 ? &gicv3_redist_ops : &gicv2_cpuif_ops;
	strcpy(g->cpu_dev.id, "gic-cpu");
	gic_reset(&g->dist);
	*out = g;
	return 0;
}

struct device *gic_dist_device(struct gic *gic)
{
	return &gic->dist;
}

struct device *gic_cpu_device(struct gic *gic)
{
	return &gic->cpu_dev;
}

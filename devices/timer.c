/* SPDX-License-Identifier: MIT */
#include "devices/timer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TIMER_MAX_CPUS 64
#define TIMER_FAR      3600000000000ull /* an hour: as far as the host is ever asked to wait */

#define CTL_ENABLE  BIT(0)
#define CTL_IMASK   BIT(1)
#define CTL_ISTATUS BIT(2)

enum { VIRT, PHYS, N_TIMERS };
static const unsigned gtimer_intid[N_TIMERS] = {GTIMER_PPI_VIRT, GTIMER_PPI_PHYS};

struct gtimer_regs {
	u64 cval;
	u64 ctl; /* ENABLE and IMASK */
};

struct gtimer_cpu {
	pthread_mutex_t lock;
	struct gtimer_regs regs[N_TIMERS];
	u64 armed; /* count for which arm() was asked last and has not come; GTIMER_NEVER if none */
	bool sleeping;
};

struct gtimer {
	struct device dev;
	struct gtimer_params params;
	struct gtimer_cpu cpu[TIMER_MAX_CPUS];
};

static bool met(const struct gtimer_regs *r, u64 now)
{
	return r->ctl & CTL_ENABLE && now >= r->cval;
}

/* Drives both outputs; returns the next count at which one will rise. */
static u64 evaluate(struct gtimer *t, unsigned cpu, u64 now)
{
	struct gtimer_cpu *c = &t->cpu[cpu];
	u64 next = GTIMER_NEVER;

	for (unsigned i = 0; i < N_TIMERS; i++) {
		const struct gtimer_regs *r = &c->regs[i];
		bool open = (r->ctl & (CTL_ENABLE | CTL_IMASK)) == CTL_ENABLE;

		t->params.ppi(t->params.opaque, cpu, gtimer_intid[i], open && met(r, now));
		if (open && !met(r, now) && r->cval < next)
			next = r->cval;
	}
	return next;
}

/*
 * Asks the main loop only for a deadline earlier than the one it has: a later one is found when the
 * earlier comes, which spares a system call at nearly every reprogramming by the guest's tick.
 */
static void evaluate_and_arm(struct gtimer *t, unsigned cpu)
{
	struct gtimer_cpu *c = &t->cpu[cpu];
	u64 now = t->params.clock(t->params.opaque);
	u64 next = evaluate(t, cpu, now), wait;

	if (c->sleeping || next >= c->armed)
		return;
	wait = next - now;
	if (wait > TIMER_FAR) {
		wait = TIMER_FAR;
		next = now + TIMER_FAR;
		if (next >= c->armed)
			return;
	}
	c->armed = next;
	t->params.arm(t->params.opaque, cpu, wait);
}

void gtimer_expire(struct gtimer *t, unsigned cpu)
{
	struct gtimer_cpu *c = &t->cpu[cpu];

	pthread_mutex_lock(&c->lock);
	c->armed = GTIMER_NEVER;
	evaluate_and_arm(t, cpu);
	pthread_mutex_unlock(&c->lock);
}

u64 gtimer_sleep_begin(struct gtimer *t, unsigned cpu)
{
	struct gtimer_cpu *c = &t->cpu[cpu];
	u64 next;

	pthread_mutex_lock(&c->lock);
	c->sleeping = true;
	next = evaluate(t, cpu, t->params.clock(t->params.opaque));
	pthread_mutex_unlock(&c->lock);
	return next;
}

void gtimer_sleep_end(struct gtimer *t, unsigned cpu)
{
	struct gtimer_cpu *c = &t->cpu[cpu];

	pthread_mutex_lock(&c->lock);
	c->sleeping = false;
	evaluate_and_arm(t, cpu);
	pthread_mutex_unlock(&c->lock);
}

/* CNT{V,P}_{TVAL,CTL,CVAL}_EL0 are op0 3, op1 3, CRn 14, CRm 3 or 2, op2 0 to 2. */
static bool decode(u32 id, unsigned *which, unsigned *reg)
{
	u32 base = 3u << 14 | 3u << 11 | 14u << 7;

	*reg = id & 7;
	*which = id - *reg == (base | 3u << 3) ? VIRT : PHYS;
	return *reg <= 2 && (id - *reg == (base | 3u << 3) || id - *reg == (base | 2u << 3));
}

int gtimer_sysreg_read(struct gtimer *t, unsigned cpu, u32 id, u64 *val)
{
	struct gtimer_cpu *c = &t->cpu[cpu];
	unsigned which, reg;
	struct gtimer_regs *r;
	u64 now;

	if (!decode(id, &which, &reg))
		return -ENOENT;
	r = &c->regs[which];
	now = t->params.clock(t->params.opaque);
	pthread_mutex_lock(&c->lock);
	if (reg == 0)
		*val = (u32)(r->cval - now);
	else if (reg == 1)
		*val = r->ctl | (met(r, now) ? CTL_ISTATUS : 0);
	else
		*val = r->cval;
	pthread_mutex_unlock(&c->lock);
	return 0;
}

int gtimer_sysreg_write(struct gtimer *t, unsigned cpu, u32 id, u64 val)
{
	struct gtimer_cpu *c = &t->cpu[cpu];
	unsigned which, reg;
	struct gtimer_regs *r;

	if (!decode(id, &which, &reg))
		return -ENOENT;
	r = &c->regs[which];
	pthread_mutex_lock(&c->lock);
	if (reg == 0)
		r->cval = t->params.clock(t->params.opaque) + (u64)sext64(val, 32);
	else if (reg == 1)
		r->ctl = val & (CTL_ENABLE | CTL_IMASK);
	else
		r->cval = val;
	evaluate_and_arm(t, cpu);
	pthread_mutex_unlock(&c->lock);
	return 0;
}

static struct gtimer *gtimer_of(struct device *dev)
{
	return container_of(dev, struct gtimer, dev);
}

static void gtimer_reset(struct device *dev)
{
	struct gtimer *t = gtimer_of(dev);

	for (unsigned i = 0; i < t->params.n_cpus; i++) {
		struct gtimer_cpu *c = &t->cpu[i];

		pthread_mutex_lock(&c->lock);
		memset(c->regs, 0, sizeof(c->regs));
		evaluate_and_arm(t, i);
		pthread_mutex_unlock(&c->lock);
	}
}

/* The record: per CPU and timer CVAL and CTL, after the count at the time of saving. */
static ssize_t gtimer_save(struct device *dev, void *buf, size_t cap)
{
	struct gtimer *t = gtimer_of(dev);
	size_t each = sizeof(t->cpu[0].regs), len = 8 + t->params.n_cpus * each;
	u64 now = t->params.clock(t->params.opaque);
	u8 *p = buf;

	if (cap < len)
		return -ENOSPC;
	memcpy(p, &now, 8);
	for (unsigned i = 0; i < t->params.n_cpus; i++) {
		pthread_mutex_lock(&t->cpu[i].lock);
		memcpy(p + 8 + i * each, t->cpu[i].regs, each);
		pthread_mutex_unlock(&t->cpu[i].lock);
	}
	return (ssize_t)len;
}

static int gtimer_load(struct device *dev, u32 version, const void *buf, size_t len)
{
	struct gtimer *t = gtimer_of(dev);
	size_t each = sizeof(t->cpu[0].regs);
	const u8 *p = buf;

	if (version != 1 || len != 8 + t->params.n_cpus * each)
		return -EINVAL;
	/* Compare values are absolute: whoever restores sets the clock to the saved count. */
	for (unsigned i = 0; i < t->params.n_cpus; i++) {
		struct gtimer_cpu *c = &t->cpu[i];

		pthread_mutex_lock(&c->lock);
		memcpy(c->regs, p + 8 + i * each, each);
		for (unsigned j = 0; j < N_TIMERS; j++)
			c->regs[j].ctl &= CTL_ENABLE | CTL_IMASK;
		evaluate_and_arm(t, i);
		pthread_mutex_unlock(&c->lock);
	}
	return 0;
}

static void gtimer_destroy(struct device *dev)
{
	struct gtimer *t = gtimer_of(dev);

	for (unsigned i = 0; i < t->params.n_cpus; i++)
		pthread_mutex_destroy(&t->cpu[i].lock);
	free(t);
}

static const struct device_ops gtimer_ops = {
	.name = "timer",
	.version = 1,
	.reset = gtimer_reset,
	.save = gtimer_save,
	.load = gtimer_load,
	.destroy = gtimer_destroy,
};

int gtimer_create(const struct gtimer_params *params, struct gtimer **out)
{
	struct gtimer *t;

	if (!params->n_cpus || params->n_cpus > TIMER_MAX_CPUS)
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->dev.ops = &gtimer_ops;
	strcpy(t->dev.id, "timer");
	t->params = *params;
	for (unsigned i = 0; i < params->n_cpus; i++) {
		pthread_mutex_init(&t->cpu[i].lock, NULL);
		t->cpu[i].armed = GTIMER_NEVER;
	}
	*out = t;
	return 0;
}

struct device *gtimer_device(struct gtimer *t)
{
	return &t->dev;
}

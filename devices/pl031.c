/* SPDX-License-Identifier: MIT */
#include "devices/pl031.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	RTCDR = 0x00,
	RTCMR = 0x04,
	RTCLR = 0x08,
	RTCCR = 0x0c,
	RTCIMSC = 0x10,
	RTCRIS = 0x14,
	RTCMIS = 0x18,
	RTCICR = 0x1c,
	RTCPERIPHID0 = 0xfe0,
};

struct pl031_state {
	u32 offset; /* guest seconds minus host seconds */
	u32 match, load, imsc, ris;
};

struct pl031 {
	struct device dev;
	struct pl031_params params;
	pthread_mutex_t lock;
	struct event_source *alarm;
	struct pl031_state s;
};

static struct pl031 *pl031_of(struct device *dev)
{
	return container_of(dev, struct pl031, dev);
}

static u32 rtc_now(const struct pl031 *r)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (u32)ts.tv_sec + r->s.offset;
}

static void irq_update(struct pl031 *r)
{
	irq_set(&r->params.irq, r->s.ris & r->s.imsc);
}

/* The match is by equality: in the past means in 136 years. */
static void alarm_arm(struct pl031 *r)
{
	struct timespec ts;
	u32 delta;

	clock_gettime(CLOCK_REALTIME, &ts);
	delta = r->s.match - ((u32)ts.tv_sec + r->s.offset);
	if (!delta) {
		event_timer_set(r->alarm, ~0ull);
		r->s.ris = 1;
		return;
	}
	event_timer_set(r->alarm, delta * 1000000000ull - (u64)ts.tv_nsec);
}

static void alarm_fired(void *opaque)
{
	struct pl031 *r = opaque;

	pthread_mutex_lock(&r->lock);
	/* CLOCK_MONOTONIC measured the wait: where CLOCK_REALTIME was set meanwhile, wait on. */
	if ((s32)(rtc_now(r) - r->s.match) < 0) {
		alarm_arm(r);
	} else {
		r->s.ris = 1;
		irq_update(r);
	}
	pthread_mutex_unlock(&r->lock);
}

static u32 reg_read(struct pl031 *r, u32 reg)
{
	static const u8 id[8] = {0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

	switch (reg) {
	case RTCDR: return rtc_now(r);
	case RTCMR: return r->s.match;
	case RTCLR: return r->s.load;
	case RTCCR: return 1; /* always counting */
	case RTCIMSC: return r->s.imsc;
	case RTCRIS: return r->s.ris;
	case RTCMIS: return r->s.ris & r->s.imsc;
	default: return reg >= RTCPERIPHID0 ? id[(reg - RTCPERIPHID0) / 4 & 7] : 0;
	}
}

static void reg_write(struct pl031 *r, u32 reg, u32 val)
{
	switch (reg) {
	case RTCMR:
		r->s.match = val;
		alarm_arm(r);
		break;
	case RTCLR:
		r->s.load = val;
		r->s.offset += val - rtc_now(r);
		alarm_arm(r);
		break;
	case RTCIMSC: r->s.imsc = val & 1; break;
	case RTCICR: r->s.ris = 0; break; /* whatever is written (DDI 0287) */
	default: return;
	}
	irq_update(r);
}

static int pl031_read(struct device *dev, u64 offset, unsigned size, u64 *val)
{
	struct pl031 *r = pl031_of(dev);

	if (offset & (size - 1) || size > 4)
		return -EINVAL;
	pthread_mutex_lock(&r->lock);
	*val = reg_read(r, offset & ~3u) >> 8 * (offset & 3) & ~0ull >> (64 - 8 * size);
	pthread_mutex_unlock(&r->lock);
	return 0;
}

static int pl031_write(struct device *dev, u64 offset, unsigned size, u64 val)
{
	struct pl031 *r = pl031_of(dev);

	if (offset & (size - 1) || size > 4)
		return -EINVAL;
	if (size < 4)
		return 0; /* the registers are words */
	pthread_mutex_lock(&r->lock);
	reg_write(r, (u32)offset, (u32)val);
	pthread_mutex_unlock(&r->lock);
	return 0;
}

static void pl031_reset(struct device *dev)
{
	struct pl031 *r = pl031_of(dev);

	pthread_mutex_lock(&r->lock);
	/* A battery-backed clock keeps its time over a reset: the offset stays. */
	r->s = (struct pl031_state){.offset = r->s.offset};
	event_timer_set(r->alarm, ~0ull);
	irq_update(r);
	pthread_mutex_unlock(&r->lock);
}

static ssize_t pl031_save(struct device *dev, void *buf, size_t cap)
{
	struct pl031 *r = pl031_of(dev);

	if (cap < sizeof(r->s))
		return -ENOSPC;
	pthread_mutex_lock(&r->lock);
	memcpy(buf, &r->s, sizeof(r->s));
	pthread_mutex_unlock(&r->lock);
	return sizeof(r->s);
}

static int pl031_load(struct device *dev, u32 version, const void *buf, size_t len)
{
	struct pl031 *r = pl031_of(dev);

	if (version != 1 || len != sizeof(r->s))
		return -EINVAL;
	pthread_mutex_lock(&r->lock);
	memcpy(&r->s, buf, sizeof(r->s));
	r->s.imsc &= 1;
	r->s.ris &= 1;
	if (!r->s.ris && r->s.match)
		alarm_arm(r);
	irq_update(r);
	pthread_mutex_unlock(&r->lock);
	return 0;
}

static void pl031_destroy(struct device *dev)
{
	struct pl031 *r = pl031_of(dev);

	event_del(r->alarm);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static const struct device_ops pl031_ops = {
	.name = "pl031",
	.version = 1,
	.mmio_read = pl031_read,
	.mmio_write = pl031_write,
	.reset = pl031_reset,
	.save = pl031_save,
	.load = pl031_load,
	.destroy = pl031_destroy,
};

int pl031_create(const struct pl031_params *params, struct device **out)
{
	struct pl031 *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->dev.ops = &pl031_ops;
	strcpy(r->dev.id, "rtc");
	r->params = *params;
	pthread_mutex_init(&r->lock, NULL);
	r->alarm = event_timer_add(params->loop, alarm_fired, r);
	if (!r->alarm) {
		int err = -errno;

		pl031_destroy(&r->dev);
		return err;
	}
	*out = &r->dev;
	return 0;
}

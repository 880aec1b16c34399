/* SPDX-License-Identifier: MIT */
/*
 * The guest's side of virtio for unit tests: a driver that fills rings in a memory buffer and talks
 * to the device's registers. Each function does what its name says and nothing a hostile test could
 * not undo.
 */
#ifndef ARMATURE_TESTS_VIRTIO_GUEST_H
#define ARMATURE_TESTS_VIRTIO_GUEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "common/guest_mem.h"
#include "common/irq.h"
#include "common/sandbox.h"
#include "devices/device.h"

/* Devices run inside their sandboxes, but where a sanitizer makes system calls of its own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define VG_SANDBOX SANDBOX_OFF
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define VG_SANDBOX SANDBOX_OFF
#endif
#endif
#ifndef VG_SANDBOX
#define VG_SANDBOX SANDBOX_ON
#endif

/* Tests in which the guest races with the device on purpose: ThreadSanitizer would be right. */
#ifdef __SANITIZE_THREAD__
#define VG_RACES_ON_PURPOSE() skip()
#else
#define VG_RACES_ON_PURPOSE() ((void)0)
#endif

#define VG_BASE	   0x40000000ull
#define VG_SIZE	   (4ull << 20)
#define VG_QUEUES  VG_BASE /* 64 KiB of rings a queue */
#define VG_DATA	   (VG_BASE + (2ull << 20))
#define VG_QSIZE   16
#define VG_MAXQ	   8
#define VG_TIMEOUT 5

struct vg_desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

struct vg_queue {
	struct vg_desc *desc;
	u16 *avail; /* flags, idx, ring[], used_event */
	u16 *used;  /* flags, idx, then {u32 id, len}[], avail_event */
	u16 size, next_desc, seen;
};

struct vg {
	struct guest_mem mem;
	struct irq_line irq;
	struct device *dev;
	struct vg_queue q[VG_MAXQ];
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool level;
	unsigned rises;
};

static inline void vg_irq_set(void *opaque, unsigned n, bool level)
{
	struct vg *g = opaque;

	pthread_mutex_lock(&g->lock);
	g->rises += level && !g->level;
	g->level = level;
	pthread_cond_broadcast(&g->cond);
	pthread_mutex_unlock(&g->lock);
}

static inline bool vg_level(struct vg *g)
{
	bool level;

	pthread_mutex_lock(&g->lock);
	level = g->level;
	pthread_mutex_unlock(&g->lock);
	return level;
}

static inline void vg_init(struct vg *g)
{
	memset(g, 0, sizeof(*g));
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->cond, NULL);
	g->irq = (struct irq_line){.set = vg_irq_set, .opaque = g, .n = 7};
	assert_int_equal(guest_mem_add(&g->mem, GPA(VG_BASE), VG_SIZE), 0);
}

static inline void vg_exit(struct vg *g)
{
	if (g->dev)
		g->dev->ops->destroy(g->dev);
	guest_mem_free(&g->mem);
}

static inline void *vg_ptr(struct vg *g, u64 gpa)
{
	return g->mem.region[0].host + (gpa - VG_BASE);
}

static inline u32 vg_read(struct vg *g, u32 reg)
{
	u64 val = ~0ull;

	assert_int_equal(g->dev->ops->mmio_read(g->dev, reg, 4, &val), 0);
	return (u32)val;
}

static inline void vg_write(struct vg *g, u32 reg, u32 val)
{
	assert_int_equal(g->dev->ops->mmio_write(g->dev, reg, 4, val), 0);
}

static inline u64 vg_config(struct vg *g, u32 off, unsigned size)
{
	u64 val = ~0ull;

	assert_int_equal(g->dev->ops->mmio_read(g->dev, VIRTIO_MMIO_CONFIG + off, size, &val), 0);
	return val;
}

static inline u64 vg_features(struct vg *g)
{
	u64 f;

	vg_write(g, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	f = (u64)vg_read(g, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
	vg_write(g, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	return f | vg_read(g, VIRTIO_MMIO_DEVICE_FEATURES);
}

static inline void vg_set_features(struct vg *g, u64 f)
{
	vg_write(g, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	vg_write(g, VIRTIO_MMIO_DRIVER_FEATURES, (u32)f);
	vg_write(g, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	vg_write(g, VIRTIO_MMIO_DRIVER_FEATURES, (u32)(f >> 32));
}

static inline u64 vg_ring(unsigned n, unsigned part)
{
	return VG_QUEUES + n * 0x10000ull + part * 0x4000ull;
}

/* Maps and empties the rings of queue n, and describes them to the device. */
static inline void vg_setup_queue(struct vg *g, unsigned n, u16 size)
{
	struct vg_queue *q = &g->q[n];

	*q = (struct vg_queue){.desc = vg_ptr(g, vg_ring(n, 0)),
			       .avail = vg_ptr(g, vg_ring(n, 1)),
			       .used = vg_ptr(g, vg_ring(n, 2)),
			       .size = size};
	memset(q->desc, 0, 0x10000);
	vg_write(g, VIRTIO_MMIO_QUEUE_SEL, n);
	vg_write(g, VIRTIO_MMIO_QUEUE_NUM, size);
	vg_write(g, VIRTIO_MMIO_QUEUE_DESC_LOW, (u32)vg_ring(n, 0));
	vg_write(g, VIRTIO_MMIO_QUEUE_DESC_HIGH, vg_ring(n, 0) >> 32);
	vg_write(g, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (u32)vg_ring(n, 1));
	vg_write(g, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, vg_ring(n, 1) >> 32);
	vg_write(g, VIRTIO_MMIO_QUEUE_USED_LOW, (u32)vg_ring(n, 2));
	vg_write(g, VIRTIO_MMIO_QUEUE_USED_HIGH, vg_ring(n, 2) >> 32);
	vg_write(g, VIRTIO_MMIO_QUEUE_READY, 1);
}

/* Reset to FEATURES_OK with the wanted features (VERSION_1 is added). */
static inline void vg_negotiate(struct vg *g, u64 want)
{
	vg_write(g, VIRTIO_MMIO_STATUS, 0);
	vg_write(g, VIRTIO_MMIO_STATUS, 1);
	vg_write(g, VIRTIO_MMIO_STATUS, 3);
	vg_set_features(g, want | BIT(VIRTIO_F_VERSION_1));
	vg_write(g, VIRTIO_MMIO_STATUS, 11);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_STATUS), 11);
}

static inline void vg_bring_up(struct vg *g, u64 want, unsigned nqueues)
{
	vg_negotiate(g, want);
	for (unsigned n = 0; n < nqueues; n++)
		vg_setup_queue(g, n, VG_QSIZE);
	vg_write(g, VIRTIO_MMIO_STATUS, 15);
}

/* Appends descriptor i of a chain; the caller links them. Indices wrap at the queue's size. */
static inline u16 vg_add_desc(struct vg_queue *q, u64 addr, u32 len, u16 flags)
{
	u16 i = q->next_desc++ % q->size;

	q->desc[i] = (struct vg_desc){addr, len, flags, (u16)((i + 1) % q->size)};
	return i;
}

static inline void vg_make_avail(struct vg_queue *q, u16 head)
{
	u16 idx = q->avail[1];

	q->avail[2 + idx % q->size] = head;
	__atomic_store_n(&q->avail[1], (u16)(idx + 1), __ATOMIC_RELEASE);
}

static inline void vg_kick(struct vg *g, unsigned n)
{
	vg_write(g, VIRTIO_MMIO_QUEUE_NOTIFY, n);
}

static inline u16 vg_used_idx(struct vg_queue *q)
{
	return __atomic_load_n(&q->used[1], __ATOMIC_ACQUIRE);
}

struct vg_seg {
	u64 addr;
	u32 len;
	bool write;
};

/* One chain of the segments in order. Returns its head. */
static inline u16 vg_submit(struct vg *g, unsigned n, const struct vg_seg *seg, unsigned nseg)
{
	struct vg_queue *q = &g->q[n];
	u16 head = 0;

	for (unsigned i = 0; i < nseg; i++) {
		u16 flags = (seg[i].write ? VRING_DESC_F_WRITE : 0) |
			    (i + 1 < nseg ? VRING_DESC_F_NEXT : 0);
		u16 at = vg_add_desc(q, seg[i].addr, seg[i].len, flags);

		if (!i)
			head = at;
	}
	vg_make_avail(q, head);
	vg_kick(g, n);
	return head;
}

static inline bool vg_eventually(bool (*cond)(struct vg *g, void *arg), struct vg *g, void *arg)
{
	struct timespec nap = {0, 200000};

	for (int i = 0; i < VG_TIMEOUT * 5000; i++) {
		if (cond(g, arg))
			return true;
		nanosleep(&nap, NULL);
	}
	return false;
}

static inline bool vg_has_used(struct vg *g, void *arg)
{
	struct vg_queue *q = arg;

	return vg_used_idx(q) != q->seen;
}

static inline bool vg_is_broken(struct vg *g, void *arg)
{
	return vg_read(g, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

/* Waits for the next used element; its len, with the head in *id. Fails the test on a timeout. */
static inline u32 vg_wait_used(struct vg *g, unsigned n, u32 *id)
{
	struct vg_queue *q = &g->q[n];
	u32 *elem;

	assert_true(vg_eventually(vg_has_used, g, q));
	elem = (u32 *)(q->used + 2) + 2 * (q->seen % q->size);
	q->seen++;
	if (id)
		*id = elem[0];
	return elem[1];
}

static inline void vg_wait_broken(struct vg *g)
{
	assert_true(vg_eventually(vg_is_broken, g, NULL));
}

/* Gives the device time to do something it must not do. */
static inline void vg_settle(void)
{
	struct timespec nap = {0, 30000000};

	nanosleep(&nap, NULL);
}

#endif

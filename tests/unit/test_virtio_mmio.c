/* SPDX-License-Identifier: MIT */
/* The transport's registers and state machine, with an echo device behind them. */
#include "tests/unit/virtio_guest.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "devices/virtio/virtio.h"

#define ECHO_ID	     42
#define ECHO_FEATURE 5

/* Copies the readable bytes of a chain to its writable ones. */
struct echo {
	struct virtio_dev v;
	_Atomic unsigned served, activations, resets;
	_Atomic unsigned slow_us;
	u64 seen_features;
};

static bool echo_chain(struct virtio_dev *v, unsigned q, struct virtq_chain *c)
{
	struct echo *e = container_of(v, struct echo, v);
	u8 buf[4096];
	size_t n = virtq_read(c, 0, buf, sizeof(buf));
	struct timespec nap = {0, 1000l * e->slow_us};

	if (e->slow_us)
		nanosleep(&nap, NULL);
	e->served++;
	virtio_push(v, q, c, (u32)virtq_write(c, 0, buf, n));
	return true;
}

static void echo_notify(struct virtio_dev *v, unsigned q)
{
	virtio_drain(v, q, echo_chain);
}

static void echo_activated(struct virtio_dev *v)
{
	struct echo *e = container_of(v, struct echo, v);

	e->seen_features = v->negotiated;
	e->activations++;
}

static void echo_reset(struct virtio_dev *v)
{
	container_of(v, struct echo, v)->resets++;
}

static void echo_config_write(struct virtio_dev *v, u32 off, unsigned size, u64 val)
{
	memcpy(v->config + off, &val, size);
}

static const struct sandbox_rule echo_rules[] = {SANDBOX_ALLOW(clock_nanosleep)};
static const struct sandbox_role echo_role = {
	.name = "echo", .rules = echo_rules, .nrules = 1, .device = true};

static const struct virtio_class echo_class = {
	.name = "virtio-echo",
	.device_id = ECHO_ID,
	.version = 3,
	.role = &echo_role,
	.notify = echo_notify,
	.activated = echo_activated,
	.reset = echo_reset,
	.config_write = echo_config_write,
};

static struct device *echo_create(struct vg *g)
{
	struct echo *e = calloc(1, sizeof(*e));
	const char *err;

	assert_int_equal(virtio_init(&e->v, &echo_class, "echo0", &g->mem, &g->irq, &err), 0);
	e->v.features |= BIT(ECHO_FEATURE);
	e->v.nqueues = 2;
	e->v.queue_max[0] = 64;
	e->v.queue_max[1] = 16;
	e->v.config_len = 12;
	for (u8 i = 0; i < 12; i++)
		e->v.config[i] = (u8)(0xa0 + i);
	assert_int_equal(virtio_start(&e->v, VG_SANDBOX, &err), 0);
	return &e->v.dev;
}

static struct echo *echo_of(struct vg *g)
{
	return container_of(virtio_from_device(g->dev), struct echo, v);
}

static int setup(void **state)
{
	struct vg *g = malloc(sizeof(*g));

	vg_init(g);
	g->dev = echo_create(g);
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	vg_exit(*state);
	free(*state);
	return 0;
}

static void echo_once(struct vg *g, unsigned q)
{
	const struct vg_seg seg[] = {{VG_DATA, 5, false}, {VG_DATA + 64, 8, true}};

	memcpy(vg_ptr(g, VG_DATA), "hello", 5);
	memset(vg_ptr(g, VG_DATA + 64), 0, 8);
	vg_submit(g, q, seg, 2);
	assert_int_equal(vg_wait_used(g, q, NULL), 5);
	assert_memory_equal(vg_ptr(g, VG_DATA + 64), "hello\0\0", 8);
}

/* --- Registers -------------------------------------------------------------------------------- */

static void test_identity(void **state)
{
	struct vg *g = *state;

	assert_int_equal(vg_read(g, 0x000), 0x74726976);
	assert_int_equal(vg_read(g, 0x004), 2);
	assert_int_equal(vg_read(g, 0x008), ECHO_ID);
	assert_int_equal(vg_features(g), BIT(VIRTIO_F_VERSION_1) | BIT(ECHO_FEATURE) |
						 BIT(VIRTIO_RING_F_INDIRECT_DESC) |
						 BIT(VIRTIO_RING_F_EVENT_IDX));
	vg_write(g, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_DEVICE_FEATURES), 0);
	vg_write(g, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0xffffffff);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_DEVICE_FEATURES), 0);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_SHM_LEN_LOW), 0xffffffff);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_SHM_LEN_HIGH), 0xffffffff);
}

/* Registers are four bytes wide: all else reads as zero, writes nothing, and faults nobody. */
static void test_register_width(void **state)
{
	struct vg *g = *state;
	static const unsigned sizes[] = {1, 2, 8};
	u64 val;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (u64 off = 0; off < 0x100; off++) {
			assert_int_equal(g->dev->ops->mmio_read(g->dev, off, sizes[i], &val), 0);
			assert_int_equal(val, 0);
			assert_int_equal(g->dev->ops->mmio_write(g->dev, off, sizes[i], ~0ull), 0);
		}
	}
	for (u64 off = 0; off < 0x100; off++) {
		if (off % 4 == 0)
			continue;
		assert_int_equal(g->dev->ops->mmio_read(g->dev, off, 4, &val), 0);
		assert_int_equal(val, 0);
		assert_int_equal(g->dev->ops->mmio_write(g->dev, off, 4, 0xf), 0);
	}
	assert_int_equal(vg_read(g, VIRTIO_MMIO_STATUS), 0);
	assert_int_equal(g->dev->ops->mmio_read(g->dev, 0, 3, &val), -EINVAL);
	assert_int_equal(g->dev->ops->mmio_write(g->dev, 0, 16, 0), -EINVAL);
}

/* Holes and write-only registers read as zero; read-only ones ignore writes. */
static void test_register_directions(void **state)
{
	struct vg *g = *state;
	static const u32 raz[] = {0x00c + 0x10 - 4,
				  0x014,
				  0x020,
				  0x028,
				  0x030,
				  0x038,
				  0x03c,
				  0x040,
				  0x050,
				  0x064,
				  0x080,
				  0x090,
				  0x0a0,
				  0x0ac,
				  0x0c0,
				  0x0f8};

	vg_bring_up(g, 0, 2);
	for (size_t i = 0; i < ARRAY_SIZE(raz); i++)
		assert_int_equal(vg_read(g, raz[i]), 0);
	vg_write(g, 0x000, 1);
	vg_write(g, 0x008, 1);
	vg_write(g, VIRTIO_MMIO_QUEUE_NUM_MAX, 1);
	vg_write(g, VIRTIO_MMIO_CONFIG_GENERATION, 7);
	vg_write(g, VIRTIO_MMIO_INTERRUPT_STATUS, 3);
	assert_int_equal(vg_read(g, 0x000), 0x74726976);
	assert_int_equal(vg_read(g, 0x008), ECHO_ID);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_CONFIG_GENERATION), 0);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
}

static void test_config_space(void **state)
{
	struct vg *g = *state;
	u64 val;

	assert_int_equal(vg_config(g, 0, 1), 0xa0);
	assert_int_equal(vg_config(g, 2, 2), 0xa3a2);
	assert_int_equal(vg_config(g, 4, 4), 0xa7a6a5a4);
	assert_true(vg_config(g, 0, 8) == 0xa7a6a5a4a3a2a1a0ull);
	/* Misaligned, crossing the end, behind it: zero. */
	assert_int_equal(vg_config(g, 1, 2), 0);
	assert_int_equal(vg_config(g, 2, 4), 0);
	assert_int_equal(vg_config(g, 8, 8), 0);
	assert_int_equal(vg_config(g, 12, 1), 0);
	assert_int_equal(vg_config(g, 0xfc, 4), 0);
	assert_int_equal(vg_config(g, 0xff, 1), 0);
	g->dev->ops->mmio_write(g->dev, 0x100 + 10, 2, 0x1234);
	assert_int_equal(vg_config(g, 10, 2), 0x1234);
	g->dev->ops->mmio_write(g->dev, 0x100 + 8, 8, ~0ull);
	g->dev->ops->mmio_write(g->dev, 0x100 + 11, 2, ~0ull);
	g->dev->ops->mmio_write(g->dev, 0x100 + 0xfc, 4, ~0ull);
	assert_int_equal(vg_config(g, 8, 4), 0x1234a9a8);
	assert_int_equal(g->dev->ops->mmio_read(g->dev, 0x100, 5, &val), -EINVAL);
}

/* --- State machine ---------------------------------------------------------------------------- */

static void test_status_order(void **state)
{
	struct vg *g = *state;

	vg_write(g, VIRTIO_MMIO_STATUS, 2); /* DRIVER before ACKNOWLEDGE */
	assert_int_equal(vg_read(g, VIRTIO_MMIO_STATUS), 0);
	vg_write(g, VIRTIO_MMIO_STATUS, 1);
	vg_write(g, VIRTIO_MMIO_STATUS, 1 | 8); /* FEATURES_OK before DRIVER */
	assert_int_equal(vg_read(g, VIRTIO_MMIO_STATUS), 1);
	vg_write(g, VIRTIO_MMIO_STATUS, 3);
	vg_write(g, VIRTIO_MMIO_STATUS, 3 | 4); /* DRIVER_OK before FEATURES_OK */
	assert_int_equal(vg_read(g, VIRTIO_MMIO_STATUS), 3);
	vg_set_features(g, BIT(VIRTIO_F_VERSION_1));
	vg_write(g, VIRTIO_MMIO_STATUS, 11);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_STATUS), 11);
	vg_write(g, VIRTIO_MMIO_STATUS, 1); /* bits cannot be taken back but by reset */
	assert_int_equal(vg_read(g, VIRTIO_MMIO_STATUS), 11);
	vg_write(g, VIRTIO_MMIO_STATUS, 0x40 | 0x10 | 0xffffff00); /* not the driver's to set */
	assert_int_equal(vg_read(g, VIRTIO_MMIO_STATUS), 11);
	vg_write(g, VIRTIO_MMIO_STATUS, 0x80);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_STATUS), 0x80 | 11);
	vg_write(g, VIRTIO_MMIO_STATUS, 15); /* no DRIVER_OK after FAILED */
	assert_int_equal(vg_read(g, VIRTIO_MMIO_STATUS), 0x80 | 11);
	assert_int_equal(echo_of(g)->activations, 0);
	vg_write(g, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_STATUS), 0);
}

static void test_features_refused(void **state)
{
	struct vg *g = *state;

	vg_write(g, VIRTIO_MMIO_STATUS, 1);
	vg_write(g, VIRTIO_MMIO_STATUS, 3);
	vg_set_features(g, BIT(ECHO_FEATURE)); /* a legacy driver: no VERSION_1 */
	vg_write(g, VIRTIO_MMIO_STATUS, 11);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_STATUS), 3);
	vg_set_features(g, BIT(VIRTIO_F_VERSION_1) | BIT(63)); /* not offered */
	vg_write(g, VIRTIO_MMIO_STATUS, 11);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_STATUS), 3);
	vg_set_features(g, BIT(VIRTIO_F_VERSION_1) | BIT(ECHO_FEATURE));
	vg_write(g, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 7); /* no such word */
	vg_write(g, VIRTIO_MMIO_DRIVER_FEATURES, 0xffffffff);
	vg_write(g, VIRTIO_MMIO_STATUS, 11);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_STATUS), 11);
	vg_set_features(g, ~0ull); /* frozen now */
	vg_write(g, VIRTIO_MMIO_STATUS, 15);
	assert_true(echo_of(g)->seen_features == (BIT(VIRTIO_F_VERSION_1) | BIT(ECHO_FEATURE)));
}

static void test_queue_select_unchecked(void **state)
{
	struct vg *g = *state;
	static const u32 bad[] = {2, 3, 31, 32, 64, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff};

	vg_negotiate(g, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		vg_write(g, VIRTIO_MMIO_QUEUE_SEL, bad[i]);
		assert_int_equal(vg_read(g, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
		assert_int_equal(vg_read(g, VIRTIO_MMIO_QUEUE_READY), 0);
		vg_write(g, VIRTIO_MMIO_QUEUE_NUM, 16);
		vg_write(g, VIRTIO_MMIO_QUEUE_DESC_LOW, 0x41414141);
		vg_write(g, VIRTIO_MMIO_QUEUE_USED_HIGH, 0x41414141);
		vg_write(g, VIRTIO_MMIO_QUEUE_READY, 1);
		assert_int_equal(vg_read(g, VIRTIO_MMIO_QUEUE_READY), 0);
	}
	vg_write(g, VIRTIO_MMIO_QUEUE_SEL, 0);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_QUEUE_NUM_MAX), 64);
	vg_write(g, VIRTIO_MMIO_QUEUE_SEL, 1);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_QUEUE_NUM_MAX), 16);
}

static void test_notify_unchecked(void **state)
{
	struct vg *g = *state;
	static const u32 bad[] = {2, 31, 63, 64, 0x10000, 0x10001, 0xffffffff};

	vg_write(g, VIRTIO_MMIO_QUEUE_NOTIFY, 0); /* before everything */
	vg_bring_up(g, 0, 2);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		vg_write(g, VIRTIO_MMIO_QUEUE_NOTIFY, bad[i]);
	echo_once(g, 0);
	echo_once(g, 1);
	assert_int_equal(echo_of(g)->served, 2);
}

/* CVE-2026-5747: the size rewritten while the device works. */
static void test_reconfiguration_after_driver_ok(void **state)
{
	struct vg *g = *state;
	struct virtio_dev *v = virtio_from_device(g->dev);
	struct virtq_config before;

	vg_bring_up(g, 0, 2);
	echo_once(g, 0);
	before = v->queue[0];
	vg_write(g, VIRTIO_MMIO_QUEUE_SEL, 0);
	vg_write(g, VIRTIO_MMIO_QUEUE_READY, 0);
	vg_write(g, VIRTIO_MMIO_QUEUE_NUM, 0);
	vg_write(g, VIRTIO_MMIO_QUEUE_NUM, 0xffff);
	vg_write(g, VIRTIO_MMIO_QUEUE_DESC_LOW, 0xdead0000);
	vg_write(g, VIRTIO_MMIO_QUEUE_DESC_HIGH, 0xdead);
	vg_write(g, VIRTIO_MMIO_QUEUE_AVAIL_LOW, 0xdead0000);
	vg_write(g, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, 0xdead);
	vg_write(g, VIRTIO_MMIO_QUEUE_USED_LOW, 0xdead0000);
	vg_write(g, VIRTIO_MMIO_QUEUE_USED_HIGH, 0xdead);
	assert_memory_equal(&before, &v->queue[0], sizeof(before));
	assert_int_equal(vg_read(g, VIRTIO_MMIO_QUEUE_READY), 1);
	assert_int_equal(v->vq[0].size, VG_QSIZE);
	echo_once(g, 0);
	/* Were it rewritten all the same, the device would not look: it has its own copy. */
	v->queue[0].size = 0;
	v->queue[0].desc = GPA(~0ull);
	echo_once(g, 0);
	v->queue[0] = before;
}

static void test_queue_fields_need_features_ok(void **state)
{
	struct vg *g = *state;
	struct virtio_dev *v = virtio_from_device(g->dev);
	struct virtq_config none = {0};

	vg_setup_queue(g, 0, 16);
	assert_memory_equal(&none, &v->queue[0], sizeof(none));
	vg_write(g, VIRTIO_MMIO_STATUS, 1);
	vg_write(g, VIRTIO_MMIO_STATUS, 3);
	vg_setup_queue(g, 0, 16);
	assert_memory_equal(&none, &v->queue[0], sizeof(none));
	vg_negotiate(g, 0);
	vg_setup_queue(g, 0, 16);
	assert_int_equal(v->queue[0].size, 16);
	assert_true(v->queue[0].ready);
	vg_write(g, VIRTIO_MMIO_QUEUE_NUM, 8); /* ready: frozen until it is taken back */
	assert_int_equal(v->queue[0].size, 16);
	vg_write(g, VIRTIO_MMIO_QUEUE_READY, 0);
	vg_write(g, VIRTIO_MMIO_QUEUE_NUM, 0x10008);
	assert_int_equal(v->queue[0].size, 0);
	vg_negotiate(g, 0);
	vg_write(g, VIRTIO_MMIO_STATUS, 0x8b); /* FAILED */
	vg_setup_queue(g, 0, 16);
	assert_memory_equal(&none, &v->queue[0], sizeof(none));
}

static void bring_up_bad(struct vg *g, u32 reg, u32 val)
{
	vg_negotiate(g, 0);
	vg_setup_queue(g, 0, VG_QSIZE);
	vg_write(g, VIRTIO_MMIO_QUEUE_READY, 0);
	vg_write(g, reg, val);
	vg_write(g, VIRTIO_MMIO_QUEUE_READY, 1);
	vg_write(g, VIRTIO_MMIO_STATUS, 15);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_STATUS), 0x40 | 15);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
	assert_true(vg_level(g));
	vg_kick(g, 0);
	vg_settle();
	assert_int_equal(echo_of(g)->served, 0);
}

static void test_bad_queue_at_activation(void **state)
{
	struct vg *g = *state;

	bring_up_bad(g, VIRTIO_MMIO_QUEUE_NUM, 0);
	bring_up_bad(g, VIRTIO_MMIO_QUEUE_NUM, 12);
	bring_up_bad(g, VIRTIO_MMIO_QUEUE_NUM, 128); /* over the maximum of 64 */
	bring_up_bad(g, VIRTIO_MMIO_QUEUE_DESC_LOW, (u32)VG_BASE + 8);
	bring_up_bad(g, VIRTIO_MMIO_QUEUE_DESC_HIGH, 1);
	bring_up_bad(g, VIRTIO_MMIO_QUEUE_AVAIL_LOW, 0x0a000000); /* a device's registers */
	bring_up_bad(g, VIRTIO_MMIO_QUEUE_USED_LOW, (u32)(VG_BASE + VG_SIZE) - 4);
	vg_bring_up(g, 0, 2);
	echo_once(g, 0);
}

/* --- Working ---------------------------------------------------------------------------------- */

static void test_interrupt_status(void **state)
{
	struct vg *g = *state;

	vg_bring_up(g, 0, 2);
	echo_once(g, 0);
	while (!vg_level(g))
		vg_settle();
	assert_int_equal(vg_read(g, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
	vg_write(g, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_CONFIG);
	assert_true(vg_level(g));
	virtio_config_update(virtio_from_device(g->dev), 4, "zz", 2);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_CONFIG_GENERATION), 1);
	assert_int_equal(vg_config(g, 4, 2), 0x7a7a);
	vg_write(g, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	assert_true(vg_level(g)); /* shared: the other cause still holds it */
	vg_write(g, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_CONFIG);
	assert_false(vg_level(g));
	virtio_config_update(virtio_from_device(g->dev), 11, "zz", 2); /* beyond the end */
	assert_int_equal(vg_read(g, VIRTIO_MMIO_CONFIG_GENERATION), 1);
}

/* Buffers made available before DRIVER_OK are served without another kick. */
static void test_available_before_driver_ok(void **state)
{
	struct vg *g = *state;
	const struct vg_seg seg[] = {{VG_DATA, 3, false}, {VG_DATA + 64, 3, true}};

	vg_negotiate(g, 0);
	vg_setup_queue(g, 0, 16);
	vg_submit(g, 0, seg, 2);
	vg_settle();
	assert_int_equal(vg_used_idx(&g->q[0]), 0);
	vg_write(g, VIRTIO_MMIO_STATUS, 15);
	assert_int_equal(vg_wait_used(g, 0, NULL), 3);
}

static void test_broken_ring(void **state)
{
	struct vg *g = *state;

	vg_bring_up(g, 0, 2);
	echo_once(g, 0);
	vg_make_avail(&g->q[0], 999);
	vg_kick(g, 0);
	vg_wait_broken(g);
	assert_true(vg_level(g));
	assert_true(vg_read(g, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG);
	/* All of the device stops, and goes on only after a reset. */
	vg_add_desc(&g->q[1], VG_DATA, 1, 0);
	vg_make_avail(&g->q[1], 0);
	vg_kick(g, 1);
	vg_settle();
	assert_int_equal(vg_used_idx(&g->q[1]), 0);
	vg_write(g, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_STATUS), 0);
	assert_false(vg_level(g));
	vg_bring_up(g, 0, 2);
	echo_once(g, 0);
	echo_once(g, 1);
}

/* When the write of 0 returns, the device touches guest memory no more. */
static void test_reset_drains(void **state)
{
	struct vg *g = *state;
	const struct vg_seg seg[] = {{VG_DATA, 4, false}, {VG_DATA + 64, 4, true}};
	unsigned served;
	u16 used;

	vg_bring_up(g, 0, 2);
	echo_of(g)->slow_us = 20000;
	for (unsigned i = 0; i < 6; i++)
		vg_submit(g, 0, seg, 2);
	vg_write(g, VIRTIO_MMIO_STATUS, 0);
	served = echo_of(g)->served;
	used = vg_used_idx(&g->q[0]);
	assert_in_range(served, 0, 5); /* it did not sit through all of them */
	assert_int_equal(served, used);
	assert_int_equal(echo_of(g)->resets, 2); /* one in vg_negotiate */
	vg_settle();
	assert_int_equal(vg_used_idx(&g->q[0]), used);
	assert_int_equal(echo_of(g)->served, served);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_QUEUE_READY), 0);
	vg_kick(g, 0);
	vg_settle();
	assert_int_equal(echo_of(g)->served, served);
	echo_of(g)->slow_us = 0;
	vg_bring_up(g, 0, 2);
	echo_once(g, 0);
}

static void *reset_thread(void *arg)
{
	struct vg *g = arg;

	for (unsigned i = 0; i < 200; i++) {
		u64 val;

		g->dev->ops->mmio_write(g->dev, VIRTIO_MMIO_STATUS, 4, 0);
		g->dev->ops->mmio_read(g->dev, VIRTIO_MMIO_STATUS, 4, &val);
		g->dev->ops->mmio_write(g->dev, VIRTIO_MMIO_STATUS, 4, 15);
	}
	return NULL;
}

/* Several vCPUs hammer the registers: resets, activations, kicks, acknowledgements at once. */
static void test_concurrent_vcpus(void **state)
{
	struct vg *g = *state;
	pthread_t t[2];

	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, reset_thread, g), 0);
	for (unsigned i = 0; i < 2000; i++) {
		g->dev->ops->mmio_write(g->dev, VIRTIO_MMIO_QUEUE_NOTIFY, 4, i % 3);
		g->dev->ops->mmio_write(g->dev, VIRTIO_MMIO_INTERRUPT_ACK, 4, 3);
		g->dev->ops->mmio_write(g->dev, VIRTIO_MMIO_QUEUE_READY, 4, 1);
		g->dev->ops->mmio_write(g->dev, VIRTIO_MMIO_QUEUE_NUM, 4, i);
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	vg_bring_up(g, 0, 2);
	echo_once(g, 0);
}

static void test_event_index_end_to_end(void **state)
{
	struct vg *g = *state;

	vg_bring_up(g, BIT(VIRTIO_RING_F_EVENT_IDX), 2);
	for (unsigned i = 0; i < 50; i++) {
		/* Far away: no interrupt wanted. */
		__atomic_store_n(&g->q[0].avail[2 + VG_QSIZE], (u16)(0x8000 + i), __ATOMIC_RELAXED);
		echo_once(g, 0);
		if (!i) /* the first one always interrupts */
			while (!vg_level(g))
				vg_settle();
		vg_write(g, VIRTIO_MMIO_INTERRUPT_ACK, 3);
	}
	assert_int_equal(g->rises, 1);
}

/* Whatever a guest does wrong, and however often: a few lines a second, and a count. */
/* Messages are limited by the second, over all devices: earlier tests may have used this one up. */
static void wait_for_next_second(void)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &start);
	do {
		usleep(1000);
		clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	} while (now.tv_sec == start.tv_sec);
}

static void test_log_not_flooded(void **state)
{
	struct vg *g = *state;
	int fds[2], err = dup(2);
	unsigned lines = 0;
	static char text[1 << 16];
	u64 val, errors = virtio_from_device(g->dev)->stats.guest_errors;
	ssize_t n;

	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	wait_for_next_second();
	dup2(fds[1], 2);
	for (unsigned i = 0; i < 5000; i++)
		g->dev->ops->mmio_read(g->dev, 1, 4, &val);
	for (unsigned i = 0; i < 50; i++) {
		vg_bring_up(g, 0, 1);
		vg_make_avail(&g->q[0], 0xffff);
		vg_kick(g, 0);
		vg_wait_broken(g);
	}
	dup2(err, 2);
	n = read(fds[0], text, sizeof(text) - 1);
	for (ssize_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	close(fds[0]);
	close(fds[1]);
	close(err);
	assert_in_range(lines, 1, 60);
	assert_int_equal(virtio_from_device(g->dev)->stats.guest_errors - errors, 50);
}

/* --- Pause, save, load ------------------------------------------------------------------------ */

static void test_pause(void **state)
{
	struct vg *g = *state;
	const struct vg_seg seg[] = {{VG_DATA, 4, false}, {VG_DATA + 64, 4, true}};

	vg_bring_up(g, 0, 2);
	g->dev->ops->pause(g->dev);
	vg_submit(g, 0, seg, 2);
	vg_settle();
	assert_int_equal(vg_used_idx(&g->q[0]), 0);
	g->dev->ops->resume(g->dev);
	assert_int_equal(vg_wait_used(g, 0, NULL), 4);
	/* A reset works in a pause, too. */
	g->dev->ops->pause(g->dev);
	g->dev->ops->reset(g->dev);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_STATUS), 0);
	g->dev->ops->resume(g->dev);
	vg_bring_up(g, 0, 2);
	echo_once(g, 0);
}

static void test_save_load(void **state)
{
	struct vg *g = *state;
	const struct vg_seg seg[] = {{VG_DATA, 4, false}, {VG_DATA + 64, 4, true}};
	u8 record[2048], again[2048];
	struct device *old;
	ssize_t n;

	vg_bring_up(g, BIT(VIRTIO_RING_F_EVENT_IDX), 2);
	g->dev->ops->mmio_write(g->dev, 0x100, 1, 0x11);
	for (unsigned i = 0; i < 5; i++)
		echo_once(g, 0);
	g->dev->ops->pause(g->dev);
	vg_submit(g, 0, seg, 2); /* kicked, not served: must not be lost */
	assert_int_equal(g->dev->ops->save(g->dev, record, 16), -ENOSPC);
	n = g->dev->ops->save(g->dev, record, sizeof(record));
	assert_true(n > 0);
	g->dev->ops->resume(g->dev);
	assert_int_equal(vg_wait_used(g, 0, NULL), 4);

	/* The other machine: same memory as at the save, a fresh device. */
	old = g->dev;
	old->ops->destroy(old);
	g->dev = echo_create(g);
	((u16 *)vg_ptr(g, vg_ring(0, 2)))[1] = 5;
	g->q[0].seen = 5;
	g->dev->ops->pause(g->dev);
	assert_int_equal(g->dev->ops->load(g->dev, 4, record, (size_t)n), -ENOTSUP);
	assert_int_equal(g->dev->ops->load(g->dev, 3, record, (size_t)n), 0);
	assert_int_equal(g->dev->ops->save(g->dev, again, sizeof(again)), n);
	assert_memory_equal(record, again, (size_t)n);
	g->dev->ops->resume(g->dev);
	assert_int_equal(vg_wait_used(g, 0, NULL), 4);
	assert_int_equal(vg_config(g, 0, 1), 0x11);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_STATUS), 15);
	echo_once(g, 0);
}

/* A snapshot is input like any other: every byte flipped, every length cut, nothing may give. */
static void test_load_hostile(void **state)
{
	struct vg *g = *state;
	u8 record[2048], bad[2048];
	ssize_t n;

	vg_bring_up(g, 0, 2);
	echo_once(g, 0);
	g->dev->ops->pause(g->dev);
	n = g->dev->ops->save(g->dev, record, sizeof(record));
	for (ssize_t len = 0; len < n; len++)
		assert_true(g->dev->ops->load(g->dev, 3, record, (size_t)len) < 0);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_STATUS), 0); /* refused: reset */
	for (ssize_t i = 0; i < n; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(bad, record, (size_t)n);
			bad[i] ^= (u8)(1u << bit);
			g->dev->ops->load(g->dev, 3, bad, (size_t)n);
			g->dev->ops->resume(g->dev);
			vg_kick(g, 0);
			g->dev->ops->pause(g->dev);
		}
	}
	assert_int_equal(g->dev->ops->load(g->dev, 3, record, (size_t)n), 0);
	g->dev->ops->resume(g->dev);
	echo_once(g, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_identity),
		T(test_register_width),
		T(test_register_directions),
		T(test_config_space),
		T(test_status_order),
		T(test_features_refused),
		T(test_queue_select_unchecked),
		T(test_notify_unchecked),
		T(test_reconfiguration_after_driver_ok),
		T(test_queue_fields_need_features_ok),
		T(test_bad_queue_at_activation),
		T(test_interrupt_status),
		T(test_available_before_driver_ok),
		T(test_broken_ring),
		T(test_reset_drains),
		T(test_concurrent_vcpus),
		T(test_event_index_end_to_end),
		T(test_log_not_flooded),
		T(test_pause),
		T(test_save_load),
		T(test_load_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

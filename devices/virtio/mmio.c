/* SPDX-License-Identifier: MIT */
/*
 * virtio 1.2 over MMIO, version 2 registers (4.2.2). Every register has one row in a table:
 * its width is 4 bytes and nothing else. An access the table does not hold reads as zero and writes
 * nothing: a driver's mistake is the driver's problem, not a fault of the machine.
 *
 * The driver's part of the state machine (3.1.1) is enforced, not trusted: features are frozen by
 * FEATURES_OK, queues can be described only between FEATURES_OK and DRIVER_OK, and from DRIVER_OK
 * on the device works on its own checked copy.
 */
#include "devices/virtio/virtio.h"

#include <errno.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#include "common/log.h"

#define MMIO_MAGIC   0x74726976 /* "virt" */
#define MMIO_VERSION 2
#define MMIO_VENDOR  0x544d5241 /* "ARMT" */

#define S_ACK	      VIRTIO_CONFIG_S_ACKNOWLEDGE
#define S_DRIVER      VIRTIO_CONFIG_S_DRIVER
#define S_FEATURES_OK VIRTIO_CONFIG_S_FEATURES_OK
#define S_DRIVER_OK   VIRTIO_CONFIG_S_DRIVER_OK
#define S_NEEDS_RESET VIRTIO_CONFIG_S_NEEDS_RESET
#define S_FAILED      VIRTIO_CONFIG_S_FAILED

struct reg {
	u32 offset;
	u32 (*read)(struct virtio_dev *v);	      /* NULL: write-only, reads as zero */
	void (*write)(struct virtio_dev *v, u32 val); /* NULL: read-only */
	bool lockless;				      /* takes care of itself */
};

static bool status_has(const struct virtio_dev *v, u32 set, u32 clear)
{
	u32 s = atomic_load(&v->status);

	return (s & set) == set && !(s & clear);
}

/* --- Features --------------------------------------------------------------------------------- */

static u32 read_features(struct virtio_dev *v)
{
	return v->features_sel < 2 ? (u32)(v->features >> (32 * v->features_sel)) : 0;
}

static void write_features_sel(struct virtio_dev *v, u32 val)
{
	v->features_sel = val;
}

static void write_driver_features(struct virtio_dev *v, u32 val)
{
	unsigned shift = 32 * v->driver_features_sel;

	if (v->driver_features_sel >= 2 || !status_has(v, S_DRIVER, S_FEATURES_OK | S_FAILED))
		return;
	v->driver_features &= ~(0xffffffffull << shift);
	v->driver_features |= (u64)val << shift;
}

static void write_driver_features_sel(struct virtio_dev *v, u32 val)
{
	v->driver_features_sel = val;
}

static bool features_acceptable(const struct virtio_dev *v)
{
	return !(v->driver_features & ~v->features) && v->driver_features & BIT(VIRTIO_F_VERSION_1);
}

/* --- Queues ----------------------------------------------------------------------------------- */

/* The selected queue, or NULL: the one place where the guest's number becomes an index. */
static struct virtq_config *selected(struct virtio_dev *v)
{
	return v->queue_sel < v->nqueues ? &v->queue[v->queue_sel] : NULL;
}

/* The selected queue if its description may be changed now. */
static struct virtq_config *changeable(struct virtio_dev *v)
{
	struct virtq_config *q = selected(v);

	if (!q || q->ready || !status_has(v, S_FEATURES_OK, S_DRIVER_OK | S_FAILED | S_NEEDS_RESET))
		return NULL;
	return q;
}

static void write_queue_sel(struct virtio_dev *v, u32 val)
{
	v->queue_sel = val;
}

static u32 read_queue_max(struct virtio_dev *v)
{
	return selected(v) ? v->queue_max[v->queue_sel] : 0;
}

static void write_queue_size(struct virtio_dev *v, u32 val)
{
	struct virtq_config *q = changeable(v);

	if (q) /* a value over 16 bits must not turn into a valid one */
		q->size = val > 0xffff ? 0 : (u16)val;
}

static u32 read_queue_ready(struct virtio_dev *v)
{
	struct virtq_config *q = selected(v);

	return q && q->ready;
}

static void write_queue_ready(struct virtio_dev *v, u32 val)
{
	struct virtq_config *q = selected(v);

	if (q && status_has(v, S_FEATURES_OK, S_DRIVER_OK | S_FAILED | S_NEEDS_RESET))
		q->ready = val & 1;
}

static void set_half(gpa_t *addr, bool high, u32 val)
{
	addr->v = high ? (u32)addr->v | (u64)val << 32 : (addr->v & ~0xffffffffull) | val;
}

#define QUEUE_ADDR(name, field)                                        \
	static void write_##name##_low(struct virtio_dev *v, u32 val)  \
	{                                                              \
		struct virtq_config *q = changeable(v);                \
                                                                       \
		if (q)                                                 \
			set_half(&q->field, false, val);               \
	}                                                              \
	static void write_##name##_high(struct virtio_dev *v, u32 val) \
	{                                                              \
		struct virtq_config *q = changeable(v);                \
                                                                       \
		if (q)                                                 \
			set_half(&q->field, true, val);                \
	}

QUEUE_ADDR(queue_desc, desc)
QUEUE_ADDR(queue_driver, avail)
QUEUE_ADDR(queue_device, used)

static void write_queue_notify(struct virtio_dev *v, u32 val)
{
	if (val >= v->nqueues || !status_has(v, S_DRIVER_OK, S_NEEDS_RESET))
		return;
	atomic_fetch_add_explicit(&v->stats.kicks, 1, memory_order_relaxed);
	worker_kick(&v->worker, BIT(val));
}

/* --- Interrupts, status, the rest ------------------------------------------------------------- */

static u32 read_isr(struct virtio_dev *v)
{
	u32 isr;

	pthread_mutex_lock(&v->leaf);
	isr = v->isr;
	pthread_mutex_unlock(&v->leaf);
	return isr;
}

static u32 read_status(struct virtio_dev *v)
{
	return atomic_load(&v->status);
}

/*
 * Bits are only ever added, in the order of 3.1.1; what comes too early is left out, and the driver
 * finds it missing when it reads the register back.
 */
static void write_status(struct virtio_dev *v, u32 val)
{
	u32 old = atomic_load(&v->status);
	u32 add = val & ~old & (S_ACK | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK | S_FAILED);

	if (!val) {
		virtio_reset_locked(v);
		return;
	}
	if (add & S_DRIVER && !((old | add) & S_ACK))
		add &= ~S_DRIVER;
	if (add & S_FEATURES_OK && (!((old | add) & S_DRIVER) || !features_acceptable(v)))
		add &= ~S_FEATURES_OK;
	if (add & S_DRIVER_OK &&
	    (!((old | add) & S_FEATURES_OK) || (old | add) & S_FAILED || old & S_NEEDS_RESET))
		add &= ~S_DRIVER_OK;
	atomic_fetch_or(&v->status, add);
	if (add & S_DRIVER_OK && virtio_activate(v))
		virtio_needs_reset(v, "a queue has a bad size, alignment or address");
}

static u32 read_magic(struct virtio_dev *v)
{
	return MMIO_MAGIC;
}

static u32 read_version(struct virtio_dev *v)
{
	return MMIO_VERSION;
}

static u32 read_device_id(struct virtio_dev *v)
{
	return v->cls->device_id;
}

static u32 read_vendor(struct virtio_dev *v)
{
	return MMIO_VENDOR;
}

static u32 read_config_generation(struct virtio_dev *v)
{
	u32 generation;

	pthread_mutex_lock(&v->leaf);
	generation = v->config_generation;
	pthread_mutex_unlock(&v->leaf);
	return generation;
}

/* No device here has shared memory: length -1 says so (4.2.2). */
static u32 read_no_shm(struct virtio_dev *v)
{
	return 0xffffffff;
}

static const struct reg regs[] = {
	{VIRTIO_MMIO_MAGIC_VALUE, read_magic, NULL, true},
	{VIRTIO_MMIO_VERSION, read_version, NULL, true},
	{VIRTIO_MMIO_DEVICE_ID, read_device_id, NULL, true},
	{VIRTIO_MMIO_VENDOR_ID, read_vendor, NULL, true},
	{VIRTIO_MMIO_DEVICE_FEATURES, read_features, NULL, false},
	{VIRTIO_MMIO_DEVICE_FEATURES_SEL, NULL, write_features_sel, false},
	{VIRTIO_MMIO_DRIVER_FEATURES, NULL, write_driver_features, false},
	{VIRTIO_MMIO_DRIVER_FEATURES_SEL, NULL, write_driver_features_sel, false},
	{VIRTIO_MMIO_QUEUE_SEL, NULL, write_queue_sel, false},
	{VIRTIO_MMIO_QUEUE_NUM_MAX, read_queue_max, NULL, false},
	{VIRTIO_MMIO_QUEUE_NUM, NULL, write_queue_size, false},
	{VIRTIO_MMIO_QUEUE_READY, read_queue_ready, write_queue_ready, false},
	{VIRTIO_MMIO_QUEUE_NOTIFY, NULL, write_queue_notify, true},
	{VIRTIO_MMIO_INTERRUPT_STATUS, read_isr, NULL, true},
	{VIRTIO_MMIO_INTERRUPT_ACK, NULL, virtio_interrupt_ack, true},
	{VIRTIO_MMIO_STATUS, read_status, write_status, false},
	{VIRTIO_MMIO_QUEUE_DESC_LOW, NULL, write_queue_desc_low, false},
	{VIRTIO_MMIO_QUEUE_DESC_HIGH, NULL, write_queue_desc_high, false},
	{VIRTIO_MMIO_QUEUE_AVAIL_LOW, NULL, write_queue_driver_low, false},
	{VIRTIO_MMIO_QUEUE_AVAIL_HIGH, NULL, write_queue_driver_high, false},
	{VIRTIO_MMIO_QUEUE_USED_LOW, NULL, write_queue_device_low, false},
	{VIRTIO_MMIO_QUEUE_USED_HIGH, NULL, write_queue_device_high, false},
	{VIRTIO_MMIO_SHM_LEN_LOW, read_no_shm, NULL, true},
	{VIRTIO_MMIO_SHM_LEN_HIGH, read_no_shm, NULL, true},
	{VIRTIO_MMIO_SHM_BASE_LOW, read_no_shm, NULL, true},
	{VIRTIO_MMIO_SHM_BASE_HIGH, read_no_shm, NULL, true},
	{VIRTIO_MMIO_CONFIG_GENERATION, read_config_generation, NULL, true},
};

static const struct reg *find_reg(u64 offset, unsigned size)
{
	if (size != 4 || offset % 4)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(regs); i++)
		if (regs[i].offset == offset)
			return &regs[i];
	return NULL;
}

/* --- Access ----------------------------------------------------------------------------------- */

static bool valid_size(unsigned size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

/* Configuration space: 1, 2, 4 or 8 bytes, aligned, wholly inside (4.2.2.2). */
static bool config_access_ok(const struct virtio_dev *v, u64 off, unsigned size)
{
	return off % size == 0 && off < v->config_len && size <= v->config_len - off;
}

static u64 config_read(struct virtio_dev *v, u64 off, unsigned size)
{
	u64 val = 0;

	if (!config_access_ok(v, off, size))
		return 0;
	pthread_mutex_lock(&v->leaf);
	memcpy(&val, v->config + off, size);
	pthread_mutex_unlock(&v->leaf);
	return val;
}

static void config_write(struct virtio_dev *v, u64 off, unsigned size, u64 val)
{
	if (!v->cls->config_write || !config_access_ok(v, off, size))
		return;
	pthread_mutex_lock(&v->leaf);
	v->cls->config_write(v, (u32)off, size, val);
	pthread_mutex_unlock(&v->leaf);
}

int virtio_mmio_read(struct device *dev, u64 offset, unsigned size, u64 *val)
{
	struct virtio_dev *v = virtio_from_device(dev);
	const struct reg *r;

	*val = 0;
	if (!valid_size(size))
		return -EINVAL;
	if (offset >= VIRTIO_MMIO_CONFIG) {
		*val = config_read(v, offset - VIRTIO_MMIO_CONFIG, size);
		return 0;
	}
	r = find_reg(offset, size);
	if (!r || !r->read) {
		if (!r)
			warn_ratelimited("%s %s: guest reads %u bytes at %#llx, no such register",
					 v->cls->name, dev->id, size, (unsigned long long)offset);
		return 0;
	}
	if (!r->lockless)
		pthread_mutex_lock(&v->lock);
	*val = r->read(v);
	if (!r->lockless)
		pthread_mutex_unlock(&v->lock);
	return 0;
}

int virtio_mmio_write(struct device *dev, u64 offset, unsigned size, u64 val)
{
	struct virtio_dev *v = virtio_from_device(dev);
	const struct reg *r;

	if (!valid_size(size))
		return -EINVAL;
	if (offset >= VIRTIO_MMIO_CONFIG) {
		config_write(v, offset - VIRTIO_MMIO_CONFIG, size, val);
		return 0;
	}
	r = find_reg(offset, size);
	if (!r || !r->write) {
		if (!r)
			warn_ratelimited("%s %s: guest writes %u bytes at %#llx, no such register",
					 v->cls->name, dev->id, size, (unsigned long long)offset);
		return 0;
	}
	if (!r->lockless)
		pthread_mutex_lock(&v->lock);
	r->write(v, (u32)val);
	if (!r->lockless)
		pthread_mutex_unlock(&v->lock);
	return 0;
}

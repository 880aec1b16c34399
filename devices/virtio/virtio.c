/* SPDX-License-Identifier: MIT */
#include "devices/virtio/virtio.h"

#include <errno.h>
#include <linux/virtio_mmio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

/* --- Interrupts and configuration ------------------------------------------------------------- */

void virtio_interrupt(struct virtio_dev *v, u32 bits)
{
	pthread_mutex_lock(&v->leaf);
	v->isr |= bits;
	irq_set(&v->irq, true);
	pthread_mutex_unlock(&v->leaf);
	atomic_fetch_add_explicit(&v->stats.interrupts, 1, memory_order_relaxed);
}

void virtio_interrupt_ack(struct virtio_dev *v, u32 bits)
{
	/* Under the lock: a bit set between the test and the line's fall would be lost. */
	pthread_mutex_lock(&v->leaf);
	v->isr &= ~bits;
	if (!v->isr)
		irq_set(&v->irq, false);
	pthread_mutex_unlock(&v->leaf);
}

void virtio_config_update(struct virtio_dev *v, u32 off, const void *bytes, u32 len)
{
	pthread_mutex_lock(&v->leaf);
	if (off <= v->config_len && len <= v->config_len - off) {
		memcpy(v->config + off, bytes, len);
		v->config_generation++;
	}
	pthread_mutex_unlock(&v->leaf);
	if (atomic_load(&v->status) & VIRTIO_CONFIG_S_DRIVER_OK)
		virtio_interrupt(v, VIRTIO_MMIO_INT_CONFIG);
}

void virtio_needs_reset(struct virtio_dev *v, const char *why)
{
	u32 old = atomic_fetch_or(&v->status, VIRTIO_CONFIG_S_NEEDS_RESET);

	atomic_fetch_add_explicit(&v->stats.guest_errors, 1, memory_order_relaxed);
	if (old & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	warn_ratelimited("%s %s: %s; stopped until the guest resets it", v->cls->name, v->dev.id,
			 why);
	if (old & VIRTIO_CONFIG_S_DRIVER_OK) /* virtio 1.2, 2.1.2 */
		virtio_interrupt(v, VIRTIO_MMIO_INT_CONFIG);
}

/* --- Queues, on the worker's thread ----------------------------------------------------------- */

void virtio_broken(struct virtio_dev *v, unsigned q, const char *why)
{
	/* The whole device stops: its driver cannot be trusted with the other queues either. */
	for (unsigned i = 0; i < v->nqueues; i++)
		if (virtq_active(&v->vq[i]))
			v->vq[i].broken = why;
	virtio_needs_reset(v, why);
}

bool virtio_pop(struct virtio_dev *v, unsigned q, struct virtq_chain *chain)
{
	bool was_broken = v->vq[q].broken;
	int ret = virtq_pop(&v->vq[q], chain);

	if (ret < 0 && !was_broken)
		virtio_broken(v, q, v->vq[q].broken);
	if (ret > 0)
		atomic_fetch_add_explicit(&v->stats.chains, 1, memory_order_relaxed);
	return ret > 0;
}

void virtio_push(struct virtio_dev *v, unsigned q, const struct virtq_chain *chain, u32 written)
{
	if (!virtq_push(&v->vq[q], chain, written))
		virtq_publish(&v->vq[q]);
}

void virtio_signal(struct virtio_dev *v, unsigned q)
{
	if (virtq_should_signal(&v->vq[q]))
		virtio_interrupt(v, VIRTIO_MMIO_INT_VRING);
}

void virtio_drain(struct virtio_dev *v, unsigned q,
		  bool (*handle)(struct virtio_dev *v, unsigned q, struct virtq_chain *chain))
{
	struct virtq *vq = &v->vq[q];
	bool stop = false;

	do {
		virtq_disable_kicks(vq);
		while (!stop) {
			if (worker_wanted(&v->worker)) {
				worker_kick(&v->worker, BIT(q));
				stop = true;
			} else if (!virtio_pop(v, q, &v->chain)) {
				break;
			} else {
				stop = !handle(v, q, &v->chain);
			}
		}
		virtio_signal(v, q);
	} while (virtq_enable_kicks(vq) && !stop);
}

static void kicked(void *opaque, u64 bits)
{
	struct virtio_dev *v = opaque;

	for (; bits; bits &= bits - 1) {
		unsigned q = (unsigned)__builtin_ctzll(bits);

		if (virtq_active(&v->vq[q]) && !v->vq[q].broken)
			v->cls->notify(v, q);
	}
}

static void wait_hook(void *opaque, struct worker *w)
{
	struct virtio_dev *v = opaque;

	v->cls->wait(v);
}

static const struct worker_ops worker_ops = {.kicked = kicked};
static const struct worker_ops worker_ops_wait = {.kicked = kicked, .wait = wait_hook};

/* --- Activation and reset --------------------------------------------------------------------- */

struct activation {
	struct virtio_dev *v;
	int ret;
};

static void activate_on_worker(void *arg)
{
	struct activation *a = arg;
	struct virtio_dev *v = a->v;

	v->generation++;
	v->negotiated = v->driver_features;
	for (unsigned q = 0; q < v->nqueues && !a->ret; q++) {
		if (!v->queue[q].ready)
			continue;
		a->ret = virtq_activate(&v->vq[q], &v->queue[q], v->queue_max[q], v->mem,
					v->negotiated, v->generation);
	}
	if (a->ret) {
		for (unsigned q = 0; q < v->nqueues; q++)
			virtq_deactivate(&v->vq[q]);
		return;
	}
	if (v->cls->activated)
		v->cls->activated(v);
}

int virtio_activate(struct virtio_dev *v)
{
	struct activation a = {.v = v};
	u64 bits = 0;

	worker_call(&v->worker, activate_on_worker, &a);
	if (a.ret)
		return a.ret;
	/* Buffers made available before DRIVER_OK may never be kicked for. */
	for (unsigned q = 0; q < v->nqueues; q++)
		if (v->queue[q].ready)
			bits |= BIT(q);
	worker_kick(&v->worker, bits);
	return 0;
}

static void reset_on_worker(void *arg)
{
	struct virtio_dev *v = arg;

	/*
	 * The thread has finished its request and holds no chain across calls; whatever a back end
	 * should still complete carries an old generation.
	 */
	if (v->cls->reset)
		v->cls->reset(v);
	for (unsigned q = 0; q < v->nqueues; q++)
		virtq_deactivate(&v->vq[q]);
	v->generation++;
	v->negotiated = 0;
	atomic_store(&v->worker.kicks, 0);
}

void virtio_reset_locked(struct virtio_dev *v)
{
	worker_call(&v->worker, reset_on_worker, v);
	v->features_sel = v->driver_features_sel = v->queue_sel = 0;
	v->driver_features = 0;
	memset(v->queue, 0, sizeof(v->queue));
	atomic_store(&v->status, 0);
	virtio_interrupt_ack(v, ~0u);
}

static void device_reset(struct device *dev)
{
	struct virtio_dev *v = virtio_from_device(dev);

	pthread_mutex_lock(&v->lock);
	virtio_reset_locked(v);
	pthread_mutex_unlock(&v->lock);
}

static void device_pause(struct device *dev)
{
	worker_pause(&virtio_from_device(dev)->worker);
}

static void device_resume(struct device *dev)
{
	worker_resume(&virtio_from_device(dev)->worker);
}

/* --- Save and load ---------------------------------------------------------------------------- */

struct saved_queue {
	u64 desc, avail, used;
	u16 size, ready, next_avail, next_used;
};

struct saved_virtio {
	u32 device_id, nqueues;
	u64 features, driver_features;
	u32 features_sel, driver_features_sel, queue_sel;
	u32 status, isr, config_generation, config_len;
	u32 device_len; /* of the device's own state, behind the queues and the configuration */
};

_Static_assert(sizeof(struct saved_queue) == 32 && sizeof(struct saved_virtio) == 56,
	       "no padding: the record is the same on every host");

static ssize_t device_save(struct device *dev, void *buf, size_t cap)
{
	struct virtio_dev *v = virtio_from_device(dev);
	struct saved_virtio s = {.device_id = v->cls->device_id,
				 .nqueues = v->nqueues,
				 .features = v->features,
				 .driver_features = v->driver_features,
				 .features_sel = v->features_sel,
				 .driver_features_sel = v->driver_features_sel,
				 .queue_sel = v->queue_sel,
				 .status = atomic_load(&v->status),
				 .isr = v->isr,
				 .config_generation = v->config_generation,
				 .config_len = v->config_len};
	size_t at = sizeof(s) + v->nqueues * sizeof(struct saved_queue) + v->config_len;
	u8 *out = (u8 *)buf + sizeof(s);

	if (cap < at)
		return -ENOSPC;
	for (unsigned q = 0; q < v->nqueues; q++) {
		const struct virtq_config *c = &v->queue[q];
		struct saved_queue sq = {.desc = c->desc.v,
					 .avail = c->avail.v,
					 .used = c->used.v,
					 .size = c->size,
					 .ready = c->ready,
					 .next_avail = v->vq[q].next_avail,
					 .next_used = v->vq[q].next_used};

		memcpy(out, &sq, sizeof(sq));
		out += sizeof(sq);
	}
	memcpy(out, v->config, v->config_len);
	if (v->cls->save) {
		ssize_t n = v->cls->save(v, out + v->config_len, cap - at);

		if (n < 0)
			return n;
		s.device_len = (u32)n;
	}
	memcpy(buf, &s, sizeof(s));
	return (ssize_t)(at + s.device_len);
}

static int restore_queues(struct virtio_dev *v, const struct saved_queue *sq)
{
	struct activation a = {.v = v};

	if (!(atomic_load(&v->status) & VIRTIO_CONFIG_S_DRIVER_OK) ||
	    atomic_load(&v->status) & VIRTIO_CONFIG_S_NEEDS_RESET)
		return 0;
	worker_call(&v->worker, activate_on_worker, &a);
	for (unsigned q = 0; q < v->nqueues && !a.ret; q++)
		if (v->queue[q].ready)
			a.ret = virtq_restore(&v->vq[q], sq[q].next_avail, sq[q].next_used);
	if (!a.ret)
		worker_kick(&v->worker, BITS(~0ull, v->nqueues - 1, 0));
	return a.ret;
}

/* The record is checked as if the guest had written it through the registers. */
static int load_registers(struct virtio_dev *v, const struct saved_virtio *s,
			  const struct saved_queue *sq)
{
	if (s->device_id != v->cls->device_id || s->nqueues != v->nqueues ||
	    s->features != v->features || s->driver_features & ~v->features ||
	    s->config_len != v->config_len || s->status & ~0xffu || s->isr & ~3u)
		return -EINVAL;
	v->driver_features = s->driver_features;
	v->features_sel = s->features_sel;
	v->driver_features_sel = s->driver_features_sel;
	v->queue_sel = s->queue_sel;
	v->config_generation = s->config_generation;
	for (unsigned q = 0; q < v->nqueues; q++) {
		if (sq[q].ready > 1)
			return -EINVAL;
		v->queue[q] = (struct virtq_config){.size = sq[q].size,
						    .ready = sq[q].ready,
						    .desc = GPA(sq[q].desc),
						    .avail = GPA(sq[q].avail),
						    .used = GPA(sq[q].used)};
	}
	atomic_store(&v->status, s->status);
	return 0;
}

static int load_locked(struct virtio_dev *v, const u8 *buf, size_t len)
{
	struct saved_queue sq[VIRTIO_MAX_QUEUES];
	struct saved_virtio s;
	size_t queues = v->nqueues * sizeof(sq[0]);
	int ret;

	if (len < sizeof(s) + queues + v->config_len)
		return -EINVAL;
	memcpy(&s, buf, sizeof(s));
	memcpy(sq, buf + sizeof(s), queues);
	if (s.device_len != len - sizeof(s) - queues - v->config_len)
		return -EINVAL;
	ret = load_registers(v, &s, sq);
	if (ret)
		return ret;
	memcpy(v->config, buf + sizeof(s) + queues, v->config_len);
	/* The device's own part: it also puts right what the back end says better. */
	if (v->cls->load)
		ret = v->cls->load(v, buf + len - s.device_len, s.device_len);
	else if (s.device_len)
		ret = -EINVAL;
	if (!ret)
		ret = restore_queues(v, sq);
	if (!ret && s.isr)
		virtio_interrupt(v, s.isr);
	return ret;
}

static int device_load(struct device *dev, u32 version, const void *buf, size_t len)
{
	struct virtio_dev *v = virtio_from_device(dev);
	int ret;

	if (version != v->cls->version)
		return -ENOTSUP;
	pthread_mutex_lock(&v->lock);
	virtio_reset_locked(v);
	ret = load_locked(v, buf, len);
	if (ret)
		virtio_reset_locked(v);
	pthread_mutex_unlock(&v->lock);
	return ret;
}

/* --- Life ------------------------------------------------------------------------------------- */

static void device_destroy(struct device *dev)
{
	virtio_destroy(virtio_from_device(dev));
}

const struct device_ops virtio_mmio_ops = {
	.name = "virtio-mmio",
	.version = 1,
	.mmio_read = virtio_mmio_read,
	.mmio_write = virtio_mmio_write,
	.reset = device_reset,
	.pause = device_pause,
	.resume = device_resume,
	.save = device_save,
	.load = device_load,
	.destroy = device_destroy,
};

int virtio_init(struct virtio_dev *v, const struct virtio_class *cls, const char *id,
		const struct guest_mem *mem, const struct irq_line *irq, const char **err)
{
	int ret;

	v->dev.ops = &virtio_mmio_ops;
	snprintf(v->dev.id, sizeof(v->dev.id), "%s", id);
	v->cls = cls;
	v->mem = mem;
	v->irq = *irq;
	v->features = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |
		      BIT(VIRTIO_RING_F_EVENT_IDX);
	pthread_mutex_init(&v->lock, NULL);
	pthread_mutex_init(&v->leaf, NULL);
	ret = worker_init(&v->worker, cls->wait ? &worker_ops_wait : &worker_ops, v);
	if (ret)
		*err = "cannot make the event descriptors of the device's thread";
	return ret;
}

int virtio_start(struct virtio_dev *v, enum sandbox_mode mode, const char **err)
{
	return worker_start(&v->worker, v->dev.id, v->cls->role, mode, err);
}

void virtio_destroy(struct virtio_dev *v)
{
	if (!v->cls)
		return;
	worker_destroy(&v->worker);
	if (v->cls->destroy)
		v->cls->destroy(v);
	pthread_mutex_destroy(&v->leaf);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

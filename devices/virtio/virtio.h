/* SPDX-License-Identifier: MIT */
/*
 * A virtio device: what the transport (mmio.c) shows of it, its queues, its thread, and its state
 * in reset, save and load.
 *
 * Locks and threads. vCPU threads come through the transport, the device's thread (worker) works on
 * the queues: lock    transport registers. Taken by vCPUs and by save/load; held across
 * worker_call(), so the worker never takes it. leaf    interrupt status with the level of the line,
 * and the configuration space. Innermost. vq, negotiated   the worker's own: an activated copy of
 * what the registers said at DRIVER_OK. Register writes reach it only through worker_call()
 * (activation, reset). status  atomic: the worker may add DEVICE_NEEDS_RESET.
 */
#ifndef ARMATURE_VIRTIO_H
#define ARMATURE_VIRTIO_H

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <stdatomic.h>

#include "common/guest_mem.h"
#include "common/irq.h"
#include "common/sandbox.h"
#include "devices/device.h"
#include "devices/virtio/queue.h"
#include "devices/virtio/worker.h"

#define VIRTIO_MMIO_SIZE  0x200 /* register window, configuration space included */
#define VIRTIO_CONFIG_MAX 0x100
#define VIRTIO_MAX_QUEUES 32

struct virtio_dev;

/* A kind of device. All callbacks but config_write and destroy run on the device's thread. */
struct virtio_class {
	const char *name; /* "virtio-blk": the record's name and the word for messages */
	u32 device_id;
	u32 version; /* of the save record */
	const struct sandbox_role *role;
	/* Queue q may have new chains. Also called once for every active queue at activation. */
	void (*notify)(struct virtio_dev *v, unsigned q);
	/*
	 * Optional: after the queues became live (not to be popped from yet: a load sets their
	 * positions afterwards) / before they go.
	 */
	void (*activated)(struct virtio_dev *v);
	void (*reset)(struct virtio_dev *v);
	/*
	 * Optional: the driver wrote v->config[off..off+size) through the transport; the new bytes
	 * are in `val`. Called on a vCPU thread with `leaf` held; stores what it accepts. Without
	 * it writes are ignored.
	 */
	void (*config_write)(struct virtio_dev *v, u32 off, unsigned size, u64 val);
	/*
	 * Optional: device state beyond the transport's; device paused, on the caller's thread. At
	 * load the configuration space has its saved bytes: nothing may rely on those but the
	 * guest.
	 */
	ssize_t (*save)(struct virtio_dev *v, void *buf, size_t cap);
	int (*load)(struct virtio_dev *v, const void *buf, size_t len);
	/* Optional: in place of epoll_wait, see worker.h. */
	void (*wait)(struct virtio_dev *v);
	/* After the thread has ended: closes the back end. virtio_destroy frees `v` itself. */
	void (*destroy)(struct virtio_dev *v);
};

struct virtio_stats {
	_Atomic u64 kicks, interrupts, chains, guest_errors;
};

struct virtio_dev {
	struct device dev; /* first */
	const struct virtio_class *cls;
	const struct guest_mem *mem;
	struct irq_line irq;
	u64 features; /* offered, VERSION_1 and the ring's included */
	unsigned nqueues;
	u16 queue_max[VIRTIO_MAX_QUEUES];
	struct worker worker;
	struct virtio_stats stats;

	pthread_mutex_t lock;
	u32 features_sel, driver_features_sel, queue_sel;
	u64 driver_features;
	struct virtq_config queue[VIRTIO_MAX_QUEUES];
	_Atomic u32 status;

	pthread_mutex_t leaf;
	u32 isr;
	u32 config_generation;
	u32 config_len;
	u8 config[VIRTIO_CONFIG_MAX];

	u64 negotiated;
	u32 generation; /* activations so far */
	struct virtq vq[VIRTIO_MAX_QUEUES];
	struct virtq_chain chain; /* scratch of the worker */
};

/*
 * For constructors: `v` is zeroed memory from calloc, the device's struct with virtio_dev first.
 * Fill v->features, nqueues, queue_max, config_len and config after init, add sources to the
 * worker, then start. 0 or a negative errno with *err a static sentence; after a failed init or
 * start call virtio_destroy.
 */
int virtio_init(struct virtio_dev *v, const struct virtio_class *cls, const char *id,
		const struct guest_mem *mem, const struct irq_line *irq, const char **err);
int virtio_start(struct virtio_dev *v, enum sandbox_mode mode, const char **err);
void virtio_destroy(struct virtio_dev *v);

static inline bool virtio_has(const struct virtio_dev *v, unsigned feature)
{
	return v->negotiated & BIT(feature);
}
static inline struct virtio_dev *virtio_from_device(struct device *dev)
{
	return container_of(dev, struct virtio_dev, dev);
}

/* --- For devices, on the worker's thread ------------------------------------------------------ */

/*
 * Next chain of queue q into `chain`; false when there is none. A ring the driver broke sets
 * DEVICE_NEEDS_RESET here; the device just stops.
 */
bool virtio_pop(struct virtio_dev *v, unsigned q, struct virtq_chain *chain);
/* Returns a chain and makes it visible; the interrupt is virtio_signal's. */
void virtio_push(struct virtio_dev *v, unsigned q, const struct virtq_chain *chain, u32 written);
/* Interrupts the driver if it wants that for what was pushed to q. */
void virtio_signal(struct virtio_dev *v, unsigned q);
/* The driver broke the device's protocol beyond what an answer can tell: stop until it resets. */
void virtio_broken(struct virtio_dev *v, unsigned q, const char *why);

/*
 * Empties queue q: kicks off, `handle` for each chain (which pushes it), kicks on again, until
 * nothing is left. `handle` returns false to stop early (back end full): kicks are then on or the
 * device asks for another look itself. Also stops when the thread is wanted for control, with the
 * rest kicked anew.
 */
void virtio_drain(struct virtio_dev *v, unsigned q,
		  bool (*handle)(struct virtio_dev *v, unsigned q, struct virtq_chain *chain));

/* --- Any thread ------------------------------------------------------------------------------- */

/* Replaces configuration bytes and tells the driver. Not under `leaf`. */
void virtio_config_update(struct virtio_dev *v, u32 off, const void *bytes, u32 len);

/* --- Between virtio.c and the transport ------------------------------------------------------- */

extern const struct device_ops virtio_mmio_ops; /* mmio.c */
int virtio_mmio_read(struct device *dev, u64 offset, unsigned size, u64 *val);
int virtio_mmio_write(struct device *dev, u64 offset, unsigned size, u64 val);

/* With `lock` held. Activation: 0, or -errno when a queue was described wrongly. */
int virtio_activate(struct virtio_dev *v);
void virtio_reset_locked(struct virtio_dev *v);
void virtio_needs_reset(struct virtio_dev *v, const char *why);
/* Sets bits of the interrupt status / takes acknowledged ones away, with the line's level. */
void virtio_interrupt(struct virtio_dev *v, u32 bits);
void virtio_interrupt_ack(struct virtio_dev *v, u32 bits);

#endif

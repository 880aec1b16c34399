/* SPDX-License-Identifier: MIT */
/*
 * The device side of a split virtqueue (virtio 1.2, 2.7).
 *
 * The guest owns every byte of the rings and may change any of them at any time. So: geometry is
 * checked once, at activation, and kept here, out of the guest's reach; a descriptor is copied once
 * and only the copy is looked at; every address goes through guest_slice(). What breaks the
 * rules makes the queue broken for good (until reset), never more than that.
 *
 * One thread, the device's, uses a virtq. Nothing here allocates.
 */
#ifndef ARMATURE_VIRTIO_QUEUE_H
#define ARMATURE_VIRTIO_QUEUE_H

#include <sys/uio.h>

#include "common/guest_mem.h"
#include "common/types.h"

#define VIRTQ_MAX_SIZE 256

/* A queue as the driver describes it through the transport; untrusted. */
struct virtq_config {
	u16 size;
	bool ready;
	gpa_t desc, avail, used;
};

struct virtq_desc; /* the ring's own layouts are private to queue.c */
struct virtq_avail;
struct virtq_used;

struct virtq {
	const struct guest_mem *mem;
	const struct virtq_desc *desc;
	struct virtq_avail *avail;
	struct virtq_used *used;
	u16 size; /* power of two, 1..VIRTQ_MAX_SIZE; 0: not active */
	u16 next_avail;
	u16 seen_avail; /* the driver's index when it was last looked at */
	u16 next_used;	/* of the elements pushed */
	u16 published;	/* of the elements the driver can see */
	u16 signalled;	/* value of `published` at the last decision to interrupt */
	bool signalled_valid;
	bool indirect, event_idx; /* negotiated */
	const char *broken;	  /* what the driver did wrong, or NULL */
	u32 generation;	    /* of the activation; a chain of an earlier one cannot be pushed */
	unsigned in_flight; /* chains popped and not pushed */
	u64 in_flight_heads[VIRTQ_MAX_SIZE / 64];
};

/*
 * A descriptor chain: the readable buffers first, then the writable ones. Every iov lies in guest
 * RAM. The contents may change under the reader: copy once, then check the copy.
 */
struct virtq_chain {
	u16 head;
	u32 generation;
	unsigned nread, nwrite;	 /* entries in iov */
	u32 read_len, write_len; /* bytes; their sum fits 32 bits */
	struct iovec iov[VIRTQ_MAX_SIZE];
};

/*
 * Checks the driver's description and makes the queue live with ring positions 0. `max` is the
 * largest size the device offers. 0; -EINVAL for a bad size or alignment, -EFAULT for a ring not
 * wholly in RAM.
 */
int virtq_activate(struct virtq *vq, const struct virtq_config *cfg, unsigned max,
		   const struct guest_mem *mem, u64 features, u32 generation);
void virtq_deactivate(struct virtq *vq);
static inline bool virtq_active(const struct virtq *vq)
{
	return vq->size != 0;
}

/* Continues at restored positions; -EINVAL for positions no queue can have. */
int virtq_restore(struct virtq *vq, u16 next_avail, u16 next_used);

/* 1: `chain` is the next one; 0: nothing available; -EIO: the queue is (or now became) broken. */
int virtq_pop(struct virtq *vq, struct virtq_chain *chain);
/* Gives back the chain popped last, untouched. Several go back in reverse order. */
void virtq_unpop(struct virtq *vq, const struct virtq_chain *chain);
/*
 * Returns the chain with `written` bytes written to its writable buffers; visible to the driver
 * after virtq_publish. A chain that is not in flight, or of an earlier activation, is refused:
 * -ESTALE.
 */
int virtq_push(struct virtq *vq, const struct virtq_chain *chain, u32 written);
void virtq_publish(struct virtq *vq);
/* After publishing: does the driver want an interrupt? Asking takes note that it gets one. */
bool virtq_should_signal(struct virtq *vq);

/*
 * Kicks are off while the device empties the queue. After switching them on the queue must be
 * looked at once more: true says that something came in meanwhile.
 */
void virtq_disable_kicks(struct virtq *vq);
bool virtq_enable_kicks(struct virtq *vq);
/*
 * For a device that has popped all there was, found it too little and given it back: asks for a
 * kick when more comes. True: more has come meanwhile, try again.
 */
bool virtq_wait_for_more(struct virtq *vq);
/* Chains the driver has made available and the device has not popped (at most the size). */
unsigned virtq_pending(struct virtq *vq);

/* Copies from the readable / to the writable part at `off`; bytes copied (less at its end). */
size_t virtq_read(const struct virtq_chain *chain, size_t off, void *dst, size_t len);
size_t virtq_write(const struct virtq_chain *chain, size_t off, const void *src, size_t len);
/*
 * The part [off, off + len) of the readable (or writable) buffers as an iovec array. Number of
 * entries, or -EINVAL when the part is not there or needs more than `max`.
 */
int virtq_slice(const struct virtq_chain *chain, bool writable, size_t off, size_t len,
		struct iovec *iov, unsigned max);

#endif

/* SPDX-License-Identifier: MIT */
#include "devices/virtio/queue.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>

/* virtio 1.2, 2.7.5 to 2.7.8. The host is little-endian, as the rings are. */
struct virtq_desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

struct virtq_avail {
	u16 flags;
	u16 idx;
	u16 ring[]; /* [size] is used_event */
};

struct virtq_used_elem {
	u32 id;
	u32 len;
};

struct virtq_used {
	u16 flags;
	u16 idx;
	struct virtq_used_elem ring[]; /* [size] is avail_event */
};

_Static_assert(sizeof(struct virtq_desc) == 16, "layout fixed by the specification");
_Static_assert(sizeof(struct virtq_used_elem) == 8, "layout fixed by the specification");

/* Every access to a ring is one atomic access: no second read, no torn value. */
#define RING_LOAD(p)	     __atomic_load_n((p), __ATOMIC_RELAXED)
#define RING_LOAD_ACQ(p)     __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define RING_STORE(p, v)     __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define RING_STORE_REL(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

/* A store to the ring before a load from it; as on the host, which is x86 (TSan knows no fences).
 */
static inline void full_barrier(void)
{
	__asm__ volatile("lock orl $0, (%%rsp)" ::: "memory", "cc");
}

static int break_queue(struct virtq *vq, const char *why)
{
	vq->broken = why;
	return -EIO;
}

int virtq_activate(struct virtq *vq, const struct virtq_config *cfg, unsigned max,
		   const struct guest_mem *mem, u64 features, u32 generation)
{
	struct virtq q = {.mem = mem, .size = cfg->size, .generation = generation};

	if (!cfg->size || cfg->size > max || cfg->size > VIRTQ_MAX_SIZE ||
	    cfg->size & (cfg->size - 1))
		return -EINVAL;
	if (cfg->desc.v % 16 || cfg->avail.v % 2 || cfg->used.v % 4)
		return -EINVAL;
	q.desc = guest_slice(mem, cfg->desc, 16ull * cfg->size);
	q.avail = guest_slice(mem, cfg->avail, 6 + 2ull * cfg->size);
	q.used = guest_slice(mem, cfg->used, 6 + 8ull * cfg->size);
	if (!q.desc || !q.avail || !q.used)
		return -EFAULT;
	q.indirect = features & BIT(VIRTIO_RING_F_INDIRECT_DESC);
	q.event_idx = features & BIT(VIRTIO_RING_F_EVENT_IDX);
	*vq = q;
	return 0;
}

void virtq_deactivate(struct virtq *vq)
{
	memset(vq, 0, sizeof(*vq));
}

int virtq_restore(struct virtq *vq, u16 next_avail, u16 next_used)
{
	/* Nothing is in flight in a saved device, so each chain popped was pushed. */
	if (next_avail != next_used)
		return -EINVAL;
	vq->next_avail = next_avail;
	vq->next_used = vq->published = vq->signalled = next_used;
	return 0;
}

/* --- Available chains ------------------------------------------------------------------------- */

struct walk {
	const u8 *table; /* an indirect one may have any alignment */
	u32 n;		 /* descriptors in `table` */
	u32 ttl;	 /* a chain visits none twice, so n is enough */
	u32 at;
	bool in_indirect;
};

static struct virtq_desc copy_desc(const u8 *src)
{
	struct virtq_desc d;

	memcpy(&d, src, sizeof(d));
	/* The compiler may not turn uses of the copy back into reads of guest memory. */
	__asm__ volatile("" : "+m"(d));
	return d;
}

/* virtio 1.2, 2.7.5.3: a table in one buffer, alone at the end of the chain, never nested. */
static int enter_indirect(struct virtq *vq, struct walk *w, const struct virtq_desc *d)
{
	if (!vq->indirect)
		return break_queue(vq, "indirect descriptor without the feature");
	if (w->in_indirect)
		return break_queue(vq, "indirect descriptor inside an indirect table");
	if (d->flags & VRING_DESC_F_NEXT)
		return break_queue(vq, "indirect descriptor with a next one");
	if (!d->len || d->len % sizeof(*d) || d->len / sizeof(*d) > vq->size)
		return break_queue(vq, "indirect table of a bad length");
	w->table = guest_slice(vq->mem, GPA(d->addr), d->len);
	if (!w->table)
		return break_queue(vq, "indirect table outside RAM");
	w->n = w->ttl = d->len / (u32)sizeof(*d);
	w->at = 0;
	w->in_indirect = true;
	return 0;
}

static int add_buffer(struct virtq *vq, struct virtq_chain *c, const struct virtq_desc *d)
{
	unsigned n = c->nread + c->nwrite;
	void *host = guest_slice(vq->mem, GPA(d->addr), d->len);

	if (!host)
		return break_queue(vq, "buffer outside RAM");
	/* virtio 1.2, 2.7: the whole of a chain is at most 2^32 - 1 bytes here. */
	if ((u64)c->read_len + c->write_len + d->len > UINT32_MAX)
		return break_queue(vq, "chain of more than 4 GiB");
	if (!d->len)
		return 0;
	if (n == ARRAY_SIZE(c->iov))
		return break_queue(vq, "chain of too many buffers");
	if (d->flags & VRING_DESC_F_WRITE) {
		c->nwrite++;
		c->write_len += d->len;
	} else {
		if (c->nwrite)
			return break_queue(vq, "readable buffer behind a writable one");
		c->nread++;
		c->read_len += d->len;
	}
	c->iov[n] = (struct iovec){.iov_base = host, .iov_len = d->len};
	return 0;
}

static int walk_chain(struct virtq *vq, struct virtq_chain *c, u16 head)
{
	struct walk w = {.table = (const u8 *)vq->desc, .n = vq->size, .ttl = vq->size, .at = head};
	struct virtq_desc d;
	int ret;

	c->head = head;
	c->generation = vq->generation;
	c->nread = c->nwrite = 0;
	c->read_len = c->write_len = 0;
	for (;;) {
		if (w.at >= w.n)
			return break_queue(vq, "descriptor index beyond the table");
		if (!w.ttl--)
			return break_queue(vq, "descriptor chain with a loop");
		d = copy_desc(w.table + w.at * sizeof(d));
		if (d.flags & VRING_DESC_F_INDIRECT) {
			ret = enter_indirect(vq, &w, &d);
			if (ret)
				return ret;
			continue;
		}
		ret = add_buffer(vq, c, &d);
		if (ret)
			return ret;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return 0;
		w.at = d.next;
	}
}

int virtq_pop(struct virtq *vq, struct virtq_chain *chain)
{
	u16 ahead, head;
	int ret;

	if (vq->broken)
		return -EIO;
	if (!vq->size)
		return 0;
	/* Pairs with the driver's barrier between filling the ring and moving the index. */
	vq->seen_avail = RING_LOAD_ACQ(&vq->avail->idx);
	ahead = (u16)(vq->seen_avail - vq->next_avail);
	if (!ahead)
		return 0;
	if (ahead > vq->size)
		return break_queue(vq, "available index ran ahead of the queue");
	head = RING_LOAD(&vq->avail->ring[vq->next_avail & (vq->size - 1)]);
	if (head >= vq->size)
		return break_queue(vq, "available ring names a descriptor beyond the table");
	if (vq->in_flight_heads[head / 64] & BIT(head % 64))
		return break_queue(vq, "descriptor made available twice");
	ret = walk_chain(vq, chain, head);
	if (ret)
		return ret;
	vq->in_flight_heads[head / 64] |= BIT(head % 64);
	vq->in_flight++;
	vq->next_avail++;
	return 1;
}

static bool end_flight(struct virtq *vq, const struct virtq_chain *chain)
{
	u64 bit = BIT(chain->head % 64);

	if (chain->generation != vq->generation || chain->head >= vq->size ||
	    !(vq->in_flight_heads[chain->head / 64] & bit))
		return false;
	vq->in_flight_heads[chain->head / 64] &= ~bit;
	vq->in_flight--;
	return true;
}

void virtq_unpop(struct virtq *vq, const struct virtq_chain *chain)
{
	if (end_flight(vq, chain))
		vq->next_avail--;
}

unsigned virtq_pending(struct virtq *vq)
{
	u16 ahead;

	if (!vq->size || vq->broken)
		return 0;
	ahead = (u16)(RING_LOAD_ACQ(&vq->avail->idx) - vq->next_avail);
	return ahead > vq->size ? vq->size : ahead;
}

/* --- Used chains ------------------------------------------------------------------------------ */

int virtq_push(struct virtq *vq, const struct virtq_chain *chain, u32 written)
{
	struct virtq_used_elem *e;

	if (!end_flight(vq, chain))
		return -ESTALE;
	e = &vq->used->ring[vq->next_used & (vq->size - 1)];
	RING_STORE(&e->id, chain->head);
	RING_STORE(&e->len, written);
	vq->next_used++;
	return 0;
}

void virtq_publish(struct virtq *vq)
{
	if (vq->published == vq->next_used)
		return;
	vq->published = vq->next_used;
	RING_STORE_REL(&vq->used->idx, vq->published);
}

bool virtq_should_signal(struct virtq *vq)
{
	u16 old = vq->signalled;
	bool valid = vq->signalled_valid;

	if (!vq->size || old == vq->published)
		return false;
	/* The index must be visible before the driver's wish is read (2.7.7.2, 2.7.10.1). */
	full_barrier();
	vq->signalled = vq->published;
	vq->signalled_valid = true;
	if (!vq->event_idx)
		return !(RING_LOAD(&vq->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	return !valid ||
	       vring_need_event(RING_LOAD(&vq->avail->ring[vq->size]), vq->published, old);
}

/* --- Kicks ------------------------------------------------------------------------------------ */

void virtq_disable_kicks(struct virtq *vq)
{
	/* With the event index a stale avail_event keeps the driver quiet for a whole lap. */
	if (vq->size && !vq->event_idx)
		RING_STORE(&vq->used->flags, VRING_USED_F_NO_NOTIFY);
}

static bool ask_for_kick(struct virtq *vq, u16 after)
{
	if (!vq->size || vq->broken)
		return false;
	if (vq->event_idx)
		RING_STORE((u16 *)&vq->used->ring[vq->size], after);
	else
		RING_STORE(&vq->used->flags, 0);
	full_barrier();
	return RING_LOAD_ACQ(&vq->avail->idx) != after;
}

bool virtq_enable_kicks(struct virtq *vq)
{
	return ask_for_kick(vq, vq->next_avail);
}

bool virtq_wait_for_more(struct virtq *vq)
{
	/* Past what was given back: the driver kicks only for an index it has not gone by. */
	return ask_for_kick(vq, vq->seen_avail);
}

/* --- Buffers ---------------------------------------------------------------------------------- */

int virtq_slice(const struct virtq_chain *chain, bool writable, size_t off, size_t len,
		struct iovec *iov, unsigned max)
{
	const struct iovec *v = chain->iov + (writable ? chain->nread : 0);
	unsigned n = writable ? chain->nwrite : chain->nread;
	unsigned out = 0;

	for (unsigned i = 0; i < n && len; i++) {
		size_t part;

		if (off >= v[i].iov_len) {
			off -= v[i].iov_len;
			continue;
		}
		if (out == max)
			return -EINVAL;
		part = v[i].iov_len - off;
		if (part > len)
			part = len;
		iov[out].iov_base = (u8 *)v[i].iov_base + off;
		iov[out++].iov_len = part;
		len -= part;
		off = 0;
	}
	return len ? -EINVAL : (int)out;
}

/* Between [off, off + len) of the buffers and `host`; bytes copied. */
static size_t copy_part(const struct iovec *v, unsigned n, size_t off, void *host, size_t len,
			bool to_guest)
{
	size_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		size_t part;
		u8 *guest;

		if (off >= v[i].iov_len) {
			off -= v[i].iov_len;
			continue;
		}
		guest = (u8 *)v[i].iov_base + off;
		part = v[i].iov_len - off;
		if (part > len - done)
			part = len - done;
		if (to_guest)
			memcpy(guest, (u8 *)host + done, part);
		else
			memcpy((u8 *)host + done, guest, part);
		done += part;
		off = 0;
	}
	return done;
}

size_t virtq_read(const struct virtq_chain *chain, size_t off, void *dst, size_t len)
{
	size_t done = copy_part(chain->iov, chain->nread, off, dst, len, false);

	__asm__ volatile("" ::: "memory"); /* the copy is what is checked from here on */
	return done;
}

size_t virtq_write(const struct virtq_chain *chain, size_t off, const void *src, size_t len)
{
	return copy_part(chain->iov + chain->nread, chain->nwrite, off, (void *)src, len, true);
}

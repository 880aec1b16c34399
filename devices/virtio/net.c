/* SPDX-License-Identifier: MIT */
#include "devices/virtio/net.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>

#include "devices/virtio/virtio.h"

#define RX 0
#define TX 1
#define MAX_MERGED                                                                               \
	64 /* receive buffers one frame may take; the smallest a driver should post hold 1.5 KiB \
	    */

_Static_assert(sizeof(struct virtio_net_hdr_v1) == NET_HDR_LEN, "header of virtio 1");

struct net {
	struct virtio_dev v;	 /* first */
	struct virtio_class cls; /* ours, with the role of the back end's thread */
	struct net_backend *backend;
	bool link_up; /* the worker's copy */
	bool rx_starved;
	struct virtio_net_stats st;
	struct iovec iov[VIRTQ_MAX_SIZE + 1];
	struct virtq_chain merged[MAX_MERGED];
	u32 merged_len[MAX_MERGED];
};

static struct net *to_net(struct virtio_dev *v)
{
	return container_of(v, struct net, v);
}

static void count(u64 *stat, u64 n)
{
	__atomic_store_n(stat, *stat + n, __ATOMIC_RELAXED);
}

/* --- Guest to host ---------------------------------------------------------------------------- */

/* Leaves in the header only what was negotiated (5.1.6.2). False: the frame makes no sense. */
static bool check_header(const struct net *n, struct virtio_net_hdr_v1 *h)
{
	unsigned gso = h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
	bool csum = virtio_has(&n->v, VIRTIO_NET_F_CSUM);

	h->num_buffers = 0;
	h->flags &= csum ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0;
	if (!h->flags)
		h->csum_start = h->csum_offset = 0;
	if (h->gso_type & VIRTIO_NET_HDR_GSO_ECN && !virtio_has(&n->v, VIRTIO_NET_F_HOST_ECN))
		return false;
	switch (gso) {
	case VIRTIO_NET_HDR_GSO_NONE:
		h->gso_type = 0;
		h->gso_size = h->hdr_len = 0;
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return h->flags && h->gso_size && virtio_has(&n->v, VIRTIO_NET_F_HOST_TSO4);
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return h->flags && h->gso_size && virtio_has(&n->v, VIRTIO_NET_F_HOST_TSO6);
	default: return false;
	}
}

static bool tx_chain(struct virtio_dev *v, unsigned q, struct virtq_chain *c)
{
	struct net *n = to_net(v);
	struct virtio_net_hdr_v1 h;
	int parts;

	if (virtq_read(c, 0, &h, sizeof(h)) < sizeof(h)) {
		virtio_broken(v, q, "frame without a whole header");
		return false;
	}
	parts = virtq_slice(c, false, sizeof(h), c->read_len - sizeof(h), n->iov + 1,
			    VIRTQ_MAX_SIZE);
	if (parts < 0 || c->read_len < NET_FRAME_MIN || c->read_len > NET_FRAME_MAX ||
	    !check_header(n, &h) || !n->link_up) {
		count(&n->st.tx_dropped, 1);
		virtio_push(v, q, c, 0);
		return true;
	}
	n->iov[0] = (struct iovec){.iov_base = &h, .iov_len = sizeof(h)};
	if (n->backend->ops->send(n->backend, n->iov, (unsigned)parts + 1, c->read_len)) {
		virtq_unpop(&v->vq[q], c); /* net_writable() brings us back to it */
		return false;
	}
	count(&n->st.tx_frames, 1);
	count(&n->st.tx_bytes, c->read_len - sizeof(h));
	virtio_push(v, q, c, 0);
	return true;
}

static void net_writable(void *opaque)
{
	struct net *n = opaque;

	worker_kick(&n->v.worker, BIT(TX));
}

/* --- Host to guest ---------------------------------------------------------------------------- */

static void give_back(struct virtio_dev *v, struct net *n, unsigned chains)
{
	while (chains--)
		virtq_unpop(&v->vq[RX], &n->merged[chains]);
}

/*
 * Spreads a frame over receive buffers. Number of chains filled; 0: not enough buffers; -EMSGSIZE:
 * it will never fit. In the latter two cases no buffer was used up.
 */
static int fill_buffers(struct net *n, const u8 *frame, size_t len)
{
	struct virtio_dev *v = &n->v;
	unsigned max = virtio_has(v, VIRTIO_NET_F_MRG_RXBUF) ? MAX_MERGED : 1;
	unsigned chains = 0;
	size_t at = 0;

	while (at < len) {
		if (chains == max) {
			give_back(v, n, chains);
			return -EMSGSIZE;
		}
		if (!virtio_pop(v, RX, &n->merged[chains])) {
			give_back(v, n, chains);
			return 0;
		}
		n->merged_len[chains] =
			(u32)virtq_write(&n->merged[chains], 0, frame + at, len - at);
		at += n->merged_len[chains++];
	}
	return (int)chains;
}

static bool net_receive(void *opaque, const u8 *frame, size_t len)
{
	struct net *n = opaque;
	struct virtio_dev *v = &n->v;
	u16 chains;
	int ret;

	if (!virtq_active(&v->vq[RX]) || v->vq[RX].broken || !n->link_up || len > NET_FRAME_MAX) {
		count(&n->st.rx_dropped, 1);
		return true;
	}
	do
		ret = fill_buffers(n, frame, len);
	while (!ret && virtq_wait_for_more(&v->vq[RX]));
	if (!ret) {
		n->rx_starved = !v->vq[RX].broken;
		return !n->rx_starved;
	}
	if (ret < 0 || n->merged[0].write_len < NET_HDR_LEN) {
		if (ret > 0)
			give_back(v, n, (unsigned)ret);
		count(&n->st.rx_dropped, 1);
		return true;
	}
	chains = (u16)ret;
	virtq_write(&n->merged[0], offsetof(struct virtio_net_hdr_v1, num_buffers), &chains,
		    sizeof(chains));
	for (unsigned i = 0; i < chains; i++)
		virtq_push(&v->vq[RX], &n->merged[i], n->merged_len[i]);
	virtq_publish(&v->vq[RX]);
	count(&n->st.rx_frames, 1);
	count(&n->st.rx_bytes, len - NET_HDR_LEN);
	return true;
}

static void net_received(void *opaque)
{
	struct net *n = opaque;

	if (virtq_active(&n->v.vq[RX]))
		virtio_signal(&n->v, RX);
}

/* The cable is pulled, as far as the guest can see. */
static void net_broken(void *opaque)
{
	struct net *n = opaque;
	u16 status = 0;

	n->link_up = false;
	virtio_config_update(&n->v, offsetof(struct virtio_net_config, status), &status,
			     sizeof(status));
}

static const struct net_client net_client = {
	.broken = net_broken,
	.receive = net_receive,
	.received = net_received,
	.writable = net_writable,
};

/* --- Device ----------------------------------------------------------------------------------- */

static void net_notify(struct virtio_dev *v, unsigned q)
{
	struct net *n = to_net(v);

	if (q == TX) {
		virtio_drain(v, q, tx_chain);
		if (n->backend->ops->sent)
			n->backend->ops->sent(n->backend);
		return;
	}
	virtq_disable_kicks(&v->vq[RX]); /* until buffers run out */
	if (n->rx_starved) {
		n->rx_starved = false;
		n->backend->ops->receive_ready(n->backend);
	}
}

static void net_activated(struct virtio_dev *v)
{
	struct net *n = to_net(v);

	if (n->backend->ops->set_features)
		n->backend->ops->set_features(n->backend, v->negotiated);
}

static void net_reset(struct virtio_dev *v)
{
	struct net *n = to_net(v);

	/* A frame held back for want of buffers is offered again and dropped: no queue, no guest.
	 */
	for (unsigned q = 0; q < v->nqueues; q++)
		virtq_deactivate(&v->vq[q]);
	if (n->rx_starved)
		n->backend->ops->receive_ready(n->backend);
	n->rx_starved = false;
	if (n->backend->ops->set_features)
		n->backend->ops->set_features(n->backend, 0);
}

static void net_destroy(struct virtio_dev *v)
{
	struct net *n = to_net(v);

	if (n->backend)
		n->backend->ops->destroy(n->backend);
}

static int net_load(struct virtio_dev *v, const void *buf, size_t len)
{
	u16 status = to_net(v)->link_up ? VIRTIO_NET_S_LINK_UP : 0;

	memcpy(v->config + offsetof(struct virtio_net_config, status), &status, sizeof(status));
	return len ? -EINVAL : 0;
}

static const struct virtio_class net_class = {
	.name = "virtio-net",
	.device_id = VIRTIO_ID_NET,
	.version = 1,
	.notify = net_notify,
	.activated = net_activated,
	.reset = net_reset,
	.load = net_load,
	.destroy = net_destroy,
};

/* --- Construction ----------------------------------------------------------------------------- */

static void fill_config(struct net *n, const struct virtio_net_params *p, unsigned size)
{
	struct virtio_dev *v = &n->v;
	struct virtio_net_config c = {
		.status = VIRTIO_NET_S_LINK_UP, .max_virtqueue_pairs = 1, .mtu = n->backend->mtu};

	memcpy(c.mac, p->mac, sizeof(c.mac));
	v->features |= BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS) |
		       BIT(VIRTIO_NET_F_MRG_RXBUF) | n->backend->features;
	if (c.mtu)
		v->features |= BIT(VIRTIO_NET_F_MTU);
	v->config_len = offsetof(struct virtio_net_config, speed);
	memcpy(v->config, &c, v->config_len);
	v->nqueues = 2;
	v->queue_max[RX] = v->queue_max[TX] = (u16)size;
	n->link_up = true;
}

int virtio_net_create(const struct virtio_net_params *p, const struct guest_mem *mem,
		      const struct irq_line *irq, struct device **out, const char **err)
{
	unsigned size = p->queue_size ? p->queue_size : VIRTQ_MAX_SIZE;
	struct net *n = calloc(1, sizeof(*n));
	int ret = 0;

	if (!n) {
		*err = "out of memory";
		p->backend->ops->destroy(p->backend);
		return -ENOMEM;
	}
	n->backend = p->backend;
	n->cls = net_class;
	n->cls.role = n->backend->ops->role;
	ret = virtio_init(&n->v, &n->cls, p->id, mem, irq, err);
	if (!ret && (size > VIRTQ_MAX_SIZE || size & (size - 1) || size < 4)) {
		*err = "queue size is not a power of two from 4 to 256";
		ret = -EINVAL;
	}
	if (!ret && p->mac[0] & 1) {
		*err = "the MAC address is a multicast address";
		ret = -EINVAL;
	}
	if (!ret) {
		fill_config(n, p, size);
		n->backend->client = &net_client;
		n->backend->opaque = n;
		ret = n->backend->ops->attach(n->backend, &n->v.worker, p->sandbox, err);
	}
	if (!ret)
		ret = virtio_start(&n->v, p->sandbox, err);
	if (ret) {
		virtio_destroy(&n->v);
		return ret;
	}
	*out = &n->v.dev;
	return 0;
}

void virtio_net_get_stats(struct device *dev, struct virtio_net_stats *st)
{
	struct net *n = to_net(virtio_from_device(dev));
	const u64 *from = (const u64 *)&n->st;
	u64 *to = (u64 *)st;

	for (size_t i = 0; i < sizeof(*st) / sizeof(u64); i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

struct link_change {
	struct net *n;
	bool up;
};

static void link_on_worker(void *arg)
{
	struct link_change *c = arg;

	c->n->link_up = c->up;
}

void virtio_net_set_link(struct device *dev, bool up)
{
	struct virtio_dev *v = virtio_from_device(dev);
	struct link_change c = {.n = to_net(v), .up = up};
	u16 status = up ? VIRTIO_NET_S_LINK_UP : 0;

	worker_call(&v->worker, link_on_worker, &c);
	virtio_config_update(v, offsetof(struct virtio_net_config, status), &status,
			     sizeof(status));
}

/* SPDX-License-Identifier: MIT */
/* virtio-net (virtio 1.2, 5.1), one queue pair, on a back end of devices/net.h. */
#ifndef ARMATURE_VIRTIO_NET_H
#define ARMATURE_VIRTIO_NET_H

#include "common/guest_mem.h"
#include "common/irq.h"
#include "common/sandbox.h"
#include "devices/net.h"

struct device;

struct virtio_net_params {
	const char *id;		     /* unique in the machine; also the thread's name */
	u8 mac[6];		     /* unicast */
	struct net_backend *backend; /* the device's from here on, also when creation fails */
	unsigned queue_size;	     /* 0: 256; a power of two up to that */
	enum sandbox_mode sandbox;
};

struct virtio_net_stats {
	u64 rx_frames, rx_bytes, rx_dropped;
	u64 tx_frames, tx_bytes, tx_dropped;
};

/* 0, or a negative errno with *err a static sentence. */
int virtio_net_create(const struct virtio_net_params *p, const struct guest_mem *mem,
		      const struct irq_line *irq, struct device **out, const char **err);
void virtio_net_get_stats(struct device *dev, struct virtio_net_stats *st);
/* Plugs or pulls the cable, as the guest sees it. Any thread but the device's. */
void virtio_net_set_link(struct device *dev, bool up);

#endif

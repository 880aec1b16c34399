/* SPDX-License-Identifier: MIT */
/* A tap interface, by name or as a descriptor somebody else has opened. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/log.h"
#include "devices/net.h"
#include "devices/virtio/worker.h"

#define BATCH 64 /* frames read before the thread looks at its other work */

struct tap {
	struct net_backend nb; /* first */
	struct worker *worker;
	struct worker_source source;
	bool vnet_hdr;
	bool want_in, want_out;
	size_t held; /* bytes of a frame in `frame` the guest has no room for, or 0 */
	u8 frame[NET_FRAME_MAX];
};

static const struct sandbox_rule tap_rules[] = {
	/* frames to the host; those from it are read() */
	SANDBOX_ALLOW(writev),
	/* watching the tap, or not while the guest has no buffers */
	SANDBOX_ALLOW(epoll_ctl),
	/* the driver's choice of offloads */
	SANDBOX_ALLOW(ioctl, SANDBOX_ARG_IS(1, TUNSETOFFLOAD)),
};

const struct sandbox_role net_tap_role = {
	.name = "net-tap",
	.rules = tap_rules,
	.nrules = ARRAY_SIZE(tap_rules),
	.device = true,
};

static struct tap *to_tap(struct net_backend *nb)
{
	return container_of(nb, struct tap, nb);
}

static void watch(struct tap *t, bool in, bool out)
{
	if (in == t->want_in && out == t->want_out)
		return;
	t->want_in = in;
	t->want_out = out;
	worker_change(t->worker, &t->source, (in ? EPOLLIN : 0) | (out ? EPOLLOUT : 0));
}

/* Offers the frame in t->frame. False: it is held until the guest has room. */
static bool offer(struct tap *t, size_t len)
{
	if (t->nb.client->receive(t->nb.opaque, t->frame, len)) {
		t->held = 0;
		return true;
	}
	t->held = len;
	return false;
}

static void receive(struct tap *t)
{
	size_t skip = t->vnet_hdr ? 0 : NET_HDR_LEN; /* stays zero */
	bool room = true;

	for (unsigned i = 0; i < BATCH && room; i++) {
		ssize_t n = read(t->source.fd, t->frame + skip, sizeof(t->frame) - skip);

		if (n <= 0)
			break;
		if ((size_t)n + skip >= NET_FRAME_MIN)
			room = offer(t, (size_t)n + skip);
	}
	t->nb.client->received(t->nb.opaque);
	watch(t, room, t->want_out);
}

static void tap_ready(void *opaque, u32 events)
{
	struct tap *t = opaque;

	if (events & EPOLLOUT) {
		watch(t, t->want_in, false);
		t->nb.client->writable(t->nb.opaque);
	}
	if (events & EPOLLIN && !t->held)
		receive(t);
	if (!(events & (EPOLLERR | EPOLLHUP)))
		return;
	/* The interface was deleted. The event cannot be masked: watched, it would spin. */
	warn_report("a tap interface is gone; the guest's link is down");
	worker_unwatch(t->worker, &t->source);
	t->nb.client->broken(t->nb.opaque);
}

static int tap_attach(struct net_backend *nb, struct worker *w, enum sandbox_mode sandbox,
		      const char **err)
{
	struct tap *t = to_tap(nb);
	int ret;

	t->worker = w;
	t->want_in = true;
	ret = worker_watch(w, &t->source, EPOLLIN);
	if (ret)
		*err = "cannot watch the tap's descriptor";
	return ret;
}

static void tap_set_features(struct net_backend *nb, u64 f)
{
	unsigned long offload = 0;

	if (!to_tap(nb)->vnet_hdr)
		return;
	/* What the host may leave undone in the frames it gives us. */
	if (f & BIT(VIRTIO_NET_F_GUEST_CSUM)) {
		offload = TUN_F_CSUM;
		offload |= f & BIT(VIRTIO_NET_F_GUEST_TSO4) ? TUN_F_TSO4 : 0;
		offload |= f & BIT(VIRTIO_NET_F_GUEST_TSO6) ? TUN_F_TSO6 : 0;
		offload |= f & BIT(VIRTIO_NET_F_GUEST_ECN) ? TUN_F_TSO_ECN : 0;
	}
	ioctl(to_tap(nb)->source.fd, TUNSETOFFLOAD, offload);
}

static int tap_send(struct net_backend *nb, const struct iovec *iov, unsigned n, size_t len)
{
	struct tap *t = to_tap(nb);
	unsigned skip = t->vnet_hdr ? 0 : 1;

	if (writev(t->source.fd, iov + skip, (int)(n - skip)) >= 0 || errno != EAGAIN)
		return 0; /* sent; or an interface that is down, a header the kernel refuses: lost
			   */
	watch(t, t->want_in, true);
	return -EAGAIN;
}

static void tap_receive_ready(struct net_backend *nb)
{
	struct tap *t = to_tap(nb);

	if (t->held && !offer(t, t->held))
		return;
	nb->client->received(nb->opaque);
	watch(t, true, t->want_out);
}

static void tap_destroy(struct net_backend *nb)
{
	struct tap *t = to_tap(nb);

	if (t->source.fd >= 0)
		close(t->source.fd);
	free(t);
}

static const struct net_backend_ops tap_ops = {
	.name = "tap",
	.role = &net_tap_role,
	.attach = tap_attach,
	.set_features = tap_set_features,
	.send = tap_send,
	.receive_ready = tap_receive_ready,
	.destroy = tap_destroy,
};

static int open_by_name(const char *ifname, int *fd, bool *vnet_hdr, const char **err)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};

	if (strlen(ifname) >= sizeof(ifr.ifr_name)) {
		*err = "interface name longer than 15 bytes";
		return -EINVAL;
	}
	*fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (*fd < 0) {
		*err = "cannot open /dev/net/tun (is the tun module loaded, and may this user?)";
		return -errno;
	}
	strcpy(ifr.ifr_name, ifname);
	*vnet_hdr = true;
	if (!ioctl(*fd, TUNSETIFF, &ifr))
		return 0;
	*err = "cannot attach to the tap (it must exist and belong to this user, or run as root)";
	return -errno;
}

static int adopt(int fd, bool *vnet_hdr, const char **err)
{
	struct ifreq ifr;
	int flags = fcntl(fd, F_GETFL);

	memset(&ifr, 0, sizeof(ifr));
	if (ioctl(fd, TUNGETIFF, &ifr) || !(ifr.ifr_flags & IFF_TAP)) {
		*err = "the descriptor is not an open tap interface";
		return -EINVAL;
	}
	/* Whether it has IFF_NO_PI, as it must, cannot be asked: the bit reads back as
	 * IFF_NOFILTER. */
	*vnet_hdr = ifr.ifr_flags & IFF_VNET_HDR;
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK)) {
		*err = "cannot make the descriptor non-blocking";
		return -errno;
	}
	return 0;
}

/* Which offloads this kernel's tap does: all that depend on the header, or none. */
static void probe_offloads(struct tap *t)
{
	const unsigned long all = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	int len = NET_HDR_LEN;

	if (!t->vnet_hdr || ioctl(t->source.fd, TUNSETVNETHDRSZ, &len) ||
	    ioctl(t->source.fd, TUNSETOFFLOAD, all))
		return;
	ioctl(t->source.fd, TUNSETOFFLOAD, 0ul);
	t->nb.features = BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) |
			 BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) |
			 BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VIRTIO_NET_F_GUEST_TSO4) |
			 BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN);
}

int net_tap_create(const struct net_tap_params *p, struct net_backend **out, const char **err)
{
	struct tap *t = calloc(1, sizeof(*t));
	int ret;

	if (!t) {
		*err = "out of memory";
		return -ENOMEM;
	}
	t->nb.ops = &tap_ops;
	t->source = (struct worker_source){.fd = p->fd, .ready = tap_ready, .opaque = t};
	if (p->fd >= 0)
		ret = adopt(p->fd, &t->vnet_hdr, err);
	else
		ret = open_by_name(p->ifname, &t->source.fd, &t->vnet_hdr, err);
	if (ret) {
		tap_destroy(&t->nb);
		return ret;
	}
	probe_offloads(t);
	*out = &t->nb;
	return 0;
}

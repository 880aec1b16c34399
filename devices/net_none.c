/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/net.h"

const struct sandbox_role net_none_role = {.name = "net-none", .device = true};

struct loopback {
	struct net_backend nb; /* first */
	u8 frame[NET_FRAME_MAX];
};

static int attach(struct net_backend *nb, struct worker *w, enum sandbox_mode sandbox,
		  const char **err)
{
	return 0;
}

static int none_send(struct net_backend *nb, const struct iovec *iov, unsigned n, size_t len)
{
	return 0;
}

static int loopback_send(struct net_backend *nb, const struct iovec *iov, unsigned n, size_t len)
{
	struct loopback *lo = (struct loopback *)nb;
	size_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		memcpy(lo->frame + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	if (!nb->client->receive(nb->opaque, lo->frame, at))
		return -EAGAIN;
	nb->client->received(nb->opaque);
	return 0;
}

static void none_receive_ready(struct net_backend *nb)
{
}

static void loopback_receive_ready(struct net_backend *nb)
{
	nb->client->writable(nb->opaque);
}

static void destroy(struct net_backend *nb)
{
	free(nb);
}

static const struct net_backend_ops none_ops = {
	.name = "none",
	.role = &net_none_role,
	.attach = attach,
	.send = none_send,
	.receive_ready = none_receive_ready,
	.destroy = destroy,
};

static const struct net_backend_ops loopback_ops = {
	.name = "loopback",
	.role = &net_none_role,
	.attach = attach,
	.send = loopback_send,
	.receive_ready = loopback_receive_ready,
	.destroy = destroy,
};

static int create(const struct net_backend_ops *ops, size_t size, struct net_backend **out,
		  const char **err)
{
	struct net_backend *nb = calloc(1, size);

	if (!nb) {
		*err = "out of memory";
		return -ENOMEM;
	}
	nb->ops = ops;
	*out = nb;
	return 0;
}

int net_none_create(struct net_backend **out, const char **err)
{
	return create(&none_ops, sizeof(struct net_backend), out, err);
}

int net_loopback_create(struct net_backend **out, const char **err)
{
	return create(&loopback_ops, sizeof(struct loopback), out, err);
}

/* SPDX-License-Identifier: MIT */
#include "devices/virtio/rng.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "devices/virtio/virtio.h"

/*
 * A request may be answered with less than it asks for (5.4.6.1): that bounds the time one chain
 * keeps the thread from a pause or reset.
 */
#define MAX_BYTES (64u << 10)

struct rng {
	struct virtio_dev v; /* first */
};

static const struct sandbox_rule rng_rules[] = {
	SANDBOX_ALLOW(getrandom),
};

const struct sandbox_role virtio_rng_role = {
	.name = "rng",
	.rules = rng_rules,
	.nrules = ARRAY_SIZE(rng_rules),
	.device = true,
};

static u32 fill(const struct virtq_chain *c)
{
	const struct iovec *iov = c->iov + c->nread;
	u32 done = 0;

	for (unsigned i = 0; i < c->nwrite && done < MAX_BYTES; i++) {
		size_t want = iov[i].iov_len < MAX_BYTES - done ? iov[i].iov_len : MAX_BYTES - done;
		size_t have = 0;

		while (have < want) {
			ssize_t n = getrandom((u8 *)iov[i].iov_base + have, want - have, 0);

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return done + (u32)have;
			have += (size_t)n;
		}
		done += (u32)have;
	}
	return done;
}

static bool handle_chain(struct virtio_dev *v, unsigned q, struct virtq_chain *c)
{
	virtio_push(v, q, c, fill(c));
	return true;
}

static void rng_notify(struct virtio_dev *v, unsigned q)
{
	virtio_drain(v, q, handle_chain);
}

static const struct virtio_class rng_class = {
	.name = "virtio-rng",
	.device_id = VIRTIO_ID_RNG,
	.version = 1,
	.role = &virtio_rng_role,
	.notify = rng_notify,
};

int virtio_rng_create(const struct virtio_rng_params *p, const struct guest_mem *mem,
		      const struct irq_line *irq, struct device **out, const char **err)
{
	struct rng *r = calloc(1, sizeof(*r));
	int ret;

	if (!r) {
		*err = "out of memory";
		return -ENOMEM;
	}
	ret = virtio_init(&r->v, &rng_class, p->id, mem, irq, err);
	if (!ret) {
		r->v.nqueues = 1;
		r->v.queue_max[0] = 64;
		ret = virtio_start(&r->v, p->sandbox, err);
	}
	if (ret) {
		virtio_destroy(&r->v);
		return ret;
	}
	*out = &r->v.dev;
	return 0;
}

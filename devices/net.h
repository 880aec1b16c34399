/* SPDX-License-Identifier: MIT */
/*
 * Back ends of network devices: the host's end of the cable. A back end belongs to one device and
 * lives on that device's thread; only its constructor and destroy run elsewhere (before the thread
 * starts, after it has ended).
 *
 * Frames carry a struct virtio_net_hdr_v1 in front in both directions. A back end that offers no
 * offloads gets and gives a header of zeroes.
 */
#ifndef ARMATURE_NET_H
#define ARMATURE_NET_H

#include <sys/uio.h>

#include "common/sandbox.h"
#include "common/types.h"

struct worker;
struct net_backend;

#define NET_HDR_LEN 12
#define NET_FRAME_MAX                                                              \
	(NET_HDR_LEN + 14 + 65535) /* with header: the largest TCP segment offload \
				    */
#define NET_FRAME_MIN (NET_HDR_LEN + 14)

struct net_client {
	/*
	 * A frame from the host. True: taken, or dropped for good; false: no room, hold it back and
	 * try again when receive_ready is called.
	 */
	bool (*receive)(void *opaque, const u8 *frame, size_t len);
	/* End of a batch of receive calls: now the guest may be interrupted. */
	void (*received)(void *opaque);
	/* send() said -EAGAIN and might not now. */
	void (*writable)(void *opaque);
	/* The other end is gone for good. */
	void (*broken)(void *opaque);
};

struct net_backend_ops {
	const char *name;
	const struct sandbox_role *role; /* of the device's thread */
	/*
	 * Before the thread starts: registers descriptors, starts what runs besides. 0, or a
	 * negative errno with *err a static sentence.
	 */
	int (*attach)(struct net_backend *nb, struct worker *w, enum sandbox_mode sandbox,
		      const char **err);
	/* Optional: what the driver accepted of `features`. */
	void (*set_features)(struct net_backend *nb, u64 negotiated);
	/*
	 * A frame from the guest; iov[0] is the checked header, the rest guest memory that may
	 * still change. 0: taken or dropped; -EAGAIN: full, client->writable follows.
	 */
	int (*send)(struct net_backend *nb, const struct iovec *iov, unsigned n, size_t len);
	/* Optional: end of a batch of send calls. */
	void (*sent)(struct net_backend *nb);
	/* receive() said false and there are new buffers. */
	void (*receive_ready)(struct net_backend *nb);
	void (*destroy)(struct net_backend *nb);
};

/* Embed as the first member of a back end. */
struct net_backend {
	const struct net_backend_ops *ops;
	u64 features; /* VIRTIO_NET_F_* it can serve */
	u16 mtu;
	/* Set by the device before attach. */
	const struct net_client *client;
	void *opaque;
};

/* Constructors: 0, or a negative errno with *err a static sentence. The device destroys. */

/* A cable that ends nowhere: frames are dropped, none come. */
int net_none_create(struct net_backend **out, const char **err);
/* For tests: every frame comes back. */
int net_loopback_create(struct net_backend **out, const char **err);

struct net_tap_params {
	const char *ifname; /* of the interface, or NULL with fd */
	int fd;		    /* a tap opened with IFF_NO_PI, the back end's from here on; or -1 */
};

int net_tap_create(const struct net_tap_params *p, struct net_backend **out, const char **err);

struct net_forward {
	bool udp;
	const char *host_addr; /* dotted IPv4 or NULL: 127.0.0.1 */
	u16 host_port;
	const char *guest_addr; /* dotted IPv4 or NULL: 10.0.2.15 */
	u16 guest_port;
};

#define NET_USER_MAX_FORWARDS 32

struct net_user_params {
	bool restricted; /* no connections to the host or beyond; forwards still work */
	bool ipv6;
	const char *hostname; /* told by DHCP, or NULL */
	unsigned nforwards;
	struct net_forward forward[NET_USER_MAX_FORWARDS];
};

int net_user_create(const struct net_user_params *p, struct net_backend **out, const char **err);
/* Of the process that runs libslirp for an attached back end; 0 while it starts, or for another
 * kind. */
int net_user_pid(const struct net_backend *nb);

extern const struct sandbox_role net_none_role, net_tap_role, net_user_role, net_user_child_role;

#endif

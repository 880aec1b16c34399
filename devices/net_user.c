/* SPDX-License-Identifier: MIT */
/*
 * User-mode network: libslirp is the guest's router, DHCP and name server, and turns its
 * connections into the host's sockets. libslirp polls for itself, so the device's thread waits in
 * its poll loop. It is also the one piece of a device thread that allocates and opens sockets at
 * run time; its allow-list shows it.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "devices/net.h"
#include "devices/net_guard.h"
#include "devices/virtio/worker.h"

#define MAX_FDS	     1024
#define MAX_TIMERS   8
#define BACKLOG_SIZE (512u << 10)
#define USER_MTU     1500
#define FRAME_MAX    (NET_HDR_LEN + 14 + USER_MTU)

struct user_timer {
	SlirpTimerCb cb;
	void *opaque;
	s64 expires_ms; /* -1: not armed */
};

struct user {
	struct net_backend nb; /* first */
	Slirp *slirp;
	bool ipv6;
	unsigned nfds;
	struct pollfd fds[MAX_FDS];
	unsigned ntimers;
	struct user_timer timer[MAX_TIMERS];
	/*
	 * Frames for which the guest has no buffers yet, each behind its length. libslirp is not
	 * polled while there are any: it would have to drop what comes.
	 */
	u32 backlog_head, backlog_tail;
	u8 backlog[BACKLOG_SIZE];
	u8 frame[FRAME_MAX];
};

#define ARG_HAS(n, mask, v)                               \
	{                                                 \
		(n), SCMP_CMP_MASKED_EQ, (mask), (u32)(v) \
	}
#define SOCK_KIND 0xf /* the type without SOCK_CLOEXEC and SOCK_NONBLOCK */

static const struct sandbox_rule user_rules[] = {
	/* the poll loop, and what the kernel makes of it when a stopped process goes on */
	SANDBOX_ALLOW(poll),
	SANDBOX_ALLOW(restart_syscall),
	/* connections of the guest: TCP, UDP, echo requests; IPv4 and IPv6 only */
	SANDBOX_ALLOW(socket, SANDBOX_ARG_IS(0, AF_INET), ARG_HAS(1, SOCK_KIND, SOCK_STREAM)),
	SANDBOX_ALLOW(socket, SANDBOX_ARG_IS(0, AF_INET), ARG_HAS(1, SOCK_KIND, SOCK_DGRAM)),
	SANDBOX_ALLOW(socket, SANDBOX_ARG_IS(0, AF_INET6), ARG_HAS(1, SOCK_KIND, SOCK_STREAM)),
	SANDBOX_ALLOW(socket, SANDBOX_ARG_IS(0, AF_INET6), ARG_HAS(1, SOCK_KIND, SOCK_DGRAM)),
	/* its second try where the host keeps ping sockets from this user */
	SANDBOX_DENY(socket, EPERM, SANDBOX_ARG_IS(0, AF_INET), ARG_HAS(1, SOCK_KIND, SOCK_RAW)),
	SANDBOX_DENY(socket, EPERM, SANDBOX_ARG_IS(0, AF_INET6), ARG_HAS(1, SOCK_KIND, SOCK_RAW)),
	SANDBOX_ALLOW(connect),
	SANDBOX_ALLOW(accept), /* forwarded ports */
	SANDBOX_ALLOW(recvfrom),
	SANDBOX_ALLOW(recvmsg),
	SANDBOX_ALLOW(sendto),
	SANDBOX_ALLOW(shutdown),
	SANDBOX_ALLOW(close),
	SANDBOX_ALLOW(getpeername),
	SANDBOX_ALLOW(getsockopt, SANDBOX_ARG_IS(1, SOL_SOCKET), SANDBOX_ARG_IS(2, SO_ERROR)),
	SANDBOX_ALLOW(setsockopt, SANDBOX_ARG_IS(1, SOL_SOCKET), SANDBOX_ARG_IS(2, SO_REUSEADDR)),
	SANDBOX_ALLOW(setsockopt, SANDBOX_ARG_IS(1, SOL_SOCKET), SANDBOX_ARG_IS(2, SO_OOBINLINE)),
	SANDBOX_ALLOW(setsockopt, SANDBOX_ARG_IS(1, SOL_TCP), SANDBOX_ARG_IS(2, TCP_NODELAY)),
	SANDBOX_ALLOW(setsockopt, SANDBOX_ARG_IS(1, SOL_IP), SANDBOX_ARG_IS(2, IP_TTL)),
	SANDBOX_ALLOW(setsockopt, SANDBOX_ARG_IS(1, SOL_IP), SANDBOX_ARG_IS(2, IP_RECVERR)),
	SANDBOX_ALLOW(setsockopt, SANDBOX_ARG_IS(1, SOL_IPV6),
		      SANDBOX_ARG_IS(2, IPV6_UNICAST_HOPS)),
	SANDBOX_ALLOW(setsockopt, SANDBOX_ARG_IS(1, SOL_IPV6), SANDBOX_ARG_IS(2, IPV6_RECVERR)),
	SANDBOX_ALLOW(fcntl, SANDBOX_ARG_IS(1, F_GETFL)),
	SANDBOX_ALLOW(fcntl, SANDBOX_ARG_IS(1, F_SETFL)),
	SANDBOX_ALLOW(ioctl, SANDBOX_ARG_IS(1, FIONREAD)),
	/* the host's name servers; Landlock confines it to /etc/resolv.conf */
	SANDBOX_ALLOW(openat, SANDBOX_ARG_CLEAR(2, O_ACCMODE | O_CREAT | O_TRUNC)),
	SANDBOX_ALLOW(newfstatat),
	/* packet buffers and sockets of libslirp: malloc, in this thread's own arena */
	SANDBOX_ALLOW(brk),
	SANDBOX_ALLOW(mmap, SANDBOX_ARG_CLEAR(2, PROT_EXEC)),
	SANDBOX_ALLOW(mprotect, SANDBOX_ARG_CLEAR(2, PROT_EXEC)),
	SANDBOX_ALLOW(munmap),
};

static const char *const user_files[] = {"/etc/resolv.conf", NULL};

const struct sandbox_role net_user_role = {
	.name = "net-user",
	.rules = user_rules,
	.nrules = ARRAY_SIZE(user_rules),
	.device = true,
	.read_files = user_files,
};

static struct user *to_user(struct net_backend *nb)
{
	return container_of(nb, struct user, nb);
}

/* --- Frames to the guest ---------------------------------------------------------------------- */

/* False: still no room for all of it. */
static bool flush_backlog(struct user *u)
{
	while (u->backlog_head != u->backlog_tail) {
		u32 len;

		memcpy(&len, u->backlog + u->backlog_head, sizeof(len));
		if (!u->nb.client->receive(u->nb.opaque, u->backlog + u->backlog_head + sizeof(len),
					   len))
			return false;
		u->backlog_head += (u32)sizeof(len) + len;
	}
	u->backlog_head = u->backlog_tail = 0;
	return true;
}

/* From libslirp, also in the middle of slirp_input(). */
static ssize_t send_packet(const void *buf, size_t len, void *opaque)
{
	struct user *u = opaque;
	u32 total = NET_HDR_LEN + (u32)len;

	if (len > FRAME_MAX - NET_HDR_LEN)
		return (ssize_t)len;
	memset(u->frame, 0, NET_HDR_LEN);
	memcpy(u->frame + NET_HDR_LEN, buf, len);
	if (u->backlog_head == u->backlog_tail &&
	    u->nb.client->receive(u->nb.opaque, u->frame, total))
		return (ssize_t)len;
	if (sizeof(total) + total > BACKLOG_SIZE - u->backlog_tail)
		return (ssize_t)len; /* lost, as on a wire: TCP sends it again */
	memcpy(u->backlog + u->backlog_tail, &total, sizeof(total));
	memcpy(u->backlog + u->backlog_tail + sizeof(total), u->frame, total);
	u->backlog_tail += (u32)sizeof(total) + total;
	return (ssize_t)len;
}

static void user_receive_ready(struct net_backend *nb)
{
	flush_backlog(to_user(nb));
	nb->client->received(nb->opaque);
}

/* --- What libslirp asks of its host ----------------------------------------------------------- */

static void guest_error(const char *msg, void *opaque)
{
	warn_ratelimited("net user: %s", msg);
}

/* glib would look whether stderr is a terminal, and more: nothing the thread's list holds. */
static void glib_message(const char *domain, int level, const char *msg, void *data)
{
	warn_ratelimited("net user: %s", msg);
}

static void redirect_glib(void)
{
	/* Only libslirp links with glib, so its headers need not be here. */
	void *(*set)(void (*fn)(const char *, int, const char *, void *), void *data);

	*(void **)&set = dlsym(RTLD_DEFAULT, "g_log_set_default_handler");
	if (set)
		set(glib_message, NULL);
}

static s64 clock_get_ns(void *opaque)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (s64)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void *timer_new(SlirpTimerCb cb, void *cb_opaque, void *opaque)
{
	struct user *u = opaque;
	struct user_timer *t = NULL;

	for (unsigned i = 0; i < u->ntimers && !t; i++)
		if (!u->timer[i].cb)
			t = &u->timer[i];
	if (!t && u->ntimers < MAX_TIMERS)
		t = &u->timer[u->ntimers++];
	if (t)
		*t = (struct user_timer){.cb = cb, .opaque = cb_opaque, .expires_ms = -1};
	return t;
}

static void timer_free(void *timer, void *opaque)
{
	if (timer)
		((struct user_timer *)timer)->cb = NULL;
}

static void timer_mod(void *timer, int64_t expire_time, void *opaque)
{
	if (timer)
		((struct user_timer *)timer)->expires_ms = expire_time;
}

static void poll_fd_changed(int fd, void *opaque)
{
	/* Descriptors are collected anew before each poll. */
}

static void notify(void *opaque)
{
	/* Everything runs on one thread, which polls next anyway. */
}

static const SlirpCb callbacks = {
	.send_packet = send_packet,
	.guest_error = guest_error,
	.clock_get_ns = clock_get_ns,
	.timer_new = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = poll_fd_changed,
	.unregister_poll_fd = poll_fd_changed,
	.notify = notify,
};

/* --- The poll loop ---------------------------------------------------------------------------- */

static int add_poll(int fd, int events, void *opaque)
{
	struct user *u = opaque;
	short ev = 0;

	if (u->nfds == MAX_FDS)
		return -1; /* looked at when others are gone */
	ev |= events & SLIRP_POLL_IN ? POLLIN : 0;
	ev |= events & SLIRP_POLL_OUT ? POLLOUT : 0;
	ev |= events & SLIRP_POLL_PRI ? POLLPRI : 0;
	u->fds[u->nfds] = (struct pollfd){.fd = fd, .events = ev};
	return (int)u->nfds++;
}

static int get_revents(int idx, void *opaque)
{
	struct user *u = opaque;
	short ev = idx >= 0 ? u->fds[idx].revents : 0;

	return (ev & POLLIN ? SLIRP_POLL_IN : 0) | (ev & POLLOUT ? SLIRP_POLL_OUT : 0) |
	       (ev & POLLPRI ? SLIRP_POLL_PRI : 0) | (ev & POLLERR ? SLIRP_POLL_ERR : 0) |
	       (ev & POLLHUP ? SLIRP_POLL_HUP : 0);
}

static int timers_timeout(struct user *u, u32 slirp_timeout)
{
	s64 now = clock_get_ns(u) / 1000000;
	s64 timeout = slirp_timeout > INT32_MAX ? INT32_MAX : slirp_timeout;

	for (unsigned i = 0; i < u->ntimers; i++) {
		const struct user_timer *t = &u->timer[i];

		if (t->cb && t->expires_ms >= 0 && t->expires_ms - now < timeout)
			timeout = t->expires_ms > now ? t->expires_ms - now : 0;
	}
	return timeout == INT32_MAX ? -1 : (int)timeout;
}

static void run_timers(struct user *u)
{
	s64 now = clock_get_ns(u) / 1000000;

	for (unsigned i = 0; i < u->ntimers; i++) {
		struct user_timer *t = &u->timer[i];

		if (t->cb && t->expires_ms >= 0 && t->expires_ms <= now) {
			t->expires_ms = -1;
			t->cb(t->opaque);
		}
	}
}

static void user_wait(struct net_backend *nb, struct worker *w)
{
	struct user *u = to_user(nb);
	u32 timeout = UINT32_MAX;
	bool held = u->backlog_tail != 0;
	int ret;

	u->fds[0] = (struct pollfd){.fd = worker_epoll_fd(w), .events = POLLIN};
	u->nfds = 1;
	if (!held)
		slirp_pollfds_fill(u->slirp, &timeout, add_poll, u);
	ret = poll(u->fds, u->nfds, timers_timeout(u, timeout));
	if (!held)
		slirp_pollfds_poll(u->slirp, ret < 0, get_revents, u);
	run_timers(u);
	nb->client->received(nb->opaque);
}

/* --- Back end --------------------------------------------------------------------------------- */

static int user_attach(struct net_backend *nb, struct worker *w)
{
	return 0;
}

static int user_send(struct net_backend *nb, const struct iovec *iov, unsigned n, size_t len)
{
	struct user *u = to_user(nb);
	u8 frame[FRAME_MAX];
	size_t at = 0;

	if (len > FRAME_MAX)
		return 0; /* over the MTU */
	/* One copy: libslirp parses this one, the guest may rewrite its own. */
	for (unsigned i = 1; i < n; i++) {
		memcpy(frame + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	if (net_guard_pass(frame, at, u->ipv6))
		slirp_input(u->slirp, frame, (int)at);
	return 0;
}

static void user_destroy(struct net_backend *nb)
{
	struct user *u = to_user(nb);

	if (u->slirp)
		slirp_cleanup(u->slirp);
	free(u);
}

static const struct net_backend_ops user_ops = {
	.name = "user",
	.role = &net_user_role,
	.attach = user_attach,
	.send = user_send,
	.receive_ready = user_receive_ready,
	.wait = user_wait,
	.destroy = user_destroy,
};

static int add_forward(struct user *u, const struct net_forward *f, const char **err)
{
	struct in_addr host, guest;

	if (!inet_aton(f->host_addr ? f->host_addr : "127.0.0.1", &host) ||
	    !inet_aton(f->guest_addr ? f->guest_addr : "10.0.2.15", &guest)) {
		*err = "a forward's address is no dotted IPv4 address";
		return -EINVAL;
	}
	errno = 0;
	if (slirp_add_hostfwd(u->slirp, f->udp, host, f->host_port, guest, f->guest_port) < 0) {
		*err = "cannot listen on a forwarded port of the host";
		return errno ? -errno : -EADDRINUSE;
	}
	return 0;
}

int net_user_create(const struct net_user_params *p, struct net_backend **out, const char **err)
{
	SlirpConfig cfg = {
		.version = 4,
		.restricted = p->restricted,
		.in_enabled = true,
		.in6_enabled = p->ipv6,
		.vprefix_len = 64,
		.vhostname = p->hostname,
		.if_mtu = USER_MTU,
		.if_mru = USER_MTU,
	};
	struct user *u = calloc(1, sizeof(*u));
	int ret = 0;

	if (!u) {
		*err = "out of memory";
		return -ENOMEM;
	}
	u->nb.ops = &user_ops;
	u->ipv6 = p->ipv6;
	/* The addresses everybody knows from QEMU. */
	inet_aton("10.0.2.0", &cfg.vnetwork);
	inet_aton("255.255.255.0", &cfg.vnetmask);
	inet_aton("10.0.2.2", &cfg.vhost);
	inet_aton("10.0.2.3", &cfg.vnameserver);
	inet_aton("10.0.2.15", &cfg.vdhcp_start);
	inet_pton(AF_INET6, "fec0::", &cfg.vprefix_addr6);
	inet_pton(AF_INET6, "fec0::2", &cfg.vhost6);
	inet_pton(AF_INET6, "fec0::3", &cfg.vnameserver6);
	redirect_glib();
	u->slirp = slirp_new(&cfg, &callbacks, u);
	if (!u->slirp) {
		*err = "libslirp refuses the configuration";
		ret = -EINVAL;
	}
	for (unsigned i = 0; i < p->nforwards && !ret; i++)
		ret = add_forward(u, &p->forward[i], err);
	if (ret) {
		user_destroy(&u->nb);
		return ret;
	}
	*out = &u->nb;
	return 0;
}

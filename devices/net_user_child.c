/* SPDX-License-Identifier: MIT */
/*
 * User-mode network, the process that runs libslirp: the guest's router, DHCP and name server,
 * which turns its connections into the host's sockets. It is this program, executed anew by
 * net_user.c, and never gets as far as main().
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <slirp/libslirp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include "common/log.h"
#include "devices/net_guard.h"
#include "devices/net_user_internal.h"

char net_user_child_arg[] = "--armature-net-user";

#define MAX_FDS	   1024
#define MAX_TIMERS 8

struct user_timer {
	SlirpTimerCb cb;
	void *opaque;
	s64 expires_ms; /* -1: not armed */
};

struct child {
	Slirp *slirp;
	bool ipv6;
	unsigned nfds;
	struct pollfd fds[MAX_FDS];
	unsigned ntimers;
	struct user_timer timer[MAX_TIMERS];
	struct net_user_stream in, out;
};

#define ARG_HAS(n, mask, v)                               \
	{                                                 \
		(n), SCMP_CMP_MASKED_EQ, (mask), (u32)(v) \
	}
#define SOCK_KIND 0xf /* the type without SOCK_CLOEXEC and SOCK_NONBLOCK */

static const struct sandbox_rule child_rules[] = {
	/* the poll loop, and what the kernel makes of it when a stopped process goes on */
	SANDBOX_ALLOW(poll),
	SANDBOX_ALLOW(restart_syscall),
	/* frames, files, messages; where the vDSO has no clock; the end */
	SANDBOX_ALLOW(read),
	SANDBOX_ALLOW(write),
	SANDBOX_ALLOW(clock_gettime),
	SANDBOX_ALLOW(exit_group),
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
	/* packet buffers and sockets of libslirp: malloc */
	SANDBOX_ALLOW(brk),
	SANDBOX_ALLOW(mmap, SANDBOX_ARG_CLEAR(2, PROT_EXEC)),
	SANDBOX_ALLOW(mprotect, SANDBOX_ARG_CLEAR(2, PROT_EXEC)),
	SANDBOX_ALLOW(munmap),
};

static const char *const child_files[] = {"/etc/resolv.conf", NULL};

const struct sandbox_role net_user_child_role = {
	.name = "net-user-process",
	.rules = child_rules,
	.nrules = ARRAY_SIZE(child_rules),
	.read_files = child_files,
};

/* --- Frames to the guest ---------------------------------------------------------------------- */

/* From libslirp, also in the middle of slirp_input(). */
static ssize_t send_packet(const void *buf, size_t len, void *opaque)
{
	struct child *c = opaque;
	u32 frame_len = (u32)len;

	if (len < 14 || len > NET_USER_FRAME ||
	    !stream_room(&c->out, (u32)sizeof(frame_len) + frame_len))
		return (ssize_t)len; /* lost, as on a wire: TCP sends it again */
	stream_put(&c->out, &frame_len, sizeof(frame_len));
	stream_put(&c->out, buf, frame_len);
	return (ssize_t)len;
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
	struct child *c = opaque;
	struct user_timer *t = NULL;

	for (unsigned i = 0; i < c->ntimers && !t; i++)
		if (!c->timer[i].cb)
			t = &c->timer[i];
	if (!t && c->ntimers < MAX_TIMERS)
		t = &c->timer[c->ntimers++];
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
	struct child *c = opaque;
	short ev = 0;

	if (c->nfds == MAX_FDS)
		return -1; /* looked at when others are gone */
	ev |= events & SLIRP_POLL_IN ? POLLIN : 0;
	ev |= events & SLIRP_POLL_OUT ? POLLOUT : 0;
	ev |= events & SLIRP_POLL_PRI ? POLLPRI : 0;
	c->fds[c->nfds] = (struct pollfd){.fd = fd, .events = ev};
	return (int)c->nfds++;
}

static int get_revents(int idx, void *opaque)
{
	struct child *c = opaque;
	short ev = idx >= 0 ? c->fds[idx].revents : 0;

	return (ev & POLLIN ? SLIRP_POLL_IN : 0) | (ev & POLLOUT ? SLIRP_POLL_OUT : 0) |
	       (ev & POLLPRI ? SLIRP_POLL_PRI : 0) | (ev & POLLERR ? SLIRP_POLL_ERR : 0) |
	       (ev & POLLHUP ? SLIRP_POLL_HUP : 0);
}

static int timers_timeout(struct child *c, u32 slirp_timeout)
{
	s64 now = clock_get_ns(c) / 1000000;
	s64 timeout = slirp_timeout > INT32_MAX ? INT32_MAX : slirp_timeout;

	for (unsigned i = 0; i < c->ntimers; i++) {
		const struct user_timer *t = &c->timer[i];

		if (t->cb && t->expires_ms >= 0 && t->expires_ms - now < timeout)
			timeout = t->expires_ms > now ? t->expires_ms - now : 0;
	}
	return timeout == INT32_MAX ? -1 : (int)timeout;
}

static void run_timers(struct child *c)
{
	s64 now = clock_get_ns(c) / 1000000;

	for (unsigned i = 0; i < c->ntimers; i++) {
		struct user_timer *t = &c->timer[i];

		if (t->cb && t->expires_ms >= 0 && t->expires_ms <= now) {
			t->expires_ms = -1;
			t->cb(t->opaque);
		}
	}
}

static void input(struct child *c, const u8 *frame, size_t len)
{
	if (net_guard_pass(frame, len, c->ipv6))
		slirp_input(c->slirp, frame, (int)len);
}

/* False: the device is gone. */
static bool take_frames(struct child *c)
{
	const u8 *frame;
	int len;

	if (stream_fill(&c->in, NET_USER_SOCK))
		return false;
	while ((len = stream_frame(&c->in, &frame)) > 0) {
		input(c, frame, (size_t)len);
		stream_skip(&c->in, (u32)len);
	}
	return len == 0;
}

static bool turn(struct child *c)
{
	u32 timeout = UINT32_MAX;
	/* While the guest takes nothing, libslirp is not polled: it would have to drop what comes.
	 */
	bool held = stream_len(&c->out) != 0;
	int ret;

	c->fds[0] = (struct pollfd){.fd = NET_USER_SOCK,
				    .events = (short)(POLLIN | (held ? POLLOUT : 0))};
	c->nfds = 1;
	if (!held)
		slirp_pollfds_fill(c->slirp, &timeout, add_poll, c);
	ret = poll(c->fds, c->nfds, timers_timeout(c, timeout));
	/* Also where no descriptor was looked at: its clock stands still in between, and what it
	 * opens would expire at once. */
	slirp_pollfds_poll(c->slirp, ret < 0 || held, get_revents, c);
	if (ret > 0 && c->fds[0].revents & (POLLIN | POLLHUP | POLLERR) && !take_frames(c))
		return false;
	run_timers(c);
	return !stream_flush(&c->out, NET_USER_SOCK);
}

/* --- Start ------------------------------------------------------------------------------------ */

static int make_slirp(struct child *c, const struct net_user_setup *s, const char **err)
{
	SlirpConfig cfg = {
		.version = 4,
		.restricted = s->restricted,
		.in_enabled = true,
		.in6_enabled = s->ipv6,
		.vprefix_len = 64,
		.vhostname = s->hostname[0] ? s->hostname : NULL,
		.if_mtu = NET_USER_MTU,
		.if_mru = NET_USER_MTU,
	};

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
	c->ipv6 = s->ipv6;
	c->slirp = slirp_new(&cfg, &callbacks, c);
	if (!c->slirp) {
		*err = "libslirp refuses the configuration";
		return -EINVAL;
	}
	for (u32 i = 0; i < s->nforwards && i < NET_USER_MAX_FORWARDS; i++) {
		struct in_addr host = {s->forward[i].host_addr};
		struct in_addr guest = {s->forward[i].guest_addr};

		errno = 0;
		if (slirp_add_hostfwd(c->slirp, (int)s->forward[i].udp, host,
				      s->forward[i].host_port, guest,
				      s->forward[i].guest_port) < 0) {
			*err = "cannot listen on a forwarded port of the host";
			return errno ? -errno : -EADDRINUSE;
		}
	}
	return 0;
}

static struct child fuzzed;

int net_user_fuzz_start(bool ipv6)
{
	const struct net_user_setup setup = {.restricted = true, .ipv6 = ipv6};
	const char *err;

	return make_slirp(&fuzzed, &setup, &err);
}

void net_user_fuzz_frame(const u8 *frame, size_t len)
{
	slirp_pollfds_poll(fuzzed.slirp, 1, get_revents, &fuzzed);
	input(&fuzzed, frame, len);
	fuzzed.out.head = fuzzed.out.tail = 0;
	run_timers(&fuzzed);
}

static int confine(const struct net_user_setup *s, const char **err)
{
	struct sandbox *sb;
	int ret = sandbox_prepare(&net_user_child_role, s->thread, s->sandbox, &sb, err);

	if (!ret && (ret = sandbox_enter(sb)))
		*err = "the kernel refused the process's seccomp filter";
	return ret;
}

static void child_main(void)
{
	static struct net_user_setup setup;
	static struct child c;
	struct net_user_ready ready = {.pid = getpid()};
	int null = open("/dev/null", O_RDWR);
	const char *err = "";
	sigset_t none;

	prctl(PR_SET_NAME, "net-user");
	sigemptyset(&none); /* the parent's mask is of its threads' making */
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	close_range(NET_USER_SOCK + 1, ~0u, 0);
	if (recv(NET_USER_SOCK, &setup, sizeof(setup), MSG_WAITALL) != sizeof(setup))
		return;
	setup.thread[sizeof(setup.thread) - 1] = 0;
	setup.hostname[sizeof(setup.hostname) - 1] = 0;
	signal(SIGPIPE, SIG_IGN);
	ready.err = make_slirp(&c, &setup, &err);
	if (!ready.err && fcntl(NET_USER_SOCK, F_SETFL, O_NONBLOCK))
		ready.err = -errno;
	if (!ready.err)
		ready.err = confine(&setup, &err);
	snprintf(ready.why, sizeof(ready.why), "%s", err);
	if (write(NET_USER_SOCK, &ready, sizeof(ready)) != sizeof(ready) || ready.err)
		return;
	while (turn(&c))
		;
}

/*
 * Before main(), whatever program this is linked into: the tests' as well as armature. glibc passes
 * constructors what main() gets.
 */
__attribute__((constructor)) static void net_user_child(int argc, char **argv)
{
	if (argc != 2 || strcmp(argv[1], net_user_child_arg))
		return;
	child_main();
	_exit(0);
}

/* SPDX-License-Identifier: MIT */
/*
 * User-mode network, the device's end. libslirp parses what the guest sends, allocates and opens
 * sockets as it goes: it runs in a process of its own (net_user_child.c), which has no guest
 * memory, so that its mistakes cost a network and not the machine. Here is a socket to it, and
 * nothing else.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/log.h"
#include "devices/net_user_internal.h"
#include "devices/virtio/worker.h"

struct user {
	struct net_backend nb; /* first */
	struct worker *worker;
	struct worker_source source; /* the socket */
	struct net_user_setup setup;
	int pid;
	bool want_in, want_out;
	bool starting; /* the process's struct net_user_ready is yet to come */
	bool held;     /* the guest has no room for the frame at the head of `in` */
	struct net_user_stream in, out;
	u8 frame[NET_HDR_LEN + NET_USER_FRAME]; /* the header stays zero */
};

static const struct sandbox_rule user_rules[] = {
	/* watching the socket, or not while the guest has no buffers */
	SANDBOX_ALLOW(epoll_ctl),
};

const struct sandbox_role net_user_role = {
	.name = "net-user",
	.rules = user_rules,
	.nrules = ARRAY_SIZE(user_rules),
	.device = true,
};

static struct user *to_user(struct net_backend *nb)
{
	return container_of(nb, struct user, nb);
}

static void watch(struct user *u, bool in, bool out)
{
	if (in == u->want_in && out == u->want_out)
		return;
	u->want_in = in;
	u->want_out = out;
	worker_change(u->worker, &u->source, (in ? EPOLLIN : 0) | (out ? EPOLLOUT : 0));
}

static bool is_gone(const struct user *u)
{
	return !u->worker;
}

static void child_gone(struct user *u)
{
	if (is_gone(u))
		return;
	warn_report("%s: the user-mode network has ended; the guest's link is down",
		    u->setup.thread);
	worker_unwatch(u->worker, &u->source);
	u->worker = NULL;
	u->out.head = u->out.tail = 0;
	u->nb.client->broken(u->nb.opaque);
}

/* Hands on whole frames. False: the guest has no room. */
static bool deliver(struct user *u)
{
	const u8 *frame;
	int len;

	while ((len = stream_frame(&u->in, &frame)) > 0) {
		memcpy(u->frame + NET_HDR_LEN, frame, (size_t)len);
		if (!u->nb.client->receive(u->nb.opaque, u->frame, NET_HDR_LEN + (size_t)len))
			return false;
		stream_skip(&u->in, (u32)len);
	}
	if (len < 0) /* it would have to be in an attacker's hands */
		child_gone(u);
	return true;
}

/* False: it has not come yet, or the process could not start. */
static bool take_ready(struct user *u)
{
	struct net_user_ready ready;

	if (stream_len(&u->in) < sizeof(ready))
		return false;
	memcpy(&ready, u->in.buf + u->in.head, sizeof(ready));
	u->in.head += (u32)sizeof(ready);
	__atomic_store_n(&u->pid, ready.pid, __ATOMIC_RELAXED);
	u->starting = false;
	if (!ready.err)
		return true;
	ready.why[sizeof(ready.why) - 1] = 0;
	warn_report("%s: %s", u->setup.thread, ready.why);
	child_gone(u);
	return false;
}

static void receive(struct user *u)
{
	if (stream_fill(&u->in, u->source.fd)) {
		child_gone(u);
		return;
	}
	if (u->starting && !take_ready(u))
		return;
	u->held = !deliver(u);
	u->nb.client->received(u->nb.opaque);
	if (!is_gone(u))
		watch(u, !u->held, u->want_out);
}

static void flush(struct user *u)
{
	if (is_gone(u))
		return;
	if (stream_flush(&u->out, u->source.fd))
		child_gone(u);
	else
		watch(u, u->want_in, stream_len(&u->out) != 0);
}

static void user_ready(void *opaque, u32 events)
{
	struct user *u = opaque;

	if (events & EPOLLOUT && !is_gone(u)) {
		flush(u);
		u->nb.client->writable(u->nb.opaque);
	}
	if (events & EPOLLIN && !u->held && !is_gone(u))
		receive(u);
	else if (events & (EPOLLHUP | EPOLLERR))
		child_gone(u); /* cannot be masked: with frames still held they are lost */
}

static int user_send(struct net_backend *nb, const struct iovec *iov, unsigned n, size_t len)
{
	struct user *u = to_user(nb);
	u32 frame_len = (u32)len - NET_HDR_LEN;

	if (frame_len > NET_USER_FRAME || is_gone(u))
		return 0; /* over the MTU; no network */
	if (!stream_room(&u->out, (u32)sizeof(frame_len) + frame_len)) {
		flush(u);
		if (!is_gone(u) && !stream_room(&u->out, (u32)sizeof(frame_len) + frame_len))
			return -EAGAIN; /* watched for room by flush() */
	}
	stream_put(&u->out, &frame_len, sizeof(frame_len));
	for (unsigned i = 1; i < n; i++)
		stream_put(&u->out, iov[i].iov_base, (u32)iov[i].iov_len);
	return 0;
}

static void user_sent(struct net_backend *nb)
{
	flush(to_user(nb));
}

static void user_receive_ready(struct net_backend *nb)
{
	struct user *u = to_user(nb);

	u->held = !deliver(u);
	nb->client->received(nb->opaque);
	if (!is_gone(u))
		watch(u, !u->held, u->want_out);
}

/* --- Starting and ending ---------------------------------------------------------------------- */

/*
 * The process is a grandchild, so that nobody has to wait for it when it ends, and a fresh image of
 * this program: no guest memory, no code cache, another address space layout.
 */
static int start_child(int sock)
{
	static char *const argv[] = {(char *)"armature-net-user", net_user_child_arg, NULL};
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid) {
		while (waitpid(pid, &status, 0) < 0)
			if (errno != EINTR)
				return -errno;
		return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
	}
	pid = fork();
	if (pid)
		_exit(pid < 0 ? errno : 0);
	setsid(); /* Ctrl-C at the terminal is not for it */
	if (dup2(sock, NET_USER_SOCK) == NET_USER_SOCK) {
		fcntl(NET_USER_SOCK, F_SETFD, 0);
		execv("/proc/self/exe", argv);
	}
	_exit(127); /* the parent reads the end of the socket */
}

static int send_setup(struct user *u, const char **err)
{
	if (send(u->source.fd, &u->setup, sizeof(u->setup), MSG_NOSIGNAL) == sizeof(u->setup))
		return 0;
	*err = "cannot talk to the process of the user-mode network";
	return -EIO;
}

/* A forward's port may be taken: then the machine must not start. */
static int wait_ready(struct user *u, const char **err)
{
	static struct net_user_ready ready; /* *err outlives us */
	ssize_t n;

	do
		n = recv(u->source.fd, &ready, sizeof(ready), MSG_WAITALL);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(ready)) {
		*err = "the process of the user-mode network did not start (is /proc mounted?)";
		return -EIO;
	}
	ready.why[sizeof(ready.why) - 1] = 0;
	__atomic_store_n(&u->pid, ready.pid, __ATOMIC_RELAXED);
	u->starting = false;
	*err = ready.why;
	return ready.err;
}

static int user_attach(struct net_backend *nb, struct worker *w, enum sandbox_mode sandbox,
		       const char **err)
{
	struct user *u = to_user(nb);
	int fds[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)) {
		*err = "cannot make a socket";
		return -errno;
	}
	u->source.fd = fds[0];
	u->setup.sandbox = sandbox;
	*err = "cannot start the process of the user-mode network";
	ret = start_child(fds[1]);
	close(fds[1]);
	if (!ret)
		ret = send_setup(u, err);
	/* Else nothing can be wrong with it, and its start need not hold up the machine's. */
	u->starting = true;
	if (!ret && u->setup.nforwards)
		ret = wait_ready(u, err);
	if (!ret && fcntl(fds[0], F_SETFL, O_NONBLOCK))
		ret = -errno;
	if (!ret)
		ret = worker_watch(w, &u->source, EPOLLIN);
	u->worker = w;
	u->want_in = true;
	return ret;
}

static void user_destroy(struct net_backend *nb)
{
	struct user *u = to_user(nb);

	if (u->source.fd >= 0)
		close(u->source.fd); /* the process ends with its socket */
	free(u);
}

static const struct net_backend_ops user_ops = {
	.name = "user",
	.role = &net_user_role,
	.attach = user_attach,
	.send = user_send,
	.sent = user_sent,
	.receive_ready = user_receive_ready,
	.destroy = user_destroy,
};

static int parse_forward(struct user *u, const struct net_forward *f, const char **err)
{
	struct in_addr host, guest;
	u32 i = u->setup.nforwards++;

	if (!inet_aton(f->host_addr ? f->host_addr : "127.0.0.1", &host) ||
	    !inet_aton(f->guest_addr ? f->guest_addr : "10.0.2.15", &guest)) {
		*err = "a forward's address is no dotted IPv4 address";
		return -EINVAL;
	}
	u->setup.forward[i].host_addr = host.s_addr;
	u->setup.forward[i].guest_addr = guest.s_addr;
	u->setup.forward[i].host_port = f->host_port;
	u->setup.forward[i].guest_port = f->guest_port;
	u->setup.forward[i].udp = f->udp;
	return 0;
}

int net_user_create(const struct net_user_params *p, struct net_backend **out, const char **err)
{
	struct user *u = calloc(1, sizeof(*u));
	int ret = 0;

	if (!u) {
		*err = "out of memory";
		return -ENOMEM;
	}
	u->nb.ops = &user_ops;
	u->source = (struct worker_source){.fd = -1, .ready = user_ready, .opaque = u};
	u->setup.restricted = p->restricted;
	u->setup.ipv6 = p->ipv6;
	strcpy(u->setup.thread, "net-user");
	if (p->hostname)
		snprintf(u->setup.hostname, sizeof(u->setup.hostname), "%s", p->hostname);
	if (p->nforwards > NET_USER_MAX_FORWARDS) {
		*err = "more than 32 forwards";
		ret = -EINVAL;
	}
	for (unsigned i = 0; !ret && i < p->nforwards; i++)
		ret = parse_forward(u, &p->forward[i], err);
	if (ret) {
		user_destroy(&u->nb);
		return ret;
	}
	*out = &u->nb;
	return 0;
}

int net_user_pid(const struct net_backend *nb)
{
	return nb->ops == &user_ops
		       ? __atomic_load_n(&container_of(nb, struct user, nb)->pid, __ATOMIC_RELAXED)
		       : 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * All descriptors of a chardev hang in an epoll instance of its own, which is what the event loop
 * watches: after chardev_open() nothing is allocated, so that a sandboxed device thread can be the
 * loop's thread.
 */
#include "devices/chardev.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "common/log.h"

#define OUT_SIZE (64u << 10) /* power of two */
#define IN_CHUNK 4096
#define CTRL_A	 1

enum kind { KIND_STDIO, KIND_PTY, KIND_UNIX, KIND_FILE, KIND_NONE };
enum { TAG_IN, TAG_OUT, TAG_LISTEN };

struct chardev {
	enum kind kind;
	char id[32];
	struct event_loop *loop;
	struct event_source *source;
	int epfd;
	int in_fd, out_fd; /* the same for pty and socket; -1: no such direction, or no peer */
	int listen_fd;
	bool in_always; /* a regular file: epoll will not have it, reading never blocks */
	bool escaped;	/* stdio: the last byte was Ctrl-A */
	char address[sizeof(((struct sockaddr_un *)0)->sun_path)];
	void (*quit)(void *opaque);
	void *quit_opaque;
	/* The loop's thread only: */
	const struct chardev_client *client;
	void *client_opaque;
	bool reported; /* connected() was told so */
	u32 in_events;

	pthread_mutex_t lock; /* output, from any thread: */
	bool out_socket;
	bool starved; /* chardev_write() took less than asked */
	u32 head, tail;
	u8 out[OUT_SIZE];
};

/* --- The terminal ----------------------------------------------------------------------------- */

/* Only one chardev can own the terminal; its modes must be put back on every way out. */
static struct {
	struct chardev *owner;
	bool raw;
	struct termios saved;
	int shared_fds[2];   /* descriptions shared with others that got O_NONBLOCK, or -1 */
	int shared_flags[2]; /* what they had */
	bool at_exit;
} terminal = {.shared_fds = {-1, -1}};

static void terminal_restore(void)
{
	if (terminal.raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &terminal.saved);
	terminal.raw = false;
	for (unsigned i = 0; i < 2; i++) {
		if (terminal.shared_fds[i] >= 0)
			fcntl(terminal.shared_fds[i], F_SETFL, terminal.shared_flags[i]);
		terminal.shared_fds[i] = -1;
	}
}

static void terminal_raw(void)
{
	struct termios t;

	if (!terminal.at_exit)
		atexit(terminal_restore);
	terminal.at_exit = true;
	if (tcgetattr(STDIN_FILENO, &terminal.saved))
		return; /* not a terminal */
	t = terminal.saved;
	cfmakeraw(&t);
	t.c_oflag |= OPOST; /* our own messages end in a bare newline */
	terminal.raw = !tcsetattr(STDIN_FILENO, TCSANOW, &t);
}

/*
 * A non-blocking descriptor for `fd` of a terminal, pipe or file. O_NONBLOCK belongs to the open
 * file description, which the shell and others share: open a new one where that works.
 */
static int private_fd(int fd, int flags, int slot)
{
	char path[32];
	struct stat st;
	int own;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISREG(st.st_mode)) /* never blocks; a new description would begin at offset 0 */
		return fcntl(fd, F_DUPFD_CLOEXEC, 3);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (own >= 0)
		return own;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (own < 0)
		return -errno;
	terminal.shared_flags[slot] = fcntl(own, F_GETFL);
	if (!fcntl(own, F_SETFL, terminal.shared_flags[slot] | O_NONBLOCK))
		terminal.shared_fds[slot] = fd;
	return own;
}

/* --- Output ----------------------------------------------------------------------------------- */

static u32 out_used(const struct chardev *cd)
{
	return cd->tail - cd->head;
}

static ssize_t send_some(struct chardev *cd, const void *buf, size_t len)
{
	if (cd->out_socket)
		return send(cd->out_fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return write(cd->out_fd, buf, len);
}

/* A pty without a peer takes what is written and keeps it for whoever comes; we drop it instead. */
static bool has_peer(struct chardev *cd)
{
	struct pollfd p = {.fd = cd->out_fd};

	if (cd->out_fd < 0)
		return false;
	return cd->kind != KIND_PTY || poll(&p, 1, 0) <= 0 || !(p.revents & POLLHUP);
}

/* Interest of epoll in the output side. With cd->lock. */
static void watch_output(struct chardev *cd, bool on)
{
	struct epoll_event ev = {.events = on ? EPOLLOUT : 0, .data.u32 = TAG_OUT};

	if (cd->kind == KIND_PTY || cd->out_fd < 0)
		return; /* edge-triggered, always on */
	if (cd->out_fd == cd->in_fd) {
		ev.events |= cd->in_events;
		ev.data.u32 = TAG_IN;
	}
	epoll_ctl(cd->epfd, EPOLL_CTL_MOD, cd->out_fd, &ev);
}

static bool try_again(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK || err == EINTR;
}

/* Bytes the host took, all of them if it can take none any more. With cd->lock. */
static size_t send_or_drop(struct chardev *cd, const u8 *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = send_some(cd, buf + done, len - done);

		if (n > 0) {
			done += (size_t)n;
		} else if (n < 0 && try_again(errno)) {
			break;
		} else {
			if (cd->kind == KIND_FILE)
				warn_ratelimited("%s: output to the file lost: %s", cd->id,
						 strerror(errno));
			return len;
		}
	}
	return done;
}

static void flush_locked(struct chardev *cd)
{
	while (out_used(cd)) {
		u32 at = cd->head % OUT_SIZE;
		u32 part = OUT_SIZE - at < out_used(cd) ? OUT_SIZE - at : out_used(cd);
		size_t done = send_or_drop(cd, cd->out + at, part);

		cd->head += (u32)done;
		if (done < part)
			return;
	}
	watch_output(cd, false);
}

size_t chardev_write(struct chardev *cd, const void *buf, size_t len)
{
	const u8 *p = buf;
	size_t done = 0;

	pthread_mutex_lock(&cd->lock);
	if (!has_peer(cd)) {
		cd->head = cd->tail;
		pthread_mutex_unlock(&cd->lock);
		return len;
	}
	if (!out_used(cd))
		done = send_or_drop(cd, p, len);
	if (done < len && !out_used(cd))
		watch_output(cd, true);
	for (; done < len && out_used(cd) < OUT_SIZE; done++)
		cd->out[cd->tail++ % OUT_SIZE] = p[done];
	cd->starved |= done < len;
	pthread_mutex_unlock(&cd->lock);
	return done;
}

static void output_ready(struct chardev *cd)
{
	bool tell;

	pthread_mutex_lock(&cd->lock);
	if (cd->out_fd >= 0)
		flush_locked(cd);
	tell = cd->starved && out_used(cd) < OUT_SIZE;
	cd->starved &= !tell;
	pthread_mutex_unlock(&cd->lock);
	if (tell && cd->client && cd->client->writable)
		cd->client->writable(cd->client_opaque);
}

/* --- Peers ------------------------------------------------------------------------------------ */

static void report_peer(struct chardev *cd, bool connected)
{
	if (!cd->client || cd->reported == connected)
		return;
	cd->reported = connected;
	if (cd->client->connected)
		cd->client->connected(cd->client_opaque, connected);
}

static void watch_listener(struct chardev *cd, bool on)
{
	struct epoll_event ev = {.events = on ? EPOLLIN : 0, .data.u32 = TAG_LISTEN};

	epoll_ctl(cd->epfd, EPOLL_CTL_MOD, cd->listen_fd, &ev);
}

/* What was meant for a peer that went is lost; the writer must not wait for it. */
static void drop_output(struct chardev *cd)
{
	cd->head = cd->tail;
}

static void socket_hangup(struct chardev *cd)
{
	int fd = cd->in_fd;

	if (fd < 0)
		return;
	pthread_mutex_lock(&cd->lock);
	cd->in_fd = cd->out_fd = -1;
	drop_output(cd);
	pthread_mutex_unlock(&cd->lock);
	close(fd);
	watch_listener(cd, true);
	output_ready(cd); /* wakes a starved writer: from now on all is taken */
	report_peer(cd, false);
}

static void socket_accept(struct chardev *cd)
{
	int fd = accept4(cd->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct epoll_event ev = {.events = EPOLLIN, .data.u32 = TAG_IN};

	if (fd < 0)
		return;
	if (epoll_ctl(cd->epfd, EPOLL_CTL_ADD, fd, &ev)) {
		close(fd);
		return;
	}
	watch_listener(cd, false); /* the next one waits in the backlog */
	cd->in_events = EPOLLIN;
	pthread_mutex_lock(&cd->lock);
	cd->in_fd = cd->out_fd = fd;
	pthread_mutex_unlock(&cd->lock);
	report_peer(cd, true);
}

/* --- Input ------------------------------------------------------------------------------------ */

static void set_input_interest(struct chardev *cd, bool on)
{
	struct epoll_event ev = {.events = on ? EPOLLIN : 0, .data.u32 = TAG_IN};

	if (cd->in_fd < 0 || cd->in_always || cd->kind == KIND_PTY || cd->in_events == ev.events)
		return;
	pthread_mutex_lock(&cd->lock);
	cd->in_events = ev.events;
	if (cd->in_fd == cd->out_fd && out_used(cd))
		ev.events |= EPOLLOUT;
	epoll_ctl(cd->epfd, EPOLL_CTL_MOD, cd->in_fd, &ev);
	pthread_mutex_unlock(&cd->lock);
}

static const char help[] = "\r\n"
			   "Ctrl-A x       quit\r\n"
			   "Ctrl-A Ctrl-A  send Ctrl-A\r\n"
			   "Ctrl-A h       this help\r\n";

/* Takes the escapes out of buf in place; what is left. */
static size_t filter_escapes(struct chardev *cd, u8 *buf, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		u8 c = buf[i];

		if (!cd->escaped) {
			cd->escaped = c == CTRL_A;
			if (!cd->escaped)
				buf[n++] = c;
			continue;
		}
		cd->escaped = false;
		if (c == 'x' || c == 'X') {
			if (cd->quit)
				cd->quit(cd->quit_opaque);
		} else if (c == 'h' || c == 'H' || c == '?') {
			chardev_write(cd, help, sizeof(help) - 1);
		} else {
			buf[n++] = c;
		}
	}
	return n;
}

/* The peer closed its side; the master stays, for the next one. */
static void pty_hangup(struct chardev *cd)
{
	pthread_mutex_lock(&cd->lock);
	drop_output(cd);
	pthread_mutex_unlock(&cd->lock);
	output_ready(cd);
	report_peer(cd, false);
}

static void input_ended(struct chardev *cd)
{
	if (cd->kind == KIND_UNIX) {
		socket_hangup(cd);
	} else if (cd->kind == KIND_PTY) {
		pty_hangup(cd);
	} else { /* end of stdin: output goes on */
		if (!cd->in_always)
			epoll_ctl(cd->epfd, EPOLL_CTL_DEL, cd->in_fd, NULL);
		close(cd->in_fd);
		cd->in_fd = -1;
	}
}

/* Hands the client what is there and it has room for. */
static void input_ready(struct chardev *cd)
{
	u8 buf[IN_CHUNK];

	while (cd->in_fd >= 0) {
		size_t room = cd->client ? cd->client->can_receive(cd->client_opaque) : 0;
		ssize_t n;
		size_t keep;

		set_input_interest(cd, room);
		if (!room)
			return;
		n = read(cd->in_fd, buf, room < sizeof(buf) ? room : sizeof(buf));
		if (n < 0 && try_again(errno))
			return;
		if (n <= 0) {
			input_ended(cd);
			return;
		}
		report_peer(cd, true); /* a pty's peer shows by what it sends */
		keep = cd->kind == KIND_STDIO ? filter_escapes(cd, buf, (size_t)n) : (size_t)n;
		if (keep)
			cd->client->receive(cd->client_opaque, buf, keep);
	}
}

/* Nobody reads our stdout any more. */
static void output_ended(struct chardev *cd)
{
	pthread_mutex_lock(&cd->lock);
	epoll_ctl(cd->epfd, EPOLL_CTL_DEL, cd->out_fd, NULL);
	close(cd->out_fd);
	cd->out_fd = -1;
	drop_output(cd);
	pthread_mutex_unlock(&cd->lock);
	output_ready(cd);
}

/* EPOLLHUP cannot be masked: unless it is taken care of whatever the client does, the loop spins.
 */
static void peer_event(struct chardev *cd, u32 events)
{
	if (events & (EPOLLIN | EPOLLHUP))
		input_ready(cd); /* first: it may hold the peer's last words */
	if (!(events & (EPOLLHUP | EPOLLERR)) || cd->in_fd < 0)
		return;
	if (cd->kind == KIND_UNIX) {
		socket_hangup(cd); /* the next peer waits */
	} else if (cd->kind == KIND_PTY) {
		pty_hangup(cd);
	} else if (!cd->in_always) { /* stdin: what is left can be read without waiting */
		epoll_ctl(cd->epfd, EPOLL_CTL_DEL, cd->in_fd, NULL);
		cd->in_always = true;
	}
}

static void events_ready(void *opaque, u32 events)
{
	struct chardev *cd = opaque;
	struct epoll_event ev[4];
	int n = epoll_wait(cd->epfd, ev, (int)ARRAY_SIZE(ev), 0);

	for (int i = 0; i < n; i++) {
		if (ev[i].data.u32 == TAG_LISTEN) {
			socket_accept(cd);
			continue;
		}
		if (ev[i].events & EPOLLOUT)
			output_ready(cd);
		if (ev[i].data.u32 == TAG_IN)
			peer_event(cd, ev[i].events);
		else if (ev[i].events & (EPOLLERR | EPOLLHUP) && cd->out_fd >= 0)
			output_ended(cd);
	}
}

void chardev_set_client(struct chardev *cd, const struct chardev_client *client, void *opaque)
{
	cd->client = client;
	cd->client_opaque = opaque;
	cd->reported = false;
	if (!client)
		return;
	report_peer(cd, has_peer(cd) || cd->kind == KIND_NONE);
	input_ready(cd);
}

void chardev_accept_input(struct chardev *cd)
{
	if (cd->client)
		input_ready(cd);
}

const char *chardev_address(const struct chardev *cd)
{
	return cd->address;
}

/* --- Opening ---------------------------------------------------------------------------------- */

static const char *spec_path(const char *spec, const char *word)
{
	size_t n = strlen(word);

	return !strncmp(spec, word, n) && spec[n] == '=' && spec[n + 1] ? spec + n + 1 : NULL;
}

static const char *parse_spec(const char *spec, enum kind *kind, const char **path)
{
	*path = "";
	if (!strcmp(spec, "stdio")) {
		*kind = KIND_STDIO;
	} else if (!strcmp(spec, "pty")) {
		*kind = KIND_PTY;
	} else if (!strcmp(spec, "none")) {
		*kind = KIND_NONE;
	} else if ((*path = spec_path(spec, "unix"))) {
		*kind = KIND_UNIX;
		if (strlen(*path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
			return "a socket's path has at most 107 bytes";
	} else if ((*path = spec_path(spec, "file"))) {
		*kind = KIND_FILE;
	} else {
		return "allowed are stdio, pty, unix=PATH, file=PATH and none";
	}
	return NULL;
}

const char *chardev_spec_check(const char *spec)
{
	enum kind kind;
	const char *path;

	return parse_spec(spec, &kind, &path);
}

static int watch(struct chardev *cd, int fd, u32 events, u32 tag)
{
	struct epoll_event ev = {.events = events, .data.u32 = tag};

	return epoll_ctl(cd->epfd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static int open_stdio(struct chardev *cd)
{
	struct stat st;
	int ret;

	if (terminal.owner)
		return -EBUSY;
	terminal.owner = cd;
	cd->in_fd = private_fd(STDIN_FILENO, O_RDONLY, 0);
	cd->out_fd = private_fd(STDOUT_FILENO, O_WRONLY, 1);
	if (cd->out_fd < 0)
		return cd->out_fd;
	terminal_raw();
	cd->out_socket = !fstat(cd->out_fd, &st) && S_ISSOCK(st.st_mode);
	ret = watch(cd, cd->out_fd, 0, TAG_OUT);
	if (ret && ret != -EPERM) /* a regular file: always ready */
		return ret;
	if (cd->in_fd < 0) { /* closed: no input */
		cd->in_fd = -1;
		return 0;
	}
	cd->in_events = EPOLLIN;
	ret = watch(cd, cd->in_fd, EPOLLIN, TAG_IN);
	cd->in_always = ret == -EPERM;
	return cd->in_always ? 0 : ret;
}

static int open_pty(struct chardev *cd)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), slave;
	struct termios t;

	if (fd < 0)
		return -errno;
	cd->in_fd = cd->out_fd = fd;
	if (grantpt(fd) || unlockpt(fd) || ptsname_r(fd, cd->address, sizeof(cd->address)))
		return -errno;
	/* Once opened and closed, so that it reads as hung up until a peer comes. */
	slave = open(cd->address, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return -errno;
	if (!tcgetattr(slave, &t)) {
		cfmakeraw(&t);
		tcsetattr(slave, TCSANOW, &t);
	}
	close(slave);
	error_report("%s: terminal is %s", cd->id, cd->address);
	return watch(cd, fd, EPOLLIN | EPOLLOUT | EPOLLET, TAG_IN);
}

/* A socket nobody listens on is left from an earlier run: it may go. */
static bool is_stale(const struct sockaddr_un *sa)
{
	struct stat st;
	int fd, ret;

	if (lstat(sa->sun_path, &st) || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ret = connect(fd, (const struct sockaddr *)sa, sizeof(*sa));
	ret = ret ? errno : 0;
	close(fd);
	return ret == ECONNREFUSED;
}

static int open_unix(struct chardev *cd, const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int ret;

	memcpy(sa.sun_path, path, strlen(path));
	cd->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (cd->listen_fd < 0)
		return -errno;
	ret = bind(cd->listen_fd, (struct sockaddr *)&sa, sizeof(sa));
	if (ret && errno == EADDRINUSE && is_stale(&sa) && !unlink(path))
		ret = bind(cd->listen_fd, (struct sockaddr *)&sa, sizeof(sa));
	if (ret)
		return -errno;
	memcpy(cd->address, path, strlen(path)); /* from here on it is ours to unlink */
	if (listen(cd->listen_fd, 1))
		return -errno;
	cd->out_socket = true;
	return watch(cd, cd->listen_fd, EPOLLIN, TAG_LISTEN);
}

static int open_file(struct chardev *cd, const char *path)
{
	int ret;

	cd->out_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0644);
	if (cd->out_fd < 0)
		return -errno;
	ret = watch(cd, cd->out_fd, 0, TAG_OUT);
	return ret == -EPERM ? 0 : ret; /* a regular file: always ready */
}

static int open_kind(struct chardev *cd, const char *path)
{
	switch (cd->kind) {
	case KIND_STDIO: return open_stdio(cd);
	case KIND_PTY: return open_pty(cd);
	case KIND_UNIX: return open_unix(cd, path);
	case KIND_FILE: return open_file(cd, path);
	case KIND_NONE: return 0;
	}
	return -EINVAL;
}

int chardev_open(const struct chardev_params *params, struct chardev **out)
{
	const char *why, *path;
	struct chardev *cd = calloc(1, sizeof(*cd));
	int ret;

	if (!cd)
		return -ENOMEM;
	why = parse_spec(params->spec, &cd->kind, &path);
	if (why) {
		error_report("%s: \"%s\": %s", params->id, params->spec, why);
		free(cd);
		return -EINVAL;
	}
	signal(SIGPIPE, SIG_IGN); /* a peer that went is an errno */
	snprintf(cd->id, sizeof(cd->id), "%s", params->id);
	pthread_mutex_init(&cd->lock, NULL);
	cd->loop = params->loop;
	cd->quit = params->quit;
	cd->quit_opaque = params->quit_opaque;
	cd->in_fd = cd->out_fd = cd->listen_fd = -1;
	cd->epfd = epoll_create1(EPOLL_CLOEXEC);
	ret = cd->epfd < 0 ? -errno : open_kind(cd, path);
	if (!ret) {
		cd->source = event_add(cd->loop, cd->epfd, EPOLLIN, events_ready, cd);
		ret = cd->source ? 0 : -errno;
	}
	if (ret) {
		error_report("%s: \"%s\": %s", params->id, params->spec,
			     ret == -EBUSY	  ? "the terminal is in use by another device"
			     : ret == -EADDRINUSE ? "the path exists; remove it or choose another"
						  : strerror(-ret));
		chardev_close(cd);
		return ret;
	}
	*out = cd;
	return 0;
}

/* The guest's last lines tell why it went: give the peer a second to take them. */
static void last_flush(struct chardev *cd)
{
	struct pollfd p = {.fd = cd->out_fd, .events = POLLOUT};

	pthread_mutex_lock(&cd->lock);
	if (!has_peer(cd))
		drop_output(cd);
	for (unsigned i = 0; i < 10 && out_used(cd); i++) {
		poll(&p, 1, 100);
		flush_locked(cd);
	}
	pthread_mutex_unlock(&cd->lock);
}

void chardev_close(struct chardev *cd)
{
	if (!cd)
		return;
	event_del(cd->source);
	last_flush(cd);
	if (terminal.owner == cd) {
		terminal_restore();
		terminal.owner = NULL;
	}
	if (cd->in_fd >= 0)
		close(cd->in_fd);
	if (cd->out_fd >= 0 && cd->out_fd != cd->in_fd)
		close(cd->out_fd);
	if (cd->listen_fd >= 0) {
		close(cd->listen_fd);
		if (cd->address[0])
			unlink(cd->address);
	}
	if (cd->epfd >= 0)
		close(cd->epfd);
	pthread_mutex_destroy(&cd->lock);
	free(cd);
}

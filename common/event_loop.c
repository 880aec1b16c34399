/* SPDX-License-Identifier: MIT */
#include "common/event_loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum source_kind { SOURCE_FD, SOURCE_TIMER, SOURCE_NOTIFIER };

struct event_source {
	struct event_loop *loop;
	struct event_source *next;
	int fd;
	enum source_kind kind;
	u32 events;
	bool in_epoll;
	bool always_ready; /* epoll refused the descriptor: a regular file */
	bool dead;	   /* deleted during a round, freed at its end */
	event_fn fn;
	event_call_fn call;
	void *opaque;
	atomic_bool signalled;
};

struct posted {
	struct posted *next;
	event_call_fn fn;
	void *opaque;
};

struct event_loop {
	int epfd;
	struct event_source *sources;
	struct event_source *dead;
	unsigned n_always_ready;
	bool dispatching;
	atomic_bool stop;
	struct event_source *wake; /* notifier behind post and stop */
	pthread_mutex_t lock;	   /* posted list */
	struct posted *posted, **posted_tail;
};

static void run_posted(void *opaque)
{
	struct event_loop *loop = opaque;
	struct posted *p;

	pthread_mutex_lock(&loop->lock);
	p = loop->posted;
	loop->posted = NULL;
	loop->posted_tail = &loop->posted;
	pthread_mutex_unlock(&loop->lock);
	while (p) {
		struct posted *next = p->next;

		p->fn(p->opaque);
		free(p);
		p = next;
	}
}

int event_loop_create(struct event_loop **out)
{
	struct event_loop *loop = calloc(1, sizeof(*loop));
	int err;

	if (!loop)
		return -ENOMEM;
	pthread_mutex_init(&loop->lock, NULL);
	loop->posted_tail = &loop->posted;
	loop->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epfd < 0) {
		err = -errno;
		free(loop);
		return err;
	}
	loop->wake = event_notifier_add(loop, run_posted, loop);
	if (!loop->wake) {
		err = -errno;
		event_loop_destroy(loop);
		return err;
	}
	*out = loop;
	return 0;
}

static void source_free(struct event_source *src)
{
	if (src->kind != SOURCE_FD)
		close(src->fd);
	free(src);
}

static void reap(struct event_loop *loop)
{
	while (loop->dead) {
		struct event_source *src = loop->dead;

		loop->dead = src->next;
		source_free(src);
	}
}

void event_loop_destroy(struct event_loop *loop)
{
	if (!loop)
		return;
	while (loop->sources) {
		struct event_source *src = loop->sources;

		loop->sources = src->next;
		source_free(src);
	}
	reap(loop);
	while (loop->posted) {
		struct posted *p = loop->posted;

		loop->posted = p->next;
		free(p);
	}
	close(loop->epfd);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

static int source_update(struct event_source *src, u32 events)
{
	struct event_loop *loop = src->loop;
	struct epoll_event ev = {.events = events, .data.ptr = src};
	int op;

	if (src->always_ready) {
		loop->n_always_ready += !!events - !!src->events;
		src->events = events;
		return 0;
	}
	/* A source without events leaves epoll, or a hung-up peer would make the loop spin. */
	if (!events && !src->in_epoll)
		return 0;
	op = !events ? EPOLL_CTL_DEL : src->in_epoll ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	if (epoll_ctl(loop->epfd, op, src->fd, &ev) < 0) {
		if (errno != EPERM || op != EPOLL_CTL_ADD)
			return -errno;
		src->always_ready = true;
		return source_update(src, events);
	}
	src->in_epoll = events != 0;
	src->events = events;
	return 0;
}

static struct event_source *source_new(struct event_loop *loop, enum source_kind kind, int fd,
				       u32 events, void *opaque)
{
	struct event_source *src = calloc(1, sizeof(*src));
	int err;

	if (!src) {
		errno = ENOMEM;
		return NULL;
	}
	src->loop = loop;
	src->kind = kind;
	src->fd = fd;
	src->opaque = opaque;
	err = source_update(src, events);
	if (err) {
		free(src);
		errno = -err;
		return NULL;
	}
	src->next = loop->sources;
	loop->sources = src;
	return src;
}

struct event_source *event_add(struct event_loop *loop, int fd, u32 events, event_fn fn,
			       void *opaque)
{
	struct event_source *src = source_new(loop, SOURCE_FD, fd, events, opaque);

	if (src)
		src->fn = fn;
	return src;
}

int event_set(struct event_source *src, u32 events)
{
	return src->events == events ? 0 : source_update(src, events);
}

void event_del(struct event_source *src)
{
	struct event_source **p;

	if (!src || src->dead)
		return;
	source_update(src, 0);
	for (p = &src->loop->sources; *p != src; p = &(*p)->next)
		;
	*p = src->next;
	src->dead = true;
	if (src->loop->dispatching) { /* the round's event array may still point here */
		src->next = src->loop->dead;
		src->loop->dead = src;
	} else {
		source_free(src);
	}
}

static struct event_source *own_fd_add(struct event_loop *loop, enum source_kind kind, int fd,
				       event_call_fn fn, void *opaque)
{
	struct event_source *src;

	if (fd < 0)
		return NULL;
	src = source_new(loop, kind, fd, EPOLLIN, opaque);
	if (src)
		src->call = fn;
	else
		close(fd);
	return src;
}

struct event_source *event_timer_add(struct event_loop *loop, event_call_fn fn, void *opaque)
{
	return own_fd_add(loop, SOURCE_TIMER,
			  timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), fn, opaque);
}

void event_timer_set(struct event_source *timer, u64 ns)
{
	struct itimerspec its = {0};

	if (ns != ~0ull) {
		if (!ns)
			ns = 1; /* zero would disarm */
		its.it_value.tv_sec = (time_t)(ns / 1000000000u);
		its.it_value.tv_nsec = (long)(ns % 1000000000u);
	}
	timerfd_settime(timer->fd, 0, &its, NULL);
}

struct event_source *event_notifier_add(struct event_loop *loop, event_call_fn fn, void *opaque)
{
	return own_fd_add(loop, SOURCE_NOTIFIER, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), fn,
			  opaque);
}

void event_notify(struct event_source *notifier)
{
	static const u64 one = 1;

	if (atomic_exchange(&notifier->signalled, true))
		return;
	if (write(notifier->fd, &one, sizeof(one)) < 0)
		return; /* EAGAIN: the counter is full, so the loop is awake anyway */
}

int event_loop_post(struct event_loop *loop, event_call_fn fn, void *opaque)
{
	struct posted *p = malloc(sizeof(*p));

	if (!p)
		return -ENOMEM;
	*p = (struct posted){.fn = fn, .opaque = opaque};
	pthread_mutex_lock(&loop->lock);
	*loop->posted_tail = p;
	loop->posted_tail = &p->next;
	pthread_mutex_unlock(&loop->lock);
	event_notify(loop->wake);
	return 0;
}

void event_loop_stop(struct event_loop *loop)
{
	atomic_store(&loop->stop, true);
	event_notify(loop->wake);
}

static void source_dispatch(struct event_source *src, u32 events)
{
	u64 count;

	if (src->dead)
		return;
	if (src->kind == SOURCE_FD) {
		src->fn(src->opaque, events);
		return;
	}
	if (read(src->fd, &count, sizeof(count)) < 0)
		return; /* disarmed or rearmed since epoll reported it */
	/* Cleared before the call: what is notified from now on must bring another call. */
	atomic_store(&src->signalled, false);
	src->call(src->opaque);
}

static void dispatch_always_ready(struct event_loop *loop)
{
	for (struct event_source *src = loop->sources, *next; src; src = next) {
		next = src->next;
		if (src->always_ready && src->events)
			src->fn(src->opaque, src->events);
		if (src->dead)
			break; /* its `next` is the dead list's now; the rest comes next round */
	}
}

int event_loop_poll(struct event_loop *loop, int timeout_ms)
{
	struct epoll_event ev[32];
	int n = epoll_wait(loop->epfd, ev, ARRAY_SIZE(ev), loop->n_always_ready ? 0 : timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	loop->dispatching = true;
	for (int i = 0; i < n; i++)
		source_dispatch(ev[i].data.ptr, ev[i].events);
	if (loop->n_always_ready)
		dispatch_always_ready(loop);
	loop->dispatching = false;
	reap(loop);
	return 0;
}

int event_loop_run(struct event_loop *loop)
{
	while (!atomic_load(&loop->stop)) {
		int err = event_loop_poll(loop, -1);

		if (err)
			return err;
	}
	atomic_store(&loop->stop, false);
	return 0;
}

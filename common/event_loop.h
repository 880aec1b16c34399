/* SPDX-License-Identifier: MIT */
/*
 * An epoll loop: file descriptors, one-shot timers and functions posted by other threads. The main
 * thread runs one; a device thread may run its own. Except event_loop_post() and
 * event_loop_stop(), every function belongs to the thread that runs the loop (or to the thread that
 * sets it up, before it runs). Here rather than in vmm/ because chardevs and devices use it and may
 * not call upwards.
 */
#ifndef ARMATURE_EVENT_LOOP_H
#define ARMATURE_EVENT_LOOP_H

#include <sys/epoll.h>

#include "common/types.h"

struct event_loop;
struct event_source;

typedef void (*event_fn)(void *opaque, u32 events); /* EPOLLIN | EPOLLOUT | EPOLLHUP ... */
typedef void (*event_call_fn)(void *opaque);

/* 0 or -errno. */
int event_loop_create(struct event_loop **out);
/* Frees the loop and every source left in it; closes timer descriptors, not those of event_add. */
void event_loop_destroy(struct event_loop *loop);

/* Dispatches until event_loop_stop(). 0 or -errno (epoll itself failed). */
int event_loop_run(struct event_loop *loop);
/* One round: waits at most `timeout_ms` (-1: for ever), dispatches what is ready. 0 or -errno. */
int event_loop_poll(struct event_loop *loop, int timeout_ms);
/* Any thread: event_loop_run returns after the callback in progress. */
void event_loop_stop(struct event_loop *loop);

/*
 * Watches `fd`, which stays the caller's, level triggered. NULL on failure (errno says why). A fd
 * that epoll refuses (a regular file) counts as always ready for what it asked.
 */
struct event_source *event_add(struct event_loop *loop, int fd, u32 events, event_fn fn,
			       void *opaque);
/* 0 stops reports but keeps the source (EPOLLHUP and EPOLLERR then stay silent, too). 0 or -errno.
 */
int event_set(struct event_source *src, u32 events);
/* Allowed from any callback, its own included; NULL is ignored. */
void event_del(struct event_source *src);

/* A one-shot timer, not armed. NULL on failure. Delete with event_del. */
struct event_source *event_timer_add(struct event_loop *loop, event_call_fn fn, void *opaque);
/* Fires once `ns` from now; replaces an earlier setting; any thread. ~0ull disarms. */
void event_timer_set(struct event_source *timer, u64 ns);

/*
 * A prepared wake-up: event_notify() from any thread makes the loop call fn once (several
 * notifications before the call count as one). Allocates nothing and costs one write(2) at most, so
 * vCPU and device threads use it. NULL on failure. Delete with event_del.
 */
struct event_source *event_notifier_add(struct event_loop *loop, event_call_fn fn, void *opaque);
void event_notify(struct event_source *notifier);

/* Any thread: the loop calls fn(opaque) soon, in order of posting. 0 or -ENOMEM. */
int event_loop_post(struct event_loop *loop, event_call_fn fn, void *opaque);

#endif

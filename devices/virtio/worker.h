/* SPDX-License-Identifier: MIT */
/*
 * The thread of a device: an epoll loop that wakes for kicks from vCPU threads (one eventfd), for
 * the back end's descriptors and for control requests. It enters its sandbox before it does
 * anything, and allocates nothing after that.
 */
#ifndef ARMATURE_VIRTIO_WORKER_H
#define ARMATURE_VIRTIO_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/sandbox.h"
#include "common/types.h"

struct worker;

/*
 * A descriptor the loop watches; lives as long as the worker. `ready` may be called once more for
 * an event from before a change: descriptors are non-blocking.
 */
struct worker_source {
	int fd;
	void (*ready)(void *opaque, u32 events); /* EPOLL* */
	void *opaque;
};

struct worker_ops {
	/* Bits passed to worker_kick since the last call. */
	void (*kicked)(void *opaque, u64 bits);
	/*
	 * Optional: waits in place of epoll_wait, for a back end with a poll loop of its own. Must
	 * return when worker_epoll_fd() becomes readable.
	 */
	void (*wait)(void *opaque, struct worker *w);
};

struct worker {
	const struct worker_ops *ops;
	void *opaque;
	pthread_t thread;
	bool started;	 /* the creating thread's: there is a thread to talk to */
	bool threadless; /* see worker_threadless */
	int epfd;
	struct worker_source wake; /* eventfd: kicks and control */
	_Atomic u64 kicks;
	atomic_bool control; /* pause, call or stop asked for: finish the current request */
	struct sandbox *sandbox;

	pthread_mutex_t lock; /* all below */
	pthread_cond_t cond;
	int start_status; /* 1 until the thread is in its sandbox, then 0 or a negative errno */
	unsigned paused;  /* pauses asked for */
	bool parked;	  /* the thread waits in a pause */
	bool stop;
	void (*call)(void *arg); /* to be run by the thread, or NULL */
	void *call_arg;
	u64 calls_done;
};

/* Makes the descriptors; sources may be added from here on. 0 or a negative errno. */
int worker_init(struct worker *w, const struct worker_ops *ops, void *opaque);
/* Starts the thread and waits until it sits in its sandbox. 0, or -errno with *err a sentence. */
int worker_start(struct worker *w, const char *name, const struct sandbox_role *role,
		 enum sandbox_mode mode, const char **err);
/* Ends the thread (after the request it is working on) and frees what init made. */
void worker_destroy(struct worker *w);

/*
 * For fuzzers, which need one thread and the same result each time: workers started while this is
 * set have no thread. Calls run in the caller, kicks wait for worker_step().
 */
extern bool worker_threadless;
void worker_step(struct worker *w);

/* Any thread; costs one atomic, and a write to the eventfd if no kick was pending. */
void worker_kick(struct worker *w, u64 bits);
/*
 * Runs fn(arg) on the worker's thread, paused or not, and returns when it has. Not from the worker
 * itself. The caller may hold locks that the worker never takes.
 */
void worker_call(struct worker *w, void (*fn)(void *arg), void *arg);
/* From return until worker_resume the thread runs nothing but calls. Pauses nest. */
void worker_pause(struct worker *w);
void worker_resume(struct worker *w);

/* For the worker's thread: somebody waits, leave long loops (re-kick what is left). */
static inline bool worker_wanted(struct worker *w)
{
	return atomic_load_explicit(&w->control, memory_order_acquire);
}

/* Before start, or on the worker's thread if its list allows epoll_ctl. 0 or a negative errno. */
int worker_watch(struct worker *w, struct worker_source *src, u32 events);
int worker_change(struct worker *w, struct worker_source *src, u32 events);
void worker_unwatch(struct worker *w, struct worker_source *src);
static inline int worker_epoll_fd(const struct worker *w)
{
	return w->epfd;
}

#endif

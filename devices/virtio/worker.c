/* SPDX-License-Identifier: MIT */
#include "devices/virtio/worker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WORKER_STACK (256 << 10)

bool worker_threadless;

int worker_watch(struct worker *w, struct worker_source *src, u32 events)
{
	struct epoll_event ev = {.events = events, .data.ptr = src};

	return epoll_ctl(w->epfd, EPOLL_CTL_ADD, src->fd, &ev) ? -errno : 0;
}

int worker_change(struct worker *w, struct worker_source *src, u32 events)
{
	struct epoll_event ev = {.events = events, .data.ptr = src};

	return epoll_ctl(w->epfd, EPOLL_CTL_MOD, src->fd, &ev) ? -errno : 0;
}

void worker_unwatch(struct worker *w, struct worker_source *src)
{
	epoll_ctl(w->epfd, EPOLL_CTL_DEL, src->fd, NULL);
}

static void worker_wake(struct worker *w)
{
	u64 one = 1;

	if (write(w->wake.fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: the thread is awake anyway */
}

static void wake_ready(void *opaque, u32 events)
{
	struct worker *w = opaque;
	u64 count;

	if (read(w->wake.fd, &count, sizeof(count)) < 0)
		return; /* an earlier pass has emptied it */
}

int worker_init(struct worker *w, const struct worker_ops *ops, void *opaque)
{
	int ret;

	memset(w, 0, sizeof(*w));
	w->ops = ops;
	w->opaque = opaque;
	w->start_status = 1;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->cond, NULL);
	w->wake = (struct worker_source){.fd = -1, .ready = wake_ready, .opaque = w};
	w->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (w->epfd < 0)
		return -errno;
	w->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = w->wake.fd < 0 ? -errno : worker_watch(w, &w->wake, EPOLLIN);
	if (ret) {
		if (w->wake.fd >= 0)
			close(w->wake.fd);
		close(w->epfd);
		w->epfd = -1;
	}
	return ret;
}

/* Serves calls and sits out pauses. False: end the thread. */
static bool worker_control(struct worker *w)
{
	bool go_on;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		if (w->call) {
			w->call(w->call_arg);
			w->call = NULL;
			w->calls_done++;
			pthread_cond_broadcast(&w->cond);
		} else if (w->paused && !w->stop) {
			if (!w->parked) {
				w->parked = true;
				pthread_cond_broadcast(&w->cond);
			}
			pthread_cond_wait(&w->cond, &w->lock);
		} else {
			break;
		}
	}
	w->parked = false;
	atomic_store_explicit(&w->control, false, memory_order_release);
	go_on = !w->stop;
	pthread_mutex_unlock(&w->lock);
	return go_on;
}

static void worker_wait(struct worker *w)
{
	struct epoll_event ev[8];
	int n = epoll_wait(w->epfd, ev, (int)ARRAY_SIZE(ev),
			   w->ops->wait || w->threadless ? 0 : -1);

	for (int i = 0; i < n && !worker_wanted(w); i++) {
		struct worker_source *src = ev[i].data.ptr;

		src->ready(src->opaque, ev[i].events);
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	int status = sandbox_enter(w->sandbox);

	pthread_mutex_lock(&w->lock);
	w->start_status = status;
	pthread_cond_broadcast(&w->cond);
	pthread_mutex_unlock(&w->lock);
	if (status)
		return NULL;
	for (;;) {
		u64 bits;

		if (worker_wanted(w) && !worker_control(w))
			return NULL;
		bits = atomic_exchange(&w->kicks, 0);
		if (bits)
			w->ops->kicked(w->opaque, bits);
		if (w->ops->wait && !worker_wanted(w))
			w->ops->wait(w->opaque, w);
		worker_wait(w);
	}
}

static int worker_spawn(struct worker *w)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, WORKER_STACK);
	/* Signals are the main thread's business; those a fault or a filter raises come through. */
	sigfillset(&all);
	sigdelset(&all, SIGSYS);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGABRT);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = -pthread_create(&w->thread, &attr, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return ret;
}

int worker_start(struct worker *w, const char *name, const struct sandbox_role *role,
		 enum sandbox_mode mode, const char **err)
{
	char short_name[16] = "";
	int ret;

	w->threadless = worker_threadless;
	if (w->threadless)
		return 0;
	ret = sandbox_prepare(role, name, mode, &w->sandbox, err);
	if (ret)
		return ret;
	ret = worker_spawn(w);
	if (ret) {
		*err = "cannot start the device's thread";
		return ret;
	}
	strncpy(short_name, name, sizeof(short_name) - 1);
	pthread_setname_np(w->thread, short_name);
	pthread_mutex_lock(&w->lock);
	while (w->start_status == 1)
		pthread_cond_wait(&w->cond, &w->lock);
	ret = w->start_status;
	w->started = !ret;
	pthread_mutex_unlock(&w->lock);
	if (ret) {
		pthread_join(w->thread, NULL);
		*err = "the kernel refused the thread's seccomp filter";
	}
	return ret;
}

/* With w->lock held. */
static void ask(struct worker *w)
{
	atomic_store_explicit(&w->control, true, memory_order_release);
	worker_wake(w);
	pthread_cond_broadcast(&w->cond);
}

void worker_destroy(struct worker *w)
{
	if (w->epfd < 0)
		return;
	if (w->started) {
		pthread_mutex_lock(&w->lock);
		w->stop = true;
		ask(w);
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->thread, NULL);
	}
	sandbox_free(w->sandbox);
	close(w->wake.fd);
	close(w->epfd);
	w->epfd = -1;
	pthread_cond_destroy(&w->cond);
	pthread_mutex_destroy(&w->lock);
}

void worker_kick(struct worker *w, u64 bits)
{
	/* Bits already there: their owner's wake-up covers these, the thread has yet to collect
	 * them. */
	if (!atomic_fetch_or(&w->kicks, bits))
		worker_wake(w);
}

void worker_call(struct worker *w, void (*fn)(void *arg), void *arg)
{
	u64 ticket;

	if (!w->started) {
		fn(arg);
		return;
	}
	pthread_mutex_lock(&w->lock);
	while (w->call) /* another thread's */
		pthread_cond_wait(&w->cond, &w->lock);
	w->call = fn;
	w->call_arg = arg;
	ticket = w->calls_done + 1;
	ask(w);
	while (w->calls_done < ticket)
		pthread_cond_wait(&w->cond, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

void worker_pause(struct worker *w)
{
	if (!w->started)
		return;
	pthread_mutex_lock(&w->lock);
	w->paused++;
	ask(w);
	while (!w->parked)
		pthread_cond_wait(&w->cond, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

void worker_resume(struct worker *w)
{
	if (!w->started)
		return;
	pthread_mutex_lock(&w->lock);
	if (w->paused)
		w->paused--;
	pthread_cond_broadcast(&w->cond);
	pthread_mutex_unlock(&w->lock);
}

void worker_step(struct worker *w)
{
	u64 bits;

	/* A handler may kick anew; what goes on for ever is for the caller's next step. */
	for (unsigned i = 0; i < 16 && (bits = atomic_exchange(&w->kicks, 0)); i++)
		w->ops->kicked(w->opaque, bits);
	worker_wait(w);
}

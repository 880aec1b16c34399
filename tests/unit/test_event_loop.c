/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/event_loop.h"

static struct event_loop *loop;
static unsigned calls;

static int setup(void **state)
{
	calls = 0;
	return event_loop_create(&loop);
}

static int teardown(void **state)
{
	event_loop_destroy(loop);
	return 0;
}

static void count(void *opaque)
{
	calls++;
}

static void read_byte(void *opaque, u32 events)
{
	char c;

	calls++;
	if (read(*(int *)opaque, &c, 1) != 1)
		abort();
}

static void test_fd(void **state)
{
	int fds[2];
	struct event_source *src;

	assert_int_equal(pipe(fds), 0);
	src = event_add(loop, fds[0], EPOLLIN, read_byte, &fds[0]);
	assert_non_null(src);
	event_loop_poll(loop, 0);
	assert_int_equal(calls, 0);
	assert_int_equal(write(fds[1], "abc", 3), 3);
	event_loop_poll(loop, 0);
	assert_int_equal(calls, 1);
	assert_int_equal(event_set(src, 0), 0);
	event_loop_poll(loop, 0);
	assert_int_equal(calls, 1);
	assert_int_equal(event_set(src, EPOLLIN), 0);
	event_loop_poll(loop, 0);
	assert_int_equal(calls, 2);
	event_del(src);
	event_loop_poll(loop, 0);
	assert_int_equal(calls, 2);
	close(fds[0]);
	close(fds[1]);
	assert_null(event_add(loop, -1, EPOLLIN, read_byte, NULL));
	assert_int_equal(errno, EBADF);
}

static void file_ready(void *opaque, u32 events)
{
	struct event_source **src = opaque;

	assert_int_equal(events, EPOLLIN);
	if (++calls == 3) {
		event_del(*src);
		*src = NULL;
	}
}

/* epoll refuses regular files; stdin may be one. */
static void test_regular_file(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	struct event_source *src = event_add(loop, fd, EPOLLIN, file_ready, &src);

	assert_non_null(src);
	for (unsigned i = 0; i < 5; i++)
		event_loop_poll(loop, 0);
	assert_int_equal(calls, 3);
	close(fd);
}

static void test_timer(void **state)
{
	struct event_source *t = event_timer_add(loop, count, NULL);

	event_timer_set(t, 0);
	event_loop_poll(loop, 1000);
	assert_int_equal(calls, 1);
	event_timer_set(t, 1000000);
	event_loop_poll(loop, 1000);
	assert_int_equal(calls, 2);
	event_loop_poll(loop, 5); /* one shot */
	assert_int_equal(calls, 2);
	event_timer_set(t, 1000000);
	event_timer_set(t, ~0ull);
	event_loop_poll(loop, 5);
	assert_int_equal(calls, 2);
}

static struct event_source *victims[2];

static void kill_both(void *opaque)
{
	calls++;
	event_del(victims[0]);
	event_del(victims[1]);
}

/* Both are ready in one round; the first callback deletes both. */
static void test_delete_in_callback(void **state)
{
	victims[0] = event_notifier_add(loop, kill_both, NULL);
	victims[1] = event_notifier_add(loop, kill_both, NULL);
	event_notify(victims[0]);
	event_notify(victims[1]);
	event_loop_poll(loop, 0);
	event_loop_poll(loop, 0);
	assert_int_equal(calls, 1);
}

static _Atomic unsigned sent, received;
static unsigned order;

static void in_order(void *opaque)
{
	assert_int_equal((size_t)opaque, order);
	order++;
	if (order == 1000)
		event_loop_stop(loop);
}

static void *poster(void *arg)
{
	for (size_t i = 0; i < 1000; i++)
		event_loop_post(loop, in_order, (void *)i);
	return NULL;
}

static void test_post(void **state)
{
	pthread_t t;

	order = 0;
	pthread_create(&t, NULL, poster, NULL);
	assert_int_equal(event_loop_run(loop), 0);
	pthread_join(t, NULL);
	assert_int_equal(order, 1000);
}

static void take(void *opaque)
{
	atomic_store(&received, atomic_load(&sent));
	if (atomic_load(&received) == 20000)
		event_loop_stop(loop);
}

static void *notifier(void *arg)
{
	for (unsigned i = 0; i < 20000; i++) {
		atomic_fetch_add(&sent, 1);
		event_notify(arg);
	}
	return NULL;
}

/* A notification is never lost: the last one sees everything before it. */
static void test_notify(void **state)
{
	struct event_source *n = event_notifier_add(loop, take, NULL);
	pthread_t t;

	pthread_create(&t, NULL, notifier, n);
	assert_int_equal(event_loop_run(loop), 0);
	pthread_join(t, NULL);
	assert_int_equal(atomic_load(&received), 20000);
}

static void test_stop_before_run(void **state)
{
	event_loop_stop(loop);
	assert_int_equal(event_loop_run(loop), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_regular_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_delete_in_callback, setup, teardown),
		cmocka_unit_test_setup_teardown(test_post, setup, teardown),
		cmocka_unit_test_setup_teardown(test_notify, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_before_run, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

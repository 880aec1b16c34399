/* SPDX-License-Identifier: MIT */
/* Chardevs against real peers: pipes for stdio, a pty, sockets, files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "devices/chardev.h"

struct fixture {
	struct event_loop *loop;
	struct chardev *cd;
	char got[1 << 17];
	size_t ngot, room;
	unsigned writable, quits;
	int connects, disconnects;
	char dir[64], path[96], spec[128];
};

static size_t can_receive(void *opaque)
{
	struct fixture *f = opaque;

	return f->room;
}

static void receive(void *opaque, const u8 *buf, size_t len)
{
	struct fixture *f = opaque;

	assert_in_range(len, 1, f->room);
	memcpy(f->got + f->ngot, buf, len);
	f->ngot += len;
	f->room -= len;
}

static void writable(void *opaque)
{
	((struct fixture *)opaque)->writable++;
}

static void connected(void *opaque, bool on)
{
	struct fixture *f = opaque;

	*(on ? &f->connects : &f->disconnects) += 1;
}

static void quit(void *opaque)
{
	((struct fixture *)opaque)->quits++;
}

static const struct chardev_client client = {can_receive, receive, writable, connected};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(event_loop_create(&f->loop), 0);
	strcpy(f->dir, "/tmp/armature-test-chardev-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/it", f->dir);
	f->room = 65536;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	chardev_close(f->cd);
	event_loop_destroy(f->loop);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void open_cd(struct fixture *f, const char *spec)
{
	struct chardev_params p = {.id = "test", .loop = f->loop, .quit = quit, .quit_opaque = f};

	snprintf(f->spec, sizeof(f->spec), "%s%s", spec,
		 strchr(spec, '=') && spec[strlen(spec) - 1] == '=' ? f->path : "");
	p.spec = f->spec;
	assert_int_equal(chardev_open(&p, &f->cd), 0);
	chardev_set_client(f->cd, &client, f);
}

/* A few turns of the loop. */
static void turn(struct fixture *f)
{
	for (int i = 0; i < 5; i++)
		assert_int_equal(event_loop_poll(f->loop, 10), 0);
}

static int dial(struct fixture *f)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(sa.sun_path, f->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* --- Specs ------------------------------------------------------------------------------------ */

static void test_specs(void **state)
{
	char longest[128];

	assert_null(chardev_spec_check("stdio"));
	assert_null(chardev_spec_check("pty"));
	assert_null(chardev_spec_check("none"));
	assert_null(chardev_spec_check("unix=/x"));
	assert_null(chardev_spec_check("file=a"));
	assert_non_null(chardev_spec_check(""));
	assert_non_null(chardev_spec_check("Stdio"));
	assert_non_null(chardev_spec_check("stdio "));
	assert_non_null(chardev_spec_check("unix="));
	assert_non_null(chardev_spec_check("unix"));
	assert_non_null(chardev_spec_check("file="));
	assert_non_null(chardev_spec_check("tcp=1"));
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "unix=", 5);
	longest[5 + 107] = 0;
	assert_null(chardev_spec_check(longest));
	longest[5 + 107] = 'a';
	longest[5 + 108] = 0;
	assert_non_null(chardev_spec_check(longest));
}

static void test_none(void **state)
{
	struct fixture *f = *state;

	open_cd(f, "none");
	assert_int_equal(chardev_write(f->cd, "abc", 3), 3);
	turn(f);
	assert_int_equal(f->ngot, 0);
	assert_string_equal(chardev_address(f->cd), "");
}

static void test_file(void **state)
{
	struct fixture *f = *state;
	char buf[16] = "";
	int fd = open(f->path, O_WRONLY | O_CREAT, 0644);

	assert_int_equal(write(fd, "old", 3), 3);
	close(fd);
	open_cd(f, "file=");
	assert_int_equal(f->connects, 1);
	assert_int_equal(chardev_write(f->cd, "new", 3), 3);
	turn(f);
	fd = open(f->path, O_RDONLY);
	assert_int_equal(read(fd, buf, sizeof(buf)), 6);
	assert_string_equal(buf, "oldnew");
	close(fd);
}

static void test_errors(void **state)
{
	struct fixture *f = *state;
	struct chardev_params p = {.id = "test", .loop = f->loop};
	struct chardev *cd;
	int fd;

	p.spec = "what";
	assert_int_equal(chardev_open(&p, &cd), -EINVAL);
	p.spec = "file=/nonexistent/x";
	assert_int_equal(chardev_open(&p, &cd), -ENOENT);
	p.spec = "unix=/nonexistent/x";
	assert_int_equal(chardev_open(&p, &cd), -ENOENT);
	/* A file that is no socket must survive. */
	fd = open(f->path, O_WRONLY | O_CREAT, 0644);
	close(fd);
	snprintf(f->spec, sizeof(f->spec), "unix=%s", f->path);
	p.spec = f->spec;
	assert_int_equal(chardev_open(&p, &cd), -EADDRINUSE);
	assert_int_equal(access(f->path, F_OK), 0);
}

/* --- Sockets ---------------------------------------------------------------------------------- */

static void test_socket(void **state)
{
	struct fixture *f = *state;
	char buf[16];
	int fd;

	open_cd(f, "unix=");
	assert_string_equal(chardev_address(f->cd), f->path);
	assert_int_equal(chardev_write(f->cd, "lost", 4), 4); /* nobody there */
	fd = dial(f);
	turn(f);
	assert_int_equal(f->connects, 1);
	assert_int_equal(write(fd, "hello", 5), 5);
	turn(f);
	assert_int_equal(f->ngot, 5);
	assert_memory_equal(f->got, "hello", 5);
	assert_int_equal(chardev_write(f->cd, "reply", 5), 5);
	assert_int_equal(read(fd, buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "reply", 5);
	assert_int_equal(f->quits, 0);
	assert_int_equal(write(fd, "\1x", 2), 2); /* no escapes here */
	turn(f);
	assert_int_equal(f->ngot, 7);
	assert_int_equal(f->quits, 0);
	close(fd);
	turn(f);
	assert_int_equal(f->disconnects, 1);
	assert_int_equal(chardev_write(f->cd, "lost", 4), 4);
	chardev_close(f->cd);
	f->cd = NULL;
	assert_int_equal(access(f->path, F_OK), -1);
}

/* One peer at a time: the second waits, and is served when the first goes. */
static void test_second_peer(void **state)
{
	struct fixture *f = *state;
	char buf[8];
	int a, b;

	open_cd(f, "unix=");
	a = dial(f);
	turn(f);
	b = dial(f);
	assert_int_equal(write(b, "bbb", 3), 3);
	turn(f);
	assert_int_equal(f->connects, 1);
	assert_int_equal(f->ngot, 0);
	close(a);
	turn(f);
	assert_int_equal(f->connects, 2);
	assert_int_equal(f->ngot, 3);
	assert_int_equal(chardev_write(f->cd, "x", 1), 1);
	assert_int_equal(read(b, buf, sizeof(buf)), 1);
	close(b);
}

/* A peer that does not read: the buffer is bounded, the writer told, nothing lost or mixed up. */
static void test_output_backpressure(void **state)
{
	struct fixture *f = *state;
	static u8 chunk[10000], back[10000];
	size_t sent = 0, received = 0;
	int fd;

	open_cd(f, "unix=");
	fd = dial(f);
	turn(f);
	for (;;) {
		size_t n;

		for (size_t i = 0; i < sizeof(chunk); i++)
			chunk[i] = (u8)((sent + i) * 7 >> 3);
		n = chardev_write(f->cd, chunk, sizeof(chunk));
		sent += n;
		assert_in_range(sent, 0, 8 << 20);
		if (n < sizeof(chunk))
			break;
	}
	assert_true(sent >= 65536);
	assert_int_equal(chardev_write(f->cd, "x", 1), 0);
	turn(f);
	assert_int_equal(f->writable, 0);
	while (received < sent) {
		ssize_t n = recv(fd, back, sizeof(back), MSG_DONTWAIT);

		turn(f);
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(back[i], (u8)((received + (size_t)i) * 7 >> 3));
		received += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(f->writable, 1);
	assert_int_equal(chardev_write(f->cd, "x", 1), 1);
	close(fd);
}

/* A peer that goes away frees a writer that waits. */
static void test_hangup_frees_writer(void **state)
{
	struct fixture *f = *state;
	static u8 chunk[65536];
	int fd;

	open_cd(f, "unix=");
	fd = dial(f);
	turn(f);
	f->room = 0; /* not even while the client takes no input */
	while (chardev_write(f->cd, chunk, sizeof(chunk)) == sizeof(chunk))
		;
	close(fd);
	turn(f);
	assert_int_equal(f->writable, 1);
	assert_int_equal(f->disconnects, 1);
	assert_int_equal(chardev_write(f->cd, chunk, sizeof(chunk)), sizeof(chunk));
}

static void test_input_backpressure(void **state)
{
	struct fixture *f = *state;
	int fd;

	open_cd(f, "unix=");
	fd = dial(f);
	f->room = 3;
	assert_int_equal(write(fd, "abcdefgh", 8), 8);
	turn(f);
	assert_int_equal(f->ngot, 3);
	turn(f);
	assert_int_equal(f->ngot, 3);
	f->room = 2;
	chardev_accept_input(f->cd);
	turn(f);
	assert_int_equal(f->ngot, 5);
	f->room = 100;
	chardev_accept_input(f->cd);
	assert_int_equal(f->ngot, 8);
	assert_memory_equal(f->got, "abcdefgh", 8);
	assert_int_equal(write(fd, "ij", 2), 2);
	turn(f);
	assert_int_equal(f->ngot, 10);
	close(fd);
}

static void test_input_waits_for_client(void **state)
{
	struct fixture *f = *state;
	int fd;

	open_cd(f, "unix=");
	chardev_set_client(f->cd, NULL, NULL);
	fd = dial(f);
	assert_int_equal(write(fd, "early", 5), 5);
	turn(f);
	chardev_set_client(f->cd, &client, f);
	turn(f);
	assert_int_equal(f->ngot, 5);
	assert_int_equal(f->connects, 1);
	close(fd);
}

static void test_stale_socket(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct chardev_params p = {.id = "test", .loop = f->loop, .spec = f->spec};
	struct chardev *other;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(sa.sun_path, f->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd); /* its owner died */
	open_cd(f, "unix=");
	/* A living one is not taken over. */
	assert_int_equal(chardev_open(&p, &other), -EADDRINUSE);
	fd = dial(f);
	close(fd);
}

static void *writer(void *arg)
{
	struct fixture *f = arg;

	for (int i = 0; i < 20000;) {
		if (chardev_write(f->cd, "0123456789", 10) == 10)
			i++;
		else
			break; /* full: the test reads enough */
	}
	return NULL;
}

static void test_other_thread_writes(void **state)
{
	struct fixture *f = *state;
	pthread_t t;
	size_t n = 0;
	char buf[4096];
	int fd;

	open_cd(f, "unix=");
	fd = dial(f);
	turn(f);
	assert_int_equal(pthread_create(&t, NULL, writer, f), 0);
	for (int idle = 0; idle < 20;) {
		ssize_t got = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

		event_loop_poll(f->loop, 1);
		idle = got > 0 ? 0 : idle + 1;
		for (ssize_t i = 0; i < got; i++)
			assert_int_equal(buf[i], '0' + (int)((n + (size_t)i) % 10));
		n += got > 0 ? (size_t)got : 0;
	}
	pthread_join(t, NULL);
	assert_true(n >= 65536);
	close(fd);
}

/* --- Pseudo-terminal -------------------------------------------------------------------------- */

static void test_pty(void **state)
{
	struct fixture *f = *state;
	static u8 flood[200000];
	struct termios t;
	char buf[16];
	int fd;

	open_cd(f, "pty");
	assert_memory_equal(chardev_address(f->cd), "/dev/pts/", 9);
	/* Without a peer nothing is kept, and nothing fills up. */
	for (int i = 0; i < 10; i++)
		assert_int_equal(chardev_write(f->cd, flood, sizeof(flood)), sizeof(flood));
	turn(f);
	fd = open(chardev_address(f->cd), O_RDWR | O_NOCTTY);
	assert_true(fd >= 0);
	assert_int_equal(tcgetattr(fd, &t), 0);
	assert_int_equal(t.c_lflag & (ICANON | ECHO | ISIG), 0);
	assert_int_equal(write(fd, "in\3", 3), 3);
	turn(f);
	assert_int_equal(f->ngot, 3);
	assert_int_equal(f->connects, 1);
	assert_int_equal(chardev_write(f->cd, "out\n", 4), 4);
	assert_int_equal(read(fd, buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "out\n", 4);
	/* Not reading stops the writer; the kernel may find room for a little more, in its own
	 * time. */
	do {
		while (chardev_write(f->cd, flood, sizeof(flood)) == sizeof(flood))
			;
		turn(f);
	} while (chardev_write(f->cd, flood, sizeof(flood)));
	f->writable = 0;
	/* Hanging up frees it. */
	close(fd);
	turn(f);
	assert_int_equal(f->disconnects, 1);
	assert_int_equal(f->writable, 1);
	assert_int_equal(chardev_write(f->cd, flood, sizeof(flood)), sizeof(flood));
	fd = open(chardev_address(f->cd), O_RDWR | O_NOCTTY);
	assert_int_equal(write(fd, "again", 5), 5);
	turn(f);
	assert_int_equal(f->ngot, 8);
	assert_int_equal(f->connects, 2);
	close(fd);
}

/* --- stdio, in a child whose stdio is what the test wants ------------------------------------- */

struct child {
	int in, out; /* our ends */
	pid_t pid;
};

/* The child echoes its input in brackets until Ctrl-A x, then exits 7; at end of input, 0. */
static void child_main(void)
{
	struct fixture f = {.room = 65536};

	if (event_loop_create(&f.loop))
		_exit(90);
	open_cd(&f, "stdio");
	for (int i = 0; i < 300 && !f.quits; i++) {
		event_loop_poll(f.loop, 10);
		if (f.ngot) {
			chardev_write(f.cd, "[", 1);
			chardev_write(f.cd, f.got, f.ngot);
			chardev_write(f.cd, "]", 1);
			f.ngot = 0;
			f.room = 65536;
		}
	}
	chardev_close(f.cd);
	exit(f.quits ? 7 : 0);
}

static void start(struct child *c, int in, int out, int our_in, int our_out)
{
	c->in = our_in;
	c->out = our_out;
	c->pid = fork();
	if (!c->pid) {
		dup2(in, 0);
		dup2(out, 1);
		close(our_in);
		close(our_out);
		child_main();
	}
	close(in);
	if (out != in)
		close(out);
}

static void start_pipes(struct child *c)
{
	int in[2], out[2];

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	start(c, in[0], out[1], in[1], out[0]);
}

static void expect_output(struct child *c, const char *want)
{
	char buf[512] = "";
	size_t n = 0;

	while (n < strlen(want)) {
		ssize_t got = read(c->out, buf + n, sizeof(buf) - 1 - n);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	assert_string_equal(buf, want);
}

static int finish(struct child *c)
{
	int status;

	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	close(c->in);
	if (c->out != c->in)
		close(c->out);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_stdio_escapes(void **state)
{
	struct child c;

	start_pipes(&c);
	assert_int_equal(write(c.in, "ab", 2), 2);
	expect_output(&c, "[ab]");
	assert_int_equal(write(c.in, "\1\1", 2), 2);
	expect_output(&c, "[\1]");
	assert_int_equal(write(c.in, "\1q", 2), 2); /* no escape of ours */
	expect_output(&c, "[q]");
	assert_int_equal(write(c.in, "\1", 1), 1); /* split over two reads */
	usleep(50000);
	assert_int_equal(write(c.in, "h", 1), 1);
	expect_output(&c, "\r\nCtrl-A x       quit\r\nCtrl-A Ctrl-A  send Ctrl-A\r\n"
			  "Ctrl-A h       this help\r\n");
	assert_int_equal(write(c.in, "z\1x", 3), 3);
	assert_int_equal(finish(&c), 7);
}

static void test_stdin_ends(void **state)
{
	struct child c;

	start_pipes(&c);
	assert_int_equal(write(c.in, "last", 4), 4);
	close(c.in);
	c.in = c.out;
	expect_output(&c, "[last]");
	assert_int_equal(finish(&c), 0);
}

static void test_stdout_goes(void **state)
{
	struct child c;

	start_pipes(&c);
	close(c.out);
	c.out = c.in;
	assert_int_equal(write(c.in, "abc", 3), 3); /* the echo meets a closed pipe */
	usleep(50000);
	assert_int_equal(write(c.in, "\1x", 2), 2);
	assert_int_equal(finish(&c), 7);
}

/* A terminal is raw while we have it and as it was afterwards, O_NONBLOCK included. */
static void test_terminal_restored(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave, flags, keep;
	struct termios before, during, after;
	struct child c;
	char name[64];

	assert_int_equal(grantpt(master) | unlockpt(master), 0);
	assert_int_equal(ptsname_r(master, name, sizeof(name)), 0);
	slave = open(name, O_RDWR | O_NOCTTY);
	assert_int_equal(tcgetattr(slave, &before), 0);
	flags = fcntl(slave, F_GETFL);
	assert_true(before.c_lflag & ICANON);
	keep = dup(master); /* or the terminal would be gone with the child */
	start(&c, dup(slave), dup(slave), master, master);
	for (int i = 0; i < 200; i++) {
		tcgetattr(slave, &during);
		if (!(during.c_lflag & ICANON))
			break;
		usleep(10000);
	}
	assert_int_equal(during.c_lflag & (ICANON | ECHO | ISIG), 0);
	assert_true(during.c_oflag & OPOST);
	assert_int_equal(fcntl(slave, F_GETFL), flags); /* shared with the shell: untouched */
	assert_int_equal(write(master, "\3", 1), 1);	/* Ctrl-C is the guest's */
	expect_output(&c, "[\3]");
	assert_int_equal(write(master, "\1x", 2), 2);
	assert_int_equal(finish(&c), 7);
	assert_int_equal(tcgetattr(slave, &after), 0);
	assert_int_equal(after.c_lflag, before.c_lflag);
	assert_int_equal(after.c_iflag, before.c_iflag);
	assert_int_equal(after.c_oflag, before.c_oflag);
	close(slave);
	close(keep);
}

static void test_stdio_once(void **state)
{
	struct fixture *f = *state;
	struct chardev_params p = {.id = "second", .loop = f->loop, .spec = "stdio"};
	struct chardev *other;
	int in = dup(0), null = open("/dev/null", O_RDWR);

	dup2(null, 0);
	open_cd(f, "stdio");
	assert_int_equal(chardev_open(&p, &other), -EBUSY);
	chardev_close(f->cd);
	assert_int_equal(chardev_open(&p, &f->cd), 0);
	dup2(in, 0);
	close(in);
	close(null);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_specs),
		T(test_none),
		T(test_file),
		T(test_errors),
		T(test_socket),
		T(test_second_peer),
		T(test_output_backpressure),
		T(test_hangup_frees_writer),
		T(test_input_backpressure),
		T(test_input_waits_for_client),
		T(test_stale_socket),
		T(test_other_thread_writes),
		T(test_pty),
		T(test_stdio_escapes),
		T(test_stdin_ends),
		T(test_stdout_goes),
		T(test_terminal_restored),
		T(test_stdio_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

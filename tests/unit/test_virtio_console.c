/* SPDX-License-Identifier: MIT */
/* virtio-console over unix sockets, inside its sandbox. */
#include "tests/unit/virtio_guest.h"

#include <linux/virtio_console.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/virtio/console.h"

#define MULTIPORT BIT(VIRTIO_CONSOLE_F_MULTIPORT)
#define RX(port)  ((port) ? 2 + 2 * (port) : 0)
#define TX(port)  (RX(port) + 1)
#define CTRL_RX	  2
#define CTRL_TX	  3

struct fixture {
	struct vg g;
	char dir[64], spec[2][96];
	const char *path[2]; /* behind "unix=" */
	int peer[2];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	vg_init(&f->g);
	strcpy(f->dir, "/tmp/armature-test-console-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	for (int i = 0; i < 2; i++) {
		snprintf(f->spec[i], sizeof(f->spec[i]), "unix=%s/%d", f->dir, i);
		f->path[i] = f->spec[i] + strlen("unix=");
		f->peer[i] = -1;
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++)
		if (f->peer[i] >= 0)
			close(f->peer[i]);
	vg_exit(&f->g);
	for (int i = 0; i < 2; i++)
		unlink(f->path[i]);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static void create(struct fixture *f, bool multiport)
{
	struct virtio_console_params p = {.id = "con0",
					  .multiport = multiport,
					  .nports = multiport ? 2 : 1,
					  .port = {{f->spec[0], NULL}, {f->spec[1], "org.test"}},
					  .sandbox = VG_SANDBOX};
	const char *err = "";

	if (!multiport)
		p.port[1] = (struct virtio_console_port_params){0};
	if (virtio_console_create(&p, &f->g.mem, &f->g.irq, &f->g.dev, &err))
		fail_msg("create: %s", err);
	assert_int_equal(vg_read(&f->g, VIRTIO_MMIO_DEVICE_ID), 3);
}

static void dial(struct fixture *f, int i)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	f->peer[i] = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(sa.sun_path, f->path[i]);
	assert_int_equal(connect(f->peer[i], (struct sockaddr *)&sa, sizeof(sa)), 0);
}

static void post_rx(struct fixture *f, unsigned q, u32 len, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct vg_seg seg = {VG_DATA + q * 0x10000 + i * 0x800, len, true};

		vg_submit(&f->g, q, &seg, 1);
	}
}

static const char *rx_buf(struct fixture *f, unsigned q, unsigned i)
{
	return vg_ptr(&f->g, VG_DATA + q * 0x10000 + i * 0x800);
}

static void post_tx(struct fixture *f, unsigned q, const char *text)
{
	struct vg_seg seg = {VG_DATA + 0x80000 + q * 0x1000, (u32)strlen(text), false};

	memcpy(vg_ptr(&f->g, seg.addr), text, strlen(text));
	vg_submit(&f->g, q, &seg, 1);
}

static void expect_peer(struct fixture *f, int i, const char *want)
{
	char buf[256] = "";
	size_t n = 0;

	while (n < strlen(want)) {
		struct pollfd p = {.fd = f->peer[i], .events = POLLIN};
		ssize_t got;

		assert_int_equal(poll(&p, 1, 5000), 1);
		got = read(f->peer[i], buf + n, sizeof(buf) - 1 - n);
		assert_true(got > 0);
		n += (size_t)got;
	}
	assert_string_equal(buf, want);
}

/* Waits until the device has taken the connection, by the effect. */
static void greet(struct fixture *f, int i, unsigned txq)
{
	char c;
	struct pollfd p = {.fd = f->peer[i], .events = POLLIN};

	do
		post_tx(f, txq, "?"), vg_wait_used(&f->g, txq, NULL);
	while (poll(&p, 1, 5) == 0);
	vg_settle();
	while (recv(f->peer[i], &c, 1, MSG_DONTWAIT) == 1)
		;
}

/* --- One port --------------------------------------------------------------------------------- */

static void test_both_ways(void **state)
{
	struct fixture *f = *state;

	create(f, false);
	assert_int_equal(vg_features(&f->g) & 7, 0); /* no size on a socket, no multiport */
	assert_string_equal(virtio_console_address(f->g.dev, 0), f->path[0]);
	vg_bring_up(&f->g, 0, 2);
	post_tx(f, TX(0), "nobody listens");
	assert_int_equal(vg_wait_used(&f->g, TX(0), NULL), 0); /* dropped, not stuck */
	dial(f, 0);
	greet(f, 0, TX(0));
	post_tx(f, TX(0), "login: ");
	vg_wait_used(&f->g, TX(0), NULL);
	expect_peer(f, 0, "login: ");
	post_rx(f, RX(0), 64, 1);
	assert_int_equal(write(f->peer[0], "root\n", 5), 5);
	assert_int_equal(vg_wait_used(&f->g, RX(0), NULL), 5);
	assert_memory_equal(rx_buf(f, RX(0), 0), "root\n\0", 6);
}

/* Input that comes before buffers do, split over buffers that are too small. */
static void test_input_waits(void **state)
{
	struct fixture *f = *state;

	create(f, false);
	dial(f, 0);
	assert_int_equal(write(f->peer[0], "early", 5), 5); /* no driver yet */
	vg_settle();
	vg_bring_up(&f->g, 0, 2);
	vg_settle();
	post_rx(f, RX(0), 2, 3);
	assert_int_equal(vg_wait_used(&f->g, RX(0), NULL), 2);
	assert_int_equal(vg_wait_used(&f->g, RX(0), NULL), 2);
	assert_int_equal(vg_wait_used(&f->g, RX(0), NULL), 1);
	assert_memory_equal(rx_buf(f, RX(0), 0), "ea", 2);
	assert_memory_equal(rx_buf(f, RX(0), 1), "rl", 2);
	assert_memory_equal(rx_buf(f, RX(0), 2), "y\0", 2);
}

/* Much input and few buffers: all of it arrives in order, the rest waits in the socket. */
static void test_input_backpressure(void **state)
{
	struct fixture *f = *state;
	char *all = malloc(100000);
	size_t sent = 0, got = 0;

	create(f, false);
	vg_bring_up(&f->g, 0, 2);
	dial(f, 0);
	for (size_t i = 0; i < 100000; i++)
		all[i] = (char)(i * 11 >> 3);
	while (got < 100000) {
		u32 n;

		if (sent < 100000) {
			ssize_t w = send(f->peer[0], all + sent, 100000 - sent, MSG_DONTWAIT);

			sent += w > 0 ? (size_t)w : 0;
		}
		post_rx(f, RX(0), 0x700, 1);
		n = vg_wait_used(&f->g, RX(0), NULL);
		assert_in_range(n, 1, 0x700);
		assert_memory_equal(rx_buf(f, RX(0), 0), all + got, n);
		got += n;
	}
	free(all);
}

/* A peer that does not read holds the guest's writer up; no byte is lost or doubled. */
static void test_output_backpressure(void **state)
{
	struct fixture *f = *state;
	struct vg_seg seg = {VG_DATA + 0x100000, 0x80000, false};
	u8 *out = vg_ptr(&f->g, seg.addr), buf[5000];
	size_t got = 0;

	create(f, false);
	vg_bring_up(&f->g, 0, 2);
	dial(f, 0);
	greet(f, 0, TX(0));
	for (size_t i = 0; i < seg.len; i++)
		out[i] = (u8)(i * 7 >> 2);
	vg_submit(&f->g, TX(0), &seg, 1);
	vg_settle();
	assert_int_equal(vg_used_idx(&f->g.q[TX(0)]), f->g.q[TX(0)].seen); /* it waits */
	/* Pause and resume in the middle of it. */
	f->g.dev->ops->pause(f->g.dev);
	f->g.dev->ops->resume(f->g.dev);
	while (got < seg.len) {
		ssize_t n = read(f->peer[0], buf, sizeof(buf));

		assert_true(n > 0);
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(buf[i], (u8)((got + (size_t)i) * 7 >> 2));
		got += (size_t)n;
	}
	vg_wait_used(&f->g, TX(0), NULL);
	assert_int_equal(recv(f->peer[0], buf, 1, MSG_DONTWAIT), -1);
}

/* --- Multiport -------------------------------------------------------------------------------- */

static void send_control(struct fixture *f, u32 id, u16 event, u16 value)
{
	struct virtio_console_control m = {id, event, value};
	struct vg_seg seg = {VG_DATA + 0xf0000, sizeof(m), false};

	memcpy(vg_ptr(&f->g, seg.addr), &m, sizeof(m));
	vg_submit(&f->g, CTRL_TX, &seg, 1);
	vg_wait_used(&f->g, CTRL_TX, NULL);
}

static void expect_control(struct fixture *f, unsigned i, u32 id, u16 event, u16 value,
			   const char *name)
{
	struct virtio_console_control m;
	u32 n = vg_wait_used(&f->g, CTRL_RX, NULL);

	memcpy(&m, rx_buf(f, CTRL_RX, i), sizeof(m));
	assert_int_equal(n, sizeof(m) + strlen(name));
	assert_int_equal(m.id, id);
	assert_int_equal(m.event, event);
	assert_int_equal(m.value, value);
	assert_memory_equal(rx_buf(f, CTRL_RX, i) + sizeof(m), name, strlen(name));
}

static void test_multiport(void **state)
{
	struct fixture *f = *state;

	create(f, true);
	assert_true(vg_features(&f->g) & MULTIPORT);
	assert_int_equal(vg_config(&f->g, 4, 4), 2);
	vg_bring_up(&f->g, MULTIPORT, 6);
	post_rx(f, CTRL_RX, 128, 8);
	send_control(f, ~0u, VIRTIO_CONSOLE_DEVICE_READY, 1);
	expect_control(f, 0, 0, VIRTIO_CONSOLE_PORT_ADD, 1, "");
	expect_control(f, 1, 1, VIRTIO_CONSOLE_PORT_ADD, 1, "");
	send_control(f, 0, VIRTIO_CONSOLE_PORT_READY, 1);
	expect_control(f, 2, 0, VIRTIO_CONSOLE_CONSOLE_PORT, 1, "");
	send_control(f, 1, VIRTIO_CONSOLE_PORT_READY, 1);
	expect_control(f, 3, 1, VIRTIO_CONSOLE_PORT_NAME, 1, "org.test");
	dial(f, 1);
	expect_control(f, 4, 1, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
	/* Data flows only while the guest has the port open. */
	post_rx(f, RX(1), 64, 1);
	assert_int_equal(write(f->peer[1], "data", 4), 4);
	vg_settle();
	assert_int_equal(vg_used_idx(&f->g.q[RX(1)]), 0);
	send_control(f, 1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	assert_int_equal(vg_wait_used(&f->g, RX(1), NULL), 4);
	assert_memory_equal(rx_buf(f, RX(1), 0), "data", 4);
	post_tx(f, TX(1), "answer");
	expect_peer(f, 1, "answer");
	close(f->peer[1]);
	f->peer[1] = -1;
	expect_control(f, 5, 1, VIRTIO_CONSOLE_PORT_OPEN, 0, "");
}

/* Control messages a driver should not send, and no buffers for the answers. */
static void test_multiport_hostile(void **state)
{
	struct fixture *f = *state;
	struct vg_seg brief = {VG_DATA + 0xf0000, 3, false};

	create(f, true);
	vg_bring_up(&f->g, MULTIPORT, 6);
	for (unsigned i = 0; i < 100; i++)
		send_control(f, 0, VIRTIO_CONSOLE_DEVICE_READY, 1); /* the outbox overflows */
	send_control(f, 2, VIRTIO_CONSOLE_PORT_READY, 1);
	send_control(f, 0xffffffff, VIRTIO_CONSOLE_PORT_OPEN, 1);
	send_control(f, 0x80000000, VIRTIO_CONSOLE_PORT_READY, 1);
	send_control(f, 0, 0xffff, 1);
	vg_submit(&f->g, CTRL_TX, &brief, 1);
	vg_wait_used(&f->g, CTRL_TX, NULL);
	post_rx(f, CTRL_RX, 4, 1); /* too short for a message: what fits */
	assert_int_equal(vg_wait_used(&f->g, CTRL_RX, NULL), 4);
	assert_int_equal(vg_read(&f->g, VIRTIO_MMIO_STATUS), 15);
	dial(f, 0);
	greet(f, 0, TX(0));
}

/* A driver without the feature has two queues, whatever it sets up. */
static void test_multiport_not_negotiated(void **state)
{
	struct fixture *f = *state;

	create(f, true);
	vg_bring_up(&f->g, 0, 6);
	dial(f, 0);
	greet(f, 0, TX(0));
	post_tx(f, TX(1), "x");
	post_tx(f, CTRL_TX, "xxxxxxxx");
	post_rx(f, CTRL_RX, 64, 1);
	vg_settle();
	assert_int_equal(vg_used_idx(&f->g.q[TX(1)]), 0);
	assert_int_equal(vg_used_idx(&f->g.q[CTRL_TX]), 0);
	assert_int_equal(vg_used_idx(&f->g.q[CTRL_RX]), 0);
}

static void test_save_load(void **state)
{
	struct fixture *f = *state;
	u8 record[16384];
	ssize_t n;

	create(f, true);
	vg_bring_up(&f->g, MULTIPORT, 6);
	send_control(f, 0, VIRTIO_CONSOLE_PORT_READY, 1);
	send_control(f, 0, VIRTIO_CONSOLE_PORT_OPEN, 1);
	dial(f, 0);
	assert_int_equal(write(f->peer[0], "typed", 5), 5);
	vg_settle();
	f->g.dev->ops->pause(f->g.dev);
	n = f->g.dev->ops->save(f->g.dev, record, sizeof(record));
	assert_true(n > 0);
	for (ssize_t len = 0; len < n; len++)
		assert_true(f->g.dev->ops->load(f->g.dev, 1, record, (size_t)len) < 0);
	assert_int_equal(f->g.dev->ops->load(f->g.dev, 1, record, (size_t)n), 0);
	f->g.dev->ops->resume(f->g.dev);
	post_rx(f, RX(0), 64, 1);
	assert_int_equal(vg_wait_used(&f->g, RX(0), NULL), 5);
	assert_memory_equal(rx_buf(f, RX(0), 0), "typed", 5);
	/* The driver learns who is connected here. */
	post_rx(f, CTRL_RX, 64, 1);
	expect_control(f, 0, 0, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
}

static void test_create_errors(void **state)
{
	struct fixture *f = *state;
	struct virtio_console_params p = {.id = "con0", .nports = 0};
	struct device *dev;
	const char *err;

	assert_int_equal(virtio_console_create(&p, &f->g.mem, &f->g.irq, &dev, &err), -EINVAL);
	p.nports = 9;
	assert_int_equal(virtio_console_create(&p, &f->g.mem, &f->g.irq, &dev, &err), -EINVAL);
	p.nports = 2; /* without multiport */
	p.port[0].spec = p.port[1].spec = "none";
	assert_int_equal(virtio_console_create(&p, &f->g.mem, &f->g.irq, &dev, &err), -EINVAL);
	p.nports = 1;
	p.port[0].spec = "unix=/nonexistent/x";
	assert_int_equal(virtio_console_create(&p, &f->g.mem, &f->g.irq, &dev, &err), -ENOENT);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_both_ways),
		T(test_input_waits),
		T(test_input_backpressure),
		T(test_output_backpressure),
		T(test_multiport),
		T(test_multiport_hostile),
		T(test_multiport_not_negotiated),
		T(test_save_load),
		T(test_create_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

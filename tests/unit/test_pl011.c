/* SPDX-License-Identifier: MIT */
/* PL011 between a test that plays the guest and a chardev that plays the host. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "devices/pl011.h"

enum {
	DR = 0,
	RSR = 4,
	FR = 0x18,
	LCR = 0x2c,
	CR = 0x30,
	IFLS = 0x34,
	IMSC = 0x38,
	RIS = 0x3c,
	MIS = 0x40,
	ICR = 0x44
};
#define RXFE BIT(4)
#define TXFF BIT(5)
#define RXFF BIT(6)
#define TXFE BIT(7)
#define RX   BIT(4)
#define TX   BIT(5)
#define RT   BIT(6)
#define OE   BIT(10)

/* ---- a chardev in place of devices/chardev.c ---- */

struct chardev {
	const struct chardev_client *client;
	void *opaque;
	char out[8192];
	size_t n, room;
	unsigned writes, accepts;
	void (*during_write)(void); /* what the guest does meanwhile; once */
};

static struct chardev host;

void chardev_set_client(struct chardev *cd, const struct chardev_client *client, void *opaque)
{
	cd->client = client;
	cd->opaque = opaque;
}

void chardev_accept_input(struct chardev *cd)
{
	cd->accepts++;
}

size_t chardev_write(struct chardev *cd, const void *buf, size_t len)
{
	void (*meanwhile)(void) = cd->during_write;

	cd->during_write = NULL;
	if (meanwhile)
		meanwhile();
	if (len > cd->room)
		len = cd->room;
	memcpy(cd->out + cd->n, buf, len);
	cd->n += len;
	cd->room -= len;
	cd->writes++;
	return len;
}

/* ---- fixture ---- */

static struct event_loop *loop;
static struct device *uart;
static bool irq;
static unsigned first;

static void set_irq(void *opaque, unsigned n, bool level)
{
	irq = level;
}

static void first_output(void *opaque)
{
	first++;
}

static int setup(void **state)
{
	struct pl011_params p = {.chardev = &host, .first_output = first_output};

	memset(&host, 0, sizeof(host));
	host.room = sizeof(host.out);
	first = 0;
	p.irq.set = set_irq;
	if (event_loop_create(&loop))
		return -1;
	p.loop = loop;
	return pl011_create(&p, &uart);
}

static int teardown(void **state)
{
	uart->ops->destroy(uart);
	event_loop_destroy(loop);
	return host.client ? -1 : 0;
}

static u32 rd(u64 reg)
{
	u64 val = ~0ull;

	assert_int_equal(uart->ops->mmio_read(uart, reg, 4, &val), 0);
	return (u32)val;
}

static void wr(u64 reg, u32 val)
{
	assert_int_equal(uart->ops->mmio_write(uart, reg, 4, val), 0);
}

static void put(const char *s)
{
	for (; *s; s++)
		wr(DR, (u8)*s);
}

/* What the host types, as far as the device says it has room. */
static size_t type(const char *s)
{
	size_t room = host.client->can_receive(host.opaque), len = strlen(s);

	if (len > room)
		len = room;
	host.client->receive(host.opaque, (const u8 *)s, len);
	return len;
}

static void enable(void)
{
	wr(LCR, 0x70);
	wr(CR, 0x301);
}

/* ---- tests ---- */

static void test_reset_values(void **state)
{
	static const u8 id[8] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

	assert_int_equal(rd(CR), 0x300);
	assert_int_equal(rd(IFLS), 0x12);
	assert_int_equal(rd(FR) & (RXFE | TXFE | TXFF), RXFE | TXFE);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(rd(0xfe0 + 4 * i), id[i]);
}

static void test_output_in_batches(void **state)
{
	put("hello, world\n");
	assert_int_equal(host.n, 0);
	assert_int_equal(rd(FR) & (TXFF | TXFE), TXFE); /* sent, as far as the guest can see */
	assert_int_equal(event_loop_poll(loop, 1000), 0);
	assert_int_equal(host.writes, 1);
	assert_int_equal(host.n, 13);
	assert_memory_equal(host.out, "hello, world\n", 13);
	assert_int_equal(first, 1);
	put("x");
	pl011_flush(uart);
	assert_int_equal(host.n, 14);
}

static void test_host_is_slow(void **state)
{
	unsigned sent = 0;

	host.room = 10;
	enable();
	wr(IMSC, TX);
	while (!(rd(FR) & TXFF)) {
		wr(DR, 'a' + sent++ % 26);
		assert_true(sent < 100000);
	}
	assert_int_equal(sent, 4096);
	assert_false(irq); /* no room: no transmit interrupt */
	wr(DR, '!');	   /* to a full FIFO: lost */
	event_loop_poll(loop, 1000);
	assert_int_equal(host.n, 10);
	assert_true(irq); /* room again */
	while (!(rd(FR) & TXFF))
		wr(DR, 'a' + sent++ % 26);
	host.room = sizeof(host.out) - host.n;
	host.client->writable(host.opaque);
	assert_int_equal(host.n, sent);
	for (unsigned i = 0; i < sent; i++)
		assert_int_equal(host.out[i], 'a' + i % 26);
	/* And batches go on as before. */
	put("z");
	event_loop_poll(loop, 1000);
	assert_int_equal(host.n, sent + 1);
}

static void fill(void)
{
	while (!(rd(FR) & TXFF))
		wr(DR, 'f');
	assert_false(irq);
}

/* The guest fills the ring while the host takes what was in it, then waits. */
static void test_filled_meanwhile(void **state)
{
	enable();
	host.room = sizeof(host.out);
	wr(IMSC, TX);
	put("a");
	host.during_write = fill;
	event_loop_poll(loop, 1000);
	assert_int_equal(host.n, 4096);
	assert_true(irq);
}

static void test_tx_interrupt(void **state)
{
	enable();
	assert_int_equal(rd(RIS), 0);
	wr(IMSC, TX);
	assert_false(irq);
	put("a");
	assert_true(irq);
	assert_int_equal(rd(MIS), TX);
	wr(ICR, TX);
	assert_false(irq);
	put("b");
	assert_true(irq);
	wr(IMSC, 0);
	assert_false(irq);
	assert_int_equal(rd(RIS), TX);
}

static void test_input(void **state)
{
	assert_int_equal(type("early"), 0); /* the UART is off: input waits in the host */
	enable();
	event_loop_poll(loop, 0);
	assert_int_equal(host.accepts, 1);
	wr(IMSC, RX | RT);
	assert_int_equal(type("ab"), 2);
	assert_true(irq);
	assert_int_equal(rd(MIS), RT); /* below the trigger of 16: the line is silent */
	assert_int_equal(rd(DR), 'a');
	assert_true(irq);
	assert_int_equal(rd(DR), 'b');
	assert_false(irq);
	assert_true(rd(FR) & RXFE);
	assert_int_equal(type("0123456789abcdef"), 16);
	assert_int_equal(rd(MIS), RX | RT);
	rd(DR);
	assert_int_equal(rd(MIS), RT);
}

static void test_input_fills_up(void **state)
{
	char text[64];

	enable();
	memset(text, 'x', sizeof(text));
	text[63] = 0;
	assert_int_equal(type(text), 32);
	assert_true(rd(FR) & RXFF);
	assert_int_equal(type("y"), 0);
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(rd(DR), 'x');
	event_loop_poll(loop, 0);
	assert_int_equal(host.accepts, 1);
	assert_int_equal(type("yz"), 2);
	wr(LCR, 0x60); /* FIFO off: emptied, one deep */
	assert_true(rd(FR) & RXFE);
	assert_int_equal(type("ab"), 1);
	assert_int_equal(rd(RIS) & RX, RX);
	assert_int_equal(rd(DR), 'a');
	assert_int_equal(rd(RIS) & RX, 0);
}

static void test_loopback(void **state)
{
	wr(LCR, 0x70);
	wr(CR, 0x381);
	for (unsigned i = 0; i < 33; i++)
		wr(DR, i);
	assert_int_equal(rd(RIS) & OE, OE); /* one too many */
	assert_int_equal(rd(DR), BIT(11));
	assert_int_equal(rd(RSR), 8);
	assert_int_equal(rd(DR), 1);
	wr(ICR, OE);
	assert_int_equal(rd(RIS) & OE, 0);
	event_loop_poll(loop, 0);
	assert_int_equal(host.n, 0);
}

static void test_widths(void **state)
{
	u64 val;

	wr(IFLS, 0x2d);
	assert_int_equal(uart->ops->mmio_read(uart, IFLS, 1, &val), 0);
	assert_int_equal(val, 0x2d);
	assert_int_equal(uart->ops->mmio_read(uart, 0xfe4, 2, &val), 0);
	assert_int_equal(val, 0x10);
	assert_int_equal(uart->ops->mmio_read(uart, 2, 4, &val), -EINVAL);
	assert_int_equal(uart->ops->mmio_read(uart, 0, 8, &val), -EINVAL);
	assert_int_equal(uart->ops->mmio_write(uart, DR, 1, 'q'), 0);
	pl011_flush(uart);
	assert_int_equal(host.out[0], 'q');
	for (u64 off = 0; off < PL011_MMIO_SIZE; off += 4) {
		wr(off, 0xffffffff);
		rd(off);
	}
}

static void test_save_load(void **state)
{
	u8 record[8192];
	ssize_t len;

	enable();
	wr(IMSC, RT);
	type("pending");
	put("unsent");
	len = uart->ops->save(uart, record, sizeof(record));
	assert_true(len > 0);
	assert_int_equal(uart->ops->save(uart, record, 100), -ENOSPC);
	uart->ops->reset(uart);
	assert_int_equal(host.n, 6); /* a reset loses no output */
	assert_false(irq);
	assert_int_equal(uart->ops->load(uart, 1, record, (size_t)len), 0);
	assert_true(irq);
	assert_int_equal(rd(DR), 'p');
	event_loop_poll(loop, 1000);
	event_loop_poll(loop, 1000);
	assert_memory_equal(host.out + 6, "unsent", 6);
	assert_int_equal(uart->ops->load(uart, 1, record, (size_t)len - 1), -EINVAL);
	for (unsigned word = 10; word < 14; word++) { /* heads and counts out of range */
		u8 bad[8192];

		memcpy(bad, record, sizeof(bad));
		memset(bad + 4 * word, 0xff, 4);
		assert_int_equal(uart->ops->load(uart, 1, bad, (size_t)len), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reset_values, setup, teardown),
		cmocka_unit_test_setup_teardown(test_output_in_batches, setup, teardown),
		cmocka_unit_test_setup_teardown(test_host_is_slow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_filled_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tx_interrupt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_input, setup, teardown),
		cmocka_unit_test_setup_teardown(test_input_fills_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loopback, setup, teardown),
		cmocka_unit_test_setup_teardown(test_widths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_save_load, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

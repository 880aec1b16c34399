/* SPDX-License-Identifier: MIT */
/*
 * Characters the guest writes go into a ring of our own, and to the host in batches: the first one
 * arms a short timer on the main loop, so a burst of console output costs the vCPU one system call
 * every quarter millisecond instead of one a character. The guest sees a transmitter that is idle
 * as long as the ring has room, and a full FIFO when the host takes nothing more.
 */
#include "devices/pl011.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TX_RING	    4096 /* power of two */
#define RX_FIFO	    32
#define TX_DELAY_NS 250000

enum {
	UARTDR = 0x000,
	UARTRSR = 0x004,
	UARTFR = 0x018,
	UARTILPR = 0x020,
	UARTIBRD = 0x024,
	UARTFBRD = 0x028,
	UARTLCR_H = 0x02c,
	UARTCR = 0x030,
	UARTIFLS = 0x034,
	UARTIMSC = 0x038,
	UARTRIS = 0x03c,
	UARTMIS = 0x040,
	UARTICR = 0x044,
	UARTDMACR = 0x048,
	UARTPERIPHID0 = 0xfe0,
};

#define FR_CTS	BIT(0)
#define FR_DSR	BIT(1)
#define FR_DCD	BIT(2)
#define FR_RXFE BIT(4)
#define FR_TXFF BIT(5)
#define FR_RXFF BIT(6)
#define FR_TXFE BIT(7)

#define LCR_FEN BIT(4)

#define CR_UARTEN BIT(0)
#define CR_LBE	  BIT(7)
#define CR_TXE	  BIT(8)
#define CR_RXE	  BIT(9)

#define INT_RX BIT(4)
#define INT_TX BIT(5)
#define INT_RT BIT(6)
#define INT_OE BIT(10)

#define DR_OE BIT(11) /* overrun, in UARTDR; bit 3 of UARTRSR */

/* Plain data: the save record is this struct. */
struct pl011_state {
	u32 ilpr, ibrd, fbrd, lcr, cr, ifls, imsc, ris, dmacr, rsr;
	u32 rx_head, rx_count;
	u32 tx_head, tx_count;
	u32 rx_overrun;
	u8 rx[RX_FIFO];
	u8 tx[TX_RING];
};

struct pl011 {
	struct device dev;
	struct pl011_params params;
	pthread_mutex_t lock; /* s, tx_armed, wants_input */
	bool tx_armed;	      /* tx_timer will fire */
	bool tx_blocked;      /* the chardev said it will call when it has room */
	bool wrote;	      /* first_output was called */
	bool rx_starved;      /* can_receive() said 0 since the last accept_input */
	struct event_source *tx_timer, *rx_notifier;
	struct pl011_state s;
};

static struct pl011 *pl011_of(struct device *dev)
{
	return container_of(dev, struct pl011, dev);
}

static void irq_update(struct pl011 *u)
{
	irq_set(&u->params.irq, u->s.ris & u->s.imsc);
}

/* ---- receiving ---- */

static unsigned rx_depth(const struct pl011 *u)
{
	return u->s.lcr & LCR_FEN ? RX_FIFO : 1;
}

static unsigned rx_trigger(const struct pl011 *u)
{
	static const u8 level[8] = {RX_FIFO / 8,     RX_FIFO / 4,     RX_FIFO / 2,
				    RX_FIFO * 3 / 4, RX_FIFO * 7 / 8, RX_FIFO * 7 / 8,
				    RX_FIFO * 7 / 8, RX_FIFO * 7 / 8};

	return u->s.lcr & LCR_FEN ? level[BITS(u->s.ifls, 5, 3)] : 1;
}

static void rx_push(struct pl011 *u, u8 c)
{
	if (u->s.rx_count >= rx_depth(u)) {
		u->s.rx_overrun = 1;
		u->s.ris |= INT_OE;
		return;
	}
	u->s.rx[(u->s.rx_head + u->s.rx_count++) % RX_FIFO] = c;
	if (u->s.rx_count >= rx_trigger(u))
		u->s.ris |= INT_RX;
	/* No line rate, no waiting for 32 bit times: the line is silent at once. */
	if (u->s.lcr & LCR_FEN)
		u->s.ris |= INT_RT;
}

static bool rx_enabled(const struct pl011 *u)
{
	return (u->s.cr & (CR_UARTEN | CR_RXE | CR_LBE)) == (CR_UARTEN | CR_RXE);
}

static void rx_room(struct pl011 *u)
{
	if (!u->rx_starved || !rx_enabled(u))
		return;
	u->rx_starved = false;
	event_notify(u->rx_notifier);
}

static u32 rx_pop(struct pl011 *u)
{
	u32 c;

	if (!u->s.rx_count)
		return 0;
	c = u->s.rx[u->s.rx_head];
	u->s.rx_head = (u->s.rx_head + 1) % RX_FIFO;
	u->s.rx_count--;
	if (u->s.rx_overrun) {
		c |= DR_OE;
		u->s.rx_overrun = 0;
	}
	u->s.rsr = c & DR_OE ? 8 : 0;
	if (u->s.rx_count < rx_trigger(u))
		u->s.ris &= ~(u32)INT_RX;
	if (!u->s.rx_count) {
		u->s.ris &= ~(u32)INT_RT;
		rx_room(u);
	}
	irq_update(u);
	return c;
}

static size_t client_can_receive(void *opaque)
{
	struct pl011 *u = opaque;
	size_t room = 0;

	pthread_mutex_lock(&u->lock);
	if (rx_enabled(u) && u->s.rx_count < rx_depth(u))
		room = rx_depth(u) - u->s.rx_count;
	u->rx_starved |= !room;
	pthread_mutex_unlock(&u->lock);
	return room;
}

static void client_receive(void *opaque, const u8 *buf, size_t len)
{
	struct pl011 *u = opaque;

	pthread_mutex_lock(&u->lock);
	for (size_t i = 0; i < len; i++)
		rx_push(u, buf[i]);
	irq_update(u);
	pthread_mutex_unlock(&u->lock);
}

static void rx_notified(void *opaque)
{
	struct pl011 *u = opaque;

	if (u->params.chardev)
		chardev_accept_input(u->params.chardev);
}

/* ---- sending ---- */

/* Called and returns with the lock held, lets go of it around the chardev. Loop thread. */
static void tx_drain(struct pl011 *u)
{
	while (u->s.tx_count && !u->tx_blocked) {
		u32 n = TX_RING - u->s.tx_head;
		size_t taken;

		if (n > u->s.tx_count)
			n = u->s.tx_count;
		/* Only this thread moves the head, so the bytes stay put without the lock. */
		pthread_mutex_unlock(&u->lock);
		taken = u->params.chardev
				? chardev_write(u->params.chardev, u->s.tx + u->s.tx_head, n)
				: n;
		pthread_mutex_lock(&u->lock);
		/* The guest may have filled the ring just now: it waits for this interrupt. */
		if (u->s.tx_count == TX_RING && taken)
			u->s.ris |= INT_TX;
		u->s.tx_head = (u->s.tx_head + (u32)taken) % TX_RING;
		u->s.tx_count -= (u32)taken;
		u->tx_blocked = taken < n;
	}
	irq_update(u);
}

static void tx_timer_fired(void *opaque)
{
	struct pl011 *u = opaque;

	pthread_mutex_lock(&u->lock);
	u->tx_armed = false;
	tx_drain(u);
	pthread_mutex_unlock(&u->lock);
}

static void client_writable(void *opaque)
{
	struct pl011 *u = opaque;

	pthread_mutex_lock(&u->lock);
	u->tx_blocked = false;
	tx_drain(u);
	pthread_mutex_unlock(&u->lock);
}

void pl011_flush(struct device *dev)
{
	struct pl011 *u = pl011_of(dev);

	pthread_mutex_lock(&u->lock);
	tx_drain(u);
	pthread_mutex_unlock(&u->lock);
}

static void tx_push(struct pl011 *u, u8 c)
{
	if (u->s.cr & CR_LBE) {
		rx_push(u, c);
		u->s.ris |= INT_TX;
		irq_update(u);
		return;
	}
	if (!u->wrote && u->params.first_output)
		u->params.first_output(u->params.opaque);
	u->wrote = true;
	if (u->s.tx_count == TX_RING) {
		u->s.ris &= ~(u32)INT_TX;
		return; /* written to a full FIFO: lost, as on hardware */
	}
	u->s.tx[(u->s.tx_head + u->s.tx_count++) % TX_RING] = c;
	/* Sent already as far as the guest can see: the FIFO has fallen below its trigger. */
	u->s.ris = u->s.tx_count < TX_RING ? u->s.ris | INT_TX : u->s.ris & ~(u32)INT_TX;
	if (!u->tx_armed && !u->tx_blocked) {
		u->tx_armed = true;
		event_timer_set(u->tx_timer, TX_DELAY_NS);
	}
	irq_update(u);
}

/* ---- registers ---- */

static u32 flags(const struct pl011 *u)
{
	u32 fr = FR_CTS | FR_DSR | FR_DCD;

	fr |= u->s.rx_count ? 0 : FR_RXFE;
	fr |= u->s.rx_count >= rx_depth(u) ? FR_RXFF : 0;
	fr |= u->s.tx_count == TX_RING ? FR_TXFF : FR_TXFE;
	return fr;
}

static u32 reg_read(struct pl011 *u, u32 reg)
{
	/* PL011 r1p5, and the PrimeCell signature. */
	static const u8 id[8] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

	switch (reg) {
	case UARTDR: return rx_pop(u);
	case UARTRSR: return u->s.rsr;
	case UARTFR: return flags(u);
	case UARTILPR: return u->s.ilpr;
	case UARTIBRD: return u->s.ibrd;
	case UARTFBRD: return u->s.fbrd;
	case UARTLCR_H: return u->s.lcr;
	case UARTCR: return u->s.cr;
	case UARTIFLS: return u->s.ifls;
	case UARTIMSC: return u->s.imsc;
	case UARTRIS: return u->s.ris;
	case UARTMIS: return u->s.ris & u->s.imsc;
	case UARTDMACR: return u->s.dmacr;
	default: return reg >= UARTPERIPHID0 ? id[(reg - UARTPERIPHID0) / 4 & 7] : 0;
	}
}

static void lcr_write(struct pl011 *u, u32 val)
{
	/* Switching FIFOs on or off empties them (DDI 0183, 3.3.7). */
	if ((u->s.lcr ^ val) & LCR_FEN) {
		u->s.rx_head = u->s.rx_count = 0;
		u->s.ris &= ~(u32)(INT_RX | INT_RT);
	}
	u->s.lcr = val & 0xff;
	rx_room(u);
}

static void reg_write(struct pl011 *u, u32 reg, u32 val)
{
	switch (reg) {
	case UARTDR: tx_push(u, (u8)val); return;
	case UARTRSR: u->s.rsr = 0; break;
	case UARTILPR: u->s.ilpr = val & 0xff; break;
	case UARTIBRD: u->s.ibrd = val & 0xffff; break;
	case UARTFBRD: u->s.fbrd = val & 0x3f; break;
	case UARTLCR_H: lcr_write(u, val); break;
	case UARTCR:
		u->s.cr = val & 0xff87;
		rx_room(u);
		break;
	case UARTIFLS: u->s.ifls = val & 0x3f; break;
	case UARTIMSC: u->s.imsc = val & 0x7ff; break;
	case UARTICR: u->s.ris &= ~val; break;
	case UARTDMACR: u->s.dmacr = val & 7; break; /* no DMA controller asks */
	default: return;
	}
	irq_update(u);
}

static int pl011_read(struct device *dev, u64 offset, unsigned size, u64 *val)
{
	struct pl011 *u = pl011_of(dev);

	if (offset & (size - 1) || size > 4)
		return -EINVAL;
	pthread_mutex_lock(&u->lock);
	*val = reg_read(u, offset & ~3u) >> 8 * (offset & 3);
	pthread_mutex_unlock(&u->lock);
	*val &= ~0ull >> (64 - 8 * size);
	return 0;
}

static int pl011_write(struct device *dev, u64 offset, unsigned size, u64 val)
{
	struct pl011 *u = pl011_of(dev);

	if (offset & (size - 1) || size > 4)
		return -EINVAL;
	if (offset & 3)
		return 0;
	pthread_mutex_lock(&u->lock);
	reg_write(u, (u32)offset, (u32)val);
	pthread_mutex_unlock(&u->lock);
	return 0;
}

/* ---- life ---- */

static void pl011_reset(struct device *dev)
{
	struct pl011 *u = pl011_of(dev);

	pthread_mutex_lock(&u->lock);
	tx_drain(u);
	memset(&u->s, 0, offsetof(struct pl011_state, tx_head));
	u->s.rx_overrun = 0;
	u->s.cr = CR_TXE | CR_RXE;
	u->s.ifls = 0x12;
	irq_update(u);
	pthread_mutex_unlock(&u->lock);
}

static ssize_t pl011_save(struct device *dev, void *buf, size_t cap)
{
	struct pl011 *u = pl011_of(dev);

	if (cap < sizeof(u->s))
		return -ENOSPC;
	pthread_mutex_lock(&u->lock);
	memcpy(buf, &u->s, sizeof(u->s));
	pthread_mutex_unlock(&u->lock);
	return sizeof(u->s);
}

static int pl011_load(struct device *dev, u32 version, const void *buf, size_t len)
{
	struct pl011 *u = pl011_of(dev);
	struct pl011_state s;

	if (version != 1 || len != sizeof(s))
		return -EINVAL;
	memcpy(&s, buf, sizeof(s));
	if (s.rx_head >= RX_FIFO || s.rx_count > RX_FIFO || s.tx_head >= TX_RING ||
	    s.tx_count > TX_RING)
		return -EINVAL;
	pthread_mutex_lock(&u->lock);
	u->s = s;
	if (s.tx_count && !u->tx_armed) {
		u->tx_armed = true;
		event_timer_set(u->tx_timer, TX_DELAY_NS);
	}
	u->rx_starved = true;
	rx_room(u);
	irq_update(u);
	pthread_mutex_unlock(&u->lock);
	return 0;
}

static void pl011_destroy(struct device *dev)
{
	struct pl011 *u = pl011_of(dev);

	pl011_flush(dev);
	if (u->params.chardev)
		chardev_set_client(u->params.chardev, NULL, NULL);
	event_del(u->tx_timer);
	event_del(u->rx_notifier);
	pthread_mutex_destroy(&u->lock);
	free(u);
}

static const struct device_ops pl011_ops = {
	.name = "pl011",
	.version = 1,
	.mmio_read = pl011_read,
	.mmio_write = pl011_write,
	.reset = pl011_reset,
	.save = pl011_save,
	.load = pl011_load,
	.destroy = pl011_destroy,
};

static const struct chardev_client pl011_client = {
	.can_receive = client_can_receive,
	.receive = client_receive,
	.writable = client_writable,
};

int pl011_create(const struct pl011_params *params, struct device **out)
{
	struct pl011 *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->dev.ops = &pl011_ops;
	strcpy(u->dev.id, "serial");
	u->params = *params;
	pthread_mutex_init(&u->lock, NULL);
	u->tx_timer = event_timer_add(params->loop, tx_timer_fired, u);
	u->rx_notifier = event_notifier_add(params->loop, rx_notified, u);
	if (!u->tx_timer || !u->rx_notifier) {
		int err = -errno;

		u->params.chardev = NULL;
		pl011_destroy(&u->dev);
		return err;
	}
	pl011_reset(&u->dev);
	if (params->chardev)
		chardev_set_client(params->chardev, &pl011_client, u);
	*out = &u->dev;
	return 0;
}

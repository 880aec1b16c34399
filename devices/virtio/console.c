/* SPDX-License-Identifier: MIT */
#include "devices/virtio/console.h"

#include <errno.h>
#include <linux/virtio_console.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/log.h"
#include "devices/chardev.h"
#include "devices/virtio/virtio.h"

#define IN_SIZE	      4096 /* input waiting for the guest, a port */
#define COPY_SIZE     4096
#define TX_TURN	      (64u << 10) /* output bytes between looks at who wants the thread */
#define QUEUE_SIZE    64
#define OUTBOX_SIZE   64
#define PORT_NAME_MAX 64
#define CTRL_RX	      2 /* 5.3.2: the control queues sit between port 0 and port 1 */
#define CTRL_TX	      3

struct port {
	struct console *con;
	unsigned nr;
	struct chardev *cd;
	char name[PORT_NAME_MAX];
	bool is_console;
	bool host_open;	 /* a peer is connected */
	bool guest_open; /* multiport: a process has it open */
	bool ready;	 /* multiport: the driver has the port */
	u32 tx_done;	 /* bytes of the next chain that the chardev has taken */
	u32 in_len;
	u8 in[IN_SIZE];
};

struct console {
	struct virtio_dev v; /* first */
	struct event_loop *loop;
	struct event_source *wake;
	bool multiport;
	unsigned nports;
	struct port port[VIRTIO_CONSOLE_MAX_PORTS];
	/* Control messages the driver has no buffer for yet. */
	unsigned outbox_head, outbox_len;
	struct virtio_console_control outbox[OUTBOX_SIZE];
};

static const struct sandbox_rule console_rules[] = {
	/* devices/chardev.c: interest in descriptors, a socket's peer coming, taking and going */
	SANDBOX_ALLOW(epoll_ctl),
	SANDBOX_ALLOW(accept4),
	SANDBOX_ALLOW(sendto),
	SANDBOX_ALLOW(close),
	/* is anybody at the other end of the pty? */
	SANDBOX_ALLOW(poll),
};

const struct sandbox_role virtio_console_role = {
	.name = "console",
	.rules = console_rules,
	.nrules = ARRAY_SIZE(console_rules),
	.device = true,
};

static struct console *to_console(struct virtio_dev *v)
{
	return container_of(v, struct console, v);
}

static unsigned rx_queue(unsigned port)
{
	return port ? 2 + 2 * port : 0;
}

/* The port of a data queue, which is not a control queue. */
static unsigned port_of(unsigned q)
{
	return q < 2 ? 0 : (q - 2) / 2;
}

static bool multiport(const struct console *con)
{
	return virtio_has(&con->v, VIRTIO_CONSOLE_F_MULTIPORT);
}

/* --- Control messages (5.3.6.2) --------------------------------------------------------------- */

static void flush_outbox(struct console *con)
{
	struct virtio_dev *v = &con->v;
	bool pushed = false;

	while (con->outbox_len && virtio_pop(v, CTRL_RX, &v->chain)) {
		const struct virtio_console_control *m = &con->outbox[con->outbox_head];
		u32 n = (u32)virtq_write(&v->chain, 0, m, sizeof(*m));

		if (m->event == VIRTIO_CONSOLE_PORT_NAME) {
			const char *name = con->port[m->id].name;

			n += (u32)virtq_write(&v->chain, sizeof(*m), name, strlen(name));
		}
		virtio_push(v, CTRL_RX, &v->chain, n);
		con->outbox_head = (con->outbox_head + 1) % OUTBOX_SIZE;
		con->outbox_len--;
		pushed = true;
	}
	if (pushed)
		virtio_signal(v, CTRL_RX);
}

static void queue_control(struct console *con, u32 port, u16 event, u16 value)
{
	if (con->outbox_len == OUTBOX_SIZE) {
		warn_ratelimited("virtio-console %s: guest takes no control messages; one is lost",
				 con->v.dev.id);
		return;
	}
	con->outbox[(con->outbox_head + con->outbox_len++) % OUTBOX_SIZE] =
		(struct virtio_console_control){.id = port, .event = event, .value = value};
}

static void send_control(struct console *con, u32 port, u16 event, u16 value)
{
	if (!multiport(con))
		return;
	queue_control(con, port, event, value);
	flush_outbox(con);
}

static void port_ready(struct port *p)
{
	p->ready = true;
	if (p->is_console)
		send_control(p->con, p->nr, VIRTIO_CONSOLE_CONSOLE_PORT, 1);
	if (p->name[0])
		send_control(p->con, p->nr, VIRTIO_CONSOLE_PORT_NAME, 1);
	if (p->host_open)
		send_control(p->con, p->nr, VIRTIO_CONSOLE_PORT_OPEN, 1);
}

static void handle_control(struct console *con, const struct virtio_console_control *m)
{
	if (m->event == VIRTIO_CONSOLE_DEVICE_READY) {
		for (unsigned i = 0; m->value && i < con->nports; i++)
			send_control(con, i, VIRTIO_CONSOLE_PORT_ADD, 1);
		return;
	}
	if (m->id >= con->nports)
		return;
	if (m->event == VIRTIO_CONSOLE_PORT_READY && m->value) {
		port_ready(&con->port[m->id]);
	} else if (m->event == VIRTIO_CONSOLE_PORT_OPEN) {
		con->port[m->id].guest_open = m->value;
		if (m->value)
			worker_kick(&con->v.worker, BIT(rx_queue(m->id)));
	}
}

static bool control_chain(struct virtio_dev *v, unsigned q, struct virtq_chain *c)
{
	struct virtio_console_control m;
	bool whole = virtq_read(c, 0, &m, sizeof(m)) == sizeof(m);

	virtio_push(v, q, c, 0);
	if (whole) /* `c` is the scratch chain: done with before messages go the other way */
		handle_control(to_console(v), &m);
	return true;
}

/* --- Host to guest ---------------------------------------------------------------------------- */

static bool takes_input(const struct port *p)
{
	return virtq_active(&p->con->v.vq[rx_queue(p->nr)]) &&
	       (p->guest_open || !multiport(p->con));
}

static void deliver_input(struct port *p)
{
	struct virtio_dev *v = &p->con->v;
	unsigned q = rx_queue(p->nr);
	u32 at = 0;

	while (at < p->in_len && takes_input(p) && virtio_pop(v, q, &v->chain)) {
		u32 n = (u32)virtq_write(&v->chain, 0, p->in + at, p->in_len - at);

		virtio_push(v, q, &v->chain, n);
		at += n;
	}
	if (!at)
		return;
	memmove(p->in, p->in + at, p->in_len - at);
	p->in_len -= at;
	virtio_signal(v, q);
}

static size_t port_can_receive(void *opaque)
{
	struct port *p = opaque;

	return IN_SIZE - p->in_len;
}

static void port_receive(void *opaque, const u8 *buf, size_t len)
{
	struct port *p = opaque;

	memcpy(p->in + p->in_len, buf, len);
	p->in_len += (u32)len;
	deliver_input(p);
}

static void port_connected(void *opaque, bool on)
{
	struct port *p = opaque;

	p->host_open = on;
	if (p->ready)
		send_control(p->con, p->nr, VIRTIO_CONSOLE_PORT_OPEN, on);
}

/* --- Guest to host ---------------------------------------------------------------------------- */

static void port_writable(void *opaque)
{
	struct port *p = opaque;

	worker_kick(&p->con->v.worker, BIT(rx_queue(p->nr) + 1));
}

/*
 * The chain goes back while the chardev is full, with a note of how far it got: a device that is
 * paused or saved holds none.
 */
static bool output_chain(struct virtio_dev *v, unsigned q, struct virtq_chain *c)
{
	struct console *con = to_console(v);
	struct port *p = &con->port[port_of(q)];
	u8 buf[COPY_SIZE];
	u32 turn = 0;

	while (p->tx_done < c->read_len) {
		size_t n = virtq_read(c, p->tx_done, buf, sizeof(buf));
		size_t taken = chardev_write(p->cd, buf, n);

		p->tx_done += (u32)taken;
		turn += (u32)taken;
		if (taken < n || (turn >= TX_TURN && worker_wanted(&v->worker))) {
			virtq_unpop(&v->vq[q], c);
			if (taken == n)
				worker_kick(&v->worker, BIT(q));
			return false;
		}
	}
	p->tx_done = 0;
	virtio_push(v, q, c, 0);
	return true;
}

/* --- Device ----------------------------------------------------------------------------------- */

static void console_notify(struct virtio_dev *v, unsigned q)
{
	struct console *con = to_console(v);

	/* Without the feature there are two queues, whatever the driver has set up. */
	if (q >= 2 && !multiport(con))
		return;
	if (q == CTRL_RX) {
		flush_outbox(con);
	} else if (q == CTRL_TX) {
		virtio_drain(v, q, control_chain);
	} else if (q % 2) {
		virtio_drain(v, q, output_chain);
	} else {
		deliver_input(&con->port[port_of(q)]);
		chardev_accept_input(con->port[port_of(q)].cd);
	}
}

/* After a load the driver knows its ports, but not who is connected here. */
static void console_activated(struct virtio_dev *v)
{
	struct console *con = to_console(v);

	for (unsigned i = 0; i < con->nports; i++)
		if (con->port[i].ready)
			queue_control(con, i, VIRTIO_CONSOLE_PORT_OPEN, con->port[i].host_open);
}

static void console_reset(struct virtio_dev *v)
{
	struct console *con = to_console(v);

	con->outbox_len = 0;
	for (unsigned i = 0; i < con->nports; i++) {
		con->port[i].guest_open = con->port[i].ready = false;
		con->port[i].tx_done = 0;
		/* Input stays: drivers reset when they start, and the user may have typed ahead. */
	}
}

/* The thread waits in the chardevs' loop, which watches the worker's own events as well. */
static void console_wait(struct virtio_dev *v)
{
	event_loop_poll(to_console(v)->loop, -1);
}

static void worker_ready(void *opaque, u32 events)
{
	/* Ends the wait; worker.c looks what it was. */
}

struct saved_port {
	u8 guest_open, ready;
	u16 in_len;
	u32 tx_done;
};

static ssize_t console_save(struct virtio_dev *v, void *buf, size_t cap)
{
	struct console *con = to_console(v);
	u8 *out = buf;

	if (cap < con->nports * (sizeof(struct saved_port) + IN_SIZE))
		return -ENOSPC;
	for (unsigned i = 0; i < con->nports; i++) {
		const struct port *p = &con->port[i];
		struct saved_port s = {.guest_open = p->guest_open,
				       .ready = p->ready,
				       .in_len = (u16)p->in_len,
				       .tx_done = p->tx_done};

		memcpy(out, &s, sizeof(s));
		memcpy(out + sizeof(s), p->in, p->in_len);
		out += sizeof(s) + p->in_len;
	}
	return out - (u8 *)buf;
}

static int console_load(struct virtio_dev *v, const void *buf, size_t len)
{
	struct console *con = to_console(v);
	const u8 *in = buf;

	for (unsigned i = 0; i < con->nports; i++) {
		struct port *p = &con->port[i];
		struct saved_port s;

		if (len < sizeof(s))
			return -EINVAL;
		memcpy(&s, in, sizeof(s));
		len -= sizeof(s);
		if (s.in_len > IN_SIZE || s.in_len > len || s.guest_open > 1 || s.ready > 1)
			return -EINVAL;
		memcpy(p->in, in + sizeof(s), s.in_len);
		p->in_len = s.in_len;
		p->guest_open = s.guest_open;
		p->ready = s.ready;
		p->tx_done = s.tx_done;
		in += sizeof(s) + s.in_len;
		len -= s.in_len;
	}
	return len ? -EINVAL : 0;
}

static void console_destroy(struct virtio_dev *v)
{
	struct console *con = to_console(v);

	for (unsigned i = 0; i < con->nports; i++)
		chardev_close(con->port[i].cd);
	event_loop_destroy(con->loop);
}

static const struct virtio_class console_class = {
	.name = "virtio-console",
	.device_id = VIRTIO_ID_CONSOLE,
	.version = 1,
	.role = &virtio_console_role,
	.notify = console_notify,
	.activated = console_activated,
	.reset = console_reset,
	.wait = console_wait,
	.save = console_save,
	.load = console_load,
	.destroy = console_destroy,
};

/* --- Construction ----------------------------------------------------------------------------- */

static int check_params(const struct virtio_console_params *p, const char **err)
{
	if (!p->nports || p->nports > VIRTIO_CONSOLE_MAX_PORTS) {
		*err = "a console has 1 to 8 ports";
		return -EINVAL;
	}
	for (unsigned i = 0; i < p->nports; i++) {
		if (p->port[i].name && strlen(p->port[i].name) >= PORT_NAME_MAX) {
			*err = "port name longer than 63 bytes";
			return -EINVAL;
		}
		if (!p->multiport && (i || p->port[i].name)) {
			*err = "several or named ports need multiport";
			return -EINVAL;
		}
	}
	return 0;
}

static int open_port(struct console *con, unsigned nr, const struct virtio_console_params *params)
{
	static const struct chardev_client client = {
		.can_receive = port_can_receive,
		.receive = port_receive,
		.writable = port_writable,
		.connected = port_connected,
	};
	struct port *p = &con->port[nr];
	struct chardev_params cp = {.spec = params->port[nr].spec,
				    .id = params->id,
				    .loop = con->loop,
				    .quit = params->quit,
				    .quit_opaque = params->quit_opaque};
	int ret = chardev_open(&cp, &p->cd);

	if (ret)
		return ret;
	p->con = con;
	p->nr = nr;
	p->is_console = !params->port[nr].name;
	snprintf(p->name, sizeof(p->name), "%s", p->is_console ? "" : params->port[nr].name);
	con->nports = nr + 1;
	chardev_set_client(p->cd, &client, p);
	return 0;
}

static int open_ports(struct console *con, const struct virtio_console_params *p, const char **err)
{
	int ret = event_loop_create(&con->loop);

	if (ret) {
		*err = "cannot make the event loop of the console";
		return ret;
	}
	con->wake =
		event_add(con->loop, worker_epoll_fd(&con->v.worker), EPOLLIN, worker_ready, NULL);
	if (!con->wake) {
		*err = "cannot make the event loop of the console";
		return -errno;
	}
	for (unsigned i = 0; i < p->nports && !ret; i++)
		ret = open_port(con, i, p);
	if (ret)
		*err = "cannot open its back end";
	return ret;
}

static void fill_config(struct console *con, const struct virtio_console_params *p)
{
	struct virtio_console_config c = {.max_nr_ports = p->nports};
	struct virtio_dev *v = &con->v;
	struct winsize ws;

	if (p->multiport)
		v->features |= BIT(VIRTIO_CONSOLE_F_MULTIPORT);
	if (!strcmp(p->port[0].spec, "stdio") && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) &&
	    ws.ws_col && ws.ws_row) {
		v->features |= BIT(VIRTIO_CONSOLE_F_SIZE);
		c.cols = ws.ws_col;
		c.rows = ws.ws_row;
	}
	v->config_len = sizeof(c);
	memcpy(v->config, &c, sizeof(c));
	v->nqueues = p->multiport ? 2 + 2 * p->nports : 2;
	if (p->multiport && v->nqueues < 4)
		v->nqueues = 4;
	for (unsigned q = 0; q < v->nqueues; q++)
		v->queue_max[q] = QUEUE_SIZE;
}

int virtio_console_create(const struct virtio_console_params *p, const struct guest_mem *mem,
			  const struct irq_line *irq, struct device **out, const char **err)
{
	int ret = check_params(p, err);
	struct console *con;

	if (ret)
		return ret;
	con = calloc(1, sizeof(*con));
	if (!con) {
		*err = "out of memory";
		return -ENOMEM;
	}
	ret = virtio_init(&con->v, &console_class, p->id, mem, irq, err);
	if (!ret)
		ret = open_ports(con, p, err);
	if (!ret) {
		fill_config(con, p);
		ret = virtio_start(&con->v, p->sandbox, err);
	}
	if (ret) {
		virtio_destroy(&con->v);
		return ret;
	}
	*out = &con->v.dev;
	return 0;
}

void virtio_console_resize(struct device *dev, u16 cols, u16 rows)
{
	struct virtio_dev *v = virtio_from_device(dev);
	u16 size[2] = {cols, rows};

	if (v->features & BIT(VIRTIO_CONSOLE_F_SIZE))
		virtio_config_update(v, 0, size, sizeof(size));
}

const char *virtio_console_address(struct device *dev, unsigned port)
{
	struct console *con = to_console(virtio_from_device(dev));

	return port < con->nports ? chardev_address(con->port[port].cd) : "";
}

/* SPDX-License-Identifier: MIT */
/* The host's half of devices: from the configuration's lists to devices/virtio and chardevs. */
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "devices/virtio/blk.h"
#include "devices/virtio/console.h"
#include "devices/virtio/net.h"
#include "devices/virtio/rng.h"
#include "vmm/machine_internal.h"

static void add(struct machine *m, enum backend_kind kind, const char *id, unsigned index)
{
	m->backend[m->n_backends++] = (struct backend){.kind = kind, .id = id, .index = index};
}

/* In the order in which guests number their disks and interfaces. */
void backends_collect(struct machine *m)
{
	const struct vm_config *cfg = m->cfg;

	add(m, BACKEND_SERIAL, "serial", 0);
	for (unsigned i = 0; i < cfg->n_drives; i++)
		add(m, BACKEND_DRIVE, cfg->drives[i].id, i);
	for (unsigned i = 0; i < cfg->n_networks; i++)
		add(m, BACKEND_NETWORK, cfg->networks[i].id, i);
	for (unsigned i = 0; i < cfg->n_consoles; i++)
		add(m, BACKEND_CONSOLE, cfg->consoles[i].id, i);
	if (cfg->rng)
		add(m, BACKEND_RNG, "rng", 0);
}

struct backend *backend_find(struct machine *m, const char *id)
{
	for (unsigned i = 0; i < m->n_backends; i++)
		if (!strcmp(m->backend[i].id, id))
			return &m->backend[i];
	return NULL;
}

static void user_quit(void *opaque)
{
	machine_request(opaque, MACHINE_QUIT, 0);
}

static int open_chardev(struct machine *m, const char *id, const char *spec, struct chardev **out)
{
	const struct chardev_params params = {
		.spec = spec,
		.id = id,
		.loop = m->loop,
		.quit = user_quit,
		.quit_opaque = m,
	};
	int err = chardev_open(&params, out);

	if (!err)
		m->chardev[m->n_chardevs++] = *out;
	return err;
}

int backend_open_serial(struct machine *m)
{
	return open_chardev(m, "serial", m->cfg->serial, &m->serial_chardev);
}

void backends_close(struct machine *m)
{
	while (m->n_chardevs)
		chardev_close(m->chardev[--m->n_chardevs]);
}

static int create_drive(struct machine *m, struct backend *b, const struct irq_line *irq,
			struct device **out)
{
	const struct drive_config *d = &m->cfg->drives[b->index];
	const struct virtio_blk_params params = {
		.id = d->id,
		.path = d->path,
		.serial = *d->serial ? d->serial : NULL,
		.readonly = d->readonly,
		.direct = d->direct,
		.writethrough = d->cache == DRIVE_CACHE_WRITETHROUGH,
		.num_queues = d->queues,
		.sandbox = machine_sandbox_mode(m),
	};
	const char *why = "";
	int err = virtio_blk_create(&params, &m->mem, irq, out, &why);

	if (err)
		error_report("drive \"%s\" (%s): %s: %s", d->id, d->path, why, strerror(-err));
	return err;
}

static int create_user_net(const struct network_config *n, struct net_backend **nb,
			   const char **why)
{
	struct net_user_params params = {.nforwards = n->n_forwards};

	_Static_assert(NET_USER_MAX_FORWARDS >= CONFIG_MAX_FORWARDS, "forwards of a network");
	for (unsigned i = 0; i < n->n_forwards; i++)
		params.forward[i] = (struct net_forward){
			.udp = n->forwards[i].proto == FORWARD_UDP,
			.host_addr = n->forwards[i].host_addr,
			.host_port = (u16)n->forwards[i].host_port,
			.guest_addr = n->forwards[i].guest_addr,
			.guest_port = (u16)n->forwards[i].guest_port,
		};
	return net_user_create(&params, nb, why);
}

static int create_net_backend(const struct network_config *n, struct net_backend **nb,
			      const char **why)
{
	const struct net_tap_params tap = {.ifname = n->tap, .fd = n->fd};

	switch (n->type) {
	case NET_USER: return create_user_net(n, nb, why);
	case NET_TAP: return net_tap_create(&tap, nb, why);
	default: return net_none_create(nb, why);
	}
}

static int create_network(struct machine *m, struct backend *b, const struct irq_line *irq,
			  struct device **out)
{
	/* As QEMU's: guests' configurations that know an address keep working. */
	static const u8 default_mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
	const struct network_config *n = &m->cfg->networks[b->index];
	struct virtio_net_params params = {.id = n->id, .sandbox = machine_sandbox_mode(m)};
	const char *why = "";
	int err = create_net_backend(n, &params.backend, &why);

	memcpy(params.mac, n->mac ? n->mac_bytes : default_mac, 6);
	if (!n->mac)
		params.mac[5] = (u8)(params.mac[5] + b->index);
	if (!err)
		err = virtio_net_create(&params, &m->mem, irq, out, &why);
	if (err)
		error_report("network \"%s\": %s: %s", n->id, why, strerror(-err));
	return err;
}

static int create_console(struct machine *m, struct backend *b, const struct irq_line *irq,
			  struct device **out)
{
	const struct console_config *c = &m->cfg->consoles[b->index];
	struct virtio_console_params params = {
		.id = c->id,
		.multiport = c->n_ports > 0,
		.nports = 1 + c->n_ports,
		.port[0].spec = c->chardev,
		.quit = user_quit,
		.quit_opaque = m,
		.sandbox = machine_sandbox_mode(m),
	};
	const char *why = "";
	int err;

	_Static_assert(VIRTIO_CONSOLE_MAX_PORTS >= 1 + CONFIG_MAX_PORTS, "ports of a console");
	for (unsigned i = 0; i < c->n_ports; i++) {
		params.port[1 + i].spec = c->ports[i].chardev;
		params.port[1 + i].name = c->ports[i].name;
	}
	err = virtio_console_create(&params, &m->mem, irq, out, &why);
	if (err)
		error_report("console \"%s\": %s: %s", c->id, why, strerror(-err));
	return err;
}

static int create_rng(struct machine *m, struct backend *b, const struct irq_line *irq,
		      struct device **out)
{
	const struct virtio_rng_params params = {
		.id = b->id,
		.sandbox = machine_sandbox_mode(m),
	};
	const char *why = "";
	int err = virtio_rng_create(&params, &m->mem, irq, out, &why);

	if (err)
		error_report("rng: %s: %s", why, strerror(-err));
	return err;
}

int backend_create_virtio(struct machine *m, struct backend *b, const struct irq_line *irq,
			  struct device **out)
{
	switch (b->kind) {
	case BACKEND_DRIVE: return create_drive(m, b, irq, out);
	case BACKEND_NETWORK: return create_network(m, b, irq, out);
	case BACKEND_CONSOLE: return create_console(m, b, irq, out);
	case BACKEND_RNG: return create_rng(m, b, irq, out);
	case BACKEND_SERIAL: break; /* probe_virtio lets none through */
	}
	return -EINVAL;
}

/* SPDX-License-Identifier: MIT */
/* virtio-console (virtio 1.2, 5.3) on chardevs, which run on the device's own thread. */
#ifndef ARMATURE_VIRTIO_CONSOLE_H
#define ARMATURE_VIRTIO_CONSOLE_H

#include "common/guest_mem.h"
#include "common/irq.h"
#include "common/sandbox.h"

struct device;

#define VIRTIO_CONSOLE_MAX_PORTS 8

struct virtio_console_port_params {
	const char *spec; /* of the chardev: "stdio", "pty", "unix=PATH", "file=PATH", "none" */
	const char *name; /* /dev/virtio-ports/NAME in the guest, or NULL: a console (hvc) */
};

struct virtio_console_params {
	const char *id; /* unique in the machine; also the thread's name */
	bool multiport; /* needed for names and for more than one port */
	unsigned nports;
	struct virtio_console_port_params port[VIRTIO_CONSOLE_MAX_PORTS];
	void (*quit)(void *opaque); /* Ctrl-A x on stdio; on the device's thread. May be NULL */
	void *quit_opaque;
	enum sandbox_mode sandbox;
};

/* What the device's thread may do. */
extern const struct sandbox_role virtio_console_role;

/* 0, or a negative errno with *err a static sentence (the chardev's own is reported before). */
int virtio_console_create(const struct virtio_console_params *p, const struct guest_mem *mem,
			  const struct irq_line *irq, struct device **out, const char **err);
/* The terminal behind port 0 has a new size. Any thread but the device's. */
void virtio_console_resize(struct device *dev, u16 cols, u16 rows);
/* Where a peer connects to port `port`: a pty's name, a socket's path, or "". */
const char *virtio_console_address(struct device *dev, unsigned port);

#endif

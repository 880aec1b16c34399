/* SPDX-License-Identifier: MIT */
/* A virtio-net device with a guest's driver: shared by the tests of the device and of its back
 * ends. */
#ifndef ARMATURE_NET_GUEST_H
#define ARMATURE_NET_GUEST_H

#include "tests/unit/virtio_guest.h"

#include <linux/virtio_net.h>
#include <stdlib.h>

#include "devices/virtio/net.h"

#define RX	 0
#define TX	 1
#define HDR	 12
#define MRG	 BIT(VIRTIO_NET_F_MRG_RXBUF)
#define RX_AT(i) (VG_DATA + (i)*0x1000ull)
#define TX_AT	 (VG_DATA + 0x100000)

static const u8 our_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

struct fixture {
	struct vg g;
	u8 frame[65600];
};

static int net_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	vg_init(&f->g);
	*state = f;
	return 0;
}

static int net_teardown(void **state)
{
	struct fixture *f = *state;

	vg_exit(&f->g);
	free(f);
	return 0;
}

static void create(struct fixture *f, struct net_backend *nb)
{
	struct virtio_net_params p = {.id = "net0", .backend = nb, .sandbox = VG_SANDBOX};
	const char *err = "";

	memcpy(p.mac, our_mac, 6);
	if (virtio_net_create(&p, &f->g.mem, &f->g.irq, &f->g.dev, &err))
		fail_msg("create: %s", err);
}

static void post_rx(struct fixture *f, u32 len, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct vg_seg seg = {RX_AT(f->g.q[RX].next_desc % VG_QSIZE), len, true};

		vg_submit(&f->g, RX, &seg, 1);
	}
}

static void send_frame(struct fixture *f, const void *frame, u32 len)
{
	/* A buffer of its own: the device may still be reading the last one. */
	u64 at = TX_AT + f->g.q[TX].next_desc % VG_QSIZE * 0x1000ull;
	struct vg_seg seg[] = {{at, HDR, false}, {at + HDR, len, false}};

	memset(vg_ptr(&f->g, at), 0, HDR);
	memcpy(vg_ptr(&f->g, at + HDR), frame, len);
	vg_submit(&f->g, TX, seg, 2);
}

static void put_eth(u8 *frame, u16 type)
{
	memset(frame, 0xff, 6);
	memcpy(frame + 6, our_mac, 6);
	frame[12] = (u8)(type >> 8);
	frame[13] = (u8)type;
}

#define T(f) cmocka_unit_test_setup_teardown(f, net_setup, net_teardown)

#endif

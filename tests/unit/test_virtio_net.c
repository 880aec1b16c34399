/* SPDX-License-Identifier: MIT */
/* virtio-net: the device on a loopback cable and on a real tap. */
#include "tests/unit/net_guest.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void create_loopback(struct fixture *f)
{
	struct net_backend *nb;
	const char *err;

	assert_int_equal(net_loopback_create(&nb, &err), 0);
	create(f, nb);
}

static void fill(u8 *p, u32 len, unsigned seed)
{
	for (u32 i = 0; i < len; i++)
		p[i] = (u8)((i * 13 + seed) >> 1);
}

/* --- The device ------------------------------------------------------------------------------- */

static void test_config(void **state)
{
	struct fixture *f = *state;

	create_loopback(f);
	assert_int_equal(vg_read(&f->g, VIRTIO_MMIO_DEVICE_ID), 1);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(vg_config(&f->g, i, 1), our_mac[i]);
	assert_int_equal(vg_config(&f->g, 6, 2), VIRTIO_NET_S_LINK_UP);
	/* A cable without offloads offers none. */
	assert_int_equal(vg_features(&f->g) & 0xffffff,
			 BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS) | MRG);
	f->g.dev->ops->mmio_write(f->g.dev, 0x100, 1, 0xff); /* read-only in virtio 1 */
	assert_int_equal(vg_config(&f->g, 0, 1), 0x52);
}

static void test_loopback(void **state)
{
	struct fixture *f = *state;
	struct virtio_net_stats st;
	u16 *buffers = vg_ptr(&f->g, RX_AT(0) + 10);

	create_loopback(f);
	vg_bring_up(&f->g, 0, 2);
	post_rx(f, 2048, 2);
	fill(f->frame, 200, 1);
	send_frame(f, f->frame, 200);
	vg_wait_used(&f->g, TX, NULL);
	assert_int_equal(vg_wait_used(&f->g, RX, NULL), HDR + 200);
	assert_memory_equal(vg_ptr(&f->g, RX_AT(0) + HDR), f->frame, 200);
	assert_int_equal(*buffers, 1); /* 5.1.6.1: also without the feature */
	virtio_net_get_stats(f->g.dev, &st);
	assert_int_equal(st.tx_frames, 1);
	assert_int_equal(st.rx_frames, 1);
	assert_int_equal(st.rx_bytes, 200);
}

/* One frame over several buffers; num_buffers says how many. */
static void test_mergeable(void **state)
{
	struct fixture *f = *state;

	create_loopback(f);
	vg_bring_up(&f->g, MRG, 2);
	post_rx(f, 128, 4);
	fill(f->frame, 300, 2);
	send_frame(f, f->frame, 300);
	assert_int_equal(vg_wait_used(&f->g, RX, NULL), 128);
	assert_int_equal(vg_wait_used(&f->g, RX, NULL), 128);
	assert_int_equal(vg_wait_used(&f->g, RX, NULL), 312 - 256);
	assert_int_equal(*(u16 *)vg_ptr(&f->g, RX_AT(0) + 10), 3);
	assert_memory_equal(vg_ptr(&f->g, RX_AT(0) + HDR), f->frame, 116);
	assert_memory_equal(vg_ptr(&f->g, RX_AT(1)), f->frame + 116, 128);
	assert_memory_equal(vg_ptr(&f->g, RX_AT(2)), f->frame + 244, 56);
	vg_settle();
	assert_int_equal(vg_used_idx(&f->g.q[RX]), 3);
}

/* Too few buffers: nothing is used up, the sender waits, and more buffers set it going. */
static void test_starved(void **state)
{
	struct fixture *f = *state;

	create_loopback(f);
	vg_bring_up(&f->g, MRG | BIT(VIRTIO_RING_F_EVENT_IDX), 2);
	post_rx(f, 128, 2);
	fill(f->frame, 300, 3);
	send_frame(f, f->frame, 300);
	vg_settle();
	assert_int_equal(vg_used_idx(&f->g.q[RX]), 0);
	assert_int_equal(vg_used_idx(&f->g.q[TX]), 0);
	/* The device asks to be kicked for the next one, not for those it has seen. */
	assert_int_equal(__atomic_load_n(&f->g.q[RX].used[2 + 4 * VG_QSIZE], __ATOMIC_RELAXED), 2);
	post_rx(f, 128, 1);
	vg_wait_used(&f->g, RX, NULL);
	vg_wait_used(&f->g, TX, NULL);
	assert_int_equal(*(u16 *)vg_ptr(&f->g, RX_AT(0) + 10), 3);
}

/* Frames that can never fit are dropped, without a buffer being used up. */
static void test_never_fits(void **state)
{
	struct fixture *f = *state;
	struct virtio_net_stats st;

	create_loopback(f);
	vg_bring_up(&f->g, 0, 2); /* not mergeable: one buffer must do */
	post_rx(f, 128, 4);
	send_frame(f, f->frame, 300);
	vg_wait_used(&f->g, TX, NULL);
	vg_settle();
	assert_int_equal(vg_used_idx(&f->g.q[RX]), 0);
	send_frame(f, f->frame, 100);
	assert_int_equal(vg_wait_used(&f->g, RX, NULL), 112);
	virtio_net_get_stats(f->g.dev, &st);
	assert_int_equal(st.rx_dropped, 1);
	/* Mergeable, but the first buffer does not even hold the header. */
	vg_bring_up(&f->g, MRG, 2);
	post_rx(f, 8, 10);
	send_frame(f, f->frame, 60);
	vg_wait_used(&f->g, TX, NULL);
	assert_int_equal(vg_used_idx(&f->g.q[RX]), 0);
}

static void test_tx_hostile(void **state)
{
	struct fixture *f = *state;
	struct vg_seg brief = {TX_AT, HDR - 1, false};
	struct vg_seg tiny[] = {{TX_AT, HDR, false}, {TX_AT + HDR, 13, false}};
	struct vg_seg huge[] = {{TX_AT, HDR, false}, {TX_AT + HDR, 65550, false}};
	struct vg_seg writable = {TX_AT, 2000, true};
	struct virtio_net_stats st;
	struct virtio_net_hdr_v1 gso = {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1448};

	create_loopback(f);
	vg_bring_up(&f->g, MRG, 2);
	post_rx(f, 4096, 4);
	vg_submit(&f->g, TX, tiny, 2); /* dropped */
	vg_wait_used(&f->g, TX, NULL);
	vg_submit(&f->g, TX, huge, 2);
	vg_wait_used(&f->g, TX, NULL);
	/* An offload that was not negotiated. */
	tiny[1].len = 100;
	memcpy(vg_ptr(&f->g, TX_AT), &gso, sizeof(gso));
	vg_submit(&f->g, TX, tiny, 2);
	vg_wait_used(&f->g, TX, NULL);
	virtio_net_get_stats(f->g.dev, &st);
	assert_int_equal(st.tx_dropped, 3);
	assert_int_equal(vg_used_idx(&f->g.q[RX]), 0);
	/* A checksum to be filled in that was not negotiated: the request is taken out of the
	 * header. */
	gso = (struct virtio_net_hdr_v1){.flags = 0xff, .csum_start = 14, .csum_offset = 0xffff};
	memcpy(vg_ptr(&f->g, TX_AT), &gso, sizeof(gso));
	vg_submit(&f->g, TX, tiny, 2);
	vg_wait_used(&f->g, TX, NULL);
	vg_wait_used(&f->g, RX, NULL);
	memset(&gso, 0, sizeof(gso));
	gso.num_buffers = 1;
	assert_memory_equal(vg_ptr(&f->g, RX_AT(0)), &gso, sizeof(gso));
	vg_submit(&f->g, TX, &brief, 1);
	vg_wait_broken(&f->g);
	vg_bring_up(&f->g, MRG, 2);
	vg_submit(&f->g, TX, &writable, 1);
	vg_wait_broken(&f->g);
}

static void test_reset_while_starved(void **state)
{
	struct fixture *f = *state;

	create_loopback(f);
	for (unsigned i = 0; i < 20; i++) {
		vg_bring_up(&f->g, MRG, 2);
		send_frame(f, f->frame, 100);
		send_frame(f, f->frame, 100);
		if (i % 2)
			vg_settle();
	}
	vg_bring_up(&f->g, MRG, 2);
	post_rx(f, 2048, 2);
	send_frame(f, f->frame, 100);
	vg_wait_used(&f->g, RX, NULL);
}

static void test_link(void **state)
{
	struct fixture *f = *state;

	create_loopback(f);
	vg_bring_up(&f->g, 0, 2);
	post_rx(f, 2048, 2);
	virtio_net_set_link(f->g.dev, false);
	assert_int_equal(vg_config(&f->g, 6, 2), 0);
	assert_true(vg_read(&f->g, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG);
	send_frame(f, f->frame, 100);
	vg_wait_used(&f->g, TX, NULL);
	assert_int_equal(vg_used_idx(&f->g.q[RX]), 0);
	virtio_net_set_link(f->g.dev, true);
	send_frame(f, f->frame, 100);
	vg_wait_used(&f->g, RX, NULL);
}

/* --- tap -------------------------------------------------------------------------------------- */

/* Makes a tap and brings it up; -1 where this user may not. */
static int open_tap(char *name, int flags)
{
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TAP | flags)};
	int fd = open("/dev/net/tun", O_RDWR), s;

	if (fd < 0)
		return -1;
	strcpy(ifr.ifr_name, "armtest%d");
	if (ioctl(fd, TUNSETIFF, &ifr)) {
		close(fd);
		return -1;
	}
	strcpy(name, ifr.ifr_name);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	ifr.ifr_flags = IFF_UP | IFF_RUNNING | IFF_NOARP;
	assert_int_equal(ioctl(s, SIOCSIFFLAGS, &ifr), 0);
	close(s);
	return fd;
}

/* A packet socket sees what the host sees of the interface. */
static int open_packet(const char *ifname)
{
	struct {
		u16 family, protocol;
		int index;
		u8 rest[12];
	} sa = {AF_PACKET, htons(0x88b5), (int)if_nametoindex(ifname), {0}};
	int fd = socket(AF_PACKET, SOCK_RAW, htons(0x88b5)); /* local experimental */

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void tap_exchange(struct fixture *f, int packet)
{
	u8 buf[2048];
	struct pollfd p = {.fd = packet, .events = POLLIN};

	fill(f->frame, 500, 9);
	put_eth(f->frame, 0x88b5);
	send_frame(f, f->frame, 500);
	vg_wait_used(&f->g, TX, NULL);
	assert_int_equal(poll(&p, 1, 3000), 1);
	assert_int_equal(recv(packet, buf, sizeof(buf), 0), 500);
	assert_memory_equal(buf, f->frame, 500);
	/* The other way; IPv6 neighbour discovery of the host may come first. */
	f->frame[20] ^= 1;
	assert_int_equal(send(packet, f->frame, 400, 0), 400);
	for (;;) {
		unsigned at = f->g.q[RX].seen % VG_QSIZE;
		u32 n = vg_wait_used(&f->g, RX, NULL);

		if (n == HDR + 400 && !memcmp(vg_ptr(&f->g, RX_AT(at) + HDR), f->frame, 400))
			return;
		post_rx(f, 2048, 1);
	}
}

static void tap_test(struct fixture *f, int flags, bool vnet)
{
	char name[IFNAMSIZ];
	struct net_tap_params p = {.fd = open_tap(name, flags)};
	struct net_backend *nb;
	const char *err = "";
	int packet;

	if (p.fd < 0)
		skip(); /* needs CAP_NET_ADMIN and /dev/net/tun */
	packet = open_packet(name);
	if (net_tap_create(&p, &nb, &err))
		fail_msg("tap: %s", err);
	create(f, nb);
	assert_int_equal(!!(vg_features(&f->g) & BIT(VIRTIO_NET_F_HOST_TSO4)), vnet);
	assert_int_equal(!!(vg_features(&f->g) & BIT(VIRTIO_NET_F_GUEST_CSUM)), vnet);
	vg_bring_up(&f->g,
		    MRG | (vnet ? BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) |
					   BIT(VIRTIO_NET_F_GUEST_TSO4)
				: 0),
		    2);
	post_rx(f, 2048, 8);
	tap_exchange(f, packet);
	/* No buffers: the host's frames wait and are not lost while the queue of the tap has room.
	 */
	vg_bring_up(&f->g, MRG, 2);
	vg_settle();
	f->frame[20] = 0x77;
	assert_int_equal(send(packet, f->frame, 300, 0), 300);
	vg_settle();
	post_rx(f, 2048, 8);
	for (;;) {
		unsigned at = f->g.q[RX].seen % VG_QSIZE;

		if (vg_wait_used(&f->g, RX, NULL) == HDR + 300 &&
		    !memcmp(vg_ptr(&f->g, RX_AT(at) + HDR), f->frame, 300))
			break;
		post_rx(f, 2048, 1);
	}
	close(packet);
}

static void test_tap_vnet(void **state)
{
	tap_test(*state, IFF_NO_PI | IFF_VNET_HDR, true);
}

static void test_tap_plain(void **state)
{
	tap_test(*state, IFF_NO_PI, false);
}

/* The host deletes the interface: the guest loses its link, and the thread does not spin. */
static void test_tap_deleted(void **state)
{
	struct fixture *f = *state;
	char name[IFNAMSIZ];
	struct net_tap_params p = {.fd = open_tap(name, IFF_NO_PI)};
	struct {
		struct nlmsghdr h;
		struct ifinfomsg link;
	} del = {.h = {.nlmsg_len = sizeof(del),
		       .nlmsg_type = RTM_DELLINK,
		       .nlmsg_flags = NLM_F_REQUEST}};
	struct net_backend *nb;
	const char *err = "";
	int s;

	if (p.fd < 0)
		skip(); /* needs CAP_NET_ADMIN and /dev/net/tun */
	if (net_tap_create(&p, &nb, &err))
		fail_msg("tap: %s", err);
	create(f, nb);
	vg_bring_up(&f->g, MRG, 2);
	del.link.ifi_index = (int)if_nametoindex(name);
	s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	assert_int_equal(send(s, &del, sizeof(del), 0), sizeof(del));
	close(s);
	for (int i = 0; i < 200 && vg_config(&f->g, 6, 2); i++)
		vg_settle();
	assert_int_equal(vg_config(&f->g, 6, 2), 0);
	send_frame(f, f->frame, 100);
	vg_wait_used(&f->g, TX, NULL);
}

static void test_tap_errors(void **state)
{
	struct net_tap_params p = {.fd = -1, .ifname = "a-name-that-is-too-long"};
	struct net_backend *nb;
	const char *err;

	assert_int_equal(net_tap_create(&p, &nb, &err), -EINVAL);
	p.fd = open("/dev/null", O_RDWR);
	assert_int_equal(net_tap_create(&p, &nb, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_config),
		T(test_loopback),
		T(test_mergeable),
		T(test_starved),
		T(test_never_fits),
		T(test_tx_hostile),
		T(test_reset_while_starved),
		T(test_link),
		T(test_tap_vnet),
		T(test_tap_plain),
		T(test_tap_deleted),
		T(test_tap_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

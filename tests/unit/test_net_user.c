/* SPDX-License-Identifier: MIT */
/* User-mode network: virtio-net on libslirp, driven by just enough of a guest's network stack. */
#include "tests/unit/net_guest.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define GUEST_IP  0x0a00020f
#define ROUTER_IP 0x0a000202

static void create_user(struct fixture *f, struct net_user_params p)
{
	struct net_backend *nb;
	const char *err = "";

	if (net_user_create(&p, &nb, &err))
		fail_msg("user: %s", err);
	create(f, nb);
	vg_bring_up(&f->g, MRG | BIT(VIRTIO_RING_F_EVENT_IDX), 2);
	post_rx(f, 2048, VG_QSIZE);
}

static void put16(u8 *p, unsigned v)
{
	p[0] = (u8)(v >> 8);
	p[1] = (u8)v;
}

static void put32(u8 *p, u32 v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static u32 get32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static u16 sum(const u8 *p, unsigned len, u32 acc)
{
	for (unsigned i = 0; i < len; i++)
		acc += i % 2 ? p[i] : (u32)p[i] << 8;
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	return (u16)~acc;
}

/* Ethernet and IPv4 in front of `len` bytes already at frame + 34; sends it. */
static void send_ip(struct fixture *f, u8 proto, u32 dst, unsigned len)
{
	u8 *ip = f->frame + 14;

	put_eth(f->frame, 0x0800);
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, 20 + len);
	ip[8] = 64;
	ip[9] = proto;
	put32(ip + 12, GUEST_IP);
	put32(ip + 16, dst);
	put16(ip + 10, sum(ip, 20, 0));
	send_frame(f, f->frame, 34 + len < 60 ? 60 : 34 + len);
	vg_wait_used(&f->g, TX, NULL);
}

static void send_arp(struct fixture *f)
{
	u8 *a = f->frame + 14;

	put_eth(f->frame, 0x0806);
	memset(a, 0, 46);
	put16(a, 1);
	put16(a + 2, 0x800);
	a[4] = 6;
	a[5] = 4;
	put16(a + 6, 1);
	memcpy(a + 8, our_mac, 6);
	put32(a + 14, GUEST_IP);
	put32(a + 24, ROUTER_IP);
	send_frame(f, f->frame, 60);
	vg_wait_used(&f->g, TX, NULL);
}

/* Next frame to the guest, copied out and its buffer given back. */
static const u8 *next_frame(struct fixture *f, u32 *len)
{
	static u8 copy[2048];
	u32 id;

	*len = vg_wait_used(&f->g, RX, &id) - HDR;
	memcpy(copy, vg_ptr(&f->g, RX_AT(id) + HDR), *len);
	post_rx(f, 2048, 1);
	return copy;
}

/* Skips all but IPv4 of the wanted protocol; answers ARP requests, as libslirp asks who we are. */
static const u8 *next_ip(struct fixture *f, u8 proto)
{
	for (;;) {
		u32 len;
		const u8 *p = next_frame(f, &len);

		if (p[12] == 8 && p[13] == 0 && p[14 + 9] == proto)
			return p + 14;
		if (p[12] == 8 && p[13] == 6 && p[14 + 7] == 1)
			send_arp(f); /* our request tells our address, which will do */
	}
}

struct tcp {
	u16 sport, dport;
	u32 seq, ack;
};

static void send_tcp(struct fixture *f, struct tcp *t, u8 flags, const char *data)
{
	u8 *p = f->frame + 34, pseudo[12] = {0};
	unsigned len = (unsigned)strlen(data);
	u32 acc;

	memset(p, 0, 20);
	put16(p, t->sport);
	put16(p + 2, t->dport);
	put32(p + 4, t->seq);
	put32(p + 8, t->ack);
	p[12] = 5 << 4;
	p[13] = flags;
	put16(p + 14, 0x4000);
	memcpy(p + 20, data, len);
	put32(pseudo, GUEST_IP);
	put32(pseudo + 4, ROUTER_IP);
	pseudo[9] = 6;
	put16(pseudo + 10, 20 + len);
	acc = (u16)~sum(pseudo, 12, 0);
	put16(p + 16, sum(p, 20 + len, acc));
	t->seq += len + (flags & 3 ? 1 : 0); /* FIN and SYN count */
	send_ip(f, 6, ROUTER_IP, 20 + len);
}

/* Waits for a segment with the flags, or with data (want = 8, PSH). Its data in `data`. */
static void wait_tcp(struct fixture *f, struct tcp *t, u8 want, char *data)
{
	for (;;) {
		const u8 *ip = next_ip(f, 6), *p = ip + 20;
		unsigned total = (unsigned)ip[2] << 8 | ip[3];
		unsigned off = (p[12] >> 4) * 4u, len = total - 20 - off;

		if ((p[13] & want) != want)
			continue;
		t->sport = (u16)(p[2] << 8 | p[3]);
		t->dport = (u16)(p[0] << 8 | p[1]);
		t->ack = get32(p + 4) + len + (p[13] & 3 ? 1 : 0);
		if (data) {
			memcpy(data, p + off, len);
			data[len] = 0;
		}
		return;
	}
}

static void test_user_arp_and_ping(void **state)
{
	struct fixture *f = *state;
	const u8 *p;
	u32 len;

	create_user(f, (struct net_user_params){0});
	send_arp(f);
	p = next_frame(f, &len);
	assert_int_equal(p[13], 6);
	assert_int_equal(p[14 + 7], 2);
	assert_int_equal(get32(p + 14 + 14), ROUTER_IP);
	memset(f->frame + 34, 0, 40);
	f->frame[34] = 8; /* echo request */
	put16(f->frame + 38, 77);
	memcpy(f->frame + 42, "ping", 4);
	put16(f->frame + 36, sum(f->frame + 34, 12, 0));
	send_ip(f, 1, ROUTER_IP, 12);
	p = next_ip(f, 1) + 20;
	assert_int_equal(p[0], 0);
	assert_memory_equal(p + 8, "ping", 4);
}

/* Beyond the router: what the host refuses (raw and ping sockets mostly) must not need more rights.
 */
static void test_user_ping_beyond(void **state)
{
	struct fixture *f = *state;
	static const u32 where[] = {0xc0000201, 0x7f000001, 0xe0000001, 0xffffffff, 0};

	create_user(f, (struct net_user_params){0});
	send_arp(f);
	for (size_t i = 0; i < ARRAY_SIZE(where); i++) {
		memset(f->frame + 34, 0, 40);
		f->frame[34] = 8;
		put16(f->frame + 36, sum(f->frame + 34, 12, 0));
		send_ip(f, 1, where[i], 12);
	}
	vg_settle();
	assert_int_equal(vg_read(&f->g, VIRTIO_MMIO_STATUS), 15);
}

static void test_user_dhcp(void **state)
{
	struct fixture *f = *state;
	u8 *d = f->frame + 42;
	const u8 *p;

	create_user(f, (struct net_user_params){.hostname = "armature"});
	memset(f->frame + 34, 0, 400);
	put16(f->frame + 34, 68);
	put16(f->frame + 36, 67);
	put16(f->frame + 38, 8 + 300);
	d[0] = 1;
	d[1] = 1;
	d[2] = 6;
	put32(d + 4, 0x1234);
	memcpy(d + 28, our_mac, 6);
	put32(d + 236, 0x63825363);
	d[240] = 53; /* DISCOVER */
	d[241] = 1;
	d[242] = 1;
	d[243] = 255;
	send_ip(f, 17, 0xffffffff, 8 + 300);
	p = next_ip(f, 17) + 28;
	assert_int_equal(p[0], 2);
	assert_int_equal(get32(p + 4), 0x1234);
	assert_int_equal(get32(p + 16), GUEST_IP);
}

static int listen_on_loopback(u16 *port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	*port = ntohs(sa.sin_port);
	return fd;
}

/* The guest connects to `server` on the host's loopback (10.0.2.2): the server's end. */
static int connect_out(struct fixture *f, struct tcp *t, int server)
{
	int peer;

	create_user(f, (struct net_user_params){0});
	send_arp(f);
	send_tcp(f, t, 2, "");
	wait_tcp(f, t, 0x12, NULL);
	send_tcp(f, t, 0x10, "");
	peer = accept(server, NULL, NULL);
	assert_true(peer >= 0);
	return peer;
}

/* The guest connects, asks, is answered, hangs up. */
static void test_user_tcp_out(void **state)
{
	struct fixture *f = *state;
	struct tcp t = {.sport = 40000, .seq = 1000};
	char buf[64] = "", data[2048];
	int server = listen_on_loopback(&t.dport), peer;

	peer = connect_out(f, &t, server);
	send_tcp(f, &t, 0x18, "GET /");
	assert_int_equal(recv(peer, buf, sizeof(buf), 0), 5);
	assert_string_equal(buf, "GET /");
	assert_int_equal(send(peer, "200 OK", 6, 0), 6);
	wait_tcp(f, &t, 8, data);
	assert_string_equal(data, "200 OK");
	send_tcp(f, &t, 0x10, "");
	close(peer);
	wait_tcp(f, &t, 1, NULL);
	send_tcp(f, &t, 0x11, "");
	close(server);
}

/* A refused connection comes back as a reset. */
static void test_user_tcp_refused(void **state)
{
	struct fixture *f = *state;
	struct tcp t = {.sport = 40001, .seq = 1000};
	int server = listen_on_loopback(&t.dport);

	close(server);
	create_user(f, (struct net_user_params){0});
	send_arp(f);
	send_tcp(f, &t, 2, "");
	wait_tcp(f, &t, 4, NULL);
}

/* The host connects to a forwarded port: the guest is the server. */
static void test_user_forward(void **state)
{
	struct fixture *f = *state;
	struct net_user_params p = {.nforwards = 1, .forward = {{.guest_port = 22}}};
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct tcp t = {.seq = 5000};
	char data[2048], buf[16] = "";
	int s = listen_on_loopback(&p.forward[0].host_port), fd;

	close(s); /* a free port, most likely still when libslirp takes it */
	create_user(f, p);
	send_arp(f);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	sa.sin_port = htons(p.forward[0].host_port);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	wait_tcp(f, &t, 2, NULL);
	assert_int_equal(t.sport, 22);
	send_tcp(f, &t, 0x12, "");
	assert_int_equal(send(fd, "hello", 5, 0), 5);
	wait_tcp(f, &t, 8, data);
	assert_string_equal(data, "hello");
	send_tcp(f, &t, 0x18, "SSH-2.0");
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), 7);
	assert_string_equal(buf, "SSH-2.0");
	close(fd);
}

/* A datagram to a name server: libslirp reads resolv.conf and opens a socket, all inside the
 * sandbox. */
static void test_user_udp_and_dns(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	const u8 *p;
	char buf[16] = "";

	assert_int_equal(bind(s, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(getsockname(s, (struct sockaddr *)&sa, &len), 0);
	create_user(f, (struct net_user_params){0});
	send_arp(f);
	memset(f->frame + 34, 0, 100);
	put16(f->frame + 34, 5353);
	put16(f->frame + 36, 53);
	put16(f->frame + 38, 8 + 12);
	send_ip(f, 17, 0x0a000203, 8 + 12);
	memset(f->frame + 34, 0, 100);
	put16(f->frame + 34, 7777);
	put16(f->frame + 36, ntohs(sa.sin_port));
	put16(f->frame + 38, 8 + 4);
	memcpy(f->frame + 42, "ping", 4);
	send_ip(f, 17, ROUTER_IP, 8 + 4);
	len = sizeof(sa);
	assert_int_equal(recvfrom(s, buf, sizeof(buf), 0, (struct sockaddr *)&sa, &len), 4);
	assert_string_equal(buf, "ping");
	assert_int_equal(sendto(s, "pong", 4, 0, (struct sockaddr *)&sa, len), 4);
	do
		p = next_ip(f, 17) + 20;
	while (p[2] << 8 != (7777 & 0xff00)); /* an answer about the name may come first */
	assert_memory_equal(p + 8, "pong", 4);
	close(s);
}

/* More than the guest has buffers for: held back, and delivered when there are some. */
static void test_user_backlog(void **state)
{
	struct fixture *f = *state;
	struct tcp t = {.sport = 40000, .seq = 1000};
	static char blob[8000], got[8000];
	int server = listen_on_loopback(&t.dport), peer;
	size_t n = 0;

	peer = connect_out(f, &t, server);
	for (size_t i = 0; i < sizeof(blob); i++)
		blob[i] = (char)('a' + i % 26);
	vg_bring_up(&f->g, MRG | BIT(VIRTIO_RING_F_EVENT_IDX), 2); /* no buffers now */
	assert_int_equal(send(peer, blob, sizeof(blob), 0), sizeof(blob));
	vg_settle();
	post_rx(f, 2048, 2);
	while (n < sizeof(blob)) {
		const u8 *ip = next_ip(f, 6), *p = ip + 20;
		unsigned off = (p[12] >> 4) * 4u;
		unsigned len = ((unsigned)ip[2] << 8 | ip[3]) - 20 - off;

		if (!len || get32(p + 4) != t.ack)
			continue; /* an old one again */
		memcpy(got + n, p + off, len);
		n += len;
		t.ack += len;
		send_tcp(f, &t, 0x10, "");
	}
	assert_memory_equal(got, blob, sizeof(blob));
	close(peer);
	close(server);
}

/* Garbage of every length, as libslirp would get it from a hostile guest. */
static void test_user_garbage(void **state)
{
	struct fixture *f = *state;
	u32 x = 12345, len;

	create_user(f, (struct net_user_params){0});
	for (unsigned i = 0; i < 3000; i++) {
		u32 n = 14 + i % 1500;

		for (u32 k = 0; k < n; k++) {
			x = x * 1664525 + 1013904223;
			f->frame[k] = (u8)(x >> 24);
		}
		put_eth(f->frame, i % 3 ? 0x0800 : 0x0806);
		if (i % 3 && n > 34) {
			f->frame[14] = 0x45;
			f->frame[23] = (u8)(i % 4 == 0 ? 1 : i % 4 == 1 ? 6 : 17);
			put16(f->frame + 16, n - 14);
			put32(f->frame + 30, ROUTER_IP);
			put16(f->frame + 24, 0);
			put16(f->frame + 24, sum(f->frame + 14, 20, 0));
		}
		send_frame(f, f->frame, n);
		vg_wait_used(&f->g, TX, NULL);
		while (vg_has_used(&f->g, &f->g.q[RX]))
			next_frame(f, &len);
	}
	send_arp(f);
	while (next_frame(f, &len)[14 + 7] != 2)
		;
}

static int create_user_process(struct fixture *f)
{
	struct net_user_params p = {0};
	struct net_backend *nb;
	const char *err = "";
	int pid;

	if (net_user_create(&p, &nb, &err))
		fail_msg("user: %s", err);
	create(f, nb);
	while (!(pid = net_user_pid(nb)))
		vg_settle();
	return pid;
}

/* libslirp's process dies: the guest loses its link, and that is all. */
static void test_user_process_dies(void **state)
{
	struct fixture *f = *state;
	int pid = create_user_process(f);

	vg_bring_up(&f->g, MRG, 2);
	post_rx(f, 2048, 4);
	send_arp(f);
	vg_wait_used(&f->g, RX, NULL);
	assert_int_equal(kill(pid, SIGKILL), 0);
	for (int i = 0; i < 200 && vg_config(&f->g, 6, 2); i++)
		vg_settle();
	assert_int_equal(vg_config(&f->g, 6, 2), 0);
	assert_true(vg_read(&f->g, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG);
	for (int i = 0; i < 5; i++)
		send_arp(f); /* into the void */
	vg_bring_up(&f->g, MRG, 2);
	send_arp(f);
	assert_int_equal(vg_read(&f->g, VIRTIO_MMIO_STATUS), 15);
}

/* It must not outlive the device. */
static void test_user_process_ends(void **state)
{
	struct fixture *f = *state;
	int pid = create_user_process(f);

	assert_int_equal(kill(pid, 0), 0);
	f->g.dev->ops->destroy(f->g.dev);
	f->g.dev = NULL;
	for (int i = 0; i < 100 && !kill(pid, 0); i++)
		vg_settle();
	assert_int_equal(kill(pid, 0), -1);
}

static void test_user_errors(void **state)
{
	struct fixture *f = *state;
	struct net_user_params p = {.nforwards = 1, .forward = {{.guest_port = 22}}};
	struct virtio_net_params np = {.id = "net0", .mac = {2}, .sandbox = VG_SANDBOX};
	struct net_backend *nb;
	struct device *dev;
	const char *err;
	int s = listen_on_loopback(&p.forward[0].host_port);

	assert_int_equal(net_user_create(&p, &np.backend, &err), 0);
	assert_int_equal(virtio_net_create(&np, &f->g.mem, &f->g.irq, &dev, &err), -EADDRINUSE);
	assert_non_null(strstr(err, "forwarded port"));
	close(s);
	p.forward[0].host_addr = "1.2.3";
	p.forward[0].guest_addr = "nonsense";
	assert_int_equal(net_user_create(&p, &nb, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_user_arp_and_ping), T(test_user_ping_beyond),  T(test_user_dhcp),
		T(test_user_tcp_out),	   T(test_user_tcp_refused),  T(test_user_forward),
		T(test_user_udp_and_dns),  T(test_user_backlog),      T(test_user_garbage),
		T(test_user_process_dies), T(test_user_process_ends), T(test_user_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Whole devices under a hostile driver. The input is a program: writes and reads of registers with
 * any width and value at any time (also of queue registers after DRIVER_OK), bytes into guest
 * memory, kicks, resets, and snapshot records. The device runs without its thread, when the program
 * says so.
 */
#include <fcntl.h>
#include <linux/virtio_mmio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/virtio/blk.h"
#include "devices/virtio/console.h"
#include "devices/virtio/net.h"
#include "devices/virtio/rng.h"
#include "devices/virtio/virtio.h"

#define BASE  0x40000000ull
#define SIZE  0x20000ull
#define RINGS 0x4000u /* guest memory a queue */

struct input {
	const u8 *p;
	size_t n;
};

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

static u32 take(struct input *in, unsigned bytes)
{
	u32 v = 0;

	for (unsigned i = 0; i < bytes && in->n; i++, in->n--)
		v |= (u32)*in->p++ << (8 * i);
	return v;
}

static struct guest_mem mem;

static void set_irq(void *opaque, unsigned n, bool level)
{
}

static void make_disk(char *path, size_t cap)
{
	static u8 sector[512] = "disk";
	int fd = memfd_create("disk", 0);

	for (int i = 0; i < 64; i++)
		if (write(fd, sector, sizeof(sector)) < 0)
			abort();
	snprintf(path, cap, "/proc/self/fd/%d", fd); /* stays open, one a kind */
}

/* Each kind is made once; a reset must do for what the last input left behind. */
static struct device *create(u8 kind)
{
	static const struct irq_line irq = {.set = set_irq};
	char path[64] = "";
	struct virtio_blk_params blk = {.id = "blk", .path = path, .num_queues = 1 + kind / 8 % 3};
	struct virtio_net_params net = {.id = "net", .mac = {2}};
	struct virtio_rng_params rng = {.id = "rng"};
	struct virtio_console_params con = {.id = "con",
					    .multiport = kind & 8,
					    .nports = kind & 8 ? 3 : 1,
					    .port = {{"none", NULL}, {"none", "a"}, {"none", "b"}}};
	struct device *dev = NULL;
	const char *err;
	int ret = -1;

	worker_threadless = true;
	switch (kind % 5) {
	case 0:
		make_disk(path, sizeof(path));
		blk.readonly = kind & 64;
		ret = virtio_blk_create(&blk, &mem, &irq, &dev, &err);
		break;
	case 1:
		if (!net_loopback_create(&net.backend, &err))
			ret = virtio_net_create(&net, &mem, &irq, &dev, &err);
		break;
	case 2:
		if (!net_none_create(&net.backend, &err))
			ret = virtio_net_create(&net, &mem, &irq, &dev, &err);
		break;
	case 3: ret = virtio_console_create(&con, &mem, &irq, &dev, &err); break;
	default: ret = virtio_rng_create(&rng, &mem, &irq, &dev, &err); break;
	}
	if (ret)
		abort();
	return dev;
}

static struct device *fresh(u8 kind)
{
	static struct device *devs[256];

	if (!devs[kind])
		devs[kind] = create(kind);
	devs[kind]->ops->reset(devs[kind]);
	return devs[kind];
}

static void wr(struct device *dev, u32 reg, u32 val)
{
	dev->ops->mmio_write(dev, reg, 4, val);
}

/* What a good driver does, so that the input need not find it byte by byte. */
static void bring_up(struct device *dev, u32 features, u32 size)
{
	wr(dev, VIRTIO_MMIO_STATUS, 0);
	wr(dev, VIRTIO_MMIO_STATUS, 3);
	wr(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	wr(dev, VIRTIO_MMIO_DRIVER_FEATURES, features & (u32)virtio_from_device(dev)->features);
	wr(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	wr(dev, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	wr(dev, VIRTIO_MMIO_STATUS, 11);
	for (u32 q = 0; q < 6; q++) {
		u32 at = (u32)BASE + q * RINGS;

		wr(dev, VIRTIO_MMIO_QUEUE_SEL, q);
		wr(dev, VIRTIO_MMIO_QUEUE_NUM, size);
		wr(dev, VIRTIO_MMIO_QUEUE_DESC_LOW, at);
		wr(dev, VIRTIO_MMIO_QUEUE_AVAIL_LOW, at + 0x1000);
		wr(dev, VIRTIO_MMIO_QUEUE_USED_LOW, at + 0x2000);
		wr(dev, VIRTIO_MMIO_QUEUE_READY, 1);
	}
	wr(dev, VIRTIO_MMIO_STATUS, 15);
}

/* A chain of up to 8 buffers made available on queue q; lengths, flags and addresses from the
 * input. */
static void add_chain(struct input *in, u32 q)
{
	u8 *ring = mem.region[0].host + q % 6 * RINGS;
	u16 *avail = (u16 *)(void *)(ring + 0x1000);
	u32 n = 1 + take(in, 1) % 8;

	for (u32 i = 0; i < n; i++) {
		u32 v = take(in, 4);
		struct {
			u64 addr;
			u32 len;
			u16 flags, next;
		} d = {.addr = BASE + (v & 0x1ffff),
		       .len = v >> 17 & 0x7ff,
		       .flags = (u16)(v >> 30 << 1 | (i + 1 < n)),
		       .next = (u16)(i + 1)};

		if ((v >> 28 & 3) == 3)
			d.len <<= 9;
		memcpy(ring + i * sizeof(d), &d, sizeof(d));
	}
	avail[2 + avail[1] % 16] = 0;
	avail[1]++;
}

static void load(struct device *dev, struct input *in)
{
	static u8 record[4096 + 65536];
	ssize_t n = dev->ops->save(dev, record, sizeof(record));

	if (n <= 0)
		return;
	for (u32 edits = take(in, 1) % 8; edits; edits--) {
		u32 at = take(in, 2);

		record[at % (u32)n] ^= (u8)take(in, 1);
	}
	dev->ops->load(dev, virtio_from_device(dev)->cls->version, record, (size_t)n);
}

static void step(struct device *dev, struct input *in)
{
	static const u8 sizes[] = {1, 2, 4, 8, 4, 4, 4, 4};
	u8 op = (u8)take(in, 1);
	u32 a, b;
	u64 val;

	switch (op % 8) {
	case 0:
		a = take(in, 1) * 2;
		dev->ops->mmio_write(dev, a, sizes[op >> 3 & 7], take(in, 4));
		break;
	case 1:
		a = take(in, 1) * 2;
		dev->ops->mmio_read(dev, a, sizes[op >> 3 & 7], &val);
		break;
	case 2:
		a = take(in, 3) % (u32)SIZE;
		for (b = op >> 3; b && in->n; b--)
			mem.region[0].host[a++ % SIZE] = (u8)take(in, 1);
		break;
	case 3:
		a = take(in, 2);
		bring_up(dev, a << 28 | a << 3 | (a >> 12), 1u << (op >> 3 & 15));
		break;
	case 4:
		add_chain(in, op >> 3);
		wr(dev, VIRTIO_MMIO_QUEUE_NOTIFY, op >> 3);
		break;
	case 5: wr(dev, VIRTIO_MMIO_STATUS, take(in, 1)); break;
	case 6: load(dev, in); break;
	default: worker_step(&virtio_from_device(dev)->worker); break;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct input in = {data, len};
	struct device *dev;

	if (!mem.n) {
		if (guest_mem_add(&mem, GPA(BASE), SIZE) || !freopen("/dev/null", "w", stdout))
			abort();
	}
	memset(mem.region[0].host, 0, SIZE);
	dev = fresh((u8)(take(&in, 1) % 80));
	while (in.n)
		step(dev, &in);
	worker_step(&virtio_from_device(dev)->worker);
	return 0;
}

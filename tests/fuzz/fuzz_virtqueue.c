/* SPDX-License-Identifier: MIT */
/*
 * A virtqueue whose guest memory is the fuzzer's input: pop until empty, touch every byte of every
 * buffer, push, publish, signal; and in between a byte of guest memory changes, as it may. Whatever
 * the rings say, each buffer must lie in guest RAM and the device must come to an end.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "devices/virtio/queue.h"

#define BASE 0x40000000ull
#define SIZE 0x4000ull

struct input {
	u8 size_shift, features, rings;
	u8 desc_at, avail_at, used_at;
};

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

static void check(const struct guest_mem *mem, const struct virtq_chain *c)
{
	u8 *lo = mem->region[0].host, *hi = lo + SIZE;
	u64 total[2] = {0, 0};

	for (unsigned i = 0; i < c->nread + c->nwrite; i++) {
		u8 *p = c->iov[i].iov_base;

		if (p < lo || p > hi || c->iov[i].iov_len > (size_t)(hi - p))
			abort();
		total[i >= c->nread] += c->iov[i].iov_len;
	}
	if (total[0] != c->read_len || total[1] != c->write_len)
		abort();
}

static void serve(struct virtq *vq, const struct guest_mem *mem, const u8 *data, size_t len)
{
	static struct virtq_chain c;
	u8 buf[4096];
	struct iovec iov[8];
	unsigned n;

	for (n = 0; virtq_pop(vq, &c) == 1; n++) {
		check(mem, &c);
		for (size_t off = 0; off < c.read_len; off += sizeof(buf))
			virtq_read(&c, off, buf, sizeof(buf));
		virtq_slice(&c, true, 1, c.write_len / 2, iov, 8);
		/* The guest changes its mind, and its rings, while we hold the chain. */
		if (len) {
			mem->region[0].host[(data[n % len] * 257u + n) % SIZE] ^= data[n % len];
			check(mem, &c);
		}
		virtq_write(&c, 0, data, len < c.write_len ? len : c.write_len);
		if (n % 7 == 3) {
			virtq_unpop(vq, &c);
			if (virtq_pop(vq, &c) != 1)
				break;
			check(mem, &c);
		}
		if (virtq_push(vq, &c, n) != 0 || virtq_push(vq, &c, n) != -ESTALE)
			abort();
		virtq_publish(vq);
		virtq_should_signal(vq);
		/* The guest may go on for ever; the bytes it has for that are the input's. */
		if (n > 70000)
			break;
	}
	virtq_enable_kicks(vq);
	virtq_wait_for_more(vq);
	virtq_disable_kicks(vq);
	if (virtq_pending(vq) > vq->size)
		abort();
}

/*
 * Rings that make some sense, four bytes of input a descriptor: raw bytes seldom get past the first
 * address. Some addresses and lengths still point out of RAM.
 */
static void fill_rings(u8 *ram, const struct virtq_config *cfg, const u8 *data, size_t len)
{
	u16 *avail = (u16 *)(void *)(ram + (cfg->avail.v - BASE));
	struct {
		u64 addr;
		u32 len;
		u16 flags, next;
	} d;

	for (unsigned i = 0; i * 4 + 3 < len && i < 256; i++) {
		const u8 *b = data + i * 4;

		d.addr = BASE + (b[0] << 8 | b[1]) % (SIZE + 16);
		d.len = b[3] & 0x80 ? (u32)b[1] << 3 : (u32)b[1] << 24 | b[0];
		d.flags = b[2] & 7;
		d.next = (u16)(b[3] % (cfg->size + 1u));
		if (d.flags & VRING_DESC_F_INDIRECT) {
			d.addr &= ~0xfull;
			d.len = (b[3] & 15u) * 16 + (b[3] == 0xff);
		}
		memcpy(ram + (cfg->desc.v - BASE) + i * 16, &d, sizeof(d));
		avail[2 + i % cfg->size] = (u16)(b[2] >> 3);
	}
	avail[1] = (u16)(len ? data[0] % (cfg->size + 2u) : 0);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	static struct guest_mem mem;
	struct virtq_config cfg;
	struct virtq vq = {0};
	struct input in;

	if (!mem.n && guest_mem_add(&mem, GPA(BASE), SIZE))
		abort();
	if (len < sizeof(in))
		return 0;
	memcpy(&in, data, sizeof(in));
	data += sizeof(in);
	len -= sizeof(in);
	memset(mem.region[0].host, 0, SIZE);
	memcpy(mem.region[0].host, data, len < SIZE ? len : SIZE);
	cfg = (struct virtq_config){.size = (u16)(1u << in.size_shift % 10),
				    .ready = true,
				    .desc = GPA(BASE + in.desc_at * 16u),
				    .avail = GPA(BASE + in.avail_at * 16u + 0x400),
				    .used = GPA(BASE + in.used_at * 16u + 0x600)};
	if (in.rings & 1)
		cfg.size = (u16)(in.rings << 1 | in.features);
	if (virtq_activate(&vq, &cfg, VIRTQ_MAX_SIZE, &mem,
			   (u64)(in.features & 3) << VIRTIO_RING_F_INDIRECT_DESC, 1))
		return 0;
	if (in.features & 4)
		fill_rings(mem.region[0].host, &cfg, data, len);
	if (!vq.size || vq.size > VIRTQ_MAX_SIZE || vq.size & (vq.size - 1))
		abort();
	if (in.rings & 2 && virtq_restore(&vq, in.desc_at, in.rings & 4 ? in.desc_at : in.used_at))
		return 0;
	serve(&vq, &mem, data, len);
	return 0;
}

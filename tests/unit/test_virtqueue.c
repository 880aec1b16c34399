/* SPDX-License-Identifier: MIT */
/* The virtqueue against well-behaved and hostile drivers: queue.c without a device around it. */
#include "tests/unit/virtio_guest.h"

#include "devices/virtio/queue.h"

#define SIZE 16

struct fixture {
	struct guest_mem mem;
	struct virtq vq;
	struct virtq_config cfg;
	struct virtq_chain chain;
	struct vg_queue q;
};

static void start(struct fixture *f, u64 features)
{
	u8 *ram;

	memset(f, 0, sizeof(*f));
	assert_int_equal(guest_mem_add(&f->mem, GPA(VG_BASE), VG_SIZE), 0);
	ram = f->mem.region[0].host;
	f->cfg = (struct virtq_config){.size = SIZE,
				       .ready = true,
				       .desc = GPA(vg_ring(0, 0)),
				       .avail = GPA(vg_ring(0, 1)),
				       .used = GPA(vg_ring(0, 2))};
	f->q = (struct vg_queue){.desc = (void *)ram,
				 .avail = (void *)(ram + 0x4000),
				 .used = (void *)(ram + 0x8000),
				 .size = SIZE};
	assert_int_equal(virtq_activate(&f->vq, &f->cfg, 256, &f->mem, features, 1), 0);
}

static void stop(struct fixture *f)
{
	guest_mem_free(&f->mem);
}

static void *ram(struct fixture *f, u64 gpa)
{
	return f->mem.region[0].host + (gpa - VG_BASE);
}

/* The chain must be refused and the queue stay dead. */
static void expect_broken(struct fixture *f)
{
	assert_int_equal(virtq_pop(&f->vq, &f->chain), -EIO);
	assert_non_null(f->vq.broken);
	assert_int_equal(virtq_pop(&f->vq, &f->chain), -EIO);
	assert_false(virtq_enable_kicks(&f->vq));
}

/* --- Activation ------------------------------------------------------------------------------- */

static int try_activate(struct fixture *f, struct virtq_config cfg, unsigned max)
{
	struct virtq vq = {0};
	int ret = virtq_activate(&vq, &cfg, max, &f->mem, 0, 1);

	assert_int_equal(virtq_active(&vq), !ret);
	return ret;
}

static void test_activate_size(void **state)
{
	struct fixture f;
	static const u16 bad[] = {0, 3, 5, 6, 24, 255, 257, 512, 0x8000, 0xffff};

	start(&f, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		f.cfg.size = bad[i];
		assert_int_equal(try_activate(&f, f.cfg, 256), -EINVAL);
	}
	f.cfg.size = 128;
	assert_int_equal(try_activate(&f, f.cfg, 64), -EINVAL);
	for (unsigned size = 1; size <= 256; size *= 2) {
		f.cfg.size = (u16)size;
		assert_int_equal(try_activate(&f, f.cfg, 256), 0);
	}
	stop(&f);
}

static void test_activate_alignment(void **state)
{
	struct fixture f;
	struct virtq_config c;

	start(&f, 0);
	for (unsigned off = 1; off < 16; off++) {
		c = f.cfg;
		c.desc.v += off;
		assert_int_equal(try_activate(&f, c, 256), -EINVAL);
		c = f.cfg;
		c.avail.v += off;
		assert_int_equal(try_activate(&f, c, 256), off % 2 ? -EINVAL : 0);
		c = f.cfg;
		c.used.v += off;
		assert_int_equal(try_activate(&f, c, 256), off % 4 ? -EINVAL : 0);
	}
	stop(&f);
}

/* The last byte of each ring decides, the event fields behind it included. */
static void test_activate_bounds(void **state)
{
	struct fixture f;
	const u64 end = VG_BASE + VG_SIZE;
	struct virtq_config c;

	start(&f, 0);
	c = f.cfg;
	c.desc.v = end - 16 * SIZE;
	assert_int_equal(try_activate(&f, c, 256), 0);
	c.desc.v += 16;
	assert_int_equal(try_activate(&f, c, 256), -EFAULT);
	c = f.cfg;
	c.avail.v = end - (6 + 2 * SIZE);
	assert_int_equal(try_activate(&f, c, 256), 0);
	c.avail.v += 2;
	assert_int_equal(try_activate(&f, c, 256), -EFAULT);
	c = f.cfg;
	c.used.v = end - (6 + 8 * SIZE) - 2; /* 4-aligned */
	assert_int_equal(try_activate(&f, c, 256), 0);
	c.used.v += 4;
	assert_int_equal(try_activate(&f, c, 256), -EFAULT);
	c = f.cfg;
	c.desc.v = ~0ull - 15; /* wraps */
	assert_int_equal(try_activate(&f, c, 256), -EFAULT);
	c = f.cfg;
	c.used.v = VG_BASE - 0x1000; /* below RAM, where devices are */
	assert_int_equal(try_activate(&f, c, 256), -EFAULT);
	stop(&f);
}

/* --- Well-behaved ----------------------------------------------------------------------------- */

static void test_pop_push(void **state)
{
	struct fixture f;
	char buf[32] = "";
	u32 *elem;

	start(&f, 0);
	assert_int_equal(virtq_pop(&f.vq, &f.chain), 0);
	vg_add_desc(&f.q, VG_DATA, 4, VRING_DESC_F_NEXT);
	vg_add_desc(&f.q, VG_DATA + 100, 6, VRING_DESC_F_NEXT);
	vg_add_desc(&f.q, VG_DATA + 200, 8, VRING_DESC_F_WRITE);
	memcpy(ram(&f, VG_DATA), "abcd", 4);
	memcpy(ram(&f, VG_DATA + 100), "efghij", 6);
	vg_make_avail(&f.q, 0);
	assert_int_equal(virtq_pending(&f.vq), 1);
	assert_int_equal(virtq_pop(&f.vq, &f.chain), 1);
	assert_int_equal(f.chain.nread, 2);
	assert_int_equal(f.chain.nwrite, 1);
	assert_int_equal(f.chain.read_len, 10);
	assert_int_equal(f.chain.write_len, 8);
	assert_int_equal(virtq_read(&f.chain, 2, buf, sizeof(buf)), 8);
	assert_memory_equal(buf, "cdefghij", 8);
	assert_int_equal(virtq_write(&f.chain, 3, "0123456789", 10), 5);
	assert_memory_equal(ram(&f, VG_DATA + 203), "01234", 5);
	assert_int_equal(*(u8 *)ram(&f, VG_DATA + 208), 0);

	assert_int_equal(virtq_push(&f.vq, &f.chain, 7), 0);
	assert_int_equal(vg_used_idx(&f.q), 0); /* not before publish */
	virtq_publish(&f.vq);
	assert_int_equal(vg_used_idx(&f.q), 1);
	elem = (u32 *)(f.q.used + 2);
	assert_int_equal(elem[0], 0);
	assert_int_equal(elem[1], 7);
	assert_int_equal(f.vq.in_flight, 0);
	stop(&f);
}

/* Positions are 16 bits and wrap; the ring index is what is left of them. */
static void test_wraps(void **state)
{
	struct fixture f;

	start(&f, 0);
	for (unsigned i = 0; i < 3 * 65536; i++) {
		u16 head = (u16)(i % SIZE);

		f.q.desc[head] = (struct vg_desc){VG_DATA, 16, VRING_DESC_F_WRITE, 0};
		vg_make_avail(&f.q, head);
		assert_int_equal(virtq_pop(&f.vq, &f.chain), 1);
		assert_int_equal(f.chain.head, head);
		assert_int_equal(virtq_push(&f.vq, &f.chain, 0), 0);
		virtq_publish(&f.vq);
		assert_int_equal(vg_used_idx(&f.q), (u16)(i + 1));
	}
	stop(&f);
}

static void test_full_ring(void **state)
{
	struct fixture f;
	static struct virtq_chain chains[SIZE];

	start(&f, 0);
	for (unsigned i = 0; i < SIZE; i++) {
		f.q.desc[i] = (struct vg_desc){VG_DATA + i, 1, VRING_DESC_F_WRITE, 0};
		vg_make_avail(&f.q, (u16)i);
	}
	assert_int_equal(virtq_pending(&f.vq), SIZE);
	for (unsigned i = 0; i < SIZE; i++)
		assert_int_equal(virtq_pop(&f.vq, &chains[i]), 1);
	assert_int_equal(virtq_pop(&f.vq, &f.chain), 0);
	/* Out of order is allowed. */
	for (unsigned i = SIZE; i--;)
		assert_int_equal(virtq_push(&f.vq, &chains[i], i), 0);
	virtq_publish(&f.vq);
	assert_int_equal(vg_used_idx(&f.q), SIZE);
	assert_int_equal(((u32 *)(f.q.used + 2))[0], SIZE - 1);
	stop(&f);
}

static void test_unpop(void **state)
{
	struct fixture f;
	struct virtq_chain second;

	start(&f, 0);
	for (unsigned i = 0; i < 2; i++) {
		f.q.desc[i] = (struct vg_desc){VG_DATA, 8, VRING_DESC_F_WRITE, 0};
		vg_make_avail(&f.q, (u16)i);
	}
	assert_int_equal(virtq_pop(&f.vq, &f.chain), 1);
	assert_int_equal(virtq_pop(&f.vq, &second), 1);
	virtq_unpop(&f.vq, &second);
	virtq_unpop(&f.vq, &f.chain);
	assert_int_equal(f.vq.in_flight, 0);
	assert_int_equal(virtq_pop(&f.vq, &second), 1);
	assert_int_equal(second.head, 0);
	/* What has been given back cannot be pushed. */
	f.chain.head = 1;
	assert_int_equal(virtq_push(&f.vq, &f.chain, 0), -ESTALE);
	stop(&f);
}

static void test_slice(void **state)
{
	struct fixture f;
	struct iovec iov[4];

	start(&f, 0);
	vg_add_desc(&f.q, VG_DATA, 10, VRING_DESC_F_NEXT);
	vg_add_desc(&f.q, VG_DATA + 0x100, 10, VRING_DESC_F_NEXT);
	vg_add_desc(&f.q, VG_DATA + 0x200, 10, VRING_DESC_F_WRITE);
	vg_make_avail(&f.q, 0);
	assert_int_equal(virtq_pop(&f.vq, &f.chain), 1);
	assert_int_equal(virtq_slice(&f.chain, false, 4, 12, iov, 4), 2);
	assert_ptr_equal(iov[0].iov_base, ram(&f, VG_DATA + 4));
	assert_int_equal(iov[0].iov_len, 6);
	assert_ptr_equal(iov[1].iov_base, ram(&f, VG_DATA + 0x100));
	assert_int_equal(iov[1].iov_len, 6);
	assert_int_equal(virtq_slice(&f.chain, false, 0, 20, iov, 4), 2);
	assert_int_equal(virtq_slice(&f.chain, false, 0, 21, iov, 4), -EINVAL);
	assert_int_equal(virtq_slice(&f.chain, false, 0, 20, iov, 1), -EINVAL);
	assert_int_equal(virtq_slice(&f.chain, true, 0, 10, iov, 4), 1);
	assert_int_equal(virtq_slice(&f.chain, true, 5, 6, iov, 4), -EINVAL);
	assert_int_equal(virtq_slice(&f.chain, true, 99, 0, iov, 4), 0);
	stop(&f);
}

/* --- Indirect --------------------------------------------------------------------------------- */

#define TABLE (VG_DATA + 0x10000)

static void put_indirect(struct fixture *f, u64 table, u32 len, u16 flags)
{
	f->q.desc[0] = (struct vg_desc){table, len, (u16)(VRING_DESC_F_INDIRECT | flags), 0};
	vg_make_avail(&f->q, 0);
}

static void fill_table(struct fixture *f, u64 table, unsigned n)
{
	struct vg_desc d = {.len = 8};

	for (unsigned i = 0; i < n; i++) {
		d.addr = VG_DATA + 16 * i;
		d.flags = i + 1 < n ? VRING_DESC_F_NEXT : 0;
		d.next = (u16)(i + 1);
		memcpy((u8 *)ram(f, table) + i * sizeof(d), &d, sizeof(d));
	}
}

static void test_indirect(void **state)
{
	struct fixture f;

	start(&f, BIT(VIRTIO_RING_F_INDIRECT_DESC));
	fill_table(&f, TABLE, SIZE);
	put_indirect(&f, TABLE, 16 * SIZE, 0);
	assert_int_equal(virtq_pop(&f.vq, &f.chain), 1);
	assert_int_equal(f.chain.nread, SIZE);
	assert_int_equal(virtq_push(&f.vq, &f.chain, 0), 0);
	/* At any address, and behind direct descriptors; WRITE on it means nothing. */
	fill_table(&f, TABLE + 3, 2);
	f.q.desc[1] = (struct vg_desc){VG_DATA, 5, VRING_DESC_F_NEXT, 2};
	f.q.desc[2] =
		(struct vg_desc){TABLE + 3, 32, VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE, 0};
	vg_make_avail(&f.q, 1);
	assert_int_equal(virtq_pop(&f.vq, &f.chain), 1);
	assert_int_equal(f.chain.nread, 3);
	assert_int_equal(f.chain.read_len, 21);
	stop(&f);
}

static void test_indirect_not_negotiated(void **state)
{
	struct fixture f;

	start(&f, 0);
	fill_table(&f, TABLE, 1);
	put_indirect(&f, TABLE, 16, 0);
	expect_broken(&f);
	stop(&f);
}

static void test_indirect_bad_length(void **state)
{
	static const u32 bad[] = {0,	      1,	  15,	     17, 24, 16 * SIZE + 16,
				  16 * 32768, 16 * 32769, 0xfffffff0};
	struct fixture f;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		start(&f, BIT(VIRTIO_RING_F_INDIRECT_DESC));
		fill_table(&f, TABLE, 1);
		put_indirect(&f, TABLE, bad[i], 0);
		expect_broken(&f);
		stop(&f);
	}
}

static void test_indirect_bad_place(void **state)
{
	static const u64 bad[] = {0, VG_BASE - 16, VG_BASE + VG_SIZE - 8, VG_BASE + VG_SIZE,
				  ~0ull - 15};
	struct fixture f;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		start(&f, BIT(VIRTIO_RING_F_INDIRECT_DESC));
		put_indirect(&f, bad[i], 16, 0);
		expect_broken(&f);
		stop(&f);
	}
}

static void test_indirect_nested(void **state)
{
	struct fixture f;
	struct vg_desc d = {TABLE + 0x100, 16, VRING_DESC_F_INDIRECT, 0};

	start(&f, BIT(VIRTIO_RING_F_INDIRECT_DESC));
	fill_table(&f, TABLE + 0x100, 1);
	memcpy(ram(&f, TABLE), &d, sizeof(d));
	put_indirect(&f, TABLE, 16, 0);
	expect_broken(&f);
	stop(&f);
}

static void test_indirect_with_next(void **state)
{
	struct fixture f;

	start(&f, BIT(VIRTIO_RING_F_INDIRECT_DESC));
	fill_table(&f, TABLE, 1);
	put_indirect(&f, TABLE, 16, VRING_DESC_F_NEXT);
	expect_broken(&f);
	stop(&f);
}

static void test_indirect_next_beyond_table(void **state)
{
	struct fixture f;

	start(&f, BIT(VIRTIO_RING_F_INDIRECT_DESC));
	fill_table(&f, TABLE, 3); /* the second one's next is 2, and the table has two */
	put_indirect(&f, TABLE, 32, 0);
	expect_broken(&f);
	stop(&f);
}

static void test_indirect_loop(void **state)
{
	struct fixture f;
	struct vg_desc d = {VG_DATA, 8, VRING_DESC_F_NEXT, 0};

	start(&f, BIT(VIRTIO_RING_F_INDIRECT_DESC));
	memcpy(ram(&f, TABLE), &d, sizeof(d));
	put_indirect(&f, TABLE, 16, 0);
	expect_broken(&f);
	stop(&f);
}

/* --- Hostile ---------------------------------------------------------------------------------- */

static void test_avail_ran_ahead(void **state)
{
	struct fixture f;

	start(&f, 0);
	f.q.desc[0] = (struct vg_desc){VG_DATA, 8, 0, 0};
	f.q.avail[1] = SIZE + 1;
	expect_broken(&f);
	stop(&f);
	start(&f, 0);
	f.q.avail[1] = 0xffff; /* one behind is as far ahead as it gets */
	expect_broken(&f);
	assert_int_equal(virtq_pending(&f.vq), 0);
	stop(&f);
}

static void test_head_beyond_table(void **state)
{
	static const u16 bad[] = {SIZE, SIZE + 1, 256, 0xffff};
	struct fixture f;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		start(&f, 0);
		vg_make_avail(&f.q, bad[i]);
		expect_broken(&f);
		stop(&f);
	}
}

static void test_next_beyond_table(void **state)
{
	static const u16 bad[] = {SIZE, SIZE + 1, 256, 0xffff};
	struct fixture f;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		start(&f, 0);
		f.q.desc[0] = (struct vg_desc){VG_DATA, 8, VRING_DESC_F_NEXT, bad[i]};
		vg_make_avail(&f.q, 0);
		expect_broken(&f);
		stop(&f);
	}
}

static void test_loop(void **state)
{
	struct fixture f;

	start(&f, 0);
	f.q.desc[0] = (struct vg_desc){VG_DATA, 8, VRING_DESC_F_NEXT, 0};
	vg_make_avail(&f.q, 0);
	expect_broken(&f);
	stop(&f);
	start(&f, 0);
	for (unsigned i = 0; i < SIZE; i++) /* all of the table, then round again */
		vg_add_desc(&f.q, VG_DATA, 8, VRING_DESC_F_NEXT);
	vg_make_avail(&f.q, 0);
	expect_broken(&f);
	stop(&f);
	/* Empty buffers count too: they take no entry, but they must not spin for ever. */
	start(&f, 0);
	f.q.desc[0] = (struct vg_desc){VG_DATA, 0, VRING_DESC_F_NEXT, 0};
	vg_make_avail(&f.q, 0);
	expect_broken(&f);
	stop(&f);
}

static void test_longest_chain(void **state)
{
	struct fixture f;

	start(&f, 0);
	for (unsigned i = 0; i < SIZE; i++)
		vg_add_desc(&f.q, VG_DATA + 8 * i, 8, i + 1 < SIZE ? VRING_DESC_F_NEXT : 0);
	vg_make_avail(&f.q, 0);
	assert_int_equal(virtq_pop(&f.vq, &f.chain), 1);
	assert_int_equal(f.chain.nread, SIZE);
	stop(&f);
}

static void test_buffer_outside_ram(void **state)
{
	static const struct {
		u64 addr;
		u32 len;
	} bad[] = {
		{0, 1},
		{VG_BASE - 1, 2},	     /* begins below */
		{VG_BASE + VG_SIZE - 1, 2},  /* crosses the end */
		{VG_BASE + VG_SIZE, 1},	     /* behind the end */
		{VG_BASE, (u32)VG_SIZE + 1}, /* longer than RAM */
		{~0ull, 1},
		{~0ull - 7, 16},     /* wraps */
		{0x0a000000, 0x200}, /* the register window of a device: never RAM */
	};
	struct fixture f;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		start(&f, 0);
		f.q.desc[0] = (struct vg_desc){bad[i].addr, bad[i].len, VRING_DESC_F_WRITE, 0};
		vg_make_avail(&f.q, 0);
		expect_broken(&f);
		stop(&f);
	}
}

/* Two regions side by side in the address space are still two mappings of the host's. */
static void test_buffer_across_regions(void **state)
{
	struct fixture f;

	start(&f, 0);
	assert_int_equal(guest_mem_add(&f.mem, GPA(VG_BASE + VG_SIZE), 0x10000), 0);
	f.q.desc[0] = (struct vg_desc){VG_BASE + VG_SIZE - 8, 16, 0, 0};
	vg_make_avail(&f.q, 0);
	expect_broken(&f);
	stop(&f);
}

static void test_direction(void **state)
{
	struct fixture f;

	start(&f, 0);
	vg_add_desc(&f.q, VG_DATA, 8, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT);
	vg_add_desc(&f.q, VG_DATA, 8, 0);
	vg_make_avail(&f.q, 0);
	expect_broken(&f);
	stop(&f);
}

/* Sixteen buffers of nearly 4 MiB fit; lengths whose sum passes 2^32 - 1 do not. */
static void test_total_length(void **state)
{
	struct fixture f;

	start(&f, 0);
	assert_int_equal(guest_mem_add(&f.mem, GPA(1ull << 32), 1ull << 31), 0);
	for (unsigned i = 0; i < 2; i++)
		f.q.desc[i] =
			(struct vg_desc){1ull << 32, 1u << 31, VRING_DESC_F_NEXT, (u16)(i + 1)};
	f.q.desc[1].len--; /* 2^32 - 1 in all */
	f.q.desc[1].flags = 0;
	vg_make_avail(&f.q, 0);
	assert_int_equal(virtq_pop(&f.vq, &f.chain), 1);
	assert_int_equal(f.chain.read_len, 0xffffffff);
	assert_int_equal(virtq_push(&f.vq, &f.chain, 0), 0);
	f.q.desc[1].len++;
	vg_make_avail(&f.q, 0);
	expect_broken(&f);
	stop(&f);
}

static void test_head_twice(void **state)
{
	struct fixture f;

	start(&f, 0);
	f.q.desc[0] = (struct vg_desc){VG_DATA, 8, VRING_DESC_F_WRITE, 0};
	vg_make_avail(&f.q, 0);
	vg_make_avail(&f.q, 0);
	assert_int_equal(virtq_pop(&f.vq, &f.chain), 1);
	expect_broken(&f);
	stop(&f);
}

/* After the pop the guest may write what it likes: the device has its copy. */
static void test_descriptor_copied_once(void **state)
{
	struct fixture f;

	start(&f, 0);
	f.q.desc[0] = (struct vg_desc){VG_DATA, 8, VRING_DESC_F_WRITE, 0};
	vg_make_avail(&f.q, 0);
	assert_int_equal(virtq_pop(&f.vq, &f.chain), 1);
	f.q.desc[0] = (struct vg_desc){0, ~0u, 0xffff, 0xffff};
	assert_int_equal(f.chain.write_len, 8);
	assert_ptr_equal(f.chain.iov[0].iov_base, ram(&f, VG_DATA));
	assert_int_equal(virtq_write(&f.chain, 0, "0123456789abcdef", 16), 8);
	assert_int_equal(virtq_push(&f.vq, &f.chain, 8), 0);
	stop(&f);
}

/* A second thread flips every field between good and bad while chains are popped. */
static void *flipper(void *arg)
{
	struct fixture *f = arg;
	volatile struct vg_desc *d = f->q.desc;

	while (!__atomic_load_n(&f->q.seen, __ATOMIC_RELAXED)) {
		d->addr = ~0ull - 7;
		d->len = 0x7fffffff;
		d->flags = VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT;
		d->next = 0xffff;
		d->addr = VG_DATA;
		d->len = 64;
		d->flags = VRING_DESC_F_WRITE;
		d->next = 0;
	}
	return NULL;
}

static void test_concurrent_changes(void **state)
{
	struct fixture f;
	u8 *lo, *hi;
	pthread_t t;

	VG_RACES_ON_PURPOSE();
	start(&f, BIT(VIRTIO_RING_F_INDIRECT_DESC));
	lo = f.mem.region[0].host;
	hi = lo + VG_SIZE;
	f.q.desc[0] = (struct vg_desc){VG_DATA, 64, VRING_DESC_F_WRITE, 0};
	assert_int_equal(pthread_create(&t, NULL, flipper, &f), 0);
	for (unsigned i = 0; i < 20000; i++) {
		vg_make_avail(&f.q, 0);
		f.vq.broken = NULL;
		if (virtq_pop(&f.vq, &f.chain) != 1) {
			f.vq.next_avail++;
			continue;
		}
		for (unsigned k = 0; k < f.chain.nread + f.chain.nwrite; k++) {
			u8 *p = f.chain.iov[k].iov_base;

			assert_true(p >= lo && p + f.chain.iov[k].iov_len <= hi);
		}
		assert_int_equal(virtq_push(&f.vq, &f.chain, 0), 0);
	}
	__atomic_store_n(&f.q.seen, 1, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	stop(&f);
}

/* A completion that comes after a reset must not reach the new rings. */
static void test_stale_generation(void **state)
{
	struct fixture f;

	start(&f, 0);
	f.q.desc[0] = (struct vg_desc){VG_DATA, 8, VRING_DESC_F_WRITE, 0};
	vg_make_avail(&f.q, 0);
	assert_int_equal(virtq_pop(&f.vq, &f.chain), 1);
	virtq_deactivate(&f.vq);
	assert_int_equal(virtq_push(&f.vq, &f.chain, 8), -ESTALE);
	assert_int_equal(virtq_activate(&f.vq, &f.cfg, 256, &f.mem, 0, 2), 0);
	/* The same head is in flight again, in the next life. */
	{
		struct virtq_chain fresh;

		assert_int_equal(virtq_pop(&f.vq, &fresh), 1);
		assert_int_equal(virtq_push(&f.vq, &f.chain, 8), -ESTALE);
		virtq_publish(&f.vq);
		assert_int_equal(vg_used_idx(&f.q), 0);
		assert_int_equal(virtq_push(&f.vq, &fresh, 8), 0);
		assert_int_equal(virtq_push(&f.vq, &fresh, 8), -ESTALE); /* twice */
	}
	stop(&f);
}

static void test_restore(void **state)
{
	struct fixture f;

	start(&f, 0);
	assert_int_equal(virtq_restore(&f.vq, 7, 6), -EINVAL);
	assert_int_equal(virtq_restore(&f.vq, 0xfffe, 0xfffe), 0);
	f.q.avail[1] = 0xfffe;
	f.q.desc[3] = (struct vg_desc){VG_DATA, 8, VRING_DESC_F_WRITE, 0};
	vg_make_avail(&f.q, 3);
	assert_int_equal(virtq_pop(&f.vq, &f.chain), 1);
	assert_int_equal(virtq_push(&f.vq, &f.chain, 8), 0);
	virtq_publish(&f.vq);
	assert_int_equal(vg_used_idx(&f.q), 0xffff);
	/* Positions that do not belong to what is in guest RAM are the guest's error, once more. */
	assert_int_equal(virtq_restore(&f.vq, 100, 100), 0);
	expect_broken(&f);
	stop(&f);
}

/* --- Notifications ---------------------------------------------------------------------------- */

static void complete_one(struct fixture *f, u16 head)
{
	f->q.desc[head] = (struct vg_desc){VG_DATA, 8, VRING_DESC_F_WRITE, 0};
	vg_make_avail(&f->q, head);
	assert_int_equal(virtq_pop(&f->vq, &f->chain), 1);
	assert_int_equal(virtq_push(&f->vq, &f->chain, 8), 0);
	virtq_publish(&f->vq);
}

static void test_signal_flag(void **state)
{
	struct fixture f;

	start(&f, 0);
	complete_one(&f, 0);
	assert_true(virtq_should_signal(&f.vq));
	assert_false(virtq_should_signal(&f.vq)); /* nothing new */
	f.q.avail[0] = VRING_AVAIL_F_NO_INTERRUPT;
	complete_one(&f, 1);
	assert_false(virtq_should_signal(&f.vq));
	stop(&f);
}

static void test_signal_event_index(void **state)
{
	struct fixture f;
	u16 *used_event;

	start(&f, BIT(VIRTIO_RING_F_EVENT_IDX));
	used_event = &f.q.avail[2 + SIZE];
	complete_one(&f, 0);
	assert_true(virtq_should_signal(&f.vq)); /* the first of all */
	*used_event = 2;			 /* wake me when index 2 has been used: the third */
	complete_one(&f, 1);
	assert_false(virtq_should_signal(&f.vq));
	complete_one(&f, 2);
	assert_true(virtq_should_signal(&f.vq));
	*used_event = 4; /* passed over in one batch */
	complete_one(&f, 3);
	complete_one(&f, 4);
	complete_one(&f, 5);
	assert_true(virtq_should_signal(&f.vq));
	complete_one(&f, 6);
	assert_false(virtq_should_signal(&f.vq));
	stop(&f);
}

static void test_kick_flag(void **state)
{
	struct fixture f;

	start(&f, 0);
	virtq_disable_kicks(&f.vq);
	assert_int_equal(f.q.used[0], VRING_USED_F_NO_NOTIFY);
	assert_false(virtq_enable_kicks(&f.vq));
	assert_int_equal(f.q.used[0], 0);
	virtq_disable_kicks(&f.vq);
	f.q.desc[0] = (struct vg_desc){VG_DATA, 8, 0, 0};
	vg_make_avail(&f.q, 0);
	assert_true(virtq_enable_kicks(&f.vq)); /* it came in between */
	stop(&f);
}

static void test_kick_event_index(void **state)
{
	struct fixture f;
	u16 *avail_event;

	start(&f, BIT(VIRTIO_RING_F_EVENT_IDX));
	avail_event = &f.q.used[2 + 4 * SIZE];
	complete_one(&f, 0);
	complete_one(&f, 1);
	virtq_disable_kicks(&f.vq);
	assert_int_equal(f.q.used[0], 0); /* the flag is not used with the index (2.7.10) */
	assert_false(virtq_enable_kicks(&f.vq));
	assert_int_equal(*avail_event, 2);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_activate_size),
		cmocka_unit_test(test_activate_alignment),
		cmocka_unit_test(test_activate_bounds),
		cmocka_unit_test(test_pop_push),
		cmocka_unit_test(test_wraps),
		cmocka_unit_test(test_full_ring),
		cmocka_unit_test(test_unpop),
		cmocka_unit_test(test_slice),
		cmocka_unit_test(test_indirect),
		cmocka_unit_test(test_indirect_not_negotiated),
		cmocka_unit_test(test_indirect_bad_length),
		cmocka_unit_test(test_indirect_bad_place),
		cmocka_unit_test(test_indirect_nested),
		cmocka_unit_test(test_indirect_with_next),
		cmocka_unit_test(test_indirect_next_beyond_table),
		cmocka_unit_test(test_indirect_loop),
		cmocka_unit_test(test_avail_ran_ahead),
		cmocka_unit_test(test_head_beyond_table),
		cmocka_unit_test(test_next_beyond_table),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_longest_chain),
		cmocka_unit_test(test_buffer_outside_ram),
		cmocka_unit_test(test_buffer_across_regions),
		cmocka_unit_test(test_direction),
		cmocka_unit_test(test_total_length),
		cmocka_unit_test(test_head_twice),
		cmocka_unit_test(test_descriptor_copied_once),
		cmocka_unit_test(test_concurrent_changes),
		cmocka_unit_test(test_stale_generation),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_signal_flag),
		cmocka_unit_test(test_signal_event_index),
		cmocka_unit_test(test_kick_flag),
		cmocka_unit_test(test_kick_event_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* virtio-blk against a driver in a memory buffer: every request, and every way to get one wrong. */
#include "tests/unit/virtio_guest.h"

#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/virtio/blk.h"

#define SECTORS 256
#define HDR	VG_DATA
#define STATUS	(VG_DATA + 0x100)
#define BUF	(VG_DATA + 0x1000)
#define FLUSH	BIT(VIRTIO_BLK_F_FLUSH)

struct fixture {
	struct vg g; /* first */
	char path[64];
};

static void make_image(struct fixture *f)
{
	u8 sector[512];
	int fd;

	snprintf(f->path, sizeof(f->path), "/tmp/armature-test-blk-XXXXXX");
	fd = mkstemp(f->path);
	assert_true(fd >= 0);
	for (unsigned i = 0; i < SECTORS; i++) {
		memset(sector, (int)i, sizeof(sector));
		assert_int_equal(write(fd, sector, sizeof(sector)), sizeof(sector));
	}
	close(fd);
}

static void create(struct fixture *f, struct virtio_blk_params p)
{
	const char *err = "";

	p.id = "disk0";
	p.path = f->path;
	p.sandbox = VG_SANDBOX;
	if (virtio_blk_create(&p, &f->g.mem, &f->g.irq, &f->g.dev, &err))
		fail_msg("create: %s", err);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	vg_init(&f->g);
	make_image(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vg_exit(&f->g);
	unlink(f->path);
	free(f);
	return 0;
}

static void put_header(struct vg *g, u32 type, u64 sector)
{
	struct virtio_blk_outhdr h = {.type = type, .sector = sector};

	memcpy(vg_ptr(g, HDR), &h, sizeof(h));
	*(u8 *)vg_ptr(g, STATUS) = 0xee;
}

/* A request with one data buffer (len 0: none). Returns the status byte, used.len in *used. */
static u8 request(struct vg *g, u32 type, u64 sector, u64 buf, u32 len, bool write, u32 *used)
{
	struct vg_seg seg[3] = {{HDR, 16, false}};
	unsigned n = 1;
	u32 got;

	put_header(g, type, sector);
	if (len)
		seg[n++] = (struct vg_seg){buf, len, write};
	seg[n++] = (struct vg_seg){STATUS, 1, true};
	vg_submit(g, 0, seg, n);
	got = vg_wait_used(g, 0, NULL);
	if (used)
		*used = got;
	return *(u8 *)vg_ptr(g, STATUS);
}

static u8 host_byte(struct fixture *f, off_t at)
{
	int fd = open(f->path, O_RDONLY);
	u8 b = 0;

	assert_int_equal(pread(fd, &b, 1, at), 1);
	close(fd);
	return b;
}

/* --- Requests that work ----------------------------------------------------------------------- */

static void test_config(void **state)
{
	struct fixture *f = *state;

	create(f, (struct virtio_blk_params){.num_queues = 4, .queue_size = 64});
	assert_int_equal(vg_read(&f->g, VIRTIO_MMIO_DEVICE_ID), 2);
	assert_int_equal(vg_config(&f->g, 0, 8), SECTORS);
	assert_int_equal(vg_config(&f->g, 12, 4), 62);	/* seg_max */
	assert_int_equal(vg_config(&f->g, 20, 4), 512); /* blk_size */
	assert_int_equal(vg_config(&f->g, 34, 2), 4);	/* num_queues */
	assert_true(vg_features(&f->g) & BIT(VIRTIO_BLK_F_MQ));
	assert_false(vg_features(&f->g) & BIT(VIRTIO_BLK_F_RO));
	vg_bring_up(&f->g, FLUSH | BIT(VIRTIO_BLK_F_MQ), 4);
	vg_write(&f->g, VIRTIO_MMIO_QUEUE_SEL, 3);
	assert_int_equal(vg_read(&f->g, VIRTIO_MMIO_QUEUE_NUM_MAX), 64);
	/* Every queue is served. */
	for (unsigned q = 0; q < 4; q++) {
		struct vg_seg seg[] = {{HDR, 16, false}, {BUF, 512, true}, {STATUS, 1, true}};

		put_header(&f->g, VIRTIO_BLK_T_IN, 9 + q);
		vg_submit(&f->g, q, seg, 3);
		assert_int_equal(vg_wait_used(&f->g, q, NULL), 513);
		assert_int_equal(*(u8 *)vg_ptr(&f->g, BUF), 9 + q);
	}
}

static void test_read(void **state)
{
	struct fixture *f = *state;
	u8 *buf = vg_ptr(&f->g, BUF);
	u32 used;

	create(f, (struct virtio_blk_params){0});
	vg_bring_up(&f->g, FLUSH, 1);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_IN, 5, BUF, 1024, true, &used), 0);
	assert_int_equal(used, 1025);
	assert_int_equal(buf[0], 5);
	assert_int_equal(buf[511], 5);
	assert_int_equal(buf[512], 6);
	assert_int_equal(buf[1024], 0);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_IN, SECTORS - 1, BUF, 512, true, &used), 0);
	assert_int_equal(buf[0], SECTORS - 1);
}

/* Data split over odd buffers, the header and the status byte inside larger ones. */
static void test_scattered(void **state)
{
	struct fixture *f = *state;
	const struct vg_seg seg[] = {{HDR, 7, false},	      {HDR + 7, 9, false},
				     {BUF, 1, true},	      {BUF + 100, 300, true},
				     {BUF + 1000, 211, true}, {BUF + 5000, 1, true}};

	create(f, (struct virtio_blk_params){0});
	vg_bring_up(&f->g, FLUSH, 1);
	put_header(&f->g, VIRTIO_BLK_T_IN, 77);
	vg_submit(&f->g, 0, seg, ARRAY_SIZE(seg));
	assert_int_equal(vg_wait_used(&f->g, 0, NULL), 513);
	assert_int_equal(*(u8 *)vg_ptr(&f->g, BUF), 77);
	assert_int_equal(*(u8 *)vg_ptr(&f->g, BUF + 399), 77);
	assert_int_equal(*(u8 *)vg_ptr(&f->g, BUF + 400), 0);
	assert_int_equal(*(u8 *)vg_ptr(&f->g, BUF + 1210), 77);
	assert_int_equal(*(u8 *)vg_ptr(&f->g, BUF + 5000), 0);
}

static void test_indirect_and_event_index(void **state)
{
	struct fixture *f = *state;
	struct vg_desc table[] = {{HDR, 16, VRING_DESC_F_NEXT, 1},
				  {BUF, 512, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 2},
				  {STATUS, 1, VRING_DESC_F_WRITE, 0}};

	create(f, (struct virtio_blk_params){0});
	vg_bring_up(&f->g, BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX) | FLUSH,
		    1);
	memcpy(vg_ptr(&f->g, VG_DATA + 0x8000), table, sizeof(table));
	for (unsigned i = 0; i < 40; i++) {
		struct vg_queue *q = &f->g.q[0];
		u16 at = vg_add_desc(q, VG_DATA + 0x8000, sizeof(table), VRING_DESC_F_INDIRECT);

		put_header(&f->g, VIRTIO_BLK_T_IN, i);
		__atomic_store_n(&q->avail[2 + VG_QSIZE], q->seen, __ATOMIC_RELAXED);
		vg_make_avail(q, at);
		/* As a driver does: kick only if the device asks for it. */
		__asm__ volatile("lock orl $0, (%%rsp)" ::: "memory", "cc");
		if (vring_need_event(__atomic_load_n(&q->used[2 + 4 * VG_QSIZE], __ATOMIC_RELAXED),
				     q->avail[1], (u16)(q->avail[1] - 1)))
			vg_kick(&f->g, 0);
		assert_int_equal(vg_wait_used(&f->g, 0, NULL), 513);
		assert_int_equal(*(u8 *)vg_ptr(&f->g, BUF), i);
	}
}

static void test_write_and_flush(void **state)
{
	struct fixture *f = *state;
	struct virtio_blk_stats st;
	u32 used;

	create(f, (struct virtio_blk_params){0});
	vg_bring_up(&f->g, FLUSH, 1);
	memset(vg_ptr(&f->g, BUF), 0x5a, 1024);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_OUT, 10, BUF, 1024, false, &used), 0);
	assert_int_equal(used, 1);
	assert_int_equal(host_byte(f, 10 * 512 - 1), 9);
	assert_int_equal(host_byte(f, 10 * 512), 0x5a);
	assert_int_equal(host_byte(f, 12 * 512 - 1), 0x5a);
	assert_int_equal(host_byte(f, 12 * 512), 12);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_FLUSH, 0, 0, 0, false, &used), 0);
	virtio_blk_get_stats(f->g.dev, &st);
	assert_int_equal(st.writes, 1);
	assert_int_equal(st.write_bytes, 1024);
	assert_int_equal(st.flushes, 1);
}

/* A driver that cannot flush gets a device that need not be flushed (5.2.5.1, 5.2.6.2). */
static void test_writethrough(void **state)
{
	struct fixture *f = *state;
	struct virtio_blk_stats st;

	create(f, (struct virtio_blk_params){0});
	vg_bring_up(&f->g, 0, 1);
	request(&f->g, VIRTIO_BLK_T_OUT, 10, BUF, 512, false, NULL);
	virtio_blk_get_stats(f->g.dev, &st);
	assert_int_equal(st.flushes, 1);
	vg_bring_up(&f->g, FLUSH | BIT(VIRTIO_BLK_F_CONFIG_WCE), 1);
	request(&f->g, VIRTIO_BLK_T_OUT, 10, BUF, 512, false, NULL);
	virtio_blk_get_stats(f->g.dev, &st);
	assert_int_equal(st.flushes, 1);
	f->g.dev->ops->mmio_write(f->g.dev, 0x100 + 32, 1, 0);
	assert_int_equal(vg_config(&f->g, 32, 1), 0);
	request(&f->g, VIRTIO_BLK_T_OUT, 10, BUF, 512, false, NULL);
	virtio_blk_get_stats(f->g.dev, &st);
	assert_int_equal(st.flushes, 2);
	vg_write(&f->g, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(vg_config(&f->g, 32, 1), 1); /* the reset brings the default back */
}

static void test_get_id(void **state)
{
	struct fixture *f = *state;
	u32 used;

	create(f, (struct virtio_blk_params){.serial = "ARM-0001"});
	vg_bring_up(&f->g, 0, 1);
	memset(vg_ptr(&f->g, BUF), 0xff, 32);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_GET_ID, 0, BUF, 20, true, &used), 0);
	assert_int_equal(used, 21);
	assert_memory_equal(vg_ptr(&f->g, BUF), "ARM-0001\0\0\0\0\0\0\0\0\0\0\0\0\xff", 21);
	/* A shorter buffer takes what fits and no more. */
	memset(vg_ptr(&f->g, BUF), 0xff, 32);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_GET_ID, 0, BUF, 3, true, &used), 0);
	assert_memory_equal(vg_ptr(&f->g, BUF), "ARM\xff", 4);
}

struct wipe {
	u64 sector;
	u32 num, flags;
};

static u8 wipe(struct fixture *f, u32 type, const void *seg, u32 len)
{
	if (len)
		memcpy(vg_ptr(&f->g, BUF), seg, len);
	return request(&f->g, type, 0, BUF, len, false, NULL);
}

static void test_discard_write_zeroes(void **state)
{
	struct fixture *f = *state;
	const struct wipe two[] = {{16, 8, 0}, {40, 8, 1}};
	const struct wipe hole = {64, 64, 0};

	create(f, (struct virtio_blk_params){0});
	vg_bring_up(&f->g, FLUSH, 1);
	assert_int_equal(wipe(f, VIRTIO_BLK_T_WRITE_ZEROES, two, sizeof(two)), 0);
	assert_int_equal(host_byte(f, 16 * 512 - 1), 15);
	assert_int_equal(host_byte(f, 16 * 512), 0);
	assert_int_equal(host_byte(f, 24 * 512 - 1), 0);
	assert_int_equal(host_byte(f, 24 * 512), 24);
	assert_int_equal(host_byte(f, 40 * 512), 0);
	assert_int_equal(host_byte(f, 48 * 512), 48);
	assert_int_equal(wipe(f, VIRTIO_BLK_T_DISCARD, &hole, sizeof(hole)), 0);
	assert_int_equal(host_byte(f, 63 * 512), 63);
	assert_int_equal(host_byte(f, 128 * 512), 128);
}

static void test_direct(void **state)
{
	struct fixture *f = *state;

	/* /tmp may be a tmpfs of an old kernel, without direct I/O: then this is where it shows. */
	create(f, (struct virtio_blk_params){.direct = true});
	vg_bring_up(&f->g, FLUSH, 1);
	memset(vg_ptr(&f->g, BUF), 0x66, 4096);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_OUT, 8, BUF, 4096, false, NULL), 0);
	assert_int_equal(host_byte(f, 8 * 512), 0x66);
	/* Buffers and lengths O_DIRECT refuses take the other way, and see the same data. */
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_IN, 8, BUF + 3, 512, true, NULL), 0);
	assert_int_equal(*(u8 *)vg_ptr(&f->g, BUF + 3 + 511), 0x66);
	memset(vg_ptr(&f->g, BUF + 1), 0x77, 512);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_OUT, 9, BUF + 1, 512, false, NULL), 0);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_IN, 8, BUF, 4096, true, NULL), 0);
	assert_int_equal(*(u8 *)vg_ptr(&f->g, BUF + 511), 0x66);
	assert_int_equal(*(u8 *)vg_ptr(&f->g, BUF + 512), 0x77);
}

static void test_resize(void **state)
{
	struct fixture *f = *state;

	create(f, (struct virtio_blk_params){0});
	vg_bring_up(&f->g, FLUSH, 1);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_IN, SECTORS, BUF, 512, true, NULL), 1);
	assert_int_equal(truncate(f->path, 2 * SECTORS * 512), 0);
	assert_int_equal(virtio_blk_resize(f->g.dev), 0);
	assert_true(vg_read(&f->g, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG);
	assert_int_equal(vg_config(&f->g, 0, 8), 2 * SECTORS);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_IN, SECTORS, BUF, 512, true, NULL), 0);
}

/* --- Requests that are wrong ------------------------------------------------------------------ */

static void test_readonly(void **state)
{
	struct fixture *f = *state;
	const struct wipe w = {0, 8, 0};

	create(f, (struct virtio_blk_params){.readonly = true});
	assert_true(vg_features(&f->g) & BIT(VIRTIO_BLK_F_RO));
	assert_false(vg_features(&f->g) &
		     (BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES)));
	vg_bring_up(&f->g, FLUSH, 1);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_OUT, 10, BUF, 512, false, NULL), 1);
	assert_int_equal(wipe(f, VIRTIO_BLK_T_WRITE_ZEROES, &w, sizeof(w)), 1);
	assert_int_equal(wipe(f, VIRTIO_BLK_T_DISCARD, &w, sizeof(w)), 1);
	assert_int_equal(host_byte(f, 10 * 512), 10);
	assert_int_equal(host_byte(f, 0), 0);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_IN, 10, BUF, 512, true, NULL), 0);
}

static void test_sector_arithmetic(void **state)
{
	struct fixture *f = *state;
	static const struct {
		u64 sector;
		u32 len;
	} bad[] = {
		{SECTORS, 512},
		{SECTORS - 1, 1024},
		{0, 511},
		{0, 513},
		{0, 1},
		{~0ull, 512},
		{~0ull - 1, 1024},
		{1ull << 55, 512}, /* overflows when shifted to bytes */
		{1ull << 63, 512},
		{(1ull << 55) + 3, 512},
		{0, SECTORS * 512 + 512},
	};
	u32 used;

	create(f, (struct virtio_blk_params){0});
	vg_bring_up(&f->g, FLUSH, 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		*(u8 *)vg_ptr(&f->g, BUF) = 0xcc;
		assert_int_equal(request(&f->g, VIRTIO_BLK_T_IN, bad[i].sector, BUF, bad[i].len,
					 true, &used),
				 VIRTIO_BLK_S_IOERR);
		assert_int_equal(used, 0); /* nothing from the start on was written */
		assert_int_equal(*(u8 *)vg_ptr(&f->g, BUF), 0xcc);
		assert_int_equal(request(&f->g, VIRTIO_BLK_T_OUT, bad[i].sector, BUF, bad[i].len,
					 false, NULL),
				 VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(host_byte(f, 0), 0);
	assert_int_equal(host_byte(f, (SECTORS - 1) * 512), SECTORS - 1);
}

static void test_wipe_checks(void **state)
{
	struct fixture *f = *state;
	static const struct {
		struct wipe w;
		u8 zero_status, discard_status;
	} bad[] = {
		{{SECTORS, 1, 0}, 1, 1},    {{SECTORS - 1, 2, 0}, 1, 1},
		{{~0ull, 1, 0}, 1, 1},	    {{~0ull, 0xffffffff, 0}, 1, 1},
		{{0, 0xffffffff, 0}, 1, 1}, {{1ull << 55, 8, 0}, 1, 1},
		{{0, 8, 2}, 2, 2},	    {{0, 8, 0x80000000}, 2, 2},
		{{0, 0, 1}, 0, 2}, /* unmap is not for discard */
	};
	struct wipe many[9];

	create(f, (struct virtio_blk_params){0});
	vg_bring_up(&f->g, FLUSH, 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(wipe(f, VIRTIO_BLK_T_WRITE_ZEROES, &bad[i].w, 16),
				 bad[i].zero_status);
		assert_int_equal(wipe(f, VIRTIO_BLK_T_DISCARD, &bad[i].w, 16),
				 bad[i].discard_status);
	}
	/* Not whole segments, none, or more than announced. */
	memset(many, 0, sizeof(many));
	assert_int_equal(wipe(f, VIRTIO_BLK_T_DISCARD, many, 15), 1);
	assert_int_equal(wipe(f, VIRTIO_BLK_T_DISCARD, many, 17), 1);
	assert_int_equal(wipe(f, VIRTIO_BLK_T_DISCARD, many, 0), 1);
	assert_int_equal(wipe(f, VIRTIO_BLK_T_DISCARD, many, sizeof(many)), 1);
	/* One bad segment among good ones: nothing is done. */
	many[0] = (struct wipe){20, 4, 0};
	many[1] = (struct wipe){SECTORS, 4, 0};
	assert_int_equal(wipe(f, VIRTIO_BLK_T_WRITE_ZEROES, many, 32), 1);
	assert_int_equal(host_byte(f, 20 * 512), 20);
}

static void test_unknown_type(void **state)
{
	struct fixture *f = *state;
	static const u32 types[] = {2, 3, 5, 7, 9, 10, 12, 14, 0x80000000, 0xffffffff};

	create(f, (struct virtio_blk_params){0});
	vg_bring_up(&f->g, FLUSH, 1);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		assert_int_equal(request(&f->g, types[i], 0, BUF, 512, true, NULL),
				 VIRTIO_BLK_S_UNSUPP);
}

static void expect_broken(struct fixture *f, const struct vg_seg *seg, unsigned n)
{
	vg_bring_up(&f->g, FLUSH, 1);
	put_header(&f->g, VIRTIO_BLK_T_IN, 0);
	vg_submit(&f->g, 0, seg, n);
	vg_wait_broken(&f->g);
	assert_int_equal(vg_used_idx(&f->g.q[0]), 0);
	assert_int_equal(*(u8 *)vg_ptr(&f->g, STATUS), 0xee);
}

/* Too short a header, or no place for the status: the device stops, and a reset brings it back. */
static void test_malformed(void **state)
{
	struct fixture *f = *state;
	const struct vg_seg short_header[] = {{HDR, 15, false}, {STATUS, 1, true}};
	const struct vg_seg no_header[] = {{BUF, 512, true}, {STATUS, 1, true}};
	const struct vg_seg no_status[] = {{HDR, 16, false}};
	const struct vg_seg header_writable[] = {{HDR, 16, true}, {STATUS, 1, true}};
	const struct vg_seg status_readable[] = {{HDR, 16, false}, {STATUS, 1, false}};
	const struct vg_seg outside[] = {
		{HDR, 16, false}, {0x0a000000, 512, true}, {STATUS, 1, true}};

	create(f, (struct virtio_blk_params){0});
	expect_broken(f, short_header, 2);
	expect_broken(f, no_header, 2);
	expect_broken(f, no_status, 1);
	expect_broken(f, header_writable, 2);
	expect_broken(f, status_readable, 2);
	expect_broken(f, outside, 3);
	vg_bring_up(&f->g, FLUSH, 1);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_IN, 3, BUF, 512, true, NULL), 0);
}

/* Data in the wrong direction is no data: a read with readable buffers reads nothing. */
static void test_direction(void **state)
{
	struct fixture *f = *state;
	u32 used;

	create(f, (struct virtio_blk_params){0});
	vg_bring_up(&f->g, FLUSH, 1);
	memset(vg_ptr(&f->g, BUF), 0xcc, 512);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_IN, 3, BUF, 512, false, &used), 0);
	assert_int_equal(used, 1);
	assert_int_equal(*(u8 *)vg_ptr(&f->g, BUF), 0xcc);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_OUT, 3, BUF, 512, true, NULL), 0);
	assert_int_equal(host_byte(f, 3 * 512), 3);
}

/* The image shrinks while the guest runs: an I/O error, no crash, no stale data. */
static void test_image_truncated(void **state)
{
	struct fixture *f = *state;

	create(f, (struct virtio_blk_params){0});
	vg_bring_up(&f->g, FLUSH, 1);
	assert_int_equal(truncate(f->path, 512), 0);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_IN, 5, BUF, 512, true, NULL), 1);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_IN, 0, BUF, 1024, true, NULL), 1);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_IN, 0, BUF, 512, true, NULL), 0);
}

struct flipper {
	u8 *header;
	_Atomic bool stop;
};

static void *flip_header(void *arg)
{
	struct flipper *f = arg;
	volatile u64 *sector = (volatile u64 *)(void *)(f->header + 8);

	while (!f->stop) {
		*sector = 1ull << 55;
		*sector = 7;
		*sector = ~0ull;
		*sector = SECTORS - 1;
	}
	return NULL;
}

/*
 * The guest rewrites the header while the device works. It is read once: what was checked is what
 * is done, so a read gives sector 7, the last one, or an error, and never anything else.
 */
static void test_header_rewritten(void **state)
{
	struct fixture *f = *state;
	struct flipper fl;
	pthread_t t;

	VG_RACES_ON_PURPOSE();
	create(f, (struct virtio_blk_params){0});
	vg_bring_up(&f->g, FLUSH, 1);
	put_header(&f->g, VIRTIO_BLK_T_IN, 7); /* the other thread may start late */
	fl = (struct flipper){.header = vg_ptr(&f->g, HDR)};
	assert_int_equal(pthread_create(&t, NULL, flip_header, &fl), 0);
	for (unsigned i = 0; i < 300; i++) {
		const struct vg_seg seg[] = {{HDR, 16, false}, {BUF, 512, true}, {STATUS, 1, true}};
		u8 *buf = vg_ptr(&f->g, BUF), status;

		buf[0] = buf[511] = 0xcc;
		vg_submit(&f->g, 0, seg, 3);
		vg_wait_used(&f->g, 0, NULL);
		status = *(u8 *)vg_ptr(&f->g, STATUS);
		assert_int_equal(buf[0], buf[511]);
		if (status == VIRTIO_BLK_S_OK)
			assert_true(buf[0] == 7 || buf[0] == SECTORS - 1);
		else
			assert_int_equal(buf[0], 0xcc);
	}
	fl.stop = true;
	pthread_join(t, NULL);
}

/* --- Construction ----------------------------------------------------------------------------- */

static int try_create(struct fixture *f, struct virtio_blk_params p, const char **err)
{
	struct device *dev = NULL;
	int ret;

	p.id = "disk1";
	p.sandbox = VG_SANDBOX;
	ret = virtio_blk_create(&p, &f->g.mem, &f->g.irq, &dev, err);
	if (!ret)
		dev->ops->destroy(dev);
	return ret;
}

static void test_create_errors(void **state)
{
	struct fixture *f = *state;
	const char *err = NULL;

	assert_int_equal(try_create(f, (struct virtio_blk_params){.path = "/nonexistent"}, &err),
			 -ENOENT);
	assert_non_null(err);
	assert_int_equal(
		try_create(f, (struct virtio_blk_params){.path = "/tmp", .readonly = true}, &err),
		-EINVAL);
	assert_int_equal(try_create(f, (struct virtio_blk_params){.path = "/dev/null"}, &err),
			 -EINVAL);
	assert_int_equal(
		try_create(f, (struct virtio_blk_params){.path = f->path, .queue_size = 48}, &err),
		-EINVAL);
	assert_int_equal(
		try_create(f, (struct virtio_blk_params){.path = f->path, .num_queues = 17}, &err),
		-EINVAL);
	assert_int_equal(try_create(f,
				    (struct virtio_blk_params){.path = f->path,
							       .serial = "123456789012345678901"},
				    &err),
			 -EINVAL);
	assert_int_equal(truncate(f->path, 511), 0);
	assert_int_equal(try_create(f, (struct virtio_blk_params){.path = f->path}, &err), -EINVAL);
}

static void test_locked(void **state)
{
	struct fixture *f = *state;
	const char *err;
	struct virtio_blk_params p = {.path = f->path};

	create(f, (struct virtio_blk_params){0});
	assert_int_equal(try_create(f, p, &err), -EBUSY);
	p.readonly = true;
	assert_int_equal(try_create(f, p, &err), -EBUSY);
	f->g.dev->ops->destroy(f->g.dev);
	create(f, (struct virtio_blk_params){.readonly = true});
	assert_int_equal(try_create(f, p, &err), 0); /* readers share */
	p.readonly = false;
	assert_int_equal(try_create(f, p, &err), -EBUSY);
}

/* The bytes QEMU locks: of a machine that reads (100, 201, 203), of one that writes (101, 103 too).
 */
static void test_locked_by_qemu(void **state)
{
	static const off_t bytes[] = {100, 201, 203, 101, 103};
	struct fixture *f = *state;
	struct virtio_blk_params p = {.path = f->path};
	int fd = open(f->path, O_RDWR | O_CLOEXEC);
	const char *err;

	assert_true(fd >= 0);
	for (unsigned i = 0; i < ARRAY_SIZE(bytes); i++) {
		struct flock fl = {
			.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = bytes[i], .l_len = 1};

		assert_int_equal(fcntl(fd, F_OFD_SETLK, &fl), 0);
		if (i < 2)
			continue;
		p.readonly = true;
		assert_int_equal(try_create(f, p, &err), i == 2 ? 0 : -EBUSY);
		p.readonly = false;
		assert_int_equal(try_create(f, p, &err), -EBUSY);
	}
	close(fd);
}

/* The whole device inside its sandbox: no request may need a call its list lacks. */
static void test_sandboxed(void **state)
{
	struct fixture *f = *state;
	const struct wipe w = {8, 8, 1};

	create(f, (struct virtio_blk_params){0});
	vg_bring_up(&f->g, FLUSH, 1);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_IN, 3, BUF, 512, true, NULL), 0);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_OUT, 3, BUF, 512, false, NULL), 0);
	assert_int_equal(request(&f->g, VIRTIO_BLK_T_FLUSH, 3, 0, 0, false, NULL), 0);
	assert_int_equal(wipe(f, VIRTIO_BLK_T_WRITE_ZEROES, &w, sizeof(w)), 0);
	assert_int_equal(wipe(f, VIRTIO_BLK_T_DISCARD, &w, 15), 1);
	vg_make_avail(&f->g.q[0], 0xffff); /* a warning to print */
	vg_kick(&f->g, 0);
	vg_wait_broken(&f->g);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_config),		 T(test_read),
		T(test_scattered),	 T(test_indirect_and_event_index),
		T(test_write_and_flush), T(test_writethrough),
		T(test_get_id),		 T(test_discard_write_zeroes),
		T(test_direct),		 T(test_resize),
		T(test_readonly),	 T(test_sector_arithmetic),
		T(test_wipe_checks),	 T(test_unknown_type),
		T(test_malformed),	 T(test_direction),
		T(test_image_truncated), T(test_header_rewritten),
		T(test_create_errors),	 T(test_locked),
		T(test_locked_by_qemu),	 T(test_sandboxed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "tests/unit/virtio_guest.h"

#include "devices/virtio/rng.h"

static void create(struct vg *g)
{
	const char *err;
	struct virtio_rng_params p = {.id = "rng0", .sandbox = VG_SANDBOX};

	vg_init(g);
	assert_int_equal(virtio_rng_create(&p, &g->mem, &g->irq, &g->dev, &err), 0);
	assert_int_equal(vg_read(g, VIRTIO_MMIO_DEVICE_ID), 4);
	vg_bring_up(g, BIT(VIRTIO_RING_F_INDIRECT_DESC), 1);
}

static unsigned zeroes(const u8 *p, unsigned n)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n; i++)
		count += !p[i];
	return count;
}

static void test_fills(void **state)
{
	const struct vg_seg seg[] = {{VG_DATA, 700, true}, {VG_DATA + 0x1000, 300, true}};
	u8 first[700];
	struct vg g;

	create(&g);
	vg_submit(&g, 0, seg, 2);
	assert_int_equal(vg_wait_used(&g, 0, NULL), 1000);
	memcpy(first, vg_ptr(&g, VG_DATA), 700);
	/* 700 fair bytes hold about three zeroes; twenty would be one chance in 10^11. */
	assert_in_range(zeroes(first, 700), 0, 19);
	assert_in_range(zeroes(vg_ptr(&g, VG_DATA + 0x1000), 300), 0, 19);
	assert_int_equal(*(u8 *)vg_ptr(&g, VG_DATA + 700), 0); /* not a byte more */
	assert_int_equal(*(u8 *)vg_ptr(&g, VG_DATA + 0x1000 + 300), 0);
	vg_submit(&g, 0, seg, 2);
	vg_wait_used(&g, 0, NULL);
	assert_memory_not_equal(first, vg_ptr(&g, VG_DATA), 700);
	vg_exit(&g);
}

/* A request for a megabyte gets less, which is allowed, and used.len says how much. */
static void test_bounded(void **state)
{
	const struct vg_seg seg[] = {{VG_DATA, 1 << 20, true}};
	struct vg g;
	u32 n;

	create(&g);
	vg_submit(&g, 0, seg, 1);
	n = vg_wait_used(&g, 0, NULL);
	assert_int_equal(n, 64 << 10);
	assert_int_equal(zeroes(vg_ptr(&g, VG_DATA + n), 4096), 4096);
	vg_exit(&g);
}

/* Readable buffers stay as they are; a chain without a writable one gets nothing. */
static void test_readable_untouched(void **state)
{
	const struct vg_seg mixed[] = {{VG_DATA, 64, false}, {VG_DATA + 64, 64, true}};
	struct vg g;

	create(&g);
	vg_submit(&g, 0, mixed, 2);
	assert_int_equal(vg_wait_used(&g, 0, NULL), 64);
	assert_int_equal(zeroes(vg_ptr(&g, VG_DATA), 64), 64);
	vg_submit(&g, 0, mixed, 1);
	assert_int_equal(vg_wait_used(&g, 0, NULL), 0);
	vg_exit(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fills),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_readable_untouched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

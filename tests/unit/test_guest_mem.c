/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/guest_mem.h"

#define BASE 0x40000000ull
#define SIZE (1ull << 20)

static struct guest_mem mem;

static int setup(void **state)
{
	memset(&mem, 0, sizeof(mem));
	return guest_mem_add(&mem, GPA(BASE), SIZE) || guest_mem_add(&mem, GPA(BASE + SIZE), SIZE);
}

static int teardown(void **state)
{
	guest_mem_free(&mem);
	return 0;
}

static void slice_inside_ram(void **state)
{
	u8 *p = guest_slice(&mem, GPA(BASE), SIZE);

	assert_non_null(p);
	assert_ptr_equal(guest_slice(&mem, GPA(BASE + 0x1234), 1), p + 0x1234);
	assert_ptr_equal(guest_slice(&mem, GPA(BASE + SIZE - 1), 1), p + SIZE - 1);
	assert_ptr_equal(guest_slice(&mem, GPA(BASE + 16), 0), p + 16);
}

static void slice_outside_ram(void **state)
{
	assert_null(guest_slice(&mem, GPA(0), 1));
	assert_null(guest_slice(&mem, GPA(BASE - 1), 1));
	assert_null(guest_slice(&mem, GPA(BASE - 1), 2));
	assert_null(guest_slice(&mem, GPA(BASE + 2 * SIZE - 1), 2));
	assert_null(guest_slice(&mem, GPA(BASE + 2 * SIZE), 1));
	assert_null(guest_slice(&mem, GPA(BASE), ~0ull));
	assert_null(guest_slice(&mem, GPA(BASE + 1), ~0ull));
	assert_null(guest_slice(&mem, GPA(~0ull), 2));
}

/* Two regions that touch are two host mappings: nothing says that those touch. */
static void slice_spans_regions(void **state)
{
	assert_non_null(guest_slice(&mem, GPA(BASE + SIZE), SIZE));
	assert_null(guest_slice(&mem, GPA(BASE + SIZE - 1), 2));
}

static void copies_are_checked(void **state)
{
	u32 in = 0x12345678, out = 0;

	assert_int_equal(guest_write(&mem, GPA(BASE + 6), &in, 4), 0);
	assert_int_equal(guest_read(&mem, GPA(BASE + 6), &out, 4), 0);
	assert_int_equal(out, in);
	out = 7;
	assert_int_equal(guest_read(&mem, GPA(BASE + 2 * SIZE - 3), &out, 4), -EFAULT);
	assert_int_equal(out, 7);
	assert_int_equal(guest_write(&mem, GPA(BASE + 2 * SIZE - 3), &in, 4), -EFAULT);
	assert_int_equal(guest_read(&mem, GPA(BASE + 2 * SIZE - 3), &out, 3), 0);
	assert_int_equal(out & 0xffffff, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(slice_inside_ram, setup, teardown),
		cmocka_unit_test_setup_teardown(slice_outside_ram, setup, teardown),
		cmocka_unit_test_setup_teardown(slice_spans_regions, setup, teardown),
		cmocka_unit_test_setup_teardown(copies_are_checked, setup, teardown),
	};

	return cmocka_run_group_tests_name("guest_mem", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include "devices/pl031.h"

enum { DR = 0, MR = 4, LR = 8, CR = 0xc, IMSC = 0x10, RIS = 0x14, MIS = 0x18, ICR = 0x1c };

static struct event_loop *loop;
static struct device *rtc;
static bool irq;

static void set_irq(void *opaque, unsigned n, bool level)
{
	irq = level;
}

static int setup(void **state)
{
	struct pl031_params p = {.irq.set = set_irq};

	irq = false;
	if (event_loop_create(&loop))
		return -1;
	p.loop = loop;
	return pl031_create(&p, &rtc);
}

static int teardown(void **state)
{
	rtc->ops->destroy(rtc);
	event_loop_destroy(loop);
	return 0;
}

static u32 rd(u64 reg)
{
	u64 val = ~0ull;

	assert_int_equal(rtc->ops->mmio_read(rtc, reg, 4, &val), 0);
	return (u32)val;
}

static void wr(u64 reg, u32 val)
{
	assert_int_equal(rtc->ops->mmio_write(rtc, reg, 4, val), 0);
}

static void test_counts_host_time(void **state)
{
	u32 now = (u32)time(NULL);

	assert_in_range(rd(DR), now, now + 1);
	assert_int_equal(rd(CR), 1);
	assert_int_equal(rd(0xfe0), 0x31);
	wr(LR, 1000);
	assert_in_range(rd(DR), 1000, 1001);
	assert_int_equal(rd(LR), 1000);
	rtc->ops->reset(rtc);
	assert_in_range(rd(DR), 1000, 1002); /* a battery keeps it */
}

static void test_alarm(void **state)
{
	wr(IMSC, 1);
	wr(MR, rd(DR) + 1);
	assert_false(irq);
	for (unsigned i = 0; i < 30 && !irq; i++)
		event_loop_poll(loop, 100);
	assert_true(irq);
	assert_int_equal(rd(MIS), 1);
	assert_in_range(rd(DR), rd(MR), rd(MR) + 1);
	wr(ICR, 1);
	assert_false(irq);
	wr(IMSC, 0);
	wr(MR, rd(DR)); /* now */
	assert_int_equal(rd(RIS), 1);
	assert_int_equal(rd(MIS), 0);
	assert_false(irq);
}

static void test_save_load(void **state)
{
	u8 record[64];
	ssize_t len;

	wr(LR, 5000);
	wr(IMSC, 1);
	wr(MR, rd(DR));
	assert_true(irq);
	len = rtc->ops->save(rtc, record, sizeof(record));
	assert_true(len > 0);
	assert_int_equal(rtc->ops->save(rtc, record, 4), -ENOSPC);
	rtc->ops->reset(rtc);
	assert_false(irq);
	assert_int_equal(rtc->ops->load(rtc, 1, record, (size_t)len), 0);
	assert_true(irq);
	assert_in_range(rd(DR), 5000, 5002);
	assert_int_equal(rtc->ops->load(rtc, 9, record, (size_t)len), -EINVAL);
	assert_int_equal(rtc->ops->load(rtc, 1, record, (size_t)len + 1), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_counts_host_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alarm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_save_load, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

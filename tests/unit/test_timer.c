/* SPDX-License-Identifier: MIT */
/* Generic timers against a clock the test turns. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "devices/timer.h"

#define CNT(crm, op2) (3u << 14 | 3u << 11 | 14u << 7 | (crm) << 3 | (op2))
#define CNTP_TVAL     CNT(2, 0)
#define CNTP_CTL      CNT(2, 1)
#define CNTP_CVAL     CNT(2, 2)
#define CNTV_TVAL     CNT(3, 0)
#define CNTV_CTL      CNT(3, 1)
#define CNTV_CVAL     CNT(3, 2)

static struct gtimer *t;
static u64 now;
static bool line[4][32];
static unsigned arms;
static u64 armed_ns[4];

static u64 clock_now(void *opaque)
{
	return now;
}

static void ppi(void *opaque, unsigned cpu, unsigned intid, bool level)
{
	line[cpu][intid] = level;
}

static void arm(void *opaque, unsigned cpu, u64 ns)
{
	arms++;
	armed_ns[cpu] = ns;
}

static int setup(void **state)
{
	struct gtimer_params p = {.n_cpus = 4, .clock = clock_now, .ppi = ppi, .arm = arm};

	now = 1000;
	arms = 0;
	memset(line, 0, sizeof(line));
	return gtimer_create(&p, &t);
}

static int teardown(void **state)
{
	gtimer_device(t)->ops->destroy(gtimer_device(t));
	return 0;
}

static u64 mrs(unsigned cpu, u32 id)
{
	u64 val = ~0ull;

	assert_int_equal(gtimer_sysreg_read(t, cpu, id, &val), 0);
	return val;
}

static void msr(unsigned cpu, u32 id, u64 val)
{
	assert_int_equal(gtimer_sysreg_write(t, cpu, id, val), 0);
}

static void test_registers(void **state)
{
	u64 val;

	msr(0, CNTV_CVAL, 5000);
	assert_int_equal(mrs(0, CNTV_CVAL), 5000);
	assert_int_equal(mrs(0, CNTV_TVAL), 4000);
	msr(0, CNTV_TVAL, 0xffffffff); /* signed: one tick ago */
	assert_int_equal(mrs(0, CNTV_CVAL), 999);
	assert_int_equal(mrs(0, CNTV_TVAL), 0xffffffff);
	msr(0, CNTV_CTL, 0xff);
	assert_int_equal(mrs(0, CNTV_CTL), 7); /* ENABLE, IMASK, ISTATUS */
	assert_int_equal(mrs(0, CNTP_CVAL), 0);
	assert_int_equal(mrs(1, CNTV_CVAL), 0);
	assert_int_equal(gtimer_sysreg_read(t, 0, CNT(0, 0), &val), -ENOENT);
	assert_int_equal(gtimer_sysreg_read(t, 0, CNT(3, 3), &val), -ENOENT);
	assert_int_equal(gtimer_sysreg_write(t, 0, CNT(4, 1), 0), -ENOENT);
}

static void test_fires(void **state)
{
	msr(1, CNTV_CVAL, 3000);
	assert_int_equal(arms, 0);
	msr(1, CNTV_CTL, 1);
	assert_int_equal(arms, 1);
	assert_int_equal(armed_ns[1], 2000);
	now = 2999; /* the host was early: asked again for the rest */
	gtimer_expire(t, 1);
	assert_false(line[1][27]);
	assert_int_equal(arms, 2);
	assert_int_equal(armed_ns[1], 1);
	assert_int_equal(mrs(1, CNTV_CTL), 1);
	now = 3000;
	gtimer_expire(t, 1);
	assert_true(line[1][27]);
	assert_false(line[0][27] || line[1][30]);
	assert_int_equal(mrs(1, CNTV_CTL), 5);
	msr(1, CNTV_CTL, 3); /* masked: status stays, the line falls */
	assert_false(line[1][27]);
	assert_int_equal(mrs(1, CNTV_CTL), 7);
	msr(1, CNTV_CTL, 1);
	assert_true(line[1][27]);
	msr(1, CNTV_CVAL, 9000);
	assert_false(line[1][27]);
}

static void test_later_deadlines_cost_nothing(void **state)
{
	msr(0, CNTV_CVAL, 5000);
	msr(0, CNTV_CTL, 1);
	assert_int_equal(arms, 1);
	for (u64 cval = 6000; cval < 20000; cval += 100)
		msr(0, CNTV_CVAL, cval);
	assert_int_equal(arms, 1);
	now = 5000;
	gtimer_expire(t, 0); /* what was asked for comes, finds nothing due, asks for the new one */
	assert_false(line[0][27]);
	assert_int_equal(arms, 2);
	assert_int_equal(armed_ns[0], 19900 - 5000);
	msr(0, CNTP_CVAL, 6000); /* earlier: at once */
	msr(0, CNTP_CTL, 1);
	assert_int_equal(arms, 3);
	now = 6000;
	gtimer_expire(t, 0);
	assert_true(line[0][30] && !line[0][27]);
}

static void test_sleep(void **state)
{
	msr(0, CNTV_CVAL, 5000);
	msr(0, CNTV_CTL, 1);
	msr(0, CNTP_CVAL, 4000);
	msr(0, CNTP_CTL, 3); /* masked: nothing to wake for */
	arms = 0;
	assert_int_equal(gtimer_sleep_begin(t, 0), 5000);
	now = 5000;
	gtimer_expire(t, 0); /* the main loop may still come by */
	assert_int_equal(arms, 0);
	gtimer_sleep_end(t, 0);
	assert_true(line[0][27]);
	assert_int_equal(arms, 0);
	msr(0, CNTV_CVAL, 8000);
	assert_int_equal(arms, 1);
	msr(0, CNTV_CTL, 0);
	assert_int_equal(gtimer_sleep_begin(t, 0), GTIMER_NEVER);
	gtimer_sleep_end(t, 0);
	/* Woken early: the rest is the main loop's again. */
	gtimer_expire(t, 0);
	arms = 0;
	msr(0, CNTV_CTL, 1);
	assert_int_equal(arms, 1);
	now = 8000;
	assert_int_equal(gtimer_sleep_begin(t, 0), GTIMER_NEVER); /* due already, raised */
	assert_true(line[0][27]);
	gtimer_sleep_end(t, 0);
}

static void test_far_compare(void **state)
{
	msr(0, CNTV_CVAL, ~0ull); /* Linux's way to say never */
	msr(0, CNTV_CTL, 1);
	assert_false(line[0][27]);
	assert_int_equal(arms, 0);
	msr(0, CNTV_CVAL, 1ull << 62); /* beyond what a timerfd takes: a shorter wait, then again */
	assert_int_equal(armed_ns[0], 3600000000000);
	now += 3600000000000;
	gtimer_expire(t, 0);
	assert_false(line[0][27]);
	assert_int_equal(arms, 2);
	msr(0, CNTV_CVAL, 0);
	assert_true(line[0][27]);
}

static void test_save_load_reset(void **state)
{
	struct device *d = gtimer_device(t);
	u8 record[4 * 64];
	ssize_t len;

	msr(2, CNTV_CVAL, 500);
	msr(2, CNTV_CTL, 1);
	len = d->ops->save(d, record, sizeof(record));
	assert_true(len > 0);
	assert_int_equal(d->ops->save(d, record, 8), -ENOSPC);
	d->ops->reset(d);
	assert_false(line[2][27]);
	assert_int_equal(mrs(2, CNTV_CTL), 0);
	assert_int_equal(d->ops->load(d, 1, record, (size_t)len - 1), -EINVAL);
	assert_int_equal(d->ops->load(d, 1, record, (size_t)len), 0);
	assert_true(line[2][27]);
	assert_int_equal(mrs(2, CNTV_CVAL), 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_registers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fires, setup, teardown),
		cmocka_unit_test_setup_teardown(test_later_deadlines_cost_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sleep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_far_compare, setup, teardown),
		cmocka_unit_test_setup_teardown(test_save_load_reset, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

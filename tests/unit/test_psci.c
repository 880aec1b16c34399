/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "devices/psci.h"

static u64 on[3];
static unsigned offs, resets;

static s64 cpu_on(void *opaque, u64 mpidr, u64 entry, u64 context)
{
	on[0] = mpidr;
	on[1] = entry;
	on[2] = context;
	return mpidr == 1 ? PSCI_SUCCESS : PSCI_INVALID_PARAMETERS;
}

static s64 affinity_info(void *opaque, u64 mpidr)
{
	return mpidr == 1 ? 1 : PSCI_INVALID_PARAMETERS;
}

static void system_off(void *opaque)
{
	offs++;
}

static void system_reset(void *opaque)
{
	resets++;
}

static const struct psci_ops ops = {cpu_on, affinity_info, system_off, system_reset, NULL};

static enum psci_action action;

static s64 call(u64 fn, u64 a, u64 b, u64 c)
{
	u64 x[4] = {fn, a, b, c};

	action = psci_call(&ops, x);
	return (s64)x[0];
}

static void test_discovery(void **state)
{
	assert_int_equal(call(0x84000000, 0, 0, 0), 0x10001); /* PSCI 1.1 */
	assert_int_equal(call(0x80000000, 0, 0, 0), 0x10001); /* SMCCC 1.1 */
	assert_int_equal(call(0x84000006, 0, 0, 0), 2);
	assert_int_equal(call(0x8400000a, 0xc4000003, 0, 0), 0);
	assert_int_equal(call(0x8400000a, 0x80000000, 0, 0), 0);
	assert_int_equal(call(0x8400000a, 0x8400000e, 0, 0), PSCI_NOT_SUPPORTED);
	assert_int_equal(call(0x80000001, 0x80000001, 0, 0), 0);
	for (u64 fn = 0x80007fff; fn <= 0x80008000; fn++) {
		assert_int_equal(call(0x80000001, fn, 0, 0), 1); /* not needed on this CPU */
		assert_int_equal(call(fn, 0, 0, 0), fn);	 /* harmless if made anyway */
	}
	assert_int_equal(call(0x80000001, 0x80003fff, 0, 0), 1);
	assert_int_equal(call(0x80000001, 0x80000050, 0, 0), PSCI_NOT_SUPPORTED);
	assert_int_equal(call(0x12345678, 0, 0, 0), PSCI_NOT_SUPPORTED);
	assert_int_equal(call(0, 0, 0, 0), PSCI_NOT_SUPPORTED);
	assert_int_equal(action, PSCI_DONE);
}

static void test_cpus(void **state)
{
	assert_int_equal(call(0xc4000003, 1, 0x123456789a, 0xfedcba9876543210), PSCI_SUCCESS);
	assert_int_equal(on[1], 0x123456789a);
	assert_int_equal(on[2], 0xfedcba9876543210);
	/* The 32-bit form takes lower halves. */
	assert_int_equal(call(0x84000003, 0xf00000001, 0x123456789a, 0xfedcba9876543210), 0);
	assert_int_equal(on[0], 1);
	assert_int_equal(on[1], 0x3456789a);
	assert_int_equal(on[2], 0x76543210);
	assert_int_equal(call(0xc4000003, 2, 0, 0), PSCI_INVALID_PARAMETERS);
	assert_int_equal(call(0xc4000004, 1, 0, 0), 1);
	assert_int_equal(call(0xc4000004, 1, 1, 0), PSCI_INVALID_PARAMETERS);
	call(0x84000002, 0, 0, 0);
	assert_int_equal(action, PSCI_CPU_OFF);
	assert_int_equal(call(0xc4000001, 0x10000, 0, 0), PSCI_SUCCESS);
	assert_int_equal(action, PSCI_SUSPEND);
}

static void test_system(void **state)
{
	call(0x84000008, 0, 0, 0);
	assert_int_equal(action, PSCI_SYSTEM);
	assert_int_equal(offs, 1);
	call(0x84000009, 0, 0, 0);
	assert_int_equal(action, PSCI_SYSTEM);
	call(0xc4000012, 0, 0, 0);
	assert_int_equal(action, PSCI_SYSTEM);
	assert_int_equal(resets, 2);
	assert_int_equal(call(0xc4000012, 0x80000000, 0, 0), PSCI_INVALID_PARAMETERS);
	assert_int_equal(action, PSCI_DONE);
	assert_int_equal(resets, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_discovery),
		cmocka_unit_test(test_cpus),
		cmocka_unit_test(test_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

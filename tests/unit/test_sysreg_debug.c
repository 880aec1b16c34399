/* SPDX-License-Identifier: MIT */
/* Debug registers and performance monitors. */
#include "tests/unit/sysreg_fixture.h"

static void test_os_lock(void **state)
{
	u64 val;

	go(1);
	assert_int_equal(read_reg(R(2, 0, 1, 1, 4), &val), DONE);
	assert_true(val == 0xa);
	assert_int_equal(write_reg(R(2, 0, 1, 0, 4), 0), DONE);
	assert_int_equal(read_reg(R(2, 0, 1, 1, 4), &val), DONE);
	assert_true(val == 8);
	assert_int_equal(write_reg(R(2, 0, 1, 0, 4), 1), DONE);
	assert_int_equal(read_reg(R(2, 0, 1, 1, 4), &val), DONE);
	assert_true(val == 0xa);
}

static void test_claim(void **state)
{
	const u32 set = R(2, 0, 7, 8, 6), clr = R(2, 0, 7, 9, 6);
	u64 val;

	go(1);
	write_reg(set, 0x105);
	read_reg(set, &val);
	assert_true(val == 0xff);
	read_reg(clr, &val);
	assert_true(val == 5);
	write_reg(clr, 4);
	read_reg(clr, &val);
	assert_true(val == 1);
}

static void test_pmu(void **state)
{
	const u32 pmcr = R(3, 3, 9, 12, 0), enset = R(3, 3, 9, 12, 1), enclr = R(3, 3, 9, 12, 2);
	const u32 ccntr = R(3, 3, 9, 13, 0), ev2 = R(3, 3, 14, 8, 2), type2 = R(3, 3, 14, 12, 2);
	u64 val;

	calls.clock = 1000;
	go(1);
	read_reg(pmcr, &val);
	assert_int_equal(val >> 11 & 31, PMU_N);
	assert_int_equal(val & 1, 0);
	write_reg(type2, 0x11);
	write_reg(enset, BIT(31) | BIT(2));
	read_reg(ccntr, &val);
	assert_true(val == 0);
	write_reg(pmcr, 1);
	calls.clock = 1500;
	read_reg(ccntr, &val);
	assert_true(val == 500);
	read_reg(ev2, &val);
	assert_true(val == 500);
	write_reg(enclr, BIT(2));
	calls.clock = 1600;
	read_reg(ev2, &val);
	assert_true(val == 500);
	write_reg(ev2, 7);
	write_reg(enset, BIT(2));
	calls.clock = 1700;
	read_reg(ev2, &val);
	assert_true(val == 107);
	write_reg(pmcr, 1 | 2); /* event counters to zero */
	read_reg(ev2, &val);
	assert_true(val == 0);
	read_reg(ccntr, &val);
	assert_true(val == 700);
	write_reg(pmcr, 4); /* cycle counter to zero, all stopped */
	calls.clock = 1800;
	read_reg(ccntr, &val);
	assert_true(val == 0);
	/* by selector */
	write_reg(R(3, 3, 9, 12, 5), 2);
	write_reg(R(3, 3, 9, 13, 2), 55);
	read_reg(ev2, &val);
	assert_true(val == 55);
	read_reg(R(3, 3, 9, 13, 1), &val);
	assert_true(val == 0x11);
	/* software increments, instructions exact when counted */
	write_reg(type2, 0);
	write_reg(pmcr, 1);
	write_reg(R(3, 3, 9, 12, 4), 4);
	read_reg(ev2, &val);
	assert_true(val == 56);
	cpu.stats.insns_executed = 1000;
	write_reg(type2, 8);
	assert_true(vm.count_insns);
	cpu.stats.insns_executed = 1234;
	read_reg(ev2, &val);
	assert_true(val == 56 + 234);
}

static struct {
	unsigned n;
	bool level;
	u64 ns;
} pmu_calls;

static void pmu_call(void *opaque, unsigned vcpu, bool level, u64 ns)
{
	pmu_calls.n++;
	pmu_calls.level = level;
	pmu_calls.ns = ns;
}

static void test_pmu_overflow(void **state)
{
	const u32 pmcr = R(3, 3, 9, 12, 0), enset = R(3, 3, 9, 12, 1), ovsclr = R(3, 3, 9, 12, 3);
	const u32 ccntr = R(3, 3, 9, 13, 0), ev0 = R(3, 3, 14, 8, 0), type0 = R(3, 3, 14, 12, 0);
	const u32 intenset = R(3, 0, 9, 14, 1), ccfiltr = R(3, 3, 14, 15, 7);
	u64 val;

	vm.cfg.ops.pmu = pmu_call;
	calls.clock = 0;
	go(1);
	/* a counter of 32 bits, the cycle counter of 64 */
	write_reg(type0, 0x11);
	write_reg(ev0, 0xfff00000);
	write_reg(ccntr, ~0ull - 999);
	write_reg(intenset, 1);
	write_reg(enset, BIT(31) | 1);
	write_reg(pmcr, 1);
	assert_false(pmu_calls.level);
	assert_true(pmu_calls.ns == 0x100000);
	calls.clock = 0xfffff;
	pmu_update(&cpu);
	assert_false(pmu_calls.level);
	read_reg(ovsclr, &val);
	assert_true(val == BIT(31));
	calls.clock = 0x100000;
	pmu_update(&cpu);
	assert_true(pmu_calls.level);
	read_reg(ovsclr, &val);
	assert_true(val == (BIT(31) | 1));
	write_reg(ovsclr, val);
	assert_false(pmu_calls.level);
	read_reg(ev0, &val);
	assert_true(val == BIT(32));
	/* not at EL1 */
	write_reg(pmcr, 1 | 2 | 4);
	write_reg(ccfiltr, BIT(31));
	calls.clock += 100;
	read_reg(ccntr, &val);
	assert_true(val == 0);
	pmu_set_el(&cpu, 0);
	calls.clock += 10;
	pmu_set_el(&cpu, 1);
	calls.clock += 1000;
	read_reg(ccntr, &val);
	assert_true(val == 10);
	/* a deadline set at EL1 for what counts at EL0 */
	write_reg(type0, BIT(31) | 0x11);
	write_reg(ev0, 0xfff00000);
	assert_true(pmu_calls.ns == 0x100000);
	pmu_set_el(&cpu, 0);
	calls.clock += 0x100000;
	pmu_update(&cpu);
	assert_true(pmu_calls.level);
	pmu_set_el(&cpu, 1);
	vm.cfg.ops.pmu = NULL;
}

static void test_pmu_gates(void **state)
{
	static const struct {
		u32 id;
		u8 read, write; /* PMUSERENR bits that open it, besides EN */
	} r[] = {
		{R(3, 3, 9, 12, 0), 0, 0}, {R(3, 3, 9, 13, 0), 4, 0}, {R(3, 3, 9, 13, 2), 8, 0},
		{R(3, 3, 9, 12, 5), 8, 8}, {R(3, 3, 14, 8, 1), 8, 0},
	};
	u64 val;

	for (unsigned i = 0; i < ARRAY_SIZE(r); i++)
		for (unsigned bits = 0; bits < 16; bits++) {
			go(0);
			cpu.sys.pmuserenr_el0 = bits;
			assert_int_equal(read_reg(r[i].id, &val),
					 bits & (1u | r[i].read) ? DONE : TRAP);
			go(0);
			assert_int_equal(write_reg(r[i].id, 0),
					 bits & (1u | r[i].write) ? DONE : TRAP);
		}
	go(0);
	cpu.sys.pmuserenr_el0 = 2;
	assert_int_equal(write_reg(R(3, 3, 9, 12, 4), 1), DONE); /* PMSWINC */
}

static void test_counters(void **state)
{
	u64 val;

	calls.clock = 0x123456789a;
	go(0);
	cpu.sys.cntkctl_el1 = 2;
	assert_int_equal(read_reg(R(3, 3, 14, 0, 2), &val), DONE);
	assert_true(val == 0x123456789a);
	assert_int_equal(read_reg(R(3, 3, 14, 0, 0), &val), DONE);
	assert_true(val == 1000000000);
	assert_int_equal(read_reg(R(3, 3, 14, 0, 1), &val), TRAP);
	go(0);
	cpu.sys.cntkctl_el1 = 1;
	assert_int_equal(read_reg(R(3, 3, 14, 0, 1), &val), DONE);
	assert_int_equal(read_reg(R(3, 3, 14, 0, 2), &val), TRAP);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(test_os_lock),      T(test_claim),	 T(test_pmu),
		T(test_pmu_overflow), T(test_pmu_gates), T(test_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* MRS, MSR and SYS instructions on the fixture's vCPU, and what became of them. */
#ifndef ARMATURE_TEST_SYSREG_FIXTURE_H
#define ARMATURE_TEST_SYSREG_FIXTURE_H

#include "dbt/a64/sysreg.h"
#include "tests/unit/sys_fixture.h"

#define MRS(id, rt)	 (0xd5200000u | (id) << 5 | (rt))
#define MSR(id, rt)	 (0xd5000000u | (id) << 5 | (rt))
#define R(a, b, c, d, e) SYSREG_ID(a, b, c, d, e)
#define SYS(op1, n, m, op2, rt) \
	(0xd5080000u | (op1) << 16 | (n) << 12 | (m) << 8 | (op2) << 5 | (rt))
#define MSR_IMM(op1, op2, imm) (0xd500401fu | (op1) << 16 | (imm) << 8 | (op2) << 5)

enum outcome { DONE, UNDEF, TRAP, FPTRAP };

static inline unsigned esr_ec(void)
{
	return (unsigned)(cpu.sys.esr_el1 >> 26);
}

static inline int setup(void **state)
{
	int ret = fixture_setup(state);

	cpu.sys.vbar_el1 = 0x40080000;
	cpu.sys.cpacr_el1 = 3 << 20;
	cpu.pc = 0x8000;
	return ret;
}

static inline void go(unsigned el)
{
	cpu_pstate_set(&cpu, el ? PSR_M_EL1H | 0x3c0 : PSR_M_EL0T);
	cpu.pc = 0x8000;
	cpu.sys.esr_el1 = 0;
}

/* Runs one instruction and says what became of it. */
static inline enum outcome run(helper_fn fn, u32 raw)
{
	u64 exceptions = cpu.stats.exceptions;
	int ret = fn(&cpu, raw);

	if (cpu.stats.exceptions == exceptions) {
		assert_true(cpu.pc == (ret == HELPER_JUMP ? 0x8004 : 0x8000));
		cpu.pc = 0x8000;
		return DONE;
	}
	assert_int_equal(ret, HELPER_JUMP);
	assert_true(cpu.sys.elr_el1 == 0x8000);
	switch (esr_ec()) {
	case 0x00: return UNDEF;
	case 0x18: return TRAP;
	case 0x07: return FPTRAP;
	default: fail_msg("unexpected EC %#x", esr_ec()); return UNDEF;
	}
}

static inline enum outcome read_reg(u32 id, u64 *val)
{
	enum outcome o;

	cpu.x[5] = 0x5555;
	o = run(helper_mrs, MRS(id, 5));
	*val = cpu.x[5];
	return o;
}

static inline enum outcome write_reg(u32 id, u64 val)
{
	cpu.x[5] = val;
	return run(helper_msr, MSR(id, 5));
}

#endif

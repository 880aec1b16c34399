/* SPDX-License-Identifier: MIT */
/* The system register table, access rights, side effects; SYS instructions. */
#include <errno.h>
#include <stdio.h>

#include "tests/unit/sysreg_fixture.h"

/* ---- the table ---- */

static void test_table(void **state)
{
	for (unsigned i = 0; i < sysregs_count; i++) {
		const struct sysreg *r = &sysregs[i];

		assert_ptr_equal(sysreg_find(r->id), r);
		assert_true(r->id >> 14 == 2 || r->id >> 14 == 3);
		assert_true(r->rd_el <= SYSREG_NEVER && r->wr_el <= SYSREG_NEVER);
		assert_false(r->rd_el == SYSREG_NEVER && r->wr_el == SYSREG_NEVER);
		assert_int_equal(!r->get, !r->set);
		/* op1 of the encoding says who may get there at all: 0 EL1, 3 EL0, 1 and 2 EL1 */
		if ((r->id >> 11 & 7) != 3) {
			assert_true(r->rd_el != 0 && r->wr_el != 0);
		}
		if (r->plain) {
			assert_true(r->offset);
			assert_int_equal(r->offset % 8, 0);
			assert_true(r->get == get_plain || r->get == get_sp_el0);
		}
		if (r->plain == 2)
			assert_true((r->set == set_plain && r->mask == ~0ull) ||
				    r->set == set_sp_el0);
		assert_int_equal(r->reset & ~(r->mask | r->fixed), 0);
	}
	assert_null(sysreg_find(R(3, 7, 15, 15, 7)));
	assert_null(sysreg_find(0));
}

/* Every register, both ways, from both ELs, all gates open or all shut. */
static void test_access(void **state)
{
	for (unsigned i = 0; i < sysregs_count; i++)
		for (unsigned v = 0; v < 8; v++) {
			const struct sysreg *r = &sysregs[i];
			bool el = v & 1, write = v & 2, open = v & 4;
			unsigned min = write ? r->wr_el : r->rd_el;
			enum outcome want = DONE, got;
			u64 val;

			setup(NULL);
			vm.cfg.gicv3_sysregs = true;
			cpu.sys.sctlr_el1 |= SCTLR_UMA | SCTLR_UCT;
			cpu.sys.sctlr_el1 &= ~SCTLR_TSCXT;
			cpu.sys.cntkctl_el1 = 0x303;
			cpu.sys.pmuserenr_el0 = 1;
			if (!open) {
				cpu.sys.sctlr_el1 ^= SCTLR_UMA | SCTLR_UCT | SCTLR_TSCXT;
				cpu.sys.cntkctl_el1 = 0;
				cpu.sys.pmuserenr_el0 = 0;
				cpu.sys.mdscr_el1 = MDSCR_TDCC;
				cpu.sys.cpacr_el1 = 0;
			}
			go(el);
			if (el < min || !r->get)
				want = UNDEF; /* forwarded: nobody answers here */
			else if (r->gate == GATE_FP && !open)
				want = FPTRAP;
			else if (r->gate != GATE_NONE && r->gate != GATE_SP0 &&
				 r->gate != GATE_RNG && !open && !el)
				want = TRAP;
			if (!r->get && el >= min && !el && !open && r->gate != GATE_GIC)
				want = TRAP;
			got = write ? write_reg(r->id, 0) : read_reg(r->id, &val);
			if (got != want)
				fail_msg("%s: el %d write %d open %d: outcome %d, not %d", r->name,
					 el, write, open, got, want);
		}
}

static void test_trap_syndrome(void **state)
{
	go(0);
	cpu.sys.sctlr_el1 &= ~(SCTLR_UCT | SCTLR_UMA);
	helper_mrs(&cpu, MRS(R(3, 3, 0, 0, 1), 7)); /* CTR_EL0 */
	assert_int_equal(BITS(cpu.sys.esr_el1, 24, 0),
			 3 << 20 | 1 << 17 | 3 << 14 | 0 << 10 | 7 << 5 | 0 << 1 | 1);
	go(0);
	helper_msr(&cpu, MSR(R(3, 3, 4, 2, 1), 9)); /* DAIF */
	assert_int_equal(BITS(cpu.sys.esr_el1, 24, 0),
			 3 << 20 | 1 << 17 | 3 << 14 | 4 << 10 | 9 << 5 | 2 << 1 | 0);
	go(0);
	helper_msr_imm(&cpu, MSR_IMM(3, 6, 2)); /* DAIFSet */
	assert_int_equal(esr_ec(), 0x18);
	assert_int_equal(BITS(cpu.sys.esr_el1, 24, 0),
			 0 << 20 | 6 << 17 | 3 << 14 | 4 << 10 | 31 << 5 | 2 << 1);
}

static void test_unknown(void **state)
{
	u64 val;

	go(1);
	assert_int_equal(read_reg(R(3, 0, 0, 3, 5), &val), DONE);
	assert_true(val == 0);
	assert_int_equal(write_reg(R(3, 0, 0, 4, 0), 0), UNDEF);
	go(1);
	assert_int_equal(read_reg(R(3, 0, 0, 0, 1), &val), UNDEF);
	go(1);
	assert_int_equal(read_reg(R(3, 6, 1, 0, 0), &val), UNDEF); /* SCTLR_EL3 */
	go(1);
	assert_int_equal(read_reg(R(3, 3, 15, 2, 0), &val), UNDEF);
	go(0);
	assert_int_equal(read_reg(R(3, 0, 0, 4, 0), &val), UNDEF);
	go(1);
	vm.cfg.gicv3_sysregs = false;
	assert_int_equal(read_reg(R(3, 0, 12, 12, 5), &val), UNDEF);
}

static void test_zero_register(void **state)
{
	go(1);
	cpu.x[REG_SP] = 0x1230;
	cpu.sys.tpidr_el1 = 77;
	helper_msr(&cpu, MSR(R(3, 0, 13, 0, 4), 31));
	assert_true(cpu.sys.tpidr_el1 == 0);
	helper_mrs(&cpu, MRS(R(3, 0, 0, 0, 0), 31));
	assert_true(cpu.x[REG_SP] == 0x1230);
}

/* ---- forwarding ---- */

static struct {
	u32 id;
	unsigned vcpu;
	u64 val;
} forwarded;

static int ops_read(void *opaque, unsigned vcpu, u32 id, u64 *val)
{
	forwarded.id = id;
	forwarded.vcpu = vcpu;
	*val = 0xabcdef;
	return id == R(3, 3, 14, 3, 0) ? -ENOENT : 0;
}

static int ops_write(void *opaque, unsigned vcpu, u32 id, u64 val)
{
	forwarded.id = id;
	forwarded.val = val;
	return 0;
}

static void test_forward(void **state)
{
	u64 val;

	vm.cfg.gicv3_sysregs = true;
	vm.cfg.ops.sysreg_read = ops_read;
	vm.cfg.ops.sysreg_write = ops_write;
	cpu.index = 3;
	go(1);
	assert_int_equal(read_reg(R(3, 0, 12, 12, 0), &val), DONE);
	assert_true(val == 0xabcdef && forwarded.id == R(3, 0, 12, 12, 0) && forwarded.vcpu == 3);
	assert_int_equal(write_reg(R(3, 0, 4, 6, 0), 0xf0), DONE);
	assert_true(forwarded.val == 0xf0 && forwarded.id == R(3, 0, 4, 6, 0));
	assert_int_equal(read_reg(R(3, 3, 14, 3, 0), &val), UNDEF);
	assert_int_equal(sysreg_get(&cpu, R(3, 0, 4, 6, 0), &val), -ENOENT);
}

/* ---- registers that are more than storage ---- */

static void test_sp_el0(void **state)
{
	u64 val;

	go(1);
	cpu.sys.sp_el0 = 0x1000;
	assert_int_equal(read_reg(R(3, 0, 4, 1, 0), &val), DONE);
	assert_true(val == 0x1000);
	assert_int_equal(write_reg(R(3, 0, 4, 1, 0), 0x2000), DONE);
	assert_true(cpu.sys.sp_el0 == 0x2000);
	/* SPSel: the banks change places; then SP_EL0 is SP, and UNDEFINED by name */
	cpu.x[REG_SP] = 0x9990;
	assert_int_equal(run(helper_msr_imm, MSR_IMM(0, 5, 0)), DONE);
	assert_true(cpu.x[REG_SP] == 0x2000 && cpu.sys.sp_el1 == 0x9990);
	assert_int_equal(read_reg(R(3, 0, 4, 1, 0), &val), UNDEF);
	assert_true(cpu.x[REG_SP] == 0x9990); /* EL1h again */
	/* a debugger's view of EL0's SP */
	go(0);
	cpu.x[REG_SP] = 0x3330;
	assert_int_equal(sysreg_get(&cpu, R(3, 0, 4, 1, 0), &val), 0);
	assert_true(val == 0x3330);
	assert_int_equal(sysreg_set(&cpu, R(3, 0, 4, 1, 0), 0x4440), 0);
	assert_true(cpu.x[REG_SP] == 0x4440);
}

static void test_pstate_registers(void **state)
{
	static const struct {
		u32 id;
		u64 val;
		unsigned op1, op2; /* immediate form, imm 1 */
	} f[] = {{R(3, 0, 4, 2, 3), 1 << 22, 0, 4},
		 {R(3, 0, 4, 2, 4), 1 << 23, 0, 3},
		 {R(3, 3, 4, 2, 5), 1 << 24, 3, 2},
		 {R(3, 3, 4, 2, 6), 1 << 12, 3, 1}};
	u64 val;

	for (unsigned i = 0; i < ARRAY_SIZE(f); i++) {
		u32 before;

		go(1);
		before = cpu_pstate_get(&cpu);
		assert_int_equal(write_reg(f[i].id, ~0ull), DONE);
		assert_int_equal(cpu_pstate_get(&cpu), before | f[i].val);
		assert_int_equal(read_reg(f[i].id, &val), DONE);
		assert_true(val == f[i].val);
		assert_int_equal(write_reg(f[i].id, ~f[i].val), DONE);
		assert_int_equal(cpu_pstate_get(&cpu), before);
		assert_int_equal(run(helper_msr_imm, MSR_IMM(f[i].op1, f[i].op2, 1)), DONE);
		assert_int_equal(cpu_pstate_get(&cpu), before | f[i].val);
		assert_int_equal(run(helper_msr_imm, MSR_IMM(f[i].op1, f[i].op2, 0)), DONE);
		assert_int_equal(cpu_pstate_get(&cpu), before);
		/* EL0: PAN and UAO are not for it */
		go(0);
		assert_int_equal(run(helper_msr_imm, MSR_IMM(f[i].op1, f[i].op2, 1)),
				 f[i].op1 ? DONE : UNDEF);
	}
	go(1);
	assert_int_equal(run(helper_msr_imm, MSR_IMM(1, 0, 1)), UNDEF); /* ALLINT */
	go(1);
	assert_int_equal(run(helper_msr_imm, MSR_IMM(3, 4, 1)), UNDEF); /* TCO */
	go(1);
	assert_int_equal(write_reg(R(3, 3, 4, 2, 0), 0xa5a5a5a5), DONE);
	assert_int_equal(cpu_nzcv_get(&cpu), 0xa);
	assert_int_equal(read_reg(R(3, 3, 4, 2, 0), &val), DONE);
	assert_true(val == 0xa0000000);
	assert_int_equal(read_reg(R(3, 0, 4, 2, 2), &val), DONE);
	assert_true(val == 4);
}

static void test_pan_switches_views(void **state)
{
	go(1);
	memset(&calls, 0, sizeof(calls));
	assert_int_equal(helper_msr_imm(&cpu, MSR_IMM(0, 4, 1)), HELPER_JUMP);
	assert_int_equal(calls.view_switch, 1);
	assert_int_equal(helper_msr_imm(&cpu, MSR_IMM(0, 4, 1)), HELPER_NEXT);
	assert_int_equal(calls.view_switch, 1);
}

static void test_daif(void **state)
{
	u64 val;

	go(1);
	assert_int_equal(helper_msr_imm(&cpu, MSR_IMM(3, 7, 3)), HELPER_NEXT);
	assert_int_equal(cpu.ps.daif, 0xc);
	assert_int_equal(helper_msr_imm(&cpu, MSR_IMM(3, 6, 1)), HELPER_NEXT);
	assert_int_equal(cpu.ps.daif, 0xd);
	assert_int_equal(read_reg(R(3, 3, 4, 2, 1), &val), DONE);
	assert_true(val == 0xd << 6);
	/* unmasking with an interrupt waiting leaves translated code */
	assert_int_equal(helper_msr_imm(&cpu, MSR_IMM(3, 6, 15)), HELPER_NEXT);
	atomic_store(&cpu.irq_lines, DBT_IRQ);
	assert_int_equal(helper_msr_imm(&cpu, MSR_IMM(3, 7, 1)), HELPER_NEXT);
	assert_int_equal(atomic_load(&cpu.exit_req), 0);
	assert_int_equal(helper_msr_imm(&cpu, MSR_IMM(3, 7, 2)), HELPER_JUMP);
	assert_int_equal(atomic_load(&cpu.exit_req), EXIT_REQ_IRQ);
	assert_true(cpu.pc == 0x8004);
}

static void test_translation_controls(void **state)
{
	const u32 sctlr = R(3, 0, 1, 0, 0), tcr = R(3, 0, 2, 0, 2), ttbr0 = R(3, 0, 2, 0, 0);
	u64 val;

	go(1);
	memset(&calls, 0, sizeof(calls));
	assert_int_equal(write_reg(tcr, 25), DONE);
	assert_int_equal(calls.tlbi_all, 0); /* MMU off: nothing was cached */
	assert_int_equal(write_reg(sctlr, ~0ull), DONE);
	assert_true(calls.view_switch);
	assert_int_equal(read_reg(sctlr, &val), DONE);
	assert_false(val & (BIT(25) | BIT(24) | BIT(31) | BIT(43))); /* EE, PAuth, MTE */
	assert_true(val & SCTLR_M);
	assert_int_equal(write_reg(tcr, 24), DONE);
	assert_true(calls.tlbi_all);
	memset(&calls, 0, sizeof(calls));
	assert_int_equal(write_reg(ttbr0, 0x12ull << 48 | 0x1000), DONE);
	assert_int_equal(calls.view_switch, 1);
	assert_int_equal(calls.tlbi_all, 0);
	assert_int_equal(write_reg(sctlr, 0), DONE);
	assert_int_equal(read_reg(sctlr, &val), DONE);
	assert_true(val == 0x30400980);
}

static void test_fp_registers(void **state)
{
	u64 val;

	go(0);
	cpu.sys.sctlr_el1 |= SCTLR_M; /* or its alignment checks are a mode */
	assert_int_equal(write_reg(R(3, 3, 4, 4, 0), 3 << 22), DONE);
	assert_int_equal(cpu.guest_mxcsr, 0x7f80);
	assert_int_equal(helper_msr(&cpu, MSR(R(3, 3, 4, 4, 0), 5)), HELPER_NEXT); /* the same */
	cpu.guest_mxcsr |= 1;
	assert_int_equal(read_reg(R(3, 3, 4, 4, 1), &val), DONE);
	assert_true(val == 1);
}

static void test_plain_offsets(void **state)
{
	const u32 tpidr_el0 = R(3, 3, 13, 0, 2), tpidrro = R(3, 3, 13, 0, 3);

	assert_int_equal(sysreg_plain_offset(tpidr_el0, 0, true),
			 offsetof(struct dbt_vcpu, sys.tpidr_el0));
	assert_int_equal(sysreg_plain_offset(tpidrro, 0, true), -1);
	assert_true(sysreg_plain_offset(tpidrro, 0, false) > 0);
	assert_true(sysreg_plain_offset(tpidrro, 1, true) > 0);
	assert_int_equal(sysreg_plain_offset(R(3, 0, 13, 0, 4), 0, false), -1);
	assert_true(sysreg_plain_offset(R(3, 0, 4, 1, 0), 1, true) > 0);
	assert_int_equal(sysreg_plain_offset(R(3, 0, 1, 0, 0), 1, true), -1);
	assert_true(sysreg_plain_offset(R(3, 0, 1, 0, 0), 1, false) > 0);
	assert_int_equal(sysreg_plain_offset(R(3, 3, 14, 0, 2), 1, false), -1);
	assert_int_equal(sysreg_plain_offset(R(3, 3, 13, 0, 7), 0, false), -1); /* gated */
}

static void test_save_restore(void **state)
{
	static u64 saved[512];
	u32 ids[512];
	unsigned n = sysreg_list(ids, ARRAY_SIZE(ids));

	assert_true(n > 50 && n <= ARRAY_SIZE(ids));
	go(1);
	for (unsigned i = 0; i < n; i++)
		sysreg_set(&cpu, ids[i], 0x123456789abcdef0ull * (i + 1));
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(sysreg_get(&cpu, ids[i], &saved[i]), 0);
	fixture_setup(NULL);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(sysreg_set(&cpu, ids[i], saved[i]), 0);
	for (unsigned i = 0; i < n; i++) {
		u64 val;

		assert_int_equal(sysreg_get(&cpu, ids[i], &val), 0);
		if (val != saved[i])
			fail_msg("%s: %#lx, not %#lx", sysreg_find(ids[i])->name, val, saved[i]);
	}
	/* constants: only the same CPU will do */
	assert_int_equal(sysreg_set(&cpu, R(3, 0, 0, 0, 0), 0x000f0410), 0);
	assert_int_equal(sysreg_set(&cpu, R(3, 0, 0, 0, 0), 0x410fd070), -EINVAL);
	assert_int_equal(sysreg_set(&cpu, R(3, 0, 0, 7, 0), 0), -EINVAL);
	assert_int_equal(sysreg_set(&cpu, R(3, 7, 0, 7, 0), 0), -ENOENT);
}

/* ---- identification ---- */

static u64 idreg(unsigned crm, unsigned op2)
{
	u64 val;

	go(1);
	assert_int_equal(read_reg(R(3, 0, 0, crm, op2), &val), DONE);
	return val;
}

static void test_identity(void **state)
{
	u64 pfr0 = idreg(4, 0), val;

	assert_int_equal(BITS(pfr0, 7, 0), 0x11); /* EL0, EL1: AArch64 only */
	assert_int_equal(BITS(pfr0, 15, 8), 0);	  /* no EL2, EL3 */
	assert_int_equal(BITS(pfr0, 19, 16), BITS(pfr0, 23, 20));
	assert_int_equal(BITS(pfr0, 27, 24), 0);
	assert_int_equal(BITS(pfr0, 35, 32), 0); /* SVE */
	assert_true(BITS(pfr0, 59, 56) == 3 && BITS(pfr0, 63, 60) == 1);
	vm.cfg.gicv3_sysregs = true;
	assert_int_equal(BITS(idreg(4, 0), 27, 24), 1);
	assert_int_equal(BITS(idreg(7, 2), 63, 60), 1); /* E0PD */
	assert_int_equal(idreg(7, 0) & 0xf, 4);		/* PA_BITS */
	assert_int_equal(BITS(idreg(6, 1), 11, 4), 0);	/* no pointer authentication */
	assert_int_equal(BITS(idreg(4, 1), 11, 8), 0);	/* no MTE */
	assert_int_equal(BITS(idreg(5, 0), 15, 12), 5);
	assert_int_equal(sysreg_find(R(2, 0, 0, 5, 4)) != NULL, 1); /* DBGBVR5 */
	assert_null(sysreg_find(R(2, 0, 0, 6, 4)));
	assert_int_equal(BITS(idreg(5, 0), 23, 20), 3);
	assert_null(sysreg_find(R(2, 0, 0, 4, 6)));
	/* all other registers of the space are zero */
	for (unsigned crm = 1; crm < 8; crm++)
		for (unsigned op2 = 0; op2 < 8; op2++)
			if (crm < 4 || (crm == 4 && op2 > 1) || (crm == 5 && op2 > 0) || op2 > 2)
				assert_true(idreg(crm, op2) == 0);
	/* CTR: 64-byte lines agree with DC ZVA's block and CLIDR's levels of unification */
	assert_int_equal(read_reg(R(3, 3, 0, 0, 1), &val), DONE);
	assert_true((val >> 28 & 3) == 1 && (val & 0xf) == 4 && (val >> 16 & 0xf) == 4);
	go(0);
	cpu.sys.sctlr_el1 |= SCTLR_DZE;
	assert_int_equal(read_reg(R(3, 3, 0, 0, 7), &val), DONE);
	assert_true(val == 4);
	cpu.sys.sctlr_el1 &= ~SCTLR_DZE;
	assert_int_equal(read_reg(R(3, 3, 0, 0, 7), &val), DONE);
	assert_true(val == 0x14);
	cpu.mpidr = 0x103;
	go(1);
	assert_int_equal(read_reg(R(3, 0, 0, 0, 5), &val), DONE);
	assert_true(val == 0x80000103);
}

/* What the decoder takes and what the ID registers say are one list. */
static void test_features_of_the_decoder(void **state)
{
	static const char *const in_decoder[] = {
#define INSN(name, pattern, form, flags, feature) #feature,
#define PAT(name, pattern, form, ...)
#include "dbt/a64/insns.def"
#undef INSN
#undef PAT
	};

	for (unsigned i = 0; i < ARRAY_SIZE(in_decoder); i++)
		if (strcmp(in_decoder[i], "base") && !idreg_knows_feature(in_decoder[i]))
			fail_msg("no ID register field for '%s'", in_decoder[i]);
	assert_false(idreg_has_feature("sha"));
	assert_true(idreg_has_feature("sha1"));
	assert_false(idreg_has_feature("mops"));
}

/* ---- SYS ---- */

static void test_tlbi(void **state)
{
	static const unsigned crms[] = {1, 3, 7};

	for (unsigned i = 0; i < 3; i++) {
		unsigned m = crms[i];

		go(1);
		memset(&calls, 0, sizeof(calls));
		assert_int_equal(run(helper_sys, SYS(0, 8, m, 0, 31)), DONE);
		assert_int_equal(calls.tlbi_all, 1);
		cpu.sys.tcr_el1 = TCR_AS;
		cpu.x[1] =
			0x12345ull << 48 | 0xffffffull << 24 | 0x123456; /* VA bits 55:12, ASID */
		assert_int_equal(run(helper_sys, SYS(0, 8, m, 2, 1)), DONE);
		assert_true(calls.tlbi_asid == 1 && calls.asid == 0x2345);
		cpu.sys.tcr_el1 = 0;
		assert_int_equal(run(helper_sys, SYS(0, 8, m, 2, 1)), DONE);
		assert_int_equal(calls.asid, 0x45);
		for (unsigned op2 = 1; op2 < 8; op2 += 2) {
			memset(&calls, 0, sizeof(calls));
			assert_int_equal(run(helper_sys, SYS(0, 8, m, op2, 1)), DONE);
			assert_int_equal(calls.tlbi_va, 1);
			assert_true(calls.va == 0xfffffff123456000ull);
			assert_int_equal(calls.all_asids, op2 == 3 || op2 == 7);
			assert_int_equal(calls.asid, 0x45);
		}
		assert_int_equal(run(helper_sys, SYS(0, 8, m, 4, 1)), UNDEF);
		go(0);
		assert_int_equal(run(helper_sys, SYS(0, 8, m, 0, 31)), UNDEF);
	}
	go(1);
	assert_int_equal(run(helper_sys, SYS(0, 9, 3, 0, 31)), UNDEF); /* nXS */
	go(1);
	assert_int_equal(run(helper_sys, SYS(4, 8, 3, 0, 31)), UNDEF); /* EL2's */
}

static void test_tlbi_range(void **state)
{
	static const unsigned crms[] = {2, 5, 6};
	u64 base = 0x1ffff8000ull; /* a kernel address, 37 bits of page number */

	for (unsigned i = 0; i < 3; i++) {
		go(1);
		memset(&calls, 0, sizeof(calls));
		/* 4 KiB, scale 0, num 2: (2 + 1) * 2 pages */
		cpu.x[1] = 0x77ull << 48 | 1ull << 46 | 2ull << 39 | base;
		assert_int_equal(run(helper_sys, SYS(0, 8, crms[i], 1, 1)), DONE);
		assert_int_equal(calls.tlbi_va, 6);
		assert_true(calls.va == ((u64)sext64(base, 37) << 12) + 5 * 4096);
		assert_true(calls.asid == 0x77 && !calls.all_asids);
		/* 64 KiB, scale 1, num 0: 64 pages of 16 */
		memset(&calls, 0, sizeof(calls));
		cpu.x[1] = 3ull << 46 | 1ull << 44 | 16;
		assert_int_equal(run(helper_sys, SYS(0, 8, crms[i], 3, 1)), DONE);
		assert_int_equal(calls.tlbi_va, 1024);
		assert_true(calls.va == (16ull << 16) + (1024 - 1) * 4096 && calls.all_asids);
		/* more than it is worth */
		memset(&calls, 0, sizeof(calls));
		cpu.x[1] = 1ull << 46 | 3ull << 44 | 31ull << 39;
		assert_int_equal(run(helper_sys, SYS(0, 8, crms[i], 5, 1)), DONE);
		assert_true(calls.tlbi_va == 0 && calls.tlbi_all == 1);
		assert_int_equal(run(helper_sys, SYS(0, 8, crms[i], 0, 1)), UNDEF);
	}
}

/* One 4 KiB page at VA 0x8000 (where pc is) and one at 0x9000, the latter as given. */
static void map_two(u64 attrs)
{
	u64 l1 = ram_alloc(4096), l2 = ram_alloc(4096), l3 = ram_alloc(4096);

	*at_gpa(l1) = l2 | 3;
	*at_gpa(l2) = l3 | 3;
	at_gpa(l3)[8] = (RAM_BASE + 0x100000) | 3 | BIT(10) | 3 << 6; /* EL0 may execute */
	at_gpa(l3)[9] = attrs;
	cpu.sys.ttbr0_el1 = l1;
	cpu.sys.tcr_el1 = 25 | 4ull << 32;
	cpu.sys.mair_el1 = 0x00ff;
	cpu.sys.sctlr_el1 |= SCTLR_M | SCTLR_UCI | SCTLR_DZE;
}

static enum outcome run_aborts(u32 raw, u32 iss)
{
	u64 exceptions = cpu.stats.exceptions;

	assert_int_equal(helper_sys(&cpu, raw), HELPER_JUMP);
	assert_int_equal(cpu.stats.exceptions, exceptions + 1);
	assert_int_equal(esr_ec() & ~1u, 0x24);
	assert_int_equal(BITS(cpu.sys.esr_el1, 24, 0), iss);
	assert_true(cpu.sys.far_el1 == cpu.x[1]);
	assert_true(cpu.sys.elr_el1 == 0x8000);
	return DONE;
}

static void test_instruction_cache(void **state)
{
	static struct code_page here;

	map_two((RAM_BASE + 0x200000) | 3 | BIT(10) | 1 << 6);
	go(1);
	assert_int_equal(helper_sys(&cpu, SYS(0, 7, 5, 0, 31)), HELPER_JUMP);
	assert_int_equal(calls.ic_all, 1);
	go(1);
	assert_int_equal(helper_sys(&cpu, SYS(0, 7, 1, 0, 31)), HELPER_JUMP);
	assert_int_equal(calls.ic_all, 2);
	go(0);
	assert_int_equal(run(helper_sys, SYS(0, 7, 5, 0, 31)), UNDEF);
	/* by a walk; where pc's page is not known, as if it were the one invalidated */
	go(0);
	cpu.x[1] = 0x9123;
	assert_int_equal(helper_sys(&cpu, SYS(3, 7, 5, 1, 1)), HELPER_JUMP);
	assert_true(calls.ic_page == 1 && calls.gpa == RAM_BASE + 0x200123);
	here.gpa = RAM_BASE + 0x100000;
	cpu.ex_tab[8] = (u64)here.slots - 0x8000;
	cpu.ld_tab += 16; /* own table */
	go(0);
	assert_int_equal(helper_sys(&cpu, SYS(3, 7, 5, 1, 1)), HELPER_NEXT);
	assert_int_equal(calls.ic_page, 2);
	/* the page being executed: what follows must be looked up again */
	cpu.x[1] = 0x8f00;
	assert_int_equal(helper_sys(&cpu, SYS(3, 7, 5, 1, 1)), HELPER_JUMP);
	assert_true(calls.ic_page == 3 && cpu.pc == 0x8004);
	/* by the table */
	go(0);
	cpu.ld_tab[9] = (u64)(ram + 0x300000) - 0x9000;
	cpu.x[1] = 0x9123;
	assert_int_equal(helper_sys(&cpu, SYS(3, 7, 5, 1, 1)), HELPER_NEXT);
	assert_true(calls.ic_page == 4 && calls.gpa == RAM_BASE + 0x300123);
	go(0);
	cpu.x[1] = 0xa000;
	run_aborts(SYS(3, 7, 5, 1, 1), 0x147);
	assert_int_equal(esr_ec(), 0x24);
	go(0);
	cpu.sys.sctlr_el1 &= ~SCTLR_UCI;
	assert_int_equal(run(helper_sys, SYS(3, 7, 5, 1, 1)), TRAP);
}

static void test_data_cache(void **state)
{
	static const unsigned crms[] = {10, 11, 12, 13, 14};

	map_two((RAM_BASE + 0x200000) | 3 | BIT(10)); /* EL1 only */
	for (unsigned i = 0; i < ARRAY_SIZE(crms); i++) {
		go(1);
		cpu.ps.pan = 1;
		cpu.x[1] = 0x9123;
		assert_int_equal(run(helper_sys, SYS(3, 7, crms[i], 1, 1)), DONE);
		go(0);
		run_aborts(SYS(3, 7, crms[i], 1, 1), 0x14f);
		go(0);
		cpu.sys.sctlr_el1 &= ~SCTLR_UCI;
		assert_int_equal(run(helper_sys, SYS(3, 7, crms[i], 1, 1)), TRAP);
		cpu.sys.sctlr_el1 |= SCTLR_UCI;
	}
	/* invalidation needs the right to write; EL0 has it not at all */
	go(1);
	cpu.x[1] = 0x8000;
	run_aborts(SYS(0, 7, 6, 1, 1), 0x14f);
	go(0);
	assert_int_equal(run(helper_sys, SYS(0, 7, 6, 1, 1)), UNDEF);
	for (unsigned m = 6; m <= 14; m += 4) {
		go(1);
		assert_int_equal(run(helper_sys, SYS(0, 7, m, 2, 1)), DONE);
		go(0);
		assert_int_equal(run(helper_sys, SYS(0, 7, m, 2, 1)), UNDEF);
	}
}

static void test_zva(void **state)
{
	u8 *page = ram + 0x200000;

	map_two((RAM_BASE + 0x200000) | 3 | BIT(10) | 1 << 6);
	memset(page, 0xff, 4096);
	go(0);
	cpu.x[1] = 0x9085;
	assert_int_equal(run(helper_sys, SYS(3, 7, 4, 1, 1)), DONE);
	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(page[i], i >= 0x80 && i < 0xc0 ? 0 : 0xff);
	/* by the table; an alias whose sum is no host address is not taken for it */
	memset(page, 0xff, 4096);
	cpu.st_tab[9] = (u64)(page + 4096) - 0x9000;
	memset(page + 4096, 0xff, 4096);
	assert_int_equal(run(helper_sys, SYS(3, 7, 4, 1, 1)), DONE);
	for (unsigned i = 0; i < 4096; i++) {
		assert_int_equal(page[i], 0xff);
		assert_int_equal(page[4096 + i], i >= 0x80 && i < 0xc0 ? 0 : 0xff);
	}
	cpu.x[1] = 0xffff000000009085;
	run_aborts(SYS(3, 7, 4, 1, 1), 0x44);
	go(0);
	/* read-only: FAR is the address given, no CM */
	cpu.x[1] = 0x8085;
	run_aborts(SYS(3, 7, 4, 1, 1), 0x4f);
	go(0);
	cpu.sys.sctlr_el1 &= ~SCTLR_DZE;
	assert_int_equal(run(helper_sys, SYS(3, 7, 4, 1, 1)), TRAP);
	go(1);
	cpu.st_tab[9] = 0;
	cpu.x[1] = 0x9085;
	cpu.ps.pan = 1;
	run_aborts(SYS(3, 7, 4, 1, 1), 0x4f);
}

static void test_zva_device(void **state)
{
	map_two((RAM_BASE + 0x200000) | 3 | BIT(10) | 1 << 6 | 1 << 2);
	go(0);
	cpu.x[1] = 0x9000;
	run_aborts(SYS(3, 7, 4, 1, 1), 0x61);
	/* Normal memory that is none */
	fixture_setup(NULL);
	map_two(0x09000000ull | 3 | BIT(10) | 1 << 6);
	go(0);
	cpu.x[1] = 0x9000;
	run_aborts(SYS(3, 7, 4, 1, 1), 0x50);
}

static void test_at(void **state)
{
	map_two((RAM_BASE + 0x200000) | 3 | BIT(10) | 3 << 8 | 1 << 6);
	go(1);
	cpu.x[1] = 0x9123;
	for (unsigned op2 = 0; op2 < 4; op2++) {
		assert_int_equal(run(helper_sys, SYS(0, 7, 8, op2, 1)), DONE);
		assert_true(cpu.sys.par_el1 ==
			    (0xffull << 56 | (RAM_BASE + 0x200000) | BIT(11) | 3 << 7));
	}
	cpu.x[1] = 0x8000; /* read-only */
	run(helper_sys, SYS(0, 7, 8, 1, 1));
	assert_true(cpu.sys.par_el1 == (BIT(11) | 0x0f << 1 | 1));
	run(helper_sys, SYS(0, 7, 8, 3, 1));
	assert_true(cpu.sys.par_el1 == (BIT(11) | 0x0f << 1 | 1));
	cpu.x[1] = 0xa000;
	run(helper_sys, SYS(0, 7, 8, 0, 1));
	assert_true(cpu.sys.par_el1 == (BIT(11) | 0x07 << 1 | 1));
	/* PAN counts for S1E1RP and WP only */
	cpu.x[1] = 0x9123;
	cpu.ps.pan = 1;
	run(helper_sys, SYS(0, 7, 8, 0, 1));
	assert_false(cpu.sys.par_el1 & 1);
	run(helper_sys, SYS(0, 7, 9, 0, 1));
	assert_true(cpu.sys.par_el1 == (BIT(11) | 0x0f << 1 | 1));
	run(helper_sys, SYS(0, 7, 9, 1, 1));
	assert_true(cpu.sys.par_el1 == (BIT(11) | 0x0f << 1 | 1));
	/* a walk that runs out of memory is an exception */
	cpu.sys.ttbr0_el1 = 0x8000000000;
	cpu.ps.pan = 0;
	run_aborts(SYS(0, 7, 8, 0, 1), 0x155);
	go(0);
	assert_int_equal(run(helper_sys, SYS(0, 7, 8, 0, 1)), UNDEF);
}

static void test_sys_unknown(void **state)
{
	go(1);
	assert_int_equal(run(helper_sys, SYS(0, 15, 0, 0, 1)), UNDEF);
	go(1);
	assert_int_equal(run(helper_sys, SYS(0, 7, 8, 0, 1) | 1 << 21), UNDEF); /* SYSL */
	go(1);
	assert_int_equal(run(helper_sys, SYS(3, 7, 4, 3, 1)), UNDEF); /* DC GVA */
	go(0);
	cpu.sys.sctlr_el1 &= ~SCTLR_ENRCTX;
	assert_int_equal(run(helper_sys, SYS(3, 7, 3, 4, 1)), TRAP);
	go(1);
	assert_int_equal(run(helper_sys, SYS(3, 7, 3, 7, 1)), DONE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(test_table),
		T(test_access),
		T(test_trap_syndrome),
		T(test_unknown),
		T(test_zero_register),
		T(test_forward),
		T(test_sp_el0),
		T(test_pstate_registers),
		T(test_pan_switches_views),
		T(test_daif),
		T(test_translation_controls),
		T(test_fp_registers),
		T(test_plain_offsets),
		T(test_save_restore),
		T(test_identity),
		T(test_features_of_the_decoder),
		T(test_tlbi),
		T(test_tlbi_range),
		T(test_instruction_cache),
		T(test_data_cache),
		T(test_zva),
		T(test_zva_device),
		T(test_at),
		T(test_sys_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Exception entry and return, interrupts, PSTATE and FP status formats, self-hosted debug. */
#include <errno.h>

#include "tests/unit/sys_fixture.h"

#define VBAR 0x40080000ull

static int setup(void **state)
{
	int ret = fixture_setup(state);

	cpu.sys.vbar_el1 = VBAR;
	cpu.sys.sp_el0 = 0x1110;
	cpu.x[REG_SP] = 0x2220; /* EL1h out of reset */
	return ret;
}

/* As ERET does; SP_EL0 and SP_EL1 stay. */
static void enter(u32 spsr, u64 pc)
{
	assert_int_equal(cpu_pstate_set(&cpu, spsr), 0);
	cpu.pc = pc;
	memset(&calls, 0, sizeof(calls));
}

static unsigned esr_ec(void)
{
	return (unsigned)(cpu.sys.esr_el1 >> 26);
}

static u32 esr_iss(void)
{
	return (u32)BITS(cpu.sys.esr_el1, 24, 0);
}

static u32 exc_word(u32 base, u32 imm)
{
	return base | imm << 5;
}

/* ---- entry ---- */

static void test_reset_state(void **state)
{
	assert_int_equal(cpu_pstate_get(&cpu), 0x3c5);
	assert_true(cpu.sys.sctlr_el1 == 0x30d00980);
	assert_true(cpu.sys.oslsr_el1 == 0xa);
}

static void test_svc_from_el0(void **state)
{
	enter(0x60001000 | 2 << 10, 0x4000); /* Z, C, SSBS, BTYPE */
	cpu.btype_pc = 0x4000;
	cpu.ps.uao = 1;
	assert_int_equal(helper_svc(&cpu, exc_word(0xd4000001, 0x1234)), HELPER_JUMP);
	assert_true(cpu.pc == VBAR + 0x400);
	assert_true(cpu.sys.elr_el1 == 0x4004);
	assert_int_equal(cpu.sys.spsr_el1, 0x60001000 | 2 << 10 | 1 << 23);
	assert_int_equal(esr_ec(), 0x15);
	assert_true(cpu.sys.esr_el1 & BIT(25));
	assert_int_equal(esr_iss(), 0x1234);
	assert_int_equal(cpu.ps.el, 1);
	assert_int_equal(cpu.ps.spsel, 1);
	assert_int_equal(cpu.ps.daif, 0xf);
	assert_int_equal(cpu.ps.uao, 0);
	assert_int_equal(cpu.btype, 0);
	assert_int_equal(cpu.ps.ssbs, 0);
	assert_true(cpu.x[REG_SP] == 0x2220);
	assert_true(cpu.sys.sp_el0 == 0x1110);
	assert_true(calls.view_switch > 0);
	assert_int_equal(cpu_nzcv_get(&cpu), 6); /* flags are left alone */
}

static void test_vectors(void **state)
{
	static const struct {
		u32 spsr;
		u64 offset;
	} from[] = {{PSR_M_EL1T, 0x000}, {PSR_M_EL1H, 0x200}, {PSR_M_EL0T, 0x400}};

	for (unsigned i = 0; i < ARRAY_SIZE(from); i++) {
		enter(from[i].spsr, 0x8000);
		helper_brk(&cpu, exc_word(0xd4200000, 1));
		assert_true(cpu.pc == VBAR + from[i].offset);
		assert_true(cpu.sys.elr_el1 == 0x8000);
		assert_int_equal(esr_ec(), 0x3c);

		enter(from[i].spsr, 0x8000);
		atomic_store(&cpu.irq_lines, DBT_IRQ);
		assert_true(a64_take_irq(&cpu));
		assert_true(cpu.pc == VBAR + from[i].offset + 0x80);
		assert_true(cpu.sys.elr_el1 == 0x8000);
		assert_false(a64_take_irq(&cpu)); /* masked now */
		assert_int_equal(atomic_load(&cpu.irq_lines), DBT_IRQ);

		enter(from[i].spsr, 0x8000);
		atomic_store(&cpu.irq_lines, DBT_IRQ | DBT_FIQ);
		assert_true(a64_take_irq(&cpu));
		assert_true(cpu.pc == VBAR + from[i].offset + 0x100);

		enter(from[i].spsr, 0x8000);
		atomic_store(&cpu.irq_lines, DBT_IRQ | DBT_FIQ | DBT_SERROR);
		assert_true(a64_take_irq(&cpu));
		assert_true(cpu.pc == VBAR + from[i].offset + 0x180);
		assert_int_equal(esr_ec(), 0x2f);
		assert_int_equal(atomic_load(&cpu.irq_lines), DBT_IRQ | DBT_FIQ); /* an edge */
		atomic_store(&cpu.irq_lines, 0);
	}
}

static void test_masks(void **state)
{
	static const u32 line[] = {DBT_FIQ, DBT_IRQ, DBT_SERROR};

	for (unsigned daif = 0; daif < 16; daif++)
		for (unsigned i = 0; i < 3; i++) {
			enter(PSR_M_EL1H | daif << 6, 0x8000);
			atomic_store(&cpu.irq_lines, line[i]);
			assert_int_equal(a64_take_irq(&cpu), !(daif >> i & 1));
			atomic_store(&cpu.irq_lines, 0);
		}
}

static void test_aborts(void **state)
{
	enter(PSR_M_EL0T, 0x8000);
	a64_take_dabt(&cpu, 0xdeadbeef, WALK_FAULT | 0x0f, true, 0x8000);
	assert_int_equal(esr_ec(), 0x24);
	assert_int_equal(esr_iss(), 0x4f);
	assert_true(cpu.sys.far_el1 == 0xdeadbeef);
	enter(PSR_M_EL1H, 0x8000);
	a64_take_dabt(&cpu, 0x123, WALK_FAULT | 0x07, false, 0x8000);
	assert_int_equal(esr_ec(), 0x25);
	assert_int_equal(esr_iss(), 0x07);
	enter(PSR_M_EL0T, 0x9000);
	a64_take_iabt(&cpu, 0x9000, WALK_FAULT | 0x06);
	assert_int_equal(esr_ec(), 0x20);
	assert_int_equal(esr_iss(), 0x06);
	assert_true(cpu.sys.elr_el1 == 0x9000 && cpu.sys.far_el1 == 0x9000);
	enter(PSR_M_EL1H, 0x9000);
	a64_take_iabt(&cpu, 0x9000, 0x06);
	assert_int_equal(esr_ec(), 0x21);
	/* no _LOWER form */
	enter(PSR_M_EL0T, 0x9002);
	a64_take_sync(&cpu, EC_PC_ALIGN, 0, 0x9002);
	assert_int_equal(esr_ec(), 0x22);
	assert_true(cpu.sys.far_el1 == 0x9002);
	enter(PSR_M_EL0T, 0x9000);
	a64_take_sync(&cpu, EC_SP_ALIGN, 0, 0x9000);
	assert_int_equal(esr_ec(), 0x26);
}

static void test_pan_and_ssbs_on_entry(void **state)
{
	enter(PSR_M_EL0T, 0x8000);
	cpu.sys.sctlr_el1 &= ~SCTLR_SPAN;
	cpu.sys.sctlr_el1 |= SCTLR_DSSBS;
	helper_svc(&cpu, 0xd4000001);
	assert_int_equal(cpu.ps.pan, 1);
	assert_int_equal(cpu.ps.ssbs, 1);
	assert_false(cpu.sys.spsr_el1 & (PSR_PAN | PSR_SSBS));
	cpu.sys.sctlr_el1 |= SCTLR_SPAN;
	enter(PSR_M_EL1H, 0x8000);
	helper_brk(&cpu, 0xd4200000);
	assert_int_equal(cpu.ps.pan, 0);
}

/* ---- return ---- */

static void test_eret_round_trip(void **state)
{
	const u32 all = 0xf0000000 | PSR_DIT | PSR_UAO | PSR_PAN | PSR_SSBS | 3 << 10 | 0x3c0;
	const u32 modes[] = {PSR_M_EL0T, PSR_M_EL1T, PSR_M_EL1H};

	for (unsigned m = 0; m < 3; m++)
		for (unsigned bit = 0; bit < 32; bit++) {
			u32 spsr = (all & (u32)BIT(bit)) | modes[m];

			enter(PSR_M_EL1H | 0x3c0, 0x8000);
			cpu.sys.spsr_el1 = spsr;
			cpu.sys.elr_el1 = 0x4321000;
			cpu.excl_size = 8;
			assert_int_equal(helper_eret(&cpu, 0xd69f03e0), HELPER_JUMP);
			assert_int_equal(cpu_pstate_get(&cpu), spsr);
			assert_true(cpu.pc == 0x4321000);
			assert_int_equal(cpu.excl_size, 0);
			assert_true(cpu.x[REG_SP] == (modes[m] == PSR_M_EL1H ? 0x2220 : 0x1110));
			assert_true(calls.view_switch > 0);
		}
}

static void test_sp_banks(void **state)
{
	enter(PSR_M_EL0T, 0x8000);
	assert_true(cpu.x[REG_SP] == 0x1110);
	cpu.x[REG_SP] = 0x1100; /* push */
	helper_svc(&cpu, 0xd4000001);
	assert_true(cpu.x[REG_SP] == 0x2220);
	assert_true(cpu.sys.sp_el0 == 0x1100);
	cpu.x[REG_SP] = 0x2200;
	cpu.sys.spsr_el1 = PSR_M_EL0T;
	helper_eret(&cpu, 0xd69f03e0);
	assert_true(cpu.x[REG_SP] == 0x1100);
	assert_true(cpu.sys.sp_el1 == 0x2200);
}

static void test_illegal_return(void **state)
{
	static const u32 modes[] = {1, 2, 3, 6, 7, 8, 9, 12, 13, 15, 0x10, 0x13, 0x1f, 0x14};

	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		enter(PSR_M_EL1H | 0x3c0, 0x8000);
		cpu.sys.spsr_el1 = 0x90000000 | PSR_PAN | modes[i];
		cpu.sys.elr_el1 = 0x5000;
		helper_eret(&cpu, 0xd69f03e0);
		/* the exception of the instruction at ELR, taken with PSTATE.IL set */
		assert_int_equal(esr_ec(), 0x0e);
		assert_true(cpu.sys.elr_el1 == 0x5000);
		assert_int_equal(cpu.sys.spsr_el1, 0x90000000 | PSR_PAN | PSR_IL | PSR_M_EL1H);
		assert_true(cpu.pc == VBAR + 0x200);
		assert_int_equal(cpu.ps.il, 0);
	}
	/* SPSR.IL set, legal mode */
	enter(PSR_M_EL1H | 0x3c0, 0x8000);
	cpu.sys.spsr_el1 = PSR_IL | PSR_M_EL0T;
	cpu.sys.elr_el1 = 0x6000;
	helper_eret(&cpu, 0xd69f03e0);
	assert_int_equal(esr_ec(), 0x0e);
	assert_true(cpu.pc == VBAR + 0x400);
	assert_int_equal(cpu.sys.spsr_el1, PSR_IL | PSR_M_EL0T);
}

static void test_eret_address(void **state)
{
	enter(PSR_M_EL1H | 0x3c0, 0x8000);
	cpu.sys.tcr_el1 = TCR_TBI0;
	cpu.sys.spsr_el1 = PSR_M_EL0T;
	cpu.sys.elr_el1 = 0x7700000000005000;
	helper_eret(&cpu, 0xd69f03e0);
	assert_true(cpu.pc == 0x5000);
}

static void test_eret_unmasks(void **state)
{
	enter(PSR_M_EL1H | 0x3c0, 0x8000);
	atomic_store(&cpu.irq_lines, DBT_IRQ);
	cpu.sys.spsr_el1 = PSR_M_EL1H | 0x3c0;
	helper_eret(&cpu, 0xd69f03e0);
	assert_int_equal(atomic_load(&cpu.exit_req), 0);
	cpu.sys.spsr_el1 = PSR_M_EL0T;
	helper_eret(&cpu, 0xd69f03e0);
	assert_int_equal(atomic_load(&cpu.exit_req), EXIT_REQ_IRQ);
}

static void test_pstate_set_refuses(void **state)
{
	u32 before = cpu_pstate_get(&cpu);

	assert_int_equal(cpu_pstate_set(&cpu, 0x13), -EINVAL);
	assert_int_equal(cpu_pstate_set(&cpu, 9), -EINVAL);
	assert_int_equal(cpu_pstate_get(&cpu), before);
}

/* ---- other instructions ---- */

static void test_undefined_at_el0(void **state)
{
	helper_fn const fn[] = {helper_hvc, helper_smc, helper_hlt, helper_eret, helper_undef};

	for (unsigned i = 0; i < ARRAY_SIZE(fn); i++) {
		enter(PSR_M_EL0T, 0x8000);
		assert_int_equal(fn[i](&cpu, 0xd4000002), HELPER_JUMP);
		assert_int_equal(esr_ec(), 0);
		assert_int_equal(esr_iss(), 0);
		assert_true(cpu.sys.elr_el1 == 0x8000);
		assert_int_equal(cpu.pending_exit, -1);
	}
}

static void test_calls_out(void **state)
{
	enter(PSR_M_EL1H, 0x8000);
	assert_int_equal(helper_hvc(&cpu, exc_word(0xd4000002, 0xbeef)), HELPER_JUMP);
	assert_int_equal(cpu.pending_exit, DBT_EXIT_HVC);
	assert_int_equal(last_exit.data.call.imm, 0xbeef);
	assert_true(cpu.pc == 0x8004);
	assert_int_equal(helper_smc(&cpu, exc_word(0xd4000003, 1)), HELPER_JUMP);
	assert_int_equal(cpu.pending_exit, DBT_EXIT_SMC);
	assert_int_equal(cpu.ps.el, 1);
}

static void test_wfi(void **state)
{
	enter(PSR_M_EL1H | 0x3c0, 0x8000);
	assert_int_equal(helper_wfi(&cpu, 0xd503207f), HELPER_JUMP);
	assert_int_equal(cpu.pending_exit, DBT_EXIT_WFI);
	assert_true(cpu.pc == 0x8004);
	/* a masked interrupt still ends it */
	cpu.pending_exit = -1;
	atomic_store(&cpu.irq_lines, DBT_IRQ);
	assert_int_equal(helper_wfi(&cpu, 0xd503207f), HELPER_NEXT);
	assert_int_equal(cpu.pending_exit, -1);
	atomic_store(&cpu.irq_lines, 0);
	/* EL0: nTWI */
	enter(PSR_M_EL0T, 0x8000);
	cpu.sys.sctlr_el1 &= ~SCTLR_NTWI;
	assert_int_equal(helper_wfi(&cpu, 0xd503207f), HELPER_JUMP);
	assert_int_equal(esr_ec(), 0x01);
	assert_int_equal(esr_iss(), 0x1e00000);
	assert_true(cpu.sys.elr_el1 == 0x8000);
	enter(PSR_M_EL0T, 0x8000);
	cpu.sys.sctlr_el1 |= SCTLR_NTWI;
	helper_wfi(&cpu, 0xd503207f);
	assert_int_equal(cpu.pending_exit, DBT_EXIT_WFI);
	assert_int_equal(cpu.ps.el, 0);
}

static void test_wfit(void **state)
{
	cpu.x[3] = 1000;
	calls.clock = 999;
	enter(PSR_M_EL0T, 0x8000);
	calls.clock = 999;
	cpu.sys.sctlr_el1 &= ~SCTLR_NTWI;
	assert_int_equal(helper_wfi(&cpu, 0xd5031023), HELPER_JUMP);
	assert_int_equal(esr_ec(), 0x01);
	assert_int_equal(esr_iss(), 0x1e00000 | 3 << 5 | 1 << 2 | 2);
	enter(PSR_M_EL0T, 0x8000);
	calls.clock = 1000; /* the time has come */
	assert_int_equal(helper_wfi(&cpu, 0xd5031023), HELPER_NEXT);
	enter(PSR_M_EL1H, 0x8000);
	calls.clock = 1000;
	assert_int_equal(helper_wfi(&cpu, 0xd5031023), HELPER_NEXT);
	assert_int_equal(cpu.pending_exit, -1);
	calls.clock = 999;
	assert_int_equal(helper_wfi(&cpu, 0xd5031023), HELPER_JUMP);
	assert_int_equal(cpu.pending_exit, DBT_EXIT_WFI);
	assert_true(last_exit.data.wfi.until == 1000);
	cpu.pending_exit = -1;
}

static void test_fp_trap(void **state)
{
	static const bool trapped[4][2] = {
		{true, true}, {true, false}, {true, true}, {false, false}};

	for (unsigned fpen = 0; fpen < 4; fpen++)
		for (unsigned el = 0; el < 2; el++) {
			enter(el ? PSR_M_EL1H : PSR_M_EL0T, 0x8000);
			cpu.sys.cpacr_el1 = (u64)fpen << 20;
			assert_int_equal(cpu_fp_trapped(&cpu), trapped[fpen][el]);
		}
	a64_take_fp_trap(&cpu);
	assert_int_equal(esr_ec(), 0x07);
	assert_int_equal(esr_iss(), 0x1e00000);
}

/* ---- formats ---- */

static void test_nzcv(void **state)
{
	for (u32 v = 0; v < 16; v++) {
		cpu_nzcv_set(&cpu, v);
		assert_int_equal(cpu_nzcv_get(&cpu), v);
		/* lahf's AH: SF ZF 0 AF 0 PF 1 CF; carry is the x86 borrow */
		assert_int_equal(cpu.host_nzcv >> 15, v >> 3);
		assert_int_equal(cpu.host_nzcv >> 14 & 1, v >> 2 & 1);
		assert_int_equal(cpu.host_nzcv >> 8 & 1, !(v & 2));
		assert_int_equal(cpu.host_nzcv & 0xff, v & 1);
		/* bits lahf sets beside them do not matter */
		cpu.host_nzcv |= 0x3e00 & 0x3600;
		assert_int_equal(cpu_nzcv_get(&cpu), v);
	}
}

static void test_fpcr(void **state)
{
	static const u32 mxcsr_rc[4] = {0x0000, 0x4000, 0x2000, 0x6000};

	for (u32 rm = 0; rm < 4; rm++) {
		cpu_fpcr_set(&cpu, rm << 22);
		assert_int_equal(cpu.guest_mxcsr, 0x1f80 | mxcsr_rc[rm]);
		cpu_fpcr_set(&cpu, rm << 22 | 1 << 24);
		assert_int_equal(cpu.guest_mxcsr, 0x9fc0 | mxcsr_rc[rm]);
	}
	cpu_fpcr_set(&cpu, ~0u);
	assert_int_equal(cpu.fpcr, 0x07c80000); /* no trap enables, no vector length */
}

static void test_fpsr(void **state)
{
	static const struct {
		u32 mxcsr, fpsr;
	} map[] = {{1, 1}, {4, 2}, {8, 4}, {16, 8}, {32, 16}};

	for (unsigned i = 0; i < ARRAY_SIZE(map); i++) {
		cpu_fpsr_set(&cpu, 0);
		cpu.guest_mxcsr |= map[i].mxcsr;
		assert_int_equal(cpu_fpsr_get(&cpu), map[i].fpsr);
	}
	/* DE is IDC with FZ only, and not when it was collected without */
	cpu_fpsr_set(&cpu, 0);
	cpu.guest_mxcsr |= 2;
	assert_int_equal(cpu_fpsr_get(&cpu), 0);
	cpu_fpcr_set(&cpu, 1 << 24);
	assert_int_equal(cpu_fpsr_get(&cpu), 0);
	cpu.guest_mxcsr |= 2 | 1;
	assert_int_equal(cpu_fpsr_get(&cpu), 0x81);
	cpu_fpcr_set(&cpu, 0);
	assert_int_equal(cpu_fpsr_get(&cpu), 0x81);
	cpu_fpsr_set(&cpu, ~0u);
	assert_int_equal(cpu_fpsr_get(&cpu), 0x0800009f);
	cpu_fpsr_set(&cpu, 0);
	assert_int_equal(cpu_fpsr_get(&cpu), 0);
}

/* ---- self-hosted debug ---- */

static void step_to_el0(void)
{
	cpu.sys.oslsr_el1 &= ~OSLSR_OSLK;
	cpu.sys.mdscr_el1 = MDSCR_SS;
	enter(PSR_M_EL1H | 0x3c0, 0x8000);
	cpu.sys.spsr_el1 = PSR_SS | PSR_M_EL0T;
	cpu.sys.elr_el1 = 0x5000;
	helper_eret(&cpu, 0xd69f03e0);
}

static void test_step(void **state)
{
	step_to_el0();
	assert_int_equal(cpu.ps.ss, 1);
	assert_int_equal(a64_debug_active(&cpu), DEBUG_STEP);
	assert_false(a64_debug_before(&cpu));
	cpu.pc += 4;
	a64_debug_after(&cpu, 0xd503201f);
	assert_true(a64_debug_before(&cpu));
	assert_int_equal(esr_ec(), 0x32);
	assert_int_equal(esr_iss(), 0x1000022);
	assert_true(cpu.sys.elr_el1 == 0x5004);
	assert_int_equal(cpu.sys.spsr_el1, PSR_M_EL0T);
	assert_int_equal(a64_debug_active(&cpu), 0); /* EL1, D masked */

	step_to_el0();
	a64_debug_after(&cpu, 0xc85f7c20); /* ldxr x0, [x1] */
	assert_true(a64_debug_before(&cpu));
	assert_int_equal(esr_iss(), 0x1000062);

	/* an abort of the stepped instruction leaves the step to be done */
	step_to_el0();
	a64_take_dabt(&cpu, 0, 0x07, false, cpu.pc);
	assert_true(cpu.sys.spsr_el1 & PSR_SS);
	/* SVC is over when it is taken: back with SS clear, the step exception comes at once */
	step_to_el0();
	helper_svc(&cpu, 0xd4000001);
	assert_false(cpu.sys.spsr_el1 & PSR_SS);
	helper_eret(&cpu, 0xd69f03e0);
	assert_true(a64_debug_before(&cpu));
	assert_int_equal(esr_iss(), 0x22);
	assert_true(cpu.sys.elr_el1 == 0x5004);
}

static void test_step_enables(void **state)
{
	step_to_el0();
	cpu.sys.oslsr_el1 |= OSLSR_OSLK;
	assert_int_equal(a64_debug_active(&cpu), 0);
	/* EL1 needs KDE and D clear */
	cpu.sys.oslsr_el1 &= ~OSLSR_OSLK;
	enter(PSR_M_EL1H, 0x8000);
	assert_int_equal(a64_debug_active(&cpu), 0);
	cpu.sys.mdscr_el1 = MDSCR_SS | MDSCR_KDE;
	assert_int_equal(a64_debug_active(&cpu), DEBUG_STEP);
	enter(PSR_M_EL1H | 0x200, 0x8000);
	assert_int_equal(a64_debug_active(&cpu), 0);
	/* SPSR.SS counts only on the way from where debug is disabled to where it is not */
	cpu.sys.spsr_el1 = PSR_SS | PSR_M_EL1H;
	helper_eret(&cpu, 0xd69f03e0);
	assert_int_equal(cpu.ps.ss, 1);
	cpu.sys.spsr_el1 = PSR_SS | PSR_M_EL0T;
	helper_eret(&cpu, 0xd69f03e0);
	assert_int_equal(cpu.ps.ss, 0);
	enter(PSR_M_EL1H | 0x200, 0x8000);
	cpu.sys.mdscr_el1 = 0;
	cpu.sys.spsr_el1 = PSR_SS | PSR_M_EL0T;
	helper_eret(&cpu, 0xd69f03e0);
	assert_int_equal(cpu.ps.ss, 0);
}

static void debug_on(u32 spsr, u64 pc)
{
	cpu.sys.oslsr_el1 &= ~OSLSR_OSLK;
	cpu.sys.mdscr_el1 = MDSCR_MDE;
	enter(spsr, pc);
}

static void test_breakpoint(void **state)
{
	debug_on(PSR_M_EL0T, 0x0000ffff12345678);
	cpu.sys.dbgbvr[1] = 0x0000ffff12345678;
	cpu.sys.dbgbcr[1] = 1 | 2 << 1 | 0xf << 5;
	assert_int_equal(a64_debug_active(&cpu), DEBUG_BREAK);
	assert_true(a64_debug_page(&cpu, GVA(0x0000ffff12345000), DEBUG_BREAK));
	assert_false(a64_debug_page(&cpu, GVA(0x0000ffff12346000), DEBUG_BREAK));
	assert_false(a64_debug_page(&cpu, GVA(0x0000ffff12345000), DEBUG_WATCH));
	cpu.pc += 4;
	assert_false(a64_debug_before(&cpu));
	cpu.pc -= 4;
	assert_true(a64_debug_before(&cpu));
	assert_int_equal(esr_ec(), 0x30);
	assert_int_equal(esr_iss(), 0x22);
	assert_true(cpu.sys.elr_el1 == 0x0000ffff12345678);
	/* EL0 only: not for EL1 */
	cpu.sys.mdscr_el1 |= MDSCR_KDE;
	enter(PSR_M_EL1H, 0x0000ffff12345678);
	assert_int_equal(a64_debug_active(&cpu), 0);
	cpu.sys.dbgbcr[1] = 1 | 1 << 1 | 0xf << 5;
	assert_true(a64_debug_before(&cpu));
	assert_int_equal(esr_ec(), 0x31);
	/* kernel address: bit 48 extends */
	enter(PSR_M_EL1H, 0xffff800008001000);
	cpu.sys.dbgbvr[1] = 0x0001800008001000;
	assert_true(a64_debug_before(&cpu));
}

static void test_breakpoint_context(void **state)
{
	debug_on(PSR_M_EL0T, 0x4000);
	cpu.sys.dbgbvr[0] = 0x4000;
	cpu.sys.dbgbcr[0] = 1 | 2 << 1 | 0xf << 5 | 5 << 16 | 1 << 20; /* linked to 5 */
	cpu.sys.dbgbvr[5] = 77;
	cpu.sys.dbgbcr[5] = 1 | 2 << 1 | 0xf << 5 | 3 << 20;
	assert_false(a64_debug_before(&cpu));
	cpu.sys.contextidr_el1 = 77;
	assert_true(a64_debug_before(&cpu));
	/* a breakpoint that is no context one never links */
	enter(PSR_M_EL0T, 0x4000);
	cpu.sys.dbgbcr[5] = 1 | 2 << 1 | 0xf << 5;
	assert_false(a64_debug_before(&cpu));
	/* unlinked context match: any address */
	cpu.sys.dbgbcr[0] = 0;
	cpu.sys.dbgbcr[5] = 1 | 2 << 1 | 0xf << 5 | 2 << 20;
	assert_true(a64_debug_page(&cpu, GVA(0x123000), DEBUG_BREAK));
	assert_true(a64_debug_before(&cpu));
}

static void test_watchpoint(void **state)
{
	debug_on(PSR_M_EL0T, 0x4000);
	cpu.sys.dbgwvr[2] = 0x10008;
	cpu.sys.dbgwcr[2] = 1 | 2 << 1 | 2 << 3 | 0x3c << 5; /* stores to bytes 0x1000a-0x1000d */
	assert_int_equal(a64_debug_active(&cpu), DEBUG_WATCH);
	assert_true(a64_debug_page(&cpu, GVA(0x10000), DEBUG_WATCH));
	assert_false(a64_debug_page(&cpu, GVA(0x11000), DEBUG_WATCH));
	assert_false(a64_take_watch(&cpu, GVA(0x10008), 2, true, false));
	assert_false(a64_take_watch(&cpu, GVA(0x1000e), 8, true, false));
	assert_false(a64_take_watch(&cpu, GVA(0x1000a), 1, false, false));
	assert_true(a64_take_watch(&cpu, GVA(0x10004), 8, true, false));
	assert_int_equal(esr_ec(), 0x34);
	assert_int_equal(esr_iss(), 0x62);
	assert_true(cpu.sys.far_el1 == 0x1000a);
	/* bytes between selected ones are not watched */
	enter(PSR_M_EL0T, 0x4000);
	cpu.sys.dbgwcr[2] = 1 | 2 << 1 | 3 << 3 | 0x81 << 5;
	assert_false(a64_take_watch(&cpu, GVA(0x10009), 4, false, false));
	assert_true(a64_take_watch(&cpu, GVA(0x1000c), 4, false, false));
	assert_int_equal(esr_iss(), 0x22);
	assert_true(cpu.sys.far_el1 == 0x1000f);
	/* EL0's, but an unprivileged access of EL1 counts as EL0's */
	cpu.sys.mdscr_el1 |= MDSCR_KDE;
	enter(PSR_M_EL1H, 0x4000);
	assert_false(a64_take_watch(&cpu, GVA(0x10008), 1, false, false));
	assert_true(a64_take_watch(&cpu, GVA(0x10008), 1, false, true));
	assert_int_equal(esr_ec(), 0x35);
	/* by mask */
	enter(PSR_M_EL0T, 0x4000);
	cpu.sys.dbgwvr[2] = 0x20000;
	cpu.sys.dbgwcr[2] = 1 | 2 << 1 | 1 << 3 | 0xff << 5 | 14ull << 24;
	assert_true(a64_debug_page(&cpu, GVA(0x23000), DEBUG_WATCH));
	assert_false(a64_debug_page(&cpu, GVA(0x24000), DEBUG_WATCH));
	assert_false(a64_take_watch(&cpu, GVA(0x24000), 1, false, false));
	assert_true(a64_take_watch(&cpu, GVA(0x23ffc), 8, false, false));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(test_reset_state),
		T(test_svc_from_el0),
		T(test_vectors),
		T(test_masks),
		T(test_aborts),
		T(test_pan_and_ssbs_on_entry),
		T(test_eret_round_trip),
		T(test_sp_banks),
		T(test_illegal_return),
		T(test_eret_address),
		T(test_eret_unmasks),
		T(test_pstate_set_refuses),
		T(test_undefined_at_el0),
		T(test_calls_out),
		T(test_wfi),
		T(test_wfit),
		T(test_fp_trap),
		T(test_nzcv),
		T(test_fpcr),
		T(test_fpsr),
		T(test_step),
		T(test_step_enables),
		T(test_breakpoint),
		T(test_breakpoint_context),
		T(test_watchpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

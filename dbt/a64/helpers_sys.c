/* SPDX-License-Identifier: MIT */
/* SYS and SYSL: cache maintenance, DC ZVA, address translation, TLB maintenance. */
#include <errno.h>
#include <stdio.h>

#include "common/log.h"
#include "dbt/a64/regs.h"
#include "dbt/vm.h"

#define ZVA_BYTES 64

/* TLBI by range: beyond this many 4 KiB pages one flush of everything is cheaper. */
#define TLBI_RANGE_MAX_PAGES 1024

/* op1:CRn:CRm:op2 of a SYS instruction */
#define SYS_OP(op1, crn, crm, op2) ((op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))

static int sys_undef(struct dbt_vcpu *cpu, u32 raw)
{
	char text[64];

	text[0] = '\0';
	if (log_on(LOG_UNIMP))
		snprintf(text, sizeof(text), "%s %u, C%u, C%u, %u", raw & BIT(21) ? "SYSL" : "SYS",
			 sys_op1(raw), sys_crn(raw), sys_crm(raw), sys_op2(raw));
	a64_take_undef(cpu, text);
	return HELPER_JUMP;
}

static u64 get_rt(const struct dbt_vcpu *cpu, u32 raw)
{
	return (raw & 31) == 31 ? 0 : cpu->x[raw & 31];
}

static bool el0_may(const struct dbt_vcpu *cpu, u64 sctlr_bit)
{
	return cpu->ps.el != 0 || (cpu->sys.sctlr_el1 & sctlr_bit);
}

/*
 * Host address of va by a flat table, or NULL where the table does not know: what translated code
 * does inline, the non-canonical sum of an alias included.
 */
static u8 *table_lookup(const u64 *tab, u64 va)
{
	u64 addend = view_get(tab, va);
	u64 host = addend + va;

	return addend && host < BIT(47) ? (u8 *)host : NULL;
}

/* ---- instruction cache ---- */

static int ic_all(struct dbt_vcpu *cpu)
{
	code_invalidate_all(cpu);
	cpu->pc += 4;
	return HELPER_JUMP;
}

/* Readable or executable will do: a JIT's pages may be execute-only. */
static int ic_walk(struct dbt_vcpu *cpu, u64 va, struct walk *w)
{
	unsigned el = cpu->ps.el;
	struct walk exec;

	if (mmu_walk_flags(cpu, GVA(va), ACC_READ, el, WALK_NO_PAN, w) == 0)
		return 0;
	if (mmu_walk_flags(cpu, GVA(va), ACC_EXEC, el, WALK_NO_PAN, &exec) < 0)
		return -EFAULT;
	*w = exec;
	return 0;
}

static bool host_to_gpa(const struct dbt_vm *vm, const u8 *host, u64 *gpa)
{
	for (unsigned i = 0; i < vm->nslots; i++) {
		u64 off = (u64)(host - vm->slot[i].host);

		if (off < vm->slot[i].size) {
			*gpa = vm->slot[i].gpa + off;
			return true;
		}
	}
	return false;
}

/* Does the instruction at pc come from this physical page? "Do not know" is true. */
static bool runs_from_page(const struct dbt_vcpu *cpu, u64 gpa)
{
	const u8 *slots = table_lookup(cpu->ex_tab, ALIGN_DOWN(cpu->pc, PAGE_SIZE));
	const struct code_page *page;

	if (!slots)
		return true;
	page = (const struct code_page *)(slots - offsetof(struct code_page, slots));
	return page->gpa == ALIGN_DOWN(gpa, PAGE_SIZE);
}

static int ic_ivau(struct dbt_vcpu *cpu, u32 raw)
{
	u64 va = get_rt(cpu, raw), gpa;
	bool self;
	u8 *host;

	if (!el0_may(cpu, SCTLR_UCI))
		return a64_take_sysreg_trap(cpu, raw);
	/* Linux comes here for each line of what it makes executable, just after having written it.
	 */
	host = table_lookup(cpu->ld_tab, va);
	if (!host || !host_to_gpa(cpu->vm, host, &gpa)) {
		struct walk w;

		if (ic_walk(cpu, va, &w) < 0) {
			a64_take_cache_abort(cpu, va, w.fault);
			return HELPER_JUMP;
		}
		gpa = w.pa;
	}
	/* The block being executed may be among those dropped: what follows must be looked up anew.
	 */
	self = runs_from_page(cpu, gpa);
	code_invalidate_page(cpu, GPA(gpa));
	if (!self)
		return HELPER_NEXT;
	cpu->pc += 4;
	return HELPER_JUMP;
}

/* ---- data cache ---- */

/* There is no cache to maintain; what is left is the access control of DC by VA to the PoC/PoU/PoP.
 */
static int dc_va(struct dbt_vcpu *cpu, u32 raw, enum access acc)
{
	u64 va = get_rt(cpu, raw);
	struct walk w;

	if (!el0_may(cpu, SCTLR_UCI))
		return a64_take_sysreg_trap(cpu, raw);
	if (mmu_walk_flags(cpu, GVA(va), acc, cpu->ps.el, WALK_NO_PAN, &w) < 0) {
		a64_take_cache_abort(cpu, va, w.fault);
		return HELPER_JUMP;
	}
	return HELPER_NEXT;
}

static void zero_block(u8 *host)
{
	__builtin_memset((u8 *)ALIGN_DOWN((uintptr_t)host, (uintptr_t)ZVA_BYTES), 0, ZVA_BYTES);
}

static int dc_zva(struct dbt_vcpu *cpu, u32 raw)
{
	u64 va = get_rt(cpu, raw);
	struct walk w;
	u8 *host;

	if (!el0_may(cpu, SCTLR_DZE))
		return a64_take_sysreg_trap(cpu, raw);
	host = table_lookup(cpu->st_tab, va);
	if (likely(host && cpu->sys.sctlr_el1 & SCTLR_M)) {
		zero_block(host);
		return HELPER_NEXT;
	}
	/* FAR of a DC fault is the register's value, not the block's start. */
	if (mmu_walk(cpu, GVA(va), ACC_WRITE, cpu->ps.el, &w) < 0) {
		a64_take_dabt(cpu, va, w.fault, true, cpu->pc);
		return HELPER_JUMP;
	}
	host = dbt_ram_ptr(cpu->vm, w.pa, 1); /* slots are page aligned: the block is inside, too */
	if (w.device || !host) {
		a64_take_dabt(cpu, va, w.device ? FSC_ALIGN : FSC_EXT, true, cpu->pc);
		return HELPER_JUMP;
	}
	if (unlikely(cpu->vm->watching) &&
	    debug_take_watch(cpu, GVA(ALIGN_DOWN(va, 64ull)), 64, true, false))
		return HELPER_JUMP;
	zero_block(host);
	return HELPER_NEXT;
}

/* ---- AT ---- */

#define PAR_F	 BIT(0)
#define PAR_RES1 BIT(11)
#define PAR_PA	 0x0000fffffffff000ull

static int at_s1(struct dbt_vcpu *cpu, u32 raw, unsigned el, enum access acc, unsigned flags)
{
	u64 va = get_rt(cpu, raw);
	struct walk w;

	if (mmu_walk_flags(cpu, GVA(va), acc, el, flags | WALK_NO_DIRTY, &w) == 0) {
		cpu->sys.par_el1 = (u64)w.attr << 56 | (w.pa & PAR_PA) | PAR_RES1 | (u64)w.sh << 7;
		return HELPER_NEXT;
	}
	/* An external abort on the walk is an exception, not a result (AArch64.AT). */
	if ((w.fault & 0x3c) == FSC_EXT_WALK) {
		a64_take_cache_abort(cpu, va, w.fault);
		return HELPER_JUMP;
	}
	cpu->sys.par_el1 = PAR_F | (u64)(w.fault & 0x3f) << 1 | PAR_RES1;
	return HELPER_NEXT;
}

/* ---- TLBI ---- */

static u16 tlbi_asid(const struct dbt_vcpu *cpu, u64 arg)
{
	return (u16)(arg >> 48 & (cpu->sys.tcr_el1 & TCR_AS ? 0xffff : 0xff));
}

static void tlbi_range(struct dbt_vcpu *cpu, u64 arg, bool all_asids)
{
	static const u8 tg_shift[4] = {0, 12, 14, 16};
	unsigned shift = tg_shift[BITS(arg, 47, 46)];
	u64 pages, start;

	if (!shift)
		return; /* reserved granule: nothing is invalidated */
	pages = (BITS(arg, 43, 39) + 1) << (5 * BITS(arg, 45, 44) + 1 + shift - 12);
	start = (u64)sext64(arg, 37) << shift;
	if (pages > TLBI_RANGE_MAX_PAGES) {
		view_tlbi_all(cpu);
		return;
	}
	for (u64 i = 0; i < pages; i++)
		view_tlbi_va(cpu, GVA(start + (i << 12)), tlbi_asid(cpu, arg), all_asids);
}

/*
 * All TLBI of the EL1&0 regime. CRm: 1, 3, 7 by address, ASID or all (outer, inner shareable,
 * local); 2, 5, 6 by range. A local one is done for every vCPU like the others: views are shared.
 * CRn 9 (nXS forms) needs FEAT_XS, which this CPU has not.
 */
static int tlbi(struct dbt_vcpu *cpu, u32 raw)
{
	enum { ALL = 0, VA = 1, ASID = 2, VAA = 3, VAL = 5, VAAL = 7 };
	unsigned crm = sys_crm(raw), op2 = sys_op2(raw);
	bool by_range = crm == 2 || crm == 5 || crm == 6;
	u64 arg = get_rt(cpu, raw);

	if (!by_range && crm != 1 && crm != 3 && crm != 7)
		return sys_undef(cpu, raw);
	if (by_range && (op2 == ALL || op2 == ASID))
		return sys_undef(cpu, raw);
	switch (op2) {
	case ALL: view_tlbi_all(cpu); break;
	case ASID: view_tlbi_asid(cpu, tlbi_asid(cpu, arg)); break;
	case VA:
	case VAL:
	case VAA:
	case VAAL:
		if (by_range)
			tlbi_range(cpu, arg, op2 == VAA || op2 == VAAL);
		else
			view_tlbi_va(cpu, GVA((u64)sext64(arg << 12, 56)), tlbi_asid(cpu, arg),
				     op2 == VAA || op2 == VAAL);
		break;
	default: return sys_undef(cpu, raw);
	}
	return HELPER_NEXT;
}

/* ---- dispatch ---- */

static int sys_el1(struct dbt_vcpu *cpu, u32 raw)
{
	switch (BITS(raw, 18, 5)) {
	case SYS_OP(0, 7, 1, 0):				    /* IC IALLUIS */
	case SYS_OP(0, 7, 5, 0): return ic_all(cpu);		    /* IC IALLU */
	case SYS_OP(0, 7, 6, 1): return dc_va(cpu, raw, ACC_WRITE); /* DC IVAC */
	case SYS_OP(0, 7, 6, 2):				    /* DC ISW, CSW, CISW */
	case SYS_OP(0, 7, 10, 2):
	case SYS_OP(0, 7, 14, 2): return HELPER_NEXT;
	case SYS_OP(0, 7, 8, 0): return at_s1(cpu, raw, 1, ACC_READ, WALK_NO_PAN);
	case SYS_OP(0, 7, 8, 1): return at_s1(cpu, raw, 1, ACC_WRITE, WALK_NO_PAN);
	case SYS_OP(0, 7, 8, 2): return at_s1(cpu, raw, 0, ACC_READ, 0);
	case SYS_OP(0, 7, 8, 3): return at_s1(cpu, raw, 0, ACC_WRITE, 0);
	case SYS_OP(0, 7, 9, 0): return at_s1(cpu, raw, 1, ACC_READ, 0); /* S1E1RP, WP */
	case SYS_OP(0, 7, 9, 1): return at_s1(cpu, raw, 1, ACC_WRITE, 0);
	default: return sys_undef(cpu, raw);
	}
}

int helper_sys(struct dbt_vcpu *cpu, u32 raw)
{
	if (raw & BIT(21)) /* SYSL: none is allocated here */
		return sys_undef(cpu, raw);
	if (sys_op1(raw) == 0) {
		if (cpu->ps.el == 0)
			return sys_undef(cpu, raw);
		return sys_crn(raw) == 8 ? tlbi(cpu, raw) : sys_el1(cpu, raw);
	}
	switch (BITS(raw, 18, 5)) {
	case SYS_OP(3, 7, 4, 1): return dc_zva(cpu, raw);
	case SYS_OP(3, 7, 5, 1): return ic_ivau(cpu, raw);
	case SYS_OP(3, 7, 10, 1): /* DC CVAC, CVAU, CVAP, CVADP, CIVAC */
	case SYS_OP(3, 7, 11, 1):
	case SYS_OP(3, 7, 12, 1):
	case SYS_OP(3, 7, 13, 1):
	case SYS_OP(3, 7, 14, 1): return dc_va(cpu, raw, ACC_READ);
	case SYS_OP(3, 7, 3,
		    4): /* CFP, DVP, CPP RCTX: nothing a guest can influence is predicted from */
	case SYS_OP(3, 7, 3, 5):
	case SYS_OP(3, 7, 3, 7):
		if (!el0_may(cpu, SCTLR_ENRCTX))
			return a64_take_sysreg_trap(cpu, raw);
		return HELPER_NEXT;
	default: return sys_undef(cpu, raw);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * Exceptions to EL1 and the instructions that raise or return from them. All of this runs on the
 * vCPU's thread with the complete state in struct dbt_vcpu.
 */
#include "common/log.h"
#include "dbt/a64/regs.h"

#define VECTOR_IRQ    0x080
#define VECTOR_FIQ    0x100
#define VECTOR_SERROR 0x180

#define ESR_IL BIT(25) /* a 32-bit instruction, or an exception for which the bit is RES1 */

/* AArch64.TakeException: everything but ESR and FAR. */
static void take(struct dbt_vcpu *cpu, unsigned vector, u64 elr)
{
	struct a64_pstate *ps = &cpu->ps;

	cpu_btype_settle(cpu, cpu->pc);
	cpu->sys.spsr_el1 = cpu_pstate_get(cpu);
	cpu->sys.elr_el1 = elr;
	if (ps->el == 0)
		vector += 0x400;
	else if (ps->spsel)
		vector += 0x200;
	cpu_sp_save(cpu);
	pmu_set_el(cpu, 1);
	ps->spsel = 1;
	ps->daif = DAIF_D | DAIF_A | DAIF_I | DAIF_F;
	ps->il = ps->ss = ps->uao = ps->stepped = 0;
	cpu->btype = 0;
	if (!(cpu->sys.sctlr_el1 & SCTLR_SPAN))
		ps->pan = 1;
	ps->ssbs = !!(cpu->sys.sctlr_el1 & SCTLR_DSSBS);
	cpu_sp_load(cpu);
	cpu->pc = cpu->sys.vbar_el1 + vector;
	view_switch(cpu);
}

static bool ec_has_lower_form(unsigned ec)
{
	switch (ec) {
	case EC_IABT:
	case EC_DABT:
	case EC_BREAKPT:
	case EC_SSTEP:
	case EC_WATCHPT: return true;
	default: return false;
	}
}

void a64_take_sync(struct dbt_vcpu *cpu, unsigned ec, u32 iss, u64 elr)
{
	if (cpu->ps.el == 0 && ec_has_lower_form(ec))
		ec &= ~1u;
	cpu->sys.esr_el1 = (u64)ec << 26 | ESR_IL | (iss & 0x1ffffff);
	if (ec == EC_PC_ALIGN)
		cpu->sys.far_el1 = elr;
	cpu->stats.exceptions++;
	if (log_on(LOG_EXC))
		log_print("exc: cpu%u EL%u pc=%#lx ec=%#x iss=%#x far=%#lx\n", cpu->index,
			  cpu->ps.el, elr, ec, iss, cpu->sys.far_el1);
	take(cpu, 0, elr);
}

void a64_take_dabt(struct dbt_vcpu *cpu, u64 far, u32 fsc, bool write, u64 elr)
{
	cpu->sys.far_el1 = far;
	a64_take_sync(cpu, EC_DABT, (fsc & 0x3f) | (write ? ISS_WNR : 0), elr);
}

void a64_take_cache_abort(struct dbt_vcpu *cpu, u64 far, u32 fsc)
{
	cpu->sys.far_el1 = far;
	/* WnR is 1 for cache maintenance whatever the fault (ISS encoding for Data Aborts). */
	a64_take_sync(cpu, EC_DABT, (u32)((fsc & 0x3f) | ISS_WNR | ISS_CM), cpu->pc);
}

void a64_take_iabt(struct dbt_vcpu *cpu, u64 far, u32 fsc)
{
	cpu->sys.far_el1 = far;
	a64_take_sync(cpu, EC_IABT, fsc & 0x3f, cpu->pc);
}

void a64_take_undef(struct dbt_vcpu *cpu, const char *why)
{
	if (log_on(LOG_UNIMP))
		log_print("unimp: cpu%u EL%u pc=%#lx: %s\n", cpu->index, cpu->ps.el, cpu->pc, why);
	a64_take_sync(cpu, EC_UNKNOWN, 0, cpu->pc);
}

int a64_take_sysreg_trap(struct dbt_vcpu *cpu, u32 raw)
{
	u32 iss = sys_op0(raw) << 20 | sys_op2(raw) << 17 | sys_op1(raw) << 14 |
		  sys_crn(raw) << 10 | (raw & 31) << 5 | sys_crm(raw) << 1 | (raw >> 21 & 1);

	a64_take_sync(cpu, EC_SYSREG, iss, cpu->pc);
	return HELPER_JUMP;
}

bool cpu_fp_trapped(const struct dbt_vcpu *cpu)
{
	unsigned fpen = (unsigned)BITS(cpu->sys.cpacr_el1, 21, 20);

	return cpu->ps.el == 0 ? fpen != 3 : !(fpen & 1);
}

void a64_take_fp_trap(struct dbt_vcpu *cpu)
{
	a64_take_sync(cpu, EC_FP, (u32)ISS_CV_AL, cpu->pc);
}

/* ---- interrupts ---- */

/* The lines PSTATE lets through, as enum dbt_irq. */
static u32 deliverable(const struct dbt_vcpu *cpu)
{
	u32 lines = atomic_load_explicit(&cpu->irq_lines, memory_order_relaxed);
	u32 open = 0;

	if (likely(!lines))
		return 0;
	open |= cpu->ps.daif & DAIF_I ? 0 : DBT_IRQ;
	open |= cpu->ps.daif & DAIF_F ? 0 : DBT_FIQ;
	open |= cpu->ps.daif & DAIF_A ? 0 : DBT_SERROR;
	return lines & open;
}

bool a64_irq_recheck(struct dbt_vcpu *cpu)
{
	if (likely(!deliverable(cpu)))
		return false;
	atomic_fetch_or_explicit(&cpu->exit_req, EXIT_REQ_IRQ, memory_order_relaxed);
	return true;
}

bool a64_take_irq(struct dbt_vcpu *cpu)
{
	u32 lines = deliverable(cpu);
	unsigned vector;

	if (!lines)
		return false;
	if (lines & DBT_SERROR) {
		/* An edge: taken once. IRQ and FIQ are levels, the GIC takes them back. */
		atomic_fetch_and(&cpu->irq_lines, ~(u32)DBT_SERROR);
		cpu->sys.esr_el1 = (u64)EC_SERROR << 26 | ESR_IL;
		vector = VECTOR_SERROR;
	} else {
		vector = lines & DBT_FIQ ? VECTOR_FIQ : VECTOR_IRQ;
	}
	cpu->stats.irqs++;
	if (log_on(LOG_IRQ))
		log_print("irq: cpu%u EL%u pc=%#lx lines=%#x\n", cpu->index, cpu->ps.el, cpu->pc,
			  lines);
	take(cpu, vector, cpu->pc);
	return true;
}

/* ---- instructions ---- */

int helper_undef(struct dbt_vcpu *cpu, u32 raw)
{
	if (log_on(LOG_UNIMP))
		log_print("unimp: cpu%u EL%u pc=%#lx: instruction %08x\n", cpu->index, cpu->ps.el,
			  cpu->pc, raw);
	a64_take_sync(cpu, EC_UNKNOWN, 0, cpu->pc);
	return HELPER_JUMP;
}

static u16 exc_imm16(u32 raw)
{
	return (u16)BITS(raw, 20, 5);
}

int helper_svc(struct dbt_vcpu *cpu, u32 raw)
{
	/* The SVC has been executed when its exception is taken: a software step is over. */
	cpu->ps.ss = 0;
	a64_take_sync(cpu, EC_SVC64, exc_imm16(raw), cpu->pc + 4);
	return HELPER_JUMP;
}

static int call_out(struct dbt_vcpu *cpu, u32 raw, enum dbt_exit_reason reason)
{
	if (cpu->ps.el == 0) {
		a64_take_undef(cpu, reason == DBT_EXIT_HVC ? "HVC at EL0" : "SMC at EL0");
		return HELPER_JUMP;
	}
	cpu->ps.ss = 0;
	cpu->pc += 4;
	cpu->exit->data.call.imm = exc_imm16(raw);
	cpu->pending_exit = reason;
	return HELPER_JUMP;
}

int helper_hvc(struct dbt_vcpu *cpu, u32 raw)
{
	return call_out(cpu, raw, DBT_EXIT_HVC);
}

int helper_smc(struct dbt_vcpu *cpu, u32 raw)
{
	return call_out(cpu, raw, DBT_EXIT_SMC);
}

int helper_brk(struct dbt_vcpu *cpu, u32 raw)
{
	a64_take_sync(cpu, EC_BRK, exc_imm16(raw), cpu->pc);
	return HELPER_JUMP;
}

int helper_hlt(struct dbt_vcpu *cpu, u32 raw)
{
	/* No halting debug: HLT is UNDEFINED (also what semihosting without a debugger meets). */
	a64_take_undef(cpu, "HLT");
	return HELPER_JUMP;
}

int helper_eret(struct dbt_vcpu *cpu, u32 raw)
{
	u32 spsr = (u32)cpu->sys.spsr_el1;
	u64 elr = cpu->sys.elr_el1;

	if (cpu->ps.el == 0) {
		a64_take_undef(cpu, "ERET at EL0");
		return HELPER_JUMP;
	}
	if (log_on(LOG_EXC))
		log_print("exc: cpu%u ERET to %#lx spsr=%#x\n", cpu->index, elr, spsr);
	cpu->excl_size = 0;
	if (!psr_mode_valid(spsr)) {
		/* SetPSTATEFromPSR: flags, masks and PAN are taken over, EL and SP are not. */
		spsr &= ~(u32)(PSR_M4 | 0xf | 3 << PSR_BTYPE_LSB);
		spsr |= (u32)(PSR_IL | (unsigned)cpu->ps.el << 2 | cpu->ps.spsel);
	}
	if (!debug_eret_ss(cpu, spsr))
		spsr &= ~(u32)PSR_SS;
	cpu_pstate_set(cpu, spsr);
	cpu->pc = cpu->btype_pc = mmu_branch_addr(cpu, elr, cpu->ps.el);
	/* The next instruction, whatever it is, would raise this; nothing can come between. */
	if (unlikely(cpu->ps.il))
		a64_take_sync(cpu, EC_ILLEGAL, 0, cpu->pc);
	return HELPER_JUMP;
}

/* ---- branch target identification ---- */

void cpu_btype_settle(struct dbt_vcpu *cpu, u64 pc)
{
	if (cpu->btype_pc != pc)
		cpu->btype = 0;
}

/* BTypeCompatible of what may begin a block, for a BTYPE other than 0. */
static bool btype_compatible(const struct dbt_vcpu *cpu, u32 raw, u32 btype)
{
	struct a64_insn in;

	a64_decode(raw, &in);
	switch (in.op) {
	case A64_BTI: return bti_targets(&in) >> btype & 1;
	case A64_HINT:
		if (!is_paci_sp(&in))
			return false;
		return btype != 3 || !(cpu->sys.sctlr_el1 & (cpu->ps.el ? SCTLR_BT1 : SCTLR_BT0));
	default: return false;
	}
}

int helper_bti(struct dbt_vcpu *cpu, u32 raw)
{
	if (!btype_compatible(cpu, raw, cpu->btype))
		a64_take_sync(cpu, EC_BTI, cpu->btype, cpu->pc);
	else
		cpu->btype = 0; /* and again, from the start */
	return HELPER_JUMP;
}

/* ---- waiting ---- */

enum { WFX_TI_WFI = 0, WFX_TI_WFIT = 2 };

/* WFIT and WFET name a register: d503 10 0 Rt, where WFI and WFE are hints. */
static bool wfx_is_timed(u32 raw)
{
	return sys_crn(raw) == 1;
}

static u64 wfx_deadline(const struct dbt_vcpu *cpu, u32 raw)
{
	return (raw & 31) == 31 ? 0 : cpu->x[raw & 31];
}

int helper_wfi(struct dbt_vcpu *cpu, u32 raw)
{
	bool timed = wfx_is_timed(raw);

	/* Any pending interrupt, masked or not, lets WFI pass at once; then it does not trap
	 * either. */
	if (atomic_load_explicit(&cpu->irq_lines, memory_order_relaxed) ||
	    (timed && dbt_vm_clock(cpu->vm) >= wfx_deadline(cpu, raw)))
		return HELPER_NEXT;
	if (cpu->ps.el == 0 && !(cpu->sys.sctlr_el1 & SCTLR_NTWI)) {
		u32 iss = (u32)ISS_CV_AL;

		/* RN, RV: which register holds the deadline */
		iss |= timed ? (raw & 31) << 5 | 1 << 2 | WFX_TI_WFIT : WFX_TI_WFI;
		a64_take_sync(cpu, EC_WFX, iss, cpu->pc);
		return HELPER_JUMP;
	}
	cpu->pc += 4;
	cpu->exit->data.wfi.until = timed ? wfx_deadline(cpu, raw) : ~0ull;
	cpu->pending_exit = DBT_EXIT_WFI;
	return HELPER_JUMP;
}

int helper_wfe(struct dbt_vcpu *cpu, u32 raw)
{
	/* The event register counts as set (spurious events are allowed): WFE, WFET wait for nobody
	 * in particular, and never trap. */
	if (wfx_is_timed(raw) && dbt_vm_clock(cpu->vm) >= wfx_deadline(cpu, raw))
		return HELPER_NEXT;
	return smp_wait_event(cpu);
}

int helper_isb(struct dbt_vcpu *cpu, u32 raw)
{
	/* System register writes take effect at once; only an outside request is worth leaving for.
	 */
	if (likely(!atomic_load_explicit(&cpu->exit_req, memory_order_relaxed)))
		return HELPER_NEXT;
	cpu->pc += 4;
	return HELPER_JUMP;
}

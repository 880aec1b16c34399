/* SPDX-License-Identifier: MIT */
/* C builders of system instructions: helpers, but for what can be done in place. */
#include "dbt/hir.h"
#include "dbt/vm.h"

#define NZCV_ID SYSREG_ID(3, 3, 4, 2, 0)

static int helper_clrex(struct dbt_vcpu *cpu, u32 raw)
{
	cpu->excl_size = 0;
	return HELPER_NEXT;
}

static int helper_yield(struct dbt_vcpu *cpu, u32 raw)
{
	return smp_relax(cpu);
}

static int end(struct tr *tr, helper_fn fn, const struct a64_insn *in)
{
	hir_helper_end(&tr->hir, fn, in->raw);
	tr->ended = true;
	return 0;
}

static int mrs(struct tr *tr, const struct a64_insn *in)
{
	int off = sysreg_plain_offset((u32)in->imm, tr->mode & TR_MODE_EL1 ? 1 : 0, false);

	if (in->imm == NZCV_ID)
		hir2(&tr->hir, HIR_GETNZCV, 8, hd(in->rd), hnone());
	else if (off >= 0)
		hir2(&tr->hir, HIR_MOV, 8, hd(in->rd), hstate((size_t)off));
	else
		hir_helper(&tr->hir, helper_mrs, in->raw);
	return 0;
}

static int msr(struct tr *tr, const struct a64_insn *in)
{
	int off = sysreg_plain_offset((u32)in->imm, tr->mode & TR_MODE_EL1 ? 1 : 0, true);

	if (in->imm == NZCV_ID)
		hir2(&tr->hir, HIR_SETNZCV, 8, hnone(), hx(in->rd));
	else if (off >= 0)
		hir2(&tr->hir, HIR_MOV, 8, hstate((size_t)off), hx(in->rd));
	else
		hir_helper(&tr->hir, helper_msr, in->raw);
	return 0;
}

/* After TLBI and IC it waits until no other vCPU uses what they dropped. */
static int dsb(struct tr *tr, const struct a64_insn *in)
{
	struct hir *h = hir_emit(&tr->hir, HIR_BAILNZ, 4, hnone(),
				 hstate(offsetof(struct dbt_vcpu, dsb_pending)), hnone());

	h->fn = helper_dsb;
	h->raw = in->raw;
	hir_emit(&tr->hir, HIR_FENCE, 8, hnone(), hnone(), hnone());
	return 0;
}

int build_sys(struct tr *tr, const struct a64_insn *in)
{
	switch (in->op) {
	case A64_YIELD:
		if (tr->vm->cfg.max_vcpus > 1)
			hir_helper(&tr->hir, helper_yield, in->raw);
		return 0;
	case A64_NOP:
	case A64_HINT:
	case A64_BTI:
	case A64_DGH:
	case A64_SB:
	case A64_SEV:
	case A64_SEVL: return 0;
	case A64_ISB: hir_helper(&tr->hir, helper_isb, in->raw); return 0;
	case A64_DMB:
		/* x86-TSO keeps load-load, load-store and store-store order: only full barriers
		 * cost. */
		if ((in->imm & 3) == 3)
			hir_emit(&tr->hir, HIR_FENCE, 8, hnone(), hnone(), hnone());
		return 0;
	case A64_DSB: return dsb(tr, in);
	case A64_CLREX: hir_helper(&tr->hir, helper_clrex, in->raw); return 0;
	case A64_MRS: return mrs(tr, in);
	case A64_MSR_reg: return msr(tr, in);
	case A64_MSR_imm: hir_helper(&tr->hir, helper_msr_imm, in->raw); return 0;
	case A64_SYS:
	case A64_SYSL: hir_helper(&tr->hir, helper_sys, in->raw); return 0;
	case A64_WFI:
	case A64_WFIT: return end(tr, helper_wfi, in);
	case A64_WFE:
	case A64_WFET: return end(tr, helper_wfe, in);
	case A64_SVC: return end(tr, helper_svc, in);
	case A64_HVC: return end(tr, helper_hvc, in);
	case A64_SMC: return end(tr, helper_smc, in);
	case A64_BRK: return end(tr, helper_brk, in);
	case A64_HLT: return end(tr, helper_hlt, in);
	case A64_ERET: return end(tr, helper_eret, in);
	default: return -1;
	}
}

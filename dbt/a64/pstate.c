/* SPDX-License-Identifier: MIT */
/* PSTATE, FPCR and FPSR in the guest's format against the engine's own. */
#include <xmmintrin.h>

#include <errno.h>

#include "dbt/a64/regs.h"
#include "dbt/hir.h"
#include "dbt/vm.h"

/* host_nzcv: AH of lahf in the high byte, seto in the low one; carry inverted. */
#define HOST_SF BIT(15)
#define HOST_ZF BIT(14)
#define HOST_CF BIT(8)
#define HOST_OF BIT(0)

u32 cpu_nzcv_get(const struct dbt_vcpu *cpu)
{
	u32 h = cpu->host_nzcv;

	return (h & HOST_SF ? 8 : 0) | (h & HOST_ZF ? 4 : 0) | (h & HOST_CF ? 0 : 2) |
	       (h & HOST_OF);
}

void cpu_nzcv_set(struct dbt_vcpu *cpu, u32 nzcv)
{
	cpu->host_nzcv = (u16)((nzcv & 8 ? HOST_SF : 0) | (nzcv & 4 ? HOST_ZF : 0) |
			       (nzcv & 2 ? 0 : HOST_CF) | (nzcv & 1));
}

bool nzcv_meets(u32 nzcv, unsigned cond)
{
	bool n = nzcv & 8, z = nzcv & 4, c = nzcv & 2, v = nzcv & 1, r;

	switch (cond >> 1) {
	case 0: r = z; break;
	case 1: r = c; break;
	case 2: r = n; break;
	case 3: r = v; break;
	case 4: r = c && !z; break;
	case 5: r = n == v; break;
	case 6: r = n == v && !z; break;
	default: return true;
	}
	return r != (cond & 1);
}

void cpu_compare(struct dbt_vcpu *cpu, const struct a64_insn *in)
{
	bool imm = in->op == A64_SUBS_imm || in->op == A64_ADDS_imm || in->op == A64_ANDS_imm;
	bool sp = in->op == A64_SUBS_imm || in->op == A64_ADDS_imm; /* register 31 is SP */
	bool sub = in->op == A64_SUBS_imm || in->op == A64_SUBS_shift;
	u64 mask = in->sf ? ~0ull : 0xffffffffull, top = in->sf ? BIT(63) : BIT(31);
	u64 a = (in->rn == 31 && !sp ? 0 : cpu->x[in->rn]) & mask;
	u64 b = (imm ? (u64)in->imm : in->rm == 31 ? 0 : cpu->x[in->rm]) & mask, r;
	bool c = false, v = false;

	if (imm && in->rd == in->rn && in->rd != 31) /* the result is there already */
		a = (sub ? a + b : a - b) & mask;
	if (in->op == A64_ANDS_imm || in->op == A64_ANDS_shift) {
		r = a & b;
	} else if (sub) {
		r = (a - b) & mask;
		c = a >= b;
		v = (a ^ b) & (a ^ r) & top;
	} else {
		r = (a + b) & mask;
		c = r < a;
		v = ~(a ^ b) & (a ^ r) & top;
	}
	cpu_nzcv_set(cpu, (r & top ? 8 : 0) | (r ? 0 : 4) | (c ? 2 : 0) | (v ? 1 : 0));
}

u32 cpu_pstate_get(const struct dbt_vcpu *cpu)
{
	const struct a64_pstate *ps = &cpu->ps;

	return cpu_nzcv_get(cpu) << 28 | (u32)ps->dit << 24 | (u32)ps->uao << 23 |
	       (u32)ps->pan << 22 | (u32)ps->ss << 21 | (u32)ps->il << 20 | (u32)ps->ssbs << 12 |
	       cpu->btype << PSR_BTYPE_LSB | (u32)ps->daif << PSR_DAIF_LSB | (u32)ps->el << 2 |
	       ps->spsel;
}

int cpu_pstate_set(struct dbt_vcpu *cpu, u32 psr)
{
	struct a64_pstate *ps = &cpu->ps;

	if (!psr_mode_valid(psr))
		return -EINVAL;
	cpu_sp_save(cpu);
	cpu_nzcv_set(cpu, psr >> 28);
	ps->dit = !!(psr & PSR_DIT);
	ps->uao = !!(psr & PSR_UAO);
	ps->pan = !!(psr & PSR_PAN);
	ps->ss = !!(psr & PSR_SS);
	ps->stepped = 0;
	ps->il = !!(psr & PSR_IL);
	ps->ssbs = !!(psr & PSR_SSBS);
	cpu->btype = (u32)BITS(psr, 11, 10);
	cpu->btype_pc = cpu->pc;
	ps->daif = (u8)BITS(psr, 9, 6);
	pmu_set_el(cpu, (u8)BITS(psr, 3, 2));
	ps->spsel = psr & 1;
	cpu_sp_load(cpu);
	view_switch(cpu);
	a64_irq_recheck(cpu);
	return 0;
}

/* ---- FPCR and FPSR ---- */

#define MXCSR_IE	BIT(0)
#define MXCSR_DE	BIT(1)
#define MXCSR_ZE	BIT(2)
#define MXCSR_OE	BIT(3)
#define MXCSR_UE	BIT(4)
#define MXCSR_PE	BIT(5)
#define MXCSR_STICKY	0x3fu
#define MXCSR_DAZ	BIT(6)
#define MXCSR_MASKS	0x1f80u
#define MXCSR_RC_LSB	13
#define MXCSR_FTZ	BIT(15)
#define FPCR_WRITABLE	(u32)(FPCR_AHP | FPCR_DN | FPCR_FZ | 3 << FPCR_RMODE_LSB | FPCR_FZ16)
#define FPSR_CUMULATIVE (u32)(FPSR_IOC | FPSR_DZC | FPSR_OFC | FPSR_UFC | FPSR_IXC | FPSR_IDC)

/*
 * DE is set for any subnormal operand, IDC only for one flushed to zero: with FZ clear, DE means
 * nothing (and with DAZ the host leaves it clear, so that FZ code sets IDC in fpsr itself).
 */
static u32 sticky_from_mxcsr(u32 mxcsr, u32 fpcr)
{
	u32 f = 0;

	f |= mxcsr & MXCSR_IE ? FPSR_IOC : 0;
	f |= mxcsr & MXCSR_ZE ? FPSR_DZC : 0;
	f |= mxcsr & MXCSR_OE ? FPSR_OFC : 0;
	f |= mxcsr & MXCSR_UE ? FPSR_UFC : 0;
	f |= mxcsr & MXCSR_PE ? FPSR_IXC : 0;
	f |= (mxcsr & MXCSR_DE) && (fpcr & FPCR_FZ) ? FPSR_IDC : 0;
	return f;
}

/*
 * While a helper runs, the guest's MXCSR is in the hardware register: the thunks exchange it only
 * when translated code is entered and left for good.
 */
static void load_mxcsr(const struct dbt_vcpu *cpu)
{
	if (cpu->in_code)
		_mm_setcsr(cpu->guest_mxcsr);
}

u32 cpu_fpsr_get(const struct dbt_vcpu *cpu)
{
	u32 mxcsr = cpu->in_code ? _mm_getcsr() : cpu->guest_mxcsr;

	return cpu->fpsr | sticky_from_mxcsr(mxcsr, cpu->fpcr);
}

void cpu_fpsr_set(struct dbt_vcpu *cpu, u32 fpsr)
{
	/*
	 * Everything lives in fpsr from here on; MXCSR collects what is new. (Setting MXCSR's bits
	 * as well would be no faster: the host's sticky bits cost the same set or clear.)
	 */
	cpu->fpsr = fpsr & (u32)(FPSR_QC | FPSR_CUMULATIVE);
	cpu->guest_mxcsr &= ~MXCSR_STICKY;
	load_mxcsr(cpu);
}

void cpu_fpcr_set(struct dbt_vcpu *cpu, u32 fpcr)
{
	/* RN RP RM RZ -> nearest, up, down, zero */
	static const u8 rc[4] = {0, 2, 1, 3};
	u32 mxcsr = MXCSR_MASKS;

	/* DE's meaning depends on the old FZ: bank what has been collected so far. */
	cpu->fpsr = cpu_fpsr_get(cpu);
	cpu->fpcr = fpcr & FPCR_WRITABLE;
	mxcsr |= (u32)rc[BITS(fpcr, 23, 22)] << MXCSR_RC_LSB;
	if (fpcr & FPCR_FZ)
		mxcsr |= MXCSR_FTZ | MXCSR_DAZ;
	cpu->guest_mxcsr = mxcsr;
	load_mxcsr(cpu);
}

u32 cpu_el0_mode(const struct dbt_vcpu *cpu)
{
	u32 m = BITS(cpu->sys.cpacr_el1, 21, 20) != 3 ? TR_MODE_FP_TRAP : 0;

	if (!(cpu->sys.sctlr_el1 & SCTLR_M))
		m |= TR_MODE_ALIGN;
	if (cpu->fpcr & FPCR_FZ) {
		m |= TR_MODE_FZ;
		if (cpu_fpsr_get(cpu) & FPSR_IXC)
			m |= TR_MODE_IXC;
	}
	return m;
}

/* SPDX-License-Identifier: MIT */
/* Bits of the system registers this CPU acts upon, named as in DDI 0487. */
#ifndef ARMATURE_A64_REGS_H
#define ARMATURE_A64_REGS_H

#include "dbt/a64/insn.h"
#include "dbt/cpu.h"

#define SCTLR_M	     BIT(0)
#define SCTLR_A	     BIT(1)
#define SCTLR_C	     BIT(2)
#define SCTLR_SA     BIT(3)
#define SCTLR_SA0    BIT(4)
#define SCTLR_NAA    BIT(6)
#define SCTLR_UMA    BIT(9)
#define SCTLR_ENRCTX BIT(10)
#define SCTLR_I	     BIT(12)
#define SCTLR_DZE    BIT(14)
#define SCTLR_UCT    BIT(15)
#define SCTLR_NTWI   BIT(16)
#define SCTLR_NTWE   BIT(18)
#define SCTLR_WXN    BIT(19)
#define SCTLR_TSCXT  BIT(20)
#define SCTLR_SPAN   BIT(23)
#define SCTLR_UCI    BIT(26)
#define SCTLR_BT0    BIT(35)
#define SCTLR_BT1    BIT(36)
#define SCTLR_DSSBS  BIT(44)
#define SCTLR_EPAN   BIT(57)
/* Features this CPU lacks whose bits then read as one (EIS, EOS, LSMAOE, nTLSMD, SED, ITD). */
#define SCTLR_RES1 (BIT(7) | BIT(8) | BIT(11) | BIT(22) | BIT(28) | BIT(29))

#define TCR_EPD0  BIT(7)
#define TCR_A1	  BIT(22)
#define TCR_EPD1  BIT(23)
#define TCR_AS	  BIT(36)
#define TCR_TBI0  BIT(37)
#define TCR_TBI1  BIT(38)
#define TCR_HA	  BIT(39)
#define TCR_HD	  BIT(40)
#define TCR_HPD0  BIT(41)
#define TCR_HPD1  BIT(42)
#define TCR_E0PD0 BIT(55)
#define TCR_E0PD1 BIT(56)

/* PSTATE as SPSR_EL1 holds it */
#define PSR_N	      BIT(31)
#define PSR_DIT	      BIT(24)
#define PSR_UAO	      BIT(23)
#define PSR_PAN	      BIT(22)
#define PSR_SS	      BIT(21)
#define PSR_IL	      BIT(20)
#define PSR_SSBS      BIT(12)
#define PSR_BTYPE_LSB 10
#define PSR_DAIF_LSB  6
#define PSR_M4	      BIT(4) /* AArch32 */
#define PSR_M_EL0T    0
#define PSR_M_EL1T    4
#define PSR_M_EL1H    5

#define DAIF_D 8
#define DAIF_A 4
#define DAIF_I 2
#define DAIF_F 1

#define FPCR_AHP       BIT(26)
#define FPCR_DN	       BIT(25)
#define FPCR_FZ	       BIT(24)
#define FPCR_RMODE_LSB 22
#define FPCR_FZ16      BIT(19)
#define FPSR_QC	       BIT(27)
#define FPSR_IDC       BIT(7)
#define FPSR_IXC       BIT(4)
#define FPSR_UFC       BIT(3)
#define FPSR_OFC       BIT(2)
#define FPSR_DZC       BIT(1)
#define FPSR_IOC       BIT(0)

#define MDSCR_SS   BIT(0)
#define MDSCR_TDCC BIT(12)
#define MDSCR_KDE  BIT(13)
#define MDSCR_MDE  BIT(15)
#define OSLSR_OSLK BIT(1)

/* xFSC codes; level 0..3 is added */
#define FSC_ADDR_SIZE 0x00
#define FSC_TRANS     0x04
#define FSC_ACCESS    0x08
#define FSC_PERM      0x0c
#define FSC_EXT	      0x10 /* no level */
#define FSC_EXT_WALK  0x14
#define FSC_ALIGN     0x21
#define FSC_DEBUG     0x22

#define ISS_CV_AL  (BIT(24) | 0xeu << 20) /* condition valid, AL: of trapped A64 instructions */
#define ISS_WNR	   BIT(6)
#define ISS_CM	   BIT(8)
#define ISS_SS_ISV BIT(24)
#define ISS_SS_EX  BIT(6)

/* The only physical address size of this CPU; ID_AA64MMFR0_EL1.PARange = 4. */
#define PA_BITS 44

/* The BTYPEs, as bits, that a BTI allows: none, c, j, jc. */
static inline unsigned bti_targets(const struct a64_insn *in)
{
	static const u8 allowed[4] = {0, BIT(1) | BIT(2), BIT(1) | BIT(3),
				      BIT(1) | BIT(2) | BIT(3)};

	return allowed[in->imm >> 1 & 3];
}
/* PACIASP and PACIBSP are landing pads though there is no pointer authentication. */
static inline bool is_paci_sp(const struct a64_insn *in)
{
	return in->op == A64_HINT && (in->imm == 0x19 || in->imm == 0x1b);
}

static inline bool psr_mode_valid(u32 psr)
{
	u32 mode = psr & 0xf;

	return !(psr & PSR_M4) && (mode == PSR_M_EL0T || mode == PSR_M_EL1T || mode == PSR_M_EL1H);
}

static inline bool cpu_uses_sp_el0(const struct dbt_vcpu *cpu)
{
	return cpu->ps.el == 0 || !cpu->ps.spsel;
}

/* Writes the current SP to its bank: before el or spsel changes. */
static inline void cpu_sp_save(struct dbt_vcpu *cpu)
{
	if (cpu_uses_sp_el0(cpu))
		cpu->sys.sp_el0 = cpu->x[REG_SP];
	else
		cpu->sys.sp_el1 = cpu->x[REG_SP];
}

static inline void cpu_sp_load(struct dbt_vcpu *cpu)
{
	cpu->x[REG_SP] = cpu_uses_sp_el0(cpu) ? cpu->sys.sp_el0 : cpu->sys.sp_el1;
}

/* A64 system instructions' fields; op0 is 2 or 3 for registers, 1 for SYS. */
static inline unsigned sys_op0(u32 raw)
{
	return (unsigned)BITS(raw, 20, 19);
}
static inline unsigned sys_op1(u32 raw)
{
	return (unsigned)BITS(raw, 18, 16);
}
static inline unsigned sys_crn(u32 raw)
{
	return (unsigned)BITS(raw, 15, 12);
}
static inline unsigned sys_crm(u32 raw)
{
	return (unsigned)BITS(raw, 11, 8);
}
static inline unsigned sys_op2(u32 raw)
{
	return (unsigned)BITS(raw, 7, 5);
}

/* ---- shared by the files of dbt/a64 that make up the system half ---- */

/* Makes the next poll look at interrupts if one can be taken now; true if so. */
bool a64_irq_recheck(struct dbt_vcpu *cpu);
/* EC 0x18 for the MSR/MRS/SYS at pc. Returns HELPER_JUMP. */
int a64_take_sysreg_trap(struct dbt_vcpu *cpu, u32 raw);
/* As a64_take_dabt, for DC/IC instructions: sets ISS.CM, and WnR as the manual wants. */
void a64_take_cache_abort(struct dbt_vcpu *cpu, u64 far, u32 fsc);

/* PSTATE.SS after ERET with this SPSR (DebugExceptionReturnSS). */
bool debug_eret_ss(const struct dbt_vcpu *cpu, u32 spsr);

enum {
	WALK_NO_PAN = 1, /* PSTATE.PAN does not apply: cache maintenance, AT S1E1R/W */
	WALK_PEEK =
		4, /* a debugger looks: no descriptor changes, a clear access flag is no fault */
	WALK_NO_DIRTY = 2, /* writable-clean counts as writable, the descriptor stays: AT */
};
int mmu_walk_flags(struct dbt_vcpu *cpu, gva_t va, enum access acc, unsigned el, unsigned flags,
		   struct walk *out);

#endif

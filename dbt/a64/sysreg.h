/* SPDX-License-Identifier: MIT */
/* The system register table, internal to dbt/a64/sysreg*.c, idregs.c and their tests. */
#ifndef ARMATURE_A64_SYSREG_H
#define ARMATURE_A64_SYSREG_H

#include "dbt/a64/regs.h"

struct sysreg;
typedef u64 (*sysreg_get_fn)(struct dbt_vcpu *cpu, const struct sysreg *r);
/* Returns HELPER_NEXT, or HELPER_JUMP when what translated code was built on may have changed. */
typedef int (*sysreg_set_fn)(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val);

/* What may forbid an access that the register's minimum EL allows; gates of EL0 trap with EC 0x18.
 */
enum sysreg_gate {
	GATE_NONE,
	GATE_UMA,    /* SCTLR_EL1.UMA */
	GATE_UCT,    /* SCTLR_EL1.UCT */
	GATE_TSCXT,  /* SCTLR_EL1.TSCXT (0 lets through) */
	GATE_CNT,    /* CNTFRQ_EL0: either counter bit of CNTKCTL_EL1 */
	GATE_CNTVCT, /* CNTKCTL_EL1.EL0VCTEN ... */
	GATE_CNTPCT,
	GATE_CNTV, /* timers */
	GATE_CNTP,
	GATE_PMU,     /* PMUSERENR_EL0.EN */
	GATE_PMU_SW,  /* EN or SW */
	GATE_PMU_CR,  /* EN or CR: reads */
	GATE_PMU_ER,  /* EN or ER: reads */
	GATE_PMU_SEL, /* EN or ER, reads and writes */
	GATE_TDCC,    /* MDSCR_EL1.TDCC (0 lets through) */
	GATE_FP,      /* CPACR_EL1.FPEN, at both ELs, with EC 0x07 */
	GATE_SP0,     /* SP_EL0: UNDEFINED while it is the current SP */
	GATE_GIC,     /* there only with dbt_config.gicv3_sysregs */
	GATE_RNG,     /* there only with ID_AA64ISAR0_EL1.RNDR */
};

enum { SYSREG_NEVER = 2 }; /* as a minimum EL: no such access, UNDEFINED */

struct sysreg {
	const char *name;
	u32 id;
	u8 rd_el, wr_el; /* lowest EL, or SYSREG_NEVER */
	u8 gate;	 /* enum sysreg_gate */
	u8 plain;	 /* 1: reads may be inlined, 2: writes too */
	u32 offset;	 /* into struct dbt_vcpu of 64-bit storage, 0 = none */
	sysreg_get_fn get;
	sysreg_set_fn set;
	u64 mask;  /* writable bits */
	u64 fixed; /* bits that always read as one; for a constant, its value */
	u64 reset;
};

extern const struct sysreg sysregs[];
extern const unsigned sysregs_count;

/* NULL when the table has none. */
const struct sysreg *sysreg_find(u32 id);

static inline u64 *sysreg_storage(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return (u64 *)((u8 *)cpu + r->offset);
}

/* idregs.c: value of an ID register of the space op0=3 op1=0 CRn=0 CRm=1..7; 0 if it has no field.
 */
u64 idreg_value(const struct dbt_vcpu *cpu, u32 id);
/* Whether the ID registers announce what the decoder's table calls `feature`. */
bool idreg_has_feature(const char *feature);
/* Whether any field stands for it, on or off. */
bool idreg_knows_feature(const char *feature);

#define PMU_N	       6  /* event counters */
#define PMU_CYCLE      31 /* the cycle counter's bit */
#define PMU_COUNTERS   (BIT(PMU_CYCLE) | (BIT(PMU_N) - 1))
#define PMU_EV_SW_INCR 0x00
#define PMU_EV_INST    0x08
#define PMU_EV_CYCLES  0x11
#define PMU_EV_CHAIN   0x1e
#define PMU_EV_STALL_F 0x23 /* Armv8.1 asks for the two: no cycle is known to stall */
#define PMU_EV_STALL_B 0x24
#define PMCR_LC	       BIT(6)
#define PMU_EVENTS0 \
	(BIT(PMU_EV_SW_INCR) | BIT(PMU_EV_INST) | BIT(PMU_EV_CYCLES) | BIT(PMU_EV_CHAIN))
#define PMU_EVENTS1    (BIT(PMU_EV_STALL_F - 32) | BIT(PMU_EV_STALL_B - 32))
#define PMEVTYPER_MASK (3u << 30 | 0xffff)

/* Accessors named by sysreg.def, by file. */
#define GETTER(fn) u64 fn(struct dbt_vcpu *cpu, const struct sysreg *r)
#define SETTER(fn) int fn(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)

/* sysreg_core.c */
GETTER(get_plain);
GETTER(get_const);
SETTER(set_plain);
SETTER(set_ignore);
GETTER(get_mpidr);
GETTER(get_ccsidr);
GETTER(get_dczid);
GETTER(get_sp_el0);
SETTER(set_sp_el0);
GETTER(get_nzcv);
SETTER(set_nzcv);
GETTER(get_daif);
SETTER(set_daif);
GETTER(get_currentel);
GETTER(get_spsel);
SETTER(set_spsel);
GETTER(get_pan);
SETTER(set_pan);
GETTER(get_uao);
SETTER(set_uao);
GETTER(get_dit);
SETTER(set_dit);
GETTER(get_ssbs);
SETTER(set_ssbs);
GETTER(get_fpcr);
SETTER(set_fpcr);
GETTER(get_fpsr);
SETTER(set_fpsr);
SETTER(set_sctlr);
SETTER(set_tcr);
SETTER(set_mair);
SETTER(set_ttbr);
SETTER(set_cpacr);
GETTER(get_counter);
GETTER(get_isr);
GETTER(get_rndr);

/* sysreg_debug.c */
SETTER(set_mdscr);
SETTER(set_oslar);
SETTER(set_dbg_point);
GETTER(get_claimset);
SETTER(set_claimset);
SETTER(set_claimclr);

/* sysreg_pmu.c */
GETTER(get_pmcr);
SETTER(set_pmcr);
SETTER(set_pmset);
SETTER(set_pmclr);
SETTER(set_pmswinc);
GETTER(get_pmccntr);
SETTER(set_pmccntr);
SETTER(set_pmccfiltr);
GETTER(get_pmovs);
GETTER(get_pmevcntr);
SETTER(set_pmevcntr);
SETTER(set_pmevtyper);
GETTER(get_pmxevcntr);
SETTER(set_pmxevcntr);
GETTER(get_pmxevtyper);
SETTER(set_pmxevtyper);

#endif

/* SPDX-License-Identifier: MIT */
/* MRS and MSR: table look-up, access rights, save and restore access. */
#include <errno.h>
#include <stdio.h>

#include "common/log.h"
#include "dbt/a64/sysreg.h"
#include "dbt/vm.h"

#define X    SYSREG_NEVER
#define EXT  NULL
#define NONE 0
#define S(f) offsetof(struct dbt_vcpu, sys.f)

const struct sysreg sysregs[] = {
#define SR(nm, op0, op1, crn, crm, op2, rd, wr, gt, pl, off, getter, setter, msk, fix, rst) \
	{.name = #nm,                                                                       \
	 .id = SYSREG_ID(op0, op1, crn, crm, op2),                                          \
	 .rd_el = rd,                                                                       \
	 .wr_el = wr,                                                                       \
	 .gate = gt,                                                                        \
	 .plain = pl,                                                                       \
	 .offset = off,                                                                     \
	 .get = getter,                                                                     \
	 .set = setter,                                                                     \
	 .mask = msk,                                                                       \
	 .fixed = fix,                                                                      \
	 .reset = rst},
#include "dbt/a64/sysreg.def"
#undef SR
};
const unsigned sysregs_count = ARRAY_SIZE(sysregs);

enum {
#define SR(nm, ...) INDEX_##nm,
#include "dbt/a64/sysreg.def"
#undef SR
};

/* By id without its top bit (op0 is 2 or 3): index + 1. A duplicate line is a compile error. */
static const u16 index_of[1 << 15] = {
#define SR(nm, op0, op1, crn, crm, op2, ...) \
	[SYSREG_ID(op0, op1, crn, crm, op2) & 0x7fff] = INDEX_##nm + 1,
#include "dbt/a64/sysreg.def"
#undef SR
};

const struct sysreg *sysreg_find(u32 id)
{
	unsigned i = id >> 15 == 1 ? index_of[id & 0x7fff] : 0;

	return i ? &sysregs[i - 1] : NULL;
}

static bool is_idreg(u32 id)
{
	return id >= SYSREG_ID(3, 0, 0, 1, 0) && id <= SYSREG_ID(3, 0, 0, 7, 7);
}

/* ---- access rights ---- */

enum verdict { ALLOWED, UNDEFINED, TRAPPED, FP_TRAPPED };

static bool pmu_gate(const struct dbt_vcpu *cpu, unsigned gate, bool write)
{
	enum { EN = 1, SW = 2, CR = 4, ER = 8 };
	u64 open = EN;

	if (gate == GATE_PMU_SW)
		open |= SW;
	if ((gate == GATE_PMU_ER && !write) || gate == GATE_PMU_SEL)
		open |= ER;
	if (gate == GATE_PMU_CR && !write)
		open |= CR;
	return cpu->sys.pmuserenr_el0 & open;
}

static bool el0_gate_open(const struct dbt_vcpu *cpu, unsigned gate, bool write)
{
	const struct a64_sysregs *sys = &cpu->sys;

	switch (gate) {
	case GATE_UMA: return sys->sctlr_el1 & SCTLR_UMA;
	case GATE_UCT: return sys->sctlr_el1 & SCTLR_UCT;
	case GATE_TSCXT: return !(sys->sctlr_el1 & SCTLR_TSCXT);
	case GATE_CNT: return sys->cntkctl_el1 & 3;
	case GATE_CNTPCT: return sys->cntkctl_el1 & BIT(0);
	case GATE_CNTVCT: return sys->cntkctl_el1 & BIT(1);
	case GATE_CNTV: return sys->cntkctl_el1 & BIT(8);
	case GATE_CNTP: return sys->cntkctl_el1 & BIT(9);
	case GATE_PMU:
	case GATE_PMU_SW:
	case GATE_PMU_CR:
	case GATE_PMU_ER:
	case GATE_PMU_SEL: return pmu_gate(cpu, gate, write);
	case GATE_TDCC: return !(sys->mdscr_el1 & MDSCR_TDCC);
	default: return true;
	}
}

static enum verdict access_check(const struct dbt_vcpu *cpu, const struct sysreg *r, bool write)
{
	if (cpu->ps.el < (write ? r->wr_el : r->rd_el))
		return UNDEFINED;
	switch (r->gate) {
	case GATE_NONE: return ALLOWED;
	case GATE_FP: return cpu_fp_trapped(cpu) ? FP_TRAPPED : ALLOWED;
	case GATE_SP0: return cpu_uses_sp_el0(cpu) ? UNDEFINED : ALLOWED;
	case GATE_GIC: return cpu->vm->cfg.gicv3_sysregs ? ALLOWED : UNDEFINED;
	case GATE_RNG: return idreg_has_feature("rng") ? ALLOWED : UNDEFINED;
	default: break;
	}
	return cpu->ps.el == 0 && !el0_gate_open(cpu, r->gate, write) ? TRAPPED : ALLOWED;
}

static int refuse(struct dbt_vcpu *cpu, u32 raw, enum verdict why, const char *name)
{
	char text[96];

	switch (why) {
	case TRAPPED: return a64_take_sysreg_trap(cpu, raw);
	case FP_TRAPPED: a64_take_fp_trap(cpu); return HELPER_JUMP;
	default: break;
	}
	if (log_on(LOG_UNIMP))
		snprintf(text, sizeof(text), "%s of system register %u, %u, %u, %u, %u (%s)",
			 raw & BIT(21) ? "read" : "write", sys_op0(raw), sys_op1(raw), sys_crn(raw),
			 sys_crm(raw), sys_op2(raw), name);
	else
		text[0] = '\0';
	a64_take_undef(cpu, text);
	return HELPER_JUMP;
}

/* ---- instructions ---- */

static void set_rt(struct dbt_vcpu *cpu, u32 raw, u64 val)
{
	if ((raw & 31) != 31)
		cpu->x[raw & 31] = val;
}

int helper_mrs(struct dbt_vcpu *cpu, u32 raw)
{
	u32 id = (u32)BITS(raw, 20, 5);
	const struct sysreg *r = sysreg_find(id);
	enum verdict v;
	u64 val;

	if (!r) {
		if (!is_idreg(id) || cpu->ps.el == 0)
			return refuse(cpu, raw, UNDEFINED, "unknown");
		set_rt(cpu, raw, idreg_value(cpu, id));
		return HELPER_NEXT;
	}
	v = access_check(cpu, r, false);
	if (v != ALLOWED)
		return refuse(cpu, raw, v, r->name);
	if (r->get) {
		val = r->get(cpu, r);
	} else {
		const struct dbt_ops *ops = &cpu->vm->cfg.ops;

		if (!ops->sysreg_read || ops->sysreg_read(ops->opaque, cpu->index, id, &val) < 0)
			return refuse(cpu, raw, UNDEFINED, r->name);
	}
	set_rt(cpu, raw, val);
	return HELPER_NEXT;
}

int helper_msr(struct dbt_vcpu *cpu, u32 raw)
{
	u32 id = (u32)BITS(raw, 20, 5);
	const struct sysreg *r = sysreg_find(id);
	u64 val = (raw & 31) == 31 ? 0 : cpu->x[raw & 31];
	enum verdict v = r ? access_check(cpu, r, true) : UNDEFINED;

	if (v != ALLOWED)
		return refuse(cpu, raw, v, r ? r->name : "unknown");
	if (r->set) {
		if (r->set(cpu, r, val) == HELPER_NEXT)
			return HELPER_NEXT;
		cpu->pc += 4;
		return HELPER_JUMP;
	} else {
		const struct dbt_ops *ops = &cpu->vm->cfg.ops;

		if (!ops->sysreg_write || ops->sysreg_write(ops->opaque, cpu->index, id, val) < 0)
			return refuse(cpu, raw, UNDEFINED, r->name);
	}
	return HELPER_NEXT;
}

static int msr_imm_undef(struct dbt_vcpu *cpu)
{
	a64_take_undef(cpu, "MSR (immediate) to an unknown PSTATE field");
	return HELPER_JUMP;
}

int helper_msr_imm(struct dbt_vcpu *cpu, u32 raw)
{
	unsigned field = sys_op1(raw) << 3 | sys_op2(raw);
	unsigned imm = sys_crm(raw);
	bool flag = imm & 1;
	sysreg_set_fn set;
	u64 val = ~0ull; /* registers hold their field in different bits: set all or none */
	int ret;

	if (!flag)
		val = 0;
	switch (field) {
	case 003: set = set_uao; break;
	case 004: set = set_pan; break;
	case 005: set = set_spsel; break;
	case 031: set = set_ssbs; break;
	case 032: set = set_dit; break;
	case 036:
	case 037:
		if (cpu->ps.el == 0 && !(cpu->sys.sctlr_el1 & SCTLR_UMA))
			return a64_take_sysreg_trap(cpu, raw);
		set = set_daif;
		val = (u64)(field == 036 ? cpu->ps.daif | imm : cpu->ps.daif & ~imm)
		      << PSR_DAIF_LSB;
		break;
	default: return msr_imm_undef(cpu);
	}
	if (cpu->ps.el == 0 && field < 030)
		return msr_imm_undef(cpu);
	ret = set(cpu, NULL, val);
	if (ret == HELPER_JUMP)
		cpu->pc += 4;
	return ret;
}

/* ---- for the translator, and for save and restore ---- */

int sysreg_plain_offset(u32 id, unsigned el, bool write)
{
	const struct sysreg *r = sysreg_find(id);

	if (!r || r->plain < (write ? 2 : 1) || el < (write ? r->wr_el : r->rd_el) ||
	    (r->gate != GATE_NONE && r->gate != GATE_SP0))
		return -1;
	return (int)r->offset;
}

int sysreg_get(struct dbt_vcpu *cpu, u32 id, u64 *val)
{
	const struct sysreg *r = sysreg_find(id);

	if (!r) {
		if (!is_idreg(id))
			return -ENOENT;
		*val = idreg_value(cpu, id);
		return 0;
	}
	if (!r->get)
		return -ENOENT; /* the device that owns it saves it */
	*val = r->get(cpu, r);
	return 0;
}

int sysreg_set(struct dbt_vcpu *cpu, u32 id, u64 val)
{
	const struct sysreg *r = sysreg_find(id);
	u64 now;

	if (r && r->get && r->set != set_ignore) {
		r->set(cpu, r, val);
		return 0;
	}
	/* Constants: a saved state fits only a CPU that says the same of itself. */
	if (sysreg_get(cpu, id, &now) < 0)
		return -ENOENT;
	return now == val ? 0 : -EINVAL;
}

unsigned sysreg_list(u32 *ids, unsigned cap)
{
	unsigned n = 0;

	for (unsigned i = 0; i < sysregs_count; i++) {
		const struct sysreg *r = &sysregs[i];

		/* Registers that only set or clear bits are views of one that is in the list. */
		if (!r->offset || r->set == set_pmclr || r->set == set_claimclr ||
		    r->set == set_claimset)
			continue;
		if (n < cap)
			ids[n] = r->id;
		n++;
	}
	return n;
}

void a64_reset(struct dbt_vcpu *cpu)
{
	cpu->sys = (struct a64_sysregs){0};
	for (unsigned i = 0; i < sysregs_count; i++)
		if (sysregs[i].offset)
			*sysreg_storage(cpu, &sysregs[i]) = sysregs[i].reset | sysregs[i].fixed;
	cpu->ps =
		(struct a64_pstate){.el = 1, .spsel = 1, .daif = DAIF_D | DAIF_A | DAIF_I | DAIF_F};
	cpu->excl_size = 0;
	cpu_nzcv_set(cpu, 0);
	cpu->fpsr = 0;
	cpu->guest_mxcsr = 0;
	cpu_fpcr_set(cpu, 0);
	cpu_fpsr_set(cpu, 0);
	view_switch(cpu);
}

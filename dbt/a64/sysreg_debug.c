/* SPDX-License-Identifier: MIT */
/* Self-hosted debug: registers, breakpoints, watchpoints, software step (DDI 0487 D2). */
#include "dbt/a64/sysreg.h"
#include "dbt/vm.h"

int set_mdscr(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	u64 old = cpu->sys.mdscr_el1;

	set_plain(cpu, r, val);
	return old == cpu->sys.mdscr_el1 ? HELPER_NEXT : HELPER_JUMP;
}

int set_oslar(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	u64 old = cpu->sys.oslsr_el1;

	cpu->sys.oslsr_el1 = (old & ~OSLSR_OSLK) | (val & 1 ? OSLSR_OSLK : 0);
	return old == cpu->sys.oslsr_el1 ? HELPER_NEXT : HELPER_JUMP;
}

int set_dbg_point(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	set_plain(cpu, r, val);
	return HELPER_JUMP;
}

u64 get_claimset(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return r->mask; /* which bits there are */
}

int set_claimset(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	cpu->sys.dbgclaim |= val & r->mask;
	return HELPER_NEXT;
}

int set_claimclr(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	cpu->sys.dbgclaim &= ~val;
	return HELPER_NEXT;
}

/* SPDX-License-Identifier: MIT */
/* Accessors of the system registers named by sysreg.def, except debug and performance monitors. */
#include <immintrin.h>

#include "dbt/a64/sysreg.h"
#include "dbt/vm.h"
#include "dbt/x64/vops.h"

u64 get_plain(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return *sysreg_storage(cpu, r);
}

u64 get_const(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return r->fixed;
}

int set_plain(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	*sysreg_storage(cpu, r) = (val & r->mask) | r->fixed;
	return HELPER_NEXT;
}

int set_ignore(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	return HELPER_NEXT;
}

/* ---- identification ---- */

u64 get_mpidr(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return cpu->mpidr | BIT(31);
}

/* What the guest may tell its user: 64 KiB 4-way L1s, 1 MiB 8-way L2, lines of 64 bytes. */
u64 get_ccsidr(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	enum { L1D = 0, L1I = 1, L2 = 2, LINE64 = 2 };

	switch (cpu->sys.csselr_el1 & 0xf) {
	case L1D:
	case L1I: return 255u << 13 | 3 << 3 | LINE64;
	case L2: return 2047u << 13 | 7 << 3 | LINE64;
	default: return 0;
	}
}

u64 get_dczid(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	bool prohibited = cpu->ps.el == 0 && !(cpu->sys.sctlr_el1 & SCTLR_DZE);

	return 4 | (u64)prohibited << 4; /* log2 of 4-byte words: 64 bytes */
}

/* ---- PSTATE ---- */

u64 get_sp_el0(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return cpu_uses_sp_el0(cpu) ? cpu->x[REG_SP] : cpu->sys.sp_el0;
}

int set_sp_el0(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	cpu->sys.sp_el0 = val;
	if (cpu_uses_sp_el0(cpu))
		cpu->x[REG_SP] = val;
	return HELPER_NEXT;
}

u64 get_nzcv(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return (u64)cpu_nzcv_get(cpu) << 28;
}

int set_nzcv(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	cpu_nzcv_set(cpu, (u32)BITS(val, 31, 28));
	return HELPER_NEXT;
}

u64 get_daif(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return (u64)cpu->ps.daif << PSR_DAIF_LSB;
}

int set_daif(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	u8 old = cpu->ps.daif;

	cpu->ps.daif = (u8)BITS(val, 9, 6);
	/* Unmasking D may start a software step. */
	if ((old & ~cpu->ps.daif & DAIF_D) && (cpu->sys.mdscr_el1 & (MDSCR_SS | MDSCR_MDE)))
		return HELPER_JUMP;
	return a64_irq_recheck(cpu) ? HELPER_JUMP : HELPER_NEXT;
}

u64 get_currentel(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return (u64)cpu->ps.el << 2;
}

u64 get_spsel(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return cpu->ps.spsel;
}

int set_spsel(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	if (cpu->ps.spsel == (val & 1))
		return HELPER_NEXT;
	cpu_sp_save(cpu);
	cpu->ps.spsel = val & 1;
	cpu_sp_load(cpu);
	view_switch(cpu);
	return HELPER_JUMP;
}

u64 get_pan(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return cpu->ps.pan ? PSR_PAN : 0;
}

int set_pan(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	u8 pan = !!(val & PSR_PAN);

	if (cpu->ps.pan == pan)
		return HELPER_NEXT;
	cpu->ps.pan = pan;
	view_switch(cpu);
	return HELPER_JUMP;
}

u64 get_uao(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return cpu->ps.uao ? PSR_UAO : 0;
}

int set_uao(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	u8 uao = !!(val & PSR_UAO);

	if (cpu->ps.uao == uao)
		return HELPER_NEXT;
	cpu->ps.uao = uao;
	view_switch(cpu); /* which table LDTR and STTR use */
	return HELPER_JUMP;
}

u64 get_dit(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return cpu->ps.dit ? PSR_DIT : 0;
}

int set_dit(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	cpu->ps.dit = !!(val & PSR_DIT);
	return HELPER_NEXT;
}

u64 get_ssbs(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return cpu->ps.ssbs ? PSR_SSBS : 0;
}

int set_ssbs(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	cpu->ps.ssbs = !!(val & PSR_SSBS);
	return HELPER_NEXT;
}

/* EL0 code is translated for FPCR.FZ, and then for FPSR.IXC. */
static int fp_mode_changed(struct dbt_vcpu *cpu)
{
	if (cpu->ps.el || cpu_el0_mode(cpu) == cpu->tr_mode)
		return HELPER_NEXT;
	view_switch(cpu);
	return HELPER_JUMP;
}

u64 get_fpcr(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return cpu->fpcr;
}

int set_fpcr(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	cpu_fpcr_set(cpu, (u32)val);
	return fp_mode_changed(cpu);
}

u64 get_fpsr(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return cpu_fpsr_get(cpu);
}

int set_fpsr(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	cpu_fpsr_set(cpu, (u32)val);
	return fp_mode_changed(cpu);
}

/* ---- control and translation ---- */

/* Translations cached for the whole VM were made under the old value; with the MMU off, none was.
 */
static int regime_changed(struct dbt_vcpu *cpu, bool mmu_was_on)
{
	if (mmu_was_on)
		view_tlbi_all(cpu);
	view_switch(cpu);
	return HELPER_JUMP;
}

int set_sctlr(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	u64 old = cpu->sys.sctlr_el1;
	u64 changed;

	set_plain(cpu, r, val);
	changed = old ^ cpu->sys.sctlr_el1;
	if (changed & (SCTLR_WXN | SCTLR_EPAN))
		return regime_changed(cpu, old & SCTLR_M);
	if (changed & (SCTLR_M | SCTLR_A | SCTLR_SA | SCTLR_SA0))
		view_switch(cpu);
	return changed ? HELPER_JUMP : HELPER_NEXT;
}

int set_tcr(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	u64 old = cpu->sys.tcr_el1;

	set_plain(cpu, r, val);
	if (old == cpu->sys.tcr_el1)
		return HELPER_NEXT;
	return regime_changed(cpu, cpu->sys.sctlr_el1 & SCTLR_M);
}

int set_mair(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	u64 old = cpu->sys.mair_el1;

	set_plain(cpu, r, val);
	if (old == val)
		return HELPER_NEXT;
	return regime_changed(cpu, cpu->sys.sctlr_el1 & SCTLR_M);
}

int set_ttbr(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	u64 old = *sysreg_storage(cpu, r);

	set_plain(cpu, r, val);
	if (old == val)
		return HELPER_NEXT;
	view_switch(cpu);
	return HELPER_JUMP;
}

int set_cpacr(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	u64 old = cpu->sys.cpacr_el1;

	set_plain(cpu, r, val);
	return old == cpu->sys.cpacr_el1 ? HELPER_NEXT : HELPER_JUMP;
}

/* ---- others ---- */

u64 get_counter(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return dbt_vm_clock(cpu->vm); /* virtual and physical alike: there is no CNTVOFF */
}

u64 get_isr(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	u32 lines = atomic_load_explicit(&cpu->irq_lines, memory_order_relaxed);

	return (lines & DBT_SERROR ? BIT(8) : 0) | (lines & DBT_IRQ ? BIT(7) : 0) |
	       (lines & DBT_FIQ ? BIT(6) : 0);
}

__attribute__((target("rdrnd"))) static bool host_random(u64 *val)
{
	unsigned long long v = 0;

	for (int i = 0; i < 10; i++)
		if (_rdrand64_step(&v)) {
			*val = v;
			return true;
		}
	return false;
}

/* NZCV says how it went: 0b0000, or 0b0100 with no random number to be had. */
u64 get_rndr(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	u64 val = 0;
	bool ok = host_has(HOST_RDRAND) && host_random(&val);

	cpu_nzcv_set(cpu, ok ? 0 : 4);
	return ok ? val : 0;
}

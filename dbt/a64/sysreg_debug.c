/* SPDX-License-Identifier: MIT */
/* Self-hosted debug: registers, breakpoints, watchpoints, software step (DDI 0487 D2). */
#include "dbt/a64/sysreg.h"
#include "dbt/vm.h"

static void debug_watch_changed(struct dbt_vcpu *cpu);

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
	debug_watch_changed(cpu);
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

/* ---- what can happen now ---- */

/* AArch64.GenerateDebugExceptionsFrom, with EL1 the only target. */
static bool debug_enabled_from(const struct dbt_vcpu *cpu, unsigned el, bool masked)
{
	if (cpu->sys.oslsr_el1 & OSLSR_OSLK)
		return false;
	return el == 0 || ((cpu->sys.mdscr_el1 & MDSCR_KDE) && !masked);
}

static bool debug_enabled(const struct dbt_vcpu *cpu)
{
	return debug_enabled_from(cpu, cpu->ps.el, cpu->ps.daif & DAIF_D);
}

bool debug_eret_ss(const struct dbt_vcpu *cpu, u32 spsr)
{
	unsigned el = psr_mode_valid(spsr) ? (unsigned)BITS(spsr, 3, 2) : cpu->ps.el;

	return (spsr & PSR_SS) && (cpu->sys.mdscr_el1 & MDSCR_SS) && !debug_enabled(cpu) &&
	       debug_enabled_from(cpu, el, spsr >> PSR_DAIF_LSB & DAIF_D);
}

/* Fields of DBGBCR and DBGWCR at the same place. */
#define DBG_E	      BIT(0)
#define DBG_PRIV(c)   BITS(c, 2, 1) /* PMC, PAC: bit 0 EL1, bit 1 EL0 */
#define DBG_SSC(c)    BITS(c, 15, 14)
#define DBG_LBN(c)    BITS(c, 19, 16)
#define BCR_TYPE(c)   BITS(c, 23, 20)
#define WCR_LSC(c)    BITS(c, 4, 3) /* bit 0 loads, bit 1 stores */
#define WCR_BAS(c)    BITS(c, 12, 5)
#define WCR_LINKED    BIT(20)
#define WCR_MASK(c)   BITS(c, 28, 24)
#define NUM_BRP	      6u
#define NUM_WRP	      4u
#define FIRST_CTX_BRP 4u /* ID_AA64DFR0_EL1.CTX_CMPs: the last two */
enum { BT_ADDR = 0, BT_ADDR_LINKED = 1, BT_CTX = 2, BT_CTX_LINKED = 3 };

/* Enabled, and for this EL and the non-secure state this CPU is in. */
static bool control_applies(u64 control, unsigned el)
{
	return (control & DBG_E) && (DBG_PRIV(control) & (el ? 1 : 2)) && DBG_SSC(control) < 2;
}

static bool context_matches(const struct dbt_vcpu *cpu, unsigned n)
{
	return n >= FIRST_CTX_BRP && n < NUM_BRP &&
	       (u32)cpu->sys.dbgbvr[n] == (u32)cpu->sys.contextidr_el1;
}

/* The breakpoint a linked one names must be an enabled context one. */
static bool link_matches(const struct dbt_vcpu *cpu, u64 control)
{
	unsigned n = (unsigned)DBG_LBN(control);

	return n < NUM_BRP && (cpu->sys.dbgbcr[n] & DBG_E) &&
	       BCR_TYPE(cpu->sys.dbgbcr[n]) == BT_CTX_LINKED && context_matches(cpu, n);
}

static bool brp_matches(const struct dbt_vcpu *cpu, unsigned n, u64 pc)
{
	u64 control = cpu->sys.dbgbcr[n];

	if (!control_applies(control, cpu->ps.el))
		return false;
	switch (BCR_TYPE(control)) {
	case BT_CTX: return context_matches(cpu, n);
	case BT_ADDR_LINKED:
		if (!link_matches(cpu, control))
			return false;
		/* fall through */
	case BT_ADDR: return (sext64(cpu->sys.dbgbvr[n], 49) ^ (s64)pc) >> 2 == 0;
	default: return false;
	}
}

unsigned a64_debug_active(const struct dbt_vcpu *cpu)
{
	u64 mdscr = cpu->sys.mdscr_el1;
	unsigned active = 0;

	if (likely(!(mdscr & (MDSCR_SS | MDSCR_MDE))) || !debug_enabled(cpu))
		return 0;
	if (mdscr & MDSCR_SS)
		active |= DEBUG_STEP;
	if (!(mdscr & MDSCR_MDE))
		return active;
	for (unsigned i = 0; i < NUM_BRP; i++)
		if (control_applies(cpu->sys.dbgbcr[i], cpu->ps.el))
			active |= DEBUG_BREAK;
	/* LDTR and STTR count as EL0's: any enabled watchpoint will do. */
	for (unsigned i = 0; i < NUM_WRP; i++)
		if (cpu->sys.dbgwcr[i] & DBG_E)
			active |= DEBUG_WATCH;
	return active;
}

/*
 * What a watchpoint watches: [first, last], of which `bas` selects bytes (bit 0 = first) when there
 * are at most eight. False: nothing.
 */
struct watched {
	u64 first, last;
	unsigned bas;
};

static bool wrp_range(const struct dbt_vcpu *cpu, unsigned n, struct watched *w)
{
	u64 control = cpu->sys.dbgwcr[n];
	u64 base = (u64)sext64(cpu->sys.dbgwvr[n], 49) & ~3ull;
	unsigned mask = (unsigned)WCR_MASK(control);

	if (!(control & DBG_E))
		return false;
	w->bas = 0xff;
	if (mask >= 3) {
		w->first = base & ~(BIT(mask) - 1);
		w->last = w->first + BIT(mask) - 1;
		return true;
	}
	w->bas = (unsigned)WCR_BAS(control);
	if (base & 4) /* word aligned: only the low four select */
		w->bas &= 0xf;
	w->first = base;
	w->last = base + 7;
	return w->bas;
}

/* Lowest watched byte of the access in *far. */
static bool watched_hit(const struct watched *w, u64 va, unsigned size, u64 *far)
{
	for (unsigned i = 0; i < size; i++) {
		u64 off = va + i - w->first;

		if (off <= w->last - w->first && (w->bas >> (off & 7) & 1)) {
			*far = va + i;
			return true;
		}
	}
	return false;
}

bool a64_debug_page(const struct dbt_vcpu *cpu, gva_t va, unsigned what)
{
	u64 page = va.v >> 12;
	struct watched w;

	if (what & DEBUG_BREAK)
		for (unsigned i = 0; i < NUM_BRP; i++) {
			u64 control = cpu->sys.dbgbcr[i];

			if ((control & DBG_E) &&
			    (BCR_TYPE(control) == BT_CTX ||
			     (u64)sext64(cpu->sys.dbgbvr[i], 49) >> 12 == page))
				return true;
		}
	if (what & DEBUG_WATCH)
		for (unsigned i = 0; i < NUM_WRP; i++)
			if (wrp_range(cpu, i, &w) && w.first >> 12 <= page && page <= w.last >> 12)
				return true;
	return false;
}

/* Entries of watched pages go; fill() in dbt/run.c makes none while a vCPU watches them. */
static void debug_watch_changed(struct dbt_vcpu *cpu)
{
	struct watched w;

	for (unsigned i = 0; i < NUM_WRP; i++) {
		if (!wrp_range(cpu, i, &w))
			continue;
		atomic_store(&cpu->vm->watching, true);
		if (w.first >> 12 == w.last >> 12)
			view_tlbi_va(cpu, GVA(w.first), 0, true);
		else
			view_tlbi_all(cpu);
	}
}

/* ---- taking them ---- */

bool a64_debug_before(struct dbt_vcpu *cpu)
{
	unsigned active = a64_debug_active(cpu);

	if ((active & DEBUG_STEP) && !cpu->ps.ss) {
		u32 iss = FSC_DEBUG;

		if (cpu->ps.stepped)
			iss |= (u32)(ISS_SS_ISV | (cpu->ps.stepped == 2 ? ISS_SS_EX : 0));
		a64_take_sync(cpu, EC_SSTEP, iss, cpu->pc);
		return true;
	}
	if (active & DEBUG_BREAK)
		for (unsigned i = 0; i < NUM_BRP; i++)
			if (brp_matches(cpu, i, cpu->pc)) {
				a64_take_sync(cpu, EC_BREAKPT, FSC_DEBUG, cpu->pc);
				return true;
			}
	return false;
}

static bool is_load_exclusive(u32 raw)
{
	/* LDXR, LDAXR, LDXP, LDAXP: size 001000 0 1 x ... */
	return (raw & 0x3fc00000) == 0x08400000;
}

void a64_debug_after(struct dbt_vcpu *cpu, u32 raw)
{
	if (!cpu->ps.ss)
		return;
	cpu->ps.ss = 0;
	cpu->ps.stepped = is_load_exclusive(raw) ? 2 : 1;
}

bool a64_take_watch(struct dbt_vcpu *cpu, gva_t va, unsigned size, bool write, bool unpriv)
{
	unsigned el = unpriv ? 0 : cpu->ps.el;

	if (!(a64_debug_active(cpu) & DEBUG_WATCH))
		return false;
	for (unsigned i = 0; i < NUM_WRP; i++) {
		u64 control = cpu->sys.dbgwcr[i], far;
		struct watched w;

		if (!control_applies(control, el) || !(WCR_LSC(control) & (write ? 2 : 1)) ||
		    ((control & WCR_LINKED) && !link_matches(cpu, control)) ||
		    !wrp_range(cpu, i, &w) || !watched_hit(&w, va.v, size, &far))
			continue;
		cpu->sys.far_el1 = far;
		a64_take_sync(cpu, EC_WATCHPT, (u32)(FSC_DEBUG | (write ? ISS_WNR : 0)), cpu->pc);
		return true;
	}
	return false;
}

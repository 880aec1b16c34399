/* SPDX-License-Identifier: MIT */
/*
 * Stage 1 of the EL1&0 regime (VMSAv8-64): 4, 16 and 64 KiB granules, up to 48 bits of virtual and
 * 44 of physical address. Runs on the vCPU's thread; other vCPUs and the guest's own stores may
 * change descriptors at any time, so each is read once, and written only by compare-and-exchange.
 */
#include <errno.h>

#include "dbt/a64/regs.h"
#include "dbt/vm.h"

#define PTE_VALID   BIT(0)
#define PTE_TABLE   BIT(1) /* levels 0-2; at level 3 it must be 1 */
#define PTE_AP_EL0  BIT(6)
#define PTE_AP_RO   BIT(7)
#define PTE_AF	    BIT(10)
#define PTE_NG	    BIT(11)
#define PTE_GP	    BIT(50)
#define PTE_DBM	    BIT(51)
#define PTE_PXN	    BIT(53)
#define PTE_UXN	    BIT(54)
#define PTE_T_PXN   BIT(59)
#define PTE_T_UXN   BIT(60)
#define PTE_T_NOEL0 BIT(61)
#define PTE_T_RO    BIT(62)
#define PTE_ADDR    0x0000fffffffff000ull

/* struct walk.hier */
enum { HIER_PXN = 1, HIER_UXN = 2, HIER_NO_EL0 = 4, HIER_RO = 8 };

/* A guest that flips a descriptor under us without end only delays itself this many times. */
#define MAX_CAS_RETRIES 64

/* One half of the address space, as TCR describes it. */
struct half {
	u64 ttbr;
	unsigned page_shift, va_bits, pa_bits;
	bool hpd;
};

static int walk_fault(struct walk *w, unsigned code, unsigned level)
{
	w->fault = WALK_FAULT | (code + level);
	w->level = (u8)level;
	w->r = w->w = w->x = false;
	return -EFAULT;
}

static bool half_is_upper(u64 va)
{
	return va >> 55 & 1;
}

static bool half_tbi(const struct dbt_vcpu *cpu, u64 va)
{
	return cpu->sys.tcr_el1 & (half_is_upper(va) ? TCR_TBI1 : TCR_TBI0);
}

static unsigned tg0_shift(u64 tcr)
{
	switch (BITS(tcr, 15, 14)) {
	case 1: return 16;
	case 2: return 14;
	default: return 12; /* 3 is reserved */
	}
}

static unsigned tg1_shift(u64 tcr)
{
	switch (BITS(tcr, 31, 30)) {
	case 1: return 14;
	case 3: return 16;
	default: return 12; /* 0 is reserved */
	}
}

static unsigned tcr_pa_bits(u64 tcr)
{
	static const u8 bits[8] = {32, 36, 40, 42, PA_BITS, PA_BITS, PA_BITS, PA_BITS};

	return bits[BITS(tcr, 34, 32)];
}

/* HD counts only with HA. */
static bool tcr_dirty(u64 tcr)
{
	return (tcr & (TCR_HA | TCR_HD)) == (TCR_HA | TCR_HD);
}

/* False: a translation fault at level 0. */
static bool half_select(const struct dbt_vcpu *cpu, u64 va, unsigned el, struct half *h)
{
	u64 tcr = cpu->sys.tcr_el1;
	u64 epd, e0pd;
	unsigned tsz;
	s64 rest;

	if (half_is_upper(va)) {
		h->ttbr = cpu->sys.ttbr1_el1;
		h->page_shift = tg1_shift(tcr);
		h->hpd = tcr & TCR_HPD1;
		tsz = (unsigned)BITS(tcr, 21, 16);
		epd = tcr & TCR_EPD1;
		e0pd = tcr & TCR_E0PD1;
	} else {
		h->ttbr = cpu->sys.ttbr0_el1;
		h->page_shift = tg0_shift(tcr);
		h->hpd = tcr & TCR_HPD0;
		tsz = (unsigned)BITS(tcr, 5, 0);
		epd = tcr & TCR_EPD0;
		e0pd = tcr & TCR_E0PD0;
	}
	/* Sizes beyond the implemented range: constrained unpredictable, a fault is one of the
	 * choices. */
	if (epd || (e0pd && el == 0) || tsz < 16 || tsz > 39)
		return false;
	h->va_bits = 64 - tsz;
	h->pa_bits = tcr_pa_bits(tcr);
	rest = half_tbi(cpu, va) ? sext64(va, 56) : (s64)va;
	return rest >> h->va_bits == (half_is_upper(va) ? -1 : 0);
}

static void leaf_attributes(const struct dbt_vcpu *cpu, u64 desc, struct walk *w)
{
	unsigned index = (unsigned)BITS(desc, 4, 2);

	w->attr = (u8)(cpu->sys.mair_el1 >> (index * 8));
	w->device = (w->attr & 0xf0) == 0;
	/* Device and Normal non-cacheable memory is always outer shareable (PAR_EL1.SH). */
	w->sh = w->device || w->attr == 0x44 ? 2 : (u8)BITS(desc, 9, 8);
	w->global = !(desc & PTE_NG);
	w->guarded = desc & PTE_GP;
}

/*
 * Permissions of `el` by leaf and table descriptors, WXN, PAN and EPAN
 * (AArch64.S1DirectBasePermissions). A writable-clean descriptor counts as writable for all of it;
 * w->w is taken back for it at the end.
 */
static void leaf_permissions(const struct dbt_vcpu *cpu, u64 desc, unsigned el, unsigned flags,
			     struct walk *w)
{
	u64 sctlr = cpu->sys.sctlr_el1;
	bool clean = (desc & PTE_DBM) && (desc & PTE_AP_RO) && tcr_dirty(cpu->sys.tcr_el1);
	bool ro = ((desc & PTE_AP_RO) && !clean) || (w->hier & HIER_RO);
	bool el0 = (desc & PTE_AP_EL0) && !(w->hier & HIER_NO_EL0);
	bool uw = el0 && !ro;
	bool wxn = sctlr & SCTLR_WXN;
	bool ux = !(desc & PTE_UXN) && !(w->hier & HIER_UXN) && !(wxn && uw);

	if (el == 0) {
		w->r = el0;
		w->w = uw;
		w->x = ux;
	} else {
		bool pan = cpu->ps.pan && !(flags & WALK_NO_PAN) &&
			   (el0 || ((sctlr & SCTLR_EPAN) && ux));

		w->r = !pan;
		w->w = !ro && !pan;
		w->x = !(desc & PTE_PXN) && !(w->hier & HIER_PXN) && !uw && !(wxn && !ro);
	}
	if (clean && !(flags & WALK_NO_DIRTY))
		w->w = false;
}

/* What the descriptor must become for this access to go on, or itself. */
static u64 leaf_updated(const struct dbt_vcpu *cpu, u64 desc, enum access acc, unsigned el,
			unsigned flags, const struct walk *w)
{
	u64 tcr = cpu->sys.tcr_el1;
	u64 want = desc;
	struct walk dirty = *w;

	if (tcr & TCR_HA)
		want |= PTE_AF;
	if (acc == ACC_WRITE && !w->w && (desc & PTE_DBM) && tcr_dirty(tcr) &&
	    !(flags & WALK_NO_DIRTY)) {
		leaf_permissions(cpu, desc & ~PTE_AP_RO, el, flags, &dirty);
		if (dirty.w)
			want &= ~PTE_AP_RO;
	}
	return want;
}

static bool access_allowed(const struct walk *w, enum access acc)
{
	switch (acc) {
	case ACC_READ: return w->r;
	case ACC_WRITE: return w->w;
	default: return w->x;
	}
}

/* 0 or -EFAULT, or -EAGAIN when the descriptor changed under us. */
static int leaf_finish(struct dbt_vcpu *cpu, u64 desc, u64 va, enum access acc, unsigned el,
		       unsigned flags, const struct half *h, struct walk *w)
{
	unsigned level = w->level;
	unsigned shift = h->page_shift + (3 - level) * (h->page_shift - 3);
	u64 base = desc & PTE_ADDR & ~(BIT(shift) - 1);
	u64 want;

	if (base >> h->pa_bits)
		return walk_fault(w, FSC_ADDR_SIZE, level);
	if (!(desc & PTE_AF) && !(cpu->sys.tcr_el1 & TCR_HA) && !(flags & WALK_PEEK))
		return walk_fault(w, FSC_ACCESS, level);
	w->block = BIT(shift);
	w->pa = base | (va & (w->block - 1));
	leaf_attributes(cpu, desc, w);
	leaf_permissions(cpu, desc, el, flags, w);
	want = flags & WALK_PEEK ? desc : leaf_updated(cpu, desc, acc, el, flags, w);
	if (want != desc) {
		if (!__atomic_compare_exchange_n(w->desc, &desc, want, false, __ATOMIC_ACQ_REL,
						 __ATOMIC_RELAXED))
			return -EAGAIN;
		leaf_permissions(cpu, want, el, flags, w);
	}
	if (!access_allowed(w, acc))
		return walk_fault(w, FSC_PERM, level);
	w->fault = 0;
	return 0;
}

static bool level_has_blocks(unsigned level, unsigned page_shift)
{
	return level == 2 || (level == 1 && page_shift == 12);
}

/* Reads descriptors down to the leaf: its value in *desc, its place in w->desc. */
static int walk_tables(const struct dbt_vcpu *cpu, u64 va, const struct half *h, struct walk *w,
		       u64 *desc)
{
	unsigned stride = h->page_shift - 3;
	unsigned level = 4 - (h->va_bits - h->page_shift + stride - 1) / stride;
	unsigned top = h->va_bits; /* first address bit above this level's index */
	u64 page_mask = PTE_ADDR & ~(BIT(h->page_shift) - 1);
	u64 table;

	w->hier = 0;
	for (u64 next = 0;; level++, top = h->page_shift + (4 - level) * stride) {
		unsigned low = h->page_shift + (3 - level) * stride;

		if (!next) /* the first table may be smaller than a page: aligned to its size */
			table = h->ttbr & 0x0000ffffffffffffull & ~(BIT(top - low + 3) - 1);
		else
			table = next & page_mask;
		if (table >> h->pa_bits)
			return walk_fault(w, FSC_ADDR_SIZE, next ? level - 1 : 0);
		w->desc = (u64 *)dbt_ram_ptr(cpu->vm, table + BITS(va, top - 1, low) * 8, 8);
		if (unlikely(!w->desc))
			return walk_fault(w, FSC_EXT_WALK, level);
		next = __atomic_load_n(w->desc, __ATOMIC_RELAXED);
		if (!(next & PTE_VALID))
			return walk_fault(w, FSC_TRANS, level);
		if (level == 3 || !(next & PTE_TABLE)) {
			w->level = (u8)level;
			*desc = next;
			if (level == 3 ? !(next & PTE_TABLE)
				       : !level_has_blocks(level, h->page_shift))
				return walk_fault(w, FSC_TRANS, level);
			return 0;
		}
		if (!h->hpd)
			w->hier |= (u8)BITS(next, 62, 59);
	}
}

static int walk_flat(const struct dbt_vcpu *cpu, u64 va, struct walk *w)
{
	if (half_tbi(cpu, va))
		va &= BIT(56) - 1;
	w->desc = NULL;
	w->level = 0;
	w->hier = 0;
	if (va >> PA_BITS)
		return walk_fault(w, FSC_ADDR_SIZE, 0);
	w->pa = va;
	w->block = BIT(30);
	w->r = w->w = w->x = w->global = true;
	w->guarded = false;
	w->device = true;
	w->attr = 0; /* what PAR_EL1 shows: Device-nGnRnE, outer shareable */
	w->sh = 2;
	w->fault = 0;
	return 0;
}

int mmu_walk_flags(struct dbt_vcpu *cpu, gva_t va, enum access acc, unsigned el, unsigned flags,
		   struct walk *out)
{
	struct half h;
	u64 desc;
	int ret;

	out->upper = half_is_upper(va.v);
	if (unlikely(!(cpu->sys.sctlr_el1 & SCTLR_M)))
		return walk_flat(cpu, va.v, out);
	if (!half_select(cpu, va.v, el, &h)) {
		out->desc = NULL;
		return walk_fault(out, FSC_TRANS, 0);
	}
	for (unsigned i = 0; i < MAX_CAS_RETRIES; i++) {
		ret = walk_tables(cpu, va.v, &h, out, &desc);
		if (!ret)
			ret = leaf_finish(cpu, desc, va.v, acc, el, flags, &h, out);
		if (ret != -EAGAIN)
			return ret;
	}
	return walk_fault(out, FSC_ACCESS, out->level);
}

int mmu_walk(struct dbt_vcpu *cpu, gva_t va, enum access acc, unsigned el, struct walk *out)
{
	return mmu_walk_flags(cpu, va, acc, el, 0, out);
}

unsigned mmu_walk_line(struct dbt_vcpu *cpu, gva_t va, unsigned el, const struct walk *w,
		       struct walk out[8], gva_t *first)
{
	unsigned page_shift, pa_bits, i;
	u64 *line;

	if (!w->desc || w->level != 3 || w->fault)
		return 0;
	page_shift = (unsigned)__builtin_ctzll(w->block);
	pa_bits = tcr_pa_bits(cpu->sys.tcr_el1);
	/* RAM slots are page aligned: the whole line lies in the leaf's table. */
	line = (u64 *)((uintptr_t)w->desc & ~(uintptr_t)63);
	*first = GVA(ALIGN_DOWN(va.v, (u64)8 << page_shift));
	for (i = 0; i < 8; i++) {
		u64 desc = __atomic_load_n(&line[i], __ATOMIC_RELAXED);
		struct walk *n = &out[i];

		*n = *w;
		n->desc = &line[i];
		n->pa = desc & PTE_ADDR & ~(w->block - 1);
		if ((desc & 3) != 3) {
			walk_fault(n, FSC_TRANS, 3);
		} else if (n->pa >> pa_bits) {
			walk_fault(n, FSC_ADDR_SIZE, 3);
		} else if (!(desc & PTE_AF)) {
			walk_fault(n, FSC_ACCESS, 3);
		} else {
			leaf_attributes(cpu, desc, n);
			leaf_permissions(cpu, desc, el, 0, n);
		}
	}
	return 8;
}

u16 mmu_asid(const struct dbt_vcpu *cpu)
{
	u64 tcr = cpu->sys.tcr_el1;
	u64 ttbr = tcr & TCR_A1 ? cpu->sys.ttbr1_el1 : cpu->sys.ttbr0_el1;

	return (u16)BITS(ttbr, tcr & TCR_AS ? 63 : 55, 48);
}

u64 mmu_branch_addr(const struct dbt_vcpu *cpu, u64 va, unsigned el)
{
	/* One regime for EL0 and EL1; TBID needs pointer authentication, which this CPU has not. */
	return half_tbi(cpu, va) ? (u64)sext64(va, 56) : va;
}

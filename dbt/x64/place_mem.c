/* SPDX-License-Identifier: MIT */
/*
 * Placement of guest memory accesses: the flat-table check, one per base and block.
 *
 *	lea   A, [base+lo]
 *	rorx  t, A, 12 ; cmp t, limit ; jae miss	the range must not cross its page,
 *	test  A, size-1 ; jne ...	or this, the rest out of line, for one access
 *	bextr rdx, A, r15	page number, bounded to 36 bits by construction
 *	[add  rdx, st_index]	stores: the second table lies behind the first
 *	mov   rdx, [r15+rdx*8-4] ; test rdx, rdx ; jz miss
 *	op    [base+rdx+disp]	non-canonical addresses raise #GP here
 */
#include "dbt/x64/place_internal.h"

#define HOIST_OPS  48
#define HOIST_SPAN 256

struct group {
	s32 lo, hi;
	bool store;
	bool sp;	  /* by the window of SP (cpu->sp_page) */
	unsigned count;	  /* accesses covered */
	bool one_insn;	  /* all of one guest instruction */
	bool interleaved; /* accesses off other bases come in between */
};

static bool is_access(const struct hir *h)
{
	return h->op == HIR_LD || h->op == HIR_ST || h->op == HIR_LDV || h->op == HIR_STV;
}

static bool is_store(const struct hir *h)
{
	return h->op == HIR_ST || h->op == HIR_STV;
}

/* A misaligned access is a fault; no check but its own finds that out. */
static bool tests_alignment(const struct place *p, const struct hir *h)
{
	return h->mflags & HM_ALIGN || p->tr->mode & TR_MODE_ALIGN;
}

/*
 * Ends what a page check may be relied on for: calls to C, or rdx is needed, or more is written
 * than the destination.
 */
static bool ends_group(const struct hir *h)
{
	switch (h->op) {
	case HIR_HELPER:
	case HIR_HELPER_END:
	case HIR_CAS:
	case HIR_ATOMIC:
	case HIR_LDX:
	case HIR_STX:
	case HIR_UDIV:
	case HIR_SDIV:
	case HIR_UMULH:
	case HIR_SMULH:
	case HIR_RBIT: return true;
	default: return h->op >= HIR_B && h->op <= HIR_RET;
	}
}

/* h adds a constant to the base: how much. */
static bool base_step(const struct hir *h, const struct hir_opnd *base, s64 *step)
{
	if (!same_loc(&h->d, base) || !same_loc(&h->a, base) || h->w != 8 || h->setf)
		return false;
	if ((h->op == HIR_ADD || h->op == HIR_SUB) && h->b.kind == H_IMM) {
		*step = h->op == HIR_ADD ? h->b.imm : -h->b.imm;
		return *step > -4096 && *step < 4096;
	}
	return false;
}

static bool sp_window(const struct place *p, const struct hir *h)
{
	return h->a.kind == H_X && h->a.reg == REG_SP && is_access(h) && !p->tr->single &&
	       !(h->mflags & HM_UNPRIV) && !tests_alignment(p, h) && !p->vm->cfg.no_sp_window;
}

/* The accesses from op p->i on that one check may cover. */
static struct group find_group(struct place *p, const struct hir *first)
{
	struct group g = {.lo = first->imm2,
			  .hi = first->imm2 + (1 << first->size),
			  .store = is_store(first),
			  .sp = sp_window(p, first),
			  .count = 1,
			  .one_insn = true};
	bool narrow = p->tr->single || p->vm->cfg.no_hoist || p->vm->cfg.no_across_memory;
	const struct hir_opnd *base = &first->a;
	bool other = false;
	s64 delta = 0;

	if (!is_access(first)) {
		g.store = first->op != HIR_LDX;
		return g;
	}
	if (tests_alignment(p, first))
		return g;
	for (unsigned j = p->i; j < p->tr->hir.n && j < p->i + HOIST_OPS; j++) {
		const struct hir *h = &p->tr->hir.op[j];
		s64 step;

		if ((narrow || base->kind == H_T) && h->insn != first->insn)
			break;
		if (ends_group(h))
			break;
		if (j > p->i && is_access(h) && same_loc(&h->a, base) && !tests_alignment(p, h) &&
		    (h->mflags & HM_UNPRIV) == (first->mflags & HM_UNPRIV)) {
			s64 lo = delta + h->imm2, hi = lo + (1 << h->size);

			lo = lo < g.lo ? lo : g.lo;
			hi = hi > g.hi ? hi : g.hi;
			if (hi - lo > HOIST_SPAN)
				break;
			g.lo = (s32)lo;
			g.hi = (s32)hi;
			g.store |= is_store(h);
			g.count++;
			g.one_insn &= h->insn == first->insn;
			g.interleaved |= other;
		} else if (j > p->i && is_access(h)) {
			other = true;
		}
		if (base_step(h, base, &step))
			delta += step;
		else if (same_loc(&h->d, base))
			break;
	}
	return g;
}

void cache_drop_all(struct place *p)
{
	for (unsigned k = 0; k < N_ADDENDS; k++)
		p->ac[k].valid = false;
	p->ac_rdx = -1;
}

void cache_lose_rdx(struct place *p)
{
	if (p->ac_rdx >= 0 && !p->ac[p->ac_rdx].saved && !p->ac[p->ac_rdx].sp)
		p->ac[p->ac_rdx].valid = false;
	p->ac_rdx = -1;
}

bool sp_may_misalign(const struct hir *h)
{
	if (h->d.kind != H_X || h->d.reg != REG_SP)
		return false;
	if (h->w != 8)
		return true;
	switch (h->op) {
	case HIR_ADD:
	case HIR_SUB: return !same_loc(&h->a, &h->d) || h->b.kind != H_IMM || h->b.imm & 15;
	case HIR_AND: return h->b.kind != H_IMM || h->b.imm & 15;
	default: return true;
	}
}

void cache_note_write(struct place *p, const struct hir *h)
{
	for (int k = 0; k < N_ADDENDS; k++) {
		struct addend_cache *ac = &p->ac[k];
		struct hir_opnd base = {.kind = ac->base_kind, .reg = ac->base};
		s64 step;

		if (!ac->valid || !same_loc(&h->d, &base))
			continue;
		if (h->d.kind == H_X && base_step(h, &base, &step) && !sp_may_misalign(h)) {
			ac->lo -= (s32)step;
			ac->hi -= (s32)step;
			ac->ptr_disp -= (s32)step;
		} else {
			ac->valid = false;
			if (p->ac_rdx == k)
				p->ac_rdx = -1;
		}
	}
}

static u32 make_desc(struct place *p, const struct hir *h, const struct group *g)
{
	u32 d = insn_off(p, h) / 4 | (u32)(g->hi - g->lo - 1) << 10;

	if (g->store)
		d |= DESC_STORE;
	d |= (u32)h->defer << 21;
	if (h->mflags & HM_UNPRIV)
		d |= DESC_UNPRIV;
	if (p->tr->single || (g->one_insn && p->tr->span[h->insn] == 1))
		d |= DESC_EXACT;
	return d;
}

/*
 * The base is page_va and a constant (ADRP): where in its page the group lies is known, and that it
 * does not leave it.
 */
static bool known_page(const struct place *p, const struct hir *h, const struct group *g)
{
	s64 off = g->lo, step;

	for (const struct hir *d = h; !tests_alignment(p, h) && d-- > p->tr->hir.op;) {
		if (ends_group(d))
			return false;
		if (!same_loc(&d->d, &h->a))
			continue;
		if (d->op == HIR_PCADDR)
			return ((off + d->a.imm) & (s64)(PAGE_SIZE - 1)) + g->hi - g->lo <=
			       (s64)PAGE_SIZE;
		if (!base_step(d, &h->a, &step))
			return false;
		off += step;
	}
	return false;
}

static void take_rdx_for_op(struct place *p)
{
	p->busy |= BIT(RDX);
	p->op_busy |= BIT(RDX);
}

/* What every check begins with: flags where a fault finds them, rdx free of what it held. */
static void check_begin(struct place *p, const struct hir *h)
{
	cache_lose_rdx(p);
	if (!h->defer)
		flags_to_mem(p); /* a fault here shows NZCV, dead or not */
	p->fl_eflags = false;
	if (!(h->a.kind == H_T && p->treg[h->a.reg] == RDX) && p->busy & BIT(RDX))
		take_reg(p, RDX);
}

static struct cold *cold_check(struct place *p, enum cold_kind kind, const struct group *g,
			       u32 desc)
{
	struct cold *c = cold_add(p, kind);

	c->desc = desc;
	c->back = p->a.p;
	c->adisp = g->lo;
	return c;
}

/* Does the group, whose address is in ra, stay in its page, and is it aligned where it must be? */
static void emit_span_test(struct place *p, const struct hir *h, const struct group *g,
			   struct cold *c, int ra)
{
	struct xasm *a = &p->a;
	unsigned len = (unsigned)(g->hi - g->lo);

	if (known_page(p, h, g))
		return;
	if (tests_alignment(p, h) && h->size) {
		x_test_i(a, ra < 4 ? 1 : 4, xr(ra), (1 << h->size) - 1);
		cold_from(c, x_jcc_fwd(a, XCC_NE));
	} else if (len > 1 && len == 1u << h->size && h->size < 4) {
		x_test_i(a, 1, xr(ra), (s32)len - 1);
		c->misaligned = x_jcc_fwd(a, XCC_NE);
		c->aligned = a->p;
		c->size = (u8)len;
		c->ra = (s8)ra;
	} else if (len > 1) {
		int t = ra == RDX ? alloc_scratch(p) : RDX;

		x_rorx(a, 4, t, xr(ra), 12);
		x_alu_i(a, 4, XCMP, xr(t), (s32)((0x1000 - len + 1) << 20));
		cold_from(c, x_jcc_fwd(a, XCC_AE));
		if (t != RDX) {
			p->busy &= ~BIT(t);
			p->op_busy &= ~BIT(t);
		}
	}
}

/*
 * Emits the check for group g; afterwards rdx = addend, taken for this op. Returns a register
 * holding base + lo, valid only when the base is in memory (it then stays taken for this op).
 */
static int emit_page_check(struct place *p, const struct hir *h, const struct group *g, u32 desc)
{
	struct xasm *a = &p->a;
	struct cold *c;
	int ra;

	check_begin(p, h);
	c = cold_check(p, COLD_MISS, g, desc);
	if (opnd_is_mem(p, &h->a)) {
		c->base = opnd_rm(p, &h->a);
		if (g->lo) {
			ra = alloc_scratch(p);
			load_to(p, 8, ra, &h->a);
			x_alu_i(a, 8, XADD, xr(ra), g->lo);
		} else {
			ra = src_reg(p, &h->a, 8);
		}
	} else {
		if (h->a.kind == H_T && p->treg[h->a.reg] == RDX)
			take_reg(p, RDX);
		c->back = a->p;
		c->base = opnd_rm(p, &h->a);
		ra = c->base.reg;
		if (g->lo) {
			ra = RDX;
			x_lea(a, 8, ra, xm(c->base.reg, g->lo));
		}
	}
	take_rdx_for_op(p);
	emit_span_test(p, h, g, c, ra);
	x_bextr(a, 8, RDX, xr(ra), REG_LDTAB);
	if (h->mflags & HM_UNPRIV) {
		int t = alloc_scratch(p);

		x_mov_rm(a, 8, t,
			 g->store ? xm(RBP, CPU_OFF(user_st_tab)) : xm(RBP, CPU_OFF(user_ld_tab)));
		x_mov_rm(a, 8, RDX, xmi(t, RDX, 3, 0));
		p->busy &= ~BIT(t);
		p->op_busy &= ~BIT(t);
	} else {
		if (g->store)
			x_alu_rm(a, 8, XADD, RDX, xm(RBP, CPU_OFF(st_index)));
		x_mov_rm(a, 8, RDX, xmi(REG_LDTAB, RDX, 3, -VIEW_BEXTR_DISP));
	}
	x_test_rr(a, 8, xr(RDX), RDX);
	cold_from(c, x_jcc_fwd(a, XCC_E));
	p->fl_eflags = false;
	return ra;
}

/*
 * The check for group g off SP: is it in the page of the last one (cpu->sp_page)? Leaves the same
 * as emit_page_check.
 */
static void emit_sp_check(struct place *p, const struct hir *h, const struct group *g, u32 desc)
{
	struct xasm *a = &p->a;
	struct cold *c;

	check_begin(p, h);
	for (unsigned k = 0; k < N_ADDENDS; k++)
		p->ac[k].valid &= !p->ac[k].sp;
	take_rdx_for_op(p);
	c = cold_check(p, COLD_SP_MISS, g, desc);
	x_lea(a, 8, RDX, xm(regmap_host[REG_SP], g->lo));
	x_alu_rm(a, 8, XSUB, RDX, xm(RBP, CPU_OFF(sp_page)));
	x_alu_i(a, 8, XCMP, xr(RDX), (s32)PAGE_SIZE - (g->hi - g->lo));
	cold_from(c, x_jcc_fwd(a, XCC_A));
	x_mov_rm(a, 8, RDX, xm(RBP, CPU_OFF(sp_addend)));
	c->aligned = a->p;
}

static int emit_check(struct place *p, const struct hir *h, const struct group *g, u32 desc)
{
	unsigned cat = cat_begin(p, XC_CHECK);
	int ra;

	if (p->vm->cfg.no_across_memory)
		state_store(p, p->i);
	if (g->sp) {
		emit_sp_check(p, h, g, desc);
		ra = regmap_host[REG_SP];
	} else {
		ra = emit_page_check(p, h, g, desc);
	}
	cat_end(p, cat);
	return ra;
}

int access_check(struct place *p, const struct hir *h, u32 *desc)
{
	struct group g = find_group(p, h);

	*desc = make_desc(p, h, &g);
	return emit_check(p, h, &g, *desc);
}

void note_site(struct place *p, u32 desc)
{
	if (p->nsites == MAX_SITES) {
		p->a.overflow = true;
		return;
	}
	p->site[p->nsites++] = (struct site){.host = (u32)xasm_pc(&p->a), .desc = desc};
}

/* The check done earlier that covers this access, its value in rdx; NULL if there is none. */
static struct addend_cache *cache_find(struct place *p, const struct hir *h)
{
	s32 lo = h->imm2, hi = h->imm2 + (1 << h->size);
	bool unpriv = h->mflags & HM_UNPRIV;

	if (tests_alignment(p, h))
		return NULL;
	for (int k = 0; k < N_ADDENDS; k++) {
		struct addend_cache *ac = &p->ac[k];

		if (!ac->valid || ac->base_kind != h->a.kind || ac->base != h->a.reg ||
		    ac->unpriv != unpriv || ac->lo > lo || hi > ac->hi ||
		    (is_store(h) && !ac->store))
			continue;
		if (p->ac_rdx != k) {
			if (p->busy & BIT(RDX))
				return NULL;
			cache_lose_rdx(p);
			unsigned cat = cat_begin(p, XC_CHECK);

			x_mov_rm(&p->a, 8, RDX,
				 xm(RBP, ac->sp ? CPU_OFF(sp_addend) : CPU_OFF(addend) + 8 * k));
			cat_end(p, cat);
			p->ac_rdx = k;
		}
		take_rdx_for_op(p); /* not to be given away within this op */
		return ac;
	}
	return NULL;
}

/* Remembers the check just done, whose addend is in rdx. */
static struct addend_cache *cache_add(struct place *p, const struct hir *h, const struct group *g)
{
	int k = 0;

	while (k < N_ADDENDS && p->ac[k].valid)
		k++;
	if (k == N_ADDENDS) {
		k = p->ac_next;
		p->ac_next = (k + 1) % N_ADDENDS;
	}
	p->ac[k] = (struct addend_cache){.valid = true,
					 .saved = g->interleaved && !g->sp,
					 .sp = g->sp,
					 .store = g->store,
					 .unpriv = h->mflags & HM_UNPRIV,
					 .base_kind = h->a.kind,
					 .base = h->a.reg,
					 .lo = g->lo,
					 .hi = g->hi};
	p->ac_rdx = k;
	return &p->ac[k];
}

/*
 * Host operand of an access; does the check when no earlier one covers it. *desc is non-zero when
 * the access must be noted as a site that may raise #GP.
 */
static struct xop access_operand(struct place *p, const struct hir *h, u32 *desc)
{
	/* The second access of a pair has been checked with the first. */
	bool alone = p->vm->cfg.no_across_memory && (!p->i || h[-1].insn != h->insn);
	struct addend_cache *ac = alone ? NULL : cache_find(p, h);
	struct xasm *a = &p->a;
	bool mem = opnd_is_mem(p, &h->a);
	struct group g;
	unsigned cat;
	int ra;

	*desc = 0;
	if (ac) {
		if (ac->hostptr)
			return xm(RDX, h->imm2 - ac->ptr_disp);
		return xmi(opnd_rm(p, &h->a).reg, RDX, 0, h->imm2);
	}
	g = find_group(p, h);
	*desc = make_desc(p, h, &g);
	ra = emit_check(p, h, &g, *desc);
	if (g.count == 1)
		return mem ? xmi(ra, RDX, 0, h->imm2 - g.lo)
			   : xmi(opnd_rm(p, &h->a).reg, RDX, 0, h->imm2);
	ac = cache_add(p, h, &g);
	cat = cat_begin(p, XC_CHECK);
	if (mem) {
		x_alu_rm(a, 8, XADD, RDX, xr(ra));
		ac->hostptr = true;
		ac->ptr_disp = g.lo;
		p->busy &= ~BIT(ra);
		p->op_busy &= ~BIT(ra);
	}
	if (ac->saved)
		x_mov_mr(a, 8, xm(RBP, CPU_OFF(addend) + 8 * p->ac_rdx), RDX);
	cat_end(p, cat);
	if (mem)
		return xm(RDX, h->imm2 - g.lo);
	return xmi(opnd_rm(p, &h->a).reg, RDX, 0, h->imm2);
}

static void load(struct place *p, const struct hir *h)
{
	u32 desc;
	struct xop m = access_operand(p, h, &desc);
	int r;

	if (h->d.kind == H_T && h->a.kind == H_T && p->tlast[h->a.reg] == p->i &&
	    !(p->ac_rdx >= 0 && p->ac[p->ac_rdx].base_kind == H_T))
		r = dst_reg(p, &h->d, &h->a);
	else
		r = dst_reg(p, &h->d, NULL);
	if (desc)
		note_site(p, desc);
	x_movx(&p->a, h->w, 1u << h->size, h->sx, r, m);
	dst_done(p, &h->d, r);
}

static void store(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	unsigned n = 1u << h->size;
	u32 desc;
	struct xop m = access_operand(p, h, &desc);
	int r;

	if (h->mflags & HM_RELEASE) {
		r = alloc_scratch(p);
		load_to(p, 8, r, &h->b);
		if (desc)
			note_site(p, desc);
		x_op(a, n, n == 1 ? 0x86 : 0x87, r, m,
		     0); /* xchg: a store no later load overtakes */
		return;
	}
	if (h->b.kind == H_IMM && h->b.imm == (s32)h->b.imm) {
		if (desc)
			note_site(p, desc);
		x_mov_mi(a, n, m, (s32)h->b.imm);
		return;
	}
	r = src_reg(p, &h->b, 8);
	if (desc)
		note_site(p, desc);
	x_mov_mr(a, n, m, r);
}

static void loadv(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	u32 desc;
	struct xop m = access_operand(p, h, &desc);
	int r = vdst_reg(p, &h->d), t = -1;

	if (h->size < 2)
		t = alloc_scratch(p);
	if (desc)
		note_site(p, desc);
	switch (h->size) {
	case 4: x_v(a, 2, 1, 0, 0, 0x6f, r, 0, m, 0, 16); break; /* vmovdqu */
	case 3: x_v(a, 2, 1, 0, 1, 0x7e, r, 0, m, 0, 8); break;	 /* vmovq */
	case 2: x_v(a, 1, 1, 0, 0, 0x6e, r, 0, m, 0, 4); break;	 /* vmovd */
	default:
		x_movx(a, 4, 1u << h->size, false, t, m);
		x_v(a, 1, 1, 0, 0, 0x6e, r, 0, xr(t), 0, 4);
		break;
	}
	vdst_done(p, &h->d, r);
}

static void storev(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	u32 desc;
	struct xop m = access_operand(p, h, &desc);
	int r, t;

	if (h->size < 4 && h->b.kind == H_V && !v_in_reg(p, h->b.reg)) {
		t = alloc_scratch(p);
		x_mov_rm(a, 8, t, xm(RBP, V_OFF(h->b.reg)));
		if (desc)
			note_site(p, desc);
		x_mov_mr(a, 1u << h->size, m, t);
		return;
	}
	r = vsrc_reg(p, &h->b);
	if (desc)
		note_site(p, desc);
	switch (h->size) {
	case 4: x_v(a, 2, 1, 0, 0, 0x7f, r, 0, m, 0, 16); break; /* vmovdqu */
	case 3: x_v(a, 1, 1, 0, 1, 0xd6, r, 0, m, 0, 8); break;	 /* vmovq */
	case 2: x_v(a, 1, 1, 0, 0, 0x7e, r, 0, m, 0, 4); break;	 /* vmovd */
	case 1:
		x_v(a, 1, 3, 0, 0, 0x15, r, 0, m, 1, 2); /* vpextrw */
		x8(a, 0);
		break;
	default:
		x_v(a, 1, 3, 0, 0, 0x14, r, 0, m, 1, 1); /* vpextrb */
		x8(a, 0);
		break;
	}
}

bool place_mem(struct place *p, const struct hir *h)
{
	switch (h->op) {
	case HIR_LD: load(p, h); break;
	case HIR_ST: store(p, h); break;
	case HIR_LDV: loadv(p, h); break;
	case HIR_STV: storev(p, h); break;
	default: return false;
	}
	return true;
}

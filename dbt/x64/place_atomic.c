/* SPDX-License-Identifier: MIT */
/* Placement of LSE atomics, exclusives and full barriers; docs/dbt-smp.md has the protocol. */
#include "dbt/x64/place_internal.h"

static void lock(struct place *p)
{
	x8(&p->a, 0xf0);
}

/* Check for a lone atomic access. Returns its operand; when `free_rax`, rax holds no part of it. */
static struct xop atomic_operand(struct place *p, const struct hir *h, bool free_rax, u32 *desc)
{
	int ra = access_check(p, h, desc);

	if (free_rax && ra == RAX) {
		x_alu_rm(&p->a, 8, XADD, RDX, xr(ra));
		return xm(RDX, 0);
	}
	return xmi(ra, RDX, 0, 0);
}

static void cmpxchg(struct place *p, unsigned n, struct xop m, int r)
{
	if (n == 2)
		x8(&p->a, 0x66);
	lock(p);
	x_op(&p->a, n == 2 ? 4 : n, n == 1 ? 0x0fb0 : 0x0fb1, r, m, 0);
}

static void result(struct place *p, const struct hir *h, int r)
{
	int d;

	if (h->d.kind == H_NONE)
		return;
	if (opnd_is_mem(p, &h->d)) {
		x_movx(&p->a, 4, 1u << h->size, false, r, xr(r));
		dst_done(p, &h->d, r);
		return;
	}
	d = dst_reg(p, &h->d, NULL);
	x_movx(&p->a, 4, 1u << h->size, false, d, xr(r));
}

/* r15 = bucket of `m`, until it is reloaded. */
static void excl_bucket_of(struct place *p, struct xop m)
{
	struct xasm *a = &p->a;

	x_lea(a, 4, REG_LDTAB, m);
	x_alu_i(a, 4, XAND, xr(REG_LDTAB), EXCL_MASK / 4);
	x_shift_i(a, 4, 4, xr(REG_LDTAB), 2);
	x_alu_rm(a, 8, XADD, REG_LDTAB, xm(RBP, CPU_OFF(excl_tab)));
}

/*
 * An LSE atomic on `m` begins: where a monitor may look, its bucket is taken (struct excl_bucket),
 * out of line. The atomic itself is the site that may fault, or what goes before the taking.
 */
static void excl_enter(struct place *p, struct xop m, u32 desc)
{
	struct xasm *a = &p->a;
	struct cold *c;

	if (p->vm->cfg.max_vcpus < 2)
		return;
	excl_bucket_of(p, m);
	x_alu_i(a, 4, XCMP, xm(REG_LDTAB, EXCL_WATCHED), 0);
	c = cold_add(p, COLD_EXCL);
	c->base = m;
	c->desc = desc;
	cold_from(c, x_jcc_fwd(a, XCC_NE));
	x_lea(a, 8, REG_LDTAB, xm(RBP, CPU_OFF(excl_none)));
	c->back = a->p;
}

/* It has changed what it changes. Only who has a bucket writes the version: no lock. */
static void excl_leave(struct place *p)
{
	if (p->vm->cfg.max_vcpus < 2)
		return;
	x_alu_i(&p->a, 8, XADD, xm(REG_LDTAB, 0), 1);
	x_mov_rm(&p->a, 8, REG_LDTAB, xm(RBP, CPU_OFF(ld_reg)));
}

static void cas(struct place *p, const struct hir *h)
{
	u32 desc;
	struct xop m = atomic_operand(p, h, true, &desc);
	int r;

	if (!(p->op_busy & BIT(RAX)))
		take_reg(p, RAX);
	load_to(p, 8, RAX, &h->b);
	r = src_reg(p, &h->c, 8);
	excl_enter(p, m, desc);
	note_site(p, desc);
	cmpxchg(p, 1u << h->size, m, r);
	excl_leave(p);
	result(p, h, RAX);
}

static void atomic_loop(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	unsigned n = 1u << h->size;
	u32 desc;
	struct xop m = atomic_operand(p, h, true, &desc);
	int s;
	u8 *again;

	if (!(p->op_busy & BIT(RAX)))
		take_reg(p, RAX);
	s = alloc_scratch(p);
	excl_enter(p, m, desc);
	note_site(p, desc);
	x_movx(a, 4, n, false, RAX, m);
	again = a->p;
	load_to(p, 8, s, &h->b);
	if (h->sub == HA_CLR)
		x_not(a, 8, xr(s));
	x_alu_rm(a, 8, h->sub == HA_SET ? XOR_ : h->sub == HA_EOR ? XXOR : XAND, s, xr(RAX));
	cmpxchg(p, n, m, s);
	x_jcc(a, XCC_NE, (u64)again + (u64)a->to_rx);
	excl_leave(p);
	result(p, h, RAX);
}

static void atomic(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	unsigned n = 1u << h->size;
	bool logic = h->sub == HA_SET || h->sub == HA_CLR || h->sub == HA_EOR;
	struct xop m;
	u32 desc;
	int s;

	if (logic && h->d.kind != H_NONE) {
		atomic_loop(p, h);
		return;
	}
	m = atomic_operand(p, h, false, &desc);
	s = alloc_scratch(p);
	load_to(p, 8, s, &h->b);
	if (h->sub == HA_CLR)
		x_not(a, 8, xr(s));
	excl_enter(p, m, desc);
	note_site(p, desc);
	if (h->sub == HA_SWP) {
		x_op(a, n, n == 1 ? 0x86 : 0x87, s, m, 0);
	} else if (h->sub == HA_ADD) {
		if (n == 2)
			x8(a, 0x66);
		lock(p);
		x_op(a, n == 2 ? 4 : n, n == 1 ? 0x0fc0 : 0x0fc1, s, m, 0);
	} else if (logic) {
		if (n == 2)
			x8(a, 0x66);
		lock(p);
		x_alu_mr(a, n == 2 ? 4 : n,
			 h->sub == HA_SET   ? XOR_
			 : h->sub == HA_EOR ? XXOR
					    : XAND,
			 m, s);
	} else {
		p->fail = "atomic min/max is not inline";
	}
	excl_leave(p);
	result(p, h, s);
}

/*
 * The exclusive monitor is the value loaded: the store is a compare-and-exchange. With several
 * vCPUs that alone would take A-B-A for nothing done; so the bucket of the address must not have
 * changed either (struct excl_bucket). `to` = bucket of the host address in rdx.
 */
static void excl_bucket(struct place *p, int to)
{
	struct xasm *a = &p->a;

	x_rorx(a, 4, to, xr(RDX), 30); /* address * 4 */
	x_alu_i(a, 4, XAND, xr(to), EXCL_MASK);
	x_alu_rm(a, 8, XADD, to, xm(RBP, CPU_OFF(excl_tab)));
}

/* Notes the state of [rdx]'s bucket, before the value is loaded; `s` is lost. */
static void excl_watch(struct place *p, int s)
{
	struct xasm *a = &p->a;
	u8 *watched;

	excl_bucket(p, s);
	x_alu_i(a, 4, XCMP, xm(s, EXCL_WATCHED), 0);
	watched = x_jcc8_fwd(a, XCC_NE);
	lock(p); /* seen by every later atomic, and the value is loaded after it */
	x_alu_i(a, 4, XOR_, xm(s, EXCL_WATCHED), 1);
	x_patch8(a, watched);
	x_mov_rm(a, 8, s, xm(s, 0));
	x_alu_i(a, 8, XAND, xr(s), -2); /* taken counts as changed */
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(excl_ver)), s);
}

static void load_exclusive(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	u32 desc;
	struct xop m = atomic_operand(p, h, false, &desc);
	int s, ra = m.base;

	s = alloc_scratch(p);
	if (p->vm->cfg.max_vcpus > 1) {
		x_alu_rm(a, 8, XADD, RDX, xr(ra));
		m = xm(RDX, 0);
		excl_watch(p, s);
	}
	note_site(p, desc);
	x_movx(a, 4, 1u << h->size, false, s, m);
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(excl_va)), ra);
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(excl_val[0])), s);
	x_mov_mi(a, 1, xm(RBP, CPU_OFF(excl_size)), 1 << h->size);
	dst_put(p, h, s);
}

/*
 * Takes the bucket of [rdx] if it is still as the load saw it; r15 = bucket until it is reloaded.
 * Returns the jump of a failure. Faults come before it is taken.
 */
static u8 *excl_take_unchanged(struct place *p, const struct hir *h, u32 desc)
{
	struct xasm *a = &p->a;
	int t = RCX;

	if (!(p->op_busy & BIT(RCX)))
		take_reg(p, RCX);
	note_site(p, desc);
	x_movx(a, 4, 1u << h->size, false, RAX, xm(RDX, 0));
	excl_bucket(p, REG_LDTAB);
	x_mov_rm(a, 8, RAX, xm(RBP, CPU_OFF(excl_ver)));
	x_lea(a, 8, t, xm(RAX, 1));
	cmpxchg(p, 8, xm(REG_LDTAB, 0), t);
	p->busy &= ~BIT(t);
	p->op_busy &= ~BIT(t);
	return x_jcc_fwd(a, XCC_NE);
}

static void store_exclusive(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	u32 desc;
	bool smp = p->vm->cfg.max_vcpus > 1;
	u8 *f1, *f2, *f3 = NULL, *done;
	int ra = access_check(p, h, &desc), data, r;

	x_alu_mr(a, 8, XCMP, xm(RBP, CPU_OFF(excl_va)), ra);
	f1 = x_jcc_fwd(a, XCC_NE);
	x_alu_i(a, 1, XCMP, xm(RBP, CPU_OFF(excl_size)), 1 << h->size);
	f2 = x_jcc_fwd(a, XCC_NE);
	x_alu_rm(a, 8, XADD, RDX, xr(ra));
	if (!(p->op_busy & BIT(RAX)))
		take_reg(p, RAX);
	if (smp)
		f3 = excl_take_unchanged(p, h, desc);
	x_mov_rm(a, 8, RAX, xm(RBP, CPU_OFF(excl_val[0])));
	data = src_reg(p, &h->b, 8);
	if (!smp)
		note_site(p, desc);
	cmpxchg(p, 1u << h->size, xm(RDX, 0), data);
	x_setcc(a, XCC_NE, xr(RAX));
	x_movx(a, 4, 1, false, RAX, xr(RAX));
	if (smp)
		x_alu_i(a, 8, XADD, xm(REG_LDTAB, 0), 1);
	done = x_jmp8_fwd(a);
	x_patch(a, f1);
	x_patch(a, f2);
	if (smp)
		x_patch(a, f3);
	x_mov_imm(a, RAX, 1);
	x_patch8(a, done);
	if (smp)
		x_mov_rm(a, 8, REG_LDTAB, xm(RBP, CPU_OFF(ld_reg)));
	x_mov_mi(a, 1, xm(RBP, CPU_OFF(excl_size)), 0);
	if (h->d.kind == H_NONE)
		return;
	if (opnd_is_mem(p, &h->d)) {
		dst_done(p, &h->d, RAX);
	} else {
		r = dst_reg(p, &h->d, NULL);
		x_mov_rr(a, 4, r, RAX);
	}
}

/* A watched bucket: faults come before it is taken. */
void cold_excl(struct place *p, const struct cold *c)
{
	struct xasm *a = &p->a;

	note_site(p, c->desc);
	x_alu_i(a, 1, XCMP, c->base, 0);
	x_call(a, p->vm->t_excl_take);
	x_jmp(a, (u64)c->back + (u64)a->to_rx);
}

bool place_atomic(struct place *p, const struct hir *h)
{
	switch (h->op) {
	case HIR_CAS: cas(p, h); break;
	case HIR_ATOMIC: atomic(p, h); break;
	case HIR_LDX: load_exclusive(p, h); break;
	case HIR_STX: store_exclusive(p, h); break;
	case HIR_FENCE:
		flags_clobber(p);
		lock(p);
		x_alu_i(&p->a, 4, XOR_, xm(RBP, CPU_OFF(scratch[SCR_SITE])), 0);
		break;
	default: return false;
	}
	return true;
}

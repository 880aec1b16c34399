/* SPDX-License-Identifier: MIT */
/* Placement of integer operations. */
#include "dbt/x64/place_internal.h"

int load_into_dst(struct place *p, const struct hir *h, const struct hir_opnd *x,
		  const struct hir_opnd *y)
{
	bool reuse = !(y && y->kind == H_T && same_loc(x, y));
	int r;

	if (h->d.kind == H_NONE || opnd_is_mem(p, &h->d) ||
	    (y && same_loc(&h->d, y) && !same_loc(&h->d, x)))
		r = alloc_scratch(p);
	else
		r = dst_reg(p, &h->d, reuse ? x : NULL);
	if (x->kind == H_T && p->treg[x->reg] < 0)
		return r; /* taken over: already there */
	if (x->kind == H_IMM || opnd_rm(p, x).reg != r)
		load_to(p, h->w, r, x);
	return r;
}

/* d = a op b as "mov d,a; op d,b", with the hazards of d aliasing b. */
static void alu3(struct place *p, const struct hir *h, enum xalu op, bool comm)
{
	struct xasm *a = &p->a;
	unsigned w = h->w;
	const struct hir_opnd *x = &h->a, *y = &h->b;
	int r, s;

	if (comm && (x->kind == H_IMM || (same_loc(&h->d, y) && !same_loc(&h->d, x)))) {
		x = &h->b;
		y = &h->a;
	}
	if (h->d.kind == H_X && same_loc(&h->d, x) && opnd_is_mem(p, &h->d) && w == 8 &&
	    (imm_fits(y, w) || (y->kind != H_IMM && !opnd_is_mem(p, y)))) {
		if (y->kind == H_IMM)
			x_alu_i(a, 8, op, opnd_rm(p, x), (s32)y->imm);
		else
			x_alu_mr(a, 8, op, opnd_rm(p, x), opnd_rm(p, y).reg);
		return;
	}
	if (y->kind == H_IMM && !imm_fits(y, w))
		s = src_reg(p, y, w);
	else
		s = -1;
	r = load_into_dst(p, h, x, y);
	if (s >= 0)
		x_alu_rm(a, w, op, r, xr(s));
	else if (y->kind == H_IMM)
		x_alu_i(a, w, op, xr(r), (s32)y->imm);
	else
		x_alu_rm(a, w, op, r, opnd_src(p, y));
	dst_put(p, h, r);
}

/* Flags of a - b or a & b only. */
static void compare(struct place *p, const struct hir *h, bool test)
{
	struct xasm *a = &p->a;
	const struct hir_opnd *x = &h->a, *y = &h->b;
	unsigned w = h->w;

	if (test && x->kind == H_IMM) {
		x = &h->b;
		y = &h->a;
	}
	if (test && same_loc(x, y) && opnd_is_mem(p, x)) {
		int r = src_reg(p, x, w);

		x_test_rr(a, w, xr(r), r);
	} else if (imm_fits(y, w) && x->kind != H_IMM) {
		struct xop rm = opnd_src(p, x);

		if (test)
			x_test_i(a, w, rm, (s32)y->imm);
		else if (y->imm == 0 && rm.reg >= 0)
			x_test_rr(a, w, rm, rm.reg); /* same flags: CF = OF = 0 */
		else
			x_alu_i(a, w, XCMP, rm, (s32)y->imm);
	} else if (test) {
		int r = src_reg(p, y, w);

		if (x->kind == H_IMM)
			x_test_rr(a, w, xr(src_reg(p, x, w)), r);
		else
			x_test_rr(a, w, opnd_src(p, x), r);
	} else if (x->kind != H_IMM && opnd_is_mem(p, x)) {
		int r = src_reg(p, y, w);

		x_alu_mr(a, w, XCMP, opnd_src(p, x), r);
	} else {
		int r = src_reg(p, x, w);

		if (y->kind == H_IMM)
			x_alu_rm(a, w, XCMP, r, xr(src_reg(p, y, w)));
		else
			x_alu_rm(a, w, XCMP, r, opnd_src(p, y));
	}
}

/* d = a + b without touching flags. */
static void add_lea(struct place *p, const struct hir *h, s64 sign)
{
	const struct hir_opnd *x = &h->a, *y = &h->b;
	int r, s, d;

	if (x->kind == H_IMM && sign > 0) {
		x = &h->b;
		y = &h->a;
	}
	r = src_reg(p, x, 8);
	if (imm_fits(y, h->w)) {
		d = dst_reg(p, &h->d, x);
		x_lea(&p->a, h->w, d, xm(r, (s32)(sign * y->imm)));
	} else {
		s = src_reg(p, y, 8);
		d = dst_reg(p, &h->d, x);
		x_lea(&p->a, h->w, d, xmi(r, s, 0, 0));
	}
	dst_done(p, &h->d, d);
}

static bool wants_lea(struct place *p, const struct hir *h)
{
	if (h->setf || h->d.kind == H_NONE)
		return false;
	if (h->op == HIR_SUB &&
	    (!imm_fits(&h->b, h->w) || (s32)h->b.imm == INT32_MIN || h->a.kind == H_IMM))
		return false;
	if (h->op == HIR_ADD && h->a.kind == H_IMM && h->b.kind == H_IMM)
		return false;
	if (p->fl_eflags && !p->fl_mem && p->fl_live[p->i])
		return true; /* flags must survive */
	/* Three-operand form saves a move. */
	return !same_loc(&h->d, &h->a) && !(h->op == HIR_ADD && same_loc(&h->d, &h->b)) &&
	       !opnd_is_mem(p, &h->d) && h->a.kind != H_IMM && !opnd_is_mem(p, &h->a) &&
	       (imm_fits(&h->b, h->w) || (h->b.kind != H_IMM && !opnd_is_mem(p, &h->b)));
}

static void addsub(struct place *p, const struct hir *h)
{
	bool sub = h->op == HIR_SUB;

	if (!h->setf && h->d.kind == H_NONE)
		return;
	if (wants_lea(p, h)) {
		add_lea(p, h, sub ? -1 : 1);
		return;
	}
	if (!h->setf)
		flags_clobber(p);
	if (sub && h->d.kind == H_NONE)
		compare(p, h, false);
	else
		alu3(p, h, sub ? XSUB : XADD, !sub);
	if (h->setf)
		flags_defined(p, !sub);
}

static void logic(struct place *p, const struct hir *h)
{
	if (!h->setf && h->d.kind == H_NONE)
		return;
	if (!h->setf)
		flags_clobber(p);
	if (h->op == HIR_AND && h->d.kind == H_NONE)
		compare(p, h, true);
	else
		alu3(p, h, h->op == HIR_AND ? XAND : h->op == HIR_OR ? XOR_ : XXOR, true);
	if (h->setf)
		flags_defined(p, true);
}

/* BIC, ORN, EON: second operand complemented. */
static void logic_not(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	unsigned w = h->w;
	int nb, r;

	if (!h->setf)
		flags_clobber(p);
	if (h->op == HIR_BIC) {
		nb = src_reg(p, &h->b, w);
		if (h->a.kind == H_IMM) {
			int s = src_reg(p, &h->a, w);

			r = dst_reg(p, &h->d, NULL);
			x_andn(a, w, r, nb, xr(s));
		} else {
			r = dst_reg(p, &h->d, NULL);
			x_andn(a, w, r, nb, opnd_rm(p, &h->a));
		}
		dst_done(p, &h->d, r);
		if (h->setf)
			flags_defined(p, true);
		return;
	}
	nb = alloc_scratch(p);
	load_to(p, w, nb, &h->b);
	x_not(a, w, xr(nb));
	if (h->a.kind == H_IMM && imm_fits(&h->a, w))
		x_alu_i(a, w, h->op == HIR_ORN ? XOR_ : XXOR, xr(nb), (s32)h->a.imm);
	else if (h->a.kind == H_IMM)
		x_alu_rm(a, w, h->op == HIR_ORN ? XOR_ : XXOR, nb, xr(src_reg(p, &h->a, w)));
	else
		x_alu_rm(a, w, h->op == HIR_ORN ? XOR_ : XXOR, nb, opnd_rm(p, &h->a));
	if (h->d.kind == H_NONE)
		return;
	if (opnd_is_mem(p, &h->d)) {
		dst_done(p, &h->d, nb);
	} else {
		r = dst_reg(p, &h->d, NULL);
		x_mov_rr(a, 8, r, nb);
	}
}

static void carry_op(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	bool sub = h->op == HIR_SBC;
	unsigned w = h->w;
	int r = alloc_scratch(p), s = -1;

	if (h->b.kind == H_IMM || opnd_is_mem(p, &h->b))
		s = src_reg(p, &h->b, w);
	if (!h->setf && p->fl_live[p->i])
		flags_to_mem(p);
	load_to(p, w, r, &h->a);
	flags_carry(p, !sub);
	x_alu_rm(a, w, sub ? XSBB : XADC, r, s >= 0 ? xr(s) : opnd_rm(p, &h->b));
	if (h->setf)
		flags_defined(p, !sub);
	else
		p->fl_eflags = false;
	dst_put(p, h, r);
}

static void mov(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;

	if (h->d.kind == H_NONE)
		return;
	if (opnd_is_mem(p, &h->d)) {
		if (h->a.kind == H_IMM && (h->w == 4 ? (s32)h->a.imm >= 0 : imm_fits(&h->a, 8))) {
			x_mov_mi(a, 8, opnd_rm(p, &h->d), (s32)h->a.imm);
			return;
		}
		int r = h->w == 8 ? src_reg(p, &h->a, 8) : alloc_scratch(p);

		if (h->w == 4)
			load_to(p, 4, r, &h->a);
		if (h->d.kind == H_STATE && h->w == 4)
			x_mov_mr(a, 4, opnd_rm(p, &h->d), r);
		else
			x_mov_mr(a, 8, opnd_rm(p, &h->d), r);
		return;
	}
	bool taken = h->a.kind == H_T;
	int r = dst_reg(p, &h->d, &h->a);

	if (taken && p->treg[h->a.reg] < 0) {
		if (h->w == 4)
			x_mov_rr(a, 4, r, r);
		return;
	}
	if (h->a.kind == H_IMM && (h->w == 4 ? (u32)h->a.imm : (u64)h->a.imm) == 0 && !p->fl_eflags)
		x_alu_rm(a, 4, XXOR, r, xr(r));
	else
		load_to(p, h->w, r, &h->a);
}

static void shift(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	unsigned w = h->w, op = h->op == HIR_SHL ? 4 : h->op == HIR_SHR ? 5 : 7;
	bool keep = p->fl_eflags && !p->fl_mem && p->fl_live[p->i];
	int r, s;

	if (h->b.kind == H_IMM) {
		unsigned n = (unsigned)h->b.imm & (w * 8 - 1);

		if (h->op == HIR_ROR) {
			s = h->a.kind == H_IMM ? src_reg(p, &h->a, w) : -1;
			r = dst_reg(p, &h->d, NULL);
			x_rorx(a, w, r, s >= 0 ? xr(s) : opnd_rm(p, &h->a), n);
		} else if (keep) {
			s = alloc_scratch(p);
			x_mov_imm(a, s, n);
			int v = h->a.kind == H_IMM ? src_reg(p, &h->a, w) : -1;

			r = dst_reg(p, &h->d, NULL);
			x_shiftx(a, w, op, r, v >= 0 ? xr(v) : opnd_rm(p, &h->a), s);
		} else {
			bool taken;

			flags_clobber(p);
			taken = h->a.kind == H_T;
			r = dst_reg(p, &h->d, &h->a);
			if (!(taken && p->treg[h->a.reg] < 0) &&
			    !(h->a.kind != H_IMM && opnd_rm(p, &h->a).reg == r))
				load_to(p, w, r, &h->a);
			if (n)
				x_shift_i(a, w, op, xr(r), n);
			else if (w == 4)
				x_mov_rr(a, 4, r, r);
		}
		dst_done(p, &h->d, r);
		return;
	}
	if (h->op != HIR_ROR) {
		int c = src_reg(p, &h->b, w), v = -1;

		if (h->a.kind == H_IMM)
			v = src_reg(p, &h->a, w);
		r = dst_reg(p, &h->d, NULL);
		x_shiftx(a, w, op, r, v >= 0 ? xr(v) : opnd_rm(p, &h->a), c);
		dst_done(p, &h->d, r);
		return;
	}
	flags_clobber(p);
	take_reg(p, RCX);
	load_to(p, 4, RCX, &h->b);
	r = alloc_scratch(p);
	load_to(p, w, r, &h->a);
	x_op(a, w, 0xd3, 1, xr(r), 0); /* ror r, cl */
	if (opnd_is_mem(p, &h->d)) {
		dst_done(p, &h->d, r);
	} else if (h->d.kind != H_NONE) {
		int d = dst_reg(p, &h->d, NULL);

		x_mov_rr(a, 8, d, r);
	}
}

static void shrd(struct place *p, const struct hir *h)
{
	int r = alloc_scratch(p), hi = src_reg(p, &h->a, h->w);

	flags_clobber(p);
	load_to(p, h->w, r, &h->b);
	x_op(&p->a, h->w, 0x0fac, hi, xr(r), 1);
	x8(&p->a, (unsigned)h->c.imm);
	dst_put(p, h, r);
}

static void lea(struct place *p, const struct hir *h)
{
	int b, i = -1, r;

	b = src_reg(p, &h->a, 8);
	if (h->b.kind != H_NONE)
		i = src_reg(p, &h->b, 8);
	r = dst_reg(p, &h->d, &h->a);
	x_lea(&p->a, h->w, r, i >= 0 ? xmi(b, i, (unsigned)h->c.imm, h->imm2) : xm(b, h->imm2));
	dst_done(p, &h->d, r);
}

static void mul(struct place *p, const struct hir *h)
{
	int r;

	flags_clobber(p);
	r = load_into_dst(p, h, &h->a, &h->b);
	if (imm_fits(&h->b, h->w)) {
		x_op(&p->a, h->w, 0x69, r, xr(r), 4);
		x32(&p->a, (u32)h->b.imm);
	} else {
		x_imul(&p->a, h->w, r,
		       h->b.kind == H_IMM ? xr(src_reg(p, &h->b, h->w)) : opnd_src(p, &h->b));
	}
	dst_put(p, h, r);
}

static void mulh(struct place *p, const struct hir *h)
{
	int s;

	flags_clobber(p);
	take_reg(p, RAX);
	take_reg(p, RDX);
	s = h->b.kind == H_IMM ? src_reg(p, &h->b, 8) : -1;
	load_to(p, 8, RAX, &h->a);
	x_op(&p->a, 8, 0xf7, h->op == HIR_SMULH ? 5 : 4, s >= 0 ? xr(s) : opnd_rm(p, &h->b), 0);
	dst_put(p, h, RDX);
}

/* A64: x / 0 = 0, INT_MIN / -1 = INT_MIN. */
static void divide(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	bool sdiv = h->op == HIR_SDIV;
	unsigned w = h->w;
	u8 *zero, *neg = NULL, *done, *done2 = NULL;
	int b;

	flags_clobber(p);
	take_reg(p, RAX);
	take_reg(p, RDX);
	b = src_reg(p, &h->b, w);
	load_to(p, w, RAX, &h->a);
	x_test_rr(a, w, xr(b), b);
	zero = x_jcc8_fwd(a, XCC_E);
	if (sdiv) {
		x_alu_i(a, w, XCMP, xr(b), -1);
		neg = x_jcc8_fwd(a, XCC_E);
		x_op(a, w, 0x99, 0, xr(0), 0); /* cdq/cqo; the ModRM byte is dropped: */
		a->p--;
		x_op(a, w, 0xf7, 7, xr(b), 0);
	} else {
		x_alu_rm(a, 4, XXOR, RDX, xr(RDX));
		x_op(a, w, 0xf7, 6, xr(b), 0);
	}
	done = x_jmp8_fwd(a);
	if (sdiv) {
		x_patch8(a, neg);
		x_neg(a, w, xr(RAX));
		done2 = x_jmp8_fwd(a);
	}
	x_patch8(a, zero);
	x_alu_rm(a, 4, XXOR, RAX, xr(RAX));
	x_patch8(a, done);
	if (done2)
		x_patch8(a, done2);
	dst_put(p, h, RAX);
}

static void extend(struct place *p, const struct hir *h)
{
	static const struct {
		u8 w, sx;
	} k[] = {{1, 0}, {2, 0}, {4, 0}, {1, 1}, {2, 1}, {4, 1}};
	unsigned n = h->op - HIR_ZX8;
	int s = h->a.kind == H_IMM ? src_reg(p, &h->a, 8) : -1, r;
	struct xop src = s >= 0 ? xr(s) : opnd_rm(p, &h->a);

	r = dst_reg(p, &h->d, NULL);
	x_movx(&p->a, h->w, k[n].w, k[n].sx, r, src);
	dst_done(p, &h->d, r);
}

static void bswap(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	int r = alloc_scratch(p), t;

	if (h->op == HIR_BSWAP16 && h->w == 8)
		flags_clobber(p);
	load_to(p, h->w, r, &h->a);
	if (h->op == HIR_BSWAP16 && h->w == 8) {
		t = alloc_scratch(p);
		int m = alloc_scratch(p);

		x_mov_imm(a, m, 0x00ff00ff00ff00ffull);
		x_mov_rr(a, 8, t, r);
		x_shift_i(a, 8, 5, xr(t), 8);
		x_alu_rm(a, 8, XAND, t, xr(m));
		x_alu_rm(a, 8, XAND, r, xr(m));
		x_shift_i(a, 8, 4, xr(r), 8);
		x_alu_rm(a, 8, XOR_, r, xr(t));
	} else {
		if (h->w == 8)
			x8(a, 0x48 | (r & 8 ? 1 : 0));
		else if (r & 8)
			x8(a, 0x41);
		x_count(a);
		x8(a, 0x0f);
		x8(a, 0xc8 | (r & 7));
		if (h->op == HIR_BSWAP16)
			x_rorx(a, 4, r, xr(r), 16);
		else if (h->op == HIR_BSWAP32)
			x_rorx(a, 8, r, xr(r), 32);
	}
	dst_put(p, h, r);
}

static void rbit(struct place *p, const struct hir *h)
{
	static const u64 mask[] = {0x5555555555555555ull, 0x3333333333333333ull,
				   0x0f0f0f0f0f0f0f0full};
	struct xasm *a = &p->a;
	unsigned w = h->w;
	int r = alloc_scratch(p), t = alloc_scratch(p), m = alloc_scratch(p);

	flags_clobber(p);
	load_to(p, w, r, &h->a);
	for (unsigned k = 0; k < 3; k++) {
		x_mov_imm(a, m, w == 8 ? mask[k] : (u32)mask[k]);
		x_mov_rr(a, w, t, r);
		x_shift_i(a, w, 5, xr(t), 1u << k);
		x_alu_rm(a, w, XAND, t, xr(m));
		x_alu_rm(a, w, XAND, r, xr(m));
		x_shift_i(a, w, 4, xr(r), 1u << k);
		x_alu_rm(a, w, XOR_, r, xr(t));
	}
	if (w == 8)
		x8(a, 0x48 | (r & 8 ? 1 : 0));
	x_count(a);
	x8(a, 0x0f);
	x8(a, 0xc8 | (r & 7));
	dst_put(p, h, r);
}

static void count(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	unsigned w = h->w;
	int r = alloc_scratch(p), t;

	flags_clobber(p);
	if (h->op == HIR_CLS) {
		t = alloc_scratch(p);
		load_to(p, w, r, &h->a);
		x_mov_rr(a, w, t, r);
		x_shift_i(a, w, 7, xr(t), 1);
		x_alu_rm(a, w, XXOR, r, xr(t));
		x_op(a, w, 0xf3000fbdu, r, xr(r), 0); /* lzcnt; bit w-1 is clear, so >= 1 */
		x_alu_i(a, w, XSUB, xr(r), 1);
	} else {
		x_op(a, w, h->op == HIR_CTZ ? 0xf3000fbcu : 0xf3000fbdu, r,
		     h->a.kind == H_IMM ? xr(src_reg(p, &h->a, w)) : opnd_rm(p, &h->a), 0);
	}
	dst_put(p, h, r);
}

static void crc32c(struct place *p, const struct hir *h)
{
	static const u8 bytes[] = {1, 2, 4, 8};
	struct xasm *a = &p->a;
	unsigned sz = bytes[h->c.imm & 3];
	int r = alloc_scratch(p), s = src_reg(p, &h->b, 8);
	u32 opc = 0xf20f38f0u | (sz != 1);

	load_to(p, 4, r, &h->a);
	if (sz == 2)
		x8(a, 0x66);
	/* F2 [REX] 0F 38 F0/F1 /r */
	x_count(a);
	x8(a, 0xf2);
	unsigned rex = (sz == 8 ? 8u : 0) | (r & 8 ? 4u : 0) | (s & 8 ? 1u : 0);

	if (rex || (sz == 1 && s >= 4))
		x8(a, 0x40 | rex);
	x8(a, 0x0f);
	x8(a, 0x38);
	x8(a, opc & 0xff);
	x8(a, 0xc0 | (unsigned)(r & 7) << 3 | (unsigned)(s & 7));
	dst_put(p, h, r);
}

static void notneg(struct place *p, const struct hir *h)
{
	int r;

	if (h->op == HIR_NEG)
		flags_clobber(p);
	r = load_into_dst(p, h, &h->a, NULL);
	if (h->op == HIR_NEG)
		x_neg(&p->a, h->w, xr(r));
	else
		x_not(&p->a, h->w, xr(r));
	dst_put(p, h, r);
}

static void pcaddr(struct place *p, const struct hir *h)
{
	int r = dst_reg(p, &h->d, NULL), s;

	x_mov_rm(&p->a, 8, r, xm(RBP, CPU_OFF(page_va)));
	if (h->a.imm == (s32)h->a.imm) {
		if (h->a.imm)
			x_lea(&p->a, 8, r, xm(r, (s32)h->a.imm));
	} else {
		s = alloc_scratch(p);
		x_mov_imm(&p->a, s, (u64)h->a.imm);
		x_lea(&p->a, 8, r, xmi(r, s, 0, 0));
	}
	dst_done(p, &h->d, r);
}

bool place_int(struct place *p, const struct hir *h)
{
	switch (h->op) {
	case HIR_MOV: mov(p, h); break;
	case HIR_ADD:
	case HIR_SUB: addsub(p, h); break;
	case HIR_AND:
	case HIR_OR:
	case HIR_XOR: logic(p, h); break;
	case HIR_BIC:
	case HIR_ORN:
	case HIR_EON: logic_not(p, h); break;
	case HIR_ADC:
	case HIR_SBC: carry_op(p, h); break;
	case HIR_NEG:
	case HIR_NOT: notneg(p, h); break;
	case HIR_SHL:
	case HIR_SHR:
	case HIR_SAR:
	case HIR_ROR: shift(p, h); break;
	case HIR_SHRD: shrd(p, h); break;
	case HIR_LEA: lea(p, h); break;
	case HIR_MUL: mul(p, h); break;
	case HIR_UMULH:
	case HIR_SMULH: mulh(p, h); break;
	case HIR_UDIV:
	case HIR_SDIV: divide(p, h); break;
	case HIR_ZX8:
	case HIR_ZX16:
	case HIR_ZX32:
	case HIR_SX8:
	case HIR_SX16:
	case HIR_SX32: extend(p, h); break;
	case HIR_BSWAP:
	case HIR_BSWAP16:
	case HIR_BSWAP32: bswap(p, h); break;
	case HIR_RBIT: rbit(p, h); break;
	case HIR_CLZ:
	case HIR_CLS:
	case HIR_CTZ: count(p, h); break;
	case HIR_CRC32C: crc32c(p, h); break;
	case HIR_PCADDR: pcaddr(p, h); break;
	default: return false;
	}
	return true;
}

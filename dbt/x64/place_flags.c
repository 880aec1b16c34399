/* SPDX-License-Identifier: MIT */
/*
 * NZCV in placement: where they are (EFLAGS, the CPU state, or dead), how they get from one place
 * to the other, conditions, and the operations that are about them alone.
 */
#include "dbt/x64/place_internal.h"

#define NZCV_LO xm(RBP, CPU_OFF(host_nzcv))	/* V in bit 0 */
#define NZCV_HI xm(RBP, CPU_OFF(host_nzcv) + 1) /* N 7, Z 6, NOT C 0 */

/*
 * ucomis: unordered ZF PF CF = 111, less 001, equal 100, greater 000; OF = SF = 0.
 * NZCV: unordered 0011, less 1000, equal 0110, greater 0010. Image: N = less, Z = equal,
 * NOT C = less, V = unordered.
 */
void flags_from_fcmp(struct place *p)
{
	struct xasm *a = &p->a;
	bool busy = p->busy & BIT(RAX);
	unsigned cat = cat_begin(p, XC_FLAGS);

	if (!busy)
		copy_lose(p, RAX);
	else
		x_mov_mr(a, 8, xm(RBP, CPU_OFF(scratch[SCR_FLAGS_RAX])), RAX);
	x_byte(a, 0x9f); /* lahf */
	x_setcc(a, XCC_P, xr(RAX));
	x_mov_mr(a, 1, NZCV_LO, RAX);
	x_op(a, 1, 0xfe, 1, xr(RAX), 0); /* dec al: 0 if unordered, else all ones */
	x_byte(a, 0x20);		 /* and al, ah */
	x8(a, 0xe0);
	x_alu_i(a, 4, XAND, xr(RAX), 0x41); /* ZF and CF: equal 0x40, less 1 */
	x_op(a, 4, 0x69, RAX, xr(RAX), 4);  /* imul eax, eax, 0x81 */
	x32(a, 0x81);
	x_mov_mr(a, 1, NZCV_HI, RAX);
	if (busy)
		x_mov_rm(a, 8, RAX, xm(RBP, CPU_OFF(scratch[SCR_FLAGS_RAX])));
	p->fl_eflags = false;
	p->fl_mem = true;
	cat_end(p, cat);
}

/* The image wants CF = NOT C. */
static void flags_save(struct place *p)
{
	struct xasm *a = &p->a;
	bool busy = p->busy & BIT(RAX);
	unsigned cat;

	if (p->fl_fcmp) {
		if (p->fl_fcmp == FCMP_BA)
			p->fail = "swapped comparison has a second reader";
		flags_from_fcmp(p);
		return;
	}
	cat = cat_begin(p, XC_FLAGS);
	if (!busy)
		copy_lose(p, RAX);
	if (p->pol_add) {
		x_byte(a, 0xf5); /* cmc */
		p->pol_add = false;
	}
	if (busy)
		x_mov_mr(a, 8, xm(RBP, CPU_OFF(scratch[SCR_FLAGS_RAX])), RAX);
	x_byte(a, 0x9f); /* lahf */
	x_setcc(a, 0, xr(RAX));
	x_mov_mr(a, 2, xm(RBP, CPU_OFF(host_nzcv)), RAX);
	if (busy)
		x_mov_rm(a, 8, RAX, xm(RBP, CPU_OFF(scratch[SCR_FLAGS_RAX])));
	p->fl_mem = true;
	cat_end(p, cat);
}

static bool flags_needed(const struct place *p)
{
	return p->fl_live[p->i];
}

void flags_clobber(struct place *p)
{
	if (p->fl_eflags && !p->fl_mem && flags_needed(p))
		flags_save(p);
	p->fl_eflags = false;
}

void flags_to_mem(struct place *p)
{
	if (p->fl_eflags && !p->fl_mem)
		flags_save(p);
}

void flags_defined(struct place *p, bool pol_add)
{
	p->fl_eflags = true;
	p->fl_mem = false;
	p->pol_add = pol_add;
	p->fl_fcmp = FCMP_NONE;
}

/* Condition from the memory image; returns the x86 condition that says "true". */
static unsigned cond_from_image(struct place *p, unsigned cc)
{
	static const u8 bits[] = {0x40, 1, 0x80, 0, 0x41};
	struct xasm *a = &p->a;
	unsigned inv = cc & 1;
	int s;

	switch (cc >> 1) {
	case 0: /* EQ */
	case 2: /* MI */ x_test_i(a, 1, NZCV_HI, bits[cc >> 1]); return inv ? XCC_E : XCC_NE;
	case 1: /* CS: NOT C clear */
	case 4: /* HI: neither NOT C nor Z */
		x_test_i(a, 1, NZCV_HI, bits[cc >> 1]);
		return inv ? XCC_NE : XCC_E;
	case 3: /* VS */ x_test_i(a, 1, NZCV_LO, 1); return inv ? XCC_E : XCC_NE;
	case 5: /* GE: N == V */
		s = alloc_scratch(p);
		x_movx(a, 4, 1, false, s, NZCV_HI);
		x_shift_i(a, 4, 5, xr(s), 7);
		x_alu_rm(a, 1, XCMP, s, NZCV_LO);
		break;
	default: /* GT: N == V and Z clear */
		s = alloc_scratch(p);
		x_movx(a, 4, 1, false, s, NZCV_LO);
		x_shift_i(a, 4, 4, xr(s), 7);
		x_alu_rm(a, 1, XXOR, s, NZCV_HI);
		x_test_i(a, 1, xr(s), 0xc0);
		break;
	}
	return inv ? XCC_NE : XCC_E;
}

static unsigned cond_from_mem(struct place *p, unsigned cc)
{
	unsigned cat = cat_begin(p, XC_FLAGS), x = cond_from_image(p, cc);

	cat_end(p, cat);
	return x;
}

/*
 * Condition on EFLAGS that ucomis left, where one x86 condition says it; EQ and NE need two flags
 * and destroy the rest, the others take the way through memory.
 */
static unsigned cond_from_fcmp(struct place *p, unsigned cc)
{
	static const s8 ab[14] = {-1,	  -1, -1, -1,	  -1,	 -1,	XCC_P,
				  XCC_NP, -1, -1, XCC_AE, XCC_B, XCC_A, XCC_BE};
	static const s8 ba[14] = {-1, -1,    XCC_BE, XCC_A, XCC_A, XCC_BE, -1,
				  -1, XCC_B, XCC_AE, -1,    -1,	   -1,	   -1};
	s8 x = p->fl_fcmp == FCMP_AB ? ab[cc] : ba[cc];
	int s, t;

	if (x >= 0)
		return (unsigned)x;
	if (cc > A64_NE || flags_needed(p)) {
		flags_to_mem(p);
		return cond_from_mem(p, cc);
	}
	s = alloc_scratch(p);
	t = alloc_scratch(p);
	x_setcc(&p->a, XCC_NP, xr(s));
	x_setcc(&p->a, XCC_E, xr(t));
	x_test_rr(&p->a, 1, xr(s), t);
	p->fl_eflags = false;
	return cc == A64_EQ ? XCC_NE : XCC_E;
}

unsigned flags_cond(struct place *p, unsigned cc)
{
	/* x86 condition with CF = NOT C, then with CF = C where it differs */
	static const u8 map[14] = {XCC_E,  XCC_NE, XCC_AE, XCC_B,  XCC_S, XCC_NS, XCC_O,
				   XCC_NO, XCC_A,  XCC_BE, XCC_GE, XCC_L, XCC_G,  XCC_LE};

	if (!p->fl_eflags)
		return cond_from_mem(p, cc);
	if (p->fl_fcmp)
		return cond_from_fcmp(p, cc);
	if (p->pol_add && (cc == A64_CS || cc == A64_CC))
		return map[cc] ^ 1;
	if (p->pol_add && (cc == A64_HI || cc == A64_LS)) {
		unsigned cat = cat_begin(p, XC_FLAGS);

		x_byte(&p->a, 0xf5);
		cat_end(p, cat);
		p->pol_add = false;
	}
	return map[cc];
}

static void carry_to_cf(struct place *p, bool want_add)
{
	struct xasm *a = &p->a;

	if (p->fl_eflags && p->fl_fcmp)
		flags_save(p);
	if (p->fl_eflags) {
		if (p->pol_add != want_add)
			x_byte(a, 0xf5);
		p->pol_add = want_add;
		return;
	}
	x_op(a, 4, 0x0fba, 4, xm(RBP, CPU_OFF(host_nzcv)), 1); /* bt [nzcv], 8: CF = NOT C */
	x8(a, 8);
	if (want_add)
		x_byte(a, 0xf5);
}

void flags_carry(struct place *p, bool want_add)
{
	unsigned cat = cat_begin(p, XC_FLAGS);

	carry_to_cf(p, want_add);
	cat_end(p, cat);
}

/* ---- operations ---- */

static void csel(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	unsigned w = h->w, cc;
	const struct hir_opnd *t = &h->a, *f = &h->b;
	bool keep = p->fl_eflags;
	int r, s;

	if (!keep)
		flags_clobber(p);
	cc = flags_cond(p, h->cc);
	p->busy &= ~p->op_busy; /* scratch of the condition is done with */
	p->op_busy = 0;
	if (h->d.kind != H_NONE && same_loc(&h->d, t)) {
		t = &h->b;
		f = &h->a;
		cc ^= 1;
	}
	s = t->kind == H_IMM ? src_reg(p, t, w) : -1;
	r = alloc_scratch(p);
	if (h->d.kind != H_NONE && !opnd_is_mem(p, &h->d) && same_loc(&h->d, f)) {
		r = dst_reg(p, &h->d, NULL);
	} else if (h->d.kind != H_NONE && !opnd_is_mem(p, &h->d) && !same_loc(&h->d, t)) {
		p->busy &= ~BIT(r);
		p->op_busy &= ~BIT(r);
		r = dst_reg(p, &h->d, NULL);
		load_to(p, w, r, f);
	} else {
		load_to(p, w, r, f);
	}
	x_cmov(a, w, cc, r, s >= 0 ? xr(s) : opnd_src(p, t));
	if (h->d.kind == H_NONE)
		return;
	if (opnd_is_mem(p, &h->d))
		dst_done(p, &h->d, r);
	else if (opnd_rm(p, &h->d).reg != r)
		x_mov_rr(a, 8, opnd_rm(p, &h->d).reg, r);
}

static void cset(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	unsigned cc;
	int r;

	if (!p->fl_eflags)
		flags_clobber(p);
	cc = flags_cond(p, h->cc);
	p->busy &= ~p->op_busy;
	p->op_busy = 0;
	r = dst_reg(p, &h->d, NULL);
	x_setcc(a, cc, xr(r));
	if (r >= 4 && r < 8) {
		/* setcc above and movzx need a REX prefix for sil, dil, bpl, spl: x_op adds it */
	}
	x_movx(a, 4, 1, false, r, xr(r));
	if (h->op == HIR_CSETM) {
		flags_clobber(p);
		x_neg(a, h->w, xr(r));
	}
	dst_done(p, &h->d, r);
}

/* d = a + 1 if cc. Where cc is the carry and NZCV is done with: an addition with carry. */
static void cinc(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	bool carry = h->cc == A64_CS || h->cc == A64_CC;
	unsigned cc;
	int r, t;

	if (carry && p->fl_eflags && !p->fl_fcmp && !p->fl_live[p->i]) {
		bool cf = p->pol_add == (h->cc == A64_CS); /* CF says cc, else its inverse */

		r = load_into_dst(p, h, &h->a, NULL);
		x_alu_i(a, h->w, cf ? XADC : XSBB, xr(r), cf ? 0 : -1);
		p->fl_eflags = false;
		dst_put(p, h, r);
		return;
	}
	if (!p->fl_eflags)
		flags_clobber(p);
	cc = flags_cond(p, h->cc);
	p->busy &= ~p->op_busy;
	p->op_busy = 0;
	t = alloc_scratch(p);
	r = load_into_dst(p, h, &h->a, NULL);
	x_lea(a, h->w, t, xm(r, 1));
	x_cmov(a, h->w, cc, r, xr(t));
	dst_put(p, h, r);
}

/* EFLAGS = the image of constant NZCV, CF = NOT C. Uses rax around live temporaries. */
static void flags_const(struct place *p, unsigned nzcv)
{
	struct xasm *a = &p->a;
	bool busy = p->busy & BIT(RAX);
	unsigned ah = (nzcv & 8 ? 0x80 : 0) | (nzcv & 4 ? 0x40 : 0) | (nzcv & 2 ? 0 : 1);

	if (busy)
		x_mov_mr(a, 8, xm(RBP, CPU_OFF(scratch[SCR_FLAGS_RAX])), RAX);
	else
		copy_lose(p, RAX);
	x_mov_imm(a, RAX, ah << 8 | (nzcv & 1));
	x_alu_i(a, 1, XADD, xr(RAX), 0x7f);
	x_byte(a, 0x9e); /* sahf */
	if (busy)
		x_mov_rm(a, 8, RAX, xm(RBP, CPU_OFF(scratch[SCR_FLAGS_RAX])));
}

/* The branch behind h is its only reader: then the constant NZCV need not be made. */
static bool ccmp_branches(const struct place *p, const struct hir *h)
{
	return p->i + 1 < p->tr->hir.n && h[1].op == HIR_BCC && flags_dead_behind(p->tr, h + 1) &&
	       !p->vm->cfg.no_lazy_flags;
}

static void ccmp(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	unsigned w = h->w, cc;
	bool add = h->op == HIR_CCMN;
	u8 *yes = NULL, *done = NULL;
	int r = -1, s = -1;

	if (!p->fl_eflags)
		flags_clobber(p);
	cc = flags_cond(p, h->cc);
	p->busy &= ~p->op_busy;
	p->op_busy = 0;
	if (add) {
		r = alloc_scratch(p);
		load_to(p, w, r, &h->a);
	} else if (h->a.kind == H_IMM || opnd_is_mem(p, &h->a)) {
		r = src_reg(p, &h->a, w);
	} else {
		r = opnd_rm(p, &h->a).reg;
	}
	if (h->b.kind == H_IMM && !imm_fits(&h->b, w))
		s = src_reg(p, &h->b, w);
	if (ccmp_branches(p, h)) {
		ccmp_jump(p, cc ^ 1, h);
	} else {
		yes = x_jcc8_fwd(a, cc);
		flags_const(p, (unsigned)h->c.imm);
		done = x_jmp8_fwd(a);
		x_patch8(a, yes);
	}
	if (h->b.kind == H_IMM && s < 0)
		x_alu_i(a, w, add ? XADD : XCMP, xr(r), (s32)h->b.imm);
	else
		x_alu_rm(a, w, add ? XADD : XCMP, r, s >= 0 ? xr(s) : opnd_rm(p, &h->b));
	if (done) {
		if (add)
			x_byte(a, 0xf5);
		x_patch8(a, done);
	}
	flags_defined(p, add && !done);
}

static void setnzcv(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	int r = alloc_scratch(p), t = alloc_scratch(p);
	struct xop lo = xm(RBP, CPU_OFF(host_nzcv)), hi = xm(RBP, CPU_OFF(host_nzcv) + 1);

	load_to(p, 4, r, &h->a);
	x_shift_i(a, 4, 5, xr(r), 24); /* NZCV in bits 7:4 */
	x_mov_rr(a, 4, t, r);
	x_shift_i(a, 4, 5, xr(t), 4);
	x_alu_i(a, 4, XAND, xr(t), 1);
	x_mov_mr(a, 1, lo, t);
	x_mov_rr(a, 4, t, r);
	x_shift_i(a, 4, 5, xr(t), 5);
	x_not(a, 4, xr(t));
	x_alu_i(a, 4, XAND, xr(t), 1);
	x_alu_i(a, 4, XAND, xr(r), 0xc0);
	x_alu_rm(a, 4, XOR_, r, xr(t));
	x_mov_mr(a, 1, hi, r);
	p->fl_eflags = false;
	p->fl_mem = true;
}

static void getnzcv(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	int r, t;

	flags_to_mem(p);
	p->fl_eflags = false;
	r = h->d.kind == H_NONE ? alloc_scratch(p) : dst_reg(p, &h->d, NULL);
	t = alloc_scratch(p);
	x_movx(a, 4, 1, false, r, xm(RBP, CPU_OFF(host_nzcv) + 1));
	x_alu_i(a, 4, XXOR, xr(r), 1);
	x_mov_rr(a, 4, t, r);
	x_alu_i(a, 4, XAND, xr(r), 0xc0);
	x_shift_i(a, 4, 4, xr(r), 24);
	x_alu_i(a, 4, XAND, xr(t), 1);
	x_shift_i(a, 4, 4, xr(t), 29);
	x_alu_rm(a, 4, XOR_, r, xr(t));
	x_movx(a, 4, 1, false, t, xm(RBP, CPU_OFF(host_nzcv)));
	x_shift_i(a, 4, 4, xr(t), 28);
	x_alu_rm(a, 4, XOR_, r, xr(t));
	dst_put(p, h, r);
}

bool place_flags(struct place *p, const struct hir *h)
{
	switch (h->op) {
	case HIR_CSEL: csel(p, h); break;
	case HIR_CSET:
	case HIR_CSETM: cset(p, h); break;
	case HIR_CINC: cinc(p, h); break;
	case HIR_CCMP:
	case HIR_CCMN: ccmp(p, h); break;
	case HIR_SETNZCV: setnzcv(p, h); break;
	case HIR_GETNZCV: getnzcv(p, h); break;
	default: return false;
	}
	return true;
}

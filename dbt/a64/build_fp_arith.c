// SPDX-License-Identifier: MIT
/* Floating-point arithmetic on singles and doubles, scalar and vector, with FPCR.FZ clear. */
#include "dbt/a64/build_fp.h"

/* What may be wrong with a result. */
enum check { CHECK_NAN, CHECK_TINY };

static void check(struct fpb *f, enum check c, struct hir_opnd w)
{
	if (c == CHECK_TINY)
		fpb_bail_tiny(f, w);
	else
		fpb_bail_nan(f, w);
}

/* Sums and differences are exact where they are tiny. */
static enum check check_of(enum fpv op)
{
	return op == FPV_ADD || op == FPV_SUB || op == FPV_SQRT ? CHECK_NAN : CHECK_TINY;
}

static int bin(struct fpb *f, enum fpv op, struct hir_opnd a, struct hir_opnd b)
{
	struct hir_opnd w = fpb_op(f, fpb_vop(f, op), a, b);

	check(f, check_of(op), w);
	fpb_finish(f, w);
	return 0;
}

static int bin_regs(struct fpb *f, enum fpv op)
{
	struct hir_opnd a = fpb_src(f, f->in->rn), b = fpb_src(f, f->in->rm);

	/* 0 / 0 in the unused half would be invalid. */
	if (op == FPV_DIV && f->vec && !f->q)
		hir_v(f->b, VOP_VORPS, b, b, hconst(0, 0x3f8000003f800000));
	return bin(f, op, a, b);
}

static int fnmul(struct fpb *f)
{
	struct hir_opnd w = fpb_op(f, fpb_vop(f, FPV_MUL), hv(f->in->rn), hv(f->in->rm));

	fpb_bail_tiny(f, w);
	hir_v(f->b, VOP_VXORPS, w, w, fpb_sign_mask(f));
	fpb_finish(f, w);
	return 0;
}

static int fabd(struct fpb *f)
{
	struct hir_opnd a = fpb_src(f, f->in->rn), b = fpb_src(f, f->in->rm);
	struct hir_opnd w = fpb_op(f, fpb_vop(f, FPV_SUB), a, b);

	fpb_bail_nan(f, w);
	hir_v(f->b, VOP_VANDPS, w, w, fpb_abs_mask(f));
	fpb_finish(f, w);
	return 0;
}

static int fsqrt(struct fpb *f)
{
	struct hir_opnd a = fpb_src(f, f->in->rn), w;

	w = f->vec ? fpb_op1(f, fpb_vop(f, FPV_SQRT), a) : fpb_op(f, fpb_vop(f, FPV_SQRT), a, a);
	fpb_bail_nan(f, w);
	fpb_finish(f, w);
	return 0;
}

/*
 * Neither is a NaN. x86 returns the second of two zeros: take both orders and combine the signs.
 * Equal values other than zeros, and different ones, give the same twice.
 */
static struct hir_opnd minmax_core(struct fpb *f, enum fpv op, struct hir_opnd a, struct hir_opnd b)
{
	struct hir_opnd x = fpb_op(f, fpb_vop(f, op), a, b), y = fpb_op(f, fpb_vop(f, op), b, a);

	hir_v(f->b, op == FPV_MAX ? VOP_VANDPS : VOP_VORPS, x, x, y);
	return x;
}

/* x86 raises Invalid for quiet NaNs as well, so they must be sorted out first. */
static int minmax(struct fpb *f, enum fpv op, struct hir_opnd a, struct hir_opnd b)
{
	fpb_bail_unordered(f, a, b);
	fpb_finish(f, minmax_core(f, op, a, b));
	return 0;
}

static int minmax_regs(struct fpb *f, enum fpv op)
{
	struct hir_opnd a = fpb_src(f, f->in->rn), b = fpb_src(f, f->in->rm);

	return minmax(f, op, a, b);
}

static int across(struct fpb *f, enum fpv op)
{
	struct hir_opnd n = hv(f->in->rn), a, b;

	f->q = true;
	fpb_bail_unordered(f, n, n);
	b = fpb_opi(f, VOP_VPSHUFD, n, hnone(), 0x4e);
	a = minmax_core(f, op, n, b);
	b = fpb_opi(f, VOP_VPSHUFD, a, hnone(), 0xb1);
	a = minmax_core(f, op, a, b);
	f->vec = false;
	fpb_finish(f, a);
	return 0;
}

/* a, b: even and odd elements of Vm:Vn; scalar: elements 0 and 1 of Vn. */
static void pair_operands(struct fpb *f, struct hir_opnd *a, struct hir_opnd *b)
{
	struct hir_opnd n = hv(f->in->rn), m = hv(f->in->rm), t;

	if (!f->vec) {
		*a = n;
		*b = fpb_opi(f, VOP_VPSHUFD, n, hnone(), f->size == 3 ? 0xee : 0x55);
	} else if (f->size == 3) {
		*a = fpb_op(f, VOP_VPUNPCKLQDQ, n, m);
		*b = fpb_op(f, VOP_VPUNPCKHQDQ, n, m);
	} else if (f->q) {
		*a = fpb_opi(f, VOP_VSHUFPS, n, m, 0x88);
		*b = fpb_opi(f, VOP_VSHUFPS, n, m, 0xdd);
	} else {
		t = fpb_op(f, VOP_VPUNPCKLQDQ, n, m);
		*a = fpb_opi(f, VOP_VPSHUFD, t, hnone(), 0x08);
		*b = fpb_opi(f, VOP_VPSHUFD, t, hnone(), 0x0d);
		hir_v(f->b, VOP_VMOVQ_ZX, *a, *a, hnone());
		hir_v(f->b, VOP_VMOVQ_ZX, *b, *b, hnone());
	}
}

static int pair(struct fpb *f, enum fpv op)
{
	struct hir_opnd a, b;

	pair_operands(f, &a, &b);
	return op == FPV_ADD ? bin(f, op, a, b) : minmax(f, op, a, b);
}

/* acc + a * b in the variant `op`. */
static int fused(struct fpb *f, enum fpv op, unsigned acc, struct hir_opnd a, struct hir_opnd b)
{
	struct hir_opnd w = fpb_op1(f, f->vec && !f->q ? VOP_VMOVQ_ZX : VOP_VMOVAPS, hv(acc));

	hir_v(f->b, fpb_vop(f, op), w, a, b);
	fpb_bail_tiny(f, w);
	fpb_finish(f, w);
	return 0;
}

static int fmadd(struct fpb *f, enum fpv op)
{
	return fused(f, op, f->in->ra, hv(f->in->rn), hv(f->in->rm));
}

static int fmla(struct fpb *f, enum fpv op)
{
	struct hir_opnd a = fpb_src(f, f->in->rn), b = fpb_src(f, f->in->rm);

	return fused(f, op, f->in->rd, a, b);
}

static int fmla_elem(struct fpb *f, enum fpv op)
{
	struct hir_opnd a = fpb_src(f, f->in->rn), b = fpb_elem(f, f->in->rm, f->in->amount);

	return fused(f, op, f->in->rd, a, b);
}

/* inf * 0 is 2 and no exception: infinities go to the helper. */
static int fmulx(struct fpb *f, bool elem)
{
	struct hir_opnd a = fpb_src(f, f->in->rn);
	struct hir_opnd b = elem ? fpb_elem(f, f->in->rm, f->in->amount) : fpb_src(f, f->in->rm);
	struct hir_opnd inf = fpb_pow2(f, f->size == 3 ? 1024 : 128);

	fpb_bail_above(f, a, inf);
	fpb_bail_above(f, b, inf);
	return bin(f, FPV_MUL, a, b);
}

static int fmul_elem(struct fpb *f)
{
	struct hir_opnd a = fpb_src(f, f->in->rn), b = fpb_elem(f, f->in->rm, f->in->amount);

	return bin(f, FPV_MUL, a, b);
}

/*
 * 2 - a * b, (3 - a * b) / 2. Factors below 2^62 (2^510) can neither overflow nor be the
 * inf * 0 that Arm defines without an exception. The results are never tiny: a difference that is
 * not zero has a bit of the product's.
 */
static int step(struct fpb *f, bool rsqrt)
{
	struct hir_opnd a = fpb_src(f, f->in->rn), b = fpb_src(f, f->in->rm), w;
	struct hir_opnd limit = fpb_pow2(f, f->size == 3 ? 510 : 62);

	fpb_bail_above(f, a, limit);
	fpb_bail_above(f, b, limit);
	w = fpb_op1(f, VOP_VMOVAPS,
		    f->size == 3 ? fpb_const(f, rsqrt ? 0x4008000000000000 : 0x4000000000000000)
				 : fpb_const(f, rsqrt ? 0x40400000 : 0x40000000));
	hir_v(f->b, fpb_vop(f, FPV_FNMADD), w, a, b);
	if (rsqrt)
		hir_v(f->b, fpb_vop(f, FPV_MUL), w, w, fpb_pow2(f, -1));
	fpb_finish(f, w);
	return 0;
}

/* Signs of the real and imaginary lanes. */
static struct hir_opnd sign_pair(const struct fpb *f, bool re, bool im)
{
	u64 v;

	if (f->size == 3)
		return hconst(re ? BIT(63) : 0, im ? BIT(63) : 0);
	v = (re ? BIT(31) : 0) | (im ? BIT(63) : 0);
	return hconst(v, v);
}

static struct hir_opnd swap_pairs(struct fpb *f, struct hir_opnd a)
{
	return fpb_opi(f, VOP_VPSHUFD, a, hnone(), f->size == 3 ? 0x4e : 0xb1);
}

static int fcadd(struct fpb *f)
{
	struct hir_opnd a = fpb_src(f, f->in->rn), b = swap_pairs(f, fpb_src(f, f->in->rm));

	hir_v(f->b, VOP_VXORPS, b, b, sign_pair(f, f->in->imm == 90, f->in->imm == 270));
	return bin(f, FPV_ADD, a, b);
}

static int fcmla(struct fpb *f, bool elem)
{
	unsigned rot = (unsigned)f->in->imm;
	bool imag = rot == 90 || rot == 270;
	struct hir_opnd a = fpb_src(f, f->in->rn), b = fpb_src(f, f->in->rm);

	a = fpb_opi(f, VOP_VPSHUFD, a, hnone(),
		    f->size == 3 ? (imag ? 0xee : 0x44) : (imag ? 0xf5 : 0xa0));
	/* One complex number for all; only singles have an element form here. */
	if (elem) {
		b = fpb_opi(f, VOP_VPSHUFD, hv(f->in->rm), hnone(), f->in->amount ? 0xee : 0x44);
	}
	if (imag)
		b = swap_pairs(f, b);
	if (rot)
		b = fpb_op(f, VOP_VXORPS, b, sign_pair(f, rot != 270, rot != 90));
	return fused(f, FPV_FMADD, f->in->rd, a, b);
}

static int build_minmax(struct fpb *f)
{
	switch (f->in->op) {
	case A64_FMAX_s:
	case A64_FMAX_v:
	case A64_FMAXNM_s:
	case A64_FMAXNM_v: return minmax_regs(f, FPV_MAX);
	case A64_FMIN_s:
	case A64_FMIN_v:
	case A64_FMINNM_s:
	case A64_FMINNM_v: return minmax_regs(f, FPV_MIN);
	case A64_FMAXP_s:
	case A64_FMAXP_v:
	case A64_FMAXNMP_s:
	case A64_FMAXNMP_v: return pair(f, FPV_MAX);
	case A64_FMINP_s:
	case A64_FMINP_v:
	case A64_FMINNMP_s:
	case A64_FMINNMP_v: return pair(f, FPV_MIN);
	case A64_FMAXV_v:
	case A64_FMAXNMV_v: return across(f, FPV_MAX);
	case A64_FMINV_v:
	case A64_FMINNMV_v: return across(f, FPV_MIN);
	default: return -1;
	}
}

static int build_fused(struct fpb *f)
{
	switch (f->in->op) {
	case A64_FMADD: return fmadd(f, FPV_FMADD);
	case A64_FMSUB: return fmadd(f, FPV_FNMADD);
	case A64_FNMADD: return fmadd(f, FPV_FNMSUB);
	case A64_FNMSUB: return fmadd(f, FPV_FMSUB);
	case A64_FMLA_v: return fmla(f, FPV_FMADD);
	case A64_FMLS_v: return fmla(f, FPV_FNMADD);
	case A64_FMLA_elem:
	case A64_FMLA_elem_s: return fmla_elem(f, FPV_FMADD);
	case A64_FMLS_elem:
	case A64_FMLS_elem_s: return fmla_elem(f, FPV_FNMADD);
	case A64_FMULX_s:
	case A64_FMULX_v: return fmulx(f, false);
	case A64_FMULX_elem:
	case A64_FMULX_elem_s: return fmulx(f, true);
	case A64_FRECPS_s:
	case A64_FRECPS_v: return step(f, false);
	case A64_FRSQRTS_s:
	case A64_FRSQRTS_v: return step(f, true);
	case A64_FCMLA_v: return fcmla(f, false);
	case A64_FCMLA_elem: return fcmla(f, true);
	default: return build_minmax(f);
	}
}

int build_fp_arith(struct fpb *f)
{
	switch (f->in->op) {
	case A64_FADD_s:
	case A64_FADD_v: return bin_regs(f, FPV_ADD);
	case A64_FSUB_s:
	case A64_FSUB_v: return bin_regs(f, FPV_SUB);
	case A64_FMUL_s:
	case A64_FMUL_v: return bin_regs(f, FPV_MUL);
	case A64_FDIV_s:
	case A64_FDIV_v: return bin_regs(f, FPV_DIV);
	case A64_FNMUL_s: return fnmul(f);
	case A64_FABD_s:
	case A64_FABD_v: return fabd(f);
	case A64_FSQRT_s:
	case A64_FSQRT_v: return fsqrt(f);
	case A64_FMUL_elem:
	case A64_FMUL_elem_s: return fmul_elem(f);
	case A64_FADDP_s:
	case A64_FADDP_v: return pair(f, FPV_ADD);
	case A64_FCADD_v: return fcadd(f);
	default: return build_fused(f);
	}
}

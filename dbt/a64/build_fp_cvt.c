// SPDX-License-Identifier: MIT
/* Conversions between formats and to and from integers, rounding to integral values. */
#include "dbt/a64/build_fp.h"

static bool avx512(void)
{
	return host_has(HOST_AVX512);
}

static void bail_int(struct fpb *f, enum hir_op op, struct hir_opnd t, unsigned w)
{
	struct hir *h = hir2(f->b, op, w, hnone(), t);

	h->fn = helper_fp;
	h->raw = f->in->raw;
}

/* ---- integers to floating point: no NaNs, no denormals, any FPCR ---- */

static struct hir_opnd from_gpr(struct fpb *f, struct hir_opnd x, bool wide, bool uns)
{
	bool dbl = f->size == 3;
	unsigned vop;

	if (uns && !wide) {
		struct hir_opnd t = htmp(f->b);

		hir2(f->b, HIR_ZX32, 8, t, x);
		x = t;
		wide = true;
		uns = false;
	}
	if (uns && avx512()) {
		vop = dbl ? VOP_VCVTUSI2SD64 : VOP_VCVTUSI2SS64;
	} else {
		if (uns) { /* the half that looks negative: rare */
			struct hir_opnd t = htmp(f->b);

			hir_emit(f->b, HIR_SHR, 8, t, x, himm(63));
			bail_int(f, HIR_BAILNZ, t, 8);
		}
		if (wide)
			vop = dbl ? VOP_VCVTSI2SD64 : VOP_VCVTSI2SS64;
		else
			vop = dbl ? VOP_VCVTSI2SD32 : VOP_VCVTSI2SS32;
	}
	/* The rest of the register comes from the first operand. */
	return fpb_op(f, vop, fpb_op1(f, VOP_VMOVAPS, hconst(0, 0)), x);
}

/* Scaling by 2^-fbits is exact: the smallest result is 2^-64. */
static void finish_from(struct fpb *f, struct hir_opnd w)
{
	if (f->in->amount)
		hir_v(f->b, fpb_vop(f, FPV_MUL), w, w, fpb_pow2(f, -(int)f->in->amount));
	fpb_finish(f, w);
}

static int fromfix_gpr(struct fpb *f, bool uns)
{
	finish_from(f, from_gpr(f, hx(f->in->rn), f->in->sf, uns));
	return 0;
}

static int fromfix_v(struct fpb *f, bool uns)
{
	unsigned vop;
	struct hir_opnd a;

	if ((uns || f->size == 3) && !avx512())
		return -1;
	if (f->size == 3)
		vop = uns ? VOP_VCVTUQQ2PD : VOP_VCVTQQ2PD;
	else
		vop = uns ? VOP_VCVTUDQ2PS : VOP_VCVTDQ2PS;
	if (!f->vec) {
		/* As a vector, the other lanes zero. */
		a = f->size == 3 ? fpb_op1(f, VOP_VMOVQ_ZX, hv(f->in->rn))
				 : fpb_opi(f, VOP_VINSERTPS, hv(f->in->rn), hv(f->in->rn), 0x0e);
	} else {
		a = fpb_src(f, f->in->rn);
	}
	finish_from(f, fpb_op1(f, vop, a));
	return 0;
}

/* ---- rounding ---- */

static struct hir_opnd round_op(struct fpb *f, struct hir_opnd a, unsigned imm)
{
	if (f->vec)
		return fpb_opi(f, fpb_vop(f, FPV_ROUND), a, hnone(), imm);
	return fpb_opi(f, fpb_vop(f, FPV_ROUND), a, a, imm);
}

/*
 * |a| < 2^52 (2^23): rounds to nearest, ties away from zero. The fraction cut off is exact, and so
 * is adding one. Where it is less than a half, a zero of a's sign is added, so that -0 stays.
 */
static struct hir_opnd round_away(struct fpb *f, struct hir_opnd a, bool quiet)
{
	struct hir_opnd w = round_op(f, a, RND_Z | (quiet ? RND_QUIET : 0));
	struct hir_opnd t = fpb_op(f, fpb_vop(f, FPV_SUB), a, w), s;

	hir_v(f->b, VOP_VANDPS, t, t, fpb_abs_mask(f));
	hir_vi(f->b, fpb_vop(f, FPV_CMP), t, t, fpb_pow2(f, -1), CMP_GE_OQ);
	hir_v(f->b, VOP_VANDPS, t, t, fpb_pow2(f, 0));
	s = fpb_op(f, VOP_VANDPS, a, fpb_sign_mask(f));
	hir_v(f->b, VOP_VORPS, t, t, s);
	hir_v(f->b, fpb_vop(f, FPV_ADD), w, w, t);
	return w;
}

static int frint(struct fpb *f, unsigned imm)
{
	struct hir_opnd w = round_op(f, fpb_src(f, f->in->rn), imm);

	fpb_bail_nan(f, w);
	fpb_finish(f, w);
	return 0;
}

static int frinta(struct fpb *f)
{
	struct hir_opnd a = fpb_src(f, f->in->rn);

	fpb_bail_above(f, a, fpb_pow2(f, f->size == 3 ? 52 : 23));
	fpb_finish(f, round_away(f, a, true));
	return 0;
}

/* A constant limit in the element's format: 2^e, less one where that is representable and wanted.
 */
static struct hir_opnd limit(struct fpb *f, int e, int fbits, bool minus_one)
{
	u64 v;

	if (!minus_one || f->size == 2 || e > 52)
		return fpb_pow2(f, e - fbits);
	/* 2^e - 1 as a double: e ones */
	v = (u64)(1023 + e - 1 - fbits) << 52 | (BIT(52) - BIT(52 - (e - 1)));
	return fpb_const(f, v);
}

/* FRINT32, FRINT64: as the conversion to such an integer and back, Inexact included. */
static int frint_n(struct fpb *f, unsigned bits, unsigned imm)
{
	struct hir_opnd a = fpb_src(f, f->in->rn);

	fpb_bail_above(f, a, limit(f, (int)bits - 1, 0, imm != RND_Z));
	fpb_finish(f, round_op(f, a, imm));
	return 0;
}

/* ---- floating point to integers ---- */

static unsigned cvtt(const struct fpb *f, bool wide, bool uns)
{
	static const u16 vops[2][2][2] = {
		{{VOP_VCVTTSS2SI32, VOP_VCVTTSS2SI64}, {VOP_VCVTTSD2SI32, VOP_VCVTTSD2SI64}},
		{{VOP_VCVTTSS2USI32, VOP_VCVTTSS2USI64}, {VOP_VCVTTSD2USI32, VOP_VCVTTSD2USI64}}};

	return vops[uns][f->size == 3][wide];
}

/*
 * The host's "out of range" result bails, so a true -2^31 (2^32 - 1 ...) does, too. Host and Arm
 * raise the same flags in all cases.
 */
static struct hir_opnd to_gpr_direct(struct fpb *f, struct hir_opnd a, bool wide, bool uns)
{
	struct hir_opnd t = htmp(f->b), c = htmp(f->b);
	unsigned w = wide ? 8 : 4;

	hir_v(f->b, cvtt(f, wide, uns), t, a, hnone());
	if (uns) {
		hir2(f->b, HIR_NOT, w, c, t);
	} else if (wide) {
		hir_emit(f->b, HIR_ROR, 8, c, t, himm(63));
		hir_emit(f->b, HIR_XOR, 8, c, c, himm(1));
	} else {
		hir_emit(f->b, HIR_XOR, 4, c, t, himm(INT32_MIN));
	}
	bail_int(f, HIR_BAILZ, c, w);
	return t;
}

/*
 * All other cases: out of range (by a margin: 2^31 - 1 where rounding may reach 2^31) bails before
 * anything is computed. Then scaling is exact, rounding raises Inexact as Arm does and the
 * conversion raises nothing.
 */
static struct hir_opnd to_range(struct fpb *f, struct hir_opnd a, unsigned bits, bool uns,
				unsigned rnd)
{
	int e = (int)bits - (uns && bits == 32 ? 0 : 1);
	bool away = rnd == RND_AWAY;
	struct hir_opnd lim = limit(f, e, f->in->amount, rnd != RND_Z);

	/* round_away needs room for the fraction */
	if (away && e > (f->size == 3 ? 52 : 23))
		lim = fpb_pow2(f, f->size == 3 ? 52 : 23);
	fpb_bail_above(f, a, lim);
	if (f->in->amount)
		a = fpb_op(f, fpb_vop(f, FPV_MUL), a, fpb_pow2(f, f->in->amount));
	if (away)
		return round_away(f, a, false);
	return rnd == RND_Z ? a : round_op(f, a, rnd);
}

/* Scalar: bail where the sign is set (-0 too: it is rare) or the value is a NaN or too large. */
static void bail_negative(struct fpb *f, struct hir_opnd a)
{
	hir_emit(f->b, HIR_VCMP, 16, hnone(), a, hconst(0, 0))->vop =
		f->size == 3 ? VOP_VUCOMISD : VOP_VUCOMISS;
	fpb_bail(f, XCC_B);
}

static struct hir_opnd to_gpr(struct fpb *f, bool wide, bool uns, unsigned rnd)
{
	struct hir_opnd a = hv(f->in->rn), t;

	if (rnd == RND_Z && !f->in->amount && (!uns || avx512()))
		return to_gpr_direct(f, a, wide, uns);
	if (uns)
		bail_negative(f, a);
	a = to_range(f, a, wide ? 64 : 32, uns, rnd);
	t = htmp(f->b);
	hir_v(f->b, cvtt(f, wide || uns, false), t, a, hnone());
	return t;
}

static int tofix_gpr(struct fpb *f, bool uns, unsigned rnd)
{
	struct hir_opnd t = to_gpr(f, f->in->sf, uns, rnd);

	if (f->in->rd != 31)
		hir2(f->b, HIR_MOV, f->in->sf ? 8 : 4, hd(f->in->rd), t);
	return 0;
}

static int tofix_s(struct fpb *f, bool uns, unsigned rnd)
{
	bool wide = f->size == 3;
	struct hir_opnd t = to_gpr(f, wide, uns, rnd);

	hir_v(f->b, wide ? VOP_VMOVQ_G2V : VOP_VMOVD_G2V, hv(f->in->rd), t, hnone());
	return 0;
}

static int tofix_v(struct fpb *f, bool uns, unsigned rnd)
{
	struct hir_opnd a, w, t;
	unsigned vop;

	if ((uns || f->size == 3) && !avx512())
		return -1;
	if (f->size == 3)
		vop = uns ? VOP_VCVTTPD2UQQ : VOP_VCVTTPD2QQ;
	else
		vop = uns ? VOP_VCVTTPS2UDQ : VOP_VCVTTPS2DQ;
	if (uns && (rnd != RND_Z || f->in->amount))
		return -1;
	a = fpb_src(f, f->in->rn);
	if (rnd != RND_Z || f->in->amount) {
		w = fpb_op1(f, vop, to_range(f, a, 8u << f->size, false, rnd));
		fpb_finish(f, w);
		return 0;
	}
	w = fpb_op1(f, vop, a);
	t = fpb_op(f, f->size == 3 ? VOP_VPCMPEQQ : VOP_VPCMPEQD, w,
		   uns ? hconst(~0ull, ~0ull) : fpb_sign_mask(f));
	hir_emit(f->b, HIR_VCMP, 16, hnone(), t, t)->vop = VOP_VPTEST;
	fpb_bail(f, XCC_NE);
	fpb_finish(f, w);
	return 0;
}

static int tofix(struct fpb *f, bool uns, unsigned rnd)
{
	void (*ex)(struct fp_x *) = fp_descs[f->in->op].exec;

	if (uns && rnd == RND_AWAY)
		return -1;
	if (ex == fpx_tofix_gpr)
		return tofix_gpr(f, uns, rnd);
	return f->vec ? tofix_v(f, uns, rnd) : tofix_s(f, uns, rnd);
}

/*
 * FJCVTZS: in the range of 32 bits the conversion is the plain one; Z says that converting back
 * gives the very same bits, which -0 does not.
 */
static int fjcvtzs(struct fpb *f)
{
	struct hir_buf *b = f->b;
	struct hir_opnd n = hv(f->in->rn), t = to_gpr_direct(f, n, false, false), w;

	w = fpb_op(f, VOP_VCVTSI2SD32, fpb_op1(f, VOP_VMOVAPS, hconst(0, 0)), t);

	if (f->in->rd != 31)
		hir2(b, HIR_MOV, 4, hd(f->in->rd), t);
	hir_v(b, VOP_VXORPS, w, w, n);
	hir_v(b, VOP_VMOVQ_V2G, t, w, hnone());
	hir_emit(b, HIR_AND, 8, hnone(), t, t)->setf = 1;
	/* To where the helper leaves NZCV as well. */
	hir2(b, HIR_CSET, 4, t, hnone())->cc = A64_EQ;
	hir_emit(b, HIR_SHL, 4, t, t, himm(30));
	hir2(b, HIR_SETNZCV, 4, hnone(), t);
	return 0;
}

/* ---- between formats ---- */

/* The half in the low 16 bits as a single, other lanes zero. */
static struct hir_opnd half_to_single(struct fpb *f)
{
	struct hir_opnd w = fpb_op(f, VOP_VPAND, hv(f->in->rn), hconst(0xffff, 0));

	hir_v(f->b, VOP_VCVTPH2PS, w, w, hnone());
	return w;
}

/*
 * Singles in all lanes to halves in the low 8 bytes. The caller has no NaNs. The host sees tininess
 * after rounding, as everywhere.
 */
static struct hir_opnd singles_to_halves(struct fpb *f, struct hir_opnd a)
{
	struct hir_opnd w = fpb_opi(f, VOP_VCVTPS2PH, a, hnone(), RND_CUR);
	struct hir_opnd t = fpb_op(f, VOP_VPAND, w, hconst(0x7fff7fff7fff7fff, 0));

	hir_v(f->b, VOP_VPCMPEQW, t, t, hconst(0x0400040004000400, 0x0400040004000400));
	hir_emit(f->b, HIR_VCMP, 16, hnone(), t, t)->vop = VOP_VPTEST;
	fpb_bail(f, XCC_NE);
	return w;
}

static int single_to_half(struct fpb *f)
{
	struct hir_opnd n = hv(f->in->rn), w;

	f->size = 2;
	fpb_bail_ahp(f);
	fpb_bail_nan(f, n);
	/* The zeros above become the result's. */
	w = fpb_opi(f, VOP_VINSERTPS, n, n, 0x0e);
	hir_v(f->b, VOP_VMOVAPS, hv(f->in->rd), singles_to_halves(f, w), hnone());
	return 0;
}

static int fcvt(struct fpb *f)
{
	struct hir_opnd n = hv(f->in->rn), w;

	switch (f->in->ftype << 4 | f->in->size) {
	case 0x03: /* S to D */ w = fpb_op(f, VOP_VCVTSS2SD, n, n); break;
	case 0x12: /* D to S */
		w = fpb_op(f, VOP_VCVTSD2SS, n, n);
		fpb_bail_tiny(f, w);
		fpb_finish(f, w);
		return 0;
	case 0x01: /* S to H */ return single_to_half(f);
	case 0x32: /* H to S */
	case 0x33: /* H to D */
		fpb_bail_ahp(f);
		w = half_to_single(f);
		if (f->size == 3)
			hir_v(f->b, VOP_VCVTSS2SD, w, w, w);
		break;
	default: return -1;
	}
	fpb_bail_nan(f, w);
	fpb_finish(f, w);
	return 0;
}

static int fcvtl(struct fpb *f)
{
	struct hir_opnd a = hv(f->in->rn), w;

	if (f->in->size == 1)
		fpb_bail_ahp(f);
	if (f->in->q)
		a = fpb_opi(f, VOP_VPSHUFD, a, hnone(), 0xee);
	w = fpb_op1(f, f->in->size == 1 ? VOP_VCVTPH2PS : VOP_VCVTPS2PD, a);
	f->size++;
	f->q = true;
	fpb_bail_nan(f, w);
	fpb_finish(f, w);
	return 0;
}

static int fcvtn(struct fpb *f)
{
	struct hir_opnd n = hv(f->in->rn), w, d = hv(f->in->rd);

	/* Either leaves the upper half zero. */
	if (f->size == 1) {
		f->size = 2;
		fpb_bail_ahp(f);
		fpb_bail_nan(f, n);
		w = singles_to_halves(f, n);
	} else {
		w = fpb_op1(f, VOP_VCVTPD2PS, n);
		fpb_bail_tiny(f, w);
	}
	if (f->in->q)
		hir_v(f->b, VOP_VPUNPCKLQDQ, d, d, w);
	else
		hir_v(f->b, VOP_VMOVAPS, d, w, hnone());
	return 0;
}

/* ---- dispatch ---- */

int build_fp_from_int(struct fpb *f)
{
	const struct fp_desc *d = &fp_descs[f->in->op];
	bool uns = d->flags & FPX_UNS;

	if (f->size < 2)
		return -1;
	if (d->exec == fpx_fromfix_gpr)
		return fromfix_gpr(f, uns);
	if (d->exec == fpx_fromfix_s || d->exec == fpx_fromfix_v)
		return fromfix_v(f, uns);
	return -1;
}

static int build_to_int(struct fpb *f)
{
	const struct fp_desc *d = &fp_descs[f->in->op];
	static const u8 imm[] = {[FP_RN] = RND_N,
				 [FP_RP] = RND_P,
				 [FP_RM] = RND_M,
				 [FP_RZ] = RND_Z,
				 [FP_RA] = RND_AWAY};

	if (d->exec == fpx_tofix_gpr || d->exec == fpx_tofix_s || d->exec == fpx_tofix_v)
		return tofix(f, d->flags & FPX_UNS, imm[d->rnd]);
	if (d->exec != fpx_rint_s && d->exec != fpx_rint_v)
		return -1;
	if (d->bits)
		return frint_n(f, d->bits, d->rnd == FP_RZ ? RND_Z : RND_CUR);
	if (d->rnd == FP_RND_FPCR)
		return frint(f, RND_CUR | (d->flags & FPX_EXACT ? 0 : RND_QUIET));
	return d->rnd == FP_RA ? frinta(f) : frint(f, imm[d->rnd] | RND_QUIET);
}

int build_fp_convert(struct fpb *f)
{
	switch (f->in->op) {
	case A64_FCVT: return fcvt(f);
	case A64_FCVTL_v: return fcvtl(f);
	case A64_FCVTN_v: return fcvtn(f);
	case A64_FJCVTZS: return fjcvtzs(f);
	default: return f->size >= 2 ? build_to_int(f) : -1;
	}
}

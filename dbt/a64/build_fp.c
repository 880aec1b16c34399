// SPDX-License-Identifier: MIT
/* Floating point: dispatch, common emitters, moves, comparisons and selects. */
#include "dbt/a64/build_fp.h"

static const u16 fpv_vops[FPV_NUM][4] = {
	[FPV_ADD] = {VOP_VADDSS, VOP_VADDSD, VOP_VADDPS, VOP_VADDPD},
	[FPV_SUB] = {VOP_VSUBSS, VOP_VSUBSD, VOP_VSUBPS, VOP_VSUBPD},
	[FPV_MUL] = {VOP_VMULSS, VOP_VMULSD, VOP_VMULPS, VOP_VMULPD},
	[FPV_DIV] = {VOP_VDIVSS, VOP_VDIVSD, VOP_VDIVPS, VOP_VDIVPD},
	[FPV_MIN] = {VOP_VMINSS, VOP_VMINSD, VOP_VMINPS, VOP_VMINPD},
	[FPV_MAX] = {VOP_VMAXSS, VOP_VMAXSD, VOP_VMAXPS, VOP_VMAXPD},
	[FPV_SQRT] = {VOP_VSQRTSS, VOP_VSQRTSD, VOP_VSQRTPS, VOP_VSQRTPD},
	[FPV_CMP] = {VOP_VCMPSS, VOP_VCMPSD, VOP_VCMPPS, VOP_VCMPPD},
	[FPV_ROUND] = {VOP_VROUNDSS, VOP_VROUNDSD, VOP_VROUNDPS, VOP_VROUNDPD},
	[FPV_FMADD] = {VOP_VFMADD231SS, VOP_VFMADD231SD, VOP_VFMADD231PS, VOP_VFMADD231PD},
	[FPV_FNMADD] = {VOP_VFNMADD231SS, VOP_VFNMADD231SD, VOP_VFNMADD231PS, VOP_VFNMADD231PD},
	/* Arm has these two for scalars only. */
	[FPV_FMSUB] = {VOP_VFMSUB231SS, VOP_VFMSUB231SD, VOP_NUM, VOP_NUM},
	[FPV_FNMSUB] = {VOP_VFNMSUB231SS, VOP_VFNMSUB231SD, VOP_NUM, VOP_NUM},
};

unsigned fpb_vop(const struct fpb *f, enum fpv op)
{
	return fpv_vops[op][f->vec * 2 + (f->size == 3)];
}

struct hir_opnd fpb_w(struct fpb *f)
{
	return hvtmp(f->b);
}

struct hir_opnd fpb_op(struct fpb *f, unsigned vop, struct hir_opnd a, struct hir_opnd b)
{
	struct hir_opnd d = fpb_w(f);

	hir_v(f->b, vop, d, a, b);
	return d;
}

struct hir_opnd fpb_opi(struct fpb *f, unsigned vop, struct hir_opnd a, struct hir_opnd b,
			unsigned imm)
{
	struct hir_opnd d = fpb_w(f);

	hir_vi(f->b, vop, d, a, b, imm);
	return d;
}

struct hir_opnd fpb_op1(struct fpb *f, unsigned vop, struct hir_opnd a)
{
	return fpb_op(f, vop, a, hnone());
}

struct hir_opnd fpb_const(const struct fpb *f, u64 elem)
{
	u64 v = f->size == 3 ? elem : elem | elem << 32;

	return hconst(v, v);
}

struct hir_opnd fpb_abs_mask(const struct fpb *f)
{
	return fpb_const(f, f->size == 3 ? ~0ull >> 1 : 0x7fffffff);
}

struct hir_opnd fpb_sign_mask(const struct fpb *f)
{
	return fpb_const(f, f->size == 3 ? BIT(63) : BIT(31));
}

struct hir_opnd fpb_pow2(const struct fpb *f, int e)
{
	return fpb_const(f, f->size == 3 ? (u64)(1023 + e) << 52 : (u64)(127 + e) << 23);
}

struct hir_opnd fpb_abs(struct fpb *f, struct hir_opnd a)
{
	return fpb_op(f, VOP_VANDPS, a, fpb_abs_mask(f));
}

struct hir_opnd fpb_src(struct fpb *f, unsigned reg)
{
	if (!f->vec || f->q)
		return hv(reg);
	return fpb_op1(f, VOP_VMOVQ_ZX, hv(reg));
}

struct hir_opnd fpb_elem(struct fpb *f, unsigned reg, unsigned idx)
{
	struct hir_opnd w;

	if (!f->vec && !idx)
		return hv(reg);
	w = fpb_opi(f, VOP_VPSHUFD, hv(reg), hnone(),
		    f->size == 3 ? (idx ? 0xee : 0x44) : idx * 0x55);
	if (f->vec && !f->q)
		hir_v(f->b, VOP_VMOVQ_ZX, w, w, hnone());
	return w;
}

void fpb_finish(struct fpb *f, struct hir_opnd w)
{
	struct hir_opnd d = hv(f->in->rd);

	if (f->vec && f->q)
		hir_v(f->b, VOP_VMOVAPS, d, w, hnone());
	else if (f->vec || f->size == 3)
		hir_v(f->b, VOP_VMOVQ_ZX, d, w, hnone());
	else
		hir_vi(f->b, VOP_VINSERTPS, d, w, w, 0x0e); /* lanes 1 to 3 zero */
}

static void vcmp(struct fpb *f, unsigned vop, struct hir_opnd a, struct hir_opnd b)
{
	hir_emit(f->b, HIR_VCMP, 16, hnone(), a, b)->vop = (u16)vop;
}

static unsigned ucomis(const struct fpb *f)
{
	return f->size == 3 ? VOP_VUCOMISD : VOP_VUCOMISS;
}

void fpb_bail(struct fpb *f, enum xcc cc)
{
	f->bails = true;
	hir_bail(f->b, cc, helper_fp, f->in->raw);
}

static void bail_mask(struct fpb *f, struct hir_opnd mask)
{
	vcmp(f, VOP_VPTEST, mask, mask);
	fpb_bail(f, XCC_NE);
}

void fpb_bail_state(struct fpb *f, size_t off, u32 bits)
{
	struct hir_opnd t = htmp(f->b);
	struct hir *h;

	hir_emit(f->b, HIR_AND, 4, t, hstate(off), himm((s32)bits));
	h = hir2(f->b, HIR_BAILNZ, 4, hnone(), t);
	h->fn = helper_fp;
	h->raw = f->in->raw;
	f->bails = true;
}

void fpb_bail_ahp(struct fpb *f)
{
	fpb_bail_state(f, offsetof(struct dbt_vcpu, fpcr), FPCR_AHP);
}

void fpb_bail_nan(struct fpb *f, struct hir_opnd w)
{
	fpb_bail_unordered(f, w, w);
}

void fpb_bail_unordered(struct fpb *f, struct hir_opnd a, struct hir_opnd b)
{
	if (f->vec) {
		bail_mask(f, fpb_opi(f, fpb_vop(f, FPV_CMP), a, b, CMP_UNORD_Q));
		return;
	}
	vcmp(f, ucomis(f), a, b);
	fpb_bail(f, XCC_P);
}

void fpb_bail_tiny(struct fpb *f, struct hir_opnd w)
{
	struct hir_opnd t = fpb_abs(f, w), min = fpb_pow2(f, f->size == 3 ? -1022 : -126);

	if (f->vec) {
		hir_vi(f->b, fpb_vop(f, FPV_CMP), t, t, min, CMP_EQ_UQ);
		bail_mask(f, t);
		return;
	}
	vcmp(f, ucomis(f), t, min);
	fpb_bail(f, XCC_E); /* equal or unordered */
}

void fpb_bail_above(struct fpb *f, struct hir_opnd a, struct hir_opnd limit)
{
	struct hir_opnd t = fpb_abs(f, a);

	if (f->vec) {
		hir_vi(f->b, fpb_vop(f, FPV_CMP), t, t, limit, CMP_NLT_UQ);
		bail_mask(f, t);
		return;
	}
	vcmp(f, ucomis(f), fpb_op1(f, VOP_VMOVAPS, limit), t);
	fpb_bail(f, XCC_BE); /* limit <= |a| or unordered */
}

/* ---- moves: no arithmetic, no flags, any format ---- */

/* V[rd] = low element of V[rn], zeros above. */
static void move_scalar(struct fpb *f, unsigned rd, struct hir_opnd a)
{
	struct hir_opnd d = hv(rd);

	if (f->size == 3)
		hir_v(f->b, VOP_VMOVQ_ZX, d, a, hnone());
	else if (f->size == 2)
		hir_vi(f->b, VOP_VINSERTPS, d, a, a, 0x0e);
	else
		hir_v(f->b, VOP_VPAND, d, a, hconst(0xffff, 0));
}

/* Not from the constant pool: that has no room for every immediate of every program. */
static void fmov_imm(struct fpb *f)
{
	struct hir_opnd t = himm(0);

	if (f->in->imm) {
		t = htmp(f->b);
		hir2(f->b, HIR_MOV, f->size == 3 ? 8 : 4, t, himm(f->in->imm));
	}
	hir_v(f->b, VOP_VMOVQ_G2V, hv(f->in->rd), t, hnone());
}

static void fmov_gen(struct fpb *f)
{
	const struct a64_insn *in = f->in;
	struct hir_opnd d = hv(in->rd), x = hx(in->rn);

	if (in->amount)
		hir_vi(f->b, VOP_VPINSRQ, d, d, x, 1);
	else if (f->size == 3)
		hir_v(f->b, VOP_VMOVQ_G2V, d, x, hnone());
	else if (f->size == 2)
		hir_v(f->b, VOP_VMOVD_G2V, d, x, hnone());
	else {
		struct hir_opnd t = htmp(f->b);

		hir2(f->b, HIR_ZX16, 4, t, x);
		hir_v(f->b, VOP_VMOVD_G2V, d, t, hnone());
	}
}

static void fmov_togen(struct fpb *f)
{
	const struct a64_insn *in = f->in;
	struct hir_opnd d = hd(in->rd), v = hv(in->rn);

	if (in->rd == 31)
		return;
	if (in->amount)
		hir_vi(f->b, VOP_VPEXTRQ, d, v, hnone(), 1);
	else if (f->size == 3)
		hir_v(f->b, VOP_VMOVQ_V2G, d, v, hnone());
	else if (f->size == 2)
		hir_v(f->b, VOP_VMOVD_V2G, d, v, hnone());
	else
		hir_vi(f->b, VOP_VPEXTRW, d, v, hnone(), 0);
}

static void fcsel(struct fpb *f)
{
	const struct a64_insn *in = f->in;

	if (in->cond >= A64_AL)
		move_scalar(f, in->rd, hv(in->rn));
	else
		hir_emit(f->b, HIR_FCSEL, 1u << f->size, hv(in->rd), hv(in->rn), hv(in->rm))->cc =
			in->cond;
}

/* A 16-bit lane's constant in all lanes; q forms only use what they keep. */
static struct hir_opnd sign_const(const struct fpb *f, bool mask)
{
	u64 s = f->size == 3 ? BIT(63) : f->size == 2 ? 0x8000000080000000 : 0x8000800080008000;

	if (f->vec)
		return mask ? hconst(~s, f->q ? ~s : 0) : hconst(s, f->q ? s : 0);
	s = 1ull << ((8u << f->size) - 1);
	return mask ? hconst(s - 1, 0) : hconst(s, 0);
}

int build_fp_move(struct fpb *f)
{
	const struct a64_insn *in = f->in;

	switch (in->op) {
	case A64_FMOV_reg: move_scalar(f, in->rd, hv(in->rn)); return 0;
	case A64_FMOV_imm: fmov_imm(f); return 0;
	case A64_FMOV_gen: fmov_gen(f); return 0;
	case A64_FMOV_togen: fmov_togen(f); return 0;
	case A64_FCSEL: fcsel(f); return 0;
	case A64_FABS_s:
	case A64_FABS_v:
		/* The mask clears what lies above the result as well. */
		hir_v(f->b, VOP_VANDPS, hv(in->rd), hv(in->rn), sign_const(f, true));
		return 0;
	case A64_FNEG_s:
	case A64_FNEG_v: {
		struct hir_opnd w = hv(in->rn);

		if (!f->vec || !f->q)
			w = fpb_w(f);
		if (f->vec && !f->q)
			hir_v(f->b, VOP_VMOVQ_ZX, w, hv(in->rn), hnone());
		else if (!f->vec && f->size == 3)
			hir_v(f->b, VOP_VMOVQ_ZX, w, hv(in->rn), hnone());
		else if (!f->vec && f->size == 2)
			hir_vi(f->b, VOP_VINSERTPS, w, hv(in->rn), hv(in->rn), 0x0e);
		else if (!f->vec)
			hir_v(f->b, VOP_VPAND, w, hv(in->rn), hconst(0xffff, 0));
		hir_v(f->b, VOP_VXORPS, hv(in->rd), w, sign_const(f, false));
		return 0;
	}
	default: return -1;
	}
}

/* ---- comparisons ---- */

static unsigned comis(const struct fpb *f, bool signal)
{
	if (signal)
		return f->size == 3 ? VOP_VCOMISD : VOP_VCOMISS;
	return ucomis(f);
}

static void fccmp(struct fpb *f, bool signal, unsigned cond, struct hir_opnd b)
{
	struct hir *h = hir_emit(f->b, HIR_FCCMP, 16, hnone(), hv(f->in->rn), b);

	h->c = himm(f->in->amount);
	h->cc = (u8)cond;
	h->vop = (u16)comis(f, signal);
}

static void fcmp(struct fpb *f, bool signal, struct hir_opnd b)
{
	if (f->bails) { /* FCCMP leaves NZCV where the helper does, in memory */
		fccmp(f, signal, A64_AL, b);
		return;
	}
	vcmp(f, comis(f, signal), hv(f->in->rn), b);
	hir2(f->b, HIR_FCMPF, 4, hnone(), hnone());
}

static void fcm(struct fpb *f, unsigned pred, bool abs)
{
	struct hir_opnd a = fpb_src(f, f->in->rn), b = fpb_src(f, f->in->rm);

	if (abs) {
		a = fpb_abs(f, a);
		b = fpb_abs(f, b);
	}
	fpb_finish(f, fpb_opi(f, fpb_vop(f, FPV_CMP), a, b, pred));
}

static void fcm_zero(struct fpb *f, unsigned pred)
{
	struct hir_opnd a = fpb_src(f, f->in->rn);

	fpb_finish(f, fpb_opi(f, fpb_vop(f, FPV_CMP), a, hconst(0, 0), pred));
}

int build_fp_compare(struct fpb *f)
{
	struct hir_opnd m = hv(f->in->rm), zero = hconst(0, 0);

	switch (f->in->op) {
	case A64_FCMP: fcmp(f, false, m); break;
	case A64_FCMPE: fcmp(f, true, m); break;
	case A64_FCMP_zero: fcmp(f, false, zero); break;
	case A64_FCMPE_zero: fcmp(f, true, zero); break;
	case A64_FCCMP: fccmp(f, false, f->in->cond, m); break;
	case A64_FCCMPE: fccmp(f, true, f->in->cond, m); break;
	case A64_FCMEQ_s:
	case A64_FCMEQ_v: fcm(f, CMP_EQ_OQ, false); break;
	case A64_FCMGE_s:
	case A64_FCMGE_v: fcm(f, CMP_GE_OS, false); break;
	case A64_FCMGT_s:
	case A64_FCMGT_v: fcm(f, CMP_GT_OS, false); break;
	case A64_FACGE_s:
	case A64_FACGE_v: fcm(f, CMP_GE_OS, true); break;
	case A64_FACGT_s:
	case A64_FACGT_v: fcm(f, CMP_GT_OS, true); break;
	case A64_FCMEQ_zero_s:
	case A64_FCMEQ_zero_v: fcm_zero(f, CMP_EQ_OQ); break;
	case A64_FCMGE_zero_s:
	case A64_FCMGE_zero_v: fcm_zero(f, CMP_GE_OS); break;
	case A64_FCMGT_zero_s:
	case A64_FCMGT_zero_v: fcm_zero(f, CMP_GT_OS); break;
	case A64_FCMLE_zero_s:
	case A64_FCMLE_zero_v: fcm_zero(f, CMP_LE_OS); break;
	case A64_FCMLT_zero_s:
	case A64_FCMLT_zero_v: fcm_zero(f, CMP_LT_OS); break;
	default: return -1;
	}
	return 0;
}

/* ---- dispatch ---- */

/* Forms with several lanes; the others are scalar even when q is set. */
static bool is_vector(unsigned op)
{
	void (*ex)(struct fp_x *) = fp_descs[op].exec;

	return ex == fpx_un_v || ex == fpx_bin_v || ex == fpx_pair_v || ex == fpx_across ||
	       ex == fpx_bin_elem || ex == fpx_zero_v || ex == fpx_mla_v || ex == fpx_mla_elem ||
	       ex == fpx_cmla_v || ex == fpx_cmla_elem || ex == fpx_cadd_v || ex == fpx_rint_v ||
	       ex == fpx_tofix_v || ex == fpx_fromfix_v || ex == fpx_fcvtl || ex == fpx_fcvtn;
}

/* ---- FPCR.FZ ---- */

/*
 * Bail if a lane is denormal, n <= 3. Under DAZ a denormal equals zero, but has bits other than the
 * sign. The comparison raises Invalid for signalling NaNs, as all operations that come here do.
 */
static void bail_denormal(struct fpb *f, const struct hir_opnd *a, unsigned n)
{
	u64 abs = f->size == 3 ? ~0ull >> 1 : f->vec ? 0x7fffffff7fffffff : 0x7fffffff;
	struct hir_opnd any = hnone();

	for (unsigned i = 0; i < n; i++) {
		struct hir_opnd m = fpb_opi(f, fpb_vop(f, FPV_CMP), a[i], hconst(0, 0), CMP_EQ_OQ);

		hir_v(f->b, VOP_VANDPS, m, m, a[i]);
		if (i)
			hir_v(f->b, VOP_VORPS, any, any, m);
		else
			any = m;
	}
	vcmp(f, VOP_VPTEST, any, hconst(abs, f->vec ? abs : 0));
	fpb_bail(f, XCC_NE);
}

/* The operands of the operation, by its shape, and nothing else: a stray NaN would raise Invalid.
 */
static unsigned fz_operands(struct fpb *f, struct hir_opnd *a)
{
	const struct a64_insn *in = f->in;
	const struct fp_desc *d = &fp_descs[in->op];
	void (*ex)(struct fp_x *) = d->exec;
	bool cmp_zero = ex == fpx_fcmp && d->flags & FPX_SWAP;
	unsigned n = 0;

	if (ex == fpx_fcvtl && in->q) {
		a[n] = fpb_opi(f, VOP_VPSHUFD, hv(in->rn), hnone(), 0xee);
		hir_v(f->b, VOP_VMOVQ_ZX, a[n], a[n], hnone());
		n++;
	} else {
		a[n++] = fpb_src(f, in->rn);
	}
	if (ex == fpx_bin_s || ex == fpx_bin_v || ex == fpx_pair_v || ex == fpx_madd ||
	    ex == fpx_mla_v || ex == fpx_cadd_v || (ex == fpx_fcmp && !cmp_zero))
		a[n++] = fpb_src(f, in->rm);
	if (ex == fpx_bin_elem || ex == fpx_bin_elem_s || ex == fpx_mla_elem ||
	    ex == fpx_mla_elem_s)
		a[n++] = fpb_elem(f, in->rm, in->amount);
	if (ex == fpx_madd)
		a[n++] = hv(in->ra);
	if (ex == fpx_mla_v || ex == fpx_mla_elem || ex == fpx_mla_elem_s)
		a[n++] = fpb_src(f, in->rd);
	return n;
}

/* Makes inline code possible where FZ is, or may be, set. False: only the helper will do. */
static bool guard_fz(struct fpb *f)
{
	void (*ex)(struct fp_x *) = fp_descs[f->in->op].exec;
	struct fpb g = *f; /* with the operands' size and shape */
	struct hir_opnd a[4];
	unsigned n;

	if (f->tr->mode & TR_MODE_EL1) {
		fpb_bail_state(f, offsetof(struct dbt_vcpu, fpcr), FPCR_FZ);
		return true;
	}
	if (!(f->tr->mode & TR_MODE_FZ))
		return true;
	/* FCCMP must not even compare; FCMLA uses every other element; halves are rare. */
	if (!(f->tr->mode & TR_MODE_IXC) || f->size < 2 || ex == fpx_fccmp || ex == fpx_cmla_v ||
	    ex == fpx_cmla_elem)
		return false;
	if (ex == fpx_fcvt) {
		if (f->in->ftype == 3)
			return false;
		g.size = f->in->ftype == 1 ? 3 : 2;
	} else if (ex == fpx_fcvtl || ex == fpx_fcvtn) {
		g.size = ex == fpx_fcvtl ? 2 : 3;
		g.q = ex == fpx_fcvtn;
	} else if (ex == fpx_pair_s) {
		g.vec = true;
		g.q = f->size == 3;
	} else if (ex == fpx_across) {
		g.q = true;
	}
	n = fz_operands(&g, a);
	bail_denormal(&g, a, n);
	f->bails = true;
	return true;
}

/* What inline code exists for; the others must not emit guards in vain. */
static bool has_inline(const struct fpb *f)
{
	void (*ex)(struct fp_x *) = fp_descs[f->in->op].exec;

	switch (f->in->op) {
	case A64_FRECPE_s:
	case A64_FRECPE_v:
	case A64_FRSQRTE_s:
	case A64_FRSQRTE_v:
	case A64_FRECPX_s: return false;
	default: break;
	}
	if (ex == fpx_fcvt) /* D to H needs one rounding of its own */
		return f->size >= 2 || f->in->ftype == 0;
	if (ex == fpx_fcvtl || f->in->op == A64_FCVTN_v)
		return true;
	return f->size >= 2 && ex != fpx_fcvtn && ex != fpx_fcvtxn_s && ex != fpx_bfdot_v &&
	       ex != fpx_bfdot_elem && ex != fpx_bfmmla && ex != fpx_bfmlal_v &&
	       ex != fpx_bfmlal_elem && ex != fpx_fmlal_v && ex != fpx_fmlal_elem &&
	       ex != fpx_urecpe && ex != fpx_ursqrte;
}

static int build_inline(struct fpb *f)
{
	if (!build_fp_from_int(f))
		return 0;
	if (!has_inline(f) || !guard_fz(f))
		return -1;
	if (!build_fp_convert(f) || !build_fp_arith(f))
		return 0;
	return build_fp_compare(f);
}

int build_fp(struct tr *tr, const struct a64_insn *in)
{
	struct fpb f = {.tr = tr, .b = &tr->hir, .in = in, .size = in->size, .q = in->q};
	bool known = fp_known(in->op);
	unsigned start = tr->hir.n;

	if (known)
		f.vec = is_vector(in->op);
	if (!build_fp_move(&f))
		return 0;
	if (!known)
		return -1;
	if (build_inline(&f)) {
		tr->hir.n = start;
		hir_helper(f.b, helper_fp, in->raw);
	}
	return 0;
}

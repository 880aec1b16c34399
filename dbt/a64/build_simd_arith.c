// SPDX-License-Identifier: MIT
/* AdvSIMD builders: element arithmetic, compares, logic. */
#include <stddef.h>

#include "dbt/a64/build_simd.h"

const u16 vops_add[4] = {VOP_VPADDB, VOP_VPADDW, VOP_VPADDD, VOP_VPADDQ};
const u16 vops_sub[4] = {VOP_VPSUBB, VOP_VPSUBW, VOP_VPSUBD, VOP_VPSUBQ};
const u16 vops_cmpeq[4] = {VOP_VPCMPEQB, VOP_VPCMPEQW, VOP_VPCMPEQD, VOP_VPCMPEQQ};
const u16 vops_cmpgt[4] = {VOP_VPCMPGTB, VOP_VPCMPGTW, VOP_VPCMPGTD, VOP_VPCMPGTQ};
const u16 vops_max[2][4] = {{VOP_VPMAXSB, VOP_VPMAXSW, VOP_VPMAXSD},
			    {VOP_VPMAXUB, VOP_VPMAXUW, VOP_VPMAXUD}};
const u16 vops_min[2][4] = {{VOP_VPMINSB, VOP_VPMINSW, VOP_VPMINSD},
			    {VOP_VPMINUB, VOP_VPMINUW, VOP_VPMINUD}};
const u16 vops_unpckl[4] = {VOP_VPUNPCKLBW, VOP_VPUNPCKLWD, VOP_VPUNPCKLDQ, VOP_VPUNPCKLQDQ};
const u16 vops_unpckh[4] = {VOP_VPUNPCKHBW, VOP_VPUNPCKHWD, VOP_VPUNPCKHDQ, VOP_VPUNPCKHQDQ};

void simd_set_qc(struct sb *s, struct hir_opnd diff)
{
	struct hir_opnd t = htmp(s->b), fpsr = hstate(offsetof(struct dbt_vcpu, fpsr));

	if (!s->q)
		diff = t1(s, VOP_VMOVQ_ZX, diff);
	hir_emit(s->b, HIR_VCMP, 8, hnone(), diff, diff)->vop = VOP_VPTEST;
	hir2(s->b, HIR_XSET, 4, t, hnone())->cc = XCC_NE;
	hir_emit(s->b, HIR_SHL, 4, t, t, himm(27));
	hir_emit(s->b, HIR_OR, 4, fpsr, fpsr, t);
}

int simd_vec3(struct sb *s, const u16 *arg)
{
	return arg[s->size] ? o2(s, arg[s->size], rn(s), rm(s)) : -1;
}

int simd_logic(struct sb *s, const u16 *arg)
{
	if (arg[0] == VOP_VPOR && s->in->rn == s->in->rm)
		return omov(s, rn(s)); /* MOV Vd, Vn */
	if (arg[0] == VOP_VPXOR && s->in->rn == s->in->rm)
		return omov(s, kzero());
	if (arg[0] == VOP_VPANDN)
		return o2(s, VOP_VPANDN, rm(s), rn(s)); /* BIC: n & ~m */
	return o2(s, arg[0], rn(s), rm(s));
}

int simd_orn(struct sb *s, const u16 *arg)
{
	struct hir_opnd t = t2(s, VOP_VPXOR, rm(s), kones());

	return o2(s, VOP_VPOR, t, rn(s));
}

int simd_not(struct sb *s, const u16 *arg)
{
	return o2(s, VOP_VPXOR, rn(s), kones());
}

/* BSL: m ^ ((n ^ m) & d). BIT, BIF: d ^ ((d ^ n) & m), with ~m for BIF. */
int simd_select(struct sb *s, const u16 *arg)
{
	struct hir_opnd t;

	if (s->q && host_has(HOST_AVX512)) {
		/* Truth tables index d:a:b. BSL: d ? n : m. BIT: m ? n : d, BIF: m ? d : n. */
		unsigned imm = arg[0] == 0 ? 0xca : arg[0] == 1 ? 0xd8 : 0xe4;

		hir_vi(s->b, VOP_VPTERNLOGQ, dst(s), rn(s), rm(s), imm);
		return 0;
	}
	if (arg[0] == 0) {
		t = t2(s, VOP_VPXOR, rn(s), rm(s));
		t = t2(s, VOP_VPAND, t, rd(s));
		return o2(s, VOP_VPXOR, t, rm(s));
	}
	t = t2(s, VOP_VPXOR, rn(s), rd(s));
	if (arg[0] == 1)
		t = t2(s, VOP_VPAND, t, rm(s));
	else
		t = t2(s, VOP_VPANDN, rm(s), t);
	return o2(s, VOP_VPXOR, t, rd(s));
}

static struct hir_opnd flip_signs(struct sb *s, struct hir_opnd x)
{
	return t2(s, VOP_VPXOR, x, ke(s->size, 1ull << ((8u << s->size) - 1)));
}

/* URHADD on B and H is pavg; the signed form the same between sign flips. */
static int rhadd_avg(struct sb *s, bool uns)
{
	unsigned vop = s->size ? VOP_VPAVGW : VOP_VPAVGB;
	struct hir_opnd a, b;

	if (uns)
		return o2(s, vop, rn(s), rm(s));
	a = flip_signs(s, rn(s));
	b = flip_signs(s, rm(s));
	a = t2(s, vop, a, b);
	return o2(s, VOP_VPXOR, a, ke(s->size, 1ull << ((8u << s->size) - 1)));
}

/*
 * With x = (a ^ b) >> 1 in the operands' signedness:
 * (a + b) >> 1 = (a & b) + x, (a + b + 1) >> 1 = (a | b) - x, (a - b) >> 1 = x - (~a & b).
 */
int simd_halving(struct sb *s, const u16 *arg)
{
	bool uns = arg[0];
	enum { ADD, RADD, SUB } kind = arg[1];
	struct hir_opnd x, y;

	if (kind == RADD && s->size < 2)
		return rhadd_avg(s, uns);
	x = t2(s, VOP_VPXOR, rn(s), rm(s));
	x = simd_shr(s, x, s->size, 1, !uns);
	switch (kind) {
	case ADD: y = t2(s, VOP_VPAND, rn(s), rm(s)); return o2(s, vops_add[s->size], x, y);
	case RADD: y = t2(s, VOP_VPOR, rn(s), rm(s)); return o2(s, vops_sub[s->size], y, x);
	default: y = t2(s, VOP_VPANDN, rn(s), rm(s)); return o2(s, vops_sub[s->size], x, y);
	}
}

/* diff is all ones where the addition a + b or subtraction a - b overflowed, else zero in the sign.
 */
struct hir_opnd simd_sat_wide(struct sb *s, struct hir_opnd a, struct hir_opnd b, bool sub,
			      struct hir_opnd *diff)
{
	struct hir_opnd t = t2(s, (sub ? vops_sub : vops_add)[s->size], a, b), x, y;

	x = t2(s, VOP_VPXOR, a, t);
	y = sub ? t2(s, VOP_VPXOR, a, b) : t2(s, VOP_VPXOR, b, t);
	y = t2(s, VOP_VPAND, x, y);
	*diff = t2(s, VOP_VPAND, y, ke(s->size, 1ull << ((8u << s->size) - 1)));
	/* The limit on the first operand's side. */
	x = simd_shr(s, a, s->size, (8u << s->size) - 1, true);
	x = t2(s, VOP_VPXOR, x, ke(s->size, ~0ull >> (65 - (8u << s->size))));
	return tblend(s, s->size == 2 ? VOP_VBLENDVPS : VOP_VBLENDVPD, t, x, y);
}

/* Unsigned: the second operand is cut to what fits. */
static int unsigned_sat(struct sb *s, bool sub)
{
	unsigned min = s->size == 2 ? VOP_VPMINUD : VOP_VPMINUQ;
	struct hir_opnd room;

	if (s->size == 3 && !host_has(HOST_AVX512))
		return -1;
	room = sub ? rn(s) : t2(s, VOP_VPXOR, rn(s), kones());
	room = t2(s, min, room, rm(s));
	simd_set_qc(s, t2(s, VOP_VPXOR, room, rm(s)));
	return o2(s, (sub ? vops_sub : vops_add)[s->size], rn(s), room);
}

/* The saturated and the wrapped result differ exactly where QC is due. */
int simd_sat_arith(struct sb *s, const u16 *arg)
{
	bool uns = arg[0] == VOP_VPADDUSB || arg[0] == VOP_VPSUBUSB, sub = arg[2] == VOP_VPSUBB;
	struct hir_opnd sat, wrap;

	if (s->size > 1 && uns)
		return unsigned_sat(s, sub);
	if (s->size > 1) {
		sat = simd_sat_wide(s, rn(s), rm(s), sub, &wrap);
		simd_set_qc(s, wrap);
		return omov(s, sat);
	}
	sat = t2(s, arg[s->size], rn(s), rm(s));
	wrap = t2(s, arg[2 + s->size], rn(s), rm(s));
	simd_set_qc(s, t2(s, VOP_VPXOR, wrap, sat));
	return omov(s, sat);
}

static int out_not(struct sb *s, struct hir_opnd x)
{
	return o2(s, VOP_VPXOR, x, kones());
}

static int compare_unsigned(struct sb *s, bool or_equal)
{
	struct hir_opnd a, b;

	if (s->size < 3) {
		unsigned eq = vops_cmpeq[s->size];

		if (or_equal) /* n >= m iff max(n, m) == n */
			return o2(s, eq, t2(s, vops_max[1][s->size], rn(s), rm(s)), rn(s));
		a = t2(s, vops_min[1][s->size], rn(s), rm(s));
		return out_not(s, t2(s, eq, a, rn(s)));
	}
	a = flip_signs(s, rn(s));
	b = flip_signs(s, rm(s));
	if (or_equal)
		return out_not(s, t2(s, VOP_VPCMPGTQ, b, a));
	return o2(s, VOP_VPCMPGTQ, a, b);
}

int simd_compare(struct sb *s, const u16 *arg)
{
	unsigned eq = vops_cmpeq[s->size], gt = vops_cmpgt[s->size];
	struct hir_opnd t;

	switch ((enum simd_cmp)arg[0]) {
	case CMP_EQ: return o2(s, eq, rn(s), rm(s));
	case CMP_TST:
		t = rn(s);
		if (s->in->rn != s->in->rm)
			t = t2(s, VOP_VPAND, rn(s), rm(s));
		return out_not(s, t2(s, eq, t, kzero()));
	case CMP_GT: return o2(s, gt, rn(s), rm(s));
	case CMP_GE:
		if (s->size < 3)
			return o2(s, eq, t2(s, vops_max[0][s->size], rn(s), rm(s)), rn(s));
		return out_not(s, t2(s, gt, rm(s), rn(s)));
	case CMP_HI: return compare_unsigned(s, false);
	case CMP_HS: return compare_unsigned(s, true);
	case CMP_EQ0: return o2(s, eq, rn(s), kzero());
	case CMP_GT0: return o2(s, gt, rn(s), kzero());
	case CMP_GE0: return o2(s, gt, rn(s), kones()); /* n > -1 */
	case CMP_LT0: return o2(s, gt, kzero(), rn(s));
	case CMP_LE0: return o2(s, gt, ke(s->size, 1), rn(s)); /* 1 > n */
	}
	return -1;
}

struct hir_opnd simd_abd(struct sb *s, struct hir_opnd a, struct hir_opnd b, bool uns)
{
	struct hir_opnd max = t2(s, vops_max[uns][s->size], a, b);
	struct hir_opnd min = t2(s, vops_min[uns][s->size], a, b);

	return t2(s, vops_sub[s->size], max, min);
}

int simd_abd_aba(struct sb *s, const u16 *arg)
{
	struct hir_opnd t = simd_abd(s, rn(s), rm(s), arg[0]);

	return arg[1] ? o2(s, vops_add[s->size], t, rd(s)) : omov(s, t);
}

/* Where t is the least element, the largest and QC. */
static int out_unless_min(struct sb *s, struct hir_opnd t)
{
	struct hir_opnd is_min =
		t2(s, vops_cmpeq[s->size], t, ke(s->size, 1ull << ((8u << s->size) - 1)));

	simd_set_qc(s, is_min);
	return o2(s, VOP_VPXOR, t, is_min);
}

/* Bytes have no multiply: even and odd ones as words. */
static struct hir_opnd mul_bytes(struct sb *s, struct hir_opnd a, struct hir_opnd b)
{
	struct hir_opnd even, odd, t;

	even = t2(s, VOP_VPMULLW, a, b);
	even = t2(s, VOP_VPAND, even, kw(0x00ff));
	odd = ti(s, VOP_VPSRLW_I, a, 8);
	t = t2(s, VOP_VPAND, b, kw(0xff00));
	odd = t2(s, VOP_VPMULLW, odd, t);
	return t2(s, VOP_VPOR, even, odd);
}

struct hir_opnd simd_mul(struct sb *s, struct hir_opnd a, struct hir_opnd b)
{
	if (s->size == 0)
		return mul_bytes(s, a, b);
	return t2(s, s->size == 1 ? VOP_VPMULLW : VOP_VPMULLD, a, b);
}

struct hir_opnd simd_splat(struct sb *s, struct hir_opnd v, unsigned index)
{
	u8 c[16];

	if (s->size == 2)
		return ti(s, VOP_VPSHUFD, v, index * 0x55);
	for (unsigned i = 0; i < 16; i++)
		c[i] = (u8)((index << s->size) + (i & ((1u << s->size) - 1)));
	return t2(s, VOP_VPSHUFB, v, kbytes(c));
}

int simd_mul_acc(struct sb *s, const u16 *arg)
{
	struct hir_opnd m = arg[1] ? simd_splat(s, rm(s), s->in->amount) : rm(s), t;

	if (arg[0] == 0 && s->size)
		return o2(s, s->size == 1 ? VOP_VPMULLW : VOP_VPMULLD, rn(s), m);
	t = simd_mul(s, rn(s), m);
	if (arg[0] == 0)
		return omov(s, t);
	return arg[0] == 1 ? o2(s, vops_add[s->size], t, rd(s))
			   : o2(s, vops_sub[s->size], rd(s), t);
}

/* The high words of 2ab [+ 2^31]: products of even and of odd words apart. */
static struct hir_opnd dmulh_words(struct sb *s, struct hir_opnd n, struct hir_opnd m, bool round)
{
	struct hir_opnd even = t2(s, VOP_VPMULDQ, n, m), odd, t;

	odd = ti(s, VOP_VPSRLQ_I, n, 32);
	t = ti(s, VOP_VPSRLQ_I, m, 32);
	odd = t2(s, VOP_VPMULDQ, odd, t);
	even = t2(s, VOP_VPADDQ, even, even);
	odd = t2(s, VOP_VPADDQ, odd, odd);
	if (round) {
		even = t2(s, VOP_VPADDQ, even, kq(1u << 31));
		odd = t2(s, VOP_VPADDQ, odd, kq(1u << 31));
	}
	even = ti(s, VOP_VPSRLQ_I, even, 32);
	return t2i(s, VOP_VPBLENDD, even, odd, 0xa);
}

/*
 * SQDMULH, SQRDMULH. Only the square of the least element saturates, and only it gives that element
 * before saturation.
 */
int simd_dmul_high(struct sb *s, const u16 *arg)
{
	struct hir_opnd m, t, u;

	m = arg[1] ? simd_splat(s, rm(s), s->in->amount) : rm(s);
	if (s->size == 2) {
		t = dmulh_words(s, rn(s), m, arg[0]);
	} else if (arg[0]) {
		t = t2(s, VOP_VPMULHRSW, rn(s), m);
	} else {
		t = t2(s, VOP_VPMULHW, rn(s), m);
		u = t2(s, VOP_VPMULLW, rn(s), m);
		t = t2(s, VOP_VPADDW, t, t);
		u = ti(s, VOP_VPSRLW_I, u, 15);
		t = t2(s, VOP_VPOR, t, u);
	}
	return out_unless_min(s, t);
}

/* Even elements to the low half, odd ones to the upper. */
static struct hir_opnd deinterleave(unsigned size)
{
	u8 c[16];

	for (unsigned i = 0; i < 16; i++) {
		unsigned e = i >> size, lanes = 16u >> size, half = lanes / 2;

		c[i] = (u8)((((e % half) * 2 + e / half) << size) + (i & ((1u << size) - 1)));
	}
	return kbytes(c);
}

int simd_pairwise(struct sb *s, const u16 *arg)
{
	unsigned vop = arg[s->size];
	struct hir_opnd a, b;

	if (s->size == 3) {
		a = t2(s, VOP_VPUNPCKLQDQ, rn(s), rm(s));
		b = t2(s, VOP_VPUNPCKHQDQ, rn(s), rm(s));
		return o2(s, vop, a, b);
	}
	if (!s->q || s->in->rn == s->in->rm) {
		/* One vector holds all the elements. */
		a = s->q ? rn(s) : t2(s, VOP_VPUNPCKLQDQ, rn(s), rm(s));
		a = t2(s, VOP_VPSHUFB, a, deinterleave(s->size));
		b = ti(s, VOP_VPSHUFD, a, 0x4e);
		return o2(s, vop, a, b);
	}
	if (s->size == 2) {
		a = t2i(s, VOP_VSHUFPS, rn(s), rm(s), 0x88);
		b = t2i(s, VOP_VSHUFPS, rn(s), rm(s), 0xdd);
		return o2(s, vop, a, b);
	}
	a = t2(s, VOP_VPSHUFB, rn(s), deinterleave(s->size));
	b = t2(s, VOP_VPSHUFB, rm(s), deinterleave(s->size));
	struct hir_opnd lo = t2(s, VOP_VPUNPCKLQDQ, a, b), hi = t2(s, VOP_VPUNPCKHQDQ, a, b);

	return o2(s, vop, lo, hi);
}

int simd_abs(struct sb *s, const u16 *arg)
{
	static const u16 vops[4] = {VOP_VPABSB, VOP_VPABSW, VOP_VPABSD, VOP_VPABSQ};
	struct hir_opnd sign, t;

	if (s->size < 3 || host_has(HOST_AVX512)) {
		t = t1(s, vops[s->size], rn(s));
	} else {
		sign = t2(s, VOP_VPCMPGTQ, kzero(), rn(s));
		t = t2(s, VOP_VPXOR, rn(s), sign);
		t = t2(s, VOP_VPSUBQ, t, sign);
	}
	return arg[0] ? out_unless_min(s, t) : omov(s, t);
}

int simd_neg(struct sb *s, const u16 *arg)
{
	if (arg[0])
		return out_unless_min(s, t2(s, vops_sub[s->size], kzero(), rn(s)));
	return o2(s, vops_sub[s->size], kzero(), rn(s));
}

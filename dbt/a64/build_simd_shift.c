// SPDX-License-Identifier: MIT
/* AdvSIMD builders: shifts. x86 has none on bytes and (before AVX-512) no arithmetic one on
 * quadwords. */
#include "dbt/a64/build_simd.h"

static u8 byte_mask_right(unsigned n)
{
	return (u8)(0xff >> n);
}

/* Arithmetic from logical: ((x >> n) ^ m) - m with m the sign bit's new place. */
static struct hir_opnd sar_bytes(struct sb *s, struct hir_opnd x, unsigned n)
{
	u8 m = (u8)(0x80 >> n);
	struct hir_opnd t;

	if (n >= 7)
		return t2(s, VOP_VPCMPGTB, kzero(), x);
	t = ti(s, VOP_VPSRLW_I, x, n);
	t = t2(s, VOP_VPAND, t, kb(byte_mask_right(n)));
	t = t2(s, VOP_VPXOR, t, kb(m));
	return t2(s, VOP_VPSUBB, t, kb(m));
}

static struct hir_opnd sar_quads(struct sb *s, struct hir_opnd x, unsigned n)
{
	struct hir_opnd sign, t;

	if (host_has(HOST_AVX512))
		return ti(s, VOP_VPSRAQ_I, x, n);
	sign = t2(s, VOP_VPCMPGTQ, kzero(), x);
	if (n >= 63)
		return sign;
	t = t2(s, VOP_VPXOR, x, sign);
	t = ti(s, VOP_VPSRLQ_I, t, n);
	return t2(s, VOP_VPXOR, t, sign);
}

struct hir_opnd simd_shr(struct sb *s, struct hir_opnd x, unsigned size, unsigned n, bool sign)
{
	static const u16 logical[4] = {0, VOP_VPSRLW_I, VOP_VPSRLD_I, VOP_VPSRLQ_I};
	static const u16 arith[4] = {0, VOP_VPSRAW_I, VOP_VPSRAD_I, 0};

	if (n == 0)
		return x;
	if (sign)
		return size == 0   ? sar_bytes(s, x, n)
		       : size == 3 ? sar_quads(s, x, n)
				   : ti(s, arith[size], x, n);
	if (size)
		return ti(s, logical[size], x, n);
	if (n >= 8)
		return t1(s, VOP_VMOVAPS, kzero());
	return t2(s, VOP_VPAND, ti(s, VOP_VPSRLW_I, x, n), kb(byte_mask_right(n)));
}

struct hir_opnd simd_shl(struct sb *s, struct hir_opnd x, unsigned size, unsigned n)
{
	static const u16 vops[4] = {VOP_VPSLLW_I, VOP_VPSLLW_I, VOP_VPSLLD_I, VOP_VPSLLQ_I};
	struct hir_opnd t;

	if (n == 0)
		return x;
	t = ti(s, vops[size], x, n);
	return size ? t : t2(s, VOP_VPAND, t, kb((u8)(0xff << n)));
}

/* (x >> n) plus the last bit shifted out: no carry is lost, unlike adding 2^(n-1) first. */
struct hir_opnd simd_rshr(struct sb *s, struct hir_opnd x, unsigned size, unsigned n, bool sign)
{
	struct hir_opnd most = simd_shr(s, x, size, n - 1, sign), last;

	last = t2(s, VOP_VPAND, most, ke(size, 1));
	most = simd_shr(s, most, size, 1, sign);
	return t2(s, vops_add[size], most, last);
}

int simd_shift_right(struct sb *s, const u16 *arg)
{
	unsigned n = s->in->amount;
	struct hir_opnd t;

	t = arg[1] ? simd_rshr(s, rn(s), s->size, n, arg[0])
		   : simd_shr(s, rn(s), s->size, n, arg[0]);
	return arg[2] ? o2(s, vops_add[s->size], t, rd(s)) : omov(s, t);
}

int simd_shift_left(struct sb *s, const u16 *arg)
{
	return omov(s, simd_shl(s, rn(s), s->size, s->in->amount));
}

/* What does not come back when shifted right again has overflowed. */
int simd_shift_left_sat(struct sb *s, const u16 *arg)
{
	unsigned n = s->in->amount, bits = 8u << s->size;
	enum simd_narrow kind = arg[0];
	struct hir_opnd t = simd_shl(s, rn(s), s->size, n), fits, lost, x;

	x = simd_shr(s, t, s->size, n, kind == NARROW_SS);
	fits = t2(s, vops_cmpeq[s->size], x, rn(s));
	lost = t2(s, VOP_VPXOR, fits, kones());
	x = kind == NARROW_UU ? lost : simd_shr(s, rn(s), s->size, bits - 1, true);
	if (kind == NARROW_UU) {
		simd_set_qc(s, lost);
		return o2(s, VOP_VPOR, t, lost);
	}
	if (kind == NARROW_SU) { /* negative ones give 0 */
		t = t2(s, VOP_VPOR, t, lost);
		simd_set_qc(s, t2(s, VOP_VPOR, lost, x));
		return o2(s, VOP_VPANDN, x, t);
	}
	simd_set_qc(s, lost);
	x = t2(s, VOP_VPXOR, x, ke(s->size, ~0ull >> (65 - bits)));
	return omov(s, tblend(s, VOP_VPBLENDVB, x, t, fits));
}

int simd_shift_insert(struct sb *s, const u16 *arg)
{
	unsigned n = s->in->amount, bits = 8u << s->size;
	u64 all = ~0ull >> (64 - bits), ours;
	struct hir_opnd t, keep;

	if (arg[0]) {
		ours = n == bits ? 0 : all >> n;
		t = simd_shr(s, rn(s), s->size, n, false);
	} else {
		ours = all << n & all;
		t = simd_shl(s, rn(s), s->size, n);
	}
	keep = t2(s, VOP_VPAND, rd(s), ke(s->size, ~ours));
	return o2(s, VOP_VPOR, keep, t);
}

/*
 * SSHLL, USHLL: unpacking over zeros puts the element at the top of the wide one; shifting right
 * by what is left of the distance extends and shifts at once.
 */
int simd_shift_long(struct sb *s, const u16 *arg)
{
	unsigned n = s->in->amount, bits = 8u << s->size;
	bool high = s->q, sign = arg[0];
	struct hir_opnd t;

	s->q = true;
	if (n == 0 || s->size == 2) {
		t = simd_widen(s, rn(s), high, sign);
		return omov(s, simd_shl(s, t, s->size + 1, n));
	}
	t = t2(s, (high ? vops_unpckh : vops_unpckl)[s->size], kzero(), rn(s));
	return omov(s, simd_shr(s, t, s->size + 1, bits - n, sign));
}

int simd_shll(struct sb *s, const u16 *arg)
{
	bool high = s->q;

	s->q = true;
	return o2(s, (high ? vops_unpckh : vops_unpckl)[s->size], kzero(), rn(s));
}

int simd_shift_narrow(struct sb *s, const u16 *arg)
{
	unsigned n = s->in->amount, wide = s->size + 1;
	enum simd_narrow kind = arg[1];
	struct hir_opnd x = rn(s);
	bool sign = kind == NARROW_SS || kind == NARROW_SU;

	if (kind != NARROW_TRUNC) {
		if (wide == 3 && !host_has(HOST_AVX512))
			return -1;
		x = arg[0] ? simd_rshr(s, x, wide, n, sign) : simd_shr(s, x, wide, n, sign);
		return simd_narrow_sat(s, x, kind);
	}
	/* Bits above the result do not matter: rounding may wrap. */
	if (arg[0])
		x = t2(s, vops_add[wide], x, ke(wide, 1ull << (n - 1)));
	if (n == 8u << s->size)
		return simd_narrow_out(s, x, true);
	return simd_narrow_out(s, simd_shr(s, x, wide, n, false), false);
}

/*
 * SSHL, USHL, SRSHL, URSHL: a count beyond the width gives 0 in x86's variable shifts, so shift
 * left by the count's byte and right by its negation; the one out of range vanishes.
 */
int simd_shift_reg(struct sb *s, const u16 *arg)
{
	static const u16 left[4] = {0, VOP_VPSLLVW, VOP_VPSLLVD, VOP_VPSLLVQ};
	static const u16 right[4] = {0, VOP_VPSRLVW, VOP_VPSRLVD, VOP_VPSRLVQ};
	static const u16 arith[4] = {0, VOP_VPSRAVW, VOP_VPSRAVD, VOP_VPSRAVQ};
	struct hir_opnd l, r, neg, low = ke(s->size, 0xff);

	if (s->size == 0 || ((s->size == 1 || (s->size == 3 && arg[0])) && !host_has(HOST_AVX512)))
		return -1;
	neg = t2(s, vops_sub[s->size], kzero(), rm(s));
	neg = t2(s, VOP_VPAND, neg, low);
	if (arg[1]) /* all but the last place, which rounds; a count of 0 turns out of range */
		neg = t2(s, vops_sub[s->size], neg, ke(s->size, 1));
	r = t2(s, (arg[0] ? arith : right)[s->size], rn(s), neg);
	if (arg[1]) {
		l = t2(s, VOP_VPAND, r, ke(s->size, 1));
		r = simd_shr(s, r, s->size, 1, arg[0]);
		r = t2(s, vops_add[s->size], r, l);
	}
	l = t2(s, VOP_VPAND, rm(s), low);
	l = t2(s, left[s->size], rn(s), l);
	if (!arg[0])
		return o2(s, VOP_VPOR, l, r);
	/* The arithmetic shift fills with signs instead of vanishing: select by the count's sign.
	 */
	neg = simd_shl(s, rm(s), s->size, (8u << s->size) - 8);
	if (s->size == 1)
		neg = simd_shr(s, neg, 1, 15, true);
	return omov(s, tblend(s,
			      s->size == 1   ? VOP_VPBLENDVB
			      : s->size == 2 ? VOP_VBLENDVPS
					     : VOP_VBLENDVPD,
			      l, r, neg));
}

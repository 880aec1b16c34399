// SPDX-License-Identifier: MIT
/* AdvSIMD builders: long, wide and narrow forms, dot products. */
#include "dbt/a64/build_simd.h"

struct hir_opnd simd_widen(struct sb *s, struct hir_opnd x, bool high, bool sign)
{
	static const u16 sx[3] = {VOP_VPMOVSXBW, VOP_VPMOVSXWD, VOP_VPMOVSXDQ};
	static const u16 zx[3] = {VOP_VPMOVZXBW, VOP_VPMOVZXWD, VOP_VPMOVZXDQ};

	if (!high)
		return t1(s, (sign ? sx : zx)[s->size], x);
	if (!sign)
		return t2(s, vops_unpckh[s->size], x, kzero());
	if (s->size == 2)
		return t1(s, VOP_VPMOVSXDQ, ti(s, VOP_VPSHUFD, x, 0xee));
	x = t2(s, vops_unpckh[s->size], kzero(), x);
	return simd_shr(s, x, s->size + 1, 8u << s->size, true);
}

/* Shuffle control: halves (low or high) of the wide elements to the low 8 bytes, zeros above. */
static struct hir_opnd pick_halves(unsigned size, bool high_half)
{
	u8 c[16];

	for (unsigned i = 0; i < 16; i++)
		c[i] = i >= 8 ? 0x80
			      : (u8)(((i >> size) << (size + 1)) + (high_half ? 1u << size : 0) +
				     (i & ((1u << size) - 1)));
	return kbytes(c);
}

int simd_narrow_out(struct sb *s, struct hir_opnd x, bool high_half)
{
	struct hir_opnd t;

	if (!s->q)
		return ofull(s, VOP_VPSHUFB, x, pick_halves(s->size, high_half));
	t = t2(s, VOP_VPSHUFB, x, pick_halves(s->size, high_half));
	return ofull(s, VOP_VPUNPCKLQDQ, rd(s), t);
}

/* Clamps the wide elements to the narrow range, then truncates; QC where clamping changed one. */
int simd_narrow_sat(struct sb *s, struct hir_opnd x, enum simd_narrow kind)
{
	static const u16 smin[4] = {0, VOP_VPMINSW, VOP_VPMINSD, VOP_VPMINSQ};
	static const u16 smax[4] = {0, VOP_VPMAXSW, VOP_VPMAXSD, VOP_VPMAXSQ};
	static const u16 umin[4] = {0, VOP_VPMINUW, VOP_VPMINUD, VOP_VPMINUQ};
	unsigned wide = s->size + 1, bits = 8u << s->size;
	u64 max = (1ull << (kind == NARROW_SS ? bits - 1 : bits)) - 1;
	bool q = s->q;
	struct hir_opnd t;

	if (kind == NARROW_UU) {
		t = t2(s, umin[wide], x, ke(wide, max));
	} else {
		t = t2(s, smin[wide], x, ke(wide, max));
		t = t2(s, smax[wide], t, kind == NARROW_SS ? ke(wide, ~max) : kzero());
	}
	s->q = true; /* all of the wide source counts */
	simd_set_qc(s, t2(s, VOP_VPXOR, t, x));
	s->q = q;
	return simd_narrow_out(s, t, false);
}

int simd_xtn(struct sb *s, const u16 *arg)
{
	if (arg[0] == NARROW_TRUNC)
		return simd_narrow_out(s, rn(s), false);
	if (s->size == 2 && !host_has(HOST_AVX512))
		return -1;
	return simd_narrow_sat(s, rn(s), arg[0]);
}

/* SADDL SADDW SSUBL SSUBW and unsigned: Q selects the narrow operands' half. */
int simd_add_long(struct sb *s, const u16 *arg)
{
	bool high = s->q;
	struct hir_opnd n = arg[2] ? rn(s) : simd_widen(s, rn(s), high, arg[0]);
	struct hir_opnd m = simd_widen(s, rm(s), high, arg[0]);

	s->q = true;
	return o2(s, (arg[1] ? vops_sub : vops_add)[s->size + 1], n, m);
}

/* The difference of narrow elements fits them unsigned: widen after. */
int simd_abd_long(struct sb *s, const u16 *arg)
{
	bool high = s->q;
	struct hir_opnd t = simd_abd(s, rn(s), rm(s), !arg[0]);

	t = simd_widen(s, t, high, false);
	s->q = true;
	return arg[1] ? o2(s, vops_add[s->size + 1], t, rd(s)) : omov(s, t);
}

static struct hir_opnd mul_long(struct sb *s, struct hir_opnd n, struct hir_opnd m, bool high,
				bool sign)
{
	struct hir_opnd a, b;

	switch (s->size) {
	case 0:
		a = simd_widen(s, n, high, sign);
		b = simd_widen(s, m, high, sign);
		return t2(s, VOP_VPMULLW, a, b);
	case 1:
		a = t2(s, VOP_VPMULLW, n, m);
		b = t2(s, sign ? VOP_VPMULHW : VOP_VPMULHUW, n, m);
		return t2(s, high ? VOP_VPUNPCKHWD : VOP_VPUNPCKLWD, a, b);
	default: /* the multiply takes the even doublewords */
		a = ti(s, VOP_VPSHUFD, n, high ? 0xfa : 0x50);
		b = ti(s, VOP_VPSHUFD, m, high ? 0xfa : 0x50);
		return t2(s, sign ? VOP_VPMULDQ : VOP_VPMULUDQ, a, b);
	}
}

int simd_mul_long(struct sb *s, const u16 *arg)
{
	bool high = s->q;
	struct hir_opnd m = arg[2] ? simd_splat(s, rm(s), s->in->amount) : rm(s);
	struct hir_opnd p = mul_long(s, rn(s), m, high, arg[0]);
	unsigned wide = s->size + 1;

	s->q = true;
	switch (arg[1]) {
	case 0: return omov(s, p);
	case 1: return o2(s, vops_add[wide], p, rd(s));
	default: return o2(s, vops_sub[wide], rd(s), p);
	}
}

/* SQDMULL, SQDMLAL, SQDMLSL. Halfwords: only -32768 squared saturates; doubled it is 0x80000000, as
 * nothing else is. */
int simd_sqdmull(struct sb *s, const u16 *arg)
{
	bool high = s->q;
	struct hir_opnd m, p, sat;

	if (s->size != 1)
		return -1;
	m = arg[0] ? simd_splat(s, rm(s), s->in->amount) : rm(s);
	p = mul_long(s, rn(s), m, high, true);
	s->q = true;
	p = t2(s, VOP_VPADDD, p, p);
	sat = t2(s, VOP_VPCMPEQD, p, kd(0x80000000));
	if (!arg[1]) {
		simd_set_qc(s, sat);
		return o2(s, VOP_VPXOR, p, sat);
	}
	p = t2(s, VOP_VPXOR, p, sat);
	simd_set_qc(s, sat);
	s->size = 2;
	p = simd_sat_wide(s, rd(s), p, arg[1] == 2, &sat);
	simd_set_qc(s, sat);
	return omov(s, p);
}

/* ADDHN, SUBHN and rounding forms. */
int simd_add_narrow(struct sb *s, const u16 *arg)
{
	unsigned wide = s->size + 1;
	struct hir_opnd t = t2(s, (arg[0] ? vops_sub : vops_add)[wide], rn(s), rm(s));

	if (arg[1])
		t = t2(s, vops_add[wide], t, ke(wide, 1ull << ((8u << s->size) - 1)));
	return simd_narrow_out(s, t, true);
}

/* Sums of adjacent pairs, twice as wide. */
static struct hir_opnd pair_sums(struct sb *s, struct hir_opnd n, bool sign)
{
	struct hir_opnd even, odd;

	switch (s->size) {
	case 0: /* vpmaddubsw: first operand unsigned, second signed */
		return sign ? t2(s, VOP_VPMADDUBSW, kb(1), n) : t2(s, VOP_VPMADDUBSW, n, kb(1));
	case 1:
		if (sign)
			return t2(s, VOP_VPMADDWD, n, kw(1));
		even = t2(s, VOP_VPAND, n, kd(0xffff));
		odd = ti(s, VOP_VPSRLD_I, n, 16);
		return t2(s, VOP_VPADDD, even, odd);
	default:
		odd = ti(s, VOP_VPSRLQ_I, n, 32);
		if (sign) {
			odd = t2(s, VOP_VPMULDQ, odd, kq(1));
			even = t2(s, VOP_VPMULDQ, n, kq(1));
		} else {
			even = t2(s, VOP_VPAND, n, kq(0xffffffff));
		}
		return t2(s, VOP_VPADDQ, even, odd);
	}
}

int simd_pair_long(struct sb *s, const u16 *arg)
{
	struct hir_opnd t = pair_sums(s, rn(s), arg[0]);

	return arg[1] ? o2(s, vops_add[s->size + 1], t, rd(s)) : omov(s, t);
}

/* Bytes at even or odd places as halfwords. */
static struct hir_opnd alternate(struct sb *s, struct hir_opnd x, bool odd, bool uns)
{
	if (uns)
		return odd ? ti(s, VOP_VPSRLW_I, x, 8) : t2(s, VOP_VPAND, x, kw(0xff));
	if (!odd)
		x = ti(s, VOP_VPSLLW_I, x, 8);
	return ti(s, VOP_VPSRAW_I, x, 8);
}

int simd_dot(struct sb *s, const u16 *arg)
{
	bool un = arg[0], um = arg[1];
	struct hir_opnd m = arg[2] ? ti(s, VOP_VPSHUFD, rm(s), s->in->amount * 0x55) : rm(s);
	struct hir_opnd sum, a, b;

	if (host_has(HOST_AVX512_VNNI) && un != um) {
		sum = t1(s, VOP_VMOVAPS, rd(s));
		hir_v(s->b, VOP_VPDPBUSD, sum, un ? rn(s) : m, un ? m : rn(s));
		return omov(s, sum);
	}
	a = alternate(s, rn(s), false, un);
	b = alternate(s, m, false, um);
	sum = t2(s, VOP_VPMADDWD, a, b);
	sum = t2(s, VOP_VPADDD, sum, rd(s));
	a = alternate(s, rn(s), true, un);
	b = alternate(s, m, true, um);
	a = t2(s, VOP_VPMADDWD, a, b);
	return o2(s, VOP_VPADDD, sum, a);
}

int simd_pmull(struct sb *s, const u16 *arg)
{
	bool high = s->q;

	if (s->size != 3)
		return -1;
	hir_vi(s->b, VOP_VPCLMULQDQ, dst(s), rn(s), rm(s), high ? 0x11 : 0x00);
	return 0;
}

// SPDX-License-Identifier: MIT
/* AdvSIMD builders: immediates, copies, permutes, table look-up, bit operations, across lanes. */
#include "dbt/a64/build_simd.h"

int simd_mod_imm(struct sb *s, const u16 *arg)
{
	u64 imm = (u64)s->in->imm;

	switch (arg[0]) {
	case 0: return ofull(s, VOP_VMOVAPS, hconst(imm, s->q ? imm : 0), hnone());
	case 1: return o2(s, VOP_VPOR, rd(s), kq(imm));
	default: return o2(s, VOP_VPAND, rd(s), kq(~imm));
	}
}

/* Shuffle control: element `index` to every element of the destination, zero above it. */
static struct hir_opnd splat_control(struct sb *s, unsigned index, unsigned bytes)
{
	u8 c[16];

	for (unsigned i = 0; i < 16; i++)
		c[i] = i >= bytes ? 0x80 : (u8)((index << s->size) + (i & ((1u << s->size) - 1)));
	return kbytes(c);
}

int simd_dup_elem(struct sb *s, const u16 *arg)
{
	unsigned i = s->in->amount;

	if (s->q && s->size == 2)
		return oi(s, VOP_VPSHUFD, rn(s), i * 0x55);
	if (s->q && s->size == 3)
		return oi(s, VOP_VPSHUFD, rn(s), i ? 0xee : 0x44);
	return ofull(s, VOP_VPSHUFB, rn(s), splat_control(s, i, s->q ? 16 : 8));
}

int simd_dup_scalar(struct sb *s, const u16 *arg)
{
	if (s->size == 3 && !s->in->amount)
		return omov(s, rn(s));
	return ofull(s, VOP_VPSHUFB, rn(s), splat_control(s, s->in->amount, 1u << s->size));
}

int simd_dup_gen(struct sb *s, const u16 *arg)
{
	static const u16 splat[4] = {VOP_VPBROADCASTB, VOP_VPBROADCASTW, VOP_VPBROADCASTD,
				     VOP_VPBROADCASTQ};
	struct hir_opnd t;

	if (s->in->rn == 31)
		return ofull(s, VOP_VMOVAPS, kzero(), hnone());
	t = t1(s, s->size == 3 ? VOP_VMOVQ_G2V : VOP_VMOVD_G2V, hx(s->in->rn));
	return o1(s, splat[s->size], t);
}

int simd_to_gen(struct sb *s, const u16 *arg)
{
	static const u16 extract[4] = {VOP_VPEXTRB, VOP_VPEXTRW, VOP_VPEXTRD, VOP_VPEXTRQ};
	static const u8 sign_extend[3] = {HIR_SX8, HIR_SX16, HIR_SX32};
	unsigned w = s->size == 3 ? 8 : 4;
	struct hir_opnd d = hd(s->in->rd), t = d;

	if (d.kind == H_NONE)
		return 0;
	if (arg[0])
		t = htmp(s->b);
	if (s->in->amount == 0 && s->size >= 2)
		hir_v(s->b, s->size == 3 ? VOP_VMOVQ_V2G : VOP_VMOVD_V2G, t, rn(s), hnone())->w =
			(u8)w;
	else
		hir_vi(s->b, extract[s->size], t, rn(s), hnone(), s->in->amount)->w = (u8)w;
	if (arg[0])
		hir2(s->b, sign_extend[s->size], s->in->sf ? 8 : 4, d, t);
	return 0;
}

int simd_ins_gen(struct sb *s, const u16 *arg)
{
	static const u16 insert[4] = {VOP_VPINSRB, VOP_VPINSRW, VOP_VPINSRD, VOP_VPINSRQ};

	hir_vi(s->b, insert[s->size], dst(s), rd(s), hx(s->in->rn), s->in->amount);
	return 0;
}

int simd_ins_elem(struct sb *s, const u16 *arg)
{
	unsigned to = s->in->amount, from = (unsigned)s->in->imm;
	struct hir_opnd t, keep;
	u8 c[16], k[16];

	if (s->size >= 2) {
		unsigned wide = s->size == 3;

		t = ti(s, VOP_VPSHUFD, rn(s), wide ? (from ? 0xee : 0x44) : from * 0x55);
		hir_vi(s->b, VOP_VPBLENDD, dst(s), rd(s), t, wide ? 3u << 2 * to : 1u << to);
		return 0;
	}
	if (s->size == 1) {
		t = t2(s, VOP_VPSHUFB, rn(s), splat_control(s, from, 16));
		hir_vi(s->b, VOP_VPBLENDW, dst(s), rd(s), t, 1u << to);
		return 0;
	}
	for (unsigned i = 0; i < 16; i++) {
		c[i] = i == to ? (u8)from : 0x80;
		k[i] = i == to ? 0 : 0xff;
	}
	t = t2(s, VOP_VPSHUFB, rn(s), kbytes(c));
	keep = t2(s, VOP_VPAND, rd(s), kbytes(k));
	return ofull(s, VOP_VPOR, keep, t);
}

int simd_zip(struct sb *s, const u16 *arg)
{
	struct hir_opnd t;

	if (s->q)
		return o2(s, (arg[0] ? vops_unpckh : vops_unpckl)[s->size], rn(s), rm(s));
	t = t2(s, vops_unpckl[s->size], rn(s), rm(s));
	if (!arg[0])
		return omov(s, t);
	hir_vi(s->b, VOP_VPSRLDQ_I, dst(s), t, hnone(), 8);
	return 0;
}

/* Elements of parity `part` of 16 bytes to the low 8 bytes, zeros above. */
static struct hir_opnd every_other(unsigned size, unsigned part)
{
	u8 c[16];

	for (unsigned i = 0; i < 16; i++)
		c[i] = i >= 8 ? 0x80
			      : (u8)(((2 * (i >> size) + part) << size) + (i & ((1u << size) - 1)));
	return kbytes(c);
}

int simd_uzp(struct sb *s, const u16 *arg)
{
	unsigned part = arg[0];
	struct hir_opnd a, b;

	if (s->size == 3)
		return o2(s, part ? VOP_VPUNPCKHQDQ : VOP_VPUNPCKLQDQ, rn(s), rm(s));
	if (!s->q) {
		a = t2(s, VOP_VPUNPCKLQDQ, rn(s), rm(s));
		return ofull(s, VOP_VPSHUFB, a, every_other(s->size, part));
	}
	if (s->size == 2)
		return o2i(s, VOP_VSHUFPS, rn(s), rm(s), part ? 0xdd : 0x88);
	a = t2(s, VOP_VPSHUFB, rn(s), every_other(s->size, part));
	b = t2(s, VOP_VPSHUFB, rm(s), every_other(s->size, part));
	return o2(s, VOP_VPUNPCKLQDQ, a, b);
}

int simd_trn(struct sb *s, const u16 *arg)
{
	unsigned part = arg[0];
	struct hir_opnd a, b;

	if (s->size == 3)
		return o2(s, part ? VOP_VPUNPCKHQDQ : VOP_VPUNPCKLQDQ, rn(s), rm(s));
	if (s->size == 0) {
		a = part ? ti(s, VOP_VPSRLW_I, rn(s), 8) : t2(s, VOP_VPAND, rn(s), kw(0xff));
		b = part ? t2(s, VOP_VPAND, rm(s), kw(0xff00)) : ti(s, VOP_VPSLLW_I, rm(s), 8);
		return o2(s, VOP_VPOR, a, b);
	}
	/* One operand moves its elements next to the other's: TRN1 m's up, TRN2 n's down. */
	if (s->size == 1) {
		a = part ? ti(s, VOP_VPSRLD_I, rn(s), 16) : rn(s);
		b = part ? rm(s) : ti(s, VOP_VPSLLD_I, rm(s), 16);
		return o2i(s, VOP_VPBLENDW, a, b, 0xaa);
	}
	a = part ? ti(s, VOP_VPSHUFD, rn(s), 0xf5) : rn(s);
	b = part ? rm(s) : ti(s, VOP_VPSHUFD, rm(s), 0xa0);
	return o2i(s, VOP_VPBLENDD, a, b, 0xa);
}

int simd_ext(struct sb *s, const u16 *arg)
{
	unsigned pos = (unsigned)s->in->imm;
	struct hir_opnd t;

	if (s->q)
		return o2i(s, VOP_VPALIGNR, rm(s), rn(s), pos);
	t = t2(s, VOP_VPUNPCKLQDQ, rn(s), rm(s));
	return omov(s, pos ? ti(s, VOP_VPSRLDQ_I, t, pos) : t);
}

/*
 * VPSHUFB gives zero where bit 7 of the index is set: saturating addition of 0x70 sets it for 16
 * and above. Indices of later registers are moved down first; those below wrap to 0xd0 and more.
 */
int simd_tbl(struct sb *s, const u16 *arg)
{
	unsigned regs = s->in->immr;
	struct hir_opnd acc = hnone(), idx, t;

	for (unsigned r = 0; r < regs; r++) {
		idx = r ? t2(s, VOP_VPSUBB, rm(s), kb((u8)(16 * r))) : rm(s);
		idx = t2(s, VOP_VPADDUSB, idx, kb(0x70));
		t = t2(s, VOP_VPSHUFB, hv((s->in->rn + r) & 31), idx);
		acc = r ? t2(s, VOP_VPOR, acc, t) : t;
	}
	if (!arg[0])
		return omov(s, acc);
	/* TBX keeps the destination where index >= 16 * regs. */
	t = t2(s, VOP_VPMAXUB, rm(s), kb((u8)(16 * regs)));
	t = t2(s, VOP_VPCMPEQB, t, rm(s));
	t = t2(s, VOP_VPAND, t, rd(s));
	return o2(s, VOP_VPOR, acc, t);
}

int simd_rev(struct sb *s, const u16 *arg)
{
	u8 c[16];

	for (unsigned i = 0; i < 16; i++) {
		unsigned flip = (1u << arg[0]) - (1u << s->size);

		c[i] = i >= 8 && !s->q ? 0x80 : (u8)(i ^ flip);
	}
	return ofull(s, VOP_VPSHUFB, rn(s), kbytes(c));
}

/* lut[low nibble] and lut2[high nibble] of every byte. */
static void nibbles(struct sb *s, const u8 *low, const u8 *high, struct hir_opnd *l,
		    struct hir_opnd *h)
{
	struct hir_opnd t = t2(s, VOP_VPAND, rn(s), kb(0x0f));

	*l = t2(s, VOP_VPSHUFB, kbytes(low), t);
	t = ti(s, VOP_VPSRLW_I, rn(s), 4);
	t = t2(s, VOP_VPAND, t, kb(0x0f));
	*h = t2(s, VOP_VPSHUFB, kbytes(high), t);
}

int simd_rbit(struct sb *s, const u16 *arg)
{
	static const u8 high[16] = {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15};
	struct hir_opnd l, h;
	u8 low[16];

	if (host_has(HOST_GFNI)) /* the anti-diagonal bit matrix */
		return o2i(s, VOP_GF2P8AFFINEQB, rn(s), kq(0x8040201008040201), 0);
	for (unsigned i = 0; i < 16; i++)
		low[i] = (u8)(high[i] << 4);
	nibbles(s, low, high, &l, &h);
	return o2(s, VOP_VPOR, l, h);
}

int simd_cnt(struct sb *s, const u16 *arg)
{
	static const u8 bits[16] = {0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4};
	struct hir_opnd l, h;

	if (host_has(HOST_BITALG))
		return o1(s, VOP_VPOPCNTB, rn(s));
	nibbles(s, bits, bits, &l, &h);
	return o2(s, VOP_VPADDB, l, h);
}

/* Bytes: the smaller of "zeros of the high nibble, 8 if none set" and "4 + those of the low". */
int simd_clz(struct sb *s, const u16 *arg)
{
	static const u8 high[16] = {8, 3, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0};
	static const u8 low[16] = {8, 7, 6, 6, 5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 4};
	struct hir_opnd l, h;

	if (s->size == 2 && host_has(HOST_AVX512))
		return o1(s, VOP_VPLZCNTD, rn(s));
	if (s->size)
		return -1;
	nibbles(s, low, high, &l, &h);
	return o2(s, VOP_VPMINUB, l, h);
}

/* Element 0 of t, zeros above. */
static int out_element(struct sb *s, struct hir_opnd t, unsigned size)
{
	if (size == 3)
		return ofull(s, VOP_VMOVQ_ZX, t, hnone());
	return ofull(s, VOP_VPAND, t, hconst(~0ull >> (64 - (8u << size)), 0));
}

/* Halves the number of lanes with `vop` until one is left. */
static struct hir_opnd reduce(struct sb *s, unsigned vop, struct hir_opnd x, unsigned size, bool q)
{
	if (q && size < 3)
		x = t2(s, vop, x, ti(s, VOP_VPSHUFD, x, 0x4e));
	if (size < 3)
		x = t2(s, vop, x, ti(s, VOP_VPSHUFD, x, 0xb1));
	if (size < 2)
		x = t2(s, vop, x, ti(s, VOP_VPSRLD_I, x, 16));
	if (size < 1)
		x = t2(s, vop, x, ti(s, VOP_VPSRLW_I, x, 8));
	return x;
}

int simd_across(struct sb *s, const u16 *arg)
{
	return out_element(s, reduce(s, arg[s->size], rn(s), s->size, s->q), s->size);
}

/* Byte sums: vpsadbw adds eight bytes each half. */
static struct hir_opnd sum_bytes(struct sb *s, struct hir_opnd x)
{
	x = t2(s, VOP_VPSADBW, x, kzero());
	return s->q ? t2(s, VOP_VPADDQ, x, ti(s, VOP_VPSHUFD, x, 0xee)) : x;
}

int simd_add_across(struct sb *s, const u16 *arg)
{
	if (s->size == 0)
		return out_element(s, sum_bytes(s, rn(s)), 0);
	return out_element(s, reduce(s, vops_add[s->size], rn(s), s->size, s->q), s->size);
}

/* SADDLV, UADDLV: widen pairs, then add across; bytes at once. */
int simd_add_long_across(struct sb *s, const u16 *arg)
{
	unsigned size = s->size + 1;
	struct hir_opnd t = rn(s), odd;

	if (s->size == 0) {
		if (arg[0]) /* bias to unsigned and back */
			t = t2(s, VOP_VPXOR, t, kb(0x80));
		t = sum_bytes(s, t);
		if (arg[0])
			t = t2(s, VOP_VPSUBQ, t, kq(s->q ? 16 * 128 : 8 * 128));
		return out_element(s, t, 1);
	}
	if (s->size == 2) { /* four words, Q only */
		odd = simd_widen(s, t, true, arg[0]);
		t = t2(s, VOP_VPADDQ, odd, simd_widen(s, t, false, arg[0]));
		return out_element(s, t2(s, VOP_VPADDQ, t, ti(s, VOP_VPSHUFD, t, 0xee)), 3);
	}
	if (arg[0]) {
		t = t2(s, VOP_VPMADDWD, t, kw(1));
	} else {
		odd = ti(s, VOP_VPSRLD_I, t, 16);
		t = t2(s, VOP_VPAND, t, kd(0xffff));
		t = t2(s, VOP_VPADDD, t, odd);
	}
	return out_element(s, reduce(s, VOP_VPADDD, t, size, s->q), size);
}

int simd_addp_scalar(struct sb *s, const u16 *arg)
{
	struct hir_opnd t = ti(s, VOP_VPSHUFD, rn(s), 0xee);

	return o2(s, VOP_VPADDQ, t, rn(s));
}

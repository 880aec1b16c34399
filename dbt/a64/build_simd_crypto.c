// SPDX-License-Identifier: MIT
/* AdvSIMD builders: AES, SHA-1, SHA-2, SHA-3's bit operations. */
#include "dbt/a64/build_simd.h"

/* AESE/AESD add the key first and mix no columns: AES-NI's last round with a zero key. */
int simd_aes(struct sb *s, const u16 *arg)
{
	struct hir_opnd t = t2(s, VOP_VPXOR, rd(s), rn(s));

	return ofull(s, arg[0], t, kzero());
}

/* A full round after an inverse last round leaves only MixColumns. */
int simd_aesmc(struct sb *s, const u16 *arg)
{
	struct hir_opnd t = t2(s, VOP_VAESDECLAST, rn(s), kzero());

	return ofull(s, VOP_VAESENC, t, kzero());
}

int simd_aesimc(struct sb *s, const u16 *arg)
{
	return o1(s, VOP_VAESIMC, rn(s));
}

int simd_eor3(struct sb *s, const u16 *arg)
{
	struct hir_opnd t = t2(s, VOP_VPXOR, rn(s), rm(s));

	return o2(s, VOP_VPXOR, t, hv(s->in->ra));
}

/* n ^ (m & ~a) */
int simd_bcax(struct sb *s, const u16 *arg)
{
	struct hir_opnd t = t2(s, VOP_VPANDN, hv(s->in->ra), rm(s));

	return o2(s, VOP_VPXOR, t, rn(s));
}

static struct hir_opnd ror64(struct sb *s, struct hir_opnd x, unsigned n)
{
	struct hir_opnd hi, lo;

	if (n == 0)
		return x;
	if (host_has(HOST_AVX512))
		return ti(s, VOP_VPRORQ_I, x, n);
	hi = n == 63 ? t2(s, VOP_VPADDQ, x, x) : ti(s, VOP_VPSLLQ_I, x, 64 - n);
	lo = ti(s, VOP_VPSRLQ_I, x, n);
	return t2(s, VOP_VPOR, hi, lo);
}

int simd_rax1(struct sb *s, const u16 *arg)
{
	return o2(s, VOP_VPXOR, ror64(s, rm(s), 63), rn(s));
}

int simd_xar(struct sb *s, const u16 *arg)
{
	struct hir_opnd t = t2(s, VOP_VPXOR, rn(s), rm(s));

	return omov(s, ror64(s, t, (unsigned)s->in->imm));
}

/* Rotates word 0 left by 30, zeros above. */
int simd_sha1h(struct sb *s, const u16 *arg)
{
	struct hir_opnd hi = ti(s, VOP_VPSLLD_I, rn(s), 30), lo = ti(s, VOP_VPSRLD_I, rn(s), 2);

	hi = t2(s, VOP_VPOR, hi, lo);
	return o2(s, VOP_VPAND, hi, hconst(0xffffffff, 0));
}

/* d ^ (n.low : d.high) ^ m */
int simd_sha1su0(struct sb *s, const u16 *arg)
{
	struct hir_opnd t = t2i(s, VOP_VPALIGNR, rn(s), rd(s), 8);

	t = t2(s, VOP_VPXOR, t, rd(s));
	return o2(s, VOP_VPXOR, t, rm(s));
}

static void sse(struct sb *s, unsigned vop, struct hir_opnd d, struct hir_opnd a, unsigned imm)
{
	hir_vi(s->b, vop, d, a, hnone(), imm);
}

/*
 * x86 keeps a in the highest word where Arm has it in the lowest. SHA1RNDS4 wants e added to the
 * first schedule word and adds the round constant itself, which Arm's guest already did.
 */
int simd_sha1_rounds(struct sb *s, const u16 *arg)
{
	static const u32 k[3] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc};
	struct hir_opnd w, e, x;

	if (!host_has(HOST_SHA))
		return -1;
	w = t2(s, VOP_VPADDD, rm(s), kd(0u - k[arg[0]]));
	w = ti(s, VOP_VPSHUFD, w, 0x1b);
	e = ti(s, VOP_VPSLLDQ_I, rn(s), 12);
	w = t2(s, VOP_VPADDD, w, e);
	x = ti(s, VOP_VPSHUFD, rd(s), 0x1b);
	sse(s, VOP_SHA1RNDS4, x, w, arg[0]);
	return oi(s, VOP_VPSHUFD, x, 0x1b);
}

int simd_sha1su1(struct sb *s, const u16 *arg)
{
	struct hir_opnd d, n;

	if (!host_has(HOST_SHA))
		return -1;
	d = ti(s, VOP_VPSHUFD, rd(s), 0x1b);
	n = ti(s, VOP_VPSHUFD, rn(s), 0x1b);
	sse(s, VOP_SHA1MSG2, d, n, 0);
	return oi(s, VOP_VPSHUFD, d, 0x1b);
}

/*
 * SHA256RNDS2 does two rounds on {f,e,b,a} and {h,g,d,c} (lowest word first); the former ABEF is
 * the next CDGH. Arm has {a,b,c,d} and {e,f,g,h}; SHA256H returns the first, SHA256H2 the second.
 */
int simd_sha256_rounds(struct sb *s, const u16 *arg)
{
	struct hir_opnd x = arg[0] ? rn(s) : rd(s), y = arg[0] ? rd(s) : rn(s);
	struct hir_opnd abef, cdgh, wk;

	if (!host_has(HOST_SHA))
		return -1;
	abef = t2i(s, VOP_VSHUFPS, y, x, 0x11);
	cdgh = t2i(s, VOP_VSHUFPS, y, x, 0xbb);
	hir_v(s->b, VOP_SHA256RNDS2, cdgh, abef, rm(s));
	wk = ti(s, VOP_VPSHUFD, rm(s), 0xee);
	hir_v(s->b, VOP_SHA256RNDS2, abef, cdgh, wk);
	return o2i(s, VOP_VSHUFPS, abef, cdgh, arg[0] ? 0x11 : 0xbb);
}

int simd_sha256su0(struct sb *s, const u16 *arg)
{
	struct hir_opnd d;

	if (!host_has(HOST_SHA))
		return -1;
	d = t1(s, VOP_VMOVAPS, rd(s));
	sse(s, VOP_SHA256MSG1, d, rn(s), 0);
	return omov(s, d);
}

int simd_sha256su1(struct sb *s, const u16 *arg)
{
	struct hir_opnd t;

	if (!host_has(HOST_SHA))
		return -1;
	t = t2i(s, VOP_VPALIGNR, rm(s), rn(s), 4);
	t = t2(s, VOP_VPADDD, t, rd(s));
	sse(s, VOP_SHA256MSG2, t, rm(s), 0);
	return omov(s, t);
}

/* ror a ^ ror b ^ (ror c, or shr c) of every doubleword */
static struct hir_opnd sigma512(struct sb *s, struct hir_opnd x, unsigned a, unsigned b, unsigned c,
				bool shift)
{
	struct hir_opnd r = ror64(s, x, a), t = ror64(s, x, b);

	r = t2(s, VOP_VPXOR, r, t);
	t = shift ? ti(s, VOP_VPSRLQ_I, x, c) : ror64(s, x, c);
	return t2(s, VOP_VPXOR, r, t);
}

/* ((y ^ z) & x) ^ z */
static struct hir_opnd choose(struct sb *s, struct hir_opnd x, struct hir_opnd y, struct hir_opnd z)
{
	struct hir_opnd t = t2(s, VOP_VPXOR, y, z);

	t = t2(s, VOP_VPAND, t, x);
	return t2(s, VOP_VPXOR, t, z);
}

/* ((x | y) & z) | (x & y) */
static struct hir_opnd majority(struct sb *s, struct hir_opnd x, struct hir_opnd y,
				struct hir_opnd z)
{
	struct hir_opnd t = t2(s, VOP_VPOR, x, y), u;

	t = t2(s, VOP_VPAND, t, z);
	u = t2(s, VOP_VPAND, x, y);
	return t2(s, VOP_VPOR, t, u);
}

static struct hir_opnd upper(struct sb *s, struct hir_opnd x)
{
	return ti(s, VOP_VPSHUFD, x, 0xee);
}

/* Two rounds, one after the other, in the low doublewords. The manual's names: W = Vd, X = Vn, Y =
 * Vm. */
int simd_sha512_rounds(struct sb *s, const u16 *arg)
{
	struct hir_opnd w1, w0, y1 = upper(s, rm(s)), t;

	if (arg[0]) {
		w1 = sigma512(s, rm(s), 28, 34, 39, false);
		w1 = t2(s, VOP_VPADDQ, w1, majority(s, rn(s), y1, rm(s)));
	} else {
		w1 = sigma512(s, y1, 14, 18, 41, false);
		t = upper(s, rn(s));
		w1 = t2(s, VOP_VPADDQ, w1, choose(s, y1, rn(s), t));
	}
	w1 = t2(s, VOP_VPADDQ, w1, upper(s, rd(s)));
	if (arg[0]) {
		w0 = sigma512(s, w1, 28, 34, 39, false);
		w0 = t2(s, VOP_VPADDQ, w0, majority(s, w1, rm(s), y1));
	} else {
		t = t2(s, VOP_VPADDQ, w1, rm(s));
		w0 = sigma512(s, t, 14, 18, 41, false);
		w0 = t2(s, VOP_VPADDQ, w0, choose(s, t, y1, rn(s)));
	}
	w0 = t2(s, VOP_VPADDQ, w0, rd(s));
	return ofull(s, VOP_VPUNPCKLQDQ, w0, w1);
}

int simd_sha512su0(struct sb *s, const u16 *arg)
{
	struct hir_opnd t = t2i(s, VOP_VPALIGNR, rn(s), rd(s), 8);

	return o2(s, VOP_VPADDQ, sigma512(s, t, 1, 8, 7, true), rd(s));
}

int simd_sha512su1(struct sb *s, const u16 *arg)
{
	struct hir_opnd t = sigma512(s, rn(s), 19, 61, 6, true);

	t = t2(s, VOP_VPADDQ, t, rm(s));
	return o2(s, VOP_VPADDQ, t, rd(s));
}

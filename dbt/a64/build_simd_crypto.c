// SPDX-License-Identifier: MIT
/* AdvSIMD builders: AES, SHA-3's bit operations, the simple SHA-1 ones. */
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

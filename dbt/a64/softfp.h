/* SPDX-License-Identifier: MIT */
/*
 * Arm floating point in integer arithmetic: the exact reference for everything that translated code
 * cannot do inline, and for the tests. Written from the shared pseudocode of DDI 0487 (FPUnpack,
 * FPRound, FPAdd, ...), whose function names the comments give. FEAT_AFP and FEAT_EBF16 are absent.
 *
 * No host floating point is used, so that the host's MXCSR, which holds the guest's modes and
 * sticky bits while helpers run, is neither read nor changed.
 *
 * Values are bit patterns in the low bits of a u64; results have zeros above their format.
 */
#ifndef ARMATURE_A64_SOFTFP_H
#define ARMATURE_A64_SOFTFP_H

#include "common/types.h"

/* The first three equal log2 of the size in bytes. */
enum fp_fmt { FP_H = 1, FP_S = 2, FP_D = 3, FP_BF16 = 4 };

/* The first four as in FPCR.RMode. */
enum fp_rnd {
	FP_RN,
	FP_RP,
	FP_RM,
	FP_RZ,
	FP_RA,	   /* ties away */
	FP_RO,	   /* to odd; overflow gives the largest number */
	FP_RO_INF, /* to odd; overflow gives infinity (BFRound) */
};

#define FPCR_AHP      BIT(26)
#define FPCR_DN	      BIT(25)
#define FPCR_FZ	      BIT(24)
#define FPCR_FZ16     BIT(19)
#define FPCR_RMODE(x) ((enum fp_rnd)BITS(x, 23, 22))

#define FPSR_IOC BIT(0)
#define FPSR_DZC BIT(1)
#define FPSR_OFC BIT(2)
#define FPSR_UFC BIT(3)
#define FPSR_IXC BIT(4)
#define FPSR_IDC BIT(7)
#define FPSR_QC	 BIT(27)

/* Modes in, cumulative flags out (ORed in). */
struct fp_env {
	u32 fpcr;
	u32 fpsr;
};

/* FPAdd and relatives: two operands of format f, one result. */
u64 fp_add(struct fp_env *e, enum fp_fmt f, u64 a, u64 b);
u64 fp_sub(struct fp_env *e, enum fp_fmt f, u64 a, u64 b);
u64 fp_mul(struct fp_env *e, enum fp_fmt f, u64 a, u64 b);
u64 fp_mulx(struct fp_env *e, enum fp_fmt f, u64 a, u64 b);
u64 fp_nmul(struct fp_env *e, enum fp_fmt f, u64 a, u64 b);
u64 fp_div(struct fp_env *e, enum fp_fmt f, u64 a, u64 b);
u64 fp_max(struct fp_env *e, enum fp_fmt f, u64 a, u64 b);
u64 fp_min(struct fp_env *e, enum fp_fmt f, u64 a, u64 b);
u64 fp_maxnm(struct fp_env *e, enum fp_fmt f, u64 a, u64 b);
u64 fp_minnm(struct fp_env *e, enum fp_fmt f, u64 a, u64 b);
u64 fp_abd(struct fp_env *e, enum fp_fmt f, u64 a, u64 b);
u64 fp_recps(struct fp_env *e, enum fp_fmt f, u64 a, u64 b);
u64 fp_rsqrts(struct fp_env *e, enum fp_fmt f, u64 a, u64 b);
/* Comparisons: all ones of the format, or zero. */
u64 fp_cmeq(struct fp_env *e, enum fp_fmt f, u64 a, u64 b);
u64 fp_cmge(struct fp_env *e, enum fp_fmt f, u64 a, u64 b);
u64 fp_cmgt(struct fp_env *e, enum fp_fmt f, u64 a, u64 b);
u64 fp_acge(struct fp_env *e, enum fp_fmt f, u64 a, u64 b);
u64 fp_acgt(struct fp_env *e, enum fp_fmt f, u64 a, u64 b);
/* FPCompare: N=8 Z=4 C=2 V=1. */
u32 fp_compare(struct fp_env *e, enum fp_fmt f, u64 a, u64 b, bool signal_nans);

/* FPMulAdd: acc + a * b. */
u64 fp_muladd(struct fp_env *e, enum fp_fmt f, u64 acc, u64 a, u64 b);
/* FPMulAddH: single acc, half factors. */
u64 fp_muladdh(struct fp_env *e, u64 acc, u64 a, u64 b);

u64 fp_abs(struct fp_env *e, enum fp_fmt f, u64 a);
u64 fp_neg(struct fp_env *e, enum fp_fmt f, u64 a);
u64 fp_sqrt(struct fp_env *e, enum fp_fmt f, u64 a);
u64 fp_recpe(struct fp_env *e, enum fp_fmt f, u64 a);
u64 fp_rsqrte(struct fp_env *e, enum fp_fmt f, u64 a);
u64 fp_recpx(struct fp_env *e, enum fp_fmt f, u64 a);
u32 fp_urecpe(u32 a);
u32 fp_ursqrte(u32 a);

/* FPRoundInt; `exact` raises Inexact (FRINTX). */
u64 fp_rint(struct fp_env *e, enum fp_fmt f, u64 a, enum fp_rnd r, bool exact);
/* FPRoundIntN: FRINT32x, FRINT64x. */
u64 fp_rint_n(struct fp_env *e, enum fp_fmt f, u64 a, enum fp_rnd r, unsigned bits);
/* FPToFixed to `bits` (16, 32, 64) with `fbits` fraction bits, saturating; zero-extended. */
u64 fp_to_fixed(struct fp_env *e, enum fp_fmt f, u64 a, unsigned bits, unsigned fbits, bool uns,
		enum fp_rnd r);
/* FixedToFP: v is sign- or zero-extended to 64 bits by the caller. Rounds by FPCR. */
u64 fp_from_fixed(struct fp_env *e, enum fp_fmt f, u64 v, unsigned fbits, bool uns);
/* FPToFixedJS: FJCVTZS; *z is PSTATE.Z. */
u32 fp_to_js(struct fp_env *e, u64 a, bool *z);
/* FPConvert between formats; FP_BF16 as destination only, from single (FPConvertBF). */
u64 fp_convert(struct fp_env *e, enum fp_fmt to, enum fp_fmt from, u64 a, enum fp_rnd r);

/* BFAdd of singles, BFMul of bfloat16s: round to odd, no flags, denormals are zero, default NaN. */
u32 fp_bfadd(u32 a, u32 b);
u32 fp_bfmul(u16 a, u16 b);

static inline unsigned fp_bits(enum fp_fmt f)
{
	return f == FP_BF16 ? 16 : 8u << f;
}
static inline u64 fp_mask(enum fp_fmt f)
{
	return ~0ull >> (64 - fp_bits(f));
}
static inline u64 fp_sign_bit(enum fp_fmt f)
{
	return 1ull << (fp_bits(f) - 1);
}

#endif

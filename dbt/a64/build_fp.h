/* SPDX-License-Identifier: MIT */
/*
 * Shared by the builders of floating-point instructions.
 *
 * Inline code is exact for what programs do all the time and leaves for helper_fp (HIR_BAIL) where
 * Arm and x86 differ: NaN results; a tiny result that was rounded up to the smallest normal number,
 * for which only Arm reports underflow; conversions out of range. It must never set a sticky MXCSR
 * bit that Arm would not set, so operations that could are guarded before they run.
 *
 * FPCR.FZ (TR_MODE_FZ; at EL1 tested at run time and left to the helper): a denormal operand raises
 * Input Denormal, which the host does not, so it bails before anything else. A flushed result is
 * right, but the host calls it inexact and Arm does not: inline code waits until FPSR.IXC is set
 * anyhow (TR_MODE_IXC).
 */
#ifndef ARMATURE_A64_BUILD_FP_H
#define ARMATURE_A64_BUILD_FP_H

#include "dbt/a64/helpers_fp.h"
#include "dbt/hir.h"
#include "dbt/x64/vops.h"

/* One instruction being built. Sizes are log2 bytes: 2 single, 3 double. */
struct fpb {
	struct tr *tr;
	struct hir_buf *b;
	const struct a64_insn *in;
	u8 size;    /* of elements */
	bool vec;   /* several lanes */
	bool q;	    /* ... and all 128 bits of them */
	bool bails; /* something was emitted that may bail: NZCV must end up in memory */
};

/* vcmpps predicates. OQ/UQ signal signalling NaNs only, OS/US all. */
enum {
	CMP_EQ_OQ = 0x00,
	CMP_LT_OS = 0x01,
	CMP_LE_OS = 0x02,
	CMP_UNORD_Q = 0x03,
	CMP_EQ_UQ = 0x08,
	CMP_GE_OS = 0x0d,
	CMP_GT_OS = 0x0e,
	CMP_NLT_UQ = 0x15,
	CMP_GE_OQ = 0x1d
};

/* vroundsd: nearest, down, up, to zero, MXCSR's; | RND_QUIET: no Inexact. */
enum { RND_N, RND_M, RND_P, RND_Z, RND_CUR, RND_AWAY /* not the host's */, RND_QUIET = 8 };

/* Vector operations by {scalar, packed} x {single, double}. */
enum fpv {
	FPV_ADD,
	FPV_SUB,
	FPV_MUL,
	FPV_DIV,
	FPV_MIN,
	FPV_MAX,
	FPV_SQRT,
	FPV_CMP,
	FPV_ROUND,
	FPV_FMADD,
	FPV_FNMADD,
	FPV_FMSUB,
	FPV_FNMSUB,
	FPV_NUM
};
unsigned fpb_vop(const struct fpb *f, enum fpv op);

struct hir_opnd fpb_w(struct fpb *f);
/* d = op(a, b), returns d (a fresh temporary). */
struct hir_opnd fpb_op(struct fpb *f, unsigned vop, struct hir_opnd a, struct hir_opnd b);
struct hir_opnd fpb_opi(struct fpb *f, unsigned vop, struct hir_opnd a, struct hir_opnd b,
			unsigned imm);
struct hir_opnd fpb_op1(struct fpb *f, unsigned vop, struct hir_opnd a);
/* A value of the element's format in every lane. */
struct hir_opnd fpb_const(const struct fpb *f, u64 elem);
struct hir_opnd fpb_abs_mask(const struct fpb *f);
struct hir_opnd fpb_sign_mask(const struct fpb *f);
/* Power of two in the element's format. */
struct hir_opnd fpb_pow2(const struct fpb *f, int e);
struct hir_opnd fpb_abs(struct fpb *f, struct hir_opnd a);

/* Source register; the upper half of a 64-bit vector is zero, so that it raises nothing. */
struct hir_opnd fpb_src(struct fpb *f, unsigned reg);
/* Element `idx` of register `reg`, in every lane that is computed. */
struct hir_opnd fpb_elem(struct fpb *f, unsigned reg, unsigned idx);
/* Writes a result to V[rd], with zeros above it. */
void fpb_finish(struct fpb *f, struct hir_opnd w);

void fpb_bail(struct fpb *f, enum xcc cc);
/* Bail where bits of a 32-bit field of the CPU are set. */
void fpb_bail_state(struct fpb *f, size_t off, u32 bits);
/* Alternative half precision has no place in inline code. */
void fpb_bail_ahp(struct fpb *f);
/* Bail if a lane of w is a NaN. */
void fpb_bail_nan(struct fpb *f, struct hir_opnd w);
/* Bail if a lane of w is a NaN or plus or minus the smallest normal number. */
void fpb_bail_tiny(struct fpb *f, struct hir_opnd w);
/* Bail if a lane of a or b is a NaN, before anything else looks at them. */
void fpb_bail_unordered(struct fpb *f, struct hir_opnd a, struct hir_opnd b);
/* Bail unless |a| < limit in all lanes. */
void fpb_bail_above(struct fpb *f, struct hir_opnd a, struct hir_opnd limit);

/* Builders: 0, or -1 to have the helper do it. */
int build_fp_move(struct fpb *f);
int build_fp_arith(struct fpb *f);
int build_fp_compare(struct fpb *f);
int build_fp_convert(struct fpb *f);
int build_fp_from_int(struct fpb *f); /* integers to floating point: under any FPCR */

#endif

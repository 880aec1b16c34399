/* SPDX-License-Identifier: MIT */
/*
 * Floating-point instructions in C, exactly: where builders send what they do not do inline, and
 * what inline code leaves to when a result needs care (NaNs, tiny results). The whole instruction
 * is executed from and to the state in memory; FPSR flags are ORed into cpu->fpsr.
 */
#ifndef ARMATURE_A64_HELPERS_FP_H
#define ARMATURE_A64_HELPERS_FP_H

#include "dbt/a64/insn.h"
#include "dbt/a64/softfp.h"
#include "dbt/cpu.h"

/* True when helper_fp (fp_exec) knows the operation. */
bool fp_known(unsigned op);
/* 0, or -ENOSYS for an operation that is not a floating-point one. */
int fp_exec(struct dbt_vcpu *cpu, const struct a64_insn *in);

/* helper_fn: decodes and executes `raw`; HELPER_NEXT. */
int helper_fp(struct dbt_vcpu *cpu, u32 raw);
/* helper_fn: the FP access trap of the instruction at pc; HELPER_JUMP. */
int helper_fp_trap(struct dbt_vcpu *cpu, u32 raw);

/* ---- between the files of the helpers ---- */
struct fp_x {
	struct dbt_vcpu *cpu;
	const struct a64_insn *in;
	const struct fp_desc *d;
	struct fp_env env;
	enum fp_fmt f;	/* in->size as a format */
	unsigned lanes; /* of in->size elements in a vector form */
	u8 out[16];	/* goes to V[rd] unless no_v is set; starts as zeros */
	bool no_v;
};

typedef u64 (*fp_un_fn)(struct fp_env *e, enum fp_fmt f, u64 a);
typedef u64 (*fp_bin_fn)(struct fp_env *e, enum fp_fmt f, u64 a, u64 b);

struct fp_desc {
	void (*exec)(struct fp_x *x);
	union {
		fp_un_fn un;
		fp_bin_fn bin;
	};
	u8 rnd;	  /* enum fp_rnd, FP_RND_FPCR */
	u8 flags; /* FPX_* */
	u8 bits;  /* FRINT32, FRINT64 */
};

#define FP_RND_FPCR 0xff
enum {
	FPX_UNS = 1,   /* unsigned integers */
	FPX_NEG_A = 2, /* negate the addend (FNMADD ...) */
	FPX_NEG_N = 4, /* negate the first factor (FMSUB, FMLS) */
	FPX_EXACT = 8, /* FRINTX raises Inexact; FCMPE signals all NaNs */
	FPX_SWAP = 16, /* compare zero with the operand */
	FPX_HIGH = 32, /* second half (FMLAL2) */
};

static inline u64 fp_get(const u8 *v, enum fp_fmt f, unsigned i)
{
	u64 x = 0;

	__builtin_memcpy(&x, v + (i << f), 1u << f);
	return x;
}

static inline void fp_put(u8 *v, enum fp_fmt f, unsigned i, u64 x)
{
	__builtin_memcpy(v + (i << f), &x, 1u << f);
}

static inline enum fp_rnd fpx_rnd(const struct fp_x *x)
{
	return x->d->rnd == FP_RND_FPCR ? FPCR_RMODE(x->env.fpcr) : (enum fp_rnd)x->d->rnd;
}

extern const struct fp_desc fp_descs[A64_NUM_OPS];

/* helpers_fp_exec.c */
void fpx_un_s(struct fp_x *x);
void fpx_un_v(struct fp_x *x);
void fpx_bin_s(struct fp_x *x);
void fpx_bin_v(struct fp_x *x);
void fpx_pair_v(struct fp_x *x);
void fpx_pair_s(struct fp_x *x);
void fpx_across(struct fp_x *x);
void fpx_bin_elem(struct fp_x *x);
void fpx_bin_elem_s(struct fp_x *x);
void fpx_zero_s(struct fp_x *x);
void fpx_zero_v(struct fp_x *x);
void fpx_madd(struct fp_x *x);
void fpx_mla_v(struct fp_x *x);
void fpx_mla_elem(struct fp_x *x);
void fpx_mla_elem_s(struct fp_x *x);
void fpx_fmlal_v(struct fp_x *x);
void fpx_fmlal_elem(struct fp_x *x);
void fpx_cmla_v(struct fp_x *x);
void fpx_cmla_elem(struct fp_x *x);
void fpx_cadd_v(struct fp_x *x);
void fpx_bfdot_v(struct fp_x *x);
void fpx_bfdot_elem(struct fp_x *x);
void fpx_bfmmla(struct fp_x *x);
void fpx_bfmlal_v(struct fp_x *x);
void fpx_bfmlal_elem(struct fp_x *x);
/* helpers_fp_cvt.c */
void fpx_rint_s(struct fp_x *x);
void fpx_rint_v(struct fp_x *x);
void fpx_tofix_s(struct fp_x *x);
void fpx_tofix_v(struct fp_x *x);
void fpx_tofix_gpr(struct fp_x *x);
void fpx_fromfix_s(struct fp_x *x);
void fpx_fromfix_v(struct fp_x *x);
void fpx_fromfix_gpr(struct fp_x *x);
void fpx_fcvt(struct fp_x *x);
void fpx_bfcvt(struct fp_x *x);
void fpx_fcvtl(struct fp_x *x);
void fpx_fcvtn(struct fp_x *x);
void fpx_bfcvtn(struct fp_x *x);
void fpx_fcvtxn_s(struct fp_x *x);
void fpx_fjcvtzs(struct fp_x *x);
void fpx_fcmp(struct fp_x *x);
void fpx_fccmp(struct fp_x *x);
void fpx_urecpe(struct fp_x *x);
void fpx_ursqrte(struct fp_x *x);

#endif

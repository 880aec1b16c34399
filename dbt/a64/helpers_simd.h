/* SPDX-License-Identifier: MIT */
/*
 * AdvSIMD (not floating point) in plain C over cpu->v[]: what a builder falls back to and what the
 * tests compare inline code with. Decodes the raw word by encoding class, independently of
 * insns.def.
 *
 * Threads: the vCPU's own. All functions are helper_fn: HELPER_NEXT, or HELPER_JUMP when an
 * exception was taken (then nothing guest-visible has changed, memory of stores excepted).
 */
#ifndef ARMATURE_A64_HELPERS_SIMD_H
#define ARMATURE_A64_HELPERS_SIMD_H

#include <string.h>

#include "common/types.h"
#include "dbt/a64/insn.h"
#include "dbt/cpu.h"

/* The helper for the class of `raw`, or NULL when it is no AdvSIMD integer/crypto/structure word.
 */
helper_fn simd_helper(u32 raw);

int helper_simd_three_same(struct dbt_vcpu *cpu, u32 raw);
int helper_simd_three_extra(struct dbt_vcpu *cpu, u32 raw);
int helper_simd_three_diff(struct dbt_vcpu *cpu, u32 raw);
int helper_simd_by_elem(struct dbt_vcpu *cpu, u32 raw);
int helper_simd_two_misc(struct dbt_vcpu *cpu, u32 raw);
int helper_simd_across(struct dbt_vcpu *cpu, u32 raw);
int helper_simd_pairwise(struct dbt_vcpu *cpu, u32 raw);
int helper_simd_shift_imm(struct dbt_vcpu *cpu, u32 raw);
int helper_simd_copy(struct dbt_vcpu *cpu, u32 raw);
int helper_simd_permute(struct dbt_vcpu *cpu, u32 raw);
int helper_simd_ext(struct dbt_vcpu *cpu, u32 raw);
int helper_simd_tbl(struct dbt_vcpu *cpu, u32 raw);
int helper_simd_mod_imm(struct dbt_vcpu *cpu, u32 raw);
int helper_simd_aes(struct dbt_vcpu *cpu, u32 raw);
int helper_simd_sha(struct dbt_vcpu *cpu, u32 raw);
int helper_simd_sha512(struct dbt_vcpu *cpu, u32 raw);
int helper_simd_sm(struct dbt_vcpu *cpu, u32 raw);
/* LD1..LD4, ST1..ST4, LD1R..LD4R. */
int helper_simd_ldst(struct dbt_vcpu *cpu, u32 raw);

/* The 64-bit pattern of MOVI/MVNI/ORR/BIC (op inverts for MVNI, BIC: not applied here) and FMOV. */
u64 simd_expand_imm(unsigned op, unsigned cmode, unsigned o2, unsigned imm8);

/* ---- shared by the helper files ---- */
#define SIMD_RD(raw) ((raw)&31)
#define SIMD_RN(raw) ((raw) >> 5 & 31)
#define SIMD_RM(raw) ((raw) >> 16 & 31)
#define SIMD_Q(raw)  ((raw) >> 30 & 1)
#define SIMD_U(raw)  ((raw) >> 29 & 1)
#define SIMD_SZ(raw) ((raw) >> 22 & 3)
/* The scalar classes have bits 31:28 = 01x1. */
#define SIMD_IS_SCALAR(raw) ((raw) >> 28 & 1)

#define FPSR_QC BIT(27)

/* Element i of 1 << sz bytes. */
static inline u64 el_u(const u8 *v, unsigned sz, unsigned i)
{
	u64 x = 0;

	memcpy(&x, v + (i << sz), 1u << sz);
	return x;
}

static inline s64 el_s(const u8 *v, unsigned sz, unsigned i)
{
	return sext64(el_u(v, sz, i), 8u << sz);
}

/* Sign- or zero-extended; s128 holds both kinds of 64-bit elements. */
static inline s128 el_x(const u8 *v, unsigned sz, unsigned i, bool uns)
{
	return uns ? (s128)el_u(v, sz, i) : (s128)el_s(v, sz, i);
}

static inline void el_put(u8 *v, unsigned sz, unsigned i, u64 x)
{
	memcpy(v + (i << sz), &x, 1u << sz);
}

/* Saturates to a signed/unsigned element of `bits`, noting it in *qc. */
static inline u64 simd_sat(s128 x, unsigned bits, bool uns, bool *qc)
{
	s128 max = uns ? ((s128)1 << bits) - 1 : ((s128)1 << (bits - 1)) - 1;
	s128 min = uns ? 0 : -((s128)1 << (bits - 1));

	if (x > max) {
		*qc = true;
		return (u64)max;
	}
	if (x < min) {
		*qc = true;
		return (u64)min;
	}
	return (u64)x;
}

/* How many elements the instruction works on: one when scalar. */
static inline unsigned simd_lanes(u32 raw, unsigned sz)
{
	return SIMD_IS_SCALAR(raw) ? 1 : (8u << SIMD_Q(raw)) >> sz;
}

/* Every AdvSIMD instruction writes the whole register: `d` comes zeroed above the result. */
static inline int simd_finish(struct dbt_vcpu *cpu, u32 raw, const u8 d[16], bool qc)
{
	memcpy(cpu->v[SIMD_RD(raw)], d, 16);
	if (qc)
		cpu->fpsr |= FPSR_QC;
	return HELPER_NEXT;
}

int simd_undef(struct dbt_vcpu *cpu);

enum simd_sat { SAT_NONE, SAT_S, SAT_U };
/* e shifted left by sh (right when negative), optionally rounding and saturating, as an element. */
u64 simd_shift(s128 e, int sh, bool round, enum simd_sat sat, unsigned bits, bool *qc);
/* (2ab [+ acc << bits] [+ 2^(bits-1)]) >> bits, saturated: SQ[R]DMULH, SQRDMLAH/SH (b negated). */
u64 simd_dmulh(s64 a, s64 b, s64 acc, bool round, unsigned bits, bool *qc);
u64 simd_clmul(u64 a, u64 b, unsigned bits, u64 *hi);

#endif

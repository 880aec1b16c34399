/* SPDX-License-Identifier: MIT */
/* What softfp's files share: formats, unpacked numbers, rounding. */
#ifndef ARMATURE_A64_SOFTFP_INTERNAL_H
#define ARMATURE_A64_SOFTFP_INTERNAL_H

#include "dbt/a64/softfp.h"

struct fmt_info {
	u8 bits, ebits, fbits;
	s16 min_exp; /* of a normal number */
};
extern const struct fmt_info fp_fmts[5];

enum fp_type { FPT_ZERO, FPT_FINITE, FPT_INF, FPT_QNAN, FPT_SNAN };

/* FINITE: value = man * 2^(exp - 63) with bit 63 of man set. */
struct fp_num {
	enum fp_type type;
	bool sign;
	int exp;
	u64 man;
};

static inline bool is_nan(const struct fp_num *n)
{
	return n->type >= FPT_QNAN;
}

static inline unsigned clz128(u128 v)
{
	u64 hi = (u64)(v >> 64);

	return hi ? (unsigned)__builtin_clzll(hi) : 64 + (unsigned)__builtin_clzll((u64)v);
}

/* v >> n with everything shifted out ORed into bit 0. */
static inline u128 shr_jam(u128 v, unsigned n)
{
	if (!n)
		return v;
	if (n > 127)
		return v != 0;
	return v >> n | ((v << (128 - n)) != 0);
}

u64 fp_zero_of(enum fp_fmt f, bool sign);
u64 fp_inf_of(enum fp_fmt f, bool sign);
u64 fp_max_normal(enum fp_fmt f, bool sign);
u64 fp_default_nan(enum fp_fmt f);

/* FPUnpack, FPUnpackCV. */
struct fp_num fp_unpack(struct fp_env *e, enum fp_fmt f, u64 v);
struct fp_num fp_unpack_cv(struct fp_env *e, enum fp_fmt f, u64 v);

/* FPProcessNaN of a value known to be a NaN. */
u64 fp_process_nan(struct fp_env *e, enum fp_fmt f, enum fp_type t, u64 v);

/* FPRound of man * 2^(exp - 127), man != 0, where bit 0 may stand for further non-zero bits. */
u64 fp_round(struct fp_env *e, enum fp_fmt f, bool sign, int exp, u128 man, enum fp_rnd r);
/* FPRoundCV: FZ16 is ignored, AHP is honoured. */
u64 fp_round_cv(struct fp_env *e, enum fp_fmt f, bool sign, int exp, u128 man, enum fp_rnd r);

/*
 * The integer part of man * 2^(exp - 63) rounded by r, and whether that was inexact. Values at or
 * beyond 2^66 are cut to 2^66: callers saturate far below.
 */
u128 fp_round_to_int(bool sign, int exp, u64 man, enum fp_rnd r, bool *inexact);

/* Round up after truncation? gt/eq: the part cut off against one half. */
static inline bool fp_rounds_up(enum fp_rnd r, bool sign, bool odd, bool inexact, bool gt, bool eq)
{
	switch (r) {
	case FP_RN: return gt || (eq && odd);
	case FP_RP: return inexact && !sign;
	case FP_RM: return inexact && sign;
	case FP_RA: return gt || eq;
	default: return false;
	}
}

#endif

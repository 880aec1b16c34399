/* SPDX-License-Identifier: MIT */
/* Rule expressions: 64-bit two's complement, shift counts modulo 64 (as rules/lang/expr.c). */
#ifndef ARMATURE_DBT_RULES_EXPR_H
#define ARMATURE_DBT_RULES_EXPR_H

#include "common/types.h"

static inline s64 rx_neg(s64 v)
{
	return (s64)(0 - (u64)v);
}
static inline s64 rx_not(s64 v)
{
	return ~v;
}
static inline s64 rx_lnot(s64 v)
{
	return !v;
}
static inline s64 rx_s32(s64 v)
{
	return v == (s32)v;
}
static inline s64 rx_sx32(s64 v)
{
	return (s32)v;
}
static inline s64 rx_zx32(s64 v)
{
	return (u32)v;
}
static inline s64 rx_simm(s64 v, unsigned w)
{
	return w == 4 ? (s32)v : v;
}
static inline s64 rx_mask(s64 v)
{
	return v <= 0 ? 0 : v >= 64 ? -1 : (s64)(~0ull >> (64 - v));
}
static inline s64 rx_pow2(s64 v)
{
	return v && !((u64)v & ((u64)v - 1));
}
static inline s64 rx_log2(s64 v)
{
	return v ? 63 - __builtin_clzll((u64)v) : 0;
}
static inline s64 rx_add(s64 a, s64 b)
{
	return (s64)((u64)a + (u64)b);
}
static inline s64 rx_sub(s64 a, s64 b)
{
	return (s64)((u64)a - (u64)b);
}
static inline s64 rx_mul(s64 a, s64 b)
{
	return (s64)((u64)a * (u64)b);
}
static inline s64 rx_shl(s64 a, s64 b)
{
	return (s64)((u64)a << (b & 63));
}
static inline s64 rx_sar(s64 a, s64 b)
{
	return a >> (b & 63);
}
static inline s64 rx_shr(s64 a, s64 b)
{
	return (s64)((u64)a >> (b & 63));
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Random AdvSIMD instructions and states for the tests, drawn from the patterns of insns.def.
 * Header only: every test is one program. The sequence depends on the seed alone, so golden hashes
 * hold.
 */
#ifndef ARMATURE_TEST_SIMD_CASES_H
#define ARMATURE_TEST_SIMD_CASES_H

#include <string.h>

#include "common/types.h"
#include "dbt/a64/helpers_simd.h"
#include "simd_record.h"

struct simd_pattern {
	const char *name, *bits;
};

static const struct simd_pattern simd_patterns[] = {
#define INSN(name, bits, ...) {#name, bits},
#define PAT(name, bits, ...)  {#name, bits},
#include "dbt/a64/insns.def"
#undef INSN
#undef PAT
};

struct simd_rng {
	u64 s;
};

static inline u64 rng_next(struct simd_rng *r)
{
	/* splitmix64 */
	u64 z = r->s += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* LDR_vec, STP_vec, ...: loads and stores outside the AdvSIMD classes. */
static inline bool simd_pattern_plain_mem(const struct simd_pattern *p)
{
	return !strncmp(p->name, "LDR_", 4) || !strncmp(p->name, "STR_", 4) ||
			       !strncmp(p->name, "LDP_", 4) || !strncmp(p->name, "STP_", 4)
		       ? strstr(p->name, "_vec") != NULL
		       : false;
}

/* Is this pattern AdvSIMD other than floating point, served by simd_helper()? */
static inline bool simd_pattern_helper(const struct simd_pattern *p)
{
	u32 raw = 0;
	unsigned n = 0;

	if (p->name[0] == 'F' || !strncmp(p->name, "BF", 2) || strstr(p->name, "CVT"))
		return false;
	for (const char *c = p->bits; *c && n < 32; c++)
		if (*c != ' ') {
			raw = raw << 1 | (*c == '1' || *c == 'i' || *c == 'z');
			n++;
		}
	return simd_helper(raw) != NULL;
}

/* In the area of these tests. */
static inline bool simd_pattern_mine(const struct simd_pattern *p)
{
	return simd_pattern_plain_mem(p) || simd_pattern_helper(p);
}

static inline u32 field_set(u32 raw, unsigned lo, u32 v)
{
	return (raw & ~(31u << lo)) | v << lo;
}

static inline u32 simd_random_word(const struct simd_pattern *p, struct simd_rng *r)
{
	u32 raw = 0, rnd = (u32)rng_next(r);
	unsigned n = 0;

	for (const char *c = p->bits; *c; c++) {
		if (*c == ' ')
			continue;
		raw = raw << 1 | (*c == '0' || *c == '1' ? (u32)(*c - '0') : (rnd >> n & 1));
		n++;
	}
	/* Overlapping registers are where sequences go wrong: make them frequent. */
	if (!(rng_next(r) & 3) && strchr(p->bits, 'd') && strchr(p->bits, 'n'))
		raw = field_set(raw, 0, raw >> 5 & 31);
	else if (!(rng_next(r) & 3) && strchr(p->bits, 'd') && strstr(p->bits, "mmmmm"))
		raw = field_set(raw, 0, raw >> 16 & 31);
	return raw;
}

/* General registers are x0-x15 (or 31); memory operands get a base register. */
static inline u32 simd_fix_gprs(u32 raw, struct simd_record *rec)
{
	u32 rn = raw >> 5 & 31;

	rec->base_reg = rec->index_reg = -1;
	if (simd_helper(raw) == helper_simd_copy && !SIMD_U(raw) && !SIMD_IS_SCALAR(raw)) {
		unsigned imm4 = raw >> 11 & 15;

		if ((imm4 == 1 || imm4 == 3) && rn != 31)
			raw = field_set(raw, 5, rn & 15);
		if ((imm4 == 5 || imm4 == 7) && (raw & 31) != 31)
			raw = field_set(raw, 0, raw & 15);
	}
	if (simd_helper(raw) == helper_simd_ldst) {
		rec->base_reg = (int)(rn & 15);
		raw = field_set(raw, 5, rn & 15);
		if ((raw >> 23 & 1) && (raw >> 16 & 31) != 31)
			raw = field_set(raw, 16, (rn & 15) ^ (1 + (raw >> 16 & 7)));
	}
	return raw;
}

/*
 * Keeps a plain load/store inside rec->mem: small immediates and, for register offsets, an index
 * register with a small value (in its low half where that is what counts).
 */
static inline u32 simd_fix_plain_mem(u32 raw, struct simd_record *rec, struct simd_rng *r)
{
	u32 rn = raw >> 5 & 15, small = (u32)rng_next(r) & 7, ext = raw >> 13 & 7;
	unsigned rm = (rn + 1 + small) & 15;

	raw = field_set(raw, 5, rn);
	rec->base_reg = (int)rn;
	rec->index_reg = -1;
	if ((raw >> 24 & 0x3b) == 0x18) { /* literal: base unused, near the instruction */
		rec->base_reg = -1;
		return (raw & ~(0x7ffffu << 5)) | small << 5;
	}
	if ((raw >> 24 & 0x3a) == 0x28) /* pair: -4 .. 3 */
		return (raw & ~(0x7fu << 15)) | ((small - 4) & 0x7f) << 15;
	if (raw >> 24 & 1) /* scaled */
		return (raw & ~(0xfffu << 10)) | small << 10;
	if (!(raw >> 21 & 1)) /* imm9 */
		return (raw & ~(0x1ffu << 12)) | ((((u32)rng_next(r) & 127) - 64) & 0x1ff) << 12;
	rec->index_reg = (int)rm;
	rec->index = ext == 6 || ext == 7 ? (u64)((s64)small - 4) : small;
	if (ext == 2 || ext == 6)
		rec->index = (u32)rec->index | rng_next(r) << 32;
	return field_set(raw, 16, rm);
}

static inline u64 random_half(struct simd_rng *r)
{
	static const u64 special[] = {0,
				      ~0ull,
				      0x8080808080808080,
				      0x7f7f7f7f7f7f7f7f,
				      0x8000800080008000,
				      0x7fff7fff7fff7fff,
				      0x8000000080000000,
				      0x7fffffff7fffffff,
				      0x8000000000000000,
				      0x7fffffffffffffff,
				      0x0001000200030004,
				      0x0101010101010101,
				      0x0000000100000001};
	u64 k = rng_next(r), x = rng_next(r);

	switch (k & 7) {
	case 0: return special[(k >> 8) % ARRAY_SIZE(special)];
	case 1: return special[(k >> 8) % ARRAY_SIZE(special)] ^ (1ull << (x & 63));
	case 2: /* small signed bytes: shift counts and table indices */
		return (x & 0x1f1f1f1f1f1f1f1f) ^ ((x >> 5 & 0x0101010101010101) * 0xff);
	case 3: return x & 0x00ff00ff00ff00ff;
	default: return x;
	}
}

static inline void simd_random_state(struct simd_record *rec, struct simd_rng *r)
{
	for (unsigned i = 0; i < 32; i++)
		for (unsigned h = 0; h < 2; h++)
			el_put(rec->v[i], 3, h, random_half(r));
	for (unsigned i = 0; i < REC_XREGS; i++)
		rec->x[i] = rng_next(r);
	for (unsigned i = 0; i < REC_MEM; i++)
		rec->mem[i] = (u8)rng_next(r);
	rec->fpsr = rng_next(r) & 3 ? 0 : (u32)FPSR_QC;
	rec->sigill = 0;
	if (rec->base_reg >= 0)
		rec->x[rec->base_reg] = 0;
	if (rec->index_reg >= 0)
		rec->x[rec->index_reg] = rec->index;
}

/* FNV-1a over what an instruction may change. */
static inline u64 simd_record_hash(u64 h, const struct simd_record *r)
{
	const u8 *p = (const u8 *)&r->fpsr, *x = (const u8 *)r->x, *end = r->mem + REC_MEM;

	for (unsigned i = 0; i < 4; i++)
		h = (h ^ p[i]) * 0x100000001b3;
	for (; x < end; x++)
		h = (h ^ *x) * 0x100000001b3;
	return h;
}

#endif

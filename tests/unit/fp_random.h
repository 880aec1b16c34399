/* SPDX-License-Identifier: MIT */
/* Random floating-point instructions and register contents for the FP tests. */
#ifndef ARMATURE_TEST_FP_RANDOM_H
#define ARMATURE_TEST_FP_RANDOM_H

#include <stdlib.h>
#include <string.h>

#include "dbt/a64/helpers_fp.h"
#include "fp_record.h"

static const struct enc {
	const char *pattern;
	u16 op;
} encs[] = {
#define INSN(op, pattern, ...) {pattern, A64_##op},
#define PAT(op, pattern, ...)  {pattern, A64_##op},
#include "dbt/a64/insns.def"
#undef INSN
};

static u64 rng_state;

static u64 rnd(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

static u32 random_insn(const char *p)
{
	u32 w = 0;

	for (; *p; p++) {
		if (*p == ' ')
			continue;
		/* x: should-be bits; their other value is CONSTRAINED UNPREDICTABLE */
		w = w << 1 | (*p == '1' ? 1 : *p == '0' ? 0 : (u32)(rnd() & 1));
	}
	return w;
}

static u64 rnd_fp(enum fp_fmt f, u64 near)
{
	unsigned fbits = f == FP_D ? 52 : f == FP_S ? 23 : f == FP_H ? 10 : 7;
	u64 sign = rnd() & 1 ? fp_sign_bit(f) : 0, inf = (fp_mask(f) >> 1) & ~(BIT(fbits) - 1);
	u64 one = (inf >> 1) & ~(BIT(fbits) - 1);

	switch (rnd() % 16) {
	case 0: return sign;
	case 1: return sign | inf;
	case 2: return sign | inf | (rnd() & (BIT(fbits) - 1));
	case 3: return sign | (rnd() & (BIT(fbits) - 1)) >> rnd() % fbits;
	case 4: return sign | (BIT(fbits) + rnd() % 5 - 2);
	case 5: return sign | (inf - 1 - rnd() % 3);
	case 6: return (near + rnd() % 7 - 3) & fp_mask(f);
	case 7: return near ^ fp_sign_bit(f) ^ BIT(rnd() % fbits);
	case 8:
	case 9: return sign | (one + ((rnd() % 8 - 4) << fbits)) | (rnd() & 7) << (fbits - 3);
	case 10:
	case 11:
		return (sign | (one + ((rnd() % 80 - 8) << fbits)) | (rnd() % BIT(fbits))) &
		       fp_mask(f);
	case 12: return rnd() % 5;
	default: return rnd() & fp_mask(f);
	}
}

static void fill(struct fp_record *r)
{
	u64 near = rnd();

	for (unsigned i = 0; i < 32; i++) {
		static const enum fp_fmt fmts[] = {FP_H, FP_S, FP_S, FP_D, FP_D, FP_BF16};
		enum fp_fmt f = fmts[rnd() % 6];
		unsigned bytes = fp_bits(f) / 8;

		for (unsigned j = 0; j < 16; j += bytes) {
			u64 v = rnd_fp(f, near);

			memcpy(&r->v[i][j], &v, bytes);
			near = v;
		}
	}
	for (unsigned i = 0; i < FP_REC_X; i++)
		r->x[i] = rnd() >> (rnd() & 3 ? 0 : rnd() % 64);
	r->nzcv = (u32)(rnd() & 15) << 28;
	r->fpsr = rnd() & 3 ? 0 : (u32)rnd() & 0x0800009f;
	/* Modes mostly plain, so that plain arithmetic is covered as well. */
	r->fpcr =
		rnd() & 1 ? 0 : (u32)rnd() & (FPCR_AHP | FPCR_DN | FPCR_FZ | FPCR_FZ16 | 3u << 22);
	if (rnd() & 1)
		r->fpcr &= ~(u32)(FPCR_FZ | FPCR_FZ16 | FPCR_AHP);
	if (!(rnd() & 7)) { /* flushing, and Inexact recorded already: inline code */
		r->fpcr |= FPCR_FZ;
		r->fpsr |= FPSR_IXC;
	}
}

/* General registers beyond x15 belong to the guest program. */
static void limit_gprs(struct fp_record *r, unsigned op)
{
	void (*ex)(struct fp_x *) = fp_descs[op].exec;

	if ((ex == fpx_tofix_gpr || ex == fpx_fjcvtzs) && (r->raw & 31) != 31)
		r->raw &= ~16u;
	if (ex == fpx_fromfix_gpr && (r->raw >> 5 & 31) != 31)
		r->raw &= ~(16u << 5);
}

static inline void fp_random_seed(void)
{
	const char *seed = getenv("SEED");

	rng_state = seed ? strtoull(seed, NULL, 0) : 0x9e3779b97f4a7c15;
	printf("SEED=%#llx\n", (unsigned long long)rng_state);
}

#endif

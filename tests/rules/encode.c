/* SPDX-License-Identifier: MIT */
#include "tests/rules/encode.h"

#include <string.h>

/* The decoder's own patterns; an op may have several. */
static const struct {
	u16 op;
	const char *text;
} patterns[] = {
#define INSN(op, pat, ...) {A64_##op, pat},
#define PAT(op, pat, ...)  {A64_##op, pat},
#include "dbt/a64/insns.def"
#undef INSN
#undef PAT
};

/* sf means nothing where the encoding has no such bit; hints have operands that rules do not name.
 */
static bool same(const struct a64_insn *a, const struct a64_insn *b, bool has_sf)
{
	if (a->op == A64_NOP || a->op == A64_YIELD)
		return a->op == b->op;
	return a->op == b->op && (a->sf == b->sf || !has_sf) && a->rd == b->rd && a->rn == b->rn &&
	       a->rm == b->rm && a->ra == b->ra && a->cond == b->cond && a->shift == b->shift &&
	       a->amount == b->amount && a->amode == b->amode && a->size == b->size &&
	       a->sx == b->sx && a->immr == b->immr && a->imms == b->imms && a->imm == b->imm;
}

/* Fixed bits and plain register fields go to *bits, what must be searched to *open. */
static void fill(const char *text, const struct a64_insn *want, u32 *bits, u32 *open)
{
	int bit = 31;

	*bits = *open = 0;
	for (const char *p = text; *p; p++) {
		if (*p == ' ')
			continue;
		if (*p == '1')
			*bits |= 1u << bit;
		else if (*p == 'd' && bit < 5)
			*bits |= want->rd & 1u << bit;
		else if (*p == 'n' && bit >= 5 && bit < 10)
			*bits |= (u32)want->rn << 5 & 1u << bit;
		else if (*p == 'm' && bit >= 16 && bit < 21)
			*bits |= (u32)want->rm << 16 & 1u << bit;
		else if (*p != '0' && *p != 'x')
			*open |= 1u << bit;
		bit--;
	}
}

bool a64_encode(struct a64_insn *want)
{
	for (size_t k = 0; k < 2 * ARRAY_SIZE(patterns); k++) {
		size_t i = k % ARRAY_SIZE(patterns), pass = k / ARRAY_SIZE(patterns);
		u32 bits, open, s = 0;
		struct a64_insn got;

		if (patterns[i].op != want->op)
			continue;
		fill(patterns[i].text, want, &bits, &open);
		if (__builtin_popcount(open) > 24) { /* B, BL */
			bits |= (u32)(want->imm >> 2) & open;
			open = 0;
		}
		do {
			a64_decode(bits | s, &got);
			if (same(&got, want, pass == 0)) {
				*want = got;
				return true;
			}
			s = (s - open) & open;
		} while (s);
	}
	return false;
}

/* SPDX-License-Identifier: MIT */
/* Blocks of an execution profile, translated again by the rules that are compiled in. */
#ifndef ARMATURE_RULES_EVAL_H
#define ARMATURE_RULES_EVAL_H

#include <stdio.h>

#include "dbt/rules.h"
#include "dbt/translate.h"

/* A line of a profile: a block. */
struct line {
	u64 count;
	unsigned mode, live, n;
	u32 word[64];
};

bool parse_line(char *s, struct line *l);
/* In-line host instructions of the block with the rules of `mode`; 0: it cannot be translated. */
unsigned translate(const struct line *l, enum dbt_rules_mode mode, struct tr *tr);

/* What sequences with gaps would save in the profile f, which must be seekable; to stdout. */
void eval_gaps(FILE *f);

#endif

/* SPDX-License-Identifier: MIT */
/* Seeded errors: mutants of rules, to test checker and prover with. */
#ifndef ARMATURE_RULES_MUTATE_H
#define ARMATURE_RULES_MUTATE_H

#include "rules/lang/rule.h"

struct mutant {
	struct rule r;
	char what[96];
	bool condition; /* a when was dropped: the rule may just have become more general */
};

/* Makes one change of its kind somewhere; false: this rule has no place for it, *m is spoilt. */
struct mutation {
	const char *name;
	bool (*apply)(struct mutant *m, u64 *seed);
};

extern const struct mutation mutations[];
extern const unsigned n_mutations;

/* A copy to change; one mutant at a time. */
void mutant_init(struct mutant *m, const struct rule *r);

#endif

/* SPDX-License-Identifier: MIT */
/* Rule compiler: from checked rules to the C file that dbt/rules.c includes. */
#ifndef ARMATURE_RULES_GEN_H
#define ARMATURE_RULES_GEN_H

#include <stdio.h>

#include "rules/lang/rule.h"

enum rule_set_kind { SET_BASE, SET_LEARNED };

/* A rule to be compiled in; id = its index in the generated tables. */
struct gen_rule {
	const struct rule *r;
	const char *file;
	enum rule_set_kind set;
	int id;
};

struct gen {
	FILE *out;
	struct gen_rule *rules;
	int nrules, cap;
};

/* rules/compile/emit.c: one function per rule */
void gen_rule_function(FILE *out, const struct gen_rule *gr);

/* rules/compile/tables.c: dispatch. Returns 0 or -1 with a message printed. */
int gen_tables(struct gen *g);

/* rules/compile/proofs.c: is there a record of a proof of this text under this model? */
struct proofs;
struct proofs *proofs_load(const char *const *files, int n, const char *model);
bool proofs_have(const struct proofs *p, const char *hash);
void proofs_free(struct proofs *p);

#endif

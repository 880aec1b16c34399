/* SPDX-License-Identifier: MIT */
/* Proof records, one line a rule: RULE-HASH MODEL-HASH instances milliseconds result NAME */
#ifndef ARMATURE_RULES_RECORDS_H
#define ARMATURE_RULES_RECORDS_H

#include <stdio.h>

#include "rules/lang/rule.h"

struct record {
	char hash[65], result[16], name[RULE_NAME_LEN];
	int instances;
	double ms;
};
struct records {
	struct record *v;
	int n, cap;
};

/* Proved records made with this model; a missing file is no records. */
void records_read(struct records *r, const char *path, const char *model);
/* Worker output: the same without the model's hash. */
void records_read_results(struct records *r, FILE *f);
const struct record *records_find(const struct records *r, const char *hash);
/* Writes the records of the set's rules that are proved, newest first, in the set's order. */
int records_write(const char *path, const char *model, const struct ruleset *rs,
		  const struct records *old, const struct records *new);
void records_free(struct records *r);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Translation rules at run time: the tables rules/compile wrote, and who used them. rules_apply()
 * is declared in dbt/hir.h.
 */
#ifndef ARMATURE_DBT_RULES_H
#define ARMATURE_DBT_RULES_H

#include "common/types.h"

struct rule_info {
	const char *name, *file;
	const char *from; /* provenance of a learned rule, "" else */
	const char *text; /* as written */
	u16 line;
	u8 learned;
	u8 nguest; /* guest instructions covered */
	u8 nhost;  /* HIR operations, at most */
	u16 cost;  /* tenths of a host operation */
};

/*
 * armature rules list | show NAME... | stats | match FILE: argv starts behind "rules". Prints to
 * stdout, returns an exit status. FILE: assembly (.s, assembled by aarch64-linux-gnu-as) or
 * instruction words in hexadecimal.
 */
int rules_command(int argc, char **argv);

/* An op has rules of its own (what it starts or is alone). */
bool rules_have_op(unsigned op);

extern const unsigned rules_count;
extern const struct rule_info rules_info[]; /* rules_count of them, rule id = index */

#endif

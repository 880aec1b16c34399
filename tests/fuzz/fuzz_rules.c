/* SPDX-License-Identifier: MIT */
/*
 * Rule files: whatever the text is, parser, checker and compiler neither crash nor hang; what they
 * accept can be evaluated and expanded for any parameters the conditions allow.
 */
#include <stdio.h>

#include "rules/compile/gen.h"
#include "rules/prove/concrete.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

struct expand {
	const struct rule *r;
	u64 seed;
	unsigned left;
};

static bool expand_instance(void *arg, const struct instance *in)
{
	static struct hir_buf buf;
	struct expand *x = arg;
	s64 param[RULE_MAX_PARAMS] = {0};
	struct conc_state st;

	if (!x->left--)
		return false;
	if (!conc_params(x->r, in, param, &x->seed))
		return true;
	conc_expand(x->r, in, param, &buf);
	conc_state_random(&st, &x->seed);
	for (unsigned i = 0; i < buf.n; i++)
		conc_exec(&st, &buf.op[i]);
	return true;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct ruleset *rs = ruleset_parse("fuzz", (const char *)data, size);
	struct gen_rule rules[64];
	static FILE *null;
	struct gen g = {.rules = rules};

	if (!null)
		null = fopen("/dev/null", "w");
	if (!rs || !null)
		return 0;
	g.out = null;
	for (int i = 0; i < rs->nrules && !rs->nerrors && g.nrules < 64; i++) {
		struct expand x = {rs->rules[i], size, 8};

		rules[g.nrules] = (struct gen_rule){rs->rules[i], "fuzz", SET_BASE, g.nrules};
		gen_rule_function(null, &rules[g.nrules++]);
		for_each_instance(rs->rules[i], expand_instance, &x);
	}
	if (g.nrules)
		gen_tables(&g);
	ruleset_free(rs);
	return 0;
}

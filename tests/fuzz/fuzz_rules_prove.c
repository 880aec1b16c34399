/* SPDX-License-Identifier: MIT */
/* The prover on rules nobody would write: it may refute, give up or refuse, not crash. */
#include "rules/prove/prove.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static bool count(void *arg, const struct instance *in)
{
	return ++*(int *)arg < 5;
}

/* Each instance may take the solver's time limit, and again value by value. */
static bool few_instances(const struct rule *r)
{
	int n = 0;

	for_each_instance(r, count, &n);
	return n < 5;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct ruleset *rs = ruleset_parse("fuzz", (const char *)data, size);
	struct proof p;

	prove_limit = 60000;
	if (rs && !rs->nerrors && rs->nrules && rs->nrules < 4)
		for (int i = 0; i < rs->nrules; i++)
			if (few_instances(rs->rules[i]))
				prove_rule(rs->rules[i], &p);
	ruleset_free(rs);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* The prover on rules nobody would write: it may refute, give up or refuse, not crash. */
#include "rules/prove/prove.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct ruleset *rs = ruleset_parse("fuzz", (const char *)data, size);
	struct proof p;

	prove_timeout_ms = 50;
	if (rs && !rs->nerrors && rs->nrules && rs->nrules < 4)
		for (int i = 0; i < rs->nrules; i++)
			prove_rule(rs->rules[i], &p);
	ruleset_free(rs);
	return 0;
}

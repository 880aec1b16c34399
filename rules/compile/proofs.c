/* SPDX-License-Identifier: MIT */
/*
 * Proof records: lines "RULE-HASH MODEL-HASH instances milliseconds proved NAME" as rules/prove
 * writes them. A rule is let through when a record has the hash of its text and of the semantic
 * model.
 */
#include <stdlib.h>
#include <string.h>

#include "rules/compile/gen.h"

struct proofs {
	char (*hash)[65];
	size_t n, cap;
};

static int cmp_hash(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void proofs_read(struct proofs *p, const char *file, const char *model)
{
	FILE *f = fopen(file, "r");
	char line[512], hash[65], mod[65], result[16];

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%64s %64s %*s %*s %15s", hash, mod, result) != 3)
			continue;
		if (strcmp(mod, model) || strcmp(result, "proved"))
			continue;
		if (p->n == p->cap) {
			size_t cap = p->cap ? p->cap * 2 : 1024;
			void *v = realloc(p->hash, cap * sizeof(*p->hash));

			if (!v)
				break;
			p->hash = v;
			p->cap = cap;
		}
		strcpy(p->hash[p->n++], hash);
	}
	fclose(f);
}

struct proofs *proofs_load(const char *const *files, int n, const char *model)
{
	struct proofs *p = calloc(1, sizeof(*p));

	for (int i = 0; p && i < n; i++)
		proofs_read(p, files[i], model);
	if (p && p->n)
		qsort(p->hash, p->n, sizeof(*p->hash), cmp_hash);
	return p;
}

bool proofs_have(const struct proofs *p, const char *hash)
{
	return p->n && bsearch(hash, p->hash, p->n, sizeof(*p->hash), cmp_hash);
}

void proofs_free(struct proofs *p)
{
	if (p)
		free(p->hash);
	free(p);
}

/* SPDX-License-Identifier: MIT */
#include "rules/prove/records.h"

#include <stdlib.h>
#include <string.h>

#include "rules/lang/replace.h"

static void add(struct records *r, const struct record *rec)
{
	if (r->n == r->cap) {
		int cap = r->cap ? r->cap * 2 : 256;
		struct record *v = realloc(r->v, (size_t)cap * sizeof(*v));

		if (!v)
			return;
		r->v = v;
		r->cap = cap;
	}
	r->v[r->n++] = *rec;
}

static int by_hash(const void *a, const void *b)
{
	return strcmp(((const struct record *)a)->hash, ((const struct record *)b)->hash);
}

/* What is searched is sorted. */
static void sort(struct records *r)
{
	if (r->n)
		qsort(r->v, (size_t)r->n, sizeof(*r->v), by_hash);
}

const struct record *records_find(const struct records *r, const char *hash)
{
	struct record key;

	if (!r->n)
		return NULL;
	memcpy(key.hash, hash, sizeof(key.hash));
	return bsearch(&key, r->v, (size_t)r->n, sizeof(*r->v), by_hash);
}

void records_read(struct records *r, const char *path, const char *model)
{
	FILE *f = fopen(path, "r");
	char line[512], mod[65];
	struct record rec;

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		memset(&rec, 0, sizeof(rec));
		if (sscanf(line, "%64s %64s %d %lf %15s %63s", rec.hash, mod, &rec.instances,
			   &rec.ms, rec.result, rec.name) == 6 &&
		    !strcmp(mod, model) && !strcmp(rec.result, "proved"))
			add(r, &rec);
	}
	fclose(f);
	sort(r);
}

void records_read_results(struct records *r, FILE *f)
{
	char line[512];
	struct record rec;

	while (fgets(line, sizeof(line), f)) {
		memset(&rec, 0, sizeof(rec));
		if (sscanf(line, "%64s %d %lf %15s %63s", rec.hash, &rec.instances, &rec.ms,
			   rec.result, rec.name) == 5)
			add(r, &rec);
	}
	sort(r);
}

int records_write(const char *path, const char *model, const struct ruleset *rs,
		  const struct records *old, const struct records *new)
{
	FILE *f = replace_open(path);

	if (!f)
		return -1;
	for (int i = 0; i < rs->nrules; i++) {
		const struct record *rec = records_find(new, rs->rules[i]->hash);

		if (!rec)
			rec = records_find(old, rs->rules[i]->hash);
		if (rec && !strcmp(rec->result, "proved"))
			fprintf(f, "%s %s %d %.0f %s %s\n", rec->hash, model, rec->instances,
				rec->ms, rec->result, rs->rules[i]->name);
	}
	return replace_close(f, path);
}

void records_free(struct records *r)
{
	free(r->v);
	memset(r, 0, sizeof(*r));
}

/* SPDX-License-Identifier: MIT */
/*
 * Dispatch tables. An instruction's key is a small number given to its op, plus the addressing
 * mode. Single-instruction rules: an array by key. Longer rules: a perfect hash on the keys of the
 * first two instructions, by row displacement (each first key owns a row of second keys; the rows
 * are shifted until they fit into one array without collision, and an entry names its row).
 */
#include <stdlib.h>
#include <string.h>

#include "rules/compile/gen.h"

#define KEY_STEP 8 /* addressing modes per op */

struct tables {
	struct gen *g;
	int key[A64_NUM_OPS]; /* 0: no rule mentions the op */
	int nkeys;	      /* exclusive upper bound of keys */
	u16 *cand;	      /* rule ids, bucket after bucket */
	int ncand;
};

static int cmp_rules(const void *pa, const void *pb)
{
	const struct gen_rule *a = *(struct gen_rule *const *)pa;
	const struct gen_rule *b = *(struct gen_rule *const *)pb;

	if (a->r->nguest != b->r->nguest)
		return b->r->nguest - a->r->nguest;
	if (a->r->cost != b->r->cost)
		return a->r->cost - b->r->cost;
	if (a->r->special != b->r->special)
		return b->r->special - a->r->special;
	return a->id - b->id;
}

static int guest_members(const struct rule *r, int k, const int **ops)
{
	const struct ginsn *g = &r->guest[k];

	if (g->op >= 0) {
		*ops = &g->op;
		return 1;
	}
	*ops = r->vars[g->cls_var].cls->guest;
	return r->vars[g->cls_var].cls->nrows;
}

static void assign_keys(struct tables *t)
{
	t->nkeys = KEY_STEP;
	for (int i = 0; i < t->g->nrules; i++)
		for (int k = 0; k < t->g->rules[i].r->nguest && k < 2; k++) {
			const int *ops;
			int n = guest_members(t->g->rules[i].r, k, &ops);

			for (int j = 0; j < n; j++)
				if (!t->key[ops[j]]) {
					t->key[ops[j]] = t->nkeys;
					t->nkeys += KEY_STEP;
				}
		}
}

static bool rule_has_key(struct tables *t, const struct rule *r, int k, int key)
{
	const int *ops;
	int n = guest_members(r, k, &ops);

	for (int j = 0; j < n; j++)
		if (t->key[ops[j]] + r->guest[k].amode == key)
			return true;
	return false;
}

static void write_single(struct tables *t, struct gen_rule **order)
{
	FILE *o = t->g->out;

	fprintf(o, "static const struct rule_bucket rule_single[%d] = {\n", t->nkeys);
	for (int key = KEY_STEP; key < t->nkeys; key++) {
		int start = t->ncand;

		for (int i = 0; i < t->g->nrules; i++)
			if (order[i]->r->nguest == 1 && rule_has_key(t, order[i]->r, 0, key))
				t->cand[t->ncand++] = (u16)order[i]->id;
		if (t->ncand > start)
			fprintf(o, "\t[%d] = {%d, %d},\n", key, start, t->ncand - start);
	}
	fprintf(o, "};\n\n");
}

struct pair_table {
	u16 *owner; /* key of the row an entry belongs to */
	int *start, *n;
	int used, cap;
	u16 *disp;
};

/* Fills row[k1] with the range of candidates; returns how many entries. */
static int collect_row(struct tables *t, struct gen_rule **order, int k0, int *start, int *n)
{
	int entries = 0;

	memset(n, 0, (size_t)t->nkeys * sizeof(*n));
	for (int k1 = KEY_STEP; k1 < t->nkeys; k1++) {
		start[k1] = t->ncand;
		for (int i = 0; i < t->g->nrules; i++)
			if (order[i]->r->nguest > 1 && rule_has_key(t, order[i]->r, 0, k0) &&
			    rule_has_key(t, order[i]->r, 1, k1))
				t->cand[t->ncand++] = (u16)order[i]->id;
		n[k1] = t->ncand - start[k1];
		entries += n[k1] > 0;
	}
	return entries;
}

static void place_row(struct tables *t, struct pair_table *p, int k0, const int *start,
		      const int *n)
{
	for (int d = 0;; d++) {
		bool fits = true;

		for (int k1 = 0; k1 < t->nkeys && fits; k1++)
			fits = !n[k1] || !p->owner[d + k1];
		if (!fits)
			continue;
		p->disp[k0] = (u16)d;
		for (int k1 = 0; k1 < t->nkeys; k1++)
			if (n[k1]) {
				p->owner[d + k1] = (u16)k0;
				p->start[d + k1] = start[k1];
				p->n[d + k1] = n[k1];
			}
		if (d + t->nkeys > p->used)
			p->used = d + t->nkeys;
		return;
	}
}

static void write_pairs(struct tables *t, struct gen_rule **order)
{
	FILE *o = t->g->out;
	/* At worst every row has a place of its own. */
	size_t cap = (size_t)t->nkeys * (size_t)t->nkeys + (size_t)t->nkeys;
	struct pair_table p = {.owner = calloc(cap, sizeof(u16)),
			       .start = calloc(cap, sizeof(int)),
			       .n = calloc(cap, sizeof(int)),
			       .used = t->nkeys,
			       .disp = calloc((size_t)t->nkeys, sizeof(u16))};
	int *start = calloc((size_t)t->nkeys, sizeof(int));
	int *n = calloc((size_t)t->nkeys, sizeof(int));

	for (int k0 = KEY_STEP; k0 < t->nkeys; k0++)
		if (collect_row(t, order, k0, start, n))
			place_row(t, &p, k0, start, n);
	fprintf(o, "static const u16 rule_pair_row[%d] = {\n", t->nkeys);
	for (int k = 0; k < t->nkeys; k++)
		if (p.disp[k])
			fprintf(o, "\t[%d] = %d,\n", k, p.disp[k]);
	fprintf(o, "};\n\nstatic const struct rule_pair rule_pair[%d] = {\n", p.used);
	for (int i = 0; i < p.used; i++)
		if (p.owner[i])
			fprintf(o, "\t[%d] = {%d, {%d, %d}},\n", i, p.owner[i], p.start[i], p.n[i]);
	fprintf(o, "};\n\n");
	free(p.owner);
	free(p.start);
	free(p.n);
	free(p.disp);
	free(start);
	free(n);
}

static void write_string(FILE *o, const char *s)
{
	fputc('"', o);
	for (; *s; s++)
		if (*s == '\n')
			fputs("\\n", o);
		else if (*s == '\t')
			fputs("\\t", o);
		else if (*s == '"' || *s == '\\')
			fprintf(o, "\\%c", *s);
		else if ((unsigned char)*s >= ' ')
			fputc(*s, o);
	fputc('"', o);
}

static void write_info(struct gen *g)
{
	fprintf(g->out, "const unsigned rules_count = %d;\n", g->nrules);
	fprintf(g->out, "const struct rule_info rules_info[] = {\n");
	for (int i = 0; i < g->nrules; i++) {
		const struct gen_rule *r = &g->rules[i];

		fprintf(g->out, "\t{\"%s\", \"%s\", \"%s\", ", r->r->name, r->file,
			r->r->from ? r->r->from : "");
		write_string(g->out, r->r->text);
		fprintf(g->out, ", %d, %d, %d, %d, %d},\n", r->r->loc.line, r->set == SET_LEARNED,
			r->r->nguest, r->r->nhost, r->r->cost);
	}
	fprintf(g->out, "};\n\nstatic const rule_fn rule_fns[] = {\n");
	for (int i = 0; i < g->nrules; i++)
		fprintf(g->out, "\trule_%s,\n", g->rules[i].r->name);
	fprintf(g->out, "};\n\nstatic const struct rule_head rule_heads[] = {\n");
	for (int i = 0; i < g->nrules; i++)
		fprintf(g->out, "\t{%d, %d},\n", g->rules[i].r->nguest,
			g->rules[i].set == SET_LEARNED);
	fprintf(g->out, "};\n\n");
}

int gen_tables(struct gen *g)
{
	struct tables t = {.g = g};
	struct gen_rule **order = malloc((size_t)g->nrules * sizeof(*order));
	size_t ncand = 0;

	for (int i = 0; i < g->nrules; i++) {
		const int *ops;
		size_t m = (size_t)guest_members(g->rules[i].r, 0, &ops);

		if (g->rules[i].r->nguest > 1)
			m *= (size_t)guest_members(g->rules[i].r, 1, &ops);
		ncand += m;
		order[i] = &g->rules[i];
	}
	t.cand = malloc(ncand * sizeof(*t.cand));
	if (ncand > 65535) {
		fprintf(stderr, "rules-compile: %zu candidates, more than 65535\n", ncand);
		return -1;
	}
	qsort(order, (size_t)g->nrules, sizeof(*order), cmp_rules);
	assign_keys(&t);
	fprintf(g->out, "static const u16 rule_key[A64_NUM_OPS] = {\n");
	for (int i = 0; i < A64_NUM_OPS; i++)
		if (t.key[i])
			fprintf(g->out, "\t[A64_%s] = %d,\n", gop_name(i), t.key[i]);
	fprintf(g->out, "};\n\n");
	write_single(&t, order);
	write_pairs(&t, order);
	fprintf(g->out, "static const u16 rule_cand[] = {");
	for (int i = 0; i < t.ncand; i++)
		fprintf(g->out, "%s%d,", i % 16 ? " " : "\n\t", t.cand[i]);
	fprintf(g->out, "\n};\n\n");
	write_info(g);
	free(t.cand);
	free(order);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Build-time generator: insns.def -> the decoder's tables, the list of forms, op names and flags.
 *
 * The decoder is a tree of table lookups: a node takes a contiguous bit range of the word as index
 * into its slice of one u16 array, which gives the next node or a short list of patterns to
 * compare. Tables instead of nested switches: the dependent loads hit L1, and the only branch that
 * is hard to predict is the call of the form.
 *
 * Usage: gen_decode TABLES.inc FORMS.inc
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
	const char *op, *pattern, *form, *flags;
	bool main;
	int op_id, form_id, bits;
	uint32_t mask, value;
};

#define INSN(name, pat, frm, flg, ...) \
	{.op = #name, .pattern = pat, .form = #frm, .flags = flg, .main = true},
#define PAT(name, pat, frm, ...) {.op = #name, .pattern = pat, .form = #frm},
static struct row rows[] = {
#include "dbt/a64/insns.def"
};
#undef INSN

enum {
	NROWS = sizeof(rows) / sizeof(rows[0]),
	MAX_NODES = 2048,
	MAX_SLOTS = 32768,
	MAX_FORMS = 255,
	MAX_LEAVES = 8192,
	LEAF = 0x8000,
	ROOT_BITS = 11,
	NODE_BITS = 7,
	SCAN = 2
};

/* A set of rows, ascending by row number (rows are sorted: more fixed bits first). */
struct set {
	int n;
	int row[NROWS];
};

struct node {
	int shift, bits, base;
	struct set set;
};

static const char *forms[MAX_FORMS];
static int nforms;
static struct node *nodes;
static int nnodes;
static uint16_t slots[MAX_SLOTS];
static int nslots;
static int leaves[MAX_LEAVES]; /* row numbers, -1 ends a list */
static int nleaves;

static void die(const char *what, const char *arg)
{
	fprintf(stderr, "gen_decode: %s: %s\n", what, arg);
	exit(1);
}

static void row_parse(struct row *r)
{
	int n = 0;

	for (const char *c = r->pattern; *c; c++) {
		if (*c == ' ')
			continue;
		r->mask = r->mask << 1 | (*c == '0' || *c == '1');
		r->value = r->value << 1 | (*c == '1');
		n++;
	}
	if (n != 32)
		die("pattern is not 32 bits", r->pattern);
	r->bits = __builtin_popcount(r->mask);
	int f = 0;
	while (f < nforms && strcmp(forms[f], r->form))
		f++;
	if (f == nforms) {
		if (nforms == MAX_FORMS)
			die("too many forms", r->form);
		forms[nforms++] = r->form;
	}
	r->form_id = f;
}

static int row_cmp(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->bits != y->bits)
		return y->bits - x->bits;
	return (x->value > y->value) - (x->value < y->value);
}

/* Two patterns that overlap with equally many fixed bits have no order: the table is wrong. */
static void check_overlap(void)
{
	for (int i = 0; i < NROWS; i++)
		for (int j = i + 1; j < NROWS; j++) {
			uint32_t common = rows[i].mask & rows[j].mask;
			if (!((rows[i].value ^ rows[j].value) & common) &&
			    rows[i].bits == rows[j].bits)
				die("ambiguous patterns", rows[i].op);
		}
}

static bool row_matches(const struct row *r, int shift, int bits, uint32_t idx)
{
	uint32_t m = (r->mask >> shift) & ((1u << bits) - 1);

	return !(((r->value >> shift) ^ idx) & m);
}

static void set_filter(const struct set *s, int shift, int bits, uint32_t idx, struct set *out)
{
	out->n = 0;
	for (int i = 0; i < s->n; i++) {
		if (!row_matches(&rows[s->row[i]], shift, bits, idx))
			continue;
		out->row[out->n++] = s->row[i];
	}
}

/* Rows that an instruction of row i, its free bits random, still has to be told from. */
static double rows_left(const struct set *s, int i, uint32_t range)
{
	const struct row *a = &rows[s->row[i]];
	double sum = 0;

	for (int j = 0; j < s->n; j++) {
		const struct row *b = &rows[s->row[j]];
		if ((a->value ^ b->value) & a->mask & b->mask & range)
			continue;
		sum += 1.0 / (1u << __builtin_popcount(b->mask & ~a->mask & range));
	}
	return sum;
}

/* The range of bits that discriminates best; 0 bits when none does. */
static void choose_range(const struct set *s, int *shift, int *bits)
{
	double best = (double)s->n * s->n;

	*bits = 0;
	for (int b = 1; b <= NODE_BITS; b++)
		for (int sh = 0; sh + b <= 32; sh++) {
			double sum = 0;
			for (int i = 0; i < s->n; i++)
				sum += rows_left(s, i, ((1u << b) - 1) << sh);
			if (sum < best - 0.01) {
				best = sum;
				*shift = sh;
				*bits = b;
			}
		}
}

static int leaf_list(const struct set *s)
{
	int n = s->n;

	for (int at = 0; at + n < nleaves; at++)
		if ((at == 0 || leaves[at - 1] < 0) && leaves[at + n] < 0 &&
		    !memcmp(&leaves[at], s->row, n * sizeof(int)))
			return at;
	if (nleaves + n + 1 > MAX_LEAVES)
		die("too many leaves", "");
	int at = nleaves;
	for (int i = 0; i < n; i++)
		leaves[nleaves++] = s->row[i];
	leaves[nleaves++] = -1;
	return at;
}

static int build(const struct set *s, int shift, int bits)
{
	struct set *child = malloc(sizeof(*child));
	int id = nnodes++, base = nslots;

	if (nnodes > MAX_NODES || nslots + (1 << bits) > MAX_SLOTS)
		die("tree too large", "");
	nodes[id].shift = shift;
	nodes[id].bits = bits;
	nodes[id].base = base;
	nodes[id].set = *s;
	nslots += 1 << bits;
	for (uint32_t idx = 0; idx < 1u << bits; idx++) {
		int sh, b = 0, to = -1;

		set_filter(s, shift, bits, idx, child);
		if (child->n > SCAN)
			choose_range(child, &sh, &b);
		if (!b) {
			slots[base + idx] = LEAF | leaf_list(child);
			continue;
		}
		for (int i = 0; i < nnodes && to < 0; i++)
			if (nodes[i].set.n == child->n &&
			    !memcmp(nodes[i].set.row, child->row, child->n * sizeof(int)))
				to = i;
		slots[base + idx] = to >= 0 ? to : build(child, sh, b);
	}
	free(child);
	return id;
}

static void write_flags(FILE *f, const char *flags)
{
	char buf[128], *save;

	snprintf(buf, sizeof(buf), "%s", flags);
	fputs("0", f);
	for (char *w = strtok_r(buf, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		fputs(" | A64F_", f);
		for (; *w; w++)
			fputc(*w - 'a' + 'A', f);
	}
}

static void write_tables(FILE *f)
{
	fputs("/* Generated by gen_decode from insns.def. */\n", f);
	fputs("static const struct decode_node decode_nodes[] = {\n", f);
	for (int i = 0; i < nnodes; i++)
		fprintf(f, "\t{%d, 0x%x, %d},\n", nodes[i].shift, (1u << nodes[i].bits) - 1,
			nodes[i].base);
	fprintf(f, "};\n\nstatic const u16 decode_slots[%d] = {", nslots);
	for (int i = 0; i < nslots; i++)
		fprintf(f, "%s%d,", i % 16 ? " " : "\n\t", slots[i]);
	fputs("\n};\n\nstatic const struct decode_leaf decode_leaves[] = {\n", f);
	for (int i = 0; i < nleaves; i++) {
		const struct row *r = leaves[i] < 0 ? NULL : &rows[leaves[i]];
		if (!r)
			fputs("\t{0, 0, A64_UNDEF, FORM_none},\n", f);
		else
			fprintf(f, "\t{0x%08x, 0x%08x, A64_%s, FORM_%s},\n", r->mask, r->value,
				r->op, r->form);
	}
	fputs("};\n\nstatic const u32 op_flags[A64_NUM_OPS] = {\n", f);
	for (int i = 0; i < NROWS; i++) {
		if (!rows[i].main)
			continue;
		fprintf(f, "\t[A64_%s] = ", rows[i].op);
		write_flags(f, rows[i].flags);
		fputs(",\n", f);
	}
	fputs("};\n\nstatic const u8 op_form[A64_NUM_OPS] = {\n", f);
	for (int i = 0; i < NROWS; i++)
		if (rows[i].main)
			fprintf(f, "\t[A64_%s] = FORM_%s,\n", rows[i].op, rows[i].form);
	fputs("};\n", f);
}

int main(int argc, char **argv)
{
	static struct set all;

	if (argc != 3)
		die("usage", "gen_decode TABLES.inc FORMS.inc");
	for (int i = 0; i < NROWS; i++)
		row_parse(&rows[i]);
	qsort(rows, NROWS, sizeof(rows[0]), row_cmp);
	check_overlap();
	nodes = calloc(MAX_NODES, sizeof(*nodes));
	for (int i = 0; i < NROWS; i++)
		all.row[all.n++] = i;
	build(&all, 32 - ROOT_BITS, ROOT_BITS);

	FILE *f = fopen(argv[1], "w");
	if (!f)
		die("cannot write", argv[1]);
	write_tables(f);
	if (fclose(f))
		die("cannot write", argv[1]);
	f = fopen(argv[2], "w");
	if (!f)
		die("cannot write", argv[2]);
	for (int i = 0; i < nforms; i++)
		fprintf(f, "FORM(%s)\n", forms[i]);
	if (fclose(f))
		die("cannot write", argv[2]);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * insn-tally --add TALLY CASES: adds the instruction instances of a case file to a tally, by
 * encoding. insn-tally --table TALLY: the conformance table (Markdown): every encoding of the
 * decoder's table and how many instances of it have been compared with qemu-user.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/a64/insn.h"
#include "tests/insn/caseio.h"

static const struct row {
	const char *name, *pattern, *feature;
} rows[] = {
#define INSN(op, pat, form, flags, feat) {#op, pat, #feat},
#define PAT(op, pat, form, ...)		 {#op, pat, "" #__VA_ARGS__},
#include "dbt/a64/insns.def"
#undef INSN
};

static uint32_t row_mask[ARRAY_SIZE(rows)], row_value[ARRAY_SIZE(rows)];
static uint64_t counts[ARRAY_SIZE(rows)];
static uint64_t undef_count;

static void rows_parse(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (const char *c = rows[i].pattern; *c; c++) {
			if (*c == ' ')
				continue;
			row_mask[i] = row_mask[i] << 1 | (*c == '0' || *c == '1');
			row_value[i] = row_value[i] << 1 | (*c == '1');
		}
}

/* The row of a word: of its op's patterns that match, the one with most fixed bits. */
static int row_of(uint32_t w, const char *op)
{
	int best = -1;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if ((w & row_mask[i]) == row_value[i] && !strcmp(op, rows[i].name) &&
		    (best < 0 ||
		     __builtin_popcount(row_mask[i]) > __builtin_popcount(row_mask[best])))
			best = i;
	return best;
}

static void tally_read(const char *path)
{
	char line[128], name[64];
	FILE *f = fopen(path, "r");
	uint64_t n;
	unsigned i;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%u %63s %" SCNu64, &i, name, &n) != 3)
			continue;
		if (!strcmp(name, "UNDEF"))
			undef_count = n;
		else if (i < ARRAY_SIZE(rows) && !strcmp(name, rows[i].name))
			counts[i] = n;
	}
	if (f)
		fclose(f);
}

static int tally_write(const char *path)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		fprintf(f, "%zu %s %" PRIu64 "\n", i, rows[i].name, counts[i]);
	fprintf(f, "0 UNDEF %" PRIu64 "\n", undef_count);
	return fclose(f) ? -errno : 0;
}

static int tally_add(const char *tally, const char *path)
{
	struct insn_case *cases;
	struct a64_insn insn;
	long n = cases_read(path, &cases);

	if (n < 0)
		return n;
	tally_read(tally);
	for (long i = 0; i < n; i++)
		for (unsigned k = 0; k < cases[i].nwords && k < CASE_WORDS; k++) {
			a64_decode(cases[i].words[k], &insn);
			int row = row_of(insn.raw, a64_op_name(insn.op));
			if (row >= 0)
				counts[row]++;
			else
				undef_count++;
		}
	free(cases);
	return tally_write(tally);
}

static void table_print(const char *tally)
{
	uint64_t total = 0, untested = 0;
	const char *feature = "";

	tally_read(tally);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		total += counts[i];
		untested += !counts[i];
	}
	printf("%zu encodings, %" PRIu64 " instances compared with qemu-user, %" PRIu64
	       " encodings without any.\n\n%" PRIu64 " instances of reserved words "
	       "were UNDEFINED on both.\n\n",
	       ARRAY_SIZE(rows), total, untested, undef_count);
	printf("| Encoding | Bits 31..0 | Feature | Compared |\n|---|---|---|---:|\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!i || strcmp(rows[i].name, rows[i - 1].name))
			feature = rows[i].feature;
		printf("| %s | `%s` | %s | %" PRIu64 " |\n", rows[i].name, rows[i].pattern,
		       *rows[i].feature ? rows[i].feature : feature, counts[i]);
	}
}

int main(int argc, char **argv)
{
	int rc = 0;

	rows_parse();
	if (argc == 4 && !strcmp(argv[1], "--add")) {
		rc = tally_add(argv[2], argv[3]);
	} else if (argc == 3 && !strcmp(argv[1], "--table")) {
		table_print(argv[2]);
	} else {
		fprintf(stderr, "usage: insn-tally --add TALLY CASES | --table TALLY\n");
		return 2;
	}
	if (rc)
		fprintf(stderr, "insn-tally: %s: %s\n", argv[2], strerror(-rc));
	return rc ? 1 : 0;
}

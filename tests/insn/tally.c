/* SPDX-License-Identifier: MIT */
/*
 * insn-tally --add TALLY CASES: adds the instruction instances of a case file to a tally, by
 * encoding. --merge TALLY OTHER...: adds other tallies. --table TALLY: the conformance table
 * (Markdown): every encoding of the decoder's table, whether this CPU has it, and how many
 * instances of it have been compared with qemu-user. --hwcaps: what Linux 6.1 must list as Features
 * in /proc/cpuinfo, from the ID registers.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/a64/sysreg.h"
#include "dbt/vm.h"
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
			undef_count += n;
		else if (i < ARRAY_SIZE(rows) && !strcmp(name, rows[i].name))
			counts[i] += n;
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

/* What user mode cannot compare, and what does instead. */
static const char *tested_by(const char *name)
{
	static const char *const system[] = {"SVC", "WFE", "WFI", "WFET", "WFIT", "SYSL"};

	for (size_t i = 0; i < ARRAY_SIZE(system); i++)
		if (!strcmp(name, system[i]))
			return "tests/guest, tests/unit";
	return "";
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
	printf("| Encoding | Bits 31..0 | Feature | This CPU | Compared | Else |\n"
	       "|---|---|---|---|---:|---|\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!i || strcmp(rows[i].name, rows[i - 1].name))
			feature = rows[i].feature;
		const char *feat = *rows[i].feature ? rows[i].feature : feature;
		bool there = !strcmp(feat, "base") || idreg_has_feature(feat);

		printf("| %s | `%s` | %s | %s | %" PRIu64 " | %s |\n", rows[i].name,
		       rows[i].pattern, feat,
		       there ? "implemented" : "UNDEF: its ID register field is 0", counts[i],
		       counts[i] ? "" : tested_by(rows[i].name));
	}
}

/* Linux 6.1, Documentation/arm64/elf_hwcaps.rst: the name in /proc/cpuinfo and what it stands for.
 */
static const struct hwcap {
	const char *name;
	u8 crm, op2, shift,
		min; /* ID_AA64*_EL1: S3_0_C0_CRm_op2, field, least value (signed for fp) */
} hwcaps[] = {
	{"fp", 4, 0, 16, 0},	   {"asimd", 4, 0, 20, 0},    {"evtstrm", 0, 0, 0, 0},
	{"aes", 6, 0, 4, 1},	   {"pmull", 6, 0, 4, 2},     {"sha1", 6, 0, 8, 1},
	{"sha2", 6, 0, 12, 1},	   {"crc32", 6, 0, 16, 1},    {"atomics", 6, 0, 20, 2},
	{"fphp", 4, 0, 16, 1},	   {"asimdhp", 4, 0, 20, 1},  {"cpuid", 0, 0, 0, 0},
	{"asimdrdm", 6, 0, 28, 1}, {"jscvt", 6, 1, 12, 1},    {"fcma", 6, 1, 16, 1},
	{"lrcpc", 6, 1, 20, 1},	   {"dcpop", 6, 1, 0, 1},     {"sha3", 6, 0, 32, 1},
	{"sm3", 6, 0, 36, 1},	   {"sm4", 6, 0, 40, 1},      {"asimddp", 6, 0, 44, 1},
	{"sha512", 6, 0, 12, 2},   {"asimdfhm", 6, 0, 48, 1}, {"dit", 4, 0, 48, 1},
	{"uscat", 7, 2, 32, 1},	   {"ilrcpc", 6, 1, 20, 2},   {"flagm", 6, 0, 52, 1},
	{"ssbs", 4, 1, 4, 2},	   {"sb", 6, 1, 36, 1},	      {"paca", 6, 1, 4, 1},
	{"pacg", 6, 1, 24, 1},	   {"dcpodp", 6, 1, 0, 2},    {"flagm2", 6, 0, 52, 2},
	{"frint", 6, 1, 32, 1},	   {"i8mm", 6, 1, 52, 1},     {"bf16", 6, 1, 44, 1},
	{"dgh", 6, 1, 48, 1},	   {"rng", 6, 0, 60, 1},      {"bti", 4, 1, 0, 1},
	{"mte", 4, 1, 8, 2},	   {"ecv", 7, 0, 60, 1},      {"afp", 7, 1, 44, 1},
	{"rpres", 6, 2, 4, 1},	   {"wfxt", 6, 2, 0, 2},
};

static void hwcaps_print(void)
{
	static struct dbt_vm vm;
	static struct dbt_vcpu cpu;

	cpu.vm = &vm;
	for (size_t i = 0; i < ARRAY_SIZE(hwcaps); i++) {
		const struct hwcap *h = &hwcaps[i];
		u64 v = h->crm ? idreg_value(&cpu, SYSREG_ID(3, 0, 0, h->crm, h->op2)) : 0;

		if (!h->crm || BITS(v, h->shift + 3, h->shift) >= h->min)
			printf("%s%s", i ? " " : "", h->name);
	}
	printf("\n");
}

int main(int argc, char **argv)
{
	int rc = 0;

	rows_parse();
	if (argc == 4 && !strcmp(argv[1], "--add")) {
		rc = tally_add(argv[2], argv[3]);
	} else if (argc == 3 && !strcmp(argv[1], "--table")) {
		table_print(argv[2]);
	} else if (argc >= 4 && !strcmp(argv[1], "--merge")) {
		for (int i = 2; i < argc; i++)
			tally_read(argv[i]);
		rc = tally_write(argv[2]);
	} else if (argc == 2 && !strcmp(argv[1], "--hwcaps")) {
		hwcaps_print();
	} else {
		fprintf(stderr, "usage: insn-tally --add TALLY CASES | --merge TALLY OTHER... | "
				"--table TALLY | "
				"--hwcaps\n");
		return 2;
	}
	if (rc)
		fprintf(stderr, "insn-tally: %s: %s\n", argv[2], strerror(-rc));
	return rc ? 1 : 0;
}

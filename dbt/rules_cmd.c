/* SPDX-License-Identifier: MIT */
/* `armature rules`: looks at the rules that are compiled in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dbt/hir.h"
#include "dbt/rules.h"
#include "dbt/vm.h"

#define MAX_WORDS 4096

static int usage(FILE *out, int status)
{
	fprintf(out,
		"usage: armature rules list              every rule: length, cost, name, where it "
		"is\n"
		"       armature rules show NAME...      rules as written\n"
		"       armature rules stats             counts, and the encodings without a rule\n"
		"       armature rules match FILE        which rules take FILE's instructions\n"
		"       armature rules time FILE         what matching them costs\n"
		"FILE is A64 assembly (.s, by aarch64-linux-gnu-as) or instruction words in "
		"hexadecimal.\n");
	return status;
}

static int list(void)
{
	for (unsigned i = 0; i < rules_count; i++) {
		const struct rule_info *r = &rules_info[i];

		printf("%u  %5.1f  %-7s  %-24s  %s:%u%s%s\n", r->nguest, r->cost / 10.0,
		       r->learned ? "learned" : "base", r->name, r->file, r->line,
		       *r->from ? "  from " : "", r->from);
	}
	return 0;
}

static int show(int n, char **names)
{
	int missing = 0;

	for (int k = 0; k < n; k++) {
		unsigned i = 0;

		while (i < rules_count && strcmp(rules_info[i].name, names[k]))
			i++;
		if (i == rules_count) {
			fprintf(stderr, "no rule is called %s\n", names[k]);
			missing = 1;
			continue;
		}
		printf("// %s:%u, %s\n%s\n\n", rules_info[i].file, rules_info[i].line,
		       rules_info[i].learned ? "learned" : "base", rules_info[i].text);
	}
	return missing;
}

static int stats(void)
{
	unsigned len[2][9] = {{0}}, total[2] = {0}, without = 0;

	for (unsigned i = 0; i < rules_count; i++) {
		len[rules_info[i].learned][rules_info[i].nguest > 8 ? 8 : rules_info[i].nguest]++;
		total[rules_info[i].learned]++;
	}
	for (unsigned s = 0; s < 2; s++) {
		printf("%s rules: %u;", s ? "learned" : "base", total[s]);
		for (unsigned k = 1; k <= 8; k++)
			if (len[s][k])
				printf(" %u of %u instruction%s", len[s][k], k, k > 1 ? "s" : "");
		printf("\n");
	}
	printf("encodings left to C builders (integer, no vector):\n");
	for (unsigned op = 1; op < A64_NUM_OPS; op++) {
		if (rules_have_op(op) || a64_op_flags(op) & A64F_FP)
			continue;
		printf("%s%s", without % 8 ? " " : "\n  ", a64_op_name(op));
		without++;
	}
	printf("\n");
	return 0;
}

/* ---- match ---- */

/* The .text of a relocatable object; number of words or -1. Only what the assembler just wrote is
 * read. */
static long object_text(const char *path, u32 *words)
{
	FILE *f = fopen(path, "rb");
	u8 *b = malloc(1 << 20);
	size_t n = f && b ? fread(b, 1, 1 << 20, f) : 0;
	long count = -1;
	u64 shoff;
	u16 shnum;

	if (f)
		fclose(f);
	if (n < 64 || memcmp(b, "\177ELF", 4))
		goto out;
	memcpy(&shoff, b + 40, 8);
	memcpy(&shnum, b + 60, 2);
	for (unsigned i = 0; i < shnum && shoff + 64 * (i + 1ull) <= n; i++) {
		const u8 *sh = b + shoff + 64ull * i;
		u64 flags, off, size;
		u32 type;

		memcpy(&type, sh + 4, 4);
		memcpy(&flags, sh + 8, 8);
		memcpy(&off, sh + 24, 8);
		memcpy(&size, sh + 32, 8);
		/* PROGBITS, executable */
		if (type != 1 || !(flags & 4) || !size || off > n || size > n - off)
			continue;
		count = (long)(size / 4 < MAX_WORDS ? size / 4 : MAX_WORDS);
		memcpy(words, b + off, (size_t)count * 4);
		break;
	}
out:
	free(b);
	return count;
}

static long assemble(const char *file, u32 *words)
{
	char out[] = "/tmp/armature-rules-XXXXXX", cmd[4200];
	int fd = mkstemp(out);
	long n = -1;

	if (fd < 0)
		return -1;
	/* The name goes through the environment: no shell quoting of what the user typed. */
	snprintf(cmd, sizeof(cmd), "%s%s", *file == '-' ? "./" : "", file);
	setenv("ARMATURE_RULES_FILE", cmd, 1);
	snprintf(cmd, sizeof(cmd),
		 "aarch64-linux-gnu-as -march=armv8.2-a -o %s \"$ARMATURE_RULES_FILE\"", out);
	if (!system(cmd))
		n = object_text(out, words);
	remove(out);
	return n;
}

static long hex_words(const char *file, u32 *words)
{
	FILE *f = fopen(file, "r");
	long n = 0;

	if (!f)
		return -1;
	while (n < MAX_WORDS && fscanf(f, "%x", &words[n]) == 1)
		n++;
	fclose(f);
	return n;
}

/* NZCV liveness along straight code; unknown at its end. */
static void liveness(struct tr *tr)
{
	bool live = true;

	for (unsigned i = tr->n; i-- > 0;) {
		u32 f = a64_op_flags(tr->insn[i].op);

		tr->nzcv_live[i] = live;
		if (f & A64F_WF)
			live = false;
		if (f & (A64F_RF | A64F_SYS))
			live = true;
	}
}

static void print_match(struct tr *tr, unsigned k, u32 start)
{
	const char *name = k ? rules_info[tr->rule[tr->i] - 1].name : "(no rule)";
	char text[256];

	for (unsigned i = 0; i < (k ? k : 1); i++) {
		a64_disas(&tr->insn[tr->i + i], 4 * (tr->i + i), text, sizeof(text));
		printf("%5x  %-36s  %s\n", tr->page_off + 4 * (tr->i + i), text, i ? "\"" : name);
	}
	for (unsigned i = start; i < tr->hir.n; i++) {
		hir_dump(&tr->hir.op[i], text, sizeof(text));
		printf("%46s%s\n", "", text + 3);
	}
}

static struct dbt_vm match_vm = {.cfg.rules = DBT_RULES_LEARNED};
static u32 words[MAX_WORDS];

/* Number of instruction words in the file, or -1 after a message. */
static long read_words(const char *file)
{
	size_t len = strlen(file);
	bool asm_source = len > 2 && !strcmp(file + len - 2, ".s");
	long n = asm_source ? assemble(file, words) : hex_words(file, words);

	if (n > 0)
		return n;
	fprintf(stderr, "%s: no instructions\n", file);
	return -1;
}

/* The block from word `at` of n, cut as the translator would. */
static void cut_block(struct tr *tr, long at, long n)
{
	tr->vm = &match_vm;
	tr->page_off = (u32)(4 * at);
	tr->hir.n = 0;
	for (tr->n = 0; tr->n < 48 && at + tr->n < n;) {
		a64_decode(words[at + tr->n], &tr->insn[tr->n]);
		if (a64_op_flags(tr->insn[tr->n++].op) & (A64F_BR | A64F_END))
			break;
	}
	liveness(tr);
}

static u64 cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (u64)ts.tv_sec * 1000000000ull + (u64)ts.tv_nsec;
}

/* All blocks, decoded, with or without matching; nanoseconds. */
static u64 time_round(struct tr *tr, long n, bool apply, unsigned *matched)
{
	u64 start = cpu_ns();

	for (long at = 0; at < n; at += tr->n) {
		cut_block(tr, at, n);
		for (tr->i = 0; apply && tr->i < tr->n;) {
			unsigned k;

			tr->hir.ntmp = 0;
			k = rules_apply(tr);
			*matched += k;
			tr->i += k ? k : 1;
		}
	}
	return cpu_ns() - start;
}

/* Decoding and liveness are measured alone and subtracted: what remains is matching and expansion.
 */
static int time_match(const char *file)
{
	static struct tr tr;
	u64 with = 0, without = 0;
	unsigned matched = 0, rounds = 0;
	long n = read_words(file);

	if (n < 0)
		return 1;
	while (with < 300000000ull) {
		without += time_round(&tr, n, false, &matched);
		with += time_round(&tr, n, true, &matched);
		rounds++;
	}
	printf("%ld instructions, %u %% by rules: matching and expansion %.1f ns a guest "
	       "instruction, decoding "
	       "and liveness %.1f ns\n",
	       n, (unsigned)(100ull * matched / ((u64)n * rounds)),
	       (double)(s64)(with - without) / (double)n / rounds,
	       (double)without / (double)n / rounds);
	return 0;
}

/* Shows what takes each instruction. */
static int match(const char *file)
{
	static struct tr tr;
	long n = read_words(file);

	if (n < 0)
		return 1;
	for (long at = 0; at < n; at += tr.n) {
		cut_block(&tr, at, n);
		for (tr.i = 0; tr.i < tr.n;) {
			u32 start = tr.hir.n;
			unsigned k;

			tr.hir.insn = tr.i;
			tr.hir.ntmp = 0;
			k = rules_apply(&tr);
			print_match(&tr, k, start);
			tr.i += k ? k : 1;
		}
	}
	return 0;
}

int rules_command(int argc, char **argv)
{
	if (argc == 1 && !strcmp(argv[0], "list"))
		return list();
	if (argc > 1 && !strcmp(argv[0], "show"))
		return show(argc - 1, argv + 1);
	if (argc == 1 && !strcmp(argv[0], "stats"))
		return stats();
	if (argc == 2 && !strcmp(argv[0], "match"))
		return match(argv[1]);
	if (argc == 2 && !strcmp(argv[0], "time"))
		return time_match(argv[1]);
	if (argc == 1 && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h")))
		return usage(stdout, 0);
	return usage(stderr, 2);
}

/* SPDX-License-Identifier: MIT */
/*
 * Compares two runners' outputs for one case file.
 *
 * insn-compare CASES A.out B.out [--subset FILE]	hash mode; --subset writes the differing
 *cases insn-compare --full CASES A.out B.out [--text FILE]	full mode; prints what differs, A is
 *expected;
 *							--text appends the cases in text form
 * Exit status: 0 all agree, 1 some differ, 2 an output is incomplete or unreadable.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/a64/insn.h"
#include "tests/insn/caseio.h"

#define LINE_CAP (64 + 2 * sizeof(struct result))

struct output {
	uint32_t *hash;
	struct result *full;
	bool *have;
	bool ended;
	uint32_t got;
};

static bool parse_hashes(struct output *o, const char *p, uint32_t count)
{
	unsigned long index = strtoul(p, NULL, 16);
	unsigned h;

	p += 8;
	for (int used; sscanf(p, " %8x%n", &h, &used) == 1; p += used, index++) {
		if (index >= count)
			return false;
		o->hash[index] = h;
		o->got += !o->have[index];
		o->have[index] = true;
	}
	return true;
}

static bool parse_full(struct output *o, const char *p, uint32_t count)
{
	unsigned long index = strtoul(p, NULL, 16);
	uint64_t *w;

	if (index >= count || strlen(p) < 9 + 2 * sizeof(struct result))
		return false;
	w = (uint64_t *)&o->full[index];
	p += 9;
	for (size_t i = 0; i < sizeof(struct result) / 8; i++, p += 16)
		if (sscanf(p, "%16" SCNx64, &w[i]) != 1)
			return false;
	o->got += !o->have[index];
	o->have[index] = true;
	return true;
}

static int output_read(const char *path, uint32_t count, struct output *o)
{
	static char line[LINE_CAP];
	FILE *f = fopen(path, "r");

	if (!f) {
		fprintf(stderr, "insn-compare: %s: %s\n", path, strerror(errno));
		return -errno;
	}
	o->hash = calloc(count + 1, sizeof(*o->hash));
	o->full = calloc(count + 1, sizeof(*o->full));
	o->have = calloc(count + 1, sizeof(*o->have));
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == 'H')
			parse_hashes(o, line + 1, count);
		else if (line[0] == 'D')
			parse_full(o, line + 1, count);
		else if (line[0] == 'E' && strtoul(line + 1, NULL, 16) == count)
			o->ended = true;
	}
	fclose(f);
	if (o->got != count || !o->ended)
		fprintf(stderr, "insn-compare: %s: %u of %u results%s\n", path, o->got, count,
			o->ended ? "" : ", no end mark");
	return 0;
}

static bool outputs_differ(const struct output *a, const struct output *b, uint32_t i, bool full)
{
	if (!a->have[i] || !b->have[i])
		return a->have[i] != b->have[i];
	return full ? memcmp(&a->full[i], &b->full[i], sizeof(a->full[i])) != 0
		    : a->hash[i] != b->hash[i];
}

static void print_pair(const char *name, unsigned n, uint64_t start, uint64_t a, uint64_t b)
{
	if (a != b)
		printf("    %s%u: expected %016" PRIx64 " got %016" PRIx64 " (was %016" PRIx64
		       ")\n",
		       name, n, a, b, start);
}

static void print_vector(unsigned n, const uint64_t *s, const uint64_t *a, const uint64_t *b)
{
	if (memcmp(a, b, 16))
		printf("    v%u: expected %016" PRIx64 "_%016" PRIx64 " got %016" PRIx64
		       "_%016" PRIx64 " (was %016" PRIx64 "_%016" PRIx64 ")\n",
		       n, a[1], a[0], b[1], b[0], s[1], s[0]);
}

/* Start values of the registers the instructions name. */
static void print_operands(const struct insn_case *c, const struct regs *s)
{
	struct a64_insn i;

	printf("    in: nzcv %x fpcr %08" PRIx64 " fpsr %08" PRIx64 " sp %" PRIx64 "\n",
	       (unsigned)(s->nzcv >> 28), s->fpcr, s->fpsr, s->sp);
	for (unsigned k = 0; k < c->nwords; k++) {
		a64_decode(c->words[k], &i);
		bool fp = a64_op_flags(i.op) & A64F_FP;
		const u8 regs[] = {i.rd, i.rn, i.rm, i.ra, i.rs};
		for (unsigned r = 0; r < ARRAY_SIZE(regs); r++) {
			bool seen = r && !regs[r];
			for (unsigned q = 0; q < r; q++)
				seen |= regs[q] == regs[r];
			if (seen)
				continue;
			if (regs[r] < 31)
				printf("    in: x%u %016" PRIx64 "\n", regs[r], s->x[regs[r]]);
			if (fp)
				printf("    in: v%u %016" PRIx64 "_%016" PRIx64 "\n", regs[r],
				       s->v[regs[r]][1], s->v[regs[r]][0]);
		}
	}
}

static void print_difference(const struct insn_case *c, const struct result *a,
			     const struct result *b)
{
	static uint64_t mem[WIN_RW * WIN_EDGE / 8];
	struct regs s;

	case_state(c, &s, mem);
	print_operands(c, &s);
	if ((b->r.sig & 0xffffffff) >= 0x80) { /* see direct.c: nothing else is of use */
		printf("    signal0: engine %s\n",
		       b->r.sig & 0x100 ? "died or hung" : "reported an error exit");
		return;
	}
	for (unsigned i = 0; i < 31; i++)
		print_pair("x", i, s.x[i], a->r.x[i], b->r.x[i]);
	print_pair("sp", 0, s.sp, a->r.sp, b->r.sp);
	for (unsigned i = 0; i < 32; i++)
		print_vector(i, s.v[i], a->r.v[i], b->r.v[i]);
	print_pair("nzcv", 0, s.nzcv, a->r.nzcv, b->r.nzcv);
	print_pair("fpcr", 0, s.fpcr, a->r.fpcr, b->r.fpcr);
	print_pair("fpsr", 0, s.fpsr, a->r.fpsr, b->r.fpsr);
	print_pair("pc", 0, 0, a->r.pc, b->r.pc);
	print_pair("signal", 0, 0, a->r.sig, b->r.sig);
	print_pair("fault", 0, 0, a->r.fault, b->r.fault);
	for (unsigned i = 0, shown = 0; i < sizeof(a->mem) / 8 && shown < 8; i++) {
		unsigned at = win_edge_offset(i * 8 / WIN_EDGE) + i * 8 % WIN_EDGE;
		shown += a->mem[i] != b->mem[i];
		if (a->mem[i] != b->mem[i])
			printf("    mem window+0x%x: expected %016" PRIx64 " got %016" PRIx64 "\n",
			       at, a->mem[i], b->mem[i]);
	}
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{"full", 0, 0, 'f'}, {"subset", 1, 0, 's'}, {"text", 1, 0, 't'}, {0}};
	const char *subset = NULL, *text = NULL;
	struct output a = {0}, b = {0};
	struct insn_case *cases, *diff;
	bool full = false;
	uint32_t ndiff = 0;
	int o;

	while ((o = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		switch (o) {
		case 'f': full = true; break;
		case 's': subset = optarg; break;
		case 't': text = optarg; break;
		default: return 2;
		}
	}
	if (argc - optind != 3) {
		fprintf(stderr, "usage: insn-compare [--full] [--subset F] [--text F] CASES A B\n");
		return 2;
	}
	long n = cases_read(argv[optind], &cases);
	if (n < 0 || output_read(argv[optind + 1], n, &a) || output_read(argv[optind + 2], n, &b))
		return 2;
	diff = calloc(n + 1, sizeof(*diff));
	FILE *tf = text ? fopen(text, "a") : NULL;
	for (long i = 0; i < n; i++) {
		if (!outputs_differ(&a, &b, i, full))
			continue;
		diff[ndiff++] = cases[i];
		if (tf)
			case_print(tf, &cases[i]);
		if (!full)
			continue;
		case_print(stdout, &cases[i]);
		if (a.have[i] && b.have[i])
			print_difference(&cases[i], &a.full[i], &b.full[i]);
		else
			printf("    no result from %s\n", a.have[i] ? "B" : "A");
	}
	if (tf)
		fclose(tf);
	if (subset && ndiff && cases_write(subset, diff, ndiff, true))
		return 2;
	printf("%ld cases, %u differ\n", n, ndiff);
	return a.ended && b.ended && a.got == n && b.got == n ? ndiff != 0 : 2;
}

/* SPDX-License-Identifier: MIT */
/*
 * rules-mutate [-n COUNT] [-s SEED] [-v] FILE...
 *
 * Seeds errors into proven rules, all of them in turn, and sees whether checker and prover reject
 * them. COUNT mutants that pass the checker go to the prover; each must come back with a
 * counterexample. A mutant the prover accepts is compared with the original on numbers by an
 * evaluator that shares nothing with the prover: where they differ, the prover let a wrong rule
 * pass; where not, the mutation changed nothing (x & y for y & x), which is listed with the reason.
 * Conditions left out without harm are generalisations and counted apart. -v prints every mutant
 * and its counterexample.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rules/prove/concrete.h"
#include "rules/prove/mutate.h"

static struct {
	unsigned count;
	u64 seed;
	bool verbose;
} opt = {.count = 600, .seed = 1};

/* ---- on numbers ---- */

struct diff {
	const struct rule *a, *b;
	u64 seed;
	bool differs;
	char text[2048]; /* the values they differ on */
};

static void describe(struct diff *d, const struct instance *in, const s64 *param,
		     const struct conc_state *before, const struct conc_state *sa,
		     const struct conc_state *sb)
{
	char *p = d->text, *end = d->text + sizeof(d->text);
	char name[128];

	instance_describe(d->a, in, name, sizeof(name));
	p += snprintf(p, (size_t)(end - p), "  counterexample %s\n", name);
	for (int i = 0; i < d->a->nparams && end - p > 200; i++) {
		const struct param *q = &d->a->param[i];

		if (q->kind == P_REG)
			p += snprintf(p, (size_t)(end - p), "    %s: x%d = %#" PRIx64 "\n", q->name,
				      (int)param[i], param[i] == 31 ? 0 : before->x[param[i]]);
		else if (q->kind == P_IMM || q->kind == P_LABEL || q->kind == P_COND)
			p += snprintf(p, (size_t)(end - p), "    %s = %#" PRIx64 "\n", q->name,
				      (u64)param[i]);
	}
	p += snprintf(p, (size_t)(end - p), "    NZCV = %u%u%u%u\n", before->n, before->z,
		      before->c, before->v);
	for (int r = 0; r < 32; r++)
		if (sa->x[r] != sb->x[r]) {
			snprintf(p, (size_t)(end - p),
				 "    differs: x%d: rule %#" PRIx64 ", mutant %#" PRIx64 "\n", r,
				 sa->x[r], sb->x[r]);
			return;
		}
	snprintf(p, (size_t)(end - p), "    differs: flags, accesses or branch\n");
}

static bool compare_instance(void *arg, const struct instance *in)
{
	static struct hir_buf ha, hb;
	struct diff *d = arg;
	s64 param[RULE_MAX_PARAMS];

	for (int i = 0; i < 400; i++) {
		struct conc_state before, sa, sb;

		if (!conc_params(d->a, in, param, &d->seed))
			return true;
		conc_state_random(&before, &d->seed);
		sa = sb = before;
		conc_expand(d->a, in, param, &ha);
		conc_expand(d->b, in, param, &hb);
		for (unsigned k = 0; k < ha.n; k++)
			conc_exec(&sa, &ha.op[k]);
		for (unsigned k = 0; k < hb.n; k++)
			conc_exec(&sb, &hb.op[k]);
		if (!conc_same(&sa, &sb, !d->a->flags_dead)) {
			d->differs = true;
			describe(d, in, param, &before, &sa, &sb);
			return false;
		}
	}
	return true;
}

static bool differs(struct diff *d, const struct rule *a, const struct rule *b, u64 seed)
{
	d->a = a;
	d->b = b;
	d->seed = seed;
	d->differs = false;
	for_each_instance(a, compare_instance, d);
	return d->differs;
}

/* ---- why a mutant that is proven is no error ---- */

static bool commutes(const struct rule *r)
{
	for (int i = 0; i < r->nhost; i++) {
		int op = hinsn_op(r, &r->host[i]);

		if (op == HIR_ADD || op == HIR_AND || op == HIR_OR || op == HIR_XOR ||
		    op == HIR_MUL || op == HIR_UMULH || op == HIR_SMULH || op == HIR_ADC ||
		    op == HIR_EON || op == HIR_LEA)
			return true;
	}
	return false;
}

static const char *why_equal(const struct rule *r, const struct mutant *m)
{
	if (!strcmp(m->what, "operands swapped"))
		return commutes(r) ? "the operation commutes" : "both operands hold the same";
	if (!strncmp(m->what, "width", 5) || !strncmp(m->what, "no ", 3))
		return "the bits that differ are zero already or not used";
	if (!strncmp(m->what, "flags", 5))
		return "NZCV is defined again, or already so, within the rule";
	if (!strncmp(m->what, "operations", 10))
		return "neither operation needs the other";
	if (!strncmp(m->what, "register", 8) || !strncmp(m->what, "temporary", 9))
		return "both hold the same value there, or the name only";
	if (!strncmp(m->what, "memory", 6))
		return "the same bytes, extended to the same value";
	return "equal for every operand the conditions allow";
}

/* ---- the run ---- */

enum outcome { CHECKER, REFUTED, NO_MODEL, EVALUATED, UNDECIDED, EQUIVALENT, MISSED, N_OUTCOMES };

struct score {
	unsigned kind[16][N_OUTCOMES];
	unsigned conditions, needed;
};

static struct score score;

static unsigned sum(enum outcome o)
{
	unsigned n = 0;

	for (unsigned k = 0; k < n_mutations; k++)
		n += score.kind[k][o];
	return n;
}

/* Mutants that the prover had to find. */
static unsigned wrong(void)
{
	return sum(REFUTED) + sum(NO_MODEL) + sum(EVALUATED) + sum(MISSED);
}

/* The checker sees the mutant as if it had been written so. */
static bool checker_rejects(struct mutant *m)
{
	struct ruleset rs = {.file = "mutant"};
	int bad;

	m->r.ntemps = 0;
	rule_check(&rs, &m->r);
	bad = rs.nerrors;
	if (bad && opt.verbose)
		printf("malformed %s: %s\n  %s", m->r.name, m->what, rs.errors);
	free(rs.errors);
	return bad;
}

static enum outcome judge(const struct rule *r, struct mutant *m, u64 seed)
{
	static struct diff d;
	struct proof p;

	if (checker_rejects(m))
		return CHECKER;
	prove_rule(&m->r, &p);
	switch (p.verdict) {
	case V_REFUTED:
	case V_INVALID:
	case V_VACUOUS:
		if (opt.verbose)
			printf("%-9s %s: %s\n%s", verdict_name(p.verdict), r->name, m->what,
			       p.text);
		return p.verdict == V_REFUTED ? REFUTED : NO_MODEL;
	case V_UNKNOWN: /* not proven is not compiled; but wrong is to be shown */
		if (m->condition || !differs(&d, r, &m->r, seed)) {
			printf("undecided %s: %s\n%s", r->name, m->what, p.text);
			return UNDECIDED;
		}
		if (opt.verbose)
			printf("refuted   %s: %s (by evaluation)\n%s", r->name, m->what, d.text);
		return EVALUATED;
	default: break;
	}
	if (m->condition)
		return EQUIVALENT;
	if (differs(&d, r, &m->r, seed)) {
		printf("MISSED    %s: %s is wrong but proven\n%s", r->name, m->what, d.text);
		return MISSED;
	}
	printf("no error  %s: %s: %s\n", r->name, m->what, why_equal(r, m));
	return EQUIVALENT;
}

static void mutate_one(const struct rule *r, u64 *seed)
{
	static struct mutant m;
	enum outcome o;
	unsigned k;

	if (!r->nhost)
		return;
	do {
		k = (unsigned)(conc_random(seed) % n_mutations);
		mutant_init(&m, r);
	} while (!mutations[k].apply(&m, seed));
	o = judge(r, &m, *seed);
	if (m.condition) {
		score.conditions++;
		score.needed += o != EQUIVALENT;
	} else {
		score.kind[k][o]++;
	}
	fflush(stdout);
	if (isatty(2))
		fprintf(stderr, "\r%u of %u", wrong(), opt.count);
}

static void run(struct ruleset **sets, int nsets)
{
	u64 seed = opt.seed;

	for (;;)
		for (int s = 0; s < nsets; s++)
			for (int i = 0; i < sets[s]->nrules; i++) {
				mutate_one(sets[s]->rules[i], &seed);
				if (wrong() >= opt.count)
					return;
			}
}

static int report(void)
{
	unsigned total = wrong(), bad = sum(MISSED);

	printf("\n%-22s %9s %9s %9s %9s\n", "mutation", "malformed", "wrong", "rejected",
	       "no error");
	for (unsigned k = 0; k < n_mutations; k++) {
		const unsigned *n = score.kind[k];
		unsigned rejected = n[REFUTED] + n[NO_MODEL] + n[EVALUATED];

		if (strcmp(mutations[k].name, "when left out"))
			printf("%-22s %9u %9u %9u %9u\n", mutations[k].name, n[CHECKER],
			       rejected + n[MISSED], rejected, n[EQUIVALENT]);
	}
	printf("seed %" PRIu64
	       ": %u wrong rules passed the checker (which refused %u more): %u refuted "
	       "with a counterexample, %u by evaluation after the solver gave up, %u outside the "
	       "model, %u accepted\n",
	       opt.seed, total, sum(CHECKER), sum(REFUTED), sum(EVALUATED), sum(NO_MODEL),
	       sum(MISSED));
	printf("mutation score %.2f %%; besides %u mutants proven to be no error, %u neither "
	       "proven nor "
	       "shown wrong (refused), %u conditions left out, %u of them needed\n",
	       100.0 * (total - bad) / total, sum(EQUIVALENT), sum(UNDECIDED), score.conditions,
	       score.needed);
	return bad != 0;
}

int main(int argc, char **argv)
{
	struct ruleset *sets[512];
	int nsets = 0, nrules = 0;

	prove_limit = 30000000;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-n") && i + 1 < argc)
			opt.count = (unsigned)atoi(argv[++i]);
		else if (!strcmp(argv[i], "-s") && i + 1 < argc)
			opt.seed = strtoull(argv[++i], NULL, 0);
		else if (!strcmp(argv[i], "-v"))
			opt.verbose = true;
		else if (nsets < 512 && (sets[nsets] = ruleset_load(argv[i])))
			nrules += sets[nsets++]->nrules;
	}
	if (!nrules || !opt.count) {
		fprintf(stderr, "usage: rules-mutate [-n COUNT] [-s SEED] [-v] FILE...\n");
		return 2;
	}
	run(sets, nsets);
	if (isatty(2))
		fprintf(stderr, "\r");
	return report();
}

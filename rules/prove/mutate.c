/* SPDX-License-Identifier: MIT */
/*
 * rules-mutate [-n COUNT] [-s SEED] [-v] FILE...
 *
 * Seeds errors into proven rules and sees whether checker and prover reject them. A mutant that the
 * prover accepts is compared with the original on random numbers by an evaluator of its own: equal
 * means the mutation changed nothing (x & y = y & x); different means the prover let a wrong rule
 * pass. Conditions that are dropped without harm are counted apart: they are generalisations.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rules/prove/concrete.h"

static struct {
	unsigned count;
	u64 seed;
	bool verbose;
} opt = {.count = 600, .seed = 1};

struct mutant {
	struct rule r;
	char what[96];
	bool condition; /* a when was dropped */
};

static struct expr pool[4096];
static int npool;

static struct expr *new_expr(enum expr_op op, struct expr *a, s64 val)
{
	struct expr *e = &pool[npool++ % ARRAY_SIZE(pool)];

	*e = (struct expr){.op = op, .val = val, .a = a};
	return e;
}

static struct expr *plus(struct expr *e, s64 d)
{
	struct expr *s = new_expr(E_ADD, e ? e : new_expr(E_CONST, NULL, 0), 0);

	s->b = new_expr(E_CONST, NULL, d);
	return s;
}

/* Ops that are easily mistaken for each other. */
static const int groups[][10] = {
	{HIR_ADD, HIR_SUB, HIR_ADC, HIR_SBC, -1},
	{HIR_AND, HIR_OR, HIR_XOR, HIR_BIC, HIR_ORN, HIR_EON, -1},
	{HIR_SHL, HIR_SHR, HIR_SAR, HIR_ROR, -1},
	{HIR_ZX8, HIR_ZX16, HIR_ZX32, HIR_SX8, HIR_SX16, HIR_SX32, HIR_MOV, -1},
	{HIR_MUL, HIR_UMULH, HIR_SMULH, HIR_ADD, -1},
	{HIR_UDIV, HIR_SDIV, -1},
	{HIR_NEG, HIR_NOT, HIR_MOV, -1},
	{HIR_BSWAP, HIR_BSWAP16, HIR_RBIT, -1},
	{HIR_CLZ, HIR_CLS, -1},
	{HIR_CSET, HIR_CSETM, -1},
	{HIR_CCMP, HIR_CCMN, -1},
	{HIR_BZ, HIR_BNZ, -1},
	{HIR_BTZ, HIR_BTNZ, -1},
	{HIR_BR, HIR_BLR, HIR_RET, -1},
	{HIR_B, HIR_BL, -1},
};

static bool change_op(struct mutant *m, u64 *seed)
{
	struct hinsn *h = &m->r.host[conc_random(seed) % (u64)m->r.nhost];
	int op = hinsn_op(&m->r, h);

	for (size_t g = 0; g < ARRAY_SIZE(groups); g++) {
		int n = 0, at = -1;

		for (; groups[g][n] >= 0; n++)
			if (groups[g][n] == op)
				at = n;
		if (at < 0)
			continue;
		h->op = groups[g][((u64)at + 1 + conc_random(seed) % (u64)(n - 1)) % (u64)n];
		h->cls_var = h->op_param = -1;
		snprintf(m->what, sizeof(m->what), "%s for %s", hop_name(h->op), hop_name(op));
		return true;
	}
	return false;
}

static bool swap_operands(struct mutant *m, u64 *seed)
{
	struct hinsn *h = &m->r.host[conc_random(seed) % (u64)m->r.nhost];
	struct hopnd t = h->a;

	if (h->a.kind == HO_NONE || h->b.kind == HO_NONE || hop_is_mem(hinsn_op(&m->r, h)) ||
	    hop_is_control(hinsn_op(&m->r, h)))
		return false;
	h->a = h->b;
	h->b = t;
	snprintf(m->what, sizeof(m->what), "operands swapped");
	return true;
}

static bool off_by_one(struct mutant *m, u64 *seed)
{
	struct hinsn *h = &m->r.host[conc_random(seed) % (u64)m->r.nhost];
	struct expr **where[] = {&h->a.e, &h->b.e, &h->c.e, &h->disp};
	struct expr **e = where[conc_random(seed) % 4];
	s64 d = conc_random(seed) & 1 ? 1 : -1;

	if (!*e)
		return false;
	*e = plus(*e, d);
	snprintf(m->what, sizeof(m->what), "immediate off by %d", (int)d);
	return true;
}

static bool change_width(struct mutant *m, u64 *seed)
{
	struct hinsn *h = &m->r.host[conc_random(seed) % (u64)m->r.nhost];
	u8 old = h->wsel;

	if (old == WS_ANY)
		return false;
	h->wsel = old == WS_W ? WS_X : old == WS_X ? WS_W : conc_random(seed) & 1 ? WS_W : WS_X;
	snprintf(m->what, sizeof(m->what), "width %c for %c", "WXR"[h->wsel], "WXR"[old]);
	return true;
}

static bool change_flags(struct mutant *m, u64 *seed)
{
	struct hinsn *h = &m->r.host[conc_random(seed) % (u64)m->r.nhost];

	if (!hop_may_setf(hinsn_op(&m->r, h)) || hinsn_op(&m->r, h) == HIR_CCMP ||
	    hinsn_op(&m->r, h) == HIR_CCMN)
		return false;
	h->setf ^= 1;
	snprintf(m->what, sizeof(m->what), h->setf ? "flags set" : "flags not set");
	return true;
}

static bool invert_cond(struct mutant *m, u64 *seed)
{
	struct hinsn *h = &m->r.host[conc_random(seed) % (u64)m->r.nhost];

	if (h->cc.kind == GV_ABSENT)
		return false;
	h->cc_inv ^= 1;
	snprintf(m->what, sizeof(m->what), "condition inverted");
	return true;
}

static bool drop_op(struct mutant *m, u64 *seed)
{
	int i = (int)(conc_random(seed) % (u64)m->r.nhost);

	memmove(&m->r.host[i], &m->r.host[i + 1],
		sizeof(m->r.host[0]) * (size_t)(m->r.nhost - i - 1));
	m->r.nhost--;
	snprintf(m->what, sizeof(m->what), "operation %d left out", i + 1);
	return true;
}

static bool reorder(struct mutant *m, u64 *seed)
{
	int i;
	struct hinsn t;

	if (m->r.nhost < 2)
		return false;
	i = (int)(conc_random(seed) % (u64)(m->r.nhost - 1));
	t = m->r.host[i];
	m->r.host[i] = m->r.host[i + 1];
	m->r.host[i + 1] = t;
	snprintf(m->what, sizeof(m->what), "operations %d and %d swapped", i + 1, i + 2);
	return true;
}

static bool other_register(struct mutant *m, u64 *seed)
{
	struct hinsn *h = &m->r.host[conc_random(seed) % (u64)m->r.nhost];
	struct hopnd *where[] = {&h->d, &h->a, &h->b};
	struct hopnd *o = where[conc_random(seed) % 3];
	int p = (int)(conc_random(seed) % (u64)m->r.nparams);

	if (o->kind != HO_PARAM || m->r.param[p].kind != P_REG || p == o->reg)
		return false;
	snprintf(m->what, sizeof(m->what), "register %s for %s", m->r.param[p].name,
		 m->r.param[o->reg].name);
	o->reg = (u8)p;
	return true;
}

static bool other_temp(struct mutant *m, u64 *seed)
{
	struct hinsn *h = &m->r.host[conc_random(seed) % (u64)m->r.nhost];
	struct hopnd *where[] = {&h->d, &h->a, &h->b};
	struct hopnd *o = where[conc_random(seed) % 3];

	if (o->kind != HO_TEMP || m->r.ntemps < 2)
		return false;
	o->reg ^= 1;
	snprintf(m->what, sizeof(m->what), "temporary t%d for t%d", o->reg, o->reg ^ 1);
	return true;
}

static bool change_mem(struct mutant *m, u64 *seed)
{
	struct hinsn *h = &m->r.host[conc_random(seed) % (u64)m->r.nhost];
	s64 t = (s64)(conc_random(seed) % MEM_R);

	if (h->mem.kind == GV_ABSENT || (h->mem.kind == GV_CONST && h->mem.v == t))
		return false;
	if (hinsn_op(&m->r, h) == HIR_ST)
		t &= 3;
	h->mem = (struct gval){GV_CONST, t};
	snprintf(m->what, sizeof(m->what), "memory type %s", mem_names[t]);
	return true;
}

static bool drop_when(struct mutant *m, u64 *seed)
{
	int i;

	if (!m->r.nwhen)
		return false;
	i = (int)(conc_random(seed) % (u64)m->r.nwhen);
	m->r.when[i] = m->r.when[--m->r.nwhen];
	m->condition = true;
	snprintf(m->what, sizeof(m->what), "condition %d left out", i + 1);
	return true;
}

static bool (*const mutations[])(struct mutant *m, u64 *seed) = {
	change_op, swap_operands, off_by_one,	  change_width, change_flags, invert_cond,
	drop_op,   reorder,	  other_register, other_temp,	change_mem,   drop_when,
};

/* ---- is it really the same? ---- */

struct diff {
	const struct rule *a, *b;
	u64 seed;
	bool differs;
	unsigned tried;
};

static bool compare_instance(void *arg, const struct instance *in)
{
	static struct hir_buf ha, hb;
	struct diff *d = arg;
	s64 param[RULE_MAX_PARAMS];

	for (int i = 0; i < 400; i++) {
		struct conc_state sa, sb;

		if (!conc_params(d->a, in, param, &d->seed))
			return true;
		conc_state_random(&sa, &d->seed);
		sb = sa;
		conc_expand(d->a, in, param, &ha);
		conc_expand(d->b, in, param, &hb);
		for (unsigned k = 0; k < ha.n; k++)
			conc_exec(&sa, &ha.op[k]);
		for (unsigned k = 0; k < hb.n; k++)
			conc_exec(&sb, &hb.op[k]);
		d->tried++;
		if (!conc_same(&sa, &sb, !d->a->flags_dead)) {
			d->differs = true;
			return false;
		}
	}
	return true;
}

static bool really_differs(const struct rule *a, const struct rule *b, u64 seed)
{
	struct diff d = {.a = a, .b = b, .seed = seed};

	for_each_instance(a, compare_instance, &d);
	return d.differs;
}

/* ---- the run ---- */

static struct {
	unsigned total, by_checker, by_prover, unknown, equivalent, missed;
	unsigned conditions, conditions_rejected;
} score;

/* The checker sees the mutant as if it had been written so. */
static bool checker_rejects(struct mutant *m)
{
	struct ruleset rs = {.file = "mutant"};
	int bad;

	m->r.ntemps = 0;
	rule_check(&rs, &m->r);
	bad = rs.nerrors;
	free(rs.errors);
	return bad;
}

static void judge(const struct rule *r, struct mutant *m, u64 seed)
{
	struct proof p;

	if (m->condition)
		score.conditions++;
	else
		score.total++;
	if (checker_rejects(m)) {
		if (m->condition)
			score.conditions_rejected++;
		else
			score.by_checker++;
		return;
	}
	prove_rule(&m->r, &p);
	if (opt.verbose)
		printf("%-9s %s: %s\n%s", verdict_name(p.verdict), r->name, m->what, p.text);
	if (m->condition) {
		score.conditions_rejected += p.verdict != V_PROVED;
	} else if (p.verdict == V_UNKNOWN) {
		score.unknown++;
	} else if (p.verdict != V_PROVED) {
		score.by_prover++;
	} else if (really_differs(r, &m->r, seed)) {
		score.missed++;
		printf("MISSED    %s: %s is wrong but proven\n", r->name, m->what);
	} else {
		score.equivalent++;
		score.total--;
	}
}

static void run(struct ruleset **sets, int nsets)
{
	u64 seed = opt.seed;

	while (score.total < opt.count) {
		const struct ruleset *rs = sets[conc_random(&seed) % (u64)nsets];
		const struct rule *r;
		static struct mutant m;

		if (!rs->nrules)
			continue;
		r = rs->rules[conc_random(&seed) % (u64)rs->nrules];
		if (!r->nhost)
			continue;
		memset(&m, 0, sizeof(m));
		m.r = *r;
		npool = 0;
		if (!mutations[conc_random(&seed) % ARRAY_SIZE(mutations)](&m, &seed))
			continue;
		judge(r, &m, seed);
		if (isatty(2))
			fprintf(stderr, "\r%u of %u", score.total, opt.count);
	}
	if (isatty(2))
		fprintf(stderr, "\r");
}

int main(int argc, char **argv)
{
	struct ruleset *sets[64];
	int nsets = 0;
	unsigned rejected;

	prove_timeout_ms = 10000;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-n") && i + 1 < argc)
			opt.count = (unsigned)atoi(argv[++i]);
		else if (!strcmp(argv[i], "-s") && i + 1 < argc)
			opt.seed = strtoull(argv[++i], NULL, 0);
		else if (!strcmp(argv[i], "-v"))
			opt.verbose = true;
		else if (nsets < 64 && (sets[nsets] = ruleset_load(argv[i])))
			nsets++;
	}
	if (!nsets) {
		fprintf(stderr, "usage: rules-mutate [-n COUNT] [-s SEED] [-v] FILE...\n");
		return 2;
	}
	run(sets, nsets);
	rejected = score.by_checker + score.by_prover + score.unknown;
	printf("seed %llu: %u wrong rules: %u rejected (%u by the checker, %u refuted by the "
	       "prover, "
	       "%u not proven in time), %u accepted: score %.2f %%\n",
	       (unsigned long long)opt.seed, score.total, rejected, score.by_checker,
	       score.by_prover, score.unknown, score.missed, 100.0 * rejected / score.total);
	printf("besides: %u mutants that changed nothing; %u dropped conditions, %u of them "
	       "needed\n",
	       score.equivalent, score.conditions, score.conditions_rejected);
	return score.missed != 0;
}

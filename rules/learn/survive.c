/* SPDX-License-Identifier: MIT */
/* Quick refutation: a rule against the base rules on random numbers, far cheaper than a proof. */
#include <string.h>

#include "rules/learn/learn.h"
#include "rules/prove/concrete.h"

#define POOL 1024

struct test {
	const struct rule *r;
	unsigned rounds;
	u64 seed;
	bool ok;
	unsigned tried;
};

static bool well_formed(const struct hir_buf *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		const struct hir *h = &b->op[i];
		bool ctl = hop_is_control(h->op);

		if (h->op != HIR_MOV && !ctl &&
		    ((h->a.kind == H_IMM && h->a.imm != (s32)h->a.imm) ||
		     (h->b.kind == H_IMM && h->b.imm != (s32)h->b.imm)))
			return false;
		if (h->op >= HIR_SHL && h->op <= HIR_ROR && h->b.kind == H_IMM &&
		    (u64)h->b.imm >= h->w * 8u)
			return false;
		if (h->op == HIR_LEA && h->b.kind != H_NONE && (u64)h->c.imm > 3)
			return false;
		if (h->op == HIR_SHRD && (u64)h->c.imm >= h->w * 8u)
			return false;
		if (hop_reads_flags(h->op) && h->cc >= 14)
			return false;
	}
	return true;
}

/* Registers the rule calls dead may differ: they are made equal. */
static void forgive_dead(const struct rule *r, const struct expr *e, const s64 *param,
			 struct conc_state *a, const struct conc_state *b)
{
	if (e->op == E_DEAD && param[e->val] < 31)
		a->x[param[e->val]] = b->x[param[e->val]];
	if (e->op == E_LAND) {
		forgive_dead(r, e->a, param, a, b);
		forgive_dead(r, e->b, param, a, b);
	}
}

/* Registers that hold just what the rule's immediates are, which comparisons care for. */
static void meet_immediates(const struct rule *r, const s64 *param, struct conc_state *st,
			    u64 *seed)
{
	if (conc_random(seed) % 3)
		return;
	for (int i = 0; i < r->nparams; i++)
		if (r->param[i].kind == P_IMM && conc_random(seed) % 2) {
			u64 v = (u64)param[i] + conc_random(seed) % 3 - 1,
			    how = conc_random(seed) % 4;

			v = how == 1 ? -v : how == 2 ? (u32)-v : v;
			for (int k = 0; k < r->nparams; k++)
				if (r->param[k].kind == P_REG && conc_random(seed) % 2)
					st->x[param[k] & 31] = v;
		}
}

/* One of many states made once: making them is dearer than all else here. */
static const struct conc_state *random_state(u64 *seed)
{
	static struct conc_state pool[POOL];
	static bool ready;
	u64 s = 17;

	for (int i = 0; i < POOL && !ready; i++)
		conc_state_random(&pool[i], &s);
	ready = true;
	return &pool[conc_random(seed) % POOL];
}

static bool one(struct test *t, const struct instance *in)
{
	static struct hir_buf hb;
	struct a64_insn insn[RULE_MAX_GUEST];
	struct hir g[96];
	s64 param[RULE_MAX_PARAMS];
	struct conc_state a, b;
	int n;

	if (!conc_params(t->r, in, param, &t->seed))
		return true;
	for (int k = 0; k < t->r->nguest; k++)
		conc_guest(t->r, in, k, param, &insn[k]);
	n = guest_expand(insn, t->r->nguest, g, ARRAY_SIZE(g));
	if (n < 0)
		return true; /* outside the base rules: not judged here */
	conc_expand(t->r, in, param, &hb);
	if (!well_formed(&hb))
		return false;
	a = *random_state(&t->seed);
	meet_immediates(t->r, param, &a, &t->seed);
	b = a;
	for (int i = 0; i < n; i++)
		conc_exec(&a, &g[i]);
	for (unsigned i = 0; i < hb.n; i++)
		conc_exec(&b, &hb.op[i]);
	t->tried++;
	for (int i = 0; i < t->r->nwhen; i++)
		forgive_dead(t->r, t->r->when[i], param, &a, &b);
	return conc_same(&a, &b, !t->r->flags_dead);
}

static bool run_instance(void *arg, const struct instance *in)
{
	struct test *t = arg;

	for (unsigned i = 0; i < t->rounds && t->ok; i++)
		t->ok = one(t, in);
	return t->ok;
}

bool rule_survives(const struct rule *r, unsigned rounds, u64 seed)
{
	struct test t = {.r = r, .rounds = rounds, .seed = seed, .ok = true};

	for_each_instance(r, run_instance, &t);
	return t.ok && t.tried;
}

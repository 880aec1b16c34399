/* SPDX-License-Identifier: MIT */
/* The guest side of a pair: what the base rules make of it, and what it reads and writes. */
#include <string.h>

#include "dbt/translate.h"
#include "rules/learn/learn.h"
#include "rules/prove/concrete.h"

int guest_hir(const struct a64_insn *in, int n, bool flags_live, struct hir_buf *out)
{
	static struct dbt_vm vm = {.cfg.rules = DBT_RULES_BASE};
	static struct tr tr;

	tr.vm = &vm;
	tr.hir.n = 0;
	tr.n = (unsigned)n;
	tr.page_off = 0;
	tr.ended = false;
	memcpy(tr.insn, in, sizeof(*in) * (size_t)n);
	tr_spread_liveness(&tr, flags_live);
	for (tr.i = 0; tr.i < tr.n;) {
		unsigned k;

		tr.hir.ntmp = 0;
		tr.hir.insn = tr.i;
		k = rules_apply(&tr);
		if (!k)
			return -1;
		tr.i += k;
	}
	out->n = tr.hir.n;
	memcpy(out->op, tr.hir.op, sizeof(*out->op) * tr.hir.n);
	return (int)tr.hir.n;
}

int guest_expand(const struct a64_insn *in, int n, struct hir *out, int cap)
{
	static struct hir_buf b;

	if (guest_hir(in, n, true, &b) < 0 || (int)b.n > cap)
		return -1;
	memcpy(out, b.op, sizeof(*out) * b.n);
	return (int)b.n;
}

int hir_cost(const struct hir *h, int n)
{
	int cost = 0;

	for (int i = 0; i < n; i++)
		cost += hop_cost(h[i].op);
	return cost;
}

static void note(struct guestseq *g, const struct hir_opnd *o)
{
	if (o->kind == H_X && !(g->written & 1u << o->reg))
		g->live_in |= 1u << o->reg;
}

int guest_prepare(const u32 *words, int n, struct guestseq *g, const char **why)
{
	memset(g, 0, sizeof(*g));
	g->n = n;
	for (int i = 0; i < n; i++) {
		a64_decode(words[i], &g->insn[i]);
		*why = "guest: instruction outside the rule language";
		if (!gop_shape(g->insn[i].op) || g->insn[i].op == A64_BL ||
		    g->insn[i].op == A64_BLR || g->insn[i].op == A64_BR ||
		    g->insn[i].op == A64_RET || g->insn[i].op == A64_NOP)
			return -1;
	}
	*why = "guest: no base rule";
	g->nhir = guest_expand(g->insn, n, g->hir, ARRAY_SIZE(g->hir));
	if (g->nhir < 0)
		return -1;
	g->cost = hir_cost(g->hir, g->nhir);
	for (int i = 0; i < g->nhir; i++) {
		const struct hir *h = &g->hir[i];

		note(g, &h->a);
		note(g, &h->b);
		if (h->d.kind == H_X)
			g->written |= 1u << h->d.reg;
		if (hop_reads_flags(h->op) && !g->writes_flags)
			g->reads_flags = true;
		g->writes_flags |= h->setf;
		g->naccess += hop_is_mem(h->op);
	}
	return 0;
}

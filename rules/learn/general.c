/* SPDX-License-Identifier: MIT */
/*
 * From one observed pair to a rule as general as tests allow: immediates become parameters with
 * expressions for the host's, then condition, memory type and width; registers must be distinct
 * only where a test says so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/learn/learn.h"

/* The classes of the base rules that a learned op may be widened to; rows as in rules/base. */
const char *const learn_classes =

	"class l_addsub_i h\n\tADD_imm add\n\tSUB_imm sub\n\n"
	"class l_logic_i h\n\tAND_imm and\n\tORR_imm or\n\tEOR_imm xor\n\n"
	/* the widest first */
	"class l_alu h\n\tADD_shift add\n\tSUB_shift sub\n\tAND_shift and\n\tBIC_shift bic\n"
	"\tORR_shift or\n\tORN_shift orn\n\tEOR_shift xor\n\tEON_shift eon\n\n"
	"class l_logic h\n\tAND_shift and\n\tORR_shift or\n\tEOR_shift xor\n\n"
	"class l_addsub h\n\tADD_shift add\n\tSUB_shift sub\n\n";

struct ruleset *parse_with_classes(const char *text)
{
	size_t n = strstr(text, " in l_") ? strlen(learn_classes) : 0, m = strlen(text);
	char *all = malloc(n + m + 1);
	struct ruleset *rs;

	if (!all)
		return NULL;
	memcpy(all, learn_classes, n);
	memcpy(all + n, text, m + 1);
	rs = ruleset_parse("learned", all, n + m);
	free(all);
	if (rs && (rs->nerrors || rs->nrules != 1)) {
		if (getenv("LEARN_DEBUG"))
			fprintf(stderr, "%s%s", rs->errors ? rs->errors : "", text);
		ruleset_free(rs);
		return NULL;
	}
	return rs;
}

static bool holds(const struct pairtext *t, const struct choice *c, unsigned rounds)
{
	char text[2048];
	struct ruleset *rs;
	bool ok;

	if (!text_write(t, c, "x", text, sizeof(text)))
		return false;
	rs = parse_with_classes(text);
	if (!rs)
		return false;
	ok = rule_survives(rs->rules[0], rounds, 7);
	ruleset_free(rs);
	return ok;
}

/* Numbers kept, registers all distinct; then without each distinctness that is not needed. */
static bool base_choice(const struct pairtext *t, struct choice *c)
{
	memset(c, 0, sizeof(*c));
	memset(c->expr, -1, sizeof(c->expr));
	c->const_slots = ~0u;
	if (holds(t, c, 100))
		return true;
	c->npairs = text_pairs(t, c->pair, ARRAY_SIZE(c->pair));
	if (!holds(t, c, 100))
		return false;
	for (int i = 0; i < c->npairs;) {
		struct choice less = *c;

		less.npairs--;
		memmove(less.pair[i], less.pair[i + 1],
			sizeof(less.pair[0]) * (size_t)(less.npairs - i));
		if (holds(t, &less, 150))
			*c = less;
		else
			i++;
	}
	return true;
}

/* All host expressions that are not plain small numbers must fit 32 bits. */
static void add_range(const struct pairtext *t, struct choice *c)
{
	char e[96];
	size_t n = 0;

	c->when[0] = 0;
	for (int i = 0; i < t->nhimm; i++)
		if (c->expr[i] >= 0 && text_candidate(t, i, c->expr[i], e, sizeof(e)) &&
		    n + strlen(e) + 8 < sizeof(c->when))
			n += (size_t)sprintf(c->when + n, "%ss32(%s)", n ? ", " : "", e);
}

static bool try_imms(const struct pairtext *t, struct choice *c)
{
	struct choice x = *c;

	if (holds(t, &x, 200)) {
		*c = x;
		return true;
	}
	add_range(t, &x);
	if (x.when[0] && holds(t, &x, 200)) {
		*c = x;
		return true;
	}
	return false;
}

/* Goes through the expressions of the host's immediates, a number last; `budget` tries in all. */
static bool search_exprs(const struct pairtext *t, struct choice *c, int i, int *budget)
{
	char e[96];

	if (i == t->nhimm)
		return --*budget >= 0 && try_imms(t, c);
	for (int k = 0; k < 4 && text_candidate(t, i, k, e, sizeof(e)); k++) {
		c->expr[i] = (s8)k;
		if (search_exprs(t, c, i + 1, budget))
			return true;
	}
	c->expr[i] = -1;
	return search_exprs(t, c, i + 1, budget);
}

static void generalise_imms(const struct pairtext *t, struct choice *c)
{
	struct choice best = *c;

	if (!t->nslots)
		return;
	/* All of them, all but one, each alone. */
	for (int round = 0; round <= 2 * t->nslots; round++) {
		struct choice x = *c;
		int budget = 24;
		u32 all = (1u << t->nslots) - 1;

		x.const_slots = ~all;
		if (round > t->nslots)
			x.const_slots |= all & ~(1u << (round - t->nslots - 1));
		else if (round)
			x.const_slots |= 1u << (round - 1);
		if (search_exprs(t, &x, 0, &budget)) {
			best = x;
			break;
		}
		if (t->nslots == 1)
			break;
	}
	*c = best;
}

static void generalise_rest(const struct pairtext *t, struct choice *c)
{
	struct choice x = *c;

	x.cond = true;
	if (holds(t, &x, 300))
		*c = x;
	x = *c;
	x.mem = true;
	if (t->g->naccess && holds(t, &x, 60))
		*c = x;
	x = *c;
	x.r = true;
	if (holds(t, &x, 200))
		*c = x;
}

/* Saves something where all registers are in memory, or where they are anywhere. */
static bool worth_if_spilled(const struct rule *r, int draws)
{
	int base, rule;

	return rule_worth(r, draws, 0, ~0u, &base, &rule) &&
	       (rule < base || (rule_worth(r, draws, ~0u, 0, &base, &rule) && rule < base));
}

/* Registers that must be in memory for the rule never to lose; cost and base cost then. */
static bool where_it_pays(const struct rule *r, struct learned *l, u32 *spilled)
{
	*spilled = 0;
	for (int i = 0; i < r->nparams; i++) {
		int base, rule;

		if (r->param[i].kind != P_REG)
			continue;
		if (!rule_worth(r, 8, 1u << i, *spilled, &base, &rule))
			return false;
		if (rule > base)
			*spilled |= 1u << i;
	}
	return rule_worth(r, 16, 0, *spilled, &l->base_cost, &l->cost);
}

static void add_spilled(const struct rule *r, u32 spilled, struct learned *l)
{
	const char *sep = "spilled ";
	size_t n = strlen(l->text);

	for (int i = 0; i < r->nparams && n + 32 < sizeof(l->text); i++)
		if (spilled >> i & 1) {
			n += (size_t)sprintf(l->text + n, "%sR%s", sep, r->param[i].name);
			sep = ", ";
		}
	if (spilled)
		strcat(l->text, "\n");
}

static bool gain(const struct pairtext *t, const struct choice *c)
{
	char text[2048];
	struct ruleset *rs;
	bool r;

	if (!text_write(t, c, "x", text, sizeof(text)))
		return false;
	rs = parse_with_classes(text);
	r = rs && worth_if_spilled(rs->rules[0], 3);
	ruleset_free(rs);
	return r;
}

/* ---- opcode classes ---- */

/* Replaces the only operation `host` of the host side by the class's column; false when it is not
 * one. */
static bool put_column(const char *hostside, const char *host, char *buf, size_t cap)
{
	const char *at = NULL;
	size_t n = strlen(host);

	for (const char *p = hostside; (p = strstr(p, host)); p += n)
		if (p[-1] == ' ' && p[n] == '.') {
			if (at)
				return false;
			at = p;
		}
	if (!at)
		return false;
	snprintf(buf, cap, "%.*s<op.h>%s", (int)(at - hostside), hostside, at + n);
	return true;
}

static bool try_class(const struct opclass *c, struct learned *l)
{
	for (int row = 0; row < c->nrows; row++) {
		const char *op = gop_name(c->guest[row]), *host = hop_name(c->cell[row][0].op);
		char *g = strstr(l->text, op), *h = strstr(l->text, "host "), text[2200],
		     side[1200];
		struct ruleset *rs;
		size_t n = strlen(op);

		if (!g || !h || g > h || g[n] != ' ' || g[-1] != ' ' || strstr(g + n, op) ||
		    !put_column(h, host, side, sizeof(side)))
			continue;
		snprintf(text, sizeof(text), "rule x\nfor    <op> in %s\n%.*s<op>%.*s%s", c->name,
			 (int)(g - strchr(l->text, '\n') - 1), strchr(l->text, '\n') + 1,
			 (int)(h - g - (long)n), g + n, side);
		rs = parse_with_classes(text);
		if (!rs)
			continue;
		if (rule_survives(rs->rules[0], 150, 5) && strlen(text) < sizeof(l->text)) {
			strcpy(l->text, text);
			strcpy(l->hash, rs->rules[0]->hash);
			ruleset_free(rs);
			return true;
		}
		ruleset_free(rs);
	}
	return false;
}

void widen_op(struct learned *l)
{
	struct ruleset *rs = ruleset_parse("classes", learn_classes, strlen(learn_classes));

	for (int i = 0; rs && i < rs->nclasses; i++)
		if (try_class(rs->classes[i], l))
			break;
	ruleset_free(rs);
}

/* The guest's last flags are read within the sequence: else it computes them for nothing. */
static bool flags_consumed(const struct guestseq *g)
{
	for (int i = g->nhir; i-- > 0;) {
		if (hop_reads_flags(g->hir[i].op))
			return true;
		if (g->hir[i].setf)
			return false;
	}
	return false;
}

/* x86 flags made by the host side alone: NZCV would be lost. */
static bool host_sets_flags(const struct hostseq *h)
{
	for (int i = 0; i < h->n; i++)
		if (h->op[i].setf)
			return true;
	return false;
}

static bool write_pair(const struct pairtext *t, const struct choice *c, struct learned *out)
{
	struct ruleset *rs;

	if (!text_write(t, c, "x", out->pair, sizeof(out->pair)))
		return false;
	rs = parse_with_classes(out->pair);
	if (rs)
		strcpy(out->pair_hash, rs->rules[0]->hash);
	ruleset_free(rs);
	return rs != NULL;
}

bool generalise(struct pairtext *t, struct learned *out)
{
	struct choice c;
	struct ruleset *rs;
	u32 spilled;

	if (!text_prepare(t))
		return false;
	t->setf_last = t->g->writes_flags && t->m->flags;
	t->flags_dead = t->g->writes_flags ? !t->m->flags : host_sets_flags(t->h);
	/* Most pairs are right, but no better than the base rules: that is found out first. */
	memset(&c, 0, sizeof(c));
	memset(c.expr, -1, sizeof(c.expr));
	c.const_slots = ~0u;
	if (!gain(t, &c))
		return true;
	if (!base_choice(t, &c)) {
		/* NZCV may have agreed by chance of what was compiled. */
		if (!t->g->writes_flags || t->flags_dead || !flags_consumed(t->g))
			return false;
		t->setf_last = false;
		t->flags_dead = true;
		if (!base_choice(t, &c))
			return false;
	}
	if (!write_pair(t, &c, out))
		return false;
	generalise_imms(t, &c);
	generalise_rest(t, &c);
	if (!text_write(t, &c, "x", out->text, sizeof(out->text)))
		return false;
	rs = parse_with_classes(out->text);
	if (!rs)
		return false;
	if (!rule_survives(rs->rules[0], 1500, 11)) {
		ruleset_free(rs);
		return false;
	}
	out->nguest = rs->rules[0]->nguest;
	strcpy(out->hash, rs->rules[0]->hash);
	if (where_it_pays(rs->rules[0], out, &spilled))
		add_spilled(rs->rules[0], spilled, out);
	else
		out->text[0] = 0;
	ruleset_free(rs);
	return true;
}

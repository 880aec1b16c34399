/* SPDX-License-Identifier: MIT */
/*
 * What can be said of a rule without a solver: form of the operands, use of temporaries, where
 * branches and accesses may stand (the contract of dbt/hir.h). Whether it is right is the prover's
 * business.
 */
#include <string.h>

#include "dbt/hir.h"
#include "rules/lang/rule.h"

/* Any expression that asks about liveness, allowed in conditions only. */
static bool asks_liveness(const struct expr *e)
{
	if (!e)
		return false;
	return e->op == E_FLAGS_DEAD || e->op == E_DEAD || asks_liveness(e->a) ||
	       asks_liveness(e->b);
}

static void check_liveness_exprs(struct ruleset *rs, struct rule *r)
{
	for (int i = 0; i < r->nparams; i++)
		if (r->param[i].kind == P_LET && asks_liveness(r->param[i].let))
			ruleset_error(rs, r->param[i].loc, "liveness belongs into 'when'");
	for (int i = 0; i < r->nhost; i++) {
		struct hinsn *h = &r->host[i];

		if (asks_liveness(h->disp) || asks_liveness(h->a.e) || asks_liveness(h->b.e) ||
		    asks_liveness(h->c.e))
			ruleset_error(rs, h->loc, "liveness belongs into 'when'");
	}
}

static void check_guest(struct ruleset *rs, struct rule *r)
{
	static const u8 is_branch_shape['z' + 1] = {['L'] = 1};

	for (int i = 0; i + 1 < r->nguest; i++) {
		int op = ginsn_op(r, &r->guest[i]);
		const char *shape = gop_shape(op);
		char last = shape[0] ? shape[strlen(shape) - 1] : 0;

		if ((is_branch_shape[(u8)last & 0x7f] && op != A64_ADR && op != A64_ADRP &&
		     op != A64_LDR_lit) ||
		    op == A64_BR || op == A64_BLR || op == A64_RET)
			ruleset_error(rs, r->guest[i].loc, "a branch must be the last instruction");
	}
}

static void check_dest(struct ruleset *rs, struct rule *r, struct hinsn *h, int op)
{
	if (h->d.kind == HO_EXPR)
		ruleset_error(rs, h->loc, "the destination must be a register or temporary");
	if (h->d.kind == HO_NONE && strchr(hop_shape(op), 'd') && !h->setf && op != HIR_LD)
		ruleset_error(rs, h->loc, "the operation has no effect: no destination, no flags");
	if (h->setf && !hop_may_setf(op))
		ruleset_error(rs, h->loc, "%s cannot set flags", hop_name(op));
}

/* Operations that exist in 64 bits only. */
static bool only_64(int op)
{
	return op == HIR_PCADDR || op == HIR_UMULH || op == HIR_SMULH || op == HIR_BSWAP32 ||
	       op == HIR_BR || op == HIR_BLR || op == HIR_RET;
}

static void check_operands(struct ruleset *rs, struct rule *r, struct hinsn *h, int op)
{
	bool branch = op == HIR_B || op == HIR_BCC || op == HIR_BZ || op == HIR_BNZ ||
		      op == HIR_BTZ || op == HIR_BTNZ || op == HIR_BL || op == HIR_PCADDR;

	check_dest(rs, r, h, op);
	if (only_64(op) && h->wsel != WS_X)
		ruleset_error(rs, h->loc, "%s has a 64-bit form only", hop_name(op));
	if (branch != (h->a.kind == HO_EXPR) &&
	    (branch || op == HIR_LD || op == HIR_ST || op == HIR_LEA || op == HIR_BR ||
	     op == HIR_BLR || op == HIR_RET))
		ruleset_error(rs, h->loc, branch ? "expected a label" : "expected a register");
	if (strchr(hop_shape(op), 'c') && op != HIR_LEA && h->c.kind != HO_EXPR)
		ruleset_error(rs, h->loc, "the last operand must be an #expression");
	if (h->b.kind == HO_EXPR && (op == HIR_CSEL || op == HIR_UMULH || op == HIR_SMULH ||
				     op == HIR_UDIV || op == HIR_SDIV || op == HIR_LEA))
		ruleset_error(rs, h->loc, "%s takes no immediate", hop_name(op));
}

/* Temporaries: written before read, at most 3 live at once and 2 across an access. */
static void check_temps(struct ruleset *rs, struct rule *r)
{
	int last[RULE_MAX_TEMPS], live = 0;
	bool set[RULE_MAX_TEMPS] = {false};

	for (int t = 0; t < RULE_MAX_TEMPS; t++)
		last[t] = -1;
	for (int i = 0; i < r->nhost; i++) {
		const struct hopnd *src[] = {&r->host[i].a, &r->host[i].b, &r->host[i].c};

		for (int k = 0; k < 3; k++)
			if (src[k]->kind == HO_TEMP) {
				last[src[k]->reg] = i;
				if (!set[src[k]->reg])
					ruleset_error(rs, r->host[i].loc,
						      "t%d is read before it is written",
						      src[k]->reg);
			}
		if (r->host[i].d.kind == HO_TEMP) {
			set[r->host[i].d.reg] = true;
			if (r->host[i].d.reg >= r->ntemps)
				r->ntemps = r->host[i].d.reg + 1;
		}
	}
	for (int i = 0; i < r->nhost; i++) {
		live = 0;
		for (int t = 0; t < RULE_MAX_TEMPS; t++) {
			bool before = false;

			for (int k = 0; k < i; k++)
				before |= r->host[k].d.kind == HO_TEMP && r->host[k].d.reg == t;
			live += before && last[t] > i;
		}
		if (hop_is_mem(hinsn_op(r, &r->host[i])) && live > 2)
			ruleset_error(rs, r->host[i].loc,
				      "more than 2 temporaries live across an access");
	}
}

static bool same_base(const struct hopnd *a, const struct hopnd *b)
{
	return a->kind == b->kind && a->reg == b->reg;
}

/* Nothing the guest can see: a temporary, and no flags. */
static bool writes_temp_only(const struct hinsn *h)
{
	return h->d.kind == HO_TEMP && !h->setf;
}

/*
 * Restart: nothing the guest can see is written before the last access, other than by the accesses
 * themselves, which all go off one base: placement checks them together before the first one
 * happens. (That a load does not overwrite the base of the next one depends on which registers are
 * equal: proven.)
 */
static void check_restart(struct ruleset *rs, struct rule *r)
{
	int first = -1, last = -1;

	for (int i = 0; i < r->nhost; i++)
		if (hop_is_mem(hinsn_op(r, &r->host[i]))) {
			if (first < 0)
				first = i;
			last = i;
		}
	for (int i = 0; i <= last; i++) {
		struct hinsn *h = &r->host[i];
		const struct hopnd *base = &r->host[first].a;
		bool mem = hop_is_mem(hinsn_op(r, h));

		if (!mem && !writes_temp_only(h))
			ruleset_error(rs, h->loc,
				      "not restartable: guest state is written before an access");
		if (mem && !same_base(&h->a, base))
			ruleset_error(rs, h->loc, "not restartable: accesses off different bases");
		if (i >= first && i < last && h->d.kind == HO_TEMP && same_base(&h->d, base))
			ruleset_error(rs, h->loc, "the base is overwritten between accesses");
	}
}

/* Of the members of a class, the dearest: a special rule for one of them then comes first. */
static int worst_cost(const struct rule *r, const struct hinsn *h)
{
	int worst = hop_cost(hinsn_op(r, h));

	if (h->op >= 0 || h->cls_var < 0)
		return worst;
	for (int i = 0; i < r->vars[h->cls_var].cls->nrows; i++) {
		int c = hop_cost(r->vars[h->cls_var].cls->cell[i][h->col].op);

		worst = c > worst ? c : worst;
	}
	return worst;
}

/* How much a rule fixes: at equal cost the more special one is tried first. */
static int specificity(const struct rule *r)
{
	int n = 0;

	for (int k = 0; k < r->nguest; k++)
		for (int f = 0; f < F_NUM; f++)
			n += 2 * (r->guest[k].f[f].kind == GV_CONST);
	return n + r->nwhen;
}

static void check_host(struct ruleset *rs, struct rule *r)
{
	int cost = 0;

	for (int i = 0; i < r->nhost; i++) {
		struct hinsn *h = &r->host[i];
		int op = hinsn_op(r, h);

		check_operands(rs, r, h, op);
		if (hop_is_control(op) && i + 1 < r->nhost)
			ruleset_error(rs, h->loc, "a branch must be the last operation");
		if (h->wsel == WS_R && !r->uses_r)
			ruleset_error(rs, h->loc, "R needs an R operand on the guest side");
		cost += worst_cost(r, h);
	}
	if (!r->cost)
		r->cost = cost;
	r->special = specificity(r);
}

void rule_check(struct ruleset *rs, struct rule *r)
{
	if (!r->nguest) {
		ruleset_error(rs, r->loc, "rule %s has no guest side", r->name);
		return;
	}
	check_guest(rs, r);
	check_host(rs, r);
	check_liveness_exprs(rs, r);
	check_temps(rs, r);
	check_restart(rs, r);
}

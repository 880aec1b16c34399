/* SPDX-License-Identifier: MIT */
/* Errors an author of rules makes. */
#include <stdio.h>
#include <string.h>

#include "rules/prove/concrete.h"
#include "rules/prove/mutate.h"

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

static struct hinsn *any_op(struct mutant *m, u64 *seed)
{
	return &m->r.host[conc_random(seed) % (u64)m->r.nhost];
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
	{HIR_CLZ, HIR_CLS, HIR_CTZ, -1},
	{HIR_CSET, HIR_CSETM, -1},
	{HIR_CCMP, HIR_CCMN, -1},
	{HIR_BZ, HIR_BNZ, -1},
	{HIR_BTZ, HIR_BTNZ, -1},
	{HIR_BR, HIR_BLR, HIR_RET, -1},
	{HIR_B, HIR_BL, -1},
};

static bool change_op(struct mutant *m, u64 *seed)
{
	struct hinsn *h = any_op(m, seed);
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
	struct hinsn *h = any_op(m, seed);
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
	struct hinsn *h = any_op(m, seed);
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
	struct hinsn *h = any_op(m, seed);
	u8 old = h->wsel;

	if (old == WS_ANY)
		return false;
	h->wsel = old == WS_W ? WS_X : old == WS_X ? WS_W : conc_random(seed) & 1 ? WS_W : WS_X;
	snprintf(m->what, sizeof(m->what), "width %c for %c", "WXR"[h->wsel], "WXR"[old]);
	return true;
}

static bool change_flags(struct mutant *m, u64 *seed)
{
	struct hinsn *h = any_op(m, seed);

	if (!hop_may_setf(hinsn_op(&m->r, h)) || hinsn_op(&m->r, h) == HIR_CCMP ||
	    hinsn_op(&m->r, h) == HIR_CCMN)
		return false;
	h->setf ^= 1;
	snprintf(m->what, sizeof(m->what), h->setf ? "flags set" : "flags not set");
	return true;
}

static bool invert_cond(struct mutant *m, u64 *seed)
{
	struct hinsn *h = any_op(m, seed);

	if (h->cc.kind == GV_ABSENT)
		return false;
	h->cc_inv ^= 1;
	snprintf(m->what, sizeof(m->what), "condition inverted");
	return true;
}

/* A neighbour that is right for most values: HI for CS, GT for GE, ... */
static bool wrong_cond(struct mutant *m, u64 *seed)
{
	struct hinsn *h = any_op(m, seed);
	s64 c = (s64)(conc_random(seed) % 14);

	if (h->cc.kind == GV_ABSENT || (h->cc.kind == GV_CONST && h->cc.v == c))
		return false;
	h->cc = (struct gval){GV_CONST, c};
	h->cc_inv = 0;
	snprintf(m->what, sizeof(m->what), "condition %d", (int)c);
	return true;
}

/* The 32-bit result's upper half is not cleared, or a narrow value not extended. */
static bool drop_extension(struct mutant *m, u64 *seed)
{
	struct hinsn *h = any_op(m, seed);
	int op = hinsn_op(&m->r, h);

	if (op < HIR_ZX8 || op > HIR_SX32)
		return false;
	h->op = HIR_MOV;
	h->wsel = WS_X;
	h->cls_var = h->op_param = -1;
	snprintf(m->what, sizeof(m->what), "no %s", hop_name(op));
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
	struct hinsn *h = any_op(m, seed);
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
	struct hinsn *h = any_op(m, seed);
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
	struct hinsn *h = any_op(m, seed);
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

const struct mutation mutations[] = {
	{"wrong operation", change_op},	       {"swapped operands", swap_operands},
	{"immediate off by one", off_by_one},  {"wrong width", change_width},
	{"missing extension", drop_extension}, {"flags set or not", change_flags},
	{"condition inverted", invert_cond},   {"wrong condition", wrong_cond},
	{"operation left out", drop_op},       {"operations reordered", reorder},
	{"wrong register", other_register},    {"wrong temporary", other_temp},
	{"wrong memory type", change_mem},     {"when left out", drop_when},
};
const unsigned n_mutations = ARRAY_SIZE(mutations);

void mutant_init(struct mutant *m, const struct rule *r)
{
	memset(m, 0, sizeof(*m));
	m->r = *r;
	npool = 0;
}

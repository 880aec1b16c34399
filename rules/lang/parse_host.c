/* SPDX-License-Identifier: MIT */
/* One host operation of a rule: mnemonic, optional width or memory type, operands by hop_shape. */
#include <stdio.h>
#include <string.h>

#include "dbt/hir.h"
#include "rules/lang/parser.h"

static bool temp_reg(const char *id, u8 *n)
{
	if (id[0] != 't' || id[1] < '0' || id[1] >= '0' + RULE_MAX_TEMPS || id[2])
		return false;
	*n = (u8)(id[1] - '0');
	return true;
}

static struct hopnd host_reg_named(struct parser *p, const char *id)
{
	struct hopnd o = {0};
	const char *name;
	int num, i;

	if (temp_reg(id, &o.reg)) {
		o.kind = HO_TEMP;
	} else if (literal_reg(id, &num, (char *)&o.letter, &o.rc)) {
		o.kind = HO_FIXED;
		o.reg = (u8)num;
	} else if (split_reg(id, (char *)&o.letter, &name)) {
		i = param_find(p->rule, name);
		if (i < 0 || p->rule->param[i].kind != P_REG)
			parse_fail(p, "'%s' is not a register of the guest side", id);
		o.kind = HO_PARAM;
		o.reg = (u8)i;
	}
	return o;
}

/* Register, temporary, #expression, or a label. "_" discards a result. */
static struct hopnd host_operand(struct parser *p)
{
	struct hopnd o = {0};
	char id[32];

	if (tok_accept(p, '#')) {
		o.kind = HO_EXPR;
		o.e = parse_expr(p);
		return o;
	}
	if (tok_is(p, "_")) {
		lex_next(p);
		return o;
	}
	if (p->tok.kind != T_IDENT)
		parse_fail(p, "expected a register, temporary, label or #expression");
	snprintf(id, sizeof(id), "%.*s", (int)(p->tok.len < 31 ? p->tok.len : 31), p->tok.s);
	o = host_reg_named(p, id);
	if (o.kind == HO_NONE) {
		int i = param_find(p->rule, id);

		if (i < 0 || p->rule->param[i].kind != P_LABEL)
			parse_fail(p, "unknown operand '%s'", id);
		o.kind = HO_EXPR;
		o.e = expr_new(p, E_PARAM, NULL, NULL);
		o.e->val = i;
	}
	lex_next(p);
	return o;
}

/* [a], [a + #e], [a - #e], and for LEA [a + b << k + #e] */
static void host_address(struct parser *p, struct hinsn *h, bool lea)
{
	tok_expect(p, '[', "an address");
	h->a = host_operand(p);
	if (lea && p->tok.kind == '+') {
		lex_next(p);
		if (p->tok.kind == '#') {
			lex_next(p);
			h->disp = parse_expr(p);
			tok_expect(p, ']', "']'");
			return;
		}
		h->b = host_operand(p);
		h->c.kind = HO_EXPR;
		if (tok_accept(p, T_SHL)) {
			tok_accept(p, '#');
			h->c.e = parse_primary(p);
		} else {
			h->c.e = expr_const(p, 0);
		}
	}
	if (p->tok.kind == '+' || p->tok.kind == '-') {
		bool neg = p->tok.kind == '-';

		lex_next(p);
		tok_expect(p, '#', "'#'");
		h->disp = parse_expr(p);
		if (neg)
			h->disp = expr_new(p, E_NEG, h->disp, NULL);
	}
	tok_expect(p, ']', "']'");
}

/* eq, <c>, or <!c> for the inverse */
static void host_cond(struct parser *p, struct hinsn *h)
{
	char id[16];
	int i;

	if (tok_accept(p, '<')) {
		h->cc_inv = tok_accept(p, '!');
		tok_ident(p, id, sizeof(id), "a condition parameter");
		i = param_find(p->rule, id);
		if (i < 0 || p->rule->param[i].kind != P_COND)
			parse_fail(p, "'%s' is not a condition", id);
		h->cc = (struct gval){GV_PARAM, i};
		tok_expect(p, '>', "'>'");
		return;
	}
	tok_ident(p, id, sizeof(id), "a condition");
	i = name_index(cond_names, 16, id);
	if (i < 0)
		parse_fail(p, "'%s' is not a condition", id);
	h->cc = (struct gval){GV_CONST, i};
}

static void host_mem_type(struct parser *p, struct hinsn *h)
{
	char id[16];
	int i;

	tok_expect(p, '.', "'.' and a memory type");
	if (tok_accept(p, '<')) {
		tok_ident(p, id, sizeof(id), "a memory type parameter");
		i = param_find(p->rule, id);
		if (i < 0 || p->rule->param[i].kind != P_MEM)
			parse_fail(p, "'%s' is not a memory type", id);
		h->mem = (struct gval){GV_PARAM, i};
		tok_expect(p, '>', "'>'");
		return;
	}
	tok_ident(p, id, sizeof(id), "a memory type");
	i = name_index(mem_names, MEM_NUM, id);
	if (i < 0)
		parse_fail(p, "'%s' is not a memory type", id);
	h->mem = (struct gval){GV_CONST, i};
}

static void host_operands(struct parser *p, struct hinsn *h, int op)
{
	const char *shape = hop_shape(op);

	switch (op) {
	case HIR_LEA:
		h->d = host_operand(p);
		tok_expect(p, ',', "','");
		host_address(p, h, true);
		return;
	case HIR_LD:
		h->d = host_operand(p);
		tok_expect(p, ',', "','");
		host_address(p, h, false);
		return;
	case HIR_ST:
		host_address(p, h, false);
		tok_expect(p, ',', "','");
		h->b = host_operand(p);
		return;
	case HIR_BZ:
	case HIR_BNZ:
		h->b = host_operand(p);
		tok_expect(p, ',', "','");
		h->a = host_operand(p);
		return;
	case HIR_BTZ:
	case HIR_BTNZ:
		h->b = host_operand(p);
		tok_expect(p, ',', "','");
		h->c = host_operand(p);
		tok_expect(p, ',', "','");
		h->a = host_operand(p);
		return;
	case HIR_BCC:
		host_cond(p, h);
		tok_expect(p, ',', "','");
		h->a = host_operand(p);
		return;
	default: break;
	}
	for (const char *s = shape; *s; s++) {
		if (*s == ',')
			tok_expect(p, ',', "','");
		else if (*s == 'd')
			h->d = host_operand(p);
		else if (*s == 'a')
			h->a = host_operand(p);
		else if (*s == 'b')
			h->b = host_operand(p);
		else if (*s == 'c')
			h->c = host_operand(p);
	}
	if (hop_reads_flags(op) && op != HIR_ADC && op != HIR_SBC) {
		tok_expect(p, ',', "',' and a condition");
		host_cond(p, h);
	}
}

static u8 letter_width(char c)
{
	return c == 'W' ? WS_W : c == 'X' ? WS_X : c == 'R' ? WS_R : WS_ANY;
}

/* Suffix first, then the destination, then the sources; cmp has no destination. */
static u8 host_width(struct hinsn *h, u8 suffix)
{
	const struct hopnd *o[] = {&h->d, &h->a, &h->b};

	if (suffix != WS_ANY)
		return suffix;
	for (size_t i = 0; i < ARRAY_SIZE(o); i++)
		if (letter_width((char)o[i]->letter) != WS_ANY)
			return letter_width((char)o[i]->letter);
	return WS_ANY;
}

static void host_mnemonic(struct parser *p, struct hinsn *h, int *op)
{
	char id[16];
	u8 setf;

	if (tok_accept(p, '<')) {
		const struct opclass *c;
		int i;

		tok_ident(p, id, sizeof(id), "a class variable");
		i = param_find(p->rule, id);
		if (i >= 0 &&
		    (p->rule->param[i].kind == P_SHIFT || p->rule->param[i].kind == P_EXT)) {
			h->op = -1;
			h->op_param = i;
			*op = hinsn_op(p->rule, h);
			tok_expect(p, '>', "'>'");
			return;
		}
		h->cls_var = var_find(p->rule, id);
		if (h->cls_var < 0)
			parse_fail(p, "unknown class variable '%s'", id);
		tok_expect(p, '.', "'.' and a column");
		tok_ident(p, id, sizeof(id), "a column");
		c = p->rule->vars[h->cls_var].cls;
		for (h->col = 0; h->col < c->ncols; h->col++)
			if (!strcmp(c->col[h->col], id))
				break;
		if (h->col == c->ncols)
			parse_fail(p, "class %s has no column '%s'", c->name, id);
		tok_expect(p, '>', "'>'");
		*op = c->cell[0][h->col].op;
		h->op = -1;
		h->setf = c->cell[0][h->col].setf;
		for (i = 1; i < c->nrows; i++)
			if (strcmp(hop_shape(c->cell[i][h->col].op), hop_shape(*op)) ||
			    c->cell[i][h->col].setf != h->setf)
				parse_fail(p, "column %s of class %s mixes host operand forms", id,
					   c->name);
		return;
	}
	tok_ident(p, id, sizeof(id), "a host op");
	h->op = *op = hop_find(id, &setf);
	if (h->op < 0)
		parse_fail(p, "unknown host op '%s'", id);
	h->setf = setf;
	/* cmp, cmn, tst: no destination is written. */
	h->col = !strcmp(id, "cmp") || !strcmp(id, "cmn") || !strcmp(id, "tst");
}

void parse_host(struct parser *p)
{
	struct rule *r = p->rule;
	struct hinsn *h;
	u8 suffix = WS_ANY;
	int op;

	if (r->nhost == RULE_MAX_HOST)
		parse_fail(p, "more than %d host operations", RULE_MAX_HOST);
	h = &r->host[r->nhost];
	*h = (struct hinsn){.cls_var = -1, .op_param = -1, .loc = p->tok.loc};
	host_mnemonic(p, h, &op);
	if (hop_is_mem(op))
		host_mem_type(p, h);
	if (tok_accept(p, '.')) {
		suffix = tok_is(p, "w")	  ? WS_W
			 : tok_is(p, "x") ? WS_X
			 : tok_is(p, "r") ? WS_R
					  : WS_ANY;
		if (suffix == WS_ANY)
			parse_fail(p, "a width is .w, .x or .r");
		lex_next(p);
	}
	if (h->op >= 0 && h->col) {
		h->a = host_operand(p);
		tok_expect(p, ',', "','");
		h->b = host_operand(p);
	} else {
		host_operands(p, h, op);
	}
	h->col = h->op >= 0 ? 0 : h->col;
	h->wsel = host_width(h, suffix);
	if (op == HIR_PCADDR || hop_is_control(op)) {
		if (h->wsel == WS_ANY)
			h->wsel = WS_X;
	}
	if (h->wsel == WS_ANY && !hop_is_mem(op))
		parse_fail(p, "the width is not given: use a W, X or R operand, or .w .x .r");
	r->nhost++;
}

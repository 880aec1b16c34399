/* SPDX-License-Identifier: MIT */
/* Expressions of the rule language: C's operators and precedence on 64-bit values. */
#include <string.h>

#include "rules/lang/parser.h"

#define EXPR_MAX_NODES 1000

struct expr *expr_new(struct parser *p, enum expr_op op, struct expr *a, struct expr *b)
{
	struct expr *e = arena_alloc(&p->rs->arena, sizeof(*e));

	if (!e)
		parse_fail(p, "out of memory");
	if (++p->nodes > EXPR_MAX_NODES)
		parse_fail(p, "the rule's expressions are too large");
	*e = (struct expr){.op = op, .a = a, .b = b, .loc = p->tok.loc};
	return e;
}

struct expr *expr_const(struct parser *p, s64 v)
{
	struct expr *e = expr_new(p, E_CONST, NULL, NULL);

	e->val = v;
	return e;
}

static const struct {
	const char *name;
	enum expr_op op;
} functions[] = {
	{"s32", E_S32},	  {"sx32", E_SX32}, {"zx32", E_ZX32}, {"simm", E_SIMM},
	{"mask", E_MASK}, {"pow2", E_POW2}, {"log2", E_LOG2},
};

/* Names of conditions, shifts and extensions are constants; so are sp and zr, both 31. */
static bool named_const(const char *s, s64 *v)
{
	int i = name_index(cond_names, 16, s);

	if (i < 0)
		i = name_index(shift_names, 4, s);
	if (i < 0)
		i = name_index(ext_names, 8, s);
	if (i < 0 && (!strcmp(s, "sp") || !strcmp(s, "zr")))
		i = 31;
	*v = i;
	return i >= 0;
}

static struct expr *param_expr(struct parser *p, const char *id)
{
	char letter;
	const char *name;
	struct expr *e;
	int i = param_find(p->rule, id);

	if (i < 0 && split_reg(id, &letter, &name)) {
		i = param_find(p->rule, name);
		if (i >= 0 && p->rule->param[i].kind != P_REG)
			i = -1;
	}
	if (i < 0)
		parse_fail(p, "unknown name '%s'", id);
	if (p->rule->param[i].kind == P_MEM) {
		bool log2;

		tok_expect(p, '.', "'.' after a memory type");
		log2 = tok_is(p, "log2");
		if (!log2 && !tok_is(p, "bytes"))
			parse_fail(p, "a memory type has .bytes and .log2");
		lex_next(p);
		e = expr_new(p, log2 ? E_MEM_LOG2 : E_MEM_BYTES, NULL, NULL);
	} else {
		e = expr_new(p, E_PARAM, NULL, NULL);
	}
	e->val = i;
	return e;
}

/* dead(Rn) */
static struct expr *dead_expr(struct parser *p)
{
	struct expr *e;

	tok_expect(p, '(', "'('");
	e = parse_expr(p);
	tok_expect(p, ')', "')'");
	if (e->op != E_PARAM || p->rule->param[e->val].kind != P_REG)
		parse_fail(p, "dead() wants a register parameter");
	e->op = E_DEAD;
	return e;
}

struct expr *parse_primary(struct parser *p)
{
	struct expr *e;
	char id[32];
	s64 v;

	if (p->tok.kind == T_NUM) {
		e = expr_const(p, p->tok.num);
		lex_next(p);
		return e;
	}
	if (tok_accept(p, '(')) {
		e = parse_expr(p);
		tok_expect(p, ')', "')'");
		return e;
	}
	tok_ident(p, id, sizeof(id), "a value");
	if (!strcmp(id, "width"))
		return expr_new(p, E_WIDTH, NULL, NULL);
	if (!strcmp(id, "flags_dead"))
		return expr_new(p, E_FLAGS_DEAD, NULL, NULL);
	if (!strcmp(id, "dead"))
		return dead_expr(p);
	if (!strcmp(id, "lsr") && p->tok.kind == '(') {
		struct expr *a;

		lex_next(p);
		a = parse_expr(p);
		tok_expect(p, ',', "','");
		e = parse_expr(p);
		tok_expect(p, ')', "')'");
		return expr_new(p, E_SHR, a, e);
	}
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (!strcmp(id, functions[i].name)) {
			tok_expect(p, '(', "'('");
			e = parse_expr(p);
			tok_expect(p, ')', "')'");
			return expr_new(p, functions[i].op, e, NULL);
		}
	if (named_const(id, &v))
		return expr_const(p, v);
	return param_expr(p, id);
}

static struct expr *parse_unary(struct parser *p)
{
	static const struct {
		int tok;
		enum expr_op op;
	} un[] = {{'-', E_NEG}, {'~', E_NOT}, {'!', E_LNOT}};

	if (++p->depth > PARSE_MAX_DEPTH)
		parse_fail(p, "expression nested too deeply");
	for (size_t i = 0; i < ARRAY_SIZE(un); i++)
		if (tok_accept(p, un[i].tok)) {
			struct expr *e = expr_new(p, un[i].op, parse_unary(p), NULL);

			p->depth--;
			return e;
		}
	p->depth--;
	return parse_primary(p);
}

static const struct binop {
	int tok, prec;
	enum expr_op op;
} binops[] = {
	{T_LOR, 1, E_LOR}, {T_LAND, 2, E_LAND}, {'|', 3, E_OR},	 {'^', 4, E_XOR},
	{'&', 5, E_AND},   {T_EQ, 6, E_EQ},	{T_NE, 6, E_NE}, {'<', 7, E_LT},
	{T_LE, 7, E_LE},   {'>', 7, E_GT},	{T_GE, 7, E_GE}, {T_SHL, 8, E_SHL},
	{T_SHR, 8, E_SAR}, {'+', 9, E_ADD},	{'-', 9, E_SUB}, {'*', 10, E_MUL},
};

/* c in {eq, ne, 3}: a chain of equalities. */
static struct expr *parse_in(struct parser *p, struct expr *a)
{
	struct expr *e = NULL;

	lex_next(p);
	tok_expect(p, '{', "'{' after in");
	do {
		struct expr *eq = expr_new(p, E_EQ, a, parse_expr(p));

		e = e ? expr_new(p, E_LOR, e, eq) : eq;
	} while (tok_accept(p, ','));
	tok_expect(p, '}', "'}'");
	return e;
}

static struct expr *parse_binary(struct parser *p, int min)
{
	struct expr *a = parse_unary(p);

	for (;;) {
		const struct binop *b = NULL;

		if (tok_is(p, "in") && min <= 6) {
			a = parse_in(p, a);
			continue;
		}
		for (size_t i = 0; i < ARRAY_SIZE(binops); i++)
			if (binops[i].tok == p->tok.kind)
				b = &binops[i];
		if (!b || b->prec < min)
			return a;
		lex_next(p);
		a = expr_new(p, b->op, a, parse_binary(p, b->prec + 1));
	}
}

struct expr *parse_expr(struct parser *p)
{
	struct expr *e;

	if (++p->depth > PARSE_MAX_DEPTH)
		parse_fail(p, "expression nested too deeply");
	e = parse_binary(p, 1);
	p->depth--;
	return e;
}

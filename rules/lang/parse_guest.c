/* SPDX-License-Identifier: MIT */
/* One guest instruction of a rule: op name, then operands by the op's shape (gop_shape). */
#include <stdio.h>
#include <string.h>

#include "rules/lang/parser.h"

struct gline {
	struct parser *p;
	struct ginsn *g;
	int op;	     /* of the first class member when a class variable */
	char letter; /* of the operand that gives the width */
};

static int param_bind(struct parser *p, const char *name, enum param_kind kind, enum gfield f)
{
	static const char *const kinds[] = {"a register", "an immediate", "a condition",
					    "a shift",	  "an extension", "a memory type",
					    "a label",	  "a let"};
	struct rule *r = p->rule;
	int i = param_find(r, name);

	if (i >= 0) {
		if (r->param[i].kind != kind)
			parse_fail(p, "'%s' is already %s, not %s", name, kinds[r->param[i].kind],
				   kinds[kind]);
		return i;
	}
	if (r->nparams == RULE_MAX_PARAMS)
		parse_fail(p, "more than %d parameters", RULE_MAX_PARAMS);
	if (strlen(name) >= sizeof(r->param[0].name))
		parse_fail(p, "parameter name '%s' is too long", name);
	i = r->nparams++;
	r->param[i] =
		(struct param){.kind = kind, .insn = (u8)r->nguest, .field = f, .loc = p->tok.loc};
	strcpy(r->param[i].name, name);
	return i;
}

static void set_const(struct ginsn *g, enum gfield f, s64 v)
{
	g->f[f] = (struct gval){GV_CONST, v};
}

static void set_param(struct gline *l, enum gfield f, const char *name, enum param_kind kind)
{
	l->g->f[f] = (struct gval){GV_PARAM, param_bind(l->p, name, kind, f)};
}

static void guest_reg(struct gline *l, enum gfield f, bool gives_width)
{
	struct parser *p = l->p;
	char id[32], letter;
	const char *name;
	int num, cls = gop_reg_class(l->op, f);
	u8 rc;

	if (p->tok.kind != T_IDENT)
		parse_fail(p, "expected a register");
	snprintf(id, sizeof(id), "%.*s", (int)(p->tok.len < 31 ? p->tok.len : 31), p->tok.s);
	if (literal_reg(id, &num, &letter, &rc)) {
		if (num == 31 && rc != cls)
			parse_fail(p, "register 31 is %s here", cls == RC_SP ? "sp" : "zr");
		set_const(l->g, f, num);
	} else if (split_reg(id, &letter, &name)) {
		set_param(l, f, name, P_REG);
		p->rule->param[l->g->f[f].v].rc |= (u8)cls;
	} else {
		parse_fail(p, "expected a register: Wname, Xname, Rname or a literal one");
	}
	if (gives_width && letter) {
		if (l->letter && l->letter != letter)
			parse_fail(p, "operands of different width");
		l->letter = letter;
	}
	lex_next(p);
}

/* #name or #number */
static void guest_imm(struct gline *l, enum gfield f)
{
	struct parser *p = l->p;
	bool neg;
	char id[16];

	tok_expect(p, '#', "'#'");
	neg = tok_accept(p, '-');
	if (p->tok.kind == T_NUM) {
		set_const(l->g, f, neg ? -p->tok.num : p->tok.num);
		lex_next(p);
	} else {
		if (neg)
			parse_fail(p, "expected a number");
		tok_ident(p, id, sizeof(id), "an immediate's name or a number");
		set_param(l, f, id, P_IMM);
	}
}

/* <name>, or one of the names */
static void guest_named(struct gline *l, enum gfield f, const char *const *names, int n,
			enum param_kind kind, const char *what)
{
	struct parser *p = l->p;
	char id[16];
	int i;

	if (tok_accept(p, '<')) {
		tok_ident(p, id, sizeof(id), "a parameter name");
		set_param(l, f, id, kind);
		tok_expect(p, '>', "'>'");
		return;
	}
	tok_ident(p, id, sizeof(id), what);
	i = name_index(names, n, id);
	if (i < 0)
		parse_fail(p, "'%s' is not %s", id, what);
	set_const(l->g, f, i);
}

/* Shift or extension, both with an optional amount. */
static void guest_shift(struct gline *l, bool ext)
{
	if (ext)
		guest_named(l, F_SHIFT, ext_names, 8, P_EXT, "an extension");
	else
		guest_named(l, F_SHIFT, shift_names, 4, P_SHIFT, "a shift");
	if (l->p->tok.kind == '#')
		guest_imm(l, F_AMOUNT);
	else
		set_const(l->g, F_AMOUNT, 0);
}

static void guest_index(struct gline *l)
{
	struct parser *p = l->p;

	l->g->amode = A64_AM_REG;
	guest_reg(l, F_RM, false);
	if (!tok_accept(p, ',')) {
		set_const(l->g, F_SHIFT, A64_UXTX);
		set_const(l->g, F_AMOUNT, 0);
	} else if (tok_is(p, "lsl")) {
		lex_next(p);
		set_const(l->g, F_SHIFT, A64_UXTX);
		guest_imm(l, F_AMOUNT);
	} else {
		guest_shift(l, true);
	}
}

/* [Xn] [Xn, #i] [Xn, #i]! [Xn], #i [Xn, Xm] [Xn, Rm, ext #k] */
static void guest_address(struct gline *l)
{
	struct parser *p = l->p;

	l->g->amode = A64_AM_IMM;
	tok_expect(p, '[', "an address");
	guest_reg(l, F_RN, false);
	if (tok_accept(p, ']')) {
		if (tok_accept(p, ',')) {
			l->g->amode = A64_AM_POST;
			guest_imm(l, F_IMM);
		} else {
			set_const(l->g, F_IMM, 0);
		}
		return;
	}
	tok_expect(p, ',', "',' or ']'");
	if (p->tok.kind != '#') {
		guest_index(l);
		tok_expect(p, ']', "']'");
		return;
	}
	guest_imm(l, F_IMM);
	tok_expect(p, ']', "']'");
	if (tok_accept(p, '!'))
		l->g->amode = A64_AM_PRE;
}

static void guest_operand(struct gline *l, char c)
{
	switch (c) {
	case 'd': guest_reg(l, F_RD, true); break;
	case 'n': guest_reg(l, F_RN, true); break;
	case 'm': guest_reg(l, F_RM, false); break;
	case 'a': guest_reg(l, F_RA, true); break;
	case 'i': guest_imm(l, F_IMM); break;
	case 'r': guest_imm(l, F_IMMR); break;
	case 's': guest_imm(l, F_IMMS); break;
	case 'v':
	case 'b': guest_imm(l, F_AMOUNT); break;
	case '$': guest_shift(l, false); break;
	case 'e': guest_shift(l, true); break;
	case 'c': guest_named(l, F_COND, cond_names, 16, P_COND, "a condition"); break;
	case '@': guest_address(l); break;
	case 'L': {
		char id[16];

		tok_ident(l->p, id, sizeof(id), "a label");
		set_param(l, F_IMM, id, P_LABEL);
		break;
	}
	default: parse_fail(l->p, "internal: operand shape '%c'", c);
	}
}

/* The .type of a single load or store. */
static void guest_mem_type(struct gline *l)
{
	if (l->op == A64_LDP || l->op == A64_STP) {
		set_const(l->g, F_MEM, MEM_R);
		return;
	}
	if (l->op == A64_LDPSW) {
		set_const(l->g, F_MEM, MEM_SW);
		return;
	}
	tok_expect(l->p, '.', "'.' and a memory type");
	guest_named(l, F_MEM, mem_names, MEM_NUM, P_MEM, "a memory type");
	if (l->op == A64_STR && l->g->f[F_MEM].kind == GV_CONST && l->g->f[F_MEM].v >= MEM_SB &&
	    l->g->f[F_MEM].v != MEM_R)
		parse_fail(l->p, "a store does not extend");
}

static void guest_class(struct gline *l)
{
	struct parser *p = l->p;
	char id[16];
	const struct opclass *c;

	lex_next(p);
	tok_ident(p, id, sizeof(id), "a class variable");
	l->g->cls_var = var_find(p->rule, id);
	if (l->g->cls_var < 0)
		parse_fail(p, "unknown class variable '%s'", id);
	tok_expect(p, '>', "'>'");
	c = p->rule->vars[l->g->cls_var].cls;
	l->op = c->guest[0];
	l->g->op = -1;
	for (int i = 1; i < c->nrows; i++)
		if (strcmp(gop_shape(c->guest[i]), gop_shape(l->op)) ||
		    gop_reg_class(c->guest[i], F_RD) != gop_reg_class(l->op, F_RD) ||
		    gop_reg_class(c->guest[i], F_RN) != gop_reg_class(l->op, F_RN))
			parse_fail(p, "class %s mixes operand forms (%s, %s)", c->name,
				   gop_name(l->op), gop_name(c->guest[i]));
}

static u8 width_of(struct gline *l)
{
	/* Where sf does not matter, or the memory type says all. */
	if (l->op == A64_TBZ || l->op == A64_TBNZ || l->op == A64_ADR || l->op == A64_ADRP ||
	    l->op == A64_BR || l->op == A64_BLR || l->op == A64_RET || l->op == A64_STR)
		return l->letter == 'R' && l->op == A64_STR ? WS_R : WS_ANY;
	switch (l->letter) {
	case 'W': return WS_W;
	case 'X': return WS_X;
	case 'R': return WS_R;
	default: return WS_ANY;
	}
}

/* A 64-bit access wants an X register, a narrower unsigned one a W register; R goes with all. */
static void check_mem_width(struct gline *l)
{
	const struct gval *m = &l->g->f[F_MEM];

	if (m->kind != GV_CONST || !l->letter || l->letter == 'R')
		return;
	if (((m->v == MEM_X || m->v == MEM_SW) && l->letter != 'X') ||
	    (m->v <= MEM_W && l->letter != 'W'))
		parse_fail(l->p, "memory type .%s does not go with an %c register", mem_names[m->v],
			   l->letter);
}

void parse_guest(struct parser *p)
{
	struct rule *r = p->rule;
	struct gline l = {.p = p};
	const char *shape;
	char id[32];

	if (r->nguest == RULE_MAX_GUEST)
		parse_fail(p, "more than %d guest instructions", RULE_MAX_GUEST);
	l.g = &r->guest[r->nguest];
	*l.g = (struct ginsn){.cls_var = -1, .loc = p->tok.loc};
	if (p->tok.kind == '<') {
		guest_class(&l);
	} else {
		struct loc at = p->tok.loc;

		tok_ident(p, id, sizeof(id), "a guest op");
		l.g->op = l.op = gop_find(id);
		if (l.op < 0) {
			p->tok.loc = at;
			parse_fail(p, "unknown guest op '%s'", id);
		}
	}
	shape = gop_shape(l.op);
	if (!shape)
		parse_fail(p, "%s cannot be used in rules", gop_name(l.op));
	if (gop_is_mem(l.op))
		guest_mem_type(&l);
	if (l.op == A64_LDR_lit)
		l.g->amode = A64_AM_LIT;
	for (const char *s = shape; *s; s++) {
		if (*s == ',') {
			/* A trailing shift may be left out: lsl #0. */
			if (s[1] == '$' && p->tok.kind != ',') {
				set_const(l.g, F_SHIFT, A64_LSL);
				set_const(l.g, F_AMOUNT, 0);
				break;
			}
			tok_expect(p, ',', "','");
		} else {
			guest_operand(&l, *s);
		}
	}
	l.g->wsel = width_of(&l);
	check_mem_width(&l);
	if (l.g->wsel == WS_R)
		r->uses_r = true;
	r->nguest++;
}

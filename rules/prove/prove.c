/* SPDX-License-Identifier: MIT */
/*
 * Proof of one rule: both sides run symbolically from the same state; what must agree is collected
 * as obligations; the solver is asked for a state and parameters where the conditions hold and an
 * obligation fails.
 */
#include "rules/prove/prove.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "dbt/hir.h"
#include "rules/prove/sem.h"

#define MAX_OBLIGATIONS 96

unsigned prove_limit = 60000000;

struct obligation {
	char what[64];
	term holds;
	term guest, host; /* shown in a counterexample; NULL when there is nothing to show */
};

struct pctx {
	const struct rule *r;
	const struct instance *in;
	struct proof *out;
	Z3_context z;
	Z3_solver solver;
	struct sem s;
	struct sstate g, h;
	term param[RULE_MAX_PARAMS]; /* 64 bits */
	int reg[RULE_MAX_PARAMS];    /* P_REG: operand index */
	term flags_dead, dead[RULE_MAX_PARAMS];
	term domain;
	int nob;
	struct obligation ob[MAX_OBLIGATIONS];
	bool any; /* some instance is not vacuous */
};

const char *verdict_name(enum verdict v)
{
	static const char *const names[] = {"proved", "refuted", "unknown", "invalid", "vacuous"};

	return names[v];
}

static void assume(struct pctx *c, term t)
{
	c->domain = bv_and2(&c->s, c->domain, t);
}

static term num64(struct pctx *c, s64 v)
{
	return bv_num(&c->s, (u64)v, 64);
}

/* ---- expressions ---- */

static term truth(struct pctx *c, term v64)
{
	return bv_not1(&c->s, bv_eq(&c->s, v64, num64(c, 0)));
}

static term as64(struct pctx *c, term b)
{
	return bv_ite(&c->s, b, num64(c, 1), num64(c, 0));
}

static term expr_term(struct pctx *c, const struct expr *e);

static term expr_unary(struct pctx *c, const struct expr *e)
{
	struct sem *s = &c->s;
	term a = expr_term(c, e->a), low;

	switch (e->op) {
	case E_NEG: return Z3_mk_bvneg(s->z, a);
	case E_NOT: return Z3_mk_bvnot(s->z, a);
	case E_LNOT: return as64(c, bv_eq(s, a, num64(c, 0)));
	case E_S32: return as64(c, bv_eq(s, a, bv_sext(s, bv_low(s, a, 32), 64)));
	case E_SX32: return bv_sext(s, bv_low(s, a, 32), 64);
	case E_ZX32: return bv_zext(s, bv_low(s, a, 32), 64);
	case E_SIMM: return c->in->width == 32 ? bv_sext(s, bv_low(s, a, 32), 64) : a;
	case E_MASK:
		low = bv_ones(s, a, 64);
		return bv_ite(s, Z3_mk_bvsle(s->z, a, num64(c, 0)), num64(c, 0), low);
	case E_POW2:
		low = Z3_mk_bvand(s->z, a, Z3_mk_bvsub(s->z, a, num64(c, 1)));
		return as64(c, bv_and2(s, truth(c, a), bv_eq(s, low, num64(c, 0))));
	case E_LOG2:
		return bv_ite(s, truth(c, a), Z3_mk_bvsub(s->z, num64(c, 63), bv_clz(s, a)),
			      num64(c, 0));
	default: return a;
	}
}

static term expr_binary(struct pctx *c, const struct expr *e)
{
	struct sem *s = &c->s;
	term a = expr_term(c, e->a), b = expr_term(c, e->b);

	switch (e->op) {
	case E_ADD: return Z3_mk_bvadd(s->z, a, b);
	case E_SUB: return Z3_mk_bvsub(s->z, a, b);
	case E_MUL: return Z3_mk_bvmul(s->z, a, b);
	case E_AND: return Z3_mk_bvand(s->z, a, b);
	case E_OR: return Z3_mk_bvor(s->z, a, b);
	case E_XOR: return Z3_mk_bvxor(s->z, a, b);
	case E_SHL: return Z3_mk_bvshl(s->z, a, bv_count_mod(s, b, 64));
	case E_SAR: return Z3_mk_bvashr(s->z, a, bv_count_mod(s, b, 64));
	case E_SHR: return Z3_mk_bvlshr(s->z, a, bv_count_mod(s, b, 64));
	case E_EQ: return as64(c, bv_eq(s, a, b));
	case E_NE: return as64(c, bv_not1(s, bv_eq(s, a, b)));
	case E_LT: return as64(c, Z3_mk_bvslt(s->z, a, b));
	case E_LE: return as64(c, Z3_mk_bvsle(s->z, a, b));
	case E_GT: return as64(c, Z3_mk_bvsgt(s->z, a, b));
	case E_GE: return as64(c, Z3_mk_bvsge(s->z, a, b));
	case E_LAND: return as64(c, bv_and2(s, truth(c, a), truth(c, b)));
	default: return as64(c, bv_or2(s, truth(c, a), truth(c, b)));
	}
}

static term expr_term(struct pctx *c, const struct expr *e)
{
	switch (e->op) {
	case E_CONST: return num64(c, e->val);
	case E_PARAM:
		if (c->r->param[e->val].kind == P_LET)
			return expr_term(c, c->r->param[e->val].let);
		return c->param[e->val];
	case E_WIDTH: return num64(c, c->in->width);
	case E_MEM_BYTES:
		return num64(c, 1 << mem_log2((enum mem_type)c->in->value[e->val], c->in->width));
	case E_MEM_LOG2:
		return num64(c, mem_log2((enum mem_type)c->in->value[e->val], c->in->width));
	case E_FLAGS_DEAD: return as64(c, c->flags_dead);
	case E_DEAD: return as64(c, c->dead[e->val]);
	default: break;
	}
	return e->op < E_ADD ? expr_unary(c, e) : expr_binary(c, e);
}

/* ---- parameters ---- */

static term var64(struct pctx *c, const char *prefix, const char *name, unsigned bits)
{
	char buf[48];

	snprintf(buf, sizeof(buf), "%s%s", prefix, name);
	return Z3_mk_const(c->z, Z3_mk_string_symbol(c->z, buf), Z3_mk_bv_sort(c->z, bits));
}

static term bool_var(struct pctx *c, const char *prefix, const char *name)
{
	char buf[48];

	snprintf(buf, sizeof(buf), "%s%s", prefix, name);
	return Z3_mk_const(c->z, Z3_mk_string_symbol(c->z, buf), Z3_mk_bool_sort(c->z));
}

static void make_params(struct pctx *c)
{
	for (int i = 0; i < c->r->nparams; i++) {
		const struct param *p = &c->r->param[i];
		term v;

		switch (p->kind) {
		case P_REG:
			v = var64(c, "num_", p->name, 5);
			c->reg[i] = sem_reg(&c->s, p->name, v, p->rc);
			c->param[i] = bv_zext(&c->s, v, 64);
			c->dead[i] = bool_var(c, "dead_", p->name);
			break;
		case P_COND: c->param[i] = bv_zext(&c->s, var64(c, "cond_", p->name, 4), 64); break;
		case P_IMM: c->param[i] = var64(c, "imm_", p->name, 64); break;
		case P_LABEL: c->param[i] = var64(c, "label_", p->name, 64); break;
		case P_LET: break;
		default: c->param[i] = num64(c, c->in->value[i]); break;
		}
	}
	c->flags_dead = bool_var(c, "flags_", "dead");
}

static void between(struct pctx *c, term v, s64 lo, s64 hi)
{
	assume(c, bv_and2(&c->s, Z3_mk_bvsle(c->z, num64(c, lo), v),
			  Z3_mk_bvsle(c->z, v, num64(c, hi))));
}

/* v & mask == 0 */
static void clear_bits(struct pctx *c, term v, u64 mask)
{
	assume(c, bv_eq(&c->s, Z3_mk_bvand(c->z, v, num64(c, (s64)mask)), num64(c, 0)));
}

/* What the decoder can deliver in the immediate field. */
static void imm_domain(struct pctx *c, const struct gterm *g, bool label)
{
	struct sem *s = &c->s;
	term v = g->imm;

	switch (g->op) {
	case A64_ADD_imm:
	case A64_ADDS_imm:
	case A64_SUB_imm:
	case A64_SUBS_imm:
		between(c, v, 0, 0xfff000);
		assume(c, bv_or2(s, Z3_mk_bvule(c->z, v, num64(c, 0xfff)),
				 bv_eq(s, bv_low(s, v, 12), bv_num(s, 0, 12))));
		break;
	case A64_AND_imm:
	case A64_ORR_imm:
	case A64_EOR_imm:
	case A64_ANDS_imm:
	case A64_MOVZ:
	case A64_MOVN:
		if (g->width == 32)
			clear_bits(c, v, ~0xffffffffull);
		break;
	case A64_CCMP_imm:
	case A64_CCMN_imm: between(c, v, 0, 31); break;
	case A64_ADR: between(c, v, -(1 << 20), (1 << 20) + 4096); break;
	case A64_ADRP:
		between(c, v, -(1ll << 32), (1ll << 32) - 4096);
		clear_bits(c, v, 0xfff);
		break;
	case A64_LDR:
	case A64_STR:
		between(c, v, -256, g->amode == A64_AM_IMM ? 4095 << mem_log2(g->mem, 0) : 255);
		break;
	case A64_LDP:
	case A64_STP:
	case A64_LDPSW:
		between(c, v, -64 * (1 << mem_log2(g->mem, 0)), 63 << mem_log2(g->mem, 0));
		clear_bits(c, v, (1u << mem_log2(g->mem, 0)) - 1);
		break;
	default:
		if (label) /* branches and literals */
			between(c, v, -(1 << 27), (1 << 27) + 4096);
		break;
	}
}

static void amount_domain(struct pctx *c, const struct gterm *g)
{
	struct sem *s = &c->s;
	term v = g->amount;

	switch (g->op) {
	case A64_MOVK: {
		term shifted = Z3_mk_bvshl(c->z, num64(c, 0xffff), v);

		between(c, v, 0, g->width - 16);
		clear_bits(c, v, 15);
		assume(c, bv_eq(s, Z3_mk_bvand(c->z, g->imm, Z3_mk_bvnot(c->z, shifted)),
				num64(c, 0)));
		return;
	}
	case A64_CCMP_reg:
	case A64_CCMN_reg:
	case A64_CCMP_imm:
	case A64_CCMN_imm: between(c, v, 0, 15); return;
	case A64_ADD_ext:
	case A64_ADDS_ext:
	case A64_SUB_ext:
	case A64_SUBS_ext: between(c, v, 0, 4); return;
	case A64_TBZ:
	case A64_TBNZ: between(c, v, 0, 63); return;
	case A64_LDR:
	case A64_STR:
		assume(c, bv_or2(s, bv_eq(s, v, num64(c, 0)),
				 bv_eq(s, v, num64(c, mem_log2(g->mem, 0)))));
		return;
	default: between(c, v, 0, g->width - 1); return;
	}
}

static term field_term(struct pctx *c, const struct ginsn *g, enum gfield f)
{
	if (g->f[f].kind == GV_PARAM)
		return c->param[g->f[f].v];
	return g->f[f].kind == GV_CONST ? num64(c, g->f[f].v) : NULL;
}

static int literal_operand(struct pctx *c, s64 num, u8 rc)
{
	char name[24];

	if (num == 31)
		snprintf(name, sizeof(name), "%s", rc == RC_SP ? "sp" : "zr");
	else
		snprintf(name, sizeof(name), "x%d", (int)num);
	return sem_reg(&c->s, name, bv_num(&c->s, (u64)num, 5), rc);
}

static int field_reg(struct pctx *c, const struct ginsn *g, int op, enum gfield f)
{
	if (g->f[f].kind == GV_PARAM)
		return c->reg[g->f[f].v];
	if (g->f[f].kind == GV_CONST)
		return literal_operand(c, g->f[f].v, (u8)gop_reg_class(op, f));
	return -1;
}

static bool run_guest(struct pctx *c)
{
	for (int k = 0; k < c->r->nguest; k++) {
		const struct ginsn *g = &c->r->guest[k];
		struct gterm t = {.op = instance_gop(c->r, c->in, k),
				  .width = instance_width(c->r, c->in, k),
				  .amode = g->amode,
				  .imm = field_term(c, g, F_IMM),
				  .immr = field_term(c, g, F_IMMR),
				  .imms = field_term(c, g, F_IMMS),
				  .amount = field_term(c, g, F_AMOUNT),
				  .cond = field_term(c, g, F_COND)};
		bool label =
			g->f[F_IMM].kind == GV_PARAM && c->r->param[g->f[F_IMM].v].kind == P_LABEL;

		t.rd = field_reg(c, g, t.op, F_RD);
		t.rn = field_reg(c, g, t.op, F_RN);
		t.rm = field_reg(c, g, t.op, F_RM);
		t.ra = field_reg(c, g, t.op, F_RA);
		if (g->f[F_SHIFT].kind == GV_PARAM)
			t.shift = c->in->value[g->f[F_SHIFT].v];
		else
			t.shift = (int)g->f[F_SHIFT].v;
		if (g->f[F_MEM].kind != GV_ABSENT)
			t.mem = instance_mem(c->r, c->in, &g->f[F_MEM]);
		if (t.imm)
			imm_domain(c, &t, label);
		if (t.immr)
			between(c, t.immr, 0, t.width - 1);
		if (t.imms)
			between(c, t.imms, 0, t.width - 1);
		if (t.amount)
			amount_domain(c, &t);
		if (sem_a64(&c->g, &t))
			return false;
	}
	return true;
}

/* ---- host side ---- */

static void obligation(struct pctx *c, const char *what, term holds, term guest, term host)
{
	if (c->nob == MAX_OBLIGATIONS) {
		c->s.overflow = true;
		return;
	}
	snprintf(c->ob[c->nob].what, sizeof(c->ob[0].what), "%s", what);
	c->ob[c->nob].holds = holds;
	c->ob[c->nob].guest = guest;
	c->ob[c->nob++].host = host;
}

static struct hterm_opnd host_operand(struct pctx *c, const struct hopnd *o)
{
	struct hterm_opnd t = {0};

	switch (o->kind) {
	case HO_PARAM:
		t.kind = HT_REG;
		t.reg = c->reg[o->reg];
		break;
	case HO_FIXED:
		t.kind = HT_REG;
		t.reg = literal_operand(c, o->reg, o->reg == 31 ? o->rc : RC_ZR);
		break;
	case HO_TEMP:
		t.kind = HT_TEMP;
		t.reg = o->reg;
		break;
	case HO_EXPR:
		t.kind = HT_VALUE;
		t.val = expr_term(c, o->e);
		break;
	default: break;
	}
	return t;
}

static unsigned host_width(struct pctx *c, const struct hinsn *h, enum mem_type mem)
{
	if (h->wsel == WS_W)
		return 4;
	if (h->wsel == WS_X)
		return 8;
	if (h->wsel == WS_R)
		return c->in->width / 8;
	return mem_log2(mem, c->in->width) == 3 ? 8 : 4;
}

static bool access_follows(const struct rule *r, int k)
{
	while (++k < r->nhost)
		if (hop_is_mem(hinsn_op(r, &r->host[k])))
			return true;
	return false;
}

static bool run_host(struct pctx *c)
{
	for (int k = 0; k < c->r->nhost; k++) {
		const struct hinsn *h = &c->r->host[k];
		struct hterm t = {.op = instance_hop(c->r, c->in, h), .setf = h->setf};
		enum mem_type mem = MEM_X;
		char what[64];

		t.d = host_operand(c, &h->d);
		t.a = host_operand(c, &h->a);
		t.b = host_operand(c, &h->b);
		t.c = host_operand(c, &h->c);
		if (h->mem.kind != GV_ABSENT) {
			mem = instance_mem(c->r, c->in, &h->mem);
			t.size = mem_log2(mem, 0);
			t.sx = mem >= MEM_SB;
		}
		t.w = host_width(c, h, mem);
		if (h->disp)
			t.disp = expr_term(c, h->disp);
		if (h->cc.kind == GV_CONST)
			t.cc = bv_num(&c->s, (u64)h->cc.v ^ h->cc_inv, 4);
		else if (h->cc.kind == GV_PARAM)
			t.cc = Z3_mk_bvxor(c->z, bv_low(&c->s, c->param[h->cc.v], 4),
					   bv_num(&c->s, h->cc_inv, 4));
		snprintf(what, sizeof(what), "operand range of host operation %d (%s)", k + 1,
			 hop_name(t.op));
		obligation(c, what, sem_hir_wellformed(&c->s, &t), NULL, NULL);
		/* Accesses are checked together; a load may not change the base of a later one. */
		if (t.op == HIR_LD && t.d.kind == HT_REG && t.a.kind == HT_REG &&
		    access_follows(c->r, k))
			obligation(c, "base overwritten before the next access",
				   bv_not1(&c->s, sem_same_loc(&c->s, t.d.reg, t.a.reg)), NULL,
				   NULL);
		if (sem_hir(&c->h, &t))
			return false;
	}
	return true;
}

/* ---- what must agree ---- */

static void compare_access(struct pctx *c)
{
	struct sem *s = &c->s;
	int n = c->g.naccess < c->h.naccess ? c->g.naccess : c->h.naccess;
	term no = Z3_mk_false(c->z);
	char what[64];

	if (c->g.naccess != c->h.naccess)
		obligation(c, "number of memory accesses", no, num64(c, c->g.naccess),
			   num64(c, c->h.naccess));
	for (int i = 0; i < n; i++) {
		const struct access_rec *a = &c->g.access[i], *b = &c->h.access[i];

		snprintf(what, sizeof(what), "access %d: %s", i + 1,
			 a->store != b->store ? "load or store" : "size");
		if (a->store != b->store || a->size != b->size) {
			obligation(c, what, no, num64(c, 1 << a->size), num64(c, 1 << b->size));
			continue;
		}
		snprintf(what, sizeof(what), "access %d: address", i + 1);
		obligation(c, what, bv_eq(s, a->addr, b->addr), a->addr, b->addr);
		snprintf(what, sizeof(what), "access %d: data", i + 1);
		if (a->store)
			obligation(c, what, bv_eq(s, a->data, b->data), a->data, b->data);
	}
}

/* A register may differ when the rule says it is dead, under whatever name. */
static term reg_dead(struct pctx *c, int reg)
{
	term d = Z3_mk_false(c->z);

	for (int i = 0; i < c->r->nparams; i++)
		if (c->r->param[i].kind == P_REG)
			d = bv_or2(&c->s, d,
				   bv_and2(&c->s, c->dead[i], sem_same_loc(&c->s, reg, c->reg[i])));
	return d;
}

static void compare_regs(struct pctx *c)
{
	bool seen[SEM_MAX_REGS] = {false};
	struct sem *s = &c->s;

	for (int i = 0; i < c->g.nwrites; i++)
		seen[c->g.write[i].reg] = true;
	for (int i = 0; i < c->h.nwrites; i++)
		seen[c->h.write[i].reg] = true;
	for (int i = 0; i < s->nregs; i++) {
		term a, b;

		if (!seen[i])
			continue;
		a = st_read(&c->g, i);
		b = st_read(&c->h, i);
		obligation(c, s->reg[i].name, bv_or2(s, bv_eq(s, a, b), reg_dead(c, i)), a, b);
	}
}

static void compare_flags(struct pctx *c)
{
	const term g[4] = {c->g.n, c->g.z, c->g.c, c->g.v}, h[4] = {c->h.n, c->h.z, c->h.c, c->h.v};
	static const char *const names[4] = {"N", "Z", "C", "V"};

	for (int i = 0; i < 4; i++)
		obligation(c, names[i], bv_or2(&c->s, bv_eq(&c->s, g[i], h[i]), c->flags_dead),
			   g[i], h[i]);
}

static void compare_exit(struct pctx *c)
{
	struct sem *s = &c->s;
	bool gj = c->g.exit == EX_JUMP || c->g.exit == EX_FALL;
	bool hj = c->h.exit == EX_JUMP || c->h.exit == EX_FALL;

	if (c->g.exit != c->h.exit && !(gj && hj)) {
		obligation(c, "kind of branch", Z3_mk_false(c->z), num64(c, c->g.exit),
			   num64(c, c->h.exit));
		return;
	}
	obligation(c, "branch taken", Z3_mk_iff(c->z, c->g.taken, c->h.taken), as64(c, c->g.taken),
		   as64(c, c->h.taken));
	if (c->g.target && c->h.target)
		obligation(c, "branch target",
			   Z3_mk_implies(c->z, c->g.taken, bv_eq(s, c->g.target, c->h.target)),
			   c->g.target, c->h.target);
}

/* ---- counterexamples ---- */

static u64 model_value(struct pctx *c, Z3_model m, term t)
{
	Z3_ast v = NULL;
	uint64_t n = 0;

	if (Z3_model_eval(c->z, m, t, true, &v) && v)
		Z3_get_numeral_uint64(c->z, v, &n);
	return n;
}

static bool model_true(struct pctx *c, Z3_model m, term t)
{
	Z3_ast v = NULL;

	return Z3_model_eval(c->z, m, t, true, &v) && v && Z3_get_bool_value(c->z, v) == Z3_L_TRUE;
}

PRINTF_LIKE(2, 3) static void say(struct proof *out, const char *fmt, ...)
{
	size_t n = strlen(out->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out->text + n, sizeof(out->text) - n, fmt, ap);
	va_end(ap);
}

static void describe(struct pctx *c, Z3_model m)
{
	const struct rule *r = c->r;
	struct sem *s = &c->s;
	char inst[256];

	instance_describe(r, c->in, inst, sizeof(inst));
	say(c->out, "  counterexample %s\n", inst);
	for (int i = 0; i < r->nparams; i++)
		if (r->param[i].kind == P_IMM || r->param[i].kind == P_LABEL)
			say(c->out, "    %s = %#" PRIx64 "\n", r->param[i].name,
			    model_value(c, m, c->param[i]));
		else if (r->param[i].kind == P_COND)
			say(c->out, "    <%s> = %s\n", r->param[i].name,
			    cond_names[model_value(c, m, c->param[i]) & 15]);
	for (int i = 0; i < s->nregs; i++) {
		u64 num = model_value(c, m, s->reg[i].num);

		if (num == 31)
			say(c->out, "    %s: %s", s->reg[i].name,
			    s->reg[i].rc == RC_SP ? "sp" : "zr");
		else
			say(c->out, "    %s: x%u", s->reg[i].name, (unsigned)num);
		if (num != 31 || s->reg[i].rc == RC_SP)
			say(c->out, " = %#" PRIx64, model_value(c, m, s->init[i]));
		say(c->out, "\n");
	}
	say(c->out, "    NZCV = %d%d%d%d\n", (int)model_value(c, m, s->n0),
	    (int)model_value(c, m, s->z0), (int)model_value(c, m, s->c0),
	    (int)model_value(c, m, s->v0));
	for (int i = 0; i < s->nloads; i++)
		say(c->out, "    load %d gives %#" PRIx64 "\n", i + 1,
		    model_value(c, m, s->load[i]));
	for (int i = 0; i < c->nob; i++) {
		if (model_true(c, m, c->ob[i].holds))
			continue;
		if (c->ob[i].guest)
			say(c->out, "    differs: %s: guest %#" PRIx64 ", host %#" PRIx64 "\n",
			    c->ob[i].what, model_value(c, m, c->ob[i].guest),
			    model_value(c, m, c->ob[i].host));
		else
			say(c->out, "    violated: %s\n", c->ob[i].what);
	}
}

/* ---- one instance ---- */

static Z3_lbool ask(struct pctx *c, term claim, Z3_model *model)
{
	Z3_lbool r;

	*model = NULL;
	Z3_solver_push(c->z, c->solver);
	Z3_solver_assert(c->z, c->solver, claim);
	r = Z3_solver_check(c->z, c->solver);
	if (r == Z3_L_TRUE) {
		*model = Z3_solver_get_model(c->z, c->solver);
		Z3_model_inc_ref(c->z, *model);
	}
	Z3_solver_pop(c->z, c->solver, 1);
	return r;
}

/* A parameter in a field of at most 64 values, from index `from` on; -1 when there is none left. */
static int small_param(struct pctx *c, int from)
{
	for (int i = from; i < c->r->nparams; i++)
		if (c->r->param[i].kind == P_IMM &&
		    (c->r->param[i].field == F_IMMS || c->r->param[i].field == F_IMMR ||
		     c->r->param[i].field == F_AMOUNT))
			return i;
	return -1;
}

/* Asks at once; when that is too hard, value by value of a small parameter. */
static Z3_lbool ask_split(struct pctx *c, term claim, int from, Z3_model *m)
{
	Z3_lbool r = ask(c, claim, m);
	int p;

	if (r != Z3_L_UNDEF)
		return r;
	p = small_param(c, from);
	if (p < 0)
		return r;
	for (int v = 0; v < 64; v++) {
		term is = bv_eq(&c->s, c->param[p], num64(c, v));

		r = ask_split(c, bv_and2(&c->s, is, claim), p + 1, m);
		if (r != Z3_L_FALSE)
			return r;
	}
	return Z3_L_FALSE;
}

static void judge(struct pctx *c)
{
	term all = Z3_mk_true(c->z);
	char inst[256];
	Z3_model m;
	Z3_lbool r;

	assume(c, sem_consistent(&c->s));
	for (int i = 0; i < c->nob; i++)
		all = bv_and2(&c->s, all, c->ob[i].holds);
	r = ask_split(c, bv_and2(&c->s, c->domain, bv_not1(&c->s, all)), 0, &m);
	instance_describe(c->r, c->in, inst, sizeof(inst));
	if (r == Z3_L_TRUE) {
		c->out->verdict = V_REFUTED;
		describe(c, m);
		Z3_model_dec_ref(c->z, m);
		return;
	}
	if (r == Z3_L_UNDEF) {
		c->out->verdict = V_UNKNOWN;
		say(c->out, "  the solver gave up on %s: %s\n", inst,
		    Z3_solver_get_reason_unknown(c->z, c->solver));
		return;
	}
	r = ask(c, c->domain, &m);
	if (m)
		Z3_model_dec_ref(c->z, m);
	if (r == Z3_L_TRUE) {
		c->any = true;
		c->out->instances++;
	}
}

/* A term the solver refuses, such as operands of different width: the rule is outside the model. */
static jmp_buf z3_failed;

static void on_z3_error(Z3_context z, Z3_error_code e)
{
	(void)z, (void)e;
	longjmp(z3_failed, 1);
}

static bool prove_instance(void *arg, const struct instance *in)
{
	struct pctx *c = arg;
	Z3_config cfg = Z3_mk_config();
	Z3_params params;
	bool known;

	c->in = in;
	c->nob = 0;
	c->z = Z3_mk_context(cfg);
	Z3_del_config(cfg);
	Z3_set_error_handler(c->z, on_z3_error);
	if (setjmp(z3_failed)) {
		c->out->verdict = V_INVALID;
		say(c->out, "  the sides do not fit the semantic model\n");
		return false; /* the context is lost, with what it holds */
	}
	c->solver = Z3_mk_solver_for_logic(c->z, Z3_mk_string_symbol(c->z, "QF_BV"));
	Z3_solver_inc_ref(c->z, c->solver);
	params = Z3_mk_params(c->z);
	Z3_params_inc_ref(c->z, params);
	Z3_params_set_uint(c->z, params, Z3_mk_string_symbol(c->z, "rlimit"), prove_limit);
	Z3_solver_set_params(c->z, c->solver, params);
	Z3_params_dec_ref(c->z, params);
	sem_init(&c->s, c->z);
	c->domain = Z3_mk_true(c->z);
	make_params(c);
	st_init(&c->g, &c->s);
	st_init(&c->h, &c->s);
	known = run_guest(c);
	for (int i = 0; i < c->r->nwhen; i++)
		assume(c, truth(c, expr_term(c, c->r->when[i])));
	known = known && run_host(c);
	if (!known || c->s.overflow) {
		c->out->verdict = V_INVALID;
		say(c->out, "  an operation is outside the semantic model\n");
	} else {
		compare_access(c);
		compare_regs(c);
		compare_flags(c);
		compare_exit(c);
		judge(c);
	}
	Z3_solver_dec_ref(c->z, c->solver);
	Z3_del_context(c->z);
	return c->out->verdict == V_PROVED;
}

void prove_rule(const struct rule *r, struct proof *out)
{
	static struct pctx c; /* large; the prover is single-threaded */
	struct timespec t0, t1;

	memset(out, 0, sizeof(*out));
	memset(&c, 0, sizeof(c));
	c.r = r;
	c.out = out;
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for_each_instance(r, prove_instance, &c);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	out->seconds = (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9;
	if (out->verdict == V_PROVED && !c.any) {
		out->verdict = V_VACUOUS;
		say(out, "  the conditions can never hold\n");
	}
}

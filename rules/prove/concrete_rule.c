/* SPDX-License-Identifier: MIT */
/* Random parameters of a rule, and its host side for them. */
#include <string.h>

#include "rules/prove/concrete.h"

static s64 pick(u64 *seed, s64 n)
{
	return (s64)(conc_random(seed) % (u64)n);
}

/* A bit-mask immediate or anything near one. */
static s64 logic_imm(u64 *seed, unsigned width)
{
	u64 ones = ~0ull >> pick(seed, 63), v;
	unsigned rot = (unsigned)pick(seed, 64);

	v = rot ? ones >> rot | ones << (64 - rot) : ones;
	if (pick(seed, 2))
		v = (u32)v % 0x10000;
	return width == 32 ? (u32)v : (s64)v;
}

static s64 random_amount(int op, unsigned width, unsigned mem, u64 *seed)
{
	switch (op) {
	case A64_MOVK: return 16 * pick(seed, width / 16);
	case A64_CCMP_reg:
	case A64_CCMN_reg:
	case A64_CCMP_imm:
	case A64_CCMN_imm: return pick(seed, 16);
	case A64_ADD_ext:
	case A64_ADDS_ext:
	case A64_SUB_ext:
	case A64_SUBS_ext: return pick(seed, 5);
	case A64_TBZ:
	case A64_TBNZ: return pick(seed, 64);
	case A64_LDR:
	case A64_STR: return pick(seed, 2) ? mem : 0;
	default: return pick(seed, width);
	}
}

static s64 random_imm(int op, unsigned amode, unsigned width, unsigned mem, u64 *seed)
{
	switch (op) {
	case A64_ADD_imm:
	case A64_ADDS_imm:
	case A64_SUB_imm:
	case A64_SUBS_imm: return pick(seed, 4096) << 12 * pick(seed, 2);
	case A64_AND_imm:
	case A64_ORR_imm:
	case A64_EOR_imm:
	case A64_ANDS_imm: return logic_imm(seed, width);
	case A64_MOVZ:
	case A64_MOVN: {
		s64 v = (s64)((u64)pick(seed, 65536) << 16 * pick(seed, width / 16));

		v = op == A64_MOVN ? ~v : v;
		return width == 32 ? (u32)v : v;
	}
	case A64_CCMP_imm:
	case A64_CCMN_imm: return pick(seed, 32);
	case A64_LDR:
	case A64_STR: return amode == A64_AM_IMM ? pick(seed, 4096) << mem : pick(seed, 512) - 256;
	case A64_LDP:
	case A64_LDPSW:
	case A64_STP: return (pick(seed, 128) - 64) * (1 << mem);
	case A64_ADRP: return (pick(seed, 1 << 21) - (1 << 20)) * 4096;
	default: return (pick(seed, 1 << 19) - (1 << 18)) * 4;
	}
}

static s64 random_param(const struct rule *r, const struct instance *in, int i, u64 *seed)
{
	const struct param *p = &r->param[i];
	const struct ginsn *g = &r->guest[p->insn];
	int op = instance_gop(r, in, p->insn);
	unsigned width = instance_width(r, in, p->insn), mem = 0;

	if (g->f[F_MEM].kind != GV_ABSENT)
		mem = mem_log2(instance_mem(r, in, &g->f[F_MEM]), 0);
	switch (p->kind) {
	/* Few registers, so that parameters meet. */
	case P_REG: return pick(seed, 3) ? pick(seed, 4) : pick(seed, p->rc == 3 ? 31 : 32);
	case P_COND: return pick(seed, 16);
	case P_IMM:
		if (p->field == F_AMOUNT)
			return random_amount(op, width, mem, seed);
		if (p->field == F_IMM)
			return random_imm(op, g->amode, width, mem, seed);
		return pick(seed, width);
	case P_LABEL: return random_imm(op, g->amode, width, mem, seed);
	default: return in->value[i];
	}
}

/* MOVK's immediate lies where its shift says. */
static void fix_movk(const struct rule *r, s64 *param, u64 *seed)
{
	for (int k = 0; k < r->nguest; k++) {
		const struct ginsn *g = &r->guest[k];
		s64 at = g->f[F_AMOUNT].kind == GV_PARAM ? param[g->f[F_AMOUNT].v]
							 : g->f[F_AMOUNT].v;

		if (g->op == A64_MOVK && g->f[F_IMM].kind == GV_PARAM)
			param[g->f[F_IMM].v] = (s64)((u64)pick(seed, 65536) << (at & 63));
	}
}

/* Numbers in the rule's text that no instruction of this width has: UBFM Wd, Wn, #0, #63. */
static bool decodable(const struct rule *r, const struct instance *in)
{
	for (int k = 0; k < r->nguest; k++) {
		const struct gval *f = r->guest[k].f;
		s64 width = instance_width(r, in, k);

		if ((f[F_IMMR].kind == GV_CONST && f[F_IMMR].v >= width) ||
		    (f[F_IMMS].kind == GV_CONST && f[F_IMMS].v >= width))
			return false;
	}
	return true;
}

bool conc_params(const struct rule *r, const struct instance *in, s64 *param, u64 *seed)
{
	struct expr_env env = {
		.param = param, .width = in->width, .flags_dead = true, .dead_mask = ~0u};

	for (int try = 0; try < 2000 && decodable(r, in); try++) {
		bool ok = true;

		for (int i = 0; i < r->nparams; i++)
			if (r->param[i].kind != P_LET)
				param[i] = random_param(r, in, i, seed);
		fix_movk(r, param, seed);
		for (int i = 0; i < r->nwhen && ok; i++)
			ok = expr_eval(r->when[i], r, &env);
		if (ok)
			return true;
	}
	return false;
}

static struct hir_opnd operand(const struct rule *r, const struct hopnd *o, const s64 *param,
			       const struct expr_env *env, bool dest)
{
	switch (o->kind) {
	case HO_TEMP: return (struct hir_opnd){.kind = H_T, .reg = o->reg};
	case HO_EXPR: return himm(expr_eval(o->e, r, env));
	case HO_PARAM:
		if (r->param[o->reg].rc & RC_SP)
			return hxsp((unsigned)param[o->reg]);
		return dest ? hd((unsigned)param[o->reg]) : hx((unsigned)param[o->reg]);
	case HO_FIXED:
		if (o->reg == 31 && o->rc == RC_SP)
			return hxsp(31);
		return dest ? hd(o->reg) : hx(o->reg);
	default: return hnone();
	}
}

void conc_expand(const struct rule *r, const struct instance *in, const s64 *param,
		 struct hir_buf *b)
{
	struct expr_env env = {
		.param = param, .width = in->width, .flags_dead = true, .dead_mask = ~0u};

	b->n = 0;
	for (int i = 0; i < r->nhost; i++) {
		const struct hinsn *h = &r->host[i];
		struct hir *o = &b->op[b->n++];
		enum mem_type mem = MEM_X;

		memset(o, 0, sizeof(*o));
		o->op = (u8)instance_hop(r, in, h);
		if (h->mem.kind != GV_ABSENT) {
			mem = instance_mem(r, in, &h->mem);
			o->size = (u8)mem_log2(mem, 0);
			o->sx = mem >= MEM_SB;
		}
		o->w = h->wsel == WS_W	 ? 4
		       : h->wsel == WS_X ? 8
		       : h->wsel == WS_R ? (u8)(in->width / 8)
		       : o->size == 3	 ? 8
					 : 4;
		o->d = operand(r, &h->d, param, &env, true);
		o->a = operand(r, &h->a, param, &env, false);
		o->b = operand(r, &h->b, param, &env, false);
		o->c = operand(r, &h->c, param, &env, false);
		o->setf = h->setf;
		if (h->disp)
			o->imm2 = (s32)expr_eval(h->disp, r, &env);
		if (h->cc.kind != GV_ABSENT)
			o->cc = (u8)((h->cc.kind == GV_PARAM ? param[h->cc.v] : h->cc.v) ^
				     h->cc_inv);
	}
}

static s64 field(const struct rule *r, const struct ginsn *g, enum gfield f, const s64 *param)
{
	(void)r;
	return g->f[f].kind == GV_PARAM ? param[g->f[f].v] : g->f[f].v;
}

void conc_guest(const struct rule *r, const struct instance *in, int k, const s64 *param,
		struct a64_insn *out)
{
	const struct ginsn *g = &r->guest[k];

	memset(out, 0, sizeof(*out));
	out->op = (u16)instance_gop(r, in, k);
	out->sf = instance_width(r, in, k) == 64;
	out->amode = g->amode;
	out->rd = (u8)field(r, g, F_RD, param);
	out->rn = (u8)field(r, g, F_RN, param);
	out->rm = (u8)field(r, g, F_RM, param);
	out->ra = (u8)field(r, g, F_RA, param);
	out->imm = field(r, g, F_IMM, param);
	out->immr = (u8)field(r, g, F_IMMR, param);
	out->imms = (u8)field(r, g, F_IMMS, param);
	out->shift = (u8)field(r, g, F_SHIFT, param);
	out->amount = (u8)field(r, g, F_AMOUNT, param);
	out->cond = (u8)field(r, g, F_COND, param);
	if (g->f[F_MEM].kind != GV_ABSENT) {
		enum mem_type t = instance_mem(r, in, &g->f[F_MEM]);

		out->size = (u8)mem_log2(t, 0);
		out->sx = t >= MEM_SB;
	}
	/* Labels are offsets from the page's start, of which the sequence is. */
	if (g->f[F_IMM].kind == GV_PARAM && r->param[g->f[F_IMM].v].kind == P_LABEL &&
	    out->op != A64_ADRP)
		out->imm -= 4 * k;
}

bool conc_allowed(const struct rule *r, const struct instance *in, const s64 *param)
{
	struct expr_env env = {
		.param = param, .width = in->width, .flags_dead = true, .dead_mask = ~0u};

	for (int i = 0; i < r->nwhen; i++)
		if (!expr_eval(r->when[i], r, &env))
			return false;
	return true;
}

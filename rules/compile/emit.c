/* SPDX-License-Identifier: MIT */
/*
 * One C function a rule: tests the pattern's fixed fields and the conditions, then emits the host
 * side. Generated code rather than an interpreted template: the C compiler folds what is constant,
 * and a rule that does not match costs a compare or two.
 */
#include <inttypes.h>
#include <string.h>

#include "dbt/hir.h"
#include "rules/compile/gen.h"

struct ectx {
	FILE *o;
	const struct rule *r;
};

static const char *const field_names[F_NUM] = {"rd",   "rn",	"rm",	  "ra",	  "imm", "immr",
					       "imms", "shift", "amount", "cond", NULL};

static void emit_hir_name(FILE *o, int op)
{
	fprintf(o, "HIR_");
	for (const char *s = hop_name(op); *s; s++)
		fputc(*s >= 'a' && *s <= 'z' ? *s - 32 : *s, o);
}

/* ---- expressions ---- */

static void emit_expr(struct ectx *c, const struct expr *e)
{
	static const char *const fn[] = {
		[E_NEG] = "rx_neg",   [E_NOT] = "rx_not",   [E_LNOT] = "rx_lnot",
		[E_S32] = "rx_s32",   [E_SX32] = "rx_sx32", [E_ZX32] = "rx_zx32",
		[E_MASK] = "rx_mask", [E_POW2] = "rx_pow2", [E_LOG2] = "rx_log2",
		[E_ADD] = "rx_add",   [E_SUB] = "rx_sub",   [E_MUL] = "rx_mul",
		[E_SHL] = "rx_shl",   [E_SAR] = "rx_sar",   [E_SHR] = "rx_shr",
	};
	static const char *const infix[] = {
		[E_AND] = "&", [E_OR] = "|",	[E_XOR] = "^",	[E_EQ] = "==",
		[E_NE] = "!=", [E_LT] = "<",	[E_LE] = "<=",	[E_GT] = ">",
		[E_GE] = ">=", [E_LAND] = "&&", [E_LOR] = "||",
	};
	const char *name =
		e->op == E_PARAM || e->op == E_MEM_BYTES || e->op == E_MEM_LOG2 || e->op == E_DEAD
			? c->r->param[e->val].name
			: NULL;
	FILE *o = c->o;

	switch (e->op) {
	case E_CONST:
		if (e->val == INT64_MIN)
			fprintf(o, "INT64_MIN");
		else
			fprintf(o, "%" PRId64 "ll", e->val);
		return;
	case E_PARAM: fprintf(o, "(s64)p_%s", name); return;
	case E_WIDTH: fprintf(o, "(s64)(w * 8)"); return;
	case E_MEM_BYTES: fprintf(o, "(1ll << (p_%s & 3))", name); return;
	case E_MEM_LOG2: fprintf(o, "(s64)(p_%s & 3)", name); return;
	case E_FLAGS_DEAD: fprintf(o, "!live"); return;
	case E_DEAD: fprintf(o, "rule_reg_dead(tr, %d, p_%s)", c->r->nguest, name); return;
	case E_SIMM:
		fprintf(o, "rx_simm(");
		emit_expr(c, e->a);
		fprintf(o, ", w)");
		return;
	default: break;
	}
	if (e->op < E_ADD) {
		fprintf(o, "%s(", fn[e->op]);
		emit_expr(c, e->a);
	} else if (e->op < ARRAY_SIZE(fn) && fn[e->op]) {
		fprintf(o, "%s(", fn[e->op]);
		emit_expr(c, e->a);
		fprintf(o, ", ");
		emit_expr(c, e->b);
	} else {
		fprintf(o, "(s64)(");
		emit_expr(c, e->a);
		fprintf(o, " %s ", infix[e->op]);
		emit_expr(c, e->b);
	}
	fprintf(o, ")");
}

/* ---- matching ---- */

/* Where the value of a parameter comes from. */
static void emit_field(struct ectx *c, int k, int f)
{
	const struct ginsn *g = &c->r->guest[k];

	if (f == F_MEM)
		fprintf(c->o, "(unsigned)(g[%d].size | g[%d].sx << 2)", k, k);
	else if (f == F_IMM && g->f[F_IMM].kind == GV_PARAM &&
		 c->r->param[g->f[F_IMM].v].kind == P_LABEL && ginsn_op(c->r, g) != A64_ADRP)
		fprintf(c->o, "rule_label(tr, g, %d)", k);
	else
		fprintf(c->o, "g[%d].%s", k, field_names[f]);
}

static void emit_const_check(struct ectx *c, int k, int f)
{
	const struct gval *v = &c->r->guest[k].f[f];

	if (f != F_MEM)
		fprintf(c->o, "\tif (g[%d].%s != %" PRId64 ")\n\t\treturn 0;\n", k, field_names[f],
			v->v);
	else if (v->v == MEM_R)
		fprintf(c->o, "\tif (g[%d].size < 2 || g[%d].sx)\n\t\treturn 0;\n", k, k);
	else
		fprintf(c->o, "\tif ((g[%d].size | g[%d].sx << 2) != %d)\n\t\treturn 0;\n", k, k,
			(int)v->v);
}

static void emit_width(struct ectx *c)
{
	bool have_w = false;

	for (int k = 0; k < c->r->nguest; k++) {
		const struct ginsn *g = &c->r->guest[k];

		if (g->wsel == WS_W || g->wsel == WS_X)
			fprintf(c->o, "\tif (g[%d].sf != %d)\n\t\treturn 0;\n", k, g->wsel == WS_X);
		if (g->wsel == WS_R && have_w)
			fprintf(c->o, "\tif (g[%d].sf != (w == 8))\n\t\treturn 0;\n", k);
		have_w |= g->wsel == WS_R;
	}
}

static void emit_op_checks(struct ectx *c)
{
	const struct rule *r = c->r;

	/* The first two ops and addressing modes are the dispatch key. */
	for (int k = 2; k < r->nguest; k++) {
		const struct ginsn *g = &r->guest[k];

		if (g->op >= 0)
			fprintf(c->o,
				"\tif (g[%d].op != A64_%s || g[%d].amode != %d)\n\t\treturn 0;\n",
				k, gop_name(g->op), k, g->amode);
		else
			fprintf(c->o,
				"\tif (!cls_%s_%s(g[%d].op) || g[%d].amode != %d)\n\t\treturn 0;\n",
				r->name, r->vars[g->cls_var].name, k, k, g->amode);
	}
	/* A class variable used twice means the same op. */
	for (int k = 1; k < r->nguest; k++)
		for (int j = 0; j < k; j++)
			if (r->guest[k].op < 0 && r->guest[j].op < 0 &&
			    r->guest[k].cls_var == r->guest[j].cls_var)
				fprintf(c->o, "\tif (g[%d].op != g[%d].op)\n\t\treturn 0;\n", k, j);
	for (int k = 0; k < r->nguest; k++)
		for (int f = 0; f < F_NUM; f++)
			if (r->guest[k].f[f].kind == GV_CONST)
				emit_const_check(c, k, f);
}

static void emit_param(struct ectx *c, int i)
{
	const struct rule *r = c->r;
	const struct param *p = &r->param[i];
	bool wide = p->kind == P_IMM || p->kind == P_LABEL;

	fprintf(c->o, "\tconst %s p_%s = ", wide ? "s64" : "unsigned", p->name);
	emit_field(c, p->insn, p->field);
	fprintf(c->o, ";\n\t(void)p_%s;\n", p->name);
	if (p->kind == P_REG && p->rc == (RC_SP | RC_ZR))
		fprintf(c->o, "\tif (p_%s == 31)\n\t\treturn 0;\n", p->name);
	for (int k = 0; k < r->nguest; k++)
		for (int f = 0; f < F_NUM; f++)
			if (r->guest[k].f[f].kind == GV_PARAM && r->guest[k].f[f].v == i &&
			    (k != p->insn || f != p->field)) {
				fprintf(c->o, "\tif (p_%s != ", p->name);
				emit_field(c, k, f);
				fprintf(c->o, ")\n\t\treturn 0;\n");
			}
}

static void emit_params(struct ectx *c)
{
	for (int i = 0; i < c->r->nparams; i++)
		if (c->r->param[i].kind != P_LET)
			emit_param(c, i);
	for (int i = 0; i < c->r->nparams; i++)
		if (c->r->param[i].kind == P_LET) {
			fprintf(c->o, "\tconst s64 p_%s = ", c->r->param[i].name);
			emit_expr(c, c->r->param[i].let);
			fprintf(c->o, ";\n\t(void)p_%s;\n", c->r->param[i].name);
		}
}

static void emit_when(struct ectx *c)
{
	for (int i = 0; i < c->r->nwhen; i++) {
		fprintf(c->o, "\tif (!(");
		emit_expr(c, c->r->when[i]);
		fprintf(c->o, "))\n\t\treturn 0;\n");
	}
}

/* ---- host side ---- */

static void emit_opnd(struct ectx *c, const struct hopnd *h, bool dest)
{
	const char *zr = dest ? "hd" : "hx";

	switch (h->kind) {
	case HO_NONE: fprintf(c->o, "hnone()"); break;
	case HO_TEMP: fprintf(c->o, "t%d", h->reg); break;
	case HO_EXPR:
		fprintf(c->o, "himm(");
		emit_expr(c, h->e);
		fprintf(c->o, ")");
		break;
	case HO_PARAM:
		fprintf(c->o, "%s(p_%s)", c->r->param[h->reg].rc & RC_SP ? "hxsp" : zr,
			c->r->param[h->reg].name);
		break;
	default:
		fprintf(c->o, "%s(%d)", h->reg == 31 && h->rc == RC_SP ? "hxsp" : zr, h->reg);
		break;
	}
}

static const char *width_text(u8 wsel)
{
	return wsel == WS_W ? "4" : wsel == WS_R ? "w" : "8";
}

/* A later operation of the rule reads NZCV: then it is set even where it is dead afterwards. */
static bool flags_used_later(const struct rule *r, int i)
{
	for (int k = i + 1; k < r->nhost; k++) {
		if (hop_reads_flags(hinsn_op(r, &r->host[k])))
			return true;
		if (r->host[k].setf)
			return false;
	}
	return false;
}

static void emit_disp(struct ectx *c, const struct hinsn *h)
{
	if (!h->disp)
		return;
	fprintf(c->o, "\th->imm2 = (s32)");
	emit_expr(c, h->disp);
	fprintf(c->o, ";\n");
}

static void emit_mem(struct ectx *c, const struct hinsn *h, int op)
{
	const struct rule *r = c->r;
	enum mem_type t = h->mem.kind == GV_CONST ? (enum mem_type)h->mem.v : MEM_NUM;
	const char *z = t == MEM_NUM ? r->param[h->mem.v].name : NULL;
	FILE *o = c->o;

	fprintf(o, "\th = hir_emit(b, HIR_%s, ", op == HIR_LD ? "LD" : "ST");
	if (op == HIR_LD && h->wsel != WS_ANY)
		fprintf(o, "%s, ", width_text(h->wsel));
	else if (z)
		fprintf(o, "(p_%s & 3) == 3 ? 8 : 4, ", z);
	else
		fprintf(o, "%s, ", t == MEM_R ? "w" : t == MEM_X ? "8" : "4");
	emit_opnd(c, &h->d, true);
	fprintf(o, ", ");
	emit_opnd(c, &h->a, false);
	fprintf(o, ", ");
	emit_opnd(c, &h->b, false);
	if (z)
		fprintf(o, ");\n\th->size = p_%s & 3;\n\th->sx = (u8)(p_%s >> 2);\n", z, z);
	else if (t == MEM_R)
		fprintf(o, ");\n\th->size = w == 8 ? 3 : 2;\n");
	else
		fprintf(o, ");\n\th->size = %u;\n\th->sx = %d;\n", mem_log2(t, 0),
			t >= MEM_SB && t <= MEM_SW);
	emit_disp(c, h);
}

static void emit_cc(struct ectx *c, const struct hinsn *h)
{
	if (h->cc.kind == GV_CONST)
		fprintf(c->o, "\th->cc = %d;\n", (int)h->cc.v ^ h->cc_inv);
	else if (h->cc.kind == GV_PARAM)
		fprintf(c->o, "\th->cc = (u8)(p_%s%s);\n", c->r->param[h->cc.v].name,
			h->cc_inv ? " ^ 1" : "");
}

/*
 * Opens an if around an operation that has no effect when its result is discarded and the flags are
 * dead: the flag-free sibling of cmp is nothing at all.
 */
static bool emit_guard(struct ectx *c, const struct hinsn *h, bool setf_always)
{
	bool zr = h->d.kind == HO_PARAM && !(c->r->param[h->d.reg].rc & RC_SP);
	const char *name = zr ? c->r->param[h->d.reg].name : NULL;

	if (setf_always || (h->d.kind != HO_NONE && !zr))
		return false;
	if (h->d.kind == HO_NONE)
		fprintf(c->o, "\tif (live) {\n");
	else if (h->setf)
		fprintf(c->o, "\tif (live || p_%s != 31) {\n", name);
	else
		fprintf(c->o, "\tif (p_%s != 31) {\n", name);
	return true;
}

static bool needs_h(const struct hinsn *h, int op)
{
	return hop_is_mem(op) || h->setf || h->cc.kind != GV_ABSENT || h->c.kind != HO_NONE ||
	       h->disp;
}

static int var_insn(const struct rule *r, int v)
{
	for (int i = 0; i < r->nguest; i++)
		if (r->guest[i].op < 0 && r->guest[i].cls_var == v)
			return i;
	return 0;
}

static void emit_host(struct ectx *c, int i)
{
	const struct rule *r = c->r;
	const struct hinsn *h = &r->host[i];
	FILE *o = c->o;
	int op = hinsn_op(r, h);
	bool used = h->setf && flags_used_later(r, i), guard;

	if (hop_is_mem(op)) {
		emit_mem(c, h, op);
		return;
	}
	guard = !hop_is_control(op) && emit_guard(c, h, used);
	fprintf(o, "\t%shir_emit(b, ", needs_h(h, op) ? "h = " : "");
	if (h->op >= 0)
		emit_hir_name(o, op);
	else if (h->op_param >= 0)
		fprintf(o, "rule_%s_op[p_%s]",
			r->param[h->op_param].kind == P_SHIFT ? "shift" : "ext",
			r->param[h->op_param].name);
	else
		fprintf(o, "col_%s_%s_%d(g[%d].op)", r->name, r->vars[h->cls_var].name, h->col,
			var_insn(r, h->cls_var));
	fprintf(o, ", %s, ", width_text(h->wsel));
	emit_opnd(c, &h->d, true);
	fprintf(o, ", ");
	emit_opnd(c, &h->a, false);
	fprintf(o, ", ");
	emit_opnd(c, &h->b, false);
	fprintf(o, ");\n");
	if (h->c.kind != HO_NONE) {
		fprintf(o, "\th->c = ");
		emit_opnd(c, &h->c, false);
		fprintf(o, ";\n");
	}
	emit_disp(c, h);
	if (h->setf)
		fprintf(o, "\th->setf = %s;\n", used ? "1" : "live");
	emit_cc(c, h);
	if (hop_is_control(op))
		fprintf(o, "\ttr->ended = true;\n");
	if (guard)
		fprintf(o, "\t}\n");
}

/* ---- opcode classes ---- */

static void emit_class_column(struct ectx *c, int v, int col)
{
	const struct rule *r = c->r;
	const struct opclass *k = r->vars[v].cls;

	fprintf(c->o, "static enum hir_op col_%s_%s_%d(unsigned op)\n{\n\tswitch (op) {\n", r->name,
		r->vars[v].name, col);
	for (int i = 1; i < k->nrows; i++) {
		fprintf(c->o, "\tcase A64_%s: return ", gop_name(k->guest[i]));
		emit_hir_name(c->o, k->cell[i][col].op);
		fprintf(c->o, ";\n");
	}
	fprintf(c->o, "\tdefault: return ");
	emit_hir_name(c->o, k->cell[0][col].op);
	fprintf(c->o, ";\n\t}\n}\n");
}

/* Column lookup by guest op, and membership, as small switches. */
static void emit_class_tables(struct ectx *c)
{
	const struct rule *r = c->r;

	for (int v = 0; v < r->nvars; v++) {
		const struct opclass *k = r->vars[v].cls;
		bool member = false;

		for (int i = 2; i < r->nguest; i++)
			member |= r->guest[i].op < 0 && r->guest[i].cls_var == v;
		if (member) {
			fprintf(c->o, "static bool cls_%s_%s(unsigned op)\n{\n\treturn ", r->name,
				r->vars[v].name);
			for (int i = 0; i < k->nrows; i++)
				fprintf(c->o, "%sop == A64_%s", i ? " || " : "",
					gop_name(k->guest[i]));
			fprintf(c->o, ";\n}\n");
		}
		for (int col = 0; col < k->ncols; col++)
			for (int i = 0; i < r->nhost; i++)
				if (r->host[i].cls_var == v && r->host[i].col == col) {
					emit_class_column(c, v, col);
					break;
				}
	}
}

void gen_rule_function(FILE *out, const struct gen_rule *gr)
{
	struct ectx c = {out, gr->r};
	const struct rule *r = gr->r;
	bool need_h = false;

	fprintf(out, "/* %s:%d */\n", gr->file, r->loc.line);
	emit_class_tables(&c);
	for (int i = 0; i < r->nhost; i++)
		need_h |= needs_h(&r->host[i], hinsn_op(r, &r->host[i]));
	fprintf(out, "static unsigned rule_%s(struct tr *tr, const struct a64_insn *g)\n{\n",
		r->name);
	fprintf(out, "\tconst u8 live = tr->nzcv_live[tr->i + %d];\n\t(void)live;\n",
		r->nguest - 1);
	fprintf(out, "\tstruct hir_buf *b = &tr->hir;\n\t(void)b;\n");
	for (int k = 0; k < r->nguest && r->uses_r; k++)
		if (r->guest[k].wsel == WS_R) {
			fprintf(out, "\tconst unsigned w = g[%d].sf ? 8 : 4;\n\t(void)w;\n", k);
			break;
		}
	if (need_h)
		fprintf(out, "\tstruct hir *h;\n");
	emit_width(&c);
	emit_op_checks(&c);
	emit_params(&c);
	emit_when(&c);
	for (int i = 0; i < r->nparams; i++)
		if (r->spilled >> i & 1)
			fprintf(out, "\tif (rule_pinned(p_%s))\n\t\treturn 0;\n", r->param[i].name);
	for (int i = 0; i < r->ntemps; i++)
		fprintf(out, "\tconst struct hir_opnd t%d = htmp(b);\n", i);
	for (int i = 0; i < r->nhost; i++)
		emit_host(&c, i);
	fprintf(out, "\treturn %d;\n}\n\n", r->nguest);
}

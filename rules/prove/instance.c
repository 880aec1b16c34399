/* SPDX-License-Identifier: MIT */
/* Enumeration of the finite choices of a rule. */
#include <stdio.h>
#include <string.h>

#include "rules/prove/prove.h"

enum mem_type instance_mem(const struct rule *r, const struct instance *in, const struct gval *m)
{
	enum mem_type t =
		m->kind == GV_PARAM ? (enum mem_type)in->value[m->v] : (enum mem_type)m->v;

	(void)r;
	if (t == MEM_R)
		return in->width == 64 ? MEM_X : MEM_W;
	return t;
}

int instance_gop(const struct rule *r, const struct instance *in, int k)
{
	const struct ginsn *g = &r->guest[k];

	return g->op >= 0 ? g->op : r->vars[g->cls_var].cls->guest[in->row[g->cls_var]];
}

int instance_hop(const struct rule *r, const struct instance *in, const struct hinsn *h)
{
	if (h->op >= 0)
		return h->op;
	if (h->op_param >= 0)
		return r->param[h->op_param].kind == P_SHIFT
			       ? hop_of_shift((enum a64_shift)in->value[h->op_param])
			       : hop_of_ext((enum a64_extend)in->value[h->op_param]);
	return r->vars[h->cls_var].cls->cell[in->row[h->cls_var]][h->col].op;
}

/* sf as the decoder gives it for a memory type: 32, 64 or 0 for either. */
static unsigned mem_width(enum mem_type t)
{
	switch (t) {
	case MEM_X:
	case MEM_SW: return 64;
	case MEM_SB:
	case MEM_SH: return 0;
	default: return 32;
	}
}

unsigned instance_width(const struct rule *r, const struct instance *in, int k)
{
	const struct ginsn *g = &r->guest[k];
	unsigned w = g->wsel == WS_W ? 32 : g->wsel == WS_X ? 64 : g->wsel == WS_R ? in->width : 0;
	int op = instance_gop(r, in, k);

	if (g->f[F_MEM].kind != GV_ABSENT) {
		enum mem_type t = instance_mem(r, in, &g->f[F_MEM]);
		unsigned m = mem_width(t);

		if (op == A64_STR && t >= MEM_SB)
			return 0;
		if (op == A64_LDR_lit && t != MEM_W && t != MEM_X && t != MEM_SW)
			return 0;
		if (w && m && w != m)
			return 0;
		return w ? w : m;
	}
	return w ? w : 64;
}

static bool instance_ok(const struct rule *r, const struct instance *in)
{
	for (int k = 0; k < r->nguest; k++) {
		const struct ginsn *g = &r->guest[k];
		int op = instance_gop(r, in, k);
		s64 shift = g->f[F_SHIFT].kind == GV_PARAM   ? in->value[g->f[F_SHIFT].v]
			    : g->f[F_SHIFT].kind == GV_CONST ? g->f[F_SHIFT].v
							     : 0;

		if (!instance_width(r, in, k) ||
		    (instance_width(r, in, k) == 32 && gop_only_64(op)))
			return false;
		if (shift == A64_ROR && (op == A64_ADD_shift || op == A64_ADDS_shift ||
					 op == A64_SUB_shift || op == A64_SUBS_shift))
			return false;
		if (g->amode == A64_AM_REG && !(shift & 2))
			return false;
	}
	return true;
}

struct walk {
	const struct rule *r;
	bool (*fn)(void *arg, const struct instance *in);
	void *arg;
	struct instance in;
};

static bool walk_params(struct walk *w, int i)
{
	const struct rule *r = w->r;

	for (; i < r->nparams; i++) {
		int n = r->param[i].kind == P_SHIFT ? 4
			: r->param[i].kind == P_EXT ? 8
			: r->param[i].kind == P_MEM ? MEM_R
						    : 0;

		if (!n)
			continue;
		for (int v = 0; v < n; v++) {
			w->in.value[i] = v;
			if (!walk_params(w, i + 1))
				return false;
		}
		return true;
	}
	return !instance_ok(r, &w->in) || w->fn(w->arg, &w->in);
}

static bool walk_vars(struct walk *w, int i)
{
	if (i == w->r->nvars)
		return walk_params(w, 0);
	for (int row = 0; row < w->r->vars[i].cls->nrows; row++) {
		w->in.row[i] = row;
		if (!walk_vars(w, i + 1))
			return false;
	}
	return true;
}

void for_each_instance(const struct rule *r, bool (*fn)(void *arg, const struct instance *in),
		       void *arg)
{
	struct walk w = {.r = r, .fn = fn, .arg = arg};

	for (unsigned width = 32; width <= 64; width += 32) {
		if (!r->uses_r && width == 32)
			continue;
		w.in.width = width;
		if (!walk_vars(&w, 0))
			return;
	}
}

void instance_describe(const struct rule *r, const struct instance *in, char *buf, size_t cap)
{
	size_t n = 0;

	buf[0] = 0;
	if (r->uses_r)
		n = (size_t)snprintf(buf, cap, "R=%u ", in->width);
	for (int i = 0; i < r->nvars && n < cap; i++)
		n += (size_t)snprintf(buf + n, cap - n, "<%s>=%s ", r->vars[i].name,
				      gop_name(r->vars[i].cls->guest[in->row[i]]));
	for (int i = 0; i < r->nparams && n < cap; i++) {
		const char *const *names = r->param[i].kind == P_SHIFT ? shift_names
					   : r->param[i].kind == P_EXT ? ext_names
					   : r->param[i].kind == P_MEM ? mem_names
								       : NULL;

		if (names)
			n += (size_t)snprintf(buf + n, cap - n, "<%s>=%s ", r->param[i].name,
					      names[in->value[i]]);
	}
}

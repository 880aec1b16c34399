/* SPDX-License-Identifier: MIT */
#include "dbt/hir.h"

#include <stdio.h>
#include <string.h>

#include "dbt/x64/vops.h"

static const struct {
	const char *name, *operands;
} hir_info[] = {
#define _(name, ops) {#name, ops},
	HIR_OPS(_)
#undef _
};

#define MAX_CONSTS 256

static _Thread_local struct {
	unsigned n;
	u64 v[MAX_CONSTS][2];
} consts;

struct hir_opnd hconst(u64 lo, u64 hi)
{
	unsigned i;

	for (i = 0; i < consts.n; i++)
		if (consts.v[i][0] == lo && consts.v[i][1] == hi)
			break;
	if (i == MAX_CONSTS)
		return hnone(); /* placement refuses it and the block is cut shorter */
	if (i == consts.n) {
		consts.v[i][0] = lo;
		consts.v[i][1] = hi;
		consts.n++;
	}
	return (struct hir_opnd){.kind = H_CONST, .imm = i};
}

void hconst_reset(void)
{
	consts.n = 0;
}

size_t hconst_copy(void *dst)
{
	memcpy(dst, consts.v, consts.n * 16);
	return consts.n * 16;
}

const char *hir_op_name(unsigned op)
{
	return op < HIR_NUM_OPS ? hir_info[op].name : "?";
}

struct hir *hir_emit(struct hir_buf *b, enum hir_op op, unsigned w, struct hir_opnd d,
		     struct hir_opnd a, struct hir_opnd c2)
{
	/* The last entry takes what no longer fits: the translator sees n == HIR_MAX and cuts. */
	struct hir *h = &b->op[b->n < HIR_MAX - 1 ? b->n : HIR_MAX - 1];

	if (b->n < HIR_MAX)
		b->n++;
	memset(h, 0, sizeof(*h));
	h->op = (u8)op;
	h->w = (u8)w;
	h->insn = (u16)b->insn;
	h->d = d;
	h->a = a;
	h->b = c2;
	return h;
}

struct hir *hir_helper(struct hir_buf *b, helper_fn fn, u32 raw)
{
	struct hir *h = hir_emit(b, HIR_HELPER, 8, hnone(), hnone(), hnone());

	h->fn = fn;
	h->raw = raw;
	return h;
}

struct hir *hir_helper_end(struct hir_buf *b, helper_fn fn, u32 raw)
{
	struct hir *h = hir_helper(b, fn, raw);

	h->op = HIR_HELPER_END;
	return h;
}

struct hir *hir_v(struct hir_buf *b, unsigned vop, struct hir_opnd d, struct hir_opnd a,
		  struct hir_opnd c2)
{
	enum hir_op op = vop_table[vop].form == VF_CMP ? HIR_VCMP : HIR_V;
	struct hir *h = hir_emit(b, op, 8, d, a, c2);

	h->vop = (u16)vop;
	return h;
}

struct hir *hir_vi(struct hir_buf *b, unsigned vop, struct hir_opnd d, struct hir_opnd a,
		   struct hir_opnd c2, unsigned imm8)
{
	struct hir *h = hir_v(b, vop, d, a, c2);

	h->imm2 = (s32)imm8;
	return h;
}

struct hir *hir_bail(struct hir_buf *b, enum xcc cc, helper_fn fn, u32 raw)
{
	struct hir *h = hir_emit(b, HIR_BAIL, 8, hnone(), hnone(), hnone());

	h->cc = (u8)cc;
	h->fn = fn;
	h->raw = raw;
	return h;
}

static int dump_opnd(const struct hir_opnd *o, unsigned w, char *buf, size_t cap)
{
	switch (o->kind) {
	case H_X:
		if (o->reg == REG_SP)
			return snprintf(buf, cap, " sp");
		return snprintf(buf, cap, " %c%u", w == 4 ? 'w' : 'x', o->reg);
	case H_T: return snprintf(buf, cap, " t%u", o->reg);
	case H_IMM: return snprintf(buf, cap, " #%#llx", (unsigned long long)o->imm);
	case H_STATE: return snprintf(buf, cap, " cpu[%lld]", (long long)o->imm);
	case H_V: return snprintf(buf, cap, " v%u", o->reg);
	case H_W: return snprintf(buf, cap, " vt%u", o->reg);
	case H_CONST: return snprintf(buf, cap, " const%lld", (long long)o->imm);
	default: return snprintf(buf, cap, " -");
	}
}

int hir_dump(const struct hir *h, char *buf, size_t cap)
{
	const struct hir_opnd *o[] = {&h->d, &h->a, &h->b, &h->c};
	const char *name =
		h->op == HIR_V || h->op == HIR_VCMP ? vop_table[h->vop].name : hir_op_name(h->op);
	size_t n =
		(size_t)snprintf(buf, cap, "%2u: %s.%u%s", h->insn, name, h->w, h->setf ? "s" : "");

	for (unsigned i = 0; i < 4 && n < cap; i++)
		n += (size_t)dump_opnd(o[i], h->w, buf + n, cap - n);
	if (n < cap && (h->imm2 || h->size || h->cc))
		n += (size_t)snprintf(buf + n, cap - n, " disp=%d size=%u cc=%u", h->imm2,
				      1u << h->size, h->cc);
	return (int)(n < cap ? n : cap - 1);
}

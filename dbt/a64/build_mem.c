/* SPDX-License-Identifier: MIT */
/* C builders of the general-register loads, stores, exclusives and atomics. */
#include "dbt/a64/build.h"

struct hir_opnd build_address(struct tr *tr, const struct a64_insn *in, s32 *disp)
{
	struct hir_buf *b = &tr->hir;
	struct hir_opnd t, m;
	struct hir *h;

	*disp = 0;
	switch (in->amode) {
	case A64_AM_REG:
		m = hx(in->rm);
		if (m.kind == H_IMM)
			return hxsp(in->rn);
		if ((in->shift & 3) != 3) /* UXTW, SXTW */
			m = build_extended(tr, in->rm, in->shift, 0);
		t = m.kind == H_T ? m : htmp(b);
		if (in->amount > 3) { /* Q registers */
			t = m.kind == H_T ? m : htmp(b);
			hir_emit(b, HIR_SHL, 8, t, m, himm(in->amount));
			hir_emit(b, HIR_ADD, 8, t, hxsp(in->rn), t);
			return t;
		}
		h = hir_emit(b, HIR_LEA, 8, t, hxsp(in->rn), m);
		h->c = himm(in->amount);
		return t;
	case A64_AM_LIT:
		t = htmp(b);
		hir2(b, HIR_PCADDR, 8, t, himm(tr->page_off + 4 * (s64)tr->i + in->imm));
		return t;
	case A64_AM_POST: return hxsp(in->rn);
	default: *disp = (s32)in->imm; return hxsp(in->rn);
	}
}

void build_writeback(struct tr *tr, const struct a64_insn *in)
{
	if (in->amode == A64_AM_PRE || in->amode == A64_AM_POST)
		hir_emit(&tr->hir, HIR_ADD, 8, hxsp(in->rn), hxsp(in->rn), himm(in->imm));
}

static struct hir *access(struct tr *tr, const struct a64_insn *in, enum hir_op op,
			  struct hir_opnd d, struct hir_opnd base, s32 disp, struct hir_opnd data)
{
	struct hir *h =
		hir_emit(&tr->hir, op, op == HIR_LD && in->sx && !in->sf ? 4 : 8, d, base, data);

	h->size = in->size;
	h->sx = in->sx;
	h->imm2 = disp;
	return h;
}

static int load(struct tr *tr, const struct a64_insn *in, unsigned mflags)
{
	s32 disp;
	struct hir_opnd base = build_address(tr, in, &disp);

	access(tr, in, HIR_LD, hd(in->rd), base, disp, hnone())->mflags |= (u8)mflags;
	build_writeback(tr, in);
	return 0;
}

static int store(struct tr *tr, const struct a64_insn *in, unsigned mflags)
{
	s32 disp;
	struct hir_opnd base = build_address(tr, in, &disp);

	access(tr, in, HIR_ST, hnone(), base, disp, hx(in->rd))->mflags |= (u8)mflags;
	build_writeback(tr, in);
	return 0;
}

static int pair(struct tr *tr, const struct a64_insn *in, bool is_load)
{
	s32 disp, step = 1 << in->size;
	struct hir_opnd base = build_address(tr, in, &disp);

	if (!is_load) {
		access(tr, in, HIR_ST, hnone(), base, disp, hx(in->rd));
		access(tr, in, HIR_ST, hnone(), base, disp + step, hx(in->ra));
	} else if (in->rd == in->rn && in->rd != 31) { /* the base goes last */
		access(tr, in, HIR_LD, hd(in->ra), base, disp + step, hnone());
		access(tr, in, HIR_LD, hd(in->rd), base, disp, hnone());
	} else {
		access(tr, in, HIR_LD, hd(in->rd), base, disp, hnone());
		access(tr, in, HIR_LD, hd(in->ra), base, disp + step, hnone());
	}
	build_writeback(tr, in);
	return 0;
}

static int exclusive(struct tr *tr, const struct a64_insn *in, bool is_load)
{
	struct hir *h;

	if (is_load)
		h = hir2(&tr->hir, HIR_LDX, 8, hd(in->rd), hxsp(in->rn));
	else
		h = hir_emit(&tr->hir, HIR_STX, 8, hd(in->rs), hxsp(in->rn), hx(in->rd));
	h->size = in->size;
	h->mflags = HM_ALIGN;
	return 0;
}

static int atomic(struct tr *tr, const struct a64_insn *in, enum hir_atomic sub)
{
	struct hir *h = hir_emit(&tr->hir, HIR_ATOMIC, 8, hd(in->rd), hxsp(in->rn), hx(in->rs));

	h->sub = sub;
	h->size = in->size;
	h->mflags = HM_ALIGN;
	return 0;
}

int build_mem(struct tr *tr, const struct a64_insn *in)
{
	struct hir *h;

	switch (in->op) {
	case A64_LDR:
	case A64_LDR_lit: return load(tr, in, 0);
	case A64_STR: return store(tr, in, 0);
	case A64_LDTR: return load(tr, in, tr->mode & TR_MODE_EL1 ? HM_UNPRIV : 0);
	case A64_STTR: return store(tr, in, tr->mode & TR_MODE_EL1 ? HM_UNPRIV : 0);
	case A64_LDAR:
	case A64_LDLAR:
	case A64_LDAPR:
	case A64_LDAPUR: return load(tr, in, HM_ACQUIRE | HM_ALIGN);
	case A64_STLR:
	case A64_STLLR:
	case A64_STLUR: return store(tr, in, HM_RELEASE | HM_ALIGN);
	case A64_PRFM: return 0;
	case A64_LDP:
	case A64_LDPSW: return pair(tr, in, true);
	case A64_STP: return pair(tr, in, false);
	case A64_LDXR:
	case A64_LDAXR: return exclusive(tr, in, true);
	case A64_STXR:
	case A64_STLXR: return exclusive(tr, in, false);
	case A64_LDXP:
	case A64_LDAXP:
	case A64_STXP:
	case A64_STLXP:
	case A64_CASP:
	case A64_LDSMAX:
	case A64_LDSMIN:
	case A64_LDUMAX:
	case A64_LDUMIN: hir_helper(&tr->hir, helper_mem, in->raw); return 0;
	case A64_LDADD: return atomic(tr, in, HA_ADD);
	case A64_LDCLR: return atomic(tr, in, HA_CLR);
	case A64_LDEOR: return atomic(tr, in, HA_EOR);
	case A64_LDSET: return atomic(tr, in, HA_SET);
	case A64_SWP: return atomic(tr, in, HA_SWP);
	case A64_CAS:
		h = hir_emit(&tr->hir, HIR_CAS, 8, hd(in->rs), hxsp(in->rn), hx(in->rs));
		h->c = hx(in->rd);
		h->size = in->size;
		h->mflags = HM_ALIGN;
		return 0;
	default: return -1;
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * Define before use: a compare whose reader comes only after memory accesses moves behind them, to
 * where its flags can stay in EFLAGS; each page check in between would cost saving them and a
 * reader in memory. The accesses note how far back the compare is (hir.defer): where one faults, C
 * carries the compare out first (cpu_compare), from operands that nothing has changed, so that NZCV
 * is exact.
 */
#include "dbt/x64/place_internal.h"

#define MAX_DEFER 63 /* guest instructions; DESC_DEFER */

/* A plain compare of registers and immediates that cpu_compare() understands. */
static bool is_compare(const struct tr *tr, const struct hir *h)
{
	const struct a64_insn *in = &tr->insn[h->insn];

	if (!h->setf || h->d.kind != H_NONE || (h->a.kind != H_X && h->a.kind != H_IMM) ||
	    (h->b.kind != H_X && h->b.kind != H_IMM) || tr->span[h->insn] != 1 || in->rd != 31)
		return false;
	switch (in->op) {
	case A64_SUBS_imm:
	case A64_ADDS_imm:
	case A64_ANDS_imm: return true;
	case A64_SUBS_shift:
	case A64_ADDS_shift:
	case A64_ANDS_shift: return !in->amount;
	default: return false;
	}
}

static bool is_access(const struct hir *h)
{
	return h->op == HIR_LD || h->op == HIR_ST || h->op == HIR_LDV || h->op == HIR_STV;
}

/* Computes, and does nothing else: no flags, no exit, no call to C. */
static bool is_plain(const struct hir *h)
{
	return !h->setf && h->op != HIR_ADC && h->op != HIR_SBC && h->op <= HIR_PCADDR;
}

static bool reads_nzcv(const struct hir *h)
{
	return h->op == HIR_BCC || h->op == HIR_CSEL || h->op == HIR_CSET || h->op == HIR_CSETM ||
	       h->op == HIR_CINC || h->op == HIR_CCMP || h->op == HIR_CCMN || h->op == HIR_ADC ||
	       h->op == HIR_SBC;
}

/* Where the compare at op i may go: before the first operation of its first reader. 0: nowhere, or
 * it need not. */
static unsigned find_use(const struct tr *tr, unsigned i)
{
	const struct hir *cmp = &tr->hir.op[i];
	bool access = false;
	unsigned group = i + 1;

	if (group >= tr->hir.n || cmp[1].insn == cmp->insn || (i && cmp[-1].insn == cmp->insn))
		return 0;
	for (unsigned j = i + 1; j < tr->hir.n; j++) {
		const struct hir *h = &tr->hir.op[j];

		if (h->insn != h[-1].insn)
			group = j;
		if (reads_nzcv(h))
			break;
		if (!is_plain(h) && !is_access(h))
			return 0;
		if (same_loc(&h->d, &cmp->a) || same_loc(&h->d, &cmp->b) ||
		    h->insn - cmp->insn > MAX_DEFER)
			return 0;
		if (j + 1 == tr->hir.n)
			return 0;
	}
	for (unsigned j = i + 1; j < group; j++)
		access |= is_access(&tr->hir.op[j]);
	return access ? group : 0;
}

void schedule_flags(struct tr *tr)
{
	for (unsigned i = 0; i < tr->hir.n; i++) {
		struct hir cmp = tr->hir.op[i];
		unsigned to = is_compare(tr, &cmp) ? find_use(tr, i) : 0;

		if (!to)
			continue;
		memmove(&tr->hir.op[i], &tr->hir.op[i + 1], (to - i - 1) * sizeof(cmp));
		tr->hir.op[to - 1] = cmp;
		for (unsigned j = i; j < to - 1; j++)
			if (is_access(&tr->hir.op[j]))
				tr->hir.op[j].defer = (u8)(tr->hir.op[j].insn - cmp.insn);
		i = to - 1;
	}
}

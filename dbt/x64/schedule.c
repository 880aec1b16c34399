/* SPDX-License-Identifier: MIT */
/*
 * Define before use: a compare whose reader comes only after memory accesses (or after what
 * clobbers EFLAGS) moves behind them, to where its flags can stay in EFLAGS; each page check in
 * between would cost saving them and a reader in memory. Of SUBS and its like the subtraction
 * stays, and its flags are computed once more. The accesses note how far back the compare is
 * (hir.defer): where one faults, C carries the compare out first (cpu_compare), from operands that
 * nothing has changed, so that NZCV is exact.
 */
#include "dbt/x64/place_internal.h"

#define MAX_DEFER 63 /* guest instructions; DESC_DEFER */
#define MAX_CHAIN 8

/*
 * Defines NZCV by one operation that can be repeated as long as nothing writes what it compares,
 * and that cpu_compare() understands: a compare; SUBS and its like into another register; or SUBS
 * and ADDS of an immediate in place, of which the old value can be told (`in_place`).
 */
static bool is_repeatable(const struct tr *tr, const struct hir *h, bool *in_place)
{
	const struct a64_insn *in = &tr->insn[h->insn];

	if (!h->setf || (h->a.kind != H_X && h->a.kind != H_IMM) ||
	    (h->b.kind != H_X && h->b.kind != H_IMM) || tr->span[h->insn] != 1 ||
	    (h->d.kind != H_X && in->rd != 31))
		return false;
	*in_place = h->d.kind == H_X && same_loc(&h->d, &h->a);
	switch (in->op) {
	case A64_SUBS_imm:
	case A64_ADDS_imm: return true;
	case A64_ANDS_imm: return !*in_place;
	case A64_SUBS_shift:
	case A64_ADDS_shift:
	case A64_ANDS_shift:
		return !in->amount && !*in_place && !(h->d.kind == H_X && same_loc(&h->d, &h->b));
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

/* Its host code writes EFLAGS, although its operation has no flags. */
static bool is_clobber(const struct hir *h)
{
	switch (h->op) {
	case HIR_AND:
	case HIR_OR:
	case HIR_XOR:
	case HIR_BIC:
	case HIR_ORN:
	case HIR_EON:
	case HIR_NEG:
	case HIR_SHRD:
	case HIR_MUL:
	case HIR_UMULH:
	case HIR_SMULH:
	case HIR_UDIV:
	case HIR_SDIV:
	case HIR_RBIT:
	case HIR_CLZ:
	case HIR_CLS:
	case HIR_CTZ: return true;
	case HIR_SUB: return h->b.kind != H_IMM; /* else LEA does it */
	default: return false;
	}
}

/*
 * Where the flags that ops [first, last] define may be computed instead: before the first operation
 * of their first reader. 0: nowhere, or they need not.
 */
static unsigned find_use(const struct tr *tr, unsigned first, unsigned last, bool accesses)
{
	const struct hir *def = &tr->hir.op[last];
	unsigned group = last + 1;
	bool gain;

	if (group >= tr->hir.n || def[1].insn == def->insn ||
	    (first && def[-(s64)(last - first) - 1].insn == tr->hir.op[first].insn))
		return 0;
	for (unsigned j = last + 1;; j++) {
		const struct hir *h = &tr->hir.op[j];

		if (h->insn != h[-1].insn)
			group = j;
		if (reads_nzcv(h))
			break;
		if (!is_plain(h) && !(accesses && is_access(h)))
			return 0;
		for (unsigned k = first; k <= last; k++)
			if (same_loc(&h->d, &tr->hir.op[k].a) || same_loc(&h->d, &tr->hir.op[k].b))
				return 0;
		if (same_loc(&h->d, &def->d) || h->insn - def->insn > MAX_DEFER ||
		    j + 1 == tr->hir.n)
			return 0;
	}
	if (group == last + 1)
		return 0;
	/*
	 * A compare costs the same there, what it moved behind need not keep its flags, and a
	 * branch next to it is one operation to the host. Flags computed once more want a reason.
	 */
	gain = def->d.kind == H_NONE;
	for (unsigned j = last + 1; j < group; j++)
		gain |= is_access(&tr->hir.op[j]) || is_clobber(&tr->hir.op[j]);
	return gain ? group : 0;
}

/* A branch on Z alone, with NZCV dead on both of its edges. */
static bool only_zero(const struct tr *tr, unsigned reader)
{
	const struct hir *h = &tr->hir.op[reader];

	return h->op == HIR_BCC && h->cc <= A64_NE && flags_dead_behind(tr, h);
}

/* The flags of the operation at i, which keeps its result, are computed in front of op `to`. */
static void split(struct tr *tr, unsigned i, unsigned to, bool in_place)
{
	struct hir cmp = tr->hir.op[i], *at = &tr->hir.op[to];
	struct hir_opnd t = {.kind = H_T}, result = cmp.d;
	unsigned n = in_place && !only_zero(tr, to) ? 2 : 1;

	if (tr->hir.n + n > HIR_MAX)
		return;
	memmove(at + n, at, (tr->hir.n - to) * sizeof(*at));
	tr->hir.n += n;
	tr->hir.op[i].setf = 0;
	cmp.d = hnone();
	if (n == 2) { /* the old value */
		*at = cmp;
		at->op = HIR_LEA;
		at->setf = 0;
		at->d = t;
		at->a = result;
		at->b = hnone();
		at->imm2 = (s32)(cmp.op == HIR_SUB ? cmp.b.imm : -cmp.b.imm);
		at++;
		cmp.a = t;
	} else if (in_place) {
		cmp.op = HIR_AND;
		cmp.a = cmp.b = result;
	}
	*at = cmp;
	for (unsigned j = i + 1; j < to; j++)
		if (is_access(&tr->hir.op[j]))
			tr->hir.op[j].defer = (u8)(tr->hir.op[j].insn - cmp.insn);
}

static void move(struct tr *tr, unsigned first, unsigned last, unsigned to)
{
	struct hir part[MAX_CHAIN];
	unsigned n = last - first + 1;

	memcpy(part, &tr->hir.op[first], n * sizeof(*part));
	memmove(&tr->hir.op[first], &tr->hir.op[last + 1], (to - last - 1) * sizeof(*part));
	memcpy(&tr->hir.op[to - n], part, n * sizeof(*part));
	for (unsigned j = first; j < to - n; j++)
		if (is_access(&tr->hir.op[j]))
			tr->hir.op[j].defer = (u8)(tr->hir.op[j].insn - part->insn);
}

/* The compares that the CCMP at op i depends on, each next to the other. Returns the first. */
static unsigned chain_start(const struct tr *tr, unsigned i)
{
	unsigned first = i;

	while (first && i - first + 1 < MAX_CHAIN) {
		const struct hir *h = &tr->hir.op[--first];

		if (h->op == HIR_CCMP || h->op == HIR_CCMN)
			continue;
		return h->setf && h->d.kind == H_NONE && h->op != HIR_ADC && h->op != HIR_SBC &&
				       h->a.kind != H_T && h->b.kind != H_T
			       ? first
			       : i;
	}
	return i;
}

void schedule_flags(struct tr *tr)
{
	for (unsigned i = 0; i < tr->hir.n; i++) {
		const struct hir *h = &tr->hir.op[i];
		unsigned first = i, to = 0;
		bool in_place = false;

		if (h->op == HIR_CCMP || h->op == HIR_CCMN) {
			first = chain_start(tr, i);
			if (first < i)
				to = find_use(tr, first, i, false);
		} else if (is_repeatable(tr, h, &in_place)) {
			to = find_use(tr, i, i, true);
		}
		if (!to)
			continue;
		if (h->d.kind == H_X) {
			split(tr, i, to, in_place);
		} else {
			move(tr, first, i, to);
			i = to - 1;
		}
	}
}

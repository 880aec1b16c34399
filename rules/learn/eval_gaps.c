/* SPDX-License-Identifier: MIT */
/*
 * What gaps in the rules' sequences would be worth. A rule matches instructions in a row; where
 * others stand between them that depend on none of them, it could match all the same if those were
 * moved before or behind the sequence. Measured without a matcher that can: instructions of a block
 * are moved past independent ones, at most MAX_GAP at a time, as long as more of the block goes by
 * sequences and host code gets shorter, and what is saved is added up. An estimate, rather high:
 * each move is the best of all there are, where a matcher would meet the sequences one after the
 * other; but it is no search of every order.
 */
#include "rules/learn/eval.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_GAP	  3
#define MAX_MOVES 6
#define RARE	  1000000 /* blocks with less than this share of what is executed are left out */

/* What may be crossed, and what counts as a gain. */
enum kind {
	GAP_STRICT, /* no memory access is moved or crossed */
	GAP_LOOSE,  /* one that does not access memory may cross one that does */
	ORDER,	    /* as loose, and gains of any order count, with or without a sequence */
	KINDS,
};

static const char *const kind_name[KINDS] = {
	"gaps, no access crossed",
	"gaps, accesses crossed by others",
	"any order, accesses crossed by others",
};

struct effect {
	u32 reads, writes; /* registers; bit 31 is SP */
	bool rf, wf, access, fixed;
};

static u32 reg_bit(unsigned r, bool sp)
{
	return r == 31 && !sp ? 0 : 1u << r;
}

/* The registers that the integer instruction reads, other than by address. */
static u32 sources(const struct a64_insn *g, u32 f)
{
	u32 rn = reg_bit(g->rn, f & A64F_RNSP), rm = reg_bit(g->rm, false),
	    rd = reg_bit(g->rd, false);

	switch (g->op) {
	case A64_NOP:
	case A64_YIELD:
	case A64_ADR:
	case A64_ADRP:
	case A64_MOVZ:
	case A64_MOVN: return 0;
	case A64_MOVK: return rd;
	case A64_BFM: return rd | rn;
	case A64_ADD_imm:
	case A64_ADDS_imm:
	case A64_SUB_imm:
	case A64_SUBS_imm:
	case A64_AND_imm:
	case A64_ANDS_imm:
	case A64_ORR_imm:
	case A64_EOR_imm:
	case A64_UBFM:
	case A64_SBFM:
	case A64_RBIT:
	case A64_REV:
	case A64_REV16:
	case A64_REV32:
	case A64_CLZ:
	case A64_CLS:
	case A64_CCMP_imm:
	case A64_CCMN_imm: return rn;
	case A64_MADD:
	case A64_MSUB:
	case A64_SMADDL:
	case A64_UMADDL:
	case A64_SMSUBL:
	case A64_UMSUBL: return rn | rm | reg_bit(g->ra, false);
	default: return rn | rm;
	}
}

static bool has_no_result(unsigned op)
{
	return op == A64_NOP || op == A64_YIELD || op == A64_CCMP_reg || op == A64_CCMN_reg ||
	       op == A64_CCMP_imm || op == A64_CCMN_imm;
}

static void access_effect(const struct a64_insn *g, u32 f, struct effect *e)
{
	u32 data = reg_bit(g->rd, false);

	if (g->op == A64_LDP || g->op == A64_STP || g->op == A64_LDPSW)
		data |= reg_bit(g->ra, false);
	if (g->amode != A64_AM_LIT)
		e->reads |= reg_bit(g->rn, true);
	if (g->amode == A64_AM_REG)
		e->reads |= reg_bit(g->rm, false);
	if (g->amode == A64_AM_PRE || g->amode == A64_AM_POST)
		e->writes |= reg_bit(g->rn, true);
	*(f & A64F_ST ? &e->reads : &e->writes) |= data;
}

static struct effect effect_of(const struct a64_insn *g)
{
	u32 f = a64_op_flags(g->op);
	struct effect e = {.rf = f & A64F_RF, .wf = f & A64F_WF, .access = f & (A64F_LD | A64F_ST)};

	e.fixed = !rules_have_op(g->op) || f & (A64F_BR | A64F_END | A64F_SYS | A64F_FP);
	if (e.fixed)
		return e;
	if (e.access) {
		access_effect(g, f, &e);
		return e;
	}
	e.reads = sources(g, f);
	if (!has_no_result(g->op))
		e.writes = reg_bit(g->rd, f & A64F_RDSP);
	return e;
}

static bool independent(const struct effect *a, const struct effect *b, enum kind kind)
{
	if (a->fixed || b->fixed || (a->access && b->access))
		return false;
	if (kind == GAP_STRICT && (a->access || b->access))
		return false;
	if ((a->writes & (b->reads | b->writes)) | (b->writes & a->reads))
		return false;
	return !(a->wf && (b->rf || b->wf)) && !(b->wf && a->rf);
}

/* Instruction `from` goes where `to` is, those between make room; false: it may not. */
static bool move_insn(struct line *l, const struct effect *e, unsigned from, unsigned to,
		      enum kind kind)
{
	int step = to > from ? 1 : -1;
	u32 w = l->word[from];

	for (unsigned k = from; k != to; k += (unsigned)step)
		if (!independent(&e[from], &e[k + (unsigned)step], kind))
			return false;
	for (unsigned k = from; k != to; k += (unsigned)step)
		l->word[k] = l->word[k + (unsigned)step];
	l->word[to] = w;
	return true;
}

/* Instructions that go by rules of several; adds each rule's uses, times `sign`, to n. */
static unsigned by_sequences(const struct tr *tr, int sign, int *n)
{
	unsigned covered = 0;

	for (unsigned i = 0; i < tr->n; i += tr->span[i] ? tr->span[i] : 1)
		if (tr->rule[i] && tr->span[i] > 1) {
			covered += tr->span[i];
			n[tr->rule[i] - 1] += sign;
		}
	return covered;
}

struct state {
	struct line l;
	unsigned host, covered;
};

/* The best single move; false: none gains. */
static bool improve(struct state *s, enum kind kind, struct tr *tr, int *uses)
{
	struct effect e[64];
	struct state best = *s;
	struct a64_insn in;

	for (unsigned i = 0; i < s->l.n; i++) {
		a64_decode(s->l.word[i], &in);
		e[i] = effect_of(&in);
	}
	for (unsigned from = 0; from < s->l.n; from++) {
		for (int d = -MAX_GAP; d <= MAX_GAP; d++) {
			struct state t = *s;
			int to = (int)from + d;

			/* One step up is the other's step down. */
			if (!d || d == -1 || to < 0 || to >= (int)s->l.n ||
			    !move_insn(&t.l, e, from, (unsigned)to, kind))
				continue;
			t.host = translate(&t.l, DBT_RULES_LEARNED, tr);
			t.covered = by_sequences(tr, 0, uses);
			if (t.host && t.host < best.host &&
			    (kind == ORDER || t.covered > s->covered))
				best = t;
		}
	}
	if (best.host == s->host)
		return false;
	*s = best;
	return true;
}

/* Host instructions saved in the block; what each rule is used more often is added to uses. */
static unsigned best_order(const struct line *l, enum kind kind, struct tr *tr, int *uses)
{
	struct state s = {.l = *l};
	unsigned before;

	before = s.host = translate(l, DBT_RULES_LEARNED, tr);
	s.covered = by_sequences(tr, -1, uses);
	for (int i = 0; s.host && i < MAX_MOVES && improve(&s, kind, tr, uses); i++)
		;
	translate(&s.l, DBT_RULES_LEARNED, tr);
	by_sequences(tr, 1, uses);
	return before - s.host;
}

struct rule_gain {
	unsigned id;
	u64 uses, saved;
};

static int by_saved(const void *a, const void *b)
{
	const struct rule_gain *x = a, *y = b;

	return x->saved < y->saved ? 1 : -(x->saved > y->saved);
}

/* A block's gain goes to the rules that are used more often than before, in equal shares. */
static void add_gain(struct rule_gain *gain, const int *uses, u64 count, u64 saved)
{
	u64 n = 0;

	for (unsigned id = 0; id < rules_count; id++)
		n += uses[id] > 0 ? (u64)uses[id] : 0;
	for (unsigned id = 0; id < rules_count && n; id++)
		if (uses[id] > 0) {
			gain[id].uses += count * (u64)uses[id];
			gain[id].saved += count * saved * (u64)uses[id] / n;
		}
}

void eval_gaps(FILE *f)
{
	static char buf[1 << 16];
	static struct tr tr;
	u64 all = 0, host = 0, saved[KINDS] = {0};
	struct rule_gain *gain = calloc(rules_count, sizeof(*gain));
	int *uses = calloc(rules_count, sizeof(*uses));
	struct line l;

	if (!gain || !uses)
		return;
	while (fgets(buf, sizeof(buf), f))
		if (parse_line(buf, &l))
			all += l.count * l.n;
	rewind(f);
	while (fgets(buf, sizeof(buf), f)) {
		if (!parse_line(buf, &l))
			continue;
		host += l.count * translate(&l, DBT_RULES_LEARNED, &tr);
		if (l.count * l.n < all / RARE)
			continue;
		for (enum kind k = 0; k < KINDS; k++) {
			unsigned s;

			memset(uses, 0, rules_count * sizeof(*uses));
			s = best_order(&l, k, &tr, uses);
			saved[k] += l.count * s;
			if (k == GAP_LOOSE && s)
				add_gain(gain, uses, l.count, s);
		}
	}
	for (enum kind k = 0; k < KINDS; k++)
		printf("%-38s %14" PRIu64 " of %" PRIu64 " host instructions saved: %.3f %%\n",
		       kind_name[k], saved[k], host,
		       host ? 100.0 * (double)saved[k] / (double)host : 0);
	for (unsigned id = 0; id < rules_count; id++)
		gain[id].id = id;
	qsort(gain, rules_count, sizeof(*gain), by_saved);
	for (unsigned k = 0; k < rules_count && gain[k].saved; k++)
		printf("%14" PRIu64 " more uses, %14" PRIu64 " saved: %s\n", gain[k].uses,
		       gain[k].saved, rules_info[gain[k].id].name);
	free(gain);
	free(uses);
}

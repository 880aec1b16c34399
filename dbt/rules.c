/* SPDX-License-Identifier: MIT */
/*
 * The rule matcher. Generated code (build/gen/rules_gen.inc, from rules/ by rules/compile) has one
 * function a rule and the dispatch tables; see rules/README.md.
 */
#include "dbt/rules.h"

#include "dbt/hir.h"
#include "dbt/rules_expr.h"
#include "dbt/vm.h"
#include "dbt/x64/regmap.h"

typedef unsigned (*rule_fn)(struct tr *tr, const struct a64_insn *g);

struct rule_bucket {
	u16 start, n; /* range of rule_cand */
};
struct rule_pair {
	u16 owner; /* key of the first instruction, 0: empty */
	struct rule_bucket bucket;
};
struct rule_head {
	u8 nguest, learned;
};

/* Byte offset from the start of the code page that a PC-relative operand of instruction k means. */
static inline s64 rule_label(const struct tr *tr, const struct a64_insn *g, unsigned k)
{
	return (s64)tr->page_off + 4 * (s64)(tr->i + k) + g[k].imm;
}

/* Guest register r has a host register. */
static inline bool rule_pinned(s64 r)
{
	return regmap_host[r & 31] >= 0;
}

/* Register r is written before anything can look at it after the rule (k instructions long). */
static bool rule_reg_dead(const struct tr *tr, unsigned k, unsigned r) __attribute__((unused));

static const u8 rule_shift_op[4] __attribute__((unused)) = {HIR_SHL, HIR_SHR, HIR_SAR, HIR_ROR};
static const u8 rule_ext_op[8] __attribute__((unused)) = {HIR_ZX8, HIR_ZX16, HIR_ZX32, HIR_MOV,
							  HIR_SX8, HIR_SX16, HIR_SX32, HIR_MOV};

#include "rules_gen.inc"

/* Ops with rules whose rd field is not a destination (or is also a source, with reads_rd). */
static bool writes_rd(unsigned op)
{
	switch (op) {
	case A64_NOP:
	case A64_YIELD:
	case A64_CCMP_reg:
	case A64_CCMN_reg:
	case A64_CCMP_imm:
	case A64_CCMN_imm: return false;
	default: return true;
	}
}

static bool rule_reg_dead(const struct tr *tr, unsigned k, unsigned r)
{
	for (unsigned i = tr->i + k; i < tr->n && r != 31; i++) {
		const struct a64_insn *g = &tr->insn[i];

		/* An exception or exit shows all registers; ops without a rule may do anything. */
		if (!rule_key[g->op] || a64_op_flags(g->op) & (A64F_LD | A64F_ST | A64F_BR))
			return false;
		/* Fields an op does not have are zero: x0 seems read too often, which is safe. */
		if (g->rn == r || g->rm == r || g->ra == r)
			return false;
		if (g->rd == r && writes_rd(g->op))
			return g->op != A64_BFM && g->op != A64_MOVK;
	}
	return false;
}

static inline unsigned key_of(const struct a64_insn *g)
{
	unsigned k = rule_key[g->op];

	return k ? k + g->amode : 0;
}

/* As sp_may_misalign, of a guest instruction. */
static bool may_misalign_sp(const struct a64_insn *g)
{
	u32 f = a64_op_flags(g->op);

	if (f & (A64F_LD | A64F_ST))
		return (g->amode == A64_AM_PRE || g->amode == A64_AM_POST) && g->rn == REG_SP &&
		       g->imm & 15;
	if (g->rd != REG_SP || !(f & A64F_RDSP))
		return false;
	return !((g->op == A64_ADD_imm || g->op == A64_SUB_imm) && g->rn == REG_SP) || g->imm & 15;
}

/*
 * SP's alignment is looked at where an instruction, or a rule, is over (check_sp in place.c): no
 * rule may write it and then access memory by it.
 */
static bool hides_sp(const struct a64_insn *g, unsigned n)
{
	bool written = false;

	for (unsigned k = 0; k < n; k++) {
		if (written && g[k].rn == REG_SP && a64_op_flags(g[k].op) & (A64F_LD | A64F_ST))
			return true;
		written |= may_misalign_sp(&g[k]);
	}
	return false;
}

static inline unsigned try_bucket(struct tr *tr, const struct a64_insn *g, struct rule_bucket bu,
				  unsigned left)
{
	for (unsigned i = bu.start; i < (unsigned)bu.start + bu.n; i++) {
		unsigned id = rule_cand[i], n;

		if (rule_heads[id].nguest > left ||
		    (rule_heads[id].learned && (tr->vm->cfg.rules != DBT_RULES_LEARNED ||
						unlikely(tr->vm->rule_skip == id + 1))))
			continue;
		if (rule_heads[id].nguest > 1 && hides_sp(g, rule_heads[id].nguest))
			continue;
		n = rule_fns[id](tr, g);
		if (n) {
			tr->rule[tr->i] = (u16)(id + 1);
			if (tr->vm->rule_uses) /* other vCPUs translate too; a lost count does no
						  harm */
				__atomic_store_n(
					&tr->vm->rule_uses[id],
					__atomic_load_n(&tr->vm->rule_uses[id], __ATOMIC_RELAXED) +
						1,
					__ATOMIC_RELAXED);
			return n;
		}
	}
	return 0;
}

unsigned rules_apply(struct tr *tr)
{
	const struct a64_insn *g = &tr->insn[tr->i];
	unsigned left = tr->n - tr->i, k0 = key_of(g), k1, n;

	if (!k0 || tr->vm->cfg.rules == DBT_RULES_NONE)
		return 0;
	if (left > 1 && !tr->single) {
		k1 = key_of(g + 1);
		if (k1) {
			const struct rule_pair *p = &rule_pair[rule_pair_row[k0] + k1];

			if (p->owner == k0) {
				n = try_bucket(tr, g, p->bucket, left);
				if (n)
					return n;
			}
		}
	}
	return try_bucket(tr, g, rule_single[k0], left);
}

bool rules_have_op(unsigned op)
{
	if (op >= A64_NUM_OPS || !rule_key[op])
		return false;
	for (unsigned amode = 0; amode <= A64_AM_LIT; amode++)
		if (rule_single[rule_key[op] + amode].n)
			return true;
	return false;
}

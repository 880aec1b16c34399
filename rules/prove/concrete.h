/* SPDX-License-Identifier: MIT */
/*
 * HIR on numbers: an evaluator that shares nothing with the symbolic model, and random parameter
 * values for a rule. Checks what the prover says (rules/prove/mutate.c, tests/rules).
 */
#ifndef ARMATURE_RULES_CONCRETE_H
#define ARMATURE_RULES_CONCRETE_H

#include "dbt/hir.h"
#include "rules/lang/rule.h"
#include "rules/prove/prove.h"

#define CONC_MAX_ACCESS 16

struct conc_state {
	u64 x[32]; /* 31 = SP */
	u8 n, z, c, v;
	u64 page_va, ret_addr;
	u64 t[8];
	int naccess, nloads;
	struct {
		bool store;
		u8 size;
		u64 addr, data;
	} access[CONC_MAX_ACCESS];
	int exit; /* HIR_B for a taken direct branch, HIR_BL, HIR_BR, HIR_BLR, HIR_RET, or 0 */
	u64 target;
};

u64 conc_random(u64 *seed);
/* Operand-like numbers: corners, small, sign-extended, any. */
u64 conc_operand(u64 *seed);
void conc_state_random(struct conc_state *st, u64 *seed);

/* What the k-th load returns is a function of address, size and k only. */
u64 conc_load_value(u64 addr, unsigned size, int k);

/* Executes one operation; 0, or -1 when the op is unknown. */
int conc_exec(struct conc_state *st, const struct hir *h);

/*
 * Chooses parameter values the decoder can deliver and the rule's conditions allow (liveness taken
 * as dead). False when none was found.
 */
bool conc_params(const struct rule *r, const struct instance *in, s64 *param, u64 *seed);

/* Builds the HIR of the rule's host side for these parameters, as the rule compiler's code would.
 */
void conc_expand(const struct rule *r, const struct instance *in, const s64 *param,
		 struct hir_buf *b);

/* Guest instruction k with these parameters, decoded; the sequence stands at the start of its page.
 */
void conc_guest(const struct rule *r, const struct instance *in, int k, const s64 *param,
		struct a64_insn *out);

/* The rule's conditions hold for these parameters, with all dead that may be. */
bool conc_allowed(const struct rule *r, const struct instance *in, const s64 *param);

/* Guest-visible state is equal; scratch is not looked at. */
bool conc_same(const struct conc_state *a, const struct conc_state *b, bool flags);

#endif

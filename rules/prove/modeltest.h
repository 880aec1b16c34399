/* SPDX-License-Identifier: MIT */
/* The semantic models against other implementations: what the parts of rules-modeltest share. */
#ifndef ARMATURE_RULES_MODELTEST_H
#define ARMATURE_RULES_MODELTEST_H

#include "dbt/hir.h"
#include "rules/prove/concrete.h"
#include "rules/prove/sem.h"

/* A term without variables, as a number of at most 64 bits. */
u64 model_value(struct sem *s, term t);

/* Random HIR: symbolic model, evaluator, host CPU. 0 when all agree. */
int modeltest_hir(unsigned count, u64 seed);

/*
 * Host code of these operations, run with the registers and flags of *before; *after is what it
 * left. A load finds what conc_load_value() says. What the operations access or branch to must come
 * from host_place() below. 0, or -1: no code was made.
 */
int host_init(void);
void host_fini(void);
int host_run(const struct hir_buf *b, const struct conc_state *before, struct conc_state *after);
/* Makes the state one the host can run h from: addresses in RAM, branch targets in the code page.
 */
void host_place(struct hir *h, struct conc_state *st, u64 *seed);

#endif

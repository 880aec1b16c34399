/* SPDX-License-Identifier: MIT */
/* The life of a block: decode, match rules or build, place, enter it in its page's slot. */
#ifndef ARMATURE_DBT_TRANSLATE_H
#define ARMATURE_DBT_TRANSLATE_H

#include "dbt/hir.h"
#include "dbt/vm.h"

/* Two steps of a translation, for tools that translate what they have from elsewhere. */
/* Fills in tr->nzcv_live of the decoded instructions; `live`: NZCV may be read behind them. */
void tr_spread_liveness(struct tr *tr, bool live);
/*
 * HIR for the decoded instructions, by rules or builders; shortens tr->n where something ends the
 * block early. Wants tr->vm, mode, single, page_off and liveness.
 */
void tr_build(struct tr *tr);

#endif

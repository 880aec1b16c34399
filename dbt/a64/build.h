/* SPDX-License-Identifier: MIT */
/* What the builders share. */
#ifndef ARMATURE_A64_BUILD_H
#define ARMATURE_A64_BUILD_H

#include "dbt/hir.h"

/* Rm extended and shifted left: the operand of ADD (extended register) and of register offsets. */
struct hir_opnd build_extended(struct tr *tr, unsigned rm, unsigned ext, unsigned amount);
/* Base and displacement of a load or store; build_writeback, after the access, does the rest. */
struct hir_opnd build_address(struct tr *tr, const struct a64_insn *in, s32 *disp);
void build_writeback(struct tr *tr, const struct a64_insn *in);
/* General-register loads, stores, exclusives, atomics: 0, or -1 for another encoding. */
int build_mem(struct tr *tr, const struct a64_insn *in);

#endif

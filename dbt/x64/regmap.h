/* SPDX-License-Identifier: MIT */
/*
 * The fixed register map: which guest registers live in host registers, always, across blocks. The
 * map is data: every user goes through regmap_host[]. rax, rcx, rdx are scratch, rbp is the CPU
 * state, r15 the base of the load table of the current view (VIEW_BEXTR says how), rsp the return
 * stack while translated code runs.
 */
#ifndef ARMATURE_X64_REGMAP_H
#define ARMATURE_X64_REGMAP_H

#include "dbt/x64/asm.h"

#define REG_CPU	  RBP
#define REG_LDTAB R15
extern const s8 regmap_host[32]; /* host register of guest x0-x30, SP; -1 = in the CPU state */

#define CPU_OFF(field) ((s32)offsetof(struct dbt_vcpu, field) - CPU_BIAS)
#define X_OFF(r)       ((s32)(offsetof(struct dbt_vcpu, x) + 8 * (r)) - CPU_BIAS)
#define V_OFF(r)       ((s32)(offsetof(struct dbt_vcpu, v) + 16 * (r)) - CPU_BIAS)

/* Uses of cpu->scratch[] by stubs and thunks. */
enum {
	SCR_MISS_VA,
	SCR_MISS_DESC,
	SCR_RAX,
	SCR_RCX,
	SCR_RDX,
	SCR_BAIL_RDX,
	SCR_FLAGS_RAX,
	SCR_SITE
};

#endif

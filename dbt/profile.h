/* SPDX-License-Identifier: MIT */
/*
 * How often each translated block runs (dbt.count_insns): a counter a block, counted up by the
 * block itself, with what the block was made of. For --stats and for `armature run --profile`;
 * threads may lose counts to each other, memory for 2 million blocks or so is set aside, and what
 * does not fit is not counted.
 */
#ifndef ARMATURE_DBT_PROFILE_H
#define ARMATURE_DBT_PROFILE_H

#include <stdio.h>

#include "common/types.h"
#include "dbt/x64/asm.h"

struct dbt_vm;
struct tr;
struct block;

/* Host instructions in line by purpose (enum xcat): of every run; more if the final branch is
 * taken, if not. */
struct profile_host {
	bool two_way;
	u16 n[3][XC_NUM];
};

/* A branch that the block goes on behind. */
struct profile_side {
	u64 left;			/* how often it was left there; by translated code */
	u8 insns;			/* guest instructions up to it */
	u8 live;			/* SIDE_TAKEN, SIDE_NEXT */
	u16 n[XC_NUM], n_taken[XC_NUM]; /* from the start; more if it is taken */
};

int profile_init(struct dbt_vm *vm, const char **err);
void profile_fini(struct dbt_vm *vm);
/*
 * A block with `hot` bytes of code in line (what is out of line not counted) was placed, b->host
 * being executable later. Returns the 32-bit address of its counter, behind which is that of its
 * taken final branches; 0: none. Any thread.
 */
u32 profile_block(struct dbt_vm *vm, const struct tr *tr, const struct block *b, const u8 *code,
		  u32 hot, const struct profile_host *host, const struct profile_side *side,
		  unsigned nsides);
/* The address of the counter of its side exit k. */
u32 profile_side_counter(u32 counter, unsigned k);
/* Guest instructions executed so far. */
u64 profile_insns(const struct dbt_vm *vm);
/*
 * A line a block, or for each part of one that ends with a branch: count, guest physical address,
 * mode, guest words in hexadecimal, "|", how its instructions were translated (rule or "-", ":" and
 * how many instructions it covers), "|", the in-line host code in hexadecimal (all the block's, on
 * its first line), "|", how often the final branch was taken, and three lists of in-line host
 * instructions by purpose (work, check, flags, state, poll, branch): of every run, more when the
 * branch is taken, more when it is not; "|", where NZCV is live behind the block (1 after the last
 * instruction, 2 on the edge to the next, 4 if taken).
 */
void profile_dump(const struct dbt_vm *vm, FILE *f);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What was learned from one piece of the corpus, in memory and in a file. Pieces are independent of
 * each other: they are learned in parallel, kept, and merged in the order of the corpus's list, so
 * that neither the number of processes nor an interruption changes the rules.
 */
#ifndef ARMATURE_RULES_LEARN_STORE_H
#define ARMATURE_RULES_LEARN_STORE_H

#include <stdio.h>

#include "rules/learn/learn.h"

struct stats {
	u64 objects, functions, runs, windows, candidates, mapped, accepted, gains;
	u64 host_rejected, guest_rejected;
};

/* A pair of windows met before, by its key (registers renamed); the rule it became + 1, or 0. */
struct seen {
	u64 key;
	u32 rule;
};

/* A rule, or a pair before generalisation. Strings are owned. */
struct entry {
	char *text, *from;
	char hash[65], base_hash[65]; /* with the opcode class, and before */
	u64 count;
	int nguest, cost, base_cost;
};

struct index {
	u32 *slot, cap, n; /* entry + 1 */
};

struct store {
	struct stats st;
	struct seen *seen;
	u32 nseen, cseen;
	u64 *right; /* keys of pairs that are right on random numbers */
	u32 nright, cright;
	struct entry *rule, *pair;
	u32 nrule, crule, npair, cpair;
	struct index by_rule, by_guest, by_pair;
	/* where the learner is */
	const char *package;
	char src[128];
	u32 line;
};

void store_free(struct store *s);
/* NULL: out of memory. *fresh when the key was not seen before. Valid until the next call. */
struct seen *store_seen(struct store *s, u64 key, bool *fresh);
void store_right(struct store *s, u64 key);
/* Index of the rule; of two with the same guest side only the cheaper stays. */
u32 store_rule(struct store *s, const struct learned *l);
void store_pair(struct store *s, const struct learned *l);
/* Adds all of b to a. */
void store_merge(struct store *a, const struct store *b);
/* 0 or -1. */
int store_write(const struct store *s, const char *path);
int store_read(struct store *s, const char *path);
/* Opcode classes (widen_op) for all rules, after which some are one. */
void store_widen(struct store *s);

/* ---- pair.c ---- */
void learn_objects(struct store *w, const char *package, const char *a64, const char *x86);

#endif

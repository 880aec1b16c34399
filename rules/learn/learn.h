/* SPDX-License-Identifier: MIT */
/*
 * The learner: pairs A64 and x86-64 code compiled from the same source line, turns the x86 side
 * into HIR, finds out which registers correspond, writes the pair as a rule, generalises and proves
 * it. The x86 side is a hint only: what is tested and proven is the HIR made from it.
 */
#ifndef ARMATURE_RULES_LEARN_H
#define ARMATURE_RULES_LEARN_H

#include "dbt/hir.h"
#include "rules/lang/rule.h"

/* ---- obj.c: code with lines ---- */
struct insn_line {
	u64 addr;
	u32 line; /* 0: unknown */
	u32 file; /* hash of the file's name */
	u16 len;
	const u8 *bytes;
};
struct func {
	char name[96];
	int n;
	struct insn_line *insn;
	char src[128]; /* source file of the first line */
};
struct object {
	int nfuncs;
	struct func *func;
	void *image;
	size_t size;
};
/* Reads an executable with DWARF lines; x86 code is cut into instructions with Zydis. 0 or -1. */
int object_load(const char *path, struct object *o);
void object_free(struct object *o);

/* ---- x86.c ---- */
#define MAX_HOST_HIR 24
/* HIR of an x86 sequence: H_X 0..15 are the x86 registers in encoding order. */
struct conc_state;
struct hostseq {
	int n;
	struct hir op[MAX_HOST_HIR];
	u8 producer[MAX_HOST_HIR]; /* op is a flag producer (setf marked where consumed) */
	u64 target;		   /* of the ending branch */
	u8 ntmp;
};
/* Returns 0, or -1 with *why set. */
int x86_to_hir(const struct insn_line *in, int n, struct hostseq *out, const char **why);

/* ---- guest.c ---- */
#define MAX_GUEST_SEQ 6
struct guestseq {
	int n;
	struct a64_insn insn[MAX_GUEST_SEQ];
	int nhir;
	struct hir hir[64];   /* by the base rules */
	int cost;	      /* of that */
	u32 live_in, written; /* registers, bit 31 = SP */
	bool writes_flags, reads_flags;
	int naccess;
	struct conc_state
		*after; /* of the test states, made when asked for; owner: guest_release */
};
void guest_release(struct guestseq *g);
int guest_prepare(const u32 *words, int n, struct guestseq *g, const char **why);
/* Expands instructions by the base rules; -1 when one has none. */
int guest_expand(const struct a64_insn *in, int n, struct hir *out, int cap);
int guest_hir(const struct a64_insn *in, int n, bool flags_live, struct hir_buf *out);
int hir_cost(const struct hir *h, int n);

/* ---- match.c: which registers correspond ---- */
struct mapping {
	s8 in[16];   /* host register -> guest register it starts as, -1 */
	s8 out[32];  /* guest register -> host register holding its final value, -1 */
	u32 missing; /* guest registers written whose value the host does not have */
	bool flags;  /* NZCV agree */
};
/* Inputs of the host side: registers read before they are written. */
int host_inputs(const struct hostseq *h);
bool find_mapping(struct guestseq *g, const struct hostseq *h, struct mapping *m);

/* ---- text.c: rule text of a pair ---- */
#define MAX_IMMS 12
struct slot {
	s64 val;
	int insn;   /* guest instruction */
	char field; /* i r s a(mount) */
	char name[8];
	bool param;
};
struct choice {		   /* what is a parameter */
	bool r;		   /* width R */
	bool mem;	   /* memory type <z> */
	bool cond;	   /* condition <c> */
	u32 const_slots;   /* guest immediates kept as numbers */
	s8 expr[MAX_IMMS]; /* host immediate k: candidate expression, -1 = number */
	char when[256];
	int npairs; /* registers that must be distinct */
	char pair[16][2];
};
struct pairtext {
	const struct guestseq *g;
	const struct hostseq *h;
	const struct mapping *m;
	int nslots;
	struct slot slot[MAX_IMMS];
	int nhimm;
	s64 himm[MAX_IMMS];
	bool setf_last; /* the guest's flags are wanted */
	bool flags_dead;
};
/* Collects immediates. False when the pair cannot be written as a rule. */
bool text_prepare(struct pairtext *t);
/* Candidate expression k with the value of host immediate i; false when there are no more. */
bool text_candidate(const struct pairtext *t, int i, int k, char *buf, size_t cap);
/* Pairs of register names of which one is written. */
int text_pairs(const struct pairtext *t, char pair[][2], int max);
/* Writes the rule; returns false when temporaries do not suffice. */
bool text_write(const struct pairtext *t, const struct choice *c, const char *name, char *buf,
		size_t cap);

/* ---- cost.c ---- */
/*
 * Host code of the base rules and of this one, tenths of an instruction on average, the register
 * parameters in `pin` being in host registers, those in `spill` in memory.
 */
bool rule_worth(const struct rule *r, int draws, u32 pin, u32 spill, int *base, int *rule);

/* ---- general.c ---- */
struct learned {
	char text[2048];
	int nguest, cost, base_cost;
	char hash[65];
	char pair[2048]; /* before generalisation: numbers, width, type as they were seen */
	char pair_hash[65];
};
/*
 * Tests and generalises; false when nothing holds. Fills text and cost, the proof comes later; text
 * stays empty when the rule is right but gains nothing.
 */
bool generalise(struct pairtext *t, struct learned *out);
/* Widens one op of the rule to its class where all members stand the tests. */
void widen_op(struct learned *l);
/* Parses `text` with the standard classes in front; NULL when it is not a valid rule. */
struct ruleset *parse_with_classes(const char *text);
/* Quick refutation on random numbers against the base rules. */
bool rule_survives(const struct rule *r, unsigned rounds, u64 seed);
extern const char *const learn_classes;

#endif

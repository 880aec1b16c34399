/* SPDX-License-Identifier: MIT */
/* The prover: a rule against the semantic models, for all parameter values its conditions allow. */
#ifndef ARMATURE_RULES_PROVE_H
#define ARMATURE_RULES_PROVE_H

#include "rules/lang/rule.h"

enum verdict {
	V_PROVED,
	V_REFUTED, /* text has a counterexample */
	V_UNKNOWN, /* the solver gave up */
	V_INVALID, /* outside the model */
	V_VACUOUS, /* the conditions can never hold */
};

struct proof {
	enum verdict verdict;
	int instances; /* members of classes, widths, memory types, ... proven one by one */
	double seconds;
	char text[4096]; /* why not */
};

/*
 * How much the solver may do for one question, in its own unit (Z3's rlimit; 2 to 4 million are a
 * second of CPU time). Never a time: what is proven must not depend on the machine or its load.
 */
extern unsigned prove_limit;

void prove_rule(const struct rule *r, struct proof *out);
const char *verdict_name(enum verdict v);

/* ---- instance.c ---- */
/* One choice of everything that is finite: the rest is symbolic. */
struct instance {
	unsigned width;
	int row[RULE_MAX_FOR];	    /* class member */
	int value[RULE_MAX_PARAMS]; /* P_SHIFT, P_EXT, P_MEM */
};
/* Calls fn for each instance of the rule until it returns false. */
void for_each_instance(const struct rule *r, bool (*fn)(void *arg, const struct instance *in),
		       void *arg);
void instance_describe(const struct rule *r, const struct instance *in, char *buf, size_t cap);
/* Width in bits instruction k operates on; 0 when the instance has none (memory type against
 * width). */
unsigned instance_width(const struct rule *r, const struct instance *in, int k);
enum mem_type instance_mem(const struct rule *r, const struct instance *in, const struct gval *m);
int instance_gop(const struct rule *r, const struct instance *in, int k);
int instance_hop(const struct rule *r, const struct instance *in, const struct hinsn *h);

#endif

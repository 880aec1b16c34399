/* SPDX-License-Identifier: MIT */
/* Shared by the disassembler's files. */
#ifndef ARMATURE_A64_DISAS_INTERNAL_H
#define ARMATURE_A64_DISAS_INTERNAL_H

#include "dbt/a64/decode_internal.h"

struct dis {
	const struct a64_insn *i;
	u64 pc;
	char *buf;
	size_t cap, len; /* len counts what did not fit, too */
	char mnem[24];	 /* lower-case op name without its form suffix */
	bool operand;	 /* an operand was written: the next one takes a comma */
};

/* Appends text. */
void dis_raw(struct dis *d, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Writes the mnemonic (d->mnem when NULL) with suffixes. */
void dis_mnem(struct dis *d, const char *mnem, const char *suffix, const char *suffix2);
/* Appends an operand with the separator it needs. */
void dis_op(struct dis *d, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* General register operand; `sp` says what 31 is. */
void dis_reg(struct dis *d, unsigned r, bool sf, bool sp);
/* The memory operand of a load or store by its amode. */
void dis_mem(struct dis *d);
const char *dis_cond(unsigned cond);

/* True when the form is of FP/SIMD and has been written. */
bool dis_simd(struct dis *d, enum a64_form form);

#endif

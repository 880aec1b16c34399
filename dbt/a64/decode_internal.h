/* SPDX-License-Identifier: MIT */
/*
 * Shared by the decoder's files: one function a form of insns.def. A form fills the fields of a
 * zeroed struct a64_insn (op and raw are set) and returns false for a reserved combination.
 */
#ifndef ARMATURE_A64_DECODE_INTERNAL_H
#define ARMATURE_A64_DECODE_INTERNAL_H

#include "dbt/a64/insn.h"

enum a64_form {
#define FORM(f) FORM_##f,
#include "a64_forms.inc"
#undef FORM
	NUM_FORMS
};

#define FORM(f) bool a64_form_##f(u32 w, struct a64_insn *o);
#include "a64_forms.inc"
#undef FORM

enum a64_form a64_op_form(unsigned op); /* the form of the op's first pattern */

enum { FT_S = 0, FT_D = 1, FT_H = 3, FT_RESERVED = 2 }; /* a64_insn.ftype, as encoded */

/* VFPExpandImm() for elements of 1 << size bytes. */
u64 a64_fp_imm_expand(u32 imm8, u32 size);

static inline u32 field(u32 w, unsigned lo, unsigned n)
{
	return (w >> lo) & ((1u << n) - 1);
}

static inline u8 f_rd(u32 w)
{
	return w & 31;
}

static inline u8 f_rn(u32 w)
{
	return field(w, 5, 5);
}

static inline u8 f_ra(u32 w)
{
	return field(w, 10, 5);
}

static inline u8 f_rm(u32 w)
{
	return field(w, 16, 5);
}

#endif

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

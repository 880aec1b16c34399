/* SPDX-License-Identifier: MIT */
/* Forms of scalar floating point (DDI 0487, C4.1 "Data Processing -- Scalar FP and SIMD"). */
#include "dbt/a64/decode_internal.h"

static const u8 ftype_size[4] = {2, 3, 0, 1};

bool a64_form_fp1(u32 w, struct a64_insn *o)
{
	o->rd = f_rd(w);
	o->rn = f_rn(w);
	o->ftype = field(w, 22, 2);
	o->size = ftype_size[o->ftype];
	return o->ftype != FT_RESERVED;
}

bool a64_form_fp2(u32 w, struct a64_insn *o)
{
	o->rm = f_rm(w);
	return a64_form_fp1(w, o);
}

bool a64_form_fp3(u32 w, struct a64_insn *o)
{
	o->ra = f_ra(w);
	return a64_form_fp2(w, o);
}

bool a64_form_fcvt(u32 w, struct a64_insn *o)
{
	u32 to = field(w, 15, 2);

	if (!a64_form_fp1(w, o) || to == FT_RESERVED || to == o->ftype)
		return false;
	o->size = ftype_size[to];
	return true;
}

bool a64_form_bfcvt(u32 w, struct a64_insn *o)
{
	o->rd = f_rd(w);
	o->rn = f_rn(w);
	o->ftype = FT_S;
	o->size = 1;
	return true;
}

bool a64_form_fcmp(u32 w, struct a64_insn *o)
{
	bool ok = a64_form_fp2(w, o);

	o->rd = 0;
	if (field(w, 3, 1))
		o->rm = 0;
	return ok;
}

bool a64_form_fccmp(u32 w, struct a64_insn *o)
{
	bool ok = a64_form_fp2(w, o);

	o->rd = 0;
	o->cond = field(w, 12, 4);
	o->amount = field(w, 0, 4);
	return ok;
}

bool a64_form_fcsel(u32 w, struct a64_insn *o)
{
	o->cond = field(w, 12, 4);
	return a64_form_fp2(w, o);
}

/* VFPExpandImm(): aBbbbbcdefgh as the format's sign, exponent and top of the fraction. */
u64 a64_fp_imm_expand(u32 imm8, u32 size)
{
	u64 sign = imm8 >> 7, b = field(imm8, 6, 1), low = imm8 & 0x3f;

	switch (size) {
	case 1: return sign << 15 | (b ? 0x3000 : 0x4000) | low << 6;
	case 2: return sign << 31 | (b ? 0x3e000000ull : 0x40000000ull) | low << 19;
	default:
		return sign << 63 | (b ? 0x3fc0000000000000ull : 0x4000000000000000ull) | low << 48;
	}
}

bool a64_form_fmov_imm(u32 w, struct a64_insn *o)
{
	bool ok = a64_form_fp1(w, o);

	o->rn = 0;
	o->imm = a64_fp_imm_expand(field(w, 13, 8), o->size);
	return ok;
}

bool a64_form_fcvt_int(u32 w, struct a64_insn *o)
{
	o->sf = w >> 31;
	return a64_form_fp1(w, o);
}

bool a64_form_fcvt_fix(u32 w, struct a64_insn *o)
{
	o->amount = 64 - field(w, 10, 6);
	return a64_form_fcvt_int(w, o) && (o->sf || o->amount <= 32);
}

bool a64_form_fmov_gen(u32 w, struct a64_insn *o)
{
	u32 ftype = field(w, 22, 2);

	o->amount = field(w, 19, 1);
	if (o->amount) { /* V.D[1] */
		o->rd = f_rd(w);
		o->rn = f_rn(w);
		o->sf = 1;
		o->ftype = FT_D;
		o->size = 3;
		return w >> 31 && ftype == 2;
	}
	return a64_form_fcvt_int(w, o) && (ftype == FT_H || o->sf == ftype);
}

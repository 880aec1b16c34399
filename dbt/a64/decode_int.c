/* SPDX-License-Identifier: MIT */
/* Forms of the integer, branch, system and load/store encodings (DDI 0487, C4.1). */
#include "dbt/a64/decode_internal.h"

bool a64_form_none(u32 w, struct a64_insn *o)
{
	return true;
}

bool a64_form_rd(u32 w, struct a64_insn *o)
{
	o->rd = f_rd(w);
	o->sf = 1;
	return true;
}

bool a64_form_rn(u32 w, struct a64_insn *o)
{
	o->rn = f_rn(w);
	o->sf = w >> 31;
	return true;
}

bool a64_form_rr(u32 w, struct a64_insn *o)
{
	o->sf = w >> 31;
	o->rd = f_rd(w);
	o->rn = f_rn(w);
	return true;
}

bool a64_form_rrr(u32 w, struct a64_insn *o)
{
	o->rm = f_rm(w);
	return a64_form_rr(w, o);
}

bool a64_form_rrrr(u32 w, struct a64_insn *o)
{
	o->ra = f_ra(w);
	return a64_form_rrr(w, o);
}

/* ---- data processing, immediate ---- */

bool a64_form_adr(u32 w, struct a64_insn *o)
{
	s64 imm = sext64(field(w, 5, 19) << 2 | field(w, 29, 2), 21);

	o->sf = 1;
	o->rd = f_rd(w);
	o->imm = w >> 31 ? imm * 4096 : imm;
	return true;
}

bool a64_form_addsub_imm(u32 w, struct a64_insn *o)
{
	o->imm = field(w, 10, 12) << (field(w, 22, 1) * 12);
	return a64_form_rr(w, o);
}

/* DecodeBitMasks(): N:immr:imms as element size, run of ones, rotation; C1-less, see AArch64
 * pseudocode. */
static bool bitmask_expand(u32 n, u32 immr, u32 imms, u64 *out)
{
	u32 sel = n << 6 | (~imms & 0x3f);

	if (sel < 2)
		return false;
	u32 size = 1u << (31 - __builtin_clz(sel));
	u32 ones = (imms & (size - 1)) + 1, rot = immr & (size - 1);
	if (ones == size)
		return false;
	u64 v = (1ull << ones) - 1;
	if (rot) {
		v = v >> rot | v << (size - rot);
		if (size < 64)
			v &= (1ull << size) - 1;
	}
	for (; size < 64; size *= 2)
		v |= v << size;
	*out = v;
	return true;
}

bool a64_form_log_imm(u32 w, struct a64_insn *o)
{
	u64 v;

	a64_form_rr(w, o);
	if (!o->sf && field(w, 22, 1))
		return false;
	if (!bitmask_expand(field(w, 22, 1), field(w, 16, 6), field(w, 10, 6), &v))
		return false;
	o->imm = o->sf ? v : (u32)v;
	return true;
}

bool a64_form_movw(u32 w, struct a64_insn *o)
{
	o->sf = w >> 31;
	o->rd = f_rd(w);
	o->amount = field(w, 21, 2) * 16;
	if (!o->sf && o->amount >= 32)
		return false;
	u64 v = (u64)field(w, 5, 16) << o->amount;
	if (o->op == A64_MOVN)
		v = o->sf ? ~v : (u32)~v;
	o->imm = v;
	return true;
}

bool a64_form_bfm(u32 w, struct a64_insn *o)
{
	a64_form_rr(w, o);
	o->immr = field(w, 16, 6);
	o->imms = field(w, 10, 6);
	if (field(w, 22, 1) != o->sf)
		return false;
	return o->sf || !((o->immr | o->imms) & 32);
}

bool a64_form_extr(u32 w, struct a64_insn *o)
{
	a64_form_rrr(w, o);
	o->imms = field(w, 10, 6);
	return field(w, 22, 1) == o->sf && (o->sf || o->imms < 32);
}

/* ---- data processing, register ---- */

bool a64_form_log_shift(u32 w, struct a64_insn *o)
{
	a64_form_rrr(w, o);
	o->shift = field(w, 22, 2);
	o->amount = field(w, 10, 6);
	return o->sf || o->amount < 32;
}

bool a64_form_addsub_shift(u32 w, struct a64_insn *o)
{
	return a64_form_log_shift(w, o) && o->shift != A64_ROR;
}

bool a64_form_addsub_ext(u32 w, struct a64_insn *o)
{
	a64_form_rrr(w, o);
	o->shift = field(w, 13, 3);
	o->amount = field(w, 10, 3);
	return o->amount <= 4;
}

bool a64_form_rmif(u32 w, struct a64_insn *o)
{
	o->sf = 1;
	o->rn = f_rn(w);
	o->imms = field(w, 15, 6);
	o->amount = field(w, 0, 4);
	return true;
}

bool a64_form_ccmp_reg(u32 w, struct a64_insn *o)
{
	o->sf = w >> 31;
	o->rn = f_rn(w);
	o->rm = f_rm(w);
	o->cond = field(w, 12, 4);
	o->amount = field(w, 0, 4);
	return true;
}

bool a64_form_ccmp_imm(u32 w, struct a64_insn *o)
{
	o->sf = w >> 31;
	o->rn = f_rn(w);
	o->imm = field(w, 16, 5);
	o->cond = field(w, 12, 4);
	o->amount = field(w, 0, 4);
	return true;
}

bool a64_form_csel(u32 w, struct a64_insn *o)
{
	o->cond = field(w, 12, 4);
	return a64_form_rrr(w, o);
}

bool a64_form_crc(u32 w, struct a64_insn *o)
{
	a64_form_rrr(w, o);
	o->size = field(w, 10, 2);
	return o->sf == (o->size == 3);
}

/* ---- branches, exceptions, system ---- */

bool a64_form_b(u32 w, struct a64_insn *o)
{
	o->imm = sext64(field(w, 0, 26), 26) * 4;
	return true;
}

bool a64_form_bcond(u32 w, struct a64_insn *o)
{
	o->cond = field(w, 0, 4);
	o->imm = sext64(field(w, 5, 19), 19) * 4;
	return true;
}

bool a64_form_cbz(u32 w, struct a64_insn *o)
{
	o->sf = w >> 31;
	o->rd = f_rd(w);
	o->imm = sext64(field(w, 5, 19), 19) * 4;
	return true;
}

bool a64_form_tbz(u32 w, struct a64_insn *o)
{
	o->sf = w >> 31;
	o->rd = f_rd(w);
	o->amount = o->sf << 5 | field(w, 19, 5);
	o->imm = sext64(field(w, 5, 14), 14) * 4;
	return true;
}

bool a64_form_exc(u32 w, struct a64_insn *o)
{
	o->imm = field(w, 5, 16);
	return true;
}

bool a64_form_hint(u32 w, struct a64_insn *o)
{
	o->imm = field(w, 5, 7);
	return true;
}

bool a64_form_barrier(u32 w, struct a64_insn *o)
{
	o->imm = field(w, 8, 4);
	return true;
}

/* imm becomes SYSREG_ID: op0 is 2 or 3 for MRS and MSR, 1 for SYS and SYSL. */
bool a64_form_sysreg(u32 w, struct a64_insn *o)
{
	o->sf = 1;
	o->rd = f_rd(w);
	o->imm = field(w, 5, 16);
	return true;
}

bool a64_form_msr_imm(u32 w, struct a64_insn *o)
{
	o->imm = field(w, 8, 4);
	o->imms = field(w, 16, 3) << 3 | field(w, 5, 3);
	switch (o->imms) {
	case 003: /* UAO */
	case 004: /* PAN */
	case 005: /* SPSel */
	case 031: /* SSBS */
	case 032: /* DIT */
	case 036: /* DAIFSet */
	case 037: /* DAIFClr */ return true;
	}
	return false;
}

/* ---- loads and stores ---- */

/* size, sx and sf of a general-register access from its size and opc fields. */
static bool gpr_access(u32 size, u32 opc, struct a64_insn *o)
{
	o->size = size;
	o->sx = opc >> 1;
	o->sf = o->sx ? opc == 2 : size == 3;
	if (o->op == A64_PRFM) {
		o->sx = 0;
		o->sf = 1;
		return true;
	}
	return !o->sx || size < (o->sf ? 3 : 2);
}

/* opc<1> is the size's top bit for a vector register. */
static bool vec_access(u32 size, u32 opc, struct a64_insn *o)
{
	o->vec = 1;
	o->size = (opc & 2) << 1 | size;
	o->q = o->size == 4;
	return o->size <= 4;
}

static void amode_uimm(u32 w, struct a64_insn *o)
{
	o->rd = f_rd(w);
	o->rn = f_rn(w);
	o->amode = A64_AM_IMM;
	o->imm = field(w, 10, 12) << o->size;
}

static void amode_imm9(u32 w, struct a64_insn *o)
{
	static const u8 amode[4] = {A64_AM_IMM, A64_AM_POST, A64_AM_IMM, A64_AM_PRE};

	o->rd = f_rd(w);
	o->rn = f_rn(w);
	o->amode = amode[field(w, 10, 2)];
	o->imm = sext64(field(w, 12, 9), 9);
}

static bool amode_reg(u32 w, struct a64_insn *o)
{
	o->rd = f_rd(w);
	o->rn = f_rn(w);
	o->rm = f_rm(w);
	o->amode = A64_AM_REG;
	o->shift = field(w, 13, 3);
	o->amount = field(w, 12, 1) ? o->size : 0;
	return o->shift & 2;
}

static void amode_lit(u32 w, struct a64_insn *o)
{
	o->rd = f_rd(w);
	o->amode = A64_AM_LIT;
	o->imm = sext64(field(w, 5, 19), 19) * 4;
}

bool a64_form_ldst_uimm(u32 w, struct a64_insn *o)
{
	if (!gpr_access(w >> 30, field(w, 22, 2), o))
		return false;
	amode_uimm(w, o);
	return true;
}

bool a64_form_ldst_uimm_v(u32 w, struct a64_insn *o)
{
	if (!vec_access(w >> 30, field(w, 22, 2), o))
		return false;
	amode_uimm(w, o);
	return true;
}

bool a64_form_ldst_imm9(u32 w, struct a64_insn *o)
{
	if (!gpr_access(w >> 30, field(w, 22, 2), o))
		return false;
	amode_imm9(w, o);
	return true;
}

bool a64_form_ldst_imm9_v(u32 w, struct a64_insn *o)
{
	if (!vec_access(w >> 30, field(w, 22, 2), o))
		return false;
	amode_imm9(w, o);
	return true;
}

bool a64_form_ldst_reg(u32 w, struct a64_insn *o)
{
	return gpr_access(w >> 30, field(w, 22, 2), o) && amode_reg(w, o);
}

bool a64_form_ldst_reg_v(u32 w, struct a64_insn *o)
{
	return vec_access(w >> 30, field(w, 22, 2), o) && amode_reg(w, o);
}

bool a64_form_ld_lit(u32 w, struct a64_insn *o)
{
	u32 opc = w >> 30;

	o->sf = opc != 0;
	o->sx = opc == 2;
	o->size = opc & 1 ? 3 : 2;
	amode_lit(w, o);
	return true;
}

bool a64_form_ld_lit_v(u32 w, struct a64_insn *o)
{
	o->vec = 1;
	o->size = (w >> 30) + 2;
	o->q = o->size == 4;
	amode_lit(w, o);
	return o->size <= 4;
}

static void amode_pair(u32 w, struct a64_insn *o)
{
	static const u8 amode[4] = {A64_AM_IMM, A64_AM_POST, A64_AM_IMM, A64_AM_PRE};

	o->rd = f_rd(w);
	o->rn = f_rn(w);
	o->ra = f_ra(w);
	o->amode = amode[field(w, 23, 2)];
	o->imm = sext64(field(w, 15, 7), 7) * (1 << o->size);
}

bool a64_form_ldp(u32 w, struct a64_insn *o)
{
	o->size = w >> 31 ? 3 : 2;
	o->sx = o->op == A64_LDPSW;
	o->sf = o->sx || o->size == 3;
	amode_pair(w, o);
	return true;
}

bool a64_form_ldp_v(u32 w, struct a64_insn *o)
{
	o->vec = 1;
	o->size = (w >> 30) + 2;
	o->q = o->size == 4;
	amode_pair(w, o);
	return o->size <= 4;
}

bool a64_form_excl(u32 w, struct a64_insn *o)
{
	o->rd = f_rd(w);
	o->rn = f_rn(w);
	o->ra = f_ra(w);
	o->rs = f_rm(w);
	o->size = w >> 30;
	o->sf = o->size == 3;
	o->amode = A64_AM_IMM;
	return true;
}

bool a64_form_lse(u32 w, struct a64_insn *o)
{
	a64_form_excl(w, o);
	o->ra = 0;
	o->cond = field(w, 23, 1) | field(w, 22, 1) << 1;
	return true;
}

bool a64_form_lse_cas(u32 w, struct a64_insn *o)
{
	a64_form_excl(w, o);
	o->ra = 0;
	o->cond = field(w, 22, 1) | field(w, 15, 1) << 1;
	if (o->op != A64_CASP)
		return true;
	o->size = 2 + field(w, 30, 1);
	o->sf = field(w, 30, 1);
	return !((o->rd | o->rs) & 1);
}

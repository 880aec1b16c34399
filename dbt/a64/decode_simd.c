/* SPDX-License-Identifier: MIT */
/* Forms of AdvSIMD (DDI 0487, C4.1 "Data Processing -- Scalar FP and SIMD"); scalar floating point
 * is in decode_fp.c. */
#include "dbt/a64/decode_internal.h"

static const u8 size_ftype[4] = {FT_RESERVED, FT_H, FT_S, FT_D};

static void regs(u32 w, struct a64_insn *o)
{
	o->rd = f_rd(w);
	o->rn = f_rn(w);
	o->rm = f_rm(w);
}

/* ---- vector and scalar AdvSIMD, integer: size at 23:22 ---- */

static void vec3(u32 w, struct a64_insn *o)
{
	regs(w, o);
	o->size = field(w, 22, 2);
	o->q = field(w, 30, 1);
}

bool a64_form_v3(u32 w, struct a64_insn *o)
{
	vec3(w, o);
	return o->size < 3 || o->q;
}

bool a64_form_v3_perm(u32 w, struct a64_insn *o)
{
	return a64_form_v3(w, o);
}

bool a64_form_v3_bhs(u32 w, struct a64_insn *o)
{
	vec3(w, o);
	return o->size < 3;
}

bool a64_form_v3_hs(u32 w, struct a64_insn *o)
{
	vec3(w, o);
	return o->size == 1 || o->size == 2;
}

bool a64_form_v3_b(u32 w, struct a64_insn *o)
{
	vec3(w, o);
	return o->size == 0;
}

bool a64_form_v3_log(u32 w, struct a64_insn *o)
{
	vec3(w, o);
	o->size = 0;
	return true;
}

/* Fixed element kinds; size is the accumulator's. */
bool a64_form_v3_acc(u32 w, struct a64_insn *o)
{
	vec3(w, o);
	o->size = 2;
	return true;
}

bool a64_form_s3(u32 w, struct a64_insn *o)
{
	regs(w, o);
	o->size = field(w, 22, 2);
	return true;
}

bool a64_form_s3_d(u32 w, struct a64_insn *o)
{
	a64_form_s3(w, o);
	return o->size == 3;
}

bool a64_form_s3_hs(u32 w, struct a64_insn *o)
{
	a64_form_s3(w, o);
	return o->size == 1 || o->size == 2;
}

bool a64_form_v3d(u32 w, struct a64_insn *o)
{
	return a64_form_v3_bhs(w, o);
}

bool a64_form_v3d_hs(u32 w, struct a64_insn *o)
{
	return a64_form_v3_hs(w, o);
}

bool a64_form_s3d_hs(u32 w, struct a64_insn *o)
{
	return a64_form_s3_hs(w, o);
}

bool a64_form_v3d_pmull(u32 w, struct a64_insn *o)
{
	vec3(w, o);
	return true;
}

static void vec2(u32 w, struct a64_insn *o)
{
	o->rd = f_rd(w);
	o->rn = f_rn(w);
	o->size = field(w, 22, 2);
	o->q = field(w, 30, 1);
}

bool a64_form_v2(u32 w, struct a64_insn *o)
{
	vec2(w, o);
	return o->size < 3 || o->q;
}

bool a64_form_v2_bhs(u32 w, struct a64_insn *o)
{
	vec2(w, o);
	return o->size < 3;
}

bool a64_form_v2_bh(u32 w, struct a64_insn *o)
{
	vec2(w, o);
	return o->size < 2;
}

bool a64_form_v2_b(u32 w, struct a64_insn *o)
{
	vec2(w, o);
	return o->size == 0;
}

/* RBIT: encoded as size 1, works on bytes. */
bool a64_form_v2_bits(u32 w, struct a64_insn *o)
{
	vec2(w, o);
	o->size = 0;
	return true;
}

bool a64_form_v2_s(u32 w, struct a64_insn *o)
{
	vec2(w, o);
	return true;
}

bool a64_form_v2n(u32 w, struct a64_insn *o)
{
	return a64_form_v2_bhs(w, o);
}

bool a64_form_shll(u32 w, struct a64_insn *o)
{
	vec2(w, o);
	o->amount = 8 << o->size;
	return o->size < 3;
}

bool a64_form_s2(u32 w, struct a64_insn *o)
{
	vec2(w, o);
	o->q = 0;
	return true;
}

bool a64_form_s2_d(u32 w, struct a64_insn *o)
{
	a64_form_s2(w, o);
	return o->size == 3;
}

bool a64_form_s2n(u32 w, struct a64_insn *o)
{
	a64_form_s2(w, o);
	return o->size < 3;
}

bool a64_form_vacross(u32 w, struct a64_insn *o)
{
	vec2(w, o);
	return o->size < 2 || (o->size == 2 && o->q);
}

/* ---- vector and scalar AdvSIMD, floating point ---- */

static void set_fsize(struct a64_insn *o, u32 size)
{
	o->size = size;
	o->ftype = size_ftype[size];
}

/* sz at bit 22 selects S or D. */
bool a64_form_vf3(u32 w, struct a64_insn *o)
{
	vec3(w, o);
	set_fsize(o, 2 + field(w, 22, 1));
	return o->size == 2 || o->q;
}

bool a64_form_vh3(u32 w, struct a64_insn *o)
{
	vec3(w, o);
	set_fsize(o, 1);
	return true;
}

bool a64_form_sf3(u32 w, struct a64_insn *o)
{
	regs(w, o);
	set_fsize(o, 2 + field(w, 22, 1));
	return true;
}

bool a64_form_sh3(u32 w, struct a64_insn *o)
{
	regs(w, o);
	set_fsize(o, 1);
	return true;
}

bool a64_form_vf2(u32 w, struct a64_insn *o)
{
	vec2(w, o);
	set_fsize(o, 2 + field(w, 22, 1));
	return o->size == 2 || o->q;
}

bool a64_form_vh2(u32 w, struct a64_insn *o)
{
	vec2(w, o);
	set_fsize(o, 1);
	return true;
}

bool a64_form_sf2(u32 w, struct a64_insn *o)
{
	a64_form_s2(w, o);
	set_fsize(o, 2 + field(w, 22, 1));
	return true;
}

bool a64_form_sh2(u32 w, struct a64_insn *o)
{
	a64_form_s2(w, o);
	set_fsize(o, 1);
	return true;
}

/* FCVTN, FCVTL, FCVTXN: sz selects H/S or S/D. */
bool a64_form_vfcvtn(u32 w, struct a64_insn *o)
{
	vec2(w, o);
	set_fsize(o, 1 + field(w, 22, 1));
	return true;
}

bool a64_form_sfcvtxn(u32 w, struct a64_insn *o)
{
	a64_form_s2(w, o);
	set_fsize(o, 2);
	return true;
}

bool a64_form_vbfcvtn(u32 w, struct a64_insn *o)
{
	vec2(w, o);
	o->size = 1;
	o->ftype = FT_S;
	return true;
}

/* U (bit 29) clear: half precision. */
bool a64_form_vf_across(u32 w, struct a64_insn *o)
{
	vec2(w, o);
	set_fsize(o, field(w, 29, 1) ? 2 : 1);
	return true;
}

bool a64_form_s_pair(u32 w, struct a64_insn *o)
{
	a64_form_s2(w, o);
	if (o->op == A64_ADDP_s)
		return true;
	set_fsize(o, field(w, 29, 1) ? 2 + field(w, 22, 1) : 1);
	return true;
}

/* FCMLA and FCADD have the rotation at different places. */
bool a64_form_fcmla(u32 w, struct a64_insn *o)
{
	vec3(w, o);
	if (!o->size || (o->size == 3 && !o->q))
		return false;
	set_fsize(o, o->size);
	o->imm = field(w, 11, 2) * 90;
	return true;
}

bool a64_form_fcadd(u32 w, struct a64_insn *o)
{
	if (!a64_form_fcmla(w, o))
		return false;
	o->imm = field(w, 12, 1) ? 270 : 90;
	return true;
}

/* ---- by element ---- */

/* H elements: index H:L:M, v0-v15 only. S: H:L. D: H. */
static void elem_h(u32 w, struct a64_insn *o)
{
	regs(w, o);
	o->q = field(w, 30, 1);
	o->rm = field(w, 16, 4);
	o->amount = field(w, 11, 1) << 2 | field(w, 20, 2);
}

static void elem_s(u32 w, struct a64_insn *o)
{
	regs(w, o);
	o->q = field(w, 30, 1);
	o->amount = field(w, 11, 1) << 1 | field(w, 21, 1);
}

bool a64_form_velem(u32 w, struct a64_insn *o)
{
	u32 size = field(w, 22, 2);

	if (size == 1)
		elem_h(w, o);
	else
		elem_s(w, o);
	o->size = size;
	return size == 1 || size == 2;
}

bool a64_form_velem_l(u32 w, struct a64_insn *o)
{
	return a64_form_velem(w, o);
}

bool a64_form_selem(u32 w, struct a64_insn *o)
{
	bool ok = a64_form_velem(w, o);

	o->q = 0;
	return ok;
}

bool a64_form_velem_f(u32 w, struct a64_insn *o)
{
	u32 size = field(w, 22, 2) ? field(w, 22, 2) : 1;

	if (size == 1)
		elem_h(w, o);
	else
		elem_s(w, o);
	set_fsize(o, size);
	if (size < 3)
		return true;
	o->amount >>= 1;
	return !field(w, 21, 1) && (o->q || field(w, 28, 1));
}

bool a64_form_selem_f(u32 w, struct a64_insn *o)
{
	bool ok = a64_form_velem_f(w, o);

	o->q = 0;
	return ok;
}

bool a64_form_velem_fhm(u32 w, struct a64_insn *o)
{
	elem_h(w, o);
	o->size = 2;
	return true;
}

bool a64_form_velem_bfmlal(u32 w, struct a64_insn *o)
{
	return a64_form_velem_fhm(w, o);
}

bool a64_form_velem_dot(u32 w, struct a64_insn *o)
{
	elem_s(w, o);
	o->size = 2;
	return true;
}

bool a64_form_velem_fcmla(u32 w, struct a64_insn *o)
{
	elem_s(w, o);
	set_fsize(o, field(w, 22, 2));
	o->imm = field(w, 13, 2) * 90;
	if (o->size == 1)
		return o->q || !field(w, 11, 1);
	o->amount >>= 1;
	return o->q && !field(w, 21, 1);
}

/* ---- shift by immediate: immh:immb at 22:16 ---- */

/* The element size is the top set bit of immh. False where immh is 0. */
static bool shift_imm(u32 w, struct a64_insn *o, bool left)
{
	u32 imm = field(w, 16, 7);

	if (imm < 8)
		return false;
	vec2(w, o);
	o->size = 28 - __builtin_clz(imm);
	u32 bits = 8 << o->size;
	o->amount = left ? imm - bits : 2 * bits - imm;
	return true;
}

bool a64_form_vshr(u32 w, struct a64_insn *o)
{
	return shift_imm(w, o, false) && (o->size < 3 || o->q);
}

bool a64_form_vshl(u32 w, struct a64_insn *o)
{
	return shift_imm(w, o, true) && (o->size < 3 || o->q);
}

bool a64_form_vshrn(u32 w, struct a64_insn *o)
{
	return shift_imm(w, o, false) && o->size < 3;
}

bool a64_form_vshll(u32 w, struct a64_insn *o)
{
	return shift_imm(w, o, true) && o->size < 3;
}

bool a64_form_vfix(u32 w, struct a64_insn *o)
{
	if (!shift_imm(w, o, false) || !o->size)
		return false;
	set_fsize(o, o->size);
	return o->size < 3 || o->q;
}

static bool scalar_shift(u32 w, struct a64_insn *o, bool left)
{
	bool ok = shift_imm(w, o, left);

	o->q = 0;
	return ok;
}

bool a64_form_sshr_d(u32 w, struct a64_insn *o)
{
	return scalar_shift(w, o, false) && o->size == 3;
}

bool a64_form_sshl_d(u32 w, struct a64_insn *o)
{
	return scalar_shift(w, o, true) && o->size == 3;
}

bool a64_form_sshl(u32 w, struct a64_insn *o)
{
	return scalar_shift(w, o, true);
}

bool a64_form_sshrn(u32 w, struct a64_insn *o)
{
	return scalar_shift(w, o, false) && o->size < 3;
}

bool a64_form_sfix(u32 w, struct a64_insn *o)
{
	if (!scalar_shift(w, o, false) || !o->size)
		return false;
	set_fsize(o, o->size);
	return true;
}

/* ---- modified immediate ---- */

static u64 replicate(u64 v, u32 bits)
{
	for (; bits < 64; bits *= 2)
		v |= v << bits;
	return v;
}

/* AdvSIMDExpandImm(), without the final inversion of MVNI and BIC. */
static u64 simd_imm_expand(u32 op, u32 cmode, u64 imm8, struct a64_insn *o)
{
	u64 v = 0;

	switch (cmode >> 1) {
	case 0:
	case 1:
	case 2:
	case 3: o->size = 2; return replicate(imm8 << (cmode >> 1) * 8, 32);
	case 4:
	case 5: o->size = 1; return replicate(imm8 << (cmode >> 1 & 1) * 8, 16);
	case 6:
		o->size = 2;
		return replicate(cmode & 1 ? imm8 << 16 | 0xffff : imm8 << 8 | 0xff, 32);
	}
	if (cmode & 1) {
		set_fsize(o, op ? 3 : 2);
		return replicate(a64_fp_imm_expand(imm8, o->size), 8 << o->size);
	}
	o->size = op ? 3 : 0;
	if (!op)
		return replicate(imm8, 8);
	for (int i = 0; i < 8; i++)
		v |= imm8 >> i & 1 ? 0xffull << i * 8 : 0;
	return v;
}

bool a64_form_vimm(u32 w, struct a64_insn *o)
{
	u32 imm8 = field(w, 16, 3) << 5 | field(w, 5, 5);

	o->rd = f_rd(w);
	o->q = field(w, 30, 1);
	if (field(w, 11, 1)) {
		set_fsize(o, 1);
		o->imm = replicate(a64_fp_imm_expand(imm8, 1), 16);
		return true;
	}
	o->imm = simd_imm_expand(field(w, 29, 1), field(w, 12, 4), imm8, o);
	if (o->op == A64_MVNI)
		o->imm = ~o->imm;
	return true;
}

/* ---- copy, permute, table ---- */

/* imm5: the lowest set bit is the element size, the bits above it the index. */
static bool copy_elem(u32 w, struct a64_insn *o)
{
	u32 imm5 = field(w, 16, 5);

	if (!(imm5 & 15))
		return false;
	o->rd = f_rd(w);
	o->rn = f_rn(w);
	o->q = field(w, 30, 1);
	o->size = __builtin_ctz(imm5);
	o->amount = imm5 >> (o->size + 1);
	o->sf = o->size == 3;
	return true;
}

bool a64_form_dup(u32 w, struct a64_insn *o)
{
	return copy_elem(w, o) && (o->size < 3 || o->q);
}

bool a64_form_dup_s(u32 w, struct a64_insn *o)
{
	bool ok = copy_elem(w, o);

	o->q = 0;
	return ok;
}

bool a64_form_smov(u32 w, struct a64_insn *o)
{
	if (!copy_elem(w, o))
		return false;
	o->sf = o->q;
	o->q = 0;
	return o->size < (o->sf ? 3 : 2);
}

bool a64_form_umov(u32 w, struct a64_insn *o)
{
	if (!copy_elem(w, o) || o->q != o->sf)
		return false;
	o->q = 0;
	return true;
}

bool a64_form_ins_gen(u32 w, struct a64_insn *o)
{
	return copy_elem(w, o);
}

bool a64_form_ins_elem(u32 w, struct a64_insn *o)
{
	if (!copy_elem(w, o))
		return false;
	o->imm = field(w, 11, 4) >> o->size;
	return true;
}

bool a64_form_ext(u32 w, struct a64_insn *o)
{
	regs(w, o);
	o->q = field(w, 30, 1);
	o->imm = field(w, 11, 4);
	return o->q || o->imm < 8;
}

bool a64_form_tbl(u32 w, struct a64_insn *o)
{
	regs(w, o);
	o->q = field(w, 30, 1);
	o->immr = field(w, 13, 2) + 1;
	return true;
}

/* ---- structure loads and stores ---- */

static void struct_amode(u32 w, struct a64_insn *o, u32 bytes)
{
	o->rd = f_rd(w);
	o->rn = f_rn(w);
	o->vec = 1;
	o->q = field(w, 30, 1);
	if (!field(w, 23, 1)) {
		o->amode = A64_AM_IMM;
		return;
	}
	o->amode = A64_AM_POST;
	o->rm = f_rm(w);
	if (o->rm == 31)
		o->imm = bytes;
}

bool a64_form_ldn_mult(u32 w, struct a64_insn *o)
{
	/* by opcode<3:1>: 0 LD4, 1 LD1x4, 2 LD3, 3 LD1x3/LD1x1, 4 LD2, 5 LD1x2 */
	static const u8 nregs[8] = {4, 4, 3, 3, 2, 2, 0, 0};
	bool one = o->op == A64_LD1_mult || o->op == A64_ST1_mult;

	o->immr = nregs[field(w, 13, 3)];
	if (field(w, 12, 4) == 7)
		o->immr = 1;
	o->size = field(w, 10, 2);
	struct_amode(w, o, o->immr * (field(w, 30, 1) ? 16 : 8));
	return o->size < 3 || o->q || one;
}

bool a64_form_ldn_single(u32 w, struct a64_insn *o)
{
	u32 index = field(w, 30, 1) << 3 | field(w, 12, 1) << 2 | field(w, 10, 2);

	o->size = field(w, 14, 2);
	if (o->size == 2 && field(w, 10, 1))
		o->size = 3;
	o->amount = index >> o->size;
	o->immr = (field(w, 13, 1) << 1 | field(w, 21, 1)) + 1;
	struct_amode(w, o, o->immr << o->size);
	return true;
}

bool a64_form_ldn_rep(u32 w, struct a64_insn *o)
{
	o->size = field(w, 10, 2);
	o->immr = (field(w, 13, 1) << 1 | field(w, 21, 1)) + 1;
	struct_amode(w, o, o->immr << o->size);
	return true;
}

/* ---- cryptographic ---- */

bool a64_form_crypto2(u32 w, struct a64_insn *o)
{
	o->rd = f_rd(w);
	o->rn = f_rn(w);
	o->q = 1;
	return true;
}

bool a64_form_crypto3(u32 w, struct a64_insn *o)
{
	o->rm = f_rm(w);
	return a64_form_crypto2(w, o);
}

bool a64_form_crypto4(u32 w, struct a64_insn *o)
{
	o->ra = f_ra(w);
	return a64_form_crypto3(w, o);
}

bool a64_form_xar(u32 w, struct a64_insn *o)
{
	o->imm = field(w, 10, 6);
	return a64_form_crypto3(w, o);
}

bool a64_form_sm3tt(u32 w, struct a64_insn *o)
{
	o->imm = field(w, 12, 2);
	return a64_form_crypto3(w, o);
}

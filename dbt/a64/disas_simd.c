/* SPDX-License-Identifier: MIT */
/* Assembly text of scalar floating point and AdvSIMD. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dbt/a64/disas_internal.h"

static const u8 ftype_size[4] = {2, 3, 0, 1};

static void op_scalar(struct dis *d, unsigned r, unsigned size)
{
	dis_op(d, "%c%u", "bhsdq"[size], r);
}

static const char *arrangement(unsigned size, bool q)
{
	static const char *const names[5][2] = {
		{"8b", "16b"}, {"4h", "8h"}, {"2s", "4s"}, {"1d", "2d"}, {"1q", "1q"}};

	return names[size][q];
}

static void op_vec(struct dis *d, unsigned r, unsigned size, bool q)
{
	dis_op(d, "v%u.%s", r, arrangement(size, q));
}

static void op_elem(struct dis *d, unsigned r, unsigned size, unsigned index)
{
	dis_op(d, "v%u.%c[%u]", r, "bhsd"[size], index);
}

static void op_list(struct dis *d, unsigned r, unsigned n, const char *arr)
{
	unsigned last = (r + n - 1) & 31;

	if (n == 1)
		dis_op(d, "{v%u.%s}", r, arr);
	else if (n == 2 || last < r) {
		dis_op(d, "{v%u.%s", r, arr);
		for (unsigned k = 1; k < n; k++)
			dis_op(d, "v%u.%s", (r + k) & 31, arr);
		dis_raw(d, "}");
	} else {
		dis_op(d, "{v%u.%s-v%u.%s}", r, arr, last, arr);
	}
}

static double fp_imm_value(u64 v, unsigned size)
{
	if (size == 3) {
		double x;
		memcpy(&x, &v, 8);
		return x;
	}
	if (size == 2) {
		u32 w = v;
		float x;
		memcpy(&x, &w, 4);
		return x;
	}
	/* An 8-bit immediate as half: normal always. */
	int exp = (int)field(v, 10, 5) - 15;
	double x = 1 + field(v, 0, 10) / 1024.0;
	for (; exp > 0; exp--)
		x *= 2;
	for (; exp < 0; exp++)
		x /= 2;
	return v >> 15 & 1 ? -x : x;
}

static void op_fp_imm(struct dis *d)
{
	dis_op(d, "#%.18e", fp_imm_value(d->i->imm, d->i->size));
}

static bool is_zero_compare(const struct a64_insn *i)
{
	return strstr(a64_op_name(i->op), "_zero") != NULL;
}

static void name(struct dis *d)
{
	dis_mnem(d, NULL, "", "");
}

static void name2(struct dis *d, const char *mnem)
{
	dis_mnem(d, mnem, d->i->q ? "2" : "", "");
}

/* ---- scalar floating point ---- */

static void dis_fp_regs(struct dis *d, int n)
{
	const struct a64_insn *i = d->i;

	name(d);
	op_scalar(d, i->rd, i->size);
	op_scalar(d, i->rn, i->size);
	if (n > 2)
		op_scalar(d, i->rm, i->size);
	if (n > 3)
		op_scalar(d, i->ra, i->size);
}

static void dis_fcmp(struct dis *d, bool cond)
{
	const struct a64_insn *i = d->i;

	name(d);
	op_scalar(d, i->rn, i->size);
	if (is_zero_compare(i))
		dis_op(d, "#0.0");
	else
		op_scalar(d, i->rm, i->size);
	if (cond) {
		dis_op(d, "#0x%x", i->amount);
		dis_op(d, "%s", dis_cond(i->cond));
	}
}

static void dis_fp_gpr(struct dis *d, bool to_fp)
{
	const struct a64_insn *i = d->i;
	bool half = i->amount && (i->op == A64_FMOV_gen || i->op == A64_FMOV_togen);

	name(d);
	for (int k = 0; k < 2; k++) {
		unsigned r = k ? i->rn : i->rd;
		if (to_fp == !!k)
			dis_reg(d, r, i->sf, false);
		else if (half)
			op_elem(d, r, 3, 1);
		else
			op_scalar(d, r, i->size);
	}
	if (i->amount && !half)
		dis_op(d, "#%u", i->amount);
}

static bool dis_scalar_fp(struct dis *d, enum a64_form form)
{
	const struct a64_insn *i = d->i;

	switch (form) {
	case FORM_fp1: dis_fp_regs(d, 2); break;
	case FORM_fp2: dis_fp_regs(d, 3); break;
	case FORM_fp3: dis_fp_regs(d, 4); break;
	case FORM_fcvt:
	case FORM_bfcvt:
		name(d);
		op_scalar(d, i->rd, i->size);
		op_scalar(d, i->rn, ftype_size[i->ftype]);
		break;
	case FORM_fcmp: dis_fcmp(d, false); break;
	case FORM_fccmp: dis_fcmp(d, true); break;
	case FORM_fcsel:
		dis_fp_regs(d, 3);
		dis_op(d, "%s", dis_cond(i->cond));
		break;
	case FORM_fmov_imm:
		name(d);
		op_scalar(d, i->rd, i->size);
		op_fp_imm(d);
		break;
	case FORM_fcvt_int:
	case FORM_fcvt_fix:
		dis_fp_gpr(d, i->op == A64_SCVTF_int || i->op == A64_UCVTF_int ||
				      i->op == A64_SCVTF_fix || i->op == A64_UCVTF_fix);
		break;
	case FORM_fmov_gen: dis_fp_gpr(d, i->op == A64_FMOV_gen); break;
	default: return false;
	}
	return true;
}

/* ---- same arrangement everywhere ---- */

static void op_compare_zero(struct dis *d)
{
	if (is_zero_compare(d->i))
		dis_op(d, d->mnem[0] == 'f' ? "#0.0" : "#0");
}

static void dis_vec_regs(struct dis *d, int n)
{
	const struct a64_insn *i = d->i;

	name(d);
	op_vec(d, i->rd, i->size, i->q);
	op_vec(d, i->rn, i->size, i->q);
	if (n > 2)
		op_vec(d, i->rm, i->size, i->q);
	op_compare_zero(d);
}

static void dis_scalar_regs(struct dis *d, int n)
{
	dis_fp_regs(d, n);
	op_compare_zero(d);
}

static bool dis_same(struct dis *d, enum a64_form form)
{
	const struct a64_insn *i = d->i;

	switch (form) {
	case FORM_v3_log:
		if (i->op == A64_ORR_v && i->rn == i->rm) {
			strcpy(d->mnem, "mov");
			dis_vec_regs(d, 2);
			break;
		} /* fallthrough */
	case FORM_v3:
	case FORM_v3_bhs:
	case FORM_v3_hs:
	case FORM_v3_b:
	case FORM_v3_perm:
	case FORM_vf3:
	case FORM_vh3: dis_vec_regs(d, 3); break;
	case FORM_fcmla:
	case FORM_fcadd:
		dis_vec_regs(d, 3);
		dis_op(d, "#%u", (unsigned)i->imm);
		break;
	case FORM_s3:
	case FORM_s3_d:
	case FORM_s3_hs:
	case FORM_sf3:
	case FORM_sh3: dis_scalar_regs(d, 3); break;
	case FORM_v2_bhs:
	case FORM_v2:
	case FORM_v2_b:
	case FORM_v2_bh:
	case FORM_v2_bits:
	case FORM_v2_s:
	case FORM_vf2:
	case FORM_vh2:
		if (i->op == A64_NOT_v)
			strcpy(d->mnem, "mvn");
		if (i->op == A64_SADDLP_v || i->op == A64_UADDLP_v || i->op == A64_SADALP_v ||
		    i->op == A64_UADALP_v) {
			name(d);
			op_vec(d, i->rd, i->size + 1, i->q);
			op_vec(d, i->rn, i->size, i->q);
			break;
		}
		dis_vec_regs(d, 2);
		break;
	case FORM_s2:
	case FORM_s2_d:
	case FORM_sf2:
	case FORM_sh2: dis_scalar_regs(d, 2); break;
	default: return false;
	}
	return true;
}

/* ---- narrowing, widening, mixed ---- */

static void dis_narrow(struct dis *d)
{
	name2(d, NULL);
	op_vec(d, d->i->rd, d->i->size, d->i->q);
	op_vec(d, d->i->rn, d->i->size + 1, true);
}

static void dis_widen(struct dis *d, const char *mnem)
{
	name2(d, mnem);
	op_vec(d, d->i->rd, d->i->size + 1, true);
	op_vec(d, d->i->rn, d->i->size, d->i->q);
}

static void dis_three_different(struct dis *d)
{
	const struct a64_insn *i = d->i;
	size_t n = strlen(d->mnem);
	bool hn = d->mnem[n - 1] == 'n', w = d->mnem[n - 1] == 'w';

	name2(d, NULL);
	op_vec(d, i->rd, hn ? i->size : i->size + 1, hn ? i->q : true);
	op_vec(d, i->rn, hn || w ? i->size + 1 : i->size, hn || w ? true : i->q);
	op_vec(d, i->rm, hn ? i->size + 1 : i->size, hn ? true : i->q);
}

/* Source element size of the dot product family. */
static unsigned acc_source(const struct a64_insn *i)
{
	const char *n = a64_op_name(i->op);

	return n[0] == 'F' || n[0] == 'B' ? 1 : 0;
}

static void dis_acc(struct dis *d, bool elem)
{
	const struct a64_insn *i = d->i;
	unsigned src = acc_source(i);
	bool fhm = !strncmp(d->mnem, "fml", 3), bfmlal = !strcmp(d->mnem, "bfmlal");

	dis_mnem(d, NULL, bfmlal ? (i->q ? "t" : "b") : "", "");
	op_vec(d, i->rd, 2, i->q || bfmlal);
	if (fhm)
		dis_op(d, "v%u.%s", i->rn, i->q ? "4h" : "2h");
	else
		op_vec(d, i->rn, src, i->q || bfmlal);
	if (elem && (fhm || bfmlal))
		op_elem(d, i->rm, 1, i->amount);
	else if (elem)
		dis_op(d, "v%u.%s[%u]", i->rm, src ? "2h" : "4b", i->amount);
	else if (fhm)
		dis_op(d, "v%u.%s", i->rm, i->q ? "4h" : "2h");
	else
		op_vec(d, i->rm, src, i->q || bfmlal);
}

static bool dis_mixed(struct dis *d, enum a64_form form)
{
	const struct a64_insn *i = d->i;
	bool longer;

	switch (form) {
	case FORM_v3_acc: dis_acc(d, false); break;
	case FORM_velem_fhm:
	case FORM_velem_bfmlal:
	case FORM_velem_dot: dis_acc(d, true); break;
	case FORM_v2n: dis_narrow(d); break;
	case FORM_vfcvtn:
		if (i->op == A64_FCVTL_v)
			dis_widen(d, NULL);
		else
			dis_narrow(d);
		break;
	case FORM_vbfcvtn: dis_narrow(d); break;
	case FORM_s2n:
	case FORM_sfcvtxn:
		name(d);
		op_scalar(d, i->rd, i->size);
		op_scalar(d, i->rn, i->size + 1);
		break;
	case FORM_shll:
		dis_widen(d, NULL);
		dis_op(d, "#%u", i->amount);
		break;
	case FORM_vacross:
	case FORM_vf_across:
		longer = i->op == A64_SADDLV_v || i->op == A64_UADDLV_v;
		name(d);
		op_scalar(d, i->rd, i->size + longer);
		op_vec(d, i->rn, i->size, i->q);
		break;
	case FORM_s_pair:
		name(d);
		op_scalar(d, i->rd, i->size);
		dis_op(d, "v%u.2%c", i->rn, "bhsd"[i->size]);
		break;
	case FORM_v3d:
	case FORM_v3d_hs:
	case FORM_v3d_pmull: dis_three_different(d); break;
	case FORM_s3d_hs:
		name(d);
		op_scalar(d, i->rd, i->size + 1);
		op_scalar(d, i->rn, i->size);
		op_scalar(d, i->rm, i->size);
		break;
	default: return false;
	}
	return true;
}

/* ---- by element, shifts, immediates ---- */

static bool dis_by_elem(struct dis *d, enum a64_form form)
{
	const struct a64_insn *i = d->i;
	bool longer = !strncmp(d->mnem, "sqdml", 5) || !strcmp(d->mnem, "sqdmull");

	switch (form) {
	case FORM_velem:
	case FORM_velem_f:
	case FORM_velem_fcmla: dis_vec_regs(d, 2); break;
	case FORM_velem_l: dis_widen(d, NULL); break;
	case FORM_selem:
	case FORM_selem_f:
		name(d);
		op_scalar(d, i->rd, i->size + longer);
		op_scalar(d, i->rn, i->size);
		break;
	default: return false;
	}
	op_elem(d, i->rm, i->size, i->amount);
	if (form == FORM_velem_fcmla)
		dis_op(d, "#%u", (unsigned)i->imm);
	return true;
}

static bool dis_shift_imm(struct dis *d, enum a64_form form)
{
	const struct a64_insn *i = d->i;

	switch (form) {
	case FORM_vshr:
	case FORM_vshl:
	case FORM_vfix: dis_vec_regs(d, 2); break;
	case FORM_vshrn: dis_narrow(d); break;
	case FORM_vshll:
		if (!i->amount) {
			dis_widen(d, i->op == A64_SSHLL_v ? "sxtl" : "uxtl");
			return true;
		}
		dis_widen(d, NULL);
		break;
	case FORM_sshr_d:
	case FORM_sshl_d:
	case FORM_sshl:
	case FORM_sfix: dis_fp_regs(d, 2); break;
	case FORM_sshrn:
		name(d);
		op_scalar(d, i->rd, i->size);
		op_scalar(d, i->rn, i->size + 1);
		break;
	default: return false;
	}
	dis_op(d, "#%u", i->amount);
	return true;
}

static void dis_vimm(struct dis *d)
{
	const struct a64_insn *i = d->i;
	u32 cmode = field(i->raw, 12, 4), imm8 = field(i->raw, 16, 3) << 5 | field(i->raw, 5, 5);

	name(d);
	if (i->op == A64_FMOV_vimm) {
		op_vec(d, i->rd, i->size, i->q);
		u64 one = i->size == 3 ? (u64)i->imm : i->imm & ((1ull << (8 << i->size)) - 1);
		dis_op(d, "#%.18e", fp_imm_value(one, i->size));
		return;
	}
	if (i->size == 3) {
		if (i->q)
			op_vec(d, i->rd, 3, true);
		else
			op_scalar(d, i->rd, 3);
		dis_op(d, "#0x%" PRIx64, (u64)i->imm);
		return;
	}
	op_vec(d, i->rd, i->size, i->q);
	dis_op(d, "#0x%x", imm8);
	if ((cmode & 14) == 12)
		dis_op(d, "msl #%u", cmode & 1 ? 16 : 8);
	else if (i->size && (cmode >> 1 & (i->size == 2 ? 3 : 1)))
		dis_op(d, "lsl #%u", (cmode >> 1 & (i->size == 2 ? 3 : 1)) * 8);
}

/* ---- copy, permute, table, structures ---- */

static bool dis_copy(struct dis *d, enum a64_form form)
{
	const struct a64_insn *i = d->i;

	switch (form) {
	case FORM_dup:
		name(d);
		op_vec(d, i->rd, i->size, i->q);
		if (i->op == A64_DUP_elem)
			op_elem(d, i->rn, i->size, i->amount);
		else
			dis_reg(d, i->rn, i->sf, false);
		break;
	case FORM_dup_s:
		dis_mnem(d, "mov", "", "");
		op_scalar(d, i->rd, i->size);
		op_elem(d, i->rn, i->size, i->amount);
		break;
	case FORM_smov:
	case FORM_umov:
		dis_mnem(d, i->op == A64_UMOV && i->size >= 2 ? "mov" : NULL, "", "");
		dis_reg(d, i->rd, i->sf, false);
		op_elem(d, i->rn, i->size, i->amount);
		break;
	case FORM_ins_gen:
	case FORM_ins_elem:
		dis_mnem(d, "mov", "", "");
		op_elem(d, i->rd, i->size, i->amount);
		if (i->op == A64_INS_gen)
			dis_reg(d, i->rn, i->sf, false);
		else
			op_elem(d, i->rn, i->size, i->imm);
		break;
	case FORM_ext:
		dis_vec_regs(d, 3);
		dis_op(d, "#%u", (unsigned)i->imm);
		break;
	case FORM_tbl:
		name(d);
		op_vec(d, i->rd, 0, i->q);
		op_list(d, i->rn, i->immr, "16b");
		op_vec(d, i->rm, 0, i->q);
		break;
	default: return false;
	}
	return true;
}

static void dis_struct(struct dis *d, enum a64_form form)
{
	const struct a64_insn *i = d->i;
	char base[8];
	const char one[2] = {"bhsd"[i->size], 0};

	name(d);
	op_list(d, i->rd, i->immr, form == FORM_ldn_single ? one : arrangement(i->size, i->q));
	if (form == FORM_ldn_single)
		dis_raw(d, "[%u]", i->amount);
	snprintf(base, sizeof(base), i->rn == 31 ? "sp" : "x%u", i->rn);
	dis_op(d, "[%s]", base);
	if (i->amode != A64_AM_POST)
		return;
	if (i->rm == 31)
		dis_op(d, "#%u", (unsigned)i->imm);
	else
		dis_op(d, "x%u", i->rm);
}

/* ---- cryptographic ---- */

/* Operand kinds in order: b .16b, s .4s, d .2d, e .s[imm], q Qn, f Sn. */
static void dis_crypto(struct dis *d)
{
	static const struct {
		u16 op;
		char kinds[5];
	} ops[] = {{A64_AESE, "bb"},	   {A64_AESD, "bb"},	   {A64_AESMC, "bb"},
		   {A64_AESIMC, "bb"},	   {A64_SHA1C, "qfs"},	   {A64_SHA1P, "qfs"},
		   {A64_SHA1M, "qfs"},	   {A64_SHA1SU0, "sss"},   {A64_SHA256H, "qqs"},
		   {A64_SHA256H2, "qqs"},  {A64_SHA256SU1, "sss"}, {A64_SHA1H, "ff"},
		   {A64_SHA1SU1, "ss"},	   {A64_SHA256SU0, "ss"},  {A64_SHA512H, "qqd"},
		   {A64_SHA512H2, "qqd"},  {A64_SHA512SU1, "ddd"}, {A64_RAX1, "ddd"},
		   {A64_SHA512SU0, "dd"},  {A64_EOR3, "bbbb"},	   {A64_BCAX, "bbbb"},
		   {A64_XAR, "ddd"},	   {A64_SM3SS1, "ssss"},   {A64_SM3TT1A, "sse"},
		   {A64_SM3TT1B, "sse"},   {A64_SM3TT2A, "sse"},   {A64_SM3TT2B, "sse"},
		   {A64_SM3PARTW1, "sss"}, {A64_SM3PARTW2, "sss"}, {A64_SM4E, "ss"},
		   {A64_SM4EKEY, "sss"}};
	const struct a64_insn *i = d->i;
	const u8 r[4] = {i->rd, i->rn, i->rm, i->ra};
	size_t k = 0;

	while (k < ARRAY_SIZE(ops) - 1 && ops[k].op != i->op)
		k++;
	name(d);
	for (int n = 0; ops[k].kinds[n]; n++) {
		switch (ops[k].kinds[n]) {
		case 'b': op_vec(d, r[n], 0, true); break;
		case 's': op_vec(d, r[n], 2, true); break;
		case 'd': op_vec(d, r[n], 3, true); break;
		case 'e': dis_op(d, "v%u.s[%u]", r[n], (unsigned)i->imm); break;
		case 'q': op_scalar(d, r[n], 4); break;
		case 'f': op_scalar(d, r[n], 2); break;
		}
	}
	if (i->op == A64_XAR)
		dis_op(d, "#%u", (unsigned)i->imm);
}

bool dis_simd(struct dis *d, enum a64_form form)
{
	if (dis_scalar_fp(d, form) || dis_same(d, form) || dis_mixed(d, form) ||
	    dis_by_elem(d, form) || dis_shift_imm(d, form) || dis_copy(d, form))
		return true;
	switch (form) {
	case FORM_vimm: dis_vimm(d); return true;
	case FORM_ldn_mult:
	case FORM_ldn_single:
	case FORM_ldn_rep: dis_struct(d, form); return true;
	case FORM_crypto2:
	case FORM_crypto3:
	case FORM_crypto4:
	case FORM_sm3tt:
	case FORM_xar: dis_crypto(d); return true;
	default: return false;
	}
}

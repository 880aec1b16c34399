/* SPDX-License-Identifier: MIT */
/*
 * Assembly text for logs and listings. Integer code reads like objdump's, aliases included; system
 * registers outside the table below print as s3_0_c1_c0_0.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dbt/a64/disas_internal.h"

void dis_raw(struct dis *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(d->len < d->cap ? d->buf + d->len : NULL,
			  d->len < d->cap ? d->cap - d->len : 0, fmt, ap);
	va_end(ap);
	if (n > 0)
		d->len += n;
}

void dis_mnem(struct dis *d, const char *mnem, const char *suffix, const char *suffix2)
{
	dis_raw(d, "%s%s%s", mnem ? mnem : d->mnem, suffix, suffix2);
}

void dis_op(struct dis *d, const char *fmt, ...)
{
	char text[96];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	dis_raw(d, "%s%s", d->operand ? ", " : " ", text);
	d->operand = true;
}

void dis_reg(struct dis *d, unsigned r, bool sf, bool sp)
{
	if (r < 31)
		dis_op(d, "%c%u", sf ? 'x' : 'w', r);
	else if (sp)
		dis_op(d, "%s", sf ? "sp" : "wsp");
	else
		dis_op(d, "%czr", sf ? 'x' : 'w');
}

const char *dis_cond(unsigned cond)
{
	static const char names[16][3] = {"eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc",
					  "hi", "ls", "ge", "lt", "gt", "le", "al", "nv"};

	return names[cond & 15];
}

static const char *const shift_names[4] = {"lsl", "lsr", "asr", "ror"};
static const char *const extend_names[8] = {"uxtb", "uxth", "uxtw", "uxtx",
					    "sxtb", "sxth", "sxtw", "sxtx"};

static void dis_label(struct dis *d)
{
	dis_op(d, "0x%" PRIx64, d->pc + d->i->imm);
}

static void dis_hex(struct dis *d, u64 v)
{
	dis_op(d, "#0x%" PRIx64, v);
}

static void dis_rd(struct dis *d, bool sp)
{
	dis_reg(d, d->i->rd, d->i->sf, sp);
}

static void dis_rn(struct dis *d, bool sp)
{
	dis_reg(d, d->i->rn, d->i->sf, sp);
}

static void dis_rm(struct dis *d)
{
	dis_reg(d, d->i->rm, d->i->sf, false);
}

/* ---- data processing, immediate ---- */

static void dis_adr(struct dis *d)
{
	const struct a64_insn *i = d->i;

	dis_mnem(d, NULL, "", "");
	dis_rd(d, false);
	dis_op(d, "0x%" PRIx64, (u64)((i->op == A64_ADRP ? d->pc & ~(u64)4095 : d->pc) + i->imm));
}

static void dis_addsub_imm(struct dis *d)
{
	const struct a64_insn *i = d->i;
	bool shifted = field(i->raw, 22, 1), wf = a64_op_flags(i->op) & A64F_WF;

	if (i->op == A64_ADD_imm && !field(i->raw, 10, 13) && (i->rd == 31 || i->rn == 31)) {
		dis_mnem(d, "mov", "", "");
		dis_rd(d, true);
		dis_rn(d, true);
		return;
	}
	if (wf && i->rd == 31) {
		dis_mnem(d, i->op == A64_SUBS_imm ? "cmp" : "cmn", "", "");
	} else {
		dis_mnem(d, NULL, "", "");
		dis_rd(d, !wf);
	}
	dis_rn(d, true);
	dis_hex(d, field(i->raw, 10, 12));
	if (shifted)
		dis_op(d, "lsl #12");
}

/* MoveWidePreferred(): MOVZ or MOVN can make this value. */
static bool movw_can(u64 v, bool sf)
{
	for (int k = 0; k < 2; k++) {
		for (int s = 0; s < (sf ? 64 : 32); s += 16)
			if (!(v & ~(0xffffull << s)))
				return true;
		v = sf ? ~v : (u32)~v;
	}
	return false;
}

static void dis_log_imm(struct dis *d)
{
	const struct a64_insn *i = d->i;

	if (i->op == A64_ANDS_imm && i->rd == 31) {
		dis_mnem(d, "tst", "", "");
		dis_rn(d, false);
	} else if (i->op == A64_ORR_imm && i->rn == 31 &&
		   (i->rd == 31 || !movw_can(i->imm, i->sf))) {
		dis_mnem(d, "mov", "", "");
		dis_rd(d, true);
	} else {
		dis_mnem(d, NULL, "", "");
		dis_rd(d, i->op != A64_ANDS_imm);
		dis_rn(d, false);
	}
	dis_hex(d, i->imm);
}

static void dis_movw(struct dis *d)
{
	const struct a64_insn *i = d->i;
	u32 imm16 = field(i->raw, 5, 16);
	bool plain = i->op == A64_MOVK || (!imm16 && i->amount) ||
		     (i->op == A64_MOVN && !i->sf && imm16 == 0xffff);

	dis_mnem(d, plain ? NULL : "mov", "", "");
	dis_rd(d, false);
	dis_hex(d, plain ? imm16 : (u64)i->imm);
	if (plain && i->amount)
		dis_op(d, "lsl #%u", i->amount);
}

static void dis_bitfield(struct dis *d, const char *mnem, unsigned lsb, unsigned width)
{
	dis_mnem(d, mnem, "", "");
	dis_rd(d, false);
	if (strcmp(mnem, "bfc"))
		dis_rn(d, false);
	dis_op(d, "#%u", lsb);
	if (width)
		dis_op(d, "#%u", width);
}

/* sxtb, sxth, sxtw, uxtb, uxth: true when written. */
static bool dis_extend_alias(struct dis *d)
{
	const struct a64_insn *i = d->i;
	bool sign = i->op == A64_SBFM;
	const char *name = i->imms == 7	   ? "xtb"
			   : i->imms == 15 ? "xth"
			   : i->imms == 31 ? "xtw"
					   : NULL;

	if (i->immr || !name || (!sign && (i->sf || i->imms == 31)) ||
	    (sign && !i->sf && i->imms == 31))
		return false;
	dis_mnem(d, sign ? "s" : "u", name, "");
	dis_rd(d, false);
	dis_reg(d, i->rn, false, false);
	return true;
}

static void dis_bfm(struct dis *d)
{
	const struct a64_insn *i = d->i;
	unsigned r = i->immr, s = i->imms, bits = i->sf ? 64 : 32;

	if (i->op == A64_BFM) {
		if (s < r)
			dis_bitfield(d, i->rn == 31 ? "bfc" : "bfi", bits - r, s + 1);
		else
			dis_bitfield(d, "bfxil", r, s - r + 1);
		return;
	}
	bool sign = i->op == A64_SBFM;
	if (s == bits - 1)
		dis_bitfield(d, sign ? "asr" : "lsr", r, 0);
	else if (!sign && s + 1 == r)
		dis_bitfield(d, "lsl", bits - r, 0);
	else if (s < r)
		dis_bitfield(d, sign ? "sbfiz" : "ubfiz", bits - r, s + 1);
	else if (!dis_extend_alias(d))
		dis_bitfield(d, sign ? "sbfx" : "ubfx", r, s - r + 1);
}

static void dis_extr(struct dis *d)
{
	bool ror = d->i->rn == d->i->rm;

	dis_mnem(d, ror ? "ror" : NULL, "", "");
	dis_rd(d, false);
	dis_rn(d, false);
	if (!ror)
		dis_rm(d);
	dis_op(d, "#%u", d->i->imms);
}

/* ---- data processing, register ---- */

/* The alias of a shifted-register op: which operand disappears. */
static const char *shift_alias(const struct a64_insn *i, bool *no_rd, bool *no_rn)
{
	bool rd31 = i->rd == 31, rn31 = i->rn == 31;

	*no_rd = rd31;
	*no_rn = false;
	switch (i->op) {
	case A64_ADDS_shift: return rd31 ? "cmn" : NULL;
	case A64_ANDS_shift: return rd31 ? "tst" : NULL;
	case A64_SUBS_shift:
		if (rd31)
			return "cmp";
		*no_rn = rn31;
		return rn31 ? "negs" : NULL;
	}
	*no_rd = false;
	*no_rn = rn31;
	switch (i->op) {
	case A64_SUB_shift: return rn31 ? "neg" : NULL;
	case A64_ORN_shift: return rn31 ? "mvn" : NULL;
	case A64_ORR_shift: return rn31 && !i->amount && i->shift == A64_LSL ? "mov" : NULL;
	}
	return NULL;
}

static void dis_shifted(struct dis *d)
{
	const struct a64_insn *i = d->i;
	bool no_rd, no_rn;
	const char *alias = shift_alias(i, &no_rd, &no_rn);

	dis_mnem(d, alias, "", "");
	if (!alias || !no_rd)
		dis_rd(d, false);
	if (!alias || !no_rn)
		dis_rn(d, false);
	dis_rm(d);
	if (i->amount || i->shift)
		dis_op(d, "%s #%u", shift_names[i->shift], i->amount);
}

static void dis_extended(struct dis *d)
{
	const struct a64_insn *i = d->i;
	bool wf = a64_op_flags(i->op) & A64F_WF;
	bool lsl =
		i->shift == (i->sf ? A64_UXTX : A64_UXTW) && (i->rn == 31 || (!wf && i->rd == 31));

	if (wf && i->rd == 31) {
		dis_mnem(d, i->op == A64_SUBS_ext ? "cmp" : "cmn", "", "");
	} else {
		dis_mnem(d, NULL, "", "");
		dis_rd(d, !wf);
	}
	dis_rn(d, true);
	dis_reg(d, i->rm, i->sf && (i->shift & 3) == 3, false);
	if (!lsl && !i->amount)
		dis_op(d, "%s", extend_names[i->shift]);
	else if (i->amount)
		dis_op(d, "%s #%u", lsl ? "lsl" : extend_names[i->shift], i->amount);
}

static void dis_rrr(struct dis *d)
{
	const struct a64_insn *i = d->i;
	bool shift = i->op >= A64_LSLV && i->op <= A64_RORV;
	const char *ngc = i->rn != 31	      ? NULL
			  : i->op == A64_SBC  ? "ngc"
			  : i->op == A64_SBCS ? "ngcs"
					      : NULL;

	if (shift)
		d->mnem[3] = 0;
	dis_mnem(d, ngc, "", "");
	dis_rd(d, false);
	if (!ngc)
		dis_rn(d, false);
	dis_rm(d);
}

static void dis_crc(struct dis *d)
{
	const struct a64_insn *i = d->i;

	dis_raw(d, "%s%c", d->mnem, "bhwx"[i->size]);
	dis_reg(d, i->rd, false, false);
	dis_reg(d, i->rn, false, false);
	dis_rm(d);
}

static void dis_rrrr(struct dis *d)
{
	static const struct {
		u16 op;
		const char *alias;
	} zero_ra[] = {{A64_MADD, "mul"},      {A64_MSUB, "mneg"},    {A64_SMADDL, "smull"},
		       {A64_SMSUBL, "smnegl"}, {A64_UMADDL, "umull"}, {A64_UMSUBL, "umnegl"}};
	const struct a64_insn *i = d->i;
	bool wide = i->op != A64_MADD && i->op != A64_MSUB;
	const char *alias = NULL;

	for (size_t k = 0; k < ARRAY_SIZE(zero_ra); k++)
		if (i->ra == 31 && zero_ra[k].op == i->op)
			alias = zero_ra[k].alias;
	dis_mnem(d, alias, "", "");
	dis_rd(d, false);
	dis_reg(d, i->rn, i->sf && !wide, false);
	dis_reg(d, i->rm, i->sf && !wide, false);
	if (!alias)
		dis_reg(d, i->ra, i->sf, false);
}

static void dis_csel(struct dis *d)
{
	const struct a64_insn *i = d->i;
	bool same = i->rn == i->rm && i->cond < A64_AL && i->op != A64_CSEL;
	bool zero = same && i->rn == 31 && i->op != A64_CSNEG;

	if (!same) {
		dis_mnem(d, NULL, "", "");
		dis_rd(d, false);
		dis_rn(d, false);
		dis_rm(d);
		dis_op(d, "%s", dis_cond(i->cond));
		return;
	}
	if (zero)
		dis_mnem(d, i->op == A64_CSINC ? "cset" : "csetm", "", "");
	else
		dis_mnem(d,
			 i->op == A64_CSINC   ? "cinc"
			 : i->op == A64_CSINV ? "cinv"
					      : "cneg",
			 "", "");
	dis_rd(d, false);
	if (!zero)
		dis_rn(d, false);
	dis_op(d, "%s", dis_cond(i->cond ^ 1));
}

static void dis_ccmp(struct dis *d)
{
	const struct a64_insn *i = d->i;

	dis_mnem(d, NULL, "", "");
	dis_rn(d, false);
	if (i->op == A64_CCMP_reg || i->op == A64_CCMN_reg)
		dis_rm(d);
	else
		dis_hex(d, i->imm);
	dis_hex(d, i->amount);
	dis_op(d, "%s", dis_cond(i->cond));
}

/* ---- branches and system ---- */

static const struct {
	u32 id;
	const char *name;
} sysregs[] = {
#define R(op0, op1, crn, crm, op2, name)                                          \
	{                                                                         \
		(op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2), name \
	}
	R(3, 0, 0, 0, 0, "midr_el1"),
	R(3, 0, 0, 0, 5, "mpidr_el1"),
	R(3, 0, 1, 0, 0, "sctlr_el1"),
	R(3, 0, 1, 0, 2, "cpacr_el1"),
	R(3, 0, 2, 0, 0, "ttbr0_el1"),
	R(3, 0, 2, 0, 1, "ttbr1_el1"),
	R(3, 0, 2, 0, 2, "tcr_el1"),
	R(3, 0, 4, 0, 0, "spsr_el1"),
	R(3, 0, 4, 0, 1, "elr_el1"),
	R(3, 0, 4, 1, 0, "sp_el0"),
	R(3, 0, 4, 2, 0, "spsel"),
	R(3, 0, 4, 2, 2, "currentel"),
	R(3, 0, 5, 2, 0, "esr_el1"),
	R(3, 0, 6, 0, 0, "far_el1"),
	R(3, 0, 7, 4, 0, "par_el1"),
	R(3, 0, 10, 2, 0, "mair_el1"),
	R(3, 0, 12, 0, 0, "vbar_el1"),
	R(3, 0, 12, 1, 0, "isr_el1"),
	R(3, 0, 13, 0, 1, "contextidr_el1"),
	R(3, 0, 13, 0, 4, "tpidr_el1"),
	R(3, 3, 0, 0, 1, "ctr_el0"),
	R(3, 3, 0, 0, 7, "dczid_el0"),
	R(3, 3, 4, 2, 0, "nzcv"),
	R(3, 3, 4, 2, 1, "daif"),
	R(3, 3, 4, 4, 0, "fpcr"),
	R(3, 3, 4, 4, 1, "fpsr"),
	R(3, 3, 13, 0, 2, "tpidr_el0"),
	R(3, 3, 13, 0, 3, "tpidrro_el0"),
	R(3, 3, 14, 0, 0, "cntfrq_el0"),
	R(3, 3, 14, 0, 1, "cntpct_el0"),
	R(3, 3, 14, 0, 2, "cntvct_el0"),
	R(3, 3, 14, 3, 0, "cntv_tval_el0"),
	R(3, 3, 14, 3, 1, "cntv_ctl_el0"),
	R(3, 3, 14, 3, 2, "cntv_cval_el0"),
	R(3, 0, 4, 6, 0, "icc_pmr_el1"),
	R(3, 0, 12, 12, 0, "icc_iar1_el1"),
	R(3, 0, 12, 12, 1, "icc_eoir1_el1"),
	R(3, 0, 12, 11, 5, "icc_sgi1r_el1"),
#undef R
};

static void dis_sysreg_name(struct dis *d)
{
	u32 id = d->i->imm;

	for (size_t k = 0; k < ARRAY_SIZE(sysregs); k++)
		if (sysregs[k].id == id) {
			dis_op(d, "%s", sysregs[k].name);
			return;
		}
	dis_op(d, "s%u_%u_c%u_c%u_%u", id >> 14, field(id, 11, 3), field(id, 7, 4), field(id, 3, 4),
	       field(id, 0, 3));
}

static void dis_sysreg(struct dis *d)
{
	const struct a64_insn *i = d->i;

	switch (i->op) {
	case A64_MRS:
		dis_raw(d, "mrs");
		dis_rd(d, false);
		dis_sysreg_name(d);
		return;
	case A64_MSR_reg:
		dis_raw(d, "msr");
		dis_sysreg_name(d);
		dis_rd(d, false);
		return;
	}
	dis_mnem(d, NULL, "", "");
	if (i->op == A64_SYSL)
		dis_rd(d, false);
	dis_op(d, "#%u", field(i->imm, 11, 3));
	dis_op(d, "C%u", field(i->imm, 7, 4));
	dis_op(d, "C%u", field(i->imm, 3, 4));
	dis_op(d, "#%u", field(i->imm, 0, 3));
	if (i->op == A64_SYS && i->rd != 31)
		dis_rd(d, false);
}

static void dis_msr_imm(struct dis *d)
{
	const char *name = "?";

	switch (d->i->imms) {
	case 003: name = "uao"; break;
	case 004: name = "pan"; break;
	case 005: name = "spsel"; break;
	case 031: name = "ssbs"; break;
	case 032: name = "dit"; break;
	case 036: name = "daifset"; break;
	case 037: name = "daifclr"; break;
	}
	dis_raw(d, "msr");
	dis_op(d, "%s", name);
	dis_hex(d, d->i->imm);
}

static void dis_barrier(struct dis *d)
{
	static const char *const names[16] = {"#0x00", "oshld", "oshst", "osh",	  "#0x04", "nshld",
					      "nshst", "nsh",	"#0x08", "ishld", "ishst", "ish",
					      "#0x0c", "ld",	"st",	 "sy"};
	const struct a64_insn *i = d->i;
	bool domain = i->op == A64_DSB || i->op == A64_DMB;

	if (i->op == A64_DSB && (i->imm == 0 || i->imm == 4)) {
		dis_raw(d, i->imm ? "pssbb" : "ssbb");
		return;
	}
	dis_mnem(d, NULL, "", "");
	if (domain)
		dis_op(d, "%s", names[i->imm]);
	else if (i->imm != 15)
		dis_hex(d, i->imm);
}

static void dis_hint(struct dis *d)
{
	static const char *const bti[4] = {"", " c", " j", " jc"};

	if (d->i->op == A64_BTI)
		dis_raw(d, "bti%s", bti[d->i->imm >> 1 & 3]);
	else
		dis_raw(d, "hint #0x%x", (unsigned)d->i->imm);
}

static void dis_branch(struct dis *d, enum a64_form form)
{
	const struct a64_insn *i = d->i;

	if (form == FORM_bcond) {
		dis_raw(d, "b.%s", dis_cond(i->cond));
	} else {
		dis_mnem(d, NULL, "", "");
		if (form != FORM_b)
			dis_rd(d, false);
		if (form == FORM_tbz)
			dis_op(d, "#%u", i->amount);
	}
	dis_label(d);
}

static void dis_form_rn(struct dis *d)
{
	dis_mnem(d, NULL, "", "");
	if (d->i->op != A64_RET || d->i->rn != 30)
		dis_reg(d, d->i->rn, d->i->op != A64_SETF8 && d->i->op != A64_SETF16, false);
}

/* ---- loads and stores ---- */

void dis_mem(struct dis *d)
{
	const struct a64_insn *i = d->i;
	char base[8];

	if (i->amode == A64_AM_LIT) {
		dis_label(d);
		return;
	}
	snprintf(base, sizeof(base), i->rn == 31 ? "sp" : "x%u", i->rn);
	if (i->amode == A64_AM_POST) {
		dis_op(d, "[%s], #%" PRId64, base, i->imm);
	} else if (i->amode == A64_AM_PRE) {
		dis_op(d, "[%s, #%" PRId64 "]!", base, i->imm);
	} else if (i->amode == A64_AM_REG) {
		bool s = field(i->raw, 12, 1), lsl = i->shift == A64_UXTX;
		dis_op(d, "[%s", base);
		dis_reg(d, i->rm, i->shift & 1, false);
		if (s)
			dis_op(d, "%s #%u]", lsl ? "lsl" : extend_names[i->shift], i->amount);
		else if (lsl)
			dis_raw(d, "]");
		else
			dis_op(d, "%s]", extend_names[i->shift]);
	} else if (i->imm) {
		dis_op(d, "[%s, #%" PRId64 "]", base, i->imm);
	} else {
		dis_op(d, "[%s]", base);
	}
}

static void dis_data_reg(struct dis *d, unsigned r)
{
	if (d->i->vec)
		dis_op(d, "%c%u", "bhsdq"[d->i->size], r);
	else
		dis_reg(d, r, d->i->sf, false);
}

static const char *access_suffix(const struct a64_insn *i)
{
	static const char *const plain[4] = {"b", "h", "", ""};
	static const char *const sign[4] = {"sb", "sh", "sw", ""};

	return i->vec ? "" : i->sx ? sign[i->size & 3] : plain[i->size & 3];
}

static void dis_prfop(struct dis *d)
{
	static const char *const type[3] = {"pld", "pli", "pst"};
	u32 op = d->i->rd;

	if (op >> 3 < 3 && (op >> 1 & 3) < 3)
		dis_op(d, "%sl%u%s", type[op >> 3], (op >> 1 & 3) + 1, op & 1 ? "strm" : "keep");
	else
		dis_op(d, "#0x%02x", op);
}

static void dis_ldst(struct dis *d)
{
	const struct a64_insn *i = d->i;
	bool unscaled =
		field(i->raw, 24, 1) == 0 && !field(i->raw, 21, 1) && i->amode == A64_AM_IMM;
	const char *name = d->mnem;

	if (unscaled) {
		switch (i->op) {
		case A64_LDR:
		case A64_LDR_vec: name = "ldur"; break;
		case A64_STR:
		case A64_STR_vec: name = "stur"; break;
		case A64_PRFM: name = "prfum"; break;
		}
	}
	dis_mnem(d, name, i->op == A64_PRFM ? "" : access_suffix(i), "");
	if (i->op == A64_PRFM)
		dis_prfop(d);
	else
		dis_data_reg(d, i->rd);
	dis_mem(d);
}

static void dis_ldp(struct dis *d)
{
	const struct a64_insn *i = d->i;
	bool na = !field(i->raw, 23, 2);

	if (na)
		dis_mnem(d, i->op == A64_LDP || i->op == A64_LDP_vec ? "ldnp" : "stnp", "", "");
	else
		dis_mnem(d, NULL, "", "");
	dis_data_reg(d, i->rd);
	dis_data_reg(d, i->ra);
	dis_mem(d);
}

static void dis_excl(struct dis *d)
{
	const struct a64_insn *i = d->i;
	bool pair =
		i->op == A64_STXP || i->op == A64_STLXP || i->op == A64_LDXP || i->op == A64_LDAXP;

	dis_mnem(d, NULL, access_suffix(i), "");
	if (i->op == A64_STXR || i->op == A64_STLXR || i->op == A64_STXP || i->op == A64_STLXP)
		dis_reg(d, i->rs, false, false);
	dis_rd(d, false);
	if (pair)
		dis_reg(d, i->ra, i->sf, false);
	dis_mem(d);
}

static void dis_lse(struct dis *d)
{
	static const char *const order[4] = {"", "a", "l", "al"};
	const struct a64_insn *i = d->i;
	bool st = i->rd == 31 && !(i->cond & 1) && i->op >= A64_LDADD && i->op <= A64_LDUMIN;

	if (st)
		memcpy(d->mnem, "st", 2);
	dis_mnem(d, NULL, order[i->cond], i->op == A64_CASP ? "" : access_suffix(i));
	dis_reg(d, i->rs, i->sf, false);
	if (i->op == A64_CASP)
		dis_reg(d, i->rs + 1, i->sf, false);
	if (!st)
		dis_rd(d, false);
	if (i->op == A64_CASP)
		dis_reg(d, i->rd + 1, i->sf, false);
	dis_mem(d);
}

/* ---- by form ---- */

static bool dis_int(struct dis *d, enum a64_form form)
{
	switch (form) {
	case FORM_none: dis_mnem(d, NULL, "", ""); break;
	case FORM_adr: dis_adr(d); break;
	case FORM_addsub_imm: dis_addsub_imm(d); break;
	case FORM_log_imm: dis_log_imm(d); break;
	case FORM_movw: dis_movw(d); break;
	case FORM_bfm: dis_bfm(d); break;
	case FORM_extr: dis_extr(d); break;
	case FORM_addsub_shift:
	case FORM_log_shift: dis_shifted(d); break;
	case FORM_addsub_ext: dis_extended(d); break;
	case FORM_rrr: dis_rrr(d); break;
	case FORM_rr:
		dis_mnem(d, NULL, "", "");
		dis_rd(d, false);
		dis_rn(d, false);
		break;
	case FORM_rrrr: dis_rrrr(d); break;
	case FORM_crc: dis_crc(d); break;
	case FORM_rmif:
		dis_mnem(d, NULL, "", "");
		dis_rn(d, false);
		dis_op(d, "#%u", d->i->imms);
		dis_op(d, "#%u", d->i->amount);
		break;
	case FORM_ccmp_reg:
	case FORM_ccmp_imm: dis_ccmp(d); break;
	case FORM_csel: dis_csel(d); break;
	case FORM_b:
	case FORM_bcond:
	case FORM_cbz:
	case FORM_tbz: dis_branch(d, form); break;
	case FORM_rn: dis_form_rn(d); break;
	case FORM_rd:
		dis_mnem(d, NULL, "", "");
		dis_rd(d, false);
		break;
	case FORM_exc:
		dis_mnem(d, NULL, "", "");
		dis_hex(d, d->i->imm);
		break;
	case FORM_hint: dis_hint(d); break;
	case FORM_barrier: dis_barrier(d); break;
	case FORM_sysreg: dis_sysreg(d); break;
	case FORM_msr_imm: dis_msr_imm(d); break;
	case FORM_ldst_uimm:
	case FORM_ldst_imm9:
	case FORM_ldst_reg:
	case FORM_ld_lit:
	case FORM_ldst_uimm_v:
	case FORM_ldst_imm9_v:
	case FORM_ldst_reg_v:
	case FORM_ld_lit_v: dis_ldst(d); break;
	case FORM_ldp:
	case FORM_ldp_v: dis_ldp(d); break;
	case FORM_excl: dis_excl(d); break;
	case FORM_lse:
	case FORM_lse_cas: dis_lse(d); break;
	default: return false;
	}
	return true;
}

int a64_disas(const struct a64_insn *insn, u64 pc, char *buf, size_t cap)
{
	struct dis d = {.i = insn, .pc = pc, .buf = buf, .cap = cap};
	const char *name = a64_op_name(insn->op);

	if (cap)
		buf[0] = 0;
	for (size_t k = 0; name[k] && name[k] != '_' && k < sizeof(d.mnem) - 1; k++)
		d.mnem[k] = tolower((unsigned char)name[k]);
	if (insn->op == A64_UNDEF) {
		dis_raw(&d, ".inst 0x%08x", insn->raw);
	} else if (!dis_int(&d, a64_op_form(insn->op)) && !dis_simd(&d, a64_op_form(insn->op))) {
		dis_raw(&d, "%s", d.mnem);
	}
	return d.len;
}

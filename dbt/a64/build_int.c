/* SPDX-License-Identifier: MIT */
/*
 * C builders of the integer instructions: what runs with dbt.rules = none, and what no rule covers.
 * Loads and stores are in build_mem.c, system instructions in build_sys.c.
 */
#include "dbt/a64/build.h"

static struct hir_buf *B(struct tr *tr)
{
	return &tr->hir;
}

static s64 here(const struct tr *tr)
{
	return tr->page_off + 4 * (s64)tr->i;
}

/* Rm as shifted by the instruction. */
static struct hir_opnd shifted(struct tr *tr, const struct a64_insn *in, unsigned w)
{
	static const enum hir_op op[] = {HIR_SHL, HIR_SHR, HIR_SAR, HIR_ROR};
	struct hir_opnd m = hx(in->rm), t;

	if (!in->amount || m.kind == H_IMM)
		return m;
	t = htmp(B(tr));
	hir_emit(B(tr), op[in->shift], w, t, m, himm(in->amount));
	return t;
}

/* Rm extended and shifted left: the operand of ADD (extended register) and of register offsets. */
struct hir_opnd build_extended(struct tr *tr, unsigned rm, unsigned ext, unsigned amount)
{
	static const enum hir_op op[] = {HIR_ZX8, HIR_ZX16, HIR_ZX32, HIR_MOV,
					 HIR_SX8, HIR_SX16, HIR_SX32, HIR_MOV};
	struct hir_opnd m = hx(rm), t;

	if (m.kind == H_IMM || (op[ext] == HIR_MOV && !amount))
		return m;
	t = htmp(B(tr));
	if (op[ext] == HIR_MOV) {
		hir_emit(B(tr), HIR_SHL, 8, t, m, himm(amount));
		return t;
	}
	hir2(B(tr), op[ext], 8, t, m);
	if (amount)
		hir_emit(B(tr), HIR_SHL, 8, t, t, himm(amount));
	return t;
}

static int arith(struct tr *tr, const struct a64_insn *in, enum hir_op op, bool s,
		 struct hir_opnd b, bool rd_sp, bool rn_sp)
{
	unsigned w = in->sf ? 8 : 4;
	struct hir_opnd d = rd_sp ? hxsp(in->rd) : hd(in->rd),
			a = rn_sp ? hxsp(in->rn) : hx(in->rn);

	if (!s && b.kind == H_IMM && b.imm == 0 && (op == HIR_ADD || op == HIR_SUB))
		hir2(B(tr), HIR_MOV, w, d, a);
	else
		hir_emit(B(tr), op, w, d, a, b)->setf = s;
	return 0;
}

static int logic(struct tr *tr, const struct a64_insn *in, enum hir_op op, bool s,
		 struct hir_opnd b, bool rd_sp)
{
	unsigned w = in->sf ? 8 : 4;
	struct hir_opnd d = rd_sp ? hxsp(in->rd) : hd(in->rd), a = hx(in->rn);

	if (!s && a.kind == H_IMM) { /* MOV, MVN aliases */
		if (op == HIR_OR || op == HIR_XOR) {
			hir2(B(tr), HIR_MOV, w, d, b);
			return 0;
		}
		if (op == HIR_ORN || op == HIR_EON) {
			hir2(B(tr), HIR_NOT, w, d, b);
			return 0;
		}
	}
	hir_emit(B(tr), op, w, d, a, b)->setf = s;
	return 0;
}

static int addsub(struct tr *tr, const struct a64_insn *in)
{
	unsigned w = in->sf ? 8 : 4;

	switch (in->op) {
	case A64_ADD_imm: return arith(tr, in, HIR_ADD, false, himm(in->imm), true, true);
	case A64_ADDS_imm: return arith(tr, in, HIR_ADD, true, himm(in->imm), false, true);
	case A64_SUB_imm: return arith(tr, in, HIR_SUB, false, himm(in->imm), true, true);
	case A64_SUBS_imm: return arith(tr, in, HIR_SUB, true, himm(in->imm), false, true);
	case A64_ADD_shift: return arith(tr, in, HIR_ADD, false, shifted(tr, in, w), false, false);
	case A64_ADDS_shift: return arith(tr, in, HIR_ADD, true, shifted(tr, in, w), false, false);
	case A64_SUB_shift: return arith(tr, in, HIR_SUB, false, shifted(tr, in, w), false, false);
	case A64_SUBS_shift: return arith(tr, in, HIR_SUB, true, shifted(tr, in, w), false, false);
	case A64_ADC: return arith(tr, in, HIR_ADC, false, hx(in->rm), false, false);
	case A64_ADCS: return arith(tr, in, HIR_ADC, true, hx(in->rm), false, false);
	case A64_SBC: return arith(tr, in, HIR_SBC, false, hx(in->rm), false, false);
	case A64_SBCS: return arith(tr, in, HIR_SBC, true, hx(in->rm), false, false);
	default: break;
	}
	struct hir_opnd m = build_extended(tr, in->rm, in->shift, in->amount);

	switch (in->op) {
	case A64_ADD_ext: return arith(tr, in, HIR_ADD, false, m, true, true);
	case A64_ADDS_ext: return arith(tr, in, HIR_ADD, true, m, false, true);
	case A64_SUB_ext: return arith(tr, in, HIR_SUB, false, m, true, true);
	default: return arith(tr, in, HIR_SUB, true, m, false, true);
	}
}

static int logical(struct tr *tr, const struct a64_insn *in)
{
	unsigned w = in->sf ? 8 : 4;

	switch (in->op) {
	case A64_AND_imm: return logic(tr, in, HIR_AND, false, himm(in->imm), true);
	case A64_ORR_imm: return logic(tr, in, HIR_OR, false, himm(in->imm), true);
	case A64_EOR_imm: return logic(tr, in, HIR_XOR, false, himm(in->imm), true);
	case A64_ANDS_imm: return logic(tr, in, HIR_AND, true, himm(in->imm), false);
	case A64_AND_shift: return logic(tr, in, HIR_AND, false, shifted(tr, in, w), false);
	case A64_BIC_shift: return logic(tr, in, HIR_BIC, false, shifted(tr, in, w), false);
	case A64_ORR_shift: return logic(tr, in, HIR_OR, false, shifted(tr, in, w), false);
	case A64_ORN_shift: return logic(tr, in, HIR_ORN, false, shifted(tr, in, w), false);
	case A64_EOR_shift: return logic(tr, in, HIR_XOR, false, shifted(tr, in, w), false);
	case A64_EON_shift: return logic(tr, in, HIR_EON, false, shifted(tr, in, w), false);
	case A64_ANDS_shift: return logic(tr, in, HIR_AND, true, shifted(tr, in, w), false);
	default: return logic(tr, in, HIR_BIC, true, shifted(tr, in, w), false);
	}
}

static u64 ones(unsigned n)
{
	return n >= 64 ? ~0ull : BIT(n) - 1;
}

/* d = a & mask, the cheap ways first. */
static void and_mask(struct tr *tr, unsigned w, struct hir_opnd d, struct hir_opnd a,
		     unsigned width)
{
	if (width == 8)
		hir2(B(tr), HIR_ZX8, w, d, a);
	else if (width == 16)
		hir2(B(tr), HIR_ZX16, w, d, a);
	else if (width == 32)
		hir2(B(tr), HIR_ZX32, w, d, a);
	else
		hir_emit(B(tr), HIR_AND, w, d, a, himm((s64)ones(width)));
}

static int ubfm(struct tr *tr, const struct a64_insn *in)
{
	unsigned w = in->sf ? 8 : 4, bits = w * 8, r = in->immr, s = in->imms;
	struct hir_opnd d = hd(in->rd), n = hx(in->rn), t;

	if (s == bits - 1) { /* LSR */
		hir_emit(B(tr), HIR_SHR, w, d, n, himm(r));
	} else if (s + 1 == r) { /* LSL */
		hir_emit(B(tr), HIR_SHL, w, d, n, himm(bits - r));
	} else if (s >= r) { /* UBFX */
		if (!r) {
			and_mask(tr, w, d, n, s + 1);
			return 0;
		}
		t = htmp(B(tr));
		hir_emit(B(tr), HIR_SHR, w, t, n, himm(r));
		if (s - r + 1 < 32) {
			and_mask(tr, w, d, t, s - r + 1);
		} else {
			hir_emit(B(tr), HIR_SHL, w, t, n, himm(bits - 1 - s));
			hir_emit(B(tr), HIR_SHR, w, d, t, himm(bits - 1 - s + r));
		}
	} else { /* UBFIZ */
		t = htmp(B(tr));
		hir_emit(B(tr), HIR_SHL, w, t, n, himm(bits - 1 - s));
		hir_emit(B(tr), HIR_SHR, w, d, t, himm(r - 1 - s));
	}
	return 0;
}

static int sbfm(struct tr *tr, const struct a64_insn *in)
{
	unsigned w = in->sf ? 8 : 4, bits = w * 8, r = in->immr, s = in->imms;
	struct hir_opnd d = hd(in->rd), n = hx(in->rn), t;

	if (s == bits - 1) {
		hir_emit(B(tr), HIR_SAR, w, d, n, himm(r));
	} else if (!r && (s == 7 || s == 15 || s == 31)) {
		hir2(B(tr), s == 7 ? HIR_SX8 : s == 15 ? HIR_SX16 : HIR_SX32, w, d, n);
	} else {
		t = htmp(B(tr));
		hir_emit(B(tr), HIR_SHL, w, t, n, himm(bits - 1 - s));
		hir_emit(B(tr), HIR_SAR, w, d, t, himm(s >= r ? bits - 1 - s + r : r - 1 - s));
	}
	return 0;
}

static int bfm(struct tr *tr, const struct a64_insn *in)
{
	unsigned w = in->sf ? 8 : 4, bits = w * 8, r = in->immr, s = in->imms;
	unsigned width = s >= r ? s - r + 1 : s + 1, lsb = s >= r ? 0 : bits - r;
	u64 mask = ones(width) << lsb;
	struct hir_opnd d = hd(in->rd), f = htmp(B(tr)), k = htmp(B(tr));

	if (in->rd == 31)
		return 0;
	if (w == 4)
		mask = (u32)mask;
	/* the field in place */
	if (s >= r && r) {
		hir_emit(B(tr), HIR_SHR, w, f, hx(in->rn), himm(r));
	} else if (s < r && lsb) {
		hir_emit(B(tr), HIR_SHL, w, f, hx(in->rn), himm(lsb));
	} else {
		hir2(B(tr), HIR_MOV, w, f, hx(in->rn));
	}
	hir_emit(B(tr), HIR_AND, w, f, f, himm((s64)mask));
	hir_emit(B(tr), HIR_AND, w, k, hxsp(in->rd), himm(w == 4 ? (s32)~mask : (s64)~mask));
	hir_emit(B(tr), HIR_OR, w, d, f, k);
	return 0;
}

static int movw(struct tr *tr, const struct a64_insn *in)
{
	unsigned w = in->sf ? 8 : 4;
	struct hir_opnd t;

	if (in->op != A64_MOVK) {
		hir2(B(tr), HIR_MOV, w, hd(in->rd), himm(in->imm));
		return 0;
	}
	if (in->rd == 31)
		return 0;
	t = htmp(B(tr));
	hir_emit(B(tr), HIR_AND, w, t, hxsp(in->rd), himm((s64) ~(0xffffull << in->amount)));
	if (in->imm)
		hir_emit(B(tr), HIR_OR, w, hd(in->rd), t, himm(in->imm));
	else
		hir2(B(tr), HIR_MOV, w, hd(in->rd), t);
	return 0;
}

static int csel(struct tr *tr, const struct a64_insn *in)
{
	unsigned w = in->sf ? 8 : 4;
	struct hir_opnd d = hd(in->rd), f = hx(in->rm), t;

	if (in->cond >= A64_AL) {
		hir2(B(tr), HIR_MOV, w, d, hx(in->rn));
		return 0;
	}
	if (in->rn == 31 && in->rm == 31 && (in->op == A64_CSINC || in->op == A64_CSINV)) {
		hir2(B(tr), in->op == A64_CSINC ? HIR_CSET : HIR_CSETM, w, d, hnone())->cc =
			in->cond ^ 1;
		return 0;
	}
	if (in->op != A64_CSEL) {
		/* flag-neutral operations only: the condition is read afterwards */
		t = htmp(B(tr));
		if (f.kind == H_IMM)
			hir2(B(tr), HIR_MOV, w, t,
			     himm(in->op == A64_CSINC	? 1
				  : in->op == A64_CSINV ? -1
							: 0));
		else if (in->op == A64_CSINC)
			hir_emit(B(tr), HIR_ADD, w, t, f, himm(1));
		else
			hir2(B(tr), HIR_NOT, w, t, f);
		if (in->op == A64_CSNEG && f.kind != H_IMM)
			hir_emit(B(tr), HIR_ADD, w, t, t, himm(1));
		f = t;
	}
	hir_emit(B(tr), HIR_CSEL, w, d, hx(in->rn), f)->cc = in->cond;
	return 0;
}

static int ccmp(struct tr *tr, const struct a64_insn *in)
{
	unsigned w = in->sf ? 8 : 4;
	bool imm = in->op == A64_CCMP_imm || in->op == A64_CCMN_imm;
	bool neg = in->op == A64_CCMN_imm || in->op == A64_CCMN_reg;
	struct hir_opnd b = imm ? himm(in->imm) : hx(in->rm);
	struct hir *h;

	if (in->cond >= A64_AL) {
		hir_emit(B(tr), neg ? HIR_ADD : HIR_SUB, w, hnone(), hx(in->rn), b)->setf = 1;
		return 0;
	}
	h = hir_emit(B(tr), neg ? HIR_CCMN : HIR_CCMP, w, hnone(), hx(in->rn), b);
	h->c = himm(in->amount);
	h->cc = in->cond;
	return 0;
}

static int mul(struct tr *tr, const struct a64_insn *in)
{
	unsigned w = in->sf ? 8 : 4;
	bool sub = in->op == A64_MSUB || in->op == A64_SMSUBL || in->op == A64_UMSUBL;
	struct hir_opnd n = hx(in->rn), m = hx(in->rm), d = hd(in->rd), t;

	if (in->op != A64_MADD && in->op != A64_MSUB) {
		enum hir_op ext =
			in->op == A64_SMADDL || in->op == A64_SMSUBL ? HIR_SX32 : HIR_ZX32;
		struct hir_opnd x = htmp(B(tr)), y = htmp(B(tr));

		hir2(B(tr), ext, 8, x, n);
		hir2(B(tr), ext, 8, y, m);
		n = x;
		m = y;
		w = 8;
	}
	if (in->ra == 31 && !sub) {
		hir_emit(B(tr), HIR_MUL, w, d, n, m);
		return 0;
	}
	t = htmp(B(tr));
	hir_emit(B(tr), HIR_MUL, w, t, n, m);
	hir_emit(B(tr), sub ? HIR_SUB : HIR_ADD, w, d, hx(in->ra), t);
	return 0;
}

static int two_source(struct tr *tr, const struct a64_insn *in, enum hir_op op)
{
	hir_emit(B(tr), op, in->sf ? 8 : 4, hd(in->rd), hx(in->rn), hx(in->rm));
	return 0;
}

static int one_source(struct tr *tr, const struct a64_insn *in, enum hir_op op)
{
	hir2(B(tr), op, in->sf ? 8 : 4, hd(in->rd), hx(in->rn));
	return 0;
}

static int extr(struct tr *tr, const struct a64_insn *in)
{
	unsigned w = in->sf ? 8 : 4;

	if (in->rn == in->rm)
		hir_emit(B(tr), HIR_ROR, w, hd(in->rd), hx(in->rn), himm(in->imms));
	else if (!in->imms)
		hir2(B(tr), HIR_MOV, w, hd(in->rd), hx(in->rm));
	else
		hir_emit(B(tr), HIR_SHRD, w, hd(in->rd), hx(in->rn), hx(in->rm))->c =
			himm(in->imms);
	return 0;
}

/* ---- flag manipulation and CRC32: rare, in C ---- */

static int helper_flagm(struct dbt_vcpu *cpu, u32 raw)
{
	u32 f = cpu_nzcv_get(cpu), n, z = f >> 2 & 1, c = f >> 1 & 1, v = f & 1, x, bit;
	struct a64_insn in;

	a64_decode(raw, &in);
	x = in.rn == 31 ? 0 : (u32)cpu->x[in.rn];
	switch (in.op) {
	case A64_CFINV: f ^= 2; break;
	case A64_XAFLAG: f = (!c && !z) << 3 | (z && c) << 2 | (c || z) << 1 | (!c && z); break;
	case A64_AXFLAG: f = (z || v) << 2 | (c && !v) << 1; break;
	case A64_RMIF: {
		u64 r = in.rn == 31 ? 0 : cpu->x[in.rn];

		r = in.imms ? r >> in.imms | r << (64 - in.imms) : r;
		f = (f & ~in.amount) | ((u32)r & in.amount);
		break;
	}
	default: /* SETF8, SETF16 */
		bit = in.op == A64_SETF8 ? 7 : 15;
		n = x >> bit & 1;
		z = !(x & ((2u << bit) - 1));
		f = n << 3 | z << 2 | c << 1 | ((x >> (bit + 1) ^ x >> bit) & 1);
		break;
	}
	cpu_nzcv_set(cpu, f);
	return HELPER_NEXT;
}

static u32 crc32_ieee(u32 crc, u64 data, unsigned bytes)
{
	for (unsigned i = 0; i < bytes * 8; i++) {
		crc = (crc >> 1) ^ (-((crc ^ (u32)data) & 1) & 0xedb88320u);
		data >>= 1;
	}
	return crc;
}

static int helper_crc32(struct dbt_vcpu *cpu, u32 raw)
{
	struct a64_insn in;
	u32 acc;
	u64 data;

	a64_decode(raw, &in);
	acc = in.rn == 31 ? 0 : (u32)cpu->x[in.rn];
	data = in.rm == 31 ? 0 : cpu->x[in.rm];
	if (in.rd != 31)
		cpu->x[in.rd] = crc32_ieee(acc, data, 1u << in.size);
	return HELPER_NEXT;
}

/* ---- branches ---- */

static int branch(struct tr *tr, const struct a64_insn *in)
{
	struct hir_opnd target = himm(here(tr) + in->imm);
	struct hir *h;

	tr->ended = true;
	switch (in->op) {
	case A64_B: hir2(B(tr), HIR_B, 8, hnone(), target); break;
	case A64_BL: hir2(B(tr), HIR_BL, 8, hnone(), target); break;
	case A64_B_cond:
		if (in->cond >= A64_AL)
			hir2(B(tr), HIR_B, 8, hnone(), target);
		else
			hir2(B(tr), HIR_BCC, 8, hnone(), target)->cc = in->cond;
		break;
	case A64_CBZ:
	case A64_CBNZ:
		hir_emit(B(tr), in->op == A64_CBZ ? HIR_BZ : HIR_BNZ, in->sf ? 8 : 4, hnone(),
			 target, hx(in->rd));
		break;
	case A64_TBZ:
	case A64_TBNZ:
		h = hir_emit(B(tr), in->op == A64_TBZ ? HIR_BTZ : HIR_BTNZ, in->sf ? 8 : 4, hnone(),
			     target, hx(in->rd));
		h->c = himm(in->amount);
		break;
	case A64_BR: hir2(B(tr), HIR_BR, 8, hnone(), hx(in->rn)); break;
	case A64_BLR: hir2(B(tr), HIR_BLR, 8, hnone(), hx(in->rn)); break;
	default: hir2(B(tr), HIR_RET, 8, hnone(), hx(in->rn)); break;
	}
	return 0;
}

int build_int(struct tr *tr, const struct a64_insn *in)
{
	switch (in->op) {
	case A64_ADD_imm:
	case A64_ADDS_imm:
	case A64_SUB_imm:
	case A64_SUBS_imm:
	case A64_ADD_shift:
	case A64_ADDS_shift:
	case A64_SUB_shift:
	case A64_SUBS_shift:
	case A64_ADD_ext:
	case A64_ADDS_ext:
	case A64_SUB_ext:
	case A64_SUBS_ext:
	case A64_ADC:
	case A64_ADCS:
	case A64_SBC:
	case A64_SBCS: return addsub(tr, in);
	case A64_AND_imm:
	case A64_ORR_imm:
	case A64_EOR_imm:
	case A64_ANDS_imm:
	case A64_AND_shift:
	case A64_BIC_shift:
	case A64_ORR_shift:
	case A64_ORN_shift:
	case A64_EOR_shift:
	case A64_EON_shift:
	case A64_ANDS_shift:
	case A64_BICS_shift: return logical(tr, in);
	case A64_MOVZ:
	case A64_MOVN:
	case A64_MOVK: return movw(tr, in);
	case A64_UBFM: return ubfm(tr, in);
	case A64_SBFM: return sbfm(tr, in);
	case A64_BFM: return bfm(tr, in);
	case A64_EXTR: return extr(tr, in);
	case A64_ADR: hir2(B(tr), HIR_PCADDR, 8, hd(in->rd), himm(here(tr) + in->imm)); return 0;
	case A64_ADRP: hir2(B(tr), HIR_PCADDR, 8, hd(in->rd), himm(in->imm)); return 0;
	case A64_CSEL:
	case A64_CSINC:
	case A64_CSINV:
	case A64_CSNEG: return csel(tr, in);
	case A64_CCMP_imm:
	case A64_CCMP_reg:
	case A64_CCMN_imm:
	case A64_CCMN_reg: return ccmp(tr, in);
	case A64_MADD:
	case A64_MSUB:
	case A64_SMADDL:
	case A64_SMSUBL:
	case A64_UMADDL:
	case A64_UMSUBL: return mul(tr, in);
	case A64_SMULH: return two_source(tr, in, HIR_SMULH);
	case A64_UMULH: return two_source(tr, in, HIR_UMULH);
	case A64_SDIV: return two_source(tr, in, HIR_SDIV);
	case A64_UDIV: return two_source(tr, in, HIR_UDIV);
	case A64_LSLV: return two_source(tr, in, HIR_SHL);
	case A64_LSRV: return two_source(tr, in, HIR_SHR);
	case A64_ASRV: return two_source(tr, in, HIR_SAR);
	case A64_RORV: return two_source(tr, in, HIR_ROR);
	case A64_RBIT: return one_source(tr, in, HIR_RBIT);
	case A64_REV: return one_source(tr, in, HIR_BSWAP);
	case A64_REV16: return one_source(tr, in, HIR_BSWAP16);
	case A64_REV32: return one_source(tr, in, HIR_BSWAP32);
	case A64_CLZ: return one_source(tr, in, HIR_CLZ);
	case A64_CLS: return one_source(tr, in, HIR_CLS);
	case A64_CRC32C:
		hir_emit(B(tr), HIR_CRC32C, 4, hd(in->rd), hx(in->rn), hx(in->rm))->c =
			himm(in->size);
		return 0;
	case A64_CRC32: hir_helper(B(tr), helper_crc32, in->raw); return 0;
	case A64_RMIF:
	case A64_SETF8:
	case A64_SETF16:
	case A64_CFINV:
	case A64_XAFLAG:
	case A64_AXFLAG: hir_helper(B(tr), helper_flagm, in->raw); return 0;
	case A64_B:
	case A64_BL:
	case A64_B_cond:
	case A64_CBZ:
	case A64_CBNZ:
	case A64_TBZ:
	case A64_TBNZ:
	case A64_BR:
	case A64_BLR:
	case A64_RET: return branch(tr, in);
	default: return build_mem(tr, in);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * A64 semantics, after the operation pseudocode of DDI 0487, C6.2. Deliberately written from that
 * text and not from hir.h, so that an error in one model shows as a failed proof.
 */
#include "dbt/a64/insn.h"
#include "rules/prove/sem.h"

struct actx {
	struct sstate *st;
	struct sem *s;
	const struct gterm *g;
	unsigned w;
};

/* Source register, low w bits. */
static term rd_reg(struct actx *c, int reg)
{
	return bv_low(c->s, st_read(c->st, reg), c->w);
}

static void wr_reg(struct actx *c, int reg, term v)
{
	st_write(c->st, reg, bv_zext(c->s, v, 64));
}

static term imm_w(struct actx *c, term imm)
{
	return bv_low(c->s, imm, c->w);
}

/* AddWithCarry(): result, and the flags when asked. */
static term add_with_carry(struct actx *c, term x, term y, term carry, bool flags)
{
	struct sem *s = c->s;
	unsigned w = c->w;
	term usum, ssum, r;

	usum = Z3_mk_bvadd(s->z, Z3_mk_bvadd(s->z, bv_zext(s, x, w + 1), bv_zext(s, y, w + 1)),
			   bv_zext(s, carry, w + 1));
	r = bv_low(s, usum, w);
	if (!flags)
		return r;
	ssum = Z3_mk_bvadd(s->z, Z3_mk_bvadd(s->z, bv_sext(s, x, w + 2), bv_sext(s, y, w + 2)),
			   bv_zext(s, carry, w + 2));
	c->st->n = bv_ext(s, r, w - 1, w - 1);
	c->st->z = bv_bool(s, bv_eq(s, r, bv_num(s, 0, w)));
	c->st->c = bv_bool(s, bv_not1(s, bv_eq(s, bv_zext(s, r, w + 1), usum)));
	c->st->v = bv_bool(s, bv_not1(s, bv_eq(s, bv_sext(s, r, w + 2), ssum)));
	return r;
}

static term addsub(struct actx *c, term x, term y, bool sub, bool flags)
{
	struct sem *s = c->s;

	return add_with_carry(c, x, sub ? Z3_mk_bvnot(s->z, y) : y, bv_num(s, sub, 1), flags);
}

static void logic_flags(struct actx *c, term r)
{
	struct sem *s = c->s;

	c->st->n = bv_ext(s, r, c->w - 1, c->w - 1);
	c->st->z = bv_bool(s, bv_eq(s, r, bv_num(s, 0, c->w)));
	c->st->c = bv_num(s, 0, 1);
	c->st->v = bv_num(s, 0, 1);
}

static term shift_value(struct actx *c, term v, int kind, term amount)
{
	struct sem *s = c->s;
	term n = bv_count_mod(s, amount, c->w);

	switch (kind) {
	case A64_LSL: return Z3_mk_bvshl(s->z, v, n);
	case A64_LSR: return Z3_mk_bvlshr(s->z, v, n);
	case A64_ASR: return Z3_mk_bvashr(s->z, v, n);
	default: return bv_ror(s, v, n);
	}
}

/* ExtendReg(): to `bits` bits, then shifted left. */
static term extend_value(struct actx *c, term v64, int kind, term amount, unsigned bits)
{
	struct sem *s = c->s;
	unsigned len = 8u << (kind & 3);
	term v;

	if (len > bits)
		len = bits;
	v = bv_low(s, v64, len);
	v = kind & 4 ? bv_sext(s, v, bits) : bv_zext(s, v, bits);
	return Z3_mk_bvshl(s->z, v, bv_low(s, amount, bits));
}

static term shifted_rm(struct actx *c)
{
	return shift_value(c, rd_reg(c, c->g->rm), c->g->shift, c->g->amount);
}

static term extended_rm(struct actx *c)
{
	return extend_value(c, st_read(c->st, c->g->rm), c->g->shift, c->g->amount, c->w);
}

/* Second operand of the op's form. */
static term operand2(struct actx *c, int form)
{
	return form == 'i' ? imm_w(c, c->g->imm) : form == 'e' ? extended_rm(c) : shifted_rm(c);
}

static void arith(struct actx *c, int form, bool sub, bool flags)
{
	wr_reg(c, c->g->rd, addsub(c, rd_reg(c, c->g->rn), operand2(c, form), sub, flags));
}

static void logic(struct actx *c, int form, char op, bool invert, bool flags)
{
	struct sem *s = c->s;
	term x = rd_reg(c, c->g->rn), y = operand2(c, form), r;

	if (invert)
		y = Z3_mk_bvnot(s->z, y);
	r = op == '&'	? Z3_mk_bvand(s->z, x, y)
	    : op == '|' ? Z3_mk_bvor(s->z, x, y)
			: Z3_mk_bvxor(s->z, x, y);
	if (flags)
		logic_flags(c, r);
	wr_reg(c, c->g->rd, r);
}

/* DecodeBitMasks() with immN = sf: wmask and tmask from S and R; then the three moves. */
static void bitfield(struct actx *c, char kind)
{
	struct sem *s = c->s;
	unsigned w = c->w;
	term src = rd_reg(c, c->g->rn), dst = rd_reg(c, c->g->rd);
	term rot = bv_count_mod(s, c->g->immr, w), len = bv_count_mod(s, c->g->imms, w);
	term one = bv_num(s, 1, w), levels = bv_num(s, w - 1, w);
	term diff = Z3_mk_bvand(s->z, Z3_mk_bvsub(s->z, len, rot), levels);
	term wmask = bv_ror(s, bv_ones(s, Z3_mk_bvadd(s->z, len, one), w), rot);
	term tmask = bv_ones(s, Z3_mk_bvadd(s->z, diff, one), w);
	term bot, top, sign;

	bot = Z3_mk_bvand(s->z, bv_ror(s, src, rot), wmask);
	top = bv_num(s, 0, w);
	if (kind == 's') {
		sign = bv_ext(s, Z3_mk_bvlshr(s->z, src, len), 0, 0);
		top = bv_sext(s, sign, w);
	} else if (kind == 'b') {
		bot = Z3_mk_bvor(s->z, Z3_mk_bvand(s->z, dst, Z3_mk_bvnot(s->z, wmask)), bot);
		top = dst;
	}
	wr_reg(c, c->g->rd,
	       Z3_mk_bvor(s->z, Z3_mk_bvand(s->z, top, Z3_mk_bvnot(s->z, tmask)),
			  Z3_mk_bvand(s->z, bot, tmask)));
}

static void extr(struct actx *c)
{
	struct sem *s = c->s;
	term cat = Z3_mk_concat(s->z, rd_reg(c, c->g->rn), rd_reg(c, c->g->rm));
	term n = bv_zext(s, bv_low(s, c->g->imms, 6), 2 * c->w);

	wr_reg(c, c->g->rd, bv_low(s, Z3_mk_bvlshr(s->z, cat, n), c->w));
}

static void movk(struct actx *c)
{
	struct sem *s = c->s;
	term pos = bv_low(s, c->g->amount, c->w);
	term mask = Z3_mk_bvshl(s->z, bv_num(s, 0xffff, c->w), pos);
	term old = Z3_mk_bvand(s->z, rd_reg(c, c->g->rd), Z3_mk_bvnot(s->z, mask));

	wr_reg(c, c->g->rd, Z3_mk_bvor(s->z, old, Z3_mk_bvand(s->z, imm_w(c, c->g->imm), mask)));
}

static void carry(struct actx *c, bool sub, bool flags)
{
	term y = rd_reg(c, c->g->rm);

	if (sub)
		y = Z3_mk_bvnot(c->s->z, y);
	wr_reg(c, c->g->rd, add_with_carry(c, rd_reg(c, c->g->rn), y, c->st->c, flags));
}

static term cond_of(struct actx *c)
{
	return bv_low(c->s, c->g->cond, 4);
}

static void csel(struct actx *c, bool inv, bool inc)
{
	struct sem *s = c->s;
	term no = rd_reg(c, c->g->rm);

	if (inv)
		no = Z3_mk_bvnot(s->z, no);
	if (inc)
		no = Z3_mk_bvadd(s->z, no, bv_num(s, 1, c->w));
	wr_reg(c, c->g->rd, bv_ite(s, st_cond(c->st, cond_of(c)), rd_reg(c, c->g->rn), no));
}

static void ccmp(struct actx *c, term y, bool sub)
{
	struct sem *s = c->s;
	struct sstate *st = c->st;
	term hold = st_cond(st, cond_of(c));

	addsub(c, rd_reg(c, c->g->rn), y, sub, true);
	st->n = bv_ite(s, hold, st->n, bv_ext(s, c->g->amount, 3, 3));
	st->z = bv_ite(s, hold, st->z, bv_ext(s, c->g->amount, 2, 2));
	st->c = bv_ite(s, hold, st->c, bv_ext(s, c->g->amount, 1, 1));
	st->v = bv_ite(s, hold, st->v, bv_ext(s, c->g->amount, 0, 0));
}

static void divide(struct actx *c, bool sign)
{
	struct sem *s = c->s;
	term x = rd_reg(c, c->g->rn), y = rd_reg(c, c->g->rm);
	term q = sign ? Z3_mk_bvsdiv(s->z, x, y) : Z3_mk_bvudiv(s->z, x, y);

	wr_reg(c, c->g->rd, bv_ite(s, bv_eq(s, y, bv_num(s, 0, c->w)), bv_num(s, 0, c->w), q));
}

static void shift_reg(struct actx *c, int kind)
{
	wr_reg(c, c->g->rd, shift_value(c, rd_reg(c, c->g->rn), kind, rd_reg(c, c->g->rm)));
}

static void madd(struct actx *c, bool sub)
{
	struct sem *s = c->s;
	term p = Z3_mk_bvmul(s->z, rd_reg(c, c->g->rn), rd_reg(c, c->g->rm));
	term a = rd_reg(c, c->g->ra);

	wr_reg(c, c->g->rd, sub ? Z3_mk_bvsub(s->z, a, p) : Z3_mk_bvadd(s->z, a, p));
}

static void maddl(struct actx *c, bool sub, bool sign)
{
	struct sem *s = c->s;
	term x = bv_low(s, st_read(c->st, c->g->rn), 32),
	     y = bv_low(s, st_read(c->st, c->g->rm), 32);
	term a = rd_reg(c, c->g->ra), p;

	x = sign ? bv_sext(s, x, 64) : bv_zext(s, x, 64);
	y = sign ? bv_sext(s, y, 64) : bv_zext(s, y, 64);
	p = Z3_mk_bvmul(s->z, x, y);
	wr_reg(c, c->g->rd, sub ? Z3_mk_bvsub(s->z, a, p) : Z3_mk_bvadd(s->z, a, p));
}

static void mulh(struct actx *c, bool sign)
{
	struct sem *s = c->s;
	term x = rd_reg(c, c->g->rn), y = rd_reg(c, c->g->rm);

	x = sign ? bv_sext(s, x, 128) : bv_zext(s, x, 128);
	y = sign ? bv_sext(s, y, 128) : bv_zext(s, y, 128);
	wr_reg(c, c->g->rd, bv_ext(s, Z3_mk_bvmul(s->z, x, y), 127, 64));
}

static void cls(struct actx *c)
{
	struct sem *s = c->s;
	term v = rd_reg(c, c->g->rn);
	/* CountLeadingZeroBits(x<N-1:1> EOR x<N-2:0>) */
	term x = Z3_mk_bvxor(s->z, bv_ext(s, v, c->w - 1, 1), bv_ext(s, v, c->w - 2, 0));

	wr_reg(c, c->g->rd, bv_zext(s, bv_clz(s, x), c->w));
}

/* ---- memory ---- */

static term load_value(struct actx *c, enum mem_type t, term addr)
{
	struct sem *s = c->s;
	term v = st_load(c->st, mem_log2(t, 0), addr);

	if (t >= MEM_SB)
		return bv_zext(s, bv_sext(s, v, c->w), 64);
	return bv_zext(s, v, 64);
}

static void mem_address(struct actx *c, term *addr, term *back)
{
	struct sem *s = c->s;
	const struct gterm *g = c->g;
	term base;

	*back = NULL;
	if (g->amode == A64_AM_LIT) {
		*addr = Z3_mk_bvadd(s->z, s->page_va, g->imm);
		return;
	}
	base = st_read(c->st, g->rn);
	if (g->amode == A64_AM_REG) {
		*addr = Z3_mk_bvadd(
			s->z, base,
			extend_value(c, st_read(c->st, g->rm), g->shift, g->amount, 64));
		return;
	}
	*addr = g->amode == A64_AM_POST ? base : Z3_mk_bvadd(s->z, base, g->imm);
	if (g->amode != A64_AM_IMM)
		*back = Z3_mk_bvadd(s->z, base, g->imm);
}

/*
 * Where the manual leaves the result open (write-back to the register loaded, a pair into one
 * register) this is one of the permitted outcomes: writes in the order first, second, base.
 */
static void load_store(struct actx *c, bool store, bool pair)
{
	struct sem *s = c->s;
	const struct gterm *g = c->g;
	term addr, back, addr2, v1 = NULL, v2 = NULL;
	unsigned size = mem_log2(g->mem, 0);

	mem_address(c, &addr, &back);
	addr2 = Z3_mk_bvadd(s->z, addr, bv_num(s, 1u << size, 64));
	if (store) {
		st_store(c->st, size, addr, st_read(c->st, g->rd));
		if (pair)
			st_store(c->st, size, addr2, st_read(c->st, g->ra));
	} else {
		v1 = load_value(c, g->mem, addr);
		if (pair)
			v2 = load_value(c, g->mem, addr2);
		st_write(c->st, g->rd, v1);
		if (pair)
			st_write(c->st, g->ra, v2);
	}
	if (back)
		st_write(c->st, g->rn, back);
}

/* ---- branches ---- */

static void jump(struct actx *c, term cond, term target)
{
	c->st->exit = EX_JUMP;
	c->st->taken = cond;
	c->st->target = target;
}

static void link(struct actx *c)
{
	st_write(c->st, sem_reg(c->s, "x30", bv_num(c->s, 30, 5), RC_ZR), c->s->ret_addr);
}

static void branch_reg(struct actx *c, enum exit_kind kind)
{
	c->st->exit = kind;
	c->st->taken = Z3_mk_true(c->s->z);
	c->st->target = st_read(c->st, c->g->rn);
	if (kind == EX_BLR)
		link(c);
}

static term reg_zero(struct actx *c)
{
	return bv_eq(c->s, rd_reg(c, c->g->rd), bv_num(c->s, 0, c->w));
}

static term bit_set(struct actx *c)
{
	struct sem *s = c->s;
	term v = st_read(c->st, c->g->rd);

	return bv_is1(
		s,
		bv_ext(s, Z3_mk_bvlshr(s->z, v, bv_zext(s, bv_low(s, c->g->amount, 6), 64)), 0, 0));
}

static int exec_branch(struct actx *c)
{
	struct sem *s = c->s;
	const struct gterm *g = c->g;

	switch (g->op) {
	case A64_B: jump(c, Z3_mk_true(s->z), g->imm); break;
	case A64_B_cond: jump(c, st_cond(c->st, cond_of(c)), g->imm); break;
	case A64_CBZ: jump(c, reg_zero(c), g->imm); break;
	case A64_CBNZ: jump(c, bv_not1(s, reg_zero(c)), g->imm); break;
	case A64_TBZ: jump(c, bv_not1(s, bit_set(c)), g->imm); break;
	case A64_TBNZ: jump(c, bit_set(c), g->imm); break;
	case A64_BL:
		jump(c, Z3_mk_true(s->z), g->imm);
		c->st->exit = EX_CALL;
		link(c);
		break;
	case A64_BR: branch_reg(c, EX_BR); break;
	case A64_BLR: branch_reg(c, EX_BLR); break;
	case A64_RET: branch_reg(c, EX_RET); break;
	case A64_ADR:
	case A64_ADRP: st_write(c->st, g->rd, Z3_mk_bvadd(s->z, s->page_va, g->imm)); break;
	default: return -1;
	}
	return 0;
}

static int exec_mem(struct actx *c)
{
	switch (c->g->op) {
	case A64_LDR:
	case A64_LDR_lit: load_store(c, false, false); break;
	case A64_STR: load_store(c, true, false); break;
	case A64_LDP:
	case A64_LDPSW: load_store(c, false, true); break;
	case A64_STP: load_store(c, true, true); break;
	default: return exec_branch(c);
	}
	return 0;
}

static int exec_reg(struct actx *c)
{
	const struct gterm *g = c->g;
	struct sem *s = c->s;

	switch (g->op) {
	case A64_ADC: carry(c, false, false); break;
	case A64_ADCS: carry(c, false, true); break;
	case A64_SBC: carry(c, true, false); break;
	case A64_SBCS: carry(c, true, true); break;
	case A64_CSEL: csel(c, false, false); break;
	case A64_CSINC: csel(c, false, true); break;
	case A64_CSINV: csel(c, true, false); break;
	case A64_CSNEG: csel(c, true, true); break;
	case A64_CCMP_reg: ccmp(c, rd_reg(c, g->rm), true); break;
	case A64_CCMN_reg: ccmp(c, rd_reg(c, g->rm), false); break;
	case A64_CCMP_imm: ccmp(c, imm_w(c, g->imm), true); break;
	case A64_CCMN_imm: ccmp(c, imm_w(c, g->imm), false); break;
	case A64_RBIT: wr_reg(c, g->rd, bv_bitrev(s, rd_reg(c, g->rn))); break;
	case A64_REV16: wr_reg(c, g->rd, bv_byterev(s, rd_reg(c, g->rn), 2)); break;
	case A64_REV32: wr_reg(c, g->rd, bv_byterev(s, rd_reg(c, g->rn), 4)); break;
	case A64_REV: wr_reg(c, g->rd, bv_byterev(s, rd_reg(c, g->rn), c->w / 8)); break;
	case A64_CLZ: wr_reg(c, g->rd, bv_clz(s, rd_reg(c, g->rn))); break;
	case A64_CLS: cls(c); break;
	case A64_UDIV: divide(c, false); break;
	case A64_SDIV: divide(c, true); break;
	case A64_LSLV: shift_reg(c, A64_LSL); break;
	case A64_LSRV: shift_reg(c, A64_LSR); break;
	case A64_ASRV: shift_reg(c, A64_ASR); break;
	case A64_RORV: shift_reg(c, A64_ROR); break;
	case A64_MADD: madd(c, false); break;
	case A64_MSUB: madd(c, true); break;
	case A64_SMADDL: maddl(c, false, true); break;
	case A64_SMSUBL: maddl(c, true, true); break;
	case A64_UMADDL: maddl(c, false, false); break;
	case A64_UMSUBL: maddl(c, true, false); break;
	case A64_SMULH: mulh(c, true); break;
	case A64_UMULH: mulh(c, false); break;
	case A64_NOP:
	case A64_YIELD: break;
	default: return exec_mem(c);
	}
	return 0;
}

int sem_a64(struct sstate *st, const struct gterm *g)
{
	struct actx ctx = {st, st->s, g, g->width}, *c = &ctx;

	switch (g->op) {
	case A64_ADD_imm: arith(c, 'i', false, false); break;
	case A64_ADDS_imm: arith(c, 'i', false, true); break;
	case A64_SUB_imm: arith(c, 'i', true, false); break;
	case A64_SUBS_imm: arith(c, 'i', true, true); break;
	case A64_ADD_shift: arith(c, 's', false, false); break;
	case A64_ADDS_shift: arith(c, 's', false, true); break;
	case A64_SUB_shift: arith(c, 's', true, false); break;
	case A64_SUBS_shift: arith(c, 's', true, true); break;
	case A64_ADD_ext: arith(c, 'e', false, false); break;
	case A64_ADDS_ext: arith(c, 'e', false, true); break;
	case A64_SUB_ext: arith(c, 'e', true, false); break;
	case A64_SUBS_ext: arith(c, 'e', true, true); break;
	case A64_AND_imm: logic(c, 'i', '&', false, false); break;
	case A64_ORR_imm: logic(c, 'i', '|', false, false); break;
	case A64_EOR_imm: logic(c, 'i', '^', false, false); break;
	case A64_ANDS_imm: logic(c, 'i', '&', false, true); break;
	case A64_AND_shift: logic(c, 's', '&', false, false); break;
	case A64_BIC_shift: logic(c, 's', '&', true, false); break;
	case A64_ORR_shift: logic(c, 's', '|', false, false); break;
	case A64_ORN_shift: logic(c, 's', '|', true, false); break;
	case A64_EOR_shift: logic(c, 's', '^', false, false); break;
	case A64_EON_shift: logic(c, 's', '^', true, false); break;
	case A64_ANDS_shift: logic(c, 's', '&', false, true); break;
	case A64_BICS_shift: logic(c, 's', '&', true, true); break;
	case A64_MOVZ:
	case A64_MOVN: wr_reg(c, g->rd, imm_w(c, g->imm)); break; /* imm is the final value */
	case A64_MOVK: movk(c); break;
	case A64_SBFM: bitfield(c, 's'); break;
	case A64_UBFM: bitfield(c, 'u'); break;
	case A64_BFM: bitfield(c, 'b'); break;
	case A64_EXTR: extr(c); break;
	default: return exec_reg(c);
	}
	return 0;
}

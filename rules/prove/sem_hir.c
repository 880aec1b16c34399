/* SPDX-License-Identifier: MIT */
/* Semantics of HIR integer operations, after the contract in dbt/hir.h. */
#include "dbt/hir.h"
#include "rules/prove/sem.h"

struct hctx {
	struct sstate *st;
	struct sem *s;
	const struct hterm *h;
	unsigned w; /* bits */
};

static term full(struct hctx *c, const struct hterm_opnd *o)
{
	switch (o->kind) {
	case HT_REG: return st_read(c->st, o->reg);
	case HT_TEMP: return c->st->temp[o->reg];
	case HT_VALUE: return o->val;
	default: return bv_num(c->s, 0, 64);
	}
}

static term src(struct hctx *c, const struct hterm_opnd *o)
{
	return bv_low(c->s, full(c, o), c->w);
}

/* A 4-byte result zero-extends. */
static void result(struct hctx *c, term v)
{
	v = bv_zext(c->s, v, 64);
	if (c->h->d.kind == HT_REG)
		st_write(c->st, c->h->d.reg, v);
	else if (c->h->d.kind == HT_TEMP)
		c->st->temp[c->h->d.reg] = v;
}

static void flags_nz(struct hctx *c, term r)
{
	struct sem *s = c->s;

	c->st->n = bv_bool(s, Z3_mk_bvslt(s->z, r, bv_num(s, 0, c->w)));
	c->st->z = bv_bool(s, bv_eq(s, r, bv_num(s, 0, c->w)));
}

/* a + b + cin: carry when the result is below an addend, overflow by the signs. */
static term add(struct hctx *c, term a, term b, term cin, bool setf)
{
	struct sem *s = c->s;
	term r = Z3_mk_bvadd(s->z, Z3_mk_bvadd(s->z, a, b), bv_zext(s, cin, c->w));
	term lt = Z3_mk_bvult(s->z, r, a), le = Z3_mk_bvule(s->z, r, a);
	term sa = bv_ext(s, a, c->w - 1, c->w - 1), sb = bv_ext(s, b, c->w - 1, c->w - 1),
	     sr = bv_ext(s, r, c->w - 1, c->w - 1);

	if (!setf)
		return r;
	flags_nz(c, r);
	c->st->c = bv_bool(s, bv_ite(s, bv_is1(s, cin), le, lt));
	c->st->v = Z3_mk_bvand(s->z, Z3_mk_bvnot(s->z, Z3_mk_bvxor(s->z, sa, sb)),
			       Z3_mk_bvxor(s->z, sa, sr));
	return r;
}

/* a - b - borrow: C = NOT borrow out. */
static term sub(struct hctx *c, term a, term b, term borrow, bool setf)
{
	struct sem *s = c->s;
	term r = Z3_mk_bvsub(s->z, Z3_mk_bvsub(s->z, a, b), bv_zext(s, borrow, c->w));
	term sa = bv_ext(s, a, c->w - 1, c->w - 1), sb = bv_ext(s, b, c->w - 1, c->w - 1),
	     sr = bv_ext(s, r, c->w - 1, c->w - 1);

	if (!setf)
		return r;
	flags_nz(c, r);
	c->st->c = bv_bool(
		s, bv_ite(s, bv_is1(s, borrow), Z3_mk_bvugt(s->z, a, b), Z3_mk_bvuge(s->z, a, b)));
	c->st->v = Z3_mk_bvand(s->z, Z3_mk_bvxor(s->z, sa, sb), Z3_mk_bvxor(s->z, sa, sr));
	return r;
}

static void logic(struct hctx *c, term r)
{
	if (c->h->setf) {
		flags_nz(c, r);
		c->st->c = bv_num(c->s, 0, 1);
		c->st->v = bv_num(c->s, 0, 1);
	}
	result(c, r);
}

static term count(struct hctx *c)
{
	return bv_count_mod(c->s, full(c, &c->h->b), c->w);
}

static void shrd(struct hctx *c)
{
	struct sem *s = c->s;
	term n = bv_zext(s, bv_low(s, full(c, &c->h->c), 6), 2 * c->w);
	term cat = Z3_mk_concat(s->z, src(c, &c->h->a), src(c, &c->h->b));

	result(c, bv_low(s, Z3_mk_bvlshr(s->z, cat, n), c->w));
}

static void lea(struct hctx *c)
{
	struct sem *s = c->s;
	term v = full(c, &c->h->a);

	if (c->h->b.kind != HT_NONE)
		v = Z3_mk_bvadd(s->z, v, Z3_mk_bvshl(s->z, full(c, &c->h->b), full(c, &c->h->c)));
	if (c->h->disp)
		v = Z3_mk_bvadd(s->z, v, c->h->disp);
	result(c, bv_low(s, v, c->w));
}

static void mulh(struct hctx *c, bool sign)
{
	struct sem *s = c->s;
	term a = full(c, &c->h->a), b = full(c, &c->h->b);

	a = sign ? bv_sext(s, a, 128) : bv_zext(s, a, 128);
	b = sign ? bv_sext(s, b, 128) : bv_zext(s, b, 128);
	result(c, bv_ext(s, Z3_mk_bvmul(s->z, a, b), 127, 64));
}

static void divide(struct hctx *c, bool sign)
{
	struct sem *s = c->s;
	term a = src(c, &c->h->a), b = src(c, &c->h->b);
	term q = sign ? Z3_mk_bvsdiv(s->z, a, b) : Z3_mk_bvudiv(s->z, a, b);

	result(c, bv_ite(s, bv_eq(s, b, bv_num(s, 0, c->w)), bv_num(s, 0, c->w), q));
}

static void extend(struct hctx *c, unsigned bits, bool sign)
{
	term v = bv_low(c->s, full(c, &c->h->a), bits);

	result(c, sign ? bv_sext(c->s, v, c->w) : bv_zext(c->s, v, c->w));
}

/* Leading bits equal to the sign, the sign itself not counted. */
static void cls(struct hctx *c)
{
	struct sem *s = c->s;
	term v = src(c, &c->h->a);
	term x = Z3_mk_bvxor(s->z, v, Z3_mk_bvashr(s->z, v, bv_num(s, 1, c->w)));

	result(c, Z3_mk_bvsub(s->z, bv_clz(s, x), bv_num(s, 1, c->w)));
}

static void ccmp(struct hctx *c, bool neg)
{
	struct sem *s = c->s;
	struct sstate *st = c->st;
	term hold = st_cond(st, c->h->cc), k = full(c, &c->h->c), zero = bv_num(s, 0, 1);
	term a = src(c, &c->h->a), b = src(c, &c->h->b);

	if (neg)
		add(c, a, b, zero, true);
	else
		sub(c, a, b, zero, true);
	st->n = bv_ite(s, hold, st->n, bv_ext(s, k, 3, 3));
	st->z = bv_ite(s, hold, st->z, bv_ext(s, k, 2, 2));
	st->c = bv_ite(s, hold, st->c, bv_ext(s, k, 1, 1));
	st->v = bv_ite(s, hold, st->v, bv_ext(s, k, 0, 0));
}

static term address(struct hctx *c)
{
	term a = full(c, &c->h->a);

	return c->h->disp ? Z3_mk_bvadd(c->s->z, a, c->h->disp) : a;
}

static void jump(struct hctx *c, term cond)
{
	c->st->exit = EX_JUMP;
	c->st->taken = cond;
	c->st->target = c->h->a.val;
}

static term b_zero(struct hctx *c)
{
	return bv_eq(c->s, src(c, &c->h->b), bv_num(c->s, 0, c->w));
}

static term b_bit(struct hctx *c)
{
	struct sem *s = c->s;

	return bv_is1(s, bv_ext(s, Z3_mk_bvlshr(s->z, full(c, &c->h->b), full(c, &c->h->c)), 0, 0));
}

static void link(struct hctx *c)
{
	st_write(c->st, sem_reg(c->s, "x30", bv_num(c->s, 30, 5), RC_ZR), c->s->ret_addr);
}

static void indirect(struct hctx *c, enum exit_kind kind)
{
	c->st->exit = kind;
	c->st->taken = Z3_mk_true(c->s->z);
	c->st->target = full(c, &c->h->a);
	if (kind == EX_BLR)
		link(c);
}

static int exec_control(struct hctx *c)
{
	struct sem *s = c->s;

	switch (c->h->op) {
	case HIR_B: jump(c, Z3_mk_true(s->z)); break;
	case HIR_BCC: jump(c, st_cond(c->st, c->h->cc)); break;
	case HIR_BZ: jump(c, b_zero(c)); break;
	case HIR_BNZ: jump(c, bv_not1(s, b_zero(c))); break;
	case HIR_BTZ: jump(c, bv_not1(s, b_bit(c))); break;
	case HIR_BTNZ: jump(c, b_bit(c)); break;
	case HIR_BL:
		jump(c, Z3_mk_true(s->z));
		c->st->exit = EX_CALL;
		link(c);
		break;
	case HIR_BR: indirect(c, EX_BR); break;
	case HIR_BLR: indirect(c, EX_BLR); break;
	case HIR_RET: indirect(c, EX_RET); break;
	default: return -1;
	}
	return 0;
}

static int exec_mem_flags(struct hctx *c)
{
	struct sem *s = c->s;
	const struct hterm *h = c->h;
	term one = bv_num(s, 1, c->w), zero = bv_num(s, 0, c->w), v;

	switch (h->op) {
	case HIR_LD:
		v = st_load(c->st, h->size, address(c));
		if ((8u << h->size) > c->w)
			v = bv_low(s, v, c->w);
		result(c, h->sx ? bv_sext(s, v, c->w) : v);
		break;
	case HIR_ST: st_store(c->st, h->size, address(c), full(c, &h->b)); break;
	case HIR_PCADDR: result(c, Z3_mk_bvadd(s->z, s->page_va, h->a.val)); break;
	case HIR_CSEL:
		result(c, bv_ite(s, st_cond(c->st, h->cc), src(c, &h->a), src(c, &h->b)));
		break;
	case HIR_CSET: result(c, bv_ite(s, st_cond(c->st, h->cc), one, zero)); break;
	case HIR_CINC:
		v = src(c, &h->a);
		result(c, bv_ite(s, st_cond(c->st, h->cc), Z3_mk_bvadd(s->z, v, one), v));
		break;
	case HIR_CSETM:
		result(c, bv_ite(s, st_cond(c->st, h->cc), bv_num(s, ~0ull, c->w), zero));
		break;
	case HIR_CCMP: ccmp(c, false); break;
	case HIR_CCMN: ccmp(c, true); break;
	default: return exec_control(c);
	}
	return 0;
}

static int exec_unary(struct hctx *c)
{
	struct sem *s = c->s;
	const struct hterm *h = c->h;

	switch (h->op) {
	case HIR_MOV: result(c, src(c, &h->a)); break;
	case HIR_NEG: result(c, Z3_mk_bvneg(s->z, src(c, &h->a))); break;
	case HIR_NOT: result(c, Z3_mk_bvnot(s->z, src(c, &h->a))); break;
	case HIR_ZX8: extend(c, 8, false); break;
	case HIR_ZX16: extend(c, 16, false); break;
	case HIR_ZX32: extend(c, 32, false); break;
	case HIR_SX8: extend(c, 8, true); break;
	case HIR_SX16: extend(c, 16, true); break;
	case HIR_SX32: extend(c, 32, true); break;
	case HIR_BSWAP: result(c, bv_byterev(s, src(c, &h->a), c->w / 8)); break;
	case HIR_BSWAP16: result(c, bv_byterev(s, src(c, &h->a), 2)); break;
	case HIR_BSWAP32: result(c, bv_byterev(s, src(c, &h->a), 4)); break;
	case HIR_RBIT: result(c, bv_bitrev(s, src(c, &h->a))); break;
	case HIR_CLZ: result(c, bv_clz(s, src(c, &h->a))); break;
	case HIR_CLS: cls(c); break;
	case HIR_CTZ: result(c, bv_clz(s, bv_bitrev(s, src(c, &h->a)))); break;
	default: return exec_mem_flags(c);
	}
	return 0;
}

int sem_hir(struct sstate *st, const struct hterm *h)
{
	struct hctx ctx = {st, st->s, h, h->w * 8}, *c = &ctx;
	struct sem *s = st->s;
	term zero = bv_num(s, 0, 1), a = src(c, &h->a), b = src(c, &h->b);

	switch (h->op) {
	case HIR_ADD: result(c, add(c, a, b, zero, h->setf)); break;
	case HIR_SUB: result(c, sub(c, a, b, zero, h->setf)); break;
	case HIR_ADC: result(c, add(c, a, b, st->c, h->setf)); break;
	case HIR_SBC: result(c, sub(c, a, b, Z3_mk_bvnot(s->z, st->c), h->setf)); break;
	case HIR_AND: logic(c, Z3_mk_bvand(s->z, a, b)); break;
	case HIR_OR: logic(c, Z3_mk_bvor(s->z, a, b)); break;
	case HIR_XOR: logic(c, Z3_mk_bvxor(s->z, a, b)); break;
	case HIR_BIC: logic(c, Z3_mk_bvand(s->z, a, Z3_mk_bvnot(s->z, b))); break;
	case HIR_ORN: logic(c, Z3_mk_bvor(s->z, a, Z3_mk_bvnot(s->z, b))); break;
	case HIR_EON: logic(c, Z3_mk_bvxor(s->z, a, Z3_mk_bvnot(s->z, b))); break;
	case HIR_SHL: result(c, Z3_mk_bvshl(s->z, a, count(c))); break;
	case HIR_SHR: result(c, Z3_mk_bvlshr(s->z, a, count(c))); break;
	case HIR_SAR: result(c, Z3_mk_bvashr(s->z, a, count(c))); break;
	case HIR_ROR: result(c, bv_ror(s, a, count(c))); break;
	case HIR_SHRD: shrd(c); break;
	case HIR_LEA: lea(c); break;
	case HIR_MUL: result(c, Z3_mk_bvmul(s->z, a, b)); break;
	case HIR_UMULH: mulh(c, false); break;
	case HIR_SMULH: mulh(c, true); break;
	case HIR_UDIV: divide(c, false); break;
	case HIR_SDIV: divide(c, true); break;
	default: return exec_unary(c);
	}
	return 0;
}

/* ---- demands on operand values ---- */

static term is_s32(struct sem *s, term v)
{
	return bv_eq(s, v, bv_sext(s, bv_low(s, v, 32), 64));
}

static term below(struct sem *s, term v, u64 n)
{
	return Z3_mk_bvult(s->z, v, bv_num(s, n, bv_bits(s, v)));
}

term sem_hir_wellformed(struct sem *s, const struct hterm *h)
{
	const struct hterm_opnd *o[] = {&h->a, &h->b, &h->c};
	term ok = Z3_mk_true(s->z);
	bool branch = h->op >= HIR_B && h->op <= HIR_RET;

	for (int i = 0; i < 3; i++)
		if (o[i]->kind == HT_VALUE && h->op != HIR_MOV && !(branch && i == 0))
			ok = bv_and2(s, ok, is_s32(s, o[i]->val));
	if (h->disp)
		ok = bv_and2(s, ok, is_s32(s, h->disp));
	if (h->cc)
		ok = bv_and2(s, ok, below(s, h->cc, 14));
	if ((h->op == HIR_SHL || h->op == HIR_SHR || h->op == HIR_SAR || h->op == HIR_ROR) &&
	    h->b.kind == HT_VALUE)
		ok = bv_and2(s, ok, below(s, h->b.val, h->w * 8));
	if (h->c.kind == HT_VALUE)
		ok = bv_and2(s, ok,
			     below(s, h->c.val,
				   h->op == HIR_LEA			    ? 4
				   : h->op == HIR_CCMP || h->op == HIR_CCMN ? 16
									    : h->w * 8));
	return ok;
}

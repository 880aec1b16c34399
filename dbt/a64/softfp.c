// SPDX-License-Identifier: MIT
/* Arm floating-point arithmetic in integers: unpacking, rounding, the four operations, comparisons.
 */
#include "dbt/a64/softfp_internal.h"

const struct fmt_info fp_fmts[5] = {
	[FP_H] = {16, 5, 10, -14},
	[FP_S] = {32, 8, 23, -126},
	[FP_D] = {64, 11, 52, -1022},
	[FP_BF16] = {16, 8, 7, -126},
};

u64 fp_zero_of(enum fp_fmt f, bool sign)
{
	return sign ? fp_sign_bit(f) : 0;
}

u64 fp_inf_of(enum fp_fmt f, bool sign)
{
	const struct fmt_info *i = &fp_fmts[f];

	return fp_zero_of(f, sign) | ((1ull << i->ebits) - 1) << i->fbits;
}

u64 fp_max_normal(enum fp_fmt f, bool sign)
{
	return fp_inf_of(f, sign) - 1;
}

u64 fp_default_nan(enum fp_fmt f)
{
	return fp_inf_of(f, false) | 1ull << (fp_fmts[f].fbits - 1);
}

static struct fp_num unpack(struct fp_env *e, enum fp_fmt f, u64 v, bool cv)
{
	const struct fmt_info *i = &fp_fmts[f];
	u64 frac = v & ((1ull << i->fbits) - 1);
	unsigned emax = (1u << i->ebits) - 1, biased = (unsigned)(v >> i->fbits) & emax;
	struct fp_num n = {.sign = (v & fp_sign_bit(f)) != 0};
	unsigned lz;

	if (biased == emax && !(f == FP_H && cv && (e->fpcr & FPCR_AHP))) {
		if (!frac)
			n.type = FPT_INF;
		else
			n.type = frac >> (i->fbits - 1) ? FPT_QNAN : FPT_SNAN;
		return n;
	}
	if (biased) {
		n.type = FPT_FINITE;
		n.exp = (int)biased - 1 + i->min_exp;
		n.man = 1ull << 63 | frac << (63 - i->fbits);
		return n;
	}
	if (!frac)
		return n;
	if (f == FP_H) {
		/* Half-precision inputs are flushed without a trace. */
		if (!cv && (e->fpcr & FPCR_FZ16))
			return n;
	} else if (e->fpcr & FPCR_FZ) {
		e->fpsr |= FPSR_IDC;
		return n;
	}
	lz = (unsigned)__builtin_clzll(frac);
	n.type = FPT_FINITE;
	n.man = frac << lz;
	n.exp = i->min_exp + 63 - i->fbits - (int)lz;
	return n;
}

struct fp_num fp_unpack(struct fp_env *e, enum fp_fmt f, u64 v)
{
	return unpack(e, f, v, false);
}

struct fp_num fp_unpack_cv(struct fp_env *e, enum fp_fmt f, u64 v)
{
	return unpack(e, f, v, true);
}

/* FPRoundBase after the flush: `biased` may be 0 or less for what underflows. */
static u64 round_base(struct fp_env *e, enum fp_fmt f, bool sign, int exp, u128 man, enum fp_rnd r,
		      bool ahp)
{
	const struct fmt_info *i = &fp_fmts[f];
	int biased = exp - i->min_exp + 1;
	unsigned shift = 127 - i->fbits;
	bool inexact, gt, eq, to_inf;
	u64 mant;

	if (biased <= 0) {
		shift += (unsigned)(1 - biased);
		biased = 0;
	}
	if (shift >= 128) {
		mant = 0;
		inexact = true;
		gt = shift == 128 && man > (u128)1 << 127;
		eq = shift == 128 && man == (u128)1 << 127;
	} else {
		u128 rem = man & (((u128)1 << shift) - 1), half = (u128)1 << (shift - 1);

		mant = (u64)(man >> shift);
		inexact = rem != 0;
		gt = rem > half;
		eq = rem == half;
	}
	if (!biased && inexact)
		e->fpsr |= FPSR_UFC;
	if (fp_rounds_up(r, sign, mant & 1, inexact, gt, eq)) {
		mant++;
		if (mant == 1ull << i->fbits)
			biased = 1;
		if (mant == 1ull << (i->fbits + 1)) {
			biased++;
			mant >>= 1;
		}
	}
	if (inexact && (r == FP_RO || r == FP_RO_INF))
		mant |= 1;
	if (ahp) {
		if (biased >= 1 << i->ebits) {
			e->fpsr |= FPSR_IOC;
			return fp_zero_of(f, sign) | fp_mask(f) >> 1;
		}
	} else if (biased >= (1 << i->ebits) - 1) {
		to_inf = r == FP_RN || r == FP_RA || r == FP_RO_INF || (r == FP_RP && !sign) ||
			 (r == FP_RM && sign);
		e->fpsr |= FPSR_OFC | FPSR_IXC;
		return to_inf ? fp_inf_of(f, sign) : fp_max_normal(f, sign);
	}
	if (inexact)
		e->fpsr |= FPSR_IXC;
	return fp_zero_of(f, sign) | (u64)biased << i->fbits | (mant & ((1ull << i->fbits) - 1));
}

static u64 round_flush(struct fp_env *e, enum fp_fmt f, bool sign, int exp, u128 man, enum fp_rnd r,
		       bool cv)
{
	bool flush = f == FP_H ? !cv && (e->fpcr & FPCR_FZ16) : (e->fpcr & FPCR_FZ) != 0;
	unsigned lz = clz128(man);

	man <<= lz;
	exp -= (int)lz;
	/* Before rounding, and without Inexact. */
	if (flush && exp < fp_fmts[f].min_exp) {
		e->fpsr |= FPSR_UFC;
		return fp_zero_of(f, sign);
	}
	return round_base(e, f, sign, exp, man, r, f == FP_H && cv && (e->fpcr & FPCR_AHP));
}

u64 fp_round(struct fp_env *e, enum fp_fmt f, bool sign, int exp, u128 man, enum fp_rnd r)
{
	return round_flush(e, f, sign, exp, man, r, false);
}

u64 fp_round_cv(struct fp_env *e, enum fp_fmt f, bool sign, int exp, u128 man, enum fp_rnd r)
{
	return round_flush(e, f, sign, exp, man, r, true);
}

u64 fp_process_nan(struct fp_env *e, enum fp_fmt f, enum fp_type t, u64 v)
{
	if (t == FPT_SNAN) {
		v |= 1ull << (fp_fmts[f].fbits - 1);
		e->fpsr |= FPSR_IOC;
	}
	return e->fpcr & FPCR_DN ? fp_default_nan(f) : v;
}

/* FPProcessNaNs: signalling before quiet, first operand before second. */
static bool process_nans(struct fp_env *e, enum fp_fmt f, const struct fp_num *x,
			 const struct fp_num *y, u64 a, u64 b, u64 *out)
{
	if (x->type == FPT_SNAN)
		*out = fp_process_nan(e, f, x->type, a);
	else if (y->type == FPT_SNAN)
		*out = fp_process_nan(e, f, y->type, b);
	else if (x->type == FPT_QNAN)
		*out = fp_process_nan(e, f, x->type, a);
	else if (y->type == FPT_QNAN)
		*out = fp_process_nan(e, f, y->type, b);
	else
		return false;
	return true;
}

static u64 invalid(struct fp_env *e, enum fp_fmt f)
{
	e->fpsr |= FPSR_IOC;
	return fp_default_nan(f);
}

/* A number that is representable: only a flush to zero can change it. */
static u64 round_num(struct fp_env *e, enum fp_fmt f, const struct fp_num *n)
{
	return fp_round(e, f, n->sign, n->exp, (u128)n->man << 64, FP_RZ);
}

/*
 * Rounded sum of x and of the product or number (sign, exp, man) with bit 127 of man set; x is zero
 * or finite. Bits 0..20 of man must be clear: a shift by one or two, the only case where bits
 * cancel, then loses nothing, and in all others bit 0 is far below the rounding point.
 */
static u64 add_round(struct fp_env *e, enum fp_fmt f, const struct fp_num *x, bool sign, int exp,
		     u128 man, enum fp_rnd r)
{
	u128 big = man >> 1, small = (u128)x->man << 63, sum;
	int big_exp = exp, small_exp = x->exp;
	bool big_sign = sign, small_sign = x->sign;

	if (x->type == FPT_ZERO)
		return fp_round(e, f, sign, exp, man, r);
	if (small_exp > big_exp || (small_exp == big_exp && small > big)) {
		u128 t = big;

		big = small;
		small = t;
		big_exp = x->exp;
		small_exp = exp;
		big_sign = x->sign;
		small_sign = sign;
	}
	small = shr_jam(small, (unsigned)(big_exp - small_exp));
	sum = big_sign == small_sign ? big + small : big - small;
	if (!sum)
		return fp_zero_of(f, r == FP_RM);
	return fp_round(e, f, big_sign, big_exp + 1, sum, r);
}

static u64 add_core(struct fp_env *e, enum fp_fmt f, u64 a, u64 b, bool negate_b, enum fp_rnd r)
{
	struct fp_num x = fp_unpack(e, f, a), y = fp_unpack(e, f, b);
	u64 res;

	if (process_nans(e, f, &x, &y, a, b, &res))
		return res;
	y.sign ^= negate_b;
	if (x.type == FPT_INF && y.type == FPT_INF && x.sign != y.sign)
		return invalid(e, f);
	if (x.type == FPT_INF || y.type == FPT_INF)
		return fp_inf_of(f, x.type == FPT_INF ? x.sign : y.sign);
	if (x.type == FPT_ZERO && y.type == FPT_ZERO)
		return fp_zero_of(f, x.sign == y.sign ? x.sign : r == FP_RM);
	if (y.type == FPT_ZERO)
		return round_num(e, f, &x);
	return add_round(e, f, &x, y.sign, y.exp, (u128)y.man << 64, r);
}

u64 fp_add(struct fp_env *e, enum fp_fmt f, u64 a, u64 b)
{
	return add_core(e, f, a, b, false, FPCR_RMODE(e->fpcr));
}

u64 fp_sub(struct fp_env *e, enum fp_fmt f, u64 a, u64 b)
{
	return add_core(e, f, a, b, true, FPCR_RMODE(e->fpcr));
}

u64 fp_abd(struct fp_env *e, enum fp_fmt f, u64 a, u64 b)
{
	return fp_abs(e, f, fp_sub(e, f, a, b));
}

/* x and y finite: *exp and the return value describe the exact product, bit 127 set. */
static u128 product(const struct fp_num *x, const struct fp_num *y, int *exp)
{
	u128 p = (u128)x->man * y->man;

	*exp = x->exp + y->exp + 1;
	if (!(p >> 127)) {
		p <<= 1;
		--*exp;
	}
	return p;
}

static u64 mul_core(struct fp_env *e, enum fp_fmt f, u64 a, u64 b, bool mulx, enum fp_rnd r)
{
	struct fp_num x = fp_unpack(e, f, a), y = fp_unpack(e, f, b);
	bool sign = x.sign != y.sign;
	u64 res;
	u128 p;
	int exp;

	if (process_nans(e, f, &x, &y, a, b, &res))
		return res;
	if ((x.type == FPT_INF && y.type == FPT_ZERO) ||
	    (x.type == FPT_ZERO && y.type == FPT_INF)) {
		if (mulx)
			return fp_round(e, f, sign, 1, (u128)1 << 127, FP_RZ);
		return invalid(e, f);
	}
	if (x.type == FPT_INF || y.type == FPT_INF)
		return fp_inf_of(f, sign);
	if (x.type == FPT_ZERO || y.type == FPT_ZERO)
		return fp_zero_of(f, sign);
	p = product(&x, &y, &exp);
	return fp_round(e, f, sign, exp, p, r);
}

u64 fp_mul(struct fp_env *e, enum fp_fmt f, u64 a, u64 b)
{
	return mul_core(e, f, a, b, false, FPCR_RMODE(e->fpcr));
}

u64 fp_mulx(struct fp_env *e, enum fp_fmt f, u64 a, u64 b)
{
	return mul_core(e, f, a, b, true, FPCR_RMODE(e->fpcr));
}

u64 fp_nmul(struct fp_env *e, enum fp_fmt f, u64 a, u64 b)
{
	return fp_neg(e, f, mul_core(e, f, a, b, false, FPCR_RMODE(e->fpcr)));
}

u64 fp_div(struct fp_env *e, enum fp_fmt f, u64 a, u64 b)
{
	struct fp_num x = fp_unpack(e, f, a), y = fp_unpack(e, f, b);
	bool sign = x.sign != y.sign;
	u128 num, q;
	u64 res;

	if (process_nans(e, f, &x, &y, a, b, &res))
		return res;
	if (x.type == y.type && (x.type == FPT_INF || x.type == FPT_ZERO))
		return invalid(e, f);
	if (x.type == FPT_INF || y.type == FPT_ZERO) {
		if (x.type != FPT_INF)
			e->fpsr |= FPSR_DZC;
		return fp_inf_of(f, sign);
	}
	if (x.type == FPT_ZERO || y.type == FPT_INF)
		return fp_zero_of(f, sign);
	num = (u128)x.man << 63;
	q = num / y.man;
	q = q << 1 | (num % y.man != 0);
	/* q is about man_x / man_y * 2^64. */
	return fp_round(e, f, sign, x.exp - y.exp + 63, q, FPCR_RMODE(e->fpcr));
}

/*
 * BFAdd and BFMul are single-precision arithmetic with these modes and rounding to odd; the zero of
 * x - x is positive.
 */
static const struct fp_env bf_modes = {.fpcr = FPCR_FZ | FPCR_DN};

u32 fp_bfadd(u32 a, u32 b)
{
	struct fp_env e = bf_modes;

	return (u32)add_core(&e, FP_S, a, b, false, FP_RO_INF);
}

u32 fp_bfmul(u16 a, u16 b)
{
	struct fp_env e = bf_modes;

	return (u32)mul_core(&e, FP_S, (u64)a << 16, (u64)b << 16, false, FP_RO_INF);
}

/* acc + x * y (NaNs are done); accsign etc. in the nums. */
static u64 muladd_core(struct fp_env *e, enum fp_fmt f, const struct fp_num *acc,
		       const struct fp_num *x, const struct fp_num *y)
{
	enum fp_rnd r = FPCR_RMODE(e->fpcr);
	bool signp = x->sign != y->sign;
	bool infp = x->type == FPT_INF || y->type == FPT_INF;
	bool zerop = x->type == FPT_ZERO || y->type == FPT_ZERO;
	int exp;
	u128 p;

	if ((infp && zerop) || (acc->type == FPT_INF && infp && acc->sign != signp))
		return invalid(e, f);
	if (acc->type == FPT_INF || infp)
		return fp_inf_of(f, acc->type == FPT_INF ? acc->sign : signp);
	if (zerop) {
		if (acc->type != FPT_ZERO)
			return round_num(e, f, acc);
		return fp_zero_of(f, acc->sign == signp ? signp : r == FP_RM);
	}
	p = product(x, y, &exp);
	return add_round(e, f, acc, signp, exp, p, r);
}

static bool inf_times_zero(const struct fp_num *x, const struct fp_num *y)
{
	return (x->type == FPT_INF && y->type == FPT_ZERO) ||
	       (x->type == FPT_ZERO && y->type == FPT_INF);
}

u64 fp_muladd(struct fp_env *e, enum fp_fmt f, u64 acc, u64 a, u64 b)
{
	struct fp_num z = fp_unpack(e, f, acc), x = fp_unpack(e, f, a), y = fp_unpack(e, f, b);
	u64 res;

	/* FPProcessNaNs3, except that inf * 0 beats a quiet NaN in the accumulator. */
	if (z.type == FPT_SNAN)
		return fp_process_nan(e, f, z.type, acc);
	if (x.type != FPT_SNAN && y.type != FPT_SNAN && z.type == FPT_QNAN)
		return inf_times_zero(&x, &y) ? invalid(e, f) : fp_process_nan(e, f, z.type, acc);
	if (process_nans(e, f, &x, &y, a, b, &res))
		return res;
	return muladd_core(e, f, &z, &x, &y);
}

u64 fp_muladdh(struct fp_env *e, u64 acc, u64 a, u64 b)
{
	struct fp_num z = fp_unpack(e, FP_S, acc);
	struct fp_num x = fp_unpack(e, FP_H, a), y = fp_unpack(e, FP_H, b);
	u64 res;

	if (z.type == FPT_SNAN)
		return fp_process_nan(e, FP_S, z.type, acc);
	if (x.type != FPT_SNAN && y.type != FPT_SNAN && z.type == FPT_QNAN)
		return inf_times_zero(&x, &y) ? invalid(e, FP_S)
					      : fp_process_nan(e, FP_S, z.type, acc);
	if (process_nans(e, FP_H, &x, &y, a, b, &res)) {
		/* FPConvertNaN of the (now quiet) half. */
		if (e->fpcr & FPCR_DN)
			return fp_default_nan(FP_S);
		return (res & 0x8000) << 16 | 0x7fc00000 | (res & 0x1ff) << 13;
	}
	return muladd_core(e, FP_S, &z, &x, &y);
}

/* Result of c + x * y divided by 2^half, c = 2 or 3, for FRECPS and FRSQRTS. */
static u64 step_core(struct fp_env *e, enum fp_fmt f, u64 a, u64 b, u64 c_man, int half)
{
	struct fp_num x, y, c = {.type = FPT_FINITE, .exp = 1, .man = c_man};
	u64 res;
	u128 p;
	int exp;

	a ^= fp_sign_bit(f);
	x = fp_unpack(e, f, a);
	y = fp_unpack(e, f, b);
	if (process_nans(e, f, &x, &y, a, b, &res))
		return res;
	c.exp -= half;
	if (inf_times_zero(&x, &y) || x.type == FPT_ZERO || y.type == FPT_ZERO)
		return round_num(e, f, &c);
	if (x.type == FPT_INF || y.type == FPT_INF)
		return fp_inf_of(f, x.sign != y.sign);
	p = product(&x, &y, &exp);
	return add_round(e, f, &c, x.sign != y.sign, exp - half, p, FPCR_RMODE(e->fpcr));
}

u64 fp_recps(struct fp_env *e, enum fp_fmt f, u64 a, u64 b)
{
	return step_core(e, f, a, b, 1ull << 63, 0);
}

u64 fp_rsqrts(struct fp_env *e, enum fp_fmt f, u64 a, u64 b)
{
	return step_core(e, f, a, b, 3ull << 62, 1);
}

/* -1, 0, 1; neither is a NaN. */
static int cmp_num(const struct fp_num *x, const struct fp_num *y)
{
	int sx = x->type == FPT_ZERO ? 0 : x->sign ? -1 : 1;
	int sy = y->type == FPT_ZERO ? 0 : y->sign ? -1 : 1;
	int mag;

	if (sx != sy || !sx)
		return sx < sy ? -1 : sx > sy;
	if (x->type != y->type)
		mag = x->type == FPT_INF ? 1 : -1;
	else if (x->type == FPT_INF)
		mag = 0;
	else if (x->exp != y->exp)
		mag = x->exp < y->exp ? -1 : 1;
	else
		mag = x->man < y->man ? -1 : x->man > y->man;
	return sx * mag;
}

static u64 minmax(struct fp_env *e, enum fp_fmt f, u64 a, u64 b, bool max)
{
	struct fp_num x = fp_unpack(e, f, a), y = fp_unpack(e, f, b);
	const struct fp_num *w;
	u64 res;

	if (process_nans(e, f, &x, &y, a, b, &res))
		return res;
	if (max)
		w = cmp_num(&x, &y) > 0 ? &x : &y;
	else
		w = cmp_num(&x, &y) < 0 ? &x : &y;
	if (w->type == FPT_INF)
		return fp_inf_of(f, w->sign);
	if (w->type == FPT_ZERO)
		return fp_zero_of(f, max ? x.sign && y.sign : x.sign || y.sign);
	return round_num(e, f, w);
}

u64 fp_max(struct fp_env *e, enum fp_fmt f, u64 a, u64 b)
{
	return minmax(e, f, a, b, true);
}

u64 fp_min(struct fp_env *e, enum fp_fmt f, u64 a, u64 b)
{
	return minmax(e, f, a, b, false);
}

/* FPMaxNum: a quiet NaN opposite a number (or signalling NaN) gives way. */
static u64 minmaxnm(struct fp_env *e, enum fp_fmt f, u64 a, u64 b, bool max)
{
	struct fp_num x = fp_unpack(e, f, a), y = fp_unpack(e, f, b);

	if (x.type == FPT_QNAN && y.type != FPT_QNAN)
		a = fp_inf_of(f, max);
	else if (x.type != FPT_QNAN && y.type == FPT_QNAN)
		b = fp_inf_of(f, max);
	return minmax(e, f, a, b, max);
}

u64 fp_maxnm(struct fp_env *e, enum fp_fmt f, u64 a, u64 b)
{
	return minmaxnm(e, f, a, b, true);
}

u64 fp_minnm(struct fp_env *e, enum fp_fmt f, u64 a, u64 b)
{
	return minmaxnm(e, f, a, b, false);
}

u32 fp_compare(struct fp_env *e, enum fp_fmt f, u64 a, u64 b, bool signal_nans)
{
	struct fp_num x = fp_unpack(e, f, a), y = fp_unpack(e, f, b);
	int c;

	if (is_nan(&x) || is_nan(&y)) {
		if (signal_nans || x.type == FPT_SNAN || y.type == FPT_SNAN)
			e->fpsr |= FPSR_IOC;
		return 3;
	}
	c = cmp_num(&x, &y);
	return c == 0 ? 6 : c < 0 ? 8 : 2;
}

u64 fp_cmeq(struct fp_env *e, enum fp_fmt f, u64 a, u64 b)
{
	return fp_compare(e, f, a, b, false) == 6 ? fp_mask(f) : 0;
}

u64 fp_cmge(struct fp_env *e, enum fp_fmt f, u64 a, u64 b)
{
	u32 nzcv = fp_compare(e, f, a, b, true);

	return nzcv == 6 || nzcv == 2 ? fp_mask(f) : 0;
}

u64 fp_cmgt(struct fp_env *e, enum fp_fmt f, u64 a, u64 b)
{
	return fp_compare(e, f, a, b, true) == 2 ? fp_mask(f) : 0;
}

u64 fp_acge(struct fp_env *e, enum fp_fmt f, u64 a, u64 b)
{
	return fp_cmge(e, f, fp_abs(e, f, a), fp_abs(e, f, b));
}

u64 fp_acgt(struct fp_env *e, enum fp_fmt f, u64 a, u64 b)
{
	return fp_cmgt(e, f, fp_abs(e, f, a), fp_abs(e, f, b));
}

u64 fp_abs(struct fp_env *e, enum fp_fmt f, u64 a)
{
	return a & (fp_mask(f) >> 1);
}

u64 fp_neg(struct fp_env *e, enum fp_fmt f, u64 a)
{
	return a ^ fp_sign_bit(f);
}

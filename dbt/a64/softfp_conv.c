// SPDX-License-Identifier: MIT
/* Arm floating point in integers: roots, estimates, rounding to integers, conversions. */
#include "dbt/a64/softfp_internal.h"

/* Floor of the square root of v >= 2^126. */
static u64 isqrt128(u128 v, bool *rem)
{
	u64 root = 0;
	u128 left = 0;

	for (int i = 63; i >= 0; i--) {
		u128 trial = (u128)root << 2 | 1;

		left = left << 2 | ((v >> (2 * i)) & 3);
		root <<= 1;
		if (left >= trial) {
			left -= trial;
			root |= 1;
		}
	}
	*rem = left != 0;
	return root;
}

u64 fp_sqrt(struct fp_env *e, enum fp_fmt f, u64 a)
{
	struct fp_num x = fp_unpack(e, f, a);
	bool odd, rem;
	u64 root;

	if (is_nan(&x))
		return fp_process_nan(e, f, x.type, a);
	if (x.type == FPT_ZERO)
		return fp_zero_of(f, x.sign);
	if (x.sign) {
		e->fpsr |= FPSR_IOC;
		return fp_default_nan(f);
	}
	if (x.type == FPT_INF)
		return fp_inf_of(f, false);
	odd = x.exp & 1;
	root = isqrt128((u128)x.man << (odd ? 64 : 63), &rem);
	/* root = sqrt(value / 2^even) * 2^63 */
	return fp_round(e, f, false, (x.exp - odd) / 2, (u128)root << 64 | rem,
			FPCR_RMODE(e->fpcr));
}

/* RecipEstimate: 256..511 stand for [0.5, 1.0), the result's for [1.0, 2.0). */
static u32 recip_estimate(u32 a)
{
	a = a * 2 + 1;
	return ((1u << 19) / a + 1) / 2;
}

/* RecipSqrtEstimate: 128..511 stand for [0.25, 1.0). */
static u32 rsqrt_estimate(u32 a)
{
	u32 b = 512;

	a = a < 256 ? a * 2 + 1 : ((a & ~1u) + 1) * 2;
	/* The largest b with a * b^2 < 2^28 ... */
	for (u32 step = 256; step; step >>= 1)
		if ((u64)a * (b + step) * (b + step) < BIT(28))
			b += step;
	return (b + 1) / 2;
}

u32 fp_urecpe(u32 a)
{
	return a >> 31 ? recip_estimate(a >> 23) << 23 : 0xffffffff;
}

u32 fp_ursqrte(u32 a)
{
	return a >> 30 ? rsqrt_estimate(a >> 23) << 23 : 0xffffffff;
}

/* Exponent field, and the fraction left-aligned at bit 51. */
static int split(enum fp_fmt f, u64 a, u64 *frac)
{
	const struct fmt_info *i = &fp_fmts[f];

	*frac = (a & ((1ull << i->fbits) - 1)) << (52 - i->fbits);
	return (int)((a >> i->fbits) & ((1u << i->ebits) - 1));
}

static u64 join(enum fp_fmt f, bool sign, int exp, u64 frac52)
{
	const struct fmt_info *i = &fp_fmts[f];

	return fp_zero_of(f, sign) | (u64)exp << i->fbits | frac52 >> (52 - i->fbits);
}

static u64 recpe_tiny(struct fp_env *e, enum fp_fmt f, bool sign)
{
	enum fp_rnd r = FPCR_RMODE(e->fpcr);
	bool to_inf = r == FP_RN || (r == FP_RP && !sign) || (r == FP_RM && sign);

	e->fpsr |= FPSR_OFC | FPSR_IXC;
	return to_inf ? fp_inf_of(f, sign) : fp_max_normal(f, sign);
}

u64 fp_recpe(struct fp_env *e, enum fp_fmt f, u64 a)
{
	struct fp_num x = fp_unpack(e, f, a);
	int bias = 1 - fp_fmts[f].min_exp, exp;
	u64 frac, est;

	if (is_nan(&x))
		return fp_process_nan(e, f, x.type, a);
	if (x.type == FPT_INF)
		return fp_zero_of(f, x.sign);
	if (x.type == FPT_ZERO) {
		e->fpsr |= FPSR_DZC;
		return fp_inf_of(f, x.sign);
	}
	if (x.exp < -bias - 1)
		return recpe_tiny(e, f, x.sign);
	if ((e->fpcr & (f == FP_H ? FPCR_FZ16 : FPCR_FZ)) && x.exp >= bias - 1) {
		e->fpsr |= FPSR_UFC;
		return fp_zero_of(f, x.sign);
	}
	exp = split(f, a, &frac);
	if (!exp) {
		if (!(frac >> 51)) {
			exp = -1;
			frac <<= 2;
		} else {
			frac <<= 1;
		}
		frac &= BIT(52) - 1;
	}
	est = recip_estimate(256 | (u32)(frac >> 44));
	exp = 2 * bias - 1 - exp;
	frac = (est & 0xff) << 44;
	if (exp == 0) {
		frac = BIT(51) | frac >> 1;
	} else if (exp == -1) {
		frac = BIT(50) | frac >> 2;
		exp = 0;
	}
	return join(f, x.sign, exp, frac);
}

u64 fp_rsqrte(struct fp_env *e, enum fp_fmt f, u64 a)
{
	struct fp_num x = fp_unpack(e, f, a);
	int bias = 1 - fp_fmts[f].min_exp, exp;
	u32 scaled;

	if (is_nan(&x))
		return fp_process_nan(e, f, x.type, a);
	if (x.type == FPT_ZERO) {
		e->fpsr |= FPSR_DZC;
		return fp_inf_of(f, x.sign);
	}
	if (x.sign) {
		e->fpsr |= FPSR_IOC;
		return fp_default_nan(f);
	}
	if (x.type == FPT_INF)
		return 0;
	/* Unpacked, a denormal looks as the manual's loop leaves it. */
	exp = x.exp + bias;
	scaled = (u32)(x.man >> 55);
	if (exp & 1)
		scaled >>= 1;
	exp = (3 * bias - 1 - exp) >> 1;
	return join(f, false, exp, (u64)(rsqrt_estimate(scaled) & 0xff) << 44);
}

u64 fp_recpx(struct fp_env *e, enum fp_fmt f, u64 a)
{
	struct fp_num x = fp_unpack(e, f, a);
	const struct fmt_info *i = &fp_fmts[f];
	int emax = (1 << i->ebits) - 1, exp;
	u64 frac;

	if (is_nan(&x))
		return fp_process_nan(e, f, x.type, a);
	exp = split(f, a, &frac);
	return join(f, x.sign, exp ? ~exp & emax : emax - 1, 0);
}

u128 fp_round_to_int(bool sign, int exp, u64 man, enum fp_rnd r, bool *inexact)
{
	u128 v, rem, half;
	unsigned shift;

	*inexact = false;
	if (exp >= 66)
		return (u128)1 << 66;
	if (exp >= 63)
		return (u128)man << (exp - 63);
	/* 64 fraction bits are enough to tell less, equal and more than one half. */
	v = (u128)man << 64;
	shift = (unsigned)(63 - exp) + 64;
	if (shift > 127) {
		v = shr_jam(v, shift > 254 ? 127 : shift - 127);
		shift = 127;
	}
	rem = v & (((u128)1 << shift) - 1);
	half = (u128)1 << (shift - 1);
	v >>= shift;
	*inexact = rem != 0;
	return v + fp_rounds_up(r, sign, (u64)v & 1, rem != 0, rem > half, rem == half);
}

u64 fp_rint(struct fp_env *e, enum fp_fmt f, u64 a, enum fp_rnd r, bool exact)
{
	struct fp_num x = fp_unpack(e, f, a);
	bool inexact;
	u128 v;

	if (is_nan(&x))
		return fp_process_nan(e, f, x.type, a);
	if (x.type == FPT_INF)
		return fp_inf_of(f, x.sign);
	if (x.type == FPT_ZERO)
		return fp_zero_of(f, x.sign);
	if (x.exp >= 63)
		return a;
	v = fp_round_to_int(x.sign, x.exp, x.man, r, &inexact);
	if (inexact && exact)
		e->fpsr |= FPSR_IXC;
	return v ? fp_round(e, f, x.sign, 127, v, FP_RZ) : fp_zero_of(f, x.sign);
}

u64 fp_rint_n(struct fp_env *e, enum fp_fmt f, u64 a, enum fp_rnd r, unsigned bits)
{
	struct fp_num x = fp_unpack(e, f, a);
	bool inexact = false, bad = is_nan(&x) || x.type == FPT_INF;
	u128 v = 0, limit = (u128)1 << (bits - 1);

	if (x.type == FPT_ZERO)
		return fp_zero_of(f, x.sign);
	if (!bad) {
		v = fp_round_to_int(x.sign, x.exp, x.man, r, &inexact);
		bad = v > limit || (v == limit && !x.sign);
	}
	if (bad) {
		e->fpsr |= FPSR_IOC;
		return fp_round(e, f, true, 127, limit, FP_RZ);
	}
	if (inexact)
		e->fpsr |= FPSR_IXC;
	return v ? fp_round(e, f, x.sign, 127, v, FP_RZ) : fp_zero_of(f, x.sign);
}

u64 fp_to_fixed(struct fp_env *e, enum fp_fmt f, u64 a, unsigned bits, unsigned fbits, bool uns,
		enum fp_rnd r)
{
	struct fp_num x = fp_unpack(e, f, a);
	u64 mask = ~0ull >> (64 - bits);
	u128 v, max = uns ? (u128)mask : (u128)(mask >> 1), min = uns ? 0 : (u128)(mask >> 1) + 1;
	bool inexact = false;

	if (is_nan(&x)) {
		e->fpsr |= FPSR_IOC;
		return 0;
	}
	if (x.type == FPT_ZERO)
		return 0;
	if (x.type == FPT_INF)
		v = (u128)1 << 66;
	else
		v = fp_round_to_int(x.sign, x.exp + (int)fbits, x.man, r, &inexact);
	if (v > (x.sign ? min : max)) {
		e->fpsr |= FPSR_IOC;
		return (u64)(x.sign ? -min : max) & mask;
	}
	if (inexact)
		e->fpsr |= FPSR_IXC;
	return (u64)(x.sign ? -v : v) & mask;
}

u64 fp_from_fixed(struct fp_env *e, enum fp_fmt f, u64 v, unsigned fbits, bool uns)
{
	bool sign = !uns && (s64)v < 0;

	if (!v)
		return 0;
	if (sign)
		v = -v;
	return fp_round(e, f, sign, 127 - (int)fbits, v, FPCR_RMODE(e->fpcr));
}

u32 fp_to_js(struct fp_env *e, u64 a, bool *z)
{
	struct fp_num x = fp_unpack(e, FP_D, a);
	u64 low = 0;
	bool inexact = false, over = false;

	*z = false;
	if (is_nan(&x) || x.type == FPT_INF) {
		e->fpsr |= FPSR_IOC;
		return 0;
	}
	if (x.type == FPT_ZERO) {
		/* Minus zero is not the integer 0, nor is a flushed denormal. */
		*z = a == 0;
		return 0;
	}
	if (x.exp >= 63 + 32) {
		over = true;
	} else if (x.exp >= 63) {
		low = x.man << (x.exp - 63);
		over = true;
	} else if (x.exp >= 0) {
		low = x.man >> (63 - x.exp);
		inexact = (x.man & ((1ull << (63 - x.exp)) - 1)) != 0;
		over = low > 0x7fffffffull + x.sign;
	} else {
		inexact = true;
	}
	if (over)
		e->fpsr |= FPSR_IOC;
	else if (inexact)
		e->fpsr |= FPSR_IXC;
	else
		*z = true;
	return (u32)(x.sign ? -low : low);
}

/* FPConvertNaN: the top fraction bits survive, the quiet bit is set. */
static u64 convert_nan(enum fp_fmt to, enum fp_fmt from, u64 a)
{
	const struct fmt_info *t = &fp_fmts[to], *s = &fp_fmts[from];
	u64 frac = a << (64 - s->fbits); /* left-aligned */

	return fp_zero_of(to, (a & fp_sign_bit(from)) != 0) | fp_default_nan(to) |
	       frac >> (64 - t->fbits);
}

u64 fp_convert(struct fp_env *e, enum fp_fmt to, enum fp_fmt from, u64 a, enum fp_rnd r)
{
	struct fp_num x = fp_unpack_cv(e, from, a);
	bool alt = to == FP_H && (e->fpcr & FPCR_AHP);

	if (is_nan(&x)) {
		if (x.type == FPT_SNAN || alt)
			e->fpsr |= FPSR_IOC;
		if (alt)
			return fp_zero_of(to, x.sign);
		return e->fpcr & FPCR_DN ? fp_default_nan(to) : convert_nan(to, from, a);
	}
	if (x.type == FPT_INF) {
		if (!alt)
			return fp_inf_of(to, x.sign);
		e->fpsr |= FPSR_IOC;
		return fp_zero_of(to, x.sign) | fp_mask(to) >> 1;
	}
	if (x.type == FPT_ZERO)
		return fp_zero_of(to, x.sign);
	return fp_round_cv(e, to, x.sign, x.exp, (u128)x.man << 64, r);
}

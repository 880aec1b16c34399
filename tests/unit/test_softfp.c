// SPDX-License-Identifier: MIT
/*
 * softfp against the host's FPU, single and double, all rounding modes. Where Arm and x86 differ
 * the test states the difference: which NaN is returned (checked against the rule, written here a
 * second time), and that Arm detects tininess before rounding.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <immintrin.h>

#include "dbt/a64/softfp.h"

#define ROUNDS 400000

static u64 rng_state;

static u64 rnd(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

/* Operands near everything that matters: limits, denormals, NaNs, ties, and near each other. */
static u64 rnd_fp(enum fp_fmt f, u64 near)
{
	unsigned fbits = f == FP_D ? 52 : 23;
	u64 sign = rnd() & 1 ? fp_sign_bit(f) : 0, inf = (fp_mask(f) >> 1) & ~(BIT(fbits) - 1);

	switch (rnd() % 12) {
	case 0: return sign;
	case 1: return sign | inf;
	case 2: return sign | inf | (rnd() & (BIT(fbits) - 1));
	case 3: return sign | (rnd() & (BIT(fbits) - 1)) >> rnd() % fbits;
	case 4: return sign | (BIT(fbits) + rnd() % 5 - 2);
	case 5: return sign | (inf - 1 - rnd() % 3);
	case 6: return (near + rnd() % 7 - 3) & fp_mask(f);
	case 7: return near ^ fp_sign_bit(f) ^ BIT(rnd() % fbits);
	case 8: /* few fraction bits, moderate exponent: exact results and ties */
		return sign | ((inf >> 1) + ((rnd() % 64 - 32) << fbits)) |
		       (rnd() << (fbits - rnd() % 6)) % BIT(fbits);
	default: return rnd() & fp_mask(f);
	}
}

/* MXCSR with all exceptions masked and rounding mode r (Arm's numbering). */
static u32 host_modes(enum fp_rnd r)
{
	static const u32 rc[] = {0, 0x4000, 0x2000, 0x6000};

	return 0x1f80 | rc[r];
}

static u32 host_flags(void)
{
	u32 m = _mm_getcsr(), f = 0;

	_mm_setcsr(0x1f80);
	f |= m & 1 ? FPSR_IOC : 0;
	f |= m & 4 ? FPSR_DZC : 0;
	f |= m & 8 ? FPSR_OFC : 0;
	f |= m & 16 ? FPSR_UFC : 0;
	f |= m & 32 ? FPSR_IXC : 0;
	return f;
}

enum op { OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_SQRT, OP_FMA, OP_NUM };
static const char *const op_names[] = {"add", "sub", "mul", "div", "sqrt", "fma"};

static u64 host_op_d(enum op op, u64 a, u64 b, u64 c)
{
	__m128d x = _mm_castsi128_pd(_mm_cvtsi64_si128((s64)a));
	__m128d y = _mm_castsi128_pd(_mm_cvtsi64_si128((s64)b));
	__m128d z = _mm_castsi128_pd(_mm_cvtsi64_si128((s64)c));

	switch (op) {
	case OP_ADD: asm volatile("addsd %1, %0" : "+x"(x) : "x"(y)); break;
	case OP_SUB: asm volatile("subsd %1, %0" : "+x"(x) : "x"(y)); break;
	case OP_MUL: asm volatile("mulsd %1, %0" : "+x"(x) : "x"(y)); break;
	case OP_DIV: asm volatile("divsd %1, %0" : "+x"(x) : "x"(y)); break;
	case OP_SQRT: asm volatile("sqrtsd %1, %0" : "=x"(x) : "x"(x)); break;
	default: asm volatile("vfmadd231sd %2, %1, %0" : "+x"(z) : "x"(x), "x"(y)); x = z;
	}
	return (u64)_mm_cvtsi128_si64(_mm_castpd_si128(x));
}

static u64 host_op_s(enum op op, u64 a, u64 b, u64 c)
{
	__m128 x = _mm_castsi128_ps(_mm_cvtsi32_si128((s32)a));
	__m128 y = _mm_castsi128_ps(_mm_cvtsi32_si128((s32)b));
	__m128 z = _mm_castsi128_ps(_mm_cvtsi32_si128((s32)c));

	switch (op) {
	case OP_ADD: asm volatile("addss %1, %0" : "+x"(x) : "x"(y)); break;
	case OP_SUB: asm volatile("subss %1, %0" : "+x"(x) : "x"(y)); break;
	case OP_MUL: asm volatile("mulss %1, %0" : "+x"(x) : "x"(y)); break;
	case OP_DIV: asm volatile("divss %1, %0" : "+x"(x) : "x"(y)); break;
	case OP_SQRT: asm volatile("sqrtss %1, %0" : "=x"(x) : "x"(x)); break;
	default: asm volatile("vfmadd231ss %2, %1, %0" : "+x"(z) : "x"(x), "x"(y)); x = z;
	}
	return (u32)_mm_cvtsi128_si32(_mm_castps_si128(x));
}

static u64 soft_op(struct fp_env *e, enum op op, enum fp_fmt f, u64 a, u64 b, u64 c)
{
	switch (op) {
	case OP_ADD: return fp_add(e, f, a, b);
	case OP_SUB: return fp_sub(e, f, a, b);
	case OP_MUL: return fp_mul(e, f, a, b);
	case OP_DIV: return fp_div(e, f, a, b);
	case OP_SQRT: return fp_sqrt(e, f, a);
	default: return fp_muladd(e, f, c, a, b);
	}
}

static u64 inf_of(enum fp_fmt f)
{
	return f == FP_D ? 0x7ff0000000000000 : 0x7f800000;
}
static bool is_nan(enum fp_fmt f, u64 v)
{
	return (v & (fp_mask(f) >> 1)) > inf_of(f);
}
static u64 quiet_bit(enum fp_fmt f)
{
	return f == FP_D ? BIT(51) : BIT(22);
}
static bool is_snan(enum fp_fmt f, u64 v)
{
	return is_nan(f, v) && !(v & quiet_bit(f));
}

/* The NaN an Arm operation with these operands (in order of priority) gives. */
static u64 arm_nan(enum fp_fmt f, const u64 *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (is_snan(f, v[i]))
			return v[i] | quiet_bit(f);
	for (unsigned i = 0; i < n; i++)
		if (is_nan(f, v[i]))
			return v[i];
	return inf_of(f) | quiet_bit(f);
}

static void check_op(enum op op, enum fp_fmt f, enum fp_rnd r)
{
	u64 a = rnd_fp(f, rnd()), b = rnd_fp(f, a), c = rnd_fp(f, b), want, got, mag;
	struct fp_env e = {.fpcr = (u32)r << 22};
	u32 flags;

	_mm_setcsr(host_modes(r));
	want = f == FP_D ? host_op_d(op, a, b, c) : host_op_s(op, a, b, c);
	flags = host_flags();
	got = soft_op(&e, op, f, a, b, c);
	mag = got & (fp_mask(f) >> 1);
	if (is_nan(f, want)) {
		u64 fma_ops[3] = {c, a, b}, ops[2] = {a, b};
		bool acc_nan = op == OP_FMA && is_nan(f, c) && !is_snan(f, c);
		bool inf0 = (!(a << 1 & fp_mask(f)) && (b & fp_mask(f) >> 1) == inf_of(f)) ||
			    (!(b << 1 & fp_mask(f)) && (a & fp_mask(f) >> 1) == inf_of(f));

		want = op == OP_FMA ? arm_nan(f, fma_ops, 3)
				    : arm_nan(f, ops, op == OP_SQRT ? 1 : 2);
		if (acc_nan && inf0) {
			want = inf_of(f) | quiet_bit(f);
			flags |= FPSR_IOC;
		}
	} else if (mag == BIT(f == FP_D ? 52 : 23) && (flags & FPSR_IXC)) {
		/* x86 sees tininess after rounding only. */
		flags |= e.fpsr & FPSR_UFC;
	}
	if (want != got || flags != e.fpsr)
		fail_msg("%s fmt %d rnd %d: a=%#llx b=%#llx c=%#llx: want %#llx flags %#x, got "
			 "%#llx flags %#x",
			 op_names[op], f, r, (unsigned long long)a, (unsigned long long)b,
			 (unsigned long long)c, (unsigned long long)want, flags,
			 (unsigned long long)got, e.fpsr);
}

static void test_arith(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++)
		for (int op = 0; op < OP_NUM; op++)
			check_op((enum op)op, i & 4 ? FP_D : FP_S, (enum fp_rnd)(i & 3));
}

/* Tininess before rounding: the one case that the comparison with the host lets through. */
static void test_tininess(void **state)
{
	struct fp_env e = {0};

	(void)state;
	/* min normal * (1 - 2^-24) rounds up to min normal. */
	assert_int_equal(fp_mul(&e, FP_S, 0x00800000, 0x3f7fffff), 0x00800000);
	assert_int_equal(e.fpsr, FPSR_UFC | FPSR_IXC);
	e = (struct fp_env){.fpcr = FPCR_FZ};
	assert_int_equal(fp_mul(&e, FP_S, 0x80800000, 0x3f7fffff), 0x80000000);
	assert_int_equal(e.fpsr, FPSR_UFC);
	e = (struct fp_env){.fpcr = FPCR_FZ};
	assert_int_equal(fp_add(&e, FP_S, 0x00000001, 0x3f800000), 0x3f800000);
	assert_int_equal(e.fpsr, FPSR_IDC);
}

static void check_convert(enum fp_rnd r)
{
	u64 d = rnd_fp(FP_D, rnd()), s = rnd_fp(FP_S, rnd()), got, want;
	struct fp_env e = {.fpcr = (u32)r << 22};
	__m128d x;
	__m128 y;
	u32 flags;

	if (rnd() & 1) /* near the single's range */
		d = (d & ~(0x7ffull << 52)) | (1023 - 150 + rnd() % 300) << 52;
	x = _mm_castsi128_pd(_mm_cvtsi64_si128((s64)d));
	y = _mm_setzero_ps();
	_mm_setcsr(host_modes(r));
	asm volatile("cvtsd2ss %1, %0" : "+x"(y) : "x"(x));
	flags = host_flags();
	want = (u32)_mm_cvtsi128_si32(_mm_castps_si128(y));
	got = fp_convert(&e, FP_S, FP_D, d, r);
	if ((got & 0x7fffffff) == 0x00800000 && (flags & FPSR_IXC))
		flags |= e.fpsr & FPSR_UFC;
	assert_int_equal(got, want); /* NaNs convert alike */
	assert_int_equal(e.fpsr, flags);

	e.fpsr = 0;
	y = _mm_castsi128_ps(_mm_cvtsi32_si128((s32)s));
	x = _mm_setzero_pd();
	_mm_setcsr(host_modes(r));
	asm volatile("cvtss2sd %1, %0" : "+x"(x) : "x"(y));
	flags = host_flags();
	assert_int_equal(fp_convert(&e, FP_D, FP_S, s, r), _mm_cvtsi128_si64((__m128i)x));
	assert_int_equal(e.fpsr, flags);
}

static void check_half(enum fp_rnd r)
{
	u64 s = rnd_fp(FP_S, rnd());
	struct fp_env e = {.fpcr = (u32)r << 22};
	__m128i x, y;
	u32 flags;

	if (rnd() & 3)
		s = (s & ~(0xffull << 23)) | (127 - 30 + rnd() % 60) << 23;
	x = _mm_cvtsi32_si128((s32)s);
	_mm_setcsr(host_modes(r));
	asm volatile("vcvtps2ph $4, %1, %0" : "=x"(y) : "x"(x));
	flags = host_flags();
	{
		u64 got = fp_convert(&e, FP_H, FP_S, s, r);

		if ((got & 0x7fff) == 0x400 && (flags & FPSR_IXC))
			flags |= e.fpsr & FPSR_UFC;
		assert_int_equal(got, _mm_cvtsi128_si32(y) & 0xffff);
		assert_int_equal(e.fpsr, flags);
	}
	e.fpsr = 0;
	x = _mm_cvtsi32_si128((s32)(s & 0xffff));
	_mm_setcsr(host_modes(r));
	asm volatile("vcvtph2ps %1, %0" : "=x"(y) : "x"(x));
	flags = host_flags();
	assert_int_equal(fp_convert(&e, FP_S, FP_H, s & 0xffff, r), (u32)_mm_cvtsi128_si32(y));
	assert_int_equal(e.fpsr, flags);
}

static void test_convert(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		check_convert((enum fp_rnd)(i & 3));
		check_half((enum fp_rnd)(i & 3));
	}
}

static void check_int(enum fp_rnd r)
{
	u64 a = rnd_fp(FP_D, rnd()), got;
	struct fp_env e = {.fpcr = (u32)r << 22};
	__m128d x, y;
	s64 i64;
	s32 i32;
	u32 flags;

	if (rnd() & 3)
		a = (a & ~(0x7ffull << 52)) | (1023 - 5 + rnd() % 72) << 52;
	x = _mm_castsi128_pd(_mm_cvtsi64_si128((s64)a));
	_mm_setcsr(host_modes(r));
	asm volatile("cvtsd2si %1, %0" : "=r"(i64) : "x"(x));
	flags = host_flags();
	got = fp_to_fixed(&e, FP_D, a, 64, 0, false, r);
	if (flags & FPSR_IOC)
		i64 = is_nan(FP_D, a) ? 0 : a >> 63 ? INT64_MIN : INT64_MAX;
	assert_int_equal(got, i64);
	assert_int_equal(e.fpsr, flags);

	e.fpsr = 0;
	_mm_setcsr(host_modes(r));
	asm volatile("cvtsd2si %1, %0" : "=r"(i32) : "x"(x));
	flags = host_flags();
	got = fp_to_fixed(&e, FP_D, a, 32, 0, false, r);
	if (flags & FPSR_IOC)
		i32 = is_nan(FP_D, a) ? 0 : a >> 63 ? INT32_MIN : INT32_MAX;
	assert_int_equal(got, (u32)i32);
	assert_int_equal(e.fpsr, flags);

	e.fpsr = 0;
	y = _mm_setzero_pd();
	_mm_setcsr(host_modes(r));
	asm volatile("roundsd $4, %1, %0" : "+x"(y) : "x"(x));
	flags = host_flags();
	assert_int_equal(fp_rint(&e, FP_D, a, r, true), _mm_cvtsi128_si64((__m128i)y));
	assert_int_equal(e.fpsr, flags);

	e.fpsr = 0;
	y = _mm_setzero_pd();
	_mm_setcsr(host_modes(r));
	asm volatile("cvtsi2sd %1, %0" : "+x"(y) : "r"(a));
	flags = host_flags();
	assert_int_equal(fp_from_fixed(&e, FP_D, a, 0, false), _mm_cvtsi128_si64((__m128i)y));
	assert_int_equal(e.fpsr, flags);
}

static void test_int(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++)
		check_int((enum fp_rnd)(i & 3));
}

static void test_compare(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		u64 a = rnd_fp(FP_D, rnd()), b = rnd_fp(FP_D, a);
		double x, y;
		struct fp_env e = {0};
		u32 want;

		memcpy(&x, &a, 8);
		memcpy(&y, &b, 8);
		want = x < y ? 8 : x == y ? 6 : x > y ? 2 : 3;
		assert_int_equal(fp_compare(&e, FP_D, a, b, false), want);
		assert_int_equal(e.fpsr, is_snan(FP_D, a) || is_snan(FP_D, b) ? FPSR_IOC : 0);
		e.fpsr = 0;
		fp_compare(&e, FP_D, a, b, true);
		assert_int_equal(e.fpsr, want == 3 ? FPSR_IOC : 0);
		if (want == 3)
			continue;
		/* Zeros: +0 is the greater. */
		assert_int_equal(fp_max(&e, FP_D, a, b),
				 want == 8 || (want == 6 && a >> 63) ? b : a);
		assert_int_equal(fp_min(&e, FP_D, a, b),
				 want == 2 || (want == 6 && b >> 63) ? b : a);
	}
}

/* Values worked out by hand from the pseudocode. */
static void test_special(void **state)
{
	struct fp_env e = {0};
	bool z;

	(void)state;
	assert_int_equal(fp_recpe(&e, FP_S, 0x3f800000), 0x3f7f8000);
	assert_int_equal(fp_rsqrte(&e, FP_S, 0x3f800000), 0x3f7f8000);
	assert_int_equal(fp_recps(&e, FP_S, 0x7f800000, 0x80000000), 0x40000000);
	assert_int_equal(fp_rsqrts(&e, FP_D, 0, 0xfff0000000000000), 0x3ff8000000000000);
	assert_int_equal(fp_mulx(&e, FP_H, 0x8000, 0x7c00), 0xc000);
	assert_int_equal(e.fpsr, 0);
	assert_int_equal(fp_maxnm(&e, FP_S, 0x7fc00001, 0xbf800000), 0xbf800000);
	assert_int_equal(e.fpsr, 0);
	assert_int_equal(fp_maxnm(&e, FP_S, 0x7fc00001, 0x7f800001), 0x7fc00001);
	assert_int_equal(e.fpsr, FPSR_IOC);
	e.fpsr = 0;
	/* 2^32 + 2^31 - 1/2 wraps to 2^31 - 1; invalid */
	assert_int_equal(fp_to_js(&e, 0x41f7ffffffe00000 + 0x100000, &z), 0x7fffffff);
	assert_int_equal(e.fpsr, FPSR_IOC);
	assert_false(z);
	e = (struct fp_env){.fpcr = FPCR_AHP};
	assert_int_equal(fp_convert(&e, FP_H, FP_S, 0x7f800000, FP_RN), 0x7fff);
	assert_int_equal(fp_convert(&e, FP_S, FP_H, 0x7fff, FP_RN), 0x47ffe000);
	/* Round to odd into infinity, and no flags. */
	assert_int_equal(fp_bfmul(0x7f7f, 0x7f7f), 0x7f800000);
	assert_int_equal(fp_bfadd(0x3f800000, 0x00800000), 0x3f800001);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arith),	cmocka_unit_test(test_tininess),
		cmocka_unit_test(test_convert), cmocka_unit_test(test_int),
		cmocka_unit_test(test_compare), cmocka_unit_test(test_special),
	};
	const char *seed = getenv("SEED");

	rng_state = seed ? strtoull(seed, NULL, 0) : 0x9e3779b97f4a7c15;
	printf("SEED=%#llx\n", (unsigned long long)rng_state);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

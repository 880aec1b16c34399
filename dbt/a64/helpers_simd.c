// SPDX-License-Identifier: MIT
/* AdvSIMD helpers: class lookup, three registers same type. */
#include "dbt/a64/helpers_simd.h"

struct simd_class {
	u32 mask, bits;
	helper_fn fn;
};

/* Encoding classes, DDI 0487 C4.1 "Data Processing -- Scalar Floating-Point and Advanced SIMD". */
static const struct simd_class classes[] = {
	{0x9f200400, 0x0e200400, helper_simd_three_same},
	{0xdf200400, 0x5e200400, helper_simd_three_same},
	{0x9f208400, 0x0e008400, helper_simd_three_extra},
	{0xdf208400, 0x5e008400, helper_simd_three_extra},
	{0x9f3e0c00, 0x0e200800, helper_simd_two_misc},
	{0xdf3e0c00, 0x5e200800, helper_simd_two_misc},
	{0x9f3e0c00, 0x0e300800, helper_simd_across},
	{0xdf3e0c00, 0x5e300800, helper_simd_pairwise},
	{0x9f200c00, 0x0e200000, helper_simd_three_diff},
	{0xdf200c00, 0x5e200000, helper_simd_three_diff},
	{0x9fe08400, 0x0e000400, helper_simd_copy},
	{0xffe08400, 0x5e000400, helper_simd_copy},
	{0xbf208c00, 0x0e000800, helper_simd_permute},
	{0xbfe08400, 0x2e000000, helper_simd_ext},
	{0xbfe08c00, 0x0e000000, helper_simd_tbl},
	{0x9ff80400, 0x0f000400, helper_simd_mod_imm},
	{0x9f800400, 0x0f000400, helper_simd_shift_imm},
	{0xdf800400, 0x5f000400, helper_simd_shift_imm},
	{0x9f000400, 0x0f000000, helper_simd_by_elem},
	{0xdf000400, 0x5f000000, helper_simd_by_elem},
	{0xff3e0c00, 0x4e280800, helper_simd_aes},
	{0xff208c00, 0x5e000000, helper_simd_sha},
	{0xff3e0c00, 0x5e280800, helper_simd_sha},
	{0xffe00000, 0xce400000, helper_simd_sm},
	{0xffe0c000, 0xce60c000, helper_simd_sm},
	{0xfffffc00, 0xcec08400, helper_simd_sm},
	{0xff000000, 0xce000000, helper_simd_sha512},
	{0xbe000000, 0x0c000000, helper_simd_ldst},
};

helper_fn simd_helper(u32 raw)
{
	for (unsigned i = 0; i < ARRAY_SIZE(classes); i++)
		if ((raw & classes[i].mask) == classes[i].bits)
			return classes[i].fn;
	return NULL;
}

int simd_undef(struct dbt_vcpu *cpu)
{
	a64_take_undef(cpu, "AdvSIMD encoding");
	return HELPER_JUMP;
}

u64 simd_shift(s128 e, int sh, bool round, enum simd_sat sat, unsigned bits, bool *qc)
{
	if (sh < 0) {
		/* 100 is past every element: larger counts give the same result. */
		unsigned n = sh < -100 ? 100 : (unsigned)-sh;

		e = (e + (round ? (s128)1 << (n - 1) : 0)) >> n;
	} else if (sh >= (int)bits) {
		s128 huge = (s128)1 << 100;

		e = sat == SAT_NONE || !e ? 0 : e < 0 ? -huge : huge;
	} else {
		e = (s128)((u128)e << sh);
	}
	return sat == SAT_NONE ? (u64)e : simd_sat(e, bits, sat == SAT_U, qc);
}

u64 simd_dmulh(s64 a, s64 b, s64 acc, bool round, unsigned bits, bool *qc)
{
	s128 x = (s128)a * b * 2 + (s128)acc * ((s128)1 << bits) +
		 (round ? (s128)1 << (bits - 1) : 0);

	return simd_sat(x >> bits, bits, false, qc);
}

u64 simd_clmul(u64 a, u64 b, unsigned bits, u64 *hi)
{
	u128 r = 0;

	for (unsigned i = 0; i < bits; i++)
		if (b >> i & 1)
			r ^= (u128)a << i;
	*hi = (u64)(r >> 64);
	return (u64)r;
}

static u64 mask_if(bool c)
{
	return c ? ~0ull : 0;
}

/* Shifts by register: the count is the signed low byte of the second element. */
static u64 shift_reg(unsigned op, bool uns, unsigned sz, s128 a, u64 b, bool *qc)
{
	enum simd_sat sat = !(op & 1) ? SAT_NONE : uns ? SAT_U : SAT_S;

	return simd_shift(a, (s8)b, op & 2, sat, 8u << sz, qc);
}

/* Element operations whose operands are extended by signedness; opcode = bits 15:11. */
static bool arith(unsigned op, bool uns, unsigned sz, s128 a, s128 b, u64 d, u64 *r, bool *qc)
{
	unsigned bits = 8u << sz;
	s128 diff = a > b ? a - b : b - a;

	switch (op) {
	case 0x00: *r = (u64)((a + b) >> 1); break;
	case 0x01: *r = simd_sat(a + b, bits, uns, qc); break;
	case 0x02: *r = (u64)((a + b + 1) >> 1); break;
	case 0x04: *r = (u64)((a - b) >> 1); break;
	case 0x05: *r = simd_sat(a - b, bits, uns, qc); break;
	case 0x06: *r = mask_if(a > b); break;
	case 0x07: *r = mask_if(a >= b); break;
	case 0x08:
	case 0x09:
	case 0x0a:
	case 0x0b: *r = shift_reg(op, uns, sz, a, (u64)b, qc); break;
	case 0x0c:
	case 0x14: *r = (u64)(a > b ? a : b); break;
	case 0x0d:
	case 0x15: *r = (u64)(a < b ? a : b); break;
	case 0x0e: *r = (u64)diff; break;
	case 0x0f: *r = d + (u64)diff; break;
	case 0x10: *r = uns ? (u64)(a - b) : (u64)(a + b); break;
	case 0x11: *r = mask_if(uns ? a == b : (a & b) != 0); break;
	case 0x12: *r = uns ? d - (u64)a * (u64)b : d + (u64)a * (u64)b; break;
	case 0x13: *r = (u64)a * (u64)b; break;
	case 0x17: *r = (u64)(a + b); break;
	default: return false;
	}
	return true;
}

static void logic(struct dbt_vcpu *cpu, u32 raw)
{
	u8 *dst = cpu->v[SIMD_RD(raw)];

	for (unsigned i = 0; i < 2; i++) {
		u64 n = el_u(cpu->v[SIMD_RN(raw)], 3, i), m = el_u(cpu->v[SIMD_RM(raw)], 3, i);
		u64 d = el_u(dst, 3, i), r = 0;

		switch (SIMD_U(raw) << 2 | SIMD_SZ(raw)) {
		case 0: r = n & m; break;
		case 1: r = n & ~m; break;
		case 2: r = n | m; break;
		case 3: r = n | ~m; break;
		case 4: r = n ^ m; break;
		case 5: r = (n & d) | (m & ~d); break; /* BSL */
		case 6: r = (n & m) | (d & ~m); break; /* BIT */
		case 7: r = (d & m) | (n & ~m); break; /* BIF */
		}
		el_put(dst, 3, i, i && !SIMD_Q(raw) ? 0 : r);
	}
}

int helper_simd_three_same(struct dbt_vcpu *cpu, u32 raw)
{
	const u8 *n = cpu->v[SIMD_RN(raw)], *m = cpu->v[SIMD_RM(raw)], *old = cpu->v[SIMD_RD(raw)];
	unsigned op = raw >> 11 & 31, sz = SIMD_SZ(raw), lanes = simd_lanes(raw, sz);
	bool uns = SIMD_U(raw), qc = false;
	bool pair = op == 0x14 || op == 0x15 || op == 0x17;
	u8 d[16] = {0};

	if (op == 0x03) {
		logic(cpu, raw);
		return HELPER_NEXT;
	}
	if (op == 0x16 && (sz == 0 || sz == 3))
		return simd_undef(cpu);
	for (unsigned i = 0; i < lanes; i++) {
		/* Pairwise: the lanes of m:n taken two by two. */
		const u8 *pn = pair && i >= lanes / 2 ? m : n, *pm = pair ? pn : m;
		unsigned in = pair ? 2 * i % lanes : i, im = pair ? in + 1 : i;
		u64 r, hi;

		if (op == 0x16)
			r = simd_dmulh(el_s(n, sz, i), el_s(m, sz, i), 0, uns, 8u << sz, &qc);
		else if (op == 0x13 && uns)
			r = simd_clmul(el_u(n, 0, i), el_u(m, 0, i), 8, &hi);
		else if (!arith(op, uns, sz, el_x(pn, sz, in, uns), el_x(pm, sz, im, uns),
				el_u(old, sz, i), &r, &qc))
			return simd_undef(cpu);
		el_put(d, sz, i, r);
	}
	return simd_finish(cpu, raw, d, qc);
}

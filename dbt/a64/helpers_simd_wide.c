// SPDX-License-Identifier: MIT
/* AdvSIMD helpers: three different (long, wide, narrow), by element, dot products, RDM, I8MM. */
#include "dbt/a64/helpers_simd.h"

/* 2ab saturated, then added to or taken from the accumulator with saturation. */
static u64 sqdm(s64 a, s64 b, s64 acc, int sign, unsigned wide_bits, bool *qc)
{
	s64 p = (s64)simd_sat((s128)a * b * 2, wide_bits, false, qc);

	p = sext64((u64)p, wide_bits);
	if (!sign)
		return (u64)p;
	return simd_sat(sign > 0 ? (s128)acc + p : (s128)acc - p, wide_bits, false, qc);
}

/* Long forms: a, b are elements extended to 2 << sz bytes; d is the wide accumulator. */
static bool long_op(unsigned op, bool uns, unsigned sz, s128 a, s128 b, s64 d, u64 *r, bool *qc)
{
	unsigned wide = 16u << sz;
	u64 diff = (u64)(a > b ? a - b : b - a), hi;

	switch (op) {
	case 0x0:
	case 0x1: *r = (u64)(a + b); break;
	case 0x2:
	case 0x3: *r = (u64)(a - b); break;
	case 0x5: *r = (u64)d + diff; break;
	case 0x7: *r = diff; break;
	case 0x8: *r = (u64)d + (u64)(a * b); break;
	case 0x9: *r = sqdm((s64)a, (s64)b, d, 1, wide, qc); break;
	case 0xa: *r = (u64)d - (u64)(a * b); break;
	case 0xb: *r = sqdm((s64)a, (s64)b, d, -1, wide, qc); break;
	case 0xc: *r = (u64)(a * b); break;
	case 0xd: *r = sqdm((s64)a, (s64)b, 0, 0, wide, qc); break;
	case 0xe: *r = simd_clmul((u8)a, (u8)b, 8, &hi); break;
	default: return false;
	}
	return !((op == 0x9 || op == 0xb || op == 0xd || op == 0xe) && uns);
}

/* ADDHN, RADDHN, SUBHN, RSUBHN: high halves into the low (Q: upper) half of d. */
static int narrow_high(struct dbt_vcpu *cpu, u32 raw)
{
	const u8 *n = cpu->v[SIMD_RN(raw)], *m = cpu->v[SIMD_RM(raw)];
	unsigned sz = SIMD_SZ(raw), lanes = 8u >> sz, q = SIMD_Q(raw), bits = 8u << sz;
	u8 d[16] = {0};

	if (q)
		memcpy(d, cpu->v[SIMD_RD(raw)], 8);
	for (unsigned i = 0; i < lanes; i++) {
		u64 a = el_u(n, sz + 1, i), b = el_u(m, sz + 1, i);
		u64 r = (raw >> 13 & 1) ? a - b : a + b;

		if (SIMD_U(raw))
			r += 1ull << (bits - 1);
		el_put(d, sz, i + q * lanes, r >> bits);
	}
	return simd_finish(cpu, raw, d, false);
}

int helper_simd_three_diff(struct dbt_vcpu *cpu, u32 raw)
{
	const u8 *n = cpu->v[SIMD_RN(raw)], *m = cpu->v[SIMD_RM(raw)], *old = cpu->v[SIMD_RD(raw)];
	unsigned op = raw >> 12 & 15, sz = SIMD_SZ(raw);
	bool scalar = SIMD_IS_SCALAR(raw), uns = SIMD_U(raw), qc = false;
	bool wide_n = op == 0x1 || op == 0x3;
	unsigned lanes = scalar ? 1 : 8u >> sz, base = scalar ? 0 : SIMD_Q(raw) * lanes;
	u8 d[16] = {0};

	if (op == 0xe && sz == 3) {
		u64 hi, lo = simd_clmul(el_u(n, 3, SIMD_Q(raw)), el_u(m, 3, SIMD_Q(raw)), 64, &hi);

		el_put(d, 3, 0, lo);
		el_put(d, 3, 1, hi);
		return simd_finish(cpu, raw, d, false);
	}
	if (sz == 3)
		return simd_undef(cpu);
	if (op == 0x4 || op == 0x6)
		return narrow_high(cpu, raw);
	for (unsigned i = 0; i < lanes; i++) {
		s128 a = wide_n ? el_x(n, sz + 1, i, uns) : el_x(n, sz, base + i, uns);
		u64 r;

		if (!long_op(op, uns, sz, a, el_x(m, sz, base + i, uns), el_s(old, sz + 1, i), &r,
			     &qc))
			return simd_undef(cpu);
		el_put(d, sz + 1, i, r);
	}
	return simd_finish(cpu, raw, d, qc);
}

/* Four byte products into a 32-bit lane; which of the two operands is unsigned. */
static u32 dot4(u32 acc, const u8 *n, bool un, const u8 *m, bool um)
{
	for (unsigned k = 0; k < 4; k++)
		acc += (u32)(s32)el_x(n, 0, k, un) * (u32)(s32)el_x(m, 0, k, um);
	return acc;
}

static int dot(struct dbt_vcpu *cpu, u32 raw, bool un, bool um, const u8 *m, int index)
{
	const u8 *n = cpu->v[SIMD_RN(raw)];
	u8 d[16] = {0};

	for (unsigned i = 0; i < 2u << SIMD_Q(raw); i++) {
		const u8 *pm = m + 4 * (index >= 0 ? (unsigned)index : i);

		el_put(d, 2, i, dot4((u32)el_u(cpu->v[SIMD_RD(raw)], 2, i), n + 4 * i, un, pm, um));
	}
	return simd_finish(cpu, raw, d, false);
}

/* SMMLA, UMMLA, USMMLA: 2x8 by 8x2 into 2x2 words. */
static int mmla(struct dbt_vcpu *cpu, u32 raw, bool un, bool um)
{
	const u8 *n = cpu->v[SIMD_RN(raw)], *m = cpu->v[SIMD_RM(raw)];
	u8 d[16];

	for (unsigned i = 0; i < 4; i++) {
		const u8 *pn = n + 8 * (i >> 1), *pm = m + 8 * (i & 1);
		u32 acc = dot4((u32)el_u(cpu->v[SIMD_RD(raw)], 2, i), pn, un, pm, um);

		el_put(d, 2, i, dot4(acc, pn + 4, un, pm + 4, um));
	}
	return simd_finish(cpu, raw, d, false);
}

static int rdm(struct dbt_vcpu *cpu, u32 raw, const u8 *m, int index, bool sub)
{
	const u8 *n = cpu->v[SIMD_RN(raw)], *old = cpu->v[SIMD_RD(raw)];
	unsigned sz = SIMD_SZ(raw);
	bool qc = false;
	u8 d[16] = {0};

	if (sz == 0 || sz == 3)
		return simd_undef(cpu);
	for (unsigned i = 0; i < simd_lanes(raw, sz); i++) {
		s64 b = el_s(m, sz, index >= 0 ? (unsigned)index : i);

		el_put(d, sz, i,
		       simd_dmulh(el_s(n, sz, i), sub ? -b : b, el_s(old, sz, i), true, 8u << sz,
				  &qc));
	}
	return simd_finish(cpu, raw, d, qc);
}

int helper_simd_three_extra(struct dbt_vcpu *cpu, u32 raw)
{
	const u8 *m = cpu->v[SIMD_RM(raw)];
	bool uns = SIMD_U(raw);

	switch (raw >> 11 & 15) {
	case 0x0:
	case 0x1: return uns ? rdm(cpu, raw, m, -1, raw >> 11 & 1) : simd_undef(cpu);
	case 0x2: return dot(cpu, raw, uns, uns, m, -1);
	case 0x3: return uns ? simd_undef(cpu) : dot(cpu, raw, true, false, m, -1);
	case 0x4: return mmla(cpu, raw, uns, uns);
	case 0x5: return uns ? simd_undef(cpu) : mmla(cpu, raw, true, false);
	default: return simd_undef(cpu);
	}
}

/* MUL, MLA, MLS, SQDMULH, SQRDMULH by element. */
static int same_by_elem(struct dbt_vcpu *cpu, u32 raw, const u8 *m, unsigned index)
{
	const u8 *n = cpu->v[SIMD_RN(raw)], *old = cpu->v[SIMD_RD(raw)];
	unsigned op = raw >> 12 & 15, sz = SIMD_SZ(raw);
	s64 b = el_s(m, sz, index);
	bool qc = false;
	u8 d[16] = {0};

	for (unsigned i = 0; i < simd_lanes(raw, sz); i++) {
		s64 a = el_s(n, sz, i);
		u64 o = el_u(old, sz, i), p = (u64)a * (u64)b;

		switch (op) {
		case 0x0: p = o + p; break;
		case 0x4: p = o - p; break;
		case 0x8: break;
		case 0xc: p = simd_dmulh(a, b, 0, false, 8u << sz, &qc); break;
		case 0xd: p = simd_dmulh(a, b, 0, true, 8u << sz, &qc); break;
		}
		el_put(d, sz, i, p);
	}
	return simd_finish(cpu, raw, d, qc);
}

static int long_by_elem(struct dbt_vcpu *cpu, u32 raw, const u8 *m, unsigned index)
{
	/* The opcode of the three-different instruction: x2 -> 8/9, x6 -> a/b, xa -> c/d. */
	static const u8 three_diff[16] = {
		[2] = 8, [3] = 9, [6] = 10, [7] = 11, [10] = 12, [11] = 13};
	unsigned op = raw >> 12 & 15, sz = SIMD_SZ(raw);
	bool scalar = SIMD_IS_SCALAR(raw), uns = SIMD_U(raw), qc = false;
	unsigned lanes = scalar ? 1 : 8u >> sz, base = scalar ? 0 : SIMD_Q(raw) * lanes;
	const u8 *n = cpu->v[SIMD_RN(raw)], *old = cpu->v[SIMD_RD(raw)];
	s128 b = el_x(m, sz, index, uns);
	u8 d[16] = {0};

	for (unsigned i = 0; i < lanes; i++) {
		u64 r;

		if (!long_op(three_diff[op], uns, sz, el_x(n, sz, base + i, uns), b,
			     el_s(old, sz + 1, i), &r, &qc))
			return simd_undef(cpu);
		el_put(d, sz + 1, i, r);
	}
	return simd_finish(cpu, raw, d, qc);
}

int helper_simd_by_elem(struct dbt_vcpu *cpu, u32 raw)
{
	unsigned op = raw >> 12 & 15, sz = SIMD_SZ(raw);
	bool uns = SIMD_U(raw);
	unsigned h = raw >> 11 & 1, l = raw >> 21 & 1, mb = raw >> 20 & 1;
	unsigned index = sz == 1 ? h << 2 | l << 1 | mb : h << 1 | l;
	const u8 *m = cpu->v[sz == 1 ? SIMD_RM(raw) & 15 : SIMD_RM(raw)];

	/* Only the dot products use sizes other than H and S. */
	if ((sz == 0 || sz == 3) && (op & 14) != 14)
		return simd_undef(cpu);
	switch (op | (unsigned)uns << 4) {
	case 0x08:
	case 0x0c:
	case 0x0d:
	case 0x10:
	case 0x14: return same_by_elem(cpu, raw, m, index);
	case 0x02:
	case 0x03:
	case 0x06:
	case 0x07:
	case 0x0a:
	case 0x0b:
	case 0x12:
	case 0x16:
	case 0x1a: return long_by_elem(cpu, raw, m, index);
	case 0x0e:
	case 0x1e: return dot(cpu, raw, uns, uns, m, (int)index);
	case 0x0f: /* USDOT, SUDOT */ return dot(cpu, raw, sz == 2, sz == 0, m, (int)index);
	case 0x1d:
	case 0x1f: return rdm(cpu, raw, m, (int)index, raw >> 13 & 1);
	default: return simd_undef(cpu);
	}
}

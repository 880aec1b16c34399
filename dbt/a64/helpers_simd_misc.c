// SPDX-License-Identifier: MIT
/* AdvSIMD helpers: two-register miscellaneous, across lanes, scalar pairwise, shifts by immediate.
 */
#include "dbt/a64/helpers_simd.h"

static u64 reverse_bits(u64 x, unsigned bits)
{
	u64 r = 0;

	for (unsigned i = 0; i < bits; i++)
		r |= (x >> i & 1) << (bits - 1 - i);
	return r;
}

static u64 leading_zeros(u64 x, unsigned bits)
{
	return x ? (u64)__builtin_clzll(x) - (64 - bits) : bits;
}

static u64 leading_signs(s64 x, unsigned bits)
{
	return leading_zeros((u64)(x < 0 ? ~x : x) & (~0ull >> (64 - bits)), bits) - 1;
}

/* DDI 0487 UnsignedRecipEstimate: nine significant bits. */
static u32 recip_estimate(u32 x)
{
	u32 a = (x >> 23) * 2 + 1, b = (1u << 19) / a;

	return x >> 31 ? ((b + 1) / 2) << 23 : ~0u;
}

/* DDI 0487 UnsignedRSqrtEstimate. */
static u32 rsqrt_estimate(u32 x)
{
	u32 a = x >> 23, b = 512;

	if (!(x >> 30))
		return ~0u;
	a = a < 256 ? a * 2 + 1 : ((a >> 1 << 1) + 1) * 2;
	while (a * (b + 1) * (b + 1) < 1u << 28)
		b++;
	return ((b + 1) / 2) << 23;
}

/* REV64 REV32 REV16: elements of 1 << sz bytes reversed inside containers of 1 << csz bytes. */
static int rev(struct dbt_vcpu *cpu, u32 raw, unsigned sz, unsigned csz)
{
	unsigned lanes = simd_lanes(raw, sz), flip;
	u8 d[16] = {0};

	if (sz >= csz)
		return simd_undef(cpu);
	flip = (1u << (csz - sz)) - 1;
	for (unsigned i = 0; i < lanes; i++)
		el_put(d, sz, i, el_u(cpu->v[SIMD_RN(raw)], sz, i ^ flip));
	return simd_finish(cpu, raw, d, false);
}

/* SADDLP UADDLP SADALP UADALP */
static int add_long_pair(struct dbt_vcpu *cpu, u32 raw, bool acc)
{
	const u8 *n = cpu->v[SIMD_RN(raw)];
	unsigned sz = SIMD_SZ(raw), uns = SIMD_U(raw);
	u8 d[16] = {0};

	if (sz == 3)
		return simd_undef(cpu);
	for (unsigned i = 0; i < simd_lanes(raw, sz + 1); i++) {
		u64 r = (u64)(el_x(n, sz, 2 * i, uns) + el_x(n, sz, 2 * i + 1, uns));

		el_put(d, sz + 1, i, r + (acc ? el_u(cpu->v[SIMD_RD(raw)], sz + 1, i) : 0));
	}
	return simd_finish(cpu, raw, d, false);
}

/* XTN SQXTN UQXTN SQXTUN, scalar forms too. */
static int narrow(struct dbt_vcpu *cpu, u32 raw)
{
	const u8 *n = cpu->v[SIMD_RN(raw)];
	unsigned op = raw >> 12 & 31, sz = SIMD_SZ(raw), bits = 8u << sz;
	bool scalar = SIMD_IS_SCALAR(raw), uns = SIMD_U(raw), qc = false;
	unsigned lanes = scalar ? 1 : 8u >> sz, base = scalar ? 0 : SIMD_Q(raw) * lanes;
	u8 d[16] = {0};

	if (sz == 3)
		return simd_undef(cpu);
	if (base)
		memcpy(d, cpu->v[SIMD_RD(raw)], 8);
	for (unsigned i = 0; i < lanes; i++) {
		u64 r = el_u(n, sz + 1, i);

		if (op == 0x14) /* SQXTN, UQXTN */
			r = simd_sat(el_x(n, sz + 1, i, uns), bits, uns, &qc);
		else if (uns) /* SQXTUN */
			r = simd_sat(el_s(n, sz + 1, i), bits, true, &qc);
		el_put(d, sz, base + i, r);
	}
	return simd_finish(cpu, raw, d, qc);
}

/* SHLL: shift left long by the element's width. */
static int shift_left_long(struct dbt_vcpu *cpu, u32 raw)
{
	unsigned sz = SIMD_SZ(raw), lanes = 8u >> sz;
	u8 d[16] = {0};

	if (sz == 3 || !SIMD_U(raw))
		return simd_undef(cpu);
	for (unsigned i = 0; i < lanes; i++)
		el_put(d, sz + 1, i,
		       el_u(cpu->v[SIMD_RN(raw)], sz, SIMD_Q(raw) * lanes + i) << (8u << sz));
	return simd_finish(cpu, raw, d, false);
}

/* CNT, NOT, RBIT share one opcode: bytes whatever the size field says. */
static u64 byte_op(u32 raw, u8 x)
{
	if (!SIMD_U(raw))
		return (u64)__builtin_popcount(x);
	return SIMD_SZ(raw) ? reverse_bits(x, 8) : (u8)~x;
}

static bool misc_elem(unsigned op, bool uns, unsigned sz, s64 a, u64 old, u64 *r, bool *qc)
{
	unsigned bits = 8u << sz;
	u64 ua = (u64)a & (~0ull >> (64 - bits));
	bool c;

	switch (op) {
	case 0x03: /* SUQADD, USQADD: operand and accumulator differ in signedness */
		*r = simd_sat(uns ? (s128)old + a : (s128)sext64(old, bits) + ua, bits, uns, qc);
		return true;
	case 0x04: *r = uns ? leading_zeros(ua, bits) : leading_signs(a, bits); return true;
	case 0x07: *r = simd_sat(uns || a < 0 ? -(s128)a : a, bits, false, qc); return true;
	case 0x08: c = uns ? a >= 0 : a > 0; break;
	case 0x09: c = uns ? a <= 0 : a == 0; break;
	case 0x0a: c = a < 0; break;
	case 0x0b: *r = uns || a < 0 ? 0 - (u64)a : (u64)a; return true;
	case 0x1c: *r = uns ? rsqrt_estimate((u32)a) : recip_estimate((u32)a); return true;
	default: return false;
	}
	*r = c ? ~0ull : 0;
	return true;
}

int helper_simd_two_misc(struct dbt_vcpu *cpu, u32 raw)
{
	unsigned op = raw >> 12 & 31, sz = SIMD_SZ(raw);
	bool uns = SIMD_U(raw), qc = false;
	u8 d[16] = {0};

	switch (op) {
	case 0x00: return rev(cpu, raw, sz, uns ? 2 : 3);
	case 0x01: return rev(cpu, raw, sz, 1);
	case 0x02: return add_long_pair(cpu, raw, false);
	case 0x06: return add_long_pair(cpu, raw, true);
	case 0x12:
	case 0x14: return narrow(cpu, raw);
	case 0x13: return shift_left_long(cpu, raw);
	case 0x05: sz = 0; break;
	case 0x1c:
		if (sz != 2)
			return simd_undef(cpu);
		break;
	}
	for (unsigned i = 0; i < simd_lanes(raw, sz); i++) {
		s64 a = el_s(cpu->v[SIMD_RN(raw)], sz, i);
		u64 r;

		if (op == 0x05)
			r = byte_op(raw, (u8)a);
		else if (!misc_elem(op, uns, sz, a, el_u(cpu->v[SIMD_RD(raw)], sz, i), &r, &qc))
			return simd_undef(cpu);
		el_put(d, sz, i, r);
	}
	return simd_finish(cpu, raw, d, qc);
}

int helper_simd_across(struct dbt_vcpu *cpu, u32 raw)
{
	const u8 *n = cpu->v[SIMD_RN(raw)];
	unsigned op = raw >> 12 & 31, sz = SIMD_SZ(raw), uns = SIMD_U(raw);
	s128 acc = el_x(n, sz, 0, uns);
	u8 d[16] = {0};

	if (sz == 3 || (op != 0x03 && op != 0x0a && op != 0x1a && (op != 0x1b || uns)))
		return simd_undef(cpu);
	for (unsigned i = 1; i < simd_lanes(raw, sz); i++) {
		s128 x = el_x(n, sz, i, uns);

		switch (op) {
		case 0x03:
		case 0x1b: acc += x; break;
		case 0x0a: acc = acc > x ? acc : x; break;
		case 0x1a: acc = acc < x ? acc : x; break;
		}
	}
	el_put(d, op == 0x03 ? sz + 1 : sz, 0, (u64)acc);
	return simd_finish(cpu, raw, d, false);
}

int helper_simd_pairwise(struct dbt_vcpu *cpu, u32 raw)
{
	const u8 *n = cpu->v[SIMD_RN(raw)];
	u8 d[16] = {0};

	if ((raw >> 12 & 31) != 0x1b || SIMD_U(raw) || SIMD_SZ(raw) != 3)
		return simd_undef(cpu);
	el_put(d, 3, 0, el_u(n, 3, 0) + el_u(n, 3, 1));
	return simd_finish(cpu, raw, d, false);
}

/* SHRN RSHRN SQSHRN SQRSHRN UQSHRN UQRSHRN SQSHRUN SQRSHRUN: op 10000 .. 10011. */
static int shift_narrow(struct dbt_vcpu *cpu, u32 raw, unsigned sz, int right)
{
	const u8 *n = cpu->v[SIMD_RN(raw)];
	unsigned op = raw >> 11 & 31;
	bool scalar = SIMD_IS_SCALAR(raw), uns = SIMD_U(raw), qc = false;
	unsigned lanes = scalar ? 1 : 8u >> sz, base = scalar ? 0 : SIMD_Q(raw) * lanes;
	/* Bit 1 of the opcode: operand and result of U's signedness; else SHRN or signed to
	 * unsigned. */
	enum simd_sat sat = op & 2 ? (uns ? SAT_U : SAT_S) : uns ? SAT_U : SAT_NONE;
	bool in_uns = op & 2 ? uns : !uns;
	u8 d[16] = {0};

	if (base)
		memcpy(d, cpu->v[SIMD_RD(raw)], 8);
	for (unsigned i = 0; i < lanes; i++)
		el_put(d, sz, base + i,
		       simd_shift(el_x(n, sz + 1, i, in_uns), -right, op & 1, sat, 8u << sz, &qc));
	return simd_finish(cpu, raw, d, qc);
}

/* SSHLL, USHLL */
static int shift_long(struct dbt_vcpu *cpu, u32 raw, unsigned sz, int left)
{
	unsigned lanes = 8u >> sz, base = SIMD_Q(raw) * lanes;
	u8 d[16] = {0};

	for (unsigned i = 0; i < lanes; i++)
		el_put(d, sz + 1, i,
		       (u64)el_x(cpu->v[SIMD_RN(raw)], sz, base + i, SIMD_U(raw)) << left);
	return simd_finish(cpu, raw, d, false);
}

static bool shift_elem(unsigned op, bool uns, unsigned sz, s128 a, u64 old, int left, int right,
		       u64 *r, bool *qc)
{
	unsigned bits = 8u << sz;
	u64 ua = (u64)a & (~0ull >> (64 - bits)), keep;

	switch (op) {
	case 0x00:
	case 0x04: *r = simd_shift(a, -right, op & 4, SAT_NONE, bits, qc); return true;
	case 0x02:
	case 0x06: *r = old + simd_shift(a, -right, op & 4, SAT_NONE, bits, qc); return true;
	case 0x08: /* SRI */
		keep = right == (int)bits ? ~0ull : ~(~0ull >> (64 - bits) >> right);
		*r = (old & keep) | (right == (int)bits ? 0 : ua >> right);
		return uns;
	case 0x0a: /* SHL, SLI */ *r = ua << left | (uns ? old & ~(~0ull << left) : 0); return true;
	case 0x0c: /* SQSHLU: the operand is signed */
		*r = simd_shift(sext64((u64)a, bits), left, false, SAT_U, bits, qc);
		return uns;
	case 0x0e: *r = simd_shift(a, left, false, uns ? SAT_U : SAT_S, bits, qc); return true;
	default: return false;
	}
}

int helper_simd_shift_imm(struct dbt_vcpu *cpu, u32 raw)
{
	unsigned op = raw >> 11 & 31, imm = raw >> 16 & 127,
		 sz = 28u - (unsigned)__builtin_clz(imm | 8);
	int left = (int)imm - (8 << sz), right = (16 << sz) - (int)imm;
	bool uns = SIMD_U(raw), qc = false;
	u8 d[16] = {0};

	if (imm < 8 || (op >= 0x10 && op <= 0x14 && sz == 3))
		return simd_undef(cpu);
	if (op >= 0x10 && op <= 0x13)
		return shift_narrow(cpu, raw, sz, right);
	if (op == 0x14)
		return shift_long(cpu, raw, sz, left);
	for (unsigned i = 0; i < simd_lanes(raw, sz); i++) {
		u64 r;

		if (!shift_elem(op, uns, sz, el_x(cpu->v[SIMD_RN(raw)], sz, i, uns),
				el_u(cpu->v[SIMD_RD(raw)], sz, i), left, right, &r, &qc))
			return simd_undef(cpu);
		el_put(d, sz, i, r);
	}
	return simd_finish(cpu, raw, d, qc);
}

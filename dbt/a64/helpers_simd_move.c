// SPDX-License-Identifier: MIT
/* AdvSIMD helpers: copies, permutes, table look-up, immediates. */
#include "dbt/a64/helpers_simd.h"

u64 simd_expand_imm(unsigned op, unsigned cmode, unsigned o2, unsigned imm8)
{
	const u64 word = 0x0000000100000001, half = 0x0001000100010001, byte = 0x0101010101010101;
	u64 imm = imm8, mask = 0;

	switch (cmode >> 1) {
	case 0:
	case 1:
	case 2:
	case 3: return word * (imm << 8 * (cmode >> 1));
	case 4:
	case 5: return half * (imm << 8 * (cmode >> 1 & 1));
	case 6: return word * (cmode & 1 ? imm << 16 | 0xffff : imm << 8 | 0xff);
	}
	if (!(cmode & 1)) {
		if (!op)
			return byte * imm;
		for (unsigned i = 0; i < 8; i++)
			mask |= imm >> i & 1 ? 0xffull << 8 * i : 0;
		return mask;
	}
	/* FMOV: sign, exponent NOT(b) b.., four fraction bits. */
	u64 sign = imm >> 7, b = imm >> 6 & 1, frac = imm & 63;

	if (o2)
		return half * (sign << 15 | (b ? 0x3000 : 0x4000) | frac << 6);
	if (op)
		return sign << 63 | (b ? 0x3fc0ull : 0x4000ull) << 48 | frac << 48;
	return word * (sign << 31 | (b ? 0x3e000000ull : 0x40000000ull) | frac << 19);
}

int helper_simd_mod_imm(struct dbt_vcpu *cpu, u32 raw)
{
	unsigned op = SIMD_U(raw), cmode = raw >> 12 & 15, o2 = raw >> 11 & 1;
	u64 imm = simd_expand_imm(op, cmode, o2, (raw >> 11 & 0xe0) | (raw >> 5 & 0x1f));
	u8 *d = cpu->v[SIMD_RD(raw)];

	for (unsigned i = 0; i < 2; i++) {
		u64 r = imm, old = el_u(d, 3, i);

		if (cmode < 12 && (cmode & 1))
			r = op ? old & ~imm : old | imm;
		else if (op && cmode < 14)
			r = ~imm;
		el_put(d, 3, i, i && !SIMD_Q(raw) ? 0 : r);
	}
	return HELPER_NEXT;
}

static int to_general(struct dbt_vcpu *cpu, u32 raw, unsigned sz, unsigned index, bool sign)
{
	const u8 *n = cpu->v[SIMD_RN(raw)];
	u64 x = sign ? (u64)el_s(n, sz, index) : el_u(n, sz, index);

	if (SIMD_RD(raw) != 31)
		cpu->x[SIMD_RD(raw)] = SIMD_Q(raw) ? x : (u32)x;
	return HELPER_NEXT;
}

int helper_simd_copy(struct dbt_vcpu *cpu, u32 raw)
{
	unsigned imm5 = raw >> 16 & 31, imm4 = raw >> 11 & 15;
	unsigned sz = imm5 & 15 ? (unsigned)__builtin_ctz(imm5) : 4, index = imm5 >> (sz + 1);
	const u8 *n = cpu->v[SIMD_RN(raw)];
	u64 x = SIMD_RN(raw) == 31 ? 0 : cpu->x[SIMD_RN(raw)];
	u8 d[16] = {0};

	if (sz == 4)
		return simd_undef(cpu);
	if (SIMD_U(raw)) { /* INS (element) */
		el_put(cpu->v[SIMD_RD(raw)], sz, index, el_u(n, sz, imm4 >> sz));
		return HELPER_NEXT;
	}
	switch (imm4) {
	case 0: x = el_u(n, sz, index); break;
	case 1: break;
	case 3: el_put(cpu->v[SIMD_RD(raw)], sz, index, x); return HELPER_NEXT;
	case 5:
	case 7: return to_general(cpu, raw, sz, index, imm4 == 5);
	default: return simd_undef(cpu);
	}
	for (unsigned i = 0; i < simd_lanes(raw, sz); i++)
		el_put(d, sz, i, x);
	return simd_finish(cpu, raw, d, false);
}

int helper_simd_permute(struct dbt_vcpu *cpu, u32 raw)
{
	const u8 *n = cpu->v[SIMD_RN(raw)], *m = cpu->v[SIMD_RM(raw)];
	unsigned sz = SIMD_SZ(raw), lanes = simd_lanes(raw, sz), half = lanes / 2;
	unsigned part = raw >> 14 & 1;
	u8 d[16] = {0};

	if (!half)
		return simd_undef(cpu);

	for (unsigned i = 0; i < lanes; i++) {
		const u8 *src;
		unsigned j = 0;

		switch (raw >> 12 & 3) {
		case 1: /* UZP */
			src = i < half ? n : m;
			j = 2 * (i % half) + part;
			break;
		case 2: /* TRN */
			src = i & 1 ? m : n;
			j = (i & ~1u) + part;
			break;
		case 3: /* ZIP */
			src = i & 1 ? m : n;
			j = i / 2 + part * half;
			break;
		default: return simd_undef(cpu);
		}
		el_put(d, sz, i, el_u(src, sz, j));
	}
	return simd_finish(cpu, raw, d, false);
}

int helper_simd_ext(struct dbt_vcpu *cpu, u32 raw)
{
	unsigned len = 8u << SIMD_Q(raw), pos = raw >> 11 & 15;
	u8 both[32], d[16] = {0};

	if (pos >= len)
		return simd_undef(cpu);

	memcpy(both, cpu->v[SIMD_RN(raw)], len);
	memcpy(both + len, cpu->v[SIMD_RM(raw)], len);
	memcpy(d, both + pos, len);
	return simd_finish(cpu, raw, d, false);
}

int helper_simd_tbl(struct dbt_vcpu *cpu, u32 raw)
{
	unsigned regs = (raw >> 13 & 3) + 1;
	const u8 *idx = cpu->v[SIMD_RM(raw)], *old = cpu->v[SIMD_RD(raw)];
	u8 table[64], d[16] = {0};

	for (unsigned i = 0; i < regs; i++)
		memcpy(table + 16 * i, cpu->v[(SIMD_RN(raw) + i) & 31], 16);
	for (unsigned i = 0; i < 8u << SIMD_Q(raw); i++) {
		bool tbx = raw >> 12 & 1;

		d[i] = idx[i] < 16 * regs ? table[idx[i]] : tbx ? old[i] : 0;
	}
	return simd_finish(cpu, raw, d, false);
}

// SPDX-License-Identifier: MIT
/* Loads and stores of SIMD&FP registers in C: structures, and the single and pair forms. */
#include "dbt/a64/helpers_simd.h"

/* One structure access: where it is, what it moves. */
struct ldst {
	gva_t va;
	unsigned rt, regs, q;
	u8 v[4][16];
};

static void ldst_commit(struct dbt_vcpu *cpu, const struct ldst *s)
{
	for (unsigned r = 0; r < s->regs; r++)
		memcpy(cpu->v[(s->rt + r) & 31], s->v[r], 16);
}

static void ldst_writeback(struct dbt_vcpu *cpu, u32 raw, unsigned bytes)
{
	unsigned rm = SIMD_RM(raw);

	if (raw >> 23 & 1)
		cpu->x[SIMD_RN(raw)] += rm == 31 ? bytes : cpu->x[rm];
}

/* LD1..LD4, ST1..ST4 multiple structures. */
static int ldst_multiple(struct dbt_vcpu *cpu, u32 raw)
{
	static const u8 regs_of[16] = {
		[0] = 4, [2] = 4, [4] = 3, [6] = 3, [7] = 1, [8] = 2, [10] = 2};
	unsigned op = raw >> 12 & 15, sz = raw >> 10 & 3, regs = regs_of[op],
		 bytes = 8u << SIMD_Q(raw);
	bool load = raw >> 22 & 1, inter = op == 0 || op == 4 || op == 8;
	struct ldst s = {.rt = SIMD_RD(raw), .regs = regs};
	u8 mem[64] = {0};
	gva_t va = GVA(cpu->x[SIMD_RN(raw)]);

	if (!regs || (inter && sz == 3 && !SIMD_Q(raw)))
		return simd_undef(cpu);
	/* Memory is the registers' elements, register index fastest when interleaved. */
	for (unsigned r = 0; r < regs && !load; r++)
		for (unsigned i = 0; i < bytes >> sz; i++)
			el_put(mem, sz, inter ? i * regs + r : r * (bytes >> sz) + i,
			       el_u(cpu->v[(s.rt + r) & 31], sz, i));
	for (unsigned o = 0; o < bytes * regs; o += 8) {
		int rc = load ? mem_load(cpu, GVA(va.v + o), mem + o, 8, false)
			      : mem_store(cpu, GVA(va.v + o), mem + o, 8, false);

		if (rc != HELPER_NEXT)
			return rc;
	}
	for (unsigned r = 0; r < regs && load; r++)
		for (unsigned i = 0; i < bytes >> sz; i++)
			el_put(s.v[r], sz, i,
			       el_u(mem, sz, inter ? i * regs + r : r * (bytes >> sz) + i));
	if (load)
		ldst_commit(cpu, &s);
	ldst_writeback(cpu, raw, bytes * regs);
	return HELPER_NEXT;
}

/* Decodes size and lane of a single-structure access: false when reserved. */
static bool single_lane(u32 raw, unsigned *sz, unsigned *lane, bool *rep)
{
	unsigned scale = raw >> 14 & 3, size = raw >> 10 & 3, s = raw >> 12 & 1;
	unsigned all = SIMD_Q(raw) << 3 | s << 2 | size;

	*sz = scale;
	*lane = all >> scale;
	*rep = scale == 3;
	if (scale == 3) {
		*sz = size;
		return (raw >> 22 & 1) && !s;
	}
	if (scale == 1)
		return !(size & 1);
	if (scale == 2 && size == 1) {
		*sz = 3;
		*lane = SIMD_Q(raw);
		return !s;
	}
	return scale == 0 || !(size & 2 && scale == 2);
}

static int ldst_single(struct dbt_vcpu *cpu, u32 raw)
{
	unsigned sz, lane, regs = (raw >> 13 & 1) * 2 + (raw >> 21 & 1) + 1;
	bool load = raw >> 22 & 1, rep;
	struct ldst s = {.rt = SIMD_RD(raw), .regs = regs};
	gva_t va = GVA(cpu->x[SIMD_RN(raw)]);

	if (!single_lane(raw, &sz, &lane, &rep))
		return simd_undef(cpu);
	for (unsigned r = 0; r < regs; r++) {
		u64 x = el_u(cpu->v[(s.rt + r) & 31], sz, rep ? 0 : lane);
		gva_t at = GVA(va.v + (r << sz));
		int rc = load ? mem_load(cpu, at, &x, 1u << sz, false)
			      : mem_store(cpu, at, &x, 1u << sz, false);

		if (rc != HELPER_NEXT)
			return rc;
		if (!rep)
			memcpy(s.v[r], cpu->v[(s.rt + r) & 31], 16);
		for (unsigned i = 0; rep && i < (8u << SIMD_Q(raw)) >> sz; i++)
			el_put(s.v[r], sz, i, x);
		if (!rep)
			el_put(s.v[r], sz, lane, x);
	}
	if (load)
		ldst_commit(cpu, &s);
	ldst_writeback(cpu, raw, regs << sz);
	return HELPER_NEXT;
}

int helper_simd_ldst(struct dbt_vcpu *cpu, u32 raw)
{
	return raw >> 24 & 1 ? ldst_single(cpu, raw) : ldst_multiple(cpu, raw);
}

static u64 extended_index(const struct dbt_vcpu *cpu, const struct a64_insn *in)
{
	u64 x = in->rm == 31 ? 0 : cpu->x[in->rm];

	if (in->shift == A64_UXTW)
		x = (u32)x;
	else if (in->shift == A64_SXTW)
		x = (u64)(s64)(s32)x;
	return x << in->amount;
}

static int access_regs(struct dbt_vcpu *cpu, const struct a64_insn *in, u64 va, bool load)
{
	bool pair = in->op == A64_LDP_vec || in->op == A64_STP_vec;
	unsigned bytes = 1u << in->size, n = pair ? 2 : 1;
	const u8 reg[2] = {in->rd, in->ra};
	u8 v[2][16] = {{0}};

	for (unsigned i = 0; i < n; i++) {
		gva_t at = GVA(va + i * bytes);
		int rc = load ? mem_load(cpu, at, v[i], bytes, false)
			      : mem_store(cpu, at, cpu->v[reg[i]], bytes, false);

		if (rc != HELPER_NEXT)
			return rc;
	}
	for (unsigned i = 0; i < n && load; i++)
		memcpy(cpu->v[reg[i]], v[i], 16);
	return HELPER_NEXT;
}

int helper_mem_vec(struct dbt_vcpu *cpu, u32 raw)
{
	struct a64_insn in;
	bool load = true;
	u64 va;
	int rc;

	a64_decode(raw, &in);
	switch (in.op) {
	case A64_STR_vec:
	case A64_STP_vec: load = false; break;
	case A64_LDR_vec:
	case A64_LDR_lit_vec:
	case A64_LDP_vec: break;
	default:
		if (simd_helper(raw) == helper_simd_ldst)
			return helper_simd_ldst(cpu, raw);
		return simd_undef(cpu);
	}
	va = in.amode == A64_AM_LIT ? cpu->pc : cpu->x[in.rn];
	if (in.amode == A64_AM_REG)
		va += extended_index(cpu, &in);
	else if (in.amode != A64_AM_POST)
		va += (u64)in.imm;
	rc = access_regs(cpu, &in, va, load);
	if (rc == HELPER_NEXT && (in.amode == A64_AM_PRE || in.amode == A64_AM_POST))
		cpu->x[in.rn] += (u64)in.imm;
	return rc;
}

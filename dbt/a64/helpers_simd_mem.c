// SPDX-License-Identifier: MIT
/* AdvSIMD helpers: structure loads and stores. */
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
	unsigned step = va.v & 7 ? 1u << sz : 8; /* alignment is the element's */

	if (!regs || (inter && sz == 3 && !SIMD_Q(raw)))
		return simd_undef(cpu);
	/* Memory is the registers' elements, register index fastest when interleaved. */
	for (unsigned r = 0; r < regs && !load; r++)
		for (unsigned i = 0; i < bytes >> sz; i++)
			el_put(mem, sz, inter ? i * regs + r : r * (bytes >> sz) + i,
			       el_u(cpu->v[(s.rt + r) & 31], sz, i));
	for (unsigned o = 0; o < bytes * regs; o += step) {
		int rc = load ? mem_load(cpu, GVA(va.v + o), mem + o, step, false)
			      : mem_store(cpu, GVA(va.v + o), mem + o, step, false);

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
	if (unlikely(SIMD_RN(raw) == REG_SP && cpu_sp_faults(cpu))) {
		a64_take_sync(cpu, EC_SP_ALIGN, 0, cpu->pc);
		return HELPER_JUMP;
	}
	return raw >> 24 & 1 ? ldst_single(cpu, raw) : ldst_multiple(cpu, raw);
}

/* SPDX-License-Identifier: MIT */
/*
 * One load or store instruction done in C: the slow path of the inline checks (MMIO, page
 * crossings, faults, tagged pointers), and the instructions rare enough to live here only.
 * Everything is read before anything is written, so a fault leaves the instruction restartable.
 */
#include <errno.h>
#include <string.h>

#include "dbt/a64/regs.h"
#include "dbt/hir.h"
#include "dbt/vm.h"

#define FSC_EXTERNAL 0x10

int helper_simd_ldst(struct dbt_vcpu *cpu, u32 raw);

static u64 xz(const struct dbt_vcpu *cpu, unsigned r)
{
	return r == 31 ? 0 : cpu->x[r];
}

static void set_x(struct dbt_vcpu *cpu, unsigned r, u64 v)
{
	if (r != 31)
		cpu->x[r] = v;
}

static u64 extend(u64 v, unsigned ext)
{
	switch (ext) {
	case A64_UXTW: return (u32)v;
	case A64_SXTW: return (u64)(s64)(s32)v;
	default: return v;
	}
}

static u64 address(const struct dbt_vcpu *cpu, const struct a64_insn *in)
{
	u64 base = cpu->x[in->rn]; /* 31: SP */

	switch (in->amode) {
	case A64_AM_LIT: return cpu->pc + (u64)in->imm;
	case A64_AM_POST: return base;
	case A64_AM_REG: return base + (extend(xz(cpu, in->rm), in->shift) << in->amount);
	default: return base + (u64)in->imm;
	}
}

static void writeback(struct dbt_vcpu *cpu, const struct a64_insn *in)
{
	if (in->amode == A64_AM_PRE || in->amode == A64_AM_POST)
		cpu->x[in->rn] += (u64)in->imm;
}

static u64 loaded(const struct a64_insn *in, u64 v)
{
	if (!in->sx)
		return v;
	v = (u64)sext64(v, 8u << in->size);
	return in->sf ? v : (u32)v;
}

static int single(struct dbt_vcpu *cpu, const struct a64_insn *in, bool load, bool unpriv)
{
	unsigned n = 1u << in->size;
	gva_t va = GVA(address(cpu, in));
	u8 buf[16] = {0};
	u64 v = 0;
	int r;

	if (load) {
		r = mem_load(cpu, va, buf, n, unpriv);
		if (r)
			return r;
		writeback(cpu, in);
		if (in->vec) {
			memcpy(cpu->v[in->rd], buf, 16);
		} else {
			memcpy(&v, buf, 8);
			set_x(cpu, in->rd, loaded(in, v));
		}
		return HELPER_NEXT;
	}
	if (in->vec) {
		memcpy(buf, cpu->v[in->rd], 16);
	} else {
		v = xz(cpu, in->rd);
		memcpy(buf, &v, 8);
	}
	r = mem_store(cpu, va, buf, n, unpriv);
	if (!r)
		writeback(cpu, in);
	return r;
}

/* Acquire and release: a misaligned address is a fault, whatever SCTLR_EL1.A says (no FEAT_LSE2).
 */
static int ordered(struct dbt_vcpu *cpu, const struct a64_insn *in, bool load)
{
	u64 va = address(cpu, in);

	if (va & ((1u << in->size) - 1)) {
		a64_take_dabt(cpu, va, FSC_ALIGN, !load, cpu->pc);
		return HELPER_JUMP;
	}
	return single(cpu, in, load, false);
}

static int pair(struct dbt_vcpu *cpu, const struct a64_insn *in, bool load)
{
	unsigned n = 1u << in->size;
	gva_t va = GVA(address(cpu, in)), vb = GVA(va.v + n);
	u8 a[16] = {0}, b[16] = {0};
	u64 v;
	int r;

	if (!load) {
		v = xz(cpu, in->rd);
		memcpy(a, in->vec ? (void *)cpu->v[in->rd] : (void *)&v, in->vec ? 16 : 8);
		v = xz(cpu, in->ra);
		memcpy(b, in->vec ? (void *)cpu->v[in->ra] : (void *)&v, in->vec ? 16 : 8);
		r = mem_store(cpu, va, a, n, false);
		if (!r)
			r = mem_store(cpu, vb, b, n, false);
		if (!r)
			writeback(cpu, in);
		return r;
	}
	r = mem_load(cpu, va, a, n, false);
	if (!r)
		r = mem_load(cpu, vb, b, n, false);
	if (r)
		return r;
	writeback(cpu, in);
	if (in->vec) {
		memcpy(cpu->v[in->rd], a, 16);
		memcpy(cpu->v[in->ra], b, 16);
	} else {
		memcpy(&v, a, 8);
		set_x(cpu, in->rd, loaded(in, v));
		memcpy(&v, b, 8);
		set_x(cpu, in->ra, loaded(in, v));
	}
	return HELPER_NEXT;
}

/* ---- atomics ---- */

enum kind { LOAD, STORE, UPDATE };

/* WnR of an atomic's fault says whether a read would have been free of it (ISS of a Data Abort). */
static void *atomic_fault(struct dbt_vcpu *cpu, u64 va, u32 fsc, enum kind kind)
{
	struct walk w;
	bool write = kind == STORE;

	if (kind == UPDATE && (fsc & 0x3f) != FSC_ALIGN && (fsc & 0x3f) != FSC_EXTERNAL)
		write = !mmu_walk(cpu, GVA(va), ACC_READ, cpu->ps.el, &w);
	a64_take_dabt(cpu, va, fsc, write, cpu->pc);
	return NULL;
}

/* Host address of an aligned atomic access; NULL with an exception taken. */
static void *atomic_ptr(struct dbt_vcpu *cpu, u64 va, unsigned size, enum kind kind)
{
	struct walk w;
	void *p;

	if (va & (size - 1))
		return atomic_fault(cpu, va, FSC_ALIGN, kind);
	if (mmu_walk(cpu, GVA(va), kind ? ACC_WRITE : ACC_READ, cpu->ps.el, &w))
		return atomic_fault(cpu, va, w.fault, kind);
	if (unlikely(cpu->vm->watching) &&
	    ((kind != STORE && debug_take_watch(cpu, GVA(va), size, false, false)) ||
	     (kind != LOAD && debug_take_watch(cpu, GVA(va), size, true, false))))
		return NULL;
	p = dbt_ram_ptr(cpu->vm, w.pa, size);
	if (!p) /* exclusives and atomics on a device: no monitor there */
		return atomic_fault(cpu, va, FSC_EXTERNAL, kind);
	return p;
}

static u64 atomic_read(const void *p, unsigned size)
{
	switch (size) {
	case 1: return __atomic_load_n((const u8 *)p, __ATOMIC_SEQ_CST);
	case 2: return __atomic_load_n((const u16 *)p, __ATOMIC_SEQ_CST);
	case 4: return __atomic_load_n((const u32 *)p, __ATOMIC_SEQ_CST);
	default: return __atomic_load_n((const u64 *)p, __ATOMIC_SEQ_CST);
	}
}

/* *old is updated on failure. */
static bool atomic_cas(void *p, unsigned size, u64 *old, u64 val)
{
	u8 o1 = (u8)*old;
	u16 o2 = (u16)*old;
	u32 o4 = (u32)*old;
	bool ok;

	switch (size) {
	case 1:
		ok = __atomic_compare_exchange_n((u8 *)p, &o1, (u8)val, false, 5, 5);
		*old = o1;
		return ok;
	case 2:
		ok = __atomic_compare_exchange_n((u16 *)p, &o2, (u16)val, false, 5, 5);
		*old = o2;
		return ok;
	case 4:
		ok = __atomic_compare_exchange_n((u32 *)p, &o4, (u32)val, false, 5, 5);
		*old = o4;
		return ok;
	default: return __atomic_compare_exchange_n((u64 *)p, old, val, false, 5, 5);
	}
}

/* 16 bytes, aligned: cmpxchg16b. */
static bool cas128(void *p, u64 old[2], const u64 val[2])
{
	bool ok;

	__asm__ volatile("lock cmpxchg16b %1\n\tsetz %0"
			 : "=q"(ok), "+m"(*(u128 *)p), "+a"(old[0]), "+d"(old[1])
			 : "b"(val[0]), "c"(val[1])
			 : "memory", "cc");
	return ok;
}

static u64 combine(unsigned op, u64 old, u64 v, unsigned bits)
{
	s64 so = sext64(old, bits), sv = sext64(v, bits);
	u64 m = bits == 64 ? ~0ull : BIT(bits) - 1;

	switch (op) {
	case A64_LDADD: return old + v;
	case A64_LDCLR: return old & ~v;
	case A64_LDEOR: return old ^ v;
	case A64_LDSET: return old | v;
	case A64_LDSMAX: return so > sv ? old : v;
	case A64_LDSMIN: return so < sv ? old : v;
	case A64_LDUMAX: return (old & m) > (v & m) ? old : v;
	case A64_LDUMIN: return (old & m) < (v & m) ? old : v;
	default: return v; /* SWP */
	}
}

static struct excl_bucket *excl_bucket(const struct dbt_vcpu *cpu, const void *host)
{
	return &cpu->excl_tab[((u64)host * 4 & EXCL_MASK) / sizeof(struct excl_bucket)];
}

/* Around the change of an LSE atomic to [host]: NULL where no load-exclusive has ever looked. */
static struct excl_bucket *excl_enter(const struct dbt_vcpu *cpu, const void *host)
{
	struct excl_bucket *b = excl_bucket(cpu, host);

	if (!atomic_load(&b->watched))
		return NULL;
	excl_take(b);
	return b;
}

static void excl_leave(struct excl_bucket *b)
{
	if (b)
		excl_give(b);
}

/* Before a load-exclusive of [host]. */
static void excl_watch(struct dbt_vcpu *cpu, const void *host)
{
	struct excl_bucket *b = excl_bucket(cpu, host);

	if (!atomic_load(&b->watched))
		atomic_store(&b->watched, 1);
	cpu->excl_ver = atomic_load(&b->version) & ~1ull; /* taken counts as changed */
}

/* False: the bucket has changed since the load, or is taken. */
static bool excl_take_unchanged(const struct dbt_vcpu *cpu, struct excl_bucket *b)
{
	u64 ver = cpu->excl_ver;

	return atomic_compare_exchange_strong(&b->version, &ver, ver + 1);
}

static int atomic(struct dbt_vcpu *cpu, const struct a64_insn *in)
{
	unsigned n = 1u << in->size;
	void *p = atomic_ptr(cpu, cpu->x[in->rn], n, UPDATE);
	u64 old, v = xz(cpu, in->rs);
	struct excl_bucket *b;

	if (!p)
		return HELPER_JUMP;
	b = excl_enter(cpu, p);
	old = atomic_read(p, n);
	if (in->op == A64_CAS) {
		u64 want = n == 8 ? v : v & (BIT(8 * n) - 1);

		atomic_cas(p, n, &want, xz(cpu, in->rd));
		excl_leave(b);
		set_x(cpu, in->rs, want);
		return HELPER_NEXT;
	}
	while (!atomic_cas(p, n, &old, combine(in->op, old, v, 8 * n)))
		;
	excl_leave(b);
	set_x(cpu, in->rd, old);
	return HELPER_NEXT;
}

static int casp(struct dbt_vcpu *cpu, const struct a64_insn *in)
{
	unsigned n = 1u << in->size;
	void *p = atomic_ptr(cpu, cpu->x[in->rn], 2 * n, UPDATE);
	u64 old[2] = {xz(cpu, in->rs), xz(cpu, in->rs + 1)};
	u64 val[2] = {xz(cpu, in->rd), xz(cpu, in->rd + 1)};
	struct excl_bucket *b;

	if (!p)
		return HELPER_JUMP;
	b = excl_enter(cpu, p);
	if (n == 4) {
		u64 o = (u32)old[0] | old[1] << 32;

		atomic_cas(p, 8, &o, (u32)val[0] | val[1] << 32);
		old[0] = (u32)o;
		old[1] = o >> 32;
	} else {
		cas128(p, old, val);
	}
	excl_leave(b);
	set_x(cpu, in->rs, old[0]);
	set_x(cpu, in->rs + 1, old[1]);
	return HELPER_NEXT;
}

static int load_exclusive(struct dbt_vcpu *cpu, const struct a64_insn *in, bool two)
{
	unsigned n = 1u << in->size;
	u64 va = cpu->x[in->rn];
	void *p = atomic_ptr(cpu, va, two ? 2 * n : n, LOAD);
	u64 v[2] = {0, 0};

	if (!p)
		return HELPER_JUMP;
	excl_watch(cpu, p);
	if (two && n == 8) {
		/* a single-copy atomic 16-byte load: aligned SSE loads are, on every CPU with AVX
		 */
		__asm__ volatile("vmovdqa %1, %%xmm0\n\tvmovdqu %%xmm0, %0"
				 : "=m"(v)
				 : "m"(*(u128 *)p)
				 : "xmm0", "memory");
	} else if (two) {
		u64 o = atomic_read(p, 8);

		v[0] = (u32)o;
		v[1] = o >> 32;
	} else {
		v[0] = atomic_read(p, n);
	}
	cpu->excl_va = va;
	cpu->excl_size = (u8)(two ? 2 * n : n);
	cpu->excl_val[0] = two && n == 4 ? v[0] | v[1] << 32 : v[0];
	cpu->excl_val[1] = v[1];
	set_x(cpu, in->rd, v[0]);
	if (two)
		set_x(cpu, in->ra, v[1]);
	return HELPER_NEXT;
}

static int store_exclusive(struct dbt_vcpu *cpu, const struct a64_insn *in, bool two)
{
	unsigned n = 1u << in->size, total = two ? 2 * n : n;
	u64 va = cpu->x[in->rn], old[2] = {cpu->excl_val[0], cpu->excl_val[1]};
	u64 val[2] = {xz(cpu, in->rd), two ? xz(cpu, in->ra) : 0};
	struct excl_bucket *b;
	bool ok = false;
	void *p;

	if (va & (total - 1)) {
		a64_take_dabt(cpu, va, FSC_ALIGN, true, cpu->pc);
		return HELPER_JUMP;
	}
	if (cpu->excl_size == total && cpu->excl_va == va) {
		p = atomic_ptr(cpu, va, total, STORE);
		if (!p)
			return HELPER_JUMP;
		b = excl_bucket(cpu, p);
		if (excl_take_unchanged(cpu, b)) {
			if (two && n == 8)
				ok = cas128(p, old, val);
			else
				ok = atomic_cas(p, total, &old[0],
						two ? (u32)val[0] | val[1] << 32 : val[0]);
			excl_give(b);
		}
	}
	cpu->excl_size = 0;
	set_x(cpu, in->rs, !ok);
	return HELPER_NEXT;
}

int helper_mem(struct dbt_vcpu *cpu, u32 raw)
{
	struct a64_insn in;

	a64_decode(raw, &in);
	if (unlikely(in.rn == REG_SP && in.amode != A64_AM_LIT && cpu_sp_faults(cpu))) {
		a64_take_sync(cpu, EC_SP_ALIGN, 0, cpu->pc);
		return HELPER_JUMP;
	}
	switch (in.op) {
	case A64_LDR:
	case A64_LDR_vec:
	case A64_LDR_lit:
	case A64_LDR_lit_vec: return single(cpu, &in, true, false);
	case A64_LDAR:
	case A64_LDLAR:
	case A64_LDAPR:
	case A64_LDAPUR: return ordered(cpu, &in, true);
	case A64_STR:
	case A64_STR_vec: return single(cpu, &in, false, false);
	case A64_STLR:
	case A64_STLLR:
	case A64_STLUR: return ordered(cpu, &in, false);
	case A64_LDTR: return single(cpu, &in, true, true);
	case A64_STTR: return single(cpu, &in, false, true);
	case A64_LDP:
	case A64_LDPSW:
	case A64_LDP_vec: return pair(cpu, &in, true);
	case A64_STP:
	case A64_STP_vec: return pair(cpu, &in, false);
	case A64_LDXR:
	case A64_LDAXR: return load_exclusive(cpu, &in, false);
	case A64_LDXP:
	case A64_LDAXP: return load_exclusive(cpu, &in, true);
	case A64_STXR:
	case A64_STLXR: return store_exclusive(cpu, &in, false);
	case A64_STXP:
	case A64_STLXP: return store_exclusive(cpu, &in, true);
	case A64_CASP: return casp(cpu, &in);
	case A64_CAS:
	case A64_SWP:
	case A64_LDADD:
	case A64_LDCLR:
	case A64_LDEOR:
	case A64_LDSET:
	case A64_LDSMAX:
	case A64_LDSMIN:
	case A64_LDUMAX:
	case A64_LDUMIN: return atomic(cpu, &in);
	default: return helper_simd_ldst(cpu, raw);
	}
}

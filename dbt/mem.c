/* SPDX-License-Identifier: MIT */
/*
 * Guest memory from C: what translated code does inline, done the exact way - page by page, MMIO
 * included, with the guest's own permissions.
 */
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "dbt/a64/regs.h"
#include "dbt/hir.h"
#include "dbt/vm.h"

#define FSC_EXTERNAL 0x10 /* synchronous external abort, not on a walk */

static unsigned access_el(const struct dbt_vcpu *cpu, bool unpriv)
{
	return unpriv && !cpu->ps.uao ? 0 : cpu->ps.el;
}

static int mmio(struct dbt_vcpu *cpu, u64 pa, void *buf, unsigned size, bool write)
{
	const struct dbt_ops *ops = &cpu->vm->cfg.ops;
	u64 v = 0;
	int r;

	if (write) {
		memcpy(&v, buf, size);
		r = ops->mmio_write ? ops->mmio_write(ops->opaque, cpu->index, GPA(pa), size, v)
				    : -ENODEV;
	} else {
		r = ops->mmio_read ? ops->mmio_read(ops->opaque, cpu->index, GPA(pa), size, &v)
				   : -ENODEV;
		memcpy(buf, &v, size);
	}
	if (log_on(LOG_MMIO))
		log_print("mmio %s %u %09llx = %llx%s pc %llx\n", write ? "write" : "read", size,
			  (unsigned long long)pa, (unsigned long long)v, r ? " (refused)" : "",
			  (unsigned long long)cpu->pc);
	return r;
}

/* Aligned pieces keep their single-copy atomicity. */
static void ram_copy(void *dst, const void *src, unsigned size, const void *guest)
{
	if (((u64)guest & (size - 1)) == 0) {
		switch (size) {
		case 2: {
			u16 v = __atomic_load_n((const u16 *)src, __ATOMIC_RELAXED);
			__atomic_store_n((u16 *)dst, v, __ATOMIC_RELAXED);
			return;
		}
		case 4: {
			u32 v = __atomic_load_n((const u32 *)src, __ATOMIC_RELAXED);
			__atomic_store_n((u32 *)dst, v, __ATOMIC_RELAXED);
			return;
		}
		case 8: {
			u64 v = __atomic_load_n((const u64 *)src, __ATOMIC_RELAXED);
			__atomic_store_n((u64 *)dst, v, __ATOMIC_RELAXED);
			return;
		}
		default: break;
		}
	}
	memcpy(dst, src, size);
}

static int mmio_pieces(struct dbt_vcpu *cpu, u64 va, u64 pa, u8 *buf, unsigned size, bool write)
{
	while (size) {
		unsigned n = size >= 8 ? 8 : size >= 4 ? 4 : size >= 2 ? 2 : 1;

		if (mmio(cpu, pa, buf, n, write)) {
			a64_take_dabt(cpu, va, FSC_EXTERNAL, write, cpu->pc);
			return HELPER_JUMP;
		}
		va += n;
		pa += n;
		buf += n;
		size -= n;
	}
	return HELPER_NEXT;
}

static int mem_access(struct dbt_vcpu *cpu, u64 va, u8 *buf, unsigned size, bool write, bool unpriv)
{
	unsigned el = access_el(cpu, unpriv), first = size;
	struct walk w[2];
	u64 in_page = PAGE_SIZE - (va & (PAGE_SIZE - 1));

	if (first > in_page)
		first = (unsigned)in_page;
	if (unlikely(cpu->sys.sctlr_el1 & SCTLR_A && va & (size - 1))) {
		a64_take_dabt(cpu, va, FSC_ALIGN, write, cpu->pc);
		return HELPER_JUMP;
	}
	/* Both pages first: a store that faults has written nothing. */
	for (unsigned k = 0; k < (first < size ? 2u : 1u); k++) {
		u64 a = k ? va + first : va;

		if (mmu_walk(cpu, GVA(a), write ? ACC_WRITE : ACC_READ, el, &w[k])) {
			a64_take_dabt(cpu, a, w[k].fault, write, cpu->pc);
			return HELPER_JUMP;
		}
	}
	if (unlikely(w[0].device || (first < size && w[1].device)) && va & (size - 1)) {
		a64_take_dabt(cpu, va, FSC_ALIGN, write, cpu->pc);
		return HELPER_JUMP;
	}
	if (unlikely(cpu->vm->watching) && debug_take_watch(cpu, GVA(va), size, write, !el))
		return HELPER_JUMP;
	for (unsigned k = 0; k < (first < size ? 2u : 1u); k++) {
		unsigned n = k ? size - first : first;
		u8 *b = k ? buf + first : buf, *host = dbt_ram_ptr(cpu->vm, w[k].pa, n);

		if (!host) {
			int r = mmio_pieces(cpu, k ? va + first : va, w[k].pa, b, n, write);

			if (r)
				return r;
		} else if (write) {
			ram_copy(host, b, n, host);
		} else {
			ram_copy(b, host, n, host);
		}
	}
	return HELPER_NEXT;
}

int mem_load(struct dbt_vcpu *cpu, gva_t va, void *dst, unsigned size, bool unpriv)
{
	return mem_access(cpu, va.v, dst, size, false, unpriv);
}

int mem_store(struct dbt_vcpu *cpu, gva_t va, const void *src, unsigned size, bool unpriv)
{
	u8 buf[16];

	memcpy(buf, src, size);
	return mem_access(cpu, va.v, buf, size, true, unpriv);
}

/* SPDX-License-Identifier: MIT */
/*
 * Views: the flat tables translated code consults. One for EL1's kernel half, one per ASID for EL0,
 * one for the MMU being off. An entry exists only after a successful walk; TLB maintenance
 * clears entries, the undo log makes a flush cost what was filled.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "dbt/vm.h"

#define LOG_CAP	  (1u << 20)
#define MAP_BYTES (1ull << (TABLE_BITS - 9 - 3))

static void *reserve(u64 size, int prot)
{
	void *p = mmap(NULL, size, prot,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, size, MADV_NOHUGEPAGE); /* sparse by nature */
	madvise(p, size, MADV_DONTDUMP);
	return p;
}

static int view_map(struct dbt_view *v)
{
	v->ld = reserve(3 * TABLE_BYTES, PROT_READ | PROT_WRITE);
	v->filled = reserve(LOG_CAP * sizeof(u64) + 3 * MAP_BYTES, PROT_READ | PROT_WRITE);
	if (!v->ld || !v->filled)
		return -ENOMEM;
	v->st = v->ld + BIT(TABLE_BITS);
	v->ex = v->st + BIT(TABLE_BITS);
	v->blk_map = (u8 *)(v->filled + LOG_CAP);
	v->huge_map = v->blk_map + MAP_BYTES;
	v->any_map = v->huge_map + MAP_BYTES;
	return 0;
}

static void view_unmap(struct dbt_view *v)
{
	if (v->ld)
		munmap(v->ld, 3 * TABLE_BYTES);
	if (v->filled)
		munmap(v->filled, LOG_CAP * sizeof(u64) + 3 * MAP_BYTES);
}

int view_init(struct dbt_vm *vm, const char **err)
{
	int r = view_map(&vm->el1);

	if (!r)
		r = view_map(&vm->flat);
	for (unsigned i = 0; i < N_VIEWS && !r; i++)
		r = view_map(&vm->el0[i]);
	vm->no_exec = r ? NULL : reserve(TABLE_BYTES, PROT_READ);
	if (!r && !vm->no_exec)
		r = -ENOMEM;
	if (r)
		*err = "cannot reserve address space for the translation tables (ulimit -v, or "
		       "vm.overcommit_memory = 2?)";
	return r;
}

void view_fini(struct dbt_vm *vm)
{
	if (vm->no_exec)
		munmap(vm->no_exec, TABLE_BYTES);
	view_unmap(&vm->el1);
	view_unmap(&vm->flat);
	for (unsigned i = 0; i < N_VIEWS; i++)
		view_unmap(&vm->el0[i]);
}

static void view_log(struct dbt_view *v, u64 idx, u64 va, const struct walk *w)
{
	u64 region = idx >> 9;

	if (!v->ld[idx] && !v->st[idx] && !v->ex[idx])
		v->filled[v->nfilled++] = idx;
	v->any_map[region / 8] |= (u8)BIT(region % 8);
	if (w->block > PAGE_SIZE)
		v->blk_map[region / 8] |= (u8)BIT(region % 8);
	if (w->block > 2 << 20)
		v->huge_map[region / 8] |= (u8)BIT(region % 8);
	if (w->global)
		v->has_global = true;
}

void view_fill(struct dbt_view *v, u64 va, u8 *host_page, const struct walk *w)
{
	u64 idx = view_index(va), addend = (u64)host_page - ALIGN_DOWN(va, PAGE_SIZE);

	if (v->nfilled == LOG_CAP)
		view_flush(v);
	view_log(v, idx, va, w);
	if (w->r)
		v->ld[idx] = addend;
	if (w->w)
		v->st[idx] = addend;
}

void view_fill_exec(struct dbt_view *v, u64 va, struct code_page *page, const struct walk *w)
{
	u64 idx = view_index(va);

	if (v->nfilled == LOG_CAP)
		view_flush(v);
	view_log(v, idx, va, w);
	v->ex[idx] = (u64)page->slots - ALIGN_DOWN(va, PAGE_SIZE);
}

void view_flush(struct dbt_view *v)
{
	for (u32 i = 0; i < v->nfilled; i++) {
		u64 idx = v->filled[i];

		v->ld[idx] = v->st[idx] = v->ex[idx] = 0;
	}
	v->nfilled = 0;
	v->has_global = false;
}

static void flush_exec(struct dbt_view *v)
{
	for (u32 i = 0; i < v->nfilled; i++)
		v->ex[v->filled[i]] = 0;
}

void view_flush_exec(struct dbt_vm *vm)
{
	flush_exec(&vm->el1);
	flush_exec(&vm->flat);
	for (unsigned i = 0; i < N_VIEWS; i++)
		flush_exec(&vm->el0[i]);
}

/*
 * EL0's view of an address space, or (low != 0) EL1's view of its lower half, which differs in
 * permissions and, for PAN's sake, with PSTATE.PAN.
 */
static struct dbt_view *view_of(struct dbt_vm *vm, u16 asid, u8 low, u64 ttbr0)
{
	struct dbt_view *oldest = &vm->el0[0];

	for (unsigned i = 0; i < N_VIEWS; i++) {
		struct dbt_view *v = &vm->el0[i];

		if (v->used && v->asid == asid && v->low == low && (!low || v->ttbr0 == ttbr0)) {
			v->stamp = ++vm->view_stamp;
			return v;
		}
		if (!v->used || (oldest->used && v->stamp < oldest->stamp))
			oldest = v;
	}
	view_flush(oldest);
	oldest->used = true;
	oldest->asid = asid;
	oldest->low = low;
	oldest->ttbr0 = ttbr0;
	oldest->stamp = ++vm->view_stamp;
	return oldest;
}

/* EL0's predictions survive a stay in EL1 unless its address space or mappings changed meanwhile. */
static void switch_ret_stack(struct dbt_vcpu *cpu, struct dbt_view *old, struct dbt_view *user)
{
	u64 top = (u64)cpu->ret_stack[cpu->ps.el];

	if (user != cpu->user_view)
		cpu->ret_sp_el0 = 0;
	if (top == cpu->ret_top) {
		if (cpu->view != old)
			cpu->ret_sp = top;
		return;
	}
	if (cpu->ps.el == 1)
		cpu->ret_sp_el0 = cpu->ret_sp;
	cpu->ret_top = top;
	cpu->ret_sp = cpu->ps.el == 0 && cpu->ret_sp_el0 ? cpu->ret_sp_el0 : top;
}

void view_switch(struct dbt_vcpu *cpu)
{
	struct dbt_vm *vm = cpu->vm;
	struct dbt_view *user, *old = cpu->view;

	if (!(cpu->sys.sctlr_el1 & 1))
		user = cpu->view = &vm->flat;
	else {
		u16 asid = mmu_asid(cpu);

		user = view_of(vm, asid, 0, 0);
		if (!cpu->ps.el)
			cpu->view = user;
		else if (cpu->pc & BIT(55))
			cpu->view = &vm->el1;
		else /* the identity map, at boot and CPU hotplug */
			cpu->view = view_of(vm, asid, cpu->ps.pan ? 2 : 1, cpu->sys.ttbr0_el1);
	}
	switch_ret_stack(cpu, old, user);
	cpu->user_view = user;
	cpu->ld_tab = cpu->view->ld;
	cpu->st_tab = cpu->view->st;
	cpu->ex_tab = cpu->debug.all ? vm->no_exec : cpu->view->ex;
	cpu->st_index = BIT(TABLE_BITS);
	cpu->user_ld_tab = user->ld;
	cpu->user_st_tab = user->st;
}

/* ---- TLB maintenance ---- */

static void drop_va(struct dbt_view *v, u64 va)
{
	u64 idx = view_index(va), region = idx >> 9;

	if (!(v->any_map[region / 8] & BIT(region % 8)))
		return; /* never filled: do not commit table memory for it */
	if (v->huge_map[region / 8] & BIT(region % 8)) {
		view_flush(v);
		return;
	}
	if (!(v->blk_map[region / 8] & BIT(region % 8))) {
		v->ld[idx] = v->st[idx] = v->ex[idx] = 0;
		return;
	}
	idx &= ~511ull;
	memset(&v->ld[idx], 0, 4096);
	memset(&v->st[idx], 0, 4096);
	memset(&v->ex[idx], 0, 4096);
}

void view_tlbi_all(struct dbt_vm *vm)
{
	view_flush(&vm->el1);
	for (unsigned i = 0; i < N_VIEWS; i++)
		view_flush(&vm->el0[i]);
	code_reset_ret_stacks(vm);
}

void view_tlbi_asid(struct dbt_vm *vm, u16 asid)
{
	for (unsigned i = 0; i < N_VIEWS; i++)
		if (vm->el0[i].used && vm->el0[i].asid == asid)
			view_flush(&vm->el0[i]);
	code_reset_ret_stacks(vm);
}

void view_tlbi_va(struct dbt_vm *vm, gva_t va, u16 asid, bool all_asids)
{
	bool upper = va.v & BIT(55);

	if (upper)
		drop_va(&vm->el1, va.v);
	for (unsigned i = 0; i < N_VIEWS; i++) {
		struct dbt_view *v = &vm->el0[i];

		if (v->used && (upper ? v->low != 0 : all_asids || v->asid == asid || v->has_global))
			drop_va(v, va.v);
	}
	code_reset_ret_stacks(vm);
}

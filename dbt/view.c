/* SPDX-License-Identifier: MIT */
/*
 * Views: the flat tables translated code consults. One for EL1's kernel half, one per ASID for EL0,
 * one for the MMU being off. An entry exists only after a successful walk; TLB maintenance
 * clears entries, the undo log makes a flush cost what was filled.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "dbt/a64/regs.h"
#include "dbt/hir.h"
#include "dbt/vm.h"

#define LOG_CAP	  (1u << 20)
#define MAP_BYTES (1ull << (TABLE_BITS - 9 - 3))

static void *reserve(u64 size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, size, MADV_NOHUGEPAGE); /* sparse by nature */
	madvise(p, size, MADV_DONTDUMP);
	return p;
}

#define VIEW_ALIGN 0x10000ull

static int view_map(struct dbt_view *v)
{
	smp_lock_init(&v->lock);
	v->map = reserve(3 * TABLE_BYTES + 2 * VIEW_ALIGN);
	v->filled = reserve(LOG_CAP * sizeof(u64) + 3 * MAP_BYTES);
	if (!v->map || !v->filled)
		return -ENOMEM;
	v->ld = (u64 *)(ALIGN_UP((u64)v->map, VIEW_ALIGN) + VIEW_BEXTR - VIEW_BEXTR_DISP);
	v->st = v->ld + BIT(TABLE_BITS);
	v->ex = v->st + BIT(TABLE_BITS);
	v->blk_map = (u8 *)(v->filled + LOG_CAP);
	v->huge_map = v->blk_map + MAP_BYTES;
	v->any_map = v->huge_map + MAP_BYTES;
	return 0;
}

static void view_unmap(struct dbt_view *v)
{
	if (v->map)
		munmap(v->map, 3 * TABLE_BYTES + 2 * VIEW_ALIGN);
	if (v->filled)
		munmap(v->filled, LOG_CAP * sizeof(u64) + 3 * MAP_BYTES);
}

int view_init(struct dbt_vm *vm, const char **err)
{
	int r = view_map(&vm->el1);

	smp_lock_init(&vm->view_lock);
	if (!r)
		r = view_map(&vm->flat);
	if (!r)
		r = view_map(&vm->flat0);
	if (!r)
		r = view_map(&vm->none);
	vm->nel0 = vm->cfg.max_vcpus + 8 > N_VIEWS ? vm->cfg.max_vcpus + 8 : N_VIEWS;
	if (vm->nel0 > N_VIEWS_MAX)
		vm->nel0 = N_VIEWS_MAX;
	for (unsigned i = 0; i < vm->nel0 && !r; i++)
		r = view_map(&vm->el0[i]);
	if (r)
		*err = "cannot reserve address space for the translation tables (ulimit -v, or "
		       "vm.overcommit_memory = 2?)";
	return r;
}

void view_fini(struct dbt_vm *vm)
{
	view_unmap(&vm->el1);
	view_unmap(&vm->flat);
	view_unmap(&vm->flat0);
	view_unmap(&vm->none);
	for (unsigned i = 0; i < vm->nel0; i++)
		view_unmap(&vm->el0[i]);
}

/* ---- filling and dropping; the view's lock is held ---- */

static void entry_set(u64 *tab, u64 idx, u64 val)
{
	__atomic_store_n(&tab[idx], val, __ATOMIC_RELAXED);
}

static void entry_clear(struct dbt_view *v, u64 idx)
{
	entry_set(v->ld, idx, 0);
	entry_set(v->st, idx, 0);
	entry_set(v->ex, idx, 0);
}

static void drop_begin(struct dbt_view *v)
{
	__atomic_store_n(&v->seq, v->seq + 1, __ATOMIC_RELEASE);
}

static void flush(struct dbt_view *v)
{
	drop_begin(v);
	for (u32 i = 0; i < v->nfilled; i++)
		entry_clear(v, v->filled[i]);
	v->nfilled = 0;
	v->has_global = false;
}

static void note_fill(struct dbt_view *v, u64 idx, const struct walk *w)
{
	u64 region = idx >> 9;

	if (v->nfilled == LOG_CAP)
		flush(v);
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

bool view_fill(struct dbt_view *v, u64 va, u8 *host_page, const struct walk *w, u32 seq)
{
	u64 idx = view_index(va), addend = (u64)host_page - ALIGN_DOWN(va, PAGE_SIZE);
	bool ok;

	pthread_mutex_lock(&v->lock);
	ok = v->seq == seq;
	if (ok) {
		note_fill(v, idx, w);
		if (w->r)
			entry_set(v->ld, idx, addend);
		if (w->w)
			entry_set(v->st, idx, addend);
	}
	pthread_mutex_unlock(&v->lock);
	return ok;
}

bool view_fill_exec(struct dbt_view *v, u64 va, struct code_page *page, const struct walk *w,
		    u32 seq)
{
	u64 idx = view_index(va);
	bool ok;

	pthread_mutex_lock(&v->lock);
	ok = v->seq == seq;
	if (ok) {
		note_fill(v, idx, w);
		entry_set(v->ex, idx, (u64)page->slots - ALIGN_DOWN(va, PAGE_SIZE));
	}
	pthread_mutex_unlock(&v->lock);
	return ok;
}

static void view_flush(struct dbt_view *v)
{
	pthread_mutex_lock(&v->lock);
	flush(v);
	pthread_mutex_unlock(&v->lock);
}

static void flush_exec(struct dbt_view *v)
{
	pthread_mutex_lock(&v->lock);
	drop_begin(v);
	for (u32 i = 0; i < v->nfilled; i++)
		entry_set(v->ex, v->filled[i], 0);
	pthread_mutex_unlock(&v->lock);
}

void view_flush_exec(struct dbt_vm *vm)
{
	flush_exec(&vm->el1);
	flush_exec(&vm->flat);
	flush_exec(&vm->flat0);
	for (unsigned i = 0; i < vm->nel0; i++)
		flush_exec(&vm->el0[i]);
}

void view_flush_all(struct dbt_vm *vm)
{
	view_flush(&vm->el1);
	view_flush(&vm->flat);
	view_flush(&vm->flat0);
	for (unsigned i = 0; i < vm->nel0; i++)
		view_flush(&vm->el0[i]);
}

/* ---- which view ---- */

#define TTBR_BADDR 0x0000fffffffffffeull /* without ASID and CnP */

static void unpin(struct dbt_vm *vm, struct dbt_view *v)
{
	if (v >= vm->el0 && v < vm->el0 + N_VIEWS_MAX)
		v->pins--;
}

/*
 * EL0's view of an address space, or (low != 0) EL1's view of its lower half, which differs in
 * permissions and, for PAN's sake, with PSTATE.PAN; pinned. The empty one stands in where none is
 * free, and (create false) where none was made yet: at EL1 Linux passes through pairs of ASID and
 * table that no process has.
 */
static struct dbt_view *choose(struct dbt_vm *vm, u16 asid, u64 ttbr, u8 low, u32 mode, bool create)
{
	struct dbt_view *oldest = NULL;

	for (unsigned i = 0; i < vm->nel0; i++) {
		struct dbt_view *v = &vm->el0[i];

		if (v->used && v->asid == asid && v->ttbr == ttbr && v->low == low &&
		    v->mode == mode) {
			v->stamp = ++vm->view_stamp;
			v->pins++;
			return v;
		}
		if (!v->pins && (!oldest || !v->used || (oldest->used && v->stamp < oldest->stamp)))
			oldest = v;
	}
	if (!create || !oldest)
		return &vm->none;
	view_flush(oldest); /* nobody uses it, so that nobody must be waited for */
	oldest->used = true;
	oldest->asid = asid;
	oldest->ttbr = ttbr;
	oldest->low = low;
	oldest->mode = mode;
	oldest->pins = 1;
	oldest->stamp = ++vm->view_stamp;
	return oldest;
}

static void select_user(struct dbt_vcpu *cpu, bool mmu, bool create)
{
	struct dbt_vm *vm = cpu->vm;
	struct dbt_view *v = cpu->user_view;
	u64 ttbr = cpu->sys.ttbr0_el1 & TTBR_BADDR;
	u16 asid = mmu ? mmu_asid(cpu) : 0;
	u32 mode = cpu_el0_mode(cpu);

	if (!mmu && v == &vm->flat)
		return;
	if (mmu && v && v != &vm->flat && asid == cpu->user_asid && ttbr == cpu->user_ttbr &&
	    mode == cpu->user_mode && (v != &vm->none || !create))
		return;
	pthread_mutex_lock(&vm->view_lock);
	unpin(vm, cpu->user_view);
	unpin(vm, cpu->low_view);
	cpu->low_view = NULL;
	cpu->user_view = mmu ? choose(vm, asid, ttbr, 0, mode, create) : &vm->flat;
	cpu->user_asid = asid;
	cpu->user_ttbr = ttbr;
	cpu->user_mode = mode;
	pthread_mutex_unlock(&vm->view_lock);
}

/* For EL1 code in the lower half: an identity map at boot and CPU hotplug, firmware, small systems.
 */
static struct dbt_view *select_low(struct dbt_vcpu *cpu)
{
	struct dbt_vm *vm = cpu->vm;
	u8 low = cpu->ps.pan ? 2 : 1;

	if (!cpu->low_view || cpu->low_view->low != low) {
		pthread_mutex_lock(&vm->view_lock);
		unpin(vm, cpu->low_view);
		cpu->low_view = choose(vm, cpu->user_asid, cpu->user_ttbr, low, 0, true);
		pthread_mutex_unlock(&vm->view_lock);
	}
	return cpu->low_view;
}

/* EL0's predictions survive a stay in EL1 unless its address space or mappings changed meanwhile.
 */
static void switch_ret_stack(struct dbt_vcpu *cpu, struct dbt_view *old, struct dbt_view *old_user)
{
	u64 top = (u64)cpu->ret_stack[cpu->ps.el];

	if (old_user != cpu->user_view)
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

bool cpu_sp_faults(const struct dbt_vcpu *cpu)
{
	return cpu->x[REG_SP] & 15 && cpu->sys.sctlr_el1 & (cpu->ps.el ? SCTLR_SA : SCTLR_SA0);
}

/* Alignment that inline accesses do not test: all of them go to C then, where it is. */
static bool checks_alignment(const struct dbt_vcpu *cpu)
{
	return cpu->sys.sctlr_el1 & SCTLR_A || cpu_sp_faults(cpu);
}

static void set_user_tables(struct dbt_vcpu *cpu)
{
	const struct dbt_view *v = cpu->ps.uao && cpu->ps.el ? cpu->view : cpu->user_view;

	if (unlikely(checks_alignment(cpu)))
		v = &cpu->vm->none;

	cpu->user_ld_tab = v->ld;
	cpu->user_st_tab = v->st;
}

int helper_sp_written(struct dbt_vcpu *cpu, u32 raw)
{
	if (cpu_sp_faults(cpu))
		view_switch(cpu);
	return HELPER_NEXT;
}

void view_switch(struct dbt_vcpu *cpu)
{
	struct dbt_vm *vm = cpu->vm;
	struct dbt_view *old_user = cpu->user_view, *old = cpu->view;
	bool mmu = cpu->sys.sctlr_el1 & 1;
	u32 mode = cpu_el0_mode(cpu);

	if (cpu->ps.el)
		mode = TR_MODE_EL1 | (mode & TR_MODE_ALIGN);
	select_user(cpu, mmu, cpu->ps.el == 0);
	if (!mmu && !cpu->ps.el) {
		cpu->view = &vm->flat0;
		if (vm->flat0.mode != mode)
			view_flush(&vm->flat0);
		vm->flat0.mode = mode;
	} else if (!mmu || !cpu->ps.el) {
		cpu->view = cpu->user_view;
	} else {
		cpu->view = cpu->pc & BIT(55) ? &vm->el1 : select_low(cpu);
	}
	if (unlikely(checks_alignment(cpu)))
		cpu->view = &vm->none;
	switch_ret_stack(cpu, old, old_user);
	if (mode != cpu->tr_mode && !((mode | cpu->tr_mode) & TR_MODE_EL1))
		cpu->ret_sp = cpu->ret_top; /* predictions lead to the other mode's code */
	cpu->tr_mode = mode;
	cpu->ld_tab = cpu->view->ld;
	cpu->ld_reg = (u64)cpu->ld_tab + VIEW_BEXTR_DISP;
	cpu->st_tab = cpu->view->st;
	cpu->ex_tab = cpu->debug.all ? vm->none.ex : cpu->view->ex;
	cpu->st_index = BIT(TABLE_BITS);
	cpu->sp_page = SP_PAGE_NONE;
	set_user_tables(cpu);
}

void view_claim_user(struct dbt_vcpu *cpu)
{
	select_user(cpu, true, true);
	set_user_tables(cpu);
}

void view_release(struct dbt_vcpu *cpu)
{
	pthread_mutex_lock(&cpu->vm->view_lock);
	unpin(cpu->vm, cpu->user_view);
	unpin(cpu->vm, cpu->low_view);
	cpu->view = cpu->user_view = cpu->low_view = NULL;
	pthread_mutex_unlock(&cpu->vm->view_lock);
}

/* ---- TLB maintenance ---- */

/*
 * vCPUs that may be using something of an address space's lower half: entries, or in C the result
 * of a walk (the slow paths leave no entry behind). view_lock is held.
 */
static u64 users(struct dbt_vm *vm, u16 asid, bool all_asids, bool *exec)
{
	u64 mask = 0;

	for (unsigned i = 0; i < vm->nvcpus; i++) {
		const struct dbt_vcpu *cpu = vm->vcpu[i];

		if (cpu->user_view == &vm->flat || (!all_asids && cpu->user_asid != asid))
			continue;
		mask |= BIT(i);
		/* What it executes there leaves no trace in the empty view. */
		*exec |= cpu->user_view == &vm->none || cpu->low_view == &vm->none ||
			 cpu->view == &vm->none;
	}
	return mask;
}

static bool drop_region(struct dbt_view *v, u64 idx)
{
	bool exec = false;

	for (u64 i = idx & ~511ull; i < (idx | 511) + 1; i++) {
		exec |= v->ex[i] != 0;
		entry_clear(v, i);
	}
	return exec;
}

/* Says whether exec entries were dropped, so that predicted returns may lead astray. */
static bool drop_va(struct dbt_view *v, u64 va)
{
	u64 idx = view_index(va), region = idx >> 9;
	bool exec = false;

	pthread_mutex_lock(&v->lock);
	drop_begin(v);
	if (!(v->any_map[region / 8] & BIT(region % 8))) {
		; /* never filled: do not commit table memory for it */
	} else if (v->huge_map[region / 8] & BIT(region % 8)) {
		flush(v);
		exec = true;
	} else if (v->blk_map[region / 8] & BIT(region % 8)) {
		exec = drop_region(v, idx);
	} else {
		exec = v->ex[idx] != 0;
		entry_clear(v, idx);
	}
	pthread_mutex_unlock(&v->lock);
	return exec;
}

void view_tlbi_all(struct dbt_vcpu *cpu)
{
	struct dbt_vm *vm = cpu->vm;

	view_flush(&vm->el1);
	for (unsigned i = 0; i < vm->nel0; i++)
		view_flush(&vm->el0[i]);
	smp_defer(cpu, smp_all(vm), true);
}

void view_tlbi_asid(struct dbt_vcpu *cpu, u16 asid)
{
	struct dbt_vm *vm = cpu->vm;
	bool exec = true;
	u64 mask;

	pthread_mutex_lock(&vm->view_lock);
	for (unsigned i = 0; i < vm->nel0; i++)
		if (vm->el0[i].used && vm->el0[i].asid == asid)
			view_flush(&vm->el0[i]);
	mask = users(vm, asid, false, &exec);
	pthread_mutex_unlock(&vm->view_lock);
	smp_defer(cpu, mask, exec);
}

void view_tlbi_va(struct dbt_vcpu *cpu, gva_t va, u16 asid, bool all_asids)
{
	struct dbt_vm *vm = cpu->vm;
	bool upper = va.v & BIT(55), exec = false, global = false;
	u64 mask;

	pthread_mutex_lock(&vm->view_lock);
	if (upper)
		exec = drop_va(&vm->el1, va.v);
	for (unsigned i = 0; i < vm->nel0; i++) {
		struct dbt_view *v = &vm->el0[i];

		if (!v->used ||
		    !(upper ? v->low != 0 : all_asids || v->asid == asid || v->has_global))
			continue;
		global |= v->has_global;
		exec |= drop_va(v, va.v);
	}
	mask = users(vm, asid, all_asids || global || upper, &exec);
	if (upper)
		mask = smp_all(vm);
	pthread_mutex_unlock(&vm->view_lock);
	smp_defer(cpu, mask, exec);
}

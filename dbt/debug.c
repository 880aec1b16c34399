/* SPDX-License-Identifier: MIT */
/*
 * Running one instruction at a time, for the host's debugger and for the guest's own (DDI 0487 D2).
 *
 * Code pages of TR_MODE_STEP hold blocks of one instruction that go nowhere but to the dispatcher,
 * and their slots stay empty, so that entering such a page ends there, too. A breakpoint of the
 * host needs that of its own page only: other pages run as ever. A vCPU that is stepped, or whose
 * guest has breakpoints, uses an empty exec table besides (debug.all), so that it passes the
 * dispatcher on each change of page; the tables it shares with others stay as they are.
 */
#include <errno.h>
#include <string.h>

#include "dbt/a64/regs.h"
#include "dbt/hir.h"
#include "dbt/vm.h"

/* Without the top byte: a tagged pointer leads to the same place. */
static u64 untagged(u64 va)
{
	return va & (BIT(56) - 1);
}

/* ---- the dispatcher's hooks ---- */

bool debug_break_page(const struct dbt_vm *vm, u64 va)
{
	for (unsigned i = 0; i < vm->nbreakpoints; i++)
		if ((vm->breakpoint[i] ^ va) >> PAGE_SHIFT == 0)
			return true;
	return false;
}

bool debug_watched_page(const struct dbt_vm *vm, u64 va)
{
	/* Each vCPU's, as the views are shared: another one filling the page would blind the first.
	 */
	for (unsigned i = 0; i < vm->nvcpus; i++)
		if (a64_debug_page(vm->vcpu[i], GVA(va), DEBUG_WATCH))
			return true;
	for (unsigned i = 0; i < vm->nwatchpoints; i++) {
		const struct dbt_watchpoint *w = &vm->watchpoint[i];
		u64 first = untagged(w->va) >> PAGE_SHIFT;
		u64 last = untagged(w->va + w->len - 1) >> PAGE_SHIFT;

		if (untagged(va) >> PAGE_SHIFT >= first && untagged(va) >> PAGE_SHIFT <= last)
			return true;
	}
	return false;
}

/* Overlap of the access with a watchpoint of the host: its first byte in *hit. */
static bool host_watch_hit(const struct dbt_vm *vm, u64 va, unsigned size, bool write, u64 *hit)
{
	for (unsigned i = 0; i < vm->nwatchpoints; i++) {
		const struct dbt_watchpoint *w = &vm->watchpoint[i];
		u64 a = untagged(va), b = untagged(w->va);

		if ((write ? w->write : w->read) && a < b + w->len && b < a + size) {
			*hit = a > b ? va : w->va;
			return true;
		}
	}
	return false;
}

bool debug_take_watch(struct dbt_vcpu *cpu, gva_t va, unsigned size, bool write, bool unpriv)
{
	u64 hit;

	if (!host_watch_hit(cpu->vm, va.v, size, write, &hit))
		return a64_take_watch(cpu, va, size, write, unpriv);
	cpu->debug.armed = false; /* nothing was stepped */
	cpu->exit->data.debug.event = DBT_DEBUG_WATCH;
	cpu->exit->data.debug.va = hit;
	cpu->pending_exit = DBT_EXIT_DEBUG;
	return true;
}

static bool break_at(const struct dbt_vm *vm, u64 va)
{
	for (unsigned i = 0; i < vm->nbreakpoints; i++)
		if (vm->breakpoint[i] == va)
			return true;
	return false;
}

static void set_all(struct dbt_vcpu *cpu, bool all)
{
	if (cpu->debug.all == all)
		return;
	cpu->debug.all = all;
	cpu->ex_tab = all ? cpu->vm->none.ex : cpu->view->ex;
	cpu->ret_sp = cpu->ret_top; /* predictions lead past the dispatcher */
	cpu->ret_sp_el0 = 0;
}

enum debug_verdict debug_before(struct dbt_vcpu *cpu)
{
	struct debug_state *d = &cpu->debug;
	unsigned active = a64_debug_active(cpu);

	set_all(cpu, d->step || active & (DEBUG_STEP | DEBUG_BREAK));
	d->single = d->step || active & DEBUG_STEP ||
		    (active & DEBUG_BREAK && a64_debug_page(cpu, GVA(cpu->pc), DEBUG_BREAK));
	if (active & (DEBUG_STEP | DEBUG_BREAK) && a64_debug_before(cpu))
		return DEBUG_AGAIN;
	if (!d->step && break_at(cpu->vm, cpu->pc)) {
		cpu->exit->data.debug.event = DBT_DEBUG_BREAK;
		return DEBUG_LEAVE;
	}
	return DEBUG_GO;
}

void debug_enter(struct dbt_vcpu *cpu, const struct code_page *page)
{
	struct debug_state *d = &cpu->debug;

	if (!d->step && !cpu->ps.ss)
		return;
	d->armed = true;
	d->exceptions = cpu->stats.exceptions;
	memcpy(&d->raw, dbt_ram_ptr(cpu->vm, page->gpa + (cpu->pc & (PAGE_SIZE - 1)), 4), 4);
}

void debug_after(struct dbt_vcpu *cpu)
{
	struct debug_state *d = &cpu->debug;

	d->armed = false;
	if (cpu->stats.exceptions == d->exceptions)
		a64_debug_after(cpu, d->raw);
	if (!d->step)
		return;
	d->stepped = true;
	if (cpu->pending_exit ==
	    DBT_EXIT_WFI) /* a step does not wait for interrupts it cannot take */
		cpu->pending_exit = -1;
}

bool debug_report_step(struct dbt_vcpu *cpu)
{
	cpu->debug.stepped = false;
	cpu->exit->data.debug.event = DBT_DEBUG_STEP;
	return cpu->debug.step;
}

/* ---- the host debugger's side ---- */

int dbt_vm_set_breakpoints(struct dbt_vm *vm, const u64 *va, unsigned n)
{
	if (n > MAX_BREAKPOINTS)
		return -ENOSPC;
	for (unsigned i = 0; i < n; i++)
		if (va[i] & 3)
			return -EINVAL;
	if (n)
		memcpy(vm->breakpoint, va, n * sizeof(*va));
	vm->nbreakpoints = n;
	/* Whatever leads into a page without passing the dispatcher goes. */
	view_flush_exec(vm);
	smp_stale_returns(vm, smp_all(vm));
	return 0;
}

int dbt_vm_set_watchpoints(struct dbt_vm *vm, const struct dbt_watchpoint *w, unsigned n)
{
	if (n > MAX_WATCHPOINTS)
		return -ENOSPC;
	for (unsigned i = 0; i < n; i++)
		if (!w[i].len || w[i].len > BIT(48) || (!w[i].read && !w[i].write) ||
		    untagged(w[i].va) + w[i].len > BIT(56))
			return -EINVAL;
	if (n)
		memcpy(vm->watchpoint, w, n * sizeof(*w));
	vm->nwatchpoints = n;
	if (n)
		atomic_store(&vm->watching, true);
	/* Entries of watched pages go; fill() in run.c makes none from here on. */
	view_flush_all(vm);
	smp_stale_returns(vm, smp_all(vm));
	return 0;
}

void dbt_vcpu_set_debug(struct dbt_vcpu *cpu, bool step)
{
	cpu->debug.step = step;
	cpu->debug.armed = cpu->debug.stepped = false;
}

/* Host address of va and how many bytes of [va, va + len) follow in the same page; NULL: none. */
static u8 *peek_page(struct dbt_vcpu *cpu, u64 va, u64 len, u64 *n, u64 *pa)
{
	struct walk w;

	if (mmu_walk_flags(cpu, GVA(va), ACC_READ, 1, WALK_PEEK | WALK_NO_PAN | WALK_NO_DIRTY, &w))
		return NULL;
	*n = PAGE_SIZE - (va & (PAGE_SIZE - 1));
	if (*n > len)
		*n = len;
	*pa = w.pa;
	return dbt_ram_ptr(cpu->vm, w.pa, *n);
}

u64 dbt_vcpu_peek(struct dbt_vcpu *cpu, gva_t va, void *buf, u64 len)
{
	u64 done = 0, n, pa;
	u8 *host;

	while (done < len && (host = peek_page(cpu, va.v + done, len - done, &n, &pa))) {
		memcpy((u8 *)buf + done, host, n);
		done += n;
	}
	return done;
}

u64 dbt_vcpu_poke(struct dbt_vcpu *cpu, gva_t va, const void *buf, u64 len)
{
	u64 done = 0, n, pa;
	u8 *host;

	while (done < len && (host = peek_page(cpu, va.v + done, len - done, &n, &pa))) {
		memcpy(host, (const u8 *)buf + done, n);
		code_invalidate_page(cpu, GPA(pa));
		done += n;
	}
	return done;
}

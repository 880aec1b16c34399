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
	return false;
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
		cpu->exit->data.debug.step = false;
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
	cpu->exit->data.debug.step = true;
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

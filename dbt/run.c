/* SPDX-License-Identifier: MIT */
/* Running a vCPU: dispatch, chaining, misses of the inline memory checks, host signals. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "common/log.h"
#include "dbt/hir.h"
#include "dbt/vm.h"
#include "dbt/x64/regmap.h"

#define RET_STACK_SIZE (64u << 10)
#define RET_SENTINELS  64
#define SIG_STACK_SIZE (64u << 10)

static _Thread_local struct dbt_vcpu *current;

/* ---- dispatch ---- */

static u64 leave(struct dbt_vcpu *cpu, int reason)
{
	cpu->exit->reason = (enum dbt_exit_reason)reason;
	cpu->stats.exits[reason]++;
	cpu->pending_exit = -1;
	return cpu->vm->t_leave;
}

static u64 leave_error(struct dbt_vcpu *cpu, const char *what)
{
	cpu->exit->data.error.what = what;
	cpu->exit->data.error.pc = cpu->pc;
	return leave(cpu, DBT_EXIT_ERROR);
}

/* Code made so far does not do what `flag` wants of it: it goes, once. */
void vm_set_flag(struct dbt_vm *vm, bool *flag)
{
	bool first;

	if (likely(__atomic_load_n(flag, __ATOMIC_RELAXED)))
		return;
	pthread_mutex_lock(&vm->lock);
	first = !*flag;
	__atomic_store_n(flag, true, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&vm->lock);
	if (first)
		code_flush_all(vm);
}

/*
 * Code page of the instruction at pc; valid until this vCPU next waits or passes the dispatcher.
 * NULL: an exception was taken or something changed meanwhile (dispatch again), or *fatal is set.
 */
static struct code_page *fetch_page(struct dbt_vcpu *cpu, bool *fatal)
{
	struct dbt_vm *vm = cpu->vm;
	u64 e, slot;
	struct code_page *page;
	struct walk w;
	u32 mode, seq;

	if (cpu->ps.el && cpu->view != &vm->flat && !cpu->view->low != !!(cpu->pc & BIT(55)))
		view_switch(cpu); /* between the kernel's half and an identity map */
	mode = cpu->tr_mode;
	if (unlikely(debug_wanted(cpu)) && (cpu->debug.single || debug_break_page(vm, cpu->pc)))
		mode |= TR_MODE_STEP;
	e = view_get(cpu->ex_tab, cpu->pc);
	slot = e + cpu->pc;

	if (e && slot < BIT(47)) {
		page = container_of((u32(*)[SLOTS_PER_PAGE])(e + ALIGN_DOWN(cpu->pc, PAGE_SIZE)),
				    struct code_page, slots);
		if ((page->mode & ~(u32)TR_MODE_GP) == mode)
			return page;
	}
	seq = view_seq(cpu->view);
	if (mmu_walk(cpu, GVA(cpu->pc), ACC_EXEC, cpu->ps.el, &w)) {
		a64_take_iabt(cpu, cpu->pc, w.fault);
		return NULL;
	}
	if (w.guarded) {
		mode |= TR_MODE_GP;
		vm_set_flag(vm, &vm->bti);
	}
	page = code_page_get(vm, ALIGN_DOWN(w.pa, PAGE_SIZE), mode);
	if (!page) {
		if (!dbt_ram_ptr(vm, w.pa, 4))
			a64_take_iabt(cpu, cpu->pc, 0x10); /* synchronous external abort */
		else
			*fatal = true;
		return NULL;
	}
	/*
	 * The empty view stands in where there is none left: always looked up. So does a debugged
	 * vCPU, whose pages are not the others'.
	 */
	if (cpu->view != &vm->none && !cpu->debug.all &&
	    !view_fill_exec(cpu->view, cpu->pc, page, &w, seq))
		return NULL;
	return page;
}

/* A request may have come while its predecessor was answered: whatever is behind it is looked at
 * anew. */
static void take_requests(struct dbt_vcpu *cpu)
{
	if (atomic_load_explicit(&cpu->exit_req, memory_order_relaxed)) {
		u32 req = atomic_exchange(&cpu->exit_req, 0);

		smp_pass(cpu);
		if (unlikely(req & EXIT_REQ_PMU))
			pmu_update(cpu);
	}
}

/* The block at page offset `off` that does one instruction at a time. 0, or as dbt_translate. */
static int single_block(struct dbt_vcpu *cpu, struct code_page *page, u32 off, u32 *host)
{
	struct dbt_vm *vm = cpu->vm;
	struct block *b;

	pthread_mutex_lock(&vm->lock);
	for (b = page->variants; b && b->page_off != off; b = b->next_variant)
		;
	*host = b ? b->host : 0;
	pthread_mutex_unlock(&vm->lock);
	return b ? 0 : dbt_translate(cpu, page, off, true, host);
}

u64 dbt_dispatch(struct dbt_vcpu *cpu)
{
	struct dbt_vm *vm = cpu->vm;

	for (;;) {
		struct code_page *page;
		bool fatal = false;
		u32 host;
		int r;

		take_requests(cpu);
		cpu_btype_settle(cpu, cpu->pc);
		if (unlikely(cpu->debug.armed))
			debug_after(cpu);
		if (cpu->pending_exit >= 0)
			return leave(cpu, cpu->pending_exit);
		if (unlikely(cpu->debug.stepped) && debug_report_step(cpu))
			return leave(cpu, DBT_EXIT_DEBUG);
		if (atomic_load_explicit(&cpu->kick, memory_order_relaxed) &&
		    atomic_exchange(&cpu->kick, 0))
			return leave(cpu, DBT_EXIT_KICK);
		/* A debugger's step stays in the code it is in. */
		if (atomic_load_explicit(&cpu->irq_lines, memory_order_relaxed) && !cpu->debug.step)
			a64_take_irq(cpu);
		if (cpu->pc & 3) {
			a64_take_sync(cpu, EC_PC_ALIGN, 0, cpu->pc);
			continue;
		}
		if (unlikely(debug_wanted(cpu))) {
			enum debug_verdict v = debug_before(cpu);

			if (v == DEBUG_LEAVE)
				return leave(cpu, DBT_EXIT_DEBUG);
			if (v == DEBUG_AGAIN)
				continue;
		}
		page = fetch_page(cpu, &fatal);
		if (fatal)
			return leave_error(cpu, "out of memory for code pages");
		if (!page)
			continue;
		host = slot_get(page, cpu->pc & (PAGE_SIZE - 1));
		if (host == vm->t_lookup) {
			if (unlikely(page->mode & TR_MODE_STEP))
				r = single_block(cpu, page, cpu->pc & (PAGE_SIZE - 1), &host);
			else
				r = dbt_translate(cpu, page, cpu->pc & (PAGE_SIZE - 1), false,
						  &host);
			if (r == -EAGAIN)
				continue;
			if (r)
				return leave_error(cpu, "translation failed");
		}
		if (unlikely(page->mode & TR_MODE_STEP))
			debug_enter(cpu, page);
		cpu->page_va = ALIGN_DOWN(cpu->pc, PAGE_SIZE);
		cpu->v_pinned = !(page->mode & (TR_MODE_EL1 | TR_MODE_FP_TRAP));
		return host;
	}
}

/* Others may be running the jump: placement has put `site` inside eight aligned bytes. */
static void patch(struct dbt_vm *vm, u32 site, u32 host)
{
	u32 rel = host - (site + 4);

	__asm__ volatile("movl %1, %0" : "=m"(*(u32 *)rx_to_rw(vm, site)) : "r"(rel));
}

/* Makes the jump at `site` lead to page offset `off`, for good if possible. */
u64 dbt_do_chain(struct dbt_vcpu *cpu, u32 site, u32 off)
{
	struct dbt_vm *vm = cpu->vm;
	struct code_page *page = NULL;
	struct block *from;
	u32 host = 0, evict;

	cpu->pc = cpu->page_va + off;
	if (atomic_load_explicit(&cpu->exit_req, memory_order_relaxed))
		return dbt_dispatch(cpu);
	pthread_mutex_lock(&vm->lock);
	evict = vm->evict_seq;
	from = code_find(vm, site);
	if (from && !(from->page->mode & TR_MODE_STEP)) {
		page = from->page;
		host = slot_get(page, off);
	}
	pthread_mutex_unlock(&vm->lock);
	if (!page || (host == vm->t_lookup && dbt_translate(cpu, page, off, false, &host)))
		return dbt_dispatch(cpu); /* which says what is wrong, if it is not over by then */
	if (vm->cfg.no_chain)
		return host;
	pthread_mutex_lock(&vm->lock);
	/* A chunk given back meanwhile may be the one with the jump in it. */
	if (evict == vm->evict_seq)
		patch(vm, site, host);
	pthread_mutex_unlock(&vm->lock);
	return host;
}

/* ---- memory ---- */

static int fetch_insn(struct dbt_vcpu *cpu, u64 pc, u32 *raw)
{
	struct walk w;
	u8 *p;

	if (mmu_walk(cpu, GVA(pc), ACC_EXEC, cpu->ps.el, &w) ||
	    !(p = dbt_ram_ptr(cpu->vm, w.pa, 4)))
		return -EFAULT;
	memcpy(raw, p, 4);
	return 0;
}

/* The access described by `desc` cannot be done inline: emulate it, or run its exact variant. */
static u64 access_slow(struct dbt_vcpu *cpu, u32 desc)
{
	u32 off = DESC_OFF(desc) * 4, raw, host;
	struct code_page *page;
	bool fatal = false;
	int r;

	cpu->pc = cpu->page_va + off;
	if (DESC_DEFER(desc)) {
		struct a64_insn in;

		if (fetch_insn(cpu, cpu->pc - 4 * DESC_DEFER(desc), &raw))
			return dbt_dispatch(cpu);
		a64_decode(raw, &in);
		cpu_compare(cpu, &in);
	}
	if (desc & DESC_EXACT) {
		cpu->stats.mem_slow++;
		if (fetch_insn(cpu, cpu->pc, &raw))
			return dbt_dispatch(cpu); /* unmapped meanwhile: let the fetch fault */
		if (helper_mem(cpu, raw) == HELPER_NEXT)
			cpu->pc += 4;
		if (unlikely(cpu->view == &cpu->vm->none)) /* perhaps SP is aligned again */
			view_switch(cpu);
		return dbt_dispatch(cpu);
	}
	page = fetch_page(cpu, &fatal);
	if (!page)
		return fatal ? leave_error(cpu, "out of memory for code pages") : dbt_dispatch(cpu);
	r = single_block(cpu, page, off, &host);
	if (r == -EAGAIN)
		return dbt_dispatch(cpu);
	return r ? leave_error(cpu, "translation failed") : host;
}

static bool fill(struct dbt_vcpu *cpu, u64 va, u32 desc)
{
	struct dbt_vm *vm = cpu->vm;
	bool unpriv = desc & DESC_UNPRIV && !cpu->ps.uao;
	struct dbt_view *v;
	unsigned el = unpriv ? 0 : cpu->ps.el;
	enum access acc = desc & DESC_STORE ? ACC_WRITE : ACC_READ;
	struct walk w;
	u8 *host;
	u32 seq;

	if ((va & (PAGE_SIZE - 1)) + DESC_LEN(desc) > PAGE_SIZE || cpu->view == &vm->none)
		return false;
	if (unpriv && cpu->user_view == &vm->none)
		view_claim_user(cpu);
	v = unpriv ? cpu->user_view : cpu->view;
	if (v == &vm->none)
		return false;
	/*
	 * A view holds one half: EL1's the upper, an EL0 view the lower. Other addresses index the
	 * same entries but are never entered; they are rare (EL1 reading user memory with PAN
	 * clear). Code of an identity map uses both.
	 */
	if (v != &vm->flat && v != &vm->flat0 && !v->low && !(va & BIT(55)) != (v != &vm->el1))
		return false;
	if (va >> 48 != 0 && va >> 48 != 0xffff)
		return false; /* tagged or not canonical: inline code cannot reach it */
	if (unlikely(atomic_load_explicit(&vm->watching, memory_order_relaxed)) &&
	    debug_watched_page(vm, va))
		return false;
	/* Not the table's fault, then: a misaligned atomic, say. Filling again would lead back here
	 * for ever. */
	if (view_get(acc == ACC_WRITE ? v->st : v->ld, va))
		return false;
	do {
		seq = view_seq(v);
		/* Device memory checks alignment, as code for the MMU being off does itself. */
		if (mmu_walk(cpu, GVA(va), acc, el, &w) ||
		    (w.device && !(cpu->tr_mode & TR_MODE_ALIGN)))
			return false;
		host = dbt_ram_ptr(vm, ALIGN_DOWN(w.pa, PAGE_SIZE), PAGE_SIZE);
		if (!host)
			return false;
		if (acc == ACC_WRITE)
			w.w = true;
	} while (!view_fill(v, va, host, &w, seq));
	return acc == ACC_WRITE ? w.w : w.r;
}

u64 dbt_do_miss(struct dbt_vcpu *cpu)
{
	u32 desc = (u32)cpu->scratch[SCR_MISS_DESC];

	if (unlikely(desc == (u32)DESC_YIELD)) {
		sched_yield();
		return 0;
	}
	cpu->stats.mem_misses++;
	cpu->pc = cpu->page_va + DESC_OFF(desc) * 4;
	if (fill(cpu, cpu->scratch[SCR_MISS_VA], desc))
		return 0;
	return access_slow(cpu, desc);
}

u64 dbt_do_gp(struct dbt_vcpu *cpu)
{
	return access_slow(cpu, (u32)cpu->scratch[SCR_MISS_DESC]);
}

/* ---- host signals ---- */

/*
 * The thread's filter forbids sigaction. With the signal blocked, the same fault happens again on
 * return, and the kernel ends the process by that signal.
 */
static void die(int sig, siginfo_t *si, ucontext_t *uc)
{
	error_report("host signal %d at %llx, address %p (a bug in armature)", sig,
		     (unsigned long long)uc->uc_mcontext.gregs[REG_RIP], si->si_addr);
	sigaddset(&uc->uc_sigmask, sig);
}

/*
 * Faults translated code may raise: #GP from a non-canonical guest address (si_addr says nothing),
 * and the guard page of a return stack. Only rip, rsp and cpu->scratch change here.
 */
static void on_fault(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;
	struct dbt_vcpu *cpu = current;
	u64 rip = (u64)uc->uc_mcontext.gregs[REG_RIP], addr = (u64)si->si_addr;
	const struct site *s;
	struct dbt_vm *vm;

	if (!cpu || !cpu->in_code) {
		die(sig, si, uc);
		return;
	}
	vm = cpu->vm;
	if (rip < (u64)vm->code_rx || rip >= (u64)vm->code_rx + vm->code_size) {
		die(sig, si, uc);
		return;
	}
	for (unsigned el = 0; el < 2; el++)
		if (addr + RET_STACK_SIZE < (u64)cpu->ret_stack[el] &&
		    addr + RET_STACK_SIZE + PAGE_SIZE >= (u64)cpu->ret_stack[el]) {
			uc->uc_mcontext.gregs[REG_RSP] = (greg_t)cpu->ret_top;
			return;
		}
	/* Translated code holds no lock, so this thread does not have it yet. */
	pthread_mutex_lock(&vm->lock);
	s = code_find_site(vm, (u32)rip);
	pthread_mutex_unlock(&vm->lock);
	if (!s) {
		die(sig, si, uc);
		return;
	}
	if (s->desc == (u32)DESC_INDIRECT) {
		uc->uc_mcontext.gregs[REG_RIP] = (greg_t)vm->t_indirect;
		uc->uc_mcontext.gregs[REG_RSP] = (greg_t)cpu->ret_top; /* half of a pair is there */
	} else {
		cpu->scratch[SCR_MISS_DESC] = s->desc;
		uc->uc_mcontext.gregs[REG_RIP] = (greg_t)vm->t_gp;
	}
}

static int install_handlers(void)
{
	static bool done;
	struct sigaction sa = {.sa_sigaction = on_fault,
			       .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

	if (done)
		return 0;
	done = true;
	if (sigaction(SIGSEGV, &sa, NULL) || sigaction(SIGBUS, &sa, NULL))
		return -errno;
	return 0;
}

/* ---- vCPUs ---- */

/* ret_stack[el] points at the sentinels; predictions grow down from there to a guard page. */
static int ret_stacks_init(struct dbt_vcpu *cpu)
{
	for (unsigned el = 0; el < 2; el++) {
		u64 size = PAGE_SIZE + RET_STACK_SIZE + PAGE_SIZE;
		u8 *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0);

		if (p == MAP_FAILED || mprotect(p, PAGE_SIZE, PROT_NONE))
			return -errno;
		cpu->ret_stack[el] = p + PAGE_SIZE + RET_STACK_SIZE;
		for (unsigned i = 0; i < RET_SENTINELS; i++)
			((u64 *)cpu->ret_stack[el])[i] = cpu->vm->t_ret_empty;
	}
	return 0;
}

int dbt_vcpu_create(struct dbt_vm *vm, unsigned index, struct dbt_vcpu **out)
{
	struct dbt_vcpu *cpu;
	int r;

	if (vm->nvcpus == ARRAY_SIZE(vm->vcpu) || index >= ARRAY_SIZE(vm->vcpu))
		return -ENOSPC;
	cpu = aligned_alloc(64, ALIGN_UP(sizeof(*cpu), 64ul));
	if (!cpu)
		return -ENOMEM;
	memset(cpu, 0, sizeof(*cpu));
	cpu->vm = vm;
	cpu->index = index;
	cpu->mpidr = BIT(31) | (index % 16) | (u64)(index / 16) << 8;
	cpu->pending_exit = -1;
	cpu->sig_stack = malloc(SIG_STACK_SIZE);
	r = cpu->sig_stack ? ret_stacks_init(cpu) : -ENOMEM;
	if (!r)
		r = install_handlers();
	if (r) {
		dbt_vcpu_destroy(cpu);
		return r;
	}
	cpu->excl_tab = vm->excl;
	cpu->slot = vm->nvcpus;
	vm->vcpu[vm->nvcpus++] = cpu;
	dbt_vcpu_reset(cpu, 0, 0);
	*out = cpu;
	return 0;
}

void dbt_vcpu_destroy(struct dbt_vcpu *cpu)
{
	struct dbt_vm *vm = cpu->vm;

	for (unsigned el = 0; el < 2; el++)
		if (cpu->ret_stack[el])
			munmap(cpu->ret_stack[el] - RET_STACK_SIZE - PAGE_SIZE,
			       PAGE_SIZE + RET_STACK_SIZE + PAGE_SIZE);
	view_release(cpu);
	if (vm->vcpu[cpu->slot] == cpu) { /* the last takes its place */
		vm->vcpu[cpu->slot] = vm->vcpu[--vm->nvcpus];
		vm->vcpu[cpu->slot]->slot = cpu->slot;
	}
	free(cpu->sig_stack);
	free(cpu);
}

void dbt_vcpu_reset(struct dbt_vcpu *cpu, u64 pc, u64 x0)
{
	memset(cpu->x, 0, sizeof(cpu->x));
	memset(cpu->v, 0, sizeof(cpu->v));
	view_release(cpu);
	cpu->ret_top = cpu->ret_sp = 0;
	cpu->ret_sp_el0 = 0;
	cpu->excl_size = 0;
	cpu->fpsr = 0;
	cpu->pending_exit = -1;
	cpu->debug = (struct debug_state){.step = cpu->debug.step};
	a64_reset(cpu);
	cpu_fpcr_set(cpu, 0);
	cpu->pc = pc;
	cpu->x[0] = x0;
	view_switch(cpu);
}

enum dbt_exit_reason dbt_vcpu_run(struct dbt_vcpu *cpu, struct dbt_exit *out)
{
	u64 host;

	current = cpu;
	if (!cpu->thread_ready) {
		stack_t ss = {.ss_sp = cpu->sig_stack, .ss_size = SIG_STACK_SIZE};

		sigaltstack(&ss, NULL);
		cpu->thread_ready = true;
	}
	cpu->exit = out;
	smp_enter(cpu);
	view_switch(cpu); /* registers may have been set meanwhile */
	host = dbt_dispatch(cpu);
	if (host != cpu->vm->t_leave)
		cpu->vm->enter(cpu, host);
	smp_leave(cpu);
	cpu->exit = NULL;
	return out->reason;
}

void dbt_vcpu_set_irq(struct dbt_vcpu *cpu, enum dbt_irq line, bool level)
{
	if (!level) {
		atomic_fetch_and(&cpu->irq_lines, ~(u32)line);
		return;
	}
	atomic_fetch_or(&cpu->irq_lines, (u32)line);
	atomic_fetch_or(&cpu->exit_req, (u32)EXIT_REQ_IRQ);
}

void dbt_vcpu_pmu_expire(struct dbt_vcpu *cpu)
{
	atomic_fetch_or(&cpu->exit_req, (u32)EXIT_REQ_PMU);
}

bool dbt_vcpu_has_irq(const struct dbt_vcpu *cpu)
{
	return cpu->irq_lines || cpu->exit_req & EXIT_REQ_PMU;
}

void dbt_vcpu_kick(struct dbt_vcpu *cpu)
{
	atomic_store(&cpu->kick, 1);
	atomic_fetch_or(&cpu->exit_req, (u32)EXIT_REQ_KICK);
}

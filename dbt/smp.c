/* SPDX-License-Identifier: MIT */
/*
 * Quiescence: how one vCPU takes something away that others may be using in translated code.
 *
 *	the one that changes			another one
 *	clear entries, empty slots		... translated code, may use them ...
 *	q_req++, exit_req |= QUIESCE		poll: exit_req != 0
 *						dispatcher: exit_req = 0 (an xchg)
 *	... wait ...				reads q_req, resets its return stack
 *	q_ack has come				q_ack = what it read; looks everything up anew
 *
 * The xchg keeps the answering vCPU's table reads behind its answer. A vCPU outside
 * dbt_vcpu_run, or itself waiting, has nothing in hand and is not waited for; on its way back in
 * it announces itself first (smp_enter, a full barrier) and finds the request in exit_req.
 */
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "dbt/vm.h"

#define SPINS_BEFORE_YIELD 64	  /* waiting: a running vCPU passes a poll in a microsecond */
#define RELAX_TURNS	   16	  /* WFE, YIELD in a row before the host's core is given away */
#define WFE_SLEEP_TURNS	   128	  /* ... and, if it is WFE, before the thread sleeps */
#define WFE_SLEEP_NS	   100000 /* for so long, as a guest's own event stream would have it */
#define RELAX_GAP	   20000  /* TSC ticks between two that end the row */

void smp_lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

void smp_enter(struct dbt_vcpu *cpu)
{
	atomic_store(&cpu->online, 1);
	cpu->sp_page = SP_PAGE_NONE; /* who dropped the entry has not waited for this vCPU */
}

void smp_leave(struct dbt_vcpu *cpu)
{
	atomic_store_explicit(&cpu->online, 0, memory_order_release);
}

void smp_pass(struct dbt_vcpu *cpu)
{
	u32 req = atomic_load(&cpu->q_req);

	cpu->sp_page = SP_PAGE_NONE;
	if (atomic_exchange(&cpu->ret_stale, 0)) {
		cpu->ret_sp = cpu->ret_top;
		cpu->ret_sp_el0 = 0;
	}
	atomic_store_explicit(&cpu->q_ack, req, memory_order_release);
}

void smp_stale_returns(struct dbt_vm *vm, u64 mask)
{
	for (unsigned i = 0; i < vm->nvcpus; i++)
		if (mask & BIT(i)) {
			atomic_store(&vm->vcpu[i]->ret_stale, 1);
			atomic_fetch_or(&vm->vcpu[i]->exit_req, (u32)EXIT_REQ_QUIESCE);
		}
}

void smp_request(struct dbt_vm *vm, u64 mask, struct smp_grace *g)
{
	g->mask = mask;
	for (unsigned i = 0; i < vm->nvcpus; i++)
		if (mask & BIT(i)) {
			g->seq[i] = atomic_fetch_add(&vm->vcpu[i]->q_req, 1) + 1;
			atomic_fetch_or(&vm->vcpu[i]->exit_req, (u32)EXIT_REQ_QUIESCE);
		}
}

static bool passed(const struct dbt_vcpu *cpu, u32 seq)
{
	return !atomic_load(&cpu->online) || (s32)(atomic_load(&cpu->q_ack) - seq) >= 0;
}

bool smp_passed(struct dbt_vm *vm, const struct smp_grace *g)
{
	for (unsigned i = 0; i < vm->nvcpus; i++)
		if (g->mask & BIT(i) && !passed(vm->vcpu[i], g->seq[i]))
			return false;
	return true;
}

void smp_wait(struct dbt_vcpu *cpu, const struct smp_grace *g)
{
	struct dbt_vm *vm = cpu->vm;
	unsigned spins = 0;

	smp_leave(cpu);
	for (unsigned i = 0; i < vm->nvcpus; i++)
		while (g->mask & BIT(i) && i != cpu->slot && !passed(vm->vcpu[i], g->seq[i])) {
			if (++spins < SPINS_BEFORE_YIELD)
				_mm_pause();
			else
				sched_yield();
		}
	smp_enter(cpu);
}

void smp_defer(struct dbt_vcpu *cpu, u64 mask, bool returns)
{
	if (returns) {
		smp_stale_returns(cpu->vm, mask);
		cpu->dsb_pending |= !!(mask & BIT(cpu->slot));
	}
	cpu->sp_page = SP_PAGE_NONE;
	cpu->wait_mask |= mask & ~BIT(cpu->slot);
	cpu->dsb_pending |= cpu->wait_mask != 0;
}

int helper_dsb(struct dbt_vcpu *cpu, u32 raw)
{
	struct smp_grace g;

	cpu->dsb_pending = 0;
	atomic_thread_fence(memory_order_seq_cst);
	if (cpu->wait_mask) {
		smp_request(cpu->vm, cpu->wait_mask, &g);
		cpu->wait_mask = 0;
		if (!smp_passed(cpu->vm, &g))
			smp_wait(cpu, &g);
	}
	cpu->pc += 4;
	return HELPER_JUMP;
}

/* The holder may be a thread without a core: translated code waits likewise (thunks.c). */
void excl_take(struct excl_bucket *b)
{
	for (unsigned spins = 1; atomic_fetch_or(&b->version, 1) & 1; spins++)
		while (atomic_load_explicit(&b->version, memory_order_relaxed) & 1)
			if (spins++ % SPINS_BEFORE_YIELD)
				_mm_pause();
			else
				sched_yield();
}

/* How many turns of WFE or YIELD in close succession this is. */
static u32 spin_count(struct dbt_vcpu *cpu)
{
	u64 now = __rdtsc();

	cpu->spins = now - cpu->spin_tsc < RELAX_GAP ? cpu->spins + 1 : 0;
	cpu->spin_tsc = now;
	return cpu->spins;
}

/* Back among those that are waited for; by the dispatcher. */
static int spin_return(struct dbt_vcpu *cpu)
{
	smp_enter(cpu);
	cpu->spin_tsc = __rdtsc();
	cpu->pc += 4;
	return HELPER_JUMP;
}

int smp_relax(struct dbt_vcpu *cpu)
{
	if (cpu->vm->nvcpus == 1 || spin_count(cpu) < RELAX_TURNS)
		return HELPER_NEXT;
	smp_leave(cpu);
	sched_yield();
	return spin_return(cpu);
}

int smp_wait_event(struct dbt_vcpu *cpu)
{
	const struct timespec limit = {.tv_nsec = WFE_SLEEP_NS};
	u32 turns = spin_count(cpu);

	if (turns < RELAX_TURNS)
		return HELPER_NEXT;
	smp_leave(cpu);
	if (turns < WFE_SLEEP_TURNS)
		sched_yield();
	else /* nobody wakes it, but a request from before keeps it awake */
		syscall(SYS_futex, &cpu->exit_req, FUTEX_WAIT_PRIVATE, 0, &limit, NULL, 0);
	return spin_return(cpu);
}

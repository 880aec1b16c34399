/* SPDX-License-Identifier: MIT */
/*
 * Quiescence without a translator: threads use what an entry leads to as translated code would, one
 * takes it away. The memory that was led to is written plainly afterwards, so that ThreadSanitizer
 * (make tsan) sees any use that the protocol does not order before that.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dbt/vm.h"

#define WORKERS 3
#define TURNS	2000

struct target {
	u64 word[8]; /* all alike */
};

struct fixture {
	struct dbt_vm *vm;
	struct target target[2];
	_Atomic u64 entry; /* which target */
	_Atomic u32 stop, torn;
};

static struct dbt_vcpu *add_vcpu(struct dbt_vm *vm)
{
	struct dbt_vcpu *cpu = aligned_alloc(64, ALIGN_UP(sizeof(*cpu), 64ul));

	assert_non_null(cpu);
	memset(cpu, 0, sizeof(*cpu));
	cpu->vm = vm;
	cpu->slot = vm->nvcpus;
	vm->vcpu[vm->nvcpus++] = cpu;
	return cpu;
}

struct worker {
	struct fixture *f;
	struct dbt_vcpu *cpu;
	bool takes; /* waits for others now and then as well */
};

/* The dispatcher, as dbt/run.c has it. */
static void dispatch(struct dbt_vcpu *cpu)
{
	if (atomic_load_explicit(&cpu->exit_req, memory_order_relaxed)) {
		atomic_exchange(&cpu->exit_req, 0);
		smp_pass(cpu);
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct fixture *f = w->f;
	unsigned n = 0;

	while (!atomic_load(&f->stop)) {
		smp_enter(w->cpu);
		for (unsigned k = 0; k < 50; k++) {
			const struct target *t;
			u64 first;

			dispatch(w->cpu);
			t = &f->target[atomic_load_explicit(&f->entry, memory_order_acquire)];
			first = t->word[0];
			for (unsigned i = 1; i < ARRAY_SIZE(t->word); i++) {
				if (i == 4 && k % 8 == 0)
					sched_yield(); /* as if the host took the core away */
				if (t->word[i] != first)
					atomic_fetch_add(&f->torn, 1);
			}
			if (w->takes && k == 25) {
				smp_defer(w->cpu, smp_all(f->vm), true);
				helper_dsb(w->cpu, 0);
			}
		}
		smp_leave(w->cpu);
		if (++n % 16 == 0)
			sched_yield();
	}
	return NULL;
}

static void run(bool takes)
{
	struct fixture f = {0};
	struct worker w[WORKERS];
	pthread_t thread[WORKERS];
	struct dbt_vcpu *cpu;

	f.vm = calloc(1, sizeof(*f.vm));
	assert_non_null(f.vm);
	cpu = add_vcpu(f.vm);
	for (unsigned i = 0; i < WORKERS; i++)
		w[i] = (struct worker){&f, add_vcpu(f.vm), takes};
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, work, &w[i]), 0);
	smp_enter(cpu);
	for (u64 n = 1; n <= TURNS; n++) {
		struct target *old = &f.target[~n & 1];

		dispatch(cpu);
		atomic_store_explicit(&f.entry, n & 1, memory_order_release);
		smp_defer(cpu, smp_all(f.vm), n & 1);
		assert_int_equal(cpu->dsb_pending, 1);
		assert_int_equal(helper_dsb(cpu, 0), HELPER_JUMP);
		assert_int_equal(cpu->dsb_pending, 0);
		for (unsigned i = 0; i < ARRAY_SIZE(old->word); i++)
			old->word[i] = n;
	}
	smp_leave(cpu);
	atomic_store(&f.stop, 1);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(f.torn, 0);
	for (unsigned i = 0; i < f.vm->nvcpus; i++)
		free(f.vm->vcpu[i]);
	free(f.vm);
}

static void test_taken_away(void **state)
{
	run(false);
}

/* Those that wait for each other must not wait for ever. */
static void test_all_take(void **state)
{
	run(true);
}

static void test_returns(void **state)
{
	struct dbt_vm *vm = calloc(1, sizeof(*vm));
	struct dbt_vcpu *a, *b;

	assert_non_null(vm);
	a = add_vcpu(vm);
	b = add_vcpu(vm);
	smp_enter(b);
	b->ret_top = 100;
	b->ret_sp = 60;
	b->ret_sp_el0 = 50;
	smp_defer(a, BIT(b->slot), false); /* data only: predictions stay */
	assert_int_equal(a->wait_mask, BIT(b->slot));
	dispatch(b);
	assert_int_equal(b->ret_sp, 60);
	smp_defer(a, BIT(b->slot), true);
	assert_true(atomic_load(&b->exit_req) & EXIT_REQ_QUIESCE);
	dispatch(b);
	assert_int_equal(b->ret_sp, 100);
	assert_int_equal(b->ret_sp_el0, 0);
	free(a);
	free(b);
	free(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken_away),
		cmocka_unit_test(test_all_take),
		cmocka_unit_test(test_returns),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

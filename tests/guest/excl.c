/* SPDX-License-Identifier: MIT */
/*
 * Exclusives: what must make a store-exclusive fail although the value is the one that was loaded,
 * and stacks whose pop relies on it.
 */
#include "tests/guest/guest.h"

#define LSE ".arch armv8.1-a+lse\n"

/* ---- A-B-A, step by step ---- */

/*
 * CPU 0 loads exclusively, CPU 1 changes the word and changes it back, CPU 0 stores: it must fail.
 * Changes by plain stores are known to be invisible: docs/dbt-smp.md.
 */
static u64 aba_word[2] __attribute__((aligned(64)));
static u32 aba_step;
static unsigned aba_done;

static void by_llsc(u64 from, u64 to)
{
	u64 v;
	u32 s;

	do
		asm volatile("ldxr %0, [%2]; stxr %w1, %3, [%2]"
			     : "=&r"(v), "=&r"(s)
			     : "r"(aba_word), "r"(to)
			     : "memory");
	while (s);
}
static void by_llsc_pair(u64 from, u64 to)
{
	u64 v, v2;
	u32 s;

	do
		asm volatile("ldxp %0, %1, [%3]; stxp %w2, %4, %1, [%3]"
			     : "=&r"(v), "=&r"(v2), "=&r"(s)
			     : "r"(aba_word), "r"(to)
			     : "memory");
	while (s);
}
static void by_cas(u64 from, u64 to)
{
	asm volatile(LSE "casal %0, %2, %1" : "+r"(from), "+Q"(aba_word[0]) : "r"(to));
}
static void by_cas_word(u64 from, u64 to)
{
	asm volatile(LSE "cas %w0, %w2, %1" : "+r"(from), "+Q"(aba_word[0]) : "r"(to));
}
static void by_casp(u64 from, u64 to)
{
	register u64 a asm("x4") = from, b asm("x5") = 0, c asm("x6") = to, d asm("x7") = 0;

	asm volatile(LSE "casp %0, %1, %2, %3, [%4]"
		     : "+r"(a), "+r"(b)
		     : "r"(c), "r"(d), "r"(aba_word)
		     : "memory");
}
static void by_swp(u64 from, u64 to)
{
	asm volatile(LSE "swp %1, %1, %0" : "+Q"(aba_word[0]), "+r"(to));
}
static void by_ldadd(u64 from, u64 to)
{
	asm volatile(LSE "ldadd %1, %1, %0" : "+Q"(aba_word[0]), "+r"(from) : "r"(to - from));
	asm volatile(LSE "stadd %1, %0" : "+Q"(aba_word[0]) : "r"(to - aba_word[0]));
}
static void by_ldset(u64 from, u64 to)
{
	u64 old;

	asm volatile(LSE "ldset %2, %1, %0" : "+Q"(aba_word[0]), "=r"(old) : "r"(to & ~from));
	asm volatile(LSE "ldclr %2, %1, %0" : "+Q"(aba_word[0]), "=r"(old) : "r"(from & ~to));
}
static void by_max(u64 from, u64 to)
{
	if (to > from)
		asm volatile(LSE "stumax %1, %0" : "+Q"(aba_word[0]) : "r"(to));
	else
		asm volatile(LSE "stsmin %1, %0" : "+Q"(aba_word[0]) : "r"(to));
}

static const struct aba {
	const char *name;
	void (*change)(u64 from, u64 to);
} abas[] = {
	{"STXR", by_llsc},	    {"STXP", by_llsc_pair},
	{"CASAL", by_cas},	    {"CAS of half of it", by_cas_word},
	{"CASP", by_casp},	    {"SWP", by_swp},
	{"LDADD, STADD", by_ldadd}, {"LDSET, LDCLR", by_ldset},
	{"STUMAX, STSMIN", by_max},
};

/* Between the two, only what neither clears the monitor nor ends the block for long. */
#define ABA_WAIT                    \
	"stlr %w[odd], [%[step]]\n" \
	"1: ldar w9, [%[step]]\n"   \
	"cmp w9, %w[even]\n"        \
	"b.ne 1b\n"

static void aba(void *arg)
{
	const struct aba *t = arg;
	u64 v, v2;
	u32 s;

	for (u32 i = 0; i < 1000; i++) {
		if (this_cpu() == 1) {
			while (load_acquire(&aba_step) != 2 * i + 1)
				relax();
			t->change(1, 2);
			t->change(2, 1);
			store_release(&aba_step, 2 * i + 2);
			continue;
		}
		if (i & 1)
			asm volatile("ldxr %0, [%[word]]\n" ABA_WAIT "stxr %w1, %0, [%[word]]"
				     : "=&r"(v), "=&r"(s)
				     : [word] "r"(aba_word), [odd] "r"(2 * i + 1),
				       [step] "r"(&aba_step), [even] "r"(2 * i + 2)
				     : "memory", "x9", "cc");
		else
			asm volatile("ldxp %0, %1, [%[word]]\n" ABA_WAIT
				     "stxp %w2, %0, %1, [%[word]]"
				     : "=&r"(v), "=&r"(v2), "=&r"(s)
				     : [word] "r"(aba_word), [odd] "r"(2 * i + 1),
				       [step] "r"(&aba_step), [even] "r"(2 * i + 2)
				     : "memory", "x9", "cc");
		aba_done += !s;
	}
}

static void test_aba(void)
{
	for (unsigned k = 0; k < ARRAY_SIZE(abas); k++) {
		aba_word[0] = 1;
		aba_word[1] = 0;
		aba_step = aba_done = 0;
		cpus_run(2, aba, (void *)&abas[k]);
		result(aba_done == 0, "STXR and STXP fail after A-B-A by %s", abas[k].name);
	}
}

/* ---- faults where a load-exclusive has been: nothing may stay taken ---- */

static unsigned n_faults;

static u64 skip_fault(u64 *regs, u64 elr, u64 esr, u64 far)
{
	n_faults++;
	return far >> 56 == 0x5a ? elr + 4 : 0;
}

static void test_faults(void)
{
	static u64 word __attribute__((aligned(16)));
	u64 tagged = (u64)&word | 0x5aull << 56, v, one = 1; /* no TBI: not an address */
	u32 s;

	sync_hook = skip_fault;
	for (unsigned i = 0; i < 1000; i++) {
		asm volatile("ldxr %0, [%1]" : "=&r"(v) : "r"(&word) : "memory");
		asm volatile(LSE "ldadd %1, x9, [%0]\n"
				 "swp %1, x9, [%0]\n"
				 "mov x9, xzr\n"
				 "cas x9, %1, [%0]\n"
				 "ldset %1, x9, [%0]\n"
				 "stclr %1, [%0]\n"
				 "ldsmax %1, x9, [%0]\n"
				 "ldxr x9, [%0]\n"
			     :
			     : "r"(tagged), "r"(one)
			     : "x9", "memory");
		asm volatile(LSE "ldadd %1, x9, [%0]\n"
				 "swp x9, x9, [%0]\n"
				 "mov x9, xzr\n"
				 "cas x9, %1, [%0]\n"
				 "ldeor xzr, x9, [%0]\n"
				 "ldumax xzr, x9, [%0]\n"
			     :
			     : "r"(&word), "r"(one)
			     : "x9", "memory");
		do
			asm volatile("ldxr %0, [%2]; add %0, %0, #1; stxr %w1, %0, [%2]"
				     : "=&r"(v), "=&r"(s)
				     : "r"(&word)
				     : "memory");
		while (s);
	}
	sync_hook = NULL;
	result(n_faults == 7000, "atomics that fault on a watched word: %u of 7000", (u64)n_faults);
}

/* ---- stacks ---- */

/*
 * Every CPU pops nodes and pushes them back. Popping is LDXR, the next pointer, STXR: the classic
 * that A-B-A breaks, since a node that was away and is back has another successor. A broken stack
 * loses nodes, has some twice or never ends. How nodes come back, and how the whole stack is taken
 * now and then, is what differs.
 */
#define NODES_A_CPU 3

static u64 turns; /* of each CPU */
static struct node {
	struct node *next;
	u32 taken; /* by how many at once: more than one is the failure */
	u8 pad[48];
} nodes[NODES_A_CPU * MAX_CPUS] __attribute__((aligned(64)));
static struct node *top __attribute__((aligned(64)));
static u32 wrong;

static struct node *pop(void)
{
	struct node *n, *next;
	u32 s;

	asm volatile("1: ldaxr %0, [%3]\n"
		     "cbz %0, 2f\n"
		     "ldr %1, [%0]\n"
		     "stlxr %w2, %1, [%3]\n"
		     "cbnz %w2, 1b\n"
		     "2:"
		     : "=&r"(n), "=&r"(next), "=&r"(s)
		     : "r"(&top)
		     : "memory");
	return n;
}

static void push_llsc(struct node *n)
{
	struct node *old;
	u32 s;

	asm volatile("1: ldxr %0, [%2]\n"
		     "str %0, [%3]\n"
		     "stlxr %w1, %3, [%2]\n"
		     "cbnz %w1, 1b"
		     : "=&r"(old), "=&r"(s)
		     : "r"(&top), "r"(n)
		     : "memory");
}

static void push_cas(struct node *n)
{
	struct node *old = *(struct node *volatile *)&top, *want;

	do {
		want = n->next = old;
		asm volatile(LSE "casal %0, %2, %1" : "+r"(old), "+Q"(top) : "r"(n) : "memory");
	} while (old != want);
}

static struct node *take_all(void)
{
	struct node *n = NULL;

	asm volatile(LSE "swpal %1, %1, %0" : "+Q"(top), "+r"(n)::"memory");
	return n;
}

static void hold(struct node *n)
{
	if (__atomic_fetch_add(&n->taken, 1, __ATOMIC_ACQ_REL))
		__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
}

static void give(struct node *n, void (*push)(struct node *))
{
	__atomic_fetch_sub(&n->taken, 1, __ATOMIC_ACQ_REL);
	push(n);
}

static const struct stack {
	const char *name;
	void (*push)(struct node *);
	bool all;
} stacks[] = {
	{"LL/SC both", push_llsc, false},
	{"pushed by CAS", push_cas, false},
	{"pushed by LL/SC, taken whole by SWP", push_llsc, true},
	{"pushed by CAS, taken whole by SWP", push_cas, true},
};

static void stack_turn(const struct stack *t, u64 rnd)
{
	struct node *n[2];

	if (t->all && rnd % 4 == 0) {
		struct node *list = take_all(), *next;

		for (struct node *i = list; i; i = i->next)
			hold(i);
		for (; list; list = next) {
			next = list->next;
			give(list, t->push);
		}
		return;
	}
	for (unsigned k = 0; k < 2; k++) {
		n[k] = pop();
		if (n[k])
			hold(n[k]);
	}
	for (unsigned k = 0; k < 2; k++) /* in the order that makes A-B-A */
		if (n[k ^ (rnd >> 8 & 1)])
			give(n[k ^ (rnd >> 8 & 1)], t->push);
}

static void stack(void *arg)
{
	u64 seed = this_cpu();

	rendezvous(n_cpus);
	for (u64 i = 0; i < turns && !load_acquire(&wrong); i++)
		stack_turn(arg, random64(&seed));
}

static void test_stacks(void)
{
	unsigned all = NODES_A_CPU * n_cpus;

	turns = boot_arg("turns=", 60000);
	for (unsigned k = 0; k < ARRAY_SIZE(stacks); k++) {
		unsigned count = 0;

		wrong = 0;
		top = NULL;
		for (unsigned i = 0; i < all; i++) {
			nodes[i].taken = 0;
			push_cas(&nodes[i]);
		}
		cpus_run(n_cpus, stack, (void *)&stacks[k]);
		for (struct node *n = top; n && count <= all; n = n->next)
			count++;
		result(!wrong && count == all, "stack, %s: %u of %u nodes there, %u held twice",
		       stacks[k].name, (u64)count, (u64)all, (u64)wrong);
	}
}

int main(void);
int main(void)
{
	cpus_start();
	print("# %u CPUs\n", (u64)n_cpus);
	test_faults();
	if (n_cpus > 1)
		test_aba();
	test_stacks();
	finish();
	return 0;
}

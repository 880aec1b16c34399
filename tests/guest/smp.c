/* SPDX-License-Identifier: MIT */
/*
 * Several CPUs: power, atomic instructions, interrupts between CPUs, translations and
 * code taken away under another CPU's feet.
 */
#include "tests/guest/guest.h"

#define LSE ".arch armv8.1-a+lse\n"

/* ---- power ---- */

#define CPU_ON	 0xc4000003
#define AFFINITY 0xc4000004

static unsigned off_cpu;

static void go_off(void *arg)
{
	if (this_cpu() == off_cpu)
		cpu_off();
}

/* All ask for the same CPU at once: one is served, and the CPU is on from then on. */
static s64 on_result[MAX_CPUS];
static u32 asked;

static void on_race(void *arg)
{
	if (this_cpu() == off_cpu)
		cpu_off();
	while (psci(AFFINITY, mpidr_of(off_cpu), 0, 0) != 1)
		relax();
	__atomic_fetch_add(&asked, 1, __ATOMIC_SEQ_CST);
	while (load_acquire(&asked) < n_cpus - 1)
		;
	on_result[this_cpu()] = psci(CPU_ON, mpidr_of(off_cpu), (u64)secondary_start, off_cpu);
}

static void test_power_race(void)
{
	unsigned bad = 0;

	for (unsigned turn = 0; turn < 10; turn++) {
		unsigned won = 0;

		off_cpu = turn % (n_cpus - 1) + 1;
		asked = 0;
		cpus_run(n_cpus, on_race, NULL);
		for (unsigned i = 0; i < n_cpus; i++) {
			if (i == off_cpu)
				continue;
			won += on_result[i] == 0;
			bad += on_result[i] != 0 && on_result[i] != -4;
		}
		bad += won != 1;
		bad += psci(AFFINITY, mpidr_of(off_cpu), 0, 0) != 0;
		cpus_start(); /* waits for it */
	}
	result(!bad, "CPU_ON by all at once: one SUCCESS, ALREADY_ON");
}

static void test_power(void)
{
	u64 start = now();

	result(psci(CPU_ON, mpidr_of(0), (u64)secondary_start, 0) == -4,
	       "CPU_ON of a running CPU: ALREADY_ON");
	result(psci(CPU_ON, mpidr_of(n_cpus), (u64)secondary_start, 0) == -2,
	       "CPU_ON of no CPU: INVALID_PARAMETERS");
	result(psci(CPU_ON, 1ull << 32, (u64)secondary_start, 0) == -2 &&
		       psci(CPU_ON, 15 << 8, (u64)secondary_start, 0) == -2 &&
		       psci(AFFINITY, mpidr_of(n_cpus), 0, 0) == -2 &&
		       psci(AFFINITY, mpidr_of(0), 1, 0) == -2,
	       "affinities that no CPU has");
	result(psci(1337, 0, 0, 0) == -1, "no such function: NOT_SUPPORTED");
	result(psci(AFFINITY, mpidr_of(n_cpus - 1), 0, 0) == 0, "AFFINITY_INFO: on");
	if (n_cpus == 1)
		return;
	off_cpu = n_cpus - 1;
	for (unsigned i = 0; i < 20; i++) {
		cpus_run(n_cpus, go_off, NULL);
		while (psci(AFFINITY, mpidr_of(off_cpu), 0, 0) != 1 &&
		       now() - start < 20000000000ull)
			relax();
		cpus_start();
	}
	result(now() - start < 20000000000ull, "20 times CPU_OFF, AFFINITY_INFO, CPU_ON");
	test_power_race();
}

/* ---- atomics ---- */

#define TURNS 20000

static struct {
	u64 ldadd, llsc, llsc_ar, cas, pair[2], locked, wfe_locked, set;
	u32 lock, wfe_lock;
	u32 pair32[2];
	u8 byte;
} at __attribute__((aligned(64)));

static void add_llsc(u64 *p)
{
	u64 v;
	u32 s;

	asm volatile("1: ldxr %0, [%2]; add %0, %0, #1; stxr %w1, %0, [%2]; cbnz %w1, 1b"
		     : "=&r"(v), "=&r"(s)
		     : "r"(p)
		     : "memory");
}

static void add_llsc_ar(u64 *p)
{
	u64 v;
	u32 s;

	asm volatile("1: ldaxr %0, [%2]; add %0, %0, #1; stlxr %w1, %0, [%2]; cbnz %w1, 1b"
		     : "=&r"(v), "=&r"(s)
		     : "r"(p)
		     : "memory");
}

static void add_pair(u64 *p)
{
	u64 a, b;
	u32 s;

	asm volatile("1: ldxp %0, %1, [%3]; add %0, %0, #1; add %1, %1, #3; stxp %w2, %0, %1, "
		     "[%3]; cbnz %w2, 1b"
		     : "=&r"(a), "=&r"(b), "=&r"(s)
		     : "r"(p)
		     : "memory");
}

static void add_pair32(u32 *p)
{
	register u64 a asm("x4"), b asm("x5"), c asm("x6"), d asm("x7");

	asm volatile(LSE "ldp %w0, %w1, [%4]\n"
			 "1: add %w2, %w0, #1; add %w3, %w1, #2; mov x8, %0; mov x9, %1\n"
			 "casp %w0, %w1, %w2, %w3, [%4]\n"
			 "cmp %w0, w8; ccmp %w1, w9, #0, eq; b.ne 1b"
		     : "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(d)
		     : "r"(p)
		     : "memory", "cc", "x8", "x9");
}

static void add_cas(u64 *p)
{
	u64 old = *(volatile u64 *)p, want;

	do {
		want = old;
		asm volatile(LSE "casal %0, %2, %1" : "+r"(old), "+Q"(*p) : "r"(want + 1));
	} while (old != want);
}

static void swp_lock(u32 *l)
{
	u32 old;

	for (;;) {
		asm volatile(LSE "swpa %w2, %w0, %1" : "=r"(old), "+Q"(*l) : "r"(1) : "memory");
		if (!old)
			return;
		relax();
	}
}

static void wfe_lock(u32 *l)
{
	u32 v, s;

	asm volatile("sevl\n"
		     "1: wfe\n"
		     "2: ldaxr %w0, [%2]\n"
		     "cbnz %w0, 1b\n"
		     "stxr %w1, %w3, [%2]\n"
		     "cbnz %w1, 2b"
		     : "=&r"(v), "=&r"(s)
		     : "r"(l), "r"(1)
		     : "memory");
}

static void atomics(void *arg)
{
	u64 seed = this_cpu(), mine = 0;

	rendezvous(n_cpus);
	for (unsigned i = 0; i < TURNS; i++) {
		asm volatile(LSE "stadd %1, %0" : "+Q"(at.ldadd) : "r"(3ull));
		add_llsc(&at.llsc);
		add_llsc_ar(&at.llsc_ar);
		add_cas(&at.cas);
		add_pair(at.pair);
		add_pair32(at.pair32);
		asm volatile(LSE "ldaddb %w1, wzr, %0" : "+Q"(at.byte) : "r"(1));
		if (i % 8)
			continue;
		swp_lock(&at.lock);
		*(volatile u64 *)&at.locked = *(volatile u64 *)&at.locked + 1;
		store_release(&at.lock, 0);
		wfe_lock(&at.wfe_lock);
		*(volatile u64 *)&at.wfe_locked = *(volatile u64 *)&at.wfe_locked + 1;
		store_release(&at.wfe_lock, 0);
		mine ^= random64(&seed) & 1ull << this_cpu();
		asm volatile(LSE "stset %1, %0; stclr %1, %0; steor %1, %0"
			     : "+Q"(at.set)
			     : "r"(1ull << this_cpu()));
		asm volatile(LSE "steor %1, %0" : "+Q"(at.set) : "r"(1ull << this_cpu()));
	}
}

static void test_atomics(void)
{
	u64 n = (u64)TURNS * n_cpus;

	cpus_run(n_cpus, atomics, NULL);
	result(at.ldadd == 3 * n, "LDADD: %u", at.ldadd);
	result(at.llsc == n, "LDXR/STXR: %u", at.llsc);
	result(at.llsc_ar == n, "LDAXR/STLXR: %u", at.llsc_ar);
	result(at.cas == n, "CASAL: %u", at.cas);
	result(at.pair[0] == n && at.pair[1] == 3 * n, "LDXP/STXP: %u %u", at.pair[0], at.pair[1]);
	result(at.pair32[0] == (u32)n && at.pair32[1] == (u32)(2 * n), "CASP: %u %u",
	       (u64)at.pair32[0], (u64)at.pair32[1]);
	result(at.byte == (u8)n, "LDADDB: %u", (u64)at.byte);
	result(at.locked == n / 8, "lock by SWPA and a released store: %u", at.locked);
	result(at.wfe_locked == n / 8, "lock by LDAXR, STXR and WFE: %u", at.wfe_locked);
	result(at.set == 0, "STSET, STCLR, STEOR: %x", at.set);
}

/* ---- interrupts between CPUs ---- */

#define RING_TURNS 200
static u32 ring_got[MAX_CPUS];

static void on_ring(unsigned intid)
{
	__atomic_fetch_add(&ring_got[this_cpu()], 1, __ATOMIC_SEQ_CST);
}

/* A token goes round by SGI; who waits sleeps. */
static void ring(void *arg)
{
	unsigned me = this_cpu(), next = (me + 1) % n_cpus;

	gic_init_cpu();
	rendezvous(n_cpus);
	for (u32 i = 1; i <= RING_TURNS; i++) {
		if (me || i > 1) {
			for (;;) {
				asm volatile("msr daifset, #2");
				if (load_acquire(&ring_got[me]) >= (me ? i : i - 1))
					break;
				asm volatile("wfi");
				asm volatile("msr daifclr, #2");
				isb();
			}
			asm volatile("msr daifclr, #2");
		}
		gic_send_sgi(5, mpidr_of(next));
	}
	rendezvous(n_cpus);
}

static void test_sgi(void)
{
	u64 t = now();
	bool ok = true;

	irq_hook = on_ring;
	cpus_run(n_cpus, ring, NULL);
	t = now() - t;
	while (load_acquire(&ring_got[0]) < RING_TURNS && now() - t < 2000000000ull)
		;
	for (unsigned i = 0; i < n_cpus; i++)
		ok &= ring_got[i] == RING_TURNS;
	result(ok, "a token by SGI and WFI, %u times round %u CPUs", (u64)RING_TURNS, (u64)n_cpus);
	print("# %u ns a hop\n", t / (RING_TURNS * n_cpus));
	irq_hook = NULL;
}

#define STORM 3000
static u32 storm_got[MAX_CPUS];

static void on_storm(unsigned intid)
{
	__atomic_fetch_add(&storm_got[this_cpu()], 1, __ATOMIC_RELEASE);
}

/* CPU 0 interrupts all others and waits for each to have noticed; they sleep in between. */
static void storm(void *arg)
{
	unsigned me = this_cpu();

	gic_init_cpu();
	rendezvous(n_cpus);
	for (u32 i = 1; i <= STORM; i++) {
		if (!me) {
			for (unsigned k = 1; k < n_cpus; k++)
				gic_send_sgi(9, mpidr_of(k));
			for (unsigned k = 1; k < n_cpus; k++)
				while (load_acquire(&storm_got[k]) < i)
					relax();
			continue;
		}
		for (;;) {
			asm volatile("msr daifset, #2");
			if (load_acquire(&storm_got[me]) >= i)
				break;
			asm volatile("wfi");
			asm volatile("msr daifclr, #2");
			isb();
		}
		asm volatile("msr daifclr, #2");
	}
	asm volatile("msr daifset, #2");
}

static void test_storm(void)
{
	bool ok = true;

	memset(storm_got, 0, sizeof(storm_got));
	irq_hook = on_storm;
	cpus_run(n_cpus, storm, NULL);
	for (unsigned i = 1; i < n_cpus; i++)
		ok &= storm_got[i] == STORM;
	irq_hook = NULL;
	result(ok, "%u SGIs to all others, each noticed before the next", (u64)STORM);
}

static u32 wfe_flag, wfe_seen;

static void wfe_wait(void *arg)
{
	rendezvous(n_cpus);
	for (u32 i = 1; i <= 200; i++) {
		if (!this_cpu()) {
			store_release(&wfe_flag, i);
			asm volatile("dsb ish; sev" ::: "memory");
			while (load_acquire(&wfe_seen) < i * (n_cpus - 1))
				asm volatile("wfe" ::: "memory");
			continue;
		}
		while (load_acquire(&wfe_flag) < i)
			asm volatile("wfe" ::: "memory");
		__atomic_fetch_add(&wfe_seen, 1, __ATOMIC_RELEASE);
		asm volatile("dsb ish; sev" ::: "memory");
	}
}

static void test_wfe(void)
{
	wfe_flag = wfe_seen = 0;
	cpus_run(n_cpus, wfe_wait, NULL);
	result(wfe_seen == 200 * (n_cpus - 1), "WFE and SEV between CPUs");
}

/* ---- mappings taken away ---- */

static u8 pages[4][PAGE] __attribute__((aligned(PAGE)));
static u32 stop, failures, faults;

/* Each takes as long as it takes until the others have their turn. */
static u32 turns(void)
{
	return 1600 / n_cpus / n_cpus;
}

struct remap {
	const char *name;
	u64 va, *pte, attr;
	void (*tlbi)(u64 va);
	bool el0;
};

static u64 remap_fault(u64 *regs, u64 elr, u64 esr, u64 far)
{
	if ((far & ~0x1fffffull) != HIGH_BASE && (far & ~0x1fffffull) != LOW_BASE)
		return 0;
	__atomic_fetch_add(&faults, 1, __ATOMIC_RELAXED);
	relax();
	return elr; /* between break and make: again */
}

static void tlbi_va(u64 va)
{
	asm volatile("tlbi vae1is, %0" ::"r"(va >> 12 & 0xfffffffffffull) : "memory");
}
static void tlbi_vaa(u64 va)
{
	asm volatile("tlbi vaae1is, %0" ::"r"(va >> 12 & 0xfffffffffffull) : "memory");
}
static void tlbi_val(u64 va)
{
	asm volatile("tlbi vale1is, %0" ::"r"(va >> 12 & 0xfffffffffffull) : "memory");
}
static void tlbi_asid(u64 va)
{
	asm volatile("tlbi aside1is, %0" ::"r"(0ull) : "memory");
}
static void tlbi_all(u64 va)
{
	asm volatile("tlbi vmalle1is" ::: "memory");
}
static void tlbi_range(u64 va)
{
	/* TG 4 KiB, SCALE 0, NUM 0: two pages */
	asm volatile(".arch armv8.4-a\n tlbi rvae1is, %0" ::"r"(1ull << 46 |
								(va >> 12 & 0x1fffffffffull))
		     : "memory");
}

/* EL0 and EL1: 64 rounds of stores whose page check one block shares. */
asm(".balign 4096\n"
    "store_rounds:\n"
    "mov x1, #64\n"
    "1: add x2, x2, #1\n"
    "str x2, [x0]\n"
    "str x2, [x0, #8]\n"
    "str x2, [x0, #16]\n"
    "str x2, [x0, #24]\n"
    "str x2, [x0, #32]\n"
    "subs x1, x1, #1\n"
    "b.ne 1b\n"
    "store_rounds_end:\n"
    "ret\n"
    "store_rounds_el0:\n" /* also off SP, whose page the translator remembers longer */
    "mov x1, #64\n"
    "mov sp, x0\n"
    "1: add x2, x2, #1\n"
    "str x2, [x0]\n"
    "str x2, [sp, #8]\n"
    "str x2, [x0, #16]\n"
    "str x2, [sp, #24]\n"
    "subs x1, x1, #1\n"
    "b.ne 1b\n"
    "svc #0\n"
    ".balign 4096\n");
u64 store_rounds(u64 va);
u64 store_rounds_el0(u64 va);

#define EL0_TEXT (LOW_BASE + 0x10000)

/* CPU 0 moves the mapping from page to page; what was unmapped must not change any more. */
static void remap(void *arg)
{
	const struct remap *r = arg;
	u64 el0_fn = EL0_TEXT + ((u64)store_rounds_el0 & (PAGE - 1));

	rendezvous(n_cpus);
	if (this_cpu()) {
		while (!load_acquire(&stop)) {
			if (r->el0)
				el0_call((u64(*)(u64))el0_fn, r->va, 0);
			else
				store_rounds(r->va);
		}
		return;
	}
	for (unsigned i = 0; i < turns(); i++) {
		u8 *old = pages[i & 1], *new = pages[~i & 1];
		u64 seen, then;

		pte_set(r->pte, 0);
		r->tlbi(r->va);
		dsb();
		seen = *(volatile u64 *)(old + 24);
		for (unsigned k = 0; k < 20; k++)
			failures += *(volatile u64 *)(old + 24) != seen;
		then = *(volatile u64 *)(new + 24);
		pte_set(r->pte, (u64) new | r->attr);
		/* Not before they are at it again, and then at any point of their loop. */
		for (unsigned k = 0; k < 100000 && *(volatile u64 *)(new + 24) == then; k++)
			relax();
		for (volatile unsigned k = 0; k < i % 64 * 4; k++)
			;
		failures += *(volatile u64 *)(old + 24) != seen;
	}
	store_release(&stop, 1);
}

static void test_remap(void)
{
	static const u64 attr = PTE_PAGE | PTE_NORMAL | PTE_PXN;
	static const struct remap tests[] = {
		{"upper half, VAE1IS", HIGH_BASE, &high_ptes[0], attr, tlbi_va, false},
		{"upper half, VAAE1IS", HIGH_BASE, &high_ptes[0], attr, tlbi_vaa, false},
		{"upper half, RVAE1IS", HIGH_BASE, &high_ptes[0], attr, tlbi_range, false},
		{"upper half, VMALLE1IS", HIGH_BASE, &high_ptes[0], attr, tlbi_all, false},
		{"lower half at EL1, VALE1IS", LOW_BASE, &low_ptes[0], attr, tlbi_val, false},
		{"lower half at EL1, nG, ASIDE1IS", LOW_BASE, &low_ptes[0], attr | PTE_NG,
		 tlbi_asid, false},
		{"EL0, VALE1IS", LOW_BASE, &low_ptes[0], attr | PTE_USER, tlbi_val, true},
		{"EL0, nG, VAE1IS", LOW_BASE, &low_ptes[0], attr | PTE_USER | PTE_NG, tlbi_va,
		 true},
		{"EL0, nG, VAAE1IS", LOW_BASE, &low_ptes[0], attr | PTE_USER | PTE_NG, tlbi_vaa,
		 true},
		{"EL0, nG, ASIDE1IS", LOW_BASE, &low_ptes[0], attr | PTE_USER | PTE_NG, tlbi_asid,
		 true},
		{"EL0, VMALLE1IS", LOW_BASE, &low_ptes[0], attr | PTE_USER, tlbi_all, true},
	};

	sync_hook = remap_fault;
	pte_set(&low_ptes[16], ((u64)store_rounds & ~(PAGE - 1ull)) | PTE_PAGE | PTE_NORMAL |
				       PTE_USER | PTE_RO | PTE_PXN);
	for (unsigned k = 0; k < ARRAY_SIZE(tests); k++) {
		u64 t = now();

		stop = failures = faults = 0;
		pte_set(tests[k].pte, (u64)pages[0] | tests[k].attr);
		cpus_run(n_cpus, remap, (void *)&tests[k]);
		result(!failures, "no store through a mapping after TLBI and DSB: %s",
		       tests[k].name);
		print("# %u us, %u stray stores, %u faults\n", (now() - t) / 1000, (u64)failures,
		      (u64)faults);
		pte_set(tests[k].pte, 0);
		tlbi_all(0);
		dsb();
	}
	sync_hook = NULL;
}

/* ---- code taken away ---- */

#define MOV_W0(n) (0x52800000u | (u32)(n) << 5)
#define RET	  0xd65f03c0u
#define NOP	  0xd503201fu

static u32 code[2][PAGE / 4] __attribute__((aligned(PAGE)));
static u32 code_seq, code_bad, code_calls;

static void sync_code(void *p)
{
	asm volatile("dc cvau, %0; dsb ish; ic ivau, %0; dsb ish; isb" ::"r"(p) : "memory");
}

struct smc {
	const char *name;
	u32 *exec, *write;
	bool remap;
};

/* Others call all the time; once they have seen a number and synchronised, they must not get an
 * older one. */
static void smc(void *arg)
{
	const struct smc *s = arg;
	u32 (*fn)(void) = (u32(*)(void))s->exec, calls;

	rendezvous(n_cpus);
	if (this_cpu()) {
		while (!load_acquire(&stop)) {
			u32 seq = load_acquire(&code_seq), got;

			isb();
			for (unsigned k = 0; k < 8; k++) {
				got = fn();
				if (got < seq || got > load_acquire(&code_seq) + 1)
					__atomic_fetch_add(&code_bad, 1, __ATOMIC_RELAXED);
			}
			__atomic_fetch_add(&code_calls, 8, __ATOMIC_RELAXED);
		}
		return;
	}
	for (u32 i = 1; i < turns(); i++) {
		if (s->remap) {
			u32 *new = code[i & 1];

			new[0] = MOV_W0(i);
			sync_code(new);
			pte_set(&high_ptes[1], 0);
			tlbi_va(HIGH_BASE + PAGE);
			dsb();
			pte_set(&high_ptes[1], (u64) new | PTE_PAGE | PTE_NORMAL | PTE_RO);
		} else {
			*(volatile u32 *)s->write = MOV_W0(i);
			sync_code(s->write);
		}
		store_release(&code_seq, i);
		calls = load_acquire(&code_calls);
		for (unsigned k = 0; k < 100000 && load_acquire(&code_calls) == calls; k++)
			relax();
		for (volatile unsigned k = 0; k < i % 64 * 4; k++)
			;
	}
	store_release(&stop, 1);
}

static void test_smc(void)
{
	static const struct smc tests[] = {
		{"same mapping", code[0], code[0], false},
		{"written through another mapping", (u32 *)(HIGH_BASE + PAGE), code[0], false},
		{"mapping changed", (u32 *)(HIGH_BASE + PAGE), NULL, true},
	};

	sync_hook = remap_fault;
	for (unsigned k = 0; k < ARRAY_SIZE(tests); k++) {
		for (unsigned i = 0; i < 2; i++) {
			code[i][0] = MOV_W0(0);
			code[i][1] = RET;
			sync_code(code[i]);
		}
		pte_set(&high_ptes[1], (u64)code[0] | PTE_PAGE | PTE_NORMAL | PTE_RO);
		stop = code_seq = code_bad = code_calls = 0;
		cpus_run(n_cpus, smc, (void *)&tests[k]);
		result(!code_bad, "no stale code: %s", tests[k].name);
		print("# %u stale of %u calls\n", (u64)code_bad, (u64)code_calls);
		pte_set(&high_ptes[1], 0);
		tlbi_all(0);
		dsb();
	}
	sync_hook = NULL;
}

/*
 * A function calls out, and while it waits there the code it will return to changes. Callee: tells
 * CPU 0, waits, synchronises, returns.
 */
static u32 call_step;
asm("callee:\n"
    "stlr w1, [x0]\n"
    "1: ldar w3, [x0]\n"
    "cmp w3, w2\n"
    "b.ne 1b\n"
    "isb\n"
    "ret\n");
void callee(void);

static void caller_page(u32 *p, u32 value)
{
	/* x4 = callee: stp x29, x30, [sp, #-16]!; blr x4; mov w0, #value; ldp x29, x30, [sp], #16;
	 * ret */
	static const u32 body[] = {0xa9bf7bfd, 0xd63f0080, 0, 0xa8c17bfd, RET};

	for (unsigned i = 0; i < ARRAY_SIZE(body); i++)
		p[i] = i == 2 ? MOV_W0(value) : body[i];
}

static void landing(void *arg)
{
	bool remapping = *(bool *)arg;
	u64 (*fn)(u32 *, u64, u64, u64, void (*)(void)) = (void *)(HIGH_BASE + PAGE);

	for (u32 i = 0; i < 500; i++) {
		if (this_cpu()) {
			u64 got = fn(&call_step, 2 * i + 1, 2 * i + 2, 0, callee);

			failures += got != i + 1;
			continue;
		}
		while (load_acquire(&call_step) != 2 * i + 1)
			relax();
		if (remapping) {
			u32 *new = code[~i & 1];

			caller_page(new, i + 1);
			sync_code(new);
			pte_set(&high_ptes[1], 0);
			tlbi_va(HIGH_BASE + PAGE);
			dsb();
			pte_set(&high_ptes[1], (u64) new | PTE_PAGE | PTE_NORMAL | PTE_RO);
		} else {
			caller_page(code[0], i + 1);
			sync_code(code[0]);
		}
		store_release(&call_step, 2 * i + 2);
	}
}

static void test_landing(void)
{
	for (unsigned k = 0; k < 2; k++) {
		bool remapping = k;

		caller_page(code[0], 0);
		sync_code(code[0]);
		pte_set(&high_ptes[1], (u64)code[0] | PTE_PAGE | PTE_NORMAL | PTE_RO);
		call_step = failures = 0;
		cpus_run(2, landing, &remapping);
		result(!failures, "return into code that was %s meanwhile: %u stale of 500",
		       remapping ? "mapped elsewhere" : "rewritten", (u64)failures);
		pte_set(&high_ptes[1], 0);
		tlbi_all(0);
		dsb();
	}
}

/* ---- more code than the cache holds ---- */

#define FN_WORDS 16
#define FNS	 (256 * PAGE / 4 / FN_WORDS)
static u32 shared_code[FNS * FN_WORDS] __attribute__((aligned(PAGE)));

static void make_functions(void)
{
	for (u32 f = 0; f < FNS; f++) {
		u32 *p = &shared_code[f * FN_WORDS];

		p[0] = 0x52800000u | (f & 0xffff) << 5; /* mov w0, #f */
		for (unsigned k = 1; k < FN_WORDS - 1; k++)
			p[k] = 0x0b000000u | 1 << 16 | 0 << 5; /* add w0, w0, w1 */
		p[FN_WORDS - 1] = RET;
	}
	for (u64 a = (u64)shared_code; a < (u64)shared_code + sizeof(shared_code); a += 64)
		asm volatile("dc cvau, %0; ic ivau, %0" ::"r"(a) : "memory");
	dsb();
	isb();
}

static void run_functions(void *arg)
{
	u64 seed = this_cpu() * 77 + 1;

	rendezvous(n_cpus);
	for (unsigned turn = 0; turn < 6; turn++) {
		u32 f = (u32)(random64(&seed) % FNS);

		for (u32 i = 0; i < FNS; i++, f = (f + 1) % FNS) {
			u64 (*fn)(u64, u64) = (u64(*)(u64, u64)) & shared_code[f * FN_WORDS];

			if (fn(0, i) != (u32)((f & 0xffff) + (FN_WORDS - 2) * i))
				__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
		}
	}
}

static void test_eviction(void)
{
	u64 t = now();

	failures = 0;
	make_functions();
	cpus_run(n_cpus, run_functions, NULL);
	result(!failures, "1 MiB of code, six times through on each CPU");
	print("# %u ms\n", (now() - t) / 1000000);
}

int main(void);
int main(void)
{
	cpus_start();
	print("# %u CPUs\n", (u64)n_cpus);
	test_power();
	test_atomics();
	test_sgi();
	if (n_cpus > 1) {
		test_storm();
		test_wfe();
		test_remap();
		test_smc();
		test_landing();
	}
	test_eviction();
	finish();
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Throughput of n CPUs on independent work against one: arithmetic, memory, calls. The best of
 * several turns, since the host may have other work; a measurement, not a test (result is always
 * ok).
 */
#include "tests/guest/guest.h"

#define WORDS (1u << 14)

static u64 memory[4][WORDS] __attribute__((aligned(4096)));
static volatile u64 sink[MAX_CPUS][8];

static u64 __attribute__((noinline)) mix(u64 v, u64 k)
{
	return (v ^ k) * 0x9e3779b97f4a7c15ull + (v >> 29);
}

static void compute(void *arg)
{
	u64 v = this_cpu();

	for (u64 i = 0; i < 10000000; i++)
		v = v * 6364136223846793005ull + (v >> 33) + i;
	sink[this_cpu()][0] = v;
}

static void walk(void *arg)
{
	u64 *m = memory[this_cpu() % 4], v = 0;

	for (u64 k = 0; k < 400; k++)
		for (u64 i = 0; i < WORDS; i++) {
			m[i] += v;
			v ^= m[i * 257 % WORDS];
		}
	sink[this_cpu()][0] = v;
}

static void calls(void *arg)
{
	u64 v = this_cpu();

	for (u64 i = 0; i < 5000000; i++)
		v = mix(v, i);
	sink[this_cpu()][0] = v;
}

/* Code that was never run before: what translating costs, when one CPU does it and when all do. */
#define FN_WORDS  16
#define CODE_SIZE (64 * PAGE)
static u32 code[4][CODE_SIZE / 4] __attribute__((aligned(4096)));

static void write_code(void *arg)
{
	u32 *p = code[this_cpu() % 4];

	for (u32 i = 0; i < CODE_SIZE / 4; i++)
		p[i] = i % FN_WORDS == FN_WORDS - 1 ? 0xd65f03c0u      /* ret */
		       : i % 3 == 0		    ? 0x8b010000u      /* add x0, x0, x1 */
		       : i % 3 == 1		    ? 0xca400c00u      /* eor x0, x0, x0, lsr #3 */
						    : 0xd1000400u | (i & 0xfff) << 10; /* sub */
}

static void translate(void *arg)
{
	u32 *p = code[this_cpu() % 4];
	u64 v = 0;

	for (u64 a = (u64)p; a < (u64)p + CODE_SIZE; a += 64)
		asm volatile("ic ivau, %0" ::"r"(a) : "memory");
	dsb();
	isb();
	for (u32 i = 0; i < CODE_SIZE / 4; i += FN_WORDS)
		v = ((u64(*)(u64, u64))(u64)&p[i])(v, i);
	sink[this_cpu()][0] = v;
}

/* ---- atomics of one CPU, in its own cache ---- */

#define LSE	    ".arch armv8.1-a+lse\n"
#define ATOMIC_RUNS 1000000
#define ATOMIC(name, insns)                                                                 \
	static void name(void *arg)                                                         \
	{                                                                                   \
		for (u64 i = 0; i < ATOMIC_RUNS; i++)                                       \
			asm volatile(LSE insns ::"r"(arg), "r"(i) : "x9", "w10", "memory"); \
	}
ATOMIC(by_ldadd, "ldadd %1, x9, [%0]")
ATOMIC(by_stadd, "stadd %1, [%0]")
ATOMIC(by_swp, "swp %1, x9, [%0]")
ATOMIC(by_cas, "mov x9, %1; cas x9, %1, [%0]")
ATOMIC(by_ldset, "ldset %1, x9, [%0]")
ATOMIC(by_llsc, "1: ldxr x9, [%0]; add x9, x9, #1; stxr w10, x9, [%0]; cbnz w10, 1b")

static u64 turns;

static u64 best(unsigned n, void (*fn)(void *))
{
	u64 min = ~0ull;

	for (u64 k = 0; k < turns; k++) {
		u64 t = now();

		cpus_run(n, fn, NULL);
		t = now() - t;
		min = t < min ? t : min;
	}
	return min;
}

/* Where no load-exclusive has been, and where one has (docs/dbt-smp.md, Exclusives). */
static void atomics(void)
{
	static u64 word[2][16] __attribute__((aligned(64)));
	static const struct {
		const char *name;
		void (*fn)(void *);
	} op[] = {{"LDADD", by_ldadd}, {"STADD", by_stadd}, {"SWP", by_swp},
		  {"CAS", by_cas},     {"LDSET", by_ldset}, {"LDXR, ADD, STXR", by_llsc}};

	asm volatile("ldxr x9, [%0]; clrex" ::"r"(&word[1]) : "x9", "memory");
	for (unsigned w = 0; w < 2; w++)
		for (unsigned k = 0; k < ARRAY_SIZE(op); k++) {
			u64 min = ~0ull;

			for (u64 n = 0; n < turns; n++) {
				u64 t = now();

				op[k].fn(word[w]);
				t = now() - t;
				min = t < min ? t : min;
			}
			result(true, "%s%s: %u.%u ns", w ? "watched " : "", op[k].name,
			       min / ATOMIC_RUNS, min * 10 / ATOMIC_RUNS % 10);
		}
}

int main(void);
int main(void)
{
	static const struct {
		const char *name;
		void (*fn)(void *);
	} work[] = {{"arithmetic", compute},
		    {"memory", walk},
		    {"calls", calls},
		    {"translation", translate}};
	u64 only = boot_arg("work=", ARRAY_SIZE(work));

	cpus_start();
	cpus_run(n_cpus, write_code, NULL);
	turns = boot_arg("turns=", 15);
	if (boot_arg("atomics=", 0)) {
		atomics();
		finish();
	}
	if (only < ARRAY_SIZE(work)) {
		u64 n = boot_arg("on=", 1);

		result(true, "%s on %u CPUs: %u us", work[only].name, n,
		       best((unsigned)n, work[only].fn) / 1000);
		finish();
	}
	for (unsigned k = 0; k < ARRAY_SIZE(work); k++) {
		u64 one = best(1, work[k].fn), all = best(n_cpus, work[k].fn);

		result(true, "%s: one CPU %u us, %u CPUs %u us: throughput x %u.%u%u", work[k].name,
		       one / 1000, (u64)n_cpus, all / 1000, n_cpus * one / all,
		       n_cpus * one * 10 / all % 10, n_cpus * one * 100 / all % 10);
	}
	finish();
	return 0;
}

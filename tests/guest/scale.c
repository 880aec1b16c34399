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

static u64 best(unsigned n, void (*fn)(void *))
{
	u64 min = ~0ull;

	for (unsigned k = 0; k < 15; k++) {
		u64 t = now();

		cpus_run(n, fn, NULL);
		t = now() - t;
		min = t < min ? t : min;
	}
	return min;
}

int main(void);
int main(void)
{
	static const struct {
		const char *name;
		void (*fn)(void *);
	} work[] = {{"arithmetic", compute}, {"memory", walk}, {"calls", calls}};

	cpus_start();
	for (unsigned k = 0; k < ARRAY_SIZE(work); k++) {
		u64 one = best(1, work[k].fn), all = best(n_cpus, work[k].fn);

		result(true, "%s: one CPU %u us, %u CPUs %u us: throughput x %u.%u%u", work[k].name,
		       one / 1000, (u64)n_cpus, all / 1000, n_cpus * one / all,
		       n_cpus * one * 10 / all % 10, n_cpus * one * 100 / all % 10);
	}
	finish();
	return 0;
}

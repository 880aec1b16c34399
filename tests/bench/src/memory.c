/* SPDX-License-Identifier: MIT */
/* Memory: a random pointer chase beyond the caches, a hash table, copies and string functions. */
#include "bench.h"

static uint64_t chase(size_t n, long steps)
{
	uint32_t *next = malloc(n * sizeof(*next));
	uint32_t p = 0;
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		next[i] = (uint32_t)i;
	for (size_t i = n - 1; i > 0; i--) { /* one cycle through all: Sattolo's shuffle */
		size_t j = bench_random() % i;
		uint32_t t = next[i];

		next[i] = next[j];
		next[j] = t;
	}
	for (long i = 0; i < steps; i++)
		sum += p = next[p];
	free(next);
	return sum;
}

static uint64_t table(size_t bits, long inserts)
{
	size_t mask = ((size_t)1 << bits) - 1;
	uint64_t *slot = calloc(mask + 1, sizeof(*slot)), hits = 0;

	for (long i = 0; i < inserts; i++) {
		uint64_t key = (bench_random() & mask) | 1;
		size_t h = key * 0x9e3779b97f4a7c15ull >> (64 - bits);

		while (slot[h] && slot[h] != key)
			h = (h + 1) & mask;
		hits += slot[h] == key;
		slot[h] = key;
	}
	free(slot);
	return hits;
}

static uint64_t strings(long rounds)
{
	static char a[4096], b[4096];
	uint64_t sum = 0;

	for (long i = 0; i < rounds; i++) {
		size_t len = bench_random() % 4000;

		memset(a, 'a' + (int)(i % 26), len);
		a[len] = 0;
		memcpy(b, a, len + 1);
		sum += strlen(b) + (uint64_t)(strcmp(a, b) == 0) +
		       (uint64_t)(memchr(b, 0, 4096) != NULL);
	}
	return sum;
}

int main(int argc, char **argv)
{
	long n = bench_scale(argc, argv, 1);
	uint64_t sum = 0;

	for (long i = 0; i < n; i++)
		sum = sum * 31 + chase(4 << 20, 2000000) + table(20, 800000) + strings(30000);
	printf("%llu\n", (unsigned long long)sum);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* qsort with a comparison function: calls through pointers, unpredictable branches. */
#include "bench.h"

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	long n = bench_scale(argc, argv, 1000000);
	uint32_t *v = malloc((size_t)n * sizeof(*v));
	uint64_t sum = 0;

	for (int round = 0; round < 3; round++) {
		for (long i = 0; i < n; i++)
			v[i] = (uint32_t)bench_random();
		qsort(v, (size_t)n, sizeof(*v), compare);
		for (long i = 0; i < n; i += 97)
			sum = sum * 31 + v[i];
	}
	printf("%llu\n", (unsigned long long)sum);
	free(v);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* A binary search tree with malloc and free, deep recursion: calls, returns, small loads. */
#include "bench.h"

struct node {
	struct node *left, *right;
	uint64_t key;
};

static struct node *insert(struct node *t, uint64_t key)
{
	if (!t) {
		t = calloc(1, sizeof(*t));
		t->key = key;
	} else if (key < t->key) {
		t->left = insert(t->left, key);
	} else {
		t->right = insert(t->right, key);
	}
	return t;
}

static uint64_t fold(const struct node *t, int depth)
{
	return t ? t->key * (uint64_t)depth + fold(t->left, depth + 1) +
			       3 * fold(t->right, depth + 1)
		 : 1;
}

static void drop(struct node *t)
{
	if (!t)
		return;
	drop(t->left);
	drop(t->right);
	free(t);
}

static unsigned ackermann(unsigned m, unsigned n)
{
	return !m ? n + 1 : ackermann(m - 1, n ? ackermann(m, n - 1) : 1);
}

int main(int argc, char **argv)
{
	long n = bench_scale(argc, argv, 10);
	uint64_t sum = 0;

	for (long r = 0; r < n; r++) {
		struct node *t = NULL;

		for (int i = 0; i < 60000; i++)
			t = insert(t, bench_random());
		sum = sum * 31 + fold(t, 1) + ackermann(2, 900);
		drop(t);
	}
	printf("%llu\n", (unsigned long long)sum);
	return 0;
}

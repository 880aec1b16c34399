/* SPDX-License-Identifier: MIT */
/* Loads, stores, arrays and loops as compilers lay them out. */
#include <stddef.h>
#include <stdint.h>

struct node {
	struct node *next, *prev;
	int32_t key;
	uint16_t flags;
	uint8_t kind, level;
	int64_t value[4];
};

struct table {
	unsigned n, cap;
	struct node **slot;
	uint32_t count[16];
};

struct node *find(struct node *l, int key)
{
	while (l && l->key != key)
		l = l->next;
	return l;
}

void unlink_node(struct node *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
}

int64_t sum_values(const struct node *n)
{
	int64_t s = 0;

	for (int i = 0; i < 4; i++)
		s += n->value[i];
	return s;
}

void set_flag(struct node *n, unsigned bit)
{
	n->flags |= (uint16_t)(1u << bit);
	n->level++;
}

int test_flag(const struct node *n)
{
	return n->flags & 0x40 ? n->kind : n->level - 1;
}

void count_key(struct table *t, int key)
{
	t->count[key & 15]++;
	t->n += 2;
}

struct node *lookup(const struct table *t, uint32_t hash)
{
	return t->slot[(hash ^ hash >> 16) % t->cap];
}

void insertion_sort(int *a, int n)
{
	for (int i = 1; i < n; i++) {
		int v = a[i], j = i;

		for (; j > 0 && a[j - 1] > v; j--)
			a[j] = a[j - 1];
		a[j] = v;
	}
}

size_t length(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return (size_t)(p - s);
}

int compare(const unsigned char *a, const unsigned char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (*a != *b)
			return *a < *b ? -1 : 1;
	return 0;
}

void matrix(int32_t *c, const int32_t *a, const int32_t *b, int n)
{
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++) {
			int32_t s = 0;

			for (int k = 0; k < n; k++)
				s += a[i * n + k] * b[k * n + j];
			c[i * n + j] = s;
		}
}

unsigned parse_number(const char **p)
{
	unsigned v = 0;

	while (**p >= '0' && **p <= '9')
		v = v * 10 + (unsigned)(*(*p)++ - '0');
	return v;
}

uint32_t crc(uint32_t c, const uint8_t *p, size_t n, const uint32_t *t)
{
	while (n--)
		c = t[(c ^ *p++) & 0xff] ^ c >> 8;
	return c;
}

long fib(long n)
{
	long a = 0, b = 1;

	while (n-- > 0) {
		long t = a + b;

		a = b;
		b = t;
	}
	return a;
}

int64_t binary_search(const int64_t *a, int64_t n, int64_t key)
{
	int64_t lo = 0, hi = n;

	while (lo < hi) {
		int64_t mid = lo + (hi - lo) / 2;

		if (a[mid] < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

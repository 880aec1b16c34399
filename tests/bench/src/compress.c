/* SPDX-License-Identifier: MIT */
/* An LZ77 compressor with hash chains, and its decompressor: byte loads, short unpredictable loops.
 */
#include "bench.h"

#define WINDOW (1 << 15)
#define SIZE   (1 << 20)

static uint8_t in[SIZE], out[SIZE * 2], back[SIZE];
static int head[1 << 14], prev[WINDOW];

/* Words from a skewed vocabulary: compresses like text. */
static void make_input(void)
{
	char word[512][12];
	size_t n = 0;

	for (int i = 0; i < 512; i++) {
		int len = 2 + (int)(bench_random() % 9);

		for (int j = 0; j < len; j++)
			word[i][j] = (char)('a' + bench_random() % 26);
		word[i][len] = 0;
	}
	while (n < SIZE) {
		uint64_t r = bench_random();
		const char *w = word[(r % 512) * (r >> 32 & 511) / 512];

		while (*w && n < SIZE)
			in[n++] = (uint8_t)*w++;
		if (n < SIZE)
			in[n++] = ' ';
	}
}

static unsigned hash(const uint8_t *p)
{
	return ((p[0] | (unsigned)p[1] << 8 | (unsigned)p[2] << 16) * 2654435761u) >> 18;
}

static size_t deflate(void)
{
	size_t o = 0;
	int i = 0;

	memset(head, -1, sizeof(head));
	while (i < SIZE) {
		int best = 0, dist = 0;

		if (i + 3 < SIZE) {
			unsigned h = hash(in + i);
			int tries = 32;

			for (int p = head[h]; p >= 0 && i - p < WINDOW && tries--;
			     p = prev[p % WINDOW]) {
				int len = 0;

				while (len < 255 && i + len < SIZE && in[p + len] == in[i + len])
					len++;
				if (len > best) {
					best = len;
					dist = i - p;
				}
			}
			prev[i % WINDOW] = head[h];
			head[h] = i;
		}
		if (best < 4) {
			out[o++] = 0;
			out[o++] = in[i++];
		} else {
			out[o++] = (uint8_t)best;
			out[o++] = (uint8_t)dist;
			out[o++] = (uint8_t)(dist >> 8);
			i += best;
		}
	}
	return o;
}

static size_t inflate(size_t n)
{
	size_t i = 0, o = 0;

	while (i < n) {
		int len = out[i++];

		if (len == 0) {
			back[o++] = out[i++];
			continue;
		}
		size_t dist = out[i] | (size_t)out[i + 1] << 8;

		i += 2;
		for (; len; len--, o++)
			back[o] = back[o - dist];
	}
	return o;
}

int main(int argc, char **argv)
{
	long n = bench_scale(argc, argv, 12);
	uint64_t sum = 0;

	for (long r = 0; r < n; r++) {
		make_input();
		size_t c = deflate();

		for (int k = 0; k < 10; k++)
			sum = sum * 31 + c + inflate(c);
		sum += (uint64_t)memcmp(in, back, SIZE);
	}
	printf("%llu\n", (unsigned long long)sum);
	return 0;
}

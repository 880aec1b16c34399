/* SPDX-License-Identifier: MIT */
/* SHA-256 in plain C (FIPS 180-4): long blocks of rotates and adds. */
#include "bench.h"

static uint32_t k[64], h[8];

static uint32_t ror(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

/* First 32 bits of the fractional parts of square (root 2) and cube roots of the primes, by integer
 * search. */
static uint32_t root_fraction(unsigned prime, int root)
{
	uint64_t lo = 0, hi = 1ull << 36;

	/* largest x with (x / 2^32)^root <= prime */
	while (lo + 1 < hi) {
		uint64_t mid = (lo + hi) / 2;
		__uint128_t p = (__uint128_t)mid * mid;

		p = root == 3 ? (p >> 32) * mid : p;
		if (p >> 64 >= prime)
			hi = mid;
		else
			lo = mid;
	}
	return (uint32_t)lo;
}

static void init(void)
{
	unsigned n = 0;

	for (unsigned p = 2; n < 64; p++) {
		unsigned d = 2;

		while (d * d <= p && p % d)
			d++;
		if (d * d <= p)
			continue;
		if (n < 8)
			h[n] = root_fraction(p, 2);
		k[n++] = root_fraction(p, 3);
	}
}

static void block(const uint8_t *in)
{
	uint32_t w[64], s[8];

	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)in[4 * i] << 24 | (uint32_t)in[4 * i + 1] << 16 |
		       (uint32_t)in[4 * i + 2] << 8 | in[4 * i + 3];
	for (int i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + w[i - 7] + (ror(a, 7) ^ ror(a, 18) ^ a >> 3) +
		       (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
	}
	memcpy(s, h, sizeof(s));
	for (int i = 0; i < 64; i++) {
		uint32_t e = s[4], a = s[0];
		uint32_t t1 = s[7] + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) +
			      ((e & s[5]) ^ (~e & s[6])) + k[i] + w[i];
		uint32_t t2 = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) +
			      ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));

		memmove(s + 1, s, 7 * sizeof(*s));
		s[4] += t1;
		s[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		h[i] += s[i];
}

int main(int argc, char **argv)
{
	long n = bench_scale(argc, argv, 600000);
	uint8_t buf[64];

	init();
	for (long i = 0; i < n; i++) {
		memset(buf, (int)(i & 255), sizeof(buf));
		block(buf);
	}
	for (int i = 0; i < 8; i++)
		printf("%08x", h[i]);
	printf("\n");
	return 0;
}

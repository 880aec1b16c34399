/* SPDX-License-Identifier: MIT */
/* Small functions over bits, fields and constants: what compilers have idioms for. */
#include <stdint.h>

uint32_t field_get(uint32_t v, unsigned lo)
{
	return (v >> lo) & 0xff;
}

uint32_t opcode(uint32_t v)
{
	return (v >> 21) & 0x3f;
}

uint64_t field_set(uint64_t v, uint64_t f)
{
	return (v & ~(0xfffull << 20)) | (f & 0xfff) << 20;
}

int is_pow2(uint64_t v)
{
	return v && !(v & (v - 1));
}

uint32_t round_up(uint32_t v, uint32_t to)
{
	return (v + to - 1) & ~(to - 1);
}

uint32_t div10(uint32_t v)
{
	return v / 10;
}

int32_t mod7(int32_t v)
{
	return v % 7;
}

uint64_t div1000(uint64_t v)
{
	return v / 1000;
}

uint32_t popcount(uint32_t v)
{
	v = v - ((v >> 1) & 0x55555555);
	v = (v & 0x33333333) + ((v >> 2) & 0x33333333);
	v = (v + (v >> 4)) & 0x0f0f0f0f;
	return (v * 0x01010101) >> 24;
}

uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint32_t fnv(const uint8_t *p, unsigned n)
{
	uint32_t h = 2166136261u;

	while (n--)
		h = (h ^ *p++) * 16777619u;
	return h;
}

uint32_t bswap_by_hand(uint32_t v)
{
	return v >> 24 | (v >> 8 & 0xff00) | (v << 8 & 0xff0000) | v << 24;
}

int sign(int v)
{
	return v > 0 ? 1 : v < 0 ? -1 : 0;
}

unsigned clamp(int v)
{
	return v < 0 ? 0 : v > 255 ? 255 : (unsigned)v;
}

int absdiff(int a, int b)
{
	return a > b ? a - b : b - a;
}

int in_range(unsigned c)
{
	return c - 'a' < 26 || c - 'A' < 26 || c - '0' < 10 || c == '_';
}

uint64_t average(uint64_t a, uint64_t b)
{
	return (a & b) + ((a ^ b) >> 1);
}

uint32_t gray(uint32_t v)
{
	return v ^ v >> 1;
}

uint32_t rotl(uint32_t v, unsigned n)
{
	return v << (n & 31) | v >> (-n & 31);
}

/* What the compilers have instructions for. */
unsigned trailing(uint32_t v)
{
	return v ? (unsigned)__builtin_ctz(v) : 32;
}

unsigned trailing64(uint64_t v)
{
	return (unsigned)__builtin_ctzll(v);
}

uint64_t gcd(uint64_t a, uint64_t b)
{
	int k = __builtin_ctzll(a | b);

	for (a >>= __builtin_ctzll(a); b; b -= a) {
		b >>= __builtin_ctzll(b);
		if (a > b) {
			uint64_t t = a;

			a = b;
			b = t;
		}
	}
	return a << k;
}

unsigned bits_list(uint64_t set, uint8_t *out)
{
	unsigned n = 0;

	for (; set; set &= set - 1)
		out[n++] = (uint8_t)__builtin_ctzll(set);
	return n;
}

/* One limb times another, as mpn libraries write it. */
uint64_t umul_high(uint64_t u, uint64_t v, uint64_t *low)
{
	uint64_t ul = (uint32_t)u, uh = u >> 32, vl = (uint32_t)v, vh = v >> 32;
	uint64_t x0 = ul * vl, x1 = ul * vh, x2 = uh * vl, x3 = uh * vh;

	x1 += x0 >> 32;
	x1 += x2;
	if (x1 < x2)
		x3 += 1ull << 32;
	*low = (x1 << 32) + (uint32_t)x0;
	return x3 + (x1 >> 32);
}

uint64_t mul_add_limbs(uint64_t *res, const uint64_t *s, long n, uint64_t limb)
{
	uint64_t carry = 0, low;

	for (long j = -n; j; j++) {
		uint64_t high = umul_high(s[n + j], limb, &low);

		low += carry;
		carry = (low < carry) + high;
		low += res[n + j];
		carry += low < res[n + j];
		res[n + j] = low;
	}
	return carry;
}

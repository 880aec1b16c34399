// SPDX-License-Identifier: MIT
/*
 * AdvSIMD helpers: AES, SHA-1, SHA-256, SHA-512, SHA-3. AES works out its S-box by field
 * arithmetic: this path is the oracle, the builders use AES-NI.
 */
#include "dbt/a64/helpers_simd.h"

static u8 gf_mul(u8 a, u8 b)
{
	u8 r = 0;

	for (; b; b >>= 1) {
		r ^= b & 1 ? a : 0;
		a = (u8)(a << 1 ^ (a & 0x80 ? 0x1b : 0));
	}
	return r;
}

static u8 gf_inverse(u8 x)
{
	u8 r = 1;

	for (unsigned i = 0; i < 254; i++)
		r = gf_mul(r, x);
	return r;
}

static u8 rol8(u8 x, unsigned n)
{
	return (u8)(x << n | x >> (8 - n));
}

static u8 sub_byte(u8 x, bool inverse)
{
	u8 b = x;

	if (inverse)
		return gf_inverse(rol8(b, 1) ^ rol8(b, 3) ^ rol8(b, 6) ^ 0x05);
	b = gf_inverse(x);
	return b ^ rol8(b, 1) ^ rol8(b, 2) ^ rol8(b, 3) ^ rol8(b, 4) ^ 0x63;
}

static void mix_columns(const u8 *in, u8 *out, bool inverse)
{
	static const u8 coef[2][4] = {{2, 3, 1, 1}, {14, 11, 13, 9}};

	for (unsigned c = 0; c < 16; c++) {
		u8 r = 0;

		for (unsigned k = 0; k < 4; k++)
			r ^= gf_mul(in[(c & ~3u) + k], coef[inverse][(k - c) & 3]);
		out[c] = r;
	}
}

int helper_simd_aes(struct dbt_vcpu *cpu, u32 raw)
{
	const u8 *n = cpu->v[SIMD_RN(raw)], *old = cpu->v[SIMD_RD(raw)];
	unsigned op = raw >> 12 & 31;
	bool inv = op & 1;
	u8 d[16];

	if (op < 4 || op > 7 || SIMD_SZ(raw))
		return simd_undef(cpu);
	if (op & 2) {
		mix_columns(n, d, inv);
		return simd_finish(cpu, raw, d, false);
	}
	for (unsigned i = 0; i < 16; i++) {
		unsigned from = (inv ? i - 4 * (i & 3) : i + 4 * (i & 3)) & 15;

		d[i] = sub_byte(n[from] ^ old[from], inv);
	}
	return simd_finish(cpu, raw, d, false);
}

static u32 ror32(u32 x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static u64 ror64(u64 x, unsigned n)
{
	return n ? x >> n | x << (64 - n) : x;
}

static u64 choose(u64 x, u64 y, u64 z)
{
	return ((y ^ z) & x) ^ z;
}

static u64 majority(u64 x, u64 y, u64 z)
{
	return (x & y) | ((x | y) & z);
}

static void get4(const u8 *v, u32 *w)
{
	memcpy(w, v, 16);
}

/* SHA1C, SHA1P, SHA1M: four rounds; kind 0..2. */
static void sha1_rounds(u32 *x, u32 y, const u32 *w, unsigned kind)
{
	for (unsigned e = 0; e < 4; e++) {
		u32 b = x[1], c = x[2], d = x[3], f = b ^ c ^ d;

		if (kind == 0)
			f = (u32)choose(b, c, d);
		else if (kind == 2)
			f = (u32)majority(b, c, d);
		y += ror32(x[0], 27) + f + w[e];
		/* <Y:X> rotates left by a word after b is rotated by 30. */
		x[3] = c;
		x[2] = ror32(b, 2);
		x[1] = x[0];
		x[0] = y;
		y = d;
	}
}

static void sha256_rounds(u32 *x, u32 *y, const u32 *w)
{
	for (unsigned e = 0; e < 4; e++) {
		u32 t = y[3] + (ror32(y[0], 6) ^ ror32(y[0], 11) ^ ror32(y[0], 25)) +
			(u32)choose(y[0], y[1], y[2]) + w[e];
		u32 a = t + (ror32(x[0], 2) ^ ror32(x[0], 13) ^ ror32(x[0], 22)) +
			(u32)majority(x[0], x[1], x[2]);
		u32 ne = x[3] + t;

		for (unsigned i = 3; i; i--) {
			x[i] = x[i - 1];
			y[i] = y[i - 1];
		}
		x[0] = a;
		y[0] = ne;
	}
}

static u32 sha256_s0(u32 x)
{
	return ror32(x, 7) ^ ror32(x, 18) ^ x >> 3;
}

static u32 sha256_s1(u32 x)
{
	return ror32(x, 17) ^ ror32(x, 19) ^ x >> 10;
}

/* Three registers: d, n, m in; result in d. */
static bool sha_three(unsigned op, u32 *d, u32 *n, const u32 *m)
{
	u32 t[4] = {d[0], d[1], d[2], d[3]};

	switch (op) {
	case 0:
	case 1:
	case 2: sha1_rounds(d, n[0], m, op); break;
	case 3: /* SHA1SU0 */
		for (unsigned i = 0; i < 4; i++)
			d[i] = t[i] ^ (i < 2 ? t[i + 2] : n[i - 2]) ^ m[i];
		break;
	case 4: sha256_rounds(d, n, m); break;
	case 5: /* SHA256H2: X is n, Y is d */ sha256_rounds(n, d, m); break;
	case 6: /* SHA256SU1 */
		for (unsigned i = 0; i < 4; i++) {
			u32 two = i < 2 ? m[i + 2] : d[i - 2];

			d[i] = t[i] + sha256_s1(two) + (i < 3 ? n[i + 1] : m[0]);
		}
		break;
	default: return false;
	}
	return true;
}

static bool sha_two(unsigned op, u32 *d, const u32 *n)
{
	u32 t[4] = {d[0], d[1], d[2], d[3]};

	switch (op) {
	case 0: /* SHA1H */
		d[0] = ror32(n[0], 2);
		d[1] = d[2] = d[3] = 0;
		break;
	case 1: /* SHA1SU1 */
		for (unsigned i = 0; i < 4; i++)
			d[i] = ror32(t[i] ^ (i < 3 ? n[i + 1] : 0), 31);
		d[3] ^= ror32(t[0] ^ n[1], 30);
		break;
	case 2: /* SHA256SU0 */
		for (unsigned i = 0; i < 4; i++)
			d[i] = t[i] + sha256_s0(i < 3 ? t[i + 1] : n[0]);
		break;
	default: return false;
	}
	return true;
}

int helper_simd_sha(struct dbt_vcpu *cpu, u32 raw)
{
	u32 d[4], n[4], m[4];
	bool ok;

	get4(cpu->v[SIMD_RD(raw)], d);
	get4(cpu->v[SIMD_RN(raw)], n);
	get4(cpu->v[SIMD_RM(raw)], m);
	if (raw >> 11 & 1)
		ok = sha_two(raw >> 12 & 31, d, n);
	else
		ok = sha_three(raw >> 12 & 7, d, n, m);
	if (!ok || SIMD_SZ(raw))
		return simd_undef(cpu);
	return simd_finish(cpu, raw, (u8 *)d, false);
}

static u64 sha512_S1(u64 x)
{
	return ror64(x, 14) ^ ror64(x, 18) ^ ror64(x, 41);
}

static u64 sha512_S0(u64 x)
{
	return ror64(x, 28) ^ ror64(x, 34) ^ ror64(x, 39);
}

/* x: first source, y: second, w: destination, as the manual names them. */
static bool sha512_three(unsigned op, u64 *w, const u64 *x, const u64 *y)
{
	u64 t;

	switch (op) {
	case 0: /* SHA512H */
		w[1] += sha512_S1(y[1]) + choose(y[1], x[0], x[1]);
		t = w[1] + y[0];
		w[0] += sha512_S1(t) + choose(t, y[1], x[0]);
		break;
	case 1: /* SHA512H2 */
		w[1] += sha512_S0(y[0]) + majority(x[0], y[1], y[0]);
		w[0] += sha512_S0(w[1]) + majority(w[1], y[0], y[1]);
		break;
	case 2: /* SHA512SU1 */
		for (unsigned i = 0; i < 2; i++)
			w[i] += (ror64(x[i], 19) ^ ror64(x[i], 61) ^ x[i] >> 6) + y[i];
		break;
	case 3: /* RAX1 */
		for (unsigned i = 0; i < 2; i++)
			w[i] = x[i] ^ ror64(y[i], 63);
		break;
	default: return false;
	}
	return true;
}

static void sha512_su0(u64 *w, const u64 *x)
{
	u64 next[2] = {w[1], x[0]};

	for (unsigned i = 0; i < 2; i++)
		w[i] += ror64(next[i], 1) ^ ror64(next[i], 8) ^ next[i] >> 7;
}

int helper_simd_sha512(struct dbt_vcpu *cpu, u32 raw)
{
	unsigned top = raw >> 21 & 7, ra = raw >> 10 & 31;
	bool three = top == 3 && (raw >> 12 & 15) == 8;
	u64 d[2], n[2], m[2], a[2];

	memcpy(d, cpu->v[SIMD_RD(raw)], 16);
	memcpy(n, cpu->v[SIMD_RN(raw)], 16);
	memcpy(m, cpu->v[SIMD_RM(raw)], 16);
	memcpy(a, cpu->v[ra], 16);
	if (top == 4) { /* XAR */
		for (unsigned i = 0; i < 2; i++)
			d[i] = ror64(n[i] ^ m[i], raw >> 10 & 63);
	} else if (top < 2 && !(raw >> 15 & 1)) { /* EOR3, BCAX */
		for (unsigned i = 0; i < 2; i++)
			d[i] = n[i] ^ (top ? m[i] & ~a[i] : m[i] ^ a[i]);
	} else if ((raw & 0xfffffc00) == 0xcec08000) {
		sha512_su0(d, n);
	} else if (!three || !sha512_three(raw >> 10 & 3, d, n, m)) {
		return simd_undef(cpu);
	}
	return simd_finish(cpu, raw, (u8 *)d, false);
}

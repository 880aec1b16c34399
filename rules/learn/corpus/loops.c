/* SPDX-License-Identifier: MIT */
/*
 * For the learner: counted loops and scans whose flags are made before an access and read after it.
 * One line a loop, so that both compilers' code stands under the same line.
 */
#include <stddef.h>
#include <stdint.h>

#define LOOPS(T, n)                                                                                 \
	void fill_##n(T *p, T v, unsigned k) { do *p++ = v; while (--k); }                           \
	void copy_##n(T *p, const T *q, unsigned k) { do *p++ = *q++; while (--k); }                 \
	void down_##n(T *p, T v, long k) { do { k--; p[k] = v; } while (k); }                        \
	void step_##n(T *p, T v, long k, long s) { do { k -= s; *p = v; p += s; } while (k > 0); }   \
	void mark_##n(T *p, T *q, unsigned k) { do { --k; *p = 0; p += 3; *q++ = k; } while (k); }   \
	size_t scan_##n(const T *p, T v, size_t k) { const T *q = p; while (k-- && *q != v) q++; return q - p; } \
	T last_##n(const T *p, unsigned k) { T m; do { m = *p; p += 2; } while (--k); return m; }    \
	void put_##n(T *p, unsigned i, unsigned k, T v) { p[i] = v; if (i < k) p[k] = i; }           \
	T pick_##n(T *p, unsigned a, unsigned b, T v) { T r = p[2]; *p = v; return a < b ? r : v; }  \
	T swap_##n(T *p, T a, T b) { T r = *p; *p = a; return a == b ? r : b; }

LOOPS(uint8_t, b)
LOOPS(uint16_t, h)
LOOPS(uint32_t, w)
LOOPS(uint64_t, x)
LOOPS(int8_t, sb)
LOOPS(int32_t, sw)
LOOPS(int64_t, sx)

/* Multi-word arithmetic: carries kept as numbers. */
#define CARRY(T, n)                                                                                  \
	T addc_##n(T *r, const T *a, const T *b, long k) { T c = 0; do { T s = *a++ + c, t = s + *b++; c = (s < c) + (t < s); *r++ = t; } while (--k); return c; } \
	T subb_##n(T *r, const T *a, const T *b, long k) { T c = 0; do { T x = *a++, s = x - c, t = s - *b; c = (s > x) + (t > s); b++; *r++ = t; } while (--k); return c; }

CARRY(uint32_t, w)
CARRY(uint64_t, x)

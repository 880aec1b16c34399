/* SPDX-License-Identifier: MIT */
/*
 * Types every module shares. Guest addresses are structs so that the compiler refuses a mix-up
 * of guest-physical, guest-virtual and host addresses.
 */
#ifndef ARMATURE_TYPES_H
#define ARMATURE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
typedef unsigned __int128 u128;
typedef __int128 s128;

typedef struct {
	u64 v;
} gpa_t; /* guest physical */
typedef struct {
	u64 v;
} gva_t; /* guest virtual */

#define GPA(x) ((gpa_t){(u64)(x)})
#define GVA(x) ((gva_t){(u64)(x)})

#define ARRAY_SIZE(a)		      (sizeof(a) / sizeof((a)[0]))
#define BIT(n)			      (1ull << (n))
#define BITS(v, hi, lo)		      (((u64)(v) >> (lo)) & (~0ull >> (63 - ((hi) - (lo)))))
#define likely(x)		      __builtin_expect(!!(x), 1)
#define unlikely(x)		      __builtin_expect(!!(x), 0)
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))
#define ALIGN_UP(x, a)		      (((x) + ((a)-1)) & ~((__typeof__(x))(a)-1))
#define ALIGN_DOWN(x, a)	      ((x) & ~((__typeof__(x))(a)-1))
#define PRINTF_LIKE(f, a)	      __attribute__((format(printf, f, a)))

static inline s64 sext64(u64 v, unsigned bits)
{
	return (s64)(v << (64 - bits)) >> (64 - bits);
}

#endif

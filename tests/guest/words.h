/* SPDX-License-Identifier: MIT */
/* For test programs of one CPU: running given instruction words, and what exception came of it. */
#ifndef ARMATURE_TESTS_GUEST_WORDS_H
#define ARMATURE_TESTS_GUEST_WORDS_H

#include "tests/guest/guest.h"

enum {
	EC_UNDEF = 0x00,
	EC_BTI = 0x0d,
	EC_ILLEGAL = 0x0e,
	EC_SVC = 0x15,
	EC_SYSREG = 0x18,
	EC_IABT_EL0 = 0x20,
	EC_IABT = 0x21,
	EC_PC = 0x22,
	EC_DABT_EL0 = 0x24,
	EC_DABT = 0x25,
	EC_SP = 0x26,
	EC_BREAK = 0x31,
	EC_STEP = 0x33,
	EC_WATCH = 0x35,
	EC_BRK = 0x3c,
};
#define WNR    (1u << 6)
#define CM     (1u << 8)
#define TRANS  7u
#define ACCESS 0xbu
#define PERM   0xfu
#define ALIGN  0x21u
#define RET    0xd65f03c0u
#define NOP    0xd503201fu

static u64 resume; /* where to go on after an exception; 0: behind the instruction */

static u64 hook(u64 *regs, u64 elr, u64 esr, u64 far)
{
	regs[22] &= ~(1ull << 20 | 3 << 10); /* IL, BTYPE: what comes next is innocent */
	if (last.n > 100)
		return 0;
	return resume ? resume : elr + 4;
}

static unsigned ec(void)
{
	return last.n ? (unsigned)(last.esr >> 26) & 63 : ~0u;
}

static u32 iss(void)
{
	return (u32)last.esr & 0x1ffffff;
}

/* ---- running words ---- */

static u32 code[2048] __attribute__((aligned(8192)));
static u64 x[16];
void run_regs(u64 *regs, const u32 *at);
asm(".text\n"
    "run_regs:\n"
    "	stp	x29, x30, [sp, #-32]!\n"
    "	stp	x19, x20, [sp, #16]\n"
    "	mov	x19, x0\n"
    "	mov	x20, x1\n"
    "	ldp	x0, x1, [x19]\n"
    "	ldp	x2, x3, [x19, #16]\n"
    "	ldp	x4, x5, [x19, #32]\n"
    "	ldp	x6, x7, [x19, #48]\n"
    "	ldp	x8, x9, [x19, #64]\n"
    "	blr	x20\n"
    "	stp	x0, x1, [x19]\n"
    "	stp	x2, x3, [x19, #16]\n"
    "	stp	x4, x5, [x19, #32]\n"
    "	stp	x6, x7, [x19, #48]\n"
    "	stp	x8, x9, [x19, #64]\n"
    "	ldp	x19, x20, [sp, #16]\n"
    "	ldp	x29, x30, [sp], #32\n"
    "	ret\n");

static void code_sync(const void *p, size_t n)
{
	for (size_t i = 0; i < n; i += 4)
		asm volatile("dc cvau, %0; ic ivau, %0" ::"r"((u64)p + i) : "memory");
	asm volatile("dsb ish; isb" ::: "memory");
}

/* The words, then RET, at byte offset `off` of the code area; regs x0-x9 from and to x[]. */
static void run_at(unsigned off, const u32 *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		code[off / 4 + i] = w[i];
	code[off / 4 + n] = RET;
	code_sync(&code[off / 4], 4 * n + 4);
	last.n = 0;
	run_regs(x, &code[off / 4]);
}

static void run1(u32 w)
{
	run_at(0, &w, 1);
}

#endif

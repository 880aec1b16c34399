/* SPDX-License-Identifier: MIT */
/* Self-hosted debug at EL1 and from EL1 at EL0: breakpoints, watchpoints, software step (DDI 0487
 * D2). */
#include "tests/guest/guest.h"

enum {
	EC_STEP_LOWER = 0x32,
	EC_STEP = 0x33,
	EC_BREAK_LOWER = 0x30,
	EC_BREAK = 0x31,
	EC_WATCH = 0x35,
	EC_SVC = 0x15
};

#define MDSCR_SS  1ull
#define MDSCR_KDE (1ull << 13)
#define MDSCR_MDE (1ull << 15)
#define SPSR_SS	  (1ull << 21)
#define SAVED_PSR 22 /* of the frame sync_hook sees, in words */

#define CTRL_E	     1ull
#define CTRL_EL1     (1ull << 1)
#define CTRL_EL0     (2ull << 1)
#define BCR_ALL	     (0xfull << 5)
#define WCR_LOAD     (1ull << 3)
#define WCR_STORE    (2ull << 3)
#define WCR_BYTES(n) (((1ull << (n)) - 1) << 5)

static void debug_open(u64 bits)
{
	msr(oslar_el1, 0);
	msr(mdscr_el1, bits);
	isb();
	asm volatile("msr daifclr, #8; isb" ::: "memory");
}

static void debug_close(void)
{
	asm volatile("msr daifset, #8" ::: "memory");
	msr(mdscr_el1, 0);
	isb();
}

/* ---- breakpoints ---- */

#define BREAKPOINTS(X) X(0) X(1) X(2) X(3) X(4) X(5)

static void brp_set(unsigned n, u64 va, u64 control)
{
	switch (n) {
#define CASE(i)                                \
	case i:                                \
		msr(dbgbvr##i##_el1, va);      \
		msr(dbgbcr##i##_el1, control); \
		break;
		BREAKPOINTS(CASE)
#undef CASE
	}
	isb();
}

static struct {
	u64 at[64], far[64];
	u32 ec[64];
	unsigned n;
} hits;

/* Notes it and goes on behind the instruction. */
static u64 skip_hook(u64 *regs, u64 elr, u64 esr, u64 far)
{
	unsigned i = hits.n++ % 64;

	hits.at[i] = elr;
	hits.far[i] = far;
	hits.ec[i] = (u32)(esr >> 26);
	return elr + 4;
}

u64 targets(void);
asm(".text\n"
    "	.global targets, target0\n"
    "targets:\n"
    "	mov	x0, #0\n"
    "target0:\n"
    "	.rept	6\n"
    "	add	x0, x0, #1\n" /* skipped where a breakpoint is */
    "	.endr\n"
    "	ret\n");
extern const u32 target0[];

/* Each instruction unmasks what its own breakpoint's handler has masked: the next one is seen. */
void unmask_six(void);
asm(".text\n"
    "unmask_six:\n"
    "	.rept	6\n"
    "	msr	daifclr, #8\n"
    "	.endr\n"
    "	ret\n");

static u64 mask_hook(u64 *regs, u64 elr, u64 esr, u64 far)
{
	skip_hook(regs, elr, esr, far);
	regs[SAVED_PSR] |= 1u << 9; /* D */
	return elr;
}

static void test_unmasking(void)
{
	unsigned ok = 1;

	sync_hook = mask_hook;
	hits.n = 0;
	for (unsigned i = 0; i < 6; i++)
		brp_set(i, (u64)unmask_six + 4 * i, CTRL_E | CTRL_EL1 | BCR_ALL);
	debug_open(MDSCR_KDE | MDSCR_MDE);
	unmask_six();
	debug_close();
	for (unsigned i = 0; i < 6; i++) {
		ok &= hits.at[i] == (u64)unmask_six + 4 * i;
		brp_set(i, 0, 0);
	}
	result(ok && hits.n == 6, "breakpoints on six instructions that unmask them: %u hits",
	       (u64)hits.n);
	sync_hook = skip_hook;
}

static void test_breakpoints(void)
{
	unsigned count = (unsigned)(mrs(id_aa64dfr0_el1) >> 12 & 15) + 1;

	result(count == 6, "ID_AA64DFR0_EL1.BRPs: %u", (u64)count);
	sync_hook = skip_hook;
	for (unsigned set = 0; set < 64; set++) {
		unsigned want = 0, ok = 1;
		u64 got;

		hits.n = 0;
		for (unsigned i = 0; i < 6; i++)
			brp_set(i, (u64)&target0[i],
				set >> i & 1 ? CTRL_E | CTRL_EL1 | BCR_ALL : 0);
		debug_open(MDSCR_KDE | MDSCR_MDE);
		got = targets();
		debug_close();
		for (unsigned i = 0; i < 6; i++)
			if (set >> i & 1) {
				ok &= hits.at[want % 64] == (u64)&target0[i] &&
				      hits.ec[want % 64] == EC_BREAK;
				want++;
			}
		if (!ok || hits.n != want || got != 6 - want || set == 63) {
			result(ok && hits.n == want && got == 6 - want,
			       "breakpoints %x: %u hits, %u executed", (u64)set, (u64)hits.n, got);
			if (set != 63)
				break;
		}
	}
	test_unmasking();
	hits.n = 0;
	result(targets() == 6 && !hits.n, "none with MDE clear");
	debug_open(MDSCR_MDE);
	result(targets() == 6 && !hits.n, "none at EL1 with KDE clear");
	debug_close();
	debug_open(MDSCR_KDE | MDSCR_MDE);
	asm volatile("msr daifset, #8; isb" ::: "memory");
	result(targets() == 6 && !hits.n, "none with PSTATE.D set");
	debug_close();
	for (unsigned i = 0; i < 6; i++)
		brp_set(i, 0, 0);
}

/* ---- watchpoints ---- */

#define WATCHPOINTS(X) X(0) X(1) X(2) X(3)

static void wrp_set(unsigned n, u64 va, u64 control)
{
	switch (n) {
#define CASE(i)                                \
	case i:                                \
		msr(dbgwvr##i##_el1, va);      \
		msr(dbgwcr##i##_el1, control); \
		break;
		WATCHPOINTS(CASE)
#undef CASE
	}
	isb();
}

static u64 watched[512] __attribute__((aligned(4096)));

static u64 load(void *p)
{
	u64 v = 0;

	asm volatile("ldr %0, [%1]" : "+r"(v) : "r"(p) : "memory");
	return v;
}

static void store(void *p, u64 v)
{
	asm volatile("str %0, [%1]" ::"r"(v), "r"(p) : "memory");
}

static void test_watchpoints(void)
{
	static const struct {
		const char *name;
		u64 control;
		bool load, store;
	} kind[] = {{"loads", WCR_LOAD, true, false},
		    {"stores", WCR_STORE, false, true},
		    {"both", WCR_LOAD | WCR_STORE, true, true}};
	unsigned count = (unsigned)(mrs(id_aa64dfr0_el1) >> 20 & 15) + 1;

	result(count == 4, "ID_AA64DFR0_EL1.WRPs: %u", (u64)count);
	sync_hook = skip_hook;
	for (unsigned n = 0; n < 4; n++)
		for (unsigned k = 0; k < ARRAY_SIZE(kind); k++) {
			u64 *p = &watched[10 * n + 7];
			bool ok;

			*p = 5;
			hits.n = 0;
			wrp_set(n, (u64)p, CTRL_E | CTRL_EL1 | kind[k].control | WCR_BYTES(8));
			debug_open(MDSCR_KDE | MDSCR_MDE);
			load(p + 1);
			store(p - 1, 1);
			ok = !hits.n;
			ok &= load(p) == (kind[k].load ? 0 : 5) && hits.n == kind[k].load;
			store((u8 *)p + 4, 7);
			ok &= hits.n == (unsigned)kind[k].load + kind[k].store;
			debug_close();
			ok &= hits.ec[0] == EC_WATCH && hits.far[hits.n - 1] - (u64)p < 8;
			wrp_set(n, 0, 0);
			hits.n = 0;
			ok &= load(p) == (kind[k].store ? 5 : 5 | 7ull << 32) && !hits.n;
			result(ok, "watchpoint %u, %s", (u64)n, kind[k].name);
		}
}

static void test_watch_forms(void)
{
	u64 *p = &watched[64], base, x, y;
	unsigned done = 0;

	sync_hook = skip_hook;
	hits.n = 0;
	wrp_set(1, (u64)p, CTRL_E | CTRL_EL1 | WCR_LOAD | WCR_STORE | WCR_BYTES(8));
	debug_open(MDSCR_KDE | MDSCR_MDE);
#define FORM(text)                                                                                \
	base = (u64)p;                                                                            \
	asm volatile(text : "+r"(base), "=&r"(x), "=&r"(y)::"memory", "w9");                      \
	done++;                                                                                   \
	if (hits.n != done || base != (u64)p) {                                                   \
		debug_close();                                                                    \
		result(false, "%s: %u hits, base moved by %d", text, (u64)hits.n, base - (u64)p); \
		return;                                                                           \
	}
	FORM("ldp %1, %2, [%0]")
	FORM("ldp %1, %2, [%0, #-8]")
	FORM("stp xzr, xzr, [%0, #-8]!")
	FORM("str xzr, [%0], #8")
	FORM("ldrb %w1, [%0, #7]")
	FORM("ldur %1, [%0, #-1]")
	FORM("ldxr %1, [%0]")
	FORM("ldar %1, [%0]")
	FORM("stlr xzr, [%0]")
	FORM(".arch_extension lse\n\tldadd xzr, %1, [%0]")
	FORM("dc zva, %0")
	debug_close();
	wrp_set(1, 0, 0);
	result(true,
	       "watchpoint hit by %u forms of access, each of them before it changed anything",
	       (u64)done);
}

/* ---- software step ---- */

u64 stepped(u64 *p);
asm(".text\n"
    "	.global stepped, stepped_first, stepped_last\n"
    "stepped:\n"
    "	svc	#1\n" /* the hook sets SPSR.SS: one instruction from here */
    "stepped_first:\n"
    "	mov	x1, #5\n"
    "1:	ldr	x2, [x0]\n"
    "	add	x2, x2, #1\n"
    "	str	x2, [x0]\n"
    "	subs	x1, x1, #1\n"
    "	b.ne	1b\n"
    "	bl	2f\n"
    "	nop\n"
    "	svc	#2\n" /* the hook leaves SS clear */
    "stepped_last:\n"
    "	ret	x9\n"
    "2:	ret\n");
extern const u32 stepped_first[], stepped_last[];

static unsigned n_steps, n_bad;

static u64 step_hook(u64 *regs, u64 elr, u64 esr, u64 far)
{
	switch (esr >> 26) {
	case EC_SVC:
		if ((esr & 0xffff) == 1) {
			msr(mdscr_el1, MDSCR_KDE | MDSCR_SS);
			regs[SAVED_PSR] |= SPSR_SS;
		} else {
			msr(mdscr_el1, 0);
			n_bad += regs[SAVED_PSR] & SPSR_SS ? 1 : 0;
		}
		return elr;
	case EC_STEP:
		n_steps++;
		/* ISV, and EX clear */
		n_bad += (esr >> 24 & 1) != 1 || (esr >> 6 & 1) || (esr & 0x3f) != 0x22;
		n_bad += regs[SAVED_PSR] & SPSR_SS ? 1 : 0;
		regs[SAVED_PSR] |= SPSR_SS;
		return elr;
	default: return 0;
	}
}

static void test_step(void)
{
	u64 v = 10, again;

	sync_hook = step_hook;
	debug_open(MDSCR_KDE);
	asm volatile("mov x0, %0; adr x9, 3f; mov x10, x30; b stepped; 3: mov x30, x10" ::"r"(&v)
		     : "x0", "x1", "x2", "x9", "x10", "memory", "cc");
	debug_close();
	again = v;
	/* mov, five turns of five, bl, ret, nop; the svc is taken, not stepped over */
	result(n_steps == 1 + 25 + 3, "steps: %u", (u64)n_steps);
	result(again == 15 && !n_bad, "what was stepped did its work: %u; wrong syndromes: %u",
	       again, (u64)n_bad);
	/* Nothing is left behind. */
	n_steps = 0;
	store(&v, 1);
	result(load(&v) == 1 && !n_steps, "no step after");
}

int main(void)
{
	test_breakpoints();
	test_watchpoints();
	test_watch_forms();
	test_step();
	finish();
	return 0;
}

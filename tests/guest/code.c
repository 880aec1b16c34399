/* SPDX-License-Identifier: MIT */
/*
 * Code of one CPU that changes, moves and is interrupted: rewritten in every arrangement, chained
 * across pages that are mapped elsewhere, its permissions taken away, an interrupt at each of its
 * instructions.
 */
#include "tests/guest/guest.h"

#define NOP	    0xd503201fu
#define RET	    0xd65f03c0u
#define DAIFCLR_2   0xd50342ffu
#define MOV_W0(n)   (0x52800000u | (u32)(n) << 5)
#define ADD_X0(n)   (0x91000000u | (u32)(n) << 10)
#define B(from, to) (0x14000000u | ((u32)((to) - (from)) / 4 & 0x3ffffff))

#define EC_IABT 0x21
#define TRANS	7
#define PERM	0xf

typedef u64 code_fn(u64 x0, u64 x1, u64 x2);

static u32 text[4][PAGE / 4] __attribute__((aligned(PAGE)));

static void sync_at(u64 va, u64 bytes)
{
	for (u64 a = va & ~63ull; a < va + bytes; a += 64)
		asm volatile("dc cvau, %0; dsb ish; ic ivau, %0" ::"r"(a) : "memory");
	asm volatile("dsb ish; isb" ::: "memory");
}

static void map(unsigned slot, const void *page, u64 bits)
{
	u64 va = HIGH_BASE + slot * PAGE;

	pte_set(&high_ptes[slot], page ? (u64)page | PTE_PAGE | PTE_NORMAL | bits : 0);
	asm volatile("tlbi vae1is, %0; dsb ish; isb" ::"r"(va >> 12 & 0xfffffffffffull) : "memory");
}

static u64 call(u64 va, u64 x0, u64 x1, u64 x2)
{
	return ((code_fn *)va)(x0, x1, x2);
}

/* ---- rewriting ---- */

/* Each way the page can be run at, written by and synchronised by. */
static void test_aliases(void)
{
	u64 va[4] = {(u64)text[0], HIGH_BASE + 100 * PAGE, HIGH_BASE + 101 * PAGE,
		     HIGH_BASE + 300 * PAGE};
	unsigned bad = 0;
	u32 n = 1;

	map(100, text[0], 0);
	map(101, text[0], 0);
	map(300, text[0], 0);
	text[0][1] = text[0][9] = RET;
	for (unsigned w = 0; w < 4; w++)
		for (unsigned ic = 0; ic < 4; ic++)
			for (unsigned turn = 0; turn < 3; turn++, n++) {
				*(volatile u32 *)va[w] = MOV_W0(n);
				*(volatile u32 *)(va[w] + 32) = MOV_W0(n + 7);
				sync_at(va[ic], 64);
				for (unsigned x = 0; x < 4; x++)
					for (unsigned again = 0; again < 2; again++)
						bad += call(va[x], 0, 0, 0) != n ||
						       call(va[x] + 32, 0, 0, 0) != n + 7;
			}
	result(!bad, "rewritten, run and synchronised by four mappings of a page");
}

/*
 * Code that rewrites itself: the word to write, where (from the start), what is synchronised; then
 * it runs on into what it has written.
 */
void rewrite(void);
extern const u32 rewrite_end[];
asm(".text\n"
    "rewrite:\n"
    "	str	w0, [x1]\n"
    "	dc	cvau, x1\n"
    "	dsb	ish\n"
    "	ic	ivau, x1\n"
    "	dsb	ish\n"
    "	isb\n"
    "rewrite_end:\n");

static void copy(u32 *to, const void *from, const u32 *end)
{
	for (const u32 *p = from; p < end; p++)
		*to++ = *p;
}

static void test_itself(void)
{
	const unsigned len = (unsigned)(rewrite_end - (const u32 *)rewrite);
	unsigned bad = 0;
	u32 *p = text[0];

	for (unsigned i = 0; i < PAGE / 4; i++)
		p[i] = NOP;
	copy(p + 16, rewrite, rewrite_end);
	p[16 + len + 9] = RET;
	sync_at((u64)p, PAGE);
	for (u32 n = 1; n < 60; n++) { /* the next instruction, and up to eight further on */
		unsigned at = 16 + len + n % 9;

		for (unsigned i = 0; i < 9; i++)
			p[16 + len + i] = NOP;
		sync_at((u64)&p[16 + len], 64);
		bad += call((u64)&p[16], MOV_W0(n), (u64)&p[at], 0) != n;
	}
	result(!bad, "code that rewrites what it is about to run");
	/* the same, but the word is in the next page, which the block falls into; and in the last
	 */
	for (u32 n = 1; n < 20; n++) {
		u32 *q = text[1] - len;

		copy(q, rewrite, rewrite_end);
		text[1][0] = MOV_W0(0);
		text[1][1] = RET;
		sync_at((u64)q, 4 * len + 8);
		bad += call((u64)q, MOV_W0(n), (u64)text[1], 0) != n;
	}
	for (u32 n = 1; n < 20; n++) {
		copy(text[1], rewrite, rewrite_end);
		text[1][len] = B((u64)&text[1][len], (u64)&text[0][1000]);
		text[0][1000] = MOV_W0(0);
		text[0][1001] = RET;
		sync_at((u64)text[1], 64);
		sync_at((u64)&text[0][1000], 8);
		bad += call((u64)text[1], MOV_W0(n), (u64)&text[0][1000], 0) != n;
	}
	result(!bad, "... in the next page and in the last");
	/* a loop that changes its own body, each time round */
	copy(p, rewrite, rewrite_end);
	p[len] = ADD_X0(0);	 /* mov x0, x0 ... becomes add x3, x3, x2 or sub */
	p[len + 1] = 0xf1000442; /* subs x2, x2, #1 */
	p[len + 2] = 0x4a050000; /* eor w0, w0, w5: the other word */
	p[len + 3] = 0x54000001u | ((u32) - (s32)(len + 3) & 0x7ffff) << 5; /* b.ne p */
	p[len + 4] = 0xaa0303e0;					    /* mov x0, x3 */
	p[len + 5] = RET;
	sync_at((u64)p, 64);
	{
		const u32 up = 0x91000463, /* add x3, x3, #1 */
			down = 0xd1000c63; /* sub x3, x3, #3 */
		register u64 x0 asm("x0") = up, x1 asm("x1") = (u64)&p[len], x2 asm("x2") = 1000,
				x3 asm("x3") = 5000, x5 asm("x5") = up ^ down,
				fn asm("x9") = (u64)p;

		asm volatile("blr %[fn]"
			     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x5)
			     : [fn] "r"(fn)
			     : "x30", "memory", "cc");
		result(x0 == 5000 + 500 - 1500, "a loop that rewrites its body each time: %u", x0);
	}
}

/* ---- chains across pages ---- */

#define V0 (HIGH_BASE + 110 * PAGE)
#define V1 (HIGH_BASE + 111 * PAGE)

/* A fetch fault: back to who called last. */
static u64 fetch_hook(u64 *regs, u64 elr, u64 esr, u64 far)
{
	return elr >= V0 && elr < V1 + PAGE && last.n < 1000 ? regs[20] : 0;
}

/* In V0; `to` is where in V1 it goes. x2: turns of the loop. */
static const struct chain {
	const char *name;
	u32 at, to;
	u32 code[6];
	u64 before; /* what V0's part adds, without a V1 to go to; with it, V1's comes on top */
	u64 after;
} chains[] = {
	{"falls into it", PAGE - 4, 0, {ADD_X0(1)}, 1, 0},
	{"b", 0x800, 0x100, {ADD_X0(1), 0x14000000}, 1, 0},
	{"b.eq taken", 0x820, 0x100, {ADD_X0(1), 0xf100003f, 0x54000000, RET}, 1, 0},
	{"cbnz", 0x840, 0x100, {ADD_X0(1), 0xb5000000, RET}, 1, 0},
	{"tbz", 0x850, 0x100, {ADD_X0(1), 0x36000001, RET}, 1, 0},
	{"bl", 0x860, 0x100, {0xf81f0ffe, 0x94000000, ADD_X0(1), 0xf84107fe, RET}, 1, 0},
	{"br", 0x880, 0x100, {ADD_X0(1), 0xd61f0060}, 1, 0},
	{"blr", 0x8a0, 0x100, {0xf81f0ffe, 0xd63f0060, ADD_X0(1), 0xf84107fe, RET}, 1, 0},
};

static void chain_write(const struct chain *c)
{
	u32 *p = &text[0][c->at / 4];

	for (unsigned i = 0; i < 6 && c->code[i]; i++) {
		u32 w = c->code[i];
		s32 off = (s32)(PAGE + c->to - (c->at + 4 * i)) / 4;

		if ((w & 0x7fffffff) == 0x14000000)
			w |= (u32)off & 0x3ffffff;
		else if (w == 0x54000000 || w == 0xb5000000)
			w |= ((u32)off & 0x7ffff) << 5;
		else if (w == 0x36000001)
			w |= ((u32)off & 0x3fff) << 5;
		p[i] = w;
	}
}

static u64 chain_run(const struct chain *c)
{
	register u64 x0 asm("x0") = 0, x1 asm("x1") = 0, x3 asm("x3") = V1 + c->to,
			fn asm("x9") = V0 + c->at;

	asm volatile("blr %[fn]"
		     : "+r"(x0), "+r"(x1), "+r"(x3)
		     : [fn] "r"(fn)
		     : "x2", "x30", "memory", "cc");
	return x0;
}

static void test_chains(void)
{
	static const struct {
		u64 bits;
		bool there;
		u32 fsc;
	} no[] = {{0, false, TRANS}, {PTE_PXN, true, PERM}};

	sync_hook = fetch_hook;
	for (unsigned page = 1; page < 3; page++)
		for (unsigned i = 0; i < 2; i++) {
			text[page][i * 0x40] = ADD_X0(page * 0x10);
			text[page][i * 0x40 + 1] = RET;
		}
	for (unsigned i = 0; i < ARRAY_SIZE(chains); i++)
		chain_write(&chains[i]);
	sync_at((u64)text, 3 * PAGE);
	map(110, text[0], PTE_RO);
	for (unsigned i = 0; i < ARRAY_SIZE(chains); i++) {
		const struct chain *c = &chains[i];
		unsigned bad = 0;

		for (unsigned turn = 0; turn < 12; turn++) {
			unsigned page = 1 + (turn / 2 & 1), k = turn & 1;

			map(111, text[page], PTE_RO);
			last.n = 0;
			for (unsigned again = 0; again < 3; again++)
				bad += chain_run(c) != page * 0x10 + 1 || last.n;
			map(111, no[k].there ? text[page] : NULL, no[k].bits);
			for (unsigned again = 0; again < 2; again++) {
				last.n = 0;
				bad += chain_run(c) != 1 || last.n != 1 ||
				       last.esr >> 26 != EC_IABT ||
				       (last.esr & 0x3f) != no[k].fsc || last.far != V1 + c->to ||
				       last.elr != last.far;
			}
		}
		result(!bad, "%s: the page behind it mapped elsewhere, not at all, not executable",
		       c->name);
	}
	sync_hook = NULL;
}

/* A loop over two pages, whose second half is another each time. */
static void test_cross_loop(void)
{
	unsigned bad = 0;
	u32 *p = &text[0][0x200];

	p[0] = ADD_X0(1);
	p[1] = B(0x804, PAGE + 0x200);
	for (unsigned page = 1; page < 3; page++) {
		u32 *q = &text[page][0x80];

		q[0] = ADD_X0(page * 0x1);
		q[1] = 0xf1000442; /* subs x2, x2, #1 */
		q[2] = 0x54000001u | ((u32)((0x800 - (s32)(PAGE + 0x208)) / 4) & 0x7ffff) << 5;
		q[3] = RET;
	}
	sync_at((u64)text, 3 * PAGE);
	for (unsigned turn = 0; turn < 20; turn++) {
		unsigned page = 1 + turn % 2;

		map(111, text[page], PTE_RO);
		bad += call(V0 + 0x800, 0, 0, 5000) != 5000 * (1 + page);
	}
	result(!bad, "a loop over two pages, the second mapped elsewhere each time");
}

/* ---- an interrupt at each instruction ---- */

extern const u32 piece[], piece_end[];
asm(".text\n"
    ".arch armv8.1-a+lse\n"
    "piece:\n" /* x0: memory; x1-x15 */
    "	add	x1, x1, #1\n"
    "	adds	x2, x2, x1\n"
    "	adc	x3, x3, x2\n"
    "	ldr	x4, [x0, #8]\n"
    "	str	x3, [x0], #16\n"
    "	stp	x1, x2, [x0, #16]!\n"
    "	ldp	x5, x6, [x0]\n"
    "	cmp	x5, x3\n"
    "	csel	x7, x5, x3, lo\n"
    "	ldrb	w8, [x0, #1]\n"
    "	eor	x9, x8, x7, ror #7\n"
    "	subs	x9, x9, x6\n"
    "	ldr	x10, [x0, #-16]\n" /* flags over an access */
    "	cset	w11, mi\n"
    "	mul	x10, x9, x5\n"
    "	ands	x12, x10, x9\n"
    "	ccmp	x12, #5, #2, ne\n"
    "	csinc	x13, x12, x1, ge\n"
    "	ldadd	x1, x14, [x0]\n"
    "	ldxr	x15, [x0]\n"
    "	clrex\n"
    "	str	q0, [x0, #16]\n"
    "	negs	x2, x13\n"
    "	ngcs	x3, x3\n"
    "	ldr	x4, [x0, #-8]!\n"
    "	udiv	x5, x4, x1\n"
    "	msub	x6, x5, x1, x4\n"
    "	fcmp	d0, #0.0\n"
    "	csneg	x7, x6, x5, vs\n"
    "	strh	w7, [x0, #1]\n"
    "	ldursw	x8, [x0, #3]\n"
    "	bfi	x8, x7, #5, #9\n"
    "	adds	w9, w8, w7, lsl #2\n"
    "	stp	w8, w9, [x0], #8\n"
    "	casal	x9, x1, [x0]\n"
    "	sbfx	x10, x9, #3, #20\n"
    "	tst	x10, #0xff\n"
    "piece_end:\n"
    ".arch armv8-a\n");

struct state {
	u64 x[16], nzcv;
};
static struct {
	struct state s;
	u64 elr;
	unsigned n;
} landed;

static u64 scratch[32] __attribute__((aligned(64)));

void state_run(struct state *s, const u32 *fn);
asm(".text\n"
    "state_run:\n"
    "	stp	x29, x30, [sp, #-32]!\n"
    "	str	x0, [sp, #16]\n"
    "	mov	x17, x1\n"
    "	ldr	x16, [x0, #128]\n"
    "	msr	nzcv, x16\n"
    "	mov	x16, x0\n"
    "	ldp	x0, x1, [x16]\n"
    "	ldp	x2, x3, [x16, #16]\n"
    "	ldp	x4, x5, [x16, #32]\n"
    "	ldp	x6, x7, [x16, #48]\n"
    "	ldp	x8, x9, [x16, #64]\n"
    "	ldp	x10, x11, [x16, #80]\n"
    "	ldp	x12, x13, [x16, #96]\n"
    "	ldp	x14, x15, [x16, #112]\n"
    "	blr	x17\n"
    "	ldr	x16, [sp, #16]\n"
    "	stp	x0, x1, [x16]\n"
    "	stp	x2, x3, [x16, #16]\n"
    "	stp	x4, x5, [x16, #32]\n"
    "	stp	x6, x7, [x16, #48]\n"
    "	stp	x8, x9, [x16, #64]\n"
    "	stp	x10, x11, [x16, #80]\n"
    "	stp	x12, x13, [x16, #96]\n"
    "	stp	x14, x15, [x16, #112]\n"
    "	mrs	x17, nzcv\n"
    "	str	x17, [x16, #128]\n"
    "	ldp	x29, x30, [sp], #32\n"
    "	ret\n");

static void land(unsigned intid)
{
	landed.n++;
	landed.elr = irq_regs[21];
	for (unsigned i = 0; i < 16; i++)
		landed.s.x[i] = irq_regs[i];
	landed.s.nzcv = irq_regs[22] & 0xf0000000;
}

static struct state begin_state(void)
{
	struct state s = {.nzcv = 0x60000000};

	s.x[0] = (u64)&scratch[8];
	for (unsigned i = 1; i < 16; i++)
		s.x[i] = 0x123456789abcdefull * i;
	for (unsigned i = 0; i < 32; i++)
		scratch[i] = 0xfedcba9876543210ull ^ (u64)i << 40;
	return s;
}

static bool same(const struct state *a, const struct state *b)
{
	for (unsigned i = 0; i < 16; i++)
		if (a->x[i] != b->x[i])
			return false;
	return a->nzcv == b->nzcv;
}

static void test_landing(void)
{
	const unsigned n = (unsigned)(piece_end - piece);
	static struct state want[64];
	unsigned bad = 0, late = 0;
	u32 *p = text[0];

	irq_hook = land;
	gic_init_cpu();
	asm volatile("msr daifset, #2");
	for (unsigned k = 0; k <= n; k++) {
		copy(p, piece, piece + k);
		p[k] = RET;
		sync_at((u64)p, 4 * k + 4);
		want[k] = begin_state();
		state_run(&want[k], p);
	}
	for (unsigned k = 0; k <= n; k++) {
		struct state s = begin_state();
		unsigned at;

		copy(p, piece, piece + k);
		p[k] = DAIFCLR_2;
		copy(p + k + 1, piece + k, piece_end);
		p[n + 1] = RET;
		sync_at((u64)p, 4 * n + 8);
		landed.n = 0;
		gic_send_sgi(3, mpidr_of(0));
		state_run(&s, p);
		asm volatile("msr daifset, #2");
		at = (unsigned)(landed.elr - (u64)p) / 4;
		late += at != k + 1;
		if (landed.n != 1 || at <= k || at > n + 1 || !same(&landed.s, &want[at - 1]) ||
		    !same(&s, &want[n])) {
			print("# unmasked at %u: %u interrupts, at %u, nzcv %x, wanted %x\n",
			      (u64)k, (u64)landed.n, (u64)at, landed.s.nzcv,
			      at && at <= n + 1 ? want[at - 1].nzcv : 0);
			bad++;
		}
	}
	result(!bad, "an interrupt at each of %u instructions: registers, flags, result", (u64)n);
	print("# %u later than the next instruction\n", (u64)late);
	irq_hook = NULL;
}

int main(void);
int main(void)
{
	test_aliases();
	test_itself();
	test_chains();
	test_cross_loop();
	test_landing();
	finish();
	return 0;
}

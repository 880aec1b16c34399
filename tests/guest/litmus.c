/* SPDX-License-Identifier: MIT */
/*
 * Litmus tests: outcomes the architecture forbids must not be seen, however often. Two to four CPUs
 * run a few instructions each on fresh variables, many times; tests marked "allowed" show that the
 * harness sees reordering at all. `runs=N` on the command line sets the number of runs, `threads=N`
 * leaves out the tests with fewer CPUs.
 */
#include "tests/guest/guest.h"

#define BATCH 512
#define LINE  16 /* words of 8 bytes: two lines, for the adjacent-line prefetcher */

static struct instance {
	u64 x[LINE], y[LINE];
	u64 r[4][LINE];
} inst[BATCH] __attribute__((aligned(128)));

typedef void (*thread_fn)(u64 *x, u64 *y, u64 *r);

/* %0, %1: results; %2 = x, %3 = y, %4 = 1, %5 = 2; x8 to x10 free. */
#define THREAD(name, body)                                          \
	static void name(u64 *x, u64 *y, u64 *r)                    \
	{                                                           \
		u64 a = 0, b = 0;                                   \
                                                                    \
		asm volatile(".arch armv8.4-a\n" body               \
			     : "=&r"(a), "=&r"(b)                   \
			     : "r"(x), "r"(y), "r"(1ull), "r"(2ull) \
			     : "memory", "x8", "x9", "x10", "cc");  \
		r[0] = a;                                           \
		r[1] = b;                                           \
	}

#define DMB		 "dmb ish\n"
#define DSB		 "dsb ish\n"
#define DMBST		 "dmb ishst\n"
#define DMBLD		 "dmb ishld\n"
#define STLXR(val, addr) "1: ldxr x9, [" addr "]; stlxr w10, " val ", [" addr "]; cbnz w10, 1b\n"

/* writers: x = 1, then y = 1 */
THREAD(w_dmb, "str %4, [%2]\n" DMB "str %4, [%3]")
THREAD(w_dmbst, "str %4, [%2]\n" DMBST "str %4, [%3]")
THREAD(w_stlr, "str %4, [%2]\nstlr %4, [%3]")
THREAD(w_stlur, "str %4, [%2]\nstlur %4, [%3]")
THREAD(w_swpl, "str %4, [%2]\nswpl %4, x8, [%3]")
THREAD(w_addl, "str %4, [%2]\nldaddl %4, x8, [%3]")
THREAD(w_casl, "str %4, [%2]\nmov x8, #0\ncasl x8, %4, [%3]")
THREAD(w_stlxr, "str %4, [%2]\n" STLXR("%4", "%3"))
/* readers: a = y, then b = x */
THREAD(r_dmb, "ldr %0, [%3]\n" DMB "ldr %1, [%2]")
THREAD(r_dmbld, "ldr %0, [%3]\n" DMBLD "ldr %1, [%2]")
THREAD(r_ldar, "ldar %0, [%3]\nldr %1, [%2]")
THREAD(r_ldapr, "ldapr %0, [%3]\nldr %1, [%2]")
THREAD(r_ldapur, "ldapur %0, [%3]\nldr %1, [%2]")
THREAD(r_ldaxr, "ldaxr %0, [%3]\nldr %1, [%2]")
THREAD(r_adda, "ldadda xzr, %0, [%3]\nldr %1, [%2]")
THREAD(r_addr, "ldr %0, [%3]\neor x8, %0, %0\nldr %1, [%2, x8]")
THREAD(r_isb, "ldr %0, [%3]\ncbz %0, 1f\n1: isb\nldr %1, [%2]")
/* x = 1, then a = y */
THREAD(sb_none, "str %4, [%2]\nldr %0, [%3]")
THREAD(sb_dmb, "str %4, [%2]\n" DMB "ldr %0, [%3]")
THREAD(sb_dsb, "str %4, [%2]\n" DSB "ldr %0, [%3]")
THREAD(sb_rel_acq, "stlr %4, [%2]\nldar %0, [%3]")
THREAD(sb_stlxr, STLXR("%4", "%2") "ldar %0, [%3]")
THREAD(sb_swpal, "swpal %4, x8, [%2]\nldar %0, [%3]")
THREAD(sb_addal, "ldaddal %4, x8, [%2]\nldar %0, [%3]")
THREAD(sb_casal, "mov x8, #0\ncasal x8, %4, [%2]\nldar %0, [%3]")
THREAD(sb_llsc, STLXR("%4", "%2") "ldaxr %0, [%3]")
THREAD(sb_rmw, "ldaddal %4, x8, [%2]\nldaddal xzr, %0, [%3]")
/* a = x, then y = 1 */
THREAD(lb_dmb, "ldr %0, [%2]\n" DMB "str %4, [%3]")
THREAD(lb_dmbld, "ldr %0, [%2]\n" DMBLD "str %4, [%3]")
THREAD(lb_ldar, "ldar %0, [%2]\nstr %4, [%3]")
THREAD(lb_ldapr, "ldapr %0, [%2]\nstr %4, [%3]")
THREAD(lb_ldaxr, "ldaxr %0, [%2]\nstr %4, [%3]")
THREAD(lb_adda, "ldadda xzr, %0, [%2]\nstr %4, [%3]")
THREAD(lb_swpl, "ldr %0, [%2]\nswpl %4, x8, [%3]")
THREAD(lb_stlxr, "ldr %0, [%2]\n" STLXR("%4", "%3"))
THREAD(lb_stlr, "ldr %0, [%2]\nstlr %4, [%3]")
THREAD(lb_data, "ldr %0, [%2]\neor x8, %0, %0\nadd x8, x8, #1\nstr x8, [%3]")
THREAD(lb_ctrl, "ldr %0, [%2]\ncbz %0, 1f\n1: str %4, [%3]")
/* x = 1, then y = 2 */
THREAD(ww_dmb, "str %4, [%2]\n" DMB "str %5, [%3]")
THREAD(ww_dmbst, "str %4, [%2]\n" DMBST "str %5, [%3]")
THREAD(ww_stlr, "str %4, [%2]\nstlr %5, [%3]")
THREAD(ww_swpl, "str %4, [%2]\nswpl %5, x8, [%3]")
THREAD(ww_addl, "str %4, [%2]\nldaddl %5, x8, [%3]")
THREAD(ww_stlxr, "str %4, [%2]\n" STLXR("%5", "%3"))
/* R: y = 2, then a = x. S: x = 2, then y = 1; a = y, then x = 1 */
THREAD(rr_dmb, "str %5, [%3]\n" DMB "ldr %0, [%2]")
THREAD(rr_rel_acq, "stlr %5, [%3]\nldar %0, [%2]")
THREAD(s_dmb, "str %5, [%2]\n" DMB "str %4, [%3]")
THREAD(s_stlr, "str %5, [%2]\nstlr %4, [%3]")
THREAD(s2_dmb, "ldr %0, [%3]\n" DMB "str %4, [%2]")
THREAD(s2_ldar, "ldar %0, [%3]\nstr %4, [%2]")
THREAD(s2_data, "ldr %0, [%3]\neor x8, %0, %0\nadd x8, x8, #1\nstr x8, [%2]")
/* single stores and double loads */
THREAD(one, "str %4, [%2]")
THREAD(one_rel, "stlr %4, [%2]")
THREAD(one_llsc, STLXR("%4", "%2"))
THREAD(one_swp, "swp %4, x8, [%2]")
THREAD(co_rr, "ldr %0, [%2]\nldr %1, [%2]")
THREAD(wrc_data, "ldr %0, [%2]\neor x8, %0, %0\nadd x8, x8, #1\nstr x8, [%3]")
THREAD(wrc_rel, "ldr %0, [%2]\nstlr %4, [%3]")
/* a = x, then b = y */
THREAD(i_dmb, "ldr %0, [%2]\n" DMB "ldr %1, [%3]")
THREAD(i_dmbld, "ldr %0, [%2]\n" DMBLD "ldr %1, [%3]")
THREAD(i_ldar, "ldar %0, [%2]\nldar %1, [%3]")
THREAD(i_ldapr, "ldapr %0, [%2]\nldapr %1, [%3]")
THREAD(i_ldaxr, "ldaxr %0, [%2]\nldaxr %1, [%3]")
THREAD(i_adda, "ldadda xzr, %0, [%2]\nldadda xzr, %1, [%3]")
THREAD(i_addr, "ldr %0, [%2]\neor x8, %0, %0\nldr %1, [%3, x8]")
/* 16-byte accesses of one pair of words: x[0] and x[1] */
THREAD(q_store, "dup v0.2d, %4\nstr q0, [%2]\nldr q0, [%2]")
THREAD(q_load, "ldr q0, [%2]\nfmov %0, d0\nmov %1, v0.d[1]")
THREAD(xp_store, "1: ldxp x8, x9, [%2]; stxp w10, %4, %4, [%2]; cbnz w10, 1b")
THREAD(xp_load, "1: ldxp %0, %1, [%2]; stxp w10, %0, %1, [%2]; cbnz w10, 1b")
THREAD(casp_load, "mov x8, #0\nmov x9, #0\nmov x10, #0\nmov x11, #0\ncaspal x8, x9, x10, x11, "
		  "[%2]\nmov %0, x8\nmov %1, x9")

static bool mp_bad(const struct instance *i)
{
	return i->r[1][0] == 1 && i->r[1][1] == 0;
}
static bool sb_bad(const struct instance *i)
{
	return i->r[0][0] == 0 && i->r[1][0] == 0;
}
static bool lb_bad(const struct instance *i)
{
	return i->r[0][0] == 1 && i->r[1][0] == 1;
}
static bool ww_bad(const struct instance *i)
{
	return i->x[0] == 1 && i->y[0] == 1;
}
static bool r_bad(const struct instance *i)
{
	return i->y[0] == 2 && i->r[1][0] == 0;
}
static bool s_bad(const struct instance *i)
{
	return i->x[0] == 2 && i->r[1][0] == 1;
}
static bool wrc_bad(const struct instance *i)
{
	return i->r[1][0] == 1 && i->r[2][0] == 1 && i->r[2][1] == 0;
}
static bool iriw_bad(const struct instance *i)
{
	return i->r[2][0] == 1 && i->r[2][1] == 0 && i->r[3][0] == 1 && i->r[3][1] == 0;
}
static bool pair_bad(const struct instance *i)
{
	return i->r[1][0] != i->r[1][1];
}

struct litmus {
	const char *name;
	unsigned n;
	thread_fn fn[4];
	u8 swap; /* threads that get x and y the other way round */
	bool (*bad)(const struct instance *);
	bool allowed;
};

#define MP(w, r)                                             \
	{                                                    \
		"MP " #w " " #r, 2, {w, r}, 0, mp_bad, false \
	}
#define SB(a, b)                                             \
	{                                                    \
		"SB " #a " " #b, 2, {a, b}, 2, sb_bad, false \
	}
#define LB(a, b)                                             \
	{                                                    \
		"LB " #a " " #b, 2, {a, b}, 2, lb_bad, false \
	}
#define WW(a, b)                                               \
	{                                                      \
		"2+2W " #a " " #b, 2, {a, b}, 2, ww_bad, false \
	}
#define MPS(w)                                                                        \
	MP(w, r_dmb), MP(w, r_dmbld), MP(w, r_ldar), MP(w, r_ldapr), MP(w, r_ldapur), \
		MP(w, r_ldaxr), MP(w, r_adda), MP(w, r_addr), MP(w, r_isb)

static const struct litmus tests[] = {
	{"SB (allowed)", 2, {sb_none, sb_none}, 2, sb_bad, true},
	MPS(w_dmb),
	MPS(w_dmbst),
	MPS(w_stlr),
	MPS(w_stlur),
	MPS(w_swpl),
	MPS(w_addl),
	MPS(w_casl),
	MPS(w_stlxr),
	SB(sb_dmb, sb_dmb),
	SB(sb_dsb, sb_dsb),
	SB(sb_rel_acq, sb_rel_acq),
	SB(sb_stlxr, sb_stlxr),
	SB(sb_swpal, sb_swpal),
	SB(sb_addal, sb_addal),
	SB(sb_casal, sb_casal),
	SB(sb_llsc, sb_llsc),
	SB(sb_llsc, sb_swpal),
	SB(sb_rmw, sb_rmw),
	SB(sb_dmb, sb_rel_acq),
	SB(sb_rel_acq, sb_swpal),
	LB(lb_dmb, lb_dmb),
	LB(lb_dmbld, lb_dmbld),
	LB(lb_ldar, lb_ldar),
	LB(lb_ldapr, lb_ldapr),
	LB(lb_ldaxr, lb_ldaxr),
	LB(lb_adda, lb_adda),
	LB(lb_swpl, lb_swpl),
	LB(lb_stlxr, lb_stlxr),
	LB(lb_ldapr, lb_stlxr),
	LB(lb_stlr, lb_stlr),
	LB(lb_data, lb_data),
	LB(lb_ctrl, lb_data),
	WW(ww_dmb, ww_dmb),
	WW(ww_dmbst, ww_dmbst),
	WW(ww_stlr, ww_stlr),
	WW(ww_swpl, ww_dmbst),
	WW(ww_addl, ww_addl),
	WW(ww_stlxr, ww_stlxr),
	WW(ww_stlxr, ww_swpl),
	{"R dmb dmb", 2, {w_dmb, rr_dmb}, 0, r_bad, false},
	{"R stlr stlr-ldar", 2, {w_stlr, rr_rel_acq}, 0, r_bad, false},
	{"S dmb dmb", 2, {s_dmb, s2_dmb}, 0, s_bad, false},
	{"S stlr ldar", 2, {s_stlr, s2_ldar}, 0, s_bad, false},
	{"S stlr data", 2, {s_stlr, s2_data}, 0, s_bad, false},
	{"CoRR", 2, {one, co_rr}, 0, mp_bad, false},
	{"16 bytes whole: STR Q, LDR Q", 2, {q_store, q_load}, 0, pair_bad, false},
	{"16 bytes whole: STXP, LDXP", 2, {xp_store, xp_load}, 0, pair_bad, false},
	{"16 bytes whole: STXP, CASP", 2, {xp_store, casp_load}, 0, pair_bad, false},
	{"WRC data addr", 3, {one, wrc_data, r_addr}, 0, wrc_bad, false},
	{"WRC stlr ldar", 3, {one, wrc_rel, r_ldar}, 0, wrc_bad, false},
	{"IRIW dmb dmb", 4, {one, one, i_dmb, i_dmb}, 2 | 8, iriw_bad, false},
	{"IRIW dmbld dmbld", 4, {one, one, i_dmbld, i_dmbld}, 2 | 8, iriw_bad, false},
	{"IRIW ldar ldar", 4, {one, one, i_ldar, i_ldar}, 2 | 8, iriw_bad, false},
	{"IRIW ldapr ldapr", 4, {one, one, i_ldapr, i_ldapr}, 2 | 8, iriw_bad, false},
	{"IRIW ldaxr ldaxr", 4, {one, one, i_ldaxr, i_ldaxr}, 2 | 8, iriw_bad, false},
	{"IRIW ldadda ldadda", 4, {one, one, i_adda, i_adda}, 2 | 8, iriw_bad, false},
	{"IRIW stlr ldar", 4, {one_rel, one_rel, i_ldar, i_ldar}, 2 | 8, iriw_bad, false},
	{"IRIW stlxr ldadda", 4, {one_llsc, one_swp, i_adda, i_ldapr}, 2 | 8, iriw_bad, false},
	{"IRIW addr addr", 4, {one, one, i_addr, i_addr}, 2 | 8, iriw_bad, false},
};

static u64 runs = 100000;
static struct {
	u32 at;
	u8 pad[124];
} place[4] __attribute__((aligned(128)));

/*
 * Together, if two: a vCPU waits until the other has its host's core back, else they would never
 * meet on a busy host. More vCPUs than the host has cores only wait a little.
 */
static void meet(unsigned n, unsigned me, u32 k)
{
	__atomic_store_n(&place[me].at, k, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < n; i++)
		for (unsigned spin = 0; n == 2 || spin < 200; spin++) {
			if ((s32)(__atomic_load_n(&place[i].at, __ATOMIC_RELAXED) - k) >= 0)
				break;
			if (spin > 20000)
				relax();
		}
}

static u64 seen;

static void run(void *arg)
{
	const struct litmus *l = arg;
	unsigned me = this_cpu();
	u64 seed = me;

	for (u64 done = 0; done < runs; done += BATCH) {
		if (!me)
			memset(inst, 0, sizeof(inst));
		rendezvous(l->n);
		for (u32 k = 0; k < BATCH; k++) {
			struct instance *i = &inst[k];
			bool swap = l->swap >> me & 1;
			u64 wait = random64(&seed) % 200;

			/* In everybody's cache: loads are fast then and stores slow. */
			(void)*(volatile u64 *)i->x;
			(void)*(volatile u64 *)i->y;
			meet(l->n, me, (u32)done + k + 1);
			for (volatile u64 w = 0; w < wait; w++)
				;
			l->fn[me](swap ? i->y : i->x, swap ? i->x : i->y, i->r[me]);
		}
		rendezvous(l->n);
		if (!me)
			for (u32 k = 0; k < BATCH; k++)
				seen += l->bad(&inst[k]);
	}
}

int main(void);
int main(void)
{
	u64 least = boot_arg("threads=", 0);

	runs = boot_arg("runs=", runs);
	cpus_start();
	print("# %u CPUs, %u runs each\n", (u64)n_cpus, runs);
	for (unsigned k = 0; k < ARRAY_SIZE(tests); k++) {
		const struct litmus *l = &tests[k];
		u64 t = now();

		if (l->n > n_cpus || l->n < least)
			continue;
		seen = 0;
		for (unsigned i = 0; i < 4; i++)
			place[i].at = 0;
		cpus_run(l->n, run, (void *)l);
		t = (now() - t) / 1000000;
		if (l->allowed)
			result(true, "%s: seen %u times (%u ms)", l->name, seen, t);
		else
			result(!seen, "%s: seen %u times (%u ms)", l->name, seen, t);
	}
	finish();
	return 0;
}

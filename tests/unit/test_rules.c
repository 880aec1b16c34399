/* SPDX-License-Identifier: MIT */
/* The rule matcher: what the base rules expand to, when they apply and when not. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "dbt/hir.h"
#include "dbt/rules.h"
#include "dbt/vm.h"

static struct dbt_vm vm;
static struct tr tr;

/* Decodes words into the block and expands the first rule. */
static unsigned apply(const u32 *code, unsigned n, bool live)
{
	memset(&tr, 0, sizeof(tr));
	vm.cfg.rules = DBT_RULES_BASE;
	tr.vm = &vm;
	tr.n = n;
	tr.page_off = 0x100;
	for (unsigned i = 0; i < n; i++) {
		a64_decode(code[i], &tr.insn[i]);
		tr.nzcv_live[i] = live;
	}
	return rules_apply(&tr);
}

static void expect(const char *const *want, unsigned n)
{
	char buf[256];

	assert_int_equal(tr.hir.n, n);
	for (unsigned i = 0; i < n; i++) {
		hir_dump(&tr.hir.op[i], buf, sizeof(buf));
		assert_string_equal(buf, want[i]);
	}
}

#define APPLY(k, live, ...)                                                       \
	assert_int_equal(apply((const u32[]){__VA_ARGS__},                        \
			       sizeof((u32[]){__VA_ARGS__}) / sizeof(u32), live), \
			 k)
#define EXPECT(...)                                \
	expect((const char *const[]){__VA_ARGS__}, \
	       sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void test_alu(void **state)
{
	APPLY(1, true, 0x8b020020); /* add x0, x1, x2 */
	EXPECT(" 0: ADD.8 x0 x1 x2 -");
	APPLY(1, true, 0x8b020820); /* add x0, x1, x2, lsl #2 */
	EXPECT(" 0: LEA.8 x0 x1 x2 #0x2");
	APPLY(1, true, 0x910043ff); /* add sp, sp, #16 */
	EXPECT(" 0: ADD.8 sp sp #0x10 -");
	APPLY(1, true, 0xaa0103e0); /* mov x0, x1 */
	EXPECT(" 0: MOV.8 x0 x1 - -");
	APPLY(1, true, 0x8b3f43e0); /* add x0, sp, wzr, uxtw: n is SP, m is ZR */
	EXPECT(" 0: ZX32.8 t0 #0 - -", " 0: ADD.8 x0 sp t0 -");
}

static void test_flags(void **state)
{
	APPLY(1, true, 0xf100143f); /* cmp x1, #5 */
	EXPECT(" 0: SUB.8s - x1 #0x5 -");
	APPLY(1, false, 0xf100143f);
	assert_int_equal(tr.hir.n, 0); /* dead flags, no result: nothing */
	APPLY(1, false, 0xf1001420);   /* subs x0, x1, #5 */
	EXPECT(" 0: SUB.8 x0 x1 #0x5 -");
	APPLY(1, true, 0x9a9f17e0); /* cset x0, eq */
	EXPECT(" 0: CSET.8 x0 - - -");
	assert_int_equal(tr.hir.op[0].cc, A64_EQ);
}

static void test_mem(void **state)
{
	APPLY(1, true, 0xf9400420); /* ldr x0, [x1, #8] */
	EXPECT(" 0: LD.8 x0 x1 - - disp=8 size=8 cc=0");
	APPLY(1, true, 0x39800420); /* ldrsb x0, [x1, #1] */
	EXPECT(" 0: LD.8 x0 x1 - - disp=1 size=1 cc=0");
	assert_int_equal(tr.hir.op[0].sx, 1);
	APPLY(1, true, 0xa8c17bfd); /* ldp x29, x30, [sp], #16 */
	EXPECT(" 0: LD.8 x29 sp - - disp=0 size=8 cc=0", " 0: LD.8 x30 sp - - disp=8 size=8 cc=0",
	       " 0: ADD.8 sp sp #0x10 -");
	APPLY(1, true, 0xf81f0fff); /* str xzr, [sp, #-16]! */
	EXPECT(" 0: ST.8 - sp #0 - disp=-16 size=8 cc=0", " 0: ADD.8 sp sp #0xfffffffffffffff0 -");
	APPLY(0, true, 0xf8408400 | 1 << 5 | 1); /* ldr x1, [x1], #8: unpredictable */
	APPLY(1, true, 0xa9400820 | 1);		 /* ldp x1, x2, [x1] */
	EXPECT(" 0: LD.8 t0 x1 - - disp=0 size=8 cc=0", " 0: LD.8 x2 x1 - - disp=8 size=8 cc=0",
	       " 0: MOV.8 x1 t0 - -");
}

static void test_branch(void **state)
{
	APPLY(1, true, 0x54000041); /* b.ne +8 */
	assert_int_equal(tr.hir.op[0].op, HIR_BCC);
	assert_int_equal(tr.hir.op[0].cc, A64_NE);
	assert_int_equal(tr.hir.op[0].a.imm, 0x108);
	assert_true(tr.ended);
}

static void test_sequences(void **state)
{
	/* movz x0, #0x1234; movk x0, #0x5678, lsl #16; movk x0, #0x9abc, lsl #48 */
	const u32 mov[] = {0xd2824680, 0xf2aacf00, 0xf2f35780};
	/* adrp x0, +0x1000; add x0, x0, #0x10 */
	const u32 adrp[] = {0xb0000000, 0x91004000};

	assert_int_equal(apply(mov, 3, true), 3);
	EXPECT(" 0: MOV.8 x0 #0x9abc000056781234 - -");
	assert_int_equal(apply(mov, 2, true), 2);
	EXPECT(" 0: MOV.8 x0 #0x56781234 - -");
	assert_int_equal(apply(adrp, 2, true), 2);
	EXPECT(" 0: PCADDR.8 x0 #0x1010 - -");
	tr.single = true;
	tr.hir.n = 0;
	assert_int_equal(rules_apply(&tr), 1);
	EXPECT(" 0: PCADDR.8 x0 #0x1000 - -");
	vm.cfg.rules = DBT_RULES_NONE;
	assert_int_equal(rules_apply(&tr), 0);
}

/* Not a test of correctness: prints what matching costs, and fails only when it is absurd. */
static void test_speed(void **state)
{
	static const u32 code[] = {0x8b020020, 0xf9400420, 0xf100143f, 0xd3441c20,
				   0xa8c17bfd, 0x910043ff, 0xaa0103e0, 0x9a9f17e0,
				   0xd2824680, 0xf2aacf00, 0xb0000000, 0x91004000};
	struct timespec t0, t1;
	unsigned total = 0;
	double ns;

	apply(code, ARRAY_SIZE(code), true);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (unsigned round = 0; round < 100000; round++) {
		tr.hir.n = 0;
		for (tr.i = 0; tr.i < tr.n;) {
			unsigned k;

			tr.hir.ntmp = 0;
			k = rules_apply(&tr);
			assert_true(k);
			tr.i += k;
			total += k;
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &t1);
	ns = ((double)(t1.tv_sec - t0.tv_sec) * 1e9 + (double)(t1.tv_nsec - t0.tv_nsec)) / total;
	print_message("matching and expansion: %.1f ns a guest instruction\n", ns);
	assert_true(ns < 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alu),	  cmocka_unit_test(test_flags),
		cmocka_unit_test(test_mem),	  cmocka_unit_test(test_branch),
		cmocka_unit_test(test_sequences), cmocka_unit_test(test_speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Generated from the decoder's table: an encoding has a builder exactly when the ID registers say
 * that its feature is there, and every feature the table names has an ID register field.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dbt/a64/sysreg.h"
#include "dbt/hir.h"
#include "dbt/vm.h"

static const struct row {
	const char *name, *pattern, *feature;
	u16 op;
} rows[] = {
#define INSN(op, pat, form, flags, feat) {#op, pat, #feat, A64_##op},
#define PAT(op, pat, form, ...)		 {#op, pat, "" #__VA_ARGS__, A64_##op},
#include "dbt/a64/insns.def"
#undef INSN
};

static u64 random64(u64 *s)
{
	u64 z = *s += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	return z ^ z >> 27;
}

/* The fixed bits, the rest random; x is a should-be-one bit. */
static u32 word_of(const char *pattern, u64 bits)
{
	u32 w = 0;

	for (; *pattern; pattern++, bits >>= 1)
		if (*pattern != ' ')
			w = w << 1 |
			    (*pattern == '0' || *pattern == '1' || *pattern == 'x' ? *pattern != '0'
										   : bits & 1);
	return w;
}

static struct dbt_vm vm;
static struct tr tr;

/* As translate.c does it, rules apart. */
static bool has_builder(const struct a64_insn *in)
{
	memset(&tr, 0, offsetof(struct tr, insn));
	tr.insn[0] = *in;
	tr.n = 1;
	tr.vm = &vm;
	tr.ended = false;
	hconst_reset();
	if (a64_op_flags(in->op) & A64F_FP)
		return build_fp(&tr, in) == 0 || build_simd(&tr, in) == 0;
	return build_int(&tr, in) == 0 || build_sys(&tr, in) == 0;
}

static void test_builders(void **state)
{
	u64 seed = 1;
	const char *feature = "";

	vm.cfg.max_vcpus = 2;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned seen = 0;

		if (!i || strcmp(rows[i].name, rows[i - 1].name))
			feature = rows[i].feature;
		const char *f = *rows[i].feature ? rows[i].feature : feature;
		bool there = !strcmp(f, "base") || idreg_has_feature(f);

		if (strcmp(f, "base") && !idreg_knows_feature(f))
			fail_msg("%s: no ID register field for %s", rows[i].name, f);
		for (unsigned t = 0; t < 400 && seen < 20; t++) {
			struct a64_insn in;

			a64_decode(word_of(rows[i].pattern, random64(&seed)), &in);
			if (in.op != rows[i].op)
				continue;
			seen++;
			if (has_builder(&in) != there)
				fail_msg("%s (%08x): feature %s is %s, but there is %s builder",
					 rows[i].name, in.raw, f, there ? "on" : "off",
					 there ? "no" : "a");
		}
		if (!seen)
			fail_msg("%s: no word of %s decodes as it", rows[i].name, rows[i].pattern);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_builders)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

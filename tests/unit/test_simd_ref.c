// SPDX-License-Identifier: MIT
/*
 * The AdvSIMD helpers (C) and the decoder's idea of what is allocated, against qemu-aarch64, on
 * random instructions and states. Skipped where the cross compiler or qemu is missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "dbt/hir.h"
#include "dbt/vm.h"
#include "simd_cases.h"

#define CASES 60 /* per pattern */
#define QEMU  "/usr/bin/qemu-aarch64-static"
#define RAM   0x40000000ull

static struct dbt_vm *vm;
static struct dbt_vcpu *cpu;
static _Alignas(4096) u8 ram[4096];

/* Writes the cases to `path`. Every run draws the same ones. */
static void next_case(const struct simd_pattern *p, struct simd_rng *rng, struct simd_record *r)
{
	memset(r, 0, sizeof(*r));
	r->raw = simd_fix_gprs(simd_random_word(p, rng), r);
	simd_random_state(r, rng);
}

static int run_qemu(const char *dir)
{
	struct simd_rng rng = {7};
	char cmd[512];
	FILE *f;

	snprintf(cmd, sizeof(cmd),
		 "aarch64-linux-gnu-gcc -O2 -static -o %s/guest tests/insn/simd_guest.c", dir);
	if (access(QEMU, X_OK) || system(cmd))
		return -1;
	snprintf(cmd, sizeof(cmd), "%s/in", dir);
	f = fopen(cmd, "w");
	for (unsigned i = 0; f && i < ARRAY_SIZE(simd_patterns); i++)
		for (unsigned k = 0; simd_pattern_helper(&simd_patterns[i]) && k < CASES; k++) {
			struct simd_record r;

			next_case(&simd_patterns[i], &rng, &r);
			fwrite(&r, sizeof(r), 1, f);
		}
	if (!f || fclose(f))
		return -1;
	snprintf(cmd, sizeof(cmd), QEMU " -cpu max %s/guest <%s/in >%s/out", dir, dir, dir);
	return system(cmd);
}

static void run_ref(struct simd_record *r)
{
	struct a64_insn in;

	a64_decode(r->raw, &in);
	r->sigill = in.op == A64_UNDEF;
	if (r->sigill)
		return;
	memcpy(cpu->v, r->v, sizeof(r->v));
	memcpy(cpu->x, r->x, sizeof(r->x));
	cpu->fpsr = r->fpsr;
	memcpy(ram, r->mem, REC_MEM);
	if (r->base_reg >= 0)
		cpu->x[r->base_reg] += RAM + REC_MEM / 2;
	assert_int_equal(simd_helper(r->raw)(cpu, r->raw), HELPER_NEXT);
	if (r->base_reg >= 0)
		cpu->x[r->base_reg] -= RAM + REC_MEM / 2;
	memcpy(r->v, cpu->v, sizeof(r->v));
	memcpy(r->x, cpu->x, sizeof(r->x));
	memcpy(r->mem, ram, REC_MEM);
	r->fpsr = cpu->fpsr;
}

static unsigned compare(FILE *f)
{
	struct simd_rng rng = {7};
	unsigned bad = 0, ran = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(simd_patterns); i++)
		for (unsigned k = 0; simd_pattern_helper(&simd_patterns[i]) && k < CASES; k++) {
			struct simd_record r, q;

			next_case(&simd_patterns[i], &rng, &r);
			assert_int_equal(fread(&q, sizeof(q), 1, f), 1);
			q.fpsr &= FPSR_QC;
			run_ref(&r);
			ran += !r.sigill;
			if (r.sigill == q.sigill && (r.sigill || !memcmp(&r, &q, sizeof(r))))
				continue;
			if (bad++ < 10)
				print_error("%s %08x differs: UNDEF %u, qemu %u\n",
					    simd_patterns[i].name, r.raw, r.sigill, q.sigill);
		}
	print_message("%u instructions executed, %u differ\n", ran, bad);
	assert_true(ran > 10000);
	return bad;
}

static void helpers_match_qemu(void **state)
{
	struct dbt_config cfg = {.max_vcpus = 1};
	char dir[] = "/tmp/armature-simd-XXXXXX", path[512];
	const char *err;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	if (run_qemu(dir)) {
		snprintf(path, sizeof(path), "rm -r %s", dir);
		(void)!system(path);
		skip();
	}
	assert_int_equal(dbt_vm_create(&cfg, &vm, &err), 0);
	assert_int_equal(dbt_vm_set_memory(vm, GPA(RAM), sizeof(ram), ram), 0);
	assert_int_equal(dbt_vcpu_create(vm, 0, &cpu), 0);
	snprintf(path, sizeof(path), "%s/out", dir);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(compare(f), 0);
	fclose(f);
	dbt_vm_destroy(vm);
	snprintf(path, sizeof(path), "rm -r %s", dir);
	assert_int_equal(system(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(helpers_match_qemu)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

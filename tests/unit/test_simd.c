// SPDX-License-Identifier: MIT
/*
 * AdvSIMD through the whole engine (decode, build, place, run) against the C helpers, on random
 * instructions and states, with every host feature and with the AVX2 baseline only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "dbt/a64/regs.h"
#include "dbt/dbt.h"
#include "dbt/hir.h"
#include "dbt/vm.h"
#include "dbt/x64/vops.h"
#include "simd_cases.h"

#define RAM	 0x40000000ull
#define RAM_SIZE (32u << 20)
#define DATA	 (RAM + 0x1000) /* REC_MEM bytes; the base register points to the middle */
#define TABLE	 (RAM + 0x7000) /* of level 1: with the MMU off misaligned accesses would fault */
#define VECTORS	 (RAM + 0x8000) /* filled with HVC: an exception ends the run */
#define ALIAS	 0x40000000ull	/* added to an address: the same memory, EL1's alone */
#define CODE	 (RAM + 0x10000)
#define WORDS	 24 /* instructions per pattern */
#define STATES	 12 /* register states each runs on */
#define HVC	 0xd4000002u
#define SVC	 0xd4000001u
#define EL0T	 0x3c0u
#define EL1H	 0x3c5u

static struct dbt_vm *vm;
static struct dbt_vcpu *cpu;
static u8 *ram;
static u64 next_code;
static unsigned n_inline, n_helper, crowded;
static bool at_el0; /* where vector registers may live in host registers */

static int start(void)
{
	struct dbt_config cfg = {.max_vcpus = 1, .rules = DBT_RULES_NONE};
	const char *err = "";

	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ram == MAP_FAILED || dbt_vm_create(&cfg, &vm, &err)) {
		print_error("%s\n", err);
		return -1;
	}
	next_code = CODE;
	for (unsigned i = 0; i < 0x800; i += 4)
		memcpy(ram + (VECTORS - RAM) + i, &(u32){HVC}, 4);
	return dbt_vm_set_memory(vm, GPA(RAM), RAM_SIZE, ram) || dbt_vcpu_create(vm, 0, &cpu);
}

/* RAM at its own addresses, and a second time, where EL1's code may be although EL0 may write here.
 */
static void map_memory(void)
{
	const u64 block = RAM | 1 << 10 | 3 << 8 | 1; /* AF, inner shareable, attribute 0 */

	memcpy(ram + (TABLE - RAM) + 8 * (RAM >> 30), &(u64){block | (at_el0 ? 1 << 6 : 0)}, 8);
	memcpy(ram + (TABLE - RAM) + 8 * ((RAM + ALIAS) >> 30), &block, 8);
	cpu->sys.mair_el1 = 0xff;
	cpu->sys.tcr_el1 = 25;
	cpu->sys.ttbr0_el1 = TABLE;
	cpu->sys.sctlr_el1 |= SCTLR_M;
}

static void stop(void)
{
	dbt_vm_destroy(vm);
	munmap(ram, RAM_SIZE);
}

static u64 place_code(u32 raw)
{
	u32 code[2] = {raw, at_el0 ? SVC : HVC};
	u64 at = next_code;

	memcpy(ram + (at - RAM), code, 8);
	next_code += 8;
	assert_true(next_code < RAM + RAM_SIZE);
	return at;
}

static void state_to_cpu(const struct simd_record *r)
{
	memcpy(cpu->v, r->v, sizeof(r->v));
	memset(cpu->x, 0, sizeof(cpu->x));
	memcpy(cpu->x, r->x, sizeof(r->x));
	cpu->fpsr = r->fpsr;
	memcpy(ram + (DATA - RAM), r->mem, REC_MEM);
	if (r->base_reg >= 0)
		cpu->x[r->base_reg] += DATA + REC_MEM / 2;
}

static void state_from_cpu(struct simd_record *r)
{
	memcpy(r->v, cpu->v, sizeof(r->v));
	memcpy(r->x, cpu->x, sizeof(r->x));
	r->fpsr = cpu->fpsr;
	memcpy(r->mem, ram + (DATA - RAM), REC_MEM);
}

static void run_translated(struct simd_record *r, u64 at)
{
	struct dbt_exit e;
	u64 end;

	assert_int_equal(cpu_pstate_set(cpu, at_el0 ? EL0T : EL1H), 0);
	cpu->pc = at;
	cpu->sys.elr_el1 = 0;
	cpu->sys.vbar_el1 = VECTORS + ALIAS;
	cpu->sys.cpacr_el1 = 3u << 20; /* no FP trap */
	state_to_cpu(r);
	assert_int_equal(dbt_vcpu_run(cpu, &e), DBT_EXIT_HVC);
	/* At EL0 the SVC ends in the vector's HVC. */
	end = at_el0 && cpu->pc == VECTORS + ALIAS + 0x404 ? cpu->sys.elr_el1 : cpu->pc;
	if (end != at + 8)
		print_error("%08x: exception, ESR %llx FAR %llx\n", r->raw,
			    (unsigned long long)cpu->sys.esr_el1,
			    (unsigned long long)cpu->sys.far_el1);
	assert_int_equal(end, at + 8);
	state_from_cpu(r);
}

static void run_helper(struct simd_record *r, u64 at)
{
	cpu->pc = at;
	state_to_cpu(r);
	assert_int_equal((simd_helper(r->raw) ? simd_helper(r->raw) : helper_mem)(cpu, r->raw),
			 HELPER_NEXT);
	state_from_cpu(r);
}

/*
 * Scratch vector registers an operation needs while `live` temporaries exist, when no guest
 * register is in a host register that the operation can name.
 */
static unsigned scratch_needed(const struct hir *h, unsigned live)
{
	const struct hir_opnd *o[] = {&h->a, &h->b, &h->c};
	unsigned n = live + (h->d.kind == H_V);

	for (unsigned k = 0; k < 3; k++)
		n += o[k]->kind == H_V || (k != 1 && o[k]->kind == H_CONST);
	return n;
}

static unsigned max_scratch(const struct hir_buf *b)
{
	unsigned most = 0, first[256], last[256];

	for (unsigned t = 0; t < 256; t++)
		first[t] = ~0u, last[t] = 0;
	for (unsigned i = 0; i < b->n; i++) {
		const struct hir_opnd *o[] = {&b->op[i].d, &b->op[i].a, &b->op[i].b, &b->op[i].c};

		for (unsigned k = 0; k < 4; k++)
			if (o[k]->kind == H_W) {
				last[o[k]->reg] = i;
				if (first[o[k]->reg] == ~0u)
					first[o[k]->reg] = i;
			}
	}
	for (unsigned i = 0; i < b->n; i++) {
		unsigned live = 0, need;

		for (unsigned t = 0; t < 256; t++)
			live += first[t] <= i && i <= last[t];
		need = scratch_needed(&b->op[i], live);
		most = need > most ? need : most;
	}
	return most;
}

static bool built_inline(u32 raw)
{
	struct tr *tr = calloc(1, sizeof(*tr));
	bool inl = true;

	a64_decode(raw, &tr->insn[0]);
	tr->n = 1;
	assert_int_equal(build_simd(tr, &tr->insn[0]), 0);
	for (unsigned i = 0; i < tr->hir.n; i++)
		inl &= tr->hir.op[i].op != HIR_HELPER;
	if (max_scratch(&tr->hir) > 7) {
		print_error("%s needs %u scratch registers\n", a64_op_name(tr->insn[0].op),
			    max_scratch(&tr->hir));
		crowded++;
	}
	free(tr);
	return inl;
}

static void dump_hir(u32 raw)
{
	struct tr *tr = calloc(1, sizeof(*tr));
	char buf[256];

	a64_decode(raw, &tr->insn[0]);
	tr->n = 1;
	build_simd(tr, &tr->insn[0]);
	for (unsigned i = 0; i < tr->hir.n; i++) {
		hir_dump(&tr->hir.op[i], buf, sizeof(buf));
		print_error("    %s\n", buf);
	}
	free(tr);
}

static void report(const char *name, const struct simd_record *in, const struct simd_record *want,
		   const struct simd_record *got)
{
	unsigned d = in->raw & 31, n = in->raw >> 5 & 31, m = in->raw >> 16 & 31;
	char text[96];
	struct a64_insn insn;

	a64_decode(in->raw, &insn);
	a64_disas(&insn, 0, text, sizeof(text));
	print_error("%s %08x %s\n", name, in->raw, text);
#define SHOW(what, v)                                                                 \
	print_error("  %s %016llx%016llx\n", what, (unsigned long long)el_u(v, 3, 1), \
		    (unsigned long long)el_u(v, 3, 0))
	SHOW("d   ", in->v[d]);
	SHOW("n   ", in->v[n]);
	SHOW("m   ", in->v[m]);
	SHOW("want", want->v[d]);
	SHOW("got ", got->v[d]);
	print_error(
		"  fpsr want %x got %x, x%u want %llx got %llx, other registers %s, memory %s\n",
		want->fpsr, got->fpsr, d, (unsigned long long)want->x[d & 15],
		(unsigned long long)got->x[d & 15],
		memcmp(want->v, got->v, sizeof(got->v)) ? "differ" : "same",
		memcmp(want->mem, got->mem, REC_MEM) ? "differs" : "same");
	dump_hir(in->raw);
}

/* One instruction on some states. Returns the number of mismatches (the first is reported). */
static unsigned check_word(const struct simd_pattern *p, const struct simd_record *base,
			   struct simd_rng *rng)
{
	u64 at = place_code(base->raw);
	unsigned bad = 0;

	if (built_inline(base->raw))
		n_inline++;
	else
		n_helper++;
	for (unsigned k = 0; k < STATES && !bad; k++) {
		struct simd_record in = *base, want, got;

		simd_random_state(&in, rng);
		want = got = in;
		run_helper(&want, at);
		run_translated(&got, at);
		if (memcmp(&want, &got, sizeof(got))) {
			report(p->name, &in, &want, &got);
			bad++;
		}
	}
	return bad;
}

static void check_all(u32 features, bool el0, u64 seed)
{
	struct simd_rng rng = {seed};
	unsigned bad = 0, words = 0;

	host_features_mask = features;
	at_el0 = el0;
	assert_int_equal(start(), 0);
	map_memory();
	n_inline = n_helper = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(simd_patterns); i++) {
		const struct simd_pattern *p = &simd_patterns[i];

		for (unsigned k = 0; simd_pattern_mine(p) && k < WORDS; k++) {
			struct simd_record r = {0};
			struct a64_insn in;

			r.raw = simd_random_word(p, &rng);
			if (simd_pattern_plain_mem(p))
				r.raw = simd_fix_plain_mem(r.raw, &r, &rng);
			else
				r.raw = simd_fix_gprs(r.raw, &r);
			a64_decode(r.raw, &in);
			if (in.op == A64_UNDEF)
				continue;
			words++;
			if (check_word(p, &r, &rng)) {
				bad++;
				break;
			}
		}
	}
	print_message("%u instructions, %u inline, %u by helper, %u patterns differ\n", words,
		      n_inline, n_helper, bad);
	stop();
	host_features_mask = ~0u;
	assert_true(words > 1000 && n_inline > words / 2);
	assert_int_equal(bad, 0);
	assert_int_equal(crowded, 0);
}

static void all_features(void **state)
{
	check_all(~0u, false, 1);
}

static void all_features_el0(void **state)
{
	check_all(~0u, true, 3);
}

static void baseline_el0(void **state)
{
	check_all(0, true, 4);
}

static void baseline(void **state)
{
	check_all(0, false, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_features),
		cmocka_unit_test(baseline),
		cmocka_unit_test(all_features_el0),
		cmocka_unit_test(baseline_el0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

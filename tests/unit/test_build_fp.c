// SPDX-License-Identifier: MIT
/*
 * Translated floating-point instructions against fp_exec: every encoding of insns.def with random
 * fields, nasty operands, random FPCR, run by the engine itself: as "instruction; HVC" at EL1,
 * where vector registers live in memory, and as "instruction; SVC" at EL0, where they have host
 * registers. SEED, COUNT (instances per encoding) and OP come from the environment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "dbt/vm.h"
#include "dbt/x64/vops.h"
#include "fp_random.h"

#define RAM_BASE 0x40000000ull
#define RAM_SIZE (64ull << 20)
#define BATCH	 256
#define HVC0	 0xd4000002
#define SVC0	 0xd4000001
#define VBAR	 (RAM_BASE + 0x10000)

static struct dbt_vm *vm;
static struct dbt_vcpu *cpu, ref;
static u32 *code;
static unsigned el;

static int set_up(void **state)
{
	static const struct dbt_config cfg = {.max_vcpus = 1};
	const char *err = "";
	void *ram =
		mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	if (dbt_vm_create(&cfg, &vm, &err)) {
		printf("dbt_vm_create: %s\n", err);
		return -1;
	}
	code = ram;
	return dbt_vm_set_memory(vm, GPA(RAM_BASE), RAM_SIZE, ram) || dbt_vcpu_create(vm, 0, &cpu);
}

static int tear_down(void **state)
{
	(void)state;
	dbt_vm_destroy(vm);
	return 0;
}

static bool cond_true(u32 f, unsigned cond)
{
	bool n = f & 8, z = f & 4, c = f & 2, v = f & 1;
	bool t[8] = {z, c, n, v, c && !z, n == v, n == v && !z, true};

	return t[cond >> 1] != (cond < 14 && (cond & 1));
}

/* FMOV, FCSEL: the only ones fp_exec does not know. */
static void ref_move(struct dbt_vcpu *c, const struct a64_insn *in)
{
	unsigned bytes = 1u << in->size, n = in->rn;
	u64 x = in->rn == 31 ? 0 : c->x[in->rn];
	u8 out[16] = {0};

	switch (in->op) {
	case A64_FMOV_reg: memcpy(out, c->v[n], bytes); break;
	case A64_FMOV_imm: memcpy(out, &in->imm, bytes); break;
	case A64_FCSEL: {
		bool take = cond_true(cpu_nzcv_get(c), in->cond);

		memcpy(out, c->v[take ? n : in->rm], bytes);
		break;
	}
	case A64_FMOV_gen:
		if (in->amount) {
			memcpy(out, c->v[in->rd], 8);
			memcpy(out + 8, &x, 8);
		} else {
			memcpy(out, &x, bytes);
		}
		break;
	default: /* FMOV_togen */
		x = 0;
		memcpy(&x, c->v[n] + (in->amount ? 8 : 0), bytes);
		if (in->rd != 31)
			c->x[in->rd] = x;
		return;
	}
	memcpy(c->v[in->rd], out, 16);
}

static bool is_move(unsigned op)
{
	return op == A64_FMOV_reg || op == A64_FMOV_imm || op == A64_FCSEL || op == A64_FMOV_gen ||
	       op == A64_FMOV_togen;
}

static void load(struct dbt_vcpu *c, const struct fp_record *r)
{
	memcpy(c->v, r->v, sizeof(r->v));
	memcpy(c->x, r->x, sizeof(r->x));
	cpu_nzcv_set(c, r->nzcv >> 28);
	cpu_fpcr_set(c, r->fpcr);
	cpu_fpsr_set(c, r->fpsr);
}

static void dump(const char *what, const u8 *v)
{
	printf("  %-10s", what);
	for (int j = 15; j >= 0; j--)
		printf("%02x%s", v[j], j % 4 ? "" : " ");
	printf("\n");
}

static void report(const struct fp_record *r, const struct a64_insn *in)
{
	char text[96];

	a64_disas(in, 0, text, sizeof(text));
	printf("%08x %s  fpcr %08x fpsr %08x -> want %08x got %08x; nzcv %x -> want %x got %x\n",
	       r->raw, text, r->fpcr, r->fpsr, cpu_fpsr_get(&ref), cpu_fpsr_get(cpu), r->nzcv >> 28,
	       cpu_nzcv_get(&ref), cpu_nzcv_get(cpu));
	dump("old d", r->v[in->rd]);
	dump("n", r->v[in->rn]);
	dump("m", r->v[in->rm]);
	dump("a", r->v[in->ra]);
	dump("want", ref.v[in->rd]);
	dump("got", cpu->v[in->rd]);
	printf("  x: n %#llx want %#llx got %#llx\n", (unsigned long long)r->x[in->rn & 15],
	       (unsigned long long)ref.x[in->rd & 15], (unsigned long long)cpu->x[in->rd & 15]);
}

static bool run_one(const struct fp_record *r, const struct a64_insn *in, unsigned slot)
{
	struct dbt_exit ex;

	cpu->sys.cpacr_el1 = 3u << 20;
	cpu->sys.vbar_el1 = VBAR;
	assert_int_equal(cpu_pstate_set(cpu, el ? 0x3c5 : 0), 0);
	load(cpu, r);
	load(&ref, r);
	cpu->pc = RAM_BASE + slot * 8ull;
	assert_int_equal(dbt_vcpu_run(cpu, &ex), DBT_EXIT_HVC);
	/* The exception cleared NZCV of PSTATE into SPSR. */
	if (!el)
		cpu_nzcv_set(cpu, (u32)(cpu->sys.spsr_el1 >> 28) & 15);
	if (is_move(in->op))
		ref_move(&ref, in);
	else
		assert_int_equal(fp_exec(&ref, in), 0);
	if (!memcmp(ref.v, cpu->v, sizeof(ref.v)) && !memcmp(ref.x, cpu->x, sizeof(r->x)) &&
	    cpu_fpsr_get(&ref) == cpu_fpsr_get(cpu) && cpu_nzcv_get(&ref) == cpu_nzcv_get(cpu))
		return true;
	report(r, in);
	return false;
}

static unsigned run_batch(const struct enc *e, unsigned n)
{
	static struct fp_record rec[BATCH];
	static struct a64_insn insn[BATCH];
	unsigned bad = 0, k = 0;

	for (unsigned i = 0; i < n; i++) {
		fill(&rec[k]);
		rec[k].raw = random_insn(e->pattern);
		limit_gprs(&rec[k], e->op);
		if (e->op == A64_FMOV_gen && (rec[k].raw >> 5 & 31) != 31)
			rec[k].raw &= ~(16u << 5);
		if (e->op == A64_FMOV_togen && (rec[k].raw & 31) != 31)
			rec[k].raw &= ~16u;
		a64_decode(rec[k].raw, &insn[k]);
		if (insn[k].op != e->op)
			continue;
		code[2 * k] = rec[k].raw;
		code[2 * k + 1] = el ? HVC0 : SVC0;
		k++;
	}
	code_invalidate_page(cpu, GPA(RAM_BASE));
	for (unsigned i = 0; i < k && bad < 3; i++)
		bad += !run_one(&rec[i], &insn[i], i);
	return bad;
}

static void run_all(void)
{
	const char *count = getenv("COUNT"), *only = getenv("OP");
	unsigned n = count ? (unsigned)atoi(count) : 512, bad = 0, done = 0;

	dbt_vcpu_reset(cpu, RAM_BASE, 0);
	code[0x10400 / 4] = HVC0; /* synchronous exception from EL0 */
	for (unsigned e = 0; e < ARRAY_SIZE(encs); e++) {
		unsigned b = 0;

		if ((!fp_known(encs[e].op) && !is_move(encs[e].op)) ||
		    (only && strcmp(only, a64_op_name(encs[e].op))))
			continue;
		for (unsigned k = 0; k < n && !b; k += BATCH)
			b = run_batch(&encs[e], BATCH);
		if (b)
			printf("-- %s %s\n", a64_op_name(encs[e].op), encs[e].pattern);
		bad += b != 0;
		done++;
	}
	printf("%u encodings, %u bad\n", done, bad);
	assert_true(done);
	assert_int_equal(bad, 0);
}

static void test_el1(void **state)
{
	(void)state;
	el = 1;
	run_all();
}

static void test_el0(void **state)
{
	(void)state;
	el = 0;
	run_all();
}

/* FPCR and FPSR written and read by the guest between operations. */
static void test_modes(void **state)
{
	static const u32 prog[] = {
		0xd51b4400, /* msr fpcr, x0 */
		0xd51b443f, /* msr fpsr, xzr */
		0x1e621820, /* fdiv d0, d1, d2 */
		0xd53b4421, /* mrs x1, fpsr */
		0xd51b443f, /* msr fpsr, xzr */
		0x1e622823, /* fadd d3, d1, d2 */
		0xd53b4422, /* mrs x2, fpsr */
		HVC0,
	};
	static const u64 third[] = {0x3fd5555555555555, 0x3fd5555555555556, 0x3fd5555555555555,
				    0x3fd5555555555555};
	static const u64 one = 0x3ff0000000000000, three = 0x4008000000000000;
	struct dbt_exit ex;

	(void)state;
	dbt_vcpu_reset(cpu, RAM_BASE, 0);
	cpu->sys.cpacr_el1 = 3u << 20;
	memcpy(code, prog, sizeof(prog));
	code_invalidate_page(cpu, GPA(RAM_BASE));
	for (unsigned r = 0; r < 4; r++) {
		cpu->pc = RAM_BASE;
		cpu->x[0] = r << 22;
		memcpy(cpu->v[1], &one, 8);
		memcpy(cpu->v[2], &three, 8);
		assert_int_equal(dbt_vcpu_run(cpu, &ex), DBT_EXIT_HVC);
		assert_memory_equal(cpu->v[0], &third[r], 8);
		assert_int_equal(cpu->x[1], FPSR_IXC);
		assert_int_equal(cpu->x[2], 0);
	}
}

enum {
	READ_CSEL,
	READ_CSET,
	READ_CSETM,
	READ_BCC,
	READ_FCSEL,
	READ_CCMP,
	READ_FCCMP,
	READ_ADC,
	READ_NUM
};

/* x0 (or d0) becomes 1 if `cond` holds, else 2 (CSET: 1, 0; CSETM: -1, 0). */
static unsigned emit_reader(u32 *p, unsigned kind, unsigned cond)
{
	switch (kind) {
	case READ_CSEL: *p = 0x9a820020 | cond << 12; return 1;
	case READ_CSET: *p = 0x9a9f07e0 | (cond ^ 1) << 12; return 1;
	case READ_CSETM: *p = 0xda9f03e0 | (cond ^ 1) << 12; return 1;
	case READ_FCSEL: *p = 0x1e640c60 | cond << 12; return 1;     /* d0, d3, d4 */
	case READ_CCMP: *p = 0xfa420020 | cond << 12 | 5; return 1;  /* x1, x2, #5 */
	case READ_FCCMP: *p = 0x1e640460 | cond << 12 | 5; return 1; /* d3, d4, #5 */
	case READ_ADC: *p = 0x9a1f0020; return 1;		     /* x0 = x1 + C */
	default:
		*p++ = 0x54000060 | cond; /* b.cond +12 */
		*p++ = 0xaa0203e0;	  /* mov x0, x2 */
		*p++ = 0x14000002;	  /* b +8 */
		*p++ = 0xaa0103e0;	  /* mov x0, x1 */
		return 4;
	}
}

static void check_reader(unsigned kind, unsigned cond, unsigned pair, bool dead)
{
	static const u64 one = 0x3ff0000000000000, two = 0x4000000000000000,
			 nan = 0x7ff8000000000000;
	static const u32 nzcv_of[] = {8, 6, 2, 3};
	const u64 first[] = {one, two, two, nan}, second[] = {two, two, one, one};
	u32 *p = code, nzcv = nzcv_of[pair], after = nzcv;
	bool hold = cond_true(nzcv, cond);
	struct dbt_exit ex;
	u64 got, want;

	*p++ = 0x1e622020; /* fcmp d1, d2 */
	p += emit_reader(p, kind, cond);
	if (dead)
		*p++ = 0xeb1f003f; /* cmp x1, xzr */
	*p++ = HVC0;
	code_invalidate_page(cpu, GPA(RAM_BASE));
	cpu->pc = RAM_BASE;
	cpu->x[0] = 77;
	cpu->x[1] = 1;
	cpu->x[2] = 2;
	memcpy(cpu->v[1], &first[pair], 8);
	memcpy(cpu->v[2], &second[pair], 8);
	memcpy(cpu->v[3], &cpu->x[1], 8);
	memcpy(cpu->v[4], &cpu->x[2], 8);
	assert_int_equal(dbt_vcpu_run(cpu, &ex), DBT_EXIT_HVC);
	memcpy(&got, kind == READ_FCSEL ? cpu->v[0] : (u8 *)&cpu->x[0], 8);
	switch (kind) {
	case READ_CSET: want = hold; break;
	case READ_CSETM: want = hold ? ~0ull : 0; break;
	case READ_ADC: want = 1 + (nzcv >> 1 & 1); break;
	case READ_CCMP:
	case READ_FCCMP:
		want = 77;
		after = hold ? 8 : 5; /* less */
		break;
	default: want = hold ? 1 : 2; break;
	}
	if (dead)
		after = 2;
	if (got != want || cpu_nzcv_get(cpu) != after)
		fail_msg("reader %u cond %u nzcv %u dead %d: want %llx nzcv %x, got %llx nzcv %x",
			 kind, cond, nzcv, dead, (unsigned long long)want, after,
			 (unsigned long long)got, cpu_nzcv_get(cpu));
}

/* Flags of a comparison stay in EFLAGS: all that may read them next. */
static void test_fcmp_readers(void **state)
{
	(void)state;
	dbt_vcpu_reset(cpu, RAM_BASE, 0);
	cpu->sys.cpacr_el1 = 3u << 20;
	for (unsigned kind = 0; kind < READ_NUM; kind++)
		for (unsigned cond = 0; cond < 16; cond++)
			for (unsigned i = 0; i < 8; i++)
				if (cond < 14 || (kind != READ_CSET && kind != READ_CSETM))
					check_reader(kind, cond, i & 3, i & 4);
}

/*
 * The same function, called through a register with FZ clear and set: code entered by an indirect
 * branch is that of the mode. x1: FPSR after 2^-1074 * 2 unflushed; x2: flushed; x3: unflushed
 * again.
 */
static void test_fz_modes(void **state)
{
	static const u32 main_prog[] = {
		0xd51b4407, /* msr fpcr, x7 (0) */
		0xd51b443f, /* msr fpsr, xzr */
		0xd63f0140, /* blr x10 */
		0x1e604004, /* fmov d4, d0 */
		0xd53b4421, /* mrs x1, fpsr */
		0xd51b4408, /* msr fpcr, x8 (FZ) */
		0xd51b4429, /* msr fpsr, x9 (IXC or 0) */
		0xd63f0140, /* blr x10 */
		0x1e604005, /* fmov d5, d0 */
		0xd53b4422, /* mrs x2, fpsr */
		0xd51b4407, /* msr fpcr, x7 */
		0xd51b443f, /* msr fpsr, xzr */
		0xd63f0140, /* blr x10 */
		0xd53b4423, /* mrs x3, fpsr */
		SVC0,
	};
	static const u32 fn[] = {
		0x1e620820, /* fmul d0, d1, d2 */
		0xd65f03c0, /* ret */
	};
	static const u64 tiny = 1, two = 0x4000000000000000;
	struct dbt_exit ex;
	u64 d[3];

	(void)state;
	dbt_vcpu_reset(cpu, RAM_BASE, 0);
	cpu->sys.cpacr_el1 = 3u << 20;
	cpu->sys.vbar_el1 = VBAR;
	code[0x10400 / 4] = HVC0;
	memcpy(code, main_prog, sizeof(main_prog));
	memcpy(code + 0x2000 / 4, fn, sizeof(fn));
	code_invalidate_page(cpu, GPA(RAM_BASE));
	code_invalidate_page(cpu, GPA(RAM_BASE + 0x2000));
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(cpu_pstate_set(cpu, 0), 0);
		cpu->pc = RAM_BASE;
		cpu->x[7] = 0;
		cpu->x[8] = FPCR_FZ;
		cpu->x[9] = i & 1 ? FPSR_IXC : 0;
		cpu->x[10] = RAM_BASE + 0x2000;
		memcpy(cpu->v[1], &tiny, 8);
		memcpy(cpu->v[2], &two, 8);
		assert_int_equal(dbt_vcpu_run(cpu, &ex), DBT_EXIT_HVC);
		memcpy(&d[0], cpu->v[4], 8);
		memcpy(&d[1], cpu->v[5], 8);
		memcpy(&d[2], cpu->v[0], 8);
		assert_int_equal(d[0], 2);
		assert_int_equal(d[1], 0);
		assert_int_equal(d[2], 2);
		assert_int_equal(cpu->x[1], 0);
		assert_int_equal(cpu->x[2], FPSR_IDC | cpu->x[9]);
		assert_int_equal(cpu->x[3], 0);
	}
}

static int set_up_baseline(void **state)
{
	host_features_mask = 0;
	return set_up(state);
}

static int tear_down_baseline(void **state)
{
	host_features_mask = ~0u;
	return tear_down(state);
}

/* ..._baseline: x86-64-v3 and nothing more. */
int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_el0, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_el1, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_modes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fcmp_readers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fz_modes, set_up, tear_down),
		{"test_el0_baseline", test_el0, set_up_baseline, tear_down_baseline, NULL},
		{"test_el1_baseline", test_el1, set_up_baseline, tear_down_baseline, NULL},
	};

	fp_random_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

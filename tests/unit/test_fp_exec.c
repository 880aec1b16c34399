// SPDX-License-Identifier: MIT
/*
 * fp_exec (the C helpers) against qemu-aarch64: every floating-point encoding of insns.def with
 * random fields, nasty operands, random FPCR. Skipped where the cross compiler or qemu is missing.
 * SEED and COUNT (instances per encoding) come from the environment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "fp_random.h"

#define BATCH 64

static int to_guest = -1, from_guest = -1;

static int start_guest(void)
{
	char path[64], cmd[256];
	int in[2], out[2];

	snprintf(path, sizeof(path), "/tmp/armature_fp_guest.%d", (int)getpid());
	snprintf(
		cmd, sizeof(cmd),
		"aarch64-linux-gnu-gcc -O2 -static -D_GNU_SOURCE -o %s tests/unit/guest/fp_guest.c "
		"2>/dev/null",
		path);
	if (access("/usr/bin/qemu-aarch64-static", X_OK) || system(cmd))
		return -1;
	if (pipe(in) || pipe(out))
		return -1;
	if (!fork()) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		close(out[0]);
		execl("/usr/bin/qemu-aarch64-static", "qemu-aarch64-static", "-cpu", "max", path,
		      (char *)NULL);
		_exit(1);
	}
	close(in[0]);
	close(out[1]);
	to_guest = in[1];
	from_guest = out[0];
	return 0;
}

static int stop_guest(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "/tmp/armature_fp_guest.%d", (int)getpid());
	unlink(path);
	if (to_guest >= 0)
		close(to_guest); /* it ends at end of file */
	wait(NULL);
	return 0;
}

static void exchange(struct fp_record *r)
{
	size_t left = sizeof(*r) * BATCH;

	assert_int_equal(write(to_guest, r, left), left);
	for (char *p = (char *)r; left;) {
		ssize_t n = read(from_guest, p, left);

		assert_true(n > 0);
		p += n;
		left -= (size_t)n;
	}
}

/* ---- what fp_exec needs of the rest ---- */

static void load_cpu(struct dbt_vcpu *cpu, const struct fp_record *r)
{
	memcpy(cpu->v, r->v, sizeof(r->v));
	memcpy(cpu->x, r->x, sizeof(r->x));
	cpu->fpcr = r->fpcr;
	cpu->fpsr = r->fpsr;
	cpu_nzcv_set(cpu, r->nzcv >> 28);
}

static void report(const struct fp_record *in, const struct fp_record *want,
		   const struct dbt_vcpu *cpu)
{
	struct a64_insn i;
	char text[96];

	a64_decode(in->raw, &i);
	a64_disas(&i, 0, text, sizeof(text));
	printf("%08x %s  fpcr %08x fpsr %08x -> want %08x got %08x nzcv %x -> want %x got %x\n",
	       in->raw, text, in->fpcr, in->fpsr, want->fpsr, cpu->fpsr, in->nzcv >> 28,
	       want->nzcv >> 28, cpu_nzcv_get(cpu));
	for (unsigned k = 0; k < 5; k++) {
		unsigned reg = k == 0 ? i.rd : k == 1 ? i.rn : k == 2 ? i.rm : k == 3 ? i.ra : i.rd;
		const u8 *v = k < 4 ? in->v[reg] : want->v[reg];

		printf("  %s v%-2u", k == 4 ? "want" : k == 0 ? "old d" : "in", reg);
		for (int j = 15; j >= 0; j--)
			printf("%02x%s", v[j], j % 4 ? "" : " ");
		printf("\n");
	}
	printf("  got  v%-2u", i.rd);
	for (int j = 15; j >= 0; j--)
		printf("%02x%s", cpu->v[i.rd][j], j % 4 ? "" : " ");
	printf("  x want %#llx got %#llx\n", (unsigned long long)want->x[i.rd & 15],
	       (unsigned long long)cpu->x[i.rd & 15]);
}

static bool same(const struct fp_record *want, const struct dbt_vcpu *cpu)
{
	return !memcmp(want->v, cpu->v, sizeof(want->v)) &&
	       !memcmp(want->x, cpu->x, sizeof(want->x)) && want->fpsr == cpu->fpsr &&
	       want->nzcv >> 28 == cpu_nzcv_get(cpu);
}

/* Where qemu 7.2 is wrong. */
static bool excused(const struct fp_record *r, const struct a64_insn *in)
{
	/* A flushed denormal is not an exact integer: Z is 0 (FPToFixedJS). */
	if (in->op == A64_FJCVTZS && r->fpcr & FPCR_FZ)
		return true;
	/* Sign-extends the half-precision scalar beyond its 16 bits. */
	if (in->op == A64_FCVTZS_fix_s && in->size == 1)
		return true;
	/* Takes MOVI's class with op and o2 set for FMOV of halves. */
	return in->op == A64_UNDEF && (r->raw & 0xbff8fc00) == 0x2f00fc00;
}

static struct fp_record batch_in[BATCH], batch_out[BATCH];

static unsigned run_batch(unsigned op)
{
	static struct dbt_vcpu cpu;
	unsigned bad = 0;

	memcpy(batch_out, batch_in, sizeof(batch_in));
	exchange(batch_out);
	for (unsigned i = 0; i < BATCH; i++) {
		struct a64_insn in;

		a64_decode(batch_in[i].raw, &in);
		if (excused(&batch_in[i], &in))
			continue;
		if (in.op != op || batch_out[i].sigill) {
			/* A more specific encoding, or reserved fields: both sides must agree. */
			if (in.op == A64_UNDEF && !batch_out[i].sigill && !bad++)
				printf("%08x (%s) is not UNDEFINED\n", batch_in[i].raw,
				       a64_op_name(op));
			if (in.op == op && batch_out[i].sigill && !bad++)
				printf("%08x (%s) is UNDEFINED\n", batch_in[i].raw,
				       a64_op_name(op));
			continue;
		}
		load_cpu(&cpu, &batch_in[i]);
		assert_int_equal(fp_exec(&cpu, &in), 0);
		if (!same(&batch_out[i], &cpu) && bad++ < 3)
			report(&batch_in[i], &batch_out[i], &cpu);
	}
	return bad;
}

static void test_all(void **state)
{
	const char *count = getenv("COUNT"), *only = getenv("OP");
	unsigned n = count ? (unsigned)atoi(count) : 256, bad = 0, done = 0;

	(void)state;
	if (start_guest()) {
		skip();
		return;
	}
	for (unsigned e = 0; e < ARRAY_SIZE(encs); e++) {
		unsigned b = 0;

		if (!fp_known(encs[e].op) || (only && strcmp(only, a64_op_name(encs[e].op))))
			continue;
		for (unsigned k = 0; k < n && b < 3; k += BATCH) {
			for (unsigned i = 0; i < BATCH; i++) {
				fill(&batch_in[i]);
				batch_in[i].raw = random_insn(encs[e].pattern);
				limit_gprs(&batch_in[i], encs[e].op);
			}
			b += run_batch(encs[e].op);
		}
		if (b)
			printf("-- %s %s\n", a64_op_name(encs[e].op), encs[e].pattern);
		bad += b != 0;
		done++;
	}
	printf("%u encodings, %u bad\n", done, bad);
	assert_true(done);
	assert_int_equal(bad, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_all, stop_guest)};

	fp_random_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

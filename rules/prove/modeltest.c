/* SPDX-License-Identifier: MIT */
/*
 * rules-modeltest CASES OUTPUT: the A64 model against qemu-user.
 * rules-modeltest --ops: the ops the model has.
 * rules-modeltest --branches OP [-n COUNT] [-s SEED] CASES: writes cases of a PC-relative op or
 * branch. rules-modeltest --hir [-n COUNT] [-s SEED]: the HIR model against the evaluator on
 * numbers and against this host's CPU.
 *
 * CASES are tests/insn case files, OUTPUT what tests/insn/runner printed for them under
 * qemu-aarch64
 * (--full). The model's terms are built with constants for inputs and simplified to numbers. Cases
 * that fault or access memory outside the window are skipped.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/hir.h"
#include "rules/prove/modeltest.h"
#include "rules/prove/sem.h"
#include "tests/insn/caseio.h"

#define MARK_REG 17
#define MARK	 0xbeefu
#define MOVZ_17	 (0xd2800000u | MARK << 5 | MARK_REG)
#define LINE_CAP (64 + 2 * sizeof(struct result))

static unsigned tested[A64_NUM_OPS], wrong[A64_NUM_OPS], skipped;

u64 model_value(struct sem *s, term t)
{
	uint64_t n = 0;

	Z3_get_numeral_uint64(s->z, Z3_simplify(s->z, t), &n);
	return n;
}

/* ---- A64 ---- */

struct a64_case {
	struct sem s;
	struct sstate st;
	const struct a64_insn *in;
	const struct insn_case *ic;
	struct regs before;
	u64 mem[WIN_RW * WIN_EDGE / 8];
};

static int operand(struct a64_case *c, enum gfield f, unsigned r)
{
	char name[16];
	u8 rc = (u8)gop_reg_class(c->in->op, f);
	int i;

	snprintf(name, sizeof(name), r == 31 && rc == RC_SP ? "sp" : r == 31 ? "zr" : "x%u", r);
	i = sem_reg(&c->s, name, bv_num(&c->s, r, 5), rc);
	c->s.init[i] = bv_num(&c->s, r == 31 ? c->before.sp : c->before.x[r], 64);
	return i;
}

/* Bytes of the window at addr before the instruction; false when they are not part of the case. */
static bool window_load(const struct a64_case *c, u64 addr, unsigned n, u64 *v)
{
	*v = 0;
	for (unsigned k = 0; k < n; k++) {
		u64 off = addr + k - WIN_BASE;
		bool found = false;

		for (unsigned e = 0; e < WIN_RW; e++) {
			u64 at = off - win_edge_offset(e);

			if (at >= WIN_EDGE)
				continue;
			*v |= (u64)((const u8 *)c->mem)[e * WIN_EDGE + at] << 8 * k;
			found = true;
		}
		if (!found)
			return false;
	}
	return true;
}

/* Address of the instruction, and what it finds there as a literal. */
static u64 code_va(const struct a64_case *c)
{
	return case_slot_address(c->ic) + SLOT_FIRST;
}

static bool code_load(const struct a64_case *c, u64 addr, unsigned n, u64 *v)
{
	u64 off = addr - code_va(c);

	*v = 0;
	if (off >= sizeof(c->ic->words) || off + n > 4ull * c->ic->nwords)
		return false;
	memcpy(v, (const u8 *)c->ic->words + off, n);
	return true;
}

/* Goes where the third word is, or reads its address or a word nearby. */
static bool is_pcrel(unsigned op)
{
	const char *shape = op == A64_UNDEF ? NULL : gop_shape((int)op);

	return shape && strchr(shape, 'L');
}

static bool is_indirect(unsigned op)
{
	return op == A64_BR || op == A64_BLR || op == A64_RET;
}

static bool build(struct a64_case *c, struct gterm *g)
{
	const struct a64_insn *in = c->in;
	struct sem *s = &c->s;

	*g = (struct gterm){.op = in->op, .width = in->sf ? 64 : 32, .amode = in->amode};
	g->rd = operand(c, F_RD, in->rd);
	g->rn = operand(c, F_RN, in->rn);
	g->rm = operand(c, F_RM, in->rm);
	g->ra = operand(c, F_RA, in->ra);
	/* Labels are offsets from the page's start; ADRP is relative to the page already. */
	g->imm = bv_num(
		s, (u64)in->imm + (is_pcrel(in->op) && in->op != A64_ADRP ? code_va(c) % PAGE : 0),
		64);
	g->immr = bv_num(s, in->immr, 64);
	g->imms = bv_num(s, in->imms, 64);
	g->amount = bv_num(s, in->amount, 64);
	g->cond = bv_num(s, in->cond, 64);
	g->shift = in->shift;
	g->mem = (enum mem_type)(in->size | in->sx << 2);
	return true;
}

static void report(const struct a64_insn *in, const char *what, u64 model, u64 qemu)
{
	char text[128];

	a64_disas(in, 0, text, sizeof(text));
	printf("differs: %s: %s: model %#" PRIx64 ", qemu %#" PRIx64 "\n", text, what, model, qemu);
	wrong[in->op]++;
}

/* Loaded values become the window's bytes. */
static bool bind_loads(struct a64_case *c, Z3_ast *from, Z3_ast *to, unsigned *n)
{
	int k = 0;

	*n = 0;
	for (int i = 0; i < c->st.naccess; i++) {
		const struct access_rec *a = &c->st.access[i];
		u64 addr = model_value(&c->s, a->addr), v;

		if (!window_load(c, addr, 1u << a->size, &v) &&
		    (a->store || !code_load(c, addr, 1u << a->size, &v)))
			return false;
		if (a->store)
			continue;
		from[*n] = c->s.load[k++];
		to[(*n)++] = bv_num(&c->s, v, 8u << a->size);
	}
	return true;
}

static void apply_stores(struct a64_case *c, u8 *mem)
{
	for (int i = 0; i < c->st.naccess; i++) {
		const struct access_rec *a = &c->st.access[i];
		u64 addr, v;

		if (!a->store)
			continue;
		addr = model_value(&c->s, a->addr);
		v = model_value(&c->s, a->data);
		for (unsigned k = 0; k < 1u << a->size; k++)
			for (unsigned e = 0; e < WIN_RW; e++) {
				u64 at = addr + k - WIN_BASE - win_edge_offset(e);

				if (at < WIN_EDGE)
					mem[e * WIN_EDGE + at] = (u8)(v >> 8 * k);
			}
	}
}

/* Does the instruction behind it run, which marks a register? */
static bool marked(struct a64_case *c)
{
	struct sem *s = &c->s;
	u64 to = 0;

	switch (c->st.exit) {
	case EX_FALL: return true;
	case EX_JUMP:
	case EX_CALL: to = model_value(s, c->st.target) + model_value(s, s->page_va); break;
	default: to = model_value(s, c->st.target); break;
	}
	if (c->st.exit == EX_JUMP &&
	    Z3_get_bool_value(s->z, Z3_simplify(s->z, c->st.taken)) != Z3_L_TRUE)
		return true;
	if (to != code_va(c) + 8)
		report(c->in, "target", to, code_va(c) + 8);
	return false;
}

static void compare(struct a64_case *c, const struct result *res)
{
	struct sem *s = &c->s;
	Z3_ast from[SEM_MAX_ACCESS], to[SEM_MAX_ACCESS];
	unsigned n, nzcv;
	unsigned before = wrong[c->in->op];
	char name[16];

	if (!bind_loads(c, from, to, &n)) {
		skipped++;
		return;
	}
	tested[c->in->op]++;
	for (unsigned r = 0; r < 32; r++) {
		u64 want = r == 31 ? res->r.sp : res->r.x[r];
		u64 got = r == 31 ? c->before.sp : c->before.x[r];

		snprintf(name, sizeof(name), r == 31 ? "sp" : "x%u", r);
		for (int i = 0; i < s->nregs; i++)
			if (!strcmp(s->reg[i].name, name))
				got = model_value(
					s, Z3_substitute(s->z, st_read(&c->st, i), n, from, to));
		if (r == MARK_REG && c->ic->nwords > 1)
			got = marked(c) ? MARK : got;
		if (got != want && wrong[c->in->op] == before)
			report(c->in, name, got, want);
	}
	nzcv = (unsigned)(model_value(s, c->st.n) << 3 | model_value(s, c->st.z) << 2 |
			  model_value(s, c->st.c) << 1 | model_value(s, c->st.v));
	if (nzcv != res->r.nzcv >> 28 && wrong[c->in->op] == before)
		report(c->in, "nzcv", nzcv, res->r.nzcv >> 28);
	apply_stores(c, (u8 *)c->mem);
	if (memcmp(c->mem, res->mem, sizeof(c->mem)) && wrong[c->in->op] == before)
		report(c->in, "memory", 0, 0);
}

static bool modelled(const struct a64_insn *in)
{
	return in->op != A64_UNDEF && gop_shape(in->op);
}

static void one_case(const struct insn_case *ic, const struct result *res)
{
	static struct a64_case c;
	Z3_config cfg;
	Z3_context z;
	struct a64_insn in;
	struct gterm g;

	a64_decode(ic->words[0], &in);
	/* Alone, or followed by what shows whether it branched. */
	if (ic->nwords != (is_pcrel(in.op) || is_indirect(in.op) ? 3 : 1) || res->r.sig ||
	    !modelled(&in)) {
		skipped++;
		return;
	}
	cfg = Z3_mk_config();
	z = Z3_mk_context(cfg);
	Z3_del_config(cfg);
	memset(&c, 0, sizeof(c));
	c.in = &in;
	c.ic = ic;
	case_state(ic, &c.before, c.mem);
	sem_init(&c.s, z);
	c.s.n0 = bv_num(&c.s, c.before.nzcv >> 31 & 1, 1);
	c.s.z0 = bv_num(&c.s, c.before.nzcv >> 30 & 1, 1);
	c.s.c0 = bv_num(&c.s, c.before.nzcv >> 29 & 1, 1);
	c.s.v0 = bv_num(&c.s, c.before.nzcv >> 28 & 1, 1);
	c.s.page_va = bv_num(&c.s, code_va(&c) & ~(PAGE - 1ull), 64);
	c.s.ret_addr = bv_num(&c.s, code_va(&c) + 4, 64);
	build(&c, &g);
	st_init(&c.st, &c.s);
	if (sem_a64(&c.st, &g)) {
		printf("not modelled: %s\n", gop_name(in.op));
		wrong[in.op]++;
	} else {
		compare(&c, res);
	}
	Z3_del_context(z);
}

static bool parse_line(const char *p, u32 count, u32 *index, struct result *r)
{
	u64 *w = (u64 *)r;

	*index = (u32)strtoul(p, NULL, 16);
	if (*index >= count || strlen(p) < 9 + 2 * sizeof(*r))
		return false;
	p += 9;
	for (size_t i = 0; i < sizeof(*r) / 8; i++, p += 16)
		if (sscanf(p, "%16" SCNx64, &w[i]) != 1)
			return false;
	return true;
}

static int run_a64(const char *cases, const char *output)
{
	static char line[LINE_CAP];
	struct insn_case *c;
	long n = cases_read(cases, &c);
	FILE *f = fopen(output, "r");
	unsigned total = 0, bad = 0, ops = 0;
	u32 index;
	struct result r;

	if (n < 0 || !f) {
		fprintf(stderr, "rules-modeltest: cannot read %s or %s\n", cases, output);
		return 2;
	}
	while (fgets(line, sizeof(line), f))
		if (line[0] == 'D' && parse_line(line + 1, (u32)n, &index, &r))
			one_case(&c[index], &r);
	fclose(f);
	free(c);
	for (int i = 0; i < A64_NUM_OPS; i++) {
		total += tested[i];
		bad += wrong[i];
		ops += tested[i] > 0;
	}
	printf("A64 model: %u cases of %u ops agree with qemu-user, %u differ (%u skipped)\n",
	       total - bad, ops, bad, skipped);
	return bad || !total;
}

/* ---- cases of branches ---- */

/* Word of `op` with random operands that leads to the third word, or to nothing. */
static u32 branch_word(int op, u64 *seed, struct insn_case *c)
{
	u32 r = (u32)conc_random(seed), rt = r % 17, w;

	switch (op) {
	case A64_B: return 0x14000002;
	case A64_BL: return 0x94000002;
	case A64_B_cond: return 0x54000040 | (r & 15);
	case A64_CBZ:
	case A64_CBNZ: w = (op == A64_CBZ ? 0x34000040u : 0x35000040u) | (r & 1u << 31); break;
	case A64_TBZ:
	case A64_TBNZ: w = (op == A64_TBZ ? 0x36000040u : 0x37000040u) | (r & 0x80f80000); break;
	case A64_ADR: return 0x10000000 | (r & 0x60ffffe0) | rt;
	case A64_ADRP: return 0x90000000 | (r & 0x60ffffe0) | rt;
	case A64_LDR_lit: return 0x18000020 | (r >> 24) % 3 << 30 | rt;
	case A64_BR: w = 0xd61f0000; break;
	case A64_BLR: w = 0xd63f0000; break;
	case A64_RET: w = 0xd65f0000; break;
	default: return 0;
	}
	if (is_indirect((unsigned)op)) {
		c->nfix = 1;
		c->fix[0] = (struct fix){.reg = (u8)rt, .kind = FIX_CODE, .off = SLOT_FIRST + 8};
		return w | rt << 5;
	}
	if (r & 0x100) { /* zero now and then */
		c->nfix = 1;
		c->fix[0] = (struct fix){.reg = (u8)rt, .kind = FIX_VALUE, .off = 0};
	}
	return w | rt;
}

/* Returns 1 when the op is none of these: insn-gen draws cases of it. */
static int write_branches(const char *op_name, const char *path, unsigned count, u64 seed)
{
	struct insn_case *c = calloc(count, sizeof(*c));
	int op = 1, err;

	while (op < A64_NUM_OPS && strcmp(gop_name(op), op_name))
		op++;
	if (!c || op == A64_NUM_OPS || !(is_pcrel((unsigned)op) || is_indirect((unsigned)op))) {
		free(c);
		return 1;
	}
	for (unsigned i = 0; i < count; i++) {
		c[i].seed = conc_random(&seed);
		c[i].slot = (u16)(i % CASE_SLOTS);
		c[i].nwords = 3;
		c[i].words[0] = branch_word(op, &seed, &c[i]);
		c[i].words[1] = MOVZ_17;
		c[i].words[2] = 0xd503201f; /* nop */
	}
	err = cases_write(path, c, count, true);
	free(c);
	return err ? 2 : 0;
}

int main(int argc, char **argv)
{
	unsigned count = 20000;
	u64 seed = 1;

	for (int i = 2; i + 1 < argc; i++)
		if (!strcmp(argv[i], "-n"))
			count = (unsigned)atoi(argv[i + 1]);
		else if (!strcmp(argv[i], "-s"))
			seed = strtoull(argv[i + 1], NULL, 0);
	if (argc > 3 && !strcmp(argv[1], "--branches"))
		return write_branches(argv[2], argv[argc - 1], count, seed);
	if (argc > 1 && !strcmp(argv[1], "--ops")) {
		for (int i = 1; i < A64_NUM_OPS; i++) {
			struct a64_insn in = {.op = (u16)i};

			if (modelled(&in))
				printf("%s\n", gop_name(i));
		}
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "--hir"))
		return modeltest_hir(count, seed);
	if (argc != 3) {
		fprintf(stderr,
			"usage: rules-modeltest CASES OUTPUT | --ops | --hir [-n COUNT] [-s "
			"SEED] | --branches OP [-n COUNT] [-s SEED] CASES\n");
		return 2;
	}
	return run_a64(argv[1], argv[2]);
}

/* SPDX-License-Identifier: MIT */
/*
 * rules-modeltest CASES OUTPUT: the A64 model against qemu-user.
 * rules-modeltest --ops: the ops the model has.
 * rules-modeltest --hir [-n COUNT] [-s SEED]: the HIR model against the evaluator on numbers.
 *
 * CASES are tests/insn case files of one instruction a case, OUTPUT what tests/insn/runner printed
 * for them under qemu-aarch64 (--full). The model's terms are built with constants for inputs and
 * simplified to numbers. Cases that fault, branch or access memory outside the window are skipped.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/hir.h"
#include "rules/prove/concrete.h"
#include "rules/prove/sem.h"
#include "tests/insn/caseio.h"

#define LINE_CAP (64 + 2 * sizeof(struct result))

static unsigned tested[A64_NUM_OPS], wrong[A64_NUM_OPS], skipped;

static u64 value(struct sem *s, term t)
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

static bool build(struct a64_case *c, struct gterm *g)
{
	const struct a64_insn *in = c->in;
	struct sem *s = &c->s;

	*g = (struct gterm){.op = in->op, .width = in->sf ? 64 : 32, .amode = in->amode};
	g->rd = operand(c, F_RD, in->rd);
	g->rn = operand(c, F_RN, in->rn);
	g->rm = operand(c, F_RM, in->rm);
	g->ra = operand(c, F_RA, in->ra);
	g->imm = bv_num(s, (u64)in->imm, 64);
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
		u64 addr = value(&c->s, a->addr), v;

		if (!window_load(c, addr, 1u << a->size, &v))
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
		addr = value(&c->s, a->addr);
		v = value(&c->s, a->data);
		for (unsigned k = 0; k < 1u << a->size; k++)
			for (unsigned e = 0; e < WIN_RW; e++) {
				u64 at = addr + k - WIN_BASE - win_edge_offset(e);

				if (at < WIN_EDGE)
					mem[e * WIN_EDGE + at] = (u8)(v >> 8 * k);
			}
	}
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
				got = value(s,
					    Z3_substitute(s->z, st_read(&c->st, i), n, from, to));
		if (got != want && wrong[c->in->op] == before)
			report(c->in, name, got, want);
	}
	nzcv = (unsigned)(value(s, c->st.n) << 3 | value(s, c->st.z) << 2 | value(s, c->st.c) << 1 |
			  value(s, c->st.v));
	if (nzcv != res->r.nzcv >> 28 && wrong[c->in->op] == before)
		report(c->in, "nzcv", nzcv, res->r.nzcv >> 28);
	apply_stores(c, (u8 *)c->mem);
	if (memcmp(c->mem, res->mem, sizeof(c->mem)) && wrong[c->in->op] == before)
		report(c->in, "memory", 0, 0);
}

static bool modelled(const struct a64_insn *in)
{
	const char *shape = in->op == A64_UNDEF ? NULL : gop_shape(in->op);

	return shape && !strchr(shape, 'L') && in->op != A64_BR && in->op != A64_BLR &&
	       in->op != A64_RET;
}

static void one_case(const struct insn_case *ic, const struct result *res)
{
	static struct a64_case c;
	Z3_config cfg;
	Z3_context z;
	struct a64_insn in;
	struct gterm g;

	a64_decode(ic->words[0], &in);
	if (ic->nwords != 1 || res->r.sig || !modelled(&in)) {
		skipped++;
		return;
	}
	cfg = Z3_mk_config();
	z = Z3_mk_context(cfg);
	Z3_del_config(cfg);
	memset(&c, 0, sizeof(c));
	c.in = &in;
	case_state(ic, &c.before, c.mem);
	sem_init(&c.s, z);
	c.s.n0 = bv_num(&c.s, c.before.nzcv >> 31 & 1, 1);
	c.s.z0 = bv_num(&c.s, c.before.nzcv >> 30 & 1, 1);
	c.s.c0 = bv_num(&c.s, c.before.nzcv >> 29 & 1, 1);
	c.s.v0 = bv_num(&c.s, c.before.nzcv >> 28 & 1, 1);
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

/* ---- HIR ---- */

static unsigned htested[HIR_NUM_OPS];

static struct hir random_op(u64 *seed)
{
	struct hir h = {0};
	const char *shape;

	do
		h.op = (u8)(conc_random(seed) % HIR_NUM_OPS);
	while (!(shape = hop_shape(h.op)) || h.op == HIR_PCADDR);
	h.w = conc_random(seed) & 1 ? 8 : 4;
	if (h.op == HIR_UMULH || h.op == HIR_SMULH || h.op == HIR_BSWAP32)
		h.w = 8;
	h.d = hd((unsigned)(conc_random(seed) % 4));
	h.a = hx((unsigned)(conc_random(seed) % 4));
	if (strchr(shape, 'b') && h.op != HIR_LEA)
		h.b = conc_random(seed) & 1 ? hx((unsigned)(conc_random(seed) % 4))
					    : himm((s32)conc_operand(seed));
	if (h.op == HIR_LEA)
		h.b = hx((unsigned)(conc_random(seed) % 4));
	if (strchr(shape, 'c'))
		h.c = himm((s64)(conc_random(seed) % (h.op == HIR_LEA ? 4
						      : h.op == HIR_CCMP || h.op == HIR_CCMN
							      ? 16
							      : h.w * 8u)));
	h.setf = hop_may_setf(h.op) && conc_random(seed) & 1;
	if (h.op == HIR_CCMP || h.op == HIR_CCMN)
		h.setf = 1;
	h.cc = (u8)(conc_random(seed) % 14);
	h.imm2 = h.op == HIR_LEA || hop_is_mem(h.op) ? (s32)(conc_random(seed) % 512) - 256 : 0;
	if (hop_is_mem(h.op)) {
		h.size = (u8)(conc_random(seed) % 4);
		h.w = h.size == 3 ? 8 : h.w;
		h.sx = h.op == HIR_LD && h.size < 3 && conc_random(seed) & 1;
	}
	if (hop_is_control(h.op)) {
		h.b = strchr(shape, 'b') ? hx((unsigned)(conc_random(seed) % 4)) : hnone();
		if (h.op != HIR_BR && h.op != HIR_BLR && h.op != HIR_RET)
			h.a = himm((s64)(conc_random(seed) % 1024) * 4);
	}
	return h;
}

static struct hterm_opnd hir_operand(struct sem *s, const struct hir_opnd *o,
				     const struct conc_state *st)
{
	struct hterm_opnd t = {0};
	char name[16];

	if (o->kind == H_X) {
		snprintf(name, sizeof(name), "x%u", o->reg);
		t.kind = HT_REG;
		t.reg = sem_reg(s, name, bv_num(s, o->reg, 5), RC_ZR);
		s->init[t.reg] = bv_num(s, st->x[o->reg], 64);
	} else if (o->kind == H_IMM) {
		t.kind = HT_VALUE;
		t.val = bv_num(s, (u64)o->imm, 64);
	}
	return t;
}

static bool same_state(struct sem *s, struct sstate *m, const struct conc_state *c)
{
	if (value(s, m->n) != c->n || value(s, m->z) != c->z || value(s, m->c) != c->c ||
	    value(s, m->v) != c->v)
		return false;
	if (m->naccess != c->naccess)
		return false;
	for (int i = 0; i < m->naccess; i++)
		if (value(s, m->access[i].addr) != c->access[i].addr ||
		    (m->access[i].store && value(s, m->access[i].data) != c->access[i].data))
			return false;
	for (int i = 0; i < s->nregs; i++) {
		term v = st_read(m, i);
		Z3_ast to;

		if (m->nloads) {
			to = bv_num(s, conc_load_value(c->access[0].addr, c->access[0].size, 0),
				    8u << c->access[0].size);
			v = Z3_substitute(s->z, v, 1, &s->load[0], &to);
		}
		if (s->reg[i].name[1] != '3' && /* x30: the model has the return address symbolic */
		    value(s, v) != c->x[atoi(s->reg[i].name + 1)])
			return false;
	}
	if (m->exit == EX_FALL ||
	    (m->exit == EX_JUMP &&
	     Z3_get_bool_value(s->z, Z3_simplify(s->z, m->taken)) != Z3_L_TRUE))
		return !c->exit;
	return c->exit && value(s, m->target) == c->target;
}

static bool one_op(u64 *seed)
{
	static struct sem s;
	struct sstate m;
	struct conc_state c;
	struct hir h = random_op(seed);
	struct hterm t = {.op = h.op, .w = h.w, .setf = h.setf, .size = h.size, .sx = h.sx};
	Z3_config cfg = Z3_mk_config();
	Z3_context z = Z3_mk_context(cfg);
	char text[256];
	bool ok;

	Z3_del_config(cfg);
	sem_init(&s, z);
	conc_state_random(&c, seed);
	s.n0 = bv_num(&s, c.n, 1);
	s.z0 = bv_num(&s, c.z, 1);
	s.c0 = bv_num(&s, c.c, 1);
	s.v0 = bv_num(&s, c.v, 1);
	t.d = hir_operand(&s, &h.d, &c);
	t.a = hir_operand(&s, &h.a, &c);
	t.b = hir_operand(&s, &h.b, &c);
	t.c = hir_operand(&s, &h.c, &c);
	t.disp = h.imm2 ? bv_num(&s, (u64)(s64)h.imm2, 64) : NULL;
	t.cc = bv_num(&s, h.cc, 4);
	st_init(&m, &s);
	ok = !sem_hir(&m, &t) && !conc_exec(&c, &h) && same_state(&s, &m, &c);
	htested[h.op]++;
	if (!ok) {
		hir_dump(&h, text, sizeof(text));
		printf("differs: %s\n", text);
	}
	Z3_del_context(z);
	return ok;
}

static int run_hir(unsigned count, u64 seed)
{
	unsigned bad = 0, ops = 0;

	for (unsigned i = 0; i < count; i++)
		bad += !one_op(&seed);
	for (int i = 0; i < HIR_NUM_OPS; i++) {
		ops += htested[i] > 0;
		if (hop_shape(i) && !htested[i] && i != HIR_PCADDR)
			printf("  no case of %s\n", hop_name(i));
	}
	printf("HIR model: %u operations of %u ops agree with the evaluator, %u differ\n",
	       count - bad, ops, bad);
	return bad != 0;
}

int main(int argc, char **argv)
{
	unsigned count = 20000;
	u64 seed = 1;

	if (argc > 1 && !strcmp(argv[1], "--ops")) {
		for (int i = 1; i < A64_NUM_OPS; i++) {
			struct a64_insn in = {.op = (u16)i};

			if (modelled(&in))
				printf("%s\n", gop_name(i));
		}
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "--hir")) {
		for (int i = 2; i + 1 < argc; i += 2)
			if (!strcmp(argv[i], "-n"))
				count = (unsigned)atoi(argv[i + 1]);
			else if (!strcmp(argv[i], "-s"))
				seed = strtoull(argv[i + 1], NULL, 0);
		return run_hir(count, seed);
	}
	if (argc != 3) {
		fprintf(stderr, "usage: rules-modeltest CASES OUTPUT | --ops | --hir [-n COUNT] "
				"[-s SEED]\n");
		return 2;
	}
	return run_a64(argv[1], argv[2]);
}

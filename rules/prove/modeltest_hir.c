/* SPDX-License-Identifier: MIT */
/* Random HIR: the symbolic model, the evaluator and the host's CPU must agree. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/prove/modeltest.h"

#define MAX_OPS 4

static unsigned tested[HIR_NUM_OPS], on_host[HIR_NUM_OPS];

static struct hir random_op(u64 *seed)
{
	struct hir h = {0};
	const char *shape;

	do
		h.op = (u8)(conc_random(seed) % HIR_NUM_OPS);
	while (!(shape = hop_shape(h.op)));
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
	if (h.op == HIR_PCADDR) {
		h.w = 8;
		h.a = himm((s64)(conc_random(seed) % 8192) - 4096);
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
	if (model_value(s, m->n) != c->n || model_value(s, m->z) != c->z ||
	    model_value(s, m->c) != c->c || model_value(s, m->v) != c->v)
		return false;
	if (m->naccess != c->naccess)
		return false;
	for (int i = 0; i < m->naccess; i++)
		if (model_value(s, m->access[i].addr) != c->access[i].addr ||
		    (m->access[i].store && model_value(s, m->access[i].data) != c->access[i].data))
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
		    model_value(s, v) != c->x[atoi(s->reg[i].name + 1)])
			return false;
	}
	if (m->exit == EX_FALL ||
	    (m->exit == EX_JUMP &&
	     Z3_get_bool_value(s->z, Z3_simplify(s->z, m->taken)) != Z3_L_TRUE))
		return !c->exit;
	return c->exit && model_value(s, m->target) == c->target;
}

/* The model with this state for inputs says what the evaluator made of it. */
static bool model_agrees(const struct hir *h, const struct conc_state *before,
			 const struct conc_state *after)
{
	static struct sem s;
	struct sstate m;
	struct hterm t = {.op = h->op, .w = h->w, .setf = h->setf, .size = h->size, .sx = h->sx};
	Z3_config cfg = Z3_mk_config();
	Z3_context z = Z3_mk_context(cfg);
	bool ok;

	Z3_del_config(cfg);
	sem_init(&s, z);
	s.n0 = bv_num(&s, before->n, 1);
	s.z0 = bv_num(&s, before->z, 1);
	s.c0 = bv_num(&s, before->c, 1);
	s.v0 = bv_num(&s, before->v, 1);
	s.page_va = bv_num(&s, before->page_va, 64);
	s.ret_addr = bv_num(&s, before->ret_addr, 64);
	t.d = hir_operand(&s, &h->d, before);
	t.a = hir_operand(&s, &h->a, before);
	t.b = hir_operand(&s, &h->b, before);
	t.c = hir_operand(&s, &h->c, before);
	t.disp = h->imm2 ? bv_num(&s, (u64)(s64)h->imm2, 64) : NULL;
	t.cc = bv_num(&s, h->cc, 4);
	st_init(&m, &s);
	ok = !sem_hir(&m, &t) && same_state(&s, &m, after);
	Z3_del_context(z);
	return ok;
}

/* Operations that may stand before another one: neither accesses nor branches. */
static struct hir plain_op(u64 *seed)
{
	struct hir h;

	do
		h = random_op(seed);
	while (hop_is_mem(h.op) || hop_is_control(h.op));
	return h;
}

static void dump(const char *who, const struct hir_buf *b)
{
	char text[256];

	printf("differs (%s):\n", who);
	for (unsigned i = 0; i < b->n; i++) {
		hir_dump(&b->op[i], text, sizeof(text));
		printf("  %s\n", text);
	}
}

/* The last operation on the model; all of them on the host, whose flags may then be in EFLAGS. */
static bool one_case(u64 *seed)
{
	static struct hir_buf b;
	struct conc_state before, mid, after, host;

	b.n = 1 + (unsigned)(conc_random(seed) % MAX_OPS);
	b.insn = 0;
	conc_state_random(&before, seed);
	for (unsigned i = 0; i + 1 < b.n; i++)
		b.op[i] = plain_op(seed);
	b.op[b.n - 1] = random_op(seed);
	if (hop_is_mem(b.op[b.n - 1].op) || hop_is_control(b.op[b.n - 1].op))
		/* addresses and targets must survive what comes before */
		for (unsigned i = 0; i + 1 < b.n; i++)
			if (b.op[i].d.kind == H_X && b.op[i].d.reg == b.op[b.n - 1].a.reg)
				b.op[i].d = hnone();
	host_place(&b.op[b.n - 1], &before, seed);
	mid = before;
	for (unsigned i = 0; i + 1 < b.n; i++)
		if (conc_exec(&mid, &b.op[i]))
			return false;
	after = mid;
	if (conc_exec(&after, &b.op[b.n - 1]) || !model_agrees(&b.op[b.n - 1], &mid, &after)) {
		dump("model and evaluator", &b);
		return false;
	}
	tested[b.op[b.n - 1].op]++;
	host = after;
	if (host_run(&b, &before, &host)) {
		dump("no host code", &b);
		return false;
	}
	for (unsigned i = 0; i < b.n; i++)
		on_host[b.op[i].op]++;
	if (!conc_same(&after, &host, true)) {
		dump("evaluator and host", &b);
		for (int r = 0; r < 32; r++)
			if (after.x[r] != host.x[r])
				printf("    x%d = %#llx: evaluator %#llx, host %#llx\n", r,
				       (unsigned long long)before.x[r],
				       (unsigned long long)after.x[r],
				       (unsigned long long)host.x[r]);
		return false;
	}
	return true;
}

int modeltest_hir(unsigned count, u64 seed)
{
	unsigned bad = 0, ops = 0;

	if (host_init()) {
		printf("no translator here\n");
		return 2;
	}
	for (unsigned i = 0; i < count; i++)
		bad += !one_case(&seed);
	host_fini();
	for (int i = 0; i < HIR_NUM_OPS; i++) {
		if (!hop_shape(i))
			continue;
		ops += tested[i] > 0;
		printf("%s: %u cases on the model, %u on the host CPU\n", hop_name(i), tested[i],
		       on_host[i]);
		if (!tested[i] || !on_host[i]) {
			printf("  no case of %s\n", hop_name(i));
			bad++;
		}
	}
	printf("HIR model: %u cases of %u ops agree with evaluator and host CPU, %u differ\n",
	       count - bad, ops, bad);
	return bad != 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Which host register holds which guest register: tried out on random numbers, all assignments of
 * the registers read first, most of which fail in the first round.
 */
#include <stdlib.h>
#include <string.h>

#include "rules/learn/learn.h"
#include "rules/prove/concrete.h"

#define STATES	   24
#define MAX_INPUTS 4

struct io {
	int n;
	u8 reg[32];
	u32 written;
};

static void host_io(const struct hostseq *h, struct io *io)
{
	u32 seen = 0;

	memset(io, 0, sizeof(*io));
	for (int i = 0; i < h->n; i++) {
		const struct hir_opnd *o[] = {&h->op[i].a, &h->op[i].b, &h->op[i].c};

		for (int k = 0; k < 3; k++)
			if (o[k]->kind == H_X && !(io->written & 1u << o[k]->reg) &&
			    !(seen & 1u << o[k]->reg)) {
				seen |= 1u << o[k]->reg;
				io->reg[io->n++] = o[k]->reg;
			}
		if (h->op[i].d.kind == H_X)
			io->written |= 1u << h->op[i].d.reg;
	}
}

int host_inputs(const struct hostseq *h)
{
	struct io io;

	host_io(h, &io);
	return io.n;
}

static bool same_accesses(const struct conc_state *a, const struct conc_state *b)
{
	if (a->naccess != b->naccess)
		return false;
	for (int i = 0; i < a->naccess; i++)
		if (a->access[i].store != b->access[i].store ||
		    a->access[i].size != b->access[i].size ||
		    a->access[i].addr != b->access[i].addr ||
		    a->access[i].data != b->access[i].data)
			return false;
	return true;
}

/* The states both sides start from, the same for all pairs: the guest's results are kept with it.
 */
static struct {
	bool ready;
	struct conc_state st[STATES];
	u64 other[STATES][16]; /* host registers that hold nothing of the guest's */
} start;

static void make_start(void)
{
	u64 seed = 99;

	for (int i = 0; i < STATES; i++) {
		conc_state_random(&start.st[i], &seed);
		for (int k = 0; k < 16; k++)
			start.other[i][k] = conc_random(&seed);
	}
	start.ready = true;
}

static bool run_guest(struct guestseq *g)
{
	if (!start.ready)
		make_start();
	if (g->after)
		return true;
	g->after = malloc(STATES * sizeof(*g->after));
	for (int i = 0; g->after && i < STATES; i++) {
		g->after[i] = start.st[i];
		for (int k = 0; k < g->nhir; k++)
			if (conc_exec(&g->after[i], &g->hir[k])) {
				guest_release(g);
				return false;
			}
	}
	return g->after != NULL;
}

void guest_release(struct guestseq *g)
{
	free(g->after);
	g->after = NULL;
}

struct trial {
	const struct guestseq *g;
	const struct hostseq *h;
	u32 cand[32]; /* guest register -> host registers that held its value so far */
	int producer; /* the host operation that last makes flags, -1 */
	bool flags;
	int taken_same, taken_diff;
};

static bool one_round(struct trial *t, const struct mapping *m, int round)
{
	const struct conc_state *a = &t->g->after[round];
	struct conc_state b = start.st[round];

	for (int i = 0; i < 16; i++)
		b.x[i] = m->in[i] >= 0 ? start.st[round].x[m->in[i]] : start.other[round][i];
	for (int i = 0; i < t->h->n; i++) {
		struct hir h = t->h->op[i];

		/* What text_write makes the rule's flags of. */
		h.setf |= i == t->producer;
		if (conc_exec(&b, &h))
			return false;
	}
	if (!same_accesses(a, &b))
		return false;
	for (int r = 0; r < 32; r++) {
		u32 hold = 0;

		if (!(t->g->written & 1u << r))
			continue;
		for (int k = 0; k < 16; k++)
			hold |= (u32)(b.x[k] == a->x[r]) << k;
		t->cand[r] &= hold;
		if (!t->cand[r])
			return false; /* exceptions show all registers: none may be missing */
	}
	t->flags &= a->n == b.n && a->z == b.z && a->c == b.c && a->v == b.v;
	if (!a->exit == !b.exit)
		t->taken_same++;
	else
		t->taken_diff++;
	return !(t->taken_same && t->taken_diff);
}

static bool try_inputs(struct trial *t, struct mapping *m, const struct io *io)
{
	for (int r = 0; r < 32; r++)
		t->cand[r] = 0xffff;
	t->flags = true;
	t->taken_same = t->taken_diff = 0;
	for (int i = 0; i < STATES; i++)
		if (!one_round(t, m, i))
			return false;
	m->flags = t->flags;
	m->missing = 0;
	for (int r = 0; r < 32; r++) {
		u32 c = t->cand[r] & io->written;

		m->out[r] = -1;
		/* A register the host wrote, else one it left alone (a copy). */
		if (t->g->written & 1u << r)
			m->out[r] = (s8)__builtin_ctz(c ? c : t->cand[r]);
	}
	/* Something must have been computed. */
	return t->g->naccess || t->g->written || t->taken_diff + t->taken_same > 0;
}

static bool permute(struct trial *t, struct mapping *m, const struct io *io, const u8 *guest,
		    int ng, int i, u32 used)
{
	if (i == io->n)
		return try_inputs(t, m, io);
	for (int k = 0; k < ng; k++) {
		if (used & 1u << k)
			continue;
		m->in[io->reg[i]] = (s8)guest[k];
		if (permute(t, m, io, guest, ng, i + 1, used | 1u << k))
			return true;
		m->in[io->reg[i]] = -1;
	}
	return false;
}

static bool ends_in_branch(const struct hir *h, int n)
{
	return n && hop_is_control(h[n - 1].op);
}

bool find_mapping(struct guestseq *g, const struct hostseq *h, struct mapping *m)
{
	struct trial t = {.g = g, .h = h, .producer = -1};
	struct io io;
	u8 guest[32];
	int ng = 0;

	memset(m, 0, sizeof(*m));
	memset(m->in, -1, sizeof(m->in));
	host_io(h, &io);
	for (int i = 0; i < h->n && g->writes_flags; i++)
		if (h->producer[i] && hop_may_setf(h->op[i].op))
			t.producer = i;
	for (int r = 0; r < 32; r++)
		if (g->live_in & 1u << r)
			guest[ng++] = (u8)r;
	if (io.n != ng || ng > MAX_INPUTS ||
	    ends_in_branch(g->hir, g->nhir) != ends_in_branch(h->op, h->n))
		return false;
	if (!run_guest(g))
		return false;
	if (!permute(&t, m, &io, guest, ng, 0, 0))
		return false;
	/* The compilers may lay the two ways out differently. */
	if (t.taken_diff) {
		struct hir *b = (struct hir *)&h->op[h->n - 1];

		switch (b->op) {
		case HIR_BCC: b->cc ^= 1; break;
		case HIR_BZ: b->op = HIR_BNZ; break;
		case HIR_BNZ: b->op = HIR_BZ; break;
		case HIR_BTZ: b->op = HIR_BTNZ; break;
		case HIR_BTNZ: b->op = HIR_BTZ; break;
		default: return false;
		}
	}
	return true;
}

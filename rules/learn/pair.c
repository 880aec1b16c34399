/* SPDX-License-Identifier: MIT */
/*
 * Pairs of sequences out of two executables of one source file: windows of the instructions of each
 * line, paired where accesses and inputs are alike, mapped, generalised.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/learn/store.h"

#define MAX_RUN	     16 /* instructions of a line that are looked at */
#define MAX_HOST_SEQ 6

/* Field by field: what is between the fields of a struct is anything. */
static u64 mix(u64 key, u64 v)
{
	key = (key ^ v) * 0x9e3779b97f4a7c15ull;
	return key ^ key >> 29;
}

/* ---- what is the same but for the choice of registers is seen once ---- */

struct renaming {
	u8 of[32]; /* 0: not met yet */
	u8 next;
};

static u8 rename_reg(struct renaming *n, u8 r)
{
	if (r == 31)
		return r;
	if (!n->of[r])
		n->of[r] = ++n->next;
	return n->of[r];
}

static u64 guest_key(const struct guestseq *g)
{
	struct renaming n = {{0}, 0};
	u64 key = 1469598103934665603ull;

	for (int k = 0; k < g->n; k++) {
		struct a64_insn in = g->insn[k];
		const char *shape = gop_shape(in.op);
		bool mem = strchr(shape, '@');

		in.raw = 0;
		in.rd = strchr(shape, 'd') ? rename_reg(&n, in.rd) : 0;
		in.rn = mem || strchr(shape, 'n') ? rename_reg(&n, in.rn) : 0;
		in.rm = (mem && in.amode == A64_AM_REG) || strchr(shape, 'm')
				? rename_reg(&n, in.rm)
				: 0;
		in.ra = strchr(shape, 'a') ? rename_reg(&n, in.ra) : 0;
		/* Branch offsets differ from place to place. */
		if (strchr(shape, 'L'))
			in.imm = 0;
		key = mix(key, in.op | (u64)in.sf << 16 | (u64)in.rd << 24 | (u64)in.rn << 32 |
				       (u64)in.rm << 40 | (u64)in.ra << 48 | (u64)in.cond << 56);
		key = mix(key, in.shift | (u64)in.amount << 8 | (u64)in.amode << 16 |
				       (u64)in.size << 24 | (u64)in.sx << 32 | (u64)in.immr << 40 |
				       (u64)in.imms << 48);
		key = mix(key, (u64)in.imm);
	}
	return key;
}

static u64 mix_operand(u64 key, const struct hir_opnd *o, struct renaming *n)
{
	u8 reg = o->kind == H_X ? rename_reg(n, o->reg) : o->kind == H_T ? o->reg : 0;

	key = mix(key, o->kind | (u64)reg << 8);
	return o->kind == H_IMM ? mix(key, (u64)o->imm) : key;
}

static u64 host_key(const struct hostseq *h)
{
	struct renaming n = {{0}, 0};
	u64 key = 1469598103934665603ull;

	for (int i = 0; i < h->n; i++) {
		const struct hir *o = &h->op[i];

		key = mix_operand(key, &o->a, &n);
		key = mix_operand(key, &o->b, &n);
		key = mix_operand(key, &o->c, &n);
		key = mix_operand(key, &o->d, &n);
		key = mix(key, o->op | (u64)o->w << 8 | (u64)o->cc << 16 | (u64)o->setf << 24 |
				       (u64)o->size << 32 | (u64)o->sx << 40);
		key = mix(key, (u64)o->imm2);
	}
	return key;
}

struct gwin {
	bool ok;
	struct guestseq g;
	u64 key, sig;
};
struct hwin {
	bool ok;
	struct hostseq h;
	u64 key, sig;
};

static bool ends_block(const struct hir *h, int n)
{
	return n && hop_is_control(h[n - 1].op);
}

/*
 * Every instruction of the guest sequence must serve what the host has too: a register, the flags,
 * an access, the branch. Else the pair says no more than that a dead register need not be computed.
 */
static bool worthwhile(const struct guestseq *g, const struct mapping *m)
{
	u32 live = g->written & ~m->missing, temps = 0;
	bool flags = g->writes_flags && m->flags;

	/* A register is dead for certain only where the block writes it again before anything that
	 * may fault: too seldom to learn rules for. */
	if (m->missing)
		return false;
	for (int i = g->nhir; i-- > 0;) {
		const struct hir *h = &g->hir[i];
		const struct hir_opnd *o[] = {&h->a, &h->b, &h->c};
		bool needed = h->op == HIR_ST || hop_is_control(h->op) || (h->setf && flags);

		if (h->d.kind == H_X) {
			needed |= live >> h->d.reg & 1;
			live &= ~(1u << h->d.reg);
		} else if (h->d.kind == H_T) {
			needed |= temps >> h->d.reg & 1;
			temps &= ~(1u << h->d.reg);
		}
		if (!needed)
			return false;
		if (h->setf)
			flags = false;
		flags |= hop_reads_flags(h->op);
		for (int k = 0; k < 3; k++)
			if (o[k]->kind == H_X)
				live |= 1u << o[k]->reg;
			else if (o[k]->kind == H_T)
				temps |= 1u << o[k]->reg;
	}
	return true;
}

/* What both sides must have alike: accesses in kind, size and order, inputs, a branch at the end.
 */
static u64 signature(const struct hir *h, int n, int inputs)
{
	u64 sig = mix(1, (u64)inputs);

	for (int i = 0; i < n; i++)
		if (hop_is_mem(h[i].op))
			sig = mix(sig, h[i].op | (u64)h[i].size << 8);
	return sig * 2 + ends_block(h, n);
}

static void learn_pair(struct store *w, struct gwin *g, const struct hwin *h)
{
	struct hostseq host = h->h;
	struct mapping m;
	struct pairtext t = {.g = &g->g, .h = &host, .m = &m};
	struct learned l;
	struct seen *seen;
	bool fresh;

	w->st.windows++;
	if (g->sig != h->sig)
		return;
	seen = store_seen(w, mix(g->key, h->key), &fresh);
	if (!fresh) {
		if (seen && seen->rule)
			w->rule[seen->rule - 1].count++;
		return;
	}
	w->st.candidates++;
	if (!find_mapping(&g->g, &host, &m))
		return;
	w->st.mapped++;
	if (!worthwhile(&g->g, &m))
		return;
	memset(&l, 0, sizeof(l));
	if (!generalise(&t, &l))
		return;
	w->st.accepted++;
	store_right(w, seen->key);
	if (!l.text[0])
		return;
	w->st.gains++;
	store_pair(w, &l);
	seen->rule = (u32)store_rule(w, &l) + 1;
}

static void guest_window(struct store *w, const struct insn_line *in, int n, struct gwin *g)
{
	u32 words[MAX_GUEST_SEQ];
	const char *why;

	for (int i = 0; i < n; i++)
		memcpy(&words[i], in[i].bytes, 4);
	g->ok = !guest_prepare(words, n, &g->g, &why);
	if (g->ok) {
		g->key = guest_key(&g->g);
		g->sig = signature(g->g.hir, g->g.nhir, __builtin_popcount(g->g.live_in));
	} else {
		w->st.guest_rejected++;
	}
}

static void host_window(struct store *w, const struct insn_line *in, int n, struct hwin *h)
{
	const char *why;

	h->ok = !x86_to_hir(in, n, &h->h, &why);
	if (!h->ok) {
		w->st.host_rejected++;
		return;
	}
	h->key = host_key(&h->h);
	h->sig = signature(h->h.op, h->h.n, host_inputs(&h->h));
}

static void learn_run(struct store *w, const struct insn_line *gi, int gn,
		      const struct insn_line *hi, int hn)
{
	static struct gwin g;
	static struct hwin host[MAX_RUN * MAX_HOST_SEQ];
	int nh = 0;

	w->st.runs++;
	gn = gn < MAX_RUN ? gn : MAX_RUN;
	hn = hn < MAX_RUN ? hn : MAX_RUN;
	for (int s = 0; s < hn; s++)
		for (int l = 1; l <= MAX_HOST_SEQ && s + l <= hn; l++) {
			host_window(w, hi + s, l, &host[nh]);
			if (!host[nh].ok)
				break; /* longer ones contain it */
			nh++;
		}
	for (int s = 0; s < gn; s++)
		for (int l = 1; l <= MAX_GUEST_SEQ && s + l <= gn; l++) {
			guest_window(w, gi + s, l, &g);
			if (!g.ok)
				break;
			for (int k = 0; k < nh; k++)
				if (host[k].h.n <= l + 2)
					learn_pair(w, &g, &host[k]);
			guest_release(&g.g);
		}
}

/*
 * The instructions from i on that belong to at most two lines: compilers mix those of neighbouring
 * statements. *a and *b are the lines, *b 0 when there is one only.
 */
struct run {
	int n;
	u64 a, b;
};

static u64 line_of(const struct insn_line *in)
{
	return (u64)in->file << 32 | in->line;
}

static struct run run_at(const struct func *f, int i, int lines)
{
	struct run r = {0, line_of(&f->insn[i]), 0};

	for (; i + r.n < f->n; r.n++) {
		u64 l = line_of(&f->insn[i + r.n]);

		if (l == r.a || l == r.b)
			continue;
		if (r.b || lines == 1)
			break;
		r.b = l;
	}
	return r;
}

static bool same_lines(const struct run *x, const struct run *y)
{
	return (x->a == y->a && x->b == y->b) || (x->a == y->b && x->b == y->a);
}

/* Where the run of the first line ends: the next one starts there. */
static int step_of(const struct func *f, int i)
{
	return run_at(f, i, 1).n;
}

static void learn_lines(struct store *w, const struct func *g, const struct func *h, int lines)
{
	for (int i = 0; i < g->n; i += step_of(g, i)) {
		struct run gr = run_at(g, i, lines);
		int pairs = 0;

		w->line = g->insn[i].line;
		if (!w->line || (lines == 2 && !gr.b))
			continue;
		for (int j = 0; j < h->n && pairs < 4; j += step_of(h, j)) {
			struct run hr = run_at(h, j, lines);

			if (!same_lines(&gr, &hr))
				continue;
			learn_run(w, &g->insn[i], gr.n, &h->insn[j], hr.n);
			pairs++;
		}
	}
}

static void learn_function(struct store *w, const struct func *g, const struct func *h)
{
	w->st.functions++;
	snprintf(w->src, sizeof(w->src), "%s", g->src);
	learn_lines(w, g, h, 1);
	learn_lines(w, g, h, 2);
}

void learn_objects(struct store *w, const char *package, const char *a64, const char *x86)
{
	struct object g, h;

	w->package = package;
	w->st.objects++;
	if (object_load(a64, &g))
		return;
	if (object_load(x86, &h)) {
		object_free(&g);
		return;
	}
	for (int i = 0; i < g.nfuncs; i++)
		for (int j = 0; j < h.nfuncs; j++)
			if (!strcmp(g.func[i].name, h.func[j].name)) {
				learn_function(w, &g.func[i], &h.func[j]);
				break;
			}
	object_free(&g);
	object_free(&h);
}

/* SPDX-License-Identifier: MIT */
/*
 * rules-learn -j N -o FILE [--max N] LIST
 *
 * LIST has lines "PACKAGE A64-EXECUTABLE X86-EXECUTABLE". Pairs code by source line, learns, writes
 * the candidates that stood the tests to FILE, most frequent first; rules-prove does the rest.
 * Statistics on stdout. The same list gives the same file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rules/learn/learn.h"

#define MAX_RUN	     16 /* instructions of a line that are looked at */
#define MAX_HOST_SEQ 6
#define SEEN_BITS    22

struct stats {
	u64 functions, runs, windows, candidates, mapped, accepted, gains;
	u64 host_rejected, guest_rejected;
};

struct worker {
	struct stats st;
	u64 *seen; /* hashes of window pairs, open addressing; value = index + 1 of a rule or 0 */
	u32 *seen_rule;
	struct learned *rule;
	int n, cap;
	const char *package;
	char src[128];
	u32 line;
};

static u64 hash_bytes(u64 h, const void *p, size_t n)
{
	const u8 *b = p;

	while (n--)
		h = (h ^ *b++) * 0x100000001b3ull;
	return h;
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
		key = hash_bytes(key, &in, sizeof(in));
	}
	return key;
}

static u64 host_key(const struct hostseq *h)
{
	struct renaming n = {{0}, 0};
	u64 key = 1469598103934665603ull;

	for (int i = 0; i < h->n; i++) {
		struct hir o = h->op[i];
		struct hir_opnd *p[] = {&o.a, &o.b, &o.c, &o.d};

		for (int k = 0; k < 4; k++)
			if (p[k]->kind == H_X)
				p[k]->reg = rename_reg(&n, p[k]->reg);
		key = hash_bytes(key, &o, sizeof(o));
	}
	return key;
}

/* Slot of a pair of windows; *fresh when it was not seen before. */
static u32 seen_slot(struct worker *w, u64 key, bool *fresh)
{
	u32 mask = (1u << SEEN_BITS) - 1, i = (u32)(key >> 20) & mask;

	for (u32 k = 0; k < 64; k++, i = (i + 1) & mask) {
		if (w->seen[i] == key) {
			*fresh = false;
			return i;
		}
		if (!w->seen[i]) {
			w->seen[i] = key;
			*fresh = true;
			return i;
		}
	}
	*fresh = false; /* table full here: the pair is not learned from */
	return mask + 1;
}

/* The same guest side under the same conditions: only the cheapest host side is of use. */
static bool same_guest(const struct learned *a, const struct learned *b)
{
	const char *pa = strstr(a->text, "host "), *pb = strstr(b->text, "host ");

	return pa && pb && pa - a->text == pb - b->text &&
	       !memcmp(a->text, b->text, (size_t)(pa - a->text));
}

static int add_rule(struct worker *w, const struct learned *l)
{
	for (int i = 0; i < w->n; i++)
		if (!strcmp(w->rule[i].hash, l->hash) || same_guest(&w->rule[i], l)) {
			if (l->cost < w->rule[i].cost) {
				strcpy(w->rule[i].text, l->text);
				strcpy(w->rule[i].hash, l->hash);
				w->rule[i].cost = l->cost;
			}
			w->rule[i].count++;
			return i;
		}
	if (w->n == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 256;
		w->rule = realloc(w->rule, (size_t)w->cap * sizeof(*w->rule));
	}
	w->rule[w->n] = *l;
	w->rule[w->n].count = 1;
	snprintf(w->rule[w->n].from, sizeof(w->rule[0].from), "%s %s:%u", w->package, w->src,
		 w->line);
	return w->n++;
}

struct gwin {
	bool ok;
	struct guestseq g;
	u64 key;
};
struct hwin {
	bool ok;
	struct hostseq h;
	u64 key;
	int naccess;
	bool branch;
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

static void learn_pair(struct worker *w, const struct gwin *g, const struct hwin *h)
{
	struct hostseq host = h->h;
	struct mapping m;
	struct pairtext t = {.g = &g->g, .h = &host, .m = &m};
	struct learned l = {{0}, {0}, 0, 0, 0, 0, {0}};
	bool fresh;
	u32 slot;

	w->st.windows++;
	if (g->g.naccess != h->naccess)
		return;
	slot = seen_slot(w, hash_bytes(g->key, &h->key, 8), &fresh);
	if (!fresh) {
		if (slot <= (1u << SEEN_BITS) - 1 && w->seen_rule[slot])
			w->rule[w->seen_rule[slot] - 1].count++;
		return;
	}
	w->st.candidates++;
	if (!find_mapping(&g->g, &host, &m))
		return;
	w->st.mapped++;
	if (!worthwhile(&g->g, &m))
		return;
	if (!generalise(&t, &l))
		return;
	w->st.accepted++;
	if (!l.text[0])
		return;
	w->st.gains++;
	w->seen_rule[slot] = (u32)add_rule(w, &l) + 1;
}

static void guest_window(struct worker *w, const struct insn_line *in, int n, struct gwin *g)
{
	u32 words[MAX_GUEST_SEQ];
	const char *why;

	for (int i = 0; i < n; i++)
		memcpy(&words[i], in[i].bytes, 4);
	g->ok = !guest_prepare(words, n, &g->g, &why);
	if (g->ok)
		g->key = guest_key(&g->g);
	else
		w->st.guest_rejected++;
}

static void host_window(struct worker *w, const struct insn_line *in, int n, struct hwin *h)
{
	const char *why;

	h->naccess = 0;
	h->ok = !x86_to_hir(in, n, &h->h, &why);
	if (!h->ok) {
		w->st.host_rejected++;
		return;
	}
	for (int i = 0; i < h->h.n; i++)
		h->naccess += hop_is_mem(h->h.op[i].op);
	h->key = host_key(&h->h);
}

static void learn_run(struct worker *w, const struct insn_line *gi, int gn,
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
				if (host[k].h.n <= l + 2 && ends_block(host[k].h.op, host[k].h.n) ==
								    ends_block(g.g.hir, g.g.nhir))
					learn_pair(w, &g, &host[k]);
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

static void learn_lines(struct worker *w, const struct func *g, const struct func *h, int lines)
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

static void learn_function(struct worker *w, const struct func *g, const struct func *h)
{
	w->st.functions++;
	snprintf(w->src, sizeof(w->src), "%s", g->src);
	learn_lines(w, g, h, 1);
	learn_lines(w, g, h, 2);
}

static void learn_objects(struct worker *w, const char *package, const char *a64, const char *x86)
{
	struct object g, h;

	w->package = package;
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

/* ---- workers: each takes every jobs-th line of the list ---- */

static void worker_run(const char *list, int n, int jobs, FILE *out)
{
	struct worker w = {.seen = calloc(1u << SEEN_BITS, sizeof(u64)),
			   .seen_rule = calloc((1u << SEEN_BITS) + 1, sizeof(u32))};
	FILE *f = fopen(list, "r");
	char line[1024], pkg[128], a64[400], x86[400];
	int k = 0;

	while (f && fgets(line, sizeof(line), f))
		if (k++ % jobs == n && sscanf(line, "%127s %399s %399s", pkg, a64, x86) == 3) {
			learn_objects(&w, pkg, a64, x86);
			if (isatty(2))
				fprintf(stderr, "\r%d pairs of objects, worker %d: %d rules  ", k,
					n, w.n);
		}
	fwrite(&w.st, sizeof(w.st), 1, out);
	fwrite(w.rule, sizeof(*w.rule), (size_t)w.n, out);
	fflush(out);
}

static int by_count(const void *pa, const void *pb)
{
	const struct learned *a = pa, *b = pb;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return strcmp(a->hash, b->hash);
}

static void merge(struct worker *all, FILE *in)
{
	struct learned l;
	struct stats s;

	rewind(in);
	if (fread(&s, sizeof(s), 1, in) != 1)
		return;
	for (size_t i = 0; i < sizeof(s) / sizeof(u64); i++)
		((u64 *)&all->st)[i] += ((u64 *)&s)[i];
	while (fread(&l, sizeof(l), 1, in) == 1) {
		int i;

		for (i = 0; i < all->n; i++)
			if (!strcmp(all->rule[i].hash, l.hash) || same_guest(&all->rule[i], &l))
				break;
		if (i < all->n) {
			if (l.cost < all->rule[i].cost) {
				strcpy(all->rule[i].text, l.text);
				strcpy(all->rule[i].hash, l.hash);
				all->rule[i].cost = l.cost;
			}
			all->rule[i].count += l.count;
			if (strcmp(l.from, all->rule[i].from) < 0)
				strcpy(all->rule[i].from, l.from);
			continue;
		}
		if (all->n == all->cap) {
			all->cap = all->cap ? all->cap * 2 : 1024;
			all->rule = realloc(all->rule, (size_t)all->cap * sizeof(*all->rule));
		}
		all->rule[all->n++] = l;
	}
}

/* A rule pays when it saves a third of a host instruction or more. */
static bool pays(const struct learned *l)
{
	return l->cost + 3 <= l->base_cost;
}

/* Opcode classes, after which some rules are one. */
static void widen_all(struct worker *all)
{
	int n = 0;

	for (int i = 0; i < all->n; i++) {
		struct learned *l = &all->rule[i];
		int k;

		widen_op(l);
		for (k = 0; k < n; k++)
			if (!strcmp(all->rule[k].hash, l->hash))
				break;
		if (k < n)
			all->rule[k].count += l->count;
		else
			all->rule[n++] = *l;
	}
	all->n = n;
}

static int write_rules(const struct worker *all, const char *path, int max, int *paying)
{
	FILE *f = fopen(path, "w");
	int n = 0;

	*paying = 0;
	if (!f)
		return -1;
	fprintf(f,
		"// Learned by rules/learn; do not edit. from: package, file and line of the "
		"first\n"
		"// occurrence, then how often the pair was seen in the corpus.\n\n%s",
		learn_classes);
	for (int i = 0; i < all->n; i++) {
		const struct learned *l = &all->rule[i];

		if (!pays(l))
			continue;
		++*paying;
		if (n >= max)
			continue;
		fprintf(f, "rule learned_%.12s\nfrom   \"%s\" %llu\n%s\n", l->hash, l->from,
			(unsigned long long)l->count, strchr(l->text, '\n') + 1);
		n++;
	}
	return fclose(f) ? -1 : n;
}

int main(int argc, char **argv)
{
	const char *out = NULL, *list = NULL;
	int jobs = 2, max = 4000, n, paying, before;
	struct worker all = {.n = 0};
	FILE *tmp[64];

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-j") && i + 1 < argc)
			jobs = atoi(argv[++i]);
		else if (!strcmp(argv[i], "-o") && i + 1 < argc)
			out = argv[++i];
		else if (!strcmp(argv[i], "--max") && i + 1 < argc)
			max = atoi(argv[++i]);
		else
			list = argv[i];
	}
	if (!out || !list || jobs < 1 || jobs > 64) {
		fprintf(stderr, "usage: rules-learn [-j N] [--max N] -o FILE LIST\n");
		return 2;
	}
	for (int i = 0; i < jobs; i++) {
		tmp[i] = tmpfile();
		if (tmp[i] && fork() == 0) {
			worker_run(list, i, jobs, tmp[i]);
			_exit(0);
		}
	}
	for (int i = 0; i < jobs; i++)
		wait(NULL);
	for (int i = 0; i < jobs; i++)
		if (tmp[i])
			merge(&all, tmp[i]);
	if (all.n)
		qsort(all.rule, (size_t)all.n, sizeof(*all.rule), by_count);
	before = all.n;
	widen_all(&all);
	if (all.n)
		qsort(all.rule, (size_t)all.n, sizeof(*all.rule), by_count);
	n = write_rules(&all, out, max, &paying);
	printf("%llu functions, %llu line pairs, %llu pairs of sequences, %llu different with like "
	       "accesses\n"
	       "rejected: %llu guest sequences (outside the language), %llu host sequences "
	       "(outside HIR)\n"
	       "%llu with corresponding registers, %llu right on random numbers, %llu of them "
	       "better "
	       "than the base rules: %d rules with parameters, %d with opcode classes, %d pay, %d "
	       "written\n",
	       (unsigned long long)all.st.functions, (unsigned long long)all.st.runs,
	       (unsigned long long)all.st.windows, (unsigned long long)all.st.candidates,
	       (unsigned long long)all.st.guest_rejected, (unsigned long long)all.st.host_rejected,
	       (unsigned long long)all.st.mapped, (unsigned long long)all.st.accepted,
	       (unsigned long long)all.st.gains, before, all.n, paying, n);
	return n < 0;
}

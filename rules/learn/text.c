/* SPDX-License-Identifier: MIT */
/* Rule text of a pair: the guest instructions as they are, the host operations in value form. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rules/learn/learn.h"

struct out {
	char *buf;
	size_t n, cap;
};

PRINTF_LIKE(2, 3) static void put(struct out *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (o->n < o->cap)
		o->n += (size_t)vsnprintf(o->buf + o->n, o->cap - o->n, fmt, ap);
	va_end(ap);
}

/* Guest registers are named in order of appearance. */
struct names {
	char of[33]; /* by register, 32 = ZR; 0 = none */
	char next;
};

static char reg_name(struct names *nm, int r)
{
	if (!nm->of[r])
		nm->of[r] = nm->next++;
	return nm->of[r];
}

static void put_reg(struct out *o, struct names *nm, const struct choice *c, int op, enum gfield f,
		    unsigned r, char letter)
{
	if (r == 31 && gop_reg_class(op, f) == RC_ZR)
		put(o, "zr");
	else
		put(o, "%c%c", c->r ? 'R' : letter, reg_name(nm, (int)r));
}

/* ---- immediates of the guest side ---- */

static s64 slot_value(const struct a64_insn *in, char field)
{
	return field == 'i'   ? in->imm
	       : field == 'r' ? in->immr
	       : field == 's' ? in->imms
			      : in->amount;
}

static void add_slot(struct pairtext *t, int k, char field)
{
	struct slot *s;

	if (t->nslots == MAX_IMMS)
		return;
	s = &t->slot[t->nslots];
	*s = (struct slot){.val = slot_value(&t->g->insn[k], field), .insn = k, .field = field};
	snprintf(s->name, sizeof(s->name), "i%d", t->nslots++);
}

static bool shape_has(const char *shape, char c)
{
	return strchr(shape, c) != NULL;
}

static void guest_slots(struct pairtext *t)
{
	for (int k = 0; k < t->g->n; k++) {
		const struct a64_insn *in = &t->g->insn[k];
		const char *shape = gop_shape(in->op);

		if (shape_has(shape, 'i') || (shape_has(shape, '@') && in->amode != A64_AM_REG))
			add_slot(t, k, 'i');
		if (shape_has(shape, 'r'))
			add_slot(t, k, 'r');
		if (shape_has(shape, 's'))
			add_slot(t, k, 's');
		if ((shape_has(shape, '$') && (in->amount || in->op == A64_MOVK)) ||
		    shape_has(shape, 'e') || shape_has(shape, 'b') || shape_has(shape, 'v') ||
		    (in->amode == A64_AM_REG && shape_has(shape, '@')))
			add_slot(t, k, 'a');
	}
}

static const struct slot *find_slot(const struct pairtext *t, int k, char field)
{
	for (int i = 0; i < t->nslots; i++)
		if (t->slot[i].insn == k && t->slot[i].field == field)
			return &t->slot[i];
	return NULL;
}

static void put_imm(struct out *o, const struct pairtext *t, const struct choice *c, int k,
		    char field)
{
	const struct slot *s = find_slot(t, k, field);

	if (s && !(c->const_slots & 1u << (s - t->slot)))
		put(o, "#%s", s->name);
	else
		put(o, "#%" PRId64, slot_value(&t->g->insn[k], field));
}

/* ---- guest lines ---- */

static const char *mem_suffix(const struct a64_insn *in, const struct choice *c)
{
	if (c->mem)
		return "<z>";
	return mem_names[in->size | in->sx << 2];
}

static void put_address(struct out *o, const struct pairtext *t, struct names *nm,
			const struct choice *c, int k)
{
	const struct a64_insn *in = &t->g->insn[k];
	struct choice x = {.r = false};

	put(o, "[");
	put_reg(o, nm, &x, in->op, F_RN, in->rn, 'X');
	switch (in->amode) {
	case A64_AM_REG:
		put(o, ", ");
		put_reg(o, nm, &x, in->op, F_RM, in->rm, in->shift & 1 ? 'X' : 'W');
		put(o, ", %s ", in->shift == A64_UXTX ? "lsl" : ext_names[in->shift]);
		put_imm(o, t, c, k, 'a');
		put(o, "]");
		break;
	case A64_AM_POST:
		put(o, "], ");
		put_imm(o, t, c, k, 'i');
		break;
	default:
		put(o, ", ");
		put_imm(o, t, c, k, 'i');
		put(o, in->amode == A64_AM_PRE ? "]!" : "]");
		break;
	}
}

static void put_guest(struct out *o, const struct pairtext *t, struct names *nm,
		      const struct choice *c, int k, const char *op_text)
{
	const struct a64_insn *in = &t->g->insn[k];
	const char *shape = gop_shape(in->op);
	char letter = in->sf || in->op == A64_TBZ || in->op == A64_TBNZ ? 'X' : 'W';

	put(o, "%s%s", k ? "       " : "guest  ", op_text);
	if (in->op == A64_LDR || in->op == A64_STR || in->op == A64_LDR_lit)
		put(o, ".%s", mem_suffix(in, c));
	put(o, " ");
	for (const char *s = shape; *s; s++) {
		if (*s == ',' && s[1] == '$' && !in->amount && in->op != A64_MOVK)
			break;
		switch (*s) {
		case ',': put(o, ", "); break;
		case 'd': put_reg(o, nm, c, in->op, F_RD, in->rd, letter); break;
		case 'n': put_reg(o, nm, c, in->op, F_RN, in->rn, letter); break;
		case 'm': put_reg(o, nm, c, in->op, F_RM, in->rm, letter); break;
		case 'a': put_reg(o, nm, c, in->op, F_RA, in->ra, letter); break;
		case 'i': put_imm(o, t, c, k, 'i'); break;
		case 'r': put_imm(o, t, c, k, 'r'); break;
		case 's': put_imm(o, t, c, k, 's'); break;
		case 'v':
		case 'b': put_imm(o, t, c, k, 'a'); break;
		case '$':
			put(o, "%s ", shift_names[in->shift & 3]);
			put_imm(o, t, c, k, 'a');
			break;
		case 'e':
			put(o, "%s ", ext_names[in->shift & 7]);
			put_imm(o, t, c, k, 'a');
			break;
		case 'c':
			if (c->cond)
				put(o, "<c>");
			else
				put(o, "%s", cond_names[in->cond]);
			break;
		case 'L': put(o, "L%d", k); break;
		case '@': put_address(o, t, nm, c, k); break;
		default: break;
		}
	}
	put(o, "\n");
}

/* ---- host side in value form ---- */

enum { VAL_NONE = -1 };

struct value {
	int op;	     /* index of the operation that makes it, -1: a live-in */
	int live_in; /* guest register */
};

struct hostform {
	int nops;
	int op[MAX_HOST_HIR]; /* operations that stay, in order */
	struct value in[MAX_HOST_HIR][3];
	int last_use[MAX_HOST_HIR];
	int final[32];	    /* guest register -> value (operation), -1 */
	int final_live[32]; /* ... or the live-in it is a copy of, -1 */
};

static bool make_form(const struct pairtext *t, struct hostform *f)
{
	const struct hostseq *h = t->h;
	struct value x[16], tmp[8] = {{0, 0}};

	memset(f, 0, sizeof(*f));
	for (int i = 0; i < 16; i++)
		x[i] = (struct value){-1, t->m->in[i]};
	for (int i = 0; i < h->n; i++) {
		const struct hir *p = &h->op[i];
		const struct hir_opnd *o[3] = {&p->a, &p->b, &p->c};
		struct value v = {i, -1};

		for (int k = 0; k < 3; k++) {
			f->in[i][k] = (struct value){-1, -1};
			if (o[k]->kind == H_X)
				f->in[i][k] = x[o[k]->reg];
			else if (o[k]->kind == H_T)
				f->in[i][k] = tmp[o[k]->reg];
			else
				continue;
			if (f->in[i][k].op < 0 && f->in[i][k].live_in < 0)
				return false;
			if (f->in[i][k].op >= 0)
				f->last_use[f->in[i][k].op] = i;
		}
		/* Copies vanish. */
		if (p->op == HIR_MOV && p->a.kind == H_X && p->w == 8 && p->d.kind == H_X) {
			x[p->d.reg] = f->in[i][0];
			continue;
		}
		/* Flags nobody reads: nothing is left of a compare. */
		if (p->d.kind == H_NONE && !p->setf && !hop_is_mem(p->op) && !hop_is_control(p->op))
			continue;
		f->op[f->nops++] = i;
		if (p->d.kind == H_X)
			x[p->d.reg] = v;
		else if (p->d.kind == H_T)
			tmp[p->d.reg] = v;
	}
	for (int r = 0; r < 32; r++) {
		f->final[r] = f->final_live[r] = -1;
		if (t->m->out[r] < 0)
			continue;
		f->final[r] = x[t->m->out[r]].op;
		f->final_live[r] = x[t->m->out[r]].live_in;
	}
	return true;
}

/* Operations whose value nobody wants are left out. */
static void drop_unused(const struct pairtext *t, struct hostform *f)
{
	for (bool again = true; again;) {
		again = false;
		for (int k = 0; k < f->nops; k++) {
			int i = f->op[k];
			const struct hir *p = &t->h->op[i];
			bool used = p->setf || hop_is_mem(p->op) || hop_is_control(p->op);

			for (int r = 0; r < 32; r++)
				used |= f->final[r] == i;
			for (int j = k + 1; j < f->nops; j++)
				for (int o = 0; o < 3; o++)
					used |= f->in[f->op[j]][o].op == i;
			if (used)
				continue;
			memmove(&f->op[k], &f->op[k + 1],
				sizeof(f->op[0]) * (size_t)(f->nops - k - 1));
			f->nops--;
			again = true;
			break;
		}
	}
}

struct place_val {
	char text[MAX_HOST_HIR]
		 [8]; /* register or temporary, without width letter for temporaries */
	bool temp[MAX_HOST_HIR];
};

/* May the value of operation i be written to guest register r right away? */
static bool writable_now(const struct pairtext *t, const struct hostform *f, int i, int r)
{
	bool after = false;

	for (int k = 0; k < f->nops; k++) {
		int j = f->op[k];

		if (j == i) {
			after = true;
			continue;
		}
		if (!after)
			continue;
		/* An access after it, or the old value of r is still read. */
		if (hop_is_mem(t->h->op[j].op))
			return false;
		for (int o = 0; o < 3; o++)
			if (f->in[j][o].op < 0 && f->in[j][o].live_in == r)
				return false;
	}
	for (int q = 0; q < 32; q++)
		if (q != r && f->final[q] < 0 && f->final_live[q] == r)
			return false;
	/* The access itself may write it when it is the last one. */
	return true;
}

static bool place_values(const struct pairtext *t, const struct hostform *f, struct place_val *pv,
			 struct names *nm)
{
	int busy[RULE_MAX_TEMPS] = {-1, -1, -1};

	memset(pv, 0, sizeof(*pv));
	for (int k = 0; k < f->nops; k++) {
		int i = f->op[k], until = f->last_use[i];

		if (t->h->op[i].d.kind == H_NONE)
			continue;
		for (int r = 0; r < 32; r++)
			if (f->final[r] == i && !pv->text[i][0] && writable_now(t, f, i, r))
				snprintf(pv->text[i], sizeof(pv->text[i]), "%c", reg_name(nm, r));
		if (pv->text[i][0])
			continue;
		for (int r = 0; r < 32; r++)
			if (f->final[r] == i)
				until = MAX_HOST_HIR;
		for (int n = 0; n < RULE_MAX_TEMPS && !pv->text[i][0]; n++)
			if (busy[n] <= i) {
				busy[n] = until;
				snprintf(pv->text[i], sizeof(pv->text[i]), "t%d", n);
				pv->temp[i] = true;
			}
		if (!pv->text[i][0])
			return false;
	}
	return true;
}

struct htext {
	struct out *o;
	const struct pairtext *t;
	const struct choice *c;
	const struct hostform *f;
	struct place_val pv;
	struct names *nm;
	int himm; /* next host immediate */
};

static void put_himm(struct htext *x, s64 v)
{
	char e[96];

	(void)v;
	if (x->c->expr[x->himm] >= 0 &&
	    text_candidate(x->t, x->himm, x->c->expr[x->himm], e, sizeof(e)))
		put(x->o, "#(%s)", e);
	else
		put(x->o, "#%" PRId64, x->t->himm[x->himm]);
	x->himm++;
}

static char width_letter(struct htext *x, const struct hir *p)
{
	return x->c->r ? 'R' : p->w == 8 ? 'X' : 'W';
}

static void put_opnd(struct htext *x, int i, int k, const struct hir_opnd *o, char letter)
{
	const struct value *v = &x->f->in[i][k];

	if (o->kind == H_IMM) {
		put_himm(x, o->imm);
	} else if (v->op >= 0) {
		if (x->pv.temp[v->op])
			put(x->o, "%s", x->pv.text[v->op]);
		else
			put(x->o, "%c%s", letter, x->pv.text[v->op]);
	} else {
		put(x->o, "%c%c", letter, reg_name(x->nm, v->live_in));
	}
}

static void put_dest(struct htext *x, int i, char letter)
{
	if (x->t->h->op[i].d.kind == H_NONE)
		put(x->o, "_");
	else if (x->pv.temp[i])
		put(x->o, "%s", x->pv.text[i]);
	else
		put(x->o, "%c%s", letter, x->pv.text[i]);
}

static void put_addr(struct htext *x, int i, const struct hir *p)
{
	put(x->o, "[");
	put_opnd(x, i, 0, &p->a, 'X');
	put(x->o, " + ");
	put_himm(x, p->imm2);
	put(x->o, "]");
}

static void put_cc(struct htext *x, const struct hir *p)
{
	const struct guestseq *g = x->t->g;

	for (int k = 0; k < g->n && x->c->cond; k++)
		if (strchr(gop_shape(g->insn[k].op), 'c') && (p->cc ^ g->insn[k].cond) < 2) {
			put(x->o, p->cc == g->insn[k].cond ? "<c>" : "<!c>");
			return;
		}
	put(x->o, "%s", cond_names[p->cc]);
}

static int label_insn(const struct guestseq *g)
{
	return g->n - 1;
}

static void put_mem_type(struct htext *x, const struct hir *p)
{
	put(x->o, ".%s", x->c->mem ? "<z>" : mem_names[p->size | p->sx << 2]);
}

static void put_host(struct htext *x, int i, bool first, bool setf)
{
	const struct hir *p = &x->t->h->op[i];
	char l = width_letter(x, p);
	const char *shape = hop_shape(p->op), *name = hop_name(p->op);
	char suffix = l == 'R' ? 'r' : l == 'X' ? 'x' : 'w';
	struct out *o = x->o;

	put(o, first ? "host   " : "       ");
	switch (p->op) {
	case HIR_LD:
		put(o, "ld");
		put_mem_type(x, p);
		if (!x->c->mem)
			put(o, ".%c", suffix);
		put(o, " ");
		put_dest(x, i, l);
		put(o, ", ");
		put_addr(x, i, p);
		break;
	case HIR_ST:
		put(o, "st");
		put_mem_type(x, p);
		put(o, " ");
		put_addr(x, i, p);
		put(o, ", ");
		put_opnd(x, i, 1, &p->b, l);
		break;
	case HIR_LEA:
		put(o, "lea.%c ", suffix);
		put_dest(x, i, l);
		put(o, ", [");
		put_opnd(x, i, 0, &p->a, l);
		if (p->b.kind != H_NONE) {
			put(o, " + ");
			put_opnd(x, i, 1, &p->b, l);
			put(o, " << ");
			x->himm++;
			put(o, "%" PRId64, p->c.imm);
		}
		put(o, " + ");
		put_himm(x, p->imm2);
		put(o, "]");
		break;
	case HIR_B: put(o, "b L%d", label_insn(x->t->g)); break;
	case HIR_BCC:
		put(o, "bcc ");
		put_cc(x, p);
		put(o, ", L%d", label_insn(x->t->g));
		break;
	case HIR_BZ:
	case HIR_BNZ:
		put(o, "%s.%c ", name, suffix);
		put_opnd(x, i, 1, &p->b, l);
		put(o, ", L%d", label_insn(x->t->g));
		break;
	case HIR_BTZ:
	case HIR_BTNZ:
		put(o, "%s.x ", name);
		put_opnd(x, i, 1, &p->b, 'X');
		put(o, ", ");
		put_himm(x, p->c.imm);
		put(o, ", L%d", label_insn(x->t->g));
		break;
	default:
		put(o, "%s%s.%c ", name, setf ? "s" : "", suffix);
		put_dest(x, i, l);
		if (shape_has(shape, 'a')) {
			put(o, ", ");
			put_opnd(x, i, 0, &p->a, l);
		}
		if (shape_has(shape, 'b')) {
			put(o, ", ");
			put_opnd(x, i, 1, &p->b, l);
		}
		if (shape_has(shape, 'c')) {
			put(o, ", ");
			put_opnd(x, i, 2, &p->c, l);
		}
		if (hop_reads_flags(p->op) && p->op != HIR_ADC && p->op != HIR_SBC) {
			put(o, ", ");
			put_cc(x, p);
		}
		break;
	}
	put(o, "\n");
}

/* Immediates of the host side in the order put_host meets them. */
static void host_imms(struct pairtext *t, const struct hostform *f)
{
	for (int k = 0; k < f->nops; k++) {
		const struct hir *p = &t->h->op[f->op[k]];
		s64 v[4];
		int n = 0;

		if (p->op == HIR_LEA) {
			if (p->b.kind != H_NONE)
				v[n++] = p->c.imm;
			v[n++] = p->imm2;
		} else if (hop_is_mem(p->op)) {
			v[n++] = p->imm2;
			if (p->b.kind == H_IMM)
				v[n++] = p->b.imm;
		} else if (p->op == HIR_BTZ || p->op == HIR_BTNZ) {
			v[n++] = p->c.imm;
		} else if (!hop_is_control(p->op)) {
			if (p->a.kind == H_IMM)
				v[n++] = p->a.imm;
			if (p->b.kind == H_IMM)
				v[n++] = p->b.imm;
			if (p->c.kind == H_IMM)
				v[n++] = p->c.imm;
		}
		for (int j = 0; j < n && t->nhimm < MAX_IMMS; j++)
			t->himm[t->nhimm++] = v[j];
	}
}

bool text_prepare(struct pairtext *t)
{
	struct hostform f;

	guest_slots(t);
	if (!make_form(t, &f))
		return false;
	drop_unused(t, &f);
	host_imms(t, &f);
	return t->nhimm < MAX_IMMS && t->nslots < MAX_IMMS;
}

static int last_producer(const struct pairtext *t, const struct hostform *f)
{
	for (int k = f->nops; k-- > 0;)
		if (t->h->producer[f->op[k]] && hop_may_setf(t->h->op[f->op[k]].op))
			return f->op[k];
	return -1;
}

/* Registers named so far by letter, for distinctness conditions. */
int text_pairs(const struct pairtext *t, char pair[][2], int max)
{
	struct names nm = {.next = 'a'};
	struct choice c = {.const_slots = ~0u};
	char scratch[1024];
	struct out o = {scratch, 0, sizeof(scratch)};
	int n = 0;

	for (int k = 0; k < t->g->n; k++)
		put_guest(&o, t, &nm, &c, k, "x");
	for (int a = 0; a < 32; a++)
		for (int b = 0; b < a; b++)
			if (nm.of[a] && nm.of[b] && n < max &&
			    (t->g->written & (1u << a | 1u << b))) {
				pair[n][0] = nm.of[a];
				pair[n++][1] = nm.of[b];
			}
	return n;
}

static void put_when(struct out *o, const struct pairtext *t, const struct choice *c,
		     struct names *nm)
{
	const char *sep = "when   ";

	if (c->when[0]) {
		put(o, "%s%s", sep, c->when);
		sep = ", ";
	}
	for (int i = 0; i < c->npairs; i++) {
		put(o, "%sR%c != R%c", sep, c->pair[i][0], c->pair[i][1]);
		sep = ", ";
	}
	for (int r = 0; r < 32; r++)
		if (t->m->missing & 1u << r) {
			put(o, "%sdead(R%c)", sep, reg_name(nm, r));
			sep = ", ";
		}
	if (t->flags_dead)
		put(o, "%sflags_dead", sep);
	if (c->when[0] || c->npairs || t->m->missing || t->flags_dead)
		put(o, "\n");
}

bool text_write(const struct pairtext *t, const struct choice *c, const char *name, char *buf,
		size_t cap)
{
	struct out o = {buf, 0, cap};
	struct names nm = {.next = 'a'};
	struct hostform f;
	struct htext x = {.o = &o, .t = t, .c = c, .f = &f, .nm = &nm};
	int setf_op;
	bool first = true;

	if (!make_form(t, &f))
		return false;
	drop_unused(t, &f);
	put(&o, "rule %s\n", name);
	for (int k = 0; k < t->g->n; k++)
		put_guest(&o, t, &nm, c, k, gop_name(t->g->insn[k].op));
	if (!place_values(t, &f, &x.pv, &nm))
		return false;
	put_when(&o, t, c, &nm);
	setf_op = t->setf_last ? last_producer(t, &f) : -1;
	for (int k = 0; k < f.nops; k++) {
		put_host(&x, f.op[k], first, f.op[k] == setf_op || t->h->op[f.op[k]].setf);
		first = false;
	}
	/* Values that could not go to their register at once. */
	for (int r = 0; r < 32; r++) {
		int v = f.final[r];

		if (t->m->out[r] < 0)
			continue;
		if (v >= 0 && x.pv.temp[v])
			put(&o, "%smov.x X%c, %s\n", first ? "host   " : "       ",
			    reg_name(&nm, r), x.pv.text[v]);
		else if (v >= 0 && x.pv.text[v][0] != reg_name(&nm, r))
			put(&o, "%smov.x X%c, X%s\n", first ? "host   " : "       ",
			    reg_name(&nm, r), x.pv.text[v]);
		else if (v < 0 && f.final_live[r] != r)
			put(&o, "%smov.x X%c, X%c\n", first ? "host   " : "       ",
			    reg_name(&nm, r), reg_name(&nm, f.final_live[r]));
		else
			continue;
		first = false;
	}
	if (first)
		put(&o, "host   nothing\n");
	return o.n < cap;
}

/* ---- expressions a host immediate may be ---- */

struct form {
	const char *fmt;
	int args;
	s64 (*value)(s64 a, s64 b, unsigned width);
};

static s64 low_mask(s64 n)
{
	return n <= 0 ? 0 : n >= 64 ? -1 : (s64)(~0ull >> (64 - n));
}

#define FORM(name, expr)                              \
	static s64 name(s64 a, s64 b, unsigned width) \
	{                                             \
		(void)a, (void)b, (void)width;        \
		return (s64)(expr);                   \
	}
FORM(v_same, a)
FORM(v_simm, width == 32 ? (s32)a : a)
FORM(v_neg, 0 - (u64)a)
FORM(v_not, ~a)
FORM(v_nsimm, width == 32 ? ~(s32)a : ~a)
FORM(v_add, (u64)a + (u64)b)
FORM(v_sub, (u64)a - (u64)b)
FORM(v_bit, 1ull << (a & 63))
FORM(v_mask, low_mask(a + 1))
FORM(v_rest, width - (u64)a)
FORM(v_rest1, width - 1 - (u64)a)
FORM(v_field, low_mask(a - b + 1))
FORM(v_fieldpos, (u64)low_mask(a - b + 1) << (b & 63))
FORM(v_or, a | b)
FORM(v_inc, (u64)a + 1)
FORM(v_dec, (u64)a - 1)
FORM(v_shl, (u64)a << (b & 63))
FORM(v_four, (u64)a + 4)
FORM(v_eight, (u64)a + 8)
FORM(v_log2, a ? 63 - __builtin_clzll((u64)a) : 0)
FORM(v_mul, (u64)a *(u64)b)
FORM(v_restadd, width - (u64)a + (u64)b)
FORM(v_sxor, (s32)(a | b))
FORM(v_negsum, 0 - ((u64)a + (u64)b))
FORM(v_down, (u64)low_mask(a + 1) >> (b & 63))

static const struct form forms[] = {
	{"%s", 1, v_same},
	{"simm(%s)", 1, v_simm},
	{"-%s", 1, v_neg},
	{"~%s", 1, v_not},
	{"~simm(%s)", 1, v_nsimm},
	{"%s + %s", 2, v_add},
	{"%s - %s", 2, v_sub},
	{"1 << %s", 1, v_bit},
	{"mask(%s + 1)", 1, v_mask},
	{"width - %s", 1, v_rest},
	{"width - 1 - %s", 1, v_rest1},
	{"mask(%s - %s + 1)", 2, v_field},
	{"mask(%s - %s + 1) << %s", 3, v_fieldpos},
	{"%s | %s", 2, v_or},
	{"%s + 1", 1, v_inc},
	{"%s - 1", 1, v_dec},
	{"%s << %s", 2, v_shl},
	{"%s + 4", 1, v_four},
	{"%s + 8", 1, v_eight},
	{"log2(%s)", 1, v_log2},
	{"%s * %s", 2, v_mul},
	{"width - %s + %s", 2, v_restadd},
	{"sx32(%s | %s)", 2, v_sxor},
	{"-(%s + %s)", 2, v_negsum},
	{"lsr(mask(%s + 1), %s)", 2, v_down},
};

bool text_candidate(const struct pairtext *t, int i, int k, char *buf, size_t cap)
{
	unsigned width = t->g->insn[0].sf ? 64 : 32;
	int n = t->nslots, seen = 0;

	for (size_t f = 0; f < ARRAY_SIZE(forms); f++) {
		int total = forms[f].args == 1 ? n : n * n;

		for (int j = 0; j < total; j++) {
			const struct slot *a = &t->slot[j % n], *b = &t->slot[j / n];
			s64 v = forms[f].value(a->val, b->val, width);

			if (forms[f].args > 1 && a == b)
				continue;
			if (v != t->himm[i] && !(width == 32 && (s32)v == (s32)t->himm[i]))
				continue;
			if (seen++ < k)
				continue;
			if (forms[f].args == 3)
				snprintf(buf, cap, forms[f].fmt, a->name, b->name, b->name);
			else if (forms[f].args == 2)
				snprintf(buf, cap, forms[f].fmt, a->name, b->name);
			else
				snprintf(buf, cap, forms[f].fmt, a->name);
			return true;
		}
	}
	return false;
}

/* SPDX-License-Identifier: MIT */
/* The symbolic state: registers, flags, accesses. */
#include <stdio.h>
#include <string.h>

#include "rules/prove/sem.h"

static term var(struct sem *s, const char *name, unsigned bits)
{
	return Z3_mk_const(s->z, Z3_mk_string_symbol(s->z, name), Z3_mk_bv_sort(s->z, bits));
}

void sem_init(struct sem *s, Z3_context z)
{
	memset(s, 0, sizeof(*s));
	s->z = z;
	s->n0 = var(s, "N", 1);
	s->z0 = var(s, "Z", 1);
	s->c0 = var(s, "C", 1);
	s->v0 = var(s, "V", 1);
	s->page_va = var(s, "page_va", 64);
	s->ret_addr = var(s, "return_address", 64);
}

int sem_reg(struct sem *s, const char *name, term num, u8 rc)
{
	char v[32];

	for (int i = 0; i < s->nregs; i++)
		if (!strcmp(s->reg[i].name, name))
			return i;
	if (s->nregs == SEM_MAX_REGS) {
		s->overflow = true;
		return 0;
	}
	snprintf(s->reg[s->nregs].name, sizeof(s->reg[0].name), "%s", name);
	s->reg[s->nregs].num = num;
	s->reg[s->nregs].rc = rc;
	snprintf(v, sizeof(v), "val_%s", name);
	s->init[s->nregs] = var(s, v, 64);
	return s->nregs++;
}

static term is31(struct sem *s, int r)
{
	return bv_eq(s, s->reg[r].num, bv_num(s, 31, 5));
}

term sem_same_loc(struct sem *s, int a, int b)
{
	term same = bv_eq(s, s->reg[a].num, s->reg[b].num);

	if (a == b)
		return Z3_mk_true(s->z);
	if (s->reg[a].rc == s->reg[b].rc)
		return same;
	/* One means SP by 31, the other ZR (or never is 31). */
	return bv_and2(s, same, bv_not1(s, is31(s, a)));
}

term sem_consistent(struct sem *s)
{
	term all = Z3_mk_true(s->z);

	for (int i = 0; i < s->nregs; i++) {
		if (s->reg[i].rc == (RC_SP | RC_ZR))
			all = bv_and2(s, all, bv_not1(s, is31(s, i)));
		for (int j = 0; j < i; j++)
			all = bv_and2(s, all,
				      Z3_mk_implies(s->z, sem_same_loc(s, i, j),
						    bv_eq(s, s->init[i], s->init[j])));
	}
	return all;
}

void st_init(struct sstate *st, struct sem *s)
{
	memset(st, 0, sizeof(*st));
	st->s = s;
	st->n = s->n0;
	st->z = s->z0;
	st->c = s->c0;
	st->v = s->v0;
	st->exit = EX_FALL;
	st->taken = Z3_mk_false(s->z);
}

term st_read(struct sstate *st, int reg)
{
	struct sem *s = st->s;
	term v = s->init[reg];

	for (int i = 0; i < st->nwrites; i++)
		v = bv_ite(s, sem_same_loc(s, reg, st->write[i].reg), st->write[i].val, v);
	if (s->reg[reg].rc == RC_ZR)
		v = bv_ite(s, is31(s, reg), bv_num(s, 0, 64), v);
	return v;
}

/* A write to ZR is kept like any other: reads of ZR give 0 all the same. */
void st_write(struct sstate *st, int reg, term val64)
{
	if (st->nwrites == SEM_MAX_WRITES) {
		st->s->overflow = true;
		return;
	}
	st->write[st->nwrites].reg = reg;
	st->write[st->nwrites++].val = val64;
}

static struct access_rec *next_access(struct sstate *st)
{
	if (st->naccess == SEM_MAX_ACCESS) {
		st->s->overflow = true;
		return &st->access[SEM_MAX_ACCESS - 1];
	}
	return &st->access[st->naccess++];
}

term st_load(struct sstate *st, unsigned size, term addr)
{
	struct sem *s = st->s;
	int k = st->nloads++;
	char name[24];

	*next_access(st) = (struct access_rec){.size = size, .addr = addr};
	if (k >= SEM_MAX_ACCESS) {
		s->overflow = true;
		return bv_num(s, 0, 8u << size);
	}
	if (k < s->nloads && s->load_size[k] == size)
		return s->load[k];
	if (k == s->nloads) {
		snprintf(name, sizeof(name), "loaded_%d", k);
		s->load[k] = var(s, name, 8u << size);
		s->load_size[k] = size;
		s->nloads++;
		return s->load[k];
	}
	/* The sides differ in the size of the access, which is reported as such. */
	return bv_num(s, 0, 8u << size);
}

void st_store(struct sstate *st, unsigned size, term addr, term data)
{
	*next_access(st) = (struct access_rec){
		.store = true, .size = size, .addr = addr, .data = bv_low(st->s, data, 8u << size)};
}

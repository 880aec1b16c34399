/* SPDX-License-Identifier: MIT */
/* The start state of a case from its seed: operands that hurt, more often than plain random ones.
 */
#include "tests/insn/case.h"

struct rng {
	uint64_t s;
};

static uint64_t rnd(struct rng *g)
{
	uint64_t z = g->s += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* An integer of any width that sits on an edge. */
static uint64_t edge_int(struct rng *g)
{
	uint64_t r = rnd(g), one = 1ull << (r >> 8 & 63);

	switch (r & 7) {
	case 0: return 0;
	case 1: return ~0ull;
	case 2: return one;
	case 3: return one - 1;
	case 4: return -one;
	case 5: return ~one;
	case 6: return r >> 16 & 0xff;
	default: return -(r >> 16 & 0xff);
	}
}

static uint64_t nasty_int(struct rng *g)
{
	uint64_t r = rnd(g);

	switch (r & 7) {
	case 0:
	case 1: return edge_int(g);
	case 2: return (int64_t)(int32_t)(r >> 32);
	case 3: return r >> 32;
	case 4: return (edge_int(g) & 0xffffffff) | r >> 32 << 32;
	default: return rnd(g);
	}
}

/* exp_bits and frac_bits of the format; the value's bits. */
static uint64_t nasty_float(struct rng *g, unsigned exp_bits, unsigned frac_bits)
{
	uint64_t r = rnd(g), frac = rnd(g) & ((1ull << frac_bits) - 1);
	uint64_t exp_max = (1ull << exp_bits) - 1, bias = exp_max >> 1, exp = 0;
	uint64_t sign = r >> 63 << (exp_bits + frac_bits);

	switch (r >> 8 & 3) {
	case 0: frac = 0; break;
	case 1: frac = 1ull << (r >> 16) % frac_bits; break;
	case 2: frac = r & 16 ? (1ull << frac_bits) - 1 : frac; break;
	}
	switch (r & 15) {
	case 0: return sign;
	case 1: exp = exp_max; break; /* infinities and NaNs */
	case 2:
		exp = exp_max;
		frac |= 1ull << (frac_bits - 1);
		break; /* quiet NaN */
	case 3:
		exp = exp_max;
		frac = (frac & ~(1ull << (frac_bits - 1))) | 1;
		break;
	case 4:
	case 5: exp = 0; break;				  /* denormals */
	case 6: exp = 1 + (r >> 24 & 1); break;		  /* near the smallest normal */
	case 7: exp = exp_max - 1 - (r >> 24 & 1); break; /* near overflow */
	case 8:
	case 9: exp = bias + (r >> 24) % (frac_bits + 2); break; /* integers and halves */
	case 10: exp = bias - 1; break;
	case 11: exp = bias + 5 + (r >> 24) % 3 * 8; break;
	case 12: exp = bias - (r >> 24) % (frac_bits + 2); break;
	default: exp = (r >> 24) % exp_max; break;
	}
	return sign | (exp & exp_max) << frac_bits | frac;
}

static uint64_t nasty_lane(struct rng *g, unsigned kind)
{
	uint64_t v = 0;

	switch (kind) {
	case 0: return nasty_float(g, 11, 52);
	case 1: return nasty_float(g, 8, 23) | nasty_float(g, 8, 23) << 32;
	case 2:
		for (int i = 0; i < 64; i += 16)
			v |= nasty_float(g, 5, 10) << i;
		return v;
	case 3:
		for (int i = 0; i < 64; i += 8)
			v |= (edge_int(g) & 0xff) << i;
		return v;
	case 4:
		for (int i = 0; i < 64; i += 16)
			v |= (edge_int(g) & 0xffff) << i;
		return v;
	case 5: return (edge_int(g) & 0xffffffff) | edge_int(g) << 32;
	case 6: return edge_int(g);
	default: return rnd(g);
	}
}

static void state_fpcr(struct rng *g, struct regs *r)
{
	uint64_t v = rnd(g);

	/* A third in the default mode; else AHP, DN, FZ, RMode, FZ16. */
	r->fpcr = (v >> 32) % 3 ? v & 0x07c80000 : 0;
	/* Cumulative bits: QC, IDC, IXC, UFC, OFC, DZC, IOC; mostly clear, to see them set. */
	r->fpsr = (v >> 40) % 4 ? 0 : rnd(g) & 0x0800009f;
	r->nzcv = v << 28 & 0xf0000000;
}

static void apply_fixes(const struct insn_case *c, struct regs *r)
{
	for (unsigned i = 0; i < c->nfix && i < CASE_FIXES; i++) {
		const struct fix *f = &c->fix[i];
		uint64_t v = (int64_t)f->off;
		if (f->kind == FIX_WIN)
			v += WIN_BASE;
		else if (f->kind == FIX_CODE)
			v += case_slot_address(c);
		if (f->reg < 31)
			r->x[f->reg] = v;
		else
			r->sp = v;
	}
}

void case_state(const struct insn_case *c, struct regs *r, uint64_t *mem)
{
	struct rng g = {c->seed};
	uint64_t kinds = rnd(&g);

	for (int i = 0; i < 31; i++)
		r->x[i] = nasty_int(&g);
	/* Half the cases have one element kind throughout: operands then meet their likes. */
	for (int i = 0; i < 32; i++) {
		unsigned kind = kinds >> 63 ? kinds & 7 : rnd(&g) & 7;
		r->v[i][0] = nasty_lane(&g, kind);
		r->v[i][1] = nasty_lane(&g, kind);
	}
	state_fpcr(&g, r);
	r->sp = WIN_BASE + 2 * PAGE + 16;
	r->pc = r->sig = r->fault = 0;
	for (unsigned i = 0; i < WIN_RW * WIN_EDGE / 8; i++)
		mem[i] = rnd(&g);
	apply_fixes(c, r);
}

void case_readonly(uint64_t *mem)
{
	struct rng g = {0x5eed};

	for (unsigned i = 0; i < (WIN_EDGES - WIN_RW) * WIN_EDGE / 8; i++)
		mem[i] = rnd(&g);
}

void result_mask(const struct insn_case *c, struct result *res)
{
	/* AArch32's condition flags, Len and Stride are RES0, qemu keeps them. */
	res->r.fpsr &= 0x0800009f;
	res->r.fpcr &= 0x07c80000;
	if (c->flags & CASE_IGN_Z)
		res->r.nzcv &= ~(1ul << 30);
	if (!res->r.sig)
		return;
	/* Outside the window the engines' address spaces differ. */
	if ((res->r.sig & 0xff) == 11 && !res->r.fault)
		res->r.sig = 11;
	if (c->flags & CASE_IGN_NZCV_ON_SIG)
		res->r.nzcv = 0;
	for (int i = 0; i < 31; i++)
		if (c->ign_x >> i & 1)
			res->r.x[i] = 0;
	for (int i = 0; i < 32; i++)
		if (c->ign_v >> i & 1)
			res->r.v[i][0] = res->r.v[i][1] = 0;
	if (c->flags & CASE_IGN_MEM_ON_SIG)
		for (unsigned i = 0; i < sizeof(res->mem) / 8; i++)
			res->mem[i] = 0;
}

uint64_t result_hash(const struct insn_case *c, const struct result *res)
{
	const uint64_t *w = (const uint64_t *)res;
	uint64_t h = c->seed;

	for (size_t i = 0; i < sizeof(*res) / 8; i++) {
		h = (h ^ w[i]) * 0x9fb21c651e98df25ull;
		h ^= h >> 32;
	}
	return h;
}

/* SPDX-License-Identifier: MIT */
#include "rules/prove/concrete.h"

#include <string.h>

u64 conc_random(u64 *seed)
{
	u64 z = (*seed += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

u64 conc_operand(u64 *seed)
{
	static const u64 corner[] = {0,		 1,	     2,	       7,	   8,
				     0x7f,	 0x80,	     0xff,     0x7fff,	   0x8000,
				     0xffff,	 0x7fffffff, 1u << 31, 0xffffffff, 1ull << 32,
				     1ull << 63, ~0ull >> 1, ~0ull};
	u64 r = conc_random(seed);

	switch (r & 7) {
	case 0:
	case 1: return corner[(r >> 8) % ARRAY_SIZE(corner)];
	case 2: return (u64)(s64)(s8)(r >> 8);
	case 3: return (u64)(s64)(s32)(r >> 8);
	case 4: return (u32)(r >> 8);
	default: return conc_random(seed);
	}
}

void conc_state_random(struct conc_state *st, u64 *seed)
{
	u64 f = conc_random(seed);

	memset(st, 0, sizeof(*st));
	for (int i = 0; i < 32; i++)
		st->x[i] = conc_operand(seed);
	/* Equal and neighbouring values, which comparisons care for. */
	if ((f >> 16 & 3) == 0)
		for (int i = 0; i < 32; i++)
			st->x[i] = st->x[i & 1] + (conc_random(seed) % 8 == 0);
	if ((f >> 16 & 3) == 1)
		for (int i = 0; i < 32; i++)
			st->x[i] = conc_random(seed) % 4;
	st->n = f & 1;
	st->z = f >> 1 & 1;
	st->c = f >> 2 & 1;
	st->v = f >> 3 & 1;
	st->page_va = conc_random(seed) & ~0xfffull;
	st->ret_addr = st->page_va + (f >> 8 & 0xffc);
}

u64 conc_load_value(u64 addr, unsigned size, int k)
{
	u64 s = addr * 31 + size * 7 + (u64)k;
	u64 v = conc_random(&s);

	return size == 3 ? v : v & ((1ull << (8 << size)) - 1);
}

static u64 get(const struct conc_state *st, const struct hir_opnd *o)
{
	switch (o->kind) {
	case H_X: return st->x[o->reg];
	case H_T: return st->t[o->reg & 7];
	case H_IMM: return (u64)o->imm;
	default: return 0;
	}
}

static void put(struct conc_state *st, const struct hir *h, u64 v)
{
	if (h->w == 4)
		v = (u32)v;
	if (h->d.kind == H_X)
		st->x[h->d.reg] = v;
	else if (h->d.kind == H_T)
		st->t[h->d.reg & 7] = v;
}

static bool cond(const struct conc_state *st, unsigned cc)
{
	bool r;

	switch (cc >> 1) {
	case 0: r = st->z; break;
	case 1: r = st->c; break;
	case 2: r = st->n; break;
	case 3: r = st->v; break;
	case 4: r = st->c && !st->z; break;
	case 5: r = st->n == st->v; break;
	case 6: r = !st->z && st->n == st->v; break;
	default: return true;
	}
	return r != (cc & 1);
}

static void set_nz(struct conc_state *st, u64 r, unsigned w)
{
	st->n = r >> (w * 8 - 1) & 1;
	st->z = w == 4 ? (u32)r == 0 : r == 0;
}

/* a + b + cin in w bytes by 128-bit arithmetic. */
static u64 add_flags(struct conc_state *st, u64 a, u64 b, unsigned cin, unsigned w, bool setf)
{
	u64 mask = w == 4 ? 0xffffffffull : ~0ull, r;
	u128 u;
	s128 s;

	a &= mask;
	b &= mask;
	u = (u128)a + b + cin;
	s = w == 4 ? (s128)(s32)a + (s32)b + cin : (s128)(s64)a + (s64)b + cin;
	r = (u64)u & mask;
	if (setf) {
		set_nz(st, r, w);
		st->c = u != (u128)r;
		st->v = w == 4 ? s != (s128)(s32)r : s != (s128)(s64)r;
	}
	return r;
}

static u64 logic_flags(struct conc_state *st, u64 r, unsigned w, bool setf)
{
	if (setf) {
		set_nz(st, r, w);
		st->c = st->v = 0;
	}
	return r;
}

static u64 shift(unsigned op, u64 a, u64 b, unsigned w)
{
	unsigned bits = w * 8, n = (unsigned)b & (bits - 1);

	if (w == 4)
		a = (u32)a;
	switch (op) {
	case HIR_SHL: return a << n;
	case HIR_SHR: return a >> n;
	case HIR_SAR: return w == 4 ? (u64)((s32)a >> n) : (u64)((s64)a >> n);
	default: return n ? a >> n | a << (bits - n) : a;
	}
}

static u64 divide(bool sign, u64 a, u64 b, unsigned w)
{
	if (w == 4) {
		a = sign ? (u64)(s32)a : (u32)a;
		b = sign ? (u64)(s32)b : (u32)b;
	}
	if (!b)
		return 0;
	if (!sign)
		return a / b;
	return b == ~0ull ? 0 - a : (u64)((s64)a / (s64)b);
}

static u64 bytes_reversed(u64 v, unsigned n, unsigned group)
{
	u64 r = 0;

	for (unsigned i = 0; i < n; i++)
		r |= (v >> 8 * i & 0xff) << 8 * (i / group * group + group - 1 - i % group);
	return r;
}

static u64 rbit(u64 v, unsigned bits)
{
	u64 r = 0;

	for (unsigned i = 0; i < bits; i++)
		r |= (v >> i & 1) << (bits - 1 - i);
	return r;
}

static unsigned clz(u64 v, unsigned bits)
{
	unsigned n = 0;

	while (n < bits && !(v >> (bits - 1 - n) & 1))
		n++;
	return n;
}

static unsigned cls(u64 v, unsigned bits)
{
	unsigned n = 0;

	while (n < bits - 1 && (v >> (bits - 2 - n) & 1) == (v >> (bits - 1) & 1))
		n++;
	return n;
}

static void ccmp(struct conc_state *st, const struct hir *h)
{
	u64 a = get(st, &h->a), b = get(st, &h->b);
	unsigned k = (unsigned)h->c.imm;

	if (cond(st, h->cc)) {
		add_flags(st, a, h->op == HIR_CCMP ? ~b : b, h->op == HIR_CCMP, h->w, true);
	} else {
		st->n = k >> 3 & 1;
		st->z = k >> 2 & 1;
		st->c = k >> 1 & 1;
		st->v = k & 1;
	}
}

static void access_mem(struct conc_state *st, const struct hir *h)
{
	u64 addr = get(st, &h->a) + (u64)(s64)h->imm2, v;
	unsigned bits = 8u << h->size;
	int k = st->naccess < CONC_MAX_ACCESS ? st->naccess++ : CONC_MAX_ACCESS - 1;

	st->access[k].store = h->op == HIR_ST;
	st->access[k].size = h->size;
	st->access[k].addr = addr;
	if (h->op == HIR_ST) {
		v = get(st, &h->b);
		st->access[k].data = bits == 64 ? v : v & ((1ull << bits) - 1);
		return;
	}
	v = conc_load_value(addr, h->size, st->nloads++);
	put(st, h, h->sx ? (u64)sext64(v, bits) : v);
}

static void branch(struct conc_state *st, const struct hir *h, int kind, bool taken)
{
	u64 to = get(st, &h->a);

	if (!taken)
		return;
	st->exit = kind;
	st->target = to;
	if (kind == HIR_BL || kind == HIR_BLR)
		st->x[30] = st->ret_addr;
}

static int exec_other(struct conc_state *st, const struct hir *h, u64 a, u64 b)
{
	u64 bw = h->w == 4 ? (u32)b : b;
	unsigned bits = h->w * 8;

	switch (h->op) {
	case HIR_BSWAP: put(st, h, bytes_reversed(a, h->w, h->w)); break;
	case HIR_BSWAP16: put(st, h, bytes_reversed(a, h->w, 2)); break;
	case HIR_BSWAP32: put(st, h, bytes_reversed(a, h->w, 4)); break;
	case HIR_RBIT: put(st, h, rbit(a, bits)); break;
	case HIR_CLZ: put(st, h, clz(a, bits)); break;
	case HIR_CLS: put(st, h, cls(a, bits)); break;
	case HIR_CTZ: put(st, h, clz(rbit(a, bits), bits)); break;
	case HIR_PCADDR: put(st, h, st->page_va + (u64)h->a.imm); break;
	case HIR_CSEL: put(st, h, cond(st, h->cc) ? a : b); break;
	case HIR_CSET: put(st, h, cond(st, h->cc)); break;
	case HIR_CINC: put(st, h, a + cond(st, h->cc)); break;
	case HIR_CSETM: put(st, h, cond(st, h->cc) ? ~0ull : 0); break;
	case HIR_CCMP:
	case HIR_CCMN: ccmp(st, h); break;
	case HIR_LD:
	case HIR_ST: access_mem(st, h); break;
	case HIR_B: branch(st, h, HIR_B, true); break;
	case HIR_BCC: branch(st, h, HIR_B, cond(st, h->cc)); break;
	case HIR_BZ: branch(st, h, HIR_B, !bw); break;
	case HIR_BNZ: branch(st, h, HIR_B, bw); break;
	case HIR_BTZ: branch(st, h, HIR_B, !(b >> h->c.imm & 1)); break;
	case HIR_BTNZ: branch(st, h, HIR_B, b >> h->c.imm & 1); break;
	case HIR_BL:
	case HIR_BR:
	case HIR_BLR:
	case HIR_RET: branch(st, h, h->op, true); break;
	default: return -1;
	}
	return 0;
}

int conc_exec(struct conc_state *st, const struct hir *h)
{
	u64 a = get(st, &h->a), b = get(st, &h->b);

	switch (h->op) {
	case HIR_MOV: put(st, h, a); break;
	case HIR_ADD: put(st, h, add_flags(st, a, b, 0, h->w, h->setf)); break;
	case HIR_SUB: put(st, h, add_flags(st, a, ~b, 1, h->w, h->setf)); break;
	case HIR_ADC: put(st, h, add_flags(st, a, b, st->c, h->w, h->setf)); break;
	case HIR_SBC: put(st, h, add_flags(st, a, ~b, st->c, h->w, h->setf)); break;
	case HIR_AND: put(st, h, logic_flags(st, a & b, h->w, h->setf)); break;
	case HIR_BIC: put(st, h, logic_flags(st, a & ~b, h->w, h->setf)); break;
	case HIR_OR: put(st, h, a | b); break;
	case HIR_XOR: put(st, h, a ^ b); break;
	case HIR_ORN: put(st, h, a | ~b); break;
	case HIR_EON: put(st, h, a ^ ~b); break;
	case HIR_NEG: put(st, h, 0 - a); break;
	case HIR_NOT: put(st, h, ~a); break;
	case HIR_SHL:
	case HIR_SHR:
	case HIR_SAR:
	case HIR_ROR: put(st, h, shift(h->op, a, b, h->w)); break;
	case HIR_SHRD: {
		u128 cat = h->w == 4 ? (u128)((a & 0xffffffff) << 32 | (u32)b) : (u128)a << 64 | b;

		put(st, h, (u64)(cat >> h->c.imm));
		break;
	}
	case HIR_LEA:
		if (h->b.kind != H_NONE)
			a += b << h->c.imm;
		put(st, h, a + (u64)(s64)h->imm2);
		break;
	case HIR_MUL: put(st, h, a * b); break;
	case HIR_UMULH: put(st, h, (u64)((u128)a * b >> 64)); break;
	case HIR_SMULH: put(st, h, (u64)((s128)(s64)a * (s64)b >> 64)); break;
	case HIR_UDIV: put(st, h, divide(false, a, b, h->w)); break;
	case HIR_SDIV: put(st, h, divide(true, a, b, h->w)); break;
	case HIR_ZX8: put(st, h, (u8)a); break;
	case HIR_ZX16: put(st, h, (u16)a); break;
	case HIR_ZX32: put(st, h, (u32)a); break;
	case HIR_SX8: put(st, h, (u64)(s8)a); break;
	case HIR_SX16: put(st, h, (u64)(s16)a); break;
	case HIR_SX32: put(st, h, (u64)(s32)a); break;
	default: return exec_other(st, h, a, b);
	}
	return 0;
}

bool conc_same(const struct conc_state *a, const struct conc_state *b, bool flags)
{
	if (memcmp(a->x, b->x, sizeof(a->x)) || a->naccess != b->naccess || a->exit != b->exit)
		return false;
	if (flags && (a->n != b->n || a->z != b->z || a->c != b->c || a->v != b->v))
		return false;
	if (a->exit && a->target != b->target)
		return false;
	for (int i = 0; i < a->naccess; i++)
		if (a->access[i].store != b->access[i].store ||
		    a->access[i].size != b->access[i].size ||
		    a->access[i].addr != b->access[i].addr ||
		    a->access[i].data != b->access[i].data)
			return false;
	return true;
}

// SPDX-License-Identifier: MIT
/*
 * LD2..LD4 and ST2..ST4 of whole registers: plain 16-byte accesses, elements sorted in vector
 * temporaries. `total` bytes lie in ceil(total / 16) chunks; the last one of three D registers is 8
 * bytes.
 */
#include "dbt/a64/build_simd.h"

struct ldn {
	struct sb s;
	unsigned regs, total;
	struct hir_opnd chunk[4];
};

static struct hir_opnd reg_of(const struct ldn *l, unsigned i)
{
	return hv((l->s.in->rd + i) & 31);
}

static unsigned chunk_size(const struct ldn *l, unsigned c)
{
	return l->total - 16 * c >= 16 ? 4 : 3;
}

static void load_chunks(struct ldn *l)
{
	for (unsigned c = 0; 16 * c < l->total; c++) {
		struct hir *h;

		l->chunk[c] = hvtmp(l->s.b);
		h = hir2(l->s.b, HIR_LDV, 8, l->chunk[c], hxsp(l->s.in->rn));
		h->imm2 = (s32)(16 * c);
		h->size = (u8)chunk_size(l, c);
	}
}

static void store_chunk(struct ldn *l, unsigned c, struct hir_opnd v)
{
	struct hir *h = hir_emit(l->s.b, HIR_STV, 8, hnone(), hxsp(l->s.in->rn), v);

	h->imm2 = (s32)(16 * c);
	h->size = (u8)chunk_size(l, c);
}

/* Halves of x to registers r and r + 1 (D forms). */
static void split(struct ldn *l, struct hir_opnd x, unsigned r)
{
	hir_v(l->s.b, VOP_VMOVQ_ZX, reg_of(l, r), x, hnone());
	hir_vi(l->s.b, VOP_VPSRLDQ_I, reg_of(l, r + 1), x, hnone(), 8);
}

/* Shuffle control: of every group of n elements, the k-th ones together, k ascending. */
static struct hir_opnd sort_control(unsigned size, unsigned n)
{
	unsigned lanes = 16u >> size, each = lanes / n;
	u8 c[16];

	for (unsigned i = 0; i < 16; i++) {
		unsigned e = i >> size;

		c[i] = (u8)(((e % each * n + e / each) << size) + (i & ((1u << size) - 1)));
	}
	return kbytes(c);
}

static void sort_chunk(struct ldn *l, unsigned c, unsigned n)
{
	hir_v(l->s.b, VOP_VPSHUFB, l->chunk[c], l->chunk[c], sort_control(l->s.size, n));
}

static void load2(struct ldn *l)
{
	struct hir_opnd *t = l->chunk;

	if (!l->s.q) {
		sort_chunk(l, 0, 2);
		split(l, t[0], 0);
	} else if (l->s.size == 2) {
		hir_vi(l->s.b, VOP_VSHUFPS, reg_of(l, 0), t[0], t[1], 0x88);
		hir_vi(l->s.b, VOP_VSHUFPS, reg_of(l, 1), t[0], t[1], 0xdd);
	} else {
		if (l->s.size < 2) {
			sort_chunk(l, 0, 2);
			sort_chunk(l, 1, 2);
		}
		hir_v(l->s.b, VOP_VPUNPCKLQDQ, reg_of(l, 0), t[0], t[1]);
		hir_v(l->s.b, VOP_VPUNPCKHQDQ, reg_of(l, 1), t[0], t[1]);
	}
}

/* Words k of four chunks are register k: transpose. */
static void transpose4(struct ldn *l)
{
	struct hir_opnd *t = l->chunk, u = t2(&l->s, VOP_VPUNPCKLDQ, t[0], t[1]);
	struct hir_buf *b = l->s.b;

	hir_v(b, VOP_VPUNPCKHDQ, t[0], t[0], t[1]);
	hir_v(b, VOP_VPUNPCKLDQ, t[1], t[2], t[3]);
	hir_v(b, VOP_VPUNPCKHDQ, t[2], t[2], t[3]);
	hir_v(b, VOP_VPUNPCKLQDQ, reg_of(l, 0), u, t[1]);
	hir_v(b, VOP_VPUNPCKHQDQ, reg_of(l, 1), u, t[1]);
	hir_v(b, VOP_VPUNPCKLQDQ, reg_of(l, 2), t[0], t[2]);
	hir_v(b, VOP_VPUNPCKHQDQ, reg_of(l, 3), t[0], t[2]);
}

static void load4(struct ldn *l)
{
	struct hir_opnd *t = l->chunk, u;

	if (l->s.size == 3) {
		for (unsigned i = 0; i < 4; i++)
			hir_v(l->s.b, i & 1 ? VOP_VPUNPCKHQDQ : VOP_VPUNPCKLQDQ, reg_of(l, i),
			      t[i / 2], t[i / 2 + 2]);
		return;
	}
	for (unsigned c = 0; l->s.size < 2 && 16 * c < l->total; c++)
		sort_chunk(l, c, 4);
	if (l->s.q) {
		transpose4(l);
		return;
	}
	u = t2(&l->s, VOP_VPUNPCKLDQ, t[0], t[1]);
	hir_v(l->s.b, VOP_VPUNPCKHDQ, t[0], t[0], t[1]);
	split(l, u, 0);
	split(l, t[0], 2);
}

/*
 * Control that takes from source `from` what belongs to destination `to`, zero elsewhere. Memory
 * holds elements register by register (three); `load`: source is a chunk of memory, destination a
 * register.
 */
static struct hir_opnd pick3(const struct ldn *l, unsigned to, unsigned from, bool load)
{
	unsigned size = l->s.size, bytes = l->s.q ? 16 : 8;
	u8 c[16];

	for (unsigned i = 0; i < 16; i++) {
		unsigned elem = i >> size, low = i & ((1u << size) - 1), mem;

		c[i] = 0x80;
		if (load) {
			mem = ((elem * 3 + to) << size) + low;
			if (i < bytes && mem / 16 == from)
				c[i] = (u8)(mem % 16);
		} else {
			mem = to * 16 + i;
			elem = mem >> size;
			if (mem < l->total && elem % 3 == from)
				c[i] = (u8)((elem / 3 << size) + low);
		}
	}
	return kbytes(c);
}

/* Collects destination `to` from n >= 2 sources in d. */
static void gather3(struct ldn *l, struct hir_opnd d, const struct hir_opnd *src, unsigned n,
		    unsigned to, bool load)
{
	struct hir_opnd acc = hnone(), x;

	for (unsigned k = 0; k < n; k++) {
		x = t2(&l->s, VOP_VPSHUFB, src[k], pick3(l, to, k, load));
		if (k)
			hir_v(l->s.b, VOP_VPOR, k == n - 1 ? d : acc, acc, x);
		else
			acc = x;
	}
}

static void load3(struct ldn *l)
{
	unsigned n = l->s.q ? 3 : 2;

	for (unsigned r = 0; r < 3; r++)
		gather3(l, reg_of(l, r), l->chunk, n, r, true);
}

static void store2(struct ldn *l)
{
	unsigned z = l->s.size;

	store_chunk(l, 0, t2(&l->s, vops_unpckl[z], reg_of(l, 0), reg_of(l, 1)));
	if (l->s.q)
		store_chunk(l, 1, t2(&l->s, vops_unpckh[z], reg_of(l, 0), reg_of(l, 1)));
}

/* Interleave 0 with 2 and 1 with 3, then the results. */
static void store4(struct ldn *l)
{
	unsigned z = l->s.size;

	for (unsigned half = 0; half < (l->s.q ? 2u : 1u); half++) {
		const u16 *unpck = half ? vops_unpckh : vops_unpckl;
		struct hir_opnd x = t2(&l->s, unpck[z], reg_of(l, 0), reg_of(l, 2));
		struct hir_opnd y = t2(&l->s, unpck[z], reg_of(l, 1), reg_of(l, 3));

		store_chunk(l, 2 * half, t2(&l->s, vops_unpckl[z], x, y));
		store_chunk(l, 2 * half + 1, t2(&l->s, vops_unpckh[z], x, y));
	}
}

static void store3(struct ldn *l)
{
	struct hir_opnd v[3];

	for (unsigned r = 0; r < 3; r++)
		v[r] = t1(&l->s, VOP_VMOVAPS, reg_of(l, r));
	for (unsigned c = 0; 16 * c < l->total; c++) {
		struct hir_opnd t = hvtmp(l->s.b);

		gather3(l, t, v, 3, c, false);
		store_chunk(l, c, t);
	}
}

void build_struct_mult(struct tr *tr, const struct a64_insn *in, bool load)
{
	struct ldn l = {
		.s = sb_make(&tr->hir, in), .regs = in->immr, .total = in->immr * (in->q ? 16 : 8)};

	if (load)
		load_chunks(&l);
	switch (l.regs) {
	case 2: (load ? load2 : store2)(&l); break;
	case 3: (load ? load3 : store3)(&l); break;
	default: (load ? load4 : store4)(&l); break;
	}
}

// SPDX-License-Identifier: MIT
/*
 * Loads and stores of SIMD&FP registers: LDR, STR, LDP, STP in all addressing modes, LD1..LD4 and
 * ST1..ST4. Registers are written and the base is updated after the last access.
 */
#include "dbt/a64/build_simd.h"
#include "dbt/a64/helpers_simd.h"

/* Where an access goes: base operand plus displacement. */
struct vaddr {
	struct hir_opnd base;
	s32 disp;
};

static void emit_ld(struct hir_buf *b, struct vaddr a, s32 off, struct hir_opnd d, unsigned size)
{
	struct hir *h = hir2(b, HIR_LDV, 8, d, a.base);

	h->imm2 = a.disp + off;
	h->size = (u8)size;
}

static void emit_st(struct hir_buf *b, struct vaddr a, s32 off, struct hir_opnd v, unsigned size)
{
	struct hir *h = hir_emit(b, HIR_STV, 8, hnone(), a.base, v);

	h->imm2 = a.disp + off;
	h->size = (u8)size;
}

/* [Xn, Rm, extend #amount] */
static struct vaddr addr_register(struct hir_buf *b, const struct a64_insn *in)
{
	struct hir_opnd idx = hx(in->rm), t;
	unsigned scale = in->amount;
	struct hir *lea;

	if (in->rm == 31)
		return (struct vaddr){.base = hxsp(in->rn)};
	t = htmp(b);
	if (in->shift == A64_UXTW || in->shift == A64_SXTW) {
		hir2(b, in->shift == A64_UXTW ? HIR_ZX32 : HIR_SX32, 8, t, idx);
		idx = t;
	}
	if (scale > 3) {
		hir_emit(b, HIR_SHL, 8, t, idx, himm(scale));
		idx = t;
		scale = 0;
	}
	lea = hir_emit(b, HIR_LEA, 8, t, hxsp(in->rn), idx);
	lea->c = himm(scale);
	return (struct vaddr){.base = t};
}

static struct vaddr address(struct tr *tr, const struct a64_insn *in)
{
	struct hir_buf *b = &tr->hir;
	struct vaddr a = {.base = hxsp(in->rn)};

	switch (in->amode) {
	case A64_AM_REG: return addr_register(b, in);
	case A64_AM_LIT:
		a.base = htmp(b);
		hir2(b, HIR_PCADDR, 8, a.base, himm((s64)tr->page_off + 4 * tr->i + in->imm));
		return a;
	case A64_AM_POST: break;
	default: a.disp = (s32)in->imm;
	}
	return a;
}

static void writeback(struct hir_buf *b, const struct a64_insn *in)
{
	struct hir_opnd x = hxsp(in->rn);

	if (in->amode == A64_AM_PRE || in->amode == A64_AM_POST)
		hir_emit(b, HIR_ADD, 8, x, x, himm(in->imm));
}

static void build_single(struct tr *tr, const struct a64_insn *in, bool load)
{
	struct vaddr a = address(tr, in);

	if (load)
		emit_ld(&tr->hir, a, 0, hv(in->rd), in->size);
	else
		emit_st(&tr->hir, a, 0, hv(in->rd), in->size);
	writeback(&tr->hir, in);
}

static void build_pair(struct tr *tr, const struct a64_insn *in, bool load)
{
	struct vaddr a = address(tr, in);
	const u8 reg[2] = {in->rd, in->ra};

	for (int i = 0; i < 2; i++) {
		if (load)
			emit_ld(&tr->hir, a, i << in->size, hv(reg[i]), in->size);
		else
			emit_st(&tr->hir, a, i << in->size, hv(reg[i]), in->size);
	}
	writeback(&tr->hir, in);
}

/* ---- structures ---- */

static struct vaddr struct_addr(const struct a64_insn *in)
{
	return (struct vaddr){.base = hxsp(in->rn)};
}

static void struct_writeback(struct hir_buf *b, const struct a64_insn *in)
{
	struct hir_opnd x = hxsp(in->rn);

	if (in->amode == A64_AM_POST)
		hir_emit(b, HIR_ADD, 8, x, x, in->rm == 31 ? himm(in->imm) : hx(in->rm));
}

static struct hir_opnd reg_of(const struct a64_insn *in, unsigned i)
{
	return hv((in->rd + i) & 31);
}

/* LD1, ST1 of whole registers. */
static void build_ld1_mult(struct tr *tr, const struct a64_insn *in, bool load)
{
	struct vaddr a = struct_addr(in);
	unsigned size = in->q ? 4 : 3;

	for (unsigned i = 0; i < in->immr; i++) {
		if (load)
			emit_ld(&tr->hir, a, (s32)(i << size), reg_of(in, i), size);
		else
			emit_st(&tr->hir, a, (s32)(i << size), reg_of(in, i), size);
	}
	struct_writeback(&tr->hir, in);
}

/* One lane of one register, through a general temporary. */
static void build_ld1_single(struct tr *tr, const struct a64_insn *in, bool load)
{
	static const u16 insert[4] = {VOP_VPINSRB, VOP_VPINSRW, VOP_VPINSRD, VOP_VPINSRQ};
	static const u16 extract[4] = {VOP_VPEXTRB, VOP_VPEXTRW, VOP_VPEXTRD, VOP_VPEXTRQ};
	struct hir_buf *b = &tr->hir;
	struct hir_opnd t = htmp(b), v = hv(in->rd);
	unsigned w = in->size == 3 ? 8 : 4;
	struct hir *h;

	if (load) {
		h = hir2(b, HIR_LD, w, t, hxsp(in->rn));
		h->size = in->size;
		hir_vi(b, insert[in->size], v, v, t, in->amount);
	} else if (in->amount == 0) {
		emit_st(b, struct_addr(in), 0, v, in->size);
	} else {
		hir_vi(b, extract[in->size], t, v, hnone(), in->amount)->w = (u8)w;
		h = hir_emit(b, HIR_ST, w, hnone(), hxsp(in->rn), t);
		h->size = in->size;
	}
	struct_writeback(b, in);
}

/* Element 0 of temporary t to the lane of register v. */
static void insert_lane(struct sb *s, struct hir_opnd v, struct hir_opnd t, unsigned lane)
{
	u64 mask[2] = {0, 0};

	switch (s->size) {
	case 3:
		if (lane)
			hir_v(s->b, VOP_VPUNPCKLQDQ, v, v, t);
		else
			hir_vi(s->b, VOP_VPBLENDD, v, v, t, 3);
		return;
	case 2:
		t = ti(s, VOP_VPSHUFD, t, 0);
		hir_vi(s->b, VOP_VPBLENDD, v, v, t, 1u << lane);
		return;
	default:
		/* The load left zeros around the element. */
		mask[lane << s->size >> 3] = (s->size ? 0xffffull : 0xff)
					     << 8 * ((lane << s->size) & 7);
		if (lane)
			t = ti(s, VOP_VPSLLDQ_I, t, lane << s->size);
		hir_v(s->b, VOP_VPOR, v, t2(s, VOP_VPANDN, hconst(mask[0], mask[1]), v), t);
	}
}

/* LD2..LD4, ST2..ST4 of one lane: everything is loaded before a register changes. */
static void build_lanes(struct tr *tr, const struct a64_insn *in, bool load)
{
	struct sb s = sb_make(&tr->hir, in);
	unsigned lane = in->amount;
	struct hir_opnd t[4];

	for (unsigned i = 0; i < in->immr; i++) {
		s32 off = (s32)(i << in->size);

		if (load) {
			t[i] = hvtmp(s.b);
			emit_ld(s.b, struct_addr(in), off, t[i], in->size);
		} else if (lane) {
			t[i] = ti(&s, VOP_VPSRLDQ_I, reg_of(in, i), lane << in->size);
			emit_st(s.b, struct_addr(in), off, t[i], in->size);
		} else {
			emit_st(s.b, struct_addr(in), off, reg_of(in, i), in->size);
		}
	}
	for (unsigned i = 0; load && i < in->immr; i++)
		insert_lane(&s, reg_of(in, i), t[i], lane);
	struct_writeback(s.b, in);
}

/* LD1R..LD4R */
static void build_replicate(struct tr *tr, const struct a64_insn *in)
{
	static const u16 splat[4] = {VOP_VPBROADCASTB, VOP_VPBROADCASTW, VOP_VPBROADCASTD,
				     VOP_VPBROADCASTQ};
	struct sb s = sb_make(&tr->hir, in);
	struct hir_opnd t[4];

	for (unsigned i = 0; i < in->immr; i++) {
		t[i] = hvtmp(s.b);
		emit_ld(s.b, struct_addr(in), (s32)(i << in->size), t[i], in->size);
	}
	for (unsigned i = 0; i < in->immr; i++) {
		if (in->size == 3 && !in->q)
			hir_v(s.b, VOP_VMOVAPS, reg_of(in, i), t[i], hnone());
		else if (in->q)
			hir_v(s.b, splat[in->size], reg_of(in, i), t[i], hnone());
		else
			hir_v(s.b, VOP_VMOVQ_ZX, reg_of(in, i), t1(&s, splat[in->size], t[i]),
			      hnone());
	}
	struct_writeback(s.b, in);
}

int build_mem_vec(struct tr *tr, const struct a64_insn *in)
{
	switch (in->op) {
	case A64_LDR_vec:
	case A64_LDR_lit_vec: build_single(tr, in, true); return 0;
	case A64_STR_vec: build_single(tr, in, false); return 0;
	case A64_LDP_vec: build_pair(tr, in, true); return 0;
	case A64_STP_vec: build_pair(tr, in, false); return 0;
	case A64_LD1_mult: build_ld1_mult(tr, in, true); return 0;
	case A64_ST1_mult: build_ld1_mult(tr, in, false); return 0;
	case A64_LD1_single: build_ld1_single(tr, in, true); return 0;
	case A64_ST1_single: build_ld1_single(tr, in, false); return 0;
	case A64_LD2_mult:
	case A64_LD3_mult:
	case A64_LD4_mult:
		build_struct_mult(tr, in, true);
		struct_writeback(&tr->hir, in);
		return 0;
	case A64_ST2_mult:
	case A64_ST3_mult:
	case A64_ST4_mult:
		build_struct_mult(tr, in, false);
		struct_writeback(&tr->hir, in);
		return 0;
	case A64_LD2_single:
	case A64_LD3_single:
	case A64_LD4_single: build_lanes(tr, in, true); return 0;
	case A64_ST2_single:
	case A64_ST3_single:
	case A64_ST4_single: build_lanes(tr, in, false); return 0;
	case A64_LD1R:
	case A64_LD2R:
	case A64_LD3R:
	case A64_LD4R: build_replicate(tr, in); return 0;
	default: return -1;
	}
}

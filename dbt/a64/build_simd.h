/* SPDX-License-Identifier: MIT */
/*
 * AdvSIMD builders, internal. A builder emits HIR for one instruction and returns 0, or emits
 * nothing and returns -1: the instruction then goes to its C helper. Expression style: t*() put a
 * result into a fresh temporary, o*() into the destination register, zeroing its upper half where Q
 * is 0. o*() comes last: the destination may be one of the sources.
 */
#ifndef ARMATURE_A64_BUILD_SIMD_H
#define ARMATURE_A64_BUILD_SIMD_H

#include "dbt/hir.h"
#include "dbt/x64/vops.h"

struct sb {
	struct hir_buf *b;
	const struct a64_insn *in;
	unsigned size; /* log2 bytes of the (narrow) element */
	bool q;
	struct hir_opnd n, m, old; /* sources: Vn, Vm and Vd as read */
};

/*
 * Scalar forms on B, H, S use the vector builder on sources with only their first element left: no
 * other lane then gives anything but zero, nor saturates.
 */
enum simd_scalar {
	SCALAR_NONE,   /* not scalar, or on D registers: the 64-bit vector form does it */
	SCALAR_ONE,    /* zeros in Vn suffice */
	SCALAR_TWO,    /* Vn and Vm */
	SCALAR_LONG,   /* Vn, and an accumulator twice as wide */
	SCALAR_NARROW, /* Vn, twice as wide as the result */
};

/* Table entry: the builder and what distinguishes instructions it serves (mostly vops by size). */
struct simd_rule {
	int (*fn)(struct sb *s, const u16 *arg);
	u16 arg[4];
	u8 scalar; /* enum simd_scalar */
};

static inline struct hir_opnd dst(struct sb *s)
{
	return hv(s->in->rd);
}
/* The destination as a source. */
static inline struct hir_opnd rd(struct sb *s)
{
	return s->old;
}
static inline struct hir_opnd rn(struct sb *s)
{
	return s->n;
}
static inline struct hir_opnd rm(struct sb *s)
{
	return s->m;
}
static inline struct sb sb_make(struct hir_buf *b, const struct a64_insn *in)
{
	return (struct sb){.b = b,
			   .in = in,
			   .size = in->size,
			   .q = in->q,
			   .n = hv(in->rn),
			   .m = hv(in->rm),
			   .old = hv(in->rd)};
}

/* ---- constants ---- */
static inline struct hir_opnd kq(u64 x)
{
	return hconst(x, x);
}
static inline struct hir_opnd kd(u32 x)
{
	return kq(x * 0x0000000100000001ull);
}
static inline struct hir_opnd kw(u16 x)
{
	return kq(x * 0x0001000100010001ull);
}
static inline struct hir_opnd kb(u8 x)
{
	return kq(x * 0x0101010101010101ull);
}
/* x in every element of 1 << size bytes. */
static inline struct hir_opnd ke(unsigned size, u64 x)
{
	return size == 0 ? kb((u8)x) : size == 1 ? kw((u16)x) : size == 2 ? kd((u32)x) : kq(x);
}
static inline struct hir_opnd kzero(void)
{
	return kq(0);
}
static inline struct hir_opnd kones(void)
{
	return kq(~0ull);
}
/* Byte-shuffle control for VPSHUFB. */
static inline struct hir_opnd kbytes(const u8 *c)
{
	u64 lo = 0, hi = 0;

	for (unsigned i = 0; i < 8; i++) {
		lo |= (u64)c[i] << 8 * i;
		hi |= (u64)c[8 + i] << 8 * i;
	}
	return hconst(lo, hi);
}

/* ---- into a temporary ---- */
static inline struct hir_opnd t2(struct sb *s, unsigned vop, struct hir_opnd a, struct hir_opnd b)
{
	struct hir_opnd t = hvtmp(s->b);

	hir_v(s->b, vop, t, a, b);
	return t;
}
static inline struct hir_opnd t1(struct sb *s, unsigned vop, struct hir_opnd a)
{
	return t2(s, vop, a, hnone());
}
static inline struct hir_opnd t2i(struct sb *s, unsigned vop, struct hir_opnd a, struct hir_opnd b,
				  unsigned imm)
{
	struct hir_opnd t = hvtmp(s->b);

	hir_vi(s->b, vop, t, a, b, imm);
	return t;
}
static inline struct hir_opnd ti(struct sb *s, unsigned vop, struct hir_opnd a, unsigned imm)
{
	return t2i(s, vop, a, hnone(), imm);
}
/* RVMR: mask ? b : a */
static inline struct hir_opnd tblend(struct sb *s, unsigned vop, struct hir_opnd a,
				     struct hir_opnd b, struct hir_opnd mask)
{
	struct hir_opnd t = hvtmp(s->b);

	hir_v(s->b, vop, t, a, b)->c = mask;
	return t;
}

/* ---- into the destination ---- */
static inline int o2i(struct sb *s, unsigned vop, struct hir_opnd a, struct hir_opnd b,
		      unsigned imm)
{
	if (s->q)
		hir_vi(s->b, vop, dst(s), a, b, imm);
	else
		hir_v(s->b, VOP_VMOVQ_ZX, dst(s), t2i(s, vop, a, b, imm), hnone());
	return 0;
}
static inline int o2(struct sb *s, unsigned vop, struct hir_opnd a, struct hir_opnd b)
{
	return o2i(s, vop, a, b, 0);
}
static inline int o1(struct sb *s, unsigned vop, struct hir_opnd a)
{
	return o2i(s, vop, a, hnone(), 0);
}
static inline int oi(struct sb *s, unsigned vop, struct hir_opnd a, unsigned imm)
{
	return o2i(s, vop, a, hnone(), imm);
}
static inline int omov(struct sb *s, struct hir_opnd a)
{
	hir_v(s->b, s->q ? VOP_VMOVAPS : VOP_VMOVQ_ZX, dst(s), a, hnone());
	return 0;
}
/* The 128-bit result whatever Q says (results whose upper half is known to be right). */
static inline int ofull(struct sb *s, unsigned vop, struct hir_opnd a, struct hir_opnd b)
{
	hir_v(s->b, vop, dst(s), a, b);
	return 0;
}

/* ---- build_simd_arith.c ---- */
extern const u16 vops_add[4], vops_sub[4], vops_cmpeq[4], vops_cmpgt[4];
extern const u16 vops_max[2][4], vops_min[2][4]; /* [unsigned][size]; 0 where AVX2 has none */
extern const u16 vops_unpckl[4], vops_unpckh[4];
/* FPSR.QC |= diff has a bit set (in the half that counts). */
void simd_set_qc(struct sb *s, struct hir_opnd diff);
/* a + b or a - b on words or doublewords with signed saturation; *diff is for simd_set_qc(). */
struct hir_opnd simd_sat_wide(struct sb *s, struct hir_opnd a, struct hir_opnd b, bool sub,
			      struct hir_opnd *diff);
/* max - min, as unsigned elements. */
struct hir_opnd simd_abd(struct sb *s, struct hir_opnd a, struct hir_opnd b, bool uns);
/* a * b modulo the element; size 0..2. */
struct hir_opnd simd_mul(struct sb *s, struct hir_opnd a, struct hir_opnd b);
/* The element `index` (of s->size) of v in all lanes. */
struct hir_opnd simd_splat(struct sb *s, struct hir_opnd v, unsigned index);

/* arg[0..3]: vop by size, 0 = helper */
int simd_vec3(struct sb *s, const u16 *arg);
int simd_vec3_swap(struct sb *s, const u16 *arg);
/* arg[0]: vop; any size */
int simd_logic(struct sb *s, const u16 *arg);
int simd_select(struct sb *s, const u16 *arg); /* arg[0]: 0 BSL 1 BIT 2 BIF */
int simd_orn(struct sb *s, const u16 *arg);
int simd_not(struct sb *s, const u16 *arg);
/* arg[0]: unsigned; arg[1]: rounding or subtract */
int simd_halving(struct sb *s, const u16 *arg);
int simd_sat_arith(struct sb *s, const u16 *arg); /* arg: saturating vops B H, wrapping vops B H */
int simd_compare(struct sb *s, const u16 *arg);	  /* arg[0]: enum simd_cmp */
int simd_abd_aba(struct sb *s, const u16 *arg);	  /* arg[0] unsigned, arg[1] accumulate */
int simd_mul_acc(struct sb *s, const u16 *arg);	  /* arg[0] 0 MUL 1 MLA 2 MLS, arg[1] by element */
int simd_dmul_high(struct sb *s, const u16 *arg); /* arg[0] rounding, arg[1] by element */
int simd_pairwise(struct sb *s, const u16 *arg);  /* arg: vop by size */
int simd_abs(struct sb *s, const u16 *arg);	  /* arg[0]: saturating */
int simd_neg(struct sb *s, const u16 *arg);
enum simd_cmp {
	CMP_EQ,
	CMP_TST,
	CMP_GT,
	CMP_GE,
	CMP_HI,
	CMP_HS,
	CMP_EQ0,
	CMP_GT0,
	CMP_GE0,
	CMP_LT0,
	CMP_LE0
};

/* ---- build_simd_shift.c ---- */
struct hir_opnd simd_shr(struct sb *s, struct hir_opnd x, unsigned size, unsigned n, bool sign);
struct hir_opnd simd_shl(struct sb *s, struct hir_opnd x, unsigned size, unsigned n);
/* With rounding, n >= 1. */
struct hir_opnd simd_rshr(struct sb *s, struct hir_opnd x, unsigned size, unsigned n, bool sign);
int simd_shift_right(struct sb *s, const u16 *arg); /* arg: signed, rounding, accumulate */
int simd_shift_left(struct sb *s, const u16 *arg);
int simd_shift_left_sat(struct sb *s, const u16 *arg); /* arg[0]: enum simd_narrow: SS UU SU */
int simd_shift_insert(struct sb *s, const u16 *arg);   /* arg[0]: 0 SLI 1 SRI */
int simd_shift_long(struct sb *s, const u16 *arg);     /* arg[0]: signed */
int simd_shift_narrow(struct sb *s,
		      const u16 *arg);		  /* arg[0]: rounding; arg[1]: enum simd_narrow */
int simd_shift_reg(struct sb *s, const u16 *arg); /* arg[0]: signed */
int simd_shll(struct sb *s, const u16 *arg);
enum simd_narrow { NARROW_TRUNC, NARROW_SS, NARROW_UU, NARROW_SU };

/* ---- build_simd_wide.c ---- */
/* Low or (high) upper half's elements of s->size, extended to the next size. */
struct hir_opnd simd_widen(struct sb *s, struct hir_opnd x, bool high, bool sign);
/* Writes the low halves of the wide elements of x (or the high halves) to rd, as XTN/ADDHN do. */
int simd_narrow_out(struct sb *s, struct hir_opnd x, bool high_half);
int simd_narrow_sat(struct sb *s, struct hir_opnd x, enum simd_narrow kind);
int simd_xtn(struct sb *s, const u16 *arg);	 /* arg[0]: enum simd_narrow */
int simd_add_long(struct sb *s, const u16 *arg); /* arg: signed, subtract, wide first operand */
int simd_abd_long(struct sb *s, const u16 *arg); /* arg: signed, accumulate */
int simd_mul_long(struct sb *s, const u16 *arg); /* arg: signed, 0 MULL 1 MLAL 2 MLSL, by element */
int simd_sqdmull(struct sb *s, const u16 *arg);	 /* arg[0]: by element */
int simd_add_narrow(struct sb *s, const u16 *arg); /* arg: subtract, rounding */
int simd_pair_long(struct sb *s, const u16 *arg);  /* arg: signed, accumulate */
int simd_dot(struct sb *s, const u16 *arg);	   /* arg: n unsigned, m unsigned, by element */
int simd_pmull(struct sb *s, const u16 *arg);

/* ---- build_simd_move.c ---- */
int simd_mod_imm(struct sb *s, const u16 *arg); /* arg[0]: 0 move, 1 ORR, 2 BIC */
int simd_dup_elem(struct sb *s, const u16 *arg);
int simd_dup_scalar(struct sb *s, const u16 *arg);
int simd_dup_gen(struct sb *s, const u16 *arg);
int simd_to_gen(struct sb *s, const u16 *arg); /* arg[0]: signed */
int simd_ins_gen(struct sb *s, const u16 *arg);
int simd_ins_elem(struct sb *s, const u16 *arg);
int simd_zip(struct sb *s, const u16 *arg); /* arg[0]: part */
int simd_uzp(struct sb *s, const u16 *arg);
int simd_trn(struct sb *s, const u16 *arg);
int simd_ext(struct sb *s, const u16 *arg);
int simd_tbl(struct sb *s, const u16 *arg); /* arg[0]: TBX */
int simd_rev(struct sb *s, const u16 *arg); /* arg[0]: log2 bytes of the container */
int simd_rbit(struct sb *s, const u16 *arg);
int simd_cnt(struct sb *s, const u16 *arg);
int simd_clz(struct sb *s, const u16 *arg);
int simd_across(struct sb *s, const u16 *arg);		/* arg: vop by size */
int simd_add_across(struct sb *s, const u16 *arg);	/* ADDV */
int simd_add_long_across(struct sb *s, const u16 *arg); /* arg[0]: signed */
int simd_addp_scalar(struct sb *s, const u16 *arg);

/* ---- build_simd_crypto.c ---- */
int simd_aes(struct sb *s, const u16 *arg); /* arg[0]: last-round vop */
int simd_aesmc(struct sb *s, const u16 *arg);
int simd_aesimc(struct sb *s, const u16 *arg);
int simd_eor3(struct sb *s, const u16 *arg);
int simd_bcax(struct sb *s, const u16 *arg);
int simd_rax1(struct sb *s, const u16 *arg);
int simd_xar(struct sb *s, const u16 *arg);
int simd_sha1h(struct sb *s, const u16 *arg);
int simd_sha1su0(struct sb *s, const u16 *arg);
int simd_sha1su1(struct sb *s, const u16 *arg);
int simd_sha1_rounds(struct sb *s, const u16 *arg);   /* arg[0]: SHA1RNDS4's function */
int simd_sha256_rounds(struct sb *s, const u16 *arg); /* arg[0]: 1 SHA256H2 */
int simd_sha256su0(struct sb *s, const u16 *arg);
int simd_sha256su1(struct sb *s, const u16 *arg);
int simd_sha512_rounds(struct sb *s, const u16 *arg); /* arg[0]: 1 SHA512H2 */
int simd_sha512su0(struct sb *s, const u16 *arg);
int simd_sha512su1(struct sb *s, const u16 *arg);

/* ---- build_mem_vec.c ---- */
/* 0, or -1 when it is no load or store (or one that goes to a helper). */
int build_mem_vec(struct tr *tr, const struct a64_insn *in);
/* LD2..LD4, ST2..ST4 (multiple), without the writeback. */
void build_struct_mult(struct tr *tr, const struct a64_insn *in, bool load);

#endif

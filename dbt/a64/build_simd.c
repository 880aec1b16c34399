// SPDX-License-Identifier: MIT
/* AdvSIMD other than floating point: which builder serves which instruction. */
#include "dbt/a64/build_simd.h"
#include "dbt/a64/helpers_simd.h"

/* clang-format off */
#define BY_SIZE(x)  {VOP_##x##B, VOP_##x##W, VOP_##x##D, VOP_##x##Q}
#define BY_SIZE3(x) {VOP_##x##B, VOP_##x##W, VOP_##x##D}
/* Vector form and its scalar form on D registers. */
#define VS(op, ...) [A64_##op##_v] = __VA_ARGS__, [A64_##op##_s] = __VA_ARGS__
#define V(op, ...)  [A64_##op##_v] = __VA_ARGS__
#define H(op)       [A64_##op] = {simd_declined, {0}}

static int simd_declined(struct sb *s, const u16 *arg)
{
	return -1;
}

/* When the builder declines, the instruction is executed by its simd_helper(). */
static const struct simd_rule rules[A64_NUM_OPS] = {
	/* three same */
	VS(ADD, {simd_vec3, BY_SIZE(VPADD)}),
	VS(SUB, {simd_vec3, BY_SIZE(VPSUB)}),
	V(SMAX, {simd_vec3, BY_SIZE3(VPMAXS)}),
	V(UMAX, {simd_vec3, BY_SIZE3(VPMAXU)}),
	V(SMIN, {simd_vec3, BY_SIZE3(VPMINS)}),
	V(UMIN, {simd_vec3, BY_SIZE3(VPMINU)}),
	V(AND, {simd_logic, {VOP_VPAND}}),
	V(ORR, {simd_logic, {VOP_VPOR}}),
	V(EOR, {simd_logic, {VOP_VPXOR}}),
	V(BIC, {simd_logic, {VOP_VPANDN}}),
	V(ORN, {simd_orn, {0}}),
	V(BSL, {simd_select, {0}}),
	V(BIT, {simd_select, {1}}),
	V(BIF, {simd_select, {2}}),
	VS(CMEQ, {simd_compare, {CMP_EQ}}),
	VS(CMTST, {simd_compare, {CMP_TST}}),
	VS(CMGT, {simd_compare, {CMP_GT}}),
	VS(CMGE, {simd_compare, {CMP_GE}}),
	VS(CMHI, {simd_compare, {CMP_HI}}),
	VS(CMHS, {simd_compare, {CMP_HS}}),
	V(SHADD, {simd_halving, {0, 0}}),
	V(UHADD, {simd_halving, {1, 0}}),
	V(SRHADD, {simd_halving, {0, 1}}),
	V(URHADD, {simd_halving, {1, 1}}),
	V(SHSUB, {simd_halving, {0, 2}}),
	V(UHSUB, {simd_halving, {1, 2}}),
	V(SQADD, {simd_sat_arith, {VOP_VPADDSB, VOP_VPADDSW, VOP_VPADDB, VOP_VPADDW}}),
	[A64_SQADD_s] = {simd_sat_arith, {VOP_VPADDSB, VOP_VPADDSW, VOP_VPADDB, VOP_VPADDW}, SCALAR_TWO},
	V(UQADD, {simd_sat_arith, {VOP_VPADDUSB, VOP_VPADDUSW, VOP_VPADDB, VOP_VPADDW}}),
	[A64_UQADD_s] = {simd_sat_arith, {VOP_VPADDUSB, VOP_VPADDUSW, VOP_VPADDB, VOP_VPADDW}, SCALAR_TWO},
	V(SQSUB, {simd_sat_arith, {VOP_VPSUBSB, VOP_VPSUBSW, VOP_VPSUBB, VOP_VPSUBW}}),
	[A64_SQSUB_s] = {simd_sat_arith, {VOP_VPSUBSB, VOP_VPSUBSW, VOP_VPSUBB, VOP_VPSUBW}, SCALAR_TWO},
	V(UQSUB, {simd_sat_arith, {VOP_VPSUBUSB, VOP_VPSUBUSW, VOP_VPSUBB, VOP_VPSUBW}}),
	[A64_UQSUB_s] = {simd_sat_arith, {VOP_VPSUBUSB, VOP_VPSUBUSW, VOP_VPSUBB, VOP_VPSUBW}, SCALAR_TWO},
	V(SABD, {simd_abd_aba, {0, 0}}),
	V(UABD, {simd_abd_aba, {1, 0}}),
	V(SABA, {simd_abd_aba, {0, 1}}),
	V(UABA, {simd_abd_aba, {1, 1}}),
	V(MUL, {simd_mul_acc, {0}}),
	V(MLA, {simd_mul_acc, {1}}),
	V(MLS, {simd_mul_acc, {2}}),
	V(SMAXP, {simd_pairwise, BY_SIZE3(VPMAXS)}),
	V(UMAXP, {simd_pairwise, BY_SIZE3(VPMAXU)}),
	V(SMINP, {simd_pairwise, BY_SIZE3(VPMINS)}),
	V(UMINP, {simd_pairwise, BY_SIZE3(VPMINU)}),
	V(ADDP, {simd_pairwise, BY_SIZE(VPADD)}),
	V(SQDMULH, {simd_dmul_high, {0}}),
	[A64_SQDMULH_s] = {simd_dmul_high, {0}, SCALAR_ONE},
	V(SQRDMULH, {simd_dmul_high, {1}}),
	[A64_SQRDMULH_s] = {simd_dmul_high, {1}, SCALAR_ONE},
	VS(SRSHL, {simd_shift_reg, {1, 1}}),
	VS(URSHL, {simd_shift_reg, {0, 1}}),
	VS(SSHL, {simd_shift_reg, {1}}),
	VS(USHL, {simd_shift_reg, {0}}),
	V(SDOT, {simd_dot, {0, 0}}),
	V(UDOT, {simd_dot, {1, 1}}),
	V(USDOT, {simd_dot, {1, 0}}),

	/* two-register miscellaneous, across lanes */
	V(REV64, {simd_rev, {3}}),
	V(REV32, {simd_rev, {2}}),
	V(REV16, {simd_rev, {1}}),
	V(SADDLP, {simd_pair_long, {1, 0}}),
	V(UADDLP, {simd_pair_long, {0, 0}}),
	V(SADALP, {simd_pair_long, {1, 1}}),
	V(UADALP, {simd_pair_long, {0, 1}}),
	V(CLZ, {simd_clz, {0}}),
	V(CNT, {simd_cnt, {0}}),
	V(RBIT, {simd_rbit, {0}}),
	V(NOT, {simd_not, {0}}),
	VS(CMGT_zero, {simd_compare, {CMP_GT0}}),
	VS(CMEQ_zero, {simd_compare, {CMP_EQ0}}),
	VS(CMLT_zero, {simd_compare, {CMP_LT0}}),
	VS(CMGE_zero, {simd_compare, {CMP_GE0}}),
	VS(CMLE_zero, {simd_compare, {CMP_LE0}}),
	VS(ABS, {simd_abs, {0}}),
	VS(NEG, {simd_neg, {0}}),
	V(SQABS, {simd_abs, {1}}),
	[A64_SQABS_s] = {simd_abs, {1}, SCALAR_ONE},
	V(SQNEG, {simd_neg, {1}}),
	[A64_SQNEG_s] = {simd_neg, {1}, SCALAR_ONE},
	V(XTN, {simd_xtn, {NARROW_TRUNC}}),
	V(SQXTN, {simd_xtn, {NARROW_SS}}),
	[A64_SQXTN_s] = {simd_xtn, {NARROW_SS}, SCALAR_NARROW},
	V(UQXTN, {simd_xtn, {NARROW_UU}}),
	[A64_UQXTN_s] = {simd_xtn, {NARROW_UU}, SCALAR_NARROW},
	V(SQXTUN, {simd_xtn, {NARROW_SU}}),
	[A64_SQXTUN_s] = {simd_xtn, {NARROW_SU}, SCALAR_NARROW},
	V(SHLL, {simd_shll, {0}}),
	V(SADDLV, {simd_add_long_across, {1}}),
	V(UADDLV, {simd_add_long_across, {0}}),
	V(SMAXV, {simd_across, BY_SIZE3(VPMAXS)}),
	V(UMAXV, {simd_across, BY_SIZE3(VPMAXU)}),
	V(SMINV, {simd_across, BY_SIZE3(VPMINS)}),
	V(UMINV, {simd_across, BY_SIZE3(VPMINU)}),
	V(ADDV, {simd_add_across, {0}}),
	[A64_ADDP_s] = {simd_addp_scalar, {0}},

	/* three different */
	V(SADDL, {simd_add_long, {1, 0, 0}}),
	V(UADDL, {simd_add_long, {0, 0, 0}}),
	V(SADDW, {simd_add_long, {1, 0, 1}}),
	V(UADDW, {simd_add_long, {0, 0, 1}}),
	V(SSUBL, {simd_add_long, {1, 1, 0}}),
	V(USUBL, {simd_add_long, {0, 1, 0}}),
	V(SSUBW, {simd_add_long, {1, 1, 1}}),
	V(USUBW, {simd_add_long, {0, 1, 1}}),
	V(ADDHN, {simd_add_narrow, {0, 0}}),
	V(RADDHN, {simd_add_narrow, {0, 1}}),
	V(SUBHN, {simd_add_narrow, {1, 0}}),
	V(RSUBHN, {simd_add_narrow, {1, 1}}),
	V(SABDL, {simd_abd_long, {1, 0}}),
	V(UABDL, {simd_abd_long, {0, 0}}),
	V(SABAL, {simd_abd_long, {1, 1}}),
	V(UABAL, {simd_abd_long, {0, 1}}),
	V(SMULL, {simd_mul_long, {1, 0}}),
	V(UMULL, {simd_mul_long, {0, 0}}),
	V(SMLAL, {simd_mul_long, {1, 1}}),
	V(UMLAL, {simd_mul_long, {0, 1}}),
	V(SMLSL, {simd_mul_long, {1, 2}}),
	V(UMLSL, {simd_mul_long, {0, 2}}),
	V(SQDMULL, {simd_sqdmull, {0, 0}}),
	[A64_SQDMULL_s] = {simd_sqdmull, {0, 0}, SCALAR_LONG},
	V(SQDMLAL, {simd_sqdmull, {0, 1}}),
	[A64_SQDMLAL_s] = {simd_sqdmull, {0, 1}, SCALAR_LONG},
	V(SQDMLSL, {simd_sqdmull, {0, 2}}),
	[A64_SQDMLSL_s] = {simd_sqdmull, {0, 2}, SCALAR_LONG},
	V(PMULL, {simd_pmull, {0}}),

	/* by element */
	[A64_MUL_elem] = {simd_mul_acc, {0, 1}},
	[A64_MLA_elem] = {simd_mul_acc, {1, 1}},
	[A64_MLS_elem] = {simd_mul_acc, {2, 1}},
	[A64_SMULL_elem] = {simd_mul_long, {1, 0, 1}},
	[A64_UMULL_elem] = {simd_mul_long, {0, 0, 1}},
	[A64_SMLAL_elem] = {simd_mul_long, {1, 1, 1}},
	[A64_UMLAL_elem] = {simd_mul_long, {0, 1, 1}},
	[A64_SMLSL_elem] = {simd_mul_long, {1, 2, 1}},
	[A64_UMLSL_elem] = {simd_mul_long, {0, 2, 1}},
	[A64_SQDMULH_elem] = {simd_dmul_high, {0, 1}},
	[A64_SQDMULH_elem_s] = {simd_dmul_high, {0, 1}, SCALAR_ONE},
	[A64_SQRDMULH_elem] = {simd_dmul_high, {1, 1}},
	[A64_SQRDMULH_elem_s] = {simd_dmul_high, {1, 1}, SCALAR_ONE},
	[A64_SQDMULL_elem] = {simd_sqdmull, {1, 0}},
	[A64_SQDMULL_elem_s] = {simd_sqdmull, {1, 0}, SCALAR_LONG},
	[A64_SQDMLAL_elem] = {simd_sqdmull, {1, 1}},
	[A64_SQDMLAL_elem_s] = {simd_sqdmull, {1, 1}, SCALAR_LONG},
	[A64_SQDMLSL_elem] = {simd_sqdmull, {1, 2}},
	[A64_SQDMLSL_elem_s] = {simd_sqdmull, {1, 2}, SCALAR_LONG},
	[A64_SDOT_elem] = {simd_dot, {0, 0, 1}},
	[A64_UDOT_elem] = {simd_dot, {1, 1, 1}},
	[A64_USDOT_elem] = {simd_dot, {1, 0, 1}},
	[A64_SUDOT_elem] = {simd_dot, {0, 1, 1}},

	/* shifts by immediate */
	VS(SSHR, {simd_shift_right, {1, 0, 0}}),
	VS(USHR, {simd_shift_right, {0, 0, 0}}),
	VS(SSRA, {simd_shift_right, {1, 0, 1}}),
	VS(USRA, {simd_shift_right, {0, 0, 1}}),
	VS(SRSHR, {simd_shift_right, {1, 1, 0}}),
	VS(URSHR, {simd_shift_right, {0, 1, 0}}),
	VS(SRSRA, {simd_shift_right, {1, 1, 1}}),
	VS(URSRA, {simd_shift_right, {0, 1, 1}}),
	VS(SHL, {simd_shift_left, {0}}),
	V(SQSHL_imm, {simd_shift_left_sat, {NARROW_SS}}),
	[A64_SQSHL_imm_s] = {simd_shift_left_sat, {NARROW_SS}, SCALAR_ONE},
	V(UQSHL_imm, {simd_shift_left_sat, {NARROW_UU}}),
	[A64_UQSHL_imm_s] = {simd_shift_left_sat, {NARROW_UU}, SCALAR_ONE},
	V(SQSHLU, {simd_shift_left_sat, {NARROW_SU}}),
	[A64_SQSHLU_s] = {simd_shift_left_sat, {NARROW_SU}, SCALAR_ONE},
	VS(SLI, {simd_shift_insert, {0}}),
	VS(SRI, {simd_shift_insert, {1}}),
	V(SSHLL, {simd_shift_long, {1}}),
	V(USHLL, {simd_shift_long, {0}}),
	V(SHRN, {simd_shift_narrow, {0, NARROW_TRUNC}}),
	V(RSHRN, {simd_shift_narrow, {1, NARROW_TRUNC}}),
	V(SQSHRN, {simd_shift_narrow, {0, NARROW_SS}}),
	[A64_SQSHRN_s] = {simd_shift_narrow, {0, NARROW_SS}, SCALAR_NARROW},
	V(SQRSHRN, {simd_shift_narrow, {1, NARROW_SS}}),
	[A64_SQRSHRN_s] = {simd_shift_narrow, {1, NARROW_SS}, SCALAR_NARROW},
	V(UQSHRN, {simd_shift_narrow, {0, NARROW_UU}}),
	[A64_UQSHRN_s] = {simd_shift_narrow, {0, NARROW_UU}, SCALAR_NARROW},
	V(UQRSHRN, {simd_shift_narrow, {1, NARROW_UU}}),
	[A64_UQRSHRN_s] = {simd_shift_narrow, {1, NARROW_UU}, SCALAR_NARROW},
	V(SQSHRUN, {simd_shift_narrow, {0, NARROW_SU}}),
	[A64_SQSHRUN_s] = {simd_shift_narrow, {0, NARROW_SU}, SCALAR_NARROW},
	V(SQRSHRUN, {simd_shift_narrow, {1, NARROW_SU}}),
	[A64_SQRSHRUN_s] = {simd_shift_narrow, {1, NARROW_SU}, SCALAR_NARROW},

	/* immediates, copies, permutes */
	[A64_MOVI] = {simd_mod_imm, {0}},
	[A64_MVNI] = {simd_mod_imm, {0}},
	[A64_FMOV_vimm] = {simd_mod_imm, {0}},
	[A64_ORR_vimm] = {simd_mod_imm, {1}},
	[A64_BIC_vimm] = {simd_mod_imm, {2}},
	[A64_DUP_elem] = {simd_dup_elem, {0}},
	[A64_DUP_elem_s] = {simd_dup_scalar, {0}},
	[A64_DUP_gen] = {simd_dup_gen, {0}},
	[A64_SMOV] = {simd_to_gen, {1}},
	[A64_UMOV] = {simd_to_gen, {0}},
	[A64_INS_gen] = {simd_ins_gen, {0}},
	[A64_INS_elem] = {simd_ins_elem, {0}},
	[A64_ZIP1] = {simd_zip, {0}},
	[A64_ZIP2] = {simd_zip, {1}},
	[A64_UZP1] = {simd_uzp, {0}},
	[A64_UZP2] = {simd_uzp, {1}},
	[A64_TRN1] = {simd_trn, {0}},
	[A64_TRN2] = {simd_trn, {1}},
	[A64_EXT] = {simd_ext, {0}},
	[A64_TBL] = {simd_tbl, {0}},
	[A64_TBX] = {simd_tbl, {1}},

	/* cryptographic */
	[A64_AESE] = {simd_aes, {VOP_VAESENCLAST}},
	[A64_AESD] = {simd_aes, {VOP_VAESDECLAST}},
	[A64_AESMC] = {simd_aesmc, {0}},
	[A64_AESIMC] = {simd_aesimc, {0}},
	[A64_EOR3] = {simd_eor3, {0}},
	[A64_BCAX] = {simd_bcax, {0}},
	[A64_RAX1] = {simd_rax1, {0}},
	[A64_XAR] = {simd_xar, {0}},
	[A64_SHA1H] = {simd_sha1h, {0}},
	[A64_SHA1SU0] = {simd_sha1su0, {0}},
	[A64_SHA1SU1] = {simd_sha1su1, {0}},
	[A64_SHA1C] = {simd_sha1_rounds, {0}},
	[A64_SHA1P] = {simd_sha1_rounds, {1}},
	[A64_SHA1M] = {simd_sha1_rounds, {2}},
	[A64_SHA256H] = {simd_sha256_rounds, {0}},
	[A64_SHA256H2] = {simd_sha256_rounds, {1}},
	[A64_SHA256SU0] = {simd_sha256su0, {0}},
	[A64_SHA256SU1] = {simd_sha256su1, {0}},
	[A64_SHA512H] = {simd_sha512_rounds, {0}},
	[A64_SHA512H2] = {simd_sha512_rounds, {1}},
	[A64_SHA512SU0] = {simd_sha512su0, {0}},
	[A64_SHA512SU1] = {simd_sha512su1, {0}},

	/* no inline form yet */
	H(SQSHL_v), H(SQSHL_s), H(UQSHL_v),
	H(UQSHL_s), H(SQRSHL_v), H(SQRSHL_s),
	H(UQRSHL_v), H(UQRSHL_s), H(PMUL_v), H(SQRDMLAH_v),
	H(SQRDMLAH_s), H(SQRDMLSH_v), H(SQRDMLSH_s), H(SMMLA_v), H(UMMLA_v), H(USMMLA_v),
	H(SUQADD_v), H(SUQADD_s), H(USQADD_v), H(USQADD_s), H(CLS_v), 
	H(URECPE_v), H(URSQRTE_v),
	H(SQRDMLAH_elem), H(SQRDMLAH_elem_s), H(SQRDMLSH_elem), H(SQRDMLSH_elem_s),
	H(SM3SS1), H(SM3TT1A), H(SM3TT1B), H(SM3TT2A), H(SM3TT2B), H(SM3PARTW1), H(SM3PARTW2),
	H(SM4E), H(SM4EKEY),

	/* structure loads and stores build_mem_vec() declines */
	H(LD1_mult), H(LD2_mult), H(LD3_mult), H(LD4_mult), H(LD1_single), H(LD2_single),
	H(LD3_single), H(LD4_single), H(ST1_mult), H(ST2_mult), H(ST3_mult), H(ST4_mult),
	H(ST1_single), H(ST2_single), H(ST3_single), H(ST4_single), H(LD1R), H(LD2R), H(LD3R),
	H(LD4R),
};
#undef V
#undef VS
#undef H
/* clang-format on */

static struct hir_opnd first_element(struct sb *s, struct hir_opnd v, unsigned size)
{
	if (size == 3)
		return t1(s, VOP_VMOVQ_ZX, v);
	return t2(s, VOP_VPAND, v, hconst(~0ull >> (64 - (8u << size)), 0));
}

static void isolate(struct sb *s, enum simd_scalar kind)
{
	s->n = first_element(s, s->n, s->size + (kind == SCALAR_NARROW));
	if (kind == SCALAR_TWO)
		s->m = first_element(s, s->m, s->size);
	if (kind == SCALAR_LONG)
		s->old = first_element(s, s->old, s->size + 1);
}

int build_simd(struct tr *tr, const struct a64_insn *in)
{
	struct sb s = sb_make(&tr->hir, in);
	const struct simd_rule *r = &rules[in->op];
	unsigned from = tr->hir.n;

	if (build_mem_vec(tr, in) == 0)
		return 0;
	if (!r->fn)
		return -1;
	if (r->scalar && in->size < 3)
		isolate(&s, r->scalar);
	if (r->fn(&s, r->arg) < 0) {
		tr->hir.n = from;
		hir_helper(&tr->hir, simd_helper(in->raw), in->raw);
	}
	return 0;
}

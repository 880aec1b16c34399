// SPDX-License-Identifier: MIT
/* Which operation is which shape and which function, and the helpers' entry points. */
#include <errno.h>
#include <string.h>

#include "dbt/a64/helpers_fp.h"
#include "dbt/hir.h"

#define SV_UN(op, fn) \
	[A64_##op##_s] = {.exec = fpx_un_s, .un = fn}, [A64_##op##_v] = {fpx_un_v, .un = fn}
#define SV_BIN(op, fn) \
	[A64_##op##_s] = {.exec = fpx_bin_s, .bin = fn}, [A64_##op##_v] = {fpx_bin_v, .bin = fn}
#define SV_ZERO(op, fn, fl)                                                 \
	[A64_##op##_zero_s] = {.exec = fpx_zero_s, .bin = fn, .flags = fl}, \
	[A64_##op##_zero_v] = {.exec = fpx_zero_v, .bin = fn, .flags = fl}
#define SV_RINT(op, r, fl, n)                                                    \
	[A64_##op##_s] = {.exec = fpx_rint_s, .rnd = r, .flags = fl, .bits = n}, \
	[A64_##op##_v] = {.exec = fpx_rint_v, .rnd = r, .flags = fl, .bits = n}
#define TOINT(op, r, fl)                                               \
	[A64_##op##_s] = {.exec = fpx_tofix_s, .rnd = r, .flags = fl}, \
	[A64_##op##_v] = {.exec = fpx_tofix_v, .rnd = r, .flags = fl}, \
	[A64_##op##_int] = {.exec = fpx_tofix_gpr, .rnd = r, .flags = fl}
#define TOFIX(op, fl)                                                          \
	[A64_##op##_fix_s] = {.exec = fpx_tofix_s, .rnd = FP_RZ, .flags = fl}, \
	[A64_##op##_fix_v] = {.exec = fpx_tofix_v, .rnd = FP_RZ, .flags = fl}, \
	[A64_##op##_fix] = {.exec = fpx_tofix_gpr, .rnd = FP_RZ, .flags = fl}
#define FROMINT(op, fl)                                            \
	[A64_##op##_s] = {.exec = fpx_fromfix_s, .flags = fl},     \
	[A64_##op##_v] = {.exec = fpx_fromfix_v, .flags = fl},     \
	[A64_##op##_int] = {.exec = fpx_fromfix_gpr, .flags = fl}, \
	[A64_##op##_fix_s] = {.exec = fpx_fromfix_s, .flags = fl}, \
	[A64_##op##_fix_v] = {.exec = fpx_fromfix_v, .flags = fl}, \
	[A64_##op##_fix] = {.exec = fpx_fromfix_gpr, .flags = fl}
#define PAIR(op, fn) \
	[A64_##op##_v] = {.exec = fpx_pair_v, .bin = fn}, [A64_##op##_s] = {fpx_pair_s, .bin = fn}

const struct fp_desc fp_descs[A64_NUM_OPS] = {
	SV_UN(FABS, fp_abs),
	SV_UN(FNEG, fp_neg),
	SV_UN(FSQRT, fp_sqrt),
	SV_UN(FRECPE, fp_recpe),
	SV_UN(FRSQRTE, fp_rsqrte),
	[A64_FRECPX_s] = {.exec = fpx_un_s, .un = fp_recpx},
	[A64_URECPE_v] = {.exec = fpx_urecpe},
	[A64_URSQRTE_v] = {.exec = fpx_ursqrte},

	SV_BIN(FADD, fp_add),
	SV_BIN(FSUB, fp_sub),
	SV_BIN(FMUL, fp_mul),
	SV_BIN(FDIV, fp_div),
	SV_BIN(FMAX, fp_max),
	SV_BIN(FMIN, fp_min),
	SV_BIN(FMAXNM, fp_maxnm),
	SV_BIN(FMINNM, fp_minnm),
	SV_BIN(FMULX, fp_mulx),
	SV_BIN(FABD, fp_abd),
	SV_BIN(FRECPS, fp_recps),
	SV_BIN(FRSQRTS, fp_rsqrts),
	SV_BIN(FCMEQ, fp_cmeq),
	SV_BIN(FCMGE, fp_cmge),
	SV_BIN(FCMGT, fp_cmgt),
	SV_BIN(FACGE, fp_acge),
	SV_BIN(FACGT, fp_acgt),
	[A64_FNMUL_s] = {.exec = fpx_bin_s, .bin = fp_nmul},
	SV_ZERO(FCMEQ, fp_cmeq, 0),
	SV_ZERO(FCMGE, fp_cmge, 0),
	SV_ZERO(FCMGT, fp_cmgt, 0),
	SV_ZERO(FCMLE, fp_cmge, FPX_SWAP),
	SV_ZERO(FCMLT, fp_cmgt, FPX_SWAP),
	PAIR(FADDP, fp_add),
	PAIR(FMAXP, fp_max),
	PAIR(FMINP, fp_min),
	PAIR(FMAXNMP, fp_maxnm),
	PAIR(FMINNMP, fp_minnm),
	[A64_FMAXV_v] = {.exec = fpx_across, .bin = fp_max},
	[A64_FMINV_v] = {.exec = fpx_across, .bin = fp_min},
	[A64_FMAXNMV_v] = {.exec = fpx_across, .bin = fp_maxnm},
	[A64_FMINNMV_v] = {.exec = fpx_across, .bin = fp_minnm},
	[A64_FMUL_elem] = {.exec = fpx_bin_elem, .bin = fp_mul},
	[A64_FMUL_elem_s] = {.exec = fpx_bin_elem_s, .bin = fp_mul},
	[A64_FMULX_elem] = {.exec = fpx_bin_elem, .bin = fp_mulx},
	[A64_FMULX_elem_s] = {.exec = fpx_bin_elem_s, .bin = fp_mulx},

	[A64_FMADD] = {.exec = fpx_madd},
	[A64_FMSUB] = {.exec = fpx_madd, .flags = FPX_NEG_N},
	[A64_FNMADD] = {.exec = fpx_madd, .flags = FPX_NEG_A | FPX_NEG_N},
	[A64_FNMSUB] = {.exec = fpx_madd, .flags = FPX_NEG_A},
	[A64_FMLA_v] = {.exec = fpx_mla_v},
	[A64_FMLS_v] = {.exec = fpx_mla_v, .flags = FPX_NEG_N},
	[A64_FMLA_elem] = {.exec = fpx_mla_elem},
	[A64_FMLS_elem] = {.exec = fpx_mla_elem, .flags = FPX_NEG_N},
	[A64_FMLA_elem_s] = {.exec = fpx_mla_elem_s},
	[A64_FMLS_elem_s] = {.exec = fpx_mla_elem_s, .flags = FPX_NEG_N},
	[A64_FMLAL_v] = {.exec = fpx_fmlal_v},
	[A64_FMLAL2_v] = {.exec = fpx_fmlal_v, .flags = FPX_HIGH},
	[A64_FMLSL_v] = {.exec = fpx_fmlal_v, .flags = FPX_NEG_N},
	[A64_FMLSL2_v] = {.exec = fpx_fmlal_v, .flags = FPX_NEG_N | FPX_HIGH},
	[A64_FMLAL_elem] = {.exec = fpx_fmlal_elem},
	[A64_FMLAL2_elem] = {.exec = fpx_fmlal_elem, .flags = FPX_HIGH},
	[A64_FMLSL_elem] = {.exec = fpx_fmlal_elem, .flags = FPX_NEG_N},
	[A64_FMLSL2_elem] = {.exec = fpx_fmlal_elem, .flags = FPX_NEG_N | FPX_HIGH},
	[A64_FCMLA_v] = {.exec = fpx_cmla_v},
	[A64_FCMLA_elem] = {.exec = fpx_cmla_elem},
	[A64_FCADD_v] = {.exec = fpx_cadd_v},
	[A64_BFDOT_v] = {.exec = fpx_bfdot_v},
	[A64_BFDOT_elem] = {.exec = fpx_bfdot_elem},
	[A64_BFMMLA_v] = {.exec = fpx_bfmmla},
	[A64_BFMLAL_v] = {.exec = fpx_bfmlal_v},
	[A64_BFMLAL_elem] = {.exec = fpx_bfmlal_elem},

	SV_RINT(FRINTN, FP_RN, 0, 0),
	SV_RINT(FRINTP, FP_RP, 0, 0),
	SV_RINT(FRINTM, FP_RM, 0, 0),
	SV_RINT(FRINTZ, FP_RZ, 0, 0),
	SV_RINT(FRINTA, FP_RA, 0, 0),
	SV_RINT(FRINTX, FP_RND_FPCR, FPX_EXACT, 0),
	SV_RINT(FRINTI, FP_RND_FPCR, 0, 0),
	SV_RINT(FRINT32X, FP_RND_FPCR, 0, 32),
	SV_RINT(FRINT32Z, FP_RZ, 0, 32),
	SV_RINT(FRINT64X, FP_RND_FPCR, 0, 64),
	SV_RINT(FRINT64Z, FP_RZ, 0, 64),
	TOINT(FCVTNS, FP_RN, 0),
	TOINT(FCVTNU, FP_RN, FPX_UNS),
	TOINT(FCVTPS, FP_RP, 0),
	TOINT(FCVTPU, FP_RP, FPX_UNS),
	TOINT(FCVTMS, FP_RM, 0),
	TOINT(FCVTMU, FP_RM, FPX_UNS),
	TOINT(FCVTAS, FP_RA, 0),
	TOINT(FCVTAU, FP_RA, FPX_UNS),
	TOINT(FCVTZS, FP_RZ, 0),
	TOINT(FCVTZU, FP_RZ, FPX_UNS),
	TOFIX(FCVTZS, 0),
	TOFIX(FCVTZU, FPX_UNS),
	FROMINT(SCVTF, 0),
	FROMINT(UCVTF, FPX_UNS),
	[A64_FJCVTZS] = {.exec = fpx_fjcvtzs},
	[A64_FCVT] = {.exec = fpx_fcvt},
	[A64_BFCVT] = {.exec = fpx_bfcvt},
	[A64_FCVTL_v] = {.exec = fpx_fcvtl},
	[A64_FCVTN_v] = {.exec = fpx_fcvtn, .rnd = FP_RND_FPCR},
	[A64_FCVTXN_v] = {.exec = fpx_fcvtn, .rnd = FP_RO},
	[A64_FCVTXN_s] = {.exec = fpx_fcvtxn_s},
	[A64_BFCVTN_v] = {.exec = fpx_bfcvtn, .rnd = FP_RND_FPCR},

	[A64_FCMP] = {.exec = fpx_fcmp},
	[A64_FCMPE] = {.exec = fpx_fcmp, .flags = FPX_EXACT},
	[A64_FCMP_zero] = {.exec = fpx_fcmp, .flags = FPX_SWAP},
	[A64_FCMPE_zero] = {.exec = fpx_fcmp, .flags = FPX_EXACT | FPX_SWAP},
	[A64_FCCMP] = {.exec = fpx_fccmp},
	[A64_FCCMPE] = {.exec = fpx_fccmp, .flags = FPX_EXACT},
};

bool fp_known(unsigned op)
{
	return op < A64_NUM_OPS && fp_descs[op].exec;
}

int fp_exec(struct dbt_vcpu *cpu, const struct a64_insn *in)
{
	struct fp_x x = {.cpu = cpu, .in = in, .env = {.fpcr = cpu->fpcr}};

	if (!fp_known(in->op))
		return -ENOSYS;
	x.d = &fp_descs[in->op];
	x.f = (enum fp_fmt)in->size;
	x.lanes = (in->q ? 16u : 8u) >> in->size;
	x.d->exec(&x);
	if (!x.no_v)
		memcpy(cpu->v[in->rd], x.out, 16);
	cpu->fpsr |= x.env.fpsr;
	return 0;
}

int helper_fp(struct dbt_vcpu *cpu, u32 raw)
{
	struct a64_insn in;

	a64_decode(raw, &in);
	if (fp_exec(cpu, &in)) {
		a64_take_undef(cpu, "floating-point operation without semantics");
		return HELPER_JUMP;
	}
	/* Flush-to-zero code is faster once Inexact is recorded (TR_MODE_IXC). */
	if (unlikely((cpu->tr_mode & (TR_MODE_FZ | TR_MODE_IXC)) == TR_MODE_FZ) &&
	    cpu->fpsr & FPSR_IXC) {
		cpu->pc += 4;
		view_switch(cpu);
		return HELPER_JUMP;
	}
	return HELPER_NEXT;
}

int helper_fp_trap(struct dbt_vcpu *cpu, u32 raw)
{
	(void)raw;
	/* ISS: CV = 1, COND = 0b1110, as for every A64 instruction. */
	a64_take_sync(cpu, EC_FP, 1u << 24 | 0xeu << 20, cpu->pc);
	return HELPER_JUMP;
}

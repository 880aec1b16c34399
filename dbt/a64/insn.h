/* SPDX-License-Identifier: MIT */
/*
 * A decoded A64 instruction. One table, insns.def, drives the decoder, the disassembler, the random
 * generator of the tests and the opcode names of rules. Fields are normalised, so that users need
 * not know encodings: immediates are final values.
 */
#ifndef ARMATURE_A64_INSN_H
#define ARMATURE_A64_INSN_H

#include "common/types.h"

enum a64_op {
	A64_UNDEF, /* unallocated, or not implemented by this CPU */
#define INSN(op, ...) A64_##op,
#include "dbt/a64/insns.def"
#undef INSN
	A64_NUM_OPS
};

enum a64_shift { A64_LSL, A64_LSR, A64_ASR, A64_ROR };
enum a64_extend { A64_UXTB, A64_UXTH, A64_UXTW, A64_UXTX, A64_SXTB, A64_SXTH, A64_SXTW, A64_SXTX };
enum a64_cond {
	A64_EQ,
	A64_NE,
	A64_CS,
	A64_CC,
	A64_MI,
	A64_PL,
	A64_VS,
	A64_VC,
	A64_HI,
	A64_LS,
	A64_GE,
	A64_LT,
	A64_GT,
	A64_LE,
	A64_AL,
	A64_NV
};
enum a64_amode {
	A64_AM_NONE,
	A64_AM_IMM,  /* [Xn, #imm]: scaled unsigned or unscaled signed alike; imm in bytes */
	A64_AM_POST, /* [Xn], #imm */
	A64_AM_PRE,  /* [Xn, #imm]! */
	A64_AM_REG,  /* [Xn, Rm, ext #shift] */
	A64_AM_LIT,  /* literal; imm = byte offset from this instruction */
};

struct a64_insn {
	u16 op; /* enum a64_op */
	u8 sf;	/* 1: 64-bit operation (X registers), 0: 32-bit */
	u8 rd;	/* Rd or Rt: 0..31; whether 31 means SP or ZR follows from op (see insns.def flags)
		 */
	u8 rn;
	u8 rm;
	u8 ra;	   /* Ra or Rt2 */
	u8 rs;	   /* Rs of exclusives and LSE */
	u8 cond;   /* enum a64_cond; also the nzcv immediate's condition of CCMP/FCCMP */
	u8 shift;  /* enum a64_shift (shifted register) or enum a64_extend (extended register,
		      AM_REG) */
	u8 amount; /* shift amount in bits; for AM_REG the final shift; for CCMP: nzcv immediate;
		      TBZ: bit */
	u8 amode;  /* enum a64_amode for loads and stores */
	u8 size;   /* log2 of access bytes (per register), or log2 of element bytes for AdvSIMD (0=B
		      .. 3=D) */
	u8 sx;	   /* load sign-extends (to 64 bits when sf, else to 32) */
	u8 q;	   /* AdvSIMD: 128-bit; vector loads/stores */
	u8 vec;	   /* load/store of a SIMD&FP register */
	u8 ftype;  /* scalar FP: 0=S 1=D 3=H as encoded */
	u8 immr, imms; /* SBFM/BFM/UBFM, EXTR lsb in imms */
	s64 imm; /* immediate: sign/bit-mask expanded, scaled. Branches and ADR/ADRP: byte offset
		    from PC (ADRP: from PC's page) */
	u32 raw;
};

/* Always succeeds: an unallocated or unimplemented word gives A64_UNDEF. */
void a64_decode(u32 raw, struct a64_insn *out);
/* Writes assembly text ("add x0, x1, #4"); `pc` resolves PC-relative operands. Returns length. */
int a64_disas(const struct a64_insn *insn, u64 pc, char *buf, size_t cap);
const char *a64_op_name(unsigned op); /* "ADD_imm" */

/* The flags of insns.def, see there. */
enum a64_op_flags {
	A64F_RDSP = BIT(0),
	A64F_RNSP = BIT(1),
	A64F_RF = BIT(2),
	A64F_WF = BIT(3),
	A64F_BR = BIT(4),
	A64F_END = BIT(5),
	A64F_LD = BIT(6),
	A64F_ST = BIT(7),
	A64F_FP = BIT(8),
	A64F_SYS = BIT(9),
	A64F_PRIV = BIT(10),
};
u32 a64_op_flags(unsigned op);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Host vector instructions by table, vops.def, one line each:
 *
 *   VOP(name, form, pp, map, opcode, w, flags)
 *
 * pp: 0 none, 1 = 66, 2 = F3, 3 = F2. map: 1 = 0F, 2 = 0F38, 3 = 0F3A. w: VEX/EVEX.W of the VEX
 * form (flags say what EVEX needs). For VMI forms `w`'s high bits hold the ModRM digit:
 * VOP_DIGIT(n).
 *
 * Operands in HIR (d, a, b, c, imm2 = imm8) by form:
 *   RVM    d = op(a, b)             b may be memory (guest V in memory, constant)
 *   RVMI   d = op(a, b, imm8)
 *   RM     d = op(a)                a may be memory
 *   RMI    d = op(a, imm8)
 *   MRI    d = op(a, imm8)          a in ModRM.reg, d in rm (vcvtps2ph)
 *   VMI    d = op(a, imm8)          shift by immediate, digit in the table
 *   RVMR   d = op(a, b, c)          blendv: c = mask
 *   FMA    d = op(d, a, b)          d is read and written
 *   FMAI   d = op(d, a, b, imm8)    likewise
 *   SSE    d = op(d, a, [imm8])     legacy encoding of map 2 (map 3: with imm8); b, if any, goes to
 * xmm0 CMP    EFLAGS = op(a, b)        HIR_VCMP only G2V    d(vector) = op(a gpr/temp/imm0)
 * vmovd/vmovq V2G    d(gpr/temp) = op(a)                      vmovd/vmovq, vmovmskps, cvtsd2si; no
 * memory a V2GI   d(gpr/temp) = op(a, imm8)                vpextr* VG2VI  d = op(a, b gpr/temp,
 * imm8)              vpinsr* VG2V   d = op(a, b gpr/temp)                    vcvtsi2sd... Scalar
 * ops merge the upper bits from a (x86 rule).
 */
#ifndef ARMATURE_X64_VOPS_H
#define ARMATURE_X64_VOPS_H

#include "common/types.h"

enum vform {
	VF_RVM,
	VF_RVMI,
	VF_RM,
	VF_RMI,
	VF_VMI,
	VF_RVMR,
	VF_FMA,
	VF_CMP,
	VF_G2V,
	VF_V2G,
	VF_V2GI,
	VF_VG2VI,
	VF_VG2V,
	VF_FMAI,
	VF_SSE,
	VF_MRI
};

/* flags */
#define VO_M32	    0x01 /* memory operand is 4 bytes */
#define VO_M64	    0x02 /* ... 8 bytes (default 16) */
#define VO_EVEX	    0x04 /* has an EVEX form with the same opcode and map */
#define VO_EVEXW1   0x08 /* that form has W=1 */
#define VO_ONLYEVEX 0x10 /* AVX-512VL instruction: emit only if host_has(HOST_AVX512) */
#define VO_COMM	    0x20 /* commutative in a and b */
#define VO_M16	    0x40
#define VO_M8	    0x80
#define VO_L256	    0x100 /* ymm operation (vector temps only) */
#define VO_REGXMM   0x200 /* V2G, V2GI: ModRM.reg is the vector, rm the GPR (vmovd 7E, vpextr) */

#define VOP_DIGIT(n) ((n) << 4)

enum vop {
#define VOP(name, ...) VOP_##name,
#include "dbt/x64/vops.def"
#undef VOP
	VOP_NUM
};

struct vop_info {
	const char *name;
	u8 form, pp, map, opcode, w;
	u16 flags;
};
extern const struct vop_info vop_table[VOP_NUM];

enum host_feature {
	HOST_AVX512 = 1 << 0 /* F, VL, BW, DQ */,
	HOST_GFNI = 1 << 1,
	HOST_VAES = 1 << 2,
	HOST_SHA = 1 << 3,
	HOST_VPCLMUL = 1 << 4,
	HOST_VBMI = 1 << 5,
	HOST_BITALG = 1 << 6,
	HOST_FP16 = 1 << 7,
	HOST_AVX512_VNNI = 1 << 8,
	HOST_RDRAND = 1 << 9
};
/* Features of this CPU; the baseline x86-64-v3 plus AES/PCLMUL is always there. */
bool host_has(enum host_feature f);
/* Tests clear bits to make host_has() deny features; before anything is translated. */
extern u32 host_features_mask;

#endif

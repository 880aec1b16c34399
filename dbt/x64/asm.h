/* SPDX-License-Identifier: MIT */
/*
 * The x86-64 assembler: one inline function per instruction shape, writing through the code cache's
 * read/write alias. Addresses in displacements are those of the executable alias.
 * Encoding: Intel SDM volume 2, chapter 2.
 */
#ifndef ARMATURE_X64_ASM_H
#define ARMATURE_X64_ASM_H

#include <string.h>

#include "common/types.h"

enum xreg {
	RAX,
	RCX,
	RDX,
	RBX,
	RSP,
	RBP,
	RSI,
	RDI,
	R8,
	R9,
	R10,
	R11,
	R12,
	R13,
	R14,
	R15,
	RNONE = -1
};

struct xasm {
	u8 *p;	   /* next byte (RW alias) */
	u8 *end;   /* first byte that must not be written */
	s64 to_rx; /* RX address = (u64)p + to_rx */
	bool overflow;
	u8 cat;	  /* enum xcat of what is emitted now ... */
	u16 n[8]; /* ... and instructions so far, by category (dbt/profile.h) */
};

/* What an instruction of a block is for. */
enum xcat {
	XC_WORK,   /* the guest's computation and accesses proper */
	XC_CHECK,  /* page check of an access */
	XC_FLAGS,  /* saving NZCV, reading it from memory, carry polarity */
	XC_STATE,  /* guest registers to and from the CPU state */
	XC_POLL,   /* anything pending? */
	XC_BRANCH, /* to the next block: chained jumps, lookups, calls and returns */
	XC_NUM
};

/* r/m operand: a register, [base + index << scale + disp], or [rip -> absolute address]. */
struct xop {
	s8 reg; /* >= 0: register direct */
	s8 base, index;
	u8 scale;
	s32 disp;
	u64 abs; /* non-zero: rip-relative to this RX address */
};

static inline struct xop xr(int reg)
{
	return (struct xop){.reg = (s8)reg, .base = RNONE, .index = RNONE};
}
static inline struct xop xm(int base, s32 disp)
{
	return (struct xop){.reg = RNONE, .base = (s8)base, .index = RNONE, .disp = disp};
}
static inline struct xop xmi(int base, int index, unsigned scale, s32 disp)
{
	return (struct xop){.reg = RNONE,
			    .base = (s8)base,
			    .index = (s8)index,
			    .scale = (u8)scale,
			    .disp = disp};
}
static inline struct xop xabs(u64 addr)
{
	return (struct xop){.reg = RNONE, .base = RNONE, .index = RNONE, .abs = addr};
}

static inline u64 xasm_pc(const struct xasm *a)
{
	return (u64)a->p + (u64)a->to_rx;
}
static inline void x8(struct xasm *a, unsigned v)
{
	*a->p++ = (u8)v;
}
/* An instruction begins, or has just ended: once each. */
static inline void x_count(struct xasm *a)
{
	a->n[a->cat]++;
}
static inline void x32(struct xasm *a, u32 v)
{
	memcpy(a->p, &v, 4);
	a->p += 4;
}
static inline void x64(struct xasm *a, u64 v)
{
	memcpy(a->p, &v, 8);
	a->p += 8;
}

/* ModRM, SIB and displacement; imm_len bytes of immediate follow (for rip-relative). disp8n: EVEX
 * compressed displacement unit, 1 for legacy and VEX. */
static inline void x_modrm(struct xasm *a, int reg, struct xop rm, unsigned imm_len,
			   unsigned disp8n)
{
	unsigned r = (unsigned)(reg & 7) << 3;

	x_count(a);
	if (rm.reg >= 0) {
		x8(a, 0xc0 | r | (rm.reg & 7));
		return;
	}
	if (rm.abs) {
		x8(a, 0x05 | r);
		x32(a, (u32)(rm.abs - (xasm_pc(a) + 4 + imm_len)));
		return;
	}
	bool sib = rm.index >= 0 || (rm.base & 7) == RSP;
	unsigned mod, b = rm.base & 7;
	s32 d8 = rm.disp;

	if (rm.disp == 0 && b != RBP)
		mod = 0;
	else if (rm.disp % (s32)disp8n == 0 && (d8 = rm.disp / (s32)disp8n) >= -128 && d8 <= 127)
		mod = 0x40;
	else
		mod = 0x80;
	x8(a, mod | r | (sib ? 4 : b));
	if (sib)
		x8(a, (unsigned)rm.scale << 6 | (rm.index >= 0 ? (rm.index & 7) << 3 : 0x20) | b);
	if (mod == 0x40)
		x8(a, (unsigned)d8);
	else if (mod == 0x80)
		x32(a, (u32)rm.disp);
}

static inline unsigned x_rexbits(int reg, struct xop rm)
{
	return (reg & 8 ? 4 : 0) | (rm.reg >= 0 ? (rm.reg & 8 ? 1 : 0)
						: ((rm.index >= 0 && rm.index & 8 ? 2 : 0) |
						   (rm.base >= 0 && rm.base & 8 ? 1 : 0)));
}

/*
 * Legacy-encoded instruction: opcode up to 3 bytes given as 0x0fXX / 0x0f38XX / XX; w = operand
 * bytes 1, 2, 4, 8; mandatory prefix f2/f3/66 in bits 31:24 of opc.
 */
static inline void x_op(struct xasm *a, unsigned w, u32 opc, int reg, struct xop rm,
			unsigned imm_len)
{
	unsigned rex = x_rexbits(reg, rm) | (w == 8 ? 8 : 0);
	bool byte_reg = w == 1 && ((reg >= 4 && reg < 8) || (rm.reg >= 4 && rm.reg < 8));

	if (w == 2)
		x8(a, 0x66);
	if (opc >> 24)
		x8(a, opc >> 24);
	if (rex || byte_reg)
		x8(a, 0x40 | rex);
	if (opc & 0xff0000)
		x8(a, opc >> 16 & 0xff);
	if (opc & 0xffff00)
		x8(a, opc >> 8 & 0xff);
	x8(a, opc & 0xff);
	x_modrm(a, reg, rm, imm_len, 1);
}

/* VEX: pp 0/1/2/3 = none/66/f3/f2, map 1/2/3. */
static inline void x_vex(struct xasm *a, unsigned pp, unsigned map, unsigned w, unsigned l,
			 unsigned opc, int reg, int vvvv, struct xop rm, unsigned imm_len)
{
	unsigned rb = x_rexbits(reg, rm);

	if (map == 1 && !w && !(rb & 3)) {
		x8(a, 0xc5);
		x8(a, (rb & 4 ? 0 : 0x80) | (~(unsigned)vvvv & 15) << 3 | l << 2 | pp);
	} else {
		x8(a, 0xc4);
		x8(a, (rb & 4 ? 0 : 0x80) | (rb & 2 ? 0 : 0x40) | (rb & 1 ? 0 : 0x20) | map);
		x8(a, w << 7 | (~(unsigned)vvvv & 15) << 3 | l << 2 | pp);
	}
	x8(a, opc);
	x_modrm(a, reg, rm, imm_len, 1);
}

/* EVEX, 128-bit (l = 0) or 256-bit (l = 1), no masking. Registers 0..31. */
static inline void x_evex(struct xasm *a, unsigned pp, unsigned map, unsigned w, unsigned l,
			  unsigned opc, int reg, int vvvv, struct xop rm, unsigned imm_len,
			  unsigned disp8n)
{
	unsigned r = ~(unsigned)reg >> 3 & 1, rr = ~(unsigned)reg >> 4 & 1;
	unsigned x, b;

	if (rm.reg >= 0) {
		b = ~(unsigned)rm.reg >> 3 & 1;
		x = ~(unsigned)rm.reg >> 4 & 1;
	} else {
		b = rm.base >= 0 ? ~(unsigned)rm.base >> 3 & 1 : 1;
		x = rm.index >= 0 ? ~(unsigned)rm.index >> 3 & 1 : 1;
	}
	x8(a, 0x62);
	x8(a, r << 7 | x << 6 | b << 5 | rr << 4 | map);
	x8(a, w << 7 | (~(unsigned)vvvv & 15) << 3 | 4 | pp);
	x8(a, l << 5 | (~(unsigned)vvvv >> 4 & 1) << 3);
	x8(a, opc);
	x_modrm(a, reg, rm, imm_len, disp8n);
}

/* ---- ALU: op = 0 add 1 or 2 adc 3 sbb 4 and 5 sub 6 xor 7 cmp ---- */
enum xalu { XADD, XOR_, XADC, XSBB, XAND, XSUB, XXOR, XCMP };

static inline void x_alu_rm(struct xasm *a, unsigned w, enum xalu op, int reg, struct xop rm)
{
	x_op(a, w, (unsigned)op << 3 | (w == 1 ? 2 : 3), reg, rm, 0);
}
static inline void x_alu_mr(struct xasm *a, unsigned w, enum xalu op, struct xop rm, int reg)
{
	x_op(a, w, (unsigned)op << 3 | (w == 1 ? 0 : 1), reg, rm, 0);
}
static inline void x_alu_i(struct xasm *a, unsigned w, enum xalu op, struct xop rm, s32 imm)
{
	if (w == 1) {
		x_op(a, 1, 0x80, op, rm, 1);
		x8(a, (unsigned)imm);
	} else if (imm >= -128 && imm <= 127) {
		x_op(a, w, 0x83, op, rm, 1);
		x8(a, (unsigned)imm);
	} else {
		x_op(a, w, 0x81, op, rm, w == 2 ? 2 : 4);
		if (w == 2) {
			x8(a, (unsigned)imm);
			x8(a, (unsigned)imm >> 8);
		} else {
			x32(a, (u32)imm);
		}
	}
}
static inline void x_test_rr(struct xasm *a, unsigned w, struct xop rm, int reg)
{
	x_op(a, w, w == 1 ? 0x84 : 0x85, reg, rm, 0);
}
static inline void x_test_i(struct xasm *a, unsigned w, struct xop rm, s32 imm)
{
	x_op(a, w, w == 1 ? 0xf6 : 0xf7, 0, rm, w == 1 ? 1 : 4);
	if (w == 1)
		x8(a, (unsigned)imm);
	else
		x32(a, (u32)imm);
}

static inline void x_mov_rm(struct xasm *a, unsigned w, int reg, struct xop rm)
{
	x_op(a, w, w == 1 ? 0x8a : 0x8b, reg, rm, 0);
}
static inline void x_mov_mr(struct xasm *a, unsigned w, struct xop rm, int reg)
{
	x_op(a, w, w == 1 ? 0x88 : 0x89, reg, rm, 0);
}
static inline void x_mov_rr(struct xasm *a, unsigned w, int dst, int src)
{
	x_mov_rm(a, w, dst, xr(src));
}
/* Store of an immediate, sign-extended from 32 bits when w is 8. */
static inline void x_mov_mi(struct xasm *a, unsigned w, struct xop rm, s32 imm)
{
	x_op(a, w, w == 1 ? 0xc6 : 0xc7, 0, rm, w == 1 ? 1 : w == 2 ? 2 : 4);
	if (w == 1)
		x8(a, (unsigned)imm);
	else if (w == 2) {
		x8(a, (unsigned)imm);
		x8(a, (unsigned)imm >> 8);
	} else {
		x32(a, (u32)imm);
	}
}
/* A whole instruction of one byte: lahf, cmc, ... */
static inline void x_byte(struct xasm *a, unsigned v)
{
	x_count(a);
	x8(a, v);
}
/* Any 64-bit constant, shortest form; leaves flags alone. */
static inline void x_mov_imm(struct xasm *a, int reg, u64 v)
{
	if (v == (u32)v) {
		x_count(a);
		if (reg & 8)
			x8(a, 0x41);
		x8(a, 0xb8 | (reg & 7));
		x32(a, (u32)v);
	} else if ((s64)v == (s32)v) {
		x_mov_mi(a, 8, xr(reg), (s32)v);
	} else {
		x_count(a);
		x8(a, 0x48 | (reg & 8 ? 1 : 0));
		x8(a, 0xb8 | (reg & 7));
		x64(a, v);
	}
}
static inline void x_lea(struct xasm *a, unsigned w, int reg, struct xop m)
{
	x_op(a, w, 0x8d, reg, m, 0);
}
/* src_w 1 or 2 (or 4 with sx and w 8) into w bytes. */
static inline void x_movx(struct xasm *a, unsigned w, unsigned src_w, bool sx, int reg,
			  struct xop rm)
{
	/* spl..dil want a REX prefix, else they are ah..bh */
	bool need = src_w == 1 && rm.reg >= 4 && rm.reg < 8;
	unsigned ew = sx && w == 8 ? 8 : 4;

	if (src_w == 4) {
		if (sx && w == 8)
			x_op(a, 8, 0x63, reg, rm, 0);
		else
			x_mov_rm(a, 4, reg, rm);
		return;
	}
	if (src_w == 8) {
		x_mov_rm(a, 8, reg, rm);
		return;
	}
	u32 opc = 0x0f00 | (sx ? 0xbe : 0xb6) | (src_w == 2);

	if (need && ew == 4 && !x_rexbits(reg, rm)) {
		x8(a, 0x40);
		x8(a, 0x0f);
		x8(a, opc & 0xff);
		x_modrm(a, reg, rm, 0, 1);
		return;
	}
	x_op(a, ew, opc, reg, rm, 0);
}
/* Shift by immediate: op 0 rol 1 ror 4 shl 5 shr 7 sar */
static inline void x_shift_i(struct xasm *a, unsigned w, unsigned op, struct xop rm, unsigned n)
{
	x_op(a, w, w == 1 ? 0xc0 : 0xc1, (int)op, rm, 1);
	x8(a, n);
}
/* BMI2 shlx/shrx/sarx: op 4/5/7 as above; flags untouched. */
static inline void x_shiftx(struct xasm *a, unsigned w, unsigned op, int dst, struct xop src,
			    int cnt)
{
	x_vex(a, op == 4 ? 1 : op == 5 ? 3 : 2, 2, w == 8, 0, 0xf7, dst, cnt, src, 0);
}
static inline void x_rorx(struct xasm *a, unsigned w, int dst, struct xop src, unsigned n)
{
	x_vex(a, 3, 3, w == 8, 0, 0xf0, dst, 0, src, 1);
	x8(a, n);
}
/* dst = the field of src that bits 7..0 (start) and 15..8 (length) of register ctl say. */
static inline void x_bextr(struct xasm *a, unsigned w, int dst, struct xop src, int ctl)
{
	x_vex(a, 0, 2, w == 8, 0, 0xf7, dst, ctl, src, 0);
}
static inline void x_andn(struct xasm *a, unsigned w, int dst, int na, struct xop b)
{
	x_vex(a, 0, 2, w == 8, 0, 0xf2, dst, na, b, 0); /* dst = ~na & b */
}
static inline void x_cmov(struct xasm *a, unsigned w, unsigned cc, int dst, struct xop src)
{
	x_op(a, w, 0x0f40 | cc, dst, src, 0);
}
static inline void x_setcc(struct xasm *a, unsigned cc, struct xop rm)
{
	x_op(a, 1, 0x0f90 | cc, 0, rm, 0);
}
static inline void x_not(struct xasm *a, unsigned w, struct xop rm)
{
	x_op(a, w, w == 1 ? 0xf6 : 0xf7, 2, rm, 0);
}
static inline void x_neg(struct xasm *a, unsigned w, struct xop rm)
{
	x_op(a, w, w == 1 ? 0xf6 : 0xf7, 3, rm, 0);
}
static inline void x_imul(struct xasm *a, unsigned w, int dst, struct xop src)
{
	x_op(a, w, 0x0faf, dst, src, 0);
}
static inline void x_push(struct xasm *a, int reg)
{
	x_count(a);
	if (reg & 8)
		x8(a, 0x41);
	x8(a, 0x50 | (reg & 7));
}
static inline void x_pop(struct xasm *a, int reg)
{
	x_count(a);
	if (reg & 8)
		x8(a, 0x41);
	x8(a, 0x58 | (reg & 7));
}
static inline void x_jmp_r(struct xasm *a, int reg)
{
	x_op(a, 4, 0xff, 4, xr(reg), 0);
}
static inline void x_call_r(struct xasm *a, int reg)
{
	x_op(a, 4, 0xff, 2, xr(reg), 0);
}
static inline void x_jmp(struct xasm *a, u64 target)
{
	x_count(a);
	x8(a, 0xe9);
	x32(a, (u32)(target - (xasm_pc(a) + 4)));
}
static inline void x_call(struct xasm *a, u64 target)
{
	x_count(a);
	x8(a, 0xe8);
	x32(a, (u32)(target - (xasm_pc(a) + 4)));
}
static inline void x_jcc(struct xasm *a, unsigned cc, u64 target)
{
	x_count(a);
	x8(a, 0x0f);
	x8(a, 0x80 | cc);
	x32(a, (u32)(target - (xasm_pc(a) + 4)));
}
/* Forward branches: return the rel32 field, x_patch() points it at the current position. */
static inline u8 *x_jcc_fwd(struct xasm *a, unsigned cc)
{
	x_count(a);
	x8(a, 0x0f);
	x8(a, 0x80 | cc);
	x32(a, 0);
	return a->p - 4;
}
static inline u8 *x_jmp_fwd(struct xasm *a)
{
	x_count(a);
	x8(a, 0xe9);
	x32(a, 0);
	return a->p - 4;
}
static inline void x_patch(struct xasm *a, u8 *field)
{
	u32 rel = (u32)(a->p - (field + 4));

	memcpy(field, &rel, 4);
}
/* Short forward branches within 127 bytes. */
static inline u8 *x_jcc8_fwd(struct xasm *a, unsigned cc)
{
	x_count(a);
	x8(a, 0x70 | cc);
	x8(a, 0);
	return a->p - 1;
}
static inline u8 *x_jmp8_fwd(struct xasm *a)
{
	x_count(a);
	x8(a, 0xeb);
	x8(a, 0);
	return a->p - 1;
}
static inline void x_patch8(struct xasm *a, u8 *field)
{
	s64 rel = a->p - (field + 1);

	if (rel > 127)
		a->overflow = true;
	*field = (u8)rel;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Semantics of the A64 subset and of HIR as bit-vector terms. Both sides run on the same kind of
 * symbolic state: registers by symbolic number, NZCV as single bits, the sequence of memory
 * accesses and how control leaves.
 *
 * Memory is the sequence of accesses, each with kind, size, address and stored data. The value of
 * the k-th load is one variable shared by both sides: it is a function of the accesses before it,
 * which are compared, so nothing need be known of memory itself. That also covers memory that other
 * CPUs or devices change meanwhile, as an array of bytes would not.
 *
 * Registers: a symbolic number 0..31. Two operands are the same location when the numbers are equal
 * and, for 31, both mean SP or both mean ZR; aliasing between the parameters of a rule is thus part
 * of every proof.
 */
#ifndef ARMATURE_RULES_SEM_H
#define ARMATURE_RULES_SEM_H

#include <z3.h>

#include "common/types.h"
#include "rules/lang/rule.h"

typedef Z3_ast term;

#define SEM_MAX_REGS   24
#define SEM_MAX_WRITES 48
#define SEM_MAX_ACCESS 16

/* A register operand. */
struct sreg {
	char name[24];
	term num; /* 5 bits */
	u8 rc;	  /* RC_SP, RC_ZR; both: never 31 */
};

struct access_rec {
	bool store;
	unsigned size;	 /* log2 bytes */
	term addr, data; /* data of a store, 8 << size bits */
};

enum exit_kind { EX_FALL, EX_JUMP, EX_CALL, EX_BR, EX_BLR, EX_RET };

/* What one side did so far. */
struct sstate {
	struct sem *s;
	int nwrites;
	struct {
		int reg; /* index into sem.reg */
		term val;
	} write[SEM_MAX_WRITES];
	term n, z, c, v; /* 1 bit each */
	int naccess, nloads;
	struct access_rec access[SEM_MAX_ACCESS];
	enum exit_kind exit;
	term taken;  /* EX_JUMP: Boolean */
	term target; /* label offset, or address */
	term temp[8];
};

/* What both sides share. */
struct sem {
	Z3_context z;
	int nregs;
	struct sreg reg[SEM_MAX_REGS];
	term init[SEM_MAX_REGS]; /* value before the sequence; 64 bits */
	term n0, z0, c0, v0;
	term page_va, ret_addr;
	term load[SEM_MAX_ACCESS];
	unsigned load_size[SEM_MAX_ACCESS];
	int nloads;
	bool overflow; /* a table above was too small: the rule is not judged */
};

/* ---- sem_state.c ---- */
void sem_init(struct sem *s, Z3_context z);
/* Register operand by number term; equal names give the same operand. Returns its index. */
int sem_reg(struct sem *s, const char *name, term num, u8 rc);
/* Condition under which both operands are the same location. */
term sem_same_loc(struct sem *s, int a, int b);
/* Consistency of the initial values; to be asserted after all operands are known. */
term sem_consistent(struct sem *s);
void st_init(struct sstate *st, struct sem *s);
term st_read(struct sstate *st, int reg); /* 64 bits; ZR reads 0 */
void st_write(struct sstate *st, int reg, term val64);
/* An access; returns the loaded value (8 << size bits), NULL for a store. */
term st_load(struct sstate *st, unsigned size, term addr);
void st_store(struct sstate *st, unsigned size, term addr, term data);

/* ---- sem_bv.c: terms ---- */
term bv_num(struct sem *s, u64 v, unsigned bits);
unsigned bv_bits(struct sem *s, term t);
term bv_zext(struct sem *s, term t, unsigned bits); /* to `bits` bits */
term bv_sext(struct sem *s, term t, unsigned bits);
term bv_low(struct sem *s, term t, unsigned bits);
term bv_ext(struct sem *s, term t, unsigned hi, unsigned lo);
term bv_bool(struct sem *s, term b); /* Boolean -> 1 bit */
term bv_is1(struct sem *s, term bit);
term bv_ite(struct sem *s, term cond, term a, term b);
term bv_eq(struct sem *s, term a, term b);
term bv_and2(struct sem *s, term a, term b); /* Booleans */
term bv_or2(struct sem *s, term a, term b);
term bv_not1(struct sem *s, term a);
term bv_ones(struct sem *s, term count, unsigned bits); /* `count` low ones; count >= bits: all */
/* Rotates right by `count` modulo bits; count any width. */
term bv_ror(struct sem *s, term v, term count);
term bv_count_mod(struct sem *s, term count, unsigned bits); /* count mod bits, in `bits` bits */
term bv_clz(struct sem *s, term v);
term bv_bitrev(struct sem *s, term v);
/* Reverses the bytes of each `group` bytes. */
term bv_byterev(struct sem *s, term v, unsigned group);
/* A64 condition (4-bit term) on the flags of st. */
term st_cond(struct sstate *st, term cond);

/* ---- sem_a64.c ---- */
/* A guest instruction with its fields as terms. */
struct gterm {
	int op;		/* enum a64_op */
	unsigned width; /* 32 or 64 */
	u8 amode;
	int rd, rn, rm, ra;	       /* register operands, -1 absent */
	term imm;		       /* 64 bits; a label is an offset from the page's start */
	term immr, imms, amount, cond; /* 64 bits each, NULL when absent */
	int shift;		       /* enum a64_shift or a64_extend, concrete */
	enum mem_type mem;	       /* never MEM_R */
};
/* 0, or -1: the model does not know the op. */
int sem_a64(struct sstate *st, const struct gterm *g);

/* ---- sem_hir.c ---- */
enum hterm_kind { HT_NONE, HT_REG, HT_TEMP, HT_VALUE };
struct hterm_opnd {
	enum hterm_kind kind;
	int reg;  /* HT_REG: operand index, HT_TEMP: number */
	term val; /* HT_VALUE: 64 bits */
};
struct hterm {
	int op;	    /* enum hir_op */
	unsigned w; /* 4 or 8 */
	bool setf;
	struct hterm_opnd d, a, b, c;
	term disp; /* 64 bits or NULL */
	term cc;   /* 4 bits or NULL */
	unsigned size;
	bool sx;
};
/* 0, or -1: the model does not know the op. */
int sem_hir(struct sstate *st, const struct hterm *h);
/* What hir.h demands of the operands' values (ranges of immediates, conditions); a Boolean. */
term sem_hir_wellformed(struct sem *s, const struct hterm *h);

#endif

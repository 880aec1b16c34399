/* SPDX-License-Identifier: MIT */
/*
 * HIR, the host IR: x86-64 operations on guest registers, temporaries and guest-memory operands.
 * Rules and C builders produce it, placement (dbt/x64/place.c) turns it into host code; nothing
 * else knows A64 after this point.
 *
 * Width: w is 4 or 8 (bytes) for integer operations. A 4-byte result zero-extends to 64 bits, in
 * guest registers and temporaries alike; a 4-byte operation reads the low half of its sources.
 *
 * Guest flags: an operation with .setf defines NZCV from its result:
 *   ADD, ADC        N Z of the result, C = carry out,   V = signed overflow
 *   SUB, SBC        N Z of the result, C = NOT borrow,  V = signed overflow
 *   AND, BIC        N Z of the result, C = 0, V = 0
 * No other operation changes guest flags; whether EFLAGS survives an operation, which polarity CF
 * has, and when NZCV must be saved is placement's business alone. Conditions (cc) are enum
 * a64_cond.
 *
 * Restart: all operations of one guest instruction (or of one rule) carry the same insn index.
 * Nothing guest-visible (X, V, NZCV, STATE, memory) may be written before the last
 * LD/ST/atomic/BAIL of that index, except by the LD itself when it is last. Loads of a pair: use
 * temporaries only if needed; consecutive accesses off one base are checked together before the
 * first one happens, so "LD x0,[x1]; LD x2,[x1+8]" needs none unless x0 == x1.
 */
#ifndef ARMATURE_DBT_HIR_H
#define ARMATURE_DBT_HIR_H

#include "common/types.h"
#include "dbt/a64/insn.h"
#include "dbt/cpu.h"

enum hir_kind {
	H_NONE,	 /* absent source, or a destination that is discarded (XZR) */
	H_X,	 /* guest register reg = 0..30, 31 = SP (never XZR: that is H_IMM 0 / H_NONE) */
	H_T,	 /* integer temporary: dead at the end of its insn index; at most 3 live at once, 2
		    across LD/ST */
	H_IMM,	 /* imm; 64-bit values allowed for MOV only, elsewhere sign-extended 32-bit */
	H_STATE, /* imm = byte offset in struct dbt_vcpu; w bytes */
	H_V,	 /* guest vector register */
	H_W,	 /* vector temporary (at most 5 live) */
	H_CONST, /* imm = slot of the 16-byte constant pool, vector source operand only */
};

struct hir_opnd {
	u8 kind;
	u8 reg;
	s64 imm;
};

/*
 * Operations: HIR_OP(name, operands). d = destination, a b c = sources.
 */
#define HIR_OPS(_)                                                                                \
	/* moves and arithmetic */                                                                \
	_(MOV, "d,a")                                                                             \
	_(ADD, "d,a,b")                                                                           \
	_(SUB, "d,a,b")                                                                           \
	_(AND, "d,a,b")                                                                           \
	_(OR, "d,a,b")                                                                            \
	_(XOR, "d,a,b")                                                                           \
	_(BIC, "d,a,b") /* a & ~b */                                                              \
	_(ORN, "d,a,b") /* a | ~b */                                                              \
	_(EON, "d,a,b") /* a ^ ~b */                                                              \
	_(ADC, "d,a,b") /* a + b + C */                                                           \
	_(SBC, "d,a,b") /* a + ~b + C */                                                          \
	_(NEG, "d,a")                                                                             \
	_(NOT, "d,a")                                                                             \
	_(SHL, "d,a,b") /* count modulo width */                                                  \
	_(SHR, "d,a,b")                                                                           \
	_(SAR, "d,a,b")                                                                           \
	_(ROR, "d,a,b")                                                                           \
	_(SHRD, "d,a,b,c") /* low w bytes of (a:b) >> c, c immediate 0 <= c < width */            \
	_(LEA, "d,a,b,c")  /* a + (b << c) + imm2; c in 0..3; b may be absent */                  \
	_(MUL, "d,a,b")                                                                           \
	_(UMULH, "d,a,b")                                                                         \
	_(SMULH, "d,a,b")                                                                         \
	_(UDIV, "d,a,b") /* A64 semantics: /0 = 0, INT_MIN/-1 = INT_MIN */                        \
	_(SDIV, "d,a,b")                                                                          \
	_(ZX8, "d,a")                                                                             \
	_(ZX16, "d,a")                                                                            \
	_(ZX32, "d,a")                                                                            \
	_(SX8, "d,a")                                                                             \
	_(SX16, "d,a")                                                                            \
	_(SX32, "d,a")                                                                            \
	_(BSWAP, "d,a")                                                                           \
	_(BSWAP16, "d,a") /* bytes of each halfword */                                            \
	_(BSWAP32, "d,a") /* bytes of each word, w = 8 */                                         \
	_(RBIT, "d,a")                                                                            \
	_(CLZ, "d,a")                                                                             \
	_(CLS, "d,a")                                                                             \
	_(CTZ, "d,a")	     /* 8 * w for 0 */                                                    \
	_(CRC32C, "d,a,b,c") /* a = accumulator, b = data, c = imm log2 of data bytes */          \
	_(PCADDR, "d,a")     /* page_va + a (imm: offset from the start of the code page) */      \
	/* flags */                                                                               \
	_(CSEL, "d,a,b") /* cc ? a : b */                                                         \
	_(CSET, "d")	 /* cc ? 1 : 0 */                                                         \
	_(CSETM, "d")	 /* cc ? -1 : 0 */                                                        \
	_(CINC, "d,a")	 /* cc ? a + 1 : a */                                                     \
	_(CCMP, "a,b,c") /* NZCV = cc ? flags(a - b) : c (imm nzcv) */                            \
	_(CCMN, "a,b,c") /* NZCV = cc ? flags(a + b) : c */                                       \
	_(SETNZCV, "a")	 /* NZCV = bits 31:28 of a */                                             \
	_(GETNZCV, "d")	 /* d = NZCV in bits 31:28 */                                             \
	/* guest memory: address a + imm2; size in .size (log2), .sx, .mflags */                  \
	_(LD, "d,a")                                                                              \
	_(ST, "a,b")  /* store b at a + imm2; b may be H_IMM 0 */                                 \
	_(LDV, "d,a") /* vector register or temp, size 0..4, upper bits zeroed */                 \
	_(STV, "a,b")                                                                             \
	_(CAS, "d,a,b,c")  /* d = old [a]; if old == b then [a] = c; atomic, size 0..3 */         \
	_(ATOMIC, "d,a,b") /* d = old [a]; [a] = old <sub> b, sub = enum hir_atomic */            \
	_(LDX, "d,a")	   /* load exclusive (arms the monitor) */                                \
	_(STX, "d,a,b")	   /* store exclusive, d = 0 done / 1 failed */                           \
	_(FENCE, "")	   /* full barrier (DMB ISH) */                                           \
	/* control: ends the block */                                                             \
	_(B, "a")    /* a = imm byte offset of the target from the code page's start */           \
	_(BCC, "a")  /* cc ? target : next instruction */                                         \
	_(BZ, "a,b") /* b (w bytes) == 0 ? target : next */                                       \
	_(BNZ, "a,b")                                                                             \
	_(BTZ, "a,b,c") /* bit c of b clear ? target : next */                                    \
	_(BTNZ, "a,b,c")                                                                          \
	_(BL, "a") /* x30 = return address, call */                                               \
	_(BR, "a") /* to the address in a */                                                      \
	_(BLR, "a")                                                                               \
	_(RET, "a")                                                                               \
	/* helpers: C code with the complete state in memory */                                   \
	_(HELPER, "") /* fn(cpu, raw); HELPER_JUMP leaves the block */                            \
	_(HELPER_END,                                                                             \
	  "") /* likewise, and always leaves the block: pc set by helper if JUMP, else next */    \
	_(BAIL, "")   /* if host condition xcc (from V compare/test just before): run fn for the  \
			 whole instruction   instead of what remains of this insn index. */       \
	_(BAILZ, "a") /* bail if integer a (w bytes) is zero */                                   \
	_(BAILNZ, "a")                                                                            \
	/* vector and scalar FP: .vop = index into dbt/x64/vops.def */                            \
	_(V, "d,a,b,c")                                                                           \
	_(VCMP,                                                                                   \
	  "a,b") /* vop that writes EFLAGS only (ucomis, ptest); next op is BAIL or XSET/FCMPF */ \
	_(XSET, "d")	  /* d = host condition xcc ? 1 : 0, right after VCMP */                  \
	_(FCSEL, "d,a,b") /* d(vector) = cc ? a : b, low w bytes (2, 4, 8), zeros above */        \
	_(FCCMP, "a,b,c") /* NZCV = cc ? FCMPF of VCMP (.vop) a, b : c (imm nzcv), in memory;     \
			     compares only if cc */                                               \
	_(FCMPF, "") /* NZCV from vucomis' EFLAGS, right after VCMP: unordered 0011, lt 1000, eq  \
			0110, gt 0010 */

enum hir_op {
#define _(name, ops) HIR_##name,
	HIR_OPS(_)
#undef _
		HIR_NUM_OPS
};

enum hir_atomic { HA_ADD, HA_CLR, HA_EOR, HA_SET, HA_SMAX, HA_SMIN, HA_UMAX, HA_UMIN, HA_SWP };

enum {
	HM_UNPRIV = 1 << 0,  /* LDTR/STTR: EL0's view */
	HM_ACQUIRE = 1 << 1, /* free on x86; kept for dumps */
	HM_RELEASE = 1 << 2, /* STLR: store is followed by a full fence or is an xchg */
	HM_ALIGN = 1 << 3,   /* a misaligned address goes to the slow path (alignment fault) */
};

/* x86 condition codes as encoded, for BAIL/XSET. */
enum xcc {
	XCC_O,
	XCC_NO,
	XCC_B,
	XCC_AE,
	XCC_E,
	XCC_NE,
	XCC_BE,
	XCC_A,
	XCC_S,
	XCC_NS,
	XCC_P,
	XCC_NP,
	XCC_L,
	XCC_GE,
	XCC_LE,
	XCC_G
};

struct hir {
	u8 op;	 /* enum hir_op */
	u8 w;	 /* 4 or 8; V: 16 (default) or 32-bit lanes irrelevant */
	u8 cc;	 /* enum a64_cond, or enum xcc for BAIL/XSET */
	u8 setf; /* defines guest NZCV */
	u8 size; /* log2 access bytes */
	u8 sx;	 /* LD: sign-extend to w */
	u8 mflags;
	u8 sub;	  /* enum hir_atomic */
	u8 defer; /* access: guest instructions back to a compare not carried out yet (schedule.c),
		     0: none */
	u16 insn; /* index of the guest instruction in the block */
	u16 vop;
	s32 imm2; /* LD/ST/LEA displacement; V: imm8 */
	u32 raw;  /* HELPER/BAIL: instruction word handed to fn */
	struct hir_opnd d, a, b, c;
	helper_fn fn;
};

#define HIR_MAX 1024

struct hir_buf {
	unsigned n;
	unsigned insn; /* index given to what is emitted now */
	u8 ntmp, nvtmp;
	struct hir op[HIR_MAX];
};

/* A branch with two ways. */
static inline bool hir_is_conditional(const struct hir *h)
{
	return h->op >= HIR_BCC && h->op <= HIR_BTNZ;
}

/* Operand makers. hx/hd turn register 31 into XZR (0 / discard), hxsp/hdsp into SP. */
static inline struct hir_opnd himm(s64 v)
{
	return (struct hir_opnd){.kind = H_IMM, .imm = v};
}
static inline struct hir_opnd hnone(void)
{
	return (struct hir_opnd){.kind = H_NONE};
}
static inline struct hir_opnd hx(unsigned r)
{
	return r == 31 ? himm(0) : (struct hir_opnd){.kind = H_X, .reg = (u8)r};
}
static inline struct hir_opnd hd(unsigned r)
{
	return r == 31 ? hnone() : (struct hir_opnd){.kind = H_X, .reg = (u8)r};
}
static inline struct hir_opnd hxsp(unsigned r)
{
	return (struct hir_opnd){.kind = H_X, .reg = (u8)r};
}
static inline struct hir_opnd hv(unsigned r)
{
	return (struct hir_opnd){.kind = H_V, .reg = (u8)r};
}
static inline struct hir_opnd hstate(size_t off)
{
	return (struct hir_opnd){.kind = H_STATE, .imm = (s64)off};
}
/* A fresh temporary (of the current insn index). */
static inline struct hir_opnd htmp(struct hir_buf *b)
{
	return (struct hir_opnd){.kind = H_T, .reg = b->ntmp++};
}
static inline struct hir_opnd hvtmp(struct hir_buf *b)
{
	return (struct hir_opnd){.kind = H_W, .reg = b->nvtmp++};
}
/* Vector constant of the block being built on this thread; equal ones share a slot. */
struct hir_opnd hconst(u64 lo, u64 hi);
void hconst_reset(void);       /* a new block begins */
size_t hconst_copy(void *dst); /* writes the constants, 16 bytes each; returns their size */

/* Appends an operation and returns it for further fields; never NULL (overflow marks the buffer,
 * the translator then cuts the block shorter). */
struct hir *hir_emit(struct hir_buf *b, enum hir_op op, unsigned w, struct hir_opnd d,
		     struct hir_opnd a, struct hir_opnd c2);
static inline struct hir *hir2(struct hir_buf *b, enum hir_op op, unsigned w, struct hir_opnd d,
			       struct hir_opnd a)
{
	return hir_emit(b, op, w, d, a, hnone());
}
struct hir *hir_helper(struct hir_buf *b, helper_fn fn, u32 raw);
struct hir *hir_helper_end(struct hir_buf *b, helper_fn fn, u32 raw);
/* Vector op: vop = VOP_* of dbt/x64/vops.h. Operands as the vop's form says (see there). */
struct hir *hir_v(struct hir_buf *b, unsigned vop, struct hir_opnd d, struct hir_opnd a,
		  struct hir_opnd c2);
struct hir *hir_vi(struct hir_buf *b, unsigned vop, struct hir_opnd d, struct hir_opnd a,
		   struct hir_opnd c2, unsigned imm8);
/* BAIL on host condition after a VCMP. */
struct hir *hir_bail(struct hir_buf *b, enum xcc cc, helper_fn fn, u32 raw);

int hir_dump(const struct hir *h, char *buf, size_t cap);
const char *hir_op_name(unsigned op);

/* ---- what a builder gets: dbt/translate.h ---- */
#define SIDE_EXIT  1
#define SIDE_TAKEN 2 /* NZCV is live where it leads, */
#define SIDE_NEXT  4 /* and behind it */
#define MAX_SIDES  7 /* in a block */

/* The block being translated. */
struct tr {
	struct hir_buf hir;
	struct a64_insn insn[64];
	u8 nzcv_live[64]; /* NZCV may be read after instruction i before it is redefined */
	bool live_taken, live_next; /* NZCV on the two edges of a final conditional branch */
	u8 side[64];  /* SIDE_*: instruction i is a conditional branch that the block goes on behind
		       */
	u16 rule[64]; /* rule id + 1 of the rule that covers instructions i.., 0: a builder's */
	u8 span[64];  /* guest instructions that the operations with insn index i stand for */
	unsigned n;   /* decoded instructions */
	unsigned i;   /* the one being built */
	u64 page_va;  /* where this vCPU sees the page, for logs only */
	u32 page_off; /* byte offset of insn[0] in its page */
	u32 mode;     /* TR_MODE_*: part of the code page's key */
	bool single;  /* variant: one instruction at a time, no hoisting, no multi-instruction rules
		       */
	bool ended;   /* a block-ending op was emitted */
	bool fp_checked; /* EL1: FPEN was tested in this block */
	struct dbt_vm *vm;
	u8 *code;		    /* BLOCK_ROOM bytes of code cache to encode into ... */
	u8 *code_end;		    /* ... and how far placement got, */
	u8 *hot_end;		    /* out-of-line code from here on */
	unsigned n_rule, n_builder; /* instructions by rules, by builders */
};

/*
 * EL1 code tests FPEN and FPCR where it needs them. DN, RMode, AHP and FZ16 change no generated
 * code; a view (struct dbt_view) holds the code of one mode.
 */
#define TR_MODE_EL1	BIT(0)
#define TR_MODE_FP_TRAP BIT(1) /* CPACR_EL1.FPEN traps at EL0: FP/SIMD -> exception */
#define TR_MODE_FZ	BIT(2) /* FPCR.FZ */
#define TR_MODE_IXC	BIT(3) /* with FZ: FPSR.IXC is set, so that code may set it once more */
#define TR_MODE_ALIGN	BIT(6) /* MMU off, all data is Device memory: accesses test alignment */
#define TR_MODE_GP	BIT(5) /* a guarded page: BTYPE is checked where blocks begin */
#define TR_MODE_STEP	BIT(4) /* debugged: one instruction a block, no slots; see dbt/debug.c */

/*
 * A builder emits HIR for tr->insn[tr->i] and returns 0, or -1 when it does not know the encoding.
 * build_int: integer, loads/stores, branches, system. build_fp: scalar FP. build_simd: AdvSIMD.
 */
int build_int(struct tr *tr, const struct a64_insn *in);
int build_sys(struct tr *tr, const struct a64_insn *in);
int build_fp(struct tr *tr, const struct a64_insn *in);
int build_simd(struct tr *tr, const struct a64_insn *in);
/*
 * Rules (dbt/rules.c + generated tables): expands the best rule matching at tr->insn[tr->i] and
 * returns how many instructions it covers, 0 when none matches. Uses tr->nzcv_live, tr->single.
 */
unsigned rules_apply(struct tr *tr);

/* CPACR_EL1.FPEN says that FP/SIMD traps at the current EL. */
bool cpu_fp_trapped(const struct dbt_vcpu *cpu);

/* Executes the load/store instruction at cpu->pc in C, exactly (slow path: MMIO, page crossing,
 * faults). */
int helper_mem(struct dbt_vcpu *cpu, u32 raw);

#endif

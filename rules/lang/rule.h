/* SPDX-License-Identifier: MIT */
/*
 * Translation rules as the tools see them: parsed, resolved, checked. rules/README.md is the manual
 * of the language. Used by rules/compile, rules/prove and rules/learn, never by the VMM itself.
 *
 * Ownership: a struct ruleset owns everything reachable from it; rules are freed with it.
 */
#ifndef ARMATURE_RULES_RULE_H
#define ARMATURE_RULES_RULE_H

#include "common/types.h"
#include "dbt/a64/insn.h"

#define RULE_MAX_GUEST	8
#define RULE_MAX_HOST	16
#define RULE_MAX_PARAMS 32
#define RULE_MAX_WHEN	16
#define RULE_MAX_FOR	4
#define RULE_MAX_TEMPS	3
#define RULE_NAME_LEN	64
#define CLASS_MAX_COLS	4
#define CLASS_MAX_ROWS	32

struct loc {
	int line, col;
};

/* ---- expressions: 64-bit two's complement, no undefined cases ---- */
enum expr_op {
	E_CONST,
	E_PARAM, /* val = parameter index: an immediate, label, register number, condition, ... */
	E_WIDTH, /* 32 or 64: the width R stands for */
	E_MEM_BYTES, /* val = parameter index of a memory type */
	E_MEM_LOG2,
	E_FLAGS_DEAD, /* guest NZCV is not read after the sequence */
	E_DEAD,	      /* val = register parameter: not read after the sequence */
	/* unary */
	E_NEG,
	E_NOT, /* bitwise */
	E_LNOT,
	/* functions of one argument */
	E_S32,	/* 1 if the argument is a sign-extended 32-bit value */
	E_SX32, /* sign-extend the low half */
	E_ZX32,
	E_SIMM, /* sx32 when the rule's width is 32, else the identity: an immediate operand */
	E_MASK, /* low n bits set, 0 <= n <= 64 */
	E_POW2, /* exactly one bit set */
	E_LOG2, /* index of the highest bit set, 0 for 0 */
	/* binary */
	E_ADD,
	E_SUB,
	E_MUL,
	E_AND,
	E_OR,
	E_XOR,
	E_SHL, /* counts modulo 64 */
	E_SAR,
	E_SHR, /* lsr(a, n) */
	E_EQ,
	E_NE,
	E_LT, /* signed */
	E_LE,
	E_GT,
	E_GE,
	E_LAND,
	E_LOR,
};

struct expr {
	enum expr_op op;
	s64 val;
	struct expr *a, *b;
	struct loc loc;
};

/* ---- parameters ---- */
enum param_kind { P_REG, P_IMM, P_COND, P_SHIFT, P_EXT, P_MEM, P_LABEL, P_LET };

/* How register 31 reads in the places a register parameter is used: both set = never 31. */
enum { RC_ZR = 1, RC_SP = 2 };

/* Fields of a guest instruction that a pattern can bind or fix. */
enum gfield {
	F_RD,
	F_RN,
	F_RM,
	F_RA,
	F_IMM,
	F_IMMR,
	F_IMMS,
	F_SHIFT,
	F_AMOUNT,
	F_COND,
	F_MEM,
	F_NUM
};

struct param {
	char name[16];
	enum param_kind kind;
	u8 rc;		  /* P_REG: RC_* */
	u8 insn, field;	  /* where it is bound first; not for P_LET */
	struct expr *let; /* P_LET */
	struct loc loc;
};

/* Memory types: log2 of the bytes, sign extension; MEM_R = as wide as the rule's R. */
enum mem_type { MEM_B, MEM_H, MEM_W, MEM_X, MEM_SB, MEM_SH, MEM_SW, MEM_R, MEM_NUM };

enum gval_kind { GV_ABSENT, GV_CONST, GV_PARAM };
struct gval {
	u8 kind;
	s64 v; /* value, or parameter index */
};

/* Which sf an instruction wants: 32, 64, the rule's R, or no matter. */
enum wsel { WS_W, WS_X, WS_R, WS_ANY };

struct ginsn {
	int op;	     /* enum a64_op, -1 when a class variable */
	int cls_var; /* index into rule.vars, or -1 */
	u8 wsel;
	u8 amode;
	struct gval f[F_NUM];
	struct loc loc;
};

/* ---- host side ---- */
enum hopnd_kind { HO_NONE, HO_PARAM, HO_FIXED, HO_TEMP, HO_EXPR };
struct hopnd {
	u8 kind;
	u8 reg;	   /* HO_FIXED: number, HO_TEMP: index, HO_PARAM: parameter index */
	u8 rc;	   /* HO_FIXED 31: RC_ZR or RC_SP */
	u8 letter; /* 'W', 'X', 'R' or 0 */
	struct expr *e;
};

struct hinsn {
	int op;	     /* enum hir_op, -1 when from a class column or a shift parameter */
	int cls_var; /* index into rule.vars, or -1 */
	int col;
	int op_param; /* P_SHIFT or P_EXT parameter that gives the op, or -1 */
	u8 setf;      /* written with the s suffix */
	u8 wsel;      /* WS_W, WS_X, WS_R */
	struct hopnd d, a, b, c;
	struct expr *disp;
	struct gval cc; /* condition */
	u8 cc_inv;
	struct gval mem;
	struct loc loc;
};

/* ---- classes of opcodes ---- */
struct class_cell {
	int op; /* enum hir_op */
	u8 setf;
};
struct opclass {
	char name[RULE_NAME_LEN];
	int ncols, nrows;
	char col[CLASS_MAX_COLS][16];
	int guest[CLASS_MAX_ROWS]; /* enum a64_op */
	struct class_cell cell[CLASS_MAX_ROWS][CLASS_MAX_COLS];
	char *canon; /* normalised text, part of the hash of every rule that uses the class */
	struct loc loc;
};

struct rule {
	char name[RULE_NAME_LEN];
	struct loc loc;
	int nvars;
	struct {
		char name[16];
		const struct opclass *cls;
	} vars[RULE_MAX_FOR];
	int nguest, nhost, nparams, nwhen, ntemps;
	struct ginsn guest[RULE_MAX_GUEST];
	struct hinsn host[RULE_MAX_HOST];
	struct param param[RULE_MAX_PARAMS];
	struct expr *when[RULE_MAX_WHEN];
	int cost;	 /* explicit, else computed by the checker */
	int special;	 /* the higher, the less it matches */
	bool uses_r;	 /* the rule has a width R */
	bool flags_dead; /* applies only where NZCV is dead afterwards */
	u32 spilled;	 /* applies only where these parameters are not in host registers */
	char *from;	 /* provenance, or NULL */
	char *text;	 /* as written, for people */
	u64 count;	 /* dynamic count the learner saw */
	char *canon;	 /* normalised text, classes included: what is hashed */
	char hash[65];	 /* SHA-256 of canon, hexadecimal */
};

struct arena;
struct ruleset {
	const char *file;
	int nclasses, cclasses;
	struct opclass **classes;
	int nrules, crules;
	struct rule **rules;
	struct arena *arena;
	/* errors: one line each "file:line:col: error: text" */
	char *errors;
	size_t errors_len;
	int nerrors;
};

/* ---- rules/lang/parse.c ---- */
/* Parses text (need not be terminated). Always returns a set unless memory is short; look at
 * nerrors. */
struct ruleset *ruleset_parse(const char *file, const char *text, size_t len);
struct ruleset *ruleset_load(const char *path);
void ruleset_free(struct ruleset *rs);
PRINTF_LIKE(3, 4) void ruleset_error(struct ruleset *rs, struct loc loc, const char *fmt, ...);
void *arena_alloc(struct arena **a, size_t size);
void arena_free(struct arena *a);

/* ---- rules/lang/check.c ---- */
/* Semantic checks that need no solver; reports through ruleset_error. Computes cost. */
void rule_check(struct ruleset *rs, struct rule *r);

/* ---- rules/lang/ops.c ---- */
/* Operands of a guest op, one letter each: d n m a registers, i immediate, r immr, s imms, $ shift,
 * e extension, c condition, v nzcv, b bit number, L label, @ address. NULL: not usable in rules. */
const char *gop_shape(int op);
int gop_find(const char *name);
const char *gop_name(int op);
/* RC_SP or RC_ZR: what 31 means in that field of the op. */
int gop_reg_class(int op, enum gfield f);
bool gop_reads_flags(int op);
bool gop_writes_flags(int op);
bool gop_is_mem(int op);
bool gop_only_64(int op); /* has no 32-bit form */

/* Host op by mnemonic, "adds" gives HIR_ADD with *setf; -1 unknown. */
int hop_find(const char *mn, u8 *setf);
const char *hop_name(int op);  /* lower case */
const char *hop_shape(int op); /* operand template of hir.h; NULL: not usable in rules */
bool hop_is_control(int op);
bool hop_is_mem(int op);
bool hop_may_setf(int op);
bool hop_reads_flags(int op); /* ADC and SBC included */
int hop_cost(int op);
/* Host op of a shift kind or an extension. */
int hop_of_shift(enum a64_shift s);
int hop_of_ext(enum a64_extend e);
/* The op of an operation; of the first member where a class or parameter gives it. */
int hinsn_op(const struct rule *r, const struct hinsn *h);
int ginsn_op(const struct rule *r, const struct ginsn *g);

extern const char *const cond_names[16];
extern const char *const shift_names[4];
extern const char *const ext_names[8];
extern const char *const mem_names[MEM_NUM];
int name_index(const char *const *names, int n, const char *s);

/* ---- rules/lang/expr.c ---- */
struct expr_env {
	const s64 *param; /* by parameter index; P_MEM: enum mem_type (never MEM_R) */
	unsigned width;	  /* 32 or 64 */
	bool flags_dead;
	u32 dead_mask; /* bit r: register r dead */
};
s64 expr_eval(const struct expr *e, const struct rule *r, const struct expr_env *env);
/* log2 bytes of a memory type. */
unsigned mem_log2(enum mem_type t, unsigned width);

/* ---- rules/lang/model.c ---- */
/* SHA-256 over the files' contents in this order. 0, or -1 when one cannot be read. */
int model_hash(const char *const *files, int n, char out[65]);

/* ---- rules/lang/sha256.c ---- */
void sha256_hex(const void *data, size_t len, char out[65]);

#endif

/* SPDX-License-Identifier: MIT */
/* Concrete evaluation of rule expressions; rules/prove has the symbolic twin. */
#include "rules/lang/rule.h"

unsigned mem_log2(enum mem_type t, unsigned width)
{
	switch (t) {
	case MEM_B:
	case MEM_SB: return 0;
	case MEM_H:
	case MEM_SH: return 1;
	case MEM_W:
	case MEM_SW: return 2;
	case MEM_R: return width == 64 ? 3 : 2;
	default: return 3;
	}
}

static s64 eval1(enum expr_op op, s64 v, unsigned width)
{
	switch (op) {
	case E_NEG: return (s64)(0 - (u64)v);
	case E_NOT: return ~v;
	case E_LNOT: return !v;
	case E_S32: return v == (s32)v;
	case E_SX32: return (s32)v;
	case E_ZX32: return (u32)v;
	case E_SIMM: return width == 32 ? (s32)v : v;
	case E_MASK: return v <= 0 ? 0 : v >= 64 ? -1 : (s64)(~0ull >> (64 - v));
	case E_POW2: return v && !(v & (s64)((u64)v - 1));
	case E_LOG2: return v ? 63 - __builtin_clzll((u64)v) : 0;
	default: return 0;
	}
}

static s64 eval2(enum expr_op op, s64 a, s64 b)
{
	switch (op) {
	case E_ADD: return (s64)((u64)a + (u64)b);
	case E_SUB: return (s64)((u64)a - (u64)b);
	case E_MUL: return (s64)((u64)a * (u64)b);
	case E_AND: return a & b;
	case E_OR: return a | b;
	case E_XOR: return a ^ b;
	case E_SHL: return (s64)((u64)a << (b & 63));
	case E_SAR: return a >> (b & 63);
	case E_SHR: return (s64)((u64)a >> (b & 63));
	case E_EQ: return a == b;
	case E_NE: return a != b;
	case E_LT: return a < b;
	case E_LE: return a <= b;
	case E_GT: return a > b;
	case E_GE: return a >= b;
	case E_LAND: return a && b;
	case E_LOR: return a || b;
	default: return 0;
	}
}

s64 expr_eval(const struct expr *e, const struct rule *r, const struct expr_env *env)
{
	switch (e->op) {
	case E_CONST: return e->val;
	case E_PARAM:
		if (r->param[e->val].kind == P_LET)
			return expr_eval(r->param[e->val].let, r, env);
		return env->param[e->val];
	case E_WIDTH: return env->width;
	case E_MEM_BYTES: return 1 << mem_log2((enum mem_type)env->param[e->val], env->width);
	case E_MEM_LOG2: return mem_log2((enum mem_type)env->param[e->val], env->width);
	case E_FLAGS_DEAD: return env->flags_dead;
	case E_DEAD: return env->dead_mask >> (env->param[e->val] & 31) & 1;
	default: break;
	}
	if (e->op < E_ADD)
		return eval1(e->op, expr_eval(e->a, r, env), env->width);
	return eval2(e->op, expr_eval(e->a, r, env), expr_eval(e->b, r, env));
}

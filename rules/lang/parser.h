/* SPDX-License-Identifier: MIT */
/* Shared by the files of the rule parser. */
#ifndef ARMATURE_RULES_PARSER_H
#define ARMATURE_RULES_PARSER_H

#include <setjmp.h>

#include "rules/lang/rule.h"

enum tok {
	T_EOF,
	T_NL, /* any number of line ends and comments */
	T_IDENT,
	T_NUM,
	T_STRING,
	T_SHL,
	T_SHR,
	T_EQ,
	T_NE,
	T_LE,
	T_GE,
	T_LAND,
	T_LOR,
	T_BAD,
	/* single characters stand for themselves */
};

struct token {
	int kind;
	const char *s;
	size_t len;
	s64 num;
	struct loc loc;
};

#define PARSE_MAX_DEPTH 64

struct parser {
	struct ruleset *rs;
	const char *p, *end, *line_start;
	int line;
	struct token tok; /* current */
	jmp_buf bail;	  /* out of a bad line, to the next one */
	struct rule *rule;
	int depth, nodes;
	/* normalised text of the rule or class being read */
	bool record;
	char *canon;
	size_t canon_len, canon_cap;
};

/* rules/lang/lex.c */
void lex_next(struct parser *p);
bool tok_is(const struct parser *p, const char *word);
/* Copies the current identifier, which must be one and fit, and goes on. */
void tok_ident(struct parser *p, char *buf, size_t cap, const char *what);
void tok_expect(struct parser *p, int kind, const char *what);
bool tok_accept(struct parser *p, int kind);
PRINTF_LIKE(2, 3) _Noreturn void parse_fail(struct parser *p, const char *fmt, ...);

/* rules/lang/parse_expr.c */
struct expr *parse_expr(struct parser *p);
struct expr *parse_primary(struct parser *p);
struct expr *expr_new(struct parser *p, enum expr_op op, struct expr *a, struct expr *b);
struct expr *expr_const(struct parser *p, s64 v);

/* rules/lang/parse_guest.c, parse_host.c: one line each */
void parse_guest(struct parser *p);
void parse_host(struct parser *p);

/* rules/lang/parse.c */
int param_find(const struct rule *r, const char *name);
/* "Rd": letter and name; false when the identifier is not a register parameter. */
bool split_reg(const char *ident, char *letter, const char **name);
/* wzr xzr zr sp wsp x0..x30 w0..w30: register number, letter and class; false otherwise. */
bool literal_reg(const char *ident, int *num, char *letter, u8 *rc);
int var_find(const struct rule *r, const char *name);

#endif

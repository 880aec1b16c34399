/* SPDX-License-Identifier: MIT */
/* Tokens of the rule language, and the normalised text that is hashed. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/lang/parser.h"

void parse_fail(struct parser *p, const char *fmt, ...)
{
	char msg[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	ruleset_error(p->rs, p->tok.loc, "%s", msg);
	longjmp(p->bail, 1);
}

static void canon_add(struct parser *p, const char *s, size_t n)
{
	if (p->canon_len + n + 2 > p->canon_cap) {
		size_t cap = (p->canon_len + n + 2) * 2;
		char *c = realloc(p->canon, cap);

		if (!c)
			return;
		p->canon = c;
		p->canon_cap = cap;
	}
	memcpy(p->canon + p->canon_len, s, n);
	p->canon_len += n;
	p->canon[p->canon_len++] = ' ';
	p->canon[p->canon_len] = 0;
}

/* Skips blanks and comments; true when a line end was among them. */
static bool skip_blank(struct parser *p)
{
	bool nl = false;

	while (p->p < p->end) {
		if (*p->p == '\n') {
			nl = true;
			p->line++;
			p->line_start = ++p->p;
		} else if (*p->p == ' ' || *p->p == '\t' || *p->p == '\r') {
			p->p++;
		} else if (p->end - p->p >= 2 && p->p[0] == '/' && p->p[1] == '/') {
			while (p->p < p->end && *p->p != '\n')
				p->p++;
		} else {
			break;
		}
	}
	return nl;
}

static void lex_number(struct parser *p, struct token *t)
{
	char buf[24];
	size_t n = 0;
	char *stop;

	while (p->p + n < p->end && n < sizeof(buf) - 1 && isalnum((unsigned char)p->p[n]))
		n++;
	memcpy(buf, p->p, n);
	buf[n] = 0;
	t->num = (s64)strtoull(buf, &stop, 0);
	t->kind = *stop ? T_BAD : T_NUM;
	t->len = n;
	p->p += n;
}

static void lex_punct(struct parser *p, struct token *t)
{
	static const struct {
		char s[3];
		int kind;
	} two[] = {{"<<", T_SHL}, {">>", T_SHR}, {"==", T_EQ},	 {"!=", T_NE},
		   {"<=", T_LE},  {">=", T_GE},	 {"&&", T_LAND}, {"||", T_LOR}};

	for (size_t i = 0; i < ARRAY_SIZE(two); i++)
		if (p->end - p->p >= 2 && !memcmp(p->p, two[i].s, 2)) {
			t->kind = two[i].kind;
			t->len = 2;
			p->p += 2;
			return;
		}
	t->kind = strchr("<>()[]{},.#!+-*&|^~=_", *p->p) && *p->p ? *p->p : T_BAD;
	t->len = 1;
	p->p++;
}

void lex_next(struct parser *p)
{
	struct token *t = &p->tok;
	bool nl;

	if (p->record && t->s && t->kind != T_NL)
		canon_add(p, t->s, t->len);
	else if (p->record && t->kind == T_NL)
		canon_add(p, ";", 1);
	nl = skip_blank(p);
	*t = (struct token){.s = p->p, .loc = {p->line, (int)(p->p - p->line_start) + 1}};
	if (nl && p->p < p->end) {
		/* The line end is reported where the next line starts, so that section keywords are
		 * seen at once. */
		t->kind = T_NL;
		return;
	}
	if (p->p >= p->end) {
		t->kind = T_EOF;
	} else if (isalpha((unsigned char)*p->p) || *p->p == '_') {
		t->kind = T_IDENT;
		while (p->p < p->end && (isalnum((unsigned char)*p->p) || *p->p == '_'))
			p->p++;
		t->len = (size_t)(p->p - t->s);
	} else if (isdigit((unsigned char)*p->p)) {
		lex_number(p, t);
	} else if (*p->p == '"') {
		p->p++;
		while (p->p < p->end && *p->p != '"' && *p->p != '\n')
			p->p++;
		t->kind = p->p < p->end && *p->p == '"' ? T_STRING : T_BAD;
		t->len = (size_t)(p->p - t->s) + (t->kind == T_STRING);
		if (t->kind == T_STRING)
			p->p++;
	} else {
		lex_punct(p, t);
	}
}

bool tok_is(const struct parser *p, const char *word)
{
	return p->tok.kind == T_IDENT && strlen(word) == p->tok.len &&
	       !memcmp(p->tok.s, word, p->tok.len);
}

void tok_ident(struct parser *p, char *buf, size_t cap, const char *what)
{
	if (p->tok.kind != T_IDENT)
		parse_fail(p, "expected %s", what);
	if (p->tok.len >= cap)
		parse_fail(p, "%s is longer than %zu characters", what, cap - 1);
	memcpy(buf, p->tok.s, p->tok.len);
	buf[p->tok.len] = 0;
	lex_next(p);
}

void tok_expect(struct parser *p, int kind, const char *what)
{
	if (p->tok.kind != kind)
		parse_fail(p, "expected %s", what);
	lex_next(p);
}

bool tok_accept(struct parser *p, int kind)
{
	if (p->tok.kind != kind)
		return false;
	lex_next(p);
	return true;
}

/* SPDX-License-Identifier: MIT */
/* The rule file: classes and rules, section by section. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/lang/parser.h"

struct arena {
	struct arena *next;
	_Alignas(16) char data[];
};

void *arena_alloc(struct arena **a, size_t size)
{
	struct arena *n = calloc(1, sizeof(*n) + size);

	if (!n)
		return NULL;
	n->next = *a;
	*a = n;
	return n->data;
}

void arena_free(struct arena *a)
{
	while (a) {
		struct arena *next = a->next;

		free(a);
		a = next;
	}
}

void ruleset_error(struct ruleset *rs, struct loc loc, const char *fmt, ...)
{
	char msg[512];
	va_list ap;
	int n;
	char *e;

	rs->nerrors++;
	if (rs->nerrors > 100)
		return;
	n = snprintf(msg, sizeof(msg), "%s:%d:%d: error: ", rs->file, loc.line, loc.col);
	if (n < 0 || n >= (int)sizeof(msg) - 2)
		return;
	va_start(ap, fmt);
	vsnprintf(msg + n, sizeof(msg) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	strcat(msg, "\n");
	e = realloc(rs->errors, rs->errors_len + strlen(msg) + 1);
	if (!e)
		return;
	strcpy(e + rs->errors_len, msg);
	rs->errors = e;
	rs->errors_len += strlen(msg);
}

int param_find(const struct rule *r, const char *name)
{
	for (int i = 0; i < r->nparams; i++)
		if (!strcmp(r->param[i].name, name))
			return i;
	return -1;
}

int var_find(const struct rule *r, const char *name)
{
	for (int i = 0; i < r->nvars; i++)
		if (!strcmp(r->vars[i].name, name))
			return i;
	return -1;
}

bool split_reg(const char *ident, char *letter, const char **name)
{
	if ((ident[0] != 'W' && ident[0] != 'X' && ident[0] != 'R') || ident[1] < 'a' ||
	    ident[1] > 'z')
		return false;
	*letter = ident[0];
	*name = ident + 1;
	return true;
}

bool literal_reg(const char *s, int *num, char *letter, u8 *rc)
{
	char *end;
	long n;

	*rc = RC_ZR;
	*letter = s[0] == 'w' ? 'W' : s[0] == 'x' ? 'X' : 0;
	*num = 31;
	if (!strcmp(s, "wzr") || !strcmp(s, "xzr") || !strcmp(s, "zr"))
		return true;
	if (!strcmp(s, "sp") || !strcmp(s, "wsp")) {
		*letter = s[0] == 'w' ? 'W' : 'X';
		*rc = RC_SP;
		return true;
	}
	if (!*letter || s[1] < '0' || s[1] > '9')
		return false;
	n = strtol(s + 1, &end, 10);
	*num = (int)n;
	return !*end && n <= 30;
}

/* ---- classes ---- */

static void class_row(struct parser *p, struct opclass *c)
{
	char id[32];
	struct loc at = p->tok.loc;

	if (c->nrows == CLASS_MAX_ROWS)
		parse_fail(p, "more than %d members", CLASS_MAX_ROWS);
	tok_ident(p, id, sizeof(id), "a guest op");
	c->guest[c->nrows] = gop_find(id);
	if (c->guest[c->nrows] < 0 || !gop_shape(c->guest[c->nrows])) {
		p->tok.loc = at;
		parse_fail(p, "'%s' is not a guest op that rules can use", id);
	}
	for (int i = 0; i < c->ncols; i++) {
		struct class_cell *cell = &c->cell[c->nrows][i];

		at = p->tok.loc;
		tok_ident(p, id, sizeof(id), "a host op");
		cell->op = hop_find(id, &cell->setf);
		if (cell->op < 0) {
			p->tok.loc = at;
			parse_fail(p, "unknown host op '%s'", id);
		}
	}
	if (p->tok.kind != T_NL && p->tok.kind != T_EOF)
		parse_fail(p, "more cells than columns");
	c->nrows++;
}

static const char *const sections[] = {"class", "rule", "for",	"guest", "when",
				       "let",	"host", "cost", "from",	 "spilled"};

static int section_of(const struct parser *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		if (tok_is(p, sections[i]))
			return (int)i;
	return -1;
}

static void record_start(struct parser *p)
{
	p->record = true;
	p->canon_len = 0;
	if (p->canon)
		p->canon[0] = 0;
}

/* Line ends at the end depend on what follows in the file: not part of the text. */
static void canon_trim(struct parser *p)
{
	while (p->canon_len && strchr("; ", p->canon[p->canon_len - 1]))
		p->canon[--p->canon_len] = 0;
}

static char *arena_strdup(struct parser *p, const char *s, size_t n)
{
	char *d = arena_alloc(&p->rs->arena, n + 1);

	if (d)
		memcpy(d, s, n);
	return d;
}

static void parse_class(struct parser *p)
{
	struct ruleset *rs = p->rs;
	struct opclass *c = arena_alloc(&rs->arena, sizeof(*c));

	if (!c)
		parse_fail(p, "out of memory");
	c->loc = p->tok.loc;
	lex_next(p);
	tok_ident(p, c->name, sizeof(c->name), "a class name");
	for (int i = 0; i < rs->nclasses; i++)
		if (!strcmp(rs->classes[i]->name, c->name))
			parse_fail(p, "class %s is defined twice", c->name);
	record_start(p);
	while (p->tok.kind == T_IDENT) {
		if (c->ncols == CLASS_MAX_COLS)
			parse_fail(p, "more than %d columns", CLASS_MAX_COLS);
		tok_ident(p, c->col[c->ncols++], sizeof(c->col[0]), "a column name");
	}
	tok_expect(p, T_NL, "the end of the line");
	while (p->tok.kind == T_IDENT && section_of(p) < 0) {
		class_row(p, c);
		tok_accept(p, T_NL);
	}
	p->record = false;
	if (!c->nrows)
		parse_fail(p, "class %s is empty", c->name);
	canon_trim(p);
	c->canon = arena_strdup(p, p->canon, p->canon_len);
	if (rs->nclasses == rs->cclasses) {
		int cap = rs->cclasses ? rs->cclasses * 2 : 16;
		struct opclass **v = realloc(rs->classes, (size_t)cap * sizeof(*v));

		if (!v)
			parse_fail(p, "out of memory");
		rs->classes = v;
		rs->cclasses = cap;
	}
	rs->classes[rs->nclasses++] = c;
}

/* ---- rules ---- */

static void section_for(struct parser *p)
{
	struct rule *r = p->rule;
	char id[RULE_NAME_LEN];
	struct ruleset *rs = p->rs;

	if (r->nvars == RULE_MAX_FOR)
		parse_fail(p, "more than %d class variables", RULE_MAX_FOR);
	tok_expect(p, '<', "'<'");
	tok_ident(p, r->vars[r->nvars].name, sizeof(r->vars[0].name), "a variable name");
	tok_expect(p, '>', "'>'");
	if (!tok_is(p, "in"))
		parse_fail(p, "expected 'in'");
	lex_next(p);
	tok_ident(p, id, sizeof(id), "a class name");
	for (int i = 0; i < rs->nclasses; i++)
		if (!strcmp(rs->classes[i]->name, id))
			r->vars[r->nvars].cls = rs->classes[i];
	if (!r->vars[r->nvars].cls)
		parse_fail(p, "unknown class '%s'", id);
	r->nvars++;
}

static void section_when(struct parser *p)
{
	struct rule *r = p->rule;

	do {
		if (r->nwhen == RULE_MAX_WHEN)
			parse_fail(p, "more than %d conditions", RULE_MAX_WHEN);
		r->when[r->nwhen] = parse_expr(p);
		if (r->when[r->nwhen]->op == E_FLAGS_DEAD)
			r->flags_dead = true;
		r->nwhen++;
	} while (tok_accept(p, ','));
}

static void section_let(struct parser *p)
{
	struct rule *r = p->rule;
	struct param q = {.kind = P_LET, .loc = p->tok.loc};

	if (r->nparams == RULE_MAX_PARAMS)
		parse_fail(p, "more than %d parameters", RULE_MAX_PARAMS);
	tok_ident(p, q.name, sizeof(q.name), "a name");
	if (param_find(r, q.name) >= 0)
		parse_fail(p, "'%s' is defined twice", q.name);
	tok_expect(p, '=', "'='");
	q.let = parse_expr(p);
	r->param[r->nparams++] = q;
}

static void section_from(struct parser *p)
{
	struct rule *r = p->rule;

	if (p->tok.kind != T_STRING)
		parse_fail(p, "expected a string");
	r->from = arena_strdup(p, p->tok.s + 1, p->tok.len - 2);
	lex_next(p);
	if (p->tok.kind == T_NUM) {
		r->count = (u64)p->tok.num;
		lex_next(p);
	}
}

/* Where a rule pays, no part of what is proven: the proof holds wherever registers live. */
static void section_spilled(struct parser *p)
{
	struct rule *r = p->rule;
	const char *name;
	char id[32], letter;

	do {
		int i;

		tok_ident(p, id, sizeof(id), "a register of the guest side");
		i = split_reg(id, &letter, &name) ? param_find(r, name) : -1;
		if (i < 0 || r->param[i].kind != P_REG)
			parse_fail(p, "'%s' is not a register of the guest side", id);
		r->spilled |= 1u << i;
	} while (tok_accept(p, ','));
}

/* One line of a section; which section goes on over several lines is the caller's business. */
static void section_line(struct parser *p, int sec)
{
	switch (sec) {
	case 2: section_for(p); break;
	case 3: parse_guest(p); break;
	case 4: section_when(p); break;
	case 5: section_let(p); break;
	case 6:
		if (tok_is(p, "nothing"))
			lex_next(p);
		else
			parse_host(p);
		break;
	case 7:
		p->rule->cost = (int)p->tok.num;
		tok_expect(p, T_NUM, "a number");
		break;
	case 8: section_from(p); break;
	case 9: section_spilled(p); break;
	default:
		parse_fail(p,
			   "expected a section: for, guest, when, let, host, cost, from, spilled");
	}
	if (p->tok.kind != T_NL && p->tok.kind != T_EOF)
		parse_fail(p, "unexpected text at the end of the line");
}

/* Errors in a line lose that line only. Returns false when the rule is not usable. */
static bool rule_sections(struct parser *p)
{
	volatile int sec = -1;
	volatile bool ok = true;
	jmp_buf outer;

	memcpy(&outer, &p->bail, sizeof(outer));
	if (setjmp(p->bail)) {
		ok = false;
		p->depth = 0;
		while (p->tok.kind != T_NL && p->tok.kind != T_EOF)
			lex_next(p);
	}
	while (p->tok.kind != T_EOF) {
		int s;

		tok_accept(p, T_NL);
		s = section_of(p);
		if (p->tok.kind == T_EOF || s == 0 || s == 1)
			break;
		if (s >= 2) {
			sec = s;
			/* Provenance, cost and where it pays are no part of what is proven. */
			p->record = s < 7;
			lex_next(p);
		}
		section_line(p, sec);
	}
	p->record = false;
	memcpy(&p->bail, &outer, sizeof(outer));
	return ok;
}

static void rule_hash(struct parser *p, struct rule *r)
{
	size_t n;
	char *c;

	canon_trim(p);
	n = p->canon_len;
	for (int i = 0; i < r->nvars; i++)
		n += strlen(r->vars[i].cls->canon) + 1;
	c = arena_alloc(&p->rs->arena, n + 1);
	if (!c)
		return;
	if (p->canon_len) /* a rule without a line that counts has no text at all */
		memcpy(c, p->canon, p->canon_len);
	for (int i = 0; i < r->nvars; i++) {
		strcat(c, "|");
		strcat(c, r->vars[i].cls->canon);
	}
	r->canon = c;
	sha256_hex(c, strlen(c), r->hash);
}

static void parse_rule(struct parser *p)
{
	struct ruleset *rs = p->rs;
	struct rule *r = arena_alloc(&rs->arena, sizeof(*r));
	const char *start, *end;

	if (!r)
		parse_fail(p, "out of memory");
	r->loc = p->tok.loc;
	start = p->tok.s;
	lex_next(p);
	tok_ident(p, r->name, sizeof(r->name), "a rule name");
	tok_expect(p, T_NL, "the end of the line");
	for (int i = 0; i < rs->nrules; i++)
		if (!strcmp(rs->rules[i]->name, r->name))
			ruleset_error(rs, r->loc, "rule %s is defined twice", r->name);
	p->rule = r;
	p->nodes = 0;
	record_start(p);
	if (!rule_sections(p))
		return;
	end = p->tok.s;
	while (end > start && strchr(" \t\r\n", end[-1]))
		end--;
	r->text = arena_strdup(p, start, (size_t)(end - start));
	rule_hash(p, r);
	rule_check(rs, r);
	if (rs->nrules == rs->crules) {
		int cap = rs->crules ? rs->crules * 2 : 64;
		struct rule **v = realloc(rs->rules, (size_t)cap * sizeof(*v));

		if (!v)
			return;
		rs->rules = v;
		rs->crules = cap;
	}
	rs->rules[rs->nrules++] = r;
}

struct ruleset *ruleset_parse(const char *file, const char *text, size_t len)
{
	struct ruleset *rs = calloc(1, sizeof(*rs));
	struct parser p = {.rs = rs, .p = text, .end = text + len, .line_start = text, .line = 1};

	if (!rs)
		return NULL;
	rs->file = file;
	lex_next(&p);
	if (setjmp(p.bail)) {
		/* On to the next rule or class. */
		p.record = false;
		while (p.tok.kind != T_EOF && (p.tok.kind != T_NL))
			lex_next(&p);
	}
	while (p.tok.kind != T_EOF) {
		int s;

		tok_accept(&p, T_NL);
		s = section_of(&p);
		if (p.tok.kind == T_EOF)
			break;
		if (s == 0)
			parse_class(&p);
		else if (s == 1)
			parse_rule(&p);
		else
			parse_fail(&p, "expected 'class' or 'rule'");
	}
	free(p.canon);
	return rs;
}

struct ruleset *ruleset_load(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct ruleset *rs;
	char *text = NULL;
	size_t len = 0, cap = 0, n = 0;

	if (!f)
		return NULL;
	do {
		len += n;
		if (cap - len < 65536) {
			char *t = realloc(text, cap + 262144);

			if (!t)
				break;
			text = t;
			cap += 262144;
		}
		n = fread(text + len, 1, cap - len, f);
	} while (n);
	fclose(f);
	rs = ruleset_parse(path, text, len);
	free(text);
	return rs;
}

void ruleset_free(struct ruleset *rs)
{
	if (!rs)
		return;
	free(rs->classes);
	free(rs->rules);
	free(rs->errors);
	arena_free(rs->arena);
	free(rs);
}

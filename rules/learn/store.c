/* SPDX-License-Identifier: MIT */
#include "rules/learn/store.h"

#include <stdlib.h>
#include <string.h>

#include "rules/lang/replace.h"

#define FILE_MAGIC 0x314e524c41ull

static void *grow(void *v, u32 n, u32 *cap, size_t size)
{
	if (n < *cap)
		return v;
	*cap = *cap ? *cap * 2 : 256;
	v = realloc(v, *cap * size);
	if (!v) {
		perror("rules-learn");
		exit(1);
	}
	return v;
}

/* ---- hashed index of entries by a string ---- */

static u64 text_hash(const char *s, size_t n)
{
	u64 h = 1469598103934665603ull;

	while (n--)
		h = (h ^ (u8)*s++) * 0x100000001b3ull;
	return h ^ h >> 29;
}

typedef size_t (*key_fn)(const struct entry *e, const char **key);

static size_t key_hash(const struct entry *e, const char **key)
{
	*key = e->hash;
	return 64;
}

/* The guest side and its conditions. */
static size_t key_guest(const struct entry *e, const char **key)
{
	const char *host = strstr(e->text, "host ");

	*key = e->text;
	return host ? (size_t)(host - e->text) : strlen(e->text);
}

/* Slot of the entry with e's key, or an empty one. */
static u32 *index_find(const struct index *x, const struct entry *v, key_fn key,
		       const struct entry *e)
{
	const char *k, *o;
	size_t n = key(e, &k), m;

	for (u32 i = (u32)text_hash(k, n) & (x->cap - 1);; i = (i + 1) & (x->cap - 1)) {
		if (!x->slot[i])
			return &x->slot[i];
		m = key(&v[x->slot[i] - 1], &o);
		if (m == n && !memcmp(o, k, n))
			return &x->slot[i];
	}
}

static void index_grow(struct index *x, const struct entry *v, key_fn key)
{
	u32 *old = x->slot, cap = x->cap;

	if (x->n * 2 < x->cap)
		return;
	x->cap = cap ? cap * 2 : 1024;
	x->slot = calloc(x->cap, sizeof(*x->slot));
	if (!x->slot) {
		perror("rules-learn");
		exit(1);
	}
	for (u32 i = 0; i < cap; i++)
		if (old[i])
			*index_find(x, v, key, &v[old[i] - 1]) = old[i];
	free(old);
}

/* ---- windows met ---- */

struct seen *store_seen(struct store *s, u64 key, bool *fresh)
{
	key |= !key;
	if (s->nseen * 2 >= s->cseen) {
		struct seen *old = s->seen;
		u32 n = s->cseen;

		s->cseen = n ? n * 2 : 1u << 16;
		s->seen = calloc(s->cseen, sizeof(*s->seen));
		if (!s->seen) {
			perror("rules-learn");
			exit(1);
		}
		s->nseen = 0;
		for (u32 i = 0; i < n; i++)
			if (old[i].key) {
				bool f;

				store_seen(s, old[i].key, &f)->rule = old[i].rule;
			}
		free(old);
	}
	for (u32 i = (u32)(key ^ key >> 32) & (s->cseen - 1);; i = (i + 1) & (s->cseen - 1)) {
		*fresh = !s->seen[i].key;
		if (*fresh) {
			s->seen[i].key = key;
			s->nseen++;
		}
		if (s->seen[i].key == key)
			return &s->seen[i];
	}
}

void store_right(struct store *s, u64 key)
{
	s->right = grow(s->right, s->nright, &s->cright, sizeof(*s->right));
	s->right[s->nright++] = key;
}

/* ---- rules and pairs ---- */

static void entry_free(struct entry *e)
{
	free(e->text);
	free(e->from);
}

/* Takes over e's strings, or frees them. */
static u32 add_rule(struct store *s, struct entry *e)
{
	u32 *slot;

	index_grow(&s->by_rule, s->rule, key_hash);
	index_grow(&s->by_guest, s->rule, key_guest);
	slot = index_find(&s->by_rule, s->rule, key_hash, e);
	if (!*slot)
		slot = index_find(&s->by_guest, s->rule, key_guest, e);
	if (*slot) {
		struct entry *r = &s->rule[*slot - 1];

		r->count += e->count;
		if (strcmp(e->from, r->from) < 0) {
			char *t = r->from;

			r->from = e->from;
			e->from = t;
		}
		/* The guest side stays what it is found by. */
		if (e->cost < r->cost) {
			char *t = r->text;

			r->text = e->text;
			e->text = t;
			memcpy(r->hash, e->hash, sizeof(r->hash));
			memcpy(r->base_hash, e->base_hash, sizeof(r->hash));
			r->cost = e->cost;
			r->base_cost = e->base_cost;
		}
		entry_free(e);
		return *slot - 1;
	}
	s->rule = grow(s->rule, s->nrule, &s->crule, sizeof(*s->rule));
	s->rule[s->nrule++] = *e;
	*index_find(&s->by_rule, s->rule, key_hash, e) = s->nrule;
	*index_find(&s->by_guest, s->rule, key_guest, e) = s->nrule;
	s->by_rule.n++;
	s->by_guest.n++;
	return s->nrule - 1;
}

static void add_pair(struct store *s, struct entry *e)
{
	u32 *slot;

	index_grow(&s->by_pair, s->pair, key_hash);
	slot = index_find(&s->by_pair, s->pair, key_hash, e);
	if (*slot) {
		s->pair[*slot - 1].count += e->count;
		if (strcmp(e->from, s->pair[*slot - 1].from) < 0) {
			char *t = s->pair[*slot - 1].from;

			s->pair[*slot - 1].from = e->from;
			e->from = t;
		}
		entry_free(e);
		return;
	}
	s->pair = grow(s->pair, s->npair, &s->cpair, sizeof(*s->pair));
	s->pair[s->npair++] = *e;
	*slot = s->npair;
	s->by_pair.n++;
}

static struct entry make_entry(const struct store *s, const char *text, const char *hash,
			       const struct learned *l)
{
	struct entry e = {.text = strdup(text),
			  .count = 1,
			  .nguest = l->nguest,
			  .cost = l->cost,
			  .base_cost = l->base_cost};
	char from[300];

	snprintf(from, sizeof(from), "%s %s:%u", s->package, s->src, s->line);
	e.from = strdup(from);
	memcpy(e.hash, hash, sizeof(e.hash));
	memcpy(e.base_hash, hash, sizeof(e.hash));
	return e;
}

u32 store_rule(struct store *s, const struct learned *l)
{
	struct entry e = make_entry(s, l->text, l->hash, l);

	return add_rule(s, &e);
}

void store_pair(struct store *s, const struct learned *l)
{
	struct entry e = make_entry(s, l->pair, l->pair_hash, l);

	add_pair(s, &e);
}

static struct entry entry_copy(const struct entry *e)
{
	struct entry c = *e;

	c.text = strdup(e->text);
	c.from = strdup(e->from);
	return c;
}

void store_merge(struct store *a, const struct store *b)
{
	for (size_t i = 0; i < sizeof(a->st) / sizeof(u64); i++)
		((u64 *)&a->st)[i] += ((const u64 *)&b->st)[i];
	for (u32 i = 0; i < b->nright; i++)
		store_right(a, b->right[i]);
	for (u32 i = 0; i < b->nrule; i++) {
		struct entry e = entry_copy(&b->rule[i]);

		add_rule(a, &e);
	}
	for (u32 i = 0; i < b->npair; i++) {
		struct entry e = entry_copy(&b->pair[i]);

		add_pair(a, &e);
	}
}

void store_widen(struct store *s)
{
	struct store w = {.st = s->st};

	for (u32 i = 0; i < s->nrule; i++) {
		struct entry e = entry_copy(&s->rule[i]);
		struct learned l = {.nguest = e.nguest};

		snprintf(l.text, sizeof(l.text), "%s", e.text);
		memcpy(l.hash, e.hash, sizeof(l.hash));
		widen_op(&l);
		free(e.text);
		e.text = strdup(l.text);
		memcpy(e.hash, l.hash, sizeof(l.hash));
		add_rule(&w, &e);
	}
	for (u32 i = 0; i < s->nrule; i++)
		entry_free(&s->rule[i]);
	free(s->rule);
	free(s->by_rule.slot);
	free(s->by_guest.slot);
	s->rule = w.rule;
	s->nrule = w.nrule;
	s->crule = w.crule;
	s->by_rule = w.by_rule;
	s->by_guest = w.by_guest;
}

void store_free(struct store *s)
{
	for (u32 i = 0; i < s->nrule; i++)
		entry_free(&s->rule[i]);
	for (u32 i = 0; i < s->npair; i++)
		entry_free(&s->pair[i]);
	free(s->rule);
	free(s->pair);
	free(s->seen);
	free(s->right);
	free(s->by_rule.slot);
	free(s->by_guest.slot);
	free(s->by_pair.slot);
	memset(s, 0, sizeof(*s));
}

/* ---- files ---- */

static void put_string(FILE *f, const char *s)
{
	u32 n = (u32)strlen(s);

	fwrite(&n, sizeof(n), 1, f);
	fwrite(s, 1, n, f);
}

static void put_entries(FILE *f, const struct entry *e, u32 n)
{
	fwrite(&n, sizeof(n), 1, f);
	for (u32 i = 0; i < n; i++) {
		fwrite(&e[i], sizeof(e[i]), 1, f);
		put_string(f, e[i].text);
		put_string(f, e[i].from);
	}
}

int store_write(const struct store *s, const char *path)
{
	FILE *f = replace_open(path);
	u64 magic = FILE_MAGIC;

	if (!f)
		return -1;
	fwrite(&magic, sizeof(magic), 1, f);
	fwrite(&s->st, sizeof(s->st), 1, f);
	fwrite(&s->nright, sizeof(s->nright), 1, f);
	fwrite(s->right, sizeof(*s->right), s->nright, f);
	put_entries(f, s->rule, s->nrule);
	put_entries(f, s->pair, s->npair);
	return replace_close(f, path);
}

static char *get_string(FILE *f)
{
	u32 n;
	char *s;

	if (fread(&n, sizeof(n), 1, f) != 1 || n > 1u << 16 || !(s = malloc(n + 1)))
		return NULL;
	s[n] = 0;
	if (fread(s, 1, n, f) == n)
		return s;
	free(s);
	return NULL;
}

static int get_entries(FILE *f, struct store *s, bool rules)
{
	struct entry e;
	u32 n;

	if (fread(&n, sizeof(n), 1, f) != 1)
		return -1;
	while (n--) {
		if (fread(&e, sizeof(e), 1, f) != 1)
			return -1;
		e.text = get_string(f);
		e.from = e.text ? get_string(f) : NULL;
		if (!e.from) {
			free(e.text);
			return -1;
		}
		if (rules)
			add_rule(s, &e);
		else
			add_pair(s, &e);
	}
	return 0;
}

int store_read(struct store *s, const char *path)
{
	FILE *f = fopen(path, "r");
	u64 magic;
	u32 n;
	int r = -1;

	memset(s, 0, sizeof(*s));
	if (!f)
		return -1;
	if (fread(&magic, sizeof(magic), 1, f) == 1 && magic == FILE_MAGIC &&
	    fread(&s->st, sizeof(s->st), 1, f) == 1 && fread(&n, sizeof(n), 1, f) == 1) {
		for (u64 key; n && fread(&key, sizeof(key), 1, f) == 1; n--)
			store_right(s, key);
		if (!n && !get_entries(f, s, true) && !get_entries(f, s, false))
			r = 0;
	}
	fclose(f);
	return r;
}

/* SPDX-License-Identifier: MIT */
/*
 * The editable JSON document behind every front door, and where each of its values came from.
 * json-c keeps no positions, so the text is scanned a second time, once it is known to be valid,
 * for the line of every key path.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "config/config_internal.h"

/* Bounds the quadratic search for duplicate keys; a full machine is a tenth of it. */
#define DOC_MAX_BYTES (128 << 10)

struct origin {
	struct origin *next;
	char *path;  /* "" is the whole document */
	char *where; /* "vm.json:12" or "--cpus" */
};

struct config_doc {
	struct json_object *root;
	char *name;		/* file name, or NULL */
	struct origin *origins; /* newest first */
};

struct json_object *config_doc_root(struct config_doc *doc)
{
	return doc->root;
}

static int origin_add(struct config_doc *doc, const char *path, const char *where)
{
	struct origin *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->path = strdup(path);
	o->where = strdup(where);
	o->next = doc->origins;
	doc->origins = o;
	return o->path && o->where ? 0 : -ENOMEM;
}

static bool path_covers(const char *parent, const char *path)
{
	size_t len = strlen(parent);

	return !strncmp(parent, path, len) && strchr(".[", path[len]);
}

/* A value that is replaced takes the lines of its old parts with it. */
static void origin_drop(struct config_doc *doc, const char *path)
{
	for (struct origin **p = &doc->origins; *p;) {
		struct origin *o = *p;

		if (!path_covers(path, o->path)) {
			p = &o->next;
			continue;
		}
		*p = o->next;
		free(o->path);
		free(o->where);
		free(o);
	}
}

/* Where `path`, or else the nearest thing around it, was written; NULL when nowhere. */
static const char *origin_find(const struct config_doc *doc, const char *path)
{
	char buf[CONFIG_PATH_MAX];

	snprintf(buf, sizeof(buf), "%s", path);
	for (;;) {
		char *cut;

		for (const struct origin *o = doc->origins; o; o = o->next)
			if (!strcmp(o->path, buf))
				return o->where;
		if (!*buf)
			return NULL;
		cut = buf + strlen(buf) - 1;
		while (cut > buf && *cut != '.' && *cut != '[')
			cut--;
		*cut = 0;
	}
}

void config_error(const struct config_doc *doc, const char *path, const char *fmt, ...)
{
	const char *where = origin_find(doc, path);
	char text[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	error_report("%s%s%s%s%s", where ? where : "", where ? ": " : "", path, *path ? ": " : "",
		     text);
}

/* ---- the position scanner: valid JSON only ---- */

struct scanner {
	struct config_doc *doc;
	const char *p;
	unsigned line;
	unsigned errors;
	char path[CONFIG_PATH_MAX];
};

static void scan_value(struct scanner *s);

static void skip_space(struct scanner *s)
{
	for (; isspace((unsigned char)*s->p); s->p++)
		s->line += *s->p == '\n';
}

/* json-c takes single quotes for keys, strict or not. */
static void skip_string(struct scanner *s)
{
	char quote = *s->p;

	for (s->p++; *s->p != quote; s->p++)
		if (*s->p == '\\')
			s->p++;
	s->p++;
}

/*
 * Both append to the path and return its old length. A path too long to be any key is cut, and the
 * key unknown to the parser.
 */
static size_t push_key(struct scanner *s, const char *key, size_t len)
{
	size_t old = strlen(s->path);

	snprintf(s->path + old, sizeof(s->path) - old, "%s%.*s", old ? "." : "",
		 (int)(len < 64 ? len : 64), key);
	return old;
}

static size_t push_index(struct scanner *s, unsigned n)
{
	size_t old = strlen(s->path);

	snprintf(s->path + old, sizeof(s->path) - old, "[%u]", n);
	return old;
}

static bool seen_before(const struct scanner *s)
{
	for (const struct origin *o = s->doc->origins; o; o = o->next)
		if (!strcmp(o->path, s->path))
			return true;
	return false;
}

static void scan_object(struct scanner *s)
{
	s->p++;
	for (skip_space(s); *s->p != '}'; skip_space(s)) {
		const char *key = s->p + 1;
		char where[512];
		size_t len, old;

		skip_string(s);
		len = (size_t)(s->p - 1 - key);
		old = push_key(s, key, len);
		snprintf(where, sizeof(where), "%s:%u", s->doc->name, s->line);
		if (key[-1] != '"' || memchr(key, '\\', len)) {
			error_report("%s: %s: a key is written in double quotes, without escapes",
				     where, s->path);
			s->errors++;
		}
		if (seen_before(s)) {
			error_report("%s: %s: given twice: remove one of them", where, s->path);
			s->errors++;
		}
		if (origin_add(s->doc, s->path, where))
			s->errors++;
		skip_space(s);
		s->p++; /* ':' */
		scan_value(s);
		s->path[old] = 0;
		skip_space(s);
		s->p += *s->p == ',';
	}
	s->p++;
}

static void scan_array(struct scanner *s)
{
	unsigned n = 0;

	s->p++;
	for (skip_space(s); *s->p != ']'; skip_space(s)) {
		size_t old = push_index(s, n++);
		char where[512];

		snprintf(where, sizeof(where), "%s:%u", s->doc->name, s->line);
		if (origin_add(s->doc, s->path, where))
			s->errors++;
		scan_value(s);
		s->path[old] = 0;
		skip_space(s);
		s->p += *s->p == ',';
	}
	s->p++;
}

static void scan_value(struct scanner *s)
{
	skip_space(s);
	switch (*s->p) {
	case '{': scan_object(s); break;
	case '[': scan_array(s); break;
	case '"': skip_string(s); break;
	default: s->p += strcspn(s->p, ",]} \t\r\n"); break;
	}
}

/* ---- loading ---- */

/* The whole file, NUL-terminated; NULL after a message. */
static char *read_text(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *buf = NULL;
	size_t n = 0;
	ssize_t got = -1;

	if (fd < 0) {
		error_report("%s: %s", path, strerror(errno));
		return NULL;
	}
	buf = malloc(DOC_MAX_BYTES + 1);
	while (buf && n <= DOC_MAX_BYTES && (got = read(fd, buf + n, DOC_MAX_BYTES + 1 - n)) > 0)
		n += (size_t)got;
	if (!buf || got < 0 || n > DOC_MAX_BYTES) {
		error_report("%s: %s", path,
			     !buf      ? strerror(ENOMEM)
			     : got < 0 ? strerror(errno)
				       : "larger than 128 KiB: not a machine description");
		free(buf);
		buf = NULL;
	} else {
		buf[n] = 0;
		*len = n;
	}
	close(fd);
	return buf;
}

static unsigned line_of(const char *text, size_t offset)
{
	unsigned line = 1;

	for (size_t i = 0; i < offset; i++)
		line += text[i] == '\n';
	return line;
}

static struct json_object *parse_text(const char *name, const char *text, size_t len)
{
	struct json_tokener *tok = json_tokener_new();
	struct json_object *root = NULL;
	enum json_tokener_error err;
	size_t end;

	if (!tok)
		return NULL;
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	/* The NUL is passed too: it ends a top-level number, and tells a truncated document. */
	root = json_tokener_parse_ex(tok, text, (int)len + 1);
	err = json_tokener_get_error(tok);
	end = json_tokener_get_parse_end(tok);
	if (strlen(text) != len) {
		err = json_tokener_error_parse_unexpected;
		end = strlen(text);
	}
	if (err != json_tokener_success) {
		error_report("%s:%u: not JSON: %s", name, line_of(text, end < len ? end : len),
			     err == json_tokener_continue ? "the text ends too early"
							  : json_tokener_error_desc(err));
		json_object_put(root);
		root = NULL;
	} else if (!json_object_is_type(root, json_type_object)) {
		error_report("%s:1: not a machine description: the document must be an object",
			     name);
		json_object_put(root);
		root = NULL;
	}
	json_tokener_free(tok);
	return root;
}

struct config_doc *config_doc_new(void)
{
	struct config_doc *doc = calloc(1, sizeof(*doc));

	if (doc)
		doc->root = json_object_new_object();
	return doc;
}

struct config_doc *config_doc_load(const char *path)
{
	struct config_doc *doc = calloc(1, sizeof(*doc));
	struct scanner s = {.line = 1};
	size_t len;
	char *text;

	if (!doc)
		return NULL;
	text = read_text(path, &len);
	if (!text)
		goto fail;
	doc->name = strdup(path);
	doc->root = parse_text(path, text, len);
	if (!doc->root || !doc->name || origin_add(doc, "", path))
		goto fail;
	s.doc = doc;
	s.p = text;
	scan_value(&s);
	if (s.errors)
		goto fail;
	free(text);
	return doc;
fail:
	free(text);
	config_doc_free(doc);
	return NULL;
}

void config_doc_free(struct config_doc *doc)
{
	if (!doc)
		return;
	origin_drop(doc, "");
	while (doc->origins) {
		struct origin *o = doc->origins;

		doc->origins = o->next;
		free(o->path);
		free(o->where);
		free(o);
	}
	json_object_put(doc->root);
	free(doc->name);
	free(doc);
}

/* ---- editing ---- */

/*
 * One step of a key path: a name or an index. Returns what follows, or NULL when malformed.
 */
static const char *path_step(const char *path, char name[64], long *index)
{
	char *end;
	size_t len;

	*index = -1;
	if (*path == '[') {
		*index = strtol(path + 1, &end, 10);
		if (!isdigit((unsigned char)path[1]) || *end != ']' || *index > 1000)
			return NULL;
		path = end + 1;
	} else {
		len = strcspn(path, ".[");
		if (!len || len > 63)
			return NULL;
		memcpy(name, path, len);
		name[len] = 0;
		path += len;
	}
	if (*path == '.')
		return path[1] && path[1] != '[' ? path + 1 : NULL;
	return path;
}

static struct json_object *child_get(struct json_object *obj, const char *name, long index)
{
	if (index < 0)
		return json_object_object_get(obj, name);
	return json_object_array_get_idx(obj, (size_t)index);
}

static int child_put(struct json_object *obj, const char *name, long index, struct json_object *val)
{
	size_t len;

	if (index < 0)
		return json_object_object_add(obj, name, val);
	len = json_object_array_length(obj);
	if ((size_t)index < len)
		return json_object_array_put_idx(obj, (size_t)index, val);
	return (size_t)index == len ? json_object_array_add(obj, val) : -1;
}

/* Owns `value`. */
static int doc_put(struct config_doc *doc, const char *key, struct json_object *value,
		   const char *origin)
{
	struct json_object *obj = doc->root;
	const char *p = key;
	char name[64], made[CONFIG_PATH_MAX];
	long index;

	for (;;) {
		const char *next = path_step(p, name, &index);
		enum json_type want = index < 0 ? json_type_object : json_type_array;
		struct json_object *child;

		if (!next || !json_object_is_type(obj, want) || strlen(key) >= CONFIG_PATH_MAX)
			break;
		if (!*next) {
			if (child_put(obj, name, index, value))
				break;
			origin_drop(doc, key);
			return origin_add(doc, key, origin);
		}
		child = child_get(obj, name, index);
		if (!child) {
			child = *next == '[' ? json_object_new_array() : json_object_new_object();
			if (child_put(obj, name, index, child)) {
				json_object_put(child);
				break;
			}
			snprintf(made, sizeof(made), "%.*s", (int)(next - key) - (next[-1] == '.'),
				 key);
			if (origin_add(doc, made, origin))
				return -ENOMEM;
		}
		obj = child;
		p = next;
	}
	json_object_put(value);
	error_report("%s: \"%s\" is not a key that can be set", origin, key);
	return -EINVAL;
}

int config_doc_set_string(struct config_doc *doc, const char *key, const char *text,
			  const char *origin)
{
	return doc_put(doc, key, json_object_new_string(text), origin);
}

static bool key_wants_text(const char *key)
{
	const struct config_key *k = config_key_find(key);

	return k && (k->type == KEY_STRING || k->type == KEY_ENUM);
}

int config_doc_set(struct config_doc *doc, const char *key, const char *value, const char *origin)
{
	struct json_tokener *tok;
	struct json_object *obj;
	bool ok;

	if (key_wants_text(key))
		return config_doc_set_string(doc, key, value, origin);
	tok = json_tokener_new();
	if (!tok)
		return -ENOMEM;
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	obj = json_tokener_parse_ex(tok, value, (int)strlen(value) + 1);
	ok = json_tokener_get_error(tok) == json_tokener_success;
	json_tokener_free(tok);
	if (!ok) {
		json_object_put(obj);
		return config_doc_set_string(doc, key, value, origin);
	}
	return doc_put(doc, key, obj, origin);
}

unsigned config_doc_count(const struct config_doc *doc, const char *key)
{
	struct json_object *obj = doc->root;
	char name[64];
	long index;

	while (key && *key && obj) {
		enum json_type want;

		key = path_step(key, name, &index);
		want = index < 0 ? json_type_object : json_type_array;
		obj = key && json_object_is_type(obj, want) ? child_get(obj, name, index) : NULL;
	}
	return json_object_is_type(obj, json_type_array) ? (unsigned)json_object_array_length(obj)
							 : 0;
}

/* SPDX-License-Identifier: MIT */
/* JSON tree -> struct vm_config, driven by the tables of keys.c. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "config/config_internal.h"

struct parser {
	const struct config_doc *doc;
	unsigned errors;
};

static void parse_object(struct parser *ps, const struct config_key *table, const char *path,
			 struct json_object *obj, void *dst);
static void set_defaults(struct parser *ps, const struct config_key *table, const char *path,
			 void *dst);

int config_parse_size(const char *text, u64 *bytes)
{
	static const char units[] = "KMGT";
	const char *unit;
	char *end;
	u64 n;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno)
		return -EINVAL;
	if (*end) {
		unit = strchr(units, toupper((unsigned char)*end));
		if (!unit || end[1])
			return -EINVAL;
		for (const char *u = units; u <= unit; u++)
			if (__builtin_mul_overflow(n, 1024u, &n))
				return -EINVAL;
	}
	*bytes = n;
	return 0;
}

static const char *size_text(u64 bytes, char buf[24])
{
	static const char units[] = " KMGT";
	unsigned u = 0;

	while (u < 4 && bytes && !(bytes & 1023)) {
		bytes >>= 10;
		u++;
	}
	snprintf(buf, 24, "%" PRIu64 "%.*s", bytes, u != 0, units + u);
	return buf;
}

/* What a key takes, for messages. */
static const char *key_allowed(const struct config_key *k, char buf[256])
{
	char lo[24], hi[24];
	int n = 0;

	switch (k->type) {
	case KEY_BOOL: return "true or false";
	case KEY_UINT:
		snprintf(buf, 256, "an integer from %" PRIu64 " to %" PRIu64, k->min, k->max);
		return buf;
	case KEY_SIZE:
		snprintf(buf, 256, "a size from %s to %s, in bytes or with K, M, G or T",
			 size_text(k->min, lo), size_text(k->max, hi));
		return buf;
	case KEY_STRING:
		if (k->min)
			snprintf(buf, 256, "a string of %" PRIu64 " to %" PRIu64 " bytes", k->min,
				 k->max);
		else
			snprintf(buf, 256, "a string of at most %" PRIu64 " bytes", k->max);
		return buf;
	case KEY_ENUM:
		for (unsigned i = 0; k->words[i]; i++)
			n += snprintf(buf + n, 256 - (size_t)n, "%s\"%s\"",
				      !i		? ""
				      : k->words[i + 1] ? ", "
							: " or ",
				      k->words[i]);
		return buf;
	case KEY_OBJECT: return "an object";
	case KEY_ARRAY:
		snprintf(buf, 256, "an array of at most %" PRIu64 " objects", k->max);
		return buf;
	}
	return "";
}

/* "100 is not allowed: an integer from 1 to 64" */
static void bad_value(struct parser *ps, const struct config_key *k, const char *path,
		      struct json_object *val, const char *allowed)
{
	char buf[256], text[64];

	snprintf(text, sizeof(text), "%s", json_object_to_json_string(val));
	if (strlen(text) == sizeof(text) - 1)
		strcpy(text + sizeof(text) - 4, "...");
	config_error(ps->doc, path, "%s is not allowed: must be %s", text,
		     allowed ? allowed : key_allowed(k, buf));
	ps->errors++;
}

static bool parse_u64(struct json_object *val, u64 *out)
{
	if (!json_object_is_type(val, json_type_int))
		return false;
	/* Negative numbers come out as zero from _get_uint64. */
	if (json_object_get_int64(val) < 0)
		return false;
	*out = json_object_get_uint64(val);
	return true;
}

static void parse_string(struct parser *ps, const struct config_key *k, const char *path,
			 struct json_object *val, char **dst)
{
	const char *s = json_object_get_string(val), *allowed = NULL;
	size_t len = (size_t)json_object_get_string_len(val);

	if (!json_object_is_type(val, json_type_string) || len < k->min || len > k->max) {
		bad_value(ps, k, path, val, NULL);
		return;
	}
	if (strlen(s) != len)
		allowed = "a string without \\u0000";
	else if (k->check)
		allowed = k->check(s);
	if (allowed) {
		bad_value(ps, k, path, val, allowed);
		return;
	}
	*dst = strdup(s);
	ps->errors += !*dst;
}

static bool parse_enum(const struct config_key *k, struct json_object *val, u64 *out)
{
	const char *s = json_object_get_string(val);

	for (u64 i = 0; json_object_is_type(val, json_type_string) && k->words[i]; i++)
		if (!strcmp(k->words[i], s)) {
			*out = i;
			return true;
		}
	return false;
}

static void parse_array(struct parser *ps, const struct config_key *k, const char *path,
			struct json_object *val, char *parent)
{
	char sub[CONFIG_PATH_MAX];
	size_t n = 0;

	if (!json_object_is_type(val, json_type_array) ||
	    (n = json_object_array_length(val)) > k->max) {
		bad_value(ps, k, path, val, NULL);
		return;
	}
	memcpy(parent + k->count_offset, &(unsigned){(unsigned)n}, sizeof(unsigned));
	for (size_t i = 0; i < n; i++) {
		/* Table names bound every path well below the buffer. */
		if (snprintf(sub, sizeof(sub), "%s[%zu]", path, i) >= (int)sizeof(sub))
			return;
		parse_object(ps, k->sub, sub, json_object_array_get_idx(val, i),
			     parent + k->offset + i * k->elem_size);
	}
}

static void store(const struct config_key *k, void *dst, u64 v)
{
	switch (k->type) {
	case KEY_BOOL: *(bool *)dst = v; break;
	case KEY_UINT:
	case KEY_ENUM: *(unsigned *)dst = (unsigned)v; break;
	case KEY_SIZE: *(u64 *)dst = v; break;
	default: break;
	}
}

static void parse_value(struct parser *ps, const struct config_key *k, const char *path,
			struct json_object *val, char *parent)
{
	char *dst = parent + k->offset;
	bool ok = false;
	u64 v = 0;

	switch (k->type) {
	case KEY_BOOL:
		ok = json_object_is_type(val, json_type_boolean);
		v = json_object_get_boolean(val);
		break;
	case KEY_UINT: ok = parse_u64(val, &v) && v >= k->min && v <= k->max; break;
	case KEY_SIZE:
		ok = (parse_u64(val, &v) ||
		      (json_object_is_type(val, json_type_string) &&
		       !config_parse_size(json_object_get_string(val), &v))) &&
		     v >= k->min && v <= k->max;
		break;
	case KEY_ENUM: ok = parse_enum(k, val, &v); break;
	case KEY_STRING: parse_string(ps, k, path, val, (char **)dst); return;
	case KEY_OBJECT: parse_object(ps, k->sub, path, val, dst); return;
	case KEY_ARRAY: parse_array(ps, k, path, val, parent); return;
	}
	if (ok)
		store(k, dst, v);
	else
		bad_value(ps, k, path, val, NULL);
}

static void set_default(struct parser *ps, const struct config_key *k, const char *path,
			char *parent)
{
	char *dst = parent + k->offset;

	if (k->flags & KEY_REQUIRED && k->type != KEY_OBJECT) {
		char buf[256];

		config_error(ps->doc, path, "missing: must be %s", key_allowed(k, buf));
		ps->errors++;
	} else if (k->type == KEY_OBJECT) {
		set_defaults(ps, k->sub, path, dst);
	} else if (k->type == KEY_STRING) {
		*(char **)dst = k->text ? strdup(k->text) : NULL;
		ps->errors += k->text && !*(char **)dst;
	} else {
		store(k, dst, k->def);
	}
}

static void unknown_key(struct parser *ps, const struct config_key *table, const char *path)
{
	char list[256];
	size_t n = 0;

	for (const struct config_key *k = table; k->name && n < sizeof(list); k++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "", k->name);
	config_error(ps->doc, path, "unknown key: allowed here are %s", list);
	ps->errors++;
}

static void key_path(char sub[CONFIG_PATH_MAX], const char *path, const char *name)
{
	snprintf(sub, CONFIG_PATH_MAX, "%s%s%.64s", path, *path ? "." : "", name);
}

/* An object that is not there. */
static void set_defaults(struct parser *ps, const struct config_key *table, const char *path,
			 void *dst)
{
	char sub[CONFIG_PATH_MAX];

	for (const struct config_key *k = table; k->name; k++) {
		key_path(sub, path, k->name);
		set_default(ps, k, sub, dst);
	}
}

static void parse_object(struct parser *ps, const struct config_key *table, const char *path,
			 struct json_object *obj, void *dst)
{
	static const struct config_key any = {.type = KEY_OBJECT};
	char sub[CONFIG_PATH_MAX];
	struct json_object *val;

	if (!json_object_is_type(obj, json_type_object)) { /* JSON's null is json-c's NULL */
		bad_value(ps, &any, path, obj, NULL);
		return;
	}
	for (const struct config_key *k = table; k->name; k++) {
		key_path(sub, path, k->name);
		if (json_object_object_get_ex(obj, k->name, &val))
			parse_value(ps, k, sub, val, dst);
		else
			set_default(ps, k, sub, dst);
	}
	json_object_object_foreach(obj, name, unused)
	{
		const struct config_key *k = table;

		(void)unused;
		while (k->name && strcmp(k->name, name))
			k++;
		if (k->name)
			continue;
		key_path(sub, path, name);
		unknown_key(ps, table, sub);
	}
}

static void free_strings(const struct config_key *table, char *dst)
{
	for (const struct config_key *k = table; k->name; k++) {
		char *field = dst + k->offset;

		if (k->type == KEY_STRING) {
			free(*(char **)field);
			*(char **)field = NULL;
		} else if (k->type == KEY_OBJECT) {
			free_strings(k->sub, field);
		} else if (k->type == KEY_ARRAY) {
			unsigned n;

			memcpy(&n, dst + k->count_offset, sizeof(n));
			for (unsigned i = 0; i < n; i++)
				free_strings(k->sub, field + i * k->elem_size);
		}
	}
}

void config_free(struct vm_config *cfg)
{
	free_strings(config_keys, (char *)cfg);
}

int config_parse(struct config_doc *doc, unsigned flags, struct vm_config *cfg)
{
	struct parser ps = {.doc = doc};

	memset(cfg, 0, sizeof(*cfg));
	parse_object(&ps, config_keys, "", config_doc_root(doc), cfg);
	/* Rules that span keys only make sense of values that are sound by themselves. */
	if (!ps.errors)
		ps.errors += config_check(doc, cfg, flags);
	if (!ps.errors) {
		for (unsigned i = 0; i < cfg->n_networks; i++)
			if (cfg->networks[i].mac)
				config_mac_bytes(cfg->networks[i].mac, cfg->networks[i].mac_bytes);
		return 0;
	}
	config_free(cfg);
	return -EINVAL;
}

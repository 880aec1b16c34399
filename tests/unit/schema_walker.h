/* SPDX-License-Identifier: MIT */
/* As much of JSON Schema (2020-12) as config/schema.json uses; an unknown keyword fails the test.
 */
#ifndef ARMATURE_SCHEMA_WALKER_H
#define ARMATURE_SCHEMA_WALKER_H

#include <json-c/json.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct json_object *schema_root;

static bool schema_accepts(struct json_object *schema, struct json_object *doc);

static struct json_object *schema_deref(struct json_object *schema)
{
	struct json_object *ref = json_object_object_get(schema, "$ref");
	struct json_object *defs = json_object_object_get(schema_root, "$defs");

	if (!ref)
		return schema;
	return json_object_object_get(defs, json_object_get_string(ref) + strlen("#/$defs/"));
}

static bool type_is(const char *type, struct json_object *doc)
{
	enum json_type t = json_object_get_type(doc);

	if (!strcmp(type, "object"))
		return t == json_type_object;
	if (!strcmp(type, "array"))
		return t == json_type_array;
	if (!strcmp(type, "string"))
		return t == json_type_string;
	if (!strcmp(type, "boolean"))
		return t == json_type_boolean;
	if (!strcmp(type, "integer"))
		return t == json_type_int;
	fprintf(stderr, "schema walker: unknown type %s\n", type);
	abort();
}

static bool pattern_matches(const char *pattern, const char *s)
{
	regex_t re;
	bool ok;

	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB))
		abort();
	ok = !regexec(&re, s, 0, NULL, 0);
	regfree(&re);
	return ok;
}

static bool properties_accept(struct json_object *schema, struct json_object *doc)
{
	struct json_object *props = json_object_object_get(schema, "properties"), *sub;
	bool closed = json_object_object_get_ex(schema, "additionalProperties", NULL);

	if (!json_object_is_type(doc, json_type_object))
		return true;
	json_object_object_foreach(doc, key, val)
	{
		if (json_object_object_get_ex(props, key, &sub)) {
			if (!schema_accepts(sub, val))
				return false;
		} else if (closed) {
			return false;
		}
	}
	return true;
}

static unsigned count_accepting(struct json_object *list, struct json_object *doc)
{
	unsigned n = 0;

	for (size_t i = 0; i < json_object_array_length(list); i++)
		n += schema_accepts(json_object_array_get_idx(list, i), doc);
	return n;
}

static bool has_all(struct json_object *required, struct json_object *doc)
{
	if (!json_object_is_type(doc, json_type_object))
		return true;
	for (size_t i = 0; i < json_object_array_length(required); i++)
		if (!json_object_object_get_ex(
			    doc, json_object_get_string(json_object_array_get_idx(required, i)),
			    NULL))
			return false;
	return true;
}

static bool in_list(struct json_object *list, struct json_object *doc)
{
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (json_object_equal(json_object_array_get_idx(list, i), doc))
			return true;
	return false;
}

static bool keyword_accepts(struct json_object *schema, const char *word, struct json_object *val,
			    struct json_object *doc)
{
	bool is_int = json_object_is_type(doc, json_type_int);
	bool is_string = json_object_is_type(doc, json_type_string);
	bool is_array = json_object_is_type(doc, json_type_array);
	s64 n = json_object_get_int64(val), len = is_string ? json_object_get_string_len(doc) : 0;
	static const char *const ignored[] = {"$schema",     "$defs",	"title",
					      "description", "default", "additionalProperties",
					      "then",	     "else"};

	if (!strcmp(word, "$ref"))
		return schema_accepts(schema_deref(schema), doc);
	if (!strcmp(word, "type"))
		return type_is(json_object_get_string(val), doc);
	if (!strcmp(word, "properties"))
		return properties_accept(schema, doc);
	if (!strcmp(word, "required"))
		return has_all(val, doc);
	if (!strcmp(word, "enum"))
		return in_list(val, doc);
	if (!strcmp(word, "const"))
		return json_object_equal(val, doc);
	if (!strcmp(word, "minimum"))
		return !is_int || json_object_get_int64(doc) >= n;
	if (!strcmp(word, "maximum"))
		return !is_int || json_object_get_int64(doc) <= n;
	if (!strcmp(word, "minLength"))
		return !is_string || len >= n;
	if (!strcmp(word, "maxLength"))
		return !is_string || len <= n;
	if (!strcmp(word, "maxItems"))
		return !is_array || (s64)json_object_array_length(doc) <= n;
	if (!strcmp(word, "pattern"))
		return !is_string ||
		       pattern_matches(json_object_get_string(val), json_object_get_string(doc));
	if (!strcmp(word, "not"))
		return !schema_accepts(val, doc);
	if (!strcmp(word, "anyOf"))
		return count_accepting(val, doc) > 0;
	if (!strcmp(word, "oneOf"))
		return count_accepting(val, doc) == 1;
	if (!strcmp(word, "items")) {
		for (size_t i = 0; is_array && i < json_object_array_length(doc); i++)
			if (!schema_accepts(val, json_object_array_get_idx(doc, i)))
				return false;
		return true;
	}
	if (!strcmp(word, "if")) {
		const char *branch = schema_accepts(val, doc) ? "then" : "else";
		struct json_object *sub = json_object_object_get(schema, branch);

		return !sub || schema_accepts(sub, doc);
	}
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		if (!strcmp(word, ignored[i]))
			return true;
	fprintf(stderr, "schema walker: unknown keyword %s\n", word);
	abort();
}

static bool schema_accepts(struct json_object *schema, struct json_object *doc)
{
	json_object_object_foreach(schema, word, val)
	{
		if (!keyword_accepts(schema, word, val, doc))
			return false;
	}
	return true;
}

#endif

/* SPDX-License-Identifier: MIT */
/* Shared by the files of config/ and by the test that compares the key tables with schema.json. */
#ifndef ARMATURE_CONFIG_INTERNAL_H
#define ARMATURE_CONFIG_INTERNAL_H

#include <json-c/json.h>

#include "config/config.h"

#define CONFIG_PATH_MAX 160 /* bytes of a key path such as networks[3].forwards[12].host_port */

enum key_type { KEY_BOOL, KEY_UINT, KEY_SIZE, KEY_STRING, KEY_ENUM, KEY_OBJECT, KEY_ARRAY };

enum key_flags {
	KEY_REQUIRED = 1 << 0,
	KEY_READ_FILE = 1 << 1, /* names a file that must be readable */
};

/* One key of an object; a table of them ends with a NULL name. */
struct config_key {
	const char *name;
	enum key_type type;
	unsigned flags;
	size_t offset;		  /* of the field in the enclosing struct */
	u64 min, max;		  /* UINT and SIZE: value; STRING: length; ARRAY: elements (max) */
	u64 def;		  /* BOOL, UINT, SIZE, ENUM (index into words) */
	const char *text;	  /* STRING: default, or NULL */
	const char *const *words; /* ENUM: names, in the order of the C enum, NULL-terminated */
	/* STRING: NULL when well formed, else what is allowed. */
	const char *(*check)(const char *s);
	const struct config_key *sub;	/* OBJECT, ARRAY: keys of the object or of each element */
	size_t elem_size, count_offset; /* ARRAY */
};

extern const struct config_key config_keys[];

/* The description of a key path ("drives[0].path"), or NULL. */
const struct config_key *config_key_find(const char *path);

struct json_object *config_doc_root(struct config_doc *doc);
/* One error line: origin of `path` (file and line, or option), the path itself and the text. */
void config_error(const struct config_doc *doc, const char *path, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* Rules that span keys (config/check.c). Number of errors reported. */
unsigned config_check(const struct config_doc *doc, const struct vm_config *cfg, unsigned flags);

const char *config_check_mac(const char *s);
void config_mac_bytes(const char *s, u8 mac[6]);

#endif

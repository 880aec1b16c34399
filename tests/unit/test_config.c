/* SPDX-License-Identifier: MIT */
/* The configuration: what is accepted, what errors say, and that schema.json says the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config_internal.h"
#include "tests/unit/schema_walker.h"

static char dir[] = "/tmp/armature-config-XXXXXX";

/* Runs fn with stderr going to text. */
static int with_stderr(int (*fn)(const char *arg), const char *arg, char *text, size_t cap)
{
	int saved = dup(2), ret;
	FILE *tmp = tmpfile();
	size_t n;

	dup2(fileno(tmp), 2);
	ret = fn(arg);
	dup2(saved, 2);
	close(saved);
	rewind(tmp);
	n = fread(text, 1, cap - 1, tmp);
	text[n] = 0;
	fclose(tmp);
	return ret;
}

static unsigned parse_flags;

static int parse_doc(struct config_doc *doc)
{
	struct vm_config cfg;
	int ret;

	if (!doc)
		return -1;
	ret = config_parse(doc, parse_flags, &cfg);
	if (!ret)
		config_free(&cfg);
	config_doc_free(doc);
	return ret;
}

static int parse_text(const char *json)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/vm.json", dir);
	f = fopen(path, "w");
	fputs(json, f);
	fclose(f);
	return parse_doc(config_doc_load(path));
}

/* ---- messages ---- */

static const struct {
	const char *json;
	const char *expect; /* after "DIR/vm.json:"; NULL: accepted */
} documents[] = {
	{"{\"boot\": {\"kernel\": \"k\"}}", NULL},
	{"{\"boot\": {\"kernel\": \"k\"},\n \"machine\": {\n  \"cpus\": 100}}",
	 "3: machine.cpus: 100 is not allowed: must be an integer from 1 to 64"},
	{"{\"boot\": {\"kernel\": \"k\"},\n\n \"machien\": {}}",
	 "3: machien: unknown key: allowed here are machine, boot, drives"},
	{"{\"boot\": {}}", "1: boot.kernel: missing: must be a string"},
	{"{}", " boot.kernel: missing"},
	{"{\"boot\": {\"kernel\": 5}}", "1: boot.kernel: 5 is not allowed: must be a string"},
	{"{\"boot\": {\"kernel\": \"k\"}, \"machine\": {\"memory\": \"12Q\"}}",
	 "1: machine.memory: \"12Q\" is not allowed: must be a size from 32M to 255G"},
	{"{\"boot\": {\"kernel\": \"k\"}, \"machine\": {\"memory\": 33554433}}",
	 "1: machine.memory: must be a multiple of 2M"},
	{"{\"boot\": {\"kernel\": \"k\"}, \"machine\": {\"gic\": 2, \"cpus\": 9}}",
	 "1: machine.cpus: 9 CPUs need \"gic\": 3"},
	{"{\"boot\": {\"kernel\": \"k\"}, \"sandbox\": \"no\"}",
	 "1: sandbox: \"no\" is not allowed: must be \"on\", \"log\" or \"off\""},
	{"{\"boot\": {\"kernel\": \"k\"},\n\"drives\": [\n{\"id\": \"a\", \"path\": \"x\"},\n"
	 "{\"path\": \"y\",\n \"id\": \"a\"}]}",
	 "5: drives[1].id: \"a\" is the id of drives[0] already: ids must differ"},
	{"{\"boot\": {\"kernel\": \"k\"}, \"drives\": [{\"id\": \"rng\", \"path\": \"x\"}]}",
	 "1: drives[0].id: \"rng\" is the name of a built-in device"},
	{"{\"boot\": {\"kernel\": \"k\"}, \"drives\": [{\"id\": \"9\", \"path\": \"x\"}]}",
	 "1: drives[0].id: \"9\" is not allowed: must be letters"},
	{"{\"boot\": {\"kernel\": \"k\"},\n\"networks\": [{\"id\": \"n\", \"type\": \"tap\"}]}",
	 "2: networks[0].tap: type \"tap\" needs either tap"},
	{"{\"boot\": {\"kernel\": \"k\"}, \"networks\": [{\"id\": \"n\", \"type\": \"user\", "
	 "\"fd\": 3}]}",
	 "1: networks[0].fd: allowed with type \"tap\" only"},
	{"{\"boot\": {\"kernel\": \"k\"}, \"networks\": [{\"id\": \"n\", \"type\": \"user\", "
	 "\"mac\": \"01:00:00:00:00:00\"}]}",
	 "1: networks[0].mac: \"01:00:00:00:00:00\" is not allowed: must be a unicast address"},
	{"{\"boot\": {\"kernel\": \"k\"}, \"consoles\": [{\"id\": \"c\",\n\"chardev\": "
	 "\"stdio\"}]}",
	 "2: consoles[0].chardev: \"stdio\" is used by serial already"},
	{"{\"boot\": {\"kernel\": \"k\"}, \"serial\": \"tty\"}",
	 "1: serial: \"tty\" is not allowed: must be"},
	{"{\"boot\": {\"kernel\": \"k\"},\n\"rng\": true,\n\"rng\": false}",
	 "3: rng: given twice: remove one of them"},
	{"{\"boot\": {\"kernel\": \"k\"},\n\"r\\u006eg\": true}", "2: r\\u006eg: a key is written"},
	{"{'boot': {\"kernel\": \"k\"}}", "1: boot: a key is written in double quotes"},
	{"{\"boot\": {\"kernel\": \"k\"}, \"networks\": [\n"
	 "{\"id\": \"m\", \"type\": \"tap\", \"fd\": 9},\n"
	 "{\"id\": \"n\", \"type\": \"tap\", \"fd\": 9}]}",
	 "3: networks[1].fd: 9 is the descriptor of networks[0] already"},
	{"{\"boot\": {\"kernel\": \"a\\u0000b\"}}", "1: boot.kernel: "},
	{"{\"boot\": {\"kernel\": \"k\"},\n\"rng\": tru}", "2: not JSON: "},
	{"{\"boot\": {\"kernel\": \"k\"},\n", "2: not JSON: "},
	{"{\"boot\": {\"kernel\": \"k\"}} x", "1: not JSON: "},
	{"[]", "1: not a machine description"},
	{"", "1: not JSON"},
};

static void test_documents(void **state)
{
	char text[1024], expect[256];

	for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
		int ret = with_stderr(parse_text, documents[i].json, text, sizeof(text));

		if (!documents[i].expect) {
			assert_int_equal(ret, 0);
			assert_string_equal(text, "");
			continue;
		}
		snprintf(expect, sizeof(expect), "armature: %s/vm.json:%s", dir,
			 documents[i].expect);
		if (!ret || strncmp(text, expect, strlen(expect)))
			fail_msg("document %zu: %s\nsaid:     %sexpected: %s\n", i,
				 documents[i].json, text, expect);
	}
}

static void test_missing_files(void **state)
{
	char json[512], text[1024];

	parse_flags = CONFIG_CHECK_FILES;
	snprintf(json, sizeof(json),
		 "{\"boot\": {\"kernel\": \"%s/none\"}, \"drives\": [\n"
		 "{\"id\": \"a\", \"path\": \"%s\"}]}",
		 dir, dir);
	assert_int_not_equal(with_stderr(parse_text, json, text, sizeof(text)), 0);
	assert_non_null(strstr(text, "vm.json:1: boot.kernel: cannot open"));
	assert_non_null(strstr(text, "No such file or directory"));
	assert_non_null(strstr(text, "vm.json:2: drives[0].path: cannot open"));
	parse_flags = 0;
}

/* ---- values and overrides ---- */

static void test_values(void **state)
{
	struct config_doc *doc = config_doc_new();
	struct vm_config cfg;
	static const char *const sets[][2] = {
		{"boot.kernel", "k"},
		{"boot.cmdline", "123"},
		{"machine.cpus", "4"},
		{"machine.memory", "2G"},
		{"drives[0].path", "disk"},
		{"drives[0].id", "true"},
		{"drives[0].readonly", "true"},
		{"networks",
		 "[{\"id\": \"n\", \"type\": \"user\", \"mac\": \"52:54:00:aB:cd:ef\"}]"},
		{"networks[0].forwards[0].host_port", "8080"},
		{"networks[0].forwards[0].guest_port", "80"},
		{"networks[0].forwards[0].proto", "udp"},
		{"dbt.rules", "none"},
	};
	static const u8 mac[6] = {0x52, 0x54, 0x00, 0xab, 0xcd, 0xef};

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		assert_int_equal(config_doc_set(doc, sets[i][0], sets[i][1], "--set"), 0);
	assert_int_equal(config_doc_count(doc, "networks[0].forwards"), 1);
	assert_int_equal(config_doc_count(doc, "consoles"), 0);
	assert_int_equal(config_parse(doc, 0, &cfg), 0);
	assert_string_equal(cfg.boot.cmdline, "123");
	assert_int_equal(cfg.machine.cpus, 4);
	assert_int_equal(cfg.machine.memory, 2ull << 30);
	assert_int_equal(cfg.machine.gic, 3);
	assert_int_equal(cfg.n_drives, 1);
	assert_string_equal(cfg.drives[0].id, "true");
	assert_true(cfg.drives[0].readonly);
	assert_int_equal(cfg.drives[0].queues, 1);
	assert_int_equal(cfg.networks[0].fd, -1);
	assert_memory_equal(cfg.networks[0].mac_bytes, mac, 6);
	assert_int_equal(cfg.networks[0].forwards[0].proto, FORWARD_UDP);
	assert_int_equal(cfg.networks[0].forwards[0].host_port, 8080);
	assert_string_equal(cfg.networks[0].forwards[0].host_addr, "127.0.0.1");
	assert_int_equal(cfg.dbt.rules, CONFIG_RULES_NONE);
	assert_true(cfg.rng && cfg.dbt.hoist && !cfg.dbt.count_insns);
	assert_string_equal(cfg.serial, "stdio");
	assert_null(cfg.device_tree);
	config_free(&cfg);
	config_doc_free(doc);
}

static int override_error(const char *unused)
{
	struct config_doc *doc;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/vm.json", dir);
	f = fopen(path, "w");
	fputs("{\"boot\": {\"kernel\": \"k\"}, \"machine\": {\"cpus\": 2}}", f);
	fclose(f);
	doc = config_doc_load(path);
	if (!doc || config_doc_set(doc, "machine.cpus", "0", "--cpus"))
		abort();
	return parse_doc(doc);
}

static int bad_keys(const char *unused)
{
	static const char *const keys[] = {"drives[1].id",   "drives.id", "machine..cpus", "",
					   "machine.cpus.x", "[0]",	  "drives[x]"};
	struct config_doc *doc = config_doc_new();
	int accepted = 0;

	config_doc_set(doc, "machine.cpus", "1", "x");
	config_doc_set(doc, "drives", "[]", "x");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		accepted += !config_doc_set(doc, keys[i], "1", "--set");
	config_doc_free(doc);
	return accepted;
}

static void test_origin_of_override(void **state)
{
	char text[512];

	assert_int_not_equal(with_stderr(override_error, NULL, text, sizeof(text)), 0);
	assert_string_equal(text, "armature: --cpus: machine.cpus: 0 is not allowed: must be an "
				  "integer from 1 to 64\n");
	assert_int_equal(with_stderr(bad_keys, NULL, text, sizeof(text)), 0);
	assert_non_null(strstr(text, "--set: \"drives[1].id\" is not a key that can be set"));
}

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		u64 bytes; /* 0: refused */
	} sizes[] = {{"1", 1},
		     {"4K", 4096},
		     {"2m", 2 << 20},
		     {"1G", 1 << 30},
		     {"1T", 1ull << 40},
		     {"", 0},
		     {"M", 0},
		     {"-1", 0},
		     {"1MB", 0},
		     {"1 M", 0},
		     {"99999999999999999999", 0},
		     {"18446744073709551615K", 0}};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		u64 bytes = 0;

		assert_int_equal(!config_parse_size(sizes[i].text, &bytes), sizes[i].bytes != 0);
		assert_int_equal(bytes, sizes[i].bytes);
	}
}

/* ---- schema and tables: same keys, ranges, defaults ---- */

static bool listed(struct json_object *list, const char *word)
{
	for (size_t i = 0; list && i < json_object_array_length(list); i++)
		if (!strcmp(json_object_get_string(json_object_array_get_idx(list, i)), word))
			return true;
	return false;
}

static u64 schema_u64(struct json_object *schema, const char *word, u64 absent)
{
	struct json_object *val;

	return json_object_object_get_ex(schema, word, &val) ? json_object_get_uint64(val) : absent;
}

static void compare_default(const struct config_key *k, struct json_object *def)
{
	u64 bytes;

	switch (k->type) {
	case KEY_BOOL: assert_int_equal(json_object_get_boolean(def), k->def); break;
	case KEY_UINT: assert_int_equal(json_object_get_uint64(def), k->def); break;
	case KEY_ENUM: assert_string_equal(json_object_get_string(def), k->words[k->def]); break;
	case KEY_STRING: assert_string_equal(json_object_get_string(def), k->text); break;
	case KEY_SIZE:
		assert_int_equal(config_parse_size(json_object_get_string(def), &bytes), 0);
		assert_int_equal(bytes, k->def);
		break;
	default: fail_msg("a default for %s", k->name);
	}
}

static void compare_table(const struct config_key *table, struct json_object *schema);

static void compare_key(const struct config_key *k, struct json_object *outer)
{
	struct json_object *schema = schema_deref(outer), *val;
	unsigned n = 0;

	if (json_object_object_get_ex(outer, "default", &val))
		compare_default(k, val);
	switch (k->type) {
	case KEY_BOOL:
		assert_string_equal(json_object_get_string(json_object_object_get(schema, "type")),
				    "boolean");
		break;
	case KEY_UINT:
		assert_int_equal(schema_u64(schema, "minimum", 0), k->min);
		assert_int_equal(schema_u64(schema, "maximum", 0), k->max);
		break;
	case KEY_SIZE:
		assert_string_equal(json_object_get_string(json_object_object_get(outer, "$ref")),
				    "#/$defs/size");
		break;
	case KEY_STRING:
		assert_int_equal(schema_u64(schema, "minLength", 0), k->min);
		assert_int_equal(schema_u64(schema, "maxLength", 0), k->max);
		break;
	case KEY_ENUM:
		val = json_object_object_get(schema, "enum");
		for (; k->words[n]; n++)
			assert_true(listed(val, k->words[n]));
		assert_int_equal(json_object_array_length(val), n);
		break;
	case KEY_OBJECT: compare_table(k->sub, schema); break;
	case KEY_ARRAY:
		assert_int_equal(schema_u64(schema, "maxItems", 0), k->max);
		compare_table(k->sub, json_object_object_get(schema, "items"));
		break;
	}
}

static void compare_table(const struct config_key *table, struct json_object *schema)
{
	struct json_object *props = json_object_object_get(schema, "properties"), *sub;
	struct json_object *required = json_object_object_get(schema, "required");
	int n = 0;

	for (const struct config_key *k = table; k->name; k++, n++) {
		if (!json_object_object_get_ex(props, k->name, &sub))
			fail_msg("%s is not in schema.json", k->name);
		assert_int_equal(listed(required, k->name), !!(k->flags & KEY_REQUIRED));
		compare_key(k, sub);
	}
	/* As many in the schema as in the table, each found: none is only in the schema. */
	assert_int_equal(json_object_object_length(props), n);
	assert_false(
		json_object_get_boolean(json_object_object_get(schema, "additionalProperties")));
}

static void test_schema_tables(void **state)
{
	compare_table(config_keys, schema_root);
}

/* ---- schema and parser: same verdict on mutations of a full document ---- */

static const char full[] =
	"{\"machine\": {\"cpus\": 2, \"memory\": \"1G\", \"gic\": 3, \"on_reset\": \"exit\"},"
	" \"boot\": {\"kernel\": \"k\", \"initrd\": \"i\", \"cmdline\": \"c\"},"
	" \"drives\": [{\"id\": \"d\", \"path\": \"p\", \"format\": \"raw\", \"readonly\": true,"
	"   \"cache\": \"writeback\", \"direct\": false, \"serial\": \"s\", \"queues\": 1}],"
	" \"networks\": [{\"id\": \"u\", \"type\": \"user\", \"mac\": \"52:54:00:00:00:01\","
	"   \"forwards\": [{\"proto\": \"tcp\", \"host_addr\": \"127.0.0.1\", \"host_port\": 1,"
	"   \"guest_addr\": \"10.0.2.15\", \"guest_port\": 2}]},"
	"  {\"id\": \"t\", \"type\": \"tap\", \"tap\": \"tap0\"},"
	"  {\"id\": \"f\", \"type\": \"tap\", \"fd\": 5}, {\"id\": \"n\", \"type\": \"none\"}],"
	" \"consoles\": [{\"id\": \"c\", \"chardev\": \"pty\","
	"   \"ports\": [{\"name\": \"q\", \"chardev\": \"none\"}]}],"
	" \"serial\": \"stdio\", \"rng\": true,"
	" \"dbt\": {\"rules\": \"base\", \"hoist\": true, \"chain\": true, \"call_ret\": true,"
	"   \"superblocks\": true, \"sp_window\": true,"
	"   \"flag_liveness\": true, \"coordination\": {\"lazy_flags\": true,"
	"   \"across_blocks\": true, \"across_memory\": true, \"define_before_use\": true, "
	"\"interrupt_checks\": true},"
	"   \"count_insns\": false, \"code_cache\": \"64M\"},"
	" \"sandbox\": \"on\", \"monitor\": \"none\", \"gdb\": \"tcp:1234\", \"device_tree\": "
	"\"t\"}";

static const char *const values[] = {
	"null",
	"true",
	"false",
	"0",
	"1",
	"2",
	"3",
	"4",
	"8",
	"9",
	"16",
	"17",
	"64",
	"65",
	"65535",
	"65536",
	"1048575",
	"1048576",
	"-1",
	"1.5",
	"9223372036854775808",
	"\"\"",
	"\"x\"",
	"[]",
	"{}",
	"[{}]",
	"\"none\"",
	"\"tap\"",
	"\"user\"",
	"\"raw\"",
	"\"log\"",
	"\"unix=/x\"",
	"\"unix=\"",
	"\"file=/x\"",
	"\"udp\"",
	"\"restart\"",
	"\"1.2.3.4\"",
	"\"1.2.3\"",
	"\"1.2.3.256\"",
	"\"01.2.3.4\"",
	"\"writethrough\"",
	"\"52:54:00:0a:0B:01\"",
	"\"53:54:00:00:00:01\"",
	"\"00:00:00:00:00:00\"",
	"\"52-54-00-00-00-01\"",
	"\"a b\"",
	"\"1234567890123456\"",
	"\"123456789012345678901\"",
	"\"abcdefghijklmnopqrstuvwxyz\"",
	"\"2G\"",
	"\"2X\"",
};

static unsigned n_checked, n_accepted;

/* What a schema cannot say is the parser's alone. */
static bool beyond_schema(const char *message)
{
	static const char *const reasons[] = {"is used by", "is the id of", "multiple of 2M",
					      "is the name of", "must be a size from"};

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (strstr(message, reasons[i]))
			return true;
	return false;
}

static void compare_verdict(struct json_object *doc)
{
	const char *json = json_object_to_json_string(doc);
	char text[2048];
	bool schema_ok = schema_accepts(schema_root, doc);
	bool parser_ok = !with_stderr(parse_text, json, text, sizeof(text));

	n_checked++;
	n_accepted += parser_ok;
	if (schema_ok == parser_ok || (schema_ok && beyond_schema(text)))
		return;
	fail_msg("schema says %s, parser says %s: %s\n%s", schema_ok ? "yes" : "no",
		 parser_ok ? "yes" : "no", json, text);
}

static void mutate(struct json_object *root, struct json_object *node);

static void mutate_member(struct json_object *root, struct json_object *obj, const char *key)
{
	struct json_object *old = json_object_get(json_object_object_get(obj, key));
	char name[32];

	snprintf(name, sizeof(name), "%s", key);
	json_object_object_del(obj, name);
	compare_verdict(root);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		json_object_object_add(obj, name, json_tokener_parse(values[i]));
		compare_verdict(root);
	}
	json_object_object_add(obj, name, old);
	mutate(root, old);
}

static void mutate(struct json_object *root, struct json_object *node)
{
	const char *keys[32];
	unsigned n = 0;

	if (json_object_is_type(node, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(node); i++)
			mutate(root, json_object_array_get_idx(node, i));
		return;
	}
	if (!json_object_is_type(node, json_type_object))
		return;
	json_object_object_foreach(node, key, val)
	{
		(void)val;
		keys[n++] = strdup(key);
	}
	for (unsigned i = 0; i < n; i++) {
		mutate_member(root, node, keys[i]);
		free((char *)keys[i]);
	}
	json_object_object_add(node, "unknown", json_object_new_int(1));
	compare_verdict(root);
	json_object_object_del(node, "unknown");
}

static void test_schema_verdicts(void **state)
{
	struct json_object *doc = json_tokener_parse(full);
	char text[256];

	assert_non_null(doc);
	assert_int_equal(with_stderr(parse_text, full, text, sizeof(text)), 0);
	assert_true(schema_accepts(schema_root, doc));
	mutate(doc, doc);
	assert_true(n_checked > 2000 && n_accepted > 200 && n_accepted < n_checked / 2);
	json_object_put(doc);
}

/* Array lengths at and beyond the limit. */
static void test_array_limits(void **state)
{
	for (unsigned n = 15; n <= 17; n++) {
		struct json_object *doc = json_tokener_parse("{\"boot\": {\"kernel\": \"k\"}}");
		struct json_object *drives = json_object_new_array();
		char text[512], id[16];

		for (unsigned i = 0; i < n; i++) {
			struct json_object *d = json_object_new_object();

			snprintf(id, sizeof(id), "d%u", i);
			json_object_object_add(d, "id", json_object_new_string(id));
			json_object_object_add(d, "path", json_object_new_string(id));
			json_object_array_add(drives, d);
		}
		json_object_object_add(doc, "drives", drives);
		assert_int_equal(schema_accepts(schema_root, doc), n <= 16);
		assert_int_equal(!with_stderr(parse_text, json_object_to_json_string(doc), text,
					      sizeof(text)),
				 n <= 16);
		json_object_put(doc);
	}
}

static void test_examples(void **state)
{
	static const char *const examples[] = {"minimal", "server", "all"};

	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		char path[64];
		struct json_object *doc;

		snprintf(path, sizeof(path), "config/examples/%s.json", examples[i]);
		doc = json_object_from_file(path);
		assert_non_null(doc);
		assert_true(schema_accepts(schema_root, doc));
		json_object_put(doc);
		assert_int_equal(parse_doc(config_doc_load(path)), 0);
	}
}

static int setup(void **state)
{
	schema_root = json_object_from_file("config/schema.json");
	return schema_root && mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char cmd[80];

	json_object_put(schema_root);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents),	cmocka_unit_test(test_missing_files),
		cmocka_unit_test(test_values),		cmocka_unit_test(test_origin_of_override),
		cmocka_unit_test(test_sizes),		cmocka_unit_test(test_schema_tables),
		cmocka_unit_test(test_schema_verdicts), cmocka_unit_test(test_array_limits),
		cmocka_unit_test(test_examples),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: MIT */
/* Every key of the configuration, its type, range and default. Keep config/schema.json in step. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_internal.h"
#include "devices/chardev.h"

#define MIB (1024ull * 1024)
#define GIB (1024 * MIB)

static const char *const on_reset_words[] = {"exit", "restart", NULL};
static const char *const cache_words[] = {"writeback", "writethrough", NULL};
static const char *const format_words[] = {"raw", NULL};
static const char *const net_words[] = {"user", "tap", "none", NULL};
static const char *const proto_words[] = {"tcp", "udp", NULL};
static const char *const rules_words[] = {"none", "base", "learned", NULL};
static const char *const sandbox_words[] = {"on", "log", "off", NULL};

static const char *check_id(const char *s)
{
	static const char allowed[] = "letters, digits, '-', '_' and '.', starting with a letter";

	if (!((*s | 32) >= 'a' && (*s | 32) <= 'z'))
		return allowed;
	for (; *s; s++)
		if (!((*s | 32) >= 'a' && (*s | 32) <= 'z') && !(*s >= '0' && *s <= '9') &&
		    !strchr("-_.", *s))
			return allowed;
	return NULL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *config_check_mac(const char *s)
{
	static const char allowed[] = "a unicast address such as 52:54:00:12:34:56";

	if (strlen(s) != 17)
		return allowed;
	for (unsigned i = 0; i < 17; i++)
		if (i % 3 == 2 ? s[i] != ':' : hex_digit(s[i]) < 0)
			return allowed;
	if (hex_digit(s[1]) & 1)
		return allowed;
	return strcmp(s, "00:00:00:00:00:00") ? NULL : allowed;
}

void config_mac_bytes(const char *s, u8 mac[6])
{
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (u8)(hex_digit(s[3 * i]) * 16 + hex_digit(s[3 * i + 1]));
}

static const char *check_ipv4(const char *s)
{
	struct in_addr addr;

	return inet_pton(AF_INET, s, &addr) == 1 ? NULL : "a dotted IPv4 address";
}

static const char *check_monitor(const char *s)
{
	if (!strcmp(s, "none") || (!strncmp(s, "unix=", 5) && s[5]))
		return NULL;
	return "none or unix=PATH";
}

static const char *check_gdb(const char *s)
{
	unsigned long port;
	char *end;

	if (!strcmp(s, "none") || (!strncmp(s, "unix:", 5) && s[5]))
		return NULL;
	if (!strncmp(s, "tcp:", 4) && s[4] >= '1' && s[4] <= '9') {
		port = strtoul(s + 4, &end, 10);
		if (!*end && port <= 65535)
			return NULL;
	}
	return "none, tcp:PORT or unix:PATH";
}

#define FIELD(s, f) .offset = offsetof(struct s, f)
#define ARRAY_OF(s, f, n, e)                                                    \
	.offset = offsetof(struct s, f), .count_offset = offsetof(struct s, n), \
	.elem_size = sizeof(struct e), .max = ARRAY_SIZE(((struct s *)0)->f)

static const struct config_key machine_keys[] = {
	{"cpus", KEY_UINT, FIELD(machine_config, cpus), .min = 1, .max = CONFIG_MAX_CPUS, .def = 1},
	{"memory", KEY_SIZE, FIELD(machine_config, memory), .min = 32 * MIB, .max = 255 * GIB,
	 .def = 512 * MIB},
	{"gic", KEY_UINT, FIELD(machine_config, gic), .min = 2, .max = 3, .def = 3},
	{"on_reset", KEY_ENUM, FIELD(machine_config, on_reset), .words = on_reset_words},
	{.name = NULL},
};

static const struct config_key boot_keys[] = {
	{"kernel", KEY_STRING, KEY_REQUIRED | KEY_READ_FILE, FIELD(boot_config, kernel), .min = 1,
	 .max = 4095},
	{"initrd", KEY_STRING, KEY_READ_FILE, FIELD(boot_config, initrd), .min = 1, .max = 4095},
	/* 2048 is the kernel's COMMAND_LINE_SIZE on arm64, its NUL included. */
	{"cmdline", KEY_STRING, FIELD(boot_config, cmdline), .max = 2047, .text = ""},
	{.name = NULL},
};

static const struct config_key drive_keys[] = {
	{"id", KEY_STRING, KEY_REQUIRED, FIELD(drive_config, id), .min = 1, .max = CONFIG_ID_MAX,
	 .check = check_id},
	{"path", KEY_STRING, KEY_REQUIRED, FIELD(drive_config, path), .min = 1, .max = 4095},
	{"format", KEY_ENUM, FIELD(drive_config, format), .words = format_words},
	{"readonly", KEY_BOOL, FIELD(drive_config, readonly)},
	{"cache", KEY_ENUM, FIELD(drive_config, cache), .words = cache_words},
	{"direct", KEY_BOOL, FIELD(drive_config, direct)},
	{"serial", KEY_STRING, FIELD(drive_config, serial), .max = 20, .text = ""},
	{"queues", KEY_UINT, FIELD(drive_config, queues), .min = 1, .max = 16, .def = 1},
	{.name = NULL},
};

static const struct config_key forward_keys[] = {
	{"proto", KEY_ENUM, FIELD(forward_config, proto), .words = proto_words},
	{"host_addr", KEY_STRING, FIELD(forward_config, host_addr), .min = 7, .max = 15,
	 .text = "127.0.0.1", .check = check_ipv4},
	{"host_port", KEY_UINT, KEY_REQUIRED, FIELD(forward_config, host_port), .min = 1,
	 .max = 65535},
	{"guest_addr", KEY_STRING, FIELD(forward_config, guest_addr), .min = 7, .max = 15,
	 .text = "10.0.2.15", .check = check_ipv4},
	{"guest_port", KEY_UINT, KEY_REQUIRED, FIELD(forward_config, guest_port), .min = 1,
	 .max = 65535},
	{.name = NULL},
};

static const struct config_key network_keys[] = {
	{"id", KEY_STRING, KEY_REQUIRED, FIELD(network_config, id), .min = 1, .max = CONFIG_ID_MAX,
	 .check = check_id},
	{"type", KEY_ENUM, KEY_REQUIRED, FIELD(network_config, type), .words = net_words},
	{"mac", KEY_STRING, FIELD(network_config, mac), .min = 17, .max = 17,
	 .check = config_check_mac},
	/* 15 is IFNAMSIZ without the NUL. */
	{"tap", KEY_STRING, FIELD(network_config, tap), .min = 1, .max = 15},
	{"fd", KEY_UINT, FIELD(network_config, fd), .min = 3, .max = 1048575, .def = ~0ull},
	{"forwards", KEY_ARRAY, ARRAY_OF(network_config, forwards, n_forwards, forward_config),
	 .sub = forward_keys},
	{.name = NULL},
};

static const struct config_key port_keys[] = {
	{"name", KEY_STRING, KEY_REQUIRED, FIELD(port_config, name), .min = 1, .max = 63},
	{"chardev", KEY_STRING, KEY_REQUIRED, FIELD(port_config, chardev), .min = 1, .max = 4095,
	 .check = chardev_spec_check},
	{.name = NULL},
};

static const struct config_key console_keys[] = {
	{"id", KEY_STRING, KEY_REQUIRED, FIELD(console_config, id), .min = 1, .max = CONFIG_ID_MAX,
	 .check = check_id},
	{"chardev", KEY_STRING, KEY_REQUIRED, FIELD(console_config, chardev), .min = 1, .max = 4095,
	 .check = chardev_spec_check},
	{"ports", KEY_ARRAY, ARRAY_OF(console_config, ports, n_ports, port_config),
	 .sub = port_keys},
	{.name = NULL},
};

static const struct config_key coordination_keys[] = {
	{"lazy_flags", KEY_BOOL, FIELD(coordination_config, lazy_flags), .def = true},
	{"across_blocks", KEY_BOOL, FIELD(coordination_config, across_blocks), .def = true},
	{"across_memory", KEY_BOOL, FIELD(coordination_config, across_memory), .def = true},
	{"define_before_use", KEY_BOOL, FIELD(coordination_config, define_before_use), .def = true},
	{"interrupt_checks", KEY_BOOL, FIELD(coordination_config, interrupt_checks), .def = true},
	{.name = NULL},
};

static const struct config_key dbt_keys[] = {
	{"rules", KEY_ENUM, FIELD(translator_config, rules), .words = rules_words,
	 .def = CONFIG_RULES_LEARNED},
	{"hoist", KEY_BOOL, FIELD(translator_config, hoist), .def = true},
	{"chain", KEY_BOOL, FIELD(translator_config, chain), .def = true},
	{"call_ret", KEY_BOOL, FIELD(translator_config, call_ret), .def = true},
	{"superblocks", KEY_BOOL, FIELD(translator_config, superblocks), .def = true},
	{"sp_window", KEY_BOOL, FIELD(translator_config, sp_window), .def = true},
	{"flag_liveness", KEY_BOOL, FIELD(translator_config, flag_liveness), .def = true},
	{"coordination", KEY_OBJECT, FIELD(translator_config, coordination),
	 .sub = coordination_keys},
	{"count_insns", KEY_BOOL, FIELD(translator_config, count_insns)},
	/* 0 is the engine's default; the floor keeps one full page's translations together. */
	{"code_cache", KEY_SIZE, FIELD(translator_config, code_cache), .min = 4 * MIB,
	 .max = 1 * GIB},
	{.name = NULL},
};

const struct config_key config_keys[] = {
	{"machine", KEY_OBJECT, FIELD(vm_config, machine), .sub = machine_keys},
	{"boot", KEY_OBJECT, KEY_REQUIRED, FIELD(vm_config, boot), .sub = boot_keys},
	{"drives", KEY_ARRAY, ARRAY_OF(vm_config, drives, n_drives, drive_config),
	 .sub = drive_keys},
	{"networks", KEY_ARRAY, ARRAY_OF(vm_config, networks, n_networks, network_config),
	 .sub = network_keys},
	{"consoles", KEY_ARRAY, ARRAY_OF(vm_config, consoles, n_consoles, console_config),
	 .sub = console_keys},
	{"serial", KEY_STRING, FIELD(vm_config, serial), .min = 1, .max = 4095, .text = "stdio",
	 .check = chardev_spec_check},
	{"rng", KEY_BOOL, FIELD(vm_config, rng), .def = true},
	{"dbt", KEY_OBJECT, FIELD(vm_config, dbt), .sub = dbt_keys},
	{"sandbox", KEY_ENUM, FIELD(vm_config, sandbox), .words = sandbox_words},
	{"monitor", KEY_STRING, FIELD(vm_config, monitor), .min = 1, .max = 4095, .text = "none",
	 .check = check_monitor},
	{"gdb", KEY_STRING, FIELD(vm_config, gdb), .min = 1, .max = 4095, .text = "none",
	 .check = check_gdb},
	{"device_tree", KEY_STRING, KEY_READ_FILE, FIELD(vm_config, device_tree), .min = 1,
	 .max = 4095},
	{.name = NULL},
};

const struct config_key *config_key_find(const char *path)
{
	const struct config_key *table = config_keys, *key = NULL;

	while (*path) {
		size_t len = strcspn(path, ".[");

		if (!table)
			return NULL;
		for (key = table; key->name; key++)
			if (strlen(key->name) == len && !memcmp(key->name, path, len))
				break;
		if (!key->name)
			return NULL;
		path += len;
		if (*path == '[') {
			path = strchr(path, ']');
			if (!path || key->type != KEY_ARRAY)
				return NULL;
			path++;
			/* "drives[0]" itself is an object; no table row stands for it. */
			if (!*path)
				return NULL;
		}
		path += *path == '.';
		table = key->sub;
	}
	return key;
}

/* SPDX-License-Identifier: MIT */
#include "vmm/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

/* ---- options ---- */

struct option {
	const char *name; /* with its dashes */
	const char *arg;  /* what help shows as its argument, NULL: takes none */
	int (*handle)(struct cli *cli, const char *value);
	const char *key; /* handle NULL: sets this configuration key */
	const char *help;
};

static int set_drive(struct cli *cli, const char *value);
static int set_net(struct cli *cli, const char *value);
static int set_console(struct cli *cli, const char *value);
static int set_any(struct cli *cli, const char *value);
static int set_stats(struct cli *cli, const char *value);
static int set_profile(struct cli *cli, const char *value);
static int set_log(struct cli *cli, const char *value);
static int set_log_file(struct cli *cli, const char *value);
static int set_log_addr(struct cli *cli, const char *value);
static int set_no_rng(struct cli *cli, const char *value);

static const struct option options[] = {
	{"--kernel", "FILE", NULL, "boot.kernel",
	 "arm64 Image (plain, gzip'd, EFI zboot), ELF, flat"},
	{"--initrd", "FILE", NULL, "boot.initrd", "initial RAM disk"},
	{"--append", "TEXT", NULL, "boot.cmdline", "kernel command line"},
	{"--dtb", "FILE", NULL, "device_tree", "device tree of your own instead of the built one"},
	{"--cpus", "N", NULL, "machine.cpus", "number of CPUs (1)"},
	{"--memory", "SIZE", NULL, "machine.memory", "guest memory: 512M, 2G (512M)"},
	{"--gic", "2|3", NULL, "machine.gic", "interrupt controller version (3)"},
	{"--drive", "path=FILE[,...]", set_drive, NULL,
	 "virtio disk, repeatable; also readonly, direct,\n"
	 "id=ID, serial=TEXT, queues=N,\n"
	 "cache=writeback|writethrough"},
	{"--net", "user|tap=NAME|fd=N|none[,...]", set_net, NULL,
	 "virtio network, repeatable; also id=ID, mac=ADDRESS,\n"
	 "hostfwd=tcp|udp:[ADDR]:PORT-[ADDR]:PORT\n"
	 "(user: host to guest, repeatable)"},
	{"--serial", "BACKEND", NULL, "serial",
	 "PL011 serial line: stdio, pty, unix=PATH, file=PATH,\n"
	 "none (stdio)"},
	{"--console", "BACKEND", set_console, NULL,
	 "virtio console on the same back ends, repeatable"},
	{"--no-rng", NULL, set_no_rng, NULL, "leave out the virtio entropy source"},
	{"--rules", "none|base|learned", NULL, "dbt.rules", "translation rules in use (learned)"},
	{"--sandbox", "on|log|off", NULL, "sandbox",
	 "per-thread system-call filters: enforced, reported\n"
	 "only, none (on)"},
	{"--gdb", "tcp:PORT|unix:PATH", NULL, "gdb",
	 "let gdb attach to the whole machine (tcp: 127.0.0.1)"},
	{"--set", "KEY=VALUE", set_any, NULL,
	 "override any configuration key, as in machine.cpus=4\n"
	 "or drives[0].readonly=true; VALUE is JSON or text"},
	{"--stats", "FILE", set_stats, NULL, "write counters as JSON at exit"},
	{"--profile", "FILE", set_profile, NULL,
	 "write executed blocks and counts at exit (slows)"},
	{"--log", "TOPIC[,TOPIC...]", set_log, NULL,
	 "log: in, rules, hir, out, exc, mmio, irq, unimp"},
	{"--log-file", "FILE", set_log_file, NULL, "where --log goes (standard error)"},
	{"--log-addr", "ADDR[-ADDR]", set_log_addr, NULL,
	 "log translation of guest code at these addresses"},
};

static int set_any(struct cli *cli, const char *value)
{
	const char *eq = strchr(value, '=');
	char key[160], origin[200];

	if (!eq || eq == value || eq - value >= (long)sizeof(key)) {
		error_report("--set %s: must be KEY=VALUE, as in machine.cpus=4", value);
		return -EINVAL;
	}
	snprintf(key, sizeof(key), "%.*s", (int)(eq - value), value);
	snprintf(origin, sizeof(origin), "--set %s", key);
	return config_doc_set(cli->doc, key, eq + 1, origin);
}

static int set_stats(struct cli *cli, const char *value)
{
	cli->stats = value;
	return 0;
}

static int set_profile(struct cli *cli, const char *value)
{
	cli->profile = value;
	return config_doc_set(cli->doc, "dbt.count_insns", "true", "--profile");
}

static int set_log_file(struct cli *cli, const char *value)
{
	cli->log_file = value;
	return 0;
}

static int set_log(struct cli *cli, const char *value)
{
	const char *bad = "";

	if (!log_parse_topics(value, &bad))
		return 0;
	error_report("--log: unknown topic \"%.*s\": in, rules, hir, out, exc, mmio, irq or unimp",
		     (int)strcspn(bad, ","), bad);
	return -EINVAL;
}

static int set_log_addr(struct cli *cli, const char *value)
{
	char *end, *end2;

	errno = 0;
	log_addr_lo = log_addr_hi = strtoull(value, &end, 0);
	if (*end == '-' && end[1]) {
		log_addr_hi = strtoull(end + 1, &end2, 0);
		end = end2;
	}
	if (errno || end == value || *end || log_addr_lo > log_addr_hi) {
		error_report("--log-addr %s: must be ADDR or LOW-HIGH, as in 0x400000-0x400fff",
			     value);
		return -EINVAL;
	}
	return 0;
}

static int set_no_rng(struct cli *cli, const char *value)
{
	return config_doc_set(cli->doc, "rng", "false", "--no-rng");
}

/* ---- options with parts: "path=F,readonly" ---- */

struct parts {
	struct cli *cli;
	const char *option; /* for messages */
	const char *array;
	unsigned index;
	bool has_id;
};

static int set_part(struct parts *p, const char *key, const char *value, bool text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s[%u].%s", p->array, p->index, key);
	if (text)
		return config_doc_set_string(p->cli->doc, path, value, p->option);
	return config_doc_set(p->cli->doc, path, value, p->option);
}

/* "--drive" without id=: disk0, disk1, ... */
static int set_default_id(struct parts *p, const char *prefix)
{
	char id[24];

	if (p->has_id)
		return 0;
	snprintf(id, sizeof(id), "%s%u", prefix, p->index);
	return set_part(p, "id", id, true);
}

/* Splits at commas and hands on key and value ("" for a bare word); a comma in a value is doubled.
 */
static int for_each_part(struct parts *p, const char *spec,
			 int (*fn)(struct parts *p, const char *key, const char *value))
{
	char *copy = malloc(strlen(spec) + 1), *out = copy, *start = copy;
	int err = 0;

	if (!copy)
		return -ENOMEM;
	for (const char *s = spec;; s++) {
		if (*s == ',' && s[1] == ',') {
			*out++ = *s++;
		} else if (*s == ',' || !*s) {
			char *eq;

			*out++ = 0;
			eq = strchr(start, '=');
			if (eq)
				*eq++ = 0;
			err = fn(p, start, eq ? eq : "");
			start = out;
			if (err || !*s)
				break;
		} else {
			*out++ = *s;
		}
	}
	free(copy);
	return err;
}

static int unknown_part(struct parts *p, const char *key, const char *allowed)
{
	error_report("%s: unknown part \"%s\": %s", p->option, key, allowed);
	return -EINVAL;
}

static int drive_part(struct parts *p, const char *key, const char *value)
{
	static const char *const keys[] = {"path", "id", "serial", "cache", "queues"};

	p->has_id |= !strcmp(key, "id");
	if (!strcmp(key, "readonly") || !strcmp(key, "direct"))
		return set_part(p, key, !*value || !strcmp(value, "on") ? "true" : value, false);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(key, keys[i]))
			return set_part(p, key, value, strcmp(key, "queues"));
	return unknown_part(p, key,
			    "path=FILE, readonly, direct, id=ID, serial=TEXT, cache=MODE or "
			    "queues=N");
}

static int set_drive(struct cli *cli, const char *value)
{
	struct parts p = {.cli = cli,
			  .option = "--drive",
			  .array = "drives",
			  .index = config_doc_count(cli->doc, "drives")};
	int err = for_each_part(&p, value, drive_part);

	return err ? err : set_default_id(&p, "disk");
}

/* The text up to `end` into buf; what follows, or NULL when `end` is missing or buf too small. */
static const char *take_until(const char *text, char end, char *buf, size_t cap)
{
	const char *stop = strchr(text, end);

	if (!stop || (size_t)(stop - text) >= cap)
		return NULL;
	memcpy(buf, text, (size_t)(stop - text));
	buf[stop - text] = 0;
	return end ? stop + 1 : stop;
}

/* tcp:[ADDR]:PORT-[ADDR]:PORT as in QEMU's hostfwd. The values are checked with the configuration.
 */
static int net_forward(struct parts *p, const char *value)
{
	static const struct {
		const char *key;
		char end;
		bool text;
	} fields[] = {
		{"proto", ':', true},	   {"host_addr", ':', true}, {"host_port", '-', false},
		{"guest_addr", ':', true}, {"guest_port", 0, false},
	};
	const char *rest = value;
	char path[64], text[32];
	unsigned n;

	snprintf(path, sizeof(path), "networks[%u].forwards", p->index);
	n = config_doc_count(p->cli->doc, path);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		rest = take_until(rest, fields[i].end, text, sizeof(text));
		if (!rest) {
			error_report("--net: hostfwd=%s: must be tcp|udp:[ADDR]:PORT-[ADDR]:PORT",
				     value);
			return -EINVAL;
		}
		snprintf(path, sizeof(path), "forwards[%u].%s", n, fields[i].key);
		if (*text && set_part(p, path, text, fields[i].text))
			return -EINVAL;
	}
	return 0;
}

static int net_part(struct parts *p, const char *key, const char *value)
{
	int err;

	p->has_id |= !strcmp(key, "id");
	if (!strcmp(key, "user") || !strcmp(key, "none"))
		return set_part(p, "type", key, true);
	if (!strcmp(key, "tap") || !strcmp(key, "fd")) {
		err = set_part(p, "type", "tap", true);
		return err ? err : set_part(p, key, value, key[0] == 't');
	}
	if (!strcmp(key, "hostfwd"))
		return net_forward(p, value);
	if (!strcmp(key, "id") || !strcmp(key, "mac"))
		return set_part(p, key, value, true);
	return unknown_part(p, key,
			    "user, tap=NAME, fd=N, none, id=ID, mac=ADDRESS or hostfwd=RULE");
}

static int set_net(struct cli *cli, const char *value)
{
	struct parts p = {.cli = cli,
			  .option = "--net",
			  .array = "networks",
			  .index = config_doc_count(cli->doc, "networks")};
	int err = for_each_part(&p, value, net_part);

	return err ? err : set_default_id(&p, "net");
}

static int set_console(struct cli *cli, const char *value)
{
	struct parts p = {.cli = cli,
			  .option = "--console",
			  .array = "consoles",
			  .index = config_doc_count(cli->doc, "consoles")};
	int err = set_part(&p, "chardev", value, true);

	return err ? err : set_default_id(&p, "console");
}

/* ---- help ---- */

static void print_main_help(void)
{
	printf("armature " ARMATURE_VERSION ": runs AArch64 Linux guests on x86-64\n"
	       "\n"
	       "usage: armature run [CONFIG.json] [OPTION...]      start a machine\n"
	       "       armature check CONFIG.json [OPTION...]      validate, start nothing\n"
	       "       armature rules list|show|stats|match|time   the translation rules\n"
	       "       armature COMMAND --help                     options of a command\n"
	       "       armature --version | --help\n");
}

static void print_options(void)
{
	printf("\noptions (each overrides what the file says):\n");
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option *o = &options[i];
		int n = printf("  %s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");

		if (n > 27)
			n = (putchar('\n'), 0);
		for (const char *line = o->help; line; n = 0) {
			const char *nl = strchr(line, '\n');
			int len = nl ? (int)(nl - line) : (int)strlen(line);

			printf("%*s%.*s\n", 28 - n, "", len, line);
			line = nl ? nl + 1 : NULL;
		}
	}
}

static void print_run_help(void)
{
	printf("usage: armature run [CONFIG.json] [OPTION...]\n"
	       "\n"
	       "Starts the machine CONFIG.json describes, or the options alone:\n"
	       "  armature run --kernel Image --initrd initrd.gz --append console=ttyAMA0\n");
	print_options();
	printf("\non the terminal: Ctrl-A x ends the machine, Ctrl-A h shows all keys\n"
	       "\nexit status:\n"
	       "  0       the guest powered off, or Ctrl-A x\n"
	       "  1       the host refused something, or the translator failed\n"
	       "  2       error in command line or configuration; nothing was started\n"
	       "  3       the guest asked for a reset (machine.on_reset is \"exit\")\n"
	       "  4       the guest reported a panic\n"
	       "  128+N   ended by signal N\n");
}

static void print_check_help(void)
{
	printf("usage: armature check CONFIG.json [OPTION...]\n"
	       "\n"
	       "Validates the configuration, files it names included, and starts nothing.\n"
	       "Reports every error with file, line and key; exit status 0 or 2.\n");
	print_options();
}

/* ---- parsing ---- */

static const struct {
	const char *name;
	enum cli_command command;
	void (*help)(void);
} commands[] = {
	{"run", CLI_RUN, print_run_help},
	{"check", CLI_CHECK, print_check_help},
};

static const struct option *find_option(const char *arg, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (strlen(options[i].name) == len && !memcmp(options[i].name, arg, len))
			return &options[i];
	return NULL;
}

/* Both "--cpus 2" and "--cpus=2". Returns how many arguments were used, or -EINVAL. */
static int handle_option(struct cli *cli, int argc, char **argv)
{
	size_t len = strcspn(argv[0], "=");
	const struct option *o = find_option(argv[0], len);
	const char *value = argv[0][len] ? argv[0] + len + 1 : NULL;
	int used = 1;

	if (!o) {
		error_report("unknown option %s: see armature run --help", argv[0]);
		return -EINVAL;
	}
	if (o->arg && !value) {
		value = argc > 1 ? argv[1] : NULL;
		used = 2;
	}
	if (o->arg && !value) {
		error_report("%s needs an argument: %s", o->name, o->arg);
		return -EINVAL;
	}
	if (!o->arg && argv[0][len]) {
		error_report("%s takes no argument", o->name);
		return -EINVAL;
	}
	if (o->handle ? o->handle(cli, value) : config_doc_set(cli->doc, o->key, value, o->name))
		return -EINVAL;
	return used;
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

static int parse_command(int argc, char **argv, struct cli *cli)
{
	const char *file = NULL;
	int i, used;

	/* The file is read first wherever it stands: options override it. */
	if (argc && argv[0][0] != '-') {
		file = argv[0];
		argc--;
		argv++;
	}
	if (cli->command == CLI_CHECK && !file) {
		error_report("check: name a configuration file first: armature check vm.json");
		return -EINVAL;
	}
	cli->doc = file ? config_doc_load(file) : config_doc_new();
	if (!cli->doc)
		return -EINVAL;
	for (i = 0; i < argc; i += used) {
		if (argv[i][0] != '-') {
			error_report("unexpected argument \"%s\": the configuration file comes "
				     "first, and there is one at most",
				     argv[i]);
			return -EINVAL;
		}
		used = handle_option(cli, argc - i, argv + i);
		if (used < 0)
			return used;
	}
	return 0;
}

int cli_parse(int argc, char **argv, struct cli *cli)
{
	int err;

	memset(cli, 0, sizeof(*cli));
	cli->command = CLI_HELP;
	if (argc < 2) {
		error_report("no command given: armature run, armature check or armature --help");
		return -EINVAL;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		print_main_help();
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("armature " ARMATURE_VERSION "\n");
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		if (wants_help(argc - 2, argv + 2)) {
			commands[i].help();
			return 0;
		}
		cli->command = commands[i].command;
		err = parse_command(argc - 2, argv + 2, cli);
		if (err) {
			config_doc_free(cli->doc);
			cli->doc = NULL;
		}
		return err;
	}
	error_report("unknown command \"%s\": run, check or rules; see armature --help", argv[1]);
	return -EINVAL;
}

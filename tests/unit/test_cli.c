/* SPDX-License-Identifier: MIT */
/* Command lines into configurations, and what is said about bad ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "vmm/cli.h"

static char text[16384];

/* Parses "run --cpus 2 ..." (split at blanks); stdout and stderr go to `text`. */
static int parse(const char *line, struct cli *cli)
{
	int saved_out = dup(1), saved_err = dup(2), argc = 1, err;
	char buf[512], *argv[64] = {"armature"};
	FILE *tmp = tmpfile();

	snprintf(buf, sizeof(buf), "%s", line);
	for (char *p = strtok(buf, " "); p; p = strtok(NULL, " "))
		argv[argc++] = p;
	fflush(stdout);
	dup2(fileno(tmp), 1);
	dup2(fileno(tmp), 2);
	err = cli_parse(argc, argv, cli);
	fflush(stdout);
	dup2(saved_out, 1);
	dup2(saved_err, 2);
	close(saved_out);
	close(saved_err);
	rewind(tmp);
	text[fread(text, 1, sizeof(text) - 1, tmp)] = 0;
	fclose(tmp);
	return err;
}

static void accept(const char *line, struct vm_config *cfg)
{
	struct cli cli;

	if (parse(line, &cli))
		fail_msg("%s: %s", line, text);
	assert_int_equal(cli.command, CLI_RUN);
	assert_int_equal(config_parse(cli.doc, 0, cfg), 0);
	config_doc_free(cli.doc);
}

static void test_quick_use(void **state)
{
	struct vm_config cfg;

	accept("run --kernel K --initrd I --append a=b --cpus 3 --memory 1G --gic=3 "
	       "--drive path=d.img,readonly --drive path=e,,f.img,id=two,serial=S,queues=2 "
	       "--net user,hostfwd=tcp::2222-:22,hostfwd=udp:127.0.0.1:53-10.0.2.15:5353 "
	       "--net tap=tap0,mac=52:54:00:00:00:01 --net none --serial pty --console unix=/tmp/s "
	       "--console none --no-rng --rules base --sandbox log --dtb t.dtb",
	       &cfg);
	assert_string_equal(cfg.boot.kernel, "K");
	assert_string_equal(cfg.boot.initrd, "I");
	assert_string_equal(cfg.boot.cmdline, "a=b");
	assert_int_equal(cfg.machine.cpus, 3);
	assert_int_equal(cfg.machine.memory, 1 << 30);
	assert_int_equal(cfg.n_drives, 2);
	assert_string_equal(cfg.drives[0].path, "d.img");
	assert_string_equal(cfg.drives[0].id, "disk0");
	assert_true(cfg.drives[0].readonly);
	assert_string_equal(cfg.drives[1].path, "e,f.img");
	assert_string_equal(cfg.drives[1].id, "two");
	assert_false(cfg.drives[1].readonly);
	assert_int_equal(cfg.drives[1].queues, 2);
	assert_int_equal(cfg.n_networks, 3);
	assert_int_equal(cfg.networks[0].type, NET_USER);
	assert_int_equal(cfg.networks[0].n_forwards, 2);
	assert_int_equal(cfg.networks[0].forwards[0].host_port, 2222);
	assert_int_equal(cfg.networks[0].forwards[0].guest_port, 22);
	assert_int_equal(cfg.networks[0].forwards[1].proto, FORWARD_UDP);
	assert_string_equal(cfg.networks[0].forwards[1].host_addr, "127.0.0.1");
	assert_string_equal(cfg.networks[0].forwards[1].guest_addr, "10.0.2.15");
	assert_int_equal(cfg.networks[1].type, NET_TAP);
	assert_string_equal(cfg.networks[1].tap, "tap0");
	assert_int_equal(cfg.networks[2].type, NET_NONE);
	assert_string_equal(cfg.serial, "pty");
	assert_int_equal(cfg.n_consoles, 2);
	assert_string_equal(cfg.consoles[0].chardev, "unix=/tmp/s");
	assert_false(cfg.rng);
	assert_int_equal(cfg.dbt.rules, CONFIG_RULES_BASE);
	assert_int_equal(cfg.sandbox, CONFIG_SANDBOX_LOG);
	assert_string_equal(cfg.device_tree, "t.dtb");
	config_free(&cfg);
}

static void test_set_overrides_file(void **state)
{
	struct vm_config cfg;

	accept("run config/examples/server.json --set machine.cpus=7 --set drives[0].readonly=true "
	       "--set boot.cmdline=x --append y --set networks[0].forwards[1].host_port=80 "
	       "--set networks[0].forwards[1].guest_port=8080 --drive path=second",
	       &cfg);
	assert_int_equal(cfg.machine.cpus, 7);
	assert_int_equal(cfg.machine.memory, 2ull << 30);
	assert_true(cfg.drives[0].readonly);
	assert_string_equal(cfg.boot.cmdline, "y"); /* the later one */
	assert_int_equal(cfg.networks[0].n_forwards, 2);
	assert_string_equal(cfg.drives[1].id, "disk1");
	config_free(&cfg);
}

static void test_logging(void **state)
{
	struct cli cli;

	assert_int_equal(parse("run --kernel K --log in,irq --log-file F --log-addr 0x1000-0x1fff "
			       "--stats S",
			       &cli),
			 0);
	assert_int_equal(log_topics, LOG_IN | LOG_IRQ);
	assert_int_equal(log_addr_lo, 0x1000);
	assert_int_equal(log_addr_hi, 0x1fff);
	assert_string_equal(cli.log_file, "F");
	assert_string_equal(cli.stats, "S");
	config_doc_free(cli.doc);
	log_topics = 0;
	log_addr_lo = 0;
	log_addr_hi = ~0ull;
}

static const struct {
	const char *line, *expect;
} bad[] = {
	{"", "no command given"},
	{"start", "unknown command \"start\""},
	{"run --frob", "unknown option --frob"},
	{"run --cpus", "--cpus needs an argument: N"},
	{"run --no-rng=1", "--no-rng takes no argument"},
	{"run --kernel K vm.json", "unexpected argument \"vm.json\""},
	{"run a.json b.json", "a.json: No such file"},
	{"check", "name a configuration file first"},
	{"run --set cpus", "--set cpus: must be KEY=VALUE"},
	{"run --set drives[3].id=x", "--set drives[3].id: \"drives[3].id\" is not a key"},
	{"run --drive d.img", "--drive: unknown part \"d.img\""},
	{"run --net bridge", "--net: unknown part \"bridge\""},
	{"run --net user,hostfwd=tcp:80", "hostfwd=tcp:80: must be"},
	{"run --log in,foo", "unknown topic \"foo\""},
	{"run --log-addr 5-", "--log-addr 5-: must be"},
	{"run --log-addr 0x20-0x10", "--log-addr 0x20-0x10: must be"},
};

static void test_bad_lines(void **state)
{
	struct cli cli;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (!parse(bad[i].line, &cli) || !strstr(text, bad[i].expect))
			fail_msg("\"%s\" said: %s", bad[i].line, text);
		assert_null(cli.doc);
		log_topics = 0;
	}
}

/* Values are judged with the configuration; the message names the option. */
static void test_bad_values(void **state)
{
	static const char *const lines[][2] = {
		{"run --kernel K --cpus 65", "--cpus: machine.cpus: 65 is not allowed"},
		{"run --kernel K --memory lots", "--memory: machine.memory: \"lots\""},
		{"run --kernel K --serial tty", "--serial: serial: \"tty\""},
		{"run --kernel K --drive path=x,readonly=maybe", "--drive: drives[0].readonly"},
		{"run --kernel K --drive readonly", "drives[0].path: missing"},
		{"run --kernel K --net user,hostfwd=icmp::1-:2",
		 "--net: networks[0].forwards[0].proto"},
		{"run --kernel K --net user,hostfwd=tcp::70000-:2", "forwards[0].host_port: 70000"},
		{"run --kernel K --set machien.cpus=1", "--set machien.cpus: machien: unknown key"},
		{"run --cpus 1", "boot.kernel: missing"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct vm_config cfg;
		struct cli cli;
		int saved = dup(2);
		FILE *tmp = tmpfile();

		assert_int_equal(parse(lines[i][0], &cli), 0);
		dup2(fileno(tmp), 2);
		assert_int_not_equal(config_parse(cli.doc, 0, &cfg), 0);
		dup2(saved, 2);
		close(saved);
		rewind(tmp);
		text[fread(text, 1, sizeof(text) - 1, tmp)] = 0;
		fclose(tmp);
		if (!strstr(text, lines[i][1]))
			fail_msg("\"%s\" said: %s", lines[i][0], text);
		config_doc_free(cli.doc);
	}
}

static void test_help(void **state)
{
	static const char *const options[] = {"--kernel", "--initrd", "--append",   "--drive",
					      "--net",	  "--serial", "--console",  "--set",
					      "--stats",  "--log",    "--log-file", "--log-addr"};
	struct cli cli;

	assert_int_equal(parse("--help", &cli), 0);
	assert_non_null(strstr(text, "armature run"));
	assert_int_equal(parse("run --help", &cli), 0);
	assert_int_equal(cli.command, CLI_HELP);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		assert_non_null(strstr(text, options[i]));
	assert_non_null(strstr(text, "exit status"));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		assert_in_range(strlen(line), 0, 80);
	assert_int_equal(parse("check x --help", &cli), 0);
	assert_non_null(strstr(text, "starts nothing"));
	assert_int_equal(parse("--version", &cli), 0);
	assert_non_null(strstr(text, ARMATURE_VERSION));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quick_use),  cmocka_unit_test(test_set_overrides_file),
		cmocka_unit_test(test_logging),	   cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_bad_values), cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The process: command line in, exit status out. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/log.h"
#include "dbt/rules.h"
#include "vmm/cli.h"
#include "vmm/machine.h"

struct process {
	struct vm_config cfg;
	struct event_loop *loop;
	struct machine *machine;
	int signal_fd;
	FILE *stats, *profile; /* opened before the sandbox closes that door */
};

static void signal_ready(void *opaque, u32 events)
{
	struct process *p = opaque;
	struct signalfd_siginfo info;

	if (read(p->signal_fd, &info, sizeof(info)) == sizeof(info))
		machine_request(p->machine, MACHINE_SIGNAL, (int)info.ssi_signo);
}

/* Ending signals become events of the main loop. Before any thread: all inherit the mask. */
static int catch_signals(struct process *p)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN); /* a peer that went is an error of write(), not the end */
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	p->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (p->signal_fd < 0)
		return -errno;
	return event_add(p->loop, p->signal_fd, EPOLLIN, signal_ready, p) ? 0 : -errno;
}

/* Until the machine wants to stop for good. 0, or -errno after a message. */
static int run_machine(struct process *p)
{
	int err = machine_start(p->machine);

	while (!err) {
		err = event_loop_run(p->loop);
		if (err)
			error_report("the event loop failed: %s", strerror(-err));
		if (err || machine_requested(p->machine) != MACHINE_RESET ||
		    p->cfg.machine.on_reset != CONFIG_RESET_RESTART)
			break;
		err = machine_reset(p->machine);
	}
	machine_stop(p->machine);
	return err;
}

static void close_output(FILE **f, const char *option, const char *path)
{
	if (fclose(*f))
		error_report("%s %s: %s", option, path, strerror(errno));
	*f = NULL;
}

static int open_output(FILE **f, const char *option, const char *path)
{
	*f = fopen(path, "we");
	if (!*f)
		error_report("%s %s: %s", option, path, strerror(errno));
	return *f ? 0 : -1;
}

static void write_outputs(struct process *p, const struct cli *cli)
{
	if (p->stats) {
		machine_write_stats(p->machine, p->stats);
		close_output(&p->stats, "--stats", cli->stats);
	}
	if (p->profile) {
		machine_write_profile(p->machine, p->profile);
		close_output(&p->profile, "--profile", cli->profile);
	}
}

static int run(struct process *p, const struct cli *cli)
{
	int status = EXIT_STATUS_HOST, err;

	if ((cli->stats && open_output(&p->stats, "--stats", cli->stats)) ||
	    (cli->profile && open_output(&p->profile, "--profile", cli->profile)))
		return EXIT_STATUS_CONFIG;
	err = event_loop_create(&p->loop);
	if (!err)
		err = catch_signals(p);
	if (err)
		error_report("cannot set up the event loop: %s", strerror(-err));
	if (!err)
		err = machine_create(&p->cfg, p->loop, &p->machine);
	if (!err) {
		err = run_machine(p);
		status = err ? EXIT_STATUS_HOST : machine_exit_status(p->machine);
		write_outputs(p, cli);
		machine_destroy(p->machine);
	} else if (err == -EINVAL || err == -ENOTSUP) {
		status = EXIT_STATUS_CONFIG; /* what was asked for cannot be */
	}
	if (p->stats)
		fclose(p->stats);
	if (p->profile)
		fclose(p->profile);
	event_loop_destroy(p->loop);
	if (p->signal_fd >= 0)
		close(p->signal_fd);
	return status;
}

int main(int argc, char **argv)
{
	static struct process p = {.signal_fd = -1};
	struct cli cli;
	int status = EXIT_STATUS_OK, err;

	/*
	 * No arenas for other threads: trimming one makes glibc open a file under /proc, which no
	 * sandbox allows, and little is allocated outside this thread.
	 */
	mallopt(M_ARENA_MAX, 1);
	if (argc > 1 && !strcmp(argv[1], "rules")) /* no machine, no configuration */
		return rules_command(argc - 2, argv + 2);
	err = cli_parse(argc, argv, &cli);
	if (err)
		return EXIT_STATUS_CONFIG;
	if (cli.command == CLI_HELP)
		return EXIT_STATUS_OK;
	err = config_parse(cli.doc, CONFIG_CHECK_FILES, &p.cfg);
	config_doc_free(cli.doc);
	if (err)
		return EXIT_STATUS_CONFIG;
	if (cli.command == CLI_RUN && cli.log_file) {
		err = log_open(cli.log_file);
		if (err) {
			error_report("--log-file %s: %s", cli.log_file, strerror(-err));
			status = EXIT_STATUS_CONFIG;
		}
	}
	if (!err && cli.command == CLI_RUN)
		status = run(&p, &cli);
	config_free(&p.cfg);
	return status;
}

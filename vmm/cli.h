/* SPDX-License-Identifier: MIT */
/* The command line: into the configuration document and the options that are no configuration. */
#ifndef ARMATURE_CLI_H
#define ARMATURE_CLI_H

#include "config/config.h"

enum cli_command { CLI_RUN, CLI_CHECK, CLI_HELP /* printed already */ };

struct cli {
	enum cli_command command;
	struct config_doc *doc;
	const char *profile;  /* file for --profile, or NULL */
	const char *stats;    /* file for --stats, or NULL */
	const char *log_file; /* or NULL */
};

/*
 * 0 with *cli filled, cli->doc to be freed by the caller; -EINVAL after a message. Log topics and
 * the address filter are set on the way.
 */
int cli_parse(int argc, char **argv, struct cli *cli);

#endif

/* SPDX-License-Identifier: MIT */
/* Case files on the host: binary for the runner, text for people and tests/insn/regress. */
#ifndef INSN_CASEIO_H
#define INSN_CASEIO_H

#include <stdbool.h>
#include <stdio.h>

#include "tests/insn/case.h"

/* Writes a whole case file; 0 or -errno. */
int cases_write(const char *path, const struct insn_case *c, uint32_t n, bool full);
/* Reads one; *out is malloc'ed. Number of cases or -errno. */
long cases_read(const char *path, struct insn_case **out);

/* One line of text, with the disassembly of each word as a comment on lines before it. */
void case_print(FILE *f, const struct insn_case *c);
/* Parses such a line; blank and comment lines give 0, a case 1, nonsense -1. */
int case_parse(const char *line, struct insn_case *c);

#endif

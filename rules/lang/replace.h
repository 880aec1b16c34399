/* SPDX-License-Identifier: MIT */
/* A file written as a whole: whoever breaks off leaves the old one, or none. */
#ifndef ARMATURE_RULES_REPLACE_H
#define ARMATURE_RULES_REPLACE_H

#include <stdio.h>

/* A stream to PATH.tmp, or NULL with errno. */
FILE *replace_open(const char *path);

/* Closes f and gives the file its name; -1 with errno, and no PATH.tmp, if anything failed. */
int replace_close(FILE *f, const char *path);

#endif

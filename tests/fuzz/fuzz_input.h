/* SPDX-License-Identifier: MIT */
/* Inputs as files, and silence: what fuzzers of code that reports errors need. */
#ifndef ARMATURE_FUZZ_INPUT_H
#define ARMATURE_FUZZ_INPUT_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/types.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

/* A file with these bytes; its name, the same for every call. */
static inline const char *input_file(const u8 *data, size_t len)
{
	static char name[32];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("input", 0);
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) || pwrite(fd, data, len, 0) != (ssize_t)len)
		abort();
	return name;
}

/* stderr to nowhere while the code under test reports what is wrong with its input. */
static inline int quiet_begin(void)
{
	static int null = -1;
	int saved = dup(2);

	if (null < 0)
		null = open("/dev/null", O_WRONLY);
	dup2(null, 2);
	return saved;
}

static inline void quiet_end(int saved)
{
	dup2(saved, 2);
	close(saved);
}

#endif

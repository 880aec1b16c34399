/* SPDX-License-Identifier: MIT */
/* insn-pack RUNNER CASES OUT: an initramfs (cpio newc) with the runner as /init and /cases.bin. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>

static unsigned ino;

static void pad4(FILE *f, size_t n)
{
	while (n++ & 3)
		fputc(0, f);
}

static void entry(FILE *f, const char *name, unsigned mode, const void *data, size_t size,
		  unsigned rdev_major, unsigned rdev_minor)
{
	size_t len = strlen(name) + 1;

	fprintf(f, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", ++ino, mode, 0, 0,
		1, 0, (unsigned)size, 0, 0, rdev_major, rdev_minor, (unsigned)len, 0);
	fwrite(name, 1, len, f);
	pad4(f, 110 + len);
	fwrite(data, 1, size, f);
	pad4(f, size);
}

static void *slurp(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	char *p = NULL;
	size_t cap = 0;

	if (!f) {
		fprintf(stderr, "insn-pack: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	*size = 0;
	do {
		cap += 1 << 20;
		p = realloc(p, cap);
		*size += fread(p + *size, 1, cap - *size, f);
	} while (*size == cap);
	fclose(f);
	return p;
}

int main(int argc, char **argv)
{
	size_t runner_size, cases_size;

	if (argc != 4) {
		fprintf(stderr, "usage: insn-pack RUNNER CASES OUT\n");
		return 2;
	}
	void *runner = slurp(argv[1], &runner_size), *cases = slurp(argv[2], &cases_size);
	FILE *f = fopen(argv[3], "wb");
	if (!f) {
		fprintf(stderr, "insn-pack: %s: %s\n", argv[3], strerror(errno));
		return 1;
	}
	entry(f, "dev", 040755, "", 0, 0, 0);
	entry(f, "dev/console", 020600, "", 0, 5, 1);
	entry(f, "init", 0100755, runner, runner_size, 0, 0);
	entry(f, "cases.bin", 0100644, cases, cases_size, 0, 0);
	entry(f, "TRAILER!!!", 0, "", 0, 0, 0);
	return fclose(f) ? 1 : 0;
}

/* SPDX-License-Identifier: MIT */
#include "rules/lang/replace.h"

#include <errno.h>
#include <limits.h>

static int tmp_name(char buf[PATH_MAX], const char *path)
{
	int n = snprintf(buf, PATH_MAX, "%s.tmp", path);

	if (n < PATH_MAX)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

FILE *replace_open(const char *path)
{
	char tmp[PATH_MAX];

	return tmp_name(tmp, path) ? NULL : fopen(tmp, "w");
}

int replace_close(FILE *f, const char *path)
{
	char tmp[PATH_MAX];
	int bad = ferror(f);

	bad |= fclose(f);
	bad |= tmp_name(tmp, path);
	if (!bad && !rename(tmp, path))
		return 0;
	remove(tmp);
	return -1;
}

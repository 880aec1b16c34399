/* SPDX-License-Identifier: MIT */
/* The semantic model's identity: the hash of its sources, part of every proof record. */
#include <stdio.h>
#include <stdlib.h>

#include "rules/lang/rule.h"

int model_hash(const char *const *files, int n, char out[65])
{
	char *buf = NULL;
	size_t len = 0, cap = 0;

	for (int i = 0; i < n; i++) {
		FILE *f = fopen(files[i], "rb");
		size_t k = 0;

		if (!f) {
			free(buf);
			return -1;
		}
		do {
			len += k;
			if (cap - len < 65536) {
				char *b = realloc(buf, cap + 262144);

				if (!b)
					break;
				buf = b;
				cap += 262144;
			}
			k = fread(buf + len, 1, cap - len, f);
		} while (k);
		fclose(f);
	}
	sha256_hex(buf, len, out);
	free(buf);
	return 0;
}

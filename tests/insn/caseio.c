/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/a64/insn.h"
#include "tests/insn/caseio.h"

int cases_write(const char *path, const struct insn_case *c, uint32_t n, bool full)
{
	struct case_header h = {CASE_MAGIC, n, full};
	FILE *f = fopen(path, "wb");
	int rc = 0;

	if (!f)
		return -errno;
	if (fwrite(&h, sizeof(h), 1, f) != 1 || fwrite(c, sizeof(*c), n, f) != n)
		rc = -EIO;
	if (fclose(f))
		rc = -errno;
	return rc;
}

long cases_read(const char *path, struct insn_case **out)
{
	struct case_header h;
	FILE *f = fopen(path, "rb");
	long n = -EINVAL;

	if (!f)
		return -errno;
	if (fread(&h, sizeof(h), 1, f) == 1 && h.magic == CASE_MAGIC) {
		*out = malloc(((size_t)h.count + 1) * sizeof(**out));
		if (*out && fread(*out, sizeof(**out), h.count, f) == h.count)
			n = h.count;
	}
	fclose(f);
	return n;
}

void case_print(FILE *f, const struct insn_case *c)
{
	char text[128];
	struct a64_insn i;

	for (unsigned k = 0; k < c->nwords; k++) {
		a64_decode(c->words[k], &i);
		a64_disas(&i, case_slot_address(c) + SLOT_FIRST + 4 * k, text, sizeof(text));
		fprintf(f, "# %08x  %s\n", c->words[k], text);
	}
	fprintf(f, "seed %016" PRIx64 " slot %u flags %u ignx %08x ignv %08x words", c->seed,
		c->slot, c->flags, c->ign_x, c->ign_v);
	for (unsigned k = 0; k < c->nwords; k++)
		fprintf(f, " %08x", c->words[k]);
	for (unsigned k = 0; k < c->nfix; k++)
		fprintf(f, " fix %u,%u,%u,%d", c->fix[k].reg, c->fix[k].kind, c->fix[k].pad,
			c->fix[k].off);
	fputc('\n', f);
}

int case_parse(const char *line, struct insn_case *c)
{
	unsigned slot, flags, reg, kind, pad;
	int at, off, used;
	const char *p = line + strspn(line, " \t");

	if (!*p || *p == '#' || *p == '\n')
		return 0;
	memset(c, 0, sizeof(*c));
	if (sscanf(p, "seed %" SCNx64 " slot %u flags %u ignx %x ignv %x words%n", &c->seed, &slot,
		   &flags, &c->ign_x, &c->ign_v, &at) != 5)
		return -1;
	c->slot = slot;
	c->flags = flags;
	p += at;
	while (c->nwords < CASE_WORDS && sscanf(p, " %8x%n", &c->words[c->nwords], &used) == 1 &&
	       used >= 9) {
		c->nwords++;
		p += used;
	}
	while (c->nfix < CASE_FIXES &&
	       sscanf(p, " fix %u,%u,%u,%d%n", &reg, &kind, &pad, &off, &used) == 4) {
		c->fix[c->nfix++] = (struct fix){reg, kind, pad, off};
		p += used;
	}
	return c->nwords && p[strspn(p, " \n")] == 0 ? 1 : -1;
}

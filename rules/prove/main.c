/* SPDX-License-Identifier: MIT */
/*
 * rules-prove [-j N] [--all] [--progress] [--only NAME] [--model FILE]... [--keep OUT] --records
 * DIR FILE...
 *
 * Proves the rules of each file that have no record yet (or all) and writes DIR/NAME.proofs. Exit
 * status 0 when every rule is proven. With --keep, the file's text without the rules that are not
 * goes to OUT: what becomes of the learner's candidates. --limit is prove_limit (prove.h) in
 * millions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rules/prove/prove.h"
#include "rules/prove/records.h"

static struct {
	int jobs;
	bool all, progress;
	const char *only, *records, *keep;
	const char *model[64], *file[512];
	int nmodel, nfiles;
} opt = {.jobs = 1};

static int parse_args(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *a = argv[i];

		if (opt.nmodel == 64 || opt.nfiles == 512)
			return -1;
		if (!strcmp(a, "-j") && i + 1 < argc)
			opt.jobs = atoi(argv[++i]);
		else if (!strcmp(a, "--progress"))
			opt.progress = true;
		else if (!strcmp(a, "--all"))
			opt.all = true;
		else if (!strcmp(a, "--only") && i + 1 < argc)
			opt.only = argv[++i];
		else if (!strcmp(a, "--keep") && i + 1 < argc)
			opt.keep = argv[++i];
		else if (!strcmp(a, "--records") && i + 1 < argc)
			opt.records = argv[++i];
		else if (!strcmp(a, "--model") && i + 1 < argc)
			opt.model[opt.nmodel++] = argv[++i];
		else if (!strcmp(a, "--limit") && i + 1 < argc)
			prove_limit = (unsigned)atoi(argv[++i]) * 1000000;
		else
			opt.file[opt.nfiles++] = a;
	}
	if (opt.jobs < 1 || opt.jobs > 64 || !prove_limit)
		return -1;
	return opt.records && opt.nfiles ? 0 : -1;
}

static void prove_one(const struct rule *r, const char *file, FILE *out)
{
	struct proof p;

	prove_rule(r, &p);
	fprintf(out, "%s %d %.0f %s %s\n", r->hash, p.instances, p.seconds * 1000,
		verdict_name(p.verdict), r->name);
	if (p.verdict == V_PROVED) {
		printf("proved   %-28s %4d instances %7.2f s\n", r->name, p.instances, p.seconds);
	} else {
		printf("%-8s %s (%s:%d)\n%s", verdict_name(p.verdict), r->name, file, r->loc.line,
		       p.text);
	}
	fflush(stdout);
}

#define BATCH 400 /* rules between two writings of the records */

/* Worker n of opt.jobs: every jobs-th rule that needs a proof; results to a temporary file. */
static void worker(const struct ruleset *rs, const struct records *old, int from, int n, FILE *out)
{
	int k = 0;

	for (int i = from; i < rs->nrules && i < from + BATCH; i++) {
		const struct rule *r = rs->rules[i];

		if (opt.only && strcmp(opt.only, r->name))
			continue;
		if (!opt.all && records_find(old, r->hash))
			continue;
		if (k++ % opt.jobs == n)
			prove_one(r, rs->file, out);
	}
	fflush(out);
}

static void run_workers(const struct ruleset *rs, const struct records *old, struct records *new,
			int from)
{
	FILE *tmp[64];

	fflush(stdout);
	for (int n = 0; n < opt.jobs; n++) {
		tmp[n] = tmpfile();
		if (tmp[n] && fork() == 0) {
			worker(rs, old, from, n, tmp[n]);
			fflush(stdout);
			_exit(0);
		}
	}
	for (int n = 0; n < opt.jobs; n++)
		wait(NULL);
	for (int n = 0; n < opt.jobs; n++) {
		if (!tmp[n])
			continue;
		rewind(tmp[n]);
		records_read_results(new, tmp[n]);
		fclose(tmp[n]);
	}
}

static void record_path(const char *file, char *buf, size_t cap)
{
	const char *base = strrchr(file, '/');

	base = base ? base + 1 : file;
	snprintf(buf, cap, "%s/%.*s.proofs", opt.records, (int)strcspn(base, "."), base);
}

static bool proved(const struct records *old, const struct records *new, const struct rule *r)
{
	const struct record *rec = records_find(new, r->hash);

	if (!rec)
		rec = records_find(old, r->hash);
	return rec && !strcmp(rec->result, "proved");
}

/* Copies the file, leaving out the lines of rules that are not proven. */
static int keep_proved(const char *file, const struct ruleset *rs, const struct records *old,
		       const struct records *new)
{
	FILE *in = fopen(file, "r"), *out = fopen(opt.keep, "w");
	char line[4096];
	bool keep = true;

	if (!in || !out)
		return -1;
	for (int no = 1, next = 0; fgets(line, sizeof(line), in); no++) {
		if (next < rs->nrules && rs->rules[next]->loc.line == no)
			keep = proved(old, new, rs->rules[next++]);
		if (keep)
			fputs(line, out);
	}
	fclose(in);
	return fclose(out);
}

/* Returns how many rules are not proven. */
static int prove_file(const char *file, const char *model, int *nrules, double *seconds)
{
	struct ruleset *rs = ruleset_load(file);
	struct records old = {0}, new = {0};
	const struct record *rec;
	char path[4096];
	int bad = 0;

	if (!rs || rs->nerrors) {
		fprintf(stderr, "%s", rs && rs->errors ? rs->errors : "cannot read rules\n");
		ruleset_free(rs);
		return 1;
	}
	record_path(file, path, sizeof(path));
	records_read(&old, path, model);
	/* What is proven when this is broken off need not be proven again. */
	for (int i = 0; i < rs->nrules; i += BATCH) {
		run_workers(rs, &old, &new, i);
		if (rs->nrules <= BATCH)
			continue;
		records_write(path, model, rs, &old, &new);
		if (opt.progress)
			fprintf(stderr, "prove: %d of %d\n",
				i + BATCH < rs->nrules ? i + BATCH : rs->nrules, rs->nrules);
	}
	for (int i = 0; i < rs->nrules; i++) {
		if (!proved(&old, &new, rs->rules[i])) {
			bad++;
			continue;
		}
		rec = records_find(&new, rs->rules[i]->hash);
		if (!rec)
			rec = records_find(&old, rs->rules[i]->hash);
		*seconds += rec->ms / 1000.0;
	}
	*nrules += rs->nrules;
	if (records_write(path, model, rs, &old, &new))
		fprintf(stderr, "rules-prove: cannot write %s\n", path);
	if (opt.keep && keep_proved(file, rs, &old, &new))
		fprintf(stderr, "rules-prove: cannot write %s\n", opt.keep);
	records_free(&old);
	records_free(&new);
	ruleset_free(rs);
	return bad;
}

int main(int argc, char **argv)
{
	char model[65];
	double seconds = 0;
	int bad = 0, n = 0;

	if (parse_args(argc, argv)) {
		fprintf(stderr, "usage: rules-prove [-j N] [--all] [--progress] [--only NAME] "
				"[--limit MILLIONS] "
				"[--model F]... --records DIR FILE...\n");
		return 2;
	}
	if (model_hash(opt.model, opt.nmodel, model)) {
		fprintf(stderr, "rules-prove: cannot read the semantic model's sources\n");
		return 1;
	}
	for (int i = 0; i < opt.nfiles; i++)
		bad += prove_file(opt.file[i], model, &n, &seconds);
	printf("%d rules: %d proved, %d not; %.1f s of solver time\n", n, n - bad, bad, seconds);
	return bad ? 1 : 0;
}

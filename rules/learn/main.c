/* SPDX-License-Identifier: MIT */
/*
 * rules-learn [-j N] [--max N] [--without PACKAGE]... [--pairs FILE] --work DIR -o FILE LIST
 *
 * LIST has lines "PACKAGE A64-EXECUTABLE X86-EXECUTABLE". Pairs code by source line and learns; the
 * candidates that stood the tests go to FILE, most frequent first (rules-prove does the rest),
 * pairs that gain as they were before generalisation to --pairs, counts to stdout. What was learned
 * from each piece of the list is kept in DIR and not learned again; --without leaves out packages.
 * The same list gives the same files.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rules/learn/store.h"

#define PIECE 12 /* pairs of executables */

struct line {
	char pkg[128], a64[400], x86[400];
};
struct piece {
	const struct line *line;
	int n;
	char file[700];
};

static struct {
	int jobs, max, nwithout, nlines, npieces;
	const char *out, *list, *pairs, *work, *without[32];
	struct line *line;
	struct piece *piece;
} opt = {.jobs = 2, .max = 20000};

static int parse_args(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : NULL;

		if (a[0] != '-') {
			opt.list = a;
			continue;
		}
		i++;
		if (!v)
			return -1;
		if (!strcmp(a, "-j"))
			opt.jobs = atoi(v);
		else if (!strcmp(a, "-o"))
			opt.out = v;
		else if (!strcmp(a, "--max"))
			opt.max = atoi(v);
		else if (!strcmp(a, "--pairs"))
			opt.pairs = v;
		else if (!strcmp(a, "--work"))
			opt.work = v;
		else if (!strcmp(a, "--without") && opt.nwithout < 32)
			opt.without[opt.nwithout++] = v;
		else
			return -1;
	}
	return opt.out && opt.list && opt.work && opt.jobs >= 1 && opt.jobs <= 64 ? 0 : -1;
}

static bool left_out(const char *pkg)
{
	for (int i = 0; i < opt.nwithout; i++)
		if (!strcmp(opt.without[i], pkg))
			return true;
	return false;
}

static int read_list(void)
{
	FILE *f = fopen(opt.list, "r");
	struct line l;
	char buf[1024];

	if (!f)
		return -1;
	while (fgets(buf, sizeof(buf), f)) {
		if (sscanf(buf, "%127s %399s %399s", l.pkg, l.a64, l.x86) != 3 || left_out(l.pkg))
			continue;
		if (!(opt.nlines & (opt.nlines - 1)))
			opt.line = realloc(opt.line,
					   (size_t)(opt.nlines ? opt.nlines * 2 : 1) * sizeof(l));
		if (!opt.line)
			return -1;
		opt.line[opt.nlines++] = l;
	}
	fclose(f);
	return 0;
}

static void hash_file(const char *path, char hex[65])
{
	FILE *f = fopen(path, "r");
	size_t n = 0;
	char *buf;

	memset(hex, '0', 64);
	hex[64] = 0;
	if (!f)
		return;
	fseek(f, 0, SEEK_END);
	n = (size_t)ftell(f);
	rewind(f);
	buf = malloc(n + 1);
	if (buf && fread(buf, 1, n, f) == n)
		sha256_hex(buf, n, hex);
	free(buf);
	fclose(f);
}

/* A piece's results are named after all they depend on: the learner and the executables. */
static void name_piece(struct piece *p, const char *self)
{
	char all[65 * (2 * PIECE + 1)], hex[65];
	size_t n = 0;

	memcpy(all, self, 64);
	n = 64;
	for (int i = 0; i < p->n; i++) {
		hash_file(p->line[i].a64, all + n);
		n += 64;
		hash_file(p->line[i].x86, all + n);
		n += 64;
	}
	sha256_hex(all, n, hex);
	snprintf(p->file, sizeof(p->file), "%.500s/%.100s-%.16s", opt.work, p->line->pkg, hex);
}

static int cut_list(void)
{
	char self[65];

	/* of the learner's sources and the base rules: mk/rules.mk */
	sha256_hex(LEARN_KEY, strlen(LEARN_KEY), self);
	opt.piece = calloc((size_t)opt.nlines + 1, sizeof(*opt.piece));
	if (!opt.piece)
		return -1;
	for (int i = 0; i < opt.nlines;) {
		struct piece *p = &opt.piece[opt.npieces++];

		p->line = &opt.line[i];
		while (i < opt.nlines && p->n < PIECE && !strcmp(opt.line[i].pkg, p->line->pkg))
			p->n++, i++;
		name_piece(p, self);
	}
	return 0;
}

/* ---- learning, piece by piece ---- */

static void learn_piece(const struct piece *p)
{
	struct store s = {.nrule = 0};

	for (int i = 0; i < p->n; i++)
		learn_objects(&s, p->line[i].pkg, p->line[i].a64, p->line[i].x86);
	store_widen(&s);
	if (store_write(&s, p->file))
		fprintf(stderr, "rules-learn: cannot write %s\n", p->file);
	store_free(&s);
}

static void work(int *next)
{
	struct timespec t0, t;

	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (int i; (i = __atomic_fetch_add(next, 1, __ATOMIC_RELAXED)) < opt.npieces;) {
		if (!access(opt.piece[i].file, R_OK))
			continue;
		learn_piece(&opt.piece[i]);
		clock_gettime(CLOCK_MONOTONIC, &t);
		if (isatty(2) || i % 20 == 0)
			fprintf(stderr, "learn: piece %d of %d, %s, %ld s%c", i + 1, opt.npieces,
				opt.piece[i].line->pkg, (long)(t.tv_sec - t0.tv_sec),
				isatty(2) ? '\r' : '\n');
	}
}

static int learn_all(void)
{
	int *next = mmap(NULL, sizeof(*next), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0),
	    status, bad = 0;

	if (next == MAP_FAILED)
		return -1;
	for (int i = 0; i < opt.jobs; i++)
		if (fork() == 0) {
			work(next);
			_exit(0);
		}
	while (wait(&status) > 0)
		bad |= status;
	munmap(next, sizeof(*next));
	return bad ? -1 : 0;
}

/* ---- results ---- */

static int by_count(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return strcmp(a->hash, b->hash);
}

static int by_key(const void *a, const void *b)
{
	const u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static u32 count_different(u64 *v, u32 n)
{
	u32 k = 0;

	if (n)
		qsort(v, n, sizeof(*v), by_key);
	for (u32 i = 0; i < n; i++)
		k += !i || v[i] != v[i - 1];
	return k;
}

/* A rule pays when it saves a third of a host instruction or more. */
static bool pays(const struct entry *e)
{
	return e->cost + 3 <= e->base_cost;
}

static int write_rules(const struct entry *e, u32 n, const char *prefix, const char *path,
		       bool paying, u32 max)
{
	FILE *f = fopen(path, "w");
	u32 written = 0;

	if (!f)
		return -1;
	fprintf(f,
		"// Learned by rules/learn; do not edit. from: package, file and line of the "
		"first\n"
		"// occurrence, then how often the pair was seen in the corpus.\n\n%s",
		learn_classes);
	for (u32 i = 0; i < n && written < max; i++) {
		if (paying && !pays(&e[i]))
			continue;
		fprintf(f, "rule %s_%.12s\nfrom   \"%s\" %llu\n%s\n", prefix, e[i].hash, e[i].from,
			(unsigned long long)e[i].count, strchr(e[i].text, '\n') + 1);
		written++;
	}
	return fclose(f) ? -1 : (int)written;
}

static void print_stats(const struct store *s, u32 right, int written)
{
	struct rusage ru;

	getrusage(RUSAGE_CHILDREN, &ru);
	printf("objects %llu\nfunctions %llu\nruns %llu\nwindows %llu\ncandidates %llu\n"
	       "guest_rejected %llu\nhost_rejected %llu\nmapped %llu\nright %llu\n",
	       (unsigned long long)s->st.objects, (unsigned long long)s->st.functions,
	       (unsigned long long)s->st.runs, (unsigned long long)s->st.windows,
	       (unsigned long long)s->st.candidates, (unsigned long long)s->st.guest_rejected,
	       (unsigned long long)s->st.host_rejected, (unsigned long long)s->st.mapped,
	       (unsigned long long)s->st.accepted);
	printf("right_different %u\nbetter %u\nrules %u\nwritten %d\npieces %d\ncpu_now %ld\n",
	       right, s->npair, s->nrule, written, opt.npieces,
	       (long)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec));
}

int main(int argc, char **argv)
{
	struct store all = {.nrule = 0};
	int n;

	if (parse_args(argc, argv)) {
		fprintf(stderr,
			"usage: rules-learn [-j N] [--max N] [--without PACKAGE]... [--pairs FILE] "
			"--work DIR -o FILE LIST\n");
		return 2;
	}
	if (read_list() || cut_list() || learn_all()) {
		fprintf(stderr, "rules-learn: %s could not be learned from\n", opt.list);
		return 1;
	}
	for (int i = 0; i < opt.npieces; i++) {
		struct store s;

		if (store_read(&s, opt.piece[i].file))
			fprintf(stderr, "rules-learn: %s cannot be read\n", opt.piece[i].file);
		store_merge(&all, &s);
		store_free(&s);
	}
	if (all.nrule)
		qsort(all.rule, all.nrule, sizeof(*all.rule), by_count);
	if (all.npair)
		qsort(all.pair, all.npair, sizeof(*all.pair), by_count);
	n = write_rules(all.rule, all.nrule, "learned", opt.out, true, (u32)opt.max);
	if (n < 0 ||
	    (opt.pairs && write_rules(all.pair, all.npair, "pair", opt.pairs, false, ~0u) < 0)) {
		perror(opt.out);
		return 1;
	}
	print_stats(&all, count_different(all.right, all.nright), n);
	return 0;
}

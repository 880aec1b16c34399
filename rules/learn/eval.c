/* SPDX-License-Identifier: MIT */
/*
 * rules-eval [--uses | --marginal | --grams | --gaps] PROFILE...
 *
 * What the compiled-in rules would do with what a guest executed (armature run --profile): every
 * block is translated again with base rules alone and with learned ones, weighted by how often it
 * ran. Prints executed instructions by who translated them, and host instructions in line for one
 * of the guest's. --uses prints "COUNT SAVED NAME" for every learned rule instead: executions, and
 * host instructions that the blocks it is used in save against the base rules, shared by their
 * learned rules; --marginal what is lost when that rule alone is left out. --grams prints
 * "COUNT OP..." for every sequence of up to six instructions that was executed;
 * --gaps what sequences with gaps would save (eval_gaps.c).
 */
#include <Zydis/Zydis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/learn/eval.h"

#define RAM_BASE 0x40000000ull
#define RAM_SIZE (1ul << 20)

struct sum {
	u64 insns, rule, multi, learned, learned_multi, host;
	u64 integer, integer_rule; /* integer, load/store and branch instructions; those by rules */
};

static struct dbt_vm *vm;
static struct dbt_vcpu *cpu;
static u64 *uses;
static s64 *shared, *saved;
static bool list, marginal, gaps;
static u64 failed;

bool parse_line(char *s, struct line *l)
{
	const char *last = strrchr(s, '|');
	int at, n;

	if (!last || sscanf(last + 1, "%u", &l->live) != 1 ||
	    sscanf(s, "%" SCNu64 " %*x %u%n", &l->count, &l->mode, &at) != 2)
		return false;
	for (l->n = 0; l->n < 64 && sscanf(s + at, " %8x%n", &l->word[l->n], &n) == 1; at += n)
		l->n++;
	return l->n > 0;
}

static unsigned count_insns(const u8 *p, const u8 *end)
{
	ZydisDecodedInstruction i;
	ZydisDecoder dec;
	unsigned n = 0;

	ZydisDecoderInit(&dec, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (; p < end; p += i.length) {
		if (ZYAN_FAILED(
			    ZydisDecoderDecodeInstruction(&dec, NULL, p, (size_t)(end - p), &i)))
			break;
		n += i.mnemonic != ZYDIS_MNEMONIC_NOP;
	}
	return n;
}

unsigned translate(const struct line *l, enum dbt_rules_mode mode, struct tr *tr)
{
	struct code_page *page = code_page_get(vm, RAM_BASE, l->mode & ~TR_MODE_STEP);
	struct code_space sp;
	struct block *b = NULL;
	const char *why;
	unsigned n = 0;

	memset(tr, 0, offsetof(struct tr, hir.op));
	vm->cfg.rules = mode;
	tr->vm = vm;
	tr->mode = l->mode & ~TR_MODE_STEP;
	tr->single = false;
	tr->page_off = 0;
	tr->n = l->n;
	for (unsigned i = 0; i < l->n; i++)
		a64_decode(l->word[i], &tr->insn[i]);
	tr->live_next = l->live & 2;
	tr->live_taken = l->live & 4;
	tr_spread_liveness(tr, l->live & 1);
	tr_build(tr);
	pthread_mutex_lock(&vm->lock);
	if (!page || code_begin(cpu, &sp)) {
		pthread_mutex_unlock(&vm->lock);
		return 0;
	}
	pthread_mutex_unlock(&vm->lock);
	tr->code = sp.rw;
	if (tr->n == l->n)
		b = place_block(vm, tr, page, &why);
	if (b)
		n = count_insns(rx_to_rw(vm, b->host), tr->hot_end);
	pthread_mutex_lock(&vm->lock);
	code_end(vm, &sp, NULL, NULL);
	pthread_mutex_unlock(&vm->lock);
	return n;
}

/* Rules speak of what is neither FP nor vector nor system. */
static bool is_integer(unsigned op)
{
	return op != A64_UNDEF && !(a64_op_flags(op) & (A64F_FP | A64F_SYS | A64F_PRIV));
}

static void add(struct sum *s, const struct tr *tr, u64 count, unsigned host)
{
	s->host += count * host;
	for (unsigned i = 0; i < tr->n; i += tr->span[i] ? tr->span[i] : 1) {
		unsigned k = tr->span[i] ? tr->span[i] : 1, id = tr->rule[i];
		bool learned = id && rules_info[id - 1].learned;

		for (unsigned j = i; j < i + k; j++) {
			s->integer += is_integer(tr->insn[j].op) ? count : 0;
			s->integer_rule += is_integer(tr->insn[j].op) && id ? count : 0;
		}
		s->insns += count * k;
		s->rule += id ? count * k : 0;
		s->multi += id && k > 1 ? count * k : 0;
		s->learned += learned ? count * k : 0;
		s->learned_multi += learned && k > 1 ? count * k : 0;
	}
}

/*
 * What learned rules save in the block: against base rules alone, in equal shares; and each by
 * itself, the block without it against the block with it.
 */
static void add_uses(const struct line *l, struct tr *tr, unsigned base, unsigned host)
{
	unsigned ids[64], n = 0;

	for (unsigned i = 0; i < tr->n; i += tr->span[i] ? tr->span[i] : 1) {
		unsigned id = tr->rule[i], k = 0;

		if (!id || !rules_info[id - 1].learned)
			continue;
		uses[id - 1] += l->count;
		while (k < n && ids[k] != id)
			k++;
		if (k == n)
			ids[n++] = id;
	}
	for (unsigned k = 0; k < n; k++) {
		unsigned without;

		shared[ids[k] - 1] += (s64)l->count * ((s64)base - (s64)host) / (s64)n;
		if (!marginal)
			continue;
		vm->rule_skip = (u16)ids[k];
		without = translate(l, DBT_RULES_LEARNED, tr);
		if (without)
			saved[ids[k] - 1] += (s64)l->count * ((s64)without - (s64)host);
	}
	vm->rule_skip = 0;
}

/* ---- which sequences of ops are executed at all ---- */

#define GRAM_MAX  6
#define GRAM_BITS 22

struct gram {
	u16 op[GRAM_MAX];
	u64 count;
};
static struct gram *grams;

static void gram_add(const u16 *op, unsigned n, u64 count)
{
	struct gram key = {.count = count};
	u64 h = 1469598103934665603ull;
	u32 i;

	for (unsigned k = 0; k < n; k++) {
		key.op[k] = op[k];
		h = (h ^ op[k]) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 31;
	}
	i = (u32)h & ((1u << GRAM_BITS) - 1);
	for (u32 k = 0; k < 64; k++, i = (i + 1) & ((1u << GRAM_BITS) - 1)) {
		if (!grams[i].count)
			grams[i] = key;
		else if (!memcmp(grams[i].op, key.op, sizeof(key.op)))
			grams[i].count += count;
		else
			continue;
		return;
	}
}

static void count_grams(FILE *f)
{
	static char buf[1 << 16];
	struct a64_insn in;
	struct line l;
	u16 op[64];

	while (fgets(buf, sizeof(buf), f)) {
		if (!parse_line(buf, &l))
			continue;
		for (unsigned i = 0; i < l.n; i++) {
			a64_decode(l.word[i], &in);
			op[i] = in.op;
		}
		for (unsigned i = 0; i < l.n; i++)
			for (unsigned n = 1; n <= GRAM_MAX && i + n <= l.n; n++)
				gram_add(op + i, n, l.count);
	}
}

static void print_grams(void)
{
	for (u32 i = 0; i < 1u << GRAM_BITS; i++) {
		if (!grams[i].count)
			continue;
		printf("%" PRIu64, grams[i].count);
		for (unsigned k = 0; k < GRAM_MAX && grams[i].op[k]; k++)
			printf(" %s", a64_op_name(grams[i].op[k]));
		printf("\n");
	}
}

static void eval_file(FILE *f, struct sum *base, struct sum *learned)
{
	static char buf[1 << 16];
	static struct tr tr;
	struct line l;

	while (fgets(buf, sizeof(buf), f)) {
		unsigned nb, nl;

		if (!parse_line(buf, &l))
			continue;
		nb = translate(&l, DBT_RULES_BASE, &tr);
		if (!nb) {
			failed += l.count * l.n;
			continue;
		}
		add(base, &tr, l.count, nb);
		nl = translate(&l, DBT_RULES_LEARNED, &tr);
		add(learned, &tr, l.count, nl);
		if (list)
			add_uses(&l, &tr, nb, nl);
	}
}

static void print_sum(const char *name, const struct sum *s)
{
	double n = (double)(s->insns ? s->insns : 1);

	printf("%-8s %14" PRIu64
	       " instructions: %5.2f %% by rules (%5.2f %% of integer ones), %5.2f %% "
	       "by rules of several instructions, %5.2f %% by learned ones; %.3f host instructions "
	       "each\n",
	       name, s->insns, 100 * (double)s->rule / n,
	       100 * (double)s->integer_rule / (double)(s->integer ? s->integer : 1),
	       100 * (double)s->multi / n, 100 * (double)s->learned / n, (double)s->host / n);
}

static bool start(void)
{
	struct dbt_config cfg = {
		.max_vcpus = 1, .rules = DBT_RULES_BASE, .code_cache_size = 16 << 20};
	void *ram = aligned_alloc(4096, RAM_SIZE);
	const char *err;

	uses = calloc(rules_count, sizeof(*uses));
	saved = calloc(rules_count, sizeof(*saved));
	shared = calloc(rules_count, sizeof(*shared));
	return ram && uses && saved && shared && !dbt_vm_create(&cfg, &vm, &err) &&
	       !dbt_vm_set_memory(vm, GPA(RAM_BASE), RAM_SIZE, ram) &&
	       !dbt_vcpu_create(vm, 0, &cpu);
}

int main(int argc, char **argv)
{
	struct sum base = {0}, learned = {0};

	if (!start()) {
		fprintf(stderr, "rules-eval: no translator here\n");
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		FILE *f;

		if (!strcmp(argv[i], "--uses")) {
			list = true;
			continue;
		}
		if (!strcmp(argv[i], "--grams")) {
			grams = calloc(1u << GRAM_BITS, sizeof(*grams));
			continue;
		}
		if (!strcmp(argv[i], "--gaps")) {
			gaps = true;
			continue;
		}
		if (!strcmp(argv[i], "--marginal")) {
			list = marginal = true;
			continue;
		}
		f = fopen(argv[i], "r");
		if (!f) {
			perror(argv[i]);
			return 1;
		}
		if (grams)
			count_grams(f);
		else if (gaps)
			eval_gaps(f);
		else
			eval_file(f, &base, &learned);
		fclose(f);
	}
	if (grams)
		print_grams();
	if (grams || gaps)
		return 0;
	if (list) {
		for (unsigned i = 0; i < rules_count; i++)
			if (rules_info[i].learned)
				printf("%" PRIu64 " %" PRId64 " %s\n", uses[i],
				       marginal ? saved[i] : shared[i], rules_info[i].name);
		return 0;
	}
	print_sum("base", &base);
	print_sum("learned", &learned);
	if (failed)
		printf("%" PRIu64 " instructions left out: their blocks cannot be placed here\n",
		       failed);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * golden [FILE.rules]...: for every rule, one example of its guest text, the HIR it expands to and the host
 * code placement makes of it, with the number of host instructions and bytes. Flags are live afterwards.
 * tests/rules/golden/ has what is expected: a change in the quality of code shows as a difference.
 */
#include <Zydis/Zydis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/hir.h"
#include "dbt/rules.h"
#include "dbt/translate.h"
#include "rules/prove/concrete.h"

static struct dbt_vm *vm;
static struct dbt_vcpu *cpu;
static u8 *ram;

struct example {
	const struct rule *r;
	struct instance in;
	s64 param[RULE_MAX_PARAMS];
	bool found;
};

/* Registers all different and not special: the common case, and stable. */
static bool plain(const struct rule *r, const s64 *param)
{
	u32 used = 0;

	for (int i = 0; i < r->nparams; i++) {
		if (r->param[i].kind != P_REG)
			continue;
		if (param[i] == 31 || used >> param[i] & 1)
			return false;
		used |= 1u << param[i];
	}
	return true;
}

/* The last instance wins: 64-bit, and the last member of classes. */
static bool pick(void *arg, const struct instance *in)
{
	struct example *x = arg;
	s64 param[RULE_MAX_PARAMS], next = 0;
	u64 seed = 42;

	for (int try = 0; try < 200; try++) {
		if (!conc_params(x->r, in, param, &seed))
			return true;
		next = 0;
		for (int i = 0; i < x->r->nparams; i++)
			if (x->r->param[i].kind == P_REG)
				param[i] = next++; /* x0, x1, ...: in host registers */
		if (plain(x->r, param)) {
			struct expr_env env = {
				.param = param, .width = in->width, .flags_dead = true, .dead_mask = ~0u};
			bool ok = true;

			for (int i = 0; i < x->r->nwhen && ok; i++)
				ok = expr_eval(x->r->when[i], x->r, &env);
			if (!ok)
				continue;
			x->in = *in;
			memcpy(x->param, param, sizeof(param));
			x->found = true;
			return true;
		}
	}
	return true;
}

/* Addresses differ from run to run and are not what this is about. */
static bool print_insn(const ZydisDecoder *dec, const ZydisFormatter *fmt, const u8 *p, size_t left,
		       unsigned *len)
{
	ZydisDecodedInstruction i;
	ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
	char text[128];

	if (ZYAN_FAILED(ZydisDecoderDecodeFull(dec, p, left, &i, o)))
		return false;
	*len = i.length;
	if (i.meta.category == ZYDIS_CATEGORY_COND_BR || i.meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
	    i.meta.category == ZYDIS_CATEGORY_CALL) {
		snprintf(text, sizeof(text), "%s", ZydisMnemonicGetString(i.mnemonic));
		if (o[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
			ZydisFormatterFormatInstruction(fmt, &i, o, i.operand_count_visible, text,
							sizeof(text), 0);
	} else {
		ZydisFormatterFormatInstruction(fmt, &i, o, i.operand_count_visible, text,
						sizeof(text), 0);
	}
	printf("        %s\n", text);
	/* The exit to the next block ends what the rule is answerable for. */
	return i.meta.category != ZYDIS_CATEGORY_UNCOND_BR;
}

static void print_host(const struct block *b, bool branch)
{
	const u8 *p = rx_to_rw(vm, b->host), *end = rx_to_rw(vm, b->host_end);
	ZydisDecoder dec;
	ZydisFormatter fmt;
	unsigned n = 0, len = 0;
	const u8 *start = p;

	ZydisDecoderInit(&dec, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	ZydisFormatterInit(&fmt, ZYDIS_FORMATTER_STYLE_INTEL);
	while (p < end && print_insn(&dec, &fmt, p, (size_t)(end - p), &len)) {
		p += len;
		n++;
	}
	/* Without a branch of its own the last jump is the fall-through: not counted. */
	if (branch) {
		p += len;
		n++;
	}
	printf("    %u instructions, %u bytes\n", n, (unsigned)(p - start));
}

static void print_guest(struct tr *tr)
{
	char text[160];

	for (unsigned k = 0; k < tr->n; k++) {
		a64_disas(&tr->insn[k], 4 * k, text, sizeof(text));
		printf("    %s\n", text);
	}
}

static void print_hir(struct tr *tr)
{
	char text[256];

	for (unsigned k = 0; k < tr->hir.n; k++) {
		hir_dump(&tr->hir.op[k], text, sizeof(text));
		printf("      %s\n", text + 3);
	}
}

static void place(struct tr *tr, struct code_page *page)
{
	struct code_space sp;
	struct block *b;
	const char *why;

	pthread_mutex_lock(&vm->lock);
	if (code_begin(cpu, &sp)) {
		printf("    no code space\n");
		exit(1);
	}
	pthread_mutex_unlock(&vm->lock);
	tr->code = sp.rw;
	b = place_block(vm, tr, page, &why);
	if (b)
		print_host(b, tr->ended);
	else
		printf("    cannot be placed: %s\n", why ? why : "too long");
	pthread_mutex_lock(&vm->lock);
	code_end(vm, &sp, NULL, NULL);
	pthread_mutex_unlock(&vm->lock);
}

static int one_rule(const struct rule *r)
{
	static struct tr tr;
	struct example x = {.r = r};
	struct code_page *page = code_page_get(vm, 0x40000000, TR_MODE_EL1);

	printf("%s\n", r->name);
	for_each_instance(r, pick, &x);
	if (!x.found) {
		printf("    no example\n");
		return 1;
	}
	memset(&tr, 0, sizeof(tr));
	tr.vm = vm;
	tr.mode = TR_MODE_EL1;
	tr.n = (unsigned)r->nguest;
	tr.span[0] = (u8)r->nguest;
	for (int k = 0; k < r->nguest; k++) {
		conc_guest(r, &x.in, k, x.param, &tr.insn[k]);
		tr.nzcv_live[k] = !r->flags_dead;
	}
	tr.live_taken = tr.live_next = !r->flags_dead;
	print_guest(&tr);
	/* The rule's own expansion, even where another one would be chosen. */
	conc_expand(r, &x.in, x.param, &tr.hir);
	for (unsigned k = 0; k < tr.hir.n; k++)
		tr.ended |= hop_is_control(tr.hir.op[k].op);
	print_hir(&tr);
	place(&tr, page);
	return 0;
}

int main(int argc, char **argv)
{
	struct dbt_config cfg = {.max_vcpus = 1, .rules = DBT_RULES_LEARNED, .code_cache_size = 16 << 20};
	const char *err;
	int bad = 0;

	ram = aligned_alloc(4096, 1 << 20);
	if (!ram || dbt_vm_create(&cfg, &vm, &err) ||
	    dbt_vm_set_memory(vm, GPA(0x40000000), 1 << 20, ram) || dbt_vcpu_create(vm, 0, &cpu)) {
		fprintf(stderr, "golden: no translator here\n");
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		struct ruleset *rs = ruleset_load(argv[i]);

		if (!rs || rs->nerrors)
			return 2;
		for (int k = 0; k < rs->nrules; k++)
			bad += one_rule(rs->rules[k]);
		ruleset_free(rs);
	}
	dbt_vm_destroy(vm);
	free(ram);
	return bad ? 1 : 0;
}

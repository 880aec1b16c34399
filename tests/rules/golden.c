/* SPDX-License-Identifier: MIT */
/*
 * golden [FILE.rules]...: for every rule, one example of its guest text, the HIR it expands to and
 * the host code placement makes of it, with the number of host instructions and bytes. Flags are
 * live afterwards. tests/rules/golden/ has what is expected: a change in the quality of code shows
 * as a difference.
 */
#include <Zydis/Zydis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/hir.h"
#include "dbt/rules.h"
#include "dbt/translate.h"
#include "dbt/x64/regmap.h"
#include "rules/prove/concrete.h"
#include "tests/rules/encode.h"

static struct dbt_vm *vm;
static struct dbt_vcpu *cpu;
static u8 *ram;

struct example {
	const struct rule *r;
	struct instance in;
	s64 param[RULE_MAX_PARAMS];
	struct a64_insn insn[RULE_MAX_GUEST];
	int quality; /* 0 none, 1 the rule applies, 2 it is the one chosen */
};

/* x0, x1, ... are in host registers; labels in the same page, forwards. */
static void name_operands(const struct rule *r, s64 *param)
{
	s64 next = 0;

	for (int i = 0; i < r->nparams; i++)
		if (r->param[i].kind == P_REG)
			param[i] = next++;
		else if (r->param[i].kind == P_LABEL && r->guest[r->param[i].insn].op != A64_ADRP)
			param[i] = 0x40;
}

static bool encodable(struct example *x)
{
	for (int k = 0; k < x->r->nguest; k++) {
		conc_guest(x->r, &x->in, k, x->param, &x->insn[k]);
		if (!a64_encode(&x->insn[k]))
			return false;
	}
	return true;
}

static void stage(struct tr *tr, const struct example *x)
{
	memset(tr, 0, sizeof(*tr));
	tr->vm = vm;
	tr->mode = TR_MODE_EL1;
	tr->n = (unsigned)x->r->nguest;
	tr->span[0] = (u8)x->r->nguest;
	for (int k = 0; k < x->r->nguest; k++) {
		tr->insn[k] = x->insn[k];
		tr->nzcv_live[k] = !x->r->flags_dead;
	}
	tr->live_taken = tr->live_next = !x->r->flags_dead;
}

/* The compiled rules' choice; NULL: none of them. */
static const char *compiled(struct tr *tr)
{
	return rules_apply(tr) ? rules_info[tr->rule[0] - 1].name : NULL;
}

static bool chosen(const struct example *x)
{
	static struct tr tr;
	const char *name;

	stage(&tr, x);
	name = compiled(&tr);
	return name && !strcmp(name, x->r->name);
}

/* The last instance wins: 64-bit, and the last member of classes. */
static bool pick(void *arg, const struct instance *in)
{
	struct example *x = arg, new = *x;
	u64 seed = 42;

	new.in = *in;
	for (int try = 0; try < 40; try++) {
		s64 drawn[RULE_MAX_PARAMS];

		if (!conc_params(x->r, in, new.param, &seed))
			return true;
		memcpy(drawn, new.param, sizeof(drawn));
		name_operands(x->r, new.param);
		/* Where the conditions want registers to coincide, as drawn. */
		if (!conc_allowed(x->r, in, new.param)) {
			if (try < 20)
				continue;
			memcpy(new.param, drawn, sizeof(drawn));
		}
		if (!encodable(&new))
			continue;
		new.quality = chosen(&new) ? 2 : 1;
		if (new.quality >= x->quality)
			*x = new;
		if (new.quality == 2)
			return true;
	}
	return true;
}

struct listing {
	ZydisDecoder dec;
	ZydisFormatter fmt;
	unsigned n, save; /* instructions; of them, those that save NZCV at the exit */
	unsigned bytes;
};

/* Fields of the CPU state by name: where they lie is not what this is about. */
static void name_field(char *text, size_t cap, s64 disp)
{
	static const struct {
		s64 off;
		const char *name;
	} fields[] = {
		{CPU_OFF(host_nzcv), "nzcv"},	   {CPU_OFF(host_nzcv) + 1, "nzcv+1"},
		{CPU_OFF(page_va), "page"},	   {CPU_OFF(exit_req), "exit_req"},
		{CPU_OFF(st_index), "st_index"},   {CPU_OFF(ex_tab), "ex_tab"},
		{CPU_OFF(sp_page), "sp_page"},	   {CPU_OFF(sp_addend), "sp_addend"},
		{CPU_OFF(user_ld_tab), "user_ld"}, {CPU_OFF(user_st_tab), "user_st"},
	};
	char *from = strstr(text, "[rbp"), *to = from ? strchr(from, ']') : NULL, rest[64],
	     name[16];

	if (!to)
		return;
	snprintf(name, sizeof(name), "scratch");
	for (unsigned r = 0; r < 32; r++)
		if (X_OFF(r) == disp)
			snprintf(name, sizeof(name), r == 31 ? "sp" : "x%u", r);
	for (unsigned k = 0; k < ARRAY_SIZE(fields); k++)
		if (fields[k].off == disp)
			snprintf(name, sizeof(name), "%s", fields[k].name);
	snprintf(rest, sizeof(rest), "%s", to);
	snprintf(from, cap - (size_t)(from - text), "[cpu.%s%s", name, rest);
}

/* Addresses differ from run to run. */
static void print_text(const struct listing *l, const ZydisDecodedInstruction *i,
		       const ZydisDecodedOperand *o)
{
	bool jump = i->meta.category == ZYDIS_CATEGORY_COND_BR ||
		    i->meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
		    i->meta.category == ZYDIS_CATEGORY_CALL;
	char text[128];

	if (jump && o[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		snprintf(text, sizeof(text), "%s", ZydisMnemonicGetString(i->mnemonic));
	else
		ZydisFormatterFormatInstruction(&l->fmt, i, o, i->operand_count_visible, text,
						sizeof(text), 0, NULL);
	for (unsigned k = 0; k < i->operand_count_visible; k++)
		if (o[k].type == ZYDIS_OPERAND_TYPE_MEMORY && o[k].mem.base == ZYDIS_REGISTER_RBP)
			name_field(text, sizeof(text), o[k].mem.disp.value);
	printf("        %s\n", text);
}

/* Up to the exit to the next block, which the rule is not answerable for; that exit's padding, too.
 */
static void print_host(const struct block *b, bool branch)
{
	const u8 *p = rx_to_rw(vm, b->host), *end = rx_to_rw(vm, b->host_end);
	ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
	struct listing l = {0};
	bool saving = false, last = false;
	ZydisDecodedInstruction i;

	ZydisDecoderInit(&l.dec, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	ZydisFormatterInit(&l.fmt, ZYDIS_FORMATTER_STYLE_INTEL);
	for (; p < end && !last; p += i.length) {
		if (ZYAN_FAILED(ZydisDecoderDecodeFull(&l.dec, p, (size_t)(end - p), &i, o)))
			break;
		last = i.meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
		       i.meta.category == ZYDIS_CATEGORY_RET;
		if (i.mnemonic == ZYDIS_MNEMONIC_NOP || (last && !branch))
			continue;
		print_text(&l, &i, o);
		saving |= i.mnemonic == ZYDIS_MNEMONIC_LAHF;
		l.n++;
		l.save += saving && !last;
		l.bytes += i.length;
	}
	printf("    %u instructions, %u bytes", l.n, l.bytes);
	if (l.save)
		printf(", %u instructions save NZCV", l.save);
	printf("\n");
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

/* What the rule compiler made of the rule expands to the same, where it is the one that is chosen.
 */
static bool compiled_agrees(const struct rule *r, const struct tr *want)
{
	static struct tr tr;
	char a[256], b[256];
	const char *name;

	tr = *want;
	tr.hir.n = 0;
	name = compiled(&tr);
	if (!name || strcmp(name, r->name)) {
		printf("    (here %s is chosen)\n", name ? name : "none");
		return true;
	}
	for (unsigned k = 0; k < tr.hir.n || k < want->hir.n; k++) {
		hir_dump(&tr.hir.op[k], a, sizeof(a));
		hir_dump(&want->hir.op[k], b, sizeof(b));
		if (tr.hir.n != want->hir.n || strcmp(a, b)) {
			printf("    compiled differently: %s\n", a);
			return false;
		}
	}
	return true;
}

static int one_rule(const struct rule *r)
{
	static struct tr tr;
	struct example x = {.r = r};
	struct code_page *page = code_page_get(vm, 0x40000000, TR_MODE_EL1);

	printf("%s\n", r->name);
	for_each_instance(r, pick, &x);
	if (!x.quality) {
		printf("    no example\n");
		return 1;
	}
	stage(&tr, &x);
	print_guest(&tr);
	/* The rule's own expansion, even where another one would be chosen. */
	conc_expand(r, &x.in, x.param, &tr.hir);
	if (!compiled_agrees(r, &tr))
		return 1;
	for (unsigned k = 0; k < tr.hir.n; k++)
		tr.ended |= hop_is_control(tr.hir.op[k].op);
	print_hir(&tr);
	place(&tr, page);
	return 0;
}

int main(int argc, char **argv)
{
	struct dbt_config cfg = {
		.max_vcpus = 1, .rules = DBT_RULES_LEARNED, .code_cache_size = 16 << 20};
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

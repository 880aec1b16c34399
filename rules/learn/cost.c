/* SPDX-License-Identifier: MIT */
/*
 * What a rule is worth: the host code that placement makes of it against the code of the base
 * rules, over several assignments of guest registers, some of which live in host registers and some
 * in memory. Tenths of an instruction; loads and stores of guest registers count half an
 * instruction more, multiplication two.
 */
#include <Zydis/Zydis.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/translate.h"
#include "dbt/vm.h"
#include "dbt/x64/regmap.h"
#include "rules/learn/learn.h"
#include "rules/prove/concrete.h"

static struct dbt_vm *vm;
static struct dbt_vcpu *cpu;

#define RAM_BASE 0x40000000ull
#define RAM_SIZE (1ul << 20)

/* A translator of this process's own. */
static bool have_vm(void)
{
	struct dbt_config cfg = {
		.max_vcpus = 1, .rules = DBT_RULES_BASE, .code_cache_size = 16 << 20};
	const char *err;
	void *ram;

	if (vm)
		return true;
	ram = aligned_alloc(4096, RAM_SIZE);
	return ram && !dbt_vm_create(&cfg, &vm, &err) &&
	       !dbt_vm_set_memory(vm, GPA(RAM_BASE), RAM_SIZE, ram) &&
	       !dbt_vcpu_create(vm, 0, &cpu);
}

static int insn_cost(const ZydisDecodedInstruction *i, const ZydisDecodedOperand *o)
{
	int c = 10;

	if (i->mnemonic == ZYDIS_MNEMONIC_NOP)
		return 0;
	if (i->mnemonic == ZYDIS_MNEMONIC_IMUL)
		c += 20;
	if (i->mnemonic == ZYDIS_MNEMONIC_DIV || i->mnemonic == ZYDIS_MNEMONIC_IDIV)
		c += 100;
	for (int k = 0; k < i->operand_count_visible; k++)
		if (o[k].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    o[k].mem.type == ZYDIS_MEMOP_TYPE_MEM && o[k].mem.base == ZYDIS_REGISTER_RBP)
			c += 5;
	return c;
}

static int code_cost(const u8 *p, const u8 *end)
{
	ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction i;
	ZydisDecoder dec;
	int cost = 0;

	ZydisDecoderInit(&dec, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (; p < end; p += i.length) {
		if (ZYAN_FAILED(ZydisDecoderDecodeFull(&dec, p, (size_t)(end - p), &i, o)))
			return -1;
		cost += insn_cost(&i, o);
	}
	return cost;
}

/* tr->hir is ready, and tr->insn, tr->n. -1: cannot be placed. */
static int placed_cost(struct tr *tr, bool flags_live)
{
	struct code_page *page = code_page_get(vm, RAM_BASE, TR_MODE_EL1);
	struct code_space sp;
	struct block *b;
	const char *why;
	int cost = -1;

	tr->vm = vm;
	tr->mode = TR_MODE_EL1;
	tr->ended = false;
	for (unsigned k = 0; k < tr->hir.n; k++)
		tr->ended |= hop_is_control(tr->hir.op[k].op);
	memset(tr->nzcv_live, flags_live, sizeof(tr->nzcv_live));
	tr->live_taken = tr->live_next = flags_live;
	pthread_mutex_lock(&vm->lock);
	if (!page || code_begin(cpu, &sp)) {
		pthread_mutex_unlock(&vm->lock);
		return -1;
	}
	pthread_mutex_unlock(&vm->lock);
	tr->code = sp.rw;
	b = place_block(vm, tr, page, &why);
	if (b)
		cost = code_cost(rx_to_rw(vm, b->host), tr->hot_end);
	pthread_mutex_lock(&vm->lock);
	code_end(vm, &sp, NULL, NULL);
	pthread_mutex_unlock(&vm->lock);
	return cost;
}

/* Different registers for the register parameters, one in a host register with probability 5/8. */
static void draw_registers(const struct rule *r, u32 pin, u32 spill, s64 *param, u64 *seed)
{
	u32 used = 0;

	for (int i = 0; i < r->nparams; i++) {
		bool pinned = pin >> i & 1 || (!(spill >> i & 1) && conc_random(seed) % 8 < 5);
		unsigned n, tries = 0;

		/* Most branches stay in their page. */
		if (r->param[i].kind == P_LABEL && r->guest[r->param[i].insn].op != A64_ADRP)
			param[i] = 512;
		if (r->param[i].kind != P_REG)
			continue;
		if (param[i] == 31 && r->param[i].rc == RC_SP && !(spill >> i & 1) &&
		    conc_random(seed) % 2)
			continue;
		do
			n = (unsigned)(conc_random(seed) % 29);
		while (used >> n & 1 || /* there may be more parameters than registers of a kind */
		       (tries++ < 200 && (regmap_host[n] >= 0) != pinned));
		used |= 1u << n;
		param[i] = n;
	}
}

struct worth {
	const struct rule *r;
	u64 seed;
	u32 pin, spill;
	int n, draws;
	long base, rule;
};

/* As compiled rules do: the flag-free form where NZCV is dead after the rule. */
static void drop_dead_flags(struct hir_buf *b, bool live)
{
	for (unsigned i = b->n; i-- > 0 && !live;) {
		if (hop_reads_flags(b->op[i].op) || hop_is_mem(b->op[i].op))
			return;
		if (b->op[i].setf) {
			b->op[i].setf = 0;
			return;
		}
	}
}

static void compare(struct worth *w, const struct instance *in, const s64 *param)
{
	static struct tr base, rule;

	memset(&base, 0, offsetof(struct tr, hir.op));
	base.n = rule.n = (unsigned)w->r->nguest;
	base.page_off = rule.page_off = 256; /* flags after a branch: neither end of the page */
	for (int k = 0; k < w->r->nguest; k++) {
		conc_guest(w->r, in, k, param, &base.insn[k]);
		rule.insn[k] = base.insn[k];
		base.span[k] = 1;
	}
	rule.span[0] = (u8)w->r->nguest;
	for (int live = 0; live < 2; live++) {
		int b, c;

		if ((live && w->r->flags_dead) ||
		    guest_hir(base.insn, w->r->nguest, live, &base.hir) < 0)
			break;
		rule.hir.n = rule.hir.insn = 0;
		conc_expand(w->r, in, param, &rule.hir);
		/* Guest flags nobody reads are not made. */
		drop_dead_flags(&rule.hir, live);
		b = placed_cost(&base, live);
		c = placed_cost(&rule, live);
		if (b < 0 || c < 0)
			continue;
		w->n++;
		w->base += b;
		w->rule += c;
	}
}

static bool weigh_instance(void *arg, const struct instance *in)
{
	struct worth *w = arg;
	s64 param[RULE_MAX_PARAMS];

	if (w->n > 200)
		return false;
	for (int k = 0; k < w->draws; k++) {
		if (!conc_params(w->r, in, param, &w->seed))
			return true;
		draw_registers(w->r, w->pin, w->spill, param, &w->seed);
		if (conc_allowed(w->r, in, param))
			compare(w, in, param);
	}
	return true;
}

bool rule_worth(const struct rule *r, int draws, u32 pin, u32 spill, int *base, int *rule)
{
	struct worth w = {.r = r, .seed = 5, .draws = draws, .pin = pin, .spill = spill};

	if (!have_vm())
		return false;
	for_each_instance(r, weigh_instance, &w);
	if (!w.n)
		return false;
	*base = (int)(w.base / w.n);
	*rule = (int)(w.rule / w.n);
	return true;
}

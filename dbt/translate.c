/* SPDX-License-Identifier: MIT */
#include "dbt/translate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "dbt/a64/helpers_fp.h"

#define MAX_INSNS      48
#define LIVENESS_DEPTH 24 /* instructions looked at behind the block */

/* Does code at page offset `off` read NZCV before it writes it? Unknown counts as yes. */
static bool flags_live_at(const u32 *code, s64 off, unsigned depth)
{
	for (; depth && off >= 0 && off < (s64)PAGE_SIZE; depth--) {
		struct a64_insn in;
		u32 f;

		a64_decode(code[off / 4], &in);
		f = a64_op_flags(in.op);
		if (f & A64F_RF)
			return true;
		if (f & A64F_WF)
			return false;
		if (in.op == A64_B) {
			off += in.imm;
			continue;
		}
		if (in.op == A64_CBZ || in.op == A64_CBNZ || in.op == A64_TBZ || in.op == A64_TBNZ) {
			if (flags_live_at(code, off + in.imm, depth / 2))
				return true;
			depth = depth / 2 + 1;
		} else if (f & (A64F_END | A64F_BR | A64F_SYS)) {
			return true;
		}
		off += 4;
	}
	return true;
}

/* NZCV liveness of the block's instructions, looking into its successors. */
static void analyse_flags(struct tr *tr, const u32 *code)
{
	const struct a64_insn *last = &tr->insn[tr->n - 1];
	s64 end = tr->page_off + 4 * (s64)tr->n;
	bool live;

	switch (last->op) {
	case A64_B: live = flags_live_at(code, end - 4 + last->imm, LIVENESS_DEPTH); break;
	case A64_B_cond:
	case A64_CBZ:
	case A64_CBNZ:
	case A64_TBZ:
	case A64_TBNZ:
		tr->live_next = flags_live_at(code, end, LIVENESS_DEPTH);
		tr->live_taken = flags_live_at(code, end - 4 + last->imm, LIVENESS_DEPTH);
		live = tr->live_next || tr->live_taken;
		break;
	default:
		live = a64_op_flags(last->op) & (A64F_END | A64F_BR) ||
		       flags_live_at(code, end, LIVENESS_DEPTH);
		break;
	}
	if (tr->vm->cfg.no_flag_liveness || tr->mode & TR_MODE_STEP)
		tr->live_next = tr->live_taken = live = true;
	for (unsigned i = tr->n; i-- > 0;) {
		u32 f = a64_op_flags(tr->insn[i].op);

		tr->nzcv_live[i] = live;
		if (f & A64F_WF)
			live = false;
		/* What may fault shows NZCV to the handler. */
		if (f & (A64F_RF | A64F_SYS | A64F_LD | A64F_ST))
			live = true;
	}
}

static void decode_block(struct tr *tr, const u32 *code, unsigned max)
{
	tr->n = 0;
	while (tr->n < max && tr->page_off + 4 * tr->n < PAGE_SIZE) {
		struct a64_insn *in = &tr->insn[tr->n];

		a64_decode(code[tr->page_off / 4 + tr->n], in);
		tr->n++;
		if (in->op == A64_UNDEF || a64_op_flags(in->op) & (A64F_BR | A64F_END))
			break;
	}
}

static int build_one(struct tr *tr)
{
	const struct a64_insn *in = &tr->insn[tr->i];

	if (in->op == A64_UNDEF)
		return -1;
	if (a64_op_flags(in->op) & A64F_FP) {
		if (tr->mode & TR_MODE_FP_TRAP) {
			hir_helper_end(&tr->hir, helper_fp_trap, in->raw);
			tr->ended = true;
			return 0;
		}
		if (!build_fp(tr, in))
			return 0;
		return build_simd(tr, in);
	}
	if (!build_int(tr, in))
		return 0;
	return build_sys(tr, in);
}

/* Emits HIR for the decoded instructions; shortens tr->n where something ends the block early. */
static void build_block(struct tr *tr)
{
	enum dbt_rules_mode rules = tr->vm->cfg.rules;
	struct dbt_vm *vm = tr->vm;

	hconst_reset();
	tr->hir.n = 0;
	tr->ended = false;
	for (tr->i = 0; tr->i < tr->n && !tr->ended;) {
		unsigned start = tr->hir.n, k = 0;

		tr->hir.insn = tr->i;
		tr->hir.ntmp = tr->hir.nvtmp = 0;
		if (rules != DBT_RULES_NONE)
			k = rules_apply(tr);
		if (k) {
			vm->stats.insns_by_rule += k;
		} else {
			k = 1;
			vm->stats.insns_by_builder++;
			if (build_one(tr)) {
				tr->hir.n = start;
				hir_helper_end(&tr->hir, helper_undef, tr->insn[tr->i].raw);
				tr->ended = true;
			}
		}
		if (tr->hir.n >= HIR_MAX - 1) { /* does not fit: end before this one */
			tr->hir.n = start;
			tr->n = tr->i;
			return;
		}
		vm->op_uses[tr->insn[tr->i].op]++;
		tr->span[tr->i] = (u8)k;
		tr->i += k;
	}
	tr->n = tr->i;
}

static void log_block(struct tr *tr, u64 gpa, const struct block *b)
{
	char buf[256];

	if (log_on(LOG_IN))
		for (unsigned i = 0; i < tr->n; i++) {
			a64_disas(&tr->insn[i], gpa + tr->page_off + 4 * i, buf, sizeof(buf));
			log_print("in   %08llx  %08x  %s\n",
				  (unsigned long long)(gpa + tr->page_off + 4 * i), tr->insn[i].raw,
				  buf);
		}
	if (log_on(LOG_HIR))
		for (unsigned i = 0; i < tr->hir.n; i++) {
			hir_dump(&tr->hir.op[i], buf, sizeof(buf));
			log_print("hir  %s\n", buf);
		}
	if (log_on(LOG_OUT) && b) {
		const u8 *p = rx_to_rw(tr->vm, b->host);

		log_print("out  %08x (%u bytes):", b->host, b->host_end - b->host);
		for (u32 i = 0; i < b->host_end - b->host; i++)
			log_print(" %02x", p[i]);
		log_print("\n");
	}
}

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000ull + (u64)ts.tv_nsec;
}

static _Thread_local struct tr *tr_buf;

struct block *dbt_translate(struct dbt_vm *vm, struct code_page *page, u32 off, bool single)
{
	const u32 *code = (const u32 *)dbt_ram_ptr(vm, page->gpa, PAGE_SIZE);
	struct tr *tr = tr_buf;
	struct block *b = NULL;
	const char *why = NULL;
	unsigned max = page->mode & TR_MODE_STEP ? 1 : MAX_INSNS;
	u64 t0 = now_ns();

	if (!tr && !(tr = tr_buf = malloc(sizeof(*tr))))
		return NULL;
	while (max && !b) {
		tr->vm = vm;
		tr->page_off = off;
		tr->mode = page->mode;
		tr->single = single;
		decode_block(tr, code, max);
		analyse_flags(tr, code);
		build_block(tr);
		b = tr->n ? place_block(vm, tr, page, &why) : NULL;
		if (!b) {
			if (why && log_topics)
				log_print("cannot place block at %llx+%x (%u instructions): %s\n",
					  (unsigned long long)page->gpa, off, tr->n, why);
			log_block(tr, page->gpa, NULL);
			max = (tr->n ? tr->n : max) / 2;
		}
	}
	if (!b) {
		error_report("translation of %08x at guest physical %llx failed: %s", code[off / 4],
			     (unsigned long long)page->gpa + off, why ? why : "too long");
		return NULL;
	}
	if (log_topics & (LOG_IN | LOG_HIR | LOG_OUT))
		log_block(tr, page->gpa, b);
	if (single) {
		b->next_variant = page->variants;
		page->variants = b;
	} else {
		page->slots[off / 4] = b->host;
	}
	vm->stats.blocks_translated++;
	vm->stats.insns_translated += tr->n;
	vm->stats.guest_bytes += 4 * tr->n;
	vm->stats.host_bytes += b->host_end - b->host;
	vm->stats.translate_ns += now_ns() - t0;
	return b;
}

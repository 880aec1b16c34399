/* SPDX-License-Identifier: MIT */
#include "dbt/translate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "dbt/a64/helpers_fp.h"
#include "dbt/a64/regs.h"
#include "dbt/rules.h"

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
		if (in.op == A64_CBZ || in.op == A64_CBNZ || in.op == A64_TBZ ||
		    in.op == A64_TBNZ) {
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

void tr_spread_liveness(struct tr *tr, bool live)
{
	for (unsigned i = tr->n; i-- > 0;) {
		u32 f = a64_op_flags(tr->insn[i].op);

		if (tr->side[i])
			live = tr->side[i] & (SIDE_TAKEN | SIDE_NEXT);
		tr->nzcv_live[i] = live;
		if (f & A64F_WF)
			live = false;
		/* What may fault shows NZCV to the handler. */
		if (f & (A64F_RF | A64F_SYS | A64F_LD | A64F_ST))
			live = true;
	}
}

/* NZCV liveness of the block's instructions, looking into its successors. */
static void analyse_flags(struct tr *tr, const u32 *code)
{
	bool all = tr->vm->cfg.no_flag_liveness || tr->vm->cfg.no_across_blocks ||
		   tr->mode & TR_MODE_STEP;
	const struct a64_insn *last = &tr->insn[tr->n - 1];
	s64 end = tr->page_off + 4 * (s64)tr->n;
	bool live;

	for (unsigned i = 0; i < tr->n; i++) {
		s64 off = tr->page_off + 4 * (s64)i;

		if (!tr->side[i])
			continue;
		if (all || flags_live_at(code, off + tr->insn[i].imm, LIVENESS_DEPTH))
			tr->side[i] |= SIDE_TAKEN;
		if (all || flags_live_at(code, off + 4, LIVENESS_DEPTH))
			tr->side[i] |= SIDE_NEXT;
	}
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
	if (all)
		tr->live_next = tr->live_taken = live = true;
	tr_spread_liveness(tr, live);
}

/*
 * Does the block go on behind this branch? A loop's end is a good end, and so is what is translated
 * already.
 */
static bool is_side_exit(const struct tr *tr, struct code_page *page, const struct a64_insn *in)
{
	u32 next = tr->page_off + 4 * tr->n;

	switch (in->op) {
	case A64_B_cond:
	case A64_CBZ:
	case A64_CBNZ:
	case A64_TBZ:
	case A64_TBNZ: break;
	default: return false;
	}
	return in->imm > 0 && next < PAGE_SIZE && slot_get(page, next) == tr->vm->t_lookup;
}

static void decode_block(struct tr *tr, struct code_page *page, const u32 *code, unsigned max)
{
	bool go_on = !tr->single && !tr->vm->cfg.no_superblocks;
	unsigned sides = 0;

	tr->n = 0;
	while (tr->n < max && tr->page_off + 4 * tr->n < PAGE_SIZE) {
		struct a64_insn *in = &tr->insn[tr->n];

		a64_decode(code[tr->page_off / 4 + tr->n], in);
		tr->side[tr->n++] = 0;
		if (in->op != A64_UNDEF && !(a64_op_flags(in->op) & (A64F_BR | A64F_END)))
			continue;
		if (!go_on || tr->n == max || sides == MAX_SIDES || !is_side_exit(tr, page, in))
			break;
		tr->side[tr->n - 1] = SIDE_EXIT;
		sides++;
	}
}

/* CPACR_EL1.FPEN traps at EL1 as well where bit 20 is clear. */
static void check_fp_trap(struct tr *tr, const struct a64_insn *in)
{
	struct hir_opnd t = htmp(&tr->hir);
	struct hir *h;

	hir_emit(&tr->hir, HIR_AND, 4, t, hstate(offsetof(struct dbt_vcpu, sys.cpacr_el1)),
		 himm(1 << 20));
	h = hir2(&tr->hir, HIR_BAILZ, 4, hnone(), t);
	h->fn = helper_fp_trap;
	h->raw = in->raw;
	tr->fp_checked = true;
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
		if (tr->mode & TR_MODE_EL1 && !tr->fp_checked)
			check_fp_trap(tr, in);
		if (!build_fp(tr, in))
			return 0;
		return build_simd(tr, in);
	}
	if (a64_op_flags(in->op) & A64F_SYS)
		tr->fp_checked = false;
	if (!build_int(tr, in))
		return 0;
	return build_sys(tr, in);
}

/* Ends the block with an undefined-instruction exception at instruction tr->i. */
static void emit_undef(struct tr *tr)
{
	hir_helper_end(&tr->hir, helper_undef, tr->insn[tr->i].raw);
	tr->ended = true;
}

/* The whole block is one undefined instruction. */
static void undef_block(struct tr *tr)
{
	hconst_reset();
	tr->hir.n = tr->hir.insn = tr->i = 0;
	tr->n_rule = 0;
	tr->n_builder = tr->n = tr->span[0] = 1;
	tr->rule[0] = 0;
	emit_undef(tr);
}

/* The block may be entered by an indirect branch, and its page is guarded. */
static void check_btype(struct tr *tr)
{
	struct hir_opnd state = hstate(offsetof(struct dbt_vcpu, btype));
	const struct a64_insn *in = &tr->insn[0];
	unsigned ok = in->op == A64_BTI ? bti_targets(in) : is_paci_sp(in) ? BIT(1) | BIT(2) : 0;
	struct hir *h = NULL;

	if (in->op == A64_BRK || in->op == A64_HLT)
		return; /* compatible, and SPSR_EL1 shows the BTYPE they met */
	if (!ok) {
		h = hir2(&tr->hir, HIR_BAILNZ, 4, hnone(), state);
	} else if (ok != (BIT(1) | BIT(2) | BIT(3))) { /* one is left out: 3 by c, 2 by j */
		struct hir_opnd t = htmp(&tr->hir);

		hir_emit(&tr->hir, HIR_XOR, 4, t, state, himm(ok & BIT(2) ? 3 : 2));
		h = hir2(&tr->hir, HIR_BAILZ, 4, hnone(), t);
	}
	if (h) {
		h->fn = helper_bti;
		h->raw = in->raw;
	}
	if (ok)
		hir2(&tr->hir, HIR_MOV, 4, state, himm(0));
}

void tr_build(struct tr *tr)
{
	enum dbt_rules_mode rules = tr->vm->cfg.rules;

	hconst_reset();
	tr->hir.n = 0;
	tr->n_rule = tr->n_builder = 0;
	tr->ended = tr->fp_checked = false;
	for (tr->i = 0; tr->i < tr->n && !tr->ended;) {
		unsigned start, k = 0;

		tr->rule[tr->i] = 0;
		tr->hir.insn = tr->i;
		tr->hir.ntmp = tr->hir.nvtmp = 0;
		if (!tr->i && tr->mode & TR_MODE_GP && (!tr->single || tr->mode & TR_MODE_STEP))
			check_btype(tr);
		start = tr->hir.n;
		/* YIELD is a rule's no-op only where there is nobody to yield to. */
		if (rules != DBT_RULES_NONE &&
		    (tr->insn[tr->i].op != A64_YIELD || tr->vm->cfg.max_vcpus < 2))
			k = rules_apply(tr);
		if (k) {
			tr->n_rule += k;
		} else {
			k = 1;
			tr->n_builder++;
			if (build_one(tr)) {
				tr->hir.n = start;
				emit_undef(tr);
			}
		}
		if (tr->hir.n >= HIR_MAX - 1) { /* does not fit: end before this one */
			tr->hir.n = start;
			tr->n = tr->i;
			tr->ended = tr->n && tr->side[tr->n - 1];
			if (tr->ended) {
				tr->live_taken = tr->side[tr->n - 1] & SIDE_TAKEN;
				tr->live_next = tr->side[tr->n - 1] & SIDE_NEXT;
			}
			return;
		}
		tr->span[tr->i] = (u8)k;
		tr->i += k;
		if (tr->i < tr->n && tr->side[tr->i - 1] &&
		    hir_is_conditional(&tr->hir.op[tr->hir.n - 1]))
			tr->ended = false;
	}
	tr->n = tr->i;
}

static bool in_log_range(const struct tr *tr)
{
	u64 lo = tr->page_va + tr->page_off, hi = lo + 4 * tr->n - 1;

	return lo <= log_addr_hi && hi >= log_addr_lo;
}

static void log_block(struct tr *tr, const struct block *b)
{
	char buf[256];

	if (!in_log_range(tr))
		return;

	if (log_on(LOG_IN))
		for (unsigned i = 0; i < tr->n; i++) {
			a64_disas(&tr->insn[i], tr->page_va + tr->page_off + 4 * i, buf,
				  sizeof(buf));
			log_print("in   %08llx  %08x  %s\n",
				  (unsigned long long)(tr->page_va + tr->page_off + 4 * i),
				  tr->insn[i].raw, buf);
		}
	if (log_on(LOG_RULES))
		for (unsigned i = 0; i < tr->n; i += tr->span[i] ? tr->span[i] : 1) {
			const struct rule_info *r =
				tr->rule[i] ? &rules_info[tr->rule[i] - 1] : NULL;

			log_print("rule %08llx  %u: %s (%s:%u)\n",
				  (unsigned long long)(tr->page_va + tr->page_off + 4 * i),
				  tr->span[i], r ? r->name : "builder", r ? r->file : "dbt/a64",
				  r ? r->line : 0u);
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

/* Without the lock: HIR and code of the block at page offset `off`, the longest that can be had. */
static struct block *translate(struct tr *tr, struct code_page *page, u32 off)
{
	const u32 *code = (const u32 *)dbt_ram_ptr(tr->vm, page->gpa, PAGE_SIZE);
	struct block *b = NULL;
	const char *why = NULL;
	unsigned max = page->mode & TR_MODE_STEP ? 1 : MAX_INSNS;

	tr->page_off = off;
	while (max && !b) {
		decode_block(tr, page, code, max);
		analyse_flags(tr, code);
		tr_build(tr);
		b = tr->n ? place_block(tr->vm, tr, page, &why) : NULL;
		if (!b) {
			if (why && log_topics)
				log_print("cannot place block at %llx+%x (%u instructions): %s\n",
					  (unsigned long long)page->gpa, off, tr->n, why);
			log_block(tr, NULL);
			max = (tr->n ? tr->n : max) / 2;
		}
	}
	if (!b) {
		/* A hole in placement must not end the machine: the guest sees an undefined
		 * instruction. */
		warn_ratelimited("translation of %08x at guest physical %llx failed (%s): UNDEF",
				 code[off / 4], (unsigned long long)page->gpa + off,
				 why ? why : "too long");
		decode_block(tr, page, code, 1);
		analyse_flags(tr, code);
		undef_block(tr);
		b = place_block(tr->vm, tr, page, &why);
	}
	if (b && log_topics & (LOG_IN | LOG_RULES | LOG_HIR | LOG_OUT))
		log_block(tr, b);
	return b;
}

/* Under vm->lock. */
static void count(struct dbt_vm *vm, const struct tr *tr, const struct block *b, u64 ns)
{
	for (unsigned i = 0; i < tr->n; i += tr->span[i] ? tr->span[i] : 1)
		vm->op_uses[tr->insn[i].op]++;
	vm->stats.insns_by_rule += tr->n_rule;
	vm->stats.insns_by_builder += tr->n_builder;
	vm->stats.blocks_translated++;
	vm->stats.insns_translated += tr->n;
	vm->stats.guest_bytes += 4 * tr->n;
	vm->stats.host_bytes += b->host_end - b->host;
	vm->stats.translate_ns += ns;
}

/* Under vm->lock: makes the block known, or finds that it must not be or need not be. */
static int enter_block(struct tr *tr, struct code_page *page, u32 seq, struct code_space *sp,
		       struct block *b, u64 ns, u32 *host)
{
	struct dbt_vm *vm = tr->vm;
	u32 off = tr->page_off;

	if (page->seq != seq || sp->chunk->state != CHUNK_USED) {
		code_end(vm, sp, NULL, NULL);
		return -EAGAIN;
	}
	if (!tr->single && slot_get(page, off) != vm->t_lookup) { /* another vCPU was faster */
		code_end(vm, sp, NULL, NULL);
		*host = slot_get(page, off);
		return 0;
	}
	code_end(vm, sp, b, tr->code_end);
	count(vm, tr, b, ns);
	*host = b->host;
	if (tr->single) {
		b->next_variant = page->variants;
		page->variants = b;
	} else {
		slot_set(page, off, b->host);
	}
	return 0;
}

static _Thread_local struct tr *tr_buf;

int dbt_translate(struct dbt_vcpu *cpu, struct code_page *page, u32 off, bool single, u32 *host)
{
	struct dbt_vm *vm = cpu->vm;
	struct code_space sp;
	struct tr *tr = tr_buf;
	struct block *b;
	u64 t0 = now_ns();
	u32 seq;
	int r;

	if (!tr && !(tr = tr_buf = malloc(sizeof(*tr))))
		return -ENOMEM;
	pthread_mutex_lock(&vm->lock);
	r = code_begin(cpu, &sp);
	seq = page->seq;
	if (!r && page->dead) {
		code_end(vm, &sp, NULL, NULL);
		r = -EAGAIN;
	}
	pthread_mutex_unlock(&vm->lock);
	if (r == -EAGAIN)
		code_wait(cpu);
	if (r)
		return r;
	tr->vm = vm;
	tr->mode = page->mode;
	tr->page_va = ALIGN_DOWN(cpu->pc, PAGE_SIZE);
	tr->single = single;
	tr->code = sp.rw;
	b = translate(tr, page, off);
	pthread_mutex_lock(&vm->lock);
	if (b)
		r = enter_block(tr, page, seq, &sp, b, now_ns() - t0, host);
	else
		code_end(vm, &sp, NULL, NULL);
	pthread_mutex_unlock(&vm->lock);
	return b ? r : -EINVAL;
}

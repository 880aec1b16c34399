/* SPDX-License-Identifier: MIT */
/* Placement of control flow: exits, chaining, calls, helpers, and the cold part of the block. */
#include "dbt/x64/place_internal.h"

#include "dbt/translate.h"

static bool in_page(s64 off)
{
	return off >= 0 && off < (s64)PAGE_SIZE;
}

static u32 link_target(const struct place *p, u32 off)
{
	return off == p->tr->page_off && !p->tr->single ? (u32)p->entry_rx : slot_get(p->page, off);
}

/*
 * Comes before a jump with `opcode` bytes in front of its rel32 that may be linked later, when
 * other vCPUs run it: a rel32 inside eight aligned bytes changes with one store.
 */
static void align_link(struct place *p, s64 off, unsigned opcode)
{
	struct xasm *a = &p->a;
	unsigned at = ((u64)a->p + opcode) & 7;

	if (!in_page(off) || at <= 4 || link_target(p, (u32)off) != p->vm->t_lookup)
		return;
	switch (8 - at) {
	case 3:
		x8(a, 0x0f);
		x8(a, 0x1f);
		break;
	case 2:
		x8(a, 0x66);
		x8(a, 0x90);
		return;
	default: x8(a, 0x90); return;
	}
	x8(a, 0x00);
}

/* Makes the rel32 at `field` lead to the translation at `off`, now or once it exists. */
static void link_field(struct place *p, u8 *field, u32 off)
{
	u32 host = link_target(p, off);
	struct cold *c;

	if (host != p->vm->t_lookup && !p->vm->cfg.no_chain) {
		u32 rel = host - (u32)((u64)field + 4 + (u64)p->a.to_rx);

		memcpy(field, &rel, 4);
		return;
	}
	for (unsigned k = 0; k < p->ncold; k++) {
		c = &p->cold[k];
		if (c->kind == COLD_CHAIN && c->desc == off && c->from[0] == field)
			return;
	}
	c = cold_add(p, COLD_CHAIN);
	c->desc = off;
	cold_from(c, field);
}

/*
 * Jump through the exec table: rax = guest address, `low` its offset in the page where that is
 * known (then nothing need be looked at), else -1. Clobbers rcx, rdx. Calls do not look for
 * interrupts: each takes room on the return stack, whose end leads to C; the guest's return address
 * is there already.
 */
static void emit_indirect(struct place *p, s32 low, bool call)
{
	struct xasm *a = &p->a;
	struct cold *c = cold_add(p, call ? COLD_BLR : COLD_INDIRECT);

	if (low < 0 && (!call || p->vm->cfg.poll_always)) {
		unsigned cat = cat_begin(p, XC_POLL);

		x_alu_i(a, 4, XCMP, xm(RBP, CPU_OFF(exit_req)), 0);
		cold_from(c, x_jcc_fwd(a, XCC_NE));
		cat_end(p, cat);
	}
	if (low < 0) {
		x_test_i(a, 1, xr(RAX), 3);
		cold_from(c, x_jcc_fwd(a, XCC_NE));
	}
	x_bextr(a, 8, RCX, xr(RAX), REG_LDTAB);
	x_mov_rm(a, 8, RDX, xm(RBP, CPU_OFF(ex_tab)));
	x_mov_rm(a, 8, RCX, xmi(RDX, RCX, 3, 0));
	x_test_rr(a, 8, xr(RCX), RCX);
	cold_from(c, x_jcc_fwd(a, XCC_E));
	if (p->nsites < MAX_SITES)
		p->site[p->nsites++] =
			(struct site){.host = (u32)xasm_pc(a), .desc = (u32)DESC_INDIRECT};
	else
		a->overflow = true;
	x_mov_rm(a, 4, RCX, xmi(RCX, RAX, 0, 0));
	/* rax stays: an empty slot leads to t_lookup */
	if (low < 0) {
		x_mov_rr(a, 8, RDX, RAX);
		x_alu_i(a, 8, XAND, xr(RDX), -4096);
	} else {
		x_lea(a, 8, RDX, xm(RAX, -low));
	}
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(page_va)), RDX);
	if (call) {
		c->back = a->p;
		x_call_r(a, RCX);
	} else {
		x_jmp_r(a, RCX);
	}
}

/* Anything pending? Then by the dispatcher to page offset `off`. */
static void emit_poll(struct place *p, s64 off)
{
	struct xasm *a = &p->a;
	struct cold *c = cold_add(p, COLD_POLL);
	unsigned cat = cat_begin(p, XC_POLL);

	c->desc = (u32)off;
	x_alu_i(a, 4, XCMP, xm(RBP, CPU_OFF(exit_req)), 0);
	cold_from(c, x_jcc_fwd(a, XCC_NE));
	cat_end(p, cat);
}

/* PSTATE.BTYPE of an indirect branch, whose target is in rax; 0: of any other way to another page.
 */
static void set_btype(struct place *p, unsigned btype)
{
	if (!__atomic_load_n(&p->vm->bti, __ATOMIC_RELAXED))
		return;
	x_mov_mi(&p->a, 4, xm(RBP, CPU_OFF(btype)), (s32)btype);
	if (btype)
		x_mov_mr(&p->a, 8, xm(RBP, CPU_OFF(btype_pc)), RAX);
}

/* Of BR: from a guarded page only x16 and x17 may lead to what is called. */
static unsigned btype_of_br(const struct place *p)
{
	unsigned rn = p->tr->insn[p->tr->n - 1].rn;

	return p->tr->mode & TR_MODE_GP && rn != 16 && rn != 17 ? 3 : 1;
}

/* Leaves the block for page offset `off` (any page). */
static void emit_goto(struct place *p, s64 off, bool poll)
{
	struct xasm *a = &p->a;

	if (poll || p->vm->cfg.poll_always)
		emit_poll(p, off);
	if (in_page(off)) {
		align_link(p, off, 1);
		link_field(p, x_jmp_fwd(a), (u32)off);
		return;
	}
	set_btype(p, 0);
	x_mov_rm(a, 8, RAX, xm(RBP, CPU_OFF(page_va)));
	x_lea(a, 8, RAX, xm(RAX, (s32)off));
	emit_indirect(p, off & (s32)(PAGE_SIZE - 1), false);
}

static bool is_back_edge(struct place *p, const struct hir *h, s64 off)
{
	return off <= (s64)insn_off(p, h);
}

void place_fallthrough(struct place *p)
{
	unsigned cat = cat_begin(p, XC_BRANCH);

	cache_drop_all(p);
	if (p->vm->cfg.no_across_blocks)
		state_store(p, p->tr->hir.n);
	if (p->fl_live[p->i])
		flags_to_mem(p);
	emit_goto(p, p->tr->page_off + 4 * (s64)p->tr->n, false);
	cat_end(p, cat);
}

/* On x86 condition cc the branch behind the CCMP h goes where h's constant NZCV lead. */
void ccmp_jump(struct place *p, unsigned cc, const struct hir *h)
{
	p->early_taken = nzcv_meets((u32)h->c.imm, h[1].cc);
	if (p->early_taken)
		align_link(p, h[1].a.imm, 2);
	p->early = x_jcc_fwd(&p->a, cc);
}

/* ... lands here if that is (`taken`) where the branch leads, or not. */
static void land_early(struct place *p, bool taken)
{
	if (!p->early || p->early_taken != taken)
		return;
	x_patch(&p->a, p->early);
	p->early = NULL;
}

/*
 * Before op h, the last or last but one: if the block ends with a jump back, looking for interrupts
 * is cheaper here, in front of what sets the flags for it, since the jump can lead there directly
 * then. Not at the block's first instruction, where nothing would have been done since the last
 * look.
 */
void poll_early(struct place *p, const struct hir *h)
{
	const struct hir *b = &p->tr->hir.op[p->tr->hir.n - 1];
	bool compare = h + 1 == b && h->setf && h->op <= HIR_XOR && b->op == HIR_BCC;
	unsigned next = h->insn + p->tr->span[h->insn];

	if (p->vm->cfg.poll_always || p->vm->cfg.no_across_blocks || p->tr->live_taken ||
	    !h->insn || (p->i && h[-1].insn == h->insn) || p->fl_fcmp ||
	    !(compare || (h == b && hir_is_conditional(b) && b->op != HIR_BCC)) ||
	    (next != p->tr->n && next != b->insn) || !is_back_edge(p, b, b->a.imm) ||
	    !in_page(b->a.imm))
		return;
	if (compare) { /* whatever flags there are, they end here */
		p->fl_eflags = false;
		p->fl_mem = true;
	} else {
		flags_clobber(p);
	}
	emit_poll(p, insn_off(p, h));
	p->polled = true;
}

/*
 * Two-way exit on x86 condition cc. EFLAGS are as the condition wants them; where they also hold
 * NZCV that is in memory nowhere yet, it is saved on the edges that need it only.
 */
static void two_way(struct place *p, const struct hir *h, unsigned cc)
{
	struct xasm *a = &p->a;
	s64 taken = h->a.imm, next = p->tr->page_off + 4 * (s64)p->tr->n;
	bool unsaved = p->fl_eflags && !p->fl_mem, pol_add = p->pol_add;
	bool save_taken = unsaved && p->tr->live_taken;
	u8 fcmp = p->fl_fcmp;
	bool poll = is_back_edge(p, h, taken) && !p->polled;
	bool direct = !poll && in_page(taken) && !save_taken && !p->vm->cfg.poll_always;
	u8 *skip;

	p->two_way = true;
	if (direct && !p->vm->profile) {
		align_link(p, taken, 2);
		link_field(p, x_jcc_fwd(a, cc), (u32)taken);
		if (p->early && p->early_taken)
			link_field(p, p->early, (u32)taken);
	} else {
		skip = x_jcc_fwd(a, cc ^ 1);
		memcpy(p->n_common, a->n, sizeof(p->n_common));
		land_early(p, true);
		if (save_taken)
			flags_to_mem(p);
		count_taken(p);
		emit_goto(p, taken, poll);
		if (direct) /* the jump is there for the counter's sake */
			memcpy(a->n, p->n_common, sizeof(p->n_common));
		memcpy(p->n_taken, a->n, sizeof(p->n_taken));
		x_patch(a, skip);
		if (unsaved) { /* as on the way to the branch */
			flags_defined(p, pol_add);
			p->fl_fcmp = fcmp;
		}
	}
	land_early(p, false);
	if (unsaved && p->tr->live_next)
		flags_to_mem(p);
	emit_goto(p, next, false);
}

/*
 * A conditional branch that the block goes on behind. Nothing but the jump is in line; NZCV that
 * translate.c found dead behind it is forgotten on the way on (docs/dbt.md, Flags).
 */
static void side_exit(struct place *p, const struct hir *h, unsigned cc)
{
	struct xasm *a = &p->a;
	u8 side = branch_side(p->tr, h);
	bool unsaved = p->fl_eflags && !p->fl_mem, save = unsaved && side & SIDE_TAKEN;
	struct profile_side *sc = &p->side[p->nsides];
	s64 taken = h->a.imm;
	bool direct = in_page(taken) && !save && !p->vm->cfg.poll_always;

	if (!(side & SIDE_EXIT) || p->nsides == MAX_SIDES) {
		p->fail = "branch inside a block";
		return;
	}
	if (direct && !p->vm->profile && !p->count_insns) {
		align_link(p, taken, 2);
		link_field(p, x_jcc_fwd(a, cc), (u32)taken);
		if (p->early && p->early_taken)
			link_field(p, p->early, (u32)taken);
	} else {
		struct cold *c = cold_add(p, COLD_SIDE);

		c->desc = (u32)taken;
		c->insn = (u16)(h->insn + p->tr->span[h->insn]);
		c->side = (u8)p->nsides;
		c->save = save;
		c->only_counts = direct;
		c->pol_add = p->pol_add;
		c->fcmp = p->fl_fcmp;
		cold_from(c, x_jcc_fwd(a, cc));
		if (p->early && p->early_taken)
			cold_from(c, p->early);
	}
	if (p->early && p->early_taken)
		p->early = NULL;
	land_early(p, false);
	*sc = (struct profile_side){.insns = (u8)(h->insn + p->tr->span[h->insn]), .live = side};
	memcpy(sc->n, a->n, sizeof(sc->n));
	p->side_counter[p->nsides++] = NULL;
	if (unsaved && !(side & SIDE_NEXT)) {
		p->fl_eflags = false;
		p->fl_mem = true;
	}
}

static void two_ways(struct place *p, const struct hir *h, unsigned cc)
{
	if (is_last(p->tr, h))
		two_way(p, h, cc);
	else
		side_exit(p, h, cc);
}

static void cond_branch(struct place *p, const struct hir *h)
{
	if (!p->fl_eflags)
		flags_clobber(p);
	two_ways(p, h, flags_cond(p, h->cc));
}

static void zero_branch(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	unsigned w = h->w;
	bool bit = h->op == HIR_BTZ || h->op == HIR_BTNZ;
	bool zero = h->op == HIR_BZ || h->op == HIR_BTZ;

	flags_clobber(p);
	if (h->b.kind == H_IMM) { /* XZR */
		int r = alloc_scratch(p);

		x_alu_rm(a, 4, XXOR, r, xr(r));
	} else if (bit) {
		struct xop rm = opnd_src(p, &h->b);
		unsigned n = (unsigned)h->c.imm;

		if (n < 8 && rm.reg != RSP) {
			x_test_i(a, 1, rm, 1 << n);
		} else if (n < 32) {
			x_test_i(a, 4, rm, (s32)(1u << n));
		} else {
			x_op(a, 8, 0x0fba, 4, rm, 1); /* bt: CF */
			x8(a, n);
			two_ways(p, h, zero ? XCC_AE : XCC_B);
			return;
		}
	} else {
		struct xop rm = opnd_src(p, &h->b);

		if (rm.reg < 0)
			x_alu_i(a, w, XCMP, rm, 0);
		else
			x_test_rr(a, w, rm, rm.reg);
	}
	two_ways(p, h, zero ? XCC_E : XCC_NE);
}

/* x30 and rcx = guest return address; `page` (perhaps rcx itself) = page_va. */
static void set_link(struct place *p, int page)
{
	struct xasm *a = &p->a;
	s32 ret = (s32)(p->tr->page_off + 4 * p->tr->n);

	x_mov_rm(a, 8, page, xm(RBP, CPU_OFF(page_va)));
	x_lea(a, 8, RCX, xm(page, ret));
	if (regmap_host[30] >= 0)
		x_mov_rr(a, 8, regmap_host[30], RCX);
	else
		x_mov_mr(a, 8, xm(RBP, X_OFF(30)), RCX);
}

/* Where a matching RET lands: rax = where the guest wants to go, [rsp] = where we called from. */
static void emit_landing(struct place *p)
{
	struct xasm *a = &p->a;

	x_alu_rm(a, 8, XCMP, RAX, xm(RSP, 0));
	x_lea(a, 8, RSP, xm(RSP, 8));
	x_jcc(a, XCC_NE, p->vm->t_indirect);
	x_alu_i(a, 8, XAND, xr(RAX), -4096);
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(page_va)), RAX);
	emit_goto(p, p->tr->page_off + 4 * (s64)p->tr->n, false);
}

static void call_direct(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	s64 off = h->a.imm, next = p->tr->page_off + 4 * (s64)p->tr->n;

	if (p->fl_live[p->i])
		flags_to_mem(p);
	set_link(p, RAX);
	if (p->vm->cfg.no_call_ret || next >= (s64)PAGE_SIZE) {
		/* a return address in the next page cannot be a landing of this page's code */
		emit_goto(p, off, is_back_edge(p, h, off));
		return;
	}
	if (p->vm->cfg.poll_always)
		emit_poll(p, off);
	x_push(a, RCX);
	if (in_page(off)) {
		align_link(p, off, 1);
		x_count(a);
		x8(a, 0xe8);
		x32(a, 0);
		link_field(p, a->p - 4, (u32)off);
	} else {
		set_btype(p, 0);
		x_lea(a, 8, RAX, xm(RAX, (s32)off));
		emit_indirect(p, off & (s32)(PAGE_SIZE - 1), true);
	}
	emit_landing(p);
}

static void call_indirect(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	s64 next = p->tr->page_off + 4 * (s64)p->tr->n;

	flags_clobber(p);
	load_to(p, 8, RAX, &h->a);
	set_btype(p, 2);
	set_link(p, RCX);
	if (p->vm->cfg.no_call_ret || next >= (s64)PAGE_SIZE) {
		emit_indirect(p, -1, false);
		return;
	}
	x_push(a, RCX);
	emit_indirect(p, -1, true);
	emit_landing(p);
}

static void branch_indirect(struct place *p, const struct hir *h)
{
	flags_clobber(p);
	load_to(p, 8, RAX, &h->a);
	set_btype(p, h->op == HIR_RET ? 0 : btype_of_br(p));
	if (h->op == HIR_RET && !p->vm->cfg.no_call_ret)
		x_byte(&p->a, 0xc3);
	else
		emit_indirect(p, -1, false);
}

/* ---- helpers ---- */

static void emit_helper_call(struct place *p, u32 off, u32 raw, helper_fn fn)
{
	struct xasm *a = &p->a;

	x_mov_imm(a, RAX, off);
	x_mov_imm(a, RCX, raw);
	x_mov_imm(a, RDX, (u64)fn);
	x_call(a, p->vm->t_helper);
}

static void helper(struct place *p, const struct hir *h)
{
	s64 next = p->tr->page_off + 4 * (s64)p->tr->n;

	cache_drop_all(p);
	flags_to_mem(p);
	p->fl_eflags = false;
	p->fl_mem = true;
	emit_helper_call(p, insn_off(p, h), h->raw, h->fn);
	if (h->op == HIR_HELPER_END)
		emit_goto(p, next, false);
}

static void bail(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	struct cold *c;
	unsigned cc = h->cc;

	if (h->op != HIR_BAIL) {
		flags_clobber(p);
		if (opnd_is_mem(p, &h->a)) {
			x_alu_i(a, h->w, XCMP, opnd_rm(p, &h->a), 0);
		} else {
			int r = opnd_rm(p, &h->a).reg;

			x_test_rr(a, h->w, xr(r), r);
		}
		cc = h->op == HIR_BAILZ ? XCC_E : XCC_NE;
	}
	p->bailed = true;
	c = cold_add(p, COLD_BAIL);
	c->off = insn_off(p, h);
	c->insn = h->insn;
	c->raw = h->raw;
	c->fn = h->fn;
	c->save_rdx = p->ac_rdx >= 0;
	cold_from(c, x_jcc_fwd(a, cc));
}

static bool place_control(struct place *p, const struct hir *h)
{
	switch (h->op) {
	case HIR_B:
		if (p->fl_live[p->i])
			flags_to_mem(p);
		emit_goto(p, h->a.imm, is_back_edge(p, h, h->a.imm));
		break;
	case HIR_BCC: cond_branch(p, h); break;
	case HIR_BZ:
	case HIR_BNZ:
	case HIR_BTZ:
	case HIR_BTNZ: zero_branch(p, h); break;
	case HIR_BL: call_direct(p, h); break;
	case HIR_BR:
	case HIR_RET: branch_indirect(p, h); break;
	case HIR_BLR: call_indirect(p, h); break;
	case HIR_HELPER:
	case HIR_HELPER_END: helper(p, h); break;
	case HIR_BAIL:
	case HIR_BAILZ:
	case HIR_BAILNZ: bail(p, h); break;
	default: return false;
	}
	return true;
}

bool place_ctl(struct place *p, const struct hir *h)
{
	bool branch = h->op >= HIR_B && h->op <= HIR_RET, done;
	unsigned cat = branch ? cat_begin(p, XC_BRANCH) : p->a.cat;

	if (branch && is_last(p->tr, h))
		cache_drop_all(p);
	if (branch && p->vm->cfg.no_across_blocks)
		state_store(p, p->i);
	done = place_control(p, h);
	cat_end(p, cat);
	return done;
}

/* ---- cold part ---- */

static void cold_side(struct place *p, const struct cold *c)
{
	struct profile_side *sc = &p->side[c->side];
	u16 before[XC_NUM];

	p->a.cat = XC_BRANCH;
	memcpy(before, p->a.n, sizeof(before));
	if (c->save) {
		p->busy = 0;
		flags_defined(p, c->pol_add);
		p->fl_fcmp = c->fcmp;
		flags_to_mem(p);
	}
	p->side_counter[c->side] = count_block(p);
	if (p->count_insns) { /* the block has counted all its instructions; EFLAGS may be in use */
		struct xop n = xm(RBP, CPU_OFF(stats.insns_executed));

		x_mov_rm(&p->a, 8, RAX, n);
		x_lea(&p->a, 8, RAX, xm(RAX, c->insn - (s32)p->tr->n));
		x_mov_mr(&p->a, 8, n, RAX);
	}
	emit_goto(p, (s32)c->desc, false);
	for (unsigned k = 0; k < XC_NUM; k++)
		sc->n_taken[k] = c->only_counts ? 0 : (u16)(p->a.n[k] - before[k]);
}

/* An address that is not a multiple of the access's size: on to the miss if it crosses a page. */
static void cold_misaligned(struct place *p, const struct cold *c)
{
	struct xasm *a = &p->a;

	x_patch(a, c->misaligned);
	x_rorx(a, 4, RDX, xr(c->ra), 12);
	x_alu_i(a, 4, XCMP, xr(RDX), (s32)((0x1000 - c->size + 1u) << 20));
	if (c->ra == RDX) {
		x_mov_rm(a, 8, RDX, c->base);
		if (c->adisp)
			x_lea(a, 8, RDX, xm(RDX, c->adisp));
	}
	x_jcc(a, XCC_B, (u64)c->aligned + (u64)a->to_rx);
}

static void cold_miss(struct place *p, const struct cold *c)
{
	struct xasm *a = &p->a;

	x_mov_rm(a, 8, RDX, c->base);
	if (c->adisp)
		x_lea(a, 8, RDX, xm(RDX, c->adisp));
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(scratch[SCR_MISS_VA])), RDX);
	x_mov_mi(a, 4, xm(RBP, CPU_OFF(scratch[SCR_MISS_DESC])), (s32)c->desc);
	x_call(a, p->vm->t_miss);
	x_jmp(a, (u64)c->back + (u64)a->to_rx);
}

static void cold_sp_miss(struct place *p, const struct cold *c)
{
	struct xasm *a = &p->a;

	x_lea(a, 8, RDX, xm(regmap_host[REG_SP], c->adisp));
	x_mov_mi(a, 4, xm(RBP, CPU_OFF(scratch[SCR_MISS_DESC])), (s32)c->desc);
	x_call(a, p->vm->t_sp_miss);
	x_jmp(a, (u64)c->back + (u64)a->to_rx);
	x_jmp(a, (u64)c->aligned + (u64)a->to_rx);
}

static void cold_one(struct place *p, struct cold *c)
{
	struct xasm *a = &p->a;
	u64 back = (u64)c->back + (u64)a->to_rx;

	if (c->misaligned)
		cold_misaligned(p, c);
	for (unsigned k = 0; k < c->nfrom; k++)
		x_patch(a, c->from[k]);
	switch (c->kind) {
	case COLD_CHAIN:
		x_mov_imm(a, RCX, c->desc);
		x_mov_imm(a, RDX, (u64)c->from[0] + (u64)a->to_rx);
		x_jmp(a, p->vm->t_chain);
		break;
	case COLD_MISS: cold_miss(p, c); break;
	case COLD_SP_MISS: cold_sp_miss(p, c); break;
	case COLD_EXCL: cold_excl(p, c); break;
	case COLD_POLL:
		x_mov_rm(a, 8, RAX, xm(RBP, CPU_OFF(page_va)));
		x_lea(a, 8, RAX, xm(RAX, (s32)c->desc));
		x_jmp(a, p->vm->t_indirect);
		break;
	case COLD_SIDE: cold_side(p, c); break;
	case COLD_INDIRECT: x_jmp(a, p->vm->t_indirect); break;
	case COLD_BLR:
		x_mov_imm(a, RCX, p->vm->t_indirect);
		x_jmp(a, back);
		break;
	case COLD_BAIL:
		if (c->save_rdx)
			x_mov_mr(a, 8, xm(RBP, CPU_OFF(scratch[SCR_BAIL_RDX])), RDX);
		emit_helper_call(p, c->off, c->raw, c->fn);
		if (c->save_rdx)
			x_mov_rm(a, 8, RDX, xm(RBP, CPU_OFF(scratch[SCR_BAIL_RDX])));
		x_jmp(a, back);
		break;
	default: p->fail = "unknown cold stub"; break;
	}
}

void place_cold(struct place *p)
{
	for (unsigned k = 0; k < p->ncold; k++) {
		if (p->a.p + 128 > p->a.end) {
			p->a.overflow = true;
			return;
		}
		cold_one(p, &p->cold[k]);
	}
}

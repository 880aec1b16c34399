/* SPDX-License-Identifier: MIT */
/*
 * Placement, tier 1: one forward pass over the block's HIR with the fixed register map. Temporaries
 * get rax, rcx, rdx; guest flags stay in EFLAGS until something clobbers them while they are live.
 */
#include "dbt/x64/place_internal.h"

#include <stdlib.h>

#include "dbt/profile.h"

#define SCRATCH_MASK (BIT(RAX) | BIT(RCX) | BIT(RDX))
#define BLOCK_MARGIN 512 /* bytes one op may need at most, with its cold part */

/* ---- registers ---- */

/* Host register that holds a copy of the guest register o, which is kept in memory; -1 none. */
static int copy_of(const struct place *p, const struct hir_opnd *o)
{
	if (o->kind != H_X || regmap_host[o->reg] >= 0)
		return -1;
	for (int r = 0; r < (int)ARRAY_SIZE(p->copy); r++)
		if (p->copy[r] == o->reg)
			return r;
	return -1;
}

static void copies_drop(struct place *p)
{
	memset(p->copy, -1, sizeof(p->copy));
	p->copy_last = 0;
}

/* Guest register o is written: no other host register than `reg` holds it. */
static void copy_note(struct place *p, const struct hir_opnd *o, int reg)
{
	if (o->kind != H_X || regmap_host[o->reg] >= 0)
		return;
	for (int r = 0; r < (int)ARRAY_SIZE(p->copy); r++)
		if (p->copy[r] == o->reg)
			p->copy[r] = -1;
	if (reg < 0 || reg >= (int)ARRAY_SIZE(p->copy))
		return;
	p->copy[reg] = p->no_copies ? -1 : (s8)o->reg;
	p->copy_last = (u8)reg;
}

void copy_lose(struct place *p, int reg)
{
	if (reg < (int)ARRAY_SIZE(p->copy))
		p->copy[reg] = -1;
}

int alloc_scratch(struct place *p)
{
	/* First what holds nothing, then the older copy; rdx is every page check's. */
	const u8 order[] = {RAX, RCX, p->copy_last ^ 1, p->copy_last, RDX};

	for (unsigned k = 0; k < ARRAY_SIZE(order); k++) {
		int r = order[k];

		if (p->busy & BIT(r) || (r == RDX && p->ac_rdx >= 0) || (k < 2 && p->copy[k] >= 0))
			continue;
		copy_lose(p, r);
		p->busy |= BIT(r);
		p->op_busy |= BIT(r);
		return r;
	}
	if (p->ac_rdx >= 0 && !(p->busy & BIT(RDX))) {
		cache_lose_rdx(p);
		p->busy |= BIT(RDX);
		p->op_busy |= BIT(RDX);
		return RDX;
	}
	p->fail = "out of scratch registers";
	return RAX;
}

/* A free scratch register for a temporary that outlives the op. */
static int alloc_temp(struct place *p)
{
	int r = alloc_scratch(p);

	p->op_busy &= ~BIT(r);
	return r;
}

void take_reg(struct place *p, int reg)
{
	if (reg == RDX)
		cache_lose_rdx(p);
	copy_lose(p, reg);
	if (!(p->busy & BIT(reg))) {
		p->busy |= BIT(reg);
		p->op_busy |= BIT(reg);
		return;
	}
	for (unsigned t = 0; t < MAX_TEMPS; t++) {
		int n;

		if (p->treg[t] != reg)
			continue;
		n = alloc_temp(p);
		x_mov_rr(&p->a, 8, n, reg);
		p->treg[t] = (s8)n;
		p->op_busy |= BIT(reg);
		return;
	}
	p->fail = "fixed register is taken";
}

bool opnd_is_mem(const struct place *p, const struct hir_opnd *o)
{
	return o->kind == H_STATE || (o->kind == H_X && regmap_host[o->reg] < 0);
}

struct xop opnd_rm(struct place *p, const struct hir_opnd *o)
{
	switch (o->kind) {
	case H_X:
		if (regmap_host[o->reg] >= 0)
			return xr(regmap_host[o->reg]);
		return xm(RBP, X_OFF(o->reg));
	case H_STATE: return xm(RBP, (s32)o->imm - CPU_BIAS);
	case H_T:
		if (p->treg[o->reg] < 0)
			p->fail = "temporary read before it is written";
		return xr(p->treg[o->reg]);
	default: p->fail = "operand is neither register nor memory"; return xr(RAX);
	}
}

struct xop opnd_src(struct place *p, const struct hir_opnd *o)
{
	int r = copy_of(p, o);

	return r >= 0 ? xr(r) : opnd_rm(p, o);
}

bool imm_fits(const struct hir_opnd *o, unsigned w)
{
	return o->kind == H_IMM && (w < 8 || o->imm == (s32)o->imm);
}

/* Flag-neutral. */
void load_to(struct place *p, unsigned w, int reg, const struct hir_opnd *o)
{
	if (o->kind == H_IMM) {
		x_mov_imm(&p->a, reg, w == 4 ? (u32)o->imm : (u64)o->imm);
		return;
	}
	struct xop s = opnd_src(p, o);
	unsigned cat;

	if (s.reg == reg && w == 8)
		return;
	cat = s.reg < 0 ? cat_begin(p, XC_STATE) : p->a.cat;
	x_mov_rm(&p->a, w, reg, s);
	cat_end(p, cat);
}

int src_reg(struct place *p, const struct hir_opnd *o, unsigned w)
{
	int r;

	if (o->kind != H_IMM && !opnd_is_mem(p, o))
		return opnd_rm(p, o).reg;
	r = copy_of(p, o);
	if (r >= 0) {
		if (!(p->busy & BIT(r)))
			p->op_busy |= BIT(r);
		p->busy |= BIT(r);
		return r;
	}
	r = alloc_scratch(p);
	load_to(p, w, r, o);
	if (w == 8)
		copy_note(p, o, r);
	return r;
}

/* Register to compute `d` in. `reuse`, if given, is a source whose temporary may be taken over. */
int dst_reg(struct place *p, const struct hir_opnd *d, const struct hir_opnd *reuse)
{
	if (d->kind == H_X && regmap_host[d->reg] >= 0)
		return regmap_host[d->reg];
	if (d->kind != H_T)
		return alloc_scratch(p);
	if (p->treg[d->reg] >= 0)
		return p->treg[d->reg];
	if (reuse && reuse->kind == H_T && p->tlast[reuse->reg] == p->i &&
	    p->treg[reuse->reg] >= 0) {
		p->treg[d->reg] = p->treg[reuse->reg];
		p->treg[reuse->reg] = -1;
	} else {
		p->treg[d->reg] = (s8)alloc_temp(p);
	}
	return p->treg[d->reg];
}

void dst_done(struct place *p, const struct hir_opnd *d, int reg)
{
	/* State fields have the operation's width, registers are always written whole. */
	unsigned w = d->kind == H_STATE ? p->tr->hir.op[p->i].w : 8;

	if (opnd_is_mem(p, d)) {
		unsigned cat = cat_begin(p, XC_STATE);

		x_mov_mr(&p->a, w, opnd_rm(p, d), reg);
		cat_end(p, cat);
		copy_note(p, d, reg);
		p->copied = true;
	}
}

/* Result computed in r, then to d. */
void dst_put(struct place *p, const struct hir *h, int r)
{
	if (h->d.kind == H_NONE)
		return;
	if (opnd_is_mem(p, &h->d)) {
		dst_done(p, &h->d, r);
	} else {
		int d = dst_reg(p, &h->d, NULL);

		if (d != r)
			x_mov_rr(&p->a, 8, d, r);
	}
}

bool same_loc(const struct hir_opnd *x, const struct hir_opnd *y)
{
	return x->kind == y->kind && x->kind != H_NONE &&
	       (x->kind == H_IMM || x->kind == H_STATE ? x->imm == y->imm : x->reg == y->reg);
}

/* ---- guest registers in memory: what the coordination switches are about ---- */

static u32 pinned_mask(const struct hir_opnd *o)
{
	return o->kind == H_X && regmap_host[o->reg] >= 0 ? BIT(o->reg) : 0;
}

void state_store(struct place *p, unsigned to)
{
	unsigned cat = cat_begin(p, XC_STATE);
	u32 written = 0;

	for (; p->stored < to; p->stored++)
		written |= pinned_mask(&p->tr->hir.op[p->stored].d);
	for (unsigned r = 0; r < 32; r++)
		if (written & BIT(r))
			x_mov_mr(&p->a, 8, xm(RBP, X_OFF(r)), regmap_host[r]);
	cat_end(p, cat);
}

/* What the block reads, at its entry. */
static void state_load(struct place *p)
{
	unsigned cat = cat_begin(p, XC_STATE);
	u32 read = 0;

	for (unsigned i = 0; i < p->tr->hir.n; i++) {
		const struct hir *h = &p->tr->hir.op[i];

		read |= pinned_mask(&h->a) | pinned_mask(&h->b) | pinned_mask(&h->c);
	}
	for (unsigned r = 0; r < 32; r++)
		if (read & BIT(r))
			x_mov_rm(&p->a, 8, regmap_host[r], xm(RBP, X_OFF(r)));
	cat_end(p, cat);
}

/* ---- liveness ---- */

static bool reads_flags(const struct hir *h)
{
	switch (h->op) {
	case HIR_ADC:
	case HIR_SBC:
	case HIR_CSEL:
	case HIR_CSET:
	case HIR_CSETM:
	case HIR_CINC:
	case HIR_CCMP:
	case HIR_CCMN:
	case HIR_FCCMP:
	case HIR_FCSEL:
	case HIR_GETNZCV:
	case HIR_BCC:
	case HIR_HELPER:
	case HIR_HELPER_END: return true;
	case HIR_LD: /* what may fault shows NZCV to the handler */
	case HIR_ST:
	case HIR_LDV:
	case HIR_STV: return !h->defer; /* then a compare's that is carried out first */
	case HIR_CAS:
	case HIR_ATOMIC:
	case HIR_LDX:
	case HIR_STX: return true;
	default: return false;
	}
}

static bool defines_flags(const struct hir *h)
{
	return h->setf || h->op == HIR_CCMP || h->op == HIR_CCMN || h->op == HIR_SETNZCV ||
	       h->op == HIR_FCMPF || h->op == HIR_FCCMP;
}

static void analyse(struct place *p)
{
	struct tr *tr = p->tr;
	bool live = tr->n ? tr->nzcv_live[tr->n - 1] : true;

	if (p->vm->cfg.no_flag_liveness)
		live = true;
	memset(p->treg, -1, sizeof(p->treg));
	memset(p->wreg, -1, sizeof(p->wreg));
	for (unsigned i = tr->hir.n; i-- > 0;) {
		const struct hir *h = &tr->hir.op[i];

		if (hir_is_conditional(h) &&
		    i + 1 < tr->hir.n) /* as the successor's block sees it */
			live = branch_side(p->tr, h) & (SIDE_TAKEN | SIDE_NEXT);
		p->fl_live[i] = live;
		if (defines_flags(h))
			live = p->vm->cfg.no_flag_liveness;
		if (reads_flags(h))
			live = true;
	}
}

/* Last uses of the temporaries of ops [from, to), which share an insn index. */
static void analyse_temps(struct place *p, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		const struct hir *h = &p->tr->hir.op[i];
		const struct hir_opnd *o[] = {&h->d, &h->a, &h->b, &h->c};

		for (unsigned k = 0; k < 4; k++) {
			if (o[k]->kind == H_T)
				p->tlast[o[k]->reg] = (u16)i;
			else if (o[k]->kind == H_W)
				p->wlast[o[k]->reg] = (u16)i;
		}
	}
}

static void free_dead(struct place *p, const struct hir *h)
{
	const struct hir_opnd *o[] = {&h->d, &h->a, &h->b, &h->c};

	for (unsigned k = 0; k < 4; k++) {
		unsigned r = o[k]->reg;

		if (o[k]->kind == H_T && p->tlast[r] == p->i && p->treg[r] >= 0) {
			p->busy &= ~BIT(p->treg[r]);
			p->treg[r] = -1;
		} else if (o[k]->kind == H_W && p->wlast[r] == p->i && p->wreg[r] >= 0) {
			p->vbusy &= ~BIT(p->wreg[r]);
			p->wreg[r] = -1;
		}
	}
	p->busy &= ~p->op_busy;
	p->vbusy &= ~p->op_vbusy;
	/* A register given up by take_reg may have been handed to a live temporary meanwhile. */
	for (unsigned k = 0; k < 4; k++)
		if (o[k]->kind == H_T && p->treg[o[k]->reg] >= 0)
			p->busy |= BIT(p->treg[o[k]->reg]);
	p->op_busy = p->op_vbusy = 0;
}

struct cold *cold_add(struct place *p, enum cold_kind kind)
{
	struct cold *c;

	if (p->ncold == MAX_COLD) {
		p->a.overflow = true;
		p->ncold--;
	}
	c = &p->cold[p->ncold++];
	memset(c, 0, sizeof(*c));
	c->kind = (u8)kind;
	return c;
}

/* BAILs of instruction `insn` rejoin here. */
static void close_insn(struct place *p, unsigned insn)
{
	for (unsigned k = 0; k < p->ncold; k++)
		if (p->cold[k].kind == COLD_BAIL && !p->cold[k].back && p->cold[k].insn == insn)
			p->cold[k].back = p->a.p;
}

/* Where SP is misaligned, its use as a base may be a fault: helper_sp_written() sees to that. */
static void check_sp(struct place *p, const struct hir *h)
{
	const struct hir_opnd sp = hxsp(REG_SP);
	struct cold *c;

	p->sp_dirty = false;
	flags_to_mem(p);
	p->fl_eflags = false;
	x_test_i(&p->a, 1, opnd_rm(p, &sp), 15);
	c = cold_add(p, COLD_BAIL);
	c->off = insn_off(p, h);
	c->fn = helper_sp_written;
	c->save_rdx = p->ac_rdx >= 0;
	cold_from(c, x_jcc_fwd(&p->a, XCC_NE));
	c->back = p->a.p;
	p->bailed = true;
}

/* Their placement tells of every use it makes of rax and rcx. */
static bool keeps_copies(const struct hir *h)
{
	return h->op <= HIR_GETNZCV || (h->op >= HIR_LD && h->op <= HIR_STV) ||
	       hir_is_conditional(h);
}

static void place_op(struct place *p, const struct hir *h)
{
	if (p->a.p + BLOCK_MARGIN + (p->ncold + 1) * 72 > p->a.end) {
		p->a.overflow = true;
		return;
	}
	if (unlikely(p->sp_dirty) && h->op >= HIR_B && h->op <= HIR_RET)
		check_sp(p, h);
	if (p->i + 2 >= p->tr->hir.n)
		poll_early(p, h);
	p->copied = false;
	if (!keeps_copies(h))
		copies_drop(p);
	p->no_copies = !keeps_copies(h);
	if (!place_int(p, h) && !place_flags(p, h) && !place_mem(p, h) && !place_atomic(p, h) &&
	    !place_ctl(p, h) && !place_vec(p, h))
		p->fail = hir_op_name(h->op);
	if (!p->copied)
		copy_note(p, &h->d, -1);
	cache_note_write(p, h);
	p->sp_dirty |= sp_may_misalign(h);
	free_dead(p, h);
	if (p->vm->cfg.no_lazy_flags && p->fl_eflags) {
		if (p->fl_live[p->i])
			flags_to_mem(p);
		p->fl_eflags = false;
	}
}

static void place_ops(struct place *p)
{
	struct tr *tr = p->tr;
	unsigned from = 0;

	while (from < tr->hir.n && !p->fail && !p->a.overflow) {
		unsigned insn = tr->hir.op[from].insn, to = from + 1;

		while (to < tr->hir.n && tr->hir.op[to].insn == insn)
			to++;
		analyse_temps(p, from, to);
		for (p->i = from; p->i < to && !p->fail && !p->a.overflow; p->i++)
			place_op(p, &tr->hir.op[p->i]);
		if (unlikely(p->sp_dirty))
			check_sp(p, &tr->hir.op[from]);
		close_insn(p, insn);
		if (p->bailed)
			copies_drop(p);
		p->bailed = false;
		from = to;
	}
	p->i = tr->hir.n ? tr->hir.n - 1 : 0;
}

static const u8 no_counter[8] = {0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}; /* nop */

/* inc qword [counter]: EFLAGS hold nothing yet. Returns where the counter's address goes. */
u8 *count_block(struct place *p)
{
	if (!p->vm->profile)
		return NULL;
	x8(&p->a, 0x48);
	x8(&p->a, 0xff);
	x8(&p->a, 0x04);
	x8(&p->a, 0x25);
	x32(&p->a, 0);
	return p->a.p - 4;
}

/* Another counter, on the taken edge of the final branch: where EFLAGS hold nothing that is needed.
 */
void count_taken(struct place *p)
{
	p->taken_counter = count_block(p);
}

/* The hot path's instructions: those of every run, and of the two edges. */
static void profile_hot(const struct place *p, struct profile_host *ph)
{
	const u16 *all = p->two_way ? p->n_common : p->a.n;

	ph->two_way = p->two_way;
	for (unsigned c = 0; c < XC_NUM; c++) {
		ph->n[0][c] = all[c];
		ph->n[1][c] = p->two_way ? (u16)(p->n_taken[c] - p->n_common[c]) : 0;
		ph->n[2][c] = p->two_way ? (u16)(p->a.n[c] - p->n_taken[c]) : 0;
	}
}

/* The counters' addresses, known now that the block is placed; 0: there is no room for them. */
static void profile_field(u8 *field, bool known, u32 addr)
{
	if (field && known)
		memcpy(field, &addr, 4);
	else if (field)
		memcpy(field - 4, no_counter, sizeof(no_counter));
}

static void profile_enter(struct place *p, u8 *counter, u32 at)
{
	profile_field(counter, at, at);
	profile_field(p->taken_counter, at, at + 8);
	for (unsigned k = 0; k < p->nsides; k++)
		profile_field(p->side_counter[k], at, profile_side_counter(at, k));
}

static _Thread_local struct place *place_buf;

struct block *place_block(struct dbt_vm *vm, struct tr *tr, struct code_page *page,
			  const char **why)
{
	struct place *p = place_buf;
	struct block *b;
	u8 *rw, *counter, *hot;
	struct profile_host ph;

	if (!p && !(p = place_buf = malloc(sizeof(*p)))) {
		*why = "out of memory";
		return NULL;
	}
	*why = NULL;
	rw = tr->code;
	b = (struct block *)rw;
	memset(p, 0, offsetof(struct place, treg));
	p->busy = p->op_busy = p->vbusy = p->op_vbusy = 0;
	p->fl_eflags = p->pol_add = p->sp_dirty = p->polled = false;
	p->early = NULL;
	p->bailed = p->no_copies = false;
	copies_drop(p);
	p->fl_mem = true;
	cache_drop_all(p);
	p->ncold = p->nsites = 0;
	p->vm = vm;
	p->vpin = !(tr->mode & (TR_MODE_EL1 | TR_MODE_FP_TRAP));
	p->tr = tr;
	p->page = page;
	p->a.p = (u8 *)ALIGN_UP((u64)(rw + sizeof(*b)), 16);
	p->a.to_rx = (s64)(vm->code_rx - vm->code_rw);
	p->consts_rx = xasm_pc(&p->a);
	p->a.p += hconst_copy(p->a.p);
	p->a.end = rw + BLOCK_ROOM - MAX_SITES * sizeof(struct site) - 64;
	p->entry_rx = xasm_pc(&p->a);
	hot = p->a.p;
	p->taken_counter = NULL;
	p->two_way = false;
	counter = count_block(p);
	p->nsides = 0;
	p->count_insns = __atomic_load_n(&vm->count_insns, __ATOMIC_RELAXED);
	if (p->count_insns)
		x_alu_i(&p->a, 8, XADD, xm(RBP, CPU_OFF(stats.insns_executed)), (s32)tr->n);
	memset(p->a.n, 0, sizeof(p->a.n));
	p->a.cat = XC_WORK;
	if (!tr->single && !vm->cfg.no_define_before_use)
		schedule_flags(tr);
	p->stored = 0;
	if (vm->cfg.no_across_blocks)
		state_load(p);
	analyse(p);
	place_ops(p);
	if (!p->fail && !p->a.overflow && !tr->ended)
		place_fallthrough(p);
	tr->hot_end = p->a.p;
	if (counter)
		profile_hot(p, &ph);
	if (!p->fail && !p->a.overflow)
		place_cold(p);
	if (p->fail || p->a.overflow) {
		*why = p->fail; /* NULL: too long, try fewer instructions */
		return NULL;
	}
	*b = (struct block){
		.page = page,
		.host = (u32)p->entry_rx,
		.host_end = (u32)xasm_pc(&p->a),
		.page_off = (u16)tr->page_off,
		.ninsns = (u8)tr->n,
		.single = tr->single,
		.nsites = p->nsites,
	};
	if (counter)
		profile_enter(p, counter,
			      profile_block(vm, tr, b, hot, (u32)(tr->hot_end - hot), &ph, p->side,
					    p->nsides));
	p->a.p = (u8 *)ALIGN_UP((u64)p->a.p, 8);
	b->sites = (struct site *)p->a.p;
	memcpy(p->a.p, p->site, p->nsites * sizeof(struct site));
	tr->code_end = p->a.p + p->nsites * sizeof(struct site);
	return b;
}

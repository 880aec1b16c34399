/* SPDX-License-Identifier: MIT */
/* Placement: HIR to host code. State of one block, shared by place_*.c. */
#ifndef ARMATURE_X64_PLACE_INTERNAL_H
#define ARMATURE_X64_PLACE_INTERNAL_H

#include "dbt/hir.h"
#include "dbt/profile.h"
#include "dbt/vm.h"
#include "dbt/x64/asm.h"
#include "dbt/x64/regmap.h"

#define VSCRATCH_FIRST 1 /* xmm registers of vector temporaries */
#define N_VSCRATCH     7
#define MAX_TEMPS      256
#define MAX_COLD       512
#define MAX_SITES      512

enum cold_kind {
	COLD_CHAIN,
	COLD_MISS,
	COLD_SP_MISS,
	COLD_POLL,
	COLD_BAIL,
	COLD_INDIRECT,
	COLD_BLR,
	COLD_EXCL,
	COLD_SIDE,
};

/* Out-of-line code emitted behind the block's hot part. */
struct cold {
	u8 kind;
	u8 nfrom;
	struct xop base; /* MISS: address is base + adisp; EXCL: what the atomic changes */
	u8 *from[4];	 /* rel32 fields that jump here */
	u8 *misaligned; /* MISS: jumps here instead if not aligned; `aligned` if it lies in one page
			 */
	u8 *aligned;
	u8 size;  /* ... that many bytes, */
	s8 ra;	  /* from the address in this register: rdx itself, or else rdx is free */
	u8 *back; /* MISS: retry address; BAIL: filled at end of the instruction; BLR, EXCL: rejoin
		   */
	u32 desc; /* MISS, EXCL: DESC_*; CHAIN, POLL, SIDE: target offset */
	s32 adisp;
	u32 off; /* BAIL: instruction's offset in the page */
	u32 raw;
	helper_fn fn;
	bool save_rdx;
	u16 insn; /* BAIL */
	u8 side;  /* SIDE: which one of the block, */
	u8 fcmp;  /* ... and what EFLAGS hold where NZCV are to be saved (`save`) */
	bool save, pol_add, only_counts;
};

/*
 * A page check that later accesses off the same base may rely on. The addend of one of them is in
 * rdx; that of others waits in cpu->addend[] when more accesses are to come.
 */
struct addend_cache {
	bool valid;
	bool saved;   /* also in cpu->addend[], or */
	bool sp;      /* ... in cpu->sp_addend */
	bool hostptr; /* the value is the host address of base + ptr_disp; else an addend */
	bool store, unpriv;
	u8 base_kind; /* H_X or H_T */
	u8 base;      /* register number */
	s32 lo, hi;   /* verified range relative to the base's current value */
	s32 ptr_disp;
};

#define N_ADDENDS 4

enum { FCMP_NONE, FCMP_AB, FCMP_BA /* operands swapped, for one reader */ };

struct place {
	struct xasm a;
	struct dbt_vm *vm;
	struct tr *tr;
	struct code_page *page;
	unsigned i; /* op being placed */
	const char *fail;

	s8 treg[MAX_TEMPS];   /* host register of a live temporary, -1 */
	u16 tlast[MAX_TEMPS]; /* last op that uses it */
	s8 wreg[MAX_TEMPS];   /* vector temporaries */
	u16 wlast[MAX_TEMPS];
	/*
	 * The guest register kept in memory that rax, rcx (by number) also hold, until somebody
	 * else is given the host register; -1 none.
	 */
	s8 copy[2];
	u8 copy_last;
	bool no_copies; /* in this op */
	bool copied;	/* this op's result has been noted */
	bool bailed;	/* this instruction may go by C, which leaves no copies */
	u32 busy;	/* host GPRs of rax, rcx, rdx in use by temporaries or this op */
	u32 op_busy;	/* ... to free when this op is done */
	u32 vbusy, op_vbusy;
	bool vpin; /* guest vector registers are where vm->vmap says */

	bool fl_eflags; /* EFLAGS hold NZCV */
	bool fl_mem;	/* cpu->host_nzcv does */
	bool pol_add;	/* EFLAGS: CF = C (after add), else CF = NOT C */
	u8 fl_fcmp;	/* EFLAGS are ucomis' (FCMP_*), not NZCV's image; only with fl_eflags */
	u8 fl_live[HIR_MAX]; /* NZCV needed after op i */
	/* A CCMP whose condition does not hold has jumped on behind the branch that follows it: */
	u8 *early;
	bool early_taken; /* ... or to where that leads */
	bool polled;	  /* the final branch's back edge need not look for interrupts any more */
	bool sp_dirty;	  /* this instruction wrote SP, perhaps not by a multiple of 16 */

	struct addend_cache ac[N_ADDENDS];
	int ac_rdx;  /* the one in rdx, -1 none */
	int ac_next; /* replaced next */

	struct cold cold[MAX_COLD];
	unsigned ncold;
	struct site site[MAX_SITES];
	unsigned nsites;
	u64 entry_rx;
	unsigned stored; /* results of ops before it are in the CPU state: no_across_blocks, _memory
			  */

	/* profile: a.n at the final branch, and behind its taken edge */
	u8 *taken_counter;
	bool two_way;
	u16 n_common[XC_NUM], n_taken[XC_NUM];
	struct profile_side side[MAX_SIDES];
	u8 *side_counter[MAX_SIDES];
	unsigned nsides;
	bool count_insns; /* a PMU does */
	u64 consts_rx;	  /* the block's vector constants, in front of its code */
};

/* ---- place.c ---- */
int alloc_scratch(struct place *p);	 /* for the rest of this op */
void take_reg(struct place *p, int reg); /* this very register, moving a temporary out of it */
bool opnd_is_mem(const struct place *p, const struct hir_opnd *o);
struct xop opnd_rm(struct place *p, const struct hir_opnd *o); /* register or memory, not IMM */
void copy_lose(struct place *p, int reg); /* the host register gets another value */
/* The same for reading at once, before any register is given out: perhaps a copy. */
struct xop opnd_src(struct place *p, const struct hir_opnd *o);
int src_reg(struct place *p, const struct hir_opnd *o, unsigned w);
int dst_reg(struct place *p, const struct hir_opnd *d, const struct hir_opnd *reuse);
void dst_done(struct place *p, const struct hir_opnd *d, int reg);
/* The result of h, computed in r, goes where it belongs. */
void dst_put(struct place *p, const struct hir *h, int r);
/*
 * Register to compute d in, holding x already: d's own where that is safe while y (may be NULL) is
 * still to be read, else a scratch register.
 */
int load_into_dst(struct place *p, const struct hir *h, const struct hir_opnd *x,
		  const struct hir_opnd *y);
bool same_loc(const struct hir_opnd *x, const struct hir_opnd *y);
void load_to(struct place *p, unsigned w, int reg, const struct hir_opnd *o);
bool imm_fits(const struct hir_opnd *o, unsigned w);
struct cold *cold_add(struct place *p, enum cold_kind kind);
static inline void cold_from(struct cold *c, u8 *field)
{
	c->from[c->nfrom++] = field;
}

/* What is emitted in between is for something else than the guest's work. */
static inline unsigned cat_begin(struct place *p, enum xcat cat)
{
	unsigned old = p->a.cat;

	p->a.cat = (u8)cat;
	return old;
}
static inline void cat_end(struct place *p, unsigned old)
{
	p->a.cat = (u8)old;
}
u8 *count_block(struct place *p);
void count_taken(struct place *p);
void state_store(struct place *p,
		 unsigned to); /* registers written before op `to` since the last call */

/* Flags. */
void flags_clobber(struct place *p);		   /* before anything that writes EFLAGS */
void flags_to_mem(struct place *p);		   /* cpu->host_nzcv is right from here on */
void flags_defined(struct place *p, bool pol_add); /* EFLAGS now hold NZCV */
unsigned flags_cond(struct place *p, unsigned cc); /* x86 condition that holds iff cc does */
void flags_from_fcmp(struct place *p); /* EFLAGS of ucomis a, b: NZCV to memory; EFLAGS are lost */
void flags_carry(struct place *p, bool want_add); /* CF = C (want_add) or NOT C */

static inline bool is_last(const struct tr *tr, const struct hir *h)
{
	return h == &tr->hir.op[tr->hir.n - 1];
}

/* SIDE_* of a conditional branch that is not the block's last operation. */
static inline u8 branch_side(const struct tr *tr, const struct hir *h)
{
	return tr->side[h->insn + tr->span[h->insn] - 1u];
}

/* NZCV is dead on both edges of a conditional branch. */
static inline bool flags_dead_behind(const struct tr *tr, const struct hir *h)
{
	if (is_last(tr, h))
		return !tr->live_taken && !tr->live_next;
	return !(branch_side(tr, h) & (SIDE_TAKEN | SIDE_NEXT));
}

/* ---- schedule.c ---- */
void schedule_flags(struct tr *tr);

/* ---- place_int.c, place_flags.c, place_mem.c, place_atomic.c, place_ctl.c, place_vec.c: true if
 * the op is theirs ---- */
bool place_int(struct place *p, const struct hir *h);
bool place_flags(struct place *p, const struct hir *h);
bool place_mem(struct place *p, const struct hir *h);
bool place_atomic(struct place *p, const struct hir *h);
/*
 * The check of a lone access; *desc for note_site(). rdx = addend, taken for this op; returns the
 * register that holds the address.
 */
int access_check(struct place *p, const struct hir *h, u32 *desc);
void note_site(struct place *p, u32 desc); /* what comes next may raise #GP */
bool place_ctl(struct place *p, const struct hir *h);
bool place_vec(struct place *p, const struct hir *h);
void place_fallthrough(struct place *p);
void ccmp_jump(struct place *p, unsigned cc, const struct hir *h);
void poll_early(struct place *p, const struct hir *h);
void place_cold(struct place *p);
void cold_excl(struct place *p, const struct cold *c);
void cache_drop_all(struct place *p); /* mappings may change: nothing may be relied on */
void cache_lose_rdx(struct place *p); /* rdx is needed for something else */
/* h writes SP and may leave it misaligned where it was not (SCTLR_EL1.SA). */
bool sp_may_misalign(const struct hir *h);
void cache_note_write(struct place *p, const struct hir *h); /* h's destination changes a base */
/* Vector register of an operand / for a result. */
int vsrc_reg(struct place *p, const struct hir_opnd *o);
int vdst_reg(struct place *p, const struct hir_opnd *d);
void vdst_done(struct place *p, const struct hir_opnd *d, int reg);
/* VEX, or EVEX where a register is beyond 15; wv, we: W of the forms, n: bytes of a memory operand.
 */
void x_v(struct xasm *a, unsigned pp, unsigned map, unsigned wv, unsigned we, unsigned opc, int reg,
	 int vvvv, struct xop rm, unsigned imm_len, unsigned n);

static inline bool v_in_reg(const struct place *p, unsigned v)
{
	return p->vpin && p->vm->vmap[v] >= 0;
}

static inline u32 insn_off(const struct place *p, const struct hir *h)
{
	return p->tr->page_off + 4u * h->insn;
}

#endif

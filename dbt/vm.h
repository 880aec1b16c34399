/* SPDX-License-Identifier: MIT */
/* The engine's VM, internal to dbt: memory slots, code cache, code pages and views. */
#ifndef ARMATURE_DBT_VM_H
#define ARMATURE_DBT_VM_H

#include <pthread.h>

#include "common/types.h"
#include "dbt/cpu.h"
#include "dbt/dbt.h"

#define PAGE_SHIFT   12
#define PAGE_SIZE    4096ull
#define TABLE_BITS   36 /* virtual page number bits in a flat table: 48-bit addresses */
#define TABLE_BYTES  (8ull << TABLE_BITS)
#define MAX_SLOTS    8
#define N_VIEWS	     32 /* EL0 views kept, one per ASID, least recently used out */
#define N_CHUNKS     16
#define SLOTS_PER_PAGE 1024
#define MAX_BREAKPOINTS 256

struct dbt_slot {
	u64 gpa, size;
	u8 *host;
	struct code_page **pages; /* first code page of each RAM page, by mode chained */
};

/*
 * Translations of one physical page in one mode. slots[] hold 32-bit addresses of entry points (the
 * executable alias lies below 4 GiB); an empty slot holds the lookup thunk. Invalidation empties the
 * slots; the struct itself goes only when no chunk holds a block of it any more.
 */
struct code_page {
	u64 gpa;
	u32 mode;
	u32 nblocks;	/* since the last invalidation */
	u32 chunk_mask; /* chunks that hold blocks of this page, invalidated ones included */
	struct code_page *next; /* other mode, same page */
	struct code_page *all_next;
	struct block *variants; /* single-instruction variants */
	u32 slots[SLOTS_PER_PAGE];
};

/* Header of a translation, in the code cache just before its code. */
struct block {
	struct code_page *page;
	u32 host;     /* RX address of the entry */
	u32 host_end; /* one past the last byte, cold part included */
	u16 page_off; /* of the first guest instruction */
	u8 ninsns;
	u8 single;
	u32 nsites;
	struct site *sites; /* sorted by host address */
	struct block *next_variant;
};

/* A host instruction that may raise #GP (non-canonical guest address) and what it belongs to. */
struct site {
	u32 host; /* RX address */
	u32 desc; /* DESC_* */
};

/* Miss descriptor: what a failed inline check tells the C side. */
#define DESC_OFF(d)   ((d) & 0x3ffu) /* instruction index in the page */
#define DESC_LEN(d)   (((d) >> 10 & 0xffu) + 1)
#define DESC_STORE    BIT(18)
#define DESC_UNPRIV   BIT(19)
#define DESC_EXACT    BIT(20) /* a lone load/store: may be emulated in C at once */
#define DESC_INDIRECT BIT(31) /* an indirect branch, rax = target */

struct chunk {
	u32 *blocks; /* RX addresses of block headers, ascending */
	u32 nblocks, cap;
	u8 *rw;	  /* start */
	u32 used;
};

/* Flat tables of one translation regime: addends for loads, stores (adjacent), and code. */
struct dbt_view {
	u64 *ld, *st, *ex;
	u8 *blk_map;	/* a bit a 2 MiB region: entries were filled from a block mapping */
	u8 *huge_map;	/* ... from one larger than 2 MiB */
	u8 *any_map;	/* ... at all */
	u64 *filled;	/* undo log: indexes with a non-zero entry */
	u32 nfilled;
	u16 asid;
	bool used;
	bool has_global; /* nG = 0 entries in an EL0 view */
	u8 low;		 /* EL1 code running in the lower half: 1, with PAN set 2; else 0 */
	u64 ttbr0;	 /* of such a view */
	u64 stamp;
};

struct dbt_vm {
	struct dbt_config cfg;
	struct dbt_slot slot[MAX_SLOTS];
	unsigned nslots;

	/* code cache: one memfd, mapped twice */
	u8 *code_rw;
	u8 *code_rx;
	u64 code_size, chunk_size;
	u64 chunks_start; /* offset of chunk 0: thunks and constants lie before */
	struct chunk chunk[N_CHUNKS];
	u32 cur_chunk;
	struct code_page *all_pages;

	/* thunks, RX addresses */
	s8 vmap[32]; /* host register of a guest vector register while EL0 code runs, -1: in memory */
	u32 t_lookup, t_indirect, t_chain, t_helper, t_miss, t_gp, t_leave, t_ret_empty, t_dispatch;
	void (*enter)(struct dbt_vcpu *cpu, u64 host);

	struct dbt_view el1, flat; /* EL1 (both halves), MMU off */
	struct dbt_view el0[N_VIEWS];
	u64 view_stamp;

	u64 *no_exec; /* an empty exec table: every indirect branch goes to the dispatcher */
	u64 breakpoint[MAX_BREAKPOINTS]; /* the host debugger's; changes while no vCPU runs */
	unsigned nbreakpoints;

	struct dbt_vcpu *vcpu[64];
	unsigned nvcpus;
	pthread_mutex_t lock; /* code cache, code pages, views */
	u64 tsc_base, tsc_mul; /* ns = (tsc - base) * mul >> 32 */
	struct dbt_stats stats;
	u64 op_uses[2048];
	u64 *rule_uses; /* by rule id, see dbt/rules.h */
};

/* Host pointer to RAM, NULL outside. */
static inline u8 *dbt_ram_ptr(struct dbt_vm *vm, u64 gpa, u64 len)
{
	for (unsigned i = 0; i < vm->nslots; i++) {
		struct dbt_slot *s = &vm->slot[i];
		u64 off = gpa - s->gpa;

		if (off < s->size && len <= s->size - off)
			return s->host + off;
	}
	return NULL;
}

/* ---- view.c ---- */
int view_init(struct dbt_vm *vm, const char **err);
void view_fini(struct dbt_vm *vm);
/* Records where the page of va lies on the host; st says whether stores may use it. */
void view_fill(struct dbt_view *v, u64 va, u8 *host_page, const struct walk *w);
void view_fill_exec(struct dbt_view *v, u64 va, struct code_page *page, const struct walk *w);
void view_flush(struct dbt_view *v);
void view_flush_exec(struct dbt_vm *vm); /* exec entries of every view: code pages go away */

static inline u64 view_index(u64 va)
{
	return va >> PAGE_SHIFT & (BIT(TABLE_BITS) - 1);
}

/* ---- code.c ---- */
int code_init(struct dbt_vm *vm, const char **err);
void code_fini(struct dbt_vm *vm);
/* The code page of RAM page `gpa`, made if need be; NULL outside RAM or without memory. */
struct code_page *code_page_get(struct dbt_vm *vm, u64 gpa, u32 mode);
/* Room for a translation of at most `need` bytes in the current chunk; may evict one. RW pointer. */
u8 *code_reserve(struct dbt_vm *vm, u64 need);
void code_commit(struct dbt_vm *vm, struct block *b, u8 *end);
struct block *code_find(struct dbt_vm *vm, u32 host); /* block containing a host address, or NULL */
const struct site *code_find_site(struct dbt_vm *vm, u32 host);
void code_reset_ret_stacks(struct dbt_vm *vm);

static inline u8 *rx_to_rw(const struct dbt_vm *vm, u32 rx)
{
	return vm->code_rw + ((u64)rx - (u64)vm->code_rx);
}
static inline u32 rw_to_rx(const struct dbt_vm *vm, const void *rw)
{
	return (u32)((u64)vm->code_rx + (u64)((const u8 *)rw - vm->code_rw));
}

/* ---- translate.c ---- */
/* Translates the block at byte offset `off` of `page`; NULL only on internal failure (*err set). */
struct block *dbt_translate(struct dbt_vm *vm, struct code_page *page, u32 off, bool single);

/* ---- x64/place.c, x64/thunks.c ---- */
struct tr;
/* Encodes tr->hir; NULL + *why on failure ("-ENOSPC like": block too long -> caller shortens). */
struct block *place_block(struct dbt_vm *vm, struct tr *tr, struct code_page *page, const char **why);
void thunks_emit(struct dbt_vm *vm, u8 *rw, u8 *end, u8 **out_end);

/* ---- debug.c ---- */
/* The page of va holds a breakpoint of the host's debugger. */
bool debug_break_page(const struct dbt_vm *vm, u64 va);
enum debug_verdict { DEBUG_GO, DEBUG_LEAVE, DEBUG_AGAIN };
/*
 * Before the instruction at pc, debug_wanted() or not any more: GO on, LEAVE with DBT_EXIT_DEBUG
 * (*exit filled in), or AGAIN: an exception was taken.
 */
enum debug_verdict debug_before(struct dbt_vcpu *cpu);
/* The instruction debug_enter() led to is over, with or without an exception. */
void debug_after(struct dbt_vcpu *cpu);
/* Host code of the instruction at pc alone, in a page of TR_MODE_STEP; 0 when translation failed. */
u32 debug_enter(struct dbt_vcpu *cpu, struct code_page *page);
/* True if the step is over: the exit is filled in. */
bool debug_report_step(struct dbt_vcpu *cpu);

static inline bool debug_wanted(const struct dbt_vcpu *cpu)
{
	/* MDSCR_EL1.SS, MDE */
	return cpu->vm->nbreakpoints || cpu->debug.step || cpu->debug.all ||
	       cpu->sys.mdscr_el1 & (BIT(0) | BIT(15));
}

/* ---- run.c ---- (called from thunks) */
u64 dbt_dispatch(struct dbt_vcpu *cpu);
u64 dbt_do_chain(struct dbt_vcpu *cpu, u32 site, u32 off);
u64 dbt_do_miss(struct dbt_vcpu *cpu);
u64 dbt_do_gp(struct dbt_vcpu *cpu);
/* Mode bits for the code the vCPU is about to run. */
u32 cpu_tr_mode(const struct dbt_vcpu *cpu);

#endif

/* SPDX-License-Identifier: MIT */
/* The engine's VM, internal to dbt: memory slots, code cache, code pages and views. */
#ifndef ARMATURE_DBT_VM_H
#define ARMATURE_DBT_VM_H

#include <pthread.h>

#include "common/types.h"
#include "dbt/cpu.h"
#include "dbt/dbt.h"

#define PAGE_SHIFT  12
#define PAGE_SIZE   4096ull
#define TABLE_BITS  36 /* virtual page number bits in a flat table: 48-bit addresses */
#define TABLE_BYTES (8ull << TABLE_BITS)
/*
 * Tables begin this far (modulo 64 KiB) into the address space, so that the address of entry 0.5
 * ends with the control word by which BEXTR takes the page number out of a guest address:
 * translated code needs one register for both.
 */
#define VIEW_BEXTR	(TABLE_BITS << 8 | PAGE_SHIFT)
#define VIEW_BEXTR_DISP 4
#define MAX_SLOTS	8
#define N_VIEWS		32	 /* EL0 views kept at least, least recently used out */
#define N_VIEWS_MAX	(64 + 8) /* every vCPU pins one, and some are left to choose from */
#define N_CHUNKS	16
#define SEGMENT_SIZE	(256u << 10)
#define BLOCK_ROOM	32768 /* bytes of code cache a translation may need */
#define SLOTS_PER_PAGE	1024
#define MAX_BREAKPOINTS 256
#define MAX_WATCHPOINTS 32

struct dbt_slot {
	u64 gpa, size;
	u8 *host;
	struct code_page **pages; /* first code page of each RAM page, by mode chained */
};

/*
 * Translations of one physical page in one mode. slots[] hold 32-bit addresses of entry points (the
 * executable alias lies below 4 GiB); an empty slot holds the lookup thunk. Invalidation empties
 * the slots; the struct itself goes only when no chunk holds a block of it any more.
 */
struct code_page {
	u64 gpa;
	u32 mode;
	/* under vm->lock */
	u32 nblocks;	/* since the last invalidation */
	u32 chunk_mask; /* chunks that hold blocks of this page, invalidated ones included */
	u32 seq;   /* goes on with each invalidation: a translation begun before must not be entered
		    */
	bool dead; /* unlinked; freed once no vCPU can hold a pointer to it */
	struct code_page *next; /* other mode, same page; dead ones: next dead one */
	struct code_page *all_next;
	struct block *variants;	   /* single-instruction variants */
	u32 slots[SLOTS_PER_PAGE]; /* read by translated code and C without the lock: slot_get,
				      slot_set */
};

static inline u32 slot_get(const struct code_page *page, u64 off)
{
	return __atomic_load_n(&page->slots[off / 4], __ATOMIC_RELAXED);
}
/* After the code it leads to has been written: other vCPUs may follow it at once. */
static inline void slot_set(struct code_page *page, u64 off, u32 host)
{
	__atomic_store_n(&page->slots[off / 4], host, __ATOMIC_RELEASE);
}

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
#define DESC_OFF(d) ((d)&0x3ffu) /* instruction index in the page */
#define DESC_LEN(d) (((d) >> 10 & 0xffu) + 1)
#define DESC_STORE  BIT(18)
#define DESC_UNPRIV BIT(19)
#define DESC_EXACT  BIT(20) /* a lone load/store: may be emulated in C at once */
#define DESC_DEFER(d)                                                                      \
	((d) >> 21 & 0x3fu)	    /* instructions back to a compare that is due, 0: none \
				     */
#define DESC_INDIRECT BIT(31)	    /* an indirect branch, rax = target */
#define DESC_YIELD    (BIT(31) | 1) /* no access: the host's core is to be given away */

/*
 * A request to vCPUs to pass the dispatcher, and what to compare their answers with. `mask` is of
 * positions in dbt_vm.vcpu[].
 */
struct smp_grace {
	u64 mask;
	u32 seq[64];
};

/* A piece of a chunk that one thread at a time translates into. */
struct segment {
	u32 *blocks; /* RX addresses of block headers, ascending */
	u32 nblocks, cap;
	u32 used; /* bytes */
	bool busy;
};

/*
 * Chunks are filled in turn. While one is filled, the next is already retired: its slots are empty,
 * and by the time it is wanted every vCPU has long passed the dispatcher, its return stack reset.
 */
enum chunk_state { CHUNK_FREE, CHUNK_USED, CHUNK_RETIRED };
struct chunk {
	enum chunk_state state;
	u32 nopen; /* segments in use */
	struct segment *seg;
	u8 *rw;			/* start */
	struct code_page *dead; /* RETIRED: to be freed with it */
	struct smp_grace grace; /* RETIRED: who may still be in there */
};

/*
 * Flat tables of one translation regime: addends for loads, stores (adjacent), and code. Entries
 * are read by translated code and C without a lock, and written with single 8-byte stores under
 * `lock`.
 */
struct dbt_view {
	pthread_mutex_t lock;
	u32 seq; /* goes on whenever entries are dropped: what a walk begun before found must not be
		    entered */
	void *map;
	u64 *ld, *st, *ex;
	u8 *blk_map;  /* a bit a 2 MiB region: entries were filled from a block mapping */
	u8 *huge_map; /* ... from one larger than 2 MiB */
	u8 *any_map;  /* ... at all */
	u64 *filled;  /* undo log: indexes with a non-zero entry */
	u32 nfilled;
	bool has_global; /* nG = 0 entries in an EL0 view */

	/* whose it is: under vm->view_lock, constant while pinned */
	bool used;
	u16 asid;
	u64 ttbr; /* TTBR0's table: without CnP two vCPUs may use one ASID for different ones */
	u8 low;	  /* EL1 code running in the lower half: 1, with PAN set 2; else 0 */
	u32 mode; /* EL0: TR_MODE_* of the code it leads to, which enters other blocks without
		     asking */
	unsigned pins; /* vCPUs with this user_view or low_view */
	u64 stamp;
};

/*
 * Exclusives of several vCPUs: what makes A-B-A visible. Every 16 bytes of memory share (hashed by
 * host address) a bucket. Its version is odd while a store-exclusive or an LSE atomic is at work
 * there, which keeps them apart, and two further after each. A load-exclusive notes it before it
 * loads, a store-exclusive succeeds only if it has not changed.
 *
 * Atomics leave a bucket alone until a load-exclusive has looked at it (`watched`, which stays).
 * Who has a version odd runs straight on until it is even again: no fault, no poll, no lock. So it
 * may be waited for without answering anybody. docs/dbt-smp.md argues why this is enough, and what
 * plain stores, which look at none of it, mean.
 */
struct excl_bucket {
	_Atomic u64 version;
	_Atomic u32 watched;
	u32 pad[13]; /* a cache line each */
};
#define EXCL_WATCHED 8 /* offset of watched */
#define EXCL_BUCKETS 1024
#define EXCL_MASK    ((EXCL_BUCKETS - 1) * 64) /* of host address * 4 */

struct dbt_vm {
	struct dbt_config cfg;
	struct dbt_slot slot[MAX_SLOTS];
	unsigned nslots;

	/* code cache: one memfd, mapped twice */
	u8 *code_rw;
	u8 *code_rx;
	u64 code_size, chunk_size, seg_size;
	u64 chunks_start;     /* offset of chunk 0: thunks and constants lie before */
	pthread_mutex_t lock; /* chunks, segments, code pages, patching, the statistics below. Taken
				 before a view's */
	struct chunk chunk[N_CHUNKS];
	u32 cur_chunk;
	u32 evict_seq; /* goes on with each chunk given back: host addresses from before may be
			  others' */
	struct code_page *all_pages;

	/* thunks, RX addresses */
	s8 vmap[32]; /* host register of a guest vector register while EL0 code runs, -1: in memory
		      */
	u32 t_lookup, t_indirect, t_chain, t_helper, t_miss, t_sp_miss, t_gp, t_leave, t_ret_empty,
		t_dispatch, t_excl_take;
	void (*enter)(struct dbt_vcpu *cpu, u64 host);

	struct dbt_view el1, flat; /* EL1 (upper half), MMU off */
	struct dbt_view flat0; /* EL0 with the MMU off, in one mode at a time: boot code, tests */
	struct dbt_view none;  /* never filled: for a TTBR0 that has no view (yet) */
	struct dbt_view el0[N_VIEWS_MAX];
	unsigned nel0;
	pthread_mutex_t view_lock; /* who uses which view. Taken before a view's lock, never with
				      vm->lock */
	u64 view_stamp;

	struct excl_bucket *excl;
	/* Once set, all code does it; vm_set_flag. */
	bool bti;	       /* a guarded page has been executed: keeps PSTATE.BTYPE */
	bool count_insns;      /* a PMU counts instructions: blocks add theirs to the vCPU */
	_Atomic bool watching; /* a vCPU or the host has had a watchpoint, and may have one */
	u64 breakpoint[MAX_BREAKPOINTS]; /* the host debugger's; changes while no vCPU runs */
	unsigned nbreakpoints, nwatchpoints;
	struct dbt_watchpoint watchpoint[MAX_WATCHPOINTS]; /* likewise */

	struct dbt_vcpu *vcpu[64]; /* constant while one runs */
	unsigned nvcpus;
	u64 tsc_base, tsc_mul; /* ns = (tsc - base) * mul >> 32 */
	struct dbt_stats stats;
	u64 op_uses[2048];
	u64 *rule_uses; /* by rule id, see dbt/rules.h */
	u16 rule_skip;	/* rule id + 1 that is left out, to see what it is worth; 0: none */
	u8 *profile;	/* see dbt/profile.h; NULL without count_insns */
	u64 profile_used;
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

/* ---- smp.c: waiting until every vCPU has left what is stale ---- */
/*
 * Translated code may keep an addend in a register, and its return stack refers to code and to
 * mappings; all of that ends when the vCPU passes the dispatcher with EXIT_REQ_QUIESCE set (or
 * is outside dbt_vcpu_run). Whoever changes shared state does so first, then requests, then
 * waits. A vCPU that waits counts as outside: it must go on by the dispatcher.
 */
/* Held for less than a sleep and a wake-up cost: who finds it taken spins a little first. */
void smp_lock_init(pthread_mutex_t *lock);
void smp_enter(struct dbt_vcpu *cpu); /* from here on others wait for this vCPU ... */
void smp_leave(struct dbt_vcpu *cpu); /* ... and from here on no more */
void smp_pass(struct dbt_vcpu *cpu);  /* dispatcher, exit_req just taken */
static inline u64 smp_all(const struct dbt_vm *vm)
{
	return vm->nvcpus < 64 ? BIT(vm->nvcpus) - 1 : ~0ull;
}
/* Predictions of these vCPUs are wrong from now on: they reset their return stacks at the next
 * poll. */
void smp_stale_returns(struct dbt_vm *vm, u64 mask);
void smp_request(struct dbt_vm *vm, u64 mask, struct smp_grace *g);
bool smp_passed(struct dbt_vm *vm, const struct smp_grace *g);
void smp_wait(struct dbt_vcpu *cpu, const struct smp_grace *g);
/* `cpu` has dropped what vCPUs in `mask` may be using: its next DSB waits for them. */
void smp_defer(struct dbt_vcpu *cpu, u64 mask, bool returns);
/* Makes the bucket's version odd; whoever has it is waited for. excl_give makes it even again. */
void excl_take(struct excl_bucket *b);
static inline void excl_give(struct excl_bucket *b)
{
	atomic_fetch_add_explicit(&b->version, 1, memory_order_release);
}

/* ---- view.c ---- */
int view_init(struct dbt_vm *vm, const char **err);
void view_fini(struct dbt_vm *vm);
/* To be read before the walk whose result goes to view_fill. */
static inline u32 view_seq(const struct dbt_view *v)
{
	return __atomic_load_n(&v->seq, __ATOMIC_ACQUIRE);
}
/*
 * Records where the page of va lies on the host, as loads and stores may use it. False: entries
 * were dropped since `seq`, the walk must be done again.
 */
bool view_fill(struct dbt_view *v, u64 va, u8 *host_page, const struct walk *w, u32 seq);
bool view_fill_exec(struct dbt_view *v, u64 va, struct code_page *page, const struct walk *w,
		    u32 seq);
void view_flush_exec(struct dbt_vm *vm); /* exec entries of every view: code pages go away */
void view_flush_all(struct dbt_vm *vm);	 /* everything; no vCPU runs */
/* Gives an EL1 that has met LDTR/STTR its user view. */
void view_claim_user(struct dbt_vcpu *cpu);
void view_release(struct dbt_vcpu *cpu); /* unpins; view_switch must follow before it runs again */

static inline u64 view_index(u64 va)
{
	return va >> PAGE_SHIFT & (BIT(TABLE_BITS) - 1);
}
static inline u64 view_get(const u64 *tab, u64 va)
{
	return __atomic_load_n(&tab[view_index(va)], __ATOMIC_RELAXED);
}

/* ---- code.c ---- */
int code_init(struct dbt_vm *vm, const char **err);
void code_fini(struct dbt_vm *vm);
/* The code page of RAM page `gpa`, made if need be; NULL outside RAM or without memory. */
struct code_page *code_page_get(struct dbt_vm *vm, u64 gpa, u32 mode);
/*
 * The calls below want vm->lock held. code_begin gives the thread BLOCK_ROOM bytes to translate
 * into: 0, -ENOMEM, or -EAGAIN when the next chunk is not free yet: call code_wait, without the
 * lock. code_end gives the segment back, with `b` and the bytes up to `end` in it or (b NULL)
 * nothing.
 */
struct code_space {
	struct segment *seg;
	struct chunk *chunk;
	u8 *rw;
};
int code_begin(struct dbt_vcpu *cpu, struct code_space *sp);
void code_end(struct dbt_vm *vm, struct code_space *sp, struct block *b, u8 *end);
struct block *code_find(struct dbt_vm *vm, u32 host); /* block containing a host address, or NULL */
const struct site *code_find_site(struct dbt_vm *vm, u32 host);
void code_wait(struct dbt_vcpu *cpu);	/* lock not held; go on by the dispatcher */
void code_flush_all(struct dbt_vm *vm); /* every translation; no vCPU runs, takes the lock */

static inline u8 *rx_to_rw(const struct dbt_vm *vm, u32 rx)
{
	return vm->code_rw + ((u64)rx - (u64)vm->code_rx);
}
static inline u32 rw_to_rx(const struct dbt_vm *vm, const void *rw)
{
	return (u32)((u64)vm->code_rx + (u64)((const u8 *)rw - vm->code_rw));
}

/* ---- translate.c ---- */
/*
 * Translates the block at byte offset `off` of `page`; *host is its entry. 0; -EAGAIN: something
 * changed or space ran out meanwhile, go back to the dispatcher; -EINVAL: internal failure,
 * reported.
 */
int dbt_translate(struct dbt_vcpu *cpu, struct code_page *page, u32 off, bool single, u32 *host);

/* ---- x64/place.c, x64/thunks.c ---- */
struct tr;
/*
 * Encodes tr->hir at tr->code; tr->code_end is the end of what it used. NULL + *why on failure
 * ("-ENOSPC like": block too long -> caller shortens).
 */
struct block *place_block(struct dbt_vm *vm, struct tr *tr, struct code_page *page,
			  const char **why);
void thunks_emit(struct dbt_vm *vm, u8 *rw, u8 *end, u8 **out_end);

/* ---- debug.c ---- */
/* A watchpoint lies in the page of va: every access goes through C (debug_take_watch). */
bool debug_watched_page(const struct dbt_vm *vm, u64 va);
/*
 * Before an access by the instruction at pc, while vm->watching. True: it must not be done, return
 * HELPER_JUMP; the guest's watchpoint exception was taken, or the vCPU will leave dbt_vcpu_run.
 */
bool debug_take_watch(struct dbt_vcpu *cpu, gva_t va, unsigned size, bool write, bool unpriv);
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
/* The instruction at pc is run next, alone. */
void debug_enter(struct dbt_vcpu *cpu, const struct code_page *page);
/* True if the step is over: the exit is filled in. */
bool debug_report_step(struct dbt_vcpu *cpu);

static inline bool debug_wanted(const struct dbt_vcpu *cpu)
{
	/* MDSCR_EL1.SS, MDE */
	return cpu->vm->nbreakpoints || cpu->debug.step || cpu->debug.all ||
	       cpu->sys.mdscr_el1 & (BIT(0) | BIT(15));
}

/* ---- run.c ---- (called from thunks) */
void vm_set_flag(struct dbt_vm *vm, bool *flag); /* takes the lock */
u64 dbt_dispatch(struct dbt_vcpu *cpu);
u64 dbt_do_chain(struct dbt_vcpu *cpu, u32 site, u32 off);
u64 dbt_do_miss(struct dbt_vcpu *cpu);
u64 dbt_do_gp(struct dbt_vcpu *cpu);
/* TR_MODE_* of EL0 code under the current FPCR, FPSR and CPACR. */
u32 cpu_el0_mode(const struct dbt_vcpu *cpu);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The vCPU's state, internal to dbt. Translated code addresses it through rbp, which points at
 * CPU_BIAS bytes into the struct, so that x0-x30 and SP are reached with 8-bit displacements.
 *
 * While translated code runs, some x registers (the register map of dbt/x64/regmap.h) live in host
 * registers and the memory copy is stale. Every C function reached from translated code (helpers)
 * is entered through a thunk that writes all of them back and reloads them afterwards: C always
 * sees, and may change, the complete state here. `pc` is exact inside helpers.
 */
#ifndef ARMATURE_DBT_CPU_H
#define ARMATURE_DBT_CPU_H

#include <stdatomic.h>

#include "common/types.h"
#include "dbt/dbt.h"

#define CPU_BIAS 128
#define REG_SP	 31 /* x[31] is the current SP */

struct dbt_view;
struct excl_bucket;

/* PSTATE other than NZCV, unpacked. */
struct a64_pstate {
	u8 el;	  /* 0 or 1 */
	u8 spsel; /* at EL1: 0 = SP_EL0, 1 = SP_EL1 */
	u8 daif;  /* D=8 A=4 I=2 F=1 */
	u8 pan, uao, dit, ssbs, ss, il, tco, allint;
	u8 stepped; /* a software step ended here: 1, 2 after a load exclusive */
};

/* What debuggers make of this vCPU; dbt/debug.c. */
struct debug_state {
	bool step;	/* the host's: leave after one instruction */
	bool all;	/* every change of page passes the dispatcher */
	bool single;	/* the instruction at pc must run alone, whatever its page */
	bool armed;	/* it has been entered: debug_after() is due */
	bool stepped;	/* the host's step is over, and not reported yet */
	u32 raw;	/* that instruction */
	u64 exceptions; /* count when it was entered */
};

/* Banked and system registers with plain storage; grouped as in DDI 0487. */
struct a64_sysregs {
	u64 sp_el0, sp_el1; /* the one in use is stale: x[REG_SP] is current */
	u64 elr_el1, spsr_el1, esr_el1, far_el1, vbar_el1, afsr0_el1, afsr1_el1, par_el1;
	u64 sctlr_el1, actlr_el1, cpacr_el1, ttbr0_el1, ttbr1_el1, tcr_el1, mair_el1, amair_el1;
	u64 contextidr_el1, tpidr_el0, tpidrro_el0, tpidr_el1, cntkctl_el1, csselr_el1;
	u64 mdscr_el1, osdlr_el1, oslsr_el1, osdtrrx_el1, osdtrtx_el1, oseccr_el1, mdccint_el1;
	u64 dbgbvr[16], dbgbcr[16], dbgwvr[16], dbgwcr[16];
	u64 dbgclaim;
	u64 pmcr_el0, pmcntenset_el0, pmovsset_el0, pmselr_el0, pmccntr_off, pmccfiltr_el0,
		pmintenset_el1, pmuserenr_el0;
	u64 pmevcntr[6], pmevtyper[6]; /* pmevcntr: as pmccntr_off */
	u64 pm_seen[32];	       /* counts when overflow was last looked for */
	u64 scxtnum_el0, scxtnum_el1, dbgprcr_el1;
};

struct dbt_vcpu {
	u64 x[32]; /* x0-x30, current SP */

	/* ---- hot, used by translated code ---- */
	u64 page_va;	      /* virtual address of the page being executed */
	_Atomic u32 exit_req; /* non-zero: polls leave to the dispatcher. EXIT_REQ_* */
	u16 host_nzcv;	      /* lahf<<8 | seto image, with CF = NOT C (as after x86 cmp) */
	u8 excl_size;	      /* exclusive monitor: bytes, 0 = open */
	u8 in_code;	      /* translated code is running (signal handler's test) */
	u8 v_pinned; /* ... and keeps vector registers in host registers (dbt_vm.vmap): EL0 code */
	u64 *ld_tab, *st_tab, *ex_tab; /* current view */
	u64 ld_reg;		       /* r15 in translated code: ld_tab, see VIEW_BEXTR */
	/*
	 * The page of the last access off SP and its addend, for loads and stores; SP_PAGE_NONE
	 * whenever the vCPU passes the dispatcher's requests, switches views or does a TLBI.
	 */
	u64 sp_page, sp_addend;
	u64 st_index;			/* (st_tab - ld_tab): added to the index for stores */
	u64 *user_ld_tab, *user_st_tab; /* EL0 view of the current ASID, for LDTR/STTR */
	u64 ret_sp, c_sp;		/* saved host stack pointers */
	u64 excl_va, excl_val[2];
	struct excl_bucket *excl_tab; /* dbt_vm.excl, and its bucket as the load saw it; see vm.h */
	u64 excl_ver;
	u64 excl_none;	 /* stands for the bucket of an atomic that nobody watches */
	u32 excl_spins;	 /* turns of waiting for a bucket */
	u32 dsb_pending; /* the next DSB must wait for other vCPUs (smp.c) */
	u32 fpcr, fpsr;	 /* FPSR: bits not in MXCSR (QC, IDC...); guest_mxcsr has the rest */
	u32 guest_mxcsr, host_mxcsr;
	/*
	 * PSTATE.BTYPE: counts only while pc == btype_pc. Code sets it at indirect branches and
	 * clears it where it leaves a page otherwise, but only once a guarded page has been
	 * executed (dbt_vm.bti).
	 */
	u32 btype;
	u64 btype_pc;
	u64 pc;
	s64 clock_mul, clock_off; /* CNTVCT = (tsc * mul) >> 32 + off, see dbt_vm_clock */
	u64 scratch[8];
	u64 addend[4];		   /* page checks a block may return to (place_mem.c) */
	_Alignas(64) u8 v[32][16]; /* vector registers, little endian */
	u8 vsave[8][16];	   /* the miss thunk's copy of placement's vector temporaries */

	/* ---- warm ---- */
	struct a64_pstate ps;
	struct a64_sysregs sys;
	struct debug_state debug;
	struct dbt_vm *vm;
	struct dbt_view *view;
	struct dbt_view *user_view; /* EL0's; this and the next under vm->view_lock */
	struct dbt_view *low_view;  /* EL1's of the lower half, if it has run code there, or NULL */
	u64 user_ttbr;		    /* what they were chosen for */
	u16 user_asid;
	u32 user_mode;
	u32 tr_mode; /* TR_MODE_* of the code to run, set by view_switch */
	unsigned index;
	unsigned slot; /* in vm->vcpu[] */

	/* ---- quiescence, see smp.c ---- */
	_Atomic u32 online;	  /* inside dbt_vcpu_run and not waiting for others */
	_Atomic u32 q_req, q_ack; /* requests to pass the dispatcher, answers */
	_Atomic u32 ret_stale;	  /* return stacks are to be reset with the next answer */
	u64 wait_mask;		  /* vCPUs this one's next DSB waits for */
	u64 spin_tsc;		  /* when the last WFE or YIELD was, and how many in a row */
	u32 spins;

	u64 mpidr;
	_Atomic u32 irq_lines; /* enum dbt_irq bits */
	_Atomic u32 kick;
	bool wfi_wait;	  /* last exit was WFI */
	bool pmu_by_el;	  /* an enabled counter does not count at some EL */
	u8 *ret_stack[2]; /* return stacks of EL0 and EL1, RET_STACK_SIZE with a guard page below */
	u64 ret_top;	  /* of the current EL */
	u64 ret_sp_el0;	  /* EL0's return-stack pointer while EL1 runs, 0 = none */
	struct dbt_exit *exit; /* being filled during dbt_vcpu_run */
	int pending_exit;      /* -1 none, else enum dbt_exit_reason: leave dbt_vcpu_run */
	void *sig_stack;
	bool thread_ready; /* the thread's signal stack is set */
	struct dbt_stats stats;
};

struct a64_insn;
bool nzcv_meets(u32 nzcv, unsigned cond); /* a condition code of instructions */
/*
 * NZCV of `in`: SUBS, ADDS or ANDS, immediate or unshifted register, whose operands are unchanged;
 * if its result is in the place of its first operand, it is SUBS or ADDS of an immediate.
 */
void cpu_compare(struct dbt_vcpu *cpu, const struct a64_insn *in);

#define SP_PAGE_NONE	 BIT(63) /* not canonical on the host either */
#define EXIT_REQ_IRQ	 BIT(0)	 /* re-evaluate interrupts */
#define EXIT_REQ_KICK	 BIT(1)
#define EXIT_REQ_QUIESCE BIT(2)
#define EXIT_REQ_STEP	 BIT(3)
#define EXIT_REQ_PMU	 BIT(4) /* a counter may have overflowed */

/* What a helper tells its call site. */
enum helper_result {
	HELPER_NEXT = 0, /* go on with the next instruction */
	HELPER_JUMP = 1, /* pc, pstate or translation context changed: back to the dispatcher */
};
typedef int (*helper_fn)(struct dbt_vcpu *cpu, u32 raw);

/* N=8 Z=4 C=2 V=1 */
u32 cpu_nzcv_get(const struct dbt_vcpu *cpu);
void cpu_nzcv_set(struct dbt_vcpu *cpu, u32 nzcv);
/* SPSR/PSTATE format (N bit 31 ...), all fields. */
u32 cpu_pstate_get(const struct dbt_vcpu *cpu);
/* For dbt_vcpu_set_reg: -EINVAL for a mode this CPU has not. Swaps SP banks and views as needed. */
int cpu_pstate_set(struct dbt_vcpu *cpu, u32 pstate);

/* Guest FPSR including MXCSR's sticky bits; writing FPCR recomputes guest_mxcsr. */
u32 cpu_fpsr_get(const struct dbt_vcpu *cpu);
void cpu_fpsr_set(struct dbt_vcpu *cpu, u32 fpsr);
void cpu_fpcr_set(struct dbt_vcpu *cpu, u32 fpcr);

/* ---- dbt/view.c: the flat tables ---- */
/* Call after any change of EL, TTBRn/ASID, SCTLR.M, A and SA, TCR, PAN, FPCR.FZ, FPEN or (in C) SP:
 * selects views, table bases and the mode of code. */
void view_switch(struct dbt_vcpu *cpu);
/* SP is misaligned and SCTLR_EL1.SA or SA0 asks for a fault on its use as a base. */
bool cpu_sp_faults(const struct dbt_vcpu *cpu);
/* Helper after a write to SP that may have left it misaligned. */
int helper_sp_written(struct dbt_vcpu *cpu, u32 raw);
/* TLB maintenance by `cpu` on the views of its VM. va: any address in the page. */
/*
 * All of it is broadcast: views are shared. Other vCPUs may use what was dropped until `cpu`'s next
 * DSB, which waits for them.
 */
void view_tlbi_all(struct dbt_vcpu *cpu);
void view_tlbi_asid(struct dbt_vcpu *cpu, u16 asid);
void view_tlbi_va(struct dbt_vcpu *cpu, gva_t va, u16 asid, bool all_asids);
/* IC IVAU / IC IALLU: drop translations of a physical page / of everything; likewise. */
void code_invalidate_page(struct dbt_vcpu *cpu, gpa_t gpa);
void code_invalidate_all(struct dbt_vcpu *cpu);
/*
 * A guest that spins: after some turns of YIELD or WFE others get the host's core, and after many
 * of WFE the thread sleeps a little at each, whoever may send an event. A helper's result.
 */
int smp_relax(struct dbt_vcpu *cpu);
int smp_wait_event(struct dbt_vcpu *cpu);

/* ---- dbt/a64/mmu.c: stage-1 walks ---- */
enum access { ACC_READ, ACC_WRITE, ACC_EXEC };
struct walk {
	u64 pa;	      /* of the byte asked for */
	u64 block;    /* bytes the leaf descriptor maps: the granule or a block, power of two */
	bool r, w, x; /* what the walking EL (and PAN) may do; w false while a dirty bit must be set
			 first */
	bool global;  /* nG = 0 */
	bool guarded; /* GP: indirect branches to it need a landing pad (BTI) */
	bool device;  /* memory attributes are Device-*, as all are with the MMU off */
	u8 attr, sh;  /* MAIR byte and shareability, as PAR_EL1 reports them */
	u8 level;     /* of the leaf or of the fault, 0..3 */
	u8 hier;      /* table descriptors' accumulated restrictions (internal to mmu.c) */
	bool upper;   /* TTBR1's half */
	u64 *desc;    /* leaf descriptor in guest RAM; NULL with the MMU off */
	u32 fault; /* 0, or WALK_FAULT | xFSC code (6 bits); goes as it is to a64_take_dabt/iabt */
};
#define WALK_FAULT 0x40 /* the code of an address size fault at level 0 is 0 */
/*
 * Translates `va` for `acc` at privilege `el` (0: EL0 or unprivileged access). Sets AF and the
 * dirty state where TCR.HA/HD allow. On fault out->fault is set and -EFAULT returned; else 0.
 */
int mmu_walk(struct dbt_vcpu *cpu, gva_t va, enum access acc, unsigned el, struct walk *out);
/*
 * Neighbours for free: `w` is a successful mmu_walk of `va` at `el`. If its leaf is a page, decodes
 * the eight descriptors of the leaf's 64-byte line into out[0..7] (pa = start of the page),
 * changing none: an entry whose access flag is clear, or that is invalid, has out[i].fault set.
 * Returns 8 and the address of out[0]'s page in *first, or 0 when the leaf is a block or the MMU is
 * off.
 */
unsigned mmu_walk_line(struct dbt_vcpu *cpu, gva_t va, unsigned el, const struct walk *w,
		       struct walk out[8], gva_t *first);
/* ASID in use (TCR.A1 and TCR.AS honoured). */
u16 mmu_asid(const struct dbt_vcpu *cpu);
/* Target of a branch to `va` at `el`: the tag removed where TBI says so (AArch64.BranchAddr). */
u64 mmu_branch_addr(const struct dbt_vcpu *cpu, u64 va, unsigned el);

/* ---- dbt/a64/exception.c ---- */
enum {
	EC_UNKNOWN = 0x00,
	EC_WFX = 0x01,
	EC_FP = 0x07,
	EC_ILLEGAL = 0x0e,
	EC_SVC64 = 0x15,
	EC_HVC64 = 0x16,
	EC_SMC64 = 0x17,
	EC_SYSREG = 0x18,
	EC_IABT_LOWER = 0x20,
	EC_IABT = 0x21,
	EC_PC_ALIGN = 0x22,
	EC_DABT_LOWER = 0x24,
	EC_DABT = 0x25,
	EC_SP_ALIGN = 0x26,
	EC_FPE = 0x2c,
	EC_SERROR = 0x2f,
	EC_BREAKPT_LOWER = 0x30,
	EC_BREAKPT = 0x31,
	EC_SSTEP_LOWER = 0x32,
	EC_SSTEP = 0x33,
	EC_WATCHPT_LOWER = 0x34,
	EC_WATCHPT = 0x35,
	EC_BRK = 0x3c,
	EC_BTI = 0x0d,
};
/* Synchronous exception to EL1; preferred return address `elr`. Sets pc; caller returns
 * HELPER_JUMP. `ec` as for "same EL" is turned into the _LOWER form when taken from EL0. */
void a64_take_sync(struct dbt_vcpu *cpu, unsigned ec, u32 iss, u64 elr);
/* Data/instruction abort with FAR; fsc = fault status code (a walk's fault as it is). */
void a64_take_dabt(struct dbt_vcpu *cpu, u64 far, u32 fsc, bool write, u64 elr);
void a64_take_iabt(struct dbt_vcpu *cpu, u64 far, u32 fsc);
/* Takes IRQ/FIQ/SError now when pending and unmasked: true if taken (pc changed). */
bool a64_take_irq(struct dbt_vcpu *cpu);
/* Architectural reset of pstate and system registers (EL1h, DAIF masked, MMU off), not of x, v, pc.
 */
void a64_reset(struct dbt_vcpu *cpu);
/* FP/SIMD at the current EL traps (CPACR.FPEN). a64_take_fp_trap takes it for the instruction at
 * pc. */
bool cpu_fp_trapped(const struct dbt_vcpu *cpu);
void a64_take_fp_trap(struct dbt_vcpu *cpu);
/* UNDEF at pc; logs under LOG_UNIMP with `why`. */
void a64_take_undef(struct dbt_vcpu *cpu, const char *why);

/* ---- dbt/a64/sysreg_debug.c: self-hosted debug ---- */
enum { DEBUG_STEP = 1, DEBUG_BREAK = 2, DEBUG_WATCH = 4 };
/*
 * Which debug events can happen with the present MDSCR, EL and PSTATE.D; 0 in all but debugged
 * code. May change with any HELPER_JUMP. STEP: run one instruction at a time, each between
 * a64_debug_before and a64_debug_after. BREAK: pages of a64_debug_page() likewise. WATCH: never
 * fill load and store entries of such pages, and call debug_take_watch before each access to them.
 */
unsigned a64_debug_active(const struct dbt_vcpu *cpu);
/* A breakpoint (what = DEBUG_BREAK) or watchpoint (DEBUG_WATCH) that is enabled may lie in va's 4
 * KiB. */
bool a64_debug_page(const struct dbt_vcpu *cpu, gva_t va, unsigned what);
/* Takes the step or breakpoint exception due at pc: true if so (pc changed). */
bool a64_debug_before(struct dbt_vcpu *cpu);
/* The instruction `raw` has completed without an exception. */
void a64_debug_after(struct dbt_vcpu *cpu, u32 raw);
/* Takes the watchpoint exception of an access by the instruction at pc: true if so (pc changed). */
bool a64_take_watch(struct dbt_vcpu *cpu, gva_t va, unsigned size, bool write, bool unpriv);

/* ps.el = el, with what counts by EL; and the performance monitors' overflows up to now. */
void pmu_set_el(struct dbt_vcpu *cpu, u8 el);
void pmu_update(struct dbt_vcpu *cpu);
/* PSTATE.BTYPE of the instruction at pc, and the check of it in a guarded page. */
void cpu_btype_settle(struct dbt_vcpu *cpu, u64 pc);
int helper_bti(struct dbt_vcpu *cpu, u32 raw);
/* Instruction helpers (helper_fn), pc = the instruction. */
int helper_undef(struct dbt_vcpu *cpu, u32 raw);
int helper_svc(struct dbt_vcpu *cpu, u32 raw);
int helper_hvc(struct dbt_vcpu *cpu, u32 raw);
int helper_smc(struct dbt_vcpu *cpu, u32 raw);
int helper_brk(struct dbt_vcpu *cpu, u32 raw);
int helper_hlt(struct dbt_vcpu *cpu, u32 raw);
int helper_eret(struct dbt_vcpu *cpu, u32 raw);
int helper_mrs(struct dbt_vcpu *cpu, u32 raw);
int helper_msr(struct dbt_vcpu *cpu, u32 raw); /* MSR register; HELPER_JUMP if context changed */
int helper_msr_imm(struct dbt_vcpu *cpu, u32 raw); /* MSR immediate: DAIFSet/Clr, SPSel, PAN, ... */
int helper_sys(struct dbt_vcpu *cpu, u32 raw);	   /* SYS/SYSL: IC, DC, AT, TLBI */
int helper_wfi(struct dbt_vcpu *cpu, u32 raw);
int helper_wfe(struct dbt_vcpu *cpu, u32 raw);
int helper_isb(struct dbt_vcpu *cpu, u32 raw);
int helper_dsb(struct dbt_vcpu *cpu, u32 raw); /* dsb_pending is set */
/* Registers the translator may read and write in place: byte offset into struct dbt_vcpu of a
 * 64-bit field with no side effect and always accessible at `el`, or -1. SP_EL0's answer (el 1)
 * holds only while SPSel is 1: with SPSel 0 the access is UNDEFINED. */
int sysreg_plain_offset(u32 id, unsigned el, bool write);
int sysreg_get(struct dbt_vcpu *cpu, u32 id, u64 *val); /* for dbt_vcpu_get_reg; no access checks */
int sysreg_set(struct dbt_vcpu *cpu, u32 id, u64 val);
/* Ids of all registers with state of their own, in the order to restore them; returns how many
 * there are (fill in at most cap). PSTATE, FPCR, FPSR and what dbt_ops owns are not among them. */
unsigned sysreg_list(u32 *ids, unsigned cap);

/* ---- guest memory for helpers (dbt/mem.c): as the guest's own access at the current EL ---- */
/*
 * Reads/writes `size` (1..16) bytes at va; crossing pages and MMIO handled, element size `size` or
 * 8 for
 * 16. Returns HELPER_NEXT, or HELPER_JUMP when an exception was taken (nothing written).
 */
int mem_load(struct dbt_vcpu *cpu, gva_t va, void *dst, unsigned size, bool unpriv);
int mem_store(struct dbt_vcpu *cpu, gva_t va, const void *src, unsigned size, bool unpriv);

#endif

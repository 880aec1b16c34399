/* SPDX-License-Identifier: MIT */
/*
 * The translator's public face, shaped like KVM: create a VM, give it memory slots, create vCPUs,
 * run them until they exit. dbt knows nothing of devices; MMIO, the GIC's CPU interface and the
 * generic timers are reached through struct dbt_ops, synchronously and on the vCPU's thread (KVM
 * returns to user space for MMIO; a callback serves every access form, pairs and vectors too,
 * without an instruction emulator in the caller).
 *
 * Threads: one thread owns a vCPU and is the only one to call dbt_vcpu_run/get/set on it.
 * dbt_vcpu_set_irq, dbt_vcpu_kick and dbt_vm_stop_vcpus are safe from any thread.
 */
#ifndef ARMATURE_DBT_H
#define ARMATURE_DBT_H

#include <stdio.h>

#include "common/types.h"

struct dbt_vm;
struct dbt_vcpu;

enum dbt_exit_reason {
	DBT_EXIT_KICK, /* dbt_vcpu_kick(): look at your requests, then run again */
	DBT_EXIT_WFI,  /* no interrupt pending; sleep until one is or data.wfi.until, then run again
			*/
	DBT_EXIT_HVC,  /* data.call.imm; arguments in x0-x7, PC is past the instruction */
	DBT_EXIT_SMC,  /* likewise */
	DBT_EXIT_DEBUG, /* data.debug: dbt_vm_set_breakpoints, _watchpoints or dbt_vcpu_set_debug */
	DBT_EXIT_ERROR, /* data.error: the engine cannot go on (a bug or host failure) */
};

struct dbt_exit {
	enum dbt_exit_reason reason;
	union {
		struct {
			u64 until; /* dbt_vm_clock() of WFIT, ~0 of WFI */
		} wfi;
		struct {
			u16 imm;
		} call;
		struct {
			/* STEP: done; the others: at the vCPU's pc, not executed yet */
			enum dbt_debug_event {
				DBT_DEBUG_BREAK,
				DBT_DEBUG_STEP,
				DBT_DEBUG_WATCH
			} event;
			u64 va; /* WATCH: the lowest watched byte of the access */
		} debug;
		struct {
			const char *what;
			u64 pc;
		} error;
	} data;
};

/* System registers that live outside the engine: op0:op1:CRn:CRm:op2 packed as in the encoding. */
#define SYSREG_ID(op0, op1, crn, crm, op2) \
	((u32)(op0) << 14 | (u32)(op1) << 11 | (u32)(crn) << 7 | (u32)(crm) << 3 | (u32)(op2))

struct dbt_ops {
	/*
	 * Guest-physical access outside every memory slot; size 1, 2, 4 or 8, any alignment the
	 * guest chose (a device decides). Return 0, or a negative errno: the guest then takes a
	 * synchronous external abort.
	 */
	int (*mmio_read)(void *opaque, unsigned vcpu, gpa_t addr, unsigned size, u64 *val);
	int (*mmio_write)(void *opaque, unsigned vcpu, gpa_t addr, unsigned size, u64 val);
	/*
	 * ICC_* (GIC CPU interface) and CNT* timer registers (all but CNTFRQ, CNTVCT, CNTPCT,
	 * CNTVOFF, CNTKCTL). Return 0, or -ENOENT: the access is UNDEFINED. May call
	 * dbt_vcpu_set_irq.
	 */
	int (*sysreg_read)(void *opaque, unsigned vcpu, u32 id, u64 *val);
	int (*sysreg_write)(void *opaque, unsigned vcpu, u32 id, u64 val);
	/*
	 * May be NULL. Level of the performance monitors' interrupt, and in how many nanoseconds
	 * (~0: never) dbt_vcpu_pmu_expire is to be called because a counter may then overflow. The
	 * latest call counts. On the vCPU's thread. A sleeping vCPU must then run again.
	 */
	void (*pmu)(void *opaque, unsigned vcpu, bool level, u64 ns);
	void *opaque;
};

enum dbt_rules_mode { DBT_RULES_NONE, DBT_RULES_BASE, DBT_RULES_LEARNED };

struct dbt_config {
	struct dbt_ops ops;
	u64 code_cache_size; /* bytes; 0 = default (128 MiB) */
	unsigned max_vcpus;  /* 1..64 */
	bool gicv3_sysregs;  /* ID_AA64PFR0_EL1.GIC: ICC_* are there */
	enum dbt_rules_mode rules;
	bool no_hoist; /* ablation switches, all false in normal use */
	bool no_chain;
	bool no_call_ret;
	bool no_superblocks;
	bool no_sp_window;
	bool no_flag_liveness;
	bool no_lazy_flags, no_across_blocks, no_across_memory, poll_always,
		no_define_before_use; /* coordination */
	bool count_insns;	      /* executed instructions for --stats; slows the guest */
};

/*
 * Reserves the code cache and translation tables. Call before seccomp filters are loaded; nothing
 * is mapped executable later. Returns 0 or a negative errno with *err set to a sentence (static).
 */
int dbt_vm_create(const struct dbt_config *cfg, struct dbt_vm **out, const char **err);
void dbt_vm_destroy(struct dbt_vm *vm);
/* Guest RAM slot: page aligned, not overlapping; before any vCPU runs. 0 or -errno. */
int dbt_vm_set_memory(struct dbt_vm *vm, gpa_t gpa, u64 size, void *host);

/*
 * Guest memory was changed from outside (a reset's new kernel, a restored state): drops every
 * translation and every entry of the memory tables. No vCPU is inside dbt_vcpu_run.
 */
void dbt_vm_flush(struct dbt_vm *vm);

/* `index` is the MPIDR affinity's linear number: Aff0 = index % 16, Aff1 = index / 16. */
int dbt_vcpu_create(struct dbt_vm *vm, unsigned index, struct dbt_vcpu **out);
void dbt_vcpu_destroy(struct dbt_vcpu *vcpu);
/* Architectural reset: EL1h, DAIF masked, MMU off, then PC and x0 as given. */
void dbt_vcpu_reset(struct dbt_vcpu *vcpu, u64 pc, u64 x0);
/* Runs until an exit. Blocks signals? No: SIGSEGV/SIGBUS are handled (sigaltstack is set by create,
 * on the creating thread's behalf at first run). Returns the same as out->reason. */
enum dbt_exit_reason dbt_vcpu_run(struct dbt_vcpu *vcpu, struct dbt_exit *out);

enum dbt_irq { DBT_IRQ = 1, DBT_FIQ = 2, DBT_SERROR = 4 };
/* Level of the vCPU's IRQ/FIQ input; any thread. The caller wakes a vCPU that sleeps after WFI. */
void dbt_vcpu_set_irq(struct dbt_vcpu *vcpu, enum dbt_irq line, bool level);
/* Any thread: what dbt_ops.pmu asked for. */
void dbt_vcpu_pmu_expire(struct dbt_vcpu *vcpu);
/* True when an unmasked or masked interrupt is pending (what ends a WFI). */
/* An interrupt is pending, masked or not, or one may be (dbt_vcpu_pmu_expire): it must not sleep.
 */
bool dbt_vcpu_has_irq(const struct dbt_vcpu *vcpu);
/* Makes dbt_vcpu_run return DBT_EXIT_KICK soon (about 0.1 us when running). Any thread. */
void dbt_vcpu_kick(struct dbt_vcpu *vcpu);

/* Registers by id, for gdb, save/restore and boot. */
enum dbt_reg_class {
	DBT_REG_X,
	DBT_REG_SP,
	DBT_REG_PC,
	DBT_REG_PSTATE,
	DBT_REG_V,
	DBT_REG_FPCR,
	DBT_REG_FPSR,
	DBT_REG_SYS
};
struct dbt_reg {
	enum dbt_reg_class cls;
	u32 id; /* X/V number, or SYSREG_ID for DBT_REG_SYS */
};
/* `val` is 16 bytes for DBT_REG_V, else 8. 0 or -ENOENT. vCPU not running. */
int dbt_vcpu_get_reg(struct dbt_vcpu *vcpu, struct dbt_reg reg, void *val);
int dbt_vcpu_set_reg(struct dbt_vcpu *vcpu, struct dbt_reg reg, const void *val);

/*
 * For a debugger of the whole machine; nothing the guest can see. Breakpoints are virtual addresses
 * in whatever address space executes them; `n` of them replace the earlier ones. No vCPU is inside
 * dbt_vcpu_run. 0, -ENOSPC (more than 256), -EINVAL (not a multiple of four).
 */
int dbt_vm_set_breakpoints(struct dbt_vm *vm, const u64 *va, unsigned n);
/*
 * Likewise watchpoints: accesses by any vCPU's loads and stores (not by devices) to [va, va + len),
 * tags ignored. -ENOSPC (more than 32), -EINVAL (nothing watched, or beyond the end of addresses).
 */
struct dbt_watchpoint {
	u64 va, len;
	bool read, write;
};
int dbt_vm_set_watchpoints(struct dbt_vm *vm, const struct dbt_watchpoint *w, unsigned n);
/*
 * With `step`, dbt_vcpu_run executes one instruction, takes no interrupts, ignores a breakpoint on
 * it, and leaves with DBT_EXIT_DEBUG. Stays set until changed. vCPU not running.
 */
void dbt_vcpu_set_debug(struct dbt_vcpu *vcpu, bool step);
/*
 * RAM as the vCPU would see it at virtual address `va` at EL1, permissions ignored (writes drop
 * translations of the page); no access flag or device is touched. Bytes done, less than `len` where
 * the rest is not mapped to RAM. No vCPU is inside dbt_vcpu_run.
 */
u64 dbt_vcpu_peek(struct dbt_vcpu *vcpu, gva_t va, void *buf, u64 len);
u64 dbt_vcpu_poke(struct dbt_vcpu *vcpu, gva_t va, const void *buf, u64 len);

/* Nanoseconds since the VM was created, the guest's CNTPCT/CNTVCT (1 GHz), from the TSC. */
u64 dbt_vm_clock(const struct dbt_vm *vm);

struct dbt_stats {
	u64 blocks_translated;
	u64 insns_translated;
	u64 guest_bytes;
	u64 host_bytes;
	u64 translate_ns;
	u64 insns_executed; /* only with count_insns */
	u64 mem_misses;
	u64 mem_slow;
	u64 cache_flushes;
	u64 chunk_evictions;
	u64 exceptions;
	u64 irqs;
	u64 exits[DBT_EXIT_ERROR + 1];
	u64 insns_by_rule;    /* translated instructions that came from rules */
	u64 insns_by_builder; /* ... from C builders */
};
void dbt_vm_get_stats(struct dbt_vm *vm, struct dbt_stats *st);
/* Per-rule and per-encoding use counts as JSON members, for --stats. */
void dbt_vm_dump_stats(struct dbt_vm *vm, FILE *f);
/* Executed blocks, a line each (dbt/profile.h); nothing without count_insns. No vCPU runs. */
void dbt_vm_dump_profile(struct dbt_vm *vm, FILE *f);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What bare-metal test programs share: they run at EL1 with an identity map on as many CPUs as the
 * machine has, print TAP on the PL011 and end with PSCI SYSTEM_OFF.
 */
#ifndef ARMATURE_TESTS_GUEST_H
#define ARMATURE_TESTS_GUEST_H

#define MAX_CPUS   64
#define STACK_SIZE 16384

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef int32_t s32;
typedef uint64_t u64;
typedef int64_t s64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE	      4096

#define mrs(reg)                                                    \
	({                                                          \
		u64 v_;                                             \
		asm volatile("mrs %0, " #reg : "=r"(v_)::"memory"); \
		v_;                                                 \
	})
#define msr(reg, val) asm volatile("msr " #reg ", %0" ::"r"((u64)(val)) : "memory")
#define isb()	      asm volatile("isb" ::: "memory")
#define dsb()	      asm volatile("dsb ish" ::: "memory")
#define dmb()	      asm volatile("dmb ish" ::: "memory")
#define relax()	      asm volatile("yield" ::: "memory")

#define load_acquire(p)	    __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)

/* ---- lib.c ---- */
void print(const char *fmt, ...); /* %s %d %u %x, all 64 bits wide */
/* One TAP line. */
void result(bool ok, const char *fmt, ...);
void finish(void); /* the plan, then off */
void system_off(void);
s64 psci(u64 fn, u64 a, u64 b, u64 c);
u64 now(void); /* ns */

extern unsigned n_cpus; /* after cpus_start */
static inline unsigned this_cpu(void)
{
	return (unsigned)mrs(tpidr_el1);
}
u64 mpidr_of(unsigned cpu);
void secondary_start(void);
/* Starts every CPU of the machine that is off; they wait for work. */
void cpus_start(void);
void cpu_off(void); /* this one, from within a job */
/* fn(arg) on CPUs 0 (here) to n-1 at once; returns when all have come back. */
void cpus_run(unsigned n, void (*fn)(void *), void *arg);
/* All n CPUs of a cpus_run meet. */
void rendezvous(unsigned n);
u64 random64(u64 *state);
u64 boot_arg(const char *name, u64 otherwise); /* number behind `name` on the command line */
void *memset(void *p, int c, size_t n);

/* ---- memory ---- */
#define PTE_PAGE 3ull
#define PTE_NORMAL                                                                     \
	(1ull << 2 | 3ull << 8 | 1ull << 10) /* attribute 1, inner shareable, accessed \
					      */
#define PTE_USER (1ull << 6)
#define PTE_RO	 (1ull << 7)
#define PTE_NG	 (1ull << 11)
#define PTE_PXN	 (1ull << 53)
#define PTE_UXN	 (1ull << 54)
/* 512 pages each: HIGH by TTBR1, LOW by TTBR0. */
#define HIGH_BASE 0xffffff8000000000ull
#define LOW_BASE  0x4000000000ull
extern u64 high_ptes[512], low_ptes[512];
void pte_set(u64 *pte, u64 val); /* with the barrier that makes walks see it */

/* ---- exceptions ---- */
/* The last synchronous one of any CPU, noted before the hook is called. */
extern struct exception {
	volatile unsigned n; /* since the test has cleared it */
	u64 esr, far, elr, spsr;
} last;
/* Called with the saved x0... and the return address behind x18, x29, x30; returns where to go on,
 * 0: fatal. */
extern u64 (*sync_hook)(u64 *regs, u64 elr, u64 esr, u64 far);
extern void (*irq_hook)(unsigned intid);
extern const u64 *irq_regs; /* within it: x0-x17, ... of what was interrupted */
u64 el0_call(u64 (*fn)(u64), u64 arg, u64 sp);

/* ---- interrupts ---- */
#define GICD 0x08000000ull
#define GICC 0x08010000ull /* version 2 */
static inline volatile u32 *gic_reg(u64 frame, u64 off)
{
	return (volatile u32 *)(frame + off);
}
static inline u64 gic_redist(unsigned cpu) /* version 3 */
{
	return 0x080a0000ull + cpu * 0x20000ull;
}
unsigned gic_version(void);
void gic_init_cpu(void); /* on each CPU: SGIs on, interrupts unmasked */
void gic_send_sgi(unsigned intid, u64 target_mpidr);
#endif
#endif

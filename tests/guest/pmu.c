/* SPDX-License-Identifier: MIT */
/* The performance monitors (DDI 0487 D13): registers, counting, overflow, chains, interrupts, EL0.
 */
#include "tests/guest/guest.h"

#define PPI_PMU 23
#define N	6 /* event counters */
#define EVENTS	((1u << N) - 1)
#define CYCLE	(1u << 31)
#define ALL	0xffffffffull

#define E  1u
#define P  2u
#define C  4u
#define LC (1u << 6)
#define LP (1u << 7)

#define NOT_EL1 (1u << 31)
#define NOT_EL0 (1u << 30)

enum { SW_INCR = 0, INST = 8, CYCLES = 0x11, CHAIN = 0x1e, STALL_F = 0x23, STALL_B = 0x24 };

static u64 fixed; /* PMCR_EL0's read-only part */
static unsigned bad;
static volatile unsigned irqs, seen; /* and the overflows they were for */

#define check(c)                                                     \
	do {                                                         \
		if (!(c)) {                                          \
			print("# line %u: %s\n", (u64)__LINE__, #c); \
			bad++;                                       \
		}                                                    \
	} while (0)

static void end(const char *what)
{
	result(!bad, "%s", what);
	bad = 0;
}

static void event(unsigned n, u64 type)
{
	msr(pmselr_el0, n);
	isb();
	msr(pmxevtyper_el0, type);
	isb();
}

static void put(unsigned n, u64 val)
{
	msr(pmselr_el0, n);
	isb();
	msr(pmxevcntr_el0, val);
	isb();
}

static u64 get(unsigned n)
{
	isb();
	switch (n) {
	case 0: return mrs(pmevcntr0_el0);
	case 1: return mrs(pmevcntr1_el0);
	case 2: return mrs(pmevcntr2_el0);
	default:
		msr(pmselr_el0, n);
		isb();
		return mrs(pmxevcntr_el0);
	}
}

static u64 overflows(void)
{
	return mrs(pmovsclr_el0);
}

/* Everything off and zero, with these events in the first two counters. */
static void begin(u64 first, u64 second)
{
	msr(pmcr_el0, fixed | LC | C | P);
	msr(pmcntenclr_el0, ALL);
	msr(pmovsclr_el0, ALL);
	msr(pmintenclr_el1, ALL);
	msr(pmccfiltr_el0, 0);
	isb();
	event(0, first);
	event(1, second);
	irqs = seen = 0;
}

static void run(u64 pmcr, u64 turns)
{
	asm volatile("msr pmcr_el0, %1\n"
		     "isb\n"
		     "1: subs %0, %0, #1\n"
		     "b.ne 1b\n"
		     "msr pmcr_el0, %2\n"
		     "isb"
		     : "+r"(turns)
		     : "r"(fixed | LC | E | pmcr), "r"(fixed | LC | (pmcr & LP))
		     : "cc", "memory");
}

static void increment(u64 which, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		msr(pmswinc_el0, which);
	isb();
}

static void test_registers(void)
{
	u64 ids = mrs(pmceid0_el0), more = mrs(pmceid1_el0);

	check((mrs(id_aa64dfr0_el1) >> 8 & 15) == 6 && (fixed >> 11 & 31) == N);
	check(ids >> SW_INCR & 1 && ids >> INST & 1 && ids >> CYCLES & 1 && ids >> CHAIN & 1);
	check(more >> (STALL_F - 32) & 1 && more >> (STALL_B - 32) & 1); /* Armv8.1 */
	begin(0, 0);
	msr(pmcr_el0, fixed | LC | C | P | LP);
	check(mrs(pmcr_el0) == (fixed | LC | LP)); /* C and P read as zero */
	msr(pmcr_el0, 0);
	check(mrs(pmcr_el0) == (fixed | LC)); /* LC: no AArch32 */
	msr(pmcntenset_el0, ALL);
	check(mrs(pmcntenset_el0) == (EVENTS | CYCLE) && mrs(pmcntenclr_el0) == (EVENTS | CYCLE));
	msr(pmcntenclr_el0, ~0x3ull);
	check(mrs(pmcntenset_el0) == 3);
	msr(pmcntenclr_el0, ALL);
	check(!mrs(pmcntenset_el0));
	msr(pmintenset_el1, ALL);
	check(mrs(pmintenset_el1) == (EVENTS | CYCLE));
	msr(pmintenclr_el1, ALL);
	check(!mrs(pmintenclr_el1));
	msr(pmovsset_el0, ALL);
	check(overflows() == (EVENTS | CYCLE));
	msr(pmovsclr_el0, ALL);
	check(!overflows() && !mrs(pmovsset_el0));
	end("read-only fields, set and clear registers");

	event(1, 0xea); /* no such event */
	put(1, 0xdeadbeef);
	check((mrs(pmevtyper1_el0) & 0xffff) == 0xea && mrs(pmevcntr1_el0) == 0xdeadbeef);
	msr(pmcntenset_el0, ALL);
	run(0, 1000);
	check(get(1) == 0xdeadbeef);
	event(1, STALL_F);
	run(0, 1000);
	check(get(1) == 0xdeadbeef);
	msr(pmselr_el0, 31);
	isb();
	msr(pmxevtyper_el0, NOT_EL0);
	check(mrs(pmccfiltr_el0) == NOT_EL0);
	msr(pmevcntr2_el0, ~0ull);
	check(get(2) == ~0ull);
	msr(pmcr_el0, fixed | P);
	check(!get(1) && !get(2));
	end("PMSELR, PMXEVTYPER, PMXEVCNTR; events that do not happen");
}

static void test_counting(void)
{
	u64 before = 0, now, two;

	begin(CYCLES, INST);
	msr(pmcntenset_el0, CYCLE | 3);
	run(0, 1000);
	check(mrs(pmccntr_el0) && get(0) && mrs(pmccntr_el0) < 1ull << 32);
	/* two instructions a turn; those of the two writes to PMCR_EL0 may count as well */
	check(get(1) >= 2000 && get(1) < 2100);
	two = get(1);
	run(0, 1000);
	check(get(1) >= two + 2000 && get(1) < two + 2100);
	msr(pmcr_el0, fixed | E | C);
	for (unsigned i = 0; i < 100; i++, before = now) {
		now = mrs(pmccntr_el0);
		check(now > before);
	}
	msr(pmccntr_el0, 1ull << 40);
	check(mrs(pmccntr_el0) > 1ull << 40 && mrs(pmccntr_el0) < (1ull << 40) + (1ull << 34));
	msr(pmcr_el0, fixed);
	now = mrs(pmccntr_el0);
	check(mrs(pmccntr_el0) == now);
	end("cycles go on at each look; instructions");
}

static void test_overflow(bool wide)
{
	u64 lp = wide ? LP : 0, near = wide ? ~0ull - 15 : ALL - 15;

	begin(CYCLES, INST);
	msr(pmcntenset_el0, 3);
	put(0, near);
	check(get(0) == near && !get(1));
	run(lp, 100);
	check(overflows() == 1);
	check(wide ? get(0) < near : get(0) > near); /* 64 bits wide, whenever it overflows */
	begin(INST, CYCLES);
	msr(pmcntenset_el0, 3);
	put(0, near);
	run(lp, 100);
	check(overflows() == 1);
	if (wide) { /* the low word's is none then */
		begin(CYCLES, INST);
		msr(pmcntenset_el0, 3);
		put(0, ALL - 15);
		run(lp, 100);
		check(!overflows());
	}
	begin(0, 0);
	msr(pmccntr_el0, ~0ull - 15);
	msr(pmcntenset_el0, CYCLE);
	run(lp, 100);
	check(overflows() == CYCLE);

	begin(SW_INCR, SW_INCR);
	msr(pmcntenset_el0, 3);
	put(0, near);
	increment(1, 100);
	check(get(0) == near); /* PMCR_EL0.E is clear */
	msr(pmcr_el0, fixed | E | lp);
	increment(3, 100);
	check(get(0) == near + 100 && get(1) == 100 && overflows() == 1);
	msr(pmcntenclr_el0, 2);
	event(0, SW_INCR | NOT_EL1);
	increment(3, 10);
	check(get(0) == near + 100 && get(1) == 100);
	end(wide ? "overflow at 64 bits" : "overflow at 32 bits");
}

static void test_chain(void)
{
	begin(SW_INCR, CHAIN);
	msr(pmcntenset_el0, 3);
	put(0, ALL - 15);
	msr(pmcr_el0, fixed | E);
	increment(1, 100);
	check(overflows() == 1 && get(1) == 1 && get(0) == ALL + 85);
	put(0, ALL - 15);
	put(1, ALL);
	increment(1, 100);
	check(overflows() == 3 && get(1) == ALL + 1);

	begin(CYCLES, CHAIN);
	msr(pmcntenset_el0, 3);
	put(0, ALL - 15);
	run(0, 100);
	check(get(1) == 1 && overflows() == 1);
	put(0, ALL - 15);
	put(1, ~0ull);
	run(0, 100);
	check(get(1) == 0 && overflows() == 3);
	/* the odd one alone, the even one alone */
	begin(CYCLES, CHAIN);
	put(0, ALL - 15);
	msr(pmcntenset_el0, 2);
	run(0, 100);
	check(get(0) == ALL - 15 && !get(1) && !overflows());
	begin(CYCLES, CHAIN);
	put(0, ALL - 15);
	msr(pmcntenset_el0, 1);
	run(0, 100);
	check(!get(1) && overflows() == 1);
	/* enabled too late, and in time */
	msr(pmcntenset_el0, 2);
	run(0, 100);
	check(!get(1));
	put(0, ALL - 15);
	run(0, 100);
	check(get(1) == 1);
	/* not with 64-bit overflow, nor behind an odd counter, nor where it is filtered */
	put(0, ALL - 15);
	run(LP, 100);
	check(get(1) == 1);
	begin(0, CYCLES);
	event(2, CHAIN);
	msr(pmcntenset_el0, 6);
	put(1, ALL - 15);
	run(0, 100);
	check(!get(2));
	begin(CYCLES, CHAIN | NOT_EL1);
	msr(pmcntenset_el0, 3);
	put(0, ALL - 15);
	run(0, 100);
	check(!get(1) && overflows() == 1);
	end("chained counters");
}

static void on_overflow(unsigned intid)
{
	irqs++;
	seen |= (unsigned)overflows();
	msr(pmovsclr_el0, ALL);
	isb();
}

static void test_interrupt(void)
{
	u64 until;

	gic_init_cpu();
	if (gic_version() == 3)
		*gic_reg(gic_redist(0) + 0x10000, 0x100) = 1u << PPI_PMU;
	else
		*gic_reg(GICD, 0x100) = 1u << PPI_PMU;
	irq_hook = on_overflow;
	begin(CYCLES, SW_INCR);
	msr(pmcntenset_el0, 3);
	put(0, ALL - 15);
	put(1, ALL - 15);
	run(0, 200);
	msr(pmcr_el0, fixed | E);
	increment(2, 100);
	msr(pmcr_el0, fixed);
	isb();
	check(!irqs && overflows() == 3);
	msr(pmovsclr_el0, ALL);
	put(0, ALL - 15);
	put(1, ALL - 15);
	msr(pmintenset_el1, 2);
	msr(pmcr_el0, fixed | E);
	increment(2, 100);
	check(irqs == 1 && seen & 2);
	/* by cycles, while nothing is done */
	begin(CYCLES, CHAIN);
	msr(pmcntenset_el0, 3);
	put(0, ALL - 200000);
	msr(pmintenset_el1, 1);
	msr(pmcr_el0, fixed | E);
	isb();
	for (until = now() + 1000000000; !irqs && now() < until;)
		;
	check(irqs == 1 && seen == 1 && get(1) == 1);
	/* only the chain's own overflow is asked for */
	begin(CYCLES, CHAIN);
	msr(pmcntenset_el0, 3);
	put(0, ALL - 200000);
	put(1, ~0ull);
	msr(pmintenset_el1, 2);
	msr(pmcr_el0, fixed | E);
	isb();
	for (until = now() + 1000000000; !irqs && now() < until;)
		;
	check(irqs == 1 && seen == 3 && get(1) == 0);
	begin(0, 0);
	end("overflow interrupts");
}

/* ---- EL0 ---- */

static u8 stack[PAGE] __attribute__((aligned(4096)));
static u64 trapped;

static u64 trap_hook(u64 *regs, u64 elr, u64 esr, u64 far)
{
	trapped = esr >> 26;
	return elr + 4;
}

asm(".balign 4096\n"
    "el0_page:\n"
    "el0_spin: mov x1, #10000\n"
    "1: subs x1, x1, #1\n"
    "b.ne 1b\n"
    "svc #0\n"
    "el0_cycles: mrs x0, pmccntr_el0\n"
    "svc #0\n"
    "el0_event: mrs x0, pmevcntr0_el0\n"
    "svc #0\n"
    "el0_increment: mov x0, #1\n"
    "msr pmswinc_el0, x0\n"
    "svc #0\n"
    "el0_stop: msr pmcr_el0, xzr\n"
    "svc #0\n"
    ".balign 4096\n");
extern u8 el0_page[], el0_spin[], el0_cycles[], el0_event[], el0_increment[], el0_stop[];

static u64 at_el0(const u8 *what)
{
	trapped = 0;
	return el0_call((u64(*)(u64))(LOW_BASE + 8 * PAGE + (u64)(what - el0_page)), 0,
			LOW_BASE + 9 * PAGE + 2048);
}

static void test_el0(void)
{
	u64 user, kernel;

	pte_set(&low_ptes[8], (u64)el0_page | PTE_NORMAL | PTE_PAGE | PTE_USER | PTE_RO | PTE_PXN);
	pte_set(&low_ptes[9], (u64)stack | PTE_NORMAL | PTE_PAGE | PTE_USER);
	asm volatile("tlbi vmalle1is; dsb ish; isb" ::: "memory");
	begin(INST | NOT_EL1, INST | NOT_EL0);
	msr(pmcntenset_el0, 3);
	msr(pmcr_el0, fixed | E);
	at_el0(el0_spin);
	msr(pmcr_el0, fixed);
	user = get(0);
	kernel = get(1);
	check(user >= 20000 && user < 20200 && kernel > 0 && kernel < 5000);
	end("counting at EL0 and at EL1");

	begin(SW_INCR, 0);
	msr(pmcntenset_el0, 1 | CYCLE);
	msr(pmcr_el0, fixed | E);
	sync_hook = trap_hook;
	for (u64 en = 0; en < 16; en++) { /* EN, SW, CR, ER */
		msr(pmuserenr_el0, en);
		isb();
		at_el0(el0_cycles);
		check(!trapped == !!(en & 5));
		check(!trapped || trapped == 0x18);
		at_el0(el0_event);
		check(!trapped == !!(en & 9));
		at_el0(el0_increment);
		check(!trapped == !!(en & 3));
		at_el0(el0_stop);
		check(!trapped == !!(en & 1));
		msr(pmcr_el0, fixed | E);
	}
	check(get(0) == 12);
	sync_hook = NULL;
	msr(pmuserenr_el0, 0);
	begin(0, 0);
	end("PMUSERENR_EL0");
}

int main(void);
int main(void)
{
	fixed = mrs(pmcr_el0) & 0xffffff00;
	test_registers();
	test_counting();
	test_overflow(false);
	test_overflow(true);
	test_chain();
	test_interrupt();
	test_el0();
	finish();
	return 0;
}

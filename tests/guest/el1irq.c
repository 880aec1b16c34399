/* SPDX-License-Identifier: MIT */
/*
 * Interrupts, waiting, timers, performance monitors and self-hosted debug on one CPU.
 */
#include "tests/guest/guest.h"

#define PPI_PMU	   23
#define PPI_VTIMER 27

static struct {
	volatile unsigned n;
	volatile unsigned intid;
	u64 elr;
} irq;

static u64 clear_spsr; /* bits taken from the PSTATE returned to */

static void on_ppi(unsigned intid)
{
	irq.n++;
	irq.intid = intid;
	irq.elr = mrs(elr_el1);
	if (intid == PPI_VTIMER)
		msr(cntv_ctl_el0, 2);
	if (intid == PPI_PMU)
		msr(pmovsclr_el0, ~0u);
	isb();
}

static u64 hook(u64 *regs, u64 elr, u64 esr, u64 far)
{
	regs[22] &= ~clear_spsr;
	return last.n > 1000 ? 0 : esr >> 26 == 0x3c ? elr + 4 : elr;
}

static void ppi_enable(unsigned intid)
{
	*(volatile u32 *)(0x080a0000ull + 0x10100) = 1u << intid;
}

/* ---- interrupts ---- */

/* Four registers go up together; what the interrupt sees must be a state between two instructions.
 */
static struct {
	unsigned bad, at[8];
} landing;

u64 landing_loop(u64 turns);
extern const u32 landing_first[];
asm(".text\n"
    "landing_loop:\n"
    "	mov	x1, #0\n"
    "	mov	x2, #0\n"
    "	mov	x3, #0\n"
    "	mov	x4, #0\n"
    "landing_first:\n"
    "1:	add	x1, x1, #1\n"
    "	add	x2, x2, #1\n"
    "	add	x3, x3, #1\n"
    "	add	x4, x4, #1\n"
    "	subs	x0, x0, #1\n"
    "	b.ne	1b\n"
    "	mov	x0, x4\n"
    "	ret\n");

static void landing_irq(unsigned intid)
{
	u64 elr = mrs(elr_el1), at = (elr - (u64)landing_first) / 4;
	on_ppi(intid);
	msr(cntv_tval_el0, 3000 + elr % 977);
	msr(cntv_ctl_el0, 1);
	isb();
	if (elr < (u64)landing_first || at > 5)
		return;
	landing.at[at]++;
	for (u64 i = 0; i < 4; i++)
		landing.bad += irq_regs[1 + i] != irq_regs[4] + (at > i && at < 4);
}

static void test_landing(void)
{
	u64 until = now() + 3000000000, bad = 0;

	irq_hook = landing_irq;
	irq.n = 0;
	msr(cntv_tval_el0, 3000);
	msr(cntv_ctl_el0, 1);
	isb();
	while (irq.n < 50 && now() < until)
		bad += landing_loop(100000) != 100000;
	msr(cntv_ctl_el0, 2);
	irq_hook = on_ppi;
	result(!bad && irq.n >= 50 && !landing.bad,
	       "interrupts during a loop change nothing in it");
}

/* ---- timer ---- */

static bool fires_within(u64 cval, u64 ns)
{
	u64 until = now() + ns;

	irq.n = 0;
	msr(cntv_cval_el0, cval);
	msr(cntv_ctl_el0, 1);
	isb();
	while (!irq.n && now() < until)
		;
	msr(cntv_ctl_el0, 2);
	isb();
	return irq.n == 1 && irq.intid == PPI_VTIMER;
}

static void test_timer(void)
{
	result(fires_within(now() + 100000, 1000000000), "timer: a compare value ahead");
	result(fires_within(0, 1000000000), "timer: a compare value of the past");
	result(!fires_within(~0ull, 2000000), "timer: the last compare value is not now");
	result(!fires_within(now() + (1ull << 63), 2000000),
	       "timer: compare values are unsigned 64-bit");
	msr(cntv_tval_el0, (u32)-5);
	result(mrs(cntv_cval_el0) < now(), "timer: a negative TVAL lies in the past");
	msr(cntv_tval_el0, 0x7fffffff);
	result((s32)mrs(cntv_tval_el0) > 0x70000000, "timer: TVAL counts down");
	msr(cntv_cval_el0, now() + 1000000000);
	msr(cntv_ctl_el0, 1);
	result(mrs(cntv_ctl_el0) == 1, "timer: ISTATUS clear before");
	msr(cntv_cval_el0, 0);
	msr(cntv_ctl_el0, 3);
	result(mrs(cntv_ctl_el0) == 7, "timer: ISTATUS set though masked");
	msr(cntv_ctl_el0, 2);
}

/* ---- waiting ---- */

static void wfit(u64 until)
{
	asm volatile("mov x9, %0; .inst 0xd5031029" ::"r"(until) : "x9");
}

static void test_wait(void)
{
	u64 t0 = now(), t1;
	unsigned early = 0;

	asm volatile("msr daifset, #2");
	irq.n = 0;
	msr(cntv_tval_el0, 2000000);
	msr(cntv_ctl_el0, 1);
	isb();
	asm volatile("wfi");
	t1 = now();
	result(t1 - t0 >= 1900000 && !irq.n, "WFI: a masked interrupt ends it and is not taken");
	asm volatile("msr daifclr, #2");
	isb();
	result(irq.n == 1, "... and is taken once unmasked");
	asm volatile("sev; wfe; sevl; wfe");
	result(true, "SEV, SEVL, WFE go on");
	t0 = now();
	asm volatile("mov x9, %0; .inst 0xd5031009" ::"r"(t0 + 1000) : "x9"); /* wfet x9 */
	result(now() - t0 < 1000000000, "WFET ends");
	wfit(t0);
	wfit(0);
	result(now() - t0 < 1000000000, "WFIT: a deadline of the past");
	for (u64 ns = 1000; ns < 4000000; ns *= 2) {
		t0 = now();
		wfit(t0 + ns);
		early += now() < t0 + ns;
	}
	result(!early, "WFIT lasts until its deadline, near or far");
	irq.n = 0;
	msr(cntv_tval_el0, 1000000);
	msr(cntv_ctl_el0, 1);
	isb();
	wfit(~0ull);
	result(irq.n == 1, "WFIT ends by an interrupt");
	irq.n = 0;
	t0 = now();
	msr(cntv_tval_el0, 5000);
	msr(cntv_ctl_el0, 1);
	isb();
	while (!irq.n)
		wfit(now() + 90000);
	result(now() - t0 >= 5000, "... a short one, too");
}

/* ---- performance monitors ---- */

static void spin(u64 turns)
{
	asm volatile("1: subs %0, %0, #1; b.ne 1b" : "+r"(turns)::"cc");
}

static void test_pmu(void)
{
	u64 c0, c1, i0, i1;
	u64 events = mrs(pmceid0_el0);

	result(mrs(id_aa64dfr0_el1) >> 8 & 15, "PMUv3 is there");
	result(events >> 17 & 1 && events >> 8 & 1, "PMCEID0: cycles and instructions");
	msr(pmcr_el0, 1 | 2 | 4 | 1 << 6);
	msr(pmevtyper0_el0, 8);
	msr(pmevtyper1_el0, 0x11);
	msr(pmcntenset_el0, 1u << 31 | 3);
	isb();
	spin(10);
	c0 = mrs(pmccntr_el0);
	i0 = mrs(pmevcntr0_el0);
	spin(1000000);
	i1 = mrs(pmevcntr0_el0);
	c1 = mrs(pmccntr_el0);
	result(c1 > c0 && mrs(pmevcntr1_el0) >= c1 - c0, "cycles count");
	result(i1 - i0 >= 2000000 && i1 - i0 < 2001000, "instructions: %u for 2000000", i1 - i0);
	msr(pmcntenclr_el0, 3);
	i0 = mrs(pmevcntr0_el0);
	spin(1000);
	result(mrs(pmevcntr0_el0) == i0, "a disabled counter stands still");
	/* overflow of the low word, by interrupt */
	irq.n = 0;
	msr(pmovsclr_el0, ~0u);
	msr(pmevcntr1_el0, 0xffffffffull - 500000);
	msr(pmintenset_el1, 2);
	msr(pmcntenset_el0, 2);
	isb();
	u64 until = now() + 1000000000;
	while (!irq.n && now() < until)
		;
	result(irq.n == 1 && irq.intid == PPI_PMU, "overflow: interrupt 23, once");
	/* nothing else is due: only the counter can end it */
	irq.n = 0;
	msr(pmevcntr1_el0, 0xffffffffull - 3000000);
	isb();
	while (!irq.n)
		asm volatile("wfi");
	result(irq.intid == PPI_PMU, "overflow ends WFI");
	msr(pmintenclr_el1, ~0u);
	msr(pmcr_el0, 0);
}

/* ---- self-hosted debug ---- */

static volatile u64 watched[4] __attribute__((aligned(32)));
u64 stepped(u64 v);
extern const u32 stepped_second[];
asm(".text\n"
    "stepped:\n"
    "	add	x0, x0, #1\n"
    "stepped_second:\n"
    "	add	x0, x0, #2\n"
    "	add	x0, x0, #4\n"
    "	ret\n");

/* They return to where it happened: it must be off by then. */
static u64 break_hook(u64 *regs, u64 elr, u64 esr, u64 far)
{
	msr(dbgbcr0_el1, 0);
	isb();
	return hook(regs, elr, esr, far);
}

static u64 watch_hook(u64 *regs, u64 elr, u64 esr, u64 far)
{
	msr(dbgwcr0_el1, 0);
	isb();
	return hook(regs, elr, esr, far);
}

static void test_debug(void)
{
	u64 v;

	msr(oslar_el1, 0);
	isb();
	/* breakpoint, at EL1 */
	last.n = 0;
	clear_spsr = 0;
	msr(dbgbvr0_el1, (u64)stepped_second);
	msr(dbgbcr0_el1, 1u | 1 << 1 | 0xf << 5);
	msr(mdscr_el1, 1u << 15 | 1 << 13); /* MDE, KDE */
	isb();
	asm volatile("msr daifclr, #8");
	sync_hook = break_hook;
	v = stepped(0);
	sync_hook = hook;
	result(v == 7 && last.n == 1 && last.esr >> 26 == 0x31 && (last.esr & 0x3f) == 0x22 &&
		       last.elr == (u64)stepped_second,
	       "hardware breakpoint at EL1");
	/* watchpoints: a store to a byte, a load next to it */
	last.n = 0;
	msr(dbgwvr0_el1, (u64)&watched[1]);
	msr(dbgwcr0_el1, 1u | 1 << 1 | 2 << 3 | 0x10 << 5); /* stores, byte 4 */
	isb();
	sync_hook = watch_hook;
	((volatile u8 *)watched)[8] = 1;
	v = watched[1];
	watched[2] = v;
	result(last.n == 0, "watchpoint: other bytes and loads pass");
	((volatile u8 *)watched)[12] = 1;
	result(last.n == 1 && last.esr >> 26 == 0x35 && last.esr & 1 << 6 &&
		       (last.esr & 0x3f) == 0x22 && last.far == (u64)watched + 12,
	       "watchpoint: a store to its byte");
	msr(dbgwcr0_el1, 0);
	msr(mdscr_el1, 0);
	asm volatile("msr daifset, #8");
	isb();
	sync_hook = hook;
}

int main(void)
{
	sync_hook = hook;
	irq_hook = on_ppi;
	gic_init_cpu();
	ppi_enable(PPI_PMU);
	ppi_enable(PPI_VTIMER);
	test_timer();
	test_wait();
	test_landing();
	test_pmu();
	test_debug();
	finish();
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * The interrupt controller as the architecture has it, versions 2 and 3: pending and active states,
 * priorities, the two ways to end an interrupt, groups, SGIs, routing. Interrupts stay masked in
 * PSTATE: ISR_EL1 tells what is signalled, the acknowledge registers are read by hand.
 */
#include "tests/guest/guest.h"

#define SPURIOUS 1023u
#define UART	 0x09000000ull
#define UART_SPI 33u

static bool v3;
static unsigned failed; /* checks of the running test */

#define check(cond)                                                             \
	do {                                                                    \
		if (!(cond)) {                                                  \
			if (!failed++)                                          \
				print("# line %u: %s\n", (u64)__LINE__, #cond); \
		}                                                               \
	} while (0)

/* ---- one set of names for both versions: group 1 of version 3, group 0 of version 2 ---- */

static u64 frame(unsigned intid)
{
	return v3 && intid < 32 ? gic_redist(this_cpu()) + 0x10000 : GICD;
}
enum {
	IGROUPR = 0x80,
	ISENABLER = 0x100,
	ICENABLER = 0x180,
	ISPENDR = 0x200,
	ICPENDR = 0x280,
	ISACTIVER = 0x300,
	ICACTIVER = 0x380,
};
static bool get(u64 reg, unsigned intid)
{
	return *gic_reg(frame(intid), reg + intid / 32 * 4) >> intid % 32 & 1;
}
static void set(u64 reg, unsigned intid)
{
	*gic_reg(frame(intid), reg + intid / 32 * 4) = 1u << intid % 32;
}
static void group(unsigned intid, unsigned to)
{
	volatile u32 *r = gic_reg(frame(intid), IGROUPR + intid / 32 * 4);

	*r = (*r & ~(1u << intid % 32)) | to << intid % 32;
}
static void prio(unsigned intid, u8 p)
{
	*(volatile u8 *)(frame(intid) + 0x400 + intid) = p;
}
static void edge(unsigned intid, bool on)
{
	volatile u32 *r = gic_reg(frame(intid), 0xc00 + intid / 16 * 4);
	u32 bit = 2u << intid % 16 * 2;

	*r = on ? *r | bit : *r & ~bit;
}
static void route(unsigned intid, unsigned cpu)
{
	if (v3)
		*(volatile u64 *)(GICD + 0x6000 + 8 * intid) = mpidr_of(cpu);
	else
		*(volatile u8 *)(GICD + 0x800 + intid) = (u8)(1u << cpu);
}

#define V3_REG(name, sys, off)                                   \
	static u32 name(void)                                    \
	{                                                        \
		return v3 ? (u32)mrs(sys) : *gic_reg(GICC, off); \
	}                                                        \
	static void __attribute__((unused)) name##_set(u32 v)    \
	{                                                        \
		if (v3) {                                        \
			msr(sys, v);                             \
			isb();                                   \
		} else {                                         \
			*gic_reg(GICC, off) = v;                 \
		}                                                \
	}
V3_REG(pmr, S3_0_C4_C6_0, 0x4)
V3_REG(rpr, S3_0_C12_C11_3, 0x14)
V3_REG(hppir, S3_0_C12_C12_2, 0x18)
V3_REG(ack, S3_0_C12_C12_0, 0xc)
V3_REG(bpr, S3_0_C12_C12_3, 0x8)

static void eoi(u32 iar)
{
	if (v3)
		msr(S3_0_C12_C12_1, iar);
	else
		*gic_reg(GICC, 0x10) = iar;
	isb();
}
static void deactivate(u32 iar)
{
	if (v3)
		msr(S3_0_C12_C11_1, iar);
	else
		*gic_reg(GICC, 0x1000) = iar;
	isb();
}
static void eoi_mode(bool split)
{
	if (v3)
		msr(S3_0_C12_C12_4, (u64)split << 1);
	else
		*gic_reg(GICC, 0) = 1u | (u32)split << 9;
	isb();
}
static bool irq_signalled(void)
{
	isb();
	return mrs(isr_el1) & 1 << 7;
}
static bool fiq_signalled(void)
{
	isb();
	return mrs(isr_el1) & 1 << 6;
}

/* Every CPU, before each test: all quiet, masked, SPIs at priority 0x80 and routed to CPU 0. */
static void cpu_reset(void *arg)
{
	asm volatile("msr daifset, #3");
	gic_init_cpu();
	asm volatile("msr daifset, #3");
	for (unsigned k = 0; k < 64; k++) { /* what a failed test left active */
		u32 iar = ack();

		if ((iar & 0x3ff) >= 1020)
			break;
		eoi(iar);
	}
	eoi_mode(false);
	bpr_set(0);
	for (unsigned i = 0; i < 32; i++) {
		set(ICPENDR, i);
		set(ICACTIVER, i);
		if (i >= 16)
			set(ICENABLER, i);
		if (!v3 && i < 16)
			*(volatile u8 *)(GICD + 0xf10 + i) = 0xff; /* GICD_CPENDSGIR */
	}
	if (this_cpu())
		return;
	for (unsigned i = 32; i < 256; i++) {
		set(ICENABLER, i);
		set(ICPENDR, i);
		set(ICACTIVER, i);
		prio(i, 0x80);
		edge(i, false);
		if (v3)
			group(i, 1);
		route(i, 0);
	}
}

static void begin(void)
{
	failed = 0;
	cpus_run(n_cpus, cpu_reset, NULL);
}
#define end(...) result(!failed, __VA_ARGS__)

enum { A = 100, B = 101, C = 102 }; /* SPIs without a device */

/* ---- one CPU ---- */

static void test_identity(void)
{
	u32 typer;

	begin();
	typer = *gic_reg(GICD, 4);
	check((typer & 31) >= 7); /* 256 INTIDs */
	if (!v3)
		check((typer >> 5 & 7) == n_cpus - 1);
	*gic_reg(GICD, 4) = ~typer;
	check(*gic_reg(GICD, 4) == typer);
	*gic_reg(GICD, 8) = 0;
	check(*gic_reg(GICD, 8) == 0x43b);
	prio(A, 0xff); /* five bits of priority */
	check(*(volatile u8 *)(GICD + 0x400 + A) == 0xf8);
	*gic_reg(GICD, 0x400 + A) = 0x10203040;
	check(*(volatile u8 *)(GICD + 0x400 + A + 1) == 0x30);
	check(*(volatile u8 *)(GICD + 0x400 + A + 3) == 0x10);
	if (!v3) {
		check(*(volatile u8 *)(GICD + 0x800) == (n_cpus > 1 ? 1 << this_cpu() : 0));
		check(*gic_reg(GICD, 0x100) == (*gic_reg(GICD, 0x100) | 0xffff));
		*gic_reg(GICD, 0x180) = 0xffff; /* SGIs cannot be disabled */
		check((*gic_reg(GICD, 0x100) & 0xffff) == 0xffff);
	}
	check((*gic_reg(frame(0), 0xc00) & 0xaaaaaaaa) == 0xaaaaaaaa); /* SGIs: edge */
	check(rpr() == 0xff);
	check(ack() == SPURIOUS && hppir() == SPURIOUS);
	end("identity, read-only registers, priorities by byte and word");
}

static void test_states(void)
{
	u32 iar;

	begin();
	set(ISPENDR, A);
	check(get(ISPENDR, A) && !irq_signalled() && ack() == SPURIOUS); /* disabled */
	set(ISENABLER, A);
	check(get(ISENABLER, A) && irq_signalled() && hppir() == A);
	iar = ack();
	check(iar == A && get(ISACTIVER, A) && !get(ISPENDR, A) && !irq_signalled());
	check(rpr() == 0x80);
	set(ISPENDR, A); /* active and pending */
	check(get(ISACTIVER, A) && get(ISPENDR, A) && !irq_signalled() && ack() == SPURIOUS);
	eoi(iar);
	check(!get(ISACTIVER, A) && irq_signalled() && rpr() == 0xff);
	set(ICPENDR, A);
	check(!get(ISPENDR, A) && !irq_signalled() && ack() == SPURIOUS);
	set(ISPENDR, A);
	set(ICENABLER, A); /* pending stays while disabled */
	check(get(ISPENDR, A) && !irq_signalled());
	set(ISACTIVER, A); /* active by software blocks it */
	set(ISENABLER, A);
	check(!irq_signalled() && ack() == SPURIOUS);
	set(ICACTIVER, A);
	check(irq_signalled() && ack() == A);
	set(ICACTIVER, A); /* deactivated behind the CPU's back: its priority stays */
	check(rpr() == 0x80);
	eoi(A);
	check(rpr() == 0xff);
	end("inactive, pending, active, active and pending");
}

static void test_priorities(void)
{
	begin();
	for (unsigned i = A; i <= C; i++) {
		set(ISENABLER, i);
		set(ISPENDR, i);
	}
	prio(A, 0xa0);
	prio(B, 0x40);
	prio(C, 0x40);
	check(ack() == B && rpr() == 0x40 && !irq_signalled()); /* equal: the lower INTID */
	eoi(B);
	check(ack() == C);
	eoi(C);
	check(ack() == A && rpr() == 0xa0);
	set(ISPENDR, B);
	check(irq_signalled() && ack() == B && rpr() == 0x40); /* preempts */
	set(ISPENDR, C);
	check(!irq_signalled()); /* not its equal */
	prio(C, 0x38);
	check(irq_signalled() && ack() == C && rpr() == 0x38);
	eoi(C);
	check(rpr() == 0x40);
	eoi(B);
	check(rpr() == 0xa0);
	eoi(A);
	check(rpr() == 0xff);
	end("priorities: order, preemption, running priority");
}

static void test_mask(void)
{
	begin();
	set(ISENABLER, A);
	set(ISPENDR, A);
	pmr_set(0x80);
	check(pmr() == 0x80 && !irq_signalled() && ack() == SPURIOUS);
	check(get(ISPENDR, A));
	pmr_set(0x88);
	check(irq_signalled());
	prio(A, 0x90);
	check(!irq_signalled());
	pmr_set(0xff);
	check(pmr() == 0xf8 && irq_signalled());
	pmr_set(0);
	prio(A, 0);
	check(!irq_signalled()); /* nothing is above a mask of 0 */
	pmr_set(0xf0);
	check(ack() == A);
	eoi(A);
	end("priority mask");
}

static void test_binary_point(void)
{
	begin();
	set(ISENABLER, A);
	set(ISENABLER, B);
	prio(A, 0x68);
	prio(B, 0x48);
	bpr_set(v3 ? 6 : 5); /* group priority: the upper two bits */
	check(bpr() == (v3 ? 6 : 5));
	set(ISPENDR, A);
	check(ack() == A && rpr() == 0x40);
	set(ISPENDR, B);
	check(!irq_signalled()); /* higher, but in the same group of priorities */
	prio(B, 0x38);
	check(irq_signalled() && ack() == B);
	eoi(B);
	eoi(A);
	prio(B, 0x60); /* of those that wait, the subpriority decides */
	set(ISPENDR, A);
	set(ISPENDR, B);
	check(ack() == B);
	eoi(B);
	check(ack() == A);
	eoi(A);
	bpr_set(0);
	check(bpr() == (v3 ? 3 : 2));
	end("binary point");
}

static void test_split(void)
{
	begin();
	eoi_mode(true);
	set(ISENABLER, A);
	set(ISENABLER, B);
	set(ISPENDR, A);
	check(ack() == A);
	set(ISPENDR, B);
	check(!irq_signalled());
	eoi(A); /* drops the priority only */
	check(rpr() == 0xff && get(ISACTIVER, A) && irq_signalled());
	set(ISPENDR, A);
	check(ack() == B);
	eoi(B);
	check(!irq_signalled() && get(ISPENDR, A)); /* both are still active */
	deactivate(B);
	check(!get(ISACTIVER, B) && !irq_signalled());
	deactivate(A);
	check(!get(ISACTIVER, A) && irq_signalled() && ack() == A);
	eoi(A);
	deactivate(A);
	eoi_mode(false);
	set(ISPENDR, A);
	check(ack() == A);
	deactivate(A); /* nothing without the split mode */
	check(get(ISACTIVER, A));
	eoi(A);
	check(!get(ISACTIVER, A));
	end("priority drop and deactivation apart");
}

/* The virtual timer's PPI, 27: a level that stays until the timer is quiet. */
static void test_level(void)
{
	begin();
	msr(cntv_ctl_el0, 0);
	msr(cntv_cval_el0, 0);
	set(ISENABLER, 27);
	check(!get(ISPENDR, 27) && !irq_signalled());
	msr(cntv_ctl_el0, 1);
	check(get(ISPENDR, 27) && irq_signalled());
	set(ICPENDR, 27); /* does not reach the wire */
	check(get(ISPENDR, 27) && irq_signalled());
	msr(cntv_ctl_el0, 3); /* masked at the timer */
	check(!get(ISPENDR, 27) && !irq_signalled() && ack() == SPURIOUS);
	check(mrs(cntv_ctl_el0) == 7);
	msr(cntv_ctl_el0, 1);
	check(ack() == 27 && get(ISPENDR, 27) && get(ISACTIVER, 27) && !irq_signalled());
	eoi(27); /* not served: again */
	check(irq_signalled() && ack() == 27);
	msr(cntv_cval_el0, ~0ull >> 1);
	check(!get(ISPENDR, 27) && get(ISACTIVER, 27));
	eoi(27);
	check(!irq_signalled());
	set(ISPENDR,
	    27); /* pended by software it waits until taken or cleared, whatever the wire */
	check(irq_signalled());
	msr(cntv_cval_el0, 0);
	msr(cntv_cval_el0, ~0ull >> 1);
	check(irq_signalled() && ack() == 27);
	eoi(27);
	check(!irq_signalled());
	msr(cntv_ctl_el0, 0);
	end("level: the timer's line");
}

static void wire(bool high)
{
	*gic_reg(UART, 0x38) =
		high ? 1 << 5 : 0; /* UARTIMSC: transmit, asserted since the last print */
}

static void test_edge(void)
{
	begin();
	print("# the UART's line\n");
	set(ISENABLER, UART_SPI);
	wire(true);
	check(irq_signalled() && ack() == UART_SPI && get(ISPENDR, UART_SPI));
	wire(false);
	check(!get(ISPENDR, UART_SPI));
	eoi(UART_SPI);
	check(!irq_signalled());
	edge(UART_SPI, true);
	check(*gic_reg(GICD, 0xc00 + 8) == 2u << 2);
	wire(true);
	wire(false);
	check(get(ISPENDR, UART_SPI) && irq_signalled()); /* kept */
	check(ack() == UART_SPI && !get(ISPENDR, UART_SPI));
	wire(true); /* while active: once more */
	check(get(ISPENDR, UART_SPI) && !irq_signalled());
	eoi(UART_SPI);
	check(irq_signalled() && ack() == UART_SPI);
	eoi(UART_SPI);
	check(!irq_signalled()); /* still high, but no new edge */
	wire(false);
	wire(true);
	set(ICPENDR, UART_SPI);
	check(!irq_signalled());
	wire(false);
	edge(UART_SPI, false);
	end("edge and level of one line");
}

static void test_enables(void)
{
	u32 ctlr = *gic_reg(GICD, 0);

	begin();
	set(ISENABLER, A);
	set(ISPENDR, A);
	*gic_reg(GICD, 0) = 0;
	check(!irq_signalled() && ack() == SPURIOUS && get(ISPENDR, A));
	*gic_reg(GICD, 0) = v3 ? 2 : 1;
	check(irq_signalled());
	if (v3)
		msr(S3_0_C12_C12_7, 0);
	else
		*gic_reg(GICC, 0) = 0;
	check(!irq_signalled() && ack() == SPURIOUS);
	if (v3)
		msr(S3_0_C12_C12_7, 1);
	else
		*gic_reg(GICC, 0) = 1;
	check(irq_signalled() && ack() == A);
	eoi(A);
	*gic_reg(GICD, 0) = ctlr;
	end("group enables of distributor and CPU interface");
}

/* ---- groups ---- */

static void test_groups_v3(void)
{
	begin();
	*gic_reg(GICD, 0) = 3;
	msr(S3_0_C12_C12_6, 1); /* ICC_IGRPEN0 */
	group(A, 0);
	set(ISENABLER, A);
	set(ISENABLER, B);
	set(ISPENDR, A);
	check(fiq_signalled() && !irq_signalled());
	check(ack() == SPURIOUS && mrs(S3_0_C12_C8_2) == A); /* ICC_IAR1; ICC_HPPIR0 */
	set(ISPENDR, B);
	check(fiq_signalled() && !irq_signalled()); /* one at a time: A, the lower INTID */
	prio(B, 0x40);
	check(irq_signalled() && !fiq_signalled() && mrs(S3_0_C12_C8_0) == SPURIOUS);
	check(ack() == B);
	prio(A, 0x20);
	check(fiq_signalled() && mrs(S3_0_C12_C8_0) == A && rpr() == 0x20);
	msr(S3_0_C12_C8_1, A); /* ICC_EOIR0 */
	check(rpr() == 0x40);
	eoi(B);
	check(rpr() == 0xff);
	msr(S3_0_C12_C12_6, 0);
	set(ISPENDR, A);
	check(!fiq_signalled());
	set(ICPENDR, A);
	*gic_reg(GICD, 0) = 2;
	end("groups 0 and 1: FIQ and IRQ");
}

static void test_groups_v2(void)
{
	begin();
	*gic_reg(GICD, 0) = 3;
	*gic_reg(GICC, 0) = 3; /* both groups by IRQ */
	group(B, 1);
	set(ISENABLER, A);
	set(ISENABLER, B);
	set(ISPENDR, B);
	check(irq_signalled() && ack() == 1022 && hppir() == 1022);
	pmr_set(0x40); /* not signalled: nor is there anything to acknowledge elsewhere */
	check(!irq_signalled() && ack() == SPURIOUS && hppir() == 1022);
	pmr_set(0xf0);
	check(*gic_reg(GICC, 0x28) == B && *gic_reg(GICC, 0x20) == B); /* GICC_AHPPIR, AIAR */
	*gic_reg(GICC, 0x24) = B;				       /* GICC_AEOIR */
	check(rpr() == 0xff && !get(ISACTIVER, B));
	*gic_reg(GICC, 0) = 3 | 1 << 2; /* AckCtl */
	set(ISPENDR, B);
	check(ack() == B);
	eoi(B);
	check(rpr() == 0xff && !get(ISACTIVER, B));
	*gic_reg(GICC, 0) = 3 | 1 << 3; /* FIQEn: group 0 by FIQ */
	set(ISPENDR, A);
	check(fiq_signalled() && !irq_signalled() && *gic_reg(GICC, 0x20) == SPURIOUS);
	check(ack() == A);
	eoi(A);
	set(ISPENDR, B);
	check(irq_signalled() && !fiq_signalled() && *gic_reg(GICC, 0x20) == B);
	*gic_reg(GICC, 0x24) = B;
	group(B, 0);
	*gic_reg(GICC, 0) = 1;
	*gic_reg(GICD, 0) = 1;
	end("groups 0 and 1: FIQ and IRQ, aliased registers");
}

/* ---- several CPUs ---- */

static u32 got[MAX_CPUS][16]; /* by CPU and SGI */
static u32 sources[MAX_CPUS];

static void take_sgis(void *arg)
{
	u64 until = now() + 20000000; /* what is on its way is there at once; a wrong one, soon */
	unsigned me = this_cpu();

	rendezvous(n_cpus);
	for (unsigned idle = 0; now() < until || idle < 100; idle++) {
		u32 iar = ack();

		if ((iar & 0x3ff) >= 16)
			continue;
		idle = 0;
		got[me][iar & 15]++;
		sources[me] |= 1u << (iar >> 10 & 7);
		eoi(iar);
	}
}

static void sgi(unsigned filter, u64 mask, unsigned id)
{
	dsb();
	if (v3)
		msr(S3_0_C12_C11_5, (u64)(filter == 1) << 40 | (u64)id << 24 | (mask & 0xffff));
	else
		*gic_reg(GICD, 0xf00) = filter << 24 | (u32)(mask & 0xff) << 16 | id;
	isb();
}

static void test_sgis(void)
{
	u64 few = n_cpus > 2 ? 5 : 3;
	unsigned me = this_cpu();

	begin();
	memset(got, 0, sizeof(got));
	memset(sources, 0, sizeof(sources));
	sgi(0, few, 1);
	sgi(1, 0, 2); /* all but this one */
	sgi(0, 1u << me, 3);
	sgi(0, 1u << me, 3); /* pending already: one */
	sgi(0, 0, 4);	     /* nobody */
	check(get(ISPENDR, 3) && irq_signalled());
	cpus_run(n_cpus, take_sgis, NULL);
	for (unsigned i = 0; i < n_cpus; i++) {
		check(got[i][1] == (few >> i & 1));
		check(got[i][2] == (i != me));
		check(got[i][3] == (i == me));
		check(got[i][4] == 0);
	}
	end("SGIs: to a list, to all others, to itself, to nobody");
}

static void send_all(void *arg)
{
	sgi(0, 1, 6); /* to CPU 0 */
}

/* Version 2 keeps one pending bit a sender. */
static void test_sgi_sources(void)
{
	begin();
	memset(got, 0, sizeof(got));
	memset(sources, 0, sizeof(sources));
	cpus_run(n_cpus, send_all, NULL);
	check(*(volatile u8 *)(GICD + 0xf20 + 6) == (1u << n_cpus) - 1); /* GICD_SPENDSGIR */
	*(volatile u8 *)(GICD + 0xf10 + 6) = 2;				 /* GICD_CPENDSGIR */
	cpus_run(n_cpus, take_sgis, NULL);
	check(got[0][6] == n_cpus - 1 && sources[0] == (((1u << n_cpus) - 1) & ~2u));
	*(volatile u8 *)(GICD + 0xf20 + 7) = 2;
	check(ack() == (7 | 1 << 10));
	eoi(7 | 1 << 10);
	sgi(2, 0, 8); /* filter: only this CPU */
	check(ack() == 8);
	eoi(8);
	end("SGIs by sender");
}

static u32 spi_taken[MAX_CPUS];
static unsigned spi_left;

static void take_spis(void *arg)
{
	u64 until = now() + 20000000;

	rendezvous(n_cpus);
	for (unsigned idle = 0; now() < until || idle < 100; idle++) {
		u32 iar = ack();

		if (iar >= 1020)
			continue;
		idle = 0;
		__atomic_fetch_add(&spi_taken[this_cpu()], 1, __ATOMIC_RELAXED);
		eoi(iar);
		if (spi_left && __atomic_fetch_sub(&spi_left, 1, __ATOMIC_RELAXED) > 1)
			set(ISPENDR, iar);
	}
}

static void test_routing(void)
{
	begin();
	set(ISENABLER, A);
	for (unsigned i = 0; i < n_cpus; i++) {
		memset(spi_taken, 0, sizeof(spi_taken));
		spi_left = 0;
		route(A, i);
		set(ISPENDR, A);
		check(irq_signalled() == (i == 0));
		cpus_run(n_cpus, take_spis, NULL);
		for (unsigned k = 0; k < n_cpus; k++)
			check(spi_taken[k] == (k == i));
	}
	/* Pending here, then sent elsewhere: it is withdrawn, and taken there. */
	memset(spi_taken, 0, sizeof(spi_taken));
	route(A, 0);
	set(ISPENDR, A);
	check(irq_signalled());
	route(A, 1);
	check(!irq_signalled() && ack() == SPURIOUS);
	cpus_run(n_cpus, take_spis, NULL);
	check(spi_taken[0] == 0 && spi_taken[1] == 1);
	if (v3) { /* to a CPU that is not there: it waits */
		*(volatile u64 *)(GICD + 0x6000 + 8 * A) = 0xff0000;
		check(*(volatile u64 *)(GICD + 0x6000 + 8 * A) == 0xff0000);
		set(ISPENDR, A);
		check(!irq_signalled() && get(ISPENDR, A));
		route(A, 0);
		check(irq_signalled() && ack() == A);
		eoi(A);
	}
	end("SPIs routed to each CPU, and moved while pending");
}

/* Version 2: several targets, and each time just one takes it. */
static void test_one_of_many(void)
{
	unsigned sum = 0;

	begin();
	memset(spi_taken, 0, sizeof(spi_taken));
	spi_left = 2000;
	*(volatile u8 *)(GICD + 0x800 + A) = (u8)((1u << n_cpus) - 1);
	set(ISENABLER, A);
	set(ISPENDR, A);
	cpus_run(n_cpus, take_spis, NULL);
	for (unsigned i = 0; i < n_cpus; i++)
		sum += spi_taken[i];
	check(sum == 2000 - spi_left && sum > 0);
	end("an SPI with several targets is taken once");
}

/* What the private registers say is this CPU's own; version 3 reaches others' redistributors. */
static void own_ppi(void *arg)
{
	if (!this_cpu())
		return;
	check(!get(ISENABLER, 20) && !get(ISPENDR, 20));
	prio(20, 0x10);
}

static void test_banked(void)
{
	begin();
	set(ISENABLER, 20);
	set(ISPENDR, 20);
	prio(20, 0x60);
	cpus_run(n_cpus, own_ppi, NULL);
	check(*(volatile u8 *)(frame(20) + 0x400 + 20) == 0x60);
	check(ack() == 20);
	eoi(20);
	if (v3) {
		u64 other = gic_redist(1) + 0x10000;

		check(*(volatile u8 *)(other + 0x400 + 20) == 0x10);
		*gic_reg(other, ISPENDR) = 1u << 20;
		check(!irq_signalled() && *gic_reg(other, ISPENDR) >> 20 & 1);
		*gic_reg(other, ICPENDR) = 1u << 20;
		check(!(*gic_reg(other, ISPENDR) >> 20 & 1));
	}
	end("private interrupts are each CPU's own");
}

/* WFI ends by an interrupt that PSTATE masks, by the timer's too, and PSCI's suspend likewise. */
static void test_wfi(void)
{
	u64 t;

	begin();
	set(ISENABLER, 27);
	for (unsigned k = 0; k < 2; k++) {
		t = now();
		msr(cntv_cval_el0, t + 3000000);
		msr(cntv_ctl_el0, 1);
		while (!irq_signalled())
			if (!k)
				asm volatile("wfi");
			else
				check(!psci(0xc4000001, 0, 0, 0)); /* CPU_SUSPEND, standby */
		check(now() - t >= 3000000);
		msr(cntv_ctl_el0, 0);
	}
	set(ISENABLER, A);
	set(ISPENDR, A);
	asm volatile("wfi"); /* pending already */
	check(ack() == A);
	eoi(A);
	end("WFI and CPU_SUSPEND end by the timer");
}

int main(void);
int main(void)
{
	v3 = gic_version() == 3;
	cpus_start();
	print("# GICv%u, %u CPUs\n", v3 ? 3ull : 2ull, (u64)n_cpus);
	test_identity();
	test_states();
	test_priorities();
	test_mask();
	test_binary_point();
	test_split();
	test_level();
	test_edge();
	test_enables();
	if (v3)
		test_groups_v3();
	else
		test_groups_v2();
	if (n_cpus > 1) {
		test_sgis();
		test_routing();
		test_banked();
	}
	if (n_cpus > 1 && !v3) {
		test_sgi_sources();
		test_one_of_many();
	}
	test_wfi();
	finish();
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* What firmware and test suites expect of QEMU's `virt` board: entry state, GICv3 registers,
 * timers. */
#include "tests/guest/guest.h"

#define GICD	    0x08000000ull
#define GICR	    0x080a0000ull
#define SGI_FRAME   0x10000
#define VIRTIO_MMIO 0x0a000000ull
#define MS	    1000000ull /* CNTFRQ is 1 GHz */

static u32 rd32(u64 a)
{
	return *(volatile u32 *)a;
}

static void wr32(u64 a, u32 v)
{
	*(volatile u32 *)a = v;
}

static u8 rd8(u64 a)
{
	return *(volatile u8 *)a;
}

static void wr8(u64 a, u8 v)
{
	*(volatile u8 *)a = v;
}

/* ---- the distributor ---- */

static void test_distributor(void)
{
	u32 typer = rd32(GICD + 4), iidr = rd32(GICD + 8), lines = ((typer & 31) + 1) * 32;
	u64 prio = GICD + 0x400;
	unsigned bad = 0;
	u32 mask;

	wr32(GICD + 4, ~typer);
	wr32(GICD + 8, ~iidr);
	result(rd32(GICD + 4) == typer && rd32(GICD + 8) == iidr,
	       "GICD_TYPER and IIDR are read-only");
	result((rd32(GICD + 0xffe8) >> 4 & 15) == 3, "GICD_PIDR2: version 3");

	wr32(prio + 32, ~0u);
	mask = rd32(prio + 32);
	result((mask & 0xf0f0f0f0) == 0xf0f0f0f0 && mask == (mask & 0xff) * 0x01010101u,
	       "priority bits: %x", (u64)mask);
	for (u32 i = 32; i < lines; i += 4) {
		u32 v = (i * 0x01030507u) & mask;

		wr32(prio + i, v | ~mask);
		bad += rd32(prio + i) != v;
	}
	wr8(prio + 33, 0x50);
	bad += rd8(prio + 33) != 0x50 || (rd32(prio + 32) >> 8 & 0xff) != 0x50;
	wr32(prio + lines, ~0u);
	bad += rd32(prio + lines) != 0;
	wr32(prio, ~0u); /* private: the redistributor's */
	bad += rd32(prio) != 0;
	result(!bad, "GICD_IPRIORITYR: words, bytes, none beyond %u: %u wrong", (u64)lines,
	       (u64)bad);

	bad = 0;
	for (u32 w = 1; w < lines / 32; w++)
		for (u32 set = 0x100; set < 0x400; set += 0x100) { /* enable, pending, active */
			wr32(GICD + set + 4 * w, 0x80000001);
			bad += rd32(GICD + set + 4 * w) != 0x80000001;
			wr32(GICD + set + 0x80 + 4 * w, 1);
			bad += rd32(GICD + set + 0x80 + 4 * w) != 0x80000000;
			wr32(GICD + set + 0x80 + 4 * w, ~0u);
			bad += rd32(GICD + set + 4 * w) != 0;
		}
	result(!bad, "set and clear registers: %u wrong", (u64)bad);
}

/* ---- a private interrupt's states, seen from its handler ---- */

static struct {
	unsigned n, intid, active, pending;
	u64 when;
} irq;

static unsigned state_of(unsigned intid)
{
	u64 rd = GICR + this_cpu() * 0x20000ull + SGI_FRAME;

	return (rd32(rd + 0x200) >> intid & 1) | (rd32(rd + 0x300) >> intid & 1) << 1;
}
enum { PENDING = 1, ACTIVE = 2 };

static void note(unsigned intid)
{
	irq.when = now();
	irq.n++;
	irq.intid = intid;
	irq.active = state_of(intid);
}

static bool irq_within(u64 ms)
{
	u64 end = now() + ms * MS;

	while (!load_acquire(&irq.n) && now() < end)
		relax();
	return irq.n != 0;
}

static void test_sgi(void)
{
	irq_hook = note;
	irq.n = 0;
	gic_send_sgi(5, mpidr_of(0));
	result(irq_within(1000) && irq.intid == 5 && irq.active == ACTIVE && !state_of(5),
	       "an SGI is active in its handler only");
	irq.n = 0;
	asm volatile("msr daifset, #2");
	wr32(GICR + SGI_FRAME + 0x200, 1 << 6);
	result(state_of(6) == PENDING, "an SGI made pending by GICR_ISPENDR0");
	wr32(GICR + SGI_FRAME + 0x300, 1 << 6);
	result(state_of(6) == (PENDING | ACTIVE), "and active");
	asm volatile("msr daifclr, #2; isb");
	result(!irq_within(5), "which is not taken while it is active");
	wr32(GICR + SGI_FRAME + 0x380, 1 << 6);
	result(irq_within(1000) && irq.intid == 6, "but once it is not");
}

/* ---- timers ---- */

struct timer {
	const char *name;
	unsigned intid;
	u64 (*ctl)(void);
	void (*set_ctl)(u64);
	u64 (*cval)(void);
	void (*set_cval)(u64);
	u64 (*tval)(void);
	void (*set_tval)(u64);
};

#define TIMER(x, reg, id)                                                             \
	static u64 x##_ctl(void)                                                      \
	{                                                                             \
		return mrs(reg##_ctl_el0);                                            \
	}                                                                             \
	static void x##_set_ctl(u64 v)                                                \
	{                                                                             \
		msr(reg##_ctl_el0, v);                                                \
		isb();                                                                \
	}                                                                             \
	static u64 x##_cval(void)                                                     \
	{                                                                             \
		return mrs(reg##_cval_el0);                                           \
	}                                                                             \
	static void x##_set_cval(u64 v)                                               \
	{                                                                             \
		msr(reg##_cval_el0, v);                                               \
		isb();                                                                \
	}                                                                             \
	static u64 x##_tval(void)                                                     \
	{                                                                             \
		return mrs(reg##_tval_el0);                                           \
	}                                                                             \
	static void x##_set_tval(u64 v)                                               \
	{                                                                             \
		msr(reg##_tval_el0, v);                                               \
		isb();                                                                \
	}                                                                             \
	static const struct timer x = {#x,	 id,	       x##_ctl,	 x##_set_ctl, \
				       x##_cval, x##_set_cval, x##_tval, x##_set_tval};
TIMER(virtual, cntv, 27)
TIMER(physical, cntp, 30)

static const struct timer *ticking;

static void timer_note(unsigned intid)
{
	note(intid);
	ticking->set_ctl(ticking->ctl() | 2); /* masked: the level goes */
	irq.pending = state_of(intid) & PENDING;
}

static bool becomes(unsigned intid, unsigned want)
{
	for (u64 end = now() + 1000 * MS; now() < end;)
		if (state_of(intid) == want)
			return true;
	return false;
}

static void test_timer(const struct timer *t)
{
	u64 rd = GICR + SGI_FRAME, start, v;

	irq_hook = timer_note;
	ticking = t;
	irq.n = 0;
	wr32(rd + 0x180, 1u << t->intid); /* disabled in the GIC: pending only */
	t->set_cval(~0ull);
	t->set_ctl(1);
	result(state_of(t->intid) == 0 && t->ctl() == 1, "%s: not met, not pending", t->name);
	t->set_cval(now() - 1);
	result(becomes(t->intid, PENDING) && t->ctl() == 5, "%s: met, pending", t->name);
	t->set_ctl(3);
	result(becomes(t->intid, 0) && t->ctl() == 7, "%s: masked, not pending, ISTATUS stays",
	       t->name);
	t->set_ctl(0);
	result(!(t->ctl() & 1) && state_of(t->intid) == 0, "%s: disabled", t->name);

	v = now();
	t->set_tval(0xffffffff); /* minus one */
	result(t->cval() - (v - 1) < 1000 * MS && (s32)t->tval() < 0, "%s: TVAL is signed",
	       t->name);
	t->set_cval(now() + 0x123456789ull);
	result(t->tval() <= 0x23456789ull, "%s: TVAL is the low half of what is left", t->name);

	wr32(rd + 0x100, 1u << t->intid);
	start = now();
	t->set_tval(10 * MS);
	t->set_ctl(1);
	result(irq_within(5000) && irq.intid == t->intid && irq.when >= start + 10 * MS &&
		       irq.active == (ACTIVE | PENDING) && !irq.pending && state_of(t->intid) == 0,
	       "%s: interrupt after TVAL", t->name);
	irq.n = 0;
	asm volatile("msr daifset, #2");
	t->set_tval(3 * MS);
	t->set_ctl(1);
	asm volatile("wfi");
	result(becomes(t->intid, PENDING) && !irq.n, "%s: WFI ends with interrupts masked",
	       t->name);
	asm volatile("msr daifclr, #2; isb");
	result(irq_within(1000), "%s: and the interrupt is taken after", t->name);
	irq.n = 0;
	t->set_cval(now() + (1ull << 62));
	t->set_ctl(1);
	result(!irq_within(5), "%s: none from far in the future", t->name);
	t->set_ctl(0);
	wr32(rd + 0x180, 1u << t->intid);
}

/* ---- the clock, as QEMU's: PL031 ---- */

#define RTC	0x09010000ull
#define RTC_SPI (32 + 2)

static void rtc_note(unsigned intid)
{
	irq.n++;
	irq.intid = intid;
	irq.active = rd32(RTC + 0x14) << 1 | rd32(RTC + 0x18); /* RIS, MIS */
	wr32(RTC + 0x1c, 0x80000000);			       /* ICR: whatever is written */
	irq.pending = rd32(RTC + 0x14) << 1 | rd32(RTC + 0x18);
}

static bool rtc_pending(void)
{
	return rd32(GICD + 0x204) >> (RTC_SPI & 31) & 1;
}

static void test_rtc(void)
{
	static const u32 ids[8] = {0x31, 0x10, 0x14, 0, 0x0d, 0xf0, 0x05, 0xb1};
	u32 before = rd32(RTC);
	unsigned bad = 0;
	u64 start;

	for (unsigned i = 0; i < 8; i++) {
		u64 at = RTC + 0xfe0 + 4 * i;

		wr32(at, 0xdeadbeef);
		wr8(at, 0xef);
		bad += rd32(at) != ids[i] || rd8(at) != ids[i];
	}
	wr32(RTC + 0x14, ~0u);
	wr32(RTC + 0x18, ~0u);
	bad += rd32(RTC + 0x14) || rd32(RTC + 0x18);
	result(!bad, "RTC: identification and status are read-only");
	irq_hook = rtc_note;
	irq.n = 0;
	wr32(RTC + 4, before + 1);
	start = now();
	while (rd32(RTC) == before && now() - start < 3000 * MS)
		;
	while (!rd32(RTC + 0x14) && now() - start < 3000 * MS)
		;
	result(rd32(RTC) == before + 1 && rd32(RTC + 0x14) == 1 && !rtc_pending(),
	       "RTC: the alarm, and no interrupt while IMSC is clear");
	wr32(RTC + 0x10, 1);
	result(rtc_pending() && !irq.n, "RTC: pending");
	wr32(GICD + 0x84, rd32(GICD + 0x84) | 1u << (RTC_SPI & 31)); /* group 1 */
	*(volatile u8 *)(GICD + 0x400 + RTC_SPI) = 0x80;
	wr32(GICD + 0x104, 1u << (RTC_SPI & 31));
	result(irq_within(1000) && irq.intid == RTC_SPI && irq.active == 3 && !irq.pending &&
		       !rtc_pending(),
	       "RTC: interrupt, cleared by any write to ICR");
	wr32(RTC + 0x10, 0);
	wr32(GICD + 0x184, 1u << (RTC_SPI & 31));
}

/* ---- the PL011, by bytes as by words ---- */

static void test_uart(void)
{
	static const char text[] = "# written by bytes\n";
	const u64 uart = 0x09000000ull;

	for (unsigned i = 0; i < sizeof(text) - 1; i++)
		wr8(uart, (u8)text[i]);
	result(!(rd32(uart + 0x18) & 8) && rd8(uart + 0xfe0) == 0x11, "UART: byte accesses");
}

/* ---- all 32 virtio transports of the board can be read, devices behind them or not ---- */

static u64 aborted;

static u64 abort_hook(u64 *regs, u64 elr, u64 esr, u64 far)
{
	aborted++;
	return elr + 4;
}

static void test_virtio_slots(void)
{
	unsigned magic = 0, devices = 0;

	sync_hook = abort_hook;
	for (unsigned i = 0; i < 32; i++) {
		magic += rd32(VIRTIO_MMIO + 0x200 * i) == 0x74726976;
		devices += rd32(VIRTIO_MMIO + 0x200 * i + 8) != 0;
	}
	sync_hook = NULL;
	print("# %u transports, %u devices\n", (u64)magic, (u64)devices);
	result(!aborted && magic == 32, "virtio transports: %u aborts", aborted);
}

int main(void)
{
	result(mrs(CurrentEL) == 4, "EL1");
	gic_init_cpu();
	test_distributor();
	test_sgi();
	test_timer(&virtual);
	test_timer(&physical);
	test_rtc();
	test_uart();
	test_virtio_slots();
	result(psci(0x84000000, 0, 0, 0) >= 0x10000, "PSCI_VERSION");
	result((s32)psci(0x8400ff00, 0, 0, 0) == -1 && (s32)psci(0x4b000000, 0, 0, 0) == -1,
	       "unknown firmware calls are refused");
	finish();
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* GICv3 and GICv2 as software sees them: registers in, interrupt lines and INTIDs out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "devices/gic_internal.h"

#define ICC(crn, crm, op2) (3u << 14 | (crn) << 7 | (crm) << 3 | (op2))
#define PMR		   ICC(4, 6, 0)
#define IAR0		   ICC(12, 8, 0)
#define EOIR0		   ICC(12, 8, 1)
#define BPR0		   ICC(12, 8, 3)
#define AP1R0		   ICC(12, 9, 0)
#define AP1R1		   ICC(12, 9, 1)
#define DIR		   ICC(12, 11, 1)
#define RPR		   ICC(12, 11, 3)
#define SGI1R		   ICC(12, 11, 5)
#define SGI0R		   ICC(12, 11, 7)
#define IAR1		   ICC(12, 12, 0)
#define EOIR1		   ICC(12, 12, 1)
#define HPPIR1		   ICC(12, 12, 2)
#define BPR1		   ICC(12, 12, 3)
#define CTLR		   ICC(12, 12, 4)
#define SRE		   ICC(12, 12, 5)
#define IGRPEN0		   ICC(12, 12, 6)
#define IGRPEN1		   ICC(12, 12, 7)

static struct gic *g;
static bool irq[64], fiq[64];

static void cpu_line(void *opaque, unsigned cpu, enum gic_line line, bool level)
{
	(line == GIC_LINE_IRQ ? irq : fiq)[cpu] = level;
}

static void make(unsigned version, unsigned cpus)
{
	struct gic_params p = {.version = version, .n_cpus = cpus, .cpu_line = cpu_line};

	memset(irq, 0, sizeof(irq));
	memset(fiq, 0, sizeof(fiq));
	gic_bind_thread(0);
	assert_int_equal(gic_create(&p, &g), 0);
}

static void drop(void)
{
	struct device *d = gic_dist_device(g);

	d->ops->destroy(d);
}

static u64 rd(struct device *d, u64 off, unsigned size)
{
	u64 val = ~0ull;

	assert_int_equal(d->ops->mmio_read(d, off, size, &val), 0);
	return val;
}

static void wr(struct device *d, u64 off, unsigned size, u64 val)
{
	assert_int_equal(d->ops->mmio_write(d, off, size, val), 0);
}

#define DIST gic_dist_device(g)
#define CPUD gic_cpu_device(g)

static u64 mrs(unsigned cpu, u32 id)
{
	u64 val = ~0ull;

	assert_int_equal(gic_sysreg_read(g, cpu, id, &val), 0);
	return val;
}

static void msr(unsigned cpu, u32 id, u64 val)
{
	assert_int_equal(gic_sysreg_write(g, cpu, id, val), 0);
}

static void spi(unsigned n, bool level)
{
	struct irq_line l = gic_spi(g, n);

	irq_set(&l, level);
}

/* As Linux sets up: everything group 1, priority 0xa0, all CPUs open. */
static void linux_setup(unsigned cpus)
{
	wr(DIST, 0x000, 4, 0x2);
	for (unsigned i = 32; i < 288; i += 32)
		wr(DIST, 0x080 + i / 8, 4, ~0u);
	for (unsigned i = 32; i < 288; i += 4)
		wr(DIST, 0x400 + i, 4, 0xa0a0a0a0);
	for (unsigned i = 32; i < 288; i++)
		wr(DIST, 0x6000 + 8 * i, 8, 0);
	for (unsigned c = 0; c < cpus; c++) {
		u64 sgi = c * GICV3_REDIST_SIZE + 0x10000;

		wr(CPUD, c * GICV3_REDIST_SIZE + 0x14, 4, 0);
		wr(CPUD, sgi + 0x80, 4, ~0u);
		for (unsigned i = 0; i < 32; i += 4)
			wr(CPUD, sgi + 0x400 + i, 4, 0xa0a0a0a0);
		wr(CPUD, sgi + 0x100, 4, 0xffff);
		msr(c, PMR, 0xf0);
		msr(c, IGRPEN1, 1);
	}
}

/* ---- identification ---- */

static void test_v3_identity(void **state)
{
	make(3, 20);
	assert_int_equal(rd(DIST, 0x0, 4), 0x50); /* ARE, DS */
	assert_int_equal(rd(DIST, 0x4, 4) & 0x1f, 8);
	assert_int_equal(rd(DIST, 0xffe8, 4) >> 4 & 0xf, 3);
	assert_int_equal(rd(CPUD, 0xffe8, 4) >> 4 & 0xf, 3);
	assert_int_equal(rd(CPUD, 0x8, 8), 0);
	assert_int_equal(rd(CPUD, 17 * GICV3_REDIST_SIZE + 8, 8), 0x101ull << 32 | 17 << 8);
	assert_int_equal(rd(CPUD, 19 * GICV3_REDIST_SIZE + 8, 8) & 0x10, 0x10); /* Last */
	assert_int_equal(rd(CPUD, 19 * GICV3_REDIST_SIZE + 12, 4), 0x103);
	assert_int_equal(mrs(0, SRE), 7);
	assert_int_equal(mrs(0, CTLR) >> 8 & 7, 4);
	assert_int_equal(rd(CPUD, 0x14, 4), 6);
	wr(CPUD, 0x14, 4, 0);
	assert_int_equal(rd(CPUD, 0x14, 4), 0);
	/* Linux asks how many priorities there are by writing ones. */
	msr(0, PMR, 0xff);
	assert_int_equal(mrs(0, PMR), 0xf8);
	wr(DIST, 0x400 + 40, 1, 0xff);
	assert_int_equal(rd(DIST, 0x400 + 40, 1), 0xf8);
	drop();
}

static void test_bad_accesses(void **state)
{
	struct device *d;
	u64 val;

	make(3, 1);
	d = DIST;
	assert_int_equal(d->ops->mmio_read(d, 2, 4, &val), -EINVAL);
	d = CPUD;
	assert_int_equal(d->ops->mmio_read(d, GICV3_REDIST_SIZE, 4, &val), -EINVAL);
	assert_int_equal(gic_sysreg_read(g, 0, AP1R1, &val), -ENOENT);
	assert_int_equal(gic_sysreg_read(g, 0, SGI1R, &val), -ENOENT);
	assert_int_equal(gic_sysreg_write(g, 0, IAR1, 0), -ENOENT);
	/* The distributor's private part is the redistributor's business. */
	wr(DIST, 0x100, 4, ~0u);
	assert_int_equal(rd(DIST, 0x100, 4), 0);
	assert_int_equal(rd(CPUD, 0x10100, 4), 0);
	/* Every offset of both windows, all sizes: no crash, nothing but zeroes or registers. */
	for (u64 off = 0; off < 0x10000; off += 4)
		for (unsigned size = 1; size <= 8; size *= 2)
			if (!(off & (size - 1))) {
				wr(DIST, off, size, ~0ull);
				rd(DIST, off, size);
			}
	for (u64 off = 0; off < GICV3_REDIST_SIZE; off += 4) {
		wr(CPUD, off, 4, ~0ull);
		rd(CPUD, off, 4);
	}
	drop();
}

/* ---- the life of an interrupt ---- */

static void test_level_spi(void **state)
{
	make(3, 1);
	linux_setup(1);
	spi(1, true);
	assert_false(irq[0]); /* not enabled */
	wr(DIST, 0x104, 4, BIT(1));
	assert_true(irq[0]);
	assert_int_equal(mrs(0, HPPIR1), 33);
	assert_int_equal(mrs(0, IAR1), 33);
	assert_false(irq[0]); /* active */
	assert_int_equal(mrs(0, RPR), 0xa0);
	assert_int_equal(rd(DIST, 0x304, 4), BIT(1));
	assert_int_equal(mrs(0, IAR1), 1023);
	msr(0, EOIR1, 33);
	assert_int_equal(mrs(0, RPR), 0xff);
	assert_true(irq[0]); /* the line is still high */
	assert_int_equal(mrs(0, IAR1), 33);
	spi(1, false);
	msr(0, EOIR1, 33);
	assert_false(irq[0]);
	drop();
}

static void test_edge_spi(void **state)
{
	make(3, 1);
	linux_setup(1);
	wr(DIST, 0xc08, 4, 2u << 4); /* INTID 34 */
	assert_int_equal(rd(DIST, 0xc08, 4), 2u << 4);
	wr(DIST, 0x104, 4, BIT(2));
	spi(2, true);
	spi(2, false);
	assert_true(irq[0]); /* latched */
	assert_int_equal(mrs(0, IAR1), 34);
	spi(2, true); /* again, while active: pending too */
	assert_int_equal(rd(DIST, 0x204, 4), BIT(2));
	assert_false(irq[0]);
	msr(0, EOIR1, 34);
	assert_true(irq[0]);
	assert_int_equal(mrs(0, IAR1), 34);
	msr(0, EOIR1, 34);
	assert_false(irq[0]);
	/* By software, and taken back. */
	wr(DIST, 0x204, 4, BIT(2));
	assert_true(irq[0]);
	wr(DIST, 0x284, 4, BIT(2));
	assert_false(irq[0]);
	drop();
}

static void test_priorities(void **state)
{
	make(3, 1);
	linux_setup(1);
	wr(DIST, 0x104, 4, 0xff);
	wr(DIST, 0x400 + 33, 1, 0x80);
	wr(DIST, 0x400 + 34, 1, 0x40);
	wr(DIST, 0x400 + 35, 1, 0x40);
	spi(3, true);
	spi(2, true);
	spi(1, true);
	spi(0, true);
	assert_int_equal(mrs(0, IAR1), 34); /* equal priorities: the lower number */
	assert_false(irq[0]);		    /* 35 has the same priority: no preemption */
	spi(2, false);
	msr(0, EOIR1, 34);
	assert_int_equal(mrs(0, IAR1), 35);
	spi(3, false);
	wr(DIST, 0x400 + 33, 1, 0x20);
	assert_true(irq[0]); /* 33 now preempts 35 */
	assert_int_equal(mrs(0, IAR1), 33);
	assert_int_equal(mrs(0, RPR), 0x20);
	assert_int_equal(mrs(0, AP1R0), BIT(4) | BIT(8));
	msr(0, EOIR1, 33);
	assert_int_equal(mrs(0, RPR), 0x40);
	spi(1, false);
	msr(0, EOIR1, 35);
	/* The mask. */
	msr(0, PMR, 0xa0);
	assert_false(irq[0]);
	msr(0, PMR, 0xa8);
	assert_true(irq[0]);
	assert_int_equal(mrs(0, IAR1), 32);
	msr(0, EOIR1, 32);
	drop();
}

static void test_binary_point(void **state)
{
	make(3, 1);
	linux_setup(1);
	assert_int_equal(mrs(0, BPR0), 2);
	assert_int_equal(mrs(0, BPR1), 3);
	msr(0, BPR1, 0);
	assert_int_equal(mrs(0, BPR1), 3);
	msr(0, BPR1, 6); /* group 1: bits 7:6 preempt */
	wr(DIST, 0x104, 4, 3);
	wr(DIST, 0x400 + 32, 1, 0xa0);
	wr(DIST, 0x400 + 33, 1, 0x80);
	spi(0, true);
	assert_int_equal(mrs(0, IAR1), 32);
	spi(1, true);
	assert_false(irq[0]); /* higher, but in the same preemption level */
	wr(DIST, 0x400 + 33, 1, 0x78);
	assert_true(irq[0]);
	msr(0, CTLR, 1); /* CBPR: BPR0 rules, BPR1 reads BPR0 + 1 */
	assert_int_equal(mrs(0, BPR1), 3);
	msr(0, BPR1, 7);
	assert_int_equal(mrs(0, BPR1), 3);
	drop();
}

static void test_eoimode(void **state)
{
	make(3, 1);
	linux_setup(1);
	wr(DIST, 0x104, 4, 1);
	msr(0, CTLR, 2);
	spi(0, true);
	assert_int_equal(mrs(0, IAR1), 32);
	msr(0, EOIR1, 32);
	assert_int_equal(mrs(0, RPR), 0xff);
	assert_false(irq[0]); /* priority dropped, still active */
	msr(0, DIR, 32);
	assert_true(irq[0]);
	/* Special numbers and nonsense end nothing. */
	assert_int_equal(mrs(0, IAR1), 32);
	msr(0, EOIR1, 1023);
	assert_int_equal(mrs(0, RPR), 0xa0);
	msr(0, DIR, 0xffffff);
	msr(0, EOIR0, 32); /* wrong group */
	assert_int_equal(mrs(0, RPR), 0xa0);
	drop();
}

static void test_group0_is_fiq(void **state)
{
	make(3, 1);
	linux_setup(1);
	wr(DIST, 0x000, 4, 3);
	wr(DIST, 0x084, 4, ~1u);
	wr(DIST, 0x104, 4, 1);
	spi(0, true);
	assert_false(fiq[0]);
	msr(0, IGRPEN0, 1);
	assert_true(fiq[0]);
	assert_false(irq[0]);
	assert_int_equal(mrs(0, IAR1), 1023);
	assert_int_equal(mrs(0, IAR0), 32);
	assert_false(fiq[0]);
	spi(0, false);
	msr(0, EOIR0, 32);
	/* The distributor's switch. */
	spi(0, true);
	assert_true(fiq[0]);
	wr(DIST, 0x000, 4, 2);
	assert_false(fiq[0]);
	drop();
}

/* ---- private interrupts, SGIs, routing ---- */

static void test_ppi(void **state)
{
	make(3, 2);
	linux_setup(2);
	wr(CPUD, GICV3_REDIST_SIZE + 0x10100, 4, BIT(27));
	gic_set_ppi(g, 0, 27, true);
	assert_false(irq[0]);
	gic_set_ppi(g, 1, 27, true);
	assert_true(irq[1]);
	assert_int_equal(mrs(1, IAR1), 27);
	gic_set_ppi(g, 1, 27, false);
	msr(1, EOIR1, 27);
	assert_false(irq[1]);
	drop();
}

static void test_sgi(void **state)
{
	make(3, 64);
	linux_setup(64);
	msr(0, SGI1R, 3ull << 24 | BIT(0) | BIT(5)); /* Aff1 0: CPUs 0 and 5 */
	assert_true(irq[0] && irq[5] && !irq[1]);
	assert_int_equal(mrs(5, IAR1), 3);
	msr(5, EOIR1, 3);
	assert_false(irq[5]);
	msr(0, SGI1R, 7ull << 24 | 3ull << 16 | BIT(15)); /* Aff1 3, Aff0 15: CPU 63 */
	assert_true(irq[63]);
	assert_int_equal(mrs(63, IAR1), 7);
	msr(63, EOIR1, 7);
	msr(0, SGI1R, 1ull << 32 | BIT(1)); /* Aff2 1: nobody */
	msr(0, SGI1R, 1ull << 48 | BIT(1)); /* Aff3 1 */
	msr(0, SGI1R, 1ull << 44 | BIT(1)); /* range selector */
	assert_false(irq[1]);
	mrs(0, IAR1);
	msr(0, EOIR1, 3);
	assert_false(irq[0]);
	msr(2, SGI1R, BIT(40) | 1ull << 24); /* all but self */
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(irq[i], i != 2);
	assert_int_equal(mrs(40, IAR1), 1);
	/* Group 0's register does not reach what is configured as group 1. */
	msr(0, SGI0R, 9ull << 24 | BIT(2));
	assert_false(irq[2]);
	drop();
}

static void test_routing(void **state)
{
	make(3, 32);
	linux_setup(32);
	wr(DIST, 0x104, 4, 1);
	spi(0, true);
	assert_true(irq[0]);
	wr(DIST, 0x6000 + 8 * 32, 8, 0x101); /* Aff1 1, Aff0 1: CPU 17 */
	assert_false(irq[0]);
	assert_true(irq[17]);
	assert_int_equal(rd(DIST, 0x6000 + 8 * 32, 8), 0x101);
	wr(DIST, 0x6000 + 8 * 32, 4, 0x100); /* by halves */
	wr(DIST, 0x6004 + 8 * 32, 4, 0);
	assert_true(irq[16] && !irq[17]);
	wr(DIST, 0x6000 + 8 * 32, 8, 0x20000); /* no such CPU: waits */
	assert_false(irq[16]);
	wr(DIST, 0x6000 + 8 * 32, 8, 0x10); /* Aff0 16 is none either */
	for (unsigned i = 0; i < 32; i++)
		assert_false(irq[i]);
	wr(DIST, 0x6000 + 8 * 32, 8, 2);
	assert_true(irq[2]);
	drop();
}

/* ---- GICv2 ---- */

static void v2_setup(unsigned cpus)
{
	wr(DIST, 0x000, 4, 1);
	for (unsigned c = 0; c < cpus; c++) {
		gic_bind_thread(c);
		wr(CPUD, 0x04, 4, 0xf0);
		wr(CPUD, 0x00, 4, 1);
		for (unsigned i = 0; i < 32; i += 4)
			wr(DIST, 0x400 + i, 4, 0xa0a0a0a0);
	}
	for (unsigned i = 32; i < 288; i += 4) {
		wr(DIST, 0x400 + i, 4, 0xa0a0a0a0);
		wr(DIST, 0x800 + i, 4, 0x01010101);
	}
	gic_bind_thread(0);
}

static void test_v2_basic(void **state)
{
	u64 val;

	make(2, 4);
	v2_setup(4);
	assert_int_equal(rd(DIST, 0x004, 4), 8 | 3 << 5);
	assert_int_equal(rd(DIST, 0xfe8, 4) >> 4 & 0xf, 2);
	assert_int_equal(rd(CPUD, 0xfc, 4), 0x0002043b);
	assert_int_equal(gic_sysreg_read(g, 0, IAR1, &val), -ENOENT);
	for (unsigned c = 0; c < 4; c++) { /* how a CPU finds its own number */
		gic_bind_thread(c);
		assert_int_equal(rd(DIST, 0x800, 4), 0x01010101u << c);
	}
	gic_bind_thread(0);
	wr(DIST, 0x104, 4, 1);
	spi(0, true);
	assert_true(irq[0]);
	assert_int_equal(rd(CPUD, 0x18, 4), 32);
	assert_int_equal(rd(CPUD, 0x0c, 4), 32);
	assert_int_equal(rd(CPUD, 0x14, 4), 0xa0);
	assert_false(irq[0]);
	spi(0, false);
	wr(CPUD, 0x10, 4, 32);
	assert_int_equal(rd(CPUD, 0x0c, 4), 1023);
	/* Retarget: to two CPUs, the first to look gets it. */
	wr(DIST, 0x820, 1, 0x0c);
	spi(0, true);
	assert_true(!irq[0] && irq[2] && irq[3]);
	gic_bind_thread(3);
	assert_int_equal(rd(CPUD, 0x0c, 4), 32);
	assert_false(irq[2]);
	gic_bind_thread(2);
	assert_int_equal(rd(CPUD, 0x0c, 4), 1023);
	drop();
}

static void test_v2_sgi(void **state)
{
	make(2, 4);
	v2_setup(4);
	assert_int_equal(rd(DIST, 0x100, 4) & 0xffff, 0xffff); /* SGIs are always enabled */
	wr(DIST, 0x180, 4, ~0u);
	assert_int_equal(rd(DIST, 0x100, 4), 0xffff);
	gic_bind_thread(1);
	wr(DIST, 0xf00, 4, 1 << 16 | 5);
	gic_bind_thread(3);
	wr(DIST, 0xf00, 4, 1 << 16 | 5);
	gic_bind_thread(0);
	assert_true(irq[0]);
	assert_int_equal(rd(DIST, 0xf20 + 5, 1), BIT(1) | BIT(3));
	assert_int_equal(rd(CPUD, 0x0c, 4), 5 | 1 << 10); /* one sender at a time */
	wr(CPUD, 0x10, 4, 5 | 1 << 10);
	assert_true(irq[0]);
	assert_int_equal(rd(CPUD, 0x0c, 4), 5 | 3 << 10);
	wr(CPUD, 0x10, 4, 5 | 3 << 10);
	assert_false(irq[0]);
	wr(DIST, 0xf00, 4, 1u << 24 | 2); /* all but self */
	assert_true(!irq[0] && irq[1] && irq[2] && irq[3]);
	wr(DIST, 0xf00, 4, 2u << 24 | 7); /* self */
	assert_true(irq[0]);
	wr(DIST, 0xf10 + 7, 1, 1); /* taken back */
	assert_false(irq[0]);
	wr(DIST, 0x200, 4, ~0u); /* GICD_ISPENDR cannot pend SGIs */
	assert_false(irq[0]);
	drop();
}

static void test_v2_groups(void **state)
{
	make(2, 1);
	v2_setup(1);
	assert_int_equal(rd(DIST, 0x800, 4), 0); /* one CPU: targets read as zero, all is its */
	wr(DIST, 0x000, 4, 3);
	wr(CPUD, 0x00, 4, 3);
	wr(DIST, 0x104, 4, 3);
	wr(DIST, 0x084, 4, 1); /* INTID 32 group 1, 33 group 0 */
	spi(0, true);
	assert_true(irq[0]);
	assert_int_equal(rd(CPUD, 0x0c, 4), 1022);
	assert_int_equal(rd(CPUD, 0x28, 4), 32);
	assert_int_equal(rd(CPUD, 0x20, 4), 32);
	spi(0, false);
	wr(CPUD, 0x24, 4, 32);
	wr(CPUD, 0x00, 4, 3 | BIT(3)); /* FIQEn */
	spi(1, true);
	assert_true(fiq[0] && !irq[0]);
	assert_int_equal(rd(CPUD, 0x0c, 4), 33);
	spi(1, false);
	wr(CPUD, 0x10, 4, 33);
	assert_false(fiq[0]);
	wr(CPUD, 0x00, 4, 3 | BIT(2)); /* AckCtl: GICC_IAR takes group 1, too */
	spi(0, true);
	assert_int_equal(rd(CPUD, 0x0c, 4), 32);
	spi(0, false);
	wr(CPUD, 0x10, 4, 32);
	assert_int_equal(rd(CPUD, 0x14, 4), 0xff);
	/* Split end: priority drop, then GICC_DIR. */
	wr(CPUD, 0x00, 4, 3 | BIT(9));
	spi(1, true);
	assert_int_equal(rd(CPUD, 0x0c, 4), 33);
	wr(CPUD, 0x10, 4, 33);
	assert_false(irq[0]);
	wr(CPUD, 0x1000, 4, 33);
	assert_true(irq[0]);
	drop();
}

/* ---- save, load, reset ---- */

static void test_save_load(void **state)
{
	static u8 record[sizeof(struct gic_state)], again[sizeof(struct gic_state)];
	struct device *d;
	ssize_t len;

	make(3, 2);
	linux_setup(2);
	wr(DIST, 0x104, 4, 3);
	wr(DIST, 0x6000 + 8 * 33, 8, 1);
	spi(0, true);
	spi(1, true);
	mrs(0, IAR1);
	d = DIST;
	len = d->ops->save(d, record, sizeof(record));
	assert_true(len > 0 && (size_t)len < sizeof(record));
	assert_int_equal(d->ops->save(d, record, (size_t)len - 1), -ENOSPC);
	drop();
	make(3, 2);
	d = DIST;
	assert_int_equal(d->ops->load(d, 2, record, (size_t)len), -EINVAL);
	assert_int_equal(d->ops->load(d, 1, record, (size_t)len - 1), -EINVAL);
	assert_int_equal(d->ops->load(d, 1, record, (size_t)len), 0);
	assert_true(!irq[0] && irq[1]);
	assert_int_equal(mrs(0, RPR), 0xa0);
	assert_int_equal(mrs(1, IAR1), 33);
	msr(0, EOIR1, 32);
	assert_true(irq[0]);
	drop();
	make(3, 3);
	d = DIST;
	assert_int_equal(d->ops->load(d, 1, record, (size_t)len), -EINVAL); /* another machine's */
	drop();
	/* Garbage of the right length: refused or tamed, never a crash. */
	make(3, 2);
	d = DIST;
	srand(1);
	for (unsigned n = 0; n < 200; n++) {
		u64 val;

		for (ssize_t i = 8; i < len; i++)
			record[i] = (u8)rand();
		((u32 *)record)[0] = 3;
		((u32 *)record)[1] = 2;
		assert_int_equal(d->ops->load(d, 1, record, (size_t)len), 0);
		gic_sysreg_read(g, 0, IAR1, &val);
		gic_sysreg_write(g, 0, EOIR1, val);
		assert_int_equal(d->ops->save(d, again, sizeof(again)), len);
	}
	d->ops->reset(d);
	spi(0, false);
	assert_false(irq[0] || irq[1] || fiq[0] || fiq[1]);
	assert_int_equal(rd(DIST, 0x104, 4), 0);
	assert_int_equal(mrs(0, PMR), 0);
	drop();
}

static void test_limits(void **state)
{
	struct gic_params p = {.version = 2, .n_cpus = 9, .cpu_line = cpu_line};

	assert_int_equal(gic_create(&p, &g), -EINVAL);
	p = (struct gic_params){.version = 3, .n_cpus = 65, .cpu_line = cpu_line};
	assert_int_equal(gic_create(&p, &g), -EINVAL);
	p = (struct gic_params){.version = 4, .n_cpus = 1, .cpu_line = cpu_line};
	assert_int_equal(gic_create(&p, &g), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v3_identity), cmocka_unit_test(test_bad_accesses),
		cmocka_unit_test(test_level_spi),   cmocka_unit_test(test_edge_spi),
		cmocka_unit_test(test_priorities),  cmocka_unit_test(test_binary_point),
		cmocka_unit_test(test_eoimode),	    cmocka_unit_test(test_group0_is_fiq),
		cmocka_unit_test(test_ppi),	    cmocka_unit_test(test_sgi),
		cmocka_unit_test(test_routing),	    cmocka_unit_test(test_v2_basic),
		cmocka_unit_test(test_v2_sgi),	    cmocka_unit_test(test_v2_groups),
		cmocka_unit_test(test_save_load),   cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Stage 1 page walks against tables built here, and permissions against the manual's tables. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "tests/unit/sys_fixture.h"

#define VALID 1ull
#define TABLE 3ull
#define PAGE  3ull
#define BLOCK 1ull
#define AP(n) ((u64)(n) << 6)
#define AF    BIT(10)
#define NG    BIT(11)
#define DBM   BIT(51)
#define PXN   BIT(53)
#define UXN   BIT(54)

struct granule {
	unsigned shift;
	u64 tg0, tg1; /* in place */
};
static const struct granule granules[] = {
	{12, 0ull << 14, 2ull << 30}, {14, 2ull << 14, 1ull << 30}, {16, 1ull << 14, 3ull << 30}};

static unsigned g_shift; /* of the granule in use */
static unsigned g_bits;	 /* virtual address bits of both halves */

static u64 tcr_of(const struct granule *g, unsigned tsz)
{
	return g->tg0 | g->tg1 | tsz | (u64)tsz << 16 | 4ull << 32;
}

static unsigned stride(void)
{
	return g_shift - 3;
}

static unsigned start_level(void)
{
	unsigned level = 3;

	for (unsigned top = g_shift + stride(); top < g_bits; top += stride())
		level--;
	return level;
}

static unsigned level_shift(unsigned level)
{
	return g_shift + (3 - level) * stride();
}

static void mmu_on(const struct granule *g, unsigned tsz)
{
	u64 root_bytes;

	g_shift = g->shift;
	g_bits = 64 - tsz;
	root_bytes = 8ull << (g_bits - level_shift(start_level()));
	cpu.sys.tcr_el1 = tcr_of(g, tsz);
	cpu.sys.ttbr0_el1 = ram_alloc(root_bytes < 64 ? 64 : root_bytes);
	cpu.sys.ttbr1_el1 = ram_alloc(root_bytes < 64 ? 64 : root_bytes);
	cpu.sys.sctlr_el1 |= SCTLR_M;
	/* 0 Device-nGnRnE, 1 Normal write-back, 2 Normal non-cacheable, 3 Device-GRE */
	cpu.sys.mair_el1 = 0x0c44ff00;
}

/* Where the descriptor of `va` at `level` lives, tables above it made as needed. */
static u64 *slot_of(u64 va, unsigned level, u64 table_attrs)
{
	u64 table = va >> 55 & 1 ? cpu.sys.ttbr1_el1 : cpu.sys.ttbr0_el1;

	table &= 0x0000fffffffffffeull;
	for (unsigned l = start_level();; l++) {
		unsigned bits = l == start_level() ? g_bits - level_shift(l) : stride();
		u64 *slot = at_gpa(table) + (va >> level_shift(l) & (BIT(bits) - 1));

		if (l == level)
			return slot;
		if (!(*slot & VALID))
			*slot = ram_alloc(BIT(g_shift)) | TABLE | table_attrs;
		table = *slot & 0x0000fffffffff000ull & ~(BIT(g_shift) - 1);
	}
}

static void map(u64 va, u64 pa, unsigned level, u64 attrs)
{
	*slot_of(va, level, 0) = pa | (level == 3 ? PAGE : BLOCK) | attrs;
}

static u64 upper(u64 va)
{
	return ~(BIT(g_bits) - 1) | va;
}

static struct walk walk_ok(u64 va, enum access acc, unsigned el)
{
	struct walk w;

	memset(&w, 0xa5, sizeof(w));
	assert_int_equal(mmu_walk(&cpu, GVA(va), acc, el, &w), 0);
	assert_int_equal(w.fault, 0);
	return w;
}

static void walk_faults(u64 va, enum access acc, unsigned el, unsigned code)
{
	struct walk w;

	memset(&w, 0xa5, sizeof(w));
	assert_int_equal(mmu_walk(&cpu, GVA(va), acc, el, &w), -EFAULT);
	assert_int_equal(w.fault, WALK_FAULT | code);
}

/* ---- geometry ---- */

static void each_regime(void (*fn)(void))
{
	static const unsigned sizes[] = {16, 17, 22, 25, 28, 31, 32, 33, 34, 36, 39};

	for (unsigned g = 0; g < ARRAY_SIZE(granules); g++)
		for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
			fixture_setup(NULL);
			mmu_on(&granules[g], sizes[i]);
			fn();
		}
}

static void check_pages(void)
{
	u64 va[] = {0, BIT(g_bits) - BIT(g_shift), 0x5a5a5a5a5a5a5a5aull & (BIT(g_bits) - 1)};

	for (unsigned i = 0; i < ARRAY_SIZE(va); i++)
		for (unsigned half = 0; half < 2; half++) {
			u64 a = half ? upper(va[i]) : va[i];
			u64 page = ALIGN_DOWN(a, BIT(g_shift));
			u64 pa = 0x100000000ull * (i + 1) + (half << g_shift);
			struct walk w;

			map(a, pa, 3, AF | AP(1) | 1 << 2 | 3 << 8 | (half ? 0 : NG));
			w = walk_ok(page + 0x123, ACC_READ, 0);
			assert_true(w.pa == pa + 0x123);
			assert_true(w.block == BIT(g_shift));
			assert_int_equal(w.level, 3);
			assert_int_equal(w.upper, half);
			assert_int_equal(w.global, half);
			assert_false(w.device);
			assert_int_equal(w.attr, 0xff);
			assert_int_equal(w.sh, 3);
			w = walk_ok(page + BIT(g_shift) - 1, ACC_WRITE, 1);
			assert_true(w.pa == pa + BIT(g_shift) - 1);
		}
	/* just beyond either half, and the middle of the hole */
	walk_faults(BIT(g_bits), ACC_READ, 1, 0x04);
	walk_faults(~(BIT(g_bits) - 1) - 1, ACC_READ, 1, 0x04);
	walk_faults(0x007f000000000000ull, ACC_READ, 1, 0x04);
	walk_faults(0xff80000000000000ull, ACC_READ, 1, 0x04);
}

static void test_pages(void **state)
{
	each_regime(check_pages);
}

static void check_blocks(void)
{
	for (unsigned level = start_level(); level < 3; level++) {
		u64 size = BIT(level_shift(level));
		u64 va = upper(ALIGN_DOWN(0x2a5a5a5a5a5aull & (BIT(g_bits) - 1), size));
		u64 pa = size <= BIT(40) ? size * 3 : 0;
		bool legal = level == 2 || (level == 1 && g_shift == 12);
		u64 *slot = slot_of(va, level, 0);
		u64 old = *slot;

		*slot = pa | BLOCK | AF | 1 << 2;
		if (legal) {
			struct walk w = walk_ok(va + 0x54321, ACC_READ, 1);

			assert_true(w.pa == pa + 0x54321);
			assert_true(w.block == size);
			assert_int_equal(w.level, level);
		} else {
			walk_faults(va, ACC_READ, 1, 0x04 + level);
		}
		*slot = old;
	}
}

static void test_blocks(void **state)
{
	each_regime(check_blocks);
}

static void test_contiguous(void **state)
{
	mmu_on(&granules[0], 25);
	for (unsigned i = 0; i < 16; i++)
		map(0x10000 + i * 4096, 0x200000 + i * 4096, 3, AF | BIT(52) | 1 << 2);
	assert_true(walk_ok(0x1f008, ACC_WRITE, 1).pa == 0x20f008);
}

/* ---- faults ---- */

static void check_faults(void)
{
	u64 va = 0x1234567890ull & (BIT(g_bits) - 1);

	for (unsigned level = start_level(); level <= 3; level++) {
		u64 *slot = slot_of(va, level, 0);
		bool root = level == start_level();
		u64 old;

		/* nothing there, at this level */
		walk_faults(va, ACC_READ, 1, 0x04 + level);
		walk_faults(va, ACC_EXEC, 0, 0x04 + level);
		if (level == 3)
			break;
		/* next table outside RAM; beyond the physical address size */
		*slot = 0x8000000000ull | TABLE;
		walk_faults(va, ACC_READ, 1, 0x14 + level + 1);
		*slot = BIT(44) | TABLE;
		walk_faults(va, ACC_READ, 1, 0x00 + level);
		*slot = 0;
		if (root) {
			old = cpu.sys.ttbr0_el1;
			cpu.sys.ttbr0_el1 = 0x8000000000ull;
			walk_faults(va, ACC_READ, 1, 0x14 + level);
			cpu.sys.ttbr0_el1 = BIT(45);
			walk_faults(va, ACC_READ, 1, 0x00);
			cpu.sys.ttbr0_el1 = old;
		}
	}
	*slot_of(va, 3, 0) = BLOCK | AF; /* reserved at level 3 */
	walk_faults(va, ACC_READ, 1, 0x07);
	map(va, BIT(44), 3, AF);
	walk_faults(va, ACC_READ, 1, 0x03);
	map(va, BIT(43), 3, 0);
	walk_faults(va, ACC_READ, 1, 0x0b);
	map(va, BIT(43), 3, AF);
	walk_faults(va, ACC_READ, 0, 0x0f);
	walk_ok(va, ACC_READ, 1);
	/* the output size is the smaller of IPS and PARange */
	cpu.sys.tcr_el1 &= ~(7ull << 32);
	walk_faults(va, ACC_READ, 1, 0x03);
	map(va, BIT(31), 3, AF);
	walk_ok(va, ACC_READ, 1);
	cpu.sys.tcr_el1 |= 7ull << 32; /* reserved: as the largest */
	map(va, BIT(43), 3, AF);
	walk_ok(va, ACC_READ, 1);
}

static void test_faults(void **state)
{
	each_regime(check_faults);
}

static void test_block_faults(void **state)
{
	mmu_on(&granules[0], 16);
	map(0, 0x40000000, 1, 0);
	walk_faults(0x1000, ACC_READ, 1, 0x09);
	map(0, 0x40000000, 1, AF);
	walk_faults(0x1000, ACC_READ, 0, 0x0d);
	*slot_of(0, 1, 0) = 0;
	map(0, BIT(44), 2, AF);
	walk_faults(0x1000, ACC_READ, 1, 0x02);
	map(0, 0x200000, 2, AF | AP(2));
	walk_faults(0x1000, ACC_WRITE, 1, 0x0e);
}

static void test_selection(void **state)
{
	u64 lo = 0x7000, hi;

	mmu_on(&granules[0], 25);
	hi = upper(0x7000);
	map(lo, 0x1000, 3, AF | AP(1));
	map(hi, 0x2000, 3, AF | AP(1));
	/* tags */
	walk_faults(lo | 0xab00000000000000ull, ACC_READ, 1, 0x04);
	walk_faults(hi & ~(0x55ull << 56), ACC_READ, 1, 0x04);
	cpu.sys.tcr_el1 |= TCR_TBI0;
	assert_true(walk_ok(lo | 0xab00000000000000ull, ACC_READ, 1).pa == 0x1000);
	walk_faults(hi & ~(0x55ull << 56), ACC_READ, 1, 0x04);
	cpu.sys.tcr_el1 |= TCR_TBI1;
	assert_true(walk_ok(hi & ~(0x55ull << 56), ACC_READ, 1).pa == 0x2000);
	walk_faults(lo | BIT(54), ACC_READ, 1, 0x04);
	/* bit 55 chooses, whatever the tag says */
	assert_true(walk_ok(lo | 0xff00000000000000ull, ACC_READ, 1).pa == 0x1000);
	/* walks disabled */
	cpu.sys.tcr_el1 |= TCR_EPD0;
	walk_faults(lo, ACC_READ, 1, 0x04);
	walk_ok(hi, ACC_READ, 1);
	cpu.sys.tcr_el1 ^= TCR_EPD0 | TCR_EPD1;
	walk_ok(lo, ACC_READ, 1);
	walk_faults(hi, ACC_READ, 1, 0x04);
	cpu.sys.tcr_el1 ^= TCR_EPD1;
	/* E0PD: EL0 only, as a level 0 translation fault */
	walk_ok(hi, ACC_READ, 0);
	cpu.sys.tcr_el1 |= TCR_E0PD1;
	walk_faults(hi, ACC_READ, 0, 0x04);
	walk_faults(hi, ACC_EXEC, 0, 0x04);
	walk_ok(hi, ACC_READ, 1);
	walk_ok(lo, ACC_READ, 0);
	cpu.sys.tcr_el1 |= TCR_E0PD0;
	walk_faults(lo, ACC_READ, 0, 0x04);
	/* sizes out of range */
	cpu.sys.tcr_el1 = (cpu.sys.tcr_el1 & ~0x3full) | 15;
	walk_faults(lo, ACC_READ, 1, 0x04);
	cpu.sys.tcr_el1 = (cpu.sys.tcr_el1 & ~0x3full) | 40;
	walk_faults(lo, ACC_READ, 1, 0x04);
}

static void test_cnp_and_asid_ignored(void **state)
{
	mmu_on(&granules[0], 25);
	map(0x3000, 0x9000, 3, AF);
	cpu.sys.ttbr0_el1 |= 0xbeefull << 48 | 1;
	assert_true(walk_ok(0x3000, ACC_READ, 1).pa == 0x9000);
	cpu.sys.tcr_el1 |= TCR_AS;
	assert_int_equal(mmu_asid(&cpu), 0xbeef);
	cpu.sys.tcr_el1 &= ~TCR_AS;
	assert_int_equal(mmu_asid(&cpu), 0xef);
	cpu.sys.ttbr1_el1 |= 0x1234ull << 48;
	cpu.sys.tcr_el1 |= TCR_AS | TCR_A1;
	assert_int_equal(mmu_asid(&cpu), 0x1234);
}

static void test_mmu_off(void **state)
{
	struct walk w, line[8];
	gva_t first;

	w = walk_ok(RAM_BASE + 0x1234, ACC_EXEC, 1);
	assert_true(w.pa == RAM_BASE + 0x1234);
	assert_true(w.device); /* to data */
	assert_true(w.r && w.w && w.x);
	w = walk_ok(0x09000000, ACC_WRITE, 0);
	assert_true(w.device);
	assert_true((w.pa & (w.block - 1)) == (0x09000000 & (w.block - 1)));
	walk_faults(BIT(44), ACC_READ, 1, 0x00);
	walk_faults(0xff00000000000000ull, ACC_READ, 1, 0x00);
	cpu.sys.tcr_el1 = TCR_TBI0;
	walk_ok(0xff00000040000000ull, ACC_READ, 1);
	assert_int_equal(mmu_walk_line(&cpu, GVA(RAM_BASE), 1, &w, line, &first), 0);
}

static void test_attributes(void **state)
{
	struct walk w;

	mmu_on(&granules[0], 25);
	for (unsigned i = 0; i < 4; i++)
		map(i << 12, i << 12, 3, AF | (u64)i << 2);
	w = walk_ok(0x0000, ACC_READ, 1);
	assert_true(w.device && w.attr == 0 && w.sh == 2);
	w = walk_ok(0x1000, ACC_READ, 1);
	assert_true(!w.device && w.attr == 0xff && w.sh == 0);
	w = walk_ok(0x2000, ACC_READ, 1);
	assert_true(!w.device && w.attr == 0x44 && w.sh == 2);
	w = walk_ok(0x3000, ACC_READ, 1);
	assert_true(w.device && w.attr == 0x0c && w.sh == 2);
}

/* ---- permissions ---- */

/*
 * Written from the manual's tables (D8.4), one line a rule, independently of the code under test:
 * what AP[2:1] gives each EL; then what takes rights away.
 */
struct rights {
	bool r, w, x;
};

static struct rights expected(unsigned ap, bool pxn, bool uxn, unsigned aptable, bool pxnt,
			      bool uxnt, bool wxn, bool pan, bool epan, unsigned el)
{
	static const char *const el1_by_ap[4] = {"rw", "rw", "r", "r"};
	static const char *const el0_by_ap[4] = {"", "rw", "", "r"};
	bool r1, w1, r0, w0, x0, x1;

	if (aptable & 1)
		ap &= ~1u; /* no EL0 access */
	if (aptable & 2)
		ap |= 2; /* read-only */
	r1 = strchr(el1_by_ap[ap], 'r');
	w1 = strchr(el1_by_ap[ap], 'w');
	r0 = strchr(el0_by_ap[ap], 'r');
	w0 = strchr(el0_by_ap[ap], 'w');
	x0 = !(uxn || uxnt);
	x1 = !(pxn || pxnt) && !w0;
	if (wxn && w0)
		x0 = false;
	if (wxn && w1)
		x1 = false;
	if (el == 0)
		return (struct rights){r0, w0, x0};
	if (pan && (r0 || w0 || (epan && x0)))
		r1 = w1 = false;
	return (struct rights){r1, w1, x1};
}

static void check_rights(u64 va, unsigned el, struct rights e)
{
	bool ok[3] = {e.r, e.w, e.x};

	for (unsigned acc = 0; acc < 3; acc++) {
		struct walk w;
		int ret = mmu_walk(&cpu, GVA(va), (enum access)acc, el, &w);

		assert_int_equal(ret, ok[acc] ? 0 : -EFAULT);
		if (ret) {
			assert_int_equal(w.fault, WALK_FAULT | 0x0f);
			continue;
		}
		assert_true(w.r == e.r && w.w == e.w && w.x == e.x);
	}
}

static void test_permissions(void **state)
{
	const u64 va = 0x123000;
	u64 *table, *leaf;

	mmu_on(&granules[0], 25);
	leaf = slot_of(va, 3, 0);
	table = slot_of(va, 2, 0);
	for (unsigned v = 0; v < 1u << 13; v++) {
		unsigned ap = v & 3, aptable = v >> 2 & 3, el = v >> 4 & 1;
		bool pxn = v >> 5 & 1, uxn = v >> 6 & 1, pxnt = v >> 7 & 1, uxnt = v >> 8 & 1;
		bool wxn = v >> 9 & 1, pan = v >> 10 & 1, epan = v >> 11 & 1, hpd = v >> 12;
		struct rights e;

		*leaf = 0x77000 | PAGE | AF | AP(ap) | (pxn ? PXN : 0) | (uxn ? UXN : 0);
		*table = (*table & 0x0000ffffffffffffull) | (u64)aptable << 61 | (u64)uxnt << 60 |
			 (u64)pxnt << 59;
		cpu.sys.sctlr_el1 = SCTLR_M | (wxn ? SCTLR_WXN : 0) | (epan ? SCTLR_EPAN : 0);
		cpu.sys.tcr_el1 = (cpu.sys.tcr_el1 & ~TCR_HPD0) | (hpd ? TCR_HPD0 : 0);
		cpu.ps.pan = pan;
		e = hpd ? expected(ap, pxn, uxn, 0, false, false, wxn, pan, epan, el)
			: expected(ap, pxn, uxn, aptable, pxnt, uxnt, wxn, pan, epan, el);
		check_rights(va, el, e);
	}
}

static void test_hpd1(void **state)
{
	u64 va;

	mmu_on(&granules[0], 25);
	va = upper(0x5000);
	*slot_of(va, 3, BIT(62)) = 0x5000 | PAGE | AF;
	walk_faults(va, ACC_WRITE, 1, 0x0f);
	cpu.sys.tcr_el1 |= TCR_HPD0; /* the other half's */
	walk_faults(va, ACC_WRITE, 1, 0x0f);
	cpu.sys.tcr_el1 |= TCR_HPD1;
	walk_ok(va, ACC_WRITE, 1);
}

/* ---- hardware management of access flag and dirty state ---- */

static void test_access_flag(void **state)
{
	u64 *pte;

	mmu_on(&granules[0], 25);
	map(0x1000, 0x1000, 3, 0);
	pte = slot_of(0x1000, 3, 0);
	walk_faults(0x1000, ACC_READ, 1, 0x0b);
	assert_false(*pte & AF);
	cpu.sys.tcr_el1 |= TCR_HA;
	walk_ok(0x1000, ACC_READ, 1);
	assert_true(*pte == (0x1000 | PAGE | AF));
	map(0x40000000, 0x40000000, 1, 0);
	walk_ok(0x40000000, ACC_EXEC, 1);
	assert_true(*slot_of(0x40000000, 1, 0) & AF);
}

static void test_dirty_state(void **state)
{
	const u64 clean = 0x1000 | PAGE | AF | AP(3) | DBM;
	struct walk w;
	u64 *pte;

	mmu_on(&granules[0], 25);
	pte = slot_of(0x1000, 3, 0);
	*pte = clean;
	walk_faults(0x1000, ACC_WRITE, 0, 0x0f);
	cpu.sys.tcr_el1 |= TCR_HD; /* means nothing without HA */
	walk_faults(0x1000, ACC_WRITE, 0, 0x0f);
	cpu.sys.tcr_el1 |= TCR_HA;
	w = walk_ok(0x1000, ACC_READ, 0);
	assert_true(w.r && !w.w);
	assert_true(*pte == clean);
	/* writable-clean at EL0 is EL0-writable: no execution at EL1 */
	walk_faults(0x1000, ACC_EXEC, 1, 0x0f);
	assert_int_equal(mmu_walk_flags(&cpu, GVA(0x1000), ACC_WRITE, 0, WALK_NO_DIRTY, &w), 0);
	assert_true(*pte == clean);
	w = walk_ok(0x1000, ACC_WRITE, 0);
	assert_true(w.w);
	assert_true(*pte == (clean & ~AP(2)));
	/* both bits in one go */
	*pte = clean & ~AF;
	walk_ok(0x1000, ACC_WRITE, 1);
	assert_true(*pte == (clean & ~AP(2)));
	/* a write that is not allowed leaves it clean */
	*pte = (clean & ~AP(1));
	walk_faults(0x1000, ACC_WRITE, 0, 0x0f);
	assert_true(*pte == (clean & ~AP(1)));
	*pte = clean;
	cpu.ps.pan = 1;
	walk_faults(0x1000, ACC_WRITE, 1, 0x0f);
	assert_true(*pte == clean);
	/* the table says read-only: DBM does not help */
	cpu.ps.pan = 0;
	*slot_of(0x1000, 2, 0) |= BIT(62);
	walk_faults(0x1000, ACC_WRITE, 0, 0x0f);
	assert_true(*pte == clean);
}

struct racer {
	struct dbt_vcpu cpu;
	enum access acc;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	struct walk w;

	for (u64 page = 0; page < 512; page++)
		if (mmu_walk(&r->cpu, GVA(page << 12), r->acc, 0, &w))
			return NULL;
	return arg;
}

/* AF by a reader and the dirty state by a writer, at once: no update is lost. */
static void test_updates_race(void **state)
{
	mmu_on(&granules[0], 25);
	cpu.sys.tcr_el1 |= TCR_HA | TCR_HD;
	for (unsigned round = 0; round < 20; round++) {
		struct racer r[2] = {{cpu, ACC_READ}, {cpu, ACC_WRITE}};
		pthread_t t[2];

		for (u64 page = 0; page < 512; page++)
			map(page << 12, page << 12, 3, AP(3) | DBM);
		for (unsigned i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&t[i], NULL, race, &r[i]), 0);
		for (unsigned i = 0; i < 2; i++) {
			void *ret;

			pthread_join(t[i], &ret);
			assert_non_null(ret);
		}
		for (u64 page = 0; page < 512; page++)
			assert_true(*slot_of(page << 12, 3, 0) ==
				    (page << 12 | PAGE | AF | AP(1) | DBM));
	}
}

/* ---- neighbours ---- */

static void check_line(void)
{
	u64 base = upper(0), first_page = 8;
	struct walk w, n[8];
	gva_t first;

	for (u64 i = 0; i < 8; i++)
		map(base + ((first_page + i) << g_shift), 0x100000000ull + (i << g_shift), 3, AF);
	*slot_of(base + ((first_page + 1) << g_shift), 3, 0) = 0;
	*slot_of(base + ((first_page + 2) << g_shift), 3, 0) &= ~AF;
	*slot_of(base + ((first_page + 3) << g_shift), 3, 0) |= AP(2);
	w = walk_ok(base + ((first_page + 5) << g_shift) + 77, ACC_READ, 1);
	assert_int_equal(mmu_walk_line(&cpu, GVA(base + ((first_page + 5) << g_shift) + 77), 1, &w,
				       n, &first),
			 8);
	assert_true(first.v == base + (first_page << g_shift));
	assert_int_equal(n[1].fault, WALK_FAULT | 0x07);
	assert_int_equal(n[2].fault, WALK_FAULT | 0x0b);
	assert_true(!n[1].r && !n[2].r && !n[2].w && !n[2].x);
	for (unsigned i = 0; i < 8; i++) {
		if (i == 1 || i == 2)
			continue;
		assert_int_equal(n[i].fault, 0);
		assert_true(n[i].pa == 0x100000000ull + ((u64)i << g_shift));
		assert_true(n[i].r && n[i].w == (i != 3));
	}
}

static void test_line(void **state)
{
	for (unsigned g = 0; g < ARRAY_SIZE(granules); g++) {
		fixture_setup(NULL);
		mmu_on(&granules[g], 25);
		check_line();
	}
}

static void test_branch_address(void **state)
{
	u64 tagged = 0x5a00000000001000ull, high = 0x5affffffffff1000ull;

	assert_true(mmu_branch_addr(&cpu, tagged, 0) == tagged);
	cpu.sys.tcr_el1 = TCR_TBI0;
	assert_true(mmu_branch_addr(&cpu, tagged, 0) == 0x1000);
	assert_true(mmu_branch_addr(&cpu, high, 1) == high);
	cpu.sys.tcr_el1 = TCR_TBI1;
	assert_true(mmu_branch_addr(&cpu, high, 1) == 0xffffffffffff1000ull);
	assert_true(mmu_branch_addr(&cpu, tagged, 1) == tagged);
}

/* Not a pass or fail matter on a loaded machine: the figure is printed for who works on mmu.c. */
static void test_speed(void **state)
{
	enum { N = 200000 };
	struct timespec a, b;
	struct walk w;

	mmu_on(&granules[0], 16);
	for (u64 page = 0; page < 512; page++)
		map(page << 12, page << 12, 3, AF | AP(1));
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (u64 i = 0; i < N; i++)
		assert_int_equal(mmu_walk(&cpu, GVA(i % 512 << 12), ACC_READ, 0, &w), 0);
	clock_gettime(CLOCK_MONOTONIC, &b);
	print_message("four-level walk: %.1f ns\n",
		      ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / N);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, fixture_setup)
	const struct CMUnitTest tests[] = {
		T(test_pages),		T(test_blocks),	      T(test_contiguous),
		T(test_faults),		T(test_block_faults), T(test_selection),
		T(test_mmu_off),	T(test_attributes),   T(test_cnp_and_asid_ignored),
		T(test_permissions),	T(test_hpd1),	      T(test_access_flag),
		T(test_dirty_state),	T(test_updates_race), T(test_line),
		T(test_branch_address), T(test_speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

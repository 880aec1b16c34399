/* SPDX-License-Identifier: MIT */
/*
 * Translation: TLBI in all forms against ASIDs and nG, permissions, PAN and UAO, hardware access
 * flag and dirty state, tagged addresses, AT, granules and address sizes. One CPU.
 */
#include "tests/guest/guest.h"

static struct {
	unsigned n;
	u64 esr, far;
} last;

static u64 hook(u64 *regs, u64 elr, u64 esr, u64 far)
{
	last.n++;
	last.esr = esr;
	last.far = far;
	return last.n > 100 ? 0 : elr + 4;
}

static u8 page[8][PAGE] __attribute__((aligned(65536)));

static u64 load(u64 va)
{
	u64 v = 0xbad;

	last.n = 0;
	asm volatile("ldr %0, [%1]" : "+r"(v) : "r"(va) : "memory");
	return last.n ? ~0ull : v;
}

static bool store(u64 va, u64 v)
{
	last.n = 0;
	asm volatile("str %0, [%1]" ::"r"(v), "r"(va) : "memory");
	return !last.n;
}

static u64 load_user(u64 va) /* LDTR */
{
	u64 v = 0xbad;

	last.n = 0;
	asm volatile("ldtr %0, [%1]" : "+r"(v) : "r"(va) : "memory");
	return last.n ? ~0ull : v;
}

static u32 fsc(void)
{
	return last.n ? (u32)last.esr & 0x3f : ~0u;
}

static void flush(void)
{
	asm volatile("tlbi vmalle1is; dsb ish; isb" ::: "memory");
}

static void set_asid(u64 asid)
{
	msr(ttbr0_el1, (mrs(ttbr0_el1) & 0xffffffffffffull) | asid << 48);
	isb();
}

/* ---- TLBI ---- */

enum {
	VMALLE1,
	VMALLE1IS,
	VMALLE1OS,
	VAE1,
	VAE1IS,
	VAE1OS,
	VALE1,
	VALE1IS,
	VAAE1,
	VAAE1IS,
	VAALE1,
	ASIDE1,
	ASIDE1IS,
	RVAE1,
	RVAE1IS,
	RVAAE1,
	RVALE1OS,
	N_TLBI
};

static void tlbi(unsigned kind, u64 va, u64 asid)
{
	u64 arg = (va >> 12 & 0xfffffffffffull) | asid << 48;
	u64 range = (va >> 12 & 0x1fffffffffull) | 1ull << 46 |
		    asid << 48; /* 4 KiB, NUM 0, SCALE 0: 2 pages */

	asm volatile("dsb ishst" ::: "memory");
	switch (kind) {
	case VMALLE1: asm volatile("tlbi vmalle1"); break;
	case VMALLE1IS: asm volatile("tlbi vmalle1is"); break;
	case VMALLE1OS: asm volatile(".inst 0xd508811f"); break;
	case VAE1: asm volatile("tlbi vae1, %0" ::"r"(arg)); break;
	case VAE1IS: asm volatile("tlbi vae1is, %0" ::"r"(arg)); break;
	case VAE1OS: asm volatile("mov x0, %0; .inst 0xd5088120" ::"r"(arg) : "x0"); break;
	case VALE1: asm volatile("tlbi vale1, %0" ::"r"(arg)); break;
	case VALE1IS: asm volatile("tlbi vale1is, %0" ::"r"(arg)); break;
	case VAAE1: asm volatile("tlbi vaae1, %0" ::"r"(arg)); break;
	case VAAE1IS: asm volatile("tlbi vaae1is, %0" ::"r"(arg)); break;
	case VAALE1: asm volatile("tlbi vaale1, %0" ::"r"(arg)); break;
	case ASIDE1: asm volatile("tlbi aside1, %0" ::"r"(arg)); break;
	case ASIDE1IS: asm volatile("tlbi aside1is, %0" ::"r"(arg)); break;
	case RVAE1: asm volatile("mov x0, %0; .inst 0xd5088620" ::"r"(range) : "x0"); break;
	case RVAE1IS: asm volatile("mov x0, %0; .inst 0xd5088220" ::"r"(range) : "x0"); break;
	case RVAAE1: asm volatile("mov x0, %0; .inst 0xd5088660" ::"r"(range) : "x0"); break;
	case RVALE1OS: asm volatile("mov x0, %0; .inst 0xd50885a0" ::"r"(range) : "x0"); break;
	}
	asm volatile("dsb ish; isb" ::: "memory");
}

static bool by_asid(unsigned kind)
{
	return kind != VMALLE1 && kind != VMALLE1IS && kind != VMALLE1OS && kind != VAAE1 &&
	       kind != VAAE1IS && kind != VAALE1 && kind != RVAAE1;
}

static void test_tlbi(void)
{
	u64 va = LOW_BASE + 3 * PAGE, hi = HIGH_BASE + 70 * PAGE;
	unsigned bad = 0, high = 0, global = 0;
	const u64 bits = PTE_NORMAL | PTE_PAGE;

	for (unsigned k = 0; k < N_TLBI; k++) {
		/* not global: seen by its ASID after the TLBI of that ASID */
		for (u64 asid = 5; asid < 7; asid++) {
			set_asid(asid);
			pte_set(&low_ptes[3], (u64)page[0] | bits | PTE_NG);
			flush();
			*(u64 *)page[0] = 0x100;
			*(u64 *)page[1] = 0x101;
			load(va);
			store(va + 8, 1);
			pte_set(&low_ptes[3], (u64)page[1] | bits | PTE_NG);
			tlbi(k, va, asid);
			bad += load(va) != 0x101;
		}
		/* global, by a foreign ASID: by address it still goes */
		set_asid(5);
		pte_set(&low_ptes[3], (u64)page[0] | bits);
		flush();
		load(va);
		pte_set(&low_ptes[3], (u64)page[1] | bits);
		tlbi(k, va, 9);
		if (k != ASIDE1 && k != ASIDE1IS)
			global += load(va) != 0x101;
		/* the kernel's half */
		pte_set(&high_ptes[70], (u64)page[0] | bits);
		flush();
		load(hi);
		pte_set(&high_ptes[70], (u64)page[1] | bits);
		tlbi(k, hi, 5);
		if (k != ASIDE1 && k != ASIDE1IS)
			high += load(hi) != 0x101;
		(void)by_asid;
	}
	result(!bad, "TLBI: every form drops an ASID's entry");
	result(!global, "TLBI by address drops global entries whatever the ASID");
	result(!high, "TLBI: every form by address drops the upper half's entry");
	/* ASIDs keep apart */
	set_asid(5);
	pte_set(&low_ptes[3], (u64)page[0] | bits | PTE_NG);
	flush();
	load(va);
	pte_set(&low_ptes[3], (u64)page[1] | bits | PTE_NG);
	set_asid(6);
	result(load(va) == 0x101, "an ASID's entry is not another's");
	set_asid(0);
	flush();
}

/* ---- permissions ---- */

static void test_permissions(void)
{
	u64 va = HIGH_BASE + 71 * PAGE, user = LOW_BASE + 4 * PAGE;
	u64 *pte = &high_ptes[71];

	*(u64 *)page[2] = 0x200;
	pte_set(pte, (u64)page[2] | PTE_NORMAL | PTE_PAGE);
	flush();
	bool ok = store(va + 8, 1);
	pte_set(pte, (u64)page[2] | PTE_NORMAL | PTE_PAGE | PTE_RO);
	tlbi(VAE1IS, va, 0);
	ok &= !store(va + 8, 2) && fsc() == 0xf && load(va) == 0x200;
	pte_set(pte, (u64)page[2] | PTE_NORMAL | PTE_PAGE);
	tlbi(VAE1IS, va, 0);
	ok &= store(va + 8, 3);
	result(ok, "write permission goes and comes");
	/* PAN, LDTR, UAO */
	pte_set(&low_ptes[4], (u64)page[2] | PTE_NORMAL | PTE_PAGE | PTE_USER | PTE_NG);
	flush();
	asm volatile(".inst 0xd500419f; isb"); /* msr pan, #1 */
	ok = load(user) == ~0ull && fsc() == 0xf && load_user(user) == 0x200;
	ok &= load_user(va) == ~0ull && fsc() == 0xf;
	asm volatile(".inst 0xd500409f; isb"); /* msr pan, #0 */
	ok &= load(user) == 0x200;
	result(ok, "PAN stops EL1 on EL0's pages, not LDTR; LDTR has EL0's rights");
	asm volatile(".inst 0xd500417f; isb"); /* msr uao, #1 */
	ok = load_user(va) == 0x200;
	asm volatile(".inst 0xd500407f; isb");
	ok &= load_user(va) == ~0ull;
	result(ok, "UAO: LDTR has EL1's rights");
}

static void test_hafdbs(void)
{
	u64 va = HIGH_BASE + 72 * PAGE, tcr = mrs(tcr_el1);
	volatile u64 *pte = &high_ptes[72];
	const u64 AF = 1ull << 10, DBM = 1ull << 51;

	msr(tcr_el1, tcr | 3ull << 39); /* HA, HD */
	isb();
	pte_set(&high_ptes[72], ((u64)page[3] | PTE_NORMAL | PTE_PAGE | PTE_RO | DBM) & ~AF);
	flush();
	load(va);
	bool ok = !last.n && *pte & AF && *pte & PTE_RO;
	ok &= store(va, 7) && !(*pte & PTE_RO);
	result(ok, "hardware access flag and dirty state");
	pte_set(&high_ptes[72], ((u64)page[3] | PTE_NORMAL | PTE_PAGE | PTE_RO | DBM));
	flush();
	u64 v = 1;
	last.n = 0;
	asm volatile(".arch_extension lse; ldadd %0, xzr, [%1]" ::"r"(v), "r"(va) : "memory");
	result(!last.n && !(*pte & PTE_RO), "... by an atomic");
	msr(tcr_el1, tcr);
	isb();
	pte_set(&high_ptes[72], ((u64)page[3] | PTE_NORMAL | PTE_PAGE) & ~AF);
	flush();
	load(va);
	result(fsc() == 0xb && last.far == va, "without HA an access flag fault");
}

/* ---- tags, AT ---- */

static void test_tags(void)
{
	u64 tcr = mrs(tcr_el1), va = LOW_BASE + 5 * PAGE, bad;

	*(u64 *)page[4] = 0x400;
	pte_set(&low_ptes[5], (u64)page[4] | PTE_NORMAL | PTE_PAGE);
	flush();
	bad = va | 0x5aull << 56;
	bool ok = load(bad) == ~0ull && (fsc() == 4) && last.far == bad;
	result(ok, "without TBI a tag is a translation fault of level 0");
	msr(tcr_el1, tcr | 1ull << 37); /* TBI0 */
	isb();
	ok = load(bad) == 0x400 && store(bad + 8, 9) && load(va + 8) == 9;
	u64 old;
	asm volatile("ldaxr %0, [%1]; stlxr w9, %0, [%1]" : "=&r"(old) : "r"(bad) : "x9", "memory");
	ok &= old == 0x400 && !last.n;
	result(ok, "TBI0: loads, stores, exclusives by a tagged address");
	ok = load((bad & ~0xfffull) + 300 * PAGE) == ~0ull &&
	     last.far == (bad & ~0xfffull) + 300 * PAGE;
	result(ok, "... and FAR shows the tag");
	msr(tcr_el1, tcr);
	isb();
}

static u64 at(unsigned kind, u64 va)
{
	switch (kind) {
	case 0: asm volatile("at s1e1r, %0; isb" ::"r"(va)); break;
	case 1: asm volatile("at s1e1w, %0; isb" ::"r"(va)); break;
	case 2: asm volatile("at s1e0r, %0; isb" ::"r"(va)); break;
	default: asm volatile("at s1e0w, %0; isb" ::"r"(va)); break;
	}
	return mrs(par_el1);
}

static void test_at(void)
{
	u64 va = HIGH_BASE + 73 * PAGE, pa = (u64)page[5];

	pte_set(&high_ptes[73], pa | PTE_NORMAL | PTE_PAGE | PTE_RO);
	flush();
	bool ok = (at(0, va) & 0xfffffffff001ull) == pa && at(0, va) >> 56 == 0xff;
	ok &= (at(1, va) & 0x7f) == (0xf << 1 | 1) && (at(2, va) & 0x7f) == (0xf << 1 | 1);
	ok &= (at(0, va + 100 * PAGE) & 0x7f) == (7 << 1 | 1);
	result(ok, "AT S1E1R, S1E1W, S1E0R");
}

/* ---- granules and sizes, through TTBR1 ---- */

static u64 tables[4][8192] __attribute__((aligned(65536)));

/* Maps the last `bits` of address space's page at `va` to page[6] with this granule; returns what a
 * load finds. */
static u64 with_granule(unsigned shift, unsigned bits, unsigned leaf, bool contiguous)
{
	static const u64 tg1[] = {[12] = 2, [14] = 1, [16] = 3};
	u64 tcr = mrs(tcr_el1), ttbr1 = mrs(ttbr1_el1), stride = shift - 3, v;
	unsigned level = 4 - (bits - shift + stride - 1) / stride, n = 0;
	u64 va = (~0ull << bits) + (0x12345678ull & ((1ull << bits) - 1) & ~7ull);
	u64 block = 1ull << (shift + (3 - leaf) * stride), target = (u64)page[6] & ~(block - 1);
	u64 *desc = NULL;

	memset(tables, 0, sizeof(tables));
	for (;; level++) {
		u64 low = shift + (3 - level) * stride,
		    top = bits < low + stride ? bits : low + stride;
		u64 i = va >> low & ((1ull << (top - low)) - 1);

		desc = &tables[n][i];
		if (level == leaf)
			break;
		tables[n][i] = (u64)tables[n + 1] | 3;
		n++;
	}
	*desc = target | PTE_NORMAL | (leaf == 3 ? 3 : 1) | (contiguous ? 1ull << 52 : 0);
	*(u64 *)(target + (va & (block - 1))) = 0x600d;
	asm volatile("dsb sy; isb");
	msr(ttbr1_el1, (u64)tables[0]);
	msr(tcr_el1, (tcr & ~(0x3full << 16 | 3ull << 30)) | (64 - bits) << 16 | tg1[shift] << 30);
	isb();
	flush();
	v = load(va);
	store(va, 0x600e);
	msr(tcr_el1, tcr);
	msr(ttbr1_el1, ttbr1);
	isb();
	flush();
	return v == 0x600d && *(u64 *)(target + (va & (block - 1))) == 0x600e;
}

static void test_granules(void)
{
	static const u8 sizes[3][5] = {
		{36, 39, 42, 47, 48}, {36, 39, 42, 47, 48}, {36, 39, 42, 47, 48}};

	for (unsigned g = 0; g < 3; g++) {
		unsigned shift = 12 + 2 * g, bad = 0;

		for (unsigned i = 0; i < 5; i++)
			bad += !with_granule(shift, sizes[g][i], 3, i & 1);
		result(!bad, "%u KiB granule: 36- to 48-bit addresses", 1ull << (shift - 10));
	}
	result(with_granule(12, 48, 2, true), "2 MiB blocks");
	result(with_granule(14, 47, 2, false), "32 MiB blocks");
}

int main(void)
{
	sync_hook = hook;
	test_tlbi();
	test_permissions();
	test_hafdbs();
	test_tags();
	test_at();
	test_granules();
	finish();
	return 0;
}

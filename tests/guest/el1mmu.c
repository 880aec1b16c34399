/* SPDX-License-Identifier: MIT */
/*
 * Translation: TLBI in all forms against ASIDs and nG, permissions, PAN and UAO, hardware access
 * flag and dirty state, tagged addresses, AT, granules and address sizes. One CPU.
 */
#include "tests/guest/guest.h"

static u64 hook(u64 *regs, u64 elr, u64 esr, u64 far)
{
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

/* The same off SP_EL0, whose last page and addend the translator remembers. */
static u64 load_sp(u64 va)
{
	u64 v = 0xbad;

	last.n = 0;
	asm volatile("msr spsel, #0; mov sp, %1; ldr %0, [sp]; msr spsel, #1"
		     : "+r"(v)
		     : "r"(va)
		     : "memory");
	return last.n ? ~0ull : v;
}

static bool store_sp(u64 va, u64 v)
{
	last.n = 0;
	asm volatile("msr spsel, #0; mov sp, %1; str %0, [sp, #8]; msr spsel, #1" ::"r"(v), "r"(va)
		     : "memory");
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

/* Every form: op1 is 0, CRn 8. */
static const struct tlbi {
	const char *name;
	u8 crm, op2;
} tlbis[] = {
	{"vmalle1os", 1, 0}, {"vae1os", 1, 1},	  {"aside1os", 1, 2},  {"vaae1os", 1, 3},
	{"vale1os", 1, 5},   {"vaale1os", 1, 7},  {"rvae1is", 2, 1},   {"rvaae1is", 2, 3},
	{"rvale1is", 2, 5},  {"rvaale1is", 2, 7}, {"vmalle1is", 3, 0}, {"vae1is", 3, 1},
	{"aside1is", 3, 2},  {"vaae1is", 3, 3},	  {"vale1is", 3, 5},   {"vaale1is", 3, 7},
	{"rvae1os", 5, 1},   {"rvaae1os", 5, 3},  {"rvale1os", 5, 5},  {"rvaale1os", 5, 7},
	{"rvae1", 6, 1},     {"rvaae1", 6, 3},	  {"rvale1", 6, 5},    {"rvaale1", 6, 7},
	{"vmalle1", 7, 0},   {"vae1", 7, 1},	  {"aside1", 7, 2},    {"vaae1", 7, 3},
	{"vale1", 7, 5},     {"vaale1", 7, 7},
};
enum { VAE1IS = 11 };

static bool is_range(const struct tlbi *t)
{
	return t->crm == 2 || t->crm == 5 || t->crm == 6;
}

static bool is_all(const struct tlbi *t)
{
	return t->op2 == 0;
}

static bool is_asid(const struct tlbi *t)
{
	return t->op2 == 2;
}

/* The instruction with this operand, between the barriers it wants. */
static void tlbi_do(const struct tlbi *t, u64 arg)
{
	static u32 code[2] __attribute__((aligned(64)));

	code[0] = 0xd5088000 | (u32)t->crm << 8 | (u32)t->op2 << 5;
	code[1] = 0xd65f03c0;
	asm volatile("dc cvau, %0; dsb ish; ic ivau, %0; dsb ish; isb" ::"r"(code) : "memory");
	((void (*)(u64))(u64)code)(arg);
	asm volatile("dsb ish; isb" ::: "memory");
}

/* 4 KiB pages; `ttl`: with the hint that they are of level 3. */
static u64 by_va(u64 va, u64 asid, bool ttl)
{
	return (va >> 12 & 0xfffffffffffull) | asid << 48 | (ttl ? 7ull << 44 : 0);
}

static u64 by_range(u64 va, u64 asid, bool ttl, u64 scale, u64 num)
{
	return (va >> 12 & 0x1fffffffffull) | asid << 48 | 1ull << 46 | scale << 44 | num << 39 |
	       (ttl ? 3ull << 37 : 0);
}

static void tlbi(unsigned kind, u64 va, u64 asid)
{
	const struct tlbi *t = &tlbis[kind];

	tlbi_do(t, is_range(t) ? by_range(va, asid, kind & 1, 0, 0) : by_va(va, asid, kind & 1));
}

static void test_tlbi(void)
{
	u64 va = LOW_BASE + 3 * PAGE, hi = HIGH_BASE + 70 * PAGE;
	unsigned bad = 0, high = 0, global = 0;
	const u64 bits = PTE_NORMAL | PTE_PAGE;

	*(u64 *)page[0] = 0x100;
	*(u64 *)page[1] = 0x101;
	for (unsigned k = 0; k < ARRAY_SIZE(tlbis); k++) {
		/* not global: seen by its ASID after the TLBI of that ASID */
		for (u64 asid = 5; asid < 7; asid++) {
			set_asid(asid);
			pte_set(&low_ptes[3], (u64)page[0] | bits | PTE_NG);
			flush();
			load(va);
			store(va + 8, 1);
			bad += load_sp(va) != 0x100;
			pte_set(&low_ptes[3], (u64)page[1] | bits | PTE_NG);
			tlbi(k, va, asid);
			bad += load_sp(va) != 0x101 || load(va) != 0x101;
		}
		if (is_asid(&tlbis[k]))
			continue;
		/* global, by a foreign ASID: by address it still goes */
		set_asid(5);
		pte_set(&low_ptes[3], (u64)page[0] | bits);
		flush();
		store_sp(va, 1);
		load(va);
		pte_set(&low_ptes[3], (u64)page[1] | bits);
		tlbi(k, va, 9);
		global += load_sp(va) != 0x101 || load(va) != 0x101;
		/* the kernel's half */
		pte_set(&high_ptes[70], (u64)page[0] | bits);
		flush();
		store_sp(hi, 1);
		load(hi);
		pte_set(&high_ptes[70], (u64)page[1] | bits);
		tlbi(k, hi, 5);
		high += load_sp(hi) != 0x101 || load(hi) != 0x101;
	}
	result(!bad, "TLBI: each of %u forms drops an ASID's entry", (u64)ARRAY_SIZE(tlbis));
	result(!global, "TLBI by address drops global entries whatever the ASID");
	result(!high, "TLBI: every form by address drops the upper half's entry");
	/* nothing but the TLBI comes in between */
	u64 v, w, next = (u64)page[1] | bits;

	pte_set(&low_ptes[3], (u64)page[0] | bits);
	flush();
	load_user(va); /* EL0's view exists: else a TLBI waits for whoever might use it, this CPU
			  too */
	asm volatile("msr spsel, #0; mov sp, %2; str xzr, [sp, #8]; ldr %0, [sp]; str %4, [%3];"
		     "dsb ishst; tlbi vae1is, %5; dsb ish; isb; ldr %1, [sp]; msr spsel, #1"
		     : "=&r"(v), "=&r"(w)
		     : "r"(va), "r"(&low_ptes[3]), "r"(next), "r"(va >> 12)
		     : "memory");
	result(v == 0x100 && w == 0x101, "TLBI: the page under the stack");
	/* ASIDs keep apart */
	set_asid(5);
	pte_set(&low_ptes[3], (u64)page[0] | bits | PTE_NG);
	flush();
	load(va);
	pte_set(&low_ptes[3], (u64)page[1] | bits | PTE_NG);
	store_sp(va, 1);
	set_asid(6);
	result(load_sp(va) == 0x101 && load(va) == 0x101, "an ASID's entry is not another's");
	set_asid(0);
	flush();
}

/* Entries 64 to 64 + pages of `ptes`, and one more at either end. */
static void map_all(u64 *ptes, unsigned pages, const u8 *to, u64 bits)
{
	for (unsigned i = 63; i <= 64 + pages; i++)
		*(volatile u64 *)&ptes[i] = to ? (u64)to | PTE_NORMAL | PTE_PAGE | bits : 0;
	asm volatile("dsb ishst; isb" ::: "memory");
}

static unsigned range_form(const struct tlbi *t, u64 scale, u64 num, bool low, bool ttl)
{
	unsigned pages = (unsigned)(num + 1) << (5 * scale + 1), bad = 0;
	u64 base = low ? LOW_BASE : HIGH_BASE, bits = low ? PTE_NG : 0;
	u64 *ptes = low ? low_ptes : high_ptes;

	map_all(ptes, pages, page[0], bits);
	flush();
	for (unsigned i = 63; i <= 64 + pages; i++)
		bad += load(base + i * PAGE) != 0x100;
	map_all(ptes, pages, page[1], bits);
	tlbi_do(t, by_range(base + 64 * PAGE, 5, ttl, scale, num));
	for (unsigned i = 64; i < 64 + pages; i++)
		bad += load(base + i * PAGE) != 0x101;
	return bad;
}

static void test_ranges(void)
{
	static const u8 sizes[][2] = {{0, 0}, {0, 1}, {0, 2}, {0, 31}, {1, 0}, {1, 1}};
	unsigned bad = 0;

	set_asid(5);
	for (unsigned k = 0; k < ARRAY_SIZE(tlbis); k++)
		for (unsigned i = 0; i < ARRAY_SIZE(sizes) && is_range(&tlbis[k]); i++)
			for (unsigned f = 0; f < 4; f++)
				bad += range_form(&tlbis[k], sizes[i][0], sizes[i][1], f & 1,
						  f & 2);
	result(!bad, "TLBI by range: each of 12 forms, 2 to 128 pages, both halves");
	map_all(low_ptes, 128, NULL, 0);
	map_all(high_ptes, 128, NULL, 0);
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
	ok = store_sp(va, 4) && load(va + 8) == 4;
	pte_set(pte, (u64)page[2] | PTE_NORMAL | PTE_PAGE | PTE_RO);
	tlbi(VAE1IS, va, 0);
	for (unsigned k = 0; k < 3; k++) /* a window for loads is none for stores */
		ok &= load_sp(va) == 0x200 && !store_sp(va, 5) && fsc() == 0xf &&
		      last.far == va + 8;
	ok &= load(va + 8) == 4;
	pte_set(pte, (u64)page[2] | PTE_NORMAL | PTE_PAGE);
	tlbi(VAE1IS, va, 0);
	ok &= store_sp(va, 6) && load_sp(va) == 0x200 && load(va + 8) == 6;
	/* no window yet, and addresses that only look like the page */
	flush();
	ok &= load_sp(1ull << 63) == ~0ull && store_sp(va, 7) && load_sp(va ^ 1ull << 63) == ~0ull;
	result(ok, "accesses off SP: permissions, addresses with wrong top bits");
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

/* ---- EL0's ---- */

#define USER_CODE (LOW_BASE + 20 * PAGE)
#define USER_OUT  (LOW_BASE + 21 * PAGE) /* svc */
#define USER_DATA (LOW_BASE + 22 * PAGE)
#define EC_IABT_0 0x20
#define EC_DABT_0 0x24

static u32 user_code[2][PAGE / 4] __attribute__((aligned(4096)));

/* Whatever faults at EL0 ends there. */
static u64 user_hook(u64 *regs, u64 elr, u64 esr, u64 far)
{
	hook(regs, elr, esr, far);
	return USER_OUT;
}

static void user_map(unsigned slot, const void *to, u64 bits)
{
	pte_set(&low_ptes[slot],
		to ? (u64)to | PTE_NORMAL | PTE_PAGE | PTE_NG | PTE_PXN | bits : 0);
	tlbi(VAE1IS, LOW_BASE + slot * PAGE, 0);
}

/* Loads and stores there a few times; 0, or the syndrome. */
static u64 user_run(void)
{
	last.n = 0;
	last.esr = 0;
	el0_call((u64(*)(u64))USER_CODE, USER_DATA, 0);
	return last.n > 1 ? ~0ull : last.esr & ~(1ull << 25);
}

static void test_user_permissions(void)
{
	/* mov x2, #5; 1: ldr x1, [x0]; str x1, [x0, #8]; subs x2, x2, #1; b.ne 1b; svc #0 */
	static const u32 body[] = {0xd28000a2, 0xf9400001, 0xf9000401,
				   0xf1000442, 0x54ffffa1, 0xd4000001};
	static const struct {
		const char *name;
		u64 code, data; /* ~0: not mapped */
		u64 want;
	} states[] = {
		{"all", PTE_RO, 0, 0},
		{"read-only data", PTE_RO, PTE_RO, (u64)EC_DABT_0 << 26 | 0x4f},
		{"EL1's data", PTE_RO, PTE_USER, (u64)EC_DABT_0 << 26 | 0xf},
		{"no data", PTE_RO, ~0ull, (u64)EC_DABT_0 << 26 | 7},
		{"UXN", PTE_RO | PTE_UXN, 0, (u64)EC_IABT_0 << 26 | 0xf},
		{"no code", ~0ull, 0, (u64)EC_IABT_0 << 26 | 7},
	};
	unsigned bad = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(body); i++)
		user_code[0][i] = body[i];
	user_code[1][0] = 0xd4000001;
	asm volatile("ic iallu; dsb ish; isb" ::: "memory");
	sync_hook = user_hook;
	user_map(21, user_code[1], PTE_USER | PTE_RO);
	for (unsigned from = 0; from < ARRAY_SIZE(states); from++)
		for (unsigned to = 0; to < ARRAY_SIZE(states); to++)
			for (unsigned k = 0; k < 2; k++) {
				unsigned i = k ? to : from;
				u64 c = states[i].code, d = states[i].data, got;

				user_map(20, c == ~0ull ? NULL : user_code[0], PTE_USER ^ c);
				user_map(22, d == ~0ull ? NULL : page[7], PTE_USER ^ d);
				got = user_run();
				if (got != states[i].want) {
					print("# %s after %s: %x, wanted %x\n", states[i].name,
					      states[from].name, got, states[i].want);
					bad++;
				}
			}
	sync_hook = hook;
	result(!bad, "EL0: permissions of code and data change, each to each");
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

/* One address of a block stands for all of it. */
static void test_tlbi_block(void)
{
	const u64 x = 0x48000000, y = 0x48200000, size = 2 << 20, va = ~0ull << 39;
	u64 ttbr1 = mrs(ttbr1_el1);
	unsigned bad = 0, forms = 0;

	for (u64 off = 0; off < size; off += 64 * PAGE) {
		*(u64 *)(x + off) = 0x1000 + off;
		*(u64 *)(y + off) = 0x2000 + off;
	}
	memset(tables, 0, sizeof(tables));
	tables[0][0] = (u64)tables[1] | 3;
	asm volatile("dsb sy; isb");
	msr(ttbr1_el1, (u64)tables[0]);
	isb();
	for (unsigned k = 0; k < ARRAY_SIZE(tlbis); k++) {
		if (is_asid(&tlbis[k]) || is_all(&tlbis[k]))
			continue;
		forms++;
		pte_set(&tables[1][0], x | PTE_NORMAL | 1);
		flush();
		for (u64 off = 0; off < size; off += 64 * PAGE)
			bad += load(va + off) != 0x1000 + off;
		pte_set(&tables[1][0], 0);
		tlbi_do(&tlbis[k], is_range(&tlbis[k]) ? by_range(va + 77 * PAGE, 0, false, 0, 0)
						       : by_va(va + 77 * PAGE, 0, false));
		for (u64 off = 0; off < size; off += 64 * PAGE)
			bad += load(va + off) != ~0ull || fsc() != 6;
		pte_set(&tables[1][0], y | PTE_NORMAL | 1);
		for (u64 off = 0; off < size; off += 64 * PAGE)
			bad += load(va + off) != 0x2000 + off;
	}
	msr(ttbr1_el1, ttbr1);
	isb();
	flush();
	result(!bad, "TLBI of one address drops its 2 MiB block: %u forms", (u64)forms);
}

int main(void)
{
	sync_hook = hook;
	test_tlbi();
	test_ranges();
	test_tlbi_block();
	test_permissions();
	test_user_permissions();
	test_hafdbs();
	test_tags();
	test_at();
	test_granules();
	finish();
	return 0;
}

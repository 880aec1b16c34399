/* SPDX-License-Identifier: MIT */
/*
 * Exceptions of one CPU at EL1 and EL0: ESR, FAR and state after faults of every access form,
 * alignment, undefined instructions, branch target identification.
 */
#include "tests/guest/words.h"

/* ---- faults of every access form ---- */

/* Rt x0 (x2), base x1, data x4 (x5 odd pair), v0-v3. */
static const struct form {
	const char *name;
	u32 word;
	s32 off;  /* first byte from x1 */
	u8 size;  /* bytes */
	u8 kind;  /* 0 load, 1 store, 2 both */
	u8 align; /* must be aligned to it */
} forms[] = {
	{"ldrb", 0x39400020, 0, 1, 0, 0},
	{"ldrsh", 0x79800020, 0, 2, 0, 0},
	{"ldr w", 0xb9400020, 0, 4, 0, 0},
	{"ldr x", 0xf9400020, 0, 8, 0, 0},
	{"ldr x, [x1, #8]", 0xf9400420, 8, 8, 0, 0},
	{"ldur x, [x1, #-8]", 0xf85f8020, -8, 8, 0, 0},
	{"ldr x, [x1], #16", 0xf8410420, 0, 8, 0, 0},
	{"ldr x, [x1, #16]!", 0xf8410c20, 16, 8, 0, 0},
	{"ldr x, [x1, x3]", 0xf8636820, 0, 8, 0, 0},
	{"ldtr x", 0xf8400820, 0, 8, 0, 0},
	{"ldp x", 0xa9400820, 0, 16, 0, 0},
	{"ldp x, [x1], #32", 0xa8c20820, 0, 16, 0, 0},
	{"ldp x, [x1, #32]!", 0xa9c20820, 32, 16, 0, 0},
	{"ldpsw", 0x69400820, 0, 8, 0, 0},
	{"ldr q", 0x3dc00020, 0, 16, 0, 0},
	{"ldp q", 0xad400420, 0, 32, 0, 0},
	{"ldr d, [x1], #8", 0xfc408420, 0, 8, 0, 0},
	{"ld1 {4}", 0x4c402c20, 0, 64, 0, 0},
	{"ld4 post", 0x4cdf0c20, 0, 64, 0, 0},
	{"ld1r", 0x4d40cc20, 0, 8, 0, 0},
	{"ld2 lane", 0x4d608420, 0, 16, 0, 0},
	{"ldar x", 0xc8dffc20, 0, 8, 0, 8},
	{"ldapr x", 0xf8bfc020, 0, 8, 0, 8},
	{"ldxr x", 0xc85f7c20, 0, 8, 0, 8},
	{"ldxp x", 0xc87f0820, 0, 16, 0, 16},
	{"strb", 0x39000020, 0, 1, 1, 0},
	{"strh", 0x79000020, 0, 2, 1, 0},
	{"str w", 0xb9000020, 0, 4, 1, 0},
	{"str x", 0xf9000020, 0, 8, 1, 0},
	{"str x, [x1], #16", 0xf8010420, 0, 8, 1, 0},
	{"str x, [x1, #16]!", 0xf8010c20, 16, 8, 1, 0},
	{"sttr x", 0xf8000820, 0, 8, 1, 0},
	{"stp x", 0xa9000820, 0, 16, 1, 0},
	{"stp x, [x1, #-32]!", 0xa9be0820, -32, 16, 1, 0},
	{"str q", 0x3d800020, 0, 16, 1, 0},
	{"st1 {4}", 0x4c002c20, 0, 64, 1, 0},
	{"st3 post", 0x4c9f4c20, 0, 48, 1, 0},
	{"stlr x", 0xc89ffc20, 0, 8, 1, 8},
	{"stllr w", 0x889f7c20, 0, 4, 1, 4},
	{"cas x", 0xc8a07c24, 0, 8, 2, 8},
	{"casp x", 0x48247c24, 0, 16, 2, 16},
	{"swp x", 0xf8208024, 0, 8, 2, 8},
	{"ldadd w", 0xb8200024, 0, 4, 2, 4},
	{"ldset x", 0xf820303f, 0, 8, 2, 8},
	{"ldsmax h", 0x78204024, 0, 2, 2, 2},
	{"ldumin b", 0x38207024, 0, 1, 2, 1},
	{"dc zva", 0xd50b7421, 0, 64, 1, 0},
};

static u8 ram[4][PAGE] __attribute__((aligned(4096)));

/* Pages of the upper half from 64 on: valid, then what `second` says. */
static u64 map_two(u64 second)
{
	pte_set(&high_ptes[64], (u64)ram[0] | PTE_NORMAL | PTE_PAGE);
	pte_set(&high_ptes[65], second);
	asm volatile("tlbi vmalle1is; dsb ish; isb" ::: "memory");
	return HIGH_BASE + 64 * PAGE;
}

static bool is_unprivileged(const struct form *f)
{
	return f->word == 0xf8400820 || f->word == 0xf8000820;
}

static unsigned fault_form(const struct form *f, u64 first, u32 fsc, bool read_faults, u64 far)
{
	bool wnr = f->kind == 1 || (f->kind == 2 && !read_faults);
	u64 base = first - (u64)(s64)f->off;

	if (f->kind == 0 && !read_faults)
		return 0;
	for (unsigned i = 0; i < 10; i++)
		x[i] = 0x1111111111111111ull * i;
	x[1] = base;
	x[3] = 0;
	x[4] = 0x77;
	run1(f->word);
	if (last.n == 1 && ec() == EC_DABT && iss() == (fsc | (wnr ? WNR : 0)) && last.far == far &&
	    last.elr == (u64)code && x[1] == base && last.esr >> 25 & 1)
		return 0;
	print("# %s: n %u esr %x far %x elr %x x1 %x (wanted fsc %x wnr %u far %x)\n", f->name,
	      (u64)last.n, last.esr, last.far, last.elr - (u64)code, x[1] - base, (u64)fsc,
	      (u64)wnr, far);
	return 1;
}

static void test_faults(void)
{
	static const struct {
		const char *name;
		u64 pte;
		u32 fsc;
		bool read_faults;
	} kinds[] = {
		{"not mapped", 0, TRANS, true},
		{"access flag clear", (PTE_NORMAL & ~(1ull << 10)) | PTE_PAGE, ACCESS, true},
		{"read-only", PTE_NORMAL | PTE_PAGE | PTE_RO, PERM, false},
	};

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		u64 second = kinds[k].pte ? kinds[k].pte | (u64)ram[1] : 0;
		u64 base = map_two(second);
		unsigned bad = 0, crossing = 0;

		for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
			const struct form *f = &forms[i];
			u32 fsc = kinds[k].fsc;

			if (is_unprivileged(f) && !kinds[k].read_faults)
				continue; /* EL0 may not even read */
			bad += fault_form(f, base + PAGE + 64, fsc, kinds[k].read_faults,
					  base + PAGE + 64);
			/* in the middle of a register, and between two */
			if (f->align || f->size < 2 || f->word == 0xd50b7421 || is_unprivileged(f))
				continue;
			crossing += fault_form(f, base + PAGE - 1, fsc, kinds[k].read_faults,
					       base + PAGE);
			crossing += fault_form(f, base + PAGE - f->size / 2, fsc,
					       kinds[k].read_faults, base + PAGE);
		}
		result(!bad, "%s: ESR, FAR, no write-back, all access forms", kinds[k].name);
		result(!crossing, "%s: the second page of an access", kinds[k].name);
	}
}

static void test_alignment(void)
{
	u64 base = map_two((u64)ram[1] | PTE_NORMAL | PTE_PAGE);
	unsigned bad = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(forms); i++)
		if (forms[i].align > 1)
			bad += fault_form(&forms[i], base + 64 + forms[i].align / 2, ALIGN, true,
					  base + 64 + forms[i].align / 2);
	result(!bad, "exclusives, atomics, acquire and release: misaligned");
	msr(sctlr_el1, mrs(sctlr_el1) | 2);
	isb();
	bad = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
		const struct form *f = &forms[i];

		if (f->size > 1 && !is_unprivileged(f) && f->word != 0xd50b7421 &&
		    f->word != 0x38207024)
			bad += fault_form(f, base + 65, ALIGN, true, base + 65);
	}
	msr(sctlr_el1, mrs(sctlr_el1) & ~2ull);
	isb();
	result(!bad, "SCTLR_EL1.A: every misaligned access");
	map_two((u64)ram[1] | 1ull << 10 | PTE_PAGE); /* Device */
	bad = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
		const struct form *f = &forms[i];

		if (f->size > 1 && f->kind < 2 && !is_unprivileged(f) && f->word != 0xd50b7421)
			bad += fault_form(f, base + PAGE + 65, ALIGN, true, base + PAGE + 65);
	}
	result(!bad, "Device memory: every misaligned access");
}

static void mmu_set(bool on)
{
	msr(sctlr_el1, on ? mrs(sctlr_el1) | 1 : mrs(sctlr_el1) & ~1ull);
	isb();
}

/* All data is Device-nGnRnE then. */
static void test_mmu_off(void)
{
	u64 base = (u64)ram[0] + 64;
	unsigned bad = 0, good = 0, zva = 0;

	mmu_set(false);
	for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
		const struct form *f = &forms[i];

		if (f->word == 0xd50b7421) { /* DC ZVA: never to Device memory */
			zva = fault_form(f, base, ALIGN, true, base) +
			      fault_form(f, base + 5, ALIGN, true, base + 5);
			continue;
		}
		if (f->size > 1)
			bad += fault_form(f, base + 1, ALIGN, true, base + 1);
		x[1] = base - (u64)(s64)f->off;
		x[3] = 0;
		run1(f->word);
		good += last.n != 0;
	}
	mmu_set(true);
	result(!bad, "MMU off: every misaligned access");
	result(!good, "MMU off: aligned accesses pass");
	result(!zva, "MMU off: DC ZVA");
}

/* ---- SP and PC ---- */

static u8 user_stack[PAGE] __attribute__((aligned(4096)));

/* EL0's code and data: everything of the RAM is EL1's, so a page of each is mapped for it. */
static u64 user_page(unsigned slot, const void *page, u64 bits)
{
	pte_set(&low_ptes[slot], (u64)page | PTE_NORMAL | PTE_PAGE | PTE_USER | bits);
	asm volatile("tlbi vmalle1is; dsb ish; isb" ::: "memory");
	return LOW_BASE + slot * PAGE;
}

static void user_run(const u32 *w, unsigned n, u64 sp)
{
	u64 text = user_page(1, code, PTE_RO | PTE_PXN);

	for (unsigned i = 0; i < n; i++)
		code[i] = w[i];
	code[n] = 0xd4000001; /* svc #0 */
	code_sync(code, 4 * n + 4);
	last.n = 0;
	resume = text + 4 * n;
	el0_call((u64(*)(u64))text, 0, sp);
	resume = 0;
}

static void test_sp_changes(u64 stack)
{
	/* sub sp, sp, #8; nop; str x0, [sp]: the change in the same block */
	static const u32 same[] = {0xd10023ff, NOP, 0xf90003e0};
	/* mov x0, sp; sub x0, x0, #4; mov sp, x0; b .+4; ldr x1, [sp, #4] */
	static const u32 next[] = {0x910003e0, 0xd1001000, 0x9100001f, 0x14000001, 0xf94003e1};
	/* sub sp, #8; add sp, #8; ldr: aligned again */
	static const u32 again[] = {0xd10023ff, 0x910023ff, 0xf94003e1};
	/* ldr x0, [sp], #8; ldr x0, [sp]: write-back misaligns it */
	static const u32 post[] = {0xf84087e0, 0xf94003e0};
	/* the next instruction already, what one rule might cover: sub, ldr; mov, stp; add, str */
	static const u32 at_once[][2] = {
		{0xd10023ff, 0xf94003e0}, {0x9100243f, 0xa9007be0}, {0x8b2163ff, 0xf90003e0}};
	unsigned bad = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(at_once); i++) {
		u32 w[3] = {0x910023e1, at_once[i][0], at_once[i][1]}; /* add x1, sp, #8 */

		if (i == 2)
			w[0] = 0xd2800101; /* mov x1, #8 */
		user_run(w, 3, stack);
		if (last.n != 1 || ec() != EC_SP || last.elr != LOW_BASE + PAGE + 8) {
			print("# %x: n %u esr %x elr %x\n", (u64)w[1], (u64)last.n, last.esr,
			      last.elr);
			bad++;
		}
	}
	result(!bad, "SP misaligned by the instruction before");
	user_run(same, 3, stack);
	bad = last.n != 1 || ec() != EC_SP || last.elr != LOW_BASE + PAGE + 8;
	user_run(next, 5, stack);
	bad += last.n != 1 || ec() != EC_SP || last.elr != LOW_BASE + PAGE + 16;
	user_run(again, 3, stack);
	bad += last.n != 0;
	user_run(post, 2, stack);
	bad += last.n != 1 || ec() != EC_SP || last.elr != LOW_BASE + PAGE + 4;
	result(!bad, "SP misaligned and aligned again within a block, and across blocks");
}

static void test_sp(void)
{
	static const u32 uses[] = {0xf94003e0, 0xa9407be0, 0xf90003e0, 0xa9bf7bfd, 0x3dc003e0,
				   0x4c402fe0, 0xc85f7fe0, 0xf8bfc3e0, 0xf82003e0, 0xf84087e0};
	u64 stack = user_page(2, user_stack, PTE_PXN | PTE_UXN) + 2048;
	unsigned bad = 0;

	msr(sctlr_el1, mrs(sctlr_el1) | 3 << 3); /* SA, SA0 */
	isb();
	for (unsigned i = 0; i < ARRAY_SIZE(uses); i++) {
		user_run(&uses[i], 1, stack);
		bad += last.n != 0;
		user_run(&uses[i], 1, stack + 8);
		if (last.n != 1 || ec() != EC_SP || iss() || last.elr != LOW_BASE + PAGE) {
			print("# %x: n %u esr %x elr %x\n", (u64)uses[i], (u64)last.n, last.esr,
			      last.elr);
			bad++;
		}
	}
	result(!bad, "SP misaligned at EL0 entry: each kind of access");
	test_sp_changes(stack);
	msr(sctlr_el1, mrs(sctlr_el1) & ~(3ull << 3));
	isb();
	user_run(&uses[0], 1, stack + 8);
	result(last.n == 0, "without SCTLR_EL1.SA0 a misaligned SP is none of its business");
}

static void test_pc(void)
{
	static const u32 br = 0xd61f0000; /* br x0 */

	resume = 0;
	x[0] = (u64)code + 0x102;
	code[64] = RET;
	code_sync(&code[64], 4);
	resume = (u64)&code[1];
	run1(br);
	resume = 0;
	if (ec() != EC_PC || last.far != x[0])
		print("# n %u esr %x far %x elr %x\n", (u64)last.n, last.esr, last.far, last.elr);
	result(last.n == 1 && ec() == EC_PC && last.far == (u64)code + 0x102 &&
		       last.elr == last.far,
	       "PC alignment: ELR and FAR are the target");
}

/* ---- undefined and trapped ---- */

static void test_undefined(void)
{
	static const u32 words[] = {
		0x00000000,
		0x00000001,
		0x04000000 /* SVE */,
		0xd4400000 /* HLT */,
		0xdac103e0 /* PACIZA */,
		0xd9200000 /* STG */,
		0x1d000400 /* CPY */,
		0x54000010 /* BC */,
		0xd5380401 /* MRS S3_0_C0_C4_0 is there: see below */ | 0xe0000000,
		0xd53c1000 /* MRS x0, SCTLR_EL2 */,
		0xffffffff,
	};
	unsigned bad = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		run1(words[i]);
		if (last.n != 1 || ec() != EC_UNDEF || iss() || last.elr != (u64)code) {
			print("# %x: n %u esr %x\n", (u64)words[i], (u64)last.n, last.esr);
			bad++;
		}
	}
	result(!bad, "undefined at EL1: EC 0, ISS 0");
	/* Every register of the identification space reads, reserved ones as zero. */
	bad = 0;
	for (u32 crm = 0; crm < 8; crm++)
		for (u32 op2 = 0; op2 < 8; op2++) {
			if (crm == 0 && op2 != 0 && op2 != 5 && op2 != 6)
				continue;
			run1(0xd5380000 | crm << 8 | op2 << 5);
			bad += last.n != 0;
		}
	result(!bad, "the identification space reads");
	resume = (u64)&code[1]; /* RET */
	run1(0xd4000001 | 123 << 5);
	resume = 0;
	result(last.n == 1 && ec() == EC_SVC && iss() == 123 && last.elr == (u64)code + 4,
	       "SVC at EL1: comment in ISS, ELR behind it");
	run1(0xd4200000 | 0x1234 << 5);
	result(last.n == 1 && ec() == EC_BRK && iss() == 0x1234 && last.elr == (u64)code,
	       "BRK: comment in ISS");
}

/* ---- branch target identification ---- */

#define GP	(1ull << 50)
#define BTI(k)	(0xd503241fu | (k) << 6)
#define PACIASP 0xd503233fu
#define BR(r)	(0xd61f0000u | (r) << 5)
#define BLR(r)	(0xd63f0000u | (r) << 5)
#define BRK_0	0xd4200000u
#define TARGET	(PAGE + 0x100)

/*
 * [page 66] a branch by x7 or x16 to [page 67] `pad`; RET. Returns the BTYPE of the exception, 0:
 * none, ~0: not as it should be.
 */
static u32 branch_to(u32 branch, u32 pad, u64 from_gp, u64 to_gp)
{
	u64 base = HIGH_BASE + 66 * PAGE;
	u64 to = base + TARGET;
	u32 *w = code;

	pte_set(&high_ptes[66], (u64)code | PTE_NORMAL | PTE_PAGE | PTE_RO | from_gp);
	pte_set(&high_ptes[67], ((u64)code + PAGE) | PTE_NORMAL | PTE_PAGE | PTE_RO | to_gp);
	asm volatile("tlbi vmalle1is; dsb ish; isb" ::: "memory");
	w[0] = BTI(3);
	w[1] = 0xaa1e03e8; /* mov x8, x30 */
	w[2] = 0xaa0703f0; /* mov x16, x7 */
	w[3] = branch;
	w[4] = 0xaa0803fe; /* mov x30, x8 */
	w[5] = RET;
	if ((branch & 0xfffffc1f) == 0xd61f0000) /* BR: as a tail call */
		w[3] = branch;
	w[TARGET / 4] = pad;
	w[TARGET / 4 + 1] = RET;
	code_sync(code, 32);
	code_sync(&code[TARGET / 4], 8);
	x[7] = to;
	last.n = 0;
	resume = to + 4; /* RET */
	run_regs(x, (u32 *)base);
	resume = 0;
	if (!last.n)
		return 0;
	if (last.n == 1 && ec() == EC_BRK && last.spsr >> 10 & 3)
		return 0;
	if (last.n != 1 || ec() != EC_BTI || last.elr != to || (last.spsr >> 10 & 3) != iss())
		return ~0u;
	return iss();
}

static void test_bti(void)
{
	/* wanted: BTYPE of the exception by BLR x7, BR x7 and BR x16 from a guarded page, BR x7
	 * from another */
	static const struct {
		const char *name;
		u32 pad;
		u8 want[4];
	} pads[] = {
		{"nop", NOP, {2, 3, 1, 1}},	  {"bti", BTI(0), {2, 3, 1, 1}},
		{"bti c", BTI(1), {0, 3, 0, 0}},  {"bti j", BTI(2), {2, 0, 0, 0}},
		{"bti jc", BTI(3), {0, 0, 0, 0}}, {"paciasp", PACIASP, {0, 0, 0, 0}},
		{"brk", BRK_0, {0, 0, 0, 0}},
	};
	static const u32 branch[4] = {BLR(7), BR(7), BR(16), BR(7)};
	unsigned bad = 0, open = 0;

	for (unsigned turn = 0; turn < 2; turn++)
		for (unsigned i = 0; i < ARRAY_SIZE(pads); i++)
			for (unsigned b = 0; b < 4; b++) {
				u64 from = b < 3 ? GP : 0;
				u32 got = branch_to(branch[b], pads[i].pad, from, GP);

				if (got != pads[i].want[b]) {
					print("# %s by %u: %x, n %u esr %x elr %x spsr %x\n",
					      pads[i].name, (u64)b, (u64)got, (u64)last.n, last.esr,
					      last.elr, last.spsr);
					bad++;
				}
				open += branch_to(branch[b], pads[i].pad, from, 0) != 0;
			}
	result(!bad, "BTI: landing pads of a guarded page");
	result(!open, "BTI: pages that are not guarded");
	msr(sctlr_el1, mrs(sctlr_el1) | 1ull << 36); /* BT1 */
	isb();
	result(branch_to(BR(7), PACIASP, GP, GP) == 3 && branch_to(BLR(7), PACIASP, GP, GP) == 0,
	       "BTI: PACIASP with SCTLR_EL1.BT1");
	msr(sctlr_el1, mrs(sctlr_el1) & ~(1ull << 36));
	isb();
	/* A direct branch from a page that is not guarded, after an indirect one to it. */
	{
		u64 base = HIGH_BASE + 66 * PAGE;

		pte_set(&high_ptes[66], (u64)code | PTE_NORMAL | PTE_PAGE | PTE_RO);
		pte_set(&high_ptes[67], ((u64)code + PAGE) | PTE_NORMAL | PTE_PAGE | PTE_RO | GP);
		asm volatile("tlbi vmalle1is; dsb ish; isb" ::: "memory");
		code[0] = 0x14000000 | TARGET / 4; /* b */
		code[TARGET / 4] = NOP;
		code_sync(code, 4);
		code_sync(&code[TARGET / 4], 4);
		last.n = 0;
		run_regs(x, (u32 *)base);
		result(!last.n, "BTI: a direct branch needs no landing pad");
	}
}

/* ---- illegal execution state ---- */

static void test_illegal(void)
{
	last.n = 0;
	resume = 0;
	asm volatile("adr	x9, 1f\n"
		     "	msr	elr_el1, x9\n"
		     "	mov	x9, #0x3c9\n" /* EL2h */
		     "	msr	spsr_el1, x9\n"
		     "	eret\n"
		     "1:	nop\n"
		     "	nop\n" ::
			     : "x9", "memory");
	result(last.n == 1 && ec() == EC_ILLEGAL && last.spsr >> 20 & 1,
	       "ERET to EL2: illegal execution state");
}

int main(void)
{
	sync_hook = hook;
	test_faults();
	test_alignment();
	test_mmu_off();
	test_sp();
	test_pc();
	test_undefined();
	test_bti();
	test_illegal();
	finish();
	return 0;
}

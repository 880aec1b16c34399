/* SPDX-License-Identifier: MIT */
/* Accesses to devices by every form: pairs, write-back, vectors, structures, exclusives, atomics.
 */
#include "tests/guest/words.h"

#define PRIO 0x08000420ull /* GICD_IPRIORITYR8: four bytes an entry, SPIs 32 to 39 */

static bool prio_is(u32 a, u32 b)
{
	return *(volatile u32 *)PRIO == a && *(volatile u32 *)(PRIO + 4) == b;
}

static void prio_set(u32 a, u32 b)
{
	*(volatile u32 *)PRIO = a;
	*(volatile u32 *)(PRIO + 4) = b;
}

#define ROUTE	  (GICD_BASE + 0x6000 + 8 * 32) /* GICD_IROUTER32...: 64 bits, some of them kept */
#define GICD_BASE 0x08000000ull
#define KEPT	  0xff00ffffffull

/* Vector registers there and back by the general ones, 64 bits and more. */
struct wide {
	const char *name;
	u32 word, count; /* of 64-bit registers */
	s32 step;	 /* written back */
};

static void test_wide_loads(void)
{
	static const struct wide load[] = {
		{"ldr x", 0xf9400020, 1, 0},	     {"ldr x post", 0xf8408420, 1, 8},
		{"ldp x", 0xa9400820, 2, 0},	     {"ldp x pre", 0xa9c00820, 2, 0},
		{"ldr d", 0xfd400020, 1, 0},	     {"ldr d post", 0xfc408420, 1, 8},
		{"ldr q", 0x3dc00020, 2, 0},	     {"ldr q post", 0x3cc10420, 2, 16},
		{"ldp q", 0xad400420, 4, 0},	     {"ld1 {2}", 0x4c40ac20, 4, 0},
		{"ld1 {2} post", 0x4cdfac20, 4, 32}, {"ld1 lane", 0x0d408420, 1, 0},
		{"ldar x", 0xc8dffc20, 1, 0},
	};
	/* fmov x4, d0; mov x5, v0.d[1]; fmov x6, d1; mov x7, v1.d[1] */
	static const u32 out[] = {0x9e660004, 0x4e183c05, 0x9e660026, 0x4e183c27};
	volatile u64 *route = (u64 *)ROUTE;
	unsigned bad = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(load); i++) {
		bool vec = load[i].word & 1 << 26;
		u32 w[5] = {load[i].word, out[0], out[1], out[2], out[3]};

		for (u64 k = 0; k < 4; k++)
			route[k] = (0x5500a1b200 + k) & KEPT;
		x[1] = ROUTE;
		run_at(0, w, 5);
		for (u64 k = 0; k < load[i].count; k++) {
			u64 got = vec ? x[4 + k] : k ? x[2] : x[0];

			bad += got != ((0x5500a1b200 + k) & KEPT);
		}
		if (last.n || x[1] != ROUTE + (u64)(s64)load[i].step || bad) {
			print("# %s: n %u esr %x x0 %x x1 %x x4 %x x5 %x\n", load[i].name,
			      (u64)last.n, last.esr, x[0], x[1], x[4], x[5]);
			bad++;
			break;
		}
	}
	result(!bad, "device loads of 64 bits and more: pairs, vectors, structures");
}

static void test_wide_stores(void)
{
	static const struct wide store[] = {
		{"str x", 0xf9000020, 1, 0},	   {"str x pre", 0xf8008c20, 1, 8},
		{"stp x", 0xa9000820, 2, 0},	   {"stp x post", 0xa8810820, 2, 16},
		{"str d", 0xfd000020, 1, 0},	   {"str q", 0x3d800020, 2, 0},
		{"str q post", 0x3c810420, 2, 16}, {"stp q", 0xad000420, 4, 0},
		{"stp q post", 0xac810420, 4, 32}, {"st1 {2}", 0x4c00ac20, 4, 0},
		{"st1 lane", 0x0d008420, 1, 0},	   {"stlr x", 0xc89ffc20, 1, 0},
	};
	/* fmov d0, x4; mov v0.d[1], x5; fmov d1, x6; mov v1.d[1], x7 */
	static const u32 in[] = {0x9e670080, 0x4e181ca0, 0x9e6700c1, 0x4e181ce1};
	volatile u64 *route = (u64 *)ROUTE;
	unsigned bad = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(store); i++) {
		bool pre = store[i].word == 0xf8008c20;
		u32 w[5] = {in[0], in[1], in[2], in[3], store[i].word};

		for (u64 k = 0; k < 4; k++)
			route[k] = 0;
		for (u64 k = 0; k < 4; k++)
			x[4 + k] = 0x7700c3d400 + k;
		x[0] = 0x7700c3d400;
		x[2] = 0x7700c3d401;
		x[1] = pre ? ROUTE - 8 : ROUTE;
		run_at(0, w, 5);
		for (u64 k = 0; k < 4; k++)
			bad += route[k] != (k < store[i].count ? (0x7700c3d400 + k) & KEPT : 0);
		bad += last.n != 0 || x[1] != (pre ? ROUTE : ROUTE + (u64)(s64)store[i].step);
		if (bad) {
			print("# %s: n %u esr %x x1 %x: %x %x %x %x\n", store[i].name, (u64)last.n,
			      last.esr, x[1], route[0], route[1], route[2], route[3]);
			break;
		}
	}
	result(!bad, "device stores of 64 bits and more: pairs, vectors, structures");
	for (u64 k = 0; k < 4; k++)
		route[k] = 0;
}

static const struct atomic {
	const char *name;
	u32 word;
} atomics[] = {
	{"ldxr x", 0xc85f7c20},	  {"ldaxr w", 0x885ffc20}, {"ldxrb", 0x085f7c20},
	{"ldxp x", 0xc87f0820},	  {"cas x", 0xc8a07c24},   {"casal w", 0x88e0fc24},
	{"casp x", 0x48247c24},	  {"swp x", 0xf8208024},   {"ldadd w", 0xb8200024},
	{"ldset x", 0xf820303f},  {"ldclrb", 0x38201024},  {"ldsmax h", 0x78204024},
	{"ldumin b", 0x38207024},
};

/* No monitor and no atomics there: an external abort, nothing done. */
static void test_mmio_atomics(void)
{
	unsigned bad = 0;

	prio_set(0x40302010, 0x80706050);
	for (unsigned i = 0; i < ARRAY_SIZE(atomics); i++) {
		const struct atomic *f = &atomics[i];

		x[0] = 0x1234;
		x[1] = PRIO;
		x[4] = 0x77;
		run1(f->word);
		if (last.n != 1 || ec() != EC_DABT || (iss() & ~WNR) != 0x10 || last.far != PRIO ||
		    !prio_is(0x40302010, 0x80706050)) {
			print("# %s: n %u esr %x far %x\n", f->name, (u64)last.n, last.esr,
			      last.far);
			bad++;
		}
	}
	result(!bad, "exclusives and atomics on a device: external abort");
}

static void test_mmio(void)
{
	static const struct {
		const char *name;
		u32 word;
		u64 x0, x1, x2; /* wanted */
	} loads[] =
		{
			{"ldr w", 0xb9400020, 0x40302010, PRIO, 2},
			{"ldrb", 0x39400420, 0x20, PRIO, 2},
			{"ldr w, [x1], #4", 0xb8404420, 0x40302010, PRIO + 4, 2},
			{"ldr w, [x1, #4]!", 0xb8404c20, 0x80706050, PRIO + 4, 2},
			{"ldp w", 0x29400820, 0x40302010, PRIO, 0x80706050},
			{"ldpsw", 0x69400820, 0x40302010, PRIO, 0xffffffff80706050},
			{"ldp w post", 0x28c10820, 0x40302010, PRIO + 8, 0x80706050},
			{"ldursw", 0xb8804020, 0xffffffff80706050, PRIO, 2},
			{"ldr w, [x1, x3]", 0xb8636820, 0x80706050, PRIO, 2},
			{"ldar w", 0x88dffc20, 0x40302010, PRIO, 2},
			{"ldapr w", 0xb8bfc020, 0x40302010, PRIO, 2},
		},
	  stores[] = {
		  {"str w", 0xb9000020, 0x60504030, PRIO, 0x80706050},
		  {"strb", 0x39000820, 0x40302010 + 0 * 1, PRIO, 0x80706050},
		  {"str w post", 0xb8004420, 0x60504030, PRIO + 4, 0x80706050},
		  {"stp w", 0x29000820, 0x60504030, PRIO, 0x50607080},
		  {"stp w pre", 0x29bf0820, 0x60504030, PRIO, 0x50607080},
		  {"stlr w", 0x889ffc20, 0x60504030, PRIO, 0x80706050},
		  {"str s", 0xbd000020, 0x60504030, PRIO, 0x80706050},
	  };
	unsigned bad = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(loads); i++) {
		prio_set(0x40302010, 0x80706050);
		x[0] = 1;
		x[1] = PRIO;
		x[2] = 2;
		x[3] = 4;
		run1(loads[i].word);
		if (last.n || x[0] != loads[i].x0 || x[1] != loads[i].x1 || x[2] != loads[i].x2) {
			print("# %s: n %u esr %x x0 %x x1 %x x2 %x\n", loads[i].name, (u64)last.n,
			      last.esr, x[0], x[1], x[2]);
			bad++;
		}
	}
	result(!bad, "device loads of each form");
	bad = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(stores); i++) {
		prio_set(0x40302010, 0x80706050);
		x[0] = 0x60504030;
		x[1] = stores[i].word == 0x29bf0820 ? PRIO + 8 : PRIO;
		x[2] = 0x50607080;
		u32 w[2] = {0x1e270000, stores[i].word}; /* fmov s0, w0 */
		run_at(0, w, 2);
		u32 a = stores[i].word == 0x39000820 ? 0x40302010 & 0xff00ffff : (u32)stores[i].x0;
		if (stores[i].word == 0x39000820)
			a |= 0x30 << 16;
		if (last.n || !prio_is(a, (u32)stores[i].x2) || x[1] != stores[i].x1) {
			print("# %s: n %u esr %x %x %x x1 %x\n", stores[i].name, (u64)last.n,
			      last.esr, (u64) * (volatile u32 *)PRIO,
			      (u64) * (volatile u32 *)(PRIO + 4), x[1]);
			bad++;
		}
	}
	result(!bad, "device stores of each form");
	prio_set(0, 0);
	test_wide_loads();
	test_wide_stores();
	test_mmio_atomics();
	x[1] = 0x0b000000; /* nothing there */
	run1(0xb9400020);
	result(last.n == 1 && ec() == EC_DABT && iss() == 0x10 && last.far == x[1],
	       "no device: external abort");
}

int main(void);
int main(void)
{
	sync_hook = hook;
	test_mmio();
	finish();
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "tests/guest/guest.h"

#include <stdarg.h>

#define UART 0x09000000ull

u8 stacks[MAX_CPUS][STACK_SIZE] __attribute__((aligned(16)));
unsigned n_cpus = 1;
struct exception last;
u64 (*sync_hook)(u64 *regs, u64 elr, u64 esr, u64 far);
void (*irq_hook)(unsigned intid);
const u64 *irq_regs;

int main(void);
void mmu_build(void);
void secondary_main(void);
u64 on_sync(u64 *regs);
void on_irq(const u64 *regs);
void on_bad(void);

/* ---- library the compiler wants ---- */

void *memset(void *p, int c, size_t n)
{
	size_t i = 0;

	if (!((u64)p & 7) && !c)
		for (; i + 8 <= n; i += 8)
			*(volatile u64 *)((u8 *)p + i) = 0;
	for (; i < n; i++)
		((volatile u8 *)p)[i] = (u8)c;
	return p;
}

void *memcpy(void *d, const void *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((volatile u8 *)d)[i] = ((const u8 *)s)[i];
	return d;
}

/* ---- output ---- */

static void putc(char c)
{
	*(volatile u32 *)UART = (u8)c;
}

static void puts(const char *s)
{
	while (*s)
		putc(*s++);
}

static void put_number(u64 v, unsigned base)
{
	char buf[24], *p = buf + sizeof(buf);

	*--p = 0;
	do {
		*--p = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	puts(p);
}

static void vprint(const char *fmt, va_list ap)
{
	for (; *fmt; fmt++) {
		s64 v;

		if (*fmt != '%') {
			putc(*fmt);
			continue;
		}
		switch (*++fmt) {
		case 's': puts(va_arg(ap, const char *)); break;
		case 'x': put_number(va_arg(ap, u64), 16); break;
		case 'd':
			v = va_arg(ap, s64);
			if (v < 0)
				putc('-');
			put_number(v < 0 ? -(u64)v : (u64)v, 10);
			break;
		default: put_number(va_arg(ap, u64), 10); break;
		}
	}
}

void print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint(fmt, ap);
	va_end(ap);
}

static unsigned n_results;

void finish(void)
{
	print("1..%u\n", (u64)n_results);
	system_off();
}

void result(bool ok, const char *fmt, ...)
{
	va_list ap;

	print("%s %u - ", ok ? "ok" : "not ok", (u64)++n_results);
	va_start(ap, fmt);
	vprint(fmt, ap);
	va_end(ap);
	putc('\n');
}

/* ---- firmware, time ---- */

s64 psci(u64 fn, u64 a, u64 b, u64 c)
{
	register u64 x0 asm("x0") = fn;
	register u64 x1 asm("x1") = a;
	register u64 x2 asm("x2") = b;
	register u64 x3 asm("x3") = c;

	asm volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
	return (s64)x0;
}

void system_off(void)
{
	psci(0x84000008, 0, 0, 0);
	for (;;)
		asm volatile("wfi");
}

u64 now(void)
{
	isb();
	return mrs(cntvct_el0);
}

u64 random64(u64 *state)
{
	u64 z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* ---- the command line: looked for in the whole tree ---- */

u64 device_tree;

u64 boot_arg(const char *name, u64 otherwise)
{
	const u8 *dt = (const u8 *)device_tree;
	u32 size = dt ? (u32)dt[4] << 24 | dt[5] << 16 | dt[6] << 8 | dt[7] : 0;

	for (u32 i = 8; i + 32 < size; i++) {
		u64 v = 0;
		u32 k;

		for (k = 0; name[k] && dt[i + k] == name[k]; k++)
			;
		if (name[k])
			continue;
		for (; dt[i + k] >= '0' && dt[i + k] <= '9'; k++)
			v = v * 10 + dt[i + k] - '0';
		return v;
	}
	return otherwise;
}

/* ---- CPUs ---- */

static struct {
	void (*fn)(void *);
	void *arg;
	unsigned n;
	u32 turn; /* goes on with each job */
	u32 done;
} job;

static u32 alive;

u64 mpidr_of(unsigned cpu)
{
	return cpu % 16 | (u64)(cpu / 16) << 8;
}

void secondary_main(void)
{
	u32 seen = load_acquire(&job.turn);

	__atomic_fetch_add(&alive, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		while (load_acquire(&job.turn) == seen)
			asm volatile("wfe" ::: "memory");
		seen = job.turn;
		if (this_cpu() < job.n) {
			job.fn(job.arg);
			__atomic_fetch_add(&job.done, 1, __ATOMIC_SEQ_CST);
		}
	}
}

void cpus_start(void)
{
	enum { ALREADY_ON = -4 };

	for (unsigned i = 1; i < MAX_CPUS; i++) {
		s64 r = psci(0xc4000003, mpidr_of(i), (u64)secondary_start, i);

		if (r && r != ALREADY_ON)
			break;
		n_cpus = i + 1;
	}
	while (load_acquire(&alive) < n_cpus - 1)
		relax();
}

void cpu_off(void)
{
	__atomic_fetch_sub(&alive, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&job.done, 1, __ATOMIC_SEQ_CST);
	psci(0x84000002, 0, 0, 0);
	on_bad(); /* CPU_OFF does not return */
}

void cpus_run(unsigned n, void (*fn)(void *), void *arg)
{
	job.fn = fn;
	job.arg = arg;
	job.n = n;
	job.done = 0;
	store_release(&job.turn, job.turn + 1);
	asm volatile("dsb ish; sev" ::: "memory");
	fn(arg);
	while (load_acquire(&job.done) < n - 1)
		relax();
}

void rendezvous(unsigned n)
{
	static u32 arrived, phase;
	u32 p = load_acquire(&phase);

	if (__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL) == n) {
		arrived = 0;
		store_release(&phase, p + 1);
		return;
	}
	while (load_acquire(&phase) == p)
		relax();
}

/* ---- memory ---- */

u64 ttbr0_table[512] __attribute__((aligned(4096))),
	ttbr1_table[512] __attribute__((aligned(4096)));
static u64 high_l2[512] __attribute__((aligned(4096))), low_l2[512] __attribute__((aligned(4096)));
u64 high_ptes[512] __attribute__((aligned(4096))), low_ptes[512] __attribute__((aligned(4096)));

/* MMU off. EL0 may read and run everything of the RAM but shares no writable page with EL1's code.
 */
void mmu_build(void)
{
	ttbr0_table[0] = 1ull << 10 | PTE_PXN | PTE_UXN | 1; /* devices */
	for (u64 i = 1; i < 4; i++)
		ttbr0_table[i] = i << 30 | PTE_NORMAL | 1;
	ttbr0_table[LOW_BASE >> 30] = (u64)low_l2 | 3;
	low_l2[0] = (u64)low_ptes | 3;
	ttbr1_table[0] = (u64)high_l2 | 3;
	high_l2[0] = (u64)high_ptes | 3;
	asm volatile("dsb sy" ::: "memory");
}

void pte_set(u64 *pte, u64 val)
{
	*(volatile u64 *)pte = val;
	asm volatile("dsb ishst; isb" ::: "memory");
}

/* ---- exceptions ---- */

u64 on_sync(u64 *regs)
{
	u64 elr = mrs(elr_el1), esr = mrs(esr_el1), far = mrs(far_el1), next;

	last = (struct exception){last.n + 1, esr, far, elr, mrs(spsr_el1)};
	next = sync_hook ? sync_hook(regs, elr, esr, far) : 0;

	if (!next)
		print("# cpu %u: exception at %x, esr %x, far %x\n", (u64)this_cpu(), elr, esr,
		      far);
	return next;
}

void on_bad(void)
{
	print("Bail out! cpu %u: unexpected exception, elr %x, esr %x, far %x\n", (u64)this_cpu(),
	      mrs(elr_el1), mrs(esr_el1), mrs(far_el1));
	system_off();
}

/* ---- interrupts ---- */

unsigned gic_version(void)
{
	return mrs(id_aa64pfr0_el1) >> 24 & 15 ? 3 : 2; /* has the system registers */
}

static void redist_init(void)
{
	u64 rd = gic_redist(this_cpu());

	*gic_reg(rd, 0x14) = 0; /* GICR_WAKER */
	while (*gic_reg(rd, 0x14) & 4)
		;
	*gic_reg(rd, 0x10080) = ~0u; /* group 1 */
	for (unsigned i = 0; i < 32; i += 4)
		*gic_reg(rd, 0x10400 + i) = 0x80808080;
	*gic_reg(rd, 0x10100) = 0xffff; /* SGIs */
}

void gic_init_cpu(void)
{
	if (gic_version() == 3) {
		if (!this_cpu())
			*gic_reg(GICD, 0) = 0x12; /* affinity routing, group 1 */
		redist_init();
		msr(S3_0_C12_C12_5, 7); /* ICC_SRE */
		isb();
		msr(S3_0_C4_C6_0, 0xf0); /* ICC_PMR */
		msr(S3_0_C12_C12_7, 1);	 /* ICC_IGRPEN1 */
		isb();
	} else {
		if (!this_cpu())
			*gic_reg(GICD, 0) = 1;
		for (unsigned i = 0; i < 32; i += 4)
			*gic_reg(GICD, 0x400 + i) = 0x80808080;
		*gic_reg(GICC, 4) = 0xf0;
		*gic_reg(GICC, 0) = 1;
	}
	asm volatile("msr daifclr, #2");
}

void gic_send_sgi(unsigned intid, u64 mpidr)
{
	dsb();
	if (gic_version() == 2) {
		*gic_reg(GICD, 0xf00) = 1u << (16 + (mpidr & 7)) | intid;
		return;
	}
	msr(S3_0_C12_C11_5, (u64)intid << 24 | (mpidr >> 8 & 0xff) << 16 | 1ull << (mpidr & 15));
	isb();
}

void on_irq(const u64 *regs)
{
	bool v3 = gic_version() == 3;
	u32 iar = v3 ? (u32)mrs(S3_0_C12_C12_0) : *gic_reg(GICC, 0xc); /* ICC_IAR1, GICC_IAR */

	if ((iar & 0x3ff) >= 1020)
		return;
	irq_regs = regs;
	if (irq_hook)
		irq_hook(iar & 0x3ff);
	if (v3)
		msr(S3_0_C12_C12_1, iar); /* ICC_EOIR1 */
	else
		*gic_reg(GICC, 0x10) = iar;
	isb();
}

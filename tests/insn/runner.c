/* SPDX-License-Identifier: MIT */
/*
 * Runs differential cases at EL0: a static, freestanding Linux program, so that only what it means
 *to run is run. As /init it reads /cases.bin, writes to the console and powers off; else the case
 * file is argv[1]. Output lines:
 *	H<index> <hash>*	up to 16 hashes from that case on
 *	D<index> <hex>		a whole struct result, in full mode
 *	E<count>		the end
 */
#include <stdbool.h>

#include "tests/insn/case.h"

long sys(long n, ...);
void sig_restorer(void);
void case_enter(const struct regs *in, uint64_t slot);
extern char case_leave[], case_resume[];

enum {
	SYS_mknodat = 33,
	SYS_openat = 56,
	SYS_read = 63,
	SYS_write = 64,
	SYS_sync = 81,
	SYS_setitimer = 103,
	SYS_sigaltstack = 132,
	SYS_sigaction = 134,
	SYS_reboot = 142,
	SYS_getpid = 172,
	SYS_munmap = 215,
	SYS_mmap = 222,
	SYS_mprotect = 226
};
enum { SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGFPE = 8, SIGSEGV = 11, SIGALRM = 14 };

struct sigaction_k {
	void (*handler)(int, void *, void *);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};

/* The kernel's struct ucontext, arm64. */
struct ucontext_k {
	unsigned long flags;
	void *link;
	unsigned long ss[3];
	unsigned char sigmask[128];
	uint64_t fault_address __attribute__((aligned(16)));
	uint64_t x[31], sp, pc, pstate;
	unsigned char reserved[4096] __attribute__((aligned(16)));
};

#define FPSIMD_MAGIC 0x46508001u

struct regs case_out;

static struct insn_case *batch[CASE_SLOTS];
static unsigned char altstack[65536] __attribute__((aligned(16)));
static char line[8192];
static size_t line_len;
static struct result res;
static struct regs start;
static uint64_t start_mem[WIN_RW * WIN_EDGE / 8];

/* gcc may emit calls to these. */
void *memcpy(void *d, const void *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((volatile unsigned char *)d)[i] = ((const unsigned char *)s)[i];
	return d;
}

void *memset(void *d, int c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((volatile unsigned char *)d)[i] = c;
	return d;
}

/* ---- output ---- */

static void flush(void)
{
	size_t at = 0;

	while (at < line_len) {
		long n = sys(SYS_write, 1L, line + at, line_len - at);
		if (n <= 0)
			break;
		at += n;
	}
	line_len = 0;
}

static void put(char c)
{
	if (line_len == sizeof(line))
		flush();
	line[line_len++] = c;
}

static void put_hex(uint64_t v, int digits)
{
	while (digits--)
		put("0123456789abcdef"[v >> digits * 4 & 15]);
}

static void put_text(const char *s)
{
	while (*s)
		put(*s++);
}

static void put_result(uint32_t index, const struct result *r)
{
	const uint64_t *w = (const uint64_t *)r;

	put('D');
	put_hex(index, 8);
	put(' ');
	for (size_t i = 0; i < sizeof(*r) / 8; i++)
		put_hex(w[i], 16);
	put('\n');
}

/* ---- signals ---- */

static void copy_fpsimd(const struct ucontext_k *uc)
{
	const unsigned char *p = uc->reserved;

	for (size_t at = 0; at < sizeof(uc->reserved) - 16;) {
		uint32_t magic = *(const uint32_t *)(p + at),
			 size = *(const uint32_t *)(p + at + 4);
		if (magic == FPSIMD_MAGIC) {
			case_out.fpsr = *(const uint32_t *)(p + at + 8);
			case_out.fpcr = *(const uint32_t *)(p + at + 12);
			for (int i = 0; i < 64; i++)
				(&case_out.v[0][0])[i] = ((const uint64_t *)(p + at + 16))[i];
			return;
		}
		if (!magic || size < 16)
			return;
		at += size;
	}
}

static void on_signal(int sig, void *info, void *ctx)
{
	struct ucontext_k *uc = ctx;
	const int *si = info;
	uint64_t addr = *(const uint64_t *)((const char *)info + 16);

	for (int i = 0; i < 31; i++)
		case_out.x[i] = uc->x[i];
	case_out.sp = uc->sp;
	case_out.nzcv = uc->pstate & 0xf0000000;
	case_out.pc = uc->pc;
	/* Why an instruction is illegal, Linux and qemu-user name differently. */
	case_out.sig = (uint32_t)sig | (sig == SIGILL ? 0 : (uint64_t)(uint32_t)si[2] << 32);
	case_out.fault = 0;
	if ((sig == SIGSEGV || sig == SIGBUS) && addr >= WIN_BASE &&
	    addr < WIN_BASE + WIN_PAGES * PAGE)
		case_out.fault = addr;
	copy_fpsimd(uc);
	uc->pc = (uint64_t)case_resume;
	uc->sp = (uint64_t)(altstack + sizeof(altstack)); /* case_resume loads the real one */
}

static void signals_init(void)
{
	static const int sigs[] = {SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGALRM};
	struct {
		void *sp;
		int flags;
		size_t size;
	} ss = {altstack, 0, sizeof(altstack)};
	struct sigaction_k sa = {on_signal, 0x0c000004 /* SIGINFO, ONSTACK, RESTORER */,
				 sig_restorer, ~0ul};

	sys(SYS_sigaltstack, &ss, 0L);
	for (unsigned i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sys(SYS_sigaction, (long)sigs[i], &sa, 0L, 8L);
}

/* ---- memory ---- */

static bool map(uint64_t addr, size_t len, int prot)
{
	return sys(SYS_mmap, addr, len, (long)prot, 0x32L /* PRIVATE|FIXED|ANON */, -1L, 0L) ==
	       (long)addr;
}

static uint64_t *edge(unsigned e)
{
	return (uint64_t *)(WIN_BASE + win_edge_offset(e));
}

static bool memory_init(void)
{
	static uint64_t ro[(WIN_EDGES - WIN_RW) * WIN_EDGE / 8];

	if (!map(CODE_BASE, CASE_SLOTS * SLOT_BYTES, 7) || !map(WIN_BASE + PAGE, 3 * PAGE, 3))
		return false;
	case_readonly(ro);
	for (unsigned e = WIN_RW; e < WIN_EDGES; e++)
		for (unsigned i = 0; i < WIN_EDGE / 8; i++)
			edge(e)[i] = ro[(e - WIN_RW) * WIN_EDGE / 8 + i];
	return sys(SYS_mprotect, WIN_BASE + 3 * PAGE, (long)PAGE, 1L) == 0;
}

static void memory_set(void)
{
	for (unsigned e = 0; e < WIN_RW; e++)
		for (unsigned i = 0; i < WIN_EDGE / 8; i++)
			edge(e)[i] = start_mem[e * WIN_EDGE / 8 + i];
}

static void memory_get(void)
{
	for (unsigned e = 0; e < WIN_EDGES; e++)
		for (unsigned i = 0; i < WIN_EDGE / 8; i++)
			res.mem[e * WIN_EDGE / 8 + i] = edge(e)[i];
}

/* ---- cases ---- */

/* ldr x30, =value; the words; msr tpidr_el0, x30; ldr x30, =case_leave; br x30 */
static void slot_write(const struct insn_case *c, const struct regs *r)
{
	uint64_t slot = case_slot_address(c);
	uint32_t *p = (uint32_t *)slot;
	unsigned n = 0;

	p[n++] = 0x5800001e | (SLOT_BYTES - 16) / 4 << 5;
	for (unsigned i = 0; i < c->nwords && i < CASE_WORDS; i++)
		p[n++] = c->words[i];
	p[n++] = 0xd51bd05e;
	p[n] = 0x5800001e | ((SLOT_BYTES - 8) / 4 - n) << 5;
	n++;
	p[n++] = 0xd61f03c0;
	*(uint64_t *)(slot + SLOT_BYTES - 16) = r->x[30];
	*(uint64_t *)(slot + SLOT_BYTES - 8) = (uint64_t)case_leave;
}

/* While cases run a wild store of one must not change another: the engines lay slots out
 * differently. */
static void slots_protect(bool writable)
{
	sys(SYS_mprotect, CODE_BASE, (long)(CASE_SLOTS * SLOT_BYTES), writable ? 3L : 5L);
}

static void slots_sync(void)
{
	uint64_t end = CODE_BASE + CASE_SLOTS * SLOT_BYTES, ctr, line_bytes;

	__asm__ volatile("mrs %0, ctr_el0" : "=r"(ctr));
	line_bytes = 4ul << (ctr >> 16 & 15);
	for (uint64_t a = CODE_BASE; a < end; a += line_bytes)
		__asm__ volatile("dc cvau, %0" ::"r"(a) : "memory");
	__asm__ volatile("dsb ish" ::: "memory");
	line_bytes = 4ul << (ctr & 15);
	for (uint64_t a = CODE_BASE; a < end; a += line_bytes)
		__asm__ volatile("ic ivau, %0" ::"r"(a) : "memory");
	__asm__ volatile("dsb ish; isb" ::: "memory");
}

static void set_alarm(long seconds)
{
	long it[4] = {0, 0, seconds, 0};

	sys(SYS_setitimer, 0L, it, 0L);
}

static void case_run(const struct insn_case *c)
{
	case_state(c, &start, start_mem);
	memory_set();
	case_enter(&start, case_slot_address(c));
	res.r = case_out;
	memory_get();
	result_mask(c, &res);
}

static void run_all(const struct case_header *h, struct insn_case *cases)
{
	uint32_t done = 0;

	while (done < h->count) {
		static bool used[CASE_SLOTS];
		uint32_t n = 0;

		memset(used, 0, sizeof(used));
		slots_protect(true);
		while (done + n < h->count && n < CASE_SLOTS &&
		       !used[cases[done + n].slot % CASE_SLOTS]) {
			batch[n] = &cases[done + n];
			batch[n]->slot %= CASE_SLOTS;
			used[batch[n]->slot] = true;
			case_state(batch[n], &start, start_mem);
			slot_write(batch[n], &start);
			n++;
		}
		slots_sync();
		slots_protect(false);
		set_alarm(20);
		for (uint32_t i = 0; i < n; i++) {
			case_run(batch[i]);
			if (h->full) {
				put_result(done + i, &res);
				continue;
			}
			if (i % 16 == 0) {
				put('H');
				put_hex(done + i, 8);
			}
			put(' ');
			put_hex((uint32_t)(result_hash(batch[i], &res) >> 32), 8);
			if (i % 16 == 15 || i + 1 == n)
				put('\n');
		}
		done += n;
	}
	put('E');
	put_hex(done, 8);
	put('\n');
	flush();
}

static void *read_file(const char *path)
{
	long fd = sys(SYS_openat, -100L, path, 0L, 0L);
	size_t cap = 256u << 20, at = 0;
	char *p;

	if (fd < 0)
		return NULL;
	p = (char *)sys(SYS_mmap, 0L, cap, 3L, 0x4022L /* PRIVATE|ANON|NORESERVE */, -1L, 0L);
	if ((unsigned long)p > -4096ul)
		return NULL;
	for (;;) {
		long n = sys(SYS_read, fd, p + at, cap - at);
		if (n <= 0)
			break;
		at += n;
	}
	return at >= sizeof(struct case_header) ? p : NULL;
}

static int run_file(const char *path)
{
	struct case_header *h = read_file(path);

	if (!h || h->magic != CASE_MAGIC) {
		put_text("X cannot read the case file\n");
		flush();
		return 1;
	}
	if (!memory_init()) {
		put_text("X cannot map the window\n");
		flush();
		return 1;
	}
	signals_init();
	run_all(h, (struct insn_case *)(h + 1));
	return 0;
}

int runner_main(long *stack)
{
	const char **argv = (const char **)(stack + 1);
	bool init = sys(SYS_getpid) == 1;
	int rc = run_file(stack[0] > 1 ? argv[1] : "/cases.bin");

	if (init) {
		sys(SYS_sync);
		sys(SYS_reboot, 0xfee1deadL, 672274793L, 0x4321fedcL, 0L);
	}
	return rc;
}

/* SPDX-License-Identifier: MIT */
/*
 * insn-direct [--rules none|base|learned] [--off SWITCH]... CASES: the runner's job done on the
 * engine's own interface, without a guest kernel. A page table of our making maps the window and
 * the code for EL0; every exception vector is an HVC, so that each case ends in an exit whose ESR
 * is then read the way Linux reads it. Output as runner.c's.
 *
 * Cases run in a child process: if the engine dies, the case in hand gets signal 0x100 + n and a
 * new child goes on behind it. A case that does not end is kicked and counts as SIGALRM.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dbt/cpu.h"
#include "dbt/dbt.h"
#include "tests/insn/caseio.h"

#define RAM_BASE 0x40000000ull
#define RAM_SIZE (2ull << 20)
/* Offsets in RAM. */
#define VECTORS 0x0u
#define TABLES	0x10000u
#define CODE	0x20000u
#define WINDOW	0x30000u
#define VBAR	0x155a4d0000ull /* between code and window, EL1 only */

#define SLOT_HEAD 0xd503305fu /* clrex */
#define SLOT_TAIL 0xd417ddc1u /* svc #0xbeee */
#define TAIL_IMM  0xbeeeu
#define HVC1	  0xd4000022u

struct shared {
	volatile uint32_t next;	 /* the case being run */
	volatile uint32_t turns; /* of the alarm, without progress */
	volatile uint32_t seen;
};

static struct insn_case *cases;
static long ncases;
static struct shared *sh;
static struct result *results; /* shared; ncases of them */
static uint8_t *ram;
static struct dbt_vm *vm;
static struct dbt_vcpu *vcpu;
static enum dbt_rules_mode rules = DBT_RULES_LEARNED;
static struct dbt_config switches; /* the ablation switches only */
static bool one_vcpu;

/* ---- the machine ---- */

static void put64(uint32_t at, uint64_t v)
{
	memcpy(ram + at, &v, 8);
}

static void map_page(uint64_t va, uint32_t off, uint64_t attr)
{
	put64(TABLES + 0x3000 + (va >> 12 & 511) * 8, (RAM_BASE + off) | attr | 0x703);
}

/* 48-bit addresses, 4 KiB pages; everything lies in one level-3 table. */
static void tables_build(void)
{
	const uint64_t el0_rw = 1u << 6, el0_ro = 3u << 6, pxn = 1ull << 53, uxn = 1ull << 54;

	put64(TABLES + (CODE_BASE >> 39 & 511) * 8, (RAM_BASE + TABLES + 0x1000) | 3);
	put64(TABLES + 0x1000 + (CODE_BASE >> 30 & 511) * 8, (RAM_BASE + TABLES + 0x2000) | 3);
	put64(TABLES + 0x2000 + (CODE_BASE >> 21 & 511) * 8, (RAM_BASE + TABLES + 0x3000) | 3);
	for (unsigned p = 0; p < CASE_SLOTS * SLOT_BYTES / PAGE; p++)
		map_page(CODE_BASE + p * PAGE, CODE + p * PAGE, el0_ro | pxn);
	for (unsigned p = 1; p <= 3; p++)
		map_page(WIN_BASE + p * PAGE, WINDOW + p * PAGE,
			 (p == 3 ? el0_ro : el0_rw) | pxn | uxn);
	map_page(VBAR, VECTORS, uxn);
	for (unsigned v = 0; v < 16; v++)
		memcpy(ram + VECTORS + v * 0x80, &(uint32_t){HVC1}, 4);
	case_readonly((uint64_t *)(ram + WINDOW + 3 * PAGE));
	/* case_readonly gives both edges in a row; the second belongs to the page's end. */
	memcpy(ram + WINDOW + 4 * PAGE - WIN_EDGE, ram + WINDOW + 3 * PAGE + WIN_EDGE, WIN_EDGE);
	memset(ram + WINDOW + 3 * PAGE + WIN_EDGE, 0, WIN_EDGE);
}

static void set(enum dbt_reg_class cls, uint32_t id, uint64_t v)
{
	dbt_vcpu_set_reg(vcpu, (struct dbt_reg){cls, id}, &v);
}

static uint64_t get(enum dbt_reg_class cls, uint32_t id)
{
	uint64_t v = 0;

	dbt_vcpu_get_reg(vcpu, (struct dbt_reg){cls, id}, &v);
	return v;
}

#define SYS_SCTLR SYSREG_ID(3, 0, 1, 0, 0)
#define SYS_CPACR SYSREG_ID(3, 0, 1, 0, 2)
#define SYS_TTBR0 SYSREG_ID(3, 0, 2, 0, 0)
#define SYS_TCR	  SYSREG_ID(3, 0, 2, 0, 2)
#define SYS_MAIR  SYSREG_ID(3, 0, 10, 2, 0)
#define SYS_VBAR  SYSREG_ID(3, 0, 12, 0, 0)
#define SYS_SPSR  SYSREG_ID(3, 0, 4, 0, 0)
#define SYS_ELR	  SYSREG_ID(3, 0, 4, 0, 1)
#define SYS_SPEL0 SYSREG_ID(3, 0, 4, 1, 0)
#define SYS_ESR	  SYSREG_ID(3, 0, 5, 2, 0)
#define SYS_FAR	  SYSREG_ID(3, 0, 6, 0, 0)

static int machine_init(void)
{
	struct dbt_config cfg = switches;
	const char *err = NULL;

	cfg.max_vcpus = one_vcpu ? 1 : 2; /* what atomics and exclusives do for several */
	cfg.rules = rules;
	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ram == MAP_FAILED || dbt_vm_create(&cfg, &vm, &err) ||
	    dbt_vm_set_memory(vm, GPA(RAM_BASE), RAM_SIZE, ram) || dbt_vcpu_create(vm, 0, &vcpu)) {
		fprintf(stderr, "insn-direct: %s\n", err ? err : "cannot create the machine");
		return -1;
	}
	tables_build();
	dbt_vcpu_reset(vcpu, 0, 0);
	set(DBT_REG_SYS, SYS_MAIR, 0xff);
	set(DBT_REG_SYS, SYS_TCR, 16 | 16ull << 16 | 0x3500 | 1ull << 23 | 5ull << 32 | 1ull << 37);
	set(DBT_REG_SYS, SYS_TTBR0, RAM_BASE + TABLES);
	set(DBT_REG_SYS, SYS_VBAR, VBAR);
	set(DBT_REG_SYS, SYS_CPACR, 3u << 20);
	/* As Linux has it: MMU, caches, SP checks, cache maintenance and CTR_EL0 at EL0. */
	set(DBT_REG_SYS, SYS_SCTLR, 0x30d0199d | 1u << 26 | 1u << 15 | 1u << 14);
	return 0;
}

/* ---- exceptions as Linux reports them ---- */

enum { SEGV_MAPERR_ = 1, SEGV_ACCERR_ = 2 };

static uint64_t signal_of_abort(uint64_t esr)
{
	switch (esr & 0x3c) {
	case 0x04:
	case 0x00: return SIGSEGV | (uint64_t)SEGV_MAPERR_ << 32;
	case 0x08:
	case 0x0c: return SIGSEGV | (uint64_t)SEGV_ACCERR_ << 32;
	}
	return SIGBUS | ((esr & 0x3f) == 0x21 ? 1ull : 3ull) << 32;
}

static uint64_t signal_of_esr(uint64_t esr)
{
	switch (esr >> 26 & 63) {
	case EC_DABT_LOWER:
	case EC_IABT_LOWER: return signal_of_abort(esr);
	case EC_PC_ALIGN:
	case EC_SP_ALIGN: return SIGBUS | 1ull << 32;
	case EC_BRK: return SIGTRAP | 1ull << 32;
	case EC_FP:
	case EC_FPE: return SIGFPE;
	case EC_SVC64: return (esr & 0xffff) == TAIL_IMM ? 0 : SIGSYS;
	}
	return SIGILL;
}

/* ---- cases ---- */

static void slot_write(const struct insn_case *c)
{
	uint32_t *p = (uint32_t *)(ram + CODE + c->slot * SLOT_BYTES);
	unsigned n = 0;

	p[n++] = SLOT_HEAD;
	for (unsigned i = 0; i < c->nwords && i < CASE_WORDS; i++)
		p[n++] = c->words[i];
	p[n] = SLOT_TAIL;
}

static uint8_t *edge(unsigned e)
{
	return ram + WINDOW + win_edge_offset(e);
}

static void state_load(const struct insn_case *c)
{
	static uint64_t mem[WIN_RW * WIN_EDGE / 8];
	struct regs r;

	case_state(c, &r, mem);
	for (unsigned e = 0; e < WIN_RW; e++)
		memcpy(edge(e), mem + e * WIN_EDGE / 8, WIN_EDGE);
	set(DBT_REG_PSTATE, 0, r.nzcv | 0x3c0);
	set(DBT_REG_SP, 0, r.sp);
	for (unsigned i = 0; i < 31; i++)
		set(DBT_REG_X, i, r.x[i]);
	for (unsigned i = 0; i < 32; i++)
		dbt_vcpu_set_reg(vcpu, (struct dbt_reg){DBT_REG_V, i}, r.v[i]);
	set(DBT_REG_FPCR, 0, r.fpcr);
	set(DBT_REG_FPSR, 0, r.fpsr);
	set(DBT_REG_PC, 0, case_slot_address(c));
}

static void state_save(const struct insn_case *c, enum dbt_exit_reason why, struct result *res)
{
	struct regs *r = &res->r;
	/* Linux strips the tag from si_addr. */
	uint64_t far = sext64(get(DBT_REG_SYS, SYS_FAR), 56);

	memset(res, 0, sizeof(*res));
	for (unsigned i = 0; i < 31; i++)
		r->x[i] = get(DBT_REG_X, i);
	for (unsigned i = 0; i < 32; i++)
		dbt_vcpu_get_reg(vcpu, (struct dbt_reg){DBT_REG_V, i}, r->v[i]);
	r->sp = get(DBT_REG_SYS, SYS_SPEL0);
	r->nzcv = get(DBT_REG_SYS, SYS_SPSR) & 0xf0000000;
	r->fpcr = get(DBT_REG_FPCR, 0);
	r->fpsr = get(DBT_REG_FPSR, 0);
	r->sig = signal_of_esr(get(DBT_REG_SYS, SYS_ESR));
	if (why != DBT_EXIT_HVC)
		r->sig = why == DBT_EXIT_KICK ? SIGALRM : 0x80 | why;
	if (r->sig)
		r->pc = get(DBT_REG_SYS, SYS_ELR);
	unsigned sig = r->sig & 0xff;
	if ((sig == SIGSEGV || sig == SIGBUS) && far >= WIN_BASE &&
	    far < WIN_BASE + WIN_PAGES * PAGE)
		r->fault = far;
	for (unsigned e = 0; e < WIN_EDGES; e++)
		memcpy(&res->mem[e * WIN_EDGE / 8], edge(e), WIN_EDGE);
	result_mask(c, res);
}

static void on_alarm(int sig)
{
	if (sh->seen == sh->next && ++sh->turns > 2)
		dbt_vcpu_kick(vcpu);
	if (sh->turns > 5) { /* not even a kick gets it out */
		signal(SIGABRT, SIG_DFL);
		raise(SIGABRT);
	}
	if (sh->seen != sh->next)
		sh->turns = 0;
	sh->seen = sh->next;
}

static void report_error(const struct insn_case *c, const struct dbt_exit *ex)
{
	fprintf(stderr, "insn-direct: engine error '%s' at %" PRIx64 " in:\n", ex->data.error.what,
		ex->data.error.pc);
	case_print(stderr, c);
}

/* The child: cases from sh->next on. */
static void run_cases(void)
{
	struct itimerval it = {{1, 0}, {1, 0}};

	if (machine_init())
		_exit(1);
	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &it, NULL);
	while (sh->next < ncases) {
		bool used[CASE_SLOTS] = {false};
		uint32_t end = sh->next;

		while (end < ncases && !used[cases[end].slot]) {
			used[cases[end].slot] = true;
			slot_write(&cases[end++]);
		}
		code_invalidate_all(vcpu);
		for (; sh->next < end; sh->next++) {
			const struct insn_case *c = &cases[sh->next];
			struct dbt_exit ex = {0};

			state_load(c);
			enum dbt_exit_reason why = dbt_vcpu_run(vcpu, &ex);
			if (why == DBT_EXIT_ERROR)
				report_error(c, &ex);
			state_save(c, why, &results[sh->next]);
		}
	}
	_exit(0);
}

static bool run_child(void)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return false;
	if (!pid)
		run_cases();
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status))
		return WEXITSTATUS(status) == 0;
	sh->turns = 0;
	memset(&results[sh->next], 0, sizeof(*results));
	results[sh->next].r.sig = 0x100 + WTERMSIG(status);
	fprintf(stderr, "insn-direct: the engine died of signal %d in case %u:\n", WTERMSIG(status),
		sh->next);
	case_print(stderr, &cases[sh->next]);
	sh->next++;
	return true;
}

static void print_results(bool full)
{
	for (long i = 0; i < ncases; i++) {
		const uint64_t *w = (const uint64_t *)&results[i];
		if (!full) {
			if (i % 16 == 0)
				printf("H%08lx", i);
			printf(" %08x", (uint32_t)(result_hash(&cases[i], &results[i]) >> 32));
			if (i % 16 == 15 || i + 1 == ncases)
				putchar('\n');
			continue;
		}
		printf("D%08lx ", i);
		for (size_t k = 0; k < sizeof(*results) / 8; k++)
			printf("%016" PRIx64, w[k]);
		putchar('\n');
	}
	printf("E%08lx\n", ncases);
}

static void *shared_alloc(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* An optimisation by its name under dbt. in the configuration. */
static bool switch_off(const char *name)
{
	const struct {
		const char *name;
		bool *off;
	} all[] = {
		{"hoist", &switches.no_hoist},
		{"chain", &switches.no_chain},
		{"call_ret", &switches.no_call_ret},
		{"superblocks", &switches.no_superblocks},
		{"sp_window", &switches.no_sp_window},
		{"flag_liveness", &switches.no_flag_liveness},
		{"lazy_flags", &switches.no_lazy_flags},
		{"across_blocks", &switches.no_across_blocks},
		{"across_memory", &switches.no_across_memory},
		{"define_before_use", &switches.no_define_before_use},
		{"interrupt_checks", &switches.poll_always},
		{"smp", &one_vcpu},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (!strcmp(all[i].name, name))
			return *all[i].off = true;
	return false;
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {{"rules", 1, 0, 'r'}, {"off", 1, 0, 'o'}, {0}};
	struct case_header h;
	int o;

	while ((o = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (o == 'o' && switch_off(optarg))
			continue;
		if (o != 'r') {
			fprintf(stderr, "insn-direct: no such option or optimisation\n");
			return 2;
		}
		rules = !strcmp(optarg, "none")	  ? DBT_RULES_NONE
			: !strcmp(optarg, "base") ? DBT_RULES_BASE
						  : DBT_RULES_LEARNED;
	}
	FILE *f = optind < argc ? fopen(argv[optind], "rb") : NULL;
	if (!f || fread(&h, sizeof(h), 1, f) != 1) {
		fprintf(stderr,
			"usage: insn-direct [--rules none|base|learned] [--off SWITCH]... CASES\n");
		return 2;
	}
	fclose(f);
	ncases = cases_read(argv[optind], &cases);
	sh = shared_alloc(sizeof(*sh));
	results = ncases > 0 ? shared_alloc(ncases * sizeof(*results)) : NULL;
	if (!sh || !results) {
		fprintf(stderr, "insn-direct: %s: no cases or no memory\n", argv[optind]);
		return 2;
	}
	for (long i = 0; i < ncases; i++)
		cases[i].slot %= CASE_SLOTS;
	while (sh->next < ncases)
		if (!run_child())
			return 1;
	print_results(h.full);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Makes differential cases from the decoder's own table: every pattern of insns.def with random
 * fields, alone or in short sequences, registers and memory arranged so that addresses hit the
 * window. What the manual leaves CONSTRAINED UNPREDICTABLE is not generated (DDI 0487, K1.2.2).
 *
 * insn-gen [--strict-nzcv] [--seed S] [--count N] [--op NAME] [--text FILE.case]... -o FILE
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/a64/decode_internal.h"
#include "tests/insn/caseio.h"

static const struct pattern {
	const char *op, *text;
	u16 id;
} patterns[] = {
#define INSN(name, pat, ...) {#name, pat, A64_##name},
#define PAT(name, pat, ...)  {#name, pat, A64_##name},
#include "dbt/a64/insns.def"
#undef INSN
};

struct gen {
	u64 rng;
	struct insn_case *c;
	u8 pool[5];
	bool use_pool, sequence;
	u32 written;	/* general registers that earlier words of the sequence write */
	bool monitor;	/* a load-exclusive went before: no store-exclusive but its own */
	bool code_ptr;	/* some of them may hold an address in the code */
	bool known[32]; /* register is WIN_BASE + off[] here, 31: SP */
	long off[32];
	int hot; /* base register that several accesses share, -1: none */
	const char *only_op;
	bool strict_nzcv;
};

static u64 rnd(struct gen *g)
{
	u64 z = g->rng += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static bool one_in(struct gen *g, unsigned n)
{
	return rnd(g) % n == 0;
}

static long between(struct gen *g, long lo, long hi)
{
	return lo + (long)(rnd(g) % (u64)(hi - lo + 1));
}

/* The hot register is a base and nothing else. */
static unsigned pick_reg(struct gen *g, char letter)
{
	unsigned reg;

	if (g->hot >= 0 && letter == 'n' && one_in(g, 2))
		return g->hot;
	reg = g->pool[rnd(g) % ARRAY_SIZE(g->pool)];
	if ((int)reg != g->hot || letter == 'n')
		return reg;
	return (reg + 1 + rnd(g) % 30) % 31; /* the pool may hold nothing else */
}

/* Register letters draw from the pool, so that operands meet; x is a should-be-one bit. */
static u32 random_word(struct gen *g, const char *pattern)
{
	u32 w = 0;
	u64 bits = rnd(g);
	char run = 0;
	unsigned reg = 0, left = 0;

	for (; *pattern; pattern++) {
		if (*pattern == ' ')
			continue;
		bool bit = bits & 1;
		bits >>= 1;
		if (strchr("dnmas", *pattern) && g->use_pool) {
			if (*pattern != run || !left) {
				run = *pattern;
				reg = pick_reg(g, run);
				left = 5;
			}
			bit = reg >> --left & 1;
		} else if (*pattern == '0' || *pattern == '1' || *pattern == 'x') {
			bit = *pattern != '0';
		}
		w = w << 1 | bit;
	}
	return w;
}

/* ---- fixes ---- */

static bool has_fix(const struct insn_case *c, unsigned reg)
{
	for (unsigned i = 0; i < c->nfix; i++)
		if (c->fix[i].reg == reg)
			return true;
	return false;
}

static bool add_fix(struct gen *g, unsigned reg, unsigned kind, long off, unsigned pad)
{
	struct insn_case *c = g->c;

	if (c->nfix == CASE_FIXES || has_fix(c, reg) || off != (s32)off)
		return false;
	c->fix[c->nfix++] = (struct fix){reg, kind, pad, off};
	g->known[reg] = kind == FIX_WIN;
	g->off[reg] = off;
	return true;
}

static bool is_written(const struct gen *g, unsigned reg)
{
	return reg < 31 && g->written >> reg & 1;
}

/* After a word was accepted: what it may change. */
static void note_written(struct gen *g, const struct a64_insn *i)
{
	u32 regs = 1u << i->rd | 1u << i->rn | 1u << i->ra | 1u << i->rs;

	if (i->op == A64_BL || i->op == A64_BLR)
		regs |= 1u << 30;
	g->monitor |=
		i->op == A64_LDXR || i->op == A64_LDAXR || i->op == A64_LDXP || i->op == A64_LDAXP;
	if (i->op == A64_CASP)
		regs |= 2u << i->rs;
	g->written |= regs;
	bool wb = i->amode == A64_AM_PRE || i->amode == A64_AM_POST;
	bool base = a64_op_flags(i->op) & (A64F_LD | A64F_ST) && i->rd != i->rn && i->ra != i->rn &&
		    i->rs != i->rn && !(wb && i->vec && i->immr && i->rm != 31);
	long at = g->off[i->rn] + (wb ? i->imm : 0);
	bool keep = base && g->known[i->rn];
	/* Register 31 of a data operand is no SP. */
	if (base || !(a64_op_flags(i->op) & A64F_RNSP))
		regs &= ~(1u << 31);
	for (unsigned r = 0; r < 32; r++)
		g->known[r] &= !(regs >> r & 1);
	if (base) {
		g->known[i->rn] = keep;
		g->off[i->rn] = at;
	}
	/* From here on any register written may hold an address in the code, which engines lay out
	 * differently. */
	if (i->op == A64_ADR || i->op == A64_ADRP || i->op == A64_RET ||
	    (i->op >= A64_B && i->op <= A64_BLR))
		g->code_ptr = true;
}

/* ---- memory operands ---- */

/* Window offset for an access of `bytes`, most of the time where it succeeds. */
static long pick_target(struct gen *g, unsigned bytes, unsigned align)
{
	long t;

	switch (rnd(g) % 16) {
	case 0: t = PAGE + between(g, -40, 100); break;
	case 1: t = 3 * PAGE + between(g, -80, 100); break;
	case 2: t = 4 * PAGE - between(g, 0, 80); break;
	case 3: t = PAGE - between(g, 0, 15); break;
	case 4:
	case 5: t = 2 * PAGE - between(g, 1, bytes); break;
	default: t = 2 * PAGE + between(g, -190, 150); break;
	}
	return t & ~(long)(align - 1);
}

static unsigned access_bytes(const struct a64_insn *i)
{
	unsigned bytes = 1u << i->size;

	switch (i->op) {
	case A64_LDP:
	case A64_STP:
	case A64_LDPSW:
	case A64_LDP_vec:
	case A64_STP_vec:
	case A64_LDXP:
	case A64_LDAXP:
	case A64_STXP:
	case A64_STLXP:
	case A64_CASP: return bytes * 2;
	case A64_LD1_mult:
	case A64_LD2_mult:
	case A64_LD3_mult:
	case A64_LD4_mult:
	case A64_ST1_mult:
	case A64_ST2_mult:
	case A64_ST3_mult:
	case A64_ST4_mult: return i->immr * (i->q ? 16 : 8);
	}
	return i->immr ? bytes * i->immr : bytes;
}

/* Accesses that must be aligned, or fault, or may do either (LSE2): only aligned ones are made. */
static bool must_align(const struct a64_insn *i)
{
	return i->op >= A64_STXR && i->op <= A64_LDUMIN;
}

static bool is_structure(const struct a64_insn *i)
{
	return i->vec && i->immr;
}

/* Loads that may have written some registers when a later part faults; stores likewise memory. */
static void note_partial(struct gen *g, const struct a64_insn *i, unsigned bytes, long t)
{
	u32 flags = a64_op_flags(i->op);
	bool many = bytes > (1u << i->size) || i->size == 4;

	if (flags & A64F_ST && (many || (t & (PAGE - 1)) + bytes > PAGE))
		g->c->flags |= CASE_IGN_MEM_ON_SIG;
	if (!(flags & A64F_LD) || !many)
		return;
	unsigned n = i->immr ? i->immr : 1;
	for (unsigned k = 0; k < n; k++) {
		if (i->vec)
			g->c->ign_v |= 1u << ((i->rd + k) & 31);
		else
			g->c->ign_x |= 1u << i->rd;
	}
	if (!i->immr) {
		if (i->vec)
			g->c->ign_v |= 1u << i->ra;
		else
			g->c->ign_x |= 1u << i->ra;
	}
}

/* Base and index values that make base + extended index the target. */
static bool fix_reg_address(struct gen *g, const struct a64_insn *i, long t)
{
	bool w_index = !(i->shift & 1), sign = i->shift & 4;
	long v = between(g, sign || !w_index ? -512 : 0, 512);

	if (i->rm == i->rn)
		return false;
	if (i->rm == 31)
		v = 0;
	long base = t - v * (1l << i->amount);
	if (i->rn == 31 && base & 15)
		return false;
	if (i->rm != 31 &&
	    !add_fix(g, i->rm, FIX_VALUE, v, w_index && one_in(g, 2) ? rnd(g) & 0xffff : 0))
		return false;
	return add_fix(g, i->rn, FIX_WIN, base, 0);
}

static bool overlap_unpredictable(const struct a64_insn *i)
{
	bool wb = i->amode == A64_AM_POST || i->amode == A64_AM_PRE;

	switch (i->op) {
	case A64_LDP:
	case A64_LDPSW:
	case A64_LDP_vec:
	case A64_LDXP:
	case A64_LDAXP:
		if (i->rd == i->ra)
			return true;
		break;
	case A64_STXP:
	case A64_STLXP:
		if (i->rs == i->ra)
			return true; /* fallthrough */
	case A64_STXR:
	case A64_STLXR: return i->rs == i->rd || (i->rs == i->rn && i->rn != 31);
	}
	if (!wb || i->vec || i->rn == 31)
		return false;
	bool pair = i->op == A64_LDP || i->op == A64_STP || i->op == A64_LDPSW;
	return i->rd == i->rn || (pair && i->ra == i->rn);
}

/* Both sides of a page boundary, where memory is compared and set afresh. */
static bool in_edges(long t, unsigned bytes)
{
	long in_page = t & (PAGE - 1);

	return t >= (long)PAGE - 64 && t < 4 * (long)PAGE + 64 &&
	       (in_page + bytes <= WIN_EDGE || in_page >= (long)(PAGE - WIN_EDGE));
}

/* A base that points into the window already: the instruction's own offset must do. */
static bool use_known_base(struct gen *g, struct a64_insn *i, unsigned align, u32 *word)
{
	unsigned bytes = access_bytes(i);

	if (i->amode == A64_AM_IMM && field(*word, 24, 2) == 1 && (*word >> 27 & 7) == 7) {
		u32 k = rnd(g) % 24;
		*word = (*word & ~(0xfffu << 10)) | k << 10;
		i->imm = (s64)k << i->size;
	}
	long t = g->off[i->rn] + (i->amode == A64_AM_POST ? 0 : i->imm);
	if (!in_edges(t, bytes) || (t & (align - 1)))
		return false;
	bool wb = i->amode == A64_AM_POST || i->amode == A64_AM_PRE;
	if (i->rn == 31 && (g->off[31] & 15 || (wb && i->imm & 15)))
		return false;
	note_partial(g, i, bytes, t);
	return true;
}

static bool arrange_memory(struct gen *g, struct a64_insn *i, unsigned pos, u32 *word)
{
	unsigned bytes = access_bytes(i), align = 1;
	bool wb = i->amode == A64_AM_POST || i->amode == A64_AM_PRE;

	if (overlap_unpredictable(i) || (g->monitor && i->op >= A64_STXR && i->op <= A64_STLXP &&
					 a64_op_flags(i->op) & A64F_ST))
		return false;
	/*
	 * A base that an earlier word changed makes a wild access: good for plain ones; for others
	 * alignment and monitor decide before the fault, or after it.
	 */
	if (i->amode != A64_AM_LIT && is_written(g, i->rn) && (must_align(i) || g->code_ptr))
		return false;
	/* qemu-user 7.2 does not check LDAPR; a store-exclusive may look at the monitor first. */
	bool always = i->op == A64_LDAPR || (i->op >= A64_STXR && i->op <= A64_STLXP);
	if (must_align(i) && (always || !one_in(g, 16)))
		align = bytes;
	bool imm_amode = i->amode == A64_AM_IMM || i->amode == A64_AM_PRE ||
			 (i->amode == A64_AM_POST && !is_structure(i));
	if (g->known[i->rn] && imm_amode)
		return use_known_base(g, i, align, word);
	if (align == 1 && one_in(g, 2))
		align = 1u << i->size;
	long t = pick_target(g, bytes, align);
	note_partial(g, i, bytes, t);
	if (i->amode == A64_AM_LIT) {
		long off = (long)(WIN_BASE + (t & ~3l)) -
			   (long)(case_slot_address(g->c) + SLOT_FIRST + 4 * pos);
		*word = (*word & ~0x00ffffe0u) | ((u32)(off / 4) & 0x7ffff) << 5;
		return true;
	}
	if (i->amode == A64_AM_REG)
		return fix_reg_address(g, i, t);
	long base = i->amode == A64_AM_POST ? t : t - i->imm;
	if (i->rn == 31) {
		if (g->sequence && wb && (i->imm & 15 || is_structure(i)))
			return false;
		base &= ~15l;
		if (must_align(i) && (base + i->imm) & (align - 1))
			return false;
	}
	if (is_structure(i) && wb && i->rm != 31 && i->rm != i->rn && !has_fix(g->c, i->rm) &&
	    !add_fix(g, i->rm, FIX_VALUE, between(g, -64, 64) * 8, 0))
		return false;
	return add_fix(g, i->rn, FIX_WIN, base, 0);
}

/* ---- system and branches ---- */

static bool arrange_sysreg(struct gen *g, const struct a64_insn *i, u32 *word)
{
	static const u32 ids[] = {0xda10 /* NZCV */, 0xda20 /* FPCR */, 0xda21 /* FPSR */};
	static const u32 masks[] = {0xffffffff, 0x07c80000, 0x0800009f};
	unsigned k = rnd(g) % ARRAY_SIZE(ids);

	*word = (*word & ~(0xffffu << 5)) | ids[k] << 5;
	if (i->op == A64_MRS || k == 0 || i->rd == 31)
		return true;
	return !is_written(g, i->rd) && add_fix(g, i->rd, FIX_VALUE, rnd(g) & masks[k], 0);
}

/* Cache maintenance by address that EL0 may do (DC CVAP: refused by qemu-user). */
static bool arrange_sys(struct gen *g, const struct a64_insn *i, u32 *word)
{
	static const u32 ids[] = {0x5bd1 /* DC CVAC */, 0x5bd9 /* DC CVAU */, 0x5bf1 /* DC CIVAC */,
				  0x5ba9 /* IC IVAU */};

	if (i->op != A64_SYS || i->rd == 31 || is_written(g, i->rd))
		return false;
	*word = (*word & ~(0xffffu << 5)) | ids[rnd(g) % ARRAY_SIZE(ids)] << 5;
	return add_fix(g, i->rd, FIX_WIN, 2 * PAGE + between(g, -200, 200), 0);
}

/* Forward only, to the end of the sequence at most. */
static bool arrange_branch(struct gen *g, const struct a64_insn *i, unsigned pos, unsigned n,
			   u32 *word)
{
	u32 skip = 1 + rnd(g) % (n - pos);

	if (g->sequence && a64_op_flags(i->op) & A64F_BR && !g->strict_nzcv)
		g->c->flags |= CASE_IGN_NZCV_ON_SIG;

	switch (i->op) {
	case A64_B:
	case A64_BL: *word = (*word & 0xfc000000) | skip; return true;
	case A64_B_cond:
	case A64_CBZ:
	case A64_CBNZ: *word = (*word & 0xff00001f) | skip << 5; return true;
	case A64_TBZ:
	case A64_TBNZ: *word = (*word & 0xfff8001f) | skip << 5; return true;
	case A64_BR:
	case A64_BLR:
	case A64_RET:
		return i->rn != 31 && !is_written(g, i->rn) &&
		       add_fix(g, i->rn, FIX_CODE, SLOT_FIRST + 4 * (long)(pos + skip), 0);
	}
	return true;
}

/*
 * FMOV (vector, half) with op = 1 is unallocated; qemu-user 7.2 takes it for op = 0. MSR TCO is
 * MTE, which cannot be turned off in qemu-user.
 */
static bool qemu_takes_unallocated(u32 w)
{
	return (w & 0xbff8fc00) == 0x2f00fc00 || (w & 0xfffff0ff) == 0xd503409f;
}

/* FPCR.FZ at the start, or perhaps set by the sequence. */
static bool may_flush(struct gen *g)
{
	static uint64_t mem[WIN_RW * WIN_EDGE / 8];
	struct a64_insn i;
	struct regs r;

	case_state(g->c, &r, mem);
	for (unsigned k = 0; k < g->c->nwords; k++) {
		a64_decode(g->c->words[k], &i);
		if (i.op == A64_MSR_reg)
			return true;
	}
	return r.fpcr & 1u << 24;
}

/* What cannot run in a case at all. */
static bool excluded(const struct a64_insn *i)
{
	switch (i->op) {
	case A64_SVC:
	case A64_WFE:
	case A64_WFI:
	case A64_WFET:
	case A64_WFIT:
	case A64_SYSL: return true;
	/* qemu-user 7.2 leaves sign bits above the half-precision element's 16. */
	case A64_FCVTZS_fix_s: return i->size == 1;
	case A64_HLT: return i->imm == 0xf000;	 /* semihosting in qemu-user */
	case A64_MSR_imm: return i->imms >= 036; /* DAIF: SCTLR_EL1.UMA decides */
	}
	return false;
}

static bool arrange(struct gen *g, unsigned pos, unsigned n, u32 *word)
{
	struct a64_insn i;

	a64_decode(*word, &i);
	u32 flags = a64_op_flags(i.op);
	if (i.op == A64_UNDEF)
		return !g->sequence && !qemu_takes_unallocated(*word) && one_in(g, 10);
	if (excluded(&i))
		return false;
	/* qemu-user 7.2 sets Z for a denormal flushed to zero; FPToFixedJS() does not. */
	if (i.op == A64_FJCVTZS && may_flush(g)) {
		if (g->sequence)
			return false;
		g->c->flags |= CASE_IGN_Z;
	}
	if (g->sequence && flags & A64F_RDSP && i.rd == 31)
		return false;
	if (g->sequence && flags & A64F_SYS && flags & A64F_END)
		return false;
	if (i.op == A64_PRFM)
		return true;
	if (flags & (A64F_LD | A64F_ST))
		return arrange_memory(g, &i, pos, word);
	if (i.op == A64_MRS || i.op == A64_MSR_reg)
		return arrange_sysreg(g, &i, word);
	if (i.op == A64_SYS)
		return arrange_sys(g, &i, word);
	return arrange_branch(g, &i, pos, n, word);
}

/* ---- cases ---- */

static void choose_pool(struct gen *g)
{
	for (size_t k = 0; k < ARRAY_SIZE(g->pool); k++)
		g->pool[k] = rnd(g) & 31;
	if (one_in(g, 2))
		g->pool[0] = 31;
	g->use_pool = g->sequence || one_in(g, 2);
	g->hot = g->sequence && one_in(g, 2) ? (int)g->pool[1] : -1;
}

static const struct pattern *choose_pattern(struct gen *g)
{
	/* Sequences are about integer code mostly: flags, branches, addressing. */
	bool no_fp = g->sequence && one_in(g, 2);
	const struct pattern *p;

	do
		p = &patterns[rnd(g) % ARRAY_SIZE(patterns)];
	while ((g->only_op && strcmp(g->only_op, p->op)) ||
	       (no_fp && a64_op_flags(p->id) & A64F_FP));
	return p;
}

/* A store-exclusive needs its load-exclusive in front. */
static bool add_monitor(struct gen *g)
{
	struct insn_case *c = g->c;
	struct a64_insn i;
	u32 w = c->words[0];

	a64_decode(w, &i);
	if (i.op != A64_STXR && i.op != A64_STLXR && i.op != A64_STXP && i.op != A64_STLXP)
		return true;
	unsigned rt = rnd(g) % 31, rt2 = (rt + 1 + rnd(g) % 29) % 31;
	if (rt == i.rn || rt2 == i.rn)
		return false;
	c->words[1] = w;
	c->words[0] = (w & ~0x001f001fu) | 1u << 22 | 0x1f << 16 | rt;
	if (i.op == A64_STXP || i.op == A64_STLXP)
		c->words[0] = (c->words[0] & ~0x7c00u) | rt2 << 10;
	c->nwords = 2;
	return true;
}

static void gen_case(struct gen *g, struct insn_case *c, u32 index)
{
	unsigned n = 1;

	g->c = c;
	g->sequence = !g->only_op && one_in(g, 4);
	if (g->sequence)
		n = one_in(g, 2) ? between(g, 2, 4) : between(g, 5, CASE_WORDS);
	do {
		memset(c, 0, sizeof(*c));
		c->seed = rnd(g);
		c->slot = index % CASE_SLOTS;
		g->written = 0;
		memset(g->known, 0, sizeof(g->known));
		g->known[31] = g->sequence;
		g->off[31] = 2 * PAGE + 16;
		g->code_ptr = g->monitor = false;
		choose_pool(g);
		for (unsigned pos = 0, tries = 0; pos < n; tries++) {
			struct insn_case before = *c;
			c->words[pos] = random_word(g, choose_pattern(g)->text);
			if (arrange(g, pos, n, &c->words[pos])) {
				struct a64_insn i;
				a64_decode(c->words[pos], &i);
				note_written(g, &i);
				c->nwords = ++pos;
			} else {
				*c = before;
			}
			if (tries > 10000)
				break;
		}
	} while (c->nwords != n || !add_monitor(g));
}

static long read_text(const char *path, struct insn_case **out, size_t n)
{
	char line[1024];
	FILE *f = fopen(path, "r");

	if (!f)
		return -errno;
	for (int no = 1; fgets(line, sizeof(line), f); no++) {
		struct insn_case c;
		int rc = case_parse(line, &c);
		if (rc < 0) {
			fprintf(stderr, "insn-gen: %s:%d: not a case\n", path, no);
			fclose(f);
			return -EINVAL;
		}
		if (!rc)
			continue;
		*out = realloc(*out, (n + 1) * sizeof(**out));
		(*out)[n++] = c;
	}
	fclose(f);
	return n;
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {{"seed", 1, 0, 's'},
					     {"count", 1, 0, 'n'},
					     {"op", 1, 0, 'p'},
					     {"text", 1, 0, 't'},
					     {"full", 0, 0, 'f'},
					     {"strict-nzcv", 0, 0, 'z'},
					     {0}};
	struct gen g = {.rng = 1};
	struct insn_case *cases = NULL;
	const char *out = NULL;
	u32 count = 0;
	long n = 0;
	bool full = false;
	int o;

	while ((o = getopt_long(argc, argv, "o:", opts, NULL)) != -1) {
		switch (o) {
		case 's': g.rng = strtoull(optarg, NULL, 0); break;
		case 'n': count = strtoul(optarg, NULL, 0); break;
		case 'p': g.only_op = optarg; break;
		case 'f': full = true; break;
		case 'z': g.strict_nzcv = true; break;
		case 'o': out = optarg; break;
		case 't':
			n = read_text(optarg, &cases, n);
			if (n >= 0)
				break;
			fprintf(stderr, "insn-gen: %s: %s\n", optarg, strerror(-n));
			return 1;
		default: return 2;
		}
	}
	if (!out) {
		fprintf(stderr,
			"usage: insn-gen [--seed S] [--count N] [--op NAME] [--text FILE]... "
			"[--full] -o FILE\n");
		return 2;
	}
	cases = realloc(cases, (n + count + 1) * sizeof(*cases));
	/* rnd() steps by a constant: seeds must land far apart, or runs repeat each other's cases.
	 */
	g.rng = rnd(&g) ^ (g.rng << 32 | g.rng >> 32);
	for (u32 k = 0; k < count; k++)
		gen_case(&g, &cases[n++], k);
	int rc = cases_write(out, cases, n, full);
	if (rc)
		fprintf(stderr, "insn-gen: %s: %s\n", out, strerror(-rc));
	free(cases);
	return rc ? 1 : 0;
}

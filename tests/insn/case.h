/* SPDX-License-Identifier: MIT */
/*
 * What a differential case is, and the machine state it starts from. Shared by the generator and
 * the comparer (host) and by the runner (freestanding AArch64): no library, no floating point here.
 */
#ifndef INSN_CASE_H
#define INSN_CASE_H

#include <stddef.h>
#include <stdint.h>

#define CASE_MAGIC 0x3253414331364100ull
#define CASE_WORDS 12
#define CASE_FIXES 5
#define CASE_SLOTS 256
#define SLOT_BYTES 128
#define SLOT_FIRST 4 /* offset of the first test word in its slot */
#define PAGE	   4096u

/*
 * Fixed addresses, so that PC-relative results agree between engines; none is near a power of two,
 * which the nasty operands are, and no single bit leads from one to the other. Pages of the window:
 * 0 unmapped, 1 and 2 read-write, 3 read-only, 4 unmapped. The bytes around the boundaries between
 * them are the memory of a case.
 */
#define CODE_BASE 0x155a4a0000ull
#define WIN_BASE  0x155a550000ull
#define WIN_PAGES 5
#define WIN_EDGE  256u /* bytes initialised and compared on each side of a boundary */
#define WIN_EDGES 6    /* P1 start, P1 end, P2 start, P2 end (writable), P3 start, P3 end */
#define WIN_RW	  4    /* the first four of them */

enum fix_kind {
	FIX_VALUE, /* reg = off */
	FIX_WIN,   /* reg = WIN_BASE + off */
	FIX_CODE,  /* reg = address of the case's slot + off */
};

struct fix {
	uint8_t reg; /* 31: SP */
	uint8_t kind;
	uint16_t pad;
	int32_t off;
};

enum {
	CASE_IGN_MEM_ON_SIG = 1,  /* a store that faults may have written some of its bytes */
	CASE_IGN_Z = 4,		  /* FJCVTZS under FPCR.FZ: likewise */
	CASE_IGN_NZCV_ON_SIG = 2, /* dead flags set before a branch: docs/conformance.md */
};

/* 128 bytes, little endian. State not given here follows from the seed. */
struct insn_case {
	uint64_t seed;
	uint32_t words[CASE_WORDS];
	uint8_t nwords, nfix, flags, pad;
	uint16_t slot, pad2;
	uint32_t ign_x, ign_v; /* registers with UNKNOWN value when the case ends in a signal */
	struct fix fix[CASE_FIXES];
	uint64_t pad3[2];
};

_Static_assert(sizeof(struct insn_case) == 128, "the case file's format");
_Static_assert(SLOT_FIRST + 4 * (CASE_WORDS + 3) <= SLOT_BYTES - 16, "a slot holds its case");

struct case_header {
	uint64_t magic;
	uint32_t count;
	uint32_t full; /* 1: write whole results, 0: one hash a case */
};

/* Registers; the assembly knows the offsets. */
struct regs {
	uint64_t x[31];	   /* 0 */
	uint64_t sp;	   /* 248 */
	uint64_t v[32][2]; /* 256 */
	uint64_t nzcv;	   /* 768, as in PSTATE: N is bit 31 */
	uint64_t fpcr;	   /* 776 */
	uint64_t fpsr;	   /* 784 */
	uint64_t pc;	   /* 792: where a signal hit, else 0 */
	uint64_t sig;	   /* 800: signal | si_code << 32 */
	uint64_t fault;	   /* 808: fault address inside the window's pages, else 0 */
};

struct result {
	struct regs r;
	uint64_t mem[WIN_EDGES * WIN_EDGE / 8];
};

static inline uint64_t case_slot_address(const struct insn_case *c)
{
	return CODE_BASE + (uint64_t)c->slot * SLOT_BYTES;
}

/* Window offset of an edge's bytes. */
static inline uint32_t win_edge_offset(unsigned edge)
{
	uint32_t page = 1 + edge / 2;

	return page * PAGE + (edge & 1 ? PAGE - WIN_EDGE : 0);
}

/* The state a case starts from, fixes applied. mem: the writable edges, WIN_RW * WIN_EDGE bytes. */
void case_state(const struct insn_case *c, struct regs *r, uint64_t *mem);
/* Contents of the read-only page's edges, the same for all cases. */
void case_readonly(uint64_t *mem);
/* Hash of everything compared. */
uint64_t result_hash(const struct insn_case *c, const struct result *res);
/* Clears what is not compared. */
void result_mask(const struct insn_case *c, struct result *res);

#endif

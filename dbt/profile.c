/* SPDX-License-Identifier: MIT */
#include "dbt/profile.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "dbt/rules.h"
#include "dbt/translate.h"
#include "dbt/vm.h"

#define PROFILE_SIZE (512ull << 20)

/* Followed by side exits, n words, n rule ids + 1, n spans, and the code. */
struct entry {
	u64 count, taken; /* by translated code */
	u64 gpa;
	u32 size; /* of the whole entry, a multiple of 8; 0: not complete */
	u32 mode, hot;
	u16 n;
	u8 nsides;
	u8 live; /* NZCV behind the block: 1 after the last instruction, 2 on the next edge, 4 if
		    taken */
	struct profile_host host;
};

int profile_init(struct dbt_vm *vm, const char **err)
{
	void *p;

	if (!vm->cfg.count_insns)
		return 0;
	/* Below 2 GiB: translated code has the address as a displacement. */
	p = mmap(NULL, PROFILE_SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_32BIT, -1, 0);
	if (p == MAP_FAILED) {
		*err = "cannot map memory for counting instructions (dbt.count_insns)";
		return -ENOMEM;
	}
	vm->profile = p;
	return 0;
}

void profile_fini(struct dbt_vm *vm)
{
	if (vm->profile)
		munmap(vm->profile, PROFILE_SIZE);
	vm->profile = NULL;
}

u32 profile_side_counter(u32 counter, unsigned k)
{
	return counter + (u32)(sizeof(struct entry) + k * sizeof(struct profile_side));
}

u32 profile_block(struct dbt_vm *vm, const struct tr *tr, const struct block *b, const u8 *code,
		  u32 hot, const struct profile_host *host, const struct profile_side *side,
		  unsigned nsides)
{
	u64 size = ALIGN_UP(sizeof(struct entry) + nsides * sizeof(*side) + tr->n * 7ull + hot, 8);
	u64 at = __atomic_fetch_add(&vm->profile_used, size, __ATOMIC_RELAXED);
	struct entry *e;
	u8 *p;

	if (at + size > PROFILE_SIZE)
		return 0;
	e = (struct entry *)(vm->profile + at);
	e->gpa = b->page->gpa + tr->page_off;
	e->mode = tr->mode;
	e->hot = hot;
	e->n = (u16)tr->n;
	e->live = (u8)(tr->nzcv_live[tr->n - 1] | tr->live_next << 1 | tr->live_taken << 2);
	e->host = *host;
	e->nsides = (u8)nsides;
	memcpy(e + 1, side, nsides * sizeof(*side));
	p = (u8 *)(e + 1) + nsides * sizeof(*side);
	for (unsigned i = 0; i < tr->n; i++, p += 4)
		memcpy(p, &tr->insn[i].raw, 4);
	memcpy(p, tr->rule, tr->n * 2ul);
	p += tr->n * 2ul;
	memcpy(p, tr->span, tr->n);
	memcpy(p + tr->n, code, hot);
	__atomic_store_n(&e->size, (u32)size, __ATOMIC_RELEASE);
	return (u32)(u64)&e->count;
}

/* Entries in order; one that is not complete ends the walk (a vCPU still runs). */
static const struct entry *next_entry(const struct dbt_vm *vm, u64 *at)
{
	const struct entry *e = (const struct entry *)(vm->profile + *at);
	u64 used = __atomic_load_n(&vm->profile_used, __ATOMIC_RELAXED);

	if (!vm->profile || *at + sizeof(*e) > used || *at + sizeof(*e) > PROFILE_SIZE ||
	    !__atomic_load_n(&e->size, __ATOMIC_ACQUIRE))
		return NULL;
	*at += e->size;
	return e;
}

u64 profile_insns(const struct dbt_vm *vm)
{
	const struct entry *e;
	u64 at = 0, sum = 0;

	while ((e = next_entry(vm, &at))) {
		const struct profile_side *side = (const struct profile_side *)(e + 1);

		sum += e->count * e->n;
		for (unsigned k = 0; k < e->nsides; k++)
			sum -= side[k].left * (e->n - side[k].insns);
	}
	return sum;
}

static void dump_host(const u16 *n, const u16 *before, FILE *f)
{
	for (u32 c = 0; c < XC_NUM; c++)
		fprintf(f, "%c%d", c ? ',' : ' ', n[c] - before[c]);
}

/* Part `part` of a block: up to side exit `part`, or the end. Returns how often the next one ran.
 */
static u64 dump_part(const struct entry *e, unsigned part, u64 count, FILE *f)
{
	static const u16 none[XC_NUM];
	const struct profile_side *side = (const struct profile_side *)(e + 1);
	bool last = part == e->nsides;
	u32 from = part ? side[part - 1].insns : 0, to = last ? e->n : side[part].insns;
	const u16 *before = part ? side[part - 1].n : none;
	const u8 *word = (const u8 *)(side + e->nsides), *rule = word + e->n * 4ul,
		 *span = rule + e->n * 2ul, *code = span + e->n;

	fprintf(f, "%llu %llx %u", (unsigned long long)count, (unsigned long long)e->gpa + 4 * from,
		e->mode);
	for (u32 i = from; i < to; i++) {
		u32 w;

		memcpy(&w, word + 4ul * i, 4);
		fprintf(f, " %08x", w);
	}
	fprintf(f, " |");
	for (u32 i = from; i < to; i += span[i] ? span[i] : 1) {
		u16 id;

		memcpy(&id, rule + 2ul * i, 2);
		fprintf(f, " %s:%u", id ? rules_info[id - 1].name : "-", span[i]);
	}
	fprintf(f, " | ");
	for (u32 i = 0; i < e->hot && !part; i++)
		fprintf(f, "%02x", code[i]);
	fprintf(f, " | %llu", (unsigned long long)(last ? e->taken : side[part].left));
	dump_host(last ? e->host.n[0] : side[part].n, before, f);
	dump_host(last ? e->host.n[1] : side[part].n_taken, none, f);
	dump_host(last ? e->host.n[2] : none, none, f);
	fprintf(f, " | %d\n",
		last ? e->live
		     : !!(side[part].live & SIDE_NEXT) << 1 | !!(side[part].live & SIDE_TAKEN)
								      << 2);
	return last || count < side[part].left ? 0 : count - side[part].left;
}

static void dump_entry(const struct entry *e, FILE *f)
{
	u64 count = e->count;

	for (unsigned part = 0; part <= e->nsides && count; part++)
		count = dump_part(e, part, count, f);
}

void profile_dump(const struct dbt_vm *vm, FILE *f)
{
	const struct entry *e;
	u64 at = 0;

	while ((e = next_entry(vm, &at)))
		if (e->count)
			dump_entry(e, f);
}

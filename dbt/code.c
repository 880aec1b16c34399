/* SPDX-License-Identifier: MIT */
/*
 * The code cache: a memfd mapped twice, read/write anywhere and read/execute below 4 GiB, cut into
 * chunks that are filled in turn and evicted oldest first.
 *
 * Chains exist only within a page, so dropping a page's translations means emptying its slots; old code
 * stays where it is until its chunk is reused, and by then no return stack refers to it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/log.h"
#include "dbt/vm.h"

#define HEAD_SIZE 16384 /* thunks */

int code_init(struct dbt_vm *vm, const char **err)
{
	u64 size = vm->cfg.code_cache_size ? vm->cfg.code_cache_size : 128ull << 20;
	u8 *end;
	int fd;

	vm->chunk_size = ALIGN_DOWN(size / N_CHUNKS, PAGE_SIZE);
	if (vm->chunk_size < 1 << 17) {
		*err = "the code cache must be at least 2 MiB";
		return -EINVAL;
	}
	vm->chunks_start = ALIGN_UP((u64)HEAD_SIZE, PAGE_SIZE);
	vm->code_size = vm->chunks_start + vm->chunk_size * N_CHUNKS;
	fd = memfd_create("armature-code", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)vm->code_size)) {
		*err = "cannot create the code cache's memfd";
		return -errno;
	}
	vm->code_rw = mmap(NULL, vm->code_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	vm->code_rx = mmap(NULL, vm->code_size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_32BIT, fd, 0);
	close(fd);
	if (vm->code_rw == MAP_FAILED || vm->code_rx == MAP_FAILED) {
		*err = "cannot map the code cache (is vm.memfd_noexec set, or SELinux forbidding execmem?)";
		return -ENOMEM;
	}
	for (unsigned i = 0; i < N_CHUNKS; i++)
		vm->chunk[i].rw = vm->code_rw + vm->chunks_start + i * vm->chunk_size;
	thunks_emit(vm, vm->code_rw, vm->code_rw + HEAD_SIZE, &end);
	return 0;
}

void code_fini(struct dbt_vm *vm)
{
	struct code_page *p, *next;

	for (p = vm->all_pages; p; p = next) {
		next = p->all_next;
		free(p);
	}
	for (unsigned i = 0; i < N_CHUNKS; i++)
		free(vm->chunk[i].blocks);
	if (vm->code_rw && vm->code_rw != MAP_FAILED)
		munmap(vm->code_rw, vm->code_size);
	if (vm->code_rx && vm->code_rx != MAP_FAILED)
		munmap(vm->code_rx, vm->code_size);
}

static struct code_page **page_head(struct dbt_vm *vm, u64 gpa)
{
	for (unsigned i = 0; i < vm->nslots; i++) {
		u64 off = gpa - vm->slot[i].gpa;

		if (off < vm->slot[i].size)
			return &vm->slot[i].pages[off >> PAGE_SHIFT];
	}
	return NULL;
}

static void page_empty(struct dbt_vm *vm, struct code_page *page)
{
	for (unsigned i = 0; i < SLOTS_PER_PAGE; i++)
		page->slots[i] = vm->t_lookup;
	page->variants = NULL;
	page->nblocks = 0;
}

struct code_page *code_page_get(struct dbt_vm *vm, u64 gpa, u32 mode)
{
	struct code_page **head = page_head(vm, gpa), *p;

	if (!head)
		return NULL;
	for (p = *head; p; p = p->next)
		if (p->mode == mode)
			return p;
	p = malloc(sizeof(*p));
	if (!p)
		return NULL;
	*p = (struct code_page){.gpa = ALIGN_DOWN(gpa, PAGE_SIZE), .mode = mode, .next = *head};
	page_empty(vm, p);
	p->all_next = vm->all_pages;
	vm->all_pages = p;
	*head = p;
	return p;
}

void code_reset_ret_stacks(struct dbt_vm *vm)
{
	for (unsigned i = 0; i < vm->nvcpus; i++) {
		struct dbt_vcpu *cpu = vm->vcpu[i];

		cpu->ret_sp = cpu->ret_top;
		cpu->ret_sp_el0 = 0;
	}
}

/* Unlinks and frees pages no chunk holds code of. Exec entries must be gone already. */
static void free_unused_pages(struct dbt_vm *vm)
{
	struct code_page **pp = &vm->all_pages, *p;

	while ((p = *pp)) {
		struct code_page **h;

		if (p->chunk_mask) {
			pp = &p->all_next;
			continue;
		}
		for (h = page_head(vm, p->gpa); *h != p;)
			h = &(*h)->next;
		*h = p->next;
		*pp = p->all_next;
		free(p);
	}
}

static void evict_chunk(struct dbt_vm *vm, u32 c)
{
	bool any = vm->chunk[c].used != 0;

	vm->chunk[c].used = 0;
	vm->chunk[c].nblocks = 0;
	if (!any)
		return;
	for (struct code_page *p = vm->all_pages; p; p = p->all_next)
		if (p->chunk_mask & BIT(c)) {
			page_empty(vm, p);
			p->chunk_mask &= (u32)~BIT(c);
		}
	code_reset_ret_stacks(vm);
	vm->stats.chunk_evictions++;
}

u8 *code_reserve(struct dbt_vm *vm, u64 need)
{
	struct chunk *c = &vm->chunk[vm->cur_chunk];

	if (c->used + need > vm->chunk_size) {
		vm->cur_chunk = (vm->cur_chunk + 1) % N_CHUNKS;
		evict_chunk(vm, vm->cur_chunk);
		c = &vm->chunk[vm->cur_chunk];
	}
	return c->rw + c->used;
}

void code_commit(struct dbt_vm *vm, struct block *b, u8 *end)
{
	struct chunk *c = &vm->chunk[vm->cur_chunk];

	if (c->nblocks == c->cap) {
		u32 cap = c->cap ? c->cap * 2 : 1024;
		u32 *n = realloc(c->blocks, cap * sizeof(*n));

		if (!n) { /* forget the block list: sites are then not found, so drop everything */
			error_report("out of memory for the block index");
			return;
		}
		c->blocks = n;
		c->cap = cap;
	}
	c->blocks[c->nblocks++] = rw_to_rx(vm, b);
	c->used = (u32)(ALIGN_UP((u64)end, 16) - (u64)c->rw);
	b->page->chunk_mask |= (u32)BIT(vm->cur_chunk);
	b->page->nblocks++;
}

struct block *code_find(struct dbt_vm *vm, u32 host)
{
	u64 off = (u64)host - (u64)vm->code_rx - vm->chunks_start, lo = 0, hi;
	struct chunk *c;
	struct block *b;

	if ((u64)host < (u64)vm->code_rx + vm->chunks_start || off >= vm->chunk_size * N_CHUNKS)
		return NULL;
	c = &vm->chunk[off / vm->chunk_size];
	hi = c->nblocks;
	while (lo < hi) {
		u64 mid = (lo + hi) / 2;

		if (c->blocks[mid] <= host)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return NULL;
	b = (struct block *)rx_to_rw(vm, c->blocks[lo - 1]);
	return host < b->host_end ? b : NULL;
}

const struct site *code_find_site(struct dbt_vm *vm, u32 host)
{
	struct block *b = code_find(vm, host);

	for (u32 i = 0; b && i < b->nsites; i++)
		if (b->sites[i].host == host)
			return &b->sites[i];
	return NULL;
}

void code_invalidate_page(struct dbt_vm *vm, gpa_t gpa)
{
	struct code_page **head = page_head(vm, gpa.v);
	bool any = false;

	for (struct code_page *p = head ? *head : NULL; p; p = p->next)
		if (p->nblocks) {
			page_empty(vm, p);
			any = true;
		}
	if (any)
		code_reset_ret_stacks(vm);
}

void code_invalidate_all(struct dbt_vm *vm)
{
	for (struct code_page *p = vm->all_pages; p; p = p->all_next)
		if (p->nblocks)
			page_empty(vm, p);
	code_reset_ret_stacks(vm);
	if (vm->stats.chunk_evictions > N_CHUNKS) {
		view_flush_exec(vm);
		free_unused_pages(vm);
	}
	vm->stats.cache_flushes++;
}

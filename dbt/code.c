/* SPDX-License-Identifier: MIT */
/*
 * The code cache: a memfd mapped twice, read/write anywhere and read/execute below 4 GiB, cut into
 * chunks that are filled in turn and evicted oldest first.
 *
 * Chains exist only within a page, so dropping a page's translations means emptying its slots; old
 * code stays where it is until its chunk is reused, and by then no return stack refers to it.
 *
 * A chunk consists of segments: a thread takes one, translates into it without any lock, and gives
 * it back together with the block (or without, if the page was invalidated meanwhile).
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

	smp_lock_init(&vm->lock);
	if (size / N_CHUNKS < 1 << 17) {
		*err = "the code cache must be at least 2 MiB";
		return -EINVAL;
	}
	vm->seg_size = size / N_CHUNKS < SEGMENT_SIZE ? 1 << 17 : SEGMENT_SIZE;
	vm->chunk_size = ALIGN_DOWN(size / N_CHUNKS, vm->seg_size);
	vm->chunks_start = ALIGN_UP((u64)HEAD_SIZE, PAGE_SIZE);
	vm->code_size = vm->chunks_start + vm->chunk_size * N_CHUNKS;
	fd = memfd_create("armature-code", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)vm->code_size)) {
		*err = "cannot create the code cache's memfd";
		return -errno;
	}
	vm->code_rw = mmap(NULL, vm->code_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	vm->code_rx =
		mmap(NULL, vm->code_size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_32BIT, fd, 0);
	close(fd);
	if (vm->code_rw == MAP_FAILED || vm->code_rx == MAP_FAILED) {
		*err = "cannot map the code cache (is vm.memfd_noexec set, or SELinux forbidding "
		       "execmem?)";
		return -ENOMEM;
	}
	for (unsigned i = 0; i < N_CHUNKS; i++) {
		struct chunk *c = &vm->chunk[i];

		c->rw = vm->code_rw + vm->chunks_start + i * vm->chunk_size;
		c->seg = calloc(vm->chunk_size / vm->seg_size, sizeof(*c->seg));
		if (!c->seg) {
			*err = "out of memory";
			return -ENOMEM;
		}
	}
	vm->chunk[0].state = CHUNK_USED;
	thunks_emit(vm, vm->code_rw, vm->code_rw + HEAD_SIZE, &end);
	return 0;
}

static void free_pages(struct code_page *p, bool all)
{
	struct code_page *next;

	for (; p; p = next) {
		next = all ? p->all_next : p->next;
		free(p);
	}
}

void code_fini(struct dbt_vm *vm)
{
	free_pages(vm->all_pages, true);
	for (unsigned i = 0; i < N_CHUNKS; i++) {
		struct chunk *c = &vm->chunk[i];

		free_pages(c->dead, false);
		for (u64 k = 0; c->seg && k < vm->chunk_size / vm->seg_size; k++)
			free(c->seg[k].blocks);
		free(c->seg);
	}
	if (vm->code_rw && vm->code_rw != MAP_FAILED)
		munmap(vm->code_rw, vm->code_size);
	if (vm->code_rx && vm->code_rx != MAP_FAILED)
		munmap(vm->code_rx, vm->code_size);
}

/* ---- code pages ---- */

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
		slot_set(page, i * 4, vm->t_lookup);
	page->variants = NULL;
	page->nblocks = 0;
}

struct code_page *code_page_get(struct dbt_vm *vm, u64 gpa, u32 mode)
{
	struct code_page **head = page_head(vm, gpa), *p;

	if (!head)
		return NULL;
	pthread_mutex_lock(&vm->lock);
	for (p = *head; p; p = p->next)
		if (p->mode == mode)
			break;
	if (!p && (p = malloc(sizeof(*p)))) {
		*p = (struct code_page){
			.gpa = ALIGN_DOWN(gpa, PAGE_SIZE), .mode = mode, .next = *head};
		page_empty(vm, p);
		p->all_next = vm->all_pages;
		vm->all_pages = p;
		__atomic_store_n(head, p,
				 __ATOMIC_SEQ_CST); /* before its code is read: page_invalidate */
	}
	pthread_mutex_unlock(&vm->lock);
	return p;
}

/* ---- eviction ---- */

static void page_unlink(struct dbt_vm *vm, struct code_page *p)
{
	struct code_page **h;

	for (h = page_head(vm, p->gpa); *h != p;)
		h = &(*h)->next;
	*h = p->next;
	p->dead = true;
}

/* Makes chunk c unreachable, with the pages that have no other. Whoever is in there still gets out
 * alone. */
static void chunk_retire(struct dbt_vm *vm, struct chunk *c)
{
	u32 bit = (u32)BIT(c - vm->chunk);
	struct code_page **pp = &vm->all_pages, *p;

	while ((p = *pp)) {
		if (!(p->chunk_mask & bit)) {
			pp = &p->all_next;
			continue;
		}
		page_empty(vm, p);
		p->seq++;
		p->chunk_mask &= ~bit;
		if (p->chunk_mask) {
			pp = &p->all_next;
			continue;
		}
		page_unlink(vm, p);
		*pp = p->all_next;
		p->next = c->dead;
		c->dead = p;
	}
	if (c->dead)
		view_flush_exec(vm);
	c->state = CHUNK_RETIRED;
	smp_stale_returns(vm, smp_all(vm));
	smp_request(vm, smp_all(vm), &c->grace);
}

static void chunk_reclaim(struct dbt_vm *vm, struct chunk *c)
{
	free_pages(c->dead, false);
	c->dead = NULL;
	for (u32 i = 0; i < c->nopen; i++)
		c->seg[i].used = c->seg[i].nblocks = 0;
	c->nopen = 0;
	c->state = CHUNK_FREE;
	vm->evict_seq++;
	vm->stats.chunk_evictions++;
}

static struct chunk *next_chunk(struct dbt_vm *vm)
{
	return &vm->chunk[(vm->cur_chunk + 1) % N_CHUNKS];
}

static struct segment *find_segment(struct dbt_vm *vm, struct chunk *c)
{
	for (u32 i = 0; i < c->nopen; i++)
		if (!c->seg[i].busy && vm->seg_size - c->seg[i].used >= BLOCK_ROOM)
			return &c->seg[i];
	return c->nopen < vm->chunk_size / vm->seg_size ? &c->seg[c->nopen++] : NULL;
}

/* Makes the next chunk the current one, and retires the one after it. */
static int advance(struct dbt_vm *vm)
{
	struct chunk *c = next_chunk(vm);

	if (c->state == CHUNK_RETIRED) {
		if (!smp_passed(vm, &c->grace))
			return -EAGAIN;
		chunk_reclaim(vm, c);
	}
	c->state = CHUNK_USED;
	vm->cur_chunk = (u32)(c - vm->chunk);
	if (next_chunk(vm)->state == CHUNK_USED)
		chunk_retire(vm, next_chunk(vm));
	return 0;
}

int code_begin(struct dbt_vcpu *cpu, struct code_space *sp)
{
	struct dbt_vm *vm = cpu->vm;
	struct chunk *c = &vm->chunk[vm->cur_chunk];
	struct segment *s = find_segment(vm, c);
	int r;

	if (!s) {
		r = advance(vm);
		if (r)
			return r;
		c = &vm->chunk[vm->cur_chunk];
		s = find_segment(vm, c);
		if (!s)
			return -EAGAIN; /* all busy: more threads than segments */
	}
	if (s->nblocks == s->cap) {
		u32 cap = s->cap ? s->cap * 2 : 256;
		u32 *n = realloc(s->blocks, cap * sizeof(*n));

		if (!n)
			return -ENOMEM;
		s->blocks = n;
		s->cap = cap;
	}
	s->busy = true;
	*sp = (struct code_space){
		.seg = s, .chunk = c, .rw = c->rw + (u64)(s - c->seg) * vm->seg_size + s->used};
	return 0;
}

void code_end(struct dbt_vm *vm, struct code_space *sp, struct block *b, u8 *end)
{
	struct segment *s = sp->seg;

	s->busy = false;
	if (!b)
		return;
	s->blocks[s->nblocks++] = rw_to_rx(vm, b);
	s->used += (u32)(ALIGN_UP((u64)end, 16) - (u64)sp->rw);
	b->page->chunk_mask |= (u32)BIT(sp->chunk - vm->chunk);
	b->page->nblocks++;
}

void code_wait(struct dbt_vcpu *cpu)
{
	struct smp_grace g;

	pthread_mutex_lock(&cpu->vm->lock);
	g = next_chunk(cpu->vm)->grace;
	pthread_mutex_unlock(&cpu->vm->lock);
	smp_wait(cpu, &g);
}

/* ---- looking up ---- */

struct block *code_find(struct dbt_vm *vm, u32 host)
{
	u64 off = (u64)host - (u64)vm->code_rx - vm->chunks_start, lo = 0, hi;
	struct segment *s;
	struct block *b;

	if ((u64)host < (u64)vm->code_rx + vm->chunks_start || off >= vm->chunk_size * N_CHUNKS)
		return NULL;
	s = &vm->chunk[off / vm->chunk_size].seg[off % vm->chunk_size / vm->seg_size];
	hi = s->nblocks;
	while (lo < hi) {
		u64 mid = (lo + hi) / 2;

		if (s->blocks[mid] <= host)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return NULL;
	b = (struct block *)rx_to_rw(vm, s->blocks[lo - 1]);
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

/* ---- instruction cache maintenance ---- */

static bool page_invalidate(struct dbt_vm *vm, struct code_page *p)
{
	p->seq++;
	if (!p->nblocks)
		return false;
	page_empty(vm, p);
	return true;
}

void code_invalidate_page(struct dbt_vcpu *cpu, gpa_t gpa)
{
	struct dbt_vm *vm = cpu->vm;
	struct code_page **head = page_head(vm, gpa.v);
	bool any = false;

	/* The guest's stores are visible before this look: who makes the page after it reads new
	 * code. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!head || !__atomic_load_n(head, __ATOMIC_RELAXED))
		return;
	pthread_mutex_lock(&vm->lock);
	for (struct code_page *p = *head; p; p = p->next)
		any |= page_invalidate(vm, p);
	pthread_mutex_unlock(&vm->lock);
	if (any)
		smp_defer(cpu, smp_all(vm), true);
}

void code_flush_all(struct dbt_vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	for (struct code_page *p = vm->all_pages; p; p = p->all_next)
		page_invalidate(vm, p);
	vm->stats.cache_flushes++;
	pthread_mutex_unlock(&vm->lock);
	smp_stale_returns(vm, smp_all(vm));
}

void code_invalidate_all(struct dbt_vcpu *cpu)
{
	code_flush_all(cpu->vm);
	smp_defer(cpu, smp_all(cpu->vm), true);
}

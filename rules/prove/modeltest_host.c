/* SPDX-License-Identifier: MIT */
/*
 * HIR on this host's CPU: placed as for a guest, entered through the engine's own run loop. The
 * code page is filled with HVCs, whose number says where control went.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/translate.h"
#include "rules/prove/modeltest.h"

#define CODE	   0x40000000ull
#define DATA	   (CODE + 0x10000)
#define DATA_SIZE  0x8000
#define RAM_SIZE   (1u << 20)
#define SYS_VBAR   SYSREG_ID(3, 0, 12, 0, 0)
#define FLUSH_EACH 2000 /* runs after which the code cache is emptied */

static struct {
	struct dbt_vm *vm;
	struct dbt_vcpu *cpu;
	u8 *ram;
	unsigned runs;
} m;

static int no_mmio_read(void *o, unsigned cpu, gpa_t a, unsigned size, u64 *val)
{
	return -EFAULT;
}

static int no_mmio_write(void *o, unsigned cpu, gpa_t a, unsigned size, u64 val)
{
	return -EFAULT;
}

static int no_sysreg_read(void *o, unsigned cpu, u32 id, u64 *val)
{
	return -ENOENT;
}

static int no_sysreg_write(void *o, unsigned cpu, u32 id, u64 val)
{
	return -ENOENT;
}

static void set(enum dbt_reg_class cls, unsigned id, u64 v)
{
	dbt_vcpu_set_reg(m.cpu, (struct dbt_reg){cls, id}, &v);
}

static u64 get(enum dbt_reg_class cls, unsigned id)
{
	u64 v = 0;

	dbt_vcpu_get_reg(m.cpu, (struct dbt_reg){cls, id}, &v);
	return v;
}

int host_init(void)
{
	struct dbt_config cfg = {
		.max_vcpus = 1,
		.code_cache_size = 16 << 20,
		.ops = {no_mmio_read, no_mmio_write, no_sysreg_read, no_sysreg_write, NULL}};
	const char *err;

	m.ram = aligned_alloc(4096, RAM_SIZE);
	if (!m.ram || dbt_vm_create(&cfg, &m.vm, &err) ||
	    dbt_vm_set_memory(m.vm, GPA(CODE), RAM_SIZE, m.ram) || dbt_vcpu_create(m.vm, 0, &m.cpu))
		return -1;
	for (u32 i = 0; i < PAGE_SIZE / 4; i++) {
		u32 hvc = 0xd4000002 | i << 5;

		memcpy(m.ram + 4 * i, &hvc, 4);
	}
	dbt_vcpu_reset(m.cpu, CODE, 0);
	set(DBT_REG_SYS, SYS_VBAR, CODE); /* an exception ends a run like a wrong branch */
	return 0;
}

void host_fini(void)
{
	dbt_vcpu_destroy(m.cpu);
	dbt_vm_destroy(m.vm);
	free(m.ram);
}

void host_place(struct hir *h, struct conc_state *st, u64 *seed)
{
	st->page_va = CODE;
	st->ret_addr = CODE + 4;
	/* Aligned: without an MMU memory is of device kind. */
	if (hop_is_mem(h->op))
		st->x[h->a.reg] =
			DATA + PAGE_SIZE + conc_random(seed) % (DATA_SIZE / 8) * 8 - h->imm2;
	if (h->op == HIR_BR || h->op == HIR_BLR || h->op == HIR_RET)
		st->x[h->a.reg] = CODE + 4 * (2 + conc_random(seed) % 1000);
	else if (hop_is_control(h->op))
		h->a.imm = 4 * (2 + (s64)(conc_random(seed) % 1000));
}

/* Host code of b in the slot of the page's first instruction. */
static int enter(const struct hir_buf *b)
{
	static struct tr tr;
	struct code_page *page;
	struct code_space sp;
	struct block *blk;
	const char *why;

	if (m.runs++ % FLUSH_EACH == 0)
		code_flush_all(m.vm);
	memset(&tr, 0, offsetof(struct tr, insn));
	tr.vm = m.vm;
	tr.mode = TR_MODE_EL1 | TR_MODE_ALIGN; /* the MMU is off */
	tr.n = 1;
	tr.span[0] = 1;
	tr.nzcv_live[0] = tr.live_taken = tr.live_next = true;
	a64_decode(0xd503201f, &tr.insn[0]); /* stands for a nop */
	memcpy(&tr.hir, b, offsetof(struct hir_buf, op) + b->n * sizeof(b->op[0]));
	tr.ended = hop_is_control(b->op[b->n - 1].op);
	page = code_page_get(m.vm, CODE, tr.mode);
	pthread_mutex_lock(&m.vm->lock);
	if (!page || code_begin(m.cpu, &sp)) {
		pthread_mutex_unlock(&m.vm->lock);
		return -1;
	}
	tr.code = sp.rw;
	blk = place_block(m.vm, &tr, page, &why);
	code_end(m.vm, &sp, blk, tr.code_end);
	if (blk)
		slot_set(page, 0, blk->host);
	pthread_mutex_unlock(&m.vm->lock);
	return blk ? 0 : -1;
}

/* What each access will find or has left; the addresses are those of the evaluator. */
static void memory(struct conc_state *st, bool before)
{
	int k = 0;

	for (int i = 0; i < st->naccess; i++) {
		u8 *p = m.ram + (st->access[i].addr - CODE);
		u64 v = 0;

		if (before && !st->access[i].store)
			v = conc_load_value(st->access[i].addr, st->access[i].size, k++);
		if (before) {
			memcpy(p, &v, 1u << st->access[i].size);
		} else if (st->access[i].store) {
			memcpy(&v, p, 1u << st->access[i].size);
			st->access[i].data = v;
		}
	}
}

int host_run(const struct hir_buf *b, const struct conc_state *before, struct conc_state *after)
{
	struct conc_state *st = after;
	struct dbt_exit exit;
	u64 pstate;

	/* The accesses are known from the evaluator's run, which the caller left in *after. */
	memory(st, true);
	if (enter(b))
		return -1;
	for (unsigned r = 0; r < 31; r++)
		set(DBT_REG_X, r, before->x[r]);
	set(DBT_REG_SP, 0, before->x[31]);
	set(DBT_REG_PC, 0, CODE);
	pstate = get(DBT_REG_PSTATE, 0) & ~(0xfull << 28);
	set(DBT_REG_PSTATE, 0,
	    pstate | (u64)before->n << 31 | (u64)before->z << 30 | (u64)before->c << 29 |
		    (u64)before->v << 28);
	if (dbt_vcpu_run(m.cpu, &exit) != DBT_EXIT_HVC)
		return -1;
	for (unsigned r = 0; r < 31; r++)
		st->x[r] = get(DBT_REG_X, r);
	st->x[31] = get(DBT_REG_SP, 0);
	pstate = get(DBT_REG_PSTATE, 0);
	st->n = pstate >> 31 & 1;
	st->z = pstate >> 30 & 1;
	st->c = pstate >> 29 & 1;
	st->v = pstate >> 28 & 1;
	memory(st, false);
	/* Instruction 1 is the fall-through; no branch goes there. */
	if (exit.data.call.imm == 1) {
		st->exit = 0;
	} else {
		if (!st->exit)
			st->exit = -1;
		st->target =
			4ull * exit.data.call.imm +
			(st->exit == HIR_BR || st->exit == HIR_BLR || st->exit == HIR_RET ? CODE
											  : 0);
	}
	return 0;
}

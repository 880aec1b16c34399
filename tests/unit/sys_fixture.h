/* SPDX-License-Identifier: MIT */
/*
 * A vCPU with 16 MiB of RAM and stand-ins for the engine's core, for the tests of dbt/a64's system
 * half. Included by one file of a program only. The stand-ins count their calls.
 */
#ifndef ARMATURE_TEST_SYS_FIXTURE_H
#define ARMATURE_TEST_SYS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "dbt/a64/regs.h"
#include "dbt/vm.h"

#define RAM_BASE 0x40000000ull
#define RAM_SIZE (16ull << 20)

static struct dbt_vm vm;
static struct dbt_vcpu cpu;
static struct dbt_exit last_exit;
static u8 *ram;
static u64 *tables;  /* flat tables, empty: loads and code, stores */
static u64 ram_next; /* bump allocator of page tables, gpa */

static struct {
	unsigned view_switch, tlbi_all, tlbi_asid, tlbi_va, ic_all, ic_page;
	u64 va, asid, gpa;
	bool all_asids;
	u64 clock;
} calls;

/* Prototypes are in dbt/cpu.h and dbt/dbt.h. */
void view_switch(struct dbt_vcpu *c)
{
	calls.view_switch++;
}
void view_tlbi_all(struct dbt_vcpu *c)
{
	calls.tlbi_all++;
}
void view_tlbi_asid(struct dbt_vcpu *c, u16 asid)
{
	calls.tlbi_asid++;
	calls.asid = asid;
}
void view_tlbi_va(struct dbt_vcpu *c, gva_t va, u16 asid, bool all_asids)
{
	calls.tlbi_va++;
	calls.va = va.v;
	calls.asid = asid;
	calls.all_asids = all_asids;
}
void code_invalidate_page(struct dbt_vcpu *c, gpa_t gpa)
{
	calls.ic_page++;
	calls.gpa = gpa.v;
}
void code_invalidate_all(struct dbt_vcpu *c)
{
	calls.ic_all++;
}
bool debug_take_watch(struct dbt_vcpu *c, gva_t va, unsigned size, bool write, bool unpriv)
{
	return a64_take_watch(c, va, size, write, unpriv);
}
void vm_set_flag(struct dbt_vm *v, bool *flag)
{
	*flag = true;
}
u64 dbt_vm_clock(const struct dbt_vm *v)
{
	return calls.clock;
}

static int fixture_setup(void **state)
{
	if (!ram)
		ram = aligned_alloc(65536, RAM_SIZE);
	if (!ram)
		return -1;
	if (!tables)
		tables = mmap(NULL, 2 * TABLE_BYTES, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	memset(ram, 0, RAM_SIZE);
	if (tables == MAP_FAILED)
		return -1;
	madvise(tables, 2 * TABLE_BYTES, MADV_DONTNEED);
	memset(&vm, 0, sizeof(vm));
	memset(&cpu, 0, sizeof(cpu));
	vm.slot[0] = (struct dbt_slot){.gpa = RAM_BASE, .size = RAM_SIZE, .host = ram};
	vm.nslots = 1;
	cpu.vm = &vm;
	cpu.ld_tab = cpu.ex_tab = tables;
	cpu.st_tab = tables + BIT(TABLE_BITS);
	cpu.exit = &last_exit;
	cpu.pending_exit = -1;
	cpu.pc = 0x1000;
	a64_reset(&cpu);
	memset(&calls, 0, sizeof(calls));
	ram_next = RAM_BASE;
	return 0;
}

static inline u64 *at_gpa(u64 gpa)
{
	assert_true(gpa >= RAM_BASE && gpa - RAM_BASE < RAM_SIZE);
	return (u64 *)(ram + (gpa - RAM_BASE));
}

/* Physical memory of `bytes`, zeroed, aligned to its size. */
static inline u64 ram_alloc(u64 bytes)
{
	u64 gpa = ALIGN_UP(ram_next, bytes);

	ram_next = gpa + bytes;
	assert_true(ram_next <= RAM_BASE + RAM_SIZE);
	return gpa;
}

#endif

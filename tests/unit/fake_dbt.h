/* SPDX-License-Identifier: MIT */
/*
 * dbt.h without a translator, for tests of what surrounds it: "guest code" is a C function that the
 * test provides, called for every dbt_vcpu_run. Included by one test program only; its definitions
 * take the place of those in libarmature.a.
 */
#ifndef ARMATURE_FAKE_DBT_H
#define ARMATURE_FAKE_DBT_H

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dbt/dbt.h"

struct dbt_vm {
	struct dbt_config cfg;
	u64 start;
	u64 ram_gpa, ram_size;
	u8 *ram;
	unsigned flushes;
};

struct dbt_vcpu {
	struct dbt_vm *vm;
	unsigned index;
	u64 x[31], pc;
	unsigned resets;
	_Atomic unsigned step; /* the guest function's own */
	_Atomic u32 lines;
	_Atomic u32 kick;
};

static __attribute__((unused)) void (*fake_guest)(struct dbt_vcpu *cpu, struct dbt_exit *e);
static struct dbt_vm *fake_vm;

static u64 fake_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

int dbt_vm_create(const struct dbt_config *cfg, struct dbt_vm **out, const char **err)
{
	fake_vm = calloc(1, sizeof(*fake_vm));
	fake_vm->cfg = *cfg;
	fake_vm->start = fake_now();
	*out = fake_vm;
	return 0;
}

void dbt_vm_destroy(struct dbt_vm *vm)
{
	free(vm);
}

int dbt_vm_set_memory(struct dbt_vm *vm, gpa_t gpa, u64 size, void *host)
{
	vm->ram_gpa = gpa.v;
	vm->ram_size = size;
	vm->ram = host;
	return 0;
}

void dbt_vm_flush(struct dbt_vm *vm)
{
	vm->flushes++;
}

int dbt_vm_set_breakpoints(struct dbt_vm *vm, const u64 *va, unsigned n)
{
	return 0;
}

int dbt_vm_set_watchpoints(struct dbt_vm *vm, const struct dbt_watchpoint *w, unsigned n)
{
	return 0;
}

void dbt_vcpu_set_debug(struct dbt_vcpu *cpu, bool step)
{
}

u64 dbt_vcpu_peek(struct dbt_vcpu *cpu, gva_t va, void *buf, u64 len)
{
	return 0;
}

u64 dbt_vcpu_poke(struct dbt_vcpu *cpu, gva_t va, const void *buf, u64 len)
{
	return 0;
}

int dbt_vcpu_create(struct dbt_vm *vm, unsigned index, struct dbt_vcpu **out)
{
	*out = calloc(1, sizeof(**out));
	(*out)->vm = vm;
	(*out)->index = index;
	return 0;
}

void dbt_vcpu_destroy(struct dbt_vcpu *cpu)
{
	free(cpu);
}

void dbt_vcpu_reset(struct dbt_vcpu *cpu, u64 pc, u64 x0)
{
	memset(cpu->x, 0, sizeof(cpu->x));
	cpu->pc = pc;
	cpu->x[0] = x0;
	cpu->step = 0;
	cpu->resets++;
}

enum dbt_exit_reason dbt_vcpu_run(struct dbt_vcpu *cpu, struct dbt_exit *e)
{
	e->reason = DBT_EXIT_KICK;
	e->data.wfi.until = ~0ull;
	if (!atomic_exchange(&cpu->kick, 0))
		fake_guest(cpu, e);
	return e->reason;
}

void dbt_vcpu_set_irq(struct dbt_vcpu *cpu, enum dbt_irq line, bool level)
{
	if (level)
		atomic_fetch_or(&cpu->lines, line);
	else
		atomic_fetch_and(&cpu->lines, ~(u32)line);
}

void dbt_vcpu_pmu_expire(struct dbt_vcpu *cpu)
{
}

bool dbt_vcpu_has_irq(const struct dbt_vcpu *cpu)
{
	return atomic_load(&cpu->lines);
}

void dbt_vcpu_kick(struct dbt_vcpu *cpu)
{
	atomic_store(&cpu->kick, 1);
}

int dbt_vcpu_get_reg(struct dbt_vcpu *cpu, struct dbt_reg reg, void *val)
{
	if (reg.cls != DBT_REG_X || reg.id > 30)
		return -ENOENT;
	memcpy(val, &cpu->x[reg.id], 8);
	return 0;
}

int dbt_vcpu_set_reg(struct dbt_vcpu *cpu, struct dbt_reg reg, const void *val)
{
	if (reg.cls != DBT_REG_X || reg.id > 30)
		return -ENOENT;
	memcpy(&cpu->x[reg.id], val, 8);
	return 0;
}

u64 dbt_vm_clock(const struct dbt_vm *vm)
{
	return fake_now() - vm->start;
}

void dbt_vm_get_stats(struct dbt_vm *vm, struct dbt_stats *st)
{
	memset(st, 0, sizeof(*st));
}

void dbt_vm_dump_profile(struct dbt_vm *vm, FILE *f)
{
}

void dbt_vm_dump_stats(struct dbt_vm *vm, FILE *f)
{
	fprintf(f, "    \"rules\": {}");
}

/* ---- for guest functions ---- */

static inline u64 guest_load(struct dbt_vcpu *cpu, u64 addr, unsigned size)
{
	u64 val = 0;

	if (cpu->vm->cfg.ops.mmio_read(cpu->vm->cfg.ops.opaque, cpu->index, GPA(addr), size, &val))
		return ~0ull;
	return val;
}

static inline int guest_store(struct dbt_vcpu *cpu, u64 addr, unsigned size, u64 val)
{
	return cpu->vm->cfg.ops.mmio_write(cpu->vm->cfg.ops.opaque, cpu->index, GPA(addr), size,
					   val);
}

static inline u64 guest_mrs(struct dbt_vcpu *cpu, u32 id)
{
	u64 val = 0;

	if (cpu->vm->cfg.ops.sysreg_read(cpu->vm->cfg.ops.opaque, cpu->index, id, &val))
		return ~0ull;
	return val;
}

static inline int guest_msr(struct dbt_vcpu *cpu, u32 id, u64 val)
{
	return cpu->vm->cfg.ops.sysreg_write(cpu->vm->cfg.ops.opaque, cpu->index, id, val);
}

#endif

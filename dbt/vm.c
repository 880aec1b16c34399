/* SPDX-License-Identifier: MIT */
#include "dbt/vm.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "common/log.h"
#include "dbt/hir.h"
#include "dbt/profile.h"
#include "dbt/rules.h"

/* ---- host ---- */

static const char *host_missing(void)
{
	if (!__builtin_cpu_supports("avx2"))
		return "this CPU lacks AVX2";
	if (!__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2"))
		return "this CPU lacks BMI1/BMI2";
	if (!__builtin_cpu_supports("fma"))
		return "this CPU lacks FMA";
	if (!__builtin_cpu_supports("aes") || !__builtin_cpu_supports("pclmul"))
		return "this CPU lacks AES-NI or PCLMULQDQ";
	return NULL;
}

/*
 * TSC frequency. The kernel derives BogoMIPS from its own calibration, 2.4 ppm fine at 2 GHz, and
 * reading it costs no time; a measurement of 5 ms is the fall-back.
 */
static u64 tsc_hz(void)
{
	char buf[4096], *p;
	int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, buf, sizeof(buf) - 1) : 0;
	struct timespec a, b;
	u64 t0, t1, ns;

	if (fd >= 0)
		close(fd);
	if (n > 0) {
		buf[n] = 0;
		p = strstr(buf, "bogomips");
		p = p ? strchr(p, ':') : NULL;
		if (p && strtod(p + 1, NULL) > 100)
			return (u64)(strtod(p + 1, NULL) * 500000.0 + 0.5);
	}
	clock_gettime(CLOCK_MONOTONIC_RAW, &a);
	t0 = __rdtsc();
	do {
		clock_gettime(CLOCK_MONOTONIC_RAW, &b);
		t1 = __rdtsc();
		ns = (u64)(b.tv_sec - a.tv_sec) * 1000000000ull + (u64)(b.tv_nsec - a.tv_nsec);
	} while (ns < 5000000);
	return (u64)((double)(t1 - t0) * 1e9 / (double)ns);
}

u64 dbt_vm_clock(const struct dbt_vm *vm)
{
	return (u64)((u128)(__rdtsc() - vm->tsc_base) * vm->tsc_mul >> 32);
}

/* ---- life ---- */

int dbt_vm_create(const struct dbt_config *cfg, struct dbt_vm **out, const char **err)
{
	struct dbt_vm *vm;
	int r;

	*err = host_missing();
	if (*err)
		return -ENOTSUP;
	vm = calloc(1, sizeof(*vm));
	if (vm) {
		vm->rule_uses = calloc(rules_count, sizeof(*vm->rule_uses));
		vm->excl = aligned_alloc(64, EXCL_BUCKETS * sizeof(*vm->excl));
	}
	if (!vm || !vm->rule_uses || !vm->excl) {
		if (vm) {
			free(vm->rule_uses);
			free(vm->excl);
		}
		free(vm);
		*err = "out of memory";
		return -ENOMEM;
	}
	memset(vm->excl, 0, EXCL_BUCKETS * sizeof(*vm->excl));
	vm->cfg = *cfg;
	vm->tsc_mul = (u64)(((u128)1000000000ull << 32) / tsc_hz());
	vm->tsc_base = __rdtsc();
	r = code_init(vm, err);
	if (!r)
		r = view_init(vm, err);
	if (!r)
		r = profile_init(vm, err);
	if (r) {
		dbt_vm_destroy(vm);
		return r;
	}
	*out = vm;
	return 0;
}

void dbt_vm_destroy(struct dbt_vm *vm)
{
	while (vm->nvcpus)
		dbt_vcpu_destroy(vm->vcpu[vm->nvcpus - 1]);
	code_fini(vm);
	view_fini(vm);
	profile_fini(vm);
	for (unsigned i = 0; i < vm->nslots; i++)
		free(vm->slot[i].pages);
	free(vm->rule_uses);
	free(vm->excl);
	free(vm);
}

int dbt_vm_set_memory(struct dbt_vm *vm, gpa_t gpa, u64 size, void *host)
{
	struct dbt_slot *s;
	u64 end;

	if (!size || (gpa.v | size | (u64)host) & (PAGE_SIZE - 1) ||
	    __builtin_add_overflow(gpa.v, size, &end))
		return -EINVAL;
	if (vm->nslots == MAX_SLOTS)
		return -ENOSPC;
	for (unsigned i = 0; i < vm->nslots; i++)
		if (gpa.v < vm->slot[i].gpa + vm->slot[i].size && vm->slot[i].gpa < end)
			return -EEXIST;
	s = &vm->slot[vm->nslots];
	*s = (struct dbt_slot){.gpa = gpa.v, .size = size, .host = host};
	s->pages = calloc(size >> PAGE_SHIFT, sizeof(*s->pages));
	if (!s->pages)
		return -ENOMEM;
	vm->nslots++;
	return 0;
}

void dbt_vm_flush(struct dbt_vm *vm)
{
	view_flush_all(vm);
	code_flush_all(vm);
}

/* ---- registers ---- */

int dbt_vcpu_get_reg(struct dbt_vcpu *cpu, struct dbt_reg reg, void *val)
{
	u64 v;

	switch (reg.cls) {
	case DBT_REG_X:
		if (reg.id > 30)
			return -ENOENT;
		v = cpu->x[reg.id];
		break;
	case DBT_REG_SP: v = cpu->x[REG_SP]; break;
	case DBT_REG_PC: v = cpu->pc; break;
	case DBT_REG_PSTATE: v = cpu_pstate_get(cpu); break;
	case DBT_REG_V:
		if (reg.id > 31)
			return -ENOENT;
		memcpy(val, cpu->v[reg.id], 16);
		return 0;
	case DBT_REG_FPCR: v = cpu->fpcr; break;
	case DBT_REG_FPSR: v = cpu_fpsr_get(cpu); break;
	case DBT_REG_SYS: {
		int r = sysreg_get(cpu, reg.id, &v);

		if (r)
			return r;
		break;
	}
	default: return -ENOENT;
	}
	memcpy(val, &v, 8);
	return 0;
}

int dbt_vcpu_set_reg(struct dbt_vcpu *cpu, struct dbt_reg reg, const void *val)
{
	u64 v;

	memcpy(&v, val, 8);
	switch (reg.cls) {
	case DBT_REG_X:
		if (reg.id > 30)
			return -ENOENT;
		cpu->x[reg.id] = v;
		return 0;
	case DBT_REG_SP: cpu->x[REG_SP] = v; return 0;
	case DBT_REG_PC: cpu->pc = v; return 0;
	case DBT_REG_PSTATE: return cpu_pstate_set(cpu, (u32)v);
	case DBT_REG_V:
		if (reg.id > 31)
			return -ENOENT;
		memcpy(cpu->v[reg.id], val, 16);
		return 0;
	case DBT_REG_FPCR: cpu_fpcr_set(cpu, (u32)v); return 0;
	case DBT_REG_FPSR: cpu_fpsr_set(cpu, (u32)v); return 0;
	case DBT_REG_SYS: return sysreg_set(cpu, reg.id, v);
	default: return -ENOENT;
	}
}

/* ---- statistics ---- */

/* Each vCPU counts in its own; what is done under vm->lock counts in vm->stats. */
void dbt_vm_get_stats(struct dbt_vm *vm, struct dbt_stats *st)
{
	u64 *sum = (u64 *)st;

	*st = vm->stats;
	for (unsigned i = 0; i < vm->nvcpus; i++) {
		const u64 *add = (const u64 *)&vm->vcpu[i]->stats;

		for (unsigned k = 0; k < sizeof(*st) / sizeof(u64); k++)
			sum[k] += add[k];
	}
	if (vm->cfg.count_insns) /* else a guest's PMU may have asked */
		st->insns_executed = profile_insns(vm);
}

void dbt_vm_dump_stats(struct dbt_vm *vm, FILE *f)
{
	bool first = true;

	fprintf(f, "\"translated_by_encoding\": {");
	for (unsigned i = 0; i < A64_NUM_OPS && i < ARRAY_SIZE(vm->op_uses); i++)
		if (vm->op_uses[i]) {
			fprintf(f, "%s\"%s\": %llu", first ? "" : ", ", a64_op_name(i),
				(unsigned long long)vm->op_uses[i]);
			first = false;
		}
	fprintf(f, "}, \"translated_by_rule\": {");
	first = true;
	for (unsigned i = 0; i < rules_count; i++)
		if (vm->rule_uses && vm->rule_uses[i]) {
			fprintf(f, "%s\"%s\": %llu", first ? "" : ", ", rules_info[i].name,
				(unsigned long long)vm->rule_uses[i]);
			first = false;
		}
	fprintf(f, "}");
}

void dbt_vm_dump_profile(struct dbt_vm *vm, FILE *f)
{
	profile_dump(vm, f);
}

/* SPDX-License-Identifier: MIT */
/*
 * PMUv3 without interrupts or event filters: what counting (perf stat) needs. Cycles are
 * nanoseconds of the VM's clock, as CNTFRQ is 1 GHz. INST_RETIRED is exact with
 * dbt_config.count_insns, else an estimate of one instruction a nanosecond. Counters are 64 bits
 * wide and never overflow.
 *
 * A stopped counter's storage holds its value, a running one's the difference to its source, so
 * that nothing has to be done while it runs.
 */
#include "dbt/a64/sysreg.h"
#include "dbt/vm.h"

#define PMCR_E	  BIT(0)
#define PMCR_P	  BIT(1)
#define PMCR_C	  BIT(2)
#define PMCR_LC	  BIT(6)
#define PMCR_IMPL (0xffull << 24 | (u64)PMU_N << 11) /* implementer not Arm's, no IDCODE */

static bool counter_runs(const struct dbt_vcpu *cpu, unsigned n)
{
	const struct a64_sysregs *sys = &cpu->sys;

	if (!(sys->pmcr_el0 & PMCR_E) || !(sys->pmcntenset_el0 & BIT(n)))
		return false;
	if (n == PMU_CYCLE)
		return true;
	switch (sys->pmevtyper[n] & 0xffff) {
	case PMU_EV_INST:
	case PMU_EV_CYCLES: return true;
	default: return false;
	}
}

static u64 counter_source(const struct dbt_vcpu *cpu, unsigned n)
{
	if (n != PMU_CYCLE && (cpu->sys.pmevtyper[n] & 0xffff) == PMU_EV_INST &&
	    cpu->vm->cfg.count_insns)
		return cpu->stats.insns_executed;
	return dbt_vm_clock(cpu->vm);
}

static u64 *counter_storage(struct dbt_vcpu *cpu, unsigned n)
{
	return n == PMU_CYCLE ? &cpu->sys.pmccntr_off : &cpu->sys.pmevcntr[n];
}

static u64 counter_read(struct dbt_vcpu *cpu, unsigned n)
{
	u64 val = *counter_storage(cpu, n);

	return counter_runs(cpu, n) ? val + counter_source(cpu, n) : val;
}

static void counter_write(struct dbt_vcpu *cpu, unsigned n, u64 val)
{
	*counter_storage(cpu, n) = counter_runs(cpu, n) ? val - counter_source(cpu, n) : val;
}

/* Values of all counters, around a change of what makes them run. */
struct pmu_values {
	u64 ev[PMU_N], cycle;
};

static void values_save(struct dbt_vcpu *cpu, struct pmu_values *v)
{
	for (unsigned i = 0; i < PMU_N; i++)
		v->ev[i] = counter_read(cpu, i);
	v->cycle = counter_read(cpu, PMU_CYCLE);
}

static void values_load(struct dbt_vcpu *cpu, const struct pmu_values *v)
{
	for (unsigned i = 0; i < PMU_N; i++)
		counter_write(cpu, i, v->ev[i]);
	counter_write(cpu, PMU_CYCLE, v->cycle);
}

u64 get_pmcr(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return cpu->sys.pmcr_el0 | PMCR_IMPL;
}

int set_pmcr(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	struct pmu_values v;

	values_save(cpu, &v);
	if (val & PMCR_P)
		for (unsigned i = 0; i < PMU_N; i++)
			v.ev[i] = 0;
	if (val & PMCR_C)
		v.cycle = 0;
	set_plain(cpu, r, val);
	values_load(cpu, &v);
	return HELPER_NEXT;
}

int set_pmset(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	struct pmu_values v;

	values_save(cpu, &v);
	*sysreg_storage(cpu, r) |= val & r->mask;
	values_load(cpu, &v);
	return HELPER_NEXT;
}

int set_pmclr(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	struct pmu_values v;

	values_save(cpu, &v);
	*sysreg_storage(cpu, r) &= ~val;
	values_load(cpu, &v);
	return HELPER_NEXT;
}

int set_pmswinc(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	const struct a64_sysregs *sys = &cpu->sys;

	for (unsigned i = 0; i < PMU_N; i++)
		if ((val & BIT(i)) && (sys->pmcr_el0 & PMCR_E) && (sys->pmcntenset_el0 & BIT(i)) &&
		    (sys->pmevtyper[i] & 0xffff) == PMU_EV_SW_INCR)
			cpu->sys.pmevcntr[i]++;
	return HELPER_NEXT;
}

u64 get_pmccntr(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return counter_read(cpu, PMU_CYCLE);
}

int set_pmccntr(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	counter_write(cpu, PMU_CYCLE, val);
	return HELPER_NEXT;
}

static unsigned event_index(const struct sysreg *r)
{
	return r->id & 7; /* PMEVCNTR<n>, PMEVTYPER<n>: n < 8 */
}

u64 get_pmevcntr(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return counter_read(cpu, event_index(r));
}

int set_pmevcntr(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	counter_write(cpu, event_index(r), val);
	return HELPER_NEXT;
}

static void evtyper_write(struct dbt_vcpu *cpu, unsigned n, u64 val)
{
	u64 count = counter_read(cpu, n);

	cpu->sys.pmevtyper[n] = val & PMEVTYPER_MASK;
	counter_write(cpu, n, count);
}

int set_pmevtyper(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	evtyper_write(cpu, event_index(r), val);
	return HELPER_NEXT;
}

/* The PMX registers go by PMSELR_EL0.SEL; 31 is the cycle counter, whose count has no alias. */

u64 get_pmxevcntr(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return cpu->sys.pmselr_el0 < PMU_N ? counter_read(cpu, (unsigned)cpu->sys.pmselr_el0) : 0;
}

int set_pmxevcntr(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	if (cpu->sys.pmselr_el0 < PMU_N)
		counter_write(cpu, (unsigned)cpu->sys.pmselr_el0, val);
	return HELPER_NEXT;
}

u64 get_pmxevtyper(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	if (cpu->sys.pmselr_el0 == PMU_CYCLE)
		return cpu->sys.pmccfiltr_el0;
	return cpu->sys.pmselr_el0 < PMU_N ? cpu->sys.pmevtyper[cpu->sys.pmselr_el0] : 0;
}

int set_pmxevtyper(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	if (cpu->sys.pmselr_el0 == PMU_CYCLE)
		cpu->sys.pmccfiltr_el0 = val & 3u << 30;
	else if (cpu->sys.pmselr_el0 < PMU_N)
		evtyper_write(cpu, (unsigned)cpu->sys.pmselr_el0, val);
	return HELPER_NEXT;
}

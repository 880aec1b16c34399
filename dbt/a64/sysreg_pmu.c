/* SPDX-License-Identifier: MIT */
/*
 * PMUv3. Cycles are nanoseconds of the VM's clock, as CNTFRQ is 1 GHz, sleep included. INST_RETIRED
 * counts blocks of instructions when they are entered, so that one left by an exception counts
 * whole; code does so from the first time that a counter wants it. Counters are 64 bits wide.
 *
 * A stopped counter's storage holds its value, a running one's the difference to its source, so
 * that nothing has to be done while it runs. Overflow is looked for at each access, and when
 * dbt_ops.pmu's time has come; so is what CHAIN counts, the overflows of the counter before it.
 */
#include "dbt/a64/sysreg.h"
#include "dbt/vm.h"

#define PMCR_E	  BIT(0)
#define PMCR_P	  BIT(1)
#define PMCR_C	  BIT(2)
#define PMCR_LP	  BIT(7)
#define PMCR_IMPL (0xffull << 24 | (u64)PMU_N << 11) /* implementer not Arm's, no IDCODE */
#define FILTER_P  BIT(31)			     /* not at EL1 */
#define FILTER_U  BIT(30)			     /* not at EL0 */

#define MAX_INSNS_PER_NS 8 /* in code of ours, on any host */
#define MIN_WAIT_NS	 20000

static u64 counter_filter(const struct a64_sysregs *sys, unsigned n)
{
	return n == PMU_CYCLE ? sys->pmccfiltr_el0 : sys->pmevtyper[n];
}

static unsigned counter_event(const struct a64_sysregs *sys, unsigned n)
{
	return (unsigned)(sys->pmevtyper[n] & 0xffff);
}

static bool counts_insns(const struct a64_sysregs *sys, unsigned n)
{
	return n != PMU_CYCLE && counter_event(sys, n) == PMU_EV_INST;
}

static bool filtered(const struct dbt_vcpu *cpu, unsigned n)
{
	return counter_filter(&cpu->sys, n) & (cpu->ps.el ? FILTER_P : FILTER_U);
}

static bool counter_enabled(const struct a64_sysregs *sys, unsigned n)
{
	if (!(sys->pmcr_el0 & PMCR_E) || !(sys->pmcntenset_el0 & BIT(n)))
		return false;
	return n == PMU_CYCLE || counts_insns(sys, n) || counter_event(sys, n) == PMU_EV_CYCLES;
}

static bool counter_runs(const struct dbt_vcpu *cpu, unsigned n)
{
	return counter_enabled(&cpu->sys, n) && !filtered(cpu, n);
}

/* Counter n, an odd one, counts the overflows of the one before it. With 64-bit overflow none does.
 */
static bool chained(const struct a64_sysregs *sys, unsigned n)
{
	return n & 1 && n < PMU_N && counter_event(sys, n) == PMU_EV_CHAIN &&
	       (sys->pmcr_el0 & (PMCR_E | PMCR_LP)) == PMCR_E && sys->pmcntenset_el0 & BIT(n);
}

static bool counter_chains(const struct dbt_vcpu *cpu, unsigned n)
{
	return chained(&cpu->sys, n) && !filtered(cpu, n);
}

static u64 counter_source(const struct dbt_vcpu *cpu, unsigned n)
{
	return counts_insns(&cpu->sys, n) ? cpu->stats.insns_executed : dbt_vm_clock(cpu->vm);
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

/* ---- overflow ---- */

/* PMCR_EL0.LP; the cycle counter is always a long one (LC). */
static unsigned counter_width(const struct a64_sysregs *sys, unsigned n)
{
	return n == PMU_CYCLE || sys->pmcr_el0 & PMCR_LP ? 64 : 32;
}

static bool overflowed(u64 before, u64 now, unsigned width)
{
	return width == 64 ? now < before : now >> 32 != before >> 32;
}

/*
 * Nanoseconds until counter n may overflow, ~0: not before something else happens. One that does
 * not count at this EL is taken to run: pmu_set_el() says nothing to dbt_ops.pmu.
 */
static u64 counter_wait(const struct dbt_vcpu *cpu, unsigned n, u64 value)
{
	u64 left = counter_width(&cpu->sys, n) == 64 ? ~value : (u32)~value;

	if (!counter_enabled(&cpu->sys, n) ||
	    !(cpu->sys.pmintenset_el1 & (BIT(n) | (chained(&cpu->sys, n + 1) ? BIT(n + 1) : 0))))
		return ~0ull;
	if (counts_insns(&cpu->sys, n))
		left /= MAX_INSNS_PER_NS;
	return left < MIN_WAIT_NS ? MIN_WAIT_NS : left + 1;
}

static const u8 counters[] = {0, 1, 2, 3, 4, 5, PMU_CYCLE};
_Static_assert(sizeof(counters) == PMU_N + 1, "every counter");

static void look_for_overflow(struct dbt_vcpu *cpu)
{
	struct a64_sysregs *sys = &cpu->sys;

	for (unsigned i = 0; i < ARRAY_SIZE(counters); i++) {
		unsigned n = counters[i];
		u64 now = counter_read(cpu, n), before = sys->pm_seen[n];

		if (overflowed(before, now, counter_width(sys, n)))
			sys->pmovsset_el0 |= BIT(n);
		if (counter_chains(cpu, n + 1))
			sys->pmevcntr[n + 1] += (u32)((now >> 32) - (before >> 32));
		sys->pm_seen[n] = now;
	}
}

/* After any change: the interrupt's level, when to look again, and what depends on the EL. */
static void announce(struct dbt_vcpu *cpu)
{
	const struct dbt_ops *ops = &cpu->vm->cfg.ops;
	struct a64_sysregs *sys = &cpu->sys;
	u64 wait = ~0ull;

	cpu->pmu_by_el = false;
	for (unsigned i = 0; i < ARRAY_SIZE(counters); i++) {
		unsigned n = counters[i];
		u64 w = counter_wait(cpu, n, sys->pm_seen[n]);

		wait = w < wait ? w : wait;
		if (!counter_enabled(sys, n))
			continue;
		cpu->pmu_by_el |= (counter_filter(sys, n) & (FILTER_P | FILTER_U)) != 0;
		if (counts_insns(sys, n))
			vm_set_flag(cpu->vm, &cpu->vm->count_insns);
	}
	if (ops->pmu)
		ops->pmu(ops->opaque, cpu->index,
			 sys->pmcr_el0 & PMCR_E && sys->pmovsset_el0 & sys->pmintenset_el1, wait);
}

void pmu_update(struct dbt_vcpu *cpu)
{
	look_for_overflow(cpu);
	announce(cpu);
}

/* Values of all counters, around a change of what makes them run. */
struct pmu_values {
	u64 ev[PMU_N], cycle;
};

static void values_save(struct dbt_vcpu *cpu, struct pmu_values *v)
{
	look_for_overflow(cpu);
	for (unsigned i = 0; i < PMU_N; i++)
		v->ev[i] = cpu->sys.pm_seen[i];
	v->cycle = cpu->sys.pm_seen[PMU_CYCLE];
}

static void values_restart(struct dbt_vcpu *cpu, const struct pmu_values *v)
{
	for (unsigned i = 0; i < PMU_N; i++) {
		counter_write(cpu, i, v->ev[i]);
		cpu->sys.pm_seen[i] = v->ev[i];
	}
	counter_write(cpu, PMU_CYCLE, v->cycle);
	cpu->sys.pm_seen[PMU_CYCLE] = v->cycle;
}

static void values_load(struct dbt_vcpu *cpu, const struct pmu_values *v)
{
	values_restart(cpu, v);
	announce(cpu);
}

static void write_and_announce(struct dbt_vcpu *cpu, unsigned n, u64 val)
{
	look_for_overflow(cpu);
	counter_write(cpu, n, val);
	cpu->sys.pm_seen[n] = val;
	announce(cpu);
}

void pmu_set_el(struct dbt_vcpu *cpu, u8 el)
{
	struct pmu_values v;

	if (likely(!cpu->pmu_by_el)) {
		cpu->ps.el = el;
		return;
	}
	values_save(cpu, &v);
	cpu->ps.el = el;
	values_restart(cpu, &v);
}

/* ---- registers ---- */

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

u64 get_pmovs(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	look_for_overflow(cpu);
	return cpu->sys.pmovsset_el0;
}

int set_pmswinc(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	const struct a64_sysregs *sys = &cpu->sys;

	for (unsigned i = 0; i < PMU_N; i++)
		if ((val & BIT(i)) && (sys->pmcr_el0 & PMCR_E) && (sys->pmcntenset_el0 & BIT(i)) &&
		    counter_event(sys, i) == PMU_EV_SW_INCR && !filtered(cpu, i))
			cpu->sys.pmevcntr[i]++;
	pmu_update(cpu);
	return HELPER_NEXT;
}

u64 get_pmccntr(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return counter_read(cpu, PMU_CYCLE);
}

int set_pmccntr(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	write_and_announce(cpu, PMU_CYCLE, val);
	return HELPER_NEXT;
}

static unsigned event_index(const struct sysreg *r)
{
	return r->id & 7; /* PMEVCNTR<n>, PMEVTYPER<n>: n < 8 */
}

static u64 event_read(struct dbt_vcpu *cpu, unsigned n)
{
	if (counter_event(&cpu->sys, n) == PMU_EV_CHAIN)
		look_for_overflow(cpu);
	return counter_read(cpu, n);
}

u64 get_pmevcntr(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return event_read(cpu, event_index(r));
}

int set_pmevcntr(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	write_and_announce(cpu, event_index(r), val);
	return HELPER_NEXT;
}

static void filter_write(struct dbt_vcpu *cpu, u64 *storage, u64 val)
{
	struct pmu_values v;

	values_save(cpu, &v);
	*storage = val;
	values_load(cpu, &v);
}

static void evtyper_write(struct dbt_vcpu *cpu, unsigned n, u64 val)
{
	filter_write(cpu, &cpu->sys.pmevtyper[n], val & PMEVTYPER_MASK);
}

int set_pmccfiltr(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	filter_write(cpu, &cpu->sys.pmccfiltr_el0, val & (FILTER_P | FILTER_U));
	return HELPER_NEXT;
}

int set_pmevtyper(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	evtyper_write(cpu, event_index(r), val);
	return HELPER_NEXT;
}

/* The PMX registers go by PMSELR_EL0.SEL; 31 is the cycle counter, whose count has no alias. */

u64 get_pmxevcntr(struct dbt_vcpu *cpu, const struct sysreg *r)
{
	return cpu->sys.pmselr_el0 < PMU_N ? event_read(cpu, (unsigned)cpu->sys.pmselr_el0) : 0;
}

int set_pmxevcntr(struct dbt_vcpu *cpu, const struct sysreg *r, u64 val)
{
	if (cpu->sys.pmselr_el0 < PMU_N)
		write_and_announce(cpu, (unsigned)cpu->sys.pmselr_el0, val);
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
		filter_write(cpu, &cpu->sys.pmccfiltr_el0, val & (FILTER_P | FILTER_U));
	else if (cpu->sys.pmselr_el0 < PMU_N)
		evtyper_write(cpu, (unsigned)cpu->sys.pmselr_el0, val);
	return HELPER_NEXT;
}

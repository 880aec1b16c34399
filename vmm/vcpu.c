/* SPDX-License-Identifier: MIT */
/*
 * vCPU threads: run guest code, sleep in WFI, answer firmware calls, stop when asked. Whoever knows
 * KVM's run loop knows this one.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "devices/psci.h"
#include "vmm/machine_internal.h"

/* ---- sleeping and waking ---- */

#define SHORT_WAIT_NS	 100000
#define SHORT_WAIT_TURNS 64 /* looks at the clock before others get the host's core */

static void vcpu_wake(struct vcpu *v)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load(&v->sleeping))
		return;
	atomic_fetch_add(&v->wake, 1);
	syscall(SYS_futex, &v->wake, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void vcpu_set_line(void *opaque, unsigned cpu, enum gic_line line, bool level)
{
	struct vcpu *v = &((struct machine *)opaque)->vcpu[cpu];

	/* Lines are low while the machine is put together: there is no CPU to tell yet. */
	if (!v->dbt)
		return;
	dbt_vcpu_set_irq(v->dbt, line == GIC_LINE_IRQ ? DBT_IRQ : DBT_FIQ, level);
	if (level)
		vcpu_wake(v);
}

static bool must_wake(struct vcpu *v)
{
	return dbt_vcpu_has_irq(v->dbt) || atomic_load(&v->requests);
}

void vcpu_pmu_expire(struct vcpu *v)
{
	dbt_vcpu_pmu_expire(v->dbt);
	vcpu_wake(v);
}

/*
 * Until an interrupt is pending (masked or not), a request comes, a timer of this CPU is due, or
 * the clock has reached `limit`.
 */
static void vcpu_sleep(struct vcpu *v, u64 limit)
{
	struct machine *m = v->m;
	u64 until;

	atomic_store(&v->sleeping, 1);
	until = gtimer_sleep_begin(m->timer, v->index);
	if (limit < until)
		until = limit;
	for (;;) {
		u32 seen = atomic_load(&v->wake);
		struct timespec ts, *timeout = NULL;

		atomic_thread_fence(memory_order_seq_cst);
		if (must_wake(v))
			break;
		if (until != GTIMER_NEVER) {
			u64 now = dbt_vm_clock(m->dbt);
			u64 wait = now < until ? until - now : 0;

			if (!wait)
				break;
			ts.tv_sec = (time_t)(wait / 1000000000u);
			ts.tv_nsec = (long)(wait % 1000000000u);
			timeout = &ts;
		}
		syscall(SYS_futex, &v->wake, FUTEX_WAIT_PRIVATE, seen, timeout, NULL, 0);
	}
	atomic_store(&v->sleeping, 0);
	gtimer_sleep_end(m->timer, v->index);
	v->wfi_sleeps++;
}

/*
 * WFI, WFIT. A wait shorter than the host takes to sleep and to wake up is spent awake: Linux's
 * udelay() is a WFIT.
 */
static void vcpu_wait(struct vcpu *v, u64 limit)
{
	struct dbt_vm *vm = v->m->dbt;
	u64 now = dbt_vm_clock(vm);

	if (limit - now > SHORT_WAIT_NS) {
		vcpu_sleep(v, limit);
		return;
	}
	for (unsigned turn = 1; now < limit && !must_wake(v); now = dbt_vm_clock(vm))
		if (turn++ % SHORT_WAIT_TURNS)
			__builtin_ia32_pause();
		else
			sched_yield();
}

/* ---- firmware calls ---- */

static struct vcpu *vcpu_by_mpidr(struct machine *m, u64 mpidr)
{
	u64 aff0 = mpidr & 0xff, index = aff0 + (mpidr >> 8 & 0xff) * 16;

	/* Aff0 and Aff1 only; what MPIDR_EL1 has besides (U, MT, RES1) is no affinity. */
	if (aff0 > 15 || mpidr & 0xff00ff0000ull || index >= m->n_vcpus)
		return NULL;
	return &m->vcpu[index];
}

static s64 op_cpu_on(void *opaque, u64 mpidr, u64 entry, u64 context)
{
	struct machine *m = ((struct vcpu *)opaque)->m;
	struct vcpu *v = vcpu_by_mpidr(m, mpidr);
	s64 ret = PSCI_SUCCESS;

	if (!v)
		return PSCI_INVALID_PARAMETERS;
	if (!guest_slice(&m->mem, GPA(entry), 4))
		return PSCI_INVALID_ADDRESS;
	pthread_mutex_lock(&v->lock);
	if (v->power == VCPU_OFF) {
		v->entry = entry;
		v->context = context;
		v->power = VCPU_ON_PENDING;
		pthread_cond_broadcast(&v->cond);
	} else {
		ret = PSCI_ALREADY_ON; /* nothing shows that it is still pending */
	}
	pthread_mutex_unlock(&v->lock);
	return ret;
}

static s64 op_affinity_info(void *opaque, u64 mpidr)
{
	struct vcpu *v = vcpu_by_mpidr(((struct vcpu *)opaque)->m, mpidr);
	s64 ret;

	if (!v)
		return PSCI_INVALID_PARAMETERS;
	pthread_mutex_lock(&v->lock);
	ret = v->power == VCPU_OFF;
	pthread_mutex_unlock(&v->lock);
	return ret;
}

static void op_system_off(void *opaque)
{
	machine_request(((struct vcpu *)opaque)->m, MACHINE_POWEROFF, 0);
}

static void op_system_reset(void *opaque)
{
	machine_request(((struct vcpu *)opaque)->m, MACHINE_RESET, 0);
}

static void vcpu_power_off(struct vcpu *v)
{
	pthread_mutex_lock(&v->lock);
	v->power = VCPU_OFF;
	pthread_mutex_unlock(&v->lock);
}

static void vcpu_firmware_call(struct vcpu *v)
{
	const struct psci_ops ops = {
		.cpu_on = op_cpu_on,
		.affinity_info = op_affinity_info,
		.system_off = op_system_off,
		.system_reset = op_system_reset,
		.opaque = v,
	};
	enum psci_action action;
	u64 x[4];

	for (unsigned i = 0; i < 4; i++)
		dbt_vcpu_get_reg(v->dbt, (struct dbt_reg){DBT_REG_X, i}, &x[i]);
	action = psci_call(&ops, x);
	for (unsigned i = 0; i < 4; i++)
		dbt_vcpu_set_reg(v->dbt, (struct dbt_reg){DBT_REG_X, i}, &x[i]);
	if (action == PSCI_SUSPEND)
		vcpu_sleep(v, GTIMER_NEVER);
	else if (action == PSCI_CPU_OFF || action == PSCI_SYSTEM)
		vcpu_power_off(v); /* main decides what comes after an off or a reset */
}

/* ---- the thread ---- */

/*
 * Outside guest code: honours requests, waits while off or paused, and takes a CPU_ON. Returns
 * false when the thread must end.
 */
static bool vcpu_settle(struct vcpu *v)
{
	bool stop;

	pthread_mutex_lock(&v->lock);
	for (;;) {
		u32 requests = atomic_load(&v->requests);

		stop = requests & VCPU_REQ_STOP;
		if (stop ||
		    (!(requests & (VCPU_REQ_PAUSE | VCPU_REQ_HOLD)) && v->power != VCPU_OFF))
			break;
		v->parked = true;
		pthread_cond_broadcast(&v->cond);
		pthread_cond_wait(&v->cond, &v->lock);
	}
	v->parked = false;
	if (!stop && v->power == VCPU_ON_PENDING) {
		dbt_vcpu_reset(v->dbt, v->entry, v->context);
		v->power = VCPU_ON;
	}
	pthread_mutex_unlock(&v->lock);
	return !stop;
}

static void vcpu_exit(struct vcpu *v, const struct dbt_exit *e)
{
	switch (e->reason) {
	case DBT_EXIT_KICK: break;
	case DBT_EXIT_WFI: vcpu_wait(v, e->data.wfi.until); break;
	case DBT_EXIT_HVC:
	case DBT_EXIT_SMC: vcpu_firmware_call(v); break;
	case DBT_EXIT_DEBUG: gdbstub_debug_exit(v->m->gdb, v->index, e); break;
	case DBT_EXIT_ERROR:
		error_report("cpu %u: the translator cannot go on at pc %#llx: %s", v->index,
			     (unsigned long long)e->data.error.pc, e->data.error.what);
		machine_request(v->m, MACHINE_HOST_ERROR, 0);
		vcpu_power_off(v);
		break;
	}
}

static void *vcpu_main(void *arg)
{
	struct vcpu *v = arg;
	struct dbt_exit e;

	int err;

	gic_bind_thread(v->index);
	err = sandbox_enter(v->m->vcpu_sandbox);
	if (err) { /* stays, so that it can be paused and joined, but runs nothing */
		error_report("cpu %u: cannot enter the sandbox: %s", v->index, strerror(-err));
		machine_request(v->m, MACHINE_HOST_ERROR, 0);
		vcpu_power_off(v);
	}
	if (!v->index)
		machine_mark("vcpu_start");
	while (vcpu_settle(v)) {
		dbt_vcpu_run(v->dbt, &e);
		vcpu_exit(v, &e);
	}
	return NULL;
}

/* ---- from main ---- */

static void vcpu_request(struct vcpu *v, u32 bits)
{
	atomic_fetch_or(&v->requests, bits);
	dbt_vcpu_kick(v->dbt);
	vcpu_wake(v);
	pthread_mutex_lock(&v->lock);
	pthread_cond_broadcast(&v->cond);
	pthread_mutex_unlock(&v->lock);
}

int vcpus_create(struct machine *m)
{
	unsigned n = m->cfg->machine.cpus;

	m->vcpu = calloc(n, sizeof(*m->vcpu));
	if (!m->vcpu)
		return -ENOMEM;
	m->n_vcpus = n;
	for (unsigned i = 0; i < n; i++) {
		struct vcpu *v = &m->vcpu[i];
		int err;

		v->m = m;
		v->index = i;
		pthread_mutex_init(&v->lock, NULL);
		pthread_cond_init(&v->cond, NULL);
		err = dbt_vcpu_create(m->dbt, i, &v->dbt);
		if (err) {
			error_report("cannot create vCPU %u: %s", i, strerror(-err));
			return err;
		}
	}
	return 0;
}

int vcpus_start(struct machine *m)
{
	for (unsigned i = 0; i < m->n_vcpus; i++) {
		struct vcpu *v = &m->vcpu[i];
		char name[16];
		int err = pthread_create(&v->thread, NULL, vcpu_main, v);

		if (err) {
			error_report("cannot start the thread of vCPU %u: %s", i, strerror(err));
			return -err;
		}
		v->started = true;
		snprintf(name, sizeof(name), "vcpu%u", i);
		pthread_setname_np(v->thread, name);
	}
	return 0;
}

void vcpus_stop(struct machine *m)
{
	for (unsigned i = 0; i < m->n_vcpus; i++)
		if (m->vcpu[i].started)
			vcpu_request(&m->vcpu[i], VCPU_REQ_STOP);
	for (unsigned i = 0; i < m->n_vcpus; i++)
		if (m->vcpu[i].started) {
			pthread_join(m->vcpu[i].thread, NULL);
			m->vcpu[i].started = false;
		}
}

void vcpus_destroy(struct machine *m)
{
	for (unsigned i = 0; i < m->n_vcpus; i++) {
		struct vcpu *v = &m->vcpu[i];

		if (v->dbt)
			dbt_vcpu_destroy(v->dbt);
		v->dbt = NULL;
		pthread_mutex_destroy(&v->lock);
		pthread_cond_destroy(&v->cond);
	}
	free(m->vcpu);
	m->vcpu = NULL;
	m->n_vcpus = 0;
}

void vcpus_pause(struct machine *m)
{
	for (unsigned i = 0; i < m->n_vcpus; i++)
		vcpu_request(&m->vcpu[i], VCPU_REQ_PAUSE);
	for (unsigned i = 0; i < m->n_vcpus; i++) {
		struct vcpu *v = &m->vcpu[i];

		pthread_mutex_lock(&v->lock);
		while (v->started && !v->parked)
			pthread_cond_wait(&v->cond, &v->lock);
		pthread_mutex_unlock(&v->lock);
	}
}

void vcpus_resume(struct machine *m)
{
	for (unsigned i = 0; i < m->n_vcpus; i++) {
		struct vcpu *v = &m->vcpu[i];

		atomic_fetch_and(&v->requests, ~(u32)VCPU_REQ_PAUSE);
		pthread_mutex_lock(&v->lock);
		/* Cleared here too: a pause right after this must not take the old answer. */
		v->parked = false;
		pthread_cond_broadcast(&v->cond);
		pthread_mutex_unlock(&v->lock);
	}
}

void vcpus_reset(struct machine *m)
{
	for (unsigned i = 0; i < m->n_vcpus; i++) {
		struct vcpu *v = &m->vcpu[i];

		pthread_mutex_lock(&v->lock);
		v->power = i ? VCPU_OFF : VCPU_ON_PENDING;
		v->entry = m->layout.entry;
		v->context = m->layout.dtb;
		pthread_mutex_unlock(&v->lock);
	}
}

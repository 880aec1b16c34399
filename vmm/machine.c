/* SPDX-License-Identifier: MIT */
/* A machine put together, paused, reset and taken apart. */
#include "vmm/machine.h"

#include <errno.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "devices/pl011.h"
#include "vmm/machine_internal.h"
#include "vmm/sandbox.h"

/* ---- what vCPUs reach ---- */

static int op_mmio_read(void *opaque, unsigned cpu, gpa_t addr, unsigned size, u64 *val)
{
	return mmio_bus_read(&((struct machine *)opaque)->bus, cpu, addr, size, val);
}

static int op_mmio_write(void *opaque, unsigned cpu, gpa_t addr, unsigned size, u64 val)
{
	return mmio_bus_write(&((struct machine *)opaque)->bus, cpu, addr, size, val);
}

static int op_sysreg_read(void *opaque, unsigned cpu, u32 id, u64 *val)
{
	struct machine *m = opaque;
	int err = gtimer_sysreg_read(m->timer, cpu, id, val);

	return err == -ENOENT ? gic_sysreg_read(m->gic, cpu, id, val) : err;
}

static int op_sysreg_write(void *opaque, unsigned cpu, u32 id, u64 val)
{
	struct machine *m = opaque;
	int err = gtimer_sysreg_write(m->timer, cpu, id, val);

	return err == -ENOENT ? gic_sysreg_write(m->gic, cpu, id, val) : err;
}

static void op_pmu(void *opaque, unsigned cpu, bool level, u64 ns)
{
	struct machine *m = opaque;

	if (!m->pmu_source[cpu]) /* no node in the tree, no interrupt */
		return;
	gic_set_ppi(m->gic, cpu, PMU_PPI, level);
	if (ns != ~0ull)
		event_timer_set(m->pmu_source[cpu], ns);
}

/* ---- requests ---- */

static void request_notified(void *opaque)
{
	event_loop_stop(((struct machine *)opaque)->loop);
}

void machine_request(struct machine *m, enum machine_request request, int detail)
{
	int running = MACHINE_RUNNING;

	if (!atomic_compare_exchange_strong(&m->request, &running, request))
		return;
	atomic_store(&m->request_detail, detail);
	event_notify(m->request_notifier);
}

enum machine_request machine_requested(const struct machine *m)
{
	return (enum machine_request)atomic_load(&m->request);
}

int machine_exit_status(const struct machine *m)
{
	switch (machine_requested(m)) {
	case MACHINE_RESET: return EXIT_STATUS_RESET;
	case MACHINE_PANIC: return EXIT_STATUS_PANIC;
	case MACHINE_SIGNAL: return EXIT_STATUS_SIGNAL + atomic_load(&m->request_detail);
	case MACHINE_HOST_ERROR: return EXIT_STATUS_HOST;
	default: return EXIT_STATUS_OK;
	}
}

/* ---- making ---- */

int machine_add_device(struct machine *m, struct device *dev)
{
	if (m->n_devices == MACHINE_MAX_DEVICES)
		return -ENOSPC;
	m->device[m->n_devices++] = dev;
	return 0;
}

enum sandbox_mode machine_sandbox_mode(const struct machine *m)
{
	static const enum sandbox_mode modes[] = {
		[CONFIG_SANDBOX_ON] = SANDBOX_ON,
		[CONFIG_SANDBOX_LOG] = SANDBOX_LOG,
		[CONFIG_SANDBOX_OFF] = SANDBOX_OFF,
	};

	return modes[m->cfg->sandbox];
}

/* Keys that are understood and checked, with nothing behind them yet. */
static int refuse_unimplemented(const struct machine *m)
{
	if (!strcmp(m->cfg->monitor, "none"))
		return 0;
	error_report("monitor: \"%s\": this version has no QMP monitor", m->cfg->monitor);
	return -ENOTSUP;
}

static int make_tree(struct machine *m)
{
	if (m->cfg->device_tree)
		m->fdt = fdt_load(m->cfg->device_tree);
	else
		m->fdt = fdt_build(m->cfg, m->backend, m->n_backends);
	if (!m->fdt)
		return -EINVAL;
	return fdt_probe_memory(m);
}

static int make_memory(struct machine *m)
{
	int err = guest_mem_add(&m->mem, GPA(m->ram_base), m->cfg->machine.memory);

	if (err)
		error_report("cannot get %llu MiB of memory for the guest: %s",
			     (unsigned long long)(m->cfg->machine.memory >> 20), strerror(-err));
	return err;
}

static int make_translator(struct machine *m)
{
	const struct translator_config *t = &m->cfg->dbt;
	struct dbt_config cfg = {
		.ops =
			{
				.mmio_read = op_mmio_read,
				.mmio_write = op_mmio_write,
				.sysreg_read = op_sysreg_read,
				.sysreg_write = op_sysreg_write,
				.pmu = op_pmu,
				.opaque = m,
			},
		.code_cache_size = t->code_cache,
		.max_vcpus = m->cfg->machine.cpus,
		.gicv3_sysregs = m->cfg->machine.gic == 3,
		.rules = t->rules == CONFIG_RULES_NONE	 ? DBT_RULES_NONE
			 : t->rules == CONFIG_RULES_BASE ? DBT_RULES_BASE
							 : DBT_RULES_LEARNED,
		.no_hoist = !t->hoist,
		.no_chain = !t->chain,
		.no_call_ret = !t->call_ret,
		.no_superblocks = !t->superblocks,
		.no_sp_window = !t->sp_window,
		.no_flag_liveness = !t->flag_liveness,
		.no_lazy_flags = !t->coordination.lazy_flags,
		.no_across_blocks = !t->coordination.across_blocks,
		.no_across_memory = !t->coordination.across_memory,
		.no_define_before_use = !t->coordination.define_before_use,
		.poll_always = !t->coordination.interrupt_checks,
		.count_insns = t->count_insns,
	};
	const char *why = "";
	int err = dbt_vm_create(&cfg, &m->dbt, &why);

	if (err) {
		error_report("cannot set up the translator: %s (%s)", why, strerror(-err));
		return err;
	}
	for (unsigned i = 0; i < m->mem.n; i++) {
		const struct guest_region *r = &m->mem.region[i];

		err = dbt_vm_set_memory(m->dbt, GPA(r->gpa), r->size, r->host);
		if (err) {
			error_report("cannot give guest memory to the translator: %s",
				     strerror(-err));
			return err;
		}
	}
	return vcpus_create(m);
}

/* Kernel, initrd and tree into guest memory; the first CPU ready to enter. */
static int load_guest(struct machine *m)
{
	int err =
		boot_load(&m->images, &m->mem, GPA(m->ram_base), fdt_totalsize(m->fdt), &m->layout);

	if (err)
		return err;
	fdt_set_boot(m->fdt, &m->layout);
	err = guest_write(&m->mem, GPA(m->layout.dtb), m->fdt, fdt_totalsize(m->fdt));
	if (!err)
		vcpus_reset(m);
	return err;
}

static int make_sandboxes(struct machine *m)
{
	const char *why = "";
	int err = sandbox_prepare(&sandbox_vcpu_role, "vcpu", machine_sandbox_mode(m),
				  &m->vcpu_sandbox, &why);

	if (!err)
		err = sandbox_prepare(&sandbox_main_role, "main", machine_sandbox_mode(m),
				      &m->main_sandbox, &why);
	if (err)
		error_report("sandbox: %s: %s", why, strerror(-err));
	return err;
}

int machine_create(const struct vm_config *cfg, struct event_loop *loop, struct machine **out)
{
	struct machine *m = aligned_alloc(_Alignof(struct machine), sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	memset(m, 0, sizeof(*m));
	m->cfg = cfg;
	m->loop = loop;
	m->images.kernel_fd = m->images.initrd_fd = -1;
	m->request_notifier = event_notifier_add(loop, request_notified, m);
	backends_collect(m);
	err = m->request_notifier ? refuse_unimplemented(m) : -errno;
	if (!err)
		err = make_tree(m);
	if (!err)
		err = make_memory(m);
	if (!err)
		err = make_translator(m);
	if (!err)
		err = fdt_probe_devices(m);
	if (!err)
		err = fdt_add_chosen(&m->fdt, cfg);
	if (!err)
		err = boot_open(&cfg->boot, &m->images);
	if (!err)
		err = load_guest(m);
	if (!err)
		err = gdbstub_create(m, cfg->gdb, &m->gdb);
	if (!err)
		err = make_sandboxes(m);
	if (err) {
		machine_destroy(m);
		return err;
	}
	*out = m;
	machine_mark("machine_created");
	return 0;
}

int machine_start(struct machine *m)
{
	int err = vcpus_start(m);

	if (err)
		return err;
	/* Last: threads started later would inherit the filter. */
	err = sandbox_enter(m->main_sandbox);
	if (err)
		error_report("cannot enter the sandbox: %s", strerror(-err));
	return err;
}

/* ---- pausing and ending ---- */

void machine_pause(struct machine *m)
{
	if (m->paused++)
		return;
	vcpus_pause(m);
	for (unsigned i = 0; i < m->n_devices; i++)
		if (m->device[i]->ops->pause)
			m->device[i]->ops->pause(m->device[i]);
}

void machine_resume(struct machine *m)
{
	if (--m->paused)
		return;
	for (unsigned i = m->n_devices; i--;)
		if (m->device[i]->ops->resume)
			m->device[i]->ops->resume(m->device[i]);
	vcpus_resume(m);
}

int machine_reset(struct machine *m)
{
	int err;

	machine_pause(m);
	/* Downwards: a device lowers its line before the interrupt controller forgets. */
	for (unsigned i = m->n_devices; i--;)
		if (m->device[i]->ops->reset)
			m->device[i]->ops->reset(m->device[i]);
	err = load_guest(m);
	if (err)
		return err;
	dbt_vm_flush(m->dbt);
	atomic_store(&m->request, MACHINE_RUNNING);
	machine_resume(m);
	return 0;
}

void machine_stop(struct machine *m)
{
	vcpus_stop(m);
	if (m->serial)
		pl011_flush(m->serial);
	machine_mark("stopped");
}

void machine_destroy(struct machine *m)
{
	if (!m)
		return;
	vcpus_stop(m);
	gdbstub_destroy(m->gdb, (unsigned)machine_exit_status(m));
	for (unsigned i = m->n_devices; i--;)
		m->device[i]->ops->destroy(m->device[i]);
	for (unsigned i = 0; i < CONFIG_MAX_CPUS; i++)
		event_del(m->timer_source[i]);
	for (unsigned i = 0; i < CONFIG_MAX_CPUS; i++)
		event_del(m->pmu_source[i]);
	backends_close(m);
	vcpus_destroy(m);
	if (m->dbt)
		dbt_vm_destroy(m->dbt);
	guest_mem_free(&m->mem);
	boot_close(&m->images);
	free(m->fdt);
	event_del(m->request_notifier);
	sandbox_free(m->main_sandbox);
	sandbox_free(m->vcpu_sandbox);
	free(m);
}

/* SPDX-License-Identifier: MIT */
/*
 * The machine is what its device tree says: every node is either known by its `compatible` and
 * becomes a device, or known to need none, or an error that names it. Works the same on trees of
 * fdt_build and of the user, and trusts neither: fdt_check_full has passed, everything else is
 * checked here.
 */
#include <errno.h>
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "devices/marker.h"
#include "devices/pl011.h"
#include "devices/pl031.h"
#include "devices/pvpanic.h"
#include "vmm/machine_internal.h"
#include "vmm/memory_map.h"

#define VIRTIO_WINDOW 0x200
#define MAX_DEPTH     4

struct probe {
	struct machine *m;
	const void *fdt;
	int node;
	int parent;
	bool first_pass; /* only what others need: interrupt controllers */
	char path[256];
};

static int bad_node(const struct probe *p, const char *why)
{
	error_report("device tree: node %s: %s", p->path, why);
	return -EINVAL;
}

/* ---- properties ---- */

/* The first string of a property, known to end inside it; NULL when there is none. */
static const char *get_string(const void *fdt, int node, const char *name)
{
	return fdt_stringlist_get(fdt, node, name, 0, NULL);
}

static u64 cells_at(const fdt32_t *c, int n)
{
	u64 v = 0;

	while (n--)
		v = v << 32 | fdt32_to_cpu(*c++);
	return v;
}

/* Window `i` of "reg". Only the root and identity-mapped buses are walked, so addresses are CPU's.
 */
static int get_reg(const struct probe *p, unsigned i, u64 *base, u64 *size)
{
	int ac = fdt_address_cells(p->fdt, p->parent), sc = fdt_size_cells(p->fdt, p->parent), len;
	const fdt32_t *reg = fdt_getprop(p->fdt, p->node, "reg", &len);

	if (!reg || ac < 1 || ac > 2 || sc < 1 || sc > 2 ||
	    (u64)len < (u64)(i + 1) * (u64)(ac + sc) * 4)
		return bad_node(p, "its reg property is missing or too short");
	reg += i * (unsigned)(ac + sc);
	*base = cells_at(reg, ac);
	*size = cells_at(reg + ac, sc);
	return 0;
}

/* Interrupt `i` as an INTID of the one GIC. */
static int get_intid(const struct probe *p, unsigned i, unsigned *intid)
{
	int len;
	const fdt32_t *c = fdt_getprop(p->fdt, p->node, "interrupts", &len);
	u32 type, n;

	if (!c || (u64)len < (i + 1) * 12ull)
		return bad_node(p, "its interrupts property is missing or too short");
	type = fdt32_to_cpu(c[3 * i]);
	n = fdt32_to_cpu(c[3 * i + 1]);
	if ((type == 0 && n >= GIC_N_SPIS) || (type == 1 && n >= 16) || type > 1)
		return bad_node(p, "its interrupt is not one the GIC has (SPI 0-255, PPI 0-15)");
	*intid = type ? n + GIC_PPI_BASE : n + GIC_SPI_BASE;
	return 0;
}

static int get_spi(const struct probe *p, struct irq_line *irq)
{
	unsigned intid;
	int err = get_intid(p, 0, &intid);

	if (err)
		return err;
	if (intid < GIC_SPI_BASE)
		return bad_node(p, "its interrupt must be an SPI");
	*irq = gic_spi(p->m->gic, intid - GIC_SPI_BASE);
	return 0;
}

static int add_window(const struct probe *p, struct device *dev, unsigned i, u64 min)
{
	u64 base, size;
	int err = get_reg(p, i, &base, &size);

	if (err)
		return err;
	if (size < min)
		return bad_node(p, "its reg window is too small for the device");
	if (base < p->m->ram_base + p->m->cfg->machine.memory && p->m->ram_base < base + size)
		return bad_node(p, "its reg window overlaps memory");
	switch (mmio_bus_add(&p->m->bus, base, size, dev)) {
	case 0: return 0;
	case -ENOSPC: return bad_node(p, "too many devices");
	default: return bad_node(p, "its reg window is empty or overlaps another device");
	}
}

/* A device with one window; owned by the machine from here on. */
static int add_device(const struct probe *p, struct device *dev, u64 min)
{
	int err = machine_add_device(p->m, dev);

	if (err) {
		dev->ops->destroy(dev);
		return bad_node(p, "too many devices");
	}
	return add_window(p, dev, 0, min);
}

/* ---- interrupt controller and timer ---- */

static int probe_gic(struct probe *p, unsigned version)
{
	struct gic_params params = {
		.version = version,
		.n_cpus = p->m->cfg->machine.cpus,
		.cpu_line = vcpu_set_line,
		.opaque = p->m,
	};
	int err;

	if (p->m->gic)
		return bad_node(p, "a second interrupt controller");
	if (version != p->m->cfg->machine.gic) {
		error_report(
			"device tree: node %s: a GICv%u, but machine.gic is %u: make them equal",
			p->path, version, p->m->cfg->machine.gic);
		return -EINVAL;
	}
	err = gic_create(&params, &p->m->gic);
	if (err)
		return bad_node(p, err == -EINVAL ? "too many CPUs for this GIC" : strerror(-err));
	err = add_device(p, gic_dist_device(p->m->gic), 0x1000);
	if (err)
		return err;
	return add_window(p, gic_cpu_device(p->m->gic), 1,
			  version == 3 ? params.n_cpus * GICV3_REDIST_SIZE : 0x2000);
}

static int probe_gicv3(struct probe *p)
{
	return probe_gic(p, 3);
}

static int probe_gicv2(struct probe *p)
{
	return probe_gic(p, 2);
}

static u64 timer_clock(void *opaque)
{
	return dbt_vm_clock(((struct machine *)opaque)->dbt);
}

static void timer_ppi(void *opaque, unsigned cpu, unsigned intid, bool level)
{
	gic_set_ppi(((struct machine *)opaque)->gic, cpu, intid, level);
}

static void timer_arm(void *opaque, unsigned cpu, u64 ns)
{
	event_timer_set(((struct machine *)opaque)->timer_source[cpu], ns);
}

static void timer_fired(void *opaque)
{
	struct machine_timer_arg *arg = opaque;

	gtimer_expire(arg->m->timer, arg->cpu);
}

static int probe_timer(struct probe *p)
{
	struct machine *m = p->m;
	struct gtimer_params params = {
		.n_cpus = m->cfg->machine.cpus,
		.clock = timer_clock,
		.ppi = timer_ppi,
		.arm = timer_arm,
		.opaque = m,
	};
	unsigned phys, virt;
	int err;

	if (m->timer)
		return bad_node(p, "a second architected timer");
	if (get_intid(p, 1, &phys) || get_intid(p, 2, &virt))
		return -EINVAL;
	if (phys != GTIMER_PPI_PHYS || virt != GTIMER_PPI_VIRT)
		return bad_node(p, "the timers are wired to PPI 14 (physical) and 11 (virtual)");
	for (unsigned i = 0; i < params.n_cpus; i++) {
		m->timer_arg[i] = (struct machine_timer_arg){.m = m, .cpu = i};
		m->timer_source[i] = event_timer_add(m->loop, timer_fired, &m->timer_arg[i]);
		if (!m->timer_source[i])
			return bad_node(p, strerror(errno));
	}
	err = gtimer_create(&params, &m->timer);
	if (err)
		return bad_node(p, strerror(-err));
	return machine_add_device(m, gtimer_device(m->timer));
}

static void pmu_fired(void *opaque)
{
	struct machine_timer_arg *arg = opaque;

	vcpu_pmu_expire(&arg->m->vcpu[arg->cpu]);
}

/* The monitors are the CPU's; a deadline and an interrupt are what the machine has of them. */
static int probe_pmu(struct probe *p)
{
	struct machine *m = p->m;
	unsigned intid;

	if (m->pmu_source[0])
		return bad_node(p, "a second set of performance monitors");
	if (get_intid(p, 0, &intid))
		return -EINVAL;
	if (intid != PMU_PPI)
		return bad_node(p, "the performance monitors are wired to PPI 7 (interrupt 23)");
	for (unsigned i = 0; i < m->cfg->machine.cpus; i++) {
		m->timer_arg[i] = (struct machine_timer_arg){.m = m, .cpu = i};
		m->pmu_source[i] = event_timer_add(m->loop, pmu_fired, &m->timer_arg[i]);
		if (!m->pmu_source[i])
			return bad_node(p, strerror(errno));
	}
	return 0;
}

/* ---- devices ---- */

static void first_output(void *opaque)
{
	machine_mark("first_serial_output");
}

static int probe_pl011(struct probe *p)
{
	struct machine *m = p->m;
	struct pl011_params params = {.loop = m->loop, .first_output = first_output};
	struct backend *b = backend_find(m, "serial");
	const char *id = get_string(p->fdt, p->node, "armature,backend");
	struct device *dev;
	int err = get_spi(p, &params.irq);

	if (err)
		return err;
	if (id && strcmp(id, "serial"))
		return bad_node(p, "armature,backend of a PL011 can only be \"serial\"");
	if (!b->bound) { /* further ports exist and have nobody at the other end */
		b->bound = true;
		err = backend_open_serial(m);
		if (err)
			return err;
		params.chardev = m->serial_chardev;
	}
	err = pl011_create(&params, &dev);
	if (err)
		return bad_node(p, strerror(-err));
	if (params.chardev)
		m->serial = dev;
	return add_device(p, dev, PL011_MMIO_SIZE);
}

static int probe_pl031(struct probe *p)
{
	struct pl031_params params = {.loop = p->m->loop};
	struct device *dev;
	int err = get_spi(p, &params.irq);

	if (err)
		return err;
	err = pl031_create(&params, &dev);
	return err ? bad_node(p, strerror(-err)) : add_device(p, dev, PL031_MMIO_SIZE);
}

static void panicked(void *opaque)
{
	machine_request(opaque, MACHINE_PANIC, 0);
}

static int probe_pvpanic(struct probe *p)
{
	struct pvpanic_params params = {.panicked = panicked, .opaque = p->m};
	struct device *dev;
	int err = pvpanic_create(&params, &dev);

	return err ? bad_node(p, strerror(-err)) : add_device(p, dev, PVPANIC_MMIO_SIZE);
}

static int probe_marker(struct probe *p)
{
	struct device *dev;
	int err = marker_create(machine_mark_guest, &dev);

	return err ? bad_node(p, strerror(-err)) : add_device(p, dev, MARKER_MMIO_SIZE);
}

/* The transport's magic number and a device ID of 0: "nothing here" (virtio 1.2, 4.2.2). */
static int empty_read(struct device *dev, u64 offset, unsigned size, u64 *val)
{
	u64 reg = offset % VIRTIO_WINDOW;

	*val = reg == 0 ? 0x74726976 : reg == 4 ? 2 : 0;
	return 0;
}

static int empty_write(struct device *dev, u64 offset, unsigned size, u64 val)
{
	return 0;
}

static struct device empty_slot = {
	.ops = &(const struct device_ops){.name = "virtio-empty",
					  .version = 1,
					  .mmio_read = empty_read,
					  .mmio_write = empty_write},
	.id = "virtio-empty",
};

/* Without armature,backend a slot takes the next back end that no node asks for by name. */
static struct backend *next_unclaimed(struct machine *m)
{
	for (unsigned i = 0; i < m->n_backends; i++) {
		struct backend *b = &m->backend[i];

		if (b->kind != BACKEND_SERIAL && !b->bound && !b->claimed)
			return b;
	}
	return NULL;
}

static int probe_virtio(struct probe *p)
{
	const char *id = get_string(p->fdt, p->node, "armature,backend");
	struct backend *b = id ? backend_find(p->m, id) : next_unclaimed(p->m);
	struct irq_line irq;
	struct device *dev;
	int err;

	if (id && (!b || b->kind == BACKEND_SERIAL)) {
		error_report("device tree: node %s: armature,backend \"%s\" is no drive, network, "
			     "console or rng of the configuration",
			     p->path, id);
		return -EINVAL;
	}
	if (!b)
		return add_window(p, &empty_slot, 0, VIRTIO_WINDOW);
	if (b->bound)
		return bad_node(p, "its armature,backend is bound to another node already");
	b->bound = true;
	err = get_spi(p, &irq);
	if (!err)
		err = backend_create_virtio(p->m, b, &irq, &dev);
	return err ? err : add_device(p, dev, VIRTIO_WINDOW);
}

static int probe_psci(struct probe *p)
{
	const char *method = get_string(p->fdt, p->node, "method");

	if (!method || (strcmp(method, "hvc") && strcmp(method, "smc")))
		return bad_node(p, "its method must be \"hvc\" or \"smc\"");
	return 0;
}

static int probe_nothing(struct probe *p)
{
	return 0;
}

static int probe_bus(struct probe *p);

static const struct {
	const char *compatible;
	int (*probe)(struct probe *p);
	bool first; /* others need it: probed in a pass of its own */
} drivers[] = {
	{"arm,gic-v3", probe_gicv3, true},	  {"arm,cortex-a15-gic", probe_gicv2, true},
	{"arm,gic-400", probe_gicv2, true},	  {"arm,armv8-timer", probe_timer, false},
	{"arm,pl011", probe_pl011, false},	  {"arm,pl031", probe_pl031, false},
	{"virtio,mmio", probe_virtio, false},	  {"arm,psci-1.0", probe_psci, false},
	{"arm,psci-0.2", probe_psci, false},	  {"qemu,pvpanic-mmio", probe_pvpanic, false},
	{"armature,marker", probe_marker, false}, {"fixed-clock", probe_nothing, false},
	{"simple-bus", probe_bus, false},	  {"arm,armv8-pmuv3", probe_pmu, false},
};

/* Nodes that describe no device, by name without the unit address. */
static const char *const passive[] = {"chosen", "aliases", "cpus", "memory", "reserved-memory"};

static bool is_passive(const char *name)
{
	size_t len = strcspn(name, "@");

	for (size_t i = 0; i < ARRAY_SIZE(passive); i++)
		if (strlen(passive[i]) == len && !memcmp(passive[i], name, len))
			return true;
	return false;
}

static int unknown(const struct probe *p)
{
	const char *compatible = get_string(p->fdt, p->node, "compatible");

	error_report(
		"device tree: node %s (compatible \"%s\"): armature has no such device; delete "
		"the node or set its status to \"disabled\"",
		p->path, compatible ? compatible : "");
	return -EINVAL;
}

static int probe_node(struct probe *p)
{
	const char *status = get_string(p->fdt, p->node, "status");

	if (status && strcmp(status, "okay") && strcmp(status, "ok"))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		if (fdt_node_check_compatible(p->fdt, p->node, drivers[i].compatible))
			continue;
		if (drivers[i].first == p->first_pass || drivers[i].probe == probe_bus)
			return drivers[i].probe(p);
		return 0;
	}
	return p->first_pass || is_passive(fdt_get_name(p->fdt, p->node, NULL)) ? 0 : unknown(p);
}

static int probe_children(struct machine *m, int parent, bool first_pass)
{
	struct probe p = {.m = m, .fdt = m->fdt, .parent = parent, .first_pass = first_pass};
	int err;

	fdt_for_each_subnode(p.node, p.fdt, parent)
	{
		if (fdt_get_path(p.fdt, p.node, p.path, sizeof(p.path)))
			snprintf(p.path, sizeof(p.path), "(at offset %d)", p.node);
		err = probe_node(&p);
		if (err)
			return err;
	}
	return 0;
}

static int probe_bus(struct probe *p)
{
	int len;

	if (fdt_first_subnode(p->fdt, p->node) < 0)
		return 0;
	if (!fdt_getprop(p->fdt, p->node, "ranges", &len) || len)
		return bad_node(p, "only buses with an empty ranges property are supported");
	if (fdt_node_depth(p->fdt, p->node) > MAX_DEPTH)
		return bad_node(p, "buses are nested too deeply");
	return probe_children(p->m, p->node, p->first_pass);
}

/* What nodes ask for by name is not given to others. */
static int claim_backends(struct machine *m)
{
	int node = -1;

	while ((node = fdt_next_node(m->fdt, node, NULL)) >= 0) {
		const char *id = get_string(m->fdt, node, "armature,backend");
		struct backend *b = id ? backend_find(m, id) : NULL;

		if (b)
			b->claimed = true;
	}
	return 0;
}

/*
 * On our own board the windows without a device answer as on QEMU's, though the tree names none of
 * them, which spares Linux the probing: test suites look at the first, whatever is behind it.
 */
static int add_empty_slots(struct machine *m)
{
	unsigned used = 0;

	if (m->cfg->device_tree)
		return 0;
	for (unsigned i = 0; i < m->n_backends; i++)
		used += m->backend[i].kind != BACKEND_SERIAL;
	if (used >= CONFIG_MAX_VIRTIO)
		return 0;
	return mmio_bus_add(&m->bus, MAP_VIRTIO + used * MAP_VIRTIO_STEP,
			    (CONFIG_MAX_VIRTIO - used) * MAP_VIRTIO_STEP, &empty_slot);
}

int fdt_probe_devices(struct machine *m)
{
	int err = claim_backends(m);

	if (!err)
		err = probe_children(m, 0, true);
	if (!err && !m->gic) {
		error_report("device tree: no interrupt controller (arm,gic-v3 or arm,gic-400)");
		err = -EINVAL;
	}
	if (!err)
		err = probe_children(m, 0, false);
	if (!err && !m->timer) {
		error_report("device tree: no architected timer (arm,armv8-timer)");
		err = -EINVAL;
	}
	if (!err)
		err = add_empty_slots(m);
	for (unsigned i = 0; !err && i < m->n_backends; i++) {
		/* A tree without a serial port is a machine without one. */
		if (m->backend[i].bound || m->backend[i].kind == BACKEND_SERIAL)
			continue;
		error_report("device tree: no virtio,mmio node is left for \"%s\"",
			     m->backend[i].id);
		err = -EINVAL;
	}
	return err;
}

/* ---- memory and CPUs ---- */

static int count_cpus(struct machine *m)
{
	int cpus = fdt_path_offset(m->fdt, "/cpus"), node;
	unsigned n = 0;

	fdt_for_each_subnode(node, m->fdt, cpus)
	{
		const char *type = get_string(m->fdt, node, "device_type");

		n += type && !strcmp(type, "cpu");
	}
	if (n == m->cfg->machine.cpus)
		return 0;
	error_report("device tree: %u CPUs under /cpus, but machine.cpus is %u: make them equal", n,
		     m->cfg->machine.cpus);
	return -EINVAL;
}

int fdt_probe_memory(struct machine *m)
{
	struct probe p = {.m = m, .fdt = m->fdt, .node = -1, .parent = 0};
	const char *type;
	u64 base, size;
	int node;

	fdt_for_each_subnode(node, m->fdt, 0)
	{
		type = get_string(m->fdt, node, "device_type");
		if (!type || strcmp(type, "memory"))
			continue;
		if (p.node >= 0) {
			fdt_get_path(m->fdt, node, p.path, sizeof(p.path));
			return bad_node(&p, "only one memory node is supported");
		}
		p.node = node;
	}
	if (p.node < 0) {
		error_report("device tree: no memory node");
		return -EINVAL;
	}
	fdt_get_path(m->fdt, p.node, p.path, sizeof(p.path));
	if (get_reg(&p, 0, &base, &size))
		return -EINVAL;
	if (size != m->cfg->machine.memory || base & 0x1fffff) {
		error_report("device tree: node %s: %" PRIu64 " MiB at %#" PRIx64
			     ", but machine.memory is %" PRIu64
			     " MiB: make them equal, at an address that is a multiple of 2 MiB",
			     p.path, size >> 20, base, m->cfg->machine.memory >> 20);
		return -EINVAL;
	}
	m->ram_base = base;
	return count_cpus(m);
}

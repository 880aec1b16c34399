/* SPDX-License-Identifier: MIT */
/* Shared by the files of vmm/ that make up a machine. */
#ifndef ARMATURE_MACHINE_INTERNAL_H
#define ARMATURE_MACHINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/guest_mem.h"
#include "common/sandbox.h"
#include "dbt/dbt.h"
#include "devices/chardev.h"
#include "devices/gic.h"
#include "devices/timer.h"
#include "vmm/boot.h"
#include "vmm/gdbstub.h"
#include "vmm/machine.h"
#include "vmm/mmio_bus.h"

#define MACHINE_MAX_DEVICES 64
#define PMU_PPI		    23 /* the performance monitors' interrupt, as in QEMU's virt */

/* The host's half of a device, made from the configuration; a node of the tree binds to it by id.
 */
enum backend_kind { BACKEND_SERIAL, BACKEND_DRIVE, BACKEND_NETWORK, BACKEND_CONSOLE, BACKEND_RNG };

struct backend {
	enum backend_kind kind;
	const char *id;
	unsigned index; /* into the configuration's array of that kind */
	bool claimed;	/* a node names it */
	bool bound;	/* a device has it */
};

#define MACHINE_MAX_BACKENDS (CONFIG_MAX_VIRTIO + 1)
#define MACHINE_MAX_CHARDEVS (1 + CONFIG_MAX_CONSOLES * (1 + CONFIG_MAX_PORTS))

enum vcpu_power { VCPU_OFF, VCPU_ON_PENDING, VCPU_ON };

struct vcpu {
	struct machine *m;
	unsigned index;
	pthread_t thread;
	bool started;
	struct dbt_vcpu *dbt;
	/*
	 * Sleep in WFI: the sleeper announces itself, then looks for interrupts and requests once
	 * more; a waker makes its change, then looks for a sleeper. Sequentially consistent on both
	 * sides.
	 */
	_Atomic u32 sleeping;
	_Atomic u32 wake;     /* futex */
	_Atomic u32 requests; /* VCPU_REQ_* */
	u64 wfi_sleeps;

	pthread_mutex_t lock; /* all below */
	pthread_cond_t cond;
	enum vcpu_power power;
	u64 entry, context; /* of ON_PENDING */
	bool parked;	    /* out of guest code, waits for the end of a pause */
};

#define VCPU_REQ_STOP  BIT(0)
#define VCPU_REQ_PAUSE BIT(1)
#define VCPU_REQ_HOLD  BIT(2) /* gdb wants this one to stand still while others run */

struct machine_timer_arg {
	struct machine *m;
	unsigned cpu;
};

struct machine {
	const struct vm_config *cfg;
	struct event_loop *loop;
	struct event_source *request_notifier;
	_Atomic int request; /* enum machine_request */
	_Atomic int request_detail;
	unsigned paused; /* nesting */

	struct guest_mem mem;
	struct dbt_vm *dbt;
	struct mmio_bus bus;
	struct gic *gic;
	unsigned gic_version;
	struct gtimer *timer;
	struct event_source *timer_source[CONFIG_MAX_CPUS];
	struct machine_timer_arg timer_arg[CONFIG_MAX_CPUS];
	struct event_source *pmu_source[CONFIG_MAX_CPUS]; /* NULL: no performance monitors */
	struct device *serial;
	struct chardev *serial_chardev;
	unsigned n_chardevs;
	struct chardev *chardev[MACHINE_MAX_CHARDEVS]; /* all, to be closed at the end */

	unsigned n_devices;
	struct device *device[MACHINE_MAX_DEVICES]; /* in order of creation; reset, save, destroy */
	unsigned n_backends;
	struct backend backend[MACHINE_MAX_BACKENDS];

	unsigned n_vcpus;
	struct vcpu *vcpu;

	u64 ram_base;
	void *fdt; /* malloc'd, what the guest gets */
	struct boot_images images;
	struct boot_layout layout;

	struct gdbstub *gdb;			     /* NULL: none */
	struct sandbox *main_sandbox, *vcpu_sandbox; /* NULL: none */
};

/* ---- backends.c ---- */
/* Fills m->backend from the configuration. */
void backends_collect(struct machine *m);
struct backend *backend_find(struct machine *m, const char *id);
/* Makes the virtio device in front of `b`. 0, or -errno after a message. */
int backend_create_virtio(struct machine *m, struct backend *b, const struct irq_line *irq,
			  struct device **out);
/* Opens the chardev of the PL011. 0, or -errno after a message. */
int backend_open_serial(struct machine *m);
/* Closes every chardev; no device uses one any more. */
void backends_close(struct machine *m);

/* ---- fdt_build.c ---- */
/* The tree of a configuration, in malloc'd memory with room to grow; NULL when out of memory. */
void *fdt_build(const struct vm_config *cfg, const struct backend *backends, unsigned n);
/* The user's tree, likewise. NULL after a message. */
void *fdt_load(const char *path);
/*
 * Gives the tree its /chosen properties, with room for what fdt_set_boot knows later, and packs it.
 * *fdt may move. 0, or -errno after a message.
 */
int fdt_add_chosen(void **fdt, const struct vm_config *cfg);
/* Addresses of the initrd and fresh seeds. Changes no size. */
void fdt_set_boot(void *fdt, const struct boot_layout *layout);

/* ---- fdt_probe.c ---- */
/* Memory and CPUs of a tree; they must agree with the configuration. 0, or -errno after a message.
 */
int fdt_probe_memory(struct machine *m);
/* Every device of the tree. 0, or -errno after a message that names the node. */
int fdt_probe_devices(struct machine *m);

/* ---- machine.c ---- */
/* Registers a device for reset, save and destruction. 0 or -ENOSPC. */
int machine_add_device(struct machine *m, struct device *dev);

/* The configuration's word as common/sandbox.h has it. */
enum sandbox_mode machine_sandbox_mode(const struct machine *m);

/* ---- vcpu.c ---- */
/* Makes the dbt vCPUs, off but for the first. 0, or -errno after a message. */
int vcpus_create(struct machine *m);
int vcpus_start(struct machine *m);
/* Ends and joins the threads. */
void vcpus_stop(struct machine *m);
void vcpus_destroy(struct machine *m);
/* Returns when every vCPU is out of guest code; until _resume. */
void vcpus_pause(struct machine *m);
void vcpus_resume(struct machine *m);
/* Paused: all off but the first, which starts at the boot entry. */
void vcpus_reset(struct machine *m);
/* gic's cpu_line; opaque is the machine. */
/* Any thread: what dbt_ops.pmu asked for has come. */
void vcpu_pmu_expire(struct vcpu *v);
void vcpu_set_line(void *opaque, unsigned cpu, enum gic_line line, bool level);

#endif

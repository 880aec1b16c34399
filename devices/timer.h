/* SPDX-License-Identifier: MIT */
/*
 * The generic timers of every CPU: the EL1 virtual and physical timer (DDI 0487, D11). The counter
 * itself, CNTFRQ and CNTKCTL live in the translator; both timers compare with the same count,
 * nanoseconds since the machine was made.
 *
 * A vCPU that runs gets its deadline from the main loop (the arm callback); one that sleeps in
 * WFI waits for it by itself and tells so with gtimer_sleep_begin/end.
 */
#ifndef ARMATURE_TIMER_H
#define ARMATURE_TIMER_H

#include "devices/device.h"

#define GTIMER_PPI_VIRT 27 /* INTIDs */
#define GTIMER_PPI_PHYS 30
#define GTIMER_NEVER	(~0ull)

struct gtimer;

struct gtimer_params {
	unsigned n_cpus;
	u64 (*clock)(void *opaque); /* the count now */
	void (*ppi)(void *opaque, unsigned cpu, unsigned intid, bool level);
	/* Call gtimer_expire(cpu) in `ns` nanoseconds, instead of what was asked before. */
	void (*arm)(void *opaque, unsigned cpu, u64 ns);
	void *opaque;
};

/* 0 or -errno. */
int gtimer_create(const struct gtimer_params *params, struct gtimer **out);
struct device *gtimer_device(struct gtimer *t); /* no MMIO window: reset, save, load, destroy */

/* CNTV_* and CNTP_* of a CPU. 0, or -ENOENT: not one of ours. Any thread. */
int gtimer_sysreg_read(struct gtimer *t, unsigned cpu, u32 id, u64 *val);
int gtimer_sysreg_write(struct gtimer *t, unsigned cpu, u32 id, u64 val);

/* What arm() asked for has come. Any thread. */
void gtimer_expire(struct gtimer *t, unsigned cpu);

/*
 * The CPU stops running: the count at which it must look again, GTIMER_NEVER if none. Until _end
 * the main loop is not asked. _end raises what has become due.
 */
u64 gtimer_sleep_begin(struct gtimer *t, unsigned cpu);
void gtimer_sleep_end(struct gtimer *t, unsigned cpu);

#endif

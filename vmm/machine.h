/* SPDX-License-Identifier: MIT */
/*
 * A machine: guest memory, the translator, the devices of its device tree, vCPU threads. Made, run
 * and taken apart by one thread (main), which also runs the event loop in between.
 */
#ifndef ARMATURE_MACHINE_H
#define ARMATURE_MACHINE_H

#include <stdio.h>

#include "common/event_loop.h"
#include "config/config.h"

struct machine;

/* Why a machine stopped; machine_exit_status() maps it to the process's exit status. */
enum machine_request {
	MACHINE_RUNNING,
	MACHINE_POWEROFF,   /* the guest's SYSTEM_OFF */
	MACHINE_RESET,	    /* the guest's SYSTEM_RESET */
	MACHINE_PANIC,	    /* the guest told pvpanic */
	MACHINE_QUIT,	    /* Ctrl-A x */
	MACHINE_SIGNAL,	    /* SIGINT, SIGTERM, SIGHUP */
	MACHINE_HOST_ERROR, /* the translator or a thread cannot go on; reported already */
};

/* Exit statuses of `armature run`; documented in docs/config.md and the man page. */
enum exit_status {
	EXIT_STATUS_OK = 0,	  /* the guest powered off, or the user left with Ctrl-A x */
	EXIT_STATUS_HOST = 1,	  /* the host refused something, or the translator failed */
	EXIT_STATUS_CONFIG = 2,	  /* command line or configuration; nothing was started */
	EXIT_STATUS_RESET = 3,	  /* the guest asked for a reset (machine.on_reset = "exit") */
	EXIT_STATUS_PANIC = 4,	  /* the guest reported a panic */
	EXIT_STATUS_SIGNAL = 128, /* plus the number of the signal that ended it */
};

/*
 * Makes the machine of `cfg`, which stays the caller's and unchanged, and everything the kernel
 * needs in guest memory; no vCPU runs yet. 0, or -errno after a message.
 */
int machine_create(const struct vm_config *cfg, struct event_loop *loop, struct machine **out);
/* Starts the vCPU threads and binds the calling thread to its sandbox. 0, or -errno after a
 * message. */
int machine_start(struct machine *m);
/* Stops and joins the vCPUs; devices have sent what they buffered. The machine can be inspected,
 * not started again. */
void machine_stop(struct machine *m);
void machine_destroy(struct machine *m);

/*
 * Any thread: asks for an end; the first request wins and stops the event loop. `detail` is the
 * signal number of MACHINE_SIGNAL.
 */
void machine_request(struct machine *m, enum machine_request request, int detail);
enum machine_request machine_requested(const struct machine *m);
int machine_exit_status(const struct machine *m);

/* All vCPUs out of guest code and devices quiet, until machine_resume. Pauses nest. Main thread. */
void machine_pause(struct machine *m);
void machine_resume(struct machine *m);
/* After MACHINE_RESET: as after machine_create, vCPUs running again. 0, or -errno after a message.
 */
int machine_reset(struct machine *m);

/*
 * Boot time marks for --stats: nanoseconds since the process started. `name` must outlive the
 * process (a literal); any thread. Marks beyond the table's size are dropped.
 */
void machine_mark(const char *name);
void machine_mark_guest(u32 number);
/* All counters as one JSON object. Main thread; the vCPUs have stopped. */
void machine_write_stats(struct machine *m, FILE *f);
void machine_write_profile(struct machine *m, FILE *f); /* see dbt/profile.h */

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The machine as a target of gdb ("gdb": "tcp:PORT" or "unix:PATH"): one client at a time, on the
 * main thread. A client stops all vCPUs by coming and lets them go on by leaving.
 */
#ifndef ARMATURE_GDBSTUB_H
#define ARMATURE_GDBSTUB_H

#include "common/types.h"

struct machine;
struct gdbstub;
struct dbt_exit;

/* Listens. *out is NULL for "none". Before the main thread's sandbox. 0, or -errno after a message.
 */
int gdbstub_create(struct machine *m, const char *spec, struct gdbstub **out);
/* NULL is ignored. The machine's vCPUs have stopped for good; a client is told so. */
void gdbstub_destroy(struct gdbstub *s, unsigned exit_status);
/* On the thread of vCPU `cpu`, whose run ended with DBT_EXIT_DEBUG: the vCPU is on hold from here.
 */
void gdbstub_debug_exit(struct gdbstub *s, unsigned cpu, const struct dbt_exit *e);

#endif

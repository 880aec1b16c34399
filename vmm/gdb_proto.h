/* SPDX-License-Identifier: MIT */
/*
 * The GDB remote serial protocol, stub side: packets in, packets out, all-stop, one thread a vCPU
 * (thread N is vCPU N-1). Knows no socket and no machine: they are behind struct gdb_ops, so that
 * tests drive it with bytes. One thread.
 */
#ifndef ARMATURE_GDB_PROTO_H
#define ARMATURE_GDB_PROTO_H

#include "config/config.h"
#include "dbt/dbt.h"

#define GDB_PACKET_MAX	    0x4000
#define GDB_MAX_BREAKPOINTS 256
#define GDB_MAX_WATCHPOINTS 32

enum gdb_action { GDB_HALT, GDB_CONTINUE, GDB_STEP };

struct gdb_ops {
	/* vCPUs are stopped. 0 or -errno; `val` is 16 bytes for DBT_REG_V, else 8. */
	int (*reg_get)(void *opaque, unsigned cpu, struct dbt_reg reg, void *val);
	int (*reg_set)(void *opaque, unsigned cpu, struct dbt_reg reg, const void *val);
	/* Bytes done. */
	u64 (*peek)(void *opaque, unsigned cpu, u64 va, void *buf, u64 len);
	u64 (*poke)(void *opaque, unsigned cpu, u64 va, const void *buf, u64 len);
	int (*set_breakpoints)(void *opaque, const u64 *va, unsigned n);
	int (*set_watchpoints)(void *opaque, const struct dbt_watchpoint *w, unsigned n);
	/* One action a vCPU; gdb_stopped() when one of them stops. */
	void (*resume)(void *opaque, const enum gdb_action *action);
	/* Ctrl-C: calls gdb_stopped(). */
	void (*interrupt)(void *opaque);
	void (*kill)(void *opaque);
	void (*send)(void *opaque, const void *buf, size_t len);
};

struct gdb {
	const struct gdb_ops *ops;
	void *opaque;
	unsigned n_cpus;

	bool running; /* resumed by the client, no stop reported since */
	bool no_ack;
	bool bp_dirty, watch_dirty; /* not yet told to set_breakpoints, set_watchpoints */
	unsigned cpu;		    /* g, m, ... are about it */
	unsigned stop_cpu;	    /* of the last stop, and its signal */
	unsigned stop_signal;
	const char *stop_watch; /* "watch" ..., with its address; NULL: another reason */
	u64 stop_va;
	unsigned n_bp;
	struct {
		u64 va;
		char type; /* '0' or '1' */
	} bp[GDB_MAX_BREAKPOINTS];
	unsigned n_watch;
	struct dbt_watchpoint watch[GDB_MAX_WATCHPOINTS];

	enum { GDB_IDLE, GDB_DATA, GDB_SUM1, GDB_SUM2 } state;
	unsigned n_in;
	bool overflow;
	char sum[2];
	char in[GDB_PACKET_MAX + 1];
	unsigned n_out; /* of the reply being built, after its '$' */
	char out[GDB_PACKET_MAX + 8];
};

/* A client has come; all vCPUs are stopped. */
void gdb_attach(struct gdb *g, const struct gdb_ops *ops, void *opaque, unsigned n_cpus);
/* Bytes from the client. */
void gdb_receive(struct gdb *g, const void *buf, size_t len);
/* A running machine has stopped as a whole, because of `cpu`. */
void gdb_stopped(struct gdb *g, unsigned cpu, unsigned signal);
/* Likewise, before `cpu` accesses the watched byte at `va`. */
void gdb_stopped_watch(struct gdb *g, unsigned cpu, u64 va);
/* The machine is at its end. */
void gdb_exited(struct gdb *g, unsigned status);

/* The target description, a NUL-terminated document. */
extern const char gdb_target_xml[];

#endif

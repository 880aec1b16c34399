/* SPDX-License-Identifier: MIT */
/*
 * Allow-lists of system calls, one for every kind of thread. A list stands in the file of the
 * code that needs it; here is what turns a list into a filter and a violation into a message.
 *
 * A filter is compiled by sandbox_prepare() on the creating thread (it allocates and opens) and
 * entered by sandbox_enter() on the thread itself, which makes two system calls and no more.
 * Threads started later inherit it: start device and vCPU threads before the main thread enters.
 */
#ifndef ARMATURE_SANDBOX_H
#define ARMATURE_SANDBOX_H

#include <seccomp.h>

#include "common/types.h"

enum sandbox_mode {
	SANDBOX_ON,  /* a violation is reported and kills the process */
	SANDBOX_LOG, /* a violation is reported (at most 10 a second) and carried out */
	SANDBOX_OFF,
};

#define SANDBOX_MAX_ARGS 3

/* One system call, allowed if all `nargs` comparisons hold. Several rules may name one call. */
struct sandbox_rule {
	int nr;
	int deny; /* 0: allowed; an errno: fails with it, for code that has a way around */
	unsigned nargs;
	struct scmp_arg_cmp arg[SANDBOX_MAX_ARGS];
};

/*
 * SANDBOX_ALLOW(read), SANDBOX_ALLOW(mmap, SANDBOX_ARG_CLEAR(2, PROT_EXEC)), ... Comparisons look
 * at the low 32 bits only, as the kernel does for the int arguments they are meant for.
 */
#define SANDBOX_ALLOW(call, ...) SANDBOX_DENY(call, 0, __VA_ARGS__)
#define SANDBOX_DENY(call, err, ...)                                    \
	{                                                               \
		.nr = SCMP_SYS(call), .deny = (err),                    \
		.nargs = sizeof((struct scmp_arg_cmp[]){__VA_ARGS__}) / \
			 sizeof(struct scmp_arg_cmp),                   \
		.arg = {__VA_ARGS__},                                   \
	}
#define SANDBOX_ARG_IS(n, v)                                   \
	{                                                      \
		(n), SCMP_CMP_MASKED_EQ, 0xffffffffu, (u32)(v) \
	}
#define SANDBOX_ARG_CLEAR(n, bits)                 \
	{                                          \
		(n), SCMP_CMP_MASKED_EQ, (bits), 0 \
	}

/* A kind of thread and what it may do; a device thread gets the rules all of them need on top. */
struct sandbox_role {
	const char *name;
	const struct sandbox_rule *rules;
	size_t nrules;
	bool device;
	/*
	 * Optional: files such a thread may open for reading, NULL at the end, enforced by
	 * Landlock. Without this no list should hold openat.
	 */
	const char *const *read_files;
};

/* What the main loop of every device thread needs (devices/virtio/worker.c). */
extern const struct sandbox_role sandbox_device_role;

struct sandbox;

/*
 * Compiles `role` for a thread shown as `thread` in messages. *out is NULL for SANDBOX_OFF.
 * 0, or a negative errno with *err a static sentence. The first call with SANDBOX_LOG starts the
 * reporting thread, so it must come before any filter is entered.
 */
int sandbox_prepare(const struct sandbox_role *role, const char *thread, enum sandbox_mode mode,
		    struct sandbox **out, const char **err);
/* Binds the calling thread for good. `sb` may be NULL (no sandbox). 0 or a negative errno. */
int sandbox_enter(struct sandbox *sb);
void sandbox_free(struct sandbox *sb);

/* Name of an x86-64 system call, or "?". Async-signal-safe. */
const char *sandbox_syscall_name(int nr);

#endif

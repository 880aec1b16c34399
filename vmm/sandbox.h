/* SPDX-License-Identifier: MIT */
/* Per-thread system-call filters: every thread installs its own before it touches guest data. */
#ifndef ARMATURE_SANDBOX_H
#define ARMATURE_SANDBOX_H

enum sandbox_mode {
	SANDBOX_ON,  /* a forbidden call kills the process; thread and call are named on stderr */
	SANDBOX_LOG, /* reported, and let through */
	SANDBOX_OFF,
};

/*
 * Installs the allow-list of `thread_role` ("main", "vcpu", "virtio-blk", ...) on the calling
 * thread. Irrevocable. 0, or a negative errno: -ENOENT for a role without a list.
 */
int sandbox_enter(const char *thread_role, enum sandbox_mode mode);

#endif

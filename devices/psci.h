/* SPDX-License-Identifier: MIT */
/*
 * The firmware calls a guest makes by HVC or SMC: PSCI 1.1 (DEN 0022) and SMCCC 1.1 discovery
 * (DEN 0028). Stateless: what CPUs are on is the machine's business, asked through the operations.
 */
#ifndef ARMATURE_PSCI_H
#define ARMATURE_PSCI_H

#include "common/types.h"

enum psci_error {
	PSCI_SUCCESS = 0,
	PSCI_NOT_SUPPORTED = -1,
	PSCI_INVALID_PARAMETERS = -2,
	PSCI_DENIED = -3,
	PSCI_ALREADY_ON = -4,
	PSCI_INTERNAL_FAILURE = -6,
	PSCI_INVALID_ADDRESS = -9,
};

/* All on the calling vCPU's thread. */
struct psci_ops {
	/* PSCI_SUCCESS, _INVALID_PARAMETERS (no such CPU), or _ALREADY_ON. */
	s64 (*cpu_on)(void *opaque, u64 mpidr, u64 entry, u64 context);
	/* 0 on, 1 off, or PSCI_INVALID_PARAMETERS. */
	s64 (*affinity_info)(void *opaque, u64 mpidr);
	void (*system_off)(void *opaque);
	void (*system_reset)(void *opaque);
	void *opaque;
};

enum psci_action {
	PSCI_DONE,    /* x0-x3 hold the answer */
	PSCI_SUSPEND, /* x0 holds the answer; sleep as in WFI first */
	PSCI_CPU_OFF, /* the CPU stops until cpu_on */
	PSCI_SYSTEM,  /* off or reset was asked for: the CPU runs no more */
};

/* One call: x[0] is the function, x[1..] its arguments; answers in x[0..3]. */
enum psci_action psci_call(const struct psci_ops *ops, u64 x[4]);

#endif

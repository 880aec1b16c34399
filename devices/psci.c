/* SPDX-License-Identifier: MIT */
#include "devices/psci.h"

#include "common/log.h"

#define CALL64 0x40000000u /* set in the 64-bit form of a function id */

enum {
	PSCI_VERSION = 0x84000000,
	PSCI_CPU_SUSPEND = 0x84000001,
	PSCI_CPU_OFF_FN = 0x84000002,
	PSCI_CPU_ON = 0x84000003,
	PSCI_AFFINITY_INFO = 0x84000004,
	PSCI_MIGRATE_INFO_TYPE = 0x84000006,
	PSCI_SYSTEM_OFF = 0x84000008,
	PSCI_SYSTEM_RESET = 0x84000009,
	PSCI_FEATURES = 0x8400000a,
	PSCI_SYSTEM_RESET2 = 0x84000012,
	SMCCC_VERSION = 0x80000000,
	SMCCC_ARCH_FEATURES = 0x80000001,
	SMCCC_ARCH_WORKAROUND_3 = 0x80003fff,
	SMCCC_ARCH_WORKAROUND_2 = 0x80007fff,
	SMCCC_ARCH_WORKAROUND_1 = 0x80008000,
};

/* Of the function as named in PSCI_FEATURES' argument: flags, or not supported. */
static s64 features(u32 fn)
{
	switch (fn) {
	case SMCCC_VERSION:
	case PSCI_VERSION:
	case PSCI_CPU_SUSPEND: /* original state-id format, no OS-initiated mode */
	case PSCI_CPU_SUSPEND | CALL64:
	case PSCI_CPU_OFF_FN:
	case PSCI_CPU_ON:
	case PSCI_CPU_ON | CALL64:
	case PSCI_AFFINITY_INFO:
	case PSCI_AFFINITY_INFO | CALL64:
	case PSCI_MIGRATE_INFO_TYPE:
	case PSCI_SYSTEM_OFF:
	case PSCI_SYSTEM_RESET:
	case PSCI_SYSTEM_RESET2:
	case PSCI_SYSTEM_RESET2 | CALL64:
	case PSCI_FEATURES: return 0;
	default: return PSCI_NOT_SUPPORTED;
	}
}

static s64 arch_features(u32 fn)
{
	switch (fn) {
	case SMCCC_VERSION:
	case SMCCC_ARCH_FEATURES: return 0;
	/* 1: may be called, but this CPU does not need it. The guest then turns nothing on. */
	case SMCCC_ARCH_WORKAROUND_1:
	case SMCCC_ARCH_WORKAROUND_2:
	case SMCCC_ARCH_WORKAROUND_3: return 1;
	default: return PSCI_NOT_SUPPORTED;
	}
}

/* Arguments of the 32-bit form are the lower halves. */
static u64 arg(const u64 x[4], unsigned n)
{
	return x[0] & CALL64 ? x[n] : (u32)x[n];
}

static s64 reset2(const struct psci_ops *ops, const u64 x[4], enum psci_action *action)
{
	/* Type 0 is the warm reset; the vendor's types start at bit 31, and there are none. */
	if (arg(x, 1))
		return PSCI_INVALID_PARAMETERS;
	ops->system_reset(ops->opaque);
	*action = PSCI_SYSTEM;
	return PSCI_INTERNAL_FAILURE;
}

enum psci_action psci_call(const struct psci_ops *ops, u64 x[4])
{
	enum psci_action action = PSCI_DONE;
	u32 fn = (u32)x[0];
	s64 ret;

	switch (fn) {
	case PSCI_VERSION:
	case SMCCC_VERSION: ret = 0x10001; break;
	case PSCI_FEATURES: ret = features((u32)x[1]); break;
	case SMCCC_ARCH_FEATURES: ret = arch_features((u32)x[1]); break;
	case SMCCC_ARCH_WORKAROUND_1:
	case SMCCC_ARCH_WORKAROUND_2:
	case SMCCC_ARCH_WORKAROUND_3: return PSCI_DONE; /* no result defined: x0 is preserved */
	case PSCI_CPU_SUSPEND:
	case PSCI_CPU_SUSPEND | CALL64:
		/* Power-down states are taken as standby, which the specification allows. */
		action = PSCI_SUSPEND;
		ret = PSCI_SUCCESS;
		break;
	case PSCI_CPU_OFF_FN: return PSCI_CPU_OFF;
	case PSCI_CPU_ON:
	case PSCI_CPU_ON | CALL64:
		ret = ops->cpu_on(ops->opaque, arg(x, 1), arg(x, 2), arg(x, 3));
		break;
	case PSCI_AFFINITY_INFO:
	case PSCI_AFFINITY_INFO | CALL64:
		ret = arg(x, 2) ? PSCI_INVALID_PARAMETERS /* clusters have no power state */
				: ops->affinity_info(ops->opaque, arg(x, 1));
		break;
	case PSCI_MIGRATE_INFO_TYPE: ret = 2; break; /* no trusted OS to migrate */
	case PSCI_SYSTEM_OFF: ops->system_off(ops->opaque); return PSCI_SYSTEM;
	case PSCI_SYSTEM_RESET: ops->system_reset(ops->opaque); return PSCI_SYSTEM;
	case PSCI_SYSTEM_RESET2:
	case PSCI_SYSTEM_RESET2 | CALL64: ret = reset2(ops, x, &action); break;
	default: ret = PSCI_NOT_SUPPORTED; break;
	}
	if (log_on(LOG_EXC))
		log_print("exc: firmware call %#x -> %lld\n", fn, (long long)ret);
	x[0] = (u64)ret;
	return action;
}

/* SPDX-License-Identifier: MIT */
/*
 * The allow-lists of the main thread and of the vCPU threads. (Each device's list stands in the
 * device's file; common/sandbox.h is how a list becomes a filter.) Order at start: device and vCPU
 * threads first, each enters its own; the main thread last, just before its event loop, since
 * threads inherit what their creator is bound by.
 */
#ifndef ARMATURE_VMM_SANDBOX_H
#define ARMATURE_VMM_SANDBOX_H

#include "common/sandbox.h"

extern const struct sandbox_role sandbox_main_role;
extern const struct sandbox_role sandbox_vcpu_role;

/* "on", "log" or "off". 0, or -EINVAL for another word. */
int sandbox_mode_parse(const char *word, enum sandbox_mode *mode);
/* Prepares and enters in one step, for the calling thread. 0 or -errno with *err a sentence. */
int sandbox_confine(const struct sandbox_role *role, const char *thread, enum sandbox_mode mode,
		    const char **err);

#endif

/* SPDX-License-Identifier: MIT */
/* From a decoded instruction back to its word, by search. For tests: milliseconds an instruction.
 */
#ifndef ARMATURE_TESTS_RULES_ENCODE_H
#define ARMATURE_TESTS_RULES_ENCODE_H

#include "dbt/a64/insn.h"

/* Completes *want, whose normalised fields are given, with its word. False: no word decodes to it.
 */
bool a64_encode(struct a64_insn *want);

#endif

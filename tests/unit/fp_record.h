/* SPDX-License-Identifier: MIT */
/* What the FP tests exchange with the guest program that executes one instruction a record. */
#ifndef ARMATURE_TEST_FP_RECORD_H
#define ARMATURE_TEST_FP_RECORD_H

#include <stdint.h>

#define FP_REC_X 16

struct fp_record {
	uint32_t raw;
	uint32_t fpcr;
	uint32_t fpsr; /* in and out */
	uint32_t nzcv; /* in and out, bits 31:28 */
	uint32_t sigill;
	uint32_t pad[3];
	uint64_t x[FP_REC_X]; /* x0-x15 */
	uint8_t v[32][16];
};

#endif

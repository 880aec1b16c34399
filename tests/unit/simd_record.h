/* SPDX-License-Identifier: MIT */
/* What the AdvSIMD tests and the guest program that executes single instructions exchange. */
#ifndef ARMATURE_TEST_SIMD_RECORD_H
#define ARMATURE_TEST_SIMD_RECORD_H

#include <stdint.h>

#define REC_MEM \
	256 /* bytes of memory an instruction may touch; its base register points to the middle */
#define REC_XREGS 16

struct simd_record {
	uint32_t raw;
	uint32_t fpsr;
	uint32_t sigill;  /* out */
	int32_t base_reg; /* x register holding the address of mem + REC_MEM / 2 (as offset 0), or
			     -1 */
	uint64_t x[REC_XREGS];
	uint8_t v[32][16];
	uint8_t mem[REC_MEM];
	int32_t index_reg; /* index register of [Xn, Xm] and its value, for the generator */
	int32_t pad;
	uint64_t index;
};

#endif

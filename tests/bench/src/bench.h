/* SPDX-License-Identifier: MIT */
/* What the small workloads share: a deterministic generator and the scale argument. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t bench_state = 88172645463325252ull;

/* xorshift64: the same sequence everywhere */
static inline uint64_t bench_random(void)
{
	bench_state ^= bench_state << 13;
	bench_state ^= bench_state >> 7;
	bench_state ^= bench_state << 17;
	return bench_state;
}

static inline long bench_scale(int argc, char **argv, long dflt)
{
	return argc > 1 ? atol(argv[1]) : dflt;
}

#endif

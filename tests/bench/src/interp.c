/* SPDX-License-Identifier: MIT */
/* A threaded byte-code interpreter that counts primes by trial division: indirect branches, short
 * blocks. */
#include "bench.h"

enum op { SET, INC, MUL, MOD, JLT, JZ, JMP, HALT };
enum var { N, I, J, COUNT, T, N_VARS };

/* An operation and its operands: variables, a constant (SET), a target's index last (J*). */
/* clang-format off */
static const int program[] = {
	/*  0 */ SET, I, 2,
	/*  3 */ SET, J, 2,
	/*  6 */ MUL, T, J, J,
	/* 10 */ JLT, I, T, 25,
	/* 14 */ MOD, T, I, J,
	/* 18 */ JZ, T, 27,
	/* 21 */ INC, J,
	/* 23 */ JMP, 6,
	/* 25 */ INC, COUNT,
	/* 27 */ INC, I,
	/* 29 */ JLT, I, N, 3,
	/* 33 */ HALT,
};
/* clang-format on */

static long run(const int *code, long *v)
{
	static const void *const go[] = {&&set, &&inc, &&mul, &&mod, &&jlt, &&jz, &&jmp, &&halt};
	const int *p = code;

#define NEXT(size)            \
	do {                  \
		p += (size);  \
		goto *go[*p]; \
	} while (0)
	NEXT(0);
set:
	v[p[1]] = p[2];
	NEXT(3);
inc:
	v[p[1]]++;
	NEXT(2);
mul:
	v[p[1]] = v[p[2]] * v[p[3]];
	NEXT(4);
mod:
	v[p[1]] = v[p[2]] % v[p[3]];
	NEXT(4);
jlt:
	if (v[p[1]] < v[p[2]]) {
		p = code + p[3];
		NEXT(0);
	}
	NEXT(4);
jz:
	if (v[p[1]] == 0) {
		p = code + p[2];
		NEXT(0);
	}
	NEXT(3);
jmp:
	p = code + p[1];
	NEXT(0);
halt:
	return v[COUNT];
}

int main(int argc, char **argv)
{
	long v[N_VARS] = {[N] = bench_scale(argc, argv, 600000)};

	printf("%ld\n", run(program, v));
	return 0;
}

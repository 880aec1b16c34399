/* SPDX-License-Identifier: MIT */
/* Dense matrix product and LU decomposition in double precision: vector loops where the compiler
 * finds them. */
#include "bench.h"

#define N 220

static double a[N][N], b[N][N], c[N][N];

static void product(void)
{
	for (int i = 0; i < N; i++) {
		for (int j = 0; j < N; j++)
			c[i][j] = 0;
		for (int k = 0; k < N; k++)
			for (int j = 0; j < N; j++)
				c[i][j] += a[i][k] * b[k][j];
	}
}

/* In place, without pivoting: the diagonal is made dominant first. */
static void decompose(void)
{
	for (int i = 0; i < N; i++)
		c[i][i] += 2.0 * N;
	for (int k = 0; k < N; k++)
		for (int i = k + 1; i < N; i++) {
			double f = c[i][k] /= c[k][k];

			for (int j = k + 1; j < N; j++)
				c[i][j] -= f * c[k][j];
		}
}

int main(int argc, char **argv)
{
	long n = bench_scale(argc, argv, 10);
	double trace = 0;

	for (long r = 0; r < n; r++) {
		for (int i = 0; i < N; i++)
			for (int j = 0; j < N; j++) {
				a[i][j] = (double)(bench_random() >> 40) / (1 << 24) - 0.5;
				b[i][j] = (double)(bench_random() >> 40) / (1 << 24) - 0.5;
			}
		product();
		decompose();
		for (int i = 0; i < N; i++)
			trace += c[i][i];
	}
	printf("%.9f\n", trace);
	return 0;
}

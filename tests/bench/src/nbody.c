/* SPDX-License-Identifier: MIT */
/* Gravity between bodies on a ring: scalar floating point with divisions and square roots. */
#include <math.h>

#include "bench.h"

#define N 6

struct body {
	double x[3], v[3], m;
};

static struct body body[N];

static void step(double dt)
{
	for (int i = 0; i < N; i++)
		for (int j = i + 1; j < N; j++) {
			double d[3], r2 = 0.01;

			for (int k = 0; k < 3; k++) {
				d[k] = body[i].x[k] - body[j].x[k];
				r2 += d[k] * d[k];
			}
			double f = dt / (r2 * sqrt(r2));

			for (int k = 0; k < 3; k++) {
				body[i].v[k] -= d[k] * body[j].m * f;
				body[j].v[k] += d[k] * body[i].m * f;
			}
		}
	for (int i = 0; i < N; i++)
		for (int k = 0; k < 3; k++)
			body[i].x[k] += dt * body[i].v[k];
}

int main(int argc, char **argv)
{
	long n = bench_scale(argc, argv, 600000);
	double sum = 0;

	for (int i = 0; i < N; i++) {
		body[i] = (struct body){
			{i - 2.5, (i * i) % 5 - 2.0, (i * 7) % 3 - 1.0}, {0}, 1.0 + i % 3};
		body[i].v[i % 3] = 0.1 * (i - 2.5);
	}
	for (long i = 0; i < n; i++)
		step(0.001);
	for (int i = 0; i < N; i++)
		for (int k = 0; k < 3; k++)
			sum += body[i].x[k] * (k + 1) + body[i].v[k];
	printf("%.12f\n", sum);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* What gdb and strace look at in the guest: prints 50 28. */
#include <stdio.h>

int counter;

static __attribute__((noinline)) int work(int n)
{
	int r = 0;

	for (int i = 0; i < n; i++) {
		r += i * i;
		if (i == 3)
			counter += r;
	}
	return r;
}

int main(void)
{
	int sum = 0;

	for (int k = 1; k < 6; k++)
		sum += work(k);
	printf("%d %d\n", sum, counter);
	return 0;
}

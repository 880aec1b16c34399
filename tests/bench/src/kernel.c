/* SPDX-License-Identifier: MIT */
/* The kernel's paths: system calls, signals, page faults, fork with copy-on-write, pipes between
 * processes. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static volatile sig_atomic_t signals;

static void handler(int sig)
{
	signals += sig == SIGUSR1;
}

static uint64_t calls(long n)
{
	uint64_t sum = 0;

	signal(SIGUSR1, handler);
	for (long i = 0; i < n; i++) {
		sum += syscall(SYS_getppid) >= 0;
		if (i % 16 == 0)
			raise(SIGUSR1);
	}
	return sum + (uint64_t)signals;
}

static uint64_t faults(size_t pages)
{
	size_t len = pages * 4096;
	uint8_t *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t sum = 0;
	int status = 0;

	if (p == MAP_FAILED)
		return 0;
	madvise(p, len, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < len; i += 4096)
		p[i] = (uint8_t)(i >> 12);
	pid_t pid = fork();

	if (pid == 0) {
		for (size_t i = 0; i < len; i += 8192)
			p[i]++;
		_exit(p[8192]);
	}
	waitpid(pid, &status, 0);
	for (size_t i = 0; i < len; i += 4096)
		sum += p[i];
	munmap(p, len);
	return sum + (uint64_t)WEXITSTATUS(status);
}

static uint64_t pipes(long n)
{
	int to[2], from[2];
	uint64_t token = 1;

	if (pipe(to) || pipe(from))
		return 0;
	pid_t pid = fork();

	if (pid == 0) {
		close(to[1]);
		while (read(to[0], &token, sizeof(token)) == sizeof(token)) {
			token = token * 5 + 1;
			if (write(from[1], &token, sizeof(token)) != sizeof(token))
				break;
		}
		_exit(0);
	}
	close(to[0]);
	for (long i = 0; i < n; i++)
		if (write(to[1], &token, sizeof(token)) != sizeof(token) ||
		    read(from[0], &token, sizeof(token)) != sizeof(token))
			break;
	close(to[1]);
	waitpid(pid, NULL, 0);
	return token;
}

int main(int argc, char **argv)
{
	long n = bench_scale(argc, argv, 5);
	uint64_t sum = 0;

	for (long i = 0; i < n; i++)
		sum = sum * 31 + calls(40000) + faults(1024) + pipes(1500);
	printf("%llu\n", (unsigned long long)sum);
	return 0;
}

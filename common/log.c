/* SPDX-License-Identifier: MIT */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

u32 log_topics;
u64 log_addr_lo, log_addr_hi = ~0ull;
static int log_fd = STDERR_FILENO;

static const struct {
	const char *name;
	u32 bit;
} topic_names[] = {
	{"in", LOG_IN},	  {"rules", LOG_RULES}, {"hir", LOG_HIR}, {"out", LOG_OUT},
	{"exc", LOG_EXC}, {"mmio", LOG_MMIO},	{"irq", LOG_IRQ}, {"unimp", LOG_UNIMP},
};

/* One write(2) a message: lines of several threads never mix, and no lock or heap is needed. */
static void emit(int fd, const char *prefix, const char *fmt, va_list ap, bool newline)
{
	char buf[1024];
	int n = snprintf(buf, sizeof(buf), "%s", prefix);
	int m = vsnprintf(buf + n, sizeof(buf) - (size_t)n - 1, fmt, ap);

	if (m < 0)
		return;
	n += m;
	if (n > (int)sizeof(buf) - 2)
		n = (int)sizeof(buf) - 2;
	if (newline)
		buf[n++] = '\n';
	if (write(fd, buf, (size_t)n) < 0)
		return; /* nowhere left to complain */
}

void log_print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(log_fd, "", fmt, ap, false);
	va_end(ap);
}

void error_report(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(STDERR_FILENO, "armature: ", fmt, ap, true);
	va_end(ap);
}

void warn_report(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(STDERR_FILENO, "armature: warning: ", fmt, ap, true);
	va_end(ap);
}

void warn_ratelimited(const char *fmt, ...)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static time_t second;
	static unsigned in_second, suppressed;
	struct timespec ts;
	unsigned dropped = 0;
	bool show;
	va_list ap;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	pthread_mutex_lock(&lock);
	if (ts.tv_sec != second) {
		second = ts.tv_sec;
		in_second = 0;
		dropped = suppressed;
		suppressed = 0;
	}
	show = in_second++ < 10;
	suppressed += !show;
	pthread_mutex_unlock(&lock);
	if (dropped)
		warn_report("%u similar messages suppressed", dropped);
	if (!show)
		return;
	va_start(ap, fmt);
	emit(STDERR_FILENO, "armature: warning: ", fmt, ap, true);
	va_end(ap);
}

int log_parse_topics(const char *list, const char **bad)
{
	const char *p = list;

	while (*p) {
		size_t len = strcspn(p, ",");
		u32 bit = 0;

		for (size_t i = 0; i < ARRAY_SIZE(topic_names); i++)
			if (strlen(topic_names[i].name) == len &&
			    !memcmp(topic_names[i].name, p, len))
				bit = topic_names[i].bit;
		if (!bit) {
			*bad = p;
			return -EINVAL;
		}
		log_topics |= bit;
		p += len + (p[len] == ',');
	}
	return 0;
}

int log_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	log_fd = fd;
	return 0;
}

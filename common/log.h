/* SPDX-License-Identifier: MIT */
/*
 * Messages. Errors and warnings go to stderr with the program's name; debug topics go to the log
 * file (--log-file) or stderr. All functions are thread safe; warnings a guest can provoke are
 * rate-limited with warn_ratelimited.
 */
#ifndef ARMATURE_LOG_H
#define ARMATURE_LOG_H

#include "common/types.h"

enum log_topic {
	LOG_IN = 1 << 0,    /* guest instructions as decoded */
	LOG_RULES = 1 << 1, /* rules matched */
	LOG_HIR = 1 << 2,
	LOG_OUT = 1 << 3, /* host code */
	LOG_EXC = 1 << 4, /* exceptions taken and returned from */
	LOG_MMIO = 1 << 5,
	LOG_IRQ = 1 << 6,
	LOG_UNIMP = 1 << 7, /* UNDEF raised for something not implemented */
};

extern u32 log_topics;
/* Guest virtual address filter of LOG_IN/RULES/HIR/OUT; default everything. */
extern u64 log_addr_lo, log_addr_hi;

static inline bool log_on(enum log_topic t)
{
	return unlikely(log_topics & (u32)t);
}

void log_print(const char *fmt, ...) PRINTF_LIKE(1, 2);
void error_report(const char *fmt, ...) PRINTF_LIKE(1, 2);
void warn_report(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* At most 10 messages a second in all; suppressed ones are counted and reported. */
void warn_ratelimited(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Parses "in,rules,exc" into log_topics; returns 0, or -EINVAL with *bad the unknown word. */
int log_parse_topics(const char *list, const char **bad);
/* Topic output goes to `path` from now on. Returns 0 or a negative errno. */
int log_open(const char *path);

#endif

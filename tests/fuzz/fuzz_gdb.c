/* SPDX-License-Identifier: MIT */
/* Input of the gdb stub: packets with the right checksum, and bytes of any kind. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz_input.h"
#include "vmm/gdb_proto.h"

#define N_CPUS 3

static struct gdb gdb;

static int reg_get(void *opaque, unsigned cpu, struct dbt_reg reg, void *val)
{
	if (cpu >= N_CPUS)
		abort();
	memset(val, 0x5a, reg.cls == DBT_REG_V ? 16 : 8);
	return 0;
}

static int reg_set(void *opaque, unsigned cpu, struct dbt_reg reg, const void *val)
{
	if (cpu >= N_CPUS)
		abort();
	return 0;
}

/* The first half of the address space is there. */
static u64 peek(void *opaque, unsigned cpu, u64 va, void *buf, u64 len)
{
	if (cpu >= N_CPUS || va >> 63)
		return 0;
	memset(buf, 0xa5, len);
	return len;
}

static u64 poke(void *opaque, unsigned cpu, u64 va, const void *buf, u64 len)
{
	volatile u8 sum = 0;

	for (u64 i = 0; i < len; i++)
		sum = (u8)(sum + ((const u8 *)buf)[i]);
	return cpu >= N_CPUS || va >> 63 ? 0 : len;
}

static int set_breakpoints(void *opaque, const u64 *va, unsigned n)
{
	if (n > GDB_MAX_BREAKPOINTS)
		abort();
	return 0;
}

static int set_watchpoints(void *opaque, const struct dbt_watchpoint *w, unsigned n)
{
	if (n > GDB_MAX_WATCHPOINTS)
		abort();
	return 0;
}

static void resume(void *opaque, const enum gdb_action *action)
{
}

static void interrupt(void *opaque)
{
	gdb_stopped(&gdb, 1, 2);
}

static void nothing(void *opaque)
{
}

static void take(void *opaque, const void *buf, size_t len)
{
	const char *p = buf;

	if (len != 1 && (len < 4 || p[0] != '$' || p[len - 3] != '#'))
		abort();
}

static const struct gdb_ops ops = {
	.reg_get = reg_get,
	.reg_set = reg_set,
	.peek = peek,
	.poke = poke,
	.set_breakpoints = set_breakpoints,
	.set_watchpoints = set_watchpoints,
	.resume = resume,
	.interrupt = interrupt,
	.kill = nothing,
	.send = take,
};

/* Each line of the input is a packet; one that begins with a NUL is sent as it is. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	const u8 *end = data + len;

	memset(&gdb, 0, sizeof(gdb));
	gdb_attach(&gdb, &ops, NULL, N_CPUS);
	while (data < end) {
		const u8 *nl = memchr(data, '\n', (size_t)(end - data));
		size_t n = (size_t)((nl ? nl : end) - data);
		char tail[4];
		u8 sum = 0;

		for (size_t i = 0; i < n; i++)
			sum = (u8)(sum + data[i]);
		snprintf(tail, sizeof(tail), "#%02x", sum);
		if (*data)
			gdb_receive(&gdb, "$", 1);
		gdb_receive(&gdb, data, n);
		if (*data)
			gdb_receive(&gdb, tail, 3);
		if (gdb.running && n & 1)
			gdb_stopped_watch(&gdb, (unsigned)n % N_CPUS, n);
		data += n + 1;
	}
	return 0;
}

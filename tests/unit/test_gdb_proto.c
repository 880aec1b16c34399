/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/gdb_proto.h"

static struct {
	struct gdb gdb;
	char sent[2 * GDB_PACKET_MAX];
	size_t n;
	u64 x[2][32];
	u8 mem[64]; /* at 0x1000 */
	u64 bp[GDB_MAX_BREAKPOINTS];
	struct dbt_watchpoint watch[GDB_MAX_WATCHPOINTS];
	unsigned n_bp, n_watch, resumes, kills, interrupts;
	enum gdb_action action[2];
} t;

static int reg_get(void *o, unsigned cpu, struct dbt_reg reg, void *val)
{
	u64 v = reg.cls == DBT_REG_X ? t.x[cpu][reg.id] : 0;

	memcpy(val, &v, 8);
	return 0;
}

static int reg_set(void *o, unsigned cpu, struct dbt_reg reg, const void *val)
{
	if (reg.cls == DBT_REG_X)
		memcpy(&t.x[cpu][reg.id], val, 8);
	return 0;
}

static u64 in_memory(u64 va, u64 len)
{
	if (va < 0x1000 || va >= 0x1000 + sizeof(t.mem))
		return 0;
	return len < 0x1000 + sizeof(t.mem) - va ? len : 0x1000 + sizeof(t.mem) - va;
}

static u64 peek(void *o, unsigned cpu, u64 va, void *buf, u64 len)
{
	len = in_memory(va, len);
	memcpy(buf, t.mem + (len ? va - 0x1000 : 0), len);
	return len;
}

static u64 poke(void *o, unsigned cpu, u64 va, const void *buf, u64 len)
{
	len = in_memory(va, len);
	memcpy(t.mem + (len ? va - 0x1000 : 0), buf, len);
	return len;
}

static int set_breakpoints(void *o, const u64 *va, unsigned n)
{
	memcpy(t.bp, va, n * sizeof(*va));
	t.n_bp = n;
	return 0;
}

static int set_watchpoints(void *o, const struct dbt_watchpoint *w, unsigned n)
{
	memcpy(t.watch, w, n * sizeof(*w));
	t.n_watch = n;
	return 0;
}

static void resume(void *o, const enum gdb_action *action)
{
	memcpy(t.action, action, sizeof(t.action));
	t.resumes++;
}

static void interrupt(void *o)
{
	t.interrupts++;
	gdb_stopped(&t.gdb, 1, 2);
}

static void kill_machine(void *o)
{
	t.kills++;
}

static void send_bytes(void *o, const void *buf, size_t len)
{
	assert_true(t.n + len < sizeof(t.sent));
	memcpy(t.sent + t.n, buf, len);
	t.n += len;
	t.sent[t.n] = 0;
}

static const struct gdb_ops ops = {
	reg_get,	 reg_set, peek,	     poke,	   set_breakpoints,
	set_watchpoints, resume,  interrupt, kill_machine, send_bytes,
};

static int setup(void **state)
{
	memset(&t, 0, sizeof(t));
	gdb_attach(&t.gdb, &ops, NULL, 2);
	return 0;
}

/* What comes back for a packet, its frame and the acknowledgement checked and taken off. */
static const char *ask(const char *body)
{
	static char packet[2 * GDB_PACKET_MAX];
	u8 sum = 0;
	unsigned got;
	char *hash;
	int n;

	for (const char *p = body; *p; p++)
		sum = (u8)(sum + (u8)*p);
	n = snprintf(packet, sizeof(packet), "$%s#%02x", body, sum);
	t.n = 0;
	t.sent[0] = 0;
	gdb_receive(&t.gdb, packet, (size_t)n);
	assert_int_equal(t.sent[0], '+');
	if (!t.sent[1])
		return NULL;
	assert_int_equal(t.sent[1], '$');
	hash = strrchr(t.sent, '#');
	assert_non_null(hash);
	assert_int_equal(sscanf(hash, "#%2x", &got), 1);
	sum = 0;
	for (char *p = t.sent + 2; p < hash; p++)
		sum = (u8)(sum + (u8)*p);
	assert_int_equal(got, sum);
	*hash = 0;
	return t.sent + 2;
}

static void test_bad_sum(void **state)
{
	gdb_receive(&t.gdb, "$g#00", 5);
	assert_string_equal(t.sent, "-");
}

static void test_too_long(void **state)
{
	static char long_one[GDB_PACKET_MAX + 100];

	memset(long_one, 'g', sizeof(long_one));
	long_one[0] = '$';
	gdb_receive(&t.gdb, long_one, sizeof(long_one));
	gdb_receive(&t.gdb, "#00", 3);
	assert_string_equal(t.sent, "-");
	assert_string_equal(ask("?"), "T05thread:1;");
}

static void test_registers(void **state)
{
	const char *all;

	t.x[1][2] = 0x1122334455667788;
	assert_string_equal(ask("Hg2"), "OK");
	assert_string_equal(ask("p2"), "8877665544332211");
	all = ask("g");
	assert_int_equal(strlen(all), 2 * (33 * 8 + 4 + 32 * 16 + 8));
	assert_memory_equal(all + 2 * 16, "8877665544332211", 16);
	assert_string_equal(ask("P3=0100000000000000"), "OK");
	assert_int_equal(t.x[1][3], 1);
	assert_int_equal(t.x[0][3], 0);
	assert_string_equal(ask("P3=01"), "E16");
	assert_string_equal(ask("p44"), "E16"); /* 68: one too many */
	assert_string_equal(ask("Hg3"), "E16");
	assert_string_equal(ask("G0200000000000000"), "OK");
	assert_int_equal(t.x[1][0], 2);
}

static void test_memory(void **state)
{
	t.mem[1] = 0xab;
	assert_string_equal(ask("m1000,2"), "00ab");
	assert_string_equal(ask("M103e,2:beef"), "OK");
	assert_int_equal(t.mem[63], 0xef);
	assert_string_equal(ask("m103e,8"), "beef"); /* as far as it goes */
	assert_string_equal(ask("m2000,1"), "E0e");
	assert_string_equal(ask("M103f,2:0000"), "E0e");
	assert_string_equal(ask("M1000,3:0000"), "E16");
	assert_string_equal(ask("m1000"), "E16");
	assert_string_equal(ask("m11112222333344445,1"), "E16");
}

static void test_breakpoints(void **state)
{
	assert_string_equal(ask("Z0,1000,4"), "OK");
	assert_string_equal(ask("Z1,1004,4"), "OK");
	assert_string_equal(ask("Z0,1002,4"), "E16");
	assert_string_equal(ask("Z5,1000,4"), "");
	assert_string_equal(ask("z0,1000,4"), "OK");
	assert_int_equal(t.n_bp, 0);
	assert_null(ask("c"));
	assert_int_equal(t.n_bp, 1);
	assert_int_equal(t.bp[0], 0x1004);
}

static void test_watchpoints(void **state)
{
	assert_string_equal(ask("Z2,1000,4"), "OK");
	assert_string_equal(ask("Z3,2002,2"), "OK");
	assert_string_equal(ask("Z4,3000,8"), "OK");
	assert_string_equal(ask("Z4,3000,8"), "OK");
	assert_string_equal(ask("Z2,3000,0"), "E16");
	assert_null(ask("c"));
	assert_int_equal(t.n_watch, 3);
	assert_true(t.watch[0].write && !t.watch[0].read && t.watch[0].len == 4);
	assert_true(t.watch[1].read && !t.watch[1].write && t.watch[1].va == 0x2002);
	assert_true(t.watch[2].read && t.watch[2].write);
	t.n = 0;
	gdb_stopped_watch(&t.gdb, 1, 0x2003);
	assert_non_null(strstr(t.sent, "T05thread:2;rwatch:2003;"));
	assert_string_equal(ask("z3,2002,2"), "OK");
	assert_null(ask("vCont;s:2"));
	assert_int_equal(t.n_watch, 2);
	t.n = 0;
	gdb_stopped(&t.gdb, 1, 5);
	assert_non_null(strstr(t.sent, "T05thread:2;#"));
	assert_string_equal(ask("D"), "OK");
	assert_int_equal(t.n_watch, 0);
}

static void test_running(void **state)
{
	assert_null(ask("vCont;s:2;c"));
	assert_int_equal(t.action[0], GDB_CONTINUE);
	assert_int_equal(t.action[1], GDB_STEP);
	assert_null(ask("g")); /* not while running */
	t.n = 0;
	gdb_stopped(&t.gdb, 1, 5);
	assert_string_equal(t.sent, "$T05thread:2;#d8");
	assert_null(ask("vCont;s:1"));
	assert_int_equal(t.action[0], GDB_STEP);
	assert_int_equal(t.action[1], GDB_HALT);
	t.n = 0;
	gdb_receive(&t.gdb, "\003", 1);
	assert_int_equal(t.interrupts, 1);
	assert_string_equal(t.sent, "$T02thread:2;#d5");
	gdb_receive(&t.gdb, "\003", 1); /* stopped already */
	assert_int_equal(t.interrupts, 1);
	assert_string_equal(ask("vCont;s:9"), "E16");
	assert_int_equal(t.resumes, 2);
}

static void test_queries(void **state)
{
	char whole[8192] = "", cmd[64];
	const char *part;

	assert_non_null(strstr(ask("qSupported:x"), "qXfer:features:read+"));
	assert_string_equal(ask("qfThreadInfo"), "m1,2");
	assert_string_equal(ask("T2"), "OK");
	assert_string_equal(ask("T3"), "E03");
	assert_string_equal(ask("vMustReplyEmpty"), "");
	do {
		snprintf(cmd, sizeof(cmd), "qXfer:features:read:target.xml:%zx,3ff", strlen(whole));
		part = ask(cmd);
		strcat(whole, part + 1);
	} while (*part == 'm');
	assert_string_equal(whole, gdb_target_xml);
	assert_null(strpbrk(gdb_target_xml, "#$}*"));
}

static void test_end(void **state)
{
	assert_string_equal(ask("Z0,1000,4"), "OK");
	assert_string_equal(ask("D"), "OK");
	assert_int_equal(t.n_bp, 0);
	assert_int_equal(t.resumes, 1);
	setup(NULL);
	assert_null(ask("k"));
	assert_int_equal(t.kills, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_bad_sum, setup),
		cmocka_unit_test_setup(test_too_long, setup),
		cmocka_unit_test_setup(test_registers, setup),
		cmocka_unit_test_setup(test_memory, setup),
		cmocka_unit_test_setup(test_breakpoints, setup),
		cmocka_unit_test_setup(test_watchpoints, setup),
		cmocka_unit_test_setup(test_running, setup),
		cmocka_unit_test_setup(test_queries, setup),
		cmocka_unit_test_setup(test_end, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

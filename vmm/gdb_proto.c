/* SPDX-License-Identifier: MIT */
#include "vmm/gdb_proto.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GDB_SIGTRAP 5
#define GDB_CTRL_C  3

/* ---- registers, as numbered by the target description ---- */

#define REG_V0	 34
#define REG_FPSR 66
#define REG_FPCR 67
#define NUM_REGS 68

/* Bytes of register n on the wire. */
static unsigned reg_size(unsigned n)
{
	if (n >= REG_V0 && n < REG_FPSR)
		return 16;
	return n == 33 || n >= REG_FPSR ? 4 : 8;
}

static struct dbt_reg reg_id(unsigned n)
{
	if (n < 31)
		return (struct dbt_reg){DBT_REG_X, n};
	if (n >= REG_V0 && n < REG_FPSR)
		return (struct dbt_reg){DBT_REG_V, n - REG_V0};
	switch (n) {
	case 31: return (struct dbt_reg){DBT_REG_SP, 0};
	case 32: return (struct dbt_reg){DBT_REG_PC, 0};
	case 33: return (struct dbt_reg){DBT_REG_PSTATE, 0};
	case REG_FPSR: return (struct dbt_reg){DBT_REG_FPSR, 0};
	default: return (struct dbt_reg){DBT_REG_FPCR, 0};
	}
}

/* ---- output ---- */

static void put_byte(struct gdb *g, char c)
{
	if (g->n_out < GDB_PACKET_MAX)
		g->out[1 + g->n_out++] = c;
}

static void put_text(struct gdb *g, const char *text)
{
	while (*text)
		put_byte(g, *text++);
}

static void put_hex(struct gdb *g, const void *data, size_t n)
{
	static const char digit[] = "0123456789abcdef";
	const u8 *p = data;

	for (size_t i = 0; i < n; i++) {
		put_byte(g, digit[p[i] >> 4]);
		put_byte(g, digit[p[i] & 15]);
	}
}

static __attribute__((format(printf, 2, 3))) void put_fmt(struct gdb *g, const char *fmt, ...)
{
	char buf[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	put_text(g, buf);
}

static void send_reply(struct gdb *g)
{
	u8 sum = 0;
	char tail[4];

	g->out[0] = '$';
	for (unsigned i = 0; i < g->n_out; i++)
		sum = (u8)(sum + (u8)g->out[1 + i]);
	snprintf(tail, sizeof(tail), "#%02x", sum);
	memcpy(&g->out[1 + g->n_out], tail, 3);
	g->ops->send(g->opaque, g->out, g->n_out + 4);
	g->n_out = 0;
}

static void reply_error(struct gdb *g, int err)
{
	g->n_out = 0;
	put_fmt(g, "E%02x", (unsigned)-err & 0xff);
}

static void reply_status(struct gdb *g, int err)
{
	if (err)
		reply_error(g, err);
	else
		put_text(g, "OK");
}

static void put_stop(struct gdb *g)
{
	put_fmt(g, "T%02xthread:%x;", g->stop_signal, g->stop_cpu + 1);
	if (g->stop_watch)
		put_fmt(g, "%s:%llx;", g->stop_watch, (unsigned long long)g->stop_va);
}

/* ---- input ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes exactly `n` bytes of hex; what follows them, or NULL. */
static const char *take_hex(const char *text, void *data, size_t n)
{
	u8 *out = data;

	for (size_t i = 0; i < n; i++) {
		int hi = hex_digit(text[0]), lo = hi < 0 ? -1 : hex_digit(text[1]);

		if (lo < 0)
			return NULL;
		out[i] = (u8)(hi << 4 | lo);
		text += 2;
	}
	return text;
}

/* A hex number followed by `end` (0: the end of the text); what follows that, or NULL. */
static const char *take_number(const char *text, char end, u64 *val)
{
	const char *p = text;

	for (*val = 0; hex_digit(*p) >= 0; p++) {
		if (*val >> 60)
			return NULL;
		*val = *val << 4 | (u64)hex_digit(*p);
	}
	if (p == text || *p != end)
		return NULL;
	return end ? p + 1 : p;
}

#define ALL_CPUS (~0u)

/* "1", "0" (any: the current one), "-1" (all); false: no such thread. */
static bool take_thread(struct gdb *g, const char **text, unsigned *cpu)
{
	u64 id = 0;

	if (!strncmp(*text, "-1", 2)) {
		*text += 2;
		*cpu = ALL_CPUS;
		return true;
	}
	if (hex_digit(**text) < 0)
		return false;
	while (hex_digit(**text) >= 0 && id <= CONFIG_MAX_CPUS)
		id = id << 4 | (u64)hex_digit(*(*text)++);
	*cpu = id ? (unsigned)id - 1 : g->cpu;
	return *cpu < g->n_cpus;
}

/* ---- registers and memory ---- */

static int put_reg(struct gdb *g, unsigned n)
{
	u8 val[16] = {0};
	int err = g->ops->reg_get(g->opaque, g->cpu, reg_id(n), val);

	if (!err)
		put_hex(g, val, reg_size(n));
	return err;
}

static const char *set_reg(struct gdb *g, unsigned n, const char *text, int *err)
{
	u8 val[16] = {0};
	const char *rest = take_hex(text, val, reg_size(n));

	*err = rest ? g->ops->reg_set(g->opaque, g->cpu, reg_id(n), val) : -EINVAL;
	return rest;
}

static void cmd_read_regs(struct gdb *g, const char *args)
{
	int err = 0;

	for (unsigned n = 0; n < NUM_REGS && !err; n++)
		err = put_reg(g, n);
	if (err)
		reply_error(g, err);
}

static void cmd_write_regs(struct gdb *g, const char *args)
{
	int err = 0;

	for (unsigned n = 0; n < NUM_REGS && !err && *args; n++)
		args = set_reg(g, n, args, &err);
	reply_status(g, err);
}

static void cmd_read_reg(struct gdb *g, const char *args)
{
	u64 n;
	int err = take_number(args, 0, &n) && n < NUM_REGS ? put_reg(g, (unsigned)n) : -EINVAL;

	if (err)
		reply_error(g, err);
}

static void cmd_write_reg(struct gdb *g, const char *args)
{
	u64 n;
	int err = -EINVAL;

	args = take_number(args, '=', &n);
	if (args && n < NUM_REGS)
		set_reg(g, (unsigned)n, args, &err);
	reply_status(g, err);
}

static void cmd_read_memory(struct gdb *g, const char *args)
{
	u8 buf[GDB_PACKET_MAX / 2];
	u64 va, len, n;

	args = take_number(args, ',', &va);
	if (!args || !take_number(args, 0, &len)) {
		reply_error(g, -EINVAL);
		return;
	}
	n = g->ops->peek(g->opaque, g->cpu, va, buf, len < sizeof(buf) ? len : sizeof(buf));
	if (!n && len)
		reply_error(g, -EFAULT);
	put_hex(g, buf, n);
}

static void cmd_write_memory(struct gdb *g, const char *args)
{
	u8 buf[GDB_PACKET_MAX / 2];
	u64 va, len;

	args = take_number(args, ',', &va);
	args = args ? take_number(args, ':', &len) : NULL;
	if (!args || len > sizeof(buf) || !take_hex(args, buf, len))
		reply_error(g, -EINVAL);
	else
		reply_status(g, g->ops->poke(g->opaque, g->cpu, va, buf, len) == len ? 0 : -EFAULT);
}

/* ---- breakpoints ---- */

static int add_breakpoint(struct gdb *g, char type, u64 va)
{
	if (va & 3)
		return -EINVAL;
	for (unsigned i = 0; i < g->n_bp; i++)
		if (g->bp[i].va == va && g->bp[i].type == type)
			return 0;
	if (g->n_bp == GDB_MAX_BREAKPOINTS)
		return -ENOSPC;
	g->bp[g->n_bp].va = va;
	g->bp[g->n_bp++].type = type;
	return 0;
}

static void remove_breakpoint(struct gdb *g, char type, u64 va)
{
	for (unsigned i = 0; i < g->n_bp; i++)
		if (g->bp[i].va == va && g->bp[i].type == type) {
			g->bp[i] = g->bp[--g->n_bp];
			return;
		}
}

static bool same_watch(const struct dbt_watchpoint *a, const struct dbt_watchpoint *b)
{
	return a->va == b->va && a->len == b->len && a->read == b->read && a->write == b->write;
}

static int add_watch(struct gdb *g, const struct dbt_watchpoint *w)
{
	if (!w->len || w->len > BIT(32))
		return -EINVAL;
	for (unsigned i = 0; i < g->n_watch; i++)
		if (same_watch(&g->watch[i], w))
			return 0;
	if (g->n_watch == GDB_MAX_WATCHPOINTS)
		return -ENOSPC;
	g->watch[g->n_watch++] = *w;
	return 0;
}

static void remove_watch(struct gdb *g, const struct dbt_watchpoint *w)
{
	for (unsigned i = 0; i < g->n_watch; i++)
		if (same_watch(&g->watch[i], w)) {
			g->watch[i] = g->watch[--g->n_watch];
			return;
		}
}

/* Z or z, type (0, 1: breakpoints, 2, 3, 4: writes, reads, both), address, kind or length. */
static void cmd_breakpoint(struct gdb *g, const char *args, bool insert)
{
	struct dbt_watchpoint w;
	u64 va, kind;
	char type = args[0];
	const char *p;
	int err = 0;

	if (type < '0' || type > '4')
		return;
	p = args[1] == ',' ? take_number(args + 2, ',', &va) : NULL;
	if (!p || !take_number(p, 0, &kind)) {
		reply_error(g, -EINVAL);
		return;
	}
	w = (struct dbt_watchpoint){va, kind, type != '2', type != '3'};
	if (type < '2') {
		g->bp_dirty = true;
		if (insert)
			err = add_breakpoint(g, type, va);
		else
			remove_breakpoint(g, type, va);
	} else {
		g->watch_dirty = true;
		if (insert)
			err = add_watch(g, &w);
		else
			remove_watch(g, &w);
	}
	reply_status(g, err);
}

static void cmd_insert(struct gdb *g, const char *args)
{
	cmd_breakpoint(g, args, true);
}

static void cmd_remove(struct gdb *g, const char *args)
{
	cmd_breakpoint(g, args, false);
}

/* ---- running ---- */

static void resume(struct gdb *g, const enum gdb_action *action)
{
	u64 va[GDB_MAX_BREAKPOINTS];

	for (unsigned i = 0; i < g->n_bp; i++)
		va[i] = g->bp[i].va;
	if (g->bp_dirty)
		g->ops->set_breakpoints(g->opaque, va, g->n_bp);
	if (g->watch_dirty)
		g->ops->set_watchpoints(g->opaque, g->watch, g->n_watch);
	g->bp_dirty = g->watch_dirty = false;
	g->running = true;
	g->ops->resume(g->opaque, action);
}

static void resume_all(struct gdb *g)
{
	enum gdb_action action[CONFIG_MAX_CPUS];

	for (unsigned i = 0; i < CONFIG_MAX_CPUS; i++)
		action[i] = GDB_CONTINUE;
	resume(g, action);
}

static void cmd_continue(struct gdb *g, const char *args)
{
	resume_all(g);
}

static void cmd_step(struct gdb *g, const char *args)
{
	enum gdb_action action[CONFIG_MAX_CPUS] = {GDB_HALT};

	action[g->cpu] = GDB_STEP;
	resume(g, action);
}

/* ";c:1;s" ...: the first action that names a thread is its. False: bad syntax. */
static bool parse_vcont(struct gdb *g, const char *p, enum gdb_action *action)
{
	bool given[CONFIG_MAX_CPUS] = {false};

	while (*p == ';') {
		enum gdb_action a;
		unsigned cpu = ALL_CPUS;

		switch (p[1]) {
		case 'c':
		case 'C': a = GDB_CONTINUE; break;
		case 's':
		case 'S': a = GDB_STEP; break;
		default: return false;
		}
		if (p[1] == 'C' || p[1] == 'S') /* a signal: the machine knows none */
			p += hex_digit(p[2]) >= 0 && hex_digit(p[3]) >= 0 ? 2 : 0;
		p += 2;
		if (*p == ':' && (p++, !take_thread(g, &p, &cpu)))
			return false;
		for (unsigned i = 0; i < g->n_cpus; i++)
			if ((cpu == ALL_CPUS || cpu == i) && !given[i]) {
				given[i] = true;
				action[i] = a;
			}
	}
	return !*p;
}

static void cmd_vcont(struct gdb *g, const char *args)
{
	enum gdb_action action[CONFIG_MAX_CPUS] = {GDB_HALT};

	if (*args == '?') {
		put_text(g, "vCont;c;C;s;S");
		return;
	}
	if (!parse_vcont(g, args, action))
		reply_error(g, -EINVAL);
	else
		resume(g, action);
}

static void cmd_detach(struct gdb *g, const char *args)
{
	put_text(g, "OK");
	send_reply(g);
	g->n_bp = g->n_watch = 0;
	g->bp_dirty = g->watch_dirty = true;
	resume_all(g);
}

static void cmd_kill(struct gdb *g, const char *args)
{
	g->ops->kill(g->opaque);
}

static void cmd_vkill(struct gdb *g, const char *args)
{
	put_text(g, "OK");
	send_reply(g);
	g->ops->kill(g->opaque);
}

/* ---- queries ---- */

static void cmd_stop_reason(struct gdb *g, const char *args)
{
	put_stop(g);
}

static void cmd_select(struct gdb *g, const char *args)
{
	unsigned cpu;
	char what = *args;

	if (!what || (args++, !take_thread(g, &args, &cpu))) {
		reply_error(g, -EINVAL);
		return;
	}
	/* Hc is for the old c and s; vCont names its threads. */
	if (cpu != ALL_CPUS)
		g->cpu = cpu;
	put_text(g, "OK");
}

static void cmd_thread_alive(struct gdb *g, const char *args)
{
	unsigned cpu;

	reply_status(g, take_thread(g, &args, &cpu) ? 0 : -ESRCH);
}

static void cmd_supported(struct gdb *g, const char *args)
{
	put_fmt(g, "PacketSize=%x;qXfer:features:read+;QStartNoAckMode+;vContSupported+",
		GDB_PACKET_MAX);
}

static void cmd_no_ack(struct gdb *g, const char *args)
{
	g->no_ack = true;
	put_text(g, "OK");
}

static void cmd_features(struct gdb *g, const char *args)
{
	u64 off, len, total = strlen(gdb_target_xml);
	const char *p = strchr(args, ':');

	if (!p || strncmp(args, "target.xml:", 11)) {
		put_text(g, "E00");
		return;
	}
	p = take_number(p + 1, ',', &off);
	if (!p || !take_number(p, 0, &len)) {
		reply_error(g, -EINVAL);
		return;
	}
	if (len > GDB_PACKET_MAX - 1)
		len = GDB_PACKET_MAX - 1;
	put_byte(g, off + len < total ? 'm' : 'l');
	/* The document has none of the characters that need escaping. */
	for (u64 i = off; i < total && i - off < len; i++)
		put_byte(g, gdb_target_xml[i]);
}

static void cmd_thread_list(struct gdb *g, const char *args)
{
	for (unsigned i = 0; i < g->n_cpus; i++)
		put_fmt(g, "%c%x", i ? ',' : 'm', i + 1);
}

static void cmd_thread_list_end(struct gdb *g, const char *args)
{
	put_byte(g, 'l');
}

static void cmd_thread_info(struct gdb *g, const char *args)
{
	char text[32];
	unsigned cpu;

	if (!take_thread(g, &args, &cpu) || cpu == ALL_CPUS) {
		reply_error(g, -ESRCH);
		return;
	}
	snprintf(text, sizeof(text), "vCPU %u", cpu);
	put_hex(g, text, strlen(text));
}

static void cmd_current_thread(struct gdb *g, const char *args)
{
	put_fmt(g, "QC%x", g->cpu + 1);
}

static void cmd_attached(struct gdb *g, const char *args)
{
	put_byte(g, '1');
}

/* Longer names before their prefixes. What is not here gets the empty answer: not supported. */
static const struct {
	const char *name;
	void (*fn)(struct gdb *g, const char *args);
} commands[] = {
	{"qSupported", cmd_supported},
	{"QStartNoAckMode", cmd_no_ack},
	{"qXfer:features:read:", cmd_features},
	{"qfThreadInfo", cmd_thread_list},
	{"qsThreadInfo", cmd_thread_list_end},
	{"qThreadExtraInfo,", cmd_thread_info},
	{"qAttached", cmd_attached},
	{"qC", cmd_current_thread},
	{"vCont", cmd_vcont},
	{"vKill;", cmd_vkill},
	{"?", cmd_stop_reason},
	{"H", cmd_select},
	{"T", cmd_thread_alive},
	{"g", cmd_read_regs},
	{"G", cmd_write_regs},
	{"p", cmd_read_reg},
	{"P", cmd_write_reg},
	{"m", cmd_read_memory},
	{"M", cmd_write_memory},
	{"Z", cmd_insert},
	{"z", cmd_remove},
	{"c", cmd_continue},
	{"C", cmd_continue},
	{"s", cmd_step},
	{"S", cmd_step},
	{"D", cmd_detach},
	{"k", cmd_kill},
};

static void run_command(struct gdb *g)
{
	bool running = g->running;

	g->in[g->n_in] = 0;
	if (running) /* all-stop: only Ctrl-C has a meaning now, and it is no packet */
		return;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		size_t n = strlen(commands[i].name);

		if (strncmp(g->in, commands[i].name, n))
			continue;
		commands[i].fn(g, g->in + n);
		break;
	}
	/* What resumes is answered by the next stop; a kill by nothing. */
	if (!g->running && g->in[0] != 'k' && strncmp(g->in, "vKill", 5))
		send_reply(g);
}

/* ---- framing ---- */

static void end_of_packet(struct gdb *g)
{
	u8 want = 0, sum = 0;
	bool good = take_hex(g->sum, &want, 1) && !g->overflow;

	for (unsigned i = 0; i < g->n_in; i++)
		sum = (u8)(sum + (u8)g->in[i]);
	good = good && sum == want;
	if (!g->no_ack)
		g->ops->send(g->opaque, good ? "+" : "-", 1);
	if (good)
		run_command(g);
}

void gdb_receive(struct gdb *g, const void *buf, size_t len)
{
	const char *p = buf;

	for (; len; p++, len--)
		switch (g->state) {
		case GDB_IDLE:
			if (*p == '$') {
				g->state = GDB_DATA;
				g->n_in = 0;
				g->overflow = false;
			} else if (*p == GDB_CTRL_C && g->running) {
				g->ops->interrupt(g->opaque);
			}
			break;
		case GDB_DATA:
			if (*p == '#')
				g->state = GDB_SUM1;
			else if (g->n_in < GDB_PACKET_MAX)
				g->in[g->n_in++] = *p;
			else
				g->overflow = true;
			break;
		case GDB_SUM1:
			g->sum[0] = *p;
			g->state = GDB_SUM2;
			break;
		case GDB_SUM2:
			g->sum[1] = *p;
			g->state = GDB_IDLE;
			end_of_packet(g);
			break;
		}
}

/* ---- from the machine ---- */

void gdb_attach(struct gdb *g, const struct gdb_ops *ops, void *opaque, unsigned n_cpus)
{
	memset(g, 0, sizeof(*g));
	g->ops = ops;
	g->opaque = opaque;
	g->n_cpus = n_cpus;
	g->stop_signal = GDB_SIGTRAP;
}

void gdb_stopped(struct gdb *g, unsigned cpu, unsigned signal)
{
	if (!g->running)
		return;
	g->running = false;
	g->cpu = g->stop_cpu = cpu;
	g->stop_signal = signal;
	put_stop(g);
	send_reply(g);
	g->stop_watch = NULL;
}

void gdb_stopped_watch(struct gdb *g, unsigned cpu, u64 va)
{
	g->stop_watch = "awatch";
	g->stop_va = va;
	for (unsigned i = 0; i < g->n_watch; i++) {
		const struct dbt_watchpoint *w = &g->watch[i];

		if (va - w->va < w->len)
			g->stop_watch = !w->read ? "watch" : !w->write ? "rwatch" : "awatch";
	}
	gdb_stopped(g, cpu, GDB_SIGTRAP);
}

void gdb_exited(struct gdb *g, unsigned status)
{
	if (!g->running)
		return;
	put_fmt(g, "W%02x", status & 0xff);
	send_reply(g);
}

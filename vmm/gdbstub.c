/* SPDX-License-Identifier: MIT */
#include "vmm/gdbstub.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "vmm/gdb_proto.h"
#include "vmm/machine_internal.h"

#define SIGNAL_INT    2
#define SIGNAL_TRAP   5
#define SEND_PATIENCE 2000 /* ms: a client that does not read is gone */
#define NOBODY	      (-1)

struct gdbstub {
	struct machine *m;
	int listen_fd, client_fd;
	struct event_source *listener, *client;
	struct event_source *stop_notifier;
	_Atomic int stop_cpu; /* first vCPU with a debug exit since the last resume, or NOBODY */
	struct dbt_exit debug_exit[CONFIG_MAX_CPUS]; /* the last of each; written before stop_cpu */
	bool holding;				     /* the machine is paused for the client */
	bool broken; /* sending failed: to be dropped when back in the event loop's callback */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct gdb gdb;
};

/* ---- what the protocol asks of the machine ---- */

static struct dbt_vcpu *vcpu_of(void *opaque, unsigned cpu)
{
	return ((struct gdbstub *)opaque)->m->vcpu[cpu].dbt;
}

static int op_reg_get(void *opaque, unsigned cpu, struct dbt_reg reg, void *val)
{
	return dbt_vcpu_get_reg(vcpu_of(opaque, cpu), reg, val);
}

static int op_reg_set(void *opaque, unsigned cpu, struct dbt_reg reg, const void *val)
{
	return dbt_vcpu_set_reg(vcpu_of(opaque, cpu), reg, val);
}

static u64 op_peek(void *opaque, unsigned cpu, u64 va, void *buf, u64 len)
{
	return dbt_vcpu_peek(vcpu_of(opaque, cpu), GVA(va), buf, len);
}

static u64 op_poke(void *opaque, unsigned cpu, u64 va, const void *buf, u64 len)
{
	return dbt_vcpu_poke(vcpu_of(opaque, cpu), GVA(va), buf, len);
}

static int op_set_breakpoints(void *opaque, const u64 *va, unsigned n)
{
	return dbt_vm_set_breakpoints(((struct gdbstub *)opaque)->m->dbt, va, n);
}

static int op_set_watchpoints(void *opaque, const struct dbt_watchpoint *w, unsigned n)
{
	return dbt_vm_set_watchpoints(((struct gdbstub *)opaque)->m->dbt, w, n);
}

static void stub_hold(struct gdbstub *s)
{
	if (!s->holding)
		machine_pause(s->m);
	s->holding = true;
}

static void op_resume(void *opaque, const enum gdb_action *action)
{
	struct gdbstub *s = opaque;

	if (!s->holding)
		return;
	for (unsigned i = 0; i < s->m->n_vcpus; i++) {
		struct vcpu *v = &s->m->vcpu[i];

		dbt_vcpu_set_debug(v->dbt, action[i] == GDB_STEP);
		if (action[i] == GDB_HALT)
			atomic_fetch_or(&v->requests, VCPU_REQ_HOLD);
		else
			atomic_fetch_and(&v->requests, ~(u32)VCPU_REQ_HOLD);
	}
	atomic_store(&s->stop_cpu, NOBODY);
	s->holding = false;
	machine_resume(s->m);
}

static void report_stop(struct gdbstub *s, unsigned cpu)
{
	const struct dbt_exit *e = &s->debug_exit[cpu];

	if (e->data.debug.event == DBT_DEBUG_WATCH)
		gdb_stopped_watch(&s->gdb, cpu, e->data.debug.va);
	else
		gdb_stopped(&s->gdb, cpu, SIGNAL_TRAP);
}

static void op_interrupt(void *opaque)
{
	struct gdbstub *s = opaque;
	int cpu;

	stub_hold(s);
	cpu = atomic_load(&s->stop_cpu); /* a breakpoint was hit meanwhile */
	if (cpu == NOBODY)
		gdb_stopped(&s->gdb, s->gdb.cpu, SIGNAL_INT);
	else
		report_stop(s, (unsigned)cpu);
}

static void op_kill(void *opaque)
{
	machine_request(((struct gdbstub *)opaque)->m, MACHINE_QUIT, 0);
}

static void op_send(void *opaque, const void *buf, size_t len)
{
	struct gdbstub *s = opaque;
	const u8 *p = buf;

	while (len && !s->broken && s->client_fd >= 0) {
		ssize_t n = send(s->client_fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		struct pollfd wait = {.fd = s->client_fd, .events = POLLOUT};

		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else if (n < 0 && errno == EINTR) {
			continue;
		} else if (n == 0 || errno != EAGAIN || poll(&wait, 1, SEND_PATIENCE) != 1) {
			s->broken = true;
		}
	}
}

static const struct gdb_ops ops = {
	.reg_get = op_reg_get,
	.reg_set = op_reg_set,
	.peek = op_peek,
	.poke = op_poke,
	.set_breakpoints = op_set_breakpoints,
	.set_watchpoints = op_set_watchpoints,
	.resume = op_resume,
	.interrupt = op_interrupt,
	.kill = op_kill,
	.send = op_send,
};

/* ---- stops ---- */

void gdbstub_debug_exit(struct gdbstub *s, unsigned cpu, const struct dbt_exit *e)
{
	int nobody = NOBODY;

	s->debug_exit[cpu] = *e;
	atomic_fetch_or(&s->m->vcpu[cpu].requests, VCPU_REQ_HOLD);
	atomic_compare_exchange_strong(&s->stop_cpu, &nobody, (int)cpu);
	event_notify(s->stop_notifier);
}

static void stop_notified(void *opaque)
{
	struct gdbstub *s = opaque;
	int cpu = atomic_load(&s->stop_cpu);

	if (cpu == NOBODY || s->holding)
		return; /* told already */
	stub_hold(s);
	report_stop(s, (unsigned)cpu);
}

/* ---- the client ---- */

static void client_gone(struct gdbstub *s)
{
	enum gdb_action go[CONFIG_MAX_CPUS];

	for (unsigned i = 0; i < CONFIG_MAX_CPUS; i++)
		go[i] = GDB_CONTINUE;
	event_del(s->client);
	s->client = NULL;
	close(s->client_fd);
	s->client_fd = -1;
	stub_hold(s);
	op_set_breakpoints(s, NULL, 0);
	op_set_watchpoints(s, NULL, 0);
	op_resume(s, go);
	event_set(s->listener, EPOLLIN);
}

static void client_ready(void *opaque, u32 events)
{
	struct gdbstub *s = opaque;
	char buf[4096];
	ssize_t n = read(s->client_fd, buf, sizeof(buf));

	if (n > 0)
		gdb_receive(&s->gdb, buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		s->broken = true;
	if (s->broken)
		client_gone(s);
}

static void listener_ready(void *opaque, u32 events)
{
	struct gdbstub *s = opaque;
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	s->client = event_add(s->m->loop, fd, EPOLLIN, client_ready, s);
	if (!s->client) {
		error_report("gdb: cannot serve a client: %s", strerror(errno));
		close(fd);
		return;
	}
	event_set(s->listener, 0); /* the next one waits in the backlog */
	s->client_fd = fd;
	s->broken = false;
	gdb_attach(&s->gdb, &ops, s, s->m->n_vcpus);
	stub_hold(s);
}

/* ---- listening ---- */

static int listen_tcp(u16 port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_port = htons(port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -errno;
	/* Clients inherit it; without, each short packet waits for the answer to the last. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static int listen_unix(struct gdbstub *s, const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1)) {
		int err = -errno;

		close(fd);
		return err;
	}
	strcpy(s->path, path);
	return fd;
}

int gdbstub_create(struct machine *m, const char *spec, struct gdbstub **out)
{
	struct gdbstub *s;
	int err = 0;

	*out = NULL;
	if (!strcmp(spec, "none"))
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->m = m;
	s->client_fd = NOBODY;
	atomic_store(&s->stop_cpu, NOBODY);
	/* config/keys.c has checked the form. */
	s->listen_fd = !strncmp(spec, "tcp:", 4) ? listen_tcp((u16)strtoul(spec + 4, NULL, 10))
						 : listen_unix(s, spec + 5);
	if (s->listen_fd < 0) {
		err = s->listen_fd;
	} else {
		s->stop_notifier = event_notifier_add(m->loop, stop_notified, s);
		s->listener = event_add(m->loop, s->listen_fd, EPOLLIN, listener_ready, s);
		if (!s->listener || !s->stop_notifier)
			err = -errno;
	}
	if (err) {
		error_report("gdb: cannot listen at %s: %s", spec, strerror(-err));
		gdbstub_destroy(s, 0);
		return err;
	}
	*out = s;
	return 0;
}

void gdbstub_destroy(struct gdbstub *s, unsigned exit_status)
{
	if (!s)
		return;
	if (s->client_fd >= 0) {
		gdb_exited(&s->gdb, exit_status);
		event_del(s->client);
		close(s->client_fd);
	}
	event_del(s->listener);
	event_del(s->stop_notifier);
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	if (*s->path)
		unlink(s->path);
	free(s);
}

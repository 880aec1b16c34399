/* SPDX-License-Identifier: MIT */
/* Time marks, and everything that is counted, as JSON. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "devices/virtio/virtio.h"
#include "vmm/machine_internal.h"

#define MAX_MARKS 64

struct mark {
	const char *name; /* NULL: the guest's, by number */
	u32 number;
	u64 ns;	    /* since the start */
	u64 cpu_ns; /* used by the whole process so far: what a busy host cannot distort */
	atomic_bool ready;
};

static struct mark marks[MAX_MARKS];
static _Atomic unsigned n_marks;
static u64 start_ns;

static u64 now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

/* Before main(): what the dynamic linker took is the only part of a start that is not seen. */
__attribute__((constructor)) static void mark_start(void)
{
	start_ns = now_ns(CLOCK_MONOTONIC);
}

static void mark(const char *name, u32 number)
{
	unsigned i = atomic_fetch_add(&n_marks, 1);

	if (i >= MAX_MARKS) {
		atomic_fetch_sub(&n_marks, 1);
		return;
	}
	marks[i].name = name;
	marks[i].number = number;
	marks[i].ns = now_ns(CLOCK_MONOTONIC) - start_ns;
	marks[i].cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	atomic_store(&marks[i].ready, true);
}

void machine_mark(const char *name)
{
	mark(name, 0);
}

void machine_mark_guest(u32 number)
{
	mark(NULL, number);
}

static void write_marks(FILE *f)
{
	unsigned n = atomic_load(&n_marks);
	const char *sep = "";

	fprintf(f, "  \"marks_ns\": [");
	for (unsigned i = 0; i < n && i < MAX_MARKS; i++) {
		if (!atomic_load(&marks[i].ready))
			continue;
		fprintf(f, "%s\n    {\"name\": ", sep);
		if (marks[i].name)
			fprintf(f, "\"%s\"", marks[i].name);
		else
			fprintf(f, "\"guest-%" PRIu32 "\"", marks[i].number);
		fprintf(f, ", \"at\": %" PRIu64 ", \"cpu\": %" PRIu64 "}", marks[i].ns,
			marks[i].cpu_ns);
		sep = ",";
	}
	fprintf(f, "\n  ],\n");
}

static void write_process(FILE *f)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	fprintf(f,
		"  \"process\": {\"user_us\": %lld, \"system_us\": %lld, \"max_rss_kib\": %ld},\n",
		ru.ru_utime.tv_sec * 1000000ll + ru.ru_utime.tv_usec,
		ru.ru_stime.tv_sec * 1000000ll + ru.ru_stime.tv_usec, ru.ru_maxrss);
}

static void write_translator(const struct machine *m, FILE *f)
{
	static const char *const exits[] = {
		[DBT_EXIT_KICK] = "kick", [DBT_EXIT_WFI] = "wfi",     [DBT_EXIT_HVC] = "hvc",
		[DBT_EXIT_SMC] = "smc",	  [DBT_EXIT_DEBUG] = "debug", [DBT_EXIT_ERROR] = "error",
	};
	struct dbt_stats st = {0};

	dbt_vm_get_stats(m->dbt, &st);
#define COUNTER(name) fprintf(f, "    \"" #name "\": %" PRIu64 ",\n", st.name)
	fprintf(f, "  \"translator\": {\n");
	COUNTER(blocks_translated);
	COUNTER(insns_translated);
	COUNTER(insns_by_rule);
	COUNTER(insns_by_builder);
	COUNTER(guest_bytes);
	COUNTER(host_bytes);
	COUNTER(translate_ns);
	COUNTER(mem_misses);
	COUNTER(mem_slow);
	COUNTER(cache_flushes);
	COUNTER(chunk_evictions);
	COUNTER(exceptions);
	COUNTER(irqs);
	if (m->cfg->dbt.count_insns)
		COUNTER(insns_executed);
#undef COUNTER
	fprintf(f, "    \"exits\": {");
	for (unsigned i = 0; i < ARRAY_SIZE(exits); i++)
		fprintf(f, "%s\"%s\": %" PRIu64, i ? ", " : "", exits[i], st.exits[i]);
	fprintf(f, "}\n  },\n");
}

static void write_vcpus(const struct machine *m, FILE *f)
{
	fprintf(f, "  \"vcpus\": [");
	for (unsigned i = 0; i < m->n_vcpus; i++)
		fprintf(f, "%s{\"wfi_sleeps\": %" PRIu64 "}", i ? ", " : "", m->vcpu[i].wfi_sleeps);
	fprintf(f, "],\n");
}

static void write_devices(const struct machine *m, FILE *f)
{
	const char *sep = "";

	fprintf(f, "  \"virtio\": {");
	for (unsigned i = 0; i < m->n_devices; i++) {
		struct virtio_stats *st;

		if (m->device[i]->ops != &virtio_mmio_ops)
			continue;
		st = &virtio_from_device(m->device[i])->stats;
		/* Ids are letters, digits and -_. by config/keys.c: no escaping needed. */
		fprintf(f,
			"%s\n    \"%s\": {\"kicks\": %" PRIu64 ", \"interrupts\": %" PRIu64
			", \"chains\": %" PRIu64 ", \"guest_errors\": %" PRIu64 "}",
			sep, m->device[i]->id, atomic_load(&st->kicks),
			atomic_load(&st->interrupts), atomic_load(&st->chains),
			atomic_load(&st->guest_errors));
		sep = ",";
	}
	fprintf(f, "\n  }\n");
}

void machine_write_stats(struct machine *m, FILE *f)
{
	static const char *const why[] = {
		[MACHINE_RUNNING] = "running",	[MACHINE_POWEROFF] = "poweroff",
		[MACHINE_RESET] = "reset",	[MACHINE_PANIC] = "panic",
		[MACHINE_QUIT] = "quit",	[MACHINE_SIGNAL] = "signal",
		[MACHINE_HOST_ERROR] = "error",
	};

	fprintf(f, "{\n  \"version\": \"" ARMATURE_VERSION "\",\n  \"exit\": \"%s\",\n",
		why[machine_requested(m)]);
	write_marks(f);
	write_process(f);
	write_translator(m, f);
	/* Per-rule and per-encoding counts: the translator writes the members itself. */
	fprintf(f, "  \"uses\": {\n");
	dbt_vm_dump_stats(m->dbt, f);
	fprintf(f, "\n  },\n");
	write_vcpus(m, f);
	write_devices(m, f);
	fprintf(f, "}\n");
}

void machine_write_profile(struct machine *m, FILE *f)
{
	dbt_vm_dump_profile(m->dbt, f);
}

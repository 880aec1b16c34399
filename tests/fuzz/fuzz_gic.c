/* SPDX-License-Identifier: MIT */
/* Any sequence of register accesses, line changes, saves and loads, on both GIC versions. */
#include <string.h>

#include "devices/gic_internal.h"
#include "tests/fuzz/fuzz_input.h"

static const u32 icc[] = {
#define ICC(crn, crm, op2) (3u << 14 | (crn) << 7 | (crm) << 3 | (op2))
	ICC(4, 6, 0),	ICC(12, 8, 0),	ICC(12, 8, 1),	ICC(12, 8, 2),	ICC(12, 8, 3),
	ICC(12, 8, 4),	ICC(12, 9, 0),	ICC(12, 11, 1), ICC(12, 11, 3), ICC(12, 11, 5),
	ICC(12, 11, 6), ICC(12, 11, 7), ICC(12, 12, 0), ICC(12, 12, 1), ICC(12, 12, 2),
	ICC(12, 12, 3), ICC(12, 12, 4), ICC(12, 12, 5), ICC(12, 12, 6), ICC(12, 12, 7),
};

struct step {
	u8 what, cpu;
	u16 where;
	u32 val;
};

static struct gic *g;
static bool line[GIC_MAX_CPUS][2];

static void cpu_line(void *opaque, unsigned cpu, enum gic_line l, bool level)
{
	line[cpu][l] = level;
}

/* A line is up exactly when an acknowledge would find something. */
static void check(unsigned cpus)
{
	for (unsigned i = 0; i < cpus; i++) {
		bool irq = g->out[i].irq, fiq = g->out[i].fiq;

		gic_update(g, i); /* changes nothing when every change was followed up */
		if (irq != g->out[i].irq || fiq != g->out[i].fiq || irq != line[i][0] ||
		    fiq != line[i][1] || (irq && fiq))
			abort();
	}
}

static void play(const struct step *s, unsigned cpus)
{
	struct device *dist = gic_dist_device(g), *cpu_dev = gic_cpu_device(g);
	static u8 record[sizeof(struct gic_state)];
	unsigned cpu = s->cpu % cpus, size = 1u << (s->cpu >> 6);
	u64 off = g->s.version == 3 ? (u64)s->where << 3 : s->where, val;
	struct irq_line l = gic_spi(g, s->where % (GIC_N_SPIS + 2));
	ssize_t n;

	gic_bind_thread(cpu);
	switch (s->what % 10) {
	case 0:
	case 1: dist->ops->mmio_write(dist, s->where, size, s->val * 0x100000001ull); break;
	case 2: dist->ops->mmio_read(dist, s->where, size, &val); break;
	case 3:
		cpu_dev->ops->mmio_write(cpu_dev, off % (cpus * GICV3_REDIST_SIZE), size, s->val);
		break;
	case 4:
		cpu_dev->ops->mmio_read(cpu_dev, off % (cpus * GICV3_REDIST_SIZE), size, &val);
		break;
	case 5:
		gic_sysreg_write(g, cpu, icc[s->where % ARRAY_SIZE(icc)], s->val * 0x100000001ull);
		break;
	case 6: gic_sysreg_read(g, cpu, icc[s->where % ARRAY_SIZE(icc)], &val); break;
	case 7: irq_set(&l, s->val & 1); break;
	case 8: gic_set_ppi(g, cpu, 16 + s->where % 16, s->val & 1); break;
	case 9:
		n = dist->ops->save(dist, record, sizeof(record));
		if (n < 0)
			abort();
		record[s->val % (size_t)n] ^= (u8)s->where;
		dist->ops->load(dist, 1, record, (size_t)n);
		break;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct gic_params p = {.cpu_line = cpu_line};
	struct step s;

	if (len < 2)
		return 0;
	p.version = 2 + (data[0] & 1);
	p.n_cpus = 1 + data[1] % (p.version == 2 ? 8 : 20);
	memset(line, 0, sizeof(line));
	if (gic_create(&p, &g))
		abort();
	for (size_t at = 2; at + sizeof(s) <= len; at += sizeof(s)) {
		memcpy(&s, data + at, sizeof(s));
		play(&s, p.n_cpus);
		check(p.n_cpus);
	}
	gic_dist_device(g)->ops->destroy(gic_dist_device(g));
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* The whole machine around a scripted CPU: device tree, interrupts, WFI, PSCI, pause, reset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <libfdt.h>

#include "tests/unit/fake_dbt.h"
#include "vmm/machine_internal.h"
#include "vmm/memory_map.h"

#define ICC_IAR1    SYSREG_ID(3, 0, 12, 12, 0)
#define ICC_EOIR1   SYSREG_ID(3, 0, 12, 12, 1)
#define ICC_PMR	    SYSREG_ID(3, 0, 4, 6, 0)
#define ICC_IGRPEN1 SYSREG_ID(3, 0, 12, 12, 7)
#define ICC_SGI1R   SYSREG_ID(3, 0, 12, 11, 5)
#define CNTV_TVAL   SYSREG_ID(3, 3, 14, 3, 0)
#define CNTV_CTL    SYSREG_ID(3, 3, 14, 3, 1)
#define CNTV_CVAL   SYSREG_ID(3, 3, 14, 3, 2)

static char dir[] = "/tmp/armature-machine-XXXXXX";
static char kernel[64], output[64];

struct fixture {
	struct event_loop *loop;
	struct vm_config cfg;
	struct machine *m;
};

static void write_file(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

/* A machine from options as on the command line. */
static void start_with(struct fixture *f, const char *const *sets)
{
	struct config_doc *doc = config_doc_new();
	char serial[80];

	snprintf(serial, sizeof(serial), "file=%s", output);
	unlink(output);
	assert_int_equal(config_doc_set(doc, "boot.kernel", kernel, "test"), 0);
	assert_int_equal(config_doc_set(doc, "serial", serial, "test"), 0);
	assert_int_equal(config_doc_set(doc, "rng", "false", "test"), 0);
	assert_int_equal(config_doc_set(doc, "sandbox", "off", "test"), 0);
	for (; *sets; sets += 2)
		assert_int_equal(config_doc_set(doc, sets[0], sets[1], "test"), 0);
	assert_int_equal(config_parse(doc, CONFIG_CHECK_FILES, &f->cfg), 0);
	config_doc_free(doc);
	assert_int_equal(event_loop_create(&f->loop), 0);
	assert_int_equal(machine_create(&f->cfg, f->loop, &f->m), 0);
}

static void finish(struct fixture *f)
{
	machine_stop(f->m);
	machine_destroy(f->m);
	event_loop_destroy(f->loop);
	config_free(&f->cfg);
}

/* Starts the machine; what it asks for in the end. */
static enum machine_request run(struct fixture *f)
{
	assert_int_equal(machine_start(f->m), 0);
	assert_int_equal(event_loop_run(f->loop), 0);
	return machine_requested(f->m);
}

static void call(struct dbt_exit *e, struct dbt_vcpu *cpu, u64 fn, u64 a, u64 b, u64 c)
{
	cpu->x[0] = fn;
	cpu->x[1] = a;
	cpu->x[2] = b;
	cpu->x[3] = c;
	e->reason = DBT_EXIT_HVC;
}

static const char *const no_sets[] = {NULL};

/* ---- entry, console, power-off ---- */

static void hello_guest(struct dbt_vcpu *cpu, struct dbt_exit *e)
{
	for (const char *s = "hello\n"; *s; s++)
		guest_store(cpu, MAP_UART, 1, (u8)*s);
	call(e, cpu, 0x84000008, 0, 0, 0);
}

static void test_hello_and_poweroff(void **state)
{
	struct fixture f;
	char buf[32] = "";
	FILE *out;

	fake_guest = hello_guest;
	start_with(&f, no_sets);
	assert_int_equal(f.m->layout.entry, MAP_RAM + 0x80000);
	assert_int_equal(run(&f), MACHINE_POWEROFF);
	assert_int_equal(machine_exit_status(f.m), 0);
	finish(&f);
	out = fopen(output, "r");
	assert_non_null(out);
	assert_non_null(fgets(buf, sizeof(buf), out));
	fclose(out);
	assert_string_equal(buf, "hello\n");
}

/* The tree the guest gets is complete and where x0 says. */
static void test_tree_in_memory(void **state)
{
	static const char *const sets[] = {"boot.cmdline", "console=ttyAMA0 quiet", NULL};
	const u8 zero[32] = {0};
	struct fixture f;
	const void *fdt, *seed;
	int node, len;

	start_with(&f, sets);
	fdt = guest_slice(&f.m->mem, GPA(f.m->layout.dtb), fdt_totalsize(f.m->fdt));
	assert_non_null(fdt);
	assert_int_equal(fdt_check_full(fdt, fdt_totalsize(fdt)), 0);
	node = fdt_path_offset(fdt, "/chosen");
	assert_string_equal(fdt_getprop(fdt, node, "bootargs", NULL), "console=ttyAMA0 quiet");
	assert_string_equal(fdt_getprop(fdt, node, "stdout-path", NULL), "/pl011@9000000");
	seed = fdt_getprop(fdt, node, "rng-seed", &len);
	assert_int_equal(len, 32);
	assert_memory_not_equal(seed, zero, 32);
	finish(&f);
}

/* ---- timer interrupt out of WFI ---- */

static u64 woke_after;

static void timer_guest(struct dbt_vcpu *cpu, struct dbt_exit *e)
{
	u64 gicr = MAP_GICR, intid;

	switch (cpu->step++) {
	case 0:
		guest_store(cpu, MAP_GICD, 4, 2);
		guest_store(cpu, gicr + 0x14, 4, 0);
		guest_store(cpu, gicr + 0x10080, 4, ~0u);
		guest_store(cpu, gicr + 0x10100, 4, BIT(27));
		guest_msr(cpu, ICC_PMR, 0xf0);
		guest_msr(cpu, ICC_IGRPEN1, 1);
		guest_msr(cpu, CNTV_TVAL, 20000000);
		guest_msr(cpu, CNTV_CTL, 1);
		woke_after = dbt_vm_clock(cpu->vm);
		e->reason = DBT_EXIT_WFI;
		break;
	default:
		if (!dbt_vcpu_has_irq(cpu)) {
			e->reason = DBT_EXIT_WFI;
			break;
		}
		woke_after = dbt_vm_clock(cpu->vm) - woke_after;
		intid = guest_mrs(cpu, ICC_IAR1);
		guest_msr(cpu, CNTV_CTL, 0);
		guest_msr(cpu, ICC_EOIR1, intid);
		call(e, cpu, intid == 27 && !dbt_vcpu_has_irq(cpu) ? 0x84000008 : 0x84000009, 0, 0,
		     0);
	}
}

static void test_timer_wakes_wfi(void **state)
{
	struct fixture f;

	fake_guest = timer_guest;
	start_with(&f, no_sets);
	assert_int_equal(run(&f), MACHINE_POWEROFF);
	assert_in_range(woke_after, 19000000, 10000000000); /* a busy host may be late */
	finish(&f);
}

/* A CPU that runs on gets its timer from the main loop. */
static void busy_guest(struct dbt_vcpu *cpu, struct dbt_exit *e)
{
	if (!cpu->step) {
		timer_guest(cpu, e);
		e->reason = DBT_EXIT_KICK;
	} else if (dbt_vcpu_has_irq(cpu)) {
		timer_guest(cpu, e);
	} else {
		usleep(1000);
	}
}

static void test_timer_interrupts_running(void **state)
{
	struct fixture f;

	fake_guest = busy_guest;
	start_with(&f, no_sets);
	assert_int_equal(run(&f), MACHINE_POWEROFF);
	assert_in_range(woke_after, 19000000, 10000000000); /* a busy host may be late */
	finish(&f);
}

/* ---- SMP: CPU_ON, SGI, CPU_OFF ---- */

static _Atomic int sgi_seen, off_code;

static void secondary(struct dbt_vcpu *cpu, struct dbt_exit *e)
{
	switch (cpu->step++) {
	case 0:
		if (cpu->pc != MAP_RAM + 0x1000 || cpu->x[0] != 77)
			abort();
		guest_store(cpu, MAP_GICR + 0x20000 + 0x10080, 4, ~0u);
		guest_store(cpu, MAP_GICR + 0x20000 + 0x10100, 4, BIT(5));
		guest_msr(cpu, ICC_PMR, 0xf0);
		guest_msr(cpu, ICC_IGRPEN1, 1);
		atomic_store(&sgi_seen, 1);
		e->reason = DBT_EXIT_WFI;
		break;
	default:
		if (!dbt_vcpu_has_irq(cpu)) {
			e->reason = DBT_EXIT_WFI;
			break;
		}
		if (guest_mrs(cpu, ICC_IAR1) != 5)
			abort();
		guest_msr(cpu, ICC_EOIR1, 5);
		call(e, cpu, 0x84000002, 0, 0, 0);
	}
}

static void smp_guest(struct dbt_vcpu *cpu, struct dbt_exit *e)
{
	if (cpu->index) {
		secondary(cpu, e);
		return;
	}
	switch ((unsigned)cpu->step) {
	case 0:
		guest_store(cpu, MAP_GICD, 4, 2);
		call(e, cpu, 0xc4000003, 1, MAP_RAM + 0x1000, 77);
		break;
	case 1:
		if (cpu->x[0])
			abort();
		call(e, cpu, 0xc4000003, 1, MAP_RAM + 0x1000, 77);
		break;
	case 2:
		if ((s64)cpu->x[0] != -4 && (s64)cpu->x[0] != -5)
			abort();
		if (!atomic_load(&sgi_seen)) {
			usleep(1000);
			return; /* until the other has set itself up */
		}
		guest_msr(cpu, ICC_SGI1R, 5ull << 24 | BIT(1));
		break;
	default: /* wait for it to be off */
		if (cpu->step > 3)
			atomic_store(&off_code, (int)cpu->x[0]);
		if (atomic_load(&off_code) == 1)
			call(e, cpu, 0x84000008, 0, 0, 0);
		else
			call(e, cpu, 0xc4000004, 1, 0, 0);
	}
	cpu->step++;
}

static void test_smp(void **state)
{
	static const char *const sets[] = {"machine.cpus", "2", NULL};
	struct fixture f;

	fake_guest = smp_guest;
	start_with(&f, sets);
	assert_int_equal(run(&f), MACHINE_POWEROFF);
	finish(&f);
}

/* ---- idle, pause, requests ---- */

static void idle_guest(struct dbt_vcpu *cpu, struct dbt_exit *e)
{
	e->reason = DBT_EXIT_WFI;
	cpu->step++;
}

static void stop_loop(void *opaque)
{
	event_loop_stop(opaque);
}

static u64 cpu_time_us(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (u64)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000u +
	       (u64)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
}

static void test_idle_costs_nothing(void **state)
{
	static const char *const sets[] = {"machine.cpus", "4", NULL};
	struct event_source *timer;
	struct fixture f;
	u64 used;

	fake_guest = idle_guest;
	start_with(&f, sets);
	assert_int_equal(machine_start(f.m), 0);
	timer = event_timer_add(f.loop, stop_loop, f.loop);
	event_timer_set(timer, 300000000);
	used = cpu_time_us();
	assert_int_equal(event_loop_run(f.loop), 0);
	used = cpu_time_us() - used;
	assert_in_range(used, 0, 6000); /* 2 % of 300 ms */
	event_del(timer);
	finish(&f);
}

static void test_pause_stops_vcpus(void **state)
{
	struct fixture f;
	unsigned step;

	fake_guest = idle_guest;
	start_with(&f, no_sets);
	assert_int_equal(machine_start(f.m), 0);
	for (int i = 0; i < 50; i++) {
		machine_pause(f.m);
		machine_pause(f.m);
		step = f.m->vcpu[0].dbt->step;
		vcpu_set_line(f.m, 0, GIC_LINE_IRQ, true);
		usleep(200);
		assert_int_equal(f.m->vcpu[0].dbt->step, step);
		machine_resume(f.m);
		usleep(100);
		assert_int_equal(f.m->vcpu[0].dbt->step, step);
		machine_resume(f.m);
		/* The line is high: WFI returns at once, again and again. */
		while (f.m->vcpu[0].dbt->step == step)
			usleep(10);
		vcpu_set_line(f.m, 0, GIC_LINE_IRQ, false);
	}
	finish(&f);
}

static void reset_guest(struct dbt_vcpu *cpu, struct dbt_exit *e)
{
	/* The image is fresh each time; spoil it before asking for the reset. */
	u8 *image = cpu->vm->ram + 0x80000;

	if (memcmp(image, "flat", 4) || cpu->pc != MAP_RAM + 0x80000)
		abort();
	memset(image, 0xee, 4);
	guest_store(cpu, MAP_UART + 0x24, 4, 5); /* IBRD */
	call(e, cpu, cpu->resets < 3 ? 0x84000009 : 0x84000008, 0, 0, 0);
}

static void test_reset_restarts(void **state)
{
	static const char *const sets[] = {"machine.on_reset", "restart", NULL};
	struct fixture f;
	u64 val;

	fake_guest = reset_guest;
	start_with(&f, sets);
	assert_int_equal(machine_start(f.m), 0);
	for (unsigned i = 1; i < 3; i++) {
		assert_int_equal(event_loop_run(f.loop), 0);
		assert_int_equal(machine_requested(f.m), MACHINE_RESET);
		assert_int_equal(machine_exit_status(f.m), EXIT_STATUS_RESET);
		val = 1;
		f.m->serial->ops->mmio_read(f.m->serial, 0x24, 4, &val);
		assert_int_equal(val, 5);
		assert_int_equal(machine_reset(f.m), 0);
		assert_int_equal(fake_vm->flushes, i);
	}
	assert_int_equal(event_loop_run(f.loop), 0);
	assert_int_equal(machine_requested(f.m), MACHINE_POWEROFF);
	finish(&f);
}

static void panic_guest(struct dbt_vcpu *cpu, struct dbt_exit *e)
{
	if (!cpu->step++) {
		guest_store(cpu, MAP_MARKER, 4, 42);
		guest_store(cpu, MAP_PVPANIC, 1, 1);
	}
	e->reason = DBT_EXIT_WFI;
}

static void test_panic_and_stats(void **state)
{
	struct fixture f;
	char text[4096] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	fake_guest = panic_guest;
	start_with(&f, no_sets);
	assert_int_equal(run(&f), MACHINE_PANIC);
	assert_int_equal(machine_exit_status(f.m), EXIT_STATUS_PANIC);
	machine_stop(f.m);
	machine_write_stats(f.m, out);
	fclose(out);
	assert_non_null(strstr(text, "\"exit\": \"panic\""));
	assert_non_null(strstr(text, "\"guest-42\""));
	assert_non_null(strstr(text, "\"vcpu_start\""));
	finish(&f);
}

static void error_guest(struct dbt_vcpu *cpu, struct dbt_exit *e)
{
	e->reason = DBT_EXIT_ERROR;
	e->data.error.what = "the test says so";
	e->data.error.pc = 0x1234;
}

static void test_engine_error(void **state)
{
	struct fixture f;

	fake_guest = error_guest;
	start_with(&f, no_sets);
	assert_int_equal(machine_start(f.m), 0);
	assert_int_equal(event_loop_run(f.loop), 0);
	assert_int_equal(machine_exit_status(f.m), EXIT_STATUS_HOST);
	finish(&f);
}

/* ---- trees of the user ---- */

static int create_with_tree(const char *path, unsigned cpus, char *err, size_t cap)
{
	struct config_doc *doc = config_doc_new();
	char *n = cpus == 1 ? "1" : "2";
	int saved = dup(2), pipefd[2], ret;
	struct fixture f = {0};
	ssize_t got;

	assert_int_equal(config_doc_set(doc, "boot.kernel", kernel, "test"), 0);
	assert_int_equal(config_doc_set(doc, "device_tree", path, "test"), 0);
	assert_int_equal(config_doc_set(doc, "serial", "none", "test"), 0);
	assert_int_equal(config_doc_set(doc, "rng", "false", "test"), 0);
	assert_int_equal(config_doc_set(doc, "sandbox", "off", "test"), 0);
	assert_int_equal(config_doc_set(doc, "machine.cpus", n, "test"), 0);
	assert_int_equal(config_parse(doc, 0, &f.cfg), 0);
	config_doc_free(doc);
	assert_int_equal(event_loop_create(&f.loop), 0);
	assert_int_equal(pipe(pipefd), 0);
	dup2(pipefd[1], 2);
	close(pipefd[1]);
	ret = machine_create(&f.cfg, f.loop, &f.m);
	dup2(saved, 2);
	close(saved);
	got = read(pipefd[0], err, cap - 1);
	err[got > 0 ? got : 0] = 0;
	close(pipefd[0]);
	if (!ret)
		machine_destroy(f.m);
	event_loop_destroy(f.loop);
	config_free(&f.cfg);
	return ret;
}

/* Our own tree, saved and given back by the user, makes the same machine; then variations of it. */
static void test_user_tree(void **state)
{
	struct vm_config cfg = {.machine = {.cpus = 1, .memory = 512 << 20, .gic = 3}};
	char path[64], err[512], *buf = malloc(0x20000);
	void *fdt = fdt_build(&cfg, NULL, 0);
	int node;

	snprintf(path, sizeof(path), "%s/board.dtb", dir);
	assert_non_null(fdt);
	write_file(path, fdt, fdt_totalsize(fdt));
	assert_int_equal(create_with_tree(path, 1, err, sizeof(err)), 0);
	assert_string_equal(err, "");

	assert_int_not_equal(create_with_tree(path, 2, err, sizeof(err)), 0);
	assert_non_null(strstr(err, "1 CPUs under /cpus, but machine.cpus is 2"));

	assert_int_equal(fdt_open_into(fdt, buf, 0x20000), 0);
	node = fdt_add_subnode(buf, 0, "dma@9100000");
	fdt_setprop_string(buf, node, "compatible", "acme,dma");
	write_file(path, buf, fdt_totalsize(buf));
	assert_int_not_equal(create_with_tree(path, 1, err, sizeof(err)), 0);
	assert_non_null(strstr(err, "node /dma@9100000 (compatible \"acme,dma\")"));

	fdt_setprop_string(buf, fdt_path_offset(buf, "/dma@9100000"), "status", "disabled");
	write_file(path, buf, fdt_totalsize(buf));
	assert_int_equal(create_with_tree(path, 1, err, sizeof(err)), 0);

	node = fdt_add_subnode(buf, 0, "virtio_mmio@a000000");
	fdt_setprop_string(buf, node, "compatible", "virtio,mmio");
	fdt_setprop_u64(buf, node, "reg", 0xa000000);
	fdt_appendprop_u64(buf, node, "reg", 0x200);
	write_file(path, buf, fdt_totalsize(buf));
	assert_int_equal(create_with_tree(path, 1, err, sizeof(err)), 0); /* an empty slot */
	fdt_setprop_string(buf, node, "armature,backend", "nobody");
	write_file(path, buf, fdt_totalsize(buf));
	assert_int_not_equal(create_with_tree(path, 1, err, sizeof(err)), 0);
	assert_non_null(strstr(err, "armature,backend \"nobody\""));

	fdt_setprop_string(buf, node, "compatible", "arm,pl011"); /* without interrupts */
	fdt_delprop(buf, node, "armature,backend");
	write_file(path, buf, fdt_totalsize(buf));
	assert_int_not_equal(create_with_tree(path, 1, err, sizeof(err)), 0);
	assert_non_null(strstr(err, "interrupts property is missing"));

	write_file(path, buf, 64);
	assert_int_not_equal(create_with_tree(path, 1, err, sizeof(err)), 0);
	assert_non_null(strstr(err, "not a valid flattened device tree"));
	free(buf);
	free(fdt);
}

static int setup(void **state)
{
	u8 image[64] = "flat image";

	if (!mkdtemp(dir))
		return -1;
	snprintf(kernel, sizeof(kernel), "%s/kernel", dir);
	snprintf(output, sizeof(output), "%s/output", dir);
	write_file(kernel, image, sizeof(image));
	return 0;
}

static int teardown(void **state)
{
	char cmd[80];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello_and_poweroff),
		cmocka_unit_test(test_tree_in_memory),
		cmocka_unit_test(test_timer_wakes_wfi),
		cmocka_unit_test(test_timer_interrupts_running),
		cmocka_unit_test(test_smp),
		cmocka_unit_test(test_idle_costs_nothing),
		cmocka_unit_test(test_pause_stops_vcpus),
		cmocka_unit_test(test_reset_restarts),
		cmocka_unit_test(test_panic_and_stats),
		cmocka_unit_test(test_engine_error),
		cmocka_unit_test(test_user_tree),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: MIT */
/* Configuration -> device tree, and the parts of /chosen that depend on the boot. */
#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "devices/pl011.h"
#include "devices/pl031.h"
#include "vmm/machine_internal.h"
#include "vmm/memory_map.h"

#define TREE_SIZE   0x10000
#define CHOSEN_ROOM 4096 /* beside the command line */

enum { PHANDLE_GIC = 1, PHANDLE_CLOCK = 2, PHANDLE_L2 = 3 };
enum { IRQ_SPI = 0, IRQ_PPI = 1 };
#define IRQ_LEVEL_HIGH 4

/* The sequential writer's errors stick: checked once, at the end. */
struct tree {
	void *fdt;
	int err;
};

static void check(struct tree *t, int err)
{
	if (err < 0 && !t->err)
		t->err = err;
}

static void begin(struct tree *t, const char *name, u64 unit)
{
	char buf[64];

	snprintf(buf, sizeof(buf), unit ? "%s@%llx" : "%s", name, (unsigned long long)unit);
	check(t, fdt_begin_node(t->fdt, buf));
}

static void end(struct tree *t)
{
	check(t, fdt_end_node(t->fdt));
}

static void prop(struct tree *t, const char *name, const void *val, size_t len)
{
	check(t, fdt_property(t->fdt, name, val, (int)len));
}

static void prop_string(struct tree *t, const char *name, const char *val)
{
	prop(t, name, val, strlen(val) + 1);
}

static void prop_cells(struct tree *t, const char *name, const u32 *cells, unsigned n)
{
	fdt32_t be[32];

	for (unsigned i = 0; i < n; i++)
		be[i] = cpu_to_fdt32(cells[i]);
	prop(t, name, be, n * sizeof(be[0]));
}
#define CELLS(t, name, ...) \
	prop_cells(t, name, (const u32[]){__VA_ARGS__}, sizeof((u32[]){__VA_ARGS__}) / sizeof(u32))
#define HI_LO(v) (u32)((u64)(v) >> 32), (u32)(v)

static void prop_reg(struct tree *t, u64 base, u64 size)
{
	CELLS(t, "reg", HI_LO(base), HI_LO(size));
}

/* kind: "", "i-" or "d-" */
static void prop_cache(struct tree *t, const char *kind, u32 size, u32 ways)
{
	const u32 line = 64;
	const struct {
		const char *name;
		u32 value;
	} props[] = {{"size", size}, {"line-size", line}, {"sets", size / line / ways}};

	for (size_t i = 0; i < ARRAY_SIZE(props); i++) {
		char name[32];

		snprintf(name, sizeof(name), "%scache-%s", kind, props[i].name);
		CELLS(t, name, props[i].value);
	}
}

/*
 * The caches of CLIDR_EL1 and CCSIDR_EL1 (get_ccsidr), of which Linux shows sizes only if they
 * stand here. They describe no host. L2 is everybody's: the scheduler moves tasks most freely among
 * CPUs that share one.
 */
static void build_cpus(struct tree *t, const struct vm_config *cfg)
{
	begin(t, "cpus", 0);
	CELLS(t, "#address-cells", 1);
	CELLS(t, "#size-cells", 0);
	for (unsigned i = 0; i < cfg->machine.cpus; i++) {
		u32 mpidr = (i / 16) << 8 | i % 16;
		char name[16];

		snprintf(name, sizeof(name), "cpu@%x", mpidr);
		begin(t, name, 0);
		prop_string(t, "device_type", "cpu");
		prop_string(t, "compatible", "arm,armv8");
		prop_string(t, "enable-method", "psci");
		CELLS(t, "reg", mpidr);
		prop_cache(t, "i-", 64 << 10, 4);
		prop_cache(t, "d-", 64 << 10, 4);
		CELLS(t, "next-level-cache", PHANDLE_L2);
		end(t);
	}
	begin(t, "l2-cache", 0);
	CELLS(t, "phandle", PHANDLE_L2);
	prop_string(t, "compatible", "cache");
	CELLS(t, "cache-level", 2);
	prop(t, "cache-unified", NULL, 0);
	prop_cache(t, "", 1 << 20, 8);
	end(t);
	end(t);
}

static void build_gic(struct tree *t, const struct vm_config *cfg)
{
	begin(t, "intc", MAP_GICD);
	CELLS(t, "phandle", PHANDLE_GIC);
	CELLS(t, "#interrupt-cells", 3);
	prop(t, "interrupt-controller", NULL, 0);
	if (cfg->machine.gic == 3) {
		prop_string(t, "compatible", "arm,gic-v3");
		CELLS(t, "#redistributor-regions", 1);
		CELLS(t, "reg", HI_LO(MAP_GICD), HI_LO(MAP_GICD_SIZE), HI_LO(MAP_GICR),
		      HI_LO(cfg->machine.cpus * GICV3_REDIST_SIZE));
	} else {
		prop_string(t, "compatible", "arm,cortex-a15-gic");
		CELLS(t, "reg", HI_LO(MAP_GICD), HI_LO(MAP_GICD_SIZE), HI_LO(MAP_GICC),
		      HI_LO(MAP_GICC_SIZE));
	}
	end(t);
}

static void build_timer(struct tree *t, const struct vm_config *cfg)
{
	/* GICv2's PPI flags also carry the mask of CPUs. */
	u32 flags = IRQ_LEVEL_HIGH;

	if (cfg->machine.gic == 2)
		flags |= (u32)(BIT(cfg->machine.cpus) - 1) << 8;
	begin(t, "timer", 0);
	prop_string(t, "compatible", "arm,armv8-timer");
	prop(t, "always-on", NULL, 0);
	/* Secure and non-secure EL1 physical, virtual, EL2: only the second and third exist. */
	CELLS(t, "interrupts", IRQ_PPI, 13, flags, IRQ_PPI, GTIMER_PPI_PHYS - 16, flags, IRQ_PPI,
	      GTIMER_PPI_VIRT - 16, flags, IRQ_PPI, 10, flags);
	end(t);
}

static void build_pmu(struct tree *t, const struct vm_config *cfg)
{
	u32 flags = IRQ_LEVEL_HIGH;

	if (cfg->machine.gic == 2)
		flags |= (u32)(BIT(cfg->machine.cpus) - 1) << 8;
	begin(t, "pmu", 0);
	prop_string(t, "compatible", "arm,armv8-pmuv3");
	CELLS(t, "interrupts", IRQ_PPI, PMU_PPI - 16, flags);
	end(t);
}

static void build_primecell(struct tree *t, const char *name, const char *compatible, u64 base,
			    u32 spi, const char *clock_names, size_t names_len)
{
	char both[64];
	size_t n = strlen(compatible) + 1;

	memcpy(both, compatible, n);
	memcpy(both + n, "arm,primecell", sizeof("arm,primecell"));
	begin(t, name, base);
	prop(t, "compatible", both, n + sizeof("arm,primecell"));
	prop_reg(t, base, 0x1000);
	CELLS(t, "interrupts", IRQ_SPI, spi, IRQ_LEVEL_HIGH);
	prop(t, "clock-names", clock_names, names_len);
	if (names_len > sizeof("apb_pclk"))
		CELLS(t, "clocks", PHANDLE_CLOCK, PHANDLE_CLOCK);
	else
		CELLS(t, "clocks", PHANDLE_CLOCK);
}

static void build_platform(struct tree *t)
{
	static const char uart_clocks[] = "uartclk\0apb_pclk", rtc_clocks[] = "apb_pclk";

	begin(t, "apb-pclk", 0);
	CELLS(t, "phandle", PHANDLE_CLOCK);
	prop_string(t, "compatible", "fixed-clock");
	CELLS(t, "#clock-cells", 0);
	CELLS(t, "clock-frequency", 24000000);
	prop_string(t, "clock-output-names", "clk24mhz");
	end(t);
	build_primecell(t, "pl011", "arm,pl011", MAP_UART, MAP_SPI_UART, uart_clocks,
			sizeof(uart_clocks));
	prop_string(t, "armature,backend", "serial");
	end(t);
	build_primecell(t, "pl031", "arm,pl031", MAP_RTC, MAP_SPI_RTC, rtc_clocks,
			sizeof(rtc_clocks));
	end(t);
	begin(t, "pvpanic", MAP_PVPANIC);
	prop_string(t, "compatible", "qemu,pvpanic-mmio");
	prop_reg(t, MAP_PVPANIC, 2);
	end(t);
	begin(t, "marker", MAP_MARKER);
	prop_string(t, "compatible", "armature,marker");
	prop_reg(t, MAP_MARKER, 0x1000);
	end(t);
}

static void build_virtio(struct tree *t, const struct backend *backends, unsigned n)
{
	unsigned slot = 0;

	for (unsigned i = 0; i < n; i++) {
		u64 base = MAP_VIRTIO + slot * MAP_VIRTIO_STEP;

		if (backends[i].kind == BACKEND_SERIAL)
			continue;
		begin(t, "virtio_mmio", base);
		prop_string(t, "compatible", "virtio,mmio");
		prop_reg(t, base, MAP_VIRTIO_STEP);
		CELLS(t, "interrupts", IRQ_SPI, MAP_SPI_VIRTIO + slot, IRQ_LEVEL_HIGH);
		prop(t, "dma-coherent", NULL, 0);
		prop_string(t, "armature,backend", backends[i].id);
		end(t);
		slot++;
	}
}

void *fdt_build(const struct vm_config *cfg, const struct backend *backends, unsigned n)
{
	static const char compatible[] = "armature,virt\0linux,dummy-virt";
	struct tree t = {.fdt = malloc(TREE_SIZE)};

	if (!t.fdt)
		return NULL;
	check(&t, fdt_create(t.fdt, TREE_SIZE));
	check(&t, fdt_finish_reservemap(t.fdt));
	begin(&t, "", 0);
	prop(&t, "compatible", compatible, sizeof(compatible));
	prop_string(&t, "model", "armature virt");
	CELLS(&t, "#address-cells", 2);
	CELLS(&t, "#size-cells", 2);
	CELLS(&t, "interrupt-parent", PHANDLE_GIC);
	begin(&t, "aliases", 0);
	prop_string(&t, "serial0", "/pl011@9000000");
	end(&t);
	begin(&t, "chosen", 0);
	prop_string(&t, "stdout-path", "/pl011@9000000");
	end(&t);
	begin(&t, "memory", MAP_RAM);
	prop_string(&t, "device_type", "memory");
	prop_reg(&t, MAP_RAM, cfg->machine.memory);
	end(&t);
	build_cpus(&t, cfg);
	begin(&t, "psci", 0);
	prop(&t, "compatible", "arm,psci-1.0\0arm,psci-0.2", sizeof("arm,psci-1.0\0arm,psci-0.2"));
	prop_string(&t, "method", "hvc");
	end(&t);
	build_gic(&t, cfg);
	build_timer(&t, cfg);
	build_pmu(&t, cfg);
	build_platform(&t);
	build_virtio(&t, backends, n);
	end(&t);
	check(&t, fdt_finish(t.fdt));
	if (t.err) { /* 64 CPUs and 32 devices fit twice: only a bug gets here */
		error_report("cannot build the device tree: %s", fdt_strerror(t.err));
		free(t.fdt);
		return NULL;
	}
	return t.fdt;
}

void *fdt_load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st = {0};
	void *buf = NULL;
	ssize_t n = -1;

	if (fd >= 0 && !fstat(fd, &st) && st.st_size > 0 && st.st_size <= (off_t)BOOT_DTB_MAX)
		buf = malloc((size_t)st.st_size);
	if (buf)
		n = pread(fd, buf, (size_t)st.st_size, 0);
	if (fd < 0 || n < 0)
		error_report("device tree \"%s\": %s", path,
			     fd >= 0 && !buf ? "empty, or larger than 2 MiB" : strerror(errno));
	if (fd >= 0)
		close(fd);
	if (n >= 0 && fdt_check_full(buf, (size_t)n)) {
		error_report("device tree \"%s\": not a valid flattened device tree (.dtb)", path);
		n = -1;
	}
	if (n < 0) {
		free(buf);
		buf = NULL;
	}
	return buf;
}

/* ---- /chosen ---- */

static int chosen_props(void *fdt, const struct vm_config *cfg)
{
	static const u8 seed[32];
	int node = fdt_path_offset(fdt, "/chosen"), err;

	if (node < 0)
		node = fdt_add_subnode(fdt, 0, "chosen");
	if (node < 0)
		return node;
	/* A user's tree may carry those of another boot. */
	fdt_delprop(fdt, node, "linux,initrd-start");
	fdt_delprop(fdt, node, "linux,initrd-end");
	err = fdt_setprop_string(fdt, node, "bootargs", cfg->boot.cmdline);
	if (!err && cfg->boot.initrd)
		err = fdt_setprop_u64(fdt, node, "linux,initrd-start", 0);
	if (!err && cfg->boot.initrd)
		err = fdt_setprop_u64(fdt, node, "linux,initrd-end", 0);
	if (!err)
		err = fdt_setprop(fdt, node, "rng-seed", seed, sizeof(seed));
	if (!err)
		err = fdt_setprop(fdt, node, "kaslr-seed", seed, 8);
	return err;
}

int fdt_add_chosen(void **fdt, const struct vm_config *cfg)
{
	size_t size = fdt_totalsize(*fdt) + strlen(cfg->boot.cmdline) + CHOSEN_ROOM;
	void *bigger = malloc(size);
	int err;

	if (!bigger)
		return -ENOMEM;
	err = fdt_open_into(*fdt, bigger, (int)size);
	if (!err)
		err = chosen_props(bigger, cfg);
	if (!err)
		err = fdt_pack(bigger);
	if (err) {
		error_report("cannot complete /chosen of the device tree: %s", fdt_strerror(err));
		free(bigger);
		return -EINVAL;
	}
	free(*fdt);
	*fdt = bigger;
	return 0;
}

/* Entropy from the first instruction on is worth seconds to a guest that waits for its generator.
 */
static void set_seed(void *fdt, int node, const char *name, size_t len)
{
	u8 seed[32];

	if (getrandom(seed, len, 0) == (ssize_t)len)
		fdt_setprop_inplace(fdt, node, name, seed, (int)len);
	else
		fdt_nop_property(fdt, node, name); /* no seed is better than a known one */
}

void fdt_set_boot(void *fdt, const struct boot_layout *layout)
{
	int node = fdt_path_offset(fdt, "/chosen");

	/* Absent without an initrd, then nothing happens. */
	fdt_setprop_inplace_u64(fdt, node, "linux,initrd-start", layout->initrd);
	fdt_setprop_inplace_u64(fdt, node, "linux,initrd-end", layout->initrd_end);
	set_seed(fdt, node, "rng-seed", 32);
	set_seed(fdt, node, "kaslr-seed", 8);
}

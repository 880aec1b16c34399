/* SPDX-License-Identifier: MIT */
/*
 * A device tree of the user: our own tree with bytes changed, so that the fuzzer gets past the
 * header. A machine comes of it, or one error.
 */
#include <libfdt.h>
#include <string.h>

#include "tests/fuzz/fuzz_input.h"
#include "tests/unit/fake_dbt.h"
#include "vmm/machine_internal.h"

static const u8 *seed_tree(size_t *size)
{
	struct vm_config cfg = {.machine = {.cpus = 2, .memory = 32 << 20, .gic = 3}};
	static void *tree;

	if (!tree)
		tree = fdt_build(&cfg, NULL, 0);
	*size = fdt_totalsize(tree);
	return tree;
}

static const char *kernel(void)
{
	static char name[32];

	if (!*name) {
		int fd = memfd_create("kernel", 0);

		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		if (write(fd, "flat", 4) != 4)
			abort();
	}
	return name;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	static u8 tree[0x10000];
	struct vm_config cfg = {
		.machine = {.cpus = 2, .memory = 32 << 20, .gic = 3},
		.boot = {.kernel = (char *)kernel(), .cmdline = (char *)""},
		.serial = (char *)"none",
		.monitor = (char *)"none",
		.gdb = (char *)"none",
		.sandbox = CONFIG_SANDBOX_OFF,
	};
	struct event_loop *loop;
	struct machine *m;
	size_t size;
	int saved;

	memcpy(tree, seed_tree(&size), size < sizeof(tree) ? size : sizeof(tree));
	for (size_t i = 0; i + 3 <= len; i += 3) /* offset, new byte */
		tree[(data[i] << 8 | data[i + 1]) % size] = data[i + 2];
	cfg.device_tree = (char *)input_file(tree, size);
	saved = quiet_begin();
	if (event_loop_create(&loop))
		abort();
	if (!machine_create(&cfg, loop, &m))
		machine_destroy(m);
	event_loop_destroy(loop);
	quiet_end(saved);
	return 0;
}

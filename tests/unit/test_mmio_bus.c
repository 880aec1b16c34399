/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/mmio_bus.h"

struct probe_dev {
	struct device dev;
	u64 offset, val;
	unsigned size;
};

static int probe_read(struct device *dev, u64 offset, unsigned size, u64 *val)
{
	*val = offset;
	((struct probe_dev *)dev)->size = size;
	return 0;
}

static int probe_write(struct device *dev, u64 offset, unsigned size, u64 val)
{
	struct probe_dev *p = (struct probe_dev *)dev;

	p->offset = offset;
	p->size = size;
	p->val = val;
	return val == 13 ? -EINVAL : 0;
}

static const struct device_ops probe_ops = {.mmio_read = probe_read, .mmio_write = probe_write};

static void test_add(void **state)
{
	struct mmio_bus bus = {0};
	struct probe_dev d = {.dev.ops = &probe_ops};

	assert_int_equal(mmio_bus_add(&bus, 0x2000, 0x1000, &d.dev), 0);
	assert_int_equal(mmio_bus_add(&bus, 0x1000, 0x1000, &d.dev), 0);
	assert_int_equal(mmio_bus_add(&bus, 0x3000, 0x10, &d.dev), 0);
	assert_int_equal(mmio_bus_add(&bus, 0x2fff, 1, &d.dev), -EEXIST);
	assert_int_equal(mmio_bus_add(&bus, 0x0fff, 2, &d.dev), -EEXIST);
	assert_int_equal(mmio_bus_add(&bus, 0x0, 0x10000, &d.dev), -EEXIST);
	assert_int_equal(mmio_bus_add(&bus, 0x5000, 0, &d.dev), -EINVAL);
	assert_int_equal(mmio_bus_add(&bus, ~0ull - 10, 100, &d.dev), -EINVAL);
	for (unsigned i = 3; i < MMIO_BUS_MAX_WINDOWS; i++)
		assert_int_equal(mmio_bus_add(&bus, 0x10000 * i, 8, &d.dev), 0);
	assert_int_equal(mmio_bus_add(&bus, 0x8000, 8, &d.dev), -ENOSPC);
}

static void test_access(void **state)
{
	struct mmio_bus bus = {0};
	struct probe_dev a = {.dev.ops = &probe_ops}, b = {.dev.ops = &probe_ops};
	u64 val;

	mmio_bus_add(&bus, 0x9000, 0x1000, &a.dev);
	mmio_bus_add(&bus, 0xa000, 0x200, &b.dev);
	assert_int_equal(mmio_bus_read(&bus, 0, GPA(0x9ffc), 4, &val), 0);
	assert_int_equal(val, 0xffc);
	assert_int_equal(mmio_bus_write(&bus, 3, GPA(0xa010), 2, 7), 0);
	assert_int_equal(b.offset, 0x10);
	assert_int_equal(b.size, 2);
	assert_int_equal(b.val, 7);
	assert_int_equal(mmio_bus_write(&bus, 3, GPA(0xa010), 2, 13), -EINVAL);
	assert_int_equal(mmio_bus_read(&bus, 0, GPA(0x9ffc), 8, &val), -ENXIO); /* crosses */
	assert_int_equal(mmio_bus_read(&bus, 0, GPA(0xa1fc), 8, &val), -ENXIO);
	assert_int_equal(mmio_bus_read(&bus, 0, GPA(0xa200), 4, &val), -ENXIO);
	assert_int_equal(mmio_bus_read(&bus, 0, GPA(0x8fff), 1, &val), -ENXIO);
	assert_int_equal(mmio_bus_read(&bus, 0, GPA(~0ull), 1, &val), -ENXIO);
	assert_int_equal(mmio_bus_read(&(struct mmio_bus){0}, 0, GPA(0), 1, &val), -ENXIO);
}

/* Against a plain search, with the cached hit in every state. */
static void test_random(void **state)
{
	struct mmio_bus bus = {0};
	static struct probe_dev dev[40];

	srand(7);
	for (unsigned i = 0; i < 40; i++) {
		dev[i].dev.ops = &probe_ops;
		mmio_bus_add(&bus, (u64)(rand() % 400) * 0x100, 0x100 + (unsigned)(rand() % 3) * 8,
			     &dev[i].dev);
	}
	assert_true(bus.n > 20);
	for (unsigned n = 0; n < 100000; n++) {
		u64 addr = (u64)rand() % 0x19000, val = 0;
		const struct mmio_window *w = NULL;
		int err = mmio_bus_read(&bus, n & 1, GPA(addr), 1, &val);

		for (unsigned i = 0; i < bus.n; i++)
			if (addr - bus.window[i].base < bus.window[i].size)
				w = &bus.window[i];
		assert_int_equal(err, w ? 0 : -ENXIO);
		if (w)
			assert_int_equal(val, addr - w->base);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "devices/pvpanic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_PANICKED	   BIT(0)
#define EVENT_CRASH_LOADED BIT(1) /* a crash kernel takes over: not the end */

struct pvpanic {
	struct device dev;
	struct pvpanic_params params;
};

static int pvpanic_read(struct device *dev, u64 offset, unsigned size, u64 *val)
{
	*val = offset ? 0 : EVENT_PANICKED | EVENT_CRASH_LOADED; /* what is understood */
	return 0;
}

static int pvpanic_write(struct device *dev, u64 offset, unsigned size, u64 val)
{
	struct pvpanic *p = container_of(dev, struct pvpanic, dev);

	if (!offset && val & EVENT_PANICKED)
		p->params.panicked(p->params.opaque);
	return 0;
}

static void pvpanic_destroy(struct device *dev)
{
	free(container_of(dev, struct pvpanic, dev));
}

/* Stateless: nothing to reset, save or load. */
static const struct device_ops pvpanic_ops = {
	.name = "pvpanic",
	.version = 1,
	.mmio_read = pvpanic_read,
	.mmio_write = pvpanic_write,
	.destroy = pvpanic_destroy,
};

int pvpanic_create(const struct pvpanic_params *params, struct device **out)
{
	struct pvpanic *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->dev.ops = &pvpanic_ops;
	strcpy(p->dev.id, "pvpanic");
	p->params = *params;
	*out = &p->dev;
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "devices/marker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct marker {
	struct device dev;
	void (*mark)(u32 number);
};

static int marker_read(struct device *dev, u64 offset, unsigned size, u64 *val)
{
	*val = 0;
	return 0;
}

static int marker_write(struct device *dev, u64 offset, unsigned size, u64 val)
{
	if (!offset)
		container_of(dev, struct marker, dev)->mark((u32)val);
	return 0;
}

static void marker_destroy(struct device *dev)
{
	free(container_of(dev, struct marker, dev));
}

/* Stateless: nothing to reset, save or load. */
static const struct device_ops marker_ops = {
	.name = "marker",
	.version = 1,
	.mmio_read = marker_read,
	.mmio_write = marker_write,
	.destroy = marker_destroy,
};

int marker_create(void (*mark)(u32 number), struct device **out)
{
	struct marker *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->dev.ops = &marker_ops;
	strcpy(k->dev.id, "marker");
	k->mark = mark;
	*out = &k->dev;
	return 0;
}

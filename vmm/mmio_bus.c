/* SPDX-License-Identifier: MIT */
#include "vmm/mmio_bus.h"

#include <errno.h>
#include <string.h>

#include "common/log.h"

int mmio_bus_add(struct mmio_bus *bus, u64 base, u64 size, struct device *dev)
{
	unsigned pos = 0;
	u64 end;

	if (!size || __builtin_add_overflow(base, size, &end))
		return -EINVAL;
	if (bus->n == MMIO_BUS_MAX_WINDOWS)
		return -ENOSPC;
	while (pos < bus->n && bus->window[pos].base < base)
		pos++;
	if ((pos && bus->window[pos - 1].base + bus->window[pos - 1].size > base) ||
	    (pos < bus->n && bus->window[pos].base < end))
		return -EEXIST;
	memmove(&bus->window[pos + 1], &bus->window[pos], (bus->n - pos) * sizeof(bus->window[0]));
	bus->window[pos] = (struct mmio_window){.base = base, .size = size, .dev = dev};
	bus->n++;
	return 0;
}

static bool window_has(const struct mmio_window *w, u64 addr, unsigned size)
{
	u64 off = addr - w->base;

	return off < w->size && size <= w->size - off;
}

static const struct mmio_window *lookup(struct mmio_bus *bus, unsigned cpu, u64 addr, unsigned size)
{
	unsigned lo = 0, hi = bus->n;

	if (likely(bus->last[cpu].hit < hi &&
		   window_has(&bus->window[bus->last[cpu].hit], addr, size)))
		return &bus->window[bus->last[cpu].hit];
	while (lo < hi) { /* invariant: windows below lo start at or below addr, from hi on above */
		unsigned mid = (lo + hi) / 2;

		if (bus->window[mid].base <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo || !window_has(&bus->window[lo - 1], addr, size))
		return NULL;
	bus->last[cpu].hit = lo - 1;
	return &bus->window[lo - 1];
}

int mmio_bus_read(struct mmio_bus *bus, unsigned cpu, gpa_t addr, unsigned size, u64 *val)
{
	const struct mmio_window *w = lookup(bus, cpu, addr.v, size);
	int err = w ? w->dev->ops->mmio_read(w->dev, addr.v - w->base, size, val) : -ENXIO;

	if (log_on(LOG_MMIO))
		log_print("mmio: cpu %u read  %#llx size %u (%s) = %#llx%s\n", cpu,
			  (unsigned long long)addr.v, size, w ? w->dev->id : "nothing",
			  err ? 0ull : (unsigned long long)*val, err ? " abort" : "");
	return err;
}

int mmio_bus_write(struct mmio_bus *bus, unsigned cpu, gpa_t addr, unsigned size, u64 val)
{
	const struct mmio_window *w = lookup(bus, cpu, addr.v, size);
	int err = w ? w->dev->ops->mmio_write(w->dev, addr.v - w->base, size, val) : -ENXIO;

	if (log_on(LOG_MMIO))
		log_print("mmio: cpu %u write %#llx size %u (%s) = %#llx%s\n", cpu,
			  (unsigned long long)addr.v, size, w ? w->dev->id : "nothing",
			  (unsigned long long)val, err ? " abort" : "");
	return err;
}

/* SPDX-License-Identifier: MIT */
/* Rules that span keys, and files. schema.json says those that JSON Schema can. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config_internal.h"

struct checker {
	const struct config_doc *doc;
	const struct vm_config *cfg;
	unsigned errors;
};

#define bad(c, path, ...)                                  \
	do {                                               \
		config_error((c)->doc, path, __VA_ARGS__); \
		(c)->errors++;                             \
	} while (0)

static void check_machine(struct checker *c)
{
	const struct machine_config *m = &c->cfg->machine;

	if (m->memory & ((2 << 20) - 1))
		bad(c, "machine.memory", "must be a multiple of 2M");
	if (m->gic == 2 && m->cpus > CONFIG_MAX_CPUS_GIC2)
		bad(c, "machine.cpus", "%u CPUs need \"gic\": 3: a GICv2 serves at most %u",
		    m->cpus, CONFIG_MAX_CPUS_GIC2);
}

static void check_networks(struct checker *c)
{
	char path[CONFIG_PATH_MAX];

	for (unsigned i = 0; i < c->cfg->n_networks; i++) {
		const struct network_config *n = &c->cfg->networks[i];
		bool tap = n->tap, fd = n->fd >= 0;

		snprintf(path, sizeof(path), "networks[%u].%s", i, fd ? "fd" : "tap");
		if (n->type == NET_TAP && tap == fd)
			bad(c, path, "type \"tap\" needs either tap (a name) or fd (an open tap)");
		if (n->type != NET_TAP && (tap || fd))
			bad(c, path, "allowed with type \"tap\" only");
		for (unsigned j = 0; fd && j < i; j++)
			if (c->cfg->networks[j].fd == n->fd)
				bad(c, path, "%d is the descriptor of networks[%u] already", n->fd,
				    j);
		snprintf(path, sizeof(path), "networks[%u].forwards", i);
		if (n->type != NET_USER && n->n_forwards)
			bad(c, path, "allowed with type \"user\" only");
	}
}

/* Every id of the machine in turn: its key path, or NULL at the end. */
static const char *nth_id(const struct vm_config *cfg, unsigned n, char path[CONFIG_PATH_MAX])
{
	static const struct {
		const char *key;
	} kinds[] = {{"drives"}, {"networks"}, {"consoles"}};
	const unsigned counts[] = {cfg->n_drives, cfg->n_networks, cfg->n_consoles};

	for (unsigned k = 0; k < 3; n -= counts[k++]) {
		if (n >= counts[k])
			continue;
		snprintf(path, CONFIG_PATH_MAX, "%s[%u].id", kinds[k].key, n);
		return k == 0	? cfg->drives[n].id
		       : k == 1 ? cfg->networks[n].id
				: cfg->consoles[n].id;
	}
	return NULL;
}

static void check_ids(struct checker *c)
{
	/* Names of the devices that need no id in the document. */
	static const char *const taken[] = {"serial", "rng", "rtc", "gic", "timer", "monitor"};
	char path[CONFIG_PATH_MAX], other[CONFIG_PATH_MAX];
	const char *id, *id2;

	for (unsigned i = 0; (id = nth_id(c->cfg, i, path)); i++) {
		for (unsigned j = 0; j < i && (id2 = nth_id(c->cfg, j, other)); j++)
			if (!strcmp(id, id2))
				bad(c, path, "\"%s\" is the id of %.*s already: ids must differ",
				    id, (int)strcspn(other, "."), other);
		for (unsigned j = 0; j < ARRAY_SIZE(taken); j++)
			if (!strcmp(id, taken[j]))
				bad(c, path, "\"%s\" is the name of a built-in device", id);
	}
	if (nth_id(c->cfg, CONFIG_MAX_VIRTIO - 1, path) && c->cfg->rng)
		bad(c, path, "too many devices: %u virtio devices at most, the rng included",
		    CONFIG_MAX_VIRTIO);
}

/* The terminal can serve one line, a socket or a file one writer. */
static void check_chardevs(struct checker *c)
{
	const char *spec[2 + CONFIG_MAX_CONSOLES * (1 + CONFIG_MAX_PORTS)];
	char path[ARRAY_SIZE(spec)][48];
	unsigned n = 0;

	spec[n] = c->cfg->serial;
	snprintf(path[n++], 48, "serial");
	spec[n] = c->cfg->monitor;
	snprintf(path[n++], 48, "monitor");
	for (unsigned i = 0; i < c->cfg->n_consoles; i++) {
		const struct console_config *con = &c->cfg->consoles[i];

		spec[n] = con->chardev;
		snprintf(path[n++], 48, "consoles[%u].chardev", i);
		for (unsigned j = 0; j < con->n_ports; j++) {
			spec[n] = con->ports[j].chardev;
			snprintf(path[n++], 48, "consoles[%u].ports[%u].chardev", i, j);
		}
	}
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < i && strcmp(spec[i], "none") && strcmp(spec[i], "pty");
		     j++)
			if (!strcmp(spec[i], spec[j])) {
				bad(c, path[i], "\"%s\" is used by %s already", spec[i], path[j]);
				break;
			}
}

static void check_port_names(struct checker *c)
{
	char path[CONFIG_PATH_MAX];

	for (unsigned i = 0; i < c->cfg->n_consoles; i++) {
		const struct console_config *con = &c->cfg->consoles[i];

		for (unsigned j = 0; j < con->n_ports; j++)
			for (unsigned k = 0; k < j; k++)
				if (!strcmp(con->ports[j].name, con->ports[k].name)) {
					snprintf(path, sizeof(path), "consoles[%u].ports[%u].name",
						 i, j);
					bad(c, path, "\"%s\" is the name of another port already",
					    con->ports[j].name);
				}
	}
}

static void check_file(struct checker *c, const char *key, const char *file, int mode)
{
	struct stat st;
	int fd;

	if (!file)
		return;
	/* Really opened: access(2) would not know of a read-only file system or a pid namespace. */
	fd = open(file, mode | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		bad(c, key, "cannot open \"%s\" for %s: %s", file,
		    mode == O_RDWR ? "writing" : "reading", strerror(errno));
		return;
	}
	if (fstat(fd, &st) || !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)))
		bad(c, key, "\"%s\" is neither a file nor a block device", file);
	close(fd);
}

static void check_files(struct checker *c)
{
	char path[CONFIG_PATH_MAX];

	check_file(c, "boot.kernel", c->cfg->boot.kernel, O_RDONLY);
	check_file(c, "boot.initrd", c->cfg->boot.initrd, O_RDONLY);
	check_file(c, "device_tree", c->cfg->device_tree, O_RDONLY);
	for (unsigned i = 0; i < c->cfg->n_drives; i++) {
		const struct drive_config *d = &c->cfg->drives[i];

		snprintf(path, sizeof(path), "drives[%u].path", i);
		check_file(c, path, d->path, d->readonly ? O_RDONLY : O_RDWR);
		for (unsigned j = 0; j < i; j++)
			if (!strcmp(d->path, c->cfg->drives[j].path) &&
			    !(d->readonly && c->cfg->drives[j].readonly))
				bad(c, path,
				    "\"%s\" is drives[%u] already: both must be \"readonly\": true",
				    d->path, j);
	}
}

unsigned config_check(const struct config_doc *doc, const struct vm_config *cfg, unsigned flags)
{
	struct checker c = {.doc = doc, .cfg = cfg};

	check_machine(&c);
	check_networks(&c);
	check_ids(&c);
	check_chardevs(&c);
	check_port_names(&c);
	if (flags & CONFIG_CHECK_FILES)
		check_files(&c);
	return c.errors;
}

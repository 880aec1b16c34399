/* SPDX-License-Identifier: MIT */
/*
 * What a machine is made of. Filled from a JSON document, from the command line, or from both: each
 * front door edits one JSON tree (config_doc), and config_parse() alone validates it and turns it
 * into struct vm_config. Every key is a line of the tables in config/keys.c, from which the parser
 * works; config/schema.json says the same and is tested against them.
 */
#ifndef ARMATURE_CONFIG_H
#define ARMATURE_CONFIG_H

#include "common/types.h"

#define CONFIG_MAX_CPUS	     64
#define CONFIG_MAX_CPUS_GIC2 8
#define CONFIG_MAX_DRIVES    16
#define CONFIG_MAX_NETWORKS  8
#define CONFIG_MAX_CONSOLES  8
#define CONFIG_MAX_FORWARDS  32
#define CONFIG_MAX_PORTS     7	/* further ports of one console device */
#define CONFIG_MAX_VIRTIO    32 /* windows of the memory map */
#define CONFIG_ID_MAX	     24 /* bytes of an id, without the NUL */

enum config_on_reset { CONFIG_RESET_EXIT, CONFIG_RESET_RESTART };

struct machine_config {
	unsigned cpus;
	u64 memory;   /* bytes, a multiple of 2 MiB */
	unsigned gic; /* 2 or 3 */
	enum config_on_reset on_reset;
};

struct boot_config {
	char *kernel;  /* path; never NULL after config_parse */
	char *initrd;  /* path or NULL */
	char *cmdline; /* "" when not given */
};

enum drive_format { DRIVE_RAW };
enum drive_cache { DRIVE_CACHE_WRITEBACK, DRIVE_CACHE_WRITETHROUGH };

struct drive_config {
	char *id;
	char *path;
	enum drive_format format;
	bool readonly;
	enum drive_cache cache; /* what the guest is told, and whether each write is synced */
	bool direct;		/* O_DIRECT */
	char *serial;		/* at most 20 bytes; "" when not given */
	unsigned queues;
};

enum net_type { NET_USER, NET_TAP, NET_NONE };

enum forward_proto { FORWARD_TCP, FORWARD_UDP };

struct forward_config {
	enum forward_proto proto;
	char *host_addr; /* dotted IPv4; "127.0.0.1" when not given */
	unsigned host_port;
	char *guest_addr; /* dotted IPv4; "10.0.2.15" when not given */
	unsigned guest_port;
};

struct network_config {
	char *id;
	enum net_type type;
	char *mac;	 /* "52:54:00:12:34:56"; NULL: the machine picks one, stable by index */
	u8 mac_bytes[6]; /* the same, parsed; zero when NULL */
	char *tap;	 /* interface name, or NULL */
	int fd;		 /* of an open tap, or -1 */
	unsigned n_forwards;
	struct forward_config forwards[CONFIG_MAX_FORWARDS];
};

struct port_config {
	char *name;
	char *chardev; /* spec as in devices/chardev.h */
};

/* One virtio-console device; port 0 is the console itself. */
struct console_config {
	char *id;
	char *chardev;
	unsigned n_ports;
	struct port_config ports[CONFIG_MAX_PORTS];
};

enum config_sandbox { CONFIG_SANDBOX_ON, CONFIG_SANDBOX_LOG, CONFIG_SANDBOX_OFF };

enum dbt_config_rules { CONFIG_RULES_NONE, CONFIG_RULES_BASE, CONFIG_RULES_LEARNED };

/* What the crossings between guest state and host code cost: switches to measure it, all true in
 * normal use. */
struct coordination_config {
	bool lazy_flags, across_blocks, across_memory, define_before_use, interrupt_checks;
};

struct translator_config {
	enum dbt_config_rules rules;
	bool hoist, chain, call_ret, superblocks, sp_window,
		flag_liveness; /* ablation switches: all true in normal use */
	struct coordination_config coordination;
	bool count_insns;
	u64 code_cache; /* bytes; 0: the engine's default */
};

struct vm_config {
	struct machine_config machine;
	struct boot_config boot;
	unsigned n_drives, n_networks, n_consoles;
	struct drive_config drives[CONFIG_MAX_DRIVES];
	struct network_config networks[CONFIG_MAX_NETWORKS];
	struct console_config consoles[CONFIG_MAX_CONSOLES];
	char *serial; /* chardev spec of the PL011 */
	bool rng;
	struct translator_config dbt;
	enum config_sandbox sandbox;
	char *monitor;	   /* chardev spec of the QMP monitor, "none" when not given */
	char *gdb;	   /* where the gdb stub listens, "none" when not given */
	char *device_tree; /* path of the user's own tree, or NULL */
};

struct config_doc;

/*
 * The editable document. An empty one, or one read from `path`; NULL after a message on stderr.
 * Syntax errors and duplicate keys are found here.
 */
struct config_doc *config_doc_new(void);
struct config_doc *config_doc_load(const char *path);
void config_doc_free(struct config_doc *doc);
/*
 * Sets `key` ("machine.cpus", "drives[0].readonly"; an array's length as index appends). `value` is
 * JSON, or plain text where a string is expected; parents are made as needed. `origin` is what a
 * later message about the value names ("--cpus"). 0, or -EINVAL after a message.
 */
int config_doc_set(struct config_doc *doc, const char *key, const char *value, const char *origin);
/* Likewise for text that must stay text, whatever it looks like. */
int config_doc_set_string(struct config_doc *doc, const char *key, const char *text,
			  const char *origin);
/* Elements of the array `key` ("drives"), 0 when there is none. */
unsigned config_doc_count(const struct config_doc *doc, const char *key);

enum config_parse_flags {
	CONFIG_CHECK_FILES = 1 << 0, /* files must exist and be readable (writable for drives) */
};

/*
 * Validates everything and reports every error found, one line each:
 *	vm.json:12: machine.cpus: 100 is out of range: an integer from 1 to 64
 * 0 with *cfg filled (free with config_free), or -EINVAL. *cfg is undefined on failure.
 */
int config_parse(struct config_doc *doc, unsigned flags, struct vm_config *cfg);
void config_free(struct vm_config *cfg);

/* "512M", "2G", "1048576": bytes. 0 or -EINVAL. */
int config_parse_size(const char *text, u64 *bytes);

#endif

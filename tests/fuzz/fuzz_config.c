/* SPDX-License-Identifier: MIT */
/* A configuration file, and overrides taken from its own lines: errors, never a crash or a leak. */
#include <string.h>

#include "config/config.h"
#include "tests/fuzz/fuzz_input.h"

static void override(struct config_doc *doc, const u8 *data, size_t len)
{
	char key[64] = "", value[64] = "";
	const u8 *eq = memchr(data, '=', len);

	if (!eq || eq - data > 60 || len - (size_t)(eq - data) > 60)
		return;
	memcpy(key, data, (size_t)(eq - data));
	memcpy(value, eq + 1, len - (size_t)(eq - data) - 1);
	config_doc_set(doc, key, value, "--set");
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	int saved = quiet_begin();
	struct config_doc *doc = config_doc_load(input_file(data, len));
	struct vm_config cfg;

	if (!doc)
		doc = config_doc_new();
	for (const u8 *p = data, *nl; p < data + len; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(data + len - p));
		if (!nl)
			nl = data + len;
		override(doc, p, (size_t)(nl - p));
	}
	if (!config_parse(doc, 0, &cfg)) {
		/* Accepted means within the limits every later step relies on. */
		if (!cfg.boot.kernel || !cfg.machine.cpus || cfg.machine.cpus > CONFIG_MAX_CPUS ||
		    cfg.n_drives > CONFIG_MAX_DRIVES || cfg.machine.memory < 32 << 20)
			abort();
		config_free(&cfg);
	}
	config_doc_free(doc);
	quiet_end(saved);
	return 0;
}

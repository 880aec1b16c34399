/* SPDX-License-Identifier: MIT */
/* The decoder proper: walks the generated tables, then lets the form fill the fields. */
#include <string.h>

#include "dbt/a64/decode_internal.h"

struct decode_node {
	u16 shift, mask, base;
};

struct decode_leaf {
	u32 mask, value; /* mask 0 ends the list: unallocated */
	u16 op;
	u16 form;
};

#define SLOT_LEAF 0x8000

#include "a64_decode.inc"

typedef bool (*form_fn)(u32 w, struct a64_insn *o);

static const form_fn form_fns[NUM_FORMS] = {
#define FORM(f) [FORM_##f] = a64_form_##f,
#include "a64_forms.inc"
#undef FORM
};

static const char *const op_names[A64_NUM_OPS] = {
	[A64_UNDEF] = "UNDEF",
#define INSN(op, ...) [A64_##op] = #op,
#include "dbt/a64/insns.def"
#undef INSN
};

void a64_decode(u32 raw, struct a64_insn *out)
{
	u32 slot = 0;

	memset(out, 0, sizeof(*out));
	out->raw = raw;
	do {
		const struct decode_node *n = &decode_nodes[slot];
		slot = decode_slots[n->base + ((raw >> n->shift) & n->mask)];
	} while (!(slot & SLOT_LEAF));

	const struct decode_leaf *l = &decode_leaves[slot & ~SLOT_LEAF];
	while ((raw & l->mask) != l->value)
		l++;
	out->op = l->op;
	if (unlikely(!form_fns[l->form](raw, out))) {
		memset(out, 0, sizeof(*out));
		out->raw = raw;
	}
}

const char *a64_op_name(unsigned op)
{
	return op < A64_NUM_OPS ? op_names[op] : "?";
}

u32 a64_op_flags(unsigned op)
{
	return op < A64_NUM_OPS ? op_flags[op] : 0;
}

enum a64_form a64_op_form(unsigned op)
{
	return op_form[op];
}

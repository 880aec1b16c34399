/* SPDX-License-Identifier: MIT */
/* What the rule language knows of guest ops (from insns.def) and host ops (from hir.h). */
#include <string.h>

#include "dbt/hir.h"
#include "rules/lang/rule.h"

struct gop {
	const char *name, *form, *flags;
};

static const struct gop gops[A64_NUM_OPS] = {
	{"UNDEF", "", ""},
#define INSN(op, pat, form, flags, ...) {#op, #form, flags},
#include "dbt/a64/insns.def"
#undef INSN
};

/* Forms whose operands rules can name. What is absent here is the builders' work. */
static const struct {
	const char *form, *shape;
} shapes[] = {
	{"adr", "d,L"},
	{"addsub_imm", "d,n,i"},
	{"log_imm", "d,n,i"},
	{"movw", "d,i"},
	{"bfm", "d,n,r,s"},
	{"extr", "d,n,m,s"},
	{"addsub_shift", "d,n,m,$"},
	{"log_shift", "d,n,m,$"},
	{"addsub_ext", "d,n,m,e"},
	{"rrr", "d,n,m"},
	{"ccmp_reg", "n,m,v,c"},
	{"ccmp_imm", "n,i,v,c"},
	{"csel", "d,n,m,c"},
	{"rr", "d,n"},
	{"rrrr", "d,n,m,a"},
	{"b", "L"},
	{"bcond", "c,L"},
	{"cbz", "d,L"},
	{"tbz", "d,b,L"},
	{"rn", "n"},
	{"ldst_uimm", "d,@"},
	{"ldp", "d,a,@"},
	{"ld_lit", "d,L"},
};

/* Ops of those forms that rules cannot express all the same, and NOP, whose form takes no operand.
 */
static const struct {
	const char *op, *shape;
} op_shapes[] = {
	{"NOP", ""},	 {"YIELD", ""},	   {"PRFM", NULL},
	{"SETF8", NULL}, {"SETF16", NULL}, {"MOVK", "d,i,$"},
};

const char *const cond_names[16] = {"eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc",
				    "hi", "ls", "ge", "lt", "gt", "le", "al", "nv"};
const char *const shift_names[4] = {"lsl", "lsr", "asr", "ror"};
const char *const ext_names[8] = {"uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx"};
const char *const mem_names[MEM_NUM] = {"b", "h", "w", "x", "sb", "sh", "sw", "r"};

int name_index(const char *const *names, int n, const char *s)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(names[i], s))
			return i;
	return -1;
}

const char *gop_shape(int op)
{
	if (op <= 0 || op >= A64_NUM_OPS)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(op_shapes); i++)
		if (!strcmp(op_shapes[i].op, gops[op].name))
			return op_shapes[i].shape;
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
		if (!strcmp(shapes[i].form, gops[op].form))
			return shapes[i].shape;
	return NULL;
}

int gop_find(const char *name)
{
	for (int i = 1; i < A64_NUM_OPS; i++)
		if (!strcmp(gops[i].name, name))
			return i;
	return -1;
}

const char *gop_name(int op)
{
	return op >= 0 && op < A64_NUM_OPS ? gops[op].name : "?";
}

static bool gop_flag(int op, const char *flag)
{
	const char *p = gops[op].flags;
	size_t n = strlen(flag);

	while ((p = strstr(p, flag))) {
		if ((p == gops[op].flags || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
			return true;
		p += n;
	}
	return false;
}

int gop_reg_class(int op, enum gfield f)
{
	if (f == F_RD && gop_flag(op, "rdsp"))
		return RC_SP;
	if (f == F_RN && gop_flag(op, "rnsp"))
		return RC_SP;
	return RC_ZR;
}

bool gop_reads_flags(int op)
{
	return gop_flag(op, "rf");
}

bool gop_writes_flags(int op)
{
	return gop_flag(op, "wf");
}

bool gop_only_64(int op)
{
	switch (op) {
	case A64_SMADDL:
	case A64_SMSUBL:
	case A64_UMADDL:
	case A64_UMSUBL:
	case A64_SMULH:
	case A64_UMULH:
	case A64_REV32:
	case A64_LDPSW: return true;
	default: return false;
	}
}

bool gop_is_mem(int op)
{
	return gop_flag(op, "ld") || gop_flag(op, "st");
}

/* ---- host ---- */

struct hop {
	const char *name, *shape;
};

static const struct hop hops[HIR_NUM_OPS] = {
#define _(name, ops) {#name, ops},
	HIR_OPS(_)
#undef _
};

enum { HF_SETF = 1, HF_RF = 2, HF_MEM = 4, HF_CTL = 8 };

/* Ops rules may use: properties and a cost in tenths of a host operation. */
static const struct {
	u8 flags, cost;
} hprops[HIR_NUM_OPS] = {
	[HIR_MOV] = {0, 8},
	[HIR_ADD] = {HF_SETF, 10},
	[HIR_SUB] = {HF_SETF, 10},
	[HIR_AND] = {HF_SETF, 10},
	[HIR_OR] = {0, 10},
	[HIR_XOR] = {0, 10},
	[HIR_BIC] = {HF_SETF, 12},
	[HIR_ORN] = {0, 20},
	[HIR_EON] = {0, 20},
	[HIR_ADC] = {HF_SETF | HF_RF, 14},
	[HIR_SBC] = {HF_SETF | HF_RF, 14},
	[HIR_NEG] = {0, 10},
	[HIR_NOT] = {0, 10},
	[HIR_SHL] = {0, 10},
	[HIR_SHR] = {0, 10},
	[HIR_SAR] = {0, 10},
	[HIR_ROR] = {0, 10},
	[HIR_SHRD] = {0, 25},
	[HIR_LEA] = {0, 10},
	[HIR_MUL] = {0, 20},
	[HIR_UMULH] = {0, 35},
	[HIR_SMULH] = {0, 35},
	[HIR_UDIV] = {0, 150},
	[HIR_SDIV] = {0, 170},
	[HIR_ZX8] = {0, 9},
	[HIR_ZX16] = {0, 9},
	[HIR_ZX32] = {0, 8},
	[HIR_SX8] = {0, 9},
	[HIR_SX16] = {0, 9},
	[HIR_SX32] = {0, 9},
	[HIR_BSWAP] = {0, 12},
	[HIR_BSWAP16] = {0, 50},
	[HIR_BSWAP32] = {0, 30},
	[HIR_RBIT] = {0, 120},
	[HIR_CLZ] = {0, 12},
	[HIR_CLS] = {0, 40},
	[HIR_CTZ] = {0, 12},
	[HIR_PCADDR] = {0, 11},
	[HIR_CSEL] = {HF_RF, 16},
	[HIR_CSET] = {HF_RF, 18},
	[HIR_CSETM] = {HF_RF, 25},
	[HIR_CINC] = {HF_RF, 14},
	[HIR_CCMP] = {HF_SETF | HF_RF, 40},
	[HIR_CCMN] = {HF_SETF | HF_RF, 40},
	[HIR_LD] = {HF_MEM, 50},
	[HIR_ST] = {HF_MEM, 50},
	[HIR_B] = {HF_CTL, 10},
	[HIR_BCC] = {HF_CTL | HF_RF, 12},
	[HIR_BZ] = {HF_CTL, 18},
	[HIR_BNZ] = {HF_CTL, 18},
	[HIR_BTZ] = {HF_CTL, 20},
	[HIR_BTNZ] = {HF_CTL, 20},
	[HIR_BL] = {HF_CTL, 30},
	[HIR_BR] = {HF_CTL, 60},
	[HIR_BLR] = {HF_CTL, 80},
	[HIR_RET] = {HF_CTL, 50},
};

static const struct {
	const char *mn;
	int op;
	u8 setf;
} aliases[] = {
	{"cmp", HIR_SUB, 1},
	{"cmn", HIR_ADD, 1},
	{"tst", HIR_AND, 1},
};

int hop_find(const char *mn, u8 *setf)
{
	char up[16];
	size_t n = strlen(mn);

	*setf = 0;
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (!strcmp(aliases[i].mn, mn)) {
			*setf = aliases[i].setf;
			return aliases[i].op;
		}
	if (n == 0 || n >= sizeof(up))
		return -1;
	for (size_t i = 0; i <= n; i++)
		up[i] = (char)(mn[i] >= 'a' && mn[i] <= 'z' ? mn[i] - 32 : mn[i]);
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < HIR_NUM_OPS; i++)
			if (hprops[i].cost && !strcmp(hops[i].name, up) &&
			    (!pass || hprops[i].flags & HF_SETF)) {
				*setf = pass || i == HIR_CCMP || i == HIR_CCMN;
				return i;
			}
		if (up[n - 1] != 'S')
			break;
		up[n - 1] = 0;
	}
	return -1;
}

const char *hop_name(int op)
{
	static char names[HIR_NUM_OPS][12];

	if (op < 0 || op >= HIR_NUM_OPS)
		return "?";
	for (size_t i = 0; hops[op].name[i] && i < 11; i++) {
		char c = hops[op].name[i];

		names[op][i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
	}
	return names[op];
}

const char *hop_shape(int op)
{
	return op >= 0 && op < HIR_NUM_OPS && hprops[op].cost ? hops[op].shape : NULL;
}

bool hop_is_control(int op)
{
	return hprops[op].flags & HF_CTL;
}

bool hop_is_mem(int op)
{
	return hprops[op].flags & HF_MEM;
}

bool hop_may_setf(int op)
{
	return hprops[op].flags & HF_SETF;
}

bool hop_reads_flags(int op)
{
	return hprops[op].flags & HF_RF;
}

int hop_cost(int op)
{
	return hprops[op].cost;
}

int hop_of_shift(enum a64_shift s)
{
	static const int ops[4] = {HIR_SHL, HIR_SHR, HIR_SAR, HIR_ROR};

	return ops[s & 3];
}

int hop_of_ext(enum a64_extend e)
{
	static const int ops[8] = {HIR_ZX8, HIR_ZX16, HIR_ZX32, HIR_MOV,
				   HIR_SX8, HIR_SX16, HIR_SX32, HIR_MOV};

	return ops[e & 7];
}

int hinsn_op(const struct rule *r, const struct hinsn *h)
{
	if (h->op >= 0)
		return h->op;
	if (h->op_param >= 0)
		return r->param[h->op_param].kind == P_SHIFT ? HIR_SHL : HIR_ZX8;
	return r->vars[h->cls_var].cls->cell[0][h->col].op;
}

int ginsn_op(const struct rule *r, const struct ginsn *g)
{
	return g->op >= 0 ? g->op : r->vars[g->cls_var].cls->guest[0];
}

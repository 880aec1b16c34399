/* SPDX-License-Identifier: MIT */
/*
 * x86-64 to HIR, for the learner. Not exact where it need not be (partial registers count as whole
 * ones): the result is a proposal that has to stand a proof of its own.
 */
#include <Zydis/Zydis.h>
#include <string.h>

#include "rules/learn/learn.h"

struct xctx {
	struct hostseq *o;
	const ZydisDecodedInstruction *i;
	const ZydisDecodedOperand *p;
	int flags; /* index of the op that made EFLAGS, -1 */
	unsigned w;
};

static struct hir_opnd reg(unsigned r)
{
	return (struct hir_opnd){.kind = H_X, .reg = (u8)r};
}

static struct hir_opnd tmp(struct xctx *c)
{
	return (struct hir_opnd){.kind = H_T, .reg = c->o->ntmp++ & 7};
}

static struct hir *emit(struct xctx *c, enum hir_op op, unsigned w, struct hir_opnd d,
			struct hir_opnd a, struct hir_opnd b)
{
	struct hir *h = &c->o->op[c->o->n < MAX_HOST_HIR - 1 ? c->o->n++ : MAX_HOST_HIR - 1];

	memset(h, 0, sizeof(*h));
	h->op = (u8)op;
	h->w = (u8)w;
	h->d = d;
	h->a = a;
	h->b = b;
	return h;
}

static int gpr(ZydisRegister r)
{
	ZydisRegister l = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r);

	if (l < ZYDIS_REGISTER_RAX || l > ZYDIS_REGISTER_R15 || r == ZYDIS_REGISTER_AH ||
	    r == ZYDIS_REGISTER_BH || r == ZYDIS_REGISTER_CH || r == ZYDIS_REGISTER_DH)
		return -1;
	return (int)(l - ZYDIS_REGISTER_RAX);
}

/* Base operand and displacement of a memory operand; an index goes through LEA. */
static int address(struct xctx *c, const ZydisDecodedOperand *p, struct hir_opnd *base, s32 *disp)
{
	const ZydisDecodedOperandMem *m = &p->mem;
	int b, x;

	if (m->segment == ZYDIS_REGISTER_FS || m->segment == ZYDIS_REGISTER_GS ||
	    m->base == ZYDIS_REGISTER_NONE || m->base == ZYDIS_REGISTER_RIP)
		return -1;
	b = gpr(m->base);
	*disp = (s32)m->disp.value;
	if (m->index == ZYDIS_REGISTER_NONE) {
		*base = reg((unsigned)b);
		return b < 0 ? -1 : 0;
	}
	x = gpr(m->index);
	if (b < 0 || x < 0)
		return -1;
	*base = tmp(c);
	emit(c, HIR_LEA, 8, *base, reg((unsigned)b), reg((unsigned)x))->c =
		himm(__builtin_ctz(m->scale ? m->scale : 1));
	return 0;
}

static unsigned log2_bytes(unsigned bits)
{
	return (unsigned)__builtin_ctz(bits / 8);
}

/* Source operand; memory is loaded into a temporary first. */
static int source(struct xctx *c, const ZydisDecodedOperand *p, struct hir_opnd *out)
{
	struct hir_opnd base;
	struct hir *h;
	s32 disp;
	int r;

	switch (p->type) {
	case ZYDIS_OPERAND_TYPE_REGISTER:
		r = gpr(p->reg.value);
		*out = reg((unsigned)r);
		return r < 0 ? -1 : 0;
	case ZYDIS_OPERAND_TYPE_IMMEDIATE:
		*out = himm(p->imm.is_signed ? p->imm.value.s : (s64)p->imm.value.u);
		return 0;
	case ZYDIS_OPERAND_TYPE_MEMORY:
		if (p->size != 8 && p->size != 16 && p->size != 32 && p->size != 64)
			return -1;
		if (address(c, p, &base, &disp))
			return -1;
		*out = tmp(c);
		h = emit(c, HIR_LD, p->size == 64 ? 8 : 4, *out, base, hnone());
		h->size = (u8)log2_bytes(p->size);
		h->imm2 = disp;
		return 0;
	default: return -1;
	}
}

static void flags_by_last(struct xctx *c)
{
	c->flags = c->o->n - 1;
	c->o->producer[c->flags] = 1;
}

static int store(struct xctx *c, struct hir_opnd base, s32 disp, unsigned bits, struct hir_opnd v)
{
	struct hir *h = emit(c, HIR_ST, bits == 64 ? 8 : 4, hnone(), base, v);

	h->size = (u8)log2_bytes(bits);
	h->imm2 = disp;
	return 0;
}

/* d op= s, with memory on either side. */
static int alu(struct xctx *c, enum hir_op op, const ZydisDecodedOperand *pd,
	       const ZydisDecodedOperand *ps, bool flags)
{
	struct hir_opnd a, b, t;

	if (source(c, ps, &b))
		return -1;
	if (pd->type == ZYDIS_OPERAND_TYPE_MEMORY) {
		struct hir_opnd base;
		s32 disp;
		struct hir *h;

		if (address(c, pd, &base, &disp))
			return -1;
		a = tmp(c);
		h = emit(c, HIR_LD, c->w, a, base, hnone());
		h->size = (u8)log2_bytes(pd->size);
		h->imm2 = disp;
		t = tmp(c);
		emit(c, op, c->w, t, a, b);
		if (flags)
			flags_by_last(c);
		return store(c, base, disp, pd->size, t);
	}
	if (source(c, pd, &a))
		return -1;
	/* xor r, r is zero, not a use of r */
	if ((op == HIR_XOR || op == HIR_SUB) && a.kind == H_X && b.kind == H_X && a.reg == b.reg) {
		emit(c, HIR_MOV, 4, a, himm(0), hnone());
		c->flags = -1;
		return 0;
	}
	emit(c, op, c->w, a, a, b);
	if (flags)
		flags_by_last(c);
	else
		c->flags = -1;
	return 0;
}

static int compare(struct xctx *c, enum hir_op op)
{
	struct hir_opnd a, b;

	if (source(c, &c->p[0], &a) || source(c, &c->p[1], &b))
		return -1;
	emit(c, op, c->w, hnone(), a, b);
	flags_by_last(c);
	return 0;
}

/* A64 condition for an x86 one, by the op that made the flags; -1 when there is none. */
static int cond(struct xctx *c, unsigned xcc)
{
	static const s8 sub[16] = {A64_VS, A64_VC, A64_CC, A64_CS, A64_EQ, A64_NE, A64_LS, A64_HI,
				   A64_MI, A64_PL, -1,	   -1,	   A64_LT, A64_GE, A64_LE, A64_GT};
	int op;

	if (c->flags < 0)
		return -1;
	op = c->o->op[c->flags].op;
	c->o->op[c->flags].setf = 1;
	if (op == HIR_SUB || op == HIR_SBC)
		return sub[xcc];
	if ((op == HIR_ADD || op == HIR_ADC) && (xcc == XCC_B || xcc == XCC_AE))
		return xcc == XCC_B ? A64_CS : A64_CC;
	if (xcc == XCC_B || xcc == XCC_AE || xcc == XCC_BE || xcc == XCC_A)
		return -1;
	return op == HIR_AND || op == HIR_ADD || op == HIR_ADC ? sub[xcc] : -1;
}

static int branch(struct xctx *c, unsigned xcc, u64 target)
{
	struct hir *h, *f;
	int cc;

	c->o->target = target;
	f = c->flags >= 0 ? &c->o->op[c->flags] : NULL;
	/* test r, r; jz: a branch on the register, flags are free */
	if (f && !f->setf && f->op == HIR_AND && f->d.kind == H_NONE && c->flags == c->o->n - 1 &&
	    f->a.kind == H_X && (xcc == XCC_E || xcc == XCC_NE) &&
	    ((f->b.kind == H_X && f->b.reg == f->a.reg) ||
	     (f->b.kind == H_IMM && f->b.imm && !(f->b.imm & (f->b.imm - 1))))) {
		struct hir_opnd r = f->a, k = f->b;
		unsigned w = f->w;

		c->o->n--;
		if (k.kind == H_IMM) {
			h = emit(c, xcc == XCC_E ? HIR_BTZ : HIR_BTNZ, 8, hnone(), himm(0), r);
			h->c = himm(__builtin_ctzll((u64)k.imm));
		} else {
			emit(c, xcc == XCC_E ? HIR_BZ : HIR_BNZ, w, hnone(), himm(0), r);
		}
		return 0;
	}
	cc = cond(c, xcc);
	if (cc < 0)
		return -1;
	h = emit(c, HIR_BCC, 8, hnone(), himm(0), hnone());
	h->cc = (u8)cc;
	return 0;
}

static int dest(struct xctx *c, struct hir_opnd *d)
{
	int r;

	if (c->p[0].type != ZYDIS_OPERAND_TYPE_REGISTER)
		return -1;
	r = gpr(c->p[0].reg.value);
	*d = reg((unsigned)r);
	return r < 0 ? -1 : 0;
}

static int unary(struct xctx *c, enum hir_op op)
{
	struct hir_opnd d;

	if (dest(c, &d))
		return -1;
	emit(c, op, c->w, d, d, hnone());
	if (op == HIR_NEG)
		c->flags = -1;
	return 0;
}

static int extend(struct xctx *c, bool sign)
{
	unsigned bits = c->p[1].size;
	struct hir_opnd d, s;

	if (dest(c, &d))
		return -1;
	if (source(c, &c->p[1], &s))
		return -1;
	if (c->p[1].type == ZYDIS_OPERAND_TYPE_MEMORY) {
		struct hir *h = &c->o->op[c->o->n - 1]; /* the load itself extends */

		h->d = d;
		h->sx = sign;
		h->w = (u8)c->w;
		return 0;
	}
	emit(c,
	     (bits == 8	   ? HIR_ZX8
	      : bits == 16 ? HIR_ZX16
			   : HIR_ZX32) +
		     (sign ? 3 : 0),
	     c->w, d, s, hnone());
	return 0;
}

static int move(struct xctx *c)
{
	struct hir_opnd d, s;

	if (c->p[0].type == ZYDIS_OPERAND_TYPE_MEMORY) {
		struct hir_opnd base;
		s32 disp;

		if (source(c, &c->p[1], &s) || address(c, &c->p[0], &base, &disp))
			return -1;
		return store(c, base, disp, c->p[0].size, s);
	}
	if (dest(c, &d) || source(c, &c->p[1], &s))
		return -1;
	if (c->p[1].type == ZYDIS_OPERAND_TYPE_MEMORY)
		c->o->op[c->o->n - 1].d = d;
	else
		emit(c, HIR_MOV, c->w, d, s, hnone());
	return 0;
}

static int lea(struct xctx *c)
{
	const ZydisDecodedOperandMem *m = &c->p[1].mem;
	struct hir_opnd d;
	struct hir *h;
	int b = m->base == ZYDIS_REGISTER_NONE ? -1 : gpr(m->base);
	int x = m->index == ZYDIS_REGISTER_NONE ? -1 : gpr(m->index);

	if (dest(c, &d) || m->base == ZYDIS_REGISTER_RIP)
		return -1;
	if (b < 0 && x >= 0) { /* scaled index alone: a shift, and perhaps an addition */
		emit(c, HIR_SHL, c->w, d, reg((unsigned)x), himm(__builtin_ctz(m->scale)));
		if (m->disp.value)
			emit(c, HIR_ADD, c->w, d, d, himm(m->disp.value));
		return 0;
	}
	if (b < 0)
		return -1;
	h = emit(c, HIR_LEA, c->w, d, reg((unsigned)b), x >= 0 ? reg((unsigned)x) : hnone());
	if (x >= 0)
		h->c = himm(__builtin_ctz(m->scale));
	h->imm2 = (s32)m->disp.value;
	if (x < 0 || !m->disp.value) { /* plain additions are easier to generalise */
		if (x < 0) {
			h->op = HIR_ADD;
			h->b = himm(h->imm2);
			h->imm2 = 0;
		} else if (m->scale == 1) {
			h->op = HIR_ADD;
			h->c = hnone();
		}
	}
	return 0;
}

static int shift(struct xctx *c, enum hir_op op, bool left_rotate)
{
	struct hir_opnd d, s;

	if (dest(c, &d) || source(c, &c->p[1], &s))
		return -1;
	if (left_rotate) {
		if (s.kind != H_IMM)
			return -1;
		s.imm = (s64)(c->w * 8) - s.imm;
	}
	emit(c, op, c->w, d, d, s);
	c->flags = -1;
	return 0;
}

/* Three-operand BMI2 shifts and andn. */
static int three(struct xctx *c, enum hir_op op)
{
	struct hir_opnd d, a, b;

	if (dest(c, &d) || source(c, &c->p[1], &a) || source(c, &c->p[2], &b))
		return -1;
	if (op == HIR_BIC)
		emit(c, op, c->w, d, b, a);
	else
		emit(c, op, c->w, d, a, b);
	return 0;
}

static int multiply(struct xctx *c)
{
	struct hir_opnd d, a, b;
	int n = c->i->operand_count_visible;

	if (n < 2 || dest(c, &d) || source(c, &c->p[n - 2], &a) || source(c, &c->p[n - 1], &b))
		return -1;
	emit(c, HIR_MUL, c->w, d, a, b);
	c->flags = -1;
	return 0;
}

static int double_shift(struct xctx *c, bool left)
{
	struct hir_opnd d, s, n;

	if (dest(c, &d) || source(c, &c->p[1], &s) || source(c, &c->p[2], &n) || n.kind != H_IMM)
		return -1;
	if (left)
		emit(c, HIR_SHRD, c->w, d, d, s)->c = himm((s64)(c->w * 8) - n.imm);
	else
		emit(c, HIR_SHRD, c->w, d, s, d)->c = n;
	c->flags = -1;
	return 0;
}

/* Condition number of jcc, setcc or cmovcc by opcode. */
static unsigned cc_of(struct xctx *c)
{
	return c->i->opcode & 15;
}

static int conditional_move(struct xctx *c)
{
	struct hir_opnd d, s;
	int cc;

	if (dest(c, &d) || source(c, &c->p[1], &s))
		return -1;
	cc = cond(c, cc_of(c));
	if (cc < 0)
		return -1;
	emit(c, HIR_CSEL, c->w, d, s, d)->cc = (u8)cc;
	return 0;
}

static int set_byte(struct xctx *c)
{
	struct hir_opnd d;
	int cc;

	if (dest(c, &d))
		return -1;
	cc = cond(c, cc_of(c));
	if (cc < 0)
		return -1;
	emit(c, HIR_CSET, 4, d, hnone(), hnone())->cc = (u8)cc;
	return 0;
}

static int inc_dec(struct xctx *c, enum hir_op op)
{
	static const ZydisDecodedOperand one = {.type = ZYDIS_OPERAND_TYPE_IMMEDIATE,
						.imm = {.value = {.u = 1}}};

	return alu(c, op, &c->p[0], &one, true);
}

/* adc r, 0 and sbb r, -1 count a condition; others continue an addition or subtraction. */
static int carry(struct xctx *c, bool sub)
{
	struct hir_opnd d, s;
	int cc = cond(c, XCC_B), made = c->flags >= 0 ? c->o->op[c->flags].op : -1;

	if (cc < 0 || dest(c, &d))
		return -1;
	if (sub && c->p[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    c->p[1].reg.value == c->p[0].reg.value) {
		emit(c, HIR_CSETM, c->w, d, hnone(), hnone())->cc = (u8)cc;
		c->flags = -1;
		return 0;
	}
	if (source(c, &c->p[1], &s))
		return -1;
	if (s.kind == H_IMM && s.imm == (sub ? -1 : 0)) {
		emit(c, HIR_CINC, c->w, d, d, hnone())->cc = (u8)(sub ? cc ^ 1 : cc);
		c->flags = -1;
		return 0;
	}
	if (made != (sub ? HIR_SUB : HIR_ADD) && made != (sub ? HIR_SBC : HIR_ADC))
		return -1;
	emit(c, sub ? HIR_SBC : HIR_ADC, c->w, d, d, s);
	flags_by_last(c);
	return 0;
}

/* rdx:rax = rax * s */
static int wide_multiply(struct xctx *c, enum hir_op high)
{
	struct hir_opnd s, t = tmp(c);

	if (c->w != 8 || source(c, &c->p[0], &s))
		return -1;
	emit(c, high, 8, t, reg(0), s);
	emit(c, HIR_MUL, 8, reg(0), reg(0), s);
	emit(c, HIR_MOV, 8, reg(2), t, hnone());
	c->flags = -1;
	return 0;
}

static int bit_count(struct xctx *c, enum hir_op op)
{
	struct hir_opnd d, s;

	if (dest(c, &d) || source(c, &c->p[1], &s))
		return -1;
	emit(c, op, c->w, d, s, hnone());
	c->flags = -1;
	return 0;
}

static int by_category(struct xctx *c)
{
	switch (c->i->meta.category) {
	case ZYDIS_CATEGORY_COND_BR:
		if (c->i->mnemonic == ZYDIS_MNEMONIC_JRCXZ ||
		    c->i->mnemonic == ZYDIS_MNEMONIC_JECXZ || c->i->mnemonic == ZYDIS_MNEMONIC_LOOP)
			return -1;
		return branch(c, cc_of(c), 0);
	case ZYDIS_CATEGORY_CMOV: return conditional_move(c);
	case ZYDIS_CATEGORY_SETCC: return set_byte(c);
	default: return -1;
	}
}

static int translate(struct xctx *c)
{
	const ZydisDecodedOperand *p = c->p;

	switch (c->i->mnemonic) {
	case ZYDIS_MNEMONIC_MOV: return move(c);
	case ZYDIS_MNEMONIC_MOVZX: return extend(c, false);
	case ZYDIS_MNEMONIC_MOVSX:
	case ZYDIS_MNEMONIC_MOVSXD: return extend(c, true);
	case ZYDIS_MNEMONIC_LEA: return lea(c);
	case ZYDIS_MNEMONIC_ADD: return alu(c, HIR_ADD, &p[0], &p[1], true);
	case ZYDIS_MNEMONIC_SUB: return alu(c, HIR_SUB, &p[0], &p[1], true);
	case ZYDIS_MNEMONIC_AND: return alu(c, HIR_AND, &p[0], &p[1], true);
	case ZYDIS_MNEMONIC_OR: return alu(c, HIR_OR, &p[0], &p[1], false);
	case ZYDIS_MNEMONIC_XOR: return alu(c, HIR_XOR, &p[0], &p[1], false);
	case ZYDIS_MNEMONIC_INC: return inc_dec(c, HIR_ADD);
	case ZYDIS_MNEMONIC_DEC: return inc_dec(c, HIR_SUB);
	case ZYDIS_MNEMONIC_CMP: return compare(c, HIR_SUB);
	case ZYDIS_MNEMONIC_TEST: return compare(c, HIR_AND);
	case ZYDIS_MNEMONIC_NEG: return unary(c, HIR_NEG);
	case ZYDIS_MNEMONIC_NOT: return unary(c, HIR_NOT);
	case ZYDIS_MNEMONIC_BSWAP: return unary(c, HIR_BSWAP);
	case ZYDIS_MNEMONIC_SHL: return shift(c, HIR_SHL, false);
	case ZYDIS_MNEMONIC_SHR: return shift(c, HIR_SHR, false);
	case ZYDIS_MNEMONIC_SAR: return shift(c, HIR_SAR, false);
	case ZYDIS_MNEMONIC_ROR: return shift(c, HIR_ROR, false);
	case ZYDIS_MNEMONIC_ROL: return shift(c, HIR_ROR, true);
	case ZYDIS_MNEMONIC_SHLX: return three(c, HIR_SHL);
	case ZYDIS_MNEMONIC_SHRX: return three(c, HIR_SHR);
	case ZYDIS_MNEMONIC_SARX: return three(c, HIR_SAR);
	case ZYDIS_MNEMONIC_RORX: return three(c, HIR_ROR);
	case ZYDIS_MNEMONIC_ANDN: return three(c, HIR_BIC);
	case ZYDIS_MNEMONIC_SHRD: return double_shift(c, false);
	case ZYDIS_MNEMONIC_SHLD: return double_shift(c, true);
	case ZYDIS_MNEMONIC_IMUL: return multiply(c);
	case ZYDIS_MNEMONIC_MUL: return wide_multiply(c, HIR_UMULH);
	case ZYDIS_MNEMONIC_LZCNT: return bit_count(c, HIR_CLZ);
	case ZYDIS_MNEMONIC_BSF:
	case ZYDIS_MNEMONIC_TZCNT: return bit_count(c, HIR_CTZ);
	case ZYDIS_MNEMONIC_ADC: return carry(c, false);
	case ZYDIS_MNEMONIC_SBB: return carry(c, true);
	case ZYDIS_MNEMONIC_CDQ: emit(c, HIR_SAR, 4, reg(2), reg(0), himm(31)); return 0;
	case ZYDIS_MNEMONIC_CQO: emit(c, HIR_SAR, 8, reg(2), reg(0), himm(63)); return 0;
	case ZYDIS_MNEMONIC_CDQE: emit(c, HIR_SX32, 8, reg(0), reg(0), hnone()); return 0;
	case ZYDIS_MNEMONIC_JMP:
		if (p[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
			return -1;
		emit(c, HIR_B, 8, hnone(), himm(0), hnone());
		return 0;
	case ZYDIS_MNEMONIC_NOP:
	case ZYDIS_MNEMONIC_ENDBR64: return 0;
	default: return by_category(c);
	}
}

/* ---- flags after the accesses ---- */

static bool reads(const struct hir *h, const struct hir_opnd *d)
{
	const struct hir_opnd *o[] = {&h->a, &h->b, &h->c};

	for (int k = 0; k < 3; k++)
		if ((o[k]->kind == H_X || o[k]->kind == H_T) && o[k]->kind == d->kind &&
		    o[k]->reg == d->reg)
			return true;
	return false;
}

static bool independent(const struct hir *a, const struct hir *b)
{
	bool d = a->d.kind && a->d.kind == b->d.kind && a->d.reg == b->d.reg;

	return !d && !reads(b, &a->d) && !reads(a, &b->d) && !hop_reads_flags(b->op) &&
	       !hop_is_control(b->op);
}

/*
 * A rule may write NZCV only after its last access, and an x86 mov leaves flags alone: a producer
 * that stands before an access moves behind it.
 */
static void sink_flags(struct hostseq *o)
{
	for (int i = o->n - 1; i >= 0; i--) {
		int last = -1;

		for (int j = i + 1; j < o->n; j++)
			if (hop_is_mem(o->op[j].op))
				last = j;
		if (!o->producer[i] || last < 0)
			continue;
		for (int j = i; j < last && independent(&o->op[j], &o->op[j + 1]); j++) {
			struct hir h = o->op[j];
			u8 p = o->producer[j];

			o->op[j] = o->op[j + 1];
			o->producer[j] = o->producer[j + 1];
			o->op[j + 1] = h;
			o->producer[j + 1] = p;
		}
	}
}

int x86_to_hir(const struct insn_line *in, int n, struct hostseq *out, const char **why)
{
	ZydisDecoder dec;
	ZydisDecodedInstruction i;
	ZydisDecodedOperand p[ZYDIS_MAX_OPERAND_COUNT];
	struct xctx c = {.o = out, .i = &i, .p = p, .flags = -1};

	memset(out, 0, sizeof(*out));
	ZydisDecoderInit(&dec, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (int k = 0; k < n; k++) {
		*why = "host: not decoded";
		if (ZYAN_FAILED(ZydisDecoderDecodeFull(&dec, in[k].bytes, in[k].len, &i, p)))
			return -1;
		c.w = i.operand_width == 64 ? 8 : 4;
		*why = "host: instruction outside HIR";
		if (translate(&c))
			return -1;
		*why = "host: too long";
		if (out->n >= MAX_HOST_HIR - 1)
			return -1;
	}
	sink_flags(out);
	return 0;
}

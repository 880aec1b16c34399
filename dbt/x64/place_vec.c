/* SPDX-License-Identifier: MIT */
/*
 * Placement of vector operations. Guest vector registers live in the CPU state; xmm1-xmm8 are scratch
 * for temporaries and operands within an instruction, xmm0 is the implicit operand of SSE forms.
 */
#include "dbt/x64/place_internal.h"
#include "dbt/x64/vops.h"


const struct vop_info vop_table[VOP_NUM] = {
#define VOP(name, form, pp, map, opcode, w, flags) {#name, form, pp, map, opcode, w, flags},
#include "dbt/x64/vops.def"
#undef VOP
};

static int valloc(struct place *p)
{
	for (int r = VSCRATCH_FIRST; r < VSCRATCH_FIRST + N_VSCRATCH; r++)
		if (!(p->vbusy & BIT(r))) {
			p->vbusy |= BIT(r);
			p->op_vbusy |= BIT(r);
			return r;
		}
	p->fail = "out of vector scratch registers";
	return 0;
}

static struct xop vrm(struct place *p, const struct hir_opnd *o)
{
	switch (o->kind) {
	case H_V: return xm(RBP, V_OFF(o->reg));
	case H_W:
		if (p->wreg[o->reg] < 0)
			p->fail = "vector temporary read before it is written";
		return xr(p->wreg[o->reg]);
	case H_CONST: return xabs(p->consts_rx + (u64)o->imm * 16);
	case H_STATE: return xm(RBP, (s32)o->imm - CPU_BIAS);
	default: p->fail = "bad vector operand"; return xr(0);
	}
}

int vsrc_reg(struct place *p, const struct hir_opnd *o)
{
	struct xop s = vrm(p, o);
	int r;

	if (s.reg >= 0)
		return s.reg;
	r = valloc(p);
	x_vex(&p->a, 0, 1, 0, 0, 0x28, r, 0, s, 0); /* vmovaps */
	return r;
}

int vdst_reg(struct place *p, const struct hir_opnd *d)
{
	int r;

	if (d->kind != H_W)
		return valloc(p);
	if (p->wreg[d->reg] >= 0)
		return p->wreg[d->reg];
	r = valloc(p);
	p->op_vbusy &= ~BIT(r);
	p->wreg[d->reg] = (s8)r;
	return r;
}

void vdst_done(struct place *p, const struct hir_opnd *d, int reg)
{
	if (d->kind == H_V)
		x_vex(&p->a, 0, 1, 0, 0, 0x29, reg, 0, vrm(p, d), 0);
}

static void encode(struct place *p, const struct vop_info *v, int reg, int vvvv, struct xop rm,
		   unsigned imm_len)
{
	unsigned l = v->flags & VO_L256 ? 1 : 0;

	if (v->flags & VO_ONLYEVEX) {
		unsigned n = v->flags & VO_M8	? 1 :
			     v->flags & VO_M16	? 2 :
			     v->flags & VO_M32	? 4 :
			     v->flags & VO_M64	? 8 :
			     l			? 32 :
						  16;

		x_evex(&p->a, v->pp, v->map, v->flags & VO_EVEXW1 ? 1 : v->w & 1, l, v->opcode, reg, vvvv, rm,
		       imm_len, n);
	} else {
		x_vex(&p->a, v->pp, v->map, v->w & 1, l, v->opcode, reg, vvvv, rm, imm_len);
	}
}

/* GPR source: register, temporary, memory or constant, in a host register. */
static int gsrc(struct place *p, const struct hir_opnd *o)
{
	return src_reg(p, o, 8);
}

static void vop_gpr_result(struct place *p, const struct hir *h, const struct vop_info *v)
{
	int x = vsrc_reg(p, &h->a), r = dst_reg(p, &h->d, NULL);
	unsigned il = v->form == VF_V2GI;

	if (v->flags & VO_REGXMM)
		encode(p, v, x, 0, xr(r), il);
	else
		encode(p, v, r, 0, xr(x), il);
	if (il)
		x8(&p->a, (unsigned)h->imm2);
	dst_done(p, &h->d, r);
}

static void vop(struct place *p, const struct hir *h)
{
	const struct vop_info *v = &vop_table[h->vop];
	struct xasm *a = &p->a;
	int r, x, y;

	switch (v->form) {
	case VF_RVM:
	case VF_RVMI:
		x = vsrc_reg(p, &h->a);
		r = vdst_reg(p, &h->d);
		encode(p, v, r, x, vrm(p, &h->b), v->form == VF_RVMI);
		break;
	case VF_RM:
	case VF_RMI:
		r = vdst_reg(p, &h->d);
		encode(p, v, r, 0, vrm(p, &h->a), v->form == VF_RMI);
		break;
	case VF_VMI:
		x = v->flags & VO_ONLYEVEX ? -1 : vsrc_reg(p, &h->a);
		r = vdst_reg(p, &h->d);
		encode(p, v, v->w >> 4, r, x < 0 ? vrm(p, &h->a) : xr(x), 1);
		break;
	case VF_RVMR:
		x = vsrc_reg(p, &h->a);
		y = vsrc_reg(p, &h->c);
		r = vdst_reg(p, &h->d);
		encode(p, v, r, x, vrm(p, &h->b), 1);
		x8(a, (unsigned)y << 4);
		break;
	case VF_FMA:
	case VF_FMAI:
		x = vsrc_reg(p, &h->a);
		if (h->d.kind == H_W) {
			r = vrm(p, &h->d).reg;
		} else {
			r = valloc(p);
			x_vex(a, 0, 1, 0, 0, 0x28, r, 0, vrm(p, &h->d), 0);
		}
		encode(p, v, r, x, vrm(p, &h->b), v->form == VF_FMAI);
		break;
	case VF_SSE:
		if (h->d.kind == H_W) {
			r = vrm(p, &h->d).reg;
		} else {
			r = valloc(p);
			x_vex(a, 0, 1, 0, 0, 0x28, r, 0, vrm(p, &h->d), 0);
		}
		if (h->b.kind != H_NONE)
			x_vex(a, 0, 1, 0, 0, 0x28, 0, 0, vrm(p, &h->b), 0);
		x_op(a, 4, (v->map == 2 ? 0x0f3800u : 0x0f3a00u) | v->opcode, r, vrm(p, &h->a),
		     v->map == 3);
		if (v->map == 3)
			x8(a, (unsigned)h->imm2);
		break;
	case VF_G2V:
		x = gsrc(p, &h->a);
		r = vdst_reg(p, &h->d);
		encode(p, v, r, 0, xr(x), 0);
		break;
	case VF_VG2VI:
	case VF_VG2V:
		x = vsrc_reg(p, &h->a);
		y = gsrc(p, &h->b);
		r = vdst_reg(p, &h->d);
		encode(p, v, r, x, xr(y), v->form == VF_VG2VI);
		break;
	case VF_V2G:
	case VF_V2GI: vop_gpr_result(p, h, v); return;
	default: p->fail = "vop form"; return;
	}
	if (v->form == VF_RVMI || v->form == VF_RMI || v->form == VF_VMI ||
	    v->form == VF_VG2VI || v->form == VF_FMAI)
		x8(a, (unsigned)h->imm2);
	vdst_done(p, &h->d, r);
}

static void vcmp(struct place *p, const struct hir *h)
{
	const struct vop_info *v = &vop_table[h->vop];
	int x;

	flags_clobber(p);
	x = vsrc_reg(p, &h->a);
	encode(p, v, x, 0, vrm(p, &h->b), 0);
}

static void xset(struct place *p, const struct hir *h)
{
	int r = dst_reg(p, &h->d, NULL);

	x_setcc(&p->a, h->cc, xr(r));
	x_movx(&p->a, 4, 1, false, r, xr(r));
	dst_done(p, &h->d, r);
}

/*
 * ucomis: unordered ZF PF CF = 111, less 001, equal 100, greater 000; OF = SF = 0.
 * NZCV: unordered 0011, less 1000, equal 0110, greater 0010. Image: SF = less, ZF = equal,
 * CF (NOT C) = less, OF = unordered.
 */
static void fcmpf(struct place *p)
{
	struct xasm *a = &p->a;
	int r = alloc_scratch(p), t = alloc_scratch(p);

	x_setcc(a, XCC_P, xr(r)); /* V */
	x_mov_mr(a, 1, xm(RBP, CPU_OFF(host_nzcv)), r);
	x_setcc(a, XCC_E, xr(t));
	x_setcc(a, XCC_B, xr(r));
	x_movx(a, 4, 1, false, t, xr(t));
	x_movx(a, 4, 1, false, r, xr(r));
	/* unordered sets all of ZF and CF: clear both then. equal: t=1 r=0; less: t=0 r=1 */
	x_lea(a, 4, t, xmi(t, r, 1, 0));      /* equal 1, less 2, unordered 3, greater 0 */
	x_mov_imm(a, r, 0x00814000u);	      /* bytes: 00, 40, 81, 00 */
	x_shift_i(a, 4, 4, xr(t), 3);
	x_shiftx(a, 4, 5, r, xr(r), t);
	x_mov_mr(a, 1, xm(RBP, CPU_OFF(host_nzcv) + 1), r);
	p->fl_eflags = false;
	p->fl_mem = true;
}

/* Where the condition fails nothing is compared: a comparison may set MXCSR's sticky bits. */
static void fccmp(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	unsigned nzcv = (unsigned)h->c.imm, cc;
	u8 *yes, *done;
	int x;

	if (!p->fl_eflags)
		flags_clobber(p);
	cc = flags_cond(p, h->cc);
	p->busy &= ~p->op_busy;
	p->op_busy = 0;
	x = vsrc_reg(p, &h->a);
	yes = x_jcc8_fwd(a, cc);
	x_mov_mi(a, 1, xm(RBP, CPU_OFF(host_nzcv)), nzcv & 1);
	x_mov_mi(a, 1, xm(RBP, CPU_OFF(host_nzcv) + 1), (nzcv & 0xc) << 4 | !(nzcv & 2));
	done = x_jmp8_fwd(a);
	x_patch8(a, yes);
	encode(p, &vop_table[h->vop], x, 0, vrm(p, &h->b), 0);
	fcmpf(p);
	x_patch8(a, done);
}

/* Low 8 bytes of a vector operand for an integer instruction. */
static struct xop vlow(struct place *p, const struct hir_opnd *o)
{
	struct xop s = vrm(p, o);
	int r;

	if (s.reg < 0)
		return s;
	r = alloc_scratch(p);
	x_vex(&p->a, 1, 1, 1, 0, 0x7e, s.reg, 0, xr(r), 0); /* vmovq */
	return xr(r);
}

static void fcsel(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	unsigned w = h->w < 8 ? 4 : 8, cc;
	struct xop src;
	int r, x;

	if (!p->fl_eflags)
		flags_clobber(p);
	cc = flags_cond(p, h->cc);
	p->busy &= ~p->op_busy;
	p->op_busy = 0;
	src = vlow(p, &h->a);
	r = alloc_scratch(p);
	x_mov_rm(a, w, r, vlow(p, &h->b));
	x_cmov(a, w, cc, r, src);
	if (h->w == 2)
		x_movx(a, 4, 2, false, r, xr(r));
	x = vdst_reg(p, &h->d);
	x_vex(a, 1, 1, 1, 0, 0x6e, x, 0, xr(r), 0);
	vdst_done(p, &h->d, x);
}

bool place_vec(struct place *p, const struct hir *h)
{
	switch (h->op) {
	case HIR_V: vop(p, h); break;
	case HIR_VCMP: vcmp(p, h); break;
	case HIR_XSET: xset(p, h); break;
	case HIR_FCMPF: fcmpf(p); break;
	case HIR_FCCMP: fccmp(p, h); break;
	case HIR_FCSEL: fcsel(p, h); break;
	default: return false;
	}
	return true;
}

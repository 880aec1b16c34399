/* SPDX-License-Identifier: MIT */
/*
 * Placement of vector operations. xmm1-xmm7 are scratch for temporaries and operands within an
 * instruction, xmm0 is the implicit operand of SSE forms; vm->vmap says which guest registers live
 * in the others.
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

void x_v(struct xasm *a, unsigned pp, unsigned map, unsigned wv, unsigned we, unsigned opc, int reg,
	 int vvvv, struct xop rm, unsigned imm_len, unsigned n)
{
	if (reg > 15 || vvvv > 15 || rm.reg > 15)
		x_evex(a, pp, map, we, 0, opc, reg, vvvv, rm, imm_len, n);
	else
		x_vex(a, pp, map, wv, 0, opc, reg, vvvv, rm, imm_len);
}

static void vmov(struct place *p, int dst, struct xop src)
{
	x_v(&p->a, 0, 1, 0, 0, 0x28, dst, 0, src, 0, 16); /* vmovaps */
}

static struct xop vrm(struct place *p, const struct hir_opnd *o)
{
	switch (o->kind) {
	case H_V:
		if (v_in_reg(p, o->reg))
			return xr(p->vm->vmap[o->reg]);
		return xm(RBP, V_OFF(o->reg));
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
	vmov(p, r, s);
	return r;
}

int vdst_reg(struct place *p, const struct hir_opnd *d)
{
	int r;

	if (d->kind == H_V && v_in_reg(p, d->reg))
		return p->vm->vmap[d->reg];
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
	struct xop m;

	if (d->kind != H_V)
		return;
	m = vrm(p, d);
	if (m.reg != reg)
		x_v(&p->a, 0, 1, 0, 0, 0x29, reg, 0, m, 0, 16);
}

/* Registers beyond 15 need EVEX: an operation that has only VEX forms gets copies below. */
static bool vex_only(const struct vop_info *v)
{
	return !(v->flags & (VO_EVEX | VO_ONLYEVEX));
}

static struct xop vrm_for(struct place *p, const struct vop_info *v, const struct hir_opnd *o)
{
	struct xop s = vrm(p, o);
	int r;

	if (s.reg < 16 || !vex_only(v))
		return s;
	r = valloc(p);
	vmov(p, r, s);
	return xr(r);
}

static int vsrc_for(struct place *p, const struct vop_info *v, const struct hir_opnd *o)
{
	struct xop s = vrm_for(p, v, o);
	int r;

	if (s.reg >= 0)
		return s.reg;
	r = valloc(p);
	vmov(p, r, s);
	return r;
}

static int vdst_for(struct place *p, const struct vop_info *v, const struct hir_opnd *d)
{
	int r = vdst_reg(p, d);

	return r > 15 && vex_only(v) ? valloc(p) : r;
}

static void encode(struct place *p, const struct vop_info *v, int reg, int vvvv, struct xop rm,
		   unsigned imm_len)
{
	unsigned l = v->flags & VO_L256 ? 1 : 0;

	if (v->flags & VO_ONLYEVEX || reg > 15 || vvvv > 15 || rm.reg > 15) {
		unsigned n = v->flags & VO_M8	 ? 1
			     : v->flags & VO_M16 ? 2
			     : v->flags & VO_M32 ? 4
			     : v->flags & VO_M64 ? 8
			     : l		 ? 32
						 : 16;

		x_evex(&p->a, v->pp, v->map, v->flags & VO_EVEXW1 ? 1 : v->w & 1, l, v->opcode, reg,
		       vvvv, rm, imm_len, n);
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
	unsigned il = v->form == VF_V2GI;
	struct xop m = vrm(p, &h->a);
	int x, r;

	if (m.reg < 0 && (h->vop == VOP_VMOVQ_V2G || h->vop == VOP_VMOVD_V2G)) {
		r = dst_reg(p, &h->d, NULL);
		x_mov_rm(&p->a, v->w ? 8 : 4, r, m);
		dst_done(p, &h->d, r);
		return;
	}
	x = vsrc_for(p, v, &h->a);
	r = dst_reg(p, &h->d, NULL);
	if (v->flags & VO_REGXMM)
		encode(p, v, x, 0, xr(r), il);
	else
		encode(p, v, r, 0, xr(x), il);
	if (il)
		x8(&p->a, (unsigned)h->imm2);
	dst_done(p, &h->d, r);
}

/* d = op(a), a may be memory. Returns the result's register. */
static int vop_unary(struct place *p, const struct hir *h, const struct vop_info *v)
{
	struct xop s = vrm_for(p, v, &h->a);
	int r;

	/* A move into a register that lives in memory is a store. */
	if (h->vop == VOP_VMOVAPS && s.reg >= 0 && h->d.kind == H_V && !v_in_reg(p, h->d.reg))
		return s.reg;
	r = vdst_for(p, v, &h->d);
	encode(p, v, r, 0, s, v->form == VF_RMI);
	return r;
}

/* d is read and written. */
static int vop_fma(struct place *p, const struct hir *h, const struct vop_info *v)
{
	int x = vsrc_for(p, v, &h->a), r = vdst_for(p, v, &h->d);
	struct xop d = vrm(p, &h->d);

	if (d.reg != r)
		vmov(p, r, d);
	encode(p, v, r, x, vrm_for(p, v, &h->b), v->form == VF_FMAI);
	return r;
}

/* Legacy-encoded SHA extensions: d is read and written, b if present goes to xmm0. */
static int vop_sse(struct place *p, const struct hir *h, const struct vop_info *v)
{
	struct xop m = vrm_for(p, v, &h->a), d = vrm(p, &h->d);
	int r = vdst_for(p, v, &h->d);

	if (d.reg != r)
		vmov(p, r, d);
	if (h->b.kind != H_NONE)
		vmov(p, 0, vrm(p, &h->b));
	x_op(&p->a, 4, (v->map == 2 ? 0x0f3800u : 0x0f3a00u) | v->opcode, r, m, v->map == 3);
	if (v->map == 3)
		x8(&p->a, (unsigned)h->imm2);
	return r;
}

static void vop(struct place *p, const struct hir *h)
{
	const struct vop_info *v = &vop_table[h->vop];
	struct xasm *a = &p->a;
	struct xop m;
	int r, x, y;

	switch (v->form) {
	case VF_RVM:
	case VF_RVMI:
		x = vsrc_for(p, v, &h->a);
		m = vrm_for(p, v, &h->b);
		r = vdst_for(p, v, &h->d);
		encode(p, v, r, x, m, v->form == VF_RVMI);
		break;
	case VF_RM:
	case VF_RMI: r = vop_unary(p, h, v); break;
	case VF_VMI:
		m = v->flags & VO_ONLYEVEX ? vrm(p, &h->a) : xr(vsrc_for(p, v, &h->a));
		r = vdst_for(p, v, &h->d);
		encode(p, v, v->w >> 4, r, m, 1);
		break;
	case VF_RVMR:
		x = vsrc_for(p, v, &h->a);
		y = vsrc_for(p, v, &h->c);
		m = vrm_for(p, v, &h->b);
		r = vdst_for(p, v, &h->d);
		encode(p, v, r, x, m, 1);
		x8(a, (unsigned)y << 4);
		break;
	case VF_MRI:
		x = vsrc_for(p, v, &h->a);
		r = vdst_for(p, v, &h->d);
		encode(p, v, x, 0, xr(r), 1);
		break;
	case VF_FMA:
	case VF_FMAI: r = vop_fma(p, h, v); break;
	case VF_SSE: r = vop_sse(p, h, v); break;
	case VF_G2V:
		x = gsrc(p, &h->a);
		r = vdst_for(p, v, &h->d);
		encode(p, v, r, 0, xr(x), 0);
		break;
	case VF_VG2VI:
	case VF_VG2V:
		x = vsrc_for(p, v, &h->a);
		y = gsrc(p, &h->b);
		r = vdst_for(p, v, &h->d);
		encode(p, v, r, x, xr(y), v->form == VF_VG2VI);
		break;
	case VF_V2G:
	case VF_V2GI: vop_gpr_result(p, h, v); return;
	default: p->fail = "vop form"; return;
	}
	if (v->form == VF_RVMI || v->form == VF_RMI || v->form == VF_VMI || v->form == VF_VG2VI ||
	    v->form == VF_FMAI || v->form == VF_MRI)
		x8(a, (unsigned)h->imm2);
	vdst_done(p, &h->d, r);
}

/*
 * Is op i a comparison for NZCV whose only reader comes next and asks what x86 can say of the
 * operands swapped only? MI and LS are "less" and "less or equal" of compiled code.
 */
static bool fcmp_swapped(const struct place *p, unsigned i)
{
	const struct hir *h = &p->tr->hir.op[i];

	if (i + 2 >= p->tr->hir.n || h[1].op != HIR_FCMPF || p->fl_live[i + 2] ||
	    p->vm->cfg.no_lazy_flags)
		return false;
	switch (h[2].op) {
	case HIR_BCC:
	case HIR_CSEL:
	case HIR_CSET:
	case HIR_FCSEL: break;
	default: return false;
	}
	return (h[2].cc >= A64_CS && h[2].cc <= A64_PL) || h[2].cc == A64_HI || h[2].cc == A64_LS;
}

static void vcmp(struct place *p, const struct hir *h)
{
	const struct vop_info *v = &vop_table[h->vop];
	const struct hir_opnd *first = &h->a, *second = &h->b;
	int x;

	flags_clobber(p);
	if (fcmp_swapped(p, p->i)) {
		first = &h->b;
		second = &h->a;
	}
	x = vsrc_for(p, v, first);
	encode(p, v, x, 0, vrm_for(p, v, second), 0);
}

static void xset(struct place *p, const struct hir *h)
{
	int r = dst_reg(p, &h->d, NULL);

	x_setcc(&p->a, h->cc, xr(r));
	x_movx(&p->a, 4, 1, false, r, xr(r));
	dst_done(p, &h->d, r);
}

/* EFLAGS hold the comparison until something needs NZCV or destroys them. */
static void fcmpf(struct place *p, bool swapped)
{
	flags_defined(p, false);
	p->fl_fcmp = swapped ? FCMP_BA : FCMP_AB;
}

/* Where the condition fails nothing is compared: a comparison may set MXCSR's sticky bits. */
static void fccmp(struct place *p, const struct hir *h)
{
	struct xasm *a = &p->a;
	unsigned nzcv = (unsigned)h->c.imm, cc;
	u8 *yes, *done = NULL;
	int x;

	if (h->cc >= A64_AL || !p->fl_eflags)
		flags_clobber(p);
	if (h->cc < A64_AL) {
		cc = flags_cond(p, h->cc);
		p->busy &= ~p->op_busy;
		p->op_busy = 0;
		x = vsrc_reg(p, &h->a); /* comis has an EVEX form */
		yes = x_jcc8_fwd(a, cc);
		x_mov_mi(a, 1, xm(RBP, CPU_OFF(host_nzcv)), nzcv & 1);
		x_mov_mi(a, 1, xm(RBP, CPU_OFF(host_nzcv) + 1), (nzcv & 0xc) << 4 | !(nzcv & 2));
		done = x_jmp8_fwd(a);
		x_patch8(a, yes);
	} else {
		x = vsrc_reg(p, &h->a);
	}
	encode(p, &vop_table[h->vop], x, 0, vrm(p, &h->b), 0);
	flags_from_fcmp(p);
	if (done)
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
	x_v(&p->a, 1, 1, 1, 1, 0x7e, s.reg, 0, xr(r), 0, 8); /* vmovq */
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
	x_v(a, 1, 1, 1, 1, 0x6e, x, 0, xr(r), 0, 8);
	vdst_done(p, &h->d, x);
}

bool place_vec(struct place *p, const struct hir *h)
{
	switch (h->op) {
	case HIR_V: vop(p, h); break;
	case HIR_VCMP: vcmp(p, h); break;
	case HIR_XSET: xset(p, h); break;
	case HIR_FCMPF: fcmpf(p, fcmp_swapped(p, p->i - 1)); break;
	case HIR_FCCMP: fccmp(p, h); break;
	case HIR_FCSEL: fcsel(p, h); break;
	default: return false;
	}
	return true;
}

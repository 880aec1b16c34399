// SPDX-License-Identifier: MIT
/* Floating-point conversions, rounding to integers and comparisons into NZCV. */
#include <string.h>

#include "dbt/a64/helpers_fp.h"

static const u8 *vn(const struct fp_x *x)
{
	return x->cpu->v[x->in->rn];
}

static void rint_lane(struct fp_x *x, unsigned i)
{
	u64 a = fp_get(vn(x), x->f, i);

	if (x->d->bits)
		a = fp_rint_n(&x->env, x->f, a, fpx_rnd(x), x->d->bits);
	else
		a = fp_rint(&x->env, x->f, a, fpx_rnd(x), x->d->flags & FPX_EXACT);
	fp_put(x->out, x->f, i, a);
}

void fpx_rint_s(struct fp_x *x)
{
	rint_lane(x, 0);
}

void fpx_rint_v(struct fp_x *x)
{
	for (unsigned i = 0; i < x->lanes; i++)
		rint_lane(x, i);
}

static void tofix_lane(struct fp_x *x, unsigned i)
{
	u64 a = fp_get(vn(x), x->f, i);

	fp_put(x->out, x->f, i,
	       fp_to_fixed(&x->env, x->f, a, fp_bits(x->f), x->in->amount, x->d->flags & FPX_UNS,
			   fpx_rnd(x)));
}

void fpx_tofix_s(struct fp_x *x)
{
	tofix_lane(x, 0);
}

void fpx_tofix_v(struct fp_x *x)
{
	for (unsigned i = 0; i < x->lanes; i++)
		tofix_lane(x, i);
}

static void fromfix_lane(struct fp_x *x, unsigned i)
{
	u64 a = fp_get(vn(x), x->f, i);
	bool uns = x->d->flags & FPX_UNS;

	if (!uns)
		a = (u64)sext64(a, fp_bits(x->f));
	fp_put(x->out, x->f, i, fp_from_fixed(&x->env, x->f, a, x->in->amount, uns));
}

void fpx_fromfix_s(struct fp_x *x)
{
	fromfix_lane(x, 0);
}

void fpx_fromfix_v(struct fp_x *x)
{
	for (unsigned i = 0; i < x->lanes; i++)
		fromfix_lane(x, i);
}

static void set_gpr(struct fp_x *x, u64 v)
{
	x->no_v = true;
	if (x->in->rd != 31)
		x->cpu->x[x->in->rd] = v;
}

void fpx_tofix_gpr(struct fp_x *x)
{
	u64 a = fp_get(vn(x), x->f, 0);

	set_gpr(x, fp_to_fixed(&x->env, x->f, a, x->in->sf ? 64 : 32, x->in->amount,
			       x->d->flags & FPX_UNS, fpx_rnd(x)));
}

void fpx_fromfix_gpr(struct fp_x *x)
{
	u64 a = x->in->rn == 31 ? 0 : x->cpu->x[x->in->rn];
	bool uns = x->d->flags & FPX_UNS;

	if (!x->in->sf)
		a = uns ? (u32)a : (u64)sext64(a, 32);
	fp_put(x->out, x->f, 0, fp_from_fixed(&x->env, x->f, a, x->in->amount, uns));
}

void fpx_fjcvtzs(struct fp_x *x)
{
	bool z;

	set_gpr(x, fp_to_js(&x->env, fp_get(vn(x), FP_D, 0), &z));
	cpu_nzcv_set(x->cpu, z ? 4 : 0);
}

void fpx_fcvt(struct fp_x *x)
{
	enum fp_fmt from = x->in->ftype == 0 ? FP_S : x->in->ftype == 1 ? FP_D : FP_H;

	fp_put(x->out, x->f, 0,
	       fp_convert(&x->env, x->f, from, fp_get(vn(x), from, 0), FPCR_RMODE(x->env.fpcr)));
}

void fpx_bfcvt(struct fp_x *x)
{
	fp_put(x->out, FP_H, 0,
	       fp_convert(&x->env, FP_BF16, FP_S, fp_get(vn(x), FP_S, 0), FPCR_RMODE(x->env.fpcr)));
}

/* in->size is the narrow side's; q selects the upper half of the narrow register. */
void fpx_fcvtl(struct fp_x *x)
{
	enum fp_fmt to = (enum fp_fmt)(x->f + 1);
	unsigned n = 16u >> to;

	for (unsigned i = 0; i < n; i++)
		fp_put(x->out, to, i,
		       fp_convert(&x->env, to, x->f, fp_get(vn(x), x->f, x->in->q ? n + i : i),
				  FPCR_RMODE(x->env.fpcr)));
}

static void narrow(struct fp_x *x, enum fp_fmt to)
{
	enum fp_fmt from = (enum fp_fmt)(x->f + 1);
	unsigned n = 16u >> from;

	if (x->in->q)
		memcpy(x->out, x->cpu->v[x->in->rd], 8);
	for (unsigned i = 0; i < n; i++)
		fp_put(x->out, x->f, x->in->q ? n + i : i,
		       fp_convert(&x->env, to, from, fp_get(vn(x), from, i), fpx_rnd(x)));
}

void fpx_fcvtn(struct fp_x *x)
{
	narrow(x, x->f);
}

void fpx_bfcvtn(struct fp_x *x)
{
	narrow(x, FP_BF16);
}

void fpx_fcvtxn_s(struct fp_x *x)
{
	fp_put(x->out, FP_S, 0, fp_convert(&x->env, FP_S, FP_D, fp_get(vn(x), FP_D, 0), FP_RO));
}

static u32 compare(struct fp_x *x, bool zero)
{
	u64 b = zero ? 0 : fp_get(x->cpu->v[x->in->rm], x->f, 0);

	return fp_compare(&x->env, x->f, fp_get(vn(x), x->f, 0), b, x->d->flags & FPX_EXACT);
}

/* FCMP, FCMPE; FPX_SWAP marks the forms with zero. */
void fpx_fcmp(struct fp_x *x)
{
	x->no_v = true;
	cpu_nzcv_set(x->cpu, compare(x, x->d->flags & FPX_SWAP));
}

void fpx_fccmp(struct fp_x *x)
{
	x->no_v = true;
	cpu_nzcv_set(x->cpu, nzcv_meets(cpu_nzcv_get(x->cpu), x->in->cond) ? compare(x, false)
									   : x->in->amount);
}

void fpx_urecpe(struct fp_x *x)
{
	for (unsigned i = 0; i < x->lanes; i++)
		fp_put(x->out, FP_S, i, fp_urecpe((u32)fp_get(vn(x), FP_S, i)));
}

void fpx_ursqrte(struct fp_x *x)
{
	for (unsigned i = 0; i < x->lanes; i++)
		fp_put(x->out, FP_S, i, fp_ursqrte((u32)fp_get(vn(x), FP_S, i)));
}

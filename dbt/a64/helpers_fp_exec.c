// SPDX-License-Identifier: MIT
/* Shapes of floating-point arithmetic: scalar, vector, pairwise, across, by element, widening. */
#include <string.h>

#include "dbt/a64/helpers_fp.h"

static const u8 *vn(const struct fp_x *x)
{
	return x->cpu->v[x->in->rn];
}
static const u8 *vm(const struct fp_x *x)
{
	return x->cpu->v[x->in->rm];
}
static const u8 *vd(const struct fp_x *x)
{
	return x->cpu->v[x->in->rd];
}

void fpx_un_s(struct fp_x *x)
{
	fp_put(x->out, x->f, 0, x->d->un(&x->env, x->f, fp_get(vn(x), x->f, 0)));
}

void fpx_un_v(struct fp_x *x)
{
	for (unsigned i = 0; i < x->lanes; i++)
		fp_put(x->out, x->f, i, x->d->un(&x->env, x->f, fp_get(vn(x), x->f, i)));
}

static void bin(struct fp_x *x, unsigned i, u64 a, u64 b)
{
	fp_put(x->out, x->f, i, x->d->bin(&x->env, x->f, a, b));
}

void fpx_bin_s(struct fp_x *x)
{
	bin(x, 0, fp_get(vn(x), x->f, 0), fp_get(vm(x), x->f, 0));
}

void fpx_bin_v(struct fp_x *x)
{
	for (unsigned i = 0; i < x->lanes; i++)
		bin(x, i, fp_get(vn(x), x->f, i), fp_get(vm(x), x->f, i));
}

void fpx_pair_v(struct fp_x *x)
{
	unsigned half = x->lanes / 2;

	for (unsigned i = 0; i < x->lanes; i++) {
		const u8 *v = i < half ? vn(x) : vm(x);
		unsigned j = i < half ? 2 * i : 2 * (i - half);

		bin(x, i, fp_get(v, x->f, j), fp_get(v, x->f, j + 1));
	}
}

void fpx_pair_s(struct fp_x *x)
{
	bin(x, 0, fp_get(vn(x), x->f, 0), fp_get(vn(x), x->f, 1));
}

/* Reduce(): the low half's result is the first operand at every level. */
void fpx_across(struct fp_x *x)
{
	u64 v[8];

	for (unsigned i = 0; i < x->lanes; i++)
		v[i] = fp_get(vn(x), x->f, i);
	for (unsigned n = x->lanes; n > 1; n /= 2)
		for (unsigned i = 0; i < n / 2; i++)
			v[i] = x->d->bin(&x->env, x->f, v[2 * i], v[2 * i + 1]);
	fp_put(x->out, x->f, 0, v[0]);
}

static u64 elem(const struct fp_x *x)
{
	return fp_get(vm(x), x->f, x->in->amount);
}

void fpx_bin_elem(struct fp_x *x)
{
	for (unsigned i = 0; i < x->lanes; i++)
		bin(x, i, fp_get(vn(x), x->f, i), elem(x));
}

void fpx_bin_elem_s(struct fp_x *x)
{
	bin(x, 0, fp_get(vn(x), x->f, 0), elem(x));
}

static void zero(struct fp_x *x, unsigned i)
{
	u64 a = fp_get(vn(x), x->f, i);

	if (x->d->flags & FPX_SWAP)
		bin(x, i, 0, a);
	else
		bin(x, i, a, 0);
}

void fpx_zero_s(struct fp_x *x)
{
	zero(x, 0);
}

void fpx_zero_v(struct fp_x *x)
{
	for (unsigned i = 0; i < x->lanes; i++)
		zero(x, i);
}

static void mla(struct fp_x *x, unsigned i, u64 acc, u64 a, u64 b)
{
	if (x->d->flags & FPX_NEG_N)
		a = fp_neg(&x->env, x->f, a);
	if (x->d->flags & FPX_NEG_A)
		acc = fp_neg(&x->env, x->f, acc);
	fp_put(x->out, x->f, i, fp_muladd(&x->env, x->f, acc, a, b));
}

void fpx_madd(struct fp_x *x)
{
	mla(x, 0, fp_get(x->cpu->v[x->in->ra], x->f, 0), fp_get(vn(x), x->f, 0),
	    fp_get(vm(x), x->f, 0));
}

void fpx_mla_v(struct fp_x *x)
{
	for (unsigned i = 0; i < x->lanes; i++)
		mla(x, i, fp_get(vd(x), x->f, i), fp_get(vn(x), x->f, i), fp_get(vm(x), x->f, i));
}

void fpx_mla_elem(struct fp_x *x)
{
	for (unsigned i = 0; i < x->lanes; i++)
		mla(x, i, fp_get(vd(x), x->f, i), fp_get(vn(x), x->f, i), elem(x));
}

void fpx_mla_elem_s(struct fp_x *x)
{
	mla(x, 0, fp_get(vd(x), x->f, 0), fp_get(vn(x), x->f, 0), elem(x));
}

/* FMLAL and relatives: singles += half * half, from one half of the sources (size is 2). */
static void fmlal(struct fp_x *x, bool by_elem)
{
	unsigned base = x->d->flags & FPX_HIGH ? x->lanes : 0;

	for (unsigned i = 0; i < x->lanes; i++) {
		u64 a = fp_get(vn(x), FP_H, base + i);
		u64 b = fp_get(vm(x), FP_H, by_elem ? x->in->amount : base + i);

		if (x->d->flags & FPX_NEG_N)
			a ^= 0x8000;
		fp_put(x->out, FP_S, i, fp_muladdh(&x->env, fp_get(vd(x), FP_S, i), a, b));
	}
}

void fpx_fmlal_v(struct fp_x *x)
{
	fmlal(x, false);
}

void fpx_fmlal_elem(struct fp_x *x)
{
	fmlal(x, true);
}

/* One complex multiply-add: m is the pair (re, im) of Vm. */
static void cmla_pair(struct fp_x *x, unsigned i, u64 m_re, u64 m_im)
{
	bool imag = x->in->imm == 90 || x->in->imm == 270;
	u64 n = fp_get(vn(x), x->f, i + imag), sign = fp_sign_bit(x->f);
	u64 re = imag ? m_im : m_re, im = imag ? m_re : m_im;

	if (x->in->imm == 90 || x->in->imm == 180)
		re ^= sign;
	if (x->in->imm == 180 || x->in->imm == 270)
		im ^= sign;
	fp_put(x->out, x->f, i, fp_muladd(&x->env, x->f, fp_get(vd(x), x->f, i), n, re));
	fp_put(x->out, x->f, i + 1, fp_muladd(&x->env, x->f, fp_get(vd(x), x->f, i + 1), n, im));
}

void fpx_cmla_v(struct fp_x *x)
{
	for (unsigned i = 0; i < x->lanes; i += 2)
		cmla_pair(x, i, fp_get(vm(x), x->f, i), fp_get(vm(x), x->f, i + 1));
}

void fpx_cmla_elem(struct fp_x *x)
{
	unsigned j = 2 * x->in->amount;

	for (unsigned i = 0; i < x->lanes; i += 2)
		cmla_pair(x, i, fp_get(vm(x), x->f, j), fp_get(vm(x), x->f, j + 1));
}

void fpx_cadd_v(struct fp_x *x)
{
	u64 sign = fp_sign_bit(x->f);

	for (unsigned i = 0; i < x->lanes; i += 2) {
		u64 re = fp_get(vm(x), x->f, i + 1), im = fp_get(vm(x), x->f, i);

		if (x->in->imm == 90)
			re ^= sign;
		else
			im ^= sign;
		fp_put(x->out, x->f, i, fp_add(&x->env, x->f, fp_get(vn(x), x->f, i), re));
		fp_put(x->out, x->f, i + 1, fp_add(&x->env, x->f, fp_get(vn(x), x->f, i + 1), im));
	}
}

/* BFDotAdd without FEAT_EBF16: the two products are added first. */
static u32 bfdot(u32 acc, u32 a, u32 b)
{
	u32 p = fp_bfmul((u16)a, (u16)b), q = fp_bfmul((u16)(a >> 16), (u16)(b >> 16));

	return fp_bfadd(acc, fp_bfadd(p, q));
}

void fpx_bfdot_v(struct fp_x *x)
{
	for (unsigned i = 0; i < x->lanes; i++)
		fp_put(x->out, FP_S, i,
		       bfdot((u32)fp_get(vd(x), FP_S, i), (u32)fp_get(vn(x), FP_S, i),
			     (u32)fp_get(vm(x), FP_S, i)));
}

void fpx_bfdot_elem(struct fp_x *x)
{
	for (unsigned i = 0; i < x->lanes; i++)
		fp_put(x->out, FP_S, i,
		       bfdot((u32)fp_get(vd(x), FP_S, i), (u32)fp_get(vn(x), FP_S, i),
			     (u32)fp_get(vm(x), FP_S, x->in->amount)));
}

void fpx_bfmmla(struct fp_x *x)
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned n = i & 2, m = (i & 1) * 2;
		u32 sum = (u32)fp_get(vd(x), FP_S, i);

		for (unsigned k = 0; k < 2; k++)
			sum = bfdot(sum, (u32)fp_get(vn(x), FP_S, n + k),
				    (u32)fp_get(vm(x), FP_S, m + k));
		fp_put(x->out, FP_S, i, sum);
	}
}

/* q chooses the odd (top) elements here; the operation is always 128 bits wide. */
static void bfmlal(struct fp_x *x, bool by_elem)
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned j = 2 * i + x->in->q;
		u64 a = fp_get(vn(x), FP_H, j) << 16;
		u64 b = fp_get(vm(x), FP_H, by_elem ? x->in->amount : j) << 16;

		fp_put(x->out, FP_S, i, fp_muladd(&x->env, FP_S, fp_get(vd(x), FP_S, i), a, b));
	}
}

void fpx_bfmlal_v(struct fp_x *x)
{
	bfmlal(x, false);
}

void fpx_bfmlal_elem(struct fp_x *x)
{
	bfmlal(x, true);
}

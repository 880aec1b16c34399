/* SPDX-License-Identifier: MIT */
/* Bit-vector terms that both semantic models are written in. */
#include "rules/prove/sem.h"

term bv_num(struct sem *s, u64 v, unsigned bits)
{
	return Z3_mk_unsigned_int64(s->z, bits >= 64 ? v : v & ((1ull << bits) - 1),
				    Z3_mk_bv_sort(s->z, bits));
}

unsigned bv_bits(struct sem *s, term t)
{
	return Z3_get_bv_sort_size(s->z, Z3_get_sort(s->z, t));
}

term bv_zext(struct sem *s, term t, unsigned bits)
{
	unsigned n = bv_bits(s, t);

	return n == bits ? t : Z3_mk_zero_ext(s->z, bits - n, t);
}

term bv_sext(struct sem *s, term t, unsigned bits)
{
	unsigned n = bv_bits(s, t);

	return n == bits ? t : Z3_mk_sign_ext(s->z, bits - n, t);
}

term bv_ext(struct sem *s, term t, unsigned hi, unsigned lo)
{
	return Z3_mk_extract(s->z, hi, lo, t);
}

term bv_low(struct sem *s, term t, unsigned bits)
{
	return bv_bits(s, t) == bits ? t : bv_ext(s, t, bits - 1, 0);
}

term bv_ite(struct sem *s, term cond, term a, term b)
{
	return Z3_mk_ite(s->z, cond, a, b);
}

term bv_eq(struct sem *s, term a, term b)
{
	return Z3_mk_eq(s->z, a, b);
}

term bv_and2(struct sem *s, term a, term b)
{
	term v[2] = {a, b};

	return Z3_mk_and(s->z, 2, v);
}

term bv_or2(struct sem *s, term a, term b)
{
	term v[2] = {a, b};

	return Z3_mk_or(s->z, 2, v);
}

term bv_not1(struct sem *s, term a)
{
	return Z3_mk_not(s->z, a);
}

term bv_bool(struct sem *s, term b)
{
	return bv_ite(s, b, bv_num(s, 1, 1), bv_num(s, 0, 1));
}

term bv_is1(struct sem *s, term bit)
{
	return bv_eq(s, bit, bv_num(s, 1, 1));
}

term bv_ones(struct sem *s, term count, unsigned bits)
{
	unsigned n = bv_bits(s, count);
	term c = n < bits ? bv_zext(s, count, bits) : bv_low(s, count, bits);
	/* SMT-LIB shifts by at least the width give 0. */
	term m = Z3_mk_bvnot(s->z, Z3_mk_bvshl(s->z, bv_num(s, ~0ull, bits), c));

	if (n <= bits)
		return m;
	return bv_ite(s, Z3_mk_bvuge(s->z, count, bv_num(s, bits, n)), bv_num(s, ~0ull, bits), m);
}

term bv_count_mod(struct sem *s, term count, unsigned bits)
{
	unsigned n = bv_bits(s, count), lg = bits == 64 ? 6 : 5;

	(void)n;
	return bv_zext(s, bv_low(s, count, lg), bits);
}

term bv_ror(struct sem *s, term v, term count)
{
	unsigned bits = bv_bits(s, v);
	term c = bv_count_mod(s, count, bits);
	term back = Z3_mk_bvand(s->z, Z3_mk_bvneg(s->z, c), bv_num(s, bits - 1, bits));

	return Z3_mk_bvor(s->z, Z3_mk_bvlshr(s->z, v, c), Z3_mk_bvshl(s->z, v, back));
}

term bv_clz(struct sem *s, term v)
{
	unsigned bits = bv_bits(s, v);
	term r = bv_num(s, bits, bits);

	for (unsigned i = 0; i < bits; i++)
		r = bv_ite(s, bv_is1(s, bv_ext(s, v, i, i)), bv_num(s, bits - 1 - i, bits), r);
	return r;
}

term bv_bitrev(struct sem *s, term v)
{
	unsigned bits = bv_bits(s, v);
	term r = bv_ext(s, v, 0, 0);

	for (unsigned i = 1; i < bits; i++)
		r = Z3_mk_concat(s->z, r, bv_ext(s, v, i, i));
	return r;
}

term bv_byterev(struct sem *s, term v, unsigned group)
{
	unsigned bytes = bv_bits(s, v) / 8;
	term r = NULL;

	/* Result byte i, from the top. */
	for (unsigned i = bytes; i-- > 0;) {
		unsigned from = i / group * group + (group - 1 - i % group);
		term b = bv_ext(s, v, from * 8 + 7, from * 8);

		r = r ? Z3_mk_concat(s->z, r, b) : b;
	}
	return r;
}

term st_cond(struct sstate *st, term cond)
{
	struct sem *s = st->s;
	term n = bv_is1(s, st->n), z = bv_is1(s, st->z), c = bv_is1(s, st->c), v = bv_is1(s, st->v);
	term nv = Z3_mk_iff(s->z, n, v);
	term base[8] = {z,
			c,
			n,
			v,
			bv_and2(s, c, bv_not1(s, z)),
			nv,
			bv_and2(s, nv, bv_not1(s, z)),
			Z3_mk_true(s->z)};
	term which = bv_ext(s, cond, 3, 1), r = base[7], inv;

	for (unsigned i = 0; i < 7; i++)
		r = bv_ite(s, bv_eq(s, which, bv_num(s, i, 3)), base[i], r);
	/* Bit 0 inverts, except for 15. */
	inv = bv_and2(s, bv_is1(s, bv_ext(s, cond, 0, 0)),
		      bv_not1(s, bv_eq(s, cond, bv_num(s, 15, 4))));
	return Z3_mk_xor(s->z, r, inv);
}

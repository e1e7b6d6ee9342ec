/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of f32 vectors, in the words of vector.h, or of chain.h for code that the engine makes itself: included by who has
 * defined those. How far each is from the exact result at most, over all f32, is in math_rows.h, to which
 * tests/engine/test_math and `make check-long` hold them. NaN gives NaN; infinities and zeros give what <math.h> says, signs of
 * zeros included; denormal numbers are numbers.
 *
 * Arguments are reduced as in Muller et al., Handbook of Floating-Point Arithmetic, ch. 10 (Cody and Waite); the polynomials
 * are minimax ones (Remez), whose coefficients are rounded to f32 one after the other, each with the rest fitted again. */
#ifndef PSY_ENGINE_CPU_MATH_F32_H
#define PSY_ENGINE_CPU_MATH_F32_H

#include <math.h>

#define V_FUNCTION static inline __attribute__((always_inline))

V_FUNCTION vf v_poly_(VP vf x, const float *c, unsigned n)
{
    vf y = v_all(VA c[n - 1]);
#pragma GCC unroll 16
    for (unsigned i = n - 1; i > 0; i--) {
        y = v_fma(VA y, x, v_all(VA c[i - 1]));
    }
    return y;
}
/* c0 + c1 x + c2 x^2 ... (Horner). */
#define v_poly(x, ...) v_poly_(VA x, (const float[]){__VA_ARGS__}, sizeof((const float[]){__VA_ARGS__}) / sizeof(float))

V_FUNCTION vf v_scaled(VP vf x, float by) { return v_mul(VA x, v_all(VA by)); }
V_FUNCTION vf v_plus(VP vf x, float c) { return v_add(VA x, v_all(VA c)); }
V_FUNCTION vf v_minus(VP vf x, float c) { return v_sub(VA x, v_all(VA c)); }

/* The nearest whole number, halves to the even one, and the same as an integer; |x| is below 2^22. */
V_FUNCTION vf v_whole(VP vf x) { return v_minus(VA v_plus(VA x, 0x1.8p23f), 0x1.8p23f); }
V_FUNCTION vi v_int(VP vf whole) { return vi_add(VA v_bits(VA v_plus(VA whole, 0x1.8p23f)), -0x4b400000); }
/* 2^n for -127 < n < 128. */
V_FUNCTION vf v_power(VP vi n) { return v_of_bits(VA vi_shl(VA vi_add(VA n, 127), 23)); }

/* x * 2^n for whole n, |n| below 253: in two steps, of which only the second one rounds. */
V_FUNCTION vf v_scale(VP vf x, vf n)
{
    vi all = v_int(VA n), half = vi_sar(VA all, 1);
    return v_mul(VA v_mul(VA x, v_power(VA half)), v_power(VA vi_sub(VA all, half)));
}

/* ---- exponentials ---- */

/* x = n log 2 + r, |r| <= log 2 / 2, n whole; log 2 in two parts, n times the first of which is exact. */
#define LOG2_HIGH 0x1.62e4p-1f
#define LOG2_LOW  0x1.7f7d1cp-20f
V_FUNCTION vf split_exp(VP vf x, vf *n)
{
    *n = v_whole(VA v_scaled(VA x, 0x1.715476p+0f));
    return v_fma(VA * n, v_all(VA - LOG2_LOW), v_fma(VA * n, v_all(VA - LOG2_HIGH), x));
}

/* exp(r) - 1, |r| <= log 2 / 2. */
V_FUNCTION vf small_expm1(VP vf r)
{
    vf p = v_poly(r, 0x1.fffffcp-2f, 0x1.55548cp-3f, 0x1.55585ap-5f, 0x1.123d5cp-7f, 0x1.6ab6bap-10f);
    return v_fma(VA v_mul(VA r, r), p, r);
}

V_FUNCTION vf v_exp(VP vf x)
{
    vf n, r = split_exp(VA v_min(VA v_all(VA 89), v_max(VA v_all(VA - 104.5f), x)), &n);
    return v_scale(VA v_plus(VA small_expm1(VA r), 1), n);
}

V_FUNCTION vf v_exp2(VP vf x)
{
    vf y = v_min(VA v_all(VA 129), v_max(VA v_all(VA - 151), x)), n = v_whole(VA y), r = v_sub(VA y, n);
    vf p = v_poly(r, 0x1.62e432p-1f, 0x1.ebfbe6p-3f, 0x1.c6adc4p-5f, 0x1.3b2232p-7f, 0x1.5fa93ep-10f, 0x1.4b0428p-13f);
    return v_scale(VA v_fma(VA p, r, v_all(VA 1)), n);
}

/* exp(x) - 1 as 2 (2^(n - 1) q + (2^(n - 1) - 1/2)): 2^n may be too large. */
V_FUNCTION vf v_expm1(VP vf x)
{
    vf n, r = split_exp(VA v_min(VA v_all(VA 89), v_max(VA v_all(VA - 20), x)), &n);
    vf s = v_power(VA vi_add(VA v_int(VA n), -1)), y = v_fma(VA small_expm1(VA r), s, v_minus(VA s, 0.5f));
    return v_signed_as(VA v_add(VA y, y), x);
}

/* t = exp(2|x|) - 1; t / (t + 2). */
V_FUNCTION vf v_tanh(VP vf x)
{
    vf a = v_abs(VA x), n, r = split_exp(VA v_min(VA v_all(VA 20), v_add(VA a, a)), &n);
    vf s = v_power(VA v_int(VA n)), t = v_fma(VA small_expm1(VA r), s, v_minus(VA s, 1));
    return v_signed_as(VA v_div(VA t, v_plus(VA t, 2)), x);
}

/* Half of exp(|x|), to which 1 / exp(|x|) comes; up to 1 sinh by its series. */
V_FUNCTION vf half_exp(VP vf a)
{
    vf n, r = split_exp(VA v_min(VA v_all(VA 90), a), &n);
    return v_scale(VA v_plus(VA small_expm1(VA r), 1), v_minus(VA n, 1));
}

V_FUNCTION vf v_cosh(VP vf x)
{
    vf h = half_exp(VA v_abs(VA x));
    return v_add(VA h, v_div(VA v_all(VA 0.25f), h));
}

V_FUNCTION vf v_sinh(VP vf x)
{
    vf a = v_abs(VA x), h = half_exp(VA a), z = v_mul(VA a, a);
    vf series = v_fma(VA v_mul(VA v_poly(z, 0x1.555598p-3f, 0x1.10f76p-7f, 0x1.ab428ap-13f), z), a, a);
    vf y = v_if_lt(VA a, v_all(VA 1), series, v_sub(VA h, v_div(VA v_all(VA 0.25f), h)));
    return v_signed_as(VA y, x);
}

/* ---- logarithms ---- */

/* x = 2^e (1 + f), sqrt(1/2) <= 1 + f < sqrt(2), for numbers above 0. */
V_FUNCTION vf split_log(VP vf x, vf *e)
{
    vf least = v_all(VA 0x1p-126f), low = v_if_lt(VA x, least, v_all(VA - 23), v_all(VA 0));
    vi bits = vi_add(VA v_bits(VA v_if_lt(VA x, least, v_scaled(VA x, 0x1p23f), x)), -0x3f3504f3);
    *e = v_add(VA v_float(VA vi_sar(VA bits, 23)), low);
    return v_minus(VA v_of_bits(VA vi_add(VA vi_and(VA bits, 0x7fffff), 0x3f3504f3)), 1);
}

/* log(1 + f) - f + f^2 / 2. */
V_FUNCTION vf log_tail(VP vf f)
{
    vf p = v_poly(f, 0x1.555548p-2f, -0x1.00007p-2f, 0x1.99a54p-3f, -0x1.552f18p-3f, 0x1.23036cp-3f, -0x1.0103dap-3f,
                  0x1.effe0ep-4f, -0x1.bee7ap-4f, 0x1.b3bc38p-5f);
    return v_mul(VA v_mul(VA p, f), v_mul(VA f, f));
}

/* log(1 + f) - f, with something small added. */
V_FUNCTION vf log_rest(VP vf f, vf small) { return v_fma(VA v_scaled(VA f, -0.5f), f, v_add(VA small, log_tail(VA f))); }

/* y where x is a number above 0, else what logarithms give there. */
V_FUNCTION vf log_edges(VP vf x, vf y)
{
    vf zero = v_all(VA 0), above = v_if_lt(VA x, v_all(VA INFINITY), y, v_add(VA x, x)); /* infinity, NaN */
    return v_if_eq(VA x, zero, v_all(VA - INFINITY), v_if_lt(VA x, zero, v_all(VA NAN), above));
}

V_FUNCTION vf v_log(VP vf x)
{
    vf e, f = split_log(VA x, &e), y = log_rest(VA f, v_mul(VA e, v_all(VA LOG2_LOW)));
    return log_edges(VA x, v_fma(VA e, v_all(VA LOG2_HIGH), v_add(VA f, y)));
}

/* The factor is 1 and what it has above that, so that little is lost near 1. */
V_FUNCTION vf v_log2(VP vf x)
{
    vf above = v_all(VA 0x1.c551dap-2f); /* 1 / log 2 - 1 */
    vf e, f = split_log(VA x, &e), y = log_rest(VA f, v_all(VA 0));
    return log_edges(VA x, v_add(VA v_add(VA v_fma(VA f, above, v_fma(VA y, above, y)), f), e));
}

/* Factors in two parts, of which the first is short. */
V_FUNCTION vf v_log10(VP vf x)
{
    vf high = v_all(VA 0x1.bcp-2f), low = v_all(VA 0x1.6f62a4p-11f);          /* 1 / log 10 */
    vf two_high = v_all(VA 0x1.344p-2f), two_low = v_all(VA 0x1.3509f8p-18f); /* log 2 / log 10 */
    vf e, f = split_log(VA x, &e), y = log_rest(VA f, v_all(VA 0));
    vf rest = v_fma(VA e, two_low, v_fma(VA v_add(VA f, y), low, v_mul(VA y, high)));
    return log_edges(VA x, v_fma(VA e, two_high, v_fma(VA f, high, rest)));
}

/* Of u = 1 + x, and what that rounded away over u. */
V_FUNCTION vf v_log1p(VP vf x)
{
    vf one = v_all(VA 1), zero = v_all(VA 0), u = v_add(VA x, one), e, f = split_log(VA u, &e);
    vf lost = v_if_lt(VA u, v_all(VA 2), v_sub(VA x, v_sub(VA u, one)), v_sub(VA one, v_sub(VA u, x)));
    lost = v_if_lt(VA u, v_all(VA 0x1p24f), v_div(VA lost, u), zero);
    lost = v_if_eq(VA e, zero, zero, lost);
    f = v_if_eq(VA e, zero, x, f);
    vf y = log_rest(VA f, v_fma(VA e, v_all(VA LOG2_LOW), lost));
    y = v_fma(VA e, v_all(VA LOG2_HIGH), v_add(VA f, y));
    y = v_if_lt(VA v_abs(VA x), v_all(VA 0x1p-24f), x, y);
    y = v_if_lt(VA u, v_all(VA INFINITY), y, v_add(VA x, x));
    return v_if_eq(VA u, zero, v_all(VA - INFINITY), v_if_lt(VA u, zero, v_all(VA NAN), y));
}

/* ---- the error function ---- */

/* Up to 0.92 by its series, then 1 - exp(g), where g is log(erfc). */
V_FUNCTION vf v_erf(VP vf x)
{
    vf a = v_abs(VA x), z = v_mul(VA a, a), b = v_min(VA v_all(VA 3.95f), a), one = v_all(VA 1);
    vf series = v_poly(z, 0x1.06eba8p-3f, -0x1.812740p-2f, 0x1.ce2d76p-4f, -0x1.b80440p-6f, 0x1.547720p-8f, -0x1.a807c2p-11f,
                       0x1.5729bcp-14f);
    vf g = v_poly(b, 0x1.6e5616p-13f, -0x1.2127e4p+0f, -0x1.44460ap-1f, -0x1.bb840cp-4f, 0x1.9b8f2ep-6f, -0x1.115c58p-8f,
                  0x1.c797cep-12f, -0x1.61f564p-16f);
    vf n, r = split_exp(VA g, &n), s = v_power(VA v_int(VA n));
    vf far = v_sub(VA v_sub(VA one, s), v_mul(VA small_expm1(VA r), s));
    vf y = v_if_lt(VA a, v_all(VA 0.92f), v_fma(VA series, a, a), v_if_eq(VA a, a, far, a));
    return v_signed_as(VA y, x);
}

/* ---- angles ---- */

/* pi/2 in three parts; products of the first with whole numbers are taken away without a rounding error. */
#define HALF_PI      0x1.921fb6p+0f
#define HALF_PI_LESS 0x1.777a5cp-25f
#define HALF_PI_LAST 0x1.ee59dap-50f

V_FUNCTION vf v_atan(VP vf x)
{
    vf a = v_abs(VA x), one = v_all(VA 1), t = v_if_lt(VA one, a, v_div(VA one, a), a), z = v_mul(VA t, t);
    vf p = v_poly(z, -0x1.55553ep-2f, 0x1.9991e4p-3f, -0x1.242084p-3f, 0x1.c08c1ap-4f, -0x1.580814p-4f, 0x1.da24cap-5f,
                  -0x1.fd6fbcp-6f, 0x1.6410e6p-7f, -0x1.d32dbcp-10f);
    vf y = v_fma(VA v_mul(VA p, z), t, t);
    return v_signed_as(VA v_if_lt(VA one, a, v_sub(VA v_all(VA HALF_PI), v_plus(VA y, HALF_PI_LESS)), y), x);
}

/* For a = |x|: beyond 1/2 asin(a) = pi/2 - 2 asin(s), s = sqrt((1 - a) / 2); else s = a. Gives asin(s) - s. */
V_FUNCTION vf asin_tail(VP vf a, vf *s)
{
    vf half = v_all(VA 0.5f), z = v_if_lt(VA half, a, v_scaled(VA v_sub(VA v_all(VA 1), a), 0.5f), v_mul(VA a, a));
    *s = v_if_lt(VA half, a, v_sqrt(VA z), a);
    vf p = v_poly(z, 0x1.5555c8p-3f, 0x1.330204p-4f, 0x1.747bb6p-5f, 0x1.8c3e74p-6f, 0x1.595c38p-5f);
    return v_mul(VA v_mul(VA p, z), *s);
}

V_FUNCTION vf v_asin(VP vf x)
{
    vf a = v_abs(VA x), s, tail = asin_tail(VA a, &s), y = v_add(VA s, tail);
    vf far = v_sub(VA v_all(VA HALF_PI), v_add(VA y, v_plus(VA y, HALF_PI_LESS)));
    return v_signed_as(VA v_if_lt(VA v_all(VA 0.5f), a, far, y), x);
}

V_FUNCTION vf v_acos(VP vf x)
{
    vf a = v_abs(VA x), s, tail = asin_tail(VA a, &s), y = v_add(VA s, tail), twice = v_add(VA y, y);
    vf far = v_if_lt(VA x, v_all(VA 0), v_sub(VA v_all(VA 2 * HALF_PI), v_plus(VA twice, 2 * HALF_PI_LESS)), twice);
    vf low = v_sub(VA v_all(VA - HALF_PI_LESS), v_turned_as(VA tail, x));
    return v_if_lt(VA v_all(VA 0.5f), a, far, v_sub(VA v_all(VA HALF_PI), v_sub(VA x, low)));
}

/* x = n pi / 2 + r, |r| <= pi / 4, for |x| up to PSY_ANGLE_MOST, with fused multiply-add. */
V_FUNCTION vf split_angle(VP vf x, vi *n)
{
    vf whole = v_whole(VA v_scaled(VA x, 0x1.45f306p-1f)), r = v_fma(VA whole, v_all(VA - HALF_PI), x);
    *n = v_int(VA whole);
    return v_fma(VA whole, v_all(VA HALF_PI_LAST), v_fma(VA whole, v_all(VA HALF_PI_LESS), r));
}

/* The sine, a number of quarter turns further. */
V_FUNCTION vf turned_sin(VP vf x, int quarters)
{
    vi n;
    vf r = split_angle(VA x, &n), z = v_mul(VA r, r), half = v_fma(VA z, v_all(VA - 0.5f), v_all(VA 1));
    vf sine = v_fma(VA v_mul(VA v_poly(z, -0x1.555544p-3f, 0x1.1106c6p-7f, -0x1.991c28p-13f), z), r, r);
    vf cosine = v_fma(VA v_mul(VA v_poly(z, 0x1.55554ep-5f, -0x1.6c0e2ap-10f, 0x1.9a656ep-16f), z), z, half);
    n = vi_add(VA n, quarters);
    return v_turned_as(VA v_if_odd(VA n, cosine, sine), v_of_bits(VA vi_shl(VA n, 30)));
}

/* -0 is -0. */
V_FUNCTION vf v_sin(VP vf x) { return v_if_eq(VA x, v_all(VA 0), x, turned_sin(VA x, 0)); }
V_FUNCTION vf v_cos(VP vf x) { return turned_sin(VA x, 1); }

V_FUNCTION vf v_tan(VP vf x)
{
    vi n;
    vf r = split_angle(VA x, &n), z = v_mul(VA r, r);
    vf p = v_poly(z, 0x1.5555p-2f, 0x1.11294p-3f, 0x1.b5f858p-5f, 0x1.8dea8ap-6f, 0x1.b1071ap-9f, 0x1.30a078p-7f);
    vf t = v_fma(VA v_mul(VA p, z), r, r), turned = v_div(VA v_all(VA - 1), t);
    return v_if_eq(VA x, v_all(VA 0), x, v_if_odd(VA n, turned, t));
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of f32 vectors. Each says how far from the exact result it is at most, in units of the last place, over all f32:
 * tests/engine/test_math has the same numbers (MATH below is the one table) and tries them. NaN gives NaN, infinities and zeros
 * what <math.h> gives, signs of zeros included, and denormal numbers are numbers.
 *
 * Arguments are reduced as in Muller et al., Handbook of Floating-Point Arithmetic, ch. 10 (Cody and Waite); the polynomials
 * are minimax ones (Remez), whose coefficients are rounded to f32 one after the other, each with the rest fitted again.
 *
 * MATH(NAME, function, ulp): the row of ops.def; ulp with fused multiply-add, ulp without. */
#ifndef PSY_ENGINE_CPU_MATH_F32_H
#define PSY_ENGINE_CPU_MATH_F32_H

#include <math.h>

#include "engine/cpu/vector.h"

/* c0 + c1 x + c2 x^2 ..., Horner's way. */
#define POLY2(x, c0, c1)                             v_fma(v_all(c1), x, v_all(c0))
#define POLY3(x, c0, c1, c2)                         v_fma(POLY2(x, c1, c2), x, v_all(c0))
#define POLY4(x, c0, c1, c2, c3)                     v_fma(POLY3(x, c1, c2, c3), x, v_all(c0))
#define POLY5(x, c0, c1, c2, c3, c4)                 v_fma(POLY4(x, c1, c2, c3, c4), x, v_all(c0))
#define POLY6(x, c0, c1, c2, c3, c4, c5)             v_fma(POLY5(x, c1, c2, c3, c4, c5), x, v_all(c0))
#define POLY7(x, c0, c1, c2, c3, c4, c5, c6)         v_fma(POLY6(x, c1, c2, c3, c4, c5, c6), x, v_all(c0))
#define POLY8(x, c0, c1, c2, c3, c4, c5, c6, c7)     v_fma(POLY7(x, c1, c2, c3, c4, c5, c6, c7), x, v_all(c0))
#define POLY9(x, c0, c1, c2, c3, c4, c5, c6, c7, c8) v_fma(POLY8(x, c1, c2, c3, c4, c5, c6, c7, c8), x, v_all(c0))

/* ---- exponentials ---- */

/* x = n log 2 + r, |r| <= log 2 / 2, n whole; log 2 in two parts, n times the first of which is exact. */
#define LOG2_HIGH 0x1.62e4p-1f
#define LOG2_LOW  0x1.7f7d1cp-20f
VECTOR_INLINE vf split_exp(vf x, vf *n)
{
    *n = v_whole(x * 0x1.715476p+0f);
    return v_fma(*n, v_all(-LOG2_LOW), v_fma(*n, v_all(-LOG2_HIGH), x));
}

/* exp(r) - 1, |r| <= log 2 / 2. */
VECTOR_INLINE vf small_expm1(vf r)
{
    vf p = POLY5(r, 0x1.fffffcp-2f, 0x1.55548cp-3f, 0x1.55585ap-5f, 0x1.123d5cp-7f, 0x1.6ab6bap-10f);
    return v_fma(r * r, p, r);
}

VECTOR_INLINE vf v_exp(vf x)
{
    vf n, r = split_exp(v_min(v_all(89), v_max(v_all(-104.5f), x)), &n);
    return v_scale(small_expm1(r) + 1.0f, n);
}

VECTOR_INLINE vf v_exp2(vf x)
{
    x = v_min(v_all(129), v_max(v_all(-151), x));
    vf n = v_whole(x), r = x - n;
    vf p = POLY6(r, 0x1.62e432p-1f, 0x1.ebfbe6p-3f, 0x1.c6adc4p-5f, 0x1.3b2232p-7f, 0x1.5fa93ep-10f, 0x1.4b0428p-13f);
    return v_scale(v_fma(p, r, v_all(1)), n);
}

/* exp(x) - 1 as 2 (2^(n - 1) q + (2^(n - 1) - 1/2)): 2^n may be too large. */
VECTOR_INLINE vf v_expm1(vf x)
{
    vf n, r = split_exp(v_min(v_all(89), v_max(v_all(-20), x)), &n);
    vf s = v_of_bits((v_int(n) + 126) << 23), y = v_fma(small_expm1(r), s, s - 0.5f);
    return v_signed_as(y + y, x);
}

/* t = exp(2|x|) - 1; t / (t + 2). */
VECTOR_INLINE vf v_tanh(vf x)
{
    vf a = v_abs(x), n, r = split_exp(v_min(v_all(20), a + a), &n);
    vf s = v_of_bits((v_int(n) + 127) << 23), t = v_fma(small_expm1(r), s, s - 1.0f);
    return v_signed_as(t / (t + 2.0f), x);
}

/* Half of exp(|x|), and what 1 / exp(|x|) adds; up to 1 sinh by its series. */
VECTOR_INLINE vf half_exp(vf a)
{
    vf n, r = split_exp(v_min(v_all(90), a), &n);
    return v_scale(small_expm1(r) + 1.0f, n - 1.0f);
}

VECTOR_INLINE vf v_cosh(vf x)
{
    vf h = half_exp(v_abs(x));
    return h + 0.25f / h;
}

VECTOR_INLINE vf v_sinh(vf x)
{
    vf a = v_abs(x), h = half_exp(a), z = a * a;
    vf small = v_fma(POLY3(z, 0x1.555598p-3f, 0x1.10f76p-7f, 0x1.ab428ap-13f) * z, a, a);
    return v_signed_as(v_if_lt(a, v_all(1), small, h - 0.25f / h), x);
}

/* ---- logarithms ---- */

/* x = 2^e (1 + f), sqrt(1/2) <= 1 + f < sqrt(2), for numbers above 0. */
VECTOR_INLINE vf split_log(vf x, vf *e)
{
    vf denormal = v_if_lt(x, v_all(0x1p-126f), v_all(-23), v_all(0));
    x = v_if_lt(x, v_all(0x1p-126f), x * 0x1p23f, x);
    vi bits = v_bits(x) - 0x3f3504f3;
    *e = v_float(bits >> 23) + denormal;
    return v_of_bits((bits & 0x7fffff) + 0x3f3504f3) - 1.0f;
}

/* log(1 + f) - f + f^2 / 2. */
VECTOR_INLINE vf log_tail(vf f)
{
    vf p = POLY9(f, 0x1.555548p-2f, -0x1.00007p-2f, 0x1.99a54p-3f, -0x1.552f18p-3f, 0x1.23036cp-3f, -0x1.0103dap-3f,
                 0x1.effe0ep-4f, -0x1.bee7ap-4f, 0x1.b3bc38p-5f);
    return p * f * f * f;
}

/* What logarithms give where there is no number above 0. */
VECTOR_INLINE vf log_edges(vf x, vf y)
{
    y = v_if_lt(x, v_all(INFINITY), y, x + x); /* infinity, NaN */
    y = v_if_lt(x, v_all(0), v_all(NAN), y);
    return v_if_eq(x, v_all(0), v_all(-INFINITY), y);
}

VECTOR_INLINE vf v_log(vf x)
{
    vf e, f = split_log(x, &e);
    vf y = v_fma(v_all(-0.5f) * f, f, v_fma(e, v_all(LOG2_LOW), log_tail(f)));
    return log_edges(x, v_fma(e, v_all(LOG2_HIGH), f + y));
}

/* The factor is 1 and what is above it, or has a short first part, so that little is lost near 1. */
VECTOR_INLINE vf v_log2(vf x)
{
    const float above = 0x1.c551dap-2f; /* 1 / log 2 - 1 */
    vf e, f = split_log(x, &e), y = v_fma(v_all(-0.5f) * f, f, log_tail(f));
    return log_edges(x, v_fma(f, v_all(above), v_fma(y, v_all(above), y)) + f + e);
}

VECTOR_INLINE vf v_log10(vf x)
{
    const float high = 0x1.bcp-2f, low = 0x1.6f62a4p-11f;          /* 1 / log 10 */
    const float two_high = 0x1.344p-2f, two_low = 0x1.3509f8p-18f; /* log 2 / log 10 */
    vf e, f = split_log(x, &e), y = v_fma(v_all(-0.5f) * f, f, log_tail(f));
    vf low_part = v_fma(e, v_all(two_low), v_fma(f + y, v_all(low), y * high));
    return log_edges(x, v_fma(e, v_all(two_high), v_fma(f, v_all(high), low_part)));
}

/* Of u = 1 + x, and what rounding that lost (Kahan). */
VECTOR_INLINE vf v_log1p(vf x)
{
    vf u = x + 1.0f, e, f = split_log(u, &e);
    vf big = v_if_lt(u, v_all(2), x - (u - 1.0f), 1.0f - (u - x));
    vf c = v_if_lt(u, v_all(0x1p24f), big / u, v_all(0));
    f = v_if_eq(e, v_all(0), x, f);
    c = v_if_eq(e, v_all(0), v_all(0), c);
    vf y = v_fma(v_all(-0.5f) * f, f, v_fma(e, v_all(LOG2_LOW), log_tail(f) + c));
    y = v_fma(e, v_all(LOG2_HIGH), f + y);
    y = v_if_lt(v_abs(x), v_all(0x1p-24f), x, y);
    return v_if_eq(u, v_all(0), v_all(-INFINITY), v_if_lt(u, v_all(0), v_all(NAN), v_if_lt(u, v_all(INFINITY), y, x + x)));
}

/* ---- the error function ---- */

/* Up to 0.92 by its series, then 1 - exp(g), where g is log(erfc). */
VECTOR_INLINE vf v_erf(vf x)
{
    vf a = v_abs(x), z = a * a, b = v_min(v_all(3.95f), a);
    vf small = POLY7(z, 0x1.06eba8p-3f, -0x1.812740p-2f, 0x1.ce2d76p-4f, -0x1.b80440p-6f, 0x1.547720p-8f, -0x1.a807c2p-11f,
                     0x1.5729bcp-14f);
    small = v_fma(small, a, a);
    vf g = POLY8(b, 0x1.6e5616p-13f, -0x1.2127e4p+0f, -0x1.44460ap-1f, -0x1.bb840cp-4f, 0x1.9b8f2ep-6f, -0x1.115c58p-8f,
                 0x1.c797cep-12f, -0x1.61f564p-16f);
    vf n, r = split_exp(g, &n);
    vf s = v_of_bits((v_int(n) + 127) << 23), large = (1.0f - s) - small_expm1(r) * s;
    return v_signed_as(v_if_lt(a, v_all(0.92f), small, v_if_lt(a, v_all(INFINITY), large, v_if_eq(a, a, v_all(1), a))), x);
}

/* ---- angles ---- */

VECTOR_INLINE vf v_atan(vf x)
{
    vf a = v_abs(x), t = v_if_lt(v_all(1), a, 1.0f / a, a), z = t * t;
    vf p = POLY9(z, -0x1.55553ep-2f, 0x1.9991e4p-3f, -0x1.242084p-3f, 0x1.c08c1ap-4f, -0x1.580814p-4f, 0x1.da24cap-5f,
                 -0x1.fd6fbcp-6f, 0x1.6410e6p-7f, -0x1.d32dbcp-10f);
    vf y = v_fma(p * z, t, t);
    return v_signed_as(v_if_lt(v_all(1), a, 0x1.921fb6p+0f - (y + 0x1.777a5cp-25f), y), x);
}

/* asin(s) - s over s, of z = s^2, up to 1/2. */
VECTOR_INLINE vf asin_tail(vf z)
{
    return POLY5(z, 0x1.5555c8p-3f, 0x1.330204p-4f, 0x1.747bb6p-5f, 0x1.8c3e74p-6f, 0x1.595c38p-5f) * z;
}

/* Beyond 1/2 by asin(a) = pi/2 - 2 asin(sqrt((1 - a) / 2)). */
VECTOR_INLINE vf v_asin(vf x)
{
    vf a = v_abs(x), z = v_if_lt(v_all(0.5f), a, (1.0f - a) * 0.5f, a * a), s = v_if_lt(v_all(0.5f), a, v_sqrt(z), a);
    vf y = v_fma(asin_tail(z), s, s);
    return v_signed_as(v_if_lt(v_all(0.5f), a, 0x1.921fb6p+0f - (y + (y + 0x1.777a5cp-25f)), y), x);
}

VECTOR_INLINE vf v_acos(vf x)
{
    vf a = v_abs(x), z = v_if_lt(v_all(0.5f), a, (1.0f - a) * 0.5f, a * a), s = v_if_lt(v_all(0.5f), a, v_sqrt(z), a);
    vf tail = asin_tail(z) * s, y = s + tail;
    vf far = v_if_lt(x, v_all(0), 0x1.921fb6p+1f - (y + (y + 0x1.777a5cp-24f)), y + y);
    vf near = 0x1.921fb6p+0f - (x - (-0x1.777a5cp-25f - v_of_bits(v_bits(tail) ^ v_sign(x))));
    return v_if_lt(v_all(0.5f), a, far, near);
}

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define PSY_VECTOR_ANGLES 1
/* x = n pi / 2 + r, |r| <= pi / 4, for |x| up to ANGLE_MOST: what is taken away first leaves no rounding error. */
#define ANGLE_MOST 0x1p16f
VECTOR_INLINE vf split_angle(vf x, vi *n)
{
    vf whole = v_whole(x * 0x1.45f306p-1f);
    *n = v_int(whole);
    vf r = v_fma(whole, v_all(-0x1.921fb6p+0f), x);
    return v_fma(whole, v_all(0x1.ee59dap-50f), v_fma(whole, v_all(0x1.777a5cp-25f), r));
}

VECTOR_INLINE vf small_sin(vf r)
{
    vf z = r * r;
    return v_fma(POLY3(z, -0x1.555544p-3f, 0x1.1106c6p-7f, -0x1.991c28p-13f) * z, r, r);
}

VECTOR_INLINE vf small_cos(vf r)
{
    vf z = r * r;
    return v_fma(POLY3(z, 0x1.55554ep-5f, -0x1.6c0e2ap-10f, 0x1.9a656ep-16f) * z, z, v_fma(z, v_all(-0.5f), v_all(1)));
}

/* The sine, a number of quarter turns further. */
VECTOR_INLINE vf turned_sin(vf x, int quarters)
{
    vi n;
    vf r = split_angle(x, &n);
    n += quarters;
    return v_of_bits(v_bits(v_if_odd(n, small_cos(r), small_sin(r))) ^ ((n & 2) << 30));
}

/* -0 is -0. */
VECTOR_INLINE vf v_sin(vf x) { return v_if_eq(x, v_all(0), x, turned_sin(x, 0)); }
VECTOR_INLINE vf v_cos(vf x) { return turned_sin(x, 1); }

VECTOR_INLINE vf v_tan(vf x)
{
    vi n;
    vf r = split_angle(x, &n), z = r * r;
    vf t =
        v_fma(POLY6(z, 0x1.5555p-2f, 0x1.11294p-3f, 0x1.b5f858p-5f, 0x1.8dea8ap-6f, 0x1.b1071ap-9f, 0x1.30a078p-7f) * z, r, r);
    return v_if_eq(x, v_all(0), x, v_if_odd(n, -1.0f / t, t));
}
#endif

/* ---- powers ---- */

/* In f64, half as many at a time: exp2(y log2(x)), where the logarithm's error is below 2^-44. */
typedef double vd __attribute__((vector_size(PSY_VECTOR_BYTES)));
typedef uint64_t vl __attribute__((vector_size(PSY_VECTOR_BYTES)));
typedef float vh __attribute__((vector_size(PSY_VECTOR_BYTES / 2)));
typedef float vh_loose __attribute__((vector_size(PSY_VECTOR_BYTES / 2), aligned(4), may_alias));
enum { F64_LANES = VECTOR_BYTES / 8 };

VECTOR_INLINE vd d_all(double x) { return x - (vd){0}; }
#define DPOLY2(x, c0, c1)                     ((x) * (c1) + (c0))
#define DPOLY3(x, c0, c1, c2)                 (DPOLY2(x, c1, c2) * (x) + (c0))
#define DPOLY4(x, c0, c1, c2, c3)             (DPOLY3(x, c1, c2, c3) * (x) + (c0))
#define DPOLY5(x, c0, c1, c2, c3, c4)         (DPOLY4(x, c1, c2, c3, c4) * (x) + (c0))
#define DPOLY6(x, c0, c1, c2, c3, c4, c5)     (DPOLY5(x, c1, c2, c3, c4, c5) * (x) + (c0))
#define DPOLY7(x, c0, c1, c2, c3, c4, c5, c6) (DPOLY6(x, c1, c2, c3, c4, c5, c6) * (x) + (c0))

/* For x above 0 and finite, y finite. */
VECTOR_INLINE vh v_pow(vh x_, vh y_)
{
    vd x = __builtin_convertvector(x_, vd), y = __builtin_convertvector(y_, vd);
    const uint64_t start = UINT64_C(0x3fe6a09e667f3bcd); /* sqrt(1/2) */
    /* 1024 more than the exponent, and the number made from it, so that nothing is below 0. */
    vl bits = (vl)x + ((UINT64_C(1024) << 52) - start), e = bits >> 52;
    vd exponent = (vd)(e | UINT64_C(0x4330000000000000)) - (0x1p52 + 1024);
    vd m = (vd)((bits & ((UINT64_C(1) << 52) - 1)) + start), f = m - 1.0, s = f / (m + 1.0), z = s * s;
    vd q = DPOLY6(z, 0x1.71547652b8251p+1, 0x1.ec709dc53c91bp-1, 0x1.2776c293044c4p-1, 0x1.a61a2efd4488cp-2,
                  0x1.47954d3b79c0ap-2, 0x1.21b173d15e9dfp-2);
    vd t = y * (s * q + exponent);
    for (int i = 0; i < F64_LANES; i++) {
        t[i] = t[i] < -160 ? -160 : t[i] > 140 ? 140 : t[i];
    }
    vd shifted = t + 0x1.8p52, r = t - (shifted - 0x1.8p52);
    vd p = DPOLY7(r, 0x1.62e4300bc984bp-1, 0x1.ebfbe045e795bp-3, 0x1.c6b054e25a501p-5, 0x1.3b2a1b56914dbp-7,
                  0x1.5dc06f2a71c0fp-10, 0x1.44403518f1bf0p-13, 0x1.c04772772950cp-17);
    return __builtin_convertvector((p * r + 1.0) * (vd)(((vl)shifted + 1023) << 52), vh);
}

/* ---- the table ---- */

/* Every row with a function here: how far it is from the exact result at most, in ulp, with fused multiply-add and without.
 * ROW(NAME, function, ulp, ulp without) */
#define PSY_MATH_F32(ROW)                                                                                                      \
    ROW(EXP, exp, 1.05, 1.05)                                                                                                    \
    ROW(EXP2, exp2, 1.05, 1.15)                                                                                                  \
    ROW(EXPM1, expm1, 1.6, 1.6)                                                                                                \
    ROW(TANH, tanh, 2.7, 2.7)                                                                                                  \
    ROW(SINH, sinh, 1.7, 1.7)                                                                                                  \
    ROW(COSH, cosh, 1.6, 1.6)                                                                                                  \
    ROW(LOG, log, 0.9, 0.9)                                                                                                    \
    ROW(LOG2, log2, 1.2, 1.5)                                                                                                  \
    ROW(LOG10, log10, 1.1, 1.8)                                                                                                \
    ROW(LOG1P, log1p, 0.9, 0.9)                                                                                                \
    ROW(ERF, erf, 1.2, 1.25)                                                                                                    \
    ROW(ATAN, atan, 1.5, 1.7)                                                                                                  \
    ROW(ASIN, asin, 3.0, 3.0)                                                                                                  \
    ROW(ACOS, acos, 1.2, 1.2)
/* The same where the instruction set has it, up to ANGLE_MOST; beyond, and elsewhere, <math.h> is asked. */
#define PSY_MATH_F32_ANGLES(ROW)                                                                                               \
    ROW(SIN, sin, 1.6, 1.6)                                                                                                    \
    ROW(COS, cos, 1.6, 1.6)                                                                                                    \
    ROW(TAN, tan, 2.9, 2.9)
/* pow: where the base is above 0 and both are finite; else <math.h> is asked. */
#define PSY_MATH_F32_POW 0.51

#endif

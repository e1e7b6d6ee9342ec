/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of ops.def over f32 that are computed by math_f32.h, in loops over blocks: compiled once per instruction set, as
 * kernels.c is, but without contraction. PSY_KERNEL_SET names it. */
#include <math.h>

#include "engine/cpu/kernels.h"
#include "engine/cpu/math_rows.h"
#include "engine/cpu/vector.h"
#include "isa/module.h"

#include "engine/cpu/math_f32.h"

#pragma GCC diagnostic ignored "-Wpsabi"

/* `n` lanes, below F32_LANES; the others are 0. */
static inline vf v_load_some(const float *at, size_t n)
{
    vf x = {0};
    memcpy(&x, at, n * sizeof *at);
    return x;
}
static inline void v_store_some(float *at, vf x, size_t n) { memcpy(at, &x, n * sizeof *at); }

#define MATH_LOOP(NAME, FUNCTION)                                                                                              \
    static void NAME##_loop(void *out_, const void *a_, size_t stride, size_t n)                                               \
    {                                                                                                                          \
        float *restrict out = out_;                                                                                            \
        const float *restrict a = a_;                                                                                          \
        size_t i = 0;                                                                                                          \
        if (!stride) {                                                                                                         \
            vf y = FUNCTION(v_all(*a));                                                                                        \
            for (; i < n; i++) {                                                                                               \
                out[i] = y[0];                                                                                                 \
            }                                                                                                                  \
        }                                                                                                                      \
        for (; i + F32_LANES <= n; i += F32_LANES) {                                                                           \
            v_store(out + i, FUNCTION(v_load(a + i)));                                                                         \
        }                                                                                                                      \
        if (i < n) {                                                                                                           \
            v_store_some(out + i, FUNCTION(v_load_some(a + i, n - i)), n - i);                                                 \
        }                                                                                                                      \
    }
#define MATH_ROW(NAME, FUNCTION, ...) MATH_LOOP(NAME, v_##FUNCTION)
PSY_MATH_F32(MATH_ROW)

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
/* Lanes that are too far out are computed by themselves. */
#define ANGLE_ROW(NAME, FUNCTION, ...)                                                                                         \
    static inline vf any_##FUNCTION(vf x)                                                                                      \
    {                                                                                                                          \
        vf y = v_##FUNCTION(x);                                                                                                \
        if (__builtin_expect(v_any_above(v_abs(x), v_all(PSY_ANGLE_MOST)), 0)) {                                               \
            for (int i = 0; i < F32_LANES; i++) {                                                                              \
                y[i] = fabsf(x[i]) <= PSY_ANGLE_MOST ? y[i] : FUNCTION##f(x[i]);                                               \
            }                                                                                                                  \
        }                                                                                                                      \
        return y;                                                                                                              \
    }                                                                                                                          \
    MATH_LOOP(NAME, any_##FUNCTION)
PSY_MATH_F32_ANGLES(ANGLE_ROW)
#undef ANGLE_ROW
#endif

/* ---- powers ---- */

/* In f64, half as many at a time: exp2(y log2(x)), where the logarithm's error is below 2^-44. */
typedef double vd __attribute__((vector_size(PSY_VECTOR_BYTES)));
typedef uint64_t vl __attribute__((vector_size(PSY_VECTOR_BYTES)));
typedef float vh __attribute__((vector_size(PSY_VECTOR_BYTES / 2)));
typedef float vh_loose __attribute__((vector_size(PSY_VECTOR_BYTES / 2), aligned(4), may_alias));
enum { F64_LANES = VECTOR_BYTES / 8 };

V_WORD vd d_all(double x) { return x - (vd){0}; }
#define DPOLY2(x, c0, c1)                     ((x) * (c1) + (c0))
#define DPOLY3(x, c0, c1, c2)                 (DPOLY2(x, c1, c2) * (x) + (c0))
#define DPOLY4(x, c0, c1, c2, c3)             (DPOLY3(x, c1, c2, c3) * (x) + (c0))
#define DPOLY5(x, c0, c1, c2, c3, c4)         (DPOLY4(x, c1, c2, c3, c4) * (x) + (c0))
#define DPOLY6(x, c0, c1, c2, c3, c4, c5)     (DPOLY5(x, c1, c2, c3, c4, c5) * (x) + (c0))
#define DPOLY7(x, c0, c1, c2, c3, c4, c5, c6) (DPOLY6(x, c1, c2, c3, c4, c5, c6) * (x) + (c0))

/* For x above 0 and finite, y finite. */
V_WORD vh v_pow(vh x_, vh y_)
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

/* Any base and exponent: lanes that v_pow is not for are computed by themselves. */
static inline vh any_pow(vh x, vh y)
{
    bool all = true;
    for (int i = 0; i < F64_LANES; i++) {
        all &= (x[i] > 0) & (x[i] < INFINITY) & (fabsf(y[i]) < INFINITY);
    }
    vh z = v_pow(x, y);
    for (int i = 0; i < F64_LANES && !all; i++) {
        z[i] = x[i] > 0 && x[i] < INFINITY && fabsf(y[i]) < INFINITY ? z[i] : powf(x[i], y[i]);
    }
    return z;
}

static void POW_loop(void *out_, const void *a_, size_t stride_a, const void *b_, size_t stride_b, size_t n)
{
    float *restrict out = out_;
    const float *restrict a = a_, *restrict b = b_;
    for (size_t i = 0; i < n; i += F64_LANES) {
        size_t here = n - i < F64_LANES ? n - i : F64_LANES;
        vh x = {0}, y = {0};
        for (size_t l = 0; l < F64_LANES; l++) {
            x[l] = l < here ? a[stride_a * (i + l)] : 1;
            y[l] = l < here ? b[stride_b * (i + l)] : 1;
        }
        vh z = any_pow(x, y);
        memcpy(out + i, &z, here * sizeof *out);
    }
}

/* ---- the table ---- */

#define JOIN_(a, b)            a##b
#define JOIN(a, b)             JOIN_(a, b)
#define MATH_ROW_OF(NAME, ...) [PSY_OP_##NAME] = NAME##_loop,

const psy__math JOIN(psy__math_, PSY_KERNEL_SET) = {
    .map1 = {PSY_MATH_F32(MATH_ROW_OF)
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
                 PSY_MATH_F32_ANGLES(MATH_ROW_OF)
#endif
    },
    .pow = POW_loop,
};

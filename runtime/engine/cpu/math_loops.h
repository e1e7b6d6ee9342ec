/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of ops.def over f32 that are computed by math_f32.h: included by kernels.c. */
#ifndef PSY_ENGINE_CPU_MATH_LOOPS_H
#define PSY_ENGINE_CPU_MATH_LOOPS_H

#include "engine/cpu/math_f32.h"

/* `n` lanes, below F32_LANES; the others are 0. */
static inline vf v_load_some(const float *at, size_t n)
{
    vf x = {0};
    memcpy(&x, at, n * sizeof *at);
    return x;
}
static inline void v_store_some(float *at, vf x, size_t n) { memcpy(at, &x, n * sizeof *at); }

#define MATH_LOOP(NAME, FUNCTION)                                                                                              \
    static void math_##NAME(void *out_, const void *a_, size_t stride, size_t n)                                               \
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

#ifdef PSY_VECTOR_ANGLES
/* Lanes that are too far out are computed by themselves. */
#define ANGLE_ROW(NAME, FUNCTION, ...)                                                                                         \
    static inline vf any_##FUNCTION(vf x)                                                                                      \
    {                                                                                                                          \
        vf y = v_##FUNCTION(x);                                                                                                \
        if (__builtin_expect(v_any_above(v_abs(x), v_all(ANGLE_MOST)), 0)) {                                                   \
            for (int i = 0; i < F32_LANES; i++) {                                                                              \
                y[i] = fabsf(x[i]) <= ANGLE_MOST ? y[i] : FUNCTION##f(x[i]);                                                   \
            }                                                                                                                  \
        }                                                                                                                      \
        return y;                                                                                                              \
    }                                                                                                                          \
    MATH_LOOP(NAME, any_##FUNCTION)
PSY_MATH_F32_ANGLES(ANGLE_ROW)
#undef ANGLE_ROW
#endif

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

static void math_POW(void *out_, const void *a_, size_t stride_a, const void *b_, size_t stride_b, size_t n)
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

/* MATH_OR(NAME, other): the loop of a row that has one here, else the other. */
#define MATH_HAS_EXP   , math_EXP
#define MATH_HAS_EXP2  , math_EXP2
#define MATH_HAS_EXPM1 , math_EXPM1
#define MATH_HAS_TANH  , math_TANH
#define MATH_HAS_SINH  , math_SINH
#define MATH_HAS_COSH  , math_COSH
#define MATH_HAS_LOG   , math_LOG
#define MATH_HAS_LOG2  , math_LOG2
#define MATH_HAS_LOG10 , math_LOG10
#define MATH_HAS_LOG1P , math_LOG1P
#define MATH_HAS_ERF   , math_ERF
#define MATH_HAS_ATAN  , math_ATAN
#define MATH_HAS_ASIN  , math_ASIN
#define MATH_HAS_ACOS  , math_ACOS
#define MATH_HAS_POW   , math_POW
#ifdef PSY_VECTOR_ANGLES
#define MATH_HAS_SIN , math_SIN
#define MATH_HAS_COS , math_COS
#define MATH_HAS_TAN , math_TAN
#endif
#define MATH_SECOND(a, b, ...)   b
#define MATH_SECOND_OF(...)      MATH_SECOND(__VA_ARGS__)
#define MATH_OR(NAME, otherwise) MATH_SECOND_OF(MATH_HAS_##NAME, otherwise, )

#endif

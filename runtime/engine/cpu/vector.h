/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of f32 as wide as the instruction set has them, for kernels that are written by hand: math_f32.h. Arithmetic is
 * GCC's and clang's own on vector types; what that has no word for is here. Included by kernels.c alone.
 *
 * Conditions are given as two vectors that are compared, since instruction sets differ in what a condition is. */
#ifndef PSY_ENGINE_CPU_VECTOR_H
#define PSY_ENGINE_CPU_VECTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define PSY_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define PSY_VECTOR_BYTES 32
#else
#define PSY_VECTOR_BYTES 16
#endif
enum { VECTOR_BYTES = PSY_VECTOR_BYTES, F32_LANES = VECTOR_BYTES / 4 };

typedef float vf __attribute__((vector_size(PSY_VECTOR_BYTES)));
typedef int32_t vi __attribute__((vector_size(PSY_VECTOR_BYTES)));
typedef uint32_t vu __attribute__((vector_size(PSY_VECTOR_BYTES)));
typedef float vf_loose __attribute__((vector_size(PSY_VECTOR_BYTES), aligned(4), may_alias));

#define VECTOR_INLINE static inline __attribute__((always_inline))

VECTOR_INLINE vf v_load(const float *at) { return *(const vf_loose *)at; }
VECTOR_INLINE void v_store(float *at, vf x) { *(vf_loose *)at = x; }
VECTOR_INLINE vf v_all(float x) { return x - (vf){0}; }
VECTOR_INLINE vi v_bits(vf x) { return (vi)x; }
VECTOR_INLINE vf v_of_bits(vi x) { return (vf)x; }

/* a * b + c, rounded once where the instruction set can: kernels are compiled with contraction. */
VECTOR_INLINE vf v_fma(vf a, vf b, vf c) { return a * b + c; }

VECTOR_INLINE vf v_abs(vf x) { return (vf)((vi)x & 0x7fffffff); }
VECTOR_INLINE vi v_sign(vf x) { return (vi)x & INT32_MIN; }
/* x, whose sign is plus, with the sign of y. */
VECTOR_INLINE vf v_signed_as(vf x, vf y) { return (vf)((vi)x | v_sign(y)); }

#if defined(__AVX512F__)
#define V_SELECT(name, how)                                                                                                    \
    VECTOR_INLINE vf v_if_##name(vf a, vf b, vf then, vf otherwise)                                                            \
    {                                                                                                                          \
        return (vf)_mm512_mask_blend_ps(_mm512_cmp_ps_mask((__m512)a, (__m512)b, how), (__m512)otherwise, (__m512)then);       \
    }
V_SELECT(lt, _CMP_LT_OQ)
V_SELECT(eq, _CMP_EQ_OQ)
#undef V_SELECT
VECTOR_INLINE vf v_if_odd(vi n, vf then, vf otherwise)
{
    return (vf)_mm512_mask_blend_ps(_mm512_test_epi32_mask((__m512i)n, _mm512_set1_epi32(1)), (__m512)otherwise, (__m512)then);
}
/* b where one is NaN, as MIN and MAX of ops.def. */
VECTOR_INLINE vf v_min(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
VECTOR_INLINE vf v_max(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
VECTOR_INLINE vf v_sqrt(vf x) { return (vf)_mm512_sqrt_ps((__m512)x); }
VECTOR_INLINE bool v_any_above(vf a, vf b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_NLE_UQ) != 0; }
/* x * 2^n for whole n, rounded once. */
VECTOR_INLINE vf v_scale(vf x, vf n) { return (vf)_mm512_scalef_ps((__m512)x, (__m512)n); }
#else
VECTOR_INLINE vf v_choose(vi where, vf then, vf otherwise)
{
#if defined(__AVX2__)
    return (vf)_mm256_blendv_ps((__m256)otherwise, (__m256)then, (__m256)where);
#else
    return (vf)(((vi)then & where) | ((vi)otherwise & ~where));
#endif
}
VECTOR_INLINE vf v_if_lt(vf a, vf b, vf then, vf otherwise) { return v_choose(a < b, then, otherwise); }
VECTOR_INLINE vf v_if_eq(vf a, vf b, vf then, vf otherwise) { return v_choose(a == b, then, otherwise); }
VECTOR_INLINE vf v_if_odd(vi n, vf then, vf otherwise) { return v_choose((n & 1) != 0, then, otherwise); }
#if defined(__AVX2__)
VECTOR_INLINE vf v_min(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
VECTOR_INLINE vf v_max(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
VECTOR_INLINE vf v_sqrt(vf x) { return (vf)_mm256_sqrt_ps((__m256)x); }
VECTOR_INLINE bool v_any_above(vf a, vf b) { return _mm256_movemask_ps(_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_NLE_UQ)) != 0; }
#else
VECTOR_INLINE vf v_min(vf a, vf b) { return v_if_lt(a, b, a, b); }
VECTOR_INLINE vf v_max(vf a, vf b) { return v_if_lt(b, a, a, b); }
VECTOR_INLINE vf v_sqrt(vf x)
{
    for (int i = 0; i < F32_LANES; i++) {
        x[i] = sqrtf(x[i]);
    }
    return x;
}
VECTOR_INLINE bool v_any_above(vf a, vf b)
{
    vi below = a <= b;
    int all = -1;
    for (int i = 0; i < F32_LANES; i++) {
        all &= below[i];
    }
    return !all;
}
#endif
/* In two steps, of which only the second one rounds: |n| is below 253. */
VECTOR_INLINE vf v_scale(vf x, vf n)
{
    vi bits = (vi)(n + 0x1.8p23f) - 0x4b400000, half = bits >> 1;
    return x * (vf)((half + 127) << 23) * (vf)((bits - half + 127) << 23);
}
#endif

/* The nearest whole number, halves to the even one; |x| is below 2^22. */
VECTOR_INLINE vf v_whole(vf x) { return (x + 0x1.8p23f) - 0x1.8p23f; }
/* A whole number of less than 2^22. */
VECTOR_INLINE vi v_int(vf whole) { return (vi)(whole + 0x1.8p23f) - 0x4b400000; }
VECTOR_INLINE vf v_float(vi n) { return __builtin_convertvector(n, vf); }

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of f32 as wide as the instruction set has them: the words in which math_f32.h is written. Each is one rounding, or
 * none, and nothing here is contracted (math.c is compiled so), so that the same words give the same bits wherever they run: as
 * code of the compiler's, or of the engine's own (chain.h), which defines them a second time.
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

/* What is written before the parameters and the arguments of math_f32.h's functions: here nothing. */
#define VP
#define VA
#define V_WORD static inline __attribute__((always_inline))

V_WORD vf v_load(const float *at) { return *(const vf_loose *)at; }
V_WORD void v_store(float *at, vf x) { *(vf_loose *)at = x; }
V_WORD vf v_all(float x) { return x - (vf){0}; }
V_WORD vf v_add(vf a, vf b) { return a + b; }
V_WORD vf v_sub(vf a, vf b) { return a - b; }
V_WORD vf v_mul(vf a, vf b) { return a * b; }
V_WORD vf v_div(vf a, vf b) { return a / b; }

V_WORD vi v_bits(vf x) { return (vi)x; }
V_WORD vf v_of_bits(vi x) { return (vf)x; }
V_WORD vf v_float(vi n) { return __builtin_convertvector(n, vf); }
/* Integers wrap. */
V_WORD vi vi_add(vi a, int32_t b) { return (vi)((vu)a + (uint32_t)b); }
V_WORD vi vi_sub(vi a, vi b) { return (vi)((vu)a - (vu)b); }
V_WORD vi vi_and(vi a, int32_t b) { return a & b; }
V_WORD vi vi_shl(vi a, int n) { return (vi)((vu)a << n); }
V_WORD vi vi_sar(vi a, int n) { return a >> n; }

V_WORD vf v_abs(vf x) { return (vf)((vi)x & 0x7fffffff); }
/* x with another sign where y is below 0. */
V_WORD vf v_turned_as(vf x, vf y) { return (vf)((vi)x ^ ((vi)y & INT32_MIN)); }
/* x, whose sign is plus, with the sign of y. */
V_WORD vf v_signed_as(vf x, vf y) { return (vf)((vi)x | ((vi)y & INT32_MIN)); }

#if defined(__AVX512F__)
#define V_IF(name, how)                                                                                                        \
    V_WORD vf v_if_##name(vf a, vf b, vf then, vf otherwise)                                                                   \
    {                                                                                                                          \
        return (vf)_mm512_mask_blend_ps(_mm512_cmp_ps_mask((__m512)a, (__m512)b, how), (__m512)otherwise, (__m512)then);       \
    }
V_IF(lt, _CMP_LT_OQ)
V_IF(eq, _CMP_EQ_OQ)
#undef V_IF
V_WORD vf v_if_odd(vi n, vf then, vf otherwise)
{
    return (vf)_mm512_mask_blend_ps(_mm512_test_epi32_mask((__m512i)n, _mm512_set1_epi32(1)), (__m512)otherwise, (__m512)then);
}
V_WORD vf v_fma(vf a, vf b, vf c) { return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
V_WORD vf v_min(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
V_WORD vf v_max(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
V_WORD vf v_sqrt(vf x) { return (vf)_mm512_sqrt_ps((__m512)x); }
V_WORD bool v_any_above(vf a, vf b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_NLE_UQ) != 0; }
#else
V_WORD vf v_choose(vi where, vf then, vf otherwise)
{
#if defined(__AVX2__)
    return (vf)_mm256_blendv_ps((__m256)otherwise, (__m256)then, (__m256)where);
#else
    return (vf)(((vi)then & where) | ((vi)otherwise & ~where));
#endif
}
V_WORD vf v_if_lt(vf a, vf b, vf then, vf otherwise) { return v_choose(a < b, then, otherwise); }
V_WORD vf v_if_eq(vf a, vf b, vf then, vf otherwise) { return v_choose(a == b, then, otherwise); }
V_WORD vf v_if_odd(vi n, vf then, vf otherwise) { return v_choose((n & 1) != 0, then, otherwise); }
#if defined(__AVX2__)
V_WORD vf v_fma(vf a, vf b, vf c) { return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
V_WORD vf v_min(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
V_WORD vf v_max(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
V_WORD vf v_sqrt(vf x) { return (vf)_mm256_sqrt_ps((__m256)x); }
V_WORD bool v_any_above(vf a, vf b) { return _mm256_movemask_ps(_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_NLE_UQ)) != 0; }
#else
/* a * b + c: rounded once where the machine has it, twice where not. */
V_WORD vf v_fma(vf a, vf b, vf c)
{
#if defined(__ARM_FEATURE_FMA)
    for (int i = 0; i < F32_LANES; i++) {
        c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    }
    return c;
#else
    return a * b + c;
#endif
}
/* b where one is NaN, as MIN and MAX of ops.def. */
V_WORD vf v_min(vf a, vf b) { return v_if_lt(a, b, a, b); }
V_WORD vf v_max(vf a, vf b) { return v_if_lt(b, a, a, b); }
V_WORD vf v_sqrt(vf x)
{
    for (int i = 0; i < F32_LANES; i++) {
        x[i] = __builtin_sqrtf(x[i]);
    }
    return x;
}
V_WORD bool v_any_above(vf a, vf b)
{
    vi below = a <= b;
    int all = -1;
    for (int i = 0; i < F32_LANES; i++) {
        all &= below[i];
    }
    return !all;
}
#endif
#endif

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What operations on single values mean in C: integer division and shifts, 16-bit floats, casts, random numbers, and the order
 * of values. The runtime, the compiler's constant folding and kernels that psynec writes as C share it, so that all give the
 * same. Nothing blocks, allocates or fails. */
#ifndef PSYNE_KERNEL_SCALAR_H
#define PSYNE_KERNEL_SCALAR_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* ---- integers of type T, whose unsigned twin is U ---- */
/* Towards zero; x / 0 is 0, the most negative number / -1 is itself. */
#define PSY_KERNEL_DIV(T, U, a, b) ((b) == 0 ? (T)0 : (T)-1 < (T)1 && (b) == (T)-1 ? (T)(0 - (U)(a)) : (T)((a) / (b)))
#define PSY_KERNEL_MOD(T, U, a, b) ((b) == 0 ? (a) : (T)-1 < (T)1 && (b) == (T)-1 ? (T)0 : (T)((a) % (b)))
#define PSY_KERNEL_SHL(T, U, a, b) ((T)((U)(a) << ((U)(b) & (8 * sizeof(T) - 1))))
#define PSY_KERNEL_SHR(T, U, a, b) ((T)((a) >> ((U)(b) & (8 * sizeof(T) - 1))))

/* Philox 2x32-10 of the counter (counter, 0) under the key: its first word. J. Salmon et al., "Parallel random numbers: as easy
 * as 1, 2, 3", SC 2011. */
static inline uint32_t psy_kernel_philox(uint32_t key, uint32_t counter)
{
    uint32_t left = counter, right = 0;
    for (int round = 0; round < 10; round++) {
        uint64_t product = (uint64_t)left * UINT32_C(0xD256D193);
        left = (uint32_t)(product >> 32) ^ key ^ right;
        right = (uint32_t)product;
        key += UINT32_C(0x9E3779B9);
    }
    return left;
}

/* Floats by their bits. */
static inline float psy_kernel_f32(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline double psy_kernel_f64(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* ---- 16-bit floats: f16 has 1 sign, 5 exponent and 10 fraction bits; bf16 is the upper half of an f32 ---- */

static inline float psy_kernel_from_f16(uint16_t h)
{
    uint32_t magnitude = h & 0x7fffu, sign = (uint32_t)(h & 0x8000u) << 16, bits;
    float value;
    if (magnitude >= 0x7c00u) {
        bits = 0x7f800000u | (magnitude & 0x3ffu) << 13;
    } else if (magnitude >= 0x400u) {
        bits = (magnitude << 13) + (112u << 23);
    } else {
        value = (float)magnitude * 0x1p-24f; /* zero, or below the least normal one */
        memcpy(&bits, &value, sizeof bits);
    }
    bits |= sign;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float psy_kernel_from_bf16(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* `bits` without its lowest `drop` bits, rounded to nearest, halves to even. */
static inline uint64_t psy_kernel_rounded(uint64_t bits, unsigned drop)
{
    uint64_t half = UINT64_C(1) << (drop - 1), low = bits & (2 * half - 1), kept = bits >> drop;
    return kept + (low > half || (low == half && (kept & 1)));
}

/* A 16-bit float of so many bits of fraction, the rest but the sign being exponent, from f64. Rounded once: through f32 it
 * could be twice. */
static inline uint16_t psy_kernel_half_of(double x, unsigned fraction_bits)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int most = (1 << (14 - fraction_bits)) - 1, least = 1 - most, exponent = (int)(bits >> 52 & 0x7ff) - 1023;
    unsigned drop = 52 - fraction_bits;
    uint16_t sign = (uint16_t)(bits >> 48 & 0x8000u), infinite = (uint16_t)(sign | (0x7fffu >> fraction_bits << fraction_bits));
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    if (exponent == 1024 && fraction) {
        return (uint16_t)(infinite | 1u << (fraction_bits - 1) | fraction >> drop); /* NaN, and quiet */
    }
    if (exponent > most) {
        return infinite;
    }
    if (exponent >= least) {
        /* A carry goes into the exponent, up to infinity. */
        return (uint16_t)(sign | psy_kernel_rounded((uint64_t)(exponent + most) << 52 | fraction, drop));
    }
    if (exponent < least - (int)fraction_bits - 1) {
        return sign;
    }
    return (uint16_t)(sign | psy_kernel_rounded(fraction | UINT64_C(1) << 52, drop + (unsigned)(least - exponent)));
}

static inline uint16_t psy_kernel_to_f16(double x) { return psy_kernel_half_of(x, 10); }
static inline uint16_t psy_kernel_to_bf16(double x) { return psy_kernel_half_of(x, 7); }

/* An integer as f64, but what is lost leaves its mark in the last bit, so that the next rounding is right. */
static inline double psy_kernel_sticky_unsigned(uint64_t x)
{
    return (double)(x >> 53 ? (x & ~UINT64_C(0x7ff)) | (x & 0x7ff ? UINT64_C(0x800) : 0) : x);
}
static inline double psy_kernel_sticky_signed(int64_t x)
{
    return x < 0 ? -psy_kernel_sticky_unsigned(0 - (uint64_t)x) : psy_kernel_sticky_unsigned((uint64_t)x);
}

/* ---- floats to integers of so many bits: towards zero, as near as they have it; NaN is 0 ---- */

static inline int64_t psy_kernel_to_signed(double x, unsigned bits)
{
    double high = (double)(UINT64_C(1) << (bits - 1));
    return x != x ? 0 : x < -high ? INT64_MIN >> (64 - bits) : x >= high ? INT64_MAX >> (64 - bits) : (int64_t)x;
}
static inline uint64_t psy_kernel_to_unsigned(double x, unsigned bits)
{
    double high = 2 * (double)(UINT64_C(1) << (bits - 1));
    return x != x || x <= -1 ? 0 : x >= high ? UINT64_MAX >> (64 - bits) : (uint64_t)x;
}

/* ---- the order of values: larger keys are better; NaN is 0, below -inf; -0 and 0 are the same ---- */

static inline uint64_t psy_kernel_key_f32(float v)
{
    uint32_t u;
    v += 0.0f;
    memcpy(&u, &v, sizeof u);
    return v != v ? 0 : u >> 31 ? (uint32_t)~u : u | UINT32_C(0x80000000);
}
static inline uint64_t psy_kernel_key_f64(double v)
{
    uint64_t u;
    v += 0.0;
    memcpy(&u, &v, sizeof u);
    return v != v ? 0 : u >> 63 ? ~u : u | UINT64_C(1) << 63;
}
static inline uint64_t psy_kernel_key_i32(int32_t v) { return (uint32_t)v ^ UINT32_C(0x80000000); }
static inline uint64_t psy_kernel_key_i64(int64_t v) { return (uint64_t)v ^ UINT64_C(1) << 63; }
static inline uint64_t psy_kernel_key_u32(uint32_t v) { return v; }
static inline uint64_t psy_kernel_key_u64(uint64_t v) { return v; }

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* CAST goes through the widest type of the source's class, which holds all its values: no rounding happens twice. */
#include <math.h>
#include <string.h>

#include "isa/module.h"
#include "isa/scalar.h"

#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wfloat-conversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"

enum { BLOCK = 256 };

typedef union wide {
    int64_t sint[BLOCK];
    uint64_t uint[BLOCK];
    double real[BLOCK];
} wide;

/* ---- half floats: 1 sign, 5 exponent, 10 fraction bits; and the upper half of an f32 ---- */

static float f16_value(uint16_t h)
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

/* `bits` without its lowest `drop` bits, rounded to nearest, halves to even. */
static uint64_t rounded(uint64_t bits, unsigned drop)
{
    uint64_t half = UINT64_C(1) << (drop - 1), low = bits & (2 * half - 1), kept = bits >> drop;
    return kept + (low > half || (low == half && (kept & 1)));
}

/* A 16-bit float of so many bits of fraction, the rest but the sign being exponent, from f64. Rounded once: through f32 it
 * could be twice. */
static uint16_t half_of(double x, unsigned fraction_bits)
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
        return (uint16_t)(sign | rounded((uint64_t)(exponent + most) << 52 | fraction, drop));
    }
    if (exponent < least - (int)fraction_bits - 1) {
        return sign;
    }
    return (uint16_t)(sign | rounded(fraction | UINT64_C(1) << 52, drop + (unsigned)(least - exponent)));
}

static uint16_t f16_of(double x) { return half_of(x, 10); }
static uint16_t bf16_of(double x) { return half_of(x, 7); }

/* As f64, but what is lost leaves its mark in the last bit, so that the next rounding is right. */
static double sticky(uint64_t x) { return (double)(x >> 53 ? (x & ~UINT64_C(0x7ff)) | (x & 0x7ff ? UINT64_C(0x800) : 0) : x); }

static float bf16_value(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int64_t sint_of(double x, unsigned bits)
{
    double high = ldexp(1, (int)bits - 1);
    return isnan(x) ? 0 : x < -high ? INT64_MIN >> (64 - bits) : x >= high ? INT64_MAX >> (64 - bits) : (int64_t)x;
}

static uint64_t uint_of(double x, unsigned bits)
{
    return isnan(x) || x <= -1 ? 0 : x >= ldexp(1, (int)bits) ? UINT64_MAX >> (64 - bits) : (uint64_t)x;
}

#define READ_BOOL(type)                                                                                                        \
    for (size_t i = 0; i < n; i++) {                                                                                           \
        w->uint[i] = ((const type *)src)[i] & 1;                                                                               \
    }
#define READ_SINT(type)                                                                                                        \
    for (size_t i = 0; i < n; i++) {                                                                                           \
        w->sint[i] = ((const type *)src)[i];                                                                                   \
    }
#define READ_UINT(type)                                                                                                        \
    for (size_t i = 0; i < n; i++) {                                                                                           \
        w->uint[i] = ((const type *)src)[i];                                                                                   \
    }
#define READ_FLOAT(type)                                                                                                       \
    for (size_t i = 0; i < n; i++) {                                                                                           \
        w->real[i] = ((const type *)src)[i];                                                                                   \
    }

static void widen(unsigned from, const void *src, wide *w, size_t n)
{
    switch (from) {
    case PSY_F16:
        for (size_t i = 0; i < n; i++) {
            w->real[i] = f16_value(((const uint16_t *)src)[i]);
        }
        return;
    case PSY_BF16:
        for (size_t i = 0; i < n; i++) {
            w->real[i] = bf16_value(((const uint16_t *)src)[i]);
        }
        return;
    default: break;
    }
    switch (from) {
#define DTYPE(NAME, code, text, bytes, type, class, compute)                                                                   \
    case code:                                                                                                                 \
        READ_##class(type) break;
#include "isa/dtypes.def"
#undef DTYPE
    default: break;
    }
}

/* Each class of target from each class of source. */
#define EACH(type, sint_expr, uint_expr, real_expr)                                                                            \
    switch (class_) {                                                                                                          \
    case PSY_DCLASS_SINT:                                                                                                      \
        for (size_t i = 0; i < n; i++) {                                                                                       \
            int64_t x = w->sint[i];                                                                                            \
            ((type *)dst)[i] = (sint_expr);                                                                                    \
        }                                                                                                                      \
        break;                                                                                                                 \
    case PSY_DCLASS_FLOAT:                                                                                                     \
        for (size_t i = 0; i < n; i++) {                                                                                       \
            double x = w->real[i];                                                                                             \
            ((type *)dst)[i] = (real_expr);                                                                                    \
        }                                                                                                                      \
        break;                                                                                                                 \
    default:                                                                                                                   \
        for (size_t i = 0; i < n; i++) {                                                                                       \
            uint64_t x = w->uint[i];                                                                                           \
            ((type *)dst)[i] = (uint_expr);                                                                                    \
        }                                                                                                                      \
        break;                                                                                                                 \
    }
#define WRITE_BOOL(type)  EACH(type, x != 0, x != 0, x != 0)
#define WRITE_SINT(type)  EACH(type, (type)x, (type)x, (type)sint_of(x, 8 * sizeof(type)))
#define WRITE_UINT(type)  EACH(type, (type)x, (type)x, (type)uint_of(x, 8 * sizeof(type)))
#define WRITE_FLOAT(type) EACH(type, (type)x, (type)x, (type)x)

static void narrow(psy_dtype_class class_, const wide *w, unsigned to, void *dst, size_t n)
{
    if (to == PSY_F16 || to == PSY_BF16) {
        for (size_t i = 0; i < n; i++) {
            double x = class_ == PSY_DCLASS_FLOAT ? w->real[i]
                       : class_ == PSY_DCLASS_SINT
                           ? (w->sint[i] < 0 ? -sticky(-(uint64_t)w->sint[i]) : sticky((uint64_t)w->sint[i]))
                           : sticky(w->uint[i]);
            ((uint16_t *)dst)[i] = to == PSY_F16 ? f16_of(x) : bf16_of(x);
        }
        return;
    }
    switch (to) {
#define DTYPE(NAME, code, text, bytes, type, class, compute)                                                                   \
    case code:                                                                                                                 \
        WRITE_##class(type) break;
#include "isa/dtypes.def"
#undef DTYPE
    default: break;
    }
}

void psy__identity(unsigned op, unsigned dtype, void *out)
{
    unsigned bytes = psy__dtype_bytes(dtype);
    uint64_t bits = 0, one = 1;
    bool low = op == PSY_OP_RMAX;
    if (op == PSY_OP_PROD) {
        psy__cast(PSY_U64, &one, dtype, &bits, 1);
    } else if (op == PSY_OP_ALL) {
        bits = 1;
    } else if (op == PSY_OP_RMIN || op == PSY_OP_RMAX) {
        float f = low ? -INFINITY : INFINITY;
        double d = f;
        switch (psy__dtype_class(dtype)) {
        case PSY_DCLASS_FLOAT: memcpy(&bits, bytes == 4 ? (void *)&f : (void *)&d, bytes); break;
        case PSY_DCLASS_SINT: bits = low ? UINT64_C(1) << (bytes * 8 - 1) : (UINT64_C(1) << (bytes * 8 - 1)) - 1; break;
        default: bits = low ? 0 : UINT64_MAX; break;
        }
    }
    memcpy(out, &bits, bytes);
}

void psy__cast(unsigned from, const void *src, unsigned to, void *dst, size_t n)
{
    wide w;
    unsigned source = psy__dtype_bytes(from), target = psy__dtype_bytes(to);
    for (size_t at = 0; at < n; at += BLOCK) {
        size_t count = n - at < BLOCK ? n - at : BLOCK;
        widen(from, (const uint8_t *)src + at * source, &w, count);
        narrow(psy__dtype_class(from), &w, to, (uint8_t *)dst + at * target, count);
    }
}

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
            w->real[i] = psy_kernel_from_f16(((const uint16_t *)src)[i]);
        }
        return;
    case PSY_BF16:
        for (size_t i = 0; i < n; i++) {
            w->real[i] = psy_kernel_from_bf16(((const uint16_t *)src)[i]);
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
#define WRITE_SINT(type)  EACH(type, (type)x, (type)x, (type)psy_kernel_to_signed(x, 8 * sizeof(type)))
#define WRITE_UINT(type)  EACH(type, (type)x, (type)x, (type)psy_kernel_to_unsigned(x, 8 * sizeof(type)))
#define WRITE_FLOAT(type) EACH(type, (type)x, (type)x, (type)x)

static void narrow(psy_dtype_class class_, const wide *w, unsigned to, void *dst, size_t n)
{
    if (to == PSY_F16 || to == PSY_BF16) {
        for (size_t i = 0; i < n; i++) {
            double x = class_ == PSY_DCLASS_FLOAT  ? w->real[i]
                       : class_ == PSY_DCLASS_SINT ? psy_kernel_sticky_signed(w->sint[i])
                                                   : psy_kernel_sticky_unsigned(w->uint[i]);
            ((uint16_t *)dst)[i] = to == PSY_F16 ? psy_kernel_to_f16(x) : psy_kernel_to_bf16(x);
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

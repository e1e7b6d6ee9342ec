/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of one instruction set: see kernels.h. PSY_KERNEL_SET names it.
 *
 * Every row of ops.def is a loop of its own, so the compiler may contract only inside a row: that is DOT's multiply and add. */
#include "engine/cpu/kernels.h"
#include "engine/cpu/vector.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "isa/module.h"
#include "isa/scalar.h"

#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wtype-limits"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-value"
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpsabi"

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)

/* Reductions run in this many accumulators, element i in accumulator i % LANES, which are then combined in order. */
enum { LANES = 64 };

/* ---- what a class of rows becomes ---- */

#define DEFINE_MAP1(NAME, ...)                                                                                                 \
    static void JOIN(NAME##_, SUFFIX)(void *out_, const void *a_, size_t stride, size_t n)                                     \
    {                                                                                                                          \
        T *restrict out = out_;                                                                                                \
        const T *restrict x = a_;                                                                                              \
        if (stride) {                                                                                                          \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                T a = x[i];                                                                                                    \
                out[i] = PSY_SCALAR(__VA_ARGS__);                                                                              \
            }                                                                                                                  \
        } else {                                                                                                               \
            T a = *x, r = PSY_SCALAR(__VA_ARGS__);                                                                             \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                out[i] = r;                                                                                                    \
            }                                                                                                                  \
        }                                                                                                                      \
    }

#define DEFINE_PAIR(NAME, R, ...)                                                                                              \
    static void JOIN(NAME##_, SUFFIX)(void *out_, const void *a_, size_t stride_a, const void *b_, size_t stride_b, size_t n)  \
    {                                                                                                                          \
        R *restrict out = out_;                                                                                                \
        const T *restrict x = a_, *restrict y = b_;                                                                            \
        if (stride_a && stride_b) {                                                                                            \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                T a = x[i], b = y[i];                                                                                          \
                out[i] = (R)PSY_SCALAR(__VA_ARGS__);                                                                           \
            }                                                                                                                  \
        } else if (stride_a) {                                                                                                 \
            T b = *y;                                                                                                          \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                T a = x[i];                                                                                                    \
                out[i] = (R)PSY_SCALAR(__VA_ARGS__);                                                                           \
            }                                                                                                                  \
        } else if (stride_b) {                                                                                                 \
            T a = *x;                                                                                                          \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                T b = y[i];                                                                                                    \
                out[i] = (R)PSY_SCALAR(__VA_ARGS__);                                                                           \
            }                                                                                                                  \
        } else {                                                                                                               \
            T a = *x, b = *y;                                                                                                  \
            R r = (R)PSY_SCALAR(__VA_ARGS__);                                                                                  \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                out[i] = r;                                                                                                    \
            }                                                                                                                  \
        }                                                                                                                      \
    }

#define DEFINE_MAP2(NAME, ...)    DEFINE_PAIR(NAME, T, __VA_ARGS__)
#define DEFINE_COMPARE(NAME, ...) DEFINE_PAIR(NAME, uint8_t, __VA_ARGS__)

#define DEFINE_MAP3(NAME, ...)                                                                                                 \
    static void JOIN(NAME##_, SUFFIX)(void *out_, const void *a_, size_t stride_a, const void *b_, size_t stride_b,            \
                                      const void *c_, size_t stride_c, size_t n)                                               \
    {                                                                                                                          \
        T *restrict out = out_;                                                                                                \
        const T *restrict x = a_, *restrict y = b_, *restrict z = c_;                                                          \
        if (stride_a && stride_b && stride_c) {                                                                                \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                T a = x[i], b = y[i], c = z[i];                                                                                \
                out[i] = PSY_SCALAR(__VA_ARGS__);                                                                              \
            }                                                                                                                  \
        } else {                                                                                                               \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                T a = x[i * stride_a], b = y[i * stride_b], c = z[i * stride_c];                                               \
                out[i] = PSY_SCALAR(__VA_ARGS__);                                                                              \
            }                                                                                                                  \
        }                                                                                                                      \
    }

/* By the size of the elements, whatever they are. */
#define CHOOSE(bits)                                                                                                           \
    static void choose_##bits(void *out_, const void *a_, size_t stride_a, const void *b_, size_t stride_b, const void *c_,    \
                              size_t stride_c, size_t n)                                                                       \
    {                                                                                                                          \
        uint##bits##_t *restrict out = out_;                                                                                   \
        const uint##bits##_t *restrict b = b_, *restrict c = c_;                                                               \
        const uint8_t *restrict a = a_;                                                                                        \
        if (stride_a && stride_b && stride_c) {                                                                                \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                out[i] = a[i] & 1 ? b[i] : c[i];                                                                               \
            }                                                                                                                  \
        } else {                                                                                                               \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                out[i] = a[i * stride_a] & 1 ? b[i * stride_b] : c[i * stride_c];                                              \
            }                                                                                                                  \
        }                                                                                                                      \
    }
CHOOSE(8)
CHOOSE(16)
CHOOSE(32)
CHOOSE(64)

/* What a reduction starts from: its result over nothing. */
#define START_SUM  (T)0
#define START_RMIN HIGHEST
#define START_RMAX LOWEST
#define START_PROD (T)1
#define START_ANY  (T)0
#define START_ALL  (T)1

/* `expr` over acc and a; merging two accumulators is the same with the other one as a. */
#define DEFINE_REDUCE1(NAME, ...)                                                                                              \
    static void JOIN(NAME##_, SUFFIX)(void *acc_, const void *a_, size_t stride, const void *b_, size_t stride_b, size_t n)    \
    {                                                                                                                          \
        T *total = acc_, lane[LANES];                                                                                          \
        const T *restrict x = a_;                                                                                              \
        size_t i = 0;                                                                                                          \
        if (stride && n >= LANES) {                                                                                            \
            for (size_t l = 0; l < LANES; l++) {                                                                               \
                lane[l] = START_##NAME;                                                                                        \
            }                                                                                                                  \
            for (; i + LANES <= n; i += LANES) {                                                                               \
                for (size_t l = 0; l < LANES; l++) {                                                                           \
                    T acc = lane[l], a = x[i + l];                                                                             \
                    lane[l] = PSY_SCALAR(__VA_ARGS__);                                                                         \
                }                                                                                                              \
            }                                                                                                                  \
            for (size_t half = LANES / 2; half > 0; half /= 2) {                                                               \
                for (size_t l = 0; l < half; l++) {                                                                            \
                    T acc = lane[l], a = lane[l + half];                                                                       \
                    lane[l] = PSY_SCALAR(__VA_ARGS__);                                                                         \
                }                                                                                                              \
            }                                                                                                                  \
            T acc = *total, a = lane[0];                                                                                       \
            *total = PSY_SCALAR(__VA_ARGS__);                                                                                  \
        }                                                                                                                      \
        for (; i < n; i++) {                                                                                                   \
            T acc = *total, a = x[i * stride];                                                                                 \
            *total = PSY_SCALAR(__VA_ARGS__);                                                                                  \
        }                                                                                                                      \
    }                                                                                                                          \
    static void JOIN(ACC_##NAME##_, SUFFIX)(void *acc_, const void *a_, size_t stride, size_t n)                               \
    {                                                                                                                          \
        T *restrict out = acc_;                                                                                                \
        const T *restrict x = a_;                                                                                              \
        if (stride) {                                                                                                          \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                T acc = out[i], a = x[i];                                                                                      \
                out[i] = PSY_SCALAR(__VA_ARGS__);                                                                              \
            }                                                                                                                  \
        } else {                                                                                                               \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                T acc = out[i], a = *x;                                                                                        \
                out[i] = PSY_SCALAR(__VA_ARGS__);                                                                              \
            }                                                                                                                  \
        }                                                                                                                      \
    }

/* `expr` over acc, a and b; it starts from 0 and accumulators are added. */
#define DEFINE_REDUCE2(NAME, ...)                                                                                              \
    static void JOIN(NAME##_, SUFFIX)(void *acc_, const void *a_, size_t stride_a, const void *b_, size_t stride_b, size_t n)  \
    {                                                                                                                          \
        T *total = acc_, lane[LANES] = {0};                                                                                    \
        const T *restrict x = a_, *restrict y = b_;                                                                            \
        size_t i = 0;                                                                                                          \
        if (stride_a && stride_b) {                                                                                            \
            for (; i + LANES <= n; i += LANES) {                                                                               \
                for (size_t l = 0; l < LANES; l++) {                                                                           \
                    T acc = lane[l], a = x[i + l], b = y[i + l];                                                               \
                    lane[l] = PSY_SCALAR(__VA_ARGS__);                                                                         \
                }                                                                                                              \
            }                                                                                                                  \
        } else if (stride_a || stride_b) {                                                                                     \
            const T *restrict z = stride_a ? x : y;                                                                            \
            T b = stride_a ? *y : *x;                                                                                          \
            for (; i + LANES <= n; i += LANES) {                                                                               \
                for (size_t l = 0; l < LANES; l++) {                                                                           \
                    T acc = lane[l], a = z[i + l];                                                                             \
                    lane[l] = PSY_SCALAR(__VA_ARGS__);                                                                         \
                }                                                                                                              \
            }                                                                                                                  \
        }                                                                                                                      \
        for (size_t l = 0; i < n; i++, l++) {                                                                                  \
            T acc = lane[l % LANES], a = x[i * stride_a], b = y[i * stride_b];                                                 \
            lane[l % LANES] = PSY_SCALAR(__VA_ARGS__);                                                                         \
        }                                                                                                                      \
        for (size_t half = LANES / 2; half > 0; half /= 2) {                                                                   \
            for (size_t l = 0; l < half; l++) {                                                                                \
                lane[l] = (T)((U)lane[l] + (U)lane[l + half]);                                                                 \
            }                                                                                                                  \
        }                                                                                                                      \
        *total = (T)((U)*total + (U)lane[0]);                                                                                  \
    }

#define DEFINE_NOTHING(...)
#define DEFINE_VIEW    DEFINE_NOTHING
#define DEFINE_SIZE    DEFINE_NOTHING
#define DEFINE_LOOKUP  DEFINE_NOTHING
#define DEFINE_CAST    DEFINE_NOTHING
#define DEFINE_CHOOSE  DEFINE_NOTHING
#define DEFINE_SHAPE   DEFINE_NOTHING
#define DEFINE_INDEX   DEFINE_NOTHING
#define DEFINE_JOIN    DEFINE_NOTHING
#define DEFINE_GATHER  DEFINE_NOTHING
#define DEFINE_SCATTER DEFINE_NOTHING
#define DEFINE_SCAN    DEFINE_NOTHING
#define DEFINE_SORT    DEFINE_NOTHING
#define DEFINE_SELECT  DEFINE_NOTHING
#define DEFINE_STORE   DEFINE_NOTHING
#define DEFINE_REGION  DEFINE_NOTHING

/* ---- the types ---- */

#define T                      float
#define HIGHEST                (T) INFINITY
#define LOWEST                 -(T)INFINITY
#define U                      float
#define SUFFIX                 f32
#define COLUMN(c_float, c_int) c_float
#define FLOATS                 1
#define PSY_M(name)            name##f
#include "engine/cpu/kernels_type.h"
#undef PSY_M
#define T                      double
#define HIGHEST                (T) INFINITY
#define LOWEST                 -(T)INFINITY
#define U                      double
#define SUFFIX                 f64
#define COLUMN(c_float, c_int) c_float
#define FLOATS                 1
#define PSY_M(name)            name
#include "engine/cpu/kernels_type.h"
#define PSY_NOT(a)             ((T) ~(a))
#define COLUMN(c_float, c_int) c_int
#define T                      int32_t
#define HIGHEST                INT32_MAX
#define LOWEST                 INT32_MIN
#define U                      uint32_t
#define SUFFIX                 i32
#include "engine/cpu/kernels_type.h"
#define COLUMN(c_float, c_int) c_int
#define T                      int64_t
#define HIGHEST                INT64_MAX
#define LOWEST                 INT64_MIN
#define U                      uint64_t
#define SUFFIX                 i64
#include "engine/cpu/kernels_type.h"
#define COLUMN(c_float, c_int) c_int
#define T                      uint32_t
#define HIGHEST                UINT32_MAX
#define LOWEST                 0
#define U                      uint32_t
#define SUFFIX                 u32
#include "engine/cpu/kernels_type.h"
#define COLUMN(c_float, c_int) c_int
#define T                      uint64_t
#define HIGHEST                UINT64_MAX
#define LOWEST                 0
#define U                      uint64_t
#define SUFFIX                 u64
#include "engine/cpu/kernels_type.h"

#undef PSY_NOT
#define COLUMN(c_float, c_int) c_int
#define T                      uint8_t
#define HIGHEST                1
#define LOWEST                 0
#define U                      uint8_t
#define SUFFIX                 b8
#define PSY_NOT(a)             ((T)((a) ^ 1))
#include "engine/cpu/kernels_type.h"

/* ---- the table ---- */

#define ALL(FN, code)                                                                                                          \
    [code] = {[PSY_BOOL] = FN##_b8, [PSY_F32] = FN##_f32, [PSY_F64] = FN##_f64, [PSY_I32] = FN##_i32,                          \
              [PSY_I64] = FN##_i64, [PSY_U32] = FN##_u32, [PSY_U64] = FN##_u64},

const psy__kernels JOIN(psy__kernels_, PSY_KERNEL_SET) = {
#define STRING_(x) #x
#define STRING(x)  STRING_(x)
    .name = STRING(PSY_KERNEL_SET),
    .math = &JOIN(psy__math_, PSY_KERNEL_SET),
#define OP(NAME, code, text, class, ...) ROW_##class(NAME, code)
#define ROW_NOTHING(NAME, code)
#define ROW_VIEW    ROW_NOTHING
#define ROW_SIZE    ROW_NOTHING
#define ROW_LOOKUP  ROW_NOTHING
#define ROW_CAST    ROW_NOTHING
#define ROW_CHOOSE  ROW_NOTHING
#define ROW_SHAPE   ROW_NOTHING
#define ROW_INDEX   ROW_NOTHING
#define ROW_JOIN    ROW_NOTHING
#define ROW_GATHER  ROW_NOTHING
#define ROW_SCATTER ROW_NOTHING
#define ROW_SCAN    ROW_NOTHING
#define ROW_SORT    ROW_NOTHING
#define ROW_SELECT  ROW_NOTHING
#define ROW_STORE   ROW_NOTHING
#define ROW_REGION  ROW_NOTHING
#define ROW_MAP1    ROW_NOTHING
#define ROW_MAP2    ROW_NOTHING
#define ROW_MAP3    ROW_NOTHING
#define ROW_COMPARE ROW_NOTHING
#define ROW_REDUCE1 ROW_NOTHING
#define ROW_REDUCE2 ROW_NOTHING
#undef ROW_MAP1
#define ROW_MAP1(NAME, code) ALL(NAME, code)
    .map1 =
        {
#include "isa/ops.def"
        },
#undef ROW_MAP1
#define ROW_MAP1 ROW_NOTHING
#undef ROW_MAP2
#define ROW_MAP2(NAME, code) ALL(NAME, code)
    .map2 =
        {
#include "isa/ops.def"
        },
#undef ROW_MAP2
#define ROW_MAP2 ROW_NOTHING
#undef ROW_COMPARE
#define ROW_COMPARE(NAME, code) ALL(NAME, code)
    .compare =
        {
#include "isa/ops.def"
        },
#undef ROW_COMPARE
#define ROW_COMPARE ROW_NOTHING
#undef ROW_MAP3
#define ROW_MAP3(NAME, code) ALL(NAME, code)
    .map3 =
        {
#include "isa/ops.def"
        },
#undef ROW_MAP3
#define ROW_MAP3 ROW_NOTHING
#undef ROW_REDUCE1
#define ROW_REDUCE1(NAME, code) ALL(NAME, code)
#undef ROW_REDUCE2
#define ROW_REDUCE2(NAME, code) ALL(NAME, code)
    .reduce =
        {
#include "isa/ops.def"
        },
#undef ROW_REDUCE1
#define ROW_REDUCE1 ROW_NOTHING
#undef ROW_REDUCE2
#define ROW_REDUCE2 ROW_NOTHING
#undef ROW_REDUCE1
#define ROW_REDUCE1(NAME, code) ALL(ACC_##NAME, code)
    .accumulate =
        {
#include "isa/ops.def"
        },
#undef ROW_REDUCE1
#define ROW_REDUCE1 ROW_NOTHING
    .choose = {choose_8, choose_16, choose_32, choose_64},
    .above = {[PSY_F32] = above_f32,
              [PSY_F64] = above_f64,
              [PSY_I32] = above_i32,
              [PSY_I64] = above_i64,
              [PSY_U32] = above_u32,
              [PSY_U64] = above_u64},
    .dot = {[PSY_F32] = {VECTOR_BYTES / sizeof(float), pack_f32, many_f32, one_f32},
            [PSY_F64] = {VECTOR_BYTES / sizeof(double), pack_f64, many_f64, one_f64}},
};

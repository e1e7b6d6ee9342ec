/* SPDX-License-Identifier: Apache-2.0 */
/* Constant arithmetic: the C expressions of ops.def, so that folding and running give the same. */
#include <math.h>
#include <string.h>

#include "isa/scalar.h"
#include "unit.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wtype-limits"

/* Elementwise rows have an expression, the others none. */
#define FOLD_MAP1(...)                                                                                                         \
    *out = PSY_SCALAR(__VA_ARGS__);                                                                                            \
    return PSY_HAS_SCALAR(__VA_ARGS__);
#define FOLD_MAP2(...) FOLD_MAP1(__VA_ARGS__)
#define FOLD_MAP3(...) FOLD_MAP1(__VA_ARGS__)
/* The truth value as a T: the caller makes a bool of it. */
#define FOLD_COMPARE(...) FOLD_MAP1(__VA_ARGS__)
#define FOLD_NONE(...)    return false;
#define FOLD_VIEW         FOLD_NONE
#define FOLD_SIZE         FOLD_NONE
#define FOLD_LOOKUP       FOLD_NONE
#define FOLD_CAST         FOLD_NONE
#define FOLD_CHOOSE       FOLD_NONE
#define FOLD_SHAPE        FOLD_NONE
#define FOLD_INDEX        FOLD_NONE
#define FOLD_JOIN         FOLD_NONE
#define FOLD_GATHER       FOLD_NONE
#define FOLD_SCATTER      FOLD_NONE
#define FOLD_SCAN         FOLD_NONE
#define FOLD_SORT         FOLD_NONE
#define FOLD_REDUCE1      FOLD_NONE
#define FOLD_REDUCE2      FOLD_NONE
#define FOLD_SELECT       FOLD_NONE
#define FOLD_STORE        FOLD_NONE
#define FOLD_REGION       FOLD_NONE

/* Each type's function: the same switch with another T. */
static bool fold_f32(unsigned op, float a, float b, float c, float *out)
{
    typedef float T;
#define PSY_M(name) name##f
#define OP(NAME, code, text, class, signature, takes, c_float, c_int, ...)                                                     \
    case code: FOLD_##class(c_float)
    switch (op) {
#include "isa/ops.def"
    }
    return false;
}

static bool fold_f64(unsigned op, double a, double b, double c, double *out)
{
    typedef double T;
#undef PSY_M
#define PSY_M(name) name
    switch (op) {
#include "isa/ops.def"
    }
    return false;
}
#undef OP

#define OP(NAME, code, text, class, signature, takes, c_float, c_int, ...)                                                     \
    case code:                                                                                                                 \
        FOLD_##class(c_int)
#define PSY_NOT(a) ((T) ~(a))
static bool fold_i32(unsigned op, int32_t a, int32_t b, int32_t c, int32_t *out)
{
    typedef int32_t T;
    typedef uint32_t U;
    switch (op) {
#include "isa/ops.def"
    }
    return false;
}

static bool fold_i64(unsigned op, int64_t a, int64_t b, int64_t c, int64_t *out)
{
    typedef int64_t T;
    typedef uint64_t U;
    switch (op) {
#include "isa/ops.def"
    }
    return false;
}

static bool fold_u32(unsigned op, uint32_t a, uint32_t b, uint32_t c, uint32_t *out)
{
    typedef uint32_t T;
    typedef uint32_t U;
    switch (op) {
#include "isa/ops.def"
    }
    return false;
}

static bool fold_u64(unsigned op, uint64_t a, uint64_t b, uint64_t c, uint64_t *out)
{
    typedef uint64_t T;
    typedef uint64_t U;
    switch (op) {
#include "isa/ops.def"
    }
    return false;
}
#undef PSY_NOT
#define PSY_NOT(a) ((T)((a) ^ 1))
static bool fold_bool(unsigned op, uint8_t a, uint8_t b, uint8_t c, uint8_t *out)
{
    typedef uint8_t T;
    typedef uint8_t U;
    switch (op) {
#include "isa/ops.def"
    }
    return false;
}
#undef OP

#define FOLD(name, type)                                                                                                       \
    {                                                                                                                          \
        type x[3], y;                                                                                                          \
        for (unsigned i = 0; i < 3; i++) {                                                                                     \
            memcpy(&x[i], &in[i], sizeof x[i]);                                                                                \
        }                                                                                                                      \
        if (!fold_##name(op, x[0], x[1], x[2], &y)) {                                                                          \
            return false;                                                                                                      \
        }                                                                                                                      \
        *out = 0;                                                                                                              \
        if (compares) {                                                                                                        \
            *out = y != 0;                                                                                                     \
        } else {                                                                                                               \
            memcpy(out, &y, sizeof y);                                                                                         \
        }                                                                                                                      \
        return true;                                                                                                           \
    }

bool psc_fold_scalar(unsigned op, unsigned dtype, const uint64_t in[3], uint64_t *out)
{
    const psy_op_info *info = psy__op_info(op);
    bool compares = info && info->class_ == PSY_CLASS_COMPARE;
    if (!info) {
        return false;
    }
    if (info->class_ == PSY_CLASS_CHOOSE) {
        *out = in[0] & 1 ? in[1] : in[2];
        return true;
    }
    switch (dtype) {
    case PSY_BOOL: FOLD(bool, uint8_t)
    case PSY_F32: FOLD(f32, float)
    case PSY_F64: FOLD(f64, double)
    case PSY_I32: FOLD(i32, int32_t)
    case PSY_I64: FOLD(i64, int64_t)
    case PSY_U32: FOLD(u32, uint32_t)
    case PSY_U64: FOLD(u64, uint64_t)
    default: return false;
    }
}

uint64_t psc_fold_cast(unsigned from, unsigned to, uint64_t bits)
{
    uint64_t out = 0;
    psy__cast(from, &bits, to, &out, 1);
    return out;
}

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
#define FOLD_NONE(...) return false;
#define FOLD_VIEW      FOLD_NONE
#define FOLD_SIZE      FOLD_NONE
#define FOLD_LOOKUP    FOLD_NONE
#define FOLD_CAST      FOLD_NONE
#define FOLD_REDUCE1   FOLD_NONE
#define FOLD_REDUCE2   FOLD_NONE
#define FOLD_SELECT    FOLD_NONE
#define FOLD_STORE     FOLD_NONE
#define FOLD_REGION    FOLD_NONE

/* Each type's function: the same switch with another T. */
static bool fold_f32(unsigned op, float a, float b, float *out)
{
    typedef float T;
#define PSY_FABS  fabsf
#define PSY_SQRT  sqrtf
#define PSY_EXP   expf
#define PSY_LOG   logf
#define PSY_TANH  tanhf
#define PSY_FLOOR floorf
#define OP(NAME, code, text, class, signature, takes, c_float, c_int, ...)                                                     \
    case code: FOLD_##class(c_float)
    switch (op) {
#include "isa/ops.def"
    }
    return false;
#undef PSY_FABS
#undef PSY_SQRT
#undef PSY_EXP
#undef PSY_LOG
#undef PSY_TANH
#undef PSY_FLOOR
}

static bool fold_f64(unsigned op, double a, double b, double *out)
{
    typedef double T;
#define PSY_FABS  fabs
#define PSY_SQRT  sqrt
#define PSY_EXP   exp
#define PSY_LOG   log
#define PSY_TANH  tanh
#define PSY_FLOOR floor
    switch (op) {
#include "isa/ops.def"
    }
    return false;
}
#undef OP

#define OP(NAME, code, text, class, signature, takes, c_float, c_int, ...)                                                     \
    case code: FOLD_##class(c_int)
static bool fold_i32(unsigned op, int32_t a, int32_t b, int32_t *out)
{
    typedef int32_t T;
    typedef uint32_t U;
    switch (op) {
#include "isa/ops.def"
    }
    return false;
}

static bool fold_i64(unsigned op, int64_t a, int64_t b, int64_t *out)
{
    typedef int64_t T;
    typedef uint64_t U;
    switch (op) {
#include "isa/ops.def"
    }
    return false;
}

static bool fold_u32(unsigned op, uint32_t a, uint32_t b, uint32_t *out)
{
    typedef uint32_t T;
    typedef uint32_t U;
    switch (op) {
#include "isa/ops.def"
    }
    return false;
}

static bool fold_u64(unsigned op, uint64_t a, uint64_t b, uint64_t *out)
{
    typedef uint64_t T;
    typedef uint64_t U;
    switch (op) {
#include "isa/ops.def"
    }
    return false;
}
#undef OP

#define FOLD(name, type)                                                                                                       \
    {                                                                                                                          \
        type x, y, z;                                                                                                          \
        memcpy(&x, &a, sizeof x);                                                                                              \
        memcpy(&y, &b, sizeof y);                                                                                              \
        if (!fold_##name(op, x, y, &z)) {                                                                                      \
            return false;                                                                                                      \
        }                                                                                                                      \
        *out = 0;                                                                                                              \
        memcpy(out, &z, sizeof z);                                                                                             \
        return true;                                                                                                           \
    }

bool psc_fold_scalar(unsigned op, unsigned dtype, uint64_t a, uint64_t b, uint64_t *out)
{
    switch (dtype) {
    case PSY_F32: FOLD(f32, float)
    case PSY_F64: FOLD(f64, double)
    case PSY_I32: FOLD(i32, int32_t)
    case PSY_I64: FOLD(i64, int64_t)
    case PSY_U32: FOLD(u32, uint32_t)
    case PSY_U64: FOLD(u64, uint64_t)
    default: return false;
    }
}

bool psc_fold_cast(unsigned from, unsigned to, uint64_t bits, uint64_t *out)
{
    if (from == PSY_F16 || from == PSY_BF16 || to == PSY_F16 || to == PSY_BF16) {
        return false;
    }
    *out = 0;
    psy__cast(from, &bits, to, out, 1);
    return true;
}

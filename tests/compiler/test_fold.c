/* SPDX-License-Identifier: Apache-2.0 */
/* Constant folding computes what the table of operations says: integers wrap, division by zero is defined, floats are IEEE. */
#include <math.h>

#include "tests/compiler/compile.h"

static uint64_t fold(unsigned op, unsigned dtype, uint64_t a, uint64_t b)
{
    uint64_t out = 0;
    cr_assert(psc_fold_scalar(op, dtype, (const uint64_t[3]){a, b}, &out), "op %u of dtype %u is not folded", op, dtype);
    return out;
}

static uint64_t bits32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static uint64_t bits64(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float fold32(unsigned op, float a, float b)
{
    uint32_t bits = (uint32_t)fold(op, PSY_F32, bits32(a), bits32(b));
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double fold64(unsigned op, double a, double b)
{
    uint64_t bits = fold(op, PSY_F64, bits64(a), bits64(b));
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static int32_t fold_i32(unsigned op, int32_t a, int32_t b)
{
    return (int32_t)(uint32_t)fold(op, PSY_I32, (uint32_t)a, (uint32_t)b);
}
static int64_t fold_i64(unsigned op, int64_t a, int64_t b) { return (int64_t)fold(op, PSY_I64, (uint64_t)a, (uint64_t)b); }
static uint32_t fold_u32(unsigned op, uint32_t a, uint32_t b) { return (uint32_t)fold(op, PSY_U32, a, b); }
static uint64_t fold_u64(unsigned op, uint64_t a, uint64_t b) { return fold(op, PSY_U64, a, b); }

Test(fold, integers_wrap)
{
    cr_assert_eq(fold_i32(PSY_OP_ADD, INT32_MAX, 1), INT32_MIN);
    cr_assert_eq(fold_i32(PSY_OP_SUB, INT32_MIN, 1), INT32_MAX);
    cr_assert_eq(fold_i32(PSY_OP_MUL, 65536, 65536), 0);
    cr_assert_eq(fold_i32(PSY_OP_MUL, INT32_MIN, -1), INT32_MIN);
    cr_assert_eq(fold_i32(PSY_OP_NEG, INT32_MIN, 0), INT32_MIN);
    cr_assert_eq(fold_i32(PSY_OP_ABS, INT32_MIN, 0), INT32_MIN);
    cr_assert_eq(fold_i32(PSY_OP_ABS, -7, 0), 7);
    cr_assert_eq(fold_i64(PSY_OP_ADD, INT64_MAX, 1), INT64_MIN);
    cr_assert_eq(fold_i64(PSY_OP_MUL, INT64_MAX, 2), -2);
    cr_assert_eq(fold_i64(PSY_OP_NEG, INT64_MIN, 0), INT64_MIN);
    cr_assert_eq(fold_u32(PSY_OP_SUB, 1, 2), UINT32_MAX);
    cr_assert_eq(fold_u32(PSY_OP_MUL, UINT32_MAX, UINT32_MAX), 1);
    cr_assert_eq(fold_u64(PSY_OP_ADD, UINT64_MAX, 1), 0);
    /* What a 32-bit result leaves in the upper half is zero. */
    cr_assert_eq(fold(PSY_OP_SUB, PSY_I32, 0, 1), UINT32_MAX);
}

Test(fold, division)
{
    cr_assert_eq(fold_i32(PSY_OP_DIV, 7, 2), 3);
    cr_assert_eq(fold_i32(PSY_OP_DIV, -7, 2), -3);
    cr_assert_eq(fold_i32(PSY_OP_DIV, 7, -2), -3);
    cr_assert_eq(fold_i32(PSY_OP_DIV, 7, 0), 0);
    cr_assert_eq(fold_i32(PSY_OP_DIV, INT32_MIN, -1), INT32_MIN);
    cr_assert_eq(fold_i64(PSY_OP_DIV, INT64_MIN, -1), INT64_MIN);
    cr_assert_eq(fold_i64(PSY_OP_DIV, INT64_MIN, 0), 0);
    cr_assert_eq(fold_u32(PSY_OP_DIV, UINT32_MAX, UINT32_MAX), 1);
    cr_assert_eq(fold_u32(PSY_OP_DIV, 5, UINT32_MAX), 0);
    cr_assert_eq(fold_u64(PSY_OP_DIV, UINT64_MAX, 0), 0);
    cr_assert_eq(fold32(PSY_OP_DIV, 1, 0), INFINITY);
    cr_assert_eq(fold32(PSY_OP_DIV, -1, 0), -INFINITY);
    cr_assert(isnan(fold64(PSY_OP_DIV, 0, 0)));
    cr_assert_eq(fold64(PSY_OP_DIV, 1, 3), 1.0 / 3);
}

Test(fold, least_and_most)
{
    cr_assert_eq(fold_i32(PSY_OP_MIN, -1, 1), -1);
    cr_assert_eq(fold_u32(PSY_OP_MIN, UINT32_MAX, 1), 1);
    cr_assert_eq(fold_u64(PSY_OP_MAX, UINT64_MAX, 1), UINT64_MAX);
    /* The second one where one is NaN. */
    cr_assert_eq(fold32(PSY_OP_MIN, NAN, 2), 2);
    cr_assert(isnan(fold32(PSY_OP_MAX, 2, NAN)));
}

Test(fold, floats)
{
    cr_assert_eq(fold32(PSY_OP_ADD, 16777216, 1), 16777216);
    cr_assert_eq(fold64(PSY_OP_ADD, 16777216, 1), 16777217);
    cr_assert_eq(fold32(PSY_OP_MUL, 3e38f, 10), INFINITY);
    cr_assert_eq(fold64(PSY_OP_MUL, 3e38, 10), 3e39);
    cr_assert_eq(fold(PSY_OP_NEG, PSY_F32, bits32(0), 0), bits32(-0.0f));
    cr_assert_eq(fold32(PSY_OP_ABS, -2.5f, 0), 2.5f);
    cr_assert_eq(fold32(PSY_OP_SQRT, 2, 0), sqrtf(2));
    cr_assert(isnan(fold64(PSY_OP_SQRT, -1, 0)));
    cr_assert_eq(fold64(PSY_OP_FLOOR, -2.5, 0), -3);
    cr_assert_lt(fabs(fold64(PSY_OP_EXP, 1, 0) - 2.718281828459045), 1e-15);
    cr_assert_eq(fold64(PSY_OP_LOG, 0, 0), -INFINITY);
    cr_assert_lt(fabsf(fold32(PSY_OP_TANH, 0.5f, 0) - 0.46211716f), 1e-6f);
    cr_assert_lt(fabsf(fold32(PSY_OP_RSQRT, 4, 0) - 0.5f), 1e-6f);
}

static uint64_t fold3(unsigned op, unsigned dtype, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t out = 0;
    cr_assert(psc_fold_scalar(op, dtype, (const uint64_t[3]){a, b, c}, &out), "op %u of dtype %u is not folded", op, dtype);
    return out;
}

Test(fold, bits_and_shifts)
{
    cr_assert_eq(fold_i32(PSY_OP_NOT, 5, 0), -6);
    cr_assert_eq(fold_u64(PSY_OP_NOT, 5, 0), ~UINT64_C(5));
    cr_assert_eq(fold_i32(PSY_OP_POPCOUNT, -1, 0), 32);
    cr_assert_eq(fold_u64(PSY_OP_POPCOUNT, UINT64_MAX, 0), 64);
    cr_assert_eq(fold_i32(PSY_OP_SHR, -8, 1), -4);
    cr_assert_eq(fold_u32(PSY_OP_SHR, UINT32_C(0x80000000), 31), 1);
    cr_assert_eq(fold_u32(PSY_OP_SHL, 1, 33), 2);
    cr_assert_eq(fold_i64(PSY_OP_SHL, 1, -1), INT64_MIN);
    cr_assert_eq(fold_u32(PSY_OP_XOR, 6, 3), 5);
    cr_assert_eq(fold_i32(PSY_OP_MOD, -7, 3), -1);
    cr_assert_eq(fold_i32(PSY_OP_MOD, -7, 0), -7);
    cr_assert_eq(fold_i32(PSY_OP_MOD, INT32_MIN, -1), 0);
    cr_assert_eq(fold_i64(PSY_OP_SIGN, INT64_MIN, 0), -1);
    cr_assert_eq(fold_u32(PSY_OP_PHILOX, 0, 0), 0xff1dae59);
    /* Of a bool only the lowest bit. */
    cr_assert_eq(fold(PSY_OP_NOT, PSY_BOOL, 1, 0), 0);
    cr_assert_eq(fold(PSY_OP_NOT, PSY_BOOL, 0, 0), 1);
    cr_assert_eq(fold(PSY_OP_AND, PSY_BOOL, 1, 1), 1);
    cr_assert_eq(fold(PSY_OP_OR, PSY_BOOL, 0, 1), 1);
}

Test(fold, comparisons_and_choice)
{
    cr_assert_eq(fold(PSY_OP_LT, PSY_F32, bits32(1), bits32(2)), 1);
    cr_assert_eq(fold(PSY_OP_LT, PSY_F64, bits64(NAN), bits64(2)), 0);
    cr_assert_eq(fold(PSY_OP_NE, PSY_F32, bits32(NAN), bits32(NAN)), 1);
    cr_assert_eq(fold(PSY_OP_EQ, PSY_F64, bits64(0), bits64(-0.0)), 1);
    cr_assert_eq(fold(PSY_OP_LE, PSY_I32, UINT32_MAX, 0), 1);
    cr_assert_eq(fold(PSY_OP_LE, PSY_U32, UINT32_MAX, 0), 0);
    cr_assert_eq(fold(PSY_OP_LT, PSY_I64, UINT64_C(1) << 63, 0), 1);
    cr_assert_eq(fold(PSY_OP_EQ, PSY_U64, UINT64_C(1) << 32, 0), 0);
    cr_assert_eq(fold(PSY_OP_EQ, PSY_BOOL, 1, 1), 1);
    cr_assert_eq(fold3(PSY_OP_CHOOSE, PSY_F16, 1, 0x3c00, 0x4000), 0x3c00);
    cr_assert_eq(fold3(PSY_OP_CHOOSE, PSY_U64, 2, 5, 7), 7); /* the lowest bit of 2 is 0 */
    cr_assert_eq(fold3(PSY_OP_FMA, PSY_F64, bits64(1 + 0x1p-30), bits64(1 + 0x1p-30), bits64(-1 - 0x1p-29)), bits64(0x1p-60));
}

Test(fold, what_is_not_folded)
{
    static const uint64_t in[3] = {1, 1, 1};
    uint64_t out;
    cr_assert_not(psc_fold_scalar(PSY_OP_SQRT, PSY_I32, in, &out));
    cr_assert_not(psc_fold_scalar(PSY_OP_ADD, PSY_U8, in, &out));
    cr_assert_not(psc_fold_scalar(PSY_OP_ADD, PSY_F16, in, &out));
    cr_assert_not(psc_fold_scalar(PSY_OP_ADD, PSY_BOOL, in, &out));
    cr_assert_not(psc_fold_scalar(PSY_OP_AND, PSY_F32, in, &out));
    cr_assert_not(psc_fold_scalar(PSY_OP_ADD, 99, in, &out));
    for (unsigned i = 0; i < psy__op_count(); i++) {
        const psy_op_info *info = psy__op_row(i);
        for (unsigned dtype = 1; dtype < 14; dtype++) {
            bool folds = psy__class_is_map(info->class_) && info->op != PSY_OP_CAST && psy__op_takes(info, dtype);
            cr_assert_eq(psc_fold_scalar(info->op, dtype, in, &out), folds, "%s of %u", info->name, dtype);
        }
    }
    cr_assert_not(psc_fold_scalar(250, PSY_F32, in, &out));
}

static uint64_t cast(unsigned from, unsigned to, uint64_t bits) { return psc_fold_cast(from, to, bits); }

Test(fold, casts)
{
    /* Float to integer truncates and saturates, NaN gives 0. */
    cr_assert_eq(cast(PSY_F32, PSY_I32, bits32(-2.9f)), (uint32_t)-2);
    cr_assert_eq(cast(PSY_F32, PSY_I32, bits32(3e9f)), INT32_MAX);
    cr_assert_eq(cast(PSY_F64, PSY_I64, bits64(-1e30)), (uint64_t)INT64_MIN);
    cr_assert_eq(cast(PSY_F32, PSY_U8, bits32(300)), 255);
    cr_assert_eq(cast(PSY_F32, PSY_U64, bits32(-5)), 0);
    cr_assert_eq(cast(PSY_F64, PSY_I8, bits64(NAN)), 0);
    /* Integer to integer wraps. */
    cr_assert_eq(cast(PSY_I32, PSY_U8, (uint32_t)-1), 255);
    cr_assert_eq(cast(PSY_I8, PSY_I64, 0x80), (uint64_t)-128);
    cr_assert_eq(cast(PSY_U64, PSY_I16, 0x18000), 0x8000);
    /* To a float rounds to nearest even; to bool is whether it is not 0. */
    cr_assert_eq(cast(PSY_U32, PSY_F32, 16777217), bits32(16777216));
    cr_assert_eq(cast(PSY_U64, PSY_F64, UINT64_MAX), bits64(18446744073709551616.0));
    cr_assert_eq(cast(PSY_I64, PSY_F32, (uint64_t)-3), bits32(-3));
    cr_assert_eq(cast(PSY_F32, PSY_BOOL, bits32(0.25f)), 1);
    cr_assert_eq(cast(PSY_F32, PSY_BOOL, bits32(-0.0f)), 0);
    cr_assert_eq(cast(PSY_BOOL, PSY_F32, 1), bits32(1));
    /* Halves are rounded once. */
    cr_assert_eq(cast(PSY_F16, PSY_F32, 0x3555), bits32(0x1.554p-2f));
    cr_assert_eq(cast(PSY_F64, PSY_F16, bits64(0x1.0020000000001p0)), 0x3c01);
    cr_assert_eq(cast(PSY_F32, PSY_F16, bits32(65520)), 0x7c00);
    cr_assert_eq(cast(PSY_U64, PSY_BF16, UINT64_MAX), 0x5f80);
    cr_assert_eq(cast(PSY_F32, PSY_BF16, bits32(1)), 0x3f80);
    cr_assert_eq(cast(PSY_BF16, PSY_I32, 0xc2f7), (uint32_t)-123);
    cr_assert_eq(cast(PSY_F64, PSY_F32, bits64(0.1)), bits32(0.1f));
    /* What is only stored. */
    cr_assert_eq(cast(PSY_F16, PSY_F32, 0x3e00), bits32(1.5f));
    cr_assert_eq(cast(PSY_F32, PSY_BF16, bits32(-2)), 0xc000);
}

/* The pass: what is left of a program of constants. */
Test(fold, the_pass_leaves_one_constant)
{
    compiled *c =
        compile("message A { x: f32; } message B { y: f32; }",
                "const HALF = 1 / 2.0\npipeline p(q: A) -> B { B { y: sqrt(f32(16)) * 2 + f32(i32(7) / 2) - HALF } }", true);
    cr_assert(c->ok, "%s", c->said);
    const psy_psm_program *p = &c->module.programs[0];
    psy__instruction at;
    psy__instruction_at(&c->module, p, 0, &at);
    cr_assert_eq(at.op, PSY_OP_CONST);
    float value;
    memcpy(&value, c->module.consts + at.operands[0], sizeof value);
    cr_assert_eq(value, 10.5f);
    psy__instruction_at(&c->module, p, at.next, &at);
    cr_assert_eq(at.op, PSY_OP_STORE);
    cr_assert_eq(at.next, p->word_count);
    compile_end(c);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on values, from the SPIR-V columns of ops.def. Whole numbers are unsigned 32-bit words; the columns say which
 * operations take them as signed. */
#include <math.h>
#include <spirv/unified1/GLSL.std.450.h>
#include <spirv/unified1/spirv.h>
#include <string.h>

#include "codegen/spirv_emit.h"
#include "isa/scalar.h"

#pragma GCC diagnostic ignored "-Wpedantic" /* ops.def has empty columns */

/* How a column's entry is written. */
enum form { NONE, PLAIN, EXTENDED, EXTENDED_NAN, COMPARE, DIVIDE, SHIFTED };

typedef struct entry {
    enum form form;
    unsigned op;
} entry;

#define OPC(op)    PLAIN, Spv##op
#define EXT(op)    EXTENDED, GLSLstd450##op
#define EXT32(op)  EXTENDED, GLSLstd450##op
#define EXTNAN(op) EXTENDED_NAN, GLSLstd450##op
#define CMP(op)    COMPARE, Spv##op
#define DIVZ(op)   DIVIDE, Spv##op
#define SHIFT(op)  SHIFTED, Spv##op

static entry entry_of(unsigned op, psy_dtype_class class_)
{
    switch (op) {
#define OP(NAME, code, text, class, signature, takes, cf, ci, spirv_float, spirv_sint, spirv_uint, ...)                        \
    case code: {                                                                                                               \
        const entry as_float = {spirv_float}, as_sint = {spirv_sint}, as_uint = {spirv_uint};                                  \
        return class_ == PSY_DCLASS_FLOAT ? as_float : class_ == PSY_DCLASS_SINT ? as_sint : as_uint;                          \
    }
#include "isa/ops.def"
#undef OP
    default: return (entry){NONE, 0};
    }
}

static uint32_t type_of(psy__emitter *k, unsigned dtype) { return dtype == PSY_F32 ? k->f32 : k->u32; }

/* Float results may not be contracted, so that engines agree; DOT's may. */
static uint32_t exact(psy__emitter *k, unsigned op, uint32_t value)
{
    if (op == SpvOpFAdd || op == SpvOpFSub || op == SpvOpFMul || op == SpvOpFDiv || op == SpvOpFNegate) {
        psy__spirv_emit(&k->s, PSY_SPIRV_DECORATIONS, SpvOpDecorate, value, SpvDecorationNoContraction);
    }
    return value;
}

static uint32_t divide(psy__emitter *k, unsigned op, uint32_t a, uint32_t b)
{
    uint32_t zero = psy__const_u32(k, 0), one = psy__const_u32(k, 1);
    uint32_t by_zero = psy__op2(k, SpvOpIEqual, k->boolean, b, zero);
    uint32_t safe = psy__select(k, k->u32, by_zero, one, b), minus = 0;
    if (op == SpvOpSDiv) {
        minus = psy__op2(k, SpvOpIEqual, k->boolean, b, psy__const_u32(k, UINT32_MAX));
        safe = psy__select(k, k->u32, minus, one, safe);
    }
    uint32_t q = psy__op2(k, op, k->u32, a, safe);
    if (minus) {
        q = psy__select(k, k->u32, minus, psy__op2(k, SpvOpISub, k->u32, zero, a), q);
    }
    return psy__select(k, k->u32, by_zero, zero, q);
}

/* ---- casts ---- */

static uint32_t float_to_int(psy__emitter *k, unsigned to, uint32_t x)
{
    unsigned bits = psy__dtype_bytes(to) * 8;
    bool sint = psy__dtype_class(to) == PSY_DCLASS_SINT;
    float high = sint ? ldexpf(1, (int)bits - 1) : ldexpf(1, (int)bits), low = sint ? -high : 0;
    uint32_t most = sint ? (UINT32_C(1) << (bits - 1)) - 1 : UINT32_MAX >> (32 - bits),
             least = sint ? (uint32_t) - (INT64_C(1) << (bits - 1)) : 0;
    uint32_t above = psy__op2(k, SpvOpFOrdGreaterThanEqual, k->boolean, x, psy__const_f32(k, high));
    uint32_t below = psy__op2(k, SpvOpFOrdLessThan, k->boolean, x, psy__const_f32(k, low));
    uint32_t nan = psy__op2(k, SpvOpFUnordNotEqual, k->boolean, x, x);
    uint32_t odd = psy__op2(k, SpvOpLogicalOr, k->boolean, psy__op2(k, SpvOpLogicalOr, k->boolean, above, below), nan);
    uint32_t inside = psy__select(k, k->f32, odd, psy__const_f32(k, 0), x);
    uint32_t value = psy__spirv_make(&k->s, sint ? SpvOpConvertFToS : SpvOpConvertFToU, k->u32, inside);
    value = psy__select(k, k->u32, above, psy__const_u32(k, most), value);
    return psy__select(k, k->u32, below, psy__const_u32(k, least), value);
}

/* The bits of an f16 or bf16, in a word, as f32: every one of them is an f32. */
static uint32_t from_half(psy__emitter *k, unsigned from, uint32_t x)
{
    uint32_t bits = psy__op2(k, SpvOpShiftLeftLogical, k->u32, x, psy__const_u32(k, 16));
    if (from == PSY_F16) {
        uint32_t sign = psy__op2(k, SpvOpBitwiseAnd, k->u32, bits, psy__const_u32(k, UINT32_C(0x80000000)));
        uint32_t magnitude = psy__op2(k, SpvOpBitwiseAnd, k->u32, x, psy__const_u32(k, 0x7fff));
        uint32_t moved = psy__op2(k, SpvOpShiftLeftLogical, k->u32, magnitude, psy__const_u32(k, 13));
        uint32_t normal = psy__op2(k, SpvOpIAdd, k->u32, moved, psy__const_u32(k, 112u << 23));
        uint32_t special = psy__op2(k, SpvOpBitwiseOr, k->u32, moved, psy__const_u32(k, UINT32_C(0x7f800000)));
        uint32_t small = psy__spirv_make(&k->s, SpvOpConvertUToF, k->f32, magnitude);
        small =
            psy__spirv_make(&k->s, SpvOpBitcast, k->u32, psy__op2(k, SpvOpFMul, k->f32, small, psy__const_f32(k, 0x1p-24f)));
        uint32_t is_small = psy__op2(k, SpvOpULessThan, k->boolean, magnitude, psy__const_u32(k, 0x400));
        uint32_t is_special = psy__op2(k, SpvOpUGreaterThanEqual, k->boolean, magnitude, psy__const_u32(k, 0x7c00));
        bits = psy__select(k, k->u32, is_small, small, psy__select(k, k->u32, is_special, special, normal));
        bits = psy__op2(k, SpvOpBitwiseOr, k->u32, bits, sign);
    }
    return psy__spirv_make(&k->s, SpvOpBitcast, k->f32, bits);
}

/* bits >> drop, rounded to nearest, halves to even; drop is 1 .. 31. */
static uint32_t rounded(psy__emitter *k, uint32_t bits, uint32_t drop)
{
    uint32_t one = psy__const_u32(k, 1);
    uint32_t kept = psy__op2(k, SpvOpShiftRightLogical, k->u32, bits, drop);
    uint32_t half = psy__op2(k, SpvOpShiftLeftLogical, k->u32, one, psy__op2(k, SpvOpISub, k->u32, drop, one));
    uint32_t low = psy__op2(k, SpvOpISub, k->u32, bits, psy__op2(k, SpvOpShiftLeftLogical, k->u32, kept, drop));
    uint32_t above = psy__op2(k, SpvOpUGreaterThan, k->boolean, low, half),
             tie = psy__op2(k, SpvOpIEqual, k->boolean, low, half);
    uint32_t odd =
        psy__op2(k, SpvOpINotEqual, k->boolean, psy__op2(k, SpvOpBitwiseAnd, k->u32, kept, one), psy__const_u32(k, 0));
    uint32_t up = psy__op2(k, SpvOpLogicalOr, k->boolean, above, psy__op2(k, SpvOpLogicalAnd, k->boolean, tie, odd));
    return psy__op2(k, SpvOpIAdd, k->u32, kept, psy__select(k, k->u32, up, one, psy__const_u32(k, 0)));
}

/* Rounded in whole numbers, so that every device does the same. */
static uint32_t to_half(psy__emitter *k, unsigned to, uint32_t x)
{
    uint32_t bits = psy__spirv_make(&k->s, SpvOpBitcast, k->u32, x);
    uint32_t magnitude = psy__op2(k, SpvOpBitwiseAnd, k->u32, bits, psy__const_u32(k, UINT32_C(0x7fffffff)));
    uint32_t sign =
        psy__op2(k, SpvOpShiftRightLogical, k->u32, psy__op2(k, SpvOpISub, k->u32, bits, magnitude), psy__const_u32(k, 16));
    uint32_t is_nan = psy__op2(k, SpvOpUGreaterThan, k->boolean, magnitude, psy__const_u32(k, UINT32_C(0x7f800000))), half, nan;
    if (to == PSY_BF16) {
        half = rounded(k, magnitude, psy__const_u32(k, 16));
        nan = psy__op2(k, SpvOpBitwiseOr, k->u32, psy__op2(k, SpvOpShiftRightLogical, k->u32, magnitude, psy__const_u32(k, 16)),
                       psy__const_u32(k, 0x40));
    } else {
        uint32_t top = psy__const_u32(k, (127 + 16) << 23), least = psy__const_u32(k, (127 - 14) << 23);
        uint32_t normal =
            rounded(k, psy__op2(k, SpvOpISub, k->u32, magnitude, psy__const_u32(k, 112u << 23)), psy__const_u32(k, 13));
        uint32_t exponent = psy__op2(k, SpvOpShiftRightLogical, k->u32, magnitude, psy__const_u32(k, 23));
        uint32_t fraction =
            psy__op2(k, SpvOpBitwiseOr, k->u32, psy__op2(k, SpvOpBitwiseAnd, k->u32, magnitude, psy__const_u32(k, 0x7fffff)),
                     psy__const_u32(k, 0x800000));
        /* 126 - exponent, 14 to 24 where it matters; at most 25 gives zero */
        uint32_t drop =
            psy__spirv_make(&k->s, SpvOpExtInst, k->u32, k->s.glsl, GLSLstd450UMin,
                            psy__op2(k, SpvOpISub, k->u32, psy__const_u32(k, 126), exponent), psy__const_u32(k, 25));
        uint32_t is_small = psy__op2(k, SpvOpULessThan, k->boolean, magnitude, least);
        uint32_t safe = psy__select(k, k->u32, is_small, drop, psy__const_u32(k, 13));
        half = psy__select(k, k->u32, is_small, rounded(k, fraction, safe), normal);
        half = psy__select(k, k->u32, psy__op2(k, SpvOpUGreaterThanEqual, k->boolean, magnitude, top),
                           psy__const_u32(k, 0x7c00), half);
        nan = psy__op2(k, SpvOpBitwiseAnd, k->u32,
                       psy__op2(k, SpvOpShiftRightLogical, k->u32, magnitude, psy__const_u32(k, 13)), psy__const_u32(k, 0x3ff));
        nan = psy__op2(k, SpvOpBitwiseOr, k->u32, nan, psy__const_u32(k, 0x7e00));
    }
    return psy__op2(k, SpvOpBitwiseOr, k->u32, sign, psy__select(k, k->u32, is_nan, nan, half));
}

/* An integer as f32, but what is lost leaves its mark in the last bit, so that the next rounding is right. */
static uint32_t sticky(psy__emitter *k, bool sint, uint32_t x)
{
    uint32_t zero = psy__const_u32(k, 0),
             magnitude = sint ? psy__spirv_make(&k->s, SpvOpExtInst, k->u32, k->s.glsl, GLSLstd450SAbs, x) : x;
    uint32_t low = psy__op2(k, SpvOpBitwiseAnd, k->u32, magnitude, psy__const_u32(k, 0xff));
    uint32_t mark = psy__select(k, k->u32, psy__op2(k, SpvOpINotEqual, k->boolean, low, zero), psy__const_u32(k, 0x100), zero);
    uint32_t marked = psy__op2(k, SpvOpBitwiseOr, k->u32, psy__op2(k, SpvOpISub, k->u32, magnitude, low), mark);
    uint32_t large = psy__op2(k, SpvOpUGreaterThanEqual, k->boolean, magnitude, psy__const_u32(k, 1u << 24));
    uint32_t value = psy__spirv_make(&k->s, SpvOpConvertUToF, k->f32, psy__select(k, k->u32, large, marked, magnitude));
    if (!sint) {
        return value;
    }
    uint32_t minus = psy__spirv_make(&k->s, SpvOpFNegate, k->f32, value);
    return psy__select(k, k->f32, psy__op2(k, SpvOpSLessThan, k->boolean, x, zero), minus, value);
}

uint32_t psy__cast_id(psy__emitter *k, unsigned from, unsigned to, uint32_t x)
{
    psy_dtype_class a = psy__dtype_class(from), b = psy__dtype_class(to);
    uint32_t zero = psy__const_u32(k, 0), one = psy__const_u32(k, 1);
    if (psy__dtype_bytes(from) > 4 || psy__dtype_bytes(to) > 4) {
        psy__emitter_refuse(k, "casts from %s to %s", psy__dtype_name(from), psy__dtype_name(to));
        return x;
    }
    if (from == to && from != PSY_BOOL) {
        return x;
    }
    if (a == PSY_DCLASS_FLOAT && from != PSY_F32) {
        x = from_half(k, from, x);
    }
    if (b == PSY_DCLASS_BOOL) {
        uint32_t set = a == PSY_DCLASS_FLOAT ? psy__op2(k, SpvOpFUnordNotEqual, k->boolean, x, psy__const_f32(k, 0))
                                             : psy__op2(k, SpvOpINotEqual, k->boolean, x, zero);
        return psy__select(k, k->u32, set, one, zero);
    }
    if (b == PSY_DCLASS_FLOAT && to != PSY_F32) {
        return to_half(k, to, a == PSY_DCLASS_FLOAT ? x : sticky(k, a == PSY_DCLASS_SINT, x));
    }
    if (b == PSY_DCLASS_FLOAT && a == PSY_DCLASS_FLOAT) {
        return x;
    }
    if (b == PSY_DCLASS_FLOAT) {
        return psy__spirv_make(&k->s, a == PSY_DCLASS_SINT ? SpvOpConvertSToF : SpvOpConvertUToF, k->f32, x);
    }
    if (a == PSY_DCLASS_FLOAT) {
        return float_to_int(k, to, x);
    }
    uint32_t spare = psy__const_u32(k, 32 - 8 * psy__dtype_bytes(to));
    x = psy__op2(k, SpvOpShiftLeftLogical, k->u32, x, spare);
    return psy__op2(k, b == PSY_DCLASS_SINT ? SpvOpShiftRightArithmetic : SpvOpShiftRightLogical, k->u32, x, spare);
}

/* ---- operations ---- */

static uint32_t word_of(psy__emitter *k, uint32_t condition)
{
    return psy__select(k, k->u32, condition, psy__const_u32(k, 1), psy__const_u32(k, 0));
}

/* Operations on truth values: bit by bit is right for all but NOT. */
static uint32_t logic(psy__emitter *k, const psy_op_info *info, entry e, uint32_t a, uint32_t b)
{
    if (info->op == PSY_OP_NOT) {
        return psy__op2(k, SpvOpBitwiseXor, k->u32, a, psy__const_u32(k, 1));
    }
    return info->class_ == PSY_CLASS_COMPARE ? word_of(k, psy__op2(k, e.op, k->boolean, a, b))
                                             : psy__op2(k, e.op, k->u32, a, b);
}

uint32_t psy__expression(psy__emitter *k, psy_op op, unsigned dtype, const uint32_t operands[3])
{
    const psy_op_info *info = psy__op_info(op);
    uint32_t a = operands[0], b = operands[1];
    entry e = entry_of(op, psy__dtype_class(dtype));
    uint32_t type = type_of(k, dtype);
    if (info->class_ == PSY_CLASS_CHOOSE && psy__dtype_bytes(dtype) <= 4) {
        return psy__select(k, type, psy__op2(k, SpvOpINotEqual, k->boolean, a, psy__const_u32(k, 0)), b, operands[2]);
    }
    if (dtype == PSY_BOOL && e.form == PLAIN) {
        return logic(k, info, e, a, b);
    }
    if (psy__dtype_bytes(dtype) != 4) {
        psy__emitter_refuse(k, "%s of %s", info->name, psy__dtype_name(dtype));
        return a;
    }
    switch (e.form) {
    case PLAIN: {
        if (info->class_ == PSY_CLASS_COMPARE) {
            return word_of(k, psy__op2(k, e.op, k->boolean, a, b));
        }
        uint32_t value = info->class_ == PSY_CLASS_MAP1 ? psy__spirv_make(&k->s, e.op, type, a) : psy__op2(k, e.op, type, a, b);
        return op == PSY_OP_DOT ? value : exact(k, e.op, value);
    }
    case EXTENDED:
        return info->class_ == PSY_CLASS_MAP3 ? psy__spirv_make(&k->s, SpvOpExtInst, type, k->s.glsl, e.op, a, b, operands[2])
                                              : psy__spirv_make(&k->s, SpvOpExtInst, type, k->s.glsl, e.op, a);
    case EXTENDED_NAN: {
        uint32_t value = psy__spirv_make(&k->s, SpvOpExtInst, type, k->s.glsl, e.op, a);
        return psy__select(k, type, psy__op2(k, SpvOpFUnordNotEqual, k->boolean, a, a), a, value);
    }
    case COMPARE: return psy__select(k, type, psy__op2(k, e.op, k->boolean, a, b), a, b);
    case DIVIDE: return divide(k, e.op, a, b);
    case SHIFTED: return psy__op2(k, e.op, type, a, psy__op2(k, SpvOpBitwiseAnd, k->u32, b, psy__const_u32(k, 31)));
    case NONE: break;
    }
    psy__emitter_refuse(k, "%s of %s", info->name, psy__dtype_name(dtype));
    return a;
}

uint32_t psy__key_id(psy__emitter *k, unsigned dtype, uint32_t bits)
{
    uint32_t sign = psy__const_u32(k, UINT32_C(0x80000000)), zero = psy__const_u32(k, 0);
    if (psy__dtype_class(dtype) == PSY_DCLASS_UINT) {
        return bits;
    }
    if (psy__dtype_class(dtype) == PSY_DCLASS_SINT) {
        return psy__op2(k, SpvOpBitwiseXor, k->u32, bits, sign);
    }
    /* In whole numbers, so that denormals and NaN keep their place on every device. */
    uint32_t magnitude = psy__op2(k, SpvOpBitwiseAnd, k->u32, bits, psy__const_u32(k, UINT32_C(0x7fffffff)));
    uint32_t is_nan = psy__op2(k, SpvOpUGreaterThan, k->boolean, magnitude, psy__const_u32(k, UINT32_C(0x7f800000)));
    uint32_t is_negative = psy__op2(k, SpvOpLogicalAnd, k->boolean, psy__op2(k, SpvOpUGreaterThanEqual, k->boolean, bits, sign),
                                    psy__op2(k, SpvOpINotEqual, k->boolean, magnitude, zero));
    uint32_t key = psy__select(k, k->u32, is_negative, psy__spirv_make(&k->s, SpvOpNot, k->u32, bits),
                               psy__op2(k, SpvOpBitwiseOr, k->u32, magnitude, sign));
    return psy__select(k, k->u32, is_nan, zero, key);
}

uint32_t psy__identity_id(psy__emitter *k, psy_op op, unsigned dtype)
{
    uint64_t bits = 0;
    psy__identity(op, dtype, &bits);
    return psy__const_bits(k, dtype, bits);
}

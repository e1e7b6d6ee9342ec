/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on values, from the SPIR-V columns of ops.def. Whole numbers are unsigned 32-bit words; the columns say which
 * operations take them as signed. */
#include <math.h>
#include <spirv/unified1/GLSL.std.450.h>
#include <spirv/unified1/spirv.h>

#include "codegen/maker.h"

#pragma GCC diagnostic ignored "-Wpedantic" /* ops.def has empty columns */

/* How a column's entry is written. */
enum form { NONE, PLAIN, EXTENDED, COMPARE, DIVIDE };

typedef struct entry {
    enum form form;
    unsigned op;
} entry;

#define OPC(op) PLAIN, Spv##op
#define EXT(op) EXTENDED, GLSLstd450##op
#define EXT32(op) EXTENDED, GLSLstd450##op
#define CMP(op) COMPARE, Spv##op
#define DIVZ(op) DIVIDE, Spv##op

static entry entry_of(unsigned op, psy_dtype_class class_)
{
    switch (op) {
#define OP(NAME, code, text, class, signature, takes, cf, ci, spirv_float, spirv_sint, spirv_uint, ...)           \
    case code: {                                                                                                  \
        const entry as_float = {spirv_float}, as_sint = {spirv_sint}, as_uint = {spirv_uint};                     \
        return class_ == PSY_DCLASS_FLOAT ? as_float : class_ == PSY_DCLASS_SINT ? as_sint : as_uint;             \
    }
#include "isa/ops.def"
#undef OP
    default: return (entry){NONE, 0};
    }
}

static uint32_t type_of(psy__maker *k, unsigned dtype) { return dtype == PSY_F32 ? k->f32 : k->u32; }

/* Float results may not be contracted, so that engines agree; DOT's may. */
static uint32_t exact(psy__maker *k, unsigned op, uint32_t value)
{
    if (op == SpvOpFAdd || op == SpvOpFSub || op == SpvOpFMul || op == SpvOpFDiv || op == SpvOpFNegate) {
        psy__spirv_emit(&k->s, PSY_SPIRV_DECORATIONS, SpvOpDecorate, value, SpvDecorationNoContraction);
    }
    return value;
}

static uint32_t divide(psy__maker *k, unsigned op, uint32_t a, uint32_t b)
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

static uint32_t float_to_int(psy__maker *k, unsigned to, uint32_t x)
{
    unsigned bits = psy__dtype_bytes(to) * 8;
    bool sint = psy__dtype_class(to) == PSY_DCLASS_SINT;
    float high = sint ? ldexpf(1, (int)bits - 1) : ldexpf(1, (int)bits), low = sint ? -high : 0;
    uint32_t most = sint ? (UINT32_C(1) << (bits - 1)) - 1 : UINT32_MAX >> (32 - bits), least = sint ? (uint32_t)-(INT64_C(1) << (bits - 1)) : 0;
    uint32_t above = psy__op2(k, SpvOpFOrdGreaterThanEqual, k->boolean, x, psy__const_f32(k, high));
    uint32_t below = psy__op2(k, SpvOpFOrdLessThan, k->boolean, x, psy__const_f32(k, low));
    uint32_t nan = psy__op2(k, SpvOpFUnordNotEqual, k->boolean, x, x);
    uint32_t odd = psy__op2(k, SpvOpLogicalOr, k->boolean, psy__op2(k, SpvOpLogicalOr, k->boolean, above, below), nan);
    uint32_t inside = psy__select(k, k->f32, odd, psy__const_f32(k, 0), x);
    uint32_t value = psy__spirv_make(&k->s, sint ? SpvOpConvertFToS : SpvOpConvertFToU, k->u32, inside);
    value = psy__select(k, k->u32, above, psy__const_u32(k, most), value);
    return psy__select(k, k->u32, below, psy__const_u32(k, least), value);
}

static uint32_t cast(psy__maker *k, unsigned from, unsigned to, uint32_t x)
{
    psy_dtype_class a = psy__dtype_class(from), b = psy__dtype_class(to);
    uint32_t zero = psy__const_u32(k, 0), one = psy__const_u32(k, 1);
    if (psy__dtype_bytes(from) > 4 || psy__dtype_bytes(to) > 4) {
        psy__maker_refuse(k, "casts from %s to %s", psy__dtype_name(from), psy__dtype_name(to));
        return x;
    }
    if (from == to && from != PSY_BOOL) {
        return x;
    }
    if (a == PSY_DCLASS_BOOL) { /* whatever byte a message has */
        x = psy__select(k, k->u32, psy__op2(k, SpvOpINotEqual, k->boolean, x, zero), one, zero);
    }
    if (b == PSY_DCLASS_BOOL) {
        uint32_t set = a == PSY_DCLASS_FLOAT ? psy__op2(k, SpvOpFUnordNotEqual, k->boolean, x, psy__const_f32(k, 0))
                                             : psy__op2(k, SpvOpINotEqual, k->boolean, x, zero);
        return psy__select(k, k->u32, set, one, zero);
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

uint32_t psy__expression(psy__maker *k, const psy__instruction *at, uint32_t a, uint32_t b)
{
    if (at->op == PSY_OP_CAST) {
        return cast(k, k->registers[at->operands[0]].dtype, at->dtype, a);
    }
    entry e = entry_of(at->op, psy__dtype_class(at->dtype));
    uint32_t type = type_of(k, at->dtype);
    bool one = at->info->class_ == PSY_CLASS_MAP1;
    if (psy__dtype_bytes(at->dtype) != 4) {
        psy__maker_refuse(k, "%s of %s", at->info->name, psy__dtype_name(at->dtype));
        return a;
    }
    switch (e.form) {
    case PLAIN: {
        uint32_t value = one ? psy__spirv_make(&k->s, e.op, type, a) : psy__op2(k, e.op, type, a, b);
        return at->op == PSY_OP_DOT ? value : exact(k, e.op, value);
    }
    case EXTENDED: return psy__spirv_make(&k->s, SpvOpExtInst, type, k->s.glsl, e.op, a);
    case COMPARE: return psy__select(k, type, psy__op2(k, e.op, k->boolean, a, b), a, b);
    case DIVIDE: return divide(k, e.op, a, b);
    case NONE: break;
    }
    psy__maker_refuse(k, "%s of %s", at->info->name, psy__dtype_name(at->dtype));
    return a;
}

uint32_t psy__identity_id(psy__maker *k, const psy__instruction *at)
{
    bool low = at->op == PSY_OP_RMAX, minimum = at->op == PSY_OP_RMIN;
    switch (psy__dtype_class(at->dtype)) {
    case PSY_DCLASS_FLOAT: return psy__const_f32(k, low ? -INFINITY : minimum ? INFINITY : 0);
    case PSY_DCLASS_SINT: return psy__const_u32(k, low ? UINT32_C(0x80000000) : minimum ? UINT32_C(0x7fffffff) : 0);
    default: return psy__const_u32(k, minimum ? UINT32_MAX : 0);
    }
}

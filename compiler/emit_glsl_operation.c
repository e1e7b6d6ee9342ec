/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on values in GLSL, from the SPIR-V columns of ops.def by the forms of glsl_forms.h. */
#include "emit_glsl.h"

#include <spirv/unified1/spirv.h>
#include <string.h>

#include "glsl_forms.h"

#pragma GCC diagnostic ignored "-Wpedantic" /* ops.def has empty columns */

const char *psc_glsl_type(unsigned type)
{
    switch (type) {
    case PSY_KTYPE_INDEX: return "uint";
    case PSY_KTYPE_CONDITION: return "bool";
    case PSY_F32: return "float";
    default: return psy__dtype_bytes(type) == 8 ? "uvec2" : psy__dtype_class(type) == PSY_DCLASS_SINT ? "int" : "uint";
    }
}

enum form { NONE, PLAIN, NAN_KEPT, COMPARE };
typedef struct form_entry {
    enum form form;
    const char *text;
    bool exact; /* may not be contracted */
} form_entry;

#define IS_EXACT(op) ((op) == SpvOpFAdd || (op) == SpvOpFSub || (op) == SpvOpFMul || (op) == SpvOpFDiv || (op) == SpvOpFNegate)
#define OPC(op)      PLAIN, GLSL_##op, IS_EXACT(Spv##op)
#define EXT(op)      PLAIN, GLSL_##op, false
#define EXT32(op)    PLAIN, GLSL_##op, false
#define EXTNAN(op)   NAN_KEPT, GLSL_##op, false
#define CMP(op)      COMPARE, GLSL_##op, false
#define DIVZ(op)     PLAIN, GLSL_##op, false
#define SHIFT(op)    PLAIN, GLSL_##op, false

static form_entry form_of(unsigned op, psy_dtype_class class_)
{
    switch (op) {
#define OP(NAME, code, text, class, signature, takes, cf, ci, spirv_float, spirv_sint, spirv_uint, ...)                        \
    case code: {                                                                                                               \
        const form_entry as_float = {spirv_float}, as_sint = {spirv_sint}, as_uint = {spirv_uint};                             \
        return class_ == PSY_DCLASS_FLOAT ? as_float : class_ == PSY_DCLASS_SINT ? as_sint : as_uint;                          \
    }
#include "isa/ops.def"
#undef OP
    default: return (form_entry){NONE, "", false};
    }
}

const char *psc_glsl_operation(psc_kernel_text *t, unsigned op, unsigned dtype, const char *a, const char *b, const char *c)
{
    const psy_op_info *info = psy__op_info(op);
    form_entry f = form_of(op, psy__dtype_class(dtype));
    const char *T = psc_glsl_type(dtype);
    if (info->class_ == PSY_CLASS_CHOOSE) {
        return psc_format(t->arena, "%s != 0u ? %s : %s", a, b, c);
    }
    if (dtype == PSY_BOOL && op == PSY_OP_NOT) {
        return psc_format(t->arena, "%s ^ 1u", a);
    }
    if (f.text && strstr(f.text, "psy_div")) {
        psc_glsl_need(t, PSC_GLSL_NEEDS_DIVIDE);
    }
    const char *text = psc_kernel_expand(t->arena, f.text ? f.text : "", &(psc_expansion){.a = a, .b = b, .c = c, .T = T});
    switch (f.form) {
    case COMPARE: return psc_format(t->arena, "%s ? %s : %s", text, a, b);
    case NAN_KEPT: return psc_format(t->arena, "%s != %s ? %s : %s", a, a, a, text);
    default: return info->class_ == PSY_CLASS_COMPARE ? psc_format(t->arena, "uint(%s)", text) : text;
    }
}

bool psc_glsl_is_exact(unsigned op, unsigned dtype)
{
    return dtype == PSY_F32 && op != PSY_OP_DOT && form_of(op, PSY_DCLASS_FLOAT).exact;
}

const char *psc_glsl_cast(psc_kernel_text *t, unsigned from, unsigned to, const char *x)
{
    psc_arena *arena = t->arena;
    psy_dtype_class a = psy__dtype_class(from), b = psy__dtype_class(to);
    unsigned bits = psy__dtype_bytes(to) * 8;
    if (from == to) {
        return x;
    }
    if (a == PSY_DCLASS_FLOAT && from != PSY_F32) {
        psc_glsl_need(t, PSC_GLSL_NEEDS_HALVES);
        x = psc_format(arena, "psy_from_%s(%s)", psy__dtype_name(from), x);
    }
    if (b == PSY_DCLASS_BOOL) {
        return psc_format(arena, "uint(%s != %s)", x, a == PSY_DCLASS_FLOAT ? "0.0" : a == PSY_DCLASS_SINT ? "0" : "0u");
    }
    if (b == PSY_DCLASS_FLOAT && to != PSY_F32) {
        psc_glsl_need(t, PSC_GLSL_NEEDS_HALVES);
        return psc_format(arena, a == PSY_DCLASS_FLOAT ? "psy_to_%s(%s)" : "psy_to_%s(psy_sticky(%s))", psy__dtype_name(to), x);
    }
    if (b == PSY_DCLASS_FLOAT) {
        return a == PSY_DCLASS_FLOAT ? x : psc_format(arena, "float(%s)", x);
    }
    if (a == PSY_DCLASS_FLOAT) {
        psc_glsl_need(t, PSC_GLSL_NEEDS_SATURATE);
        uint64_t range = UINT64_C(1) << (b == PSY_DCLASS_SINT ? bits - 1 : bits);
        return psc_format(arena, b == PSY_DCLASS_SINT ? "psy_to_sint(%s, %llu.0, %llu)" : "psy_to_uint(%s, %llu.0, %lluu)", x,
                          (unsigned long long)range, (unsigned long long)range - 1);
    }
    if (b == PSY_DCLASS_SINT) {
        return psc_format(arena, bits == 32 ? "int(%s)" : "bitfieldExtract(int(%s), 0, %u)", x, bits);
    }
    return psc_format(arena, bits == 32 ? "uint(%s)" : "uint(%s) & 0x%xu", x, bits == 32 ? 0 : (1u << bits) - 1);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Operators: which operation a sign is, and what it takes. */
#include <string.h>

#include "call.h"

#define ERROR(...) psc_error(l->unit->diags, __VA_ARGS__)

/* The signs of two operands: what they become. `swap`: with the operands exchanged. */
static const struct {
    int sign;
    const char *text;
    unsigned op;
    bool swap;
} signs[] = {{'+', "+", PSY_OP_ADD, false},      {'-', "-", PSY_OP_SUB, false},    {'*', "*", PSY_OP_MUL, false},
             {'/', "/", PSY_OP_DIV, false},      {'%', "%", PSY_OP_MOD, false},    {'@', "@", PSY_OP_DOT, false},
             {'&', "&", PSY_OP_AND, false},      {'|', "|", PSY_OP_OR, false},     {'^', "^", PSY_OP_XOR, false},
             {'<', "<", PSY_OP_LT, false},       {'>', ">", PSY_OP_LT, true},      {HRM_EQ, "==", PSY_OP_EQ, false},
             {HRM_NE, "!=", PSY_OP_NE, false},   {HRM_LE, "<=", PSY_OP_LE, false}, {HRM_GE, ">=", PSY_OP_LE, true},
             {HRM_AND, "&&", PSY_OP_AND, false}, {HRM_OR, "||", PSY_OP_OR, false}, {HRM_SHL, "<<", PSY_OP_SHL, false},
             {HRM_SHR, ">>", PSY_OP_SHR, false}};

/* Whether the sign takes the values; reports. */
static bool sign_takes(psc_lowering *l, psc_span span, size_t i, const psc_value *v)
{
    if (psy__op_takes(psy__op_info(signs[i].op), v->dtype)) {
        return true;
    }
    psc_diagnostic *d = ERROR(PSC_E_TYPE, span, "`%s` does not take %s", signs[i].text, psy__dtype_name(v->dtype));
    if (v->dtype == PSY_BOOL) {
        psc_help(d, "cast it: `u32(...)`, or choose: `if c { ... } else { ... }`");
    } else if (psy__dtype_class(v->dtype) == PSY_DCLASS_FLOAT) {
        psc_help(d, "cast it: `i32(...)`");
    }
    return false;
}

/* Logic says of each side alone what is wrong with it. */
static bool are_truth_values(psc_lowering *l, int op, const psc_term *a, const psc_term *b)
{
    const psc_term *const sides[] = {a, b};
    bool ok = true;
    for (unsigned k = 0; k < 2; k++) {
        const psc_term *t = sides[k];
        bool number = psc_is_untyped(t), value = t->kind == PSC_TERM_VALUE && t->value->dtype != PSY_BOOL;
        if (number || value) {
            psc_help(ERROR(PSC_E_TYPE, t->span, "`%s` takes truth values, and this is %s", op == HRM_AND ? "&&" : "||",
                           number ? "a number" : psc_type_text(l, t->value)),
                     number ? "write `true` or `false`" : "compare it: `x != 0`");
            ok = false;
        }
    }
    return ok;
}

psc_term psc_lower_binary(psc_lowering *l, psc_span span, int op, const psc_term *a, const psc_term *b)
{
    if (a->kind == PSC_TERM_TEXT || b->kind == PSC_TERM_TEXT) {
        return psc_text_compare(l, span, op, a, b);
    }
    psc_value *x, *y;
    size_t i = 0;
    if (a->kind == PSC_TERM_POISON || b->kind == PSC_TERM_POISON ||
        ((op == HRM_AND || op == HRM_OR) && !are_truth_values(l, op, a, b)) || !psc_unify(l, span, a, b, &x, &y)) {
        return psc_poison(span);
    }
    while (signs[i].sign != op) {
        i++;
    }
    if (!sign_takes(l, span, i, x)) {
        return psc_poison(span);
    }
    if (op == '@') {
        return psc_shape_matmul(l, span, x, y);
    }
    return psc_of_value(signs[i].swap ? psc_emit_map2(l, span, signs[i].op, y, x) : psc_emit_map2(l, span, signs[i].op, x, y),
                        span);
}

static psc_constant_value constant_of(const psc_term *t)
{
    return (psc_constant_value){.span = t->span, .is_float = t->kind == PSC_TERM_REAL, .integer = t->integer, .real = t->real};
}

static bool is_number(const psc_term *t) { return t->kind == PSC_TERM_INTEGER || t->kind == PSC_TERM_REAL; }

psc_term psc_lower_unary(psc_lowering *l, const hrm_expr *e)
{
    psc_term a = psc_lower_expr(l, e->left);
    if (is_number(&a) && psc_applies(e)) {
        psc_constant_value x = constant_of(&a), c = psc_apply(l->unit, e, &x, &x);
        return psc_constant_term(&c, e->span);
    }
    psc_value *given = a.kind == PSC_TERM_POISON ? NULL : psc_as_value(l, &a, PSY_I64), *v = psc_promote(l, given);
    unsigned op = e->op == '-' ? PSY_OP_NEG : PSY_OP_NOT;
    if (!v) {
        return psc_poison(e->span);
    }
    if (!psy__op_takes(psy__op_info(op), v->dtype) || (e->op == '!' && v->dtype != PSY_BOOL)) {
        bool no_sign = e->op == '-' && psy__dtype_class(v->dtype) == PSY_DCLASS_UINT;
        psc_diagnostic *d = no_sign ? ERROR(PSC_E_TYPE, e->span, "%s has no negative numbers", psy__dtype_name(given->dtype))
                                    : ERROR(PSC_E_TYPE, e->span, "`%c` does not take %s", e->op, psy__dtype_name(given->dtype));
        psc_help(d, no_sign ? "cast it: `-i64(...)`" : e->op == '!' ? "compare it: `x == 0`" : "cast it: `i32(...)`");
        return psc_poison(e->span);
    }
    return psc_of_value(psc_emit_map1(l, e->span, op, v), e->span);
}

/* Their names may be sizes of a function. */
psc_term psc_lower_arithmetic(psc_lowering *l, const hrm_expr *e, const psc_term *a, const psc_term *b)
{
    if (is_number(a) && is_number(b) && psc_applies(e)) {
        psc_constant_value x = constant_of(a), y = constant_of(b), c = psc_apply(l->unit, e, &x, &y);
        return psc_constant_term(&c, e->span);
    }
    return psc_lower_binary(l, e->span, e->op, a, b);
}

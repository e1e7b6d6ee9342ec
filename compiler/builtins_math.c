/* SPDX-License-Identifier: Apache-2.0 */
/* Elementwise functions: choice, limits, activations, random numbers. */
#include <math.h>
#include <string.h>

#include "call.h"

#define ERROR(...) psc_error(c->l->unit->diags, __VA_ARGS__)

/* The arguments brought to one dtype, numbers taking that of the values; f32 where all are numbers. False after an error. */
static bool unify_all(psc_call *c, unsigned first, unsigned count, psc_value **out)
{
    psc_term like = {.kind = PSC_TERM_POISON};
    for (unsigned i = 0; i < count; i++) {
        const psc_term *t = &c->at[first + i];
        like = !psc_is_untyped(t) && like.kind == PSC_TERM_POISON ? *t : like;
    }
    for (unsigned i = 0; i < count; i++) {
        psc_value *other;
        if (like.kind == PSC_TERM_POISON) {
            out[i] = psc_as_value(c->l, &c->at[first + i], psc_number_dtype(c->l));
        } else if (!psc_unify(c->l, c->e->span, &c->at[first + i], &like, &out[i], &other)) {
            return false;
        }
        if (!out[i]) {
            return false;
        }
    }
    return true;
}

psc_term psc_call_map_op(psc_call *c)
{
    psc_value *v[3];
    if (!unify_all(c, 0, c->count, v) || !psc_call_takes(c, c->op, v[0])) {
        return psc_poison(c->e->span);
    }
    return psc_call_result(c, psc_emit_map(c->l, c->e->span, c->op, v, c->count));
}

psc_term psc_call_select(psc_call *c)
{
    psc_value *v[3] = {psc_call_raw(c, 0)};
    if (!v[0]) {
        return psc_poison(c->e->span);
    }
    if (v[0]->dtype != PSY_BOOL) {
        psc_help(ERROR(PSC_E_TYPE, c->at[0].span, "a condition is a bool, and this is %s", psc_type_text(c->l, v[0])),
                 "compare it: `x != 0`");
        return psc_poison(c->e->span);
    }
    if (c->at[1].kind == PSC_TERM_TEXT || c->at[2].kind == PSC_TERM_TEXT) {
        return psc_text_choose(c->l, c->e->span, v[0], &c->at[1], &c->at[2]);
    }
    if (psc_is_untyped(&c->at[1]) && psc_is_untyped(&c->at[2])) {
        psc_choice *choice = psc_new(c->l->unit->arena, psc_choice);
        *choice = (psc_choice){v[0], c->at[1], c->at[2]};
        return (psc_term){.kind = PSC_TERM_CHOICE, .span = c->e->span, .choice = choice};
    }
    if (!unify_all(c, 1, 2, v + 1)) {
        return psc_poison(c->e->span);
    }
    return psc_call_result(c, psc_emit_map(c->l, c->e->span, PSY_OP_CHOOSE, v, 3));
}

psc_term psc_call_clamp(psc_call *c)
{
    psc_value *v[3];
    if (!unify_all(c, 0, 3, v) || !psc_call_takes(c, PSY_OP_MIN, v[0])) {
        return psc_poison(c->e->span);
    }
    return psc_call_result(c, psc_call_map(c, PSY_OP_MIN, psc_call_map(c, PSY_OP_MAX, v[0], v[1]), v[2]));
}

psc_term psc_call_is_nan(psc_call *c)
{
    psc_value *v = psc_call_float(c, 0);
    return psc_call_result(c, psc_call_map(c, PSY_OP_NE, v, v));
}

/* |x| == infinity, or |x| < infinity */
psc_term psc_call_is_inf(psc_call *c)
{
    psc_value *v = psc_call_float(c, 0);
    psc_value *infinity = v ? psc_emit_number(c->l, c->e->span, v->dtype, INFINITY) : NULL;
    return psc_call_result(c, psc_call_map(c, c->op, psc_call_map(c, PSY_OP_ABS, v, NULL), infinity));
}

/* ---- activations ---- */

psc_term psc_call_relu(psc_call *c)
{
    psc_value *v = psc_call_value(c, 0);
    return psc_call_result(c, v && psc_call_takes(c, PSY_OP_MAX, v) ? psc_call_map(c, PSY_OP_MAX, v, psc_call_number(c, v, 0))
                                                                    : NULL);
}

/* where x > 0: x, else `no` */
static psc_value *above_zero(psc_call *c, psc_value *v, psc_value *no)
{
    psc_value *condition = psc_call_map(c, PSY_OP_LT, psc_call_number(c, v, 0), v);
    psc_value *all[3] = {condition, v, no};
    return condition && no ? psc_emit_map(c->l, c->e->span, PSY_OP_CHOOSE, all, 3) : NULL;
}

psc_term psc_call_leaky_relu(psc_call *c)
{
    double slope;
    psc_value *v = psc_call_float(c, 0);
    if (!v || !psc_call_real(c, 0, 0.01, &slope)) {
        return psc_poison(c->e->span);
    }
    return psc_call_result(c, above_zero(c, v, psc_call_map(c, PSY_OP_MUL, v, psc_call_number(c, v, slope))));
}

psc_term psc_call_elu(psc_call *c)
{
    double alpha;
    psc_value *v = psc_call_float(c, 0);
    if (!v || !psc_call_real(c, 0, 1, &alpha)) {
        return psc_poison(c->e->span);
    }
    psc_value *below = psc_call_map(c, PSY_OP_MUL, psc_call_map(c, PSY_OP_EXPM1, v, NULL), psc_call_number(c, v, alpha));
    return psc_call_result(c, above_zero(c, v, below));
}

/* x * (1 + erf(x / sqrt(2))) / 2 */
psc_term psc_call_gelu(psc_call *c)
{
    psc_value *v = psc_call_float(c, 0);
    psc_value *erf = psc_call_map(c, PSY_OP_ERF, psc_call_map(c, PSY_OP_MUL, v, psc_call_number(c, v, sqrt(0.5))), NULL);
    psc_value *half = psc_call_map(c, PSY_OP_MUL, v, psc_call_number(c, v, 0.5));
    return psc_call_result(c, psc_call_map(c, PSY_OP_MUL, half, psc_call_map(c, PSY_OP_ADD, erf, psc_call_number(c, v, 1))));
}

/* 1 / (1 + exp(-x)); times x for silu */
psc_term psc_call_sigmoid(psc_call *c)
{
    psc_value *v = psc_call_float(c, 0);
    psc_value *power = psc_call_map(c, PSY_OP_EXP, psc_call_map(c, PSY_OP_NEG, v, NULL), NULL);
    psc_value *below = psc_call_map(c, PSY_OP_ADD, power, psc_call_number(c, v, 1));
    return psc_call_result(c, psc_call_map(c, PSY_OP_DIV, c->op == PSY_OP_MUL ? v : psc_call_number(c, v, 1), below));
}

/* max(x, 0) + log1p(exp(-|x|)) */
psc_term psc_call_softplus(psc_call *c)
{
    psc_value *v = psc_call_float(c, 0);
    psc_value *small =
        psc_call_map(c, PSY_OP_EXP, psc_call_map(c, PSY_OP_NEG, psc_call_map(c, PSY_OP_ABS, v, NULL), NULL), NULL);
    psc_value *rest = psc_call_map(c, PSY_OP_LOG1P, small, NULL);
    return psc_call_result(c, psc_call_map(c, PSY_OP_ADD, psc_call_map(c, PSY_OP_MAX, v, psc_call_number(c, v, 0)), rest));
}

/* x * clamp(x + 3, 0, 6) / 6 */
psc_term psc_call_hard_swish(psc_call *c)
{
    psc_value *v = psc_call_float(c, 0);
    psc_value *gate = psc_call_map(c, PSY_OP_ADD, v, psc_call_number(c, v, 3));
    gate = psc_call_map(c, PSY_OP_MIN, psc_call_map(c, PSY_OP_MAX, gate, psc_call_number(c, v, 0)), psc_call_number(c, v, 6));
    return psc_call_result(c, psc_call_map(c, PSY_OP_DIV, psc_call_map(c, PSY_OP_MUL, v, gate), psc_call_number(c, v, 6)));
}

/* ---- random numbers: a function of key and position ---- */

static psc_value *key_of(psc_call *c)
{
    psc_value *key = psc_promote(c->l, psc_as_value(c->l, &c->at[0], PSY_U32));
    if (key && (key->dtype != PSY_U32 || key->rank != 0)) {
        psc_diagnostic *d =
            ERROR(PSC_E_TYPE, c->at[0].span, "a key is a scalar of u32, and this is %s", psc_type_text(c->l, key));
        if (key->rank == 0) {
            psc_help(d, "cast it: `u32(...)`");
        }
        return NULL;
    }
    return key;
}

/* The numbers at positions times * i + plus. */
static psc_value *numbers(psc_call *c, psc_value *key, uint32_t times, uint32_t plus)
{
    psy_dim n = psc_call_dim(c, 1);
    psc_value *at = key && n != PSY_NONE ? psc_emit(c->l, c->e->span, PSY_OP_IOTA, PSY_U32, &n, 1, NULL, 0) : NULL;
    at = times == 1 ? at : psc_call_map(c, PSY_OP_MUL, at, psc_call_number(c, at, times));
    at = plus == 0 ? at : psc_call_map(c, PSY_OP_ADD, at, psc_call_number(c, at, plus));
    return psc_call_map(c, PSY_OP_PHILOX, key, at);
}

psc_term psc_call_random(psc_call *c) { return psc_call_result(c, numbers(c, key_of(c), 1, 0)); }

/* The upper 24 bits, as a fraction: every value is exact. */
static psc_value *fraction(psc_call *c, psc_value *bits)
{
    psc_value *upper = psc_call_map(c, PSY_OP_SHR, bits, psc_call_number(c, bits, 8));
    psc_value *real = psc_emit_cast(c->l, c->e->span, PSY_F32, upper);
    return psc_call_map(c, PSY_OP_MUL, real, psc_call_number(c, real, 0x1p-24));
}

psc_term psc_call_uniform(psc_call *c) { return psc_call_result(c, fraction(c, numbers(c, key_of(c), 1, 0))); }

/* Box and Muller, 1958: sqrt(-2 ln(1 - u)) * cos(2 pi v) */
psc_term psc_call_normal(psc_call *c)
{
    psc_value *key = key_of(c), *u = fraction(c, numbers(c, key, 2, 0)), *v = fraction(c, numbers(c, key, 2, 1));
    psc_value *log = psc_call_map(c, PSY_OP_LOG, psc_call_map(c, PSY_OP_SUB, psc_call_number(c, u, 1), u), NULL);
    psc_value *radius = psc_call_map(c, PSY_OP_SQRT, psc_call_map(c, PSY_OP_MUL, log, psc_call_number(c, log, -2)), NULL);
    psc_value *angle =
        psc_call_map(c, PSY_OP_COS, psc_call_map(c, PSY_OP_MUL, v, psc_call_number(c, v, 6.283185307179586)), NULL);
    return psc_call_result(c, psc_call_map(c, PSY_OP_MUL, radius, angle));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes: numbers, names, and what is computed of them. */
#include "call.h"

psy_dim psc_dim_compute(psc_lowering *l, psc_span span, int op, psy_dim left, psy_dim right)
{
    return psc_size_compute(l->unit, span, op, left, right);
}

psc_term psc_size_term(psc_lowering *l, const hrm_expr *e)
{
    if (e->kind != HRM_BINARY || (e->op != '+' && e->op != '-' && e->op != '*' && e->op != '/')) {
        return psc_lower_expr(l, e);
    }
    psc_term a = psc_size_term(l, e->left), b = psc_size_term(l, e->right);
    bool numbers = a.kind == PSC_TERM_INTEGER && b.kind == PSC_TERM_INTEGER,
         sizes =
             (a.kind == PSC_TERM_SIZE || a.kind == PSC_TERM_INTEGER) && (b.kind == PSC_TERM_SIZE || b.kind == PSC_TERM_INTEGER);
    if (numbers && e->op == '/' && b.integer != 0 && a.integer % b.integer != 0) {
        psc_error(l->unit->diags, PSC_E_SHAPE, e->span, "%lld / %lld is no size", (long long)a.integer, (long long)b.integer);
        return psc_poison(e->span);
    }
    if (!sizes || numbers) {
        return psc_lower_arithmetic(l, e, &a, &b);
    }
    psy_dim x = psc_dim_of_term(l, &a, e->left->span), y = x == PSY_NONE ? PSY_NONE : psc_dim_of_term(l, &b, e->right->span),
            d = y == PSY_NONE ? PSY_NONE : psc_dim_compute(l, e->span, e->op, x, y);
    return d == PSY_NONE ? psc_poison(e->span) : (psc_term){.kind = PSC_TERM_SIZE, .span = e->span, .dim = d};
}

psy_dim psc_dim_of_term(psc_lowering *l, const psc_term *t, psc_span span)
{
    if (t->kind == PSC_TERM_SIZE) {
        return t->dim;
    }
    if (t->kind == PSC_TERM_INTEGER && t->integer >= 0 && t->integer <= INT32_MAX) {
        return (psy_dim)t->integer;
    }
    if (t->kind == PSC_TERM_VALUE || t->kind == PSC_TERM_CHOICE) {
        psc_error(l->unit->diags, PSC_E_CONSTANT, span, "a size is known before there is a message, and this is a value");
    } else if (t->kind != PSC_TERM_POISON) {
        psc_error(l->unit->diags, PSC_E_SHAPE, span, "a size is a whole number from 0 to %d, or the name of one", INT32_MAX);
    }
    return PSY_NONE;
}

psy_dim psc_dim_of(psc_lowering *l, const hrm_expr *e)
{
    psc_term t = psc_size_term(l, e);
    return psc_dim_of_term(l, &t, e->span);
}

psy_dim psc_dim_seen_by(const psc_lowering *l, const psc_value *v, psy_dim d)
{
    int axis = psc_ir_sharded_axis(v, l->unit->symbols.at);
    bool same = axis >= 0 && d == (PSY_DIM_SYMBOL | l->unit->symbols.at[psy__dim_symbol(v->dims[axis])].of);
    return same ? v->dims[axis] : d;
}

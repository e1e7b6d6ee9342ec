/* SPDX-License-Identifier: Apache-2.0 */
/* Optional fields: values that may not be there. Such a term has what the value would be (`inner`) and a truth value, whether
 * it is there (`other`); it becomes a value by `??`, and is stored in optional fields as it is. */
#include <string.h>

#include "call.h"
#include "isa/layout.h"

#define ERROR(...) psc_error(l->unit->diags, __VA_ARGS__)

static psc_term optional(psc_lowering *l, psc_span span, psc_term inner, psc_value *there)
{
    if (inner.kind == PSC_TERM_POISON || !there) {
        return psc_poison(span);
    }
    psc_term *kept = psc_new(l->unit->arena, psc_term);
    *kept = inner;
    return (psc_term){.kind = PSC_TERM_OPTIONAL, .span = span, .inner = kept, .other = there};
}

psc_term psc_optional_load(psc_lowering *l, psc_span span, uint32_t index, const psc_field *f, psc_value *value)
{
    psc_value *byte = psc_emit(l, span, PSY_OP_COUNT, PSY_U8, NULL, 0, NULL, 0);
    if (byte) {
        byte->index = index;
        byte->name = f->name;
    }
    return optional(l, span, psc_of_value(value, span), psc_emit_cast(l, span, PSY_BOOL, byte));
}

/* a where the condition is true, else b: numbers take the type of the other, or none yet. */
static psc_term choose(psc_lowering *l, psc_span span, psc_value *condition, const psc_term *a, const psc_term *b)
{
    psc_value *all[3] = {condition};
    if (psc_is_untyped(a) && psc_is_untyped(b)) {
        psc_choice *choice = psc_new(l->unit->arena, psc_choice);
        *choice = (psc_choice){condition, *a, *b};
        return (psc_term){.kind = PSC_TERM_CHOICE, .span = span, .choice = choice};
    }
    bool same = a->kind == PSC_TERM_VALUE && b->kind == PSC_TERM_VALUE && a->value->dtype == b->value->dtype;
    if (same) { /* as they are stored */
        all[1] = a->value;
        all[2] = b->value;
    } else if (!psc_unify(l, span, a, b, &all[1], &all[2])) {
        return psc_poison(span);
    }
    return psc_of_value(psc_emit_map(l, span, PSY_OP_CHOOSE, all, 3), span);
}

psc_term psc_lower_otherwise(psc_lowering *l, const hrm_expr *e)
{
    psc_term a = psc_lower_expr(l, e->left), b = psc_lower_expr(l, e->right);
    if (a.kind == PSC_TERM_POISON || b.kind == PSC_TERM_POISON) {
        return psc_poison(e->span);
    }
    if (a.kind != PSC_TERM_OPTIONAL) {
        psc_help(ERROR(PSC_E_TYPE, e->left->span, "what is on the left of `??` may not be there, and this always is"),
                 "leave `??` and what is behind it out");
        return psc_poison(e->span);
    }
    if (b.kind != PSC_TERM_OPTIONAL) {
        return choose(l, e->span, a.other, a.inner, &b);
    }
    return optional(l, e->span, choose(l, e->span, a.other, a.inner, b.inner),
                    psc_emit_map2(l, e->span, PSY_OP_OR, a.other, b.other));
}

psc_term psc_call_has(psc_call *c)
{
    psc_lowering *l = c->l;
    if (c->at[0].kind != PSC_TERM_OPTIONAL) {
        psc_help(ERROR(PSC_E_TYPE, c->at[0].span, "`has` says whether a value is there that may not be, and this always is"),
                 "optional fields are declared as `FIELD: f32?`");
        return psc_poison(c->e->span);
    }
    return psc_of_value(c->at[0].other, c->e->span);
}

psc_term psc_call_when(psc_call *c)
{
    psc_lowering *l = c->l;
    psc_value *condition = psc_call_raw(c, 0);
    psc_term t = c->at[1];
    if (!condition) {
        return psc_poison(c->e->span);
    }
    if (condition->dtype != PSY_BOOL || condition->rank != 0) {
        psc_help(ERROR(PSC_E_TYPE, c->at[0].span, "`when` takes one truth value, and this is %s", psc_type_text(l, condition)),
                 condition->dtype == PSY_BOOL ? "`any(x)` or `all(x)` makes one of several" : "compare it: `x != 0`");
        return psc_poison(c->e->span);
    }
    if (t.kind == PSC_TERM_OPTIONAL) {
        return optional(l, c->e->span, *t.inner, psc_emit_map2(l, c->e->span, PSY_OP_AND, condition, t.other));
    }
    if (!psc_is_untyped(&t)) {
        t = psc_of_value(psc_as_value(l, &t, 0), t.span);
    }
    return optional(l, c->e->span, t, condition);
}

void psc_optional_refuse(psc_lowering *l, const psc_term *t)
{
    enum { SHOWN_MAX = 40 };
    size_t n = t->span.end - t->span.begin;
    const char *text = n <= SHOWN_MAX ? psc_strndup(l->unit->arena, t->span.source->text + t->span.begin, n) : "x";
    psc_help(ERROR(PSC_E_TYPE, t->span, "this value may not be there"),
             "say what stands for it then: `%s ?? 0`; `has(%s)` says whether it is there", text, text);
}

/* ---- storing ---- */

static psc_value *nothing(psc_lowering *l, psc_span span, const psc_field *f)
{
    psc_value *zero = psc_emit(l, span, PSY_OP_CONST, f->layout.dtype, NULL, 0, NULL, 0);
    if (zero) {
        zero->bits = f->layout.default_bits;
    }
    return zero && psy__field_is_vector(&f->layout)
               ? psc_emit(l, span, PSY_OP_REPEAT, f->layout.dtype, &f->layout.count, 1, &zero, 1)
               : zero;
}

psc_value *psc_optional_value(psc_lowering *l, const psc_field *f, const psc_term *t, psc_value **there)
{
    psc_value *v = psc_as_value(l, t->inner, f->layout.dtype), *none = v ? nothing(l, t->span, f) : NULL;
    *there = t->other;
    if (!none || v->dtype != none->dtype || !psc_ir_same_dims(v, none)) {
        return none ? v : NULL; /* does not fit, or is cast first: what is not there is not read */
    }
    return psc_emit_map(l, t->span, PSY_OP_CHOOSE, (psc_value *[]){t->other, v, none}, 3);
}

void psc_optional_store_nothing(psc_lowering *l, psc_span span, uint32_t index)
{
    const psc_field *f = &l->pipeline->output->fields[index];
    psc_value *all[2] = {nothing(l, span, f), psc_emit(l, span, PSY_OP_CONST, PSY_BOOL, NULL, 0, NULL, 0)};
    psc_value *s = all[0] && all[1] ? psc_emit(l, span, PSY_OP_STORE, f->layout.dtype, NULL, 0, all, 2) : NULL;
    if (s) {
        s->index = index;
        s->name = f->name;
    }
}

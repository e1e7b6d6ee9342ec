/* SPDX-License-Identifier: Apache-2.0 */
/* Functions are written out where they are called; the sizes of their types are bound there. */
#include <string.h>

#include "call.h"

#define ERROR(...) psc_error(l->unit->diags, __VA_ARGS__)

enum { INLINE_DEPTH_MAX = 64, CALLS_MAX = 4 * PSC_VALUES_MAX };

/* A dim of a function's type: a constant, or a size of the function's own that `actual` gives a value. */
static bool unify_dim(psc_lowering *l, const hrm_expr *declared, psy_dim actual)
{
    if (declared->kind == HRM_NAME && !psc_constant_of_types(l->unit, declared->name.text)) {
        const psc_term *bound = psc_names_find(l->scope, declared->name.text);
        if (bound) {
            return bound->kind == PSC_TERM_SIZE ? bound->dim == actual
                                                : bound->kind == PSC_TERM_INTEGER && bound->integer == actual;
        }
        psc_term size = psy__dim_is_symbol(actual)
                            ? (psc_term){.kind = PSC_TERM_SIZE, .span = declared->span, .dim = actual}
                            : (psc_term){.kind = PSC_TERM_INTEGER, .span = declared->span, .integer = actual};
        psc_bind(l, declared->name.text, size);
        return true;
    }
    psy_dim d = psc_dim_of(l, declared);
    return d == PSY_NONE || d == actual;
}

static const char *declared_text(psc_lowering *l, const hrm_type *t)
{
    (void)l;
    return psc_strndup(l->unit->arena, t->span.source->text + t->span.begin, t->span.end - t->span.begin);
}

/* Whether the value has the declared type; sizes of the function's own are bound as they are met. */
static bool has_type(psc_lowering *l, const hrm_type *t, const psc_value *v)
{
    bool same = v->dtype == psy__dtype_named(t->dtype.text, strlen(t->dtype.text)) && v->rank == t->dims.count;
    for (uint32_t d = 0; same && d < v->rank; d++) {
        same = unify_dim(l, t->dims.at[d], v->dims[d]);
    }
    return same;
}

psc_term psc_inline_fn(psc_lowering *l, const hrm_expr *e, const hrm_fn *f)
{
    psc_unit *u = l->unit;
    size_t n = f->parameters.count;
    psc_term *given = psc_alloc(u->arena, (n + 1) * sizeof *given);
    bool *set = psc_alloc(u->arena, n + 1), ok = true;
    if (e->arguments.count != n) {
        psc_note(ERROR(PSC_E_ARGUMENTS, e->span, "`%s` takes %zu argument%s, not %zu", f->name.text, n, n == 1 ? "" : "s",
                       e->arguments.count),
                 f->name.span, "it is declared here");
        return psc_poison(e->span);
    }
    for (size_t i = 0; i < n; i++) {
        const hrm_argument *a = &e->arguments.at[i];
        size_t at = i;
        for (size_t k = 0; a->name.text && k <= n; k++) {
            if (k == n) {
                psc_note(ERROR(PSC_E_ARGUMENTS, a->name.span, "`%s` has no parameter `%s`", f->name.text, a->name.text),
                         f->name.span, "it is declared here");
                return psc_poison(e->span);
            }
            if (strcmp(f->parameters.at[k].name.text, a->name.text) == 0) {
                at = k;
                break;
            }
        }
        if (set[at]) {
            ERROR(PSC_E_ARGUMENTS, a->value->span, "`%s` is given twice", f->parameters.at[at].name.text);
            return psc_poison(e->span);
        }
        set[at] = true;
        given[at] = psc_lower_expr(l, a->value);
        ok = ok && given[at].kind != PSC_TERM_POISON;
    }
    if (l->depth >= INLINE_DEPTH_MAX) {
        psc_over_limit(l, INLINE_DEPTH_MAX, "functions inside each other");
    } else if (l->calls++ >= CALLS_MAX) {
        psc_over_limit(l, CALLS_MAX, "calls, functions written out");
    }
    if (!ok || l->over_limit) {
        return psc_poison(e->span);
    }
    /* The body sees its parameters and the file's names, not the caller's. */
    psc_names *outer = l->scope;
    l->scope = NULL;
    for (size_t i = 0; ok && i < n; i++) {
        const hrm_parameter *q = &f->parameters.at[i];
        psc_value *v = psc_as_value(l, &given[i], psy__dtype_named(q->type.dtype.text, strlen(q->type.dtype.text)));
        ok = v != NULL;
        if (ok && !has_type(l, &q->type, v)) {
            psc_note(ERROR(PSC_E_SHAPE, given[i].span, "`%s` takes %s, and this is %s", f->name.text,
                           declared_text(l, &q->type), psc_type_text(l, v)),
                     q->type.span, "as declared here");
            ok = false;
        }
        if (ok) {
            psc_bind(l, q->name.text, psc_of_value(v, given[i].span));
        }
    }
    psc_term result = psc_poison(e->span);
    if (ok) {
        l->depth++;
        unsigned hint = l->hint;
        l->hint = psy__dtype_named(f->result.dtype.text, strlen(f->result.dtype.text));
        size_t said = u->diags->list.count;
        result = psc_lower_expr(l, f->body);
        for (size_t i = said; l->depth == 1 && !l->over_limit && i < u->diags->list.count; i++) { /* the pipeline's own call */
            psc_note(u->diags->list.at[i], e->span, "when `%s` is called here", f->name.text);
        }
        l->hint = hint;
        l->depth--;
        psc_value *v = psc_as_value(l, &result, psy__dtype_named(f->result.dtype.text, strlen(f->result.dtype.text)));
        if (v && !has_type(l, &f->result, v)) {
            psc_note(ERROR(PSC_E_SHAPE, f->body->span, "`%s` gives %s here, not %s", f->name.text, psc_type_text(l, v),
                           declared_text(l, &f->result)),
                     e->span, "when called from here");
            v = NULL;
        }
        result = psc_of_value(v, e->span);
    }
    l->scope = outer;
    return result;
}

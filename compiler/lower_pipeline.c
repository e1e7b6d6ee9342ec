/* SPDX-License-Identifier: Apache-2.0 */
/* The pass: every pipeline to a program for one message. */
#include <inttypes.h>
#include <string.h>

#include "isa/layout.h"
#include "lower.h"
#include "variant.h"

#define ERROR(...) psc_error(l->unit->diags, __VA_ARGS__)

static void lower_let(psc_lowering *l, const hrm_let *let)
{
    psc_term t = psc_lower_expr(l, let->value);
    bool pair = t.kind == PSC_TERM_PAIR;
    if (t.kind != PSC_TERM_POISON && (let->names.count != (pair ? 2u : 1u))) {
        if (pair && let->names.count == 1) {
            psc_help(ERROR(PSC_E_TYPE, let->value->span, "topk gives two things"), "write `let (score, index) = topk(...)`");
        } else {
            ERROR(PSC_E_TYPE, let->value->span, "this gives %s, not %zu things", pair ? "two things" : "one thing",
                  let->names.count);
        }
        t = psc_poison(t.span);
    }
    for (size_t i = 0; i < let->names.count; i++) {
        psc_term part = pair ? psc_of_value(i == 0 ? t.value : t.other, t.span) : t;
        if (t.kind == PSC_TERM_POISON) {
            part = t;
        }
        if (part.kind == PSC_TERM_VALUE && !psc_bare(part.value)->name) {
            psc_bare(part.value)->name = let->names.at[i].text;
        }
        psc_keep_type(l, let->names.at[i].span, &part);
        psc_bind(l, let->names.at[i].text, part);
    }
}

/* Conversions that lose nothing are made without asking. */
static bool widens(unsigned from, unsigned to)
{
    psy_dtype_class a = psy__dtype_class(from), b = psy__dtype_class(to);
    unsigned x = psy__dtype_bytes(from), y = psy__dtype_bytes(to);
    if (a == PSY_DCLASS_BOOL || b == PSY_DCLASS_BOOL) {
        return false; /* a truth value is no number */
    }
    return (a == b && y > x) || (a == PSY_DCLASS_UINT && b == PSY_DCLASS_SINT && y > x) ||
           (b == PSY_DCLASS_FLOAT && a != PSY_DCLASS_FLOAT && 2 * x <= y);
}

static void no_fit(psc_lowering *l, psc_span span, const psc_field *f, const psc_value *v)
{
    psc_unit *u = l->unit;
    const char *kind = psc_field_type_text(u->arena, f);
    bool sized = false;
    for (uint32_t d = 0; d < v->rank; d++) {
        sized = sized || psy__dim_is_symbol(v->dims[d]);
    }
    psc_diagnostic *d =
        ERROR(sized ? PSC_E_SPLIT : PSC_E_SHAPE, span, "field `%s` is %s, and this is %s", f->name, kind, psc_type_text(l, v));
    psc_note(d, f->span, "the field is declared here");
    if (sized) {
        psc_help(d, "a message holds a fixed number of elements: take the best with `topk`, or reduce with `sum`, `mean`, "
                    "`min`, `max`");
    } else if (v->length && f->layout.kind == PSY_FIELD_BOUNDED && v->rank == 1) {
        psc_help(d, "take no more than there is room for: `x[..%u]`", f->layout.count);
    } else if (v->length) {
        psc_help(d, "say what stands for elements that are not there: `fill(x, 0)`");
    }
}

static void store(psc_lowering *l, uint32_t index, const psc_term *t)
{
    const psc_field *f = &l->pipeline->output->fields[index];
    if (f->layout.kind == PSY_FIELD_VARIANT) {
        psc_variant_store(l, index, t);
        return;
    }
    if (f->layout.flags & PSY_FIELD_TEXT) {
        psc_text_store(l, index, t);
        return;
    }
    if (f->layout.kind == PSY_FIELD_PART) {
        psc_note(ERROR(PSC_E_UNSUPPORTED, t->span, "writing `%s`, %s, is not supported by this version", f->name,
                       psc_field_type_text(l->unit->arena, f)),
                 f->span, "it is declared here");
        return;
    }
    bool maybe = f->layout.kind == PSY_FIELD_OPTIONAL && t->kind == PSC_TERM_OPTIONAL;
    psc_value *there = NULL, *v = maybe ? psc_optional_value(l, f, t, &there) : psc_as_value(l, t, f->layout.dtype);
    if (!v) {
        return;
    }
    if (v->dtype != f->layout.dtype) {
        if (!widens(v->dtype, f->layout.dtype)) {
            psc_diagnostic *d = ERROR(PSC_E_TYPE, t->span, "field `%s` is %s, and this is %s", f->name,
                                      psy__dtype_name(f->layout.dtype), psc_type_text(l, v));
            psc_note(d, f->span, "the field is declared here");
            psc_help(d, "cast it: `%s(...)`", psy__dtype_name(f->layout.dtype));
            return;
        }
        v = psc_emit_cast(l, t->span, f->layout.dtype, v);
        if (!v) {
            return;
        }
    }
    bool fits = !psy__field_is_vector(&f->layout) ? v->rank == 0
                : f->layout.kind != PSY_FIELD_BOUNDED
                    ? v->rank == 1 && v->dims[0] == f->layout.count && !v->length
                    : v->rank == 1 && !psy__dim_is_symbol(v->dims[0]) && v->dims[0] <= f->layout.count;
    if (!fits) {
        no_fit(l, t->span, f, v);
        return;
    }
    psc_value *s =
        psc_emit(l, t->span, PSY_OP_STORE, f->layout.dtype, NULL, 0, (psc_value *[]){v, there ? there : v->length}, 2);
    if (s) {
        s->index = index;
        s->name = f->name;
    }
}

/* The field that a `name: value` is for; field_count after an error. */
static uint32_t field_of(psc_lowering *l, const psc_message *m, const hrm_argument *a, const bool *set)
{
    const char *names[256];
    uint32_t k = 0;
    if (!a->name.text) {
        psc_help(ERROR(PSC_E_SYNTAX, a->value->span, "which field is this?"), "write `FIELD: value`");
        return m->field_count;
    }
    for (; k < m->field_count && strcmp(m->fields[k].name, a->name.text) != 0; k++) {
        names[k < 256 ? k : 255] = m->fields[k].name;
    }
    if (k == m->field_count) {
        psc_help_nearest(ERROR(PSC_E_UNKNOWN_NAME, a->name.span, "message `%s` has no field `%s`", m->name, a->name.text),
                         a->name.text, names, k < 256 ? k : 256);
    } else if (set[k]) {
        ERROR(PSC_E_DUPLICATE, a->name.span, "field `%s` is given twice", a->name.text);
        return m->field_count;
    } else {
        psc_index_add_name(l->unit, PSC_INDEX_FIELD, a->name.span, m->fields[k].span);
    }
    return k;
}

static void store_default(psc_lowering *l, uint32_t k)
{
    const psc_field *f = &l->pipeline->output->fields[k];
    psc_span span = l->pipeline->node->record.span;
    if (f->layout.flags & PSY_FIELD_TEXT) {
        psc_term t = psc_text_literal(l, span, f->text ? f->text : "");
        store(l, k, &t);
        return;
    }
    psc_value *v = psc_emit(l, span, PSY_OP_CONST, f->layout.dtype, NULL, 0, NULL, 0);
    if (v) {
        v->bits = f->layout.default_bits;
        psc_term t = psc_of_value(v, span);
        store(l, k, &t);
    }
}

static void lower_record(psc_lowering *l)
{
    const hrm_pipeline *n = l->pipeline->node;
    const psc_message *m = l->pipeline->output;
    psc_term *given = psc_alloc(l->unit->arena, (m->field_count + 1) * sizeof *given);
    bool *set = psc_alloc(l->unit->arena, m->field_count + 1), ok = true;
    for (size_t i = 0; i < n->fields.count; i++) {
        uint32_t k = field_of(l, m, &n->fields.at[i], set);
        l->hint = k < m->field_count ? m->fields[k].layout.dtype : 0;
        psc_term t = psc_lower_expr(l, n->fields.at[i].value);
        l->hint = 0;
        ok = ok && k < m->field_count;
        if (k < m->field_count) {
            set[k] = true;
            given[k] = t;
        }
    }
    enum { MISSING_SHOWN_MAX = 8 };
    unsigned missing_count = 0;
    const char *missing = "";
    psc_diagnostic *d = NULL;
    for (uint32_t k = 0; k < m->field_count; k++) {
        if (m->fields[k].layout.parent != PSY_NONE) {
            continue; /* its part stands for it */
        }
        if (set[k]) {
            store(l, k, &given[k]);
        } else if (m->fields[k].layout.kind == PSY_FIELD_OPTIONAL) {
            psc_optional_store_nothing(l, n->record.span, k);
        } else if (m->fields[k].has_default) {
            store_default(l, k);
        } else {
            missing = missing_count++ < MISSING_SHOWN_MAX
                          ? psc_format(l->unit->arena, "%s%s`%s`", missing, *missing ? ", " : "", m->fields[k].name)
                          : missing;
        }
    }
    /* Which of them are missing is unclear where a name was wrong. */
    if (ok && *missing) {
        d = ERROR(PSC_E_FIELD, n->record.span, "not given, and without a default: %s%s", missing,
                  missing_count > MISSING_SHOWN_MAX ? " and more" : "");
        psc_note(d, m->span, "message `%s` is declared here", m->name);
    }
}

void psc_lower(psc_unit *unit)
{
    bool failed = false;
    for (size_t i = 0; i < unit->pipelines.count; i++) {
        psc_pipeline *p = unit->pipelines.at[i];
        /* One mistake in the body is not told again for every alternative. */
        failed = p->alternatives ? p->poisoned : failed || p->poisoned;
        if (failed) {
            p->poisoned = true;
            continue;
        }
        size_t said = unit->diags->list.count;
        unsigned errors = unit->diags->errors;
        p->whole = psc_new(unit->arena, psc_program);
        p->whole->name = p->name;
        p->whole->partial_type = PSY_NONE;
        p->whole->input_type = psc_type_of(unit, p->input);
        p->whole->output_type = psc_type_of(unit, p->output);
        psc_lowering lowering = {.unit = unit, .pipeline = p, .program = p->whole}, *l = &lowering;
        const psc_name *input = &p->node->parameters.at[0].name;
        psc_bind(l, input->text, (psc_term){.kind = PSC_TERM_MESSAGE, .span = input->span});
        for (size_t k = 0; k < p->node->lets.count; k++) {
            lower_let(l, p->node->lets.at[k]);
        }
        lower_record(l);
        psc_variant_note(unit, p, said);
        failed = unit->diags->errors != errors;
    }
}

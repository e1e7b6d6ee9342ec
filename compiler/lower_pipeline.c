/* SPDX-License-Identifier: Apache-2.0 */
/* The pass: every pipeline to a program for one message. */
#include <inttypes.h>
#include <string.h>

#include "attributes.h"
#include "call.h"
#include "isa/layout.h"
#include "lower.h"
#include "variant.h"

#define ERROR(...) psc_error(l->unit->diags, __VA_ARGS__)

/* In memory of its own: a view of other memory becomes a copy. */
static psc_term materialized(psc_lowering *l, const psc_term *t)
{
    psc_value *v = t->value;
    if (v == psc_bare(v) && psc_ir_class(v) == PSY_CLASS_SHAPE) {
        const psy_dim one = 1;
        const char *name = v->name;
        bool scalar = v->rank == 0; /* nothing is joined along no axis */
        v = scalar ? psc_shape_reshape(l, t->span, v, &one, 1) : v;
        psc_value *copy = v ? psc_emit(l, t->span, PSY_OP_CONCAT, v->dtype, v->dims, v->rank, &v, 1) : NULL;
        v = scalar && copy ? psc_shape_reshape(l, t->span, copy, NULL, 0) : copy;
        if (!v) {
            return psc_poison(t->span);
        }
        copy->kept = true;
        v->name = name;
        return psc_of_value(v, t->span);
    }
    psc_bare(v)->kept = true;
    return psc_of_value(v, t->span);
}

static void lower_let(psc_lowering *l, const hrm_let *let)
{
    psc_attributes attributes = psc_attributes_resolve(l->unit, &let->attributes, PSC_AT_LET);
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
        if (part.kind == PSC_TERM_VALUE && attributes.materialize) {
            part = materialized(l, &part);
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

enum { MISSING_SHOWN_MAX = 8 };

/* A field that a record gives: a message or a value. */
typedef struct given {
    uint32_t field;
    const hrm_expr *record; /* NULL: the term */
    psc_term term;
} given;

/* The fields of the messages that a pipeline gives, while they are stored. */
typedef struct gathering {
    const char *missing; /* fields without a value and a default */
    unsigned missing_count;
    bool ok; /* false: a name was wrong, so that it is unclear which are missing */
} gathering;

typedef PSC_LIST(given) givens;

static const given *find_given(const givens *list, uint32_t field)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->at[i].field == field) {
            return &list->at[i];
        }
    }
    return NULL;
}

/* The field that a `name: value` is for; field_count after an error. */
static uint32_t field_of(psc_lowering *l, uint32_t parent, const hrm_argument *a, const givens *list)
{
    const psc_message *m = l->pipeline->output, *of = parent == PSY_NONE ? m : m->fields[parent].part;
    const char *names[256];
    size_t count = 0;
    if (!a->name.text) {
        psc_help(ERROR(PSC_E_SYNTAX, a->value->span, "which field is this?"), "write `FIELD: value`");
        return m->field_count;
    }
    uint32_t k = psc_field_find(m, parent, a->name.text);
    if (k == m->field_count) {
        for (uint32_t i = 0; i < m->field_count && count < 256; i++) {
            if (m->fields[i].layout.parent == parent) {
                names[count++] = psc_field_word(&m->fields[i]);
            }
        }
        psc_help_nearest(ERROR(PSC_E_UNKNOWN_NAME, a->name.span, "message `%s` has no field `%s`", of->name, a->name.text),
                         a->name.text, names, count);
    } else if (find_given(list, k)) {
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
    psc_span span = l->pipeline->node->record_span;
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

/* A field that nobody reads any more: its default, or zeros. */
static void store_retired(psc_lowering *l, uint32_t k)
{
    const psc_field *f = &l->pipeline->output->fields[k];
    psc_span span = l->pipeline->node->record_span;
    if (f->layout.kind == PSY_FIELD_OPTIONAL) {
        psc_optional_store_nothing(l, span, k);
    } else if (psy__field_is_vector(&f->layout)) {
        psc_value *zero = psc_emit(l, span, PSY_OP_CONST, f->layout.dtype, NULL, 0, NULL, 0);
        psc_value *all = zero ? psc_emit(l, span, PSY_OP_REPEAT, f->layout.dtype, &f->layout.count, 1, &zero, 1) : NULL;
        if (all) {
            psc_term t = psc_of_value(all, span);
            store(l, k, &t);
        }
    } else {
        store_default(l, k);
    }
}

/* A message that came in goes out: field by field. */
static void copy_part(psc_lowering *l, uint32_t k, const psc_term *t)
{
    const psc_field *f = &l->pipeline->output->fields[k];
    const psc_message *in = l->pipeline->input, *from = t->index == PSY_NONE ? in : in->fields[t->index].part;
    if (from != f->part) {
        psc_note(ERROR(PSC_E_TYPE, t->span, "field `%s` is a `%s`, and this is a `%s`", f->name, f->part->name, from->name),
                 f->span, "the field is declared here");
        return;
    }
    uint32_t first = t->index == PSY_NONE ? 0 : t->index + 1;
    for (uint32_t i = 0; i < from->field_count; i++) {
        if (!from->fields[i].part && !(from->fields[i].layout.flags & PSY_FIELD_RETIRED)) {
            psc_term one = psc_load_field(l, t->span, first + i);
            if (one.kind != PSC_TERM_POISON) {
                store(l, k + 1 + i, &one);
            }
        } else if (!from->fields[i].part) {
            store_retired(l, k + 1 + i);
        }
    }
}

static void lower_fields(psc_lowering *l, gathering *g, const hrm_arguments *arguments, uint32_t parent);

static void lower_part(psc_lowering *l, gathering *g, uint32_t k, const given *a)
{
    static const hrm_arguments none = {0};
    const psc_field *f = &l->pipeline->output->fields[k];
    if (!a) {
        lower_fields(l, g, &none, k);
    } else if (a->record && strcmp(a->record->name.text, f->part->name) != 0) {
        psc_note(ERROR(PSC_E_TYPE, a->record->name.span, "field `%s` is a `%s`, not a `%s`", f->name, f->part->name,
                       a->record->name.text),
                 f->span, "the field is declared here");
    } else if (a->record) {
        psc_index_add_name(l->unit, PSC_INDEX_MESSAGE, a->record->name.span, f->part->span);
        lower_fields(l, g, &a->record->arguments, k);
    } else if (a->term.kind == PSC_TERM_MESSAGE) {
        copy_part(l, k, &a->term);
    } else if (a->term.kind != PSC_TERM_POISON) {
        psc_diagnostic *d =
            ERROR(PSC_E_TYPE, a->term.span, "field `%s` is a `%s`, and this is a value", f->name, f->part->name);
        psc_note(d, f->span, "the field is declared here");
        psc_help(d, "write `%s: %s { FIELD: value }`", psc_field_word(f), f->part->name);
    }
}

/* Stores what lies in a part of the output, or in the output itself. */
static void lower_fields(psc_lowering *l, gathering *g, const hrm_arguments *arguments, uint32_t parent)
{
    const psc_message *m = l->pipeline->output;
    givens list = {0};
    for (size_t i = 0; i < arguments->count; i++) {
        const hrm_argument *a = &arguments->at[i];
        given one = {.field = field_of(l, parent, a, &list), .record = a->value->kind == HRM_RECORD ? a->value : NULL};
        bool known = one.field < m->field_count;
        if (!one.record) {
            l->hint = known ? m->fields[one.field].layout.dtype : 0;
            one.term = psc_lower_expr(l, a->value);
            l->hint = 0;
        }
        g->ok = g->ok && known;
        if (known) {
            psc_push(l->unit->arena, &list, one);
        }
    }
    for (uint32_t k = 0; k < m->field_count; k++) {
        const psc_field *f = &m->fields[k];
        if (f->layout.parent != parent) {
            continue;
        }
        const given *a = find_given(&list, k);
        if (f->part) {
            lower_part(l, g, k, a);
        } else if (f->layout.flags & PSY_FIELD_RETIRED) {
            store_retired(l, k);
            if (a) {
                psc_note(ERROR(PSC_E_FIELD, a->record ? a->record->span : a->term.span, "field `%s` is retired", f->name),
                         f->span, "it is declared here");
            }
        } else if (a && a->record) {
            psc_note(ERROR(PSC_E_TYPE, a->record->span, "field `%s` is %s, and this is a message", f->name,
                           psc_field_type_text(l->unit->arena, f)),
                     f->span, "the field is declared here");
        } else if (a) {
            store(l, k, &a->term);
        } else if (f->layout.kind == PSY_FIELD_OPTIONAL) {
            psc_optional_store_nothing(l, l->pipeline->node->record_span, k);
        } else if (f->has_default) {
            store_default(l, k);
        } else {
            g->missing = g->missing_count++ < MISSING_SHOWN_MAX
                             ? psc_format(l->unit->arena, "%s%s`%s`", g->missing, *g->missing ? ", " : "", f->name)
                             : g->missing;
        }
    }
}

/* One of the messages that the pipeline gives. */
static void lower_record(psc_lowering *l, const hrm_expr *record, uint32_t parent)
{
    const psc_message *m = l->pipeline->output, *of = parent == PSY_NONE ? m : m->fields[parent].part;
    gathering g = {.missing = "", .ok = true};
    lower_fields(l, &g, &record->arguments, parent);
    if (g.ok && *g.missing) {
        psc_diagnostic *d = ERROR(PSC_E_FIELD, record->name.span, "not given, and without a default: %s%s", g.missing,
                                  g.missing_count > MISSING_SHOWN_MAX ? " and more" : "");
        psc_note(d, of->span, "message `%s` is declared here", of->name);
    }
}

/* Several messages are the parts of one, in order. */
static uint32_t part_number(const psc_message *m, size_t count, size_t i)
{
    uint32_t k = 0;
    for (size_t seen = 0; count > 1 && (m->fields[k].layout.parent != PSY_NONE || seen++ < i); k++) {
    }
    return count > 1 ? k : PSY_NONE;
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
        const hrm_parameters *inputs = &p->node->parameters;
        for (size_t k = 0; k < inputs->count; k++) {
            const psc_name *input = &inputs->at[k].name;
            psc_bind(
                l, input->text,
                (psc_term){.kind = PSC_TERM_MESSAGE, .span = input->span, .index = part_number(p->input, inputs->count, k)});
        }
        for (size_t k = 0; k < p->node->lets.count; k++) {
            lower_let(l, p->node->lets.at[k]);
        }
        const hrm_records *records = &p->node->records;
        for (size_t k = 0; k < records->count; k++) {
            lower_record(l, records->at[k], part_number(p->output, records->count, k));
        }
        psc_variant_note(unit, p, said);
        failed = unit->diags->errors != errors;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind an @ in a schema. */
#include <string.h>

#include <psyne/message.h>

#include "isa/layout.h"
#include "schema_state.h"

/* What is being marked. */
typedef struct marked {
    psc_schema_resolver *r;
    const psc_message *in; /* the type that the field is in */
    psc_message *type;     /* or the type; one of both is NULL */
    psc_field *field;
    const psy_attribute *a;
} marked;

static const char *name_of(const marked *m) { return m->field ? m->field->name : m->type->name; }

static bool takes_nothing(const marked *m)
{
    if (m->a->argument) {
        psc_help(psc_error(m->r->diags, PSC_E_ARGUMENTS, m->a->argument->span, "`@%s` takes no argument", m->a->name.text),
                 "write `@%s`", m->a->name.text);
    }
    return !m->a->argument;
}

/* The text in the parentheses; NULL after an error. */
static const char *text_of(const marked *m)
{
    const psy_expr *e = m->a->argument;
    if (!e || e->kind != PSY_EXPR_TEXT || !*e->name || !psy_utf8_valid(e->name, strlen(e->name))) {
        psc_help(psc_error(m->r->diags, PSC_E_ARGUMENTS, e ? e->span : m->a->name.span, "`@%s` takes a text", m->a->name.text),
                 "write it in quotes: `@%s(\"...\")`", m->a->name.text);
        return NULL;
    }
    return e->name;
}

static void mark_key(const marked *m)
{
    psc_field *f = m->field;
    if (!takes_nothing(m)) {
        return;
    }
    if (m->in->layout.kind != PSY_TYPE_MESSAGE) {
        psc_error(m->r->diags, PSC_E_KEY, m->a->name.span, "only messages have keys, and this is %s", psc_type_phrase(m->in));
    } else if (f->layout.dtype != PSY_U64 || f->layout.kind != PSY_FIELD_SCALAR || f->type) {
        psc_help(psc_error(m->r->diags, PSC_E_KEY, m->a->name.span, "`%s` cannot be the key: keys are u64 scalars", f->name),
                 "hash other keys to a u64 first");
    } else {
        f->layout.flags |= PSY_FIELD_KEY;
    }
}

/* A wrong version leaves 0. */
static void mark_since(const marked *m)
{
    const psy_attribute *a = m->a;
    const bool number = a->argument && a->argument->kind != PSY_EXPR_TEXT;
    if (m->in->layout.kind == PSY_TYPE_STRUCT) {
        psc_help(psc_error(m->r->diags, PSC_E_FIELD, a->name.span, "a struct never changes: `%s` is as old as it is",
                           m->field->name),
                 "make it a message, or another struct");
        return;
    }
    psc_number v = number ? psc_schema_evaluate(m->r, a->argument) : (psc_number){PSC_NUMBER_REAL, 0, 0};
    m->field->layout.since = 0;
    if (v.kind == PSC_NUMBER_INTEGER && v.integer >= 1 && v.integer <= UINT16_MAX) {
        m->field->layout.since = (uint32_t)v.integer;
    } else if (v.kind != PSC_NUMBER_POISON) {
        psc_help(psc_error(m->r->diags, PSC_E_FIELD, a->name.span, "`@since` takes a version from 1 to %d", UINT16_MAX),
                 "write `@since(2)`");
    }
}

static void mark_deprecated(const marked *m)
{
    const char *text = m->a->argument ? text_of(m) : "";
    if (m->field) {
        m->field->deprecated = text;
        m->field->layout.flags |= PSY_FIELD_DEPRECATED;
    } else {
        m->type->deprecated = text;
    }
}

static void mark_retired(const marked *m)
{
    if (!takes_nothing(m)) {
        return;
    }
    if (m->in->layout.kind != PSY_TYPE_MESSAGE) {
        psc_help(psc_error(m->r->diags, PSC_E_FIELD, m->a->name.span, "only fields of messages can be retired"),
                 "write `@deprecated`");
    } else if (m->field->layout.flags & PSY_FIELD_KEY) {
        psc_error(m->r->diags, PSC_E_KEY, m->a->name.span, "`%s` is the key: it cannot be retired", m->field->name);
    } else {
        m->field->layout.flags |= PSY_FIELD_RETIRED;
    }
}

static void mark_align(const marked *m)
{
    const psy_attribute *a = m->a;
    const psy_psm_field *l = &m->field->layout;
    const bool number = a->argument && a->argument->kind != PSY_EXPR_TEXT;
    psc_number v = number ? psc_schema_evaluate(m->r, a->argument) : (psc_number){PSC_NUMBER_REAL, 0, 0};
    unsigned log = 0;
    if (v.kind == PSC_NUMBER_POISON) {
        return;
    }
    while (log <= 6 && (v.kind != PSC_NUMBER_INTEGER || v.integer != INT64_C(1) << log)) {
        log++;
    }
    if (log > 6 || log == 0) {
        psc_help(psc_error(m->r->diags, PSC_E_FIELD, a->name.span, "`@align` takes 2, 4, 8, 16, 32 or 64"),
                 "write `@align(64)`");
    } else if (m->in->layout.kind == PSY_TYPE_ENUM || m->in->layout.kind == PSY_TYPE_FLAGS ||
               m->in->layout.kind == PSY_TYPE_UNION) {
        psc_error(m->r->diags, PSC_E_FIELD, a->name.span, "only fields of messages and structs are aligned");
    } else if (1u << log < psy__dtype_bytes(l->dtype)) {
        psc_error(m->r->diags, PSC_E_FIELD, a->name.span, "`%s` is aligned to %u already", m->field->name,
                  psy__dtype_bytes(l->dtype));
    } else {
        m->field->layout.flags |= (uint16_t)(log << PSY_FIELD_ALIGN_SHIFT);
    }
}

static void mark_topic(const marked *m)
{
    if (m->type->layout.kind != PSY_TYPE_MESSAGE) {
        psc_error(m->r->diags, PSC_E_FIELD, m->a->name.span, "only messages have topics, and this is %s",
                  psc_type_phrase(m->type));
    } else {
        m->type->topic = text_of(m);
    }
}

static const struct row {
    const char *name;
    void (*of_field)(const marked *); /* NULL: fields have none of this name */
    void (*of_type)(const marked *);
    const char *doc;
} rows[] = {
#define SCHEMA_ATTRIBUTE(name, of_field, of_type, doc) {"@" name, of_field, of_type, doc},
#include "schema_attributes.def"
#undef SCHEMA_ATTRIBUTE
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static void unknown(const marked *m, const char *name)
{
    const char *known[ROWS], *list = "";
    size_t count = 0;
    for (size_t i = 0; i < ROWS; i++) {
        if (m->field ? rows[i].of_field : rows[i].of_type) {
            list = psc_format(m->r->arena, "%s%s`%s`", list, count ? ", " : "", rows[i].name);
            known[count++] = rows[i].name;
        }
    }
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            psc_help(psc_error(m->r->diags, PSC_E_FIELD, m->a->name.span, "`%s` does not stand on a %s", name,
                               m->field ? "field" : "type"),
                     "there are %s", list);
            return;
        }
    }
    psc_diagnostic *d = psc_error(m->r->diags, PSC_E_UNKNOWN_NAME, m->a->name.span, "there is no attribute `%s`", name);
    if (!psc_help_nearest(d, name, known, count)) {
        psc_help(d, "there are %s", list);
    }
}

static void mark(marked m, const psy_attributes *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const psy_attribute *a = &list->at[i];
        const char *name = psc_format(m.r->arena, "@%s", a->name.text);
        bool twice = false;
        for (size_t k = 0; k < i && !twice; k++) {
            twice = strcmp(list->at[k].name.text, a->name.text) == 0;
        }
        size_t row = 0;
        while (row < ROWS && (strcmp(rows[row].name, name) != 0 || !(m.field ? rows[row].of_field : rows[row].of_type))) {
            row++;
        }
        m.a = a;
        if (twice) {
            psc_error(m.r->diags, PSC_E_DUPLICATE, a->name.span, "`%s` has `%s` already", name_of(&m), name);
        } else if (row == ROWS) {
            unknown(&m, name);
        } else {
            (m.field ? rows[row].of_field : rows[row].of_type)(&m);
        }
    }
}

void psc_schema_field_attributes(psc_schema_resolver *r, const psc_message *in, const psy_field_node *node, psc_field *f)
{
    mark((marked){.r = r, .in = in, .field = f}, &node->attributes);
}

void psc_schema_type_attributes(psc_schema_resolver *r, const psy_block_node *node, psc_message *m)
{
    mark((marked){.r = r, .in = m, .type = m}, &node->attributes);
}

bool psc_schema_attribute(size_t i, const char **name, bool *of_type, const char **doc)
{
    if (i >= ROWS) {
        return false;
    }
    *name = rows[i].name;
    *of_type = rows[i].of_type && !rows[i].of_field;
    *doc = rows[i].doc;
    return true;
}

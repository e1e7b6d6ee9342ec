/* SPDX-License-Identifier: Apache-2.0 */
/* From a parsed schema to a checked and laid out one. */
#include "schema.h"

#include <string.h>

#include "isa/layout.h"
#include "schema_names.h"
#include "schema_state.h"

/* At most `most` of them: more are reported, and left alone. */
static size_t within(psc_schema_resolver *r, size_t count, size_t most, const char *what, psc_span at)
{
    if (count > most) {
        psc_error(r->diags, PSC_E_LIMIT, at, "more than %zu %s", most, what);
    }
    return count > most ? most : count;
}

static void resolve_constants(psc_schema_resolver *r)
{
    psc_schema *s = r->schema;
    size_t all = r->file->constants.count;
    size_t count = within(r, all, PSC_CONSTANTS_MAX, "constants in a file",
                          all ? r->file->constants.at[all - 1].name.span : (psc_span){0});
    s->constants = psc_alloc(r->arena, count * sizeof *s->constants);
    for (size_t i = 0; i < count; i++) {
        const psy_const_node *node = &r->file->constants.at[i];
        psc_constant *c = &s->constants[s->constant_count];
        psc_number v = psc_schema_evaluate(r, node->value);
        *c = (psc_constant){.name = node->name.text,
                            .span = node->name.span,
                            .doc = node->name.doc,
                            .is_float = v.kind == PSC_NUMBER_REAL,
                            .integer = v.integer,
                            .real = v.real,
                            .poisoned = v.kind == PSC_NUMBER_POISON};
        bool taken = false;
        for (uint32_t k = 0; k < s->constant_count && !taken; k++) {
            taken = strcmp(s->constants[k].name, c->name) == 0;
            if (taken) {
                psc_note(psc_error(r->diags, PSC_E_DUPLICATE, c->span, "there is a constant `%s` already", c->name),
                         s->constants[k].span, "it is here");
            }
        }
        s->constant_count += !taken;
    }
}

/* ---- messages ---- */

const char *psc_field_type_text(psc_arena *arena, const psc_field *f)
{
    char text[PSY_FIELD_TYPE_TEXT_BYTES];
    psy__field_type_text(text, &f->layout, NULL);
    return f->part ? f->part->name : psc_strndup(arena, text, strlen(text));
}

psy_status psc_lay_out(psc_arena *arena, const char *full_name, psc_field *fields, uint32_t count, psy_psm_type *layout)
{
    /* The layout rules want names as offsets into strings. */
    size_t bytes = strlen(full_name) + 2;
    for (uint32_t i = 0; i < count; i++) {
        bytes += strlen(fields[i].name) + 1;
    }
    char *strings = psc_alloc(arena, bytes), *at = strings + 1;
    psy_psm_field *records = psc_alloc(arena, (count + 1) * sizeof *records);
    *layout = (psy_psm_type){.name = (uint32_t)(at - strings), .field_count = count};
    at = stpcpy(at, full_name) + 1;
    for (uint32_t i = 0; i < count; i++) {
        records[i] = fields[i].layout;
        records[i].name = (uint32_t)(at - strings);
        at = stpcpy(at, fields[i].name) + 1;
    }
    psy_status status = psy__layout(strings, NULL, 0, layout, records);
    layout->name = 0;
    for (uint32_t i = 0; i < count; i++) {
        fields[i].layout = records[i];
        fields[i].layout.name = 0;
    }
    return status;
}

/* The first field with which the message has no layout any more. */
static void too_large(psc_schema_resolver *r, psc_message *m)
{
    uint32_t fits = 0, fails = m->field_count;
    while (fails - fits > 1) {
        uint32_t n = fits + (fails - fits) / 2;
        bool ok = psc_lay_out(r->arena, m->full_name, m->fields, n, &m->layout) == PSY_OK;
        *(ok ? &fits : &fails) = n;
    }
    /* Of what lies in a part, the part is to blame. */
    while (m->fields[fits].layout.parent != PSY_NONE) {
        fits = m->fields[fits].layout.parent;
    }
    psc_error(r->diags, PSC_E_LIMIT, m->fields[fits].span, "message `%s` grows over 1 GiB with this field", m->name);
}
_Static_assert(PSY_MESSAGE_BYTES_MAX == 1 << 30, "the message names it");

/* Fields are only added at the end, so none is older than the one before it. `newest` is the newest so far. */
static void check_since(psc_schema_resolver *r, psc_field *f, uint32_t *newest)
{
    if (f->layout.since != 0 && f->layout.since < *newest) {
        psc_help(psc_error(r->diags, PSC_E_FIELD, f->span, "`%s` is older than the field before it", f->name),
                 "fields are only ever added at the end: `@since(%u)` or more", *newest);
    }
    *newest = f->layout.since > *newest ? f->layout.since : *newest;
}

static bool add_field(const psc_message_maker *k, const psc_field *f, psc_span span)
{
    if (k->fields->count == PSC_FIELDS_MAX) {
        psc_error(k->diags, PSC_E_LIMIT, span, "message `%s` has more than %d fields, with those of its parts",
                  k->message->name, PSC_FIELDS_MAX);
        return false;
    }
    psc_push(k->arena, k->fields, *f);
    return true;
}

/* Adds the fields of the part that was added last, as they lie in this message. */
static bool add_inner(const psc_message_maker *k)
{
    psc_message *m = k->message;
    const uint32_t index = (uint32_t)k->fields->count - 1;
    const psc_field part = k->fields->at[index];
    m->depth = part.part->depth + 1 > m->depth ? part.part->depth + 1 : m->depth;
    if (m->depth > PSY_MESSAGE_DEPTH_MAX) {
        psc_error(k->diags, PSC_E_LIMIT, part.span, "messages inside messages are nested %u deep: at most %d", m->depth,
                  PSY_MESSAGE_DEPTH_MAX);
        return false;
    }
    for (uint32_t i = 0; i < part.part->field_count; i++) {
        psc_field f = part.part->fields[i];
        f.name = psc_format(k->arena, "%s.%s", part.name, f.name);
        f.layout.parent = f.layout.parent == PSY_NONE ? index : index + 1 + f.layout.parent;
        f.layout.flags &= (uint16_t)~PSY_FIELD_KEY;
        if (strlen(f.name) > PSC_FIELD_NAME_MAX) {
            psc_error(k->diags, PSC_E_LIMIT, part.span, "`%s` has more than %d characters", f.name, PSC_FIELD_NAME_MAX);
            return false;
        }
        if (!add_field(k, &f, part.span)) {
            return false;
        }
    }
    return true;
}

bool psc_message_add(const psc_message_maker *k, const psc_field *f)
{
    bool good = add_field(k, f, f->span) && (!f->part || add_inner(k));
    k->message->fields = k->fields->at;
    k->message->field_count = (uint32_t)k->fields->count;
    return good;
}

static void check_twice(psc_schema_resolver *r, const psc_message *m, const psc_fields *fields, const psc_field *f)
{
    for (size_t k = 0; k < fields->count; k++) {
        if (strcmp(fields->at[k].name, f->name) == 0) {
            psc_note(psc_error(r->diags, PSC_E_DUPLICATE, f->span, "message `%s` has a field `%s` already", m->name, f->name),
                     fields->at[k].span, "it is here");
            return;
        }
    }
}

/* False: something in it is wrong, or in a part of it. */
static bool resolve_fields(psc_schema_resolver *r, uint32_t index, psc_message *m)
{
    const psy_message_node *node = r->file->messages.at[index];
    size_t count = within(r, node->fields.count, PSC_FIELDS_MAX, "fields in a message", m->span);
    unsigned errors = r->diags->errors;
    bool good = count == node->fields.count;
    psc_fields fields = {0};
    const psc_message_maker maker = {r->arena, r->diags, m, &fields};
    psc_span key = {0};
    uint32_t newest = 1;
    for (size_t i = 0; i < count; i++) {
        const psy_field_node *from = node->fields.at[i];
        psc_field f = {.name = from->name.text,
                       .span = from->name.span,
                       .doc = from->name.doc,
                       .layout = {.since = 1, .parent = PSY_NONE, .type = PSY_NONE}};
        check_twice(r, m, &fields, &f);
        bool typed = psc_schema_resolve_field(r, from, &f);
        f.part = typed ? f.part : NULL;
        if (typed && (f.layout.flags & PSY_FIELD_KEY) && key.source) {
            psc_note(psc_error(r->diags, PSC_E_KEY, f.span, "message `%s` has a key already", m->name), key, "it is here");
        }
        if (typed) {
            key = f.layout.flags & PSY_FIELD_KEY ? f.span : key;
            check_since(r, &f, &newest);
        }
        if (!psc_message_add(&maker, &f)) {
            return false;
        }
        good = good && typed;
    }
    return good && r->diags->errors == errors;
}

static void resolve_message(psc_schema_resolver *r, uint32_t index)
{
    const psy_message_node *node = r->file->messages.at[index];
    psc_message *m = &r->schema->messages[index];
    m->name = node->name.text;
    m->span = node->name.span;
    m->doc = node->name.doc;
    m->full_name = *r->schema->space ? psc_format(r->arena, "%s.%s", r->schema->space, m->name) : m->name;
    r->progress[index] = PSC_SCHEMA_BEGUN;
    r->path[r->path_count++] = (psc_schema_step){index, NULL};
    bool good = resolve_fields(r, index, m);
    r->path_count--;
    if (good && psc_lay_out(r->arena, m->full_name, m->fields, m->field_count, &m->layout) != PSY_OK) {
        too_large(r, m);
        good = false;
    }
    r->progress[index] = good ? PSC_SCHEMA_DONE : PSC_SCHEMA_POISONED;
    r->schema->order[r->schema->order_count++] = m;
}

/* The message that is on the path to itself. */
static void report_cycle(psc_schema_resolver *r, uint32_t index, const psy_field_node *field)
{
    uint32_t first = 0;
    while (r->path[first].message != index) {
        first++;
    }
    psc_diagnostic *d =
        psc_error(r->diags, PSC_E_FIELD, field->type.span, "message `%s` would contain itself", field->type.name.text);
    for (uint32_t i = first; i + 1 < r->path_count; i++) {
        const psy_field_node *step = r->path[i].field;
        psc_note(d, step->type.span, "`%s.%s` is a `%s`", r->schema->messages[r->path[i].message].name, step->name.text,
                 step->type.name.text);
    }
    psc_help(d, "refer to it by a key: `u64`");
}

const psc_message *psc_schema_resolve_part(psc_schema_resolver *r, const psy_field_node *field, bool *poisoned)
{
    uint32_t index = 0;
    while (index < r->schema->message_count && strcmp(r->file->messages.at[index]->name.text, field->type.name.text) != 0) {
        index++;
    }
    if (index == r->schema->message_count) {
        *poisoned = true; /* over the limit: reported */
        return NULL;
    }
    r->path[r->path_count - 1].field = field;
    if (r->progress[index] == PSC_SCHEMA_BEGUN) {
        report_cycle(r, index, field);
    } else if (r->progress[index] == PSC_SCHEMA_NEW) {
        resolve_message(r, index);
    }
    *poisoned = r->progress[index] != PSC_SCHEMA_DONE;
    return &r->schema->messages[index];
}

static void resolve_messages(psc_schema_resolver *r)
{
    psc_schema *s = r->schema;
    size_t all = r->file->messages.count;
    s->message_count = (uint32_t)within(r, all, PSC_MESSAGES_MAX, "messages in a file",
                                        all ? r->file->messages.at[all - 1]->name.span : (psc_span){0});
    s->messages = psc_alloc(r->arena, s->message_count * sizeof *s->messages);
    s->order = psc_alloc(r->arena, s->message_count * sizeof *s->order);
    r->progress = psc_alloc(r->arena, s->message_count * sizeof *r->progress);
    r->path = psc_alloc(r->arena, s->message_count * sizeof *r->path);
    for (uint32_t i = 0; i < s->message_count; i++) {
        if (r->progress[i] == PSC_SCHEMA_NEW) {
            resolve_message(r, i);
        }
        for (uint32_t k = 0; k < i; k++) {
            const psc_message *m = &s->messages[i], *other = &s->messages[k];
            if (strcmp(m->name, other->name) == 0) {
                psc_note(psc_error(r->diags, PSC_E_DUPLICATE, m->span, "there is a message `%s` already", m->name), other->span,
                         "it is here");
                break;
            }
        }
    }
}

const char *psc_field_word(const psc_field *f)
{
    const char *dot = strrchr(f->name, '.');
    return dot ? dot + 1 : f->name;
}

uint32_t psc_field_find(const psc_message *m, uint32_t parent, const char *name)
{
    uint32_t i = 0;
    while (i < m->field_count && (m->fields[i].layout.parent != parent || strcmp(psc_field_word(&m->fields[i]), name) != 0)) {
        i++;
    }
    return i;
}

psc_schema *psc_schema_parse(psc_arena *arena, psc_diagnostics *diags, const psc_source *source)
{
    unsigned errors = diags->errors;
    psc_syntax syntax = {.arena = arena, .diags = diags, .source = source};
    const psy_file *file = psc_psy_parse_file(&syntax);
    if (syntax.gave_up) {
        return NULL;
    }
    psc_schema *s = psc_new(arena, psc_schema);
    psc_schema_resolver r = {.arena = arena, .diags = diags, .file = file, .schema = s};
    s->source = source;
    s->space = "";
    s->space_span = file->space_span;
    for (size_t i = 0; i < file->space.count && strlen(s->space) <= PSC_NAMESPACE_MAX; i++) {
        s->space = psc_format(arena, "%s%s%s", s->space, i ? "." : "", file->space.at[i].text);
    }
    if (strlen(s->space) > PSC_NAMESPACE_MAX) {
        psc_error(diags, PSC_E_LIMIT, file->space_span, "a namespace has at most %d characters", PSC_NAMESPACE_MAX);
    }
    resolve_constants(&r);
    resolve_messages(&r);
    if (diags->errors == errors) {
        psc_schema_check_names(arena, diags, s);
    }
    return diags->errors == errors ? s : NULL;
}

const psc_message *psc_schema_message(const psc_schema *schema, const char *name)
{
    for (uint32_t i = 0; i < schema->message_count; i++) {
        const psc_message *m = &schema->messages[i];
        if (strcmp(m->name, name) == 0 || strcmp(m->full_name, name) == 0) {
            return m;
        }
    }
    return NULL;
}

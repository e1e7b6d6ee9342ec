/* SPDX-License-Identifier: Apache-2.0 */
#include "compose.h"

#include <string.h>

#include "schema_names.h"

#define ERROR(...) psc_error(unit->diags, __VA_ARGS__)

/* The namespace of a message, with its dot. */
static const char *space_of(psc_arena *arena, const psc_message *m)
{
    return psc_strndup(arena, m->full_name, strlen(m->full_name) - strlen(m->name));
}

/* No imported message is called so. */
static bool is_free(psc_unit *unit, const psc_message *made)
{
    for (size_t i = 0; i < unit->schemas.count; i++) {
        const psc_schema *s = unit->schemas.at[i];
        for (uint32_t k = 0; k < s->message_count; k++) {
            if (strcmp(s->messages[k].full_name, made->full_name) == 0) {
                psc_note(ERROR(PSC_E_DUPLICATE, made->span, "the messages of this pipeline make a `%s`", made->full_name),
                         s->messages[k].span, "there is one already");
                return false;
            }
        }
    }
    return true;
}

/* The part that was added last keeps its key. */
static void keep_key(psc_message *m, const psc_component *c)
{
    uint32_t first = m->field_count - c->message->field_count;
    for (uint32_t i = 0; i < c->message->field_count; i++) {
        m->fields[first + i].layout.flags |= c->message->fields[i].layout.flags & PSY_FIELD_KEY;
    }
}

static bool has_key(const psc_message *m)
{
    for (uint32_t i = 0; i < m->field_count; i++) {
        if (m->fields[i].layout.flags & PSY_FIELD_KEY) {
            return true;
        }
    }
    return false;
}

const psc_message *psc_compose(psc_unit *unit, const psc_name *pipeline, const char *word, const psc_component *components,
                               size_t count)
{
    psc_arena *arena = unit->arena;
    psc_message *m = psc_new(arena, psc_message);
    psc_fields fields = {0};
    const psc_message_maker maker = {arena, unit->diags, m, &fields};
    m->name = psc_format(arena, "%s.%s", pipeline->text, word);
    m->full_name = psc_format(arena, "%s%s", space_of(arena, components[0].message), m->name);
    m->span = pipeline->span;
    for (size_t i = 0; i < count; i++) {
        const psc_component *c = &components[i];
        psc_field f = {.name = c->name->text,
                       .span = c->name->span,
                       .doc = c->message->doc,
                       .part = c->message,
                       .type = c->message,
                       .layout = {.dtype = PSY_U8, .kind = PSY_FIELD_PART, .since = 1, .parent = PSY_NONE, .type = PSY_NONE}};
        bool keyed = has_key(m);
        if (!psc_message_add(&maker, &f)) {
            return NULL;
        }
        if (!keyed) {
            keep_key(m, c);
        }
    }
    if (!is_free(unit, m)) {
        return NULL;
    }
    if (psc_lay_out(arena, m->full_name, m->fields, m->field_count, &m->layout) != PSY_OK) {
        ERROR(PSC_E_LIMIT, m->span, "the messages of `%s` are together more than 1 GiB", pipeline->text);
        return NULL;
    }
    psc_schema one = {.source = unit->source, .space = "", .messages = m, .message_count = 1, .order_count = 1};
    one.order = psc_alloc(arena, sizeof *one.order);
    one.order[0] = m;
    unsigned errors = unit->diags->errors;
    psc_schema_check_names(arena, unit->diags, &one);
    if (unit->diags->errors != errors) {
        return NULL;
    }
    psc_push(arena, &unit->composed, m);
    return m;
}

static bool is_used(const psc_unit *unit, const psc_schema *s)
{
    for (size_t i = 0; i < unit->composed.count; i++) {
        const psc_message *m = unit->composed.at[i];
        for (uint32_t k = 0; k < m->field_count; k++) {
            const psc_message *part = m->fields[k].part;
            for (uint32_t n = 0; part && n < s->message_count; n++) {
                if (part == &s->messages[n]) {
                    return true;
                }
            }
        }
    }
    return false;
}

int psc_composed_write(const psc_unit *unit, const char *stem, FILE *to)
{
    psc_schema all = {
        .source = unit->source, .space = "", .order = unit->composed.at, .order_count = (uint32_t)unit->composed.count};
    PSC_LIST(const psc_schema *) used = {0};
    for (size_t i = 0; i < unit->schemas.count; i++) {
        if (is_used(unit, unit->schemas.at[i])) {
            psc_push(unit->arena, &used, unit->schemas.at[i]);
        }
    }
    return psc_header_write(&all, psc_format(unit->arena, "%s.hrm", stem), used.at, used.count, to);
}

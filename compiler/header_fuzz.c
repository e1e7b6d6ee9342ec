/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz targets for the messages of a schema: what reads every field of each, and what must hold for any bytes. */
#include <string.h>

#include "header.h"
#include "isa/layout.h"
#include "schema_names.h"

#define TEXT(...) psc_format(w->arena, __VA_ARGS__)

static void put(psc_header *w, const char *section, const psc_pair *pairs)
{
    psc_template_write(psc_template_fuzz, section, pairs, w->to);
}

/* ---- which types are read ---- */

/* Messages, each after those that lie in it, from other schemas too. */
static void add_type(psc_header *w, const psc_message *type)
{
    if (psc_header_index(w, type) < w->types.count) {
        return;
    }
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (type->fields[i].type) {
            add_type(w, type->fields[i].type);
        }
    }
    psc_push(w->arena, &w->types, type);
}

/* ---- one field ---- */

/* What header_accessors.c writes getters of, with `rows` elements. */
static const psc_pair *pairs_of(psc_header *w, const psc_spot *s)
{
    const psc_field *f = s->field;
    const psc_pair *pairs = psc_header_pairs(w, s);
    const bool bounded = f->layout.kind == PSY_FIELD_BOUNDED;
    size_t n = 0;
    while (pairs[n].key) {
        n++;
    }
    psc_pair *all = psc_alloc(w->arena, (n + 4) * sizeof *all);
    memcpy(all, pairs, n * sizeof *all);
    all[n++] = (psc_pair){"full_name", w->message->full_name};
    all[n++] = (psc_pair){"from", psc_field_is_open(f) ? "v" : "m"};
    all[n++] = (psc_pair){"rows", f->layout.kind == PSY_FIELD_TAIL ? TEXT("%s_%s_count(v)", w->type, s->name)
                                  : bounded                        ? TEXT("%s_%s_count(m)", w->type, s->name)
                                                                   : psc_header_decimal(w, f->layout.count)};
    all[n] = (psc_pair){NULL, NULL};
    return all;
}

static void put_has(psc_header *w, const psc_spot *s, const char *there)
{
    put(w, "has",
        PSC_PAIRS({"type", w->type}, {"name", s->name}, {"full_name", w->message->full_name},
                  {"from", psc_field_is_open(s->field) ? "v" : "m"}, {"there", there}));
}

static void see_field(psc_header *w, const psc_spot *s)
{
    const psc_field *f = s->field;
    const psy_psm_field *l = &f->layout;
    const psc_pair *pairs = pairs_of(w, s);
    const bool text = psc_field_is_text(f), texts = psy__field_is_texts(l), messages = psc_field_is_messages(f),
               tail = l->kind == PSY_FIELD_TAIL, optional = l->kind == PSY_FIELD_OPTIONAL;
    const bool view = messages && psc_type_is_tailed(f->type), whole = f->part || (optional && psc_field_is_items(f));
    if (l->kind == PSY_FIELD_UNION) {
        put(w, "union", pairs);
        for (uint32_t i = 0; i < f->type->field_count; i++) {
            if (psc_field_is_own(&f->type->fields[i])) {
                const psc_spot member = psc_header_member(w, f, i);
                see_field(w, &member);
            }
        }
    } else if (l->kind == PSY_FIELD_VARIANT) {
        put(w, "variant", pairs);
    } else if (text) {
        put(w,
            tail       ? (l->flags & PSY_FIELD_IS_ARRAY) ? "tail_texts" : "whole_text"
            : texts    ? "texts"
            : optional ? "whole_text"
                       : "text",
            pairs);
        if (l->flags & PSY_FIELD_MAYBE) {
            put_has(w, s, TEXT("%s_%s(v).at != NULL", w->type, s->name));
        }
    } else if (whole) {
        put(w, view ? "view" : messages ? "message" : "struct", pairs);
        if (optional && !view) {
            put_has(w, s, TEXT("%s_%s(m) != NULL", w->type, s->name));
        }
    } else if (psc_field_is_one(f)) {
        put(w, "scalar", pairs);
    } else if (view) {
        put(w, "views", pairs);
    } else if (messages) {
        put(w, tail ? "tail_messages" : "messages", pairs);
    } else {
        put(w, tail ? "tail_numbers" : "numbers", pairs);
        if (optional) {
            put_has(w, s, TEXT("%s_%s(m) != NULL", w->type, s->name));
        }
    }
}

/* ---- one message ---- */

static void begin_type(psc_header *w, const psc_message *m)
{
    w->message = m;
    w->type = psc_header_type(w, m);
    w->upper = psc_upper(w->arena, w->type);
}

static void put_seer(psc_header *w)
{
    const psc_message *m = w->message;
    put(w, psc_type_is_tailed(m) ? "seer_tailed_begin" : "seer_begin", PSC_PAIRS({"type", w->type}));
    for (uint32_t i = 0; i < m->field_count; i++) {
        if (psc_field_is_own(&m->fields[i]) && !psc_field_is_retired(&m->fields[i])) {
            const psc_spot s = psc_header_spot(w, &m->fields[i]);
            see_field(w, &s);
        }
    }
    put(w, "seer_end", NULL);
}

static void put_target(psc_header *w)
{
    const psc_pair *pairs = PSC_PAIRS({"type", w->type}, {"TYPE", w->upper}, {"full_name", w->message->full_name});
    const bool tailed = psc_type_is_tailed(w->message);
    put(w, "target_begin", pairs);
    put(w, tailed ? "target_read_tailed" : "target_read", pairs);
    put(w, "target_end", pairs);
    put(w, tailed ? "target_see_view" : "target_see", pairs);
    put(w, "target_bottom", pairs);
}

int psc_header_write_fuzz(const psc_schema *schema, const char *file, FILE *to)
{
    psc_arena arena;
    psc_header writer = {.arena = &arena, .to = to, .schema = schema}, *w = &writer;
    psc_arena_init(&arena);
    w->word = psc_header_word(w, file);
    for (uint32_t i = 0; i < schema->message_count; i++) {
        add_type(w, &schema->messages[i]);
    }
    put(w, "top",
        PSC_PAIRS({"file", file}, {"word", w->word},
                  {"first", schema->message_count > 0 ? psc_header_type(w, &schema->messages[0]) : ""}));
    for (size_t i = 0; i < w->types.count; i++) {
        if (w->types.at[i]->layout.kind == PSY_TYPE_MESSAGE) {
            begin_type(w, w->types.at[i]);
            put_seer(w);
        }
    }
    for (uint32_t i = 0; i < schema->message_count; i++) {
        begin_type(w, &schema->messages[i]);
        put_target(w);
    }
    put(w, "targets_begin", NULL);
    for (uint32_t i = 0; i < schema->message_count; i++) {
        put(w, "targets_row", PSC_PAIRS({"type", psc_header_type(w, &schema->messages[i])}));
    }
    put(w, "targets_end", PSC_PAIRS({"word", w->word}));
    psc_arena_fini(&arena);
    return ferror(to) ? -1 : 0;
}

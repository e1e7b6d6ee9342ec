/* SPDX-License-Identifier: Apache-2.0 */
/* The names that the header of a schema declares, for who looks whether they clash. */
#include <string.h>

#include "header.h"
#include "isa/layout.h"
#include "schema_names.h"

typedef struct taker {
    psc_arena *arena;
    psc_take_name take;
    void *context;
    const char *type, *upper;
} taker;

/* Puts what t, T, f and F stand for into the form: single letters between underscores. */
static void take(const taker *k, const char *form, const char *field, psc_span span)
{
    const char *name = "";
    for (const char *at = form; *at;) {
        const size_t n = strcspn(at, "_");
        const char *word = n != 1       ? psc_strndup(k->arena, at, n)
                           : *at == 't' ? k->type
                           : *at == 'T' ? k->upper
                           : *at == 'f' ? field
                                        : psc_upper(k->arena, field);
        name = psc_format(k->arena, "%s%s%s", name, word, at[n] ? "_" : "");
        at += n + (at[n] == '_');
    }
    k->take(k->context, name, span);
}

static void take_field(const taker *k, const psc_field *f, const char *name, psc_span span, bool in_message)
{
    const psy_psm_field *l = &f->layout;
    const bool text = psc_field_is_text(f), texts = psy__field_is_texts(l), items = psc_field_is_items(f);
    const bool optional = l->kind == PSY_FIELD_OPTIONAL, maybe = (l->flags & PSY_FIELD_MAYBE) != 0;
    const bool one_of = l->kind == PSY_FIELD_UNION, open = psc_field_is_open(f);
    const bool bounded_variant = l->kind == PSY_FIELD_VARIANT && !open;
    const bool array = (psy__field_is_vector(l) || psy__field_is_items(l)) && !open;
    const bool open_texts = open && text && (l->flags & PSY_FIELD_IS_ARRAY);
    const bool has_count_setter = (l->kind == PSY_FIELD_BOUNDED && (!text || texts)) || open_texts;
    const bool has_count = has_count_setter || (open && items && f->type && psc_type_is_tailed(f->type));
    const bool has_mutable = array || f->part || (optional && (items || (l->flags & PSY_FIELD_IS_ARRAY)));
    const bool has_setter = !has_mutable && !one_of;
    const bool has_bytes = text && !open && !optional;
    const bool has_count_macro = array || texts, has_room = (text && !open) || bounded_variant;
    const struct {
        bool has;
        const char *form;
    } rows[] = {
#define OF_TYPE(kinds, form)
#define OF_FIELD(condition, form) {condition, form},
#include "header_names.def"
#undef OF_TYPE
#undef OF_FIELD
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        /* A struct has no accessors. */
        if (in_message ? rows[i].has : rows[i].has && strcmp(rows[i].form, "T_F_COUNT") == 0) {
            take(k, rows[i].form, name, span);
        }
    }
    for (uint32_t i = 0; one_of && i < f->type->field_count; i++) {
        const psc_field *member = &f->type->fields[i];
        if (psc_field_is_own(member)) {
            const char *inner = psc_format(k->arena, "%s_%s", name, member->name);
            take_field(k, member, inner, member->span, true);
            take(k, "T_F", inner, member->span);
        }
    }
}

void psc_header_each_name(psc_arena *arena, const psc_message *m, psc_take_name take_name, void *context)
{
    static const struct {
        unsigned kinds;
        const char *form;
    } rows[] = {
#define OF_TYPE(kinds, form) {kinds, form},
#define OF_FIELD(condition, form)
#include "header_names.def"
#undef OF_TYPE
#undef OF_FIELD
    };
    const char *type = psc_snake(arena, m->full_name);
    const taker k = {arena, take_name, context, type, psc_upper(arena, type)};
    const bool number = m->layout.kind == PSY_TYPE_ENUM || m->layout.kind == PSY_TYPE_FLAGS;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].kinds >> m->layout.kind & 1) {
            take(&k, rows[i].form, "", m->span);
        }
    }
    for (uint32_t i = 0; i < m->field_count; i++) {
        const psc_field *f = &m->fields[i];
        if (number) {
            take(&k, "T_F", psc_snake(arena, f->name), f->span);
        } else if (psc_field_is_own(f) && !psc_field_is_retired(f)) {
            take_field(&k, f, f->name, f->span, m->layout.kind == PSY_TYPE_MESSAGE);
        }
    }
}

void psc_header_each_member_name(psc_arena *arena, const psc_message *m, psc_take_name take_name, void *context)
{
    psc_header w = {.arena = arena};
    for (uint32_t i = 0; i < m->field_count; i++) {
        psc_piece pieces[PSC_PIECES_MAX];
        const psc_field *f = &m->fields[i];
        for (unsigned k = 0, n = psc_field_is_own(f) ? psc_header_pieces(&w, f, pieces) : 0; k < n; k++) {
            take_name(context, pieces[k].name, f->span);
        }
    }
}

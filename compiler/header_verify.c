/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of messages from outside: one pass over the fields in their order, with a cursor in the tail, a function for each
 * type that calls those of the types in it. */
#include <string.h>

#include "header.h"
#include "isa/layout.h"

#define TEXT(...) psc_format(w->arena, __VA_ARGS__)

static void put(psc_header *w, const char *section, const psc_pair *pairs)
{
    psc_template_write(psc_template_header_verify, section, pairs, w->to);
}

/* ---- what is checked at all ---- */

/* Whether there are bytes that are not right for what it is, or for each of its elements. */
static bool type_is_checked(const psc_field *f)
{
    return psc_field_is_messages(f) || (f->type && f->type->layout.kind == PSY_TYPE_STRUCT && psc_header_is_checked(f->type));
}

static bool field_is_checked(const psc_field *f)
{
    switch (psc_field_is_own(f) && !psc_field_is_retired(f) ? f->layout.kind : PSY_FIELD_KIND_END) {
    case PSY_FIELD_SCALAR: return f->layout.dtype == PSY_BOOL;
    case PSY_FIELD_ARRAY: return psc_field_is_text(f) || type_is_checked(f);
    case PSY_FIELD_STRUCT: return type_is_checked(f);
    case PSY_FIELD_KIND_END: return false;
    default: return true;
    }
}

bool psc_header_is_checked(const psc_message *m)
{
    bool checked = false;
    for (uint32_t i = 0; i < m->field_count; i++) {
        checked = checked || field_is_checked(&m->fields[i]);
    }
    return checked;
}

static bool has_union(const psc_message *m)
{
    bool has = false;
    for (uint32_t i = 0; i < m->field_count; i++) {
        has = has || (m->fields[i].layout.kind == PSY_FIELD_UNION && field_is_checked(&m->fields[i]));
    }
    return has;
}

/* Whether checking the field moves the cursor. */
static bool is_tailed(const psc_field *f) { return psc_field_is_open(f) || (f->type && psc_type_is_tailed(f->type)); }

static bool has_tail(const psc_message *m)
{
    bool has = false;
    for (uint32_t i = 0; i < m->field_count; i++) {
        has = has || (field_is_checked(&m->fields[i]) && is_tailed(&m->fields[i]));
    }
    return has;
}

/* ---- fields ---- */

static void check_field(psc_header *w, const psc_spot *s);

/* What the function of a type inside is given beside what it looks at, which starts there. */
static const char *place_text(psc_header *w, const psc_spot *s, const char *start, bool several)
{
    const psc_field *f = s->field;
    if (!psc_type_is_tailed(f->type)) {
        return "";
    }
    return several ? TEXT(", %s + i * %u, end, at", start, f->type->layout.bytes) : TEXT(", %s, end, at", start);
}

/* The pairs of a field, and what else a template says. */
static const psc_pair *pairs_and(psc_header *w, const psc_spot *s, psc_pair more)
{
    const psc_pair *from = psc_header_pairs(w, s);
    size_t n = 0;
    while (from[n].key) {
        n++;
    }
    psc_pair *all = psc_alloc(w->arena, (n + 2) * sizeof *all);
    memcpy(all, from, n * sizeof *all);
    all[n] = more;
    return all;
}

static const char *start_of(psc_header *w, const psc_spot *s)
{
    return psc_header_decimal(w, s->field->layout.offset + (s->in ? s->in->layout.offset : 0));
}

static void check_inside(psc_header *w, const psc_spot *s)
{
    put(w, "inside", pairs_and(w, s, (psc_pair){"place", place_text(w, s, start_of(w, s), false)}));
}

/* Elements in the message itself, of which each is looked at. */
static void check_items(psc_header *w, const psc_spot *s)
{
    const bool bounded = s->field->layout.kind == PSY_FIELD_BOUNDED;
    const psc_pair *pairs = psc_header_pairs(w, s);
    if (!type_is_checked(s->field)) {
        if (bounded) {
            put(w, "count", pairs);
        }
        return;
    }
    put(w, "items_begin", pairs);
    if (bounded) {
        put(w, "items_bound", pairs);
    }
    const char *rows = bounded ? "count" : psc_header_decimal(w, s->field->layout.count);
    put(w, "items",
        PSC_PAIRS({"item", psc_header_type(w, s->field->type)}, {"at", s->at}, {"rows", rows},
                  {"place", place_text(w, s, start_of(w, s), true)}));
}

static void check_texts(psc_header *w, const psc_spot *s)
{
    const bool bounded = s->field->layout.kind == PSY_FIELD_BOUNDED;
    put(w, "texts_begin", NULL);
    if (bounded) {
        put(w, "texts_bound", psc_header_pairs(w, s));
    }
    put(w, "texts", pairs_and(w, s, (psc_pair){"rows", bounded ? "rows" : psc_header_decimal(w, s->field->layout.count)}));
}

static void check_optional(psc_header *w, const psc_spot *s)
{
    const psc_field *f = s->field;
    const psc_pair *pairs = psc_header_pairs(w, s);
    const bool text = psc_field_is_text(f), truth = psc_field_is_one(f) && f->layout.dtype == PSY_BOOL,
               items = psc_field_is_items(f) && type_is_checked(f);
    if (!text && !truth && !items) {
        put(w, "optional", pairs);
        return;
    }
    put(w, "optional_begin", pairs);
    psc_header_keep(w);
    if (items) {
        check_inside(w, s);
    } else if (text) {
        put(w, "text", pairs_and(w, s, (psc_pair){"length", s->lengths}));
    } else {
        put(w, "bool", pairs);
    }
    psc_header_indent(w, 8);
    put(w, "optional_end", NULL);
}

static void check_union(psc_header *w, const psc_spot *s)
{
    const psc_message *type = s->field->type;
    put(w, "union_begin", psc_header_pairs(w, s));
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (!psc_field_is_own(&type->fields[i])) {
            continue;
        }
        const psc_spot member = psc_header_member(w, s->field, i);
        const bool checked = field_is_checked(member.field);
        put(w, checked ? "union_case" : "union_plain", PSC_PAIRS({"NAME", member.upper}));
        if (checked) {
            psc_header_keep(w);
            check_field(w, &member);
            psc_header_indent(w, 4);
            put(w, "union_case_end", NULL);
        }
    }
    put(w, "union_end", psc_header_pairs(w, s));
}

static void check_tail(psc_header *w, const psc_spot *s)
{
    const psc_field *f = s->field;
    const psc_pair *pairs = psc_header_pairs(w, s);
    if (f->layout.kind == PSY_FIELD_VARIANT) {
        put(w, "tail_variant", pairs);
    } else if (psc_field_is_text(f)) {
        put(w, f->layout.flags & PSY_FIELD_IS_ARRAY ? "tail_texts" : "tail_text", pairs);
    } else if (psc_field_is_items(f) && type_is_checked(f)) {
        put(w, "tail_items", pairs_and(w, s, (psc_pair){"place", place_text(w, s, "t.offset", true)}));
    } else {
        put(w, "tail_elements", pairs);
    }
}

static void check_field(psc_header *w, const psc_spot *s)
{
    const psc_field *f = s->field;
    const psy_psm_field *l = &f->layout;
    if (psc_field_is_open(f)) {
        check_tail(w, s);
    } else if (l->kind == PSY_FIELD_UNION) {
        check_union(w, s);
    } else if (f->part) {
        check_inside(w, s);
    } else if (l->kind == PSY_FIELD_VARIANT) {
        put(w, "variant", psc_header_pairs(w, s));
    } else if (l->kind == PSY_FIELD_OPTIONAL) {
        check_optional(w, s);
    } else if (psy__field_is_texts(l)) {
        check_texts(w, s);
    } else if (psc_field_is_text(f)) {
        put(w, "text", pairs_and(w, s, (psc_pair){"length", s->beside}));
    } else if (psc_field_is_items(f)) {
        check_items(w, s);
    } else if (l->kind == PSY_FIELD_BOUNDED) {
        put(w, "count", psc_header_pairs(w, s));
    } else {
        put(w, "bool", psc_header_pairs(w, s));
    }
}

/* ---- types ---- */

static void put_check(psc_header *w)
{
    const psc_message *m = w->message;
    const bool tailed = psc_type_is_tailed(m);
    const psc_pair *names = PSC_PAIRS({"type", w->type}, {"newer", has_union(m) ? ", bool newer" : ""},
                                      {"tail", tailed ? ", uint32_t end, uint32_t *at" : ""});
    put(w, m->layout.kind == PSY_TYPE_MESSAGE ? "check_message" : "check_struct", names);
    if (tailed && !has_tail(m)) {
        put(w, "check_unused", NULL);
    }
    if (!psc_header_is_checked(m)) {
        put(w, "check_nothing", NULL);
    }
    for (uint32_t i = 0; i < m->field_count; i++) {
        if (field_is_checked(&m->fields[i])) {
            const psc_spot s = psc_header_spot(w, &m->fields[i]);
            check_field(w, &s);
        }
    }
    put(w, "check_end", NULL);
}

void psc_header_verify(psc_header *w)
{
    const psc_message *m = w->message;
    const bool tailed = psc_type_is_tailed(m), checked = tailed || psc_header_is_checked(m);
    const char *newer = has_union(m) ? TEXT(", header.version > %s_VERSION", w->upper) : "";
    if (checked) {
        put_check(w);
    }
    if (m->layout.kind != PSY_TYPE_MESSAGE) {
        return;
    }
    const psc_pair *names =
        PSC_PAIRS({"type", w->type}, {"TYPE", w->upper}, {"newer", has_union(m) ? ", newer" : ""},
                  {"check", !checked ? "PSY_OK" : TEXT("%s_check_fields(m%s)", w->type, has_union(m) ? ", newer" : "")},
                  {"tailed", tailed ? "true" : "false"}, {"deprecated", psc_header_deprecated(w, m->deprecated)},
                  {"arguments", TEXT("%s%s", newer, tailed ? ", header.bytes, &at" : "")});
    put(w, tailed ? "inside_tailed" : "inside_message", names);
    put(w, "verify", names);
    if (tailed) {
        put(w, "verify_tail", names);
    }
    if (checked) {
        put(w, "verify_check", names);
    }
    put(w, "verify_end", names);
    if (tailed) {
        put(w, "view", names);
        put(w, "view_init", names);
    }
}

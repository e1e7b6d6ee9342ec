/* SPDX-License-Identifier: Apache-2.0 */
/* Getters and setters, and what builds and reads a tail. */
#include <string.h>

#include "header.h"
#include "isa/layout.h"

typedef struct accessor {
    psc_header *w;
    const psc_spot *s;
    const psc_field *f;
    const psc_pair *pairs;
} accessor;

static void put(const accessor *a, const char *section)
{
    psc_template_write(psc_template_header_access, section, a->pairs, a->w->to);
}

/* With one pair more. */
static void put_with(const accessor *a, const char *section, const char *key, const char *value)
{
    size_t n = 0;
    while (a->pairs[n].key) {
        n++;
    }
    psc_pair *all = psc_alloc(a->w->arena, (n + 2) * sizeof *all);
    memcpy(all, a->pairs, n * sizeof *all);
    all[n] = (psc_pair){key, value};
    psc_template_write(psc_template_header_access, section, all, a->w->to);
}

/* ---- what lies in the message itself ---- */

static void put_counts(const accessor *a)
{
    if (a->f->layout.kind == PSY_FIELD_BOUNDED) {
        put(a, "count");
        put(a, psc_field_is_messages(a->f) ? "set_messages_count" : "set_count");
    }
}

static bool holds_tail(const psc_field *f) { return f->type && f->layout.dtype == PSY_U8 && psc_type_is_tailed(f->type); }

static void put_optional_item(const accessor *a)
{
    put(a, "optional_has");
    if (holds_tail(a->f)) {
        put_with(a, "inner_view", "and_there", psc_format(a->w->arena, " && v.message->%s != 0", a->s->beside));
    } else {
        put(a, "optional_item");
    }
    put(a, "optional_item_mutable");
    put(a, psc_field_is_messages(a->f) ? "optional_item_message" : "optional_item_struct");
    put(a, "optional_item_end");
    put(a, "optional_clear");
}

static void put_optional(const accessor *a)
{
    const psy_psm_field *l = &a->f->layout;
    const bool is_float = (l->dtype == PSY_F32 || l->dtype == PSY_F64) && l->default_bits != 0;
    if (psc_field_is_items(a->f)) {
        put_optional_item(a);
        return;
    }
    put(a, "optional_has");
    if (psc_field_is_text(a->f)) {
        put(a, "optional_text");
        put(a, "optional_clear");
    } else if (!psc_field_is_one(a->f)) {
        put(a, "optional_array");
        put(a, "optional_clear");
    } else {
        put(a, is_float ? "optional_float" : l->dtype == PSY_BOOL ? "optional_bool" : "optional");
        put(a, "optional_set");
    }
}

static void put_part(const accessor *a)
{
    if (holds_tail(a->f)) {
        put_with(a, "inner_view", "and_there", "");
    } else {
        put(a, "part");
    }
    put(a, "part_mutable");
}

/* Numbers, structs or messages with an axis. */
static void put_array(const accessor *a)
{
    const bool bounded = a->f->layout.kind == PSY_FIELD_BOUNDED;
    if (holds_tail(a->f)) {
        put_counts(a);
        put_with(a, "inner_views", "rows",
                 bounded ? psc_format(a->w->arena, "%s_%s_count(v.message)", a->w->type, a->s->name)
                         : psc_header_decimal(a->w, a->f->layout.count));
        return;
    }
    put(a, bounded ? "elements" : "array");
    put_counts(a);
}

/* ---- what lies in the tail ---- */

static void put_tail(const accessor *a)
{
    const psc_field *f = a->f;
    if (f->layout.kind == PSY_FIELD_VARIANT) {
        put(a, "tail_variant");
    } else if (psc_field_is_text(f) && (f->layout.flags & PSY_FIELD_IS_ARRAY)) {
        put(a, "tail_texts");
    } else if (psc_field_is_text(f)) {
        put(a, "tail_text");
        if (f->layout.flags & PSY_FIELD_MAYBE) {
            put(a, "tail_text_has");
        }
        put(a, "tail_text_set");
    } else {
        put(a, holds_tail(f) ? "tail_items" : "tail_elements");
        put(a, psc_field_is_messages(f) ? "tail_messages_set" : "tail_elements_set");
    }
}

/* ---- all of them ---- */

static void put_field(psc_header *w, const psc_spot *s);

static void put_members(psc_header *w, const psc_field *f)
{
    for (uint32_t i = 0; i < f->type->field_count; i++) {
        if (psc_field_is_own(&f->type->fields[i])) {
            const psc_spot member = psc_header_member(w, f, i);
            put_field(w, &member);
        }
    }
}

static void put_field(psc_header *w, const psc_spot *s)
{
    const psc_field *f = s->field;
    const psy_psm_field *l = &f->layout;
    const accessor a = {w, s, f, psc_header_pairs(w, s)};
    psc_template_write(psc_template_header, "blank", NULL, w->to);
    psc_header_doc(w, f->doc);
    if (psc_field_is_open(f)) {
        put_tail(&a);
    } else if (l->kind == PSY_FIELD_UNION) {
        put(&a, "union");
        put_members(w, f);
    } else if (f->part) {
        put_part(&a);
    } else if (l->kind == PSY_FIELD_VARIANT) {
        put(&a, "variant");
        if (!s->in) {
            put(&a, "variant_clear");
        }
    } else if (l->kind == PSY_FIELD_OPTIONAL) {
        put_optional(&a);
    } else if (psy__field_is_texts(l)) {
        put(&a, "texts");
        put_counts(&a);
    } else if (psc_field_is_text(f)) {
        put(&a, "text");
    } else if (psc_field_is_one(f)) {
        put(&a, l->dtype == PSY_BOOL ? "bool" : "scalar");
    } else {
        put_array(&a);
    }
}

void psc_header_accessors(psc_header *w)
{
    for (uint32_t i = 0; i < w->message->field_count; i++) {
        const psc_field *f = &w->message->fields[i];
        if (psc_field_is_own(f) && !psc_field_is_retired(f)) {
            const psc_spot s = psc_header_spot(w, f);
            put_field(w, &s);
        }
    }
}

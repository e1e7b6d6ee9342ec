/* SPDX-License-Identifier: Apache-2.0 */
/* What messages start with. */
#include <string.h>

#include "header.h"
#include "isa/layout.h"

static void put(psc_header *w, const char *section, const psc_pair *pairs)
{
    psc_template_write(psc_template_header, section, pairs, w->to);
}

static bool is_float(const psy_psm_field *l) { return (l->dtype == PSY_F32 || l->dtype == PSY_F64) && l->default_bits != 0; }

static void init_text(psc_header *w, const psc_spot *s, const psc_pair *pairs)
{
    const psc_field *f = s->field;
    const bool texts = psy__field_is_texts(&f->layout);
    if (f->layout.kind == PSY_FIELD_BOUNDED) {
        put(w, texts ? "init_count" : "init_bytes", pairs);
    } else if (f->layout.kind == PSY_FIELD_OPTIONAL) {
        put(w, "init_count", pairs);
    }
    if (*s->lengths) {
        put(w, "init_lengths", pairs);
    }
    if (!texts && f->text_bytes && f->layout.kind == PSY_FIELD_BOUNDED) {
        put(w, "init_text", pairs);
    }
}

void psc_header_init_field(psc_header *w, const psc_spot *s)
{
    const psc_field *f = s->field;
    const psy_psm_field *l = &f->layout;
    const psc_pair *pairs = psc_header_pairs(w, s);
    if (l->kind == PSY_FIELD_PART) {
        put(w, "init_part", pairs);
    } else if (l->kind == PSY_FIELD_STRUCT || l->kind == PSY_FIELD_TAIL) {
        put(w, "init_zeros", pairs);
    } else if (l->kind == PSY_FIELD_VARIANT) {
        put(w, "init_head", pairs);
        if (psc_field_is_open(f)) {
            put(w, "init_zero", pairs);
        }
    } else if (l->kind == PSY_FIELD_UNION) {
        put(w, "init_count", pairs);
    } else if (psc_field_is_text(f)) {
        init_text(w, s, pairs);
    } else if (l->kind == PSY_FIELD_ARRAY && psc_field_is_messages(f)) {
        put(w, "init_messages", pairs);
    } else if (l->kind == PSY_FIELD_BOUNDED || l->kind == PSY_FIELD_OPTIONAL) {
        put(w, "init_count", pairs);
        if (psc_field_is_one(f)) {
            put(w, "init_zero", pairs);
        }
    } else if (psc_field_is_one(f)) {
        put(w, is_float(l) ? "init_float" : "init_scalar", pairs);
    }
}

/* Elements of that many bytes are stepped over; to zero fewer with what is around them takes less. */
enum { LEFT_LEAST = 32 };

/* Whether the field's elements are left alone when the message is zeroed: the caller writes them, and messages inside start
 * themselves. */
static bool is_left(const psc_field *f, uint32_t bytes)
{
    const psy_psm_field *l = &f->layout;
    const bool elements = psc_field_is_text(f) || l->kind == PSY_FIELD_UNION || l->kind == PSY_FIELD_VARIANT ||
                          l->kind == PSY_FIELD_ARRAY || l->kind == PSY_FIELD_BOUNDED || l->kind == PSY_FIELD_OPTIONAL;
    return l->kind == PSY_FIELD_PART || psc_field_is_messages(f) || (elements && bytes >= LEFT_LEAST);
}

static void zero_range(psc_header *w, uint32_t begin, uint32_t end)
{
    if (end > begin) {
        put(w, "init_range", PSC_PAIRS({"at", psc_header_decimal(w, begin)}, {"count", psc_header_decimal(w, end - begin)}));
    }
}

/* Everything that starts as 0, padding too, in few long runs: a store for each field would take several times as many. */
static void put_zeros(psc_header *w)
{
    const psc_message *m = w->message;
    uint32_t begin = PSY_MESSAGE_HEADER_BYTES;
    for (uint32_t i = 0; i < m->field_count; i++) {
        const psc_field *f = &m->fields[i];
        psc_piece pieces[PSC_PIECES_MAX];
        const unsigned n = psc_field_is_own(f) && !psc_field_is_open(f) ? psc_header_pieces(w, f, pieces) : 0;
        if (n > 0 && is_left(f, pieces[n - 1].bytes)) {
            zero_range(w, begin, pieces[n - 1].at);
            begin = pieces[n - 1].at + pieces[n - 1].bytes;
        }
    }
    zero_range(w, begin, m->layout.bytes);
}

/* What does not start as 0. */
static void start_field(psc_header *w, const psc_field *f)
{
    const psy_psm_field *l = &f->layout;
    const bool starts = l->kind == PSY_FIELD_PART || (l->kind == PSY_FIELD_ARRAY && psc_field_is_messages(f)) ||
                        (l->kind == PSY_FIELD_BOUNDED && f->text_bytes > 0) ||
                        (l->kind == PSY_FIELD_SCALAR && l->default_bits != 0);
    if (starts) {
        const psc_spot s = psc_header_spot(w, f);
        psc_header_init_field(w, &s);
    }
}

/* The function that makes another member of the union be there. */
static void put_choose(psc_header *w, const psc_field *f)
{
    const psc_spot s = psc_header_spot(w, f);
    const psc_pair *pairs = psc_header_pairs(w, &s);
    put(w, "choose_begin", pairs);
    for (uint32_t i = 0; i < f->type->field_count; i++) {
        if (psc_field_is_own(&f->type->fields[i])) {
            const psc_spot inner = psc_header_member(w, f, i);
            put(w, "choose_case", psc_header_pairs(w, &inner));
            psc_header_keep(w);
            psc_header_init_field(w, &inner);
            psc_header_indent(w, 4);
            put(w, "choose_case_end", NULL);
        }
    }
    put(w, "choose_end", pairs);
}

void psc_header_init(psc_header *w)
{
    const psc_message *m = w->message;
    const psc_pair *names =
        PSC_PAIRS({"type", w->type}, {"TYPE", w->upper}, {"deprecated", psc_header_deprecated(w, m->deprecated)});
    put(w, "init_begin", names);
    put_zeros(w);
    for (uint32_t i = 0; i < m->field_count; i++) {
        if (psc_field_is_own(&m->fields[i])) {
            start_field(w, &m->fields[i]);
        }
    }
    put(w, "init_end", names);
    for (uint32_t i = 0; i < m->field_count; i++) {
        const psc_field *f = &m->fields[i];
        if (psc_field_is_own(f) && f->layout.kind == PSY_FIELD_UNION && !psc_field_is_retired(f)) {
            put_choose(w, f);
        }
    }
    if (psc_type_is_tailed(m)) {
        put(w, "begin", names);
    }
}

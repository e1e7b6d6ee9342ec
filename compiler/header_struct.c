/* SPDX-License-Identifier: Apache-2.0 */
/* The C struct of a message or a struct, and what is known of it. */
#include <inttypes.h>
#include <string.h>

#include "header.h"
#include "isa/layout.h"
#include "schema_names.h"

#define TEXT(...) psc_format(w->arena, __VA_ARGS__)

static void put(psc_header *w, const char *section, const psc_pair *pairs)
{
    psc_template_write(psc_template_header, section, pairs, w->to);
}

void psc_header_each_member(psc_header *w, void (*gap)(psc_header *, uint32_t at, uint32_t n),
                            void (*before)(psc_header *, const psc_field *), void (*piece)(psc_header *, const psc_piece *))
{
    uint32_t at = w->message->layout.kind == PSY_TYPE_MESSAGE ? PSY_MESSAGE_HEADER_BYTES : 0;
    for (uint32_t i = 0; i < w->message->field_count; i++) {
        const psc_field *f = &w->message->fields[i];
        psc_piece pieces[PSC_PIECES_MAX];
        if (!psc_field_is_own(f)) {
            continue;
        }
        unsigned count = psc_header_pieces(w, f, pieces);
        for (unsigned k = 0; k < count; k++) {
            if (pieces[k].at > at) {
                gap(w, at, pieces[k].at - at);
            }
            if (k == 0) {
                before(w, f);
            }
            if (piece) {
                piece(w, &pieces[k]);
            }
            at = pieces[k].at + pieces[k].bytes;
        }
    }
    if (w->message->layout.bytes > at) {
        gap(w, at, w->message->layout.bytes - at);
    }
}

/* ---- members ---- */

static void member_gap(psc_header *w, uint32_t at, uint32_t n)
{
    put(w, "padding", PSC_PAIRS({"at", psc_header_decimal(w, at)}, {"count", psc_header_decimal(w, n)}));
}

/* What C aligns the struct's fields to without being told. */
static uint32_t natural_align(const psc_message *m)
{
    uint32_t most = 1;
    for (uint32_t i = 0; i < m->field_count; i++) {
        const psc_field *f = &m->fields[i];
        const uint32_t own = f->part || psc_field_is_items(f) ? f->type->layout.align : psy__dtype_bytes(f->layout.dtype);
        most = psc_field_is_own(f) && own > most ? own : most;
    }
    return most;
}

static const char *alignas_text(psc_header *w, uint32_t align) { return TEXT("PSY_ALIGNAS(%u) ", align); }

/* Whether a member of the struct, or of a union in it, is called so. */
static bool is_member(const psc_message *m, const char *name)
{
    bool is = false;
    for (uint32_t i = 0; i < m->field_count && !is; i++) {
        const psc_field *f = &m->fields[i];
        is = psc_field_is_own(f) &&
             (strcmp(f->name, name) == 0 || (f->layout.kind == PSY_FIELD_UNION && is_member(f->type, name)));
    }
    return is;
}

/* In C++ a type that is called as a member has to say that it is none. */
static const char *ctype_text(psc_header *w, const psc_piece *p)
{
    return strcmp(p->ctype, "header") == 0 || is_member(w->message, p->ctype) ? TEXT("PSY_GLOBAL(%s)", p->ctype) : p->ctype;
}

static void put_piece(psc_header *w, const psc_piece *p, const char *alignas_)
{
    put(w, "member", PSC_PAIRS({"alignas", alignas_}, {"ctype", ctype_text(w, p)}, {"name", p->name}, {"array", p->array}));
}

/* A member of a union: a struct where it has more than one piece. */
static void union_member(psc_header *w, const psc_field *f, const char *alignas_)
{
    psc_piece pieces[PSC_PIECES_MAX];
    const unsigned count = psc_header_pieces(w, f, pieces);
    psc_header_inner_doc(w, f->doc);
    if (count == 1) {
        put_piece(w, &pieces[0], alignas_);
        return;
    }
    put(w, "inner_struct_begin", NULL);
    for (unsigned k = 0, at = 0; k < count; at = pieces[k].at + pieces[k].bytes, k++) {
        if (pieces[k].at > at) {
            put(w, "inner_padding",
                PSC_PAIRS({"at", psc_header_decimal(w, at)}, {"count", psc_header_decimal(w, pieces[k].at - at)}));
        }
        put(w, "inner_member",
            PSC_PAIRS({"alignas", k == 0 ? alignas_ : ""}, {"ctype", ctype_text(w, &pieces[k])}, {"name", pieces[k].name},
                      {"array", pieces[k].array}));
    }
    put(w, "inner_struct_end", PSC_PAIRS({"name", f->name}));
}

static void put_union(psc_header *w, const psc_message *type, const char *name)
{
    const char *alignas_ = alignas_text(w, type->layout.align);
    put(w, "union_begin", NULL);
    psc_header_keep(w);
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (psc_field_is_own(&type->fields[i])) {
            union_member(w, &type->fields[i], alignas_);
            alignas_ = "";
        }
    }
    psc_header_indent(w, 4);
    put(w, "union_end", PSC_PAIRS({"name", name}));
}

/* The field that comes next. */
static void member_doc(psc_header *w, const psc_field *f) { psc_header_inner_doc(w, f->doc); }

static void member(psc_header *w, const psc_piece *p)
{
    const psc_message *m = w->message;
    const bool stricter = m->layout.kind == PSY_TYPE_STRUCT && p->at == 0 && m->layout.align > natural_align(m);
    if (p->ctype) {
        put_piece(w, p, stricter ? alignas_text(w, m->layout.align) : "");
        return;
    }
    for (uint32_t i = 0; i < m->field_count; i++) {
        const psc_field *f = &m->fields[i];
        if (f->layout.kind == PSY_FIELD_UNION && psc_field_is_own(f) && f->layout.offset == p->at) {
            put_union(w, f->type, p->name);
        }
    }
}

/* ---- what is known of it ---- */

static void put_constant(psc_header *w, const psc_spot *s, const char *what, uint32_t value)
{
    put(w, "constant", PSC_PAIRS({"NAME", TEXT("%s%s", s->upper, what)}, {"value", psc_header_decimal(w, value)}));
}

static void put_counts(psc_header *w, const psc_spot *s)
{
    const psc_field *f = s->field;
    const psy_psm_field *l = &f->layout;
    const bool texts = psy__field_is_texts(l);
    if (s->in) {
        put_constant(w, s, "", s->tag);
    }
    if (l->kind == PSY_FIELD_UNION) {
        put_constant(w, s, "_NONE", 0);
        for (uint32_t i = 0; i < f->type->field_count; i++) {
            if (psc_field_is_own(&f->type->fields[i])) {
                const psc_spot inner = psc_header_member(w, f, i);
                put_counts(w, &inner);
            }
        }
    } else if (psc_field_is_open(f)) {
        return;
    } else if (psc_field_is_text(f) || l->kind == PSY_FIELD_VARIANT) {
        put_constant(w, s, "_ROOM", texts ? l->inner : l->count);
    }
    if (psy__field_is_vector(l) || psy__field_is_items(l) || texts) {
        put_constant(w, s, "_COUNT", l->count);
    }
}

void psc_header_struct(psc_header *w)
{
    const psc_message *m = w->message;
    const bool message = m->layout.kind == PSY_TYPE_MESSAGE;
    psc_header_doc(w, m->doc);
    put(w, "struct_begin", PSC_PAIRS({"type", w->type}));
    if (message) {
        put(w, "struct_header", NULL);
    }
    psc_header_each_member(w, member_gap, member_doc, member);
    put(w, "struct_end",
        PSC_PAIRS({"type", w->type}, {"bytes", psc_header_decimal(w, m->layout.bytes)}, {"full_name", m->full_name}));
    for (uint32_t i = 0; i < m->field_count; i++) {
        const psc_field *f = &m->fields[i];
        if (psc_field_is_own(f)) {
            put(w, "offset",
                PSC_PAIRS({"type", w->type}, {"name", psc_header_member_name(w, f)},
                          {"at", psc_header_decimal(w, f->layout.offset)}, {"full_name", m->full_name}));
        }
    }
    put(w, "blank", NULL);
    if (message) {
        put(w, "facts",
            PSC_PAIRS({"TYPE", w->upper}, {"full_name", m->full_name}, {"bytes", psc_header_decimal(w, m->layout.bytes)},
                      {"hash", TEXT("%016" PRIx64, m->layout.layout_hash)},
                      {"version", psc_header_decimal(w, m->layout.version)}));
    }
    if (m->topic) {
        put(w, "constant",
            PSC_PAIRS({"NAME", TEXT("%s_TOPIC", w->upper)}, {"value", psc_header_quoted(w, m->topic, strlen(m->topic))}));
    }
    for (uint32_t i = 0; i < m->field_count; i++) {
        if (psc_field_is_own(&m->fields[i]) && !psc_field_is_retired(&m->fields[i])) {
            const psc_spot s = psc_header_spot(w, &m->fields[i]);
            put_counts(w, &s);
        }
    }
}

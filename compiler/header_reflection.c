/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of what types are made of: those of the header, and those that they refer to, each after what it refers to. */
#include <inttypes.h>
#include <string.h>

#include "header.h"

/* A string of C has at most 4095 bytes where all compilers take it, so there are several, of the same size. */
enum { ROW_BYTES = 4096 };

typedef struct entry {
    uint32_t at;
    const char *text;
    size_t bytes;
} entry;

typedef struct tables {
    psc_header *w;
    PSC_LIST(entry) strings;
    size_t *slots; /* of a hash table: places in `strings`, from 1 */
    size_t slot_count;
    uint32_t end; /* of the strings */
} tables;

static void put(psc_header *w, const char *section, const psc_pair *pairs)
{
    psc_template_write(psc_template_header, section, pairs, w->to);
}

/* ---- which types ---- */

uint32_t psc_header_index(psc_header *w, const psc_message *type)
{
    uint32_t i = 0;
    while (i < w->types.count && w->types.at[i] != type) {
        i++;
    }
    return i;
}

/* Types do not contain themselves, eight are inside one another at most. */
static void add_type(psc_header *w, const psc_message *type)
{
    if (psc_header_index(w, type) < w->types.count) {
        return;
    }
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (type->fields[i].type && !type->fields[i].part) {
            add_type(w, type->fields[i].type);
        }
    }
    psc_push(w->arena, &w->types, type);
}

/* ---- strings ---- */

static size_t *slot_of(const tables *t, const char *text, size_t bytes)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < bytes; i++) {
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
    }
    size_t *slot = &t->slots[hash % t->slot_count];
    while (*slot && (t->strings.at[*slot - 1].bytes != bytes || memcmp(t->strings.at[*slot - 1].text, text, bytes) != 0)) {
        slot = slot + 1 == t->slots + t->slot_count ? t->slots : slot + 1;
    }
    return slot;
}

/* Where the text is among the strings. What is there already is not there again. */
static uint32_t string_at(tables *t, const char *text, size_t bytes)
{
    size_t *slot = slot_of(t, text, bytes);
    if (!*slot) {
        const uint32_t left = ROW_BYTES - t->end % ROW_BYTES;
        t->end += bytes + 1 > left - 1 ? left : 0; /* the compiler's own NUL ends the row */
        const entry e = {t->end, text, bytes};
        psc_push(t->w->arena, &t->strings, e);
        t->end += (uint32_t)bytes + 1;
        *slot = t->strings.count;
    }
    return t->strings.at[*slot - 1].at;
}

static uint32_t default_at(tables *t, const psc_field *f) { return string_at(t, f->text ? f->text : "", f->text_bytes); }

static void add_strings(tables *t)
{
    const psc_header *w = t->w;
    size_t most = 1;
    for (size_t i = 0; i < w->types.count; i++) {
        most += 1 + 2 * (size_t)w->types.at[i]->field_count;
    }
    t->slot_count = 2 * most;
    t->slots = psc_alloc(t->w->arena, t->slot_count * sizeof *t->slots);
    string_at(t, "", 0);
    for (size_t i = 0; i < w->types.count; i++) {
        const psc_message *m = w->types.at[i];
        string_at(t, m->full_name, strlen(m->full_name));
        for (uint32_t k = 0; k < m->field_count; k++) {
            string_at(t, m->fields[k].name, strlen(m->fields[k].name));
            default_at(t, &m->fields[k]);
        }
    }
}

static void put_strings(const tables *t)
{
    psc_header *w = t->w;
    uint32_t row = 0;
    for (size_t i = 0; i < t->strings.count; i++) {
        const entry *e = &t->strings.at[i];
        const char *quoted = psc_header_quoted(w, e->text, e->bytes);
        for (; row < e->at / ROW_BYTES; row++) {
            put(w, "types_string_row", NULL);
        }
        put(w, "types_string", PSC_PAIRS({"text", psc_format(w->arena, "%.*s\\000\"", (int)strlen(quoted) - 1, quoted)}));
    }
}

/* ---- records ---- */

static const char *number(psc_header *w, uint32_t n) { return n == PSY_NONE ? "PSY_NONE" : psc_header_decimal(w, n); }

static const char *hex(psc_header *w, uint64_t n) { return psc_format(w->arena, "%" PRIx64, n); }

static void put_type(tables *t, const psc_message *m, uint32_t first)
{
    psc_header *w = t->w;
    const psy_psm_type *l = &m->layout;
    put(w, "types_type",
        PSC_PAIRS({"name", number(w, string_at(t, m->full_name, strlen(m->full_name)))}, {"first", number(w, first)},
                  {"count", number(w, m->field_count)}, {"bytes", number(w, l->bytes)}, {"hash", hex(w, l->layout_hash)},
                  {"version", number(w, l->version)}, {"flags", number(w, l->flags)}, {"depth", number(w, l->depth)},
                  {"kind", number(w, l->kind)}, {"dtype", number(w, l->dtype)}, {"align", number(w, l->align)}));
}

static void put_field(tables *t, const psc_field *f)
{
    psc_header *w = t->w;
    const psy_psm_field *l = &f->layout;
    const uint64_t default_ = psc_field_is_text(f) ? default_at(t, f) : l->default_bits;
    put(w, "types_field",
        PSC_PAIRS(
            {"name", number(w, string_at(t, f->name, strlen(f->name)))}, {"dtype", number(w, l->dtype)},
            {"kind", number(w, l->kind)}, {"flags", number(w, l->flags)}, {"count", number(w, l->count)},
            {"offset", number(w, l->offset)}, {"count_offset", number(w, l->count_offset)}, {"since", number(w, l->since)},
            {"inner", number(w, l->inner)}, {"inner_offset", number(w, l->inner_offset)}, {"parent", number(w, l->parent)},
            {"of", number(w, f->type && !f->part ? psc_header_index(w, f->type) : PSY_NONE)}, {"default", hex(w, default_)}));
}

/* Gives how many fields there are. */
static uint32_t put_records(tables *t)
{
    psc_header *w = t->w;
    uint32_t first = 0;
    put(w, "types_types", NULL);
    for (size_t i = 0; i < w->types.count; i++) {
        put_type(t, w->types.at[i], first);
        first += w->types.at[i]->field_count;
    }
    put(w, first ? "types_fields" : "types_no_fields", NULL);
    for (size_t i = 0; i < w->types.count; i++) {
        for (uint32_t k = 0; k < w->types.at[i]->field_count; k++) {
            put_field(t, &w->types.at[i]->fields[k]);
        }
    }
    if (first) {
        put(w, "types_fields_end", NULL);
    }
    return first;
}

void psc_header_reflection_begin(psc_header *w)
{
    for (uint32_t i = 0; i < w->schema->order_count; i++) {
        add_type(w, w->schema->order[i]);
    }
    if (w->types.count > 0) {
        put(w, "types_declare", PSC_PAIRS({"word", w->word}));
    }
}

void psc_header_reflection(psc_header *w)
{
    tables t = {.w = w};
    if (w->types.count == 0) {
        return;
    }
    add_strings(&t);
    put(w, "types_begin",
        PSC_PAIRS({"word", w->word}, {"rows", number(w, (t.end + ROW_BYTES - 1) / ROW_BYTES)},
                  {"row_bytes", number(w, t.end < ROW_BYTES ? t.end + 1 : ROW_BYTES)}));
    put_strings(&t);
    const uint32_t field_count = put_records(&t);
    put(w, "types_all",
        PSC_PAIRS({"fields", field_count ? "fields" : "NULL"}, {"type_count", number(w, (uint32_t)w->types.count)},
                  {"field_count", number(w, field_count)}));
    for (size_t i = 0; i < w->types.count; i++) {
        const psc_message *m = w->types.at[i];
        put(w, "types_row",
            PSC_PAIRS({"full_name", m->full_name}, {"hash", psc_format(w->arena, "%016" PRIx64, m->layout.layout_hash)},
                      {"bytes", number(w, m->layout.bytes)}, {"version", number(w, m->layout.version)},
                      {"index", number(w, (uint32_t)i)}));
    }
    put(w, "types_end", PSC_PAIRS({"word", w->word}));
}

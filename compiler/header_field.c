/* SPDX-License-Identifier: Apache-2.0 */
/* What a field is called in the header: members of the struct, and all that templates say of it. */
#include <inttypes.h>
#include <string.h>

#include "header.h"
#include "isa/layout.h"
#include "schema_names.h"

#define TEXT(...) psc_format(w->arena, __VA_ARGS__)

bool psc_field_is_one(const psc_field *f)
{
    return f->layout.kind == PSY_FIELD_SCALAR || (f->layout.kind == PSY_FIELD_OPTIONAL &&
                                                  !(f->layout.flags & (PSY_FIELD_IS_ARRAY | PSY_FIELD_TEXT | PSY_FIELD_ITEMS)));
}

const char *psc_header_type(psc_header *w, const psc_message *type) { return psc_snake(w->arena, type->full_name); }

const char *psc_header_member_name(psc_header *w, const psc_field *f)
{
    return psc_field_is_retired(f) ? TEXT("retired_%s", f->name) : f->name;
}

const char *psc_header_default(psc_header *w, const psy_psm_field *l)
{
    int64_t value = (int64_t)l->default_bits;
    unsigned bits = psy__dtype_bytes(l->dtype) * 8;
    if (l->dtype == PSY_F32 || l->dtype == PSY_F64) {
        return TEXT(bits == 32 ? "UINT32_C(0x%08" PRIx64 ")" : "UINT64_C(0x%016" PRIx64 ")", l->default_bits);
    }
    if (psy__dtype_class(l->dtype) == PSY_DCLASS_SINT) {
        return psc_header_integer(w, bits == 64 ? value : (int64_t)((uint64_t)value << (64 - bits)) >> (64 - bits));
    }
    return l->default_bits > INT32_MAX ? TEXT("UINT64_C(%" PRIu64 ")", l->default_bits)
                                       : psc_header_decimal(w, l->default_bits);
}

/* ---- pieces ---- */

/* What the elements are. */
static const char *element_ctype(psc_header *w, const psc_field *f)
{
    return f->layout.kind == PSY_FIELD_VARIANT ? "uint8_t"
           : f->type                           ? psc_header_type(w, f->type)
           : psc_field_is_text(f)              ? "char"
                                               : psc_header_ctype(f->layout.dtype);
}

unsigned psc_header_pieces(psc_header *w, const psc_field *f, psc_piece out[PSC_PIECES_MAX])
{
    const psy_psm_field *l = &f->layout;
    const bool texts = psy__field_is_texts(l), text = psc_field_is_text(f);
    const char *name = psc_header_member_name(w, f);
    unsigned n = 0;
    if (l->kind == PSY_FIELD_BOUNDED) {
        out[n++] = (psc_piece){"uint32_t", TEXT(text && !texts ? "%s_bytes" : "%s_count", name), "", l->count_offset, 4};
    } else if (l->kind == PSY_FIELD_OPTIONAL) {
        out[n++] = (psc_piece){"uint8_t", TEXT("has_%s", name), "", l->count_offset, 1};
    } else if (l->kind == PSY_FIELD_VARIANT) {
        out[n++] = (psc_piece){"psy_variant_head", TEXT("%s_head", name), "", l->count_offset, sizeof(psy_variant_head)};
    } else if (l->kind == PSY_FIELD_UNION) {
        out[n++] = (psc_piece){"uint8_t", TEXT("%s_tag", name), "", l->count_offset, 1};
    }
    if (texts) {
        out[n++] = (psc_piece){"uint32_t", TEXT("%s_bytes", name), TEXT("[%u]", l->count), l->inner_offset, 4 * l->count};
    } else if (text && l->kind == PSY_FIELD_OPTIONAL) {
        out[n++] = (psc_piece){"uint32_t", TEXT("%s_bytes", name), "", l->inner_offset, 4};
    }
    const bool one = psc_field_is_one(f) || f->part || (l->kind == PSY_FIELD_OPTIONAL && psc_field_is_items(f));
    out[n++] = (psc_piece){l->kind == PSY_FIELD_TAIL    ? "psy_tail"
                           : l->flags & PSY_FIELD_OPEN  ? "uint32_t"
                           : l->kind == PSY_FIELD_UNION ? NULL
                                                        : element_ctype(w, f),
                           name,
                           one || psc_field_is_open(f) || l->kind == PSY_FIELD_UNION ? ""
                           : texts                                                   ? TEXT("[%u][%u]", l->count, l->inner)
                                                                                     : TEXT("[%u]", l->count),
                           l->offset, psy__field_end(l) - l->offset};
    return n;
}

/* ---- spots ---- */

static psc_spot spot(psc_header *w, const psc_field *f, const char *before)
{
    psc_piece pieces[PSC_PIECES_MAX];
    const unsigned n = psc_header_pieces(w, f, pieces);
    const char *inside = *before && n > 1 ? TEXT("%s%s.", before, f->name) : before;
    psc_spot s = {.field = f, .name = f->name, .at = TEXT("%s%s", inside, pieces[n - 1].name), .beside = "", .lengths = ""};
    if (f->layout.count_offset != PSY_NONE) {
        s.beside = TEXT("%s%s", inside, pieces[0].name);
    }
    if (f->layout.inner_offset != PSY_NONE) {
        s.lengths = TEXT("%s%s", inside, pieces[n - 2].name);
    }
    return s;
}

psc_spot psc_header_spot(psc_header *w, const psc_field *f)
{
    psc_spot s = spot(w, f, "");
    s.upper = psc_upper(w->arena, TEXT("%s_%s", w->upper, f->name));
    return s;
}

psc_spot psc_header_member(psc_header *w, const psc_field *in, uint32_t index)
{
    const psc_field *f = &in->type->fields[index];
    psc_spot s = spot(w, f, TEXT("%s.", in->name));
    s.name = TEXT("%s_%s", in->name, f->name);
    s.upper = psc_upper(w->arena, TEXT("%s_%s", w->upper, s.name));
    s.in = in;
    for (uint32_t i = 0; i <= index; i++) {
        s.tag += psc_field_is_own(&in->type->fields[i]);
    }
    return s;
}

/* ---- what templates say ---- */

uint32_t psc_header_align(const psc_field *f, bool *raised)
{
    const uint32_t least = psy__field_align(&f->layout);
    const bool text = psc_field_is_text(f);
    uint32_t natural = f->layout.kind == PSY_FIELD_VARIANT            ? PSY_MESSAGE_ALIGN
                       : text && f->layout.flags & PSY_FIELD_IS_ARRAY ? 4
                       : psc_field_is_items(f)                        ? f->type->layout.align
                                                                      : psy__dtype_bytes(f->layout.dtype);
    natural = natural > least ? natural : least;
    *raised = !text && natural < PSY_MESSAGE_ALIGN;
    return natural;
}

/* Bytes of one element of the tail. */
static uint32_t element_bytes(const psc_field *f)
{
    return psc_field_is_items(f) ? f->type->layout.bytes : psy__dtype_bytes(f->layout.dtype);
}

/* What an object of the tail is aligned to, that has `count` elements. */
static const char *align_text(psc_header *w, const psc_field *f)
{
    bool raised;
    const uint32_t align = psc_header_align(f, &raised), bytes = element_bytes(f);
    return !raised ? TEXT("%u", align)
           : bytes >= PSY_MESSAGE_ALIGN
               ? TEXT("%u", PSY_MESSAGE_ALIGN)
               : TEXT("count > %u ? %u : %u", (PSY_MESSAGE_ALIGN - 1) / bytes, PSY_MESSAGE_ALIGN, align);
}

enum { KEYS_MAX = 64 };

typedef struct keys {
    psc_pair *at;
    size_t count;
} keys;

static void add(keys *k, const char *key, const char *value) { k->at[k->count++] = (psc_pair){key, value}; }

/* How a text is copied to where it lies. Into the member of a union only once it is known to be right: another member is there
 * till then. */
static void add_text(psc_header *w, const psc_spot *s, keys *k, const char *choose, const char *row, const char *take,
                     const char *put)
{
    add(k, take, s->in ? "psy_utf8_valid(text, n)" : TEXT("psy_utf8_copy(m->%s%s, text, n)", s->at, row));
    add(k, put, s->in ? TEXT("%s    if (n > 0) {\n        memcpy(m->%s%s, text, n);\n    }\n", choose, s->at, row) : "");
}

/* Of the member of a union: what its getters and setters do with the tag. */
static void add_union(psc_header *w, const psc_spot *s, keys *k)
{
    const char *is = s->in ? TEXT("m->%s_tag == %s", s->in->name, s->upper) : "";
    add(k, "is", s->in ? TEXT("%s ? ", is) : "");
    add(k, "else_0", s->in ? " : 0" : "");
    add(k, "else_false", s->in ? " : false" : "");
    add(k, "else_null", s->in ? " : NULL" : "");
    add(k, "else_not_found", s->in ? " : PSY_NOT_FOUND" : "");
    add(k, "and_is", s->in ? TEXT(" && %s", is) : "");
    const char *choose = s->in ? TEXT("    %s_choose_%s(m, %s);\n", w->type, s->in->name, s->upper) : "";
    add(k, "choose_line", choose);
    add_text(w, s, k, choose, "", "take_text", "put_text");
    add_text(w, s, k, choose, "[i]", "take_row", "put_row");
    add(k, "set_begin", s->in ? TEXT("\n{\n%s    ", choose) : " { ");
    add(k, "set_end", s->in ? "\n}" : " }");
    add(k, "there",
        s->in ? TEXT("v.bytes >= %s_BYTES && v.message->%s_tag == %s", w->upper, s->in->name, s->upper)
              : TEXT("v.bytes >= %s_BYTES", w->upper));
}

static void add_type(psc_header *w, const psc_field *f, keys *k)
{
    const bool truth = f->layout.dtype == PSY_BOOL && psc_field_is_one(f), message = psc_field_is_messages(f);
    const char *type = f->type ? psc_header_type(w, f->type) : "";
    add(k, "ctype", truth ? "bool" : element_ctype(w, f));
    /* What no argument of that name hides. */
    add(k, "cast",
        psc_field_is_items(f) ? TEXT("struct %s", type)
        : f->type             ? psc_header_ctype(f->layout.dtype)
                              : element_ctype(w, f));
    add(k, "dtype", f->type ? f->type->full_name : psy__dtype_name(f->layout.dtype));
    add(k, "item", type);
    add(k, "ITEM", psc_upper(w->arena, type));
    add(k, "natural", psc_header_decimal(w, psc_field_is_items(f) ? f->type->layout.align : psy__dtype_bytes(f->layout.dtype)));
    add(k, "size", message ? TEXT("%s_BYTES", psc_upper(w->arena, type)) : psc_header_decimal(w, element_bytes(f)));
    add(k, "claim", f->type && psc_type_is_tailed(f->type) ? "claim_items" : "claim");
    add(k, "claim_align", f->type && psc_type_is_tailed(f->type) ? "" : ", 64");
}

const psc_pair *psc_header_pairs(psc_header *w, const psc_spot *s)
{
    const psc_field *f = s->field;
    const psy_psm_field *l = &f->layout;
    keys k = {psc_alloc(w->arena, KEYS_MAX * sizeof(psc_pair)), 0};
    bool raised;
    add(&k, "type", w->type);
    add(&k, "TYPE", w->upper);
    add(&k, "name", s->name);
    add(&k, "NAME", s->upper);
    add(&k, "at", s->at);
    add(&k, "beside", s->beside);
    add(&k, "lengths", s->lengths);
    add(&k, "count", psc_header_decimal(w, l->count));
    add(&k, "room", psc_header_decimal(w, psy__field_is_texts(l) ? l->inner : l->count));
    add(&k, "offset", psc_header_decimal(w, l->offset + (s->in ? s->in->layout.offset : 0)));
    add(&k, "value", psc_header_default(w, l));
    add(&k, "text", psc_header_quoted(w, f->text ? f->text : "", f->text_bytes));
    add(&k, "fallback", f->text_bytes ? psc_header_quoted(w, f->text, f->text_bytes) : "NULL");
    add(&k, "otherwise", f->text_bytes ? "its default" : "NULL and 0");
    add(&k, "text_bytes", psc_header_decimal(w, f->text_bytes));
    add(&k, "bits", l->dtype == PSY_F32 ? "32" : "64");
    add(&k, "align", align_text(w, f));
    add(&k, "least", psc_header_decimal(w, psc_header_align(f, &raised)));
    add(&k, "maybe", l->flags & PSY_FIELD_MAYBE ? "true" : "false");
    add(&k, "deprecated", psc_header_deprecated(w, f->deprecated ? f->deprecated : s->in ? s->in->deprecated : NULL));
    add_type(w, f, &k);
    add_union(w, s, &k);
    add(&k, NULL, NULL);
    return k.at;
}

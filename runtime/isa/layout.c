/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/siphash.h"

/* A type that is being laid out: the outer one, or a part or struct that lies in it. */
typedef struct level {
    uint32_t index; /* of the part; PSY_NONE: the outer type */
    uint32_t version;
} level;

typedef struct place {
    const char *strings;
    const psy_psm_type *types; /* those before this one */
    uint32_t type_count;
    psy_psm_type *type;
    psy_psm_field *fields;
    uint64_t at, most; /* most: where the longest member of a union ends */
    uint32_t align;    /* the largest so far */
    uint32_t deepest;
    uint32_t members; /* of a union, so far */
    level levels[PSY_MESSAGE_DEPTH_MAX + 1];
    uint32_t depth; /* of the innermost one */
} place;

static void absorb(psy__siphash_state *s, const char *text) { psy__siphash_update(s, text, strlen(text)); }

static uint64_t align(uint64_t at, uint64_t to) { return (at + to - 1) & ~(to - 1); }

static bool is_one(const psy_psm_field *f)
{
    return f->kind == PSY_FIELD_SCALAR ||
           (f->kind == PSY_FIELD_OPTIONAL && !(f->flags & (PSY_FIELD_IS_ARRAY | PSY_FIELD_TEXT)));
}

void psy__field_type_text(char out[PSY_FIELD_TYPE_TEXT_BYTES], const psy_psm_field *f, const char *element)
{
    const char *most = f->kind == PSY_FIELD_BOUNDED ? "<=" : "";
    const char *maybe = f->kind == PSY_FIELD_OPTIONAL || (f->flags & PSY_FIELD_MAYBE) ? "?" : "";
    element = element ? element : psy__dtype_name(f->dtype);
    element = element ? element : "?";
    const size_t n = PSY_FIELD_TYPE_TEXT_BYTES;
    if (psy__field_is_nested(f)) {
        snprintf(out, n, "%s %u", f->kind == PSY_FIELD_PART ? "part" : "struct", f->count);
    } else if (f->kind == PSY_FIELD_VARIANT) {
        snprintf(out, n, f->flags & PSY_FIELD_OPEN ? "variant" : "variant[<=%u]", f->count);
    } else if (f->kind == PSY_FIELD_UNION) {
        snprintf(out, n, "%s", element);
    } else if (f->kind == PSY_FIELD_TAIL) {
        bool text = (f->flags & PSY_FIELD_TEXT) != 0, array = !text || (f->flags & PSY_FIELD_IS_ARRAY);
        snprintf(out, n, "%s%s%s", text ? "string" : element, array ? "[]" : "", maybe);
    } else if (psy__field_is_texts(f)) {
        snprintf(out, n, "string[<=%u][%s%u]", f->inner, most, f->count);
    } else if (f->flags & PSY_FIELD_TEXT) {
        snprintf(out, n, "string[<=%u]%s", f->count, maybe);
    } else if (!is_one(f)) {
        snprintf(out, n, "%s[%s%u]%s", element, most, f->count, maybe);
    } else {
        snprintf(out, n, "%s%s", element, maybe);
    }
}

/* The field's part of the text that the layout hash is made of. Numbers with names are numbers. */
static void absorb_field(psy__siphash_state *s, const place *p, const psy_psm_field *f)
{
    static const char *const kinds[PSY_TYPE_KIND_END] = {"message", "struct", "union", "enum", "flags"};
    char text[PSY_FIELD_TYPE_TEXT_BYTES], element[32];
    bool refers = f->kind == PSY_FIELD_UNION || (f->flags & PSY_FIELD_ITEMS);
    if (refers) {
        const psy_psm_type *t = &p->types[f->type];
        snprintf(element, sizeof element, "%s %016" PRIx64, kinds[t->kind], t->layout_hash);
    }
    psy__field_type_text(text, f, refers ? element : NULL);
    absorb(s, text);
    absorb(s, " ");
    absorb(s, p->strings + f->name);
    snprintf(text, sizeof text, "@%u", f->offset);
    absorb(s, text);
    if (f->count_offset != PSY_NONE) {
        snprintf(text, sizeof text, "/%u", f->count_offset);
        absorb(s, text);
    }
    if (f->inner_offset != PSY_NONE) {
        snprintf(text, sizeof text, f->count_offset == PSY_NONE ? "//%u" : "/%u", f->inner_offset);
        absorb(s, text);
    }
    absorb(s, f->flags & PSY_FIELD_KEY ? " key;" : ";");
}

/* ---- what a field may be ---- */

/* Flags that the kind allows, and no others. */
static bool flags_fit(const psy_psm_field *f)
{
    static const unsigned allowed[PSY_FIELD_KIND_END] = {
        [PSY_FIELD_SCALAR] = PSY_FIELD_KEY,
        [PSY_FIELD_ARRAY] = PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY | PSY_FIELD_ITEMS,
        [PSY_FIELD_BOUNDED] = PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY | PSY_FIELD_ITEMS,
        [PSY_FIELD_OPTIONAL] = PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY | PSY_FIELD_ITEMS,
        [PSY_FIELD_VARIANT] = PSY_FIELD_OPEN,
        [PSY_FIELD_TAIL] = PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY | PSY_FIELD_ITEMS | PSY_FIELD_MAYBE,
    };
    const unsigned always = PSY_FIELD_RETIRED | PSY_FIELD_DEPRECATED | 0xfu << PSY_FIELD_ALIGN_SHIFT;
    const bool text = (f->flags & PSY_FIELD_TEXT) != 0, array = (f->flags & PSY_FIELD_IS_ARRAY) != 0,
               items = (f->flags & PSY_FIELD_ITEMS) != 0;
    if ((f->flags & ~(allowed[f->kind] | always)) || (text && items) || psy__field_align(f) > PSY_MESSAGE_ALIGN) {
        return false;
    }
    switch (f->kind) {
    case PSY_FIELD_ARRAY: return text == array;
    case PSY_FIELD_BOUNDED: return text || !array;
    case PSY_FIELD_OPTIONAL: return !(array && (text || items));
    case PSY_FIELD_TAIL: return (!array || text) && (!(f->flags & PSY_FIELD_MAYBE) || (text && !array));
    default: return true;
    }
}

/* The type that a field refers to must be there, and of a kind that fits. */
static bool type_fits(const place *p, const psy_psm_field *f)
{
    const bool items = (f->flags & PSY_FIELD_ITEMS) != 0, one = f->kind == PSY_FIELD_UNION;
    const bool number = !(f->flags & PSY_FIELD_TEXT) && !psy__field_is_nested(f) && f->kind != PSY_FIELD_VARIANT;
    if (f->type == PSY_NONE) {
        return !items && !one;
    }
    const psy_psm_type *t = f->type < p->type_count ? &p->types[f->type] : NULL;
    return t && (one     ? t->kind == PSY_TYPE_UNION
                 : items ? t->kind == PSY_TYPE_STRUCT || t->kind == PSY_TYPE_MESSAGE
                         : number && (t->kind == PSY_TYPE_ENUM || t->kind == PSY_TYPE_FLAGS) && t->dtype == f->dtype);
}

/* Kinds that may stand in this kind of type; what lies in a part or struct stands in that. */
static bool stands_in(const place *p, const psy_psm_field *f)
{
    const unsigned holder = f->parent == PSY_NONE                           ? p->type->kind
                            : p->fields[f->parent].kind == PSY_FIELD_STRUCT ? PSY_TYPE_STRUCT
                                                                            : PSY_TYPE_MESSAGE;
    switch (holder) {
    case PSY_TYPE_STRUCT:
        return f->kind == PSY_FIELD_SCALAR || f->kind == PSY_FIELD_STRUCT ||
               (f->kind == PSY_FIELD_ARRAY &&
                (!(f->flags & PSY_FIELD_ITEMS) ? !(f->flags & PSY_FIELD_TEXT) : p->types[f->type].kind == PSY_TYPE_STRUCT));
    case PSY_TYPE_UNION: return f->kind != PSY_FIELD_OPTIONAL && f->kind != PSY_FIELD_UNION && !(f->flags & PSY_FIELD_MAYBE);
    case PSY_TYPE_ENUM:
    case PSY_TYPE_FLAGS:
        return f->kind == PSY_FIELD_SCALAR && f->dtype == p->type->dtype && f->type == PSY_NONE && psy__field_align(f) == 1;
    default: return true;
    }
}

static psy_status check_field(const place *p, const psy_psm_field *f, const char *name)
{
    const bool texts = psy__field_is_texts(f), items = (f->flags & PSY_FIELD_ITEMS) != 0;
    if (psy__dtype_bytes(f->dtype) == 0) {
        return psy_fail(PSY_INVALID, "field %s: dtype %u is not known", name, f->dtype);
    }
    const bool none =
        psy__field_is_nested(f) || f->kind == PSY_FIELD_UNION || f->kind == PSY_FIELD_TAIL || (f->flags & PSY_FIELD_OPEN);
    if (f->kind >= PSY_FIELD_KIND_END || (!none && (f->count == 0 || (is_one(f) && f->count != 1)))) {
        return psy_fail(PSY_INVALID, "field %s: a count of %u", name, f->count);
    }
    if (texts && f->inner == 0) {
        return psy_fail(PSY_INVALID, "field %s: texts of %u bytes", name, f->inner);
    }
    bool bytes = psy__field_is_nested(f) || f->kind == PSY_FIELD_VARIANT || f->kind == PSY_FIELD_UNION || items ||
                 (f->flags & PSY_FIELD_TEXT);
    if (!flags_fit(f) || (bytes && f->dtype != PSY_U8)) {
        return psy_fail(PSY_INVALID, "field %s: flags %u do not fit kind %u of %s", name, f->flags, f->kind,
                        psy__dtype_name(f->dtype));
    }
    if (!type_fits(p, f)) {
        return psy_fail(PSY_INVALID, "field %s: type %u is none that it can have", name, f->type);
    }
    return stands_in(p, f) ? PSY_OK : psy_fail(PSY_INVALID, "field %s: its type cannot hold fields of kind %u", name, f->kind);
}

/* ---- where a field lies ---- */

/* What the elements need, without what the count and the like before them do. Of a part or struct, `f` is followed by what lies
 * in it. */
static uint32_t element_align(const place *p, const psy_psm_field *f, uint64_t bytes)
{
    uint32_t least = psy__field_align(f), natural = psy__dtype_bytes(f->dtype);
    const bool several = psy__field_is_vector(f) || (f->flags & PSY_FIELD_TEXT) || psy__field_is_items(f);
    if (f->kind == PSY_FIELD_PART || (f->kind == PSY_FIELD_VARIANT && !(f->flags & PSY_FIELD_OPEN))) {
        natural = PSY_MESSAGE_ALIGN;
    } else if (f->kind == PSY_FIELD_TAIL || f->kind == PSY_FIELD_VARIANT) {
        return 4; /* `least` is that of what lies in the tail */
    } else if (f->kind == PSY_FIELD_UNION || (f->flags & PSY_FIELD_ITEMS)) {
        natural = p->types[f->type].align;
    }
    natural = several && bytes >= PSY_MESSAGE_ALIGN ? PSY_MESSAGE_ALIGN : natural;
    return natural > least ? natural : least;
}

/* The largest alignment of what lies in struct `i`. */
static uint32_t struct_align(const place *p, uint32_t i)
{
    uint32_t most = 1;
    for (uint32_t k = i + 1; k < p->type->field_count && p->fields[k].parent != PSY_NONE && p->fields[k].parent >= i; k++) {
        const psy_psm_field *f = &p->fields[k];
        if (f->kind == PSY_FIELD_STRUCT) {
            most = psy__field_align(f) > most ? psy__field_align(f) : most; /* its own fields follow */
        }
        if (f->kind == PSY_FIELD_STRUCT || f->kind >= PSY_FIELD_KIND_END || !type_fits(p, f)) {
            continue; /* refused where it is placed */
        }
        uint64_t inner = f->flags & PSY_FIELD_ITEMS ? p->types[f->type].bytes : 1;
        uint32_t own = element_align(p, f, psy__dtype_bytes(f->dtype) * inner * f->count);
        most = own > most ? own : most;
    }
    return most;
}

/* What follows from where the field begins; `at` moves behind it. */
static psy_status place_field(place *p, uint32_t i, const char *name)
{
    psy_psm_field *f = &p->fields[i];
    psy_status status = check_field(p, f, name);
    if (status != PSY_OK) {
        return status;
    }
    const bool text = (f->flags & PSY_FIELD_TEXT) != 0, texts = psy__field_is_texts(f);
    const uint64_t element = psy__dtype_bytes(f->dtype);
    f->inner = f->flags & PSY_FIELD_ITEMS ? p->types[f->type].bytes : texts ? f->inner : 1;
    f->count = f->kind == PSY_FIELD_PART    ? PSY_MESSAGE_HEADER_BYTES /* until its end is known */
               : f->kind == PSY_FIELD_UNION ? p->types[f->type].bytes
               : f->kind == PSY_FIELD_STRUCT || f->kind == PSY_FIELD_TAIL || (f->flags & PSY_FIELD_OPEN) ? 0
                                                                                                         : f->count;
    f->count_offset = f->inner_offset = PSY_NONE;
    uint64_t bytes = 0, where = p->at;
    bool fits = !__builtin_mul_overflow(element * f->count, (uint64_t)f->inner, &bytes) && bytes <= PSY_MESSAGE_BYTES_MAX;
    bytes += f->kind == PSY_FIELD_TAIL ? sizeof(psy_tail) : f->flags & PSY_FIELD_OPEN ? 4 : 0;
    if (f->kind == PSY_FIELD_BOUNDED || f->kind == PSY_FIELD_VARIANT) {
        where = align(where, 4);
        f->count_offset = (uint32_t)where;
        where += f->kind == PSY_FIELD_VARIANT ? sizeof(psy_variant_head) : 4;
    } else if (f->kind == PSY_FIELD_OPTIONAL || f->kind == PSY_FIELD_UNION) {
        f->count_offset = (uint32_t)where++;
    }
    if (texts || (text && f->kind == PSY_FIELD_OPTIONAL)) {
        where = align(where, 4);
        f->inner_offset = (uint32_t)where;
        where += UINT64_C(4) * (texts ? f->count : 1);
    }
    uint32_t need = element_align(p, f, bytes);
    if (f->kind == PSY_FIELD_STRUCT) {
        const uint32_t inside = struct_align(p, i);
        need = inside > need ? inside : need;
    }
    where = align(where, need);
    f->offset = (uint32_t)where;
    p->at = where + bytes;
    const bool byte_first = f->kind == PSY_FIELD_OPTIONAL || f->kind == PSY_FIELD_UNION;
    const uint32_t lead = f->inner_offset != PSY_NONE || (f->count_offset != PSY_NONE && !byte_first) ? 4 : 1;
    p->align = need > p->align ? need : p->align;
    p->align = lead > p->align ? lead : p->align;
    if (f->kind == PSY_FIELD_TAIL || (f->flags & PSY_FIELD_OPEN) ||
        (f->type != PSY_NONE && (p->types[f->type].flags & PSY_TYPE_TAILED))) {
        p->type->flags |= PSY_TYPE_TAILED;
    }
    return !fits || p->at > PSY_MESSAGE_BYTES_MAX
               ? psy_fail(PSY_TOO_LARGE, "field %s: the message grows over %u bytes", name, PSY_MESSAGE_BYTES_MAX)
               : PSY_OK;
}

/* The innermost part or struct ends here. */
static psy_status end_part(place *p)
{
    const level *l = &p->levels[p->depth--];
    psy_psm_field *part = &p->fields[l->index];
    const bool is_struct = part->kind == PSY_FIELD_STRUCT;
    p->at = align(p->at, is_struct ? struct_align(p, l->index) : PSY_MESSAGE_ALIGN);
    part->count = (uint32_t)(p->at - part->offset);
    part->default_bits = is_struct ? 0 : part->count | (uint64_t)l->version << 32;
    if (part->count == 0) {
        return psy_fail(PSY_INVALID, "field %s: a struct without fields", p->strings + part->name);
    }
    return p->at > PSY_MESSAGE_BYTES_MAX ? psy_fail(PSY_TOO_LARGE, "field %s: the message grows over %u bytes",
                                                    p->strings + part->name, PSY_MESSAGE_BYTES_MAX)
                                         : PSY_OK;
}

/* What is inside the field, and how deep. */
static psy_status enter(place *p, uint32_t i, const char *name)
{
    const psy_psm_field *f = &p->fields[i];
    const bool refers = f->kind == PSY_FIELD_UNION || (f->flags & PSY_FIELD_ITEMS);
    const uint32_t depth = p->depth + (psy__field_is_nested(f) ? 1 : refers ? 1u + p->types[f->type].depth : 0);
    if (depth > PSY_MESSAGE_DEPTH_MAX) {
        return psy_fail(PSY_INVALID, "field %s: messages inside messages over %d deep", name, PSY_MESSAGE_DEPTH_MAX);
    }
    p->deepest = depth > p->deepest ? depth : p->deepest;
    if (psy__field_is_nested(f)) {
        p->levels[++p->depth] = (level){i, 1};
    }
    return PSY_OK;
}

/* Ends the parts that field `i` does not lie in, and places it. */
static psy_status place_next(place *p, uint32_t i)
{
    psy_psm_field *f = &p->fields[i];
    const char *name = p->strings + f->name;
    psy_status status = PSY_OK;
    while (p->levels[p->depth].index != f->parent && status == PSY_OK) {
        status = p->depth > 0 ? end_part(p)
                              : psy_fail(PSY_INVALID, "field %s: field %u is no part that it lies in", name, f->parent);
    }
    level *l = &p->levels[p->depth];
    if (status == PSY_OK && f->since < l->version) {
        status = psy_fail(PSY_INVALID, "field %s: version %u after version %u", name, f->since, l->version);
    }
    if (p->depth == 0 && p->type->kind != PSY_TYPE_MESSAGE && p->type->kind != PSY_TYPE_STRUCT) {
        p->most = p->at > p->most ? p->at : p->most;
        p->at = 0; /* of a union one member at a time is there */
        p->members++;
    }
    if (status == PSY_OK && p->type->kind == PSY_TYPE_UNION && p->members > UINT8_MAX) {
        status = psy_fail(PSY_INVALID, "field %s: a union has at most %d members", name, UINT8_MAX);
    }
    status = status == PSY_OK ? place_field(p, i, name) : status;
    if (status == PSY_OK) {
        l->version = f->since;
        status = enter(p, i, name);
    }
    return status;
}

/* ---- types ---- */

static bool is_integer(unsigned dtype)
{
    const psy_dtype_class class_ = psy__dtype_class(dtype);
    return psy__dtype_bytes(dtype) != 0 && (class_ == PSY_DCLASS_SINT || class_ == PSY_DCLASS_UINT);
}

/* The size of the whole, and what comes with it. */
static psy_status close_type(place *p)
{
    psy_psm_type *t = p->type;
    const bool message = t->kind == PSY_TYPE_MESSAGE, number = t->kind == PSY_TYPE_ENUM || t->kind == PSY_TYPE_FLAGS;
    const uint64_t end = p->at > p->most ? p->at : p->most;
    t->version = (uint16_t)p->levels[0].version;
    t->depth = (uint8_t)p->deepest;
    t->align = message ? PSY_MESSAGE_ALIGN : (uint16_t)p->align;
    t->bytes = number ? psy__dtype_bytes(t->dtype) : (uint32_t)align(end, t->align);
    if (t->bytes == 0 || (number && (t->align = (uint16_t)t->bytes, t->field_count == 0))) {
        return psy_fail(PSY_INVALID, "type %s: it has no fields", p->strings + t->name);
    }
    return end > PSY_MESSAGE_BYTES_MAX
               ? psy_fail(PSY_TOO_LARGE, "type %s: over %u bytes", p->strings + t->name, PSY_MESSAGE_BYTES_MAX)
               : PSY_OK;
}

psy_status psy__layout(const char *strings, const psy_psm_type *types, uint32_t type_count, psy_psm_type *type,
                       psy_psm_field *fields)
{
    static const uint64_t zero_key[2] = {0, 0};
    static const char *const kinds[PSY_TYPE_KIND_END] = {"", "struct ", "union ", "enum ", "flags "};
    place p = {.strings = strings,
               .types = types,
               .type_count = type_count,
               .type = type,
               .fields = fields,
               .at = type->kind == PSY_TYPE_MESSAGE ? PSY_MESSAGE_HEADER_BYTES : 0,
               .align = 1,
               .levels = {{PSY_NONE, 1}}};
    psy_status status = PSY_OK;
    const bool number = type->kind == PSY_TYPE_ENUM || type->kind == PSY_TYPE_FLAGS;
    if (type->kind >= PSY_TYPE_KIND_END) {
        return psy_fail(PSY_INVALID, "type %s: a kind of %u", strings + type->name, type->kind);
    }
    if (number ? !is_integer(type->dtype) : type->dtype != 0) {
        const char *dtype = psy__dtype_name(type->dtype);
        return psy_fail(PSY_INVALID, "type %s: it cannot be of %s", strings + type->name, dtype ? dtype : "an unknown dtype");
    }
    type->flags = 0;
    for (uint32_t i = 0; i < type->field_count && status == PSY_OK; i++) {
        status = place_next(&p, i);
    }
    while (p.depth > 0 && status == PSY_OK) {
        status = end_part(&p);
    }
    status = status == PSY_OK ? close_type(&p) : status;
    if (status != PSY_OK) {
        return status;
    }
    psy__siphash_state s;
    psy__siphash_init(&s, zero_key);
    absorb(&s, kinds[type->kind]);
    absorb(&s, strings + type->name);
    absorb(&s, "{");
    for (uint32_t i = 0; i < type->field_count; i++) {
        absorb_field(&s, &p, &fields[i]);
    }
    char text[16];
    snprintf(text, sizeof text, "}%u", type->bytes);
    absorb(&s, text);
    type->layout_hash = psy__siphash_final(&s);
    return PSY_OK;
}

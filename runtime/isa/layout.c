/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/layout.h"

#include <stdio.h>
#include <string.h>

#include "base/siphash.h"

/* A message that is being laid out: the outer one, or a part that lies in it. */
typedef struct level {
    uint32_t index; /* of the part; PSY_NONE: the outer message */
    uint32_t version;
} level;

typedef struct place {
    const char *strings;
    psy_psm_field *fields;
    uint64_t at;
    level levels[PSY_MESSAGE_DEPTH_MAX + 1];
    uint32_t depth; /* of the innermost one */
} place;

static void absorb(psy__siphash_state *s, const char *text) { psy__siphash_update(s, text, strlen(text)); }

static uint64_t align(uint64_t at, uint64_t to) { return (at + to - 1) & ~(to - 1); }

void psy__field_type_text(char out[PSY_FIELD_TYPE_TEXT_BYTES], const psy_psm_field *f)
{
    const char *dtype = psy__dtype_name(f->dtype), *most = f->kind == PSY_FIELD_BOUNDED ? "<=" : "";
    dtype = dtype ? dtype : "?";
    if (f->kind == PSY_FIELD_PART) {
        snprintf(out, PSY_FIELD_TYPE_TEXT_BYTES, "part %u", f->count);
    } else if (f->kind == PSY_FIELD_VARIANT) {
        snprintf(out, PSY_FIELD_TYPE_TEXT_BYTES, "variant[<=%u]", f->count);
    } else if (psy__field_is_texts(f)) {
        snprintf(out, PSY_FIELD_TYPE_TEXT_BYTES, "string[<=%u][%s%u]", f->inner, most, f->count);
    } else if (f->flags & PSY_FIELD_TEXT) {
        snprintf(out, PSY_FIELD_TYPE_TEXT_BYTES, "string[<=%u]", f->count);
    } else if (psy__field_is_vector(f)) {
        snprintf(out, PSY_FIELD_TYPE_TEXT_BYTES, "%s[%s%u]%s", dtype, most, f->count, f->kind == PSY_FIELD_OPTIONAL ? "?" : "");
    } else {
        snprintf(out, PSY_FIELD_TYPE_TEXT_BYTES, "%s%s", dtype, f->kind == PSY_FIELD_OPTIONAL ? "?" : "");
    }
}

/* The field's part of the text that the layout hash is made of. */
static void absorb_field(psy__siphash_state *s, const char *name, const psy_psm_field *f)
{
    char text[PSY_FIELD_TYPE_TEXT_BYTES];
    psy__field_type_text(text, f);
    absorb(s, text);
    absorb(s, " ");
    absorb(s, name);
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

/* Flags and counts that the kind allows, and no others. */
static psy_status check_kind(const psy_psm_field *f, const char *name)
{
    const bool texts = psy__field_is_texts(f),
               one = f->kind == PSY_FIELD_SCALAR || (f->kind == PSY_FIELD_OPTIONAL && !(f->flags & PSY_FIELD_IS_ARRAY));
    if (psy__dtype_bytes(f->dtype) == 0) {
        return psy_fail(PSY_INVALID, "field %s: dtype %u is not known", name, f->dtype);
    }
    if (f->kind >= PSY_FIELD_KIND_END || (f->kind != PSY_FIELD_PART && (f->count == 0 || (one && f->count != 1)))) {
        return psy_fail(PSY_INVALID, "field %s: a count of %u", name, f->count);
    }
    if (texts && f->inner == 0) {
        return psy_fail(PSY_INVALID, "field %s: texts of %u bytes", name, f->inner);
    }
    bool bytes = f->kind == PSY_FIELD_PART || f->kind == PSY_FIELD_VARIANT || (f->flags & PSY_FIELD_TEXT);
    bool text = f->kind == PSY_FIELD_BOUNDED || (f->kind == PSY_FIELD_ARRAY && texts);
    bool array = f->kind == PSY_FIELD_OPTIONAL || (f->flags & PSY_FIELD_TEXT);
    if ((f->flags & ~PSY_FIELD_FLAGS_ALL) || (bytes && f->dtype != PSY_U8) || ((f->flags & PSY_FIELD_TEXT) && !text) ||
        ((f->flags & PSY_FIELD_IS_ARRAY) && !array)) {
        return psy_fail(PSY_INVALID, "field %s: flags %u do not fit kind %u of %s", name, f->flags, f->kind,
                        psy__dtype_name(f->dtype));
    }
    return PSY_OK;
}

/* What follows from where the field begins; `at` moves behind it. */
static psy_status place_field(psy_psm_field *f, const char *name, uint64_t *at)
{
    const uint64_t element = psy__dtype_bytes(f->dtype);
    psy_status status = check_kind(f, name);
    if (status != PSY_OK) {
        return status;
    }
    f->inner = psy__field_is_texts(f) ? f->inner : 1;
    f->count = f->kind == PSY_FIELD_PART ? PSY_MESSAGE_HEADER_BYTES : f->count; /* until its end is known */
    f->count_offset = f->inner_offset = PSY_NONE;
    uint64_t bytes = 0, where = *at;
    bool fits = !__builtin_mul_overflow(element * f->count, (uint64_t)f->inner, &bytes) && bytes <= PSY_MESSAGE_BYTES_MAX;
    if (f->kind == PSY_FIELD_BOUNDED || f->kind == PSY_FIELD_VARIANT) {
        where = align(where, 4);
        f->count_offset = (uint32_t)where;
        where += f->kind == PSY_FIELD_VARIANT ? sizeof(psy_variant_head) : 4;
    } else if (f->kind == PSY_FIELD_OPTIONAL) {
        f->count_offset = (uint32_t)where++;
    }
    if (psy__field_is_texts(f)) {
        where = align(where, 4);
        f->inner_offset = (uint32_t)where;
        where += UINT64_C(4) * f->count;
    }
    bool wide = f->kind == PSY_FIELD_PART || f->kind == PSY_FIELD_VARIANT ||
                ((psy__field_is_vector(f) || (f->flags & PSY_FIELD_TEXT)) && bytes >= PSY_MESSAGE_ALIGN);
    where = align(where, wide ? PSY_MESSAGE_ALIGN : element);
    f->offset = (uint32_t)where;
    *at = where + bytes;
    return !fits || *at > PSY_MESSAGE_BYTES_MAX
               ? psy_fail(PSY_TOO_LARGE, "field %s: the message grows over %u bytes", name, PSY_MESSAGE_BYTES_MAX)
               : PSY_OK;
}

/* The innermost part ends here. */
static psy_status end_part(place *p)
{
    const level *l = &p->levels[p->depth--];
    psy_psm_field *part = &p->fields[l->index];
    p->at = align(p->at, PSY_MESSAGE_ALIGN);
    part->count = (uint32_t)(p->at - part->offset);
    part->default_bits = part->count | (uint64_t)l->version << 32;
    return p->at > PSY_MESSAGE_BYTES_MAX ? psy_fail(PSY_TOO_LARGE, "field %s: the message grows over %u bytes",
                                                    p->strings + part->name, PSY_MESSAGE_BYTES_MAX)
                                         : PSY_OK;
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
    status = status == PSY_OK ? place_field(f, name, &p->at) : status;
    if (status != PSY_OK) {
        return status;
    }
    l->version = f->since;
    if (f->kind == PSY_FIELD_PART) {
        if (p->depth == PSY_MESSAGE_DEPTH_MAX) {
            return psy_fail(PSY_INVALID, "field %s: messages inside messages over %d deep", name, PSY_MESSAGE_DEPTH_MAX);
        }
        p->levels[++p->depth] = (level){i, 1};
    }
    return PSY_OK;
}

psy_status psy__layout(const char *strings, psy_psm_type *type, psy_psm_field *fields)
{
    static const uint64_t zero_key[2] = {0, 0};
    place p = {.strings = strings, .fields = fields, .at = PSY_MESSAGE_HEADER_BYTES, .levels = {{PSY_NONE, 1}}};
    psy_status status = PSY_OK;
    for (uint32_t i = 0; i < type->field_count && status == PSY_OK; i++) {
        status = place_next(&p, i);
    }
    while (p.depth > 0 && status == PSY_OK) {
        status = end_part(&p);
    }
    if (status != PSY_OK) {
        return status;
    }
    type->version = p.levels[0].version;
    type->bytes = (uint32_t)align(p.at, PSY_MESSAGE_ALIGN);
    psy__siphash_state s;
    psy__siphash_init(&s, zero_key);
    absorb(&s, strings + type->name);
    absorb(&s, "{");
    for (uint32_t i = 0; i < type->field_count; i++) {
        absorb_field(&s, strings + fields[i].name, &fields[i]);
    }
    char text[16];
    snprintf(text, sizeof text, "}%u", type->bytes);
    absorb(&s, text);
    type->layout_hash = psy__siphash_final(&s);
    return PSY_OK;
}

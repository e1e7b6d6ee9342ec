/* SPDX-License-Identifier: Apache-2.0 */
#include "message/values.h"

#include <psyne/tail.h>

void psy__values_init(psy__values *v, const psy__frame *f, const void *bytes, uint32_t size)
{
    v->bytes = bytes;
    v->size = size;
    v->depth = 1;
    v->levels[0] = (psy__values_level){.kind = PSY_VALUE_OPEN_OBJECT, .frame = *f, .next = f->first};
}

static psy__values_level *push(psy__values *v, psy__value_kind kind, const psy__frame *frame)
{
    psy__values_level *l = &v->levels[v->depth++];
    *l = (psy__values_level){.kind = kind, .frame = *frame, .next = frame->first};
    return l;
}

static void text_at(psy__value *out, const void *at, uint32_t n)
{
    out->kind = PSY_VALUE_TEXT;
    out->at = n > 0 ? at : "";
    out->count = n;
}

static void open_array(psy__values *v, const psy__frame *f, uint32_t i, uint32_t at, uint32_t count, psy__value *out)
{
    psy__values_level *l = push(v, PSY_VALUE_OPEN_ARRAY, f);
    l->next = 0;
    l->field = i;
    l->at = at;
    l->count = count;
    out->kind = PSY_VALUE_OPEN_ARRAY;
    out->count = count;
}

static void open_object(psy__values *v, const psy__frame *frame, psy__value *out)
{
    push(v, PSY_VALUE_OPEN_OBJECT, frame);
    out->kind = PSY_VALUE_OPEN_OBJECT;
}

static void numbers_at(const psy__frame *f, uint32_t i, const void *at, uint32_t count, bool one, psy__value *out)
{
    out->kind = one ? PSY_VALUE_NUMBER : PSY_VALUE_NUMBERS;
    out->dtype = f->fields[i].dtype;
    out->names = psy__field_type(f, i);
    out->at = at;
    out->count = count;
}

/* ---- kinds of fields ---- */

static void elements(psy__values *v, const psy__frame *f, uint32_t i, uint32_t count, psy__value *out)
{
    const psy_psm_field *field = &f->fields[i];
    const uint32_t at = f->origin + field->offset;
    if (count > field->count) {
        count = field->count;
    }
    if ((field->flags & PSY_FIELD_ITEMS) || psy__field_is_texts(field)) {
        open_array(v, f, i, at, count, out);
    } else if (field->flags & PSY_FIELD_TEXT) {
        text_at(out, v->bytes + at, count);
    } else {
        numbers_at(f, i, v->bytes + at, count, false, out);
    }
}

static void optional(psy__values *v, const psy__frame *f, uint32_t i, psy__value *out)
{
    const psy_psm_field *field = &f->fields[i];
    const uint32_t at = f->origin + field->offset;
    if (psy__u8_at(v->bytes + f->origin + field->count_offset) == 0) {
        return;
    }
    if (field->flags & PSY_FIELD_ITEMS) {
        const psy__frame item = psy__frame_item(f, i, at, PSY_NONE);
        open_object(v, &item, out);
    } else if (field->flags & PSY_FIELD_TEXT) {
        const uint32_t n = psy__u32_at(v->bytes + f->origin + field->inner_offset);
        text_at(out, v->bytes + at, n > field->count ? field->count : n);
    } else {
        numbers_at(f, i, v->bytes + at, field->count, !(field->flags & PSY_FIELD_IS_ARRAY), out);
    }
}

static void tail(psy__values *v, const psy__frame *f, uint32_t i, psy__value *out)
{
    const psy_psm_field *field = &f->fields[i];
    const unsigned char *message = v->bytes + f->message;
    const uint32_t rest = v->size - f->message;
    const psy_tail *t = (const psy_tail *)(const void *)(v->bytes + f->origin + field->offset);
    if ((field->flags & PSY_FIELD_TEXT) && !(field->flags & PSY_FIELD_IS_ARRAY)) {
        const psy_text text = psy_tail_text(message, rest, t);
        if (text.at || !(field->flags & PSY_FIELD_MAYBE)) {
            text_at(out, text.at, text.bytes);
        }
        return;
    }
    uint32_t count;
    const uint32_t size = psy__tail_size(f, i);
    const unsigned char *at = psy_tail_elements(message, rest, t, size, psy__tail_align(f, i, 0), &count);
    if (field->flags & (PSY_FIELD_ITEMS | PSY_FIELD_TEXT)) {
        open_array(v, f, i, at ? (uint32_t)(at - v->bytes) : 0, count, out);
    } else {
        numbers_at(f, i, at, count, false, out);
    }
}

static void variant(psy__values *v, const psy__frame *f, uint32_t i, psy__value *out)
{
    const psy_psm_field *field = &f->fields[i];
    const unsigned char *from = v->bytes + f->origin;
    const psy_variant_head *head = (const psy_variant_head *)(const void *)(from + field->count_offset);
    const psy_status status = field->flags & PSY_FIELD_OPEN
                                  ? psy_tail_variant(v->bytes + f->message, v->size - f->message, head,
                                                     (const uint32_t *)(const void *)(from + field->offset), &out->variant)
                                  : psy_variant_read(head, from + field->offset, field->count, &out->variant);
    out->kind = status == PSY_OK ? PSY_VALUE_VARIANT : PSY_VALUE_ABSENT;
}

static void field_value(psy__values *v, const psy__frame *f, uint32_t i, psy__value *out)
{
    const psy_psm_field *field = &f->fields[i];
    const uint32_t at = f->origin + field->offset;
    psy__frame inner;
    uint32_t tag;
    out->key = psy__frame_key(f, i);
    switch (field->kind) {
    case PSY_FIELD_SCALAR: numbers_at(f, i, v->bytes + at, 1, true, out); break;
    case PSY_FIELD_ARRAY: elements(v, f, i, field->count, out); break;
    case PSY_FIELD_BOUNDED: elements(v, f, i, psy__u32_at(v->bytes + f->origin + field->count_offset), out); break;
    case PSY_FIELD_OPTIONAL: optional(v, f, i, out); break;
    case PSY_FIELD_PART:
    case PSY_FIELD_STRUCT:
        inner = psy__frame_part(f, i);
        open_object(v, &inner, out);
        break;
    case PSY_FIELD_VARIANT: variant(v, f, i, out); break;
    case PSY_FIELD_UNION:
        tag = psy__u8_at(v->bytes + f->origin + field->count_offset);
        if (psy__frame_member(f, i, tag, &inner) && !(inner.fields[inner.first].flags & PSY_FIELD_RETIRED)) {
            push(v, PSY_VALUE_OPEN_UNION, &inner);
            out->kind = PSY_VALUE_OPEN_UNION;
            out->count = tag;
        }
        break;
    default: tail(v, f, i, out); break;
    }
}

/* Element `k` of an array that is open. */
static void element(psy__values *v, const psy__values_level *l, uint32_t k, psy__value *out)
{
    const psy__frame *f = &l->frame;
    const psy_psm_field *field = &f->fields[l->field];
    if (field->flags & PSY_FIELD_ITEMS) {
        const psy__frame item = psy__frame_item(f, l->field, l->at, k);
        open_object(v, &item, out);
    } else if (field->kind == PSY_FIELD_TAIL) {
        const psy_tail *t = (const psy_tail *)(const void *)(v->bytes + l->at + sizeof(psy_tail) * k);
        const psy_text text = psy_tail_text(v->bytes + f->message, v->size - f->message, t);
        text_at(out, text.at, text.bytes);
    } else {
        const uint32_t n = psy__u32_at(v->bytes + f->origin + field->inner_offset + UINT64_C(4) * k);
        text_at(out, v->bytes + l->at + (uint64_t)field->inner * k, n > field->inner ? field->inner : n);
    }
}

bool psy__values_next(psy__values *v, psy__value *out)
{
    psy__values_level *l = &v->levels[v->depth - 1];
    out->kind = PSY_VALUE_ABSENT; /* a variant is written where there is one */
    out->key = NULL;
    out->names = NULL;
    out->at = NULL;
    out->count = 0;
    if (l->kind == PSY_VALUE_OPEN_ARRAY && l->next < l->count) {
        element(v, l, l->next++, out);
        return true;
    }
    while (l->kind != PSY_VALUE_OPEN_ARRAY && l->next < l->frame.end) {
        const uint32_t i = l->next;
        l->next = psy__frame_next(&l->frame, i);
        if (!(l->frame.fields[i].flags & PSY_FIELD_RETIRED)) {
            const bool in_union = l->kind == PSY_VALUE_OPEN_UNION;
            field_value(v, &l->frame, i, out);
            out->kind = in_union && out->kind == PSY_VALUE_ABSENT ? PSY_VALUE_NULL : out->kind;
            return true;
        }
    }
    v->depth--;
    out->kind = PSY_VALUE_CLOSE;
    out->closes = l->kind;
    return v->depth > 0;
}

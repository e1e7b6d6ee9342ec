/* SPDX-License-Identifier: Apache-2.0 */
#include "message/frame.h"

#include <stdio.h>
#include <string.h>

psy_status psy__frame_of(const psy_type *type, psy__frame *out)
{
    const psy_reflection *r = type ? type->reflection : NULL;
    if (!r) {
        return type ? psy_fail(PSY_UNSUPPORTED, "%s: the type has no reflection tables", type->name)
                    : psy_fail(PSY_INVALID, "no type");
    }
    if (type->index >= r->type_count || r->types[type->index].kind != PSY_TYPE_MESSAGE) {
        return psy_fail(PSY_INVALID, "%s: it is no message", type->name);
    }
    const psy_psm_type *t = &r->types[type->index];
    *out = (psy__frame){.reflection = r,
                        .type = t,
                        .fields = r->fields + t->first_field,
                        .end = t->field_count,
                        .field = PSY_NONE,
                        .element = PSY_NONE};
    return PSY_OK;
}

uint32_t psy__frame_next(const psy__frame *f, uint32_t i)
{
    uint32_t next = i + 1;
    while (psy__field_is_nested(&f->fields[i]) && next < f->end && f->fields[next].parent != PSY_NONE &&
           f->fields[next].parent >= i) {
        next++;
    }
    return next;
}

psy__frame psy__frame_part(const psy__frame *f, uint32_t i)
{
    psy__frame part = *f;
    part.first = i + 1;
    part.end = psy__frame_next(f, i);
    part.message = f->fields[i].kind == PSY_FIELD_PART ? f->origin + f->fields[i].offset : f->message;
    part.outer = f;
    part.field = i;
    part.element = PSY_NONE;
    return part;
}

psy__frame psy__frame_item(const psy__frame *f, uint32_t i, uint32_t at, uint32_t element)
{
    const psy_psm_type *t = psy__field_type(f, i);
    const uint32_t origin = at + (element == PSY_NONE ? 0 : element * t->bytes);
    return (psy__frame){.reflection = f->reflection,
                        .type = t,
                        .fields = f->reflection->fields + t->first_field,
                        .end = t->field_count,
                        .origin = origin,
                        .message = t->kind == PSY_TYPE_MESSAGE ? origin : f->message,
                        .outer = f,
                        .field = i,
                        .element = element,
                        .newer = f->newer};
}

bool psy__frame_member(const psy__frame *f, uint32_t i, uint32_t tag, psy__frame *out)
{
    psy__frame all = psy__frame_item(f, i, f->origin + f->fields[i].offset, PSY_NONE);
    uint32_t at = all.first;
    for (uint32_t k = 1; k < tag && at < all.end; k++) {
        at = psy__frame_next(&all, at);
    }
    if (tag == 0 || at >= all.end) {
        return false;
    }
    *out = all;
    out->first = at;
    out->end = psy__frame_next(&all, at);
    return true;
}

bool psy__frame_is_message(const psy__frame *f)
{
    const psy_psm_field *in = f->outer ? &f->outer->fields[f->field] : NULL;
    return !in ? true : psy__field_is_nested(in) ? in->kind == PSY_FIELD_PART : f->type->kind == PSY_TYPE_MESSAGE;
}

/* A part is among the fields of the type around it. */
static const psy_psm_field *part_of(const psy__frame *f)
{
    const psy_psm_field *in = f->outer ? &f->outer->fields[f->field] : NULL;
    return in && psy__field_is_nested(in) ? in : NULL;
}

void psy__frame_known(const psy__frame *f, uint32_t *bytes, uint32_t *version)
{
    const psy_psm_field *part = part_of(f);
    *bytes = part ? part->count : f->type->bytes;
    *version = part ? (uint32_t)(part->default_bits >> 32) : f->type->version;
}

uint32_t psy__frame_known_end(const psy__frame *f, uint32_t version)
{
    uint32_t end = PSY_MESSAGE_HEADER_BYTES;
    for (uint32_t i = f->first; i < f->end; i = psy__frame_next(f, i)) {
        if (f->fields[i].since <= version) {
            end = psy__field_end(&f->fields[i]) - (f->message - f->origin);
        }
    }
    return end;
}

bool psy__frame_had_version(const psy__frame *f, uint32_t version)
{
    bool had = version == 1;
    for (uint32_t i = f->first; i < f->end && !had; i = psy__frame_next(f, i)) {
        had = f->fields[i].since == version;
    }
    return had;
}

uint32_t psy__tail_size(const psy__frame *f, uint32_t i)
{
    const psy_psm_field *field = &f->fields[i];
    return field->flags & PSY_FIELD_ITEMS                                           ? field->inner
           : (field->flags & PSY_FIELD_TEXT) && (field->flags & PSY_FIELD_IS_ARRAY) ? (uint32_t)sizeof(psy_tail)
                                                                                    : psy__dtype_bytes(field->dtype);
}

uint32_t psy__tail_align(const psy__frame *f, uint32_t i, uint64_t bytes)
{
    const psy_psm_field *field = &f->fields[i];
    uint32_t natural = field->kind == PSY_FIELD_VARIANT ? PSY_MESSAGE_ALIGN : psy__dtype_bytes(field->dtype);
    if (field->flags & PSY_FIELD_TEXT) {
        natural = field->flags & PSY_FIELD_IS_ARRAY ? 4 : 1;
    } else {
        natural = field->flags & PSY_FIELD_ITEMS ? psy__field_type(f, i)->align : natural;
        natural = bytes >= PSY_MESSAGE_ALIGN ? PSY_MESSAGE_ALIGN : natural;
    }
    return natural > psy__field_align(field) ? natural : psy__field_align(field);
}

const char *psy__frame_key(const psy__frame *f, uint32_t i)
{
    const char *name = psy_reflect_string(f->reflection, f->fields[i].name), *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

/* Adds to the text as much as fits. */
static void add(char *out, const char *more)
{
    const size_t n = strlen(out);
    snprintf(out + n, PSY_PATH_BYTES - n, "%s", more);
}

static void add_step(const psy__frame *f, uint32_t i, uint32_t element, char *out)
{
    char number[16];
    if (i != PSY_NONE) {
        add(out, ".");
        add(out, psy__frame_key(f, i));
    }
    if (element != PSY_NONE) {
        snprintf(number, sizeof number, "[%u]", element);
        add(out, number);
    }
}

const char *psy__frame_path(const psy__frame *f, uint32_t i, uint32_t element, char out[PSY_PATH_BYTES])
{
    const psy__frame *steps[PSY_MESSAGE_DEPTH_MAX + 1];
    uint32_t n = 0;
    for (; f->outer && n < PSY_MESSAGE_DEPTH_MAX; f = f->outer) {
        steps[n++] = f;
    }
    out[0] = '\0';
    add(out, psy_reflect_string(f->reflection, f->type->name));
    const psy__frame *last = n ? steps[0] : f;
    while (n > 0) {
        n--;
        add_step(steps[n]->outer, steps[n]->field, steps[n]->element, out);
    }
    add_step(last, i, element, out);
    return out;
}

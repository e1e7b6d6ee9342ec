/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/layout.h"

#include <stdio.h>
#include <string.h>

#include "base/siphash.h"

static void absorb(psy__siphash_state *s, const char *text) { psy__siphash_update(s, text, strlen(text)); }

static uint64_t align(uint64_t at, uint64_t to) { return (at + to - 1) & ~(to - 1); }

/* The field's part of the text that the layout hash is made of. */
static void absorb_field(psy__siphash_state *s, const char *name, const psy_psm_field *f)
{
    char text[96];
    absorb(s, psy__dtype_name(f->dtype));
    if (f->kind != PSY_FIELD_SCALAR) {
        snprintf(text, sizeof text, "[%s%u]", f->kind == PSY_FIELD_BOUNDED ? "<=" : "", f->count);
        absorb(s, text);
    }
    absorb(s, " ");
    absorb(s, name);
    snprintf(text, sizeof text, "@%u", f->offset);
    absorb(s, text);
    if (f->kind == PSY_FIELD_BOUNDED) {
        snprintf(text, sizeof text, "/%u", f->count_offset);
        absorb(s, text);
    }
    absorb(s, f->flags & PSY_FIELD_KEY ? " key;" : ";");
}

static psy_status place(psy_psm_field *f, const char *name, uint64_t *at)
{
    uint64_t element = psy__dtype_bytes(f->dtype);
    if (element == 0) {
        return psy_fail(PSY_INVALID, "field %s: dtype %u is not known", name, f->dtype);
    }
    if (f->kind > PSY_FIELD_BOUNDED || f->count == 0 || (f->kind == PSY_FIELD_SCALAR && f->count != 1)) {
        return psy_fail(PSY_INVALID, "field %s: a count of %u", name, f->count);
    }
    uint64_t bytes = element * f->count;
    f->count_offset = PSY_NONE;
    if (f->kind == PSY_FIELD_BOUNDED) {
        *at = align(*at, 4);
        f->count_offset = (uint32_t)*at;
        *at += 4;
    }
    *at = align(*at, f->kind != PSY_FIELD_SCALAR && bytes >= PSY_MESSAGE_ALIGN ? PSY_MESSAGE_ALIGN : element);
    f->offset = (uint32_t)*at;
    *at += bytes;
    return *at > PSY_MESSAGE_BYTES_MAX
               ? psy_fail(PSY_TOO_LARGE, "field %s: the message grows over %u bytes", name, PSY_MESSAGE_BYTES_MAX)
               : PSY_OK;
}

psy_status psy__layout(const char *strings, psy_psm_type *type, psy_psm_field *fields)
{
    static const uint64_t zero_key[2] = {0, 0};
    psy__siphash_state s;
    psy__siphash_init(&s, zero_key);
    absorb(&s, strings + type->name);
    absorb(&s, "{");
    uint64_t at = PSY_MESSAGE_HEADER_BYTES;
    type->version = 1;
    for (uint32_t i = 0; i < type->field_count; i++) {
        psy_status status = place(&fields[i], strings + fields[i].name, &at);
        if (status != PSY_OK) {
            return status;
        }
        absorb_field(&s, strings + fields[i].name, &fields[i]);
        type->version = fields[i].since > type->version ? fields[i].since : type->version;
    }
    type->bytes = (uint32_t)align(at, PSY_MESSAGE_ALIGN);
    char text[16];
    snprintf(text, sizeof text, "}%u", type->bytes);
    absorb(&s, text);
    type->layout_hash = psy__siphash_final(&s);
    return PSY_OK;
}

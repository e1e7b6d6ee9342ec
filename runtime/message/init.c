/* SPDX-License-Identifier: Apache-2.0 */
/* New messages: defaults, and zeros for all else. */
#include <string.h>

#include "message/frame.h"

static void put_header(const psy__frame *f, unsigned char *whole)
{
    uint32_t bytes, version;
    psy__frame_known(f, &bytes, &version);
    const psy_message_header header = {bytes, (uint16_t)version, 0};
    memcpy(whole + f->message, &header, sizeof header);
}

void psy__field_init(const psy__frame *f, uint32_t i, unsigned char *whole)
{
    const psy_psm_field *field = &f->fields[i];
    unsigned char *from = whole + f->origin;
    const uint32_t start = psy__field_start(field);
    memset(from + start, 0, psy__field_end(field) - start);
    if (field->kind == PSY_FIELD_SCALAR) {
        memcpy(from + field->offset, &field->default_bits, psy__dtype_bytes(field->dtype));
    } else if (field->kind == PSY_FIELD_BOUNDED && (field->flags & PSY_FIELD_TEXT) && !psy__field_is_texts(field)) {
        const char *text = psy_reflect_string(f->reflection, (uint32_t)field->default_bits);
        const uint32_t n = (uint32_t)strlen(text);
        memcpy(from + field->count_offset, &n, sizeof n);
        memcpy(from + field->offset, text, n);
    } else if (field->kind == PSY_FIELD_PART) {
        const psy__frame part = psy__frame_part(f, i);
        put_header(&part, whole);
        psy__frame_init(&part, whole);
    } else if (field->kind == PSY_FIELD_ARRAY && (field->flags & PSY_FIELD_ITEMS) &&
               psy__field_type(f, i)->kind == PSY_TYPE_MESSAGE) {
        for (uint32_t k = 0; k < field->count; k++) {
            const psy__frame item = psy__frame_item(f, i, f->origin + field->offset, k);
            put_header(&item, whole);
            psy__frame_init(&item, whole);
        }
    }
}

void psy__frame_init(const psy__frame *f, unsigned char *whole)
{
    if (psy__frame_is_message(f)) {
        put_header(f, whole);
    }
    for (uint32_t i = f->first; i < f->end; i = psy__frame_next(f, i)) {
        psy__field_init(f, i, whole);
    }
}

psy_status psy_message_init(const psy_type *type, void *memory, size_t room)
{
    psy__frame f;
    const psy_status status = psy__frame_of(type, &f);
    if (status != PSY_OK) {
        return status;
    }
    if (!memory || (uintptr_t)memory % PSY_MESSAGE_ALIGN != 0) {
        return psy_fail(PSY_INVALID, "%s: its memory starts at no multiple of %d", type->name, PSY_MESSAGE_ALIGN);
    }
    if (room < f.type->bytes) {
        return psy_fail(PSY_TOO_LARGE, "%s: %u bytes, and there is room for %zu", type->name, f.type->bytes, room);
    }
    memset(memory, 0, f.type->bytes);
    psy__frame_init(&f, memory);
    return PSY_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One pass: fixed parts field by field, and the tail by a cursor that only rises. Every object has to start at or after the end
 * of the one before, so no byte is looked at for two fields, and the work is bounded by the bytes and the fields that there
 * are. */
#include "message/check.h"

#include <inttypes.h>
#include <string.h>

static psy_status check_all(psy__check *c, const psy__frame *f);

/* CORRUPT, and in the detail where: field `i` of the frame, and its element. */
#define refuse(f, i, element, format, ...)                                                                                     \
    psy_fail(PSY_CORRUPT, "%s: " format, psy__frame_path(f, i, element, (char[PSY_PATH_BYTES]){""}), __VA_ARGS__)

/* ---- messages inside ---- */

/* What the version of a message inside lacks gets its defaults. */
static psy_status settle(psy__check *c, const psy__frame *f, uint32_t version, uint32_t bytes, uint32_t known)
{
    unsigned char *at = c->settle + f->message;
    const uint32_t end = psy__frame_known_end(f, version < known ? version : known);
    if (version < known &&
        (!psy__frame_had_version(f, version) || ((end + PSY_MESSAGE_ALIGN - 1) & ~(PSY_MESSAGE_ALIGN - 1u)) != bytes)) {
        return refuse(f, PSY_NONE, PSY_NONE, "version %u never had %u bytes", version, bytes);
    }
    const psy_message_header header = {bytes, (uint16_t)known, 0};
    memset(at + end, 0, bytes - end);
    memcpy(at, &header, sizeof header);
    for (uint32_t i = f->first; i < f->end; i = psy__frame_next(f, i)) {
        if (f->fields[i].since > version) {
            psy__field_init(f, i, c->settle);
        }
    }
    return PSY_OK;
}

static psy_status check_message(psy__check *c, psy__frame *f)
{
    uint32_t bytes, known;
    psy_message_header h;
    const uint32_t first = psy__u32_at(c->bytes + f->message), second = psy__u32_at(c->bytes + f->message + 4);
    memcpy(&h, (uint32_t[]){first, second}, sizeof h);
    psy__frame_known(f, &bytes, &known);
    if (h.version == 0 || h.reserved != 0 || h.bytes % PSY_MESSAGE_ALIGN != 0 || h.bytes > bytes) {
        return refuse(f, PSY_NONE, PSY_NONE,
                      "a header of %u bytes, version %u, reserved %u; inside another message it has %u bytes", h.bytes,
                      h.version, h.reserved, bytes);
    }
    if (h.version < known && !c->settle) {
        return psy_fail(PSY_VERSION, "%s: version %u, and this is %u",
                        psy__frame_path(f, PSY_NONE, PSY_NONE, (char[PSY_PATH_BYTES]){""}), h.version, known);
    }
    if (h.bytes != bytes) {
        return refuse(f, PSY_NONE, PSY_NONE, "%u bytes, and inside another message it has %u", h.bytes, bytes);
    }
    f->newer = h.version > known;
    const psy_status status = c->settle ? settle(c, f, h.version, bytes, known) : PSY_OK;
    return status == PSY_OK ? check_all(c, f) : status;
}

/* `count` messages or structs from `at` on; `one`: it is no array. */
static psy_status check_items(psy__check *c, const psy__frame *f, uint32_t i, uint64_t at, uint32_t count, bool one)
{
    psy_status status = PSY_OK;
    for (uint32_t k = 0; k < count && status == PSY_OK; k++) {
        psy__frame item = psy__frame_item(f, i, (uint32_t)at, one ? PSY_NONE : k);
        status = item.type->kind == PSY_TYPE_MESSAGE ? check_message(c, &item) : check_all(c, &item);
    }
    return status;
}

/* ---- fields of the fixed part ---- */

static psy_status check_text(const psy__check *c, const psy__frame *f, uint32_t i, uint32_t element, uint64_t at, uint32_t n,
                             uint32_t most)
{
    if (n > most) {
        return refuse(f, i, element, "%u bytes, at most %u", n, most);
    }
    return psy_utf8_valid(c->bytes + at, n)
               ? PSY_OK
               : refuse(f, i, element, "%u byte%s no UTF-8", n, n == 1 ? " that is" : "s that are");
}

static psy_status check_texts(const psy__check *c, const psy__frame *f, uint32_t i, uint32_t count)
{
    const psy_psm_field *field = &f->fields[i];
    psy_status status = PSY_OK;
    for (uint32_t k = 0; k < count && status == PSY_OK; k++) {
        const uint32_t n = psy__u32_at(c->bytes + f->origin + field->inner_offset + UINT64_C(4) * k);
        status = check_text(c, f, i, k, f->origin + (uint64_t)field->offset + (uint64_t)k * field->inner, n, field->inner);
    }
    return status;
}

static psy_status check_bool(const psy__check *c, const psy__frame *f, uint32_t i)
{
    const psy_psm_field *field = &f->fields[i];
    const uint8_t value = psy__u8_at(c->bytes + f->origin + field->offset);
    return field->dtype == PSY_BOOL && value > 1 ? refuse(f, i, PSY_NONE, "a bool of %u", value) : PSY_OK;
}

/* A count, or whether an optional field is there: at most `most`. */
static psy_status check_count(const psy__frame *f, uint32_t i, uint32_t count, uint32_t most)
{
    if (count <= most) {
        return PSY_OK;
    }
    return f->fields[i].kind == PSY_FIELD_OPTIONAL ? refuse(f, i, PSY_NONE, "whether it is there is %u", count)
           : f->fields[i].flags & PSY_FIELD_TEXT && !psy__field_is_texts(&f->fields[i])
               ? refuse(f, i, PSY_NONE, "%u bytes, at most %u", count, most)
               : refuse(f, i, PSY_NONE, "%u elements, at most %u", count, most);
}

/* Elements with a count that is known: ARRAY and BOUNDED. */
static psy_status check_elements(psy__check *c, const psy__frame *f, uint32_t i, uint32_t count)
{
    const psy_psm_field *field = &f->fields[i];
    const uint64_t at = f->origin + (uint64_t)field->offset;
    return field->flags & PSY_FIELD_ITEMS  ? check_items(c, f, i, at, count, false)
           : psy__field_is_texts(field)    ? check_texts(c, f, i, count)
           : field->flags & PSY_FIELD_TEXT ? check_text(c, f, i, PSY_NONE, at, count, field->count)
                                           : PSY_OK;
}

static psy_status check_optional(psy__check *c, const psy__frame *f, uint32_t i)
{
    const psy_psm_field *field = &f->fields[i];
    const uint64_t at = f->origin + (uint64_t)field->offset;
    const uint8_t there = psy__u8_at(c->bytes + f->origin + field->count_offset);
    const psy_status status = check_count(f, i, there, 1);
    if (status != PSY_OK || !there) {
        return status;
    }
    return field->flags & PSY_FIELD_ITEMS ? check_items(c, f, i, at, 1, true)
           : field->flags & PSY_FIELD_TEXT
               ? check_text(c, f, i, PSY_NONE, at, psy__u32_at(c->bytes + f->origin + field->inner_offset), field->count)
           : field->flags & PSY_FIELD_IS_ARRAY ? PSY_OK
                                               : check_bool(c, f, i);
}

static psy_status check_union(psy__check *c, const psy__frame *f, uint32_t i)
{
    const uint64_t at = f->origin + (uint64_t)f->fields[i].count_offset;
    const uint8_t tag = psy__u8_at(c->bytes + at);
    psy__frame member;
    if (psy__frame_member(f, i, tag, &member)) {
        if (!(member.fields[member.first].flags & PSY_FIELD_RETIRED)) {
            return check_all(c, &member);
        }
    } else if (tag != 0 && !f->newer) {
        return refuse(f, i, PSY_NONE, "member %u, which there is not", tag);
    }
    if (c->settle) {
        psy__field_init(f, i, c->settle); /* what a newer version added, and what is retired, is left out */
    }
    return PSY_OK;
}

/* ---- the tail ---- */

/* An object of the tail: `bytes` at `offset` from the start of the frame's message. */
static psy_status claim(psy__check *c, const psy__frame *f, uint32_t i, uint32_t element, uint32_t offset, uint64_t bytes,
                        uint32_t align)
{
    const uint64_t begin = (uint64_t)f->message + offset;
    if (begin % align != 0) {
        return refuse(f, i, element, "it starts at byte %" PRIu64 ", and that is no multiple of %u", begin, align);
    }
    if (begin < c->cursor) {
        return refuse(f, i, element, "it starts at byte %" PRIu64 ", before the end of what comes before it, %" PRIu64, begin,
                      c->cursor);
    }
    if (begin > c->size || bytes > c->size - begin) {
        return refuse(f, i, element, "%" PRIu64 " bytes at byte %" PRIu64 ", and the message has %u", bytes, begin, c->size);
    }
    if (c->settle) {
        memset(c->settle + c->cursor, 0, begin - c->cursor);
    }
    c->cursor = begin + bytes;
    return PSY_OK;
}

/* The offset at `at`; of a tail that was moved, corrected there. It counts from its message: what lies in the tail itself has
 * moved with what it leads to. */
static psy_status offset_at(psy__check *c, const psy__frame *f, uint32_t i, uint64_t at, uint32_t *offset)
{
    *offset = psy__u32_at(c->bytes + at);
    if (!c->settle || c->moved == 0 || *offset == 0 || f->message >= c->fixed) {
        return PSY_OK;
    }
    if (*offset > UINT32_MAX - c->moved) {
        return refuse(f, i, PSY_NONE, "it starts at byte %u, and the message has %u", *offset, c->size - c->moved);
    }
    *offset += c->moved;
    memcpy(c->settle + at, offset, sizeof *offset);
    return PSY_OK;
}

static psy_status check_tail_text(psy__check *c, const psy__frame *f, uint32_t i, uint32_t element, psy_tail t, uint32_t align)
{
    const psy_status status = claim(c, f, i, element, t.offset, t.count, align);
    return status == PSY_OK ? check_text(c, f, i, element, (uint64_t)f->message + t.offset, t.count, UINT32_MAX) : status;
}

static psy_status check_tail_texts(psy__check *c, const psy__frame *f, uint32_t i, psy_tail all)
{
    psy_status status = PSY_OK;
    for (uint32_t k = 0; k < all.count && status == PSY_OK; k++) {
        const uint64_t at = (uint64_t)f->message + all.offset + sizeof(psy_tail) * k;
        psy_tail t = {0, psy__u32_at(c->bytes + at + 4)};
        status = offset_at(c, f, i, at, &t.offset);
        if (status != PSY_OK) {
            return status;
        }
        if ((t.offset == 0) != (t.count == 0)) {
            return refuse(f, i, k, "%u bytes at offset %u", t.count, t.offset);
        }
        status = t.count > 0 ? check_tail_text(c, f, i, k, t, 1) : PSY_OK;
    }
    return status;
}

static psy_status check_tail(psy__check *c, const psy__frame *f, uint32_t i)
{
    const psy_psm_field *field = &f->fields[i];
    const uint64_t at = f->origin + (uint64_t)field->offset;
    psy_tail t = {0, psy__u32_at(c->bytes + at + 4)};
    psy_status status = offset_at(c, f, i, at, &t.offset);
    if (status != PSY_OK || (t.offset == 0 && t.count == 0)) {
        return status;
    }
    if (t.offset == 0 || (t.count == 0 && !(field->flags & PSY_FIELD_MAYBE))) {
        return refuse(f, i, PSY_NONE, "a count of %u at offset %u", t.count, t.offset);
    }
    const uint64_t bytes = (uint64_t)t.count * psy__tail_size(f, i);
    const uint32_t align = psy__tail_align(f, i, bytes);
    if ((field->flags & PSY_FIELD_TEXT) && !(field->flags & PSY_FIELD_IS_ARRAY)) {
        return check_tail_text(c, f, i, PSY_NONE, t, align);
    }
    status = claim(c, f, i, PSY_NONE, t.offset, bytes, align);
    if (status != PSY_OK) {
        return status;
    }
    return field->flags & PSY_FIELD_ITEMS  ? check_items(c, f, i, (uint64_t)f->message + t.offset, t.count, false)
           : field->flags & PSY_FIELD_TEXT ? check_tail_texts(c, f, i, t)
                                           : PSY_OK;
}

static psy_status check_variant(psy__check *c, const psy__frame *f, uint32_t i)
{
    const psy_psm_field *field = &f->fields[i];
    const bool open = (field->flags & PSY_FIELD_OPEN) != 0;
    psy_variant_view v;
    const psy_status there =
        psy_variant_read((const psy_variant_head *)(const void *)(c->bytes + f->origin + field->count_offset), NULL,
                         open ? UINT32_MAX : field->count, &v);
    if (there == PSY_CORRUPT) {
        return open ? refuse(f, i, PSY_NONE, "%s", "a type or shape that makes no sense")
                    : refuse(f, i, PSY_NONE, "a type or shape that makes no sense, or has more than %u bytes", field->count);
    }
    if (!open) {
        return PSY_OK;
    }
    uint32_t offset;
    const psy_status status = offset_at(c, f, i, f->origin + (uint64_t)field->offset, &offset);
    if (status != PSY_OK) {
        return status;
    }
    if ((there == PSY_OK) != (offset != 0)) {
        return refuse(f, i, PSY_NONE, "%s at offset %u", there == PSY_OK ? "elements" : "nothing", offset);
    }
    const uint64_t bytes = there == PSY_OK ? psy_variant_count(&v) * psy_dtype_bytes(v.dtype) : 0;
    return there == PSY_OK ? claim(c, f, i, PSY_NONE, offset, bytes, psy__tail_align(f, i, bytes)) : PSY_OK;
}

/* ---- all of them ---- */

static psy_status check_field(psy__check *c, const psy__frame *f, uint32_t i)
{
    const psy_psm_field *field = &f->fields[i];
    psy__frame part;
    psy_status status;
    uint32_t count;
    if (field->flags & PSY_FIELD_RETIRED) {
        if (c->settle) {
            psy__field_init(f, i, c->settle);
        }
        return PSY_OK; /* nobody reads it */
    }
    switch (field->kind) {
    case PSY_FIELD_SCALAR: return check_bool(c, f, i);
    case PSY_FIELD_ARRAY: return check_elements(c, f, i, field->count);
    case PSY_FIELD_BOUNDED:
        count = psy__u32_at(c->bytes + f->origin + field->count_offset);
        status = check_count(f, i, count, field->count);
        return status == PSY_OK ? check_elements(c, f, i, count) : status;
    case PSY_FIELD_OPTIONAL: return check_optional(c, f, i);
    case PSY_FIELD_PART: part = psy__frame_part(f, i); return check_message(c, &part);
    case PSY_FIELD_STRUCT: part = psy__frame_part(f, i); return check_all(c, &part);
    case PSY_FIELD_VARIANT: return check_variant(c, f, i);
    case PSY_FIELD_UNION: return check_union(c, f, i);
    case PSY_FIELD_TAIL: return check_tail(c, f, i);
    default: return refuse(f, i, PSY_NONE, "a field of kind %u", field->kind);
    }
}

static psy_status check_all(psy__check *c, const psy__frame *f)
{
    psy_status status = PSY_OK;
    for (uint32_t i = f->first; i < f->end && status == PSY_OK; i = psy__frame_next(f, i)) {
        status = check_field(c, f, i);
    }
    return status;
}

psy_status psy__check_fields(psy__check *c, const psy__frame *f) { return check_all(c, f); }

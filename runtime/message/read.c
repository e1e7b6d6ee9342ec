/* SPDX-License-Identifier: Apache-2.0 */
/* Messages from outside: looked at where they lie, or copied and brought to this version. */
#include <inttypes.h>
#include <string.h>

#include "message/check.h"

/* A whole message's header. `settles`: older versions are taken too. */
static psy_status check_header(const psy__frame *f, const psy_message_header *h, size_t n, bool settles)
{
    const char *name = psy_reflect_string(f->reflection, f->type->name);
    const bool tailed = (f->type->flags & PSY_TYPE_TAILED) != 0;
    if (h->version == 0 || h->reserved != 0 || h->bytes % PSY_MESSAGE_ALIGN != 0 || h->bytes < sizeof *h) {
        return psy_fail(PSY_CORRUPT, "%s: a header of %u bytes, version %u, reserved %u", name, h->bytes, h->version,
                        h->reserved);
    }
    if (h->bytes > n) {
        return psy_fail(PSY_CORRUPT, "%s: it has %u bytes, and %zu are there", name, h->bytes, n);
    }
    if (h->version < f->type->version && !settles) {
        return psy_fail(PSY_VERSION, "%s: version %u, and this is %u", name, h->version, f->type->version);
    }
    uint32_t least = f->type->bytes;
    bool exact = !tailed && h->version <= f->type->version;
    if (h->version < f->type->version) {
        least = (psy__frame_known_end(f, h->version) + PSY_MESSAGE_ALIGN - 1) & ~(PSY_MESSAGE_ALIGN - 1u);
        if (!psy__frame_had_version(f, h->version)) {
            return psy_fail(PSY_CORRUPT, "%s: there was no version %u", name, h->version);
        }
    }
    return h->bytes < least || (exact && h->bytes != least) ? psy_fail(PSY_CORRUPT, "%s: %u bytes; version %u has %s%u", name,
                                                                       h->bytes, h->version, exact ? "" : "at least ", least)
                                                            : PSY_OK;
}

psy_status psy__message_verify(const psy_type *type, const void *bytes, size_t n, psy__frame *f, uint32_t *size)
{
    psy_message_header h;
    psy_status status = psy__frame_of(type, f);
    if (status != PSY_OK) {
        return status;
    }
    if ((uintptr_t)bytes % PSY_MESSAGE_ALIGN != 0) {
        return psy_fail(PSY_INVALID, "%s: it starts at no multiple of %d", type->name, PSY_MESSAGE_ALIGN);
    }
    if (!bytes || n < sizeof h) {
        return psy_fail(PSY_CORRUPT, "%s: %zu byte%s, and its header has %zu", type->name, bytes ? n : 0,
                        bytes && n == 1 ? "" : "s", sizeof h);
    }
    memcpy(&h, (uint32_t[]){psy__u32_at(bytes), psy__u32_at((const unsigned char *)bytes + 4)}, sizeof h);
    status = check_header(f, &h, n, false);
    if (status != PSY_OK) {
        return status;
    }
    f->newer = h.version > f->type->version;
    *size = h.bytes;
    psy__check c = {.bytes = bytes, .size = h.bytes, .fixed = f->type->bytes, .cursor = f->type->bytes};
    return psy__check_fields(&c, f);
}

psy_status psy_message_verify(const psy_type *type, const void *bytes, size_t n)
{
    psy__frame f;
    uint32_t size;
    return psy__message_verify(type, bytes, n, &f, &size);
}

psy_status psy_message_refuse(const psy_type *type, const void *bytes, size_t n, psy_status status)
{
    const psy_status now = psy_message_verify(type, bytes, n);
    return now != PSY_OK ? status : psy_fail(status, "%s: it changed while it was checked", type->name);
}

psy_status psy_message_read(const psy_type *type, void *to, size_t room, size_t *size, const void *bytes, size_t n)
{
    psy__frame f;
    psy_message_header h;
    unsigned char *copy = to;
    const unsigned char *from = bytes;
    *size = 0;
    psy_status status = psy__frame_of(type, &f);
    if (status != PSY_OK) {
        return status;
    }
    if (!to || (uintptr_t)to % PSY_MESSAGE_ALIGN != 0) {
        return psy_fail(PSY_INVALID, "%s: the copy would start at no multiple of %d", type->name, PSY_MESSAGE_ALIGN);
    }
    if (!bytes || n < sizeof h) {
        return psy_fail(PSY_CORRUPT, "%s: %zu byte%s, and its header has %zu", type->name, bytes ? n : 0,
                        bytes && n == 1 ? "" : "s", sizeof h);
    }
    memcpy(&h, bytes, sizeof h);
    status = check_header(&f, &h, n, true);
    if (status != PSY_OK) {
        return status;
    }
    const uint32_t known = f.type->version, fixed = f.type->bytes,
                   end = psy__frame_known_end(&f, h.version < known ? h.version : known);
    /* What it has of the fixed part; the rest is its tail, and of a newer one fields that are not known. */
    const uint32_t own = h.version < known ? (end + PSY_MESSAGE_ALIGN - 1) & ~(PSY_MESSAGE_ALIGN - 1u) : fixed;
    const uint64_t whole = (f.type->flags & PSY_TYPE_TAILED) ? (uint64_t)fixed + (h.bytes - own) : fixed;
    if (whole > PSY_MESSAGE_BYTES_MAX || whole > room) {
        *size = whole > PSY_MESSAGE_BYTES_MAX ? 0 : whole;
        return psy_fail(PSY_TOO_LARGE, "%s: %" PRIu64 " bytes, and there is room for %zu", type->name, whole,
                        room < PSY_MESSAGE_BYTES_MAX ? room : (size_t)PSY_MESSAGE_BYTES_MAX);
    }
    memcpy(copy, from, end);
    memset(copy + end, 0, fixed - end);
    memcpy(copy + fixed, from + own, whole - fixed);
    const psy_message_header header = {(uint32_t)whole, (uint16_t)known, 0};
    memcpy(copy, &header, sizeof header);
    f.newer = h.version > known;
    for (uint32_t i = f.first; i < f.end; i = psy__frame_next(&f, i)) {
        if (f.fields[i].since > h.version) {
            psy__field_init(&f, i, copy);
        }
    }
    psy__check c = {
        .bytes = copy, .size = (uint32_t)whole, .fixed = fixed, .cursor = fixed, .settle = copy, .moved = fixed - own};
    status = psy__check_fields(&c, &f);
    if (status != PSY_OK) {
        return status;
    }
    /* What came after the last object was a newer version's. */
    const uint32_t used = ((uint32_t)c.cursor + PSY_MESSAGE_ALIGN - 1) & ~(PSY_MESSAGE_ALIGN - 1u);
    memset(copy + c.cursor, 0, whole - c.cursor);
    memcpy(copy, &used, sizeof used);
    *size = used;
    return PSY_OK;
}

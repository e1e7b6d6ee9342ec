/* SPDX-License-Identifier: Apache-2.0 */
/* What the verify functions of generated headers are made of (doc/messages.md has the rules).
 *
 *   start of a message                 *at                               end
 *      +--------------------------------+---------------------------------+
 *      | fixed part, objects so far     | objects that come next          |     offsets count from the start
 *      +--------------------------------+---------------------------------+
 *
 * `end` is how many bytes may be looked at from the start of the message on, and `*at` the cursor: where the next object of the
 * tail may start. It only rises, so nothing is looked at for two fields, and verifying is bounded by the bytes that there are.
 * What leads to an object is read once: whoever writes the bytes meanwhile, nothing outside is looked at. Nothing allocates or
 * blocks; any thread may call. */
#ifndef PSYNE_VERIFY_H
#define PSYNE_VERIFY_H

#include <string.h>

#include <psyne/message.h>
#include <psyne/tail.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The header as it is now, in one read of each of its fields. */
static inline psy_message_header psy_verify_read(const void *message)
{
    const volatile psy_message_header *from = (const volatile psy_message_header *)message;
    psy_message_header header;
    header.bytes = from->bytes;
    header.version = from->version;
    header.reserved = from->reserved;
    return header;
}

/* How many of the `n` bytes at a multiple of 64 the header says that there are: never more; 0: there is no header. */
static inline uint32_t psy_verify_size(const void *message, size_t n)
{
    const bool there = message != NULL && ((uintptr_t)message & 63) == 0 && n >= sizeof(psy_message_header);
    const uint32_t bytes = there ? psy_verify_read(message).bytes : 0;
    return bytes <= n ? bytes : 0;
}

/* The header of a message in the `n` bytes, whose type has `bytes` bytes and this version; `tailed`: the messages of this
 * version have sizes of their own. OK; INVALID: they do not start at a multiple of 64; VERSION: it is older; CORRUPT. */
static inline psy_status psy_verify_header(const void *message, size_t n, uint32_t bytes, uint32_t version, bool tailed,
                                           psy_message_header *header)
{
    if (((uintptr_t)message & 63) != 0) {
        return PSY_INVALID;
    }
    if (message == NULL || n < sizeof *header) {
        return PSY_CORRUPT;
    }
    *header = psy_verify_read(message);
    if (header->version == 0 || header->reserved != 0 || header->bytes % 64 != 0 || n < header->bytes) {
        return PSY_CORRUPT;
    }
    if (header->version < version) {
        return header->bytes == 0 ? PSY_CORRUPT : PSY_VERSION;
    }
    return header->bytes < bytes || (!tailed && header->version == version && header->bytes != bytes) ? PSY_CORRUPT : PSY_OK;
}

/* The header of a message inside another, whose type has `bytes` bytes and this version; `*newer`: a newer version wrote it.
 * OK, VERSION, CORRUPT. */
static inline psy_status psy_verify_inside(const void *message, uint32_t bytes, uint32_t version, bool *newer)
{
    const psy_message_header header = psy_verify_read(message);
    *newer = header.version > version;
    if (header.version == 0 || header.reserved != 0 || header.bytes % 64 != 0 || header.bytes > bytes) {
        return PSY_CORRUPT;
    }
    return header.version < version ? PSY_VERSION : header.bytes != bytes ? PSY_CORRUPT : PSY_OK;
}

/* ---- the tail ---- */

/* An object of `bytes` bytes at `offset`, a multiple of `align`: the cursor moves behind it. */
static inline bool psy_verify_object(uint32_t offset, uint64_t bytes, uint32_t align, uint32_t end, uint32_t *at)
{
    if (offset % align != 0 || offset < *at || offset > end || bytes > end - offset) {
        return false;
    }
    *at = offset + (uint32_t)bytes;
    return true;
}

/* Elements of `size` bytes each, at a multiple of `align`, of 64 where they have as many bytes or more. */
static inline bool psy_verify_elements(psy_tail t, uint32_t size, uint32_t align, uint32_t end, uint32_t *at)
{
    const uint64_t bytes = (uint64_t)t.count * size;
    if (t.offset == 0 || t.count == 0) {
        return t.offset == 0 && t.count == 0;
    }
    return psy_verify_object(t.offset, bytes, bytes >= 64 ? 64 : align, end, at);
}

/* A text; `maybe`: it may be there and empty. */
static inline bool psy_verify_text(const void *message, psy_tail t, uint32_t align, bool maybe, uint32_t end, uint32_t *at)
{
    if (t.offset == 0 || (t.count == 0 && !maybe)) {
        return t.offset == 0 && t.count == 0;
    }
    return psy_verify_object(t.offset, t.count, align, end, at) &&
           psy_utf8_valid((const unsigned char *)message + t.offset, t.count);
}

/* Several texts: what leads to them, and each of them. */
static inline bool psy_verify_texts(const void *message, psy_tail t, uint32_t align, uint32_t end, uint32_t *at)
{
    const psy_tail *tails = (const psy_tail *)(const void *)((const unsigned char *)message + t.offset);
    uint32_t i;
    if (t.offset == 0 || t.count == 0) {
        return t.offset == 0 && t.count == 0;
    }
    if (!psy_verify_object(t.offset, (uint64_t)t.count * sizeof *tails, align, end, at)) {
        return false;
    }
    for (i = 0; i < t.count; i++) {
        if (!psy_verify_text(message, psy_tail_read(&tails[i]), 1, false, end, at)) {
            return false;
        }
    }
    return true;
}

/* A variant without a bound. */
static inline bool psy_verify_variant(const psy_variant_head *head, const uint32_t *field, uint32_t align, uint32_t end,
                                      uint32_t *at)
{
    const uint32_t offset = *(const volatile uint32_t *)field;
    psy_variant_view v;
    const psy_status status = psy_variant_read(head, NULL, UINT32_MAX, &v);
    if (status != PSY_OK || offset == 0) {
        return status == PSY_NOT_FOUND && offset == 0;
    }
    return psy_verify_object(offset, psy_variant_count(&v) * psy_dtype_bytes(v.dtype), align, end, at);
}

#ifdef __cplusplus
}
#endif
#endif

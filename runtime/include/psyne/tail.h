/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what lies in a message's tail: what a psy_tail leads to, and the elements of a variant without a bound.
 *
 *   message                                                        message + bytes
 *      +---------------+--------------------------+----------------------+
 *      | header ... psy_tail {offset, count} ...  |   objects, in order  |
 *      +---------------|--------------------------+----^-----------------+
 *                      +--------- offset -------------+
 *
 *   psy_text title = psy_tail_text(doc, bytes, &doc->title);
 *   uint32_t n;
 *   const float *x = (const float *)psy_tail_elements(doc, bytes, &doc->values, sizeof *x, 4, &n);
 *
 * `message` is the start of the message that declares the field, at a multiple of 64; `bytes` is how many may be looked at from
 * there on, which the caller knows and no message says. Every function reads what leads to the tail once and compares it with
 * `bytes`: whatever stands there, and whoever writes it meanwhile, what is given lies within them. Verifying comes before
 * (psy_message_verify, T_verify) and is not repeated: that texts are UTF-8 is not looked at here.
 * Nothing allocates, blocks or keeps anything; any thread may call. */
#ifndef PSYNE_TAIL_H
#define PSYNE_TAIL_H

#include <psyne/message.h>
#include <psyne/variant.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The psy_tail as it is now, in one read of each number. */
static inline psy_tail psy_tail_read(const psy_tail *tail)
{
    psy_tail t;
    t.offset = *(const volatile uint32_t *)&tail->offset;
    t.count = *(const volatile uint32_t *)&tail->count;
    return t;
}

/* Whether something is there, be it an empty text (string?). */
static inline bool psy_tail_is_there(const psy_tail *tail) { return *(const volatile uint32_t *)&tail->offset != 0; }

/* `*count` elements of `size` bytes each, at a multiple of `align` (a power of two). NULL and 0: there are none, or they do not
 * lie within the message. */
static inline const void *psy_tail_elements(const void *message, uint32_t bytes, const psy_tail *tail, uint32_t size,
                                            uint32_t align, uint32_t *count)
{
    const psy_tail t = psy_tail_read(tail);
    const unsigned char *at = (const unsigned char *)message + t.offset;
    *count = 0;
    if (t.count == 0 || t.offset == 0 || t.offset > bytes || (uint64_t)t.count * size > bytes - t.offset ||
        ((uintptr_t)at & (align - 1)) != 0) {
        return NULL;
    }
    *count = t.count;
    return at;
}

/* Element `i`, which is a message or a struct of `size` bytes: and in `*rest` how many bytes may be looked at from there on,
 * what it has in the tail included. NULL and 0: there is no such element. */
static inline const void *psy_tail_item(const void *message, uint32_t bytes, const psy_tail *tail, uint32_t size,
                                        uint32_t align, uint32_t i, uint32_t *rest)
{
    uint32_t count;
    const unsigned char *at = (const unsigned char *)psy_tail_elements(message, bytes, tail, size, align, &count);
    *rest = 0;
    if (i >= count) {
        return NULL;
    }
    at += (size_t)i * size;
    *rest = bytes - (uint32_t)(at - (const unsigned char *)message);
    return at;
}

/* A text. NULL and 0: there is none, or it does not lie within the message. An optional one that is there and empty is not
 * NULL. */
static inline psy_text psy_tail_text(const void *message, uint32_t bytes, const psy_tail *tail)
{
    const psy_tail t = psy_tail_read(tail);
    psy_text text = {NULL, 0};
    if (t.offset != 0 && t.offset <= bytes && t.count <= bytes - t.offset) {
        text.at = (const char *)message + t.offset;
        text.bytes = t.count;
    }
    return text;
}

/* How many texts string[] has. 0 also where they do not lie within the message. */
static inline uint32_t psy_tail_texts_count(const void *message, uint32_t bytes, const psy_tail *tail)
{
    uint32_t count;
    return psy_tail_elements(message, bytes, tail, sizeof(psy_tail), 4, &count) != NULL ? count : 0;
}

/* Text `i` of string[]. NULL and 0: it is empty, or there is none. */
static inline psy_text psy_tail_texts_at(const void *message, uint32_t bytes, const psy_tail *tail, uint32_t i)
{
    uint32_t count;
    const psy_tail *tails = (const psy_tail *)psy_tail_elements(message, bytes, tail, sizeof(psy_tail), 4, &count);
    psy_text none = {NULL, 0};
    return i < count ? psy_tail_text(message, bytes, &tails[i]) : none;
}

/* The variant without a bound that `head` describes and whose elements `*offset` leads to. OK; NOT_FOUND: nothing is there;
 * CORRUPT: it makes no sense, or says more than there is. */
static inline psy_status psy_tail_variant(const void *message, uint32_t bytes, const psy_variant_head *head,
                                          const uint32_t *offset, psy_variant_view *view)
{
    const uint32_t from = *(const volatile uint32_t *)offset;
    const unsigned char *data = (const unsigned char *)message + from;
    const bool fits = from != 0 && from <= bytes && ((uintptr_t)data & 63) == 0;
    psy_variant_view v;
    const psy_status status = psy_variant_read(head, fits ? data : NULL, fits ? bytes - from : 0, &v);
    if (status != PSY_OK || !fits) {
        return status == PSY_OK ? PSY_CORRUPT : status;
    }
    *view = v;
    return PSY_OK;
}

#ifdef __cplusplus
}
#endif
#endif

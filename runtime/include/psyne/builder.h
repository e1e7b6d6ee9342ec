/* SPDX-License-Identifier: Apache-2.0 */
/* Building messages that have a tail, in place: in claimed space of a ring, or anywhere else.
 *
 *   memory                        used                     room
 *     +--------------+-------------+------------------------+
 *     |  fixed part  |   objects   |          free          |     object: elements, a text, messages with tails of their own
 *     +--------------+-------------+------------------------+
 *
 *   psy_builder b;
 *   shop_document *d = shop_document_begin(&b, memory, room);      // psy_builder_init and shop_document_init
 *   if (d) {
 *       shop_document_set_title(&b, d, "Tea", 3);                  // psy_builder_text
 *       float *x = shop_document_set_values(&b, d, 256);           // psy_builder_claim; NULL: it failed
 *       ...
 *   }
 *   size_t n = psy_builder_finish(&b);                             // 0: b.status says why
 *
 * The order: objects lie one after the other, in the order of the fields that lead to them (by address), those of an element
 * before those of the next, and all of them before those of the next field. So nothing is shared, and one pass with a cursor
 * verifies a message (doc/messages.md). The builder knows by the addresses: a region is a piece of memory with fields that lead
 * to the tail (the fixed part, an array of messages, the psy_tails of several texts); within each the addresses only rise, and
 * a region that was left is closed. A field that is not set is empty; one that is set a second time is out of order.
 *
 * What failed stays: the status, INVALID (out of order, no UTF-8, no such type of a variant) or TOO_LARGE (no room), does not
 * go away, everything after fails too, and psy_builder_finish gives 0. Gaps are written as zeros; what claim gives is for the
 * caller to write. Only the builder is trusted, and not what lies in `memory`, so others may be able to write there. Nothing
 * allocates or blocks. A builder is one thread's. */
#ifndef PSYNE_BUILDER_H
#define PSYNE_BUILDER_H

#include <string.h>

#include <psyne/message.h>
#include <psyne/variant.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Regions at once: the fixed part, messages in messages eight deep, and several texts in the innermost. */
enum { PSY_BUILDER_REGIONS = 10 };

typedef struct psy_builder_region {
    uint32_t begin, end; /* from the start of the message */
    uint32_t last;       /* where the last field that was set lies */
} psy_builder_region;

typedef struct psy_builder {
    unsigned char *memory;
    uint32_t room, used;
    psy_status status; /* of the first failure */
    uint32_t depth;    /* regions that are open */
    psy_builder_region regions[PSY_BUILDER_REGIONS];
} psy_builder;

/* The first failure counts. Gives NULL. */
static inline void *psy_builder_fail(psy_builder *b, psy_status status)
{
    b->status = b->status == PSY_OK ? status : b->status;
    return NULL;
}

/* Starts a message whose fixed part has `fixed` bytes, a multiple of 64 (T_BYTES), in `room` bytes at `memory`, a multiple of
 * 64. Gives `memory`, where the caller starts the fixed part (T_init); NULL: no room, or no such multiple. */
static inline void *psy_builder_init(psy_builder *b, void *memory, size_t room, uint32_t fixed)
{
    memset(b, 0, sizeof *b);
    b->memory = (unsigned char *)memory;
    b->room = (uint32_t)(room < PSY_MESSAGE_BYTES_MAX ? room : PSY_MESSAGE_BYTES_MAX) & ~UINT32_C(63);
    b->used = fixed;
    b->status = PSY_OK;
    if (memory == NULL || ((uintptr_t)memory & 63) != 0 || fixed == 0 || fixed % 64 != 0) {
        return psy_builder_fail(b, PSY_INVALID);
    }
    if (fixed > b->room) {
        return psy_builder_fail(b, PSY_TOO_LARGE);
    }
    b->depth = 1;
    b->regions[0].begin = 0;
    b->regions[0].end = fixed;
    b->regions[0].last = 0; /* a header is there */
    return memory;
}

/* Room for an object of `bytes` bytes at the next multiple of `align` (a power of two up to 64), which the field at `field`
 * leads to. Gives where it lies, from the start of the memory; 0: failed. */
static inline uint32_t psy_builder_place(psy_builder *b, const void *field, uint64_t bytes, uint32_t align)
{
    const uintptr_t from = (uintptr_t)field - (uintptr_t)b->memory; /* large where it lies before */
    const uint32_t begin = (b->used + align - 1) & ~(align - 1);
    psy_builder_region *top;
    if (b->status != PSY_OK) {
        return 0;
    }
    while (b->depth > 1 && (from < b->regions[b->depth - 1].begin || from >= b->regions[b->depth - 1].end)) {
        b->depth--;
    }
    top = &b->regions[b->depth - 1];
    if (from < top->begin || from >= top->end || from <= top->last) {
        psy_builder_fail(b, PSY_INVALID);
        return 0;
    }
    if (begin > b->room || bytes > b->room - begin) {
        psy_builder_fail(b, PSY_TOO_LARGE);
        return 0;
    }
    memset(b->memory + b->used, 0, begin - b->used);
    top->last = (uint32_t)from;
    b->used = begin + (uint32_t)bytes;
    return begin;
}

/* The `bytes` bytes at `begin` have fields that lead to the tail. */
static inline void psy_builder_enter(psy_builder *b, uint32_t begin, uint64_t bytes)
{
    if (b->depth == PSY_BUILDER_REGIONS) {
        psy_builder_fail(b, PSY_INVALID);
        return;
    }
    b->regions[b->depth].begin = begin;
    b->regions[b->depth].end = begin + (uint32_t)bytes;
    b->regions[b->depth].last = 0;
    b->depth++;
}

/* What leads to the object at `begin`. `message` is the message that declares the field. */
static inline void psy_builder_lead(const psy_builder *b, const void *message, psy_tail *tail, uint32_t begin, uint32_t count)
{
    tail->offset = (uint32_t)((uintptr_t)b->memory + begin - (uintptr_t)message);
    tail->count = count;
}

/* Room for `count` elements of `size` bytes each, for the caller to write. NULL: failed. Of no elements nothing is kept, and
 * what is given is no place to write to. */
static inline void *psy_builder_claim(psy_builder *b, const void *message, psy_tail *tail, uint32_t count, uint32_t size,
                                      uint32_t align)
{
    const uint64_t bytes = (uint64_t)count * size;
    const uint32_t begin = psy_builder_place(b, tail, bytes, count > 0 ? align : 1);
    if (begin == 0) {
        return NULL;
    }
    psy_builder_lead(b, message, tail, begin, count);
    tail->offset = count > 0 ? tail->offset : 0;
    return b->memory + begin;
}

/* The same for messages of `size` bytes that have tails of their own: the caller starts each (T_init), then fills the first
 * one's tail, the second one's ... */
static inline void *psy_builder_claim_items(psy_builder *b, const void *message, psy_tail *tail, uint32_t count, uint32_t size)
{
    unsigned char *at = (unsigned char *)psy_builder_claim(b, message, tail, count, size, 64);
    if (at != NULL && count > 0) {
        psy_builder_enter(b, (uint32_t)(at - b->memory), (uint64_t)count * size);
    }
    return b->status == PSY_OK ? at : NULL;
}

/* Copies a text of `n` bytes. `maybe`: an empty one is there too (string?), else it is nothing. False: failed; no UTF-8 is
 * INVALID. */
static inline bool psy_builder_text(psy_builder *b, const void *message, psy_tail *tail, const char *text, size_t n,
                                    uint32_t align, bool maybe)
{
    const uint32_t begin = psy_builder_place(b, tail, n, n > 0 || maybe ? align : 1);
    if (begin == 0) {
        return false;
    }
    if (!psy_utf8_copy(b->memory + begin, text, n)) {
        return psy_builder_fail(b, PSY_INVALID) != NULL;
    }
    psy_builder_lead(b, message, tail, begin, (uint32_t)n);
    tail->offset = n > 0 || maybe ? tail->offset : 0;
    return true;
}

/* Room for `count` texts (string[]), all empty. False: failed. */
static inline bool psy_builder_texts(psy_builder *b, const void *message, psy_tail *tail, uint32_t count, uint32_t align)
{
    const uint32_t bytes = (uint32_t)sizeof(psy_tail);
    unsigned char *at = (unsigned char *)psy_builder_claim(b, message, tail, count, bytes, align > 4 ? align : 4);
    if (at != NULL && count > 0) {
        memset(at, 0, (size_t)count * bytes);
        psy_builder_enter(b, (uint32_t)(at - b->memory), (uint64_t)count * bytes);
    }
    return b->status == PSY_OK;
}

/* Copies text `i` of those. False: failed; there are fewer is INVALID. */
static inline bool psy_builder_texts_set(psy_builder *b, const void *message, const psy_tail *tail, uint32_t i,
                                         const char *text, size_t n)
{
    const uint32_t offset = *(const volatile uint32_t *)&tail->offset, count = *(const volatile uint32_t *)&tail->count;
    /* Looked at only after psy_builder_place has found it in an open region. */
    psy_tail *at = (psy_tail *)((uintptr_t)message + offset + (uintptr_t)i * sizeof *at);
    if (i >= count || offset == 0 || (uintptr_t)at % 4 != 0) {
        return psy_builder_fail(b, PSY_INVALID) != NULL;
    }
    return psy_builder_text(b, message, at, text, n, 1, false);
}

/* Describes a variant without a bound and gives where to write its elements, row-major; `offset` is the field beside `head`
 * that leads to them. NULL: failed; no such type or rank is INVALID. */
static inline void *psy_builder_variant(psy_builder *b, const void *message, psy_variant_head *head, uint32_t *offset,
                                        unsigned dtype, uint32_t rank, const uint32_t *dims)
{
    psy_variant_view v;
    psy_tail lead;
    uint32_t begin;
    const psy_status status = psy_variant_view_init(&v, NULL, PSY_MESSAGE_BYTES_MAX, dtype, rank, dims);
    if (status != PSY_OK) {
        return psy_builder_fail(b, status);
    }
    begin = psy_builder_place(b, offset, psy_variant_count(&v) * psy_dtype_bytes(dtype), 64);
    if (begin == 0 || psy_variant_describe(head, PSY_MESSAGE_BYTES_MAX, dtype, rank, dims) != PSY_OK) {
        return NULL;
    }
    psy_builder_lead(b, message, &lead, begin, 0);
    *offset = lead.offset;
    return b->memory + begin;
}

/* Ends the message: zeros up to a multiple of 64, and its size in the header. Gives that size; 0: something failed, and
 * b->status says what. */
static inline size_t psy_builder_finish(psy_builder *b)
{
    const uint32_t bytes = (b->used + 63) & ~UINT32_C(63);
    if (b->status != PSY_OK) {
        return 0;
    }
    memset(b->memory + b->used, 0, bytes - b->used);
    ((psy_message_header *)(void *)b->memory)->bytes = bytes;
    b->used = bytes;
    return bytes;
}

#ifdef __cplusplus
}
#endif
#endif

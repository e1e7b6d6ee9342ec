/* SPDX-License-Identifier: Apache-2.0 */
/* The response slab: the client's own memory, into which the service writes replies.
 *
 *   data + 0                    slot headers: slots x 64 bytes
 *        + slots * 64           slot payloads: slots x reply_stride, 64-byte aligned
 *        + ... * reply_stride   completion rings: one per writer (each place for a shard, and last the broker), 8-byte slot
 *                               numbers
 *        + writers * ring       a line with one word: which of the places (bits) may have a writer, as the broker says
 *
 * A slot's state is one word, changed by compare-and-swap only:
 *
 *   generation u32 (high) | writer u16 | phase u16
 *
 *   FREE -> PENDING            client, at claim; the generation counts up
 *   PENDING -> WRITING         the one writer that answers
 *   WRITING -> DONE            the same writer; then it puts (generation, slot) into its completion ring
 *   DONE -> FREE               client, at release
 *   PENDING | WRITING -> QUARANTINED   client, when it gives up waiting; `writer` stays, or is PSY_WRITER_NONE
 *   QUARANTINED -> FREE        that writer acknowledges: it will not touch the slot again. Where there was none, whoever comes
 * to write: the generation keeps all others out.
 *
 * A reply takes two of them, and can do with no less. Without the first its writer could not know that the slot is still this
 * request's: the broker may have acknowledged a slot in quarantine on behalf of nobody, and the payload would go into the next
 * reply. Without the second, as a plain store, a worker that was given up for dead and is late would undo what came after: the
 * broker's answer, its release, and the client's next request in that slot.
 *
 * Whoever loses a compare-and-swap reads the word again and follows the table; nobody waits. A lying client can only spoil its
 * own replies: writers compute every address from the agreed geometry and never from what the slab says.
 */
#ifndef PSY_SERVICE_RESPONSE_H
#define PSY_SERVICE_RESPONSE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <psyne/ring.h>
#include <psyne/slab.h>
#include <psyne/status.h>

enum { PSY_PHASE_FREE = 0, PSY_PHASE_PENDING, PSY_PHASE_WRITING, PSY_PHASE_DONE, PSY_PHASE_QUARANTINED };
enum { PSY_REPLY_SLOTS_MAX = 65536, PSY_WRITER_NONE = 0xffff };

typedef struct psy__reply_header {
    _Atomic uint64_t state;
    uint32_t status, bytes;
    uint64_t request;
    uint8_t reserved[40];
} psy__reply_header;
_Static_assert(sizeof(psy__reply_header) == 64, "the reply header is ABI");
_Static_assert(offsetof(psy__reply_header, state) == 0 && offsetof(psy__reply_header, status) == 8, "the reply header is ABI");
_Static_assert(offsetof(psy__reply_header, bytes) == 12 && offsetof(psy__reply_header, request) == 16,
               "the reply header is ABI");

typedef struct psy__responses {
    uint8_t *data;
    uint32_t slots, stride, writers;
    uint32_t completion_slots;
} psy__responses;

static inline uint64_t psy__reply_state(uint32_t generation, uint32_t writer, uint32_t phase)
{
    return (uint64_t)generation << 32 | (uint64_t)(writer & 0xffff) << 16 | phase;
}

/* The least power of two that is n or more, up to 2^31. */
static inline uint32_t psy__power_of_two_above(uint32_t n)
{
    uint32_t p = 1;
    while (p < n) {
        p *= 2;
    }
    return p;
}

/* Bytes of slab data that this geometry needs; 0 if it is out of range. */
uint64_t psy__responses_bytes(uint32_t slots, uint32_t stride, uint32_t writers);

/* A view on slab data of at least that many bytes. */
void psy__responses_view(psy__responses *r, void *data, uint32_t slots, uint32_t stride, uint32_t writers);

/* Written by the broker, before anything is sent to a new writer, and after the last word of one that is gone. */
static inline _Atomic uint64_t *psy__writers_at(const psy__responses *r)
{
    uint64_t rings = (uint64_t)r->writers * psy_ring_bytes(8, r->completion_slots);
    return (_Atomic uint64_t *)(void *)(r->data + (uint64_t)r->slots * 64 + (uint64_t)r->slots * r->stride + rings);
}

static inline psy__reply_header *psy__reply_at(const psy__responses *r, uint32_t slot)
{
    return (psy__reply_header *)(void *)(r->data + (uint64_t)slot * 64);
}

static inline uint8_t *psy__reply_payload(const psy__responses *r, uint32_t slot)
{
    return r->data + (uint64_t)r->slots * 64 + (uint64_t)slot * r->stride;
}

/* The memory of writer `writer`'s completion ring, and its size. */
void *psy__completions_at(const psy__responses *r, uint32_t writer, uint64_t *bytes);

/* The client has given up on the slot: tells it that nobody will write there any more. Only for a slot that `writer` held, or
 * nobody: another writer may still be at it. */
void psy__reply_acknowledge(const psy__responses *r, uint32_t slot, uint32_t generation, uint32_t writer);

/* Writer: a reply is going to be written there; its lines come meanwhile. */
static inline void psy__reply_expect(const psy__responses *r, uint32_t slot)
{
    __builtin_prefetch(psy__reply_at(r, slot), 1);
    __builtin_prefetch(psy__reply_payload(r, slot), 1);
}

/* Writer: takes the slot for writing. False: the client has gone on (the slot is acknowledged where it waits for that). */
static inline bool psy__reply_begin(const psy__responses *r, uint32_t slot, uint32_t generation, uint32_t writer)
{
    psy__reply_header *reply = psy__reply_at(r, slot);
    uint64_t expected = psy__reply_state(generation, 0, PSY_PHASE_PENDING);
    if (atomic_compare_exchange_strong(&reply->state, &expected, psy__reply_state(generation, writer, PSY_PHASE_WRITING))) {
        return true;
    }
    psy__reply_acknowledge(r, slot, generation, writer);
    return false;
}

static inline void psy__reply_complete(psy_ring *completions, uint32_t slot, uint32_t generation)
{
    uint32_t got;
    uint64_t *entry = (uint64_t *)psy_ring_claim(completions, 1, &got);
    if (entry) { /* full only if the client broke its own ring: its loss */
        *entry = (uint64_t)generation << 32 | slot;
        psy_ring_commit(completions, 1);
    }
}

/* Writer: the payload is written: status and bytes, DONE, and the completion. False: the client gave up meanwhile. */
static inline bool psy__reply_end(const psy__responses *r, psy_ring *completions, uint32_t slot, uint32_t generation,
                                  uint32_t writer, psy_status status, uint32_t bytes, uint64_t request)
{
    psy__reply_header *reply = psy__reply_at(r, slot);
    reply->status = (uint32_t)status;
    reply->bytes = bytes;
    reply->request = request;
    uint64_t expected = psy__reply_state(generation, writer, PSY_PHASE_WRITING);
    if (!atomic_compare_exchange_strong(&reply->state, &expected, psy__reply_state(generation, writer, PSY_PHASE_DONE))) {
        psy__reply_acknowledge(r, slot, generation, writer);
        return false;
    }
    psy__reply_complete(completions, slot, generation);
    return true;
}

/* Broker: a dead writer may have stopped anywhere in the two calls above; finishes in its place with an error. */
void psy__reply_takeover(const psy__responses *r, psy_ring *completions, uint32_t slot, uint32_t generation,
                         uint32_t dead_writer, uint32_t writer, psy_status status, uint64_t request);

#endif

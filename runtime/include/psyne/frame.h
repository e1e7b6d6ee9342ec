/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: messages of any length over a ring of any kind, contiguous and in place. The ring's stride is the granule, a power of
 * two from 8 bytes on; a frame takes as many slots that lie together as it needs:
 *
 *   byte 0     length u32     of the payload
 *   byte 4     kind u32       bits 0-7: 1 message, 2 padding up to the ring's end; bit 8: the payload begins
 *                             a granule behind the head, not 8 bytes; the others are 0
 *   byte 8     payload, then whatever fills the last slot
 *
 *   void *message = psy_frame_claim(&ring, 1000);   // room for 1000 bytes; NULL: full, or too large
 *   ... write up to 1000 bytes ...
 *   psy_frame_commit(&ring, 700);                   // it has 700; psy_ring_flush makes it visible at the latest
 *
 *   uint32_t bytes;
 *   const void *message;
 *   while ((message = psy_frame_next(&ring, &bytes))) { // all that wait
 *       ... read in place ...
 *   }
 *   psy_frame_release(&ring);                       // those looked at; psy_ring_settle shows the room at the latest
 *
 * A handle of the ring is the handle for frames: psy_ring_join, flush, settle, wait, wait_room, wake_* and recover are used as
 * they are, but claims, commits, peeks and releases of slots must not be mixed with those of frames. psy_ring_wait_room waits
 * for what the claim that failed last had wanted.
 *
 * The largest frame has half of the ring's slots. Where it does not fit before the ring's end a single producer fills that up
 * with a frame of padding, and several producers with a run of padding (psy_ring_claim_run): less slots than the frame has, so
 * that both together fit into an empty ring. Each side may hold back up to a quarter of the ring (unflushed, not settled): with
 * larger frames two sides that only poll could wait for each other for ever.
 *
 * Payloads are aligned to 8. psy_frame_set_wide aligns those of a producer to the granule (up to 64), at the cost of a granule
 * for the head; consumers see that in the head.
 *
 * Memory order and death are those of the rings: a frame is published whole or not at all. Of a producer that dies inside of
 * one nothing is seen; several producers' consumers skip it after psy_ring_recover. What several consumers take at once
 * (SPMC) is what one flush published: one or more whole frames.
 *
 * Hostile peers: a head is read once and checked against the slots that wait together. An impossible one marks the handle
 * broken, and peek and next give nothing from then on. The payload may change while it is read: check a copy.
 *
 * Thread safety: as the ring's handle. Nothing here blocks or allocates. ABI version: that of the ring.
 */
#ifndef PSYNE_FRAME_H
#define PSYNE_FRAME_H

#include <psyne/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PSY_FRAME_HEAD_BYTES = 8 };
enum { PSY_FRAME_MESSAGE = 1, PSY_FRAME_PADDING = 2, PSY_FRAME_WIDE = 1 << 8 };

typedef struct psy_frame_head {
    uint32_t length, kind;
} psy_frame_head;
static_assert(sizeof(psy_frame_head) == PSY_FRAME_HEAD_BYTES, "the head of a frame is ABI");
static_assert(offsetof(psy_frame_head, length) == 0 && offsetof(psy_frame_head, kind) == 4, "the head of a frame is ABI");

/* The most bytes that a frame of this ring can have; 0 where the stride is no power of two. */
uint32_t psy_frame_max(const psy_ring *ring);

/* Why a claim of so many bytes gave NULL: FULL (try again, or psy_ring_wait_room), TOO_LARGE (more than psy_frame_max: it never
 * fits), UNSUPPORTED (the stride is no power of two), CORRUPT (the handle is broken). */
PSY_NODISCARD psy_status psy_frame_refusal(const psy_ring *ring, uint32_t bytes);

/* Private: whether there is room for `n` slots that lie together, after padding and a look at the shared words. */
bool psy_frame_make_room(psy_ring *ring, uint32_t n);
const void *psy_frame_look(psy_ring *ring, uint32_t *bytes);

/* The slots of a frame whose payload begins at `offset`. */
static inline uint64_t psy_frame_slots(const psy_ring *ring, uint32_t offset, uint32_t bytes)
{
    return ((uint64_t)offset + bytes + ring->stride - 1) >> ring->stride_bits;
}

/* ---- producer ---- */

/* Payloads that this handle claims from now on begin at a multiple of the granule (at most of 64 bytes), or of 8. */
static inline void psy_frame_set_wide(psy_ring *ring, bool wide)
{
    ring->payload_at = wide ? ring->stride : (uint32_t)PSY_FRAME_HEAD_BYTES;
}

/* Room for a message of up to `bytes`, contiguous; NULL: ask psy_frame_refusal. Claiming again, with one producer, gives the
 * same room or a larger one; with several the open claim must be committed or aborted first. */
static inline void *psy_frame_claim(psy_ring *ring, uint32_t bytes)
{
    uint64_t n = psy_frame_slots(ring, ring->payload_at, bytes);
    uint32_t index = (uint32_t)ring->position & (ring->slots - 1);
    if (psy_ring_many_producers(ring) || ring->broken || n > ring->frame_slots || n > ring->slots - index ||
        n > ring->slots - (ring->position - ring->other)) {
        if (n > ring->frame_slots || !psy_frame_make_room(ring, (uint32_t)n)) {
            return NULL;
        }
        index = (uint32_t)ring->position & (ring->slots - 1);
    }
    return ring->slots_at + (uint64_t)index * ring->stride + ring->payload_at;
}

/* The claimed message is written: it has `bytes`, at most what was claimed. */
static inline void psy_frame_commit(psy_ring *ring, uint32_t bytes)
{
    uint32_t index = (uint32_t)ring->position & (ring->slots - 1);
    uint64_t kind = PSY_FRAME_MESSAGE | (ring->payload_at != PSY_FRAME_HEAD_BYTES ? (uint32_t)PSY_FRAME_WIDE : 0);
    uint64_t head = bytes | kind << 32; /* one store: it is read by one load */
    memcpy(ring->slots_at + (uint64_t)index * ring->stride, &head, sizeof head);
    ring->frames++;
    ring->frame_bytes += bytes;
    psy_ring_commit(ring, (uint32_t)psy_frame_slots(ring, ring->payload_at, bytes));
}

/* Nothing was written, or it is not meant any more. */
static inline void psy_frame_abort(psy_ring *ring) { psy_ring_abort(ring); }
static inline void psy_frame_flush(psy_ring *ring) { psy_ring_flush(ring); }

/* Until a message of so many bytes can be claimed: as psy_ring_wait_room, and TOO_LARGE, UNSUPPORTED. */
PSY_NODISCARD psy_status psy_frame_wait_room(psy_ring *ring, uint32_t bytes, uint64_t timeout_ns);

/* ---- consumer ---- */

/* The message behind those looked at since the last release; NULL: none waits. */
static inline const void *psy_frame_next(psy_ring *ring, uint32_t *bytes)
{
    uint64_t at = ring->position + ring->looked;
    uint32_t index = (uint32_t)at & (ring->slots - 1), run = ring->slots - index;
    uint64_t waiting = ring->other - at;
    waiting = waiting < run ? waiting : run;
    if (waiting != 0 && !ring->broken) {
        const uint8_t *slot = ring->slots_at + (uint64_t)index * ring->stride;
        uint64_t head = *(const volatile uint64_t *)(const void *)slot; /* read once; little-endian, as all of it is */
        uint64_t n = psy_frame_slots(ring, PSY_FRAME_HEAD_BYTES, (uint32_t)head);
        if (head >> 32 == PSY_FRAME_MESSAGE && n <= waiting) {
            ring->looked += (uint32_t)n;
            ring->looked_frames++;
            ring->looked_bytes += (uint32_t)head;
            *bytes = (uint32_t)head;
            return slot + PSY_FRAME_HEAD_BYTES;
        }
    }
    return psy_frame_look(ring, bytes);
}

/* The first waiting message, again and again; NULL: none waits. */
static inline const void *psy_frame_peek(psy_ring *ring, uint32_t *bytes)
{
    ring->looked = ring->looked_frames = 0;
    ring->looked_bytes = 0;
    return psy_frame_next(ring, bytes);
}

/* The messages looked at since the last release are not needed any more. */
static inline void psy_frame_release(psy_ring *ring)
{
    uint32_t n = ring->looked;
    ring->frames += ring->looked_frames;
    ring->frame_bytes += ring->looked_bytes;
    ring->looked = ring->looked_frames = 0;
    ring->looked_bytes = 0;
    if (n) {
        psy_ring_release(ring, n);
    }
}
static inline void psy_frame_settle(psy_ring *ring) { psy_ring_settle(ring); }

#ifdef __cplusplus
}
#endif
#endif

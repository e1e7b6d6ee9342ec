/* SPDX-License-Identifier: Apache-2.0 */
/* Frames where the next slots are not simply there: at the ring's end, when it is full or empty, and with several producers. */
#include <psyne/frame.h>

#include <inttypes.h>

#include "mem/ring_state.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the head of a frame is read as one word");

uint32_t psy_frame_max(const psy_ring *ring)
{
    uint64_t bytes = (uint64_t)ring->frame_slots * ring->stride;
    bytes = bytes < UINT32_MAX ? bytes : UINT32_MAX;
    return bytes > ring->payload_at ? (uint32_t)(bytes - ring->payload_at) : 0;
}

psy_status psy_frame_refusal(const psy_ring *ring, uint32_t bytes)
{
    if (ring->broken) {
        return psy_fail(PSY_CORRUPT, "the ring is broken");
    }
    if (ring->frame_slots == 0) {
        return psy_fail(PSY_UNSUPPORTED, "frames need a granule that is a power of two, not a stride of %" PRIu32,
                        ring->stride);
    }
    if (psy_frame_slots(ring, ring->payload_at, bytes) > ring->frame_slots) {
        return psy_fail(PSY_TOO_LARGE,
                        "a frame of %" PRIu32 " bytes in a ring of %" PRIu32 " slots of %" PRIu32 ": at most %" PRIu32, bytes,
                        ring->slots, ring->stride, psy_frame_max(ring));
    }
    return PSY_FULL;
}

static bool has_room(psy_ring *ring, uint32_t n)
{
    return ring->slots - (ring->position - ring->other) >= n ||
           (psy__ring_see_room(ring, n, true) && ring->slots - (ring->position - ring->other) >= n);
}

/* The single producer. Padding is less than the frame, so that it fits where there would be room for the frame. */
static bool make_room(psy_ring *ring, uint32_t n)
{
    uint32_t index = (uint32_t)ring->position & (ring->slots - 1), run = ring->slots - index;
    if (ring->broken || !has_room(ring, n)) {
        return false;
    }
    if (n <= run) {
        return true;
    }
    psy_frame_head *head = (psy_frame_head *)(void *)(ring->slots_at + (uint64_t)index * ring->stride);
    *head = (psy_frame_head){run * ring->stride - PSY_FRAME_HEAD_BYTES, PSY_FRAME_PADDING};
    ring->skipped += run;
    psy_ring_commit(ring, run);
    return has_room(ring, n);
}

bool psy_frame_make_room(psy_ring *ring, uint32_t n)
{
    if (psy_ring_many_producers(ring)) {
        return psy_ring_claim_run(ring, n) != NULL;
    }
    if (make_room(ring, n)) {
        ring->found = true;
        return true;
    }
    psy__ring_stall(ring);
    ring->room_want = n;
    return false;
}

psy_status psy_frame_wait_room(psy_ring *ring, uint32_t bytes, uint64_t timeout_ns)
{
    psy_status refusal = psy_frame_refusal(ring, bytes);
    if (refusal != PSY_FULL) {
        return refusal;
    }
    ring->room_want = (uint32_t)psy_frame_slots(ring, ring->payload_at, bytes);
    return psy_ring_wait_room(ring, timeout_ns);
}

static const void *nothing(psy_ring *ring, uint32_t *bytes)
{
    psy__ring_stall(ring);
    *bytes = 0;
    return NULL;
}

/* The next message, which may lie behind padding, or not be known of yet. */
const void *psy_frame_look(psy_ring *ring, uint32_t *bytes)
{
    /* One consumer among several may well find padding after padding: laps went by in between, to the others. But not for ever.
     */
    enum { PADDINGS = 64 };
    uint64_t after = 0;
    for (uint32_t paddings = 0; paddings < PADDINGS && !ring->broken && ring->frame_slots != 0;) {
        if (ring->other - ring->position == ring->looked &&
            (!psy__ring_see_more(ring, ring->looked + 1) || ring->other - ring->position == ring->looked)) {
            break;
        }
        uint64_t at = ring->position + ring->looked, waiting = ring->other - at;
        uint32_t index = (uint32_t)at & (ring->slots - 1), run = ring->slots - index;
        const uint8_t *slot = ring->slots_at + (uint64_t)index * ring->stride;
        uint64_t head = *(const volatile uint64_t *)(const void *)slot;
        uint32_t kind = (uint32_t)(head >> 32), length = (uint32_t)head;
        uint32_t offset = kind & PSY_FRAME_WIDE ? ring->stride : PSY_FRAME_HEAD_BYTES;
        uint64_t n = psy_frame_slots(ring, offset, length);
        bool message = (kind & ~(uint32_t)PSY_FRAME_WIDE) == PSY_FRAME_MESSAGE;
        bool again = paddings != 0 && at == after;
        /* Padding goes to the ring's end, and a message follows. */
        if (n > waiting || n > run || (!message && (kind != PSY_FRAME_PADDING || n != run || again))) {
            ring->broken = true;
            break;
        }
        ring->looked += (uint32_t)n;
        if (message) {
            ring->found = true;
            ring->looked_frames++;
            ring->looked_bytes += length;
            *bytes = length;
            return slot + offset;
        }
        paddings++;
        after = at + n;
        if (ring->looked == n) { /* nobody releases what he was not given */
            ring->looked = 0;
            psy_ring_release(ring, (uint32_t)n);
        }
    }
    return nothing(ring, bytes);
}

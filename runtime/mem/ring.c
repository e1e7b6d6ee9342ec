/* SPDX-License-Identifier: Apache-2.0 */
/* How rings are formatted, joined and left. */
#define _GNU_SOURCE
#include <psyne/frame.h>

#include <string.h>
#include <time.h>

#include "mem/ring_state.h"

enum { JOIN_TRIES = 2000, FRAME_SLOTS_MAX = PSY_RING_RUN_MAX - PSY_RING_BATCH };

static psy_status check_shape(const void *memory, uint64_t bytes, const psy_ring_shape *shape)
{
    uint64_t need = shape ? psy_ring_shape_bytes(shape) : 0;
    if (!memory || need == 0 || bytes < need || (uintptr_t)memory % 64 != 0) {
        return psy_fail(PSY_INVALID,
                        "a ring of %u slots of %u bytes in %llu bytes: slots are a power of two, strides a multiple "
                        "of 8, memory aligned to 64",
                        shape ? shape->slots : 0, shape ? shape->stride : 0, (unsigned long long)bytes);
    }
    return PSY_OK;
}

psy_status psy_ring_format(void *memory, uint64_t bytes, const psy_ring_shape *shape)
{
    psy_status status = check_shape(memory, bytes, shape);
    if (status == PSY_OK) {
        psy_ring_header *header = memory;
        memset(memory, 0,
               PSY_RING_HEADER_BYTES + (shape->kind == PSY_RING_SPSC ? 0 : PSY_RING_JOINED_BYTES + (size_t)shape->slots * 8));
        header->stride = shape->stride;
        header->slots = shape->slots;
        header->kind = (uint32_t)shape->kind;
        header->abi = PSY_RING_ABI;
        header->magic = PSY_RING_MAGIC;
    }
    return status;
}

static const char *kind_name(uint32_t kind)
{
    static const char *const names[] = {"SPSC", "MPSC", "SPMC", "MPMC"};
    return kind < sizeof names / sizeof *names ? names[kind] : "of an unknown kind";
}

static psy_status check_header(const void *memory, const psy_ring_shape *shape)
{
    struct {
        uint32_t magic, abi, stride, slots, kind;
    } says;
    memcpy(&says, memory, sizeof says); /* read once */
    if (says.magic != PSY_RING_MAGIC) {
        return psy_fail(PSY_CORRUPT, "not a ring: its first word is %08x", says.magic);
    }
    if (says.abi != PSY_RING_ABI) {
        return psy_fail(PSY_VERSION, "the ring has ABI %u, this library %u", says.abi, PSY_RING_ABI);
    }
    if (says.stride != shape->stride || says.slots != shape->slots || says.kind != (uint32_t)shape->kind) {
        return psy_fail(PSY_CORRUPT, "the ring is %s with %u slots of %u bytes; agreed was %s with %u slots of %u",
                        kind_name(says.kind), says.slots, says.stride, kind_name((uint32_t)shape->kind), shape->slots,
                        shape->stride);
    }
    return PSY_OK;
}

static bool one_of_several(const psy_ring *ring)
{
    return ring->side == PSY_RING_PRODUCER ? psy_ring_many_producers(ring) : psy_ring_many_consumers(ring);
}
static PSY_ATOMIC(uint64_t) * single_seat(psy_ring *ring)
{
    return ring->side == PSY_RING_PRODUCER ? &ring->header->producer_seat : &ring->header->consumer_seat;
}
static PSY_ATOMIC(uint64_t) * seat_bits(psy_ring *ring)
{
    return ring->side == PSY_RING_PRODUCER ? ring->header->producer_seats : ring->header->consumer_seats;
}
static void clear_bit(PSY_ATOMIC(uint64_t) * bits, uint32_t seat)
{
    (void)atomic_fetch_and_explicit(&bits[seat / 64], ~(UINT64_C(1) << seat % 64), memory_order_acq_rel);
}

/* Where this side goes on. */
static psy_status find_place(psy_ring *ring)
{
    uint64_t released = atomic_load_explicit(&ring->header->released, memory_order_acquire);
    uint64_t published = atomic_load_explicit(&ring->header->published, memory_order_acquire);
    uint64_t taken = atomic_load_explicit(&ring->header->taken, memory_order_acquire);
    if (!one_of_several(ring) && ring->kind != PSY_RING_MPSC && published - released > ring->slots) {
        /* The single producer of many consumers may have died between its run and its cursor. */
        if (ring->kind == PSY_RING_SPSC || released - published > ring->slots) {
            return psy_fail(PSY_CORRUPT, "the ring's positions are impossible");
        }
    }
    if (ring->side == PSY_RING_PRODUCER && psy_ring_many_producers(ring)) {
        ring->seen = released;
        ring->position = ring->shown = 0;
        ring->other = 0 - (uint64_t)ring->slots;
        ring->defer = 0; /* each commit ends its claim */
        return PSY_OK;
    }
    if (ring->side == PSY_RING_PRODUCER) {
        for (uint32_t i = 0; ring->states && i < ring->slots; i++) {
            uint64_t state = state_load(ring, published);
            uint32_t n;
            if (!state_tells(ring, state, published) || (n = state_extent(ring, state)) == 0) {
                break;
            }
            published += n;
        }
        ring->position = ring->shown = published;
        ring->other = released;
        if (ring->states) {
            atomic_store_explicit(&ring->header->published, published, memory_order_release);
        }
        if (ring->broken || published - released > ring->slots) {
            return psy_fail(PSY_CORRUPT, "the ring's positions are impossible");
        }
        return PSY_OK;
    }
    if (psy_ring_many_consumers(ring)) {
        ring->position = ring->shown = ring->other = taken;
        ring->defer = 1; /* a run is shown as soon as it is given back whole */
        return PSY_OK;
    }
    ring->position = ring->shown = released;
    ring->other = ring->states ? released : published;
    return PSY_OK;
}

/* Says who it is; the single place of a side is taken by one who lives at a time. What a dead predecessor in the seat left is
 * cleared away. All that under the slab's lock for it, where there is one: nobody clears up meanwhile. */
static psy_status sit_down(psy_ring *ring)
{
    uint32_t mine = ring->seat.number;
    if (!one_of_several(ring)) {
        PSY_ATOMIC(uint64_t) *place = single_seat(ring);
        uint64_t before = atomic_load_explicit(place, memory_order_acquire);
        if (before != 0 && !psy__ring_gone(ring, before) && (before & 255) != mine) {
            return psy_fail(PSY_FULL, "the ring's single %s lives, in seat %u",
                            ring->side == PSY_RING_PRODUCER ? "producer" : "consumer", (unsigned)(before & 255));
        }
        atomic_store_explicit(place, seat_word(mine, ring->seat.epoch), memory_order_release);
    }
    if (ring->joined) {
        bool first = atomic_load_explicit(&ring->joined[mine], memory_order_acquire) != ring->seat.epoch;
        psy__ring_inherit(ring, first);
        if (first) {
            clear_bit(ring->header->producer_seats, mine);
            clear_bit(ring->header->consumer_seats, mine);
        }
        atomic_store_explicit(&ring->joined[mine], ring->seat.epoch, memory_order_release);
    }
    if (one_of_several(ring)) {
        (void)atomic_fetch_or_explicit(&seat_bits(ring)[mine / 64], UINT64_C(1) << mine % 64, memory_order_acq_rel);
    }
    (void)atomic_fetch_add_explicit(ring->side == PSY_RING_PRODUCER ? &ring->header->producer_epoch
                                                                    : &ring->header->consumer_epoch,
                                    1u, memory_order_acq_rel);
    return PSY_OK;
}

/* Waits for the right to clear up, which others have for moments. */
static psy_status join_with_seat(psy_ring *ring)
{
    static const struct timespec moment = {0, 1000000};
    bool mortal = ring->seat.fd >= 0;
    for (uint32_t tries = 0; mortal && !psy_seat_seize(&ring->seat, 0); tries++) {
        if (tries == JOIN_TRIES) {
            return psy_fail(PSY_TIMEOUT, "somebody has been clearing up the slab's rings for two seconds");
        }
        (void)nanosleep(&moment, NULL);
    }
    psy_status status = sit_down(ring);
    if (status == PSY_OK) {
        status = find_place(ring); /* now that nobody else moves it */
    }
    if (mortal) {
        psy_seat_unseize(&ring->seat, 0);
    }
    return status;
}

psy_status psy_ring_join(psy_ring *ring, psy_ring_side side, void *memory, uint64_t bytes, const psy_ring_shape *shape,
                         const psy_seat *seat)
{
    if (!ring || (seat && (seat->number == 0 || seat->number > 255))) {
        return psy_fail(PSY_INVALID, "psy_ring_join: no handle, or a seat that is none");
    }
    psy_status status = check_shape(memory, bytes, shape);
    if (status == PSY_OK) {
        status = check_header(memory, shape);
    }
    if (status != PSY_OK) {
        return status;
    }
    psy_ring r = {.header = memory,
                  .slots_at = (uint8_t *)memory + PSY_RING_HEADER_BYTES,
                  .stride = shape->stride,
                  .slots = shape->slots,
                  .kind = (uint8_t)shape->kind,
                  .side = (uint8_t)side,
                  .found = true,
                  .seat = psy_seat_bare(0)};
    while ((UINT32_C(1) << r.bits) != r.slots) {
        r.bits++;
    }
    r.payload_at = PSY_FRAME_HEAD_BYTES;
    if ((r.stride & (r.stride - 1)) == 0) {
        while ((UINT32_C(1) << r.stride_bits) != r.stride) {
            r.stride_bits++;
        }
        /* Half, and what is committed besides, held back, fits into one run. */
        r.frame_slots = r.slots > 1 ? r.slots / 2 : 1;
        r.frame_slots = r.frame_slots < FRAME_SLOTS_MAX ? r.frame_slots : FRAME_SLOTS_MAX;
    }
    if (shape->kind != PSY_RING_SPSC) {
        r.joined = (PSY_ATOMIC(uint32_t) *)(void *)r.slots_at;
        r.slots_at += PSY_RING_JOINED_BYTES;
        r.states = (PSY_ATOMIC(uint64_t) *)(void *)r.slots_at;
        r.slots_at += ((uint64_t)r.slots * 8 + 127) & ~UINT64_C(127);
    }
    if (side == PSY_RING_PRODUCER) {
        /* Hold back a batch, or 512 bytes of smaller messages; never more than a quarter of the ring. */
        r.defer = r.stride < 512 / PSY_RING_BATCH ? 512 / r.stride : PSY_RING_BATCH;
        r.defer = r.defer < r.slots / 4 ? r.defer : r.slots / 4;
    } else {
        r.defer = r.slots / 4;
    }
    r.defer = r.defer ? r.defer : 1;
    r.at = r.end = r.slots_at;
    if (seat) {
        r.seat = *seat;
    } else if (one_of_several(&r)) {
        return psy_fail(PSY_INVALID, "one of several %s needs a seat", side == PSY_RING_PRODUCER ? "producers" : "consumers");
    }
    if (seat) {
        status = join_with_seat(&r);
    } else {
        atomic_store_explicit(single_seat(&r), UINT64_C(0), memory_order_release);
        status = find_place(&r);
    }
    if (status == PSY_OK) {
        *ring = r;
    }
    return status;
}

psy_status psy_ring_init(psy_ring *ring, void *memory, uint64_t bytes, uint32_t stride, uint32_t slots)
{
    psy_ring_shape shape = {PSY_RING_SPSC, stride, slots};
    psy_status status = psy_ring_format(memory, bytes, &shape);
    return status == PSY_OK ? psy_ring_join(ring, PSY_RING_PRODUCER, memory, bytes, &shape, NULL) : status;
}

psy_status psy_ring_attach(psy_ring *ring, psy_ring_side side, void *memory, uint64_t bytes, uint32_t stride, uint32_t slots)
{
    psy_ring_shape shape = {PSY_RING_SPSC, stride, slots};
    return psy_ring_join(ring, side, memory, bytes, &shape, NULL);
}

void psy_ring_leave(psy_ring *ring)
{
    if (ring->side == PSY_RING_PRODUCER) {
        psy_ring_flush(ring);
        psy_ring_abort(ring);
        psy_ring_wake_consumer(ring);
    } else {
        psy_ring_settle(ring);
        if (psy_ring_many_consumers(ring)) {
            psy__ring_hand_over(ring);
        }
        psy_ring_wake_producer(ring);
    }
    uint32_t mine = ring->seat.number;
    uint64_t word = seat_word(mine, ring->seat.epoch);
    if (one_of_several(ring)) {
        clear_bit(seat_bits(ring), mine);
    } else if (mine != 0) {
        (void)atomic_compare_exchange_strong_explicit(single_seat(ring), &word, UINT64_C(0), memory_order_acq_rel,
                                                      memory_order_relaxed);
    }
    ring->broken = true;
    ring->end = ring->at;
}

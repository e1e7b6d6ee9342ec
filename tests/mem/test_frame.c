/* SPDX-License-Identifier: Apache-2.0 */
/* Frames, one thread: what fits, where the ring ends, batches, and heads that lie. */
#include <psyne/frame.h>

#include "tests/mem/pair.h"

typedef struct ends {
    psy_ring_shape shape;
    void *memory;
    uint64_t bytes;
    psy_ring producer, consumer;
} ends;

static ends open_ends(psy_ring_kind kind, uint32_t stride, uint32_t slots)
{
    ends e = {.shape = {kind, stride, slots}};
    psy_seat seats[2] = {psy_seat_bare(1), psy_seat_bare(2)};
    e.bytes = psy_ring_shape_bytes(&e.shape);
    e.memory = aligned_alloc(128, e.bytes);
    cr_assert_not_null(e.memory);
    memset(e.memory, 0xa5, e.bytes);
    cr_assert_eq(psy_ring_format(e.memory, e.bytes, &e.shape), PSY_OK);
    cr_assert_eq(psy_ring_join(&e.producer, PSY_RING_PRODUCER, e.memory, e.bytes, &e.shape, &seats[0]), PSY_OK);
    cr_assert_eq(psy_ring_join(&e.consumer, PSY_RING_CONSUMER, e.memory, e.bytes, &e.shape, &seats[1]), PSY_OK);
    return e;
}

static uint8_t byte_of(uint64_t message, uint32_t at) { return (uint8_t)(message * 37 + at * 11 + (at >> 8)); }

static bool send(psy_ring *ring, uint64_t number, uint32_t room, uint32_t bytes)
{
    uint8_t *to = psy_frame_claim(ring, room);
    if (!to) {
        return false;
    }
    cr_assert_eq((uintptr_t)to % 8, 0u);
    cr_assert(to >= ring->slots_at && to + room <= ring->slots_at + (uint64_t)ring->slots * ring->stride);
    for (uint32_t i = 0; i < bytes; i++) {
        to[i] = byte_of(number, i);
    }
    psy_frame_commit(ring, bytes);
    return true;
}

static void expect(const void *message, uint32_t got, uint64_t number, uint32_t bytes)
{
    cr_assert_not_null(message);
    cr_assert_eq(got, bytes, "message %lu", (unsigned long)number);
    for (uint32_t i = 0; i < bytes; i++) {
        cr_assert_eq(((const uint8_t *)message)[i], byte_of(number, i));
    }
}

static void expect_next(psy_ring *ring, uint64_t number, uint32_t bytes)
{
    uint32_t got = 77;
    const void *message = psy_frame_next(ring, &got);
    expect(message, got, number, bytes);
}

static void expect_peek(psy_ring *ring, uint64_t number, uint32_t bytes)
{
    uint32_t got = 77;
    const void *message = psy_frame_peek(ring, &got);
    expect(message, got, number, bytes);
}

Test(frame, all_sizes_through_rings_of_every_kind)
{
    static const uint32_t strides[] = {8, 16, 64, 256};
    for (int kind = PSY_RING_SPSC; kind <= PSY_RING_MPMC; kind++) {
        for (uint32_t s = 0; s < 8; s++) {
            ends e = open_ends((psy_ring_kind)kind, strides[s / 2], 32);
            psy_frame_set_wide(&e.producer, s % 2);
            uint32_t most = psy_frame_max(&e.producer), seed_sizes[4];
            uint64_t seed = 9, sent = 0, taken = 0;
            cr_assert_eq(most, 16 * strides[s / 2] - (s % 2 ? strides[s / 2] : 8));
            for (int round = 0; round < 3000; round++) {
                uint32_t in_flight = 0, got;
                bool aborted = false;
                for (; in_flight < 4; in_flight++) {
                    uint32_t room = (uint32_t)(random_next(&seed) % (most + 1));
                    room = random_next(&seed) % 16 == 0 ? most : room;
                    uint32_t bytes = random_next(&seed) % 4 ? room : (uint32_t)(random_next(&seed) % (room + 1));
                    if (random_next(&seed) % 16 == 0 && psy_frame_claim(&e.producer, room)) {
                        psy_frame_abort(&e.producer);
                        aborted = true; /* it may have become padding */
                    }
                    if (!send(&e.producer, sent, room, bytes)) {
                        cr_assert_eq(psy_frame_refusal(&e.producer, room), PSY_FULL);
                        break;
                    }
                    seed_sizes[sent % 4] = bytes;
                    sent++;
                }
                cr_assert(in_flight > 0 || aborted, "an empty ring has room for the largest");
                psy_frame_flush(&e.producer);
                while (taken < sent) {
                    const void *again = psy_frame_peek(&e.consumer, &got);
                    const void *message = psy_frame_peek(&e.consumer, &got);
                    cr_assert_eq(again, message);
                    expect(message, got, taken, seed_sizes[taken % 4]);
                    cr_assert_eq((uintptr_t)message % (s % 2 && strides[s / 2] >= 64 ? 64 : 8), 0u);
                    taken++;
                    while (random_next(&seed) % 2 && (message = psy_frame_next(&e.consumer, &got)) != NULL) {
                        expect(message, got, taken, seed_sizes[taken % 4]);
                        taken++;
                    }
                    psy_frame_release(&e.consumer);
                }
                cr_assert_null(psy_frame_peek(&e.consumer, &got));
                cr_assert_eq(got, 0u);
                psy_frame_settle(&e.consumer);
            }
            cr_assert_not(psy_ring_broken(&e.consumer));
            cr_assert_gt(e.producer.skipped, 0u, "no padding was tested");
            free(e.memory);
        }
    }
}

Test(frame, exact_fits)
{
    ends e = open_ends(PSY_RING_SPSC, 16, 8);
    uint32_t got;
    cr_assert_eq(psy_frame_max(&e.producer), 4 * 16 - 8u);
    /* Two of the largest fill the ring to the byte. */
    cr_assert(send(&e.producer, 1, 56, 56));
    cr_assert(send(&e.producer, 2, 56, 56));
    cr_assert_null(psy_frame_claim(&e.producer, 0));
    cr_assert_eq(psy_frame_refusal(&e.producer, 0), PSY_FULL);
    psy_frame_flush(&e.producer);
    expect_next(&e.consumer, 1, 56);
    expect_next(&e.consumer, 2, 56);
    cr_assert_null(psy_frame_next(&e.consumer, &got));
    psy_frame_release(&e.consumer);
    psy_frame_settle(&e.consumer);
    /* 8 bytes fill a slot, 9 take two; up to the ring's end without padding. */
    for (uint64_t i = 0; i < 6; i++) {
        cr_assert(send(&e.producer, i, 8, 8));
    }
    cr_assert(send(&e.producer, 6, 24, 24));
    cr_assert_eq(e.producer.skipped, 0u);
    cr_assert_null(psy_frame_claim(&e.producer, 8));
    free(e.memory);
}

Test(frame, what_is_too_large_is_told_from_what_is_full)
{
    for (int kind = PSY_RING_SPSC; kind <= PSY_RING_MPMC; kind++) {
        ends e = open_ends((psy_ring_kind)kind, 64, 16);
        uint32_t most = psy_frame_max(&e.producer);
        cr_assert_eq(most, 8 * 64 - 8u);
        cr_assert_null(psy_frame_claim(&e.producer, most + 1));
        cr_assert_eq(psy_frame_refusal(&e.producer, most + 1), PSY_TOO_LARGE);
        cr_assert_not_null(strstr(psy_detail(), "at most 504"), "%s", psy_detail());
        cr_assert_null(psy_frame_claim(&e.producer, UINT32_MAX));
        cr_assert_eq(psy_frame_wait_room(&e.producer, UINT32_MAX, UINT64_MAX), PSY_TOO_LARGE, "it does not wait for ever");
        cr_assert(send(&e.producer, 0, most, most));
        cr_assert(send(&e.producer, 1, most, most));
        cr_assert_null(psy_frame_claim(&e.producer, most));
        cr_assert_eq(psy_frame_refusal(&e.producer, most), PSY_FULL);
        cr_assert_eq(psy_frame_wait_room(&e.producer, 1, 1000000), PSY_TIMEOUT);
        free(e.memory);
    }
    ends odd = open_ends(PSY_RING_SPSC, 24, 16);
    uint32_t got;
    cr_assert_eq(psy_frame_max(&odd.producer), 0u);
    cr_assert_null(psy_frame_claim(&odd.producer, 1));
    cr_assert_eq(psy_frame_refusal(&odd.producer, 1), PSY_UNSUPPORTED);
    cr_assert_eq(psy_frame_wait_room(&odd.producer, 1, UINT64_MAX), PSY_UNSUPPORTED);
    cr_assert_null(psy_frame_next(&odd.consumer, &got));
    free(odd.memory);
}

/* Waiting for room means room for that frame: one free slot is not enough. */
Test(frame, waits_for_as_much_room_as_it_wants)
{
    for (int kind = PSY_RING_SPSC; kind <= PSY_RING_MPMC; kind++) {
        ends e = open_ends((psy_ring_kind)kind, 8, 16);
        for (uint64_t i = 0; i < 8; i++) {
            cr_assert(send(&e.producer, i, 8, 8));
            psy_frame_flush(&e.producer); /* what is published together is given back together */
        }
        cr_assert_null(psy_frame_claim(&e.producer, 40));
        for (uint64_t i = 0; i < 3; i++) {
            cr_assert_eq(psy_ring_wait_room(&e.producer, 1000000), PSY_TIMEOUT, "kind %d, %lu given back", kind,
                         (unsigned long)i);
            expect_peek(&e.consumer, i, 8);
            psy_frame_release(&e.consumer);
            psy_frame_settle(&e.consumer);
        }
        cr_assert_eq(psy_ring_wait_room(&e.producer, 0), PSY_OK);
        cr_assert(send(&e.producer, 8, 40, 40));
        cr_assert_eq(psy_frame_wait_room(&e.producer, 8, 0), PSY_TIMEOUT);
        free(e.memory);
    }
}

/* What a liar can do: every byte of a head with every value, where a second frame and memory's end lie behind. */
Test(frame, lies_in_every_byte_of_a_head)
{
    uint32_t broken = 0, believed = 0;
    for (uint32_t at = 0; at < 8; at++) {
        for (uint32_t value = 0; value < 256; value++) {
            ends e = open_ends(PSY_RING_SPSC, 8, 8);
            uint32_t got = 0, frames = 0;
            /* At the ring's end: what is read beyond is not this ring's. */
            cr_assert(send(&e.producer, 0, 24, 24));
            psy_frame_flush(&e.producer);
            cr_assert_not_null(psy_frame_peek(&e.consumer, &got));
            psy_frame_release(&e.consumer);
            psy_frame_settle(&e.consumer);
            cr_assert(send(&e.producer, 1, 8, 8));
            cr_assert(send(&e.producer, 2, 8, 8));
            psy_frame_flush(&e.producer);
            e.producer.slots_at[4 * 8 + at] = (uint8_t)value;
            const uint8_t *message;
            while ((message = psy_frame_next(&e.consumer, &got)) != NULL) {
                cr_assert(message >= e.consumer.slots_at && message + got <= e.consumer.slots_at + 64);
                cr_assert_lt(frames++, 8u);
            }
            broken += psy_ring_broken(&e.consumer);
            believed += frames == 2;
            if (psy_ring_broken(&e.consumer)) {
                cr_assert_null(psy_frame_peek(&e.consumer, &got));
                cr_assert_eq(psy_frame_refusal(&e.consumer, 1), PSY_CORRUPT);
            }
            psy_frame_release(&e.consumer);
            psy_frame_settle(&e.consumer);
            free(e.memory);
        }
    }
    cr_assert_gt(broken, 1900u);
    cr_assert_geq(believed, 8u, "the true values, and lengths that take as many slots");
}

/* Padding is only believed at the ring's end, once, whole. */
Test(frame, padding_that_lies)
{
    for (int lie = 0; lie < 4; lie++) {
        ends e = open_ends(PSY_RING_SPSC, 8, 16);
        uint32_t got, room;
        psy_frame_head *heads = psy_ring_claim(&e.producer, 16, &room);
        cr_assert_eq(room, 16u);
        heads[0] = (psy_frame_head){lie == 0 ? 0 : 15 * 8, lie == 3 ? PSY_FRAME_PADDING | PSY_FRAME_WIDE : PSY_FRAME_PADDING};
        heads[1] = (psy_frame_head){0, PSY_FRAME_MESSAGE}; /* what follows padding that is too short looks well */
        if (lie == 1) {
            heads[0].length += 8; /* one slot more than there is */
        }
        psy_ring_commit(&e.producer, 16);
        psy_ring_flush(&e.producer);
        cr_assert_null(psy_frame_next(&e.consumer, &got));
        if (lie == 2) { /* true as it is; the next lap again, where a message must come */
            cr_assert_not(psy_ring_broken(&e.consumer));
            psy_ring_settle(&e.consumer);
            heads = psy_ring_claim(&e.producer, 16, &room);
            cr_assert_eq(room, 16u);
            psy_ring_commit(&e.producer, 16);
            psy_ring_flush(&e.producer);
            cr_assert_null(psy_frame_next(&e.consumer, &got));
            cr_assert_not(psy_ring_broken(&e.consumer), "each call ends");
        } else {
            cr_assert(psy_ring_broken(&e.consumer), "lie %d", lie);
        }
        free(e.memory);
    }
}

/* Everything in the ring's memory scribbled over, again and again: no access leaves it (the sanitizers look), every call ends.
 */
Test(frame, scribbled_over)
{
    for (int kind = PSY_RING_SPSC; kind <= PSY_RING_MPMC; kind++) {
        uint64_t seed = 77 + (uint64_t)kind;
        for (int round = 0; round < 400; round++) {
            ends e = open_ends((psy_ring_kind)kind, 8u << random_next(&seed) % 3, 16);
            uint64_t words = e.bytes / 8, sum = 0;
            for (int step = 0; step < 60; step++) {
                uint32_t got;
                const uint8_t *message = psy_frame_next(&e.consumer, &got);
                for (uint32_t i = 0; message && i < got; i++) {
                    sum += message[i];
                }
                if (random_next(&seed) % 2) {
                    psy_frame_release(&e.consumer);
                }
                uint32_t bytes = (uint32_t)(random_next(&seed) % 80);
                uint8_t *to = psy_frame_claim(&e.producer, bytes);
                if (to) {
                    memset(to, 7, bytes);
                    psy_frame_commit(&e.producer, bytes);
                }
                psy_frame_flush(&e.producer);
                for (uint64_t n = random_next(&seed) % 3; n > 0; n--) {
                    uint64_t at = random_next(&seed) % words, small = random_next(&seed) % 40;
                    ((uint64_t *)e.memory)[at] = random_next(&seed) % 2 ? small : small << 32 | random_next(&seed) % 300;
                }
            }
            cr_assert_neq(sum, UINT64_MAX);
            free(e.memory);
        }
    }
}

/* A frame in a run of its own: the ring is larger than what one state word can tell of. */
Test(frame, the_largest_rings)
{
    for (int kind = PSY_RING_SPSC; kind <= PSY_RING_MPMC; kind++) {
        ends e = open_ends((psy_ring_kind)kind, 8, 1u << 18);
        uint32_t most = psy_frame_max(&e.producer);
        cr_assert_leq(most, (PSY_RING_RUN_MAX - PSY_RING_BATCH) * 8u);
        for (uint64_t i = 0; i < 12; i++) {
            cr_assert(send(&e.producer, i, 8, 8));
            cr_assert(send(&e.producer, i, most, most));
            psy_frame_flush(&e.producer);
            expect_next(&e.consumer, i, 8);
            psy_frame_release(&e.consumer);
            expect_next(&e.consumer, i, most);
            psy_frame_release(&e.consumer);
            psy_frame_settle(&e.consumer);
        }
        free(e.memory);
    }
}

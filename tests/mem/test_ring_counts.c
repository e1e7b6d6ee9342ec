/* SPDX-License-Identifier: Apache-2.0 */
/* What rings count in their rows, and the ways of storing. */
#include <psyne/frame.h>

#include "tests/mem/pair.h"

/* A ring with a row for each side. */
typedef struct counted {
    psy_ring_shape shape;
    void *memory;
    psy_ring producer, consumer;
    psy_ring_counters sent, received;
} counted;

static void open_counted(counted *c, psy_ring_kind kind, uint32_t stride, uint32_t slots)
{
    psy_seat seats[2] = {psy_seat_bare(1), psy_seat_bare(2)};
    memset(c, 0, sizeof *c);
    c->shape = (psy_ring_shape){kind, stride, slots};
    uint64_t bytes = psy_ring_shape_bytes(&c->shape);
    c->memory = aligned_alloc(128, bytes);
    cr_assert_not_null(c->memory);
    cr_assert_eq(psy_ring_format(c->memory, bytes, &c->shape), PSY_OK);
    cr_assert_eq(psy_ring_join(&c->producer, PSY_RING_PRODUCER, c->memory, bytes, &c->shape, &seats[0]), PSY_OK);
    cr_assert_eq(psy_ring_join(&c->consumer, PSY_RING_CONSUMER, c->memory, bytes, &c->shape, &seats[1]), PSY_OK);
    psy_ring_set_counters(&c->producer, &c->sent);
    psy_ring_set_counters(&c->consumer, &c->received);
}

static uint64_t value(PSY_ATOMIC(uint64_t) * counter) { return atomic_load_explicit(counter, memory_order_relaxed); }

static void check_counts(psy_ring_kind kind)
{
    counted c;
    uint32_t got;
    open_counted(&c, kind, 16, 16);
    for (uint32_t i = 0; i < 5; i++) {
        cr_assert_not_null(psy_ring_claim(&c.producer, 3, &got));
        cr_assert_eq(got, 3u);
        psy_ring_commit(&c.producer, 3);
    }
    psy_ring_flush(&c.producer);
    cr_assert_eq(value(&c.sent.messages), 15u);
    cr_assert_eq(value(&c.sent.bytes), 15u * 16);
    cr_assert_eq(value(&c.sent.position), 15u);
    cr_assert_eq(value(&c.sent.stalls), 0u);
    for (uint32_t left = 15; left > 0; left -= got) {
        cr_assert_not_null(psy_ring_peek(&c.consumer, 16, &got));
        psy_ring_release(&c.consumer, got);
    }
    psy_ring_settle(&c.consumer);
    cr_assert_eq(value(&c.received.messages), 15u);
    cr_assert_eq(value(&c.received.bytes), 15u * 16);
    cr_assert_eq(value(&c.received.position), 15u, "fill is the difference of the positions");
    uint64_t high =
        value(&c.sent.high_water) > value(&c.received.high_water) ? value(&c.sent.high_water) : value(&c.received.high_water);
    cr_assert_eq(high, 15u, "%lu", (unsigned long)high);
    /* Empty, however often it is looked at: one stall. */
    for (uint32_t i = 0; i < 10; i++) {
        cr_assert_null(psy_ring_peek(&c.consumer, 1, &got));
    }
    cr_assert_eq(psy_ring_wait(&c.consumer, 1), PSY_TIMEOUT);
    cr_assert_eq(value(&c.received.stalls), 1u);
    /* Full. */
    while (psy_ring_claim(&c.producer, 16, &got)) {
        psy_ring_commit(&c.producer, got);
    }
    psy_ring_flush(&c.producer);
    cr_assert_eq(psy_ring_wait_room(&c.producer, 1), PSY_TIMEOUT);
    cr_assert_eq(value(&c.sent.stalls), 1u);
    cr_assert_eq(value(&c.sent.high_water), 16u);
    cr_assert_eq(value(&c.sent.messages), 31u);
    free(c.memory);
}

Test(ring_counts, one_producer_one_consumer) { check_counts(PSY_RING_SPSC); }
Test(ring_counts, many_producers) { check_counts(PSY_RING_MPSC); }
Test(ring_counts, many_consumers) { check_counts(PSY_RING_SPMC); }
Test(ring_counts, many_of_both) { check_counts(PSY_RING_MPMC); }

/* Padding is no message, and bytes are those of the payloads. */
Test(ring_counts, frames)
{
    for (psy_ring_kind kind = PSY_RING_SPSC; kind <= PSY_RING_MPMC; kind = (psy_ring_kind)(kind + 1)) {
        counted c;
        open_counted(&c, kind, 16, 64);
        uint64_t bytes = 0;
        for (uint32_t i = 0; i < 1000; i++) {
            uint32_t size = i * 37 % 300, read;
            uint8_t *payload = psy_frame_claim(&c.producer, size);
            cr_assert_not_null(payload);
            memset(payload, (int)i, size);
            psy_frame_commit(&c.producer, size);
            psy_frame_flush(&c.producer);
            bytes += size;
            cr_assert_not_null(psy_frame_peek(&c.consumer, &read));
            cr_assert_not_null(psy_frame_peek(&c.consumer, &read), "again, which is not counted again");
            cr_assert_eq(read, size);
            psy_frame_release(&c.consumer);
            psy_frame_settle(&c.consumer);
        }
        cr_assert_eq(value(&c.sent.messages), 1000u);
        cr_assert_eq(value(&c.sent.bytes), bytes);
        cr_assert_eq(value(&c.received.messages), 1000u);
        cr_assert_eq(value(&c.received.bytes), bytes);
        free(c.memory);
    }
}

/* Whatever the way of storing, what is stored arrives. */
Test(ring_counts, stores_of_each_way_arrive)
{
    for (psy_store store = PSY_STORE_PLAIN; store <= PSY_STORE_AUTO; store = (psy_store)(store + 1)) {
        counted c;
        bool streamed = false, plain = false;
        open_counted(&c, PSY_RING_SPSC, 128, 64);
        psy_ring_set_store(&c.producer, store);
        for (uint64_t i = 0; i < 40000; i++) {
            uint32_t got;
            uint64_t message[16];
            for (uint32_t w = 0; w < 16; w++) {
                message[w] = i * 16 + w;
            }
            void *slot = psy_ring_claim(&c.producer, 1, &got);
            cr_assert_not_null(slot);
            psy_ring_store(&c.producer, slot, message, sizeof message);
            streamed = streamed || c.producer.streamed;
            plain = plain || !c.producer.streamed;
            psy_ring_commit(&c.producer, 1);
            psy_ring_flush(&c.producer);
            cr_assert_not(c.producer.streamed, "a fence follows before it is shown");
            const void *there = psy_ring_peek(&c.consumer, 1, &got);
            cr_assert_not_null(there);
            cr_assert_eq(memcmp(there, message, sizeof message), 0);
            psy_ring_release(&c.consumer, 1);
        }
#if defined(__SSE2__)
        cr_assert_eq(streamed, store != PSY_STORE_PLAIN);
        cr_assert_eq(plain, store != PSY_STORE_STREAM, "both are tried");
#endif
        free(c.memory);
    }
    /* Messages that are no whole lines are stored plainly. */
    counted c;
    open_counted(&c, PSY_RING_SPSC, 40, 64);
    psy_ring_set_store(&c.producer, PSY_STORE_STREAM);
    cr_assert_not(psy_ring_streams(&c.producer));
    free(c.memory);
}

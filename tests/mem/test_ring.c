/* SPDX-License-Identifier: Apache-2.0 */
/* Rings: boundaries, deferred publishing, wake-ups, and peers that lie. */
#include "base/clock.h"
#include "tests/mem/pair.h"

static const uint64_t second_ns = 1000000000;

Test(ring, geometry)
{
    cr_assert_eq(psy_ring_bytes(8, 1), 640u + 128u);
    cr_assert_eq(psy_ring_bytes(64, 16), 640u + 1024u);
    cr_assert_eq(psy_ring_bytes(0, 16), 0u);
    cr_assert_eq(psy_ring_bytes(12, 16), 0u);
    cr_assert_eq(psy_ring_bytes(64, 0), 0u);
    cr_assert_eq(psy_ring_bytes(64, 12), 0u);
    cr_assert_eq(psy_ring_bytes(UINT32_C(1) << 31, 2), 0u);
    cr_assert_eq(psy_ring_bytes(64, UINT32_C(1) << 25), 0u);
    uint64_t largest = psy_ring_bytes((UINT32_C(1) << 31) - 8, UINT32_C(1) << 24);
    cr_assert_geq(largest, ((UINT64_C(1) << 31) - 8) << 24, "sizes do not overflow");
}

Test(ring, full_and_empty)
{
    for (uint32_t slots = 1; slots <= 64; slots *= 2) {
        pair p = make(8, slots);
        for (uint64_t lap = 0; lap < 5; lap++) {
            cr_assert(is_empty(&p.consumer));
            for (uint64_t i = 0; i < slots; i++) {
                cr_assert_not(is_full(&p.producer));
                push(&p.producer, lap * 1000 + i);
            }
            cr_assert(is_full(&p.producer));
            psy_ring_flush(&p.producer);
            cr_assert_eq(psy_ring_fill(&p.producer), slots);
            for (uint64_t i = 0; i < slots; i++) {
                cr_assert_eq(pop(&p.consumer), lap * 1000 + i);
            }
            cr_assert(is_empty(&p.consumer));
            psy_ring_settle(&p.consumer);
            cr_assert_eq(psy_ring_fill(&p.consumer), 0u);
        }
        cr_assert_geq(p.producer.stalls, 5u);
        cr_assert_geq(p.consumer.stalls, 5u);
        free(p.memory);
    }
}

Test(ring, batches_are_cut_at_the_wrap)
{
    pair p = make(16, 8);
    uint32_t got;
    uint8_t *first = psy_ring_claim(&p.producer, 100, &got);
    cr_assert_eq(got, 8u);
    cr_assert_eq(first, (uint8_t *)p.memory + PSY_RING_HEADER_BYTES);
    psy_ring_commit(&p.producer, 5);
    psy_ring_flush(&p.producer);
    cr_assert_eq(psy_ring_peek(&p.consumer, 100, &got), (void *)first);
    cr_assert_eq(got, 5u);
    psy_ring_release(&p.consumer, 5);
    psy_ring_settle(&p.consumer);
    cr_assert_eq(psy_ring_claim(&p.producer, 6, &got), (void *)(first + (size_t)5 * 16));
    cr_assert_eq(got, 3u, "5, 6 and 7 lie together, then the ring begins again");
    psy_ring_commit(&p.producer, 3);
    cr_assert_eq(psy_ring_claim(&p.producer, 6, &got), (void *)first);
    cr_assert_eq(got, 5u);
    psy_ring_commit(&p.producer, 2);
    psy_ring_flush(&p.producer);
    cr_assert_eq(psy_ring_peek(&p.consumer, 8, &got), (void *)(first + (size_t)5 * 16));
    cr_assert_eq(got, 3u);
    psy_ring_release(&p.consumer, 3);
    cr_assert_eq(psy_ring_peek(&p.consumer, 8, &got), (void *)first);
    cr_assert_eq(got, 2u);
    free(p.memory);
}

Test(ring, claims_can_be_partial_repeated_and_aborted)
{
    pair p = make(8, 16);
    uint32_t got;
    uint64_t *a = psy_ring_claim(&p.producer, 4, &got);
    cr_assert_eq(got, 4u);
    a[0] = 1;
    a[1] = 2;
    a[2] = 3;
    psy_ring_abort(&p.producer);
    psy_ring_flush(&p.producer);
    cr_assert(is_empty(&p.consumer), "an aborted claim is never seen");
    cr_assert_eq(psy_ring_claim(&p.producer, 2, &got), (void *)a);
    psy_ring_commit(&p.producer, 1); /* of two */
    psy_ring_flush(&p.producer);
    cr_assert_eq(pop(&p.consumer), 1u);
    cr_assert(is_empty(&p.consumer));
    push(&p.producer, 9);
    psy_ring_flush(&p.producer);
    uint64_t *peeked = psy_ring_peek(&p.consumer, 4, &got);
    cr_assert_eq(got, 1u);
    cr_assert_eq(psy_ring_peek(&p.consumer, 4, &got), (void *)peeked, "what was not released comes again");
    cr_assert_eq(pop(&p.consumer), 9u);
    free(p.memory);
}

Test(ring, publishing_is_deferred_until_a_batch_or_a_flush)
{
    pair p = make(8, 32); /* held back: a quarter of the ring */
    for (uint64_t i = 0; i < 7; i++) {
        push(&p.producer, i);
        cr_assert(is_empty(&p.consumer), "slot %u is held back", (unsigned)i);
    }
    psy_ring_flush(&p.producer);
    for (uint64_t i = 0; i < 7; i++) {
        cr_assert_eq(pop(&p.consumer), i);
    }
    for (uint64_t i = 0; i < 8; i++) {
        push(&p.producer, 100 + i);
    }
    cr_assert_not(is_empty(&p.consumer), "a quarter of the ring is published without a flush");
    free(p.memory);

    pair small = make(8, 1024);
    for (uint64_t i = 0; i < 63; i++) {
        push(&small.producer, i);
    }
    cr_assert(is_empty(&small.consumer));
    push(&small.producer, 63);
    cr_assert_not(is_empty(&small.consumer), "512 bytes are published without a flush");
    free(small.memory);

    pair q = make(128, 1024);
    for (uint64_t i = 0; i < PSY_RING_BATCH - 1; i++) {
        push(&q.producer, i);
    }
    cr_assert(is_empty(&q.consumer));
    push(&q.producer, PSY_RING_BATCH - 1);
    cr_assert_not(is_empty(&q.consumer), "a batch is published without a flush");
    free(q.memory);
}

/* Neither side ever flushes or settles: as long as both go on, nothing gets stuck. */
Test(ring, progress_without_flush_or_settle)
{
    for (uint32_t slots = 1; slots <= 256; slots *= 4) {
        pair p = make(8, slots);
        uint64_t in = 0, out = 0;
        for (uint32_t round = 0; round < 100000 && out < 10000; round++) {
            while (!is_full(&p.producer)) {
                push(&p.producer, in++);
            }
            while (!is_empty(&p.consumer)) {
                cr_assert_eq(pop(&p.consumer), out);
                out++;
            }
        }
        cr_assert_geq(out, 10000u);
        free(p.memory);
    }
}

Test(ring, sleepers_are_seen_once)
{
    pair p = make(8, 8);
    cr_assert_not(psy_ring_take_wake(&p.producer), "nobody sleeps");
    cr_assert(psy_ring_sleep_begin(&p.consumer));
    cr_assert(psy_ring_take_wake(&p.producer));
    cr_assert_not(psy_ring_take_wake(&p.producer), "one wake is enough");
    psy_ring_sleep_end(&p.consumer);
    push(&p.producer, 1);
    psy_ring_flush(&p.producer);
    cr_assert_not(psy_ring_sleep_begin(&p.consumer), "there is something: no sleep");
    psy_ring_sleep_end(&p.consumer);
    cr_assert_not(psy_ring_take_wake(&p.producer));
    while (!is_full(&p.producer)) {
        push(&p.producer, 2);
    }
    cr_assert(psy_ring_room_begin(&p.producer));
    cr_assert(psy_ring_take_room_wake(&p.consumer));
    cr_assert_not(psy_ring_take_room_wake(&p.consumer));
    psy_ring_room_end(&p.producer);
    cr_assert_eq(psy_ring_fill(&p.producer), 8u, "room_begin flushed");
    (void)pop(&p.consumer);
    psy_ring_settle(&p.consumer);
    cr_assert_not(psy_ring_room_begin(&p.producer), "there is room: no sleep");
    psy_ring_room_end(&p.producer);
    cr_assert_not(psy_ring_take_room_wake(&p.consumer));
    free(p.memory);
}

Test(ring, waits_time_out)
{
    pair p = make(8, 4);
    uint64_t start = psy__now_ns();
    cr_assert_eq(psy_ring_wait(&p.consumer, 20000000), PSY_TIMEOUT);
    cr_assert_geq(psy__now_ns() - start, 20000000u);
    cr_assert_not(psy_ring_take_wake(&p.producer), "who gave up does not sleep any more");
    while (!is_full(&p.producer)) {
        push(&p.producer, 0);
    }
    cr_assert_eq(psy_ring_wait_room(&p.producer, 5000000), PSY_TIMEOUT);
    cr_assert_eq(psy_ring_wait(&p.consumer, 0), PSY_OK, "what is there needs no wait");
    (void)pop(&p.consumer);
    psy_ring_settle(&p.consumer);
    cr_assert_eq(psy_ring_wait_room(&p.producer, 0), PSY_OK);
    free(p.memory);
}

/* ---- taking over, and lies ---- */

Test(ring, a_new_process_goes_on_where_the_dead_one_had_shown_to_be)
{
    pair p = make(8, 16);
    push(&p.producer, 1);
    psy_ring_flush(&p.producer);
    uint32_t got;
    uint64_t *lost = psy_ring_claim(&p.producer, 1, &got);
    *lost = 666;
    psy_ring_commit(&p.producer, 1); /* not shown: the process dies here */
    psy_ring heir;
    cr_assert_eq(psy_ring_attach(&heir, PSY_RING_PRODUCER, p.memory, p.bytes, 8, 16), PSY_OK);
    push(&heir, 2);
    psy_ring_flush(&heir);
    cr_assert_eq(pop(&p.consumer), 1u);
    cr_assert_eq(pop(&p.consumer), 2u);
    cr_assert(is_empty(&p.consumer));
    psy_ring_settle(&p.consumer);
    push(&heir, 3);
    push(&heir, 4);
    psy_ring_flush(&heir);
    cr_assert_eq(pop(&p.consumer), 3u); /* not settled: seen again */
    psy_ring reader;
    cr_assert_eq(psy_ring_attach(&reader, PSY_RING_CONSUMER, p.memory, p.bytes, 8, 16), PSY_OK);
    cr_assert_eq(pop(&reader), 3u);
    cr_assert_eq(pop(&reader), 4u);
    free(p.memory);
}

Test(ring, attach_refuses_what_was_not_agreed)
{
    pair p = make(64, 16);
    psy_ring r;
    psy_ring_header *h = p.memory;
    cr_assert_eq(psy_ring_attach(&r, PSY_RING_CONSUMER, p.memory, p.bytes, 128, 8), PSY_CORRUPT);
    cr_assert_not_null(strstr(psy_detail(), "16 slots of 64"), "%s", psy_detail());
    cr_assert_eq(psy_ring_attach(&r, PSY_RING_CONSUMER, p.memory, p.bytes, 64, 8), PSY_CORRUPT);
    cr_assert_eq(psy_ring_attach(&r, PSY_RING_CONSUMER, p.memory, p.bytes - 1, 64, 16), PSY_INVALID);
    cr_assert_eq(psy_ring_attach(&r, PSY_RING_CONSUMER, p.memory, p.bytes, 64, 15), PSY_INVALID);
    cr_assert_eq(psy_ring_attach(&r, PSY_RING_CONSUMER, p.memory, p.bytes, 60, 16), PSY_INVALID);
    cr_assert_eq(psy_ring_attach(&r, PSY_RING_CONSUMER, (uint8_t *)p.memory + 8, p.bytes, 64, 16), PSY_INVALID);
    cr_assert_eq(psy_ring_attach(&r, PSY_RING_CONSUMER, NULL, p.bytes, 64, 16), PSY_INVALID);
    cr_assert_eq(psy_ring_init(&r, p.memory, 100, 64, 16), PSY_INVALID);
    h->abi = 9;
    cr_assert_eq(psy_ring_attach(&r, PSY_RING_CONSUMER, p.memory, p.bytes, 64, 16), PSY_VERSION);
    cr_assert(strstr(psy_detail(), "9") && strstr(psy_detail(), "2"), "both versions are named: %s", psy_detail());
    h->abi = PSY_RING_ABI;
    h->magic ^= 1;
    cr_assert_eq(psy_ring_attach(&r, PSY_RING_CONSUMER, p.memory, p.bytes, 64, 16), PSY_CORRUPT);
    h->magic ^= 1;
    atomic_store(&h->published, 17);
    cr_assert_eq(psy_ring_attach(&r, PSY_RING_CONSUMER, p.memory, p.bytes, 64, 16), PSY_CORRUPT);
    atomic_store(&h->published, 3);
    atomic_store(&h->released, 4);
    cr_assert_eq(psy_ring_attach(&r, PSY_RING_PRODUCER, p.memory, p.bytes, 64, 16), PSY_CORRUPT);
    atomic_store(&h->released, 3);
    cr_assert_eq(psy_ring_attach(&r, PSY_RING_PRODUCER, p.memory, p.bytes, 64, 16), PSY_OK);
    free(p.memory);
}

Test(ring, a_lying_producer_breaks_the_ring_and_nothing_else)
{
    const uint64_t lies[] = {17, 1000, UINT64_MAX, UINT64_C(1) << 63, 3}; /* too far; or back, from 4 */
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        pair p = make(8, 16);
        for (uint64_t k = 0; k < 4; k++) {
            push(&p.producer, k);
        }
        psy_ring_flush(&p.producer);
        cr_assert_eq(pop(&p.consumer), 0u);
        atomic_store(&p.producer.header->published, lies[i]);
        uint32_t got;
        cr_assert_null(psy_ring_peek(&p.consumer, 16, &got));
        cr_assert_eq(got, 0u);
        cr_assert(psy_ring_broken(&p.consumer));
        atomic_store(&p.producer.header->published, 4);
        cr_assert_null(psy_ring_peek(&p.consumer, 1, &got), "broken stays broken, also for what was there before");
        cr_assert_eq(psy_ring_wait(&p.consumer, second_ns), PSY_CORRUPT);
        free(p.memory);
    }
}

Test(ring, a_lying_consumer_breaks_the_ring_and_nothing_else)
{
    const uint64_t lies[] = {5, 1000, UINT64_MAX, UINT64_C(1) << 63, 1}; /* more than was made; or back, from 2 */
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        pair p = make(8, 16);
        for (uint64_t k = 0; k < 4; k++) {
            push(&p.producer, k);
        }
        psy_ring_flush(&p.producer);
        (void)pop(&p.consumer);
        (void)pop(&p.consumer);
        psy_ring_settle(&p.consumer);
        uint32_t got;
        cr_assert_not_null(psy_ring_claim(&p.producer, 14, &got)); /* looks: 2 are released */
        atomic_store(&p.consumer.header->released, lies[i]);
        cr_assert_null(psy_ring_claim(&p.producer, 16, &got));
        cr_assert_eq(got, 0u);
        cr_assert(psy_ring_broken(&p.producer));
        atomic_store(&p.consumer.header->released, 2);
        cr_assert_null(psy_ring_claim(&p.producer, 1, &got), "broken stays broken, also for room that was there before");
        cr_assert_eq(psy_ring_wait_room(&p.producer, second_ns), PSY_CORRUPT);
        free(p.memory);
    }
}

Test(ring, shared_words_of_any_value_give_no_access_outside)
{
    uint64_t seed = 7, given = 0;
    for (uint32_t run = 0; run < 3000; run++) {
        pair p = make(24, 8);
        uint8_t *from = (uint8_t *)p.memory + PSY_RING_HEADER_BYTES, *to = from + (size_t)24 * 8;
        for (uint32_t step = 0; step < 60; step++) {
            uint32_t got, want = 1 + (uint32_t)random_next(&seed) % 12;
            uint8_t *at = step % 2 ? psy_ring_claim(&p.producer, want, &got) : psy_ring_peek(&p.consumer, want, &got);
            if (at) {
                cr_assert(at >= from && got >= 1 && got <= want && at + (size_t)got * 24 <= to);
                memset(at, 1, (size_t)got * 24);
                if (step % 2) {
                    psy_ring_commit(&p.producer, got);
                } else {
                    psy_ring_release(&p.consumer, got);
                }
                given++;
            }
            if (random_next(&seed) % 8 == 0) {
                uint64_t small = random_next(&seed) % 40, any = random_next(&seed) << 31 ^ random_next(&seed);
                atomic_store(random_next(&seed) % 2 ? &p.producer.header->published : &p.producer.header->released,
                             random_next(&seed) % 3 ? small : any);
            }
            if (random_next(&seed) % 16 == 0) {
                memset(p.memory, (int)random_next(&seed), 16); /* geometry in shared memory is never looked at again */
            }
            cr_assert_leq(psy_ring_fill(&p.consumer), 8u);
        }
        free(p.memory);
    }
    cr_assert_gt(given, 10000u);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Rings of every kind between threads: each message once, whole, in its producer's order, and nobody left asleep. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "tests/mem/pair.h"

enum { SIDES = 4 };
static const uint64_t second_ns = 1000000000;

/* A message: who sent it, which of his it is, and that number again in all other words. */
typedef struct crowd {
    psy_ring_shape shape;
    void *memory;
    uint64_t bytes, messages; /* of each producer */
    uint32_t producers, consumers, batch;
    uint64_t seed;
    _Atomic uint64_t received;
    _Atomic uint8_t *seen; /* producers x messages */
    _Atomic(const char *) complaint;
} crowd;

typedef struct member {
    crowd *c;
    uint32_t number;
} member;

static void complain(crowd *c, const char *what)
{
    const char *none = NULL;
    (void)atomic_compare_exchange_strong(&c->complaint, &none, what);
}

static void join(psy_ring *ring, crowd *c, psy_ring_side side, uint32_t number)
{
    psy_seat seat = psy_seat_bare(side == PSY_RING_PRODUCER ? 1 + number : 101 + number);
    if (psy_ring_join(ring, side, c->memory, c->bytes, &c->shape, &seat) != PSY_OK) {
        complain(c, "a side cannot join");
    }
}

static void *produce(void *argument)
{
    member *m = argument;
    crowd *c = m->c;
    psy_ring ring;
    uint64_t seed = c->seed + m->number, words = c->shape.stride / 8;
    join(&ring, c, PSY_RING_PRODUCER, m->number);
    for (uint64_t next = 0; next < c->messages && !c->complaint;) {
        psy_ring_span spans[2];
        uint32_t want = 1 + (uint32_t)random_next(&seed) % c->batch;
        want = c->messages - next < want ? (uint32_t)(c->messages - next) : want;
        uint32_t got = psy_ring_claim_spans(&ring, want, spans);
        if (got == 0) {
            if (psy_ring_wait_room(&ring, 20 * second_ns) != PSY_OK) {
                complain(c, "a producer was never woken");
            }
            continue;
        }
        if (got > want || spans[0].count + spans[1].count != got) {
            complain(c, "more was claimed than wanted");
        }
        uint32_t use = random_next(&seed) % 8 == 0 ? (uint32_t)(random_next(&seed) % (got + 1)) : got;
        for (uint32_t i = 0; i < use; i++) {
            uint64_t *slot = i < spans[0].count ? (uint64_t *)spans[0].at + i * words
                                                : (uint64_t *)spans[1].at + (i - spans[0].count) * words;
            slot[0] = (uint64_t)m->number << 32 | (next + i);
            for (uint64_t w = 1; w < words; w++) {
                slot[w] = slot[0];
            }
        }
        if (use) {
            psy_ring_commit(&ring, use);
        } else {
            psy_ring_abort(&ring);
        }
        next += use;
        if (random_next(&seed) % 4 == 0) {
            psy_ring_flush(&ring);
            psy_ring_wake_consumer(&ring);
        }
    }
    psy_ring_leave(&ring);
    return NULL;
}

static void *consume(void *argument)
{
    member *m = argument;
    crowd *c = m->c;
    psy_ring ring;
    uint64_t seed = c->seed + 100 + m->number, words = c->shape.stride / 8, total = c->messages * c->producers;
    uint64_t last[SIDES] = {0};
    join(&ring, c, PSY_RING_CONSUMER, m->number);
    while (c->received < total && !c->complaint) {
        uint32_t got, want = 1 + (uint32_t)random_next(&seed) % c->batch;
        const uint64_t *slots = psy_ring_peek(&ring, want, &got);
        if (!slots) {
            psy_status status = psy_ring_wait(&ring, c->consumers > 1 ? second_ns / 50 : 20 * second_ns);
            if (status != PSY_OK && !(status == PSY_TIMEOUT && c->consumers > 1)) {
                complain(c, "a consumer was never woken");
            }
            continue;
        }
        for (uint32_t i = 0; i < got; i++) {
            const uint64_t *slot = slots + i * words;
            uint64_t head = slot[0], from = head >> 32, number = head & UINT32_MAX;
            for (uint64_t w = 1; w < words; w++) {
                if (slot[w] != head) {
                    complain(c, "a message is torn");
                }
            }
            if (from >= c->producers || number >= c->messages) {
                complain(c, "no such message");
                return NULL;
            }
            if (c->seen[from * c->messages + number]++) {
                complain(c, "a message came twice");
            }
            if (number + 1 <= last[from]) {
                complain(c, "a producer's messages came out of order");
            }
            last[from] = number + 1;
        }
        psy_ring_release(&ring, got);
        c->received += got;
        if (random_next(&seed) % 4 == 0) {
            psy_ring_settle(&ring);
            psy_ring_wake_producer(&ring);
        }
    }
    psy_ring_leave(&ring);
    return NULL;
}

static void run(psy_ring_kind kind, uint32_t stride, uint32_t slots, uint32_t batch, uint64_t messages)
{
    crowd c = {.shape = {kind, stride, slots},
               .messages = messages,
               .batch = batch,
               .producers = kind & PSY_RING_MPSC ? 3 : 1,
               .consumers = kind & PSY_RING_SPMC ? 3 : 1,
               .seed = slots * 7 + batch};
    pthread_t threads[2 * SIDES];
    member members[2 * SIDES];
    c.bytes = psy_ring_shape_bytes(&c.shape);
    c.memory = aligned_alloc(128, c.bytes);
    c.seen = calloc(c.producers * messages, 1);
    cr_assert(c.memory && c.seen);
    memset(c.memory, 0xa5, c.bytes);
    cr_assert_eq(psy_ring_format(c.memory, c.bytes, &c.shape), PSY_OK);
    for (uint32_t i = 0; i < c.producers + c.consumers; i++) {
        bool producer = i < c.producers;
        members[i] = (member){&c, producer ? i : i - c.producers};
        cr_assert_eq(pthread_create(&threads[i], NULL, producer ? produce : consume, &members[i]), 0);
    }
    for (uint32_t i = 0; i < c.producers + c.consumers; i++) {
        pthread_join(threads[i], NULL);
    }
    cr_assert_null((const char *)c.complaint, "%s", (const char *)c.complaint);
    cr_assert_eq(c.received, messages * c.producers);
    free(c.memory);
    free((void *)c.seen);
}

static void run_all(psy_ring_kind kind)
{
    run(kind, 8, 1024, 40, 200000);
    run(kind, 64, 256, 1, 50000);
    run(kind, 24, 64, 100, 50000);
    run(kind, 8, 4, 3, 20000);
    run(kind, 16, 2, 1, 5000);
    run(kind, 8, 1, 1, 1000);
}

Test(ring_kinds, one_producer_one_consumer) { run_all(PSY_RING_SPSC); }
Test(ring_kinds, many_producers_one_consumer) { run_all(PSY_RING_MPSC); }
Test(ring_kinds, one_producer_many_consumers) { run_all(PSY_RING_SPMC); }
Test(ring_kinds, many_producers_many_consumers) { run_all(PSY_RING_MPMC); }

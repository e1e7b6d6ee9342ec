/* SPDX-License-Identifier: Apache-2.0 */
/* Rings: boundaries, deferred publishing, wake-ups between threads and processes, and peers that lie. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <psyne/ring.h>
#include <psyne/slab.h>

#include "base/clock.h"
#include "tests/test.h"

static const uint64_t second_ns = 1000000000;

typedef struct pair {
    void *memory;
    uint64_t bytes;
    psy_ring producer, consumer;
} pair;

static pair make(uint32_t stride, uint32_t slots)
{
    pair p = {.bytes = psy_ring_bytes(stride, slots)};
    cr_assert_neq(p.bytes, 0u);
    p.memory = aligned_alloc(128, p.bytes);
    cr_assert_not_null(p.memory);
    memset(p.memory, 0xa5, p.bytes);
    cr_assert_eq(psy_ring_init(&p.producer, p.memory, p.bytes, stride, slots), PSY_OK);
    cr_assert_eq(psy_ring_attach(&p.consumer, PSY_RING_CONSUMER, p.memory, p.bytes, stride, slots), PSY_OK);
    return p;
}

static void push(psy_ring *ring, uint64_t value)
{
    uint32_t got = 77;
    uint64_t *slot = psy_ring_claim(ring, 1, &got);
    cr_assert_not_null(slot);
    cr_assert_eq(got, 1u);
    *slot = value;
    psy_ring_commit(ring, 1);
}

static uint64_t pop(psy_ring *ring)
{
    uint32_t got = 77;
    uint64_t *slot = psy_ring_peek(ring, 1, &got);
    cr_assert_not_null(slot);
    cr_assert_eq(got, 1u);
    uint64_t value = *slot;
    psy_ring_release(ring, 1);
    return value;
}

static bool is_full(psy_ring *ring)
{
    uint32_t got = 77;
    bool none = psy_ring_claim(ring, 1, &got) == NULL;
    cr_assert_eq(got, none ? 0u : 1u);
    return none;
}

static bool is_empty(psy_ring *ring)
{
    uint32_t got = 77;
    bool none = psy_ring_peek(ring, 1, &got) == NULL;
    cr_assert_eq(got, none ? 0u : 1u);
    return none;
}

Test(ring, geometry)
{
    cr_assert_eq(psy_ring_bytes(8, 1), 512u + 128u);
    cr_assert_eq(psy_ring_bytes(64, 16), 512u + 1024u);
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

Test(ring, publishing_is_deferred_until_a_line_or_a_flush)
{
    pair p = make(8, 64); /* eight slots to a line */
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
    cr_assert_not(is_empty(&p.consumer), "a full line is published without a flush");
    free(p.memory);

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

/* ---- two sides at once ---- */

static uint64_t random_next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* Word `w` of message `i`. */
static uint64_t content(uint64_t i, uint32_t w) { return (i + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ w; }

typedef struct flow {
    psy_ring *ring;
    uint64_t messages;
    uint32_t naps; /* one pause in so many batches; 0: none */
    uint64_t at;
    const char *complaint;
} flow;

static void nap(uint64_t *seed, uint32_t naps)
{
    if (naps && random_next(seed) % naps == 0) {
        usleep((useconds_t)(random_next(seed) % 150));
    }
}

static void *produce(void *argument)
{
    flow *f = argument;
    uint64_t seed = 1;
    uint32_t words = f->ring->stride / 8;
    for (f->at = 0; f->at < f->messages;) {
        uint32_t got, want = 1 + (uint32_t)random_next(&seed) % 40;
        uint64_t *slots = psy_ring_claim(f->ring, want, &got);
        if (!slots) {
            if (psy_ring_wait_room(f->ring, 10 * second_ns) != PSY_OK) {
                f->complaint = "the producer was never woken";
                return NULL;
            }
            continue;
        }
        got = f->messages - f->at < got ? (uint32_t)(f->messages - f->at) : got;
        for (uint32_t i = 0; i < got; i++) {
            for (uint32_t w = 0; w < words; w++) {
                slots[(size_t)i * words + w] = content(f->at + i, w);
            }
        }
        psy_ring_commit(f->ring, got);
        f->at += got;
        if (random_next(&seed) % 4 == 0) {
            psy_ring_flush(f->ring);
            psy_ring_wake_consumer(f->ring);
            nap(&seed, f->naps);
        }
    }
    psy_ring_flush(f->ring);
    psy_ring_wake_consumer(f->ring);
    return NULL;
}

static void *consume(void *argument)
{
    flow *f = argument;
    uint64_t seed = 2;
    uint32_t words = f->ring->stride / 8;
    for (f->at = 0; f->at < f->messages;) {
        uint32_t got, want = 1 + (uint32_t)random_next(&seed) % 40;
        const uint64_t *slots = psy_ring_peek(f->ring, want, &got);
        if (!slots) {
            if (psy_ring_wait(f->ring, 10 * second_ns) != PSY_OK) {
                f->complaint = "the consumer was never woken";
                return NULL;
            }
            continue;
        }
        for (uint32_t i = 0; i < got; i++) {
            for (uint32_t w = 0; w < words; w++) {
                if (slots[(size_t)i * words + w] != content(f->at + i, w)) {
                    f->complaint = "a message is lost, doubled or torn";
                    return NULL;
                }
            }
        }
        psy_ring_release(f->ring, got);
        f->at += got;
        if (random_next(&seed) % 4 == 0) {
            psy_ring_settle(f->ring);
            psy_ring_wake_producer(f->ring);
            nap(&seed, f->naps);
        }
    }
    psy_ring_settle(f->ring);
    psy_ring_wake_producer(f->ring);
    return NULL;
}

static void exchange(uint32_t stride, uint32_t slots, uint64_t messages, uint32_t naps)
{
    pair p = make(stride, slots);
    flow out = {.ring = &p.producer, .messages = messages, .naps = naps};
    flow in = {.ring = &p.consumer, .messages = messages, .naps = naps ? naps + 1 : 0};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, produce, &out), 0);
    consume(&in);
    pthread_join(thread, NULL);
    cr_assert_null(out.complaint, "%s at %lu", out.complaint ? out.complaint : "", (unsigned long)out.at);
    cr_assert_null(in.complaint, "%s at %lu", in.complaint ? in.complaint : "", (unsigned long)in.at);
    cr_assert_eq(in.at, messages);
    cr_assert_eq(psy_ring_fill(&p.consumer), 0u);
    free(p.memory);
}

Test(ring, two_threads_small_messages) { exchange(8, 1024, 2000000, 0); }
Test(ring, two_threads_lines) { exchange(64, 256, 500000, 0); }
Test(ring, two_threads_tiny_ring) { exchange(16, 2, 20000, 0); }
Test(ring, two_threads_one_slot) { exchange(8, 1, 5000, 0); }
Test(ring, two_threads_that_sleep) { exchange(24, 64, 60000, 8); }

/* The moment that matters, again and again: one side says that it sleeps while the other publishes. Either the first sees the
 * message or the second sees the sleeper; neither may miss the other. */
enum { MOMENTS = 100000 };
typedef struct moment {
    psy_ring *producer;
    _Atomic uint32_t go, done;
    _Atomic bool woke;
} moment;

static void spin_until(_Atomic uint32_t *word, uint32_t value)
{
    for (uint32_t i = 0; atomic_load_explicit(word, memory_order_acquire) != value; i++) {
        if (i % 1024 == 1023) {
            sched_yield();
        } else {
            psy__relax();
        }
    }
}

static void *publish_moments(void *argument)
{
    moment *m = argument;
    for (uint32_t i = 1; i <= MOMENTS; i++) {
        uint32_t got;
        uint64_t *slot = psy_ring_claim(m->producer, 1, &got);
        *slot = i;
        psy_ring_commit(m->producer, 1);
        spin_until(&m->go, i);
        psy_ring_flush(m->producer);
        atomic_store_explicit(&m->woke, psy_ring_take_wake(m->producer), memory_order_relaxed);
        atomic_store_explicit(&m->done, i, memory_order_release);
    }
    return NULL;
}

Test(ring, sleeper_and_publisher_never_miss_each_other)
{
    pair p = make(8, 64); /* one message is held back: nothing is published before the moment */
    moment m = {.producer = &p.producer};
    pthread_t thread;
    uint32_t missed = 0, asleep = 0;
    cr_assert_eq(pthread_create(&thread, NULL, publish_moments, &m), 0);
    for (uint32_t i = 1; i <= MOMENTS; i++) {
        atomic_store_explicit(&m.go, i, memory_order_release);
        for (uint32_t k = 0; k < i % 32; k++) {
            psy__relax();
        }
        bool empty = psy_ring_sleep_begin(&p.consumer);
        spin_until(&m.done, i);
        bool woke = atomic_load_explicit(&m.woke, memory_order_relaxed);
        missed += empty && !woke;
        asleep += empty;
        psy_ring_sleep_end(&p.consumer);
        uint32_t got;
        missed += psy_ring_peek(&p.consumer, 1, &got) == NULL;
        psy_ring_release(&p.consumer, 1);
        psy_ring_settle(&p.consumer);
    }
    pthread_join(thread, NULL);
    cr_assert_eq(missed, 0u, "%u of %u", missed, (unsigned)MOMENTS);
    cr_assert_gt(asleep, 0u);
    free(p.memory);
}

/* The producer never wakes anybody by itself: what wait_room shows, it must also say. */
static void *drain_asleep(void *argument)
{
    flow *f = argument;
    for (f->at = 0; f->at < f->messages;) {
        if (psy_ring_wait(f->ring, 6 * second_ns) != PSY_OK) {
            f->complaint = "the consumer slept beside a full ring";
            return NULL;
        }
        uint32_t got;
        while (psy_ring_peek(f->ring, 1, &got)) {
            psy_ring_release(f->ring, 1);
            f->at++;
        }
    }
    return NULL;
}

Test(ring, waiting_for_room_wakes_a_sleeping_consumer)
{
    pair p = make(8, 64);
    flow in = {.ring = &p.consumer, .messages = 64 * 50};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, drain_asleep, &in), 0);
    psy_status status = PSY_OK;
    for (uint64_t i = 0; i < in.messages && status == PSY_OK; i++) {
        uint32_t got;
        uint64_t *slot;
        while (!(slot = psy_ring_claim(&p.producer, 1, &got)) && status == PSY_OK) {
            usleep(200); /* the consumer is asleep by now */
            status = psy_ring_wait_room(&p.producer, 5 * second_ns);
        }
        if (slot) {
            *slot = i;
            psy_ring_commit(&p.producer, 1);
        }
    }
    psy_ring_flush(&p.producer);
    psy_ring_wake_consumer(&p.producer);
    pthread_join(thread, NULL);
    cr_assert_eq(status, PSY_OK, "both sides slept");
    cr_assert_null(in.complaint, "%s", in.complaint ? in.complaint : "");
    free(p.memory);
}

Test(ring, two_processes)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("forks");
    }
    enum { STRIDE = 64, SLOTS = 128, MESSAGES = 200000 };
    psy_slab *slab;
    psy_slab_options options = {.bytes = psy_ring_bytes(STRIDE, SLOTS)};
    cr_assert_eq(psy_slab_create(&options, &slab), PSY_OK);
    psy_ring ring;
    cr_assert_eq(psy_ring_init(&ring, psy_slab_data(slab), psy_slab_data_bytes(slab), STRIDE, SLOTS), PSY_OK);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        psy_slab *own;
        psy_ring producer;
        flow out = {.ring = &producer, .messages = MESSAGES, .naps = 64};
        bool ok = psy_slab_adopt(dup(psy_slab_fd(slab)), UINT64_MAX, &own) == PSY_OK &&
                  psy_ring_attach(&producer, PSY_RING_PRODUCER, psy_slab_data(own), psy_slab_data_bytes(own), STRIDE, SLOTS) ==
                      PSY_OK;
        if (ok) {
            produce(&out);
        }
        _exit(ok && !out.complaint ? 0 : 1);
    }
    flow in = {.ring = &ring, .messages = MESSAGES, .naps = 64};
    consume(&in);
    int status = -1;
    if (in.complaint) {
        kill(child, SIGKILL);
    }
    waitpid(child, &status, 0);
    cr_assert_null(in.complaint, "%s at %lu", in.complaint ? in.complaint : "", (unsigned long)in.at);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    psy_slab_destroy(slab);
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
    cr_assert(strstr(psy_detail(), "9") && strstr(psy_detail(), "1"), "both versions are named: %s", psy_detail());
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

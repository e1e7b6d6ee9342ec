/* SPDX-License-Identifier: Apache-2.0 */
/* Rings between threads and between processes: nothing lost, doubled or torn, and nobody left asleep. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <psyne/slab.h>

#include "base/clock.h"
#include "tests/mem/pair.h"

static const uint64_t second_ns = 1000000000;

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

Test(ring_flow, two_threads_small_messages) { exchange(8, 1024, 2000000, 0); }
Test(ring_flow, two_threads_lines) { exchange(64, 256, 500000, 0); }
Test(ring_flow, two_threads_tiny_ring) { exchange(16, 2, 20000, 0); }
Test(ring_flow, two_threads_one_slot) { exchange(8, 1, 5000, 0); }
Test(ring_flow, two_threads_that_sleep) { exchange(24, 64, 60000, 8); }

/* The moment that matters, again and again: one side says that it sleeps while the other publishes. Either the first sees the
 * message or the second sees the sleeper; neither may miss the other. */
enum { MOMENTS = 100000 };
typedef struct moment {
    psy_ring *producer;
    _Atomic uint32_t go, done;
    _Atomic bool woke;
} moment;

/* Until the word is `value`, or says that it is over. */
static bool spin_until(_Atomic uint32_t *word, uint32_t value)
{
    uint32_t now;
    for (uint32_t i = 0; (now = atomic_load_explicit(word, memory_order_acquire)) != value && now != UINT32_MAX; i++) {
        if (i % 1024 == 1023) {
            sched_yield();
        } else {
            psy__relax();
        }
    }
    return now == value;
}

static void *publish_moments(void *argument)
{
    moment *m = argument;
    for (uint32_t i = 1; i <= MOMENTS; i++) {
        uint32_t got;
        uint64_t *slot = psy_ring_claim(m->producer, 1, &got);
        *slot = i;
        psy_ring_commit(m->producer, 1);
        if (!spin_until(&m->go, i)) {
            break;
        }
        psy_ring_flush(m->producer);
        atomic_store_explicit(&m->woke, psy_ring_take_wake(m->producer), memory_order_relaxed);
        atomic_store_explicit(&m->done, i, memory_order_release);
    }
    return NULL;
}

Test(ring_flow, sleeper_and_publisher_never_miss_each_other)
{
    pair p = make(8, 64); /* one message is held back: nothing is published before the moment */
    moment m = {.producer = &p.producer};
    pthread_t thread;
    uint32_t missed = 0, asleep = 0;
    cr_assert_eq(pthread_create(&thread, NULL, publish_moments, &m), 0);
    uint64_t end_ns = psy__now_ns() + 3 * second_ns; /* on a busy machine a moment can take a time slice */
    for (uint32_t i = 1; i <= MOMENTS && psy__now_ns() < end_ns; i++) {
        atomic_store_explicit(&m.go, i, memory_order_release);
        for (uint32_t k = 0; k < i % 32; k++) {
            psy__relax();
        }
        bool empty = psy_ring_sleep_begin(&p.consumer);
        (void)spin_until(&m.done, i);
        bool woke = atomic_load_explicit(&m.woke, memory_order_relaxed);
        missed += empty && !woke;
        asleep += empty;
        psy_ring_sleep_end(&p.consumer);
        uint32_t got;
        missed += psy_ring_peek(&p.consumer, 1, &got) == NULL;
        psy_ring_release(&p.consumer, 1);
        psy_ring_settle(&p.consumer);
    }
    atomic_store_explicit(&m.go, UINT32_MAX, memory_order_release);
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

Test(ring_flow, waiting_for_room_wakes_a_sleeping_consumer)
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

Test(ring_flow, two_processes)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
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

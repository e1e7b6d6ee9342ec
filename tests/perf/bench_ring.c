/* SPDX-License-Identifier: Apache-2.0 */
/* Rings between two pinned threads: the producer writes the whole message, the consumer reads every byte.
 *
 *   ring/8B/one       8-byte messages, claimed and released one at a time
 *   ring/64B/batch32  64-byte messages, 32 at a time
 *   ring/64B/rtt      a 64-byte message there and back through two rings
 *
 * The peer is ck_ring (Concurrency Kit), where its header is installed; it moves one message per call and has no batches. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <psyne/ring.h>

#include "base/clock.h"
#include "tests/perf/bench.h"

#if defined(__has_include)
#if __has_include(<ck_ring.h>)
#define HAVE_CK_RING 1
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#include <ck_ring.h>
#pragma GCC diagnostic pop
#endif
#endif

enum { SLOTS = 4096, MESSAGES = 8000000, BATCH = 32, TRIPS = 200000, WORDS = 8 };
static_assert(MESSAGES % BATCH == 0 && SLOTS % BATCH == 0, "whole batches");

typedef struct line {
    uint64_t words[WORDS];
} line;

/* A handle on lines of its own: the two threads write theirs all the time. */
typedef struct side {
    _Alignas(128) psy_ring ring;
} side;

/* Both directions; the second one is for round trips. */
typedef struct lane {
    void *memory[2];
    side producer[2], consumer[2];
    uint64_t messages, sum;
} lane;

static void fail(const char *what)
{
    fprintf(stderr, "bench_ring: %s\n", what);
    exit(1);
}

static lane *open_lane(uint32_t stride, uint64_t messages)
{
    lane *l = aligned_alloc(128, sizeof *l);
    uint64_t bytes = psy_ring_bytes(stride, SLOTS);
    if (!l) {
        fail("no memory");
    }
    memset(l, 0, sizeof *l);
    for (int i = 0; i < 2; i++) {
        l->memory[i] = aligned_alloc(128, bytes);
        if (!l->memory[i]) {
            fail("no memory");
        }
        memset(l->memory[i], 0, bytes);
        if (psy_ring_init(&l->producer[i].ring, l->memory[i], bytes, stride, SLOTS) != PSY_OK ||
            psy_ring_attach(&l->consumer[i].ring, PSY_RING_CONSUMER, l->memory[i], bytes, stride, SLOTS) != PSY_OK) {
            fail(psy_detail());
        }
    }
    l->messages = messages;
    return l;
}

static void close_lane(lane *l)
{
    free(l->memory[0]);
    free(l->memory[1]);
    free(l);
}

/* Runs `produce` on one core and `consume` on the other. Returns seconds. */
static double race(void *(*produce)(void *), void *(*consume)(void *), void *context)
{
    pthread_t thread;
    bench_pin(0);
    uint64_t start = psy__now_ns();
    if (pthread_create(&thread, NULL, produce, context) != 0) {
        fail("no thread");
    }
    consume(context);
    pthread_join(thread, NULL);
    return (double)(psy__now_ns() - start) / 1e9;
}

static double millions(uint64_t messages, double seconds) { return (double)messages / seconds / 1e6; }

static void check(uint64_t sum, uint64_t messages)
{
    if (sum != messages * (messages - 1) / 2) {
        fail("messages were lost");
    }
}

/* ---- 8 bytes, one at a time ---- */

static void *make_words(void *context)
{
    lane *l = context;
    uint32_t got;
    bench_pin(1);
    for (uint64_t i = 0; i < l->messages; i++) {
        uint64_t *slot;
        while (!(slot = psy_ring_claim(&l->producer[0].ring, 1, &got))) {
            psy__relax();
        }
        *slot = i;
        psy_ring_commit(&l->producer[0].ring, 1);
    }
    psy_ring_flush(&l->producer[0].ring);
    return NULL;
}

static void *take_words(void *context)
{
    lane *l = context;
    uint32_t got;
    for (uint64_t i = 0; i < l->messages; i++) {
        const uint64_t *slot;
        while (!(slot = psy_ring_peek(&l->consumer[0].ring, 1, &got))) {
            psy__relax();
        }
        l->sum += *slot;
        psy_ring_release(&l->consumer[0].ring, 1);
    }
    return NULL;
}

static double words_one(void *unused)
{
    (void)unused;
    lane *l = open_lane(8, MESSAGES);
    double seconds = race(make_words, take_words, l);
    check(l->sum, MESSAGES);
    close_lane(l);
    return millions(MESSAGES, seconds);
}

/* ---- 64 bytes, in batches ---- */

static void *make_lines(void *context)
{
    lane *l = context;
    uint32_t got;
    bench_pin(1);
    for (uint64_t i = 0; i < l->messages;) {
        line *slots;
        while (!(slots = psy_ring_claim(&l->producer[0].ring, BATCH, &got))) {
            psy__relax();
        }
        got = got <= l->messages - i ? got : (uint32_t)(l->messages - i);
        for (uint32_t k = 0; k < got; k++, i++) {
            for (int w = 0; w < WORDS; w++) {
                slots[k].words[w] = i;
            }
        }
        psy_ring_commit(&l->producer[0].ring, got);
    }
    psy_ring_flush(&l->producer[0].ring);
    return NULL;
}

static void *take_lines(void *context)
{
    lane *l = context;
    uint32_t got;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < l->messages;) {
        const line *slots;
        while (!(slots = psy_ring_peek(&l->consumer[0].ring, BATCH, &got))) {
            psy__relax();
        }
        for (uint32_t k = 0; k < got; k++, i++) {
            for (int w = 0; w < WORDS; w++) {
                sum += slots[k].words[w];
            }
        }
        psy_ring_release(&l->consumer[0].ring, got);
    }
    l->sum = sum / WORDS;
    return NULL;
}

static double lines_batch(void *unused)
{
    (void)unused;
    lane *l = open_lane(sizeof(line), MESSAGES);
    double seconds = race(make_lines, take_lines, l);
    check(l->sum, MESSAGES);
    close_lane(l);
    return millions(MESSAGES, seconds);
}

/* ---- round trips ---- */

static void send_line(psy_ring *ring, uint64_t value)
{
    uint32_t got;
    line *slot;
    while (!(slot = psy_ring_claim(ring, 1, &got))) {
        psy__relax();
    }
    for (int w = 0; w < WORDS; w++) {
        slot->words[w] = value;
    }
    psy_ring_commit(ring, 1);
    psy_ring_flush(ring);
}

static uint64_t receive_line(psy_ring *ring)
{
    uint32_t got;
    const line *slot;
    while (!(slot = psy_ring_peek(ring, 1, &got))) {
    }
    uint64_t sum = 0;
    for (int w = 0; w < WORDS; w++) {
        sum += slot->words[w];
    }
    psy_ring_release(ring, 1);
    return sum / WORDS;
}

static void *echo(void *context)
{
    lane *l = context;
    bench_pin(1);
    for (uint64_t i = 0; i < l->messages; i++) {
        send_line(&l->producer[1].ring, receive_line(&l->consumer[0].ring));
    }
    return NULL;
}

static void *call(void *context)
{
    lane *l = context;
    for (uint64_t i = 0; i < l->messages; i++) {
        send_line(&l->producer[0].ring, i);
        l->sum += receive_line(&l->consumer[1].ring);
    }
    return NULL;
}

static double round_trip(void *unused)
{
    (void)unused;
    lane *l = open_lane(sizeof(line), TRIPS);
    double seconds = race(echo, call, l);
    check(l->sum, TRIPS);
    close_lane(l);
    return seconds * 1e9 / TRIPS;
}

/* ---- the peer ---- */

#ifdef HAVE_CK_RING
struct word {
    uint64_t value;
};
CK_RING_PROTOTYPE(word, word)
CK_RING_PROTOTYPE(line, line)

typedef struct ck_lane {
    ck_ring_t ring[2];
    struct word *words;
    struct line *lines[2];
    uint64_t messages, sum;
} ck_lane;

static ck_lane *open_ck(uint64_t messages)
{
    ck_lane *l = aligned_alloc(128, (sizeof *l + 127) / 128 * 128);
    if (!l) {
        fail("no memory");
    }
    memset(l, 0, sizeof *l);
    l->words = aligned_alloc(128, SLOTS * sizeof *l->words);
    for (int i = 0; i < 2; i++) {
        ck_ring_init(&l->ring[i], SLOTS);
        l->lines[i] = aligned_alloc(128, SLOTS * sizeof *l->lines[i]);
        if (!l->words || !l->lines[i]) {
            fail("no memory");
        }
        memset(l->lines[i], 0, SLOTS * sizeof *l->lines[i]);
    }
    memset(l->words, 0, SLOTS * sizeof *l->words);
    l->messages = messages;
    return l;
}

static void close_ck(ck_lane *l)
{
    free(l->words);
    free(l->lines[0]);
    free(l->lines[1]);
    free(l);
}

static void *ck_make_words(void *context)
{
    ck_lane *l = context;
    bench_pin(1);
    for (uint64_t i = 0; i < l->messages; i++) {
        struct word w = {i};
        while (!ck_ring_enqueue_spsc_word(&l->ring[0], l->words, &w)) {
            psy__relax();
        }
    }
    return NULL;
}

static void *ck_take_words(void *context)
{
    ck_lane *l = context;
    for (uint64_t i = 0; i < l->messages; i++) {
        struct word w;
        while (!ck_ring_dequeue_spsc_word(&l->ring[0], l->words, &w)) {
            psy__relax();
        }
        l->sum += w.value;
    }
    return NULL;
}

static double ck_words(void *unused)
{
    (void)unused;
    ck_lane *l = open_ck(MESSAGES);
    double seconds = race(ck_make_words, ck_take_words, l);
    check(l->sum, MESSAGES);
    close_ck(l);
    return millions(MESSAGES, seconds);
}

static void ck_send(ck_lane *l, int way, uint64_t value)
{
    struct line entry;
    for (int w = 0; w < WORDS; w++) {
        entry.words[w] = value;
    }
    while (!ck_ring_enqueue_spsc_line(&l->ring[way], l->lines[way], &entry)) {
        psy__relax();
    }
}

static uint64_t ck_receive(ck_lane *l, int way)
{
    struct line entry;
    uint64_t sum = 0;
    while (!ck_ring_dequeue_spsc_line(&l->ring[way], l->lines[way], &entry)) {
    }
    for (int w = 0; w < WORDS; w++) {
        sum += entry.words[w];
    }
    return sum / WORDS;
}

static void *ck_make_lines(void *context)
{
    ck_lane *l = context;
    bench_pin(1);
    for (uint64_t i = 0; i < l->messages; i++) {
        ck_send(l, 0, i);
    }
    return NULL;
}

static void *ck_take_lines(void *context)
{
    ck_lane *l = context;
    for (uint64_t i = 0; i < l->messages; i++) {
        l->sum += ck_receive(l, 0);
    }
    return NULL;
}

static double ck_lines(void *unused)
{
    (void)unused;
    ck_lane *l = open_ck(MESSAGES);
    double seconds = race(ck_make_lines, ck_take_lines, l);
    check(l->sum, MESSAGES);
    close_ck(l);
    return millions(MESSAGES, seconds);
}

static void *ck_echo(void *context)
{
    ck_lane *l = context;
    bench_pin(1);
    for (uint64_t i = 0; i < l->messages; i++) {
        ck_send(l, 1, ck_receive(l, 0));
    }
    return NULL;
}

static void *ck_call(void *context)
{
    ck_lane *l = context;
    for (uint64_t i = 0; i < l->messages; i++) {
        ck_send(l, 0, i);
        l->sum += ck_receive(l, 1);
    }
    return NULL;
}

static double ck_round_trip(void *unused)
{
    (void)unused;
    ck_lane *l = open_ck(TRIPS);
    double seconds = race(ck_echo, ck_call, l);
    check(l->sum, TRIPS);
    close_ck(l);
    return seconds * 1e9 / TRIPS;
}

static const char *const peer = "ck_ring";
#else
static const char *const peer = NULL;
#define ck_words      NULL
#define ck_lines      NULL
#define ck_round_trip NULL
#endif

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "bench_ring");
    bench_compare("ring/8B/one", "Mmsg/s", BENCH_HIGHER_IS_BETTER, peer, words_one, ck_words, NULL);
    bench_compare("ring/64B/batch32", "Mmsg/s", BENCH_HIGHER_IS_BETTER, peer, lines_batch, ck_lines, NULL);
    bench_compare("ring/64B/rtt", "ns", BENCH_LOWER_IS_BETTER, peer, round_trip, ck_round_trip, NULL);
    return bench_end();
}

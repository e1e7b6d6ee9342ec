/* SPDX-License-Identifier: Apache-2.0 */
/* How fast a broker's core can scatter to 8 worker rings: rounds of 512 requests, as 8 clients' batches make them, each to the
 * shard that owns its key's hash, then all rings are published, and those who sleep on them looked for, as the broker does
 * after each round. The other core takes all 8 rings' frames and reads every byte.
 *
 *   scatter/descriptor  a hop alone, one line: what a request by reference takes
 *   scatter/64B         64 bytes, copied
 *   scatter/frame       what the broker sends of a request of 64 bytes: hop, envelope and payload, three lines
 *
 * Not in it: reading the clients' rings, which are on the broker's core already, checking the requests, and their tickets. */
#include "tests/perf/ring_race.h"

#include <psyne/bell.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/scatter.h"
#include "tests/perf/cores.h"

enum { SHARDS = 8, ROUND = 512, SLOTS = 4096, SOURCES = 1024, PAYLOAD = 64, SCATTER_GROUP = 4096 };

typedef struct source {
    psy_envelope envelope;
    _Alignas(64) uint8_t payload[PAYLOAD];
} source;

/* The two ends' handles on lines of their own. */
typedef struct lane {
    _Alignas(128) psy_ring producer;
    _Alignas(128) psy_ring consumer;
    uint64_t last; /* the number that came before */
} lane;

typedef struct scene {
    lane lanes[SHARDS];
    source *sources; /* requests that clients wrote: SOURCES of them, again and again */
    psy_bell bell;
    void *memory;
    uint64_t next, received, sum; /* of the numbers */
} scene;

static uint64_t route_of(uint64_t i) { return i * UINT64_C(0x9e3779b97f4a7c15); } /* a hash as good as any here */

static void open_rings(scene *s, uint32_t stride)
{
    uint64_t bytes = psy_ring_bytes(stride, SLOTS);
    s->memory = bench_memory(bytes * SHARDS);
    s->next = s->received = s->sum = 0;
    for (int i = 0; i < SHARDS; i++) {
        lane *l = &s->lanes[i];
        uint8_t *at = (uint8_t *)s->memory + (uint64_t)i * bytes;
        if (psy_ring_init(&l->producer, at, bytes, stride, SLOTS) != PSY_OK ||
            psy_ring_attach(&l->consumer, PSY_RING_CONSUMER, at, bytes, stride, SLOTS) != PSY_OK) {
            bench_fail("%s", psy_detail());
        }
        l->last = 0;
    }
}

static void publish(scene *s)
{
    for (int i = 0; i < SHARDS; i++) {
        psy_ring_flush(&s->lanes[i].producer);
    }
    psy_ring_fence();
    for (int i = 0; i < SHARDS; i++) {
        psy__ring_wake_bell_fenced(&s->lanes[i].producer, &s->bell);
    }
}

/* One request into its shard's ring: false when that is full. Numbers begin with 1. */
typedef bool scatter_one(psy_ring *ring, const source *from, uint64_t number);

RING_INLINE bool one_hop(psy_ring *ring, const source *from, uint64_t number)
{
    uint32_t got;
    psy__hop *hop = psy_ring_claim(ring, 1, &got);
    if (!hop) {
        return false;
    }
    *hop = (psy__hop){.ticket = (uint32_t)number, .channel = from->envelope.slot, .deadline_ns = number};
    psy_ring_commit(ring, 1);
    return true;
}

RING_INLINE bool one_copy(psy_ring *ring, const source *from, uint64_t number)
{
    uint32_t got;
    uint8_t *to = psy_ring_claim(ring, 1, &got);
    if (!to) {
        return false;
    }
    psy__scatter_copy(to, from->payload, PAYLOAD);
    psy_ring_commit(ring, 1);
    (void)number;
    return true;
}

RING_INLINE bool one_frame(psy_ring *ring, const source *from, uint64_t number)
{
    psy__frame *frame = psy__scatter(ring);
    if (!frame) {
        return false;
    }
    frame->envelope = from->envelope;
    psy__scatter_copy(frame->payload, from->payload, PAYLOAD);
    frame->hop = (psy__hop){.ticket = (uint32_t)number, .channel = from->envelope.slot, .deadline_ns = number};
    psy_ring_commit(ring, 1);
    return true;
}

RING_INLINE void produce(scene *s, uint64_t amount, scatter_one *one)
{
    for (uint64_t i = 0; i < amount;) {
        for (uint32_t k = 0; k < ROUND; k++, i++) {
            const source *from = &s->sources[i % SOURCES];
            lane *l = &s->lanes[psy__shard_of(from->envelope.route, SHARDS)];
            while (!one(&l->producer, from, i + 1)) {
                publish(s);
                psy__relax();
            }
        }
        publish(s);
    }
}

/* What a frame's payload or copy is, by its own first word: request `first` of the sources. 0: it is right. */
RING_INLINE uint64_t payload_differs(const uint8_t *payload, uint64_t *number)
{
    memcpy(number, payload, sizeof *number);
    return message_differs(payload, *number, PAYLOAD) | (*number >= SOURCES);
}

/* The number that a frame has; *wrong: what is not as it was sent. */
typedef uint64_t read_one(const uint8_t *frame, uint64_t *wrong);

RING_INLINE uint64_t read_hop(const uint8_t *frame, uint64_t *wrong)
{
    const psy__hop *hop = (const void *)frame;
    *wrong |= hop->ticket ^ (uint32_t)hop->deadline_ns;
    *wrong |= hop->channel ^ (uint32_t)((hop->deadline_ns - 1) % SOURCES);
    *wrong |= hop->generation | hop->epoch | hop->program | hop->place | hop->pipeline | hop->reference;
    return hop->deadline_ns;
}

RING_INLINE uint64_t read_copy(const uint8_t *frame, uint64_t *wrong)
{
    uint64_t number;
    *wrong |= payload_differs(frame, &number);
    return number;
}

RING_INLINE uint64_t read_frame(const uint8_t *at, uint64_t *wrong)
{
    const psy__frame *frame = (const void *)at;
    uint64_t number = read_hop(at, wrong), from;
    *wrong |= payload_differs(frame->payload, &from) | (from ^ (number - 1) % SOURCES);
    *wrong |= frame->envelope.length ^ PAYLOAD;
    *wrong |= frame->envelope.slot ^ (uint32_t)from;
    *wrong |= frame->envelope.route ^ route_of(from);
    return number;
}

RING_INLINE uint64_t consume(scene *s, uint64_t to, uint32_t stride, bool grows, read_one *read)
{
    uint64_t wrong = 0;
    while (s->received < to) {
        for (int i = 0; i < SHARDS; i++) {
            lane *l = &s->lanes[i];
            uint32_t got;
            const uint8_t *frames = psy_ring_peek(&l->consumer, ROUND, &got);
            if (!frames) {
                continue;
            }
            for (uint32_t k = 0; k < got; k++) {
                uint64_t number = read(frames + k * stride, &wrong);
                wrong |= grows && number <= l->last;
                l->last = number;
                s->sum += number;
            }
            psy_ring_release(&l->consumer, got);
            psy_ring_settle(&l->consumer);
            s->received += got;
        }
    }
    return wrong;
}

/* Every message once: the sum of the numbers says so. */
static double finish(scene *s, uint64_t amount, double seconds, bool sources)
{
    uint64_t expected = sources ? amount / SOURCES * (SOURCES * (SOURCES - 1) / 2) : amount * (amount + 1) / 2;
    if (s->received != amount || s->sum != expected) {
        bench_fail("messages were lost or doubled");
    }
    free(s->memory);
    return seconds;
}

#define SCATTER(name_, stride_, grows_)                                                                                        \
    static void produce_##name_(void *context, uint64_t amount) { produce(context, amount, one_##name_); }                     \
    static uint64_t consume_##name_(void *context, uint64_t from, uint64_t to)                                                 \
    {                                                                                                                          \
        (void)from;                                                                                                            \
        return consume(context, to, stride_, grows_, read_##name_);                                                            \
    }                                                                                                                          \
    static double scatter_##name_(void *context, uint64_t amount)                                                              \
    {                                                                                                                          \
        open_rings(context, stride_);                                                                                          \
        return finish(context, amount, race(produce_##name_, consume_##name_, context, amount, SCATTER_GROUP), !(grows_));     \
    }
SCATTER(hop, sizeof(psy__hop), true)
SCATTER(copy, PAYLOAD, false)
SCATTER(frame, sizeof(psy__frame) + PAYLOAD, true)

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "a broker's scatter to 8 worker rings");
    if (cores_count() < 2) {
        bench_skip("scatter/", "one processor");
        return bench_end();
    }
    scene *s = bench_memory(sizeof *s);
    s->sources = bench_memory(SOURCES * sizeof *s->sources);
    if (psy_bell_open(&s->bell) != PSY_OK) {
        bench_fail("%s", psy_detail());
    }
    for (uint32_t i = 0; i < SOURCES; i++) {
        s->sources[i].envelope = (psy_envelope){.length = PAYLOAD, .kind = PSY_KIND_REQUEST, .slot = i, .route = route_of(i)};
        message_write(s->sources[i].payload, i, PAYLOAD);
    }
    printf("broker on processor %d, workers on %d\n", cores_system_number(1), cores_system_number(0));
    bench_measure(&(bench_figure){.name = "scatter/descriptor",
                                  .unit = &bench_millions,
                                  .step = 16 * SCATTER_GROUP,
                                  .seconds = 0.1,
                                  .subject = {"psyne", scatter_hop},
                                  .context = s});
    bench_measure(&(bench_figure){.name = "scatter/64B",
                                  .unit = &bench_millions,
                                  .step = 16 * SCATTER_GROUP,
                                  .seconds = 0.1,
                                  .subject = {"psyne", scatter_copy},
                                  .context = s});
    bench_measure(&(bench_figure){.name = "scatter/frame",
                                  .unit = &bench_millions,
                                  .step = 16 * SCATTER_GROUP,
                                  .seconds = 0.1,
                                  .subject = {"psyne", scatter_frame},
                                  .context = s});
    psy_bell_close(&s->bell);
    free(s->sources);
    free(s);
    return bench_end();
}

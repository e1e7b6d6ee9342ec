/* SPDX-License-Identifier: Apache-2.0 */
/* scatter/payload/SIZE/sN: requests of SIZE bytes to all of N shards, as the broker sends them: the payload once, into a slab
 * that all shards read (psyne's references), beside a copy for each shard, whole and in pieces. The other core reads all words
 * of each shard's frames, in their order, and compares them. Requests come out of 8 MiB of them, which no first or second-level
 * cache has.
 *
 * A figure is the processor time of both cores for a request: what is copied, and what the lines take that go from core to
 * core. Who waits yields, so that others' work on the machine is not in it.
 *
 * Not in it: the clients' rings, checks and tickets, as in bench_scatter. */
#include "tests/perf/ring_race.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "service/scatter.h"
#include "tests/perf/cores.h"

enum { SHARDS_MOST = 16, ROUND = 8, SLOTS = 64, GROUP_ROUNDS = 8, SOURCE_BYTES = 8 << 20 };
enum { HOW_REFERENCE, HOW_COPY, HOW_PIECES, HOWS };

typedef struct lane {
    _Alignas(128) psy_ring producer;
    _Alignas(128) psy_ring consumer;
} lane;

typedef struct scene {
    lane lanes[SHARDS_MOST];
    uint8_t *source;
    psy__payloads payloads;
    void *memory;
    uint32_t shards, bytes;
    uint64_t received[SHARDS_MOST];
    uint64_t given_back; /* requests whose slots are free again */
} scene;

static uint32_t sources(const scene *s) { return SOURCE_BYTES / s->bytes; }

static void open_rings(scene *s)
{
    const uint32_t stride = PSY_FRAME_PAYLOAD + s->bytes;
    const uint64_t bytes = psy_ring_bytes(stride, SLOTS);
    s->memory = bench_memory(bytes * s->shards);
    s->given_back = 0;
    for (uint32_t i = 0; i < s->shards; i++) {
        uint8_t *at = (uint8_t *)s->memory + i * bytes;
        if (psy_ring_init(&s->lanes[i].producer, at, bytes, stride, SLOTS) != PSY_OK ||
            psy_ring_attach(&s->lanes[i].consumer, PSY_RING_CONSUMER, at, bytes, stride, SLOTS) != PSY_OK) {
            bench_fail("%s", psy_detail());
        }
        s->received[i] = 0;
    }
    if (psy__payloads_begin(&s->payloads, s->bytes, SLOTS, s->shards, 1) != PSY_OK) {
        bench_fail("%s", psy_detail());
    }
    memset(s->payloads.data, 0, s->payloads.slots * s->payloads.stride); /* present, as the rings are */
}

static void close_rings(scene *s)
{
    psy__payloads_end(&s->payloads);
    free(s->memory);
}

/* What all shards have given back: the rings' slots, and payloads. */
static void collect(scene *s)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < s->shards; i++) {
        uint64_t released = atomic_load_explicit(&s->lanes[i].producer.header->released, memory_order_acquire);
        least = released < least ? released : least;
    }
    for (; s->given_back < least; s->given_back++) {
        psy__payloads_give_back(&s->payloads, (uint32_t)(s->given_back % s->payloads.slots) + 1);
    }
}

/* Looks again a few times, then leaves the processor to others. */
static void wait_a_little(uint32_t *looks)
{
    if (++*looks % 64 == 0) {
        sched_yield();
    } else {
        psy__relax();
    }
}

/* Waits for room in all rings. */
static void claim(scene *s, const psy_envelope *envelope, psy__frame *frames[SHARDS_MOST])
{
    uint32_t looks = 0;
    for (uint32_t i = 0; i < s->shards; i++) {
        while ((frames[i] = psy__scatter(&s->lanes[i].producer)) == NULL) {
            wait_a_little(&looks);
        }
        frames[i]->envelope = *envelope;
    }
}

static void produce(scene *s, uint64_t amount, int how)
{
    for (uint64_t number = 0; number < amount; number++) {
        const uint8_t *from = s->source + number % sources(s) * s->bytes;
        const psy_envelope envelope = {.length = s->bytes, .kind = PSY_KIND_REQUEST, .request = number};
        psy__frame *frames[SHARDS_MOST];
        uint32_t reference = 0, looks = 0;
        claim(s, &envelope, frames);
        while (how == HOW_REFERENCE && (reference = psy__payloads_take(&s->payloads, s->bytes)) == 0) {
            collect(s);
            wait_a_little(&looks);
        }
        if (reference) {
            memcpy(psy__payloads_at(&s->payloads, reference), from, s->bytes);
        } else if (how == HOW_PIECES) {
            psy__scatter_pieces(frames, s->shards, from, s->bytes);
        }
        for (uint32_t i = 0; i < s->shards; i++) {
            if (how == HOW_COPY) {
                psy__scatter_copy(frames[i]->payload, from, s->bytes);
            }
            frames[i]->hop = (psy__hop){.ticket = (uint32_t)number, .reference = reference, .deadline_ns = number};
            psy_ring_commit(&s->lanes[i].producer, 1);
        }
        if (number % ROUND == ROUND - 1) {
            for (uint32_t i = 0; i < s->shards; i++) {
                psy_ring_flush(&s->lanes[i].producer);
            }
            psy_ring_fence();
        }
    }
}

static void produce_references(void *context, uint64_t amount) { produce(context, amount, HOW_REFERENCE); }
static void produce_copies(void *context, uint64_t amount) { produce(context, amount, HOW_COPY); }
static void produce_pieces(void *context, uint64_t amount) { produce(context, amount, HOW_PIECES); }

/* Requests `from` to `to` - 1 of each shard. */
static uint64_t consume(void *context, uint64_t from, uint64_t to)
{
    scene *s = context;
    uint64_t wrong = 0, done = 0;
    uint32_t looks = 0;
    (void)from;
    while (done < s->shards) {
        bool found = false;
        done = 0;
        for (uint32_t i = 0; i < s->shards; i++) {
            uint32_t got;
            const uint8_t *at = psy_ring_peek(&s->lanes[i].consumer, ROUND, &got);
            for (uint32_t k = 0; at && k < got; k++, s->received[i]++) {
                const psy__frame *frame = (const void *)(at + (uint64_t)k * s->lanes[i].consumer.stride);
                const uint64_t number = s->received[i];
                const uint8_t *payload =
                    frame->hop.reference ? psy__payloads_at(&s->payloads, frame->hop.reference) : frame->payload;
                wrong |= (frame->hop.deadline_ns ^ number) | (frame->envelope.request ^ number);
                wrong |= message_differs(payload, number % sources(s), s->bytes);
            }
            if (at) {
                psy_ring_release(&s->lanes[i].consumer, got);
                psy_ring_settle(&s->lanes[i].consumer);
                found = true;
            }
            done += s->received[i] >= to;
        }
        if (!found) {
            wait_a_little(&looks);
        }
    }
    return wrong;
}

static double processor_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double run(void *context, uint64_t amount, race_produce *how)
{
    scene *s = context;
    open_rings(s);
    const double before = processor_seconds();
    (void)race(how, consume, s, amount, GROUP_ROUNDS * ROUND);
    const double seconds = processor_seconds() - before;
    for (uint32_t i = 0; i < s->shards; i++) {
        if (s->received[i] != amount) {
            bench_fail("messages were lost or doubled");
        }
    }
    close_rings(s);
    return seconds;
}
static double references(void *context, uint64_t amount) { return run(context, amount, produce_references); }
static double copies(void *context, uint64_t amount) { return run(context, amount, produce_copies); }
static double pieces(void *context, uint64_t amount) { return run(context, amount, produce_pieces); }

static void measure(scene *s, uint32_t bytes, uint32_t shards)
{
    char name[64];
    s->bytes = bytes;
    s->shards = shards;
    snprintf(name, sizeof name, bytes < 1024 ? "scatter/payload/%uB/s%u" : "scatter/payload/%uKiB/s%u",
             bytes < 1024 ? bytes : bytes / 1024, shards);
    for (uint32_t i = 0; i < sources(s); i++) {
        message_write(s->source + (uint64_t)i * bytes, i, bytes);
    }
    bench_measure(&(bench_figure){.name = name,
                                  .unit = &bench_microseconds,
                                  .step = (bytes < 16384 ? 64 : 4) * GROUP_ROUNDS * ROUND,
                                  .seconds = 0.03,
                                  .subject = {"by reference", references},
                                  .peers = {{"a copy for each shard", copies}, {"in pieces for all", pieces}},
                                  .context = s});
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {256, 1024, 2048, 4096, 16384, 65536, 262144}, shards[] = {2, 4, 8, 16};
    bench_begin(argc, argv, "payloads to all shards");
    if (!bench_wants("scatter/payload/")) {
        return bench_end();
    }
    if (cores_count() < 2) {
        bench_skip("scatter/payload/", "one processor");
        return bench_end();
    }
    scene *s = bench_memory(sizeof *s);
    s->source = bench_memory(SOURCE_BYTES);
    printf("broker on processor %d, workers on %d\n", cores_system_number(1), cores_system_number(0));
    for (size_t k = 0; k < sizeof shards / sizeof shards[0]; k++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            measure(s, sizes[i], shards[k]);
        }
    }
    free(s->source);
    free(s);
    return bench_end();
}

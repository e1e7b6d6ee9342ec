/* SPDX-License-Identifier: Apache-2.0 */
/* Rings between two pinned threads: every message is written in full, and compared in full by its receiver.
 *
 *   ring/8B/one       8-byte messages, one a call
 *   ring/8B/batch32   8-byte messages, 32 a call
 *   ring/64B/batch32  64-byte messages, 32 a call
 *   ring/64B/L3       64-byte messages, 512 a call, in a large ring; the peers' ring is small or as large
 *   ring/4KiB         4 KiB messages, 32 a call, likewise
 *   ring/64B/rtt      a 64-byte message there and back through two rings: the median
 *   ring/.../counted  the same with counters in a mapped file; the peer is without
 *   ring/ipc/64B      64-byte messages, 32 a call, between two processes; the peer is the same between two threads
 */
#include "tests/perf/ring_race.h"

#include <psyne/ring.h>
#include <psyne/slab.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/perf/cores.h"
#include "tests/perf/process.h"
#include "tests/perf/ring_peers.h"

/* The two ends' handles on lines of their own: both are written at every message. */
typedef struct lane {
    _Alignas(128) psy_ring producer;
    _Alignas(128) psy_ring consumer;
    _Alignas(128) psy_ring_counters sent; /* of /counted */
    _Alignas(128) psy_ring_counters received;
    void *memory; /* of the ring, unless a slab holds it */
} lane;

static void check(psy_status status)
{
    if (status != PSY_OK) {
        bench_fail("%s", psy_detail());
    }
}

static lane *open_lane(void *memory, uint32_t stride, uint32_t slots)
{
    lane *l = bench_memory(sizeof *l);
    uint64_t bytes = psy_ring_bytes(stride, slots);
    if (!memory) {
        memory = l->memory = bench_memory(bytes);
    }
    check(psy_ring_init(&l->producer, memory, bytes, stride, slots));
    psy_ring_set_store(&l->producer, PSY_STORE_AUTO);
    check(psy_ring_attach(&l->consumer, PSY_RING_CONSUMER, memory, bytes, stride, slots));
    return l;
}

static void close_lane(lane *l)
{
    free(l->memory);
    free(l);
}

RING_INLINE void produce(psy_ring *r, uint64_t amount, uint32_t stride, uint32_t batch)
{
    for (uint64_t i = 0; i < amount;) {
        uint32_t got, n = amount - i < batch ? (uint32_t)(amount - i) : batch;
        uint8_t *slots = psy_ring_claim(r, n, &got);
        if (!slots) {
            psy__relax();
            continue;
        }
        if (batch > 1 && stride % 64 == 0 && psy_ring_streams(r)) {
            for (uint32_t k = 0; k < got; k++, i++) {
                message_stream(slots + k * stride, i, stride);
            }
            psy_ring_streamed(r);
        } else {
            for (uint32_t k = 0; k < got; k++, i++) {
                message_write(slots + k * stride, i, stride);
            }
        }
        psy_ring_commit(r, got);
    }
    psy_ring_flush(r);
}

RING_INLINE uint64_t consume(psy_ring *r, uint64_t i, uint64_t to, uint32_t stride, uint32_t batch)
{
    uint64_t wrong = 0;
    while (i < to) {
        uint32_t got, n = to - i < batch ? (uint32_t)(to - i) : batch;
        const uint8_t *slots = psy_ring_peek(r, n, &got);
        if (!slots) {
            psy__relax();
            continue;
        }
        for (uint32_t k = 0; k < got; k++, i++) {
            wrong |= message_differs(slots + k * stride, i, stride);
        }
        psy_ring_release(r, got);
    }
    return wrong;
}

#define FLOW(name, stride, slots, batch, group)                                                                                \
    static void name##_produce(void *l, uint64_t amount) { produce(&((lane *)l)->producer, amount, stride, batch); }           \
    static uint64_t name##_consume(void *l, uint64_t from, uint64_t to)                                                        \
    {                                                                                                                          \
        return consume(&((lane *)l)->consumer, from, to, stride, batch);                                                       \
    }                                                                                                                          \
    static double name(void *memory, uint64_t amount)                                                                          \
    {                                                                                                                          \
        lane *l = open_lane(memory, stride, slots);                                                                            \
        double seconds = race(name##_produce, name##_consume, l, amount, group);                                               \
        close_lane(l);                                                                                                         \
        return seconds;                                                                                                        \
    }

/* The same with a row of counters for each side. */
#define COUNTED(name, stride, batch)                                                                                           \
    static double name##_counted(void *memory, uint64_t amount)                                                                \
    {                                                                                                                          \
        lane *l = open_lane(memory, stride, SMALL_SLOTS);                                                                      \
        psy_ring_set_counters(&l->producer, &l->sent);                                                                         \
        psy_ring_set_counters(&l->consumer, &l->received);                                                                     \
        double seconds = race(name##_produce, name##_consume, l, amount, GROUP);                                               \
        if (atomic_load(&l->sent.messages) != amount) {                                                                        \
            bench_fail("the counters are wrong");                                                                              \
        }                                                                                                                      \
        close_lane(l);                                                                                                         \
        return seconds;                                                                                                        \
    }

FLOW(ring_8_one, 8, SMALL_SLOTS, 1, GROUP)
FLOW(ring_8_32, 8, SMALL_SLOTS, 32, GROUP)
FLOW(ring_64_32, 64, SMALL_SLOTS, 32, GROUP)
COUNTED(ring_8_one, 8, 1)
COUNTED(ring_8_32, 8, 32)
FLOW(ring_64_512_large, 64, LARGE_SLOTS, 512, GROUP_LARGE)
FLOW(ring_4096_32_large, 4096, LARGE_SLOTS_4KIB, 32, GROUP_4KIB)

/* ---- round trips ---- */

static void send(void *r, uint64_t number)
{
    uint32_t got;
    uint64_t *slot;
    while (!(slot = psy_ring_claim(r, 1, &got))) {
        psy__relax();
    }
    message_write(slot, number, 64);
    psy_ring_commit(r, 1);
    psy_ring_flush(r);
}

static uint64_t receive(void *r, uint64_t number)
{
    uint32_t got;
    const uint64_t *slot;
    while (!(slot = psy_ring_peek(r, 1, &got))) {
        psy__relax();
    }
    uint64_t differs = message_differs(slot, number, 64);
    psy_ring_release(r, 1);
    return differs;
}

static void answer(void *t, uint64_t amount) { trip_answer(t, amount, send, receive); }
static uint64_t call(void *t, uint64_t from, uint64_t to) { return trip_call(t, from, to, send, receive); }

static double ring_64_trip(void *unused, uint64_t amount)
{
    (void)unused;
    lane *there = open_lane(NULL, 64, SMALL_SLOTS), *back = open_lane(NULL, 64, SMALL_SLOTS);
    round_trip t = {&there->producer, &there->consumer, &back->producer, &back->consumer};
    double seconds = race(answer, call, &t, amount, GROUP_TRIPS);
    close_lane(there);
    close_lane(back);
    return seconds;
}

/* ---- two processes: the producer is one of its own, which maps the slab anew ---- */

static double ring_ipc(void *slab_, uint64_t amount)
{
    psy_slab *slab = slab_;
    lane *l = open_lane(psy_slab_data(slab), 64, SMALL_SLOTS);
    process_gate *gate = process_gate_open();
    cores_pin(0);
    process producer = process_start();
    if (producer == 0) {
        psy_slab *theirs;
        psy_ring ring;
        cores_pin(1);
        check(psy_slab_adopt(dup(psy_slab_fd(slab)), psy_slab_bytes(slab), &theirs));
        check(psy_ring_attach(&ring, PSY_RING_PRODUCER, psy_slab_data(theirs), psy_slab_data_bytes(theirs), 64, SMALL_SLOTS));
        process_gate_meet(gate);
        produce(&ring, amount, 64, 32);
        process_end();
    }
    process_gate_meet(gate);
    double seconds = race_time(ring_64_32_consume, l, amount, GROUP);
    process_wait(producer);
    process_gate_close(gate);
    close_lane(l);
    return seconds;
}

static double ring_threads(void *slab, uint64_t amount) { return ring_64_32(psy_slab_data(slab), amount); }

static const double run_seconds = 0.05;

#define RATE(name_, run_, group_, ...)                                                                                         \
    {                                                                                                                          \
        .name = name_, .unit = &bench_millions, .step = 32 * group_, .seconds = run_seconds, .subject = {"psyne", run_},       \
        .peers = {                                                                                                             \
            __VA_ARGS__                                                                                                        \
        }                                                                                                                      \
    }

static void measure_processes(void)
{
    psy_slab *slab;
    psy_slab_options options = {.bytes = psy_ring_bytes(64, SMALL_SLOTS), .name = "psyne-bench", .pretouch = true};
    check(psy_slab_create(&options, &slab));
    bench_figure figure = RATE("ring/ipc/64B", ring_ipc, GROUP, {.name = "two threads", .run = ring_threads});
    figure.context = slab;
    bench_measure(&figure);
    psy_slab_destroy(slab);
}

static void measure_threads(void)
{
    const bench_figure figures[] = {
        RATE("ring/8B/one", ring_8_one, GROUP, DPDK("rte_ring", dpdk_8_one), DPDK("rte_ring zero-copy", dpdk_8_one_zc),
             CK("ck_ring", ck_8_one)),
        RATE("ring/8B/batch32", ring_8_32, GROUP, DPDK("rte_ring", dpdk_8_32), DPDK("rte_ring zero-copy", dpdk_8_32_zc)),
        RATE("ring/64B/batch32", ring_64_32, GROUP, DPDK("rte_ring", dpdk_64_32), DPDK("rte_ring zero-copy", dpdk_64_32_zc),
             CK("ck_ring, one a call", ck_64_one)),
        RATE("ring/64B/L3", ring_64_512_large, GROUP_LARGE, DPDK("rte_ring zero-copy, small", dpdk_64_32_zc),
             DPDK("rte_ring zero-copy, large", dpdk_64_512_zc_large)),
        RATE("ring/4KiB", ring_4096_32_large, GROUP_4KIB, DPDK("rte_ring zero-copy, small", dpdk_4096_32_zc),
             DPDK("rte_ring zero-copy, large", dpdk_4096_32_zc_large)),
        RATE("ring/8B/one/counted", ring_8_one_counted, GROUP, {.name = "not counted", .run = ring_8_one}),
        RATE("ring/8B/batch32/counted", ring_8_32_counted, GROUP, {.name = "not counted", .run = ring_8_32}),
        {.name = "ring/64B/rtt",
         .unit = &bench_nanoseconds,
         .step = 4096 * GROUP_TRIPS,
         .seconds = run_seconds,
         .subject = {"psyne", ring_64_trip},
         .peers = {DPDK("rte_ring", dpdk_64_trip), CK("ck_ring", ck_64_trip)}},
    };
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        bench_measure(&figures[i]);
    }
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "rings, two pinned threads");
    if (cores_count() < 2) {
        bench_skip("ring", "two processors are needed");
        return bench_end();
    }
    measure_threads();
    if (bench_wants("ring/ipc/64B")) {
        measure_processes();
    }
    return bench_end();
}

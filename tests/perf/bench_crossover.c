/* SPDX-License-Identifier: Apache-2.0 */
/* When a ring for each producer, when one for all: N producers with an SPSC ring each, which one consumer drains in turn,
 * against an MPSC and an MPMC ring that they share with one consumer.
 *
 *   ring/crossover/SIZE/pN/one       N producers, messages of that size, one a call
 *   ring/crossover/SIZE/pN/batch32   the same, 32 a call
 *
 * The figure is the SPSC rings', the peers are the shared ones: a ratio above 1 says that a ring each is quicker. All have the
 * same memory in all: 4,096 slots, up to 1 MiB. Messages are written in full and compared in full, and everybody's sequence is
 * followed. */
#include "tests/perf/crowd_psyne.h"

#include <stdio.h>

#include "tests/perf/cores.h"

enum { MEMORY = 1 << 20 };

typedef struct contest {
    uint32_t stride, producers;
    crowd_produce *send;
    crowd_consume *drain;
} contest;

static uint32_t slots_of(uint32_t stride) { return MEMORY / stride < SMALL_SLOTS ? MEMORY / stride : SMALL_SLOTS; }

static double run(const contest *c, uint64_t amount, psy_ring_kind kind)
{
    const psy_ring_shape shape = {kind, c->stride, slots_of(c->stride)};
    crowd_rings *rings = crowd_open(&shape, c->producers, 1);
    double seconds = crowd_race(c->send, c->drain, rings, c->producers, 1, amount);
    crowd_close(rings);
    return seconds;
}

static double run_spsc(void *c, uint64_t amount) { return run(c, amount, PSY_RING_SPSC); }
static double run_mpsc(void *c, uint64_t amount) { return run(c, amount, PSY_RING_MPSC); }
static double run_mpmc(void *c, uint64_t amount) { return run(c, amount, PSY_RING_MPMC); }

#define SIZE(stride) CROWD_FLOW(flow_##stride##_1, stride, 1) CROWD_FLOW(flow_##stride##_32, stride, 32)
SIZE(8)
SIZE(64)
SIZE(256)
SIZE(1024)
SIZE(4096)

#define FLOWS(text, stride)                                                                                                    \
    {                                                                                                                          \
        text, stride, {flow_##stride##_1_send, flow_##stride##_32_send}, { flow_##stride##_1_drain, flow_##stride##_32_drain } \
    }

static const struct {
    const char *name;
    uint32_t stride;
    crowd_produce *send[2]; /* one, batch32 */
    crowd_consume *drain[2];
} sizes[] = {FLOWS("8B", 8), FLOWS("64B", 64), FLOWS("256B", 256), FLOWS("1KiB", 1024), FLOWS("4KiB", 4096)};

static void measure(size_t size, uint32_t producers, int batched)
{
    char name[64];
    contest c = {sizes[size].stride, producers, sizes[size].send[batched], sizes[size].drain[batched]};
    snprintf(name, sizeof name, "ring/crossover/%s/p%u/%s", sizes[size].name, producers, batched ? "batch32" : "one");
    bench_figure figure = {.name = name,
                           .unit = &bench_millions,
                           .step = 8 * (uint64_t)slots_of(c.stride),
                           .seconds = 0.03,
                           .subject = {"a ring each", run_spsc},
                           .peers = {{.name = "MPSC", .run = run_mpsc}, {.name = "MPMC", .run = run_mpmc}},
                           .context = &c};
    bench_measure(&figure);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "a ring for each producer, or one for all (peers), on two processors");
    if (cores_count() < 2) {
        bench_skip("ring/crossover", "two processors are needed");
        return bench_end();
    }
    for (int batched = 0; batched < 2; batched++) {
        for (size_t size = 0; size < sizeof sizes / sizeof sizes[0]; size++) {
            for (uint32_t producers = 1; producers <= CROWD_MAX; producers *= 2) {
                measure(size, producers, batched);
            }
        }
    }
    return bench_end();
}

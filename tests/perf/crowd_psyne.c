/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/perf/crowd_psyne.h"

#include <stdlib.h>

static void check(psy_status status)
{
    if (status != PSY_OK) {
        bench_fail("%s", psy_detail());
    }
}

/* All are threads of one process: seats are numbers that they agree on. */
static void join(crowd_end *end, psy_ring_side side, uint8_t *memory, const psy_ring_shape *shape, bool several, uint32_t seat)
{
    psy_seat bare = psy_seat_bare(seat);
    check(psy_ring_join(&end->ring, side, memory, psy_ring_shape_bytes(shape), shape, several ? &bare : NULL));
}

crowd_rings *crowd_open(const psy_ring_shape *shape, uint32_t producers, uint32_t consumers)
{
    bool own = shape->kind == PSY_RING_SPSC; /* a ring for each producer */
    uint32_t count = own ? producers : 1;
    psy_ring_shape one = {shape->kind, shape->stride, shape->slots / count};
    uint64_t bytes = psy_ring_shape_bytes(&one);
    if (bytes == 0 || producers > CROWD_MAX || consumers > CROWD_MAX || (own && consumers != 1)) {
        bench_fail("no such rings: %u slots of %u bytes, %u producers, %u consumers", one.slots, one.stride, producers,
                   consumers);
    }
    crowd_rings *rings = bench_memory(sizeof *rings);
    uint8_t *memory = rings->memory = bench_memory(count * bytes);
    rings->each = count;
    for (uint32_t i = 0; i < count; i++) {
        check(psy_ring_format(memory + i * bytes, bytes, &one));
    }
    for (uint32_t p = 0; p < producers; p++) {
        join(&rings->producers[p], PSY_RING_PRODUCER, memory + (own ? p * bytes : 0), &one, shape->kind & PSY_RING_MPSC, 1 + p);
    }
    for (uint32_t c = 0; c < (own ? producers : consumers); c++) {
        join(&rings->consumers[c], PSY_RING_CONSUMER, memory + (own ? c * bytes : 0), &one, shape->kind & PSY_RING_SPMC,
             1 + CROWD_MAX + c);
    }
    return rings;
}

void crowd_close(crowd_rings *rings)
{
    free(rings->memory);
    free(rings);
}

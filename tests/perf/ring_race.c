/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/perf/ring_race.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "tests/perf/cores.h"

typedef struct starter {
    race_produce *produce;
    void *context;
    uint64_t amount;
    _Alignas(128) _Atomic int ready;
} starter;

static void *start(void *context)
{
    starter *s = context;
    cores_pin(1);
    atomic_store_explicit(&s->ready, 1, memory_order_release);
    while (atomic_load_explicit(&s->ready, memory_order_acquire) != 2) {
    }
    s->produce(s->context, s->amount);
    return NULL;
}

double race_time(race_consume *consume, void *context, uint64_t amount, uint64_t group)
{
    size_t groups = amount / group;
    double *seconds = bench_memory(groups * sizeof *seconds);
    uint64_t wrong = 0, before = psy__now_ns();
    for (size_t i = 0; i < groups; i++) {
        wrong |= consume(context, i * group, (i + 1) * group);
        uint64_t now = psy__now_ns();
        seconds[i] = (double)(now - before) * 1e-9;
        before = now;
    }
    if (wrong) {
        bench_fail("messages were lost or changed");
    }
    double median = bench_median(seconds, groups);
    free(seconds);
    return median * (double)groups;
}

double race(race_produce *produce, race_consume *consume, void *context, uint64_t amount, uint64_t group)
{
    starter s = {.produce = produce, .context = context, .amount = amount};
    pthread_t thread;
    cores_pin(0);
    if (pthread_create(&thread, NULL, start, &s) != 0) {
        bench_fail("no thread");
    }
    while (atomic_load_explicit(&s.ready, memory_order_acquire) != 1) {
    }
    atomic_store_explicit(&s.ready, 2, memory_order_release);
    double seconds = race_time(consume, context, amount, group);
    pthread_join(thread, NULL);
    return seconds;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/perf/crowd.h"

#include <pthread.h>
#include <stdlib.h>

#include "tests/perf/cores.h"

/* Nobody waits so long for a processor. */
static const uint64_t patience_ns = 20000000000u;

bool crowd_shares;

struct crowd {
    crowd_produce *produce;
    crowd_consume *consume;
    void *queue;
    uint32_t producers, consumers;
    uint64_t each;     /* messages of one producer */
    uint64_t group;    /* messages of one timed group */
    uint64_t *ends_ns; /* when each group had come */
    _Alignas(128) _Atomic uint32_t ready;
    _Alignas(128) _Atomic uint32_t go;
    _Alignas(128) _Atomic uint64_t received;
};

typedef struct member {
    crowd *crowd;
    crowd_tally *tally; /* NULL: a producer */
    uint32_t number;
    pthread_t thread;
} member;

bool crowd_tell(crowd_tally *t)
{
    crowd *c = t->crowd;
    uint64_t fresh = t->count - t->told, all = (uint64_t)c->producers * c->each;
    t->told = t->count;
    uint64_t before = atomic_fetch_add_explicit(&c->received, fresh, memory_order_relaxed), received = before + fresh;
    if (received > all) {
        bench_fail("%llu messages came, %llu were sent", (unsigned long long)received, (unsigned long long)all);
    }
    if (received / c->group !=
        before / c->group) { /* who crosses the line times the group: groups are larger than what is told */
        c->ends_ns[before / c->group] = psy__now_ns();
    }
    if (fresh != 0) {
        t->quiet_ns = 0;
    } else if (t->quiet_ns == 0) {
        t->quiet_ns = psy__now_ns();
    } else if (received != all && psy__now_ns() - t->quiet_ns > patience_ns) {
        bench_fail("%llu of %llu messages came, and no more do", (unsigned long long)received, (unsigned long long)all);
    }
    return received == all;
}

static void *take_part(void *member_)
{
    member *m = member_;
    crowd *c = m->crowd;
    cores_pin(m->tally ? (int)(m->number % 2) : (int)((m->number + 1) % 2));
    atomic_fetch_add_explicit(&c->ready, 1, memory_order_release);
    for (uint32_t looks = 0; !atomic_load_explicit(&c->go, memory_order_acquire);) {
        crowd_pause(&looks);
    }
    if (m->tally) {
        c->consume(c->queue, m->number, m->tally);
    } else {
        c->produce(c->queue, m->number, c->each);
    }
    return NULL;
}

static void check(const crowd *c, const crowd_tally *tallies)
{
    uint64_t count = 0, sum = 0, squares = 0, wrong = 0, sent = 0, sent_sum = 0, sent_squares = 0;
    for (uint32_t k = 0; k < c->consumers; k++) {
        count += tallies[k].count;
        sum += tallies[k].sum;
        squares += tallies[k].squares;
        wrong |= tallies[k].wrong;
    }
    for (uint32_t p = 0; p < c->producers; p++) {
        for (uint64_t i = 0; i < c->each; i++) {
            uint64_t number = crowd_number(p, i);
            sent++;
            sent_sum += number;
            sent_squares += number * number;
        }
    }
    if (wrong || count != sent || sum != sent_sum || squares != sent_squares) {
        bench_fail("messages were lost, doubled or changed: %llu sent, %llu received", (unsigned long long)sent,
                   (unsigned long long)count);
    }
}

double crowd_race(crowd_produce *produce, crowd_consume *consume, void *queue, uint32_t producers, uint32_t consumers,
                  uint64_t amount, uint64_t group)
{
    size_t groups = amount / group;
    crowd c = {.produce = produce,
               .consume = consume,
               .queue = queue,
               .producers = producers,
               .consumers = consumers,
               .each = amount / producers,
               .group = group,
               .ends_ns = bench_memory(groups * sizeof(uint64_t))};
    member members[2 * CROWD_MAX];
    uint32_t n = producers + consumers;
    crowd_shares = n > 2;
    crowd_tally *tallies = bench_memory(consumers * sizeof *tallies);
    if (amount % producers != 0 || amount % group != 0 || group <= CROWD_TELL) {
        bench_fail("no groups of %llu, from %u producers, make %llu messages", (unsigned long long)group, producers,
                   (unsigned long long)amount);
    }
    /* The consumers first; the first of them is this thread. */
    for (uint32_t i = 0; i < n; i++) {
        bool consumes = i < consumers;
        members[i] = (member){&c, consumes ? &tallies[i] : NULL, consumes ? i : i - consumers, pthread_self()};
        if (consumes) {
            tallies[i].crowd = &c;
        }
        if (i > 0 && pthread_create(&members[i].thread, NULL, take_part, &members[i]) != 0) {
            bench_fail("no thread");
        }
    }
    cores_pin(0);
    for (uint32_t looks = 0; atomic_load_explicit(&c.ready, memory_order_acquire) != n - 1;) {
        crowd_pause(&looks);
    }
    uint64_t start = psy__now_ns();
    atomic_store_explicit(&c.go, 1, memory_order_release);
    consume(queue, 0, &tallies[0]);
    for (uint32_t i = 1; i < n; i++) {
        pthread_join(members[i].thread, NULL);
    }
    check(&c, tallies);
    double *seconds = bench_memory(groups * sizeof *seconds);
    for (size_t i = 0; i < groups; i++) {
        seconds[i] = (double)(c.ends_ns[i] - (i ? c.ends_ns[i - 1] : start)) * 1e-9;
    }
    double median = bench_median(seconds, groups);
    free(seconds);
    free(c.ends_ns);
    free(tallies);
    return median * (double)groups;
}

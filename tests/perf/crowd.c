/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/perf/crowd.h"

#include <pthread.h>
#include <stdlib.h>

#include "tests/perf/cores.h"

/* Some contestants come to a state in which every message waits for a time slice. */
static const uint64_t limit_ns = 500000000;
/* Nobody waits so long for a processor. */
static const uint64_t patience_ns = 60000000000u;

_Alignas(128) _Atomic bool crowd_stop;

struct crowd {
    crowd_produce *produce;
    crowd_consume *consume;
    void *queue;
    uint32_t producers, consumers;
    uint64_t each; /* messages of one producer */
    uint64_t start_ns;
    _Alignas(128) _Atomic uint32_t ready;
    _Alignas(128) _Atomic uint32_t go;
    _Alignas(128) _Atomic uint64_t received;
    _Alignas(128) _Atomic uint64_t sent; /* by those producers that are */
    _Atomic uint32_t done;
};

typedef struct member {
    crowd *crowd;
    crowd_tally *tally; /* NULL: a producer */
    uint32_t number;
    uint64_t sent;
    pthread_t thread;
} member;

bool crowd_tell(crowd_tally *t)
{
    crowd *c = t->crowd;
    uint64_t fresh = t->count - t->told, now = psy__now_ns();
    t->told = t->count;
    uint64_t before = atomic_fetch_add_explicit(&c->received, fresh, memory_order_relaxed), received = before + fresh;
    if (received > c->producers * c->each) {
        bench_fail("%llu messages came, more than were sent", (unsigned long long)received);
    }
    if (now > c->start_ns + limit_ns) {
        atomic_store_explicit(&crowd_stop, true, memory_order_relaxed);
    }
    if (now > c->start_ns + patience_ns) {
        bench_fail("%llu messages came, and no more do", (unsigned long long)received);
    }
    return atomic_load_explicit(&c->done, memory_order_acquire) == c->producers &&
           atomic_load_explicit(&c->received, memory_order_relaxed) >= atomic_load_explicit(&c->sent, memory_order_relaxed);
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
        m->sent = c->produce(c->queue, m->number, c->each);
        atomic_fetch_add_explicit(&c->sent, m->sent, memory_order_relaxed);
        atomic_fetch_add_explicit(&c->done, 1, memory_order_release);
    }
    return NULL;
}

/* Returns how many messages there were. */
static uint64_t check(const crowd *c, const crowd_tally *tallies, const member *producers)
{
    uint64_t count = 0, sum = 0, squares = 0, wrong = 0, sent = 0, sent_sum = 0, sent_squares = 0;
    for (uint32_t k = 0; k < c->consumers; k++) {
        count += tallies[k].count;
        sum += tallies[k].sum;
        squares += tallies[k].squares;
        wrong |= tallies[k].wrong;
    }
    for (uint32_t p = 0; p < c->producers; p++) {
        for (uint64_t i = 0; i < producers[p].sent; i++) {
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
    return count;
}

/* Processor time of all threads. */
static uint64_t spent_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

double crowd_race(crowd_produce *produce, crowd_consume *consume, void *queue, uint32_t producers, uint32_t consumers,
                  uint64_t amount)
{
    crowd c = {.produce = produce,
               .consume = consume,
               .queue = queue,
               .producers = producers,
               .consumers = consumers,
               .each = amount / producers};
    member members[2 * CROWD_MAX];
    uint32_t n = producers + consumers;
    atomic_store(&crowd_stop, false);
    crowd_tally *tallies = bench_memory(consumers * sizeof *tallies);
    if (amount % producers != 0) {
        bench_fail("%llu messages are not the same for each of %u producers", (unsigned long long)amount, producers);
    }
    /* The consumers first; the first of them is this thread. */
    for (uint32_t i = 0; i < n; i++) {
        bool consumes = i < consumers;
        members[i] = (member){&c, consumes ? &tallies[i] : NULL, consumes ? i : i - consumers, 0, pthread_self()};
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
    c.start_ns = psy__now_ns();
    uint64_t spent = spent_ns();
    atomic_store_explicit(&c.go, 1, memory_order_release);
    consume(queue, 0, &tallies[0]);
    spent = spent_ns() - spent;
    for (uint32_t i = 1; i < n; i++) {
        pthread_join(members[i].thread, NULL);
    }
    uint64_t count = check(&c, tallies, members + consumers);
    free(tallies);
    return (double)spent * 1e-9 / 2 / (double)count * (double)amount;
}

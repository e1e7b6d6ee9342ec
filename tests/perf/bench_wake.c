/* SPDX-License-Identifier: Apache-2.0 */
/* What it costs to wake a sleeper, and to have none.
 *
 *   ring/wake/park     from before a message is sent until a receiver that slept in psy_ring_wait has read it
 *   ring/wake/bell     the same for a receiver that slept in poll, on the ring's bell
 *   ring/wake/nobody   an 8-byte message is sent, and nobody sleeps: the sender's time
 *
 * The message is the time at which it was sent. Sender and receiver have a processor each. The sender gives the receiver time
 * to fall asleep, and the system counts how often it did: only messages that woke it count, and a run with few of them fails.
 * The peers do the same with a word of memory and the system's futex, event descriptor and pipe, and nothing else. */
#define _GNU_SOURCE
#include "tests/perf/bench.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <psyne/bell.h>
#include <psyne/ring.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/perf/cores.h"

enum { SLOTS = 1024, GROUP = SLOTS / 4, PAUSE_NS = 40000 };
static const uint64_t forever_ns = UINT64_MAX / 2;

typedef struct lane lane;

/* How messages go, and how their receiver sleeps. */
typedef struct way {
    void (*send)(lane *l, uint64_t message);
    uint64_t (*receive)(lane *l);           /* sleeps until there is one */
    void (*drain)(lane *l, uint64_t first); /* takes the GROUP messages from that one on, without sleeping */
    int (*open)(int ends[2]);               /* what is written to, or NULL: no descriptors */
} way;

struct lane {
    const way *way;
    int out, in; /* descriptors: what the receiver sleeps on, what the sender writes to */
    psy_bell bell;
    void *memory;
    _Alignas(128) psy_ring producer;
    _Alignas(128) psy_ring consumer;
    _Alignas(128) _Atomic uint64_t word; /* the peers' message; 0: none */
    _Atomic uint32_t count;              /* and their futex */
    _Alignas(128) _Atomic uint64_t received;
    uint64_t amount, slept;
    double *seconds;
};

static void check(bool right, const char *what)
{
    if (!right) {
        bench_fail("%s went wrong", what);
    }
}

/* ---- the ring ---- */

static bool ring_put(lane *l, uint64_t message)
{
    uint32_t got;
    uint64_t *slot = psy_ring_claim(&l->producer, 1, &got);
    if (slot) {
        *slot = message;
        psy_ring_commit(&l->producer, 1);
        psy_ring_flush(&l->producer);
    }
    return slot;
}

static uint64_t ring_take(lane *l)
{
    uint32_t got;
    const uint64_t *slot = psy_ring_peek(&l->consumer, 1, &got);
    uint64_t message = slot ? *slot : 0;
    psy_ring_release(&l->consumer, got);
    return message;
}

static void park_send(lane *l, uint64_t message)
{
    check(ring_put(l, message), "sending");
    psy_ring_wake_consumer(&l->producer);
}

static uint64_t park_receive(lane *l)
{
    check(psy_ring_wait(&l->consumer, forever_ns) == PSY_OK, "waiting");
    return ring_take(l);
}

static void ring_drain(lane *l, uint64_t first)
{
    for (uint64_t i = 0; i < GROUP; i++) {
        check(ring_take(l) == first + i, "a message");
    }
}

/* As a loop with epoll does it. */
static void sleep_on(int fd)
{
    struct pollfd f = {.fd = fd, .events = POLLIN};
    check(poll(&f, 1, -1) == 1 && f.revents == POLLIN, "sleeping");
}

static uint64_t bell_receive(lane *l)
{
    while (psy_ring_sleep_begin(&l->consumer)) {
        sleep_on(l->out);
        psy_bell_clear(&l->bell);
    }
    psy_ring_sleep_end(&l->consumer);
    return ring_take(l);
}

/* ---- the system's own ---- */

static long futex(_Atomic uint32_t *word, int operation, uint32_t value)
{
    return syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

static uint64_t word_take(lane *l) { return atomic_exchange_explicit(&l->word, 0, memory_order_acquire); }

static void futex_send(lane *l, uint64_t message)
{
    atomic_store_explicit(&l->word, message, memory_order_release);
    atomic_fetch_add_explicit(&l->count, 1, memory_order_release);
    futex(&l->count, FUTEX_WAKE, 1);
}

static uint64_t futex_receive(lane *l)
{
    for (;;) {
        uint32_t count = atomic_load_explicit(&l->count, memory_order_acquire);
        uint64_t message = word_take(l);
        if (message) {
            return message;
        }
        futex(&l->count, FUTEX_WAIT, count);
    }
}

static void word_drain(lane *l, uint64_t first) { check(word_take(l) == first + GROUP - 1, "a message"); }

static void descriptor_send(lane *l, uint64_t message)
{
    static const uint64_t one = 1;
    atomic_store_explicit(&l->word, message, memory_order_release);
    check(write(l->in, &one, sizeof one) == sizeof one, "writing");
}

static uint64_t descriptor_receive(lane *l)
{
    for (;;) {
        uint64_t rung;
        sleep_on(l->out);
        check(read(l->out, &rung, sizeof rung) == sizeof rung, "reading");
        uint64_t message = word_take(l);
        if (message) {
            return message;
        }
    }
}

static void event_drain(lane *l, uint64_t first)
{
    uint64_t rung;
    check(read(l->out, &rung, sizeof rung) == sizeof rung && rung == GROUP, "an event descriptor");
    word_drain(l, first);
}

static void pipe_drain(lane *l, uint64_t first)
{
    uint64_t rung[GROUP];
    check(read(l->out, rung, sizeof rung) == sizeof rung, "a pipe");
    word_drain(l, first);
}

static int open_event(int ends[2])
{
    ends[0] = eventfd(0, EFD_CLOEXEC);
    ends[1] = ends[0] < 0 ? -1 : dup(ends[0]);
    return ends[1] < 0 ? -1 : 0;
}

static int open_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

static const way ring_park = {park_send, park_receive, ring_drain, NULL},
                 ring_bell = {park_send, bell_receive, ring_drain, NULL},
                 plain_futex = {futex_send, futex_receive, word_drain, NULL},
                 plain_event = {descriptor_send, descriptor_receive, event_drain, open_event},
                 plain_pipe = {descriptor_send, descriptor_receive, pipe_drain, open_pipe};

static lane *open_lane(const way *how)
{
    lane *l = bench_memory(sizeof *l);
    uint64_t bytes = psy_ring_bytes(8, SLOTS);
    int ends[2] = {-1, -1};
    l->way = how;
    l->memory = bench_memory(bytes);
    check(psy_ring_init(&l->producer, l->memory, bytes, 8, SLOTS) == PSY_OK &&
              psy_ring_attach(&l->consumer, PSY_RING_CONSUMER, l->memory, bytes, 8, SLOTS) == PSY_OK,
          "making a ring");
    check(!how->open || how->open(ends) == 0, "opening a descriptor");
    l->out = ends[0];
    l->in = ends[1];
    if (how == &ring_bell) {
        check(psy_bell_open(&l->bell) == PSY_OK, "opening a bell");
        psy_ring_set_bell(&l->producer, l->bell);
        l->out = psy_bell_fd(&l->bell);
    }
    return l;
}

static void close_lane(lane *l)
{
    if (l->way->open) {
        close(l->out);
        close(l->in);
    }
    psy_bell_close(&l->bell);
    free(l->memory);
    free(l);
}

/* ---- waking ---- */

/* How often this thread went to sleep. */
static long sleeps(void)
{
    struct rusage usage;
    check(getrusage(RUSAGE_THREAD, &usage) == 0, "counting");
    return usage.ru_nvcsw;
}

static void *receive_all(void *lane_)
{
    lane *l = lane_;
    cores_pin(1);
    for (uint64_t i = 0; i < l->amount; i++) {
        long before = sleeps();
        uint64_t sent = l->way->receive(l), now = psy__now_ns();
        check(sent != 0 && sent <= now, "a message");
        if (sleeps() > before) {
            l->seconds[l->slept++] = (double)(now - sent) * 1e-9;
        }
        atomic_store_explicit(&l->received, i + 1, memory_order_release);
    }
    return NULL;
}

static double wake(const way *how, uint64_t amount)
{
    lane *l = open_lane(how);
    pthread_t receiver;
    l->amount = amount;
    l->seconds = bench_memory(amount * sizeof *l->seconds);
    cores_pin(0);
    check(pthread_create(&receiver, NULL, receive_all, l) == 0, "starting a thread");
    for (uint64_t i = 0; i < amount; i++) {
        while (atomic_load_explicit(&l->received, memory_order_acquire) != i) {
            psy__relax();
        }
        for (uint64_t until = psy__now_ns() + PAUSE_NS; psy__now_ns() < until;) {
            psy__relax();
        }
        l->way->send(l, psy__now_ns());
    }
    pthread_join(receiver, NULL);
    if (l->slept < amount / 2) {
        bench_fail("the receiver slept before %llu of %llu messages only", (unsigned long long)l->slept,
                   (unsigned long long)amount);
    }
    double seconds = bench_median(l->seconds, l->slept) * (double)amount;
    free(l->seconds);
    close_lane(l);
    return seconds;
}

/* ---- nobody to wake ---- */

static double send_only(const way *how, uint64_t amount)
{
    lane *l = open_lane(how);
    size_t groups = amount / GROUP;
    double *seconds = bench_memory(groups * sizeof *seconds);
    cores_pin(0);
    for (uint64_t i = 0; i < groups; i++) {
        uint64_t first = 1 + i * GROUP, start = psy__now_ns();
        for (uint64_t k = 0; k < GROUP; k++) {
            l->way->send(l, first + k);
        }
        seconds[i] = (double)(psy__now_ns() - start) * 1e-9;
        l->way->drain(l, first);
    }
    double median = bench_median(seconds, groups);
    free(seconds);
    close_lane(l);
    return median * (double)groups;
}

#define RUNS(name)                                                                                                             \
    static double wake_##name(void *unused, uint64_t amount) { return (void)unused, wake(&name, amount); }
#define RUNS_ALONE(name)                                                                                                       \
    static double send_##name(void *unused, uint64_t amount) { return (void)unused, send_only(&name, amount); }
RUNS(ring_park)
RUNS(ring_bell)
RUNS(plain_futex)
RUNS(plain_event)
RUNS(plain_pipe)
RUNS_ALONE(ring_park)
RUNS_ALONE(plain_futex)
RUNS_ALONE(plain_event)
RUNS_ALONE(plain_pipe)

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "waking, two pinned threads");
    if (cores_count() < 2) {
        bench_skip("ring/wake", "two processors are needed");
        return bench_end();
    }
    bench_measure(&(bench_figure){.name = "ring/wake/park",
                                  .unit = &bench_microseconds,
                                  .step = 100,
                                  .seconds = 0.01,
                                  .subject = {"psyne", wake_ring_park},
                                  .peers = {{.name = "futex", .run = wake_plain_futex}}});
    bench_measure(
        &(bench_figure){.name = "ring/wake/bell",
                        .unit = &bench_microseconds,
                        .step = 100,
                        .seconds = 0.01,
                        .subject = {"psyne", wake_ring_bell},
                        .peers = {{.name = "eventfd", .run = wake_plain_event}, {.name = "pipe", .run = wake_plain_pipe}}});
    bench_measure(&(bench_figure){.name = "ring/wake/nobody",
                                  .unit = &bench_nanoseconds,
                                  .step = 16 * GROUP,
                                  .seconds = 0.02,
                                  .subject = {"psyne", send_ring_park},
                                  .peers = {{.name = "futex", .run = send_plain_futex},
                                            {.name = "eventfd", .run = send_plain_event},
                                            {.name = "pipe", .run = send_plain_pipe}}});
    return bench_end();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for the other side of a ring, and waking it. */
#define _GNU_SOURCE
#include <psyne/ring.h>

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* Where somebody may be dead, nobody sleeps longer than a slice without a look after him. */
static const uint64_t slice_ns = 20000000;
enum { PARK_LOOKS = 64, SPINS = 256 };

static long futex(PSY_ATOMIC(uint32_t) * word, int op, uint32_t value, const struct timespec *timeout)
{
    return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

static void sleep_on(PSY_ATOMIC(uint32_t) * word, uint32_t ticket, uint64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    futex(word, FUTEX_WAIT, ticket, &t);
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* One side's part in waiting. */
typedef struct turn {
    bool (*nothing)(psy_ring *ring); /* to do for it, now */
    bool (*begin)(psy_ring *ring);
    void (*end)(psy_ring *ring);
    void (*show)(psy_ring *ring); /* its position, and wake the other side for that */
    size_t word;                  /* of the header */
    const char *peer;
} turn;

static void show_settled(psy_ring *ring)
{
    psy_ring_settle(ring);
    if (ring->counters) {
        psy_ring_count(ring); /* in vain, too */
    }
    psy_ring_wake_producer(ring);
}
static void show_flushed(psy_ring *ring)
{
    psy_ring_flush(ring);
    if (ring->counters) {
        psy_ring_count(ring);
    }
    psy_ring_wake_consumer(ring);
}
static const turn consumer_turn = {
    psy_ring_empty, psy_ring_sleep_begin, psy_ring_sleep_end, show_settled, offsetof(psy_ring_header, consumer_waits),
    "producer"};
static const turn producer_turn = {
    psy_ring_full, psy_ring_room_begin, psy_ring_room_end, show_flushed, offsetof(psy_ring_header, producer_waits), "consumer"};

/* Until the time is up; true when there is something to do. */
static bool look_until(psy_ring *ring, const turn *t, uint64_t until_ns)
{
    for (uint32_t i = 0;; i++) {
        if (!t->nothing(ring) || ring->broken) {
            return true;
        }
        if (ring->waiting == PSY_RING_YIELD) {
            sched_yield();
        } else {
            relax();
        }
        if ((ring->waiting == PSY_RING_YIELD || i % SPINS == 0) && psy__now_ns() >= until_ns) {
            return false;
        }
    }
}

static bool park_until(psy_ring *ring, const turn *t, uint64_t until_ns)
{
    bool found = false;
    for (uint32_t i = 0; i < PARK_LOOKS && !found; i++) {
        found = !t->nothing(ring);
        relax();
    }
    while (!found) {
        found = !t->begin(ring) || ring->broken;
        uint64_t now = psy__now_ns();
        if (found || now >= until_ns) {
            break;
        }
        uint32_t ticket = ring->ticket;
        t->show(ring); /* what was held back is shown now, and the other side may sleep for that */
        sleep_on((PSY_ATOMIC(uint32_t) *)(void *)((uint8_t *)ring->header + t->word), ticket, until_ns - now);
    }
    t->end(ring);
    return found;
}

static psy_status wait_turn(psy_ring *ring, const turn *t, uint64_t timeout_ns)
{
    uint64_t deadline = psy__add_ns(psy__now_ns(), timeout_ns);
    /* Among several consumers, one without a seat that dies may be handed what another left. */
    bool looks = ring->seat.fd >= 0 || (ring->side == PSY_RING_CONSUMER && psy_ring_many_consumers(ring));
    t->show(ring);
    for (;;) {
        uint64_t now = psy__now_ns(), until = deadline;
        if (looks && deadline > now && deadline - now > slice_ns) {
            until = now + slice_ns;
        }
        bool found = ring->waiting == PSY_RING_PARK ? park_until(ring, t, until) : look_until(ring, t, until);
        if (ring->broken) {
            return psy_fail(PSY_CORRUPT, "the ring's %s broke it", t->peer);
        }
        if (found) {
            return PSY_OK;
        }
        if (looks) {
            psy_status status = psy_ring_recover(ring, NULL);
            if (!t->nothing(ring)) {
                return PSY_OK;
            }
            if (status == PSY_PEER_DIED) {
                return status;
            }
        }
        if (until == deadline) {
            return PSY_TIMEOUT;
        }
    }
}

psy_status psy_ring_wait(psy_ring *ring, uint64_t timeout_ns) { return wait_turn(ring, &consumer_turn, timeout_ns); }
psy_status psy_ring_wait_room(psy_ring *ring, uint64_t timeout_ns) { return wait_turn(ring, &producer_turn, timeout_ns); }

static void wake(psy_ring *ring, PSY_ATOMIC(uint32_t) * word, bool all)
{
    if (ring->counters) {
        psy_counter_add(&ring->counters->wakes, 1);
    }
    futex(word, FUTEX_WAKE, all ? INT_MAX : 1, NULL);
    psy_bell_ring(&ring->bell);
}

void psy_ring_wake_consumer(psy_ring *ring)
{
    if (psy_ring_take_wake(ring)) {
        wake(ring, &ring->header->consumer_waits, psy_ring_many_consumers(ring));
    }
}

void psy_ring_wake_producer(psy_ring *ring)
{
    if (psy_ring_take_room_wake(ring)) {
        wake(ring, &ring->header->producer_waits, psy_ring_many_producers(ring));
    }
}

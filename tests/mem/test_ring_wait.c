/* SPDX-License-Identifier: Apache-2.0 */
/* The three ways to wait, on rings of every kind and both sides: how long, woken by what, and what was accepted is shown first.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/mem/pair.h"

enum { SLOTS = 16, ROUNDS = 300 };
static const uint64_t second_ns = 1000000000, short_ns = 3000000;
static const char *const names[] = {"park", "yield", "spin"};

typedef struct two {
    void *memory;
    psy_ring producer, consumer;
    psy_ring_kind kind;
    psy_ring_waiting how;
} two;

static two join_two(psy_ring_kind kind, psy_ring_waiting how)
{
    psy_ring_shape shape = {kind, 8, SLOTS};
    psy_seat seats[2] = {psy_seat_bare(1), psy_seat_bare(2)};
    uint64_t bytes = psy_ring_shape_bytes(&shape);
    two t = {.memory = aligned_alloc(128, bytes), .kind = kind, .how = how};
    cr_assert_not_null(t.memory);
    cr_assert_eq(psy_ring_format(t.memory, bytes, &shape), PSY_OK);
    cr_assert_eq(psy_ring_join(&t.producer, PSY_RING_PRODUCER, t.memory, bytes, &shape, &seats[0]), PSY_OK);
    cr_assert_eq(psy_ring_join(&t.consumer, PSY_RING_CONSUMER, t.memory, bytes, &shape, &seats[1]), PSY_OK);
    psy_ring_set_waiting(&t.producer, how);
    psy_ring_set_waiting(&t.consumer, how);
    return t;
}

static void each(void (*test)(two *t))
{
    for (int kind = PSY_RING_SPSC; kind <= PSY_RING_MPMC; kind++) {
        for (int how = PSY_RING_PARK; how <= PSY_RING_SPIN; how++) {
            two t = join_two((psy_ring_kind)kind, (psy_ring_waiting)how);
            test(&t);
            free(t.memory);
        }
    }
}

static void fill_up(two *t)
{
    while (!is_full(&t->producer)) {
        push(&t->producer, 1);
    }
    psy_ring_flush(&t->producer);
}

static void expect_timeout(two *t, psy_ring *ring, uint64_t ns)
{
    uint64_t before = psy__now_ns();
    psy_status status = ring->side == PSY_RING_CONSUMER ? psy_ring_wait(ring, ns) : psy_ring_wait_room(ring, ns);
    uint64_t took = psy__now_ns() - before;
    cr_assert_eq(status, PSY_TIMEOUT, "kind %d, %s", (int)t->kind, names[t->how]);
    cr_assert_geq(took, ns, "kind %d, %s: back after %lu ns", (int)t->kind, names[t->how], (unsigned long)took);
    cr_assert_lt(took, 10 * second_ns);
}

static void time_out(two *t)
{
    expect_timeout(t, &t->consumer, 0);
    expect_timeout(t, &t->consumer, 1);
    expect_timeout(t, &t->consumer, short_ns);
    fill_up(t);
    expect_timeout(t, &t->producer, 0);
    expect_timeout(t, &t->producer, 1);
    expect_timeout(t, &t->producer, short_ns);
}
Test(ring_wait, time_outs) { each(time_out); }

static void return_at_once(two *t)
{
    cr_assert_eq(psy_ring_wait_room(&t->producer, 0), PSY_OK);
    cr_assert_eq(psy_ring_wait_room(&t->producer, UINT64_MAX), PSY_OK);
    push(&t->producer, 7);
    psy_ring_flush(&t->producer);
    cr_assert_eq(psy_ring_wait(&t->consumer, 0), PSY_OK);
    cr_assert_eq(psy_ring_wait(&t->consumer, UINT64_MAX), PSY_OK);
    cr_assert_eq(pop(&t->consumer), 7u, "waiting takes nothing");
}
Test(ring_wait, nothing_to_wait_for) { each(return_at_once); }

/* A producer that waits for what may follow from its messages has published them, however few; a consumer that waits has shown
 * the room that it gave back. */
static void show_first(two *t)
{
    push(&t->producer, 3);
    cr_assert_eq(psy_ring_wait_room(&t->producer, 0), PSY_OK);
    cr_assert_eq(pop(&t->consumer), 3u, "kind %d, %s: accepted means published", (int)t->kind, names[t->how]);
    cr_assert_eq(psy_ring_wait(&t->consumer, 0), PSY_TIMEOUT);
    cr_assert_eq(psy_ring_fill(&t->consumer), 0u, "kind %d, %s: given back means shown", (int)t->kind, names[t->how]);
    fill_up(t);
    (void)pop(&t->consumer);
    if (!psy_ring_many_consumers(&t->consumer)) { /* the run is not given back whole yet */
        cr_assert_eq(psy_ring_wait(&t->consumer, 0), PSY_OK, "there are others");
        cr_assert_not(is_full(&t->producer));
    }
}
Test(ring_wait, whoever_waits_shows_first) { each(show_first); }

/* ---- between threads ---- */

typedef struct late {
    two *t;
    uint64_t after_us;
    bool room; /* gives back, or sends */
} late;

static void *act_late(void *argument)
{
    late *l = argument;
    usleep((useconds_t)l->after_us);
    if (l->room) {
        uint32_t got;
        while (psy_ring_peek(&l->t->consumer, 1, &got)) { /* all: a run is given back whole */
            psy_ring_release(&l->t->consumer, 1);
        }
        psy_ring_settle(&l->t->consumer);
        psy_ring_wake_producer(&l->t->consumer);
    } else {
        push(&l->t->producer, 9);
        psy_ring_flush(&l->t->producer);
        psy_ring_wake_consumer(&l->t->producer);
    }
    return NULL;
}

static void wait_for(two *t, bool room, uint64_t timeout_ns)
{
    late l = {t, 2000, room};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, act_late, &l), 0);
    alarm(60); /* for ever is too long */
    psy_status status = room ? psy_ring_wait_room(&t->producer, timeout_ns) : psy_ring_wait(&t->consumer, timeout_ns);
    alarm(0);
    pthread_join(thread, NULL);
    cr_assert_eq(status, PSY_OK, "kind %d, %s, %s", (int)t->kind, names[t->how], room ? "room" : "messages");
}

static void wait_long(two *t)
{
    wait_for(t, false, UINT64_MAX);
    cr_assert_eq(pop(&t->consumer), 9u);
    wait_for(t, false, UINT64_MAX - 1);
    cr_assert_eq(pop(&t->consumer), 9u);
    wait_for(t, false, 30 * second_ns);
    cr_assert_eq(pop(&t->consumer), 9u);
    psy_ring_settle(&t->consumer);
    fill_up(t);
    wait_for(t, true, UINT64_MAX);
    fill_up(t);
    wait_for(t, true, 30 * second_ns);
}
Test(ring_wait, for_ever_and_long) { each(wait_long); }

/* Each message is answered before the next: whoever misses one wake-up hangs. The two sides wait in different ways. */
typedef struct dialogue {
    two there, back;
    const char *complaint;
} dialogue;

static const char *hear(psy_ring *ring, uint64_t number)
{
    uint32_t got;
    const uint64_t *slot;
    while (!(slot = psy_ring_peek(ring, 1, &got))) {
        if (psy_ring_wait(ring, 20 * second_ns) != PSY_OK) {
            return "never woken";
        }
    }
    const char *complaint = *slot == number ? NULL : "another message";
    psy_ring_release(ring, 1);
    return complaint;
}

static void say(psy_ring *ring, uint64_t number)
{
    push(ring, number);
    psy_ring_flush(ring);
    psy_ring_wake_consumer(ring);
}

static void *answer(void *argument)
{
    dialogue *d = argument;
    for (uint64_t i = 0; i < ROUNDS && !d->complaint; i++) {
        d->complaint = hear(&d->there.consumer, i);
        say(&d->back.producer, i);
    }
    return NULL;
}

Test(ring_wait, dialogues)
{
    for (int kind = PSY_RING_SPSC; kind <= PSY_RING_MPMC; kind++) {
        for (int how = PSY_RING_PARK; how <= PSY_RING_SPIN; how++) {
            dialogue d = {.there = join_two((psy_ring_kind)kind, (psy_ring_waiting)how),
                          .back = join_two((psy_ring_kind)kind, (psy_ring_waiting)((how + 1) % 3))}; /* mixed, too */
            pthread_t thread;
            const char *complaint = NULL;
            cr_assert_eq(pthread_create(&thread, NULL, answer, &d), 0);
            for (uint64_t i = 0; i < ROUNDS && !complaint; i++) {
                say(&d.there.producer, i);
                complaint = hear(&d.back.consumer, i);
            }
            pthread_join(thread, NULL);
            cr_assert_null(complaint, "kind %d, %s: %s", kind, names[how], complaint ? complaint : "");
            cr_assert_null(d.complaint, "kind %d, %s: %s", kind, names[how], d.complaint ? d.complaint : "");
            free(d.there.memory);
            free(d.back.memory);
        }
    }
}

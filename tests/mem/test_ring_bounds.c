/* SPDX-License-Identifier: Apache-2.0 */
/* Rings at their limits: seats that change hands, the most producers, the fewest slots, positions at the end of what they count
 * to, the longest runs. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/mem/world.h"

static psy_slab *slab_for(const psy_ring_shape *shape, uint32_t rings)
{
    psy_slab *slab = NULL;
    psy_slab_options options = {.bytes = psy_ring_shape_bytes(shape) * rings, .name = "bounds"};
    cr_assert_eq(psy_slab_create(&options, &slab), PSY_OK, "%s", psy_detail());
    for (uint32_t i = 0; i < rings; i++) {
        cr_assert_eq(psy_ring_format((uint8_t *)psy_slab_data(slab) + i * psy_ring_shape_bytes(shape),
                                     psy_ring_shape_bytes(shape), shape),
                     PSY_OK);
    }
    return slab;
}

static psy_seat sit(psy_slab *slab, uint32_t number)
{
    psy_seat seat;
    cr_assert_eq(psy_seat_take_number(slab, number, &seat), PSY_OK, "%s", psy_detail());
    return seat;
}

static psy_ring join_nth(psy_slab *slab, const psy_ring_shape *shape, uint32_t nth, psy_ring_side side, const psy_seat *seat)
{
    psy_ring ring;
    uint64_t bytes = psy_ring_shape_bytes(shape);
    cr_assert_eq(psy_ring_join(&ring, side, (uint8_t *)psy_slab_data(slab) + nth * bytes, bytes, shape, seat), PSY_OK, "%s",
                 psy_detail());
    return ring;
}
static psy_ring join(psy_slab *slab, const psy_ring_shape *shape, psy_ring_side side, const psy_seat *seat)
{
    return join_nth(slab, shape, 0, side, seat);
}

/* ---- seats that change hands ---- */

static const psy_ring_shape crowd = {PSY_RING_MPMC, 16, 8};

/* A dead producer's seat goes to one who only reads here: his claim is padding all the same. */
Test(ring_bounds, a_seat_comes_back_on_the_other_side)
{
    psy_slab *slab = slab_for(&crowd, 1);
    psy_seat a = sit(slab, 1), b = sit(slab, 2);
    psy_ring dead = join(slab, &crowd, PSY_RING_PRODUCER, &a), writer = join(slab, &crowd, PSY_RING_PRODUCER, &b);
    uint32_t got;
    cr_assert_not_null(psy_ring_claim(&dead, 2, &got));
    push(&writer, 7);
    psy_seat_leave(&a);
    a = sit(slab, 1);
    psy_ring reader = join(slab, &crowd, PSY_RING_CONSUMER, &a);
    cr_assert_eq(pop(&reader), 7u);
    /* And the other way round: a dead consumer's seat goes to one who only writes. */
    push(&writer, 8);
    cr_assert_not_null(psy_ring_peek(&reader, 1, &got));
    psy_seat_leave(&a);
    a = sit(slab, 1);
    dead = join(slab, &crowd, PSY_RING_PRODUCER, &a);
    psy_seat c = sit(slab, 3);
    reader = join(slab, &crowd, PSY_RING_CONSUMER, &c);
    psy_ring_report report;
    cr_assert_eq(psy_ring_recover(&reader, &report), PSY_OK);
    cr_assert_eq(report.adopted, 1u);
    cr_assert_eq(pop(&reader), 8u);
    /* The reader dies: that the seat of a dead reader before it is taken by a writer means no reader lives. */
    psy_seat_leave(&c);
    cr_assert_eq(psy_ring_recover(&writer, NULL), PSY_PEER_DIED);
    psy_seat_leave(&a);
    psy_seat_leave(&b);
    psy_slab_destroy(slab);
}

/* He took the seat and joined another ring of the slab only: here nobody sits in it. */
Test(ring_bounds, a_seat_comes_back_in_another_ring)
{
    psy_slab *slab = slab_for(&crowd, 2);
    psy_seat a = sit(slab, 1), b = sit(slab, 2);
    psy_ring dead = join(slab, &crowd, PSY_RING_PRODUCER, &a), taker = join(slab, &crowd, PSY_RING_CONSUMER, &a);
    psy_ring reader = join(slab, &crowd, PSY_RING_CONSUMER, &b);
    psy_ring_report report;
    uint32_t got;
    push(&dead, 5);
    cr_assert_not_null(psy_ring_peek(&taker, 1, &got));
    cr_assert_not_null(psy_ring_claim(&dead, 3, &got));
    cr_assert_eq(psy_ring_recover(&reader, &report), PSY_OK);
    cr_assert(report.held == 2 && report.holder == 1 && report.padded + report.adopted == 0);
    psy_seat_leave(&a);
    a = sit(slab, 1);
    psy_ring other = join_nth(slab, &crowd, 1, PSY_RING_PRODUCER, &a);
    push(&other, 6);
    cr_assert(psy_seat_lives(&b, 1));
    cr_assert_eq(psy_ring_recover(&reader, &report), PSY_PEER_DIED);
    cr_assert(report.padded == 1 && report.adopted == 1 && report.held == 0);
    cr_assert_eq(pop(&reader), 5u);
    cr_assert(is_empty(&reader));
    psy_ring again = join(slab, &crowd, PSY_RING_PRODUCER, &a);
    expect_works(&again, &reader);
    psy_seat_leave(&a);
    psy_seat_leave(&b);
    psy_slab_destroy(slab);
}

Test(ring_bounds, the_single_sides_seat_comes_back_on_the_other_side)
{
    static const psy_ring_shape pipe = {PSY_RING_SPSC, 8, 8};
    psy_slab *slab = slab_for(&pipe, 1);
    psy_seat a = sit(slab, 1);
    psy_ring producer = join(slab, &pipe, PSY_RING_PRODUCER, &a);
    push(&producer, 1);
    psy_ring_flush(&producer);
    psy_seat_leave(&a);
    a = sit(slab, 1);
    psy_ring consumer = join(slab, &pipe, PSY_RING_CONSUMER, &a);
    cr_assert_eq(psy_ring_wait(&consumer, 0), PSY_OK);
    cr_assert_eq(pop(&consumer), 1u);
    cr_assert_eq(psy_ring_wait(&consumer, 200000000), PSY_PEER_DIED);
    psy_seat_leave(&a);
    psy_slab_destroy(slab);
}

/* What was adopted and not yet read when its reader leaves, and what it was in the midst of, goes to the others. */
static void leave_and_read(psy_seat seats[3], psy_slab *slab, void *memory)
{
    psy_ring rings[3];
    psy_ring_report report;
    uint32_t got;
    uint64_t bytes = psy_ring_shape_bytes(&crowd);
    bool mortal = slab != NULL;
    memory = mortal ? psy_slab_data(slab) : memory;
    for (uint32_t i = 0; i < 3; i++) {
        cr_assert_eq(psy_ring_join(&rings[i], i ? PSY_RING_CONSUMER : PSY_RING_PRODUCER, memory, bytes, &crowd, &seats[i]),
                     PSY_OK);
    }
    for (uint64_t i = 1; i <= 5; i++) {
        push(&rings[0], i);
    }
    cr_assert_not_null(psy_ring_peek(&rings[1], 3, &got)); /* 1, 2, 3 */
    cr_assert_eq(got, 3u);
    psy_ring_release(&rings[1], 1);
    psy_ring_leave(&rings[1]);                             /* 2, 3: handed over */
    cr_assert_not_null(psy_ring_peek(&rings[2], 1, &got)); /* 4 */
    cr_assert_eq(psy_ring_recover(&rings[2], &report), mortal ? PSY_OK : PSY_UNSUPPORTED);
    cr_assert_eq(report.adopted, 1u);
    psy_ring_leave(&rings[2]); /* 4, and 2 and 3, which it never looked at */
    cr_assert_eq(psy_ring_join(&rings[1], PSY_RING_CONSUMER, memory, bytes, &crowd, &seats[1]), PSY_OK);
    bool came[6] = {false};
    for (uint32_t i = 0; i < 4; i++) {
        cr_assert_eq(psy_ring_wait(&rings[1], 2000000000), PSY_OK);
        uint64_t number = pop(&rings[1]);
        cr_assert(number >= 2 && number <= 5 && !came[number], "%llu", (unsigned long long)number);
        came[number] = true;
    }
    expect_works(&rings[0], &rings[1]);
}

/* Whoever takes a dead one's seat has its lock for a moment before its epoch: until then it looks as if he lived. */
Test(ring_bounds, a_seat_that_is_just_being_taken)
{
    const psy_ring_shape shape = {PSY_RING_MPSC, 16, 8};
    psy_slab *slab = slab_for(&shape, 1);
    psy_seat a = sit(slab, 1), b = sit(slab, 2);
    psy_ring dead = join(slab, &shape, PSY_RING_CONSUMER, &a), reader;
    cr_assert(!psy_ring_broken(&dead));
    psy_seat_leave(&a);
    a = sit(slab, 1);
    uint32_t *epoch = &((psy_slab_page *)psy_slab_base(slab))->seats[1].epoch;
    __atomic_fetch_sub(epoch, 1, __ATOMIC_RELAXED);
    cr_assert_eq(psy_ring_join(&reader, PSY_RING_CONSUMER, psy_slab_data(slab), psy_slab_data_bytes(slab), &shape, &b),
                 PSY_FULL);
    __atomic_fetch_add(epoch, 1, __ATOMIC_RELAXED);
    reader = join(slab, &shape, PSY_RING_CONSUMER, &b);
    cr_assert(is_empty(&reader));
    /* He who lives keeps his place. */
    psy_ring other;
    cr_assert_eq(psy_ring_join(&other, PSY_RING_CONSUMER, psy_slab_data(slab), psy_slab_data_bytes(slab), &shape, &a),
                 PSY_FULL);
    psy_seat_leave(&a);
    psy_seat_leave(&b);
    psy_slab_destroy(slab);
}

Test(ring_bounds, a_leaving_consumer_keeps_nothing)
{
    psy_slab *slab = slab_for(&crowd, 1);
    psy_seat seats[3] = {sit(slab, 1), sit(slab, 2), sit(slab, 3)};
    leave_and_read(seats, slab, NULL);
    for (uint32_t i = 0; i < 3; i++) {
        psy_seat_leave(&seats[i]);
    }
    psy_slab_destroy(slab);
}

Test(ring_bounds, a_leaving_thread_keeps_nothing)
{
    uint64_t bytes = psy_ring_shape_bytes(&crowd);
    void *memory = aligned_alloc(128, bytes);
    psy_seat seats[3] = {psy_seat_bare(1), psy_seat_bare(2), psy_seat_bare(3)};
    cr_assert_not_null(memory);
    cr_assert_eq(psy_ring_format(memory, bytes, &crowd), PSY_OK);
    leave_and_read(seats, NULL, memory);
    free(memory);
}

/* Nobody can tell whether it lives, so nobody says that it is dead. */
Test(ring_bounds, a_seat_without_liveness_is_never_dead)
{
    psy_slab *slab = slab_for(&crowd, 1);
    psy_seat a = sit(slab, 1), bare = psy_seat_bare(9);
    psy_ring writer = join(slab, &crowd, PSY_RING_PRODUCER, &bare), reader = join(slab, &crowd, PSY_RING_CONSUMER, &a);
    psy_ring_report report;
    uint32_t got;
    uint64_t *slot = psy_ring_claim(&writer, 1, &got);
    cr_assert_not_null(slot);
    cr_assert_eq(psy_ring_recover(&reader, &report), PSY_OK);
    cr_assert(report.held == 1 && report.holder == 9 && report.padded == 0);
    *slot = 3;
    psy_ring_commit(&writer, 1);
    cr_assert_eq(pop(&reader), 3u);
    psy_seat_leave(&a);
    psy_slab_destroy(slab);
}

/* While somebody else clears up, it is not known yet what the dead have left: that comes first. */
Test(ring_bounds, nobody_is_called_dead_before_his_messages_came)
{
    psy_slab *slab = slab_for(&crowd, 1);
    psy_seat a = sit(slab, 1), b = sit(slab, 2), c = sit(slab, 3), d = sit(slab, 4);
    psy_ring dead = join(slab, &crowd, PSY_RING_PRODUCER, &a), other = join(slab, &crowd, PSY_RING_PRODUCER, &b);
    psy_ring reader = join(slab, &crowd, PSY_RING_CONSUMER, &c);
    uint32_t got;
    cr_assert_not_null(psy_ring_claim(&dead, 1, &got));
    push(&other, 4);
    psy_seat_leave(&a);
    psy_seat_leave(&b);
    cr_assert(psy_seat_seize(&d, 0));
    cr_assert_eq(psy_ring_wait(&reader, 50000000), PSY_TIMEOUT);
    psy_seat_unseize(&d, 0);
    cr_assert_eq(psy_ring_wait(&reader, 50000000), PSY_OK);
    cr_assert_eq(pop(&reader), 4u);
    cr_assert_eq(psy_ring_wait(&reader, 50000000), PSY_PEER_DIED);
    psy_seat_leave(&c);
    psy_seat_leave(&d);
    psy_slab_destroy(slab);
}

/* A forked child shares the seat: it lives until both are gone. */
Test(ring_bounds, a_fork_keeps_the_seat)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    psy_slab *slab = slab_for(&crowd, 1);
    psy_seat mine = sit(slab, 9);
    psy_ring reader = join(slab, &crowd, PSY_RING_CONSUMER, &mine);
    int tell[2];
    cr_assert_eq(pipe(tell), 0);
    pid_t pids[2], child = fork();
    if (child == 0) {
        psy_seat_leave(&mine); /* its own copy */
        psy_seat seat = sit(slab, 1);
        psy_ring writer = join(slab, &crowd, PSY_RING_PRODUCER, &seat);
        uint32_t got;
        psy_ring_claim(&writer, 1, &got);
        pids[0] = getpid();
        pids[1] = fork();
        if (pids[1] != 0) {
            got = write(tell[1], pids, sizeof pids) == (ssize_t)sizeof pids;
        }
        pause();
        _exit(1);
    }
    cr_assert_eq(read(tell[0], pids, sizeof pids), (ssize_t)sizeof pids);
    psy_ring_report report;
    cr_assert_eq(psy_ring_recover(&reader, &report), PSY_OK);
    cr_assert_eq(report.held, 1u);
    cr_assert_eq(kill(pids[0], SIGKILL), 0);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    cr_assert_eq(psy_ring_recover(&reader, &report), PSY_OK);
    cr_assert(report.held == 1 && report.padded == 0, "its child has the claim too");
    cr_assert_eq(kill(pids[1], SIGKILL), 0);
    psy_status status = PSY_OK;
    for (uint32_t i = 0; i < 2000 && status == PSY_OK; i++) { /* it is not ours to wait for */
        usleep(1000);
        status = psy_ring_recover(&reader, &report);
    }
    cr_assert_eq(status, PSY_PEER_DIED);
    close(tell[0]);
    close(tell[1]);
    psy_seat_leave(&mine);
    psy_slab_destroy(slab);
}

/* ---- the most, and the fewest ---- */

/* 254 producers have a claim each, every other one dies. */
Test(ring_bounds, as_many_producers_as_there_are_seats)
{
    static const psy_ring_shape wide = {PSY_RING_MPMC, 8, 512};
    static psy_ring rings[256];
    static psy_seat seats[256];
    psy_slab *slab = slab_for(&wide, 1);
    uint32_t got;
    for (uint32_t i = 1; i <= 255; i++) {
        seats[i] = sit(slab, i);
        rings[i] = join(slab, &wide, i == 255 ? PSY_RING_CONSUMER : PSY_RING_PRODUCER, &seats[i]);
    }
    for (uint32_t i = 1; i < 255; i++) {
        uint64_t *slots = psy_ring_claim(&rings[i], 2, &got);
        cr_assert(slots && got == 2);
        slots[0] = slots[1] = i;
    }
    for (uint32_t i = 254; i > 0; i--) {
        if (i % 2) {
            psy_ring_commit(&rings[i], 2);
        } else {
            psy_seat_leave(&seats[i]);
        }
    }
    psy_ring_report report;
    cr_assert_eq(psy_ring_recover(&rings[255], &report), PSY_OK);
    cr_assert_eq(report.padded, 127u);
    for (uint64_t i = 1; i < 255; i += 2) {
        cr_assert_eq(pop(&rings[255]), i);
        cr_assert_eq(pop(&rings[255]), i);
    }
    cr_assert(is_empty(&rings[255]));
    for (uint32_t i = 1; i < 255; i += 2) {
        cr_assert_eq(psy_ring_recover(&rings[255], &report), PSY_OK);
        psy_seat_leave(&seats[i]);
    }
    cr_assert_eq(psy_ring_recover(&rings[255], &report), PSY_PEER_DIED);
    psy_seat_leave(&seats[255]);
    psy_slab_destroy(slab);
}

typedef struct two {
    psy_ring_shape shape;
    void *memory;
    psy_ring producer, consumer;
} two;

/* Both sides of a ring whose positions begin at `at`. */
static two start_at(psy_ring_kind kind, uint32_t stride, uint32_t slots, uint64_t at)
{
    two t = {.shape = {kind, stride, slots}};
    uint64_t bytes = psy_ring_shape_bytes(&t.shape);
    psy_seat a = psy_seat_bare(255), b = psy_seat_bare(254);
    t.memory = aligned_alloc(128, bytes);
    cr_assert_not_null(t.memory);
    cr_assert_eq(psy_ring_format(t.memory, bytes, &t.shape), PSY_OK);
    psy_ring_header *header = t.memory;
    header->published = header->released = header->taken = at;
    cr_assert_eq(psy_ring_join(&t.producer, PSY_RING_PRODUCER, t.memory, bytes, &t.shape, &a), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_ring_join(&t.consumer, PSY_RING_CONSUMER, t.memory, bytes, &t.shape, &b), PSY_OK, "%s", psy_detail());
    return t;
}

static void pass_many(two *t, uint32_t messages, uint32_t batch, uint64_t seed)
{
    uint64_t sent = 0, came = 0;
    while (came < messages) {
        psy_ring_span spans[2];
        uint32_t want = 1 + (uint32_t)random_next(&seed) % batch, got = psy_ring_claim_spans(&t->producer, want, spans);
        cr_assert(got <= want && got == spans[0].count + spans[1].count);
        for (uint32_t i = 0; i < got; i++) {
            *(uint64_t *)span_slot(&t->producer, spans, i) = sent + i;
        }
        uint32_t use = random_next(&seed) % 4 ? got : (uint32_t)random_next(&seed) % (got + 1);
        if (use) {
            psy_ring_commit(&t->producer, use);
        } else if (got) {
            psy_ring_abort(&t->producer);
        }
        sent += use;
        if (random_next(&seed) % 3 == 0) {
            psy_ring_flush(&t->producer);
        }
        want = random_next(&seed) % 8 ? 1 + (uint32_t)random_next(&seed) % batch : UINT32_MAX;
        got = psy_ring_peek_spans(&t->consumer, want, spans);
        for (uint32_t i = 0; i < got; i++) {
            cr_assert_eq(*(uint64_t *)span_slot(&t->consumer, spans, i), came + i);
        }
        use = random_next(&seed) % 4 ? got : (uint32_t)random_next(&seed) % (got + 1);
        psy_ring_release(&t->consumer, use);
        came += use;
        if (got == 0) {
            psy_ring_flush(&t->producer);
            psy_ring_settle(&t->consumer);
        }
        cr_assert(!psy_ring_broken(&t->producer) && !psy_ring_broken(&t->consumer), "after %llu messages",
                  (unsigned long long)came);
    }
}

/* A consumer that only ever looks gives back what is skipped. */
static void only_padding(psy_ring_kind kind)
{
    two t = start_at(kind, 8, 8, 3);
    uint32_t got;
    for (uint32_t round = 0; round < 5; round++) {
        while (psy_ring_claim(&t.producer, 3, &got)) {
            psy_ring_abort(&t.producer);
        }
        cr_assert(psy_ring_full(&t.producer));
        cr_assert(is_empty(&t.consumer));
        cr_assert(!psy_ring_full(&t.producer));
        push(&t.producer, round);
        cr_assert_eq(pop(&t.consumer), round);
        cr_assert(is_empty(&t.consumer));
    }
    free(t.memory);
}

Test(ring_bounds, only_padding_in_mpsc) { only_padding(PSY_RING_MPSC); }
Test(ring_bounds, only_padding_in_mpmc) { only_padding(PSY_RING_MPMC); }

/* A consumer died when it had given a run back and moved no cursor on: who recovers that may not let producers lap `taken`. */
static void cursors_left_behind(psy_ring_kind kind)
{
    two t = start_at(kind, 8, 8, 5);
    for (uint64_t round = 0; round < 20; round++) {
        push(&t.producer, round);
        psy_ring_flush(&t.producer);
        cr_assert_eq(pop(&t.consumer), round);
        t.producer.header->taken -= 1;
        t.producer.header->released -= 1;
        cr_assert_eq(psy_ring_recover(&t.producer, NULL), PSY_UNSUPPORTED, "without liveness, but cursors are moved on");
        for (uint64_t i = 0; i < 8; i++) {
            push(&t.producer, 100 + i);
        }
        psy_ring_flush(&t.producer);
        for (uint64_t i = 0; i < 8; i++) {
            cr_assert_eq(pop(&t.consumer), 100 + i);
        }
        cr_assert(is_empty(&t.consumer));
    }
    free(t.memory);
}

Test(ring_bounds, cursors_left_behind_in_spmc) { cursors_left_behind(PSY_RING_SPMC); }
Test(ring_bounds, cursors_left_behind_in_mpmc) { cursors_left_behind(PSY_RING_MPMC); }

static void from_everywhere(uint32_t slots)
{
    const uint64_t lap_end = (uint64_t)slots << 37;
    const uint64_t starts[] = {0, 0 - (uint64_t)slots * 3, 0 - (uint64_t)1, lap_end - 5, lap_end - slots, lap_end * 7 - 1};
    for (psy_ring_kind kind = PSY_RING_SPSC; kind <= PSY_RING_MPMC; kind++) {
        for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
            /* `released` stands where a run begins, wherever that is. */
            two t = start_at(kind, 8, slots, starts[i]);
            pass_many(&t, 200 + slots * 4, slots + 1, i + slots);
            free(t.memory);
        }
    }
}

Test(ring_bounds, one_slot) { from_everywhere(1); }
Test(ring_bounds, two_slots) { from_everywhere(2); }
Test(ring_bounds, eight_slots) { from_everywhere(8); }
Test(ring_bounds, many_slots) { from_everywhere(4096); }

/* ---- long runs ---- */

static void long_runs(psy_ring_kind kind)
{
    enum { SLOTS = 1 << 18 };
    two t = start_at(kind, 8, SLOTS, 77);
    for (uint32_t round = 0; round < 3; round++) {
        uint64_t sent = 0, came = 0;
        psy_ring_span spans[2];
        uint32_t got;
        while ((got = psy_ring_claim_spans(&t.producer, UINT32_MAX, spans)) > 0) {
            cr_assert(!psy_ring_many_producers(&t.producer) || got <= PSY_RING_RUN_MAX);
            for (uint32_t i = 0; i < got; i++) {
                *(uint64_t *)span_slot(&t.producer, spans, i) = sent++;
            }
            psy_ring_commit(&t.producer, got);
        }
        psy_ring_flush(&t.producer);
        cr_assert_eq(sent, (uint64_t)SLOTS);
        while ((got = psy_ring_peek_spans(&t.consumer, UINT32_MAX, spans)) > 0) {
            for (uint32_t i = 0; i < got; i++) {
                cr_assert_eq(*(uint64_t *)span_slot(&t.consumer, spans, i), came++);
            }
            psy_ring_release(&t.consumer, got);
        }
        psy_ring_settle(&t.consumer);
        cr_assert_eq(came, sent);
    }
    if (psy_ring_many_producers(&t.producer)) {
        cr_assert_null(psy_ring_claim_run(&t.producer, PSY_RING_RUN_MAX + 1));
        cr_assert_null(psy_ring_claim_run(&t.producer, UINT32_MAX));
        cr_assert_null(psy_ring_claim_run(&t.producer, 0));
        uint32_t got;
        for (uint32_t i = 0; i < 12; i++) { /* each second one meets the ring's end at the latest */
            cr_assert_not_null(psy_ring_claim_run(&t.producer, PSY_RING_RUN_MAX), "run %u", i);
            psy_ring_commit(&t.producer, PSY_RING_RUN_MAX);
            for (uint32_t left = PSY_RING_RUN_MAX; left > 0; left -= got) {
                cr_assert_not_null(psy_ring_peek(&t.consumer, UINT32_MAX, &got));
                psy_ring_release(&t.consumer, got);
            }
            cr_assert(is_empty(&t.consumer));
        }
    }
    free(t.memory);
}

Test(ring_bounds, long_runs_of_spsc) { long_runs(PSY_RING_SPSC); }
Test(ring_bounds, long_runs_of_mpsc) { long_runs(PSY_RING_MPSC); }
Test(ring_bounds, long_runs_of_spmc) { long_runs(PSY_RING_SPMC); }
Test(ring_bounds, long_runs_of_mpmc) { long_runs(PSY_RING_MPMC); }

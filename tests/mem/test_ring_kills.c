/* SPDX-License-Identifier: Apache-2.0 */
/* Processes send and receive through rings of every kind, and are killed, stopped and replaced at random moments. What was
 * published comes; nothing comes twice that did not come first to one who died or left before he had given it back; nothing of
 * another's comes; and the ring is whole after all. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/mem/world.h"

enum {
    STREAMS = 3, /* one for each producer, whoever that is at the moment */
    MEMBERS = 2 * STREAMS,
    MESSAGES = 1 << 18, /* of a stream */
    STAYS = 1 << 12,    /* of processes, one after the other */
    KILLS = 500,        /* of each kind */
    ROUND = 25,
    WORDS = 3,
    SLOTS = 64,
    PATIENCE_MS = 20000
};
static const uint64_t turn_ns = 10000000;

enum { BEGUN = 1, PUBLISHED };
static const uint32_t settled_bit = UINT32_C(1) << 31;

typedef struct stream {
    _Atomic uint64_t begun;
    _Atomic uint8_t sent[MESSAGES];
    _Atomic uint32_t came[MESSAGES]; /* the stay that it came to last; settled_bit: given back for good */
} stream;

typedef struct hall {
    _Atomic bool stop, drain;
    _Atomic uint32_t complaint; /* a line of this file */
    _Atomic uint64_t about;
    _Atomic uint64_t again;   /* messages that came a second time, as they may */
    _Atomic bool over[STAYS]; /* it is being killed, or leaves */
    stream streams[STREAMS];
} hall;

typedef struct arena {
    hall *h; /* shared */
    psy_slab *slab;
    psy_ring_shape shape;
    uint32_t producers, consumers, stays;
    uint64_t seed;
    pid_t pids[MEMBERS];
    uint32_t stay[MEMBERS];
    bool stopped[MEMBERS];
} arena;

static void complain(hall *h, uint32_t line, uint64_t about)
{
    uint32_t none = 0;
    if (atomic_compare_exchange_strong(&h->complaint, &none, line)) {
        h->about = about;
    }
}
#define EXPECT(h, condition, about)                                                                                            \
    do {                                                                                                                       \
        if (!(condition)) {                                                                                                    \
            complain(h, __LINE__, about);                                                                                      \
        }                                                                                                                      \
    } while (0)

static void pause_us(uint32_t us)
{
    struct timespec t = {us / 1000000, (long)(us % 1000000) * 1000};
    nanosleep(&t, NULL);
}

static bool may_fail(psy_status status) { return status == PSY_OK || status == PSY_TIMEOUT || status == PSY_PEER_DIED; }

/* ---- a producer ---- */

static void publish(hall *h, uint32_t s, psy_ring *ring, uint64_t *from)
{
    psy_ring_flush(ring);
    for (stream *t = &h->streams[s]; *from < t->begun; ++*from) {
        t->sent[*from] = PUBLISHED;
    }
}

static void produce(arena *a, uint32_t s, uint32_t stay, psy_ring *ring, uint64_t seed)
{
    hall *h = a->h;
    stream *t = &h->streams[s];
    uint64_t shown = t->begun;
    while (!h->stop && !h->complaint) {
        psy_ring_span spans[2];
        uint32_t want = 1 + (uint32_t)random_next(&seed) % (random_next(&seed) % 8 ? 4 : SLOTS);
        uint64_t number = t->begun;
        if (number + want > MESSAGES) {
            publish(h, s, ring, &shown);
            pause_us(500);
            continue;
        }
        uint32_t got = psy_ring_claim_spans(ring, want, spans);
        if (got == 0) {
            publish(h, s, ring, &shown);
            psy_status status = psy_ring_wait_room(ring, turn_ns);
            EXPECT(h, may_fail(status), status);
            continue;
        }
        uint32_t use = random_next(&seed) % 8 ? got : (uint32_t)random_next(&seed) % (got + 1);
        for (uint32_t i = 0; i < use; i++) {
            t->sent[number + i] = BEGUN;
        }
        t->begun = number + use;
        for (uint32_t i = 0; i < use; i++) {
            uint64_t *slot = span_slot(ring, spans, i);
            slot[0] = (uint64_t)s << 56 | (uint64_t)stay << 40 | (number + i);
            slot[1] = ~slot[0];
            slot[2] = slot[0] * UINT64_C(0x9e3779b97f4a7c15);
        }
        if (use) {
            psy_ring_commit(ring, use);
        } else {
            psy_ring_abort(ring);
        }
        if (random_next(&seed) % 4 == 0 || psy_ring_many_producers(ring)) {
            publish(h, s, ring, &shown);
            psy_ring_wake_consumer(ring);
        }
        if (random_next(&seed) % 4096 == 0) {
            break; /* somebody else goes on */
        }
        if (random_next(&seed) % 128 == 0) {
            pause_us(20); /* the messages last until the round is over */
        }
    }
    h->over[stay] = true;
    psy_ring_leave(ring);
    publish(h, s, ring, &shown);
}

/* ---- a consumer ---- */

typedef struct taste {
    uint32_t stay;
    uint64_t last[STREAMS]; /* in order, where one consumer follows another */
    uint32_t first, end;    /* of those that came and were not given back for good */
    struct {
        _Atomic uint32_t *came;
        uint64_t position;
    } unsettled[2 * SLOTS];
} taste;

static void swallow(hall *h, taste *t, const psy_ring *ring, uint64_t position, const uint64_t *slot)
{
    uint64_t head = slot[0], s = head >> 56, number = head & UINT64_C(0xffffffffff);
    if (slot[1] != ~head || slot[2] != head * UINT64_C(0x9e3779b97f4a7c15) || s >= STREAMS || number >= MESSAGES) {
        complain(h, __LINE__, head);
        return;
    }
    stream *from = &h->streams[s];
    EXPECT(h, number < from->begun && from->sent[number], head);
    uint32_t before = atomic_exchange(&from->came[number], t->stay);
    if (before) {
        EXPECT(h, !(before & settled_bit), head);
        EXPECT(h, h->over[before & ~settled_bit], head);
        h->again++;
    }
    if (!psy_ring_many_consumers(ring)) {
        EXPECT(h, number + 1 > t->last[s], head);
        t->last[s] = number + 1;
    }
    EXPECT(h, t->end - t->first < 2 * SLOTS, head);
    t->unsettled[t->end % (2 * SLOTS)].came = &from->came[number];
    t->unsettled[t->end++ % (2 * SLOTS)].position = position;
}

static void note_settled(taste *t, const psy_ring *ring)
{
    for (uint32_t i; t->first != t->end && t->unsettled[i = t->first % (2 * SLOTS)].position < ring->shown; t->first++) {
        atomic_fetch_or(t->unsettled[i].came, settled_bit);
    }
}

/* All that waits, or a few, given back. False if there was nothing. */
static bool eat(hall *h, taste *t, psy_ring *ring, uint32_t want, uint32_t leave)
{
    psy_ring_span spans[2];
    uint32_t got = psy_ring_peek_spans(ring, want, spans), use = got > leave ? got - leave : got;
    for (uint32_t i = 0; i < use; i++) {
        swallow(h, t, ring, ring->position + i, span_slot(ring, spans, i));
    }
    psy_ring_release(ring, use);
    note_settled(t, ring);
    return got != 0;
}

static void consume(arena *a, uint32_t stay, psy_ring *ring, uint64_t seed)
{
    hall *h = a->h;
    taste t = {.stay = stay};
    while (!h->drain && !h->complaint) {
        uint32_t want = 1 + (uint32_t)random_next(&seed) % (random_next(&seed) % 8 ? 4 : SLOTS);
        if (!eat(h, &t, ring, want, random_next(&seed) % 8 ? 0 : want / 2)) {
            psy_status status = psy_ring_wait(ring, turn_ns);
            EXPECT(h, may_fail(status), status);
            note_settled(&t, ring);
        } else if (random_next(&seed) % 4 == 0) {
            psy_ring_settle(ring);
            note_settled(&t, ring);
            psy_ring_wake_producer(ring);
        }
        if (random_next(&seed) % 4096 == 0) {
            break;
        }
    }
    h->over[stay] = true; /* part of a run may come to another again */
    psy_ring_leave(ring);
}

/* ---- those who come and go ---- */

static void become(arena *a, uint32_t member)
{
    psy_seat seat;
    psy_ring ring;
    uint32_t stay = a->stay[member];
    bool sends = member < a->producers;
    psy_status status = psy_seat_take(a->slab, &seat);
    if (status == PSY_OK) {
        /* Another who is stopped while he takes the dead one's seat makes it look alive. */
        for (uint32_t ms = 0; ms == 0 || (status == PSY_FULL && ms < PATIENCE_MS && !a->h->stop); ms++) {
            pause_us(ms ? 1000 : 0);
            status = psy_ring_join(&ring, sends ? PSY_RING_PRODUCER : PSY_RING_CONSUMER, psy_slab_data(a->slab),
                                   psy_slab_data_bytes(a->slab), &a->shape, &seat);
        }
    }
    EXPECT(a->h, status == PSY_OK || (status == PSY_FULL && a->h->stop), status);
    if (status == PSY_OK && sends) {
        produce(a, member, stay, &ring, a->seed + stay);
    } else if (status == PSY_OK) {
        consume(a, stay, &ring, a->seed + stay);
    }
    _exit(0);
}

static void start(arena *a, uint32_t member)
{
    a->stay[member] = ++a->stays;
    a->stopped[member] = false;
    cr_assert_lt(a->stays, (uint32_t)STAYS);
    fflush(NULL); /* or the child would say it again */
    a->pids[member] = fork();
    cr_assert_geq(a->pids[member], 0);
    if (a->pids[member] == 0) {
        become(a, member);
    }
}

static void expect_ended_well(arena *a, int how, bool killed)
{
    EXPECT(a->h, (killed && WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL) || (WIFEXITED(how) && WEXITSTATUS(how) == 0),
           (uint64_t)how);
}

static void strike(arena *a, uint32_t member)
{
    int how;
    a->h->over[a->stay[member]] = true;
    cr_assert_eq(kill(a->pids[member], SIGKILL), 0);
    cr_assert_eq(waitpid(a->pids[member], &how, 0), a->pids[member]);
    expect_ended_well(a, how, true);
}

static void wait_for(arena *a, uint32_t first, uint32_t end)
{
    for (uint32_t m = first; m < end; m++) {
        int how;
        pid_t ended = 0;
        for (uint32_t ms = 0; ended == 0 && ms < PATIENCE_MS; ms++) {
            ended = waitpid(a->pids[m], &how, WNOHANG);
            if (ended == 0) {
                pause_us(1000);
            }
        }
        if (ended == 0) {
            complain(a->h, __LINE__, m);
            kill(a->pids[m], SIGKILL);
            waitpid(a->pids[m], &how, 0);
        } else {
            expect_ended_well(a, how, false);
        }
    }
}

/* What nobody took comes to us; then all of it must have come, and the ring be as new. */
static void count_up(arena *a)
{
    hall *h = a->h;
    psy_seat seat;
    psy_ring reader, writer;
    psy_ring_report report;
    taste t = {.stay = ++a->stays};
    cr_assert_eq(psy_seat_take(a->slab, &seat), PSY_OK);
    cr_assert_eq(
        psy_ring_join(&reader, PSY_RING_CONSUMER, psy_slab_data(a->slab), psy_slab_data_bytes(a->slab), &a->shape, &seat),
        PSY_OK, "%s", psy_detail());
    do {
        psy_status status = psy_ring_recover(&reader, &report);
        EXPECT(h, may_fail(status), status);
        EXPECT(h, report.held == 0 && report.orphaned == 0, report.held);
    } while (eat(h, &t, &reader, UINT32_MAX, 0));
    psy_ring_settle(&reader);
    for (uint32_t s = 0; s < a->producers; s++) {
        const stream *from = &h->streams[s];
        for (uint64_t n = 0; n < from->begun; n++) {
            EXPECT(h, from->sent[n] != PUBLISHED || from->came[n], (uint64_t)s << 56 | n);
        }
    }
    cr_assert_eq(h->complaint, 0u, "line %u does not hold, about %llx", (unsigned)h->complaint, (unsigned long long)h->about);
    cr_assert_eq(
        psy_ring_join(&writer, PSY_RING_PRODUCER, psy_slab_data(a->slab), psy_slab_data_bytes(a->slab), &a->shape, &seat),
        PSY_OK, "%s", psy_detail());
    expect_works(&writer, &reader);
    psy_ring_leave(&writer);
    psy_ring_leave(&reader);
    psy_seat_leave(&seat);
}

static void play_round(arena *a, uint32_t kills)
{
    uint32_t members = a->producers + a->consumers;
    memset(a->h, 0, sizeof *a->h);
    a->stays = 0;
    for (uint32_t m = 0; m < members; m++) {
        start(a, m);
    }
    for (uint32_t killed = 0; killed < kills && !a->h->complaint;) {
        uint32_t m = (uint32_t)random_next(&a->seed) % members, what = (uint32_t)random_next(&a->seed) % 8;
        pause_us((uint32_t)random_next(&a->seed) % (random_next(&a->seed) % 4 ? 1500 : 6000));
        int how;
        if (waitpid(a->pids[m], &how, WNOHANG) == a->pids[m]) {
            expect_ended_well(a, how, false); /* it left by itself */
            start(a, m);
        } else if (a->stopped[m] && what < 4) {
            kill(a->pids[m], SIGCONT);
            a->stopped[m] = false;
        } else if (what < 2) {
            kill(a->pids[m], SIGSTOP);
            a->stopped[m] = true;
        } else {
            strike(a, m);
            start(a, m);
            killed++;
        }
    }
    a->h->stop = true;
    for (uint32_t m = 0; m < members; m++) {
        kill(a->pids[m], SIGCONT);
    }
    wait_for(a, 0, a->producers);
    a->h->drain = true;
    wait_for(a, a->producers, members);
    count_up(a);
}

static unsigned open_files(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < 1024; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

static void play(psy_ring_kind kind)
{
    unsigned files = open_files();
    arena a = {.shape = {kind, WORDS * 8, SLOTS},
               .producers = kind & PSY_RING_MPSC ? STREAMS : 1,
               .consumers = kind & PSY_RING_SPMC ? STREAMS : 1,
               .seed = 1 + (uint64_t)kind};
    psy_slab_options options = {.bytes = psy_ring_shape_bytes(&a.shape), .name = "kills"};
    a.h = mmap(NULL, sizeof *a.h, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq((void *)a.h, MAP_FAILED);
    cr_assert_eq(psy_slab_create(&options, &a.slab), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_ring_format(psy_slab_data(a.slab), psy_slab_data_bytes(a.slab), &a.shape), PSY_OK);
    uint64_t messages = 0, again = 0;
    uint32_t rounds = (uint32_t)test_many(KILLS, 1) / ROUND;
    for (uint32_t round = 0; round < rounds; round++) {
        play_round(&a, ROUND); /* on the same ring */
        again += a.h->again;
        for (uint32_t s = 0; s < a.producers; s++) {
            messages += a.h->streams[s].begun;
        }
    }
    cr_log_info("%s: %u killed, %llu messages, %llu of them came again", kind_name(kind), rounds * ROUND,
                (unsigned long long)messages, (unsigned long long)again);
    cr_assert_geq(messages, 1000u);
    psy_slab_destroy(a.slab);
    munmap(a.h, sizeof *a.h);
    cr_assert_eq(open_files(), files);
    cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1, "no child is left");
}

Test(ring_kills, one_producer_one_consumer) { play(PSY_RING_SPSC); }
Test(ring_kills, many_producers_one_consumer) { play(PSY_RING_MPSC); }
Test(ring_kills, one_producer_many_consumers) { play(PSY_RING_SPMC); }
Test(ring_kills, many_producers_many_consumers) { play(PSY_RING_MPMC); }

/* SPDX-License-Identifier: Apache-2.0 */
/* A ring in a slab and those who use it, some of whom die: messages that tell who sent them, and what must hold whenever
 * somebody is gone. */
#ifndef PSY_TESTS_MEM_WORLD_H
#define PSY_TESTS_MEM_WORLD_H

#include <psyne/ring.h>
#include <psyne/seat.h>
#include <psyne/slab.h>

#include "tests/mem/pair.h"

enum {
    VICTIM = 1, /* seats; also who sends */
    SENDER = 2,
    READER = 3,
    ANOTHER = 4,
    CORPSE = 5,
    SENDERS = 6,
    NUMBERS = 64
};

typedef struct world {
    psy_slab *slab;
    psy_ring_shape shape;
    psy_seat sender_seat, reader_seat;
    psy_ring sender, reader; /* of those who live; unused where the victim is the single one */
    bool sends, reads;
    bool victim_sends;
} world;

/* What a process that may die tells of itself, just before and just after. */
typedef struct journal {
    _Atomic uint64_t begun, sure;        /* sent: those below `begun` may be in the ring, those below `sure` are */
    _Atomic uint64_t releasing, settled; /* read: a bit for each of the sender's messages that may be, or is, given back */
    _Atomic uint32_t verb, stop_at;
    _Atomic uint32_t complaint; /* a line of the test */
} journal;

/* How often a message came to those who live. */
typedef struct tally {
    uint32_t came[SENDERS][NUMBERS];
    uint64_t last;
} tally;

/* As many of them, or a part of what PSYNE_TEST_RANDOM says if that is more. */
static inline uint64_t test_many(uint64_t usual, uint64_t part)
{
    const char *said = getenv("PSYNE_TEST_RANDOM");
    uint64_t n = said ? strtoull(said, NULL, 10) / part : 0;
    return n > usual ? n : usual;
}

static inline const char *kind_name(psy_ring_kind kind)
{
    static const char *const names[] = {"SPSC", "MPSC", "SPMC", "MPMC"};
    return names[kind];
}
static inline bool several(psy_ring_kind kind, psy_ring_side side)
{
    return side == PSY_RING_PRODUCER ? (kind & PSY_RING_MPSC) != 0 : (kind & PSY_RING_SPMC) != 0;
}

static inline void message_write(void *slot, uint32_t from, uint64_t number)
{
    uint64_t *words = slot;
    words[0] = (uint64_t)from << 32 | number;
    words[1] = ~words[0];
}

static inline void message_count(tally *t, const void *slot)
{
    const uint64_t *words = slot;
    uint64_t head = words[0], from = head >> 32, number = head & UINT32_MAX;
    cr_assert_eq(words[1], ~head, "a message is torn: %llx", (unsigned long long)head);
    cr_assert(from < SENDERS && number < NUMBERS, "no such message: %llx", (unsigned long long)head);
    t->came[from][number]++;
    if (from == VICTIM) { /* of others, runs are adopted */
        cr_assert_geq(number, t->last, "out of order");
        t->last = number;
    }
}

/* All that waits. */
static inline uint32_t drain(psy_ring *ring, tally *t, uint32_t want)
{
    uint32_t got, all = 0;
    for (const uint8_t *slots; (slots = psy_ring_peek(ring, want, &got)); all += got) {
        for (uint32_t i = 0; i < got; i++) {
            message_count(t, slots + (size_t)i * ring->stride);
        }
        psy_ring_release(ring, got);
    }
    cr_assert(!psy_ring_broken(ring), "the ring is broken");
    psy_ring_settle(ring);
    return all;
}

/* Slot `i` of a claim or a peek. */
static inline void *span_slot(const psy_ring *ring, const psy_ring_span spans[2], uint32_t i)
{
    bool first = i < spans[0].count;
    return (uint8_t *)spans[!first].at + (size_t)(first ? i : i - spans[0].count) * ring->stride;
}

/* Messages until the ring is full. */
static inline uint32_t fill_up(psy_ring *ring, uint32_t from, uint64_t *number, uint32_t want)
{
    psy_ring_span spans[2];
    uint32_t all = 0;
    for (uint32_t got; (got = psy_ring_claim_spans(ring, want, spans)) > 0; all += got) {
        for (uint32_t i = 0; i < got; i++) {
            message_write(span_slot(ring, spans, i), from, (*number)++);
        }
        psy_ring_commit(ring, got);
    }
    psy_ring_flush(ring);
    return all;
}

static inline psy_status world_join(const world *w, psy_ring *ring, psy_ring_side side, const psy_seat *seat)
{
    return psy_ring_join(ring, side, psy_slab_data(w->slab), psy_slab_data_bytes(w->slab), &w->shape, seat);
}

/* Of who sends in the tests' name, that many. */
static inline void expect_all(const tally *t, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        cr_assert_eq(t->came[0][i], 1u, "message %llu came %u times", (unsigned long long)i, t->came[0][i]);
    }
}

/* The ring works: its whole capacity goes through it, again and again. */
static inline void expect_works(psy_ring *producer, psy_ring *consumer)
{
    for (uint32_t round = 0; round < 4; round++) {
        tally t = {0};
        uint64_t number = 0;
        uint32_t n = fill_up(producer, 0, &number, 1 + round);
        cr_assert_eq(n, producer->slots, "only %u of %u slots are of use", n, producer->slots);
        cr_assert_eq(drain(consumer, &t, 1 + round), n);
        expect_all(&t, n);
    }
}

/* The victim sent, and is dead: what it published comes once, and its successor goes on in `seat`. */
static inline void expect_sender_dead(world *w, const journal *j, tally *t, uint32_t seat)
{
    psy_ring_report report;
    psy_seat anew;
    psy_ring successor;
    bool single = !several(w->shape.kind, PSY_RING_PRODUCER);
    uint64_t begun = j->begun, sure = j->sure, here = 0;
    bool joined = (uint32_t)w->reader.header->producer_seat != 0;
    uint64_t more = 0;
    if (w->sends && seat != VICTIM) { /* now one, now the other side finds the dead one first */
        (void)fill_up(&w->sender, 0, &more, 1);
    }
    psy_status status = psy_ring_recover(&w->reader, &report);
    cr_assert_eq(status, single && joined ? PSY_PEER_DIED : PSY_OK, "%s", psy_detail());
    cr_assert_eq(report.held + report.orphaned, 0u);
    cr_assert_leq(report.padded + report.adopted, 3u);
    cr_assert_eq(psy_ring_recover(&w->reader, &report), status);
    cr_assert_eq(report.padded + report.adopted, 0u, "twice");
    (void)drain(&w->reader, t, 3);
    while (here < NUMBERS && t->came[VICTIM][here]) {
        cr_assert_eq(t->came[VICTIM][here], 1u, "message %llu came %u times", (unsigned long long)here, t->came[VICTIM][here]);
        here++;
    }
    expect_all(t, more);
    cr_assert(here >= sure && here <= begun, "%llu messages of %llu to %llu came", (unsigned long long)here,
              (unsigned long long)sure, (unsigned long long)begun);
    for (uint64_t i = here; i < NUMBERS; i++) {
        cr_assert_eq(t->came[VICTIM][i], 0u, "a message behind a gap");
    }
    if (w->sends) {
        expect_works(&w->sender, &w->reader);
    }
    uint32_t epoch = psy_ring_peer_epoch(&w->reader);
    cr_assert_eq(psy_seat_take_number(w->slab, seat, &anew), PSY_OK, "%s", psy_detail());
    cr_assert_eq(world_join(w, &successor, PSY_RING_PRODUCER, &anew), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_ring_peer_epoch(&w->reader), epoch + 1);
    cr_assert_eq(psy_ring_recover(&w->reader, NULL), PSY_OK);
    expect_works(&successor, &w->reader);
    psy_ring_leave(&successor);
    psy_seat_leave(&anew);
}

/* The victim read, and is dead: what it did not give back comes to another, or to its successor in `seat`. `sent`: messages of
 * the sender so far. */
static inline void expect_reader_dead(world *w, const journal *j, tally *t, uint64_t sent, uint32_t seat)
{
    psy_ring_report report;
    psy_seat anew;
    psy_ring successor, *reader = &w->reader;
    bool single = !several(w->shape.kind, PSY_RING_CONSUMER);
    bool joined = (uint32_t)w->sender.header->consumer_seat != 0;
    uint64_t more = 0;
    if (seat != VICTIM) {
        (void)fill_up(&w->sender, 0, &more, 1);
    }
    cr_assert_eq(psy_ring_recover(&w->sender, &report), single && joined ? PSY_PEER_DIED : PSY_OK, "%s", psy_detail());
    cr_assert(report.padded <= 1 && report.adopted == 0);
    if (w->reads) {
        (void)drain(&w->reader, t, 2);
        cr_assert_eq(psy_ring_recover(&w->reader, &report), PSY_OK, "%s", psy_detail());
        cr_assert_eq(report.padded + report.held + report.orphaned, 0u);
        (void)drain(&w->reader, t, 2);
    }
    cr_assert_eq(psy_seat_take_number(w->slab, seat, &anew), PSY_OK, "%s", psy_detail());
    uint32_t epoch = psy_ring_peer_epoch(&w->sender);
    cr_assert_eq(world_join(w, &successor, PSY_RING_CONSUMER, &anew), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_ring_peer_epoch(&w->sender), epoch + 1);
    if (!w->reads) {
        reader = &successor;
        (void)drain(reader, t, 2);
    }
    for (uint64_t i = 0; i < sent; i++) {
        uint64_t bit = UINT64_C(1) << i;
        uint32_t most = j->settled & bit ? 0 : 1, least = j->releasing & bit ? 0 : 1;
        cr_assert(t->came[SENDER][i] >= least && t->came[SENDER][i] <= most, "message %llu came %u times, not %u to %u",
                  (unsigned long long)i, t->came[SENDER][i], least, most);
    }
    expect_all(t, more);
    cr_assert_eq(psy_ring_recover(&w->sender, NULL), PSY_OK);
    expect_works(&w->sender, reader);
    if (reader != &successor) {
        expect_works(&w->sender, &successor);
    }
    psy_ring_leave(&successor);
    psy_seat_leave(&anew);
}

#endif

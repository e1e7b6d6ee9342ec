/* SPDX-License-Identifier: Apache-2.0 */
/* A peer dies, or stops, at every single instruction of all it does with a ring. It runs under ptrace, one instruction after
 * the other: whenever what it shares has changed, that is copied to a second slab, where nobody sits in its seat, and those who
 * live go on there. Others are really killed; and those who live go on in the midst of what a stopped one does. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/mem/world.h"

enum { SLOTS = 16, STRIDE = 16, VERBS = 24, STEPS_MAX = 400000, SEEDS = 4, GO_ON = 40, KILLS = 80 };
static const uint64_t moment_ns = 20000;

/* ---- what the victim does ---- */

#define CHECK(condition)                                                                                                       \
    do {                                                                                                                       \
        if (!(condition)) {                                                                                                    \
            uint32_t none = 0;                                                                                                 \
            (void)atomic_compare_exchange_strong(&j->complaint, &none, (uint32_t)__LINE__);                                    \
            _exit(3);                                                                                                          \
        }                                                                                                                      \
    } while (0)

/* Where a run may be stopped to be killed some instructions later. */
static void next_verb(journal *j)
{
    if (++j->verb == j->stop_at) {
        raise(SIGSTOP);
    }
}

/* Claims `want`, commits `use` of them. */
static void send_some(journal *j, psy_ring *ring, uint32_t want, uint32_t use, bool spans)
{
    psy_ring_span parts[2] = {{NULL, 0}, {NULL, 0}};
    uint32_t got;
    if (spans) {
        got = psy_ring_claim_spans(ring, want, parts);
    } else {
        parts[0].at = psy_ring_claim(ring, want, &got);
        parts[0].count = got;
    }
    if (got == 0) {
        return;
    }
    CHECK(got <= want && parts[0].count + parts[1].count == got);
    uint64_t number = j->begun;
    use = use < got ? use : got;
    use = use < NUMBERS - number ? use : (uint32_t)(NUMBERS - number);
    j->begun = number + use;
    for (uint32_t i = 0; i < use; i++) {
        message_write(span_slot(ring, parts, i), VICTIM, number + i);
    }
    next_verb(j);
    if (use == 0) {
        psy_ring_abort(ring);
    } else {
        psy_ring_commit(ring, use);
    }
}

static void send_run(journal *j, psy_ring *ring, uint32_t n)
{
    uint64_t number = j->begun;
    uint8_t *at = number + n <= NUMBERS ? psy_ring_claim_run(ring, n) : NULL;
    if (at) {
        j->begun = number + n;
        for (uint32_t i = 0; i < n; i++) {
            message_write(at + (size_t)i * STRIDE, VICTIM, number + i);
        }
        next_verb(j);
        psy_ring_commit(ring, n);
    }
}

static void expect_time(journal *j, psy_status status) { CHECK(status == PSY_OK || status == PSY_TIMEOUT); }

static void send_script(world *w, journal *j, const psy_seat *seat, uint64_t seed)
{
    psy_ring ring;
    CHECK(world_join(w, &ring, PSY_RING_PRODUCER, seat) == PSY_OK);
    for (uint32_t i = 0; i < VERBS; i++) {
        uint32_t want = 1 + (uint32_t)random_next(&seed) % 4, what = (uint32_t)random_next(&seed) % 16;
        next_verb(j);
        switch (what) {
        case 0: expect_time(j, psy_ring_wait_room(&ring, moment_ns)); break;
        case 1: CHECK(psy_ring_recover(&ring, NULL) == PSY_OK); break;
        case 2:
            psy_ring_leave(&ring);
            j->sure = j->begun;
            next_verb(j);
            CHECK(world_join(w, &ring, PSY_RING_PRODUCER, seat) == PSY_OK);
            break;
        case 3:
        case 4: send_run(j, &ring, want); break;
        case 5:
        case 6: send_some(j, &ring, want, (uint32_t)random_next(&seed) % (want + 1), true); break;
        case 7: send_some(j, &ring, UINT32_MAX, want, true); break;
        default: send_some(j, &ring, want, what < 14 ? want : want - 1, what % 2); break;
        }
        if (random_next(&seed) % 2) {
            next_verb(j);
            psy_ring_flush(&ring);
            j->sure = j->begun;
            psy_ring_wake_consumer(&ring);
        }
    }
    next_verb(j);
    psy_ring_leave(&ring);
    j->sure = j->begun;
}

static void note_settled(journal *j, const psy_ring *ring, uint64_t *pending)
{
    if (ring->shown == ring->position) {
        j->settled |= *pending;
        *pending = 0;
    }
}

/* Reads up to `want` and gives `use` of them back. */
static void read_some(journal *j, psy_ring *ring, uint32_t want, uint32_t use, bool spans, uint64_t *pending)
{
    psy_ring_span parts[2] = {{NULL, 0}, {NULL, 0}};
    uint32_t got;
    if (spans) {
        got = psy_ring_peek_spans(ring, want, parts);
    } else {
        parts[0].at = psy_ring_peek(ring, want, &got);
        parts[0].count = got;
    }
    uint64_t bits = 0;
    use = use < got ? use : got;
    for (uint32_t i = 0; i < got; i++) {
        const uint64_t *words = span_slot(ring, parts, i);
        CHECK(words[1] == ~words[0] && words[0] >> 32 == SENDER && (words[0] & UINT32_MAX) < NUMBERS);
        bits |= i < use ? UINT64_C(1) << (words[0] & 63) : 0;
    }
    CHECK(got <= want && !(bits & j->settled));
    j->releasing |= bits;
    *pending |= bits;
    next_verb(j);
    psy_ring_release(ring, use);
    note_settled(j, ring, pending);
}

static void read_script(world *w, journal *j, const psy_seat *seat, uint64_t seed)
{
    psy_ring ring;
    uint64_t pending = 0;
    CHECK(world_join(w, &ring, PSY_RING_CONSUMER, seat) == PSY_OK);
    for (uint32_t i = 0; i < VERBS; i++) {
        uint32_t want = 1 + (uint32_t)random_next(&seed) % 4, what = (uint32_t)random_next(&seed) % 16;
        next_verb(j);
        switch (what) {
        case 0: expect_time(j, psy_ring_wait(&ring, moment_ns)); break;
        case 1: CHECK(psy_ring_recover(&ring, NULL) == PSY_OK); break;
        case 2:
            psy_ring_leave(&ring);
            pending = 0; /* some of it may come again */
            next_verb(j);
            CHECK(world_join(w, &ring, PSY_RING_CONSUMER, seat) == PSY_OK);
            break;
        case 3: read_some(j, &ring, UINT32_MAX, want, true, &pending); break;
        case 4:
        case 5: read_some(j, &ring, want, (uint32_t)random_next(&seed) % (want + 1), true, &pending); break;
        default: read_some(j, &ring, want, what < 13 ? want : want - 1, what % 2, &pending); break;
        }
        if (random_next(&seed) % 2) {
            next_verb(j);
            psy_ring_settle(&ring);
            note_settled(j, &ring, &pending);
            psy_ring_wake_producer(&ring);
        }
    }
    next_verb(j);
    psy_ring_leave(&ring);
}

/* ---- the worlds ---- */

typedef struct stage {
    world w;
    journal *j; /* shared */
    tally t;    /* what the living took before */
    uint64_t sent, seed;
    uint32_t padded; /* by the living: the corpse's */
    pid_t victim;
} stage;

static psy_slab *new_slab(const psy_ring_shape *shape)
{
    psy_slab *slab;
    psy_slab_options options = {.bytes = psy_ring_shape_bytes(shape), .name = "steps"};
    cr_assert_eq(psy_slab_create(&options, &slab), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_ring_format(psy_slab_data(slab), psy_slab_data_bytes(slab), shape), PSY_OK);
    return slab;
}

static uint32_t random_below(stage *s, uint32_t n) { return (uint32_t)(random_next(&s->seed) % n); }

/* Up to `n` more messages of the living sender. */
static void send_more(stage *s, uint32_t n)
{
    psy_ring_span parts[2];
    psy_ring *ring = &s->w.sender;
    n = n < NUMBERS - s->sent ? n : (uint32_t)(NUMBERS - s->sent);
    uint32_t got = n ? psy_ring_claim_spans(ring, n, parts) : 0;
    for (uint32_t i = 0; i < got; i++) {
        message_write(span_slot(ring, parts, i), SENDER, s->sent++);
    }
    if (got) {
        psy_ring_commit(ring, got);
        psy_ring_flush(ring);
    }
}

/* Up to `n` messages for the living reader, which gives `use` of them back. */
static void read_more(stage *s, uint32_t n, uint32_t use)
{
    uint32_t got;
    psy_ring *ring = &s->w.reader;
    const uint8_t *slots = psy_ring_peek(ring, n, &got);
    use = use < got ? use : got;
    for (uint32_t i = 0; i < use; i++) {
        message_count(&s->t, slots + (size_t)i * STRIDE);
    }
    psy_ring_release(ring, use);
}

/* One who died in the midst of a claim, or of a run that it took: also just before the ring's cursor was moved on. */
static void lay_corpse(stage *s, bool producer, uint32_t number)
{
    psy_seat seat;
    psy_ring ring;
    uint32_t got;
    world *w = &s->w;
    cr_assert_eq(psy_seat_take_number(w->slab, number, &seat), PSY_OK);
    cr_assert_eq(world_join(w, &ring, producer ? PSY_RING_PRODUCER : PSY_RING_CONSUMER, &seat), PSY_OK);
    if (producer) {
        cr_assert_not_null(psy_ring_claim(&ring, 1 + random_below(s, 2), &got));
        ring.header->published -= random_below(s, 2) ? got : 0;
    } else {
        cr_assert_not_null(psy_ring_peek(&ring, 1, &got));
        ring.header->taken -= random_below(s, 2) ? ring.other - ring.position : 0;
    }
    psy_seat_leave(&seat);
}

/* Those who live have used the ring: its positions are in the midst of a lap, and something waits. */
static void set_up(stage *s, psy_ring_kind kind, bool victim_sends, uint64_t seed)
{
    *s = (stage){.w = {.shape = {kind, STRIDE, SLOTS}, .victim_sends = victim_sends}, .seed = seed};
    world *w = &s->w;
    w->sends = !victim_sends || several(kind, PSY_RING_PRODUCER);
    w->reads = victim_sends || several(kind, PSY_RING_CONSUMER);
    w->slab = new_slab(&w->shape);
    s->j = mmap(NULL, sizeof *s->j, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq((void *)s->j, MAP_FAILED);
    cr_assert_eq(psy_seat_take_number(w->slab, SENDER, &w->sender_seat), PSY_OK);
    cr_assert_eq(psy_seat_take_number(w->slab, READER, &w->reader_seat), PSY_OK);
    cr_assert_eq(world_join(w, &w->sender, PSY_RING_PRODUCER, &w->sender_seat), PSY_OK, "%s", psy_detail());
    cr_assert_eq(world_join(w, &w->reader, PSY_RING_CONSUMER, &w->reader_seat), PSY_OK, "%s", psy_detail());
    send_more(s, 2);
    send_more(s, 1 + random_below(s, 8));
    (void)drain(&w->reader, &s->t, 2);
    for (uint32_t n = random_below(s, 4) + !victim_sends; n > 0; n--) {
        send_more(s, 1 + random_below(s, 2));
    }
    if (w->reads && several(kind, PSY_RING_CONSUMER)) {
        send_more(s, 1);
        lay_corpse(s, false, random_below(s, 2) ? VICTIM : CORPSE);
    }
    send_more(s, 1);
    if (w->reads && random_below(s, 2)) {
        read_more(s, 1, 0);
    }
    if (w->sends && several(kind, PSY_RING_PRODUCER)) {
        lay_corpse(s, true, random_below(s, 2) ? VICTIM : CORPSE);
    }
    if (!w->sends) {
        psy_ring_leave(&w->sender);
    }
    if (!w->reads) {
        psy_ring_leave(&w->reader);
    }
}

static void tear_down(stage *s)
{
    psy_seat_leave(&s->w.sender_seat);
    psy_seat_leave(&s->w.reader_seat);
    psy_slab_destroy(s->w.slab);
    munmap(s->j, sizeof *s->j);
}

/* The victim, stopped before its first instruction. False if it cannot be traced here. */
static bool begin(stage *s)
{
#if defined(__SANITIZE_THREAD__)
    cr_skip_test("a call is a hundred thousand instructions under ThreadSanitizer");
#endif
    fflush(NULL); /* or the child would say it again */
    s->victim = fork();
    if (s->victim == 0) {
        psy_seat seat;
        journal *j = s->j;
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
            _exit(77);
        }
        CHECK(psy_seat_take_number(s->w.slab, VICTIM, &seat) == PSY_OK);
        close(s->w.sender_seat.fd); /* or it would sit there too */
        close(s->w.reader_seat.fd);
        raise(SIGSTOP);
        if (s->w.victim_sends) {
            send_script(&s->w, j, &seat, s->seed);
        } else {
            read_script(&s->w, j, &seat, s->seed);
        }
        _exit(0);
    }
    cr_assert_gt(s->victim, 0);
    int how;
    cr_assert_eq(waitpid(s->victim, &how, 0), s->victim);
    if (WIFEXITED(how) && WEXITSTATUS(how) == 77) {
        return false;
    }
    cr_assert(WIFSTOPPED(how) && WSTOPSIG(how) == SIGSTOP);
    return true;
}

/* One instruction further; false when the victim has ended. */
static bool step(stage *s)
{
    int how;
    cr_assert_eq(ptrace(PTRACE_SINGLESTEP, s->victim, NULL, NULL), 0);
    cr_assert_eq(waitpid(s->victim, &how, 0), s->victim);
    if (WIFEXITED(how)) {
        cr_assert_eq(WEXITSTATUS(how), 0, "line %u does not hold", s->j->complaint);
        return false;
    }
    cr_assert(WIFSTOPPED(how) && (WSTOPSIG(how) == SIGTRAP || WSTOPSIG(how) == SIGSTOP), "signal %d", WSTOPSIG(how));
    return true;
}

/* Runs on to where it is to be killed some instructions later; false when it has ended before. */
static bool run_to_verb(stage *s)
{
    int how;
    cr_assert_eq(ptrace(PTRACE_CONT, s->victim, NULL, NULL), 0);
    cr_assert_eq(waitpid(s->victim, &how, 0), s->victim);
    cr_assert(WIFEXITED(how) ? WEXITSTATUS(how) == 0 : WIFSTOPPED(how) && WSTOPSIG(how) == SIGSTOP, "line %u does not hold",
              s->j->complaint);
    return !WIFEXITED(how);
}

static void kill_victim(stage *s)
{
    int how;
    cr_assert_eq(kill(s->victim, SIGKILL), 0);
    cr_assert_eq(waitpid(s->victim, &how, 0), s->victim);
}

/* The same handle over a copy of the slab, by another seat there. */
static psy_ring moved(const psy_ring *ring, psy_slab *from, psy_slab *to, const psy_seat *seat)
{
    ptrdiff_t by = (uint8_t *)psy_slab_base(to) - (uint8_t *)psy_slab_base(from);
    psy_ring r = *ring;
    r.header = (void *)((uint8_t *)r.header + by);
    r.slots_at += by;
    r.at += by;
    r.end += by;
    r.states = r.states ? (void *)((uint8_t *)r.states + by) : NULL;
    r.joined = r.joined ? (void *)((uint8_t *)r.joined + by) : NULL;
    r.seat = *seat;
    r.seat.epoch = ring->seat.epoch;
    return r;
}

/* The victim is gone: those who live go on, and somebody joins in its place. */
static void expect_dead(world *w, const stage *s, uint32_t seat)
{
    tally t = s->t;
    if (w->victim_sends) {
        expect_sender_dead(w, s->j, &t, seat);
        for (uint64_t i = 0; i < s->sent; i++) {
            cr_assert_eq(t.came[SENDER][i], 1u, "message %llu of the living came %u times", (unsigned long long)i,
                         t.came[SENDER][i]);
        }
    } else {
        expect_reader_dead(w, s->j, &t, s->sent, seat);
    }
}

/* Those who live do something while the victim is stopped, wherever it is, and leave alone what it holds. */
static void go_on(stage *s)
{
    world *w = &s->w;
    psy_ring_report report;
    psy_status status;
    uint32_t n = 1 + random_below(s, 3), what = random_below(s, 8);
    if (w->sends && what < 3) {
        send_more(s, n);
    } else if (w->reads && what < 6) {
        read_more(s, n, n - random_below(s, 2));
    } else if (w->reads && what == 6) {
        status = psy_ring_wait(&w->reader, 0);
        cr_assert(status == PSY_OK || status == PSY_TIMEOUT || (status == PSY_PEER_DIED && !w->sends), "%s", psy_detail());
    } else if (w->reads) {
        status = psy_ring_recover(&w->reader, &report);
        cr_assert(status == PSY_OK || (status == PSY_PEER_DIED && !w->sends), "%s", psy_detail());
        s->padded += report.padded;
        cr_assert_leq(s->padded, 1u, "what a stopped one claims became padding");
    } else if (what == 6) {
        status = psy_ring_wait_room(&w->sender, 0);
        cr_assert(status == PSY_OK || status == PSY_TIMEOUT || (status == PSY_PEER_DIED && !w->reads), "%s", psy_detail());
    }
}

static void every_step_of(psy_ring_kind kind, bool victim_sends, uint64_t seed)
{
    stage s;
    set_up(&s, kind, victim_sends, seed);
    world copy = s.w;
    copy.slab = new_slab(&s.w.shape);
    cr_assert_eq(psy_seat_take_number(copy.slab, SENDER, &copy.sender_seat), PSY_OK);
    cr_assert_eq(psy_seat_take_number(copy.slab, READER, &copy.reader_seat), PSY_OK);
    uint64_t bytes = psy_slab_bytes(s.w.slab);
    uint8_t *last = calloc(1, bytes);
    journal told = {.begun = UINT64_MAX};
    cr_assert_not_null(last);
    if (!begin(&s)) {
        cr_skip_test("ptrace is not permitted here");
    }
    uint32_t steps = 0, looks = 0;
    do {
        const void *now = psy_slab_base(s.w.slab);
        if (memcmp(last, now, bytes) != 0 || memcmp(&told, s.j, offsetof(journal, verb)) != 0) {
            memcpy(last, now, bytes);
            memcpy(&told, s.j, sizeof told);
            for (uint32_t seat = VICTIM; seat <= ANOTHER; seat += ANOTHER - VICTIM) {
                memcpy(psy_slab_base(copy.slab), now, bytes);
                copy.sender = moved(&s.w.sender, s.w.slab, copy.slab, &copy.sender_seat);
                copy.reader = moved(&s.w.reader, s.w.slab, copy.slab, &copy.reader_seat);
                expect_dead(&copy, &s, seat);
            }
            looks++;
        }
        if (random_below(&s, GO_ON) == 0) {
            go_on(&s);
        }
        cr_assert_lt(steps, STEPS_MAX);
        steps++;
    } while (step(&s));
    cr_assert(looks >= 40 && s.j->verb >= VERBS, "only %u instructions, %u states", steps, looks);
    cr_log_info("%s, a %s: %u instructions, %u states", kind_name(kind), victim_sends ? "producer" : "consumer", steps, looks);
    expect_dead(&s.w, &s, VICTIM);
    psy_seat_leave(&copy.sender_seat);
    psy_seat_leave(&copy.reader_seat);
    psy_slab_destroy(copy.slab);
    free(last);
    tear_down(&s);
}

static void every_step(psy_ring_kind kind, bool victim_sends)
{
    for (uint64_t seed = 1; seed <= test_many(SEEDS, 50); seed++) {
        every_step_of(kind, victim_sends, seed);
    }
}

/* The same with processes that are dead indeed, on the slab itself. */
static void really_dead(psy_ring_kind kind)
{
    uint32_t killed = 0;
    for (uint64_t seed = 1; seed <= test_many(KILLS, 5); seed++) {
        stage s;
        set_up(&s, kind, seed % 2, seed);
        s.j->stop_at = 1 + random_below(&s, 2 * VERBS);
        if (!begin(&s)) {
            cr_skip_test("ptrace is not permitted here");
        }
        bool goes = run_to_verb(&s);
        for (uint32_t n = random_below(&s, 200); goes && n > 0; n--) {
            if (random_below(&s, GO_ON) == 0) {
                go_on(&s);
            }
            goes = step(&s);
        }
        if (goes) {
            kill_victim(&s);
            killed++;
        }
        expect_dead(&s.w, &s, seed % 4 < 2 ? VICTIM : ANOTHER);
        tear_down(&s);
    }
    cr_assert_geq(killed, test_many(KILLS, 5) / 2);
}

Test(ring_steps, dead_of_spsc) { really_dead(PSY_RING_SPSC); }
Test(ring_steps, dead_of_mpsc) { really_dead(PSY_RING_MPSC); }
Test(ring_steps, dead_of_spmc) { really_dead(PSY_RING_SPMC); }
Test(ring_steps, dead_of_mpmc) { really_dead(PSY_RING_MPMC); }

Test(ring_steps, producer_of_spsc) { every_step(PSY_RING_SPSC, true); }
Test(ring_steps, consumer_of_spsc) { every_step(PSY_RING_SPSC, false); }
Test(ring_steps, producer_of_mpsc) { every_step(PSY_RING_MPSC, true); }
Test(ring_steps, consumer_of_mpsc) { every_step(PSY_RING_MPSC, false); }
Test(ring_steps, producer_of_spmc) { every_step(PSY_RING_SPMC, true); }
Test(ring_steps, consumer_of_spmc) { every_step(PSY_RING_SPMC, false); }
Test(ring_steps, producer_of_mpmc) { every_step(PSY_RING_MPMC, true); }
Test(ring_steps, consumer_of_mpmc) { every_step(PSY_RING_MPMC, false); }

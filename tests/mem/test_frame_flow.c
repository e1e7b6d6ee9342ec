/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of random lengths between threads and between processes, over rings of every kind: each once, whole, in its producer's
 * order; and producers that die inside of one. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <psyne/frame.h>
#include <psyne/slab.h>

#include "base/clock.h"
#include "tests/mem/pair.h"

enum { SIDES = 3, SEEN_MAX = 1 << 20 };
static const uint64_t second_ns = 1000000000;

/* In memory that processes share. A message: who sent it, which of his it is, then bytes that follow from these. */
typedef struct crowd {
    psy_ring_shape shape;
    void *memory;
    uint64_t bytes;
    uint32_t producers, consumers, messages; /* of each producer */
    bool wide;
    _Atomic uint64_t received;
    _Atomic(const char *) complaint;
    _Atomic uint8_t seen[SEEN_MAX];
} crowd;

typedef struct member {
    crowd *c;
    uint32_t number;
} member;

static void complain(crowd *c, const char *what)
{
    const char *none = NULL;
    (void)atomic_compare_exchange_strong(&c->complaint, &none, what);
}

static void join(psy_ring *ring, crowd *c, psy_ring_side side, uint32_t number)
{
    psy_seat seat = psy_seat_bare(side == PSY_RING_PRODUCER ? 1 + number : 101 + number);
    if (psy_ring_join(ring, side, c->memory, c->bytes, &c->shape, &seat) != PSY_OK) {
        complain(c, "a side cannot join");
    }
}

static uint8_t byte_of(uint64_t head, uint32_t at) { return (uint8_t)(head * 29 + (head >> 32) * 101 + at); }

static void fill(uint8_t *to, uint64_t head, uint32_t bytes)
{
    memcpy(to, &head, 8);
    for (uint32_t i = 8; i < bytes; i++) {
        to[i] = byte_of(head, i);
    }
}

static bool is_whole(const uint8_t *message, uint32_t bytes, uint64_t *head)
{
    if (bytes < 8) {
        return false;
    }
    memcpy(head, message, 8);
    for (uint32_t i = 8; i < bytes; i++) {
        if (message[i] != byte_of(*head, i)) {
            return false;
        }
    }
    return true;
}

static void *produce(void *argument)
{
    member *m = argument;
    crowd *c = m->c;
    psy_ring ring;
    uint64_t seed = 31 + m->number;
    join(&ring, c, PSY_RING_PRODUCER, m->number);
    psy_frame_set_wide(&ring, c->wide);
    uint32_t most = psy_frame_max(&ring);
    for (uint32_t next = 0; next < c->messages && !c->complaint;) {
        /* Short ones mostly, as long as can be at times, and less than was claimed at times. */
        uint32_t limit = random_next(&seed) % 8 ? 64 : most, room = (uint32_t)(random_next(&seed) % (limit + 1));
        room = room < 8 ? 8 : room > most ? most : room;
        uint32_t bytes = random_next(&seed) % 4 ? room : 8 + (uint32_t)(random_next(&seed) % (room - 7));
        uint8_t *to = psy_frame_claim(&ring, room);
        if (!to) {
            if (psy_frame_refusal(&ring, room) != PSY_FULL || psy_ring_wait_room(&ring, 20 * second_ns) != PSY_OK) {
                complain(c, "a producer was never woken");
            }
            continue;
        }
        if (random_next(&seed) % 32 == 0) {
            psy_frame_abort(&ring);
            continue;
        }
        fill(to, (uint64_t)m->number << 32 | next, bytes);
        psy_frame_commit(&ring, bytes);
        next++;
        if (random_next(&seed) % 4 == 0) {
            psy_frame_flush(&ring);
            psy_ring_wake_consumer(&ring);
        }
    }
    psy_ring_leave(&ring);
    return NULL;
}

static void *consume(void *argument)
{
    member *m = argument;
    crowd *c = m->c;
    psy_ring ring;
    uint64_t seed = 131 + m->number, total = (uint64_t)c->messages * c->producers;
    uint32_t last[SIDES] = {0};
    join(&ring, c, PSY_RING_CONSUMER, m->number);
    while (c->received < total && !c->complaint) {
        uint32_t bytes, batch = 0, most = 1 + (uint32_t)random_next(&seed) % 8;
        const uint8_t *message;
        while (batch < most && (message = psy_frame_next(&ring, &bytes)) != NULL) {
            uint64_t head;
            if (!is_whole(message, bytes, &head)) {
                complain(c, "a message is torn");
                return NULL;
            }
            uint32_t from = (uint32_t)(head >> 32), number = (uint32_t)head;
            if (from >= c->producers || number >= c->messages) {
                complain(c, "no such message");
                return NULL;
            }
            if (c->seen[from * c->messages + number]++) {
                complain(c, "a message came twice");
            }
            if (number + 1 <= last[from]) {
                complain(c, "a producer's messages came out of order");
            }
            last[from] = number + 1;
            batch++;
        }
        psy_frame_release(&ring);
        c->received += batch;
        if (batch == 0) {
            psy_status status = psy_ring_wait(&ring, c->consumers > 1 ? second_ns / 50 : 20 * second_ns);
            if (status != PSY_OK && !(status == PSY_TIMEOUT && c->consumers > 1)) {
                complain(c, psy_ring_broken(&ring) ? "the ring broke" : "a consumer was never woken");
            }
        } else if (random_next(&seed) % 4 == 0) {
            psy_frame_settle(&ring);
            psy_ring_wake_producer(&ring);
        }
    }
    psy_ring_leave(&ring);
    return NULL;
}

static crowd *gather(psy_ring_kind kind, uint32_t stride, uint32_t slots, uint32_t messages, bool wide)
{
    psy_ring_shape shape = {kind, stride, slots};
    uint64_t bytes = psy_ring_shape_bytes(&shape), head = (sizeof(crowd) + 127) & ~UINT64_C(127);
    uint8_t *at = mmap(NULL, head + bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq((void *)at, MAP_FAILED);
    crowd *c = (crowd *)(void *)at;
    c->shape = shape;
    c->memory = at + head;
    c->bytes = bytes;
    c->messages = messages;
    c->producers = kind & PSY_RING_MPSC ? SIDES : 1;
    c->consumers = kind & PSY_RING_SPMC ? SIDES : 1;
    c->wide = wide;
    cr_assert_leq(c->producers * messages, (unsigned)SEEN_MAX);
    memset(c->memory, 0xa5, bytes);
    cr_assert_eq(psy_ring_format(c->memory, bytes, &c->shape), PSY_OK);
    return c;
}

static void disperse(crowd *c)
{
    const char *complaint = c->complaint;
    cr_assert_null(complaint, "%s", complaint ? complaint : "");
    cr_assert_eq(c->received, (uint64_t)c->messages * c->producers);
    munmap(c, (size_t)((uint8_t *)c->memory - (uint8_t *)c) + c->bytes);
}

static void run_threads(psy_ring_kind kind, uint32_t stride, uint32_t slots, uint32_t messages, bool wide)
{
    crowd *c = gather(kind, stride, slots, messages, wide);
    pthread_t threads[2 * SIDES];
    member members[2 * SIDES];
    uint32_t all = c->producers + c->consumers;
    for (uint32_t i = 0; i < all; i++) {
        bool producer = i < c->producers;
        members[i] = (member){c, producer ? i : i - c->producers};
        cr_assert_eq(pthread_create(&threads[i], NULL, producer ? produce : consume, &members[i]), 0);
    }
    for (uint32_t i = 0; i < all; i++) {
        pthread_join(threads[i], NULL);
    }
    disperse(c);
}

static void run_all(psy_ring_kind kind)
{
    run_threads(kind, 8, 1024, 60000, false);
    run_threads(kind, 64, 64, 30000, true);
    run_threads(kind, 16, 8, 15000, false);
    run_threads(kind, 256, 2, 5000, false);
    run_threads(kind, 8, 32, 10000, false);
}

Test(frame_flow, one_producer_one_consumer) { run_all(PSY_RING_SPSC); }
Test(frame_flow, many_producers_one_consumer) { run_all(PSY_RING_MPSC); }
Test(frame_flow, one_producer_many_consumers) { run_all(PSY_RING_SPMC); }
Test(frame_flow, many_producers_many_consumers) { run_all(PSY_RING_MPMC); }

Test(frame_flow, processes)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    for (int kind = PSY_RING_SPSC; kind <= PSY_RING_MPMC; kind++) {
        crowd *c = gather((psy_ring_kind)kind, 16, 256, 20000, false);
        pid_t children[2 * SIDES];
        uint32_t all = c->producers + c->consumers;
        for (uint32_t i = 0; i < all; i++) {
            member m = {c, i < c->producers ? i : i - c->producers};
            children[i] = fork();
            cr_assert_geq(children[i], 0);
            if (children[i] == 0) {
                (void)(i < c->producers ? produce(&m) : consume(&m));
                _exit(0);
            }
        }
        for (uint32_t i = 0; i < all; i++) {
            int status = -1;
            waitpid(children[i], &status, 0);
            cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "kind %d: %#x", kind, (unsigned)status);
        }
        disperse(c);
    }
}

/* ---- death inside of a frame ---- */

enum { HALF = 40 };

static uint64_t pop_frame(psy_ring *ring)
{
    uint32_t bytes = 0;
    const uint8_t *message = psy_frame_peek(ring, &bytes);
    uint64_t head = 0;
    cr_assert_not_null(message);
    cr_assert(is_whole(message, bytes, &head));
    psy_frame_release(ring);
    psy_frame_settle(ring);
    return head;
}

static void push_frame(psy_ring *ring, uint64_t head, uint32_t bytes)
{
    uint8_t *to = psy_frame_claim(ring, bytes);
    cr_assert_not_null(to);
    fill(to, head, bytes);
    psy_frame_commit(ring, bytes);
    psy_frame_flush(ring);
}

/* A producer that sends two frames, begins a third, and is killed in the midst of it; another then takes its place. */
static void die_inside(psy_ring_kind kind)
{
    psy_slab *slab;
    psy_seat seat, heir;
    psy_ring_shape shape = {kind, 8, 32};
    psy_slab_options options = {.bytes = psy_ring_shape_bytes(&shape)};
    cr_assert_eq(psy_slab_create(&options, &slab), PSY_OK);
    void *memory = psy_slab_data(slab);
    uint64_t bytes = psy_slab_data_bytes(slab);
    psy_ring consumer, producer;
    psy_ring_report report;
    cr_assert_eq(psy_ring_format(memory, bytes, &shape), PSY_OK);
    cr_assert_eq(psy_seat_take(slab, &seat), PSY_OK);
    cr_assert_eq(psy_ring_join(&consumer, PSY_RING_CONSUMER, memory, bytes, &shape, &seat), PSY_OK);
    for (int round = 0; round < 6; round++) { /* at all places of the ring, its end too */
        pid_t child = fork();
        cr_assert_geq(child, 0);
        if (child == 0) {
            psy_seat own;
            if (psy_seat_take(slab, &own) != PSY_OK ||
                psy_ring_join(&producer, PSY_RING_PRODUCER, memory, bytes, &shape, &own) != PSY_OK) {
                _exit(1);
            }
            push_frame(&producer, 1, 8);
            push_frame(&producer, 2, 40);
            uint8_t *to = psy_frame_claim(&producer, 100);
            if (!to) {
                _exit(2);
            }
            memset(to, 0xff, HALF);
            kill(getpid(), SIGKILL);
        }
        int status = -1;
        waitpid(child, &status, 0);
        cr_assert(WIFSIGNALED(status), "round %d: %#x", round, (unsigned)status);
        cr_assert_eq(psy_seat_take(slab, &heir), PSY_OK);
        cr_assert_eq(psy_ring_join(&producer, PSY_RING_PRODUCER, memory, bytes, &shape, &heir), PSY_OK, "%s", psy_detail());
        cr_assert_eq(pop_frame(&consumer), 1u);
        cr_assert_eq(pop_frame(&consumer), 2u);
        cr_assert_eq(psy_ring_recover(&consumer, &report), PSY_OK, "%s", psy_detail());
        push_frame(&producer, 3, 60);
        cr_assert_eq(pop_frame(&consumer), 3u, "kind %d, round %d", kind, round);
        uint32_t none;
        cr_assert_null(psy_frame_peek(&consumer, &none));
        cr_assert_not(psy_ring_broken(&consumer));
        psy_ring_leave(&producer);
        psy_seat_leave(&heir);
    }
    psy_ring_leave(&consumer);
    psy_seat_leave(&seat);
    psy_slab_destroy(slab);
}

Test(frame_flow, a_producer_dies_inside_of_a_frame)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    for (int kind = PSY_RING_SPSC; kind <= PSY_RING_MPMC; kind++) {
        die_inside((psy_ring_kind)kind);
    }
}

/* The same where the dead one's seat stays empty: its claim becomes padding as soon as somebody looks after it. */
Test(frame_flow, what_a_dead_producer_claimed_is_skipped)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    for (int kind = PSY_RING_MPSC; kind <= PSY_RING_MPMC; kind += PSY_RING_MPMC - PSY_RING_MPSC) {
        psy_slab *slab;
        psy_seat seats[2];
        psy_ring_shape shape = {(psy_ring_kind)kind, 8, 32};
        psy_slab_options options = {.bytes = psy_ring_shape_bytes(&shape)};
        cr_assert_eq(psy_slab_create(&options, &slab), PSY_OK);
        void *memory = psy_slab_data(slab);
        uint64_t bytes = psy_slab_data_bytes(slab);
        psy_ring consumer, producer;
        psy_ring_report report;
        uint32_t none;
        cr_assert_eq(psy_ring_format(memory, bytes, &shape), PSY_OK);
        cr_assert_eq(psy_seat_take(slab, &seats[0]), PSY_OK);
        cr_assert_eq(psy_seat_take(slab, &seats[1]), PSY_OK);
        cr_assert_eq(psy_ring_join(&consumer, PSY_RING_CONSUMER, memory, bytes, &shape, &seats[0]), PSY_OK);
        cr_assert_eq(psy_ring_join(&producer, PSY_RING_PRODUCER, memory, bytes, &shape, &seats[1]), PSY_OK);
        pid_t child = fork();
        cr_assert_geq(child, 0);
        if (child == 0) {
            psy_seat own;
            psy_ring dying;
            if (psy_seat_take(slab, &own) != PSY_OK ||
                psy_ring_join(&dying, PSY_RING_PRODUCER, memory, bytes, &shape, &own) != PSY_OK ||
                !psy_frame_claim(&dying, 100)) {
                _exit(1);
            }
            kill(getpid(), SIGKILL);
        }
        int status = -1;
        waitpid(child, &status, 0);
        cr_assert(WIFSIGNALED(status));
        push_frame(&producer, 7, 32);
        cr_assert_null(psy_frame_peek(&consumer, &none), "the dead one's frame lies before it");
        cr_assert_eq(psy_ring_wait(&consumer, 20 * second_ns), PSY_OK, "who waits looks after the dead");
        cr_assert_eq(pop_frame(&consumer), 7u);
        cr_assert_eq(psy_ring_recover(&consumer, &report), PSY_OK);
        cr_assert_eq(report.padded, 0u, "it is done already");
        psy_ring_leave(&producer);
        psy_ring_leave(&consumer);
        psy_seat_leave(&seats[0]);
        psy_seat_leave(&seats[1]);
        psy_slab_destroy(slab);
    }
}

/* ---- a producer that lies while it is listened to ---- */

typedef struct liar {
    crowd *c;
    _Atomic bool over;
} liar;

static void *lie(void *argument)
{
    liar *l = argument;
    uint64_t seed = 5, words = l->c->bytes / 8, begins = words - (uint64_t)l->c->shape.slots * l->c->shape.stride / 8;
    volatile uint64_t *memory = l->c->memory;
    while (!l->over) {
        /* Heads mostly, of plausible lengths and kinds; at times any word. */
        uint64_t length = random_next(&seed) % 4 ? random_next(&seed) % 64 : random_next(&seed);
        uint64_t kind = random_next(&seed) % 4 ? 1 + random_next(&seed) % 2 : random_next(&seed) % 1024;
        uint64_t at = random_next(&seed) % 64 ? begins + random_next(&seed) % (words - begins) : random_next(&seed) % words;
        memory[at] = at < begins ? random_next(&seed) % 512 : kind << 32 | (uint32_t)length;
    }
    return NULL;
}

Test(frame_flow, heads_that_change_while_they_are_read)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("races on purpose");
    }
    uint64_t sum = 0, heard[4] = {0};
    for (int kind = PSY_RING_SPSC; kind <= PSY_RING_MPMC; kind++) {
        crowd *c = gather((psy_ring_kind)kind, 8, 64, 0, false);
        liar l = {.c = c};
        pthread_t thread;
        cr_assert_eq(pthread_create(&thread, NULL, lie, &l), 0);
        uint64_t end_ns = psy__now_ns() + second_ns / 4, late_ns = end_ns + 30 * second_ns;
        /* The liar may come late on a busy machine. */
        for (uint32_t round = 0; round < 20000 || psy__now_ns() < (heard[kind] > 100 ? end_ns : late_ns); round++) {
            psy_ring ring;
            psy_seat seat = psy_seat_bare(101);
            cr_assert_eq(psy_ring_format(c->memory, c->bytes, &c->shape), PSY_OK);
            if (psy_ring_join(&ring, PSY_RING_CONSUMER, c->memory, c->bytes, &c->shape, &seat) != PSY_OK) {
                continue;
            }
            const uint8_t *begin = ring.slots_at, *end = begin + (size_t)c->shape.slots * c->shape.stride, *message;
            uint64_t n = 1 + round % 64;
            if (ring.states) { /* one run of that many: published, in seat 1, in the first lap */
                atomic_store(&ring.states[0], n << 11 | 1 << 3 | 2);
            } else {
                atomic_store(&ring.header->published, n);
            }
            uint32_t bytes, frames = 0;
            while (frames++ < 200 && (message = psy_frame_next(&ring, &bytes)) != NULL) {
                cr_assert(message >= begin && message <= end && bytes <= (uint64_t)(end - message));
                for (uint32_t i = 0; i < bytes; i++) {
                    sum += message[i];
                }
                heard[kind]++;
                if (frames % 3 == 0) {
                    psy_frame_release(&ring);
                }
            }
        }
        l.over = true;
        pthread_join(thread, NULL);
        munmap(c, (size_t)((uint8_t *)c->memory - (uint8_t *)c) + c->bytes);
        cr_assert_gt(heard[kind], 100u, "kind %d: %lu", kind, (unsigned long)sum);
    }
}

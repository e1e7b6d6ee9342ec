/* SPDX-License-Identifier: Apache-2.0 */
/* Bells: what peers cannot do with them, epoll loops over several rings that miss nothing, and no system call while nobody
 * sleeps. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <psyne/bell.h>
#include <psyne/slab.h>

#include "base/clock.h"
#include "tests/mem/pair.h"

static bool readable(const psy_bell *bell)
{
    struct pollfd p = {.fd = psy_bell_fd(bell), .events = POLLIN};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0;
}

Test(bell, an_event_rings_and_clears)
{
    psy_bell bell;
    cr_assert_eq(psy_bell_open(&bell), PSY_OK);
    psy_bell_clear(&bell);
    cr_assert_not(readable(&bell));
    psy_bell_ring(&bell);
    psy_bell_ring(&bell);
    cr_assert(readable(&bell));
    psy_bell_clear(&bell);
    cr_assert_not(readable(&bell));
    psy_bell_close(&bell);
    cr_assert_eq(psy_bell_fd(&bell), -1);
    psy_bell_close(&bell);
}

/* They are rung in signal handlers: whoever is interrupted must not see another errno. */
Test(bell, one_that_is_full_leaves_errno_alone)
{
    psy_bell bell, ends[2];
    uint64_t most = UINT64_MAX - 1;
    cr_assert_eq(psy_bell_open(&bell), PSY_OK);
    cr_assert_eq(psy_bell_open_pair(ends), PSY_OK);
    cr_assert_eq(write(psy_bell_fd(&bell), &most, sizeof most), (ssize_t)sizeof most);
    errno = EDOM;
    psy_bell_ring(&bell);
    for (int i = 0; i < 1000; i++) {
        psy_bell_ring(&ends[0]);
    }
    psy_bell_clear(&ends[1]);
    cr_assert_eq(errno, EDOM);
    cr_assert(readable(&bell));
    psy_bell_close(&bell);
    psy_bell_close(&ends[0]);
    psy_bell_close(&ends[1]);
}

Test(bell, each_end_rings_the_other)
{
    psy_bell ends[2];
    cr_assert_eq(psy_bell_open_pair(ends), PSY_OK);
    for (int i = 0; i < 2; i++) {
        psy_bell adopted;
        cr_assert_eq(fcntl(psy_bell_fd(&ends[i]), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        cr_assert_eq(psy_bell_adopt(psy_bell_fd(&ends[i]), &adopted), PSY_OK);
        cr_assert_not(readable(&adopted));
        psy_bell_clear(&adopted);
        psy_bell_ring(&ends[1 - i]);
        cr_assert(readable(&adopted));
        cr_assert_not(readable(&ends[1 - i]));
        psy_bell_clear(&adopted);
        cr_assert_not(readable(&ends[i]));
    }
    psy_bell_close(&ends[0]);
    psy_bell_close(&ends[1]);
}

Test(bell, a_peer_cannot_make_them_block)
{
    psy_bell ends[2];
    alarm(20); /* a call that blocks would hang here */
    cr_assert_eq(psy_bell_open_pair(ends), PSY_OK);
    fcntl(psy_bell_fd(&ends[0]), F_SETFL, 0); /* as a peer can do with the end that it handed over */
    fcntl(psy_bell_fd(&ends[1]), F_SETFL, 0);
    for (int i = 0; i < 10000; i++) {
        psy_bell_ring(&ends[0]);
    }
    psy_bell_clear(&ends[1]);
    cr_assert_not(readable(&ends[1]), "one clear takes all rings");
    psy_bell_clear(&ends[1]);
    (void)shutdown(psy_bell_fd(&ends[1]), SHUT_RDWR);
    psy_bell_ring(&ends[0]);
    psy_bell_clear(&ends[0]);
    psy_bell_clear(&ends[1]);
    psy_bell_close(&ends[1]);
    psy_bell_ring(&ends[0]); /* no signal */
    psy_bell_clear(&ends[0]);
    psy_bell_close(&ends[0]);
    alarm(0);
}

static void refuse(int fd)
{
    psy_bell bell = {PSY_BELL_END, fd};
    cr_assert_eq(psy_bell_adopt(fd, &bell), PSY_PROTOCOL);
    cr_assert_eq(psy_bell_fd(&bell), -1);
    psy_bell_ring(&bell);
    psy_bell_clear(&bell);
    psy_bell_close(&bell);
    cr_assert(fd < 0 || fcntl(fd, F_GETFD) >= 0, "what was refused stays the caller's");
}

Test(bell, what_is_none_is_refused)
{
    int ends[2];
    alarm(20);
    cr_assert_eq(pipe(ends), 0);
    refuse(ends[1]);
    close(ends[0]);
    /* Even taken for an end it does no harm: a pipe without a reader, and one that would block. */
    psy_bell wrong = {PSY_BELL_END, ends[1]};
    psy_bell_ring(&wrong);
    psy_bell_clear(&wrong);
    close(ends[1]);
    int fd = eventfd(0, EFD_CLOEXEC);
    refuse(fd);
    wrong.fd = fd;
    psy_bell_clear(&wrong);
    close(fd);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    refuse(ends[0]);
    close(ends[0]);
    close(ends[1]);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        refuse(fd);
        close(fd);
    }
    refuse(-1);
    psy_bell none = {PSY_BELL_NONE, 0};
    psy_bell_ring(&none);
    psy_bell_clear(&none);
    psy_bell_close(&none);
    cr_assert_geq(fcntl(0, F_GETFD), 0, "a bell of zeroes is none, not descriptor 0");
    alarm(0);
}

/* ---- epoll loops ---- */

enum { RINGS = 4, MESSAGES = 20000, NAP_MS = 20000 };

/* A ring, and the bells that its two sides sleep on. */
typedef struct line {
    pair p;
    psy_bell consumer_bell, producer_bell;
    const char *complaint;
} line;

static int epoll_of(const psy_bell *bell)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN};
    return fd >= 0 && epoll_ctl(fd, EPOLL_CTL_ADD, psy_bell_fd(bell), &e) == 0 ? fd : -1;
}

static void *fill_line(void *argument)
{
    line *l = argument;
    psy_ring *ring = &l->p.producer;
    uint64_t seed = (uintptr_t)l;
    int epoll = epoll_of(&l->producer_bell);
    for (uint64_t i = 0; i < MESSAGES && epoll >= 0 && !l->complaint;) {
        uint32_t got;
        uint64_t *slot = psy_ring_claim(ring, 1, &got);
        if (!slot) {
            struct epoll_event e;
            if (psy_ring_room_begin(ring)) {
                psy_ring_wake_consumer(ring);
                if (epoll_wait(epoll, &e, 1, NAP_MS) == 0) {
                    l->complaint = "a producer was never woken";
                }
                psy_bell_clear(&l->producer_bell);
            }
            psy_ring_room_end(ring);
            continue;
        }
        *slot = i++;
        psy_ring_commit(ring, 1);
        if (random_next(&seed) % 8 == 0) {
            psy_ring_flush(ring);
            psy_ring_wake_consumer(ring);
        }
        if (random_next(&seed) % 512 == 0) {
            usleep((useconds_t)(random_next(&seed) % 200));
        }
    }
    psy_ring_flush(ring);
    psy_ring_wake_consumer(ring);
    close(epoll);
    return NULL;
}

static const char *drain_lines(line *lines, uint32_t count)
{
    uint64_t next[RINGS] = {0}, seed = 5, left = (uint64_t)count * MESSAGES;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    const char *complaint = NULL;
    for (uint32_t i = 0; i < count; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, psy_bell_fd(&lines[i].consumer_bell), &e) != 0) {
            complaint = "no epoll";
        }
    }
    while (left && !complaint) {
        for (uint32_t i = 0; i < count; i++) {
            uint32_t got;
            const uint64_t *slots;
            while ((slots = psy_ring_peek(&lines[i].p.consumer, 16, &got)) != NULL) {
                for (uint32_t k = 0; k < got; k++) {
                    complaint = slots[k] == next[i] + k ? complaint : "a message is lost or doubled";
                }
                psy_ring_release(&lines[i].p.consumer, got);
                next[i] += got;
                left -= got;
            }
            if (random_next(&seed) % 2048 == 0) {
                usleep((useconds_t)(random_next(&seed) % 200)); /* they find it full */
            }
        }
        bool empty = true;
        for (uint32_t i = 0; i < count; i++) {
            empty = psy_ring_sleep_begin(&lines[i].p.consumer) && empty;
            psy_ring_wake_producer(&lines[i].p.consumer);
        }
        if (empty && left) {
            struct epoll_event e[RINGS];
            int n = epoll_wait(epoll, e, RINGS, NAP_MS);
            complaint = n > 0 || complaint ? complaint : "the consumer was never woken";
            for (int k = 0; k < n; k++) {
                psy_bell_clear(&lines[e[k].data.u32].consumer_bell);
            }
        }
        for (uint32_t i = 0; i < count; i++) {
            psy_ring_sleep_end(&lines[i].p.consumer);
        }
    }
    close(epoll);
    return complaint;
}

Test(bell, an_epoll_loop_over_several_rings)
{
    line lines[RINGS] = {0};
    pthread_t threads[RINGS];
    for (uint32_t i = 0; i < RINGS; i++) {
        line *l = &lines[i];
        l->p = make(8, 8u << i);
        cr_assert_eq(psy_bell_open(&l->consumer_bell), PSY_OK);
        cr_assert_eq(psy_bell_open(&l->producer_bell), PSY_OK);
        psy_ring_set_bell(&l->p.producer, l->consumer_bell);
        psy_ring_set_bell(&l->p.consumer, l->producer_bell);
        cr_assert_eq(pthread_create(&threads[i], NULL, fill_line, l), 0);
    }
    const char *complaint = drain_lines(lines, RINGS);
    for (uint32_t i = 0; i < RINGS; i++) {
        lines[i].complaint = complaint; /* it ends */
        psy_bell_ring(&lines[i].producer_bell);
        pthread_join(threads[i], NULL);
        psy_bell_close(&lines[i].consumer_bell);
        psy_bell_close(&lines[i].producer_bell);
        free(lines[i].p.memory);
    }
    cr_assert_null(complaint, "%s", complaint ? complaint : "");
}

Test(bell, a_pair_between_processes)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    psy_slab *slab;
    psy_slab_options options = {.bytes = psy_ring_bytes(8, 16)};
    line l = {0};
    psy_bell ends[2];
    cr_assert_eq(psy_slab_create(&options, &slab), PSY_OK);
    cr_assert_eq(psy_ring_init(&l.p.producer, psy_slab_data(slab), psy_slab_data_bytes(slab), 8, 16), PSY_OK);
    cr_assert_eq(psy_ring_attach(&l.p.consumer, PSY_RING_CONSUMER, psy_slab_data(slab), psy_slab_data_bytes(slab), 8, 16),
                 PSY_OK);
    cr_assert_eq(psy_bell_open_pair(ends), PSY_OK);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        psy_bell_close(&ends[0]);
        l.producer_bell = ends[1];
        psy_ring_set_bell(&l.p.producer, ends[1]);
        fill_line(&l);
        _exit(l.complaint != NULL);
    }
    psy_bell_close(&ends[1]);
    l.consumer_bell = ends[0];
    psy_ring_set_bell(&l.p.consumer, ends[0]);
    const char *complaint = drain_lines(&l, 1);
    int status = -1;
    if (complaint) {
        kill(child, SIGKILL);
    }
    waitpid(child, &status, 0);
    cr_assert_null(complaint, "%s", complaint ? complaint : "");
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    psy_bell_close(&ends[0]);
    psy_slab_destroy(slab);
}

/* ---- the moment between the last look and sleep ---- */

enum { ROUNDS = 100000 };
typedef struct rounds {
    psy_ring *producer;
    _Atomic uint32_t taken; /* UINT32_MAX: it is over */
    uint32_t sent;
} rounds;

static void *send_rounds(void *argument)
{
    rounds *r = argument;
    uint64_t seed = 11;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t taken;
        for (uint32_t k = 0; (taken = atomic_load(&r->taken)) != i && taken != UINT32_MAX; k++) {
            if (k % 256 == 255) {
                sched_yield();
            }
        }
        if (taken == UINT32_MAX) {
            break;
        }
        for (uint64_t k = random_next(&seed) % 64; k > 0; k--) { /* as it goes to sleep, or just before, or after */
            psy__relax();
        }
        push(r->producer, i);
        psy_ring_flush(r->producer);
        psy_ring_wake_consumer(r->producer);
        r->sent = i + 1;
    }
    return NULL;
}

Test(bell, no_wake_is_lost)
{
    pair p = make(8, 64);
    psy_bell bell;
    rounds r = {.producer = &p.producer};
    pthread_t thread;
    uint32_t lost = 0, slept = 0, got;
    cr_assert_eq(psy_bell_open(&bell), PSY_OK);
    psy_ring_set_bell(&p.producer, bell);
    int epoll = epoll_of(&bell);
    cr_assert_geq(epoll, 0);
    cr_assert_eq(pthread_create(&thread, NULL, send_rounds, &r), 0);
    uint64_t end_ns = psy__now_ns() + UINT64_C(8000000000); /* on a busy machine a round can take a time slice */
    for (uint32_t i = 0; i < ROUNDS && lost == 0 && psy__now_ns() < end_ns; i++) {
        while (!psy_ring_peek(&p.consumer, 1, &got) && lost == 0) {
            if (psy_ring_sleep_begin(&p.consumer)) {
                struct epoll_event e;
                slept++;
                lost += epoll_wait(epoll, &e, 1, NAP_MS) == 0;
                psy_bell_clear(&bell);
            }
            psy_ring_sleep_end(&p.consumer);
        }
        if (lost == 0) {
            cr_assert_eq(pop(&p.consumer), i);
            atomic_store(&r.taken, i + 1);
        }
    }
    atomic_store(&r.taken, UINT32_MAX);
    pthread_join(thread, NULL);
    cr_assert_eq(lost, 0u, "asleep beside message %u of %u", r.sent, (unsigned)ROUNDS);
    cr_assert_gt(slept, 0u);
    close(epoll);
    psy_bell_close(&bell);
    free(p.memory);
}

/* ---- what it costs while nobody sleeps ---- */

static void join_both(psy_ring_kind kind, void *memory, uint64_t bytes, psy_ring *producer, psy_ring *consumer)
{
    psy_ring_shape shape = {kind, 8, 64};
    psy_seat seats[2] = {psy_seat_bare(1), psy_seat_bare(2)};
    cr_assert_eq(psy_ring_format(memory, bytes, &shape), PSY_OK);
    cr_assert_eq(psy_ring_join(producer, PSY_RING_PRODUCER, memory, bytes, &shape, &seats[0]), PSY_OK);
    cr_assert_eq(psy_ring_join(consumer, PSY_RING_CONSUMER, memory, bytes, &shape, &seats[1]), PSY_OK);
}

/* The system kills whoever makes any call but read, write and exit. */
static void exchange_and_exit(psy_ring *producer, psy_ring *consumer, bool one_sleeps)
{
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) {
        syscall(SYS_exit, 77);
    }
    for (uint64_t i = 0; i < 20000; i++) {
        uint32_t got;
        uint64_t *slot = psy_ring_claim(producer, 1, &got);
        if (slot) {
            *slot = i;
            psy_ring_commit(producer, 1);
        }
        psy_ring_flush(producer);
        if (one_sleeps && i == 10000) {
            (void)psy_ring_sleep_begin(consumer);
        }
        psy_ring_wake_consumer(producer);
        slot = psy_ring_peek(consumer, 1, &got);
        if (!slot || *slot != i) {
            syscall(SYS_exit, 1);
        }
        psy_ring_release(consumer, 1);
        psy_ring_settle(consumer);
        psy_ring_wake_producer(consumer);
    }
    syscall(SYS_exit, 0);
}

static int exchange_alone(psy_ring_kind kind, bool one_sleeps)
{
    psy_ring_shape shape = {kind, 8, 64};
    uint64_t bytes = psy_ring_shape_bytes(&shape);
    void *memory = aligned_alloc(128, bytes);
    psy_ring producer, consumer;
    psy_bell ends[2];
    join_both(kind, memory, bytes, &producer, &consumer);
    cr_assert_eq(psy_bell_open_pair(ends), PSY_OK);
    psy_ring_set_bell(&producer, ends[0]);
    psy_ring_set_bell(&consumer, ends[1]);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        exchange_and_exit(&producer, &consumer, one_sleeps);
    }
    int status = -1;
    waitpid(child, &status, 0);
    cr_assert_not(readable(&ends[0]));
    cr_assert_not(readable(&ends[1]));
    psy_bell_close(&ends[0]);
    psy_bell_close(&ends[1]);
    free(memory);
    return status;
}

Test(bell, no_system_call_while_nobody_sleeps)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    int status = exchange_alone(PSY_RING_SPSC, true);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        cr_skip_test("no seccomp here");
    }
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "a wake of a sleeper is a call, and would be noticed");
    for (int kind = PSY_RING_SPSC; kind <= PSY_RING_MPMC; kind++) {
        status = exchange_alone((psy_ring_kind)kind, false);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "kind %d: %#x", kind, (unsigned)status);
    }
}

/* A sleeper of each kind is rung for once, by whoever makes something for it. */
Test(bell, rings_of_every_kind_ring_for_sleepers_only)
{
    for (int kind = PSY_RING_SPSC; kind <= PSY_RING_MPMC; kind++) {
        psy_ring_shape shape = {(psy_ring_kind)kind, 8, 64};
        uint64_t bytes = psy_ring_shape_bytes(&shape);
        void *memory = aligned_alloc(128, bytes);
        psy_ring producer, consumer;
        psy_bell bells[2];
        join_both((psy_ring_kind)kind, memory, bytes, &producer, &consumer);
        cr_assert_eq(psy_bell_open(&bells[0]), PSY_OK);
        cr_assert_eq(psy_bell_open(&bells[1]), PSY_OK);
        psy_ring_set_bell(&producer, bells[0]);
        psy_ring_set_bell(&consumer, bells[1]);
        for (uint64_t round = 0; round < 3; round++) {
            cr_assert(psy_ring_sleep_begin(&consumer));
            cr_assert_not(readable(&bells[0]));
            while (!is_full(&producer)) {
                push(&producer, round);
            }
            psy_ring_flush(&producer);
            psy_ring_wake_consumer(&producer);
            cr_assert(readable(&bells[0]), "kind %d", kind);
            psy_bell_clear(&bells[0]);
            psy_ring_wake_consumer(&producer);
            cr_assert_not(readable(&bells[0]), "one that was woken already");
            psy_ring_sleep_end(&consumer);
            cr_assert(psy_ring_room_begin(&producer));
            for (int i = 0; i < 64; i++) {
                cr_assert_eq(pop(&consumer), round);
            }
            psy_ring_settle(&consumer);
            psy_ring_wake_producer(&consumer);
            cr_assert(readable(&bells[1]), "kind %d", kind);
            psy_bell_clear(&bells[1]);
            psy_ring_wake_producer(&consumer);
            cr_assert_not(readable(&bells[1]));
            psy_ring_room_end(&producer);
        }
        psy_bell_close(&bells[0]);
        psy_bell_close(&bells[1]);
        free(memory);
    }
}

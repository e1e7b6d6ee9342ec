/* SPDX-License-Identifier: Apache-2.0 */
/* While both sides are busy, the hot path allocates nothing and makes no system call: both are counted here by standing in
 * front of the C library. Once a millisecond every agent looks at its links; those looks are let pass, and counted too. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/service/agents.h"

static _Atomic uint64_t allocations, system_calls, looks;
static _Atomic bool counting;
static const char *_Atomic last_call = "none";

/* What the runtime calls, in front of the C library's. Sanitizers stand there themselves. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define IN_FRONT 1
static void count(_Atomic uint64_t *what, const char *call)
{
    if (counting) {
        (*what)++;
        last_call = what == &system_calls ? call : last_call;
    }
}

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

void *malloc(size_t n)
{
    count(&allocations, __func__);
    return __libc_malloc(n);
}
void *calloc(size_t n, size_t size)
{
    count(&allocations, __func__);
    return __libc_calloc(n, size);
}
void *realloc(void *p, size_t n)
{
    count(&allocations, __func__);
    return __libc_realloc(p, n);
}
void *aligned_alloc(size_t align, size_t n)
{
    count(&allocations, __func__);
    return __libc_memalign(align, n);
}
ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
    count(&looks, __func__);
    return syscall(SYS_recvmsg, fd, m, flags);
}
int accept4(int fd, __SOCKADDR_ARG address, socklen_t *n, int flags)
{
    count(&looks, __func__);
    return (int)syscall(SYS_accept4, fd, address.__sockaddr__, n, flags);
}
ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    count(&system_calls, __func__);
    return syscall(SYS_sendmsg, fd, m, flags);
}
ssize_t send(int fd, const void *bytes, size_t n, int flags)
{
    count(&system_calls, __func__);
    return syscall(SYS_sendto, fd, bytes, n, flags, NULL, 0);
}
ssize_t recv(int fd, void *bytes, size_t n, int flags)
{
    count(&system_calls, __func__);
    return syscall(SYS_recvfrom, fd, bytes, n, flags, NULL, NULL);
}
ssize_t read(int fd, void *bytes, size_t n)
{
    count(&system_calls, __func__);
    return syscall(SYS_read, fd, bytes, n);
}
int ppoll(struct pollfd *p, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    struct timespec left = timeout ? *timeout : (struct timespec){0};
    count(&system_calls, __func__);
    return (int)syscall(SYS_ppoll, p, n, timeout ? &left : NULL, mask, 8);
}
int sched_yield(void)
{
    count(&system_calls, __func__);
    return (int)syscall(SYS_sched_yield);
}
#else
#define IN_FRONT 0
#endif

static void start_counting(void)
{
    allocations = system_calls = looks = 0;
    counting = true;
}

/* All agents on this one thread, run to completion: nobody ever waits. */
typedef struct turn {
    psy_broker *broker;
    psy_worker *workers[SHARDS];
    psy_channel *channel;
    psy_counters *counters;
    psy_pipeline lanes[LANES];
    uint64_t sent, back, wrong;
} turn;

static void work(turn *t)
{
    (void)psy_broker_do_work(t->broker);
    for (uint32_t i = 0; i < SHARDS; i++) {
        (void)psy_worker_do_work(t->workers[i]);
    }
}

static void make_calls(turn *t, uint64_t calls)
{
    psy_reply replies[32];
    for (uint64_t until = t->sent + calls; t->back < until;) {
        question q = {.key = t->sent, .number = t->sent + 1};
        while (t->sent < until && ask(t->channel, &t->lanes[t->sent % LANES], &q) == PSY_OK) {
            t->sent++;
            q = (question){.key = t->sent, .number = t->sent + 1};
        }
        psy_channel_flush(t->channel);
        work(t);
        uint32_t n = 0;
        (void)!psy_channel_poll(t->channel, replies, 32, &n);
        for (uint32_t i = 0; i < n; i++) {
            const answer *a = replies[i].message;
            t->wrong += replies[i].status != PSY_OK || a->number != (uint64_t)(uintptr_t)replies[i].user;
            psy_channel_release(t->channel, &replies[i]);
        }
        t->back += n;
    }
}

static void *connect_all(void *argument)
{
    turn *t = argument;
    for (uint32_t i = 0; i < SHARDS; i++) {
        psy_worker_options o = {.uri = "inproc://hot", .module = &stand_in_module, .shard = i, .counters = t->counters};
        cr_assert_eq(psy_worker_create(&o, &t->workers[i]), PSY_OK, "%s", psy_detail());
        cr_assert_eq(psy_worker_start(t->workers[i]), PSY_OK, "%s", psy_detail());
    }
    t->channel = open_counted_channel("inproc://hot", 64, 60000, t->counters, t->lanes);
    return NULL;
}

static void watch(psy_counters *counters)
{
    enum { WARM_UP = 5000, CALLS = 60000 };
    turn t = {.counters = counters};
    psy_broker_options o = {.uri = "inproc://hot", .module = &stand_in_module, .shards = SHARDS, .counters = counters};
    cr_assert_eq(psy_broker_create(&o, &t.broker), PSY_OK, "%s", psy_detail());
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, connect_all, &t), 0);
    while (pthread_tryjoin_np(thread, NULL) != 0) { /* connecting waits for the broker */
        (void)psy_broker_do_work(t.broker);
    }
    make_calls(&t, WARM_UP);
    start_counting();
    uint64_t start = psy__now_ns();
    make_calls(&t, CALLS);
    uint64_t ms = (psy__now_ns() - start) / 1000000;
    counting = false;
    cr_assert_eq(t.wrong, 0u);
    cr_assert_eq(allocations, 0u, "%lu allocations in %d calls", (unsigned long)allocations, CALLS);
    cr_assert_eq(system_calls, 0u, "%lu system calls (%s) in %d calls", (unsigned long)system_calls, last_call, CALLS);
    /* Broker: the listener, a client, two shards; a look each for client and workers. */
    cr_assert_leq(looks, (ms + 2) * 7, "%lu looks in %lu ms", (unsigned long)looks, (unsigned long)ms);

    start_counting(); /* and the counters do count */
    psy_broker_wait(t.broker, 1);
    void *volatile some = malloc(64);
    free(some);
    counting = false;
    cr_assert_gt(system_calls, 0u);
    cr_assert_gt(allocations, 0u);
    psy_channel_close(t.channel);
    for (uint32_t i = 0; i < SHARDS; i++) {
        psy_worker_destroy(t.workers[i]);
    }
    psy_broker_destroy(t.broker);
}

Test(hot_path, neither_allocates_nor_calls_the_system)
{
    if (!IN_FRONT) {
        cr_skip_test("a sanitizer stands in front of the C library");
    }
    watch(NULL);
}

/* Nor does what is counted. */
Test(hot_path, counts_without_either)
{
    if (!IN_FRONT) {
        cr_skip_test("a sanitizer stands in front of the C library");
    }
    char folder[96];
    make_counters(folder);
    psy_counters *counters = open_counters(folder, "hot", 64);
    watch(counters);
    psy_counters_destroy(counters);
    remove_counters(folder);
}

/* Between threads that are kept busy the bells are hardly ever rung: many calls to one system call. */
Test(hot_path, busy_threads_ring_no_bells)
{
    if (!IN_FRONT) {
        cr_skip_test("a sanitizer stands in front of the C library");
    }
    service s = open_service("inproc://busy", 1024, 64);
    client c = {.uri = s.uri, .in_flight = 512, .calls = 100000, .timeout_ms = 30000};
    start_counting();
    run_client(&c);
    counting = false;
    close_service(&s);
    cr_assert_eq(c.ok, c.calls);
    cr_log_info("%.3f system calls a call", (double)system_calls / c.calls);
    cr_assert_lt(system_calls, (uint64_t)c.calls, "more than one a call, though hundreds are in flight");
}

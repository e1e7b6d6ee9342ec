/* SPDX-License-Identifier: Apache-2.0 */
/* While both sides are busy sockets allocate nothing and make no system call, but for a look at the connections once in a
 * millisecond: counted by standing in front of the C library. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "tests/socket/sockets.h"

static _Atomic uint64_t allocations, system_calls, looks;
static _Atomic bool counting;

/* Sanitizers stand there themselves. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define IN_FRONT 1
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
#define IN_FRONT_OF(type, name, parameters, what, call)                                                                        \
    type name parameters                                                                                                       \
    {                                                                                                                          \
        what += counting;                                                                                                      \
        return (type)call;                                                                                                     \
    }
IN_FRONT_OF(void *, malloc, (size_t n), allocations, __libc_malloc(n))
IN_FRONT_OF(void *, calloc, (size_t n, size_t size), allocations, __libc_calloc(n, size))
IN_FRONT_OF(void *, realloc, (void *p, size_t n), allocations, __libc_realloc(p, n))
IN_FRONT_OF(ssize_t, send, (int fd, const void *b, size_t n, int f), system_calls, syscall(SYS_sendto, fd, b, n, f, NULL, 0))
IN_FRONT_OF(ssize_t, sendmsg, (int fd, const struct msghdr *m, int f), system_calls, syscall(SYS_sendmsg, fd, m, f))
IN_FRONT_OF(ssize_t, recv, (int fd, void *b, size_t n, int f), system_calls, syscall(SYS_recvfrom, fd, b, n, f, NULL, NULL))
IN_FRONT_OF(ssize_t, write, (int fd, const void *b, size_t n), system_calls, syscall(SYS_write, fd, b, n))
IN_FRONT_OF(ssize_t, read, (int fd, void *b, size_t n), system_calls, syscall(SYS_read, fd, b, n))
IN_FRONT_OF(int, ppoll, (struct pollfd * p, nfds_t n, const struct timespec *t, const sigset_t *m), system_calls,
            syscall(SYS_ppoll, p, n, t, m, 8))
IN_FRONT_OF(int, sched_yield, (void), system_calls, syscall(SYS_sched_yield))
IN_FRONT_OF(int, epoll_wait, (int fd, struct epoll_event *e, int n, int t), looks,
            syscall(SYS_epoll_pwait, fd, e, n, t, NULL, 8))
IN_FRONT_OF(ssize_t, recvmsg, (int fd, struct msghdr *m, int f), looks, syscall(SYS_recvmsg, fd, m, f))
#else
#define IN_FRONT 0
#endif

static uint64_t start_counting(void)
{
    allocations = system_calls = looks = 0;
    counting = true;
    return psy__now_ns();
}

/* `agents` look at `most` things each in a millisecond, at most. */
static void check_counts(uint64_t start_ns, uint32_t agents, uint32_t most)
{
    counting = false;
    uint64_t ms = (psy__now_ns() - start_ns) / 1000000 + 2;
    cr_assert_eq(allocations, 0u, "%lu allocations", (unsigned long)allocations);
    cr_assert_eq(system_calls, 0u, "%lu system calls", (unsigned long)system_calls);
    cr_assert_gt(looks, 0u, "nothing was counted at all");
    cr_assert_leq(looks, agents * most * ms, "%lu looks in %lu ms", (unsigned long)looks, (unsigned long)ms);
}

OVER_ALL(hot_path, of_messages)
{
    enum { ROUNDS = 2000, AT_ONCE = 20 };
    if (!IN_FRONT) {
        cr_skip_test("a sanitizer stands in front of the C library");
    }
    couple c = open_couple(uri, NULL, NULL);
    char data[1000] = {0}, got[1000];
    uint32_t bytes, dims[2] = {10, 20}, axes[2] = {1, 0};
    psy_variant_view view, seen;
    psy_draft draft;
    cr_assert_eq(psy_variant_view_init(&view, data, sizeof data, PSY_F32, 2, dims), PSY_OK);
    cr_assert_eq(psy_variant_transpose(&view, axes, &view), PSY_OK);
    uint64_t start = start_counting();
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < AT_ONCE; i++) {
            cr_assert_eq(psy_socket_send_bytes(c.connected, PSY_PEER_ONLY, data, i * 50, 0), PSY_OK, "%s", psy_detail());
            cr_assert_eq(psy_socket_send_vector(c.bound, c.peer, &view, 0), PSY_OK, "%s", psy_detail());
        }
        cr_assert_eq(psy_socket_claim(c.connected, PSY_PEER_ONLY, 100, &draft, 0), PSY_OK);
        cr_assert_eq(psy_socket_commit(c.connected, &draft, 100), PSY_OK);
        psy_socket_flush(c.connected);
        for (uint32_t i = 0; i < AT_ONCE + 1; i++) {
            cr_assert_eq(psy_socket_receive_bytes(c.bound, got, sizeof got, &bytes, NULL, 0), PSY_OK, "%s", psy_detail());
        }
        for (uint32_t i = 0; i < AT_ONCE; i++) {
            cr_assert_eq(psy_socket_receive_vector(c.connected, got, sizeof got, &seen, NULL, 0), PSY_OK, "%s", psy_detail());
        }
    }
    check_counts(start, 2, 4);
    close_couple(&c);
}

typedef struct inside {
    psy_broker *broker;
    psy_worker *worker;
    uint32_t called;
} inside;

static void done(void *user, const psy_completion *c)
{
    inside *in = user;
    in->called += c->status == PSY_OK;
}

/* Client, broker and worker on this one thread: nobody ever waits. */
OVER_ALL(hot_path, of_calls)
{
    enum { ROUNDS = 1000, AT_ONCE = 32 };
    if (!IN_FRONT) {
        cr_skip_test("a sanitizer stands in front of the C library");
    }
    service s = open_broker(uri, 1, 64);
    hire(&s, 0, 16);
    psy_socket *socket;
    uint32_t lane;
    question q = {.number = 1};
    answer a;
    cr_assert_eq(psy_socket_connect(uri, NULL, &socket), PSY_OK);
    cr_assert_eq(psy_socket_pipeline(socket, "key", &question_type, &answer_type, &lane), PSY_OK);
    cr_assert_eq(psy_socket_call(socket, lane, &q, &a, 5 * second_ns), PSY_OK, "%s", psy_detail());
    halt_broker(&s);
    psy_worker_stop(s.workers[0]);
    pthread_join(s.threads[0], NULL);
    inside in = {.broker = s.broker, .worker = s.workers[0]};
    psy_completion completions[AT_ONCE];
    for (uint32_t warm = 0; warm < 100; warm++) { /* rings forget that somebody slept */
        (void)psy_broker_do_work(in.broker);
        (void)psy_worker_do_work(in.worker);
    }
    uint64_t start = start_counting();
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t polled = 0, n;
        in.called = 0;
        for (uint32_t i = 0; i < AT_ONCE; i++) {
            cr_assert_eq(psy_socket_call_async(socket, lane, &q, 5 * second_ns, i % 2 ? done : NULL, &in, NULL), PSY_OK, "%s",
                         psy_detail());
        }
        while (polled + in.called < AT_ONCE) {
            (void)psy_broker_do_work(in.broker);
            (void)psy_worker_do_work(in.worker);
            if (psy_socket_poll(socket, completions, AT_ONCE, &n) == PSY_OK) {
                for (uint32_t i = 0; i < n; i++) {
                    cr_assert_eq(completions[i].status, PSY_OK);
                    psy_socket_release_reply(socket, &completions[i]);
                }
                polled += n;
            }
        }
    }
    check_counts(start, 3, 8);
    psy_socket_close(socket);
    psy_worker_destroy(in.worker);
    psy_broker_destroy(in.broker);
}

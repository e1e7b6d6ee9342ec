/* SPDX-License-Identifier: Apache-2.0 */
/* The transports' conformance suite: every case runs over ipc and inproc, and may leave no descriptor behind. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/transport/peers.h"

typedef void conformance(const char *uri);

static void run_ipc(conformance *test)
{
    char uri[128];
    make_directory();
    snprintf(uri, sizeof uri, "ipc://%s/s", directory);
    unsigned before = open_files();
    test(uri);
    cr_assert_eq(open_files(), before, "descriptors leak");
    remove_directory();
}

static void run_inproc(conformance *test, const char *name)
{
    char uri[128];
    snprintf(uri, sizeof uri, "inproc://%s", name);
    unsigned before = open_files();
    test(uri);
    cr_assert_eq(open_files(), before, "descriptors leak");
}

#define CONFORMANCE(name)                                                                                                      \
    static void name(const char *uri);                                                                                         \
    Test(ipc, name) { run_ipc(name); }                                                                                         \
    Test(inproc, name) { run_inproc(name, #name); }                                                                            \
    static void name(const char *uri)

/* ---- the suite ---- */

CONFORMANCE(nobody_serves)
{
    psy__link *link = NULL;
    cr_assert_eq(psy__connect(uri, 0, &link), PSY_UNREACHABLE);
    cr_assert_null(link);
    cr_assert_not_null(strstr(psy_detail(), uri), "%s", psy_detail());
    uint64_t start = psy__now_ns();
    cr_assert_eq(psy__connect(uri, 30000000, &link), PSY_UNREACHABLE);
    cr_assert_geq(psy__now_ns() - start, 30000000u);
}

static void *bind_later(void *argument)
{
    psy__listener *listener = NULL;
    usleep(60000);
    return psy__bind(argument, &listener) == PSY_OK ? listener : NULL;
}

CONFORMANCE(connect_waits_for_a_service_that_comes_later)
{
    pthread_t thread;
    char address[128];
    void *listener;
    snprintf(address, sizeof address, "%s", uri);
    cr_assert_eq(pthread_create(&thread, NULL, bind_later, address), 0);
    psy__link *link;
    psy_status status = psy__connect(uri, 10 * second_ns, &link);
    pthread_join(thread, &listener);
    cr_assert_not_null(listener);
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    psy__link_close(link);
    psy__listener_close(listener);
}

CONFORMANCE(an_address_has_one_service)
{
    psy__listener *first, *second = NULL;
    psy__link *link, *accepted;
    cr_assert_eq(psy__bind(uri, &first), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy__bind(uri, &second), PSY_IO);
    cr_assert_null(second);
    cr_assert(strstr(psy_detail(), "in use") && strstr(psy_detail(), uri), "%s", psy_detail());
    cr_assert_eq(psy__connect(uri, 0, &link), PSY_OK, "the first one still serves: %s", psy_detail());
    cr_assert_eq(psy__accept(first, &accepted), PSY_OK);
    psy__listener_close(first);
    cr_assert_eq(psy__bind(uri, &second), PSY_OK, "free again: %s", psy_detail());
    psy__control m = numbered(5, 20);
    cr_assert_eq(psy__link_send(link, &m, 1), PSY_OK, "links outlive their listener");
    expect(accepted, 5, 20);
    psy__link_close(link);
    psy__link_close(accepted);
    psy__listener_close(second);
}

CONFORMANCE(accepting_does_not_block)
{
    enum { MANY = 20 };
    psy__listener *listener;
    psy__link *links[MANY], *accepted[MANY], *none;
    cr_assert_eq(psy__bind(uri, &listener), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy__accept(listener, &none), PSY_EMPTY);
    cr_assert_not(readable(psy__listener_fd(listener), 0));
    for (uint32_t i = 0; i < MANY; i++) {
        cr_assert_eq(psy__connect(uri, second_ns, &links[i]), PSY_OK, "%s", psy_detail());
        psy__control m = numbered(i, 8);
        cr_assert_eq(psy__link_send(links[i], &m, 1), PSY_OK);
    }
    for (uint32_t i = 0; i < MANY; i++) {
        cr_assert(readable(psy__listener_fd(listener), 1000), "%u are waiting", MANY - i);
        cr_assert_eq(psy__accept(listener, &accepted[i]), PSY_OK);
        expect(accepted[i], i, 8); /* in the order they came */
    }
    cr_assert_eq(psy__accept(listener, &none), PSY_EMPTY);
    cr_assert_not(readable(psy__listener_fd(listener), 0));
    for (uint32_t i = 0; i < MANY; i++) {
        psy__link_close(links[i]);
        psy__link_close(accepted[i]);
    }
    psy__listener_close(listener);
}

CONFORMANCE(messages_come_whole_and_in_order)
{
    peers p = meet(uri);
    psy__control none;
    cr_assert_eq(psy__link_poll(p.client, &none), PSY_EVENT_NONE);
    cr_assert_eq(psy__link_poll(p.server, &none), PSY_EVENT_NONE);
    cr_assert_not(readable(psy__link_fd(p.server), 0));
    const uint32_t sizes[] = {1, 2, 63, 64, 65, 511, PSY_CONTROL_BYTES_MAX - 1, PSY_CONTROL_BYTES_MAX};
    enum { N = sizeof sizes / sizeof *sizes };
    psy__control batch[N];
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < N; i++) {
            batch[i] = numbered(round * 100 + i, sizes[i]);
        }
        cr_assert_eq(psy__link_send(p.client, batch, N), PSY_OK);
        cr_assert_eq(psy__link_send(p.server, batch, N), PSY_OK);
        for (uint32_t i = 0; i < N; i++) {
            expect(p.server, round * 100 + i, sizes[i]);
            expect(p.client, round * 100 + i, sizes[i]);
        }
    }
    cr_assert_eq(psy__link_poll(p.server, &none), PSY_EVENT_NONE);
    part(&p);
}

CONFORMANCE(descriptors_travel_with_their_message)
{
    peers p = meet(uri);
    psy__control m = numbered(1, 10), got;
    struct stat mine[PSY_CONTROL_FDS_MAX], theirs;
    m.fd_count = PSY_CONTROL_FDS_MAX;
    for (uint32_t i = 0; i < m.fd_count; i++) {
        m.fds[i] = memfd_create("passed", MFD_CLOEXEC);
        cr_assert_geq(m.fds[i], 0);
        cr_assert_eq(fstat(m.fds[i], &mine[i]), 0);
    }
    unsigned before = open_files();
    cr_assert_eq(psy__link_send(p.client, &m, 1), PSY_OK);
    cr_assert_eq(next(p.server, &got), PSY_EVENT_CONTROL);
    cr_assert_eq(got.fd_count, m.fd_count);
    cr_assert_eq(open_files(), before + m.fd_count);
    for (uint32_t i = 0; i < m.fd_count; i++) {
        cr_assert_eq(fstat(got.fds[i], &theirs), 0);
        cr_assert_eq(theirs.st_ino, mine[i].st_ino, "in order");
        cr_assert_eq(fcntl(got.fds[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        close(got.fds[i]);
        cr_assert_eq(fcntl(m.fds[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC, "the sender keeps its own");
    }
    cr_assert_eq(psy__link_send(p.client, &m, 1), PSY_OK); /* never read: closed with the link */
    for (uint32_t i = 0; i < m.fd_count; i++) {
        close(m.fds[i]);
    }
    part(&p);
}

CONFORMANCE(messages_that_are_refused_send_nothing)
{
    peers p = meet(uri);
    psy__control batch[2] = {numbered(1, 10), numbered(2, 10)}, none;
    batch[1].bytes = 0;
    cr_assert_eq(psy__link_send(p.client, batch, 2), PSY_INVALID);
    batch[1].bytes = PSY_CONTROL_BYTES_MAX + 1;
    cr_assert_eq(psy__link_send(p.client, batch, 2), PSY_TOO_LARGE);
    batch[1].bytes = 10;
    batch[1].fd_count = PSY_CONTROL_FDS_MAX + 1;
    cr_assert_eq(psy__link_send(p.client, batch, 2), PSY_TOO_LARGE);
    cr_assert_eq(psy__link_poll(p.server, &none), PSY_EVENT_NONE);
    batch[0].fd_count = 1;
    batch[0].fds[0] = -1;
    cr_assert_eq(psy__link_send(p.client, batch, 1), PSY_IO, "no such descriptor");
    cr_assert_eq(psy__link_poll(p.server, &none), PSY_EVENT_NONE);
    part(&p);
}

CONFORMANCE(a_peer_that_does_not_read_gives_full)
{
    peers p = meet(uri);
    uint32_t sent = 0, seen = 0;
    psy_status status = PSY_OK;
    for (; sent < 100000 && status == PSY_OK; sent += status == PSY_OK) {
        psy__control m = numbered(sent, 100);
        status = psy__link_send(p.client, &m, 1);
    }
    cr_assert_eq(status, PSY_FULL, "after %u messages", sent);
    cr_assert_gt(sent, 4u);
    while (seen < sent) {
        expect(p.server, seen++, 100);
        if (seen == sent / 2) {
            psy__control m = numbered(sent, 100);
            cr_assert_eq(psy__link_send(p.client, &m, 1), PSY_OK, "there is room again");
            sent++;
        }
    }
    psy__control none;
    cr_assert_eq(psy__link_poll(p.server, &none), PSY_EVENT_NONE);
    part(&p);
}

CONFORMANCE(the_end_comes_after_the_last_message)
{
    peers p = meet(uri);
    psy__control batch[2] = {numbered(1, 30), numbered(2, 40)};
    cr_assert_eq(psy__link_send(p.client, batch, 2), PSY_OK);
    psy__link_close(p.client);
    expect(p.server, 1, 30);
    expect(p.server, 2, 40);
    cr_assert(readable(psy__link_fd(p.server), 0), "the end wakes a sleeper");
    expect_end(p.server);
    cr_assert_eq(psy__link_send(p.server, batch, 1), PSY_PEER_DIED);
    psy__link_close(p.server);
    psy__link_close(NULL);
    psy__listener_close(p.listener);
    psy__listener_close(NULL);
}

/* A peer that refuses us says why and leaves; that we were still talking must not swallow its words. */
CONFORMANCE(last_words_are_heard_though_ours_were_not)
{
    peers p = meet(uri);
    psy__control batch[2] = {numbered(1, 30), numbered(2, 40)};
    cr_assert_eq(psy__link_send(p.server, batch, 2), PSY_OK);
    cr_assert_eq(psy__link_send(p.client, batch, 2), PSY_OK);
    psy__link_close(p.client);
    expect(p.server, 1, 30);
    expect(p.server, 2, 40);
    expect_end(p.server);
    psy__link_close(p.server);
    psy__listener_close(p.listener);
}

CONFORMANCE(closing_the_listener_ends_those_who_wait)
{
    psy__listener *listener;
    psy__link *link;
    cr_assert_eq(psy__bind(uri, &listener), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy__connect(uri, 0, &link), PSY_OK);
    psy__listener_close(listener);
    expect_end(link);
    psy__link_close(link);
    cr_assert_eq(psy__connect(uri, 0, &link), PSY_UNREACHABLE);
}

CONFORMANCE(the_peer_is_known)
{
    peers p = meet(uri);
    int pid = 0;
    unsigned uid = 12345;
    cr_assert_eq(psy__link_peer(p.server, &pid, &uid), PSY_OK);
    cr_assert_eq(pid, getpid());
    cr_assert_eq(uid, getuid());
    part(&p);
}

/* ---- peers that send what no link sends ---- */

static void send_raw(psy__link *link, size_t bytes, uint32_t fd_count)
{
    static char data[4 * PSY_CONTROL_BYTES_MAX];
    _Alignas(struct cmsghdr) char ancillary[CMSG_SPACE(sizeof(int) * 64)];
    struct iovec io = {data, bytes};
    struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1};
    int fds[64];
    if (fd_count) {
        memset(ancillary, 0, sizeof ancillary);
        message.msg_control = ancillary;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        for (uint32_t i = 0; i < fd_count; i++) {
            fds[i] = STDERR_FILENO;
        }
        memcpy(CMSG_DATA(header), fds, sizeof(int) * fd_count);
    }
    cr_assert_eq(sendmsg(psy__link_fd(link), &message, MSG_NOSIGNAL | MSG_DONTWAIT), (ssize_t)bytes);
}

static void lie(const char *uri, size_t bytes, uint32_t fd_count)
{
    peers p = meet(uri);
    unsigned before = open_files();
    psy__control good = numbered(1, 10);
    cr_assert_eq(psy__link_send(p.client, &good, 1), PSY_OK);
    send_raw(p.client, bytes, fd_count);
    cr_assert_eq(psy__link_send(p.client, &good, 1), PSY_OK);
    expect(p.server, 1, 10);
    expect_end(p.server); /* and what came after is not heard */
    cr_assert_eq(open_files(), before, "descriptors that came are closed");
    expect_end(p.client);
    part(&p);
}

CONFORMANCE(too_long_messages_end_the_link) { lie(uri, PSY_CONTROL_BYTES_MAX + 1, 0); }
CONFORMANCE(too_long_messages_with_descriptors_end_the_link) { lie(uri, 2 * PSY_CONTROL_BYTES_MAX, 8); }
CONFORMANCE(too_many_descriptors_end_the_link) { lie(uri, 16, PSY_CONTROL_FDS_MAX + 1); }
CONFORMANCE(far_too_many_descriptors_end_the_link) { lie(uri, 16, 64); }
CONFORMANCE(empty_messages_end_the_link) { lie(uri, 0, 0); }
CONFORMANCE(empty_messages_with_descriptors_end_the_link) { lie(uri, 0, 3); }

/* ---- one-sided ---- */

enum { PUT_WORDS = 64, PUT_ROUNDS = 20000 };
typedef struct board {
    psy__link *link;
    _Alignas(64) uint64_t words[PUT_WORDS];
    _Alignas(64) _Atomic uint64_t published, seen;
    psy_status status;
} board;

static void *put_rounds(void *argument)
{
    board *b = argument;
    uint64_t words[PUT_WORDS];
    for (uint64_t round = 1; round <= PUT_ROUNDS && b->status == PSY_OK; round++) {
        for (uint64_t i = 0; i < PUT_WORDS; i++) {
            words[i] = round * 1000 + i;
        }
        b->status = psy__link_put(b->link, b->words, words, sizeof words);
        if (b->status == PSY_OK) {
            b->status = psy__link_publish(b->link, &b->published, round);
        }
        while (atomic_load_explicit(&b->seen, memory_order_acquire) < round && round < PUT_ROUNDS) {
            sched_yield();
        }
    }
    return NULL;
}

CONFORMANCE(what_was_put_is_there_when_the_word_is)
{
    peers p = meet(uri);
    board b = {.link = p.client};
    pthread_t thread;
    uint64_t last = 0, wrong = 0;
    cr_assert_eq(pthread_create(&thread, NULL, put_rounds, &b), 0);
    for (uint64_t deadline = psy__now_ns() + 20 * second_ns; last < PUT_ROUNDS && psy__now_ns() < deadline;) {
        uint64_t now = atomic_load_explicit(&b.published, memory_order_acquire);
        if (now == last) {
            sched_yield();
            continue;
        }
        for (uint64_t i = 0; i < PUT_WORDS; i++) {
            wrong += b.words[i] != now * 1000 + i;
        }
        last = now;
        atomic_store_explicit(&b.seen, now, memory_order_release);
    }
    atomic_store(&b.seen, UINT64_MAX);
    pthread_join(thread, NULL);
    cr_assert_eq(b.status, PSY_OK);
    cr_assert_eq(last, (uint64_t)PUT_ROUNDS);
    cr_assert_eq(wrong, 0u);
    part(&p);
}

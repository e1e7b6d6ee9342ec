/* SPDX-License-Identifier: Apache-2.0 */
/* The transports' conformance suite: every case runs over ipc and inproc, and may leave no descriptor behind. After it, what
 * only ipc has: paths, permissions, other processes; and the bells. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/test.h"
#include "transport/transport.h"

static const uint64_t second_ns = 1000000000;

static unsigned open_files(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    cr_assert_not_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        n += e->d_name[0] != '.';
    }
    closedir(d);
    return n;
}

/* ---- an address of its own for each case ---- */

static char directory[80];

static void make_directory(void)
{
    const char *base = getenv("TMPDIR");
    if (!base || strlen(base) > 50) { /* socket paths are short */
        base = "/tmp";
    }
    snprintf(directory, sizeof directory, "%s/psyne-XXXXXX", base);
    cr_assert_not_null(mkdtemp(directory));
}

static void remove_directory(void) { cr_assert_eq(rmdir(directory), 0, "files are left in %s", directory); }

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

/* ---- helpers ---- */

typedef struct peers {
    psy__listener *listener;
    psy__link *client, *server;
} peers;

static peers meet(const char *uri)
{
    peers p;
    cr_assert_eq(psy__bind(uri, &p.listener), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy__connect(uri, second_ns, &p.client), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy__accept(p.listener, &p.server), PSY_OK, "%s", psy_detail());
    return p;
}

static void part(peers *p)
{
    psy__link_close(p->client);
    psy__link_close(p->server);
    psy__listener_close(p->listener);
}

static bool readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

static psy__control numbered(uint32_t number, uint32_t bytes)
{
    psy__control m = {.bytes = bytes};
    for (uint32_t i = 0; i < bytes; i++) {
        m.data[i] = (uint8_t)(number + i);
    }
    return m;
}

static psy__event next(psy__link *link, psy__control *out)
{
    (void)readable(psy__link_fd(link), 5000);
    return psy__link_poll(link, out);
}

static void expect(psy__link *link, uint32_t number, uint32_t bytes)
{
    psy__control m, wanted = numbered(number, bytes);
    cr_assert_eq(next(link, &m), PSY_EVENT_CONTROL, "message %u", number);
    cr_assert_eq(m.bytes, bytes);
    cr_assert_eq(m.fd_count, 0u);
    cr_assert_arr_eq(m.data, wanted.data, bytes);
}

static void expect_end(psy__link *link)
{
    psy__control m;
    cr_assert_eq(next(link, &m), PSY_EVENT_CLOSED);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(psy__link_poll(link, &m), PSY_EVENT_CLOSED, "the end is said again");
        cr_assert_eq(m.fd_count, 0u);
    }
}

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

/* ---- addresses ---- */

Test(transport, addresses_that_are_none)
{
    psy__listener *listener = NULL;
    psy__link *link = NULL;
    const char *wrong[] = {NULL, "", "nearest", "ipc:/x", "ipc://relative/path", "inproc://"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert_eq(psy__bind(wrong[i], &listener), PSY_INVALID, "%s", wrong[i] ? wrong[i] : "NULL");
        cr_assert_gt(strlen(psy_detail()), 10u);
    }
    cr_assert_eq(psy__connect("ipc://relative/path", 0, &link), PSY_INVALID);
    cr_assert_not_null(strstr(psy_detail(), "absolute"), "%s", psy_detail());
    cr_assert_eq(psy__bind("tcp://localhost:1", &listener), PSY_UNSUPPORTED);
    cr_assert_not_null(strstr(psy_detail(), "inproc"), "%s", psy_detail());
    cr_assert_eq(psy__connect("tcp://localhost:1", 0, &link), PSY_UNSUPPORTED);
    char lengthy[300];
    memset(lengthy, 'x', sizeof lengthy);
    memcpy(lengthy, "ipc:///", 7);
    lengthy[sizeof lengthy - 1] = '\0';
    cr_assert_eq(psy__bind(lengthy, &listener), PSY_TOO_LARGE);
    cr_assert_eq(psy__connect(lengthy, 0, &link), PSY_TOO_LARGE);
    memcpy(lengthy, "inproc:///", 10);
    cr_assert_eq(psy__bind(lengthy, &listener), PSY_INVALID);
    cr_assert_null(listener);
    cr_assert_null(link);
}

Test(ipc_files, only_the_owner_may_connect_and_nothing_is_left)
{
    make_directory();
    char uri[160], path[128], lock[136];
    snprintf(path, sizeof path, "%s/s", directory);
    snprintf(lock, sizeof lock, "%s.lock", path);
    snprintf(uri, sizeof uri, "ipc://%s", path);
    psy__listener *listener;
    struct stat st;
    cr_assert_eq(psy__bind(uri, &listener), PSY_OK, "%s", psy_detail());
    cr_assert_eq(lstat(path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600u);
    cr_assert_eq(lstat(lock, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600u);
    psy__listener_close(listener);
    cr_assert_neq(lstat(path, &st), 0);
    cr_assert_neq(lstat(lock, &st), 0);
    remove_directory();
}

Test(ipc_files, what_is_no_dead_socket_stays)
{
    make_directory();
    unsigned before = open_files();
    char uri[128];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", directory);
    snprintf(uri, sizeof uri, "ipc://%s", address.sun_path);
    psy__listener *listener = NULL;
    struct stat st;

    int fd = open(address.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(psy__bind(uri, &listener), PSY_IO);
    cr_assert_not_null(strstr(psy_detail(), "no socket"), "%s", psy_detail());
    cr_assert_eq(lstat(address.sun_path, &st), 0, "a file of the user's is not removed");
    unlink(address.sun_path);

    int types[] = {SOCK_STREAM, SOCK_SEQPACKET};
    for (int i = 0; i < 2; i++) { /* another program, which knows no lock files */
        int other = socket(AF_UNIX, types[i] | SOCK_CLOEXEC, 0);
        cr_assert_eq(bind(other, (struct sockaddr *)&address, sizeof address), 0);
        cr_assert_eq(listen(other, 1), 0);
        cr_assert_eq(psy__bind(uri, &listener), PSY_IO);
        cr_assert_not_null(strstr(psy_detail(), "in use"), "%s", psy_detail());
        cr_assert_eq(lstat(address.sun_path, &st), 0);
        close(other); /* it dies, and leaves its socket */
        cr_assert_eq(psy__bind(uri, &listener), PSY_OK, "%s", psy_detail());
        psy__listener_close(listener);
        cr_assert_neq(lstat(address.sun_path, &st), 0);
    }

    cr_assert_eq(psy__bind(uri, &listener), PSY_OK, "%s", psy_detail());
    unlink(address.sun_path); /* somebody cleans up and puts another file there */
    fd = open(address.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    close(fd);
    psy__listener_close(listener);
    bool same_number = lstat(address.sun_path, &st) != 0; /* a file system may use an inode's number again at once */
    cr_assert(!same_number || open_files() == before);
    unlink(address.sun_path);
    cr_assert_eq(open_files(), before);
    remove_directory();
}

Test(ipc_files, no_permission)
{
    if (geteuid() == 0) {
        cr_skip_test("the superuser is denied nothing");
    }
    psy__listener *listener = NULL;
    cr_assert_eq(psy__bind("ipc:///proc/1/nothing", &listener), PSY_DENIED);
    cr_assert_not_null(strstr(psy_detail(), "/proc/1/nothing"), "%s", psy_detail());
}

Test(ipc_files, a_directory_that_is_not_there)
{
    psy__listener *listener = NULL;
    psy__link *link = NULL;
    cr_assert_eq(psy__bind("ipc:///nonexistent-directory/s", &listener), PSY_IO);
    cr_assert_not_null(strstr(psy_detail(), "/nonexistent-directory/s"), "%s", psy_detail());
    cr_assert_eq(psy__connect("ipc:///nonexistent-directory/s", 0, &link), PSY_UNREACHABLE);
}

/* Many start at once on the socket of a dead service, again and again: never do two of them serve. */
typedef struct rush {
    const char *uri;
    _Atomic uint32_t *serving, *clashes, *served;
} rush;

static void *rush_in(void *argument)
{
    rush *r = argument;
    for (int i = 0; i < 300; i++) {
        psy__listener *listener;
        if (psy__bind(r->uri, &listener) == PSY_OK) {
            atomic_fetch_add(r->clashes, atomic_fetch_add(r->serving, 1) != 0);
            atomic_fetch_add(r->served, 1);
            sched_yield();
            atomic_fetch_sub(r->serving, 1);
            psy__listener_close(listener);
        }
    }
    return NULL;
}

Test(ipc_files, two_never_serve_one_address)
{
    make_directory();
    char uri[128];
    snprintf(uri, sizeof uri, "ipc://%s/s", directory);
    _Atomic uint32_t serving = 0, clashes = 0, served = 0;
    rush r = {uri, &serving, &clashes, &served};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, rush_in, &r), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    cr_assert_eq(atomic_load(&clashes), 0u);
    cr_assert_gt(atomic_load(&served), 0u);
    remove_directory();
}

/* ---- other processes ---- */

Test(ipc_processes, a_killed_client_is_noticed)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("forks");
    }
    make_directory();
    char uri[128];
    snprintf(uri, sizeof uri, "ipc://%s/s", directory);
    psy__listener *listener;
    psy__link *server;
    cr_assert_eq(psy__bind(uri, &listener), PSY_OK, "%s", psy_detail());
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        psy__link *link;
        psy__control m = numbered(3, 30);
        if (psy__connect(uri, second_ns, &link) == PSY_OK && psy__link_send(link, &m, 1) == PSY_OK) {
            pause();
        }
        _exit(1);
    }
    cr_assert(readable(psy__listener_fd(listener), 5000));
    cr_assert_eq(psy__accept(listener, &server), PSY_OK);
    expect(server, 3, 30);
    int pid = 0;
    unsigned uid;
    cr_assert_eq(psy__link_peer(server, &pid, &uid), PSY_OK);
    cr_assert_eq(pid, child);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    expect_end(server);
    psy__link_close(server);
    psy__listener_close(listener);
    remove_directory();
}

Test(ipc_processes, a_killed_service_is_noticed_and_replaced)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("forks");
    }
    make_directory();
    char uri[128];
    snprintf(uri, sizeof uri, "ipc://%s/s", directory);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        psy__listener *listener;
        psy__link *link;
        while (psy__bind(uri, &listener) == PSY_OK) {
            while (psy__accept(listener, &link) == PSY_EMPTY) {
                usleep(1000);
            }
            pause();
        }
        _exit(1);
    }
    psy__link *link;
    psy__listener *listener = NULL;
    cr_assert_eq(psy__connect(uri, 10 * second_ns, &link), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy__bind(uri, &listener), PSY_IO, "it lives");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    expect_end(link);
    psy__link_close(link);
    cr_assert_eq(psy__connect(uri, 0, &link), PSY_UNREACHABLE);
    cr_assert_eq(psy__bind(uri, &listener), PSY_OK, "its socket and lock are left behind and taken over: %s", psy_detail());
    cr_assert_eq(psy__connect(uri, 0, &link), PSY_OK);
    psy__link_close(link);
    psy__listener_close(listener);
    remove_directory();
}

/* ---- doorbells and bells ---- */

Test(bells, doorbells_ring_and_clear)
{
    int fd = psy__doorbell_create();
    cr_assert_geq(fd, 0);
    psy__doorbell_clear(fd);
    cr_assert_not(readable(fd, 0));
    psy__doorbell_ring(fd);
    psy__doorbell_ring(fd);
    cr_assert(readable(fd, 0));
    psy__doorbell_clear(fd);
    cr_assert_not(readable(fd, 0));
    close(fd);
}

Test(bells, each_end_rings_the_other)
{
    int ends[2];
    cr_assert_eq(psy__bell_create(ends), PSY_OK);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(fcntl(ends[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        cr_assert_eq(psy__bell_check(ends[i]), PSY_OK);
        cr_assert_not(readable(ends[i], 0));
        psy__bell_clear(ends[i]);
        psy__bell_ring(ends[1 - i]);
        cr_assert(readable(ends[i], 0));
        cr_assert_not(readable(ends[1 - i], 0));
        psy__bell_clear(ends[i]);
        cr_assert_not(readable(ends[i], 0));
    }
    close(ends[0]);
    close(ends[1]);
}

Test(bells, a_peer_cannot_make_them_block)
{
    int ends[2];
    alarm(20); /* a call that blocks would hang here */
    cr_assert_eq(psy__bell_create(ends), PSY_OK);
    fcntl(ends[0], F_SETFL, 0); /* as a peer can do with the end that it handed over */
    fcntl(ends[1], F_SETFL, 0);
    for (int i = 0; i < 10000; i++) {
        psy__bell_ring(ends[0]);
    }
    psy__bell_clear(ends[1]);
    cr_assert_not(readable(ends[1], 0), "one clear takes all rings");
    psy__bell_clear(ends[1]);
    (void)shutdown(ends[1], SHUT_RDWR);
    psy__bell_ring(ends[0]);
    psy__bell_clear(ends[0]);
    psy__bell_clear(ends[1]);
    close(ends[1]);
    psy__bell_ring(ends[0]); /* no signal */
    psy__bell_clear(ends[0]);
    close(ends[0]);
    alarm(0);
}

Test(bells, what_is_no_bell)
{
    int ends[2];
    alarm(20);
    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(psy__bell_check(ends[1]), PSY_PROTOCOL);
    close(ends[0]);
    psy__bell_ring(ends[1]); /* a pipe without a reader: no SIGPIPE */
    psy__bell_clear(ends[1]);
    close(ends[1]);
    int fd = eventfd(0, EFD_CLOEXEC);
    cr_assert_eq(psy__bell_check(fd), PSY_PROTOCOL);
    psy__bell_clear(fd);
    close(fd);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    cr_assert_eq(psy__bell_check(ends[0]), PSY_PROTOCOL);
    close(ends[0]);
    close(ends[1]);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        cr_assert_eq(psy__bell_check(fd), PSY_PROTOCOL);
        close(fd);
    }
    cr_assert_eq(psy__bell_check(-1), PSY_PROTOCOL);
    alarm(0);
}

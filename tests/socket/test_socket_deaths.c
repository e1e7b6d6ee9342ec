/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that are killed while they are peers: at every step of a connection, and in the middle of a stream of messages each
 * of which is accounted for. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "socket/peer.h"
#include "tests/socket/sockets.h"

static const psy_socket_options options = {.message_bytes_max = 1000, .queue_bytes = 8192};

/* In the child: 0. It ends with the test. */
static pid_t start(void)
{
    pid_t parent = getpid(), pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(1);
        }
    }
    return pid;
}

static void finish_off(pid_t pid)
{
    cr_assert_eq(kill(pid, SIGKILL), 0);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

/* How far the child comes before it stops and is killed. */
typedef enum step {
    STEP_CONNECTED, /* said nothing */
    STEP_HELLO,     /* was told the limits */
    STEP_ATTACHED,  /* said how, and read no answer */
    STEP_UP,        /* is a peer */
    STEP_SENT,      /* has sent, and was sent something */
    STEP_DRAFT,     /* writes a message */
    STEP_PEEKED,    /* reads one */
    STEP_ASLEEP,    /* waits for one */
    STEP_FULL,      /* waits for room */
    STEPS
} step;

static void reach(step how, const char *uri, _Atomic int *there)
{
    psy__hello hello = {.role = PSY_ROLE_CLIENT, .shard = PSY_HELLO_FROM_SOCKET};
    psy__peer_welcome welcome;
    psy__link *link;
    psy_socket *s;
    psy_socket_info info;
    psy_parcel m;
    psy_draft draft;
    char data[1000] = {0};
    if (how <= STEP_ATTACHED) {
        if (psy__connect(uri, second_ns, &link) != PSY_OK) {
            _exit(1);
        }
        if (how >= STEP_HELLO) {
            if (psy__say(link, PSY_SAY_HELLO, &hello, sizeof hello, NULL, 0) != PSY_OK ||
                psy__hear(link, (psy__word)PSY_SAY_PEER_WELCOME, &welcome, sizeof welcome, NULL, 0,
                          psy__now_ns() + 5 * second_ns) != PSY_OK) {
                _exit(1);
            }
        }
        if (how == STEP_ATTACHED) {
            psy__outbox *out;
            psy_bell bell[2];
            psy__peer_attach attach = {.message_bytes_max = 1000, .granule = 64, .slots = 64};
            if (psy__outbox_create(64, 64, &out) != PSY_OK || psy_bell_open_pair(bell) != PSY_OK) {
                _exit(1);
            }
            int fds[2] = {psy_slab_fd(out->slab), psy_bell_fd(&bell[1])};
            (void)!psy__say(link, (psy__word)PSY_SAY_PEER_ATTACH, &attach, sizeof attach, fds, 2);
        }
        *there = 1;
        pause();
    }
    if (psy_socket_connect(uri, &options, &s) != PSY_OK) {
        _exit(1);
    }
    do {
        psy_socket_get_info(s, &info);
    } while (info.state != PSY_SOCKET_CONNECTED);
    if (how >= STEP_SENT && how != STEP_FULL) {
        if (psy_socket_send_bytes(s, PSY_PEER_ONLY, "last", 5, second_ns) != PSY_OK ||
            psy_socket_peek(s, &m, 5 * second_ns) != PSY_OK) {
            _exit(1);
        }
        if (how != STEP_PEEKED) {
            psy_socket_release(s);
        }
    }
    if (how == STEP_DRAFT && psy_socket_claim(s, PSY_PEER_ONLY, 500, &draft, 0) == PSY_OK) {
        memset(draft.data, 1, 250);
    }
    *there = 1;
    if (how == STEP_ASLEEP) {
        (void)!psy_socket_peek(s, &m, PSY_FOREVER);
    }
    while (how == STEP_FULL) {
        (void)!psy_socket_send_bytes(s, PSY_PEER_ONLY, data, sizeof data, PSY_FOREVER);
    }
    pause();
}

Test(deaths, at_every_step)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    char uri[96];
    snprintf(uri, sizeof uri, "%s", own_ipc_address());
    _Atomic int *there = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    couple c = open_couple(uri, &options, &options);
    holdings before = holdings_now();
    for (int how = 0; how < STEPS; how++) {
        *there = 0;
        pid_t pid = start();
        if (pid == 0) {
            reach((step)how, uri, there);
            _exit(1);
        }
        psy_socket_event event;
        psy_peer child = 0;
        uint64_t end = psy__now_ns() + 10 * second_ns;
        while (!*there || (how >= STEP_ATTACHED && !child)) {
            if (psy_socket_next_event(c.bound, &event) == PSY_OK && event.kind == PSY_SOCKET_GAINED) {
                child = event.peer;
                cr_assert_eq(psy_socket_send_bytes(c.bound, child, "first", 6, 0), PSY_OK, "%s", psy_detail());
            }
            cr_assert_lt(psy__now_ns(), end, "step %d", how);
            usleep(100);
        }
        usleep(10000);
        finish_off(pid);
        char data[1000];
        uint32_t bytes, came = 0;
        if (child) {
            event = expect_event(c.bound, NULL, PSY_SOCKET_LOST, PSY_PEER_DIED);
            char process[32];
            snprintf(process, sizeof process, "process %d", (int)pid);
            cr_assert(event.peer == child && strstr(event.text, process), "%s", event.text);
            bool took = how == STEP_SENT || how == STEP_DRAFT || how == STEP_ASLEEP;
            cr_assert_eq(event.untaken, took ? 0u : 1u, "step %d: %lu", how, (unsigned long)event.untaken);
        }
        psy_peer from;
        while (psy_socket_receive_bytes(c.bound, data, sizeof data, &bytes, &from, 0) == PSY_OK) {
            cr_assert(from == child && bytes == (how == STEP_FULL ? 1000u : 5u));
            came++;
        }
        cr_assert(how < STEP_SENT ? came == 0 : how == STEP_FULL ? came > 1 : came == 1, "step %d: %u came", how, came);
        cr_assert_eq(psy_socket_send_bytes(c.connected, PSY_PEER_ONLY, "x", 1, 0), PSY_OK); /* the others are well */
        cr_assert_eq(psy_socket_receive_bytes(c.bound, data, sizeof data, &bytes, NULL, second_ns), PSY_OK);
        while (psy_socket_next_event(c.bound, &event) == PSY_OK) { /* gives back what the last event kept */
        }
        psy_socket_info info;
        psy_socket_get_info(c.bound, &info);
        cr_assert_eq(info.peers, 1u);
    }
    /* One more event lets go of what the last one kept. */
    psy_socket *last;
    psy_socket_info info;
    cr_assert_eq(psy_socket_connect(uri, &options, &last), PSY_OK);
    do {
        psy_socket_get_info(c.bound, &info);
        psy_socket_get_info(last, &info);
    } while (info.state != PSY_SOCKET_CONNECTED);
    (void)expect_event(c.bound, last, PSY_SOCKET_GAINED, PSY_OK);
    psy_socket_close(last);
    (void)expect_event(c.bound, NULL, PSY_SOCKET_LOST, PSY_CLOSED);
    nothing_leaked(getpid(), before);
    close_couple(&c);
    munmap((void *)there, 4096);
}

enum { MESSAGES = 20000, DEATHS = 12 };
typedef struct ledger {
    _Atomic uint32_t received[MESSAGES]; /* how often it was, by any of those who lived one after the other */
    _Atomic uint32_t all, out_of_order;
} ledger;

static void keep_ledger(const char *uri, ledger *l)
{
    psy_socket *s;
    uint64_t number, last = 0;
    uint32_t bytes;
    if (psy_socket_bind(uri, &options, &s) != PSY_OK) {
        fprintf(stderr, "%s\n", psy_detail());
        _exit(1);
    }
    for (;;) {
        psy_parcel m;
        if (psy_socket_peek(s, &m, PSY_FOREVER) != PSY_OK) {
            _exit(1);
        }
        bytes = m.bytes;
        memcpy(&number, m.data, sizeof number);
        if (bytes < 8 || number >= MESSAGES || (last && number + 1 <= last)) {
            l->out_of_order++;
        } else {
            last = number + 1;
            l->received[number]++;
            l->all++;
        }
        psy_socket_release(s);
    }
}

/* The receiver is killed again and again while messages stream to it, and a new one binds. Every message was received, or was
 * said not to be and sent again; the one that a dead receiver was just reading may be both. */
Test(deaths, in_a_stream_where_every_message_counts)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    char uri[96];
    snprintf(uri, sizeof uri, "%s", own_ipc_address());
    ledger *l = mmap(NULL, sizeof *l, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint8_t *untaken = calloc(MESSAGES, 1);
    uint64_t *again = calloc(MESSAGES, sizeof *again), data[16] = {0};
    uint32_t again_count = 0, deaths = 0, reported = 0, twice = 0;
    uint64_t next = 0, end = psy__now_ns() + 60 * second_ns;
    psy_socket *s;
    pid_t pid = start();
    if (pid == 0) {
        keep_ledger(uri, l);
    }
    cr_assert_eq(psy_socket_connect(uri, &options, &s), PSY_OK);
    for (;;) {
        cr_assert_lt(psy__now_ns(), end, "message %lu, %u deaths", (unsigned long)next, deaths);
        psy_socket_event event;
        psy_parcel m;
        uint32_t old = again_count;
        while (psy_socket_next_event(s, &event) == PSY_OK) {
            uint64_t n = 0, number;
            while (psy_socket_untaken(s, &m) == PSY_OK) {
                memcpy(&number, m.data, sizeof number);
                cr_assert_lt(number, (uint64_t)MESSAGES);
                again[again_count++] = number; /* in order, behind what is still to be sent again */
                untaken[number] = 1;
                n++;
            }
            cr_assert(event.kind != PSY_SOCKET_LOST || event.untaken == n, "%lu are said to be untaken, %lu are there",
                      (unsigned long)event.untaken, (unsigned long)n);
            reported += (uint32_t)n;
        }
        (void)old;
        if (again_count > 0) { /* before those that have not been sent at all */
            uint64_t least = 0;
            for (uint32_t i = 1; i < again_count; i++) {
                least = again[i] < again[least] ? i : least;
            }
            data[0] = again[least];
            psy_status status = psy_socket_send_bytes(s, PSY_PEER_ONLY, data, 8 + (uint32_t)data[0] % 100, 1000000);
            if (status == PSY_OK) {
                again[least] = again[--again_count];
            }
        } else if (next < MESSAGES) {
            data[0] = next;
            psy_status status = psy_socket_send_bytes(s, PSY_PEER_ONLY, data, 8 + (uint32_t)next % 100, 1000000);
            next += status == PSY_OK;
        } else if (psy_socket_drain(s, 100000000) == PSY_OK) {
            break;
        }
        if (deaths < DEATHS && l->all > (deaths + 1) * (MESSAGES / (DEATHS + 2))) {
            finish_off(pid);
            deaths++;
            pid = start();
            if (pid == 0) {
                keep_ledger(uri, l);
            }
        }
    }
    finish_off(pid);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        cr_assert_geq(l->received[i], 1u, "message %u is lost", i);
        cr_assert(l->received[i] == 1 || untaken[i], "message %u came %u times, and nobody said so", i, l->received[i]);
        twice += l->received[i] - 1;
    }
    cr_assert_eq(l->out_of_order, 0u);
    cr_assert_leq(twice, deaths, "%u came twice", twice);
    cr_assert_eq(deaths, (uint32_t)DEATHS);
    cr_assert_gt(reported, 0u);
    cr_log_info("%u deaths, %u reported, %u twice", deaths, reported, twice);
    psy_socket_close(s);
    unlink(uri + strlen("ipc://"));
    char lock[128];
    snprintf(lock, sizeof lock, "%s.psyne-lock", uri + strlen("ipc://"));
    unlink(lock);
    free(untaken);
    free(again);
    munmap(l, sizeof *l);
}

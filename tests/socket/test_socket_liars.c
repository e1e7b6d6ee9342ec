/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that lie to sockets: what they hand over, and what they write into the memory that both share. It costs them their
 * connection, and nobody else anything. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "socket/peer.h"
#include "tests/socket/sockets.h"

enum { GRANULE = 64, SLOTS = 64, MESSAGE_MAX = 1000 };
static const psy_socket_options options = {.message_bytes_max = MESSAGE_MAX, .queue_bytes = 4096};

static uint64_t seed = 5;
static uint64_t noise(void)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return seed >> 13;
}

/* The honest ones, whom nothing of this may touch. */
static void exchange(couple *c, uint64_t number)
{
    char data[100], got[100];
    uint32_t bytes;
    psy_peer from;
    write_numbered(data, 1, number, sizeof data);
    cr_assert_eq(psy_socket_send_bytes(c->connected, PSY_PEER_ONLY, data, sizeof data, second_ns), PSY_OK, "%s", psy_detail());
    for (;;) { /* what liars have sent, as far as it is a message, is just a message */
        psy_parcel m;
        cr_assert_eq(psy_socket_peek(c->bound, &m, 5 * second_ns), PSY_OK, "%s", psy_detail());
        bool ours = m.peer == c->peer;
        if (ours) {
            check_numbered(m.data, 1, number, m.bytes);
        }
        psy_socket_release(c->bound);
        if (ours) {
            break;
        }
    }
    cr_assert_eq(psy_socket_send_bytes(c->bound, c->peer, data, sizeof data, second_ns), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_socket_receive_bytes(c->connected, got, sizeof got, &bytes, &from, 5 * second_ns), PSY_OK, "%s",
                 psy_detail());
    check_numbered(got, 1, number, bytes);
}

/* ---- introductions ---- */

typedef struct stranger {
    psy__link *link;
    psy__outbox *out;
    psy_bell bell[2];
    psy__peer_attach attach;
    int fds[3];
} stranger;

/* Up to the point where it hands over its memory, all of it right. */
static void call_as_stranger(stranger *s, psy_socket *bound, const char *uri)
{
    psy__hello hello = {.role = PSY_ROLE_CLIENT, .shard = PSY_HELLO_FROM_SOCKET};
    psy__peer_welcome welcome;
    psy_socket_info info;
    psy_status status;
    *s = (stranger){0};
    cr_assert_eq(psy__connect(uri, second_ns, &s->link), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy__say(s->link, PSY_SAY_HELLO, &hello, sizeof hello, NULL, 0), PSY_OK);
    uint64_t end = psy__now_ns() + 5 * second_ns;
    do {
        psy_socket_get_info(bound, &info);
        cr_assert_lt(psy__now_ns(), end);
        status = psy__hear_now(s->link, (psy__word)PSY_SAY_PEER_WELCOME, &welcome, sizeof welcome, NULL, 0);
    } while (status == PSY_EMPTY);
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy__outbox_create(GRANULE, SLOTS, &s->out), PSY_OK);
    cr_assert_eq(psy_bell_open_pair(s->bell), PSY_OK);
    s->attach = (psy__peer_attach){.message_bytes_max = MESSAGE_MAX, .granule = GRANULE, .slots = SLOTS};
    s->fds[0] = psy_slab_fd(s->out->slab);
    s->fds[1] = psy_bell_fd(&s->bell[1]);
    s->fds[2] = s->fds[0];
}

static void go(stranger *s)
{
    psy__link_close(s->link);
    psy__outbox_release(s->out);
    psy_bell_close(&s->bell[0]);
    psy_bell_close(&s->bell[1]);
}

/* What the bound side answers. */
static psy_status answer_to(stranger *s, psy_socket *bound, psy__peer_attach *attached, int *fd)
{
    psy_socket_info info;
    psy_status status;
    uint64_t end = psy__now_ns() + 5 * second_ns;
    do {
        psy_socket_get_info(bound, &info);
        cr_assert_lt(psy__now_ns(), end, "neither attached nor refused");
        status = psy__hear_now(s->link, (psy__word)PSY_SAY_PEER_ATTACHED, attached, sizeof *attached, fd, 1);
    } while (status == PSY_EMPTY);
    return status;
}

OVER_ALL(introductions, that_are_wrong)
{
    holdings before = holdings_now();
    couple c = open_couple(uri, &options, &options);
    holdings with = holdings_now();
    static const struct {
        uint32_t granule, slots;
    } shapes[] = {
        {0, SLOTS},    {8, SLOTS},     {48, SLOTS},           {96, SLOTS},  {UINT32_C(1) << 31, 2}, {GRANULE, 0},
        {GRANULE, 63}, {GRANULE, 128}, {GRANULE, UINT32_MAX}, {128, SLOTS}, {65536, 1 << 24},       {UINT32_MAX, UINT32_MAX}};
    enum { OTHERS = 9, ALL = sizeof shapes / sizeof shapes[0] + OTHERS };
    for (uint32_t how = 0; how < ALL; how++) {
        stranger s;
        psy__peer_attach attached;
        int fd = -1, pair[2], file = -1;
        call_as_stranger(&s, c.bound, uri);
        cr_assert_eq(pipe(pair), 0);
        uint32_t word = PSY_SAY_PEER_ATTACH, bytes = sizeof s.attach, fds = 2;
        switch (how) {
        case 0: s.fds[0] = pair[0]; break;
        case 1: s.fds[1] = pair[0]; break;
        case 2: fds = 1; break;
        case 3: fds = 3; break;
        case 4: fds = 0; break;
        case 5: word = PSY_SAY_PEER_BYE; break;
        case 6: bytes -= 4; break;
        case 7: /* holes, which reading would fill */
            psy__outbox_release(s.out);
            s.out = calloc(1, sizeof *s.out);
            s.out->holds = 1;
            psy_slab_options o = {.bytes = psy_ring_bytes(GRANULE, SLOTS) + (1 << 20)};
            cr_assert_eq(psy_slab_create(&o, &s.out->slab), PSY_OK);
            cr_assert_eq(psy_ring_init(&s.out->ring, psy_slab_data(s.out->slab), o.bytes, GRANULE, SLOTS), PSY_OK);
            s.fds[0] = psy_slab_fd(s.out->slab);
            break;
        case 8: /* not sealed */
            file = memfd_create("psyne-test", MFD_CLOEXEC);
            cr_assert_eq(ftruncate(file, 1 << 20), 0);
            s.fds[0] = file;
            break;
        default:
            s.attach.granule = shapes[how - OTHERS].granule;
            s.attach.slots = shapes[how - OTHERS].slots;
            break;
        }
        cr_assert_eq(psy__say(s.link, (psy__word)word, &s.attach, bytes, s.fds, fds), PSY_OK, "%u", how);
        psy_status status = answer_to(&s, c.bound, &attached, &fd);
        cr_assert_neq(status, PSY_OK, "%u was taken", how);
        cr_assert_neq(status, PSY_PEER_DIED, "%u was not told why", how);
        close(pair[0]);
        close(pair[1]);
        if (file >= 0) {
            close(file);
        }
        go(&s);
        exchange(&c, how);
    }
    /* First words: of another version, of a worker, of a channel, of nobody. */
    for (uint32_t how = 0; how < 5; how++) {
        psy__hello hello = {.role = how == 1 ? PSY_ROLE_WORKER : PSY_ROLE_CLIENT,
                            .shard = how == 2 ? 0 : PSY_HELLO_FROM_SOCKET};
        psy__control out = {.bytes = how == 3 ? 5 : sizeof hello};
        psy__link *link;
        psy__peer_welcome welcome;
        psy_socket_info info;
        psy_status status;
        hello.said = (psy__said){PSY_PROTOCOL_MAGIC, how == 0 ? PSY_PROTOCOL_MAJOR + 1 : PSY_PROTOCOL_MAJOR, 0,
                                 how == 4 ? PSY_SAY_OPEN : PSY_SAY_HELLO, sizeof hello};
        memcpy(out.data, &hello, sizeof hello);
        cr_assert_eq(psy__connect(uri, second_ns, &link), PSY_OK);
        cr_assert_eq(psy__link_send(link, &out, 1), PSY_OK);
        uint64_t end = psy__now_ns() + 5 * second_ns;
        do {
            psy_socket_get_info(c.bound, &info);
            cr_assert_lt(psy__now_ns(), end);
            status = psy__hear_now(link, (psy__word)PSY_SAY_PEER_WELCOME, &welcome, sizeof welcome, NULL, 0);
        } while (status == PSY_EMPTY);
        static const psy_status expected[] = {PSY_VERSION, PSY_INVALID, PSY_INVALID, PSY_PROTOCOL, PSY_PROTOCOL};
        cr_assert_eq(status, expected[how], "%u: %s: %s", how, psy_status_name(status), psy_detail());
        cr_assert(how != 2 || strstr(psy_detail(), "psy_socket_connect"), "%s", psy_detail());
        psy__link_close(link);
        exchange(&c, how);
    }
    nothing_leaked(getpid(), with);
    close_couple(&c);
    nothing_leaked(getpid(), before);
}

typedef struct loop_of_one {
    psy_socket *socket;
    _Atomic bool end;
} loop_of_one;

static void *run_one(void *argument)
{
    loop_of_one *run = argument;
    while (!run->end) {
        (void)!psy_socket_wait(run->socket, 2000000);
    }
    return NULL;
}

/* A channel that connects to a socket is told, by name, what to use. */
OVER_ALL(introductions, of_a_channel)
{
    psy_socket *bound;
    psy_channel *channel;
    psy_channel_options o = {.connect_timeout_ns = 5 * second_ns};
    cr_assert_eq(psy_socket_bind(uri, &options, &bound), PSY_OK);
    loop_of_one run = {.socket = bound};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, run_one, &run), 0);
    cr_assert_eq(psy_channel_connect(uri, &o, &channel), PSY_INVALID, "%s", psy_detail());
    cr_assert(strstr(psy_detail(), "psy_socket_connect") && strstr(psy_detail(), uri), "%s", psy_detail());
    run.end = true;
    pthread_join(thread, NULL);
    psy_socket_close(bound);
}

/* ---- shared memory ---- */

/* One word of a slab that both sides have becomes another: of the ring's header or of a frame's head most of the time. */
static void scribble(psy_slab *slab)
{
    uint64_t *words = psy_slab_data(slab);
    uint64_t n = psy_ring_bytes(GRANULE, SLOTS) / 8, at = noise() % 4 ? noise() % (PSY_RING_HEADER_BYTES / 8) : noise() % n;
    if (noise() % 4 == 0) { /* where frames begin */
        at = PSY_RING_HEADER_BYTES / 8 + noise() % SLOTS * (GRANULE / 8) + noise() % 8;
    }
    static const uint64_t values[] = {0, 1, SLOTS, UINT32_MAX, UINT64_MAX, UINT64_C(1) << 63, UINT64_C(1) << 32 | 64};
    uint64_t value = values[noise() % (sizeof values / sizeof values[0])];
    switch (noise() % 4) {
    case 0: value = noise(); break;
    case 1: value = atomic_load_explicit((PSY_ATOMIC(uint64_t) *)&words[at], memory_order_relaxed) + noise() % 9 - 4; break;
    default: break;
    }
    atomic_store_explicit((PSY_ATOMIC(uint64_t) *)&words[at], value, memory_order_relaxed);
}

/* Reads all that a message says it has. */
static uint64_t read_all(const psy_parcel *m)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < m->bytes; i++) {
        sum += ((const volatile uint8_t *)m->data)[i];
    }
    if (m->kind == PSY_PARCEL_VECTOR) {
        uint64_t bytes = psy_variant_count(&m->vector) * psy_dtype_bytes(m->vector.dtype);
        cr_assert_leq(bytes, m->bytes);
        for (uint64_t i = 0; i < bytes; i++) {
            sum += ((const volatile uint8_t *)m->vector.data)[i];
        }
    }
    return sum;
}

/* Connected as it should be, with the slab of the other side too. */
static psy_slab *attach_as_stranger(stranger *s, psy_socket *bound, const char *uri)
{
    psy__peer_attach attached;
    psy_slab *theirs;
    int fd;
    call_as_stranger(s, bound, uri);
    cr_assert_eq(psy__say(s->link, (psy__word)PSY_SAY_PEER_ATTACH, &s->attach, sizeof s->attach, s->fds, 2), PSY_OK);
    cr_assert_eq(answer_to(s, bound, &attached, &fd), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_slab_adopt(fd, 1 << 30, &theirs), PSY_OK, "%s", psy_detail());
    return theirs;
}

static void send_as_stranger(stranger *s, uint64_t sequence, uint32_t bytes)
{
    uint8_t *at = psy_frame_claim(&s->out->ring, bytes + PSY_PARCEL_HEAD_BYTES);
    if (!at) {
        return;
    }
    psy__parcel_head head = {.kind = noise() % 2 ? PSY_PARCEL_BYTES : PSY_PARCEL_VECTOR, .sequence = sequence};
    head.vector = (psy_variant_head){.dtype = PSY_F32, .rank = 1, .dims = {bytes / 4}};
    memcpy(at, &head, sizeof head);
    psy_frame_commit(&s->out->ring, bytes + PSY_PARCEL_HEAD_BYTES);
    psy_ring_flush(&s->out->ring);
}

/* A message after a good one, of each kind that is none: it is not delivered, and ends the connection. */
OVER_ALL(messages, that_are_none)
{
    enum { KINDS = 14, ROOM = 128 };
    couple c = open_couple(uri, &options, &options);
    for (uint32_t how = 0; how < KINDS; how++) {
        stranger s;
        psy_slab *theirs = attach_as_stranger(&s, c.bound, uri);
        psy_socket_event event = expect_event(c.bound, NULL, PSY_SOCKET_GAINED, PSY_OK);
        psy_peer liar = event.peer;
        psy__parcel_head good = {
            .kind = PSY_PARCEL_VECTOR, .sequence = 1, .vector = {.dtype = PSY_F32, .rank = 1, .dims = {ROOM / 4}}};
        psy__parcel_head bad = good;
        uint32_t bytes = ROOM;
        bad.sequence = 2;
        switch (how) {
        case 0: bad.kind = 0; break;
        case 1: bad.kind = 3; break;
        case 2: bad.sequence = 1; break;
        case 3: bad.sequence = 3; break;
        case 4: bad.sequence = 0; break;
        case 5: bad.vector.dims[0] = ROOM / 4 + 1; break;
        case 6: bad.vector.dims[0] = UINT32_MAX; break;
        case 7: bad.vector.rank = 9; break;
        case 8: bad.vector.dtype = 200; break;
        case 9: bad.vector.reserved = 1; break;
        case 10: bad.vector.dims[7] = 1; break;
        case 11: bad.vector.dtype = 0; break;
        default: break; /* wide, or short */
        }
        memcpy(psy_frame_claim(&s.out->ring, sizeof good + bytes), &good, sizeof good);
        psy_frame_commit(&s.out->ring, sizeof good + bytes);
        psy_frame_set_wide(&s.out->ring, how == 12); /* where data is not at a multiple of 64 */
        bytes = how == 13 ? (uint32_t)sizeof bad - 1 : (uint32_t)sizeof bad + bytes;
        memcpy(psy_frame_claim(&s.out->ring, bytes), &bad, bytes < sizeof bad ? bytes : sizeof bad);
        psy_frame_commit(&s.out->ring, bytes);
        psy_ring_flush(&s.out->ring);
        psy_parcel m;
        cr_assert_eq(psy_socket_peek(c.bound, &m, 5 * second_ns), PSY_OK, "%s", psy_detail());
        cr_assert(m.peer == liar && m.kind == PSY_PARCEL_VECTOR && m.vector.dims[0] == ROOM / 4);
        psy_socket_release(c.bound);
        cr_assert_eq(psy_socket_peek(c.bound, &m, 0), PSY_EMPTY, "%u was delivered", how);
        event = expect_event(c.bound, NULL, PSY_SOCKET_LOST, PSY_PROTOCOL);
        cr_assert_eq(event.peer, liar);
        psy_slab_destroy(theirs);
        go(&s);
        exchange(&c, how);
    }
    close_couple(&c);
}

static void send_good(stranger *s, uint64_t sequence)
{
    psy__parcel_head head = {.kind = PSY_PARCEL_BYTES, .sequence = sequence};
    void *at = psy_frame_claim(&s->out->ring, sizeof head);
    cr_assert_not_null(at);
    memcpy(at, &head, sizeof head);
    psy_frame_commit(&s->out->ring, sizeof head);
    psy_ring_flush(&s->out->ring);
}

/* Who goes and goes on writing is heard up to where it went, and its place is free then. */
OVER_ALL(messages, that_come_after_the_end)
{
    enum { BEFORE = 3, AFTER = 20 };
    couple c = open_couple(uri, &options, &options);
    holdings before = holdings_now();
    stranger s;
    psy_slab *theirs = attach_as_stranger(&s, c.bound, uri);
    psy_parcel m;
    (void)expect_event(c.bound, NULL, PSY_SOCKET_GAINED, PSY_OK);
    for (uint64_t i = 1; i <= BEFORE; i++) {
        send_good(&s, i);
    }
    psy__link_close(s.link);
    (void)expect_event(c.bound, NULL, PSY_SOCKET_LOST, PSY_PEER_DIED);
    for (uint64_t i = 1; i <= AFTER; i++) {
        send_good(&s, BEFORE + i);
        cr_assert_eq(psy_socket_peek(c.bound, &m, 0), i <= BEFORE ? PSY_OK : PSY_EMPTY, "message %lu", (unsigned long)i);
        psy_socket_release(c.bound);
    }
    psy_slab_destroy(theirs);
    psy__outbox_release(s.out);
    psy_bell_close(&s.bell[0]);
    psy_bell_close(&s.bell[1]);
    nothing_leaked(getpid(), before);
    exchange(&c, 1);
    close_couple(&c);
}

/* Every word of both rings, between the calls of an honest pair and of a reader: until liars were put out often enough. */
OVER_ALL(memory, that_a_peer_spoils)
{
    enum { WANTED = 60 };
    holdings before = holdings_now();
    couple c = open_couple(uri, &options, &options);
    uint32_t put_out = 0, strangers = 0, lasting = 0;
    uint64_t sum = 0, end = psy__now_ns() + 60 * second_ns;
    char data[MESSAGE_MAX] = {0};
    while (put_out < WANTED) {
        stranger s;
        psy_slab *theirs = attach_as_stranger(&s, c.bound, uri);
        psy_socket_event event = {0};
        strangers++;
        while (psy_socket_next_event(c.bound, &event) == PSY_OK && event.kind != PSY_SOCKET_GAINED) {
        }
        cr_assert_eq(event.kind, PSY_SOCKET_GAINED);
        psy_peer liar = event.peer;
        bool gone = false;
        uint64_t sequence = 0;
        for (uint32_t round = 0; round < 60 && !gone; round++) {
            for (uint32_t i = (uint32_t)noise() % 3; i > 0; i--) {
                send_as_stranger(&s, ++sequence, (uint32_t)(noise() % MESSAGE_MAX));
            }
            if (round >= 5) {
                scribble(noise() % 2 ? s.out->slab : theirs);
            }
            (void)!psy_socket_send_bytes(c.bound, liar, data, (uint32_t)(noise() % MESSAGE_MAX), 0);
            psy_parcel m;
            for (int k = 0; k < 3 && psy_socket_peek(c.bound, &m, 0) == PSY_OK; k++) {
                sum += read_all(&m);
                psy_socket_release(c.bound);
            }
            while (psy_socket_next_event(c.bound, &event) == PSY_OK) {
                psy_parcel back;
                gone = gone || (event.kind == PSY_SOCKET_LOST && event.peer == liar);
                put_out += event.kind == PSY_SOCKET_LOST && event.status == PSY_PROTOCOL;
                cr_assert(event.kind != PSY_SOCKET_LOST || event.peer == liar, "an honest one was put out: %s", event.text);
                for (uint32_t k = 0; k < 2 * SLOTS && psy_socket_untaken(c.bound, &back) == PSY_OK; k++) {
                    sum += read_all(&back);
                }
            }
            if (round % 10 == 0) {
                exchange(&c, round);
            }
        }
        lasting += !gone;
        psy_slab_destroy(theirs);
        go(&s);
        while (!gone) {
            psy_parcel m;
            while (psy_socket_peek(c.bound, &m, 0) == PSY_OK) {
                sum += read_all(&m);
                psy_socket_release(c.bound);
            }
            gone = psy_socket_next_event(c.bound, &event) == PSY_OK && event.kind == PSY_SOCKET_LOST;
            cr_assert_lt(psy__now_ns(), end, "%u of %u were put out", put_out, strangers);
        }
        exchange(&c, strangers);
        cr_assert_lt(psy__now_ns(), end, "%u of %u were put out", put_out, strangers);
    }
    cr_log_info("%u strangers, %u put out, %u stayed to the end (%lu)", strangers, put_out, lasting, (unsigned long)sum);
    close_couple(&c);
    nothing_leaked(getpid(), before);
}

/* The same while both are at work: the liar is a process of its own, and writes at any time. */
Test(memory, that_a_process_spoils_meanwhile)
{
    enum { WANTED = 20 };
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    char uri[96];
    snprintf(uri, sizeof uri, "%s", own_ipc_address());
    couple c = open_couple(uri, &options, &options);
    uint32_t put_out = 0;
    uint64_t end = psy__now_ns() + 60 * second_ns, sum = 0;
    char data[MESSAGE_MAX] = {0};
    for (uint32_t round = 0; put_out < WANTED; round++) {
        stranger s;
        psy_slab *theirs = attach_as_stranger(&s, c.bound, uri);
        psy_socket_event event = {0};
        while (psy_socket_next_event(c.bound, &event) == PSY_OK && event.kind != PSY_SOCKET_GAINED) {
        }
        psy_peer liar = event.peer;
        pid_t parent = getpid(), pid = fork();
        cr_assert_geq(pid, 0);
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            seed = round + 100;
            for (uint64_t n = 1; getppid() == parent; n++) {
                send_as_stranger(&s, n, (uint32_t)(noise() % MESSAGE_MAX));
                if (n > 20) {
                    scribble(n % 2 ? s.out->slab : theirs);
                }
            }
            _exit(0);
        }
        bool gone = false;
        for (uint32_t i = 0; i < 2000 && !gone; i++) {
            psy_parcel m;
            (void)!psy_socket_send_bytes(c.bound, liar, data, (uint32_t)(noise() % MESSAGE_MAX), 0);
            if (psy_socket_peek(c.bound, &m, 0) == PSY_OK) {
                sum += read_all(&m);
                psy_socket_release(c.bound);
            }
            while (psy_socket_next_event(c.bound, &event) == PSY_OK) {
                gone = gone || (event.kind == PSY_SOCKET_LOST && event.peer == liar);
                put_out += event.kind == PSY_SOCKET_LOST && event.status == PSY_PROTOCOL;
            }
            if (i % 100 == 0) {
                exchange(&c, i);
            }
        }
        cr_assert_eq(kill(pid, SIGKILL), 0);
        cr_assert_eq(waitpid(pid, NULL, 0), pid);
        psy_slab_destroy(theirs);
        go(&s);
        while (!gone) {
            psy_parcel m;
            while (psy_socket_peek(c.bound, &m, 0) == PSY_OK) {
                sum += read_all(&m);
                psy_socket_release(c.bound);
            }
            gone = psy_socket_next_event(c.bound, &event) == PSY_OK && event.kind == PSY_SOCKET_LOST;
            cr_assert_lt(psy__now_ns(), end, "%u were put out", put_out);
        }
        exchange(&c, round);
        cr_assert_lt(psy__now_ns(), end, "%u of %u were put out", put_out, round);
    }
    cr_log_info("read %lu", (unsigned long)sum);
    close_couple(&c);
}

/* ---- a bound side that lies ---- */

OVER_ALL(bound, that_is_none)
{
    holdings before = holdings_now();
    for (uint32_t how = 0; how < 6; how++) {
        psy__listener *listener;
        psy__link *link;
        psy__control heard;
        psy_socket *s;
        psy_socket_info info;
        psy__outbox *out;
        uint64_t end = psy__now_ns() + 10 * second_ns;
        cr_assert_eq(psy__bind(uri, &listener), PSY_OK, "%s", psy_detail());
        cr_assert_eq(psy_socket_connect(uri, &options, &s), PSY_OK);
        cr_assert_eq(psy__outbox_create(GRANULE, SLOTS, &out), PSY_OK);
        while (psy__accept(listener, &link) != PSY_OK) {
            psy_socket_get_info(s, &info);
            cr_assert_lt(psy__now_ns(), end);
        }
        psy__peer_welcome welcome = {.message_bytes_max = UINT32_MAX};
        psy__peer_attach attached = {.granule = how == 1 ? 7 : GRANULE, .slots = how == 2 ? 1 << 20 : SLOTS};
        int fds[2] = {psy_slab_fd(out->slab), psy_slab_fd(out->slab)};
        if (how == 0) { /* an answer that was not asked for */
            (void)!psy__say(link, (psy__word)PSY_SAY_PEER_ATTACHED, &attached, sizeof attached, fds, 1);
        } else {
            (void)!psy__say(link, (psy__word)PSY_SAY_PEER_WELCOME, &welcome, sizeof welcome, NULL, 0);
        }
        bool said = how == 0;
        psy_socket_event event = {0};
        while (psy_socket_next_event(s, &event) == PSY_EMPTY) {
            if (psy__link_poll(link, &heard) == PSY_EVENT_CONTROL) {
                bool attach = (int)psy__heard_what(&heard) == PSY_SAY_PEER_ATTACH;
                psy__close_fds(heard.fds, heard.fd_count);
                if (attach && !said && how == 5) {
                    psy__refuse(link, psy_fail(PSY_DENIED, "not you"), 1);
                    said = true;
                } else if (attach && !said) {
                    (void)!psy__say(link, (psy__word)PSY_SAY_PEER_ATTACHED, &attached, sizeof attached, fds, how == 3 ? 2 : 1);
                    said = true;
                }
            }
            cr_assert_lt(psy__now_ns(), end, "%u", how);
            usleep(100);
        }
        if (how == 4) { /* all was right; then it says something that nobody says */
            cr_assert_eq(event.kind, PSY_SOCKET_GAINED, "%s", event.text);
            (void)!psy__say(link, (psy__word)PSY_SAY_PEER_WELCOME, &welcome, sizeof welcome, NULL, 0);
            event = expect_event(s, NULL, PSY_SOCKET_LOST, PSY_PROTOCOL);
        } else {
            cr_assert_eq(event.kind, PSY_SOCKET_REFUSED, "%u: %s", how, event.text);
            cr_assert_eq(event.status, how == 5 ? PSY_DENIED : PSY_PROTOCOL, "%u: %s", how, event.text);
        }
        cr_assert_not_null(strstr(event.text, uri), "%s", event.text);
        psy_socket_close(s);
        psy__link_close(link);
        psy__listener_close(listener);
        psy__outbox_release(out);
    }
    nothing_leaked(getpid(), before);
}

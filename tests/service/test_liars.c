/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that lie: what they hand over, and what they write into the memory that they share. They cost themselves their
 * connection and nobody else anything. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <psyne/envelope.h>

#include "base/clock.h"
#include "service/gather.h"
#include "service/protocol.h"
#include "service/response.h"
#include "tests/service/by_hand.h"

enum { SLOTS = 16, NOISE = 20, LIES = 11, WILD = 9 };

static uint64_t seed = 3;

static uint64_t noise(void)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return seed >> 13;
}

static bool ends(psy__link *link)
{
    for (int i = 0; i < 2000; i++) {
        psy__control m;
        psy__event event = psy__link_poll(link, &m);
        if (event == PSY_EVENT_CLOSED) {
            return true;
        }
        if (event == PSY_EVENT_CONTROL) {
            psy__close_fds(m.fds, m.fd_count);
        } else {
            usleep(1000);
        }
    }
    return false;
}

/* ---- a client that is made by hand ---- */

typedef struct stranger {
    psy__link *link;
    psy__welcome welcome;
    psy_slab *requests, *responses;
    psy__responses view;
    psy_ring ring, completions; /* those of the broker */
    psy_bell bell[2];
    psy__attach attach;
    int fds[3]; /* what it hands over */
} stranger;

/* Comes as far as WELCOME and makes its memory, all of it right. False: the service let it go. */
static bool call(stranger *s, const char *uri)
{
    psy__hello hello = {.role = PSY_ROLE_CLIENT};
    cr_assert_eq(psy__connect(uri, 5 * second_ns, &s->link), PSY_OK, "%s", psy_detail());
    if (psy__say(s->link, PSY_SAY_HELLO, &hello, sizeof hello, NULL, 0) != PSY_OK ||
        psy__hear(s->link, PSY_SAY_WELCOME, &s->welcome, sizeof s->welcome, NULL, 0, psy__now_ns() + 5 * second_ns) != PSY_OK) {
        psy__link_close(s->link);
        return false;
    }
    uint32_t stride = PSY_ENVELOPE_BYTES + s->welcome.request_bytes;
    psy_slab_options o = {.bytes = psy_ring_bytes(stride, SLOTS)};
    cr_assert_eq(psy_slab_create(&o, &s->requests), PSY_OK);
    o.bytes = psy__responses_bytes(SLOTS, s->welcome.reply_bytes, s->welcome.places + 1);
    cr_assert_eq(psy_slab_create(&o, &s->responses), PSY_OK);
    cr_assert_eq(psy_ring_init(&s->ring, psy_slab_data(s->requests), psy_slab_data_bytes(s->requests), stride, SLOTS), PSY_OK);
    psy__responses_view(&s->view, psy_slab_data(s->responses), SLOTS, s->welcome.reply_bytes, s->welcome.places + 1);
    for (uint32_t w = 0; w < s->view.writers; w++) {
        uint64_t bytes;
        void *at = psy__completions_at(&s->view, w, &bytes);
        cr_assert_eq(psy_ring_init(&s->completions, at, bytes, 8, s->view.completion_slots), PSY_OK);
    }
    cr_assert_eq(psy_bell_open_pair(s->bell), PSY_OK);
    s->attach = (psy__attach){.request_slots = SLOTS, .request_stride = stride, .reply_slots = SLOTS};
    s->fds[0] = psy_slab_fd(s->requests);
    s->fds[1] = psy_slab_fd(s->responses);
    s->fds[2] = psy_bell_fd(&s->bell[1]);
    return true;
}

static psy_status attach(stranger *s)
{
    psy__attached attached;
    psy_status status = psy__say(s->link, PSY_SAY_ATTACH, &s->attach, sizeof s->attach, s->fds, 3);
    if (status == PSY_OK) {
        status = psy__hear(s->link, PSY_SAY_ATTACHED, &attached, sizeof attached, NULL, 0, psy__now_ns() + 5 * second_ns);
    }
    for (uint32_t i = 0; status == PSY_OK && i < LANES; i++) { /* its routes have the numbers of the lanes */
        psy__open open = {.request_hash = question_type.layout_hash, .reply_hash = answer_type.layout_hash};
        psy__opened opened;
        snprintf(open.pipeline, sizeof open.pipeline, "%s", lane_names[i]);
        status = psy__say(s->link, PSY_SAY_OPEN, &open, sizeof open, NULL, 0);
        if (status == PSY_OK) {
            status = psy__hear(s->link, PSY_SAY_OPENED, &opened, sizeof opened, NULL, 0, psy__now_ns() + 5 * second_ns);
        }
        cr_assert(status != PSY_OK || opened.pipeline == i);
    }
    return status;
}

static void leave(stranger *s)
{
    psy_bell_close(&s->bell[0]);
    psy_bell_close(&s->bell[1]);
    psy_slab_destroy(s->requests);
    psy_slab_destroy(s->responses);
    psy__link_close(s->link);
}

/* Requests in a row: the first `right` of them look right, and name slots and phases that are wild. */
static void send_wild(stranger *s, uint32_t right)
{
    uint32_t got;
    uint8_t *frame = psy_ring_claim(&s->ring, SLOTS, &got);
    for (uint32_t k = 0; frame && k < got; k++, frame += s->ring.stride) {
        for (uint32_t i = 0; i < s->ring.stride; i++) {
            frame[i] = (uint8_t)noise();
        }
        if (k < right) {
            psy_envelope e = {.length = sizeof(question),
                              .kind = PSY_KIND_REQUEST,
                              .pipeline = k % LANES,
                              .sequence = s->ring.position + k + 1,
                              .slot = k % (SLOTS + 4),
                              .generation = k,
                              .route = noise() << 32};
            memcpy(frame, &e, sizeof e);
            memset(frame + PSY_ENVELOPE_BYTES, 0, sizeof(question)); /* asks for nothing wild */
            atomic_store(&psy__reply_at(&s->view, k % SLOTS)->state, psy__reply_state(k, (uint32_t)noise(), k % 7));
        }
    }
    psy_ring_commit(&s->ring, got);
    psy_ring_flush(&s->ring);
}

static void *lie_while_others_work(void *uri)
{
    for (int i = 0; i < NOISE; i++) { /* noise in place of an introduction */
        psy__link *link;
        psy__control m = {.bytes = 1 + (uint32_t)(noise() % 700), .fd_count = 1, .fds = {STDERR_FILENO}};
        for (uint32_t k = 0; k < m.bytes; k++) {
            m.data[k] = (uint8_t)noise();
        }
        cr_assert_eq(psy__connect(uri, second_ns, &link), PSY_OK);
        cr_assert_eq(psy__link_send(link, &m, 1), PSY_OK);
        cr_assert(ends(link), "noise is believed");
        psy__link_close(link);
    }
    for (int lie = 0; lie < LIES; lie++) {
        stranger s;
        int pipe_ends[2];
        cr_assert(call(&s, uri), "%s", psy_detail());
        cr_assert_eq(pipe(pipe_ends), 0);
        close(pipe_ends[0]);
        psy_status expected = PSY_PROTOCOL;
        switch (lie) {
        case 0: s.attach.reply_slots = 60000; break;
        case 1: s.attach.request_slots = 15; break;
        case 2: s.attach.request_slots = 32; break;
        case 3: s.attach.request_stride += 64; break;
        case 4: s.attach.reply_slots = 0; break;
        case 5: s.fds[0] = pipe_ends[1], expected = PSY_CORRUPT; break;
        case 6: s.fds[2] = pipe_ends[1]; break; /* a pipe nobody reads, for a bell */
        case 7: s.fds[1] = s.fds[0]; break;
        case 8: atomic_store(&s.ring.header->published, SLOTS + 1), expected = PSY_CORRUPT; break;
        case 9: atomic_store(&s.completions.header->released, 1), expected = PSY_CORRUPT; break;
        default: memset(psy_slab_base(s.requests), 0, 64), expected = PSY_CORRUPT; break;
        }
        cr_assert_eq(attach(&s), expected, "lie %d: %s", lie, psy_detail());
        cr_assert(ends(s.link), "lie %d is believed", lie);
        close(pipe_ends[1]);
        leave(&s);
    }
    for (int i = 0; i < WILD; i++) { /* right at first, then requests that are none, and impossible positions */
        stranger s;
        cr_assert(call(&s, uri), "%s", psy_detail());
        cr_assert_eq(attach(&s), PSY_OK, "%s", psy_detail());
        send_wild(&s, SLOTS / 2);
        psy_bell_ring(&s.bell[0]); /* whether or not others keep the broker awake */
        usleep(3000);
        atomic_store(&s.completions.header->released, noise());
        atomic_store(&s.ring.header->published, noise());
        (void)shutdown(s.bell[1].fd, SHUT_RDWR);
        cr_assert(ends(s.link));
        leave(&s);
    }
    return NULL;
}

Test(liars, lose_their_own_connection_only)
{
    holdings before = holdings_now();
    static told_log t;
    told_init(&t);
    service s = {.shards = SHARDS, .uri = "inproc://liars"};
    psy_broker_options o = {
        .uri = s.uri, .module = &stand_in_module, .shards = SHARDS, .in_flight = 64, .clients = CLIENTS_ROOM, .log = &t.log};
    cr_assert_eq(psy_broker_create(&o, &s.broker), PSY_OK, "%s", psy_detail());
    run_broker_of(&s);
    hire(&s, 0, 64);
    hire(&s, 1, 64);
    client c = {.uri = s.uri, .in_flight = 16, .calls = 20000, .timeout_ms = 5000};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, run_client, &c), 0);
    lie_while_others_work(s.uri);
    pthread_join(thread, NULL);
    cr_assert_eq(c.wrong, 0u);
    cr_assert_eq(c.ok, c.calls, "ok %u timeouts %u died %u", c.ok, c.timeouts, c.died);
    psy_broker_counts counts;
    halt_broker(&s);
    psy_broker_get_counts(s.broker, &counts);
    run_broker_of(&s);
    close_service(&s);
    nothing_leaked(getpid(), before);
    cr_assert_geq(counts.malformed, (uint64_t)NOISE + LIES + WILD, "%lu", (unsigned long)counts.malformed);
    cr_assert_eq(counts.denied + counts.limited + counts.deaths, 0u);
    cr_assert_geq(told_count(&t, "guest.refused", "status", "PROTOCOL", 0), 1u);
    cr_assert_geq(told_count(&t, "client.dropped", NULL, NULL, 0), 1u);
    cr_assert_geq(told_count(&t, "request.refused", "status", "INVALID", 0), 1u);
    cr_assert_leq(t.count, 200u, "liars fill the log: %u events", t.count);
}

/* ---- peers that scribble ---- */

/* Writes a word somewhere: often where it hurts, and often something that is nearly right. */
static void scribble(uint64_t *words, uint64_t count, uint64_t often)
{
    uint64_t at = noise() % (noise() % 2 ? count : often), old = __atomic_load_n(&words[at], __ATOMIC_RELAXED), value;
    switch (noise() % 6) {
    case 0: value = noise() << 13 | noise(); break;
    case 1: value = old + 1; break;
    case 2: value = old ^ UINT64_C(1) << noise() % 64; break;
    case 3: value = (old & ~UINT64_C(0xffff)) | noise() % 6; break; /* another phase */
    case 4: value = words[noise() % often]; break;
    default: value = UINT64_MAX; break;
    }
    __atomic_store_n(&words[at], value, __ATOMIC_RELAXED);
}

/* A client that writes over everything that it shares, while its own requests are served; again and again. */
_Noreturn static void scribble_as_client(const char *uri, int told)
{
    for (uint64_t round = 0;; round++) {
        stranger s;
        seed = round * 977 + 5;
        if (!call(&s, uri)) {
            continue;
        }
        if (attach(&s) == PSY_OK) {
            uint64_t *requests = psy_slab_base(s.requests), *responses = psy_slab_base(s.responses);
            for (int k = 0; k < 40; k++) {
                send_wild(&s, SLOTS);
                for (int i = 0; i < 50; i++) {
                    scribble(requests, psy_slab_bytes(s.requests) / 8, psy_slab_bytes(s.requests) / 8);
                    scribble(responses + 512, psy_slab_bytes(s.responses) / 8 - 512, (uint64_t)SLOTS * 8);
                }
                s.ring.broken = false; /* it goes on as long as it is let */
            }
            (void)!write(told, "x", 1);
        }
        leave(&s);
    }
}

Test(scribblers, a_client_hurts_nobody_else)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    char uri[96];
    int told[2];
    snprintf(uri, sizeof uri, "%s", own_ipc_address());
    cr_assert_eq(pipe(told), 0);
    pid_t liars[2];
    for (int i = 0; i < 2; i++) { /* before there are threads; they wait for the service */
        liars[i] = fork();
        if (liars[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            scribble_as_client(uri, told[1]);
        }
    }
    holdings before = holdings_now();
    stand_in_never_stalls = true; /* it would for up to 5 s, and every client waits for that batch */
    service s = open_service(uri, 64, 64);
    char bytes[256];
    ssize_t attacks = 0, n;
    cr_assert_eq(fcntl(told[0], F_SETFL, O_NONBLOCK), 0);
    uint64_t now = psy__now_ns(), end_ns = now + second_ns, limit_ns = now + 60 * second_ns;
    while ((now = psy__now_ns()) < end_ns || (attacks <= 5 && now < limit_ns)) {
        client c = {.uri = uri, .in_flight = 16, .calls = 3000, .timeout_ms = 20000};
        run_client(&c);
        cr_assert_eq(c.setup, PSY_OK);
        cr_assert_eq(c.wrong, 0u);
        cr_assert_eq(c.ok, c.calls, "ok %u timeouts %u died %u", c.ok, c.timeouts, c.died);
        while ((n = read(told[0], bytes, sizeof bytes)) > 0) {
            attacks += n;
        }
    }
    for (int i = 0; i < 2; i++) {
        kill(liars[i], SIGKILL);
        waitpid(liars[i], NULL, 0);
    }
    close(told[1]);
    close(told[0]);
    cr_assert_gt(attacks, 5, "the liars were let in %zd times", attacks);
    close_service(&s);
    before.files -= 2; /* the pipe */
    nothing_leaked(getpid(), before);
}

/* A worker that is made by hand has taken every program and says that it can run it. */
static bool take_programs(psy__link *link)
{
    for (;;) {
        psy__control m;
        psy__program_said said;
        if (psy__hear_any(link, &m, NULL, psy__now_ns() + 5 * second_ns) != PSY_OK) {
            return false;
        }
        psy__close_fds(m.fds, m.fd_count);
        if (psy__heard_what(&m) == PSY_SAY_ENGAGED) {
            return true;
        }
        if (psy__heard(&m, PSY_SAY_PROGRAM, &said, sizeof said, 0) == PSY_OK) {
            psy__program_ready ready = {.number = said.number};
            if (psy__say(link, PSY_SAY_PROGRAM_READY, &ready, sizeof ready, NULL, 0) != PSY_OK) {
                return false;
            }
        }
    }
}

/* A worker is the service's own, and can spoil its answers; but it cannot bring down the broker or another worker, and every
 * call ends. */
_Noreturn static void scribble_as_worker(const char *uri)
{
    for (uint64_t round = 0;; round++) {
        psy__link *link;
        psy__hello hello = {.role = PSY_ROLE_WORKER, .shard = 1, .module_hash = psy_module_hash(&stand_in_module)};
        psy__hired hired;
        psy__ready ready = {.data_version = 1};
        int fds[2];
        psy_bell bell[2];
        seed = round * 977 + 7;
        if (psy__connect(uri, 5 * second_ns, &link) != PSY_OK) {
            continue;
        }
        if (psy__say(link, PSY_SAY_HELLO, &hello, sizeof hello, NULL, 0) == PSY_OK &&
            psy__hear(link, PSY_SAY_HIRED, &hired, sizeof hired, fds, 2, psy__now_ns() + 5 * second_ns) == PSY_OK &&
            take_programs(link)) {
            psy_slab *ring, *gather;
            if (psy_slab_adopt(fds[0], UINT64_C(1) << 32, &ring) == PSY_OK &&
                psy_slab_adopt(fds[1], UINT64_C(1) << 32, &gather) == PSY_OK && psy_bell_open_pair(bell) == PSY_OK &&
                psy__say(link, PSY_SAY_READY, &ready, sizeof ready, &bell[1].fd, 1) == PSY_OK) {
                uint64_t finish_at = (psy_ring_bytes(hired.ring_stride, hired.ring_slots) + 4096) / 8;
                psy__control m;
                for (int i = 0; i < 3000; i++) {
                    scribble((uint64_t *)psy_slab_data(gather), psy_slab_data_bytes(gather) / 8, (uint64_t)hired.tickets * 16);
                    scribble((uint64_t *)psy_slab_base(ring), psy_slab_bytes(ring) / 8, finish_at + 128);
                    scribble((uint64_t *)psy_slab_base(ring) + finish_at, 64 + hired.ring_slots, 64);
                    if (i % 100 == 0) {
                        usleep(500);
                        while (psy__link_poll(link, &m) == PSY_EVENT_CONTROL) {
                            psy__close_fds(m.fds, m.fd_count);
                        }
                    }
                }
                psy_slab_destroy(ring);
                psy_slab_destroy(gather);
                psy_bell_close(&bell[0]);
                psy_bell_close(&bell[1]);
            }
        }
        psy__link_close(link);
    }
}

Test(scribblers, a_worker_cannot_bring_down_the_service)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    enum { CALLS = 16 };
    char uri[96];
    snprintf(uri, sizeof uri, "%s", own_ipc_address());
    pid_t liar = fork();
    if (liar == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        scribble_as_worker(uri);
    }
    service s = open_broker(uri, SHARDS, 1024);
    hire(&s, 0, 16);
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel(uri, CALLS, 100, lanes);
    psy_status statuses[CALLS];
    uint32_t sent = 0, back = 0, ok = 0;
    uint64_t end_ns = psy__now_ns() + second_ns;
    while (psy__now_ns() < end_ns || sent != back) {
        for (uint32_t i = 0; i < CALLS && psy__now_ns() < end_ns; i++) {
            question q = {.key = i, .number = i + 1};
            sent += ask(channel, &lanes[i % LANES], &q) == PSY_OK;
        }
        uint32_t n = take_replies(channel, sent - back < CALLS ? sent - back : CALLS, second_ns / 100, statuses, NULL);
        for (uint32_t i = 0; i < n; i++) {
            ok += statuses[i] == PSY_OK;
        }
        back += n;
        cr_assert_lt(psy__now_ns(), end_ns + 5 * second_ns, "%u of %u calls never ended", sent - back, sent);
    }
    cr_assert_gt(sent, (uint32_t)CALLS);
    psy_channel_close(channel);
    kill(liar, SIGKILL);
    waitpid(liar, NULL, 0);
    fire(&s, 0);
    close_broker(&s);
}

/* ---- peers that say nothing ---- */

/* More silent connections than there are places: they are shown out after a while. */
Test(liars, silent_guests)
{
    service s = open_service("inproc://silent", 64, 64);
    psy__link *links[40];
    for (int i = 0; i < 40; i++) {
        cr_assert_eq(psy__connect(s.uri, second_ns, &links[i]), PSY_OK);
    }
    client c = {.uri = s.uri, .in_flight = 16, .calls = 100, .timeout_ms = 5000};
    uint64_t start_ns = psy__now_ns();
    run_clients(&c, 1);
    cr_assert_lt(psy__now_ns() - start_ns, 4 * second_ns, "it waited until they had said nothing for five seconds");
    cr_assert_eq(c.setup, PSY_OK);
    cr_assert_eq(c.ok, c.calls);
    for (int i = 0; i < 40; i++) {
        psy__link_close(links[i]);
    }
    close_service(&s);
}

typedef struct opening {
    psy_channel *channel;
    const char *name;
    const psy_type *request;
    psy_pipeline *lane;
    psy_status status;
} opening;

static void *open_lane(void *argument)
{
    opening *o = argument;
    o->status = psy_channel_open(o->channel, o->name, o->request, &answer_type, o->lane);
    return NULL;
}

static psy_status open_by_hand(by_hand *h, opening *o)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, open_lane, o), 0);
    while (pthread_tryjoin_np(thread, NULL) != 0) {
        by_hand_round(h);
    }
    return o->status;
}

/* Each mistake is answered to who made it, as what it was, and counted. */
Test(liars, each_mistake_has_its_status_and_its_count)
{
    static told_log t;
    told_init(&t);
    by_hand h = by_hand_open("inproc://mistakes", &(psy_broker_options){.in_flight = 16, .clients = 2}, 16, &t);
    psy_pipeline lanes[LANES], lane;
    psy_channel *channel = by_hand_connect(&h, &(psy_channel_options){.in_flight = 8}, lanes, NULL);
    psy_broker_counts counts;

    /* Requests of a wrong kind: too long, of another type, of no pipeline, with flags that are none. */
    static const psy_pipeline wild[] = {{.id = 0,
                                         .request_type = 0,
                                         .request_bytes = sizeof(question) - 8,
                                         .reply_bytes = sizeof(answer),
                                         .key_offset = UINT32_MAX},
                                        {.id = 0,
                                         .request_type = 1,
                                         .request_bytes = sizeof(question),
                                         .reply_bytes = sizeof(answer),
                                         .key_offset = UINT32_MAX},
                                        {.id = 77,
                                         .request_type = 0,
                                         .request_bytes = sizeof(question),
                                         .reply_bytes = sizeof(answer),
                                         .key_offset = UINT32_MAX}};
    enum { MISTAKES = sizeof wild / sizeof wild[0] };
    for (uint32_t i = 0; i < MISTAKES; i++) {
        psy_call call;
        cr_assert_eq(psy_channel_claim(channel, &wild[i], &call), PSY_OK, "%s", psy_detail());
        psy_channel_commit(channel, &call, NULL);
    }
    psy_channel_flush(channel);
    uint32_t back = 0;
    for (uint64_t end = psy__now_ns() + 5 * second_ns; back < MISTAKES && psy__now_ns() < end;) {
        by_hand_round(&h);
        back += by_hand_take(channel, PSY_INVALID);
    }
    cr_assert_eq(back, (uint32_t)MISTAKES);
    psy_broker_get_counts(h.broker, &counts);
    cr_assert_eq(counts.refused, (uint64_t)MISTAKES);
    cr_assert_eq(counts.malformed, (uint64_t)MISTAKES);
    cr_assert_eq(told_count(&t, "request.refused", "pipeline", NULL, 77), 1u);

    /* Pipelines that are not there, and layouts that differ. */
    static const psy_type other = {.name = "t.Q", .layout_hash = 12, .bytes = sizeof(question)};
    opening o = {channel, "nothing", &question_type, &lane, PSY_OK};
    cr_assert_eq(open_by_hand(&h, &o), PSY_NOT_FOUND);
    o.name = "all";
    o.request = &other;
    cr_assert_eq(open_by_hand(&h, &o), PSY_LAYOUT);
    psy_broker_get_counts(h.broker, &counts);
    cr_assert_eq(counts.unknown, 2u);
    cr_assert_eq(told_count(&t, "pipeline.refused", NULL, NULL, 0), 2u);
    cr_assert_not_null(strstr(told_text(&t, "pipeline.refused", "why"), "nothing"));

    /* More clients than there are places. */
    psy_channel *second = by_hand_connect(&h, &(psy_channel_options){.in_flight = 1}, lanes, NULL);
    psy_status status;
    cr_assert_null(by_hand_connect(&h, &(psy_channel_options){.in_flight = 1}, lanes, &status));
    cr_assert_eq(status, PSY_LIMIT, "%s", psy_status_name(status));
    psy_broker_get_counts(h.broker, &counts);
    cr_assert_eq(counts.limited, 1u);
    cr_assert_eq(told_count(&t, "client.refused", "status", "LIMIT", 0), 1u);

    /* And it serves as before. */
    question q = {.number = 1};
    cr_assert_eq(ask(channel, &lanes[LANE_ALL], &q), PSY_OK);
    psy_channel_flush(channel);
    back = 0;
    for (uint64_t end = psy__now_ns() + 5 * second_ns; back == 0 && psy__now_ns() < end;) {
        by_hand_round(&h);
        back = by_hand_take(channel, PSY_OK);
    }
    cr_assert_eq(back, 1u);
    psy_channel_close(second);
    psy_channel_close(channel);
    by_hand_close(&h);
}

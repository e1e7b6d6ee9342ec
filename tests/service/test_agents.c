/* SPDX-License-Identifier: Apache-2.0 */
/* Channel, broker and workers together, over a stand-in for the engine that checks what it is given: saturation, deadlines,
 * deaths and liars, in threads (inproc) and processes (ipc). Every call must end in exactly one right reply. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <psyne/broker.h>
#include <psyne/channel.h>
#include <psyne/envelope.h>
#include <psyne/worker.h>

#include "base/clock.h"
#include "engine/engine.h"
#include "service/module_file.h"
#include "service/protocol.h"
#include "service/response.h"
#include "tests/test.h"

static const uint64_t second_ns = 1000000000;

/* ---- a module of three pipelines: to all shards, by key, to any ---- */

enum { SHARD_ALL, MERGE_ALL, WHOLE, PROGRAMS };
typedef struct question {
    uint64_t header, key, number, stall_ns;
    uint64_t fill[12];
} question;
typedef struct answer {
    uint64_t header, number, digest;
    uint64_t fill[13];
} answer;
typedef struct partial {
    uint64_t number, digest;
    uint64_t fill[6];
} partial;

static const char strings[] = "\0t.Q\0t.H\0t.P\0all\0key\0any";
static const psy_psm_type types[] = {
    {.name = 1, .first_field = 0, .field_count = 1, .bytes = sizeof(question), .layout_hash = 11},
    {.name = 5, .bytes = sizeof(answer), .layout_hash = 22},
    {.name = 9, .bytes = sizeof(partial), .layout_hash = 33},
};
static const psy_psm_field fields[] = {{.name = 17, .dtype = 1, .kind = PSY_FIELD_SCALAR, .count = 1, .offset = 8}};
static const psy_psm_pipeline pipelines[] = {
    {13, 0, 1, PSY_ROUTE_ALL, PSY_NONE, SHARD_ALL, MERGE_ALL, 2},
    {17, 0, 1, PSY_ROUTE_KEY, 0, WHOLE, PSY_NONE, PSY_NONE},
    {21, 0, 1, PSY_ROUTE_ANY, PSY_NONE, WHOLE, PSY_NONE, PSY_NONE},
};
static psy_module module = {.decoded = {.strings = strings,
                                        .strings_bytes = sizeof strings,
                                        .types = types,
                                        .fields = fields,
                                        .pipelines = pipelines,
                                        .type_count = 3,
                                        .field_count = 1,
                                        .pipeline_count = 3,
                                        .program_count = PROGRAMS,
                                        .hash = 4711}};
static const psy_type question_type = {.name = "t.Q", .layout_hash = 11, .bytes = sizeof(question)};
static const psy_type answer_type = {.name = "t.H", .layout_hash = 22, .bytes = sizeof(answer)};

static uint64_t digest(const question *q) { return q->number * UINT64_C(0x9e3779b97f4a7c15) ^ q->key; }

/* ---- the stand-in ---- */

enum { SHARDS = 2 };
typedef struct executable {
    psy__executable base;
    uint32_t program;
    uint64_t partial_stride;
} executable;

static psy_status fake_open(const psy__engine_options *options, psy__engine **out)
{
    (void)options;
    *out = calloc(1, sizeof **out);
    (*out)->interface = &psy__engine_cpu;
    return PSY_OK;
}
static void fake_close(psy__engine *e) { free(e); }
static const char *fake_describe(psy__engine *e)
{
    (void)e;
    return "stand-in";
}
static psy_status fake_attach(psy__engine *e, void *base, uint64_t bytes)
{
    (void)e, (void)base, (void)bytes;
    return PSY_OK;
}
static void fake_detach(psy__engine *e, void *base) { (void)e, (void)base; }
static psy_status fake_supports(psy__engine *e, const psy__module *m, uint32_t program)
{
    (void)e, (void)m, (void)program;
    return PSY_OK;
}
static psy_status fake_bind(psy__engine *e, const psy__binding *b, psy__executable **out)
{
    executable *x = calloc(1, sizeof *x);
    *x = (executable){{e}, b->program, b->partial_stride};
    *out = &x->base;
    return PSY_OK;
}
static void fake_unbind(psy__executable *x) { free(x); }
static uint64_t fake_copied(psy__engine *e)
{
    (void)e;
    return 0;
}
static psy_status fake_run(psy__executable *x, const psy__batch *b)
{
    const executable *e = (const executable *)x;
    uint64_t stall = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        const question *q = (const void *)b->inputs[i].base;
        stall = q->stall_ns > stall ? q->stall_ns : stall;
    }
    if (stall) {
        usleep((useconds_t)(stall / 1000));
    }
    for (uint32_t i = 0; i < b->count; i++) {
        question q;
        memcpy(&q, b->inputs[i].base, sizeof q);
        b->status[i] = PSY_OK;
        if (e->program == SHARD_ALL) {
            *(partial *)(void *)b->outputs[i].base = (partial){q.number, digest(&q), {0}};
            continue;
        }
        answer *a = (void *)b->outputs[i].base;
        *a = (answer){.number = q.number, .digest = digest(&q)};
        for (uint32_t s = 0; e->program == MERGE_ALL && s < SHARDS; s++) {
            const partial *p = (const void *)(b->partials[i].base + s * e->partial_stride);
            if (p->number != q.number || p->digest != digest(&q)) {
                b->status[i] = PSY_CORRUPT;
            }
        }
    }
    return PSY_OK;
}
const psy__engine_interface psy__engine_cpu = {"cpu",         fake_open, fake_close, fake_describe, fake_attach, fake_detach,
                                               fake_supports, fake_bind, fake_run,   fake_unbind,   fake_copied};

/* ---- a service in threads ---- */

static unsigned open_files(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        n += e->d_name[0] != '.';
    }
    closedir(d);
    return n;
}

typedef struct service {
    const char *uri;
    psy_broker *broker;
    psy_worker *workers[SHARDS];
    pthread_t threads[SHARDS + 1];
} service;

static void *run_broker(void *b)
{
    psy_broker_run(b);
    return NULL;
}
static void *run_worker(void *w)
{
    (void)!psy_worker_run(w);
    return NULL;
}

static void hire(service *s, uint32_t shard, uint32_t max_batch)
{
    psy_worker_options o = {.uri = s->uri, .module = &module, .shard = shard, .max_batch = max_batch};
    cr_assert_eq(psy_worker_create(&o, &s->workers[shard]), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_worker_start(s->workers[shard]), PSY_OK, "%s", psy_detail());
    cr_assert_eq(pthread_create(&s->threads[shard], NULL, run_worker, s->workers[shard]), 0);
}

static void fire(service *s, uint32_t shard)
{
    psy_worker_stop(s->workers[shard]);
    pthread_join(s->threads[shard], NULL);
    psy_worker_destroy(s->workers[shard]);
}

static service open_broker(const char *uri, uint32_t in_flight)
{
    service s = {.uri = uri};
    psy_broker_options o = {.uri = uri, .module = &module, .shards = SHARDS, .in_flight = in_flight, .clients = 8};
    cr_assert_eq(psy_broker_create(&o, &s.broker), PSY_OK, "%s", psy_detail());
    cr_assert_eq(pthread_create(&s.threads[SHARDS], NULL, run_broker, s.broker), 0);
    return s;
}

static void close_broker(service *s)
{
    psy_broker_stop(s->broker);
    pthread_join(s->threads[SHARDS], NULL);
    psy_broker_destroy(s->broker);
}

static service open_service(const char *uri, uint32_t in_flight, uint32_t max_batch)
{
    service s = open_broker(uri, in_flight);
    for (uint32_t i = 0; i < SHARDS; i++) {
        hire(&s, i, max_batch);
    }
    return s;
}

static void close_service(service *s)
{
    for (uint32_t i = 0; i < SHARDS; i++) {
        fire(s, i);
    }
    close_broker(s);
}

/* ---- clients ---- */

typedef struct client {
    const char *uri;
    uint32_t in_flight, calls, timeout_ms;
    uint64_t stall_ns; /* for one call in 50 */
    uint32_t ok, timeouts, died, wrong;
    psy_status setup;
} client;

static void *run_client(void *argument)
{
    client *c = argument;
    psy_channel_options o = {.in_flight = c->in_flight, .call_timeout_ms = c->timeout_ms};
    psy_channel *channel;
    psy_pipeline lanes[3];
    static const char *const names[] = {"all", "key", "any"};
    c->setup = psy_channel_connect(c->uri, &o, &channel);
    if (c->setup != PSY_OK) {
        fprintf(stderr, "connect: %s\n", psy_detail());
        return NULL;
    }
    for (int i = 0; i < 3 && c->setup == PSY_OK; i++) {
        c->setup = psy_channel_open(channel, names[i], &question_type, &answer_type, &lanes[i]);
    }
    uint32_t sent = 0, back = 0;
    uint64_t *expected = calloc(c->calls, sizeof *expected);
    uint8_t *seen = calloc(c->calls, 1);
    while (c->setup == PSY_OK && back < c->calls) {
        psy_call call;
        psy_status status = PSY_OK;
        while (sent < c->calls && (status = psy_channel_claim(channel, &lanes[sent % 3], &call)) == PSY_OK) {
            question *q = call.message;
            *q = (question){
                .key = sent * 7919u, .number = sent + 1, .stall_ns = c->stall_ns && sent % 50 == 49 ? c->stall_ns : 0};
            expected[sent] = digest(q);
            psy_channel_commit(channel, &call, (void *)(uintptr_t)(sent + 1));
            sent++;
        }
        psy_reply replies[16];
        uint32_t n = 0;
        status = psy_channel_poll(channel, replies, 16, &n);
        if (status == PSY_EMPTY) {
            status = psy_channel_wait(channel, second_ns);
            if (status == PSY_CLOSED) {
                break;
            }
            continue;
        }
        if (status != PSY_OK) {
            break;
        }
        for (uint32_t i = 0; i < n; i++) {
            uint64_t number = (uint64_t)(uintptr_t)replies[i].user;
            bool right = number >= 1 && number <= sent && !seen[number - 1];
            if (right) {
                seen[number - 1] = 1;
            }
            if (replies[i].status == PSY_OK) {
                answer a;
                memcpy(&a, replies[i].message, sizeof a);
                right = right && a.number == number && a.digest == expected[number - 1];
                c->ok += right;
                psy_channel_release(channel, &replies[i]);
            } else if (replies[i].status == PSY_TIMEOUT) {
                c->timeouts++;
            } else if (replies[i].status == PSY_PEER_DIED) {
                c->died++;
            } else {
                right = false;
                fprintf(stderr, "reply status %s\n", psy_status_name(replies[i].status));
            }
            c->wrong += !right;
            back++;
        }
    }
    c->wrong += back != sent;
    free(expected);
    free(seen);
    psy_channel_close(channel);
    return NULL;
}

static void run_clients(client *clients, uint32_t n)
{
    pthread_t threads[8];
    for (uint32_t i = 0; i < n; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, run_client, &clients[i]), 0);
    }
    for (uint32_t i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* Who may give a slot back that its client has given up on. */
Test(agents, quarantined_slots_are_given_back_by_their_writer_only)
{
    enum { SLOT = 1, GENERATION = 9, WRITER = 0, OTHER = 2, BROKER = 3 };
    uint64_t bytes = psy__responses_bytes(4, 64, 4), ring_bytes;
    uint8_t *data = aligned_alloc(64, bytes);
    memset(data, 0, bytes);
    psy__responses r;
    psy_ring done;
    psy__responses_view(&r, data, 4, 64, 4);
    void *at = psy__completions_at(&r, 3, &ring_bytes);
    cr_assert_eq(psy_ring_init(&done, at, ring_bytes, 8, r.completion_slots), PSY_OK);
    psy__reply_header *h = psy__reply_at(&r, SLOT);

    atomic_store(&h->state, psy__reply_state(GENERATION, 0, PSY_PHASE_PENDING));
    cr_assert(psy__reply_begin(&r, SLOT, GENERATION, WRITER));
    atomic_store(&h->state, psy__reply_state(GENERATION, WRITER, PSY_PHASE_QUARANTINED));
    cr_assert_not(psy__reply_begin(&r, SLOT, GENERATION, OTHER));
    psy__reply_takeover(&r, &done, SLOT, GENERATION, PSY_WRITER_NONE, BROKER, PSY_TIMEOUT, 5);
    cr_assert_eq(atomic_load(&h->state) & 0xffff, (uint64_t)PSY_PHASE_QUARANTINED, "the writer is still at it");
    cr_assert_not(psy__reply_end(&r, &done, SLOT, GENERATION, WRITER, PSY_OK, 64, 5));
    cr_assert_eq(atomic_load(&h->state) & 0xffff, (uint64_t)PSY_PHASE_FREE);

    atomic_store(&h->state, psy__reply_state(GENERATION, WRITER, PSY_PHASE_QUARANTINED));
    psy__reply_takeover(&r, &done, SLOT, GENERATION, WRITER, BROKER, PSY_PEER_DIED, 5);
    cr_assert_eq(atomic_load(&h->state) & 0xffff, (uint64_t)PSY_PHASE_FREE, "the writer is dead");

    atomic_store(&h->state, psy__reply_state(GENERATION, PSY_WRITER_NONE, PSY_PHASE_QUARANTINED));
    cr_assert_not(psy__reply_begin(&r, SLOT, GENERATION, OTHER));
    cr_assert_eq(atomic_load(&h->state) & 0xffff, (uint64_t)PSY_PHASE_FREE, "nobody had begun");
    atomic_store(&h->state, psy__reply_state(GENERATION + 1, PSY_WRITER_NONE, PSY_PHASE_QUARANTINED));
    cr_assert_not(psy__reply_begin(&r, SLOT, GENERATION, OTHER));
    cr_assert_eq(atomic_load(&h->state) & 0xffff, (uint64_t)PSY_PHASE_QUARANTINED, "another call's");
    free(data);
}

/* Far more calls than the service takes in at once, and batches as large as all of them. */
Test(agents, saturation)
{
    unsigned before = open_files();
    service s = open_service("inproc://saturation", 16, 64);
    client c[3];
    for (int i = 0; i < 3; i++) {
        c[i] = (client){.uri = s.uri, .in_flight = 64, .calls = 20000, .timeout_ms = 30000, .stall_ns = i == 0 ? 500000 : 0};
    }
    run_clients(c, 3);
    close_service(&s);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(c[i].setup, PSY_OK);
        cr_assert_eq(c[i].wrong, 0u);
        cr_assert_eq(c[i].ok, c[i].calls, "ok %u timeouts %u died %u", c[i].ok, c[i].timeouts, c[i].died);
    }
    cr_assert_eq(open_files(), before);
}

/* One call at a time: both sides sleep between, and no wake-up may be lost. */
Test(agents, one_at_a_time)
{
    service s = open_service("inproc://one", 16, 64);
    client c = {.uri = s.uri, .in_flight = 1, .calls = 3000, .timeout_ms = 30000};
    uint64_t start = psy__now_ns();
    run_clients(&c, 1);
    uint64_t took = psy__now_ns() - start;
    close_service(&s);
    cr_assert_eq(c.wrong, 0u);
    cr_assert_eq(c.ok, c.calls);
    cr_assert_lt(took, 10 * second_ns, "%lu us a call: wake-ups are lost", (unsigned long)(took / 1000 / c.calls));
}

/* Shards that stall past the deadline: every call still ends once, no late reply hits a slot that was given out again. */
Test(agents, late_replies)
{
    service s = open_service("inproc://late", 64, 8);
    client c[2];
    for (int i = 0; i < 2; i++) {
        c[i] = (client){.uri = s.uri, .in_flight = 8, .calls = 600, .timeout_ms = 20, .stall_ns = 150000000};
    }
    run_clients(c, 2);
    close_service(&s);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(c[i].wrong, 0u);
        cr_assert_eq(c[i].ok + c[i].timeouts, c[i].calls, "ok %u timeouts %u died %u", c[i].ok, c[i].timeouts, c[i].died);
        cr_assert_gt(c[i].timeouts, 0u);
        cr_assert_gt(c[i].ok, 0u);
    }
}

/* A worker goes in the middle, another one takes its place; calls end in PEER_DIED meanwhile. */
static void *replace_worker(void *argument)
{
    service *s = argument;
    for (int i = 0; i < 5; i++) {
        usleep(30000);
        fire(s, 1);
        usleep(20000);
        hire(s, 1, 64);
    }
    return NULL;
}

Test(agents, workers_come_and_go)
{
    service s = open_service("inproc://shifts", 256, 64);
    client c[2];
    for (int i = 0; i < 2; i++) {
        c[i] = (client){.uri = s.uri, .in_flight = 64, .calls = 100000, .timeout_ms = 5000};
    }
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, replace_worker, &s), 0);
    run_clients(c, 2);
    pthread_join(thread, NULL);
    client after = {.uri = s.uri, .in_flight = 64, .calls = 1000, .timeout_ms = 5000};
    run_clients(&after, 1);
    close_service(&s);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(c[i].wrong, 0u);
        cr_assert_eq(c[i].ok + c[i].timeouts + c[i].died, c[i].calls);
        cr_assert_eq(c[i].timeouts, 0u);
    }
    cr_assert_eq(after.ok, after.calls);
}

Test(agents, killed_processes)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("forks");
    }
    char uri[64];
    snprintf(uri, sizeof uri, "ipc:///tmp/psyne-agents-%d", getpid());
    unsigned before = open_files();
    psy_broker_options o = {.uri = uri, .module = &module, .shards = SHARDS, .in_flight = 256, .clients = 8};
    service s = {.uri = uri};
    cr_assert_eq(psy_broker_create(&o, &s.broker), PSY_OK, "%s", psy_detail());
    pid_t children[SHARDS + 1];
    for (uint32_t i = 0; i <= SHARDS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            client endless = {.uri = uri, .in_flight = 32, .calls = UINT32_C(100000000), .timeout_ms = 5000};
            if (i == SHARDS) {
                run_client(&endless);
                _exit(0);
            }
            psy_worker *w;
            psy_worker_options wo = {.uri = uri, .module = &module, .shard = i};
            _exit(psy_worker_create(&wo, &w) == PSY_OK && psy_worker_start(w) == PSY_OK && psy_worker_run(w) == PSY_OK ? 0 : 1);
        }
    }
    cr_assert_eq(pthread_create(&s.threads[SHARDS], NULL, run_broker, s.broker), 0);
    client c = {.uri = uri, .in_flight = 64, .calls = 30000, .timeout_ms = 5000};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, run_client, &c), 0);
    usleep(60000);
    kill(children[SHARDS], SIGKILL); /* the other client */
    usleep(60000);
    kill(children[1], SIGKILL);
    waitpid(children[1], NULL, 0);
    pthread_join(thread, NULL);
    cr_assert_eq(c.setup, PSY_OK);
    cr_assert_eq(c.wrong, 0u);
    cr_assert_eq(c.ok + c.died, c.calls, "ok %u timeouts %u died %u", c.ok, c.timeouts, c.died);
    hire(&s, 1, 64);
    client after = {.uri = uri, .in_flight = 64, .calls = 1000, .timeout_ms = 5000};
    run_clients(&after, 1);
    cr_assert_eq(after.ok, after.calls, "ok %u timeouts %u died %u", after.ok, after.timeouts, after.died);
    fire(&s, 1);
    kill(children[0], SIGKILL);
    close_broker(&s);
    for (uint32_t i = 0; i <= SHARDS; i++) {
        waitpid(children[i], NULL, 0);
    }
    cr_assert_eq(open_files(), before);
}

/* ---- liars ---- */

static psy__link *call_as_client(const char *uri, psy__welcome *welcome)
{
    psy__link *link;
    psy__hello hello = {.role = PSY_ROLE_CLIENT};
    cr_assert_eq(psy__connect(uri, second_ns, &link), PSY_OK);
    cr_assert_eq(psy__say(link, PSY_SAY_HELLO, &hello, sizeof hello, NULL, 0), PSY_OK);
    cr_assert_eq(psy__hear(link, PSY_SAY_WELCOME, welcome, sizeof *welcome, NULL, 0, psy__now_ns() + 5 * second_ns), PSY_OK,
                 "%s", psy_detail());
    return link;
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

Test(agents, liars_lose_their_own_connection_only)
{
    unsigned before = open_files();
    service s = open_service("inproc://liars", 64, 64);
    client c = {.uri = s.uri, .in_flight = 16, .calls = 20000, .timeout_ms = 5000};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, run_client, &c), 0);
    uint64_t seed = 3;
    for (int i = 0; i < 60; i++) {
        psy__welcome welcome;
        psy__link *link;
        if (i % 3 == 0) { /* noise */
            psy__control m = {.bytes = 1 + (uint32_t)(seed % 700), .fd_count = 1, .fds = {STDERR_FILENO}};
            for (uint32_t k = 0; k < m.bytes; k++) {
                seed = seed * 6364136223846793005u + 1;
                m.data[k] = (uint8_t)(seed >> 33);
            }
            cr_assert_eq(psy__connect(s.uri, second_ns, &link), PSY_OK);
            cr_assert_eq(psy__link_send(link, &m, 1), PSY_OK);
        } else {
            link = call_as_client(s.uri, &welcome);
            uint32_t stride = PSY_ENVELOPE_BYTES + welcome.request_bytes, slots = 16;
            psy_slab *requests, *responses;
            psy_slab_options o = {.bytes = psy_ring_bytes(stride, slots)};
            cr_assert_eq(psy_slab_create(&o, &requests), PSY_OK);
            o.bytes = psy__responses_bytes(slots, welcome.reply_bytes, welcome.shards + 1);
            cr_assert_eq(psy_slab_create(&o, &responses), PSY_OK);
            psy__responses view;
            psy_ring ring, completions;
            cr_assert_eq(psy_ring_init(&ring, psy_slab_data(requests), psy_slab_data_bytes(requests), stride, slots), PSY_OK);
            psy__responses_view(&view, psy_slab_data(responses), slots, welcome.reply_bytes, welcome.shards + 1);
            for (uint32_t w = 0; w < view.writers; w++) {
                uint64_t bytes;
                void *at = psy__completions_at(&view, w, &bytes);
                cr_assert_eq(psy_ring_init(&completions, at, bytes, 8, view.completion_slots), PSY_OK);
            }
            int ends_of_bell[2], pipe_ends[2];
            cr_assert_eq(psy__bell_create(ends_of_bell), PSY_OK);
            cr_assert_eq(pipe(pipe_ends), 0);
            close(pipe_ends[0]);
            psy__attach attach = {.request_slots = slots, .request_stride = stride, .reply_slots = slots};
            int fds[3] = {psy_slab_fd(requests), psy_slab_fd(responses), ends_of_bell[1]};
            int lie = i % 10;
            if (lie == 1) {
                attach.reply_slots = 60000;
            } else if (lie == 2) {
                attach.request_slots = 15;
            } else if (lie == 4) {
                fds[0] = pipe_ends[1];
            } else if (lie == 5) {
                fds[2] = pipe_ends[1]; /* a pipe nobody reads */
            } else if (lie == 7) {
                fds[1] = fds[0];
            }
            cr_assert_eq(psy__say(link, PSY_SAY_ATTACH, &attach, sizeof attach, fds, 3), PSY_OK);
            if (lie == 8 || lie == 0) { /* attached; then requests that are none, and impossible positions */
                psy__attached attached;
                cr_assert_eq(
                    psy__hear(link, PSY_SAY_ATTACHED, &attached, sizeof attached, NULL, 0, psy__now_ns() + 5 * second_ns),
                    PSY_OK, "%s", psy_detail());
                uint32_t got;
                uint8_t *frame = psy_ring_claim(&ring, slots, &got);
                for (uint32_t k = 0; k < got * stride; k++) {
                    seed = seed * 6364136223846793005u + 1;
                    frame[k] = (uint8_t)(seed >> 33);
                }
                for (uint32_t k = 0; k < got / 2; k++) { /* half of them look right, and name slots and phases that are wild */
                    psy_envelope e = {.length = sizeof(question),
                                      .kind = PSY_KIND_REQUEST,
                                      .pipeline = k % 3,
                                      .type = 0,
                                      .sequence = k + 1,
                                      .slot = k % 20,
                                      .generation = k,
                                      .route = seed};
                    memcpy(frame + (size_t)k * stride, &e, sizeof e);
                    ((question *)(void *)(frame + (size_t)k * stride + 64))->stall_ns = 0;
                    atomic_store(&psy__reply_at(&view, k % slots)->state, psy__reply_state(k, (uint32_t)seed, k % 7));
                }
                psy_ring_commit(&ring, got);
                psy_ring_flush(&ring);
                usleep(3000);
                atomic_store(&completions.header->released, seed);
                atomic_store(&ring.header->published, seed);
                (void)shutdown(ends_of_bell[1], SHUT_RDWR);
            }
            cr_assert(lie == 3 || lie == 6 || lie == 9 || ends(link), "lie %d is believed", lie);
            close(ends_of_bell[0]);
            close(ends_of_bell[1]);
            close(pipe_ends[1]);
            psy_slab_destroy(requests);
            psy_slab_destroy(responses);
        }
        cr_assert(i % 3 != 0 || ends(link), "noise is believed");
        psy__link_close(link);
    }
    pthread_join(thread, NULL);
    cr_assert_eq(c.wrong, 0u);
    cr_assert_eq(c.ok, c.calls, "ok %u timeouts %u died %u", c.ok, c.timeouts, c.died);
    close_service(&s);
    cr_assert_eq(open_files(), before);
}

/* More silent connections than there are places: they are shown out after a while. */
Test(agents, silent_guests)
{
    service s = open_service("inproc://silent", 64, 64);
    psy__link *links[40];
    for (int i = 0; i < 40; i++) {
        cr_assert_eq(psy__connect(s.uri, second_ns, &links[i]), PSY_OK);
    }
    client c = {.uri = s.uri, .in_flight = 16, .calls = 100, .timeout_ms = 5000};
    run_clients(&c, 1);
    cr_assert_eq(c.setup, PSY_OK);
    cr_assert_eq(c.ok, c.calls);
    for (int i = 0; i < 40; i++) {
        psy__link_close(links[i]);
    }
    close_service(&s);
}

/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/service/agents.h"

#include <unistd.h>

#include "base/clock.h"

const char *own_ipc_address(void)
{
    static _Thread_local char address[96];
    static _Atomic unsigned number;
    const char *folder = getenv("TMPDIR");
    if (!folder || strlen(folder) > 60) { /* socket paths are short */
        folder = "/tmp";
    }
    snprintf(address, sizeof address, "ipc://%s/psyne-%d-%u", folder, getpid(), number++);
    return address;
}

/* ---- counters ---- */

void make_counters(char folder[96])
{
    snprintf(folder, 96, "%s-XXXXXX", own_ipc_address() + strlen("ipc://"));
    cr_assert_not_null(mkdtemp(folder), "%s", folder);
}

void remove_counters(const char *folder)
{
    cr_assert_eq(psy_counters_clean(folder, NULL), PSY_OK, "%s", psy_detail());
    cr_assert_eq(rmdir(folder), 0, "%s is not empty: who lives?", folder);
}

psy_counters *open_counters(const char *folder, const char *name, uint32_t rows)
{
    char path[160];
    psy_counters *counters;
    snprintf(path, sizeof path, "%s/%s" PSY_COUNTERS_SUFFIX, folder, name);
    cr_assert_eq(psy_counters_create(path, rows, &counters), PSY_OK, "%s", psy_detail());
    return counters;
}

bool find_ring(const char *folder, const char *label, psy_counters_ring_view *out, uint32_t *rings)
{
    psy_counters_snapshot *snapshot;
    cr_assert_eq(psy_counters_read(folder, &snapshot), PSY_OK, "%s", psy_detail());
    const psy_counters_ring_view *view;
    bool found = false;
    uint32_t n = 0;
    for (; (view = psy_counters_ring_at(snapshot, n)) != NULL; n++) {
        if (strcmp(view->label, label) == 0) {
            *out = *view;
            found = true;
        }
    }
    if (rings) {
        *rings = n;
    }
    psy_counters_release(snapshot);
    return found;
}

/* ---- the service ---- */

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

service open_broker(const char *uri, uint32_t shards, uint32_t in_flight)
{
    service s = {.shards = shards};
    snprintf(s.uri, sizeof s.uri, "%s", uri);
    psy_broker_options o = {.uri = s.uri,
                            .module = &stand_in_module,
                            .shards = shards,
                            .in_flight = in_flight,
                            .clients = CLIENTS_ROOM,
                            .reference_bytes = 1}; /* with all that goes wrong in these tests; others copy */
    cr_assert_eq(psy_broker_create(&o, &s.broker), PSY_OK, "%s", psy_detail());
    run_broker_of(&s);
    return s;
}

void run_broker_of(service *s) { cr_assert_eq(pthread_create(&s->broker_thread, NULL, run_broker, s->broker), 0); }

void halt_broker(service *s)
{
    psy_broker_stop(s->broker);
    pthread_join(s->broker_thread, NULL);
}

void close_broker(service *s)
{
    halt_broker(s);
    psy_broker_destroy(s->broker);
}

void hire(service *s, uint32_t shard, uint32_t max_batch)
{
    psy_worker_options o = {
        .uri = s->uri, .module = &stand_in_module, .shard = shard, .max_batch = max_batch, .counters = s->counters};
    cr_assert_eq(psy_worker_create(&o, &s->workers[shard]), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_worker_start(s->workers[shard]), PSY_OK, "%s", psy_detail());
    cr_assert_eq(pthread_create(&s->threads[shard], NULL, run_worker, s->workers[shard]), 0);
}

void fire(service *s, uint32_t shard)
{
    psy_worker_stop(s->workers[shard]);
    pthread_join(s->threads[shard], NULL);
    psy_worker_destroy(s->workers[shard]);
}

service open_service(const char *uri, uint32_t in_flight, uint32_t max_batch)
{
    service s = open_broker(uri, SHARDS, in_flight);
    for (uint32_t i = 0; i < s.shards; i++) {
        hire(&s, i, max_batch);
    }
    return s;
}

void close_service(service *s)
{
    for (uint32_t i = 0; i < s->shards; i++) {
        fire(s, i);
    }
    close_broker(s);
}

/* ---- clients ---- */

psy_channel *open_channel(const char *uri, uint32_t in_flight, uint32_t timeout_ms, psy_pipeline lanes[LANES])
{
    return open_counted_channel(uri, in_flight, timeout_ms, NULL, lanes);
}

psy_channel *open_counted_channel(const char *uri, uint32_t in_flight, uint32_t timeout_ms, psy_counters *counters,
                                  psy_pipeline lanes[LANES])
{
    psy_channel_options o = {.in_flight = in_flight, .call_timeout_ms = timeout_ms, .counters = counters};
    psy_channel *channel;
    cr_assert_eq(psy_channel_connect(uri, &o, &channel), PSY_OK, "%s", psy_detail());
    for (int i = 0; i < LANES; i++) {
        cr_assert_eq(psy_channel_open(channel, lane_names[i], &question_type, &answer_type, &lanes[i]), PSY_OK, "%s",
                     psy_detail());
    }
    return channel;
}

psy_status ask(psy_channel *channel, const psy_pipeline *lane, const question *q)
{
    psy_call call;
    psy_status status = psy_channel_claim(channel, lane, &call);
    if (status == PSY_OK) {
        memcpy(call.message, q, sizeof *q);
        psy_channel_commit(channel, &call, (void *)(uintptr_t)q->number);
    }
    return status;
}

uint32_t take_replies(psy_channel *channel, uint32_t n, uint64_t timeout_ns, psy_status *statuses, const uint64_t *digests)
{
    uint64_t deadline = psy__now_ns() + timeout_ns;
    uint32_t came = 0;
    while (came < n && psy__now_ns() < deadline) {
        psy_reply replies[16];
        uint32_t got = 0, most = n - came < 16 ? n - came : 16;
        psy_status status = psy_channel_poll(channel, replies, most, &got);
        for (uint32_t i = 0; i < got; i++) {
            uint64_t number = (uint64_t)(uintptr_t)replies[i].user;
            statuses[number - 1] = replies[i].status;
            if (replies[i].status == PSY_OK) {
                answer a;
                memcpy(&a, replies[i].message, sizeof a);
                cr_assert_eq(a.number, number);
                cr_assert(!digests || a.digest == digests[number - 1], "the answer to another question");
                psy_channel_release(channel, &replies[i]);
            }
        }
        came += got;
        if (status == PSY_CLOSED ||
            (status == PSY_EMPTY && psy_channel_wait(channel, deadline - psy__now_ns()) == PSY_CLOSED)) {
            break;
        }
    }
    return came;
}

/* One reply: right, and the first to its question? */
static bool check_reply(client *c, const psy_reply *reply, uint32_t sent, const uint64_t *expected, uint8_t *seen)
{
    uint64_t number = (uint64_t)(uintptr_t)reply->user;
    if (number < 1 || number > sent || seen[number - 1]++) {
        return false;
    }
    answer a;
    switch ((int)reply->status) {
    case PSY_OK:
        memcpy(&a, reply->message, sizeof a);
        c->ok++;
        return a.number == number && a.digest == expected[number - 1];
    case PSY_TIMEOUT: c->timeouts++; return true;
    case PSY_PEER_DIED: c->died++; return true;
    default: fprintf(stderr, "reply status %s\n", psy_status_name(reply->status)); return false;
    }
}

void *run_client(void *one)
{
    client *c = one;
    psy_channel_options o = {.in_flight = c->in_flight, .call_timeout_ms = c->timeout_ms};
    psy_channel *channel;
    psy_pipeline lanes[LANES];
    c->setup = psy_channel_connect(c->uri, &o, &channel);
    if (c->setup != PSY_OK) {
        fprintf(stderr, "connect: %s\n", psy_detail());
        return NULL;
    }
    for (int i = 0; i < LANES && c->setup == PSY_OK; i++) {
        c->setup = psy_channel_open(channel, lane_names[i], &question_type, &answer_type, &lanes[i]);
    }
    uint32_t sent = 0, back = 0;
    uint64_t *expected = calloc(c->calls, sizeof *expected);
    uint8_t *seen = calloc(c->calls, 1);
    while (c->setup == PSY_OK && back < c->calls) {
        while (sent < c->calls) {
            question q = {.key = sent * 7919u, .number = sent + 1, .stall_ns = sent % 50 == 49 ? c->stall_ns : 0};
            expected[sent] = digest(&q);
            if (ask(channel, &lanes[sent % LANES], &q) != PSY_OK) {
                break;
            }
            sent++;
        }
        psy_reply replies[16];
        uint32_t n = 0;
        psy_status status = psy_channel_poll(channel, replies, 16, &n);
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
            c->wrong += !check_reply(c, &replies[i], sent, expected, seen);
            psy_channel_release(channel, &replies[i]);
        }
        back += n;
    }
    c->wrong += back != sent;
    free(expected);
    free(seen);
    psy_channel_close(channel);
    return NULL;
}

void run_clients(client *clients, uint32_t n)
{
    pthread_t threads[CLIENTS_ROOM];
    for (uint32_t i = 0; i < n; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, run_client, &clients[i]), 0);
    }
    for (uint32_t i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
    }
}

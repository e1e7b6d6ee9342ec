/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/service/by_hand.h"

/* ---- what was told ---- */

static void keep(void *context, psy_log_level level, const char *event, const psy_log_field *fields, uint32_t count)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* a worker that is made tells beside the broker */
    told_log *t = context;
    pthread_mutex_lock(&lock);
    count = count < TOLD_FIELDS ? count : TOLD_FIELDS;
    if (t->count < TOLD_ROOM) {
        snprintf(t->events[t->count].event, sizeof t->events[0].event, "%s", event);
        t->events[t->count].level = level;
        t->events[t->count].field_count = count;
        for (uint32_t i = 0; i < count; i++) {
            snprintf(t->events[t->count].fields[i].key, sizeof t->events[0].fields[0].key, "%s", fields[i].key);
            snprintf(t->events[t->count].fields[i].text, TOLD_TEXT, "%s", fields[i].text ? fields[i].text : "");
            t->events[t->count].fields[i].number = fields[i].number;
        }
    }
    t->count++;
    pthread_mutex_unlock(&lock);
}

void told_init(told_log *t) { *t = (told_log){.log = {.write = keep, .context = t, .least = PSY_LOG_DEBUG}}; }

static bool fits(const told_log *t, uint32_t at, const char *event, const char *key, const char *text, uint64_t number)
{
    bool found = key == NULL;
    for (uint32_t i = 0; !found && i < t->events[at].field_count; i++) {
        found = strcmp(t->events[at].fields[i].key, key) == 0 &&
                (text ? strcmp(t->events[at].fields[i].text, text) == 0 : t->events[at].fields[i].number == number);
    }
    return found && strcmp(t->events[at].event, event) == 0;
}

uint32_t told_count(const told_log *t, const char *event, const char *key, const char *text, uint64_t number)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->count && i < TOLD_ROOM; i++) {
        n += fits(t, i, event, key, text, number);
    }
    return n;
}

static void find(const told_log *t, const char *event, const char *key, uint32_t *at, uint32_t *field)
{
    for (*at = 0; *at < t->count && *at < TOLD_ROOM; ++*at) {
        for (*field = 0; *field < t->events[*at].field_count; ++*field) {
            if (strcmp(t->events[*at].event, event) == 0 && strcmp(t->events[*at].fields[*field].key, key) == 0) {
                return;
            }
        }
    }
    cr_assert_fail("nothing was told of %s with %s", event, key);
}

const char *told_text(const told_log *t, const char *event, const char *key)
{
    uint32_t at, field;
    find(t, event, key, &at, &field);
    return t->events[at].fields[field].text;
}

uint64_t told_number(const told_log *t, const char *event, const char *key)
{
    uint32_t at, field;
    find(t, event, key, &at, &field);
    return t->events[at].fields[field].number;
}

/* ---- the service ---- */

void by_hand_round(by_hand *h)
{
    (void)psy_broker_do_work(h->broker);
    for (uint32_t i = 0; i < h->shards; i++) {
        if (h->workers[i]) {
            (void)psy_worker_do_work(h->workers[i]);
        }
    }
}

typedef struct making {
    by_hand *h;
    told_log *log;
    const psy_channel_options *options;
    psy_pipeline *lanes;
    psy_channel *channel;
    psy_status status;
    char detail[512];
} making;

static void *make_workers(void *argument)
{
    making *m = argument;
    for (uint32_t i = 0; i < m->h->shards; i++) {
        psy_worker_options o = {.uri = m->h->uri,
                                .module = &stand_in_module,
                                .shard = i,
                                .max_batch = m->h->max_batch,
                                .log = m->log ? &m->log->log : NULL};
        cr_assert_eq(psy_worker_create(&o, &m->h->workers[i]), PSY_OK, "%s", psy_detail());
        cr_assert_eq(psy_worker_start(m->h->workers[i]), PSY_OK, "%s", psy_detail());
    }
    return NULL;
}

static void *make_channel(void *argument)
{
    making *m = argument;
    m->status = psy_channel_connect(m->h->uri, m->options, &m->channel);
    for (int i = 0; i < LANES && m->status == PSY_OK; i++) {
        m->status = psy_channel_open(m->channel, lane_names[i], &question_type, &answer_type, &m->lanes[i]);
    }
    snprintf(m->detail, sizeof m->detail, "%s", psy_detail());
    return NULL;
}

/* What waits for the broker runs beside it. Workers are let alone until all of them are there. */
static void beside_broker(by_hand *h, void *(*what)(void *), making *m)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, what, m), 0);
    while (pthread_tryjoin_np(thread, NULL) != 0) {
        (void)psy_broker_do_work(h->broker);
        if (what != make_workers) {
            by_hand_round(h);
        }
    }
}

by_hand by_hand_open(const char *uri, const psy_broker_options *options, uint32_t max_batch, told_log *log)
{
    by_hand h = {.shards = SHARDS, .max_batch = max_batch};
    snprintf(h.uri, sizeof h.uri, "%s", uri);
    psy_broker_options o = *options;
    o.uri = h.uri;
    o.module = &stand_in_module;
    o.shards = SHARDS;
    o.log = log ? &log->log : NULL;
    cr_assert_eq(psy_broker_create(&o, &h.broker), PSY_OK, "%s", psy_detail());
    making m = {.h = &h, .log = log};
    beside_broker(&h, make_workers, &m);
    psy_broker_health health;
    for (int tries = 0; tries < 10000; tries++) { /* the last one's READY may still be on its way */
        by_hand_round(&h);
        psy_broker_get_health(h.broker, &health);
        if (health.ready) {
            return h;
        }
    }
    cr_assert_fail("the workers never got ready");
    return h;
}

void by_hand_close(by_hand *h)
{
    for (uint32_t i = 0; i < h->shards; i++) {
        psy_worker_destroy(h->workers[i]);
    }
    psy_broker_destroy(h->broker);
}

psy_channel *by_hand_connect(by_hand *h, const psy_channel_options *options, psy_pipeline lanes[LANES], psy_status *status)
{
    making m = {.h = h, .options = options, .lanes = lanes};
    beside_broker(h, make_channel, &m);
    if (status) {
        *status = m.status;
        (void)!psy_fail(m.status, "%s", m.detail);
    } else {
        cr_assert_eq(m.status, PSY_OK, "%s", m.detail);
    }
    if (m.status != PSY_OK) {
        psy_channel_close(m.channel);
        return NULL;
    }
    return m.channel;
}

uint32_t by_hand_take(psy_channel *channel, psy_status status)
{
    psy_reply replies[64];
    uint32_t n = 0, total = 0;
    while (psy_channel_poll(channel, replies, 64, &n) == PSY_OK) {
        for (uint32_t i = 0; i < n; i++) {
            cr_assert_eq(replies[i].status, status, "%s", psy_status_name(replies[i].status));
            psy_channel_release(channel, &replies[i]);
        }
        total += n;
    }
    return total;
}

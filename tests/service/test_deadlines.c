/* SPDX-License-Identifier: Apache-2.0 */
/* When calls end that nobody answers in time. */
#define _GNU_SOURCE
#include <unistd.h>

#include "base/clock.h"
#include "tests/service/agents.h"

/* A broker whose round is held up, and a client that sends meanwhile. */
typedef struct held_up {
    psy_channel *channel;
    psy_pipeline lanes[LANES];
    uint64_t deadline_ns;
    _Atomic bool armed, sent;
} held_up;

static void hear(void *context, psy_log_level level, const char *event, const psy_log_field *fields, uint32_t count)
{
    held_up *h = context;
    psy_call call;
    (void)level;
    (void)fields;
    (void)count;
    if (strcmp(event, "client.connected") != 0 || !atomic_exchange(&h->armed, false)) {
        return;
    }
    usleep(60000); /* within a round: it began before the call was made */
    cr_assert_eq(psy_channel_claim(h->channel, &h->lanes[0], &call), PSY_OK);
    question q = {.key = 1, .number = 1, .stall_ns = 400000000};
    memcpy(call.message, &q, sizeof q);
    h->deadline_ns = psy__now_ns() + 40000000;
    psy_channel_commit_until(h->channel, &call, NULL, h->deadline_ns);
    psy_channel_flush(h->channel);
    h->sent = true;
}

Test(deadlines, count_from_when_a_call_was_made)
{
    held_up h = {0};
    service s = {.shards = 1};
    psy_log log = {.write = hear, .context = &h, .least = PSY_LOG_INFO};
    snprintf(s.uri, sizeof s.uri, "%s", own_ipc_address());
    psy_broker_options o = {.uri = s.uri, .module = &stand_in_module, .shards = 1, .in_flight = 8, .log = &log};
    cr_assert_eq(psy_broker_create(&o, &s.broker), PSY_OK, "%s", psy_detail());
    run_broker_of(&s);
    hire(&s, 0, 1);
    h.channel = open_channel(s.uri, 4, 10000, h.lanes);
    h.armed = true;
    psy_pipeline lanes[LANES];
    psy_channel *other = open_channel(s.uri, 4, 10000, lanes); /* the broker tells of it, and is held up by that */
    for (uint64_t end = psy__now_ns() + 20 * second_ns; !h.sent;) {
        cr_assert_lt(psy__now_ns(), end);
        usleep(500);
    }
    psy_reply reply;
    uint32_t n = 0;
    while (psy_channel_poll(h.channel, &reply, 1, &n) == PSY_EMPTY) {
        (void)!psy_channel_wait(h.channel, second_ns);
    }
    uint64_t now = psy__now_ns();
    cr_assert_eq(n, 1u);
    cr_assert_eq(reply.status, PSY_TIMEOUT, "%s", psy_status_name(reply.status));
    cr_assert_geq(now, h.deadline_ns, "TIMEOUT %.1f ms before the deadline", (double)(h.deadline_ns - now) / 1e6);
    psy_channel_close(h.channel);
    psy_channel_close(other);
    close_service(&s);
}

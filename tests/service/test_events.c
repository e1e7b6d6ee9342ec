/* SPDX-License-Identifier: Apache-2.0 */
/* What brokers and workers tell: comings and goings, refusals, traced requests; as often as allowed, with texts that are clean.
 * And that doc/events.md says the same as the table. */
#include <inttypes.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/events.h"
#include "tests/service/by_hand.h"

static const char *const level_names[] = {"debug", "info", "warning", "error"};

/* ---- the outlet ---- */

Test(events, no_more_a_second_than_the_row_allows)
{
    static told_log t;
    static psy__events events;
    told_init(&t);
    events = (psy__events){.log = &t.log};
    uint32_t rate = psy__event_rows[PSY__EVENT_REQUEST_TIMEOUT].rate;
    cr_assert_gt(rate, 0u);
    for (uint32_t i = 0; i < rate + 7; i++) {
        PSY__TELL(&events, REQUEST_TIMEOUT, PSY__NUMBER(3), PSY__NUMBER(i), PSY__NUMBER(1));
    }
    cr_assert_eq(told_count(&t, "request.timeout", NULL, NULL, 0), rate);
    cr_assert_eq(told_count(&t, "events.left_out", NULL, NULL, 0), 0u);
    psy__events_tick(&events, second_ns - 1);
    cr_assert_eq(told_count(&t, "events.left_out", NULL, NULL, 0), 0u, "the second is not over");
    psy__events_tick(&events, second_ns);
    cr_assert_eq(told_count(&t, "events.left_out", "count", NULL, 7), 1u);
    cr_assert_str_eq(told_text(&t, "events.left_out", "event"), "request.timeout");
    PSY__TELL(&events, REQUEST_TIMEOUT, PSY__NUMBER(3), PSY__NUMBER(99), PSY__NUMBER(1));
    cr_assert_eq(told_count(&t, "request.timeout", NULL, NULL, 0), rate + 1, "a new second");
    psy__events_tick(&events, 2 * second_ns);
    cr_assert_eq(told_count(&t, "events.left_out", NULL, NULL, 0), 1u, "nothing was left out of this one");
}

Test(events, fields_levels_and_texts)
{
    static told_log t;
    static psy__events events;
    told_init(&t);
    t.log.least = PSY_LOG_WARNING;
    events = (psy__events){.log = &t.log};
    PSY__TELL(&events, SERVICE_READY, PSY__NUMBER(2));
    cr_assert_eq(t.count, 0u, "below what is wanted");
    PSY__TELL(&events, PIPELINE_REFUSED, PSY__NUMBER(1), PSY__NUMBER(2), PSY__TEXT("NOT_FOUND"),
              PSY__TEXT("a\nb\x1b[31m\xff z"));
    cr_assert_eq(t.count, 1u);
    cr_assert_str_eq(told_text(&t, "pipeline.refused", "why"), "a?b?[31m? z");
    PSY__TELL(&events, REQUEST_FAILED, PSY__NUMBER(1), PSY__NUMBER(UINT64_C(0xfeed)), PSY__NUMBER(0));
    cr_assert_str_eq(told_text(&t, "request.failed", "request"), "000000000000feed");
    events.log = NULL;
    PSY__TELL(&events, REQUEST_FAILED, PSY__NUMBER(1), PSY__NUMBER(2), PSY__NUMBER(0));
    cr_assert_eq(t.count, 2u);
}

static void row_of(uint32_t id, char *to, size_t room)
{
    const psy__event_row *row = &psy__event_rows[id];
    size_t n = (size_t)snprintf(to, room, "| `%s` | %s | ", row->name, level_names[row->level]);
    const char *at = row->fields;
    for (uint32_t i = 0; i < row->field_count; i++, at += strlen(at) + 1) {
        n += (size_t)snprintf(to + n, room - n, "%s`%s`", i ? ", " : "", at + 1);
    }
    if (row->rate) {
        n += (size_t)snprintf(to + n, room - n, " | %u | %s |", row->rate, row->text);
    } else {
        n += (size_t)snprintf(to + n, room - n, " | | %s |", row->text);
    }
    cr_assert_lt(n, room);
}

/* Every row is in the page, and no row of the page is another's. PSYNE_EVENTS_ROWS=1 prints them, to be put there. */
Test(events, the_page_has_the_table)
{
    FILE *page = fopen(PSY_SOURCE_DIR "/doc/events.md", "r");
    cr_assert_not_null(page);
    char line[1024], want[1024];
    bool found[PSY__EVENTS] = {false};
    uint32_t rows = 0;
    while (fgets(line, sizeof line, page)) {
        line[strcspn(line, "\n")] = '\0';
        bool known = false;
        for (uint32_t id = 0; id < PSY__EVENTS; id++) {
            row_of(id, want, sizeof want);
            if (strcmp(line, want) == 0) {
                cr_assert(!found[id], "twice: %s", line);
                found[id] = known = true;
            }
        }
        bool is_row = strncmp(line, "| `", 3) == 0 && strchr(line, '.');
        rows += is_row;
        cr_assert(known || !is_row, "doc/events.md has what the table has not: %s", line);
    }
    fclose(page);
    for (uint32_t id = 0; id < PSY__EVENTS; id++) {
        row_of(id, want, sizeof want);
        if (getenv("PSYNE_EVENTS_ROWS")) {
            fprintf(stderr, "%s\n", want);
        }
        cr_assert(found[id] || getenv("PSYNE_EVENTS_ROWS"), "doc/events.md lacks: %s", want);
    }
    cr_assert(rows == PSY__EVENTS || getenv("PSYNE_EVENTS_ROWS"));
}

/* ---- a service ---- */

Test(events, comings_and_goings)
{
    static told_log t;
    told_init(&t);
    by_hand h = by_hand_open("inproc://comings", &(psy_broker_options){.in_flight = 16, .clients = CLIENTS_ROOM}, 16, &t);
    cr_assert_eq(told_count(&t, "worker.hired", "before", NULL, 0), (uint32_t)SHARDS);
    cr_assert_eq(told_count(&t, "worker.started", NULL, NULL, 0), (uint32_t)SHARDS);
    cr_assert_eq(told_count(&t, "worker.ready", NULL, NULL, 0), (uint32_t)SHARDS);
    cr_assert_eq(told_count(&t, "service.ready", "shards", NULL, SHARDS), 1u);
    psy_pipeline lanes[LANES];
    psy_channel *channel = by_hand_connect(&h, &(psy_channel_options){.in_flight = 4}, lanes, NULL);
    cr_assert_eq(told_number(&t, "client.connected", "uid"), (uint64_t)geteuid());
    cr_assert_eq(told_number(&t, "client.connected", "pid"), (uint64_t)getpid());
    cr_assert_eq(told_number(&t, "client.connected", "reply_slots"), 4u);
    cr_assert_gt(told_number(&t, "client.connected", "memory_bytes"), 4096u);
    question q = {.number = 1};
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(ask(channel, &lanes[LANE_ALL], &q), PSY_OK);
    }
    uint32_t back = 0;
    psy_channel_flush(channel);
    for (int i = 0; i < 1000 && back < 3; i++) {
        by_hand_round(&h);
        back += by_hand_take(channel, PSY_OK);
    }
    cr_assert_eq(back, 3u);
    psy_channel_close(channel);
    for (uint64_t end = psy__now_ns() + 5 * second_ns;
         told_count(&t, "client.gone", NULL, NULL, 0) == 0 && psy__now_ns() < end;) {
        by_hand_round(&h);
    }
    cr_assert_eq(told_number(&t, "client.gone", "requests"), 3u);
    psy_worker_destroy(h.workers[1]); /* without a leave */
    h.workers[1] = NULL;
    for (uint64_t end = psy__now_ns() + 5 * second_ns;
         told_count(&t, "worker.died", NULL, NULL, 0) == 0 && psy__now_ns() < end;) {
        by_hand_round(&h);
    }
    cr_assert_eq(told_number(&t, "worker.died", "shard"), 1u);
    cr_assert_eq(told_number(&t, "worker.died", "ready"), 1u);
    uint32_t count = t.count;
    by_hand_close(&h);
    cr_assert_eq(t.count, count, "nobody dies of an orderly end");
}

/* One request, told of by its id at every hop; the one beside it is not told of. */
Test(events, a_traced_request)
{
    static told_log t;
    told_init(&t);
    by_hand h = by_hand_open("inproc://traced", &(psy_broker_options){.in_flight = 16, .clients = CLIENTS_ROOM}, 16, &t);
    psy_pipeline lanes[LANES];
    psy_channel *channel = by_hand_connect(&h, &(psy_channel_options){.in_flight = 8}, lanes, NULL);
    for (int lane = 0; lane < LANES; lane++) {
        told_init(&t);
        psy_call calls[2];
        question q = {.number = 1, .key = 5};
        for (int i = 0; i < 2; i++) {
            cr_assert_eq(psy_channel_claim(channel, &lanes[lane], &calls[i]), PSY_OK);
            memcpy(calls[i].message, &q, sizeof q);
            calls[i].trace = i == 1;
            psy_channel_commit(channel, &calls[i], NULL);
        }
        psy_channel_flush(channel);
        uint32_t back = 0;
        for (uint64_t end = psy__now_ns() + 5 * second_ns;
             (back < 2 || told_count(&t, "trace.ended", NULL, NULL, 0) == 0) && psy__now_ns() < end;) {
            by_hand_round(&h);
            back += by_hand_take(channel, PSY_OK);
        }
        cr_assert_eq(back, 2u);
        uint32_t shards = lane == LANE_ALL ? SHARDS : 1;
        char id[17];
        snprintf(id, sizeof id, "%016" PRIx64, calls[1].request);
        cr_assert_eq(told_count(&t, "trace.taken", "request", id, 0), 1u);
        cr_assert_eq(told_number(&t, "trace.taken", "pipeline"), (uint64_t)lane);
        cr_assert_eq(told_count(&t, "trace.scattered", "request", id, 0), shards);
        cr_assert_eq(told_count(&t, "trace.run", "request", id, 0), shards);
        cr_assert_str_eq(told_text(&t, "trace.run", "status"), "OK");
        cr_assert_eq(told_number(&t, "trace.run", "batch"), lane == LANE_ANY ? 1u : 2u);
        cr_assert_eq(told_count(&t, "trace.merged", "request", id, 0), lane == LANE_ALL ? 1u : 0u);
        cr_assert_eq(told_count(&t, "trace.answered", "request", id, 0), 1u);
        cr_assert_eq(told_number(&t, "trace.answered", "bytes"), sizeof(answer));
        cr_assert_eq(told_count(&t, "trace.ended", "request", id, 0), 1u);
        cr_assert_eq(told_count(&t, "trace.failed", NULL, NULL, 0), 0u);
        cr_assert_eq(t.count, 4 + shards * 2 - (lane != LANE_ALL), "only it is told of");
    }
    psy_channel_close(channel);

    /* All calls of a channel, one of which no shard can answer, and one that fails in its run. */
    channel = by_hand_connect(&h, &(psy_channel_options){.in_flight = 8, .trace = 1}, lanes, NULL);
    told_init(&t);
    question bad = {.number = 1, .status = PSY_CORRUPT};
    cr_assert_eq(ask(channel, &lanes[LANE_ANY], &bad), PSY_OK);
    psy_channel_flush(channel);
    for (uint64_t end = psy__now_ns() + 5 * second_ns; by_hand_take(channel, PSY_CORRUPT) == 0 && psy__now_ns() < end;) {
        by_hand_round(&h);
    }
    cr_assert_str_eq(told_text(&t, "trace.run", "status"), "CORRUPT");
    cr_assert_str_eq(told_text(&t, "trace.answered", "status"), "CORRUPT");
    psy_worker_destroy(h.workers[0]);
    h.workers[0] = NULL;
    for (uint64_t end = psy__now_ns() + 5 * second_ns;
         told_count(&t, "worker.died", NULL, NULL, 0) == 0 && psy__now_ns() < end;) {
        by_hand_round(&h);
    }
    question q = {.number = 1};
    cr_assert_eq(ask(channel, &lanes[LANE_ALL], &q), PSY_OK);
    psy_channel_flush(channel);
    for (uint64_t end = psy__now_ns() + 5 * second_ns; by_hand_take(channel, PSY_PEER_DIED) == 0 && psy__now_ns() < end;) {
        by_hand_round(&h);
    }
    cr_assert_str_eq(told_text(&t, "trace.failed", "where"), "broker");
    cr_assert_str_eq(told_text(&t, "trace.failed", "status"), "PEER_DIED");
    cr_assert_str_eq(told_text(&t, "request.refused", "status"), "PEER_DIED");
    psy_broker_counts counts;
    psy_broker_get_counts(h.broker, &counts);
    cr_assert_eq(counts.traced, 4u);
    psy_channel_close(channel);
    by_hand_close(&h);
}

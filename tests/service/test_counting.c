/* SPDX-License-Identifier: Apache-2.0 */
/* What the rings of a service count: both sides of each in files that others read, while links come and go. */
#define _GNU_SOURCE
#include <unistd.h>

#include "base/clock.h"
#include "service/counting.h"
#include "tests/service/agents.h"

/* Of a service with one client: its requests, a completion ring for each writer, two rings for each shard. */
enum { CALLS = 200, IN_FLIGHT = 64, RINGS = 1 + (SHARDS + 1) + 2 * SHARDS };
/* Rows of a broker without clients: itself, its guard, its data, its tickets, and its pipelines with their times; then two
 * rings and memory a shard.
 */
enum { ROWS_WITHOUT_CLIENTS = 4 + LANES * (1 + PSY_LATENCY_PARTS) + 3 * SHARDS };

typedef struct counted {
    char folder[96];
    psy_counters *of_broker, *of_workers, *of_client;
    service service;
} counted;

static void open_counted(counted *c, const char *uri, uint32_t broker_rows)
{
    make_counters(c->folder);
    c->of_broker = open_counters(c->folder, "broker", broker_rows);
    c->of_workers = open_counters(c->folder, "workers", 64);
    c->of_client = open_counters(c->folder, "client", 64);
    c->service = (service){.shards = SHARDS, .counters = c->of_workers};
    snprintf(c->service.uri, sizeof c->service.uri, "%s", uri);
    psy_broker_options o = {
        .uri = uri, .module = &stand_in_module, .shards = SHARDS, .clients = CLIENTS_ROOM, .counters = c->of_broker};
    cr_assert_eq(psy_broker_create(&o, &c->service.broker), PSY_OK, "%s", psy_detail());
    run_broker_of(&c->service);
    for (uint32_t i = 0; i < SHARDS; i++) {
        hire(&c->service, i, 0);
    }
}

static void close_counted(counted *c)
{
    close_service(&c->service);
    psy_counters_ring_view view;
    uint32_t rings;
    cr_assert_not(find_ring(c->folder, "", &view, &rings));
    cr_assert_eq(rings, 0u, "rows that are left");
    psy_counters_destroy(c->of_broker);
    psy_counters_destroy(c->of_workers);
    psy_counters_destroy(c->of_client);
    remove_counters(c->folder);
}

static void call(psy_channel *channel, const psy_pipeline *lane, uint32_t calls)
{
    psy_status statuses[IN_FLIGHT];
    for (uint32_t done = 0, n; done < calls; done += n) {
        n = calls - done < IN_FLIGHT ? calls - done : IN_FLIGHT;
        for (uint32_t i = 0; i < n; i++) {
            question q = {.key = done + i, .number = i + 1};
            cr_assert_eq(ask(channel, lane, &q), PSY_OK);
        }
        cr_assert_eq(take_replies(channel, n, 5 * second_ns, statuses, NULL), n);
        for (uint32_t i = 0; i < n; i++) {
            cr_assert_eq(statuses[i], PSY_OK);
        }
    }
}

static psy_counters_ring_view ring_of(const counted *c, const char *label)
{
    psy_counters_ring_view view = {0};
    cr_assert(find_ring(c->folder, label, &view, NULL), "no ring %s", label);
    return view;
}

/* A ring through which `messages` went and in which nothing is; its sides may need a moment to say so. */
static psy_counters_ring_view drained(const counted *c, const char *label, uint64_t messages)
{
    psy_counters_ring_view view = ring_of(c, label);
    for (int tries = 0;
         (view.consumer[PSY_RING_COUNTER_messages] < messages || view.producers + view.consumers < 2) && tries < 500; tries++) {
        usleep(10000);
        view = ring_of(c, label);
    }
    cr_assert_eq(view.producers, 1u, "%s", label);
    cr_assert_eq(view.consumers, 1u, "%s", label);
    cr_assert_eq(view.living_producers + view.living_consumers, 2u, "%s", label);
    cr_assert(view.fill_known && view.fill == 0, "%s: %lu are in there", label, (unsigned long)view.fill);
    for (int side = 0; side < 2; side++) {
        const uint64_t *values = side ? view.consumer : view.producer;
        cr_assert_eq(values[PSY_RING_COUNTER_messages], messages, "%s, side %d: %lu", label, side,
                     (unsigned long)values[PSY_RING_COUNTER_messages]);
        cr_assert_eq(values[PSY_RING_COUNTER_bytes], messages * view.stride, "%s, side %d", label, side);
        cr_assert_eq(values[PSY_RING_COUNTER_position], messages, "%s, side %d", label, side);
    }
    cr_assert(messages ? view.high_water >= 1 && view.high_water <= view.slots : view.high_water == 0, "%s: %lu at most", label,
              (unsigned long)view.high_water);
    return view;
}

/* The rings called "TITLE 0REST", "TITLE 1REST" and so on have this many messages together, and nothing in them. */
static void drained_together(const counted *c, const char *title, const char *rest, uint64_t messages)
{
    char label[SHARDS][64];
    uint64_t each[SHARDS], sum = 0;
    for (int tries = 0; sum < messages && tries < 500; tries++) {
        usleep(tries ? 10000 : 0);
        sum = 0;
        for (uint32_t s = 0; s < SHARDS; s++) {
            snprintf(label[s], sizeof label[s], "%s %u%s", title, s, rest);
            sum += each[s] = ring_of(c, label[s]).producer[PSY_RING_COUNTER_messages];
        }
    }
    cr_assert_eq(sum, messages, "%s: %lu", title, (unsigned long)sum);
    for (uint32_t s = 0; s < SHARDS; s++) {
        (void)drained(c, label[s], each[s]);
    }
}

Test(counting, both_sides_count_every_call)
{
    counted c;
    open_counted(&c, "inproc://counted", 64);
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_counted_channel("inproc://counted", IN_FLIGHT, 10000, c.of_client, lanes);
    call(channel, &lanes[LANE_ALL], CALLS);
    psy_counters_ring_view view = drained(&c, "counted/client 0 requests", CALLS);
    cr_assert_eq(view.slots, (uint32_t)IN_FLIGHT);
    cr_assert_geq(view.stride, (uint32_t)sizeof(question));
    cr_assert_gt(view.high_water, 1u, "many were sent at once");
    for (uint32_t s = 0; s < SHARDS; s++) {
        char label[64];
        snprintf(label, sizeof label, "counted/shard %u requests", s);
        drained(&c, label, CALLS);
    }
    drained_together(&c, "counted/shard", " finished", CALLS);
    drained_together(&c, "counted/client 0 completions shard", "", CALLS);
    drained(&c, "counted/client 0 completions broker", 0);
    uint32_t rings;
    cr_assert(find_ring(c.folder, "counted/client 0 requests", &view, &rings));
    cr_assert_eq(rings, (uint32_t)RINGS);

    /* Whoever sleeps is woken, and that is counted. */
    uint64_t calls = CALLS;
    for (int tries = 0; view.producer[PSY_RING_COUNTER_wakes] == 0 && tries < 500; tries++, calls++) {
        usleep(5000);
        call(channel, &lanes[LANE_ALL], 1);
        view = ring_of(&c, "counted/client 0 requests");
    }
    cr_assert_gt(view.producer[PSY_RING_COUNTER_wakes], 0u);
    cr_assert_leq(view.producer[PSY_RING_COUNTER_wakes], calls);
    psy_channel_close(channel);
    close_counted(&c);
}

/* Sent is received and what waits, while nobody takes it. */
Test(counting, what_waits_is_the_fill_level)
{
    enum { WAITING = 5 };
    counted c;
    open_counted(&c, "inproc://filled", 64);
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_counted_channel("inproc://filled", IN_FLIGHT, 10000, c.of_client, lanes);
    call(channel, &lanes[LANE_ALL], CALLS);
    drained(&c, "filled/client 0 requests", CALLS);
    halt_broker(&c.service);
    for (uint32_t i = 0; i < WAITING; i++) {
        question q = {.key = i, .number = i + 1};
        cr_assert_eq(ask(channel, &lanes[LANE_ALL], &q), PSY_OK);
    }
    psy_channel_flush(channel);
    psy_counters_ring_view view = ring_of(&c, "filled/client 0 requests");
    cr_assert_eq(view.fill, (uint64_t)WAITING);
    cr_assert_eq(view.producer[PSY_RING_COUNTER_messages], (uint64_t)CALLS + WAITING);
    cr_assert_eq(view.consumer[PSY_RING_COUNTER_messages], (uint64_t)CALLS);
    (void)psy_broker_do_work(c.service.broker);
    drained(&c, "filled/client 0 requests", CALLS + WAITING);
    psy_channel_close(channel);
    run_broker_of(&c.service); /* to be joined: it ends at once */
    close_counted(&c);
}

/* Rows go with the links, and a new client in the same place begins at 0. */
Test(counting, rows_go_with_the_links)
{
    counted c;
    open_counted(&c, "inproc://leavers", 64);
    psy_counters_ring_view view;
    for (int round = 0; round < 3; round++) {
        psy_pipeline lanes[LANES];
        psy_channel *channel = open_counted_channel("inproc://leavers", IN_FLIGHT, 10000, c.of_client, lanes);
        call(channel, &lanes[LANE_ALL], 10);
        drained(&c, "leavers/client 0 requests", 10);
        psy_channel_close(channel);
        uint32_t rings = 0;
        for (int tries = 0; rings != 2 * SHARDS && tries < 500; tries++) { /* the shards hear of it from the broker */
            usleep(10000);
            (void)find_ring(c.folder, "", &view, &rings);
        }
        cr_assert_eq(rings, 2u * SHARDS, "%u rings without a client", rings);
    }
    drained_together(&c, "leavers/shard", " finished", 30);
    close_counted(&c);
}

/* Rows are used up: who comes then is served as well, uncounted. */
Test(counting, without_rows_there_is_service)
{
    counted c;
    open_counted(&c, "inproc://crowded", ROWS_WITHOUT_CLIENTS + 1);
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_counted_channel("inproc://crowded", IN_FLIGHT, 10000, c.of_client, lanes);
    call(channel, &lanes[LANE_ALL], CALLS);
    drained(&c, "crowded/client 0 requests", CALLS);
    psy_counters_ring_view view = ring_of(&c, "crowded/client 0 completions broker");
    cr_assert_eq(view.producers, 0u, "the broker has no row for this one");
    cr_assert_eq(view.consumers, 1u);
    cr_assert_not(view.fill_known);
    psy_channel_close(channel);
    halt_broker(&c.service);
    psy_broker_counts counts;
    psy_broker_get_counts(c.service.broker, &counts);
    cr_assert_eq(counts.uncounted, 2u, "a ring, and the client's memory");
    run_broker_of(&c.service); /* to be joined: it ends at once */
    close_counted(&c);
}

Test(counting, agents_say_that_they_work)
{
    counted c;
    open_counted(&c, "inproc://beating", 64);
    uint64_t since = psy__now_ns();
    uint32_t beating = 0;
    for (int tries = 0; beating < 2 && tries < 500; tries++) {
        usleep(10000);
        psy_counters_snapshot *snapshot;
        cr_assert_eq(psy_counters_read(c.folder, &snapshot), PSY_OK, "%s", psy_detail());
        const psy_counters_file *file;
        beating = 0;
        for (uint32_t i = 0; (file = psy_counters_file_at(snapshot, i)) != NULL; i++) {
            beating += file->beat_ns > since;
        }
        psy_counters_release(snapshot);
    }
    cr_assert_eq(beating, 2u, "broker and workers; the client has not come");
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_counted_channel("inproc://beating", IN_FLIGHT, 10000, c.of_client, lanes);
    call(channel, &lanes[LANE_ALL], 1);
    char path[160];
    snprintf(path, sizeof path, "%s/client" PSY_COUNTERS_SUFFIX, c.folder);
    bool beats = false; /* once in a millisecond of polling: a call that is answered at once has none */
    for (int tries = 0; !beats && tries < 500; tries++) {
        psy_reply reply;
        uint32_t count;
        cr_assert_eq(psy_channel_poll(channel, &reply, 1, &count), PSY_EMPTY, "%s", psy_detail());
        psy_counters_snapshot *snapshot;
        cr_assert_eq(psy_counters_read(path, &snapshot), PSY_OK, "%s", psy_detail());
        beats = psy_counters_file_at(snapshot, 0)->beat_ns > since;
        psy_counters_release(snapshot);
        usleep(1000);
    }
    cr_assert(beats);
    psy_channel_close(channel);
    close_counted(&c);
}

Test(counting, a_service_is_named_after_its_address)
{
    static const char *const names[][2] = {
        {"ipc:///run/nearest.sock", "nearest"},
        {"inproc://words", "words"},
        {"ipc:///tmp/.sock", ".sock"},
        {"ipc:///run/a\nb\xff.sock", "a?b?"},
        {"ipc:///run/abcdefghijklmnopqrstuvwxyz.sock", "abcdefghijklmnopqrstuvwxyz"},
        {"ipc:///run/abcdefghijklmnopqrstuvwxyz0123", "abcdefghijklmnopqrstuvwxyz0"},
        {"ipc:///run/abcdefghijklmnopqrstuvwxyz\xc3\xa4", "abcdefghijklmnopqrstuvwxyz"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        psy__counting counting;
        psy__counting_init(&counting, NULL, names[i][0]);
        cr_assert_str_eq(counting.service, names[i][1]);
    }
}

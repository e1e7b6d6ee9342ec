/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's side: starting, its place in the service, and the memory of its clients. */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/module_file.h"
#include "tests/service/agents.h"

/* A start that fails binds nothing, and can be tried again. */
Test(worker, a_start_that_fails)
{
    service s = open_broker("inproc://start", 1, 16);
    psy_worker_options o = {.uri = s.uri, .module = &stand_in_module};
    psy_worker *w;
    cr_assert_eq(psy_worker_create(&o, &w), PSY_OK, "%s", psy_detail());
    for (int left = 0; left < 4; left++) {
        stand_in_binds_left = left;
        cr_assert_eq(psy_worker_start(w), PSY_INVALID);
        cr_assert(strstr(psy_detail(), "pipeline ") && strstr(psy_detail(), "binds no more programs"), "%s", psy_detail());
        cr_assert_eq(stand_in_bound, 0, "%d programs are left bound", stand_in_bound);
    }
    stand_in_binds_left = -1;
    cr_assert_eq(psy_worker_start(w), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_worker_start(w), PSY_INVALID);
    psy_worker_destroy(w);
    cr_assert_eq(stand_in_bound, 0);
    close_broker(&s);
}

/* A client whose memory a worker cannot take is told so and goes; nobody else is hurt. */
Test(worker, memory_that_it_cannot_take)
{
    service s = open_service("inproc://memory", 16, 16);
    psy_pipeline lanes[LANES];
    psy_channel *good = open_channel(s.uri, 4, 10000, lanes), *bad = NULL;
    psy_channel_options o = {.in_flight = 4, .call_timeout_ms = 10000};
    for (int tries = 0; tries < 500 && stand_in_attached != SHARDS * 4; tries++) {
        usleep(10000); /* both know the good one */
    }
    stand_in_refuses_memory = true;
    psy_status status = psy_channel_connect(s.uri, &o, &bad), statuses[3];
    uint64_t start = psy__now_ns();
    if (status == PSY_OK) { /* it may have come so far before the worker looked */
        psy_reply reply;
        psy_pipeline lane;
        question q = {.number = 1};
        status = psy_channel_open(bad, lane_names[LANE_ALL], &question_type, &answer_type, &lane);
        status = status == PSY_OK ? psy_channel_call(bad, &lane, &q, &reply) : status;
        cr_assert_neq(status, PSY_OK, "answered without memory");
    }
    cr_assert(status == PSY_PEER_DIED || status == PSY_CLOSED || status == PSY_LIMIT, "%s", psy_status_name(status));
    cr_assert_lt(psy__now_ns() - start, 5 * second_ns, "not at the deadline, but at once");
    if (bad) {
        uint32_t n;
        psy_reply reply;
        cr_assert_eq(psy_channel_poll(bad, &reply, 1, &n), PSY_CLOSED);
        cr_assert_not_null(strstr(psy_detail(), "memory"), "%s", psy_detail());
    }
    psy_channel_close(bad);
    stand_in_refuses_memory = false;
    for (uint32_t i = 0; i < 3; i++) {
        question q = {.number = i + 1, .key = i};
        cr_assert_eq(ask(good, &lanes[i], &q), PSY_OK);
    }
    cr_assert_eq(take_replies(good, 3, 5 * second_ns, statuses, NULL), 3u);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(statuses[i], PSY_OK, "%s", psy_status_name(statuses[i]));
    }
    psy_channel_close(good);
    close_service(&s);
    cr_assert_eq(stand_in_attached, 0);
}

/* A worker that comes in the place of another hears of more clients than fit into its link at once. */
Test(worker, a_new_one_for_many_clients)
{
    enum { MANY = 400, FILES = 20 * MANY };
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < FILES) {
        limit.rlim_cur = limit.rlim_max < FILES ? limit.rlim_max : FILES;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur < FILES) {
        cr_skip_test("fewer than 8000 open files are allowed");
    }
    holdings before = holdings_now();
    service s = {.shards = SHARDS, .uri = "inproc://many"};
    psy_broker_options o = {.uri = s.uri, .module = &stand_in_module, .shards = SHARDS, .clients = MANY + 8};
    cr_assert_eq(psy_broker_create(&o, &s.broker), PSY_OK, "%s", psy_detail());
    run_broker_of(&s);
    hire(&s, 0, 16);
    hire(&s, 1, 16);
    static psy_channel *channels[MANY];
    static psy_pipeline lanes[MANY][LANES];
    for (int i = 0; i < MANY; i++) {
        channels[i] = open_channel(s.uri, 1, 10000, lanes[i]);
    }
    for (int round = 0; round < 2; round++) {
        fire(&s, 1);
        hire(&s, 1, 16);
        psy_channel *last; /* those who come now wait until it is ready */
        psy_pipeline its[LANES];
        psy_channel_close(channels[0]);
        last = open_channel(s.uri, 1, 10000, its);
        channels[0] = last;
        memcpy(lanes[0], its, sizeof its);
        for (int i = 0; i < MANY; i++) {
            question q = {.number = 1, .key = (uint64_t)i};
            uint64_t right = digest(&q);
            psy_status status;
            cr_assert_eq(ask(channels[i], &lanes[i][LANE_ALL], &q), PSY_OK);
            cr_assert_eq(take_replies(channels[i], 1, 5 * second_ns, &status, &right), 1u);
            cr_assert_eq(status, PSY_OK, "client %d: %s", i, psy_status_name(status));
        }
    }
    for (int i = 0; i < MANY; i++) {
        psy_channel_close(channels[i]);
    }
    close_service(&s);
    nothing_leaked(getpid(), before);
}

static uint32_t work_of_broker(void *broker) { return psy_broker_do_work(broker); }

/* It reports each program as it starts, and nobody reads meanwhile: what its link has no room for is told later. */
Test(worker, many_programs_while_the_broker_does_not_read)
{
    enum { MODULES = 250 };
    static psy_module modules[MODULES];
    static psy_program programs[MODULES];
    static char names[MODULES][8];
    for (uint32_t i = 0; i < MODULES; i++) {
        modules[i] = stand_in_module;
        modules[i].decoded.hash += i;
        snprintf(names[i], sizeof names[i], "p%u", i);
        programs[i] = (psy_program){.module = &modules[i], .name = names[i]};
    }
    psy_broker *broker;
    psy_worker *worker;
    psy_broker_options o = {
        .uri = "inproc://many-programs", .programs = programs, .program_count = MODULES, .shards = 1, .in_flight = 16};
    cr_assert_eq(psy_broker_create(&o, &broker), PSY_OK, "%s", psy_detail());
    const psy_agent agent = {.work = work_of_broker, .context = broker};
    psy_worker_options of_worker = {.uri = o.uri, .programs = programs, .program_count = MODULES, .agent = agent};
    cr_assert_eq(psy_worker_create(&of_worker, &worker), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_worker_start(worker), PSY_OK, "%s", psy_detail());
    psy_broker_health health = {.ready = false};
    for (uint64_t end = psy__now_ns() + 20 * second_ns; !health.ready && psy__now_ns() < end;) {
        (void)psy_broker_do_work(broker);
        (void)psy_worker_do_work(worker);
        psy_broker_get_health(broker, &health);
    }
    cr_assert(health.ready && psy_worker_status(worker) == PSY_OK, "%s", psy_detail());
    psy_worker_counts counts;
    psy_worker_get_counts(worker, &counts);
    cr_assert_eq(counts.programs, (uint64_t)MODULES);
    psy_worker_destroy(worker);
    psy_broker_destroy(broker);
    cr_assert_eq(stand_in_bound, 0);
}

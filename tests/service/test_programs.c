/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of a service: how they are named, and how they come and go while workers do the same. */
#define _GNU_SOURCE
#include <unistd.h>

#include "base/clock.h"
#include "tests/service/served.h"

static psy_status open_as(psy_channel *channel, const char *name, const psy_type *reply)
{
    psy_pipeline out;
    return psy_channel_open(channel, name, programs_ask_type(), reply, &out);
}

/* ---- names ---- */

Test(programs, are_opened_by_name_and_version)
{
    psy_module *one = open_program(PROGRAM_FILE("v1")), *two = open_program(PROGRAM_FILE("v2")),
               *large = open_program(PROGRAM_FILE("large"));
    psy_program programs[] = {{.module = one, .name = "numbers", .version = 1},
                              {.module = two, .name = "numbers", .version = 7},
                              {.module = two, .name = "others"},
                              {.module = large, .name = "large-1_x", .version = 4000000000}};
    served s;
    served_open(&s, &(psy_broker_options){.uri = "inproc://names", .shards = 2, .programs = programs, .program_count = 4});
    psy_module_close(one); /* the broker holds what it needs */
    psy_module_close(two);
    psy_module_close(large);
    served_run(&s);
    psy_channel *channel = served_connect(&s, 4);
    static const struct {
        const char *as;
        uint32_t version;
    } good[] = {
        {"numbers/total", 2}, {"numbers@1/total", 1}, {"numbers@7/total", 2}, {"others/total", 2}, {"others@1/total", 2}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        psy_pipeline lane = served_pipeline(channel, good[i].as), again = served_pipeline(channel, good[i].as);
        cr_assert_eq(served_version(channel, &lane, "total", 3 + i), good[i].version, "%s", good[i].as);
        cr_assert_eq(lane.id, again.id, "%s", good[i].as);
    }
    static const struct {
        const char *as, *says;
    } bad[] = {{"total", "more than one program has a pipeline `total`: open "},
               {"total", "numbers/total"},
               {"total", "others/total"},
               {"nothing", "no pipeline `nothing` here; there is: "},
               {"nothing", "others/plain"},
               {"nobody/total", "no program nobody here"},
               {"numbers@2/total", "no program numbers@2 here"},
               {"numbers/nothing", "no pipeline `nothing` in program numbers@7; there is: total, one, plain"},
               {"/total", "names no pipeline"},
               {"numbers@/total", "names no pipeline"},
               {"numbers@0/total", "names no pipeline"},
               {"numbers@1x/total", "names no pipeline"},
               {"numbers@99999999999999999999/total", "names no pipeline"},
               {"numbers@4294967296/total", "names no pipeline"},
               {"@1/total", "names no pipeline"},
               {"numbers/numbers/total", "no pipeline `numbers/total`"},
               {"a-name-that-is-longer-than-any-program-can-have-a-name-0123456789/total", "names no pipeline"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_eq(open_as(channel, bad[i].as, programs_answer_type()), PSY_NOT_FOUND, "%s: %s", bad[i].as, psy_detail());
        cr_assert_not_null(strstr(psy_detail(), bad[i].says), "%s: %s", bad[i].as, psy_detail());
    }
    cr_assert_eq(open_as(channel, "numbers/total", programs_changed_type()), PSY_LAYOUT, "%s", psy_detail());
    psy_pipeline pipeline;
    cr_assert_eq(psy_channel_open(channel, "large", programs_large_type(), programs_answer_type(), &pipeline), PSY_OK, "%s",
                 psy_detail()); /* only one has it */
    psy_channel_close(channel);
    served_close(&s);
}

Test(programs, that_cannot_be_served)
{
    psy_module *one = open_program(PROGRAM_FILE("v1")), *two = open_program(PROGRAM_FILE("v2")),
               *large = open_program(PROGRAM_FILE("large"));
    served s;
    uint64_t ticket = 0;
    served_open(&s, &(psy_broker_options){.uri = "inproc://cannot", .shards = 1, .module = one});
    cr_assert_eq(served_add(&s, NULL, "x", 1, false, &ticket), PSY_INVALID);
    static const char *const names[] = {
        "", "A", "a b", "a/b", "a@b", "\xc3\xa4", "a-name-that-is-longer-than-any-program-can-have-a-name-012345678"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cr_assert_eq(served_add(&s, two, names[i], 1, false, &ticket), PSY_INVALID, "%s", names[i]);
    }
    cr_assert_eq(served_add(&s, two, NULL, 1, false, &ticket), PSY_INVALID, "main@1 is another");
    cr_assert_not_null(strstr(psy_detail(), "program main@1 has another module"), "%s", psy_detail());
    cr_assert_eq(served_add(&s, large, "large", 1, false, &ticket), PSY_TOO_LARGE);
    cr_assert_not_null(strstr(psy_detail(), "max_request_bytes"), "%s", psy_detail());
    cr_assert_eq(served_status(&s, ticket), PSY_NOT_FOUND);
    cr_assert_eq(served_remove(&s, "nobody", 0), PSY_NOT_FOUND);
    cr_assert_eq(served_remove(&s, "main", 2), PSY_NOT_FOUND);

    /* What is there is added to no effect; the next version is found. */
    cr_assert_eq(served_add(&s, one, "main", 1, false, &ticket), PSY_OK, "%s", psy_detail());
    cr_assert_eq(served_status(&s, ticket), PSY_OK);
    cr_assert_eq(served_counts(&s).programs, 1u);
    served_close(&s);

    psy_broker *broker;
    psy_broker_options o = {.uri = "inproc://cannot", .program_count = 1};
    cr_assert_eq(psy_broker_create(&o, &broker), PSY_INVALID);
    o.programs = &(psy_program){.name = "x"};
    cr_assert_eq(psy_broker_create(&o, &broker), PSY_INVALID);
    o.programs = &(psy_program){.module = one, .name = "X"};
    cr_assert_eq(psy_broker_create(&o, &broker), PSY_INVALID);
    o = (psy_broker_options){.uri = "inproc://cannot", .max_reply_bytes = UINT32_MAX};
    cr_assert_eq(psy_broker_create(&o, &broker), PSY_TOO_LARGE);
    psy_module_close(one);
    psy_module_close(two);
    psy_module_close(large);
}

/* Room for what comes later is asked for at the beginning. */
Test(programs, larger_than_the_first_ones)
{
    psy_module *one = open_program(PROGRAM_FILE("v1")), *large = open_program(PROGRAM_FILE("large"));
    served s;
    uint64_t ticket;
    served_open(&s, &(psy_broker_options){.uri = "inproc://larger", .shards = 2, .module = one, .max_request_bytes = 8000});
    served_run(&s);
    cr_assert_eq(served_add(&s, large, "large", 0, false, &ticket), PSY_OK, "%s", psy_detail());
    cr_assert_eq(served_await(&s, ticket), PSY_OK, "%s", psy_detail());
    psy_channel *channel = served_connect(&s, 1);
    psy_pipeline lane;
    psy_reply reply;
    static programs_large message;
    programs_large_init(&message);
    float sum = 0;
    for (int i = 0; i < 1024; i++) {
        sum += message.values[i] = (float)(i % 13);
    }
    cr_assert_eq(psy_channel_open(channel, "large@1/large", programs_large_type(), programs_answer_type(), &lane), PSY_OK, "%s",
                 psy_detail());
    cr_assert_eq(psy_channel_call(channel, &lane, &message, &reply), PSY_OK, "%s", psy_detail());
    cr_assert_eq(programs_answer_value((const programs_answer *)reply.message), sum);
    psy_channel_close(channel);
    served_close(&s);
    psy_module_close(one);
    psy_module_close(large);
}

/* A service that begins with nothing. */
Test(programs, all_come_later)
{
    psy_module *two = open_program(PROGRAM_FILE("v2"));
    served s;
    uint64_t ticket;
    served_open(&s, &(psy_broker_options){.uri = "inproc://nothing",
                                          .shards = 1,
                                          .max_request_bytes = 128,
                                          .max_reply_bytes = 128,
                                          .max_partial_bytes = 128});
    cr_assert_eq(served_add(&s, two, "main", 0, false, &ticket), PSY_OK, "%s", psy_detail());
    usleep(20000);
    cr_assert_eq(served_status(&s, ticket), PSY_EMPTY, "no worker has seen it");
    served_run(&s); /* it is given the program, and so its data can be loaded */
    cr_assert_eq(served_await(&s, ticket), PSY_OK, "%s", psy_detail());
    psy_channel *channel = served_connect(&s, 1);
    psy_pipeline lane = served_pipeline(channel, "total");
    cr_assert_eq(served_version(channel, &lane, "total", 1), 2u);
    cr_assert_eq(served_remove(&s, "main", 0), PSY_OK);
    cr_assert_eq(served_call(channel, &lane, 1), PSY_NOT_FOUND);
    cr_assert_eq(served_call(channel, &lane, 2), PSY_NOT_FOUND);
    psy_channel_close(channel);
    served_close(&s);
    psy_module_close(two);
}

/* ---- data ---- */

/* Programs that do not fit to what the workers have are refused as a whole; nothing else changes. */
Test(programs, that_do_not_fit_the_data)
{
    static const struct {
        const char *file, *says;
    } cases[] = {{PROGRAM_FILE("misfit"), "resident rows: a size is 4, the module says 5"},
                 {PROGRAM_FILE("missing"), "resident nowhere was not loaded"}};
    psy_module *one = open_program(PROGRAM_FILE("v1"));
    served s;
    served_open(&s, &(psy_broker_options){.uri = "inproc://misfits", .shards = 2, .module = one});
    served_run(&s);
    psy_channel *channel = served_connect(&s, 1);
    psy_pipeline lane = served_pipeline(channel, "total");
    for (size_t i = 0; i < 2; i++) {
        psy_module *module = open_program(cases[i].file);
        uint64_t ticket;
        cr_assert_eq(served_add(&s, module, "main", 2, true, &ticket), PSY_OK, "%s", psy_detail());
        cr_assert_eq(served_await(&s, ticket), PSY_INVALID, "%s", psy_detail());
        cr_assert_not_null(strstr(psy_detail(), cases[i].says), "%s", psy_detail());
        cr_assert_not_null(strstr(psy_detail(), "shard "), "%s", psy_detail());
        cr_assert_eq(served_version(channel, &lane, "total", i), 1u);
        cr_assert_eq(served_counts(&s).programs_refused, i + 1);
        cr_assert_eq(served_counts(&s).programs, 1u);
        psy_module_close(module);
    }
    psy_channel_close(channel);
    served_close(&s);
    psy_module_close(one);
}

/* Two that declare the same data in different ways cannot be served together from the start. */
Test(programs, that_disagree_about_the_data)
{
    psy_module *one = open_program(PROGRAM_FILE("v1")), *misfit = open_program(PROGRAM_FILE("misfit"));
    psy_program programs[] = {{.module = one, .name = "a"}, {.module = misfit, .name = "b"}};
    served s;
    served_open(&s, &(psy_broker_options){.uri = "inproc://disagree", .shards = 1, .programs = programs, .program_count = 2});
    psy_worker *w;
    cr_assert_eq(psy_worker_create(&(psy_worker_options){.uri = s.uri, .engine = "cpu"}, &w), PSY_OK, "%s", psy_detail());
    psy_rows rows = {.resident = "rows",
                     .rank = 2,
                     .dims = {SERVED_ROWS, SERVED_DIM},
                     .fill = (psy_status(*)(void *, uint64_t, void *))abort};
    cr_assert_eq(psy_worker_load(w, &rows), PSY_INVALID, "%s", psy_detail());
    cr_assert_not_null(strstr(psy_detail(), "the module says 5"), "%s", psy_detail());
    psy_worker_destroy(w);
    served_close(&s);
    psy_module_close(one);
    psy_module_close(misfit);
}

/* ---- workers that come and go meanwhile ---- */

/* One that does not look is waited for, and no longer when it dies. */
Test(staging, waits_for_every_worker_that_lives)
{
    psy_module *one = open_program(PROGRAM_FILE("v1")), *two = open_program(PROGRAM_FILE("v2"));
    served s;
    uint64_t ticket;
    served_open(&s, &(psy_broker_options){.uri = "inproc://waits", .shards = 2, .module = one});
    served_run(&s);
    psy_channel *channel = served_connect(&s, 1);
    psy_pipeline lane = served_pipeline(channel, "total");
    cr_assert_eq(served_version(channel, &lane, "total", 1), 1u);
    served_halt(&s, 1);
    cr_assert_eq(served_add(&s, two, NULL, 0, true, &ticket), PSY_OK, "%s", psy_detail());
    usleep(60000);
    cr_assert_eq(served_status(&s, ticket), PSY_EMPTY, "%s", psy_detail());
    served_kill(&s, 1); /* it dies half way */
    cr_assert_eq(served_await(&s, ticket), PSY_OK, "%s", psy_detail());
    cr_assert_eq(served_call(channel, &lane, 2), PSY_PEER_DIED, "one of two shards is gone");
    served_load(&s, 1); /* another one is given the new version only */
    served_start(&s, 1);
    psy_status status = PSY_PEER_DIED;
    for (int tries = 0; tries < 1000 && status == PSY_PEER_DIED; tries++) {
        status = served_call(channel, &lane, 3);
        usleep(status == PSY_OK ? 0 : 2000);
    }
    cr_assert_eq(served_version(channel, &lane, "total", 4), 2u);
    psy_channel_close(channel);
    served_close(&s);
    psy_module_close(one);
    psy_module_close(two);
}

/* A worker that is still at its data has to take it too, and so has one that comes later. */
Test(staging, a_worker_that_joins_meanwhile)
{
    psy_module *one = open_program(PROGRAM_FILE("v1")), *two = open_program(PROGRAM_FILE("v2"));
    served s;
    uint64_t before, meanwhile;
    served_open(&s, &(psy_broker_options){.uri = "inproc://joins", .shards = 2, .module = one});
    served_load(&s, 0);
    served_start(&s, 0);
    cr_assert_eq(served_add(&s, two, "before", 0, false, &before), PSY_OK, "%s", psy_detail());
    cr_assert_eq(served_await(&s, before), PSY_OK, "%s", psy_detail());
    served_load(&s, 1);
    cr_assert_eq(served_add(&s, two, NULL, 2, true, &meanwhile), PSY_OK, "%s", psy_detail());
    cr_assert_eq(served_await(&s, meanwhile), PSY_OK, "the module is there already: only the name is new");
    psy_module *three = open_program(PROGRAM_FILE("v3"));
    cr_assert_eq(served_add(&s, three, NULL, 3, true, &meanwhile), PSY_OK, "%s", psy_detail());
    usleep(30000);
    cr_assert_eq(served_status(&s, meanwhile), PSY_EMPTY);
    served_start(&s, 1);
    cr_assert_eq(served_await(&s, meanwhile), PSY_OK, "%s", psy_detail());
    psy_channel *channel = served_connect(&s, 1);
    psy_pipeline old = served_pipeline(channel, "before/total"), new = served_pipeline(channel, "main/total");
    cr_assert_eq(served_version(channel, &old, "total", 1), 2u);
    cr_assert_eq(served_version(channel, &new, "total", 1), 3u);
    psy_channel_close(channel);
    served_close(&s);
    psy_module_close(one);
    psy_module_close(two);
    psy_module_close(three);
}

/* Several at once, one of them bad, one taken back: each has its own end. */
Test(staging, several_at_once)
{
    psy_module *one = open_program(PROGRAM_FILE("v1")), *two = open_program(PROGRAM_FILE("v2")),
               *three = open_program(PROGRAM_FILE("v3")), *misfit = open_program(PROGRAM_FILE("misfit")),
               *changed = open_program(PROGRAM_FILE("changed"));
    served s;
    uint64_t tickets[4];
    served_open(&s, &(psy_broker_options){.uri = "inproc://several", .shards = 2, .module = one});
    served_run(&s);
    s.slow_us[1] = 3000;
    psy_channel *channel = served_connect(&s, 1);
    psy_pipeline lane = served_pipeline(channel, "main/total");
    cr_assert_eq(served_add(&s, two, NULL, 2, true, &tickets[0]), PSY_OK, "%s", psy_detail());
    cr_assert_eq(served_add(&s, misfit, "bad", 1, false, &tickets[1]), PSY_OK, "%s", psy_detail());
    cr_assert_eq(served_add(&s, three, NULL, 3, true, &tickets[2]), PSY_OK, "%s", psy_detail());
    pthread_mutex_lock(&s.mutex);
    psy_program program = {.module = changed, .name = "back"};
    cr_assert_eq(psy_broker_add_program(s.broker, &program, &tickets[3]), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_broker_remove_program(s.broker, "back", 1), PSY_OK, "%s", psy_detail());
    pthread_mutex_unlock(&s.mutex);
    cr_assert_eq(served_await(&s, tickets[2]), PSY_OK, "%s", psy_detail());
    cr_assert_eq(served_await(&s, tickets[1]), PSY_INVALID, "%s", psy_detail());
    cr_assert_eq(served_await(&s, tickets[3]), PSY_NOT_FOUND, "%s", psy_detail());
    cr_assert_eq(served_await(&s, tickets[0]), PSY_NOT_FOUND, "the third took its place");
    cr_assert_eq(served_version(channel, &lane, "total", 5), 3u);
    cr_assert_eq(served_counts(&s).programs, 1u);
    psy_channel_close(channel);
    served_close(&s);
    psy_module *all[] = {one, two, three, misfit, changed};
    for (int i = 0; i < 5; i++) {
        psy_module_close(all[i]);
    }
}

/* ---- routes ---- */

/* Another layout ends the routes of the newest version, not those that name one; opening again helps. */
Test(routes, follow_the_newest_version_of_the_same_layout)
{
    psy_module *one = open_program(PROGRAM_FILE("v1")), *two = open_program(PROGRAM_FILE("v2")),
               *changed = open_program(PROGRAM_FILE("changed"));
    served s;
    uint64_t ticket;
    served_open(&s, &(psy_broker_options){.uri = "inproc://routes", .shards = 2, .module = one});
    served_run(&s);
    psy_channel *channel = served_connect(&s, 1);
    psy_pipeline newest = served_pipeline(channel, "total"), first = served_pipeline(channel, "main@1/total"),
                 plain = served_pipeline(channel, "main/plain"), now;
    cr_assert_eq(served_add(&s, two, NULL, 0, false, &ticket), PSY_OK, "%s", psy_detail());
    cr_assert_eq(served_await(&s, ticket), PSY_OK, "%s", psy_detail());
    cr_assert_eq(served_version(channel, &newest, "total", 1), 2u);
    cr_assert_eq(served_version(channel, &plain, "plain", 1), 2u);
    cr_assert_eq(served_version(channel, &first, "total", 1), 1u, "both are served until one is removed");
    cr_assert_eq(served_add(&s, changed, NULL, 3, false, &ticket), PSY_OK, "%s", psy_detail());
    cr_assert_eq(served_await(&s, ticket), PSY_OK, "%s", psy_detail());
    cr_assert_eq(served_call(channel, &newest, 2), PSY_LAYOUT);
    cr_assert_eq(served_call(channel, &plain, 2), PSY_NOT_FOUND, "it has no such pipeline");
    cr_assert_eq(served_version(channel, &first, "total", 1), 1u);
    cr_assert_eq(open_as(channel, "total", programs_answer_type()), PSY_LAYOUT, "%s", psy_detail());
    cr_assert_eq(psy_channel_open(channel, "total", programs_ask_type(), programs_changed_type(), &now), PSY_OK, "%s",
                 psy_detail());
    cr_assert_eq(served_call(channel, &now, 2), PSY_OK);
    cr_assert_neq(now.id, newest.id);

    cr_assert_eq(served_remove(&s, "main", 3), PSY_OK); /* back to the second */
    cr_assert_eq(served_call(channel, &now, 2), PSY_LAYOUT);
    cr_assert_eq(served_version(channel, &newest, "total", 1), 2u);
    cr_assert_eq(served_version(channel, &plain, "plain", 1), 2u);
    cr_assert_eq(served_remove(&s, "main", 1), PSY_OK);
    cr_assert_eq(served_call(channel, &first, 2), PSY_NOT_FOUND);
    cr_assert_eq(served_version(channel, &newest, "total", 1), 2u);
    psy_channel_close(channel);
    served_close(&s);
    psy_module_close(one);
    psy_module_close(two);
    psy_module_close(changed);
}

/* However often a client opens, there is a limit, and it is told. */
Test(routes, are_limited)
{
    psy_module *modules[2] = {open_program(PROGRAM_FILE("v1")), open_program(PROGRAM_FILE("v3"))};
    served s;
    uint64_t ticket;
    served_open(&s, &(psy_broker_options){.uri = "inproc://limited", .shards = 1, .module = modules[0]});
    served_run(&s);
    psy_channel *channel = served_connect(&s, 1);
    psy_status status = PSY_OK;
    uint32_t opened = 0;
    for (uint32_t version = 2; status == PSY_OK && version < 2000; version++) {
        char names[3][40];
        cr_assert_eq(served_add(&s, modules[version % 2], NULL, version, true, &ticket), PSY_OK, "%s", psy_detail());
        cr_assert_eq(served_await(&s, ticket), PSY_OK, "%s", psy_detail());
        snprintf(names[0], sizeof names[0], "main@%u/total", version);
        snprintf(names[1], sizeof names[1], "main@%u/one", version);
        snprintf(names[2], sizeof names[2], "main@%u/plain", version);
        for (int i = 0; status == PSY_OK && i < 3; i++) {
            status = open_as(channel, names[i], programs_answer_type());
            opened += status == PSY_OK;
        }
    }
    cr_assert_eq(status, PSY_LIMIT, "%s", psy_detail());
    cr_assert_eq(opened, 1024u);
    cr_assert_not_null(strstr(psy_detail(), "connect anew"), "%s", psy_detail());
    psy_channel_close(channel);
    served_close(&s);
    psy_module_close(modules[0]);
    psy_module_close(modules[1]);
}

/* ---- what workers say of it ---- */

typedef struct heard {
    _Atomic uint32_t bound, refused;
    _Atomic bool wrong;
} heard;

static void listen_to(void *context, psy_log_level level, const char *event, const psy_log_field *fields, uint32_t count)
{
    heard *h = context;
    if (strncmp(event, "program.", 8) != 0) {
        return;
    }
    bool bound = strcmp(event, "program.bound") == 0, took = false, reason = false;
    for (uint32_t i = 0; i < count; i++) {
        took = took || strcmp(fields[i].key, "took_us") == 0;
        reason = reason || (strcmp(fields[i].key, "reason") == 0 && strstr(fields[i].text, "nowhere"));
    }
    h->bound += bound;
    h->refused += !bound;
    h->wrong = h->wrong || !took || reason == bound || level != (bound ? PSY_LOG_INFO : PSY_LOG_WARNING);
}

typedef struct noted {
    uint32_t served, refused, removed;
    bool wrong;
} noted;

static void note(void *context, psy_log_level level, const char *event, const psy_log_field *fields, uint32_t count)
{
    noted *n = context;
    bool refused = strcmp(event, "program.refused") == 0, begins = strcmp(event, "program.served") == 0,
         removed = strcmp(event, "program.removed") == 0;
    n->served += begins;
    n->refused += refused;
    n->removed += removed;
    if (begins || refused || removed) {
        n->wrong = n->wrong || count != (refused ? 3u : 2u) || strcmp(fields[0].key, "program") != 0 ||
                   strcmp(fields[0].text, "main") != 0 || strcmp(fields[1].key, "version") != 0 ||
                   level != (refused ? PSY_LOG_WARNING : PSY_LOG_INFO) ||
                   (refused && (fields[1].number != 3 || !strstr(fields[2].text, "nowhere")));
    }
}

Test(staging, is_told_to_the_operator)
{
    psy_module *one = open_program(PROGRAM_FILE("v1")), *two = open_program(PROGRAM_FILE("v2")),
               *missing = open_program(PROGRAM_FILE("missing"));
    heard h = {0};
    psy_log log = {.write = listen_to, .context = &h, .least = PSY_LOG_INFO};
    noted n = {0};
    psy_log brokers = {.write = note, .context = &n, .least = PSY_LOG_INFO};
    served s;
    uint64_t tickets[2];
    served_open(&s, &(psy_broker_options){.uri = "inproc://told", .shards = 2, .module = one, .log = &brokers});
    s.log = &log;
    served_run(&s);
    cr_assert_eq(served_add(&s, two, NULL, 2, false, &tickets[0]), PSY_OK);
    cr_assert_eq(served_await(&s, tickets[0]), PSY_OK, "%s", psy_detail());
    cr_assert_eq(served_add(&s, missing, NULL, 3, false, &tickets[1]), PSY_OK);
    cr_assert_eq(served_await(&s, tickets[1]), PSY_INVALID, "%s", psy_detail());
    cr_assert_eq(served_remove(&s, "main", 1), PSY_OK);
    served_close(&s);
    cr_assert_eq(n.served, 2u);
    cr_assert_eq(n.refused, 1u);
    cr_assert_eq(n.removed, 1u);
    cr_assert(!n.wrong);
    cr_assert_eq(h.bound, 4u);
    cr_assert(h.refused >= 1 && h.refused <= 2, "%u", h.refused);
    cr_assert(!h.wrong);
    psy_module_close(one);
    psy_module_close(two);
    psy_module_close(missing);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that clients send: who may, within which limits, for whom, and until when. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/siphash.h"
#include "isa/module.h"
#include "service/channel_state.h"
#include "service/module_file.h"
#include "tests/service/served.h"

typedef struct bytes {
    uint8_t *at;
    size_t n;
} bytes;

static bytes read_file(const char *path)
{
    bytes b = {.at = malloc(1 << 20)};
    FILE *f = fopen(path, "rb");
    cr_assert_not_null(f, "%s", path);
    b.n = fread(b.at, 1, 1 << 20, f);
    cr_assert(b.n > 0 && b.n < 1 << 20);
    fclose(f);
    return b;
}

typedef struct market {
    served s;
    psy_module *one;
    bytes three;
} market;

static void open_market(market *m, const char *uri, psy_broker_options o)
{
    m->one = open_program(PROGRAM_FILE("v1"));
    m->three = read_file(PROGRAM_FILE("v3"));
    o.uri = uri;
    o.module = m->one;
    o.shards = 2;
    served_open(&m->s, &o);
    served_run(&m->s);
}

static void close_market(market *m)
{
    served_close(&m->s);
    psy_module_close(m->one);
    free(m->three.at);
}

static psy_status send(psy_channel *channel, bytes b, const char *name, uint32_t *version)
{
    return psy_channel_send_program(channel, b.at, b.n, name, version);
}

static void wait_for_programs(served *s, uint32_t n)
{
    for (int tries = 0; tries < 1000 && served_counts(s).programs != n; tries++) {
        usleep(5000);
    }
    cr_assert_eq(served_counts(s).programs, n);
}

static psy_status open_as(psy_channel *channel, const char *name, psy_pipeline *out)
{
    return psy_channel_open(channel, name, programs_ask_type(), programs_answer_type(), out);
}

Test(client_programs, are_denied_unless_allowed)
{
    market m;
    open_market(&m, "inproc://denied", (psy_broker_options){0});
    psy_channel *channel = served_connect(&m.s, 1);
    uint32_t version = 77;
    cr_assert_eq(send(channel, m.three, "mine", &version), PSY_DENIED);
    cr_assert_not_null(strstr(psy_detail(), "client_programs"), "%s", psy_detail());
    cr_assert_eq(version, 77u);
    psy_pipeline lane = served_pipeline(channel, "total"); /* the channel goes on */
    cr_assert_eq(served_version(channel, &lane, "total", 3), 1u);
    cr_assert_eq(served_counts(&m.s).programs_refused, 1u);
    psy_channel_close(channel);
    close_market(&m);
}

static void own_program(const char *uri)
{
    market m;
    open_market(&m, uri, (psy_broker_options){.client_programs = 2});
    psy_channel *mine = served_connect(&m.s, 1), *other = served_connect(&m.s, 1);
    psy_pipeline lane, service = served_pipeline(mine, "main/total");
    uint32_t version = 0;
    cr_assert_eq(send(mine, m.three, "mine", &version), PSY_OK, "%s", psy_detail());
    cr_assert_eq(version, 1u);
    lane = served_pipeline(mine, "mine/total");
    cr_assert_eq(served_version(mine, &lane, "total", 3), 3u, "over the service's data");
    psy_pipeline one = served_pipeline(mine, "mine@1/one");
    cr_assert_eq(served_version(mine, &one, "one", 17), 3u);
    cr_assert_eq(open_as(mine, "total", &lane), PSY_NOT_FOUND, "the service has one of that name too");
    cr_assert_not_null(strstr(psy_detail(), "mine/total"), "%s", psy_detail());

    /* Nobody else sees it, nor is disturbed by its name. */
    cr_assert_eq(open_as(other, "mine/total", &lane), PSY_NOT_FOUND);
    cr_assert_null(strstr(psy_detail(), "mine@"), "%s", psy_detail());
    lane = served_pipeline(other, "total");
    cr_assert_eq(served_version(other, &lane, "total", 4), 1u);

    /* Under the name of a program of the service: it is the client's own that it opens from here on. */
    cr_assert_eq(send(mine, m.three, "main", &version), PSY_OK, "%s", psy_detail());
    lane = served_pipeline(mine, "main/total");
    cr_assert_eq(served_version(mine, &lane, "total", 4), 3u);
    cr_assert_eq(served_version(mine, &service, "total", 4), 1u, "what was open before stays what it was");
    lane = served_pipeline(other, "main/total");
    cr_assert_eq(served_version(other, &lane, "total", 4), 1u);
    cr_assert_eq(send(mine, m.three, "third", &version), PSY_LIMIT);
    cr_assert_not_null(strstr(psy_detail(), "its 2 programs"), "%s", psy_detail());

    /* Another one under the same name takes its place. */
    bytes changed = read_file(PROGRAM_FILE("changed"));
    lane = served_pipeline(mine, "mine/total");
    cr_assert_eq(send(mine, changed, "mine", &version), PSY_OK, "%s", psy_detail());
    cr_assert_eq(version, 2u);
    cr_assert_eq(served_call(mine, &lane, 5), PSY_LAYOUT);
    cr_assert_eq(served_call(mine, &one, 17), PSY_NOT_FOUND);
    free(changed.at);
    psy_channel_close(mine);
    wait_for_programs(&m.s, 1);
    cr_assert_eq(open_as(other, "mine/total", &lane), PSY_NOT_FOUND);
    psy_channel_close(other);
    close_market(&m);
}

Test(client_programs, are_their_own_between_threads) { own_program("inproc://own"); }

Test(client_programs, are_their_own_over_a_socket)
{
    char uri[128];
    const char *folder = getenv("TMPDIR");
    snprintf(uri, sizeof uri, "ipc://%.60s/psyne-own-%d", folder ? folder : "/tmp", getpid());
    own_program(uri);
}

/* What a client may not send, and what it is told. */
Test(client_programs, that_are_refused)
{
    market m;
    open_market(&m, "inproc://refused", (psy_broker_options){.client_programs = 1, .client_program_bytes = 40000});
    psy_channel *channel = served_connect(&m.s, 1);
    psy_pipeline lane = served_pipeline(channel, "total");
    bytes native = read_file(PROGRAM_FILE("v2")), missing = read_file(PROGRAM_FILE("missing")),
          large = read_file(PROGRAM_FILE("large")), changed = {.at = malloc(m.three.n), .n = m.three.n},
          much = {.at = calloc(1, 40001), .n = 40001};
    psy_module *module;
    cr_assert_eq(psy_module_open(PROGRAM_FILE("v2"), &module), PSY_OK);
    bool has_native = psy__module_has_native(module);
    psy_module_close(module);
    cr_assert_eq(send(channel, native, "mine", NULL), has_native ? PSY_DENIED : PSY_OK, "%s", psy_detail());
    cr_assert(!has_native || strstr(psy_detail(), "--no-kernels"), "%s", psy_detail());
    cr_assert_eq(send(channel, missing, "mine", NULL), PSY_INVALID, "%s", psy_detail());
    cr_assert_not_null(strstr(psy_detail(), "resident nowhere was not loaded"), "%s", psy_detail());
    cr_assert_eq(send(channel, much, "mine", NULL), PSY_TOO_LARGE);
    cr_assert_not_null(strstr(psy_detail(), "40000"), "%s", psy_detail());
    psy_status status = send(channel, large, "mine", NULL);
    cr_assert(status == PSY_TOO_LARGE || status == PSY_DENIED, "%s", psy_detail());
    cr_assert_eq(send(channel, m.three, "Mine", NULL), PSY_INVALID, "%s", psy_detail());
    cr_assert_eq(send(channel, m.three, "", NULL), PSY_INVALID, "%s", psy_detail());
    cr_assert_eq(psy_channel_send_program(channel, m.three.at, 0, "mine", NULL), PSY_INVALID);
    cr_assert_eq(psy_channel_send_program(channel, NULL, 1, "mine", NULL), PSY_INVALID);
    cr_assert_eq(psy_channel_send_program(NULL, m.three.at, 1, "mine", NULL), PSY_INVALID);

    /* Hostile ones: cut off, or with some bytes another. */
    for (size_t i = 0; i < m.three.n; i += 1 + m.three.n / 60) {
        memcpy(changed.at, m.three.at, m.three.n);
        changed.n = i ? i : 1;
        status = send(channel, changed, "mine", NULL);
        cr_assert(status == PSY_CORRUPT, "cut off at %zu: %s", i, psy_detail());
        changed.n = m.three.n;
        changed.at[i] ^= (uint8_t)(1u << i % 8);
        status = send(channel, changed, "mine", NULL);
        cr_assert(status == PSY_CORRUPT || status == PSY_VERSION, "byte %zu: %s", i, psy_detail());
    }
    cr_assert_eq(served_version(channel, &lane, "total", 8), 1u, "the service goes on");
    cr_assert_eq(send(channel, m.three, "mine", NULL), PSY_OK, "%s", psy_detail());
    uint8_t *all[] = {native.at, missing.at, large.at, changed.at, much.at};
    for (int i = 0; i < 5; i++) {
        free(all[i]);
    }
    psy_channel_close(channel);
    close_market(&m);
}

/* Memory and work for each message are limited, and that of operators' programs is not. */
Test(client_programs, are_held_to_limits)
{
    static const struct {
        psy_broker_options options;
        const char *says;
    } cases[] = {{{.client_programs = 1, .client_work = 100}, "100"}, {{.client_programs = 1, .client_arena_bytes = 64}, "64"}};
    for (size_t i = 0; i < 2; i++) {
        market m;
        uint64_t ticket;
        open_market(&m, "inproc://limits", cases[i].options);
        psy_channel *channel = served_connect(&m.s, 1);
        cr_assert_eq(send(channel, m.three, "mine", NULL), PSY_TOO_LARGE, "%s", psy_detail());
        cr_assert_not_null(strstr(psy_detail(), cases[i].says), "%s", psy_detail());
        psy_module *three = open_program(PROGRAM_FILE("v3"));
        cr_assert_eq(served_add(&m.s, three, "operators", 1, false, &ticket), PSY_OK, "%s", psy_detail());
        cr_assert_eq(served_await(&m.s, ticket), PSY_OK, "%s", psy_detail());
        cr_assert_eq(send(channel, m.three, "mine", NULL), PSY_TOO_LARGE, "the operator's does not help the client: %s",
                     psy_detail());
        psy_module_close(three);
        psy_channel_close(channel);
        close_market(&m);
    }
}

/* The least work that the program may be allowed. */
static uint64_t least_work(void)
{
    uint64_t low = 1, high = 1 << 20; /* refused, taken */
    while (high - low > 1) {
        market m;
        open_market(&m, "inproc://least", (psy_broker_options){.client_programs = 1, .client_work = (low + high) / 2});
        psy_channel *channel = served_connect(&m.s, 1);
        psy_status status = send(channel, m.three, "mine", NULL);
        cr_assert(status == PSY_OK || status == PSY_TOO_LARGE, "%s", psy_detail());
        *(status == PSY_OK ? &high : &low) = (low + high) / 2;
        psy_channel_close(channel);
        close_market(&m);
    }
    return high;
}

/* Runs of one worker for so many calls that wait. */
static uint64_t runs_for(market *m, psy_channel *channel, const char *name, uint32_t calls)
{
    psy_pipeline lane = served_pipeline(channel, name);
    psy_worker_counts before, after;
    psy_call call;
    for (uint32_t i = 0; i < 2; i++) {
        served_halt(&m->s, i);
    }
    psy_worker_get_counts(m->s.workers[0], &before);
    for (uint32_t i = 0; i < calls; i++) {
        cr_assert_eq(psy_channel_claim(channel, &lane, &call), PSY_OK);
        served_ask(call.message, i);
        psy_channel_commit(channel, &call, NULL);
    }
    psy_channel_flush(channel);
    for (int tries = 0; tries < 1000 && served_counts(&m->s).in_flight < calls; tries++) {
        usleep(2000);
    }
    for (uint32_t i = 0; i < 2; i++) {
        served_resume(&m->s, i);
    }
    for (uint32_t back = 0; back < calls;) {
        psy_reply reply;
        uint32_t n = 0;
        if (psy_channel_poll(channel, &reply, 1, &n) != PSY_OK) {
            cr_assert_eq(psy_channel_wait(channel, 5 * second_ns), PSY_OK);
            continue;
        }
        cr_assert_eq(reply.status, PSY_OK, "%s", psy_status_name(reply.status));
        psy_channel_release(channel, &reply);
        back += n;
    }
    served_halt(&m->s, 0);
    psy_worker_get_counts(m->s.workers[0], &after);
    served_resume(&m->s, 0);
    cr_assert_eq(after.requests - before.requests, calls);
    return after.batches - before.batches;
}

/* What waits is run together as far as the work allows it. */
Test(client_programs, run_as_much_as_they_may)
{
    enum { CALLS = 12 };
    uint64_t least = least_work();
    static const uint32_t each[] = {1, 4, 100}; /* messages that may be run together */
    for (size_t i = 0; i < 3; i++) {
        market m;
        open_market(&m, "inproc://runs", (psy_broker_options){.client_programs = 1, .client_work = least * each[i]});
        psy_channel *channel = served_connect(&m.s, CALLS);
        cr_assert_eq(send(channel, m.three, "mine", NULL), PSY_OK, "%s", psy_detail());
        cr_assert_eq(runs_for(&m, channel, "mine/total", CALLS), each[i] > CALLS ? 1u : CALLS / each[i]);
        cr_assert_eq(runs_for(&m, channel, "main/total", CALLS), 1u);
        psy_channel_close(channel);
        close_market(&m);
    }
}

/* The same bytes are staged once, whoever sends them, and stay while somebody has them. */
Test(client_programs, are_cached)
{
    enum { CLIENTS = 5 };
    market m;
    open_market(&m, "inproc://cached", (psy_broker_options){.client_programs = 3});
    psy_channel *channels[CLIENTS];
    psy_pipeline lanes[CLIENTS];
    psy_worker_counts counts = {0};
    for (int i = 0; i < CLIENTS; i++) {
        uint32_t version;
        channels[i] = served_connect(&m.s, 1);
        cr_assert_eq(send(channels[i], m.three, "mine", &version), PSY_OK, "%s", psy_detail());
        cr_assert_eq(send(channels[i], m.three, "again", &version), PSY_OK, "%s", psy_detail());
        lanes[i] = served_pipeline(channels[i], "again/total");
    }
    cr_assert_eq(served_counts(&m.s).programs, 1u + 2 * CLIENTS);
    served_halt(&m.s, 0);
    psy_worker_get_counts(m.s.workers[0], &counts);
    cr_assert_eq(counts.programs, 2u, "%u at a worker", counts.programs);
    served_resume(&m.s, 0);
    for (int i = 0; i < CLIENTS - 1; i++) {
        psy_channel_close(channels[i]);
        wait_for_programs(&m.s, 1 + 2 * (uint32_t)(CLIENTS - 1 - i));
        cr_assert_eq(served_version(channels[CLIENTS - 1], &lanes[CLIENTS - 1], "total", 3), 3u);
    }
    psy_channel_close(channels[CLIENTS - 1]);
    wait_for_programs(&m.s, 1);
    served_halt(&m.s, 0);
    for (int tries = 0; tries < 1000 && counts.programs != 1; tries++) {
        (void)psy_worker_do_work(m.s.workers[0]);
        psy_worker_get_counts(m.s.workers[0], &counts);
        usleep(5000);
    }
    cr_assert_eq(counts.programs, 1u);
    close_market(&m);
}

typedef struct sender {
    psy_channel *channel;
    bytes module;
    psy_status status;
} sender;

static void *run_sender(void *argument)
{
    sender *s = argument;
    s->status = send(s->channel, s->module, "mine", NULL);
    return NULL;
}

/* What one program takes of the workers' time, the next one has to wait for nine times as long, whoever sends it. */
Test(client_programs, leave_time_for_requests)
{
    market m;
    pthread_t thread;
    open_market(&m, "inproc://time", (psy_broker_options){.client_programs = 1});
    bytes changed = read_file(PROGRAM_FILE("changed"));
    sender first = {.channel = served_connect(&m.s, 1), .module = m.three};
    psy_channel *second = served_connect(&m.s, 1);
    psy_pipeline lane = served_pipeline(second, "total");
    served_halt(&m.s, 1); /* this worker takes its time */
    cr_assert_eq(pthread_create(&thread, NULL, run_sender, &first), 0);
    usleep(100000);
    uint64_t start = psy__now_ns();
    served_resume(&m.s, 1);
    pthread_join(thread, NULL);
    cr_assert_eq(first.status, PSY_OK);
    cr_assert_eq(served_version(second, &lane, "total", 8), 1u, "requests do not wait");
    cr_assert_eq(send(second, changed, "mine", NULL), PSY_OK, "%s", psy_detail());
    cr_assert_geq((psy__now_ns() - start) / 1000000, 500u, "%lu ms", (unsigned long)((psy__now_ns() - start) / 1000000));
    psy_channel_close(first.channel);
    psy_channel_close(second);
    free(changed.at);
    close_market(&m);
}

/* A worker that is still at its data does not keep clients waiting; it has their programs when it serves, and where it cannot
 * run one, that one goes and not the worker. */
Test(client_programs, and_workers_that_join)
{
    market m;
    open_market(&m, "inproc://join", (psy_broker_options){.client_programs = 1});
    psy_channel *channel = served_connect(&m.s, 1);
    served_kill(&m.s, 1);
    served_load(&m.s, 1); /* and does not start yet */
    cr_assert_eq(send(channel, m.three, "mine", NULL), PSY_OK, "%s", psy_detail());
    psy_pipeline lane = served_pipeline(channel, "mine/total"), plain = served_pipeline(channel, "mine/plain");
    cr_assert_eq(served_version(channel, &plain, "plain", 3), 3u, "the other worker runs it");
    cr_assert_eq(served_call(channel, &lane, 3), PSY_PEER_DIED);
    served_start(&m.s, 1);
    psy_status status = PSY_PEER_DIED;
    for (int tries = 0; tries < 1000 && status == PSY_PEER_DIED; tries++) {
        status = served_call(channel, &lane, 3);
        usleep(status == PSY_OK ? 0 : 2000);
    }
    cr_assert_eq(served_version(channel, &lane, "total", 4), 3u);

    /* `kept` is declared by the client's program alone when the next worker comes, and not loaded. */
    psy_module *changed = open_program(PROGRAM_FILE("changed"));
    uint64_t ticket;
    cr_assert_eq(served_add(&m.s, changed, NULL, 2, true, &ticket), PSY_OK, "%s", psy_detail());
    cr_assert_eq(served_await(&m.s, ticket), PSY_OK, "%s", psy_detail());
    served_kill(&m.s, 1);
    m.s.without_kept = true;
    served_load(&m.s, 1);
    served_start(&m.s, 1);
    for (int tries = 0; tries < 1000 && served_call(channel, &plain, 3) == PSY_OK; tries++) {
        usleep(2000);
    }
    cr_assert_eq(served_call(channel, &plain, 3), PSY_NOT_FOUND, "it is gone");
    cr_assert_eq(psy_channel_open(channel, "main/total", programs_ask_type(), programs_changed_type(), &lane), PSY_OK, "%s",
                 psy_detail());
    cr_assert_eq(served_call(channel, &lane, 3), PSY_OK, "and the worker is not");
    psy_module_close(changed);
    psy_channel_close(channel);
    close_market(&m);
}

/* Clients cannot use up the room for programs of the service. */
Test(client_programs, leave_room_for_the_operators)
{
    enum { ROOM = 128 };
    market m;
    uint64_t ticket;
    open_market(&m, "inproc://room", (psy_broker_options){.client_programs = 1000});
    psy_channel *channel = served_connect(&m.s, 1);
    psy_status status = PSY_OK;
    uint32_t taken = 0;
    for (; status == PSY_OK && taken <= ROOM; taken += status == PSY_OK) {
        char name[16];
        snprintf(name, sizeof name, "p%u", taken);
        status = send(channel, m.three, name, NULL);
    }
    cr_assert_eq(status, PSY_LIMIT, "%s", psy_detail());
    cr_assert_eq(taken, (uint32_t)ROOM);
    cr_assert_not_null(strstr(psy_detail(), "128 programs"), "%s", psy_detail());
    psy_module *two = open_program(PROGRAM_FILE("v2"));
    cr_assert_eq(served_add(&m.s, two, "more", 1, false, &ticket), PSY_OK, "%s", psy_detail());
    cr_assert_eq(served_await(&m.s, ticket), PSY_OK, "%s", psy_detail());
    psy_module_close(two);
    psy_channel_close(channel);
    wait_for_programs(&m.s, 2);
    close_market(&m);
}

/* A client goes while its requests are under way and while its program is being staged; again and again. */
Test(client_programs, go_with_their_client)
{
    enum { ROUNDS = 40, IN_FLIGHT = 16 };
    market m;
    open_market(&m, "inproc://goes", (psy_broker_options){.client_programs = 1});
    m.s.slow_us[1] = 500;
    for (int round = 0; round < ROUNDS; round++) {
        psy_channel *channel = served_connect(&m.s, IN_FLIGHT);
        if (round % 2) { /* does not wait for the answer */
            psy__send said = {.bytes = m.three.n, .name = "mine"};
            psy_slab_options o = {.bytes = m.three.n};
            psy_slab *slab;
            cr_assert_eq(psy_slab_create(&o, &slab), PSY_OK);
            memcpy(psy_slab_data(slab), m.three.at, m.three.n);
            int fd = psy_slab_fd(slab);
            cr_assert_eq(psy__say(channel->link, PSY_SAY_SEND, &said, sizeof said, &fd, 1), PSY_OK);
            usleep((useconds_t)round * 50);
            psy_slab_destroy(slab);
        } else {
            cr_assert_eq(send(channel, m.three, "mine", NULL), PSY_OK, "%s", psy_detail());
            psy_pipeline lane = served_pipeline(channel, "mine/total");
            psy_call call;
            for (uint64_t i = 0; i < IN_FLIGHT && psy_channel_claim(channel, &lane, &call) == PSY_OK; i++) {
                served_ask(call.message, i);
                psy_channel_commit(channel, &call, NULL);
            }
            psy_channel_flush(channel);
            usleep((useconds_t)round * 50);
        }
        psy_channel_close(channel);
    }
    wait_for_programs(&m.s, 1);
    psy_channel *channel = served_connect(&m.s, 1);
    psy_pipeline lane = served_pipeline(channel, "total");
    cr_assert_eq(served_version(channel, &lane, "total", 8), 1u);
    cr_assert_eq(send(channel, m.three, "mine", NULL), PSY_OK, "%s", psy_detail());
    lane = served_pipeline(channel, "mine/total");
    cr_assert_eq(served_version(channel, &lane, "total", 8), 3u);
    psy_channel_close(channel);
    close_market(&m);
}

/* Descriptors that are no modules, and sizes that are lies: the connection ends, and nothing else. */
Test(client_programs, lies)
{
    market m;
    open_market(&m, "inproc://lies", (psy_broker_options){.client_programs = 1});
    for (int lie = 0; lie < 5; lie++) {
        psy_channel *channel = served_connect(&m.s, 1);
        psy__send said = {.bytes = m.three.n, .name = "mine"};
        psy_slab_options o = {.bytes = 4096};
        psy_slab *slab;
        cr_assert_eq(psy_slab_create(&o, &slab), PSY_OK);
        int null = open("/dev/null", O_RDWR | O_CLOEXEC), fds[2] = {psy_slab_fd(slab), null};
        uint32_t n = 1;
        psy_status expected = PSY_PROTOCOL;
        switch (lie) {
        case 0: break; /* the slab is smaller */
        case 1: fds[0] = null, expected = PSY_CORRUPT; break;
        case 2: n = 2; break;
        case 3: n = 0; break;
        default: memset(said.name, 'a', sizeof said.name), said.bytes = 0, expected = PSY_CORRUPT; break;
        }
        cr_assert_eq(psy__say(channel->link, PSY_SAY_SEND, &said, sizeof said, fds, n), PSY_OK);
        psy__control control;
        cr_assert_eq(psy__hear_any(channel->link, &control, NULL, psy__now_ns() + 5 * second_ns), expected, "lie %d: %s", lie,
                     psy_detail());
        close(null);
        psy_slab_destroy(slab);
        psy_channel_close(channel);
    }
    psy_channel *channel = served_connect(&m.s, 1);
    psy_pipeline lane = served_pipeline(channel, "total");
    cr_assert_eq(served_version(channel, &lane, "total", 8), 1u);
    psy_channel_close(channel);
    close_market(&m);
}

/* ---- hostile modules ---- */

/* Sends it and, where it is taken, runs it. Whatever comes of that, it comes, and the channel goes on. */
static psy_status try_module(psy_channel *channel, bytes module)
{
    psy_pipeline lane;
    psy_status status = send(channel, module, "mine", NULL);
    cr_assert(status != PSY_TIMEOUT && status != PSY_CLOSED && status != PSY_PEER_DIED, "%s", psy_detail());
    static const char *const names[] = {"mine/total", "mine/one", "mine/plain"};
    for (int i = 0; status == PSY_OK && i < 3; i++) {
        if (open_as(channel, names[i], &lane) == PSY_OK) {
            psy_status ran = served_call(channel, &lane, 17);
            cr_assert(ran != PSY_TIMEOUT && ran != PSY_CLOSED && ran != PSY_PEER_DIED, "%s", psy_detail());
        }
    }
    return status;
}

/* What the fuzzers found of modules; none is what it says. */
Test(hostile_modules, of_the_fuzzers)
{
    static const char folder[] = PSY_SOURCE_DIR "/tests/fuzz/corpus/module";
    market m;
    open_market(&m, "inproc://corpus",
                (psy_broker_options){.client_programs = 1, .max_request_bytes = 65536, .max_reply_bytes = 65536});
    psy_channel *channel = served_connect(&m.s, 1);
    psy_pipeline lane = served_pipeline(channel, "main/total");
    DIR *d = opendir(folder);
    cr_assert_not_null(d, "%s", folder);
    uint32_t files = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.') {
            bytes b = read_file(path);
            (void)try_module(channel, b);
            free(b.at);
            files++;
        }
    }
    closedir(d);
    cr_assert_gt(files, 50u);
    cr_assert_eq(served_version(channel, &lane, "total", 3), 1u);
    psy_channel_close(channel);
    close_market(&m);
}

/* The hash is right again after each change, so that it is what is in the module that is looked at. */
Test(hostile_modules, with_the_right_hash)
{
    enum { CHANGES = 400 };
    static const uint64_t zero_key[2] = {0, 0};
    market m;
    open_market(&m, "inproc://hashes", (psy_broker_options){.client_programs = 1});
    psy_channel *channel = served_connect(&m.s, 1);
    psy_pipeline lane = served_pipeline(channel, "main/total");
    bytes changed = {.at = malloc(m.three.n), .n = m.three.n};
    uint64_t seed = 7;
    uint32_t taken = 0;
    for (int i = 0; i < CHANGES; i++) {
        memcpy(changed.at, m.three.at, m.three.n);
        for (int k = 0; k <= i % 3; k++) {
            seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            changed.at[24 + (seed >> 20) % (m.three.n - 24)] = (uint8_t)(seed >> 56);
        }
        memset(changed.at + offsetof(psy_psm_header, hash), 0, 8);
        uint64_t hash = psy__siphash(zero_key, changed.at, changed.n);
        memcpy(changed.at + offsetof(psy_psm_header, hash), &hash, 8);
        taken += try_module(channel, changed) == PSY_OK;
        cr_assert_eq(served_version(channel, &lane, "total", (uint64_t)i), 1u);
    }
    cr_assert_gt(taken, 0u, "some changes do no harm");
    cr_assert_lt(taken, (uint32_t)CHANGES);
    free(changed.at);
    psy_channel_close(channel);
    close_market(&m);
}

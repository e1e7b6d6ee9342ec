/* SPDX-License-Identifier: Apache-2.0 */
/* Where a service's agents live: inside of the caller, on one thread for others too, and the broker alone inside of its client.
 * Own threads and processes are what all other tests have. */
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <psyne/service.h>

#include "base/clock.h"
#include "tests/service/served.h"

static const char *const pipelines[] = {"total", "one", "plain"};
enum { PIPELINES = 3 };

/* Threads of this process. */
static unsigned tasks(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/task");
    cr_assert_not_null(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        n += e->d_name[0] != '.';
    }
    closedir(d);
    return n;
}

static void address_in(char to[128], const char *name)
{
    const char *folder = getenv("TMPDIR");
    snprintf(to, 128, "ipc://%.60s/psyne-%s-%d", folder && strlen(folder) <= 60 ? folder : "/tmp", name, getpid());
}

static psy_service *open_inside(const psy_module *module, const char *uri, uint32_t shards, uint32_t client_programs)
{
    psy_service *service;
    psy_service_options o = {
        .broker = {.uri = uri, .module = module, .shards = shards, .client_programs = client_programs},
        .worker = {.engine = "cpu"},
    };
    cr_assert_eq(psy_service_create(&o, &service), PSY_OK, "%s", psy_detail());
    for (int i = 0; i < 2; i++) {
        psy_rows rows = served_rows(i == 1);
        cr_assert_eq(psy_service_load(service, &rows), PSY_OK, "%s", psy_detail());
    }
    cr_assert_eq(psy_service_start(service, 0), PSY_OK, "%s", psy_detail());
    return service;
}

static psy_channel *connect_with(const char *uri, psy_agent agent)
{
    psy_channel *channel;
    psy_channel_options o = {.in_flight = 8, .agent = agent};
    cr_assert_eq(psy_channel_connect(uri, &o, &channel), PSY_OK, "%s", psy_detail());
    return channel;
}

/* Calls of every pipeline, each checked. */
static void ask_all(psy_channel *channel, uint32_t count, uint32_t version)
{
    for (int k = 0; k < PIPELINES; k++) {
        psy_pipeline lane = served_pipeline(channel, pipelines[k]);
        for (uint32_t i = 0; i < count; i++) {
            uint64_t key = k == 1 ? (i % SERVED_KEPT) * 1000003 + 17 : i;
            cr_assert_eq(served_version(channel, &lane, pipelines[k], key), version);
        }
    }
}

/* Everything of a service on the caller's thread: no other one comes to be. */
Test(inside, the_caller_has_no_thread_but_its_own)
{
    psy_module *module = open_program(PROGRAM_FILE("v1"));
    unsigned before = tasks();
    for (uint32_t shards = 1; shards <= 5; shards += 2) {
        psy_service *service = open_inside(module, NULL, shards, 0);
        psy_channel *channel = connect_with(psy_service_uri(service), psy_service_agent(service));
        ask_all(channel, 100, 1);
        cr_assert_eq(tasks(), before);
        cr_assert_eq(psy_service_status(service), PSY_OK);
        psy_worker_counts counts;
        psy_worker_get_counts(psy_service_worker(service, shards - 1), &counts);
        cr_assert_gt(counts.requests, 0u, "the last shard had its part");
        cr_assert_null(psy_service_worker(service, shards));
        psy_channel_close(channel);
        psy_service_destroy(service);
    }
    psy_module_close(module);
}

/* Two services of one process do not meet, and what waits for the service works for it: programs that are sent, too. */
Test(inside, programs_are_sent_to_a_service_of_the_same_thread)
{
    psy_module *module = open_program(PROGRAM_FILE("v1"));
    psy_service *service = open_inside(module, NULL, 2, 1), *other = open_inside(module, NULL, 1, 0);
    cr_assert(strcmp(psy_service_uri(service), psy_service_uri(other)) != 0);
    psy_channel *channel = connect_with(psy_service_uri(service), psy_service_agent(service));
    FILE *f = fopen(PROGRAM_FILE("v3"), "rb");
    static char bytes[1 << 20];
    cr_assert_not_null(f);
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    uint32_t version = 0;
    cr_assert_eq(psy_channel_send_program(channel, bytes, n, "mine", &version), PSY_OK, "%s", psy_detail());
    psy_pipeline lane = served_pipeline(channel, "mine/total");
    cr_assert_eq(served_version(channel, &lane, "total", 5), 3u);
    psy_channel_close(channel);
    psy_service_destroy(service);
    psy_service_destroy(other);
    psy_module_close(module);
}

/* A program changes while the caller calls: all on one thread. */
Test(inside, programs_change_between_calls)
{
    psy_module *one = open_program(PROGRAM_FILE("v1")), *two = open_program(PROGRAM_FILE("v2"));
    psy_service *service = open_inside(one, NULL, 2, 0);
    psy_channel *channel = connect_with(psy_service_uri(service), psy_service_agent(service));
    psy_pipeline lane = served_pipeline(channel, "total");
    cr_assert_eq(served_version(channel, &lane, "total", 1), 1u);
    uint64_t ticket = 0;
    psy_program next = {.module = two, .replace = 1};
    cr_assert_eq(psy_broker_add_program(psy_service_broker(service), &next, &ticket), PSY_OK, "%s", psy_detail());
    uint64_t end_ns = psy__now_ns() + 20 * second_ns;
    uint32_t version = 1;
    while (version != 2 && psy__now_ns() < end_ns) {
        version = served_version(channel, &lane, "total", 2);
    }
    cr_assert_eq(version, 2u);
    cr_assert_eq(psy_broker_program_status(psy_service_broker(service), ticket), PSY_OK);
    psy_channel_close(channel);
    psy_service_destroy(service);
    psy_module_close(one);
    psy_module_close(two);
}

Test(inside, what_cannot_be_is_said)
{
    psy_module *module = open_program(PROGRAM_FILE("v1"));
    psy_service *service;
    psy_service_options o = {.broker = {.module = module}, .worker = {.shard = 1}};
    cr_assert_eq(psy_service_create(NULL, &service), PSY_INVALID);
    cr_assert_eq(psy_service_create(&o, &service), PSY_INVALID);
    cr_assert_not_null(strstr(psy_detail(), "leave them zero"), "%s", psy_detail());
    o = (psy_service_options){.broker = {.module = module}, .workers_elsewhere = true};
    cr_assert_eq(psy_service_create(&o, &service), PSY_INVALID, "nobody could reach it");
    o = (psy_service_options){.broker = {.module = module}, .worker = {.engine = "abacus"}};
    cr_assert_neq(psy_service_create(&o, &service), PSY_OK);
    cr_assert_not_null(strstr(psy_detail(), "abacus"), "%s", psy_detail());

    /* Data that is missing, and a start that nobody comes to. */
    o = (psy_service_options){.broker = {.module = module}};
    cr_assert_eq(psy_service_create(&o, &service), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_service_start(service, 0), PSY_INVALID);
    cr_assert_not_null(strstr(psy_detail(), "rows"), "%s", psy_detail());
    psy_service_destroy(service);
    o = (psy_service_options){.broker = {.uri = "inproc://nobody-comes", .module = module, .shards = 3},
                              .workers_elsewhere = true};
    cr_assert_eq(psy_service_create(&o, &service), PSY_OK, "%s", psy_detail());
    psy_rows rows = served_rows(false);
    cr_assert_eq(psy_service_load(service, &rows), PSY_UNSUPPORTED);
    cr_assert_eq(psy_service_start(service, 20000000), PSY_TIMEOUT);
    cr_assert_not_null(strstr(psy_detail(), "0 of 3"), "%s", psy_detail());
    psy_service_destroy(service);
    psy_module_close(module);
}

/* ---- several agents on one thread, for others ---- */

typedef struct other {
    const char *uri;
    _Atomic bool done;
} other;

static void *call_from_elsewhere(void *argument)
{
    other *o = argument;
    psy_channel *channel = connect_with(o->uri, (psy_agent){0});
    ask_all(channel, 200, 1);
    psy_channel_close(channel);
    o->done = true;
    return NULL;
}

Test(one_thread, serves_others_and_itself)
{
    char uri[128];
    address_in(uri, "one");
    psy_module *module = open_program(PROGRAM_FILE("v1"));
    psy_service *service = open_inside(module, uri, 2, 0);
    psy_channel *own = connect_with(uri, psy_service_agent(service));
    other o = {.uri = uri};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, call_from_elsewhere, &o), 0);
    ask_all(own, 50, 1);
    while (!o.done) {
        if (psy_service_do_work(service) == 0) {
            psy_service_wait(service, 1000000);
        }
    }
    pthread_join(thread, NULL);
    psy_channel_close(own);
    psy_service_destroy(service);
    psy_module_close(module);
}

/* ---- the broker inside of its client ---- */

static pid_t start_worker(const char *uri, uint32_t shard)
{
    pid_t pid = start_process();
    if (pid == 0) {
        psy_worker *worker;
        psy_worker_options o = {.uri = uri, .shard = shard, .engine = "cpu"};
        if (psy_worker_create(&o, &worker) != PSY_OK) {
            _exit(1);
        }
        served_data(worker, true);
        _exit(psy_worker_start(worker) == PSY_OK && psy_worker_run(worker) == PSY_OK ? 0 : 2);
    }
    return pid;
}

/* No process stands between the client and the shards. One that dies costs its requests, until another one takes its place. */
Test(scatter, at_the_client_with_workers_in_other_processes)
{
    enum { HERE = 3 };
    char uri[128];
    address_in(uri, "scatter");
    psy_module *module = open_program(PROGRAM_FILE("v1"));
    holdings before = holdings_now();
    unsigned threads = tasks();
    psy_service_options o = {.broker = {.uri = uri, .module = module, .shards = HERE}, .workers_elsewhere = true};
    psy_service *service;
    cr_assert_eq(psy_service_create(&o, &service), PSY_OK, "%s", psy_detail());
    pid_t pids[HERE];
    for (uint32_t i = 0; i < HERE; i++) {
        pids[i] = start_worker(uri, i);
    }
    cr_assert_eq(psy_service_start(service, 30 * second_ns), PSY_OK, "%s", psy_detail());
    psy_channel *channel = connect_with(uri, psy_service_agent(service));
    ask_all(channel, 300, 1);
    cr_assert_eq(tasks(), threads);

    kill(pids[1], SIGKILL);
    waitpid(pids[1], NULL, 0);
    psy_pipeline lane = served_pipeline(channel, "total");
    cr_assert_eq(served_call(channel, &lane, 1), PSY_PEER_DIED, "%s", psy_detail());
    psy_broker_health health;
    psy_broker_get_health(psy_service_broker(service), &health);
    cr_assert_eq(health.shards_missing, UINT64_C(2));
    pids[1] = start_worker(uri, 1);
    cr_assert_eq(psy_service_start(service, 30 * second_ns), PSY_OK, "%s", psy_detail());
    ask_all(channel, 300, 1);

    psy_channel_close(channel);
    psy_service_destroy(service); /* the workers see it, and end */
    for (uint32_t i = 0; i < HERE; i++) {
        int status;
        cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 2, "it ends since its broker is gone");
    }
    nothing_leaked(getpid(), before);
    psy_module_close(module);
}

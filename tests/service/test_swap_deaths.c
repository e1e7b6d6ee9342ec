/* SPDX-License-Identifier: Apache-2.0 */
/* Workers that are killed at any moment while programs change without end: what they held fails at once, every other reply is
 * right and of one version, and the broker keeps nothing. The test is the client; broker and workers are processes of their
 * own. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/service/served.h"

enum { SHARDS = 2, IN_FLIGHT = 24, LANES = 3, KILLS = 25 };
static const char *const lane_names[LANES] = {"total", "one", "plain"};

static volatile sig_atomic_t swapping, ended;

static void told(int number)
{
    swapping = number == SIGUSR1;
    ended = number == SIGTERM;
}

/* A broker that is told to change its program as often as it can (SIGUSR1), or to leave it (SIGUSR2). */
static void broker(const char *uri)
{
    psy_module *modules[3] = {open_program(PROGRAM_FILE("v1")), open_program(PROGRAM_FILE("v2")),
                              open_program(PROGRAM_FILE("v3"))};
    psy_broker *b;
    uint64_t ticket = 0;
    uint32_t version = 1;
    if (psy_broker_create(&(psy_broker_options){.uri = uri, .module = modules[0], .shards = SHARDS, .in_flight = 64}, &b) !=
        PSY_OK) {
        _exit(1);
    }
    while (!ended) {
        uint32_t n = psy_broker_do_work(b);
        if (swapping && (!ticket || psy_broker_program_status(b, ticket) == PSY_OK)) {
            psy_program next = {.module = modules[version % 3], .version = version + 1, .replace = 1};
            version++;
            if (psy_broker_add_program(b, &next, &ticket) != PSY_OK) {
                _exit(2);
            }
        }
        if (n == 0) {
            psy_broker_wait(b, 1000000);
        }
    }
    psy_broker_destroy(b);
    _exit(version < 20 ? 3 : 0);
}

static pid_t start_broker(const char *uri)
{
    pid_t pid = start_process();
    if (pid == 0) {
        signal(SIGUSR1, told);
        signal(SIGUSR2, told);
        signal(SIGTERM, told);
        broker(uri);
    }
    return pid;
}

static pid_t start_worker(const char *uri, uint32_t shard)
{
    pid_t pid = start_process();
    if (pid == 0) {
        psy_worker *w;
        psy_worker_options o = {.uri = uri, .shard = shard, .engine = "cpu"};
        psy_status status = PSY_LIMIT;
        for (int tries = 0; tries < 1000 && status == PSY_LIMIT; tries++) { /* the dead one's place */
            status = psy_worker_create(&o, &w);
            usleep(status == PSY_LIMIT ? 1000 : 0);
        }
        if (status != PSY_OK) {
            _exit(1);
        }
        served_data(w, true);
        _exit(psy_worker_start(w) == PSY_OK ? (int)psy_worker_run(w) : 1);
    }
    return pid;
}

typedef struct tally {
    uint64_t sent, ok, died;
    uint32_t versions[4];
} tally;

/* What is out comes back; more is sent until `until_ns`. */
static void make_calls(psy_channel *channel, const psy_pipeline *lanes, uint64_t until_ns, tally *t)
{
    static struct {
        uint64_t key;
        uint32_t lane;
    } asked[1024];
    uint64_t late = until_ns + 20 * second_ns;
    while (psy__now_ns() < until_ns || psy_channel_outstanding(channel)) {
        psy_call call;
        psy_reply replies[16];
        uint32_t n = 0, lane = (uint32_t)(t->sent % LANES);
        while (psy__now_ns() < until_ns && psy_channel_claim(channel, &lanes[lane], &call) == PSY_OK) {
            size_t at = t->sent++ % 1024;
            asked[at].lane = lane;
            asked[at].key = lane == 1 ? (t->sent % SERVED_KEPT) * 1000003 + 17 : t->sent;
            served_ask(call.message, asked[at].key);
            psy_channel_commit(channel, &call, &asked[at]);
            lane = (uint32_t)(t->sent % LANES);
        }
        if (psy_channel_poll(channel, replies, 16, &n) == PSY_EMPTY) {
            (void)!psy_channel_wait(channel, 1000000);
        }
        for (uint32_t i = 0; i < n; i++) {
            size_t at = (size_t)((char *)replies[i].user - (char *)asked) / sizeof asked[0];
            cr_assert(replies[i].status == PSY_OK || replies[i].status == PSY_PEER_DIED, "%s",
                      psy_status_name(replies[i].status));
            t->died += replies[i].status == PSY_PEER_DIED;
            if (replies[i].status == PSY_OK) {
                const programs_answer *a = replies[i].message;
                uint32_t version = programs_answer_version(a);
                cr_assert(version >= 1 && version <= 3);
                cr_assert_eq(programs_answer_key(a), asked[at].key);
                cr_assert_eq(programs_answer_value(a), served_value(lane_names[asked[at].lane], asked[at].key, version));
                t->versions[version]++;
                t->ok++;
                psy_channel_release(channel, &replies[i]);
            }
        }
        cr_assert_lt(psy__now_ns(), late, "%u calls never ended", psy_channel_outstanding(channel));
    }
}

Test(swap, while_workers_are_killed)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    char uri[128];
    const char *folder = getenv("TMPDIR");
    snprintf(uri, sizeof uri, "ipc://%.60s/psyne-kills-%d", folder ? folder : "/tmp", getpid());
    pid_t b = start_broker(uri), workers[SHARDS] = {start_worker(uri, 0), start_worker(uri, 1)};
    psy_channel_options o = {.in_flight = IN_FLIGHT, .call_timeout_ms = 20000};
    psy_channel *channel;
    psy_pipeline lanes[LANES];
    cr_assert_eq(psy_channel_connect(uri, &o, &channel), PSY_OK, "%s", psy_detail());
    for (int i = 0; i < LANES; i++) {
        lanes[i] = served_pipeline(channel, lane_names[i]);
    }
    tally t = {0};
    make_calls(channel, lanes, psy__now_ns() + 20000000, &t);
    holdings before = holdings_of(b);
    kill(b, SIGUSR1);
    uint64_t seed = 11;
    for (int i = 0; i < KILLS || (t.died == 0 && i < 20 * KILLS); i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint32_t victim = (uint32_t)(seed >> 40) % SHARDS;
        make_calls(channel, lanes, psy__now_ns() + (seed >> 20) % 15000000, &t);
        kill(workers[victim], SIGKILL);
        if (i % 2) { /* in the middle of the next ones, or before them */
            make_calls(channel, lanes, psy__now_ns() + 2000000, &t);
        }
        cr_assert_eq(waitpid(workers[victim], NULL, 0), workers[victim]);
        workers[victim] = start_worker(uri, victim);
        for (uint64_t was = t.ok, end = psy__now_ns() + 20 * second_ns; t.ok < was + 30;) { /* it is there again */
            make_calls(channel, lanes, psy__now_ns() + 5000000, &t);
            cr_assert_lt(psy__now_ns(), end, "the service does not come back");
        }
    }
    kill(b, SIGUSR2);
    for (uint64_t was = t.died + 1; t.died != was;) { /* until all are there */
        was = t.died;
        make_calls(channel, lanes, psy__now_ns() + 30000000, &t);
    }
    nothing_leaked(b, before);
    psy_channel_close(channel);
    cr_assert_eq(t.ok + t.died, t.sent);
    cr_assert_gt(t.died, 0u, "no kill hit anything");
    cr_assert(t.versions[1] && t.versions[2] && t.versions[3], "%u %u %u", t.versions[1], t.versions[2], t.versions[3]);
    for (int i = 0; i < SHARDS; i++) {
        kill(workers[i], SIGKILL);
        waitpid(workers[i], NULL, 0);
    }
    int status = 0;
    kill(b, SIGTERM);
    cr_assert_eq(waitpid(b, &status, 0), b);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the broker ends with %x", (unsigned)status);
}

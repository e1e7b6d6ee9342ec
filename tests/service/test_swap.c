/* SPDX-License-Identifier: Apache-2.0 */
/* Hot swaps under load: no request is lost, each reply is of one version or the other and never a mix of both, and after a swap
 * was confirmed only the new one answers. */
#define _GNU_SOURCE
#include <limits.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/service/served.h"

enum { CLIENTS = 3, IN_FLIGHT = 32, LANES = 3, SWAPS = 12, SHARDS = 3 };
static const char *const lane_names[LANES] = {"total", "one", "plain"};

typedef struct caller {
    const served *s;
    pthread_t thread;
    _Atomic uint32_t confirmed; /* versions below are gone: a request that is sent from now on gets none of theirs */
    _Atomic bool enough;
    _Atomic uint64_t back;
    uint64_t sent, ok, died, wrong, old;
    uint32_t number;
} caller;

/* What is said of a call when it is sent. */
typedef struct asked {
    uint64_t key;
    uint32_t lane, least; /* the version that has to be the least */
    bool out;
} asked;

static uint32_t module_of(uint32_t version) { return 1 + version % 3; } /* which of the three it is made of */

static void check(caller *c, asked *a, const psy_reply *reply, const psy_pipeline *lanes)
{
    (void)lanes;
    if (!a->out) {
        c->wrong++;
        return;
    }
    a->out = false;
    if (reply->status != PSY_OK) {
        c->died += reply->status == PSY_PEER_DIED;
        c->wrong += reply->status != PSY_PEER_DIED;
        return;
    }
    programs_answer answer;
    memcpy(&answer, reply->message, sizeof answer);
    uint32_t version = programs_answer_version(&answer);
    bool right = version >= 1 && version <= 3 && programs_answer_key(&answer) == a->key &&
                 programs_answer_value(&answer) == served_value(lane_names[a->lane], a->key, version);
    c->wrong += !right;
    /* Two versions are about at a time, so of the three modules the one that is neither is too old. */
    c->old += right && version != module_of(a->least) && version != module_of(a->least + 1);
    c->ok += right;
}

static void *make_calls(void *argument)
{
    caller *c = argument;
    psy_channel *channel = served_connect(c->s, IN_FLIGHT);
    psy_pipeline lanes[LANES];
    asked asked_of[IN_FLIGHT * 2] = {0};
    for (int i = 0; i < LANES; i++) {
        lanes[i] = served_pipeline(channel, lane_names[i]);
    }
    while (!c->enough || psy_channel_outstanding(channel)) {
        psy_call call;
        for (uint32_t lane = (uint32_t)(c->sent % LANES);
             !c->enough && psy_channel_claim(channel, &lanes[lane], &call) == PSY_OK; lane = (uint32_t)(c->sent % LANES)) {
            asked *a = asked_of;
            while (a->out) {
                a++;
            }
            *a = (asked){.lane = lane, .least = c->confirmed, .out = true};
            a->key = lane == 1 ? (c->sent % SERVED_KEPT) * 1000003 + 17 : c->sent + c->number;
            served_ask(call.message, a->key);
            psy_channel_commit(channel, &call, a);
            c->sent++;
        }
        psy_reply replies[16];
        uint32_t n = 0;
        if (psy_channel_poll(channel, replies, 16, &n) == PSY_EMPTY) {
            (void)!psy_channel_wait(channel, second_ns / 100);
        }
        for (uint32_t i = 0; i < n; i++) {
            check(c, replies[i].user, &replies[i], lanes);
            psy_channel_release(channel, &replies[i]);
        }
        c->back += n;
    }
    psy_channel_close(channel);
    return NULL;
}

static void start_callers(const served *s, caller *callers, uint32_t version)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        callers[i] = (caller){.s = s, .number = i, .confirmed = version};
        cr_assert_eq(pthread_create(&callers[i].thread, NULL, make_calls, &callers[i]), 0);
    }
}

/* Until each has had so many replies more. */
static void wait_for_replies(caller *callers, uint64_t more)
{
    uint64_t until[CLIENTS], end = psy__now_ns() + 30 * second_ns;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        until[i] = callers[i].back + more;
    }
    for (uint32_t i = 0; i < CLIENTS; i++) {
        while (callers[i].back < until[i]) {
            cr_assert_lt(psy__now_ns(), end, "client %u has no replies", i);
            usleep(500);
        }
    }
}

static uint64_t end_callers(caller *callers)
{
    uint64_t died = 0;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        callers[i].enough = true;
    }
    for (uint32_t i = 0; i < CLIENTS; i++) {
        pthread_join(callers[i].thread, NULL);
        cr_assert_eq(callers[i].wrong, 0u, "client %u: %lu wrong of %lu", i, (unsigned long)callers[i].wrong,
                     (unsigned long)callers[i].sent);
        cr_assert_eq(callers[i].old, 0u, "client %u: %lu of a version that was gone", i, (unsigned long)callers[i].old);
        cr_assert_eq(callers[i].ok + callers[i].died, callers[i].sent, "client %u lost some", i);
        cr_assert_gt(callers[i].ok, 0u);
        died += callers[i].died;
    }
    return died;
}

/* The next version, made of the next module. Its number is told to the callers once it is confirmed. */
static void swap(served *s, psy_module *const modules[3], uint32_t version, caller *callers)
{
    uint64_t ticket;
    cr_assert_eq(served_add(s, modules[module_of(version) - 1], NULL, version, true, &ticket), PSY_OK, "%s", psy_detail());
    cr_assert_eq(served_await(s, ticket), PSY_OK, "%s", psy_detail());
    for (uint32_t i = 0; callers && i < CLIENTS; i++) {
        callers[i].confirmed = version;
    }
}

static void open_versions(psy_module *modules[3])
{
    modules[0] = open_program(PROGRAM_FILE("v1"));
    modules[1] = open_program(PROGRAM_FILE("v2"));
    modules[2] = open_program(PROGRAM_FILE("v3"));
}

static void close_versions(psy_module *modules[3])
{
    for (int i = 0; i < 3; i++) {
        psy_module_close(modules[i]);
    }
}

static void swap_under_load(const char *uri, uint32_t slow_us)
{
    psy_module *modules[3];
    served s;
    caller callers[CLIENTS];
    open_versions(modules);
    psy_program first = {.module = modules[module_of(1) - 1], .version = 1};
    served_open(&s,
                &(psy_broker_options){.uri = uri, .shards = SHARDS, .programs = &first, .program_count = 1, .in_flight = 64});
    served_run(&s);
    s.slow_us[SHARDS - 1] = slow_us;
    start_callers(&s, callers, 1);
    for (uint32_t version = 2; version < 2 + SWAPS; version++) {
        wait_for_replies(callers, 100);
        swap(&s, modules, version, callers);
    }
    wait_for_replies(callers, 100);
    cr_assert_eq(end_callers(callers), 0u, "nobody died");
    psy_broker_counts counts = served_counts(&s);
    cr_assert_eq(counts.programs, 1u);
    cr_assert_eq(counts.programs_added, SWAPS + 1u);
    served_close(&s);
    close_versions(modules);
}

Test(swap, under_load_between_threads) { swap_under_load("inproc://swap", 0); }

/* A shard that is far behind the others still answers with the version that the request was sent to. */
Test(swap, with_a_shard_that_is_slow) { swap_under_load("inproc://slow", 1500); }

Test(swap, under_load_over_a_socket)
{
    char uri[128];
    const char *folder = getenv("TMPDIR");
    snprintf(uri, sizeof uri, "ipc://%.60s/psyne-swap-%d", folder ? folder : "/tmp", getpid());
    swap_under_load(uri, 0);
}

/* Workers die and come again while programs change: what they held fails, and says so; nothing is mixed. */
Test(swap, while_workers_come_and_go)
{
    psy_module *modules[3];
    served s;
    caller callers[CLIENTS];
    uint64_t ticket;
    open_versions(modules);
    psy_program first = {.module = modules[module_of(1) - 1], .version = 1};
    served_open(&s, &(psy_broker_options){.uri = "inproc://shifts", .shards = SHARDS, .programs = &first, .program_count = 1});
    served_run(&s);
    start_callers(&s, callers, 1);
    for (uint32_t version = 2; version < 8; version++) {
        uint32_t victim = version % SHARDS;
        wait_for_replies(callers, 30);
        cr_assert_eq(served_add(&s, modules[module_of(version) - 1], NULL, version, true, &ticket), PSY_OK, "%s", psy_detail());
        served_kill(&s, victim); /* before it took it, or after */
        served_load(&s, victim);
        served_start(&s, victim);
        cr_assert_eq(served_await(&s, ticket), PSY_OK, "%s", psy_detail());
        for (uint32_t i = 0; i < CLIENTS; i++) {
            callers[i].confirmed = version;
        }
    }
    wait_for_replies(callers, 100);
    (void)end_callers(callers);
    served_close(&s);
    close_versions(modules);
}

static unsigned long heap_kib(void)
{
    char line[512];
    unsigned long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    cr_assert_not_null(status);
    while (fgets(line, sizeof line, status)) {
        (void)!sscanf(line, "RssAnon: %lu", &kib);
    }
    fclose(status);
    return kib;
}

/* Nothing is left of programs that are gone: neither memory nor descriptors, at the broker or at the workers. */
Test(swap, leaves_nothing)
{
    enum { WARM_UP = 20, ROUNDS = 150 };
    psy_module *modules[3];
    served s;
    unsigned long kib = 0;
    open_versions(modules);
    psy_program first = {.module = modules[module_of(1) - 1], .version = 1};
    served_open(&s, &(psy_broker_options){.uri = "inproc://leaves", .shards = 2, .programs = &first, .program_count = 1});
    served_run(&s);
    psy_channel *channel = served_connect(&s, 1);
    psy_pipeline lane = served_pipeline(channel, "total");
    cr_assert_eq(served_version(channel, &lane, "total", 1), module_of(1));
    holdings before = holdings_now();
    for (uint32_t version = 2; version < WARM_UP + ROUNDS; version++) {
        if (version == WARM_UP) {
            kib = heap_kib();
        }
        swap(&s, modules, version, NULL);
        cr_assert_eq(served_version(channel, &lane, "total", version), module_of(version));
    }
    nothing_leaked(getpid(), before);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    const unsigned long most = ULONG_MAX; /* what is freed is kept for a while */
#else
    const unsigned long most = kib + ROUNDS * 8; /* a module has 20 */
#endif
    cr_assert_lt(heap_kib(), most, "%lu KiB, %lu after %d swaps", kib, heap_kib(), ROUNDS);
    psy_channel_close(channel);
    served_close(&s);
    close_versions(modules);
}

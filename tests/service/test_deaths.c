/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that are killed or stopped: what they held ends in an error that the caller sees, the others go on, nothing is
 * left. The test itself is a client; broker, workers and other clients are processes of their own, so that no thread is forked.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/service/agents.h"

#define ONLY_WHERE_PROCESSES_MAY_FORK()                                                                                        \
    do {                                                                                                                       \
        if (PSY_THIN_RUNNER_ACTIVE) {                                                                                          \
            cr_skip_test("it forks, which takes the runner of Criterion");                                                     \
        }                                                                                                                      \
    } while (0)

static psy_broker *broker;
static const char *counters_folder; /* where broker and workers count; NULL: nowhere */

static psy_counters *counters_of(const char *name) { return counters_folder ? open_counters(counters_folder, name, 64) : NULL; }

static void stop_broker(int number)
{
    (void)number;
    psy_broker_stop(broker);
}

static pid_t start_broker(const char *uri)
{
    pid_t pid = start_process();
    if (pid == 0) {
        psy_broker_options o = {.uri = uri,
                                .module = &stand_in_module,
                                .shards = SHARDS,
                                .in_flight = 256,
                                .clients = CLIENTS_ROOM,
                                .counters = counters_of("broker"),
                                .reference_bytes = 1}; /* which shards that die held */
        if (psy_broker_create(&o, &broker) != PSY_OK) {
            _exit(1);
        }
        signal(SIGTERM, stop_broker);
        psy_broker_run(broker);
        psy_broker_destroy(broker);
        psy_counters_destroy(o.counters);
        _exit(0);
    }
    return pid;
}

/* Ends with the status that psy_worker_run returned. */
static pid_t start_worker(const char *uri, uint32_t shard)
{
    pid_t pid = start_process();
    if (pid == 0) {
        psy_worker *w;
        psy_worker_options o = {
            .uri = uri, .module = &stand_in_module, .shard = shard, .counters = counters_of(shard ? "shard 1" : "shard 0")};
        if (psy_worker_create(&o, &w) != PSY_OK || psy_worker_start(w) != PSY_OK) {
            _exit(1);
        }
        _exit((int)psy_worker_run(w));
    }
    return pid;
}

static void end(pid_t pid, int signal_number)
{
    kill(pid, signal_number);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

typedef struct processes {
    char uri[96];
    pid_t broker, workers[SHARDS];
} processes;

static processes start_service(void)
{
    processes p;
    snprintf(p.uri, sizeof p.uri, "%s", own_ipc_address());
    p.broker = start_broker(p.uri);
    for (uint32_t i = 0; i < SHARDS; i++) {
        p.workers[i] = start_worker(p.uri, i);
    }
    return p;
}

static void end_service(processes *p)
{
    for (uint32_t i = 0; i < SHARDS; i++) {
        end(p->workers[i], SIGKILL);
    }
    end(p->broker, SIGTERM);
    cr_assert_neq(access(p->uri + strlen("ipc://"), F_OK), 0, "the socket is left");
}

static uint32_t count_of(const psy_status *statuses, uint32_t n, psy_status status)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        count += statuses[i] == status;
    }
    return count;
}

/* A key that the shard owns, found by asking while the other shard is stopped. */
static uint64_t key_of(const processes *p, uint32_t shard)
{
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel(p->uri, 64, 50, lanes);
    uint64_t key = 0;
    kill(p->workers[1 - shard], SIGSTOP);
    for (psy_status status = PSY_TIMEOUT; status != PSY_OK;) {
        question q = {.key = ++key, .number = 1};
        cr_assert_eq(ask(channel, &lanes[LANE_KEY], &q), PSY_OK);
        cr_assert_eq(take_replies(channel, 1, 5 * second_ns, &status, NULL), 1u);
    }
    kill(p->workers[1 - shard], SIGCONT);
    psy_channel_close(channel);
    return key;
}

/* Fifty clients die with requests in flight. */
Test(deaths, killed_clients_leave_nothing)
{
    ONLY_WHERE_PROCESSES_MAY_FORK();
    enum { KILLED = 50, THEIRS = 16, OURS = 32 };
    processes p = start_service();
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel(p.uri, OURS, 10000, lanes);
    psy_status statuses[OURS];
    /* Both workers answer some, and what has answered holds all that it will hold of this client. */
    for (uint32_t k = 0; k < OURS; k++) {
        question q = {.key = k, .number = k + 1};
        cr_assert_eq(ask(channel, &lanes[LANE_KEY], &q), PSY_OK);
    }
    cr_assert_eq(take_replies(channel, OURS, 5 * second_ns, statuses, NULL), (uint32_t)OURS);
    holdings broker_before = holdings_of(p.broker), worker_before = holdings_of(p.workers[0]);
    for (int i = 0; i < KILLED; i++) {
        int told[2];
        char byte;
        cr_assert_eq(pipe(told), 0);
        pid_t victim = start_process();
        if (victim == 0) {
            psy_pipeline its[LANES];
            psy_channel *c = open_channel(p.uri, THEIRS, 10000, its);
            for (uint32_t k = 0; k < THEIRS; k++) {
                question q = {.key = k, .number = k + 1, .stall_ns = 1000000};
                (void)!ask(c, &its[k % LANES], &q);
            }
            psy_channel_flush(c);
            (void)!write(told[1], "x", 1);
            pause();
        }
        close(told[1]);
        cr_assert_eq(read(told[0], &byte, 1), 1, "client %d did not come so far", i);
        close(told[0]);
        end(victim, SIGKILL);
        uint64_t digests[3];
        for (uint32_t k = 0; k < 3; k++) {
            question q = {.key = (uint64_t)i, .number = k + 1};
            digests[k] = digest(&q);
            cr_assert_eq(ask(channel, &lanes[k], &q), PSY_OK);
        }
        cr_assert_eq(take_replies(channel, 3, 5 * second_ns, statuses, digests), 3u);
        cr_assert_eq(count_of(statuses, 3, PSY_OK), 3u);
    }
    nothing_leaked(p.broker, broker_before);
    nothing_leaked(p.workers[0], worker_before);
    psy_channel_close(channel);
    end_service(&p);
}

Test(deaths, what_a_killed_worker_held_fails_at_once)
{
    ONLY_WHERE_PROCESSES_MAY_FORK();
    enum { CALLS = 32 };
    processes p = start_service();
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel(p.uri, CALLS, 20000, lanes);
    psy_status statuses[CALLS];
    uint64_t theirs = key_of(&p, 1), ours = key_of(&p, 0);
    kill(p.workers[1], SIGSTOP); /* so that it holds all of them */
    for (uint32_t i = 0; i < CALLS; i++) {
        question q = {.key = theirs, .number = i + 1};
        cr_assert_eq(ask(channel, &lanes[i % 2 ? LANE_KEY : LANE_ALL], &q), PSY_OK);
    }
    cr_assert_eq(take_replies(channel, CALLS, second_ns / 5, statuses, NULL), 0u);
    uint64_t start_ns = psy__now_ns();
    end(p.workers[1], SIGKILL);
    cr_assert_eq(take_replies(channel, CALLS, 10 * second_ns, statuses, NULL), (uint32_t)CALLS);
    cr_assert_eq(count_of(statuses, CALLS, PSY_PEER_DIED), (uint32_t)CALLS);
    cr_assert_lt(psy__now_ns() - start_ns, 5 * second_ns, "not at the deadline, but at once");

    /* Without it: what needs it is refused, the rest is served. */
    question by_all = {.key = ours, .number = 1}, its = {.key = theirs, .number = 2}, other = {.key = ours, .number = 3},
             any = {.key = ours, .number = 4};
    cr_assert_eq(ask(channel, &lanes[LANE_ALL], &by_all), PSY_OK);
    cr_assert_eq(ask(channel, &lanes[LANE_KEY], &its), PSY_OK);
    cr_assert_eq(ask(channel, &lanes[LANE_KEY], &other), PSY_OK);
    cr_assert_eq(ask(channel, &lanes[LANE_ANY], &any), PSY_OK);
    cr_assert_eq(take_replies(channel, 4, 5 * second_ns, statuses, NULL), 4u);
    cr_assert_eq(statuses[0], PSY_PEER_DIED);
    cr_assert_eq(statuses[1], PSY_PEER_DIED);
    cr_assert_eq(statuses[2], PSY_OK);
    cr_assert_eq(statuses[3], PSY_OK);

    /* A new one takes its place: clients that were connected all the while are served by it. */
    p.workers[1] = start_worker(p.uri, 1);
    psy_status status = PSY_PEER_DIED;
    for (int tries = 0; tries < 500 && status == PSY_PEER_DIED; tries++) {
        cr_assert_eq(ask(channel, &lanes[LANE_ALL], &by_all), PSY_OK);
        cr_assert_eq(take_replies(channel, 1, 5 * second_ns, &status, NULL), 1u);
        usleep(status == PSY_OK ? 0 : 10000);
    }
    cr_assert_eq(status, PSY_OK, "%s", psy_status_text(status));
    psy_channel_close(channel);
    end_service(&p);
}

Test(deaths, a_killed_broker_ends_everyone)
{
    ONLY_WHERE_PROCESSES_MAY_FORK();
    enum { CALLS = 12 };
    processes p = start_service();
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel(p.uri, CALLS + 1, 20000, lanes);
    psy_status statuses[CALLS];
    for (uint32_t i = 0; i < SHARDS; i++) {
        kill(p.workers[i], SIGSTOP);
    }
    for (uint32_t i = 0; i < CALLS; i++) {
        question q = {.key = i, .number = i + 1};
        cr_assert_eq(ask(channel, &lanes[i % LANES], &q), PSY_OK);
    }
    cr_assert_eq(take_replies(channel, CALLS, second_ns / 10, statuses, NULL), 0u);
    end(p.broker, SIGKILL);
    cr_assert_eq(take_replies(channel, CALLS, 5 * second_ns, statuses, NULL), (uint32_t)CALLS);
    cr_assert_eq(count_of(statuses, CALLS, PSY_PEER_DIED), (uint32_t)CALLS);
    psy_reply reply;
    psy_call call;
    uint32_t n = 77;
    cr_assert_eq(psy_channel_poll(channel, &reply, 1, &n), PSY_CLOSED);
    cr_assert_eq(n, 0u);
    cr_assert_eq(psy_channel_wait(channel, second_ns), PSY_CLOSED);
    cr_assert_eq(psy_channel_claim(channel, &lanes[0], &call), PSY_CLOSED);
    cr_assert_eq(psy_channel_open(channel, "all", &question_type, &answer_type, &lanes[0]), PSY_CLOSED);
    for (uint32_t i = 0; i < SHARDS; i++) {
        int status;
        kill(p.workers[i], SIGCONT);
        cr_assert_eq(waitpid(p.workers[i], &status, 0), p.workers[i]);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == PSY_PEER_DIED, "worker %u ends with %x", i, (unsigned)status);
    }
    psy_channel_close(channel);

    /* Its socket is still there, and is taken over. */
    p.broker = start_broker(p.uri);
    for (uint32_t i = 0; i < SHARDS; i++) {
        p.workers[i] = start_worker(p.uri, i);
    }
    client c = {.uri = p.uri, .in_flight = 16, .calls = 300, .timeout_ms = 10000};
    run_client(&c);
    cr_assert_eq(c.ok, c.calls);
    cr_assert_eq(c.wrong, 0u);
    end_service(&p);
}

Test(deaths, a_stopped_worker_costs_its_own_requests_a_timeout)
{
    ONLY_WHERE_PROCESSES_MAY_FORK();
    enum { CALLS = 8, TIMEOUT_MS = 150 };
    processes p = start_service();
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel(p.uri, CALLS, TIMEOUT_MS, lanes);
    psy_status statuses[CALLS];
    uint64_t theirs = key_of(&p, 1), ours = key_of(&p, 0), digests[CALLS];
    kill(p.workers[1], SIGSTOP);
    uint64_t start_ns = psy__now_ns();
    for (uint32_t i = 0; i < CALLS; i++) {
        question q = {.key = i < 4 ? theirs : ours, .number = i + 1};
        cr_assert_eq(ask(channel, &lanes[i < 2 ? LANE_ALL : LANE_KEY], &q), PSY_OK);
    }
    cr_assert_eq(take_replies(channel, CALLS, 10 * second_ns, statuses, NULL), (uint32_t)CALLS);
    uint64_t took_ms = (psy__now_ns() - start_ns) / 1000000;
    for (uint32_t i = 0; i < CALLS; i++) {
        cr_assert_eq(statuses[i], i < 4 ? PSY_TIMEOUT : PSY_OK, "call %u: %s", i, psy_status_name(statuses[i]));
    }
    cr_assert_geq(took_ms, (uint64_t)TIMEOUT_MS);
    cr_assert_lt(took_ms, (uint64_t)TIMEOUT_MS + 2000);

    /* Who may go to any shard goes to one that answers. */
    for (uint32_t i = 0; i < 4; i++) { /* as many as have slots: those of the late ones are still its */
        question q = {.key = i, .number = i + 1};
        cr_assert_eq(ask(channel, &lanes[LANE_ANY], &q), PSY_OK);
    }
    cr_assert_eq(take_replies(channel, 4, 5 * second_ns, statuses, NULL), 4u);
    cr_assert_eq(count_of(statuses, 4, PSY_OK), 4u);

    /* It goes on: its late replies hit nobody, and every slot can be used again. */
    kill(p.workers[1], SIGCONT);
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < CALLS; i++) {
            question q = {.key = theirs + round, .number = i + 1};
            digests[i] = digest(&q);
            psy_status status = ask(channel, &lanes[i % LANES], &q);
            for (int tries = 0; status == PSY_FULL && tries < 300; tries++) { /* the slots of those that timed out */
                usleep(10000);
                cr_assert_eq(take_replies(channel, 1, 1, statuses, digests), 0u);
                status = ask(channel, &lanes[i % LANES], &q);
            }
            cr_assert_eq(status, PSY_OK, "round %u call %u: %s", round, i, psy_status_name(status));
        }
        cr_assert_eq(take_replies(channel, CALLS, 5 * second_ns, statuses, digests), (uint32_t)CALLS);
        cr_assert_eq(count_of(statuses, CALLS, PSY_OK), (uint32_t)CALLS);
    }
    psy_channel_close(channel);
    end_service(&p);
}

/* A worker dies after it has answered a batch and before it tells anybody: the answers of its last breath are lost or come, but
 * no caller waits for its deadline. */
Test(deaths, a_worker_killed_between_two_batches)
{
    ONLY_WHERE_PROCESSES_MAY_FORK();
    enum { EACH = 7, PEERS = 2 };
    processes p = start_service();
    psy_pipeline lanes[LANES];
    psy_channel *channels[PEERS];
    uint64_t theirs = key_of(&p, 1);
    for (int c = 0; c < PEERS; c++) {
        channels[c] = open_channel(p.uri, EACH + 1, 20000, lanes);
    }
    psy_status statuses[EACH + 1];
    kill(p.workers[1], SIGSTOP); /* so that all of them wait when it looks again */
    for (int c = 0; c < PEERS; c++) {
        for (uint32_t i = 0; i < EACH; i++) {
            question q = {.key = theirs, .number = i + 1};
            cr_assert_eq(ask(channels[c], &lanes[LANE_ALL], &q), PSY_OK);
        }
        cr_assert_eq(take_replies(channels[c], 1, second_ns / 20, statuses, NULL), 0u);
    }
    question deadly = {.key = theirs, .number = EACH + 1, .die = DIE};
    cr_assert_eq(ask(channels[0], &lanes[LANE_KEY], &deadly), PSY_OK);
    cr_assert_eq(take_replies(channels[0], 1, second_ns / 20, statuses, NULL), 0u);
    uint64_t start_ns = psy__now_ns();
    kill(p.workers[1], SIGCONT);
    for (uint32_t c = 0; c < PEERS; c++) {
        uint32_t wanted = c == 0 ? EACH + 1 : EACH;
        cr_assert_eq(take_replies(channels[c], wanted, 5 * second_ns, statuses, NULL), wanted, "client %u waits", c);
        cr_assert_eq(count_of(statuses, EACH, PSY_OK) + count_of(statuses, EACH, PSY_PEER_DIED), (uint32_t)EACH);
    }
    cr_assert_lt(psy__now_ns() - start_ns, 5 * second_ns);
    for (int c = 0; c < PEERS; c++) {
        psy_channel_close(channels[c]);
    }
    end(p.workers[1], SIGKILL);
    p.workers[1] = start_worker(p.uri, 1);
    end_service(&p);
}

/* What a dead worker counted can still be read, and is told from what the living count. */
Test(deaths, a_killed_workers_rows_are_those_of_the_dead)
{
    ONLY_WHERE_PROCESSES_MAY_FORK();
    enum { CALLS = 16 };
    char folder[96];
    make_counters(folder);
    counters_folder = folder;
    processes p = start_service();
    psy_counters *counters = open_counters(folder, "client", 64);
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_counted_channel(p.uri, CALLS, 10000, counters, lanes);
    psy_status statuses[CALLS];
    for (uint32_t i = 0; i < CALLS; i++) {
        question q = {.key = i, .number = i + 1};
        cr_assert_eq(ask(channel, &lanes[LANE_ALL], &q), PSY_OK);
    }
    cr_assert_eq(take_replies(channel, CALLS, 5 * second_ns, statuses, NULL), (uint32_t)CALLS);
    const char *name = strrchr(p.uri, '/') + 1;
    char requests[64], completions[64];
    snprintf(requests, sizeof requests, "%.27s/shard 1 requests", name);
    snprintf(completions, sizeof completions, "%.27s/client 0 completions shard 1", name);
    psy_counters_ring_view before, view = {0};
    for (int tries = 0; tries < 500 && view.producers == 0; tries++) { /* it need not know of a client whom another answers */
        cr_assert(find_ring(folder, completions, &view, NULL), "%s", completions);
        usleep(view.producers ? 0 : 10000);
    }
    cr_assert_eq(view.producers, 1u);
    cr_assert(find_ring(folder, requests, &before, NULL), "%s", requests);
    cr_assert_eq(before.living_producers + before.living_consumers, 2u);

    end(p.workers[1], SIGKILL);
    for (int tries = 0; tries < 500; tries++) {
        cr_assert(find_ring(folder, requests, &view, NULL), "%s", requests);
        if (view.producers == 0) { /* the broker has seen it */
            break;
        }
        usleep(10000);
    }
    cr_assert_eq(view.ring, before.ring);
    cr_assert_eq(view.producers, 0u);
    cr_assert_eq(view.consumers, 1u);
    cr_assert_eq(view.living_consumers, 0u);
    cr_assert_eq(view.consumer[PSY_RING_COUNTER_messages], (uint64_t)CALLS);
    cr_assert(find_ring(folder, completions, &view, NULL), "%s", completions);
    cr_assert_eq(view.producers, 1u);
    cr_assert_eq(view.living_producers, 0u);
    cr_assert_eq(view.living_consumers, 1u);

    /* Who comes in its place has rings of its own, and the dead one's file gives way. */
    p.workers[1] = start_worker(p.uri, 1);
    bool found = false;
    for (int tries = 0; tries < 500 && !(found && view.living_producers + view.living_consumers == 2); tries++) {
        usleep(10000);
        found = find_ring(folder, requests, &view, NULL);
    }
    cr_assert(found);
    cr_assert_neq(view.ring, before.ring);
    cr_assert_eq(view.producers + view.consumers, 2u);
    cr_assert_eq(view.living_producers + view.living_consumers, 2u);
    psy_channel_close(channel);
    end_service(&p);
    psy_counters_destroy(counters);
    remove_counters(folder);
}

/* Kills here and there, at no chosen moment, while calls are made. */
Test(deaths, anybody_at_any_time)
{
    ONLY_WHERE_PROCESSES_MAY_FORK();
    processes p = start_service();
    pid_t killer = start_process();
    if (killer == 0) {
        usleep(60000);
        kill(p.workers[1], SIGKILL);
        _exit(0);
    }
    pid_t other = start_process();
    if (other == 0) {
        client endless = {.uri = p.uri, .in_flight = 32, .calls = UINT32_C(100000000), .timeout_ms = 5000};
        run_client(&endless);
        _exit(0);
    }
    client c = {.uri = p.uri, .in_flight = 64, .calls = 200000, .timeout_ms = 5000};
    run_client(&c);
    cr_assert_eq(c.setup, PSY_OK);
    cr_assert_eq(c.wrong, 0u);
    cr_assert_eq(c.ok + c.died, c.calls, "ok %u timeouts %u died %u", c.ok, c.timeouts, c.died);
    end(other, SIGKILL);
    cr_assert_eq(waitpid(killer, NULL, 0), killer);
    cr_assert_eq(waitpid(p.workers[1], NULL, 0), p.workers[1]);
    p.workers[1] = start_worker(p.uri, 1);
    client after = {.uri = p.uri, .in_flight = 64, .calls = 1000, .timeout_ms = 5000};
    run_client(&after);
    cr_assert_eq(after.ok, after.calls, "ok %u timeouts %u died %u", after.ok, after.timeouts, after.died);
    end_service(&p);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* rpc/64B/inline: the requests and replies of bench_rpc with client, broker and worker on one thread, which runs each in turn
 * over all that waits: 64 requests a turn. Every reply is checked. */
#define _GNU_SOURCE
#include <psyne/broker.h>
#include <psyne/worker.h>
#include <pthread.h>
#include <stdio.h>

#include "tests/perf/cores.h"
#include "tests/perf/ring_race.h"
#include "tests/perf/rpc.h"

enum { IN_FLIGHT = 64 };
static const char uri[] = "inproc://bench-inline";

typedef struct turn {
    psy_module *module;
    psy_broker *broker;
    psy_worker *worker;
    rpc_client client;
} turn;

/* Whoever connects waits for the broker, which is this thread's. */
static void *connect_all(void *context)
{
    turn *t = context;
    rpc_check(psy_worker_create(&(psy_worker_options){.uri = uri, .module = t->module, .engine = "cpu"}, &t->worker));
    rpc_check(psy_worker_start(t->worker));
    rpc_connect(&t->client, uri, IN_FLIGHT);
    return NULL;
}

static uint64_t take(void *context, uint64_t from, uint64_t to)
{
    turn *t = context;
    uint64_t wrong = 0;
    (void)from;
    while (t->client.received < to) {
        rpc_send(&t->client);
        psy_channel_flush(t->client.channel);
        (void)psy_broker_do_work(t->broker);
        (void)psy_worker_do_work(t->worker);
        wrong |= rpc_receive(&t->client);
    }
    return wrong;
}

static double one_thread(void *context, uint64_t amount)
{
    turn *t = context;
    t->client.amount = amount;
    t->client.sent = t->client.received = 0;
    return race_time(take, t, amount, RPC_GROUP);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "requests and replies, all agents on one thread");
    if (!bench_wants("rpc/64B/inline")) {
        return bench_end();
    }
    printf("client, broker and worker on processor %d\n", cores_system_number(0));
    cores_pin(0);
    turn t = {.module = rpc_open_module()};
    rpc_check(psy_broker_create(
        &(psy_broker_options){.uri = uri, .module = t.module, .shards = 1, .in_flight = IN_FLIGHT, .clients = 1}, &t.broker));
    pthread_t thread;
    if (pthread_create(&thread, NULL, connect_all, &t) != 0) {
        bench_fail("no thread");
    }
    while (pthread_tryjoin_np(thread, NULL) != 0) {
        (void)psy_broker_do_work(t.broker);
    }
    bench_measure(&(bench_figure){.name = "rpc/64B/inline",
                                  .unit = &bench_millions,
                                  .step = 16 * RPC_GROUP,
                                  .seconds = 0.1,
                                  .subject = {"psyne", one_thread},
                                  .context = &t});
    psy_channel_close(t.client.channel);
    psy_worker_destroy(t.worker);
    psy_broker_destroy(t.broker);
    psy_module_close(t.module);
    return bench_end();
}

/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/perf/rpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echo.psy.h"
#include "tests/perf/cores.h"
#include "tests/perf/ring_race.h"
#include "tests/perf/served.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif

static_assert(ECHO_ASK_VALUES_COUNT == RPC_WIDTH && ECHO_ANSWER_VALUES_COUNT == RPC_WIDTH, "both sides send the same");

int rpc_processor(int which)
{
    /* With two processors the broker shares the worker's. */
    static const int with_two[RPC_PROCESSES] = {[RPC_CLIENT] = 0, [RPC_BROKER] = 1, [RPC_WORKER] = 1};
    return cores_count() >= RPC_PROCESSES ? which : with_two[which];
}

void rpc_print_processors(void)
{
    printf("client on processor %d, broker on %d, worker on %d\n", cores_system_number(rpc_processor(RPC_CLIENT)),
           cores_system_number(rpc_processor(RPC_BROKER)), cores_system_number(rpc_processor(RPC_WORKER)));
}

/* Four of a message's floats, at any address. */
typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t four_bits __attribute__((vector_size(16)));

static four first_four(uint64_t number)
{
    float first = (float)((number & 0xffff) * RPC_WIDTH);
    return (four){first, first + 1, first + 2, first + 3};
}

void rpc_fill(float *values, uint64_t number)
{
    four next = first_four(number);
    for (int i = 0; i < RPC_WIDTH; i += 4, next += 4) {
        *(four *)&values[i] = next;
    }
}

uint64_t rpc_differs(const float *values, uint64_t number)
{
    four next = 2 * first_four(number);
    four_bits differs = {0};
    for (int i = 0; i < RPC_WIDTH; i += 4, next += 8) {
        differs |= *(const four *)&values[i] != next;
    }
    return (uint64_t)(uint32_t)(differs[0] | differs[1] | differs[2] | differs[3]);
}

/* ---- the folder ---- */

static char folder[512];

static char *path_with(const char *before, const char *name)
{
    char *path = malloc(sizeof folder + 64);
    if (!path) {
        bench_fail("no memory");
    }
    snprintf(path, sizeof folder + 64, "%s%s/%s", before, folder, name);
    return path;
}

char *rpc_path(const char *name) { return path_with("", name); }
char *rpc_address(const char *name) { return path_with("ipc://", name); }

void rpc_open_folder(void)
{
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/psyne-bench-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    if (!mkdtemp(folder)) {
        perror(folder);
        exit(1);
    }
}

void rpc_close_folder(void)
{
    static const char *const names[] = {"psyne", "psyne.psyne-lock", "front", "back", "nng-front", "nng-back"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = rpc_path(names[i]);
        unlink(path);
        free(path);
    }
    rmdir(folder);
}

void rpc_check(psy_status status) { served_check(status); }

/* ---- the service ---- */

psy_module *rpc_open_module(void)
{
    psy_module *module;
    rpc_check(psy_module_open(ECHO_MODULE, &module));
    return module;
}

static _Noreturn void run_broker(const char *uri)
{
    cores_pin(rpc_processor(RPC_BROKER));
    psy_module *module = rpc_open_module();
    rpc_check(psy_broker_create(&(psy_broker_options){.uri = uri, .module = module, .shards = 1}, &served_broker));
    psy_broker_run(served_broker);
    psy_broker_destroy(served_broker);
    psy_module_close(module);
    process_end();
}

static _Noreturn void run_worker(const char *uri)
{
    cores_pin(rpc_processor(RPC_WORKER));
    psy_module *module = rpc_open_module();
    psy_status status = PSY_UNREACHABLE;
    for (int tries = 0; tries < 500 && status == PSY_UNREACHABLE; tries++) {
        status = psy_worker_create(&(psy_worker_options){.uri = uri, .module = module, .engine = "cpu"}, &served_worker);
        if (status == PSY_UNREACHABLE) {
            usleep(10000); /* the broker is not there yet */
        }
    }
    rpc_check(status);
    rpc_check(psy_worker_start(served_worker));
    rpc_check(psy_worker_run(served_worker));
    psy_worker_destroy(served_worker);
    psy_module_close(module);
    process_end();
}

static process start(void (*body)(const char *uri), const char *uri)
{
    process child = served_start();
    if (child == 0) {
        body(uri);
    }
    return child;
}

rpc_service rpc_start_service(const char *uri)
{
    rpc_service service = {.broker = start(run_broker, uri)};
    service.worker = start(run_worker, uri);
    return service;
}

void rpc_stop_service(rpc_service *service)
{
    process_stop(service->worker);
    process_stop(service->broker);
}

/* ---- the client ---- */

void rpc_connect(rpc_client *c, const char *uri, uint32_t in_flight)
{
    psy_status status = PSY_UNREACHABLE;
    *c = (rpc_client){.sent = 0};
    for (int tries = 0; tries < 500 && (status == PSY_UNREACHABLE || status == PSY_TIMEOUT); tries++) {
        status = psy_channel_connect(
            uri, &(psy_channel_options){.in_flight = in_flight, .connect_timeout_ns = UINT64_C(1000000000)}, &c->channel);
        if (status == PSY_UNREACHABLE) {
            usleep(10000);
        }
    }
    rpc_check(status);
    rpc_check(psy_channel_open(c->channel, "twice", echo_ask_type(), echo_answer_type(), &c->twice));
}

void rpc_send(rpc_client *c)
{
    psy_call call;
    psy_status status = PSY_OK;
    while (c->sent < c->amount && (status = psy_channel_claim(c->channel, &c->twice, &call)) == PSY_OK) {
        rpc_fill(echo_ask_mutable_values(echo_ask_init(call.message)), c->sent);
        psy_channel_commit(c->channel, &call, (void *)(uintptr_t)c->sent++);
    }
    if (status != PSY_FULL) {
        rpc_check(status);
    }
}

uint64_t rpc_receive(rpc_client *c)
{
    psy_reply replies[64];
    uint32_t count;
    uint64_t wrong = 0;
    psy_status status = psy_channel_poll(c->channel, replies, 64, &count);
    if (status == PSY_EMPTY) {
        return 0;
    }
    rpc_check(status);
    for (uint32_t i = 0; i < count; i++) {
        rpc_check(replies[i].status);
        wrong |= rpc_differs(echo_answer_values(replies[i].message), (uintptr_t)replies[i].user);
        psy_channel_release(c->channel, &replies[i]);
    }
    c->received += count;
    return wrong;
}

/* ---- an open loop ---- */

bool rpc_send_one(void *context, uint64_t number)
{
    rpc_client *c = context;
    psy_call call;
    psy_status status = psy_channel_claim(c->channel, &c->twice, &call);
    if (status == PSY_FULL) {
        return false;
    }
    rpc_check(status);
    rpc_fill(echo_ask_mutable_values(echo_ask_init(call.message)), number);
    psy_channel_commit(c->channel, &call, (void *)(uintptr_t)number);
    psy_channel_flush(c->channel);
    return true;
}

uint32_t rpc_take(void *context, uint64_t *numbers, uint32_t max)
{
    rpc_client *c = context;
    psy_reply replies[64];
    uint32_t count;
    psy_status status = psy_channel_poll(c->channel, replies, max < 64 ? max : 64, &count);
    if (status == PSY_EMPTY) {
        return 0;
    }
    rpc_check(status);
    for (uint32_t i = 0; i < count; i++) {
        rpc_check(replies[i].status);
        numbers[i] = (uintptr_t)replies[i].user;
        if (rpc_differs(echo_answer_values(replies[i].message), numbers[i])) {
            bench_fail("an answer is wrong");
        }
        psy_channel_release(c->channel, &replies[i]);
    }
    return count;
}

/* ---- peers ---- */

static uint64_t window_take(void *context, uint64_t from, uint64_t to)
{
    rpc_window *w = context;
    uint64_t wrong = 0;
    for (uint64_t i = from; i < to; i++) {
        while (w->sent < w->amount && w->sent < i + w->in_flight) {
            w->send(w->context, w->sent++);
        }
        wrong |= w->receive(w->context, i);
    }
    return wrong;
}

static uint64_t window_trip(void *context, uint64_t from, uint64_t to)
{
    rpc_window *w = context;
    (void)to;
    w->send(w->context, from);
    return w->receive(w->context, from);
}

double rpc_window_throughput(rpc_window *window, uint64_t amount)
{
    window->amount = amount;
    window->sent = 0;
    return race_time(window_take, window, amount, RPC_GROUP);
}

double rpc_window_trip(rpc_window *window, uint64_t amount) { return race_time(window_trip, window, amount, 1); }

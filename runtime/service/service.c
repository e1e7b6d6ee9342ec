/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <psyne/service.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/engine.h"
#include "service/module_file.h"
#include "service/protocol.h"

static const uint64_t start_default_ns = 10000000000, snapshot_default_ns = 60000000000, rest_ns = 1000000;

struct psy_service {
    psy_broker *broker;
    psy_worker *workers[PSY_SHARDS_MAX], *others[PSY_SHARDS_MAX]; /* others: that come or go, while the shards change */
    uint32_t worker_count, other_count;                           /* that are here */
    psy_worker_options worker; /* what workers that come later are made with: copies of its own */
    psy_program *programs;
    bool traced;
    uint64_t max_wait_ns; /* how long a worker may hold what it has; 0: not at all */
    char *uri;
};

/* A name that nobody else in this process has; other processes do not see it. */
static _Atomic uint64_t named;

static psy_status name_it(psy_service *s, const char *uri)
{
    const int n = uri ? asprintf(&s->uri, "%s", uri)
                      : asprintf(&s->uri, "inproc://psyne-service-%llu", (unsigned long long)atomic_fetch_add(&named, 1));
    if (n < 0) {
        s->uri = NULL;
        return psy_fail(PSY_NO_MEMORY, "no memory for a service");
    }
    return PSY_OK;
}

static uint32_t work(void *service) { return psy_service_do_work(service); }

psy_agent psy_service_agent(psy_service *s) { return (psy_agent){work, s}; }

static char *copy_text(const char *text, psy_status *status)
{
    char *copy = text ? strdup(text) : NULL;
    *status = text && !copy ? psy_fail(PSY_NO_MEMORY, "no memory for a service") : *status;
    return copy;
}

/* What workers are made with, the first ones and those of a change. */
static psy_status keep_options(psy_service *s, const psy_service_options *o)
{
    psy_status status = PSY_OK;
    psy_worker_options *w = &s->worker;
    *w = o->worker;
    w->uri = s->uri;
    w->agent = psy_service_agent(s);
    w->engine = copy_text(o->worker.engine, &status);
    w->device = copy_text(o->worker.device, &status);
    s->traced = o->tracers || o->worker.tracer;
    s->programs = calloc(o->broker.program_count + 1u, sizeof *s->programs);
    if (!s->programs) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a service");
    }
    w->module = o->broker.module ? psy__module_hold(o->broker.module) : NULL;
    w->programs = s->programs;
    for (uint32_t i = 0; i < o->broker.program_count; i++, w->program_count++) {
        s->programs[i].module = psy__module_hold(o->broker.programs[i].module);
    }
    return status;
}

static psy_status add_workers(psy_service *s, uint32_t shards, const struct psy__tracer *tracers, psy_worker **workers,
                              uint32_t *count)
{
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < shards; i++) {
        psy_worker_options w = s->worker;
        w.shard = i;
        w.tracer = tracers ? &tracers[i] : w.tracer;
        status = psy_worker_create(&w, &workers[i]);
        *count += status == PSY_OK;
    }
    return status;
}

psy_status psy_service_create(const psy_service_options *o, psy_service **out)
{
    if (!o || !out || (o->workers_elsewhere && !o->broker.uri) || o->worker.uri || o->worker.module || o->worker.programs ||
        o->worker.shard || o->worker.agent.work) {
        return psy_fail(PSY_INVALID, "psy_service_create: %s",
                        !o || !out ? "a null argument"
                        : o->workers_elsewhere && !o->broker.uri
                            ? "workers that are elsewhere need an address of the broker's"
                            : "uri, shard, module, programs and agent of the workers are the service's: leave them zero");
    }
    psy_service *s = calloc(1, sizeof *s);
    if (!s) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a service");
    }
    psy_broker_options b = o->broker;
    psy_status status = name_it(s, b.uri);
    if (status == PSY_OK) {
        b.uri = s->uri;
        s->max_wait_ns = o->workers_elsewhere ? 0 : o->worker.max_wait_ns;
        status = psy_broker_create(&b, &s->broker);
    }
    if (status == PSY_OK && !o->workers_elsewhere) {
        status = keep_options(s, o);
        status = status == PSY_OK ? add_workers(s, b.shards ? b.shards : 1, o->tracers, s->workers, &s->worker_count) : status;
    }
    if (status != PSY_OK) {
        char why[512];
        snprintf(why, sizeof why, "%s", psy_detail());
        psy_service_destroy(s);
        return psy_fail(status, "%s", why);
    }
    *out = s;
    return PSY_OK;
}

static psy_status has_workers(const psy_service *s, const void *what, const char *name)
{
    if (!s || !what) {
        return psy_fail(PSY_INVALID, "%s: a null argument", name);
    }
    return s->worker_count ? PSY_OK
                           : psy_fail(PSY_UNSUPPORTED, "%s: the workers are elsewhere, and come and load by themselves", name);
}

psy_status psy_service_load(psy_service *s, const psy_rows *rows)
{
    psy_status status = has_workers(s, rows, "psy_service_load");
    for (uint32_t i = 0; status == PSY_OK && i < s->worker_count; i++) {
        status = psy_worker_load(s->workers[i], rows);
    }
    return status;
}

psy_status psy_service_load_texts(psy_service *s, const char *resident, const char *const *texts, uint64_t count)
{
    psy_status status = has_workers(s, resident, "psy_service_load_texts");
    for (uint32_t i = 0; status == PSY_OK && i < s->worker_count; i++) {
        status = psy_worker_load_texts(s->workers[i], resident, texts, count);
    }
    return status;
}

psy_status psy_service_restore(psy_service *s, const char *folder)
{
    psy_status status = has_workers(s, folder, "psy_service_restore");
    for (uint32_t i = 0; status == PSY_OK && i < s->worker_count; i++) {
        status = psy_worker_restore(s->workers[i], folder);
    }
    return status;
}

psy_status psy_service_snapshot(psy_service *s, const char *folder, uint64_t timeout_ns, uint64_t *version)
{
    if (!s || !folder) {
        return psy_fail(PSY_INVALID, "psy_service_snapshot: a null argument");
    }
    const uint64_t deadline_ns = psy__add_ns(psy__now_ns(), timeout_ns ? timeout_ns : snapshot_default_ns);
    uint64_t ticket;
    psy_status status = psy_broker_snapshot(s->broker, folder, &ticket);
    status = status == PSY_OK ? PSY_EMPTY : status;
    while (status == PSY_EMPTY) {
        if (psy_service_do_work(s) == 0) {
            psy_broker_wait(s->broker, rest_ns);
        }
        status = psy_broker_snapshot_status(s->broker, ticket, version);
        if (status == PSY_EMPTY && psy__now_ns() >= deadline_ns) {
            status = psy_fail(PSY_TIMEOUT, "the snapshot in %s is not made yet", folder);
        }
    }
    return status;
}

psy_status psy_service_start(psy_service *s, uint64_t timeout_ns)
{
    if (!s) {
        return psy_fail(PSY_INVALID, "psy_service_start: a null argument");
    }
    const uint64_t deadline_ns = psy__add_ns(psy__now_ns(), timeout_ns ? timeout_ns : start_default_ns);
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < s->worker_count; i++) {
        status = psy_worker_start(s->workers[i]);
        (void)psy_service_do_work(s);
    }
    while (status == PSY_OK) {
        psy_broker_health health;
        const uint32_t done = psy_service_do_work(s);
        psy_broker_get_health(s->broker, &health);
        status = psy_service_status(s);
        if (status != PSY_OK || health.ready) {
            break;
        }
        if (psy__now_ns() >= deadline_ns) {
            status = psy_fail(PSY_TIMEOUT, "%s: %u of %u shards are ready", s->uri, health.shards_ready, health.shards);
        } else if (done == 0) {
            psy_broker_wait(s->broker, rest_ns);
        }
    }
    return status;
}

/* ---- another number of shards ---- */

static void destroy_others(psy_service *s)
{
    for (; s->other_count > 0; s->other_count--) {
        psy_worker_destroy(s->others[s->other_count - 1]);
    }
}

static void swap_workers(psy_service *s)
{
    for (uint32_t i = 0; i < PSY_SHARDS_MAX; i++) {
        psy_worker *w = s->workers[i];
        s->workers[i] = s->others[i];
        s->others[i] = w;
    }
    uint32_t n = s->worker_count;
    s->worker_count = s->other_count;
    s->other_count = n;
}

static bool others_are_gone(const psy_service *s)
{
    bool gone = true;
    for (uint32_t i = 0; i < s->other_count; i++) {
        psy_worker_health health;
        psy_worker_get_health(s->others[i], &health);
        gone = gone && health.gone;
    }
    return gone;
}

/* Those that have been told to go finish what they have. False: they have not by then. */
static bool see_off(psy_service *s, uint64_t deadline_ns)
{
    while (!others_are_gone(s)) {
        if (psy__now_ns() >= deadline_ns) {
            return false;
        }
        (void)psy_service_do_work(s);
    }
    destroy_others(s);
    return true;
}

/* Works until the change has ended, which it does at the deadline. */
static psy_status see_through(psy_service *s, uint64_t ticket, uint64_t deadline_ns)
{
    psy_status status;
    while ((status = psy_broker_reshard_status(s->broker, ticket)) == PSY_EMPTY) {
        if (psy_service_do_work(s) == 0) {
            psy_broker_wait(s->broker, rest_ns);
        }
        if (psy__now_ns() >= deadline_ns && psy_broker_reshard_cancel(s->broker, ticket) == PSY_OK) {
            return psy_fail(PSY_TIMEOUT, "%s: the shards have not changed in time: they are what they were", s->uri);
        }
    }
    return status;
}

psy_status psy_service_reshard(psy_service *s, uint32_t shards, uint64_t timeout_ns)
{
    uint64_t ticket;
    psy_status status = has_workers(s, s, "psy_service_reshard");
    if (status == PSY_OK && s->traced) {
        status = psy_fail(PSY_UNSUPPORTED, "psy_service_reshard: a service that is traced keeps its shards");
    }
    const uint64_t deadline_ns = psy__add_ns(psy__now_ns(), timeout_ns ? timeout_ns : start_default_ns);
    if (status == PSY_OK && !see_off(s, deadline_ns)) {
        status = psy_fail(PSY_TIMEOUT, "%s: workers of the change before still have requests", s->uri);
    }
    status = status == PSY_OK ? psy_broker_reshard(s->broker, shards, &ticket) : status;
    if (status != PSY_OK) {
        return status;
    }
    status = add_workers(s, shards, NULL, s->others, &s->other_count);
    for (uint32_t i = 0; status == PSY_OK && i < shards; i++) {
        status = psy_worker_start(s->others[i]);
    }
    status = status == PSY_OK ? see_through(s, ticket, deadline_ns) : status;
    if (status != PSY_OK) {
        char why[512];
        snprintf(why, sizeof why, "%s", psy_detail());
        (void)!psy_broker_reshard_cancel(s->broker, ticket);
        destroy_others(s);
        return psy_fail(status, "%s", why);
    }
    swap_workers(s);
    (void)see_off(s, deadline_ns); /* who is not gone by then goes on until it is */
    return PSY_OK;
}

uint32_t psy_service_do_work(psy_service *s)
{
    uint32_t done = psy_broker_do_work(s->broker);
    for (uint32_t i = 0; i < s->worker_count; i++) {
        done += psy_worker_do_work(s->workers[i]);
    }
    for (uint32_t i = 0; i < s->other_count; i++) {
        done += psy_worker_do_work(s->others[i]);
    }
    return done;
}

/* All that a worker of this thread gets comes from its broker: it is the broker that sleeps for all, no longer than a worker
 * waits for more. */
void psy_service_wait(psy_service *s, uint64_t timeout_ns)
{
    const bool holds = s->max_wait_ns && s->max_wait_ns < timeout_ns;
    psy_broker_wait(s->broker, holds ? s->max_wait_ns : timeout_ns);
}

psy_status psy_service_status(const psy_service *s)
{
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < s->worker_count; i++) {
        status = psy_worker_status(s->workers[i]);
    }
    return status;
}

const char *psy_service_uri(const psy_service *s) { return s->uri; }

psy_broker *psy_service_broker(psy_service *s) { return s->broker; }

psy_worker *psy_service_worker(psy_service *s, uint32_t shard) { return shard < s->worker_count ? s->workers[shard] : NULL; }

void psy_service_destroy(psy_service *s)
{
    if (!s) {
        return;
    }
    destroy_others(s);
    for (uint32_t i = 0; i < s->worker_count; i++) {
        psy_worker_destroy(s->workers[i]);
    }
    psy_broker_destroy(s->broker);
    for (uint32_t i = 0; i < s->worker.program_count; i++) {
        psy__module_drop(s->programs[i].module);
    }
    psy__module_drop(s->worker.module);
    free(s->programs);
    free((char *)(uintptr_t)s->worker.engine);
    free((char *)(uintptr_t)s->worker.device);
    free(s->uri);
    free(s);
}

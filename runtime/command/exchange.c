/* SPDX-License-Identifier: Apache-2.0 */
#include "command/exchange.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/near.h"
#include "service/module_file.h"

enum { POLLED = 64 };
static const uint64_t wait_ns = 100000000;

static psy_status no_such_pipeline(const psy_module *module, const char *name)
{
    enum { NAMED_MAX = 64 };
    const char *names[NAMED_MAX], *found;
    size_t count = 0;
    bool only;
    char list[300] = "";
    while (count < NAMED_MAX && (found = psy_module_pipeline(module, (uint32_t)count)) != NULL) {
        const size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%s", count ? ", " : "", found);
        names[count++] = found;
    }
    const char *near = psy__nearest(name, names, count, &only);
    return count == 0 ? psy_fail(PSY_NOT_FOUND, "there is no pipeline in it: it has only types of messages")
           : near     ? psy_fail(PSY_NOT_FOUND, "there is no pipeline `%s`; did you mean `%s`?", name, near)
                      : psy_fail(PSY_NOT_FOUND, "there is no pipeline `%s`; there are: %s", name, list);
}

psy_status psy__pipeline_types(const psy_module *module, const char *name, psy_type *request, psy_type *reply)
{
    const psy__module *m = &module->decoded;
    const char *slash = strrchr(name, '/');
    const uint32_t index = psy__module_find_pipeline(m, slash ? slash + 1 : name);
    if (index == PSY_NONE) {
        return no_such_pipeline(module, slash ? slash + 1 : name);
    }
    *request = psy_reflect_type_at(psy_module_reflection(module), m->pipelines[index].input_type);
    *reply = psy_reflect_type_at(psy_module_reflection(module), m->pipelines[index].output_type);
    return PSY_OK;
}

psy_status psy__pipeline_module(const char *path, const char *uri, const char *name, uint32_t connect_ms, psy_module **out)
{
    if (path) {
        return psy_module_open(path, out);
    }
    const psy_channel_options options = {.in_flight = 1, .connect_timeout_ns = connect_ms * UINT64_C(1000000)};
    psy_channel *channel = NULL;
    psy_status status = psy_channel_connect(uri, &options, &channel);
    if (status == PSY_OK) {
        status = psy_channel_describe(channel, name, out);
        status = status == PSY_DENIED ? psy_fail(status, "%s; or name the module's file with --module", psy_detail()) : status;
    }
    psy_channel_close(channel);
    return status;
}

/* A round: every message once. */
typedef struct exchange_round {
    psy__exchange *x;
    const psy__source *source;
    psy__sink *sink; /* NULL: replies are dropped */
    psy_reply *held; /* those that came before their turn, by number modulo in_flight */
    bool *is_held;
    uint64_t sent, put, failed;
    bool closed;
    char why[400];
    uint64_t latency_ns; /* of all together */
} exchange_round;

static void note_closed(exchange_round *r)
{
    if (!r->closed) {
        r->closed = true;
        snprintf(r->why, sizeof r->why, "%s", psy_detail());
    }
}

static void send_some(exchange_round *r)
{
    psy__exchange *x = r->x;
    psy_call call;
    while (r->sent < r->source->count && !r->closed) {
        const psy_status status = psy_channel_claim(x->channel, &x->pipeline, &call);
        if (status == PSY_FULL) {
            break;
        }
        if (status != PSY_OK) {
            note_closed(r);
            break;
        }
        memcpy(call.message, psy__source_at(r->source, r->sent), r->source->type.bytes);
        x->number = r->sent;
        call.trace = x->trace && r->sink;
        psy_channel_commit(x->channel, &call, (void *)(uintptr_t)r->sent++);
        if (x->trace && r->sink) {
            psy__sink_name(r->sink, x->number, x->peer, call.request);
        }
    }
    psy_channel_flush(x->channel);
}

/* Those whose turn it is. */
static void put_some(exchange_round *r)
{
    psy__exchange *x = r->x;
    for (uint64_t at; at = r->put % x->in_flight, r->is_held[at]; r->put++) {
        psy_reply *reply = &r->held[at];
        if (reply->status == PSY_OK && r->sink) {
            psy__sink_put(r->sink, r->put, reply->message, reply->bytes);
        } else if (reply->status != PSY_OK && r->sink) {
            psy__sink_refuse(r->sink, r->put, x->peer, reply->status);
        }
        r->failed += reply->status != PSY_OK;
        r->latency_ns += reply->latency_ns;
        psy_channel_release(x->channel, reply);
        r->is_held[at] = false;
    }
}

static void take_some(exchange_round *r)
{
    psy_reply replies[POLLED];
    uint32_t count = 0;
    const psy_status status = psy_channel_poll(r->x->channel, replies, POLLED, &count);
    for (uint32_t i = 0; status == PSY_OK && i < count; i++) {
        const uint64_t at = (uintptr_t)replies[i].user % r->x->in_flight;
        r->held[at] = replies[i];
        r->is_held[at] = true;
    }
    if (status == PSY_EMPTY && r->x->work) {
        r->x->work(r->x->context);
    } else if (status == PSY_EMPTY) {
        (void)!psy_channel_wait(r->x->channel, wait_ns); /* whatever it is, polling tells */
    } else if (status != PSY_OK) {
        note_closed(r);
    }
}

static void run_round(exchange_round *r)
{
    while (r->put < r->source->count && !(r->closed && psy_channel_outstanding(r->x->channel) == 0 && r->put == r->sent)) {
        send_some(r);
        take_some(r);
        put_some(r);
    }
    if (r->put < r->source->count) {
        r->failed += r->source->count - r->put;
        if (r->sink) {
            (void)psy_fail(PSY_CLOSED, "%" PRIu64 " of %" PRIu64 " messages were not sent: %s", r->source->count - r->put,
                           r->source->count, r->why);
            psy__sink_say(r->sink, r->x->peer, PSY_CLOSED);
        }
    }
}

static void say_times(const psy__exchange *x, const psy__sink *sink, uint64_t count, double mean_ns, double best_ns,
                      double latency_ns)
{
    if (sink->json) {
        printf("{\"time\": {\"messages\": %" PRIu64 ", \"rounds\": %" PRIu32
               ", \"mean_ns\": %.1f, \"best_ns\": %.1f, \"latency_ns\": %.1f}}\n",
               count, x->repeat, mean_ns, best_ns, latency_ns);
        return;
    }
    fflush(stdout);
    fprintf(stderr, "psyne: %" PRIu64 " message%s, %" PRIu32 " time%s: %.3f us a message (%.3f in the best round)", count,
            count == 1 ? "" : "s", x->repeat, x->repeat == 1 ? "" : "s", mean_ns / 1e3, best_ns / 1e3);
    if (!x->work) {
        fprintf(stderr, "; each took %.3f us from sending to its reply", latency_ns / 1e3);
    }
    fputc('\n', stderr);
}

static void run_again(psy__exchange *x, const psy__source *source, psy__sink *sink, exchange_round *r)
{
    uint64_t all_ns = 0, best_ns = UINT64_MAX, latency_ns = 0, failed = 0;
    for (uint32_t i = 0; i < x->repeat && failed == 0; i++) {
        *r = (exchange_round){.x = x, .source = source, .held = r->held, .is_held = r->is_held};
        const uint64_t start_ns = psy__now_ns();
        run_round(r);
        const uint64_t ns = psy__now_ns() - start_ns;
        all_ns += ns;
        best_ns = ns < best_ns ? ns : best_ns;
        latency_ns += r->latency_ns;
        failed = r->failed;
    }
    if (failed > 0) {
        psy__sink_say(
            sink, x->peer,
            psy_fail(PSY_INVALID, "%" PRIu64 " messages failed when they were sent again: there are no times", failed));
        return;
    }
    const double rounds = x->repeat, count = (double)source->count;
    say_times(x, sink, source->count, (double)all_ns / rounds / count, (double)best_ns / count,
              (double)latency_ns / rounds / count);
}

void psy__exchange_run(psy__exchange *x, const psy__source *source, psy__sink *sink)
{
    exchange_round r = {.x = x,
                        .source = source,
                        .sink = sink,
                        .held = calloc(x->in_flight, sizeof *r.held),
                        .is_held = calloc(x->in_flight, sizeof *r.is_held)};
    if (!r.held || !r.is_held) {
        psy__no_memory();
    }
    run_round(&r);
    if (x->repeat > 0 && source->count > 0 && r.failed == 0) {
        run_again(x, source, sink, &r);
    }
    free(r.held);
    free(r.is_held);
}

/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "command/load.h"

#include <psyne/channel.h>
#include <psyne/json.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/clock.h"
#include "command/progress.h"
#include "command/units.h"

enum { POLLED = 64, SENT_AT_ONCE = 256 };
static const uint64_t look_ns = 20000000, start_in_ns = 2000000, drain_grace_ns = 2000000000;

/* What all clients share. */
typedef struct load {
    const psy__load_plan *plan;
    atomic_uint_fast64_t *first; /* with `same`: hashes of the first replies; 0: none yet */
    atomic_uint_fast64_t left;   /* of plan->count */
    atomic_uint_fast64_t start_ns;
    atomic_bool stop;
} load;

/* A request in flight. */
typedef struct record {
    uint64_t due_ns; /* since CLOCK_MONOTONIC's start */
    uint32_t request;
    bool measured;
} record;

typedef struct client {
    load *load;
    psy_channel *channel;
    psy_pipeline pipeline;
    psy__schedule schedule;
    record *records;
    uint32_t *idle;
    uint32_t idle_count, next_request;
    uint64_t measure_ns, end_ns; /* when measuring begins, and when all is over */
    uint64_t held_until_ns;      /* up to then all places in flight were taken */
    bool blocked, broken, counted_out;
    pthread_t thread;
    atomic_uint_fast64_t replies, errors; /* for the progress */
    psy__load_result result;
} client;

static volatile sig_atomic_t asked_to_end;

static void on_end(int number)
{
    (void)number;
    asked_to_end = 1;
}

/* ---- replies ---- */

static void describe_difference(client *c, uint32_t request, const psy_reply *reply, const char *why)
{
    const psy__load_plan *plan = c->load->plan;
    char text[400];
    size_t n;
    if (c->result.difference[0]) {
        return;
    }
    if (psy_message_print_text(&plan->reply, reply->message, reply->bytes, 0, text, sizeof text, &n) != PSY_OK) {
        strcpy(text + sizeof text - 4, "..."); /* what fits of it is there */
    }
    snprintf(c->result.difference, sizeof c->result.difference, "request %u: %s: %s", request, why, text);
}

/* Whether it is the reply that it should be. */
static void compare(client *c, uint32_t request, const psy_reply *reply)
{
    const psy__load_plan *plan = c->load->plan;
    bool equal = true;
    psy_status status = PSY_OK;
    uint64_t hash = 0;
    if (plan->expected) {
        status = psy_message_equal(&plan->reply, reply->message, reply->bytes, psy__requests_at(plan->expected, request),
                                   plan->reply.bytes, &equal);
    } else if (plan->same) {
        uint_fast64_t first = 0;
        status = psy_message_hash(&plan->reply, reply->message, reply->bytes, &hash);
        hash += hash == 0;
        equal = status != PSY_OK || atomic_compare_exchange_strong(&c->load->first[request], &first, hash) || first == hash;
    }
    if (status != PSY_OK || !equal) {
        c->result.different++;
        describe_difference(c, request, reply,
                            status != PSY_OK ? psy_detail()
                            : plan->expected ? "not the reply that was expected"
                                             : "not the reply that came before");
    }
}

static bool has_no_answer(psy_status status)
{
    return status == PSY_TIMEOUT || status == PSY_PEER_DIED || status == PSY_CLOSED;
}

static void take_reply(client *c, const psy_reply *reply, uint64_t now)
{
    const uint32_t slot = (uint32_t)(uintptr_t)reply->user;
    const record r = c->records[slot];
    psy__load_result *result = &c->result;
    const bool good = reply->status == PSY_OK;
    if (good && (c->load->plan->expected || c->load->plan->same)) {
        compare(c, r.request, reply);
    }
    psy_channel_release(c->channel, reply);
    c->idle[c->idle_count++] = slot;
    result->in_time += good && now >= c->measure_ns && now < c->end_ns;
    if (!r.measured) {
        return;
    }
    result->statuses[(unsigned)reply->status < PSY_LOAD_STATUSES ? (unsigned)reply->status : PSY_LOAD_STATUSES - 1]++;
    if (good || has_no_answer(reply->status)) {
        psy__histogram_record(&result->latency, now > r.due_ns ? now - r.due_ns : 0, 1);
    }
}

static void in_trouble(client *c, const char *what)
{
    if (!c->result.trouble[0]) {
        snprintf(c->result.trouble, sizeof c->result.trouble, "%s", what);
    }
}

static uint32_t take_replies(client *c)
{
    psy_reply replies[POLLED];
    uint32_t n = 0, errors = 0;
    const psy_status status = psy_channel_poll(c->channel, replies, POLLED, &n);
    if (status != PSY_OK && status != PSY_EMPTY) {
        c->broken = true;
        in_trouble(c, psy_detail());
        return 0;
    }
    const uint64_t now = n > 0 ? psy__now_ns() : 0;
    for (uint32_t i = 0; i < n; i++) {
        errors += replies[i].status != PSY_OK;
        take_reply(c, &replies[i], now);
    }
    if (n > 0) {
        atomic_fetch_add_explicit(&c->replies, n, memory_order_relaxed);
        atomic_fetch_add_explicit(&c->errors, errors, memory_order_relaxed);
    }
    return n;
}

/* ---- requests ---- */

/* One of those that may be sent at all. */
static bool take_permit(client *c)
{
    if (c->load->plan->count == 0) {
        return true;
    }
    uint_fast64_t left = atomic_load_explicit(&c->load->left, memory_order_relaxed);
    while (left > 0) {
        if (atomic_compare_exchange_weak_explicit(&c->load->left, &left, left - 1, memory_order_relaxed,
                                                  memory_order_relaxed)) {
            return true;
        }
    }
    c->counted_out = true;
    return false;
}

/* Sends the next one, due at `due_ns`. False: not now; `blocked` or `broken` says why. */
static bool send_one(client *c, uint64_t due_ns)
{
    const psy__load_plan *plan = c->load->plan;
    psy_call call;
    const psy_status status = c->idle_count > 0 ? psy_channel_claim(c->channel, &c->pipeline, &call) : PSY_FULL;
    if (status != PSY_OK) {
        c->blocked = status == PSY_FULL;
        c->broken = status != PSY_FULL;
        if (c->broken) {
            in_trouble(c, psy_detail());
        }
        return false;
    }
    if (!take_permit(c)) {
        psy_channel_abort(c->channel, &call);
        return false;
    }
    const uint32_t slot = c->idle[--c->idle_count], request = c->next_request;
    c->next_request = request + 1 < plan->requests->count ? request + 1 : 0;
    memcpy(call.message, psy__requests_at(plan->requests, request), plan->request.bytes);
    c->records[slot] = (record){due_ns, request, due_ns >= c->measure_ns};
    psy_channel_commit(c->channel, &call, (void *)(uintptr_t)slot);
    c->result.scheduled += c->records[slot].measured;
    c->result.sent += c->records[slot].measured;
    return true;
}

/* Closed loop: groups as long as there is room for a whole one. */
static uint32_t send_all(client *c, uint64_t now)
{
    const uint32_t batch = c->load->plan->batch;
    uint32_t sent = 0;
    while (c->idle_count >= batch && sent < SENT_AT_ONCE && !c->broken && !c->counted_out) {
        for (uint32_t i = 0; i < batch; i++) {
            if (!send_one(c, now)) {
                return sent;
            }
            sent++;
        }
    }
    return sent;
}

/* Open loop: what is due. */
static uint32_t send_due(client *c, uint64_t now)
{
    const uint64_t start_ns = atomic_load_explicit(&c->load->start_ns, memory_order_relaxed);
    uint32_t sent = 0;
    for (uint64_t due; sent < SENT_AT_ONCE && (due = start_ns + psy__schedule_next(&c->schedule)) <= now && due < c->end_ns;
         sent++) {
        if (!send_one(c, due)) {
            if (c->blocked) {
                c->held_until_ns = now;
            }
            return sent;
        }
        psy__schedule_take(&c->schedule);
        if (due >= c->measure_ns && now - due > PSY_LOAD_LATE_NS) {
            const bool held = due <= c->held_until_ns;
            c->result.held += held;
            c->result.late += !held;
            c->result.latest_ns = !held && now - due > c->result.latest_ns ? now - due : c->result.latest_ns;
        }
    }
    return sent;
}

/* Until there is something to do. */
static void rest(client *c, uint64_t now, bool over)
{
    const uint64_t start_ns = atomic_load_explicit(&c->load->start_ns, memory_order_relaxed);
    uint64_t until = now < start_ns ? start_ns : now + look_ns;
    if (!over && c->load->plan->rate > 0 && !c->blocked) {
        const uint64_t due = start_ns + psy__schedule_next(&c->schedule);
        until = due < until ? due : until;
    }
    until = !over && c->end_ns < until ? c->end_ns : until;
    if (c->load->plan->spin) {
        psy__relax();
    } else if (until > now) {
        /* Whatever it says, the poll that follows says it better. */
        (void)!psy_channel_wait(c->channel, until - now);
    }
}

/* What was due and not sent has waited until now. */
static void count_unsent(client *c)
{
    const uint64_t start_ns = atomic_load_explicit(&c->load->start_ns, memory_order_relaxed);
    for (uint64_t due; !c->counted_out && (due = start_ns + psy__schedule_next(&c->schedule)) < c->end_ns;) {
        if (due >= c->measure_ns) {
            c->result.scheduled++;
            c->result.unsent++;
            psy__histogram_record(&c->result.latency, c->end_ns - due, 1);
        }
        psy__schedule_take(&c->schedule);
    }
}

/* So has what is in flight for ever. */
static void count_unanswered(client *c, uint64_t now)
{
    const uint32_t all = c->load->plan->in_flight;
    bool *is_idle = calloc(all, sizeof *is_idle);
    if (!is_idle) {
        psy__no_memory();
    }
    for (uint32_t i = 0; i < c->idle_count; i++) {
        is_idle[c->idle[i]] = true;
    }
    for (uint32_t i = 0; i < all; i++) {
        if (!is_idle[i] && c->records[i].measured) {
            c->result.unanswered++;
            psy__histogram_record(&c->result.latency, now - c->records[i].due_ns, 1);
        }
    }
    free(is_idle);
}

static void *run_client(void *argument)
{
    client *c = argument;
    const psy__load_plan *plan = c->load->plan;
    (void)prctl(PR_SET_TIMERSLACK, 1UL); /* sleeps end when they should */
    uint64_t start_ns, over_ns = 0;
    bool sent_all = false;
    while ((start_ns = atomic_load_explicit(&c->load->start_ns, memory_order_acquire)) == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    c->measure_ns = psy__add_ns(start_ns, plan->warmup_ns);
    c->end_ns = psy__add_ns(c->measure_ns, plan->run_ns);
    const uint64_t patience_ns = (uint64_t)plan->timeout_ms * 1000000 + drain_grace_ns;
    for (;;) {
        const uint64_t now = psy__now_ns();
        if (now < c->end_ns && atomic_load_explicit(&c->load->stop, memory_order_relaxed)) {
            c->end_ns = now;
        }
        const bool over = c->counted_out || now >= c->end_ns;
        over_ns = over && over_ns == 0 ? now : over_ns;
        const uint32_t in_flight = plan->in_flight - c->idle_count;
        if (c->broken || (sent_all && (in_flight == 0 || now - over_ns > patience_ns))) {
            break;
        }
        c->blocked = false;
        uint32_t did = 0;
        if (now >= start_ns && !sent_all) {
            did = plan->rate > 0 ? send_due(c, now) : over ? 0 : send_all(c, now);
            /* What was due before the end is sent, be it late: until there is no room. */
            sent_all = over && (did == 0 || c->blocked);
        }
        did += take_replies(c);
        if (did == 0) {
            rest(c, now, over);
        }
    }
    const uint64_t now = psy__now_ns();
    c->end_ns = now < c->end_ns ? now : c->end_ns;
    if (plan->rate > 0) {
        count_unsent(c);
    }
    count_unanswered(c, now);
    c->result.run_ns = c->end_ns > c->measure_ns ? c->end_ns - c->measure_ns : 0;
    return NULL;
}

/* ---- all of them ---- */

static int open_client(load *l, client *c, uint32_t number)
{
    const psy__load_plan *plan = l->plan;
    c->load = l;
    c->records = calloc(plan->in_flight, sizeof *c->records);
    c->idle = calloc(plan->in_flight, sizeof *c->idle);
    if (!c->records || !c->idle) {
        psy__no_memory();
    }
    for (uint32_t i = 0; i < plan->in_flight; i++) {
        c->idle[c->idle_count++] = plan->in_flight - 1 - i;
    }
    c->next_request = (uint32_t)((uint64_t)number * plan->requests->count / plan->clients);
    if (plan->rate > 0) {
        psy__schedule_init(&c->schedule, plan->rate, plan->batch, number, plan->clients, plan->arrivals, plan->seed);
    }
    const psy_channel_options options = {.in_flight = plan->in_flight, .call_timeout_ms = plan->timeout_ms};
    psy_status status = psy_channel_connect(plan->uri, &options, &c->channel);
    if (status == PSY_OK) {
        status = psy_channel_open(c->channel, plan->pipeline, &plan->request, &plan->reply, &c->pipeline);
    }
    return status == PSY_OK ? 0 : psy__complain(NULL, status);
}

static void close_client(client *c)
{
    psy_channel_close(c->channel);
    free(c->records);
    free(c->idle);
}

static void add(psy__load_result *to, const psy__load_result *from)
{
    to->run_ns = from->run_ns > to->run_ns ? from->run_ns : to->run_ns;
    to->scheduled += from->scheduled;
    to->sent += from->sent;
    for (unsigned i = 0; i < PSY_LOAD_STATUSES; i++) {
        to->statuses[i] += from->statuses[i];
    }
    to->in_time += from->in_time;
    to->unsent += from->unsent;
    to->unanswered += from->unanswered;
    to->late += from->late;
    to->latest_ns = from->latest_ns > to->latest_ns ? from->latest_ns : to->latest_ns;
    to->held += from->held;
    to->different += from->different;
    if (!to->trouble[0]) {
        memcpy(to->trouble, from->trouble, sizeof to->trouble);
    }
    if (!to->difference[0]) {
        memcpy(to->difference, from->difference, sizeof to->difference);
    }
    psy__histogram_merge(&to->latency, &from->latency);
}

/* Until every client is through; asks them to stop when the process is asked to. */
static void attend(load *l, client *clients, const char *what, bool silent)
{
    const psy__load_plan *plan = l->plan;
    const uint64_t all_ns = psy__add_ns(plan->warmup_ns, plan->run_ns);
    psy__progress p;
    psy__progress_begin(&p, what, plan->count ? plan->count : all_ns / 1000000, plan->count ? "replies" : "ms", silent);
    uint64_t before = 0, before_ns = psy__now_ns();
    for (uint32_t joined = 0; joined < plan->clients;) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 100000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        joined += pthread_timedjoin_np(clients[joined].thread, NULL, &until) == 0;
        if (asked_to_end) {
            atomic_store_explicit(&l->stop, true, memory_order_relaxed);
        }
        uint64_t replies = 0, errors = 0;
        const uint64_t now = psy__now_ns(), start_ns = atomic_load_explicit(&l->start_ns, memory_order_relaxed);
        for (uint32_t i = 0; i < plan->clients; i++) {
            replies += atomic_load_explicit(&clients[i].replies, memory_order_relaxed);
            errors += atomic_load_explicit(&clients[i].errors, memory_order_relaxed);
        }
        if (now - before_ns >= 100000000) {
            char rate[24], bad[24];
            psy__count_text(rate, sizeof rate, (double)(replies - before) * 1e9 / (double)(now - before_ns));
            psy__count_text(bad, sizeof bad, (double)errors);
            snprintf(p.note, sizeof p.note, "%s replies/s%s%s%s", rate, errors ? ", " : "", errors ? bad : "",
                     errors ? " errors" : "");
            before = replies;
            before_ns = now;
        }
        psy__progress_step(&p, plan->count ? replies : now > start_ns ? (now - start_ns) / 1000000 : 0);
    }
    psy__progress_clear(&p);
}

/* Starts those that are open, which begin together. */
static void start(load *l, client *clients)
{
    for (uint32_t i = 0; i < l->plan->clients; i++) {
        if (pthread_create(&clients[i].thread, NULL, run_client, &clients[i]) != 0) {
            psy__no_memory();
        }
    }
    atomic_store_explicit(&l->start_ns, psy__now_ns() + start_in_ns, memory_order_release);
}

psy__load_result *psy__load_run(const psy__load_plan *plan, const char *what, bool silent, int *status)
{
    load l = {.plan = plan};
    client *clients = calloc(plan->clients, sizeof *clients);
    psy__load_result *result = calloc(1, sizeof *result);
    l.first = plan->same ? calloc(plan->requests->count, sizeof *l.first) : NULL;
    if (!clients || !result || (plan->same && !l.first)) {
        psy__no_memory();
    }
    atomic_init(&l.left, plan->count);
    uint32_t opened = 0;
    for (*status = 0; *status == 0 && opened < plan->clients; opened++) {
        *status = open_client(&l, &clients[opened], opened);
    }
    if (*status == 0) {
        struct sigaction action = {.sa_handler = on_end, .sa_flags = (int)SA_RESETHAND}, old_int, old_term;
        (void)sigaction(SIGINT, &action, &old_int);
        (void)sigaction(SIGTERM, &action, &old_term);
        start(&l, clients);
        attend(&l, clients, what, silent);
        (void)sigaction(SIGINT, &old_int, NULL);
        (void)sigaction(SIGTERM, &old_term, NULL);
    }
    for (uint32_t i = 0; i < opened; i++) {
        add(result, &clients[i].result);
        close_client(&clients[i]);
    }
    result->stopped = asked_to_end;
    free(clients);
    free(l.first);
    if (*status != 0) {
        free(result);
        result = NULL;
    }
    return result;
}

bool psy__load_failed(const psy__load_result *r)
{
    uint64_t bad = r->unanswered + r->different;
    for (unsigned i = 0; i < PSY_LOAD_STATUSES; i++) {
        bad += i == PSY_OK ? 0 : r->statuses[i];
    }
    return bad > 0 || r->trouble[0] != '\0';
}

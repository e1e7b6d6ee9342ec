/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to services. A call waits here until there is a connection, its pipeline is agreed and the channel has room; then it is
 * the channel's, and ends with the channel's one reply; then its completion is delivered, once. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "socket/socket_state.h"

enum { NOBODY = UINT32_MAX, REPLIES_AT_ONCE = 32 };
/* Before a call that found its shard dead is made again; before a pipeline that was refused is asked for again. */
static const uint64_t again_ns = 10000000, ask_again_ns = 100000000;

/* ---- lists ---- */

static void push(psy_socket *s, psy__call_list *list, uint32_t i)
{
    s->calls[i].next = NOBODY;
    if (list->count++ == 0) {
        list->first = i;
    } else {
        s->calls[list->last].next = i;
    }
    list->last = i;
}

static uint32_t pop(psy_socket *s, psy__call_list *list)
{
    uint32_t i = list->first;
    list->first = s->calls[i].next;
    list->count--;
    return i;
}

psy_status psy__socket_calls_init(psy_socket *s)
{
    s->calls = calloc(s->options.in_flight, sizeof *s->calls);
    s->pipelines = calloc(PSY_SOCKET_PIPELINES, sizeof *s->pipelines);
    if (!s->calls || !s->pipelines) {
        return psy_fail(PSY_NO_MEMORY, "no memory for %u calls", s->options.in_flight);
    }
    for (uint32_t i = 0; i < s->options.in_flight; i++) {
        push(s, &s->idle, i);
    }
    return PSY_OK;
}

void psy__socket_calls_fini(psy_socket *s)
{
    for (uint32_t i = 0; s->calls && i < s->options.in_flight; i++) {
        psy__socket_call *call = &s->calls[i];
        if (call->line) {
            psy__line_release(call->line);
        }
        free(call->request);
    }
    if (s->line) {
        psy__line_release(s->line);
    }
    free(s->calls);
    free(s->pipelines);
}

void psy__line_release(psy__line *line)
{
    if (--line->held == 0) {
        psy_channel_close(line->channel);
        free(line);
    }
}

/* ---- pipelines ---- */

static bool same_type(const psy_type *a, const psy_type *b)
{
    return a->layout_hash == b->layout_hash && a->bytes == b->bytes && strcmp(a->name, b->name) == 0;
}

static psy_status no_service(const psy_socket *s)
{
    return psy_fail(PSY_INVALID, "%s is a socket, no service: use psy_socket_send_bytes and psy_socket_receive_bytes", s->uri);
}

/* Every call has room for a copy of the largest request. */
static psy_status make_room(psy_socket *s, uint32_t bytes)
{
    for (uint32_t i = 0; bytes > s->request_room && i < s->options.in_flight; i++) {
        void *request = realloc(s->calls[i].request, bytes);
        if (!request) {
            return psy_fail(PSY_NO_MEMORY, "no memory for %u requests of %u bytes", s->options.in_flight, bytes);
        }
        s->calls[i].request = request;
    }
    s->request_room = bytes > s->request_room ? bytes : s->request_room;
    return PSY_OK;
}

psy_status psy_socket_pipeline(psy_socket *s, const char *name, const psy_type *request, const psy_type *reply, uint32_t *out)
{
    if (!s || !name || !request || !reply || !out || strlen(name) >= PSY_NAME_BYTES) {
        return psy_fail(PSY_INVALID, "psy_socket_pipeline: a null argument, or a name of more than %d bytes",
                        PSY_NAME_BYTES - 1);
    }
    if (s->bound || (s->known && !s->service)) {
        return no_service(s);
    }
    for (uint32_t i = 0; i < s->pipeline_count; i++) {
        psy__socket_pipeline *p = &s->pipelines[i];
        if (strcmp(p->name, name) == 0 && same_type(p->request, request) && same_type(p->reply, reply)) {
            *out = i;
            return PSY_OK;
        }
    }
    if (s->pipeline_count == PSY_SOCKET_PIPELINES) {
        return psy_fail(PSY_LIMIT, "%s: a socket names at most %d pipelines", s->uri, PSY_SOCKET_PIPELINES);
    }
    psy_status status = make_room(s, request->bytes);
    if (status != PSY_OK) {
        return status;
    }
    psy__socket_pipeline *p = &s->pipelines[s->pipeline_count];
    *p = (psy__socket_pipeline){.request = request, .reply = reply};
    snprintf(p->name, sizeof p->name, "%s", name);
    *out = s->pipeline_count++;
    return PSY_OK;
}

void psy__socket_line_up(psy_socket *s)
{
    s->asked = NOBODY;
    for (uint32_t i = 0; i < s->pipeline_count; i++) {
        s->pipelines[i].phase = PIPELINE_NAMED;
    }
}

/* Asks the service for one pipeline at a time, and hears its answer. */
static void agree(psy_socket *s)
{
    psy_channel *channel = s->line->channel;
    if (s->asked != NOBODY) {
        psy__socket_pipeline *p = &s->pipelines[s->asked];
        psy_status status = psy__channel_open_end(channel, &p->agreed);
        if (status == PSY_EMPTY) {
            return;
        }
        p->phase = status == PSY_OK ? PIPELINE_AGREED : PIPELINE_REFUSED;
        p->status = status;
        p->ask_again_ns = s->now_ns + ask_again_ns;
        snprintf(p->text, sizeof p->text, "%s", status == PSY_OK ? "" : psy_detail());
        s->asked = NOBODY;
    }
    for (uint32_t i = 0; i < s->pipeline_count; i++) {
        psy__socket_pipeline *p = &s->pipelines[i];
        if (p->phase == PIPELINE_NAMED) {
            psy_status status = psy__channel_open_begin(channel, p->name, p->request, p->reply);
            if (status == PSY_OK) {
                p->phase = PIPELINE_ASKED;
                s->asked = i;
            } else if (status != PSY_FULL) {
                p->phase = PIPELINE_REFUSED;
                p->status = status;
                p->ask_again_ns = s->now_ns + ask_again_ns;
                snprintf(p->text, sizeof p->text, "%s", psy_detail());
                continue;
            }
            return;
        }
    }
}

/* ---- ends ---- */

/* The call has ended: its one completion. */
static void end_call(psy_socket *s, uint32_t i, psy_status status)
{
    psy__socket_call *call = &s->calls[i];
    call->status = status;
    call->latency_ns = s->now_ns > call->began_ns ? s->now_ns - call->began_ns : 0;
    call->phase = SOCKET_CALL_ENDED;
    s->calls_out--;
    s->stirred++;
    if (!call->blocking) {
        push(s, call->done ? &s->to_call_back : &s->to_poll, i);
    }
    psy__socket_light(s);
}

/* Nobody needs the call any more. */
static void free_call(psy_socket *s, uint32_t i)
{
    psy__socket_call *call = &s->calls[i];
    if (call->line) {
        psy_channel_release(call->line->channel, &call->reply);
        psy__line_release(call->line);
        call->line = NULL;
    }
    call->phase = SOCKET_CALL_FREE;
    push(s, &s->idle, i);
}

static void wait_again(psy_socket *s, uint32_t i, uint64_t not_before_ns)
{
    psy__socket_call *call = &s->calls[i];
    call->phase = SOCKET_CALL_WAITING;
    call->not_before_ns = not_before_ns;
    push(s, &s->waiting, i);
    uint64_t due_ns = not_before_ns && not_before_ns < call->deadline_ns ? not_before_ns : call->deadline_ns;
    s->call_due_ns = due_ns < s->call_due_ns ? due_ns : s->call_due_ns;
}

/* The channel's one reply to a call. */
static void take_reply(psy_socket *s, const psy_reply *reply)
{
    uint32_t i = (uint32_t)(uintptr_t)reply->user;
    psy__socket_call *call = &s->calls[i];
    if (call->phase != SOCKET_CALL_SENT) { /* it was ended here */
        psy_channel_release(s->line->channel, reply);
        return;
    }
    if (reply->status == PSY_OK) { /* the reply keeps the connection's memory */
        call->reply = *reply;
        call->line = s->line;
        s->line->held++;
        end_call(s, i, PSY_OK);
        return;
    }
    /* TIMEOUT before its time: a shard hangs, and will come again or be replaced. */
    bool unserved = reply->status == PSY_PEER_DIED || reply->status == PSY_TIMEOUT;
    if (unserved && s->options.retry && s->now_ns < call->deadline_ns) {
        wait_again(s, i, s->now_ns + again_ns);
        return;
    }
    if (reply->status == PSY_LAYOUT) { /* the service runs another version of it now */
        s->pipelines[call->pipeline].phase = PIPELINE_NAMED;
    }
    end_call(s, i, reply->status);
}

void psy__socket_end_calls(psy_socket *s, psy_status status)
{
    for (uint32_t i = 0; s->calls && i < s->options.in_flight; i++) {
        psy__socket_call *call = &s->calls[i];
        if (call->phase == SOCKET_CALL_SENT || call->phase == SOCKET_CALL_WAITING) {
            end_call(s, i, status);
        }
    }
    s->waiting.count = 0;
}

/* ---- on the way ---- */

/* Sends a call if that is possible now; FULL: not now. Anything else ends it. */
static psy_status try_send(psy_socket *s, psy__socket_call *call, uint32_t i, const void *request)
{
    psy__socket_pipeline *p = &s->pipelines[call->pipeline];
    if (s->dial != DIAL_UP || !s->line) {
        return PSY_FULL;
    }
    if (p->phase == PIPELINE_REFUSED && s->now_ns >= p->ask_again_ns) { /* it may be there by now */
        p->phase = PIPELINE_NAMED;
    }
    if (p->phase == PIPELINE_REFUSED) {
        return p->status;
    }
    if (p->phase != PIPELINE_AGREED) {
        return PSY_FULL;
    }
    psy_status status = psy_channel_claim(s->line->channel, &p->agreed, &call->out);
    if (status != PSY_OK) { /* CLOSED: the connection is about to be lost, and there will be another */
        return status == PSY_CLOSED ? PSY_FULL : status;
    }
    memcpy(call->out.message, request, p->request->bytes);
    psy_channel_commit_until(s->line->channel, &call->out, (void *)(uintptr_t)i, call->deadline_ns);
    call->phase = SOCKET_CALL_SENT;
    return PSY_OK;
}

/* All that wait, in order: sent, ended because it is too late, or waiting on. */
static void send_waiting(psy_socket *s)
{
    uint32_t n = s->waiting.count;
    uint64_t due_ns = UINT64_MAX;
    bool ready = s->dial == DIAL_UP && s->line;
    if (s->now_ns < s->call_due_ns && (!ready || s->line->channel->idle_count == 0)) {
        return; /* nobody can be sent, nobody is late */
    }
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = pop(s, &s->waiting);
        psy__socket_call *call = &s->calls[i];
        if (call->phase != SOCKET_CALL_WAITING) {
            continue; /* cancelled */
        }
        psy_status status = PSY_FULL;
        if (s->now_ns >= call->deadline_ns) {
            status = PSY_TIMEOUT;
        } else if (ready && s->now_ns >= call->not_before_ns) {
            status = try_send(s, call, i, call->request);
        }
        if (status == PSY_FULL) {
            uint64_t at = call->not_before_ns > s->now_ns && call->not_before_ns < call->deadline_ns ? call->not_before_ns
                                                                                                     : call->deadline_ns;
            due_ns = at < due_ns ? at : due_ns;
            push(s, &s->waiting, i);
        } else if (status != PSY_OK) {
            end_call(s, i, status);
        }
    }
    s->call_due_ns = due_ns;
}

void psy__socket_pump(psy_socket *s)
{
    if (!s->calls) {
        return;
    }
    if (s->dial == DIAL_UP && s->line) {
        psy_reply replies[REPLIES_AT_ONCE];
        uint32_t n = 0;
        psy_channel *channel = s->line->channel;
        agree(s);
        psy_status status = PSY_OK;
        while (status == PSY_OK) {
            if (channel->armed) {
                psy__socket_light(s); /* polling ends it */
            }
            status = psy_channel_poll(channel, replies, REPLIES_AT_ONCE, &n);
            for (uint32_t i = 0; i < n; i++) {
                take_reply(s, &replies[i]);
            }
            status = n < REPLIES_AT_ONCE && status == PSY_OK ? PSY_EMPTY : status;
        }
        if (status != PSY_EMPTY || channel->dead) {
            status = psy_channel_poll(channel, replies, 1, &n); /* nothing is left */
            if (status == PSY_CLOSED) {
                psy__socket_lose_service(s, PSY_PEER_DIED);
            } else if (status == PSY_OK) {
                take_reply(s, &replies[0]);
            }
        }
    }
    if (s->waiting.count) {
        send_waiting(s);
        if (s->dial == DIAL_UP && s->line) {
            psy_channel_flush(s->line->channel);
        }
    }
}

static psy_completion completion_of(const psy_socket *s, uint32_t i)
{
    const psy__socket_call *call = &s->calls[i];
    bool ok = call->status == PSY_OK;
    return (psy_completion){.call = (uint64_t)call->generation << 32 | i,
                            .status = call->status,
                            .bytes = ok ? call->reply.bytes : 0,
                            .message = ok ? call->reply.message : NULL,
                            .user = call->user,
                            .latency_ns = call->latency_ns};
}

void psy__socket_call_back(psy_socket *s)
{
    /* Those that end meanwhile come at the next round: a callback that makes a call each time does not keep us for ever. */
    for (uint32_t n = s->to_call_back.count; n > 0 && !s->inside; n--) {
        uint32_t i = pop(s, &s->to_call_back);
        psy_completion completion = completion_of(s, i);
        psy_socket_done done = s->calls[i].done;
        s->calls[i].phase = SOCKET_CALL_HELD;
        s->inside = true;
        done(completion.user, &completion);
        s->inside = false;
        free_call(s, i);
    }
}

/* ---- the caller's ---- */

static psy_status begin(psy_socket *s, uint32_t pipeline, const void *message, uint64_t timeout_ns, uint32_t *out)
{
    if (s->bound || (s->known && !s->service)) {
        return no_service(s);
    }
    if (pipeline >= s->pipeline_count) {
        return psy_fail(PSY_INVALID, "%s: there is no pipeline %u: psy_socket_pipeline gives numbers", s->uri, pipeline);
    }
    if (s->draining) {
        return psy_fail(PSY_CLOSED, "%s: the socket is being drained: it takes no more calls", s->uri);
    }
    if (s->idle.count == 0) {
        return psy_fail(PSY_FULL, "%s: %u calls have not been released: the limit is in_flight", s->uri, s->options.in_flight);
    }
    uint32_t i = pop(s, &s->idle);
    psy__socket_call *call = &s->calls[i];
    uint32_t generation = call->generation + 1;
    *call = (psy__socket_call){
        .generation = generation ? generation : 1, .pipeline = pipeline, .request = call->request, .began_ns = psy__now_ns()};
    call->deadline_ns = psy__add_ns(call->began_ns, timeout_ns);
    s->now_ns = call->began_ns;
    s->calls_out++;
    *out = i;
    psy_status status = PSY_FULL;
    if (s->waiting.count == 0 && s->now_ns < call->deadline_ns) {
        status = try_send(s, call, i, message);
    }
    if (status != PSY_OK || s->options.retry) {
        memcpy(call->request, message, s->pipelines[pipeline].request->bytes);
    }
    if (status == PSY_FULL) {
        wait_again(s, i, 0);
    }
    return status == PSY_OK || status == PSY_FULL ? PSY_OK : status;
}

psy_status psy_socket_call_async(psy_socket *s, uint32_t pipeline, const void *message, uint64_t timeout_ns,
                                 psy_socket_done done, void *user, uint64_t *number)
{
    uint32_t i = NOBODY;
    if (!s || !message) {
        return psy_fail(PSY_INVALID, "psy_socket_call_async: a null argument");
    }
    psy_status status = begin(s, pipeline, message, timeout_ns, &i);
    if (i == NOBODY) {
        return status;
    }
    psy__socket_call *call = &s->calls[i];
    call->done = done;
    call->user = user;
    if (number) {
        *number = (uint64_t)call->generation << 32 | i;
    }
    if (status != PSY_OK) { /* refused by the service: that is how it ends */
        end_call(s, i, status);
    } else if (call->phase == SOCKET_CALL_SENT && !s->inside) {
        psy_channel_flush(s->line->channel);
    }
    return PSY_OK;
}

psy_status psy_socket_call(psy_socket *s, uint32_t pipeline, const void *message, void *reply, uint64_t timeout_ns)
{
    if (!s || !message || !reply || s->inside) {
        return psy_fail(PSY_INVALID, "psy_socket_call: %s", s && s->inside ? "inside of a callback" : "a null argument");
    }
    uint32_t i = NOBODY;
    psy__socket_work(s);
    psy_status status = begin(s, pipeline, message, timeout_ns, &i);
    if (i == NOBODY) {
        return status;
    }
    psy__socket_call *call = &s->calls[i];
    call->blocking = true;
    if (status != PSY_OK) {
        end_call(s, i, status);
    }
    while (call->phase != SOCKET_CALL_ENDED) {
        psy__socket_nap(s, NULL, false, call->deadline_ns);
        psy__socket_work(s);
    }
    const psy__socket_pipeline *p = &s->pipelines[pipeline];
    const char *who = s->service_peer[0] ? s->service_peer : s->uri;
    status = call->status;
    if (status == PSY_OK) {
        memcpy(reply, call->reply.message, p->reply->bytes);
    } else if (status == PSY_INVALID && s->known && !s->service) {
        (void)no_service(s);
    } else if (p->phase == PIPELINE_REFUSED && p->status == status) {
        (void)psy_fail(status, "%s: %s", who, p->text);
    } else if (status == PSY_TIMEOUT && s->dial != DIAL_UP) {
        (void)psy_fail(status, "%s: %s: not connected in time: %s", who, p->name, s->text);
    } else {
        (void)psy_fail(status, "%s: %s: %s, after %llu us: %s", who, p->name, psy_status_text(status),
                       (unsigned long long)(call->latency_ns / 1000), psy_status_help(status));
    }
    free_call(s, i);
    return status;
}

psy_status psy_socket_cancel(psy_socket *s, uint64_t number)
{
    uint32_t i = (uint32_t)number;
    if (!s || !s->calls || i >= s->options.in_flight || s->calls[i].generation != number >> 32) {
        return PSY_NOT_FOUND;
    }
    psy__socket_call *call = &s->calls[i];
    if (call->phase == SOCKET_CALL_SENT && s->line) {
        psy_status status = psy_channel_cancel(s->line->channel, &call->out);
        if (status == PSY_OK) {
            psy__socket_light(s);
        }
        return status;
    }
    if (call->phase != SOCKET_CALL_WAITING) {
        return PSY_NOT_FOUND;
    }
    uint32_t n = s->waiting.count; /* out of the list */
    for (uint32_t k = 0; k < n; k++) {
        uint32_t other = pop(s, &s->waiting);
        if (other != i) {
            push(s, &s->waiting, other);
        }
    }
    end_call(s, i, PSY_CANCELLED);
    return PSY_OK;
}

psy_status psy_socket_poll(psy_socket *s, psy_completion *completions, uint32_t max, uint32_t *count)
{
    if (!s || !completions || !count || max == 0) {
        return psy_fail(PSY_INVALID, "psy_socket_poll: a null or zero argument");
    }
    *count = 0;
    if (!s->calls) {
        return no_service(s);
    }
    psy__socket_work(s);
    if (s->to_poll.count == 0 && (!psy__socket_quench(s, NULL) || s->to_poll.count == 0)) {
        return PSY_EMPTY;
    }
    while (*count < max && s->to_poll.count > 0) {
        uint32_t i = pop(s, &s->to_poll);
        completions[(*count)++] = completion_of(s, i);
        if (s->calls[i].status == PSY_OK) {
            s->calls[i].phase = SOCKET_CALL_HELD;
        } else {
            free_call(s, i);
        }
    }
    return PSY_OK;
}

void psy_socket_release_reply(psy_socket *s, const psy_completion *completion)
{
    if (s && s->calls && completion) {
        uint32_t i = (uint32_t)completion->call;
        if (i < s->options.in_flight && s->calls[i].generation == completion->call >> 32 &&
            s->calls[i].phase == SOCKET_CALL_HELD && !s->calls[i].done) {
            free_call(s, i);
        }
    }
}

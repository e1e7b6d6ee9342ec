/* SPDX-License-Identifier: Apache-2.0 */
/* Channels and sockets under the same verbs. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/service/served_values.h"
#include "tests/service/soak.h"

static psy_status open_socket(soak_line *line, const char *uri)
{
    psy_socket_options o = {.in_flight = line->kind->in_flight, .retry = line->kind->retry, .reconnect_max_ns = 50000000};
    psy_status status = psy_socket_connect(uri, &o, &line->socket);
    for (uint32_t i = 0; i < SOAK_LANES && status == PSY_OK; i++) {
        status =
            psy_socket_pipeline(line->socket, soak_lane_names[i], programs_ask_type(), programs_answer_type(), &line->lanes[i]);
    }
    return status;
}

static psy_status open_channel(soak_line *line, const char *uri)
{
    psy_channel_options o = {.in_flight = line->kind->in_flight, .trace = line->kind->trace, .connect_timeout_ns = 2000000000};
    psy_status status = psy_channel_connect(uri, &o, &line->channel);
    for (uint32_t i = 0; i < SOAK_LANES && status == PSY_OK && !line->kind->program; i++) {
        status = psy_channel_open(line->channel, soak_lane_names[i], programs_ask_type(), programs_answer_type(),
                                  &line->pipelines[i]);
    }
    return status;
}

psy_status soak_line_open(soak_line *line, const soak_kind *kind, const char *uri)
{
    *line = (soak_line){.kind = kind};
    psy_status status = kind->socket ? open_socket(line, uri) : open_channel(line, uri);
    if (status != PSY_OK) {
        soak_line_close(line);
    }
    return status;
}

psy_status soak_line_send_program(soak_line *line, const void *bytes, size_t n)
{
    uint32_t version;
    psy_status status = psy_channel_send_program(line->channel, bytes, n, "mine", &version);
    for (uint32_t i = 0; i < SOAK_LANES && status == PSY_OK; i++) {
        char name[32];
        snprintf(name, sizeof name, "mine/%s", soak_lane_names[i]);
        status = psy_channel_open(line->channel, name, programs_ask_type(), programs_answer_type(), &line->pipelines[i]);
    }
    return status;
}

psy_status soak_line_edit(soak_line *line, const psy_edit *edits, uint32_t count, uint64_t *version)
{
    return psy_channel_edit(line->channel, edits, count, version, 60000000000);
}

psy_status soak_line_send(soak_line *line, uint32_t lane, uint64_t number, uint64_t key, uint64_t deadline_ns,
                          soak_ticket *ticket)
{
    void *user = (void *)(uintptr_t)number;
    if (line->socket) {
        programs_ask ask;
        uint64_t now = psy__now_ns();
        served_ask(&ask, key);
        return psy_socket_call_async(line->socket, line->lanes[lane], &ask, deadline_ns > now ? deadline_ns - now : 0, NULL,
                                     user, &ticket->number);
    }
    psy_status status = psy_channel_claim(line->channel, &line->pipelines[lane], &ticket->call);
    if (status == PSY_OK) {
        served_ask(ticket->call.message, key);
        psy_channel_commit_until(line->channel, &ticket->call, user, deadline_ns);
    }
    return status;
}

psy_status soak_line_cancel(soak_line *line, const soak_ticket *ticket)
{
    return line->socket ? psy_socket_cancel(line->socket, ticket->number) : psy_channel_cancel(line->channel, &ticket->call);
}

static psy_status take_completions(soak_line *line, soak_reply *replies, uint32_t max, uint32_t *count)
{
    psy_socket_event event;
    psy_completion completions[32];
    psy_status status = psy_socket_poll(line->socket, completions, max < 32 ? max : 32, count);
    for (uint32_t i = 0; i < *count; i++) {
        const psy_completion *c = &completions[i];
        replies[i] = (soak_reply){.number = (uint64_t)(uintptr_t)c->user,
                                  .status = c->status,
                                  .message = c->message,
                                  .bytes = c->bytes,
                                  .socket = *c};
    }
    while (psy_socket_next_event(line->socket, &event) == PSY_OK) {
        line->lost |= event.kind == PSY_SOCKET_LOST;
    }
    return status;
}

psy_status soak_line_take(soak_line *line, soak_reply *replies, uint32_t max, uint32_t *count)
{
    psy_reply some[32];
    *count = 0;
    if (line->socket) {
        return take_completions(line, replies, max, count);
    }
    psy_status status = psy_channel_poll(line->channel, some, max < 32 ? max : 32, count);
    for (uint32_t i = 0; i < *count; i++) {
        const psy_reply *r = &some[i];
        replies[i] = (soak_reply){.number = (uint64_t)(uintptr_t)r->user,
                                  .status = r->status,
                                  .message = r->message,
                                  .bytes = r->bytes,
                                  .channel = *r};
    }
    return status;
}

void soak_line_release(soak_line *line, const soak_reply *reply)
{
    if (line->socket) {
        psy_socket_release_reply(line->socket, &reply->socket);
    } else {
        psy_channel_release(line->channel, &reply->channel);
    }
}

void soak_line_wait(soak_line *line, uint64_t timeout_ns)
{
    psy_status status = line->socket ? psy_socket_wait(line->socket, timeout_ns) : psy_channel_wait(line->channel, timeout_ns);
    (void)status; /* the next take says what there is */
}

void soak_line_close(soak_line *line)
{
    psy_channel_close(line->channel);
    psy_socket_close(line->socket);
    line->channel = NULL;
    line->socket = NULL;
}

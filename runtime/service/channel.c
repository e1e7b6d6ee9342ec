/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "service/channel_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <psyne/envelope.h>

#include "base/clock.h"

enum { IN_FLIGHT_DEFAULT = 256, CALL_TIMEOUT_MS_DEFAULT = 10000 };
static const uint64_t connect_timeout_default_ns = 10000000000;

/* The client's memory: request ring and response slab, in the geometry that the broker told. */
static psy_status make_slabs(psy_channel *c, const psy__welcome *welcome, psy__attach *attach)
{
    uint32_t stride = PSY_ENVELOPE_BYTES + ((welcome->request_bytes + 63) & ~UINT32_C(63));
    uint32_t slots = psy__power_of_two_above(c->in_flight);
    uint32_t writers = welcome->places + 1;
    uint32_t reply_stride = (welcome->reply_bytes + 63) & ~UINT32_C(63);
    uint64_t response_bytes = psy__responses_bytes(c->in_flight, reply_stride, writers);
    if (response_bytes == 0) {
        return psy_fail(PSY_PROTOCOL, "the service asks for replies of %u bytes from %u writers", reply_stride, writers);
    }
    psy_slab_options options = {.bytes = psy_ring_bytes(stride, slots), .name = "psyne-requests", .pretouch = true};
    psy_status status = psy_slab_create(&options, &c->request_slab);
    if (status != PSY_OK) {
        return status;
    }
    options.bytes = response_bytes;
    options.name = "psyne-responses";
    status = psy_slab_create(&options, &c->response_slab);
    if (status != PSY_OK) {
        return status;
    }
    status = psy_ring_init(&c->requests, psy_slab_data(c->request_slab), psy_slab_data_bytes(c->request_slab), stride, slots);
    psy__responses_view(&c->responses, psy_slab_data(c->response_slab), c->in_flight, reply_stride, writers);
    c->completions = calloc(writers, sizeof *c->completions);
    c->calls = calloc(c->in_flight, sizeof *c->calls);
    c->idle = calloc(c->in_flight, sizeof *c->idle);
    c->cancelled = calloc(c->in_flight, sizeof *c->cancelled);
    if (!c->completions || !c->calls || !c->idle || !c->cancelled) {
        return psy_fail(PSY_NO_MEMORY, "no memory for %u calls", c->in_flight);
    }
    for (uint32_t w = 0; status == PSY_OK && w < writers; w++) {
        uint64_t bytes;
        void *at = psy__completions_at(&c->responses, w, &bytes);
        psy_ring_shape shape = {PSY_RING_SPSC, 8, c->responses.completion_slots};
        status = psy_ring_format(at, bytes, &shape);
        if (status == PSY_OK) {
            status = psy_ring_attach(&c->completions[w], PSY_RING_CONSUMER, at, bytes, shape.stride, shape.slots);
        }
    }
    c->places = psy__writers_at(&c->responses);
    c->active[c->active_count++] = (uint8_t)(writers - 1);
    for (uint32_t i = 0; i < c->in_flight; i++) {
        c->idle[c->idle_count++] = c->in_flight - 1 - i;
    }
    *attach = (psy__attach){.request_slots = slots, .request_stride = stride, .reply_slots = c->in_flight};
    return status;
}

/* Labels as the broker and the workers have them. */
static void count_rings(psy_channel *c)
{
    psy__counting_begin(&c->counting, &c->requests, c->request_slab, "client %u requests", c->client);
    psy__channel_look(c);
    psy__counting_begin(&c->counting, &c->completions[c->responses.writers - 1], c->response_slab,
                        "client %u completions broker", c->client);
}

void psy__channel_writers_changed(psy_channel *c, uint64_t places)
{
    const uint32_t broker = c->responses.writers - 1;
    uint32_t got;
    places &= broker == 64 ? UINT64_MAX : (UINT64_C(1) << broker) - 1;
    uint64_t writing = places;
    for (uint64_t gone = c->writing & ~places; gone; gone &= gone - 1) { /* what it wrote last is still to be taken */
        uint32_t w = (uint32_t)__builtin_ctzll(gone);
        bool left = psy_ring_peek(&c->completions[w], 1, &got) != NULL;
        writing |= left ? UINT64_C(1) << w : 0;
        if (!left) {
            psy__counting_end(&c->counting, &c->completions[w]);
        }
    }
    for (uint64_t come = places & ~c->writing; come; come &= come - 1) {
        uint32_t w = (uint32_t)__builtin_ctzll(come);
        psy__counting_begin(&c->counting, &c->completions[w], c->response_slab, "client %u completions shard %u", c->client, w);
    }
    c->writing = writing;
    c->active_count = 0;
    for (uint64_t rest = writing; rest; rest &= rest - 1) {
        c->active[c->active_count++] = (uint8_t)__builtin_ctzll(rest);
    }
    c->active[c->active_count++] = (uint8_t)broker;
}

/* The service's word on sizes: makes the slabs and hands them over. */
static psy_status attach(psy_channel *c, const psy__welcome *welcome)
{
    if (c->in_flight > welcome->in_flight_max) {
        return psy_fail(PSY_LIMIT, "%s: in_flight %u; the service allows %u", c->peer, c->in_flight, welcome->in_flight_max);
    }
    if (welcome->places == 0 || welcome->places > PSY_SHARDS_MAX || welcome->request_bytes > (UINT32_C(1) << 30) ||
        welcome->reply_bytes > (UINT32_C(1) << 30)) {
        return psy_fail(PSY_PROTOCOL, "%s: the service's sizes make no sense", c->peer);
    }
    memcpy(c->request_salt, welcome->request_salt, sizeof c->request_salt);
    memcpy(c->route_salt, welcome->route_salt, sizeof c->route_salt);
    psy__attach request;
    psy_status status = make_slabs(c, welcome, &request);
    if (status != PSY_OK) {
        return status;
    }
    psy_bell bell[2];
    status = psy_bell_open_pair(bell);
    if (status != PSY_OK) {
        return status;
    }
    c->bell = bell[0];
    int fds[3] = {psy_slab_fd(c->request_slab), psy_slab_fd(c->response_slab), psy_bell_fd(&bell[1])};
    status = psy__say(c->link, PSY_SAY_ATTACH, &request, sizeof request, fds, 3);
    psy_bell_close(&bell[1]);
    return status;
}

void psy__name_peer(char *to, size_t room, const char *uri, psy__link *link)
{
    int pid;
    unsigned uid;
    if (psy__link_peer(link, &pid, &uid) == PSY_OK && pid > 0) {
        snprintf(to, room, "%.180s (process %d)", uri, pid);
    } else {
        snprintf(to, room, "%.180s", uri);
    }
}

static psy_status check_options(const char *uri, const psy_channel_options *o)
{
    if (!uri || o->in_flight > PSY_REPLY_SLOTS_MAX || o->call_timeout_ms > UINT16_MAX) {
        return psy_fail(PSY_INVALID, "psy_channel_connect: in_flight is 1 to %d, call_timeout_ms 1 to %d", PSY_REPLY_SLOTS_MAX,
                        UINT16_MAX);
    }
    return PSY_OK;
}

psy_status psy__channel_begin(const char *uri, const psy_channel_options *options, psy__link *link, psy__control *control,
                              psy_channel **out)
{
    psy_channel_options o = options ? *options : (psy_channel_options){0};
    psy__welcome welcome;
    psy_status status = check_options(uri, &o);
    psy_channel *c = status == PSY_OK ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        psy__close_fds(control->fds, control->fd_count);
        psy__link_close(link);
        return status == PSY_OK ? psy_fail(PSY_NO_MEMORY, "no memory for a channel") : status;
    }
    c->link = link;
    c->epoll_fd = c->timer_fd = -1;
    c->give_up_due_ns = UINT64_MAX;
    c->agent = o.agent;
    psy__counting_init(&c->counting, o.counters, uri);
    psy__name_peer(c->peer, sizeof c->peer, uri, link);
    c->in_flight = o.in_flight ? o.in_flight : IN_FLIGHT_DEFAULT;
    c->trace = o.trace;
    c->call_timeout_ms = o.call_timeout_ms ? o.call_timeout_ms : CALL_TIMEOUT_MS_DEFAULT;
    c->connect_timeout_ns = o.connect_timeout_ns ? o.connect_timeout_ns : connect_timeout_default_ns;
    status = psy__hear_this(control, PSY_SAY_WELCOME, &welcome, sizeof welcome, NULL, 0);
    if (status == PSY_OK) {
        status = attach(c, &welcome);
    }
    if (status != PSY_OK) {
        psy_channel_close(c);
        return status;
    }
    *out = c;
    return PSY_OK;
}

psy_status psy__channel_step(psy_channel *c)
{
    psy__attached attached;
    if (c->attached) {
        return PSY_OK;
    }
    psy_status status = psy__hear_now(c->link, PSY_SAY_ATTACHED, &attached, sizeof attached, NULL, 0);
    if (status == PSY_OK) {
        c->attached = true;
        c->client = attached.client;
        count_rings(c);
    }
    return status;
}

/* The service's first word. */
static psy_status introduce(psy__link *link, const char *uri, const psy__patience *patience, psy__control *first)
{
    psy__hello hello = {.role = PSY_ROLE_CLIENT};
    psy_status status = psy__introduce(link, &hello);
    if (status != PSY_OK) {
        return status;
    }
    for (;;) {
        switch (psy__link_poll(link, first)) {
        case PSY_EVENT_CONTROL: return PSY_OK;
        case PSY_EVENT_CLOSED: return psy_fail(PSY_PEER_DIED, "%s: the service closed the connection", uri);
        case PSY_EVENT_NONE: break;
        }
        if (!psy__bide(link, patience)) {
            return psy_fail(PSY_TIMEOUT, "%s: the service is there, but not all of its shards are ready, or it is stopped",
                            uri);
        }
    }
}

psy_status psy_channel_connect(const char *uri, const psy_channel_options *options, psy_channel **out)
{
    psy_channel_options o = options ? *options : (psy_channel_options){0};
    psy_status status = check_options(uri, &o);
    if (status != PSY_OK || !out) {
        return status != PSY_OK ? status : psy_fail(PSY_INVALID, "psy_channel_connect: a null argument");
    }
    uint64_t timeout_ns = o.connect_timeout_ns ? o.connect_timeout_ns : connect_timeout_default_ns;
    const psy__patience patience = {o.agent, psy__add_ns(psy__now_ns(), timeout_ns)};
    psy__link *link;
    psy__control first;
    status = psy__call_up(uri, &patience, &link);
    if (status != PSY_OK) {
        return status;
    }
    status = introduce(link, uri, &patience, &first);
    if (status != PSY_OK) {
        psy__link_close(link);
        return status;
    }
    psy_channel *c;
    status = psy__channel_begin(uri, &o, link, &first, &c);
    if (status != PSY_OK) {
        return status;
    }
    while ((status = psy__channel_step(c)) == PSY_EMPTY && psy__bide(c->link, &patience)) {
    }
    if (status != PSY_OK) {
        status = status == PSY_EMPTY ? psy_fail(PSY_TIMEOUT, "%s: the service did not answer in time", c->peer) : status;
        psy_channel_close(c);
        return status;
    }
    *out = c;
    return PSY_OK;
}

void psy__channel_end(psy_channel *c)
{
    if (!c->dead) {
        c->dead = true;
        snprintf(c->end_text, sizeof c->end_text, "%s", psy_detail());
        psy__channel_unwatch(c);
    }
}

psy_status psy__channel_closed(const psy_channel *c)
{
    if (!c->dead) {
        return psy_fail(PSY_CLOSED, "%s: the channel is being drained: it takes no more calls", c->peer);
    }
    return psy_fail(PSY_CLOSED, "%s: the connection is closed: %s", c->peer,
                    c->end_text[0] ? c->end_text : "the service is gone");
}

static psy_status copy_name(char to[PSY_NAME_BYTES], const char *name)
{
    size_t n = strlen(name);
    if (n >= PSY_NAME_BYTES) {
        return psy_fail(PSY_INVALID, "the name %.40s... is longer than %d bytes", name, PSY_NAME_BYTES - 1);
    }
    memcpy(to, name, n + 1);
    return PSY_OK;
}

psy_status psy__channel_open_begin(psy_channel *c, const char *pipeline, const psy_type *request, const psy_type *reply)
{
    if (c->dead) {
        return psy__channel_closed(c);
    }
    psy__open open = {.request_hash = request->layout_hash, .reply_hash = reply->layout_hash};
    psy_status status = copy_name(open.pipeline, pipeline);
    status = status == PSY_OK ? copy_name(open.request_name, request->name) : status;
    status = status == PSY_OK ? copy_name(open.reply_name, reply->name) : status;
    if (status == PSY_OK) {
        status = psy__say(c->link, PSY_SAY_OPEN, &open, sizeof open, NULL, 0);
        if (status != PSY_OK && status != PSY_FULL) {
            psy__channel_end(c);
        }
    }
    if (status == PSY_OK) {
        c->opening[0] = request;
        c->opening[1] = reply;
        memcpy(c->opening_name, open.pipeline, sizeof c->opening_name);
    }
    return status;
}

psy_status psy__channel_open_end(psy_channel *c, psy_pipeline *out)
{
    const psy_type *request = c->opening[0], *reply = c->opening[1];
    psy__control control;
    psy__opened opened;
    bool fatal;
    psy_status status;
    switch (psy__link_poll(c->link, &control)) {
    case PSY_EVENT_NONE: return PSY_EMPTY;
    case PSY_EVENT_CLOSED:
        (void)psy_fail(PSY_PEER_DIED, "the service is gone");
        psy__channel_end(c);
        return psy__channel_closed(c);
    case PSY_EVENT_CONTROL: break;
    }
    c->opening[0] = c->opening[1] = NULL;
    if (psy__heard_refusal(&control, &status, &fatal) && !fatal) {
        psy__close_fds(control.fds, control.fd_count);
        return status;
    }
    status = psy__hear_this(&control, PSY_SAY_OPENED, &opened, sizeof opened, NULL, 0);
    if (status != PSY_OK) {
        psy__channel_end(c);
        return status;
    }
    if (opened.request_bytes != request->bytes || opened.reply_bytes != reply->bytes ||
        opened.reply_bytes > c->responses.stride || PSY_ENVELOPE_BYTES + opened.request_bytes > c->requests.stride ||
        (opened.key_offset != UINT32_MAX && (opened.request_bytes < 8 || opened.key_offset > opened.request_bytes - 8))) {
        return psy_fail(PSY_PROTOCOL, "%s: pipeline %s: the service's sizes contradict what was agreed", c->peer,
                        c->opening_name);
    }
    *out = (psy_pipeline){opened.pipeline, opened.request_type, opened.request_bytes, opened.reply_bytes, opened.key_offset};
    return PSY_OK;
}

psy_status psy_channel_open(psy_channel *c, const char *pipeline, const psy_type *request, const psy_type *reply,
                            psy_pipeline *out)
{
    if (!c || !pipeline || !request || !reply || !out) {
        return psy_fail(PSY_INVALID, "psy_channel_open: a null argument");
    }
    psy_status status = psy__channel_open_begin(c, pipeline, request, reply);
    if (status != PSY_OK) {
        return status;
    }
    const psy__patience patience = {c->agent, psy__add_ns(psy__now_ns(), c->connect_timeout_ns)};
    while ((status = psy__channel_open_end(c, out)) == PSY_EMPTY && psy__bide(c->link, &patience)) {
    }
    if (status == PSY_EMPTY) { /* an answer that comes later would be taken for that to another question */
        c->opening[0] = c->opening[1] = NULL;
        status = psy_fail(PSY_TIMEOUT, "%s: pipeline %s: the service did not answer in time", c->peer, pipeline);
        psy__channel_end(c);
    }
    return status;
}

const char *psy_channel_peer(const psy_channel *c) { return c->peer; }

void psy_channel_drain(psy_channel *c) { c->draining = true; }

void psy_channel_close(psy_channel *c)
{
    if (!c) {
        return;
    }
    psy__counting_end(&c->counting, &c->requests);
    for (uint32_t w = 0; c->completions && w < c->responses.writers; w++) {
        psy__counting_end(&c->counting, &c->completions[w]);
    }
    psy__channel_unwatch(c);
    psy__link_close(c->link);
    psy_slab_destroy(c->request_slab);
    psy_slab_destroy(c->response_slab);
    if (c->epoll_fd >= 0) {
        close(c->epoll_fd);
        close(c->timer_fd);
    }
    psy_bell_close(&c->bell);
    free(c->cancelled);
    free(c->completions);
    free(c->calls);
    free(c->idle);
    free(c);
}

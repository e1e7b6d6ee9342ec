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
    uint32_t writers = welcome->shards + 1;
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
    if (!c->completions || !c->calls || !c->idle) {
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
    for (uint32_t i = 0; i < c->in_flight; i++) {
        c->idle[c->idle_count++] = c->in_flight - 1 - i;
    }
    *attach = (psy__attach){.request_slots = slots, .request_stride = stride, .reply_slots = c->in_flight};
    return status;
}

/* Labels as the broker and the workers have them. */
static void count_rings(psy_channel *c, uint32_t client)
{
    psy__counting_begin(&c->counting, &c->requests, c->request_slab, "client %u requests", client);
    for (uint32_t w = 0; w + 1 < c->responses.writers; w++) {
        psy__counting_begin(&c->counting, &c->completions[w], c->response_slab, "client %u completions shard %u", client, w);
    }
    psy__counting_begin(&c->counting, &c->completions[c->responses.writers - 1], c->response_slab,
                        "client %u completions broker", client);
}

static psy_status attach(psy_channel *c, const char *uri, uint64_t deadline_ns)
{
    psy__hello hello = {.role = PSY_ROLE_CLIENT};
    psy_status status = psy__introduce(c->link, &hello);
    if (status != PSY_OK) {
        return status;
    }
    psy__welcome welcome;
    status = psy__hear(c->link, PSY_SAY_WELCOME, &welcome, sizeof welcome, NULL, 0, deadline_ns);
    if (status == PSY_TIMEOUT) {
        return psy_fail(PSY_TIMEOUT, "%s: the service is there, but not all of its shards are ready, or it is stopped", uri);
    }
    if (status != PSY_OK) {
        return status;
    }
    if (c->in_flight > welcome.in_flight_max) {
        return psy_fail(PSY_LIMIT, "%s: in_flight %u; the service allows %u", uri, c->in_flight, welcome.in_flight_max);
    }
    if (welcome.shards == 0 || welcome.shards > PSY_SHARDS_MAX || welcome.request_bytes > (UINT32_C(1) << 30) ||
        welcome.reply_bytes > (UINT32_C(1) << 30)) {
        return psy_fail(PSY_PROTOCOL, "%s: the service's sizes make no sense", uri);
    }
    memcpy(c->request_salt, welcome.request_salt, sizeof c->request_salt);
    memcpy(c->route_salt, welcome.route_salt, sizeof c->route_salt);
    psy__attach request;
    status = make_slabs(c, &welcome, &request);
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
    psy__attached attached;
    if (status == PSY_OK) {
        status = psy__hear(c->link, PSY_SAY_ATTACHED, &attached, sizeof attached, NULL, 0, deadline_ns);
    }
    if (status == PSY_OK) {
        count_rings(c, attached.client);
    }
    return status;
}

psy_status psy_channel_connect(const char *uri, const psy_channel_options *options, psy_channel **out)
{
    psy_channel_options o = options ? *options : (psy_channel_options){0};
    if (!uri || !out || o.in_flight > PSY_REPLY_SLOTS_MAX || o.call_timeout_ms > UINT16_MAX) {
        return psy_fail(PSY_INVALID, "psy_channel_connect: in_flight is 1 to %d, call_timeout_ms 1 to %d", PSY_REPLY_SLOTS_MAX,
                        UINT16_MAX);
    }
    psy_channel *c = calloc(1, sizeof *c);
    if (!c) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a channel");
    }
    psy__counting_init(&c->counting, o.counters, uri);
    c->in_flight = o.in_flight ? o.in_flight : IN_FLIGHT_DEFAULT;
    c->trace = o.trace;
    c->call_timeout_ms = o.call_timeout_ms ? o.call_timeout_ms : CALL_TIMEOUT_MS_DEFAULT;
    c->connect_timeout_ns = o.connect_timeout_ns ? o.connect_timeout_ns : connect_timeout_default_ns;
    uint64_t deadline_ns = psy__add_ns(psy__now_ns(), c->connect_timeout_ns);
    psy_status status = psy__connect(uri, c->connect_timeout_ns, &c->link);
    if (status == PSY_OK) {
        status = attach(c, uri, deadline_ns);
    }
    if (status != PSY_OK) {
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
    }
}

psy_status psy__channel_closed(const psy_channel *c)
{
    return psy_fail(PSY_CLOSED, "the connection is closed: %s", c->end_text[0] ? c->end_text : "the service is gone");
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

psy_status psy_channel_open(psy_channel *c, const char *pipeline, const psy_type *request, const psy_type *reply,
                            psy_pipeline *out)
{
    if (!c || !pipeline || !request || !reply || !out) {
        return psy_fail(PSY_INVALID, "psy_channel_open: a null argument");
    }
    if (c->dead) {
        return psy__channel_closed(c);
    }
    psy__open open = {.request_hash = request->layout_hash, .reply_hash = reply->layout_hash};
    psy_status status = copy_name(open.pipeline, pipeline);
    status = status == PSY_OK ? copy_name(open.request_name, request->name) : status;
    status = status == PSY_OK ? copy_name(open.reply_name, reply->name) : status;
    if (status != PSY_OK) {
        return status;
    }
    status = psy__say(c->link, PSY_SAY_OPEN, &open, sizeof open, NULL, 0);
    psy__opened opened;
    if (status == PSY_OK) {
        status = psy__hear(c->link, PSY_SAY_OPENED, &opened, sizeof opened, NULL, 0,
                           psy__add_ns(psy__now_ns(), c->connect_timeout_ns));
    }
    if (status == PSY_LAYOUT || status == PSY_NOT_FOUND || status == PSY_LIMIT || status == PSY_DENIED) {
        return status;
    }
    if (status != PSY_OK) { /* an answer that comes later would be taken for that to another question */
        psy__channel_end(c);
        return status == PSY_PEER_DIED ? psy__channel_closed(c) : status;
    }
    if (opened.request_bytes != request->bytes || opened.reply_bytes != reply->bytes ||
        opened.reply_bytes > c->responses.stride || PSY_ENVELOPE_BYTES + opened.request_bytes > c->requests.stride ||
        (opened.key_offset != UINT32_MAX && (opened.request_bytes < 8 || opened.key_offset > opened.request_bytes - 8))) {
        return psy_fail(PSY_PROTOCOL, "pipeline %s: the service's sizes contradict what was agreed", pipeline);
    }
    *out = (psy_pipeline){opened.pipeline, opened.request_type, opened.request_bytes, opened.reply_bytes, opened.key_offset};
    return PSY_OK;
}

void psy_channel_close(psy_channel *c)
{
    if (!c) {
        return;
    }
    psy__counting_end(&c->counting, &c->requests);
    for (uint32_t w = 0; c->completions && w < c->responses.writers; w++) {
        psy__counting_end(&c->counting, &c->completions[w]);
    }
    if (c->link) {
        psy__link_close(c->link);
    }
    psy_slab_destroy(c->request_slab);
    psy_slab_destroy(c->response_slab);
    psy_bell_close(&c->bell);
    free(c->completions);
    free(c->calls);
    free(c->idle);
    free(c);
}

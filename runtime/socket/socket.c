/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a socket, and what it tells of its connections. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failure.h"
#include "socket/socket_state.h"

enum { MESSAGE_BYTES_DEFAULT = 256 << 10, MESSAGE_BYTES_MOST = 1 << 30, PEERS_DEFAULT = 64, IN_FLIGHT_DEFAULT = 256 };
static const uint64_t reconnect_min_default_ns = 5000000, reconnect_max_default_ns = 1000000000, drain_look_ns = 1000000;

static psy_status take_options(psy_socket *s, const psy_socket_options *options)
{
    psy_socket_options *o = &s->options;
    *o = options ? *options : (psy_socket_options){0};
    if (o->message_bytes_max > MESSAGE_BYTES_MOST || o->queue_bytes > UINT32_C(1) << 31 || o->peers_max > PSY_PEERS_MAX ||
        o->in_flight > PSY_REPLY_SLOTS_MAX) {
        return psy_fail(PSY_INVALID,
                        "psy_socket_options: message_bytes_max is at most %d, queue_bytes %u, peers_max %d, in_flight %d",
                        MESSAGE_BYTES_MOST, UINT32_C(1) << 31, PSY_PEERS_MAX, PSY_REPLY_SLOTS_MAX);
    }
    o->message_bytes_max = o->message_bytes_max ? o->message_bytes_max : MESSAGE_BYTES_DEFAULT;
    o->in_flight = o->in_flight ? o->in_flight : IN_FLIGHT_DEFAULT;
    o->peers_max = o->peers_max ? o->peers_max : PEERS_DEFAULT;
    o->reconnect_min_ns = o->reconnect_min_ns ? o->reconnect_min_ns : reconnect_min_default_ns;
    o->reconnect_max_ns = o->reconnect_max_ns ? o->reconnect_max_ns : reconnect_max_default_ns;
    o->reconnect_max_ns = o->reconnect_max_ns > o->reconnect_min_ns ? o->reconnect_max_ns : o->reconnect_min_ns;
    s->back_off_ns = o->reconnect_min_ns;
    uint64_t queue = o->queue_bytes ? o->queue_bytes : 4 * ((uint64_t)o->message_bytes_max + 64);
    return psy__peer_shape(o->message_bytes_max, queue > UINT32_C(1) << 31 ? UINT32_C(1) << 31 : (uint32_t)queue, &s->granule,
                           &s->slots);
}

static psy_status create(const char *uri, const psy_socket_options *options, bool bound, psy_socket **out)
{
    if (!uri || !out || strlen(uri) >= sizeof(*out)->uri) {
        return psy_fail(PSY_INVALID, "a socket: a null argument, or an address of more than %zu bytes", sizeof(*out)->uri - 1);
    }
    psy_socket *s = calloc(1, sizeof *s);
    if (!s) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a socket");
    }
    s->bound = s->known = bound;
    s->watched_fd = s->outer_fd = s->timer_fd = -1;
    s->call_due_ns = s->next_due_ns = UINT64_MAX;
    s->asked = UINT32_MAX;
    memcpy(s->uri, uri, strlen(uri) + 1);
    psy__counting_init(&s->counting, options ? options->counters : NULL, uri);
    psy_status status = take_options(s, options);
    if (status == PSY_OK) {
        s->peer_room = bound ? s->options.peers_max : PSY_PEERS_OF_CONNECTED;
        s->peers = calloc(s->peer_room, sizeof *s->peers);
        s->events = calloc(PSY_SOCKET_EVENTS, sizeof *s->events);
        s->watched_fd = epoll_create1(EPOLL_CLOEXEC);
        status = !s->peers || !s->events ? psy_fail(PSY_NO_MEMORY, "no memory for a socket")
                 : s->watched_fd < 0     ? psy__system_failure("a socket", "epoll_create1", errno)
                                         : PSY_OK;
    }
    if (status == PSY_OK && !bound) {
        status = psy__socket_calls_init(s);
    }
    if (status != PSY_OK) {
        psy_socket_close(s);
        return status;
    }
    *out = s;
    return PSY_OK;
}

psy_status psy_socket_bind(const char *uri, const psy_socket_options *options, psy_socket **out)
{
    psy_socket *s;
    psy_status status = create(uri, options, true, &s);
    if (status != PSY_OK) {
        return status;
    }
    status = psy__bind(uri, &s->listener);
    if (status != PSY_OK) {
        s->listener = NULL;
        psy_socket_close(s);
        return status;
    }
    psy__socket_watch(s, psy__listener_fd(s->listener), PSY_WATCH_LISTENER, 0);
    *out = s;
    return PSY_OK;
}

psy_status psy_socket_connect(const char *uri, const psy_socket_options *options, psy_socket **out)
{
    psy_socket *s;
    psy_status status = create(uri, options, false, &s);
    if (status != PSY_OK) {
        return status;
    }
    psy__socket_work(s); /* the first try: an address that is none is said now */
    if (s->address == PSY_INVALID || s->address == PSY_UNSUPPORTED || s->address == PSY_TOO_LARGE) {
        status = psy_fail(s->address, "%s", s->text);
    }
    if (status != PSY_OK) {
        psy_socket_close(s);
        return status;
    }
    *out = s;
    return PSY_OK;
}

/* ---- events ---- */

void psy__socket_tell(psy_socket *s, psy_socket_event_kind kind, psy_peer peer, bool service, psy_status status,
                      psy__outbox *outbox, uint64_t untaken)
{
    s->stirred++;
    /* What was not taken is kept for the last losses only: it is memory. */
    for (uint32_t i = 0, kept = outbox != NULL; outbox && i < s->event_count; i++) {
        psy__socket_event *event = &s->events[(s->event_first + s->event_count - 1 - i) % PSY_SOCKET_EVENTS];
        if (event->outbox && ++kept > PSY_SOCKET_OUTBOXES) {
            psy__outbox_release(event->outbox);
            event->outbox = NULL;
        }
    }
    if (s->event_count == PSY_SOCKET_EVENTS) {
        psy__outbox_release(s->events[s->event_first].outbox);
        s->event_first = (s->event_first + 1) % PSY_SOCKET_EVENTS;
        s->event_count--;
        s->events_missed++;
    }
    psy__socket_event *event = &s->events[(s->event_first + s->event_count++) % PSY_SOCKET_EVENTS];
    *event = (psy__socket_event){.said = {.kind = kind, .peer = peer, .service = service, .status = status, .untaken = untaken},
                                 .outbox = outbox};
    snprintf(event->said.text, sizeof event->said.text, "%s", psy_detail());
    psy__socket_light(s);
}

psy_status psy_socket_next_event(psy_socket *s, psy_socket_event *out)
{
    if (!s || !out) {
        return psy_fail(PSY_INVALID, "psy_socket_next_event: a null argument");
    }
    s->asks_events = true;
    psy__socket_work(s);
    if (s->event_count == 0 && (!psy__socket_quench(s, NULL) || s->event_count == 0)) {
        return PSY_EMPTY;
    }
    psy__outbox_release(s->last_outbox);
    psy__socket_event *event = &s->events[s->event_first];
    *out = event->said;
    out->missed = s->events_missed;
    s->events_missed = 0;
    s->last_outbox = event->outbox;
    s->untaken_open = false;
    s->event_first = (s->event_first + 1) % PSY_SOCKET_EVENTS;
    s->event_count--;
    return PSY_OK;
}

psy_status psy_socket_untaken(psy_socket *s, psy_parcel *out)
{
    if (!s || !out) {
        return psy_fail(PSY_INVALID, "psy_socket_untaken: a null argument");
    }
    psy__outbox *box = s->last_outbox;
    if (!box) {
        return PSY_EMPTY;
    }
    if (!s->untaken_open) {
        psy_status status = psy_ring_attach(&s->untaken, PSY_RING_CONSUMER, psy_slab_data(box->slab),
                                            psy_slab_data_bytes(box->slab), box->ring.stride, box->ring.slots);
        if (status != PSY_OK) {
            return status;
        }
        s->untaken_open = true;
    }
    uint32_t bytes;
    uint64_t sequence;
    const void *frame = psy_frame_next(&s->untaken, &bytes);
    if (!frame || !psy__parcel_read(frame, bytes, &sequence, out)) {
        return PSY_EMPTY;
    }
    return PSY_OK;
}

void psy_socket_get_info(psy_socket *s, psy_socket_info *out)
{
    psy__socket_work(s);
    *out = s->counts;
    bool connected = s->up_count > 0 || (s->dial == DIAL_UP && s->line);
    out->state = s->draining ? PSY_SOCKET_DRAINING : connected ? PSY_SOCKET_CONNECTED : PSY_SOCKET_CONNECTING;
    out->service = s->service;
    out->peers = s->up_count;
    out->calls = s->calls_out;
    out->why = connected ? PSY_OK : s->why;
    snprintf(out->text, sizeof out->text, "%s", connected ? "" : s->text);
}

/* ---- the end ---- */

/* Messages that a peer has not taken: how many peers have some. */
static uint32_t owing(psy_socket *s, const char **who)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->peer_top; i++) {
        psy__peer *p = &s->peers[i];
        if (p->phase == PEER_UP) {
            psy__peer_flush(p);
            if (psy_ring_fill(&p->out->ring) > 0) {
                *who = p->name;
                n++;
            }
        }
    }
    return n;
}

psy_status psy_socket_drain(psy_socket *s, uint64_t timeout_ns)
{
    if (!s || s->inside) {
        return psy_fail(PSY_INVALID, "psy_socket_drain: %s", s ? "inside of a callback" : "a null argument");
    }
    uint64_t untaken = s->counts.untaken, until_ns = psy__add_ns(psy__now_ns(), timeout_ns);
    const char *who = s->uri;
    s->draining = true;
    for (;;) {
        psy__socket_work(s);
        uint32_t peers = owing(s, &who);
        if (peers == 0 && s->calls_out == 0) {
            return s->counts.untaken == untaken ? PSY_OK
                                                : psy_fail(PSY_PEER_DIED, "%s: lost with %llu messages that it had not taken",
                                                           s->uri, (unsigned long long)(s->counts.untaken - untaken));
        }
        uint64_t now = psy__now_ns();
        if (now >= until_ns) {
            return psy_fail(PSY_TIMEOUT, "%s: %u calls have not ended, and %u peers have not taken all messages", who,
                            s->calls_out, peers);
        }
        /* That a peer takes something is no reason to be woken: there is room. */
        uint64_t look_ns = peers ? now + drain_look_ns : until_ns;
        psy__socket_nap(s, NULL, false, look_ns < until_ns ? look_ns : until_ns);
    }
}

void psy_socket_close(psy_socket *s)
{
    if (!s) {
        return;
    }
    s->draining = true;
    if (s->calls) {
        (void)psy_fail(PSY_CLOSED, "%s: the socket was closed", s->uri);
        psy__socket_end_calls(s, PSY_CLOSED);
    }
    if (s->inside) {
        return;
    }
    psy__socket_call_back(s);
    for (uint32_t i = 0; i < s->peer_top; i++) {
        psy__peer *p = &s->peers[i];
        if (p->phase == PEER_UP) {
            psy__peer_bye bye;
            psy__peer_flush(p);
            psy__socket_uncount(s, p);
            (void)!psy__say(p->link, (psy__word)PSY_SAY_PEER_BYE, &bye, sizeof bye, NULL, 0); /* full: it is told by the end */
        }
        psy__peer_fini(p);
    }
    for (uint32_t i = 0; i < PSY_GUESTS_AT_SOCKET; i++) {
        if (s->guests[i]) {
            psy__link_close(s->guests[i]);
        }
    }
    if (s->listener) {
        psy__listener_close(s->listener);
    }
    if (s->link) {
        psy__link_close(s->link);
    }
    psy__socket_calls_fini(s);
    psy__outbox_release(s->draft_box);
    psy__outbox_release(s->last_outbox);
    for (uint32_t i = 0; i < s->event_count; i++) {
        psy__outbox_release(s->events[(s->event_first + i) % PSY_SOCKET_EVENTS].outbox);
    }
    psy_bell_close(&s->self);
    if (s->timer_fd >= 0) {
        close(s->timer_fd);
    }
    if (s->outer_fd >= 0) {
        close(s->outer_fd);
    }
    if (s->watched_fd >= 0) {
        close(s->watched_fd);
    }
    free(s->peers);
    free(s->events);
    free(s);
}

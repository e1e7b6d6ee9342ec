/* SPDX-License-Identifier: Apache-2.0 */
/* Who is there: connecting and connecting again, introductions, losses. Nothing here blocks. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "socket/socket_state.h"

enum { CONTROLS_PER_ROUND = 16 };
/* How long a place is kept for somebody who says nothing. */
static const uint64_t guest_ns = 5000000000, attach_ns = 30000000000;

static uint32_t place_of(const psy_socket *s, const psy__peer *p) { return (uint32_t)(p - s->peers); }

static psy__peer *take_place(psy_socket *s)
{
    for (uint32_t i = 0; i < s->peer_room; i++) {
        psy__peer *p = &s->peers[i];
        if (p->phase == PEER_NONE) {
            *p = (psy__peer){.phase = PEER_INVITED, .number = ++s->peer_epoch << 12 | i, .expected = 1};
            s->peer_top = i >= s->peer_top ? i + 1 : s->peer_top;
            return p;
        }
    }
    return NULL;
}

void psy__socket_uncount(psy_socket *s, psy__peer *p)
{
    if (p->out) {
        psy__counting_end(&s->counting, &p->out->ring);
    }
    psy__counting_end(&s->counting, &p->in);
}

void psy__socket_clear_peer(psy_socket *s, psy__peer *p)
{
    s->gone_count -= p->phase == PEER_GONE;
    psy__peer_fini(p);
    while (s->peer_top > 0 && s->peers[s->peer_top - 1].phase == PEER_NONE) {
        s->peer_top--;
    }
}

/* Both sides give a ring the same label: who sends to whom. */
static void count_rings(psy_socket *s, psy__peer *p)
{
    int pid = 0;
    unsigned uid;
    if (psy__link_peer(p->link, &pid, &uid) != PSY_OK) {
        pid = 0;
    }
    psy__counting_begin(&s->counting, &p->out->ring, p->out->slab, "process %d to %d", (int)getpid(), pid);
    psy__counting_begin(&s->counting, &p->in, p->in_slab, "process %d to %d", pid, (int)getpid());
}

static void peer_is_up(psy_socket *s, psy__peer *p)
{
    count_rings(s, p);
    p->phase = PEER_UP;
    s->up_count++;
    s->counts.connected++;
    psy__socket_watch(s, psy__link_fd(p->link), PSY_WATCH_PEER, place_of(s, p));
    psy__socket_watch(s, psy_bell_fd(&p->bell), PSY_WATCH_BELL, place_of(s, p));
    (void)psy_fail(PSY_OK, "%s is connected", p->name);
    psy__socket_tell(s, PSY_SOCKET_GAINED, p->number, false, PSY_OK, NULL, 0);
}

/* The next try to connect: later each time. */
static void back_off(psy_socket *s)
{
    s->dial = DIAL_IDLE;
    s->dial_due_ns = s->now_ns + s->back_off_ns;
    s->back_off_ns = 2 * s->back_off_ns < s->options.reconnect_max_ns ? 2 * s->back_off_ns : s->options.reconnect_max_ns;
}

static void note_why(psy_socket *s, psy_status status)
{
    s->why = status;
    snprintf(s->text, sizeof s->text, "%s", psy_detail());
}

void psy__socket_lose_peer(psy_socket *s, psy__peer *p, psy_status status)
{
    char text[256];
    snprintf(text, sizeof text, "%s", psy_detail());
    psy__socket_uncount(s, p);
    uint64_t untaken = p->out ? psy__outbox_untaken(p->out) : 0;
    psy__outbox *kept = untaken ? p->out : NULL;
    if (kept) {
        kept->holds++;
    }
    psy__socket_unwatch(s, psy__link_fd(p->link));
    psy__socket_unwatch(s, psy_bell_fd(&p->bell));
    psy__link_close(p->link);
    p->link = NULL;
    psy_bell_close(&p->bell);
    psy__outbox_release(p->out);
    p->out = NULL;
    s->up_count -= p->phase == PEER_UP;
    s->counts.lost++;
    s->counts.untaken += untaken;
    (void)psy_fail(status, "%s", text);
    note_why(s, status);
    psy__socket_tell(s, PSY_SOCKET_LOST, p->number, false, status, kept, untaken);
    if (!s->bound) {
        back_off(s);
    }
    /* What it sent before can still be received; where it lied nothing of it. Its memory may be changed even now: what counts
     * is where its messages ended when it went. */
    p->phase = PEER_GONE;
    s->gone_count++;
    p->last_slot = p->in.position + (status == PSY_PROTOCOL ? 0 : psy_ring_fill(&p->in));
    if (p->in.position >= p->last_slot && s->held != p) {
        psy__socket_clear_peer(s, p);
    }
}

void psy__socket_lose_service(psy_socket *s, psy_status status)
{
    s->counts.lost++;
    note_why(s, status);
    psy__socket_tell(s, PSY_SOCKET_LOST, 0, true, status, NULL, 0);
    int fd;
    if (psy_channel_fd(s->line->channel, &fd) == PSY_OK) {
        psy__socket_unwatch(s, fd);
    }
    psy__line_release(s->line);
    s->line = NULL;
    back_off(s);
}

/* ---- who connects ---- */

static void dial_failed(psy_socket *s, psy_status status)
{
    char text[256];
    snprintf(text, sizeof text, "%s", psy_detail());
    note_why(s, strstr(text, s->uri) ? status : psy_fail(status, "%s: %s", s->uri, text));
    if (s->link) {
        psy__socket_unwatch(s, psy__link_fd(s->link));
        psy__link_close(s->link);
        s->link = NULL;
    }
    if (s->caller) {
        psy__socket_clear_peer(s, s->caller);
        s->caller = NULL;
    }
    if (s->line) {
        int fd;
        if (psy_channel_fd(s->line->channel, &fd) == PSY_OK) {
            psy__socket_unwatch(s, fd);
        }
        psy__line_release(s->line);
        s->line = NULL;
    }
    if (status != PSY_UNREACHABLE && status != PSY_FULL) {
        s->counts.refused++;
        if (status != s->refused_why) {
            s->refused_why = status;
            (void)psy_fail(status, "%s", s->text);
            psy__socket_tell(s, PSY_SOCKET_REFUSED, 0, s->known && s->service, status, NULL, 0);
        }
    }
    back_off(s);
}

static void call_up(psy_socket *s)
{
    psy__hello hello = {.role = PSY_ROLE_CLIENT, .shard = PSY_HELLO_FROM_SOCKET};
    psy_status status = psy__connect(s->uri, 0, &s->link);
    s->address = status;
    if (status != PSY_OK) {
        s->link = NULL;
        dial_failed(s, status);
        return;
    }
    status = psy__introduce(s->link, &hello);
    if (status != PSY_OK) {
        dial_failed(s, status);
        return;
    }
    psy__socket_watch(s, psy__link_fd(s->link), PSY_WATCH_DIAL, 0);
    s->dial = DIAL_CALLED;
    note_why(s,
             psy_fail(PSY_TIMEOUT, "%s is there, but does not answer yet: not all shards are ready, or it is stopped", s->uri));
}

static psy_status meet_peer(psy_socket *s, psy__control *control)
{
    psy__peer_welcome welcome;
    psy_bell bell[2];
    psy_status status = psy__hear_this(control, (psy__word)PSY_SAY_PEER_WELCOME, &welcome, sizeof welcome, NULL, 0);
    if (status != PSY_OK) {
        return status;
    }
    psy__peer *p = s->caller = take_place(s);
    if (!p) {
        return psy_fail(PSY_LIMIT, "%s: messages of the last connections have not been received yet", s->uri);
    }
    psy__name_peer(p->name, sizeof p->name, s->uri, s->link);
    p->out_max =
        welcome.message_bytes_max < s->options.message_bytes_max ? welcome.message_bytes_max : s->options.message_bytes_max;
    status = psy__outbox_create(s->granule, s->slots, &p->out);
    if (status == PSY_OK) {
        status = psy_bell_open_pair(bell);
    }
    if (status != PSY_OK) {
        return status;
    }
    p->bell = bell[0];
    psy__peer_attach said = {.message_bytes_max = s->options.message_bytes_max, .granule = s->granule, .slots = s->slots};
    int fds[2] = {psy_slab_fd(p->out->slab), psy_bell_fd(&bell[1])};
    status = psy__say(s->link, (psy__word)PSY_SAY_PEER_ATTACH, &said, sizeof said, fds, 2);
    psy_bell_close(&bell[1]);
    s->dial = DIAL_PEER;
    return status;
}

static psy_status peer_attached(psy_socket *s, psy__control *control)
{
    psy__peer_attach said;
    int fd;
    psy_status status = psy__hear_this(control, (psy__word)PSY_SAY_PEER_ATTACHED, &said, sizeof said, &fd, 1);
    if (status == PSY_OK) {
        status = psy__peer_adopt(s->caller, &said, fd);
    }
    if (status != PSY_OK) {
        return status;
    }
    psy__socket_unwatch(s, psy__link_fd(s->link));
    s->caller->link = s->link;
    s->link = NULL;
    psy__peer *p = s->caller;
    s->caller = NULL;
    s->dial = DIAL_UP;
    s->back_off_ns = s->options.reconnect_min_ns;
    s->refused_why = PSY_OK;
    peer_is_up(s, p);
    return PSY_OK;
}

/* What is at the other end; calls or messages that wait for the other kind learn of it. */
static void learn(psy_socket *s, bool service)
{
    s->known = true;
    s->service = service;
    if (!service) {
        psy__socket_end_calls(s, PSY_INVALID);
    }
}

static psy_status meet_service(psy_socket *s, psy__control *control)
{
    psy_channel_options o = {.in_flight = s->options.in_flight, .counters = s->options.counters, .agent = s->options.agent};
    psy__link *link = s->link;
    psy_channel *channel;
    int fd;
    psy__line *line = calloc(1, sizeof *line);
    psy__socket_unwatch(s, psy__link_fd(link));
    s->link = NULL; /* the channel's from here on */
    if (!line) {
        psy__close_fds(control->fds, control->fd_count);
        psy__link_close(link);
        return psy_fail(PSY_NO_MEMORY, "no memory for a connection");
    }
    psy_status status = psy__channel_begin(s->uri, &o, link, control, &channel);
    if (status != PSY_OK) {
        free(line);
        return status;
    }
    *line = (psy__line){channel, 1};
    s->line = line;
    s->dial = DIAL_SERVICE;
    snprintf(s->service_peer, sizeof s->service_peer, "%s", psy_channel_peer(channel));
    status = psy_channel_fd(channel, &fd);
    if (status == PSY_OK) {
        psy__socket_watch(s, fd, PSY_WATCH_DIAL, 0);
    }
    return status;
}

static void step_service(psy_socket *s)
{
    psy_status status = psy__channel_step(s->line->channel);
    if (status == PSY_EMPTY) {
        return;
    }
    if (status != PSY_OK) {
        dial_failed(s, status);
        return;
    }
    s->dial = DIAL_UP;
    s->back_off_ns = s->options.reconnect_min_ns;
    s->refused_why = PSY_OK;
    s->counts.connected++;
    (void)psy_fail(PSY_OK, "%s is connected", s->service_peer);
    psy__socket_tell(s, PSY_SOCKET_GAINED, 0, true, PSY_OK, NULL, 0);
    psy__socket_line_up(s);
}

static void hear_dial(psy_socket *s)
{
    psy__control control;
    psy_status status;
    if (s->dial == DIAL_SERVICE) {
        step_service(s);
        return;
    }
    while (s->link && (s->dial == DIAL_CALLED || s->dial == DIAL_PEER)) {
        switch (psy__link_poll(s->link, &control)) {
        case PSY_EVENT_NONE: return;
        case PSY_EVENT_CLOSED:
            dial_failed(s, psy_fail(PSY_PEER_DIED, "%s closed the connection before it was made", s->uri));
            return;
        case PSY_EVENT_CONTROL: break;
        }
        if (s->dial == DIAL_PEER) {
            status = peer_attached(s, &control);
        } else if ((int)psy__heard_what(&control) == PSY_SAY_PEER_WELCOME) {
            learn(s, false);
            status = meet_peer(s, &control);
        } else if (psy__heard_what(&control) == PSY_SAY_WELCOME) {
            learn(s, true);
            status = meet_service(s, &control);
        } else {
            psy__welcome none; /* a refusal, or a word that makes no sense: that says which */
            status = psy__hear_this(&control, PSY_SAY_WELCOME, &none, sizeof none, NULL, 0);
        }
        if (status != PSY_OK) {
            dial_failed(s, status);
        }
    }
}

/* ---- who is bound ---- */

static void accept_guests(psy_socket *s)
{
    for (uint32_t i = 0; i < PSY_GUESTS_AT_SOCKET; i++) {
        if (s->guests[i]) {
            continue;
        }
        if (psy__accept(s->listener, &s->guests[i]) != PSY_OK) {
            s->guests[i] = NULL;
            return;
        }
        s->guest_due_ns[i] = s->now_ns + guest_ns;
        psy__socket_watch(s, psy__link_fd(s->guests[i]), PSY_WATCH_GUEST, i);
        if (++s->guest_count == PSY_GUESTS_AT_SOCKET) { /* no place for another: not worth being woken for */
            psy__socket_unwatch(s, psy__listener_fd(s->listener));
        }
    }
}

static void forget_guest(psy_socket *s, uint32_t place)
{
    psy__socket_unwatch(s, psy__link_fd(s->guests[place]));
    s->guests[place] = NULL;
    if (s->guest_count-- == PSY_GUESTS_AT_SOCKET) {
        psy__socket_watch(s, psy__listener_fd(s->listener), PSY_WATCH_LISTENER, 0);
    }
}

static psy_status introduce(psy_socket *s, psy__link *link, psy__control *control)
{
    psy__hello hello;
    psy_status status = psy__hear_this(control, PSY_SAY_HELLO, &hello, sizeof hello, NULL, 0);
    if (status != PSY_OK) {
        return status;
    }
    if (hello.role != PSY_ROLE_CLIENT || hello.shard != PSY_HELLO_FROM_SOCKET) {
        return psy_fail(PSY_INVALID, "%s is a socket for messages, no service: connect with psy_socket_connect", s->uri);
    }
    psy__peer *p = s->draining ? NULL : take_place(s);
    if (!p) {
        return s->draining ? psy_fail(PSY_CLOSED, "%s is about to close", s->uri)
                           : psy_fail(PSY_LIMIT, "%s has its %u peers", s->uri, s->peer_room);
    }
    psy__peer_welcome welcome = {.message_bytes_max = s->options.message_bytes_max};
    status = psy__say(link, (psy__word)PSY_SAY_PEER_WELCOME, &welcome, sizeof welcome, NULL, 0);
    if (status != PSY_OK) {
        psy__socket_clear_peer(s, p);
        return status;
    }
    p->link = link;
    p->due_ns = s->now_ns + attach_ns;
    psy__name_peer(p->name, sizeof p->name, s->uri, link);
    psy__socket_watch(s, psy__link_fd(link), PSY_WATCH_PEER, place_of(s, p));
    return PSY_OK;
}

static void hear_guest(psy_socket *s, uint32_t place)
{
    psy__control control;
    psy__link *link = s->guests[place];
    psy__event event = link ? psy__link_poll(link, &control) : PSY_EVENT_NONE;
    if (event == PSY_EVENT_NONE) {
        return;
    }
    forget_guest(s, place);
    psy_status status = event == PSY_EVENT_CLOSED ? PSY_PEER_DIED : introduce(s, link, &control);
    if (status != PSY_OK) {
        if (event == PSY_EVENT_CONTROL) {
            s->counts.refused++;
            psy__refuse(link, status, 1);
        }
        psy__link_close(link);
    }
}

static psy_status attach_peer(psy_socket *s, psy__peer *p, psy__control *control)
{
    psy__peer_attach said;
    int fds[2];
    psy_status status = psy__hear_this(control, (psy__word)PSY_SAY_PEER_ATTACH, &said, sizeof said, fds, 2);
    if (status != PSY_OK) {
        return status;
    }
    status = psy_bell_adopt(fds[1], &p->bell);
    if (status != PSY_OK) {
        psy__close_fds(fds, 2);
        return status;
    }
    p->out_max = said.message_bytes_max < s->options.message_bytes_max ? said.message_bytes_max : s->options.message_bytes_max;
    status = psy__peer_adopt(p, &said, fds[0]);
    if (status == PSY_OK) {
        status = psy__outbox_create(s->granule, s->slots, &p->out);
    }
    if (status != PSY_OK) {
        return status;
    }
    psy__peer_attach answer = {.granule = s->granule, .slots = s->slots};
    int fd = psy_slab_fd(p->out->slab);
    status = psy__say(p->link, (psy__word)PSY_SAY_PEER_ATTACHED, &answer, sizeof answer, &fd, 1);
    if (status == PSY_OK) {
        psy__socket_unwatch(s, psy__link_fd(p->link));
        peer_is_up(s, p);
    }
    return status;
}

/* ---- who is connected ---- */

static void put_out(psy_socket *s, psy__peer *p, psy_status status)
{
    s->counts.refused++;
    psy__refuse(p->link, status, 1);
    psy__socket_unwatch(s, psy__link_fd(p->link));
    psy__socket_clear_peer(s, p);
}

static void hear_peer(psy_socket *s, psy__peer *p)
{
    psy__control control;
    for (uint32_t i = 0; i < CONTROLS_PER_ROUND && (p->phase == PEER_INVITED || p->phase == PEER_UP) && p->link; i++) {
        psy__event event = psy__link_poll(p->link, &control);
        if (event == PSY_EVENT_NONE) {
            return;
        }
        if (p->phase == PEER_INVITED) {
            if (event == PSY_EVENT_CLOSED) {
                psy__socket_unwatch(s, psy__link_fd(p->link));
                psy__socket_clear_peer(s, p);
                return;
            }
            psy_status status = attach_peer(s, p, &control);
            if (status != PSY_OK) {
                put_out(s, p, status);
            }
        } else if (event == PSY_EVENT_CLOSED) {
            psy__socket_lose_peer(s, p,
                                  p->said_bye ? psy_fail(PSY_CLOSED, "%s: the peer closed the connection", p->name)
                                              : psy_fail(PSY_PEER_DIED, "%s: the peer is gone, without a word", p->name));
        } else {
            psy__peer_bye bye;
            if (psy__hear_this(&control, (psy__word)PSY_SAY_PEER_BYE, &bye, sizeof bye, NULL, 0) != PSY_OK) {
                psy__socket_lose_peer(s, p, psy_fail(PSY_PROTOCOL, "%s: the peer sent a word out of turn", p->name));
            } else {
                p->said_bye = true;
            }
        }
    }
}

void psy__socket_hear(psy_socket *s, uint32_t watch, uint32_t place, bool torn)
{
    switch (watch) {
    case PSY_WATCH_LISTENER: accept_guests(s); break;
    case PSY_WATCH_GUEST: hear_guest(s, place); break;
    case PSY_WATCH_PEER: hear_peer(s, &s->peers[place]); break;
    case PSY_WATCH_DIAL: hear_dial(s); break;
    case PSY_WATCH_BELL: {
        psy__peer *p = &s->peers[place];
        if (torn) { /* the end of the link, which says more, may have come too */
            hear_peer(s, p);
        }
        if (torn && p->phase == PEER_UP) {
            psy__socket_lose_peer(s, p, psy_fail(PSY_PEER_DIED, "%s: the peer tore its bell down", p->name));
        }
        psy_bell_clear(&p->bell);
        break;
    }
    default: break;
    }
}

uint64_t psy__socket_dial(psy_socket *s)
{
    uint64_t next_ns = UINT64_MAX;
    if (!s->bound) {
        bool wanted = s->dial == DIAL_IDLE && s->gone_count < s->peer_room && (!s->draining || s->calls_out > 0);
        if (wanted && s->now_ns >= s->dial_due_ns) {
            call_up(s);
            hear_dial(s);
        }
        return wanted && s->dial == DIAL_IDLE ? s->dial_due_ns : UINT64_MAX;
    }
    for (uint32_t i = 0; s->guest_count > 0 && i < PSY_GUESTS_AT_SOCKET; i++) {
        if (s->guests[i] && s->now_ns >= s->guest_due_ns[i]) {
            psy__link *link = s->guests[i];
            forget_guest(s, i);
            psy__link_close(link);
        } else if (s->guests[i]) {
            next_ns = s->guest_due_ns[i] < next_ns ? s->guest_due_ns[i] : next_ns;
        }
    }
    for (uint32_t i = 0; s->up_count + s->gone_count < s->peer_top && i < s->peer_top; i++) {
        psy__peer *p = &s->peers[i];
        if (p->phase == PEER_INVITED && s->now_ns >= p->due_ns) {
            put_out(s, p, psy_fail(PSY_TIMEOUT, "%s: the peer did not attach in time", p->name));
        } else if (p->phase == PEER_INVITED) {
            next_ns = p->due_ns < next_ns ? p->due_ns : next_ns;
        }
    }
    return next_ns;
}

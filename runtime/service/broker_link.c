/* SPDX-License-Identifier: Apache-2.0 */
/* Who is there: connections, introductions, slabs, deaths. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/broker_state.h"

enum { CONTROLS_PER_ROUND = 16 };
/* How long a client has to hand over its slabs. */
static const uint64_t attach_ns = 30000000000;

/* ---- clients ---- */

static void remember_untold(psy_broker *b, uint32_t shard, uint32_t client)
{
    b->clients[client].untold |= UINT64_C(1) << shard;
    b->shards[shard].untold++;
}

static void forget_untold(psy_broker *b, uint32_t shard, uint32_t client)
{
    uint64_t bit = UINT64_C(1) << shard;
    if (b->clients[client].untold & bit) {
        b->clients[client].untold &= ~bit;
        b->shards[shard].untold--;
    }
}

/* Tells a shard of the clients that it does not know yet: OK, also where its link is full and some have to wait. */
static psy_status tell_clients(psy_broker *b, uint32_t shard)
{
    if (!b->shards[shard].engaged) { /* programs come first */
        return PSY_OK;
    }
    for (uint32_t i = 0; i < b->client_top && b->shards[shard].untold > 0; i++) {
        psy__client *c = &b->clients[i];
        if (!(c->untold >> shard & 1)) {
            continue;
        }
        psy__channel_said said = {
            .channel = i, .epoch = c->epoch, .reply_slots = c->responses.slots, .reply_stride = c->responses.stride};
        int fds[2] = {psy_slab_fd(c->response_slab), psy_bell_fd(&c->bell)};
        psy_status status = psy__say(b->shards[shard].link, PSY_SAY_CHANNEL, &said, sizeof said, fds, 2);
        if (status != PSY_OK) {
            return status == PSY_FULL ? PSY_OK : status;
        }
        forget_untold(b, shard, i);
    }
    return PSY_OK;
}

static void welcome(psy_broker *b, uint32_t index)
{
    psy__client *c = &b->clients[index];
    psy__welcome said = {.places = b->place_count,
                         .request_bytes = b->request_bytes,
                         .reply_bytes = b->reply_bytes,
                         .in_flight_max = PSY_CLIENT_IN_FLIGHT_MAX};
    memcpy(said.route_salt, b->route_salt, sizeof said.route_salt);
    if (getrandom(said.request_salt, sizeof said.request_salt, 0) != (ssize_t)sizeof said.request_salt ||
        psy__say(c->link, PSY_SAY_WELCOME, &said, sizeof said, NULL, 0) != PSY_OK) {
        psy__broker_drop_client(b, index);
        return;
    }
    c->phase = CLIENT_WELCOMED;
    c->attach_due_ns = b->now_ns + attach_ns;
}

/* The client's slabs: its memory, our checks. */
static psy_status serve(psy_broker *b, uint32_t index, psy__attach *said, int fds[3])
{
    psy__client *c = &b->clients[index];
    uint32_t stride = PSY_ENVELOPE_BYTES + b->request_bytes, reply_stride = b->reply_bytes;
    uint64_t need = psy__responses_bytes(said->reply_slots, reply_stride, b->place_count + 1);
    uint64_t request_need = psy_ring_bytes(stride, said->request_slots);
    if (said->request_stride != stride || said->reply_slots > PSY_CLIENT_IN_FLIGHT_MAX || need == 0 ||
        said->request_slots == 0 || said->request_slots > 2 * PSY_CLIENT_IN_FLIGHT_MAX ||
        (said->request_slots & (said->request_slots - 1)) != 0) {
        return psy_fail(PSY_PROTOCOL, "the client's slab geometry is not the one agreed");
    }
    psy_bell bell; /* closed with fds if the rest fails */
    psy_status status = psy_bell_adopt(fds[2], &bell);
    if (status == PSY_OK) {
        status = psy_slab_adopt(fds[0], UINT64_C(1) << 36, &c->request_slab);
        fds[0] = -1;
    }
    if (status == PSY_OK) {
        status = psy_slab_adopt(fds[1], UINT64_C(1) << 36, &c->response_slab);
        fds[1] = -1;
    }
    if (status == PSY_OK &&
        (psy_slab_data_bytes(c->request_slab) < request_need || psy_slab_data_bytes(c->response_slab) < need)) {
        status = psy_fail(PSY_PROTOCOL, "the client's slabs are smaller than agreed");
    }
    if (status == PSY_OK) {
        status = psy__guard_memory(&c->pass, psy_slab_bytes(c->request_slab) + psy_slab_bytes(c->response_slab));
    }
    if (status == PSY_OK) {
        status = psy_ring_attach(&c->requests, PSY_RING_CONSUMER, psy_slab_data(c->request_slab),
                                 psy_slab_data_bytes(c->request_slab), stride, said->request_slots);
    }
    if (status == PSY_OK) {
        psy__responses_view(&c->responses, psy_slab_data(c->response_slab), said->reply_slots, reply_stride,
                            b->place_count + 1);
        uint64_t bytes;
        void *at = psy__completions_at(&c->responses, b->place_count, &bytes);
        status = psy_ring_attach(&c->completions, PSY_RING_PRODUCER, at, bytes, 8, c->responses.completion_slots);
    }
    if (status != PSY_OK) {
        return status;
    }
    c->bell = bell;
    fds[2] = -1;
    c->phase = CLIENT_SERVED;
    atomic_store_explicit(psy__writers_at(&c->responses), b->writers, memory_order_release);
    psy__broker_connected(b, index);
    psy__counting_begin(&b->counting, &c->requests, c->request_slab, "client %u requests", index);
    psy__counting_begin(&b->counting, &c->completions, c->response_slab, "client %u completions broker", index);
    for (uint32_t s = 0; s < b->place_count; s++) {
        if (b->shards[s].phase != SHARD_NONE) {
            remember_untold(b, s, index);
            if (tell_clients(b, s) != PSY_OK) {
                psy__broker_drop_shard(b, s);
            }
        }
    }
    psy__attached attached = {.client = index};
    return psy__say(c->link, PSY_SAY_ATTACHED, &attached, sizeof attached, NULL, 0);
}

/* One message from a client. Not OK: the client is dropped. */
static psy_status hear_client(psy_broker *b, uint32_t index, psy__control *control)
{
    const psy__client *c = &b->clients[index];
    if (c->phase == CLIENT_WELCOMED) {
        psy__attach said;
        psy_status status = psy__heard(control, PSY_SAY_ATTACH, &said, sizeof said, 3);
        return status == PSY_OK ? serve(b, index, &said, control->fds) : status;
    }
    if (c->phase == CLIENT_SERVED) {
        switch (psy__heard_what(control)) {
        case PSY_SAY_SEND: return psy__broker_hear_send(b, index, control);
        case PSY_SAY_EDIT: return psy__broker_hear_edit(b, index, control);
        case PSY_SAY_DESCRIBE: return psy__broker_hear_describe(b, index, control);
        case PSY_SAY_LIST: return psy__broker_hear_list(b, index, control);
        default: return psy__broker_hear_open(b, index, control);
        }
    }
    return psy_fail(PSY_PROTOCOL, "a message came before its turn");
}

void psy__broker_drop_client(psy_broker *b, uint32_t index)
{
    psy__client *c = &b->clients[index];
    if (c->phase == CLIENT_SERVED) {
        psy__gone said = {.channel = index, .epoch = c->epoch};
        for (uint32_t s = 0; s < b->place_count; s++) {
            if (c->untold >> s & 1) {
                forget_untold(b, s, index);
            } else if (b->shards[s].phase != SHARD_NONE) {
                /* A worker that misses this keeps a mapping until the place is given to another client. */
                (void)!psy__say(b->shards[s].link, PSY_SAY_GONE, &said, sizeof said, NULL, 0);
            }
        }
    }
    psy__share_end(b, c);
    psy__counting_end(&b->counting, &c->requests);
    psy__counting_end(&b->counting, &c->completions);
    psy__link_close(c->link);
    psy_slab_destroy(c->request_slab);
    psy_slab_destroy(c->response_slab);
    psy_bell_close(&c->bell);
    psy__broker_close_routes(b, index);
    *c = (psy__client){.epoch = c->epoch + 1};
    while (b->client_top > 0 && b->clients[b->client_top - 1].phase == CLIENT_NONE) {
        b->client_top--;
    }
}

/* ---- shards ---- */

static void welcome_callers(psy_broker *b)
{
    for (uint32_t i = 0; b->ready_count == b->layout.count && i < b->client_top; i++) {
        if (b->clients[i].phase == CLIENT_CALLED) {
            welcome(b, i);
        }
    }
}

static psy_status make_shard_slab(psy_broker *b, psy__shard *s)
{
    uint64_t ring_bytes = psy_ring_bytes(b->ring_stride, b->ring_slots),
             finish_bytes = psy_ring_bytes(sizeof(psy__finished), b->ring_slots * 2);
    psy_slab_options options = {.bytes = ring_bytes + finish_bytes, .name = "psyne-shard"};
    psy_status status = psy_slab_create(&options, &s->slab);
    if (status != PSY_OK) {
        return status;
    }
    uint8_t *data = psy_slab_data(s->slab);
    status = psy_ring_init(&s->requests, data, ring_bytes, b->ring_stride, b->ring_slots);
    psy_ring_shape shape = {PSY_RING_SPSC, sizeof(psy__finished), b->ring_slots * 2};
    status = status == PSY_OK ? psy_ring_format(data + ring_bytes, finish_bytes, &shape) : status;
    return status == PSY_OK
               ? psy_ring_attach(&s->finished, PSY_RING_CONSUMER, data + ring_bytes, finish_bytes, shape.stride, shape.slots)
               : status;
}

/* Where payloads lie that are sent by reference. */
static psy_status tell_payloads(const psy_broker *b, psy__link *link)
{
    psy__payloads_said said = {.slots = b->payloads.slots, .stride = (uint32_t)b->payloads.stride};
    int fd = b->payloads.slab ? psy_slab_fd(b->payloads.slab) : -1;
    return fd < 0 ? PSY_OK : psy__say(link, PSY_SAY_PAYLOADS, &said, sizeof said, &fd, 1);
}

static psy_status hire(psy_broker *b, psy__link *link, const psy__hello *hello, const psy__pass *pass)
{
    psy_status status = psy__broker_has_module(b, hello->module_hash);
    if (status != PSY_OK) {
        return status;
    }
    uint32_t place;
    status = psy__broker_find_place(b, hello->shard, &place);
    if (status != PSY_OK) {
        return status;
    }
    psy__shard *s = &b->shards[place];
    const bool moves = !psy__broker_in_layout(b, place);
    status = make_shard_slab(b, s);
    if (status == PSY_OK) {
        psy__hired said = {.shard = hello->shard,
                           .shards = moves ? b->change.next.count : b->layout.count,
                           .place = place,
                           .places = b->place_count,
                           .moves = moves,
                           .ring_slots = b->ring_slots,
                           .ring_stride = b->ring_stride,
                           .tickets = b->ticket_count,
                           .reply_stride = b->reply_bytes,
                           .partial_bytes = b->gather.partial_bytes};
        memcpy(said.route_salt, b->route_salt, sizeof said.route_salt);
        int fds[2] = {psy_slab_fd(s->slab), psy_slab_fd(b->gather_slab)};
        status = psy__say(link, PSY_SAY_HIRED, &said, sizeof said, fds, 2);
        status = status == PSY_OK ? tell_payloads(b, link) : status;
    }
    if (status != PSY_OK) {
        psy_slab_destroy(s->slab);
        s->slab = NULL;
        return status;
    }
    s->link = link;
    s->phase = SHARD_HIRED;
    s->index = hello->shard;
    psy__broker_hired(b, place, pass);
    psy__broker_tell_writers(b);
    psy__counting_begin(&b->counting, &s->requests, s->slab, "shard %u requests", place);
    psy__counting_begin(&b->counting, &s->finished, s->slab, "shard %u finished", place);
    for (uint32_t i = 0; i < b->client_top; i++) {
        if (b->clients[i].phase == CLIENT_SERVED) {
            remember_untold(b, place, i);
        }
    }
    status = psy__broker_tell_programs(b, place);
    return status == PSY_OK ? tell_clients(b, place) : status;
}

/* Ready when it has said so and knows every client. */
static void settle_shard(psy_broker *b, uint32_t index)
{
    psy__shard *s = &b->shards[index];
    if (s->phase == SHARD_HIRED && s->loaded && s->untold == 0) {
        s->phase = SHARD_READY;
        b->ready_count += psy__broker_in_layout(b, index);
        psy__broker_ready(b, index);
        welcome_callers(b);
    }
}

/* A worker cannot take a client's memory: that client cannot be served. */
static psy_status hear_gone(psy_broker *b, uint32_t shard, const psy__control *control)
{
    psy__gone said;
    psy_status status = psy__heard(control, PSY_SAY_GONE, &said, sizeof said, 0);
    if (status == PSY_OK && said.channel < b->client_room && b->clients[said.channel].phase == CLIENT_SERVED &&
        b->clients[said.channel].epoch == said.epoch) {
        status = psy_fail(PSY_LIMIT, "shard %u cannot take this client's memory: it is out of descriptors or memory",
                          b->shards[shard].index);
        psy__refuse(b->clients[said.channel].link, status, 1);
        psy__broker_dropped(b, said.channel, status);
        status = PSY_OK;
        psy__broker_drop_client(b, said.channel);
    }
    return status;
}

static psy_status hear_shard(psy_broker *b, uint32_t index, psy__control *control)
{
    psy__shard *s = &b->shards[index];
    psy__ready said;
    psy__word what = psy__heard_what(control);
    if (what == PSY_SAY_GONE) {
        return hear_gone(b, index, control);
    }
    if (what == PSY_SAY_LEAVING) {
        return psy__broker_hear_leaving(b, index, control);
    }
    if (what == PSY_SAY_PROGRAM_READY || what == PSY_SAY_PROGRAM_REFUSED) {
        return psy__broker_hear_program(b, index, control);
    }
    if (what == PSY_SAY_EDIT_COUNTED || what == PSY_SAY_EDIT_READY || what == PSY_SAY_EDIT_REFUSED ||
        what == PSY_SAY_EDIT_APPLIED) {
        return psy__broker_hear_edited(b, index, control);
    }
    if (what == PSY_SAY_EXPORTED || what == PSY_SAY_TAKEN || what == PSY_SAY_MOVE_REFUSED) {
        return psy__broker_hear_moved(b, index, control);
    }
    if (what == PSY_SAY_SNAPSHOT_PART || what == PSY_SAY_SNAPSHOT_DONE) {
        return psy__broker_hear_snapshot(b, index, control);
    }
    psy_status status = psy__heard(control, PSY_SAY_READY, &said, sizeof said, 1);
    if (status != PSY_OK) {
        return status;
    }
    if (s->phase != SHARD_HIRED || s->loaded || !psy__broker_shard_is_complete(b, index)) {
        return psy_fail(PSY_PROTOCOL, "a worker's message came out of turn");
    }
    status = psy__broker_check_version(b, index, &said);
    if (status != PSY_OK) {
        psy__refuse(s->link, status, 1);
        return status;
    }
    psy_bell bell;
    status = psy_bell_adopt(control->fds[0], &bell);
    if (status != PSY_OK) {
        return status;
    }
    s->bell = bell;
    control->fds[0] = -1;
    s->loaded = true;
    settle_shard(b, index);
    return PSY_OK;
}

void psy__broker_drop_shard(psy_broker *b, uint32_t index)
{
    psy__shard *s = &b->shards[index];
    if (s->phase == SHARD_NONE) {
        return;
    }
    uint64_t failures = b->counts.failures;
    const uint32_t shard = s->index;
    if (s->phase == SHARD_READY) {
        b->ready_count -= !s->leaving && psy__broker_in_layout(b, index);
        s->phase = SHARD_HIRED; /* takes no more requests while its tickets are ended */
        psy__broker_bury(b, index);
    }
    psy__broker_lost_shard(b, index, b->counts.failures - failures);
    for (uint32_t i = 0; i < b->client_top; i++) {
        forget_untold(b, index, i);
    }
    psy__counting_end(&b->counting, &s->requests);
    psy__counting_end(&b->counting, &s->finished);
    psy__link_close(s->link);
    psy_slab_destroy(s->slab);
    psy_bell_close(&s->bell);
    *s = (psy__shard){.before = s->before};
    psy__broker_forget_shard(b, index);
    psy__broker_forget_edits(b, index);
    psy__broker_forget_snapshot(b, index);
    psy__broker_layout_lost(b, index, shard);
}

/* ---- guests ---- */

/* A guest introduces itself. True: it is one of us now (or was refused and its link is closed): no guest any more. */
static bool introduce(psy_broker *b, psy__link *link, uint32_t guest, psy__control *control)
{
    psy__hello hello = {.role = 0};
    psy__pass pass = b->guest_passes[guest];
    psy_status status = psy__heard(control, PSY_SAY_HELLO, &hello, sizeof hello, 0);
    psy__close_fds(control->fds, control->fd_count);
    status = status == PSY_OK ? psy__broker_admit(b, link, &hello, &pass) : status;
    if (status == PSY_OK && hello.role == PSY_ROLE_WORKER) {
        status = hire(b, link, &hello, &pass);
        if (status == PSY_OK) {
            return true;
        }
        for (uint32_t i = 0; i < b->place_count; i++) {
            if (b->shards[i].link == link) {
                psy__broker_drop_shard(b, i);
                return true;
            }
        }
    } else if (status == PSY_OK && hello.role == PSY_ROLE_CLIENT) {
        for (uint32_t i = 0; i < b->client_room; i++) {
            psy__client *c = &b->clients[i];
            if (c->phase == CLIENT_NONE) {
                *c = (psy__client){.phase = CLIENT_CALLED, .epoch = c->epoch, .link = link, .pass = pass};
                b->client_top = i >= b->client_top ? i + 1 : b->client_top;
                welcome_callers(b);
                return true;
            }
        }
        status = psy_fail(PSY_LIMIT, "the service has its %u clients", b->client_room);
    }
    psy__refuse(link, status, 1);
    psy__broker_refused(b, &pass, hello.role, hello.shard, status);
    psy__link_close(link);
    return true;
}

static uint32_t accept_guests(psy_broker *b)
{
    uint32_t n = 0;
    psy__broker_make_place(b);
    b->crowded = true;
    for (uint32_t i = 0; i < PSY_GUESTS_MAX; i++) {
        if (!b->guests[i]) {
            psy_status status = psy__accept(b->listener, &b->guests[i]);
            if (status != PSY_OK) {
                b->guests[i] = NULL;
                b->crowded = status != PSY_EMPTY;
                break;
            }
            b->guest_due_ns[i] = b->now_ns + PSY_GUEST_NS;
            n++;
            psy__broker_look_at_guest(b, i);
        }
    }
    for (uint32_t i = 0; i < PSY_GUESTS_MAX; i++) {
        psy__control control;
        psy__event event = b->guests[i] ? psy__link_poll(b->guests[i], &control) : PSY_EVENT_NONE;
        if (event == PSY_EVENT_CLOSED) {
            psy__link_close(b->guests[i]);
            b->guests[i] = NULL;
        } else if (event == PSY_EVENT_NONE && b->guests[i] && b->now_ns >= b->guest_due_ns[i]) {
            psy__broker_show_out(b, i, psy_fail(PSY_TIMEOUT, "it said nothing"));
        } else if (event == PSY_EVENT_CONTROL) {
            psy__link *link = b->guests[i];
            b->guests[i] = NULL;
            n += introduce(b, link, i, &control);
        }
    }
    return n;
}

uint32_t psy__broker_links(psy_broker *b)
{
    uint32_t n = 0;
    psy__control control;
    for (uint32_t i = 0; i < b->client_top; i++) {
        for (uint32_t k = 0; k < CONTROLS_PER_ROUND && b->clients[i].phase != CLIENT_NONE; k++) {
            psy__event event = psy__link_poll(b->clients[i].link, &control);
            if (event == PSY_EVENT_NONE) {
                if (b->clients[i].phase == CLIENT_WELCOMED && b->now_ns >= b->clients[i].attach_due_ns) {
                    psy__broker_dropped(b, i, psy_fail(PSY_TIMEOUT, "it did not hand over its memory"));
                    psy__broker_drop_client(b, i);
                }
                break;
            }
            n++;
            psy_status status = PSY_PEER_DIED;
            if (event == PSY_EVENT_CONTROL) {
                status = hear_client(b, i, &control);
                psy__close_fds(control.fds, control.fd_count);
                if (status != PSY_OK) {
                    psy__refuse(b->clients[i].link, status, 1);
                }
            }
            if (status != PSY_OK) {
                psy__broker_dropped(b, i, status);
                psy__broker_drop_client(b, i);
            }
        }
    }
    for (uint32_t i = 0; i < b->place_count; i++) {
        for (uint32_t k = 0; k < CONTROLS_PER_ROUND && b->shards[i].phase != SHARD_NONE; k++) {
            psy__event event = psy__link_poll(b->shards[i].link, &control);
            if (event == PSY_EVENT_NONE) {
                break;
            }
            n++;
            psy_status status = PSY_PEER_DIED;
            if (event == PSY_EVENT_CONTROL) {
                status = hear_shard(b, i, &control);
                psy__close_fds(control.fds, control.fd_count);
            }
            if (status != PSY_OK) {
                psy__broker_drop_shard(b, i);
            }
        }
        if (b->shards[i].untold && tell_clients(b, i) != PSY_OK) {
            psy__broker_drop_shard(b, i);
        }
        settle_shard(b, i);
    }
    n += accept_guests(b); /* after the deaths: a worker that comes in the place of a dead one finds it free */
    return n;
}

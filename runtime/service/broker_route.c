/* SPDX-License-Identifier: Apache-2.0 */
/* Requests in, tickets, scatter, failures. */
#define _GNU_SOURCE
#include <string.h>

#include "base/clock.h"
#include "service/broker_state.h"
#include "service/scatter.h"

enum { DRAIN_BATCH = 64 };

enum { NOBODY = PSY_WRITER_NONE };

/* Answers a client from the broker itself: only ever with an error. `dead` is the shard that may have died with the reply half
 * written, or NOBODY. */
static void answer(psy_broker *b, const psy__ticket_record *r, uint32_t dead, psy_status status)
{
    psy__client *c = &b->clients[r->channel];
    if (c->phase == CLIENT_SERVED && c->epoch == r->epoch) {
        psy__reply_takeover(&c->responses, &c->completions, r->slot, r->slot_generation, dead, b->place_count, status,
                            r->request);
        c->completed = true;
    }
}

/* These shards are not late with this ticket any more. */
static void forgive(psy_broker *b, psy__ticket_record *record, uint64_t shards)
{
    for (uint64_t rest = record->late & shards; rest; rest &= rest - 1) {
        b->shards[__builtin_ctzll(rest)].late--;
    }
    record->late &= ~shards;
}

static inline void free_ticket(psy_broker *b, uint32_t id)
{
    psy__ticket_record *record = &b->tickets[id];
    if (record->late) {
        forgive(b, record, record->late);
    }
    psy__broker_ended(b, record);
    b->staged[record->place].tickets--;
    record->used = false;
    record->generation++;
    if (!record->alone) {
        if (record->reference) {
            psy__payloads_give_back(&b->payloads, record->reference);
        }
        atomic_store_explicit(&psy__ticket_at(&b->gather, id)->state, psy__ticket_state(record->generation, 0, PSY_TICKET_FREE),
                              memory_order_release);
    }
    b->free_tickets[b->free_count++] = id;
}

/* The client gets `status` now; the ticket stays until nobody writes to it any more. */
static void fail_ticket(psy_broker *b, uint32_t id, uint32_t dead, psy_status status)
{
    psy__ticket_record *record = &b->tickets[id];
    psy__ticket *ticket = psy__ticket_at(&b->gather, id);
    uint64_t open = psy__ticket_state(record->generation, 0, PSY_TICKET_OPEN);
    if (record->failed ||
        (!record->alone &&
         !atomic_compare_exchange_strong(&ticket->state, &open, psy__ticket_state(record->generation, 0, PSY_TICKET_FAILED)))) {
        return; /* failed before, or a shard is just answering */
    }
    record->failed = true;
    record->late = record->expected;
    if (!record->alone) {
        record->late &= ~atomic_load_explicit(&ticket->done, memory_order_acquire);
    }
    for (uint64_t rest = record->late; rest; rest &= rest - 1) {
        b->shards[__builtin_ctzll(rest)].late++;
    }
    psy__latency_add(record->latency, b->now_ns - record->began_ns, status, 1);
    answer(b, record, dead, status);
    psy__broker_failed(b, record, dead, status);
}

/* Requests that came in one visit and were answered in one run: how long they took is the same. */
typedef struct ending {
    psy__latency *latency;
    uint64_t began_ns, ended; /* as psy__finished has it */
    uint32_t count;
} ending;

/* What the shard says of when it ended counts where it can be. */
static void count_endings(const psy_broker *b, ending *e)
{
    if (e->count) {
        const uint64_t took_ns = psy__finished_ns(e->ended) - e->began_ns, most_ns = b->now_ns - e->began_ns;
        psy__latency_add(e->latency, took_ns <= most_ns ? took_ns : most_ns, psy__finished_status(e->ended), e->count);
        e->count = 0;
    }
}

/* A ticket came back. */
static inline void count_end(const psy_broker *b, ending *e, const psy__ticket_record *record, uint64_t ended)
{
    if (record->failed) { /* that was told when it failed */
        return;
    }
    if (record->latency != e->latency || record->began_ns != e->began_ns || ended != e->ended) {
        count_endings(b, e);
        *e = (ending){.latency = record->latency, .began_ns = record->began_ns, .ended = ended};
    }
    e->count++;
}

uint32_t psy__broker_collect(psy_broker *b, uint32_t shard)
{
    psy_ring *ring = &b->shards[shard].finished;
    uint32_t total = 0, got;
    const psy__finished *entries;
    ending e = {.count = 0};
    while ((entries = psy_ring_peek(ring, DRAIN_BATCH, &got)) != NULL) {
        for (uint32_t i = 0; i < got; i++) {
            const volatile psy__finished *f = &entries[i]; /* each word is read once: a worker may lie */
            const uint32_t ticket = f->ticket;
            const psy__ticket_record *record = &b->tickets[ticket];
            if (ticket < b->ticket_count && record->used && record->generation == f->generation) {
                count_end(b, &e, record, f->ended);
                free_ticket(b, ticket);
            }
        }
        psy_ring_release(ring, got);
        total += got;
    }
    count_endings(b, &e);
    psy_ring_settle(ring);
    return total;
}

uint32_t psy__broker_overdue(psy_broker *b)
{
    if (b->now_ns <= b->overdue_ns) {
        return 0;
    }
    uint32_t n = 0;
    uint64_t next_ns = UINT64_MAX;
    for (uint32_t s = 0; s < b->place_count; s++) { /* what is done, but was not looked at in time, is not late */
        n += b->shards[s].phase == SHARD_READY ? psy__broker_collect(b, s) : 0;
    }
    for (uint32_t id = 0; id < b->ticket_count; id++) {
        const psy__ticket_record *record = &b->tickets[id];
        if (!record->used || record->failed) {
            continue;
        }
        if (b->now_ns > record->deadline_ns) {
            fail_ticket(b, id, NOBODY, PSY_TIMEOUT);
            b->counts.timeouts += record->failed;
            n += record->failed;
        }
        if (!record->failed && record->deadline_ns < next_ns) {
            next_ns = record->deadline_ns; /* passed already: a shard is just answering, or has died while it did */
        }
    }
    b->overdue_ns = next_ns;
    return n;
}

void psy__broker_bury(psy_broker *b, uint32_t shard)
{
    psy__broker_collect(b, shard); /* what it finished before it died */
    for (uint32_t id = 0; id < b->ticket_count; id++) {
        psy__ticket_record *record = &b->tickets[id];
        if (!record->used || !(record->expected >> shard & 1)) {
            continue;
        }
        psy__ticket *ticket = psy__ticket_at(&b->gather, id);
        uint64_t state = atomic_load_explicit(&ticket->state, memory_order_acquire);
        if (!record->alone && (state & 0xffff) == PSY_TICKET_CLOSING) {
            if ((state >> 16 & 0xffff) == shard) { /* it died while it answered */
                answer(b, record, shard, PSY_PEER_DIED);
                psy__broker_failed(b, record, shard, PSY_PEER_DIED);
                b->counts.failures++;
                if (!record->failed) {
                    psy__latency_add(record->latency, b->now_ns - record->began_ns, PSY_PEER_DIED, 1);
                }
                free_ticket(b, id);
            }
            continue;
        }
        bool failed_before = record->failed;
        fail_ticket(b, id, shard, PSY_PEER_DIED);
        b->counts.failures += !failed_before && record->failed;
        if (failed_before) { /* its deadline passed while the shard was writing the reply: nobody else can end that */
            answer(b, record, shard, PSY_PEER_DIED);
        }
        forgive(b, record, UINT64_C(1) << shard);
        /* With every report in, nobody touches the ticket any more but by its generation: it may be freed even if a live shard
         * completed the list and is about to say so. */
        bool complete = record->alone || psy__ticket_report(ticket, record->generation, shard, PSY_PEER_DIED) ||
                        (atomic_load_explicit(&ticket->done, memory_order_acquire) & record->expected) == record->expected;
        if (complete && record->failed) {
            free_ticket(b, id);
        }
    }
}

/* Whether a shard takes requests of this client, or what to answer in its place. */
static psy_status shard_status(const psy_broker *b, const psy__client *c, uint32_t s)
{
    const psy__shard *shard = &b->shards[s];
    if (shard->phase != SHARD_READY || shard->leaving) {
        return PSY_PEER_DIED;
    }
    /* It stalls: no more tickets for it to sit on; or it has not even read of this client. */
    return shard->late > b->ticket_count / 4 || (c->untold >> s & 1) ? PSY_TIMEOUT : PSY_OK;
}

/* The place of the next shard in turn, preferably one that is not late with anything; *why: whether it takes requests. */
static uint32_t any_shard(psy_broker *b, const psy__client *c, psy_status *why)
{
    const psy__layout *layout = &b->layout;
    uint32_t best = b->next_shard, s = best, to = layout->places[best];
    *why = PSY_PEER_DIED;
    for (uint32_t i = 0; i < layout->count; i++) {
        s = s + 1 < layout->count ? s + 1 : 0;
        const uint32_t place = layout->places[s];
        psy_status status = shard_status(b, c, place);
        if (status == PSY_OK && b->shards[place].late == 0) {
            best = s;
            to = place;
            *why = PSY_OK;
            break;
        }
        if (status != PSY_PEER_DIED && *why != PSY_OK) {
            best = s;
            to = place;
            *why = status;
        }
    }
    b->next_shard = best;
    return to;
}

/* Where a request goes: the shards as bits, or 0 with the status to answer. */
static uint64_t targets(psy_broker *b, const psy__client *c, const psy__route *route, const psy_envelope *e, psy_status *why)
{
    if (route->kind == PSY_ROUTE_ANY) {
        uint32_t s = any_shard(b, c, why);
        return *why == PSY_OK ? UINT64_C(1) << s : 0;
    }
    if (route->kind == PSY_ROUTE_KEY) {
        uint32_t s = b->layout.places[psy__shard_of(e->route, b->layout.count)];
        *why = shard_status(b, c, s);
        return *why == PSY_OK ? UINT64_C(1) << s : 0;
    }
    for (uint32_t s = 0; s < b->layout.count; s++) {
        *why = shard_status(b, c, b->layout.places[s]);
        if (*why != PSY_OK) {
            return 0;
        }
    }
    return b->layout.mask;
}

/* The envelope is the service's own copy. *route: where it goes. */
static inline psy_status check(const psy__client *c, const psy_envelope *e, const psy__route **route)
{
    if (e->pipeline >= c->route_count) {
        return PSY_INVALID;
    }
    const psy__route *r = *route = &c->routes[e->pipeline];
    const uint64_t differs = (e->sequence ^ (c->sequence + 1)) | (e->type ^ r->request_type) | (e->length ^ r->request_bytes) |
                             (uint32_t)((e->kind ^ PSY_KIND_REQUEST) | (e->flags & ~PSY_FLAG_TRACE));
    return differs ? PSY_INVALID : r->program ? PSY_OK : (psy_status)r->why;
}

/* What requests of one pipeline that follow one another in a visit have in common, and what is added up of them. */
typedef struct stretch {
    const psy__route *route; /* NULL: none yet */
    psy__latency *latency;
    psy__hop hop; /* but for ticket and deadline */
    uint64_t to;  /* where all of them go; 0: it is asked for each */
    uint64_t scattered_bytes;
    uint32_t taken;
} stretch;

static void end_stretch(psy_broker *b, stretch *s)
{
    if (s->route) {
        s->route->program->tickets += s->taken;
    }
    b->counts.requests += s->taken;
    b->counts.scatter_bytes += s->scattered_bytes;
    s->taken = 0;
    s->scattered_bytes = 0;
    s->route = NULL;
}

static void begin_stretch(psy_broker *b, stretch *s, const psy__route *route, uint64_t to)
{
    end_stretch(b, s);
    s->route = route;
    s->latency = psy__measure_of(b, route->program, route->pipeline);
    s->hop.program = route->program->number;
    s->hop.place = (uint32_t)(route->program - b->staged);
    s->hop.pipeline = route->pipeline;
    s->to = route->kind == PSY_ROUTE_ALL || b->layout.count == 1 ? to : 0;
}

/* A ticket for a request to these shards. */
static inline uint32_t take_ticket(psy_broker *b, stretch *s, const psy_envelope *e, uint64_t to)
{
    uint32_t id = b->free_tickets[--b->free_count];
    psy__ticket_record *record = &b->tickets[id];
    const uint64_t now_ns = b->now_ns, wait_ns = (uint64_t)(e->deadline_ms ? e->deadline_ms : UINT16_MAX) * 1000000;
    record->used = true;
    record->failed = record->traced = false;
    record->alone = s->route->kind != PSY_ROUTE_ALL;
    record->channel = s->hop.channel;
    record->epoch = s->hop.epoch;
    record->slot = e->slot;
    record->slot_generation = e->generation;
    record->place = s->hop.place;
    record->pipeline = s->hop.pipeline;
    record->reference = 0;
    record->expected = to;
    record->request = e->request;
    record->deadline_ns = now_ns + wait_ns;
    record->latency = s->latency;
    record->began_ns = now_ns;
    b->overdue_ns = record->deadline_ns < b->overdue_ns ? record->deadline_ns : b->overdue_ns;
    s->taken++;
    if (!record->alone) {
        psy__ticket *ticket = psy__ticket_at(&b->gather, id);
        ticket->expected = to;
        atomic_store_explicit(&ticket->done, 0, memory_order_relaxed);
        atomic_store_explicit(&ticket->state, psy__ticket_state(record->generation, 0, PSY_TICKET_OPEN), memory_order_release);
    }
    if (e->flags & PSY_FLAG_TRACE) {
        psy__broker_taken(b, id, e);
    }
    return id;
}

/* The shard broke its ring: it is as good as dead. */
static void cannot_send(psy_broker *b, uint32_t id, uint32_t shard)
{
    const psy__ticket_record *record = &b->tickets[id];
    fail_ticket(b, id, NOBODY, PSY_PEER_DIED);
    if (record->alone || psy__ticket_report(psy__ticket_at(&b->gather, id), record->generation, shard, PSY_PEER_DIED)) {
        free_ticket(b, id);
    }
}

/* One request into the ring of a shard: all but its payload. The rings have a frame for every ticket and cannot be full. NULL:
 * the shard broke it. */
static inline __attribute__((always_inline)) psy__frame *put(psy_broker *b, stretch *s, uint32_t id, uint32_t at,
                                                             const psy_envelope *e)
{
    const psy__ticket_record *record = &b->tickets[id];
    psy__shard *shard = &b->shards[at];
    psy__frame *frame = psy__scatter(&shard->requests);
    if (!frame) {
        end_stretch(b, s); /* other shards may take requests from now on */
        cannot_send(b, id, at);
        return NULL;
    }
    frame->envelope = *e;
    frame->hop = s->hop;
    frame->hop.ticket = id;
    frame->hop.generation = record->generation;
    frame->hop.deadline_ns = record->deadline_ns;
    shard->sent = true;
    return frame;
}

/* One request to several shards: its payload once for all of them, or piece by piece into each ring. */
static void scatter_to_several(psy_broker *b, stretch *s, uint32_t id, uint64_t to, const psy_envelope *e,
                               const uint8_t *payload)
{
    psy__frame *frames[PSY_SHARDS_MAX];
    const uint32_t reference = psy__payloads_take(&b->payloads, e->length);
    uint64_t sent = 0;
    uint32_t count = 0;
    if (reference) {
        memcpy(psy__payloads_at(&b->payloads, reference), payload, e->length);
        b->tickets[id].reference = reference;
        b->counts.referenced++;
        s->scattered_bytes += e->length;
    }
    for (uint64_t rest = to; rest; rest &= rest - 1) {
        psy__frame *frame = put(b, s, id, (uint32_t)__builtin_ctzll(rest), e);
        if (frame) {
            frame->hop.reference = reference;
            frames[count++] = frame;
            sent |= rest & -rest;
        }
    }
    if (!reference) {
        psy__scatter_pieces(frames, count, payload, e->length);
        s->scattered_bytes += (uint64_t)count * e->length;
    }
    for (; sent; sent &= sent - 1) { /* there was room in all of them */
        psy_ring_commit(&b->shards[__builtin_ctzll(sent)].requests, 1);
    }
}

static inline void scatter(psy_broker *b, stretch *s, uint32_t id, uint64_t to, const psy_envelope *e, const uint8_t *payload)
{
    if (to & (to - 1)) {
        scatter_to_several(b, s, id, to, e, payload);
        return;
    }
    const uint32_t at = (uint32_t)__builtin_ctzll(to);
    psy__frame *frame = put(b, s, id, at, e);
    if (frame) {
        psy__scatter_copy(frame->payload, payload, e->length);
        psy_ring_commit(&b->shards[at].requests, 1);
        s->scattered_bytes += e->length;
    }
}

uint32_t psy__broker_drain(psy_broker *b, uint32_t channel)
{
    psy__client *c = &b->clients[channel];
    uint32_t got, n = 0;
    uint32_t want = psy__share_room(b, c, DRAIN_BATCH);
    const uint8_t *frames = psy_ring_peek(&c->requests, want ? want : 1, &got);
    if (!frames || !want) {
        psy__share_held(b, c, frames != NULL);
        return 0;
    }
    b->now_ns = psy__now_ns(); /* they may have come in this round, which may have begun long ago: deadlines count from here */
    stretch s = {.hop = {.channel = channel, .epoch = c->epoch, .data_version = b->edits.version}};
    for (; n < got && psy__share_goes_on(&b->fairness, &c->share); n++) {
        const uint8_t *frame = frames + (uint64_t)n * c->requests.stride;
        psy_envelope e;
        memcpy(&e, frame, sizeof e); /* read once: the client may write there at any time */
        const psy__route *route = NULL;
        psy_status why = b->draining ? PSY_CLOSED : check(c, &e, &route);
        c->sequence++;
        if (e.slot >= c->responses.slots) {
            psy__share_pay(&c->share, b->ring_stride, 1, false);
            psy__broker_refused_request(b, channel, &e, PSY_INVALID);
            continue; /* nowhere to answer */
        }
        uint64_t to = 0;
        if (why == PSY_OK) {
            to = route == s.route ? s.to : 0;
            to = to ? to : targets(b, c, route, &e, &why);
        }
        if (to) {
            if (route != s.route) {
                begin_stretch(b, &s, route, to);
            }
            psy__share_pay(&c->share, PSY_FRAME_PAYLOAD + e.length, route->kind == PSY_ROUTE_ALL ? b->layout.count : 1, true);
            scatter(b, &s, take_ticket(b, &s, &e, to), to, &e, frame + PSY_ENVELOPE_BYTES);
        } else {
            psy__share_pay(&c->share, b->ring_stride, 1, false);
            psy__broker_refused_request(b, channel, &e, why);
            psy__ticket_record refused = {
                .channel = channel, .epoch = c->epoch, .slot = e.slot, .slot_generation = e.generation, .request = e.request};
            answer(b, &refused, NOBODY, why);
        }
    }
    end_stretch(b, &s);
    psy_ring_release(&c->requests, n);
    psy_ring_settle(&c->requests);
    psy__share_visited(b, c, n < got || n == want);
    return n;
}

void psy__broker_flush(psy_broker *b)
{
    bool any = false;
    for (uint32_t s = 0; s < b->place_count; s++) {
        if (b->shards[s].sent) {
            psy_ring_flush(&b->shards[s].requests);
            any = true;
        }
    }
    for (uint32_t i = 0; i < b->client_top; i++) {
        if (b->clients[i].completed) {
            psy_ring_flush(&b->clients[i].completions);
            any = true;
        }
    }
    if (!any) {
        return;
    }
    psy_ring_fence();
    for (uint32_t s = 0; s < b->place_count; s++) {
        if (b->shards[s].sent) {
            b->shards[s].sent = false;
            psy__ring_wake_bell_fenced(&b->shards[s].requests, &b->shards[s].bell);
        }
    }
    for (uint32_t i = 0; i < b->client_top; i++) {
        if (b->clients[i].completed) {
            b->clients[i].completed = false;
            psy__ring_wake_bell_fenced(&b->clients[i].completions, &b->clients[i].bell);
        }
    }
}

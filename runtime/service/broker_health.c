/* SPDX-License-Identifier: Apache-2.0 */
/* How the broker is, for anybody who asks; and its end: nothing new, what is inside is finished. */
#include "base/clock.h"
#include "service/broker_state.h"

static const uint64_t live_ns = 1000000000;

void psy_broker_drain(psy_broker *b)
{
    atomic_store_explicit(&b->health.drain, true, memory_order_release);
    psy_bell_ring(&b->doorbell);
}

void psy_broker_get_health(const psy_broker *b, psy_broker_health *out)
{
    const psy__health *h = &b->health;
    uint64_t beat_ns = atomic_load_explicit(&h->beat_ns, memory_order_acquire);
    *out = (psy_broker_health){
        .live = beat_ns != 0 && psy__now_ns() < beat_ns + live_ns,
        .draining = atomic_load_explicit(&h->drain, memory_order_acquire),
        .drained = atomic_load_explicit(&h->drained, memory_order_acquire),
        .shards = atomic_load_explicit(&h->shards, memory_order_relaxed),
        .shards_ready = atomic_load_explicit(&h->ready, memory_order_relaxed),
        .shards_missing = atomic_load_explicit(&h->missing, memory_order_relaxed),
        .clients = atomic_load_explicit(&h->clients, memory_order_relaxed),
        .in_flight = atomic_load_explicit(&h->in_flight, memory_order_relaxed),
        .beat_ns = beat_ns,
    };
    out->ready = beat_ns != 0 && out->shards_missing == 0 && !out->draining;
}

static uint32_t clients_served(const psy_broker *b)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->client_top; i++) {
        n += b->clients[i].phase == CLIENT_SERVED;
    }
    return n;
}

/* Those that only wait for the shards can as well be told at once. */
static void send_callers_away(psy_broker *b)
{
    uint32_t top = b->client_top;
    for (uint32_t i = 0; i < top; i++) {
        psy__client *c = &b->clients[i];
        if (c->phase == CLIENT_CALLED || c->phase == CLIENT_WELCOMED) {
            psy_status status = psy_fail(PSY_CLOSED, "the service is about to end and takes nothing new");
            psy__refuse(c->link, status, 1);
            psy__broker_refused(b, &c->pass, PSY_ROLE_CLIENT, 0, status);
            psy__broker_drop_client(b, i);
        }
    }
}

static void drain(psy_broker *b)
{
    uint32_t inside = b->ticket_count - b->free_count;
    if (!b->draining) {
        b->draining = true;
        PSY__TELL(&b->events, DRAIN_BEGUN, PSY__NUMBER(inside), PSY__NUMBER(clients_served(b)));
        send_callers_away(b);
    } else if (inside == 0 && !atomic_load_explicit(&b->health.drained, memory_order_relaxed)) {
        atomic_store_explicit(&b->health.drained, true, memory_order_release);
        PSY__TELL(&b->events, DRAIN_ENDED, PSY__NUMBER(b->counts.late));
    }
}

/* Whether any request is still with a shard. */
static bool holds_any(const psy_broker *b, uint32_t shard)
{
    for (uint32_t id = 0; id < b->ticket_count; id++) {
        if (b->tickets[id].used && (b->tickets[id].expected >> shard & 1)) {
            return true;
        }
    }
    return false;
}

void psy__broker_tick(psy_broker *b)
{
    psy__health *h = &b->health;
    uint64_t missing = 0;
    uint32_t ready = 0;
    for (uint32_t s = 0; s < b->place_count; s++) {
        const bool knows = psy__broker_in_layout(b, s) || b->shards[s].dismissed;
        if (b->shards[s].leaving && knows && !holds_any(b, s)) {
            psy__broker_drop_shard(b, s);
        }
    }
    for (uint32_t i = 0; i < b->layout.count; i++) {
        const psy__shard *s = &b->shards[b->layout.places[i]];
        bool serves = s->phase == SHARD_READY && !s->leaving;
        ready += serves;
        missing |= (uint64_t)!serves << i;
    }
    if (atomic_load_explicit(&h->drain, memory_order_acquire)) {
        drain(b);
    }
    psy__events_tick(&b->events, b->now_ns);
    psy__fairness_tick(b);
    atomic_store_explicit(&h->shards, b->layout.count, memory_order_relaxed);
    atomic_store_explicit(&h->ready, ready, memory_order_relaxed);
    atomic_store_explicit(&h->missing, missing, memory_order_relaxed);
    atomic_store_explicit(&h->clients, clients_served(b), memory_order_relaxed);
    atomic_store_explicit(&h->in_flight, b->ticket_count - b->free_count, memory_order_relaxed);
    atomic_store_explicit(&h->beat_ns, b->now_ns, memory_order_release);
}

psy_status psy__broker_hear_leaving(psy_broker *b, uint32_t shard, const psy__control *control)
{
    psy__leaving said;
    psy__shard *s = &b->shards[shard];
    psy_status status = psy__heard(control, PSY_SAY_LEAVING, &said, sizeof said, 0);
    if (status != PSY_OK) {
        return status;
    }
    if (s->leaving && !psy__broker_in_layout(b, shard)) {
        s->dismissed = true; /* it asked while it was about to be told */
        return PSY_OK;
    }
    if (s->leaving || s->phase != SHARD_READY) {
        return psy_fail(PSY_PROTOCOL, "a worker's message came out of turn");
    }
    s->leaving = true;
    b->ready_count -= psy__broker_in_layout(b, shard);
    return PSY_OK;
}

void psy__broker_lost_shard(psy_broker *b, uint32_t shard, uint64_t requests)
{
    if (b->shards[shard].leaving && requests == 0) {
        PSY__TELL(&b->events, WORKER_LEFT, PSY__NUMBER(b->shards[shard].index), PSY__NUMBER(b->ready_count),
                  PSY__NUMBER(b->layout.count));
    } else {
        b->counts.deaths++;
        PSY__TELL(&b->events, WORKER_DIED, PSY__NUMBER(b->shards[shard].index), PSY__NUMBER(requests),
                  PSY__NUMBER(b->ready_count), PSY__NUMBER(b->layout.count));
    }
}

void psy__broker_hired(psy_broker *b, uint32_t shard, const psy__pass *pass)
{
    psy__shard *s = &b->shards[shard];
    s->pass = *pass;
    PSY__TELL(&b->events, WORKER_HIRED, PSY__NUMBER(s->index), PSY__NUMBER(pass->pid > 0 ? (uint64_t)pass->pid : 0),
              PSY__NUMBER(s->before));
    s->before++;
}

void psy__broker_ready(psy_broker *b, uint32_t shard)
{
    PSY__TELL(&b->events, WORKER_READY, PSY__NUMBER(b->shards[shard].index), PSY__NUMBER(b->ready_count),
              PSY__NUMBER(b->layout.count));
    if (psy__broker_in_layout(b, shard) && b->ready_count == b->layout.count) {
        PSY__TELL(&b->events, SERVICE_READY, PSY__NUMBER(b->layout.count));
    }
}

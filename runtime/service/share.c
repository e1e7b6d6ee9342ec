/* SPDX-License-Identifier: Apache-2.0 */
#include "service/share.h"

#include "service/broker_state.h"

enum { CONTENDED_PER_SHARD = 128, QUANTUM_LEAST = 16384, ROUNDS_LEAST = 8 };
static const uint64_t active_ns = 1000000000, tick_ns = 1000000;

void psy__fairness_init(psy_broker *b, uint32_t contended_max)
{
    psy__fairness *f = &b->fairness;
    f->contended_max = contended_max ? contended_max : CONTENDED_PER_SHARD * b->layout.count;
    if (f->contended_max > b->ticket_count) {
        f->contended_max = b->ticket_count;
    }
    uint32_t largest = b->ring_stride > QUANTUM_LEAST ? b->ring_stride : QUANTUM_LEAST;
    f->quantum_bytes = (int64_t)largest * b->layout.count;
}

/* What the client may have inside. */
static uint32_t quota(const psy_broker *b, const psy__client *c)
{
    uint32_t most = b->ticket_count, limit = c->pass.rule.in_flight_max;
    if (b->fairness.active > 1) {
        most = b->fairness.contended_max / b->fairness.active;
        most = most ? most : 1;
    }
    return limit && limit < most ? limit : most;
}

bool psy__share_full(const psy_broker *b, const psy__client *c) { return c->share.inside >= quota(b, c); }

uint32_t psy__share_room(psy_broker *b, psy__client *c, uint32_t most)
{
    uint32_t may = quota(b, c);
    if (c->share.inside >= may || !psy__share_goes_on(&b->fairness, &c->share)) {
        return 0;
    }
    may -= c->share.inside;
    may = may < most ? may : most;
    return may < b->free_count ? may : b->free_count;
}

void psy__share_visited(psy_broker *b, psy__client *c, bool waits)
{
    psy__share *share = &c->share;
    share->waits = waits;
    share->active_until_ns = b->now_ns + active_ns;
    if (!share->active) {
        share->active = true;
        share->credit_bytes = b->fairness.quantum_bytes;
        b->fairness.active++;
    }
    /* Who sends little is never behind with anything, and waits for nobody's turn. */
    if (!waits && share->inside <= quota(b, c) / 2) {
        share->credit_bytes = b->fairness.quantum_bytes;
    }
}

void psy__share_held(psy_broker *b, psy__client *c, bool waits)
{
    if (waits) {
        psy__share_visited(b, c, true);
        b->counts.held++;
    }
    c->share.waits = waits;
}

void psy__share_end(psy_broker *b, psy__client *c)
{
    b->fairness.active -= c->share.active;
    c->share = (psy__share){0};
}

void psy__fairness_round(psy_broker *b)
{
    psy__fairness *f = &b->fairness;
    bool before = f->contended;
    f->rounds++;
    f->contended = f->active > 1;
    if (!f->contended) {
        return;
    }
    for (uint32_t i = 0; !before && i < b->client_top; i++) { /* while one was alone, nobody looked at its credit */
        b->clients[i].share.credit_bytes = f->quantum_bytes;
    }
    for (uint32_t i = 0; i < b->client_top; i++) {
        const psy__share *share = &b->clients[i].share;
        if (share->waits && !share->stuck && share->credit_bytes > 0) {
            return; /* it is its turn still */
        }
    }
    for (uint32_t i = 0; i < b->client_top; i++) {
        psy__share *share = &b->clients[i].share;
        if (share->credit_bytes <= 0) {
            share->credit_bytes += f->quantum_bytes;
        }
    }
}

void psy__fairness_tick(psy_broker *b)
{
    if (b->now_ns < b->fairness.tick_due_ns) {
        return;
    }
    b->fairness.tick_due_ns = b->now_ns + tick_ns;
    const bool judges = b->fairness.rounds >= ROUNDS_LEAST;
    b->fairness.rounds = judges ? 0 : b->fairness.rounds;
    for (uint32_t i = 0; i < b->client_top; i++) {
        psy__share *share = &b->clients[i].share;
        share->stuck = judges ? share->inside > 0 && share->freed == 0 : share->stuck;
        share->freed = judges ? 0 : share->freed;
        if (share->active && b->now_ns >= share->active_until_ns && share->inside == 0) {
            share->active = false;
            b->fairness.active--;
        }
    }
}

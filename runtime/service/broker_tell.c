/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker tells of single requests: failures, and every step of those that are traced. */
#include <psyne/envelope.h>

#include "service/broker_state.h"

/* Frames that a shard has not given back, those of this round that are not published yet among them. Its word is not trusted.
 */
static uint64_t ahead(const psy_ring *ring)
{
    uint64_t released = atomic_load_explicit(&ring->header->released, memory_order_relaxed);
    return released > ring->position || ring->position - released > ring->slots ? 0 : ring->position - released;
}

void psy__broker_taken(psy_broker *b, uint32_t ticket, const psy_envelope *e)
{
    psy__ticket_record *record = &b->tickets[ticket];
    record->traced = true;
    b->counts.traced++;
    PSY__TELL(&b->events, TRACE_TAKEN, PSY__NUMBER(e->request), PSY__NUMBER(record->channel),
              PSY__NUMBER(b->clients[record->channel].pass.uid), PSY__NUMBER(e->pipeline), PSY__NUMBER(e->route),
              PSY__NUMBER(record->expected), PSY__NUMBER(ticket));
    for (uint64_t rest = record->expected; rest; rest &= rest - 1) {
        uint32_t s = (uint32_t)__builtin_ctzll(rest);
        PSY__TELL(&b->events, TRACE_SCATTERED, PSY__NUMBER(e->request), PSY__NUMBER(s),
                  PSY__NUMBER(PSY_FRAME_PAYLOAD + (uint64_t)e->length), PSY__NUMBER(ahead(&b->shards[s].requests)));
    }
}

void psy__broker_failed(psy_broker *b, const psy__ticket_record *record, uint32_t dead, psy_status status)
{
    if (status == PSY_TIMEOUT) {
        PSY__TELL(&b->events, REQUEST_TIMEOUT, PSY__NUMBER(record->channel), PSY__NUMBER(record->request),
                  PSY__NUMBER(record->late));
    } else {
        PSY__TELL(&b->events, REQUEST_FAILED, PSY__NUMBER(record->channel), PSY__NUMBER(record->request), PSY__NUMBER(dead));
    }
    if (record->traced) {
        PSY__TELL(&b->events, TRACE_FAILED, PSY__NUMBER(record->request), PSY__TEXT("broker"),
                  PSY__TEXT(psy_status_name(status)));
    }
}

void psy__broker_tell_ended(psy_broker *b, const psy__ticket_record *record)
{
    PSY__TELL(&b->events, TRACE_ENDED, PSY__NUMBER(record->request), PSY__NUMBER(b->now_ns - record->began_ns));
}

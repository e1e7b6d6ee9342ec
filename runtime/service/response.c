/* SPDX-License-Identifier: Apache-2.0 */
#include "service/response.h"

uint64_t psy__responses_bytes(uint32_t slots, uint32_t stride, uint32_t writers)
{
    if (slots == 0 || slots > PSY_REPLY_SLOTS_MAX || stride == 0 || stride % 64 != 0 || stride > (UINT32_C(1) << 30) ||
        writers == 0 || writers > 65) {
        return 0;
    }
    return (uint64_t)slots * 64 + (uint64_t)slots * stride +
           (uint64_t)writers * psy_ring_bytes(8, psy__power_of_two_above(2 * slots));
}

void psy__responses_view(psy__responses *r, void *data, uint32_t slots, uint32_t stride, uint32_t writers)
{
    r->data = data;
    r->slots = slots;
    r->stride = stride;
    r->writers = writers;
    /* Twice the slots: a late completion of a recycled slot never finds its ring full. */
    r->completion_slots = psy__power_of_two_above(2 * slots);
}

void *psy__completions_at(const psy__responses *r, uint32_t writer, uint64_t *bytes)
{
    *bytes = psy_ring_bytes(8, r->completion_slots);
    return r->data + (uint64_t)r->slots * 64 + (uint64_t)r->slots * r->stride + (uint64_t)writer * *bytes;
}

/* The client has given up on the slot: tell it that nobody will write there any more. Only for a slot that `writer` held, or
 * nobody: another writer may still be at it. */
static void acknowledge(psy__reply_header *reply, uint32_t generation, uint32_t writer)
{
    uint64_t state = atomic_load_explicit(&reply->state, memory_order_acquire);
    if (state == psy__reply_state(generation, writer, PSY_PHASE_QUARANTINED) ||
        state == psy__reply_state(generation, PSY_WRITER_NONE, PSY_PHASE_QUARANTINED)) {
        atomic_compare_exchange_strong(&reply->state, &state, psy__reply_state(generation, 0, PSY_PHASE_FREE));
    }
}

static void complete(psy_ring *completions, uint32_t slot, uint32_t generation)
{
    uint32_t got;
    uint64_t *entry = psy_ring_claim(completions, 1, &got);
    if (entry) { /* full only if the client broke its own ring: its loss */
        *entry = (uint64_t)generation << 32 | slot;
        psy_ring_commit(completions, 1);
    }
}

bool psy__reply_begin(const psy__responses *r, uint32_t slot, uint32_t generation, uint32_t writer)
{
    psy__reply_header *reply = psy__reply_at(r, slot);
    uint64_t expected = psy__reply_state(generation, 0, PSY_PHASE_PENDING);
    if (atomic_compare_exchange_strong(&reply->state, &expected, psy__reply_state(generation, writer, PSY_PHASE_WRITING))) {
        return true;
    }
    acknowledge(reply, generation, writer);
    return false;
}

bool psy__reply_end(const psy__responses *r, psy_ring *completions, uint32_t slot, uint32_t generation, uint32_t writer,
                    psy_status status, uint32_t bytes, uint64_t request)
{
    psy__reply_header *reply = psy__reply_at(r, slot);
    reply->status = (uint32_t)status;
    reply->bytes = bytes;
    reply->request = request;
    uint64_t expected = psy__reply_state(generation, writer, PSY_PHASE_WRITING);
    if (!atomic_compare_exchange_strong(&reply->state, &expected, psy__reply_state(generation, writer, PSY_PHASE_DONE))) {
        acknowledge(reply, generation, writer);
        return false;
    }
    complete(completions, slot, generation);
    return true;
}

void psy__reply_takeover(const psy__responses *r, psy_ring *completions, uint32_t slot, uint32_t generation,
                         uint32_t dead_writer, uint32_t writer, psy_status status, uint64_t request)
{
    psy__reply_header *reply = psy__reply_at(r, slot);
    uint64_t writing = psy__reply_state(generation, dead_writer, PSY_PHASE_WRITING);
    if (atomic_compare_exchange_strong(&reply->state, &writing, psy__reply_state(generation, writer, PSY_PHASE_WRITING)) ||
        psy__reply_begin(r, slot, generation, writer)) {
        (void)psy__reply_end(r, completions, slot, generation, writer, status, 0, request);
        return;
    }
    acknowledge(reply, generation, dead_writer);
    if (atomic_load_explicit(&reply->state, memory_order_acquire) ==
        psy__reply_state(generation, dead_writer, PSY_PHASE_DONE)) {
        complete(completions, slot, generation); /* it died between DONE and its completion; a second one is ignored */
    }
}

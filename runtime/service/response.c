/* SPDX-License-Identifier: Apache-2.0 */
#include "service/response.h"

uint64_t psy__responses_bytes(uint32_t slots, uint32_t stride, uint32_t writers)
{
    if (slots == 0 || slots > PSY_REPLY_SLOTS_MAX || stride == 0 || stride % 64 != 0 || stride > (UINT32_C(1) << 30) ||
        writers == 0 || writers > 65) {
        return 0;
    }
    return (uint64_t)slots * 64 + (uint64_t)slots * stride +
           (uint64_t)writers * psy_ring_bytes(8, psy__power_of_two_above(2 * slots)) + 64;
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

void psy__reply_acknowledge(const psy__responses *r, uint32_t slot, uint32_t generation, uint32_t writer)
{
    psy__reply_header *reply = psy__reply_at(r, slot);
    uint64_t state = atomic_load_explicit(&reply->state, memory_order_acquire);
    if (state == psy__reply_state(generation, writer, PSY_PHASE_QUARANTINED) ||
        state == psy__reply_state(generation, PSY_WRITER_NONE, PSY_PHASE_QUARANTINED)) {
        atomic_compare_exchange_strong(&reply->state, &state, psy__reply_state(generation, 0, PSY_PHASE_FREE));
    }
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
    psy__reply_acknowledge(r, slot, generation, dead_writer);
    if (atomic_load_explicit(&reply->state, memory_order_acquire) ==
        psy__reply_state(generation, dead_writer, PSY_PHASE_DONE)) {
        psy__reply_complete(completions, slot,
                            generation); /* it died between DONE and its completion; a second one is ignored */
    }
}

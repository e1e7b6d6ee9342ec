/* SPDX-License-Identifier: Apache-2.0 */
/* Requests out: claim, commit, abort, flush. */
#include "service/channel_state.h"

#include <string.h>

#include <psyne/envelope.h>

#include "base/clock.h"
#include "base/siphash.h"

/* The broker answers TIMEOUT at the deadline; only when that does not come either does the client give up by itself. */
static const uint64_t grace_ns = 100000000, second_ns = 1000000000;

psy_status psy_channel_claim(psy_channel *c, const psy_pipeline *pipeline, psy_call *call)
{
    if (!c || !pipeline || !call || c->claimed) {
        return psy_fail(PSY_INVALID, "psy_channel_claim: %s",
                        c && c->claimed ? "one claim is open already" : "a null argument");
    }
    if (c->dead) {
        return psy__channel_closed(c);
    }
    if (pipeline->request_bytes > c->requests.stride - PSY_ENVELOPE_BYTES || pipeline->reply_bytes > c->responses.stride) {
        return psy_fail(PSY_INVALID, "psy_channel_claim: the pipeline is another channel's");
    }
    if (c->idle_count == 0) {
        return PSY_FULL;
    }
    uint32_t got;
    uint8_t *frame = psy_ring_claim(&c->requests, 1, &got);
    if (!frame && psy_ring_broken(&c->requests)) {
        (void)psy_fail(PSY_PROTOCOL, "the service broke the request ring");
        psy__channel_end(c);
        return psy__channel_closed(c);
    }
    if (!frame) {
        return PSY_FULL;
    }
    uint32_t slot = c->idle[--c->idle_count];
    psy__call_state *state = &c->calls[slot];
    state->phase = CALL_CLAIMED;
    state->generation++;
    state->reply_bytes = pipeline->reply_bytes;
    c->claimed = true;
    *call = (psy_call){frame + PSY_ENVELOPE_BYTES, slot, state->generation, pipeline, c->trace, 0};
    return PSY_OK;
}

void psy_channel_abort(psy_channel *c, psy_call *call)
{
    if (c->claimed && call->slot < c->in_flight && c->calls[call->slot].phase == CALL_CLAIMED) {
        psy_ring_abort(&c->requests);
        c->calls[call->slot].phase = CALL_IDLE;
        c->idle[c->idle_count++] = call->slot;
        c->claimed = false;
    }
}

void psy_channel_commit(psy_channel *c, psy_call *call, void *user)
{
    if (!c->claimed || call->slot >= c->in_flight || c->calls[call->slot].phase != CALL_CLAIMED) {
        return;
    }
    const psy_pipeline *pipeline = call->pipeline;
    psy__call_state *state = &c->calls[call->slot];
    uint64_t now = psy__now_ns(), sequence = ++c->sequence;
    state->phase = CALL_OUT;
    state->user = user;
    state->committed_ns = now;
    state->give_up_ns = now + (uint64_t)c->call_timeout_ms * 1000000 + grace_ns;
    psy_envelope envelope = {
        .length = pipeline->request_bytes,
        .kind = PSY_KIND_REQUEST,
        .flags = call->trace ? PSY_FLAG_TRACE : 0,
        .deadline_ms = (uint16_t)c->call_timeout_ms,
        .request = psy__siphash(c->request_salt, &sequence, sizeof sequence),
        .pipeline = pipeline->id,
        .type = pipeline->request_type,
        .sequence = sequence,
        .slot = call->slot,
        .generation = state->generation,
    };
    call->request = envelope.request;
    if (pipeline->key_offset != UINT32_MAX) {
        envelope.route = psy__siphash(c->route_salt, (const uint8_t *)call->message + pipeline->key_offset, 8);
    }
    memcpy((uint8_t *)call->message - PSY_ENVELOPE_BYTES, &envelope, sizeof envelope);
    atomic_store_explicit(&psy__reply_at(&c->responses, call->slot)->state,
                          psy__reply_state(state->generation, 0, PSY_PHASE_PENDING), memory_order_release);
    psy_ring_commit(&c->requests, 1);
    c->outstanding++;
    c->claimed = false;
}

void psy_channel_flush(psy_channel *c)
{
    psy_ring_flush(&c->requests);
    psy__ring_wake_bell(&c->requests, &c->bell);
}

psy_status psy_channel_call(psy_channel *c, const psy_pipeline *pipeline, const void *request, psy_reply *reply)
{
    if (!c || !pipeline || !request || !reply || c->outstanding != 0) {
        return psy_fail(PSY_INVALID, "psy_channel_call: %s",
                        c && c->outstanding ? "calls are in flight: use claim, commit and poll" : "a null argument");
    }
    psy_call call;
    psy_status status = psy_channel_claim(c, pipeline, &call);
    if (status != PSY_OK) {
        return status == PSY_FULL ? psy_fail(PSY_FULL, "every reply slot is held: release replies first") : status;
    }
    memcpy(call.message, request, pipeline->request_bytes);
    psy_channel_commit(c, &call, NULL);
    uint32_t count = 0;
    while ((status = psy_channel_poll(c, reply, 1, &count)) == PSY_EMPTY) {
        status = psy_channel_wait(c, second_ns);
        if (status != PSY_OK && status != PSY_TIMEOUT) {
            return status;
        }
    }
    return status == PSY_OK ? reply->status : status;
}

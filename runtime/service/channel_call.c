/* SPDX-License-Identifier: Apache-2.0 */
/* Requests out: claim, commit, abort, flush. */
#include "service/channel_state.h"

#include <string.h>

#include <psyne/envelope.h>

#include "base/clock.h"
#include "base/siphash.h"

/* The broker answers TIMEOUT at the deadline; only when that does not come either does the client give up by itself. */
static const uint64_t grace_ns = 100000000, second_ns = 1000000000, late_ns_max = 1000000;

/* The request's name in logs and traces: the sequence number through the finaliser of SplitMix64 (Steele, Lea, Flood: "Fast
 * splittable pseudorandom number generators", 2014), salted before and between. No two of a channel are the same, and who does
 * not know the salt finds no order in them; more it need not be, since the envelope has the number beside it. */
static uint64_t request_name(const uint64_t salt[2], uint64_t sequence)
{
    uint64_t x = sequence ^ salt[0];
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27 ^ salt[1]) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Why a claim is none. Away from the way that all calls go. */
__attribute__((noinline)) static psy_status refuse_claim(psy_channel *c, const psy_pipeline *pipeline, const psy_call *call)
{
    if (!c || !pipeline || !call || c->claimed) {
        return psy_fail(PSY_INVALID, "psy_channel_claim: %s",
                        c && c->claimed ? "one claim is open already" : "a null argument");
    }
    if (c->dead || c->draining) {
        return psy__channel_closed(c);
    }
    return psy_fail(PSY_INVALID, "psy_channel_claim: the pipeline is another channel's");
}

/* No slot of the ring is known to be free. */
__attribute__((noinline)) static psy_status look_for_room(psy_channel *c)
{
    uint32_t got;
    if (psy_ring_claim(&c->requests, 1, &got)) {
        return PSY_OK;
    }
    if (psy_ring_broken(&c->requests)) {
        (void)psy_fail(PSY_PROTOCOL, "the service broke the request ring");
        psy__channel_end(c);
        return psy__channel_closed(c);
    }
    return PSY_FULL;
}

psy_status psy_channel_claim(psy_channel *c, const psy_pipeline *pipeline, psy_call *call)
{
    if (!c || !pipeline || !call || c->claimed || c->dead || c->draining ||
        pipeline->request_bytes > c->requests.stride - PSY_ENVELOPE_BYTES || pipeline->reply_bytes > c->responses.stride) {
        return refuse_claim(c, pipeline, call);
    }
    if (c->idle_count == 0) {
        return PSY_FULL;
    }
    if (!psy_ring_has(&c->requests, 1)) {
        psy_status status = look_for_room(c);
        if (status != PSY_OK) {
            return status;
        }
    }
    uint8_t *frame = c->requests.at;
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

/* The fresh calls are published, by `now` at the latest: a client that let them wait loses nothing of their time. */
__attribute__((noinline)) static void settle_fresh(psy_channel *c, uint64_t now)
{
    uint64_t late_ns = now - c->fresh_ns;
    for (uint32_t i = 0; late_ns > late_ns_max && i < c->fresh_count; i++) {
        psy__call_state *call = &c->calls[c->fresh[i]];
        call->give_up_ns = psy__add_ns(call->give_up_ns, late_ns);
    }
    c->fresh_count = 0;
}

__attribute__((noinline)) static void flush(psy_channel *c) { psy_ring_flush(&c->requests); }

/* `until`: the deadline is the caller's own, whenever the call is published. */
static inline __attribute__((always_inline)) void commit(psy_channel *c, psy_call *call, void *user, uint64_t now,
                                                         uint16_t deadline_ms, uint64_t give_up_ns, bool until)
{
    if (!c->claimed || call->slot >= c->in_flight || c->calls[call->slot].phase != CALL_CLAIMED) {
        return;
    }
    const psy_pipeline *pipeline = call->pipeline;
    psy__call_state *state = &c->calls[call->slot];
    uint64_t sequence = ++c->sequence;
    if (!until) {
        c->fresh[c->fresh_count++] = call->slot;
    }
    state->phase = CALL_OUT;
    state->user = user;
    state->committed_ns = now;
    state->give_up_ns = give_up_ns;
    c->give_up_due_ns = give_up_ns < c->give_up_due_ns ? give_up_ns : c->give_up_due_ns;
    uint64_t route = 0;
    if (pipeline->key_offset != UINT32_MAX) {
        uint64_t key;
        memcpy(&key, (const uint8_t *)call->message + pipeline->key_offset, sizeof key);
        route = psy__siphash_word(c->route_salt, key);
    }
    call->request = request_name(c->request_salt, sequence);
    *((psy_envelope *)call->message - 1) = (psy_envelope){
        .length = pipeline->request_bytes,
        .kind = PSY_KIND_REQUEST,
        .flags = call->trace ? PSY_FLAG_TRACE : 0,
        .deadline_ms = deadline_ms,
        .request = call->request,
        .route = route,
        .pipeline = pipeline->id,
        .type = pipeline->request_type,
        .sequence = sequence,
        .slot = call->slot,
        .generation = state->generation,
    };
    atomic_store_explicit(&psy__reply_at(&c->responses, call->slot)->state,
                          psy__reply_state(state->generation, 0, PSY_PHASE_PENDING), memory_order_release);
    psy_ring_advance(&c->requests, 1);
    c->outstanding++;
    c->claimed = false;
    c->unrung = true;
    if (c->requests.position - c->requests.shown >= c->requests.defer || c->fresh_count == PSY_RING_BATCH) {
        flush(c);
    }
}

static void publish(psy_channel *c)
{
    if (c->unrung) {
        psy_ring_flush(&c->requests);
        psy__ring_wake_bell(&c->requests, &c->bell);
        c->unrung = false;
    }
}

void psy__channel_publish(psy_channel *c, uint64_t now)
{
    publish(c);
    if (c->fresh_count) {
        settle_fresh(c, now);
    }
}

static inline __attribute__((always_inline)) void commit_fresh(psy_channel *c, psy_call *call, void *user)
{
    const uint64_t timeout_ns = (uint64_t)c->call_timeout_ms * 1000000 + grace_ns;
    commit(c, call, user, c->fresh_ns, (uint16_t)c->call_timeout_ms, c->fresh_ns + timeout_ns, false);
}

/* The clock is read for the first of those that are published together. */
__attribute__((noinline)) static void commit_first(psy_channel *c, psy_call *call, void *user)
{
    uint64_t now = psy__now_ns();
    settle_fresh(c, now);
    c->fresh_ns = now;
    commit_fresh(c, call, user);
}

void psy_channel_commit(psy_channel *c, psy_call *call, void *user)
{
    if (c->fresh_count == 0 || c->requests.shown == c->requests.position) {
        commit_first(c, call, user);
    } else {
        commit_fresh(c, call, user);
    }
}

void psy_channel_commit_until(psy_channel *c, psy_call *call, void *user, uint64_t deadline_ns)
{
    uint64_t now = psy__now_ns(), left_ns = deadline_ns > now ? deadline_ns - now : 0;
    uint64_t ms = left_ns / 1000000 + (left_ns % 1000000 != 0);
    commit(c, call, user, now, (uint16_t)(ms > UINT16_MAX ? 0 : ms ? ms : 1), deadline_ns, true);
}

void psy_channel_flush(psy_channel *c)
{
    bool waits = c->requests.shown != c->requests.position;
    publish(c);
    if (waits) { /* otherwise whoever reads the clock next settles them */
        settle_fresh(c, psy__now_ns());
    }
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

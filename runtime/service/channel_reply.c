/* SPDX-License-Identifier: Apache-2.0 */
/* Replies in: poll, wait, release; calls that are overdue, a service that is gone. */
#define _GNU_SOURCE
#include "service/channel_state.h"

#include <poll.h>
#include <string.h>

#include "base/clock.h"

enum {
    COMPLETIONS_TAKEN = 64,
    QUARANTINE_TRIES = 64 /* the word changes twice at most, unless somebody lies */
};
static const uint64_t second_ns = 1000000000, tick_ns = 1000000, sleep_ns_max = 50000000;

/* Slots that timed out are ours again when their writer has acknowledged. */
static void reclaim_quarantined(psy_channel *c)
{
    for (uint32_t slot = 0; c->quarantined > 0 && slot < c->in_flight; slot++) {
        psy__call_state *call = &c->calls[slot];
        if (call->phase == CALL_QUARANTINED &&
            (atomic_load_explicit(&psy__reply_at(&c->responses, slot)->state, memory_order_acquire) & 0xffff) ==
                PSY_PHASE_FREE) {
            call->phase = CALL_IDLE;
            c->idle[c->idle_count++] = slot;
            c->quarantined--;
        }
    }
}

static inline void give_back(psy_channel *c, uint32_t slot)
{
    atomic_store_explicit(&psy__reply_at(&c->responses, slot)->state,
                          psy__reply_state(c->calls[slot].generation, 0, PSY_PHASE_FREE), memory_order_release);
    c->calls[slot].phase = CALL_IDLE;
    c->idle[c->idle_count++] = slot;
}

/* Ends a call that is out: its one reply. */
static inline void finish(psy_channel *c, uint32_t slot, psy_status status, uint64_t now, psy_reply *reply)
{
    const psy__call_state *call = &c->calls[slot];
    reply->status = status;
    reply->bytes = 0;
    reply->message = NULL;
    reply->user = call->user;
    reply->latency_ns = now - call->committed_ns;
    reply->slot = slot;
    reply->generation = call->generation;
    c->outstanding--;
}

/* A slot that is DONE: what it says is read once. Error replies give their slot back at once. */
static void take(psy_channel *c, uint32_t slot, uint64_t now, psy_reply *reply)
{
    const volatile psy__reply_header *header = psy__reply_at(&c->responses, slot);
    uint32_t status = header->status, bytes = header->bytes;
    if (status == PSY_OK && bytes != c->calls[slot].reply_bytes) {
        status = PSY_PROTOCOL;
    }
    finish(c, slot, (psy_status)status, now, reply);
    if (status == PSY_OK) {
        c->calls[slot].phase = CALL_TAKEN;
        reply->bytes = bytes;
        reply->message = psy__reply_payload(&c->responses, slot);
    } else {
        give_back(c, slot);
    }
}

static bool is_done(psy_channel *c, uint32_t slot)
{
    uint64_t state = atomic_load_explicit(&psy__reply_at(&c->responses, slot)->state, memory_order_acquire);
    return state >> 32 == c->calls[slot].generation && (state & 0xffff) == PSY_PHASE_DONE;
}

/* The service is gone: replies that were written are delivered, every other call fails. */
static uint32_t fail_outstanding(psy_channel *c, psy_reply *replies, uint32_t max, uint64_t now)
{
    uint32_t n = 0;
    for (uint32_t slot = 0; n < max && c->outstanding > 0 && slot < c->in_flight; slot++) {
        if (c->calls[slot].phase == CALL_OUT) {
            if (is_done(c, slot)) {
                take(c, slot, now, &replies[n++]);
            } else {
                finish(c, slot, PSY_PEER_DIED, now, &replies[n++]);
                c->calls[slot].phase = CALL_QUARANTINED; /* a worker may still be writing: never used again */
            }
        }
    }
    return n;
}

/* Gives up on a call that is out. False: its reply is there, or somebody plays with the word. */
static bool quarantine(psy_channel *c, uint32_t slot)
{
    uint32_t generation = c->calls[slot].generation;
    psy__reply_header *header = psy__reply_at(&c->responses, slot);
    uint64_t state = atomic_load_explicit(&header->state, memory_order_acquire);
    bool quarantined = false;
    for (uint32_t tries = 0; !is_done(c, slot) && !quarantined && tries < QUARANTINE_TRIES; tries++) {
        /* Who is at it says so itself when it is done; nobody else can speak for it. */
        bool writing = state >> 32 == generation && (state & 0xffff) == PSY_PHASE_WRITING;
        uint32_t writer = writing ? (uint32_t)(state >> 16 & 0xffff) : PSY_WRITER_NONE;
        quarantined =
            atomic_compare_exchange_strong(&header->state, &state, psy__reply_state(generation, writer, PSY_PHASE_QUARANTINED));
    }
    return quarantined;
}

static uint32_t give_up_late(psy_channel *c, psy_reply *replies, uint32_t max, uint64_t now)
{
    uint32_t n = 0, slot = 0;
    uint64_t due_ns = UINT64_MAX;
    for (; n < max && slot < c->in_flight; slot++) {
        psy__call_state *call = &c->calls[slot];
        if (call->phase != CALL_OUT) {
            continue;
        }
        if (now < call->give_up_ns) {
            due_ns = call->give_up_ns < due_ns ? call->give_up_ns : due_ns;
            continue;
        }
        bool quarantined = quarantine(c, slot);
        if (quarantined) {
            finish(c, slot, PSY_TIMEOUT, now, &replies[n++]);
            call->phase = CALL_QUARANTINED;
            c->quarantined++;
        } else if (is_done(c, slot)) {
            take(c, slot, now, &replies[n++]); /* its completion was lost with the shard that wrote it */
        } else {
            due_ns = now + tick_ns;
        }
    }
    c->give_up_due_ns = slot < c->in_flight ? now : due_ns;
    return n;
}

psy_status psy_channel_cancel(psy_channel *c, const psy_call *call)
{
    if (!c || !call || call->slot >= c->in_flight) {
        return psy_fail(PSY_INVALID, "psy_channel_cancel: a null argument, or no call of this channel");
    }
    psy__call_state *state = &c->calls[call->slot];
    if (state->phase != CALL_OUT || state->generation != call->generation || !quarantine(c, call->slot)) {
        return PSY_NOT_FOUND;
    }
    state->phase = CALL_CANCELLED;
    c->cancelled[c->cancelled_count++] = call->slot;
    return PSY_OK;
}

static uint32_t take_cancelled(psy_channel *c, psy_reply *replies, uint32_t max, uint64_t now)
{
    uint32_t n = 0;
    while (n < max && c->cancelled_count > 0) {
        uint32_t slot = c->cancelled[--c->cancelled_count];
        finish(c, slot, PSY_CANCELLED, now, &replies[n++]);
        c->calls[slot].phase = CALL_QUARANTINED;
        c->quarantined++;
    }
    return n;
}

/* A millisecond has passed, or a deadline: is the service alive, is a call overdue? */
static uint32_t tick(psy_channel *c, psy_reply *replies, uint32_t max, uint64_t now)
{
    c->tick_due_ns = now + tick_ns;
    psy__counting_beat(&c->counting);
    psy__control control;
    /* While a pipeline is asked for, what comes is the answer to that. */
    psy__event event = c->opening[0] ? PSY_EVENT_NONE : psy__link_poll(c->link, &control);
    bool over = event == PSY_EVENT_CLOSED, fatal;
    psy_status status;
    if (over) {
        (void)psy_fail(PSY_PEER_DIED, "the service is gone");
    } else if (event == PSY_EVENT_CONTROL) {
        psy__close_fds(control.fds, control.fd_count);
        if (!psy__heard_refusal(&control, &status, &fatal)) {
            (void)psy_fail(PSY_PROTOCOL, "the service sent a message out of turn");
            fatal = true;
        }
        over = fatal;
    }
    if (over) {
        psy__channel_end(c);
    }
    reclaim_quarantined(c);
    return c->dead || now < c->give_up_due_ns ? 0 : give_up_late(c, replies, max, now);
}

static uint32_t take_completions(psy_channel *c, psy_ring *ring, psy_reply *replies, uint32_t max, uint64_t now)
{
    uint32_t n = 0, got;
    const volatile uint64_t *entries;
    while (n < max && (entries = psy_ring_peek(ring, max - n < COMPLETIONS_TAKEN ? max - n : COMPLETIONS_TAKEN, &got))) {
        for (uint32_t i = 0; i < got; i++) {
            uint64_t entry = entries[i];
            uint32_t slot = (uint32_t)entry;
            /* Completions can be late or double (a shard died): only an outstanding call's own generation counts. */
            if (slot < c->in_flight && c->calls[slot].phase == CALL_OUT && c->calls[slot].generation == entry >> 32 &&
                is_done(c, slot)) {
                take(c, slot, now, &replies[n++]);
            }
        }
        psy_ring_release(ring, got);
    }
    psy_ring_settle(ring);
    return n;
}

psy_status psy_channel_poll(psy_channel *c, psy_reply *replies, uint32_t max, uint32_t *count)
{
    if (!c || !replies || !count || max == 0) {
        return psy_fail(PSY_INVALID, "psy_channel_poll: a null or zero argument");
    }
    uint64_t now = psy__now_ns();
    psy__channel_publish(c, now);
    if (c->armed) {
        psy__channel_disarm(c);
    }
    uint32_t n = c->cancelled_count ? take_cancelled(c, replies, max, now) : 0;
    psy__channel_look(c);
    uint32_t writer = c->next_ring < c->active_count ? c->next_ring : 0;
    for (uint32_t i = 0; i < c->active_count && n < max; i++) {
        n += take_completions(c, &c->completions[c->active[writer]], replies + n, max - n, now);
        writer = writer + 1 < c->active_count ? writer + 1 : 0;
    }
    c->next_ring = c->next_ring + 1 < c->active_count ? c->next_ring + 1 : 0;
    if (n < max && !c->dead && (now >= c->tick_due_ns || now >= c->give_up_due_ns)) {
        n += tick(c, replies + n, max - n, now);
    }
    if (c->dead) {
        n += fail_outstanding(c, replies + n, max - n, now);
        if (n == 0) {
            *count = 0;
            return psy__channel_closed(c);
        }
    }
    *count = n;
    if (n == 0 && c->draining && c->outstanding == 0) {
        return psy__channel_closed(c);
    }
    return n ? PSY_OK : PSY_EMPTY;
}

static bool has_completion(psy_channel *c)
{
    uint32_t got;
    if (c->cancelled_count) {
        return true;
    }
    psy__channel_look(c);
    for (uint32_t i = 0; i < c->active_count; i++) {
        if (psy_ring_peek(&c->completions[c->active[i]], 1, &got)) {
            return true;
        }
    }
    return false;
}

/* Sleeps on the bell. Every completion ring is told first, and looked at once more after. Where there are other rings
 * meanwhile, the broker has rung. */
static void sleep_for_completions(psy_channel *c, uint64_t timeout_ns)
{
    bool empty = true;
    for (uint32_t i = 0; i < c->active_count; i++) {
        empty = psy_ring_sleep_begin(&c->completions[c->active[i]]) && empty;
    }
    if (empty) {
        struct pollfd p[2] = {{.fd = psy_bell_fd(&c->bell), .events = POLLIN}, {.fd = psy__link_fd(c->link), .events = POLLIN}};
        struct timespec t = {(time_t)(timeout_ns / second_ns), (long)(timeout_ns % second_ns)};
        (void)ppoll(p, 2, &t, NULL);
        if (p[0].revents) {
            psy_bell_clear(&c->bell);
        }
        c->tick_due_ns = 0;
    }
    for (uint32_t i = 0; i < c->active_count; i++) {
        psy_ring_sleep_end(&c->completions[c->active[i]]);
    }
}

psy_status psy_channel_wait(psy_channel *c, uint64_t timeout_ns)
{
    if (!c) {
        return psy_fail(PSY_INVALID, "psy_channel_wait: a null argument");
    }
    uint64_t start = psy__now_ns(), deadline = psy__add_ns(start, timeout_ns);
    psy__channel_publish(c, start);
    if (c->armed) {
        psy__channel_disarm(c);
    }
    psy__idle_end(&c->watch);
    for (;;) {
        if (has_completion(c)) {
            return PSY_OK;
        }
        if (c->dead || (c->draining && c->outstanding == 0)) {
            return c->outstanding ? PSY_OK : psy__channel_closed(c);
        }
        if (c->agent.work && c->agent.work(c->agent.context)) {
            uint64_t now = psy__now_ns(); /* an agent that always has something to do must not hide that time passes */
            if (now >= deadline || now >= c->give_up_due_ns) {
                return now >= c->give_up_due_ns ? PSY_OK : PSY_TIMEOUT;
            }
            psy__idle_end(&c->watch);
            continue;
        }
        uint64_t now = psy__idle_looks(&c->watch) ? start : psy__now_ns();
        if (now >= deadline) {
            return PSY_TIMEOUT;
        }
        if (psy__idle_wait(&c->watch)) {
            continue;
        }
        if (now >= c->give_up_due_ns) {
            return PSY_OK;
        }
        uint64_t left = deadline - now, most = c->agent.work ? tick_ns : sleep_ns_max;
        left = c->give_up_due_ns - now < left ? c->give_up_due_ns - now : left;
        sleep_for_completions(c, left < most ? left : most);
        if (!has_completion(c) && !c->agent.work) {
            return PSY_OK; /* the link, or time: poll looks at calls that are overdue */
        }
    }
}

void psy_channel_release(psy_channel *c, const psy_reply *reply)
{
    if (c && reply && reply->slot < c->in_flight) {
        psy__call_state *call = &c->calls[reply->slot];
        if (call->phase == CALL_TAKEN && call->generation == reply->generation) {
            give_back(c, reply->slot);
        }
    }
}

uint32_t psy_channel_outstanding(const psy_channel *c) { return c->outstanding; }

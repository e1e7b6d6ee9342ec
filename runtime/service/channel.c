/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <psyne/channel.h>

#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <psyne/envelope.h>
#include <psyne/ring.h>
#include <psyne/slab.h>

#include "base/clock.h"
#include "base/siphash.h"
#include "service/protocol.h"
#include "service/response.h"

enum {
    IN_FLIGHT_DEFAULT = 256,
    CALL_TIMEOUT_MS_DEFAULT = 10000,
    SPINS = 256,  /* looks at the rings before the first yield */
    YIELDS = 8,   /* then before it sleeps */
    COMPLETIONS_TAKEN = 64,
    QUARANTINE_TRIES = 64 /* the word changes twice at most, unless somebody lies */
};
static const uint64_t second_ns = 1000000000, tick_ns = 1000000;
/* The broker answers TIMEOUT at the deadline; only when that does not come either does the client give up by itself. */
static const uint64_t grace_ns = 100000000;
static const uint64_t sleep_ns_max = 50000000;

/* What the client knows of a slot; the shared state word is only ever compared with it. */
typedef enum phase { IDLE, CLAIMED, OUT, TAKEN, QUARANTINED } phase;
typedef struct call_state {
    phase phase;
    uint32_t generation;
    uint32_t reply_bytes;
    uint64_t committed_ns, give_up_ns;
    void *user;
} call_state;

struct psy_channel {
    psy__link *link;
    psy_slab *request_slab, *response_slab;
    psy_ring requests;
    psy__responses responses;
    psy_ring *completions; /* a ring per writer */
    call_state *calls;
    uint32_t *idle; /* stack of idle slots */
    uint32_t idle_count, outstanding, quarantined;
    uint32_t in_flight, next_ring;
    uint32_t call_timeout_ms;
    uint64_t request_salt[2], route_salt[2], sequence;
    uint64_t tick_due_ns;
    uint64_t connect_timeout_ns;
    int bell; /* the broker and the workers ring it, and it rings the broker */
    bool claimed, dead;
};

static uint32_t power_of_two_above(uint32_t n)
{
    uint32_t p = 1;
    while (p < n) {
        p *= 2;
    }
    return p;
}

/* The client's memory: request ring and response slab, in the geometry that the broker told. */
static psy_status make_slabs(psy_channel *c, const psy__welcome *welcome, psy__attach *attach)
{
    uint32_t stride = PSY_ENVELOPE_BYTES + ((welcome->request_bytes + 63) & ~UINT32_C(63));
    uint32_t slots = power_of_two_above(c->in_flight);
    uint32_t writers = welcome->shards + 1;
    uint32_t reply_stride = (welcome->reply_bytes + 63) & ~UINT32_C(63);
    uint64_t response_bytes = psy__responses_bytes(c->in_flight, reply_stride, writers);
    if (response_bytes == 0) {
        return psy_fail(PSY_PROTOCOL, "the service asks for replies of %u bytes from %u writers", reply_stride, writers);
    }
    psy_slab_options options = {.bytes = psy_ring_bytes(stride, slots), .name = "psyne-requests", .pretouch = true};
    psy_status status = psy_slab_create(&options, &c->request_slab);
    if (status != PSY_OK) {
        return status;
    }
    options.bytes = response_bytes;
    options.name = "psyne-responses";
    status = psy_slab_create(&options, &c->response_slab);
    if (status != PSY_OK) {
        return status;
    }
    status = psy_ring_init(&c->requests, psy_slab_data(c->request_slab), psy_slab_data_bytes(c->request_slab), stride, slots);
    psy__responses_view(&c->responses, psy_slab_data(c->response_slab), c->in_flight, reply_stride, writers);
    c->completions = calloc(writers, sizeof *c->completions);
    c->calls = calloc(c->in_flight, sizeof *c->calls);
    c->idle = calloc(c->in_flight, sizeof *c->idle);
    if (!c->completions || !c->calls || !c->idle) {
        return psy_fail(PSY_NO_MEMORY, "no memory for %u calls", c->in_flight);
    }
    for (uint32_t w = 0; status == PSY_OK && w < writers; w++) {
        uint64_t bytes;
        void *at = psy__completions_at(&c->responses, w, &bytes);
        status = psy_ring_init(&c->completions[w], at, bytes, 8, c->responses.completion_slots);
    }
    for (uint32_t i = 0; i < c->in_flight; i++) {
        c->idle[c->idle_count++] = c->in_flight - 1 - i;
    }
    *attach = (psy__attach){.request_slots = slots, .request_stride = stride, .reply_slots = c->in_flight};
    return status;
}

static psy_status attach(psy_channel *c, const char *uri, uint64_t deadline_ns)
{
    psy__hello hello = {.role = PSY_ROLE_CLIENT};
    psy_status status = psy__say(c->link, PSY_SAY_HELLO, &hello, sizeof hello, NULL, 0);
    if (status != PSY_OK) {
        return status;
    }
    psy__welcome welcome;
    status = psy__hear(c->link, PSY_SAY_WELCOME, &welcome, sizeof welcome, NULL, 0, deadline_ns);
    if (status == PSY_TIMEOUT) {
        return psy_fail(PSY_TIMEOUT, "%s: the service is there, but not all of its shards are ready", uri);
    }
    if (status != PSY_OK) {
        return status;
    }
    if (c->in_flight > welcome.in_flight_max) {
        return psy_fail(PSY_LIMIT, "%s: in_flight %u; the service allows %u", uri, c->in_flight, welcome.in_flight_max);
    }
    if (welcome.shards == 0 || welcome.shards > PSY_SHARDS_MAX || welcome.request_bytes > (UINT32_C(1) << 30) ||
        welcome.reply_bytes > (UINT32_C(1) << 30)) {
        return psy_fail(PSY_PROTOCOL, "%s: the service's sizes make no sense", uri);
    }
    memcpy(c->request_salt, welcome.request_salt, sizeof c->request_salt);
    memcpy(c->route_salt, welcome.route_salt, sizeof c->route_salt);
    psy__attach request;
    status = make_slabs(c, &welcome, &request);
    if (status != PSY_OK) {
        return status;
    }
    int bell[2];
    status = psy__bell_create(bell);
    if (status != PSY_OK) {
        return status;
    }
    c->bell = bell[0];
    int fds[3] = {psy_slab_fd(c->request_slab), psy_slab_fd(c->response_slab), bell[1]};
    status = psy__say(c->link, PSY_SAY_ATTACH, &request, sizeof request, fds, 3);
    close(bell[1]);
    psy__attached attached;
    return status != PSY_OK ? status
                            : psy__hear(c->link, PSY_SAY_ATTACHED, &attached, sizeof attached, NULL, 0, deadline_ns);
}

psy_status psy_channel_connect(const char *uri, const psy_channel_options *options, psy_channel **out)
{
    psy_channel_options o = options ? *options : (psy_channel_options){0};
    if (!uri || !out || o.in_flight > PSY_REPLY_SLOTS_MAX || o.call_timeout_ms > UINT16_MAX) {
        return psy_fail(PSY_INVALID, "psy_channel_connect: in_flight is 1 to %d, call_timeout_ms 1 to %d",
                        PSY_REPLY_SLOTS_MAX, UINT16_MAX);
    }
    psy_channel *c = calloc(1, sizeof *c);
    if (!c) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a channel");
    }
    c->bell = -1;
    c->in_flight = o.in_flight ? o.in_flight : IN_FLIGHT_DEFAULT;
    c->call_timeout_ms = o.call_timeout_ms ? o.call_timeout_ms : CALL_TIMEOUT_MS_DEFAULT;
    c->connect_timeout_ns = o.connect_timeout_ns ? o.connect_timeout_ns : 10 * second_ns;
    uint64_t deadline_ns = psy__add_ns(psy__now_ns(), c->connect_timeout_ns);
    psy_status status = psy__connect(uri, c->connect_timeout_ns, &c->link);
    if (status == PSY_OK) {
        status = attach(c, uri, deadline_ns);
    }
    if (status != PSY_OK) {
        psy_channel_close(c);
        return status;
    }
    *out = c;
    return PSY_OK;
}

static psy_status copy_name(char to[PSY_NAME_BYTES], const char *name)
{
    size_t n = strlen(name);
    if (n >= PSY_NAME_BYTES) {
        return psy_fail(PSY_INVALID, "the name %.40s... is longer than %d bytes", name, PSY_NAME_BYTES - 1);
    }
    memcpy(to, name, n + 1);
    return PSY_OK;
}

psy_status psy_channel_open(psy_channel *c, const char *pipeline, const psy_type *request, const psy_type *reply,
                            psy_pipeline *out)
{
    if (!c || !pipeline || !request || !reply || !out) {
        return psy_fail(PSY_INVALID, "psy_channel_open: a null argument");
    }
    if (c->dead) {
        return psy_fail(PSY_CLOSED, "the service is gone");
    }
    psy__open open = {.request_hash = request->layout_hash, .reply_hash = reply->layout_hash};
    psy_status status = copy_name(open.pipeline, pipeline);
    status = status == PSY_OK ? copy_name(open.request_name, request->name) : status;
    status = status == PSY_OK ? copy_name(open.reply_name, reply->name) : status;
    if (status != PSY_OK) {
        return status;
    }
    status = psy__say(c->link, PSY_SAY_OPEN, &open, sizeof open, NULL, 0);
    psy__opened opened;
    if (status == PSY_OK) {
        status = psy__hear(c->link, PSY_SAY_OPENED, &opened, sizeof opened, NULL, 0,
                           psy__add_ns(psy__now_ns(), c->connect_timeout_ns));
    }
    if (status != PSY_OK) {
        return status;
    }
    if (opened.request_bytes != request->bytes || opened.reply_bytes != reply->bytes ||
        opened.reply_bytes > c->responses.stride || PSY_ENVELOPE_BYTES + opened.request_bytes > c->requests.stride ||
        (opened.key_offset != UINT32_MAX &&
         (opened.request_bytes < 8 || opened.key_offset > opened.request_bytes - 8))) {
        return psy_fail(PSY_PROTOCOL, "pipeline %s: the service's sizes contradict what was agreed", pipeline);
    }
    *out = (psy_pipeline){opened.pipeline, opened.request_type, opened.request_bytes, opened.reply_bytes, opened.key_offset};
    return PSY_OK;
}

/* Slots that timed out are ours again when their writer has acknowledged. */
static void reclaim_quarantined(psy_channel *c)
{
    for (uint32_t slot = 0; c->quarantined > 0 && slot < c->in_flight; slot++) {
        call_state *call = &c->calls[slot];
        if (call->phase == QUARANTINED &&
            (atomic_load_explicit(&psy__reply_at(&c->responses, slot)->state, memory_order_acquire) & 0xffff) ==
                PSY_PHASE_FREE) {
            call->phase = IDLE;
            c->idle[c->idle_count++] = slot;
            c->quarantined--;
        }
    }
}

psy_status psy_channel_claim(psy_channel *c, const psy_pipeline *pipeline, psy_call *call)
{
    if (!c || !pipeline || !call || c->claimed) {
        return psy_fail(PSY_INVALID, "psy_channel_claim: %s", c && c->claimed ? "one claim is open already" : "a null argument");
    }
    if (c->dead) {
        return psy_fail(PSY_CLOSED, "the service is gone");
    }
    if (c->idle_count == 0) {
        return PSY_FULL;
    }
    uint32_t got;
    uint8_t *frame = psy_ring_claim(&c->requests, 1, &got);
    if (!frame && psy_ring_broken(&c->requests)) {
        c->dead = true;
        return psy_fail(PSY_CLOSED, "the service broke the request ring");
    }
    if (!frame) {
        return PSY_FULL;
    }
    uint32_t slot = c->idle[--c->idle_count];
    call_state *state = &c->calls[slot];
    state->phase = CLAIMED;
    state->generation++;
    state->reply_bytes = pipeline->reply_bytes;
    c->claimed = true;
    *call = (psy_call){frame + PSY_ENVELOPE_BYTES, slot, state->generation, pipeline};
    return PSY_OK;
}

void psy_channel_abort(psy_channel *c, psy_call *call)
{
    if (c->claimed && call->slot < c->in_flight && c->calls[call->slot].phase == CLAIMED) {
        psy_ring_abort(&c->requests);
        c->calls[call->slot].phase = IDLE;
        c->idle[c->idle_count++] = call->slot;
        c->claimed = false;
    }
}

void psy_channel_commit(psy_channel *c, psy_call *call, void *user)
{
    if (!c->claimed || call->slot >= c->in_flight || c->calls[call->slot].phase != CLAIMED) {
        return;
    }
    const psy_pipeline *pipeline = call->pipeline;
    call_state *state = &c->calls[call->slot];
    uint64_t now = psy__now_ns(), sequence = ++c->sequence;
    state->phase = OUT;
    state->user = user;
    state->committed_ns = now;
    state->give_up_ns = now + (uint64_t)c->call_timeout_ms * tick_ns + grace_ns;
    psy_envelope envelope = {
        .length = pipeline->request_bytes,
        .kind = PSY_KIND_REQUEST,
        .deadline_ms = (uint16_t)c->call_timeout_ms,
        .request = psy__siphash(c->request_salt, &sequence, sizeof sequence),
        .pipeline = pipeline->id,
        .type = pipeline->request_type,
        .sequence = sequence,
        .slot = call->slot,
        .generation = state->generation,
    };
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
    if (psy_ring_take_wake(&c->requests)) {
        psy__bell_ring(c->bell);
    }
}

static void give_slot_back(psy_channel *c, uint32_t slot)
{
    atomic_store_explicit(&psy__reply_at(&c->responses, slot)->state,
                          psy__reply_state(c->calls[slot].generation, 0, PSY_PHASE_FREE), memory_order_release);
    c->calls[slot].phase = IDLE;
    c->idle[c->idle_count++] = slot;
}

/* Ends a call that is out: its one reply. */
static psy_reply finish(psy_channel *c, uint32_t slot, psy_status status, uint64_t now)
{
    call_state *call = &c->calls[slot];
    psy_reply reply = {.status = status,
                       .user = call->user,
                       .latency_ns = now - call->committed_ns,
                       .slot = slot,
                       .generation = call->generation};
    c->outstanding--;
    return reply;
}

/* A slot that is DONE: what it says is read once. Error replies give their slot back at once. */
static psy_reply take(psy_channel *c, uint32_t slot, uint64_t now)
{
    const volatile psy__reply_header *header = psy__reply_at(&c->responses, slot);
    uint32_t status = header->status, bytes = header->bytes;
    psy_reply reply = finish(c, slot, (psy_status)status, now);
    if (status == PSY_OK && bytes != c->calls[slot].reply_bytes) {
        reply.status = PSY_PROTOCOL;
    }
    if (reply.status == PSY_OK) {
        c->calls[slot].phase = TAKEN;
        reply.bytes = bytes;
        reply.message = psy__reply_payload(&c->responses, slot);
    } else {
        give_slot_back(c, slot);
    }
    return reply;
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
        if (c->calls[slot].phase == OUT) {
            if (is_done(c, slot)) {
                replies[n++] = take(c, slot, now);
            } else {
                replies[n++] = finish(c, slot, PSY_PEER_DIED, now);
                c->calls[slot].phase = QUARANTINED; /* a worker may still be writing: never used again */
            }
        }
    }
    return n;
}

static uint32_t give_up_late(psy_channel *c, psy_reply *replies, uint32_t max, uint64_t now)
{
    uint32_t n = 0;
    for (uint32_t slot = 0; n < max && slot < c->in_flight; slot++) {
        call_state *call = &c->calls[slot];
        if (call->phase != OUT || now < call->give_up_ns) {
            continue;
        }
        psy__reply_header *header = psy__reply_at(&c->responses, slot);
        uint64_t state = atomic_load_explicit(&header->state, memory_order_acquire);
        bool quarantined = false;
        for (uint32_t tries = 0; !is_done(c, slot) && !quarantined && tries < QUARANTINE_TRIES; tries++) {
            /* Who is at it says so itself when it is done; nobody else can speak for it. */
            bool writing = state >> 32 == call->generation && (state & 0xffff) == PSY_PHASE_WRITING;
            uint32_t writer = writing ? (uint32_t)(state >> 16 & 0xffff) : PSY_WRITER_NONE;
            quarantined = atomic_compare_exchange_strong(
                &header->state, &state, psy__reply_state(call->generation, writer, PSY_PHASE_QUARANTINED));
        }
        if (is_done(c, slot)) {
            replies[n++] = take(c, slot, now); /* its completion was lost with the shard that wrote it */
        } else if (quarantined) {
            replies[n++] = finish(c, slot, PSY_TIMEOUT, now);
            call->phase = QUARANTINED;
            c->quarantined++;
        }
    }
    return n;
}

/* A millisecond has passed: is the service alive, is a call overdue? */
static uint32_t tick(psy_channel *c, psy_reply *replies, uint32_t max, uint64_t now)
{
    c->tick_due_ns = now + tick_ns;
    psy__control control;
    psy__event event = psy__link_poll(c->link, &control);
    if (event == PSY_EVENT_CONTROL) {
        psy__close_fds(control.fds, control.fd_count);
        psy__refused refused;
        event = psy__heard(&control, PSY_SAY_REFUSED, &refused, sizeof refused, 0) == PSY_OK && !refused.fatal
                    ? PSY_EVENT_NONE
                    : PSY_EVENT_CLOSED;
    }
    if (event == PSY_EVENT_CLOSED) {
        c->dead = true;
    }
    reclaim_quarantined(c);
    return c->dead ? 0 : give_up_late(c, replies, max, now);
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
            if (slot < c->in_flight && c->calls[slot].phase == OUT && c->calls[slot].generation == entry >> 32 &&
                is_done(c, slot)) {
                replies[n++] = take(c, slot, now);
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
    psy_channel_flush(c);
    uint64_t now = psy__now_ns();
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->responses.writers && n < max; i++) {
        n += take_completions(c, &c->completions[(c->next_ring + i) % c->responses.writers], replies + n, max - n, now);
    }
    c->next_ring = (c->next_ring + 1) % c->responses.writers;
    if (n < max && !c->dead && now >= c->tick_due_ns) {
        n += tick(c, replies + n, max - n, now);
    }
    if (c->dead) {
        n += fail_outstanding(c, replies + n, max - n, now);
        if (n == 0) {
            *count = 0;
            return psy_fail(PSY_CLOSED, "the service is gone");
        }
    }
    *count = n;
    return n ? PSY_OK : PSY_EMPTY;
}

static bool has_completion(psy_channel *c)
{
    uint32_t got;
    for (uint32_t w = 0; w < c->responses.writers; w++) {
        if (psy_ring_peek(&c->completions[w], 1, &got)) {
            return true;
        }
    }
    return false;
}

/* Sleeps on the bell. Every completion ring is told first, and looked at once more after. */
static void sleep_for_completions(psy_channel *c, uint64_t timeout_ns)
{
    bool empty = true;
    for (uint32_t w = 0; w < c->responses.writers; w++) {
        empty = psy_ring_sleep_begin(&c->completions[w]) && empty;
    }
    if (empty) {
        struct pollfd p[2] = {{.fd = c->bell, .events = POLLIN}, {.fd = psy__link_fd(c->link), .events = POLLIN}};
        struct timespec t = {(time_t)(timeout_ns / second_ns), (long)(timeout_ns % second_ns)};
        (void)ppoll(p, 2, &t, NULL);
        if (p[0].revents) {
            psy__bell_clear(c->bell);
        }
        c->tick_due_ns = 0;
    }
    for (uint32_t w = 0; w < c->responses.writers; w++) {
        psy_ring_sleep_end(&c->completions[w]);
    }
}

psy_status psy_channel_wait(psy_channel *c, uint64_t timeout_ns)
{
    if (!c) {
        return psy_fail(PSY_INVALID, "psy_channel_wait: a null argument");
    }
    psy_channel_flush(c);
    uint64_t start = psy__now_ns(), deadline = psy__add_ns(start, timeout_ns);
    for (uint32_t round = 0;; round++) {
        if (has_completion(c)) {
            return PSY_OK;
        }
        if (c->dead) {
            return c->outstanding ? PSY_OK : psy_fail(PSY_CLOSED, "the service is gone");
        }
        if (round < SPINS) {
            psy__relax();
            continue;
        }
        uint64_t now = psy__now_ns();
        if (now >= deadline) {
            return PSY_TIMEOUT;
        }
        if (round < SPINS + YIELDS) {
            sched_yield();
            continue;
        }
        uint64_t left = deadline - now;
        sleep_for_completions(c, left < sleep_ns_max ? left : sleep_ns_max);
        if (!has_completion(c)) {
            return PSY_OK; /* the link, or time: poll looks at calls that are overdue */
        }
    }
}

void psy_channel_release(psy_channel *c, const psy_reply *reply)
{
    if (c && reply && reply->slot < c->in_flight) {
        call_state *call = &c->calls[reply->slot];
        if (call->phase == TAKEN && call->generation == reply->generation) {
            give_slot_back(c, reply->slot);
        }
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

uint32_t psy_channel_outstanding(const psy_channel *c) { return c->outstanding; }

void psy_channel_close(psy_channel *c)
{
    if (!c) {
        return;
    }
    if (c->link) {
        psy__link_close(c->link);
    }
    psy_slab_destroy(c->request_slab);
    psy_slab_destroy(c->response_slab);
    if (c->bell >= 0) {
        close(c->bell);
    }
    free(c->completions);
    free(c->calls);
    free(c->idle);
    free(c);
}

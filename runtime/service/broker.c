/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <psyne/broker.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/idle.h"
#include "service/broker_state.h"

enum { IN_FLIGHT_DEFAULT = 4096, CLIENTS_DEFAULT = 64 };
enum { CLIENT_EDIT_BYTES_DEFAULT = 64 << 20 };
enum { CLIENT_PROGRAM_BYTES_DEFAULT = 1 << 20, CLIENT_ARENA_BYTES_DEFAULT = 64 << 20, CLIENT_WORK_DEFAULT = 1 << 28 };
static const uint64_t tick_ns = 1000000, sleep_ns_max = 20000000;
static const uint64_t ring_bytes_max = UINT64_C(256) << 20;

/* The service's memory is as large as its first programs need it, and the options say that later ones may. */
static psy_status measure(psy_broker *b, const psy_broker_options *o, uint64_t *partial_bytes)
{
    uint64_t sizes[3] = {o->max_request_bytes, o->max_reply_bytes, o->max_partial_bytes};
    for (uint32_t i = 0; i < o->program_count + (o->module != NULL); i++) {
        const psy_module *module = i < o->program_count ? o->programs[i].module : o->module;
        uint32_t request, reply;
        uint64_t partial;
        if (!module) {
            return psy_fail(PSY_INVALID, "psy_broker_create: program %u has no module", i);
        }
        psy__module_extents(&module->decoded, &request, &reply, &partial);
        sizes[0] = request > sizes[0] ? request : sizes[0];
        sizes[1] = reply > sizes[1] ? reply : sizes[1];
        sizes[2] = partial > sizes[2] ? partial : sizes[2];
    }
    for (int i = 0; i < 3; i++) {
        sizes[i] = (sizes[i] + 63) & ~UINT64_C(63);
        if (sizes[i] > UINT32_C(1) << 30) {
            return psy_fail(PSY_TOO_LARGE, "requests, replies and partial records have at most 2^30 bytes, not %llu",
                            (unsigned long long)sizes[i]);
        }
    }
    b->request_bytes = sizes[0] ? (uint32_t)sizes[0] : 64;
    b->reply_bytes = sizes[1] ? (uint32_t)sizes[1] : 64;
    *partial_bytes = sizes[2];
    return PSY_OK;
}

static psy_status make_tables(psy_broker *b, const psy_broker_options *o, uint32_t in_flight)
{
    uint64_t partial_bytes = 0;
    psy_status status = measure(b, o, &partial_bytes);
    if (status != PSY_OK) {
        return status;
    }
    b->ring_stride = PSY_FRAME_PAYLOAD + b->request_bytes;
    /* A frame for every ticket, so that a shard's ring is never full: one shard that stalls holds up only its own requests. And
     * as many again, since a shard reports on a whole batch, and tickets may be free for others, before it gives its frames
     * back. */
    b->ring_slots = 2;
    while (b->ring_slots / 2 < in_flight) {
        b->ring_slots *= 2;
    }
    while (b->ring_slots > 2 && (uint64_t)b->ring_slots * b->ring_stride > ring_bytes_max) {
        b->ring_slots /= 2;
    }
    b->ticket_count = in_flight < b->ring_slots / 2 ? in_flight : b->ring_slots / 2;
    psy_slab_options options = {.bytes = psy__gather_bytes(b->ticket_count, b->place_count, partial_bytes),
                                .name = "psyne-gather"};
    status = psy_slab_create(&options, &b->gather_slab);
    if (status != PSY_OK) {
        return status;
    }
    b->gather = (psy__gather){psy_slab_data(b->gather_slab), b->ticket_count, b->place_count, partial_bytes};
    status = psy__payloads_begin(&b->payloads, b->request_bytes, b->ticket_count, b->place_count, o->reference_bytes);
    if (status != PSY_OK) {
        return status;
    }
    b->clients = calloc(b->client_room, sizeof *b->clients);
    b->shards = calloc(b->place_count, sizeof *b->shards);
    b->tickets = calloc(b->ticket_count, sizeof *b->tickets);
    b->free_tickets = calloc(b->ticket_count, sizeof *b->free_tickets);
    b->polls = calloc(2 + PSY_GUESTS_MAX + 2 * ((size_t)b->place_count + b->client_room), sizeof *b->polls);
    if (!b->clients || !b->shards || !b->tickets || !b->free_tickets || !b->polls) {
        return psy_fail(PSY_NO_MEMORY, "no memory for %u requests", b->ticket_count);
    }
    for (uint32_t i = 0; i < b->ticket_count; i++) {
        b->free_tickets[b->free_count++] = b->ticket_count - 1 - i;
    }
    return PSY_OK;
}

/* What it serves from the start. */
static psy_status begin(psy_broker *b, const psy_broker_options *o)
{
    psy_status status = PSY_OK;
    if (o->module) {
        status = psy__broker_begin_with(b, &(psy_program){.module = o->module, .version = 1});
    }
    for (uint32_t i = 0; status == PSY_OK && i < o->program_count; i++) {
        status = psy__broker_begin_with(b, &o->programs[i]);
    }
    return status;
}

psy_status psy_broker_create(const psy_broker_options *o, psy_broker **out)
{
    if (!o || !out || !o->uri || (o->program_count && !o->programs) || o->shards > PSY_SHARDS_MAX ||
        o->shards_max > PSY_SHARDS_MAX || (o->shards_max && o->shards_max < (o->shards ? o->shards : 1)) ||
        o->in_flight > (UINT32_C(1) << 20) || o->clients > 4096) {
        return psy_fail(PSY_INVALID,
                        "psy_broker_create: uri is needed; at most %d shards, and no more than shards_max; %u requests in "
                        "flight, 4096 clients",
                        PSY_SHARDS_MAX, UINT32_C(1) << 20);
    }
    psy_broker *b = calloc(1, sizeof *b);
    if (!b) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a broker");
    }
    b->client_programs = o->client_programs;
    b->client_program_bytes = o->client_program_bytes ? o->client_program_bytes : CLIENT_PROGRAM_BYTES_DEFAULT;
    b->client_edit_bytes = o->client_edit_bytes ? o->client_edit_bytes : CLIENT_EDIT_BYTES_DEFAULT;
    b->edits.version = 1;
    b->change.file = -1;
    b->snapshots.folder = b->snapshots.files = -1;
    b->client_limits = (psy__limits){.arena_bytes = o->client_arena_bytes ? o->client_arena_bytes : CLIENT_ARENA_BYTES_DEFAULT,
                                     .work = o->client_work ? o->client_work : CLIENT_WORK_DEFAULT};
    psy__counting_init(&b->counting, o->counters, o->uri);
    psy__broker_layout_begin(b, o->shards ? o->shards : 1, o->shards_max);
    b->client_room = o->clients ? o->clients : CLIENTS_DEFAULT;
    b->events.log = o->log;
    psy_status status = psy__guard_set(&b->guard, o->rules, o->rule_count);
    if (status == PSY_OK) {
        status = make_tables(b, o, o->in_flight ? o->in_flight : IN_FLIGHT_DEFAULT);
    }
    status = status == PSY_OK ? begin(b, o) : status;
    if (status == PSY_OK && (getrandom(b->route_salt, sizeof b->route_salt, 0) != (ssize_t)sizeof b->route_salt ||
                             getrandom(&b->edits.series, sizeof b->edits.series, 0) != (ssize_t)sizeof b->edits.series)) {
        status = psy_fail(PSY_IO, "getrandom failed");
    }
    if (status == PSY_OK) {
        status = psy_bell_open(&b->doorbell);
    }
    if (status == PSY_OK) {
        status = psy__measure_broker_begin(b);
    }
    if (status == PSY_OK) {
        status = psy__bind(o->uri, &b->listener);
    }
    if (status == PSY_OK) {
        b->contended_in_flight = o->contended_in_flight;
        psy__fairness_init(b, b->contended_in_flight);
        status = psy__broker_admit_group(b, o->mode, o->group);
    }
    if (status != PSY_OK) {
        psy_broker_destroy(b);
        return status;
    }
    *out = b;
    return PSY_OK;
}

uint32_t psy_broker_do_work(psy_broker *b)
{
    uint32_t n = 0;
    b->now_ns = psy__now_ns();
    if (b->now_ns >= b->tick_due_ns) {
        b->tick_due_ns = b->now_ns + tick_ns;
        n += psy__broker_links(b);
        n += psy__broker_take_sends(b);
        n += psy__broker_programs(b);
        n += psy__broker_snapshots(b);
        n += psy__broker_edits(b);
        n += psy__broker_layout(b);
        n += psy__broker_overdue(b);
        psy__broker_tick(b);
        psy__measure_broker(b);
        psy__counting_beat(&b->counting);
    }
    for (uint32_t s = 0; s < b->place_count; s++) {
        if (b->shards[s].phase == SHARD_READY) {
            n += psy__broker_collect(b, s);
            if (psy_ring_broken(&b->shards[s].requests) || psy_ring_broken(&b->shards[s].finished)) {
                psy__broker_drop_shard(b, s);
            }
        }
    }
    uint32_t top = b->client_top; /* dropping the last one lowers it */
    for (uint32_t i = 0; i < top; i++) {
        uint32_t client = (b->next_client + i) % top;
        if (b->clients[client].phase == CLIENT_SERVED) {
            n += psy__broker_drain(b, client);
            if (psy_ring_broken(&b->clients[client].requests)) {
                (void)psy_fail(PSY_PROTOCOL, "the client broke its request ring");
                psy__refuse(b->clients[client].link, PSY_PROTOCOL, 1);
                psy__broker_dropped(b, client, PSY_PROTOCOL);
                psy__broker_drop_client(b, client);
            }
        }
    }
    b->next_client = top ? (b->next_client + 1) % top : 0;
    psy__fairness_round(b);
    psy__broker_flush(b);
    return n;
}

/* Tells every ring that the broker sleeps, or that it is awake again. True: nothing came in meanwhile. */
static bool all_empty(psy_broker *b)
{
    bool empty = true, full = false;
    for (uint32_t i = 0; i < b->client_top; i++) {
        if (b->clients[i].phase == CLIENT_SERVED) {
            bool none = psy_ring_sleep_begin(&b->clients[i].requests), may_not = psy__share_full(b, &b->clients[i]);
            empty = empty && (none || b->free_count == 0 || may_not);
            full = full || (!none && may_not);
        }
    }
    /* Tickets that come back are no reason to wake up while there are plenty and nobody waits for his own. */
    bool few = full || b->free_count < b->ticket_count / 2;
    for (uint32_t s = 0; few && s < b->place_count; s++) {
        if (b->shards[s].phase == SHARD_READY) {
            empty = psy_ring_sleep_begin(&b->shards[s].finished) && empty;
        }
    }
    return empty;
}

static void awake(psy_broker *b)
{
    for (uint32_t i = 0; i < b->client_top; i++) {
        if (b->clients[i].phase == CLIENT_SERVED) {
            psy_ring_sleep_end(&b->clients[i].requests);
        }
    }
    for (uint32_t s = 0; s < b->place_count; s++) {
        if (b->shards[s].phase == SHARD_READY) {
            psy_ring_sleep_end(&b->shards[s].finished);
        }
    }
}

static const psy__link *link_at(const psy_broker *b, uint32_t place)
{
    return place < b->place_count ? b->shards[place].link : b->clients[place - b->place_count].link;
}

static const psy_bell *bell_at(const psy_broker *b, uint32_t place)
{
    return place < b->place_count ? &b->shards[place].bell : &b->clients[place - b->place_count].bell;
}

void psy_broker_wait(psy_broker *b, uint64_t timeout_ns)
{
    /* Guests, then two for each peer that is there, shards first: bell and link. */
    struct pollfd *p = b->polls, *peers = b->polls + 2 + PSY_GUESTS_MAX;
    uint32_t place_count = b->place_count + b->client_top, peer_count = 0;
    p[0] = (struct pollfd){.fd = psy_bell_fd(&b->doorbell), .events = POLLIN};
    p[1] = (struct pollfd){.fd = b->crowded ? -1 : psy__listener_fd(b->listener), .events = POLLIN};
    for (uint32_t i = 0; i < PSY_GUESTS_MAX; i++) {
        p[2 + i] = (struct pollfd){.fd = b->guests[i] ? psy__link_fd(b->guests[i]) : -1, .events = POLLIN};
    }
    for (uint32_t i = 0; i < place_count; i++) {
        const psy__link *link = link_at(b, i);
        if (link) {
            peers[2 * peer_count] = (struct pollfd){.fd = psy_bell_fd(bell_at(b, i)), .events = POLLIN};
            peers[2 * peer_count + 1] = (struct pollfd){.fd = psy__link_fd(link), .events = POLLIN};
            peer_count++;
        }
    }
    bool slept = false;
    if (all_empty(b) && !atomic_load_explicit(&b->stop, memory_order_acquire)) {
        timeout_ns = timeout_ns < sleep_ns_max ? timeout_ns : sleep_ns_max;
        struct timespec t = {0, (long)timeout_ns};
        slept = ppoll(p, 2 + PSY_GUESTS_MAX + 2 * (nfds_t)peer_count, &t, NULL) > 0;
        psy_bell_clear(&b->doorbell);
        b->tick_due_ns = 0;
    }
    awake(b);
    for (uint32_t i = 0; slept && i < place_count; i++) {
        if (!link_at(b, i)) {
            continue;
        }
        const struct pollfd *bell = peers;
        peers += 2;
        if (bell->revents & ~POLLIN) { /* it tore its bell down: nobody can sleep beside that */
            if (i < b->place_count) {
                psy__broker_drop_shard(b, i);
            } else {
                psy__broker_dropped(b, i - b->place_count, psy_fail(PSY_PROTOCOL, "the client tore down its bell"));
                psy__broker_drop_client(b, i - b->place_count);
            }
        } else if (bell->revents) {
            psy_bell_clear(bell_at(b, i));
        }
    }
}

void psy_broker_run(psy_broker *b)
{
    psy__idle idle = {0};
    while (!atomic_load_explicit(&b->stop, memory_order_acquire) &&
           !atomic_load_explicit(&b->health.drained, memory_order_relaxed)) {
        if (psy_broker_do_work(b)) {
            psy__idle_end(&idle);
        } else if (!psy__idle_wait(&idle)) {
            psy_broker_wait(b, sleep_ns_max);
        }
    }
}

void psy_broker_stop(psy_broker *b)
{
    atomic_store_explicit(&b->stop, true, memory_order_release);
    psy_bell_ring(&b->doorbell);
}

void psy_broker_get_counts(const psy_broker *b, psy_broker_counts *out)
{
    *out = b->counts;
    out->shards = b->layout.count;
    out->shards_ready = b->ready_count;
    out->in_flight = b->ticket_count - b->free_count;
    out->uncounted = b->counting.uncounted;
    out->data_version = b->edits.version;
    out->edits_waiting = b->edits.queued;
    out->edits_kept = b->edits.kept_count;
    out->edits_kept_bytes = b->edits.kept_bytes;
    out->clients = out->programs = 0;
    for (uint32_t i = 0; i < b->title_top; i++) {
        out->programs += b->titles[i].ticket && b->titles[i].served;
    }
    for (uint32_t i = 0; i < b->client_top; i++) {
        out->clients += b->clients[i].phase == CLIENT_SERVED;
    }
}

void psy_broker_destroy(psy_broker *b)
{
    if (!b) {
        return;
    }
    b->events.log = NULL; /* nobody dies of this */
    for (uint32_t i = b->client_top; i-- > 0;) {
        if (b->clients[i].phase != CLIENT_NONE) {
            psy__broker_drop_client(b, i);
        }
    }
    for (uint32_t i = 0; b->shards && b->tickets && i < b->place_count; i++) {
        psy__broker_drop_shard(b, i);
    }
    for (uint32_t i = 0; i < PSY_GUESTS_MAX; i++) {
        if (b->guests[i]) {
            psy__link_close(b->guests[i]);
        }
    }
    if (b->listener) {
        psy__listener_close(b->listener);
    }
    psy__guard_fini(&b->guard);
    psy__broker_drop_programs(b);
    psy__broker_drop_snapshots(b);
    psy__broker_drop_edits(b);
    psy__broker_drop_change(b);
    psy__measure_broker_end(b);
    psy_slab_destroy(b->gather_slab);
    psy__payloads_end(&b->payloads);
    psy_bell_close(&b->doorbell);
    free(b->clients);
    free(b->shards);
    free(b->tickets);
    free(b->free_tickets);
    free(b->polls);
    free(b);
}

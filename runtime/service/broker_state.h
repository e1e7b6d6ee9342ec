/* SPDX-License-Identifier: Apache-2.0 */
/* What a broker knows, for its files: broker.c (the agent), broker_link.c (who is there), broker_admit.c (who may be),
 * broker_route.c (requests and tickets), share.c (whose turn it is), broker_health.c (how it is, and its end). */
#ifndef PSY_SERVICE_BROKER_STATE_H
#define PSY_SERVICE_BROKER_STATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include <psyne/bell.h>
#include <psyne/broker.h>
#include <psyne/ring.h>
#include <psyne/slab.h>

#include "service/counting.h"
#include "service/events.h"
#include "service/gather.h"
#include "service/guard.h"
#include "service/module_file.h"
#include "service/protocol.h"
#include "service/response.h"
#include "service/share.h"

enum { PSY_GUESTS_MAX = 32, PSY_CLIENT_IN_FLIGHT_MAX = 65536 };
#define PSY_GUEST_NS UINT64_C(5000000000) /* how long a place is kept for somebody who says nothing */

/* CALLED: said HELLO, waits for the shards. WELCOMED: was told the geometry. SERVED: its slabs are mapped. */
typedef enum psy__client_phase { CLIENT_NONE = 0, CLIENT_CALLED, CLIENT_WELCOMED, CLIENT_SERVED } psy__client_phase;

typedef struct psy__client {
    psy__client_phase phase;
    uint32_t epoch; /* counts the clients that had this place */
    psy__link *link;
    psy_slab *request_slab, *response_slab;
    psy_ring requests;
    psy__responses responses;
    psy_ring completions; /* the broker's own, for errors */
    bool completed;       /* something was put there in this round */
    uint64_t untold;      /* shards (bits) that have not been told of this client yet */
    psy_bell bell;
    uint64_t sequence;
    uint64_t attach_due_ns; /* WELCOMED: it has handed over its slabs by then */
    psy__pass pass;
    psy__share share;
} psy__client;

typedef enum psy__shard_phase { SHARD_NONE = 0, SHARD_HIRED, SHARD_READY } psy__shard_phase;

typedef struct psy__shard {
    psy__shard_phase phase;
    psy__link *link;
    psy_slab *slab; /* its request ring, then its finish ring */
    psy_ring requests, finished;
    psy_bell bell;
    uint32_t late;   /* failed tickets that it has not reported on: it stalls */
    uint32_t untold; /* clients that it has not been told of: its link was full */
    bool loaded;     /* said READY; it is when nobody is untold */
    bool sent;
    uint64_t symbols[PSY_SYMBOLS_MAX];
    bool leaving;    /* READY, but takes no more requests: it finishes what it has */
    uint32_t before; /* workers that had this shard */
    psy__pass pass;
} psy__shard;

/* The broker's own record of a ticket; what lies in shared memory is only ever compared with it. */
typedef struct psy__ticket_record {
    bool used, failed, traced;
    uint32_t generation;
    uint32_t channel, epoch, slot, slot_generation;
    uint64_t expected;
    uint64_t late; /* failed: the shards that had not reported then */
    uint64_t request, deadline_ns;
    uint64_t taken_ns; /* where it is traced */
} psy__ticket_record;

/* What any thread may read or ask for; written by the broker's own, but for `drain`. */
typedef struct psy__health {
    _Atomic bool drain, drained;
    _Atomic uint64_t beat_ns, missing;
    _Atomic uint32_t ready, clients, in_flight;
} psy__health;

struct psy_broker {
    const psy_module *module;
    psy__listener *listener;
    psy__link *guests[PSY_GUESTS_MAX];     /* connected, not introduced */
    uint64_t guest_due_ns[PSY_GUESTS_MAX]; /* who says nothing until then makes place for others */
    psy__pass guest_passes[PSY_GUESTS_MAX];
    bool crowded; /* no place or no descriptor for another guest: not worth being woken for */
    psy__client *clients;
    uint32_t client_room, next_client;
    uint32_t client_top; /* places in use: 0 .. client_top - 1 may be */
    psy__shard *shards;
    uint32_t shard_count, ready_count, next_shard;
    psy_slab *gather_slab;
    psy__gather gather;
    psy__ticket_record *tickets;
    uint32_t *free_tickets;
    uint32_t free_count, ticket_count;
    uint32_t request_bytes, reply_bytes, ring_stride, ring_slots;
    uint64_t route_salt[2];
    uint64_t now_ns, tick_due_ns;
    uint64_t overdue_ns; /* no deadline passes before */
    struct pollfd *polls;
    psy_bell doorbell; /* for psy_broker_stop; peers ring their bells */
    _Atomic bool stop;
    psy__counting counting;
    psy_broker_counts counts;
    psy__events events;
    psy__guard guard;
    psy__fairness fairness;
    psy__health health;
    bool draining;
};

/* ---- broker_link.c ---- */
/* Handles everything that the listener and the links have. Returns how much. */
uint32_t psy__broker_links(psy_broker *b);
void psy__broker_drop_client(psy_broker *b, uint32_t index);
void psy__broker_drop_shard(psy_broker *b, uint32_t index);

/* ---- broker_route.c ---- */
/* Takes up to a batch of requests from a client to the shards. */
uint32_t psy__broker_drain(psy_broker *b, uint32_t client);
/* Frees what a shard has finished. */
uint32_t psy__broker_collect(psy_broker *b, uint32_t shard);
/* Fails requests whose deadline has passed. */
uint32_t psy__broker_overdue(psy_broker *b);
/* A shard died: ends its part in every ticket. */
void psy__broker_bury(psy_broker *b, uint32_t shard);
/* Publishes what this round wrote and wakes those who sleep. */
void psy__broker_flush(psy_broker *b);

/* ---- broker_admit.c ---- */
/* Who just came: is sent away at once where no rule has anything for it. */
void psy__broker_look_at_guest(psy_broker *b, uint32_t guest);
/* Where all places for guests are taken, one who has said nothing for a while gives way: of the user who has most. */
void psy__broker_make_place(psy_broker *b);
void psy__broker_show_out(psy_broker *b, uint32_t guest, psy_status status);
/* Who it is, and whether that one may be what it says: OK, DENIED, LIMIT (connections of its user), CLOSED (the broker drains),
 * PROTOCOL. */
PSY_NODISCARD psy_status psy__broker_admit(psy_broker *b, psy__link *link, const psy__hello *hello, psy__pass *out);
/* Mode (0: as it is) and group (NULL: the same) of the address. */
PSY_NODISCARD psy_status psy__broker_admit_group(psy_broker *b, uint32_t mode, const char *group);
/* Counts and tells that somebody was refused with this thread's detail; `shard` of a worker. */
void psy__broker_refused(psy_broker *b, const psy__pass *pass, uint32_t role, uint32_t shard, psy_status status);
/* The same of a request, of a pipeline that was asked for, and of a client that is dropped. */
void psy__broker_connected(psy_broker *b, uint32_t client);
void psy__broker_refused_request(psy_broker *b, uint32_t client, const psy_envelope *e, psy_status status);
void psy__broker_refused_pipeline(psy_broker *b, uint32_t client, psy_status status);
void psy__broker_dropped(psy_broker *b, uint32_t client, psy_status status);
/* OK, or DENIED: whether a client may use a right beyond connecting. Counts and tells what it may not. */
PSY_NODISCARD psy_status psy__guard_may(psy_broker *b, psy__client *client, uint32_t right);

/* ---- broker_tell.c ---- */
/* What becomes of a request: it was taken in and is traced; it failed; its ticket came back. */
void psy__broker_taken(psy_broker *b, uint32_t ticket, const psy_envelope *e);
void psy__broker_failed(psy_broker *b, const psy__ticket_record *record, uint32_t dead, psy_status status);
void psy__broker_tell_ended(psy_broker *b, const psy__ticket_record *record);
static inline void psy__broker_ended(psy_broker *b, const psy__ticket_record *record)
{
    psy__client *c = &b->clients[record->channel];
    if (c->phase == CLIENT_SERVED && c->epoch == record->epoch) {
        psy__share_free(&c->share);
    }
    if (record->traced) {
        psy__broker_tell_ended(b, record);
    }
}

/* ---- broker_health.c ---- */
/* Every millisecond: notes how the broker is, and whether it has drained. */
void psy__broker_tick(psy_broker *b);
/* A worker wants to leave: it gets no more requests, and goes when it has finished those that it has. */
psy_status psy__broker_hear_leaving(psy_broker *b, uint32_t shard, const psy__control *control);
/* A worker came, and has loaded. */
void psy__broker_hired(psy_broker *b, uint32_t shard, const psy__pass *pass);
void psy__broker_ready(psy_broker *b, uint32_t shard);
/* A worker has left or died; `requests` are those that failed with it. */
void psy__broker_lost_shard(psy_broker *b, uint32_t shard, uint64_t requests);

#endif

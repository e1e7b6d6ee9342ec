/* SPDX-License-Identifier: Apache-2.0 */
/* What a broker knows, for its three files: broker.c (the agent), broker_link.c (who is there), broker_route.c (requests and
 * tickets). */
#ifndef PSY_SERVICE_BROKER_STATE_H
#define PSY_SERVICE_BROKER_STATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include <psyne/bell.h>
#include <psyne/broker.h>
#include <psyne/ring.h>
#include <psyne/slab.h>

#include "service/counting.h"
#include "service/gather.h"
#include "service/measure.h"
#include "service/module_file.h"
#include "service/protocol.h"
#include "service/response.h"

enum { PSY_GUESTS_MAX = 32, PSY_CLIENT_IN_FLIGHT_MAX = 65536 };

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
} psy__shard;

/* The broker's own record of a ticket; what lies in shared memory is only ever compared with it. */
typedef struct psy__ticket_record {
    bool used, failed;
    uint32_t generation;
    uint32_t channel, epoch, slot, slot_generation;
    uint64_t expected;
    uint64_t late; /* failed: the shards that had not reported then */
    uint64_t request, deadline_ns;
    const psy__latency *latency; /* of the pipeline, and when the request came: told once how it ended */
    uint64_t began_ns;
} psy__ticket_record;

struct psy_broker {
    const psy_module *module;
    psy__listener *listener;
    psy__link *guests[PSY_GUESTS_MAX];     /* connected, not introduced */
    uint64_t guest_due_ns[PSY_GUESTS_MAX]; /* who says nothing until then makes place for others */
    bool crowded;                          /* no place or no descriptor for another guest: not worth being woken for */
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
    psy__broker_measure measure;
    psy_broker_counts counts;
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

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The gather slab: a ticket for every request inside the service, with room for each shard's partial record. The service's own
 * memory, mapped by the broker and the workers.
 *
 *   data + 0                 ticket headers: tickets x 128 bytes
 *        + tickets * 128     partial records: tickets x places x partial_bytes, 64-byte aligned; those of a ticket's shards
 * come first, in their order, whatever places they have
 *
 * The state word: generation u32 (high) | shard u16 | phase u16. Here and in `done` a shard is a place (broker_state.h).
 *
 *   FREE -> OPEN        broker, when it takes the request in; `expected` says which shards will report
 *   OPEN -> CLOSING(s)  the shard that reported last: it answers the client
 *   OPEN -> FAILED      broker: a deadline passed or a shard died; the broker has answered the client
 *   CLOSING, FAILED -> FREE  broker, when the ticket came back in a finish ring (or its holder died) and every expected shard
 *                       has reported or is dead: nobody writes there any more
 *
 * That is for requests that go to all shards. One that goes to a single shard has a ticket at the broker only: the shard
 * answers by itself, and the state of the reply's slot (response.h) says who may.
 *
 * A shard reports by setting its bit in `done` (the broker sets it for a dead one). Whoever completes `done` closes the ticket,
 * so exactly one does. The broker alone opens tickets, owns deadlines and frees.
 */
#ifndef PSY_SERVICE_GATHER_H
#define PSY_SERVICE_GATHER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <psyne/envelope.h>

enum { PSY_TICKET_FREE = 0, PSY_TICKET_OPEN, PSY_TICKET_CLOSING, PSY_TICKET_FAILED };

typedef struct psy__ticket {
    _Atomic uint64_t state;
    _Atomic uint64_t done; /* a bit per shard */
    uint64_t expected;
    uint64_t reserved[5];
    _Atomic uint8_t status[64]; /* each shard's psy_status; valid once its bit is set */
} psy__ticket;
_Static_assert(sizeof(psy__ticket) == 128, "the ticket is shared between processes");
_Static_assert(offsetof(psy__ticket, done) == 8 && offsetof(psy__ticket, expected) == 16,
               "the ticket is shared between processes");
_Static_assert(offsetof(psy__ticket, status) == 64, "the ticket is shared between processes");

typedef struct psy__gather {
    uint8_t *data;
    uint32_t tickets, places;
    uint64_t partial_bytes; /* a multiple of 64; may be 0 */
} psy__gather;

/* What the broker puts before the envelope in a shard's ring: where the request belongs. */
typedef struct psy__hop {
    uint32_t ticket, generation; /* of the ticket */
    uint32_t channel, epoch;     /* the client, and which of those that had this number */
    uint64_t deadline_ns;        /* CLOCK_MONOTONIC */
    uint32_t program, place;     /* its number, and where the worker has it */
    uint32_t pipeline, reserved; /* of the program's module: what the client's envelope names is a route of the broker */
    uint64_t data_version;       /* of the resident data: what the request sees */
    uint64_t reserved2[2];
} psy__hop;
_Static_assert(sizeof(psy__hop) == 64, "the hop is shared between processes");
_Static_assert(offsetof(psy__hop, ticket) == 0 && offsetof(psy__hop, generation) == 4, "the hop is shared between processes");
_Static_assert(offsetof(psy__hop, channel) == 8 && offsetof(psy__hop, epoch) == 12, "the hop is shared between processes");
_Static_assert(offsetof(psy__hop, deadline_ns) == 16, "the hop is shared between processes");
_Static_assert(offsetof(psy__hop, program) == 24 && offsetof(psy__hop, place) == 28, "the hop is shared between processes");
_Static_assert(offsetof(psy__hop, pipeline) == 32 && offsetof(psy__hop, data_version) == 40,
               "the hop is shared between processes");

/* A frame in a shard's ring: hop, envelope, payload. */
enum { PSY_FRAME_ENVELOPE = 64, PSY_FRAME_PAYLOAD = 64 + PSY_ENVELOPE_BYTES };

static inline uint64_t psy__ticket_state(uint32_t generation, uint32_t shard, uint32_t phase)
{
    return (uint64_t)generation << 32 | (uint64_t)(shard & 0xffff) << 16 | phase;
}

/* What a worker puts in its finish ring for a ticket that is closed. */
typedef struct psy__finished {
    uint32_t ticket, generation;
    uint64_t ended; /* status u8 (high) | CLOCK_MONOTONIC in nanoseconds, u56: when the answer was there; a broker that sleeps
                       comes later */
} psy__finished;
_Static_assert(sizeof(psy__finished) == 16, "the finish ring is shared between processes");
_Static_assert(offsetof(psy__finished, generation) == 4 && offsetof(psy__finished, ended) == 8,
               "the finish ring is shared between processes");

static inline uint64_t psy__finished_pack(uint8_t status, uint64_t ended_ns)
{
    return (uint64_t)status << 56 | (ended_ns & (UINT64_MAX >> 8));
}
static inline uint8_t psy__finished_status(uint64_t ended) { return (uint8_t)(ended >> 56); }
static inline uint64_t psy__finished_ns(uint64_t ended) { return ended & (UINT64_MAX >> 8); }

static inline uint64_t psy__gather_bytes(uint32_t tickets, uint32_t places, uint64_t partial_bytes)
{
    return (uint64_t)tickets * (128 + places * partial_bytes);
}

static inline psy__ticket *psy__ticket_at(const psy__gather *g, uint32_t ticket)
{
    return (psy__ticket *)(void *)(g->data + (uint64_t)ticket * 128);
}

/* `shard` of its layout. */
static inline uint8_t *psy__partial_at(const psy__gather *g, uint32_t ticket, uint32_t shard)
{
    return g->data + (uint64_t)g->tickets * 128 + ((uint64_t)ticket * g->places + shard) * g->partial_bytes;
}

/* The shard that owns a routing hash: shards own equal, consecutive ranges of hashes. */
static inline uint32_t psy__shard_of(uint64_t hash, uint32_t shards) { return (uint32_t)(((hash >> 32) * shards) >> 32); }

/* Reports for `shard`. True: it was the last one and every expected shard has reported now. A ticket that is another request's
 * by now is left alone: its worker was given up for dead and comes late. */
static inline bool psy__ticket_report(psy__ticket *t, uint32_t generation, uint32_t shard, uint8_t status)
{
    if (atomic_load_explicit(&t->state, memory_order_acquire) >> 32 != generation) {
        return false;
    }
    atomic_store_explicit(&t->status[shard], status, memory_order_relaxed);
    uint64_t bit = UINT64_C(1) << shard;
    uint64_t before = atomic_fetch_or_explicit(&t->done, bit, memory_order_acq_rel);
    return (before & bit) == 0 && ((before | bit) & t->expected) == t->expected;
}

/* Closes for `shard`. False: the broker has failed the request meanwhile. */
static inline bool psy__ticket_close(psy__ticket *t, uint32_t generation, uint32_t shard)
{
    uint64_t open = psy__ticket_state(generation, 0, PSY_TICKET_OPEN);
    return atomic_compare_exchange_strong(&t->state, &open, psy__ticket_state(generation, shard, PSY_TICKET_CLOSING));
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads by reference: what goes to several shards and is large is copied once, into a slab of the broker's own, and the
 * frames in the shards' rings say where it lies.
 *
 *   data + slot * stride    a payload, 64-byte aligned; the stride is the largest request, as in the shards' rings
 *
 * Slots are taken in turn, so that requests which follow one another lie one behind the other there as they do in a ring, and
 * are one span of a batch. A slot is free when its request's ticket is: every shard has reported, or is dead. One that stays
 * for long holds up those behind it, and when all are taken payloads are copied into the rings, as small ones are.
 *
 * The memory is never the client's, who could change it under the workers' checks. The broker alone writes it; workers of
 * the CPU engine map it for reading only. A worker that was given up for dead and comes late may read another request's payload
 * there: it is checked as any other, and its ticket is nobody's any more.
 *
 *   psy__payloads payloads;
 *   psy__payloads_begin(&payloads, stride, tickets, shards, least_bytes);
 *   uint32_t reference = psy__payloads_take(&payloads, bytes);        // 0: it is to be copied
 *   memcpy(psy__payloads_at(&payloads, reference), ...);
 *   psy__payloads_give_back(&payloads, reference);                    // its ticket is free
 *   psy__payloads_end(&payloads);
 *
 * Thread safety: the broker's own. Only begin allocates. */
#ifndef PSY_SERVICE_PAYLOADS_H
#define PSY_SERVICE_PAYLOADS_H

#include <stdbool.h>
#include <stdint.h>

#include <psyne/slab.h>

/* Of all of the slab: PSY_PAYLOADS_BYTES, or two slots where those are more. */
#define PSY_PAYLOADS_BYTES (UINT64_C(64) << 20)
/* Larger payloads are copied to several places piece by piece, so that they are read from memory once. */
enum { PSY_PAYLOAD_PIECE = 16384 };

typedef struct psy__payloads {
    psy_slab *slab; /* NULL: everything is copied */
    uint8_t *data;
    uint64_t stride;
    uint32_t slots, least_bytes;
    uint64_t taken, freed; /* positions: they only grow */
    bool *held;            /* by slot */
} psy__payloads;

/* The smallest payload that is worth a reference where it goes to so many shards, as measured (doc/benchmarks.md). */
uint32_t psy__payloads_worth_bytes(uint32_t shards);

/* A slab, if any payload can be as large as `least_bytes` (0: what is worth it) and goes to more than one shard; else none,
 * which is OK. NO_MEMORY, LIMIT, IO: psy__payloads_end is still to be called. */
PSY_NODISCARD psy_status psy__payloads_begin(psy__payloads *p, uint64_t stride, uint32_t tickets, uint32_t shards,
                                             uint32_t least_bytes);
void psy__payloads_end(psy__payloads *p);

/* A slot for a payload of so many bytes, as the frame's hop names it; 0: none. */
static inline uint32_t psy__payloads_take(psy__payloads *p, uint32_t bytes)
{
    if (bytes < p->least_bytes || p->taken - p->freed >= p->slots) {
        return 0;
    }
    const uint32_t slot = (uint32_t)p->taken++ & (p->slots - 1);
    p->held[slot] = true;
    return slot + 1;
}

static inline uint8_t *psy__payloads_at(const psy__payloads *p, uint32_t reference)
{
    return p->data + (uint64_t)(reference - 1) * p->stride;
}

/* `reference`: one that was taken. */
static inline void psy__payloads_give_back(psy__payloads *p, uint32_t reference)
{
    p->held[reference - 1] = false;
    while (p->freed != p->taken && !p->held[(uint32_t)p->freed & (p->slots - 1)]) {
        p->freed++;
    }
}

#endif

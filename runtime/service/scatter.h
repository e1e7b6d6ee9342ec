/* SPDX-License-Identifier: Apache-2.0 */
/* How the broker puts a request into a shard's ring: a frame of hop, envelope and payload (gather.h), published with the others
 * of its round.
 *
 *   psy__run run = {0};
 *   psy__frame *frame = psy__scatter(&ring, &run);                 // NULL: the ring is full, or broken
 *   frame->envelope = ...; frame->hop = (psy__hop){...};           // written where they lie
 *   psy__scatter_copy(frame->payload, payload, envelope.length);   // one that goes to one shard, or is small
 *   psy__scatter_pieces(frames, count, payload, envelope.length);  // a larger one, for several shards
 *   ...                                                            // more of them
 *   psy__scatter_end(&ring, &run);                                 // commits all of them
 *   ...
 *   psy_ring_flush(&ring);                                         // all rings, then one fence for all:
 *   psy_ring_fence();
 *   psy__ring_wake_bell_fenced(&ring, &bell);                      // whoever sleeps on them
 */
#ifndef PSY_SERVICE_SCATTER_H
#define PSY_SERVICE_SCATTER_H

#include <stdbool.h>
#include <string.h>

#include <psyne/ring.h>

#include "service/counting.h"
#include "service/gather.h"
#include "service/payloads.h"

typedef struct psy__frame {
    psy__hop hop;
    psy_envelope envelope;
    uint8_t payload[];
} psy__frame;
_Static_assert(offsetof(psy__frame, envelope) == PSY_FRAME_ENVELOPE && offsetof(psy__frame, payload) == PSY_FRAME_PAYLOAD,
               "the frame is shared between processes");

/* Copies a payload: whole lines in place, since most are a few of them. */
static inline void psy__scatter_copy(uint8_t *to, const uint8_t *from, uint32_t bytes)
{
    if (bytes == 128) {
        memcpy(to, from, 128);
        return;
    }
    if (bytes % 64 != 0 || bytes > 512) {
        memcpy(to, from, bytes);
        return;
    }
    for (; bytes > 0; bytes -= 64, to += 64, from += 64) {
        memcpy(to, from, 64);
    }
}

/* A payload into frames of several rings, piece by piece: whatever its size, it is read from memory once. */
static inline void psy__scatter_pieces(psy__frame *const *frames, uint32_t count, const uint8_t *from, uint32_t bytes)
{
    for (uint32_t at = 0, n; at < bytes; at += n) {
        n = bytes - at < PSY_PAYLOAD_PIECE ? bytes - at : PSY_PAYLOAD_PIECE;
        for (uint32_t i = 0; i < count; i++) {
            psy__scatter_copy(frames[i]->payload + at, from + at, n);
        }
    }
}

/* Slots of one ring that a visit has claimed together: they are written one by one and committed together. */
typedef struct psy__run {
    uint8_t *at;          /* the next one */
    uint32_t left, count; /* free ones there, and those that are written */
} psy__run;
enum { PSY_SCATTER_RUN = 64 };

/* Commits what is written. Nothing else may use the ring before that. */
static inline void psy__scatter_end(psy_ring *ring, psy__run *run)
{
    if (run->count) {
        psy_ring_commit(ring, run->count);
    }
    *run = (psy__run){.at = NULL};
}

static inline bool psy__scatter_begin(psy_ring *ring, psy__run *run)
{
    psy__scatter_end(ring, run);
    run->at = (uint8_t *)psy_ring_claim(ring, PSY_SCATTER_RUN, &run->left);
    return run->at != NULL;
}

/* The next frame; NULL: the ring is full, or broken. */
static inline psy__frame *psy__scatter(psy_ring *ring, psy__run *run)
{
    if (run->left == 0 && !psy__scatter_begin(ring, run)) {
        return NULL;
    }
    psy__frame *frame = (psy__frame *)run->at;
    run->at += ring->stride;
    run->left--;
    run->count++;
    return frame;
}

#endif

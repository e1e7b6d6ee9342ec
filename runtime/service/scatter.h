/* SPDX-License-Identifier: Apache-2.0 */
/* How the broker puts a request into a shard's ring: a frame of hop, envelope and payload (gather.h), published with the others
 * of its round.
 *
 *   psy__frame *frame = psy__scatter(&ring);                       // NULL: the ring is full, or broken
 *   frame->envelope = ...; frame->hop = (psy__hop){...};           // written where they lie
 *   psy__scatter_copy(frame->payload, payload, envelope.length);   // one that goes to one shard, or is small
 *   psy__scatter_pieces(frames, count, payload, envelope.length);  // a larger one, for several shards
 *   psy_ring_commit(&ring, 1);
 *   ...
 *   psy_ring_flush(&ring);                                         // all rings, then one fence for all:
 *   psy_ring_fence();
 *   psy__ring_wake_bell_fenced(&ring, &bell);                      // whoever sleeps on them
 */
#ifndef PSY_SERVICE_SCATTER_H
#define PSY_SERVICE_SCATTER_H

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

/* The next frame: all of it is the caller's to write, and to commit. NULL: the ring is full, or broken. */
static inline psy__frame *psy__scatter(psy_ring *ring)
{
    uint32_t got;
    return (psy__frame *)psy_ring_claim(ring, 1, &got);
}

#endif

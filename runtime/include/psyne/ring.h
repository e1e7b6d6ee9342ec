/* SPDX-License-Identifier: Apache-2.0 */
/* The ring: one producer, one consumer, slots of one stride, in place and in batches.
 *
 *   byte 0     magic u32, ABI u32, stride u32, slots u32
 *   byte 128   published u64          written by the producer: slots made so far
 *   byte 256   released u64           written by the consumer: slots given back so far
 *   byte 384   consumer_waits u32     set by a consumer that is about to sleep; taken by the producer
 *   byte 388   producer_waits u32     the same for room
 *   byte 512   slots x stride
 *
 * Positions only grow; a position's slot is position mod slots (a power of two). Lines of the two sides are 128 bytes apart,
 * since processors fetch lines in pairs.
 *
 *   uint32_t got;
 *   uint8_t *slot = psy_ring_claim(&ring, 8, &got);     // up to 8 free slots that lie together, or NULL: full
 *   ... write got * stride bytes ...
 *   psy_ring_commit(&ring, got);
 *   psy_ring_flush(&ring);                              // visible at the latest now
 *
 *   uint8_t *slot = psy_ring_peek(&ring, 8, &got);      // up to 8 waiting slots that lie together, or NULL: empty
 *   ... read in place ...
 *   psy_ring_release(&ring, got);
 *   psy_ring_settle(&ring);                             // the producer sees the room at the latest now
 *
 * Publishing is deferred: commit publishes by itself when a cache line's worth of small slots, or PSY_RING_BATCH slots, are
 * pending; whoever is about to wait flushes first, so what was accepted is always published.
 *
 * Memory order. `published` is stored with release after the slots were written and loaded with acquire before they are read;
 * `released` likewise in the other direction, after the slots were read and before they are written again. Each side keeps the
 * other's position in its own handle and looks again only when that is used up (as in rigtorp's SPSCQueue). Sleeping is
 * Dekker's protocol: the consumer stores consumer_waits, then loads `published`; the producer stores `published`, then loads
 * consumer_waits, with a sequentially consistent fence between on both sides: at least one of them sees the other. Waiting for
 * room is the same with the sides swapped. Whoever is about to sleep has shown its own position just before, and must wake the
 * other side for that, or both would sleep: psy_ring_wait* do so, users of a doorbell call take_wake or take_room_wake.
 *
 * Hostile peers: geometry is agreed elsewhere and kept in the handle. A position of the other side that is impossible marks the
 * ring broken: claim and peek give nothing from then on, and psy_ring_broken says so. A peer can spoil what it sends, nothing
 * else.
 *
 * Thread safety: one thread at a time on each side. Never blocks, never allocates (psy_ring_wait* block).
 * ABI version: 1.
 */
#ifndef PSYNE_RING_H
#define PSYNE_RING_H

#ifdef __cplusplus
#include <atomic>
#define PSY_ATOMIC(type) std::atomic<type>
extern "C++" {
using std::atomic_exchange_explicit;
using std::atomic_load_explicit;
using std::atomic_store_explicit;
using std::atomic_thread_fence;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;
}
#else
#include <stdatomic.h>
#define PSY_ATOMIC(type) _Atomic type
#endif
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <psyne/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PSY_RING_MAGIC UINT32_C(0x52595350) /* "PSYR" */
enum { PSY_RING_ABI = 1, PSY_RING_HEADER_BYTES = 512, PSY_RING_BATCH = 32 };

typedef struct psy_ring_header {
    uint32_t magic, abi, stride, slots;
    uint8_t pad0[112];
    PSY_ATOMIC(uint64_t) published;
    uint8_t pad1[120];
    PSY_ATOMIC(uint64_t) released;
    uint8_t pad2[120];
    PSY_ATOMIC(uint32_t) consumer_waits;
    PSY_ATOMIC(uint32_t) producer_waits;
    uint8_t pad3[120];
} psy_ring_header;
static_assert(sizeof(psy_ring_header) == PSY_RING_HEADER_BYTES, "the ring header is ABI");
static_assert(offsetof(psy_ring_header, magic) == 0 && offsetof(psy_ring_header, abi) == 4, "the ring header is ABI");
static_assert(offsetof(psy_ring_header, stride) == 8 && offsetof(psy_ring_header, slots) == 12, "the ring header is ABI");
static_assert(offsetof(psy_ring_header, published) == 128 && offsetof(psy_ring_header, released) == 256,
              "the ring header is ABI");
static_assert(offsetof(psy_ring_header, consumer_waits) == 384 && offsetof(psy_ring_header, producer_waits) == 388,
              "the ring header is ABI");

/* One side's handle; plain memory of its process. Use one for the producer and another for the consumer, on cache lines of
 * their own: each is written at every message. */
typedef struct psy_ring {
    psy_ring_header *header;
    uint8_t *slots_at;
    uint32_t stride, slots;
    uint32_t defer; /* slots that commit may hold back */
    bool broken;
    uint64_t position; /* this side's: committed, or released */
    uint64_t shown;    /* what the other side has been told of it */
    uint64_t other;    /* the other side's position as last seen */
    uint64_t stalls;   /* claims that found the ring full, or peeks that found it empty */
} psy_ring;

/* Bytes of memory that a ring needs; 0 if the geometry is impossible: stride is a multiple of 8 up to 2^31 - 8, slots a power
 * of two up to 2^24. */
static inline uint64_t psy_ring_bytes(uint32_t stride, uint32_t slots)
{
    if (stride == 0 || stride % 8 != 0 || stride > (UINT32_C(1) << 31) - 8 || slots == 0 || (slots & (slots - 1)) != 0 ||
        slots > (UINT32_C(1) << 24)) {
        return 0;
    }
    return PSY_RING_HEADER_BYTES + (((uint64_t)stride * slots + 127) & ~UINT64_C(127));
}

/* Formats `memory` (64-byte aligned, zeroed or not) as an empty ring. INVALID. */
PSY_NODISCARD psy_status psy_ring_init(psy_ring *ring, void *memory, uint64_t bytes, uint32_t stride, uint32_t slots);

typedef enum psy_ring_side { PSY_RING_PRODUCER, PSY_RING_CONSUMER } psy_ring_side;

/* A handle for one side of a ring that somebody formatted, in the geometry that was agreed. A side whose process died is taken
 * over where it had shown to be. INVALID, CORRUPT (another geometry, impossible positions), VERSION. */
PSY_NODISCARD psy_status psy_ring_attach(psy_ring *ring, psy_ring_side side, void *memory, uint64_t bytes, uint32_t stride,
                                         uint32_t slots);

static inline bool psy_ring_broken(const psy_ring *ring) { return ring->broken; }

/* What stands between "I sleep" and a last look, and between "I published" and "does it sleep?". */
static inline void psy_ring_fence(void)
{
#if defined(__SANITIZE_THREAD__)
    static PSY_ATOMIC(uint32_t) word; /* the sanitizer knows no fences */
    (void)atomic_exchange_explicit(&word, 0u, memory_order_seq_cst);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* ---- producer ---- */

/* Makes committed slots visible. */
static inline void psy_ring_flush(psy_ring *ring)
{
    if (ring->shown != ring->position) {
        ring->shown = ring->position;
        atomic_store_explicit(&ring->header->published, ring->position, memory_order_release);
    }
}

/* Up to `want` (1 or more) free slots that lie together; NULL when there is none. Claiming again gives the same slots. */
static inline void *psy_ring_claim(psy_ring *ring, uint32_t want, uint32_t *got)
{
    uint64_t used = ring->position - ring->other;
    if (ring->slots - used < want || ring->broken) {
        uint64_t released = atomic_load_explicit(&ring->header->released, memory_order_acquire);
        /* It only grows, and never beyond what was shown. */
        if (released - ring->other > ring->shown - ring->other) {
            ring->broken = true;
        } else {
            ring->other = released;
        }
        used = ring->position - ring->other;
        if (ring->broken || used >= ring->slots) {
            ring->stalls++;
            *got = 0;
            return NULL;
        }
    }
    uint32_t index = (uint32_t)ring->position & (ring->slots - 1);
    uint32_t room = ring->slots - (uint32_t)used, run = ring->slots - index;
    room = room < run ? room : run;
    *got = want < room ? want : room;
    return ring->slots_at + (uint64_t)index * ring->stride;
}

/* The first `n` claimed slots are written. */
static inline void psy_ring_commit(psy_ring *ring, uint32_t n)
{
    ring->position += n;
    if (ring->position - ring->shown >= ring->defer) {
        psy_ring_flush(ring);
    }
}

/* A claim that is not committed is simply forgotten. */
static inline void psy_ring_abort(psy_ring *ring) { (void)ring; }

/* After a flush: whether the consumer sleeps and must be woken. Costs a fence. */
static inline bool psy_ring_take_wake(psy_ring *ring)
{
    psy_ring_fence();
    return atomic_load_explicit(&ring->header->consumer_waits, memory_order_relaxed) != 0 &&
           atomic_exchange_explicit(&ring->header->consumer_waits, 0u, memory_order_relaxed) != 0;
}

/* Before a producer sleeps for room: true if the ring is still full (or broken). Flushes, so ask take_wake before sleeping.
 * Always end with room_end. */
static inline bool psy_ring_room_begin(psy_ring *ring)
{
    uint32_t got;
    psy_ring_flush(ring);
    atomic_store_explicit(&ring->header->producer_waits, 1u, memory_order_relaxed);
    psy_ring_fence();
    return psy_ring_claim(ring, 1, &got) == NULL;
}
static inline void psy_ring_room_end(psy_ring *ring)
{
    atomic_store_explicit(&ring->header->producer_waits, 0u, memory_order_relaxed);
}

/* ---- consumer ---- */

/* Shows the producer what was released. */
static inline void psy_ring_settle(psy_ring *ring)
{
    if (ring->shown != ring->position) {
        ring->shown = ring->position;
        atomic_store_explicit(&ring->header->released, ring->position, memory_order_release);
    }
}

/* Up to `want` (1 or more) waiting slots that lie together; NULL when there is none. Peeking again gives the same slots. */
static inline void *psy_ring_peek(psy_ring *ring, uint32_t want, uint32_t *got)
{
    if (ring->other - ring->position < want || ring->broken) {
        uint64_t published = atomic_load_explicit(&ring->header->published, memory_order_acquire);
        /* It only grows, and never more than the slots beyond what was shown. */
        if (published - ring->other > ring->shown + ring->slots - ring->other) {
            ring->broken = true;
        } else {
            ring->other = published;
        }
        if (ring->broken || ring->other == ring->position) {
            ring->stalls++;
            *got = 0;
            return NULL;
        }
    }
    uint32_t index = (uint32_t)ring->position & (ring->slots - 1);
    uint64_t waiting = ring->other - ring->position;
    uint32_t run = ring->slots - index;
    run = waiting < run ? (uint32_t)waiting : run;
    *got = want < run ? want : run;
    return ring->slots_at + (uint64_t)index * ring->stride;
}

/* The first `n` slots that were peeked are not needed any more. */
static inline void psy_ring_release(psy_ring *ring, uint32_t n)
{
    ring->position += n;
    if (ring->position - ring->shown >= ring->slots / 4) {
        psy_ring_settle(ring);
    }
}

/* After a settle: whether the producer sleeps for room and must be woken. */
static inline bool psy_ring_take_room_wake(psy_ring *ring)
{
    psy_ring_fence();
    return atomic_load_explicit(&ring->header->producer_waits, memory_order_relaxed) != 0 &&
           atomic_exchange_explicit(&ring->header->producer_waits, 0u, memory_order_relaxed) != 0;
}

/* Before a consumer sleeps: true if the ring is still empty (or broken), then it may block until it is woken. Settles, so ask
 * take_room_wake before sleeping where the producer may wait for room. Always end with sleep_end. */
static inline bool psy_ring_sleep_begin(psy_ring *ring)
{
    uint32_t got;
    psy_ring_settle(ring);
    atomic_store_explicit(&ring->header->consumer_waits, 1u, memory_order_relaxed);
    psy_ring_fence();
    return psy_ring_peek(ring, 1, &got) == NULL;
}
static inline void psy_ring_sleep_end(psy_ring *ring)
{
    atomic_store_explicit(&ring->header->consumer_waits, 0u, memory_order_relaxed);
}

/* ---- either side ---- */

/* Slots between producer and consumer: a snapshot, for gauges; never more than `slots`. */
static inline uint64_t psy_ring_fill(const psy_ring *ring)
{
    uint64_t released = atomic_load_explicit(&ring->header->released, memory_order_relaxed);
    uint64_t published = atomic_load_explicit(&ring->header->published, memory_order_relaxed);
    return published - released <= ring->slots ? published - released : ring->slots; /* it moved between the two looks */
}

/* Sleeps on the waiting words themselves (futex), for rings without a doorbell: OK, TIMEOUT, or CORRUPT for a broken ring. The
 * other side calls psy_ring_wake_consumer after a flush, psy_ring_wake_producer after a settle. */
PSY_NODISCARD psy_status psy_ring_wait(psy_ring *ring, uint64_t timeout_ns);
PSY_NODISCARD psy_status psy_ring_wait_room(psy_ring *ring, uint64_t timeout_ns);
void psy_ring_wake_consumer(psy_ring *ring);
void psy_ring_wake_producer(psy_ring *ring);

#ifdef __cplusplus
}
#endif
#endif

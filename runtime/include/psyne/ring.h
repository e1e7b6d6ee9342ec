/* SPDX-License-Identifier: Apache-2.0 */
/* Rings: slots of one stride in shared memory, written and read in place and in batches, by one or several producers and one or
 * several consumers. Four kinds, one set of verbs.
 *
 *   byte 0     magic u32, ABI u32, stride u32, slots u32, kind u32
 *   byte 128   published u64      SPSC: slots made so far; the other kinds: where the next claim begins
 *   byte 256   released u64       slots given back so far, in order
 *   byte 384   consumer_waits u32 bit 0 is set by a consumer that is about to sleep and taken by a producer
 *                                 that counts up the rest: who went to sleep before finds the word changed
 *   byte 388   producer_waits u32 the same for room
 *   byte 392   producer_seat u64, consumer_seat u64     who is the single producer, the single consumer: seat
 *                                 (psyne/seat.h), epoch << 32; 0: not said
 *   byte 408   producer_epoch u32, consumer_epoch u32   how often somebody joined as one
 *   byte 416   producer_seats u64[4], consumer_seats u64[4]   a bit for each seat that joined as one of several
 *   byte 512   taken u64          SPMC and MPMC: where the next take begins
 *   byte 640   all but SPSC: 256 x epoch u32 of the seat when it joined, then slots x state u64, rounded up to 128
 *              slots x stride
 *
 * Positions only grow; a position's slot is position mod slots (a power of two). What different sides write is 128 bytes apart,
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
 *   psy_ring_settle(&ring);                             // the producers see the room at the latest now
 *
 * Publishing is deferred where there is one producer: commit publishes by itself when PSY_RING_BATCH slots, or 512
 * bytes of smaller ones, are pending; whoever is about to wait flushes first, so what was accepted is always published. Where
 * there are several, commit publishes at once, since a claim held back would hold back what others published behind it; there,
 * commit ends the claim: slots that were claimed and not committed become padding, which consumers skip.
 *
 * Runs. With several producers or consumers a state word tells of each run of slots that was claimed together. It lies at the
 * index of the run's first slot and holds its phase, the seat that owns it, its length and the lap of the ring (position /
 * slots):
 *
 *   free --claim: CAS--> CLAIMED --commit--> PUBLISHED --take: CAS--> TAKEN --release--> RELEASED --> free, the next lap
 *                           \--- abort, death ---> PADDING --skipped: CAS---------------/
 *
 * A word of another lap says nothing. Ownership and extent are set by one instruction, so that at whatever instruction a
 * process dies, its run is either not begun or known with its owner. `published` and `taken` are then moved on by whoever finds
 * them behind, as in the queue of Michael and Scott, and `released` by who gives back the run where it stands. A single
 * consumer (MPSC) neither takes nor marks, it moves `released`; a single producer (SPMC) does not claim, it publishes one run
 * per flush. `released` always stands where a run begins.
 *
 * Memory order. Positions and states are stored with release after the slots were written, or read, and loaded with acquire
 * before they are read, or written again: slots are handed over along published -> (states) -> released, and each step on the
 * way is read with acquire by who makes the next one with release. Each side keeps the other's position in its own handle and
 * looks again only when that is used up (as in rigtorp's SPSCQueue). Two places need a store to be seen before a later load,
 * and have a sequentially consistent fence between:
 *   - Sleeping is Dekker's protocol: the consumer sets the bit, then looks at the ring; the producer publishes, then looks at
 *     the bit: at least one of them sees the other. Waiting for room is the same with the sides swapped. Whoever is about to
 *     sleep has shown its own position just before, and must wake the other side for that, or both would sleep:
 *     psy_ring_wait* do so, users of a bell call take_wake or take_room_wake.
 *   - A consumer among several stores RELEASED, then looks whether `released` has come to its run; the one before it moves
 *     `released`, then looks at the run behind: at least one of them moves it on.
 * tests/models holds the protocols as models for spin.
 *
 * Death. psy_ring_join takes a seat (psyne/seat.h), whose lock tells the living from the dead. psy_ring_recover, which the
 * waiting calls use by themselves, turns what dead producers had claimed into padding and gives what dead consumers had taken
 * to a living one, a second time. Whoever waits for a single producer or consumer that is dead is told so (PEER_DIED), and a
 * new process may join in its place.
 *
 * Hostile peers: geometry is agreed elsewhere and kept in the handle. A position or a state that is impossible marks the handle
 * broken: claim and peek give nothing from then on, and psy_ring_broken says so. Nothing that a peer writes makes a call touch
 * memory outside the ring, or run without end. Producers of one ring can spoil each other's messages: who does not trust
 * another does not share a ring with it.
 *
 * Laps are compared modulo 2^37: a process that is stopped between two instructions of a claim while others send exactly a
 * multiple of slots x 2^37 messages through the ring would take the old word for the new.
 *
 * Thread safety: one thread at a time for each handle. Nothing allocates. psy_ring_wait* block, and psy_ring_join waits for up
 * to two seconds while others clear up; nothing else does. Join, recover, wait and waking a sleeper make system calls. ABI
 * version: 2.
 */
#ifndef PSYNE_RING_H
#define PSYNE_RING_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <psyne/atomic.h>
#include <psyne/bell.h>
#include <psyne/counters.h>
#include <psyne/seat.h>
#include <psyne/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PSY_RING_MAGIC UINT32_C(0x52595350) /* "PSYR" */
enum {
    PSY_RING_ABI = 2,
    PSY_RING_HEADER_BYTES = 640,
    PSY_RING_JOINED_BYTES = 1024,
    PSY_RING_BATCH = 32,
    PSY_RING_RUN_MAX = 65535
};

/* Producers and consumers, single or multiple. Bit 0: several producers; bit 1: several consumers. ABI. */
typedef enum psy_ring_kind { PSY_RING_SPSC = 0, PSY_RING_MPSC = 1, PSY_RING_SPMC = 2, PSY_RING_MPMC = 3 } psy_ring_kind;
typedef enum psy_ring_side { PSY_RING_PRODUCER, PSY_RING_CONSUMER } psy_ring_side;

typedef struct psy_ring_header {
    uint32_t magic, abi, stride, slots, kind;
    uint8_t pad0[108];
    PSY_ATOMIC(uint64_t) published;
    uint8_t pad1[120];
    PSY_ATOMIC(uint64_t) released;
    uint8_t pad2[120];
    PSY_ATOMIC(uint32_t) consumer_waits;
    PSY_ATOMIC(uint32_t) producer_waits;
    PSY_ATOMIC(uint64_t) producer_seat;
    PSY_ATOMIC(uint64_t) consumer_seat;
    PSY_ATOMIC(uint32_t) producer_epoch;
    PSY_ATOMIC(uint32_t) consumer_epoch;
    PSY_ATOMIC(uint64_t) producer_seats[4];
    PSY_ATOMIC(uint64_t) consumer_seats[4];
    uint8_t pad4[32];
    PSY_ATOMIC(uint64_t) taken;
    uint8_t pad5[120];
} psy_ring_header;
static_assert(sizeof(psy_ring_header) == PSY_RING_HEADER_BYTES, "the ring header is ABI");
static_assert(offsetof(psy_ring_header, magic) == 0 && offsetof(psy_ring_header, abi) == 4, "the ring header is ABI");
static_assert(offsetof(psy_ring_header, stride) == 8 && offsetof(psy_ring_header, slots) == 12, "the ring header is ABI");
static_assert(offsetof(psy_ring_header, kind) == 16 && offsetof(psy_ring_header, taken) == 512, "the ring header is ABI");
static_assert(offsetof(psy_ring_header, published) == 128 && offsetof(psy_ring_header, released) == 256,
              "the ring header is ABI");
static_assert(offsetof(psy_ring_header, consumer_waits) == 384 && offsetof(psy_ring_header, producer_waits) == 388,
              "the ring header is ABI");
static_assert(offsetof(psy_ring_header, producer_seat) == 392 && offsetof(psy_ring_header, consumer_seat) == 400,
              "the ring header is ABI");
static_assert(offsetof(psy_ring_header, producer_epoch) == 408 && offsetof(psy_ring_header, consumer_epoch) == 412,
              "the ring header is ABI");
static_assert(offsetof(psy_ring_header, producer_seats) == 416 && offsetof(psy_ring_header, consumer_seats) == 448,
              "the ring header is ABI");

typedef struct psy_ring_shape {
    psy_ring_kind kind;
    uint32_t stride; /* bytes: a multiple of 8 up to 2^31 - 8 */
    uint32_t slots;  /* a power of two up to 2^24 */
} psy_ring_shape;

/* One side's handle; plain memory of its process. Give each side one of its own, on cache lines of its own: it is written at
 * every message. */
typedef struct psy_ring {
    uint8_t *at;       /* the slot of this side's position */
    uint8_t *end;      /* of those that lie together there and are this side's without another look */
    uint64_t position; /* this side's: committed, or given back */
    uint64_t shown;    /* what the other side has been told of it; where this handle's claim, or its take, began */
    uint32_t defer;    /* slots that commit, or release, may hold back */
    uint32_t stride;
    psy_ring_header *header;
    PSY_ATOMIC(uint64_t) * states; /* NULL: SPSC */
    psy_ring_counters *counters;   /* NULL: none (psy_ring_set_counters) */

    uint64_t other;   /* the end of what it may use: waiting slots, or (less slots) free ones */
    uint64_t stalls;  /* how often it found the ring full, or empty, having found something before */
    uint64_t seen;    /* `released` as a producer among several last saw it */
    uint64_t skipped; /* slots of padding so far */
    uint64_t counted; /* where a single side began to count; messages so far of one among several */
    uint8_t *slots_at;
    PSY_ATOMIC(uint32_t) * joined; /* by seat; NULL: SPSC */
    uint32_t slots;
    uint32_t ticket; /* the word that this side sleeps on, as it was before the last look */
    uint8_t kind;    /* psy_ring_kind */
    uint8_t side;    /* psy_ring_side */
    uint8_t waiting; /* psy_ring_waiting */
    uint8_t bits;    /* slots are 1 << bits */
    bool broken;
    bool found;         /* something, at the last look */
    bool idle;          /* nothing, on a ring of one producer and one consumer, which was counted */
    bool adopts;        /* there may be runs to adopt */
    bool streams;       /* psy_ring_store: past the caches */
    bool streamed;      /* that was done, and no fence followed yet */
    uint32_t tune_left; /* flushes until the next look at which way of storing is faster; 0: none */
    uint32_t tune_step;
    uint64_t tune_position, tune_began, tune_best[2];
    psy_bell bell;        /* rung for sleepers of the other side */
    psy_seat seat;        /* who uses this handle; fd -1: nobody can tell whether it lives */
    uint32_t room_want;   /* slots that the claim of a run which failed last had wanted, together; 0: one will do */
    uint32_t frame_slots; /* of the largest frame; 0: the stride is no power of two (psyne/frame.h) */
    uint32_t payload_at;  /* of the frames to be claimed, behind the head's begin */
    uint32_t looked;      /* slots of frames that were looked at and not released */
    uint32_t looked_frames;
    uint64_t looked_bytes;
    uint64_t frames, frame_bytes; /* sent, or released, so far */
    uint8_t stride_bits;          /* the stride is 1 << stride_bits; 0: it is no power of two */
} psy_ring;

typedef struct psy_ring_span {
    void *at;
    uint32_t count; /* slots that lie together there */
} psy_ring_span;

/* Bytes of memory that a ring needs; 0 if the shape is impossible. */
static inline uint64_t psy_ring_shape_bytes(const psy_ring_shape *shape)
{
    uint64_t stride = shape->stride, slots = shape->slots;
    if (stride == 0 || stride % 8 != 0 || stride > (UINT32_C(1) << 31) - 8 || slots == 0 || (slots & (slots - 1)) != 0 ||
        slots > (UINT32_C(1) << 24) || (unsigned)shape->kind > PSY_RING_MPMC) {
        return 0;
    }
    uint64_t states = shape->kind == PSY_RING_SPSC ? 0 : PSY_RING_JOINED_BYTES + ((slots * 8 + 127) & ~UINT64_C(127));
    return PSY_RING_HEADER_BYTES + states + ((stride * slots + 127) & ~UINT64_C(127));
}

/* The same for one producer and one consumer. */
static inline uint64_t psy_ring_bytes(uint32_t stride, uint32_t slots)
{
    psy_ring_shape shape = {PSY_RING_SPSC, stride, slots};
    return psy_ring_shape_bytes(&shape);
}

/* Formats `memory` (64-byte aligned, zeroed or not) as an empty ring. INVALID. */
PSY_NODISCARD psy_status psy_ring_format(void *memory, uint64_t bytes, const psy_ring_shape *shape);

/* A handle for one side of a ring that somebody formatted, in the shape that was agreed. `seat` (copied; it must outlive the
 * handle) says who uses it: needed on a side of several, where each handle of a ring has a seat of its own; NULL otherwise
 * means that nobody will ask whether this side lives. What a dead predecessor in the same seat had claimed or taken is cleared
 * away, or adopted, first; a single side whose process died is taken over where it had shown to be. INVALID, CORRUPT (another
 * shape, impossible positions), VERSION, FULL (somebody who lives is the single producer or consumer; it is
 * also said for the moment in which another takes a dead one's seat: try again), TIMEOUT (somebody has been clearing up the
 * slab's rings for two seconds). */
PSY_NODISCARD psy_status psy_ring_join(psy_ring *ring, psy_ring_side side, void *memory, uint64_t bytes,
                                       const psy_ring_shape *shape, const psy_seat *seat);

/* Leaves what joined: flushes, settles, makes an open claim padding and hands what was taken and not given back to another
 * consumer. The handle is of no use after. */
void psy_ring_leave(psy_ring *ring);

/* How often somebody joined as the other, single side: it changes when a restarted peer takes over. */
static inline uint32_t psy_ring_peer_epoch(const psy_ring *ring)
{
    return atomic_load_explicit(ring->side == PSY_RING_PRODUCER ? &ring->header->consumer_epoch : &ring->header->producer_epoch,
                                memory_order_acquire);
}

/* One producer, one consumer, no seats: format and join as producer; join. INVALID, CORRUPT, VERSION. */
PSY_NODISCARD psy_status psy_ring_init(psy_ring *ring, void *memory, uint64_t bytes, uint32_t stride, uint32_t slots);
PSY_NODISCARD psy_status psy_ring_attach(psy_ring *ring, psy_ring_side side, void *memory, uint64_t bytes, uint32_t stride,
                                         uint32_t slots);

static inline bool psy_ring_broken(const psy_ring *ring) { return ring->broken; }
static inline bool psy_ring_many_producers(const psy_ring *ring) { return ring->kind & PSY_RING_MPSC; }
static inline bool psy_ring_many_consumers(const psy_ring *ring) { return ring->kind & PSY_RING_SPMC; }

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

/* Counts in a row of its own (psyne/counters.h), from now on: whenever the other side is shown something, and in the waiting
 * calls. The row must outlive the handle; NULL: no more. */
static inline void psy_ring_set_counters(psy_ring *ring, psy_ring_counters *counters)
{
    bool several = ring->side == PSY_RING_PRODUCER ? psy_ring_many_producers(ring) : psy_ring_many_consumers(ring);
    ring->counters = counters;
    ring->counted = several ? 0 : ring->position - ring->skipped;
}

/* Private: what the handle knows, to its row. */
static inline void psy_ring_count(psy_ring *ring)
{
    bool several = ring->side == PSY_RING_PRODUCER ? psy_ring_many_producers(ring) : psy_ring_many_consumers(ring);
    uint64_t messages = several ? ring->counted : ring->position - ring->skipped - ring->counted;
    psy_counter_set(&ring->counters->position, ring->position);
    psy_counter_set(&ring->counters->messages, ring->frames ? ring->frames : messages);
    psy_counter_set(&ring->counters->bytes, ring->frames ? ring->frame_bytes : messages * ring->stride);
    psy_counter_set(&ring->counters->stalls, ring->stalls);
}

/* Private: what is left when the handle's slots are used up. */
void *psy_ring_claim_more(psy_ring *ring, uint32_t want, uint32_t *got);
void *psy_ring_peek_more(psy_ring *ring, uint32_t want, uint32_t *got);
void psy_ring_publish_runs(psy_ring *ring);
void psy_ring_publish_padding(psy_ring *ring);
void psy_ring_give_back_runs(psy_ring *ring);

/* Private: whether the handle has so many slots together, and n slots further (more than it has together, if they were had as
 * spans). One pointer is all that changes from message to message besides the position. */
static inline bool psy_ring_has(const psy_ring *ring, uint32_t want)
{
    return (uint64_t)want * ring->stride <= (uint64_t)(ring->end - ring->at);
}
static inline void psy_ring_advance(psy_ring *ring, uint32_t n)
{
    uint8_t *at = ring->at + (uint64_t)n * ring->stride;
    ring->position += n;
    ring->at = at;
    if (at > ring->end) {
        ring->end = at;
    }
}

/* ---- producer ---- */

/* Whether claimed slots are best written past the caches now, by non-temporal stores of whole lines (see psy_ring_set_store).
 * Whoever does so says psy_ring_streamed before the commit. */
static inline bool psy_ring_streams(const psy_ring *ring) { return ring->streams; }
static inline void psy_ring_streamed(psy_ring *ring) { ring->streamed = true; }

/* Copies `bytes` into claimed slots, in the way that is best now. */
static inline void psy_ring_store(psy_ring *ring, void *to, const void *from, size_t bytes)
{
#if defined(__SSE2__)
    if (ring->streams && ((uintptr_t)to | bytes) % 16 == 0) {
        for (size_t i = 0; i < bytes / 16; i++) {
            _mm_stream_si128((__m128i *)to + i, _mm_loadu_si128((const __m128i *)from + i));
        }
        ring->streamed = true;
        return;
    }
#endif
    memcpy(to, from, bytes);
}

void psy_ring_tune(psy_ring *ring);

/* Private: before slots are shown. */
static inline void psy_ring_store_fence(psy_ring *ring)
{
#if defined(__SSE2__)
    if (ring->streamed) {
        _mm_sfence();
        ring->streamed = false;
    }
#endif
    if (ring->tune_left && --ring->tune_left == 0) {
        psy_ring_tune(ring);
    }
}

/* Makes committed slots visible. */
static inline void psy_ring_flush(psy_ring *ring)
{
    if (ring->shown != ring->position) {
        psy_ring_store_fence(ring);
        if (ring->states) {
            psy_ring_publish_runs(ring);
        } else {
            ring->shown = ring->position;
            atomic_store_explicit(&ring->header->published, ring->position, memory_order_release);
        }
        if (ring->counters) {
            psy_ring_count(ring);
        }
    }
}

/* Up to `want` (1 or more) free slots that lie together; NULL when there is none. Claiming again gives the same slots. */
static inline void *psy_ring_claim(psy_ring *ring, uint32_t want, uint32_t *got)
{
    if (psy_ring_has(ring, want)) {
        *got = want;
        return ring->at;
    }
    if (ring->idle && atomic_load_explicit(&ring->header->released, memory_order_acquire) + ring->slots == ring->position) {
        *got = 0;
        return NULL;
    }
    return psy_ring_claim_more(ring, want, got);
}

/* The same in two parts where the ring wraps around: how many slots `spans` have together, up to `want`; 0: full. The second
 * part is at the ring's start, and empty most of the time. */
uint32_t psy_ring_claim_spans(psy_ring *ring, uint32_t want, psy_ring_span spans[2]);

/* Exactly `n` (up to PSY_RING_RUN_MAX, and half of the ring: the rest may be padding or held back) free slots that lie
 * together, on a ring with several producers; those before the ring's end that are too few become padding. NULL when there is
 * no room for them: psy_ring_wait_room waits for that many then. */
void *psy_ring_claim_run(psy_ring *ring, uint32_t n);

/* The first `n` claimed slots are written. With several producers the others become padding. */
static inline void psy_ring_commit(psy_ring *ring, uint32_t n)
{
    psy_ring_advance(ring, n);
    if (ring->position - ring->shown >= ring->defer) {
        psy_ring_flush(ring);
    }
}

/* A claim that is not committed is simply forgotten; with several producers it becomes padding. */
static inline void psy_ring_abort(psy_ring *ring)
{
    if (psy_ring_many_producers(ring)) {
        psy_ring_publish_padding(ring);
    }
}

/* Takes the bit of a waiting word: true if somebody sleeps on it and must be woken. Costs a fence. */
static inline bool psy_ring_take_waiters(PSY_ATOMIC(uint32_t) * word)
{
    psy_ring_fence();
    uint32_t now = atomic_load_explicit(word, memory_order_relaxed);
    return (now & 1) != 0 &&
           atomic_compare_exchange_strong_explicit(word, &now, now + 1, memory_order_acq_rel, memory_order_relaxed);
}

/* After a flush: whether a consumer sleeps and must be woken. */
static inline bool psy_ring_take_wake(psy_ring *ring) { return psy_ring_take_waiters(&ring->header->consumer_waits); }

/* Whether there is no free slot now; claims nothing. */
bool psy_ring_full(psy_ring *ring);

/* Before a producer sleeps for room: true if the ring is still full (or broken). Flushes, so ask take_wake before sleeping.
 * Always end with room_end. */
static inline bool psy_ring_room_begin(psy_ring *ring)
{
    psy_ring_flush(ring);
    ring->ticket = atomic_fetch_or_explicit(&ring->header->producer_waits, 1u, memory_order_relaxed) | 1;
    psy_ring_fence();
    return psy_ring_full(ring);
}
static inline void psy_ring_room_end(psy_ring *ring)
{
    if (!psy_ring_many_producers(ring)) { /* others may sleep on it */
        (void)atomic_fetch_and_explicit(&ring->header->producer_waits, ~1u, memory_order_relaxed);
    }
}

/* ---- consumer ---- */

/* Shows the producers what was released: with several producers or consumers, up to the end of the last run that was given back
 * whole. */
static inline void psy_ring_settle(psy_ring *ring)
{
    if (ring->shown != ring->position) {
        if (ring->states) {
            psy_ring_give_back_runs(ring);
        } else {
            ring->shown = ring->position;
            atomic_store_explicit(&ring->header->released, ring->position, memory_order_release);
        }
        if (ring->counters) {
            psy_ring_count(ring);
        }
    }
}

/* Up to `want` (1 or more) waiting slots that lie together; NULL when there is none. Peeking again gives the same slots. With
 * several consumers they are this one's alone from now on, to be given back by release. */
static inline void *psy_ring_peek(psy_ring *ring, uint32_t want, uint32_t *got)
{
    if (psy_ring_has(ring, want)) {
        *got = want;
        return ring->at;
    }
    /* Looked at again and again while nothing comes: nothing is stored, which would wait behind what this side sends. */
    if (ring->idle && atomic_load_explicit(&ring->header->published, memory_order_acquire) == ring->position) {
        *got = 0;
        return NULL;
    }
    return psy_ring_peek_more(ring, want, got);
}

/* The same in two parts where the ring wraps around: how many slots `spans` have together, up to `want`; 0: empty. */
uint32_t psy_ring_peek_spans(psy_ring *ring, uint32_t want, psy_ring_span spans[2]);

/* The first `n` slots that were peeked are not needed any more. */
static inline void psy_ring_release(psy_ring *ring, uint32_t n)
{
    psy_ring_advance(ring, n);
    if (ring->position - ring->shown >= ring->defer) {
        psy_ring_settle(ring);
    }
}

/* After a settle: whether a producer sleeps for room and must be woken. */
static inline bool psy_ring_take_room_wake(psy_ring *ring) { return psy_ring_take_waiters(&ring->header->producer_waits); }

/* Whether nothing waits now; takes nothing. */
bool psy_ring_empty(psy_ring *ring);

/* Before a consumer sleeps: true if the ring is still empty (or broken), then it may block until it is woken. Settles, so ask
 * take_room_wake before sleeping where the producer may wait for room. Always end with sleep_end. */
static inline bool psy_ring_sleep_begin(psy_ring *ring)
{
    psy_ring_settle(ring);
    ring->ticket = atomic_fetch_or_explicit(&ring->header->consumer_waits, 1u, memory_order_relaxed) | 1;
    psy_ring_fence();
    return psy_ring_empty(ring);
}
static inline void psy_ring_sleep_end(psy_ring *ring)
{
    if (!psy_ring_many_consumers(ring)) { /* others may sleep on it */
        (void)atomic_fetch_and_explicit(&ring->header->consumer_waits, ~1u, memory_order_relaxed);
    }
}

/* ---- either side ---- */

/* Slots between producers and consumers: a snapshot, for gauges; never more than `slots`. */
static inline uint64_t psy_ring_fill(const psy_ring *ring)
{
    uint64_t released = atomic_load_explicit(&ring->header->released, memory_order_relaxed);
    uint64_t published = atomic_load_explicit(&ring->header->published, memory_order_relaxed);
    /* They moved between the two looks. */
    return released > published ? 0 : published - released <= ring->slots ? published - released : ring->slots;
}

/* How the waiting calls wait. PARK, the default: a few looks, then asleep (futex) until woken. YIELD: looks, and leaves the
 * processor to others in between. SPIN: looks all the time, on a processor that has nothing else to do. */
typedef enum psy_ring_waiting { PSY_RING_PARK, PSY_RING_YIELD, PSY_RING_SPIN } psy_ring_waiting;
static inline void psy_ring_set_waiting(psy_ring *ring, psy_ring_waiting how) { ring->waiting = (uint8_t)how; }

/* Also rings a bell (copied) when it wakes a sleeper of the other side, for one that sleeps in epoll. The sleeper calls
 * sleep_begin or room_begin before, and _end after (psyne/bell.h). */
static inline void psy_ring_set_bell(psy_ring *ring, psy_bell bell) { ring->bell = bell; }

/* Until something waits, or until there is room: OK, TIMEOUT, CORRUPT for a broken ring, or PEER_DIED when all who joined the
 * other side with seats are dead (and nothing waits that they left). Recovers what the dead hold now and then. Flushes, or
 * settles, first, and wakes the other side for that. The other side calls psy_ring_wake_consumer after a flush,
 * psy_ring_wake_producer after a settle: those cost a fence while nobody sleeps. */
PSY_NODISCARD psy_status psy_ring_wait(psy_ring *ring, uint64_t timeout_ns);
PSY_NODISCARD psy_status psy_ring_wait_room(psy_ring *ring, uint64_t timeout_ns);
void psy_ring_wake_consumer(psy_ring *ring);
void psy_ring_wake_producer(psy_ring *ring);

typedef struct psy_ring_report {
    uint32_t padded;   /* runs of dead producers that became padding */
    uint32_t adopted;  /* runs of dead consumers that this handle will deliver again */
    uint32_t orphaned; /* runs of dead consumers that only another consumer can adopt */
    uint32_t held;     /* runs that others hold, who live */
    uint32_t holder;   /* the seat of the first of those, 0: none */
} psy_ring_report;

/* Looks through a ring with several producers or consumers for what dead ones hold. OK, PEER_DIED (all who joined the other
 * side are dead), UNSUPPORTED (this handle has no seat that could tell), CORRUPT. Makes system calls: not for the hot path,
 * call it when nothing moves. `report` may be NULL. */
PSY_NODISCARD psy_status psy_ring_recover(psy_ring *ring, psy_ring_report *report);

typedef enum psy_store { PSY_STORE_PLAIN, PSY_STORE_STREAM, PSY_STORE_AUTO } psy_store;

/* How psy_ring_store writes, and what psy_ring_streams says. PLAIN, the default. STREAM: past the caches. AUTO: for messages of
 * whole lines, tries both ways for some flushes now and then, and goes on with the one that moved more bytes in the time: near
 * cores share caches, and plain stores are faster; far ones wait for each line that the other still holds, and streaming is.
 * Decided by measuring, since virtual processors move. */
void psy_ring_set_store(psy_ring *ring, psy_store store);

#ifdef __cplusplus
}
#endif
#endif

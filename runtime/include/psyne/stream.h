/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: one writer that never waits, any number of readers, and the oldest is overwritten. For telemetry, prices, states: a
 * reader that is too slow loses the oldest messages, learns how many, and goes on with what is still there.
 *
 *   byte 0     magic u32, ABI u32, stride u32, slots u32
 *   byte 16    writer_epoch u32   how often a writer has joined
 *   byte 24    writer_seat u64    who writes (psyne/seat.h): number, epoch << 32; 0: not said
 *   byte 128   intent u64         no position from here on has been written to since the stream began, not even in part
 *   byte 136   published u64      messages written so far
 *   byte 256   slots x stride
 *
 *   psy_stream_write(&writer, samples, n);          // copies n messages; or claim, write in place, commit
 *   psy_stream_flush(&writer);                      // visible at the latest now
 *
 *   psy_stream_read(&reader, samples, 64, &got, &lost); // copies what waits, whole messages only
 *
 * Position p's slot is p mod slots. Before the writer touches the slots of new messages it moves `intent` behind them, when
 * they are whole it moves `published` there. A reader copies first and looks at `intent` after: what lies less than `slots`
 * behind it was not touched meanwhile, the rest is discarded (as in Aeron's broadcast buffer, and in seqlocks). Readers write
 * nothing and need no write access to the memory; the writer reads nothing after it has joined, so that no reader can disturb
 * it.
 *
 * Memory order. The writer stores `intent`, then has a release fence, then writes slots; it stores `published` with release.
 * The reader loads `published` with acquire, copies, then has an acquire fence, then loads `intent`. If a copied word was one
 * of a later lap, the writer's fence happens before the reader's, so the reader sees an `intent` that tells. The words
 * themselves are written and copied as relaxed atomics of 8 bytes by psy_stream_write and psy_stream_read, without a data race;
 * whoever writes or reads in place with plain accesses relies on the processor to do so too, and must not believe what he read
 * before psy_stream_intact has said so.
 *
 * Death. A writer that dies between the two leaves `intent` ahead: readers take for lost what it may have spoilt. The one that
 * joins after it goes on behind the last published message. What was not flushed is lost with its writer. Readers may come and
 * go: nobody counts them.
 *
 * Hostile peers: geometry is agreed elsewhere and kept in the handle. A `published` that goes back or is ahead of `intent`
 * marks a reader's handle broken. A writer can tell readers any number of losses and any content; no access leaves the memory
 * and no call runs without end.
 *
 * Thread safety: one thread at a time for each handle. Nothing blocks or allocates; joining with a seat makes a few system
 * calls. Nobody is woken: readers poll, or the writer rings their bells (psyne/bell.h) after a flush. ABI version: 1.
 */
#ifndef PSYNE_STREAM_H
#define PSYNE_STREAM_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <psyne/atomic.h>
#include <psyne/seat.h>
#include <psyne/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PSY_STREAM_MAGIC UINT32_C(0x53595350) /* "PSYS" */
enum { PSY_STREAM_ABI = 1, PSY_STREAM_HEADER_BYTES = 256 };

typedef struct psy_stream_header {
    uint32_t magic, abi, stride, slots;
    PSY_ATOMIC(uint32_t) writer_epoch;
    uint32_t pad0;
    PSY_ATOMIC(uint64_t) writer_seat;
    uint8_t pad1[96];
    PSY_ATOMIC(uint64_t) intent;
    PSY_ATOMIC(uint64_t) published;
    uint8_t pad2[112];
} psy_stream_header;
static_assert(sizeof(psy_stream_header) == PSY_STREAM_HEADER_BYTES, "the stream header is ABI");
static_assert(offsetof(psy_stream_header, magic) == 0 && offsetof(psy_stream_header, abi) == 4, "the stream header is ABI");
static_assert(offsetof(psy_stream_header, stride) == 8 && offsetof(psy_stream_header, slots) == 12, "the stream header is ABI");
static_assert(offsetof(psy_stream_header, writer_epoch) == 16 && offsetof(psy_stream_header, writer_seat) == 24,
              "the stream header is ABI");
static_assert(offsetof(psy_stream_header, intent) == 128 && offsetof(psy_stream_header, published) == 136,
              "the stream header is ABI");

typedef struct psy_stream_shape {
    uint32_t stride; /* bytes of a message: a multiple of 8 up to 2^31 - 8 */
    uint32_t slots;  /* a power of two up to 2^24: how many messages a reader may be behind */
} psy_stream_shape;

typedef struct psy_stream_writer {
    psy_stream_header *header;
    uint8_t *slots_at;
    uint32_t stride, slots, defer;
    uint64_t position, shown, intent;
    psy_seat seat;
} psy_stream_writer;

typedef struct psy_stream_reader {
    const psy_stream_header *header;
    const uint8_t *slots_at;
    uint32_t stride, slots;
    bool broken;
    uint64_t position; /* of the next message */
    uint64_t lost;     /* messages overwritten before they were read, so far */
} psy_stream_reader;

typedef enum psy_stream_start { PSY_STREAM_NEWEST, PSY_STREAM_OLDEST } psy_stream_start;

/* Bytes of memory that a stream needs; 0 if the shape is impossible. */
static inline uint64_t psy_stream_bytes(const psy_stream_shape *shape)
{
    uint64_t stride = shape->stride, slots = shape->slots;
    if (stride == 0 || stride % 8 != 0 || stride > (UINT32_C(1) << 31) - 8 || slots == 0 || (slots & (slots - 1)) != 0 ||
        slots > (UINT32_C(1) << 24)) {
        return 0;
    }
    return PSY_STREAM_HEADER_BYTES + ((stride * slots + 127) & ~UINT64_C(127));
}

/* Formats `memory` (64-byte aligned, zeroed or not) as a stream without messages. INVALID. */
PSY_NODISCARD psy_status psy_stream_format(void *memory, uint64_t bytes, const psy_stream_shape *shape);

/* The writer's handle. `seat` (copied; it must outlive the handle) says who writes; NULL: nobody will ask whether another
 * writer lives. INVALID, CORRUPT (another shape, impossible positions), VERSION, FULL (the writer lives). */
PSY_NODISCARD psy_status psy_stream_join_writer(psy_stream_writer *writer, void *memory, uint64_t bytes,
                                                const psy_stream_shape *shape, const psy_seat *seat);

/* Flushes, and lets another write. */
void psy_stream_leave(psy_stream_writer *writer);

/* A reader's handle, over memory that may be mapped for reading only. It begins with the oldest message that is whole, or with
 * those published from now on. INVALID, CORRUPT, VERSION. */
PSY_NODISCARD psy_status psy_stream_join(psy_stream_reader *reader, const void *memory, uint64_t bytes,
                                         const psy_stream_shape *shape, psy_stream_start start);

static inline bool psy_stream_broken(const psy_stream_reader *reader) { return reader->broken; }

/* How often somebody joined as the writer: it changes when a restarted one takes over. */
static inline uint32_t psy_stream_writer_epoch(const psy_stream_reader *reader)
{
    return atomic_load_explicit(&reader->header->writer_epoch, memory_order_acquire);
}

/* Private: fences where ThreadSanitizer knows none, and has only atomics to look at. */
static inline void psy_stream_fence_release(void)
{
#if defined(__SANITIZE_THREAD__)
    __asm__ volatile("" ::: "memory");
#else
    atomic_thread_fence(memory_order_release);
#endif
}
static inline void psy_stream_fence_acquire(void)
{
#if defined(__SANITIZE_THREAD__)
    __asm__ volatile("" ::: "memory");
#else
    atomic_thread_fence(memory_order_acquire);
#endif
}

/* ---- writer ---- */

/* Makes committed messages visible. */
static inline void psy_stream_flush(psy_stream_writer *writer)
{
    if (writer->shown != writer->position) {
        writer->shown = writer->position;
        atomic_store_explicit(&writer->header->published, writer->position, memory_order_release);
    }
}

/* Up to `want` (1 or more) slots that lie together, for the next messages: never none, but at most half of the stream at once.
 * What was there is lost to readers from now on. Claiming again gives the same slots. */
static inline void *psy_stream_claim(psy_stream_writer *writer, uint32_t want, uint32_t *got)
{
    uint32_t index = (uint32_t)writer->position & (writer->slots - 1), run = writer->slots - index;
    uint32_t most = writer->slots > 1 ? writer->slots / 2 : 1;
    run = run < most ? run : most;
    *got = want < run ? want : run;
    if (writer->position + *got > writer->intent) {
        writer->intent = writer->position + *got;
        atomic_store_explicit(&writer->header->intent, writer->intent, memory_order_relaxed);
        psy_stream_fence_release();
    }
    return writer->slots_at + (uint64_t)index * writer->stride;
}

/* The first `n` claimed slots are written. Publishes by itself when a line's worth of small messages, or 32, are pending. */
static inline void psy_stream_commit(psy_stream_writer *writer, uint32_t n)
{
    writer->position += n;
    if (writer->position - writer->shown >= writer->defer) {
        psy_stream_flush(writer);
    }
}

/* Copies `n` messages into the stream, and commits them. */
void psy_stream_write(psy_stream_writer *writer, const void *messages, uint32_t n);

/* ---- reader ---- */

/* Copies up to `max` (1 or more) messages to `out`; `got` were whole and follow each other, and the `lost` (may be NULL) before
 * them were overwritten. OK, EMPTY (got is 0; messages may have been lost), CORRUPT (broken; those that it got are whole). */
PSY_NODISCARD psy_status psy_stream_read(psy_stream_reader *reader, void *out, uint32_t max, uint32_t *got, uint64_t *lost);

/* Up to `want` waiting messages that lie together, to be read in place; NULL when there is none. What had been overwritten is
 * skipped and counted in reader->lost, and then as much as a quarter of the stream, to be ahead of the writer. Believe nothing
 * of it before psy_stream_intact, and copy what is used after. */
const void *psy_stream_peek(psy_stream_reader *reader, uint32_t want, uint32_t *got);

/* Whether all that was peeked is untouched up to now. If not, peek again. */
static inline bool psy_stream_intact(const psy_stream_reader *reader)
{
    psy_stream_fence_acquire();
    return atomic_load_explicit(&reader->header->intent, memory_order_relaxed) - reader->position <= reader->slots;
}

/* The first `n` messages that were peeked were read. */
static inline void psy_stream_release(psy_stream_reader *reader, uint32_t n) { reader->position += n; }

#ifdef __cplusplus
}
#endif
#endif

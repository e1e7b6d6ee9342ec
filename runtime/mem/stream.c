/* SPDX-License-Identifier: Apache-2.0 */
/* How streams are formatted and joined, and messages copied in and out. */
#include <psyne/stream.h>

#include <inttypes.h>
#include <string.h>

/* What is copied between two looks at `intent`: the oldest is lost while younger ones are being copied. */
enum { CHUNK_BYTES = 16384, BATCH = 32, TRIES = 4 };

static psy_status check_shape(const void *memory, uint64_t bytes, const psy_stream_shape *shape)
{
    uint64_t need = shape ? psy_stream_bytes(shape) : 0;
    if (!memory || need == 0 || bytes < need || (uintptr_t)memory % 64 != 0) {
        return psy_fail(PSY_INVALID,
                        "a stream of %" PRIu32 " slots of %" PRIu32 " bytes in %" PRIu64
                        " bytes: slots are a power of two, strides a "
                        "multiple of 8, memory aligned to 64",
                        shape ? shape->slots : 0, shape ? shape->stride : 0, bytes);
    }
    return PSY_OK;
}

psy_status psy_stream_format(void *memory, uint64_t bytes, const psy_stream_shape *shape)
{
    psy_status status = check_shape(memory, bytes, shape);
    if (status == PSY_OK) {
        psy_stream_header *header = memory;
        memset(memory, 0, PSY_STREAM_HEADER_BYTES);
        header->stride = shape->stride;
        header->slots = shape->slots;
        header->abi = PSY_STREAM_ABI;
        header->magic = PSY_STREAM_MAGIC;
    }
    return status;
}

static psy_status check_header(const void *memory, uint64_t bytes, const psy_stream_shape *shape)
{
    struct {
        uint32_t magic, abi, stride, slots;
    } says;
    psy_status status = check_shape(memory, bytes, shape);
    if (status != PSY_OK) {
        return status;
    }
    memcpy(&says, memory, sizeof says); /* read once */
    if (says.magic != PSY_STREAM_MAGIC) {
        return psy_fail(PSY_CORRUPT, "not a stream: its first word is %08" PRIx32, says.magic);
    }
    if (says.abi != PSY_STREAM_ABI) {
        return psy_fail(PSY_VERSION, "the stream has ABI %" PRIu32 ", this library %d", says.abi, PSY_STREAM_ABI);
    }
    if (says.stride != shape->stride || says.slots != shape->slots) {
        return psy_fail(PSY_CORRUPT,
                        "the stream says %" PRIu32 " slots of %" PRIu32 " bytes; agreed were %" PRIu32 " of %" PRIu32,
                        says.slots, says.stride, shape->slots, shape->stride);
    }
    return PSY_OK;
}

/* ---- writer ---- */

static uint64_t seat_word(const psy_seat *seat) { return (uint64_t)seat->epoch << 32 | seat->number; }

/* Where somebody sits, he may have come after the one who wrote. */
static bool writes(const psy_seat *mine, uint64_t word)
{
    uint32_t number = (uint32_t)word & 255;
    return word != 0 && number != mine->number &&
           (mine->fd < 0 || (psy_seat_lives(mine, number) && psy_seat_epoch(mine->slab, number) == word >> 32));
}

psy_status psy_stream_join_writer(psy_stream_writer *writer, void *memory, uint64_t bytes, const psy_stream_shape *shape,
                                  const psy_seat *seat)
{
    if (!writer || (seat && (seat->number == 0 || seat->number > PSY_SEAT_LAST))) {
        return psy_fail(PSY_INVALID, "psy_stream_join_writer: no handle, or a seat that is none");
    }
    psy_status status = check_header(memory, bytes, shape);
    if (status != PSY_OK) {
        return status;
    }
    psy_stream_header *header = memory;
    uint64_t published = atomic_load_explicit(&header->published, memory_order_acquire);
    uint64_t intent = atomic_load_explicit(&header->intent, memory_order_relaxed);
    if (intent - published > shape->slots) {
        return psy_fail(PSY_CORRUPT, "the stream's positions are impossible");
    }
    uint64_t before = atomic_load_explicit(&header->writer_seat, memory_order_acquire);
    uint64_t mine = seat ? seat_word(seat) : 0;
    if (seat && writes(seat, before)) {
        return psy_fail(PSY_FULL, "the stream's writer lives, in seat %u", (unsigned)(before & 255));
    }
    /* Of two that come at once, one wins. */
    if (!atomic_compare_exchange_strong_explicit(&header->writer_seat, &before, mine, memory_order_acq_rel,
                                                 memory_order_relaxed)) {
        return psy_fail(PSY_FULL, "another writer has just joined the stream");
    }
    (void)atomic_fetch_add_explicit(&header->writer_epoch, 1u, memory_order_acq_rel);
    psy_stream_writer w = {.header = header,
                           .slots_at = (uint8_t *)memory + PSY_STREAM_HEADER_BYTES,
                           .stride = shape->stride,
                           .slots = shape->slots,
                           .position = published,
                           .shown = published,
                           .intent = intent,
                           .seat = seat ? *seat : psy_seat_bare(0)};
    w.defer = w.stride < 64 ? 64 / w.stride : BATCH;
    w.defer = w.defer < w.slots / 4 ? w.defer : w.slots / 4;
    w.defer = w.defer ? w.defer : 1;
    *writer = w;
    return PSY_OK;
}

void psy_stream_leave(psy_stream_writer *writer)
{
    uint64_t mine = seat_word(&writer->seat);
    psy_stream_flush(writer);
    if (mine != 0) {
        (void)atomic_compare_exchange_strong_explicit(&writer->header->writer_seat, &mine, UINT64_C(0), memory_order_acq_rel,
                                                      memory_order_relaxed);
    }
}

void psy_stream_write(psy_stream_writer *writer, const void *messages, uint32_t n)
{
    const uint8_t *from = messages;
    while (n > 0) {
        uint32_t got;
        PSY_ATOMIC(uint64_t) *to = psy_stream_claim(writer, n, &got);
        size_t words = (size_t)got * writer->stride / 8;
        for (size_t i = 0; i < words; i++) {
            uint64_t word;
            memcpy(&word, from + i * 8, sizeof word);
            atomic_store_explicit(&to[i], word, memory_order_relaxed);
        }
        psy_stream_commit(writer, got);
        from += words * 8;
        n -= got;
    }
}

/* ---- reader ---- */

psy_status psy_stream_join(psy_stream_reader *reader, const void *memory, uint64_t bytes, const psy_stream_shape *shape,
                           psy_stream_start start)
{
    psy_status status = reader ? check_header(memory, bytes, shape) : psy_fail(PSY_INVALID, "psy_stream_join: no handle");
    if (status != PSY_OK) {
        return status;
    }
    psy_stream_reader r = {.header = memory,
                           .slots_at = (const uint8_t *)memory + PSY_STREAM_HEADER_BYTES,
                           .stride = shape->stride,
                           .slots = shape->slots};
    uint64_t published = atomic_load_explicit(&r.header->published, memory_order_acquire);
    uint64_t intent = atomic_load_explicit(&r.header->intent, memory_order_relaxed);
    r.position = published;
    if (start == PSY_STREAM_OLDEST) {
        r.position = intent > r.slots ? intent - r.slots : 0;
        r.position = r.position < published ? r.position : published;
    }
    *reader = r;
    return PSY_OK;
}

/* How many messages wait; broken if that is impossible. */
static uint64_t look(psy_stream_reader *r)
{
    uint64_t published = atomic_load_explicit(&r->header->published, memory_order_acquire);
    uint64_t intent = atomic_load_explicit(&r->header->intent, memory_order_relaxed);
    /* Both only grow, and `intent` was loaded later. */
    if (published < r->position || intent < published) {
        r->broken = true;
        return 0;
    }
    return published - r->position;
}

/* Copies `n` messages from `position`. */
static void copy(const psy_stream_reader *r, uint64_t position, uint8_t *out, uint64_t n)
{
    size_t words = r->stride / 8;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t index = (position + i) & (r->slots - 1);
        const PSY_ATOMIC(uint64_t) *from = (const PSY_ATOMIC(uint64_t) *)(const void *)(r->slots_at + index * r->stride);
        for (size_t w = 0; w < words; w++) {
            uint64_t word = atomic_load_explicit(&from[w], memory_order_relaxed);
            memcpy(out + ((size_t)i * words + w) * 8, &word, sizeof word);
        }
    }
}

/* How many messages wait, whole up to now. What was overwritten before them is counted and passed over, and up to `headroom`
 * more: for who is outrun by the writer. Without `gaps` it gives none instead. */
static uint64_t ready(psy_stream_reader *r, uint64_t headroom, bool gaps)
{
    for (uint32_t tries = 0; tries < TRIES; tries++) {
        uint64_t waiting = look(r);
        if (waiting == 0) {
            return 0;
        }
        uint64_t behind = atomic_load_explicit(&r->header->intent, memory_order_relaxed) - r->position;
        if (behind <= r->slots) {
            return waiting;
        }
        uint64_t lost = behind - r->slots;
        if (!gaps) {
            return 0;
        }
        if (lost <= waiting) { /* or the writer went on since: look anew */
            uint64_t rest = waiting - lost;
            lost += rest == 0 ? 0 : headroom < rest ? headroom : rest - 1;
            r->position += lost;
            r->lost += lost;
            return waiting - lost;
        }
    }
    return 0;
}

/* One piece of a read: how many messages are whole in `out`. Only before the first piece may some be lost. */
static uint32_t read_piece(psy_stream_reader *r, uint8_t *out, uint32_t max, bool first)
{
    for (uint32_t tries = 0; tries < TRIES; tries++) {
        uint64_t waiting = ready(r, r->slots - (r->slots >> tries), first), n = max < waiting ? max : waiting;
        if (n == 0) {
            return 0;
        }
        copy(r, r->position, out, n);
        psy_stream_fence_acquire();
        uint64_t behind = atomic_load_explicit(&r->header->intent, memory_order_relaxed) - r->position;
        uint64_t torn = behind > r->slots ? behind - r->slots : 0;
        if (torn != 0 && !first) {
            return 0;
        }
        if (torn < n) {
            memmove(out, out + torn * r->stride, (n - torn) * r->stride);
            r->position += n;
            r->lost += torn;
            return (uint32_t)(n - torn);
        }
    }
    return 0;
}

psy_status psy_stream_read(psy_stream_reader *r, void *out, uint32_t max, uint32_t *got, uint64_t *lost)
{
    uint64_t lost_before = r->lost;
    uint32_t chunk = CHUNK_BYTES / r->stride, done = 0, n;
    chunk = chunk ? chunk : 1;
    do {
        uint32_t want = max - done < chunk ? max - done : chunk;
        n = r->broken ? 0 : read_piece(r, (uint8_t *)out + (size_t)done * r->stride, want, done == 0);
        done += n;
    } while (n != 0 && done < max);
    *got = done;
    if (lost) {
        *lost = r->lost - lost_before;
    }
    if (r->broken) {
        return psy_fail(PSY_CORRUPT, "the stream's writer broke it");
    }
    return done ? PSY_OK : PSY_EMPTY;
}

const void *psy_stream_peek(psy_stream_reader *r, uint32_t want, uint32_t *got)
{
    uint64_t waiting = r->broken ? 0 : ready(r, r->slots / 4, true);
    uint32_t index = (uint32_t)r->position & (r->slots - 1), run = r->slots - index;
    run = waiting < run ? (uint32_t)waiting : run;
    *got = want < run ? want : run;
    return *got ? r->slots_at + (size_t)index * r->stride : NULL;
}

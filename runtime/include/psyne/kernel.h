/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that psynec writes as C (`psynec --emit c`): how a program calls them, and what they are made of. Version
 * PSY_KERNEL_ABI: psynec writes files for the version that it came with.
 *
 *     #include "nearest.kernels.h"
 *
 *     uint64_t sizes[nearest_kernel_sizes] = {[nearest_kernel_size_N] = 10000, ...};
 *     psy_kernel_resident residents[nearest_kernel_residents] = {[nearest_kernel_resident_words] = {matrix, 10000}, ...};
 *     psy_kernel_frame frame;
 *     int status = psy_kernel_open(&nearest_kernels_nearest_shard, sizes, NULL, residents, &frame);   // 0: bound
 *     status = psy_kernel_run(&nearest_kernels_nearest_shard, &frame, request, NULL, 0, reply);    // again and again
 *     psy_kernel_close(&frame);
 *
 * A frame belongs to one thread at a time; a program and resident data are never written to and may be shared. After open
 * nothing allocates. Statuses are those of psyne/status.h, as int.
 */
#ifndef PSYNE_KERNEL_H
#define PSYNE_KERNEL_H

#include <stddef.h>
#include <stdlib.h>

#include <psyne/kernel_scalar.h>
#include <psyne/status.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PSY_KERNEL_ABI = 1 };

/* Resident data. `data`: [rows, ...] row-major, aligned to 64. For data by key, `find` gives where the row of a key starts or
 * NULL; psy_kernel_find looks through `keys`, one a row. */
typedef struct psy_kernel_resident {
    const void *data;
    uint64_t rows, row_bytes;
    const uint64_t *keys;
    const void *(*find)(const struct psy_kernel_resident *resident, uint64_t key);
} psy_kernel_resident;

/* What is put in order: its key, its label, its place, its bits. */
typedef struct psy_kernel_pick {
    uint64_t key, label, place, bits;
} psy_kernel_pick;

/* What a program runs on. Memory is aligned to 64. */
typedef struct psy_kernel_frame {
    /* of a message */
    const unsigned char *input, *partials; /* partials: a record of every shard, partial_stride bytes apart */
    uint64_t partial_stride;
    unsigned char *output;
    /* of all messages */
    const psy_kernel_resident *residents; /* as the program names them */
    uint64_t *sizes;                      /* as the program names them; layout computes those that follow from others */
    const uint64_t *bases;                /* for every size, the number of its first row among all shards' */
    unsigned char *arena, *uniform;       /* arena_bytes and uniform_bytes */
    psy_kernel_pick *picks;               /* pick_count */
    const unsigned char **rows;           /* row_count: what lookups found */
    uint64_t *slots;                      /* slot_count: where in its arena each lies; layout sets it */
    uint64_t arena_bytes, uniform_bytes, pick_count; /* layout sets them */
} psy_kernel_frame;

typedef struct psy_kernel_program {
    uint32_t abi;
    const char *name;                                  /* "nearest.shard" */
    uint32_t input_bytes, partial_bytes, output_bytes; /* of a message; partial_bytes is 0 where there are none */
    uint32_t size_count, resident_count, slot_count, row_count;
    const char *const *sizes, *const *residents; /* names */
    /* From sizes to slots and how much memory they take. INVALID where sizes do not fit each other, TOO_LARGE. */
    int (*layout)(psy_kernel_frame *frame);
    /* What depends on no message, once. */
    int (*prepare)(const psy_kernel_frame *frame);
    /* Input, and partials, to output, header included. NOT_FOUND where a key is not there: the output is then unspecified. */
    int (*run)(const psy_kernel_frame *frame);
} psy_kernel_program;

/* ---- sizes ---- */

typedef struct psy_kernel_plan {
    int status;
    uint64_t arena, uniform, picks;
} psy_kernel_plan;

static inline uint64_t psy_kernel_min(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t psy_kernel_max(uint64_t a, uint64_t b) { return a > b ? a : b; }

static inline void psy_kernel_want(psy_kernel_plan *plan, int holds)
{
    if (!holds && plan->status == PSY_OK) {
        plan->status = PSY_INVALID;
    }
}

/* Over 2^60 bytes the plan fails. */
static inline uint64_t psy_kernel_times(psy_kernel_plan *plan, uint64_t a, uint64_t b)
{
    const uint64_t most = UINT64_C(1) << 60;
    if (a > most || b > most || (b != 0 && a > most / b)) {
        plan->status = PSY_TOO_LARGE;
        return 0;
    }
    return a * b;
}

static inline uint64_t psy_kernel_sum(psy_kernel_plan *plan, uint64_t a, uint64_t b)
{
    psy_kernel_want(plan, a <= UINT64_MAX - b);
    return a + b;
}

static inline uint64_t psy_kernel_rest(psy_kernel_plan *plan, uint64_t a, uint64_t b)
{
    psy_kernel_want(plan, a >= b);
    return a - b;
}

static inline uint64_t psy_kernel_quotient(psy_kernel_plan *plan, uint64_t a, uint64_t b)
{
    psy_kernel_want(plan, b != 0 && a % b == 0);
    return b ? a / b : 0;
}

/* Whether `count` elements from `from` on, `step` apart, lie within an axis of `size`. */
static inline int psy_kernel_slice_fits(uint64_t size, uint64_t from, uint64_t count, int64_t step)
{
    uint64_t by = step < 0 ? 0 - (uint64_t)step : (uint64_t)step;
    if (count == 0) {
        return from <= size;
    }
    if (from >= size || count - 1 > UINT64_MAX / by) {
        return 0;
    }
    return step < 0 ? (count - 1) * by <= from : (count - 1) * by < size - from;
}

/* The next slot of an arena, of so many bytes: where it starts. */
static inline uint64_t psy_kernel_slot(psy_kernel_plan *plan, uint64_t *arena, uint64_t bytes)
{
    uint64_t at = *arena;
    if (bytes > (UINT64_C(1) << 60) - at - 64) {
        plan->status = PSY_TOO_LARGE;
        return 0;
    }
    *arena = at + ((bytes + 63) & ~UINT64_C(63));
    return at;
}

static inline int psy_kernel_planned(psy_kernel_frame *frame, const psy_kernel_plan *plan)
{
    frame->arena_bytes = plan->arena;
    frame->uniform_bytes = plan->uniform;
    frame->pick_count = plan->picks;
    return plan->status;
}

/* ---- messages ---- */

static inline void psy_kernel_header(unsigned char *message, uint32_t bytes, uint16_t version)
{
    memcpy(message, &bytes, sizeof bytes);
    memcpy(message + 4, &version, sizeof version);
    memset(message + 6, 0, 2);
}

/* The header of a message that is a field of another one. */
static inline void psy_kernel_part(unsigned char *part, uint64_t header) { memcpy(part, &header, sizeof header); }

/* What a variant field has: `rank` of the dims are used. */
static inline void psy_kernel_variant(unsigned char *descriptor, unsigned dtype, unsigned rank, const uint64_t dims[8])
{
    memset(descriptor, 0, 4);
    descriptor[0] = (unsigned char)dtype;
    descriptor[1] = (unsigned char)rank;
    for (unsigned d = 0; d < 8; d++) {
        uint32_t size = d < rank ? (uint32_t)dims[d] : 0;
        memcpy(descriptor + 4 + 4 * d, &size, sizeof size);
    }
}

/* A length from a message, as a count of 0 .. most. */
static inline uint64_t psy_kernel_length_unsigned(uint64_t n, uint64_t most) { return n < most ? n : most; }
static inline uint64_t psy_kernel_length_signed(int64_t n, uint64_t most)
{
    return n < 0 ? 0 : psy_kernel_length_unsigned((uint64_t)n, most);
}

static inline const void *psy_kernel_find(const psy_kernel_resident *resident, uint64_t key)
{
    for (uint64_t row = 0; row < resident->rows; row++) {
        if (resident->keys[row] == key) {
            return (const unsigned char *)resident->data + row * resident->row_bytes;
        }
    }
    return NULL;
}

/* ---- top-k and sort ---- */

enum { PSY_KERNEL_BEST, PSY_KERNEL_ASCENDING, PSY_KERNEL_DESCENDING };
typedef struct psy_kernel_ranking {
    psy_kernel_pick *at; /* a heap with the worst on top, or a list; room for `limit`, and as much again for a list */
    uint64_t count, limit;
    int order, is_float;
} psy_kernel_ranking;

static inline psy_kernel_ranking psy_kernel_rank(const psy_kernel_frame *frame, uint64_t limit, int order, int is_float)
{
    psy_kernel_ranking r;
    r.at = frame->picks;
    r.count = 0;
    r.limit = limit;
    r.order = order;
    r.is_float = is_float;
    return r;
}

static inline int psy_kernel_worse(const psy_kernel_pick *a, const psy_kernel_pick *b)
{
    return a->key != b->key ? a->key < b->key : a->label != b->label ? a->label > b->label : a->place > b->place;
}

static inline void psy_kernel_sift_down(psy_kernel_pick *at, uint64_t count, uint64_t i)
{
    psy_kernel_pick moved = at[i];
    for (uint64_t child; (child = 2 * i + 1) < count; i = child) {
        child += child + 1 < count && psy_kernel_worse(&at[child + 1], &at[child]);
        if (!psy_kernel_worse(&at[child], &moved)) {
            break;
        }
        at[i] = at[child];
    }
    at[i] = moved;
}

static inline void psy_kernel_take_in(psy_kernel_ranking *r, uint64_t key, uint64_t label, uint64_t place, uint64_t bits)
{
    psy_kernel_pick p;
    p.key = r->order == PSY_KERNEL_ASCENDING && !(r->is_float && key == 0) ? ~key : key; /* NaN is last either way */
    p.label = label;
    p.place = place;
    p.bits = bits;
    if (r->order != PSY_KERNEL_BEST) {
        r->at[r->count++] = p;
    } else if (r->count < r->limit) {
        uint64_t i = r->count++;
        for (; i > 0 && psy_kernel_worse(&p, &r->at[(i - 1) / 2]); i = (i - 1) / 2) {
            r->at[i] = r->at[(i - 1) / 2];
        }
        r->at[i] = p;
    } else if (psy_kernel_worse(&r->at[0], &p)) {
        r->at[0] = p;
        psy_kernel_sift_down(r->at, r->count, 0);
    }
}

/* Merges runs of keys from one half of the memory to the other; equal keys keep their order. */
static inline void psy_kernel_sort(psy_kernel_ranking *r)
{
    psy_kernel_pick *from = r->at, *to = r->at + r->count, *other;
    for (uint64_t run = 1; run < r->count; run *= 2) {
        for (uint64_t at = 0; at < r->count; at += 2 * run) {
            uint64_t a = at, b = psy_kernel_min(at + run, r->count), a_end = b, b_end = psy_kernel_min(b + run, r->count);
            for (uint64_t i = at; i < b_end; i++) {
                to[i] = b < b_end && (a == a_end || from[b].key > from[a].key) ? from[b++] : from[a++];
            }
        }
        other = from;
        from = to;
        to = other;
    }
    r->at = from;
}

/* Writes the first `wanted` and their labels, or places; where there are fewer, `none` and 2^64 - 1. */
static inline void psy_kernel_ranked(psy_kernel_ranking *r, uint64_t wanted, void *values, size_t element_bytes,
                                     uint64_t *labels, uint64_t none, int places)
{
    unsigned char *to = (unsigned char *)values;
    if (r->order != PSY_KERNEL_BEST) {
        psy_kernel_sort(r);
    } else {
        /* The worst goes to the end, again and again. */
        for (uint64_t left = r->count; left > 1; left--) {
            psy_kernel_pick p = r->at[0];
            r->at[0] = r->at[left - 1];
            psy_kernel_sift_down(r->at, left - 1, 0);
            r->at[left - 1] = p;
        }
    }
    for (uint64_t i = 0; i < wanted; i++) {
        int there = i < r->count;
        memcpy(to + i * element_bytes, there ? &r->at[i].bits : &none, element_bytes);
        labels[i] = !there ? UINT64_MAX : places ? r->at[i].place : r->at[i].label;
    }
}

static inline uint64_t psy_kernel_bits(const void *value, size_t bytes)
{
    uint64_t bits = 0;
    memcpy(&bits, value, bytes);
    return bits;
}

/* ---- reductions ---- */
/* Floats are added up in so many sums, which are put together now and then: errors stay small, and vectors are of use. */
enum { PSY_KERNEL_LANES = 64, PSY_KERNEL_ROUNDS = 64 };

/* Before a loop whose turns do not depend on each other. */
#if defined(__clang__)
#define PSY_KERNEL_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define PSY_KERNEL_INDEPENDENT _Pragma("GCC ivdep")
#else
#define PSY_KERNEL_INDEPENDENT
#endif

/* A product and a sum, rounded once where that is as fast: of DOT, which may be. */
#ifdef __FP_FAST_FMAF
#define psy_kernel_dot_f32(a, b, acc) __builtin_fmaf(a, b, acc)
#else
#define psy_kernel_dot_f32(a, b, acc) ((acc) + (a) * (b))
#endif
#ifdef __FP_FAST_FMA
#define psy_kernel_dot_f64(a, b, acc) __builtin_fma(a, b, acc)
#else
#define psy_kernel_dot_f64(a, b, acc) ((acc) + (a) * (b))
#endif

/* ---- running ---- */

static inline void psy_kernel_close(psy_kernel_frame *frame)
{
    free(frame->sizes);
    free(frame->arena);
    free(frame->uniform);
    free(frame->picks);
    free((void *)frame->rows);
    free(frame->slots);
    memset(frame, 0, sizeof *frame);
}

/* Binds sizes and resident data, gets memory, and runs what depends on no message. `sizes` and `bases` (NULL: all 0) have
 * size_count entries, those that follow from others are computed; sizes are copied, bases and residents must live as long as
 * the frame. 0, INVALID, TOO_LARGE, NO_MEMORY, VERSION; the frame is then closed. */
static inline int psy_kernel_open(const psy_kernel_program *program, const uint64_t *sizes, const uint64_t *bases,
                                  const psy_kernel_resident *residents, psy_kernel_frame *frame)
{
    int status = program->abi == PSY_KERNEL_ABI ? PSY_OK : PSY_VERSION;
    memset(frame, 0, sizeof *frame);
    frame->residents = residents;
    if (status == PSY_OK) {
        /* bases follow the sizes */
        frame->sizes = (uint64_t *)calloc(2 * (size_t)program->size_count + 1, sizeof(uint64_t));
        frame->slots = (uint64_t *)calloc((size_t)program->slot_count + 1, sizeof(uint64_t));
        frame->rows = (const unsigned char **)calloc((size_t)program->row_count + 1, sizeof(unsigned char *));
        status = frame->sizes && frame->slots && frame->rows ? PSY_OK : PSY_NO_MEMORY;
    }
    if (status == PSY_OK) {
        frame->bases = bases ? bases : frame->sizes + program->size_count;
        if (program->size_count) {
            memcpy(frame->sizes, sizes, program->size_count * sizeof *sizes);
        }
        status = program->layout(frame);
    }
    if (status == PSY_OK) {
        frame->arena = (unsigned char *)aligned_alloc(64, frame->arena_bytes + 64);
        frame->uniform = (unsigned char *)aligned_alloc(64, frame->uniform_bytes + 64);
        frame->picks = (psy_kernel_pick *)calloc(frame->pick_count + 1, sizeof(psy_kernel_pick));
        status = frame->arena && frame->uniform && frame->picks ? PSY_OK : PSY_NO_MEMORY;
    }
    if (status == PSY_OK) {
        memset(frame->arena, 0, frame->arena_bytes);
        memset(frame->uniform, 0, frame->uniform_bytes);
        status = program->prepare(frame);
    }
    if (status != PSY_OK) {
        psy_kernel_close(frame);
    }
    return status;
}

/* One message. `partials` is NULL but for merge programs. 0, or NOT_FOUND. */
static inline int psy_kernel_run(const psy_kernel_program *program, psy_kernel_frame *frame, const void *input,
                                 const void *partials, uint64_t partial_stride, void *output)
{
    frame->input = (const unsigned char *)input;
    frame->partials = (const unsigned char *)partials;
    frame->partial_stride = partial_stride;
    frame->output = (unsigned char *)output;
    return program->run(frame);
}

#ifdef __cplusplus
}
#endif
#endif

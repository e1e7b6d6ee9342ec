/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "service/intake.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What a step does at most, so that requests of the same thread wait for less than a millisecond. */
enum { ROWS_A_STEP = 4096, KEYS_A_STEP = 16384, BYTES_A_STEP = 1 << 20, SINGLY_BYTES = 2048 };

static const psy__edit_part *part_of(const psy__intake *in) { return &in->file->parts[0]; }

static bool is_keyed(const psy__intake *in) { return in->data.placement == PSY_PLACE_BY_KEY; }

/* ---- a piece comes ---- */

static psy_status open_memory(psy__intake *in, uint64_t rows)
{
    psy__dataset *d = &in->data;
    uint64_t bytes;
    if (__builtin_mul_overflow(rows, d->data.row_bytes, &bytes)) {
        return psy_fail(PSY_TOO_LARGE, "resident %s: its size overflows", d->name);
    }
    psy_status status = psy__region_open(&d->row_memory, bytes, d->name);
    status = status == PSY_OK && is_keyed(in) ? psy__region_open(&d->key_memory, rows * 8, d->name) : status;
    psy__dataset_point(d);
    return status;
}

/* The first one says what it is. */
static psy_status declare(psy__intake *in)
{
    const psy__edit_part *p = part_of(in);
    psy__dataset *d = &in->data;
    d->dtype = (uint8_t)p->dtype;
    d->rank = (uint8_t)p->rank;
    d->placement = (uint8_t)in->said.placement;
    d->chosen = true;
    memcpy(d->dims, p->dims, sizeof d->dims);
    d->dims[0] = in->said.total;
    d->data.row_bytes = p->row_bytes;
    d->name = strdup(p->resident);
    if (!d->name) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a name");
    }
    if (is_keyed(in)) { /* about as many as the others have */
        return open_memory(in, d->dims[0] / in->holder->shards + 64);
    }
    d->data.rows = d->dims[0];
    if (d->placement == PSY_PLACE_SPLIT) {
        psy__holder_range(in->holder, d->dims[0], &d->first, &d->data.rows);
    }
    return open_memory(in, d->data.rows);
}

/* Whether it can be the next piece of the same. */
static psy_status follows(const psy__intake *in)
{
    const psy__edit_part *p = part_of(in);
    const psy__dataset *d = &in->data;
    const psy__take *said = &in->said;
    const bool same = p->dtype == d->dtype && p->rank == d->rank && said->placement == d->placement &&
                      said->total == d->dims[0] && strcmp(p->resident, d->name) == 0 &&
                      memcmp(p->dims + 1, d->dims + 1, sizeof d->dims - sizeof d->dims[0]) == 0;
    if (!same) {
        return psy_fail(PSY_CORRUPT,
                        "resident %s: shard %u of %u has other sizes, or another kind of rows, than those before it", d->name,
                        said->shard, said->shards);
    }
    if (said->shard < in->shard || said->shard >= said->shards || (!is_keyed(in) && said->first != in->seen) ||
        p->dims[0] > d->dims[0] - in->seen || p->has_which != is_keyed(in)) {
        return psy_fail(PSY_CORRUPT, "resident %s: shard %u of %u gives rows that are not due", d->name, said->shard,
                        said->shards);
    }
    if (said->last && in->seen + p->dims[0] != d->dims[0]) {
        return psy_fail(PSY_CORRUPT, "resident %s: the shards have %" PRIu64 " rows together, and say that it has %" PRIu64,
                        d->name, in->seen + p->dims[0], d->dims[0]);
    }
    return PSY_OK;
}

psy_status psy__intake_begin(psy__intake *in, const psy__edit *file, const psy__take *said)
{
    in->file = file;
    in->said = *said;
    in->phase = INTAKE_ROWS;
    in->cursor = 0;
    if (file->part_count != 1 || file->parts[0].kind != PSY_EDIT_RELOAD || said->total >= UINT32_MAX ||
        said->placement > PSY_PLACE_BY_KEY) {
        return psy_fail(PSY_CORRUPT, "rows that are none");
    }
    psy_status status = in->data.name ? PSY_OK : declare(in);
    status = status == PSY_OK ? follows(in) : status;
    in->shard = said->shard;
    return status;
}

/* ---- rows ---- */

/* Those of the piece that are ours lie together. */
static psy_status take_ranged(psy__intake *in)
{
    psy__dataset *d = &in->data;
    const uint64_t begin = in->seen, end = begin + part_of(in)->dims[0], row_bytes = d->data.row_bytes;
    const uint64_t from = begin > d->first ? begin : d->first, last = d->first + d->data.rows, to = end < last ? end : last;
    uint64_t n = BYTES_A_STEP / row_bytes + 1;
    if (from >= to || from + in->cursor >= to) {
        return PSY_OK;
    }
    n = n < to - from - in->cursor ? n : to - from - in->cursor;
    psy_status status = psy__edit_read_rows(in->file, 0, from - begin + in->cursor, n,
                                            d->row_memory.at + (from - d->first + in->cursor) * row_bytes);
    in->cursor += n;
    return status != PSY_OK || from + in->cursor == to ? status : PSY_EMPTY;
}

/* Room for more: in place, or elsewhere. */
static psy_status grow(psy__region *r, uint64_t bytes, uint64_t used, const char *whose)
{
    psy__region more;
    if (psy__region_grow(r, bytes)) {
        return PSY_OK;
    }
    psy_status status = psy__region_open(&more, bytes + bytes / 2, whose);
    if (status == PSY_OK) {
        memcpy(more.at, r->at, used);
        psy__region_close(r);
        *r = more;
    }
    return status;
}

/* Keys, each of which has to be the giver's; and which of them are ours, first to last: *count of them in `ours`. */
static psy_status choose(psy__intake *in, const uint64_t *keys, uint32_t n, uint32_t *ours, uint32_t *count)
{
    psy__holder giver = *in->holder;
    giver.shard = in->said.shard;
    giver.shards = in->said.shards;
    *count = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!psy__holder_has(&giver, keys[i])) {
            return psy_fail(PSY_CORRUPT, "resident %s: shard %u of %u gives key %" PRIu64 ", which is another's", in->data.name,
                            giver.shard, giver.shards, keys[i]);
        }
        ours[*count] = i;
        *count += psy__holder_has(in->holder, keys[i]);
    }
    return PSY_OK;
}

static psy_status make_scratch(psy__intake *in, uint64_t bytes)
{
    if (bytes > in->scratch_bytes) {
        free(in->scratch);
        in->scratch = malloc(bytes);
        in->scratch_bytes = in->scratch ? bytes : 0;
    }
    return in->scratch ? PSY_OK : psy_fail(PSY_NO_MEMORY, "resident %s: no memory for %" PRIu64 " bytes", in->data.name, bytes);
}

/* Ours of `n` rows of the piece, from the cursor on: small ones are read together. */
static psy_status copy_rows(psy__intake *in, const uint32_t *ours, uint32_t count, uint32_t n, uint8_t *to)
{
    const uint64_t row_bytes = in->data.data.row_bytes;
    const bool singly = row_bytes >= SINGLY_BYTES;
    psy_status status = singly || count == 0 ? PSY_OK : make_scratch(in, n * row_bytes);
    if (status == PSY_OK && !singly && count > 0) {
        status = psy__edit_read_rows(in->file, 0, in->cursor, n, in->scratch);
    }
    for (uint32_t i = 0; status == PSY_OK && i < count; i++, to += row_bytes) {
        if (singly) {
            status = psy__edit_read_rows(in->file, 0, in->cursor + ours[i], 1, to);
        } else {
            memcpy(to, in->scratch + ours[i] * row_bytes, row_bytes);
        }
    }
    return status;
}

static psy_status take_keyed(psy__intake *in)
{
    psy__dataset *d = &in->data;
    uint64_t keys[ROWS_A_STEP];
    uint32_t ours[ROWS_A_STEP], count = 0;
    const uint64_t row_bytes = d->data.row_bytes, left = part_of(in)->dims[0] - in->cursor, step = BYTES_A_STEP / row_bytes + 1;
    uint32_t n = (uint32_t)(step < ROWS_A_STEP ? step : ROWS_A_STEP);
    n = left < n ? (uint32_t)left : n;
    psy_status status = psy__edit_read_which(in->file, 0, in->cursor, n, keys);
    status = status == PSY_OK ? choose(in, keys, n, ours, &count) : status;
    if (status == PSY_OK && count > 0) {
        const uint64_t rows = d->data.rows;
        status = grow(&d->row_memory, (rows + count) * row_bytes, rows * row_bytes, d->name);
        status = status == PSY_OK ? grow(&d->key_memory, (rows + count) * 8, rows * 8, d->name) : status;
        psy__dataset_point(d);
    }
    if (status == PSY_OK) {
        status = copy_rows(in, ours, count, n, d->row_memory.at + d->data.rows * row_bytes);
    }
    uint64_t *to = (uint64_t *)(void *)d->key_memory.at + d->data.rows;
    for (uint32_t i = 0; status == PSY_OK && i < count; i++) {
        to[i] = keys[ours[i]];
    }
    d->data.rows += status == PSY_OK ? count : 0;
    in->cursor += n;
    return status != PSY_OK || n == left ? status : PSY_EMPTY;
}

/* ---- the index ---- */

static psy_status clear(psy__intake *in)
{
    psy__dataset *d = &in->data;
    const uint64_t slots = psy__dataset_slots(d->data.rows), step = BYTES_A_STEP / 4;
    if (in->cursor == 0) {
        psy_status status = psy__region_open(&d->index_memory, slots * 4, d->name);
        if (status != PSY_OK) {
            return status;
        }
        d->data.index_mask = slots - 1;
        psy__dataset_point(d);
    }
    const uint64_t n = slots - in->cursor < step ? slots - in->cursor : step;
    memset(d->index_memory.at + in->cursor * 4, 0xff, n * 4);
    in->cursor += n;
    return in->cursor == slots ? PSY_OK : PSY_EMPTY;
}

static psy_status index_keys(psy__intake *in)
{
    psy__dataset *d = &in->data;
    uint32_t *index = (uint32_t *)(void *)d->index_memory.at;
    const uint64_t left = d->data.rows - in->cursor, n = left < KEYS_A_STEP ? left : KEYS_A_STEP;
    for (uint64_t i = in->cursor; i < in->cursor + n; i++) {
        uint32_t *place = psy__dataset_place(index, d->data.index_mask, d->data.keys, d->data.keys[i]);
        if (*place != UINT32_MAX) {
            return psy_fail(PSY_CORRUPT, "resident %s: key %" PRIu64 " comes twice", d->name, d->data.keys[i]);
        }
        *place = (uint32_t)i;
    }
    in->cursor += n;
    return n == left ? PSY_OK : PSY_EMPTY;
}

/* ---- step by step ---- */

psy_status psy__intake_step(psy__intake *in)
{
    psy_status status = PSY_OK;
    switch (in->phase) {
    case INTAKE_ROWS: status = is_keyed(in) ? take_keyed(in) : take_ranged(in); break;
    case INTAKE_CLEAR: status = clear(in); break;
    case INTAKE_INDEX: status = index_keys(in); break;
    case INTAKE_DONE: return PSY_OK;
    }
    if (status != PSY_OK) {
        return status;
    }
    if (in->phase == INTAKE_ROWS) {
        in->seen += part_of(in)->dims[0];
    }
    in->phase = in->phase == INTAKE_ROWS && !(in->said.last && is_keyed(in)) ? INTAKE_DONE : in->phase + 1;
    in->cursor = 0;
    return in->phase == INTAKE_DONE ? PSY_OK : PSY_EMPTY;
}

void psy__intake_end(psy__intake *in)
{
    psy__dataset_unload(&in->data);
    free(in->scratch);
    *in = (psy__intake){.holder = in->holder};
}

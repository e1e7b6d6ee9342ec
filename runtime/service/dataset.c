/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "service/dataset.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "service/gather.h"

static const uint64_t zero_key[2] = {0, 0};

/* The caller's callback failed: its own words if it left some, and which row it was. */
static psy_status callback_failed(psy_status status, const psy_rows *rows, uint64_t row, const char *which)
{
    char said[400];
    snprintf(said, sizeof said, "%s", psy_detail());
    return psy_fail(status, "resident %s: row %" PRIu64 ": %s", rows->resident, row, said[0] ? said : which);
}

static psy_status key_of(const psy_rows *rows, uint64_t row, uint64_t *key)
{
    (void)psy_fail(PSY_OK, "%s", ""); /* nothing that somebody said before */
    psy_status status = rows->key(rows->context, row, key);
    return status == PSY_OK ? status : callback_failed(status, rows, row, "the key callback failed");
}

/* Tells who looks, now and then: by `row`s of `row_bytes` each. */
static psy_status look(const psy__dataset *d, uint64_t row, uint64_t row_bytes, uint64_t rows, uint64_t all)
{
    const uint64_t step_bytes = 1 << 18, step_rows = 256;
    const uint64_t fit = row_bytes < step_bytes / step_rows ? step_rows : row_bytes < step_bytes ? step_bytes / row_bytes : 1;
    if (!d->watch || !d->watch->call || row % fit != 0) {
        return PSY_OK;
    }
    return d->watch->call(d->watch->context, d->name, rows, all);
}

bool psy__holder_has(const psy__holder *holder, uint64_t key)
{
    return psy__shard_of(psy__siphash(holder->route_salt, &key, sizeof key), holder->shards) == holder->shard;
}

void psy__holder_range(const psy__holder *holder, uint64_t total, uint64_t *first, uint64_t *rows)
{
    uint64_t shard = holder->shard, shards = holder->shards;
    *first = total / shards * shard + (total % shards) * shard / shards;
    *rows = total / shards * (shard + 1) + (total % shards) * (shard + 1) / shards - *first;
}

uint64_t psy__dataset_slots(uint64_t rows)
{
    uint64_t slots = 8;
    while (slots < 2 * rows) {
        slots *= 2;
    }
    return slots;
}

uint32_t *psy__dataset_place(uint32_t *index, uint64_t mask, const uint64_t *keys, uint64_t key)
{
    uint64_t at = psy__siphash(zero_key, &key, sizeof key) & mask;
    while (index[at] != UINT32_MAX && keys[index[at]] != key) {
        at = (at + 1) & mask;
    }
    return &index[at];
}

void psy__dataset_point(psy__dataset *d)
{
    d->data.data = d->row_memory.at;
    d->data.keys = (const uint64_t *)(const void *)d->key_memory.at;
    d->data.index_rows = (const uint32_t *)(const void *)d->index_memory.at;
}

psy_status psy__dataset_declare(psy__dataset *d, const psy_rows *rows, const psy_psm_resident *declared)
{
    if (rows->rank != declared->rank || rows->rank == 0) {
        return psy_fail(PSY_INVALID, "resident %s has rank %u, not %u", rows->resident, declared->rank, rows->rank);
    }
    if (!rows->fill || (declared->placement == PSY_PLACE_BY_KEY) != (rows->key != NULL)) {
        return psy_fail(PSY_INVALID, "resident %s: %s", rows->resident,
                        !rows->fill ? "fill is missing"
                        : rows->key ? "it is not `by key`, but a key callback is given"
                                    : "it is `by key` and needs a key callback");
    }
    if (rows->dims[0] >= UINT32_MAX) {
        return psy_fail(PSY_TOO_LARGE, "resident %s: %" PRIu64 " rows; at most %u", rows->resident, rows->dims[0],
                        UINT32_MAX - 1);
    }
    uint64_t row_bytes = psy__dtype_bytes(declared->dtype);
    for (uint32_t i = 1; i < rows->rank; i++) {
        if (__builtin_mul_overflow(row_bytes, rows->dims[i], &row_bytes)) {
            return psy_fail(PSY_TOO_LARGE, "resident %s: a row's size overflows", rows->resident);
        }
    }
    d->dtype = declared->dtype;
    d->rank = declared->rank;
    d->placement = declared->placement;
    memcpy(d->dims, rows->dims, rows->rank * sizeof *d->dims);
    d->data.row_bytes = row_bytes;
    d->name = strdup(rows->resident);
    return d->name ? PSY_OK : psy_fail(PSY_NO_MEMORY, "no memory for a name");
}

/* Keyed data: which rows are ours, their keys, and the index over them. */
static psy_status choose_by_key(psy__dataset *d, const psy_rows *rows, const psy__holder *holder)
{
    uint64_t count = 0, key;
    for (uint64_t row = 0; row < rows->dims[0]; row++) {
        psy_status status = key_of(rows, row, &key);
        status = status == PSY_OK ? look(d, row, 8, 0, 0) : status;
        if (status != PSY_OK) {
            return status;
        }
        count += psy__holder_has(holder, key);
    }
    uint64_t slots = psy__dataset_slots(count);
    psy_status status = psy__region_open(&d->key_memory, count * 8, rows->resident);
    if (status == PSY_OK) {
        status = psy__region_open(&d->index_memory, slots * 4, rows->resident);
    }
    psy__dataset_point(d);
    uint64_t *keys = (uint64_t *)(void *)d->key_memory.at;
    uint32_t *index = (uint32_t *)(void *)d->index_memory.at;
    d->rows = status == PSY_OK ? malloc((count ? count : 1) * sizeof *d->rows) : NULL;
    if (!d->rows) {
        return status == PSY_OK ? psy_fail(PSY_NO_MEMORY, "no memory for %" PRIu64 " keys", count) : status;
    }
    memset(index, 0xff, slots * 4);
    d->data.index_mask = slots - 1;
    uint64_t local = 0;
    for (uint64_t row = 0; row < rows->dims[0] && local < count; row++) {
        status = key_of(rows, row, &key);
        status = status == PSY_OK ? look(d, row, 8, 0, count) : status;
        if (status != PSY_OK) {
            return status;
        }
        if (!psy__holder_has(holder, key)) {
            continue;
        }
        uint32_t *place = psy__dataset_place(index, d->data.index_mask, keys, key);
        if (*place != UINT32_MAX) {
            return psy_fail(PSY_CORRUPT, "resident %s: rows %" PRIu64 " and %" PRIu64 " have the same key", rows->resident,
                            d->rows[*place], row);
        }
        *place = (uint32_t)local;
        keys[local] = key;
        d->rows[local++] = row;
    }
    d->data.rows = local;
    return PSY_OK;
}

psy_status psy__dataset_choose(psy__dataset *d, const psy_rows *rows, const psy__holder *holder)
{
    psy_status status = PSY_OK;
    d->data.rows = d->dims[0];
    if (d->placement == PSY_PLACE_SPLIT) {
        psy__holder_range(holder, d->dims[0], &d->first, &d->data.rows);
    } else if (d->placement == PSY_PLACE_BY_KEY) {
        status = choose_by_key(d, rows, holder);
    }
    d->chosen = status == PSY_OK;
    return status;
}

psy_status psy__dataset_fill(psy__dataset *d, const psy_rows *rows)
{
    uint64_t bytes;
    if (__builtin_mul_overflow(d->data.rows, d->data.row_bytes, &bytes)) {
        return psy_fail(PSY_TOO_LARGE, "resident %s: its size overflows", rows->resident);
    }
    psy_status status = psy__region_open(&d->row_memory, bytes, rows->resident);
    psy__dataset_point(d);
    uint8_t *data = d->row_memory.at;
    if (status != PSY_OK) {
        return status;
    }
    (void)psy_fail(PSY_OK, "%s", "");
    for (uint64_t i = 0; i < d->data.rows; i++) {
        uint64_t row = d->rows ? d->rows[i] : d->first + i;
        status = rows->fill(rows->context, row, data + i * d->data.row_bytes);
        if (status != PSY_OK) {
            return callback_failed(status, rows, row, "the fill callback failed");
        }
        status = look(d, i, d->data.row_bytes, i, d->data.rows);
        if (status != PSY_OK) {
            return callback_failed(status, rows, row, "the progress callback ended it");
        }
    }
    free(d->rows);
    d->rows = NULL;
    return look(d, 0, d->data.row_bytes, d->data.rows, d->data.rows);
}

void psy__dataset_unload(psy__dataset *d)
{
    psy__region_close(&d->row_memory);
    psy__region_close(&d->key_memory);
    psy__region_close(&d->index_memory);
    free(d->rows);
    free(d->name);
    *d = (psy__dataset){0};
}

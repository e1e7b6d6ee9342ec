/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "service/dataset.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/siphash.h"
#include "service/gather.h"

static const uint64_t zero_key[2] = {0, 0};

/* Zeroed pages, huge ones where the system gives them. */
static psy_status pages(uint64_t bytes, void **out, uint64_t *mapped)
{
    *out = NULL;
    *mapped = bytes ? bytes : 1;
    void *at = mmap(NULL, *mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        return psy_fail(PSY_NO_MEMORY, "no memory for %" PRIu64 " bytes of resident data", bytes);
    }
    (void)madvise(at, *mapped, MADV_HUGEPAGE);
    *out = at;
    return PSY_OK;
}

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

static bool ours(const psy__holder *holder, uint64_t key)
{
    return psy__shard_of(psy__siphash(holder->route_salt, &key, sizeof key), holder->shards) == holder->shard;
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
        if (status != PSY_OK) {
            return status;
        }
        count += ours(holder, key);
    }
    uint64_t slots = 8;
    while (slots < 2 * count) {
        slots *= 2;
    }
    void *keys, *index;
    psy_status status = pages(count * 8, &keys, &d->keys_bytes);
    d->data.keys = keys;
    if (status == PSY_OK) {
        status = pages(slots * 4, &index, &d->index_bytes);
        d->data.index_rows = index;
    }
    d->rows = status == PSY_OK ? malloc((count ? count : 1) * sizeof *d->rows) : NULL;
    if (!d->rows) {
        return status == PSY_OK ? psy_fail(PSY_NO_MEMORY, "no memory for %" PRIu64 " keys", count) : status;
    }
    memset(index, 0xff, slots * 4);
    d->data.index_mask = slots - 1;
    uint64_t local = 0;
    for (uint64_t row = 0; row < rows->dims[0] && local < count; row++) {
        status = key_of(rows, row, &key);
        if (status != PSY_OK) {
            return status;
        }
        if (!ours(holder, key)) {
            continue;
        }
        uint64_t at = psy__siphash(zero_key, &key, sizeof key) & d->data.index_mask;
        uint32_t *places = index;
        for (; places[at] != UINT32_MAX; at = (at + 1) & d->data.index_mask) {
            if (((uint64_t *)keys)[places[at]] == key) {
                return psy_fail(PSY_CORRUPT, "resident %s: rows %" PRIu64 " and %" PRIu64 " have the same key", rows->resident,
                                d->rows[places[at]], row);
            }
        }
        places[at] = (uint32_t)local;
        ((uint64_t *)keys)[local] = key;
        d->rows[local++] = row;
    }
    d->data.rows = local;
    return PSY_OK;
}

psy_status psy__dataset_choose(psy__dataset *d, const psy_rows *rows, const psy__holder *holder)
{
    uint64_t total = d->dims[0], shard = holder->shard, shards = holder->shards;
    psy_status status = PSY_OK;
    d->data.rows = total;
    if (d->placement == PSY_PLACE_SPLIT) {
        d->first = total / shards * shard + (total % shards) * shard / shards;
        d->data.rows = total / shards * (shard + 1) + (total % shards) * (shard + 1) / shards - d->first;
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
    void *data;
    psy_status status = pages(bytes, &data, &d->rows_bytes);
    d->data.data = data;
    if (status != PSY_OK) {
        return status;
    }
    (void)psy_fail(PSY_OK, "%s", "");
    for (uint64_t i = 0; i < d->data.rows; i++) {
        uint64_t row = d->rows ? d->rows[i] : d->first + i;
        status = rows->fill(rows->context, row, (uint8_t *)data + i * d->data.row_bytes);
        if (status != PSY_OK) {
            return callback_failed(status, rows, row, "the fill callback failed");
        }
    }
    free(d->rows);
    d->rows = NULL;
    return PSY_OK;
}

void psy__dataset_unload(psy__dataset *d)
{
    if (d->data.data) {
        munmap((void *)(uintptr_t)d->data.data, d->rows_bytes);
    }
    if (d->data.keys) {
        munmap((void *)(uintptr_t)d->data.keys, d->keys_bytes);
    }
    if (d->data.index_rows) {
        munmap((void *)(uintptr_t)d->data.index_rows, d->index_bytes);
    }
    free(d->rows);
    free(d->name);
    *d = (psy__dataset){0};
}

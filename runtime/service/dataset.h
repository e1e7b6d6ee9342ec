/* SPDX-License-Identifier: Apache-2.0 */
/* Resident data by name: a shard's rows, where they lie, and the index over their keys. Loaded once; every program that
 * declares data of that name and kind reads the same memory.
 *
 *   psy__dataset_declare(&data, &rows, &declared);        // what it is
 *   psy__dataset_choose(&data, &rows, &holder);           // which rows are this shard's
 *   psy__dataset_fill(&data, &rows);
 *   psy__dataset_unload(&data);
 *
 * A step that fails leaves what psy__dataset_unload takes away. Thread safety: one thread at a time.
 */
#ifndef PSY_SERVICE_DATASET_H
#define PSY_SERVICE_DATASET_H

#include <stdbool.h>

#include <psyne/worker.h>

#include "engine/engine.h"

typedef struct psy__dataset {
    char *name;
    uint8_t dtype, rank, placement;
    bool chosen;                 /* which rows are here is known */
    uint64_t dims[PSY_RANK_MAX]; /* over all shards */
    uint64_t first;              /* split: the first of those that are here */
    psy__resident_data data;
    uint64_t *rows;                               /* by key, until it is filled: which of all rows are here */
    uint64_t rows_bytes, keys_bytes, index_bytes; /* mapped sizes */
} psy__dataset;

/* Whose data it is. */
typedef struct psy__holder {
    uint32_t shard, shards;
    uint64_t route_salt[2];
} psy__holder;

/* INVALID, TOO_LARGE, NO_MEMORY. */
PSY_NODISCARD psy_status psy__dataset_declare(psy__dataset *data, const psy_rows *rows, const psy_psm_resident *declared);
/* CORRUPT (two rows with one key), NO_MEMORY, or what the key callback says. */
PSY_NODISCARD psy_status psy__dataset_choose(psy__dataset *data, const psy_rows *rows, const psy__holder *holder);
/* NO_MEMORY, TOO_LARGE, or what the fill callback says. */
PSY_NODISCARD psy_status psy__dataset_fill(psy__dataset *data, const psy_rows *rows);
void psy__dataset_unload(psy__dataset *data);

#endif

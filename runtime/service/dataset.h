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
#include "service/region.h"

/* Who looks how far loading is, psy_worker_options; `call` NULL: nobody does. */
typedef struct psy__watch {
    psy_status (*call)(void *context, const char *resident, uint64_t rows, uint64_t all);
    void *context;
} psy__watch;

typedef struct psy__dataset {
    char *name;
    uint8_t dtype, rank, placement;
    bool chosen;                 /* which rows are here is known */
    uint64_t dims[PSY_RANK_MAX]; /* over all shards */
    uint64_t first;              /* split: the first of those that are here */
    psy__resident_data data;
    const psy__watch *watch;                          /* while it is loaded; NULL: nobody */
    uint64_t *rows;                                   /* by key, until it is filled: which of all rows are here */
    psy__region row_memory, key_memory, index_memory; /* what `data` points to */
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

/* Whether the rows of a key are this shard's. */
bool psy__holder_has(const psy__holder *holder, uint64_t key);
/* Which of `total` split rows are. */
void psy__holder_range(const psy__holder *holder, uint64_t total, uint64_t *first, uint64_t *rows);

/* How many places an index over so many rows has: a power of two. */
uint64_t psy__dataset_slots(uint64_t rows);
/* Where the key stands in an index, or would: the place holds UINT32_MAX then. */
uint32_t *psy__dataset_place(uint32_t *index, uint64_t mask, const uint64_t *keys, uint64_t key);
/* Makes `data` point to the memory. */
void psy__dataset_point(psy__dataset *data);

#endif

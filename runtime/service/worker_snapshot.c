/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a version of the data to disk while it is served and changed. A version never changes: what is appended lies behind
 * its rows, and all else is a copy. So it is enough to keep its memory, for as long as a thread writes it. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/errand.h"
#include "service/snapshot.h"
#include "service/worker_state.h"

enum { SHRINK_BYTES = 16 << 20 };

/* A resident as it was. */
typedef struct held {
    char name[PSY_SNAPSHOT_NAME_BYTES];
    uint8_t dtype, rank, placement;
    uint64_t dims[PSY_RANK_MAX], rows;
    const uint8_t *data, *keys;
    psy__region row_memory, key_memory; /* that nobody else has any more */
    psy__snapshot_file file, keys_file;
} held;

/* WRITING: its thread is at work. TELLING: says what it wrote. SHRINKING: gives back what was kept for it. */
typedef enum phase { WRITING = 0, TELLING, SHRINKING } phase;

typedef struct psy__worker_snapshot {
    phase phase;
    uint64_t number;
    uint32_t shard, shards;
    int folder;
    psy__errand errand;
    psy_status status;
    char why[512];
    uint32_t at, count;
    held held[];
} psy__worker_snapshot;

/* ---- the thread ---- */

static psy_status write_one(const psy__worker_snapshot *s, held *h, const _Atomic bool *stop)
{
    char name[PSY_SNAPSHOT_FILE_BYTES];
    uint64_t dims[PSY_RANK_MAX];
    memcpy(dims, h->dims, sizeof dims);
    dims[0] = h->rows;
    psy__snapshot_file_name(h->name, s->shard, s->shards, false, name);
    psy_status status = psy__snapshot_write(s->folder, name, (psy_dtype)h->dtype, h->rank, dims, h->data, stop, &h->file);
    if (status == PSY_OK && h->placement == PSY_PLACE_BY_KEY) {
        psy__snapshot_file_name(h->name, s->shard, s->shards, true, name);
        status = psy__snapshot_write(s->folder, name, PSY_U64, 1, dims, h->keys, stop, &h->keys_file);
    }
    return status;
}

static psy_status write_all(void *context, const _Atomic bool *stop)
{
    psy__worker_snapshot *s = context;
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < s->count; i++) {
        status = write_one(s, &s->held[i], stop);
    }
    return status == PSY_OK ? psy__snapshot_settle(s->folder) : status;
}

/* ---- words ---- */

/* What is the same on all shards, the first one writes. */
static bool is_ours(const psy_worker *w, const psy__dataset *d)
{
    return d->placement != PSY_PLACE_REPLICATED || w->holder.shard == 0;
}

static psy_status hold(psy_worker *w, psy__worker_snapshot *s)
{
    for (uint32_t i = 0; i < w->dataset_count; i++) {
        const psy__dataset *d = &w->datasets[i];
        held *h = &s->held[s->count];
        if (!is_ours(w, d)) {
            continue;
        }
        if (strlen(d->name) >= sizeof h->name) {
            return psy_fail(PSY_LIMIT, "resident %.100s...: its name has more than %zu bytes", d->name, sizeof h->name - 1);
        }
        memcpy(h->name, d->name, strlen(d->name) + 1);
        h->dtype = d->dtype;
        h->rank = d->rank;
        h->placement = d->placement;
        memcpy(h->dims, d->dims, sizeof h->dims);
        h->rows = d->data.rows;
        h->data = d->row_memory.at;
        h->keys = d->key_memory.at;
        s->count++;
    }
    return PSY_OK;
}

static psy_status begin(psy_worker *w, uint64_t number, int *folder)
{
    psy__worker_snapshot *s = calloc(1, sizeof *s + w->dataset_count * sizeof *s->held);
    if (!s) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a snapshot");
    }
    s->number = number;
    s->shard = w->holder.shard;
    s->shards = w->holder.shards;
    s->folder = *folder;
    *folder = -1;
    w->snapshot = s;
    s->status = hold(w, s);
    s->status = s->status == PSY_OK ? psy__errand_begin(&s->errand, write_all, s) : s->status;
    if (s->status != PSY_OK) {
        snprintf(s->why, sizeof s->why, "%s", psy_detail());
        s->phase = TELLING;
    }
    return PSY_OK;
}

psy_status psy__worker_hear_snapshot(psy_worker *w, psy__control *control)
{
    const psy__word what = psy__heard_what(control);
    psy__snapshot_word said;
    psy_status status = psy__heard(control, what, &said, sizeof said, what == PSY_SAY_SNAPSHOT);
    if (status != PSY_OK) {
        return status;
    }
    if (what == PSY_SAY_SNAPSHOT_GONE) {
        if (w->snapshot && w->snapshot->number == said.number) {
            atomic_store_explicit(&w->snapshot->errand.stop, true, memory_order_relaxed);
        }
        return PSY_OK;
    }
    if (!w->started || said.version != w->data_version || (w->snapshot && w->snapshot->phase != SHRINKING)) {
        return psy_fail(PSY_PROTOCOL, "the broker asked for a snapshot out of turn");
    }
    psy__worker_drop_snapshot(w);
    return begin(w, said.number, &control->fds[0]);
}

/* ---- step by step ---- */

/* The next thing that is to be said of it. EMPTY: there is more. FULL: the same again. */
static psy_status tell(psy_worker *w, psy__worker_snapshot *s)
{
    if (s->status == PSY_OK && s->at < s->count) {
        const held *h = &s->held[s->at];
        psy__snapshot_part_said said = {.number = s->number,
                                        .dtype = h->dtype,
                                        .rank = h->rank,
                                        .placement = h->placement,
                                        .rows = h->rows,
                                        .bytes = h->file.bytes,
                                        .checksum = h->file.checksum,
                                        .keys_bytes = h->keys_file.bytes,
                                        .keys_checksum = h->keys_file.checksum};
        memcpy(said.resident, h->name, sizeof said.resident);
        memcpy(said.dims, h->dims, sizeof said.dims);
        const psy_status status = psy__say(w->link, PSY_SAY_SNAPSHOT_PART, &said, sizeof said, NULL, 0);
        s->at += status == PSY_OK;
        return status == PSY_OK ? PSY_EMPTY : status;
    }
    psy__snapshot_done done = {.number = s->number, .status = (uint32_t)s->status, .parts = s->at};
    memcpy(done.text, s->why, sizeof done.text);
    return psy__say(w->link, PSY_SAY_SNAPSHOT_DONE, &done, sizeof done, NULL, 0);
}

/* Gives some memory back. True: there is more. */
static bool shrink(psy__worker_snapshot *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        psy__region *memory[] = {&s->held[i].row_memory, &s->held[i].key_memory};
        for (int k = 0; k < 2; k++) {
            if (memory[k]->at) {
                (void)psy__region_shrink(memory[k], SHRINK_BYTES);
                return true;
            }
        }
    }
    return false;
}

uint32_t psy__worker_snapshot_step(psy_worker *w)
{
    psy__worker_snapshot *s = w->snapshot;
    psy_status status;
    if (!s) {
        return 0;
    }
    switch (s->phase) {
    case WRITING:
        status = psy__errand_poll(&s->errand);
        if (status == PSY_EMPTY) {
            return 0;
        }
        s->status = status;
        if (status != PSY_OK) {
            snprintf(s->why, sizeof s->why, "%s", psy_detail());
        }
        s->phase = TELLING;
        break;
    case TELLING:
        status = tell(w, s);
        if (status != PSY_OK) {
            return status == PSY_EMPTY;
        }
        close(s->folder);
        s->folder = -1;
        s->phase = SHRINKING;
        break;
    case SHRINKING:
        if (!shrink(s)) {
            psy__worker_drop_snapshot(w);
        }
        break;
    }
    return 1;
}

static void keep(const uint8_t *wanted, psy__region *from, psy__region *to)
{
    if (from->at && from->at == wanted && !to->at) {
        *to = *from;
        *from = (psy__region){0};
    }
}

void psy__worker_snapshot_keep(psy_worker *w, psy__revision *past)
{
    psy__worker_snapshot *s = w->snapshot;
    for (uint32_t i = 0; s && s->phase == WRITING && i < s->count; i++) {
        held *h = &s->held[i];
        if (!past->shares_rows) {
            keep(h->data, &past->next.row_memory, &h->row_memory);
        }
        if (!past->shares_keys) {
            keep(h->keys, &past->next.key_memory, &h->key_memory);
        }
    }
}

void psy__worker_drop_snapshot(psy_worker *w)
{
    psy__worker_snapshot *s = w->snapshot;
    if (!s) {
        return;
    }
    psy__errand_end(&s->errand);
    for (uint32_t i = 0; i < s->count; i++) {
        psy__region_close(&s->held[i].row_memory);
        psy__region_close(&s->held[i].key_memory);
    }
    if (s->folder >= 0) {
        close(s->folder);
    }
    free(s);
    w->snapshot = NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A change of a service's resident data while it serves: rows that come, go, or get other values.
 *
 *   psy_edit edits[] = {
 *       {.resident = "words", .kind = PSY_EDIT_APPEND, .dtype = PSY_F32, .rank = 2, .dims = {3, 256}, .rows = vectors},
 *       {.resident = "titles", .kind = PSY_EDIT_APPEND, .dtype = PSY_U8, .rank = 2, .dims = {3, 80}, .rows = texts},
 *   };
 *   psy_broker_edit(broker, edits, 2, &ticket);          // the operator, in the broker's process
 *   psy_channel_edit(channel, edits, 2, &version, ns);   // a client that may
 *
 * Edits that are given together happen together: data has a version, a number that grows by one with each set of edits, and
 * every request sees one version on all shards. doc/data.md says how.
 *
 * What an edit points to is the caller's, and is copied before the call returns.
 */
#ifndef PSYNE_EDIT_H
#define PSYNE_EDIT_H

#include <stdint.h>

#include <psyne/dtype.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PSY_EDITS_TOGETHER_MAX = 16 };

typedef enum psy_edit_kind {
    PSY_EDIT_APPEND = 1, /* rows after the last one; of `by key` data, rows with keys that are not there */
    PSY_EDIT_DELETE,     /* those rows go; the ones behind them get smaller numbers */
    PSY_EDIT_REPLACE,    /* those rows get other values */
    PSY_EDIT_RELOAD      /* other rows in the place of all that there are */
} psy_edit_kind;

enum {
    PSY_EDIT_UPSERT = 1, /* APPEND of `by key` data: a key that is there already has its row replaced */
    PSY_EDIT_TEXTS = 2   /* each row is one text: UTF-8 with zeros behind, which is checked */
};

typedef struct psy_edit {
    const char *resident;
    psy_edit_kind kind;
    uint32_t flags; /* PSY_EDIT_... */
    psy_dtype dtype;
    uint32_t rank;
    uint64_t dims[8]; /* of `rows`: dims[0] rows; DELETE: dims[0] rows go, and rank and the other sizes are left out */
    const void *rows; /* row-major, contiguous; NULL: DELETE, or no rows at all */
    /* Which rows, dims[0] of them: keys of `by key` data, for every kind of edit; of other data their numbers over all shards,
     * from 0, in growing order, for DELETE and REPLACE, and NULL otherwise. */
    const uint64_t *which;
} psy_edit;

#ifdef __cplusplus
}
#endif
#endif

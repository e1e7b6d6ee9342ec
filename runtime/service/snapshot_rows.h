/* SPDX-License-Identifier: Apache-2.0 */
/* A resident's rows out of a snapshot, over all shards, as psy_worker_load takes them: read in order, each file once from its
 * begin to its end, with its checksum.
 *
 *   psy__snapshot_rows rows;
 *   psy__snapshot_rows_open(&rows, files, &snapshot, resident);
 *   ... rows.rows: fill and key ...
 *   status = psy__snapshot_rows_end(&rows);        // the rest of the files that were begun: CORRUPT where one is not what it
 * was psy__snapshot_rows_close(&rows);
 *
 * What was given may only be used when psy__snapshot_rows_end is OK. Rows may be asked for in any order, but only growing
 * numbers are quick. Files of which nothing is asked are not looked at. Statuses of the callbacks: NOT_FOUND (a file is not
 * there), IO, CORRUPT. Thread safety: one thread at a time. */
#ifndef PSY_SERVICE_SNAPSHOT_ROWS_H
#define PSY_SERVICE_SNAPSHOT_ROWS_H

#include <psyne/worker.h>

#include "base/siphash.h"
#include "service/snapshot.h"

/* The data, or the keys, of all shards one behind the other. */
typedef struct psy__snapshot_stream {
    int files; /* their folder's */
    const psy__snapshot *snapshot;
    const psy__snapshot_resident *resident;
    bool keys;
    uint64_t row_bytes;
    uint32_t shard; /* of the file that is, or would be, read */
    uint64_t first; /* rows before that file's */
    uint64_t next;  /* the row that comes next in it */
    int fd;         /* -1: it is not open */
    uint64_t left;  /* of its bytes, not read yet */
    psy__siphash_state sum;
    uint8_t *buffer;
    uint64_t from, to; /* what lies in the buffer */
    char name[PSY_SNAPSHOT_FILE_BYTES];
} psy__snapshot_stream;

typedef struct psy__snapshot_rows {
    psy_rows rows;
    psy__snapshot_stream data, keys;
} psy__snapshot_rows;

/* NO_MEMORY. Whatever it returns, psy__snapshot_rows_close is due. All that it is given outlives it. */
PSY_NODISCARD psy_status psy__snapshot_rows_open(psy__snapshot_rows *rows, int files, const psy__snapshot *snapshot,
                                                 const psy__snapshot_resident *resident);
PSY_NODISCARD psy_status psy__snapshot_rows_end(psy__snapshot_rows *rows);
void psy__snapshot_rows_close(psy__snapshot_rows *rows);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Resident data out of files, as psy_worker_load takes it: what `--data NAME=FILE` and `--keys NAME=FILE.npy` of the commands
 * say.
 *
 *   psy__rows rows;
 *   if (psy__rows_open(module, "words", "words.npy", NULL, &rows) == PSY_OK) {
 *       status = psy_worker_load(worker, &rows.rows);
 *       psy__rows_close(&rows);
 *
 * FILE.npy holds the whole data over all shards, of the resident's own element type: nothing is converted. FILE.txt is a text a
 * line, for residents of texts (string[<=N][M]). Data `by key` needs keys: u64, one a row. Rows are read as they are asked for,
 * some at a time, so memory does not depend on how large the file is. One thread at a time; another shard's worker may load the
 * same rows again. */
#ifndef PSY_DATA_ROWS_H
#define PSY_DATA_ROWS_H

#include <psyne/module.h>
#include <psyne/worker.h>

#include "data/npy.h"

typedef struct psy__rows {
    psy_rows rows; /* context: what follows, on the heap */
} psy__rows;

/* Looks at the files, and at what the module says of the resident `name`, which is copied; keys: NULL where there are none.
 * NOT_FOUND: there is no such resident (the detail says which there are), INVALID: the element type or a size that the module
 * fixes is another (the detail has both shapes), keys are missing, are not wanted, or are another number than rows; a text is
 * no UTF-8; TOO_LARGE: a text that is longer than its room; IO, CORRUPT, UNSUPPORTED: as psy__npy_file_open; NO_MEMORY. Blocks
 * on the files; allocates. */
PSY_NODISCARD psy_status psy__rows_open(const psy_module *module, const char *name, const char *file, const char *keys,
                                        psy__rows *out);
void psy__rows_close(psy__rows *rows);

#endif

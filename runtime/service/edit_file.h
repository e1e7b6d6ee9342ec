/* SPDX-License-Identifier: Apache-2.0 */
/* A set of edits as it travels: a memfd that nobody can change any more, handed on from its maker to the broker and the
 * workers.
 *
 *   0                  header
 *   64                 PSY_EDITS_TOGETHER_MAX parts of 256 bytes; those beyond part_count are zero
 *   4160               for each part, in order, each from the next multiple of 64:
 *                      keys or row numbers, u64 [rows]        where it has them
 *                      rows, row-major [rows, row_bytes]      where it has them
 *
 * ABI 1.0. It is never mapped by who reads it: a hole or a page that is not there cannot be a fault. Offsets are not stored:
 * both sides compute them, and the file has exactly the size that comes out. Read with psy__edit_read, which copies.
 *
 * Thread safety: psy__edit is immutable once read; reads may happen in many threads.
 */
#ifndef PSY_SERVICE_EDIT_FILE_H
#define PSY_SERVICE_EDIT_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <psyne/edit.h>
#include <psyne/status.h>
#include <psyne/worker.h>

#include "isa/module.h"
#include "service/protocol.h"

enum { PSY_EDIT_NAME_BYTES = PSY_RESIDENT_NAME_BYTES };
#define PSY_EDIT_MAGIC UINT32_C(0x44455350) /* "PSED" */

typedef struct psy__edit_header {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t part_count, reserved;
    uint64_t bytes; /* of the whole file */
    uint64_t reserved2[5];
} psy__edit_header;
_Static_assert(sizeof(psy__edit_header) == 64, "the edit's header is shared between processes");

typedef struct psy__edit_part {
    char resident[PSY_EDIT_NAME_BYTES];
    uint32_t kind, flags;
    uint32_t dtype, rank;
    uint64_t dims[PSY_RANK_MAX]; /* dims[0]: rows */
    uint64_t row_bytes;          /* 0: DELETE */
    uint32_t has_which, reserved;
    uint64_t reserved2[4];
} psy__edit_part;
_Static_assert(sizeof(psy__edit_part) == 256, "the edit's part is shared between processes");

typedef struct psy__edit {
    int fd; /* -1: none */
    uint64_t bytes;
    uint32_t part_count;
    psy__edit_part parts[PSY_EDITS_TOGETHER_MAX];
    uint64_t which_at[PSY_EDITS_TOGETHER_MAX], rows_at[PSY_EDITS_TOGETHER_MAX];
} psy__edit;

/* Writes the file. INVALID names the edit that makes no sense, TOO_LARGE, NO_MEMORY, LIMIT, IO. Blocks for as long as a copy
 * takes; allocates. */
PSY_NODISCARD psy_status psy__edit_make(const psy_edit *edits, uint32_t count, psy__edit *out);
/* The same piece by piece: a file with one part, whose keys and rows are written in any order before it is sealed. Whatever
 * fails, psy__edit_close is due. */
PSY_NODISCARD psy_status psy__edit_begin(const psy__edit_part *part, psy__edit *out);
PSY_NODISCARD psy_status psy__edit_write_which(const psy__edit *edit, uint64_t first, uint64_t count, const uint64_t *keys);
PSY_NODISCARD psy_status psy__edit_write_rows(const psy__edit *edit, uint64_t first, uint64_t count, const void *rows);
PSY_NODISCARD psy_status psy__edit_seal(const psy__edit *edit);

/* Other rows for a whole resident, which are read as psy_worker_load reads them. */
typedef struct psy__edit_rows {
    const psy_rows *rows;
    psy_dtype dtype;
    bool texts;
} psy__edit_rows;

/* The file that reloads all of these together. As psy__edit_make, and statuses of the callbacks; CANCELLED: told to stop. */
PSY_NODISCARD psy_status psy__edit_make_reload(const psy__edit_rows *reloads, uint32_t count, const _Atomic bool *stop,
                                               psy__edit *out);
/* Takes a file that a peer made: `fd`, also when it fails. CORRUPT (not sealed, or not what it says), VERSION, TOO_LARGE (over
 * `most` bytes), INVALID. */
PSY_NODISCARD psy_status psy__edit_take(int fd, uint64_t most, psy__edit *out);
void psy__edit_close(psy__edit *edit);

/* Whether the part can be one of data that is declared, or loaded, so: of sizes, only what both sides know of is compared by
 * the caller. INVALID. */
PSY_NODISCARD psy_status psy__edit_fits(const psy__edit_part *part, uint32_t dtype, uint32_t rank, uint32_t placement);

/* Keys or numbers, and rows, from `first` on. The caller keeps within dims[0]. IO. */
PSY_NODISCARD psy_status psy__edit_read_which(const psy__edit *edit, uint32_t part, uint64_t first, uint64_t count,
                                              uint64_t *out);
PSY_NODISCARD psy_status psy__edit_read_rows(const psy__edit *edit, uint32_t part, uint64_t first, uint64_t count, void *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The next version of a dataset, made beside the present one in small steps while that goes on being read.
 *
 *   psy__revision_begin(&r, edit, part, dataset, &holder);
 *   while ((status = psy__revision_step(&r)) == PSY_EMPTY) { ... }   // requests in between
 *   psy__revision_settle(&r, total, first);                            // the sizes over all shards are known
 *   psy__revision_swap(&r);                                            // `next` takes the dataset's place, which is in `next`
 * now psy__revision_end(&r);                                             // drops what is in `next`
 *
 * Rows that come last are written behind the present ones, where both versions then lie in the same memory: an append copies
 * nothing else as long as the address space that was reserved for the data lasts. Everything else is made as a copy: the
 * present version never changes. A shard that has no part in an edit shares everything.
 *
 * Thread safety: one thread at a time.
 */
#ifndef PSY_SERVICE_REVISION_H
#define PSY_SERVICE_REVISION_H

#include "service/dataset.h"
#include "service/edit_file.h"

typedef enum psy__revision_phase {
    REVISION_CHOOSE = 0, /* which of the edit's rows are this shard's, and where they go */
    REVISION_ROOM,       /* memory for what will be new */
    REVISION_COPY,       /* rows that stay, and their keys */
    REVISION_FILL,       /* rows that come, */
    REVISION_KEYS,       /* and their keys */
    REVISION_CLEAR,      /* the index: empty, */
    REVISION_INDEX,      /* then all keys */
    REVISION_READY
} psy__revision_phase;

typedef struct psy__revision {
    const psy__edit *edit;
    uint32_t part;
    const psy__holder *holder;
    psy__dataset *present;
    psy__dataset next;
    bool shares_rows, shares_keys, shares_index; /* memory of `next` that is the present version's */
    psy__revision_phase phase;
    uint64_t cursor, to; /* how far the phase is: in what it reads, and writes */
    uint64_t last;       /* CHOOSE: the row number before this one, plus 1 */
    uint32_t *target;    /* for each row of the edit, where it goes here; UINT32_MAX: nowhere */
    uint64_t *touched;   /* a bit for each present row that goes, or gets other values */
    uint64_t touched_count, added;
    uint64_t kept; /* present rows that stay */
} psy__revision;

/* INVALID (the part does not fit the dataset), NO_MEMORY. Allocates. Whatever it returns, psy__revision_end is due. */
PSY_NODISCARD psy_status psy__revision_begin(psy__revision *r, const psy__edit *edit, uint32_t part, psy__dataset *present,
                                             const psy__holder *holder);
/* Some more of it, about a megabyte or some thousand rows: OK (ready), EMPTY (there is more to do), INVALID, NOT_FOUND (a key
 * or row that is not there), NO_MEMORY, TOO_LARGE, IO. May allocate. */
PSY_NODISCARD psy_status psy__revision_step(psy__revision *r);
/* The sizes of the new version: rows over all shards, and how many come before this shard's. */
void psy__revision_settle(psy__revision *r, uint64_t total, uint64_t first);
void psy__revision_swap(psy__revision *r);
/* Gives back some memory: true while there is more. */
bool psy__revision_shrink(psy__revision *r);
void psy__revision_end(psy__revision *r);

#endif

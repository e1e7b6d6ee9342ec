/* SPDX-License-Identifier: Apache-2.0 */
/* A dataset of a layout to come, made of the parts that the shards before it had: piece by piece, in the order of their shards
 * and rows, in small steps.
 *
 *   psy__intake in = {.holder = &holder};
 *   psy__intake_begin(&in, &file, &said);                          // a piece has come
 *   while ((status = psy__intake_step(&in)) == PSY_EMPTY) { ... }  // some of it, at most a megabyte
 *   psy__edit_close(&file);
 *   ...                                                            // the last piece is said to be that, and ends with the
 * index worker's data = in.data;                                       // or psy__intake_end, which drops it
 *
 * Every piece is another's word: what it says is read once and checked. Rows that are split have to follow one another without
 * a gap; keys have to be those of the shard that gives them, so that no two shards can give the same; all rows together have to
 * be as many as there are.
 *
 * Thread safety: one thread at a time.
 */
#ifndef PSY_SERVICE_INTAKE_H
#define PSY_SERVICE_INTAKE_H

#include "service/dataset.h"
#include "service/edit_file.h"
#include "service/protocol.h"

typedef enum psy__intake_phase { INTAKE_ROWS = 0, INTAKE_CLEAR, INTAKE_INDEX, INTAKE_DONE } psy__intake_phase;

typedef struct psy__intake {
    const psy__holder *holder;
    psy__dataset data;     /* its name is NULL before the first piece */
    uint64_t seen;         /* rows of all shards that were given before this piece */
    uint32_t shard;        /* that gave the last piece */
    const psy__edit *file; /* the piece at hand */
    psy__take said;
    psy__intake_phase phase;
    uint64_t cursor;  /* how far it is */
    uint8_t *scratch; /* keyed rows, of which only some are ours */
    uint64_t scratch_bytes;
} psy__intake;

/* CORRUPT (it does not fit what came before), TOO_LARGE, NO_MEMORY. Allocates. `file` stays the caller's, and there until the
 * piece is done. */
PSY_NODISCARD psy_status psy__intake_begin(psy__intake *in, const psy__edit *file, const psy__take *said);
/* OK (the piece is done), EMPTY (there is more), CORRUPT, NO_MEMORY, IO. May allocate. */
PSY_NODISCARD psy_status psy__intake_step(psy__intake *in);
void psy__intake_end(psy__intake *in);

#endif

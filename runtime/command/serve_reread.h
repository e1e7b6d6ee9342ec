/* SPDX-License-Identifier: Apache-2.0 */
/* Files of data that have changed: read by a thread beside the broker, which then makes one edit of all of them.
 *
 * Thread safety: begun by one thread and stepped by the broker's, under one lock. */
#ifndef PSY_COMMAND_SERVE_REREAD_H
#define PSY_COMMAND_SERVE_REREAD_H

#include <psyne/broker.h>

#include "command/serve_data.h"
#include "service/edit_file.h"
#include "service/errand.h"

typedef enum psy__reread_phase { PSY_REREAD_IDLE = 0, PSY_REREAD_READING, PSY_REREAD_EDITING } psy__reread_phase;

typedef struct psy__reread {
    psy__reread_phase phase;
    const psy__served *served;
    bool has_snapshots; /* then what is too large to be kept for shards that come later need not be */
    char *list;         /* NAME\0FILE\0KEYS\0 of each */
    size_t list_bytes;
    uint32_t count;
    psy__errand errand;
    psy__edit edit;
    uint64_t ticket;
} psy__reread;

/* Begins to read what the list in the file says. INVALID, LIMIT (it is at it, or too many), NO_MEMORY. Allocates. */
PSY_NODISCARD psy_status psy__reread_begin(psy__reread *r, const psy__served *served, bool has_snapshots, int fd,
                                           uint64_t count);
/* EMPTY while it is at it; else, once, what became of it: OK, with the version of the data; or why not. */
PSY_NODISCARD psy_status psy__reread_step(psy__reread *r, psy_broker *broker, uint64_t *version);

#endif

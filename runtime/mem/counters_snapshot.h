/* SPDX-License-Identifier: Apache-2.0 */
/* What was read of files of counters: counters_read.c reads one, counters_snapshot.c finds them and joins their rows. */
#ifndef PSY_MEM_COUNTERS_SNAPSHOT_H
#define PSY_MEM_COUNTERS_SNAPSHOT_H

#include <psyne/counters.h>

typedef struct psy__counters_source {
    psy_counters_file file;
    psy_counters_descriptor *descriptors;
    uint64_t *values; /* of all its rows that are in use */
    size_t value_count, value_room;
    uint32_t ring_section;              /* number of the section "ring", or UINT32_MAX */
    uint32_t places[PSY_RING_COUNTERS]; /* where this library's values are in its rows of rings, or UINT32_MAX */
    char *path;
    char problem[256];
} psy__counters_source;

struct psy_counters_snapshot {
    uint64_t taken_ns;
    psy__counters_source *sources;
    uint32_t source_count;
    psy_counters_row *rows;
    uint32_t row_count, row_room;
    psy_counters_ring_view *rings;
    uint32_t ring_count;
};

/* Reads the file that `fd` is into `source`, which has its path, and its rows into the snapshot's. */
psy_status psy__counters_read_file(psy_counters_snapshot *snapshot, psy__counters_source *source, int fd);

/* Memory for one more of `bytes` each: false if there is none. */
bool psy__counters_grow(void **at, size_t bytes, size_t count, size_t *room);

#endif

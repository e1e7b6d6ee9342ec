/* SPDX-License-Identifier: Apache-2.0 */
/* What was read of files of counters: counters_read.c reads one, counters_snapshot.c finds them,
 * counters_view.c joins their rows. */
#ifndef PSY_MEM_COUNTERS_SNAPSHOT_H
#define PSY_MEM_COUNTERS_SNAPSHOT_H

#include <psyne/counters.h>

typedef struct psy__counters_source {
    psy_counters_file file;
    psy_counters_descriptor *descriptors;
    uint64_t *values; /* of all its rows that are in use */
    size_t value_count, value_room;
    /* This library's sections and values: which number they have in the file, and in its rows; UINT32_MAX: not there. */
    uint32_t sections[PSY_COUNTERS_SECTIONS], places[PSY_COUNTERS_SECTIONS][PSY_COUNTERS_VALUES];
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
    psy_counters_view *views;
    uint32_t view_count;
    psy_counters_latency *latencies;
    uint32_t latency_count;
};

/* Joins rows as rings, and as views and latencies: NO_MEMORY. */
psy_status psy__counters_view_rings(psy_counters_snapshot *snapshot);
psy_status psy__counters_view_sections(psy_counters_snapshot *snapshot);

/* Adds a row of this library's section to `to`, by the names and kinds of the values. */
void psy__counters_join(uint64_t *to, psy_counters_section section, const psy_counters_row *row,
                        const psy__counters_source *source);

/* Reads the file that `fd` is into `source`, which has its path, and its rows into the snapshot's. */
psy_status psy__counters_read_file(psy_counters_snapshot *snapshot, psy__counters_source *source, int fd);

/* Memory for one more of `bytes` each: false if there is none. */
bool psy__counters_grow(void **at, size_t bytes, size_t count, size_t *room);

#endif

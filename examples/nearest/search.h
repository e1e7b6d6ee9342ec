/* SPDX-License-Identifier: Apache-2.0 */
/* The client: keeps many requests in flight and measures. */
#ifndef NEAREST_SEARCH_H
#define NEAREST_SEARCH_H

#include <psyne/channel.h>
#include <stdint.h>

#include "nearest.psy.h"
#include "words.h"

enum { HITS_MAX = NEAREST_HITS_INDEX_COUNT }; /* as the schema says */

typedef struct hits {
    uint32_t count;
    float score[HITS_MAX];
    uint64_t index[HITS_MAX];
    char word[HITS_MAX][NEAREST_LETTERS + 1];
} hits;

typedef struct searcher {
    psy_channel *channel;
    psy_pipeline nearest, stored;
    psy_counters *counters; /* or NULL */
    psy_agent agent;        /* a service that is in this thread; or none */
    uint16_t k;
    uint32_t in_flight;
} searcher;

typedef struct measure {
    uint64_t queries, failed;
    uint64_t first, tenth; /* right words found first, and among the first ten */
    double seconds;
    double p50_us, p99_us;
} measure;

/* All return 0, or -1 with a message in `error`. */

/* Connects and agrees on both pipelines; waits up to timeout_ns. `*again` says whether trying once more makes sense. */
int search_connect(const char *uri, uint64_t timeout_ns, searcher *s, int *again, char *error, size_t error_bytes);

/* Searches for the misspellings picked[0 .. n-1] (all of them if `picked` is NULL), with many in flight. `out` gets what was
 * found for each, if it is not NULL. A query that fails is counted, and the first reason is in `error`, though the result is 0.
 */
int search_all(searcher *s, const misspellings *m, const size_t *picked, size_t n, hits *out, measure *measured, char *error,
               size_t error_bytes);

/* One search. */
int search_one(searcher *s, const char *word, hits *out, char *error, size_t error_bytes);

/* Asks the shard that owns it for the stored vector of `n` words and compares; asks for a word that is not there. */
int search_stored(searcher *s, const words *w, size_t n, char *error, size_t error_bytes);

void search_close(searcher *s);

#endif

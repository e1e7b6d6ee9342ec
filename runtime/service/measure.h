/* SPDX-License-Identifier: Apache-2.0 */
/* What broker and workers count besides their rings: their own counts, copied into rows of the counters file once a tick, and
 * the times of requests, counted as each ends and copied likewise.
 *
 *   psy__latency latency;
 *   psy__latency_begin(&counting, psy__thing_id(gather_slab, 1 + number), "nearest", &latency);
 *   psy__latency_add(&latency, now_ns - began_ns, status, 1);  // a request has ended
 *   psy__latency_tell(&latency);                               // once a tick
 *   psy__latency_end(&counting, &latency);
 *
 * Things of a service are called "SERVICE/..." as its rings are, and their numbers come from the epoch of the gather slab,
 * which the broker and its workers know: the rows of one broker's life belong together. What gets no row goes uncounted.
 *
 * Thread safety: as the participant's. */
#ifndef PSY_SERVICE_MEASURE_H
#define PSY_SERVICE_MEASURE_H

#include <psyne/broker.h>
#include <psyne/worker.h>

#include "service/counting.h"

/* A pipeline's times, in the participant's own memory, and the rows that they are copied to; none where `row` is NULL. */
typedef struct psy__latency {
    uint64_t requests, errors, sum_ns, slowest_ns;
    uint64_t buckets[PSY_LATENCY_BUCKETS];
    uint64_t told; /* requests at the last copy */
    psy_pipeline_counters *row;
    psy_bucket_counters *parts[PSY_LATENCY_PARTS];
} psy__latency;

/* A number for a thing of a service that is no ring: 0 is the service itself. */
static inline uint64_t psy__thing_id(const psy_slab *gather, uint64_t thing)
{
    return psy_counters_ring_id(psy_slab_epoch(gather), UINT64_C(1) << 63 | thing);
}

/* Zeroes, and rows for a pipeline, all or none. */
void psy__latency_begin(psy__counting *counting, uint64_t id, const char *pipeline, psy__latency *out);
/* Copies what is new to the rows: once a tick. */
void psy__latency_tell(psy__latency *latency);
void psy__latency_end(psy__counting *counting, psy__latency *latency);

/* `count` requests that took `ns` each have ended. */
static inline void psy__latency_add(psy__latency *latency, uint64_t ns, psy_status status, uint32_t count)
{
    latency->buckets[psy_latency_bucket(ns)] += count;
    latency->requests += count;
    latency->errors += status != PSY_OK ? count : 0;
    latency->sum_ns += ns * count;
    latency->slowest_ns = latency->slowest_ns > ns ? latency->slowest_ns : ns;
}

/* ---- a broker ---- */

struct psy__staged;

/* The row of memory that comes and goes with its owner. */
typedef struct psy__slab_row {
    psy_slab_counters *row;
    uint64_t epoch; /* of the slab; 0: there is none */
} psy__slab_row;

typedef struct psy__broker_measure {
    psy_service_counters *row;
    psy_guard_counters *guard;
    psy_data_counters *data;
    psy__slab_row gather, *shards, *clients; /* by their numbers */
    uint32_t client_top;                     /* those of clients from here on are empty */
    psy__latency of_clients;                 /* all programs that clients sent, together */
} psy__broker_measure;

/* Once all that is counted is there. NO_MEMORY: psy__measure_broker_end is still to be called. Allocates. */
PSY_NODISCARD psy_status psy__measure_broker_begin(psy_broker *b);
/* Once a tick. */
void psy__measure_broker(psy_broker *b);
void psy__measure_broker_end(psy_broker *b);

/* A program's pipelines, "PIPELINE" where the program is `main` and "PROGRAM/PIPELINE" where it is another; versions that
 * follow each other are called the same. Once for each that is staged; again it does nothing. A client's has no rows of its
 * own, so that nobody uses them up. */
void psy__measure_program_begin(psy_broker *b, struct psy__staged *program, const char *name);
void psy__measure_program_end(psy_broker *b, struct psy__staged *program); /* no ticket names it any more */

/* ---- a worker ---- */

typedef struct psy__worker_measure {
    psy_worker_counters *row;
    psy_bucket_counters *batches;
    uint32_t batch_peak;
    psy_resident_counters **residents; /* by dataset; NULL: not started */
} psy__worker_measure;

void psy__measure_worker_begin(psy_worker *w);     /* once it is hired */
void psy__measure_worker_residents(psy_worker *w); /* once all is loaded; allocates */
void psy__measure_worker(psy_worker *w);           /* once a tick */
void psy__measure_worker_end(psy_worker *w);

/* A run over `count` requests, 1 or more. */
static inline void psy__measure_batch(psy__worker_measure *m, uint32_t count)
{
    m->batch_peak = m->batch_peak < count ? count : m->batch_peak;
    if (m->batches) {
        psy_counter_add(&m->batches->buckets[count < 2 ? 0 : 32 - __builtin_clz(count - 1)], 1);
    }
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A shard worker: owns a part of the resident data and runs the service's programs over the requests waiting in its ring, all
 * that wait in one batch; the last shard to finish a request merges and answers it.
 *
 *   psy_worker_options options = {.uri = "ipc:///run/nearest.sock", .module = module, .shard = 0, .engine = "cpu"};
 *   psy_worker *worker;
 *   psy_worker_create(&options, &worker);                   // connects; the broker must be there
 *   psy_worker_load(worker, &(psy_rows){.resident = "words", .rank = 2, .dims = {words, 256}, .fill = fill, .context = c});
 *   psy_worker_start(worker);                               // every resident is loaded: ready to serve
 *   psy_worker_run(worker);
 *   psy_worker_destroy(worker);
 *
 * Thread safety: a worker belongs to one thread at a time; psy_worker_stop may be called from any thread or signal handler.
 */
#ifndef PSYNE_WORKER_H
#define PSYNE_WORKER_H

#include <stdint.h>

#include <psyne/agent.h>
#include <psyne/counters.h>
#include <psyne/log.h>
#include <psyne/module.h>
#include <psyne/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct psy_worker psy_worker;

typedef struct psy_worker_options {
    const char *uri;
    /* A module that the service must have, or NULL: whatever it has. The broker sends what the worker was not given. */
    const psy_module *module;
    uint32_t shard;     /* 0 .. shards - 1; of those to come while the number of shards changes (doc/shards.md) */
    const char *engine; /* "cpu" or "vulkan"; NULL = "cpu" */
    const char *device; /* vulkan: device name or index; NULL = the engine's choice */
    uint32_t max_batch; /* messages in one run at most; 0 = 64 */
    /* How long what waits may wait for more, so that runs are larger: until max_batch are there, at most so long. Worth it
     * where a run of many costs little more than one of few, as on a GPU; every request that comes alone pays it. 0: not at
     * all. */
    uint64_t max_wait_ns;
    uint64_t connect_timeout_ns; /* 0 = 10 s */
    uint64_t arena_bytes;        /* working memory per message at most; 0 = 1 GiB */
    int validate;                /* vulkan: validation layers; any message fails the run */
    /* Where it counts: four rows, one for each resident, and one for each client; outlives the worker. What gets no row goes uncounted. NULL: nothing
     * is counted. */
    psy_counters *counters;
    const psy_log *log; /* outlives the worker; NULL: nobody is told */
    /* Modules that need not be sent, by what they are: names and versions are the broker's. The first one must be there, where
     * there is no `module`. */
    const psy_program *programs;
    uint32_t program_count;
    const struct psy__tracer *tracer; /* the library's own, for `psyne run --trace`, with engine "cpu"; NULL: nobody looks */
    psy_agent agent;                  /* called by psy_worker_create while it waits: a broker in the same thread */
    /* Told how far loading is, about every 256 rows and at the end: `rows` of the `all` that this worker has of the resident; 0
     * while keys are looked at, and `all` 0 where it is not known yet. In the thread that loads, from inside of psy_worker_load
     * and psy_worker_restore. Not OK ends the load with that status. NULL: nobody is told. */
    psy_status (*progress)(void *context, const char *resident, uint64_t rows, uint64_t all);
    void *progress_context;
} psy_worker_options;

/* Resident data, given row by row: the worker asks for the rows of its own shard only.
 * `dims` is the whole shape over all shards. Callbacks return OK, or a status that ends the load. */
typedef struct psy_rows {
    const char *resident;
    uint32_t rank;
    uint64_t dims[8];
    /* Writes row `row` (0 .. dims[0] - 1): dims[1] * dims[2] * ... elements of the resident's dtype. */
    psy_status (*fill)(void *context, uint64_t row, void *out);
    /* `by key` data: the key of a row. NULL otherwise. */
    psy_status (*key)(void *context, uint64_t row, uint64_t *key);
    void *context;
} psy_rows;

/* Which shard of how many it is. */
typedef struct psy_worker_part {
    uint32_t shard, shards;
    int moves; /* it takes the rows of the workers that there are: what is loaded is not asked for */
} psy_worker_part;

typedef struct psy_worker_counts {
    uint64_t requests;        /* run */
    uint64_t batches;         /* runs of a shard program */
    uint64_t merges;          /* replies merged here */
    uint64_t copied_bytes;    /* payload bytes copied by the engine: 0 on the cpu and on imported slabs */
    uint64_t dropped_replies; /* whose client had gone or given up */
    uint64_t uncounted;       /* rings and other things that got no row of the counters */
    uint32_t programs;        /* that it can run now */
    uint64_t errors;          /* replies that were errors of the program */
    uint64_t edits;           /* of its data, while it served */
    uint64_t data_version;
} psy_worker_counts;

/* Connects to the broker, takes the service's programs and opens the engine. UNREACHABLE, TIMEOUT, LAYOUT (another module),
 * LIMIT (the shard is taken, or there are fewer), NO_DEVICE, UNSUPPORTED, INVALID, NO_MEMORY. Blocks; allocates. */
PSY_NODISCARD psy_status psy_worker_create(const psy_worker_options *options, psy_worker **out);

void psy_worker_get_part(const psy_worker *worker, psy_worker_part *out);

/* Loads one resident, once for all programs that declare it. NOT_FOUND (no such resident), INVALID (rank or dims do not fit the
 * declaration, key missing), TOO_LARGE, NO_MEMORY, CORRUPT (two rows with one key), or the callback's status. Where its rows
 * come from other workers, it asks for none and does nothing. Blocks; allocates. */
PSY_NODISCARD psy_status psy_worker_load(psy_worker *worker, const psy_rows *rows);

/* Loads resident texts, `resident titles: string[<=80][N]`, all `count` rows over all shards: the worker keeps those of its own
 * shard, and nothing of `texts`. Data `by key` comes by psy_worker_load: rows of 80 bytes, zeros behind the text. As
 * psy_worker_load; INVALID also for a text that is not UTF-8 and for a resident that is not one text a row, TOO_LARGE for a
 * text that is longer than its room: of the rows of its own shard, which the detail names. Blocks; allocates. */
PSY_NODISCARD psy_status psy_worker_load_texts(psy_worker *worker, const char *resident, const char *const *texts,
                                               uint64_t count);

/* Loads what the snapshot in the folder (psy_broker_snapshot) has of all residents that a program declares: in place of
 * psy_worker_load, which may follow for others. The rows are those of this shard, also where the snapshot was made by another
 * number of shards; every file that has some is read once and its checksum compared. The data has the snapshot's version then:
 * a service that begins continues with it, and to one that runs the worker adds the edits since. NOT_FOUND: there is no
 * snapshot (nothing is loaded, and psy_worker_load is free to); CORRUPT names the file that is missing, damaged or another;
 * INVALID (it does not fit what programs declare, or something was loaded before), VERSION, TOO_LARGE, NO_MEMORY, IO, DENIED:
 * nothing is loaded. Blocks; allocates. */
PSY_NODISCARD psy_status psy_worker_restore(psy_worker *worker, const char *folder);

/* Whether the resident is loaded. */
int psy_worker_has(const psy_worker *worker, const char *resident);

/* Binds sizes and reports ready; where its rows come from other workers, psy_worker_do_work does that when they are there, and
 * the health says so. INVALID names a resident that was not loaded, or a size check that failed. */
PSY_NODISCARD psy_status psy_worker_start(psy_worker *worker);

/* One round over what waits; returns how many requests it ran; never sleeps. */
uint32_t psy_worker_do_work(psy_worker *worker);
void psy_worker_wait(psy_worker *worker, uint64_t timeout_ns);
/* OK while it serves; else what psy_worker_run would return: for loops of one's own. */
PSY_NODISCARD psy_status psy_worker_status(const psy_worker *worker);
/* Works until stopped or drained: OK; or the broker is gone: PEER_DIED; or the broker refused it, as INVALID where the shards
 * were loaded with different sizes. */
PSY_NODISCARD psy_status psy_worker_run(psy_worker *worker);
/* Async-signal-safe. */
void psy_worker_stop(psy_worker *worker);

/* Takes its leave of the broker, which gives it nothing more, finishes what it has, and then psy_worker_run returns OK. What
 * needs its shard is refused with PEER_DIED until another worker is ready there. Of a worker that is driven by
 * psy_worker_do_work, the health says when it is gone. From any thread; async-signal-safe. */
void psy_worker_drain(psy_worker *worker);

typedef struct psy_worker_health {
    int live;           /* its agent made a round within the last second */
    int ready;          /* started, not draining, and its broker is there */
    int draining, gone; /* asked to leave; the broker has let it go, or is gone itself */
    uint64_t beat_ns;   /* CLOCK_MONOTONIC: of its last look around */
} psy_worker_health;

/* How it is. From the worker's own thread, but for `live` and `beat_ns`, which are right from any; never blocks. */
void psy_worker_get_health(const psy_worker *worker, psy_worker_health *out);

/* One line: engine, device, instruction set. Valid until destroy. */
const char *psy_worker_describe(const psy_worker *worker);
void psy_worker_get_counts(const psy_worker *worker, psy_worker_counts *out);

/* NULL is allowed. */
void psy_worker_destroy(psy_worker *worker);

#ifdef __cplusplus
}
#endif
#endif

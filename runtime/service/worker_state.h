/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker knows, for its files: worker.c (life and agent), worker_program.c (programs), worker_load.c (resident data),
 * worker_edit.c (its changes), worker_move.c (rows that move between shards), worker_snapshot.c (their writing to
 * disk), worker_restore.c (and back), worker_link.c (clients, payloads), worker_variant.c (what a message is), worker_run.c (batches and
 * merges). */
#ifndef PSY_SERVICE_WORKER_STATE_H
#define PSY_SERVICE_WORKER_STATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include <psyne/bell.h>
#include <psyne/ring.h>
#include <psyne/slab.h>
#include <psyne/worker.h>

#include "engine/engine.h"
#include "service/counting.h"
#include "service/dataset.h"
#include "service/events.h"
#include "service/gather.h"
#include "service/intake.h"
#include "service/measure.h"
#include "service/module_file.h"
#include "service/protocol.h"
#include "service/response.h"
#include "service/revision.h"

enum { PSY_PATRONS_MAX = 4096 };

/* A client, as a worker sees it: the place where its replies go. */
typedef struct psy__patron {
    struct psy__patron *next_retired;
    uint32_t epoch;
    psy_slab *slab;
    psy__responses responses;
    psy_ring completions;
    bool completed;
    psy_bell bell;
} psy__patron;

/* A pipeline or one of its alternatives, bound. */
typedef struct psy__lane {
    psy__executable *shard, *merge; /* merge: NULL unless the route is ALL */
    uint32_t most;                  /* messages in one run, where the program is held to limits; 0: any number */
} psy__lane;

/* What a message is: its alternative, and the sizes that its variants bring, in the order of the module's MESSAGE symbols. */
typedef struct psy__shape {
    uint32_t pipeline; /* PSY_NONE: no alternative takes it */
    uint32_t sizes[PSY_MESSAGE_SIZES_MAX];
} psy__shape;

/* Alternatives whose sizes come from messages are bound when a shape is first seen; the one that was used longest ago gives
 * way to a new one. */
enum { PSY_SHAPES_MAX = 16 };
typedef struct psy__shaped_lane {
    psy__shape shape;
    psy__lane lane;
    uint64_t used; /* a clock of batches; 0: free */
} psy__shaped_lane;

/* A program of the service. The broker chooses place and number: one that is named by both is the one that is meant. */
typedef struct psy__worker_program {
    struct psy__worker_program *next; /* of those that have come, or are gone */
    uint32_t number, place, version;
    bool served; /* the worker cannot start without it */
    bool untold; /* that it can be run: the link was full */
    char name[PSY_PROGRAM_NAME_BYTES];
    const psy_module *module;      /* held; NULL: it could not be taken */
    psy__limits limits;            /* a client's: below what the engine allows; 0: none */
    psy__resident_data *residents; /* as engines see them; while it is bound */
    psy__lane *lanes;              /* by alternative; those with sizes of messages are in `shaped` */
    psy__shaped_lane shaped[PSY_SHAPES_MAX];
    uint64_t shaped_clock;
    uint64_t *symbols, *bases;
    bool *symbol_bound;
    uint64_t taken_ns; /* the time that its module took */
    psy_status why;    /* it cannot be run, and why */
    char why_text[512];
} psy__worker_program;

/* PREPARE: makes its revisions. COUNTED: has told how many rows. BIND: makes programs for the next version. READY: waits for
 * it. REPORT: is made, and its programs' sizes are told. DROP: gives back what was before. */
typedef enum psy__edit_phase { EDIT_PREPARE = 0, EDIT_COUNTED, EDIT_BIND, EDIT_READY, EDIT_REPORT, EDIT_DROP } psy__edit_phase;

/* A change of the data, of the service's making. */
typedef struct psy__worker_edit {
    struct psy__worker_edit *next; /* of those that were made before this worker came */
    psy__edit_phase phase;
    uint64_t number, version; /* version: that it makes, once that is known */
    psy__edit file;
    psy__revision revisions[PSY_EDITS_TOGETHER_MAX];
    uint32_t begun; /* revisions */
    uint32_t at;    /* how far the phase is: a part, or the place of a program */
    uint64_t totals[PSY_EDITS_TOGETHER_MAX], firsts[PSY_EDITS_TOGETHER_MAX];
    psy__worker_program *bound[PSY_PROGRAMS_MAX]; /* by place, for the next version */
    psy_status why;                               /* its file cannot be taken */
    char why_text[512];
} psy__worker_edit;

/* Rows that the broker has asked for. */
typedef struct psy__worker_export {
    psy__export asked;
    psy__exported said; /* the answer */
    psy__edit file;
    uint64_t cursor;
    bool begun, done; /* the file; all of it, or `why` not */
    psy_status why;
    char why_text[512];
} psy__worker_export;

/* WAIT: the broker is to say something. TAKE: a piece has come. TAKEN: to be said. BIND, REPORT: all has come. REFUSE: to be
 * said; OVER: the broker sends it away. */
typedef enum psy__move_phase {
    MOVE_WAIT = 0,
    MOVE_TAKE,
    MOVE_TAKEN,
    MOVE_BIND,
    MOVE_REPORT,
    MOVE_REFUSE,
    MOVE_OVER
} psy__move_phase;

/* Rows that come from the workers that there are. */
typedef struct psy__worker_move {
    psy__move_phase phase;
    uint64_t number; /* of the change */
    psy__intake intake;
    psy__edit file; /* the piece at hand */
    psy__take said;
    bool begun;
    uint32_t at; /* a program's place */
    psy_status why;
    char why_text[512];
} psy__worker_move;

/* A request from the ring: the worker's own copy of what hop and envelope say. */
typedef struct psy__job {
    psy__worker_program *program;
    uint8_t *payload; /* in the ring, */
    bool referenced;  /* or among the payloads that several shards are sent by reference */
    uint32_t ticket, generation;
    uint32_t channel, epoch;
    uint32_t place;    /* of the program */
    uint32_t pipeline; /* the first of its alternatives */
    bool shaped;       /* it asks what messages are; if not, the rest of the shape is not set */
    psy__shape shape;
    uint32_t slot, slot_generation;
    uint64_t request;
    bool traced;
} psy__job;

struct psy__worker_snapshot;

struct psy_worker {
    const psy_module **held; /* that it was made with */
    uint32_t held_count;
    psy__link *link;
    psy__holder holder;     /* which shard it is */
    uint32_t place, places; /* as what it writes and reports */
    bool moves;             /* its rows come, or came, from other workers */
    uint32_t max_batch, reply_bytes;
    uint64_t max_wait_ns, held_since_ns; /* since when what waits has been waiting for more; 0: it does not */
    uint64_t connect_timeout_ns;
    psy_slab *ring_slab, *gather_slab, *scratch_slab;
    psy_slab *payload_slab; /* NULL: there is none */
    int payload_fd;         /* until it is known how the engine wants it; -1: none */
    uint8_t *payloads;
    uint32_t payload_slots, payload_stride;
    psy_ring requests, finished;
    psy__gather gather;
    bool told_engine;          /* the operator named one */
    psy__engine *engine, *cpu; /* the same where the engine is the cpu */
    psy__watch watch;          /* who looks while it loads */
    psy__dataset *datasets;
    uint32_t dataset_count;
    uint64_t data_version, service_version; /* of its data, and of the service's when it was engaged */
    psy__worker_edit *edit;                 /* on its way; NULL: none */
    psy__worker_edit *past;                 /* the last one, which is made: what was before is given back; NULL: none */
    psy__worker_edit *earlier;             /* made before this worker came, the first one first: it makes them when it starts */
    psy__worker_export *export;            /* NULL: none is asked for */
    psy__worker_move *move;                /* NULL: its rows are here */
    uint64_t equal_version;                /* psy__engaged */
    struct psy__worker_snapshot *snapshot; /* on its way; NULL: none */
    uint64_t series;                       /* of the snapshot that the data comes from; 0: none */
    bool flip_due;                         /* no request names the old version any more but those in the ring */
    psy__worker_program *programs[PSY_PROGRAMS_MAX]; /* by place */
    uint32_t program_top;                            /* places in use: 0 .. program_top - 1 may be */
    psy__worker_program *arrivals;                   /* come, but not bound yet: the first one first */
    psy__worker_program *refused;                    /* that cannot be run, as the broker has yet to be told */
    bool untold;                                     /* something is, or READY: the link was full */
    psy__worker_program *retired_programs; /* gone, but perhaps named in the batch at hand: closed before the next one */
    psy__patron *patrons[PSY_PATRONS_MAX];
    psy__patron *retired;  /* gone, but perhaps named in the batch at hand: unmapped before the next one */
    uint32_t patron_count; /* places in use: 0 .. patron_count - 1 may be set */
    psy__span *inputs, *outputs, *partials;
    psy__patron **owners;     /* of the outputs; NULL: dropped */
    psy__job *waiting, *jobs; /* what the ring holds; those of one pipeline */
    psy__job *merges;         /* those that this worker finished as the last shard: it answers */
    uint8_t *statuses;
    uint64_t tick_due_ns, ended_ns; /* ended: the run at hand, or its merges */
    psy_bell doorbell;              /* for psy_worker_stop */
    psy_bell bell;                  /* the broker rings it, and it rings the broker; none until the worker is started */
    psy_bell bell_theirs;           /* goes with READY; none before and after */
    bool started, dead;
    psy_status end; /* why it is dead, where the broker said so; else OK */
    char end_text[512];
    _Atomic bool stop, drain;
    bool leaving; /* the broker was told */
    _Atomic uint64_t beat_ns;
    psy__counting counting;
    psy__worker_measure measure;
    psy_worker_counts counts;
    psy__events events;
    char description[512];
};

/* ---- worker_load.c ---- */
/* What the first program that has the resident says of it; NULL: none has, as the detail says. */
const psy_psm_resident *psy__worker_declaration(const psy_worker *w, const char *resident);
/* Which rows of split data are this worker's. */
typedef struct psy__rows_range {
    bool usual; /* as its shard has them: psy__holder_range */
    uint64_t first, count;
} psy__rows_range;
/* psy_worker_load. */
PSY_NODISCARD psy_status psy__worker_load_rows(psy_worker *w, const psy_rows *rows, const psy__rows_range *range);
void psy__worker_unload(psy_worker *w);
/* Binds the sizes of all programs anew, of what is loaded. */
void psy__worker_refit_all(psy_worker *w);

/* ---- worker_program.c ---- */
/* The broker gave a program: it waits to be bound. What is wrong with it is known when its turn comes. */
PSY_NODISCARD psy_status psy__worker_program_arrives(psy_worker *w, const psy__program_said *said, int *fd);
/* No request names it any more. */
void psy__worker_program_goes(psy_worker *w, uint32_t number);
/* While it serves: binds the first one that has come and tells the broker. Returns how many it was. */
uint32_t psy__worker_stage(psy_worker *w);
/* Before it serves: what has come is put in its place; what is wrong with a program that is served is the worker's end. */
PSY_NODISCARD psy_status psy__worker_settle_arrivals(psy_worker *w);
/* Binds all that are in their places; every resident is loaded. */
PSY_NODISCARD psy_status psy__worker_bind_all(psy_worker *w);
/* The one in a place, if there is one. */
PSY_NODISCARD psy_status psy__worker_bind_at(psy_worker *w, uint32_t place);
void psy__worker_unbind_all(psy_worker *w);
/* The same program once more, not bound; NULL: no memory. */
psy__worker_program *psy__worker_program_again(const psy__worker_program *p);
void psy__worker_program_close(psy__worker_program *p);
/* Whether a client sent it. */
bool psy__worker_program_is_limited(const psy__worker_program *p);
/* Tells the broker that it can be run, or (status, this thread's detail) not. */
PSY_NODISCARD psy_status psy__worker_program_report(psy_worker *w, const psy__worker_program *p, psy_status status);
/* Another takes its place; the one before is closed when the batch at hand is over. */
void psy__worker_program_put(psy_worker *w, psy__worker_program *p);
/* Closes programs that are gone; between batches. */
void psy__worker_sweep_programs(psy_worker *w);
void psy__worker_drop_programs(psy_worker *w);

/* Binds the sizes of the program that the data brings. OK, also where it does not use it; INVALID. */
PSY_NODISCARD psy_status psy__worker_program_fit(psy__worker_program *p, const psy__dataset *data);
/* Binds them anew, of all that is loaded. */
PSY_NODISCARD psy_status psy__worker_program_refit(psy_worker *w, psy__worker_program *p);
PSY_NODISCARD psy_status psy__worker_program_bind(psy_worker *w, psy__worker_program *p);
void psy__worker_program_unbind(psy__worker_program *p);

/* Binds an alternative with the sizes in `symbols`, on `engine` or where that cannot on the cpu. */
psy_status psy__worker_bind_lane(psy_worker *w, psy__worker_program *p, psy__engine *engine, uint32_t pipeline,
                                 const uint64_t *symbols, psy__lane *out);
void psy__lane_unbind(psy__lane *lane);
/* How many messages like that one are run at once, at most. */
uint32_t psy__worker_most(const psy_worker *w, const psy__job *job);

/* ---- worker_variant.c ---- */
/* Whether it has sizes that messages bring. */
bool psy__pipeline_is_shaped(const psy__module *m, uint32_t pipeline);
/* What a message of that pipeline is. Its descriptors are read once; only the result counts from here on. */
void psy__worker_shape(const psy__worker_program *p, uint32_t pipeline, const uint8_t *message, psy__shape *out);
/* What runs messages of a shape, binding it if need be; NULL with the reason in *why. */
const psy__lane *psy__worker_lane(psy_worker *w, psy__worker_program *p, const psy__shape *shape, psy_status *why);
void psy__worker_drop_shapes(psy__worker_program *p);

/* ---- worker_edit.c ---- */
/* EDIT_STAGE, EDIT_TOTALS, EDIT_DONE or EDIT_GONE. Not OK: the broker broke the protocol. */
PSY_NODISCARD psy_status psy__worker_hear_edit(psy_worker *w, psy__control *control);
/* Before it serves: makes the edits that were made before. PSY_INVALID where that does not lead to the service's version. */
PSY_NODISCARD psy_status psy__worker_catch_up(psy_worker *w);
/* A little of the edit that is on its way, between batches. Returns how much it did. */
uint32_t psy__worker_edit_step(psy_worker *w);
/* How many of the frames, from the first on, see one version of the data, which is the worker's then. 0 frames: what waited for
 * older ones to be gone need not wait. No request is at hand. */
uint32_t psy__worker_one_version(psy_worker *w, const uint8_t *frames, uint32_t count);
void psy__worker_drop_edits(psy_worker *w);

/* ---- worker_snapshot.c ---- */
/* SNAPSHOT or SNAPSHOT_GONE. Not OK: the broker broke the protocol. */
PSY_NODISCARD psy_status psy__worker_hear_snapshot(psy_worker *w, psy__control *control);
/* A little of the one that is on its way. Returns how much it did. */
uint32_t psy__worker_snapshot_step(psy_worker *w);
/* What an edit would give back and the snapshot still reads is the snapshot's from now on. */
void psy__worker_snapshot_keep(psy_worker *w, psy__revision *past);
void psy__worker_drop_snapshot(psy_worker *w);

/* ---- worker_move.c ---- */
/* EXPORT, TAKE, MOVED or DISMISSED. Not OK: the broker broke the protocol. */
PSY_NODISCARD psy_status psy__worker_hear_move(psy_worker *w, psy__control *control);
/* A little of the rows that were asked for, between batches. Returns how much it did. */
uint32_t psy__worker_export_step(psy_worker *w);
/* Its rows are those that others have: it waits for them. NO_MEMORY. */
PSY_NODISCARD psy_status psy__worker_move_begin(psy_worker *w);
/* A little of the rows that come; after the last it is ready. */
uint32_t psy__worker_move_step(psy_worker *w);
/* Whether it loaded what the shard has that it is: INVALID. */
PSY_NODISCARD psy_status psy__worker_check_parts(const psy_worker *w);
void psy__worker_drop_moves(psy_worker *w);

/* ---- worker_link.c ---- */
/* It cannot go on: this thread's detail says why. */
void psy__worker_end(psy_worker *w, psy_status status);
/* One PROGRAM. */
void psy__worker_hear_program(psy_worker *w, psy__control *control);
/* PAYLOADS, while it joins: where payloads lie that come by reference. PROTOCOL. */
PSY_NODISCARD psy_status psy__worker_take_payloads(psy_worker *w, psy__control *control);
/* Maps them as the engine needs it. OK, also where there are none. */
PSY_NODISCARD psy_status psy__worker_map_payloads(psy_worker *w);
/* Handles what the broker says. The worker is `dead` afterwards if the broker is. */
void psy__worker_links(psy_worker *w);
/* The client of a hop, or NULL when it is gone. A client that is not known yet has been announced on the link: looks there. */
psy__patron *psy__worker_patron(psy_worker *w, uint32_t channel, uint32_t epoch);
/* Unmaps the slabs of clients that are gone; between batches. */
void psy__worker_sweep(psy_worker *w);
void psy__worker_drop_patrons(psy_worker *w);

/* ---- worker_run.c ---- */
/* Runs `count` jobs, all of one program, pipeline and shape. */
void psy__worker_run_batch(psy_worker *w, const psy__job *jobs, uint32_t count);
/* Publishes replies and finished tickets, wakes those who sleep. */
void psy__worker_flush(psy_worker *w);

/* ---- worker_tell.c ---- */
/* What became of those of `count` jobs that are traced: run in a batch, or merged, which took that long. Called only where one
 * is. */
void psy__worker_trace_runs(psy_worker *w, const psy__job *jobs, uint32_t count, const psy__engine *engine, uint64_t ns);
void psy__worker_trace_merges(psy_worker *w, const psy__job *jobs, uint32_t count, uint64_t ns);
void psy__worker_trace_answer(psy_worker *w, const psy__job *job, psy_status status, uint32_t bytes);
/* Nobody waits for its reply any more. */
void psy__worker_trace_dropped(psy_worker *w, const psy__job *job);
/* Whether any is. */
static inline bool psy__jobs_traced(const psy__job *jobs, uint32_t count)
{
    bool any = false;
    for (uint32_t i = 0; i < count; i++) {
        any = any || jobs[i].traced;
    }
    return any;
}
/* Tells the broker of all programs, and that the worker is ready. OK, also where the link is full: the rest is told later. */
PSY_NODISCARD psy_status psy__worker_report_all(psy_worker *w);
/* Tells the operator that it serves. */
void psy__worker_is_ready(psy_worker *w);
/* Every millisecond: tells what it had to leave out, and that the worker leaves, if it was asked to. */
void psy__worker_tick(psy_worker *w, uint64_t now_ns);
/* The broker is gone, or let it go. */
void psy__worker_lost(psy_worker *w);

#endif

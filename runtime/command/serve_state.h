/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor's state: serve_supervisor.c has the loop, serve_reload.c what SIGHUP does, serve_reshard.c how the number
 * of shards changes. */
#ifndef PSY_COMMAND_SERVE_STATE_H
#define PSY_COMMAND_SERVE_STATE_H

#include <sys/types.h>

#include <psyne/counters.h>

#include "command/progress.h"
#include "command/serve_child.h"
#include "command/serve_notify.h"

typedef enum psy__child_phase {
    PSY_CHILD_ABSENT = -1, /* there is none */
    PSY_CHILD_DOWN,        /* to be started when it is due, and the broker is up */
    PSY_CHILD_STARTED,     /* on its way */
    PSY_CHILD_READY
} psy__child_phase;

typedef struct psy__child {
    psy__serve_role role;
    uint32_t shard;
    char name[16];
    psy__child_phase phase;
    pid_t pid; /* 0: none */
    int control;
    bool comes, goes;                       /* a shard of those to come; one that is not started again */
    bool up, lost;                          /* what it said; of the process that runs or ended last */
    uint64_t due_ns, started_ns, beat_seen; /* the next start; the last one */
    uint32_t failures;                      /* in a row */
    psy_status status;                      /* why it ended, if it said so */
    char why[512];
} psy__child;

typedef enum psy__serve_phase { PSY_SERVE_RUNS, PSY_SERVE_DRAINS, PSY_SERVE_ENDS } psy__serve_phase;

enum { PSY_SERVE_CHANGES_MAX = 64 };

/* A file of data that is being read anew, and its keys, as they were then. */
typedef struct psy__file_pair {
    bool changed;
    psy__data_files files;
} psy__file_pair;

typedef struct psy__supervisor {
    psy__serve_options *options;
    psy__served *served;
    struct {
        psy__served_program program;
        bool replace;
    } changes[PSY_SERVE_CHANGES_MAX]; /* that the broker was asked for, and has not said what became of */
    uint32_t change_count;
    int argc;
    char **argv;
    psy__serve_shared *shared;
    psy__log_out log;
    psy__notify notify;
    int signals;
    psy__child children[PSY_SERVE_CHILDREN_MAX];
    uint32_t child_count;
    uint32_t reshards_to; /* shards that are about to come; 0: none are */
    psy__serve_phase phase;
    bool was_ready, told_ready, drained;
    psy_counters *counters;
    psy_supervisor_counters *counts; /* NULL: nothing is counted */
    psy__progress loading;           /* until it was ready, on a terminal that the log does not go to */
    psy__file_pair *data_pending;    /* by the data's number, while the broker is at it; NULL: it is not */
    uint64_t kill_due_ns, watchdog_due_ns, snapshot_due_ns; /* UINT64_MAX: never */
    uint64_t started_ns, restarts, reloads, refused_programs;
    int status;
} psy__supervisor;

/* The broker said what became of a program. */
void psy__serve_program_settled(psy__supervisor *s, const psy__serve_message *m);
/* The broker died before it said so. */
void psy__serve_programs_dropped(psy__supervisor *s);

/* ---- serve_count.c ---- */
void psy__serve_open_counters(psy__supervisor *s);
/* As it is now. */
void psy__serve_count(psy__supervisor *s);

/* ---- serve_reshard.c ---- */
/* Asks the broker for another number of shards. */
void psy__serve_reshard(psy__supervisor *s, uint32_t shards);
/* JOIN or RESHARDED of the broker. */
void psy__serve_reshard_heard(psy__supervisor *s, const psy__serve_message *m);
/* True: the child that ended is not started again, and nobody misses it. */
bool psy__serve_reshard_buries(psy__supervisor *s, psy__child *c);
/* The broker died. */
void psy__serve_reshard_dropped(psy__supervisor *s);
/* Processes that the service is made of: without those that are about to come or go. */
uint32_t psy__serve_wanted_count(const psy__supervisor *s);
static inline bool psy__child_counts(const psy__child *c) { return c->phase != PSY_CHILD_ABSENT && !c->comes && !c->goes; }

/* ---- serve_snapshot.c ---- */
/* The folder of the options is there, or is made. IO, DENIED. */
PSY_NODISCARD psy_status psy__serve_snapshot_folder(const psy__serve_options *o);
/* When the next one is due. */
void psy__serve_plan_snapshot(psy__supervisor *s);
/* Asks the broker for one; unless `always`, only if the data has changed. */
void psy__serve_snapshot(psy__supervisor *s, bool always);
/* The same when it is time for one. */
void psy__serve_snapshot_when_due(psy__supervisor *s, uint64_t now_ns);
/* One is written before all end: until when that may take. */
uint64_t psy__serve_last_snapshot(psy__supervisor *s);
void psy__serve_snapshot_settled(psy__supervisor *s, const psy__serve_message *m);
/* Files that are newer than the snapshot that the service begins with. */
void psy__serve_look_at_snapshot(psy__supervisor *s);
/* Has the broker read the files that are others than they were. */
void psy__serve_change_data(psy__supervisor *s, const psy__served *fresh);
void psy__serve_data_settled(psy__supervisor *s, const psy__serve_message *m);
void psy__serve_data_dropped(psy__supervisor *s);

/* Reads everything anew, and changes what can change: all of it, or nothing. */
void psy__serve_reload(psy__supervisor *s);

#endif

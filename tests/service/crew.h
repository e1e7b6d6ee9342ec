/* SPDX-License-Identifier: Apache-2.0 */
/* The workers of one layout, each a thread, beside a broker of served.h: shards that change need two crews. */
#ifndef PSY_TESTS_SERVICE_CREW_H
#define PSY_TESTS_SERVICE_CREW_H

#include "tests/service/edited.h"
#include "tests/service/served.h"

enum { CREW_MAX = 8 };

typedef struct crew {
    served *s;
    const edited *e;
    uint32_t count;
    psy_worker *workers[CREW_MAX];
    pthread_t threads[CREW_MAX];
    bool there[CREW_MAX];           /* its thread is to be joined */
    _Atomic bool created[CREW_MAX]; /* workers[i] is set, or was */
    _Atomic bool left[CREW_MAX];    /* its thread has nothing more to do */
    psy_status ended[CREW_MAX];     /* of its thread, once it is joined */
    char why[CREW_MAX][256];
    psy_counters *counters;
    const char *folder; /* of snapshots, which are restored in place of loading; NULL: none */
} crew;

/* Threads that join as shard 0 .. count - 1, load version 1 of the data and run. Does not wait for anything. */
void crew_start(crew *c, served *s, const edited *e, uint32_t count);
void crew_start_one(crew *c, uint32_t shard);
/* One is gone, without a word. */
void crew_kill(crew *c, uint32_t shard);
/* Waits for all to end by themselves: `status` is how. */
void crew_ended(crew *c, psy_status status);
/* All that are there yet are gone. */
void crew_stop(crew *c);

/* On the broker's thread, as it were. */
psy_status crew_reshard(served *s, uint32_t shards, uint64_t *ticket);
psy_status crew_reshard_status(served *s, uint64_t ticket);
psy_status crew_cancel(served *s, uint64_t ticket);
psy_status crew_edit(served *s, const psy_edit *edits, uint32_t count, uint64_t *ticket);
psy_status crew_edit_status(served *s, uint64_t ticket, uint64_t *version);

/* The change with new workers in `to`, under load, until it has ended. */
psy_status crew_change(edited *e, crew *from, crew *to, uint32_t shards);
/* Serves until there are some answers more of every kind. */
void crew_serve_some(edited *e);
/* A random set of edits, which is made under load. */
void crew_make_edit(edited *e, served *s);

#endif

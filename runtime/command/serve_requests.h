/* SPDX-License-Identifier: Apache-2.0 */
/* What the supervisor asks of a running broker: to drain, to go by other rules, to have another number of shards, to serve
 * other programs, to read files of data anew, to write a snapshot. One thread hears it (psy__serve_requests_take) and does all
 * that takes time; the broker's own does the rest between two rounds (psy__serve_requests_mind), which costs it a load where
 * nothing was asked. */
#ifndef PSY_COMMAND_SERVE_REQUESTS_H
#define PSY_COMMAND_SERVE_REQUESTS_H

#include <psyne/broker.h>
#include <pthread.h>

#include "command/serve_child.h"
#include "command/serve_reread.h"

enum { PSY_SERVE_REQUESTS_MAX = 64 }; /* of programs, at a time */

typedef struct psy__program_request {
    psy_module *module; /* NULL: it is to be removed */
    char name[64];
    uint32_t version;
    bool replace, added;
    uint64_t ticket, number;
} psy__program_request;

typedef struct psy__serve_requests {
    pthread_mutex_t lock;
    _Atomic uint32_t waiting; /* something is there for the broker's thread */
    _Atomic uint64_t drain_until_ns;
    psy_rule *rules;
    uint32_t rule_count;
    bool reshards;    /* another number of shards was asked for: */
    uint32_t shards;  /* 0: none, after all */
    uint64_t reshard; /* ticket of the change that is on its way; 0: none is */
    psy__program_request programs[PSY_SERVE_REQUESTS_MAX];
    uint32_t program_count;
    psy__reread reread;
    const psy__served *served;
    const char *snapshot_folder; /* NULL: there are no snapshots */
    enum { PSY_SNAPSHOT_NONE, PSY_SNAPSHOT_WANTED, PSY_SNAPSHOT_IF_CHANGED } snapshot;
    uint64_t snapshot_ticket;
    bool saved;      /* the last one, of a broker that has drained */
    uint32_t rounds; /* of the broker, until it is looked how much it keeps */
} psy__serve_requests;

/* DRAIN, RULES, RESHARD, ADD and REMOVE; others are left alone. The descriptor stays the caller's. Answers over `control` where
 * it must refuse. Blocks on files; allocates. */
void psy__serve_requests_take(psy__serve_requests *r, int control, const psy__serve_message *message, int fd);

/* True, from then on: the broker was to drain, and has, or its time is over. */
bool psy__serve_requests_mind(psy__serve_requests *r, psy_broker *broker, psy__log_out *log, int control);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a service: the broker, a shard, or all of them in one, and the endpoint of metrics. The one that started
 * them (serve_supervisor.c) and they talk over a pair of sockets, in whole messages; who finds the other end closed ends too.
 *
 *   child -> supervisor    UP: the address is bound            READY: it serves
 *                          LOST: its broker is gone            FAILED: why it ends
 *                          ADDED, REFUSED: what became of ADD or REMOVE
 *                          JOIN: the shards are about to change, and new ones may come; RESHARDED: what became of it
 *                          SNAPSHOT_DONE, DATA_DONE: what became of SNAPSHOT or DATA, of which version `number`
 *                          SAVING: nothing is under way any more, and a last snapshot is written
 *                          DRAINED: nothing is under way any more, or the time for that is over; it waits for STOP
 *   supervisor -> child    DRAIN: take nothing new, and finish what is under way within `number` milliseconds
 *                          STOP: end                           LOG: a descriptor, to which the log goes from now on
 *                          ADD: the module in the file `text`, whose hash is `number`, under name and version
 *                          REMOVE: the program of that name and version
 *                          RESHARD: so many shards as `number` says; 0: those that there are, after all
 *                          SNAPSHOT: write one; if `number` is 0, only where the data has changed since the last one
 *                          DATA: a descriptor of a list of `number` residents, NAME\0FILE\0KEYS\0, that are to be reloaded
 *                          RULES: a descriptor of a file with `number` of psy_rule, which hold from now on */
#ifndef PSY_COMMAND_SERVE_CHILD_H
#define PSY_COMMAND_SERVE_CHILD_H

#include "command/serve_data.h"
#include "command/serve_log.h"
#include "service/protocol.h"

typedef enum psy__serve_role { PSY_ROLE_OF_BROKER, PSY_ROLE_OF_SHARD, PSY_ROLE_OF_ALL, PSY_ROLE_OF_ENDPOINT } psy__serve_role;

typedef enum psy__serve_word {
    PSY_WORD_UP = 1,
    PSY_WORD_READY,
    PSY_WORD_LOST,
    PSY_WORD_FAILED,
    PSY_WORD_ADDED,
    PSY_WORD_REFUSED,
    PSY_WORD_DRAINED,
    PSY_WORD_DRAIN,
    PSY_WORD_STOP,
    PSY_WORD_LOG,
    PSY_WORD_RULES,
    PSY_WORD_ADD,
    PSY_WORD_REMOVE,
    PSY_WORD_RESHARD,
    PSY_WORD_JOIN,
    PSY_WORD_RESHARDED,
    PSY_WORD_SNAPSHOT,
    PSY_WORD_SNAPSHOT_DONE,
    PSY_WORD_DATA,
    PSY_WORD_DATA_DONE,
    PSY_WORD_SAVING
} psy__serve_word;

typedef struct psy__serve_message {
    uint32_t word, status;
    uint64_t number;
    uint32_t version, replace;
    char name[64];
    char text[512];
} psy__serve_message;

#define PSY_SERVE_SAVE_NS UINT64_C(600000000000) /* how long the last snapshot may take */
enum { PSY_SERVE_CHILDREN_MAX = 2 + PSY_SHARDS_MAX };

/* In memory that all processes of a service share. */
typedef struct psy__serve_shared {
    psy__log_shared log;
    _Atomic uint32_t serving, children;             /* processes that serve, of how many */
    _Atomic uint64_t rows;                          /* of data, loaded by all shards since the service began */
    _Atomic uint64_t beats[PSY_SERVE_CHILDREN_MAX]; /* rounds of each process's loop */
} psy__serve_shared;

/* What a process is to be. All of it is the supervisor's, as it was when it forked. */
typedef struct psy__serve_order {
    psy__serve_role role;
    uint32_t shard, place; /* place: of its beats */
    const char *name;      /* "broker", "shard 1" */
    const psy__serve_options *options;
    const psy__served *served; /* of modules, those that the service has now */
    psy__serve_shared *shared;
    int control, log_fd;
    int parent;
} psy__serve_order;

/* Is it, to its end. */
_Noreturn void psy__serve_child(const psy__serve_order *order);

/* Sends a message, with a descriptor unless `fd` is negative. False: nobody is there. */
bool psy__serve_tell(int control, const psy__serve_message *message, int fd);
/* The next message, and the descriptor that came with it, or -1. 1; 0: the end; -1: nothing waits. */
int psy__serve_hear(int control, psy__serve_message *message, int *fd);

#endif

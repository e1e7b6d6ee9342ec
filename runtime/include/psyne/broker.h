/* SPDX-License-Identifier: Apache-2.0 */
/* The broker: drains the clients' request rings in batches and scatters to the shards; owns deadlines and failures.
 *
 *   psy_broker_options options = {.uri = "ipc:///run/nearest.sock", .module = module, .shards = 2};
 *   psy_broker *broker;
 *   psy_broker_create(&options, &broker);
 *   psy_broker_run(broker);                 // or psy_broker_do_work in a loop of your own
 *   psy_broker_destroy(broker);
 *
 * An agent: it owns no thread. A client that dies, lies or stalls costs its own connection and nothing else. Workers are the
 * service's own, and answer in its name: one that dies or stalls costs the requests that it holds, which end in PEER_DIED or
 * TIMEOUT, until another one takes its place; one that lies can spoil answers, but not bring down the broker or another worker.
 *
 * Thread safety: a broker belongs to one thread at a time; psy_broker_stop may be called from any thread or signal handler.
 */
#ifndef PSYNE_BROKER_H
#define PSYNE_BROKER_H

#include <stdint.h>

#include <psyne/counters.h>
#include <psyne/edit.h>
#include <psyne/guard.h>
#include <psyne/log.h>
#include <psyne/module.h>
#include <psyne/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct psy_broker psy_broker;

typedef struct psy_broker_options {
    const char *uri;          /* ipc:///path or inproc://name */
    const psy_module *module; /* short for a program "main" of version 1 */
    uint32_t shards;          /* 1 .. 64; 0 = 1 */
    uint32_t in_flight;       /* requests inside the service at most; 0 = 4096 */
    uint32_t clients;         /* connections at most; 0 = 64 */
    /* Where it counts: four rows, three for each shard and client, nine for each pipeline; outlives the broker. What gets no
     * row goes uncounted. NULL: nothing is counted. */
    psy_counters *counters;
    const psy_log *log; /* outlives the broker; NULL: nobody is told */
    /* What it serves from the start, beside `module`: several modules, or versions of one. */
    const psy_program *programs;
    uint32_t program_count;
    /* Room for programs that come later: the largest request, reply and partial record; 0: what the ones above need. */
    uint32_t max_request_bytes, max_reply_bytes, max_partial_bytes;
    /* What clients may send of their own; doc/programs.md. */
    uint32_t client_programs;      /* programs of each client at most; 0: none */
    uint32_t client_program_bytes; /* of a module; 0 = 1 MiB */
    uint64_t client_arena_bytes;   /* working memory per message; 0 = 64 MiB */
    uint64_t client_work;          /* element operations of a run, whatever messages are in it; 0 = 2^28 */
    /* Who may do what: copied. None: the broker's own user and root may all, nobody else may connect. */
    const psy_rule *rules;
    uint32_t rule_count;
    uint32_t mode;     /* of an ipc address's socket: who may connect at all; 0 = 0600 */
    const char *group; /* of the same: a name or a number; NULL: that of the process */
    /* Requests inside the service at most while several clients are active, which have equal parts of it: how long a queue one
     * may find that others have made; 0 = 128 a shard. */
    uint32_t contended_in_flight;
    uint64_t client_edit_bytes; /* of a change of the data that a client asks for; 0 = 64 MiB */
    /* Places for shards, up to 64; 0: as many as shards, which cannot change then. A change from 2 to 4 needs 6, since both are
     * there for a while. Each place costs a partial record for every request in flight, and a completion ring of each client.
     */
    uint32_t shards_max;
    /* Payloads that go to several shards and have at least so many bytes are copied once, for all of them, and not into each
     * shard's ring; 0: what was measured to be worth it (4 KiB for two or three shards, 2 KiB for more), UINT32_MAX: never. */
    uint32_t reference_bytes;
} psy_broker_options;

typedef struct psy_broker_counts {
    uint64_t requests;           /* accepted from clients */
    uint64_t refused;            /* malformed or unroutable: answered with an error */
    uint64_t timeouts, failures; /* answered for shards that were late, or dead */
    uint64_t scatter_bytes;      /* payload bytes copied into shard rings, or once for several shards */
    uint32_t clients, shards_ready, in_flight;
    uint32_t uncounted; /* rings and other things that got no row of the counters */
    uint64_t denied;    /* peers and calls that no rule allows */
    uint64_t limited;   /* peers over a limit: connections, places, memory */
    uint64_t malformed; /* peers, and requests among `refused`, that broke the protocol, their ring or a layout */
    uint64_t unknown;   /* pipelines that were asked for and are not there, or have other layouts */
    uint64_t late;      /* requests and peers that came while the broker drained */
    uint64_t deaths;    /* workers that died or were dropped */
    uint64_t held;      /* visits to a client that had more to send than its share */
    uint64_t traced;
    uint32_t programs; /* served now, those of clients included */
    uint64_t programs_added, programs_refused;
    uint64_t edits, edits_refused; /* changes of the data */
    uint64_t data_version;
    uint32_t edits_waiting; /* now */
    uint32_t edits_kept;    /* for workers that come later, with this many bytes */
    uint64_t edits_kept_bytes;
    uint64_t snapshots, snapshots_failed;
    uint64_t snapshot_version; /* of the data, in the last snapshot that was made, or began with; 0: none */
    uint64_t snapshot_ns;      /* CLOCK_REALTIME: when the last one was made; 0: none was */
    uint32_t shards;                     /* that requests go to now */
    uint64_t reshards, reshards_refused; /* changes of the shards */
    uint64_t referenced; /* requests that went to several shards by reference */
} psy_broker_counts;

typedef struct psy_broker_health {
    int live;              /* its agent made a round within the last second */
    int ready;             /* every shard has a worker, and it does not drain */
    int draining, drained; /* asked to; and nothing is inside any more */
    uint32_t shards, shards_ready;
    uint64_t shards_missing; /* a bit for each shard without a worker that is ready */
    uint32_t clients, in_flight;
    uint64_t beat_ns; /* CLOCK_MONOTONIC: of its last look around, about one a millisecond */
} psy_broker_health;

/* Binds the address and makes the service's slabs. INVALID, DENIED, IO (address in use), NO_MEMORY, LIMIT (sizes of a module,
 * programs), NOT_FOUND (no such group), UNSUPPORTED (mode or group of an address that has none). Allocates. */
PSY_NODISCARD psy_status psy_broker_create(const psy_broker_options *options, psy_broker **out);

/* Adds a program while the service runs: every worker that is there takes it, between two batches; when all have, it is served,
 * and whoever opened its name without a version gets it from the next request on, as long as requests and replies have the same
 * layout. `replace` then removes the older versions of that name. One that a worker refuses is refused as a whole. *ticket, if
 * wanted, is for psy_broker_program_status. A program that is there already is added to no effect.
 * INVALID (a name or version that cannot be; another module has them), TOO_LARGE (its messages: names the option), LIMIT
 * (sizes, programs), NO_MEMORY. Allocates; does not block. */
PSY_NODISCARD psy_status psy_broker_add_program(psy_broker *broker, const psy_program *program, uint64_t *ticket);

/* Removes a version (0: all) of a program of the service. Requests that are under way end as they would; later ones go to the
 * newest version that is left or, where none is or they asked for that version, end in NOT_FOUND. NOT_FOUND. Does not block. */
PSY_NODISCARD psy_status psy_broker_remove_program(psy_broker *broker, const char *name, uint32_t version);

/* What became of a program: OK (served), EMPTY (the workers are at it), or why it was refused; the last 64 refusals are
 * remembered. NOT_FOUND: it was removed, or there was none. */
PSY_NODISCARD psy_status psy_broker_program_status(const psy_broker *broker, uint64_t ticket);

/* Changes the resident data while the service runs, psyne/edit.h: all `count` edits together, which are copied. Each worker
 * makes the next version beside the present one, between its batches; when all have, the requests from there on see it. One set
 * of edits is made at a time, and only while every shard has a worker that is ready: the others wait. A set that one worker
 * refuses is refused as a whole. *ticket, if wanted, is for psy_broker_edit_status. INVALID and NOT_FOUND (what can be seen
 * without the data), TOO_LARGE, LIMIT (32 wait), NO_MEMORY, IO. Blocks for as long as the copy takes; allocates. */
PSY_NODISCARD psy_status psy_broker_edit(psy_broker *broker, const psy_edit *edits, uint32_t count, uint64_t *ticket);

/* What became of a set of edits: OK, with the version of the data that it made; EMPTY (it waits, or the workers are at it), or
 * why it was refused: INVALID, NOT_FOUND (a key or row that is not there), TOO_LARGE, NO_MEMORY, PEER_DIED (workers died three
 * times while they were at it), CLOSED (the broker drains). NOT_FOUND also: there was none; the last 64 are remembered. */
PSY_NODISCARD psy_status psy_broker_edit_status(const psy_broker *broker, uint64_t ticket, uint64_t *version);

/* Changes the number of shards while the service runs, or makes their parts equal again where it is the same. Workers for the
 * new shards have to join (psy_worker_create with `shard` 0 .. shards - 1, as ever): they get their rows from the present ones,
 * doc/shards.md. When all have them, requests go to the new shards from the next one on, and the old workers finish what they
 * have and leave: psy_worker_run returns OK there. Edits and programs that come meanwhile wait. If a worker of either side dies
 * or refuses, the change is taken back: nothing has changed, and the new workers are sent away. There is no time limit: see
 * psy_broker_reshard_cancel. INVALID, LIMIT (places: names shards_max; or another change is on its way), PEER_DIED (a shard
 * is not ready), CLOSED (it drains). Does not block. */
PSY_NODISCARD psy_status psy_broker_reshard(psy_broker *broker, uint32_t shards, uint64_t *ticket);

/* What became of it: OK (requests go to the new shards), EMPTY (it is on its way), or why it was taken back. NOT_FOUND: there
 * was none; the last 16 are remembered. */
PSY_NODISCARD psy_status psy_broker_reshard_status(const psy_broker *broker, uint64_t ticket);

/* Takes back a change that is on its way: it ends in CANCELLED. NOT_FOUND. Does not block. */
PSY_NODISCARD psy_status psy_broker_reshard_cancel(psy_broker *broker, uint64_t ticket);

/* Writes a snapshot of the resident data to a folder, which is there: all workers write the version that there is between two
 * edits, each its rows, while they go on serving and the data goes on changing. It takes the place of the one that is in the
 * folder, whole or not at all, whatever happens meanwhile; psy_worker_restore reads it. One is made at a time, while every
 * shard has a worker that is ready: it waits for them. Edits up to it are not kept any more for workers that come later: these
 * restore it, from the same folder. The folder is the service's for that, and what is called `snapshot...` and `data-...` in
 * it. *ticket, if wanted, is for psy_broker_snapshot_status. NOT_FOUND, DENIED, IO (the folder), LIMIT (one is on its way, or
 * no more threads), NO_MEMORY, INVALID. Blocks for as long as it takes to open the folder; files are written by threads of the
 * broker and the workers, which live no longer than that. Allocates. */
PSY_NODISCARD psy_status psy_broker_snapshot(psy_broker *broker, const char *folder, uint64_t *ticket);

/* What became of a snapshot: OK, with the version of the data that is in it; EMPTY (it is on its way), or why it could not be
 * made: the one before is there still. IO (as a full disk), DENIED, PEER_DIED (a worker died over it), LIMIT (another service
 * writes into the same folder), NO_MEMORY. NOT_FOUND also: there was none; the last 64 are remembered. */
PSY_NODISCARD psy_status psy_broker_snapshot_status(const psy_broker *broker, uint64_t ticket, uint64_t *version);

/* One round: connections, requests, completions, deadlines. Returns how many things it did; never blocks. */
uint32_t psy_broker_do_work(psy_broker *broker);

/* Sleeps until there may be work, at most timeout_ns. */
void psy_broker_wait(psy_broker *broker, uint64_t timeout_ns);

/* Works until stopped or drained: spins briefly when idle, then sleeps. */
void psy_broker_run(psy_broker *broker);
/* Makes run return. Async-signal-safe. */
void psy_broker_stop(psy_broker *broker);

/* Takes nothing new from now on: who connects is refused with CLOSED, and so is every request that has not been taken in; what
 * is inside is finished and answered. Then psy_broker_run returns; who calls psy_broker_do_work sees `drained` in the health.
 * From any thread; async-signal-safe. There is no way back. */
void psy_broker_drain(psy_broker *broker);

/* How it is. From any thread; never blocks. The parts are of about one moment, not exactly. */
void psy_broker_get_health(const psy_broker *broker, psy_broker_health *out);

/* Other rules from now on. Clients that may no longer connect are dropped, with DENIED and the reason; limits hold for those
 * that are there as for new ones, but memory that they have brought stays. INVALID, NO_MEMORY: the old rules hold. From the
 * broker's own thread, between rounds. Allocates. */
PSY_NODISCARD psy_status psy_broker_set_rules(psy_broker *broker, const psy_rule *rules, uint32_t count);

void psy_broker_get_counts(const psy_broker *broker, psy_broker_counts *out);

/* Closes all connections. NULL is allowed. */
void psy_broker_destroy(psy_broker *broker);

#ifdef __cplusplus
}
#endif
#endif

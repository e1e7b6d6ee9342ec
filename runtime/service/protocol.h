/* SPDX-License-Identifier: Apache-2.0 */
/* What clients, broker and workers say over their control links: attach, agree on pipelines, learn of each other's death.
 * Requests and replies never go this way.
 *
 *   client -> broker                      broker -> worker                      worker -> broker
 *   HELLO (client)                                                              HELLO (worker)
 *          <- WELCOME                     HIRED  ring, gather
 *   ATTACH  requests, responses,          PROGRAM ...  module
 *           bell      (every side owns    ENGAGED  (that is all of them)
 *           <- ATTACHED  the memory it                                          PROGRAM_READY ...  symbol values
 *   OPEN         must trust)                                                    READY  bell
 *           <- OPENED | REFUSED           CHANNEL  responses, bell
 *   SEND    module                        GONE                                  GONE  (cannot take the memory)
 *           <- SENT | REFUSED             PROGRAM  module                       PROGRAM_READY | PROGRAM_REFUSED
 *   DESCRIBE                              EDIT_STAGE  file                     EDIT_COUNTED | EDIT_REFUSED
 *           <- DESCRIBED | REFUSED        EDIT_TOTALS                           EDIT_READY | EDIT_REFUSED
 *   LIST                                  EDIT_DONE                             PROGRAM_READY ...  EDIT_APPLIED
 *           <- LISTED                     EDIT_GONE
 *   EDIT    file                          PROGRAM_GONE                           LEAVING
 *           <- EDITED | REFUSED           REFUSED
 *                                         EXPORT                                 EXPORTED  file | MOVE_REFUSED
 *                                         TAKE  file                             TAKEN | MOVE_REFUSED
 *                                         MOVED                                  PROGRAM_READY ...  READY
 *                                         DISMISSED
 *
 * A worker is given every program of the service before it loads its data, and others while it serves. Each has a number, which
 * is never given twice, and a place, which is.
 *
 * An edit of the data (edit_file.h) is staged at all workers, which count their rows, learn how many there are together, and
 * bind their programs to the sizes; then the broker flips: requests from there on name the next version. EDIT_GONE takes it
 * back. Edits that were made before a worker came are staged with the version that they make, before ENGAGED.
 *
 * A snapshot of the data (snapshot.h) is asked of all workers between two edits, so that they write one version.
 *
 * The number of shards changes (broker_layout.c): workers of the shards to come are HIRED for them and wait for their rows.
 * Those of the shards that there are EXPORT theirs, resident by resident, shard by shard and piece by piece, and those to come
 * TAKE what is theirs of every piece. When all has MOVED they bind programs as others do. Whoever is not needed any more is
 * DISMISSED.
 *
 * A bell is one end of a socket pair; whoever sent it keeps the other. Each end rings the other.
 *
 * Every message starts with psy__said, so that a peer of another version is recognised before anything else is read.
 * A message of the wrong size, kind, version or order ends the link.
 */
#ifndef PSY_SERVICE_PROTOCOL_H
#define PSY_SERVICE_PROTOCOL_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <psyne/agent.h>
#include <psyne/edit.h>
#include <psyne/status.h>

#include "service/snapshot.h"
#include "transport/transport.h"

enum { PSY_PROTOCOL_MAJOR = 4, PSY_PROTOCOL_MINOR = 0, PSY_NAME_BYTES = 128, PSY_SHARDS_MAX = 64, PSY_SYMBOLS_MAX = 64 };
enum {
    PSY_PROGRAMS_MAX = 256,      /* places */
    PSY_PROGRAM_NAME_BYTES = 64, /* of a program, with the end */
    PSY_RESIDENT_NAME_BYTES = 128
};

typedef enum psy__word {
    PSY_SAY_HELLO = 1,
    PSY_SAY_WELCOME,
    PSY_SAY_ATTACH,
    PSY_SAY_ATTACHED,
    PSY_SAY_OPEN,
    PSY_SAY_OPENED,
    PSY_SAY_REFUSED,
    PSY_SAY_HIRED,
    PSY_SAY_READY,
    PSY_SAY_CHANNEL,
    PSY_SAY_GONE,
    PSY_SAY_PROGRAM,
    PSY_SAY_ENGAGED,
    PSY_SAY_PROGRAM_READY,
    PSY_SAY_PROGRAM_REFUSED,
    PSY_SAY_PROGRAM_GONE,
    PSY_SAY_SEND,
    PSY_SAY_SENT,
    PSY_SAY_LEAVING,
    PSY_SAY_DESCRIBE,
    PSY_SAY_DESCRIBED,
    PSY_SAY_LIST,
    PSY_SAY_LISTED,
    PSY_SAY_EDIT,
    PSY_SAY_EDITED,
    PSY_SAY_EDIT_STAGE,
    PSY_SAY_EDIT_COUNTED,
    PSY_SAY_EDIT_TOTALS,
    PSY_SAY_EDIT_READY,
    PSY_SAY_EDIT_REFUSED,
    PSY_SAY_EDIT_DONE,
    PSY_SAY_EDIT_APPLIED,
    PSY_SAY_EDIT_GONE,
    PSY_SAY_SNAPSHOT,
    PSY_SAY_SNAPSHOT_PART,
    PSY_SAY_SNAPSHOT_DONE,
    PSY_SAY_SNAPSHOT_GONE,
    PSY_SAY_EXPORT,
    PSY_SAY_EXPORTED,
    PSY_SAY_TAKE,
    PSY_SAY_TAKEN,
    PSY_SAY_MOVED,
    PSY_SAY_MOVE_REFUSED,
    PSY_SAY_DISMISSED,
    PSY_SAY_PAYLOADS
} psy__word;

typedef struct psy__said {
    uint32_t magic; /* PSY_PROTOCOL_MAGIC */
    uint16_t major, minor;
    uint32_t what;  /* psy__word */
    uint32_t bytes; /* of the whole message */
} psy__said;

#define PSY_PROTOCOL_MAGIC UINT32_C(0x31595350) /* "PSY1" */

enum { PSY_ROLE_CLIENT = 1, PSY_ROLE_WORKER = 2 };

typedef struct psy__hello {
    psy__said said;
    uint32_t role, shard; /* worker: the shard it wants to be; client: what socket/peer.h says */
    uint64_t module_hash; /* worker: a module that the service must have; 0: any */
} psy__hello;

/* To a client. */
typedef struct psy__welcome {
    psy__said said;
    uint32_t places;                     /* for shards that write replies */
    uint32_t request_bytes, reply_bytes; /* the largest that there can be */
    uint32_t in_flight_max;
    uint64_t request_salt[2]; /* this channel's */
    uint64_t route_salt[2];   /* the service's */
} psy__welcome;

/* From a client. Files: request slab, response slab, a bell of its own: workers and broker ring it, and it rings the broker. */
typedef struct psy__attach {
    psy__said said;
    uint32_t request_slots, request_stride;
    uint32_t reply_slots, reserved;
} psy__attach;

typedef struct psy__attached {
    psy__said said;
    uint32_t client, reserved; /* its number at the broker, for people */
} psy__attached;

typedef struct psy__open {
    psy__said said;
    char pipeline[2 * PSY_NAME_BYTES]; /* "pipeline", "program/pipeline" or "program@version/pipeline" */
    char request_name[PSY_NAME_BYTES], reply_name[PSY_NAME_BYTES];
    uint64_t request_hash, reply_hash;
} psy__open;

typedef struct psy__opened {
    psy__said said;
    uint32_t pipeline, request_type; /* pipeline: a route of this client's, until it goes */
    uint32_t request_bytes, reply_bytes, key_offset, reserved;
} psy__opened;

/* To a client or worker: why not. `fatal`: the link ends. */
typedef struct psy__refused {
    psy__said said;
    uint32_t status, fatal;
    char text[512];
} psy__refused;

/* To a worker. Files: its ring's slab, the gather slab. */
typedef struct psy__hired {
    psy__said said;
    uint32_t shard, shards; /* which of how many */
    uint32_t place, places; /* as what it writes and reports, and how many there are of those */
    uint32_t ring_slots, ring_stride;
    uint32_t tickets, reply_stride;
    uint64_t partial_bytes; /* one shard's record: the largest that there can be */
    uint64_t route_salt[2];
    uint32_t moves, reserved; /* moves: the rows come from the workers that there are */
} psy__hired;

/* To a worker, before the programs: where payloads lie that are sent by reference. File: the slab. None is said where there is
 * none. */
typedef struct psy__payloads_said {
    psy__said said;
    uint32_t slots, stride;
} psy__payloads_said;

enum {
    PSY_PROGRAM_NATIVE = 1, /* the operator named it: native kernels may run */
    PSY_PROGRAM_SERVED = 2  /* a worker without it cannot serve */
};

/* To a worker. File: a slab with the module's bytes; none where `bytes` is 0: the worker was made with that module. */
typedef struct psy__program_said {
    psy__said said;
    uint32_t number, place;
    uint32_t version, flags;
    uint64_t hash, bytes;
    uint64_t arena_bytes, work; /* per message at most; 0: what the engine allows */
    char name[PSY_PROGRAM_NAME_BYTES];
} psy__program_said;

/* To a worker: every program that there is has been said, and every edit that is kept. */
typedef struct psy__engaged {
    psy__said said;
    uint64_t data_version;  /* that it must have before it is ready */
    uint64_t equal_version; /* where its data has this one, shards have equal parts of what is split; 0: any */
} psy__engaged;

/* From a worker: it can run the program. */
typedef struct psy__program_ready {
    psy__said said;
    uint32_t number, symbol_count;
    uint64_t symbols[PSY_SYMBOLS_MAX]; /* GLOBAL sizes: all shards must agree; others 0 */
} psy__program_ready;

/* From a worker: why it cannot. */
typedef struct psy__program_refused {
    psy__said said;
    uint32_t number, status;
    char text[512];
} psy__program_refused;

/* To a worker: no request names it any more. */
typedef struct psy__program_gone {
    psy__said said;
    uint32_t number, reserved;
} psy__program_gone;

/* From a client. File: a slab with the module's bytes. */
typedef struct psy__send {
    psy__said said;
    uint64_t bytes;
    char name[PSY_PROGRAM_NAME_BYTES];
} psy__send;

/* To a client: its program is there. */
typedef struct psy__sent {
    psy__said said;
    uint32_t version, reserved;
} psy__sent;

/* From a client: which module is that? Names as in OPEN. */
typedef struct psy__describe {
    psy__said said;
    char pipeline[2 * PSY_NAME_BYTES];
} psy__describe;

/* To a client. File: the module's bytes, sealed. */
typedef struct psy__described {
    psy__said said;
    uint64_t bytes, hash;
} psy__described;

enum { PSY_LISTED_MAX = 2 };

/* From a client: what is there, from that place on, the one that LISTED gave last; zeroes: from the begin. */
typedef struct psy__list {
    psy__said said;
    uint64_t program;
    uint32_t pipeline, most; /* most: 1 .. PSY_LISTED_MAX */
} psy__list;

enum { PSY_LISTED_NEWEST = 1, PSY_LISTED_OWN = 2 };

/* To a client. `count` less than it asked for: there are no more. */
typedef struct psy__listed {
    psy__said said;
    uint64_t program; /* where it goes on */
    uint32_t pipeline, count;
    struct psy__listed_row {
        char program[PSY_PROGRAM_NAME_BYTES], pipeline[PSY_NAME_BYTES];
        char request_name[PSY_NAME_BYTES], reply_name[PSY_NAME_BYTES];
        uint64_t request_hash, reply_hash;
        uint32_t version, flags;
    } rows[PSY_LISTED_MAX];
} psy__listed;
static_assert(sizeof(psy__listed) <= PSY_CONTROL_BYTES_MAX, "a page of the list is one control message");

/* From a worker: it has said PROGRAM_READY of every program. File: a bell, as for clients. */
typedef struct psy__ready {
    psy__said said;
    uint64_t data_version, series; /* series: of the snapshot that its data comes from; 0: it does not */
} psy__ready;

/* To a worker: a client. Files: its response slab, its bell. */
typedef struct psy__channel_said {
    psy__said said;
    uint32_t channel, epoch;
    uint32_t reply_slots, reply_stride;
} psy__channel_said;

/* To a worker: the client has gone. From a worker: it cannot map the client's memory. */
typedef struct psy__gone {
    psy__said said;
    uint32_t channel, epoch;
} psy__gone;

/* From a client. File: edit_file.h. */
typedef struct psy__edit_sent {
    psy__said said;
} psy__edit_sent;

/* To a client: its edits are part of the data from this version on. */
typedef struct psy__edited {
    psy__said said;
    uint64_t version;
} psy__edited;

/* To a worker, of the edit that has that number. STAGE, with the file: check it and make the next version; `version` is not 0
 * where the service has made that version of it before, with those sizes. TOTALS: the sizes over all shards. */
typedef struct psy__edit_staged {
    psy__said said;
    uint64_t number, version;
    uint64_t totals[PSY_EDITS_TOGETHER_MAX],
        firsts[PSY_EDITS_TOGETHER_MAX]; /* rows; of split data, those before this shard's */
} psy__edit_staged;

/* From a worker: the rows that it will have of each part. */
typedef struct psy__edit_counted {
    psy__said said;
    uint64_t number;
    uint64_t rows[PSY_EDITS_TOGETHER_MAX];
} psy__edit_counted;

/* EDIT_READY and EDIT_APPLIED of a worker, DONE and GONE of the broker. DONE: requests that name `version` may come; none that
 * names an older one comes any more. */
typedef struct psy__edit_word {
    psy__said said;
    uint64_t number, version;
} psy__edit_word;

/* From a worker: why it cannot take the edit. */
typedef struct psy__edit_refused {
    psy__said said;
    uint64_t number;
    uint32_t status, reserved;
    char text[512];
} psy__edit_refused;

/* SNAPSHOT, to a worker, with a folder: write the version of the data that you have there. GONE: it is not wanted any more, but
 * answered all the same. */
typedef struct psy__snapshot_word {
    psy__said said;
    uint64_t number, version;
} psy__snapshot_word;

/* From a worker: what it has written of one resident. */
typedef struct psy__snapshot_part_said {
    psy__said said;
    uint64_t number;
    char resident[PSY_SNAPSHOT_NAME_BYTES];
    uint32_t dtype, rank, placement, reserved;
    uint64_t dims[PSY_RANK_MAX], rows;
    uint64_t bytes, checksum, keys_bytes, keys_checksum; /* of the files */
} psy__snapshot_part_said;

/* From a worker: that was all of it; status not OK: it could not, and why. */
typedef struct psy__snapshot_done {
    psy__said said;
    uint64_t number;
    uint32_t status, parts;
    char text[512];
} psy__snapshot_done;

/* To a worker: give rows of a resident, from that one of its own on. */
typedef struct psy__export {
    psy__said said;
    uint64_t number; /* of the change */
    uint64_t row;
    uint32_t dataset, reserved;
    char resident[PSY_RESIDENT_NAME_BYTES]; /* empty: that of its datasets */
} psy__export;

/* From it. File: edit_file.h, a reload; none: there is no such dataset. */
typedef struct psy__exported {
    psy__said said;
    uint64_t number;
    uint64_t first,
        total; /* the number over all shards that the first of the rows has, where it is not `by key`; rows of all */
    uint32_t placement, more;
} psy__exported;

/* To a worker: rows, of which it takes its own. The same file. */
typedef struct psy__take {
    psy__said said;
    uint64_t number;
    uint64_t first, total;
    uint32_t placement, last; /* last: that was all of the resident */
    uint32_t shard, shards;   /* whose they were, of how many */
} psy__take;

/* TAKEN of a worker, MOVED of the broker: that was all of the data. */
typedef struct psy__move_word {
    psy__said said;
    uint64_t number, version; /* version: of the data */
} psy__move_word;

/* MOVE_REFUSED of a worker: why it cannot give or take. */
typedef psy__edit_refused psy__move_refused;

/* To a worker, as LEAVING: it finishes what it has and goes. */
typedef struct psy__dismissed {
    psy__said said;
} psy__dismissed;

/* From a worker: give me nothing more; close the link when I hold nothing of anybody. */
typedef struct psy__leaving {
    psy__said said;
} psy__leaving;

/* Fills the header of a message of `bytes` and sends it with `fd_count` files. */
PSY_NODISCARD psy_status psy__say(psy__link *link, psy__word what, void *message, uint32_t bytes, const int *fds,
                                  uint32_t fd_count);

/* Says HELLO. OK also where the peer has hung up: what it said before, such as why not, is to be heard still. */
PSY_NODISCARD psy_status psy__introduce(psy__link *link, psy__hello *hello);

/* Checks magic, version, size and kind of a message that came, and its number of files; copies it out. Where it does not hold:
 * PROTOCOL, or VERSION with both named; files stay with the caller in any case. */
PSY_NODISCARD psy_status psy__heard(const psy__control *control, psy__word what, void *message, uint32_t bytes,
                                    uint32_t fd_count);

/* Whether a message is a well-formed REFUSED; if so, `*status` is what it says (never OK), its text is this thread's detail,
 * and
 * `*fatal` says that the link ends. */
bool psy__heard_refusal(const psy__control *control, psy_status *status, bool *fatal);

/* What a message says it is (0: too short to say), unchecked otherwise. */
psy__word psy__heard_what(const psy__control *control);

/* What has come by now: the message that is due; EMPTY: nothing yet; PEER_DIED: the link is closed; a REFUSED comes back as its
 * own status and text, and everything else as PROTOCOL or VERSION. Never blocks. */
PSY_NODISCARD psy_status psy__hear_now(psy__link *link, psy__word what, void *message, uint32_t bytes, int *fds,
                                       uint32_t fd_count);

/* The same for a message that was taken from the link already. Its files are closed unless it is OK. */
PSY_NODISCARD psy_status psy__hear_this(psy__control *control, psy__word what, void *message, uint32_t bytes, int *fds,
                                        uint32_t fd_count);

/* What waits for a peer: an agent works meanwhile, if there is one. */
typedef struct psy__patience {
    psy_agent agent;
    uint64_t deadline_ns;
} psy__patience;

/* Lets the agent work, or waits for a word over the link (NULL: for a moment). False: the time is up. */
bool psy__bide(psy__link *link, const psy__patience *patience);

/* psy__connect, with patience. */
PSY_NODISCARD psy_status psy__call_up(const char *uri, const psy__patience *patience, psy__link **out);

/* Waits for the next message. CLOSED, TIMEOUT; a REFUSED comes back as its own status and text. */
PSY_NODISCARD psy_status psy__await(psy__link *link, psy__word what, void *message, uint32_t bytes, int *fds, uint32_t fd_count,
                                    const psy__patience *patience);

/* The same for a message of any kind, which is the caller's, with its files. A REFUSED still comes back as its status;
 * *refused, if wanted, says that this is what it was and that the link goes on. */
PSY_NODISCARD psy_status psy__await_any(psy__link *link, psy__control *control, bool *refused, const psy__patience *patience);

/* Both where nobody works meanwhile. */
static inline psy_status psy__hear(psy__link *link, psy__word what, void *message, uint32_t bytes, int *fds, uint32_t fd_count,
                                   uint64_t deadline_ns)
{
    const psy__patience patience = {.deadline_ns = deadline_ns};
    return psy__await(link, what, message, bytes, fds, fd_count, &patience);
}
static inline psy_status psy__hear_any(psy__link *link, psy__control *control, bool *refused, uint64_t deadline_ns)
{
    const psy__patience patience = {.deadline_ns = deadline_ns};
    return psy__await_any(link, control, refused, &patience);
}

/* Says REFUSED with this thread's detail. */
void psy__refuse(psy__link *link, psy_status status, int fatal);

void psy__close_fds(int *fds, uint32_t count);

#endif

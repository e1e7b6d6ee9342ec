/* SPDX-License-Identifier: Apache-2.0 */
/* What a broker knows, for its files: broker.c (the agent), broker_link.c (who is there), broker_admit.c (who may be),
 * broker_edit.c (changes of the data), broker_snapshot.c (their writing to disk),
 * broker_layout.c (how many shards there are), broker_program.c (programs by name),
 * broker_stage.c (their modules at the workers), broker_open.c (what clients open and send), broker_describe.c (what they are
 * told of it), broker_route.c (requests and tickets), share.c (whose turn it is), broker_health.c (how it is, and its end),
 * broker_tell.c (what is told of requests). */
#ifndef PSY_SERVICE_BROKER_STATE_H
#define PSY_SERVICE_BROKER_STATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include <psyne/bell.h>
#include <psyne/broker.h>
#include <psyne/ring.h>
#include <psyne/slab.h>

#include "isa/verify.h"
#include "service/counting.h"
#include "service/edit_file.h"
#include "service/errand.h"
#include "service/events.h"
#include "service/gather.h"
#include "service/guard.h"
#include "service/measure.h"
#include "service/module_file.h"
#include "service/payloads.h"
#include "service/protocol.h"
#include "service/response.h"
#include "service/share.h"
#include "service/snapshot.h"

enum { PSY_GUESTS_MAX = 32, PSY_CLIENT_IN_FLIGHT_MAX = 65536, PSY_TITLES_MAX = 512, PSY_ROUTES_MAX = 1024, PSY_OUTCOMES = 64 };
#define PSY_GUEST_NS UINT64_C(5000000000) /* how long a place is kept for somebody who says nothing */

#define PSY_SEND_WAITS UINT64_MAX
enum { PSY_CLIENT_PROGRAMS_MAX = 128 }; /* of all clients: the operator has room for others */

/* STAGING: not all workers have it yet. LEAVING: nobody can name it any more, but a request or a worker may still have it. */
typedef enum psy__staged_phase { STAGED_NONE = 0, STAGED_STAGING, STAGED_SERVED, STAGED_LEAVING } psy__staged_phase;

/* A module as the workers have it, at a place. Several names may stand for one. */
typedef struct psy__staged {
    psy__staged_phase phase;
    uint32_t number;          /* never another's */
    uint32_t titles;          /* names that stand for it */
    bool limited;             /* a client sent it: it is held to limits */
    bool fresh;               /* a name has come that is not served yet */
    const psy_module *module; /* held */
    psy_slab *file;           /* its bytes, for workers; NULL: they were made with it */
    uint64_t tickets;         /* in flight */
    uint64_t told, ready;     /* shards (bits) */
    uint64_t sized;           /* shards whose `symbols` are those of the present data */
    uint64_t *symbols;        /* symbol_count for each shard that is ready: GLOBAL sizes */
    int described;            /* its bytes, sealed, for clients; -1: none has asked yet */
    psy__latency *latencies;  /* by pipeline; NULL: they are counted with those of clients' programs */
} psy__staged;

/* A name and a version. */
typedef struct psy__title {
    uint64_t ticket; /* 0: there is none here */
    char name[PSY_PROGRAM_NAME_BYTES];
    uint32_t version, place;
    uint32_t owner, epoch; /* the client whose it is; PSY_NONE: the service's */
    bool served, replace;
} psy__title;

/* What became of one that was not served. */
typedef struct psy__outcome {
    uint64_t ticket;
    psy_status status;
    char text[512];
} psy__outcome;

/* Where a client's requests of one pipeline go: what its envelopes name. */
typedef struct psy__route {
    psy__staged *program; /* NULL: nowhere; `why` is answered */
    uint32_t pipeline;    /* of its module */
    uint32_t request_type, request_bytes;
    uint8_t kind; /* PSY_ROUTE_* */
    uint8_t why;
} psy__route;

/* What it was opened as: found again when programs change. */
typedef struct psy__route_name {
    char program[PSY_PROGRAM_NAME_BYTES], pipeline[2 * PSY_NAME_BYTES];
    uint32_t version; /* 0: the newest */
    bool own;         /* a program of the client's own */
    uint64_t request_hash, reply_hash;
    uint32_t key_offset; /* as the client was told */
} psy__route_name;

/* CALLED: said HELLO, waits for the shards. WELCOMED: was told the geometry. SERVED: its slabs are mapped. */
typedef enum psy__client_phase { CLIENT_NONE = 0, CLIENT_CALLED, CLIENT_WELCOMED, CLIENT_SERVED } psy__client_phase;

typedef struct psy__client {
    psy__client_phase phase;
    uint32_t epoch; /* counts the clients that had this place */
    psy__link *link;
    psy_slab *request_slab, *response_slab;
    psy_ring requests;
    psy__responses responses;
    psy_ring completions; /* the broker's own, for errors */
    bool completed;       /* something was put there in this round */
    uint64_t untold;      /* shards (bits) that have not been told of this client yet */
    psy_bell bell;
    uint64_t sequence;
    psy__route *routes;
    psy__route_name *route_names;
    uint32_t route_count, route_room;
    uint64_t sending;       /* ticket of the program that it has sent and waits for; 0: none; PSY_SEND_WAITS */
    psy__send send;         /* that waits for its turn, */
    int send_fd;            /* and its module */
    uint64_t editing;       /* ticket of the edit that it waits for; 0: none */
    uint64_t attach_due_ns; /* WELCOMED: it has handed over its slabs by then */
    psy__pass pass;
    psy__share share;
} psy__client;

/* A worker's place: a link, rings, a writer of replies, a bit in masks. What this file and others call the number of a shard
 * is its place, unless they say that it is one of a layout. */
typedef enum psy__shard_phase { SHARD_NONE = 0, SHARD_HIRED, SHARD_READY } psy__shard_phase;

typedef struct psy__shard {
    psy__shard_phase phase;
    uint32_t index; /* which shard of its layout it is */
    psy__link *link;
    psy_slab *slab; /* its request ring, then its finish ring */
    psy_ring requests, finished;
    psy_bell bell;
    uint32_t late;   /* failed tickets that it has not reported on: it stalls */
    uint32_t untold; /* clients that it has not been told of: its link was full */
    bool engaged;    /* it was told of every program that there was when it came */
    bool loaded;     /* said READY; it is when nobody is untold */
    bool sent;
    bool leaving;          /* READY, but takes no more requests: it finishes what it has */
    bool dismissed;        /* it was told to leave */
    uint32_t before;       /* workers that had this shard */
    uint64_t kept_version; /* of the data, up to which it was told of edits that were made before it came */
    psy__pass pass;
} psy__shard;

/* How workers share out what there is. Its shards are numbered in the order of their places. */
typedef struct psy__layout {
    uint32_t number, count;
    uint64_t mask; /* its places, as bits */
    uint8_t places[PSY_SHARDS_MAX];
    uint64_t version; /* of the data, whose parts were made equal for it; 0: it is the first one */
} psy__layout;

/* The broker's own record of a ticket; what lies in shared memory is only ever compared with it. */
typedef struct psy__ticket_record {
    bool used, failed, traced;
    bool alone; /* goes to one shard, which answers by itself: only the reply's slot says who may, and the gather slab's ticket
                   is not used */
    uint32_t generation;
    uint32_t channel, epoch, slot, slot_generation;
    uint32_t place, pipeline; /* of the program */
    uint32_t reference;       /* where its payload lies for all shards; 0: in their rings */
    uint64_t expected;
    uint64_t late; /* failed: the shards that had not reported then */
    uint64_t request, deadline_ns;
    psy__latency *latency; /* of the pipeline, and when the request came: told once how it ended */
    uint64_t began_ns;
} psy__ticket_record;

/* A change of the data that waits for its turn, or is on its way. */
typedef struct psy__queued_edit {
    uint64_t ticket;
    psy__edit file;
    uint32_t owner, epoch; /* the client that asked; PSY_NONE: the operator */
    uint32_t tries;        /* how often a worker was lost over it */
    uint32_t copies;       /* parts (bits) that every shard has whole */
} psy__queued_edit;

/* One that was made, for workers that come later. */
typedef struct psy__kept_edit {
    uint64_t version; /* that it made */
    int fd;
    uint64_t bytes, totals[PSY_EDITS_TOGETHER_MAX];
    uint64_t firsts[][PSY_EDITS_TOGETHER_MAX]; /* by shard of the layout */
} psy__kept_edit;

typedef struct psy__edit_outcome {
    uint64_t ticket, version;
    psy_status status;
    char text[512];
} psy__edit_outcome;

enum { PSY_EDITS_QUEUED = 32 };
static const uint64_t psy__edits_kept_bytes_max = UINT64_C(1) << 30; /* of all that are kept */
typedef enum psy__edits_phase { EDITS_IDLE = 0, EDITS_COUNTING, EDITS_BINDING, EDITS_FLIPPED, EDITS_GOING } psy__edits_phase;

/* Changes of the data: broker_edit.c. */
typedef struct psy__edits {
    psy__edits_phase phase; /* of the first of the queue, or of the last one that was */
    uint64_t version;       /* of the data: what requests see that come now */
    uint64_t series;        /* which versions follow each other: a number of its own, or that of the snapshot it began with */
    uint64_t number, next_ticket;
    psy__queued_edit *queue[PSY_EDITS_QUEUED];
    uint32_t queued;
    /* Shards (bits) that were told of it, have counted, know the sizes, are ready; know that it is made, have made it, or know
     * that it is taken back. */
    uint64_t told, counted, sized, ready, done, applied, gone;
    uint64_t rows[PSY_SHARDS_MAX][PSY_EDITS_TOGETHER_MAX], firsts[PSY_SHARDS_MAX][PSY_EDITS_TOGETHER_MAX];
    uint64_t totals[PSY_EDITS_TOGETHER_MAX];
    psy__kept_edit **kept; /* the first one first, without a gap, up to the present version */
    uint32_t kept_count;
    uint64_t kept_bytes;
    psy__edit_outcome outcomes[PSY_OUTCOMES];
} psy__edits;

enum { PSY_CHANGE_OUTCOMES = 16 };
typedef struct psy__change_outcome {
    uint64_t ticket;
    psy_status status;
    char text[512];
} psy__change_outcome;

/* JOINING: workers of the shards to come are waited for. ASKING, EXPORTING, GIVING: a shard is to be asked for rows, was, and
 * has given some, which the others take. BINDING: all has moved. */
typedef enum psy__change_phase {
    CHANGE_NONE = 0,
    CHANGE_JOINING,
    CHANGE_ASKING,
    CHANGE_EXPORTING,
    CHANGE_GIVING,
    CHANGE_BINDING
} psy__change_phase;

/* A change of the shards: broker_layout.c. */
typedef struct psy__change {
    psy__change_phase phase;
    uint64_t number; /* of this one, or the last */
    psy__layout next;
    char resident[PSY_RESIDENT_NAME_BYTES]; /* that moves; empty: nobody has said yet what it is */
    uint32_t dataset, placement;            /* its number at shard 0 */
    uint32_t from;                          /* the shard that gives its part, */
    uint64_t row;                           /* from that row of its own on */
    uint64_t row_of_all, total;             /* rows that have moved, and that there are */
    int file;                               /* on its way; -1: none */
    uint64_t piece;                         /* its rows */
    bool more;                              /* the same shard has others */
    uint64_t told, taken;                   /* places (bits) of the workers to come */
    uint64_t rows, bytes, began_ns;         /* of the whole change */
    psy__change_outcome outcomes[PSY_CHANGE_OUTCOMES];
} psy__change;

typedef enum psy__snapshots_phase {
    SNAPSHOT_IDLE = 0,
    SNAPSHOT_PREPARING,
    SNAPSHOT_WAITING, /* until no edit is on its way, and every shard has a worker */
    SNAPSHOT_TELLING,
    SNAPSHOT_WRITING,
    SNAPSHOT_COMMITTING,
    SNAPSHOT_GOING,
    SNAPSHOT_CLEARING
} psy__snapshots_phase;

/* Their writing to disk, one at a time: broker_snapshot.c. */
typedef struct psy__snapshots {
    psy__snapshots_phase phase;
    uint64_t ticket, next_ticket; /* of the one that is on its way; it is its number, too */
    char *path;
    int folder, files; /* descriptors: of `path`, and of the files' folder in it; -1: none */
    psy__errand errand;
    psy__snapshot list;        /* as far as workers have said */
    uint64_t told, done, gone; /* shards (bits) that were told of it, that have ended, that were told that it is not to be */
    uint32_t parts[PSY_SHARDS_MAX]; /* of each shard, residents that it has named */
    uint64_t began_ns;
    psy_status status;
    char why[512];
    psy__edit_outcome outcomes[PSY_OUTCOMES];
} psy__snapshots;

/* What any thread may read or ask for; written by the broker's own, but for `drain`. */
typedef struct psy__health {
    _Atomic bool drain, drained;
    _Atomic uint64_t beat_ns, missing;
    _Atomic uint32_t shards, ready, clients, in_flight;
} psy__health;

struct psy_broker {
    psy__staged staged[PSY_PROGRAMS_MAX]; /* by place */
    uint32_t staged_top;                  /* places in use: 0 .. staged_top - 1 may be */
    uint32_t next_number;
    psy__title titles[PSY_TITLES_MAX];
    uint32_t title_top;
    uint64_t next_ticket;
    bool unsettled; /* programs that somebody has to be told of, or that may be ready, or gone */
    psy__outcome outcomes[PSY_OUTCOMES];
    uint32_t client_programs;
    uint32_t sends_waiting, next_sender; /* clients whose programs wait for their turn; who is looked at first */
    uint64_t send_ticket;                /* the one whose turn it is; 0: nobody's */
    uint64_t send_began_ns, sends_due_ns;
    uint64_t client_program_bytes, client_edit_bytes;
    psy__edits edits;
    psy__snapshots snapshots;
    psy__limits client_limits;
    psy__listener *listener;
    psy__link *guests[PSY_GUESTS_MAX];     /* connected, not introduced */
    uint64_t guest_due_ns[PSY_GUESTS_MAX]; /* who says nothing until then makes place for others */
    psy__pass guest_passes[PSY_GUESTS_MAX];
    bool crowded; /* no place or no descriptor for another guest: not worth being woken for */
    psy__client *clients;
    uint32_t client_room, next_client;
    uint32_t client_top; /* places in use: 0 .. client_top - 1 may be */
    psy__shard *shards;  /* by place */
    uint32_t place_count;
    psy__layout layout;
    uint32_t ready_count; /* of the layout's shards, without those that leave */
    uint32_t next_shard;  /* of the layout */
    psy_slab *gather_slab;
    psy__gather gather;
    psy__payloads payloads;
    psy__ticket_record *tickets;
    uint32_t *free_tickets;
    uint32_t free_count, ticket_count;
    uint32_t request_bytes, reply_bytes, ring_stride, ring_slots;
    uint64_t route_salt[2];
    uint64_t now_ns, tick_due_ns;
    uint64_t overdue_ns; /* no deadline passes before */
    struct pollfd *polls;
    psy_bell doorbell; /* for psy_broker_stop; peers ring their bells */
    _Atomic bool stop;
    psy__counting counting;
    psy__broker_measure measure;
    psy_broker_counts counts;
    psy__events events;
    psy__guard guard;
    psy__fairness fairness;
    psy__health health;
    bool draining;
    psy__change change;
    uint64_t writers; /* places (bits) that clients look for replies of */
    uint32_t contended_in_flight;
};

/* Whose times a request's are. */
static inline psy__latency *psy__measure_of(psy_broker *b, const psy__staged *program, uint32_t pipeline)
{
    return program->latencies ? &program->latencies[pipeline] : &b->measure.of_clients;
}

/* ---- broker_link.c ---- */
/* Handles everything that the listener and the links have. Returns how much. */
uint32_t psy__broker_links(psy_broker *b);
void psy__broker_drop_client(psy_broker *b, uint32_t index);
void psy__broker_drop_shard(psy_broker *b, uint32_t index);

/* ---- broker_program.c ---- */
/* Takes a program in, as the service's (owner PSY_NONE) or a client's; `limited`: held to what clients are allowed. As
 * psy_broker_add_program. */
PSY_NODISCARD psy_status psy__broker_entitle(psy_broker *b, const psy_program *program, uint32_t owner, bool limited,
                                             uint64_t *ticket);
/* A program with which the service begins: nobody is asked. */
PSY_NODISCARD psy_status psy__broker_begin_with(psy_broker *b, const psy_program *program);
/* Whether a program of the service has that module (0: any will do). LAYOUT. */
PSY_NODISCARD psy_status psy__broker_has_module(const psy_broker *b, uint64_t hash);
/* Every worker has what stands at the place: its names that are not served yet are. */
void psy__broker_serve(psy_broker *b, uint32_t place);
/* What stands there is refused as a whole: this thread's detail says why. */
void psy__broker_refuse(psy_broker *b, uint32_t place, psy_status status);
/* The title; version 0: the newest that is served. NULL: there is none. `owner` as above. */
psy__title *psy__broker_title(psy_broker *b, const char *name, uint32_t version, uint32_t owner);
/* The client's programs go. */
void psy__broker_drop_titles(psy_broker *b, uint32_t client);

/* ---- broker_stage.c ---- */
/* Where a module is staged, or will be. LIMIT, NO_MEMORY. */
PSY_NODISCARD psy_status psy__broker_stage(psy_broker *b, const psy_module *module, bool limited, uint32_t *place);
/* Whether those bytes stand there. */
bool psy__staged_is(const psy__staged *s, const psy_module *module);
/* Tells workers of programs that come and go, and settles what is ready, or gone. Returns how much. */
uint32_t psy__broker_programs(psy_broker *b);
/* Tells a shard what it has not been told of: OK, also where its link is full. */
PSY_NODISCARD psy_status psy__broker_tell_programs(psy_broker *b, uint32_t shard);
/* PROGRAM_READY or PROGRAM_REFUSED from a shard. Not OK: the shard is dropped. */
PSY_NODISCARD psy_status psy__broker_hear_program(psy_broker *b, uint32_t shard, const psy__control *control);
/* Whether a shard has said that it is ready for each program that is served. */
bool psy__broker_shard_is_complete(const psy_broker *b, uint32_t shard);
void psy__broker_forget_shard(psy_broker *b, uint32_t shard);
void psy__broker_drop_programs(psy_broker *b);

/* ---- broker_edit.c ---- */
/* A step of the edit that is on its way, before requests are taken in. Returns whether anything happened. */
uint32_t psy__broker_edits(psy_broker *b);
static inline bool psy__broker_is_editing(const psy_broker *b) { return b->edits.phase != EDITS_IDLE; }
/* EDIT from a client. Not OK: the client is dropped. */
PSY_NODISCARD psy_status psy__broker_hear_edit(psy_broker *b, uint32_t client, psy__control *control);
/* EDIT_COUNTED, EDIT_READY, EDIT_REFUSED or EDIT_APPLIED from a shard. Not OK: the shard is dropped. */
PSY_NODISCARD psy_status psy__broker_hear_edited(psy_broker *b, uint32_t shard, const psy__control *control);
/* Tells a worker that came of the edits that are kept. FULL: the rest later. */
PSY_NODISCARD psy_status psy__broker_tell_kept(psy_broker *b, uint32_t shard);
/* Whether a worker that is about to be ready has the service's version of the data: INVALID. */
PSY_NODISCARD psy_status psy__broker_check_version(psy_broker *b, uint32_t shard, const psy__ready *said);
/* A set that is made into a file already, which is taken. As psy_broker_edit. */
PSY_NODISCARD psy_status psy__broker_edit_file(psy_broker *b, psy__edit *edit, uint64_t *ticket);
/* Workers that come later have that version: edits up to it need not be kept for them. */
void psy__broker_drop_kept(psy_broker *b, uint64_t version);
void psy__broker_forget_edits(psy_broker *b, uint32_t shard);
void psy__broker_drop_edits(psy_broker *b);

/* ---- broker_layout.c ---- */
/* The first layout: `places` 0: as many as shards. */
void psy__broker_layout_begin(psy_broker *b, uint32_t shards, uint32_t places);
static inline bool psy__broker_in_layout(const psy_broker *b, uint32_t place) { return b->layout.mask >> place & 1; }
/* Where a worker for that shard goes: of the shards that there are, else of those to come. LIMIT. */
PSY_NODISCARD psy_status psy__broker_find_place(const psy_broker *b, uint32_t shard, uint32_t *place);
/* Places (bits) from which a reply may come; and tells clients, where those are others. */
uint64_t psy__broker_writers(const psy_broker *b);
void psy__broker_tell_writers(psy_broker *b);
/* Rows are on their way: nothing else may change. */
static inline bool psy__broker_is_moving(const psy_broker *b) { return b->change.phase > CHANGE_JOINING; }
/* A step of the change that is on its way. Returns whether anything happened. */
uint32_t psy__broker_layout(psy_broker *b);
/* EXPORTED, TAKEN or MOVE_REFUSED from a shard. Not OK: the shard is dropped. */
PSY_NODISCARD psy_status psy__broker_hear_moved(psy_broker *b, uint32_t place, psy__control *control);
/* A worker is gone that was shard `index`. */
void psy__broker_layout_lost(psy_broker *b, uint32_t place, uint32_t index);
void psy__broker_drop_change(psy_broker *b);

/* ---- broker_snapshot.c ---- */
/* A step of the one that is on its way. Returns whether anything happened. */
uint32_t psy__broker_snapshots(psy_broker *b);
/* Edits have to wait for it. */
static inline bool psy__broker_is_snapping(const psy_broker *b) { return b->snapshots.phase == SNAPSHOT_TELLING; }
/* SNAPSHOT_PART or SNAPSHOT_DONE from a shard. Not OK: the shard is dropped. */
PSY_NODISCARD psy_status psy__broker_hear_snapshot(psy_broker *b, uint32_t shard, const psy__control *control);
void psy__broker_forget_snapshot(psy_broker *b, uint32_t shard);
void psy__broker_drop_snapshots(psy_broker *b);

/* ---- broker_open.c ---- */
/* OPEN and SEND from a client. Not OK: the client is dropped. */
PSY_NODISCARD psy_status psy__broker_hear_open(psy_broker *b, uint32_t client, const psy__control *control);
PSY_NODISCARD psy_status psy__broker_hear_send(psy_broker *b, uint32_t client, psy__control *control);
/* The program of a name as clients have it, and the pipeline's place in its module; the first alone does not say that they are
 * there. NOT_FOUND: the detail says what there is. */
PSY_NODISCARD psy_status psy__broker_find_program(psy_broker *b, uint32_t client, const char *text, psy__route_name *name);
PSY_NODISCARD psy_status psy__broker_find_pipeline(psy_broker *b, uint32_t client, const psy__route_name *name,
                                                   psy__staged **program, uint32_t *pipeline);
/* Takes the next program that a client has sent, when it is time. Returns how many. */
uint32_t psy__broker_take_sends(psy_broker *b);
/* The client goes: what it has opened and sent. */
void psy__broker_close_routes(psy_broker *b, uint32_t client);
/* Finds anew what clients opened by that name. */
void psy__broker_reroute(psy_broker *b, const char *name, uint32_t owner);

/* ---- broker_describe.c ---- */
/* DESCRIBE and LIST from a client. Not OK: the client is dropped. */
PSY_NODISCARD psy_status psy__broker_hear_describe(psy_broker *b, uint32_t client, const psy__control *control);
PSY_NODISCARD psy_status psy__broker_hear_list(psy_broker *b, uint32_t client, const psy__control *control);

/* ---- broker_route.c ---- */
/* Takes up to a batch of requests from a client to the shards. */
uint32_t psy__broker_drain(psy_broker *b, uint32_t client);
/* Frees what a shard has finished. */
uint32_t psy__broker_collect(psy_broker *b, uint32_t shard);
/* Fails requests whose deadline has passed. */
uint32_t psy__broker_overdue(psy_broker *b);
/* A shard died: ends its part in every ticket. */
void psy__broker_bury(psy_broker *b, uint32_t shard);
/* Publishes what this round wrote and wakes those who sleep. */
void psy__broker_flush(psy_broker *b);

/* ---- broker_admit.c ---- */
/* Who just came: is sent away at once where no rule has anything for it. */
void psy__broker_look_at_guest(psy_broker *b, uint32_t guest);
/* Where all places for guests are taken, one who has said nothing for a while gives way: of the user who has most. */
void psy__broker_make_place(psy_broker *b);
void psy__broker_show_out(psy_broker *b, uint32_t guest, psy_status status);
/* Who it is, and whether that one may be what it says: OK, DENIED, LIMIT (connections of its user), CLOSED (the broker drains),
 * PROTOCOL. */
PSY_NODISCARD psy_status psy__broker_admit(psy_broker *b, psy__link *link, const psy__hello *hello, psy__pass *out);
/* Mode (0: as it is) and group (NULL: the same) of the address. */
PSY_NODISCARD psy_status psy__broker_admit_group(psy_broker *b, uint32_t mode, const char *group);
/* Counts and tells that somebody was refused with this thread's detail; `shard` of a worker. */
void psy__broker_refused(psy_broker *b, const psy__pass *pass, uint32_t role, uint32_t shard, psy_status status);
/* The same of a request, of a pipeline that was asked for, and of a client that is dropped. */
void psy__broker_connected(psy_broker *b, uint32_t client);
void psy__broker_refused_request(psy_broker *b, uint32_t client, const psy_envelope *e, psy_status status);
void psy__broker_refused_pipeline(psy_broker *b, uint32_t client, psy_status status);
void psy__broker_dropped(psy_broker *b, uint32_t client, psy_status status);
/* OK, or DENIED: whether a client may use a right beyond connecting. Counts and tells what it may not. */
PSY_NODISCARD psy_status psy__guard_may(psy_broker *b, psy__client *client, uint32_t right);

/* ---- broker_tell.c ---- */
/* What becomes of a request: it was taken in and is traced; it failed; its ticket came back. */
void psy__broker_taken(psy_broker *b, uint32_t ticket, const psy_envelope *e);
void psy__broker_failed(psy_broker *b, const psy__ticket_record *record, uint32_t dead, psy_status status);
void psy__broker_tell_ended(psy_broker *b, const psy__ticket_record *record);
static inline void psy__broker_ended(psy_broker *b, const psy__ticket_record *record)
{
    psy__client *c = &b->clients[record->channel];
    if (c->phase == CLIENT_SERVED && c->epoch == record->epoch) {
        psy__share_free(&c->share);
    }
    if (record->traced) {
        psy__broker_tell_ended(b, record);
    }
}

/* ---- broker_health.c ---- */
/* Every millisecond: notes how the broker is, and whether it has drained. */
void psy__broker_tick(psy_broker *b);
/* A worker wants to leave: it gets no more requests, and goes when it has finished those that it has. */
psy_status psy__broker_hear_leaving(psy_broker *b, uint32_t shard, const psy__control *control);
/* A worker came, and has loaded. */
void psy__broker_hired(psy_broker *b, uint32_t shard, const psy__pass *pass);
void psy__broker_ready(psy_broker *b, uint32_t shard);
/* A worker has left or died; `requests` are those that failed with it. */
void psy__broker_lost_shard(psy_broker *b, uint32_t shard, uint64_t requests);

#endif

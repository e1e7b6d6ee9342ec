/* SPDX-License-Identifier: Apache-2.0 */
/* The soak of a whole service: what its processes share. One supervisor (soak.c) starts a broker and workers (soak_service.c)
 * and clients of every kind (soak_clients.c, over channels and sockets: soak_line.c), kills, stops and restarts them, and looks
 * at what they hold (soak_memory.c). Accounts lie in memory that the supervisor shares with all, so that a client that is
 * killed leaves its own behind. */
#ifndef PSY_TESTS_SERVICE_SOAK_H
#define PSY_TESTS_SERVICE_SOAK_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <psyne/channel.h>
#include <psyne/socket.h>

enum { SOAK_SHARDS = 3, SOAK_LANES = 3, SOAK_STATUSES = 64, SOAK_IN_FLIGHT_MAX = 256 };

/* ---- kinds of clients ---- */

typedef struct soak_kind {
    const char *name;
    bool socket, retry, trace, program, edits;
    uint32_t lanes;             /* of soak_lane_names, a bit each */
    uint32_t in_flight;         /* calls and replies that it has at most */
    uint32_t least_ms, most_ms; /* deadlines */
    uint32_t hold_ms;           /* replies are kept so long before they are given back */
    uint32_t blind_ms;          /* with all its calls out it reads nothing for so long */
    uint32_t cancel;            /* one call of so many is cancelled; 0: none */
} soak_kind;

extern const soak_kind soak_kinds[];
extern const uint32_t soak_kind_count;                /* one client of each */
extern const char *const soak_lane_names[SOAK_LANES]; /* to all shards, to the one with the key, to any */

/* ---- accounts ---- */

/* Of one client and those that take its place. sent = all of ended + abandoned + lost. */
typedef struct soak_account {
    _Atomic uint64_t sent, ended[SOAK_STATUSES]; /* by status */
    _Atomic uint64_t abandoned;                  /* were out when their client was killed */
    _Atomic uint64_t lost, twice, wrong;         /* never ended; ended again; ended otherwise than they may */
    _Atomic uint64_t connections, programs, edits;
    /* Calls that were out when their connection was lost, and how those ended: answered by the next service, or told. */
    _Atomic uint64_t crossed, crossed_ok, crossed_told;
} soak_account;

typedef struct soak_shared {
    _Atomic uint64_t complaints;
    _Atomic uint64_t swaps, swapped;        /* programs that the broker added; that were served */
    _Atomic uint64_t hung_ns;               /* until then a worker that stands still may be felt */
    _Atomic uint64_t traced;                /* events of traced requests */
    _Atomic uint64_t services[SOAK_SHARDS]; /* times that a worker became ready */
    /* Moments (soak_data.h): of the last edit that was begun, and of the last one that is known to be made. */
    _Atomic uint64_t begun, made;
    _Atomic bool ready;      /* the broker has seen every worker's READY */
    _Atomic uint32_t kept;   /* edits that the broker keeps, with a descriptor each */
    soak_account accounts[]; /* by kind */
} soak_shared;

/* Says what is wrong, and that something is: the soak has failed. */
__attribute__((format(printf, 2, 3))) void soak_complain(soak_shared *shared, const char *format, ...);

/* Set by SIGTERM: finish what is out, and end. */
extern volatile sig_atomic_t soak_ended;

/* ---- processes: each returns its exit status ---- */

/* SIGUSR1 changes the program. */
int soak_broker(soak_shared *shared, const char *uri);
int soak_worker(soak_shared *shared, const char *uri, uint32_t shard);
int soak_client(soak_shared *shared, const char *uri, uint32_t kind, uint64_t seed);

/* Numbers that look random, from a seed. */
uint64_t soak_random(uint64_t *seed);

/* ---- lines: a channel or a socket ---- */

typedef struct soak_reply {
    uint64_t number; /* of the request */
    psy_status status;
    const void *message;
    uint32_t bytes;
    psy_reply channel;
    psy_completion socket;
} soak_reply;

typedef struct soak_line {
    const soak_kind *kind;
    psy_channel *channel;
    psy_socket *socket;
    psy_pipeline pipelines[SOAK_LANES];
    uint32_t lanes[SOAK_LANES]; /* of the socket */
    bool lost;                  /* a connection, since somebody last looked */
} soak_line;

/* What cancels a call. */
typedef struct soak_ticket {
    psy_call call;
    uint64_t number;
} soak_ticket;

/* OK; else the connection could not be made, and the line is closed. */
psy_status soak_line_open(soak_line *line, const soak_kind *kind, const char *uri);
/* The client's own program: from now on calls go to it. */
psy_status soak_line_send_program(soak_line *line, const void *bytes, size_t n);
/* A change of the service's data. */
psy_status soak_line_edit(soak_line *line, const psy_edit *edits, uint32_t count, uint64_t *version);
/* FULL, CLOSED. */
psy_status soak_line_send(soak_line *line, uint32_t lane, uint64_t number, uint64_t key, uint64_t deadline_ns,
                          soak_ticket *ticket);
psy_status soak_line_cancel(soak_line *line, const soak_ticket *ticket);
/* OK, EMPTY, CLOSED: there will be no more. */
psy_status soak_line_take(soak_line *line, soak_reply *replies, uint32_t max, uint32_t *count);
void soak_line_release(soak_line *line, const soak_reply *reply);
void soak_line_wait(soak_line *line, uint64_t timeout_ns);
void soak_line_close(soak_line *line);

/* ---- memory ---- */

typedef struct soak_holding {
    uint32_t files, slabs; /* descriptors; mappings of slabs */
    uint64_t pss_bytes;
} soak_holding;

/* What a process holds now; false: it is gone. */
bool soak_holding_of(pid_t pid, soak_holding *out);
/* Says what its descriptors are, for who looks for one too many. */
void soak_tell_files(pid_t pid);

/* One life of a process, a look a second. */
enum { SOAK_LOOKS = 4096 };
typedef struct soak_life {
    uint32_t looks;
    soak_holding at[SOAK_LOOKS];
} soak_life;

/* What the second half of a life that was long enough has more than its first: medians over the second and the last quarter.
 * False: too short to say. */
bool soak_life_growth(const soak_life *life, int64_t *pss_bytes, int64_t *files, int64_t *slabs, uint64_t *was_bytes);

/* ---- what came out ---- */

typedef enum soak_role { BROKER, WORKER, CLIENT } soak_role;
extern const char *const soak_role_names[];

/* Of the lives that were compared: the most that one has grown. */
typedef struct soak_grown {
    uint32_t lives;
    int64_t pss_bytes, files, slabs;
    uint64_t of_bytes;
} soak_grown;

typedef struct soak_done {
    uint64_t kills[3], stops, ns;
    soak_grown grown[2]; /* brokers, workers */
} soak_done;

/* Adds up all accounts and prints it; the exit status. */
int soak_report(soak_shared *shared, const soak_done *done, uint64_t seconds, uint64_t seed);

#endif

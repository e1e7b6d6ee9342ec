/* SPDX-License-Identifier: Apache-2.0 */
/* A client's connection to a service: requests out, replies in, no copies.
 *
 *   psy_channel *channel;   psy_pipeline nearest;   psy_call call;
 *   psy_channel_connect("ipc:///run/nearest.sock", NULL, &channel);
 *   psy_channel_open(channel, "nearest", nearest_query_type(), nearest_hits_type(), &nearest);
 *   psy_channel_claim(channel, &nearest, &call);            // the request's place, and its reply's
 *   nearest_query *q = nearest_query_init(call.message);    // written where the broker reads it
 *   psy_channel_commit(channel, &call, user_pointer);
 *   psy_channel_wait(channel, timeout_ns);
 *   psy_channel_poll(channel, replies, 64, &count);         // replies[i].message lies in this client's slab
 *   psy_channel_release(channel, &replies[i]);
 *
 * Every request brings its reply's space: `claim` reserves one of `in_flight` reply slots, so back-pressure is the client's
 * own choice and a full service can never deadlock. Replies come in any order. Every committed call ends in exactly one
 * reply: its result, an error, TIMEOUT, CANCELLED, CLOSED when the service is about to end and has not taken it in, or
 * PEER_DIED when the service is gone. TIMEOUT comes before its time where a shard hangs with more than a quarter of the
 * service's places: it is given no more.
 *
 * In a loop of the caller's own (epoll, poll, select), the descriptor is readable from when there is something to poll until it
 * was polled, and is as good as new after the loop has armed it:
 *
 *   psy_channel_fd(channel, &fd);                           // once; into the loop, for reading
 *   do {
 *       while (psy_channel_poll(channel, replies, 64, &count) == PSY_OK) { ... }
 *   } while (!psy_channel_arm(channel));                    // before the loop sleeps; false: something came meanwhile
 *
 * Thread safety: a channel belongs to one thread at a time.
 */
#ifndef PSYNE_CHANNEL_H
#define PSYNE_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <psyne/agent.h>
#include <psyne/counters.h>
#include <psyne/edit.h>
#include <psyne/message.h>
#include <psyne/module.h>
#include <psyne/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct psy_channel psy_channel;

typedef struct psy_channel_options {
    uint32_t in_flight;          /* calls without a released reply at most; 1 .. 65536; 0 = 256 */
    uint32_t call_timeout_ms;    /* deadline of each call, 1 .. 65535; 0 = 10,000 */
    uint64_t connect_timeout_ns; /* how long connect waits for the service and its shards; 0 = 10 s */
    /* Where it counts its side of every ring, two rows and one for each shard; outlives the channel. A ring that gets no row
     * goes uncounted. NULL: none are counted. */
    psy_counters *counters;
    int trace;       /* every call, unless it says otherwise: broker and workers tell of each step (doc/events.md) */
    psy_agent agent; /* called by whatever waits for the service, which then sleeps for a millisecond at most */
} psy_channel_options;

/* A pipeline of the service, agreed with it: sizes and ids. Plain data; valid for its channel. */
typedef struct psy_pipeline {
    uint32_t id;
    uint32_t request_type;
    uint32_t request_bytes, reply_bytes;
    uint32_t key_offset; /* of the u64 routing key in the request; UINT32_MAX: none */
} psy_pipeline;

/* A call being prepared. */
typedef struct psy_call {
    void *message; /* request_bytes of uninitialised memory in the request ring, 64-byte aligned: the generated _init first */
    uint32_t slot;
    uint32_t generation;
    const psy_pipeline *pipeline;
    int trace;        /* as the channel's options say; may be changed until commit */
    uint64_t request; /* from commit: the id by which events name it, in hexadecimal */
} psy_call;

typedef struct psy_reply {
    psy_status status; /* OK: `message` holds the reply */
    uint32_t bytes;
    const void *message; /* in the client's response slab until released; NULL where status is not OK */
    void *user;          /* as given at commit */
    uint64_t latency_ns; /* from commit, the first of those that were published together, to the poll that found it */
    uint32_t slot;
    uint32_t generation;
} psy_reply;

/* Connects and exchanges slabs. `options` may be NULL. Waits up to connect_timeout_ns for a service with all its shards.
 * UNREACHABLE, TIMEOUT (the service is there but its shards are not), VERSION, DENIED (the detail says what the operator has to
 * change), LIMIT (the service or this user has its connections, or brings too much memory), CLOSED (the service is about to
 * end), INVALID, NO_MEMORY, PROTOCOL. Blocks; allocates: later calls on the channel do not. */
PSY_NODISCARD psy_status psy_channel_connect(const char *uri, const psy_channel_options *options, psy_channel **out);

/* Agrees on a pipeline by name: "pipeline", where one program of the service has it, "program/pipeline", or
 * "program@version/pipeline". Without a version it is the newest, now and whenever a newer one comes; where that one's request
 * or reply has another layout, calls end in LAYOUT until the pipeline is opened again. NOT_FOUND; LAYOUT when request or reply
 * differ from the service's schema (both hashes are in the detail); LIMIT after 1,024 pipelines; CLOSED; TIMEOUT when the
 * service does not answer within connect_timeout_ns: the channel is closed then. Blocks for one round trip. */
PSY_NODISCARD psy_status psy_channel_open(psy_channel *channel, const char *pipeline, const psy_type *request,
                                          const psy_type *reply, psy_pipeline *out);

/* The module of a pipeline, named as for psy_channel_open: what its messages are, for who was compiled without them
 * (psy_module_reflection), and the program. It is this process's own copy, verified, without native kernels; the caller closes
 * it. NOT_FOUND; DENIED (it needs PSY_MAY_OBSERVE, since a module has constants and weights in it; programs of the client's own
 * excepted), CORRUPT, VERSION, TOO_LARGE (over 256 MiB), CLOSED, NO_MEMORY; TIMEOUT when the service does not answer within
 * connect_timeout_ns: the channel is closed then. Blocks; allocates. */
PSY_NODISCARD psy_status psy_channel_describe(psy_channel *channel, const char *pipeline, psy_module **out);

/* A pipeline of the service. */
typedef struct psy_listing {
    char program[64], pipeline[128];
    char request_name[128], reply_name[128]; /* types, as far as they fit */
    uint64_t request_hash, reply_hash;       /* their layouts */
    uint32_t version;
    bool newest; /* of that name: what it is opened as without a version */
    bool own;    /* this client's own program */
} psy_listing;

/* Where a list goes on; all zeroes: at its begin. */
typedef struct psy_list_place {
    uint64_t program;
    uint32_t pipeline, reserved;
} psy_list_place;

/* The next pipelines that this client can open, up to `max`; `place` moves on. OK with *count from 1; EMPTY: there are no more.
 * What is there throughout is given once, what comes and goes meanwhile perhaps. CLOSED, PROTOCOL; TIMEOUT as above. Blocks,
 * for a round trip for every two of them. */
PSY_NODISCARD psy_status psy_channel_list(psy_channel *channel, psy_list_place *place, psy_listing *rows, uint32_t max,
                                          uint32_t *count);

/* Sends a program of the client's own: a module of `n` bytes, which are copied, under a name of 1 to 63 of a-z, 0-9, _ and -.
 * It is verified, held to the service's limits and given to its workers; then its pipelines can be opened, by this client
 * alone, as NAME/PIPELINE, until the channel is closed or another one is sent under that name. Calls in flight go on meanwhile.
 * *version, if wanted: 1, and one more each time that the name is used. DENIED (the service takes none, or the module has
 * native kernels), TOO_LARGE and LIMIT (the detail names the limit), CORRUPT, VERSION, INVALID (data that it declares is not
 * there, or its sizes do not fit), CLOSED, NO_MEMORY; TIMEOUT when the service does not answer within connect_timeout_ns: the
 * channel is closed then. Blocks; allocates. */
PSY_NODISCARD psy_status psy_channel_send_program(psy_channel *channel, const void *bytes, size_t n, const char *name,
                                                  uint32_t *version);

/* Changes the service's resident data, psyne/edit.h, all `count` edits together, and waits until that is done. *version, if
 * wanted: of the data, from that on; requests that are committed after the call see it, or a later one. Calls in flight go on
 * meanwhile. DENIED (the service's rules do not say DATA for this user), INVALID (an edit does not fit the data or the other
 * edits; the detail says which and why), NOT_FOUND (no such resident, key or row), TOO_LARGE, LIMIT (too many edits wait),
 * NO_MEMORY, PEER_DIED (workers died of it), CLOSED; then nothing has changed. TIMEOUT: it may still happen, and the channel is
 * closed. Blocks; allocates. */
PSY_NODISCARD psy_status psy_channel_edit(psy_channel *channel, const psy_edit *edits, uint32_t count, uint64_t *version,
                                          uint64_t timeout_ns);

/* Reserves a request's and its reply's space; one claim may be open at a time. FULL when `in_flight` calls are out or the
 * request ring is full: poll and release, or wait. CLOSED. Never blocks. */
PSY_NODISCARD psy_status psy_channel_claim(psy_channel *channel, const psy_pipeline *pipeline, psy_call *call);

/* Sends it. Published at the latest by the next flush, poll or wait. */
void psy_channel_commit(psy_channel *channel, psy_call *call, void *user);

/* The same with a deadline of its own, in nanoseconds of CLOCK_MONOTONIC (UINT64_MAX: none). Without a reply until then the
 * call ends in TIMEOUT, in the first poll after: wait and the descriptor wake up for it. The service is told in milliseconds,
 * and holds no request for longer than 65.5 s. One that has passed already is sent and ends at once. */
void psy_channel_commit_until(psy_channel *channel, psy_call *call, void *user, uint64_t deadline_ns);

/* Ends a call that is out: poll gives its one reply, CANCELLED, at once. The service may still run it; its slot is free again
 * when the service has let go of it. NOT_FOUND: it has ended, or its reply is there already and poll gives that; INVALID. Never
 * blocks. */
PSY_NODISCARD psy_status psy_channel_cancel(psy_channel *channel, const psy_call *call);

/* Gives the claim back unsent. */
void psy_channel_abort(psy_channel *channel, psy_call *call);

/* Publishes all committed requests now and wakes the broker if it sleeps. */
void psy_channel_flush(psy_channel *channel);

/* Takes up to `max` replies; *count says how many. OK, or EMPTY when none is there. Never blocks. After the service died every
 * outstanding call is returned with PEER_DIED, then CLOSED. */
PSY_NODISCARD psy_status psy_channel_poll(psy_channel *channel, psy_reply *replies, uint32_t max, uint32_t *count);

/* Waits until a reply may be there. OK, TIMEOUT, CLOSED. Spins briefly, then sleeps. */
PSY_NODISCARD psy_status psy_channel_wait(psy_channel *channel, uint64_t timeout_ns);

/* A descriptor for the caller's own loop, the channel's until it is closed: readable when there may be something to poll, be it
 * a reply, a deadline that has passed or the end of the connection. INVALID, LIMIT, NO_MEMORY, IO. Allocates at the first
 * call. */
PSY_NODISCARD psy_status psy_channel_fd(psy_channel *channel, int *fd);

/* Before sleeping beside that descriptor. True: it will become readable for whatever comes from now on. False: there is
 * something to poll already. Poll and wait end it, so arm again after them. Publishes what was committed. Never blocks. */
bool psy_channel_arm(psy_channel *channel);

/* No more calls: claim gives CLOSED, and so does poll when every call that was out has ended. Never blocks. */
void psy_channel_drain(psy_channel *channel);

/* Who is at the other end, for people: "ipc:///run/nearest.sock (process 4711)". Valid until the channel is closed. */
const char *psy_channel_peer(const psy_channel *channel);

/* Gives a reply's slot back. */
void psy_channel_release(psy_channel *channel, const psy_reply *reply);

/* One call, start to end: copies the request in and waits. `reply` gets the reply, to be released by the caller when its
 * status is OK. Returns the call's status, or the reason why it was not sent. Replies of other calls stay for poll: do not mix
 * with calls in flight of your own (INVALID). Blocks. */
PSY_NODISCARD psy_status psy_channel_call(psy_channel *channel, const psy_pipeline *pipeline, const void *request,
                                          psy_reply *reply);

/* Calls that were committed and not yet returned by poll. */
uint32_t psy_channel_outstanding(const psy_channel *channel);

/* Closes; outstanding calls are dropped. NULL is allowed. */
void psy_channel_close(psy_channel *channel);

#ifdef __cplusplus
}
#endif
#endif

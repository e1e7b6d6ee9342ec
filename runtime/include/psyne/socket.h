/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets: messages between peers, and calls to services, by address; connecting, reconnecting, deadlines and completions are
 * looked after.
 *
 *   psy_socket *socket;                                          // one side
 *   psy_socket_bind("ipc:///run/feed.sock", NULL, &socket);
 *   psy_socket_receive_bytes(socket, buffer, sizeof buffer, &bytes, &peer, PSY_FOREVER);
 *   psy_socket_send_bytes(socket, peer, "thanks", 6, PSY_FOREVER);
 *
 *   psy_socket_connect("ipc:///run/feed.sock", NULL, &socket);   // the other, before or after that one
 *   psy_socket_send_bytes(socket, PSY_PEER_ONLY, data, bytes, second);
 *
 *   psy_socket_connect("ipc:///run/nearest.sock", NULL, &socket); // or to a service
 *   psy_socket_pipeline(socket, "nearest", nearest_query_type(), nearest_hits_type(), &nearest);
 *   psy_socket_call(socket, nearest, &query, &hits, 50000000);   // 50 ms
 *
 * Connecting returns at once. The socket connects, and connects again after a loss, inside of its other calls; whether a socket
 * or a service is at the other end it learns there. The verbs of the one are INVALID with the other.
 *
 * Messages. Between two sockets every message comes whole, in order and exactly once, while the connection lives. Each side
 * queues what it sends in memory of its own, `queue_bytes` for each peer, until the peer has taken it: a peer that does not
 * receive makes its own sender wait, and nobody else. When a connection is lost, what had been sent to this side can still be
 * received, and what this side had sent and the peer had not released is counted in the event, and can be had back.
 *
 * Calls. Each call has a deadline and ends in exactly one completion: the reply, what the service said against it, TIMEOUT,
 * CANCELLED, PEER_DIED (the service is gone, or the shard that had it), CLOSED (the socket was closed). A call may be made
 * before there is a connection.
 *
 * Time. `timeout_ns` is in nanoseconds from now. 0: do not wait. PSY_FOREVER: no limit. Nothing waits inside of a callback.
 *
 * Loops. Completions are polled, or call back, or make the socket's descriptor readable (psy_socket_fd). Everything, callbacks
 * too, happens in the thread that calls: there are no threads behind this.
 *
 * Thread safety: a socket belongs to one thread at a time. Memory is allocated when something connects, and when a pipeline is
 * named; sending, receiving and calling allocate nothing, and make no system call while both sides are busy, but for a look at
 * the connections once in a millisecond.
 */
#ifndef PSYNE_SOCKET_H
#define PSYNE_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include <psyne/channel.h>
#include <psyne/counters.h>
#include <psyne/message.h>
#include <psyne/status.h>
#include <psyne/variant.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PSY_FOREVER UINT64_MAX

typedef struct psy_socket psy_socket;

/* A connection to a peer. A socket gives no number twice. */
typedef uint64_t psy_peer;
/* The peer of a socket that connected, or of a bound one that has just one. */
#define PSY_PEER_ONLY UINT64_C(0)

/* All zeroes are the defaults. */
typedef struct psy_socket_options {
    uint32_t message_bytes_max; /* of a message sent or received; 0 = 262,144; up to 2^30. Each way the smaller one of the two
                                 * sides holds */
    uint32_t queue_bytes;       /* for what was sent and not taken, for each peer; at least room for two of the largest
                                 * messages; rounded up to a power of two; 0 = four of them; up to 2^31 */
    uint32_t peers_max;         /* of a bound socket: 1 .. 1024; 0 = 64 */
    uint32_t in_flight;         /* calls that have no released completion yet; 1 .. 65,536; 0 = 256 */
    bool retry; /* calls that end in PEER_DIED, or in TIMEOUT before their deadline, are made again until then. Pipelines change
                 * nothing, so one that ran twice is no harm */
    uint64_t reconnect_min_ns; /* between two tries to connect: this first, twice as long each time; 0 = 5 ms */
    uint64_t reconnect_max_ns; /* and this at most; 0 = 1 s */
    psy_counters *counters;    /* where its side of each ring is counted; outlives the socket; NULL: nowhere */
    psy_agent agent;           /* works in the caller's thread whenever the socket would sleep, see psyne/channel.h */
} psy_socket_options;

/* ---- life ---- */

/* Serves `uri` (ipc:///absolute/path, inproc://name) for many peers. INVALID, DENIED, IO (in use), TOO_LARGE (path), LIMIT,
 * NO_MEMORY. Allocates; does not block. */
PSY_NODISCARD psy_status psy_socket_bind(const char *uri, const psy_socket_options *options, psy_socket **out);

/* Will connect to whoever serves `uri`, now or later. INVALID, UNSUPPORTED (no such transport), LIMIT, NO_MEMORY. Allocates;
 * does not block. */
PSY_NODISCARD psy_status psy_socket_connect(const char *uri, const psy_socket_options *options, psy_socket **out);

/* Takes no more calls and messages from the caller (CLOSED), and waits until all calls have ended and all messages were taken
 * by their peers. OK; TIMEOUT: the detail says what is left; PEER_DIED: a peer was lost meanwhile with messages that it had not
 * taken; INVALID inside of a callback. What comes in can still be received, completions still be polled. */
PSY_NODISCARD psy_status psy_socket_drain(psy_socket *socket, uint64_t timeout_ns);

/* Ends everything: callbacks of calls that are out are called with CLOSED, calls without callback have ended herewith. Peers
 * can still receive what was sent. Inside of a callback it only ends calls and takes no more: close again outside. NULL is
 * allowed. */
void psy_socket_close(psy_socket *socket);

/* ---- what happens ---- */

typedef enum psy_socket_state {
    PSY_SOCKET_CONNECTING = 1, /* tries, or waits for the next try; a bound socket: has no peer */
    PSY_SOCKET_CONNECTED,      /* to its service or peer; a bound socket: has peers */
    PSY_SOCKET_DRAINING        /* takes nothing more */
} psy_socket_state;

typedef struct psy_socket_info {
    psy_socket_state state;
    bool service;         /* a service is, or was last, at the other end */
    uint32_t peers;       /* connections that live */
    uint32_t calls;       /* that have not ended */
    uint64_t connected;   /* connections that came to be, all in all */
    uint64_t lost;        /* of those, which were lost */
    uint64_t refused;     /* tries to connect, or to be a peer, that were refused */
    uint64_t sent, taken; /* messages to peers; from peers and released */
    uint64_t untaken;     /* messages that were sent and not taken by peers that were lost */
    psy_status why;       /* not connected: what the last try said, or how the connection was lost */
    char text[256];       /* the same in words; empty where there is nothing to say */
} psy_socket_info;

void psy_socket_get_info(psy_socket *socket, psy_socket_info *out);

typedef enum psy_socket_event_kind {
    PSY_SOCKET_GAINED = 1, /* `peer` is connected */
    PSY_SOCKET_LOST,       /* CLOSED: it closed; PEER_DIED: it went without a word; PROTOCOL: it lied and was put out */
    PSY_SOCKET_REFUSED     /* a try to connect: by the service or peer; said once until another status follows */
} psy_socket_event_kind;

typedef struct psy_socket_event {
    psy_socket_event_kind kind;
    psy_peer peer;     /* 0: none */
    bool service;      /* a service is at the other end */
    psy_status status; /* why */
    uint64_t untaken;  /* LOST: messages that were sent to it and not taken: psy_socket_untaken gives them */
    uint64_t missed;   /* events before this one that nobody asked for in time, and which are forgotten: 64 are kept */
    char text[256];    /* names the peer: address, process */
} psy_socket_event;

/* The next thing that happened to connections. EMPTY. Does not block. */
PSY_NODISCARD psy_status psy_socket_next_event(psy_socket *socket, psy_socket_event *out);

/* ---- messages ---- */

typedef enum psy_parcel_kind { PSY_PARCEL_BYTES = 1, PSY_PARCEL_VECTOR } psy_parcel_kind;

/* A message that was received, where it lies: in memory of the sender's until it is released. A sender that lies can change
 * `data` meanwhile (not where it is, nor how much): who must not be deceived copies, then checks. */
typedef struct psy_parcel {
    psy_peer peer;
    psy_parcel_kind kind;
    uint32_t bytes;
    const void *data;        /* at a multiple of 64 */
    psy_variant_view vector; /* VECTOR: the elements, row-major */
} psy_parcel;

/* Sends `bytes` (0 is allowed) to `peer`, published at once. FULL (did not wait) or TIMEOUT (did): the peer has not taken what
 * was sent before; UNREACHABLE: PSY_PEER_ONLY, and none is connected, or was in time; PEER_DIED: that peer is gone; TOO_LARGE:
 * the detail says whose limit; INVALID: a service, or several peers and PSY_PEER_ONLY; CLOSED: draining. */
PSY_NODISCARD psy_status psy_socket_send_bytes(psy_socket *socket, psy_peer peer, const void *data, uint32_t bytes,
                                               uint64_t timeout_ns);

/* Sends the elements that a view shows, of any type, rank and strides: they are gathered into the message. As
 * psy_socket_send_bytes. */
PSY_NODISCARD psy_status psy_socket_send_vector(psy_socket *socket, psy_peer peer, const psy_variant_view *vector,
                                                uint64_t timeout_ns);

/* The next message from any peer in turn, copied to `data`: `room` bytes. *from (may be NULL) says who sent it. EMPTY (did not
 * wait) or TIMEOUT (did); TOO_LARGE: *bytes says what it needs, and INVALID: it is a vector; then it stays, for another call;
 * INVALID also for a service. */
PSY_NODISCARD psy_status psy_socket_receive_bytes(psy_socket *socket, void *data, uint32_t room, uint32_t *bytes,
                                                  psy_peer *from, uint64_t timeout_ns);

/* The same for a vector: its elements are copied to `data`, row-major, and `vector` shows them there. */
PSY_NODISCARD psy_status psy_socket_receive_vector(psy_socket *socket, void *data, uint32_t room, psy_variant_view *vector,
                                                   psy_peer *from, uint64_t timeout_ns);

/* The next message from any peer in turn, in place. Asked again before release it gives the same one. EMPTY, TIMEOUT;
 * INVALID: a service. */
PSY_NODISCARD psy_status psy_socket_peek(psy_socket *socket, psy_parcel *out, uint64_t timeout_ns);
/* The message that peek gave is not needed any more. Its sender sees that at once. */
void psy_socket_release(psy_socket *socket);

/* A message that is being written, where the peer will read it. */
typedef struct psy_draft {
    psy_peer peer;
    void *data; /* `room` bytes at a multiple of 64; not initialised */
    uint32_t room;
    psy_variant_mutable_view vector; /* psy_socket_claim_vector: the same as elements */
} psy_draft;

/* Room for a message of up to `bytes`. One draft may be open. As psy_socket_send_bytes. */
PSY_NODISCARD psy_status psy_socket_claim(psy_socket *socket, psy_peer peer, uint32_t bytes, psy_draft *out,
                                          uint64_t timeout_ns);
/* The same for dims[0] x ... x dims[rank - 1] elements of `dtype`. */
PSY_NODISCARD psy_status psy_socket_claim_vector(psy_socket *socket, psy_peer peer, unsigned dtype, uint32_t rank,
                                                 const uint32_t *dims, psy_draft *out, uint64_t timeout_ns);
/* The draft has `bytes` (a vector: all of them, whatever is said here). Published at the latest by psy_socket_flush or any call
 * that waits. PEER_DIED: the peer went meanwhile, nothing was sent; INVALID: no draft is open, or it has less room. */
PSY_NODISCARD psy_status psy_socket_commit(psy_socket *socket, const psy_draft *draft, uint32_t bytes);
void psy_socket_abort(psy_socket *socket);
void psy_socket_flush(psy_socket *socket);

/* Of the LOST event that psy_socket_next_event gave last: the next message that was sent and not taken, in order. Valid until
 * the next call of psy_socket_next_event. EMPTY: that was all; of losses that nobody asked for, the messages of the last 8 are
 * kept. They lay in memory that the peer could write to. */
PSY_NODISCARD psy_status psy_socket_untaken(psy_socket *socket, psy_parcel *out);

/* ---- calls ---- */

/* Names a pipeline, for calls: `request` and `reply` outlive the socket. Agreed with the service when it is there, and again
 * after each reconnect. Naming it again gives the same number. INVALID: also a socket at the other end; LIMIT: 64 pipelines;
 * NO_MEMORY. Allocates; does not block. */
PSY_NODISCARD psy_status psy_socket_pipeline(psy_socket *socket, const char *name, const psy_type *request,
                                             const psy_type *reply, uint32_t *out);

/* How a call ended. */
typedef struct psy_completion {
    uint64_t call;
    psy_status status;
    uint32_t bytes;      /* of the reply */
    const void *message; /* OK: the reply, until released, or the callback has returned; NULL otherwise */
    void *user;
    uint64_t latency_ns; /* from the call on */
} psy_completion;

/* Called in the thread of whatever call of the socket found that the call had ended. It may do everything but wait and
 * psy_socket_close (which then only ends calls); nothing it does calls it again before it has returned. */
typedef void (*psy_socket_done)(void *user, const psy_completion *completion);

/* One call, start to end. `message`: request->bytes, copied. `reply`: reply->bytes are written where it is OK. Returns how the
 * call ended: OK, TIMEOUT, PEER_DIED, NOT_FOUND (no such pipeline: the detail has those there are), LAYOUT, or what the service
 * said; FULL, INVALID, CLOSED: it was not made. The detail names service and pipeline. Blocks. */
PSY_NODISCARD psy_status psy_socket_call(psy_socket *socket, uint32_t pipeline, const void *message, void *reply,
                                         uint64_t timeout_ns);

/* Makes a call and returns. Its completion comes to `done`, or, where that is NULL, to psy_socket_poll. *call (may be NULL) is
 * its number. FULL: `in_flight` calls have not been released; INVALID; CLOSED: draining. Does not block. */
PSY_NODISCARD psy_status psy_socket_call_async(psy_socket *socket, uint32_t pipeline, const void *message, uint64_t timeout_ns,
                                               psy_socket_done done, void *user, uint64_t *call);

/* Ends a call, whose one completion is CANCELLED then. NOT_FOUND: it has ended already, or is about to. Does not block. */
PSY_NODISCARD psy_status psy_socket_cancel(psy_socket *socket, uint64_t call);

/* Takes up to `max` completions of calls without callback, and calls back for the others. EMPTY: none. Does not block. */
PSY_NODISCARD psy_status psy_socket_poll(psy_socket *socket, psy_completion *completions, uint32_t max, uint32_t *count);

/* The reply of an OK completion is not needed any more; others need no release. */
void psy_socket_release_reply(psy_socket *socket, const psy_completion *completion);

/* ---- waiting ---- */

/* Until there is a message to receive, a completion to poll, or a callback was called, or an event came. TIMEOUT; INVALID
 * inside of a callback. Blocks. */
PSY_NODISCARD psy_status psy_socket_wait(psy_socket *socket, uint64_t timeout_ns);

/* A descriptor for the caller's own loop (epoll, poll, select), the socket's until it is closed. Once it has been asked for, it
 * is readable until a call with timeout 0 has found nothing to do: psy_socket_peek, receive_*, poll and next_event said EMPTY,
 * or send_* and claim said FULL or UNREACHABLE. Then it becomes readable again when there may be something, or room. It is the
 * level that counts: who takes one message and goes back to his loop is woken for the next. LIMIT, NO_MEMORY, IO. */
PSY_NODISCARD psy_status psy_socket_fd(psy_socket *socket, int *fd);

#ifdef __cplusplus
}
#endif
#endif

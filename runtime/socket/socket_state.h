/* SPDX-License-Identifier: Apache-2.0 */
/* What a socket knows, for its files: socket.c (life, events), socket_dial.c (who is there), socket_wait.c (sleeping, the
 * descriptor), socket_message.c (messages), socket_call.c (calls); peer.[ch] is one connection to a peer. */
#ifndef PSY_SOCKET_SOCKET_STATE_H
#define PSY_SOCKET_SOCKET_STATE_H

#include <psyne/socket.h>

#include "service/channel_state.h"
#include "socket/peer.h"

enum {
    PSY_GUESTS_AT_SOCKET = 32,
    PSY_SOCKET_EVENTS = 64,
    PSY_SOCKET_OUTBOXES = 8,
    PSY_SOCKET_PIPELINES = 64,
    PSY_PEERS_MAX = 1024
};
/* A socket that connected keeps what lost peers have sent: places for those besides the one it has. */
enum { PSY_PEERS_OF_CONNECTED = 4 };

/* Where somebody who connects stands. CALLED: said HELLO. ATTACHING: handed over its memory, to a peer or a service. */
typedef enum psy__dial { DIAL_IDLE, DIAL_CALLED, DIAL_PEER, DIAL_SERVICE, DIAL_UP } psy__dial;

/* A connection to a service; lives on after its end while replies are held that lie in it. */
typedef struct psy__line {
    psy_channel *channel;
    uint32_t held; /* replies, and 1 for the socket */
} psy__line;

typedef enum psy__socket_pipeline_phase {
    PIPELINE_NAMED, /* to be asked for */
    PIPELINE_ASKED,
    PIPELINE_AGREED,
    PIPELINE_REFUSED
} psy__socket_pipeline_phase;

typedef struct psy__socket_pipeline {
    psy__socket_pipeline_phase phase;
    const psy_type *request, *reply;
    psy_pipeline agreed;
    psy_status status; /* REFUSED: why */
    uint64_t ask_again_ns;
    char name[PSY_NAME_BYTES];
    char text[200];
} psy__socket_pipeline;

/* WAITING: for a connection, or for room. SENT. ENDED: its completion is to be delivered. HELD: it was, its reply is not
 * released. */
typedef enum psy__socket_call_phase {
    SOCKET_CALL_FREE,
    SOCKET_CALL_WAITING,
    SOCKET_CALL_SENT,
    SOCKET_CALL_ENDED,
    SOCKET_CALL_HELD
} psy__socket_call_phase;

typedef struct psy__socket_call {
    psy__socket_call_phase phase;
    uint32_t generation;
    uint32_t pipeline;
    uint32_t next; /* in the list it is in; UINT32_MAX: the last */
    bool blocking; /* psy_socket_call waits for it itself */
    psy_status status;
    uint64_t began_ns, deadline_ns, not_before_ns, latency_ns;
    void *request;   /* a copy, where it waits or may be made again: request_room bytes */
    psy_call out;    /* SENT */
    psy__line *line; /* SENT, and while it has a reply: where */
    psy_reply reply;
    psy_socket_done done;
    void *user;
} psy__socket_call;

/* Calls by number, first in first out. */
typedef struct psy__call_list {
    uint32_t first, last, count;
} psy__call_list;

typedef struct psy__socket_event {
    psy_socket_event said;
    psy__outbox *outbox; /* LOST: what was not taken; NULL: nothing */
} psy__socket_event;

struct psy_socket {
    char uri[200];
    bool bound, service, known; /* known: which of both is at the other end */
    bool draining, inside;      /* inside: of a callback */
    psy_socket_options options;
    uint32_t granule, slots; /* of the rings that this side sends through */
    uint64_t now_ns, tick_due_ns;
    psy__counting counting;

    /* who is there */
    psy__listener *listener;
    psy__link *guests[PSY_GUESTS_AT_SOCKET]; /* connected, said nothing yet */
    uint64_t guest_due_ns[PSY_GUESTS_AT_SOCKET];
    uint32_t guest_count;
    psy__peer *peers;
    uint32_t peer_room, peer_top, up_count, gone_count, next_peer;
    uint64_t peer_epoch;
    psy__dial dial;
    psy__link *link;   /* CALLED, PEER */
    psy__peer *caller; /* PEER: the place that it will have */
    psy__line *line;   /* SERVICE, UP */
    uint64_t dial_due_ns, back_off_ns;
    psy_status why, refused_why, address; /* address: what the last try to reach it said */
    char text[256], service_peer[224];

    /* waking */
    int watched_fd;         /* an epoll set of everything that is heard; the socket itself sleeps beside it */
    int outer_fd, timer_fd; /* psy_socket_fd: an epoll set of that one, the timer and self; -1: nobody has asked for it */
    psy_bell self;          /* rung: the outer one stays readable */
    bool lit;               /* it is rung */
    bool blind;             /* something could not be watched */
    uint64_t next_due_ns;   /* when connections need a look */
    bool asks_messages, asks_events;
    uint32_t stirred; /* counts what happened: psy_socket_wait returns when it changes */

    /* messages */
    psy__peer *held; /* whose message was peeked */
    psy_parcel parcel;
    psy__peer *draft; /* whose room was claimed */
    psy__outbox *draft_box;
    psy_peer draft_number;
    uint32_t draft_room;
    bool draft_is_vector;
    psy_variant_head draft_vector;
    psy__socket_event *events;
    uint32_t event_first, event_count;
    uint64_t events_missed;
    psy__outbox *last_outbox; /* of the event that was given last */
    psy_ring untaken;
    bool untaken_open;
    psy_socket_info counts;

    /* calls */
    psy__socket_pipeline *pipelines;
    uint32_t pipeline_count, asked; /* asked: which the service was asked for; UINT32_MAX: none */
    psy__socket_call *calls;
    uint32_t request_room;
    psy__call_list idle, waiting, to_call_back, to_poll;
    uint32_t calls_out;   /* WAITING and SENT */
    uint64_t call_due_ns; /* no waiting call's deadline, or time to be made again, is before */
};

/* What a descriptor in the epoll set is; its data is the kind, then the place. */
enum { PSY_WATCH_LISTENER = 1, PSY_WATCH_GUEST, PSY_WATCH_PEER, PSY_WATCH_BELL, PSY_WATCH_DIAL };

/* ---- socket.c ---- */
/* Something happened to a connection; this thread's detail is the text. The outbox is the event's. */
void psy__socket_tell(psy_socket *s, psy_socket_event_kind kind, psy_peer peer, bool service, psy_status status,
                      psy__outbox *outbox, uint64_t untaken);

/* ---- socket_dial.c ---- */
/* One thing that epoll says of connections. `torn`: a descriptor that nobody can use any more. */
void psy__socket_hear(psy_socket *s, uint32_t watch, uint32_t place, bool torn);
/* Tries to connect, and puts out who is too late. Returns when there is something to do next. */
uint64_t psy__socket_dial(psy_socket *s);
void psy__socket_lose_peer(psy_socket *s, psy__peer *peer, psy_status status);
void psy__socket_lose_service(psy_socket *s, psy_status status);
/* Gives back the rows in which the peer's rings are counted: before they go. */
void psy__socket_uncount(psy_socket *s, psy__peer *peer);
/* A place that nobody reads from any more. */
void psy__socket_clear_peer(psy_socket *s, psy__peer *peer);

/* ---- socket_wait.c ---- */
void psy__socket_watch(psy_socket *s, int fd, uint32_t watch, uint32_t place);
void psy__socket_unwatch(psy_socket *s, int fd);
/* What is to be done now: connections, once in a millisecond or after sleeping; replies, callbacks. */
void psy__socket_work(psy_socket *s);
/* Sleeps until something is heard, or there is room for what did not fit to `room` (NULL: not asked), or there is a message
 * (where asked for), or until then. */
void psy__socket_nap(psy_socket *s, psy__peer *room, bool messages, uint64_t until_ns);
/* A call found nothing to do: the descriptor, where somebody has it, is not readable from here on until something comes. True:
 * something has come meanwhile: look again. */
bool psy__socket_quench(psy_socket *s, psy__peer *room);
/* Makes the descriptor readable: there is something to do. */
void psy__socket_light(psy_socket *s);

/* ---- socket_message.c ---- */
bool psy__socket_has_message(psy_socket *s);

/* ---- socket_call.c ---- */
PSY_NODISCARD psy_status psy__socket_calls_init(psy_socket *s);
void psy__socket_calls_fini(psy_socket *s);
/* Sends what waits, takes replies, ends what is late. */
void psy__socket_pump(psy_socket *s);
/* Calls back for what has ended. */
void psy__socket_call_back(psy_socket *s);
/* Ends every call that has not ended. */
void psy__socket_end_calls(psy_socket *s, psy_status status);
/* The service is connected, or gone. */
void psy__socket_line_up(psy_socket *s);
void psy__line_release(psy__line *line);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What a client knows of its connection, for its four files: channel.c (connect, agree, close), channel_call.c (requests out),
 * channel_reply.c (replies in), channel_wake.c (a descriptor for somebody else's loop). Sockets connect step by step. */
#ifndef PSY_SERVICE_CHANNEL_STATE_H
#define PSY_SERVICE_CHANNEL_STATE_H

#include <stdbool.h>

#include <psyne/bell.h>
#include <psyne/channel.h>
#include <psyne/ring.h>
#include <psyne/slab.h>

#include "base/idle.h"
#include "service/counting.h"
#include "service/protocol.h"
#include "service/response.h"

/* What the client knows of a slot; the shared state word is only ever compared with it. */
typedef enum psy__call_phase {
    CALL_IDLE,
    CALL_CLAIMED,
    CALL_OUT,
    CALL_CANCELLED, /* its slot is in quarantine, its one reply still to be polled */
    CALL_TAKEN,
    CALL_QUARANTINED
} psy__call_phase;

typedef struct psy__call_state {
    psy__call_phase phase;
    uint32_t generation;
    uint32_t reply_bytes;
    uint64_t committed_ns, give_up_ns;
    void *user;
} psy__call_state;

struct psy_channel {
    psy__link *link;
    psy_slab *request_slab, *response_slab;
    psy_ring requests;
    psy__responses responses;
    psy_ring *completions;    /* a ring per writer, */
    _Atomic uint64_t *places; /* and which places for shards have one, as the broker says, */
    uint64_t writing;         /* and said when it was last looked at: */
    uint8_t active[PSY_SHARDS_MAX + 1];
    uint32_t active_count; /* rings that may have something */
    uint32_t client;       /* its number at the broker */
    psy__call_state *calls;
    uint32_t *idle; /* stack of idle slots */
    uint32_t idle_count, outstanding, quarantined;
    uint32_t in_flight, next_ring;
    uint32_t call_timeout_ms;
    int trace;
    uint64_t request_salt[2], route_salt[2], sequence;
    uint64_t tick_due_ns;
    uint64_t fresh_ns;                           /* when the first of the calls was committed that are not published yet */
    uint32_t fresh[PSY_RING_BATCH], fresh_count; /* their slots */
    uint64_t connect_timeout_ns;
    psy__counting counting;
    psy_bell bell;   /* the broker and the workers ring it, and it rings the broker */
    psy__idle watch; /* of psy_channel_wait */
    bool unrung;     /* something was committed since the broker was last woken */
    bool claimed, dead, draining;
    bool attached;           /* the service has taken the slabs */
    bool armed;              /* the rings were told that somebody sleeps beside epoll_fd */
    int epoll_fd, timer_fd;  /* psy_channel_fd; -1: never asked for */
    uint64_t give_up_due_ns; /* no call's deadline passes before */
    uint32_t *cancelled;     /* slots whose calls were cancelled, to be polled */
    uint32_t cancelled_count;
    const psy_type *opening[2]; /* request and reply of the pipeline that the service was asked for; NULL: none */
    char opening_name[PSY_NAME_BYTES];
    psy_agent agent;
    char peer[224];     /* address and process, for people */
    char end_text[512]; /* why it is dead, where that is known */
};

/* Other shards may write replies now, or some do not any more. */
void psy__channel_writers_changed(psy_channel *c, uint64_t places);
/* Before completion rings are looked at, or slept on: `active` is what it should be. */
static inline void psy__channel_look(psy_channel *c)
{
    uint64_t places = atomic_load_explicit(c->places, memory_order_acquire);
    if (places != c->writing) {
        psy__channel_writers_changed(c, places);
    }
}

/* Goes on with a link over which HELLO was said, and `welcome` was heard (it is used up). The link is the channel's, also when
 * this fails. Never blocks. */
PSY_NODISCARD psy_status psy__channel_begin(const char *uri, const psy_channel_options *options, psy__link *link,
                                            psy__control *welcome, psy_channel **out);
/* The next step after that: OK (connected), EMPTY (not yet), or why not: then it can only be closed. Never blocks. */
PSY_NODISCARD psy_status psy__channel_step(psy_channel *c);
/* psy_channel_open in two parts; nothing else is asked in between. EMPTY: no answer yet. Neither blocks. */
PSY_NODISCARD psy_status psy__channel_open_begin(psy_channel *c, const char *pipeline, const psy_type *request,
                                                 const psy_type *reply);
PSY_NODISCARD psy_status psy__channel_open_end(psy_channel *c, psy_pipeline *out);

/* What follows a question, of which psy__say said `said`: waits for its answer. A refusal is a status; where none comes, the
 * channel is over. */
PSY_NODISCARD psy_status psy__channel_ask(psy_channel *c, psy_status said, psy__word what, void *answer, uint32_t bytes,
                                          int *fds, uint32_t fd_count, uint64_t timeout_ns);

/* "ADDRESS (process N)"; without the process where the system does not say. */
void psy__name_peer(char *to, size_t room, const char *uri, psy__link *link);

/* Nobody sleeps beside the descriptor any more. */
void psy__channel_disarm(psy_channel *c);
void psy__channel_unwatch(psy_channel *c);

/* Publishes what was committed, and wakes the broker if it sleeps. */
void psy__channel_publish(psy_channel *c, uint64_t now);

/* The connection is over; this thread's detail says why. */
void psy__channel_end(psy_channel *c);
/* CLOSED, with peer and reason. */
psy_status psy__channel_closed(const psy_channel *c);

#endif

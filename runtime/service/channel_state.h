/* SPDX-License-Identifier: Apache-2.0 */
/* What a client knows of its connection, for its three files: channel.c (connect, agree, close), channel_call.c (requests out),
 * channel_reply.c (replies in). */
#ifndef PSY_SERVICE_CHANNEL_STATE_H
#define PSY_SERVICE_CHANNEL_STATE_H

#include <stdbool.h>

#include <psyne/bell.h>
#include <psyne/channel.h>
#include <psyne/ring.h>
#include <psyne/slab.h>

#include "service/counting.h"
#include "service/protocol.h"
#include "service/response.h"

/* What the client knows of a slot; the shared state word is only ever compared with it. */
typedef enum psy__call_phase { CALL_IDLE, CALL_CLAIMED, CALL_OUT, CALL_TAKEN, CALL_QUARANTINED } psy__call_phase;

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
    psy_ring *completions; /* a ring per writer */
    psy__call_state *calls;
    uint32_t *idle; /* stack of idle slots */
    uint32_t idle_count, outstanding, quarantined;
    uint32_t in_flight, next_ring;
    uint32_t call_timeout_ms;
    int trace;
    uint64_t request_salt[2], route_salt[2], sequence;
    uint64_t tick_due_ns;
    uint64_t connect_timeout_ns;
    psy__counting counting;
    psy_bell bell; /* the broker and the workers ring it, and it rings the broker */
    bool claimed, dead;
    char end_text[512]; /* why it is dead, where that is known */
};

/* The connection is over; this thread's detail says why. */
void psy__channel_end(psy_channel *c);
/* CLOSED, with the reason. */
psy_status psy__channel_closed(const psy_channel *c);

#endif

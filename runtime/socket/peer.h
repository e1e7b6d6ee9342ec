/* SPDX-License-Identifier: Apache-2.0 */
/* One connection between two sockets. Each side sends through a ring of frames in a slab that it made itself and that the other
 * maps: so what is queued is the sender's memory, a peer that does not receive fills only the ring of who sends to it, and what
 * it did not take is still there when it is gone. A pair of bells wakes both.
 *
 *   connecting -> bound                                  bound -> connecting
 *   HELLO (client, socket)
 *                                                        PEER_WELCOME  largest message
 *   PEER_ATTACH   largest message; its slab, a bell
 *                                                        PEER_ATTACHED its slab
 *   PEER_BYE      both ways, before a link is closed on purpose
 *
 * A frame's payload begins 8 bytes behind a granule, so that what follows the head of 56 bytes lies at a multiple of 64:
 *
 *   byte 0     kind u8, 1 bytes or 2 vector; the others 0
 *   byte 8     sequence u64, from 1 on: nothing missing, nothing twice
 *   byte 16    psy_variant_head: of a vector
 *   byte 52    0
 *   byte 56    the bytes, or the elements, row-major
 *
 * Trust. The peer may write anything into either slab at any time. Geometry is checked once and kept in the handles; heads are
 * copied, then checked; what does not hold ends the connection. Holes in the peer's slab are refused, so that reading it takes
 * no memory from this side. */
#ifndef PSY_SOCKET_PEER_H
#define PSY_SOCKET_PEER_H

#include <stdbool.h>

#include <psyne/bell.h>
#include <psyne/frame.h>
#include <psyne/slab.h>
#include <psyne/socket.h>

#include "service/protocol.h"

enum { PSY_PARCEL_HEAD_BYTES = 56, PSY_GRANULE_LEAST = 64 };
/* HELLO's `shard` where a socket says it: who is bound as a socket talks to nobody else. */
enum { PSY_HELLO_FROM_SOCKET = 0x534f434b };

/* Words between sockets; far from those that services use. */
enum { PSY_SAY_PEER_WELCOME = 0x100, PSY_SAY_PEER_ATTACH, PSY_SAY_PEER_ATTACHED, PSY_SAY_PEER_BYE };

typedef struct psy__peer_welcome {
    psy__said said;
    uint32_t message_bytes_max, reserved;
} psy__peer_welcome;

/* Files of ATTACH: slab, bell; of ATTACHED: slab. */
typedef struct psy__peer_attach {
    psy__said said;
    uint32_t message_bytes_max;
    uint32_t granule, slots, reserved;
} psy__peer_attach;

typedef struct psy__peer_bye {
    psy__said said;
} psy__peer_bye;

typedef struct psy__parcel_head {
    uint8_t kind;
    uint8_t reserved[7];
    uint64_t sequence;
    psy_variant_head vector;
    uint32_t reserved_too;
} psy__parcel_head;
_Static_assert(sizeof(psy__parcel_head) == PSY_PARCEL_HEAD_BYTES, "the head of a message between sockets is ABI");
_Static_assert(offsetof(psy__parcel_head, sequence) == 8 && offsetof(psy__parcel_head, vector) == 16,
               "the head of a message between sockets is ABI");

/* What is sent lies here; held by the peer, by an open draft, by the event that tells of the peer's loss. */
typedef struct psy__outbox {
    psy_slab *slab;
    psy_ring ring;
    uint32_t holds;
} psy__outbox;

/* INVITED: was told the limits. UP. GONE: the link is closed, messages that it sent are still to be received. */
typedef enum psy__peer_phase { PEER_NONE, PEER_INVITED, PEER_UP, PEER_GONE } psy__peer_phase;

typedef struct psy__peer {
    psy__peer_phase phase;
    psy_peer number;
    psy__link *link;
    psy_bell bell;
    psy__outbox *out;
    psy_slab *in_slab;
    psy_ring in;
    uint32_t out_max;            /* the largest message it takes and this side sends */
    uint64_t sequence, expected; /* sent last; to come next */
    uint64_t last_slot;          /* GONE: where what it sent ends */
    uint64_t due_ns;             /* INVITED: it has attached by then */
    bool said_bye;
    bool full; /* a message did not fit: somebody waits for room beside the descriptor */
    char name[224];
} psy__peer;

/* The shape that holds messages of up to `message_max` and queues `queue` bytes. TOO_LARGE. */
PSY_NODISCARD psy_status psy__peer_shape(uint32_t message_max, uint32_t queue, uint32_t *granule, uint32_t *slots);

PSY_NODISCARD psy_status psy__outbox_create(uint32_t granule, uint32_t slots, psy__outbox **out);
void psy__outbox_release(psy__outbox *box); /* NULL is allowed */

/* Maps what the peer sends through. Takes `fd` also when it fails. PROTOCOL, and what adopting a slab says. */
PSY_NODISCARD psy_status psy__peer_adopt(psy__peer *p, const psy__peer_attach *said, int fd);

/* The next message, looked at and checked: OK, EMPTY, PROTOCOL. */
PSY_NODISCARD psy_status psy__peer_look(psy__peer *p, psy_parcel *out);
/* A frame of a ring as a message; false: it is none. */
bool psy__parcel_read(const void *frame, uint32_t bytes, uint64_t *sequence, psy_parcel *out);
/* Gives back what was looked at, and wakes the peer where it waits for room. */
void psy__peer_release(psy__peer *p);
/* Publishes what was committed, and wakes the peer. */
void psy__peer_flush(psy__peer *p);

/* How many messages the peer has not taken, of an outbox that it cannot reach any more, or that it can: then it is a guess. */
uint64_t psy__outbox_untaken(psy__outbox *box);

/* Closes everything that is the peer's; not what others hold of its outbox. */
void psy__peer_fini(psy__peer *p);

#endif

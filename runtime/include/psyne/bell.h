/* SPDX-License-Identifier: Apache-2.0 */
/* Bells: descriptors that wake who sleeps in poll or epoll. Two kinds, one set of verbs.
 *
 *   event   one descriptor (eventfd) for the threads of one process: who rings it makes it readable
 *   pair    two ends, for two processes: each end rings the other. Nothing that a peer does with its end makes ring or clear
 *           block, raise a signal or run without bound. (Datagram sockets: they obey the flags of a call where an event
 *           descriptor obeys those of whoever else holds it, queue a few rings and refuse more, and know no end of file.)
 *
 *   psy_bell ends[2];
 *   psy_bell_open_pair(ends);                       // psy_bell_fd(&ends[1]) goes to the peer, which adopts it
 *   psy_ring_set_bell(&ring, ends[0]);              // rung where a sleeper of the other side is woken
 *
 *   epoll_ctl(..., psy_bell_fd(&mine), ...);        // the sleeper, once
 *   if (psy_ring_sleep_begin(&ring)) {              // says that it sleeps; true: still nothing
 *       psy_ring_wake_producer(&ring);              // what that has shown
 *       epoll_wait(...);
 *       psy_bell_clear(&mine);
 *   }
 *   psy_ring_sleep_end(&ring);
 *
 * A bell is rung only where somebody said so, hence costs nothing while nobody sleeps. Rings that come while it is readable
 * add up to one. A bell of all zeroes is none: it may be rung, cleared and closed.
 *
 * Thread safety: any thread may ring and clear; ring and clear are async-signal-safe. Nothing here allocates or blocks.
 */
#ifndef PSYNE_BELL_H
#define PSYNE_BELL_H

#include <psyne/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum psy_bell_kind { PSY_BELL_NONE, PSY_BELL_EVENT, PSY_BELL_END } psy_bell_kind;

typedef struct psy_bell {
    psy_bell_kind kind;
    int fd; /* an event descriptor that does not block, or a Unix datagram socket */
} psy_bell;

/* A bell for the threads of this process; never hand it to a peer. LIMIT (no more descriptors), NO_MEMORY, IO. */
PSY_NODISCARD psy_status psy_bell_open(psy_bell *out);

/* The two ends of a bell between peers. LIMIT, NO_MEMORY, IO. */
PSY_NODISCARD psy_status psy_bell_open_pair(psy_bell ends[2]);

/* An end that a peer handed over: the descriptor is the bell's from then on. PROTOCOL (it is no end; the descriptor stays the
 * caller's). */
PSY_NODISCARD psy_status psy_bell_adopt(int fd, psy_bell *out);

void psy_bell_close(psy_bell *bell);

/* What to wait for (readable), and what goes to a peer; -1: none. */
static inline int psy_bell_fd(const psy_bell *bell) { return bell->kind == PSY_BELL_NONE ? -1 : bell->fd; }

/* Makes the event, or the other end, readable. */
void psy_bell_ring(const psy_bell *bell);

/* Not readable any more, until it is rung again. */
void psy_bell_clear(const psy_bell *bell);

#ifdef __cplusplus
}
#endif
#endif

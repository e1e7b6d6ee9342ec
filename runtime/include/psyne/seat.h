/* SPDX-License-Identifier: Apache-2.0 */
/* Seats: who of those that share a slab still lives.
 *
 * A seat is a number from 1 to 255 that one participant of a slab holds: a process, or one of several handles of a process. The
 * system knows it as a lock on one byte of the slab's memfd, far behind its end, and takes the lock back when the participant
 * dies, at whatever instruction. Nothing beats and nothing expires: a process that is stopped, swapped out or in a debugger
 * lives.
 *
 *   lock     byte 2^40 + number of the memfd, an open file description lock for writing (F_OFD_SETLK)
 *   table    byte 1024 of the slab: 256 entries {epoch u32, pid u32}, entry 0 is nobody's
 *
 * The table is for people, and for telling a restarted peer from the dead one that sat there before: an entry's epoch grows by
 * one each time its seat is taken. Like everything in a slab it may be scribbled over by a peer; whether a seat is taken is the
 * lock alone. A peer may lock any byte, so it can pretend that others live, never that somebody alive is dead.
 *
 *   psy_seat seat;
 *   if (psy_seat_take(slab, &seat) == PSY_OK) {
 *       ... tell the others seat.number; ask after them with psy_seat_lives(&seat, theirs) ...
 *       psy_seat_leave(&seat);
 *   }
 *
 * A seat is held through an open file description of its own. Forked children share it, as they share the mappings: the seat
 * lives until the last of them is gone, has called psy_seat_leave, or has started another program (exec closes it).
 *
 * Threads of one process that die together need no liveness: they agree on numbers and use psy_seat_bare.
 *
 * Thread safety: any thread may take, ask and leave; one seat's seize and unseize belong to one thread at a time. Nothing here
 * allocates or blocks; every call is a few system calls, psy_seat_lives is one.
 */
#ifndef PSYNE_SEAT_H
#define PSYNE_SEAT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <psyne/slab.h>
#include <psyne/status.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PSY_SEAT_FIRST = 1, PSY_SEAT_LAST = 255 };
#define PSY_SEAT_LOCK_OFFSET (INT64_C(1) << 40)
static_assert(PSY_SEAT_LAST + 1 == PSY_SLAB_SEATS, "the slab's table has a row for every seat");

typedef struct psy_seat {
    int fd;               /* -1: a seat without liveness */
    uint32_t number;      /* PSY_SEAT_FIRST to PSY_SEAT_LAST */
    uint32_t epoch;       /* of this stay; 0 without liveness */
    const psy_slab *slab; /* NULL without liveness; it must outlive the seat */
} psy_seat;

/* Takes the lowest free seat. LIMIT (all are taken, or the process has no more descriptors), UNSUPPORTED (a slab without a
 * descriptor), DENIED (the slab may only be read here), IO. */
PSY_NODISCARD psy_status psy_seat_take(psy_slab *slab, psy_seat *out);

/* Takes that seat. FULL (somebody lives there, or is just clearing away what a dead one left), INVALID (no such number), and
 * as above. */
PSY_NODISCARD psy_status psy_seat_take_number(psy_slab *slab, uint32_t number, psy_seat *out);

/* Gives the seat up; nothing for a seat without liveness or one that was left already. */
void psy_seat_leave(psy_seat *seat);

/* Whether somebody sits at `number` in the slab of `mine`: the living, and whoever is just clearing away a dead one's remains.
 * True for my own number, for seats without liveness (`mine->fd` is -1) and when the system cannot say; false for numbers that
 * are no seat. */
bool psy_seat_lives(const psy_seat *mine, uint32_t number);

/* The exclusive right over a dead one's seat while its remains are cleared away, until psy_seat_unseize or the death of the
 * caller: false if somebody lives there, another is at it, `mine` has no liveness or `number` is its own. Until then nobody can
 * take the seat. Number 0 is nobody's seat but a lock of the slab's, for whoever clears away what any of the dead left. */
PSY_NODISCARD bool psy_seat_seize(const psy_seat *mine, uint32_t number);
void psy_seat_unseize(const psy_seat *mine, uint32_t number);

/* A number that was agreed on, without liveness: its holder never dies alone. */
static inline psy_seat psy_seat_bare(uint32_t number)
{
    psy_seat seat = {-1, number, 0, NULL};
    return seat;
}

/* Who took the seat last and how often it was taken, as the table says, for people: 0 where nobody ever did. */
uint32_t psy_seat_pid(const psy_slab *slab, uint32_t number);
uint32_t psy_seat_epoch(const psy_slab *slab, uint32_t number);

#ifdef __cplusplus
}
#endif
#endif

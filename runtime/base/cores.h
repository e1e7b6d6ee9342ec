/* SPDX-License-Identifier: Apache-2.0 */
/* The processors that a process may use, and how far apart they are.
 *
 * They are numbered from 0: one of every core first, since two on one core share its units, then the rest. Only those that the
 * process was allowed when it first asked are counted, so a pinned thread may pin itself, or a thread it starts, anew.
 *
 * Thread safety: the first call is made by one thread alone. */
#ifndef PSY_BASE_CORES_H
#define PSY_BASE_CORES_H

#include <stdbool.h>

/* How many there are; 0: the system does not say. */
int psy__cores_count(void);
/* How many of them are cores of their own. */
int psy__cores_own(void);
/* The number by which the system knows processor k (modulo their count, which is not 0). */
int psy__cores_number(int k);
/* Pins the calling thread to processor k (modulo their count). False: that is refused; errno says why. */
bool psy__cores_pin(int k);
/* Nanoseconds of a cache line's way there and back between processors a and b: the best of some tries; 0 where they are one, or
 * it cannot be measured. Takes some milliseconds, and a thread. */
double psy__cores_distance_ns(int a, int b);
/* "near" or "far": whether two seem to share a cache; "one processor" for 0. */
const char *psy__cores_distance_name(double ns);

#endif

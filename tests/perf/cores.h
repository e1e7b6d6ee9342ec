/* SPDX-License-Identifier: Apache-2.0 */
/* The processors that a benchmark's threads and processes are pinned to, and how far apart the first two of them are.
 *
 * Processors are numbered from 0: one of every core first, since two on one core share its units, then the rest. Only those
 * that the process was allowed when it first asked are counted, so a pinned thread may pin itself, or a thread it starts, anew.
 */
#ifndef PSY_TESTS_PERF_CORES_H
#define PSY_TESTS_PERF_CORES_H

/* How many there are, at least 1. */
int cores_count(void);
/* The number by which the system knows processor k. */
int cores_system_number(int k);
/* Pins the calling thread to processor k (modulo their count). Ends the program where that is refused. */
void cores_pin(int k);
/* Nanoseconds of a cache line's way there and back between processors 0 and 1: the best of some tries; 0 where there is only
 * one processor. Takes some milliseconds. */
double cores_distance_ns(void);
/* "near" or "far": whether the two seem to share a cache. */
const char *cores_distance_name(double ns);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The processors that a benchmark's threads and processes are pinned to (base/cores.h), with failures that end it. */
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

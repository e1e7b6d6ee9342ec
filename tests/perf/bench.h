/* SPDX-License-Identifier: Apache-2.0 */
/* What every benchmark uses: subject and peer run in turn, seven times each; the medians are compared and printed as a row of a
 * table and as an object of bench.json. The distance between the two cores is probed around every figure, since it moves. */
#ifndef PSY_TESTS_PERF_BENCH_H
#define PSY_TESTS_PERF_BENCH_H

enum { BENCH_RUNS = 7 };

/* One run: the figure. It checks its results and ends the program when they are wrong. */
typedef double bench_run(void *context);
typedef enum bench_better { BENCH_HIGHER_IS_BETTER, BENCH_LOWER_IS_BETTER } bench_better;

/* `--json=FILE` in the arguments: objects are appended there. `name` is the program's, for the table's head. */
void bench_begin(int argc, char **argv, const char *name);
/* Pins the calling thread to the k-th processor that the process may use. */
void bench_pin(int k);
/* Nanoseconds of a cache line's way there and back between processors 0 and 1; 0 where there is only one. */
double bench_core_distance_ns(void);
/* peer and peer_run may be NULL: then there is no ratio. A ratio above 1 is always better than the peer. */
void bench_compare(const char *name, const char *unit, bench_better better, const char *peer, bench_run *subject, bench_run *peer_run,
                   void *context);
int bench_end(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* When requests are to be sent at a given rate, whatever the replies do: open loop. The time of a request follows from its
 * number alone, so a generator that falls behind sends late, and never less; and a latency that counts from the scheduled time
 * has in it what the request waited for before it could be sent. (Whoever counts from the sending leaves that out: "coordinated
 * omission", Gil Tene, "How NOT to Measure Latency", 2013.)
 *
 *   psy__schedule s;
 *   psy__schedule_init(&s, rate, batch, first, step, PSY_ARRIVALS_EVEN, seed);
 *   while ((due = psy__schedule_next(&s)) < end_ns) { wait until start + due; send; psy__schedule_take(&s); }
 *
 * Several clients share one schedule: each takes every `step`th group from `first` on. No clock is read here. */
#ifndef PSY_COMMAND_SCHEDULE_H
#define PSY_COMMAND_SCHEDULE_H

#include <stdint.h>

/* EVEN: groups at equal distances. RANDOM: distances of each client are exponential (a Poisson process), from the seed. */
typedef enum psy__arrivals { PSY_ARRIVALS_EVEN, PSY_ARRIVALS_RANDOM } psy__arrivals;

typedef struct psy__schedule {
    double gap_ns; /* between the groups of this client */
    double offset_ns;
    uint32_t batch, in_group; /* requests in a group, and how many of this one are taken */
    psy__arrivals arrivals;
    uint64_t group, state;
    double at_ns; /* RANDOM: of the group */
} psy__schedule;

/* `rate`: requests a second of all clients together, above 0. `batch`: so many at the same time, at least 1. */
void psy__schedule_init(psy__schedule *s, double rate, uint32_t batch, uint32_t first, uint32_t step, psy__arrivals arrivals,
                        uint64_t seed);
/* The time of the next request, in ns from the start. */
uint64_t psy__schedule_next(const psy__schedule *s);
/* It was sent, or given up. */
void psy__schedule_take(psy__schedule *s);

/* A number of 64 bits, from a seed: splitmix64 (Steele, Lea, Flood, 2014). */
uint64_t psy__random_next(uint64_t *state);
/* From 0 to n - 1; n above 0. */
uint64_t psy__random_below(uint64_t *state, uint64_t n);
/* In [0, 1). */
double psy__random_part(uint64_t *state);

#endif

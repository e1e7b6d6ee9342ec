/* SPDX-License-Identifier: Apache-2.0 */
#include "command/schedule.h"

#include <math.h>

uint64_t psy__random_next(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t psy__random_below(uint64_t *state, uint64_t n) { return psy__random_next(state) % n; }

double psy__random_part(uint64_t *state) { return (double)(psy__random_next(state) >> 11) * 0x1p-53; }

static void step_random(psy__schedule *s) { s->at_ns += -log(1 - psy__random_part(&s->state)) * s->gap_ns; }

void psy__schedule_init(psy__schedule *s, double rate, uint32_t batch, uint32_t first, uint32_t step, psy__arrivals arrivals,
                        uint64_t seed)
{
    const double group_ns = 1e9 * batch / rate;
    *s = (psy__schedule){
        .gap_ns = group_ns * step, .offset_ns = group_ns * first, .batch = batch, .arrivals = arrivals, .state = seed + first};
    if (arrivals == PSY_ARRIVALS_RANDOM) {
        step_random(s);
    }
}

uint64_t psy__schedule_next(const psy__schedule *s)
{
    /* Of the number, not by adding up: an hour at ten million a second is not off by a gap. */
    return (uint64_t)(s->arrivals == PSY_ARRIVALS_EVEN ? (double)s->group * s->gap_ns + s->offset_ns : s->at_ns);
}

void psy__schedule_take(psy__schedule *s)
{
    if (++s->in_group == s->batch) {
        s->in_group = 0;
        s->group++;
        if (s->arrivals == PSY_ARRIVALS_RANDOM) {
            step_random(s);
        }
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules, by a clock that is a number. */
#include "tests/test.h"

#include "command/schedule.h"

enum { CLIENTS = 3 };

static void start(psy__schedule *s, double rate, uint32_t batch, psy__arrivals arrivals)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        psy__schedule_init(&s[i], rate, batch, i, CLIENTS, arrivals, 42);
    }
}

static psy__schedule *first_of(psy__schedule *s)
{
    psy__schedule *first = s;
    for (uint32_t i = 1; i < CLIENTS; i++) {
        first = psy__schedule_next(&s[i]) < psy__schedule_next(first) ? &s[i] : first;
    }
    return first;
}

Test(schedule, clients_together_have_the_rate)
{
    psy__schedule s[CLIENTS];
    start(s, 1000, 1, PSY_ARRIVALS_EVEN);
    for (uint64_t i = 0; i < 10000; i++) {
        psy__schedule *next = first_of(s);
        cr_assert_eq(psy__schedule_next(next), i * 1000000);
        psy__schedule_take(next);
    }
}

Test(schedule, nothing_adds_up)
{
    psy__schedule s;
    psy__schedule_init(&s, 3e6, 1, 0, 1, PSY_ARRIVALS_EVEN, 0);
    for (uint32_t i = 0; i < 30000000; i++) {
        psy__schedule_take(&s);
    }
    const uint64_t at = psy__schedule_next(&s);
    cr_assert(at >= UINT64_C(9999999999) && at <= UINT64_C(10000000001), "%llu", (unsigned long long)at);
}

Test(schedule, groups_come_together)
{
    psy__schedule s[CLIENTS];
    start(s, 1000, 4, PSY_ARRIVALS_EVEN);
    for (uint64_t i = 0; i < 4000; i++) {
        psy__schedule *next = first_of(s);
        cr_assert_eq(psy__schedule_next(next), i / 4 * 4000000);
        psy__schedule_take(next);
    }
}

/* Whoever falls behind has as many to send as if it had not. */
Test(schedule, a_stall_costs_no_request)
{
    psy__schedule s;
    uint64_t now = 0, sent = 0, latest = 0;
    psy__schedule_init(&s, 10000, 1, 0, 1, PSY_ARRIVALS_EVEN, 0);
    while (now < 1000000000) {
        for (uint64_t due; (due = psy__schedule_next(&s)) <= now; sent++) {
            latest = now - due > latest ? now - due : latest;
            psy__schedule_take(&s);
        }
        now += now == 500000000 ? 250000000 : 100000; /* a stall of a quarter of a second */
    }
    cr_assert_eq(sent, 10000);
    cr_assert_eq(latest, 249900000);
}

Test(schedule, random_arrivals_have_the_rate_and_the_spread)
{
    psy__schedule s[CLIENTS], again[CLIENTS];
    double sum = 0, squares = 0;
    uint64_t before = 0;
    const uint32_t n = 200000;
    start(s, 1000, 1, PSY_ARRIVALS_RANDOM);
    start(again, 1000, 1, PSY_ARRIVALS_RANDOM);
    for (uint32_t i = 0; i < n; i++) {
        psy__schedule *next = first_of(s);
        const uint64_t at = psy__schedule_next(next);
        cr_assert_eq(at, psy__schedule_next(&again[next - s]), "the same seed gives the same");
        const double gap = (double)(at - before) / 1e6;
        sum += gap;
        squares += gap * gap;
        before = at;
        psy__schedule_take(&again[next - s]);
        psy__schedule_take(next);
    }
    /* Of an exponential distribution, mean and deviation are the same: 1 ms. Five standard errors are 0.011 and 0.016. */
    const double mean = sum / n, variance = squares / n - mean * mean;
    cr_assert(mean > 0.985 && mean < 1.015, "%f", mean);
    cr_assert(variance > 0.95 && variance < 1.05, "%f", variance);
}

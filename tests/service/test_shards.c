/* SPDX-License-Identifier: Apache-2.0 */
/* The number of shards changes under load, against simple arrays: every answer is complete and that of one version of the data,
 * whatever workers gave it; no request fails. */
#define _GNU_SOURCE
#include <unistd.h>

#include "base/clock.h"
#include "tests/service/crew.h"

enum { PLACES = 8 };

typedef struct service {
    served s;
    edited e;
    crew crews[2];
    uint32_t now; /* which of them serves */
    psy_module *module;
} service;

static void open_service(service *t, const char *uri, uint32_t shards, uint32_t places, uint64_t seed)
{
    *t = (service){.module = open_program(EDITED_MODULE)};
    edited_init(&t->e, seed);
    served_open(&t->s, &(psy_broker_options){.uri = uri, .shards = shards, .shards_max = places, .module = t->module});
    crew_start(&t->crews[0], &t->s, &t->e, shards);
    edited_connect(&t->e, t->s.uri, 24);
}

static void close_service(service *t)
{
    edited_settle(&t->e);
    edited_fini(&t->e);
    crew_stop(&t->crews[0]);
    crew_stop(&t->crews[1]);
    served_close(&t->s);
    psy_module_close(t->module);
}

static void change(service *t, uint32_t shards)
{
    crew *from = &t->crews[t->now], *to = &t->crews[1 - t->now];
    cr_assert_eq(crew_change(&t->e, from, to, shards), PSY_OK, "%s", psy_detail());
    t->now = 1 - t->now;
    for (int i = 0; i < 3; i++) {
        edited_serve(&t->e);
    }
    crew_ended(from, PSY_OK);
    const psy_broker_counts counts = served_counts(&t->s);
    cr_assert_eq(counts.shards, shards);
    cr_assert_eq(counts.shards_ready, shards);
}

static void serve_some(service *t)
{
    uint64_t before[EDITED_PIPELINES];
    memcpy(before, t->e.answered, sizeof before);
    bool enough = false;
    for (uint64_t end = psy__now_ns() + 20 * second_ns; !enough && psy__now_ns() < end;) {
        edited_serve(&t->e);
        enough = true;
        for (uint32_t i = 0; i < EDITED_PIPELINES; i++) {
            enough = enough && t->e.answered[i] >= before[i] + 10;
        }
    }
    cr_assert(enough);
}

/* One after the other, with edits between, after which parts are unequal. */
static void walk(const char *uri, uint64_t seed, uint32_t edits)
{
    static const uint32_t steps[] = {2, 4, 3, 1, 3, 3, 1};
    static service t;
    open_service(&t, uri, 1, PLACES, seed);
    serve_some(&t);
    const holdings before = holdings_now();
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        change(&t, steps[i]);
        serve_some(&t);
        for (uint32_t k = 0; i + 1 < sizeof steps / sizeof *steps && k < edits;
             k++) { /* edits are kept until the next change */
            crew_make_edit(&t.e, &t.s);
        }
        serve_some(&t);
    }
    edited_settle(&t.e);
    nothing_leaked(getpid(), before);
    const psy_broker_counts counts = served_counts(&t.s);
    cr_assert_eq(counts.reshards, sizeof steps / sizeof *steps);
    cr_assert_eq(counts.reshards_refused, 0u);
    cr_assert_eq(counts.failures + counts.timeouts + counts.deaths, 0u);
    cr_assert_eq(t.e.failed, 0u);
    close_service(&t);
}

Test(shards, change_under_load) { walk("inproc://shards-walk", 1, 0); }
Test(shards, change_with_edits_between) { walk("inproc://shards-edits", 2, 5); }

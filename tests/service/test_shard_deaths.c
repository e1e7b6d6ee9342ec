/* SPDX-License-Identifier: Apache-2.0 */
/* Workers that die in every phase of a change of the shards, on both sides: it is taken back, and the service is what it was.
 */
#define _GNU_SOURCE
#include <unistd.h>

#include "base/clock.h"
#include "service/broker_state.h"
#include "tests/service/crew.h"

enum { PLACES = 8, OLD = 2, NEW = 3 };

typedef struct service {
    served s; /* the test holds its mutex: its thread is the broker's */
    edited e;
    crew old, new;
    psy_module *module;
    uint64_t ticket;
} service;

static uint32_t work(void *broker) { return psy_broker_do_work(broker); }

static void open_service(service *t, const char *uri, uint64_t seed)
{
    *t = (service){.module = open_program(EDITED_MODULE)};
    edited_init(&t->e, seed);
    served_open(&t->s, &(psy_broker_options){.uri = uri, .shards = OLD, .shards_max = PLACES, .module = t->module});
    pthread_mutex_lock(&t->s.mutex);
    t->e.agent = (psy_agent){work, t->s.broker};
    crew_start(&t->old, &t->s, &t->e, OLD);
    edited_connect(&t->e, t->s.uri, 16);
}

static void close_service(service *t)
{
    edited_settle(&t->e);
    edited_fini(&t->e);
    pthread_mutex_unlock(&t->s.mutex);
    crew_stop(&t->old);
    crew_stop(&t->new);
    served_close(&t->s);
    psy_module_close(t->module);
}

static psy_status status_of(const service *t) { return psy_broker_reshard_status(t->s.broker, t->ticket); }

static void begin(service *t)
{
    psy_status status = PSY_LIMIT;
    for (uint64_t end = psy__now_ns() + 20 * second_ns; status == PSY_LIMIT && psy__now_ns() < end;) {
        status = psy_broker_reshard(t->s.broker, NEW, &t->ticket); /* LIMIT: those of the change before are about to leave */
        edited_serve(&t->e);
    }
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    crew_start(&t->new, &t->s, &t->e, NEW);
}

/* The broker comes to that phase, `times` times, and stays there while nobody works it. */
static bool comes_to(service *t, psy__change_phase phase, uint32_t times)
{
    psy__change_phase before = CHANGE_NONE;
    for (uint64_t end = psy__now_ns() + 20 * second_ns; status_of(t) == PSY_EMPTY && psy__now_ns() < end;) {
        (void)psy_broker_do_work(t->s.broker);
        const psy__change_phase now = t->s.broker->change.phase;
        times -= now == phase && before != phase;
        if (times == 0) {
            return true;
        }
        before = now;
    }
    return false;
}

static void wait_for_end(service *t, psy_status wanted)
{
    for (uint64_t end = psy__now_ns() + 20 * second_ns; status_of(t) == PSY_EMPTY && psy__now_ns() < end;) {
        edited_serve(&t->e);
    }
    cr_assert_eq(status_of(t), wanted, "%s: %s", psy_status_name(status_of(t)), psy_detail());
}

/* Joins a thread, for which the broker may have to work. */
static void kill_one(service *t, crew *c, uint32_t shard)
{
    while (!c->created[shard]) {
        (void)psy_broker_do_work(t->s.broker);
    }
    crew_kill(c, shard);
}

/* Their threads end while the broker works. */
static void sent_away(service *t, crew *c, psy_status status)
{
    for (uint64_t end = psy__now_ns() + 20 * second_ns; psy__now_ns() < end;) {
        bool all = true;
        for (uint32_t i = 0; i < c->count; i++) {
            all = all && (!c->there[i] || c->left[i]);
        }
        if (all) {
            break;
        }
        (void)psy_broker_do_work(t->s.broker);
    }
    for (uint32_t i = 0; i < c->count; i++) { /* those that came too late were refused */
        cr_assert(!c->there[i] || c->left[i]);
    }
    crew_ended(c, status);
}

static void die(service *t, psy__change_phase phase, uint32_t times, bool old, uint32_t shard)
{
    begin(t);
    cr_assert(comes_to(t, phase, times), "phase %d: %s", phase, psy_detail());
    t->e.may_fail = old;
    kill_one(t, old ? &t->old : &t->new, shard);
    wait_for_end(t, PSY_PEER_DIED);
    const psy_status status = status_of(t);
    cr_assert(strstr(psy_detail(), old ? "that there are" : "that were to come") || strstr(psy_detail(), "leaves"), "%s %s",
              psy_status_name(status), psy_detail());
    if (old) {
        edited_settle(&t->e);
        crew_start_one(&t->old, shard);
        for (uint64_t end = psy__now_ns() + 20 * second_ns; t->s.broker->ready_count < OLD && psy__now_ns() < end;) {
            (void)psy_broker_do_work(t->s.broker);
        }
        t->e.may_fail = false;
    }
    sent_away(t, &t->new, PSY_PEER_DIED);
    crew_serve_some(&t->e);
}

/* Of each phase the first and a later time: there are six residents, and pieces of each from two shards. */
Test(shards, survive_deaths_in_every_phase)
{
    static const struct {
        psy__change_phase phase;
        uint32_t times;
    } moments[] = {{CHANGE_ASKING, 1}, {CHANGE_ASKING, 4}, {CHANGE_EXPORTING, 1}, {CHANGE_EXPORTING, 7},
                   {CHANGE_GIVING, 1}, {CHANGE_GIVING, 6}, {CHANGE_BINDING, 1}};
    static service t;
    open_service(&t, "inproc://shards-die", 3);
    crew_serve_some(&t.e);
    const holdings before = holdings_now();
    uint32_t refused = 0;
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        for (uint32_t shard = 0; shard < NEW; shard++, refused++) {
            die(&t, moments[i].phase, moments[i].times, false, shard);
        }
        for (uint32_t shard = 0; shard < OLD; shard++, refused++) {
            die(&t, moments[i].phase, moments[i].times, true, shard);
        }
    }
    edited_settle(&t.e);
    nothing_leaked(getpid(), before);
    psy_broker_counts counts;
    psy_broker_get_counts(t.s.broker, &counts);
    cr_assert_eq(counts.reshards_refused, refused);
    cr_assert_eq(counts.reshards, 0u);
    begin(&t); /* and then it works */
    wait_for_end(&t, PSY_OK);
    sent_away(&t, &t.old, PSY_OK);
    crew_serve_some(&t.e);
    close_service(&t);
}

/* Nobody can be missing for ever: whoever has come is sent away. */
Test(shards, survive_deaths_before_all_have_come)
{
    static service t;
    open_service(&t, "inproc://shards-join", 6);
    crew_serve_some(&t.e);
    for (int old = 0; old < 2; old++) {
        cr_assert_eq(psy_broker_reshard(t.s.broker, NEW, &t.ticket), PSY_OK, "%s", psy_detail());
        t.new = (crew){.s = &t.s, .e = &t.e, .count = NEW};
        crew_start_one(&t.new, 1);
        for (uint64_t end = psy__now_ns() + 20 * second_ns; !t.new.created[1] && psy__now_ns() < end;) {
            (void)psy_broker_do_work(t.s.broker);
        }
        crew_serve_some(&t.e);
        cr_assert_eq(t.s.broker->change.phase, CHANGE_JOINING);
        t.e.may_fail = old;
        kill_one(&t, old ? &t.old : &t.new, 1);
        wait_for_end(&t, PSY_PEER_DIED);
        sent_away(&t, &t.new, PSY_PEER_DIED);
        cr_assert(!old || psy_broker_reshard(t.s.broker, NEW, &t.ticket) == PSY_PEER_DIED); /* it cannot give its rows */
    }
    edited_settle(&t.e);
    crew_start_one(&t.old, 1);
    for (uint64_t end = psy__now_ns() + 20 * second_ns; t.s.broker->ready_count < OLD && psy__now_ns() < end;) {
        (void)psy_broker_do_work(t.s.broker);
    }
    t.e.may_fail = false;
    crew_serve_some(&t.e);
    close_service(&t);
}

/* The operator takes it back, or the service ends: likewise. */
Test(shards, are_taken_back_in_every_phase)
{
    static service t;
    open_service(&t, "inproc://shards-cancel", 4);
    const holdings before = holdings_now();
    for (psy__change_phase phase = CHANGE_ASKING; phase <= CHANGE_BINDING; phase++) {
        begin(&t);
        cr_assert(comes_to(&t, phase, 1));
        cr_assert_eq(psy_broker_reshard_cancel(t.s.broker, t.ticket), PSY_OK);
        cr_assert_eq(status_of(&t), PSY_CANCELLED);
        cr_assert_eq(psy_broker_reshard_cancel(t.s.broker, t.ticket), PSY_NOT_FOUND);
        sent_away(&t, &t.new, PSY_CANCELLED);
        crew_serve_some(&t.e);
    }
    edited_settle(&t.e);
    nothing_leaked(getpid(), before);
    begin(&t);
    cr_assert(comes_to(&t, CHANGE_GIVING, 1));
    psy_broker_drain(t.s.broker);
    for (uint64_t end = psy__now_ns() + 20 * second_ns; status_of(&t) == PSY_EMPTY && psy__now_ns() < end;) {
        (void)psy_broker_do_work(t.s.broker);
    }
    cr_assert_eq(status_of(&t), PSY_CLOSED, "%s", psy_detail());
    sent_away(&t, &t.new, PSY_CLOSED);
    cr_assert_eq(psy_broker_reshard(t.s.broker, NEW, NULL), PSY_CLOSED);
    close_service(&t);
}

/* Those that die after the flip are the new ones; an old one that dies with what it holds is only that. */
Test(shards, may_die_after_the_change)
{
    static service t;
    open_service(&t, "inproc://shards-after", 5);
    begin(&t);
    wait_for_end(&t, PSY_OK);
    t.e.may_fail = true;
    for (uint32_t shard = 0; shard < NEW; shard++) { /* nothing was edited: what it loads is its part */
        kill_one(&t, &t.new, shard);
        edited_settle(&t.e);
        crew_start_one(&t.new, shard);
        for (uint64_t end = psy__now_ns() + 20 * second_ns; t.s.broker->ready_count < NEW && psy__now_ns() < end;) {
            (void)psy_broker_do_work(t.s.broker);
        }
        crew_serve_some(&t.e);
    }
    sent_away(&t, &t.old, PSY_OK);
    close_service(&t);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Workers that lie while the shards change: the change is taken back, and nobody else is harmed. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/broker_state.h"
#include "tests/service/crew.h"

typedef struct liar {
    psy__link *link;
    psy_bell bell;
} liar;

typedef struct service {
    served s; /* the test holds its mutex: its thread is the broker's */
    edited e;
    crew honest;
    psy_module *module;
    uint64_t ticket;
} service;

static uint32_t work(void *broker) { return psy_broker_do_work(broker); }

static void open_service(service *t, const char *uri)
{
    *t = (service){.module = open_program(EDITED_MODULE)};
    edited_init(&t->e, 21);
    served_open(&t->s, &(psy_broker_options){.uri = uri, .shards = 1, .shards_max = 4, .module = t->module});
    pthread_mutex_lock(&t->s.mutex);
    t->e.agent = (psy_agent){work, t->s.broker};
}

static void close_service(service *t)
{
    edited_fini(&t->e);
    pthread_mutex_unlock(&t->s.mutex);
    crew_stop(&t->honest);
    served_close(&t->s);
    psy_module_close(t->module);
}

/* The next message, while the broker works; false: the link is closed, or the time is up. */
static bool hear(service *t, liar *l, psy__control *m)
{
    for (uint64_t end = psy__now_ns() + 20 * second_ns; psy__now_ns() < end;) {
        (void)psy_broker_do_work(t->s.broker);
        psy__event event = psy__link_poll(l->link, m);
        if (event != PSY_EVENT_NONE) {
            return event == PSY_EVENT_CONTROL;
        }
    }
    return false;
}

/* Comes as a worker, and takes what there is; `ready`: says that it serves. */
static void join_as(service *t, liar *l, bool ready)
{
    psy__hello hello = {.role = PSY_ROLE_WORKER};
    psy__ready said = {.data_version = 1};
    psy_bell bell[2];
    psy__control m;
    bool engaged = false;
    cr_assert_eq(psy__connect(t->s.uri, 5 * second_ns, &l->link), PSY_OK);
    cr_assert_eq(psy__say(l->link, PSY_SAY_HELLO, &hello, sizeof hello, NULL, 0), PSY_OK);
    while (!engaged) {
        cr_assert(hear(t, l, &m));
        psy__program_said program;
        const uint32_t files = m.fd_count;
        engaged = psy__heard_what(&m) == PSY_SAY_ENGAGED;
        if (psy__heard(&m, PSY_SAY_PROGRAM, &program, sizeof program, files) == PSY_OK && ready) {
            psy__program_ready is = {.number = program.number, .symbol_count = t->module->decoded.symbol_count};
            cr_assert_eq(psy__say(l->link, PSY_SAY_PROGRAM_READY, &is, sizeof is, NULL, 0), PSY_OK);
        }
        psy__close_fds(m.fds, m.fd_count);
    }
    cr_assert_eq(psy_bell_open_pair(bell), PSY_OK);
    l->bell = bell[0];
    if (ready) {
        cr_assert_eq(psy__say(l->link, PSY_SAY_READY, &said, sizeof said, &bell[1].fd, 1), PSY_OK);
        while (t->s.broker->ready_count == 0) {
            (void)psy_broker_do_work(t->s.broker);
        }
    }
    psy_bell_close(&bell[1]);
}

static void leave(service *t, liar *l)
{
    psy__link_close(l->link);
    psy_bell_close(&l->bell);
    for (int i = 0; i < 1000 && t->s.broker->shards[t->s.broker->layout.places[0]].phase != SHARD_NONE; i++) {
        (void)psy_broker_do_work(t->s.broker);
        usleep(1000);
    }
}

/* ---- who gives ---- */

typedef enum way {
    HAS_NOTHING,
    CAN_STILL_CHANGE_IT,
    GIVES_NOISE,
    GIVES_TWO_PARTS,
    HAS_NO_PLACEMENT,
    HAS_TOO_MANY,
    BEGINS_IN_THE_MIDDLE,
    HAS_MORE_OF_NOTHING,
    GIVES_MORE_THAN_THERE_ARE,
    KEEPS_SOME,
    REPEATS_ITSELF,
    GIVES_ANOTHER_TYPE,
    GIVES_A_KEY_TWICE,
    WANTS_ALL_MEMORY,
    REFUSES_WITHOUT_REASON,
    GIVES_TWO_FILES,
    ANSWERS_LONG_AGO,
    HANGS_UP,
    WAYS
} way;

static const psy_status ends_in[WAYS] = {
    [HAS_NOTHING] = PSY_INVALID,          [CAN_STILL_CHANGE_IT] = PSY_CORRUPT, [GIVES_NOISE] = PSY_CORRUPT,
    [GIVES_TWO_PARTS] = PSY_CORRUPT,      [HAS_NO_PLACEMENT] = PSY_CORRUPT,    [HAS_TOO_MANY] = PSY_CORRUPT,
    [BEGINS_IN_THE_MIDDLE] = PSY_CORRUPT, [HAS_MORE_OF_NOTHING] = PSY_CORRUPT, [GIVES_MORE_THAN_THERE_ARE] = PSY_CORRUPT,
    [KEEPS_SOME] = PSY_CORRUPT,           [REPEATS_ITSELF] = PSY_CORRUPT,      [GIVES_ANOTHER_TYPE] = PSY_INVALID,
    [GIVES_A_KEY_TWICE] = PSY_CORRUPT,    [WANTS_ALL_MEMORY] = PSY_NO_MEMORY,  [REFUSES_WITHOUT_REASON] = PSY_PROTOCOL,
    [GIVES_TWO_FILES] = PSY_PEER_DIED,    [ANSWERS_LONG_AGO] = PSY_CANCELLED,  [HANGS_UP] = PSY_PEER_DIED,
};

static int noise(void)
{
    uint8_t bytes[8192];
    int fd = memfd_create("psyne-noise", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    memset(bytes, 0xa5, sizeof bytes);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, bytes, sizeof bytes), (ssize_t)sizeof bytes);
    cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
    return fd;
}

/* Four rows of `stamp`, or what the lie needs. */
static int file_of(way how, uint64_t rows)
{
    static const float values[8];
    static const uint64_t keys[8] = {7, 8, 7, 9};
    if (how == GIVES_NOISE) {
        return noise();
    }
    if (how == CAN_STILL_CHANGE_IT) {
        psy__edit open;
        psy__edit_part part = {
            .resident = "stamp", .kind = PSY_EDIT_RELOAD, .dtype = PSY_F32, .rank = 1, .dims = {4}, .row_bytes = 4};
        cr_assert_eq(psy__edit_begin(&part, &open), PSY_OK);
        return open.fd;
    }
    psy_edit edits[2] = {
        {.resident = "stamp", .kind = PSY_EDIT_RELOAD, .dtype = PSY_F32, .rank = 1, .dims = {rows}, .rows = values},
        {.resident = "marks", .kind = PSY_EDIT_RELOAD, .dtype = PSY_F32, .rank = 1, .dims = {4}, .rows = values}};
    if (how == GIVES_ANOTHER_TYPE) {
        edits[0].dtype = PSY_U32;
    } else if (how == GIVES_A_KEY_TWICE) {
        edits[0].which = keys;
    } else if (how == WANTS_ALL_MEMORY) {
        edits[0].rank = 2;
        edits[0].dims[1] = UINT64_C(1) << 40;
    }
    psy__edit file;
    cr_assert_eq(psy__edit_make(edits, how == GIVES_TWO_PARTS ? 2 : 1, &file), PSY_OK, "%s", psy_detail());
    return file.fd;
}

static void answer(liar *l, way how, const psy__export *asked)
{
    psy__exported said = {.number = asked->number, .total = 4, .placement = PSY_PLACE_REPLICATED};
    uint64_t rows = 4;
    int fds[2];
    psy__move_refused refused = {.number = asked->number};
    const bool over = how == HAS_NOTHING || (how == GIVES_ANOTHER_TYPE && asked->dataset == 1);
    if (over) {
        (void)!psy__say(l->link, PSY_SAY_EXPORTED, &said, sizeof said, NULL, 0);
        return;
    }
    if (how == REFUSES_WITHOUT_REASON) {
        memset(refused.text, 'x', sizeof refused.text);
        (void)!psy__say(l->link, PSY_SAY_MOVE_REFUSED, &refused, sizeof refused, NULL, 0);
        return;
    }
    switch (how) {
    case HAS_NO_PLACEMENT: said.placement = 7; break;
    case HAS_TOO_MANY: said.total = UINT32_MAX; break;
    case BEGINS_IN_THE_MIDDLE: said.first = 2; break;
    case HAS_MORE_OF_NOTHING:
        rows = 0;
        said.more = 1;
        break;
    case GIVES_MORE_THAN_THERE_ARE: said.total = 3; break;
    case KEEPS_SOME: said.total = 5; break;
    case GIVES_A_KEY_TWICE: said.placement = PSY_PLACE_BY_KEY; break;
    case WANTS_ALL_MEMORY:
        rows = 0;
        said.total = 1 << 20;
        break;
    case ANSWERS_LONG_AGO: said.number--; break;
    default: break;
    }
    fds[0] = fds[1] = file_of(how, rows);
    (void)!psy__say(l->link, PSY_SAY_EXPORTED, &said, sizeof said, fds, how == GIVES_TWO_FILES ? 2 : 1);
    close(fds[0]);
}

static psy_status status_of(const service *t) { return psy_broker_reshard_status(t->s.broker, t->ticket); }

/* The broker works, and the one who lies answers what it is asked. */
static void change_with(service *t, liar *l, way how)
{
    bool here = true;
    uint64_t asked = 0;
    crew_start(&t->honest, &t->s, &t->e, 1);
    for (uint64_t end = psy__now_ns() + 20 * second_ns; status_of(t) == PSY_EMPTY && psy__now_ns() < end;) {
        psy__control m;
        psy__export said;
        (void)psy_broker_do_work(t->s.broker);
        if (asked == 1 && how == ANSWERS_LONG_AGO && psy__now_ns() > end - 19 * second_ns) {
            cr_assert_eq(psy_broker_reshard_cancel(t->s.broker, t->ticket), PSY_OK);
        }
        if (!here || psy__link_poll(l->link, &m) != PSY_EVENT_CONTROL) {
            continue;
        }
        if (psy__heard(&m, PSY_SAY_EXPORT, &said, sizeof said, 0) == PSY_OK) {
            asked++;
            here = how != HANGS_UP;
            if (here) {
                answer(l, how, &said);
            } else {
                psy__link_close(l->link);
                l->link = NULL;
            }
        }
        psy__close_fds(m.fds, m.fd_count);
    }
    cr_assert_geq(asked, 1u);
}

Test(shards, are_not_what_liars_give)
{
    static service t;
    open_service(&t, "inproc://shards-give");
    for (way how = HAS_NOTHING; how < WAYS; how++) {
        liar l;
        const holdings before = holdings_now();
        join_as(&t, &l, true);
        cr_assert_eq(psy_broker_reshard(t.s.broker, 1, &t.ticket), PSY_OK, "%s", psy_detail());
        change_with(&t, &l, how);
        cr_assert_eq(status_of(&t), ends_in[how], "way %d: %s: %s", how, psy_status_name(status_of(&t)), psy_detail());
        if (l.link) {
            leave(&t, &l);
        } else {
            psy_bell_close(&l.bell);
        }
        for (uint64_t end = psy__now_ns() + 20 * second_ns; !t.honest.left[0] && psy__now_ns() < end;) {
            (void)psy_broker_do_work(t.s.broker);
        }
        cr_assert(t.honest.left[0]);
        crew_ended(&t.honest, ends_in[how]);
        nothing_leaked(getpid(), before);
    }
    close_service(&t);
}

/* ---- who takes ---- */

static void say_early(liar *l, int what)
{
    psy_bell bell[2];
    psy__ready ready = {.data_version = 1};
    psy__move_word word = {.number = 1, .version = 1};
    psy__exported exported = {.number = 1, .total = 1};
    psy__move_refused refused = {.number = UINT64_MAX, .status = PSY_INVALID};
    psy__leaving leaving = {.said = {0}};
    psy__control control = {.bytes = 5};
    switch (what) {
    case 0:
        cr_assert_eq(psy_bell_open_pair(bell), PSY_OK);
        (void)!psy__say(l->link, PSY_SAY_READY, &ready, sizeof ready, &bell[1].fd, 1);
        psy_bell_close(&bell[0]);
        psy_bell_close(&bell[1]);
        break;
    case 1: (void)!psy__say(l->link, PSY_SAY_TAKEN, &word, sizeof word, NULL, 0); break;
    case 2: (void)!psy__say(l->link, PSY_SAY_MOVED, &word, sizeof word, NULL, 0); break;
    case 3: (void)!psy__say(l->link, PSY_SAY_EXPORTED, &exported, sizeof exported, NULL, 0); break;
    case 4: (void)!psy__say(l->link, PSY_SAY_MOVE_REFUSED, &refused, sizeof refused, NULL, 0); break;
    case 5: (void)!psy__say(l->link, PSY_SAY_LEAVING, &leaving, sizeof leaving, NULL, 0); break;
    case 6: (void)!psy__link_send(l->link, &control, 1); break;
    default: break; /* it never says anything */
    }
}

Test(shards, do_not_mind_liars_that_come)
{
    static service t;
    open_service(&t, "inproc://shards-take");
    crew_start(&t.honest, &t.s, &t.e, 1);
    edited_connect(&t.e, t.s.uri, 16);
    const holdings before = holdings_now();
    for (int what = 0; what < 8; what++) {
        liar l;
        cr_assert_eq(psy_broker_reshard(t.s.broker, 1, &t.ticket), PSY_OK, "%s", psy_detail());
        join_as(&t, &l, false);
        say_early(&l, what);
        for (uint64_t end = psy__now_ns() + second_ns / 20; psy__now_ns() < end && status_of(&t) == PSY_EMPTY;) {
            edited_serve(&t.e);
        }
        if (status_of(&t) == PSY_EMPTY) { /* what makes no sense is overheard; it has no rows, and does not say that it has */
            cr_assert(what == 1 || what == 3 || what == 4 || what == 7, "%d", what);
            cr_assert_eq(psy_broker_reshard_cancel(t.s.broker, t.ticket), PSY_OK);
        } else {
            cr_assert_eq(status_of(&t), PSY_PEER_DIED, "%d: %s", what, psy_detail());
        }
        psy__link_close(l.link);
        psy_bell_close(&l.bell);
        const uint64_t sums = t.e.answered[EDITED_SUMS] + 4;
        for (uint64_t end = psy__now_ns() + 20 * second_ns; t.e.answered[EDITED_SUMS] < sums && psy__now_ns() < end;) {
            edited_serve(&t.e);
        }
        cr_assert_geq(t.e.answered[EDITED_SUMS], sums);
    }
    edited_settle(&t.e);
    nothing_leaked(getpid(), before);
    close_service(&t);
}

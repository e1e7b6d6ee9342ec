/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of the soak: each call has a number and a record, ends exactly once, and as it may. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/service/served_values.h"
#include "tests/service/soak_data.h"

enum { ALL = 7, SPLIT = 1, KEY = 2, ANY = 4, BURST = 32, SLICE = 32 };

/* Retried calls are given time for a broker to come back; the others too, but those whose deadline is the matter. */
const soak_kind soak_kinds[] = {
    {.name = "many in flight", .lanes = ALL, .in_flight = SOAK_IN_FLIGHT_MAX, .least_ms = 10000, .most_ms = 10000},
    {.name = "split", .lanes = SPLIT, .in_flight = 64, .least_ms = 5000, .most_ms = 10000},
    {.name = "by key", .lanes = KEY, .in_flight = 64, .least_ms = 5000, .most_ms = 10000},
    {.name = "any", .lanes = ANY, .in_flight = 64, .least_ms = 5000, .most_ms = 10000},
    {.name = "slow reader", .lanes = ALL, .in_flight = 48, .least_ms = 10000, .most_ms = 10000, .hold_ms = 20},
    {.name = "never reads", .lanes = ALL, .in_flight = 64, .least_ms = 10000, .most_ms = 10000, .blind_ms = 3000},
    {.name = "canceller", .lanes = ALL, .in_flight = 64, .least_ms = 10000, .most_ms = 10000, .cancel = 3},
    {.name = "short deadlines", .lanes = ALL, .in_flight = 64, .least_ms = 0, .most_ms = 6},
    {.name = "own programs", .program = true, .lanes = ALL, .in_flight = 24, .least_ms = 10000, .most_ms = 10000},
    {.name = "editor", .edits = true, .lanes = ALL, .in_flight = 24, .least_ms = 10000, .most_ms = 10000},
    {.name = "traced", .trace = true, .lanes = ALL, .in_flight = 16, .least_ms = 10000, .most_ms = 10000},
    {.name = "socket", .socket = true, .lanes = ALL, .in_flight = 64, .least_ms = 10000, .most_ms = 10000},
    {.name = "socket, retry",
     .socket = true,
     .retry = true,
     .lanes = ALL,
     .in_flight = 64,
     .least_ms = 20000,
     .most_ms = 30000},
    {.name = "socket, canceller",
     .socket = true,
     .retry = true,
     .lanes = ALL,
     .in_flight = 48,
     .least_ms = 0,
     .most_ms = 40,
     .hold_ms = 5,
     .cancel = 4},
};
const uint32_t soak_kind_count = sizeof soak_kinds / sizeof *soak_kinds;
const char *const soak_lane_names[SOAK_LANES] = {"total", "one", "plain"};

static const uint64_t ms_ns = 1000000, second_ns = 1000000000;

typedef struct record {
    uint64_t number; /* 0: no call is here */
    uint64_t key, sent_ns, deadline_ns;
    uint64_t moment;        /* of the data: requests that are sent now see what was made then */
    uint32_t lane, program; /* the client's own, of that turn */
    bool cancelled, crossed;
    soak_ticket ticket;
} record;

typedef struct answer {
    uint32_t version;
    float value;
    uint64_t key, rows;
} answer;

typedef struct held {
    soak_reply reply;
    answer was;
    uint64_t until_ns;
} held;

/* Of a process. */
typedef struct client {
    soak_shared *shared;
    soak_account *account;
    const soak_kind *kind;
    const char *uri;
    soak_line line;
    uint64_t seed, number;
    uint32_t out, held_from, held_count;
    record records[SOAK_IN_FLIGHT_MAX];
    held holds[SOAK_IN_FLIGHT_MAX];
    struct {
        uint8_t *bytes;
        size_t n;
    } programs[2];
    uint32_t program; /* how many were sent over this line, and how many over all before */
    uint64_t swap_ns; /* when the next one is */
    uint64_t edit_ns; /* and the next edit */
    bool programmed;  /* this line has one */
    uint64_t full_ns; /* all calls are out since; 0: they are not */
} client;

#define WRONG(c, counter, ...)                                                                                                 \
    do {                                                                                                                       \
        (c)->account->counter++;                                                                                               \
        soak_complain((c)->shared, "client \"%s\": " __VA_ARGS__);                                                             \
    } while (0)

/* ---- replies ---- */

/* The service has versions 1 to 3, a client's own programs say 3 and 4 by turns: the one that was sent last before the call,
 * or one that has been sent since. */
static bool may_answer(const client *c, const record *r, uint32_t version)
{
    if (!c->kind->program) {
        return version >= 1 && version <= 3;
    }
    return version == 3 + r->program % 2 || (c->program != r->program && (version == 3 || version == 4));
}

static bool read_answer(const soak_reply *reply, answer *out)
{
    const programs_answer *a = reply->message;
    *out = (answer){.version = 0};
    if (!a || programs_answer_verify(a, reply->bytes) != PSY_OK) {
        return false;
    }
    *out = (answer){.version = programs_answer_version(a),
                    .value = programs_answer_value(a),
                    .key = programs_answer_key(a),
                    .rows = programs_answer_rows(a)};
    return true;
}

static void check_end(client *c, const record *r, const soak_reply *reply, uint64_t now)
{
    answer a = {.version = 0};
    bool overdue = now + 2 * ms_ns >= r->deadline_ns, fits = false;
    switch ((int)reply->status) {
    case PSY_OK:
        fits = read_answer(reply, &a) && a.key == r->key && may_answer(c, r, a.version) && !r->cancelled &&
               soak_data_may_answer(r->moment, c->shared->begun, r->lane, r->key, a.version, a.value, a.rows);
        break;
    case PSY_CANCELLED: fits = r->cancelled; break;
    case PSY_TIMEOUT: /* before its time where a shard hangs */
        fits = (overdue || (!c->kind->retry && now < c->shared->hung_ns)) && !r->cancelled;
        break;
    case PSY_PEER_DIED: fits = (!c->kind->retry || overdue) && !r->cancelled; break;
    default: break;
    }
    if (!fits) {
        WRONG(c, wrong,
              "call %" PRIu64
              " of %s, %.1f ms after it was sent, %.1f ms before its deadline%s: %s, version %u, program %u of %u, key %" PRIu64
              ": %g over %" PRIu64 " rows; data %" PRIx64 " to %" PRIx64,
              c->kind->name, r->number, soak_lane_names[r->lane], (double)(now - r->sent_ns) / 1e6,
              ((double)r->deadline_ns - (double)now) / 1e6, r->cancelled ? ", cancelled" : "", psy_status_name(reply->status),
              a.version, r->program, c->program, a.key, (double)a.value, a.rows, r->moment, (uint64_t)c->shared->begun);
    }
    if (now > r->deadline_ns + 20 * second_ns) {
        WRONG(c, wrong, "call %" PRIu64 " ended %.1f s after its deadline", c->kind->name, r->number,
              (double)(now - r->deadline_ns) / 1e9);
    }
}

static void end_call(client *c, const soak_reply *reply, uint64_t now)
{
    record *r = &c->records[reply->number % SOAK_IN_FLIGHT_MAX];
    if (reply->number == 0 || r->number != reply->number) {
        WRONG(c, twice, "call %" PRIu64 " ended again: %s", c->kind->name, reply->number, psy_status_name(reply->status));
        return;
    }
    check_end(c, r, reply, now);
    if (r->crossed) {
        c->account->crossed_ok += reply->status == PSY_OK;
        c->account->crossed_told += reply->status != PSY_OK;
    }
    c->account->ended[(uint32_t)reply->status < (uint32_t)SOAK_STATUSES ? reply->status : 0]++;
    r->number = 0;
    c->out--;
    if (reply->status != PSY_OK) {
        return;
    }
    if (c->kind->hold_ms && c->held_count < c->kind->in_flight / 2) {
        held *h = &c->holds[(c->held_from + c->held_count++) % SOAK_IN_FLIGHT_MAX];
        *h = (held){.reply = *reply, .until_ns = now + c->kind->hold_ms * ms_ns};
        (void)read_answer(reply, &h->was);
        return;
    }
    soak_line_release(&c->line, reply);
}

/* Gives back what was held for long enough: it is still what it was. */
static void let_go(client *c, uint64_t now)
{
    for (; c->held_count && c->holds[c->held_from].until_ns <= now; c->held_count--) {
        held *h = &c->holds[c->held_from];
        answer now_is;
        if (!read_answer(&h->reply, &now_is) || memcmp(&now_is, &h->was, sizeof now_is) != 0) {
            WRONG(c, wrong, "the reply of call %" PRIu64 " has changed while it was held", c->kind->name, h->reply.number);
        }
        soak_line_release(&c->line, &h->reply);
        c->held_from = (c->held_from + 1) % SOAK_IN_FLIGHT_MAX;
    }
}

/* The connection is gone: what is out was in slabs that the service had, or has yet to be sent. */
static void cross(client *c)
{
    c->line.lost = false;
    for (uint32_t i = 0; i < SOAK_IN_FLIGHT_MAX; i++) {
        record *r = &c->records[i];
        c->account->crossed += r->number && !r->crossed;
        r->crossed |= r->number != 0;
    }
}

/* What came with the loss of a socket's connection: replies were there before it, the rest is because of it. */
static void end_around_loss(client *c, const soak_reply *replies, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (replies[i].status == PSY_OK) {
            end_call(c, &replies[i], psy__now_ns());
        }
    }
    cross(c);
    for (uint32_t i = 0; i < n; i++) {
        if (replies[i].status != PSY_OK) {
            end_call(c, &replies[i], psy__now_ns());
        }
    }
}

/* Takes what is there; false: the channel has ended, and everything that was out has been told so. */
static bool take(client *c)
{
    soak_reply replies[SLICE];
    uint32_t n, died = 0;
    psy_status status;
    do {
        status = soak_line_take(&c->line, replies, SLICE, &n);
        if (c->line.lost) {
            end_around_loss(c, replies, n);
            continue;
        }
        for (uint32_t i = 0; i < n; i++) {
            died += replies[i].status == PSY_PEER_DIED;
            end_call(c, &replies[i], psy__now_ns());
        }
    } while (n);
    if (status == PSY_CLOSED) {
        c->account->crossed += died;
        c->account->crossed_told += died;
    }
    let_go(c, psy__now_ns());
    return status != PSY_CLOSED;
}

/* ---- calls ---- */

static bool send_one(client *c)
{
    uint64_t number = c->number + 1, now = psy__now_ns();
    record *r = &c->records[number % SOAK_IN_FLIGHT_MAX];
    if (r->number) {
        return false; /* that one is out yet */
    }
    *r = (record){.sent_ns = now, .program = c->program, .moment = c->shared->made};
    do {
        r->lane = (uint32_t)(soak_random(&c->seed) % SOAK_LANES);
    } while (!(c->kind->lanes >> r->lane & 1));
    uint64_t any = soak_random(&c->seed), span = c->kind->most_ms - c->kind->least_ms;
    r->key = r->lane == 1 ? any % SERVED_KEPT * 1000003 + 17 : any % 1000000;
    r->deadline_ns = now + c->kind->least_ms * ms_ns + (span ? soak_random(&c->seed) % (span * ms_ns) : 0);
    c->account->sent++; /* before it is out: who is killed has not ended it */
    psy_status status = soak_line_send(&c->line, r->lane, number, r->key, r->deadline_ns, &r->ticket);
    if (status != PSY_OK) {
        c->account->sent--;
        if (status != PSY_FULL && status != PSY_CLOSED) {
            WRONG(c, wrong, "a call could not be made: %s: %s", c->kind->name, psy_status_name(status), psy_detail());
        }
        return false;
    }
    r->number = c->number = number;
    c->out++;
    if (c->kind->cancel && any % c->kind->cancel == 0) {
        uint64_t victim = number - soak_random(&c->seed) % 8;
        record *v = &c->records[victim % SOAK_IN_FLIGHT_MAX];
        if (victim && v->number == victim && !v->cancelled) {
            status = soak_line_cancel(&c->line, &v->ticket);
            v->cancelled = status == PSY_OK;
            if (status != PSY_OK && status != PSY_NOT_FOUND) {
                WRONG(c, wrong, "a call could not be cancelled: %s: %s", c->kind->name, psy_status_name(status), psy_detail());
            }
        }
    }
    return true;
}

/* Another program of its own; where that fails the line is about to end. */
static void send_program(client *c)
{
    uint32_t next = c->program + 1;
    psy_status status = soak_line_send_program(&c->line, c->programs[next % 2].bytes, c->programs[next % 2].n);
    if (status == PSY_OK) {
        c->program = next;
        c->programmed = true;
        c->account->programs++;
        c->swap_ns = psy__now_ns() + 300 * ms_ns + soak_random(&c->seed) % second_ns;
        return;
    }
    if (status != PSY_CLOSED && status != PSY_TIMEOUT && status != PSY_PEER_DIED) {
        WRONG(c, wrong, "a program was not taken: %s: %s", c->kind->name, psy_status_name(status), psy_detail());
    }
    c->swap_ns = psy__now_ns() + 50 * ms_ns;
}

/* Changes the data, if this broker has room for another edit. Where nobody knows whether the last one was made, all of it. */
static void edit(client *c)
{
    soak_shared *shared = c->shared;
    uint64_t made = shared->made, begun = shared->begun, next = begun + 1, version = 0;
    bool anew = made != begun;
    uint32_t number = soak_moment_state(next);
    c->edit_ns = psy__now_ns() + 10 * ms_ns + soak_random(&c->seed) % ((number < 40 ? 100 : 1000) * ms_ns);
    if (number >= SOAK_STATES || !atomic_compare_exchange_strong(&shared->begun, &begun, next)) {
        return;
    }
    psy_edit edits[SOAK_EDITS];
    soak_data_edits(number, anew, edits);
    psy_status status = soak_line_edit(&c->line, edits, SOAK_EDITS, &version);
    if (status == PSY_OK) {
        c->account->edits++;
        (void)atomic_compare_exchange_strong(&shared->made, &made, next); /* unless it is another broker already */
    }
    if ((status == PSY_OK && (version < 2 || version > number + 1)) ||
        (status != PSY_OK && status != PSY_CLOSED && status != PSY_PEER_DIED)) {
        WRONG(c, wrong, "an edit that makes state %u%s: %s, version %" PRIu64 ": %s", c->kind->name, number,
              anew ? ", anew" : "", psy_status_name(status), version, status == PSY_OK ? "" : psy_detail());
    }
}

/* Reads nothing for a while, once everything is out. */
static bool is_blind(client *c, uint64_t now)
{
    if (!c->kind->blind_ms || c->out < c->kind->in_flight || soak_ended) {
        c->full_ns = 0;
        return false;
    }
    c->full_ns = c->full_ns ? c->full_ns : now;
    if (now < c->full_ns + c->kind->blind_ms * ms_ns) {
        return true;
    }
    c->full_ns = 0;
    return false;
}

/* One connection, as long as it lasts. */
static void talk(client *c)
{
    bool up = true;
    c->account->connections++;
    while (up && (!soak_ended || c->out || c->held_count)) {
        if (c->kind->program && !soak_ended && psy__now_ns() >= c->swap_ns) {
            send_program(c);
        }
        if (c->kind->edits && !soak_ended && psy__now_ns() >= c->edit_ns) {
            edit(c);
        }
        bool sends = !soak_ended && (!c->kind->program || c->programmed);
        for (uint32_t i = 0; i < BURST && sends && c->out + c->held_count < c->kind->in_flight; i++) {
            if (!send_one(c)) {
                break;
            }
        }
        if (is_blind(c, psy__now_ns())) {
            usleep(5000);
            continue;
        }
        up = take(c);
        if (c->out && !c->kind->hold_ms) {
            soak_line_wait(&c->line, 20 * ms_ns);
        }
        usleep(1000); /* many clients, few cores */
    }
    if (!up) { /* a channel's end: poll has given all, or else they are lost */
        for (uint32_t i = 0; i < SOAK_IN_FLIGHT_MAX; i++) {
            if (c->records[i].number) {
                WRONG(c, lost, "call %" PRIu64 " never ended: its channel is closed", c->kind->name, c->records[i].number);
                c->records[i].number = 0;
                c->out--;
            }
        }
    }
    let_go(c, UINT64_MAX);
    soak_line_close(&c->line);
}

static bool read_program(client *c, int which, const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f) {
        soak_complain(c->shared, "%s: it is not there", path);
        return false;
    }
    c->programs[which].bytes = malloc(1 << 20);
    c->programs[which].n = c->programs[which].bytes ? fread(c->programs[which].bytes, 1, 1 << 20, f) : 0;
    fclose(f);
    return c->programs[which].n != 0;
}

int soak_client(soak_shared *shared, const char *uri, uint32_t kind, uint64_t seed)
{
    client *c = calloc(1, sizeof *c);
    if (!c) {
        return 1;
    }
    c->shared = shared;
    c->account = &shared->accounts[kind];
    c->kind = &soak_kinds[kind];
    c->uri = uri;
    c->seed = seed;
    if (c->kind->program && (!read_program(c, 0, PROGRAM_FILE("v3")) || !read_program(c, 1, PROGRAM_FILE("v4")))) {
        return 1;
    }
    while (!soak_ended) {
        psy_status status = soak_line_open(&c->line, c->kind, uri);
        if (status == PSY_OK) {
            c->swap_ns = 0;
            c->programmed = false;
            talk(c);
        } else if (status != PSY_UNREACHABLE && status != PSY_TIMEOUT && status != PSY_PEER_DIED && status != PSY_CLOSED) {
            WRONG(c, wrong, "no connection: %s: %s", c->kind->name, psy_status_name(status), psy_detail());
        }
        usleep(status == PSY_OK ? 0 : 5000);
    }
    free(c->programs[0].bytes);
    free(c->programs[1].bytes);
    free(c);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/service/edited.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 61, WEIGHTS = 7, KEPT = 40, TITLES = 9, ROWS_LEAST = 16, CHANGE_MAX = 24 };
static const char *const pipeline_names[EDITED_PIPELINES] = {"sums", "best", "kept_row", "title"};

uint64_t edited_random(edited *e, uint64_t below)
{
    e->random = e->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (e->random >> 33) % below;
}

edited_data *edited_at(const edited *e, uint64_t version)
{
    return &e->data[version == 1 ? EDITED_VERSIONS : version % EDITED_VERSIONS];
}

static void random_row(edited *e, float *row)
{
    for (uint32_t d = 0; d < EDITED_DIM; d++) {
        row[d] = (float)((int)edited_random(e, 41) - 20);
    }
}

static void random_title(edited *e, char *title)
{
    memset(title, 0, EDITED_TEXT);
    uint64_t n = edited_random(e, EDITED_TEXT + 1);
    for (uint64_t i = 0; i < n; i++) {
        title[i] = (char)('a' + edited_random(e, 26));
    }
}

static bool has_key(const edited_data *d, uint64_t key, uint32_t *at)
{
    for (uint32_t i = 0; i < d->kept; i++) {
        if (d->key[i] == key) {
            *at = i;
            return true;
        }
    }
    return false;
}

static uint64_t new_key(edited *e, const edited_data *d)
{
    uint64_t key;
    uint32_t at;
    do {
        key = edited_random(e, 2000) * 7919;
    } while (has_key(d, key, &at));
    return key;
}

void edited_init(edited *e, uint64_t seed)
{
    *e = (edited){.random = seed, .made = 1, .pending = 1};
    e->data = calloc(EDITED_VERSIONS + 1, sizeof *e->data);
    cr_assert_not_null(e->data);
    edited_data *d = edited_at(e, 1);
    *d = (edited_data){.version = 1, .rows = ROWS, .weights = WEIGHTS, .titles = TITLES};
    for (uint32_t i = 0; i < ROWS; i++) {
        random_row(e, d->row[i]);
        d->mark[i] = (float)edited_random(e, 100);
    }
    for (uint32_t i = 0; i < WEIGHTS; i++) {
        random_row(e, d->weight[i]);
    }
    for (; d->kept < KEPT; d->kept++) {
        d->key[d->kept] = new_key(e, d);
        random_row(e, d->value[d->kept]);
    }
    for (uint32_t i = 0; i < TITLES; i++) {
        random_title(e, d->title[i]);
    }
}

void edited_fini(edited *e)
{
    psy_channel_close(e->channel);
    free(e->data);
}

/* ---- loading ---- */

typedef struct source {
    const uint8_t *rows;
    size_t row_bytes;
    const uint64_t *keys;
} source;

static psy_status fill(void *context, uint64_t row, void *out)
{
    const source *s = context;
    memcpy(out, s->rows + row * s->row_bytes, s->row_bytes);
    return PSY_OK;
}

static psy_status key_of(void *context, uint64_t row, uint64_t *key)
{
    *key = ((const source *)context)->keys[row];
    return PSY_OK;
}

void edited_load(const edited *e, psy_worker *worker)
{
    const edited_data *d = edited_at(e, 1);
    float stamp = 1;
    const struct {
        const char *name;
        uint32_t rank;
        uint64_t rows, inner;
        source from;
    } loads[] = {{"stamp", 1, 1, 0, {(const uint8_t *)&stamp, 4, NULL}},
                 {"rows", 2, d->rows, EDITED_DIM, {(const uint8_t *)d->row, sizeof d->row[0], NULL}},
                 {"marks", 1, d->rows, 0, {(const uint8_t *)d->mark, 4, NULL}},
                 {"weights", 2, d->weights, EDITED_DIM, {(const uint8_t *)d->weight, sizeof d->weight[0], NULL}},
                 {"kept", 2, d->kept, EDITED_DIM, {(const uint8_t *)d->value, sizeof d->value[0], d->key}},
                 {"titles", 2, d->titles, EDITED_TEXT, {(const uint8_t *)d->title, EDITED_TEXT, NULL}}};
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
        source from = loads[i].from;
        psy_rows rows = {.resident = loads[i].name,
                         .rank = loads[i].rank,
                         .dims = {loads[i].rows, loads[i].inner},
                         .fill = fill,
                         .key = from.keys ? key_of : NULL,
                         .context = &from};
        cr_assert_eq(psy_worker_load(worker, &rows), PSY_OK, "%s", psy_detail());
    }
}

/* ---- asking ---- */

void edited_connect(edited *e, const char *uri, uint32_t in_flight)
{
    psy_channel_options o = {.in_flight = in_flight, .call_timeout_ms = 20000, .agent = e->agent};
    cr_assert_eq(psy_channel_connect(uri, &o, &e->channel), PSY_OK, "%s", psy_detail());
    const psy_type *replies[] = {edits_sums_type(), edits_best_type(), edits_kept_type(), edits_named_type()};
    for (uint32_t i = 0; i < EDITED_PIPELINES; i++) {
        cr_assert_eq(psy_channel_open(e->channel, pipeline_names[i], edits_ask_type(), replies[i], &e->pipelines[i]), PSY_OK,
                     "%s", psy_detail());
    }
}

static void ask(edited *e)
{
    const edited_data *d = edited_at(e, e->made);
    uint32_t pipeline = (uint32_t)edited_random(e, EDITED_PIPELINES);
    edited_call *call = e->calls;
    while (call < e->calls + EDITED_CALLS - 1 && call->out) {
        call++;
    }
    cr_assert(!call->out);
    psy_call claimed;
    psy_status status = psy_channel_claim(e->channel, &e->pipelines[pipeline], &claimed);
    if (status == PSY_FULL) {
        return;
    }
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    *call = (edited_call){.pipeline = pipeline, .oldest = e->made, .out = true};
    call->key = pipeline == EDITED_TITLE ? edited_random(e, d->titles)
                : edited_random(e, 8)    ? d->key[edited_random(e, d->kept)]
                                         : new_key(e, d);
    for (uint32_t i = 0; i < EDITED_DIM; i++) {
        call->vector[i] = (float)((int)edited_random(e, 9) - 4);
    }
    edits_ask *message = edits_ask_init(claimed.message);
    edits_ask_set_key(message, call->key);
    memcpy(message->vector, call->vector, sizeof call->vector);
    psy_channel_commit(e->channel, &claimed, call);
}

/* ---- checking ---- */

static float dot(const float *a, const float *b)
{
    float sum = 0;
    for (uint32_t d = 0; d < EDITED_DIM; d++) {
        sum += a[d] * b[d];
    }
    return sum;
}

static void check_sums(const edited_data *d, const edited_call *call, const edits_sums *got)
{
    float total = 0, marks = 0, weights = 0;
    for (uint32_t i = 0; i < d->rows; i++) {
        total += dot(d->row[i], call->vector);
        marks += d->mark[i];
    }
    for (uint32_t i = 0; i < d->weights; i++) {
        weights += dot(d->weight[i], call->vector);
    }
    cr_assert_eq(got->rows, (uint64_t)d->rows, "%lu rows in version %lu", (unsigned long)got->rows, (unsigned long)d->version);
    cr_assert_eq(got->total, total, "total %g, not %g, in version %lu", (double)got->total, (double)total,
                 (unsigned long)d->version);
    cr_assert_eq(got->marks, marks);
    cr_assert_eq(got->weights, weights);
    cr_assert_eq(got->width, (uint64_t)d->weights);
}

/* Ties go to the lowest row number. */
static void check_best(const edited_data *d, const edited_call *call, const edits_best *got)
{
    uint32_t before[3];
    for (uint32_t k = 0; k < 3; k++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t i = 0; i < d->rows; i++) {
            bool taken = (k > 0 && before[0] == i) || (k > 1 && before[1] == i);
            if (!taken && (best == UINT32_MAX || dot(d->row[i], call->vector) > dot(d->row[best], call->vector))) {
                best = i;
            }
        }
        before[k] = best;
        cr_assert_eq(got->index[k], (uint64_t)best, "place %u: row %lu, not %u, in version %lu", k,
                     (unsigned long)got->index[k], best, (unsigned long)d->version);
        cr_assert_eq(got->score[k], dot(d->row[best], call->vector));
        cr_assert_eq(got->mark[k], d->mark[best]);
    }
}

static void check_kept(const edited_data *d, const edited_call *call, const edits_kept *got)
{
    uint32_t at = 0;
    cr_assert(has_key(d, call->key, &at), "key %lu is not in version %lu", (unsigned long)call->key, (unsigned long)d->version);
    cr_assert_eq(memcmp(got->value, d->value[at], sizeof d->value[at]), 0, "key %lu in version %lu", (unsigned long)call->key,
                 (unsigned long)d->version);
}

static void check(edited *e, const edited_call *call, const psy_reply *reply)
{
    if (reply->status == PSY_PEER_DIED && e->may_fail) {
        e->failed++;
        return;
    }
    if (reply->status == PSY_NOT_FOUND && call->pipeline == EDITED_KEPT) {
        bool ever = false;
        uint32_t at;
        for (uint64_t v = call->oldest; v <= e->pending; v++) {
            ever = ever || !has_key(edited_at(e, v), call->key, &at);
        }
        cr_assert(ever, "key %lu is in every version that can have been seen", (unsigned long)call->key);
        e->missing++;
        return;
    }
    cr_assert_eq(reply->status, PSY_OK, "%s: %s", pipeline_names[call->pipeline], psy_status_name(reply->status));
    float stamp;
    memcpy(&stamp, &((const edits_sums *)reply->message)->stamp, sizeof stamp); /* the first field of all of them */
    const uint64_t version = (uint64_t)stamp;
    cr_assert(version >= call->oldest && version <= e->pending, "version %lu, and %lu to %lu could be seen",
              (unsigned long)version, (unsigned long)call->oldest, (unsigned long)e->pending);
    const edited_data *d = edited_at(e, version);
    cr_assert_eq(d->version, version);
    if (call->pipeline == EDITED_SUMS) {
        check_sums(d, call, reply->message);
    } else if (call->pipeline == EDITED_BEST) {
        check_best(d, call, reply->message);
    } else if (call->pipeline == EDITED_KEPT) {
        check_kept(d, call, reply->message);
    } else {
        cr_assert_eq(edits_named_verify(reply->message, reply->bytes), PSY_OK, "title %lu of %u in version %lu: %s",
                     (unsigned long)call->key, d->titles, (unsigned long)version, psy_detail());
        const edits_named *named = reply->message;
        cr_assert_eq(edits_named_title_bytes(named), strnlen(d->title[call->key], EDITED_TEXT));
        cr_assert_eq(memcmp(edits_named_title(named), d->title[call->key], edits_named_title_bytes(named)), 0);
    }
    e->answered[call->pipeline]++;
    e->newest = version > e->newest ? version : e->newest;
}

static void take(edited *e)
{
    psy_reply replies[16];
    uint32_t count;
    while (psy_channel_poll(e->channel, replies, 16, &count) == PSY_OK) {
        for (uint32_t i = 0; i < count; i++) {
            check(e, replies[i].user, &replies[i]);
            ((edited_call *)replies[i].user)->out = false;
            psy_channel_release(e->channel, &replies[i]);
        }
    }
}

void edited_serve(edited *e)
{
    for (int i = 0; i < 8; i++) {
        ask(e);
    }
    (void)!psy_channel_wait(e->channel, 200000);
    take(e);
}

void edited_settle(edited *e)
{
    for (int tries = 0; psy_channel_outstanding(e->channel) && tries < 100000; tries++) {
        (void)!psy_channel_wait(e->channel, 1000000);
        take(e);
    }
    cr_assert_eq(psy_channel_outstanding(e->channel), 0u);
}

/* ---- changing ---- */

static struct {
    float stamp;
    float row[EDITED_ROOM][EDITED_DIM], mark[EDITED_ROOM], weight[EDITED_ROOM][EDITED_DIM], value[EDITED_ROOM][EDITED_DIM];
    char title[EDITED_ROOM][EDITED_TEXT];
    uint64_t stamps[1], numbers[EDITED_ROOM], weights[EDITED_ROOM], keys[EDITED_ROOM], titles[EDITED_ROOM];
} given;

/* Some of `count` numbers, growing. */
static uint32_t choose(edited *e, uint32_t count, uint32_t most, uint64_t *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count && n < most; i++) {
        if (edited_random(e, count) < most) {
            out[n++] = i;
        }
    }
    if (n == 0) {
        out[n++] = edited_random(e, count);
    }
    return n;
}

static psy_edit edit(const char *resident, psy_edit_kind kind, uint32_t rank, uint64_t rows, uint64_t inner, const void *from,
                     const uint64_t *which)
{
    psy_edit out = {.resident = resident, .kind = kind, .dtype = PSY_F32, .rank = rank, .rows = from, .which = which};
    out.dims[0] = rows;
    out.dims[1] = inner;
    return out;
}

static void remove_at(void *table, size_t row_bytes, uint32_t count, uint32_t at)
{
    uint8_t *t = table;
    memmove(t + at * row_bytes, t + (at + 1) * row_bytes, (count - at - 1) * row_bytes);
}

/* Rows and their marks, which have one number of rows between them. */
static uint32_t change_rows(edited *e, edited_data *d, psy_edit *out)
{
    uint64_t kind = edited_random(e, 10);
    uint32_t n = 1 + (uint32_t)edited_random(e, CHANGE_MAX);
    if (kind == 0 || d->rows + n > EDITED_ROOM - CHANGE_MAX) { /* others in the place of all */
        n = ROWS_LEAST + (uint32_t)edited_random(e, 100);
        d->rows = 0;
        kind = 0;
    }
    if (kind < 5) {
        for (uint32_t i = 0; i < n; i++) {
            random_row(e, given.row[i]);
            given.mark[i] = (float)edited_random(e, 100);
            memcpy(d->row[d->rows], given.row[i], sizeof given.row[i]);
            d->mark[d->rows++] = given.mark[i];
        }
        out[0] = edit("rows", kind == 0 ? PSY_EDIT_RELOAD : PSY_EDIT_APPEND, 2, n, EDITED_DIM, given.row, NULL);
        out[1] = edit("marks", kind == 0 ? PSY_EDIT_RELOAD : PSY_EDIT_APPEND, 1, n, 0, given.mark, NULL);
        return 2;
    }
    if (kind < 8 && d->rows > ROWS_LEAST + CHANGE_MAX) {
        n = choose(e, d->rows, n, given.numbers);
        for (uint32_t i = n; i-- > 0;) {
            remove_at(d->row, sizeof d->row[0], d->rows, (uint32_t)given.numbers[i]);
            remove_at(d->mark, sizeof d->mark[0], d->rows, (uint32_t)given.numbers[i]);
            d->rows--;
        }
        out[0] = edit("rows", PSY_EDIT_DELETE, 0, n, 0, NULL, given.numbers);
        out[1] = edit("marks", PSY_EDIT_DELETE, 0, n, 0, NULL, given.numbers);
        return 2;
    }
    n = choose(e, d->rows, n, given.numbers);
    for (uint32_t i = 0; i < n; i++) {
        random_row(e, given.row[i]);
        memcpy(d->row[given.numbers[i]], given.row[i], sizeof given.row[i]);
    }
    out[0] = edit("rows", PSY_EDIT_REPLACE, 2, n, EDITED_DIM, given.row, given.numbers);
    return 1;
}

static uint32_t change_weights(edited *e, edited_data *d, psy_edit *out)
{
    uint64_t kind = edited_random(e, 3);
    uint32_t n = 1 + (uint32_t)edited_random(e, 5);
    if (kind == 0 && d->weights > 8) {
        n = choose(e, d->weights, n, given.weights);
        for (uint32_t i = n; i-- > 0; d->weights--) {
            remove_at(d->weight, sizeof d->weight[0], d->weights, (uint32_t)given.weights[i]);
        }
        out[0] = edit("weights", PSY_EDIT_DELETE, 0, n, 0, NULL, given.weights);
        return 1;
    }
    if (kind == 1 || d->weights > EDITED_ROOM - 8) {
        n = choose(e, d->weights, n, given.weights);
        for (uint32_t i = 0; i < n; i++) {
            random_row(e, given.weight[i]);
            memcpy(d->weight[given.weights[i]], given.weight[i], sizeof given.weight[i]);
        }
        out[0] = edit("weights", PSY_EDIT_REPLACE, 2, n, EDITED_DIM, given.weight, given.weights);
        return 1;
    }
    for (uint32_t i = 0; i < n; i++) {
        random_row(e, given.weight[i]);
        memcpy(d->weight[d->weights++], given.weight[i], sizeof given.weight[i]);
    }
    out[0] = edit("weights", PSY_EDIT_APPEND, 2, n, EDITED_DIM, given.weight, NULL);
    return 1;
}

static void keep(edited *e, edited_data *d, uint32_t i)
{
    uint32_t at;
    random_row(e, given.value[i]);
    if (!has_key(d, given.keys[i], &at)) {
        at = d->kept++;
        d->key[at] = given.keys[i];
    }
    memcpy(d->value[at], given.value[i], sizeof given.value[i]);
}

static uint32_t change_kept(edited *e, edited_data *d, psy_edit *out)
{
    uint64_t kind = edited_random(e, 12);
    uint32_t n = 1 + (uint32_t)edited_random(e, CHANGE_MAX), some = 0;
    if (kind == 0 || d->kept + n > EDITED_ROOM - CHANGE_MAX) {
        d->kept = 0;
        n = 20 + (uint32_t)edited_random(e, 60);
        kind = 0;
    }
    if (kind < 5) {
        for (uint32_t i = 0; i < n; i++) {
            given.keys[i] = new_key(e, d);
            keep(e, d, i);
        }
        out[0] = edit("kept", kind == 0 ? PSY_EDIT_RELOAD : PSY_EDIT_APPEND, 2, n, EDITED_DIM, given.value, given.keys);
        return 1;
    }
    uint64_t at[EDITED_ROOM];
    some = choose(e, d->kept, n, at);
    for (uint32_t i = 0; i < some; i++) { /* in no order */
        given.keys[i] = d->key[at[some - 1 - i]];
    }
    if (kind < 8 && d->kept > 10 + CHANGE_MAX) {
        for (uint32_t i = 0; i < some; i++, d->kept--) {
            uint32_t gone = (uint32_t)at[some - 1 - i];
            remove_at(d->key, sizeof d->key[0], d->kept, gone);
            remove_at(d->value, sizeof d->value[0], d->kept, gone);
        }
        out[0] = edit("kept", PSY_EDIT_DELETE, 0, some, 0, NULL, given.keys);
        return 1;
    }
    for (uint32_t i = 0; i < some; i++) {
        keep(e, d, i);
    }
    if (kind < 10) {
        out[0] = edit("kept", PSY_EDIT_REPLACE, 2, some, EDITED_DIM, given.value, given.keys);
        return 1;
    }
    for (n = some; n < some + 4; n++) {
        given.keys[n] = new_key(e, d);
        keep(e, d, n);
    }
    out[0] = edit("kept", PSY_EDIT_APPEND, 2, n, EDITED_DIM, given.value, given.keys);
    out[0].flags = PSY_EDIT_UPSERT;
    return 1;
}

static uint32_t change_titles(edited *e, edited_data *d, psy_edit *out)
{
    const bool append = edited_random(e, 2) == 0 && d->titles < EDITED_ROOM - 8;
    uint32_t n = append ? 1 + (uint32_t)edited_random(e, 4) : choose(e, d->titles, 4, given.titles);
    for (uint32_t i = 0; i < n; i++) {
        random_title(e, given.title[i]);
        memcpy(d->title[append ? d->titles++ : given.titles[i]], given.title[i], EDITED_TEXT);
    }
    out[0] = edit("titles", append ? PSY_EDIT_APPEND : PSY_EDIT_REPLACE, 2, n, EDITED_TEXT, given.title,
                  append ? NULL : given.titles);
    out[0].dtype = PSY_U8;
    out[0].flags = PSY_EDIT_TEXTS;
    return 1;
}

uint32_t edited_change(edited *e, psy_edit *edits)
{
    uint32_t (*const changes[])(edited *, edited_data *, psy_edit *) = {change_rows, change_weights, change_kept,
                                                                        change_titles};
    edited_data *d = edited_at(e, e->made + 1);
    *d = *edited_at(e, e->made);
    d->version = e->pending = e->made + 1;
    given.stamp = (float)d->version;
    given.stamps[0] = 0;
    edits[0] = edit("stamp", PSY_EDIT_REPLACE, 1, 1, 0, &given.stamp, given.stamps);
    uint32_t n = 1;
    uint64_t which = 1 + edited_random(e, 15);
    for (uint32_t i = 0; i < 4; i++) {
        n += which >> i & 1 ? changes[i](e, d, edits + n) : 0;
    }
    return n;
}

void edited_made(edited *e, bool made)
{
    e->made += made;
    e->pending = e->made;
}

uint32_t edited_mistake(edited *e, psy_edit *edits, psy_status *status)
{
    const edited_data *d = edited_at(e, e->made);
    given.stamp = -1; /* would show */
    given.stamps[0] = 0;
    edits[0] = edit("stamp", PSY_EDIT_REPLACE, 1, 1, 0, &given.stamp, given.stamps);
    given.numbers[0] = d->rows;
    given.keys[0] = d->key[edited_random(e, d->kept)];
    given.keys[1] = given.keys[0];
    memset(given.title[0], 0, EDITED_TEXT);
    memset(given.value, 0, sizeof given.value[0] * 2);
    *status = PSY_INVALID;
    switch (edited_random(e, 8)) {
    case 0: edits[1] = edit("rows", PSY_EDIT_APPEND, 2, 3, EDITED_DIM, given.row, NULL); break; /* without their marks */
    case 1: edits[1] = edit("kept", PSY_EDIT_APPEND, 2, 1, EDITED_DIM, given.value, given.keys); break;  /* it is there */
    case 2: edits[1] = edit("kept", PSY_EDIT_REPLACE, 2, 2, EDITED_DIM, given.value, given.keys); break; /* twice */
    case 3:
        given.keys[0] = new_key(e, d);
        edits[1] = edit("kept", PSY_EDIT_DELETE, 0, 1, 0, NULL, given.keys);
        *status = PSY_NOT_FOUND;
        break;
    case 4:
        edits[1] = edit("rows", PSY_EDIT_REPLACE, 2, 1, EDITED_DIM, given.row, given.numbers);
        *status = PSY_NOT_FOUND;
        break;
    case 5: edits[1] = edit("weights", PSY_EDIT_APPEND, 2, 1, EDITED_DIM - 1, given.row, NULL); break; /* too narrow */
    case 6:
        given.title[0][0] = 'x';
        given.title[0][1] = (char)0xff;
        edits[1] = edit("titles", PSY_EDIT_APPEND, 2, 1, EDITED_TEXT, given.title, NULL);
        edits[1].dtype = PSY_U8;
        edits[1].flags = PSY_EDIT_TEXTS;
        break;
    default:
        given.keys[0] = given.keys[1] = new_key(e, d);
        edits[1] = edit("kept", PSY_EDIT_APPEND, 2, 2, EDITED_DIM, given.value, given.keys);
        break;
    }
    return 2;
}

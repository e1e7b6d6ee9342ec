/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/service/soak_data.h"

#include <string.h>

#include "tests/service/served_values.h"

enum { ROWS_ROOM = 64, ROWS_LEAST = 24, SOME = 3, EXTRA = SERVED_KEPT, KEPT_ROOM = SERVED_KEPT + 1 };

/* Rows by what is in them: numbers below SERVED_ROWS are what a service begins with, the others come once. */
typedef struct state {
    uint32_t rows, row[ROWS_ROOM];
    uint32_t kept[KEPT_ROOM]; /* of the keys; the last one is there by turns: 0 says that it is not */
    float sums[SERVED_DIM];   /* of all rows */
} state;

static state states[SOAK_STATES];

/* What `which` names, and what lies in the edits: room for a reload. */
static struct {
    uint64_t numbers[SOME], keys[KEPT_ROOM];
    float rows[ROWS_ROOM][SERVED_DIM], kept[KEPT_ROOM][SERVED_DIM];
} given;

/* Whole numbers: sums are exact. */
static void values_of(uint32_t row, float out[SERVED_DIM])
{
    uint64_t seed = row;
    if (row < SERVED_ROWS) {
        (void)!served_fill(NULL, row, out);
        return;
    }
    for (uint32_t d = 0; d < SERVED_DIM; d++) {
        out[d] = (float)((int)(soak_random(&seed) % 41) - 20);
    }
}

static uint64_t key_of(uint32_t kept)
{
    uint64_t key = 0;
    (void)!served_key_of(NULL, kept, &key);
    return key;
}

/* ---- states ---- */

static uint32_t fresh(uint32_t number, uint32_t i) { return SERVED_ROWS + number * 2 * (KEPT_ROOM + ROWS_ROOM) + i; }
/* The rows that an edit of this state is about, growing; there are always more. */
static uint32_t touched(uint32_t number, uint32_t i) { return number % 5 + 7 * i; }

typedef enum change { APPENDS = 0, REPLACES, DELETES, RELOADS, CHANGES } change;
static change of_rows(uint32_t number) { return (change)(number % CHANGES); }
/* Of the data by key: one row comes and some are replaced, some are replaced, the one goes. */
static change of_kept(uint32_t number) { return (change)((number + 2) % 3); }

static void change_rows(uint32_t number, state *s)
{
    change kind = of_rows(number);
    if (kind == RELOADS) {
        s->rows = ROWS_LEAST + number % 17;
        for (uint32_t i = 0; i < s->rows; i++) {
            s->row[i] = fresh(number, i);
        }
    }
    for (uint32_t i = 0; kind == APPENDS && i < SOME; i++) {
        s->row[s->rows++] = fresh(number, i);
    }
    for (uint32_t i = 0; kind == REPLACES && i < SOME; i++) {
        s->row[touched(number, i)] = fresh(number, i);
    }
    for (uint32_t i = SOME; kind == DELETES && i-- > 0;) {
        s->rows--;
        memmove(&s->row[touched(number, i)], &s->row[touched(number, i) + 1], (s->rows - touched(number, i)) * sizeof *s->row);
    }
}

static void change_kept(uint32_t number, state *s)
{
    change kind = of_kept(number);
    s->kept[EXTRA] = kind == APPENDS ? fresh(number, ROWS_ROOM + EXTRA) : kind == DELETES ? 0 : s->kept[EXTRA];
    for (uint32_t i = 0; kind != DELETES && i < SOME; i++) {
        uint32_t at = (number + 2 * i) % SERVED_KEPT;
        s->kept[at] = fresh(number, ROWS_ROOM + at);
    }
}

void soak_data_init(void)
{
    for (uint32_t n = 0; n < SOAK_STATES; n++) {
        state *s = &states[n];
        if (n == 0) {
            s->rows = SERVED_ROWS;
            for (uint32_t i = 0; i < SERVED_ROWS; i++) {
                s->row[i] = i;
            }
            for (uint32_t i = 0; i < SERVED_KEPT; i++) {
                s->kept[i] = i;
            }
        } else {
            *s = states[n - 1];
            change_rows(n, s);
            change_kept(n, s);
        }
        memset(s->sums, 0, sizeof s->sums);
        for (uint32_t i = 0; i < s->rows; i++) {
            float row[SERVED_DIM];
            values_of(s->row[i], row);
            for (uint32_t d = 0; d < SERVED_DIM; d++) {
                s->sums[d] += row[d];
            }
        }
    }
}

/* ---- edits ---- */

static psy_edit edit_of(const char *resident, psy_edit_kind kind, uint32_t n, const void *rows, const uint64_t *which)
{
    psy_edit e = {.resident = resident, .kind = kind, .dtype = PSY_F32, .rank = 2, .rows = rows, .which = which};
    e.dims[0] = n;
    e.dims[1] = SERVED_DIM;
    if (kind == PSY_EDIT_DELETE) {
        e.rank = 0;
        e.dims[1] = 0;
        e.rows = NULL;
    }
    return e;
}

static psy_edit edit_of_rows(uint32_t number, bool anew)
{
    static const psy_edit_kind kinds[CHANGES] = {PSY_EDIT_APPEND, PSY_EDIT_REPLACE, PSY_EDIT_DELETE, PSY_EDIT_RELOAD};
    const state *s = &states[number];
    change kind = anew ? RELOADS : of_rows(number);
    uint32_t n = kind == RELOADS ? s->rows : SOME;
    for (uint32_t i = 0; i < n; i++) {
        if (kind != RELOADS) {
            given.numbers[i] = touched(number, i);
        }
        values_of(kind == RELOADS ? s->row[i] : fresh(number, i), given.rows[i]);
    }
    return edit_of("rows", kinds[kind], n, given.rows, kind == REPLACES || kind == DELETES ? given.numbers : NULL);
}

static psy_edit edit_of_kept(uint32_t number, bool anew)
{
    const state *s = &states[number];
    change kind = anew ? RELOADS : of_kept(number);
    uint32_t n = 0;
    for (uint32_t i = 0; i < KEPT_ROOM; i++) {
        bool mine = kind == DELETES ? i == EXTRA : kind == RELOADS ? i < EXTRA || s->kept[i] : s->kept[i] >= fresh(number, 0);
        if (mine) {
            given.keys[n] = key_of(i);
            values_of(s->kept[i], given.kept[n++]);
        }
    }
    psy_edit e = edit_of("kept",
                         kind == RELOADS    ? PSY_EDIT_RELOAD
                         : kind == APPENDS  ? PSY_EDIT_APPEND
                         : kind == REPLACES ? PSY_EDIT_REPLACE
                                            : PSY_EDIT_DELETE,
                         n, given.kept, given.keys);
    e.flags = kind == APPENDS ? PSY_EDIT_UPSERT : 0;
    return e;
}

void soak_data_edits(uint32_t number, bool anew, psy_edit edits[SOAK_EDITS])
{
    edits[0] = edit_of_rows(number, anew);
    edits[1] = edit_of_kept(number, anew);
}

/* ---- answers ---- */

static float times(const float a[SERVED_DIM], const float b[SERVED_DIM])
{
    float sum = 0;
    for (uint32_t d = 0; d < SERVED_DIM; d++) {
        sum += a[d] * b[d];
    }
    return sum;
}

bool soak_data_answers(uint32_t number, uint32_t lane, uint64_t key, uint32_t version, float value, uint64_t rows)
{
    const state *s = &states[number];
    float asked[SERVED_DIM], row[SERVED_DIM];
    served_vector(key, asked);
    if (strcmp(soak_lane_names[lane], "total") == 0) {
        return rows == s->rows && value == times(s->sums, asked) * (float)version;
    }
    if (strcmp(soak_lane_names[lane], "one") == 0) {
        for (uint32_t i = 0; i < SERVED_KEPT; i++) {
            if (key_of(i) == key) {
                values_of(s->kept[i], row);
                return rows == 1 && value == times(row, asked) * (float)version;
            }
        }
        return false;
    }
    return rows == 0 && value == served_value(soak_lane_names[lane], key, version);
}

bool soak_data_may_answer(uint64_t from, uint64_t to, uint32_t lane, uint64_t key, uint32_t version, float value, uint64_t rows)
{
    uint32_t first = soak_moment_state(from), last = soak_moment_state(to);
    if (from >> 32 != to >> 32) { /* it outlived a broker: nobody knows how far that one came */
        first = 0;
        last = SOAK_STATES - 1;
    }
    for (uint32_t n = last + 1; n-- > first;) {
        if (soak_data_answers(n, lane, key, version, value, rows)) {
            return true;
        }
    }
    return false;
}

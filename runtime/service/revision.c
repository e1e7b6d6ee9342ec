/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "service/revision.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <psyne/message.h>

/* What a step does at most, so that requests wait for less than a millisecond. */
enum { ROWS_A_STEP = 4096, KEYS_A_STEP = 16384, BYTES_A_STEP = 1 << 20, SHRINK_BYTES = 16 << 20 };

static const psy__edit_part *part_of(const psy__revision *r) { return &r->edit->parts[r->part]; }

static bool is_keyed(const psy__revision *r) { return r->present->placement == PSY_PLACE_BY_KEY; }

/* ---- what it begins with ---- */

static psy_status check_sizes(const psy__edit_part *p, const psy__dataset *present)
{
    for (uint32_t i = 1; p->kind != PSY_EDIT_DELETE && p->kind != PSY_EDIT_RELOAD && i < present->rank; i++) {
        if (p->dims[i] != present->dims[i]) {
            return psy_fail(PSY_INVALID, "edit of %s: a size of its rows is %" PRIu64 ", and %" PRIu64 " of those there are",
                            p->resident, p->dims[i], present->dims[i]);
        }
    }
    return PSY_OK;
}

psy_status psy__revision_begin(psy__revision *r, const psy__edit *edit, uint32_t part, psy__dataset *present,
                               const psy__holder *holder)
{
    *r = (psy__revision){.edit = edit, .part = part, .holder = holder, .present = present};
    const psy__edit_part *p = part_of(r);
    psy_status status = psy__edit_fits(p, present->dtype, present->rank, present->placement);
    status = status == PSY_OK ? check_sizes(p, present) : status;
    if (status != PSY_OK) {
        return status;
    }
    r->next = *present;
    r->next.rows = NULL;
    r->next.name = strdup(present->name);
    r->shares_rows = r->shares_keys = r->shares_index = true;
    r->kept = p->kind == PSY_EDIT_RELOAD ? 0 : present->data.rows;
    r->target = malloc((p->dims[0] + 1) * sizeof *r->target);
    r->touched = calloc(present->data.rows / 64 + 1, sizeof *r->touched);
    if (!r->next.name || !r->target || !r->touched) {
        return psy_fail(PSY_NO_MEMORY, "edit of %s: no memory for %" PRIu64 " rows", p->resident, p->dims[0]);
    }
    if (p->kind == PSY_EDIT_RELOAD) {
        memcpy(r->next.dims + 1, p->dims + 1, (present->rank - 1) * sizeof *p->dims);
        r->next.data.row_bytes = p->row_bytes;
    }
    return PSY_OK;
}

/* ---- whose rows, and where they go ---- */

/* False: the row was named before. */
static bool touch(psy__revision *r, uint64_t row)
{
    uint64_t bit = UINT64_C(1) << (row & 63);
    bool first = !(r->touched[row / 64] & bit);
    r->touched[row / 64] |= bit;
    r->touched_count += first;
    return first;
}

static psy_status choose_key(psy__revision *r, uint64_t i, uint64_t key)
{
    const psy__edit_part *p = part_of(r);
    const psy__resident_data *have = &r->present->data;
    if (!psy__holder_has(r->holder, key)) {
        return PSY_OK;
    }
    uint32_t row = p->kind == PSY_EDIT_RELOAD
                       ? UINT32_MAX
                       : *psy__dataset_place((uint32_t *)(uintptr_t)have->index_rows, have->index_mask, have->keys, key);
    if (p->kind == PSY_EDIT_APPEND && row != UINT32_MAX && !(p->flags & PSY_EDIT_UPSERT)) {
        return psy_fail(PSY_INVALID, "edit of %s: key %" PRIu64 " is there already: say upsert, or replace its row",
                        p->resident, key);
    }
    if ((p->kind == PSY_EDIT_DELETE || p->kind == PSY_EDIT_REPLACE) && row == UINT32_MAX) {
        return psy_fail(PSY_NOT_FOUND, "edit of %s: key %" PRIu64 " is not there", p->resident, key);
    }
    if (row != UINT32_MAX && !touch(r, row)) {
        return psy_fail(PSY_INVALID, "edit of %s: key %" PRIu64 " is in it twice", p->resident, key);
    }
    r->target[i] = row != UINT32_MAX ? row : (uint32_t)(r->kept + r->added++);
    return PSY_OK;
}

static psy_status choose_number(psy__revision *r, uint64_t i, uint64_t number)
{
    const psy__dataset *d = r->present;
    if (number + 1 <= r->last || number >= d->dims[0]) {
        return number >= d->dims[0]
                   ? psy_fail(PSY_NOT_FOUND, "edit of %s: there is no row %" PRIu64 ": it has %" PRIu64, part_of(r)->resident,
                              number, d->dims[0])
                   : psy_fail(PSY_INVALID, "edit of %s: row %" PRIu64 " comes after row %" PRIu64 ": numbers grow",
                              part_of(r)->resident, number, r->last - 1);
    }
    r->last = number + 1;
    if (number >= d->first && number - d->first < d->data.rows) {
        r->target[i] = (uint32_t)(number - d->first);
        (void)touch(r, number - d->first);
    }
    return PSY_OK;
}

/* Rows that are added without a key. */
static void choose_added(psy__revision *r, uint64_t i)
{
    const psy__edit_part *p = part_of(r);
    uint64_t first = 0, rows = p->dims[0];
    if (r->present->placement == PSY_PLACE_SPLIT && p->kind == PSY_EDIT_RELOAD) {
        psy__holder_range(r->holder, p->dims[0], &first, &rows);
    } else if (r->present->placement == PSY_PLACE_SPLIT && r->holder->shard + 1 < r->holder->shards) {
        rows = 0; /* they are the last shard's */
    }
    if (i >= first && i - first < rows) {
        r->target[i] = (uint32_t)(r->kept + r->added++);
    }
}

static psy_status choose(psy__revision *r)
{
    const psy__edit_part *p = part_of(r);
    uint64_t which[ROWS_A_STEP], left = p->dims[0] - r->cursor, n = left < ROWS_A_STEP ? left : ROWS_A_STEP;
    psy_status status = p->has_which ? psy__edit_read_which(r->edit, r->part, r->cursor, n, which) : PSY_OK;
    for (uint64_t i = 0; status == PSY_OK && i < n; i++) {
        r->target[r->cursor + i] = UINT32_MAX;
        if (is_keyed(r)) {
            status = choose_key(r, r->cursor + i, which[i]);
        } else if (p->has_which) {
            status = choose_number(r, r->cursor + i, which[i]);
        } else {
            choose_added(r, r->cursor + i);
        }
        if (status == PSY_OK && r->kept + r->added >= UINT32_MAX) {
            status = psy_fail(PSY_TOO_LARGE, "edit of %s: more than %u rows", p->resident, UINT32_MAX - 1);
        }
    }
    r->cursor += n;
    return status != PSY_OK || r->cursor == p->dims[0] ? status : PSY_EMPTY;
}

/* ---- memory ---- */

/* Memory of its own for `bytes`, or more of the present one's where nothing there changes. */
static psy_status make_room(psy__region *region, bool append, uint64_t bytes, bool *shares, const char *whose)
{
    if (append && psy__region_grow(region, bytes)) {
        return PSY_OK;
    }
    *shares = false;
    return psy__region_open(region, bytes, whose);
}

static psy_status room(psy__revision *r)
{
    const psy__edit_part *p = part_of(r);
    psy__dataset *d = &r->next;
    const bool removes = p->kind == PSY_EDIT_DELETE, reloads = p->kind == PSY_EDIT_RELOAD;
    uint64_t rows = r->kept - (removes ? r->touched_count : 0) + r->added, bytes;
    d->data.rows = rows;
    if (r->touched_count == 0 && r->added == 0 && !reloads) {
        return PSY_OK; /* nothing here changes */
    }
    if (__builtin_mul_overflow(rows, d->data.row_bytes, &bytes)) {
        return psy_fail(PSY_TOO_LARGE, "edit of %s: its size overflows", p->resident);
    }
    const bool append = !reloads && r->touched_count == 0;
    psy_status status = make_room(&d->row_memory, append, bytes, &r->shares_rows, p->resident);
    if (status == PSY_OK && is_keyed(r) && p->kind != PSY_EDIT_REPLACE) {
        status = make_room(&d->key_memory, append, rows * 8, &r->shares_keys, p->resident);
        const uint64_t slots = psy__dataset_slots(rows);
        if (status == PSY_OK) {
            r->shares_index = false;
            d->data.index_mask = slots - 1;
            status = psy__region_open(&d->index_memory, slots * 4, p->resident);
        }
    }
    psy__dataset_point(d);
    return status;
}

/* ---- rows that stay ---- */

/* How many from `row` on stay, or go, together: at most `most`. */
static uint64_t run_of(const psy__revision *r, uint64_t row, uint64_t most, bool *goes)
{
    uint64_t n = 0;
    *goes = (r->touched[row / 64] >> (row & 63) & 1) != 0;
    while (n < most && (r->touched[(row + n) / 64] >> ((row + n) & 63) & 1) == *goes) {
        n++;
    }
    return n;
}

static psy_status copy(psy__revision *r)
{
    const psy__dataset *from = r->present;
    const bool removes = part_of(r)->kind == PSY_EDIT_DELETE;
    const uint64_t row_bytes = from->data.row_bytes, step = BYTES_A_STEP / row_bytes + 1;
    uint64_t budget = step < ROWS_A_STEP * 16 ? step : ROWS_A_STEP * 16;
    if (r->shares_rows && r->shares_keys) {
        return PSY_OK;
    }
    while (budget > 0 && r->cursor < r->kept) {
        bool goes = false;
        uint64_t left = r->kept - r->cursor, most = left < budget ? left : budget;
        uint64_t n = removes ? run_of(r, r->cursor, most, &goes) : most;
        if (!goes && !r->shares_rows) {
            memcpy(r->next.row_memory.at + r->to * row_bytes, from->row_memory.at + r->cursor * row_bytes, n * row_bytes);
        }
        if (!goes && !r->shares_keys) {
            memcpy(r->next.key_memory.at + r->to * 8, from->key_memory.at + r->cursor * 8, n * 8);
        }
        r->cursor += n;
        r->to += goes ? 0 : n;
        budget -= n;
    }
    return r->cursor < r->kept ? PSY_EMPTY : PSY_OK;
}

/* ---- rows that come ---- */

static psy_status check_texts(const psy__revision *r, uint64_t row, uint64_t count, uint64_t in_edit)
{
    const uint64_t room = r->next.data.row_bytes;
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *text = r->next.row_memory.at + (row + i) * room;
        size_t n = strnlen((const char *)text, room), end = n;
        while (end < room && text[end] == 0) {
            end++;
        }
        if (end < room || !psy_utf8_valid(text, n)) {
            return psy_fail(PSY_INVALID, "edit of %s: its row %" PRIu64 " is not UTF-8 with zeros behind", part_of(r)->resident,
                            in_edit + i);
        }
    }
    return PSY_OK;
}

static psy_status fill(psy__revision *r)
{
    const psy__edit_part *p = part_of(r);
    if (p->kind == PSY_EDIT_DELETE) {
        return PSY_OK;
    }
    const uint64_t row_bytes = p->row_bytes, step = BYTES_A_STEP / row_bytes + 1;
    uint64_t budget = ROWS_A_STEP, bytes = 0;
    psy_status status = PSY_OK;
    while (status == PSY_OK && budget > 0 && bytes < BYTES_A_STEP && r->cursor < p->dims[0]) {
        uint64_t left = p->dims[0] - r->cursor, most = left < step ? left : step, n = 1;
        const uint32_t *target = r->target + r->cursor;
        if (target[0] != UINT32_MAX) {
            while (n < most && target[n] == target[0] + n) {
                n++;
            }
            status = psy__edit_read_rows(r->edit, r->part, r->cursor, n, r->next.row_memory.at + target[0] * row_bytes);
            if (status == PSY_OK && (p->flags & PSY_EDIT_TEXTS)) {
                status = check_texts(r, target[0], n, r->cursor);
            }
            bytes += n * row_bytes;
        }
        r->cursor += n;
        budget--;
    }
    return status != PSY_OK || r->cursor == p->dims[0] ? status : PSY_EMPTY;
}

/* Keys of rows that were there stay what they are. */
static psy_status keys(psy__revision *r)
{
    const psy__edit_part *p = part_of(r);
    if (!is_keyed(r) || p->kind == PSY_EDIT_DELETE || p->kind == PSY_EDIT_REPLACE) {
        return PSY_OK;
    }
    uint64_t which[ROWS_A_STEP], left = p->dims[0] - r->cursor, n = left < ROWS_A_STEP ? left : ROWS_A_STEP;
    psy_status status = psy__edit_read_which(r->edit, r->part, r->cursor, n, which);
    uint64_t *to = (uint64_t *)(void *)r->next.key_memory.at;
    for (uint64_t i = 0; status == PSY_OK && i < n; i++) {
        const uint32_t target = r->target[r->cursor + i];
        if (target != UINT32_MAX && target >= r->kept) {
            to[target] = which[i];
        }
    }
    r->cursor += n;
    return status != PSY_OK || r->cursor == p->dims[0] ? status : PSY_EMPTY;
}

static psy_status clear(psy__revision *r)
{
    const uint64_t bytes = (r->next.data.index_mask + 1) * 4, left = bytes - r->cursor;
    if (r->shares_index) {
        return PSY_OK;
    }
    const uint64_t n = left < BYTES_A_STEP ? left : BYTES_A_STEP;
    memset(r->next.index_memory.at + r->cursor, 0xff, n);
    r->cursor += n;
    return r->cursor == bytes ? PSY_OK : PSY_EMPTY;
}

static psy_status fill_index(psy__revision *r)
{
    const uint64_t left = r->next.data.rows - r->cursor, end = r->cursor + (left < KEYS_A_STEP ? left : KEYS_A_STEP);
    if (r->shares_index) {
        return PSY_OK;
    }
    uint32_t *index = (uint32_t *)(void *)r->next.index_memory.at;
    for (; r->cursor < end; r->cursor++) {
        const uint64_t key = r->next.data.keys[r->cursor];
        uint32_t *place = psy__dataset_place(index, r->next.data.index_mask, r->next.data.keys, key);
        if (*place != UINT32_MAX) {
            return psy_fail(PSY_INVALID, "edit of %s: key %" PRIu64 " is in it twice", part_of(r)->resident, key);
        }
        *place = (uint32_t)r->cursor;
    }
    return r->cursor == r->next.data.rows ? PSY_OK : PSY_EMPTY;
}

/* ---- step by step ---- */

psy_status psy__revision_step(psy__revision *r)
{
    static psy_status (*const phases[REVISION_READY])(psy__revision *) = {
        [REVISION_CHOOSE] = choose, [REVISION_ROOM] = room,   [REVISION_COPY] = copy,       [REVISION_FILL] = fill,
        [REVISION_KEYS] = keys,     [REVISION_CLEAR] = clear, [REVISION_INDEX] = fill_index};
    if (r->phase == REVISION_READY) {
        return PSY_OK;
    }
    psy_status status = phases[r->phase](r);
    if (status == PSY_OK) {
        r->phase++;
        r->cursor = r->to = 0;
    }
    return status == PSY_OK && r->phase < REVISION_READY ? PSY_EMPTY : status;
}

void psy__revision_settle(psy__revision *r, uint64_t total, uint64_t first)
{
    r->next.dims[0] = total;
    r->next.first = r->present->placement == PSY_PLACE_SPLIT ? first : 0;
}

void psy__revision_swap(psy__revision *r)
{
    psy__dataset before = *r->present;
    *r->present = r->next;
    r->next = before;
}

/* What both versions have is the present one's, whichever that is. */
static void let_go(psy__revision *r)
{
    r->next.row_memory = r->shares_rows ? (psy__region){0} : r->next.row_memory;
    r->next.key_memory = r->shares_keys ? (psy__region){0} : r->next.key_memory;
    r->next.index_memory = r->shares_index ? (psy__region){0} : r->next.index_memory;
    r->shares_rows = r->shares_keys = r->shares_index = false;
    free(r->target);
    free(r->touched);
    r->target = NULL;
    r->touched = NULL;
}

bool psy__revision_shrink(psy__revision *r)
{
    let_go(r);
    psy__region *memory[] = {&r->next.row_memory, &r->next.key_memory, &r->next.index_memory};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) {
        if (memory[i]->at) {
            (void)psy__region_shrink(memory[i], SHRINK_BYTES);
            return true;
        }
    }
    return false;
}

void psy__revision_end(psy__revision *r)
{
    let_go(r);
    psy__dataset_unload(&r->next);
}

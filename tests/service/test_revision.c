/* SPDX-License-Identifier: Apache-2.0 */
/* The next version of a dataset beside the present one: what is copied, what is shared, and that the present one never changes.
 */
#include <stdlib.h>
#include <string.h>

#include "service/revision.h"
#include "tests/test.h"

enum { DIM = 16, ROWS = 1000, MANY = 9000 };

static const psy__holder only = {.shard = 0, .shards = 1};
static float values[MANY][DIM];
static uint64_t keys[MANY];

static psy_status fill(void *context, uint64_t row, void *out)
{
    (void)context;
    memcpy(out, values[row], sizeof values[row]);
    return PSY_OK;
}

static psy_status key_of(void *context, uint64_t row, uint64_t *key)
{
    (void)context;
    *key = keys[row];
    return PSY_OK;
}

static psy__dataset load(uint8_t placement)
{
    psy_psm_resident declared = {.dtype = PSY_F32, .rank = 2, .placement = placement};
    psy_rows rows = {.resident = "data", .rank = 2, .dims = {ROWS, DIM}, .fill = fill};
    psy__dataset d = {0};
    rows.key = placement == PSY_PLACE_BY_KEY ? key_of : NULL;
    for (uint32_t i = 0; i < MANY; i++) {
        keys[i] = i * UINT64_C(7919) + 3;
        for (uint32_t k = 0; k < DIM; k++) {
            values[i][k] = (float)(i * DIM + k);
        }
    }
    cr_assert_eq(psy__dataset_declare(&d, &rows, &declared), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy__dataset_choose(&d, &rows, &only), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy__dataset_fill(&d, &rows), PSY_OK, "%s", psy_detail());
    return d;
}

/* Makes the next version, in more than one step, and leaves it to the caller. */
static psy_status revise(psy__revision *r, psy__dataset *d, const psy_edit *edit, psy__edit *file)
{
    cr_assert_eq(psy__edit_make(edit, 1, file), PSY_OK, "%s", psy_detail());
    psy_status status = psy__revision_begin(r, file, 0, d, &only);
    status = status == PSY_OK ? PSY_EMPTY : status;
    while (status == PSY_EMPTY) {
        status = psy__revision_step(r);
    }
    return status;
}

static void finish(psy__revision *r, psy__edit *file, uint64_t total)
{
    psy__revision_settle(r, total, 0);
    psy__revision_swap(r);
    while (psy__revision_shrink(r)) {
    }
    psy__revision_end(r);
    psy__edit_close(file);
}

static const float *row_at(const psy__dataset *d, uint64_t row) { return (const float *)d->data.data + row * DIM; }

static bool has(const psy__dataset *d, uint64_t key, const float *value)
{
    uint32_t row = *psy__dataset_place((uint32_t *)(uintptr_t)d->data.index_rows, d->data.index_mask, d->data.keys, key);
    return row != UINT32_MAX && memcmp(row_at(d, row), value, DIM * sizeof *value) == 0;
}

Test(revision, appends_in_place)
{
    psy__dataset d = load(PSY_PLACE_REPLICATED);
    const void *at = d.data.data;
    psy__revision r;
    psy__edit file;
    psy_edit edit = {.resident = "data", .kind = PSY_EDIT_APPEND, .dtype = PSY_F32, .rank = 2, .dims = {MANY - ROWS, DIM}};
    edit.rows = values[ROWS];
    cr_assert_eq(revise(&r, &d, &edit, &file), PSY_OK, "%s", psy_detail());
    cr_assert_eq(d.data.rows, (uint64_t)ROWS, "the present version is as it was");
    cr_assert_eq(r.next.data.data, at);
    finish(&r, &file, MANY);
    cr_assert_eq(d.data.data, at);
    cr_assert_eq(d.data.rows, (uint64_t)MANY);
    cr_assert_eq(d.dims[0], (uint64_t)MANY);
    cr_assert_eq(memcmp(d.data.data, values, sizeof values), 0);
    psy__dataset_unload(&d);
}

/* Beyond what was reserved the data moves, once, and nothing is lost. */
Test(revision, moves_when_the_address_space_is_used_up)
{
    psy__dataset d = load(PSY_PLACE_REPLICATED);
    const void *at = d.data.data;
    uint32_t moved = 0, rounds = 0;
    for (; rounds < 140; rounds++) {
        psy__revision r;
        psy__edit file;
        psy_edit edit = {.resident = "data", .kind = PSY_EDIT_APPEND, .dtype = PSY_F32, .rank = 2, .dims = {MANY, DIM}};
        edit.rows = values;
        cr_assert_eq(revise(&r, &d, &edit, &file), PSY_OK, "%s", psy_detail());
        finish(&r, &file, d.dims[0] + MANY);
        cr_assert(d.data.data == at || moved == 0, "it moved again with append %u", rounds);
        moved = d.data.data != at ? rounds : moved;
        at = d.data.data;
    }
    cr_assert_eq(moved, 116u, "with append %u", moved); /* 64 MiB hold 64,000 bytes and 116 times 576,000 */
    cr_assert_eq(memcmp(d.data.data, values, ROWS * sizeof values[0]), 0);
    for (uint32_t i = 0; i < rounds; i++) {
        cr_assert_eq(memcmp(row_at(&d, ROWS + (uint64_t)i * MANY), values, sizeof values), 0, "append %u", i);
    }
    psy__dataset_unload(&d);
}

Test(revision, of_keys_leaves_the_present_version_alone)
{
    psy__dataset d = load(PSY_PLACE_BY_KEY);
    psy__revision r;
    psy__edit file;
    static float others[ROWS][DIM];
    static uint64_t which[ROWS];
    for (uint32_t i = 0; i < ROWS; i++) {
        which[i] = keys[ROWS / 2 + i]; /* half of them are there */
    }
    psy_edit upsert = {.resident = "data", .kind = PSY_EDIT_APPEND, .flags = PSY_EDIT_UPSERT, .dtype = PSY_F32, .rank = 2};
    upsert.dims[0] = ROWS;
    upsert.dims[1] = DIM;
    upsert.rows = others;
    upsert.which = which;
    cr_assert_eq(revise(&r, &d, &upsert, &file), PSY_OK, "%s", psy_detail());
    for (uint32_t i = 0; i < ROWS; i++) {
        cr_assert(has(&d, keys[i], values[i]), "key %u", i);
    }
    cr_assert_eq(r.next.data.rows, (uint64_t)ROWS * 3 / 2);
    finish(&r, &file, ROWS * 3 / 2);
    for (uint32_t i = 0; i < ROWS * 3 / 2; i++) {
        cr_assert(has(&d, keys[i], i < ROWS / 2 ? values[i] : others[0]), "key %u", i);
    }
    psy_edit gone = {.resident = "data", .kind = PSY_EDIT_DELETE, .dims = {ROWS}, .which = which};
    cr_assert_eq(revise(&r, &d, &gone, &file), PSY_OK, "%s", psy_detail());
    cr_assert(has(&d, which[0], others[0]));
    finish(&r, &file, ROWS / 2);
    for (uint32_t i = 0; i < ROWS * 3 / 2; i++) {
        cr_assert_eq(has(&d, keys[i], values[i]), i < ROWS / 2, "key %u", i);
    }
    cr_assert_eq(d.data.rows, (uint64_t)ROWS / 2);
    psy__dataset_unload(&d);
}

/* One that is given up half-way leaves nothing. */
Test(revision, can_be_given_up_after_any_step)
{
    for (uint32_t steps = 0; steps < 12; steps++) {
        psy__dataset d = load(PSY_PLACE_BY_KEY);
        psy__revision r;
        psy__edit file;
        psy_edit edit = {.resident = "data", .kind = PSY_EDIT_APPEND, .dtype = PSY_F32, .rank = 2, .dims = {MANY - ROWS, DIM}};
        edit.rows = values[ROWS];
        edit.which = keys + ROWS;
        cr_assert_eq(psy__edit_make(&edit, 1, &file), PSY_OK, "%s", psy_detail());
        cr_assert_eq(psy__revision_begin(&r, &file, 0, &d, &only), PSY_OK, "%s", psy_detail());
        for (uint32_t i = 0; i < steps; i++) {
            psy_status status = psy__revision_step(&r);
            cr_assert(status == PSY_OK || status == PSY_EMPTY, "%s", psy_detail());
        }
        psy__revision_end(&r);
        psy__edit_close(&file);
        for (uint32_t i = 0; i < MANY; i++) {
            cr_assert_eq(has(&d, keys[i], values[i]), i < ROWS);
        }
        cr_assert_eq(revise(&r, &d, &edit, &file), PSY_OK, "%s", psy_detail());
        finish(&r, &file, MANY);
        for (uint32_t i = 0; i < MANY; i++) {
            cr_assert(has(&d, keys[i], values[i]));
        }
        psy__dataset_unload(&d);
    }
}

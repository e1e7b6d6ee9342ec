/* SPDX-License-Identifier: Apache-2.0 */
/* Datasets made of other shards' parts: they are what loading would have made, whatever the pieces are; and lies are found. */
#include <string.h>

#include "service/intake.h"
#include "tests/test.h"

enum { DIM = 8, WIDE = 1024, ROWS = 20000, SHARDS_MOST = 5 };

static const uint64_t salt[2] = {11, 12};
static float values[ROWS][DIM];
static uint64_t keys[ROWS], order[ROWS]; /* order: rows by the old shard that has them */
static float wide[64][WIDE];
static uint64_t state;

static uint64_t random_below(uint64_t n)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (state >> 33) % n;
}

static void init(uint64_t seed)
{
    state = seed;
    for (uint32_t i = 0; i < ROWS; i++) {
        keys[i] = i * UINT64_C(7919) + 5;
        for (uint32_t k = 0; k < DIM; k++) {
            values[i][k] = (float)(i * DIM + k);
        }
    }
    for (uint32_t i = 0; i < 64; i++) {
        wide[i][0] = (float)i;
        wide[i][WIDE - 1] = (float)(2 * i);
    }
}

static psy__holder holder_of(uint32_t shard, uint32_t shards)
{
    return (psy__holder){.shard = shard, .shards = shards, .route_salt = {salt[0], salt[1]}};
}

typedef struct piece {
    const uint64_t *rows; /* which of all; NULL: `count` from `first` on */
    uint64_t first, count;
    uint32_t placement;
    bool is_wide;
} piece;

/* The file of a piece, as a worker makes it. */
static psy__edit file_of(const piece *p)
{
    psy__edit file;
    psy__edit_part part = {.resident = "data",
                           .kind = PSY_EDIT_RELOAD,
                           .dtype = PSY_F32,
                           .rank = 2,
                           .dims = {p->count, p->is_wide ? WIDE : DIM},
                           .row_bytes = (p->is_wide ? WIDE : DIM) * 4,
                           .has_which = p->placement == PSY_PLACE_BY_KEY};
    cr_assert_eq(psy__edit_begin(&part, &file), PSY_OK, "%s", psy_detail());
    for (uint64_t i = p->count; i-- > 0;) { /* in any order */
        const uint64_t row = p->rows ? p->rows[i] : p->first + i;
        cr_assert_eq(psy__edit_write_rows(&file, i, 1, p->is_wide ? wide[row] : values[row]), PSY_OK);
        cr_assert_eq(part.has_which ? psy__edit_write_which(&file, i, 1, &keys[row]) : PSY_OK, PSY_OK);
    }
    cr_assert_eq(psy__edit_seal(&file), PSY_OK, "%s", psy_detail());
    psy__edit taken;
    cr_assert_eq(psy__edit_take(file.fd, UINT64_MAX, &taken), PSY_OK, "%s", psy_detail());
    return taken;
}

/* It is taken by all of `to`, or by none. */
static psy_status give(const psy__edit *file, const psy__take *said, psy__intake *to, uint32_t count)
{
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < count; i++) {
        status = psy__intake_begin(&to[i], file, said);
        status = status == PSY_OK ? PSY_EMPTY : status;
        while (status == PSY_EMPTY) {
            status = psy__intake_step(&to[i]);
        }
    }
    return status;
}

/* Which rows shard `shard` of the old ones has: of split data some that follow one another, in parts that are not equal. */
static uint64_t part_of(uint32_t placement, uint32_t shard, uint32_t shards, uint64_t total, uint64_t *first)
{
    psy__holder holder = holder_of(shard, shards);
    uint64_t n = 0;
    if (placement == PSY_PLACE_SPLIT) {
        *first = shard == 0 ? 0 : total * shard / shards / 2;
        const uint64_t end = shard + 1 == shards ? total : total * (shard + 1) / shards / 2;
        for (; n < end - *first; n++) {
            order[n] = *first + n;
        }
        return n;
    }
    *first = 0;
    for (uint64_t i = 0; i < total; i++) {
        if (placement == PSY_PLACE_REPLICATED || psy__holder_has(&holder, keys[i])) {
            order[n++] = i;
        }
    }
    return n;
}

static void check(const psy__dataset *d, uint32_t placement, uint64_t total, const psy__holder *holder)
{
    uint64_t first = 0, rows = placement == PSY_PLACE_REPLICATED ? total : 0;
    cr_assert_eq(d->dims[0], total);
    cr_assert_eq(strcmp(d->name, "data"), 0);
    if (placement == PSY_PLACE_BY_KEY) {
        for (uint64_t i = 0; i < total; i++) {
            const uint32_t at =
                *psy__dataset_place((uint32_t *)(uintptr_t)d->data.index_rows, d->data.index_mask, d->data.keys, keys[i]);
            cr_assert_eq(at != UINT32_MAX, psy__holder_has(holder, keys[i]));
            rows += at != UINT32_MAX;
            cr_assert(at == UINT32_MAX || memcmp(d->row_memory.at + at * sizeof *values, values[i], sizeof *values) == 0);
        }
        cr_assert_eq(d->data.rows, rows);
        return;
    }
    if (placement == PSY_PLACE_SPLIT) {
        psy__holder_range(holder, total, &first, &rows);
    }
    cr_assert_eq(d->first, first);
    cr_assert_eq(d->data.rows, rows);
    cr_assert_eq(memcmp(d->row_memory.at, values[first], rows * sizeof *values), 0);
}

static void move(uint32_t placement, uint32_t from, uint32_t to, uint64_t total)
{
    psy__holder holders[SHARDS_MOST];
    psy__intake in[SHARDS_MOST];
    uint64_t seen = 0;
    for (uint32_t i = 0; i < to; i++) {
        holders[i] = holder_of(i, to);
        in[i] = (psy__intake){.holder = &holders[i]};
    }
    const uint32_t givers = placement == PSY_PLACE_REPLICATED ? 1 : from;
    for (uint32_t shard = 0; shard < givers; shard++) {
        uint64_t first, rows = part_of(placement, shard, from, total, &first), at = 0;
        do {
            uint64_t n = 1 + random_below(ROWS / 3);
            n = n < rows - at ? n : rows - at;
            const piece p = {.rows = order + at, .count = n, .placement = placement};
            psy__edit file = file_of(&p);
            const psy__take said = {.first = placement == PSY_PLACE_BY_KEY ? 0 : seen,
                                    .total = total,
                                    .placement = placement,
                                    .shard = shard,
                                    .shards = from,
                                    .last = shard + 1 == givers && at + n == rows};
            cr_assert_eq(give(&file, &said, in, to), PSY_OK, "%s", psy_detail());
            psy__edit_close(&file);
            seen += n;
            at += n;
        } while (at < rows);
    }
    for (uint32_t i = 0; i < to; i++) {
        check(&in[i].data, placement, total, &holders[i]);
        psy__intake_end(&in[i]);
    }
}

Test(intake, is_what_loading_would_be)
{
    init(1);
    for (uint32_t placement = PSY_PLACE_REPLICATED; placement <= PSY_PLACE_BY_KEY; placement++) {
        for (uint32_t from = 1; from <= SHARDS_MOST; from += 2) {
            for (uint32_t to = 1; to <= SHARDS_MOST; to++) {
                move(placement, from, to, 1 + random_below(ROWS));
            }
        }
        move(placement, 3, 4, 0);
        move(placement, 2, 5, 1);
        move(placement, 5, 2, ROWS);
    }
}

/* Rows that are too long to be read for nothing come one by one. */
Test(intake, takes_long_rows_singly)
{
    init(2);
    psy__holder holder = holder_of(1, 3);
    psy__intake in = {.holder = &holder};
    const piece p = {.count = 64, .placement = PSY_PLACE_BY_KEY, .is_wide = true};
    psy__edit file = file_of(&p);
    const psy__take said = {.total = 64, .placement = PSY_PLACE_BY_KEY, .shards = 1, .last = 1};
    cr_assert_eq(give(&file, &said, &in, 1), PSY_OK, "%s", psy_detail());
    uint64_t n = 0;
    for (uint64_t i = 0; i < 64; i++) {
        const psy__resident_data *d = &in.data.data;
        const uint32_t at = *psy__dataset_place((uint32_t *)(uintptr_t)d->index_rows, d->index_mask, d->keys, keys[i]);
        cr_assert_eq(at != UINT32_MAX, psy__holder_has(&holder, keys[i]));
        n += at != UINT32_MAX;
        cr_assert(at == UINT32_MAX || memcmp(in.data.row_memory.at + at * sizeof *wide, wide[i], sizeof *wide) == 0);
    }
    cr_assert_eq(in.data.data.rows, n);
    cr_assert_gt(n, 5u);
    psy__edit_close(&file);
    psy__intake_end(&in);
}

/* Two pieces, the second of which cannot be. */
static void lie(const piece *first, const psy__take *said, const piece *then, const psy__take *next, const char *what)
{
    psy__holder holder = holder_of(0, 2);
    psy__intake in = {.holder = &holder};
    psy__edit files[2] = {file_of(first), file_of(then)};
    psy_status status = give(&files[0], said, &in, 1);
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    cr_assert_eq(give(&files[1], next, &in, 1), PSY_CORRUPT, "%s: %s", what, psy_detail());
    psy__edit_close(&files[0]);
    psy__edit_close(&files[1]);
    psy__intake_end(&in);
}

Test(intake, finds_lies)
{
    init(3);
    const piece first = {.count = 100, .placement = PSY_PLACE_SPLIT}, then = {.first = 100, .count = 100, .placement = 1};
    const psy__take said = {.total = 200, .placement = PSY_PLACE_SPLIT, .shard = 0, .shards = 2},
                    next = {.first = 100, .total = 200, .placement = PSY_PLACE_SPLIT, .shard = 1, .shards = 2, .last = 1};
    psy__take other = next;
    other.first = 99;
    lie(&first, &said, &then, &other, "rows twice");
    other.first = 101;
    lie(&first, &said, &then, &other, "a gap");
    other = next;
    other.total = 201;
    lie(&first, &said, &then, &other, "another total");
    other = next;
    other.shard = 2;
    lie(&first, &said, &then, &other, "a shard that is none");
    other = next;
    other.placement = PSY_PLACE_REPLICATED;
    lie(&first, &said, &then, &other, "another placement");
    other.placement = 9;
    lie(&first, &said, &then, &other, "no placement");
    piece few = then, many = then, odd = then;
    few.count = 99;
    lie(&first, &said, &few, &next, "too few");
    many.count = 101;
    lie(&first, &said, &many, &next, "too many");
    odd.is_wide = true;
    odd.first = 0;
    odd.count = 50;
    lie(&first, &said, &odd, &next, "other sizes");
    odd = then;
    odd.placement = PSY_PLACE_BY_KEY; /* the file has keys */
    lie(&first, &said, &odd, &next, "keys");
    psy__take back = said;
    back.shard = 1;
    other = next;
    other.shard = 0;
    lie(&first, &back, &then, &other, "shards out of order");
}

Test(intake, finds_keys_that_are_anothers_or_come_twice)
{
    init(4);
    uint64_t first, n = part_of(PSY_PLACE_BY_KEY, 0, 2, 1000, &first);
    cr_assert_gt(n, 100u);
    const piece some = {.rows = order, .count = 50, .placement = PSY_PLACE_BY_KEY};
    const psy__take said = {.total = 100, .placement = PSY_PLACE_BY_KEY, .shard = 0, .shards = 2},
                    next = {.total = 100, .placement = PSY_PLACE_BY_KEY, .shard = 0, .shards = 2, .last = 1};
    lie(&some, &said, &some, &next, "twice");
    psy__take other = next;
    other.shard = 1;
    const piece rest = {.rows = order + 50, .count = 50, .placement = PSY_PLACE_BY_KEY};
    lie(&some, &said, &rest, &other, "another's");
}

/* Sizes that nobody has memory for are refused, not tried. */
Test(intake, has_limits)
{
    init(5);
    psy__holder holder = holder_of(0, 1);
    psy__intake in = {.holder = &holder};
    psy__edit_part part = {.resident = "data", .kind = PSY_EDIT_RELOAD, .dtype = PSY_F32, .rank = 2, .row_bytes = 4};
    psy__edit file;
    part.dims[1] = UINT64_C(1) << 40;
    part.row_bytes = part.dims[1] * 4;
    cr_assert_eq(psy__edit_begin(&part, &file), PSY_OK, "%s", psy_detail()); /* no rows */
    psy__take said = {.total = 1 << 30, .placement = PSY_PLACE_SPLIT, .shards = 1};
    psy_status status = psy__intake_begin(&in, &file, &said);
    cr_assert(status == PSY_NO_MEMORY || status == PSY_TOO_LARGE, "%s", psy_detail());
    psy__intake_end(&in);
    said.total = UINT32_MAX;
    cr_assert_eq(psy__intake_begin(&in, &file, &said), PSY_CORRUPT);
    psy__intake_end(&in);
    psy__edit_close(&file);
}

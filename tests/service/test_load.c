/* SPDX-License-Identifier: Apache-2.0 */
/* Resident data: what psy_worker_load takes and refuses, and what becomes of a worker after a refusal. */
#include "engine/engine.h"
#include "tests/service/shop.h"

enum { ROWS = 40 };

typedef struct refusal {
    const char *what;
    psy_rows rows;
    psy_status status;
    const char *says; /* in the detail */
} refusal;

static psy_status fill_fails(void *context, uint64_t row, void *out)
{
    (void)context, (void)out;
    return row == 3 ? psy_fail(PSY_IO, "the disk is on fire") : PSY_OK;
}

static psy_status fill_fails_silently(void *context, uint64_t row, void *out)
{
    (void)context, (void)row, (void)out;
    return PSY_LIMIT;
}

static psy_status key_fails(void *context, uint64_t row, uint64_t *out)
{
    (void)context;
    *out = row;
    return row == 5 ? PSY_DENIED : PSY_OK;
}

static psy_status same_keys(void *context, uint64_t row, uint64_t *out)
{
    (void)context;
    *out = row / 2;
    return PSY_OK;
}

/* Another key each time that it is asked. */
static psy_status restless_keys(void *context, uint64_t row, uint64_t *out)
{
    *out = row + 1000 * ++*(uint64_t *)context;
    return PSY_OK;
}

static psy_rows with_rank(psy_rows r, uint32_t rank)
{
    r.rank = rank;
    return r;
}

static psy_rows with_dim(psy_rows r, uint32_t d, uint64_t value)
{
    r.dims[d] = value;
    return r;
}

static psy_rows with_callbacks(psy_rows r, psy_status (*fill)(void *, uint64_t, void *),
                               psy_status (*key)(void *, uint64_t, uint64_t *))
{
    r.fill = fill;
    r.key = key;
    return r;
}

Test(load, what_does_not_fit_is_refused_and_can_be_put_right)
{
    shop s = shop_open("inproc://refusals", 1, ROWS, ROWS);
    psy_rows rows = shop_rows(&s), kept = shop_kept(&s), weights = shop_weights(), unknown = rows;
    unknown.resident = "row";
    const refusal all[] = {
        {"unknown", unknown, PSY_NOT_FOUND, "`row`"},
        {"rank 1", with_rank(rows, 1), PSY_INVALID, "rank 2, not 1"},
        {"rank 0", with_rank(rows, 0), PSY_INVALID, "rank 2, not 0"},
        {"rank 9", with_rank(rows, 9), PSY_INVALID, "rank 2, not 9"},
        {"another DIM", with_dim(rows, 1, SHOP_DIM + 1), PSY_INVALID, "the module says 8"},
        {"too many weights", with_dim(weights, 0, SHOP_DIM + 1), PSY_INVALID, "the module says 8"},
        {"too many rows", with_dim(rows, 0, UINT32_MAX), PSY_TOO_LARGE, "rows"},
        {"far too many rows", with_dim(rows, 0, UINT64_MAX), PSY_TOO_LARGE, "rows"},
        {"no fill", with_callbacks(rows, NULL, NULL), PSY_INVALID, "fill is missing"},
        {"no key", with_callbacks(kept, kept.fill, NULL), PSY_INVALID, "needs a key callback"},
        {"a key too many", with_callbacks(rows, rows.fill, kept.key), PSY_INVALID, "not `by key`"},
        {"equal keys", with_callbacks(kept, kept.fill, same_keys), PSY_CORRUPT, "rows 0 and 1 have the same key"},
        {"a failing key", with_callbacks(kept, kept.fill, key_fails), PSY_DENIED, "kept"},
        {"a failing fill", with_callbacks(rows, fill_fails, NULL), PSY_IO, "the disk is on fire"},
        {"a fill that fails without a word", with_callbacks(rows, fill_fails_silently, NULL), PSY_LIMIT, "rows"},
    };
    psy_worker *w = shop_worker(&s, 0);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        cr_assert_eq(psy_worker_load(w, &all[i].rows), all[i].status, "%s: %s", all[i].what, psy_detail());
        cr_assert_not_null(strstr(psy_detail(), all[i].says), "%s: %s", all[i].what, psy_detail());
    }
    cr_assert_eq(psy_worker_load(NULL, &rows), PSY_INVALID);
    cr_assert_eq(psy_worker_load(w, NULL), PSY_INVALID);
    cr_assert_eq(psy_worker_start(w), PSY_INVALID);
    cr_assert_not_null(strstr(psy_detail(), "was not loaded"), "%s", psy_detail());

    /* Nothing of what was refused is left: another size is as good. */
    psy_rows other = with_dim(rows, 0, ROWS + 24);
    cr_assert_eq(psy_worker_load(w, &other), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_worker_load(w, &other), PSY_INVALID);
    cr_assert_not_null(strstr(psy_detail(), "loaded already"), "%s", psy_detail());
    uint64_t calls = 0;
    psy_rows restless = with_callbacks(kept, kept.fill, restless_keys);
    restless.context = &calls;
    cr_assert_eq(psy_worker_load(w, &restless), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_worker_load(w, &weights), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_worker_start(w), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_worker_load(w, &weights), PSY_INVALID);
    cr_assert_not_null(strstr(psy_detail(), "serves already"), "%s", psy_detail());
    psy_worker_destroy(w);
    shop_close(&s, NULL);
}

/* A condition on sizes that could only be looked at now. */
Test(load, too_few_rows_for_the_pipeline)
{
    shop s = shop_open("inproc://few", 1, 3, 3);
    psy_worker *w = shop_worker(&s, 0);
    psy_rows loads[3] = {shop_rows(&s), shop_kept(&s), shop_weights()};
    for (int k = 0; k < 3; k++) {
        cr_assert_eq(psy_worker_load(w, &loads[k]), PSY_OK, "%s", psy_detail());
    }
    cr_assert_eq(psy_worker_start(w), PSY_INVALID);
    cr_assert_not_null(strstr(psy_detail(), "at least as many rows"), "%s", psy_detail());
    psy_worker_destroy(w);
    shop_close(&s, NULL);
}

static psy_status fill_zeros(void *context, uint64_t row, void *out)
{
    (void)context, (void)row, (void)out; /* it is zero already */
    return PSY_OK;
}

/* Data whose sizes are computed of those of other data: whatever comes first, the worker starts only where they fit. */
Test(load, computed_sizes)
{
    static const struct {
        uint64_t rows, halves, pairs, columns, more;
        const char *says;
    } cases[] = {{40, 20, 80, 4, 3, NULL},
                 {40, 19, 80, 4, 3, "resident halves: N / 2 is 20, and it has 19"},
                 {40, 20, 82, 4, 3, "resident pairs: N * 2 is 80, and it has 82"},
                 {40, 20, 80, 5, 3, "resident pairs: K + 1 is 4, and it has 5"},
                 {41, 20, 82, 4, 3, "size N / 2: 41 and 2 cannot be put together so"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        shop s = shop_open_module(PSY_BUILD_DIR "/tests/service/gen/sizes.psm", "inproc://sizes", 1, cases[i].rows, 0);
        psy_worker *w = shop_worker(&s, 0);
        psy_rows loads[] = {
            {.resident = "halves", .rank = 2, .dims = {cases[i].halves, SHOP_DIM}, .fill = fill_zeros},
            {.resident = "pairs", .rank = 2, .dims = {cases[i].pairs, cases[i].columns}, .fill = fill_zeros},
            {.resident = "more", .rank = 1, .dims = {cases[i].more}, .fill = fill_zeros},
            shop_rows(&s),
        };
        for (size_t k = 0; k < 4; k++) {
            size_t at = i % 2 ? 3 - k : k;
            cr_assert_eq(psy_worker_load(w, &loads[at]), PSY_OK, "%s", psy_detail());
        }
        cr_assert_eq(psy_worker_start(w), cases[i].says ? PSY_INVALID : PSY_OK, "case %zu: %s", i, psy_detail());
        cr_assert(!cases[i].says || strstr(psy_detail(), cases[i].says), "case %zu: %s", i, psy_detail());
        psy_worker_destroy(w);
        shop_close(&s, NULL);
    }
}

/* A worker that was told no engine has the one that a pipeline asks for, where there is one. */
Test(load, an_engine_that_is_preferred)
{
    psy__engine_options options = {.max_batch = 1};
    psy__engine *vulkan = NULL;
    const char *expected = psy__engine_open("vulkan", &options, &vulkan) == PSY_OK ? "vulkan" : "cpu";
    shop s = shop_open_module(PSY_BUILD_DIR "/tests/service/gen/sizes.psm", "inproc://prefers", 1, 4, 0);
    psy_worker *w = shop_worker(&s, 0);
    if (vulkan) {
        psy__engine_close(vulkan);
    }
    cr_assert_not_null(strstr(psy_worker_describe(w), expected), "%s, not %s", psy_worker_describe(w), expected);
    psy_worker_destroy(w);
    shop_close(&s, NULL);
}

/* Two shards that were given different data do not serve together, and the second one says why. */
Test(load, shards_that_disagree)
{
    shop s = shop_open("inproc://disagree", 2, ROWS, ROWS);
    psy_worker *w[2];
    for (uint32_t i = 0; i < 2; i++) {
        shop other = s;
        other.rows += i;
        psy_rows loads[3] = {shop_rows(&other), shop_kept(&s), shop_weights()};
        w[i] = shop_worker(&s, i);
        for (int k = 0; k < 3; k++) {
            cr_assert_eq(psy_worker_load(w[i], &loads[k]), PSY_OK, "%s", psy_detail());
        }
        cr_assert_eq(psy_worker_start(w[i]), PSY_OK, "%s", psy_detail());
    }
    cr_assert_eq(psy_worker_run(w[1]), PSY_INVALID, "%s", psy_detail());
    cr_assert_not_null(strstr(psy_detail(), "shard 1 loaded N = 41, shard 0 40"), "%s", psy_detail());
    psy_worker_destroy(w[1]);
    psy_worker_destroy(w[0]);
    shop_close(&s, NULL);
}

Test(load, workers_that_the_service_has_no_place_for)
{
    shop s = shop_open("inproc://places", 2, ROWS, ROWS);
    psy_worker *w = shop_worker(&s, 1), *other;
    psy_worker_options o = {.uri = s.uri, .module = s.module, .shard = 1, .connect_timeout_ns = second_ns};
    cr_assert_eq(psy_worker_create(&o, &other), PSY_LIMIT, "%s", psy_detail());
    cr_assert_not_null(strstr(psy_detail(), "shard 1 has a worker already"), "%s", psy_detail());
    o.shard = 2;
    cr_assert_eq(psy_worker_create(&o, &other), PSY_LIMIT, "%s", psy_detail());
    cr_assert_not_null(strstr(psy_detail(), "there is no shard 2"), "%s", psy_detail());
    psy_module *nearest;
    cr_assert_eq(psy_module_open(PSY_BUILD_DIR "/examples/nearest/gen/nearest.psm", &nearest), PSY_OK, "%s", psy_detail());
    o = (psy_worker_options){.uri = s.uri, .module = nearest, .connect_timeout_ns = second_ns};
    cr_assert_eq(psy_worker_create(&o, &other), PSY_LAYOUT, "%s", psy_detail());
    char both[2][20];
    snprintf(both[0], sizeof both[0], "%016llx", (unsigned long long)psy_module_hash(s.module));
    snprintf(both[1], sizeof both[1], "%016llx", (unsigned long long)psy_module_hash(nearest));
    cr_assert(strstr(psy_detail(), both[0]) && strstr(psy_detail(), both[1]), "%s", psy_detail());
    o = (psy_worker_options){.uri = s.uri, .module = s.module, .engine = "abacus"};
    cr_assert_eq(psy_worker_create(&o, &other), PSY_NOT_FOUND, "%s", psy_detail());
    cr_assert_not_null(strstr(psy_detail(), "abacus"), "%s", psy_detail());
    o = (psy_worker_options){.uri = "inproc://nobody", .module = s.module, .connect_timeout_ns = 1};
    cr_assert_eq(psy_worker_create(&o, &other), PSY_UNREACHABLE, "%s", psy_detail());
    o.max_batch = 5000;
    cr_assert_eq(psy_worker_create(&o, &other), PSY_INVALID, "%s", psy_detail());
    cr_assert_eq(psy_worker_create(&(psy_worker_options){.module = s.module}, &other), PSY_INVALID);
    cr_assert_eq(psy_worker_run(w), PSY_INVALID, "it was not started");

    /* A place is free again when its worker is gone. */
    psy_worker_destroy(w);
    o = (psy_worker_options){.uri = s.uri, .module = s.module, .shard = 1};
    psy_status status = PSY_LIMIT;
    for (int tries = 0; tries < 200 && status == PSY_LIMIT; tries++) {
        status = psy_worker_create(&o, &other);
    }
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    psy_worker_destroy(other);
    psy_module_close(nearest);
    shop_close(&s, NULL);
}

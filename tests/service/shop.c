/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/service/shop.h"

float shop_value(uint64_t row, uint32_t d) { return (float)((int64_t)(row * 7 + d * 3) % 11 - 5); }

uint64_t shop_key(uint64_t row) { return row * 1000003 + 17; }

static psy_status fill(void *context, uint64_t row, void *out)
{
    (void)context;
    for (uint32_t d = 0; d < SHOP_DIM; d++) {
        ((float *)out)[d] = shop_value(row, d);
    }
    return PSY_OK;
}

static psy_status key(void *context, uint64_t row, uint64_t *out)
{
    (void)context;
    *out = shop_key(row);
    return PSY_OK;
}

static psy_status fill_weight(void *context, uint64_t row, void *out)
{
    (void)context;
    *(float *)out = (float)(row + 1);
    return PSY_OK;
}

psy_rows shop_rows(const shop *s)
{
    return (psy_rows){.resident = "rows", .rank = 2, .dims = {s->rows, SHOP_DIM}, .fill = fill};
}

psy_rows shop_kept(const shop *s)
{
    return (psy_rows){.resident = "kept", .rank = 2, .dims = {s->kept, SHOP_DIM}, .fill = fill, .key = key};
}

psy_rows shop_weights(void) { return (psy_rows){.resident = "weights", .rank = 1, .dims = {SHOP_DIM}, .fill = fill_weight}; }

static void *run_broker(void *b)
{
    psy_broker_run(b);
    return NULL;
}

static void *run_worker(void *w)
{
    (void)!psy_worker_run(w);
    return NULL;
}

shop shop_open(const char *uri, uint32_t shards, uint64_t rows, uint64_t kept)
{
    return shop_open_module(SHOP_MODULE, uri, shards, rows, kept);
}

shop shop_open_module(const char *module, const char *uri, uint32_t shards, uint64_t rows, uint64_t kept)
{
    shop s = {.shards = shards, .rows = rows, .kept = kept};
    snprintf(s.uri, sizeof s.uri, "%s", uri);
    cr_assert_eq(psy_module_open(module, &s.module), PSY_OK, "%s", psy_detail());
    psy_broker_options o = {
        .uri = s.uri, .module = s.module, .shards = shards, .reference_bytes = shop_refers(shards) ? 1 : UINT32_MAX};
    cr_assert_eq(psy_broker_create(&o, &s.broker), PSY_OK, "%s", psy_detail());
    cr_assert_eq(pthread_create(&s.broker_thread, NULL, run_broker, s.broker), 0);
    return s;
}

psy_worker *shop_worker(const shop *s, uint32_t shard)
{
    psy_worker_options o = {.uri = s->uri, .module = s->module, .shard = shard};
    psy_worker *w;
    cr_assert_eq(psy_worker_create(&o, &w), PSY_OK, "%s", psy_detail());
    return w;
}

void shop_run(shop *s)
{
    for (uint32_t i = 0; i < s->shards; i++) {
        psy_rows loads[3] = {shop_rows(s), shop_kept(s), shop_weights()};
        psy_worker *w = s->workers[i] = shop_worker(s, i);
        for (int k = 0; k < 3; k++) {
            cr_assert_eq(psy_worker_load(w, &loads[k]), PSY_OK, "%s", psy_detail());
        }
        cr_assert_eq(psy_worker_start(w), PSY_OK, "%s", psy_detail());
        cr_assert_eq(pthread_create(&s->threads[i], NULL, run_worker, w), 0);
    }
}

void shop_close(shop *s, psy_worker_counts *sum)
{
    for (uint32_t i = 0; i < s->shards; i++) {
        if (!s->workers[i]) {
            continue;
        }
        psy_worker_counts counts;
        psy_worker_stop(s->workers[i]);
        pthread_join(s->threads[i], NULL);
        psy_worker_get_counts(s->workers[i], &counts);
        psy_worker_destroy(s->workers[i]);
        if (sum) {
            sum->requests += counts.requests;
            sum->batches += counts.batches;
            sum->merges += counts.merges;
            sum->copied_bytes += counts.copied_bytes;
            sum->dropped_replies += counts.dropped_replies;
        }
    }
    psy_broker_stop(s->broker);
    pthread_join(s->broker_thread, NULL);
    psy_broker_get_counts(s->broker, &s->counts);
    psy_broker_destroy(s->broker);
    psy_module_close(s->module);
}

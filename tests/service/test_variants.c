/* SPDX-License-Identifier: Apache-2.0 */
/* Variants through a service: messages of several types and shapes in one ring, each to the programs of its alternative; what
 * no alternative takes is refused; descriptions that lie harm nobody. */
#include <math.h>

#include <psyne/variant.h>

#include "tests/service/gen/variants.psy.h"
#include "tests/service/shop.h"

#define VARIANTS_MODULE PSY_BUILD_DIR "/tests/service/gen/variants.psm"

enum { ROWS = 23, WIDTH = 4, SHARDS = 2, IN_FLIGHT = 64 };

static float table_value(uint64_t row, uint32_t d) { return (float)((int64_t)(row * 5 + d * 3) % 13 - 6); }

static psy_status fill(void *context, uint64_t row, void *out)
{
    (void)context;
    for (uint32_t d = 0; d < WIDTH; d++) {
        ((float *)out)[d] = table_value(row, d);
    }
    return PSY_OK;
}

static void *run_worker(void *w)
{
    (void)!psy_worker_run(w);
    return NULL;
}

typedef struct mixed {
    shop s;
    psy_channel *channel;
    psy_pipeline measure, masked, nearest;
} mixed;

static mixed open_mixed(const char *uri)
{
    mixed m = {.s = shop_open_module(VARIANTS_MODULE, uri, SHARDS, ROWS, 0)};
    for (uint32_t i = 0; i < SHARDS; i++) {
        psy_rows rows = {.resident = "table", .rank = 2, .dims = {ROWS, WIDTH}, .fill = fill};
        psy_worker *w = m.s.workers[i] = shop_worker(&m.s, i);
        cr_assert_eq(psy_worker_load(w, &rows), PSY_OK, "%s", psy_detail());
        cr_assert_eq(psy_worker_start(w), PSY_OK, "%s", psy_detail());
        cr_assert_eq(pthread_create(&m.s.threads[i], NULL, run_worker, w), 0);
    }
    psy_channel_options o = {.in_flight = IN_FLIGHT};
    cr_assert_eq(psy_channel_connect(m.s.uri, &o, &m.channel), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_channel_open(m.channel, "measure", mix_doc_type(), mix_measure_type(), &m.measure), PSY_OK, "%s",
                 psy_detail());
    cr_assert_eq(psy_channel_open(m.channel, "masked", mix_doc_type(), mix_measure_type(), &m.masked), PSY_OK, "%s",
                 psy_detail());
    cr_assert_eq(psy_channel_open(m.channel, "nearest", mix_doc_type(), mix_best_type(), &m.nearest), PSY_OK, "%s",
                 psy_detail());
    return m;
}

static void close_mixed(mixed *m, psy_worker_counts *sum)
{
    psy_channel_close(m->channel);
    shop_close(&m->s, sum);
}

/* Element i of question `number`: whole numbers that every type holds. */
static int element(uint32_t number, uint32_t i) { return (int)((number * 3 + i * 5) % 9) - 4; }

/* An f16 of a whole number from -4 to 4. */
static uint16_t half_of(int x)
{
    static const uint16_t of[] = {0, 0x3C00, 0x4000, 0x4200, 0x4400};
    return (uint16_t)(of[x < 0 ? -x : x] | (x < 0 ? 0x8000 : 0));
}

static void put(void *to, psy_dtype dtype, uint32_t i, int x)
{
    if (dtype == PSY_F32) {
        ((float *)to)[i] = (float)x;
    } else if (dtype == PSY_F16) {
        ((uint16_t *)to)[i] = half_of(x);
    } else {
        ((int8_t *)to)[i] = (int8_t)x;
    }
}

/* A question: its number says the type and how many elements. */
static void make_question(mix_doc *doc, uint32_t number, psy_dtype *dtype, uint32_t *count)
{
    static const psy_dtype types[] = {PSY_F32, PSY_F16, PSY_I8};
    mix_doc_init(doc);
    mix_doc_set_id(doc, number);
    *dtype = types[number % 3];
    *count = 1 + number % 5 * 7;
    void *to = mix_doc_set_embedding(doc, *dtype, 1, count);
    cr_assert_not_null(to);
    for (uint32_t i = 0; i < *count; i++) {
        put(to, *dtype, i, element(number, i));
    }
}

static void check_answer(const mix_measure *a, uint32_t number)
{
    mix_doc doc;
    psy_dtype dtype;
    uint32_t count;
    psy_variant_view v, w;
    double sum = 0;
    make_question(&doc, number, &dtype, &count);
    for (uint32_t i = 0; i < count; i++) {
        sum += element(number, i) * element(number, i);
    }
    cr_assert_eq(mix_measure_verify(a, sizeof *a), PSY_OK, "%s", psy_detail());
    cr_assert_eq(mix_measure_size(a), count);
    cr_assert_leq(fabs(mix_measure_length(a) - sqrt(sum)), 1e-5);
    cr_assert_eq(mix_measure_scaled(a, &v), PSY_OK);
    cr_assert_eq(mix_doc_embedding(&doc, &w), PSY_OK);
    cr_assert(v.dtype == dtype && v.rank == 1 && v.dims[0] == count);
    cr_assert_eq(memcmp(v.data, w.data, count * psy_dtype_bytes(dtype)), 0);
}

/* Many shapes wait together: more than stay bound. */
Test(variants, many_shapes_in_one_ring, .timeout = 60)
{
    enum { QUESTIONS = 600 };
    mixed m = open_mixed("inproc://variants-many");
    uint32_t sent = 0, answered = 0, seen[QUESTIONS] = {0};
    while (answered < QUESTIONS) {
        psy_call call;
        psy_reply replies[IN_FLIGHT];
        uint32_t count = 0;
        while (sent < QUESTIONS && sent - answered < IN_FLIGHT && psy_channel_claim(m.channel, &m.measure, &call) == PSY_OK) {
            psy_dtype dtype;
            uint32_t elements;
            make_question(call.message, sent, &dtype, &elements);
            psy_channel_commit(m.channel, &call, (void *)(uintptr_t)sent++);
        }
        while (answered < sent) {
            psy_status status = psy_channel_poll(m.channel, replies, IN_FLIGHT, &count);
            if (status == PSY_EMPTY) {
                cr_assert_eq(psy_channel_wait(m.channel, 30 * second_ns), PSY_OK);
                continue;
            }
            cr_assert_eq(status, PSY_OK);
            for (uint32_t i = 0; i < count; i++, answered++) {
                uint32_t number = (uint32_t)(uintptr_t)replies[i].user;
                cr_assert_eq(replies[i].status, PSY_OK);
                cr_assert_eq(seen[number]++, 0);
                check_answer(replies[i].message, number);
                psy_channel_release(m.channel, &replies[i]);
            }
        }
    }
    psy_worker_counts sum = {0};
    close_mixed(&m, &sum);
    cr_assert_eq(sum.requests, (uint64_t)QUESTIONS);
    cr_assert_eq(sum.copied_bytes, 0); /* elements are read where they lie */
}

Test(variants, matrices_and_masks, .timeout = 60)
{
    mixed m = open_mixed("inproc://variants-masked");
    for (uint32_t rows = 1; rows <= 8; rows++) {
        mix_doc doc;
        psy_reply reply;
        psy_variant_view v;
        uint32_t dims[2] = {rows, 9 - rows};
        double sum = 0;
        mix_doc_init(&doc);
        mix_doc_set_scale(&doc, 2);
        float *to = mix_doc_set_embedding(&doc, PSY_F32, 2, dims);
        bool *mask = mix_doc_set_mask(&doc, PSY_BOOL, 1, dims);
        for (uint32_t i = 0; i < rows * dims[1]; i++) {
            to[i] = (float)element(rows, i);
        }
        for (uint32_t i = 0; i < rows; i++) {
            mask[i] = i % 3 != 1;
        }
        for (uint32_t e = 0; e < dims[1]; e++) {
            double column = 0;
            for (uint32_t d = 0; d < rows; d++) {
                column += mask[d] ? to[d * dims[1] + e] : 0;
            }
            sum += column * column;
        }
        cr_assert_eq(psy_channel_call(m.channel, &m.masked, &doc, &reply), PSY_OK, "%s", psy_detail());
        cr_assert_eq(mix_measure_size(reply.message), rows * dims[1]);
        cr_assert_leq(fabs(mix_measure_length(reply.message) - sqrt(sum)), 1e-4);
        cr_assert_eq(mix_measure_scaled(reply.message, &v), PSY_OK);
        cr_assert(v.dtype == PSY_F32 && v.rank == 2 && v.dims[0] == dims[1] && v.dims[1] == rows);
        for (uint32_t e = 0; e < dims[1]; e++) {
            for (uint32_t d = 0; d < rows; d++) {
                float want = mask[d] ? 2 * to[d * dims[1] + e] : 0;
                cr_assert_eq(((const float *)v.data)[e * rows + d], want);
            }
        }
        psy_channel_release(m.channel, &reply);
        dims[0]++; /* the mask has another size than the matrix */
        cr_assert_not_null(mix_doc_set_mask(&doc, PSY_BOOL, 1, dims));
        cr_assert_eq(psy_channel_call(m.channel, &m.masked, &doc, &reply), PSY_UNSUPPORTED);
    }
    close_mixed(&m, NULL);
}

/* Both alternatives over two shards; the size must be the table's. */
Test(variants, over_shards, .timeout = 60)
{
    mixed m = open_mixed("inproc://variants-shards");
    for (uint32_t number = 0; number < 12; number++) {
        mix_doc doc;
        psy_reply reply;
        uint32_t width = WIDTH;
        psy_dtype dtype = number % 2 ? PSY_F16 : PSY_F32;
        mix_doc_init(&doc);
        void *to = mix_doc_set_embedding(&doc, dtype, 1, &width);
        for (uint32_t d = 0; d < WIDTH; d++) {
            put(to, dtype, d, element(number, d));
        }
        float best = -INFINITY;
        uint64_t at = 0;
        for (uint64_t row = 0; row < ROWS; row++) {
            float score = 0;
            for (uint32_t d = 0; d < WIDTH; d++) {
                score += table_value(row, d) * (float)element(number, d);
            }
            at = score > best ? row : at;
            best = score > best ? score : best;
        }
        cr_assert_eq(psy_channel_call(m.channel, &m.nearest, &doc, &reply), PSY_OK, "%s", psy_detail());
        cr_assert_eq(mix_best_score(reply.message)[0], best);
        cr_assert_eq(mix_best_row(reply.message)[0], at);
        psy_channel_release(m.channel, &reply);
        width = WIDTH - 1;
        cr_assert_not_null(mix_doc_set_embedding(&doc, dtype, 1, &width));
        cr_assert_eq(psy_channel_call(m.channel, &m.nearest, &doc, &reply), PSY_UNSUPPORTED);
    }
    close_mixed(&m, NULL);
}

/* Descriptions that no setter makes. The service answers everybody else as before. */
Test(variants, descriptions_that_lie, .timeout = 60)
{
    mixed m = open_mixed("inproc://variants-lies");
    static const psy_variant_head lies[] = {
        {.dtype = 0},
        {.dtype = 99, .rank = 1, .dims = {4}},
        {.dtype = PSY_F32, .rank = 9, .dims = {1, 1, 1, 1, 1, 1, 1, 1}},
        {.dtype = PSY_F32, .rank = 255, .dims = {1, 1, 1, 1, 1, 1, 1, 1}},
        {.dtype = PSY_F32, .rank = 0},
        {.dtype = PSY_F32, .rank = 2, .dims = {2, 2}},
        {.dtype = PSY_F64, .rank = 1, .dims = {4}},
        {.dtype = PSY_F32, .rank = 1, .dims = {65}},
        {.dtype = PSY_F32, .rank = 1, .dims = {UINT32_MAX}},
        {.dtype = PSY_F32, .rank = 1, .dims = {UINT32_C(1) << 30}},
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        mix_doc doc;
        psy_reply reply;
        psy_dtype dtype;
        uint32_t count;
        mix_doc_init(&doc);
        doc.embedding_head = lies[i];
        cr_assert_eq(psy_channel_call(m.channel, &m.measure, &doc, &reply), PSY_UNSUPPORTED, "lie %zu", i);
        make_question(&doc, (uint32_t)i, &dtype, &count);
        cr_assert_eq(psy_channel_call(m.channel, &m.measure, &doc, &reply), PSY_OK);
        check_answer(reply.message, (uint32_t)i);
        psy_channel_release(m.channel, &reply);
    }
    /* No elements at all is a size as any other. */
    mix_doc doc;
    psy_reply reply;
    uint32_t none = 0;
    mix_doc_init(&doc);
    cr_assert_not_null(mix_doc_set_embedding(&doc, PSY_F32, 1, &none));
    cr_assert_eq(psy_channel_call(m.channel, &m.measure, &doc, &reply), PSY_OK, "%s", psy_detail());
    cr_assert_eq(mix_measure_size(reply.message), 0);
    cr_assert_eq(mix_measure_length(reply.message), 0);
    psy_channel_release(m.channel, &reply);
    close_mixed(&m, NULL);
}

/* The alternatives themselves are no pipelines that a client can name. */
Test(variants, alternatives_have_no_names, .timeout = 60)
{
    mixed m = open_mixed("inproc://variants-names");
    psy_pipeline p;
    cr_assert_eq(psy_channel_open(m.channel, "measure.2", mix_doc_type(), mix_measure_type(), &p), PSY_NOT_FOUND);
    cr_assert_str_eq(psy_detail(), "no pipeline `measure.2` here; there is: measure, masked, nearest");
    cr_assert_str_eq(psy_module_pipeline(m.s.module, 2), "nearest");
    cr_assert_null(psy_module_pipeline(m.s.module, 3));
    close_mixed(&m, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What engines refuse, when sizes are bound and when a batch comes; that a refusal leaves nothing behind. */
#include "engine/cpu/cpu.h"
#include "tests/engine/allocations.h"
#include "tests/engine/suite.h"

enum { DEPTH = 16 };

/* Rows times a vector, their sums over the depth of a table, and the best: sizes N, N.local, M. */
static build *program(void)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), v = build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, DEPTH);
    psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE), local = build_symbol(b, PSY_SYMBOL_LOCAL, n);
    psy_dim m = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE);
    uint32_t rows = build_resident(b, PSY_F32, PSY_PLACE_SPLIT, local, 2, (psy_dim[]){n, DEPTH});
    uint32_t column = build_resident(b, PSY_F32, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){m, 1});
    build_program(b, in, PSY_NONE, out);
    uint32_t x = build_view(b, rows), c = build_view(b, column), q = build_load(b, v),
             dots = build_reduce2(b, PSY_OP_DOT, x, q);
    uint32_t best = build_topk(b, dots, PSY_NONE, 3, local);
    build_output(b, best);
    build_output(b, best + 1);
    build_region(b, true, 2, (psy_dim[]){m, DEPTH});
    uint32_t sum = build_reduce(b, PSY_OP_SUM, build_map(b, PSY_OP_MUL, c, q), 1), twice = build_map(b, PSY_OP_ADD, sum, sum);
    build_region_end(b);
    build_output(b, build_reduce(b, PSY_OP_RMAX, twice, 0));
    build_check(b, n, PSY_CHECK_GE, 3, "rows has fewer than 3 rows");
    build_end(b);
    build_finish(b);
    return b;
}

typedef struct wanted {
    const char *label;
    uint64_t symbols[3];
    psy_status status;
    const char *detail;
    psy__limits limits;
} wanted;

/* Binds on an engine of its own; the data are as large as they say, or NULL. */
static void check_bind(suite *s, const build *b, const char *label, const uint64_t *symbols, const psy__resident_data *data,
                       const psy__limits *limits, psy_status want, const char *detail)
{
    psy__engine_options options = {.max_batch = 4, .limits = *limits};
    psy__engine *engine = NULL;
    cr_assert_eq(psy__engine_open(s->family, &options, &engine), PSY_OK, "%s", psy_detail());
    static const uint64_t zeros[3];
    psy__binding binding = {.module = &b->module, .symbols = symbols, .bases = zeros, .residents = data};
    psy__executable *x = NULL;
    int64_t alive = allocations_alive();
    psy_status status = engine->interface->bind(engine, &binding, &x);
    char why[256];
    snprintf(why, sizeof why, "%s", status == PSY_OK ? "" : psy_detail());
    if (status == PSY_OK) {
        engine->interface->unbind(x);
    }
    if (allocations_alive() != alive) {
        suite_mismatch(s, "%s: %s leaves %lld blocks behind", s->family, label, (long long)(allocations_alive() - alive));
    }
    if (status != want || !strstr(why, detail)) {
        suite_mismatch(s, "%s: %s: bind gave %d (%s), not %d (%s)", s->family, label, (int)status, why, (int)want, detail);
    }
    s->compared++;
    psy__engine_close(engine);
}

ENGINE_TEST(limits, sizes)
{
    const uint64_t k = 1000, huge = UINT64_C(1) << 62;
    const wanted cases[] = {
        {"as it should be", {9, 5, 4}, PSY_OK, "", {0}},
        {"nothing here", {9, 0, 0}, PSY_OK, "", {0}},
        {"a check that fails", {2, 2, 4}, PSY_INVALID, "rows has fewer than 3 rows", {0}},
        {"more rows here than anywhere", {9, 10, 4}, PSY_INVALID, "more than", {0}},
        {"an overflow", {huge, huge, 4}, PSY_TOO_LARGE, "size of a register", {0}},
        {"an overflow of another", {9, 5, UINT64_MAX}, PSY_TOO_LARGE, "size of a register", {0}},
        {"more than the arena's default", {huge, (UINT64_C(1) << 28) + 16, 4}, PSY_TOO_LARGE, "working memory", {0}},
        {"more than the work's default",
         {9, 5, UINT64_C(1) << 37},
         PSY_TOO_LARGE,
         "the work",
         {.arena_bytes = UINT64_C(1) << 50}},
        {"an arena of 4 KiB", {k, k, 500}, PSY_TOO_LARGE, "working memory is over the limit of 4096", {.arena_bytes = 4096}},
        {"an arena that just fits", {k, 256, 256}, PSY_OK, "", {.arena_bytes = 4096}},
        {"work of a million",
         {k * k, k * k, 4},
         PSY_TOO_LARGE,
         "work for one message is over the limit of 1000000",
         {.work = k * k}},
        {"work that just fits", {k, k, 10}, PSY_OK, "", {.work = 20 * k}},
    };
    build *b = program();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const wanted *c = &cases[i];
        bool small = c->symbols[1] < 2 * k && c->symbols[2] < 2 * k;
        psy__resident_data data[] = {suite_resident(s, SUITE_PLAIN, PSY_F32, small ? c->symbols[1] : 1, DEPTH),
                                     suite_resident(s, SUITE_PLAIN, PSY_F32, small ? c->symbols[2] : 1, 1)};
        data[0].rows = c->symbols[1];
        data[1].rows = c->symbols[2];
        check_bind(s, b, c->label, c->symbols, data, &c->limits, c->status, c->detail);
        suite_resident_free(&data[0]);
        suite_resident_free(&data[1]);
    }
    build_destroy(b);
}

ENGINE_TEST(limits, data)
{
    build *b = program();
    static const uint64_t symbols[] = {9, 5, 4};
    static const psy__limits limits;
    psy__resident_data rows = suite_resident(s, SUITE_PLAIN, PSY_F32, 5, DEPTH),
                       column = suite_resident(s, SUITE_PLAIN, PSY_F32, 4, 1);
    psy__resident_data short_rows = rows, none = {.rows = 4, .row_bytes = 4};
    short_rows.rows = 4;
    check_bind(s, b, "all there", symbols, (psy__resident_data[]){rows, column}, &limits, PSY_OK, "");
    check_bind(s, b, "a row is missing", symbols, (psy__resident_data[]){short_rows, column}, &limits, PSY_INVALID,
               "fewer bytes");
    check_bind(s, b, "nothing was loaded", symbols, (psy__resident_data[]){rows, none}, &limits, PSY_INVALID, "not loaded");
    psy__engine *engine = s->engines[0].engine;
    psy__binding binding = {.module = &b->module, .program = 1, .symbols = symbols, .bases = symbols, .residents = &rows};
    psy__executable *x = NULL;
    psy_status status = engine->interface->bind(engine, &binding, &x);
    if (status != PSY_INVALID) {
        suite_mismatch(s, "%s: a program that is not there: bind gave %d", s->family, (int)status);
    }
    build_destroy(b);
    suite_resident_free(&rows);
    suite_resident_free(&column);
}

/* A region over rows without elements: nothing is read, and still every row is visited. */
ENGINE_TEST(limits, rows_of_nothing)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), v = build_field(b, in, PSY_F32, PSY_FIELD_SCALAR, 1);
    psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE), m = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE);
    build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE);
    uint32_t table = build_resident(b, PSY_F32, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){n, m});
    build_program(b, in, PSY_NONE, out);
    uint32_t t = build_view(b, table), w = build_load(b, v);
    build_region(b, true, 2, (psy_dim[]){n, m});
    build_reduce(b, PSY_OP_SUM, build_map(b, PSY_OP_ADD, t, w), 1);
    build_region_end(b);
    build_output(b, w);
    build_end(b);
    build_finish(b);
    const psy__resident_data data = {.rows = UINT64_C(1) << 50};
    const psy__limits none = {0}, work = {.work = 1000};
    check_bind(s, b, "2^50 rows of nothing", (uint64_t[]){UINT64_C(1) << 50, 0, 0}, &data, &none, PSY_TOO_LARGE, "the work");
    check_bind(s, b, "5000 rows of nothing", (uint64_t[]){5000, 0, 0}, &data, &work, PSY_TOO_LARGE, "the work");
    check_bind(s, b, "500 rows of nothing", (uint64_t[]){500, 0, 0}, &data, &work, PSY_OK, "");
    build_destroy(b);
}

/* ---- batches ---- */

ENGINE_TEST(limits, batches)
{
    build *b = program();
    static const uint64_t symbols[] = {9, 5, 4}, zeros[3];
    psy__resident_data data[] = {suite_resident(s, SUITE_PLAIN, PSY_F32, 5, DEPTH),
                                 suite_resident(s, SUITE_PLAIN, PSY_F32, 4, 1)};
    psy__binding binding = {.module = &b->module, .symbols = symbols, .bases = zeros, .residents = data};
    uint64_t in_bytes = b->module.types[0].bytes, out_bytes = b->module.types[1].bytes;
    uint8_t *inputs = s->memory, *outputs = s->memory + 65536, status[SUITE_MESSAGES + 1];
    for (unsigned e = 0; e < s->engine_count; e++) {
        const suite_engine *engine = &s->engines[e];
        psy__executable *x = NULL;
        cr_assert_eq(engine->engine->interface->bind(engine->engine, &binding, &x), PSY_OK, "%s", psy_detail());
        const struct {
            const char *label;
            uint32_t count, in, out;
            psy_status status;
        } cases[] = {{"all of it", 5, 5, 5, PSY_OK},
                     {"no message", 0, 0, 0, PSY_INVALID},
                     {"too few inputs", 5, 4, 5, PSY_INVALID},
                     {"too many inputs", 5, 6, 5, PSY_INVALID},
                     {"too few outputs", 5, 5, 4, PSY_INVALID},
                     {"too many outputs", 5, 5, 6, PSY_INVALID},
                     {"over the limit", SUITE_MESSAGES + 1, SUITE_MESSAGES + 1, SUITE_MESSAGES + 1, PSY_INVALID},
                     {"the limit", SUITE_MESSAGES, SUITE_MESSAGES, SUITE_MESSAGES, PSY_OK}};
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            psy__span in = {inputs, in_bytes, cases[i].in}, out = {outputs, out_bytes, cases[i].out};
            psy__batch batch = {
                .count = cases[i].count, .inputs = &in, .outputs = &out, .input_spans = 1, .output_spans = 1, .status = status};
            psy_status got = engine->engine->interface->run(x, &batch);
            if (got != cases[i].status) {
                suite_mismatch(s, "%s: %s: run gave %d, not %d", engine->label, cases[i].label, (int)got, (int)cases[i].status);
            }
            s->compared++;
        }
        if (s->cpu && engine->engine->interface->copied_bytes(engine->engine) != 0) {
            suite_mismatch(s, "%s: it copied", engine->label);
        }
        engine->engine->interface->unbind(x);
    }
    build_destroy(b);
    suite_resident_free(&data[0]);
    suite_resident_free(&data[1]);
}

/* Batches whose arenas are over the limit together run in parts: the program goes over some messages, then over the next. */
static void run_parts(suite *s, uint64_t arena_bytes)
{
    enum { N = 1000 };
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), v = build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, DEPTH);
    uint32_t rows = build_resident(b, PSY_F32, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){N, DEPTH});
    build_program(b, in, PSY_NONE, out);
    uint32_t q = build_load(b, v), dots = build_reduce2(b, PSY_OP_DOT, build_view(b, rows), build_map(b, PSY_OP_ADD, q, q));
    build_output_ranked(b, dots, 5);
    build_output(b, dots);
    build_end(b);
    build_finish(b);
    psy__resident_data data = suite_resident(s, SUITE_DYADIC, PSY_F32, N, DEPTH);
    suite parts = *s; /* the same suite with an engine of its own */
    psy__engine_options options = {.max_batch = SUITE_MESSAGES, .limits = {.arena_bytes = arena_bytes}};
    psy__engine *engine = NULL;
    cr_assert_eq(psy__engine_open(s->family, &options, &engine), PSY_OK, "%s", psy_detail());
    cr_assert_eq(engine->interface->attach(engine, s->memory, s->memory_bytes), PSY_OK, "%s", psy_detail());
    parts.engines[0] = (suite_engine){"its own", engine};
    parts.engine_count = 1;
    char label[48];
    snprintf(label, sizeof label, "arenas of %u bytes", (unsigned)arena_bytes);
    suite_run(&parts, &(suite_case){.label = label, .b = b, .residents = &data, .data = SUITE_DYADIC, .exact = true});
    engine->interface->detach(engine, s->memory);
    psy__engine_close(engine);
    memcpy(parts.engines, s->engines, sizeof s->engines);
    parts.engine_count = s->engine_count;
    *s = parts;
    build_destroy(b);
    suite_resident_free(&data);
}

ENGINE_TEST(limits, parts)
{
    run_parts(s, 4352); /* one message */
    run_parts(s, 30000);
    if (s->cpu) {
        run_parts(s, 9000);
        run_parts(s, 100000);
    }
}

/* Every value in a place of its own is held to the limit as well. */
ENGINE_TEST(limits, values_kept)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), v = build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, DEPTH);
    build_program(b, in, PSY_NONE, out);
    uint32_t x = build_load(b, v);
    for (unsigned i = 0; i < 9; i++) {
        x = build_map(b, PSY_OP_ADD, x, x);
    }
    build_output(b, x);
    build_end(b);
    build_finish(b);
    static const uint64_t zeros[BUILD_SYMBOLS];
    static const uint64_t limits[] = {1, 9 * DEPTH * 4 - 1, 9 * DEPTH * 4};
    for (unsigned i = 0; i < 3; i++) {
        psy__bound_program bound;
        cr_assert_eq(psy__program_bind(&b->module, 0, zeros, zeros, &(psy__limits){0}, &bound), PSY_OK, "%s", psy_detail());
        psy_status status = psy__keep_all(&bound, &(psy__limits){.arena_bytes = limits[i]});
        cr_assert_eq(status, i < 2 ? PSY_TOO_LARGE : PSY_OK, "%u", i);
        cr_assert(i == 2 || strstr(psy_detail(), "all of its values together are over the limit"), "%s", psy_detail());
        psy__program_unbind(&bound);
        s->compared++;
    }
    build_destroy(b);
}

/* ---- sizes that a module makes of others ---- */

/* A view of one element as a vector of `huge`, and what reads it: nothing runs, or asks for memory, beyond the limits. */
static void check_huge(suite *s, const char *label, psy_op op, uint64_t huge, psy_status want, const char *detail)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b);
    build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, 1);
    build_field(b, in, PSY_I32, PSY_FIELD_ARRAY, 4);
    psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE), twice = build_computed(b, PSY_SYMBOL_MULTIPLY, n, 2);
    build_program(b, in, PSY_NONE, out);
    uint32_t one = build_load(b, 0), numbers = build_load(b, 1), long_one = build_repeat(b, one, 1, &n), y;
    uint32_t rows = build_repeat(b, one, 2, (psy_dim[]){n, 1}), four = build_repeat(b, one, 1, (psy_dim[]){4}), all[65];
    switch (op) {
    case PSY_OP_SORT: y = build_sort(b, long_one, 3, true); break;
    case PSY_OP_CUMSUM: y = build_slice(b, build_scan(b, op, long_one, 0), 0, 0, 3, 1); break;
    case PSY_OP_GATHER: y = build_gather(b, long_one, numbers, 0); break;
    case PSY_OP_SCATTER:
        y = build_scatter(b, four, build_repeat(b, build_slice(b, numbers, 0, 0, 1, 1), 1, &n), long_one);
        break;
    case PSY_OP_CONCAT: y = build_slice(b, build_concat(b, 0, 2, (uint32_t[]){long_one, long_one}, twice), 0, 0, 3, 1); break;
    case PSY_OP_TOPK: y = build_topk(b, long_one, PSY_NONE, 3, PSY_NONE); break;
    case PSY_OP_SUM: y = build_reduce(b, op, long_one, 0); break;
    case PSY_OP_IOTA: y = build_slice(b, build_iota(b, PSY_F32, 0, 1, &n), 0, 0, 3, 1); break;
    case PSY_OP_REPEAT: y = build_slice(b, long_one, 0, 7, 3, 1); break; /* costs nothing, however large */
    case PSY_OP_RESHAPE:                                                 /* 64 times 2^58, and 5: 5 modulo 2^64 */
        for (unsigned i = 0; i < 65; i++) {
            all[i] = build_repeat(b, one, 1, i == 64 ? (psy_dim[]){5} : &n);
        }
        y = build_concat(b, 0, 65, all, 5);
        break;
    default:
        y = build_gather(b, rows, numbers, 0);
        y = build_reduce(b, PSY_OP_SUM, y, 1);
        break;
    }
    build_output(b, y);
    build_end(b);
    build_finish(b);
    if (s->engines[0].engine->interface->supports(s->engines[0].engine, &b->module, 0) == PSY_OK) {
        uint64_t symbols[BUILD_SYMBOLS] = {huge};
        check_bind(s, b, label, symbols, NULL, &(psy__limits){0}, want, detail);
    }
    build_destroy(b);
}

ENGINE_TEST(limits, huge_views)
{
    if (!s->cpu) { /* kernels count in 32 bits, and refuse more of anything */
        check_huge(s, "a repeat of 2^40", PSY_OP_REPEAT, UINT64_C(1) << 40, PSY_UNSUPPORTED, "32 bits");
        check_huge(s, "a scatter of 2^29 numbers", PSY_OP_SCATTER, UINT64_C(1) << 29, PSY_UNSUPPORTED, "scatter is over");
        check_huge(s, "a joined length that overflows", PSY_OP_RESHAPE, UINT64_C(1) << 58, PSY_INVALID, "sizes do not fit");
        return;
    }
    static const struct {
        psy_op op;
        unsigned log;
        psy_status status;
        const char *detail;
    } cases[] = {{PSY_OP_SORT, 30, PSY_TOO_LARGE, "too many elements in order"},
                 {PSY_OP_SORT, 39, PSY_TOO_LARGE, "the work"},
                 {PSY_OP_CUMSUM, 29, PSY_TOO_LARGE, "working memory"},
                 {PSY_OP_CUMSUM, 45, PSY_TOO_LARGE, "the work"},
                 {PSY_OP_GATHER, 50, PSY_OK, ""},
                 {PSY_OP_GATHER, 59, PSY_TOO_LARGE, "size of a register"},
                 {PSY_OP_SCATTER, 41, PSY_TOO_LARGE, "the work"},
                 {PSY_OP_CONCAT, 28, PSY_TOO_LARGE, "working memory"},
                 {PSY_OP_CONCAT, 45, PSY_TOO_LARGE, "the work"},
                 {PSY_OP_CONCAT, 63, PSY_INVALID, "cannot be put together"},
                 {PSY_OP_TOPK, 41, PSY_TOO_LARGE, "the work"},
                 {PSY_OP_SUM, 41, PSY_TOO_LARGE, "the work"},
                 {PSY_OP_IOTA, 29, PSY_TOO_LARGE, "working memory"},
                 {PSY_OP_REPEAT, 58, PSY_OK, ""},
                 {PSY_OP_REPEAT, 3, PSY_INVALID, "slice: the sizes do not fit"},
                 {PSY_OP_RESHAPE, 58, PSY_INVALID, "concat: the sizes do not fit"},
                 {PSY_OP_RESHAPE, 60, PSY_TOO_LARGE, "size of a register"},
                 {PSY_OP_ADD, 50, PSY_OK, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char label[48];
        snprintf(label, sizeof label, "%s of 2^%u", psy__op_info(cases[i].op)->name, cases[i].log);
        check_huge(s, label, cases[i].op, UINT64_C(1) << cases[i].log, cases[i].status, cases[i].detail);
    }
}

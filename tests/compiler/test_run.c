/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled programs give the right answers: other metrics, k, DIM and shard counts change the program only, and what is
 * expected is computed here in double, without the shards. */
#include <math.h>

#include "tests/compiler/compile.h"

enum { MESSAGES = 5, ROWS_MAX = 64, DIM_MAX = 48, K_MAX = 10, SHARDS_MAX = 5 };

static uint64_t random_state;

static double random_real(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(int64_t)(random_state >> 33) / (double)(UINT64_C(1) << 30) - 1;
}

/* Whole numbers: every sum of them is exact, and ties are common. */
static float random_whole(void) { return (float)floor(random_real() * 4); }

static char *schema_of(int dim)
{
    static char text[1024];
    snprintf(text, sizeof text,
             "namespace t; const DIM = %d;"
             "message Query { key: u64 @key; vector: f32[DIM]; k: u16 = 3; scale: f32 = 1; small: i8; flag: bool; }"
             "message Hits { score: f32[<=16]; index: u64[<=16]; }"
             "message Row { vector: f32[DIM]; }"
             "message Number { value: f32; }"
             "message Numbers { least: f32; most: f32; sum: f32; mean: f32; }"
             "message Longs { a: i64; b: u64; c: i32; d: f64; }",
             dim);
    return text;
}

/* ---- the nearest rows ---- */

typedef enum metric { DOT, SQUARED_L2, COSINE, METRICS } metric;

static const char *const metric_text[METRICS] = {
    "words @ q.vector",
    "-sum((words - q.vector) * (words - q.vector), axis: 1)",
    "(words @ q.vector) / (sqrt(sum(words * words, axis: 1)) * norm(q.vector))",
};

static double score_of(metric m, const float *row, const float *query, int dim)
{
    double dot = 0, rr = 0, qq = 0, dd = 0;
    for (int i = 0; i < dim; i++) {
        double r = (double)row[i], q = (double)query[i];
        dot += r * q;
        rr += r * r;
        qq += q * q;
        dd += (r - q) * (r - q);
    }
    return m == DOT ? dot : m == SQUARED_L2 ? -dd : dot / (sqrt(rr) * sqrt(qq));
}

typedef struct scored {
    double score;
    uint64_t row;
} scored;

static int best_first(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    return x->score != y->score ? (x->score < y->score ? 1 : -1) : x->row < y->row ? -1 : x->row > y->row;
}

typedef struct nearest_case {
    metric metric;
    int dim, k;
    uint64_t rows;
    bool exact; /* whole numbers */
} nearest_case;

static void check_nearest(const nearest_case *n, const compiled *c, uint32_t shards, const float *words)
{
    served s = {.shards = shards, .messages = MESSAGES, .residents = {{"words", words, n->rows, (uint64_t)n->dim * 4, NULL}}};
    serve_begin(c, "nearest", &s);
    float queries[MESSAGES][DIM_MAX];
    for (uint32_t i = 0; i < MESSAGES; i++) {
        for (int d = 0; d < n->dim; d++) {
            queries[i][d] = n->exact ? random_whole() : (float)random_real();
        }
        memcpy(serve_input(c, "nearest", &s, i, "vector"), queries[i], (size_t)n->dim * 4);
        uint16_t wanted = (uint16_t)(i * 3);
        memcpy(serve_input(c, "nearest", &s, i, "k"), &wanted, sizeof wanted);
    }
    serve(c, "nearest", &s);
    cr_assert_eq(s.bind, PSY_OK, "%s", psy_detail());
    for (uint32_t i = 0; i < MESSAGES; i++) {
        scored all[ROWS_MAX];
        for (uint64_t r = 0; r < n->rows; r++) {
            all[r] = (scored){score_of(n->metric, words + r * (uint64_t)n->dim, queries[i], n->dim), r};
        }
        qsort(all, n->rows, sizeof *all, best_first);
        uint32_t count = i * 3 < (uint32_t)n->k ? i * 3 : (uint32_t)n->k;
        cr_assert_eq(s.status[i], PSY_OK);
        cr_assert_eq(serve_output_count(c, "nearest", &s, i, "score"), count);
        cr_assert_eq(serve_output_count(c, "nearest", &s, i, "index"), count);
        const float *score = serve_output(c, "nearest", &s, i, "score");
        const uint64_t *index = serve_output(c, "nearest", &s, i, "index");
        for (uint32_t k = 0; k < count; k++) {
            cr_assert_lt(index[k], n->rows);
            if (n->exact) {
                cr_assert(index[k] == all[k].row && (double)score[k] == all[k].score,
                          "metric %d, dim %d, k %d, %u shards, hit %u: row %lu, score %g; wanted %lu, %g", (int)n->metric,
                          n->dim, n->k, shards, k, (unsigned long)index[k], (double)score[k], (unsigned long)all[k].row,
                          all[k].score);
            } else {
                /* Near the cut two rows may change places: then their scores are as near. */
                double own = score_of(n->metric, words + index[k] * (uint64_t)n->dim, queries[i], n->dim);
                cr_assert(fabs(own - (double)score[k]) < 1e-5 && fabs(all[k].score - (double)score[k]) < 1e-5,
                          "metric %d, dim %d, k %d, %u shards, hit %u: row %lu, score %g; wanted %g", (int)n->metric, n->dim,
                          n->k, shards, k, (unsigned long)index[k], (double)score[k], all[k].score);
                for (uint32_t other = 0; other < k; other++) {
                    cr_assert_neq(index[other], index[k]);
                }
            }
        }
    }
    serve_end(&s);
}

static void nearest(metric m, int dim, int k, uint64_t rows, bool exact)
{
    nearest_case n = {m, dim, k, rows, exact};
    static float words[ROWS_MAX * DIM_MAX];
    char program[512];
    snprintf(program, sizeof program,
             "resident words: f32[N, DIM] split N\n"
             "pipeline nearest(q: Query) -> Hits { let (score, index) = topk(%s, k: %d)\n"
             "Hits { score: score[..min(q.k, %d)], index: index[..min(q.k, %d)] } }\n",
             metric_text[m], k, k, k);
    random_state = (uint64_t)m * 1000 + (uint64_t)dim * 10 + (uint64_t)k;
    for (uint64_t i = 0; i < rows * (uint64_t)dim; i++) {
        words[i] = exact ? random_whole() : (float)random_real();
    }
    for (unsigned optimise = 0; optimise < 2; optimise++) {
        compiled *c = compile(schema_of(dim), program, optimise);
        cr_assert(c->ok, "%s", c->said);
        for (uint32_t shards = 1; shards <= SHARDS_MAX; shards++) {
            check_nearest(&n, c, shards, words);
        }
        compile_end(c);
    }
}

Test(run, nearest_by_dot) { nearest(DOT, 8, 3, 37, true); }
Test(run, nearest_by_dot_other_k) { nearest(DOT, 8, 10, 37, true); }
Test(run, nearest_by_dot_other_dim) { nearest(DOT, 48, 1, 60, true); }
Test(run, nearest_by_dot_small_dim) { nearest(DOT, 1, 5, 11, true); }
Test(run, nearest_by_squared_l2) { nearest(SQUARED_L2, 8, 3, 37, true); }
Test(run, nearest_by_squared_l2_other_dim) { nearest(SQUARED_L2, 17, 7, 53, true); }
Test(run, nearest_by_cosine) { nearest(COSINE, 16, 4, 37, false); }
Test(run, nearest_by_cosine_other_k) { nearest(COSINE, 33, 10, 64, false); }
/* Shards without a row, and fewer rows on a shard than k. */
Test(run, nearest_of_few_rows) { nearest(DOT, 4, 3, 3, true); }

Test(run, fewer_rows_than_k_are_refused_at_load)
{
    compiled *c = compile(schema_of(4),
                          "resident words: f32[N, DIM] split N\n"
                          "pipeline nearest(q: Query) -> Hits { let (score, index) = topk(words @ q.vector, k: 4)\n"
                          "Hits { score: score, index: index } }",
                          true);
    float words[12] = {0};
    served s = {.shards = 2, .messages = 1, .residents = {{"words", words, 3, 16, NULL}}};
    cr_assert(c->ok, "%s", c->said);
    serve_begin(c, "nearest", &s);
    serve(c, "nearest", &s);
    cr_assert_eq(s.bind, PSY_INVALID);
    cr_assert(strstr(psy_detail(), "topk with k = 4 needs at least as many rows of N") != NULL, "%s", psy_detail());
    serve_end(&s);
    compile_end(c);
}

/* ---- other reductions of split data ---- */

Test(run, least_most_sum_and_mean)
{
    enum { ROWS = 29, DIM = 5 };
    float words[ROWS * DIM], query[DIM];
    random_state = 7;
    for (int i = 0; i < ROWS * DIM; i++) {
        words[i] = (float)random_real();
    }
    for (int i = 0; i < DIM; i++) {
        query[i] = (float)random_real();
    }
    double least = INFINITY, most = -INFINITY, sum = 0;
    for (int r = 0; r < ROWS; r++) {
        double x = score_of(DOT, words + r * DIM, query, DIM);
        least = x < least ? x : least;
        most = x > most ? x : most;
        sum += x;
    }
    for (unsigned optimise = 0; optimise < 2; optimise++) {
        compiled *c = compile(
            schema_of(DIM),
            "resident words: f32[N, DIM] split N\n"
            "pipeline stats(q: Query) -> Numbers { let scores = words @ q.vector\n"
            "Numbers { least: min(scores), most: max(scores) * q.scale, sum: sum(scores), mean: mean(scores) + q.scale } }",
            optimise);
        cr_assert(c->ok, "%s", c->said);
        for (uint32_t shards = 1; shards <= SHARDS_MAX; shards++) {
            served s = {.shards = shards, .messages = 3, .residents = {{"words", words, ROWS, DIM * 4, NULL}}};
            serve_begin(c, "stats", &s);
            for (uint32_t i = 0; i < 3; i++) {
                float scale = (float)i;
                memcpy(serve_input(c, "stats", &s, i, "vector"), query, sizeof query);
                memcpy(serve_input(c, "stats", &s, i, "scale"), &scale, sizeof scale);
            }
            serve(c, "stats", &s);
            cr_assert_eq(s.bind, PSY_OK, "%s", psy_detail());
            for (uint32_t i = 0; i < 3; i++) {
                const char *const names[] = {"least", "most", "sum", "mean"};
                double wanted[] = {least, most * i, sum, sum / ROWS + i};
                for (unsigned k = 0; k < 4; k++) {
                    float got = *(float *)serve_output(c, "stats", &s, i, names[k]);
                    cr_assert(fabs((double)got - wanted[k]) < 1e-5, "%s over %u shards: %g, not %g", names[k], shards,
                              (double)got, wanted[k]);
                }
            }
            serve_end(&s);
        }
        compile_end(c);
    }
}

/* Large scores, which overflow where the largest is not taken off first; with fewer rows than shards, some shards have none. */
Test(run, log_of_the_sum_of_exponentials)
{
    enum { ROWS = 13, DIM = 4 };
    float words[ROWS * DIM], query[DIM] = {40, -25, 60, 10};
    random_state = 11;
    for (int i = 0; i < ROWS * DIM; i++) {
        words[i] = (float)random_real() * 3;
    }
    for (unsigned optimise = 0; optimise < 2; optimise++) {
        compiled *c = compile(schema_of(DIM),
                              "resident words: f32[N, DIM] split N\n"
                              "pipeline p(q: Query) -> Number { Number { value: logsumexp(words @ q.vector) } }",
                              optimise);
        cr_assert(c->ok, "%s", c->said);
        for (uint32_t rows = 0; rows <= ROWS; rows += rows < 2 ? 1 : ROWS - 2) {
            double most = -INFINITY, sum = 0;
            for (uint32_t r = 0; r < rows; r++) {
                most = fmax(most, score_of(DOT, words + r * DIM, query, DIM));
            }
            for (uint32_t r = 0; r < rows; r++) {
                sum += exp(score_of(DOT, words + r * DIM, query, DIM) - most);
            }
            double wanted = rows ? log(sum) + most : -INFINITY;
            for (uint32_t shards = 1; shards <= SHARDS_MAX; shards++) {
                served s = {.shards = shards, .messages = 1, .residents = {{"words", words, rows, DIM * 4, NULL}}};
                serve_begin(c, "p", &s);
                memcpy(serve_input(c, "p", &s, 0, "vector"), query, sizeof query);
                serve(c, "p", &s);
                cr_assert_eq(s.bind, PSY_OK, "%s", psy_detail());
                float got = *(float *)serve_output(c, "p", &s, 0, "value");
                cr_assert(rows ? fabs(got - wanted) < 1e-4 * fabs(wanted) : isinf(got) && got < 0,
                          "%u rows over %u shards: %g, not %g", rows, shards, (double)got, wanted);
                serve_end(&s);
            }
        }
        compile_end(c);
    }
}

Test(run, columns_are_summed)
{
    enum { ROWS = 23, DIM = 6 };
    float words[ROWS * DIM];
    random_state = 3;
    for (int i = 0; i < ROWS * DIM; i++) {
        words[i] = random_whole();
    }
    for (unsigned optimise = 0; optimise < 2; optimise++) {
        compiled *c = compile(schema_of(DIM),
                              "resident words: f32[N, DIM] split N\n"
                              "pipeline centre(q: Query) -> Row { Row { vector: sum(words * q.scale, axis: 0) + q.vector } }\n"
                              "pipeline most(q: Query) -> Row { Row { vector: max(words, axis: 0) * q.scale } }",
                              optimise);
        cr_assert(c->ok, "%s", c->said);
        for (uint32_t shards = 1; shards <= SHARDS_MAX; shards++) {
            for (unsigned most = 0; most < 2; most++) {
                const char *name = most ? "most" : "centre";
                served s = {.shards = shards, .messages = 2, .residents = {{"words", words, ROWS, DIM * 4, NULL}}};
                serve_begin(c, name, &s);
                for (uint32_t i = 0; i < 2; i++) {
                    *(float *)serve_input(c, name, &s, i, "scale") = (float)(i + 1);
                    ((float *)serve_input(c, name, &s, i, "vector"))[1] = 0.5f;
                }
                serve(c, name, &s);
                cr_assert_eq(s.bind, PSY_OK, "%s", psy_detail());
                for (uint32_t i = 0; i < 2; i++) {
                    const float *got = serve_output(c, name, &s, i, "vector");
                    for (int d = 0; d < DIM; d++) {
                        double sum = 0, largest = -INFINITY;
                        for (int r = 0; r < ROWS; r++) {
                            double x = (double)words[r * DIM + d];
                            sum += x;
                            largest = x > largest ? x : largest;
                        }
                        double wanted = (most ? largest : sum) * (i + 1) + (!most && d == 1 ? 0.5 : 0);
                        cr_assert_eq((double)got[d], wanted, "%s, column %d over %u shards: %g, not %g", name, d, shards,
                                     (double)got[d], wanted);
                    }
                }
                serve_end(&s);
            }
        }
        compile_end(c);
    }
}

/* ---- data by key, and data that every shard has ---- */

Test(run, rows_by_key)
{
    enum { ROWS = 19, DIM = 3 };
    float stored[ROWS * DIM], offset[DIM] = {1, 2, 3};
    uint64_t keys[ROWS];
    random_state = 11;
    for (int r = 0; r < ROWS; r++) {
        keys[r] = (uint64_t)r * 977 + 5;
        for (int d = 0; d < DIM; d++) {
            stored[r * DIM + d] = random_whole();
        }
    }
    for (unsigned optimise = 0; optimise < 2; optimise++) {
        compiled *c = compile(schema_of(DIM),
                              "resident stored: f32[M, DIM] by key\nresident offset: f32[DIM]\n"
                              "pipeline row(q: Query) -> Row { Row { vector: stored[q.key] * q.scale + offset } }",
                              optimise);
        cr_assert(c->ok, "%s", c->said);
        for (uint32_t shards = 1; shards <= SHARDS_MAX; shards++) {
            served s = {.shards = shards,
                        .messages = ROWS + 1,
                        .residents = {{"stored", stored, ROWS, DIM * 4, keys}, {"offset", offset, DIM, 4, NULL}}};
            serve_begin(c, "row", &s);
            for (uint32_t i = 0; i <= ROWS; i++) {
                *(uint64_t *)serve_input(c, "row", &s, i, "key") = i < ROWS ? keys[i] : 4;
                *(float *)serve_input(c, "row", &s, i, "scale") = 2;
            }
            serve(c, "row", &s);
            cr_assert_eq(s.bind, PSY_OK, "%s", psy_detail());
            for (uint32_t i = 0; i < ROWS; i++) {
                const float *got = serve_output(c, "row", &s, i, "vector");
                cr_assert_eq(s.status[i], PSY_OK);
                for (uint32_t d = 0; d < DIM; d++) {
                    cr_assert_eq(got[d], stored[i * DIM + d] * 2 + offset[d]);
                }
            }
            cr_assert_eq(s.status[ROWS], PSY_NOT_FOUND);
            serve_end(&s);
        }
        compile_end(c);
    }
}

/* ---- the message alone ---- */

static void check_number(const char *body, double wanted)
{
    char program[1024];
    snprintf(program, sizeof program,
             "const HALF = 1 / 2.0\nfn square(x: f32) -> f32 = x * x\nfn total(x: f32[D]) -> f32 = sum(x) + 0 * D\n"
             "pipeline p(q: Query) -> Number { Number { value: %s } }",
             body);
    for (unsigned optimise = 0; optimise < 2; optimise++) {
        compiled *c = compile(schema_of(4), program, optimise);
        served s = {.shards = 1, .messages = 1};
        cr_assert(c->ok, "%s", c->said);
        serve_begin(c, "p", &s);
        memcpy(serve_input(c, "p", &s, 0, "vector"), (float[]){0.5f, -1, 2, 0.25f}, 16);
        *(float *)serve_input(c, "p", &s, 0, "scale") = 3;
        *(uint16_t *)serve_input(c, "p", &s, 0, "k") = 7;
        *(int8_t *)serve_input(c, "p", &s, 0, "small") = -5;
        *(uint8_t *)serve_input(c, "p", &s, 0, "flag") = 1;
        serve(c, "p", &s);
        cr_assert_eq(s.bind, PSY_OK, "%s", psy_detail());
        double got = (double)*(float *)serve_output(c, "p", &s, 0, "value");
        cr_assert(fabs(got - wanted) <= 2e-6 * fmax(1, fabs(wanted)), "-O%u %s: %.9g, not %.9g", optimise, body, got, wanted);
        serve_end(&s);
        compile_end(c);
    }
}

Test(run, expressions)
{
    check_number("q.scale", 3);
    check_number("1 + 2 * 3 - 4 / 8.0", 6.5);
    check_number("-q.scale + HALF", -2.5);
    check_number("q.scale |> square |> square()", 81);
    check_number("(q.scale + 1) * (q.scale - 1)", 8);
    check_number("q.scale - 1 - 1", 1);
    check_number("24 / q.scale / 2", 4);
    check_number("total(q.vector)", 1.75);
    check_number("dot(q.vector, q.vector)", 5.3125);
    check_number("q.vector @ q.vector", 5.3125);
    check_number("norm(q.vector)", sqrt(5.3125));
    check_number("mean(q.vector)", 0.4375);
    check_number("min(q.vector) * max(q.vector)", -2);
    check_number("min(q.scale, 2) + max(q.scale, 5)", 7);
    check_number("sum(relu(q.vector))", 2.75);
    check_number("sum(sigmoid(q.vector))", 1 / (1 + exp(-0.5)) + 1 / (1 + exp(1)) + 1 / (1 + exp(-2)) + 1 / (1 + exp(-0.25)));
    check_number("tanh(q.scale) + exp(q.scale) + log(q.scale) + sqrt(q.scale) + floor(q.scale / 2)",
                 tanh(3) + exp(3) + log(3) + sqrt(3) + 1);
    check_number("sum(softmax(q.vector))", 1);
    check_number("max(softmax(q.vector))", exp(2) / (exp(0.5) + exp(-1) + exp(2) + exp(0.25)));
    check_number("f32(size(q.vector) * DIM)", 16);
    check_number("sum(q.vector, axis: DIM - 4) + max(q.vector, axis: -1)", 3.75);
}

Test(run, conversions)
{
    check_number("q.k", 7);
    check_number("f32(q.k / 2)", 3);
    check_number("f32(q.k - 8)", 4294967295.0);
    check_number("f32(q.small / 2)", -2);
    check_number("f32(-q.small)", 5);
    check_number("f32(abs(q.small))", 5);
    check_number("f32(q.flag) + q.scale", 4);
    check_number("f32(i32(2.9)) + f32(i32(-2.9)) * 10", -18);
    check_number("f32(u64(q.small))", 18446744073709551611.0);
    check_number("f32(i64(q.scale * 1000000) * 4000000)", 12000000000000.0);
    check_number("f32(u8(i32(q.scale) * 100))", 44);
    check_number("f32(f64(q.scale) / 7)", 3.0 / 7);
    check_number("f32(bool(q.scale)) + f32(bool(q.scale - 3))", 1);
}

/* Data whose sizes are computed of those of other data. */
Test(run, computed_sizes)
{
    enum { N = 12, K = 3 };
    float rows[N * 4], pairs[2 * N * (K + 1)], more[K], wanted = 0;
    for (unsigned i = 0; i < N * 4; i++) {
        rows[i] = (float)(i % 7);
        wanted += rows[i] * (float)(i % 4 + 1);
    }
    for (unsigned i = 0; i < 2 * N * (K + 1); i++) {
        pairs[i] = (float)(i % 5);
        wanted += pairs[i];
    }
    for (unsigned i = 0; i < K; i++) {
        more[i] = (float)i;
        wanted += more[i];
    }
    for (unsigned optimise = 0; optimise < 2; optimise++) {
        compiled *c = compile("namespace t; message Q { x: f32[4]; } message R { sum: f32; size: u32; }",
                              "resident pairs: f32[N * 2, K + 1] replicated\nresident rows: f32[N, 4] split N\n"
                              "resident more: f32[K] replicated\n"
                              "pipeline p(q: Q) -> R { R { sum: sum(rows @ q.x) + sum(sum(pairs, axis: 1)) + sum(more), "
                              "size: u32(size(pairs, axis: 0)) * 100 + u32(K + 1) } }",
                              optimise);
        cr_assert(c->ok, "%s", c->said);
        for (uint32_t shards = 1; shards <= 3; shards++) {
            served s = {.shards = shards,
                        .messages = 1,
                        .residents = {{"pairs", pairs, 2 * N, (K + 1) * 4, NULL},
                                      {"rows", rows, N, 16, NULL},
                                      {"more", more, K, 4, NULL}}};
            serve_begin(c, "p", &s);
            for (unsigned d = 0; d < 4; d++) {
                ((float *)serve_input(c, "p", &s, 0, "x"))[d] = (float)(d + 1);
            }
            serve(c, "p", &s);
            cr_assert_eq(s.bind, PSY_OK, "%s", psy_detail());
            cr_assert_eq(*(float *)serve_output(c, "p", &s, 0, "sum"), wanted);
            cr_assert_eq(*(uint32_t *)serve_output(c, "p", &s, 0, "size"), 2 * N * 100 + K + 1);
            serve_end(&s);
        }
        compile_end(c);
    }
}

/* Attributes say how something is run: the answers are the same; sums but for the order in which they are added up. */
Test(run, attributes_change_no_result)
{
    static const char *const texts[] = {
        "resident m: f32[4, 4] replicated\npipeline p(q: Q) -> R { let a = q.x * 1.1 + 3 let t = transpose(m) let part = "
        "a[1..3] "
        "let (s, i) = topk(t @ a, k: 2) R { x: softmax(t @ (a / 3)), s: s + part, i: i } }",
        "resident m: f32[4, 4] replicated\npipeline @max_batch(2) @prefer(cpu) p(q: Q) -> R { let @materialize a = q.x * 1.1 + "
        "3 "
        "let @materialize t = transpose(m) let @materialize part = a[1..3] let @materialize (s, i) = topk(t @ a, k: 2) "
        "let @materialize head = a[0] let @materialize divisor = head * 0 + 3 "
        "R { x: softmax(t @ (a / divisor)), s: s + part, i: i } }"};
    float rows[16];
    float replies[2][2][3][6];
    for (unsigned i = 0; i < 16; i++) {
        rows[i] = (float)(i * 7 % 11) / 3;
    }
    for (unsigned k = 0; k < 4; k++) {
        compiled *c = compile("namespace t; message Q { x: f32[4]; } message R { x: f32[4]; s: f32[2]; i: u64[2]; }",
                              texts[k % 2], k / 2);
        cr_assert(c->ok, "%s", c->said);
        served s = {.shards = 1, .messages = 3, .residents = {{"m", rows, 4, 16, NULL}}};
        serve_begin(c, "p", &s);
        for (uint32_t m = 0; m < 3; m++) {
            for (unsigned d = 0; d < 4; d++) {
                ((float *)serve_input(c, "p", &s, m, "x"))[d] = (float)(d * m) - 1.3f;
            }
        }
        serve(c, "p", &s);
        cr_assert_eq(s.bind, PSY_OK, "%s", psy_detail());
        for (uint32_t m = 0; m < 3; m++) {
            float *out = replies[k / 2][k % 2][m];
            memcpy(out, serve_output(c, "p", &s, m, "x"), 4 * sizeof *out);
            memcpy(out + 4, serve_output(c, "p", &s, m, "s"), 2 * sizeof *out);
            for (unsigned d = 0; k % 2 && d < 6; d++) {
                float other = replies[k / 2][0][m][d];
                cr_assert(fabsf(out[d] - other) <= 1e-6f * fmaxf(1, fabsf(other)), "-O%u: %g, not %g", k / 2, (double)out[d],
                          (double)other);
            }
        }
        cr_assert_eq(c->module.pipelines[0].max_batch, k % 2 ? 2 : 0);
        serve_end(&s);
        compile_end(c);
    }
}
